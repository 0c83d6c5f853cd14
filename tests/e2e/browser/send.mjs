// send.mjs: the form that sends a sample, and the line for curl that does the same.

import { execFileSync } from 'node:child_process';
import { api, equal, isLive, ok, open, test, text, texts, until } from './harness.mjs';
import { TOKEN, openLocked, paramsOf } from './fixture.mjs';

/** Until the first of the answers has this status. */
const answered = (page, status) => until(`a ${status}`, async () => {
    const [newest] = await texts(page, '.answer-status');
    return newest?.startsWith(status);
});

await test('sending: the sample is stored, and the answer is shown', async () => {
    const page = await open('/dashboard/?page=send');
    await isLive(page);
    await page.fill('#send-type', 'sent_by_form');
    await page.fill('#send-value', '85.5');
    await page.fill('#send-timestamp', '2026-02-21T12:00:00Z');
    await page.click('button:has-text("Send")');
    await answered(page, '201');
    ok((await text(page, '.answer pre')).includes('Metric received'), 'no body');
    await page.click('.answer summary');
    ok((await texts(page, '.headers th')).includes('x-request-id'), 'no headers');
    const [sample] = await api('/api/metrics/list?type=sent_by_form');
    equal([sample.timestamp, sample.value], ['2026-02-21T12:00:00Z', 85.5]);
    await page.click('text=Look at it');
    equal(paramsOf(page).get('type'), 'sent_by_form');
});

await test('sending: what is wrong the service says, of each field', async () => {
    const page = await open('/dashboard/?page=send', { excuse: /status of 422/ });
    await isLive(page);
    await page.fill('#send-type', 'x');
    await page.fill('#send-value', 'much');
    await page.fill('#send-timestamp', '2026-02-30');
    await page.keyboard.press('Enter');
    await answered(page, '422');
    equal((await texts(page, '.errors b')).sort(), ['timestamp', 'value']);
    equal(await page.getAttribute('#send-value', 'aria-invalid'), 'true');
    equal(await page.getAttribute('#send-type', 'aria-invalid'), 'false');
});

await test('sending: the rate limit refuses, with its headers', async () => {
    const page = await openLocked('/dashboard/?page=send', { excuse: /status of 429/ });
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
    const samples = await api(`/api/metrics/list?type=${encodeURIComponent(name)}`);
    equal(samples.map(({ value, timestamp }) => [value, timestamp]), [[-0.0015, '2026-02-21T12:00:00Z']]);
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await page.click('text=Copy');
    await until('it is copied', async () => (await texts(page, '[role="status"]')).includes('Copied'));
    equal(await page.evaluate(() => navigator.clipboard.readText()), await text(page, '#curl'));
});
