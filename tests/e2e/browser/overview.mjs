// overview.mjs: the page of all types: its tiles, their search and order, many of them.

import { api, equal, isFast, isLive, ok, open, post, sleep, test, text, texts, until } from './harness.mjs';
import { MANY, SHARED_MS, isSeries, openTimed, paramsOf, pass, tileNames } from './fixture.mjs';

await test('the overview has a tile for each type, with its latest value and age', async () => {
    const page = await open('/dashboard/');
    await isLive(page);
    await until('tiles', async () => await page.locator('.tile-value').count() === 6);
    const { types } = await api('/api/metrics/types');
    equal((await tileNames(page)).sort(), types.map(({ type }) => type).sort());
    const cpu = page.locator('.tile[title="cpu_usage"]');
    const known = types.find(({ type }) => type === 'cpu_usage');
    const value = cpu.locator('.tile-value');
    equal(Number(await value.getAttribute('title') ?? await value.textContent()), known.latest_value);
    ok(/\d+\s(s|min) ago/.test(await cpu.locator('.tile-age').textContent()), 'no age');
    const change = await until('a change', () => cpu.locator('.tile-change').textContent());
    ok(/^(\+|\u2212|\u00b1)\d/.test(change), change);
    equal(await text(page, '#totals').then((words) => words.split(',')[0]), '6 types');
});

await test('a tile compares with the window before', async () => {
    const page = await open('/dashboard/');
    await isLive(page);
    const change = await until('a change', () => text(page, '.tile[title="cpu_usage"] .tile-change'));
    const { url } = page.answers.find(isSeries);
    const [from, to] = ['from', 'to'].map((name) => Number(url.searchParams.get(name)));
    const mean = async (a, b) => (await api(`/api/metrics/summary?type=cpu_usage&from=${a}&to=${b}`)).average_value;
    const [old, now] = [await mean(from, (from + to) / 2), await mean((from + to) / 2, to)];
    const wanted = (now - old) / old * 100;
    const shown = change.replace(/\s%/, '').replace('\u2212', '-').replace('+', '');
    equal(shown, wanted.toFixed(Math.abs(wanted) < 99.95 ? 1 : 0));
});

await test('a line is drawn on a tile', async () => {
    const page = await open('/dashboard/');
    await isLive(page);
    const shape = (part) => page.locator(`.tile[title="cpu_usage"] .spark-${part}`).evaluate((node) => {
        const { width, height } = node.getBoundingClientRect();
        return { points: node.getAttribute('d')?.split('L').length ?? 0, width, height };
    });
    await until('a line', async () => (await shape('line')).points > 1);
    const { points, width, height } = await shape('line');
    ok(points >= 25 && width > 200 && height > 20, `${points} points, ${width} by ${height}`);
    const svg = await page.locator('.tile[title="cpu_usage"] svg').boundingBox();
    ok(Math.abs(svg.height - height) < 4, `${height} of ${svg.height}`);
});

await test('what has not come for long is stale, in words', async () => {
    await post([['cpu_usage', Date.now() / 1000, 50]]);
    const page = await open('/dashboard/');
    await isLive(page);
    equal(await text(page, '.tile[title="old"] .tile-age'), '3\u202fd ago, stale');
    // At first it may be told what somebody else was told right before.
    const age = () => text(page, '.tile[title="cpu_usage"] .tile-age');
    await until('cpu_usage is not stale', async () => !(await age()).includes('stale'));
});

await test('the search finds, says how many, and is in the address', async () => {
    const page = await open('/dashboard/');
    await isLive(page);
    await page.keyboard.press('/');
    await page.keyboard.type('CPU');
    equal(await tileNames(page), ['cpu_usage']);
    equal(paramsOf(page).get('q'), 'CPU');
    ok((await text(page, '#totals')).startsWith('1 of 6 types'), await text(page, '#totals'));
    await page.reload();
    await isLive(page);
    equal(await page.inputValue('#search'), 'CPU');
    equal(await tileNames(page), ['cpu_usage']);
    await page.fill('#search', 'nothing like that');
    equal(await text(page, '.message'), 'No type has such a name.');
});

await test('tiles are sorted by name, activity, newest sample and change', async () => {
    const page = await open('/dashboard/?sort=newest');
    await isLive(page);
    const { types } = await api('/api/metrics/types');
    const byName = (a, b) => a.type < b.type ? -1 : 1;
    const names = (order) => [...types].sort((a, b) => order(a, b) || byName(a, b)).map(({ type }) => type);
    equal(await tileNames(page), names((a, b) => Date.parse(b.latest_timestamp) - Date.parse(a.latest_timestamp)));
    await page.selectOption('#sort', 'activity');
    equal((await tileNames(page))[0], 'cpu_usage');
    equal(paramsOf(page).get('sort'), 'activity');
    await page.selectOption('#sort', 'name');
    equal(await tileNames(page), names(() => 0));
    await page.selectOption('#sort', 'change');
    await until('the one that changed most is first', async () => {
        const changes = await texts(page, '.tile-change');
        const sizes = changes.map((change) => Number(change.match(/[\d.]+/)?.[0] ?? -1));
        return sizes[0] > 0 && sizes.every((size, at) => at === 0 || size <= sizes[at - 1]);
    });
});

/** How long a frame takes, of sixty that scroll: four of five are faster. */
async function scroll(page) {
    return page.evaluate(async () => {
        const gaps = [];
        let before = performance.now();
        for (let frame = 0; frame < 60; frame++) {
            scrollBy(0, 120);
            await new Promise(requestAnimationFrame);
            gaps.push(performance.now() - before);
            before = performance.now();
        }
        return gaps.sort((a, b) => a - b)[Math.floor(gaps.length * 0.8)];
    });
}

await test('2,000 types: all are there, those in view alone are filled, scrolling fills others', async () => {
    const page = await open('/dashboard/', { at: MANY });
    await isLive(page);
    await until('all of them', async () => (await text(page, '#totals')).startsWith('2,000 types'), 30000);
    equal(await page.locator('.tiles .tile').count(), 2000);
    const filled = await page.locator('.tile-value').count();
    ok(filled > 10 && filled < 80, `${filled} tiles are filled`);
    const usual = [await scroll(page), await scroll(page), await scroll(page)]; // others are at work as well
    ok(Math.min(...usual) < (isFast ? 50 : 200), `frames while scrolling: ${usual} ms`);
    await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
    await until('the last tile is filled', () => page.locator('.tile[title="host-1999.load"] .tile-value').count());
    equal(await text(page, '.tile[title="host-1999.load"] .tile-value'), '1,999');
    await until('its change', () => text(page, '.tile[title="host-1999.load"] .tile-change'));
    const sizes = page.answers.filter(isSeries).map(({ url }) => url.searchParams.getAll('type').length);
    ok(sizes.every((size) => size <= 20), 'a group is too large');
    ok(sizes.some((size) => size >= 10), 'types are asked for one by one');
});

await test('2,000 types: a sample of a type in view is seen', async () => {
    const page = await openTimed('/dashboard/?q=1500', { at: MANY });
    await until('the tile', async () => await page.locator('.tile-value').count() === 1);
    await sleep(SHARED_MS);
    await post([['host-1500.load', Date.now() / 1000, 77.25]], MANY);
    await pass(page, 4000);
    await until('the new value', async () => await text(page, '.tile-value') === '77.25');
});

await test('a new type comes to the overview', async () => {
    const page = await open('/dashboard/');
    await isLive(page);
    await post([['aaa_new', Date.now() / 1000, 3]]);
    await until('its tile', async () => (await tileNames(page)).includes('aaa_new'));
});
