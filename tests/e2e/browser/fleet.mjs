// fleet.mjs: what many open dashboards cost: prints name, tab, number a line.
//
//   BASE=http://localhost:8000 PIDS="1 2 3" node build/browser/fleet.mjs [DASHBOARDS] [SECONDS]
//
// tests/bench/dashboard runs it.
//
// 500 types get a sample a second. One dashboard is opened in a browser and its requests are noted, then as many as
// are wanted make the same ones at the same distances, each with the ETags that it was given. The cost is the processor
// time that the processes PIDS took meanwhile, less what they take for the samples alone; in shares of one core.

import { readFileSync } from 'node:fs';
import { browser, base, isLive, open, post, sleep } from './harness.mjs';

const DASHBOARDS = Number(process.argv[2] ?? 50);
const SECONDS = Number(process.argv[3] ?? 20);
const TICK_MS = 10;
const TYPES = 500;
const pids = process.env.PIDS.split(' ');

/** Milliseconds of processor time until now. */
function cpu() {
    let ticks = 0;
    for (const pid of pids) {
        const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
        ticks += Number(fields[11]) + Number(fields[12]);
    }
    return ticks * TICK_MS;
}

async function cost(run) {
    const [before, began] = [cpu(), Date.now()];
    await run();
    return 100 * (cpu() - before) / (Date.now() - began);
}

let isFed = true;
async function feed() {
    while (isFed) {
        const now = Date.now();
        const value = () => Math.round(1e4 * Math.random()) / 100;
        await post(Array.from({ length: TYPES }, (_, index) => [`host-${index}.load`, now / 1000, value()]));
        await sleep(Math.max(0, 1000 - (Date.now() - now)));
    }
}

/** What a dashboard asks within the SECONDS after it has settled. */
async function record(path) {
    const page = await open(path, { excuse: /./ });
    await isLive(page);
    await sleep(5000);
    const began = Date.now();
    await sleep(1000 * SECONDS);
    const asked = page.asked.filter(({ at }) => at >= began)
        .map(({ url, at }) => ({ path: url.pathname + url.search, after: at - began }));
    await page.context().close();
    return asked;
}

const sums = { requests: 0, unchanged: 0 };
async function replay(asked) {
    const tags = new Map();
    const began = Date.now() + Math.random() * 2000;
    for (const { path, after } of asked) {
        await sleep(Math.max(0, began + after - Date.now()));
        const headers = { 'Cache-Control': 'max-age=1', 'Accept-Encoding': 'gzip' };
        if (tags.has(path))
            headers['If-None-Match'] = tags.get(path);
        const response = await fetch(base + path, { headers });
        await response.arrayBuffer();
        if (response.headers.has('etag'))
            tags.set(path, response.headers.get('etag'));
        sums.requests++;
        sums.unchanged += response.status === 304;
    }
}

const feeding = feed();
await sleep(3000);
for (const [name, path] of [['overview', '/dashboard/'], ['a type', '/dashboard/?type=host-7.load&window=1h']]) {
    Object.assign(sums, { requests: 0, unchanged: 0 });
    const asked = await record(path);
    await sleep(2000);
    const alone = await cost(() => sleep(1000 * SECONDS));
    const all = await cost(() => Promise.all(Array.from({ length: DASHBOARDS }, () => replay(asked))));
    console.log(`${name}, ${DASHBOARDS} dashboards, % of a core\t${(all - alone).toFixed(2)}`);
    console.log(`${name}, the samples alone, % of a core\t${alone.toFixed(2)}`);
    console.log(`${name}, requests a second\t${(sums.requests / (SECONDS + 2)).toFixed(1)}`);
    console.log(`${name}, of these 304\t${sums.unchanged}`);
}
isFed = false;
await feeding;
await browser.close();
process.exit(0);
