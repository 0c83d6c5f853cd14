// format.mjs: numbers and times as people read them, by the module that the pages load.

import { equalEach, open, test } from './harness.mjs';
import { moduleAddress } from './fixture.mjs';

/** Each row: a function of format.js, what it is given, what it makes of it; ~ is a thin space. */
async function check(rows, options) {
    const page = await open('/dashboard/', options);
    const address = await moduleAddress('format.js');
    const got = await page.evaluate(async ([module, calls]) => {
        const format = await import(module);
        return calls.map(([name, given]) => format[name](...given));
    }, [address, rows]);
    const shown = (result) =>
        JSON.stringify(result).replaceAll('\u202f', '~').replaceAll('\u2212', '-').replaceAll('\u2013', '(none)');
    const byCall = (results) => Object.fromEntries(rows.map(([name, given], at) =>
        [`${name}(${JSON.stringify(given)})`, shown(results[at])]));
    equalEach(byCall(got), byCall(rows.map(([, , wanted]) => wanted)));
}

await test('numbers: digits, prefixes, bytes, latencies, shares and changes', () => check([
    ['number', [null], '(none)'], ['number', [0], '0'], ['number', [0.0042], '0.0042'], ['number', [85.734], '85.73'],
    ['number', [-1.5], '-1.5'], ['number', [999.96], '1000'], ['number', [12345.6], '12,346'],
    ['number', [99999.4], '99,999'], ['number', [99999.5], '100~k'], ['number', [1234567.891], '1.23~M'],
    ['number', [-2.5e9], '-2.5~G'], ['number', [7e12], '7~T'], ['number', [1e15], '1.00e15'],
    ['number', [0.00001], '1.00e-5'],
    ['prefixed', [12.34], '12.3'], ['prefixed', [999.4], '999'], ['prefixed', [999.6], '1~k'],
    ['prefixed', [1230], '1.23~k'], ['prefixed', [999.6e3], '1~M'],
    ['precise', [0.1 + 0.2], '0.3'], ['exact', [0.1 + 0.2], '0.30000000000000004'],
    ['count', [1234567], '1,234,567'], ['percent', [0.75], '75~%'], ['percent', [0.12345], '12.3~%'],
    ['bytes', [0], '0~B'], ['bytes', [999], '999~B'], ['bytes', [150000], '150~kB'], ['bytes', [4e6], '4~MB'],
    ['latency', [null], '(none)'], ['latency', [12e-6], '12~\u00b5s'], ['latency', [0.0008], '800~\u00b5s'],
    ['latency', [0.9996e-3], '1~ms'], ['latency', [0.0034], '3.4~ms'], ['latency', [0.9996], '1~s'],
    ['latency', [2.5], '2.5~s'],
    ['change', [0.123], '+12.3~%'], ['change', [-0.045], '-4.5~%'], ['change', [0.0001], '\u00b10.0~%'],
    ['change', [1.5], '+150~%'], ['change', [25], '+2,500~%'], ['change', [null], '(none)'],
]));

await test('times: durations, ages, and the labels of an axis, in the viewer\'s zone', () => check([
    ['duration', [0], '0~s'], ['duration', [59.6], '1~min'], ['duration', [3725], '1~h 2~min'],
    ['duration', [86400], '1~d'], ['duration', [3605], '1~h'], ['duration', [90061, 1], '1~d'],
    ['ago', [0.4], '0~s ago'], ['ago', [125], '2~min ago'], ['ago', [-3600], 'in 1~h'],
    ['stamp', [1771675200000], '2026-02-21 17:30:00'], ['stamp', [1771675200042], '2026-02-21 17:30:00.042'],
    ['local', [1771675200000], '2026-02-21T17:30:00'],
    ['timeLabels', [[1771698570, 1771698600], 30], ['23:59:30\n21 Feb', '00:00:00\n22 Feb']],
    ['timeLabels', [[1771675200, 1771678800], 3600], ['17:30\n21 Feb', '18:30']],
    ['timeLabels', [[1771612200, 1771698600], 86400], ['21 Feb', '22 Feb']],
    ['timeLabels', [[1764527400, 1767205800, 1769884200], 86400 * 28], ['Dec\n2025', 'Jan\n2026', 'Feb']],
    ['zone', [1771675200000], 'Asia/Calcutta (UTC+05:30)'],
], { timezoneId: 'Asia/Kolkata' }));
