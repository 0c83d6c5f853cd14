// docs.mjs: the pages of the documentation in a browser. Prints TAP.

import { execFileSync } from 'node:child_process';
import { api, base, equal, finish, graveFaults, ok, open, test, text, texts, until } from './harness.mjs';

/** The part of /docs that is of an operation, unfolded. */
async function unfolded(page, path, method) {
    const block = page.locator(`.opblock-${method}:has([data-path="${path}"])`).first();
    await block.locator('.opblock-summary-control').click();
    await block.locator('.execute').waitFor();
    return block;
}

/** The status that is answered. */
async function execute(block) {
    await block.locator('.execute').click();
    return until('a response', async () => {
        const cells = await block.locator('.live-responses-table .response-col_status').allTextContents();
        return cells.map((cell) => cell.match(/^\d{3}/)?.[0]).find(Boolean);
    }, 15000);
}

await test('/docs renders, GET /health answers 200, POST /api/metrics 201', async () => {
    const page = await open('/docs');
    await page.waitForSelector('.opblock');
    ok(await page.locator('.opblock').count() > 15, 'too few endpoints');
    equal(await execute(await unfolded(page, '/health', 'get')), '200');
    equal(await execute(await unfolded(page, '/api/metrics', 'post')), '201');
    const [sample] = await api('/api/metrics/list?type=cpu_usage&to=2026-03-01&limit=1');
    equal(sample.value, 85.5);
});

await test('/docs: who has never seen the API sends a sample of their own, and learns the line for curl', async () => {
    const page = await open('/docs');
    const block = await unfolded(page, '/api/metrics', 'post');
    const body = block.locator('.body-param__text');
    const sample = JSON.parse(await body.inputValue());
    equal(Object.keys(sample), ['timestamp', 'value', 'type']);
    ok(Number.isFinite(Date.parse(sample.timestamp)) && Number.isFinite(sample.value), JSON.stringify(sample));

    await body.fill(JSON.stringify({ ...sample, value: 42.25, type: 'my_first' }));
    equal(await execute(block), '201');
    const answer = JSON.parse(await block.locator('.live-responses-table .microlight').first().textContent());
    equal([answer.message, answer.type], ['Metric received', 'my_first']);
    equal((await api('/api/metrics/list?type=my_first')).map(({ value }) => value), [42.25]);

    const curl = await block.locator('.curl').textContent();
    const again = execFileSync('sh', ['-c', curl], { stdio: ['ignore', 'pipe', 'ignore'] });
    equal(JSON.parse(again).message, 'Metric received', curl);
    equal((await api('/api/metrics/list?type=my_first')).length, 2);
    equal(new URL(page.url()).pathname, '/docs');
});

await test('every GET answers what Swagger UI fills in: the examples of its parameters, and their defaults', async () => {
    const { paths, components } = await api('/openapi.json');
    const whole = ({ $ref, ...parameter }) => $ref ? components.parameters[$ref.split('/').at(-1)] : parameter;
    for (const [path, { get }] of Object.entries(paths).filter(([, operations]) => operations.get)) {
        const query = new URLSearchParams();
        for (const { in: place, name, example, schema } of (get.parameters ?? []).map(whole)) {
            const values = [example ?? schema.default ?? []].flat();
            if (place === 'query')
                values.forEach((value) => query.append(name, value));
        }
        const { ok: isAnswered, status } = await fetch(`${base}${path}?${query}`);
        ok(isAnswered, `${path}?${query}: ${status}`);
    }
});

await test('/docs: the address is of what was unfolded', async () => {
    const page = await open('/docs');
    await unfolded(page, '/api/metrics/summary', 'get');
    await until('its name', () => new URL(page.url()).hash === '#/Metrics/getSummary');
    await page.reload();
    await page.waitForSelector('.opblock.is-open');
    equal(await texts(page, '.opblock.is-open .opblock-summary-path'), ['/api/metrics/summary']);
});

await test('/redoc renders', async () => {
    const page = await open('/redoc');
    ok((await text(page, 'h1')).includes('Resilient Analytics'), await text(page, 'h1'));
    ok((await text(page, 'body')).includes('/api/metrics/summary'), 'no endpoints');
});

/** An operation of each colour, one answered, one with a file as its body, a schema: all take too long. */
async function unfoldSome(page) {
    await unfolded(page, '/api/metrics', 'delete');
    await unfolded(page, '/api/metrics/summary', 'get');
    await unfolded(page, '/api/v1/write', 'post');
    equal(await execute(await unfolded(page, '/api/metrics', 'post')), '201');
    await page.locator('.json-schema-2020-12-expand-deep-button').first().click();
}

for (const colorScheme of ['light', 'dark']) {
    await test(`the documentation has no serious fault of accessibility, ${colorScheme}`, async () => {
        const page = await open('/docs', { colorScheme });
        await unfoldSome(page);
        equal(await graveFaults(page), [], '/docs');
        await page.click('.btn.authorize');
        await page.waitForSelector('.modal-ux');
        equal(await graveFaults(page), [], '/docs, with the dialog for the token');
        await page.goto(`${base}/redoc`);
        equal(await graveFaults(page), [], '/redoc');
    });
}

await finish();
