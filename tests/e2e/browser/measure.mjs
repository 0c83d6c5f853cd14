// measure.mjs: how fast the dashboard is: prints name, tab, number a line.
//
// tests/bench/dashboard runs it, against BASE.
//
// Stores its own data there: a year of one sample a minute, a week of one a second, and 498 types with a few.

import { base, browser, open, sleep, until } from './harness.mjs';

const now = Math.floor(Date.now() / 1000);
const LINES = 20000;

async function store(make, count) {
    for (let from = 0; from < count; from += LINES) {
        let body = '';
        for (let index = from; index < Math.min(count, from + LINES); index++)
            body += JSON.stringify(make(index)) + '\n';
        const headers = { 'Content-Type': 'application/x-ndjson' };
        const response = await fetch(base + '/api/metrics', { method: 'POST', body, headers });
        if (response.status !== 201)
            throw new Error(await response.text());
    }
}

const value = (seconds) => Math.round(1000 * (50 + 20 * Math.sin(seconds / 5000) + 10 * Math.random())) / 1000;
const tell = (name, number) => console.log(`${name}\t${number}`);
const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];

async function firstChart(query) {
    const times = [];
    for (let turn = 0; turn < 5; turn++) {
        const page = await open(`/dashboard/?${query}`, { excuse: /./ });
        await page.waitForFunction(() => performance.getEntriesByName('chart-drawn').length);
        times.push(await page.evaluate(() => performance.getEntriesByName('chart-drawn')[0].startTime));
        await page.context().close();
    }
    return Math.round(median(times));
}

/** Frames a second while `move(page, step)` is done, and the slowest one, ms. */
async function frames(page, move, steps) {
    await page.evaluate(() => {
        window.frames_ = [];
        window.counting = true;
        const turn = (time) => {
            window.frames_.push(time);
            if (window.counting)
                requestAnimationFrame(turn);
        };
        requestAnimationFrame(turn);
    });
    for (let step = 0; step < steps; step++)
        await move(page, step);
    const times = await page.evaluate(() => {
        window.counting = false;
        return window.frames_;
    });
    const gaps = times.slice(1).map((time, at) => time - times[at]);
    return { rate: Math.round(1000 * gaps.length / (times.at(-1) - times[0])), slowest: Math.round(Math.max(...gaps)) };
}

await store((index) => ({ type: 'a_year', timestamp: now - 60 * index, value: value(now - 60 * index) }), 525600);
await store((index) => ({ type: 'a_week', timestamp: now - index, value: value(now - index) }), 604800);
const OTHERS = 498;
await store((index) => ({
    type: `other-${index % OTHERS}`, timestamp: now - 60 * Math.floor(index / OTHERS), value: value(index),
}), OTHERS * 20);

for (const window of ['6h', '7d', '1y'])
    tell(`first chart, a year in minutes, ${window}, ms`, await firstChart(`type=a_year&window=${window}`));
tell('first chart, a week in seconds, 7d, ms', await firstChart('type=a_week&window=7d'));

const page = await open('/dashboard/?type=a_week&window=7d', { excuse: /./ });
await page.waitForFunction(() => performance.getEntriesByName('chart-drawn').length);
await sleep(500);
const area = await page.locator('.u-over').boundingBox();
await page.mouse.move(area.x + 20, area.y + 100);
await page.mouse.down();
const STEPS = 240;
const drag = await frames(page, (page, step) =>
    page.mouse.move(area.x + 20 + step * (area.width - 40) / STEPS, area.y + 100), STEPS);
tell('frames a second while dragging over a week', drag.rate);
tell('slowest frame of it, ms', drag.slowest);
await page.keyboard.press('Escape');
await page.mouse.up();
await until('a narrower window', () => page.url().includes('from='));
const move = await frames(page, (page) =>
    page.mouse.move(area.x + Math.random() * area.width, area.y + Math.random() * area.height), STEPS);
tell('frames a second with the crosshair', move.rate);
tell('slowest frame of it, ms', move.slowest);
await page.goto(`${base}/dashboard/?type=a_week&window=7d`);
await page.waitForFunction(() => performance.getEntriesByName('chart-drawn').length);
await page.focus('.plot');
const zoom = await frames(page, async (page, step) => {
    await page.keyboard.press(step % 12 < 6 ? '+' : 'Escape');
    await sleep(40);
}, 48);
tell('frames a second while zooming in and out', zoom.rate);
tell('slowest frame of it, ms', zoom.slowest);
let bytes = 0;
const scroll = await open('/dashboard/', {
    excuse: /./,
    before: async (page) => {
        const session = await page.context().newCDPSession(page);
        await session.send('Network.enable');
        session.on('Network.loadingFinished', ({ encodedDataLength }) => { bytes += encodedDataLength; });
    },
});
const typesShown = async () => parseInt(await scroll.locator('#totals').textContent(), 10);
await until('500 types', async () => await typesShown() >= 500);
await sleep(1000);
tell('first load of the overview, 500 types, bytes', bytes);
const scrolled = await frames(scroll, (page) => page.mouse.wheel(0, 60), 200);
tell('frames a second while scrolling over 500 types', scrolled.rate);
tell('slowest frame of it, ms', scrolled.slowest);
await browser.close();
process.exit(0);
