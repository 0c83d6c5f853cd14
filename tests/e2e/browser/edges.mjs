// edges.mjs: the dashboard where it is easily wrong: odd values and windows, focus, storage that is refused.
//
// ADMIN  the token that deletes

import { PHONE, base, equal, isLive, ok, open, post, test, text, texts, until } from './harness.mjs';
import { FIXED, LOCKED, TOKEN, begin, drawn, paramsOf } from './fixture.mjs';

const { ADMIN } = process.env;
const instantsOf = (page) => ['from', 'to'].map((name) => Date.parse(paramsOf(page).get(name)) / 1000);

await post([['edge.again', begin - 7200, 1]]);

// --- values

await test('lines are drawn of values of any size, and of one alone', async () => {
    const now = Math.floor(Date.now() / 1000);
    const at = (turn) => now - 600 + 60 * turn;
    const values = {
        'line.equal': [1e300, 1e300, 1e300], 'line.far': [-1.7e308, 1.7e308, -1.7e308],
        'line.tiny': [5e-324, 1e-323, 5e-324], 'line.one': [7],
    };
    await post(Object.entries(values).flatMap(([type, list]) => list.map((value, turn) => [type, at(turn), value])));
    const page = await open('/dashboard/?q=line.&window=15m');
    const boxOf = (type) => page.locator(`.tile[title="${type}"] .spark-line`).evaluate((line) => {
        const { width, height } = line.getBoundingClientRect();
        return { width, height };
    });
    const flat = ['line.equal', 'line.one'];
    for (const type of Object.keys(values)) {
        const { width, height } = await until(`a line of ${type}`, async () => {
            const box = await boxOf(type);
            return box.width > 2 && box;
        });
        ok(flat.includes(type) ? height < 4 : height > 10 && width > 10, `${type}: ${width} by ${height}`);
    }
});

await test('a change from below zero to above is not told as a multiple', async () => {
    await post([['edge.change', begin - 1200, -1], ['edge.change', begin - 300, 100]]);
    const [from, to] = [begin - 900, begin].map((seconds) => new Date(seconds * 1000).toISOString());
    const page = await open(`/dashboard/?type=edge.change&from=${from}&to=${to}`);
    await until('the change', async () => (await texts(page, '.numbers .delta'))[1] === '+10,100\u202f%');
});

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

await test('a key that is held asks for no window before the last one has come', async () => {
    const page = await open(`/dashboard/?type=edge.none&${FIXED}`);
    await drawn(page);
    await isLive(page);
    await page.focus('.plot');
    page.asked.length = page.answers.length = 0;
    await page.keyboard.down('Shift');
    for (let turn = 0; turn < 20; turn++)
        await page.keyboard.down('ArrowLeft');
    const chartsIn = (list) => list.filter(({ path }) => path === '/api/metrics/series');
    const last = () => chartsIn(page.answers).at(-1)?.url.searchParams.get('from');
    await until('the last window', () => last() === paramsOf(page).get('from'));
    equal(chartsIn(page.asked).length, chartsIn(page.answers).length, 'windows that were given up');
});

await test('with a clock that is a day off, the first window is the right one', async () => {
    await post([['edge.clock', begin - 60, 1]]);
    const before = (page) => page.addInitScript(() => {
        const right = Date.now.bind(Date);
        Date.now = () => right() + 86400e3;
    });
    const page = await open('/dashboard/?type=edge.clock&window=15m', { before });
    await isLive(page);
    equal(await page.locator('.plot-message').isHidden(), true);
    ok(/^\d+\s(s|min) ago$/.test(await page.locator('.now > :last-child').textContent()), 'another age');
});

// --- the eye

await test('with the colours of the system, lines, cells and what is current are told apart', async () => {
    const page = await open(`/dashboard/?type=edge.none&${FIXED}`, { forcedColors: 'active' });
    await drawn(page);
    const told = await page.evaluate(async () => {
        const { colour } = await import(document.querySelector('link[href$="/colour.js"]').href);
        return ['line-average', 'line-p50', 'line-p95', 'line-p99', 'heat-low', 'heat-high'].map(colour);
    });
    equal(new Set(told).size, told.length, told.join(' '));
    const [current, other] = await page.locator('[data-view]:not(.legend)').evaluateAll((links) =>
        links.slice(0, 2).map((link) => getComputedStyle(link).backgroundColor));
    ok(current !== other, `both ${current}`);
});

await test('labels behind a name that is written from right to left stay behind it', async () => {
    const page = await open(`/dashboard/?type=${encodeURIComponent('\u0627\u0633\u0645;\u0645=1')}&${FIXED}`);
    const [base, labels] = await page.evaluate(() => {
        const range = document.createRange();
        range.selectNode(document.querySelector('h1').firstChild);
        return [range, document.querySelector('h1 .labels')].map((one) => one.getBoundingClientRect());
    });
    ok(labels.x >= base.x + base.width, `${labels.x} is not after ${base.x + base.width}`);
});

// --- what is refused

await test('sending without a token asks for it; the button keeps the focus', async () => {
    const page = await open('/dashboard/?page=send&type=edge.sent', { at: LOCKED, excuse: /status of 401/ });
    await page.waitForSelector('#token:not([hidden])');
    await page.fill('#token-input', TOKEN);
    await page.keyboard.press('Enter');
    await isLive(page);
    await page.fill('#send-value', '1');
    await page.focus('.send button');
    await page.keyboard.press('Enter');
    await until('the answer', async () => (await texts(page, '.answer-status'))[0]?.startsWith('201'));
    equal(await page.evaluate(() => document.activeElement.textContent), 'Send');
});

await test('a browser that stores nothing takes a token, and switches the theme', async () => {
    const before = (page) => page.addInitScript(() => {
        const get = () => {
            throw new DOMException('', 'SecurityError');
        };
        for (const name of ['localStorage', 'sessionStorage'])
            Object.defineProperty(window, name, { get });
    });
    const page = await open('/dashboard/', { at: LOCKED, excuse: /status of 401/, before });
    await page.waitForSelector('#token:not([hidden])');
    await page.fill('#token-input', TOKEN);
    await page.keyboard.press('Enter');
    await isLive(page);
    await page.click('#theme');
    equal(await page.getAttribute('html', 'data-theme'), 'dark');
});

await test('what is refused again and again is stale, in words', async () => {
    const page = await open(`/dashboard/?type=edge.none&${FIXED}`, { excuse: /status of 429/ });
    await isLive(page);
    const asked = '**/api/metrics/summary?*';
    await page.route(asked, (route) => route.fulfill({ status: 429, body: '{"detail":"Too often"}' }));
    await until('it is told', async () => (await text(page, '#status-text')).startsWith('Stale since'));
    await page.unroute(asked);
    await isLive(page);
});

await test('a CSV that is refused is told', async () => {
    const page = await open(`/dashboard/?type=edge.none&${FIXED}`, { excuse: /status of 413/ });
    await isLive(page);
    await page.route(/format=csv/, (route) => route.fulfill({ status: 413, body: '{"detail":"Too much"}' }));
    await page.click('button:has-text("CSV")');
    await until('the words', async () =>
        await text(page, '.note[role="status"]') === 'There is no CSV: Too much');
});

// --- the overview

await test('a new type takes the focus from nobody, and is counted', async () => {
    await post([['edge.focus', begin - 60, 1]]);
    const page = await open('/dashboard/?q=edge.');
    await isLive(page);
    await page.focus('.tile[title="edge.focus"]');
    await post([['edge.a.new.one', begin - 50, 1]]);
    await page.waitForSelector('.tile[title="edge.a.new.one"]');
    equal(await page.evaluate(() => document.activeElement.title), 'edge.focus');
    ok(/ in \d/.test(await text(page, '#totals')), await text(page, '#totals'));
});

await test('a type that is deleted goes from the overview and from its own page', async () => {
    const type = 'edge.doomed';
    await post([[type, begin - 60, 1]]);
    const [all, own] = [await open('/dashboard/?q=edge.doomed'), await open(`/dashboard/?type=${type}`)];
    await Promise.all([isLive(all), isLive(own)]);
    const response = await fetch(`${base}/api/metrics?type=${type}`, {
        method: 'DELETE', headers: { Authorization: `Bearer ${ADMIN}`, 'X-Confirm-Delete': type },
    });
    equal(response.status, 200);
    await until('no tile', async () => await all.locator('.tile').count() === 0);
    equal(await text(all, '.message'), 'No type has such a name.');
    await until('no samples', async () => await text(own, '.now') === '\u00a0No samples');
    await until('a word of it', async () => (await text(own, '.plot-message')).startsWith('There are no samples of'));
});

await test('the first sample after an hour is not stale', async () => {
    const page = await open('/dashboard/?q=edge.again');
    await until('it is stale', async () => (await texts(page, '.tile-age'))[0]?.includes('stale'), 40000);
    await post([['edge.again', Date.now() / 1000 - 20, 1]]);
    await until('it is not', async () => /^\d+\ss ago$/.test(await text(page, '.tile-age')));
});

await test('who comes back to the overview is where they were', async () => {
    await post(Array.from({ length: 150 }, (_, index) => [`edge.many.${1000 + index}`, begin - 60, index]));
    const page = await open('/dashboard/?q=edge.many');
    await page.locator('.tile[title="edge.many.1149"]').scrollIntoViewIfNeeded();
    const place = await page.evaluate(() => scrollY);
    ok(place > 1000, `${place} pixels`);
    await page.click('.tile[title="edge.many.1146"]');
    await page.waitForSelector('.plot');
    await until('the top', () => page.evaluate(() => scrollY === 0));
    await page.goBack();
    await until('the same place', () => page.evaluate((place) => Math.abs(scrollY - place) < 2, place));
    await until('a value', async () => (await text(page, '.tile[title="edge.many.1146"] .tile-value')) === '146');
});

// --- the service

await test('a row of the table of routes stays the same one while its numbers change', async () => {
    const page = await open('/dashboard/?page=service');
    await page.waitForSelector('.routes tbody tr');
    const row = page.locator('.routes tbody tr:has-text("GET /api/stats")');
    const requests = () => row.locator('td').first().textContent();
    const before = await requests();
    await row.evaluate((node) => {
        node.isMarked = true;
    });
    await until('another number', async () => await requests() !== before);
    equal(await row.evaluate((node) => node.isMarked), true);
});

await test('the table of a chart keeps its rows while it goes on', async () => {
    const at = begin - 60;
    await post([['edge.rows', at, 1]]);
    const page = await open('/dashboard/?type=edge.rows&window=15m');
    await page.click('.data summary');
    const row = page.locator('.steps tbody tr').filter({ has: page.locator('td:nth-child(2):text-is("1")') });
    await row.waitFor();
    await row.evaluate((node) => {
        window.marked = node;
    });
    await post([['edge.rows', at + 0.5, 2]]);
    // A chart that took long is asked for less often.
    const both = () => page.evaluate(() => window.marked.cells[1].textContent === '2');
    await until('both of them in the row', both, 40000);
    ok(await page.evaluate(() => window.marked.isConnected), 'it is another row');
});

await test('an order by what changes is kept, but not while somebody is at a tile', async () => {
    const now = Date.now() / 1000;
    await post([['order.a', now - 3, 1], ['order.b', now - 2, 1]]);
    const page = await open('/dashboard/?q=order.&sort=newest');
    const names = () => page.locator('.tile').evaluateAll((tiles) => tiles.map(({ title }) => title).join());
    await until('both', async () => await names() === 'order.b,order.a');
    await post([['order.a', Date.now() / 1000, 2]]);
    await until('the newest first', async () => await names() === 'order.a,order.b');
    await page.hover('.tile[title="order.b"]');
    await post([['order.b', Date.now() / 1000, 3]]);
    await until('its value', async () => await text(page, '.tile[title="order.b"] .tile-value') === '3');
    equal(await names(), 'order.a,order.b', 'what is under the mouse');
    await page.mouse.move(5, 5);
    await until('the newest first, again', async () => await names() === 'order.b,order.a');
});

// --- the documentation

await test('the plain page of the API fits a phone, and shows bodies that are no JSON as they are', async () => {
    const page = await open('/redoc', { viewport: PHONE });
    equal(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0);
    ok((await texts(page, 'pre')).some((body) => /^\{"timestamp":.*\}\n\{/.test(body)), 'no lines');
});
