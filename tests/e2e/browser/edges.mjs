// edges.mjs: the dashboard where it is easily wrong: odd values and windows, focus, storage that is refused.
//
// MODE tells whether the service is a slow one. BASE is where it listens; LOCKED the one that asks for TOKEN.

import { LAPTOP, base, equal, finish, isLive, ok, open, post, test, text, texts, until } from './harness.mjs';

const { LOCKED, TOKEN } = process.env;
const begin = Math.floor(Date.now() / 60000) * 60;
const paramsOf = (page) => new URL(page.url()).searchParams;
const drawn = (page) => page.waitForFunction(() => performance.getEntriesByName('chart-drawn').length);
const instantsOf = (page) => ['from', 'to'].map((name) => Date.parse(paramsOf(page).get(name)) / 1000);
const FIXED = `from=${new Date((begin - 7200) * 1000).toISOString()}&to=${new Date(begin * 1000).toISOString()}`;

// --- windows

await test('each turn of zooming out is wider, and after the window was moved it widens where one is', async () => {
    const page = await open(`/dashboard/?type=edge.none&${FIXED}`);
    await drawn(page);
    const lengths = [];
    for (let turn = 0; turn < 3; turn++) {
        await page.click('[aria-label="Zoom out"]');
        const [from, to] = instantsOf(page);
        lengths.push(to - from);
    }
    equal(lengths, [4 * 3600, 8 * 3600, 16 * 3600]);
    await page.click('[aria-label="Zoom in"]');
    await page.click('[aria-label="Earlier"]');
    const [before] = instantsOf(page);
    await page.click('[aria-label="Zoom out"]');
    const [from, to] = instantsOf(page);
    equal([to - from, from < before], [16 * 3600, true]);
});

await test('no window is wider than can be asked about', async () => {
    const page = await open('/dashboard/?type=edge.none&from=1026-01-01T00:00:00Z&to=2026-01-01T00:00:00Z');
    await drawn(page);
    await page.focus('.plot');
    for (let turn = 0; turn < 3; turn++)
        await page.keyboard.press('-');
    equal(paramsOf(page).get('from'), '1026-01-01T00:00:00Z');
    await page.goto(`${base}/dashboard/?type=edge.none&from=-000500-01-01T00:00:00Z&to=2026-01-01T00:00:00Z`);
    await isLive(page);
    equal(await text(page, '.segments [aria-current]'), '6 h');
});

await finish();
