// live.mjs: what is seen is of now: new samples, a page that is hidden, a service that is away.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { equal, isFast, isLive, ok, open, post, sleep, test, text, until } from './harness.mjs';
import { FIXED, SHARED_MS, atRest, drawn, openTimed, pass } from './fixture.mjs';

const { RUN_DIR, SERVICE } = process.env;
const GONE = /ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET|status of 50[0-9]/;

const standing = (page) => text(page, '#status-text');

/** In all places, in the end: a chart that took long is asked for less often. */
const seen = (places, value) => Promise.all(places.map(([page, selector]) =>
    until(`${value} at ${selector}`, async () => await text(page, selector) === value, 30000)));

await test('a sample is seen within two seconds, on a type and on the overview', async () => {
    const [type, all] = [await openTimed('/dashboard/?type=cpu_usage&window=1h'), await openTimed('/dashboard/')];
    const pages = [type, all];
    const places = [[type, '.latest'], [type, '.numbers td'], [all, '.tile[title="cpu_usage"] .tile-value']];
    for (const value of ['11.25', '12.5', '13.75', '14.25', '15.5']) {
        await Promise.all(pages.map((page) => pass(page, Math.random() * 2000)));
        await sleep(SHARED_MS);
        await post([['cpu_usage', Date.now() / 1000, Number(value)]]);
        await Promise.all(pages.map((page) => pass(page, 2000)));
        await seen(places, value);
    }
});

await test('by the clock on the wall, too: the fastest of five, as others are at work', async () => {
    const [type, all] = [await open('/dashboard/?type=cpu_usage&window=1h'), await open('/dashboard/')];
    await Promise.all([isLive(type), isLive(all), drawn(type)]);
    const places = [[type, '.latest'], [type, '.numbers td'], [all, '.tile[title="cpu_usage"] .tile-value']];
    const took = [];
    for (const value of ['21.25', '22.5', '23.75', '24.25', '25.5']) {
        await sleep(300 + Math.random() * 1500);
        const sent = Date.now();
        await post([['cpu_usage', sent / 1000, Number(value)]]);
        await seen(places, value);
        took.push(Date.now() - sent);
    }
    ok(Math.min(...took) < (isFast ? 2100 : 8000), `seen after ${took} ms`);
});

await test('nothing new is a 304: one small request a turn, and nothing is written anew', async () => {
    const page = await open(`/dashboard/?type=gap&${FIXED}`);
    await Promise.all([isLive(page), drawn(page)]);
    await atRest(page);
    await page.evaluate(() => {
        window.changes = 0;
        new MutationObserver((list) => { window.changes += list.length; })
            .observe(document.querySelector('.columns'),
                { subtree: true, childList: true, characterData: true, attributes: true });
    });
    page.answers.length = page.asked.length = 0;
    await sleep(5400);
    const statuses = page.answers.map(({ status }) => status);
    ok(statuses.length <= 4, `${statuses.length} requests in 5.4 s`);
    ok(statuses.length >= 2 || !isFast, `${statuses.length} requests in 5.4 s`);
    ok(statuses.every((status) => status === 304), `statuses ${statuses}`);
    ok(page.asked.every(({ headers }) => headers['if-none-match']), 'If-None-Match');
    ok(page.asked.every(({ headers }) => headers['cache-control'] === 'max-age=1'), 'Cache-Control');
    equal(await page.evaluate(() => window.changes), 0, 'changes of the document');
});

await test('a page that is hidden asks for nothing, and at once when it is seen again', async () => {
    const page = await open('/dashboard/?type=cpu_usage');
    await Promise.all([isLive(page), drawn(page)]);
    const hide = (isHidden) => page.evaluate((hidden) => {
        const state = hidden ? 'hidden' : 'visible';
        Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
        Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => state });
        document.dispatchEvent(new Event('visibilitychange'));
        return window.asked;
    }, isHidden);
    await hide(true);
    await sleep(300);
    page.asked.length = 0;
    await sleep(4000);
    equal(page.asked.length, 0, 'requests while hidden');
    await page.evaluate(() => {
        const real = window.fetch;
        window.asked = 0;
        window.fetch = (...all) => {
            window.asked++;
            return real(...all);
        };
    });
    ok(await hide(false) > 0, 'it does not ask at once');
});

await test('the service away: "Stale since", without hammering; back again: live', async () => {
    const page = await open('/dashboard/?type=cpu_usage', { excuse: GONE });
    await Promise.all([isLive(page), drawn(page)]);
    execFileSync(SERVICE, ['stop'], { stdio: 'ignore' });
    try {
        await until('it is told', async () => /^Stale since \d\d:\d\d:\d\d$/.test(await standing(page)), 20000);
        const words = await standing(page);
        equal(await page.getAttribute('#status-text', 'role'), 'status');
        page.asked.length = 0;
        await sleep(5000);
        ok(page.asked.length <= 10, `${page.asked.length} requests in 5 s`);
        equal(await standing(page), words, 'since when');
    } finally {
        execFileSync(SERVICE, ['start'], { stdio: 'ignore' });
    }
    await until('live again', async () => await standing(page) === 'Live', 20000);
});

await test('Redis away: what is shown is stale, and that is said', async () => {
    const page = await open('/dashboard/?type=cpu_usage', { excuse: GONE });
    await Promise.all([isLive(page), drawn(page)]);
    const redis = Number(readFileSync(`${RUN_DIR}/redis.pid`, 'utf8').split(' ')[0]);
    process.kill(redis, 'SIGSTOP');
    try {
        await until('it is told', async () => (await standing(page)).startsWith('Stale since'), 20000);
    } finally {
        process.kill(redis, 'SIGCONT');
    }
    await until('live again', async () => await standing(page) === 'Live', 30000);
});
