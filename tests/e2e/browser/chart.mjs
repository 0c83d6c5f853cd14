// chart.mjs: the page of one type: its chart in all views, its windows, its numbers, its files.

import { readFileSync } from 'node:fs';
import { PHONE, api, base, equal, isLive, ok, open, sleep, test, text, texts, titles, until } from './harness.mjs';
import {
    FIXED, LAST_HOUR, atRest, begin, charted, columns, drawn, isBefore, isSeries, paramsOf, width, windowCame,
} from './fixture.mjs';

const countOf = (page) => text(page, '.legend-value[data-line="count"]');

/** The window that the page is of, in seconds. */
const spanOf = (page) => ['from', 'to'].map((name) => Date.parse(paramsOf(page).get(name)) / 1000);

function isNear([from, to], [wantedFrom, wantedTo], seconds) {
    ok(Math.abs(from - wantedFrom) < seconds && Math.abs(to - wantedTo) < seconds,
        `${begin - from} to ${begin - to} before, not ${begin - wantedFrom} to ${begin - wantedTo}`);
}

/** Of pairs of numbers. */
function correlation(pairs) {
    const mean = (at) => pairs.reduce((sum, pair) => sum + pair[at], 0) / pairs.length;
    const means = [mean(0), mean(1)];
    const product = (a, b) => pairs.reduce((sum, pair) => sum + (pair[a] - means[a]) * (pair[b] - means[b]), 0);
    return product(0, 1) / Math.sqrt(product(0, 0) * product(1, 1));
}

await test('the values of the chart are those of the API: the table', async () => {
    const page = await open(`/dashboard/?type=cpu_usage&${FIXED}`);
    const { series: [{ points }], step_seconds: step } = await charted(page);
    await page.click('.data summary');
    await page.waitForSelector('.steps tbody tr');
    const rows = await page.locator('.steps tbody tr').evaluateAll((nodes) =>
        nodes.map(({ cells }) => [...cells].slice(1).map((cell) => cell.textContent)));
    const shown = (value) => value === null ? '\u2013' : String(value);
    equal(rows, points.map((p) => [p.count, p.average, p.min, p.max, p.p50, p.p95, p.p99].map(shown)));
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
    const legend = () => page.locator('.legend-value[data-line]').evaluateAll((nodes) =>
        Object.fromEntries(nodes.map((node) => [node.dataset.line, node.title || node.textContent])));
    const wanted = ({ average, min, max, p50, p95, p99 }) => ({
        average: String(average), band: `${min} to ${max}`,
        p50: String(p50), p95: String(p95), p99: String(p99), previous: '\u2013',
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
    const tenth = JSON.stringify(wanted(points[10]));
    await until('the step under the mouse', async () => JSON.stringify(await legend()) === tenth);
});

await test('the band and the percentiles can be switched off and on, and the address says so', async () => {
    const page = await open(`/dashboard/?type=cpu_usage&${FIXED}&show=p95`);
    await drawn(page);
    await sleep(200);
    const isDrawn = async (line) => await width(page, line) > 40;
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
    ok(await width(page, 'bars') > 300, 'no bars');
    await page.focus('.plot');
    await page.keyboard.press('Home');
    equal(await countOf(page), String(points[0].count));
});

await test('the heat map has its cells', async () => {
    const page = await open(`/dashboard/?type=cpu_usage&${FIXED}&view=heatmap`);
    const { rows, buckets } = await charted(page, '/api/metrics/heatmap');
    await sleep(200);
    await page.focus('.plot');
    await page.keyboard.press('Home');
    const sum = (counts) => (counts ?? []).reduce((all, one) => all + one, 0);
    equal(await countOf(page), String(sum(rows[0].counts)));
    // Where a cell is empty nothing is painted, where it is not something is.
    const area = await page.locator('.u-over').boundingBox();
    const isPaintedAt = (...place) => page.evaluate(([x, y]) => {
        const canvas = document.querySelector('.plot canvas'), over = document.querySelector('.u-over');
        const [frame, plot] = [canvas, over].map((node) => node.getBoundingClientRect());
        const left = plot.left - frame.left + x * plot.width, top = plot.top - frame.top + y * plot.height;
        return canvas.getContext('2d').getImageData(left, top, 1, 1).data[3] === 255;
    }, place);
    for (const step of [5, Math.floor(rows.length / 2), rows.length - 6]) {
        const { counts } = rows[step];
        const most = counts.indexOf(Math.max(...counts)), none = counts.indexOf(0);
        for (const bucket of [most, none].filter((one) => one >= 0)) {
            const cell = `cell ${step} ${bucket}`;
            const x = (step + 0.5) / rows.length, y = 1 - (bucket + 0.5) / buckets.length;
            await page.mouse.move(area.x + area.width * x, area.y + area.height * y);
            await until(cell, async () => await countOf(page) === String(counts[bucket]));
            equal(await isPaintedAt(x, y), counts[bucket] > 0, `${cell} is painted`);
        }
    }
});

await test('where there are no samples the line has a gap', async () => {
    const page = await open(`/dashboard/?type=gap&${LAST_HOUR}&show=`);
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
        const { url } = await until('its series', () => page.answers.find(isSeries));
        const [from, to] = ['from', 'to'].map((key) => Date.parse(url.searchParams.get(key)) / 1000);
        const step = Number(url.searchParams.get('step'));
        const words = `${from} to ${to} by ${step}`;
        ok(to - from >= seconds && to - from < seconds + step && from % step === 0, words);
        ok(to > Date.now() / 1000 - 10, words);
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
    const message = async () => (await texts(page, '.plot-message')).join();
    await until('what is there instead', async () => (await message()).startsWith('No samples in this window'));
    await page.click('.plot-message a');
    await until('the latest samples', async () => (await text(page, '.numbers td')) !== '\u2013');
});

await test('dragging zooms, asks for nothing meanwhile, and double-click, Escape and the button go back', async () => {
    const page = await open(`/dashboard/?type=cpu_usage&${FIXED}`);
    await drawn(page);
    await atRest(page);
    const first = page.url();
    const area = await page.locator('.u-over').boundingBox();
    const zoom = async () => {
        await page.mouse.move(area.x + area.width * 0.25, area.y + 60);
        await page.mouse.down();
        const asked = page.asked.filter(isSeries).length;
        for (let step = 1; step <= 10; step++)
            await page.mouse.move(area.x + area.width * (0.25 + 0.025 * step), area.y + 60);
        equal(page.asked.filter(isSeries).length, asked, 'requests while dragging');
        await page.mouse.up();
        await until('another address', () => page.url() !== first);
    };
    const goBack = async (words, act) => {
        await windowCame(page);
        page.answers.length = 0;
        await act();
        await until(`the first address, by ${words}`, () => page.url() === first);
        await windowCame(page);
    };
    await zoom();
    isNear(spanOf(page), [begin - 5400, begin - 3600], 30);
    await until('finer steps', async () => page.answers.some(({ url }) => Number(url.searchParams.get('step')) === 10));
    await page.focus('.plot');
    await goBack('Escape', () => page.keyboard.press('Escape'));
    await zoom();
    await goBack('double-click', () => page.mouse.dblclick(area.x + area.width / 2, area.y + 80));
    await zoom();
    await goBack('the button', () => page.click('[aria-label="Zoom out"]'));
    await page.click('[aria-label="Zoom out"]');
    await until('twice as wide', () => {
        const [from, to] = spanOf(page);
        return to - from === 4 * 3600;
    });
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
        const pixels = await selected();
        await touch('touchEnd', []);
        return pixels;
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
    // The step may begin before: steps are of even minutes, and what is tapped is of any.
    await until('a crosshair', async () => {
        const [step] = await titles(page, '.legend-value');
        const [start, end] = step.split(' to ').map((time) => Date.parse(time) / 1000);
        return start <= begin - 5400 && begin - 5400 <= end;
    });
    equal(page.url(), first, 'by a tap');

    const dragged = await drag([0.75, 0.4], [0.25, 0.45]);
    ok(Math.abs(dragged - area.width / 2) < 2, `${dragged} of ${area.width} pixels are selected`);
    await until('another address', () => page.url() !== first);
    isNear(spanOf(page), [begin - 5400, begin - 1800], 60);
    equal(await selected(), 0, 'still selected');
});

await test('the window moves by buttons and keys', async () => {
    const page = await open(`/dashboard/?type=cpu_usage&${FIXED}`);
    await drawn(page);
    const from = () => begin - spanOf(page)[0];
    await page.click('[aria-label="Earlier"]');
    equal(from(), 7200 + 3600);
    await page.focus('.plot');
    await page.keyboard.press('Shift+ArrowRight');
    equal(from(), 7200 + 1800);
    await page.keyboard.press('+');
    equal(from(), 7200);
});

await test('the window before is drawn dashed, shifted', async () => {
    const page = await open(`/dashboard/?type=cpu_usage&${LAST_HOUR}&show=`);
    await drawn(page);
    await page.click('label:has-text("Before")');
    equal(paramsOf(page).get('compare'), 'previous');
    const { url } = await until('its series', () => page.answers.find(isBefore));
    equal(Date.parse(url.searchParams.get('to')) / 1000, begin - 3600);
    const { series: [{ points }] } = await api(url.pathname + url.search);
    await until('it is drawn', async () => await width(page, 'line-previous') > 40);
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
    const shown = await titles(page, '.numbers tbody td:nth-child(2)');
    equal(shown.map((value) => Number(value.replace(',', ''))), [
        s.latest_value, s.average_value, s.min_value, s.max_value, s.stddev,
        p.p50, p.p90, p.p95, p.p99, p.p999, s.count,
    ]);
    await page.goto(`${base}/dashboard/?type=cpu_usage&${LAST_HOUR}`);
    const { change } = await api(`/api/metrics/summary?type=cpu_usage&${LAST_HOUR}&compare=previous`);
    const sign = change.average_value.relative > 0 ? '+' : '\u2212';
    const wanted = `${sign}${Math.abs(change.average_value.relative * 100).toFixed(1)}\u202f%`;
    const average = '.numbers tbody tr:nth-child(2) td:last-child';
    await until('the change', async () => await text(page, average) === wanted);
});

await test('CSV: the steps of the chart, as the API gives them', async () => {
    const page = await open(`/dashboard/?type=cpu_usage&${FIXED}`);
    await isLive(page);
    await drawn(page);
    const [file] = await Promise.all([page.waitForEvent('download'), page.click('text=CSV')]);
    const { url } = page.answers.find((one) => isSeries(one) && one.url.searchParams.get('format') === 'csv');
    const wanted = await (await fetch(base + url.pathname + url.search)).text();
    equal(readFileSync(await file.path(), 'utf8'), wanted);
    ok(/^cpu_usage_\d{8}T\d{6}Z_\d{8}T\d{6}Z\.csv$/.test(file.suggestedFilename()), file.suggestedFilename());
});

await test('PNG: a picture of the chart with its title, and the names of its lines', async () => {
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
        // Of the row of names: colours that fill the marks of lines.
        const marks = new Map();
        const row = context.getImageData(0, 48, image.width, 22).data;
        for (let at = 0; at < row.length; at += 4) {
            const one = row.slice(at, at + 3).join();
            marks.set(one, (marks.get(one) ?? 0) + 1);
        }
        const isMark = ([name, many]) => many >= 24 && name !== '23,28,34';
        return {
            first: [...data.slice(0, 4)], isWritten: data.some((value, at) => at % 4 === 0 && value > 180),
            marks: [...marks].filter(isMark).map(([name]) => name).sort(),
        };
    }, [...picture]);
    equal([corner.first, corner.isWritten], [[23, 28, 34, 255], true]);
    for (const line of ['130,174,255', '76,196,176', '224,163,60', '240,122,155'])
        ok(corner.marks.includes(line), `${line} is not among ${corner.marks.join(' ')}`);
});

await test('a name that nothing has says so', async () => {
    const page = await open('/dashboard/?type=no_such_type');
    await isLive(page);
    const words = 'There are no samples of this name';
    await until(words, async () => (await text(page, '.plot-message')).startsWith(words));
});
