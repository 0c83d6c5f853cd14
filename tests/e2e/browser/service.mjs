// service.mjs: the page of the service: its health, what it counts as it counts, and its breaker as it opens.

import { api, base, equal, equalEach, isLive, ok, open, post, sleep, test, text, texts, until } from './harness.mjs';
import { LOCKED, TOKEN, begin, openLocked, servedModule } from './fixture.mjs';

// The page's own way to write numbers, of which format.mjs is.
const format = await servedModule('format.js');

/** All that stands on the page, of one moment. */
const look = (page) => page.evaluate(() => {
    const textOf = (node) => node.textContent;
    const facts = [...document.querySelectorAll('.facts > div')].map(({ children }) => [...children].map(textOf));
    const meters = [...document.querySelectorAll('.meter')].map((meter) =>
        [textOf(meter.querySelector('h2')), ['.big', '.quiet'].map((part) => textOf(meter.querySelector(part)))]);
    const routes = [...document.querySelectorAll('.routes tbody tr')].map(({ cells }) => [...cells].map(textOf));
    return { facts: Object.fromEntries(facts), meters: Object.fromEntries(meters), routes };
});

const factsOf = async (page) => (await look(page)).facts;

await test('the service: health, breaker, rate limit', async () => {
    const page = await open('/dashboard/?page=service');
    await isLive(page);
    await until('the version', async () => (await factsOf(page)).Version !== '\u2013');
    const { version } = await api('/');
    equalEach(await factsOf(page), {
        Service: 'healthy', Redis: 'connected', Ready: 'yes', 'Writes survive': 'a power cut', Version: version,
        Allowed: 'no limit', 'Counted as': '127.0.0.1',
    });
    equal(await text(page, '.big'), 'Closed');
});

// --- statistics

/** The page of the service, and in `page.told` the answers of /api/stats that it got. */
async function openWatched() {
    const told = [];
    const page = await open('/dashboard/?page=service', {
        before: (page) => page.on('response', async (response) => {
            if (new URL(response.url()).pathname !== '/api/stats')
                return;
            // There is none any more when the page is closed meanwhile.
            const stats = await response.json().catch(() => null);
            if (stats)
                told.push(stats);
        }),
    });
    await isLive(page);
    return Object.assign(page, { told });
}

/** What is on the page, the answer of which it is, and the one before. */
async function shownAndTold(page) {
    return until('an answer that is shown, and one before', async () => {
        const shown = await look(page);
        const [note] = shown.meters.Requests[1].split(' in all');
        const at = page.told.findIndex(({ requests }) => requests.total.toLocaleString('en') === note);
        return at > 0 && { shown, stats: page.told[at], before: page.told[at - 1] };
    });
}

function wantedFacts({ cache, memory, redis, requests, samples, sealing, uptime_seconds: uptime, workers }) {
    const { bytes, count, duration, latency, number } = format;
    return {
        Uptime: duration(uptime), Workers: `${workers.ready} of ${workers.configured}`,
        'Threads of each': count(workers.threads), Restarts: count(workers.restarts),
        Memory: bytes(memory.proportional_bytes ?? memory.resident_bytes),
        Received: bytes(requests.bytes_in), Answered: bytes(requests.bytes_out),
        Commands: number(redis.commands), 'Round trip, p50': latency(redis.round_trip_seconds.p50),
        'Round trip, p99': latency(redis.round_trip_seconds.p99), 'In a batch': number(redis.batch_size.mean),
        Errors: count(redis.errors), Timeouts: count(redis.timeouts), Connects: count(redis.connects),
        Accepted: number(samples.accepted), Invalid: count(samples.refused.invalid),
        'Over the rate limit': count(samples.refused.rate_limit), 'Over another limit': count(samples.refused.limit),
        'Not stored': count(samples.refused.store), 'Chunks sealed': count(sealing.chunks),
        'Sealed to': sealing.bytes_before
            ? `${bytes(sealing.bytes_after)} of ${bytes(sealing.bytes_before)}` : '\u2013',
        Hits: number(cache.hit), Misses: number(cache.miss), Stale: number(cache.stale),
    };
}

const secondsBetween = (before, after) => (Date.parse(after.timestamp) - Date.parse(before.timestamp)) / 1000;
const perSecond = (after, before, seconds) => `${format.prefixed((after - before) / seconds)} / s`;

const summariesOf = ({ cache }) => cache.hit + cache.miss + cache.stale;
const meanBetween = (before, after) =>
    (after.count * after.mean - before.count * before.mean) / (after.count - before.count);

function wantedMeters({ requests, samples, cache, ...stats }, before) {
    const seconds = secondsBetween(before, stats);
    const took = requests.latency_seconds;
    const summaries = summariesOf({ cache });
    const { count, latency, number, percent } = format;
    return {
        Requests: [perSecond(requests.total, before.requests.total, seconds),
            `${number(requests.total)} in all, ${count(requests.in_progress)} under way`],
        Latency: [latency(meanBetween(before.requests.latency_seconds, took)),
            `p50 ${latency(took.p50)}, p99 ${latency(took.p99)} in all`],
        Samples: [perSecond(samples.accepted, before.samples.accepted, seconds), `${number(samples.accepted)} in all`],
        'Cache hits': [percent((cache.hit - before.cache.hit) / (summaries - summariesOf(before))),
            `${percent(cache.hit / summaries)} of ${number(summaries)} summaries in all`],
    };
}

const routeName = ({ method, path }) => path ? `${method} ${path}` : 'no such route';

/** Of the rows as they are in the table, the one that asks most first. */
function wantedRoutes({ requests: { routes }, ...stats }, before) {
    const seconds = secondsBetween(before, stats);
    const countBefore = new Map(before.requests.routes.map((route) => [routeName(route), route.count]));
    return [...routes].sort((a, b) => b.count - a.count).map((route) => {
        const { p50, p95, p99, max } = route.latency_seconds;
        const statuses = Object.entries(route.statuses).map(([status, many]) => `${status}: ${format.number(many)}`);
        return [
            routeName(route), format.number(route.count),
            perSecond(route.count, countBefore.get(routeName(route)) ?? 0, seconds),
            ...[p50, p95, p99, max].map(format.latency), statuses.join(', '),
        ];
    });
}

const SAMPLES_A_TURN = 20;
const TURN_MS = 100;

/** Samples, summaries from the cache and computed, and what is not there, again and again until `isOver` is. */
async function drive(isOver) {
    const sent = [];
    for (let turn = 0; !isOver(); turn++) {
        const began = Date.now();
        await post(Array.from({ length: SAMPLES_A_TURN }, (_, index) => ['steady', began / 1000, turn + index]));
        sent.push(Date.now());
        // The first is of what was just written, the second is not.
        for (const path of ['/api/metrics/summary?type=steady', '/api/metrics/summary?type=old', '/api/nothing'])
            await (await fetch(base + path)).text();
        await sleep(Math.max(0, TURN_MS - (Date.now() - began)));
    }
    return sent;
}

await test('the service: its statistics are those of GET /api/stats, its rates those of what is sent', async () => {
    const wrong = await fetch(base + '/api/metrics', { method: 'POST', body: `{"timestamp":${begin},"value":"x"}` });
    equal(wrong.status, 422);
    const before = await api('/api/stats');
    const page = await openWatched();
    let isOver = false;
    const driven = drive(() => isOver);
    const alreadyTold = page.told.length;
    let seen;
    try {
        await until('answers of while it is driven', () => page.told.length >= alreadyTold + 3, 30000);
        seen = await shownAndTold(page);
    } finally {
        isOver = true;
    }
    const sent = await driven;
    const { facts, meters, routes } = seen.shown;

    equalEach(facts, wantedFacts(seen.stats));
    equalEach(meters, wantedMeters(seen.stats, seen.before));
    const wantedRows = wantedRoutes(seen.stats, seen.before);
    equal(routes.length, wantedRows.length, 'routes');
    equalEach(routes, wantedRows);
    ok(await page.locator('.meter .spark-line').evaluateAll((lines) =>
        lines.every((line) => line.getAttribute('d')?.includes('L'))), 'a meter has no line');

    // What came between the two answers; of a turn at either end it is not known on which side it was counted.
    const [from, to] = [seen.before, seen.stats].map(({ timestamp }) => Date.parse(timestamp));
    const rate = 1000 * SAMPLES_A_TURN * sent.filter((at) => at > from && at <= to).length / (to - from);
    const shownRate = Number(meters.Samples[0].match(/^([\d.]+) \/ s$/)[1]);
    const tolerance = 1000 * 2 * SAMPLES_A_TURN / (to - from);
    ok(rate > 0 && Math.abs(shownRate - rate) <= tolerance, `${shownRate} samples a second, not ${rate}`);

    // All of it has been counted, and is shown in the end.
    const after = await api('/api/stats');
    equal(after.samples.accepted - before.samples.accepted, SAMPLES_A_TURN * sent.length, 'samples');
    ok(after.cache.hit - before.cache.hit >= sent.length - 1, 'hits');
    ok(after.cache.miss - before.cache.miss >= sent.length, 'misses');
    ok(after.samples.refused.invalid > 0, 'none is invalid');
    const unknown = after.requests.routes.find(({ path }) => path === '');
    ok(unknown.count >= sent.length, 'what no route knows');
    await until('what was told to somebody else', async () => {
        const now = await look(page);
        const row = now.routes.find(([name]) => name === 'no such route');
        return now.facts.Accepted === format.number(after.samples.accepted) &&
            now.facts.Hits === format.number(after.cache.hit) && now.facts.Misses === format.number(after.cache.miss) &&
            row[1] === format.number(unknown.count) && row.at(-1) === `404: ${format.number(unknown.statuses[404])}`;
    });
});

// --- the breaker

const bearer = { Authorization: `Bearer ${TOKEN}` };
const breakerStatus = () => api('/api/circuit-breaker/status', LOCKED, bearer);
const askExternal = () => api('/api/external', LOCKED, bearer);

/** What the page shows of the breaker, as far as it is told. */
async function equalsBreaker(page) {
    const told = await breakerStatus();
    const at = (time) => format.clock(Date.parse(time));
    const wanted = {
        'Failures in a row': format.count(told.failure_count), Successes: format.count(told.success_count),
        'Open since': at(told.opened_at), 'Probe at': at(told.probe_at),
    };
    await until('what is told of the breaker', async () => (await factsOf(page))['Probe at'] === wanted['Probe at']);
    equalEach(await factsOf(page), wanted);
    const second = (time) => 1000 * Math.floor(Date.parse(time) / 1000);
    equal(await texts(page, '.history time'), told.history.map((one) => format.stamp(second(one.at))).reverse());
    return told;
}

await test('the service: the breaker opens, counts down to its probe, and tells its history', async () => {
    const page = await openLocked('/dashboard/?page=service');
    await isLive(page);
    const state = () => text(page, '.big');
    const words = () => text(page, '#countdown');
    equal([await state(), await words()], ['Closed', 'Calls go through.']);
    equal(await page.locator('.history').isVisible(), false, 'a history of nothing');

    while ((await breakerStatus()).state !== 'OPEN')
        await askExternal();
    await until('Open', async () => await state() === 'Open');
    const { probe_at: probe } = await equalsBreaker(page);
    equal(await texts(page, '.history span'), ['Open']);
    const left = async () => Number((await words()).match(/^The next caller probes in (\d+)\u202fs\.$/)?.[1]);
    const first = await left();
    const wanted = (Date.parse(probe) - Date.now()) / 1000;
    ok(Math.abs(first - wanted) <= 2, `${first} s are left, not ${wanted}`);
    await until('the countdown goes on', async () => await left() < first);

    await until('its end', async () => await words() === 'The next caller probes.', 15000);
    await askExternal();
    await until('the probe', async () => (await texts(page, '.history span')).length === 3);
    equal(await texts(page, '.history span'), ['Open', 'Half open', 'Open']);
    await equalsBreaker(page);
});
