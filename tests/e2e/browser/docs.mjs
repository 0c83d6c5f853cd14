// docs.mjs: the pages of the documentation in a browser. Prints TAP.

import { api, equal, finish, ok, open, test, text, until } from './harness.mjs';

async function execute(page, path, method) {
    const block = page.locator(`.opblock-${method}:has([data-path="${path}"])`).first();
    await block.locator('.opblock-summary-control').click();
    await block.locator('.execute').click();
    return until('a response', async () => {
        const cells = await block.locator('.live-responses-table .response-col_status').allTextContents();
        return cells.find((cell) => /^\d+/.test(cell))?.trim();
    }, 15000);
}

await test('/docs renders, GET /health answers 200, POST /api/metrics 201', async () => {
    const page = await open('/docs');
    await page.waitForSelector('.opblock');
    ok(await page.locator('.opblock').count() > 15, 'too few endpoints');
    equal((await execute(page, '/health', 'get')).slice(0, 3), '200');
    equal((await execute(page, '/api/metrics', 'post')).slice(0, 3), '201');
    const [sample] = await api('/api/metrics/list?type=cpu_usage&to=2026-03-01&limit=1');
    equal(sample.value, 85.5);
});

await test('/redoc renders', async () => {
    const page = await open('/redoc');
    ok((await text(page, 'h1')).includes('Resilient Analytics'), await text(page, 'h1'));
    ok((await text(page, 'body')).includes('/api/metrics/summary'), 'no endpoints');
});

await finish();
