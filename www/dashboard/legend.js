// legend.js: what is under the crosshair of a chart, or at its end; and which of its lines are shown.

import { h, setNumber, setText } from './dom.js';
import * as format from './format.js';
import { paintScale } from './heatmap.js';

const ENTRIES = {
    values: [
        ['average', 'Average'], ['band', 'Range'], ['p50', 'p50'], ['p95', 'p95'], ['p99', 'p99'],
        ['previous', 'Before'],
    ],
    count: [['count', 'Samples']],
    heatmap: [['count', 'Samples'], ['bucket', 'Values']],
};

/** What the lines of values are called. */
export const NAMES = Object.fromEntries(ENTRIES.values);

export const sumOf = (counts) => (counts ?? []).reduce((sum, count) => sum + count, 0);
const range = (write, low, high) => `${write(low)} to ${write(high)}`;

/** When a step is, as short as its length allows; the day of a step of seconds is at the axis. */
function stepWords(seconds, step) {
    const instants = [seconds * 1000, (seconds + step) * 1000];
    const days = instants.map((ms) => format.shortDay(ms));
    const times = instants.map((ms) => step < 60 ? format.clock(ms) : format.minuteClock(ms));
    if (step < 60)
        return times.join(' to ');
    if (step < 86400)
        return `${days[0]} ${times.join(' to ')}`;
    const isWhole = times.every((time) => time === '00:00');
    return days.map((day, at) => isWhole ? day : `${day} ${times[at]}`).join(' to ');
}

/** The last step of a model that has samples. */
function lastFilled({ view, times, average, counts, rows }) {
    const isFilled = {
        values: (index) => average[index] !== null,
        count: (index) => counts[index] > 0,
        heatmap: (index) => rows[index].counts,
    }[view];
    let index = times.length - 1;
    while (index > 0 && !isFilled(index))
        index--;
    return index;
}

/** Of a step of a heat map, or of one bucket of it: [shown, exact]. */
function cellValue(key, { rows, buckets }, index, bucket) {
    const { counts } = rows[index];
    const bounds = buckets[bucket];
    if (key === 'bucket' && bounds)
        return [format.number, format.exact].map((write) => range(write, bounds.lower, bounds.upper));
    if (key === 'bucket')
        return ['all', 'all'];
    const many = bounds ? counts?.[bucket] ?? 0 : sumOf(counts);
    return [format.count(many), format.exact(many)];
}

/** What an entry says of a step: [shown, exact]. isShort: with fewer digits. */
function valueOf(key, model, index, bucket, isShort) {
    const writes = [isShort ? format.number : format.precise, format.exact];
    if (model.view === 'heatmap')
        return cellValue(key, model, index, bucket);
    if (model.view === 'count')
        return [format.count, format.exact].map((write) => write(model.counts[index]));
    if (key === 'band' && model.min[index] !== null)
        return writes.map((write) => range(write, model.min[index], model.max[index]));
    return writes.map((write) => write(model[key]?.[index]));
}

export class Legend {
    /** toggle(key, isOn): a line is wanted, or not. */
    constructor(toggle) {
        this.toggle = toggle;
        this.node = h('div', { class: 'legend' });
    }

    /** The entries of a view. */
    build(view) {
        this.view = view;
        this.node.dataset.view = view;
        this.time = h('span', { class: 'legend-value' }, '\u00a0');
        this.entries = ENTRIES[view].map(([key, words]) => this.entry(key, words));
        this.node.replaceChildren(
            h('span', { class: 'legend-entry' }, h('span', { class: 'legend-words' }, 'Step'), this.time),
            ...this.entries.map(({ node }) => node));
        if (view === 'heatmap')
            this.buildScale();
    }

    entry(key, words) {
        const value = h('span', { class: 'legend-value', 'data-line': key });
        const mark = h('span', { class: `mark mark-${key}`, 'aria-hidden': 'true' });
        const isToggle = this.view === 'values' && key !== 'average';
        const box = isToggle && h('input', { type: 'checkbox', onchange: () => this.toggle(key, box.checked) });
        const node = h('span', { class: 'legend-entry' },
            h(isToggle ? 'label' : 'span', { class: 'legend-words' }, box, mark, words), value);
        return { key, words, node, value, box };
    }

    buildScale() {
        this.most = h('span');
        this.scale = h('canvas', { class: 'heat-scale', 'aria-hidden': 'true' });
        this.node.append(h('span', { class: 'legend-scale' }, '1', this.scale, this.most));
        paintScale(this.scale);
    }

    repaint() {
        if (this.view === 'heatmap')
            paintScale(this.scale);
    }

    check(parts) {
        for (const { key, box } of this.entries) {
            if (box)
                box.checked = parts.includes(key);
        }
    }

    /** Of the step `index`, which is under the crosshair; null: of the last one. */
    write(model, index, bucket) {
        if (!model || model.view !== this.view)
            return;
        const shown = index ?? lastFilled(model);
        const { times: { [shown]: at }, step } = model;
        const isThere = at !== undefined;
        const whole = isThere && `${format.stamp(at * 1000)} to ${format.stamp((at + step) * 1000)}`;
        setNumber(this.time, isThere ? stepWords(at, step) : '\u00a0', whole || '\u00a0');
        for (const { key, value } of this.entries) {
            const [text, exact] = isThere ? valueOf(key, model, shown, bucket, index === null) : ['\u2013', '\u2013'];
            setNumber(value, text, exact);
        }
        if (this.view === 'heatmap')
            setText(this.most, format.count(model.most));
    }

    /** The same in a sentence. */
    words(model, index) {
        const parts = this.entries.filter(({ key }) => key !== 'bucket')
            .map(({ key, words }) => `${words} ${valueOf(key, model, index, null, true)[0]}`);
        return `${stepWords(model.times[index], model.step)}: ${parts.join(', ')}`;
    }
}
