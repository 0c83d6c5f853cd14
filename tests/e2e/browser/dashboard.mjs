// dashboard.mjs: the dashboard in a browser, against a service of its own. Prints TAP.
//
// BASE, RUN_DIR, SERVICE  the service, its folder, and the program that stops and starts it
// MANY, LOCKED            others: one with 2,000 types, one that asks for a token and limits to 2 in 3 s

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { LAPTOP, PHONE, api, base, equal, finish, isFast, isLive, ok, open, post, sleep, test, text, texts, titles, until } from './harness.mjs';

const { MANY, LOCKED, RUN_DIR, SERVICE, TOKEN } = process.env;
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const HOSTILE = '<img src=x onerror=alert(1)>';
// 255 bytes, as agents may send.
const HOST = '\u{1F600}\u00fc\u4e2d'.padEnd(183, 'x');
const LONG = `a.name.of.a.metric.that.is.as.long.as.can.be;host=${HOST};zone=b`;
const begin = Math.floor(Date.now() / 60000) * 60;

// --- data: what is known to the second

// With a peak now and then, so that the greatest values are not where the averages are.
const wave = (seconds) => Math.round((50 + 30 * Math.sin(seconds / 700) + seconds % 7 + (seconds / 10 % 23 < 1 ? 60 : 0)) * 100) / 100;

async function fill() {
    const samples = [];
    for (let at = begin - 7200; at < begin; at += 10)
        samples.push(['cpu_usage', at, wave(at)]);
    for (let minute = 60; minute > 0; minute--) {
        if (minute <= 20 || minute > 40)
            samples.push(['gap', begin - minute * 60, minute]);
    }
    samples.push([HOSTILE, begin - 30, 1], ['\u00e4\u00df\u4e2d\u6587', begin - 10, 0.0042]);
    samples.push(['old', begin - 86400 * 3, 5]);
    await post(samples);
    await fetch(`${base}/write?precision=s`, {
        method: 'POST', body: `a.name.of.a.metric.that.is.as.long.as.can,host=${HOST},zone=b be=1234567.891 ${begin - 20}`,
    });
    const many = [];
    for (let index = 0; index < 2000; index++) {
        const name = `host-${String(index).padStart(4, '0')}.load`;
        many.push([name, begin - 600, index], [name, begin - 4000, 100]);
    }
    await post(many, MANY);
}
await fill();

const FIXED = `from=${new Date((begin - 7200) * 1000).toISOString()}&to=${new Date(begin * 1000).toISOString()}`;
const paramsOf = (page) => new URL(page.url()).searchParams;
const tileNames = (page) => titles(page, '.tiles .tile');
const drawn = (page) => page.waitForFunction(() => performance.getEntriesByName('chart-drawn').length);

/** The answer that the chart shows. */
async function charted(page, path = '/api/metrics/series') {
    await drawn(page);
    const answer = page.answers.findLast((one) => one.path === path && one.status === 200 && one.url.searchParams.get('percentiles') !== '');
    return api(answer.url.pathname + answer.url.search);
}

/** Where in the plot, from left and bottom, pixels have the colour of a line: the middle of them, column by column. */
const columns = (page, line) => page.evaluate((name) => {
    const probe = document.getElementById('probe');
    probe.style.color = `var(--${name})`;
    const wanted = getComputedStyle(probe).color.match(/[\d.]+/g).map(Number);
    const canvas = document.querySelector('.plot canvas'), over = document.querySelector('.u-over');
    const [frame, area] = [canvas, over].map((node) => node.getBoundingClientRect());
    const left = Math.round(area.left - frame.left), top = Math.round(area.top - frame.top);
    const [width, height] = [Math.round(area.width), Math.round(area.height)];
    const { data } = canvas.getContext('2d').getImageData(left, top, width, height);
    return Array.from({ length: width }, (_, x) => {
        let sum = 0, many = 0;
        for (let y = 0; y < height; y++) {
            const at = 4 * (y * width + x);
            if ([0, 1, 2].every((channel) => Math.abs(data[at + channel] - wanted[channel]) < 24) && data[at + 3] > 200) {
                sum += height - y;
                many++;
            }
        }
        return many ? sum / many : null;
    });
}, line);

function correlation(pairs) {
    const mean = (at) => pairs.reduce((sum, pair) => sum + pair[at], 0) / pairs.length;
    const [x, y] = [mean(0), mean(1)];
    const product = (a, b) => pairs.reduce((sum, pair) => sum + (pair[a] - [x, y][a]) * (pair[b] - [x, y][b]), 0);
    return product(0, 1) / Math.sqrt(product(0, 0) * product(1, 1));
}

// --- the overview

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
    ok(/^(\+|\u2212|\u00b1)\d/.test(await until('a change', () => cpu.locator('.tile-change').textContent())), 'no change');
    equal(await text(page, '#totals').then((words) => words.split(',')[0]), '6 types');
});

await test('a tile compares with the window before', async () => {
    const page = await open('/dashboard/');
    await isLive(page);
    const change = await until('a change', () => text(page, '.tile[title="cpu_usage"] .tile-change'));
    const { url } = page.answers.find(({ path }) => path === '/api/metrics/series');
    const [from, to] = ['from', 'to'].map((name) => Number(url.searchParams.get(name)));
    const mean = async (a, b) => (await api(`/api/metrics/summary?type=cpu_usage&from=${a}&to=${b}`)).average_value;
    const [old, now] = [await mean(from, (from + to) / 2), await mean((from + to) / 2, to)];
    const wanted = (now - old) / old * 100;
    equal(change.replace(/\s%/, '').replace('\u2212', '-').replace('+', ''), wanted.toFixed(Math.abs(wanted) < 99.95 ? 1 : 0));
});

await test('a line is drawn on a tile', async () => {
    const page = await open('/dashboard/');
    await isLive(page);
    const shape = (part) => page.locator(`.tile[title="cpu_usage"] .spark-${part}`).evaluate((node) => {
        const { width, height } = node.getBoundingClientRect();
        return { points: node.getAttribute('d')?.split('L').length ?? 0, width, height };
    });
    const { points, width, height } = await until('a line', async () => (await shape('line')).points > 1 && shape('line'));
    ok(points >= 25 && width > 200 && height > 20, `${points} points, ${width} by ${height}`);
    const svg = await page.locator('.tile[title="cpu_usage"] svg').boundingBox();
    ok(Math.abs(svg.height - height) < 4, `${height} of ${svg.height}`);
});

await test('what has not come for long is stale, in words', async () => {
    await post([['cpu_usage', Date.now() / 1000, wave(begin)]]);
    const page = await open('/dashboard/');
    await isLive(page);
    equal(await text(page, '.tile[title="old"] .tile-age'), '3\u202fd ago, stale');
    // At first it may be told what somebody else was told right before.
    await until('cpu_usage is not stale', async () => !(await text(page, '.tile[title="cpu_usage"] .tile-age')).includes('stale'));
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
    const names = (order) => [...types].sort((a, b) => order(a, b) || (a.type < b.type ? -1 : 1)).map(({ type }) => type);
    equal(await tileNames(page), names((a, b) => Date.parse(b.latest_timestamp) - Date.parse(a.latest_timestamp)));
    await page.selectOption('#sort', 'activity');
    equal((await tileNames(page))[0], 'cpu_usage');
    equal(paramsOf(page).get('sort'), 'activity');
    await page.selectOption('#sort', 'name');
    equal(await tileNames(page), names(() => 0));
    await page.selectOption('#sort', 'change');
    await until('the one that changed most is first', async () => {
        const sizes = (await texts(page, '.tile-change')).map((change) => Number(change.match(/[\d.]+/)?.[0] ?? -1));
        return sizes[0] > 0 && sizes.every((size, at) => at === 0 || size <= sizes[at - 1]);
    });
});

await test('2,000 types: all are there, those in view alone are filled, scrolling fills others', async () => {
    const page = await open('/dashboard/', { at: MANY });
    await isLive(page);
    await until('all of them', async () => (await text(page, '#totals')).startsWith('2,000 types'), 30000);
    equal(await page.locator('.tiles .tile').count(), 2000);
    const filled = await page.locator('.tile-value').count();
    ok(filled > 10 && filled < 80, `${filled} tiles are filled`);
    const spread = await page.evaluate(async () => {
        const gaps = [];
        let before = performance.now();
        for (let frame = 0; frame < 60; frame++) {
            scrollBy(0, 120);
            await new Promise(requestAnimationFrame);
            gaps.push(performance.now() - before);
            before = performance.now();
        }
        return gaps.sort((a, b) => a - b);
    });
    const usual = spread[Math.floor(spread.length * 0.8)];
    ok(usual < (isFast ? 50 : 200), `frames while scrolling: ${usual} ms`);
    await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
    await until('the last tile is filled', () => page.locator('.tile[title="host-1999.load"] .tile-value').count());
    equal(await text(page, '.tile[title="host-1999.load"] .tile-value'), '1,999');
    await until('its change', () => text(page, '.tile[title="host-1999.load"] .tile-change'));
    const groups = page.answers.filter(({ path }) => path === '/api/metrics/series');
    ok(groups.every(({ url }) => url.searchParams.getAll('type').length <= 20), 'a group is too large');
    ok(groups.some(({ url }) => url.searchParams.getAll('type').length >= 10), 'types are asked for one by one');
});

await test('2,000 types: a sample of a type in view is seen', async () => {
    const page = await open('/dashboard/?q=1500', { at: MANY });
    await until('the tile', async () => await page.locator('.tile-value').count() === 1);
    await isLive(page);
    await post([['host-1500.load', Date.now() / 1000, 77.25]], MANY);
    await until('the new value', async () => await text(page, '.tile-value') === '77.25', isFast ? 4000 : 15000);
});

await test('a new type comes to the overview', async () => {
    const page = await open('/dashboard/');
    await isLive(page);
    await post([['aaa_new', Date.now() / 1000, 3]]);
    await until('its tile', async () => (await tileNames(page)).includes('aaa_new'));
    await fetch(`${base}/api/metrics/types?type=aaa_new`, { method: 'DELETE' });
});

// --- a type

await test('the values of the chart are those of the API: the table', async () => {
    const page = await open(`/dashboard/?type=cpu_usage&${FIXED}`);
    const { series: [{ points }], step_seconds: step } = await charted(page);
    await page.click('.data summary');
    await page.waitForSelector('.steps tbody tr');
    const rows = await page.locator('.steps tbody tr').evaluateAll((nodes) => nodes.map((row) => [...row.cells].slice(1).map((cell) => cell.textContent)));
    const wanted = points.map((p) => [p.count, p.average, p.min, p.max, p.p50, p.p95, p.p99].map((value) => value === null ? '\u2013' : String(value)));
    equal(rows, wanted);
    ok(step >= 20 && points.length > 100 && points.length <= 400, `${points.length} steps of ${step} s`);
});

await test('the line that is drawn follows the averages', async () => {
    const page = await open(`/dashboard/?type=cpu_usage&${FIXED}&show=`);
    const { series: [{ points }] } = await charted(page);
    await sleep(200);
    const heights = await columns(page, 'line-average');
    const pairs = points.flatMap(({ average }, index) => {
        const height = heights[Math.round((index + 0.5) / points.length * heights.length)];
        return height === null || height === undefined ? [] : [[average, height]];
    });
    ok(pairs.length > points.length * 0.9, `${pairs.length} of ${points.length} are drawn`);
    const found = correlation(pairs);
    ok(found > 0.99, `correlation ${found}`);
});

await test('the crosshair tells the exact values, by keyboard and by mouse', async () => {
    const page = await open(`/dashboard/?type=cpu_usage&${FIXED}`);
    const { series: [{ points }] } = await charted(page);
    const legend = async () => Object.fromEntries(await page.locator('.legend-value[data-line]').evaluateAll((nodes) =>
        nodes.map((node) => [node.dataset.line, node.title || node.textContent])));
    const wanted = ({ average, min, max, p50, p95, p99 }) => ({
        average: String(average), band: `${min} to ${max}`, p50: String(p50), p95: String(p95), p99: String(p99), previous: '\u2013',
    });
    await page.focus('.plot');
    await page.keyboard.press('Home');
    equal(await legend(), wanted(points[0]));
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    equal(await legend(), wanted(points[2]));
    ok((await text(page, '#spoken')).includes('Average'), 'nothing is said');
    const area = await page.locator('.u-over').boundingBox();
    await page.mouse.move(area.x + area.width * (10.5 / points.length), area.y + 50);
    await until('the step under the mouse', async () => JSON.stringify(await legend()) === JSON.stringify(wanted(points[10])));
});

await test('the band and the percentiles can be switched off and on, and the address says so', async () => {
    const page = await open(`/dashboard/?type=cpu_usage&${FIXED}&show=p95`);
    await drawn(page);
    await sleep(200);
    const isDrawn = async (line) => (await columns(page, line)).filter((height) => height !== null).length > 40;
    ok(await isDrawn('line-p95'), 'p95 is not drawn');
    ok(!await isDrawn('line-p50'), 'p50 is drawn');
    await page.click('label:has-text("p50")');
    await page.click('label:has-text("p95")');
    await sleep(200);
    equal(paramsOf(page).get('show'), 'p50');
    ok(await isDrawn('line-p50') && !await isDrawn('line-p95'), 'p50 should have taken the place of p95');
    const paint = () => page.locator('.plot canvas').evaluate((canvas) => canvas.toDataURL().length);
    const without = await paint();
    await page.click('label:has-text("Range")');
    await sleep(200);
    ok(await paint() !== without, 'the band is not drawn');
});

await test('the count is drawn as bars', async () => {
    const page = await open(`/dashboard/?type=cpu_usage&${FIXED}&view=count`);
    const { series: [{ points }] } = await charted(page);
    await sleep(200);
    ok((await columns(page, 'bars')).filter((height) => height !== null).length > 300, 'no bars');
    await page.focus('.plot');
    await page.keyboard.press('Home');
    equal(await text(page, '.legend-value[data-line="count"]'), String(points[0].count));
});

await test('the heat map has its cells', async () => {
    const page = await open(`/dashboard/?type=cpu_usage&${FIXED}&view=heatmap`);
    const { rows, buckets } = await charted(page, '/api/metrics/heatmap');
    await sleep(200);
    await page.focus('.plot');
    await page.keyboard.press('Home');
    const sum = (counts) => (counts ?? []).reduce((all, one) => all + one, 0);
    equal(await text(page, '.legend-value[data-line="count"]'), String(sum(rows[0].counts)));
    // Where a cell is empty nothing is painted, where it is not something is.
    const area = await page.locator('.u-over').boundingBox();
    const at = [5, Math.floor(rows.length / 2), rows.length - 6];
    for (const x of at) {
        const most = rows[x].counts.indexOf(Math.max(...rows[x].counts)), none = rows[x].counts.indexOf(0);
        for (const bucket of [most, none].filter((one) => one >= 0)) {
            await page.mouse.move(area.x + area.width * (x + 0.5) / rows.length, area.y + area.height * (1 - (bucket + 0.5) / buckets.length));
            await until(`cell ${x} ${bucket}`, async () => await text(page, '.legend-value[data-line="count"]') === String(rows[x].counts[bucket]));
            const isPainted = await page.evaluate(([x, y]) => {
                const canvas = document.querySelector('.plot canvas'), over = document.querySelector('.u-over');
                const [frame, area] = [canvas, over].map((node) => node.getBoundingClientRect());
                return canvas.getContext('2d').getImageData(area.left - frame.left + x * area.width, area.top - frame.top + y * area.height, 1, 1).data[3] === 255;
            }, [(x + 0.5) / rows.length, 1 - (bucket + 0.5) / buckets.length]);
            equal(isPainted, rows[x].counts[bucket] > 0, `cell ${x} ${bucket} is painted`);
        }
    }
});

await test('where there are no samples the line has a gap', async () => {
    const window = `from=${new Date((begin - 3600) * 1000).toISOString()}&to=${new Date(begin * 1000).toISOString()}`;
    const page = await open(`/dashboard/?type=gap&${window}&show=`);
    await drawn(page);
    await sleep(200);
    const heights = await columns(page, 'line-average');
    const share = (from, to) => {
        const part = heights.slice(Math.round(heights.length * from / 60), Math.round(heights.length * to / 60));
        return part.filter((height) => height !== null).length / part.length;
    };
    ok(share(1, 19) > 0.9, `before the gap ${share(1, 19)} is drawn`);
    equal(share(22, 38), 0, 'in the gap');
    ok(share(41, 59) > 0.9, `after the gap ${share(41, 59)} is drawn`);
});

await test('windows: each is a link, asks for what it says, and can be gone back from', async () => {
    const page = await open('/dashboard/?type=cpu_usage&window=1h');
    await isLive(page);
    await drawn(page);
    for (const [name, seconds] of [['15m', 900], ['24h', 86400], ['1y', 31536000]]) {
        page.answers.length = 0;
        await page.click(`.segments a[data-window="${name}"]`);
        equal(paramsOf(page).get('window'), name);
        const { url } = await until('its series', () => page.answers.find(({ path }) => path === '/api/metrics/series'));
        const [from, to] = ['from', 'to'].map((key) => Date.parse(url.searchParams.get(key)) / 1000);
        const step = Number(url.searchParams.get('step'));
        ok(to - from >= seconds && to - from < seconds + step && from % step === 0 && to > Date.now() / 1000 - 10, `${from} to ${to} by ${step}`);
    }
    for (const name of ['24h', '15m', '1h']) {
        await page.goBack();
        equal(paramsOf(page).get('window'), name);
        equal(await page.getAttribute(`.segments a[data-window="${name}"]`, 'aria-current'), 'true');
    }
    await page.goForward();
    equal(paramsOf(page).get('window'), '15m');
});

await test('a window of one\'s own, in the viewer\'s time', async () => {
    const page = await open('/dashboard/?type=cpu_usage', { timezoneId: 'Asia/Kolkata' });
    await isLive(page);
    await page.click('text=Custom');
    await page.fill('input[name="from"]', '2026-02-21T12:00');
    await page.fill('input[name="to"]', '2026-02-21T11:00');
    await page.click('.custom button');
    ok((await text(page, '.custom [role="status"]')).includes('later'), 'what is the wrong way round is taken');
    await page.fill('input[name="to"]', '2026-02-21T13:00');
    await page.click('.custom button');
    equal([paramsOf(page).get('from'), paramsOf(page).get('to')], ['2026-02-21T06:30:00Z', '2026-02-21T07:30:00Z']);
    await until('what is there instead', async () => (await texts(page, '.plot-message')).join().startsWith('No samples in this window'));
    await page.click('.plot-message a');
    await until('the latest samples', async () => (await text(page, '.numbers td')) !== '\u2013');
});

await test('dragging zooms, asks for nothing meanwhile, and double-click, Escape and the button go back', async () => {
    const page = await open(`/dashboard/?type=cpu_usage&${FIXED}`);
    await drawn(page);
    await isLive(page);
    const first = page.url();
    const area = await page.locator('.u-over').boundingBox();
    const zoom = async () => {
        await page.mouse.move(area.x + area.width * 0.25, area.y + 60);
        await page.mouse.down();
        const asked = page.asked.filter(({ path }) => path === '/api/metrics/series').length;
        for (let step = 1; step <= 10; step++)
            await page.mouse.move(area.x + area.width * (0.25 + 0.025 * step), area.y + 60);
        equal(page.asked.filter(({ path }) => path === '/api/metrics/series').length, asked, 'requests while dragging');
        await page.mouse.up();
        await until('another address', () => page.url() !== first);
    };
    await zoom();
    const [from, to] = ['from', 'to'].map((name) => Date.parse(paramsOf(page).get(name)) / 1000);
    ok(Math.abs(from - (begin - 5400)) < 30 && Math.abs(to - (begin - 3600)) < 30, `${begin - from} to ${begin - to} before`);
    await until('finer steps', async () => page.answers.some(({ url }) => Number(url.searchParams.get('step')) === 10));
    await page.focus('.plot');
    await page.keyboard.press('Escape');
    await until('the first address, by Escape', () => page.url() === first);
    await zoom();
    await page.mouse.dblclick(area.x + area.width / 2, area.y + 80);
    await until('the first address, by double-click', () => page.url() === first);
    await zoom();
    await page.click('[aria-label="Zoom out"]');
    await until('the first address, by the button', () => page.url() === first);
    await page.click('[aria-label="Zoom out"]');
    await until('twice as wide', () => Date.parse(paramsOf(page).get('to')) - Date.parse(paramsOf(page).get('from')) === 4 * 3600e3);
});

await test('a finger zooms along the chart; across it the page scrolls, and a tap moves the crosshair', async () => {
    const page = await open(`/dashboard/?type=cpu_usage&${FIXED}`, { viewport: PHONE, hasTouch: true, isMobile: true });
    await drawn(page);
    await isLive(page);
    const first = page.url();
    await page.locator('.plot').scrollIntoViewIfNeeded();
    const area = await page.locator('.u-over').boundingBox();
    const at = (x, y) => [{ x: area.x + area.width * x, y: area.y + area.height * y }];
    const finger = await page.context().newCDPSession(page);
    const touch = (type, touchPoints) => finger.send('Input.dispatchTouchEvent', { type, touchPoints });
    const selected = () => page.locator('.u-select').evaluate((node) => node.getBoundingClientRect().width);
    const drag = async (from, to) => {
        await touch('touchStart', at(...from));
        for (let step = 1; step <= 10; step++)
            await touch('touchMove', at(...from.map((place, axis) => place + (to[axis] - place) * step / 10)));
        await sleep(100);
        const width = await selected();
        await touch('touchEnd', []);
        return width;
    };
    const top = () => page.evaluate(() => scrollY);

    const before = await top();
    equal(await drag([0.5, 0.9], [0.5, 0.2]), 0, 'selected across');
    await until('scrolled, and at rest', async () => {
        const now = await top();
        await sleep(100);
        return now !== before && now === await top();
    });
    await page.evaluate((place) => scrollTo(0, place), before);
    equal(page.url(), first, 'by a scroll');

    await page.touchscreen.tap(area.x + area.width / 4, area.y + area.height / 2);
    const wanted = new Date((begin - 5400) * 1000).toTimeString().slice(0, 5);
    await until('a crosshair', async () => (await page.locator('.legend-value').first().getAttribute('title')).includes(wanted));
    equal(page.url(), first, 'by a tap');

    const width = await drag([0.75, 0.4], [0.25, 0.45]);
    ok(Math.abs(width - area.width / 2) < 2, `${width} of ${area.width} pixels are selected`);
    await until('another address', () => page.url() !== first);
    const [from, to] = ['from', 'to'].map((name) => Date.parse(paramsOf(page).get(name)) / 1000);
    ok(Math.abs(from - (begin - 5400)) < 60 && Math.abs(to - (begin - 1800)) < 60, `${begin - from} to ${begin - to} before`);
    equal(await selected(), 0, 'still selected');
});

await test('the window moves by buttons and keys', async () => {
    const page = await open(`/dashboard/?type=cpu_usage&${FIXED}`);
    await drawn(page);
    const from = () => begin - Date.parse(paramsOf(page).get('from')) / 1000;
    await page.click('[aria-label="Earlier"]');
    equal(from(), 7200 + 3600);
    await page.focus('.plot');
    await page.keyboard.press('Shift+ArrowRight');
    equal(from(), 7200 + 1800);
    await page.keyboard.press('+');
    equal(from(), 7200);
});

await test('the window before is drawn dashed, shifted', async () => {
    const window = `from=${new Date((begin - 3600) * 1000).toISOString()}&to=${new Date(begin * 1000).toISOString()}`;
    const page = await open(`/dashboard/?type=cpu_usage&${window}&show=`);
    await drawn(page);
    await page.click('label:has-text("Before")');
    equal(paramsOf(page).get('compare'), 'previous');
    const { url } = await until('its series', () => page.answers.find((one) => one.path === '/api/metrics/series' && one.url.searchParams.get('percentiles') === ''));
    equal(Date.parse(url.searchParams.get('to')) / 1000, begin - 3600);
    const { series: [{ points }] } = await api(url.pathname + url.search);
    await until('it is drawn', async () => (await columns(page, 'line-previous')).filter((height) => height !== null).length > 40);
    await page.focus('.plot');
    await page.keyboard.press('Home');
    equal(await titles(page, '.legend-value[data-line="previous"]'), [String(points[0].average)]);
});

await test('the numbers are those of the window, and of the change', async () => {
    const page = await open(`/dashboard/?type=cpu_usage&${FIXED}`);
    await isLive(page);
    await until('numbers', async () => (await text(page, '.numbers td')) !== '\u2013');
    const s = await api(`/api/metrics/summary?type=cpu_usage&${FIXED}&compare=previous`);
    const p = s.percentiles;
    const shown = await page.locator('.numbers tbody tr').evaluateAll((rows) => rows.map((row) => row.cells[1].title || row.cells[1].textContent));
    equal(shown.map((value) => Number(value.replace(',', ''))), [s.latest_value, s.average_value, s.min_value, s.max_value, s.stddev, p.p50, p.p90, p.p95, p.p99, p.p999, s.count]);
    const half = `from=${new Date((begin - 3600) * 1000).toISOString()}&to=${new Date(begin * 1000).toISOString()}`;
    await page.goto(`${base}/dashboard/?type=cpu_usage&${half}`);
    const { change } = await api(`/api/metrics/summary?type=cpu_usage&${half}&compare=previous`);
    const sign = change.average_value.relative > 0 ? '+' : '\u2212';
    const wanted = `${sign}${Math.abs(change.average_value.relative * 100).toFixed(1)}\u202f%`;
    await until('the change', async () => await page.locator('.numbers tbody tr:nth-child(2) td:last-child').textContent() === wanted);
});

await test('CSV: the steps of the chart, as the API gives them', async () => {
    const page = await open(`/dashboard/?type=cpu_usage&${FIXED}`);
    await isLive(page);
    await drawn(page);
    const [file] = await Promise.all([page.waitForEvent('download'), page.click('text=CSV')]);
    const { url } = page.answers.findLast(({ path }) => path === '/api/metrics/series');
    const wanted = await (await fetch(base + url.pathname + url.search)).text();
    equal(readFileSync(await file.path(), 'utf8'), wanted);
    ok(/^cpu_usage_\d{8}T\d{6}Z_\d{8}T\d{6}Z\.csv$/.test(file.suggestedFilename()), file.suggestedFilename());
});

await test('PNG: a picture of the chart with its title', async () => {
    const page = await open(`/dashboard/?type=cpu_usage&${FIXED}`, { colorScheme: 'dark' });
    await isLive(page);
    await drawn(page);
    const [file] = await Promise.all([page.waitForEvent('download'), page.click('text=PNG')]);
    const picture = readFileSync(await file.path());
    equal(picture.subarray(1, 4).toString(), 'PNG');
    ok(picture.readUInt32BE(16) > 700 && picture.readUInt32BE(20) > 350, 'too small');
    const corner = await page.evaluate(async (bytes) => {
        const image = await createImageBitmap(new Blob([new Uint8Array(bytes)]));
        const canvas = new OffscreenCanvas(image.width, image.height), context = canvas.getContext('2d');
        context.drawImage(image, 0, 0);
        const { data } = context.getImageData(0, 0, image.width, 44);
        return { first: [...data.slice(0, 4)], isWritten: data.some((value, at) => at % 4 === 0 && value > 180) };
    }, [...picture]);
    equal(corner, { first: [23, 28, 34, 255], isWritten: true });
});

await test('a name that nothing has says so', async () => {
    const page = await open('/dashboard/?type=no_such_type');
    await isLive(page);
    await until('words', async () => (await text(page, '.plot-message')).startsWith('There are no samples of this name'));
});

// --- live

await test('a sample is seen within two seconds, on a type and on the overview', async () => {
    const type = await open('/dashboard/?type=cpu_usage&window=1h');
    const all = await open('/dashboard/');
    await Promise.all([isLive(type), isLive(all), drawn(type)]);
    const places = [[type, '.latest'], [type, '.numbers td'], [all, '.tile[title="cpu_usage"] .tile-value']];
    for (const value of ['11.25', '12.5', '13.75']) {
        await sleep(300 + Math.random() * 1500);
        const sent = Date.now();
        await post([['cpu_usage', sent / 1000, Number(value)]]);
        const took = await Promise.all(places.map(async ([page, selector]) => {
            await until(`${value} at ${selector}`, async () => await text(page, selector) === value);
            return Date.now() - sent;
        }));
        ok(Math.max(...took) < (isFast ? 2100 : 8000), `seen after ${took} ms`);
    }
});

await test('nothing new is a 304: one small request a turn, and nothing is written anew', async () => {
    const page = await open(`/dashboard/?type=gap&${FIXED}`);
    await Promise.all([isLive(page), drawn(page)]);
    await sleep(4000); // the turn after the first asks for all once more
    await page.evaluate(() => {
        window.changes = 0;
        new MutationObserver((list) => { window.changes += list.length; })
            .observe(document.querySelector('.columns'), { subtree: true, childList: true, characterData: true, attributes: true });
    });
    page.answers.length = page.asked.length = 0;
    await sleep(5400);
    const statuses = page.answers.map(({ status }) => status);
    ok(statuses.length >= 2 && statuses.length <= 4 || !isFast, `${statuses.length} requests in 5.4 s`);
    ok(statuses.every((status) => status === 304), `statuses ${statuses}`);
    ok(page.asked.every(({ headers }) => headers['if-none-match'] && headers['cache-control'] === 'max-age=1'), 'headers');
    equal(await page.evaluate(() => window.changes), 0, 'changes of the document');
});

await test('a page that is hidden asks for nothing, and at once when it is seen again', async () => {
    const page = await open('/dashboard/?type=cpu_usage');
    await Promise.all([isLive(page), drawn(page)]);
    const hide = (isHidden) => page.evaluate((hidden) => {
        Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
        Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => hidden ? 'hidden' : 'visible' });
        document.dispatchEvent(new Event('visibilitychange'));
    }, isHidden);
    await hide(true);
    await sleep(300);
    page.asked.length = 0;
    await sleep(4000);
    equal(page.asked.length, 0, 'requests while hidden');
    await hide(false);
    await until('a request', () => page.asked.length > 0, 700);
});

const GONE = /ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET|status of 50[0-9]|\/api\/stats/;

await test('the service away: "Stale since", without hammering; back again: live', async () => {
    const page = await open('/dashboard/?type=cpu_usage', { excuse: GONE });
    await Promise.all([isLive(page), drawn(page)]);
    execFileSync(SERVICE, ['stop'], { stdio: 'ignore' });
    try {
        const words = await until('it is told', async () => /^Stale since \d\d:\d\d:\d\d$/.test(await text(page, '#status-text')) && text(page, '#status-text'), 20000);
        equal(await page.getAttribute('#status-text', 'role'), 'status');
        page.asked.length = 0;
        await sleep(5000);
        ok(page.asked.length <= 10, `${page.asked.length} requests in 5 s`);
        equal(await text(page, '#status-text'), words, 'since when');
    } finally {
        execFileSync(SERVICE, ['start'], { stdio: 'ignore' });
    }
    await until('live again', async () => await text(page, '#status-text') === 'Live', 20000);
});

await test('Redis away: what is shown is stale, and that is said', async () => {
    const page = await open('/dashboard/?type=cpu_usage', { excuse: GONE });
    await Promise.all([isLive(page), drawn(page)]);
    const redis = Number(readFileSync(`${RUN_DIR}/redis.pid`, 'utf8').split(' ')[0]);
    process.kill(redis, 'SIGSTOP');
    try {
        await until('it is told', async () => (await text(page, '#status-text')).startsWith('Stale since'), 20000);
    } finally {
        process.kill(redis, 'SIGCONT');
    }
    await until('live again', async () => await text(page, '#status-text') === 'Live', 30000);
});

await test('a token is asked for, refused when wrong, kept, and used', async () => {
    const page = await open('/dashboard/', { at: LOCKED, excuse: /status of 401|\/api\/stats/ });
    await page.waitForSelector('#token:not([hidden])');
    await page.fill('#token-input', 'wrong');
    await page.click('#token button');
    await until('another word', async () => (await text(page, '#token-words')).includes('does not take') && page.locator('#token').isVisible());
    await page.fill('#token-input', TOKEN);
    await page.keyboard.press('Enter');
    await isLive(page);
    ok(!await page.locator('#token').isVisible(), 'it is still asked for');
    equal(page.asked.at(-1).headers.authorization, `Bearer ${TOKEN}`);
    await page.goto(`${LOCKED}/dashboard/?page=service`);
    await isLive(page);
    equal(await page.evaluate(() => localStorage.length), 0, 'what is kept for longer than the tab');
});

// --- the service, and sending

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

await test('the service: statistics, or a line that there are none', async () => {
    const page = await open('/dashboard/?page=service');
    await isLive(page);
    if ((await fetch(base + '/api/stats')).status === 404) {
        equal((await texts(page, '.note:visible')).length, 1);
        equal(await page.locator('.counted').isVisible(), false);
        return;
    }
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

await test('sending: the sample is stored, and the answer is shown', async () => {
    const page = await open('/dashboard/?page=send');
    await isLive(page);
    await page.fill('#send-type', 'sent_by_form');
    await page.fill('#send-value', '85.5');
    await page.fill('#send-timestamp', '2026-02-21T12:00:00Z');
    await page.click('button:has-text("Send")');
    await until('the answer', async () => (await texts(page, '.answer-status'))[0]?.startsWith('201'));
    ok((await text(page, '.answer pre')).includes('Metric received'), 'no body');
    await page.click('.answer summary');
    ok((await texts(page, '.headers th')).includes('x-request-id'), 'no headers');
    const [sample] = await api('/api/metrics/list?type=sent_by_form');
    equal([sample.timestamp, sample.value], ['2026-02-21T12:00:00Z', 85.5]);
    await page.click('text=Look at it');
    equal(paramsOf(page).get('type'), 'sent_by_form');
});

await test('sending: what is wrong the service says, of each field', async () => {
    const page = await open('/dashboard/?page=send', { excuse: /status of 422|\/api\/stats/ });
    await isLive(page);
    await page.fill('#send-type', 'x');
    await page.fill('#send-value', 'much');
    await page.fill('#send-timestamp', '2026-02-30');
    await page.keyboard.press('Enter');
    await until('the answer', async () => (await texts(page, '.answer-status'))[0]?.startsWith('422'));
    equal((await texts(page, '.errors b')).sort(), ['timestamp', 'value']);
    equal(await page.getAttribute('#send-value', 'aria-invalid'), 'true');
    equal(await page.getAttribute('#send-type', 'aria-invalid'), 'false');
});

await test('sending: the rate limit refuses, with its headers', async () => {
    const page = await open('/dashboard/?page=send', { at: LOCKED, excuse: /status of (401|429)|\/api\/stats/,
        before: (page) => page.addInitScript((token) => sessionStorage.setItem('token', token), TOKEN) });
    await isLive(page);
    await page.fill('#send-type', 'limited');
    await page.fill('#send-value', '1');
    ok((await text(page, '#curl')).includes('Authorization: Bearer $API_TOKEN'), 'the line has no token');
    ok(!(await text(page, '#curl')).includes(TOKEN), 'the line shows the token');
    await until('a refusal', async () => {
        await page.click('button:has-text("Send")');
        return (await texts(page, '.answer-status'))[0]?.startsWith('429');
    });
    ok((await texts(page, '.headers th')).includes('retry-after'), 'no Retry-After');
});

await test('the line for curl does in a shell what the form does', async () => {
    const page = await open('/dashboard/?page=send');
    await isLive(page);
    const name = `it's "a" $(name) \`of\` \\ a metric`;
    await page.fill('#send-type', name);
    await page.fill('#send-value', '-1.5e-3');
    await page.fill('#send-timestamp', '1771675200');
    const answer = execFileSync('sh', ['-c', await text(page, '#curl')], { stdio: ['ignore', 'pipe', 'ignore'] });
    equal(JSON.parse(answer).type, name);
    equal((await api(`/api/metrics/list?type=${encodeURIComponent(name)}`)).map(({ value, timestamp }) => [value, timestamp]), [[-0.0015, '2026-02-21T12:00:00Z']]);
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await page.click('text=Copy');
    await until('it is copied', async () => (await texts(page, '[role="status"]')).includes('Copied'));
    equal(await page.evaluate(() => navigator.clipboard.readText()), await text(page, '#curl'));
});

// --- all pages

const PAGES = ['', '?type=cpu_usage', '?type=cpu_usage&view=count', '?type=cpu_usage&view=heatmap', '?page=service', '?page=send'];
const settled = async (page) => {
    await isLive(page);
    if (page.url().includes('?type='))
        await drawn(page);
    await sleep(150);
};

for (const colorScheme of ['light', 'dark']) {
    await test(`no page has a serious fault of accessibility, ${colorScheme}`, async () => {
        const page = await open('/dashboard/', { colorScheme });
        for (const path of PAGES) {
            await page.goto(`${base}/dashboard/${path}`);
            await settled(page);
            await page.evaluate(() => document.querySelectorAll('details').forEach((node) => { node.open = true; }));
            await page.evaluate(axe);
            const { violations } = await page.evaluate(() => window.axe.run({ resultTypes: ['violations'] }));
            const grave = violations.filter(({ impact }) => ['serious', 'critical'].includes(impact));
            equal(grave.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((node) => node.html.slice(0, 120)).join(' | ')}`), [], path);
        }
    });
}

for (const [words, viewport] of [['phone', PHONE], ['laptop', LAPTOP]]) {
    await test(`nothing is wider than the page, and nothing jumps, ${words}`, async () => {
        const page = await open('/dashboard/', { viewport });
        await page.addInitScript(() => {
            window.shift = 0;
            window.shifted = [];
            new PerformanceObserver((list) => list.getEntries().forEach((entry) => {
                window.shift += entry.hadRecentInput ? 0 : entry.value;
                window.shifted.push(...entry.sources.map(({ node }) => node?.className || node?.tagName || node?.parentNode?.className));
            }))
                .observe({ type: 'layout-shift', buffered: true });
        });
        for (const path of [...PAGES, `?type=${encodeURIComponent(LONG)}`]) {
            await page.goto(`${base}/dashboard/${path}`);
            await settled(page);
            await sleep(300);
            const { width, shift, shifted } = await page.evaluate(() => ({ width: document.documentElement.scrollWidth - innerWidth, shift: window.shift, shifted: window.shifted }));
            ok(width <= 0, `${path}: ${width} pixels too wide`);
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
    const { client, scroll } = await page.locator('.tile-name').evaluate((node) => ({ client: node.clientWidth, scroll: node.scrollWidth }));
    ok(scroll > client && client < 390, 'it is not cut');
    await page.click('.tile');
    await settled(page);
    equal(paramsOf(page).get('type'), LONG);
    equal((await text(page, 'h1')).replaceAll('  ', ';').length, LONG.length - 1);
});

await test('a viewer elsewhere sees times of their zone, and the API gets UTC', async () => {
    const page = await open(`/dashboard/?type=cpu_usage&from=${begin - 7200}&to=${begin}`, { timezoneId: 'Asia/Kolkata' });
    await settled(page);
    ok(/^Times in Asia\/(Kolkata|Calcutta) \(UTC\+05:30\)$/.test(await text(page, '#zone')), await text(page, '#zone'));
    const there = (seconds) => new Date((seconds + 19800) * 1000).toISOString().slice(0, 19).replace('T', ' ');
    await page.focus('.plot');
    await page.keyboard.press('Home');
    ok((await titles(page, '.legend-entry .legend-value'))[0].startsWith(there(begin - 7200)), (await titles(page, '.legend-entry .legend-value'))[0]);
    await page.click('.data summary');
    equal(await text(page, '.steps tbody th'), there(begin - 7200));
    const { url } = page.answers.find(({ path }) => path === '/api/metrics/series');
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
    const [tab] = await Promise.all([page.context().waitForEvent('page'), tiles.click('.tile[title="cpu_usage"]', { modifiers: ['Control'] })]);
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
    ok((await columns(page, 'line-average')).filter((height) => height !== null).length > 40, 'the chart has the old colours');
    await page.addInitScript(() => {
        document.addEventListener('readystatechange', () => { window.early ??= document.documentElement.dataset.theme; }, { once: true });
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
        let bytes = 0, isZipped = false;
        const statics = new Map();
        const page = await open(`/dashboard/${path}`, {
            before: async (page) => {
                const session = await page.context().newCDPSession(page);
                await session.send('Network.enable');
                session.on('Network.responseReceived', ({ requestId, response }) => {
                    statics.set(requestId, !response.url.includes('/api/'));
                    isZipped ||= response.url.includes('/api/metrics/') && response.headers['Content-Encoding'] === 'gzip';
                });
                session.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
                    // Before the API zips its answers, they are left out.
                    if (isZipped || statics.get(requestId))
                        bytes += encodedDataLength;
                });
            },
        });
        await settled(page);
        ok(bytes > 40000 && bytes <= 100 * 1024, `${path}: ${bytes} bytes`);
        console.log(`# first load of /dashboard/${path}: ${bytes} bytes${isZipped ? '' : ', without data'}`);
    }
});

await finish();
