// harness.mjs: TAP, a browser, and pages that are watched: what the scripts of this folder share.
//
// A page that is opened here may write no error to the console, ask no other host, break no policy and throw nothing:
// the test that opened it fails if it does, unless what it does is among what the test excuses. ONLY=PATTERN runs the
// tests whose names match.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const ARGS = [
    '--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync',
];
export const LAPTOP = { width: 1280, height: 800 };
export const PHONE = { width: 390, height: 844 };
// Sanitizers make the service slow, and it shares the machine.
export const isFast = (process.env.MODE ?? 'release') === 'release';
const TEST_MS = isFast ? 45000 : 90000;

export const base = process.env.BASE;
const only = new RegExp(process.env.ONLY ?? '');
let count = 0, failures = 0;
let opened = [];

export const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', headless: true, args: ARGS });

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** Until `what` gives something true; gives it back. */
export async function until(words, what, ms = isFast ? 10000 : 30000) {
    const end = Date.now() + ms;
    for (;;) {
        const got = await what();
        if (got)
            return got;
        if (Date.now() > end)
            throw new Error(`after ${ms} ms still not: ${words}`);
        await sleep(40);
    }
}

export function equal(got, wanted, words = '') {
    const [a, b] = [JSON.stringify(got), JSON.stringify(wanted)];
    if (a !== b)
        throw new Error(`${words ? words + ': ' : ''}${a}, not ${b}`);
}

/** Of all members that are wanted; tells those that differ alone. */
export function equalEach(got, wanted, words = '') {
    const names = Object.keys(wanted).filter((name) => JSON.stringify(got[name]) !== JSON.stringify(wanted[name]));
    const part = (all) => Object.fromEntries(names.map((name) => [name, all[name]]));
    equal(part(got), part(wanted), words);
}

export function ok(isTrue, words) {
    if (!isTrue)
        throw new Error(words);
}

/** One line of TAP; whatever it opened is closed. */
export async function test(name, run) {
    if (!only.test(name))
        return;
    let late;
    const tooLong = new Promise((_, fail) => {
        late = setTimeout(() => fail(new Error(`did not end within ${TEST_MS} ms`)), TEST_MS);
    });
    let error = null;
    const began = Date.now();
    try {
        await Promise.race([run(), tooLong]);
        for (const page of opened)
            equal(page.faults, [], 'faults of the page');
    } catch (thrown) {
        error = thrown;
    }
    clearTimeout(late);
    await Promise.all(opened.map((page) => page.context().close().catch(() => {})));
    opened = [];
    console.log(`${error ? 'not ok' : 'ok'} ${++count} - ${name}`);
    if (process.env.TIMES)
        console.log(`# ${Date.now() - began} ms`);
    if (!error)
        return;
    failures++;
    for (const line of String(error.stack ?? error).split('\n').slice(0, 12))
        console.log(`# ${line.slice(0, 600)}`);
}

export async function finish() {
    await browser.close();
    console.log(`1..${count}`);
    process.exit(failures ? 1 : 0);
}

function watch(page, excuse) {
    page.faults = [];
    page.asked = [];
    page.waiting = new Set();
    const fault = (text) => {
        // The tests read pixels; pages do not.
        if (!excuse?.test(text) && !text.includes('Multiple readback operations'))
            page.faults.push(text.slice(0, 400));
    };
    page.on('console', (message) => ['error', 'warning'].includes(message.type()) &&
        fault(`console: ${message.text()} ${message.location().url}`));
    page.on('pageerror', (error) => fault(`thrown: ${error.stack}`));
    page.on('requestfailed', (request) => {
        // What the page no longer wants it aborts.
        if (request.failure().errorText !== 'net::ERR_ABORTED')
            fault(`failed: ${request.url()} ${request.failure().errorText}`);
    });
    for (const end of ['requestfinished', 'requestfailed'])
        page.on(end, (request) => page.waiting.delete(request));
    page.on('request', (request) => {
        page.waiting.add(request);
        const url = new URL(request.url());
        page.asked.push({ path: url.pathname, url, at: Date.now(), headers: request.headers() });
        if (url.protocol !== 'blob:' && url.host !== new URL(page.base).host)
            fault(`another host: ${request.url()}`);
    });
    page.on('dialog', (dialog) => {
        fault(`a dialog: ${dialog.message()}`);
        dialog.dismiss();
    });
}

/**
 * A page in a context of its own. Its `faults` must stay empty, but for those that `excuse` matches; `asked` are its
 * requests, `waiting` those without an end so far; `answers` what they were answered by, as far as it is of the API.
 */
export async function open(path, { at = base, viewport = LAPTOP, excuse = null, before, ...options } = {}) {
    const context = await browser.newContext({ viewport, acceptDownloads: true, ...options });
    const page = await context.newPage();
    page.base = at;
    opened.push(page);
    page.setDefaultTimeout(isFast ? 10000 : 30000);
    watch(page, excuse);
    page.answers = [];
    page.on('response', (response) => {
        const url = new URL(response.url());
        if (url.pathname.startsWith('/api/'))
            page.answers.push({ path: url.pathname, status: response.status(), url, response });
    });
    await page.addInitScript(() => {
        document.addEventListener('securitypolicyviolation', (event) =>
            console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`));
    });
    await before?.(page);
    await page.goto(at + path);
    return page;
}

export const isLive = (page) => until('the page is live', async () => await text(page, '#status-text') === 'Live');
export const text = (page, selector) => page.locator(selector).first().textContent();
export const texts = (page, selector) => page.locator(selector).allTextContents();
/** Of what is shown shortened, the whole. */
export const titles = (page, selector) => page.locator(selector).evaluateAll((nodes) =>
    nodes.map((node) => node.title || node.textContent));

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** The serious faults of accessibility that axe finds, a line each. */
export async function graveFaults(page) {
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => window.axe.run({ resultTypes: ['violations'] }));
    const grave = violations.filter(({ impact }) => ['serious', 'critical'].includes(impact));
    const first = (nodes) => nodes.slice(0, 3).map(({ html }) => html.slice(0, 120)).join(' | ');
    return grave.map(({ id, nodes }) => `${id}: ${nodes.length}: ${first(nodes)}`);
}

/** The API's own answer, as JSON. */
export async function api(path, at = base, headers = {}) {
    const response = await fetch(at + path, { headers });
    return response.json();
}

/** Stores samples: [type, seconds, value] each. */
export async function post(samples, at = base, headers = {}) {
    for (let from = 0; from < samples.length; from += 20000) {
        const some = samples.slice(from, from + 20000);
        const lines = some.map(([type, timestamp, value]) => JSON.stringify({ timestamp, value, type }));
        const response = await fetch(at + '/api/metrics', {
            method: 'POST', body: lines.join('\n'), headers: { 'Content-Type': 'application/x-ndjson', ...headers },
        });
        if (response.status !== 201)
            throw new Error(`POST: ${response.status} ${await response.text()}`);
    }
}
