// service.js: the service itself: its health, breaker and limits, and what it counts, with rates made of two answers.
//
// What is kept for the small charts outlives the page, as long as the document lives.

import { Failure, get, now } from './api.js';
import { Rows, h, setAttribute, setText, table } from './dom.js';
import * as format from './format.js';
import * as live from './live.js';
import { Sparkline } from './sparkline.js';

const KEPT = 150;           // answers, five minutes of them
const SELDOM = 3;           // turns, for what is told by the statistics as well, or changes slowly
const STATE_WORDS = { CLOSED: 'Closed', OPEN: 'Open', HALF_OPEN: 'Half open' };
const STATE_MEANING = {
    CLOSED: 'Calls go through.', OPEN: 'Calls are refused until a probe succeeds.', HALF_OPEN: 'A probe is under way.',
};

const rates = { requests: [], latency: [], samples: [], hits: [] };
let last = null;            // the statistics before

// --- rates

const perSecond = (after, before, seconds) => after >= before ? (after - before) / seconds : null;

const summariesOf = ({ cache }) => cache.hit + cache.miss + cache.stale;

/** The mean of what came between two distributions; null when nothing did. */
function meanBetween(before, after) {
    const many = after.count - before.count;
    return many > 0 ? (after.count * after.mean - before.count * (before.mean ?? 0)) / many : null;
}

/** What happened between two answers; null at the first, and after a restart. */
function difference(stats, before) {
    const seconds = before ? (Date.parse(stats.timestamp) - Date.parse(before.timestamp)) / 1000 : 0;
    if (!(seconds > 0) || stats.requests.total < before.requests.total)
        return null;
    const asked = summariesOf(stats) - summariesOf(before);
    const routes = new Map(before.requests.routes.map((route) => [route.method + ' ' + route.path, route.count]));
    return {
        requests: perSecond(stats.requests.total, before.requests.total, seconds),
        latency: meanBetween(before.requests.latency_seconds, stats.requests.latency_seconds),
        samples: perSecond(stats.samples.accepted, before.samples.accepted, seconds),
        hits: asked > 0 ? (stats.cache.hit - before.cache.hit) / asked : null,
        route: ({ method, path, count }) => perSecond(count, routes.get(method + ' ' + path) ?? 0, seconds),
    };
}

function keep(list, value) {
    list.push(value);
    if (list.length > KEPT)
        list.shift();
}

// --- pieces

const panel = (title, ...children) => h('section', { class: 'panel' }, h('h2', null, title), ...children);

function meter(title, key, line) {
    const value = h('p', { class: 'big' }, '\u2013');
    const note = h('p', { class: 'quiet' }, '\u00a0');
    const spark = new Sparkline('meter-line', line);
    const rows = new Rows();
    const details = h('details', { class: 'meter-data' }, h('summary', null, 'Data'), table(['Turn', 'Value'], rows));
    const node = h('section', { class: 'panel meter' }, h('h2', null, title), value, note, spark.node, details);
    return { node, value, note, spark, details, rows, key };
}

function facts(...names) {
    const cells = names.map((name) => [name, h('dd', null, '\u2013')]);
    const node = h('dl', { class: 'facts' }, cells.map(([name, cell]) => h('div', null, h('dt', null, name), cell)));
    return { node, cells: Object.fromEntries(cells) };
}

class Service {
    turn = 0;
    isConnected = false;

    constructor(main, route, app) {
        this.main = main;
        app.title('Service');
        this.build();
        this.clock = setInterval(() => document.hidden || this.tick(), 1000);
        live.follow((signal) => this.refresh(signal));
    }

    update() {}

    build() {
        this.health = facts('Service', 'Redis', 'Ready', 'Writes survive', 'Version');
        this.limit = facts('Allowed', 'Remaining', 'Next in', 'Counted as');
        this.state = h('p', { class: 'big' }, '\u2013');
        this.meaning = h('p', { class: 'quiet', id: 'countdown' }, '\u00a0');
        this.breaker = facts('Failures in a row', 'Successes', 'Open since', 'Probe at');
        this.history = h('ol', { class: 'history', tabindex: 0, 'aria-label': 'Last changes of the breaker' });
        this.meters = [
            meter('Requests', 'requests', 'average'), meter('Latency', 'latency', 'p95'),
            meter('Samples', 'samples', 'p50'), meter('Cache hits', 'hits', 'average'),
        ];
        this.redis = facts('Commands', 'Round trip, p50', 'Round trip, p99', 'In a batch', 'Errors', 'Timeouts',
            'Connects');
        this.samples = facts('Accepted', 'Invalid', 'Over the rate limit', 'Over another limit', 'Not stored',
            'Chunks sealed', 'Sealed to');
        this.cache = facts('Hits', 'Misses', 'Stale');
        this.process = facts('Uptime', 'Workers', 'Threads of each', 'Restarts', 'Memory', 'Received', 'Answered');
        this.routes = new Rows();
        this.main.append(
            h('div', { class: 'heading' }, h('h1', { tabindex: -1 }, 'Service')),
            h('div', { class: 'cards' },
                panel('Health', this.health.node),
                panel('Circuit breaker', this.state, this.meaning, this.breaker.node, this.history),
                panel('Your rate limit', this.limit.node)),
            h('div', { class: 'cards meters' }, this.meters.map(({ node }) => node)),
            h('div', { class: 'cards meters' },
                panel('Process', this.process.node), panel('Redis', this.redis.node),
                panel('Samples', this.samples.node), panel('Cache of summaries', this.cache.node)),
            h('section', { class: 'panel routes' }, h('h2', null, 'Requests by route'), this.routesTable()));
    }

    routesTable() {
        return h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Requests by route' },
            table(['Route', 'Requests', 'Now', 'p50', 'p95', 'p99', 'Slowest', 'Statuses'], this.routes));
    }

    // --- asking

    async refresh(signal) {
        const isTurn = this.turn++ % SELDOM === 0;
        await Promise.all([
            this.askStats(signal),
            get('/api/circuit-breaker/status', { signal }).then(({ data }) => this.writeBreaker(data)),
            (isTurn || !this.isConnected) && this.askHealth(signal),
            isTurn && get('/api/rate-limit', { signal, accept: [503] }).then(({ data }) => this.writeLimit(data)),
            !this.version && this.askVersion(signal),
        ]);
        if (!this.isConnected)
            throw new Failure('away', 'Redis does not answer');
    }

    async askHealth(signal) {
        const [health, ready] = await Promise.all([
            get('/health', { signal }), get('/readyz', { signal, accept: [503] }),
        ]);
        this.isConnected = health.data.redis_connected;
        this.writeHealth(health.data, ready.data);
    }

    async askVersion(signal) {
        this.version = (await get('/', { signal })).data.version;
        setText(this.health.cells.Version, this.version);
    }

    async askStats(signal) {
        const { data, changed } = await get('/api/stats', { signal });
        this.isConnected &&= data.redis.connected;
        if (changed || data !== last)
            this.writeStats(data);
    }

    // --- showing

    writeHealth(health, ready) {
        const { cells } = this.health;
        setText(cells.Service, health.status);
        setAttribute(cells.Service, 'data-good', health.status === 'healthy' ? 'yes' : 'no');
        setText(cells.Redis, health.redis_connected ? 'connected' : 'not connected');
        setAttribute(cells.Redis, 'data-good', health.redis_connected ? 'yes' : 'no');
        const isReady = ready.status === 'ready';
        setText(cells.Ready, isReady ? 'yes' : 'no');
        setAttribute(cells.Ready, 'data-good', isReady ? 'yes' : 'no');
        setText(cells['Writes survive'], !isReady ? '\u2013'
            : ready.appendfsync === 'always' ? 'a power cut' : ready.warning ?? ready.appendfsync);
    }

    writeBreaker(breaker) {
        this.breakerState = breaker;
        setText(this.state, STATE_WORDS[breaker.state] ?? breaker.state);
        setAttribute(this.state, 'data-good', breaker.state === 'CLOSED' ? 'yes' : 'no');
        const at = (time) => time ? format.clock(Date.parse(time)) : '\u2013';
        const { cells } = this.breaker;
        setText(cells['Failures in a row'], format.count(breaker.failure_count));
        setText(cells.Successes, format.count(breaker.success_count));
        setText(cells['Open since'], at(breaker.opened_at));
        setText(cells['Probe at'], at(breaker.probe_at));
        this.writeHistory(breaker.history);
        this.tick();
    }

    writeHistory(history) {
        this.history.hidden = !history?.length;
        if (!history?.length || this.historyText === JSON.stringify(history))
            return;
        this.historyText = JSON.stringify(history);
        const second = (time) => Math.floor(Date.parse(time) / 1000) * 1000;
        this.history.replaceChildren(...[...history].reverse().map(({ state, at }) => h('li', null,
            h('span', null, STATE_WORDS[state] ?? state),
            h('time', { datetime: at, class: 'quiet' }, format.stamp(second(at))))));
    }

    tick() {
        const breaker = this.breakerState;
        if (!breaker)
            return;
        const left = breaker.probe_at ? Math.ceil((Date.parse(breaker.probe_at) - now()) / 1000) : 0;
        const isOpen = breaker.state === 'OPEN';
        setText(this.meaning, isOpen && left > 0 ? `The next caller probes in ${format.duration(left)}.`
            : isOpen ? 'The next caller probes.' : STATE_MEANING[breaker.state] ?? '');
    }

    writeLimit(limit) {
        const { cells } = this.limit;
        if (limit.window_seconds === undefined) {
            for (const cell of Object.values(cells))
                setText(cell, '\u2013');
            return;
        }
        const isLimited = limit.limit !== null;
        const allowed = `${format.count(limit.limit)} in ${format.duration(limit.window_seconds)}`;
        setText(cells.Allowed, isLimited ? allowed : 'no limit');
        setText(cells.Remaining, isLimited ? format.count(limit.remaining) : '\u2013');
        setText(cells['Next in'], limit.next_seconds ? format.duration(limit.next_seconds) : 'at once');
        setText(cells['Counted as'], limit.subject.replace(/^[46]:/, ''));
    }

    writeStats(stats) {
        const rate = difference(stats, last);
        last = stats;
        if (rate) {
            for (const [key, list] of Object.entries(rates))
                keep(list, rate[key]);
        }
        this.writeMeters(stats, rate);
        this.writeCounters(stats);
        this.writeRoutes(stats.requests.routes, rate);
    }

    writeMeters(stats, rate) {
        const [requests, latency, samples, hits] = this.meters;
        const { latency_seconds: took, total, in_progress: open } = stats.requests;
        setText(requests.value, rate ? `${format.prefixed(rate.requests)} / s` : '\u2013');
        setText(requests.note, `${format.number(total)} in all, ${open} under way`);
        setText(latency.value, format.latency(rate?.latency));
        setText(latency.note, `p50 ${format.latency(took.p50)}, p99 ${format.latency(took.p99)} in all`);
        setText(samples.value, rate ? `${format.prefixed(rate.samples)} / s` : '\u2013');
        setText(samples.note, `${format.number(stats.samples.accepted)} in all`);
        const all = summariesOf(stats);
        setText(hits.value, format.percent(rates.hits.findLast((share) => share !== null)));
        const share = format.percent(stats.cache.hit / all);
        setText(hits.note, all ? `${share} of ${format.number(all)} summaries in all` : 'No summaries yet');
        this.writeCharts();
    }

    writeCounters({ requests, redis, samples, cache, sealing, memory, workers, uptime_seconds: uptime }) {
        const write = ({ cells }, texts) => Object.entries(texts).forEach(([name, text]) => setText(cells[name], text));
        write(this.process, {
            Uptime: format.duration(uptime), Workers: `${workers.ready} of ${workers.configured}`,
            'Threads of each': format.count(workers.threads), Restarts: format.count(workers.restarts),
            Memory: format.bytes(memory.proportional_bytes ?? memory.resident_bytes),
            Received: format.bytes(requests.bytes_in), Answered: format.bytes(requests.bytes_out),
        });
        write(this.redis, {
            Commands: format.number(redis.commands),
            'Round trip, p50': format.latency(redis.round_trip_seconds.p50),
            'Round trip, p99': format.latency(redis.round_trip_seconds.p99),
            'In a batch': format.number(redis.batch_size.mean),
            Errors: format.count(redis.errors),
            Timeouts: format.count(redis.timeouts),
            Connects: format.count(redis.connects),
        });
        const sealed = `${format.bytes(sealing.bytes_after)} of ${format.bytes(sealing.bytes_before)}`;
        write(this.samples, {
            Accepted: format.number(samples.accepted),
            Invalid: format.count(samples.refused.invalid),
            'Over the rate limit': format.count(samples.refused.rate_limit),
            'Over another limit': format.count(samples.refused.limit),
            'Not stored': format.count(samples.refused.store),
            'Chunks sealed': format.count(sealing.chunks),
            'Sealed to': sealing.bytes_before ? sealed : '\u2013',
        });
        write(this.cache, {
            Hits: format.number(cache.hit), Misses: format.number(cache.miss), Stale: format.number(cache.stale),
        });
    }

    writeRoutes(routes, rate) {
        this.routes.write([...routes].sort((a, b) => b.count - a.count).map((route) => {
            const { method, path, count, statuses, latency_seconds: { p50, p95, p99, max } } = route;
            const now = rate?.route(route);
            return [
                path ? `${method} ${path}` : 'no such route',
                format.number(count), typeof now === 'number' ? `${format.prefixed(now)} / s` : '\u2013',
                ...[p50, p95, p99, max].map(format.latency),
                Object.entries(statuses).map(([status, many]) => `${status}: ${format.number(many)}`).join(', '),
            ];
        }));
    }

    writeCharts() {
        const { number, latency, percent } = format;
        const write = { requests: number, samples: number, latency, hits: percent };
        for (const { spark, key, details, rows } of this.meters) {
            spark.draw(rates[key], 0);
            if (!details.open)
                continue;
            const newest = rates[key].slice(-20).reverse();
            rows.write(newest.map((value, index) => [index ? `${index} before` : 'now', write[key](value)]));
        }
    }

    leave() {
        clearInterval(this.clock);
    }
}

export const service = (main, route, app) => new Service(main, route, app);
