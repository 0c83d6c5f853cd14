// heatmap.js: how values are distributed, step by step: a cell for each step and bucket, the darker the more.
//
// The cells are painted once, a pixel each, and stretched over the plot. Buckets are equally high, so that the scale of
// values is as theirs: nearly logarithmic.

import { colour } from './colour.js';
import * as format from './format.js';

const SHADES = 64;

const channels = (text) => text.match(/[\d.]+/g).slice(0, 3).map(Number);

/** Colours from few to many. */
function shades() {
    const stops = ['heat-low', 'heat-middle', 'heat-high'].map((name) => channels(colour(name)));
    return Array.from({ length: SHADES }, (_, at) => {
        const place = at / (SHADES - 1) * 2;
        const from = Math.min(1, Math.floor(place));
        return stops[from].map((channel, index) => channel + (stops[from + 1][index] - channel) * (place - from));
    });
}

// By the root, so that what is rare is seen beside what is frequent.
const shadeOf = (count, most) => Math.round(Math.sqrt(count / most) * (SHADES - 1));

/** The cells as an image, the lowest bucket at the bottom; null when there are none. */
export function paintCells(rows, buckets, most) {
    if (!rows.length || !buckets.length)
        return null;
    const canvas = document.createElement('canvas');
    canvas.width = rows.length;
    canvas.height = buckets.length;
    const context = canvas.getContext('2d');
    const image = context.createImageData(canvas.width, canvas.height);
    const palette = shades();
    rows.forEach(({ counts }, x) => counts?.forEach((count, bucket) => {
        const y = buckets.length - 1 - bucket;
        if (count)
            image.data.set([...palette[shadeOf(count, most)], 255], 4 * (y * canvas.width + x));
    }));
    context.putImageData(image, 0, 0);
    return canvas;
}

export const mostOf = (rows) => rows.reduce((most, { counts }) => Math.max(most, ...counts ?? [0]), 0);

/** The scale of colours, for a legend. */
export function paintScale(canvas) {
    canvas.width = SHADES;
    canvas.height = 1;
    const context = canvas.getContext('2d');
    const image = context.createImageData(SHADES, 1);
    shades().forEach((shade, at) => image.data.set([...shade, 255], 4 * at));
    context.putImageData(image, 0, 0);
}

/** Places of labels on the scale of buckets, and the labels: at bounds, `space` pixels apart at least. */
export function boundTicks(buckets, height, space) {
    const every = Math.max(1, Math.ceil(buckets.length * space / Math.max(1, height)));
    const ticks = [];
    for (let index = 0; index <= buckets.length; index += every)
        ticks.push(index);
    return ticks;
}

export function boundAt(buckets, index) {
    if (!buckets.length)
        return '';
    return format.number(index < buckets.length ? buckets[index].lower : buckets.at(-1).upper);
}
