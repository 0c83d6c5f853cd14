// sparkline.js: a small line. A value that is null is a gap; one between two gaps is a short dash.
//
// As a path, not on a canvas: a page of a hundred of them scrolls at 60 frames a second, where canvases take it to 45.
// It follows the theme and the size of the page without being drawn again.

import { svg } from './dom.js';

const WIDTH = 100, HEIGHT = 100;

/** Least and greatest value; `least` is to be within reach. */
function extent(values, least) {
    let min = Infinity, max = -Infinity;
    for (const value of values) {
        if (value === null || value === undefined)
            continue;
        min = Math.min(min, value);
        max = Math.max(max, value);
    }
    if (least !== undefined && min < Infinity)
        return [Math.min(min, least), Math.max(max, least) || 1];
    return [min, max];
}

/** Where between the bounds, 0 to 1; in the middle when they are the same. Halves, as a distance may be infinite. */
const placeOf = (value, min, max) => min < max ? (value / 2 - min / 2) / (max / 2 - min / 2) || 0 : 0.5;

/** Stretches between gaps: lists of points, from left and top. What is undefined is bridged. */
function stretches(values, [min, max]) {
    const all = [];
    let open = null;
    values.forEach((value, index) => {
        if (value === undefined)
            return;
        if (value === null) {
            open = null;
            return;
        }
        if (!open)
            all.push(open = []);
        const x = index * WIDTH / Math.max(1, values.length - 1);
        open.push(`${x.toFixed(2)} ${((1 - placeOf(value, min, max)) * HEIGHT).toFixed(2)}`);
    });
    return all;
}

const xOf = (point) => point.split(' ')[0];
const areaOf = (points) => `M${xOf(points[0])} ${HEIGHT}L${points.join('L')}L${xOf(points.at(-1))} ${HEIGHT}Z`;
// One point alone is a dash, as wide as a dot that is seen.
const lineOf = (points) => points.length === 1 ? `M${points[0]}m-0.7 0h1.4` : `M${points.join('L')}`;

export class Sparkline {
    /** line: the colour, as named in dashboard.css. */
    constructor(className, line = 'average') {
        this.area = svg('path', { class: 'spark-area' });
        this.line = svg('path', { class: 'spark-line' });
        this.node = svg('svg', {
            class: `spark ${className}`, viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none',
            'data-line': line, 'aria-hidden': 'true',
        }, this.area, this.line);
    }

    draw(values, least) {
        const parts = stretches(values, extent(values, least));
        this.area.setAttribute('d', parts.filter((points) => points.length > 1).map(areaOf).join(''));
        this.line.setAttribute('d', parts.map(lineOf).join(''));
    }
}

/**
 * Steps that are empty because samples come less often than steps are long are no gap: they become undefined, which is
 * bridged. Longer ones stay null. What is usual is told by the distances of steps that are filled.
 */
export function bridge(values) {
    const filled = values.flatMap((value, index) => value === null || value === undefined ? [] : [index]);
    if (filled.length < 3)
        return values;
    const distances = filled.slice(1).map((index, at) => index - filled[at]).sort((a, b) => a - b);
    const longest = distances[Math.floor((distances.length - 1) * 0.9)] * 1.5;
    const bridged = [...values];
    for (let at = 1; at < filled.length; at++) {
        if (filled[at] - filled[at - 1] <= longest)
            bridged.fill(undefined, filled[at - 1] + 1, filled[at]);
    }
    return bridged;
}
