// api.js: asking the service. Answers are kept with their ETag, so that what has not changed is a 304.

const TIMEOUT_MS = 8000;
const KEPT_MAX = 80;
/** So old an answer of get() may be, ms: it may have been made for another, in the second that `get` allows. */
export const SHARED_MS = 1100;
const TOKEN = 'token';

let bearer = storedToken();
const kept = new Map(); // address: {etag, data}, the one used longest ago first
let skew = 0; // of the server's clock, ms

/** Why an answer is none: 'away' (try again later), 'refused' (what was asked is wrong) or 'token'. */
export class Failure extends Error {
    constructor(kind, message) {
        super(message);
        this.kind = kind;
    }
}

export const isAbort = (error) => error?.name === 'AbortError';

/** Now, by the server's clock where the viewer's is off. */
export const now = () => Date.now() + skew;

function readClock(response) {
    const date = Date.parse(response.headers.get('Date') ?? '');
    if (!Number.isFinite(date))
        return;
    const off = date + 500 - Date.now(); // it is told in whole seconds
    skew = Math.abs(off) > 1500 ? off : 0;
}

function storedToken() {
    try {
        return sessionStorage.getItem(TOKEN) ?? '';
    } catch {
        return '';
    }
}

export const token = () => bearer;

export function setToken(text) {
    bearer = text;
    try {
        sessionStorage.setItem(TOKEN, text);
    } catch {
        // Then it is for this page alone.
    }
}

/** The object or list that a text is, as JSON; null when it is none. */
export function parsed(text) {
    try {
        const value = JSON.parse(text);
        return value && typeof value === 'object' ? value : null;
    } catch {
        return null;
    }
}

function wordsOf(problem, status) {
    const errors = problem?.errors?.map((error) => `${error.loc?.slice(1).join(' ')} ${error.msg}`.trim());
    return errors?.length ? errors.join('; ') : problem?.detail ?? `The service answers ${status}`;
}

/** The response, whatever its status. Throws a Failure when there is none in time, an AbortError by `signal`. */
export async function send(path, { signal, headers = {}, ...options } = {}) {
    const timeout = AbortSignal.timeout(TIMEOUT_MS);
    try {
        const response = await fetch(path, {
            cache: 'no-store',
            credentials: 'omit',
            ...options,
            headers: bearer ? { ...headers, Authorization: `Bearer ${bearer}` } : headers,
            signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
        });
        const text = response.status === 304 ? '' : await response.text();
        readClock(response);
        return { response, text };
    } catch (error) {
        if (signal?.aborted)
            throw new DOMException('', 'AbortError');
        throw new Failure('away', timeout.aborted
            ? 'The service does not answer in time' : 'The service cannot be reached');
    }
}

/** What a response that is not ok says. */
export function failureOf(response, text) {
    const kind = response.status === 401 ? 'token' : response.status >= 500 ? 'away' : 'refused';
    return new Failure(kind, wordsOf(parsed(text), response.status));
}

function keep(path, entry) {
    kept.delete(path);
    kept.set(path, entry);
    if (kept.size > KEPT_MAX)
        kept.delete(kept.keys().next().value);
}

/**
 * {data, changed, stale}: the JSON at `path`, changed unless it is that of the last time. stale: of before, as Redis is
 * away. A status in `accept` is an answer as well.
 */
export async function get(path, { signal, accept = [] } = {}) {
    const before = kept.get(path);
    const headers = { Accept: 'application/json', 'Cache-Control': 'max-age=1' };
    if (before?.etag)
        headers['If-None-Match'] = before.etag;
    const { response, text } = await send(path, { signal, headers });
    const stale = response.headers.get('X-Cache') === 'STALE';
    if (response.status === 304 && before) {
        keep(path, before);
        return { data: before.data, changed: false, stale };
    }
    if (!response.ok && !accept.includes(response.status))
        throw failureOf(response, text);
    const data = parsed(text);
    if (!data)
        throw new Failure('away', 'The service answers what is no JSON');
    const etag = response.headers.get('ETag');
    if (etag && response.ok)
        keep(path, { etag, data });
    return { data, changed: true, stale };
}

/** A query of names and values, a list for those that are repeated; what is null is left out. */
export function query(path, parameters) {
    const text = new URLSearchParams();
    for (const [name, value] of Object.entries(parameters)) {
        for (const one of [value].flat()) {
            if (one !== null && one !== undefined)
                text.append(name, one);
        }
    }
    return `${path}?${text}`;
}
