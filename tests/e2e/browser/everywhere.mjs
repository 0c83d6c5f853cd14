// everywhere.mjs: what is so on all pages: accessibility, layout, size, links, keys, theme, zone, names, the token.

import {
    LAPTOP, PHONE, base, equal, graveFaults, isLive, ok, open, sleep, test, text, titles, until,
} from './harness.mjs';
import {
    HOSTILE, LOCKED, LONG, TOKEN, begin, isSeries, paramsOf, settled, tileNames, width,
} from './fixture.mjs';

const FIRST_LOAD_BYTES_MAX = 100 * 1024;
const PAGES = [
    '', '?type=cpu_usage', '?type=cpu_usage&view=count', '?type=cpu_usage&view=heatmap', '?page=service', '?page=send',
];

for (const colorScheme of ['light', 'dark']) {
    await test(`no page has a serious fault of accessibility, ${colorScheme}`, async () => {
        const page = await open('/dashboard/', { colorScheme });
        for (const path of PAGES) {
            await page.goto(`${base}/dashboard/${path}`);
            await settled(page);
            await page.evaluate(() => document.querySelectorAll('details').forEach((node) => { node.open = true; }));
            equal(await graveFaults(page), [], path);
        }
    });
}

for (const [words, viewport] of [['phone', PHONE], ['laptop', LAPTOP]]) {
    await test(`nothing is wider than the page, and nothing jumps, ${words}`, async () => {
        const page = await open('/dashboard/', { viewport });
        await page.addInitScript(() => {
            window.shift = 0;
            window.shifted = [];
            const nameOf = (node) => node?.className || node?.tagName || node?.parentNode?.className;
            const observer = new PerformanceObserver((list) => list.getEntries().forEach((entry) => {
                window.shift += entry.hadRecentInput ? 0 : entry.value;
                window.shifted.push(...entry.sources.map(({ node }) => nameOf(node)));
            }));
            observer.observe({ type: 'layout-shift', buffered: true });
        });
        for (const path of [...PAGES, `?type=${encodeURIComponent(LONG)}`]) {
            await page.goto(`${base}/dashboard/${path}`);
            await settled(page);
            await sleep(300);
            const { excess, shift, shifted } = await page.evaluate(() => ({
                excess: document.documentElement.scrollWidth - innerWidth,
                shift: window.shift, shifted: window.shifted,
            }));
            ok(excess <= 0, `${path}: ${excess} pixels too wide`);
            ok(shift < 0.02, `${path}: shift ${shift} of ${shifted}`);
        }
    });
}

await test('a name that is markup is text everywhere', async () => {
    const page = await open('/dashboard/');
    await settled(page);
    equal(await text(page, `.tile[title="${HOSTILE}"] .tile-name`), HOSTILE);
    await page.click(`.tile[title="${HOSTILE}"]`);
    await settled(page);
    equal(await text(page, 'h1'), HOSTILE);
    ok((await page.title()).startsWith(HOSTILE), await page.title());
    await page.goto(`${base}/dashboard/?page=send&type=${encodeURIComponent(HOSTILE)}`);
    await settled(page);
    ok((await text(page, '#curl')).includes(HOSTILE), 'not in the line');
    await page.goto(`${base}/dashboard/?q=${encodeURIComponent(HOSTILE)}`);
    await settled(page);
    equal(await tileNames(page), [HOSTILE]);
    equal(await page.locator('img').count(), 0);
});

await test('a long name with labels is cut on its tile, and whole on its page', async () => {
    const page = await open('/dashboard/?q=as.long.as', { viewport: PHONE });
    await settled(page);
    const [client, scroll] = await page.locator('.tile-name').evaluate((node) => [node.clientWidth, node.scrollWidth]);
    ok(scroll > client && client < 390, 'it is not cut');
    await page.click('.tile');
    await settled(page);
    equal(paramsOf(page).get('type'), LONG);
    equal((await text(page, 'h1')).replaceAll('  ', ';').length, LONG.length - 1);
});

await test('a viewer elsewhere sees times of their zone, and the API gets UTC', async () => {
    const path = `/dashboard/?type=cpu_usage&from=${begin - 7200}&to=${begin}`;
    const page = await open(path, { timezoneId: 'Asia/Kolkata' });
    await settled(page);
    const zone = await text(page, '#zone');
    ok(/^Times in Asia\/(Kolkata|Calcutta) \(UTC\+05:30\)$/.test(zone), zone);
    const there = (seconds) => new Date((seconds + 19800) * 1000).toISOString().slice(0, 19).replace('T', ' ');
    await page.focus('.plot');
    await page.keyboard.press('Home');
    const [time] = await titles(page, '.legend-entry .legend-value');
    ok(time.startsWith(there(begin - 7200)), time);
    await page.click('.data summary');
    equal(await text(page, '.steps tbody th'), there(begin - 7200));
    const { url } = page.answers.find(isSeries);
    equal(url.searchParams.get('from'), new Date((begin - 7200) * 1000).toISOString().replace('.000', ''));
});

await test('links, back and forward', async () => {
    const page = await open('/dashboard/');
    await settled(page);
    await page.click('.tile[title="cpu_usage"]');
    await settled(page);
    equal(await text(page, 'h1'), 'cpu_usage');
    await page.click('nav >> text=Service');
    equal(await text(page, 'h1'), 'Service');
    equal(await page.getAttribute('nav >> text=Service', 'aria-current'), 'page');
    await page.goBack();
    equal(await text(page, 'h1'), 'cpu_usage');
    await page.goBack();
    equal(await text(page, 'h1'), 'Overview');
    await page.goForward();
    equal(await text(page, 'h1'), 'cpu_usage');
    equal(page.asked.filter(({ path }) => path === '/dashboard/').length, 1, 'loads of the page');
    const tiles = await page.context().newPage();
    await tiles.goto(`${base}/dashboard/`);
    await tiles.waitForSelector('.tile[href*="cpu_usage"]');
    const [tab] = await Promise.all([
        page.context().waitForEvent('page'),
        tiles.click('.tile[title="cpu_usage"]', { modifiers: ['Control'] }),
    ]);
    await tab.waitForSelector('h1:has-text("cpu_usage")');
});

await test('the theme is switched, remembered, and there before anything is painted', async () => {
    const page = await open('/dashboard/?type=cpu_usage', { colorScheme: 'light' });
    await settled(page);
    const background = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    equal(await background(), 'rgb(245, 246, 248)');
    await page.click('#theme');
    equal(await background(), 'rgb(15, 19, 23)');
    await sleep(200);
    ok(await width(page, 'line-average') > 40, 'the chart has the old colours');
    await page.addInitScript(() => {
        const note = () => { window.early ??= document.documentElement.dataset.theme; };
        document.addEventListener('readystatechange', note, { once: true });
    });
    await page.reload();
    equal(await page.evaluate(() => window.early), 'dark');
    equal(await background(), 'rgb(15, 19, 23)');
    equal(await page.getAttribute('#theme', 'aria-pressed'), 'true');
});

await test('all of it by keyboard: from the first key to a chart', async () => {
    const page = await open('/dashboard/');
    await settled(page);
    await page.keyboard.press('Tab');
    equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to the content');
    await page.keyboard.press('/');
    await page.keyboard.type('cpu');
    for (let tab = 0; tab < 8 && !await page.evaluate(() => document.activeElement.classList.contains('tile')); tab++)
        await page.keyboard.press('Tab');
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    equal(outline, 'solid');
    await page.keyboard.press('Enter');
    await settled(page);
    equal(await text(page, 'h1'), 'cpu_usage');
    equal(await page.evaluate(() => document.activeElement.tagName), 'H1');
});

await test('the first load is small', async () => {
    for (const path of ['', '?type=cpu_usage&window=1h']) {
        let bytes = 0;
        const page = await open(`/dashboard/${path}`, {
            before: async (page) => {
                const session = await page.context().newCDPSession(page);
                await session.send('Network.enable');
                session.on('Network.loadingFinished', ({ encodedDataLength }) => { bytes += encodedDataLength; });
            },
        });
        await settled(page);
        ok(bytes > 40000 && bytes <= FIRST_LOAD_BYTES_MAX, `${path}: ${bytes} bytes`);
        console.log(`# first load of /dashboard/${path}: ${bytes} bytes`);
    }
});

await test('a token is asked for, refused when wrong, kept, and used', async () => {
    const page = await open('/dashboard/', { at: LOCKED, excuse: /status of 401/ });
    await page.waitForSelector('#token:not([hidden])');
    await page.fill('#token-input', 'wrong');
    await page.click('#token button');
    await until('another word', async () => (await text(page, '#token-words')).includes('does not take'));
    ok(await page.locator('#token').isVisible(), 'it is not asked for again');
    await page.fill('#token-input', TOKEN);
    await page.keyboard.press('Enter');
    await isLive(page);
    ok(!await page.locator('#token').isVisible(), 'it is still asked for');
    equal(page.asked.at(-1).headers.authorization, `Bearer ${TOKEN}`);
    await page.goto(`${LOCKED}/dashboard/?page=service`);
    await isLive(page);
    equal(await page.evaluate(() => localStorage.length), 0, 'what is kept for longer than the tab');
});
