// steps.js: what a chart shows as a table, a row for each step: for screen readers, and to be copied.

import { Rows, h, table } from './dom.js';
import * as format from './format.js';
import { sumOf } from './legend.js';

const TITLE = 'Data of the chart';
const FIGURES = ['count', 'average', 'min', 'max', 'p50', 'p95', 'p99'];
const COLUMNS = {
    values: ['Time', 'Samples', 'Average', 'Min', 'Max', 'p50', 'p95', 'p99'],
    heatmap: ['Time', 'Samples', 'Most frequent values'],
};

/** The most frequent values of a step of a heat map. */
function mode({ counts }, buckets) {
    if (!counts)
        return format.exact(null);
    const { lower, upper } = buckets[counts.indexOf(Math.max(...counts))];
    return `${format.number(lower)} to ${format.number(upper)}`;
}

const figuresOf = (step) => FIGURES.map((figure) => format.exact(step[figure]));
const spreadOf = (step, buckets) => [format.exact(sumOf(step.counts)), mode(step, buckets)];

export class Steps {
    constructor() {
        this.frame = h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': TITLE });
        this.node = h('details', { class: 'panel data', ontoggle: () => this.write() },
            h('summary', null, TITLE), this.frame);
    }

    /** The answer that is drawn; its rows are made once somebody opens them. */
    show(data) {
        this.data = data;
        this.write();
    }

    write() {
        if (!this.node.open || !this.data)
            return;
        const { rows: spread, buckets, series } = this.data;
        const steps = spread ?? series[0].points;
        this.lay(spread ? 'heatmap' : 'values');
        const cells = (step) => spread ? spreadOf(step, buckets) : figuresOf(step);
        this.rows.write(steps.map((step) => [format.stamp(Date.parse(step.timestamp)), ...cells(step)]),
            steps.map(({ timestamp }) => timestamp));
    }

    /** The table for a kind of steps; that of the same kind stays. */
    lay(kind) {
        if (this.kind === kind)
            return;
        this.kind = kind;
        this.rows = new Rows();
        const caption = `Times in ${format.zone()}, the beginning of each step`;
        this.frame.replaceChildren(table(COLUMNS[kind], this.rows, { class: 'steps', caption }));
    }
}
