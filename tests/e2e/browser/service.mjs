// service.mjs: the page of the service: its health, its breaker, and what it counts.

import { api, equal, isLive, ok, open, test, text, texts, until } from './harness.mjs';

await test('the service: health, breaker, rate limit', async () => {
    const page = await open('/dashboard/?page=service');
    await isLive(page);
    const facts = () => page.locator('.facts > div:visible').evaluateAll((nodes) => Object.fromEntries(nodes.map((node) => [...node.children].map((child) => child.textContent))));
    const shown = await until('facts', async () => {
        const all = await facts();
        return all.Version !== '\u2013' && all;
    });
    const { version } = await api('/');
    const wanted = { Service: 'healthy', Redis: 'connected', Ready: 'yes', 'Writes survive': 'a power cut', Version: version, Allowed: 'no limit', 'Counted as': '127.0.0.1' };
    equal(Object.fromEntries(Object.keys(wanted).map((name) => [name, shown[name]])), wanted);
    equal(await text(page, '.big'), 'Closed');
});

await test('the service: statistics', async () => {
    const page = await open('/dashboard/?page=service');
    await isLive(page);
    await until('a rate', async () => / \/ s$/.test(await text(page, '.meter .big')));
    ok((await texts(page, '.routes th[scope="row"]')).includes('GET /api/stats'), 'the route of the statistics');
});

await test('the service: statistics as they are described, with rates of two answers', async () => {
    const latency = { count: 10, mean: 0.001, p50: 0.0008, p95: 0.002, p99: 0.004, max: 0.01 };
    let turn = 0;
    const stats = () => ({
        version: '0.1.0', timestamp: new Date(1800000000000 + 2000 * turn).toISOString(), started_at: '2026-02-21T12:00:00Z', uptime_seconds: 3725,
        workers: { configured: 2, ready: 2, threads: 16, restarts: 0 },
        requests: {
            total: 1000 + 200 * turn, in_progress: 1, bytes_in: 1, bytes_out: 1, latency_seconds: latency,
            routes: [{ method: 'GET', path: '/api/metrics/summary', count: 500 + 50 * turn, statuses: { 200: 400, 304: 100 }, latency_seconds: latency },
                { method: '', path: '', count: 3, statuses: { 404: 3 }, latency_seconds: { count: 0, mean: null, p50: null, p95: null, p99: null, max: null } }],
        },
        samples: { accepted: 5000 + 1000 * turn, refused: { invalid: 1, rate_limit: 2, limit: 3, store: 4 } },
        cache: { hit: 30 + 3 * turn, miss: 10 + turn, stale: 0 },
        rate_limiter: { admitted: 1, refused: 2, refused_locally: 1 },
        circuit_breaker: { allowed: 1, refused: 0, succeeded: 1, failed: 0, opened: 0, half_opened: 0, closed: 0 },
        external: { calls: 1, failures: 0, latency_seconds: latency },
        redis: {
            connected: true, durability: 'always', commands: 12345, errors: 0, timeouts: 1, connects: 6,
            batch_size: { count: 1000, mean: 3.5, p50: 3, p95: 6, p99: 9, max: 12 }, round_trip_seconds: latency,
        },
        sealing: { chunks: 7, bytes_before: 1000000, bytes_after: 150000 },
        memory: { resident_bytes: 9000000, proportional_bytes: 4000000 },
    });
    const probe = { state: 'OPEN', failure_count: 5, success_count: 0, generation: 1, opened_at: new Date().toISOString(),
        probe_at: new Date(Date.now() + 20000).toISOString(), probe_due: false, shared: true,
        history: [{ state: 'CLOSED', at: '2026-02-21T12:00:00Z' }, { state: 'OPEN', at: '2026-02-21T12:01:00.5Z' }] };
    const page = await open('/dashboard/?page=service', {
        before: async (page) => {
            await page.route('**/api/stats', (route) => route.fulfill({ json: stats(turn++) }));
            await page.route('**/api/circuit-breaker/status', (route) => route.fulfill({ json: probe }));
        },
    });
    await until('rates', async () => await text(page, '.meter .big') === '100 / s');
    equal((await texts(page, '.meter .big')).slice(1), ['2\u202fms', '500 / s', '75\u202f%']);
    equal(await texts(page, '.routes tbody tr:first-child > *'), ['GET /api/metrics/summary', await text(page, '.routes tbody td'), '25 / s', '800\u202f\u00b5s', '2\u202fms', '4\u202fms', '10\u202fms', '200: 400, 304: 100']);
    equal(await text(page, '.routes tbody tr:nth-child(2) th'), 'no such route');
    const facts = await texts(page, '.facts dd');
    for (const wanted of ['1\u202fh 2\u202fmin', '2 of 2', '4\u202fMB', '150\u202fkB of 1\u202fMB', '3.5'])
        ok(facts.includes(wanted), `${wanted} is not among ${facts}`);
    equal(await texts(page, '.history span'), ['Open', 'Closed']);
    const left = async () => Number((await text(page, '#countdown')).match(/in (\d+)/)[1]);
    const first = await left();
    await until('the countdown goes on', async () => await left() < first);
});
