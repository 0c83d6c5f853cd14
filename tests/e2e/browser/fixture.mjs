// fixture.mjs: what the tests of the dashboard share: the data it shows, and how its pages are read.
//
// MANY    a service with 2,000 types, beside the one at BASE
// LOCKED  one that asks for TOKEN, limits to 2 samples in 3 s, and whose external service fails

import { api, base, isLive, open, post, sleep, titles, until } from './harness.mjs';

export const { MANY, LOCKED, TOKEN } = process.env;

export const HOSTILE = '<img src=x onerror=alert(1)>';
// 255 bytes, as agents may send.
const HOST = '\u{1F600}\u00fc\u4e2d'.padEnd(183, 'x');
export const LONG = `a.name.of.a.metric.that.is.as.long.as.can.be;host=${HOST};zone=b`;

// --- the data: what is known to the second

export const begin = Math.floor(Date.now() / 60000) * 60;

/**
 * With a peak now and then, so that the greatest values are not where the averages are. The same in each run, whenever
 * it is; each half of an hour has another mean than the one before.
 */
function wave(seconds) {
    const since = seconds - begin + 7200;
    const peak = since / 10 % 23 < 1 ? 60 : 0;
    const value = 50 + 30 * Math.sin(since / 700) + since % 7 + peak;
    return Math.round(value * 100) / 100;
}

/** To be called once, before any test. */
export async function fill() {
    const samples = [];
    for (let at = begin - 7200; at < begin; at += 10)
        samples.push(['cpu_usage', at, wave(at)]);
    for (let minute = 60; minute > 0; minute--) {
        if (minute <= 20 || minute > 40)
            samples.push(['gap', begin - minute * 60, minute]);
    }
    samples.push([HOSTILE, begin - 30, 1], ['\u00e4\u00df\u4e2d\u6587', begin - 10, 0.0042]);
    samples.push(['old', begin - 86400 * 3, 5]);
    await post(samples);
    await fetch(`${base}/write?precision=s`, {
        method: 'POST',
        body: `a.name.of.a.metric.that.is.as.long.as.can,host=${HOST},zone=b be=1234567.891 ${begin - 20}`,
    });
    const many = [];
    for (let index = 0; index < 2000; index++) {
        const name = `host-${String(index).padStart(4, '0')}.load`;
        many.push([name, begin - 600, index], [name, begin - 4000, 100]);
    }
    await post(many, MANY);
}

/** A window, as part of an address. */
export const between = (from, to) =>
    `from=${new Date(from * 1000).toISOString()}&to=${new Date(to * 1000).toISOString()}`;
/** All of cpu_usage. */
export const FIXED = between(begin - 7200, begin);
export const LAST_HOUR = between(begin - 3600, begin);

// --- its pages

/** Opened with the token that LOCKED asks for. */
export const openLocked = (path, options) => open(path, {
    at: LOCKED,
    before: (page) => page.addInitScript((token) => sessionStorage.setItem('token', token), TOKEN),
    ...options,
});

/** Opened, live, and its clock stopped: by it time passes as `pass` lets it, not while service and browser work. */
export async function openTimed(path, options) {
    const page = await open(path, { before: (page) => page.clock.install(), ...options });
    await isLive(page);
    await page.clock.pauseAt(await page.evaluate(() => Date.now() + 1000));
    return page;
}

const STEP_MS = 50;
/** What the service was asked for by others, so long before, is good enough for a page. */
export const SHARED_MS = 1100;

export async function pass(page, ms) {
    for (let passed = 0; passed < ms; passed += STEP_MS) {
        await page.clock.runFor(STEP_MS);
        await until('answers', () => page.waiting.size === 0);
    }
}

export const paramsOf = (page) => new URL(page.url()).searchParams;
export const tileNames = (page) => titles(page, '.tiles .tile');
export const drawn = (page) => page.waitForFunction(() => performance.getEntriesByName('chart-drawn').length);
export const isSeries = ({ path }) => path === '/api/metrics/series';
/** The window before is asked for its averages alone. */
export const isBefore = (answer) => isSeries(answer) && answer.url.searchParams.get('percentiles') === '';

/** Live, and whatever there is to draw is drawn. */
export async function settled(page) {
    await isLive(page);
    if (page.url().includes('?type='))
        await drawn(page);
    await sleep(150);
}

/** Whether this is the series that the address of the page asks for. */
const isOfWindow = (page) => {
    const instants = (params) => ['from', 'to'].map((name) => Date.parse(params.get(name))).join();
    return (answer) => isSeries(answer) && !isBefore(answer) &&
        instants(answer.url.searchParams) === instants(paramsOf(page));
};

/** The steps of the window in the address have come. */
export const windowCame = (page) => until('the steps of the window', () => page.answers.some(isOfWindow(page)));

/** The first turns ask for all once more; from here on, for what has changed. */
export async function atRest(page) {
    const areProbes = (list) => list.length >= 2 && list.every(({ url }) => url.searchParams.get('period') === 'all');
    await until('two turns that ask for no more than whether something came', () =>
        [page.asked, page.answers].every((list) => areProbes(list.slice(-2))), 60000);
}

/** The answer that the chart shows. */
export async function charted(page, path = '/api/metrics/series') {
    await drawn(page);
    const { url } = page.answers.findLast((one) => one.path === path && one.status === 200 && !isBefore(one));
    return api(url.pathname + url.search);
}

/**
 * Where in the plot, from left and bottom, pixels have the colour of a line: the middle of them, column by column; null
 * where there is none.
 */
export const columns = (page, line) => page.evaluate((name) => {
    const probe = document.getElementById('probe');
    probe.style.color = `var(--${name})`;
    const wanted = getComputedStyle(probe).color.match(/[\d.]+/g).map(Number);
    const canvas = document.querySelector('.plot canvas'), over = document.querySelector('.u-over');
    const [frame, area] = [canvas, over].map((node) => node.getBoundingClientRect());
    const left = Math.round(area.left - frame.left), top = Math.round(area.top - frame.top);
    const [width, height] = [Math.round(area.width), Math.round(area.height)];
    const { data } = canvas.getContext('2d').getImageData(left, top, width, height);
    const isOfLine = (at) => data[at + 3] > 200 &&
        [0, 1, 2].every((channel) => Math.abs(data[at + channel] - wanted[channel]) < 24);
    return Array.from({ length: width }, (_, x) => {
        let sum = 0, many = 0;
        for (let y = 0; y < height; y++) {
            if (isOfLine(4 * (y * width + x))) {
                sum += height - y;
                many++;
            }
        }
        return many ? sum / many : null;
    });
}, line);

/** In how many columns of the plot a line is. */
export async function width(page, line) {
    const heights = await columns(page, line);
    return heights.filter((height) => height !== null).length;
}

// --- the modules that they load

/** Its address: the folder's name is a hash of all that is in it. */
export async function moduleAddress(name) {
    const html = await (await fetch(`${base}/dashboard/`)).text();
    return base + html.match(/\/static\/[0-9a-f]+\//)[0] + name;
}

/** A module without imports, as it is served. */
export async function servedModule(name) {
    const source = await (await fetch(await moduleAddress(name))).text();
    return import(`data:text/javascript,${encodeURIComponent(source)}`);
}
