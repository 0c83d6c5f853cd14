// location.js: what the address of the page says, and windows of time.
//
// Everything that is shown follows from the address, so that links, back and forward work.

/** Windows that end now: name in the address, seconds, words. */
export const WINDOWS = [
    ['15m', 900, '15 min'],
    ['1h', 3600, '1 h'],
    ['6h', 21600, '6 h'],
    ['24h', 86400, '24 h'],
    ['7d', 604800, '7 d'],
    ['30d', 2592000, '30 d'],
    ['1y', 31536000, '1 year'],
];
/** Those of the overview. */
export const SHORT_WINDOWS = WINDOWS.slice(0, 5);
const LINES = ['band', 'p50', 'p95', 'p99'];
const VIEWS = ['values', 'count', 'heatmap'];
export const SORTS = [
    ['name', 'Name'], ['change', 'Largest change'], ['activity', 'Activity'], ['newest', 'Newest sample'],
];

const MINUTE = 60, HOUR = 3600, DAY = 86400;
const STEPS = [1, 2, 5, 10, 15, 30, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE,
    HOUR, 2 * HOUR, 3 * HOUR, 4 * HOUR, 6 * HOUR, 8 * HOUR, 12 * HOUR, DAY];

const EARLIEST = Date.parse('0001-01-01T00:00:00Z'), LATEST = Date.parse('+010000-01-01T00:00:00Z');

const secondsOf = (name) => WINDOWS.find(([key]) => key === name)?.[1];
const one = (value, allowed, otherwise) => allowed.includes(value) ? value : otherwise;

/** Whether the API can be asked about it: years have four digits there. */
export const isInstant = (ms) => ms >= EARLIEST && ms < LATEST;

function instant(text) {
    if (!text)
        return null;
    const ms = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : Date.parse(text);
    return isInstant(ms) ? ms : null;
}

/** The route that the query of an address means; what makes no sense is as if absent. */
export function parse(search) {
    const query = new URLSearchParams(search);
    const type = query.get('type');
    const named = query.get('page');
    const page = named === 'service' || named === 'send' ? named : type ? 'type' : 'overview';
    const names = WINDOWS.map(([name]) => name);
    const route = {
        page,
        type: type ?? '',
        window: one(query.get('window'), names, page === 'type' ? '6h' : '1h'),
        from: instant(query.get('from')),
        to: instant(query.get('to')),
        view: one(query.get('view'), VIEWS, 'values'),
        show: query.has('show') ? LINES.filter((line) => query.get('show').split(',').includes(line)) : [...LINES],
        compare: query.get('compare') === 'previous',
        search: query.get('q') ?? '',
        sort: one(query.get('sort'), SORTS.map(([name]) => name), 'name'),
    };
    if (page === 'overview')
        route.window = one(route.window, SHORT_WINDOWS.map(([name]) => name), '1h');
    if (route.from === null || route.to === null || route.to - route.from < 1000)
        route.from = route.to = null;
    return route;
}

const iso = (ms) => new Date(ms).toISOString().replace('.000Z', 'Z');

/** The address of a route. */
export function href(route) {
    const query = new URLSearchParams();
    const { page, type, from, to } = route;
    if (page === 'service' || page === 'send')
        query.set('page', page);
    if (type && (page === 'type' || page === 'send'))
        query.set('type', type);
    if (page === 'type' && from !== null && from !== undefined) {
        query.set('from', iso(from));
        query.set('to', iso(to));
    } else if (page === 'type' && route.window || page === 'overview' && route.window !== '1h' && route.window) {
        query.set('window', route.window);
    }
    if (page === 'type') {
        if (route.view && route.view !== 'values')
            query.set('view', route.view);
        if (route.show && route.show.length < LINES.length)
            query.set('show', route.show.join(','));
        if (route.compare)
            query.set('compare', 'previous');
    }
    if (page === 'overview') {
        if (route.search)
            query.set('q', route.search);
        if (route.sort && route.sort !== 'name')
            query.set('sort', route.sort);
    }
    const text = query.toString();
    return '/dashboard/' + (text && '?' + text);
}

/** The smallest usual step, seconds, that cuts `seconds` into `points` at most. */
export function stepFor(seconds, points) {
    for (const step of STEPS) {
        if (Math.ceil(seconds / step) <= points)
            return step;
    }
    let days = 2;
    while (Math.ceil(seconds / (days * DAY)) > points)
        days *= 2;
    return days * DAY;
}

/**
 * The window of a route in `points` steps at most: {from, to, step, seconds, isLive}, instants in seconds.
 * One that ends now ends with the step that is under way, so that its address, and with it the answer's
 * ETag, stay the same for the length of a step.
 */
export function span(route, points, now) {
    if (route.from !== null) {
        const from = route.from / 1000, to = route.to / 1000;
        const step = stepFor(to - from, points);
        return { from, to, step, seconds: to - from, isLive: false };
    }
    const length = secondsOf(route.window);
    const step = stepFor(length, points);
    const to = (Math.floor(now / 1000 / step) + 1) * step;
    const seconds = Math.ceil(length / step) * step;
    return { from: to - seconds, to, step, seconds, isLive: true };
}

/** Of a span, what was right before: shifted by whole steps. */
export function before(window) {
    const shift = Math.ceil(window.seconds / window.step) * window.step;
    return { ...window, from: window.from - shift, to: window.to - shift, shift };
}

/** An instant as the API takes it, UTC. */
export const utc = (seconds) => iso(Math.round(seconds * 1000));
