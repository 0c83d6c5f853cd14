// numbers.js: the numbers of a window in a table, each with how it changed since the window before.

import { h, setAttribute, setNumber, setText } from './dom.js';
import * as format from './format.js';

/** Words, place in a summary, how it is written, and whether it is a number of no samples, too. */
const ROWS = [
    { words: 'Latest', of: (summary) => summary.latest_value },
    { words: 'Average', of: (summary) => summary.average_value },
    { words: 'Minimum', of: (summary) => summary.min_value },
    { words: 'Maximum', of: (summary) => summary.max_value },
    { words: 'Deviation', of: (summary) => summary.stddev },
    ...[['p50', 'p50'], ['p90', 'p90'], ['p95', 'p95'], ['p99', 'p99'], ['p99.9', 'p999']].map(([words, key]) =>
        ({ words, of: (summary) => summary.percentiles[key] })),
    { words: 'Samples', of: (summary) => summary.count, write: format.count, isCount: true },
];

export class Numbers {
    constructor() {
        this.rows = ROWS.map((row) => ({ ...row, value: h('td'), delta: h('td', { class: 'delta' }) }));
        this.error = h('p', { class: 'quiet error-bound' }, '\u00a0');
        const heads = h('tr', null, h('th', { scope: 'col' }, h('span', { class: 'visually-hidden' }, 'What')),
            h('th', { scope: 'col' }, 'Value'), h('th', { scope: 'col' }, 'vs before'));
        const rows = this.rows.map(({ words, value, delta }) =>
            h('tr', null, h('th', { scope: 'row' }, words), value, delta));
        this.node = h('section', { class: 'panel numbers', 'aria-labelledby': 'numbers-title' },
            h('h2', { id: 'numbers-title' }, 'This window'),
            h('table', null, h('thead', null, heads), h('tbody', null, rows)),
            this.error);
    }

    /** summary: of the window, with `previous` and `change`. */
    write(summary) {
        if (this.summary === summary)
            return;
        this.summary = summary;
        const { previous, change } = summary;
        for (const { of, write = format.number, isCount, value, delta } of this.rows) {
            const number = summary.count || isCount ? of(summary) : null;
            const relative = change && of(change)?.relative;
            const old = previous && (previous.count || isCount) ? of(previous) : null;
            setNumber(value, write(number), format.exact(number));
            setText(delta, relative === null || relative === undefined ? '' : format.change(relative));
            setAttribute(delta, 'title', old === null || old === undefined ? null : `Before: ${format.exact(old)}`);
        }
        const error = `Percentiles within ${format.percent(summary.percentile_error)}`;
        setText(this.error, summary.count ? error : '\u00a0');
    }
}
