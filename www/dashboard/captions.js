// captions.js: what a chart shows, in words.

import * as format from './format.js';
import { sumOf } from './legend.js';

const SHOWN = { values: 'Average', count: 'Number of samples', heatmap: 'Number of samples' };

/** The window that is drawn, and its steps. */
export function windowWords({ from, to, step }, endsNow) {
    const end = endsNow ? 'now' : format.stamp(to * 1000);
    return `${format.stamp(from * 1000)} to ${end}, steps of ${format.duration(step)}`;
}

/** For those who do not see it. */
export function describe(type, { view, times, step, average, counts, rows }) {
    const cells = rows?.map((row) => row.counts && sumOf(row.counts));
    const list = { values: average, count: counts, heatmap: cells }[view];
    const values = list.filter((value) => value !== null);
    const what = `${SHOWN[view]} of ${type}`;
    if (!values.length)
        return `${what}: no samples.`;
    const [least, most, last] = [Math.min(...values), Math.max(...values), values.at(-1)].map(format.number);
    return `${what} in ${times.length} steps of ${format.duration(step)}, ${values.length} of them with samples: ` +
        `from ${least} to ${most}, at the end ${last}.`;
}

/** What the reader must know of the data: what is not as asked for. */
export function notesOf({ widened, folded, damaged }) {
    const end = (time, words) => time ? format.stamp(Date.parse(time)) : words;
    const stretch = ({ from, to }) => `${end(from, 'the beginning')} to ${end(to, 'the end')}`;
    const notes = [
        widened && `Single samples have expired; what is left of them is counted whole: ${stretch(widened)}.`,
        folded && `No longer told apart, and left out: ${stretch(folded)}.`,
        damaged?.length && `Cannot be read, and left out: ${damaged.map(stretch).join(', ')}.`,
    ];
    return notes.filter(Boolean).join(' ');
}
