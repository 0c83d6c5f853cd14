// chart.js: the chart of a type, by uPlot: lines and a band, bars, or the cells of a heat map.
//
// A step is drawn at its middle, so that what is nearest to the crosshair is the step under it. Whoever uses this gives
// data and learns of the crosshair, of a stretch that was dragged over, and of a wish to zoom out.

import { Failure } from './api.js';
import { colour } from './colour.js';
import { h } from './dom.js';
import * as format from './format.js';
import { boundAt, boundTicks, mostOf, paintCells } from './heatmap.js';
import { bridge } from './sparkline.js';
import { followFinger } from './touch.js';

const FONT = '12px system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';
const LEAST_DRAG = 6; // pixels

/** Lines of the values, in the order in which they are drawn; the first two bound the band. */
const VALUE_LINES = [
    { key: 'max', part: 'band' },
    { key: 'min', part: 'band' },
    { key: 'previous', part: 'previous', width: 1.5, dash: [5, 4] },
    { key: 'p99', part: 'p99', width: 1 },
    { key: 'p95', part: 'p95', width: 1 },
    { key: 'p50', part: 'p50', width: 1 },
    { key: 'average', part: 'average', width: 2 },
];

let loading = null;

/** uPlot, which is asked for when there is something to draw. */
export function loadPlot() {
    loading ??= new Promise((done, fail) => {
        const src = new URL('./uPlot.iife.min.js', import.meta.url).href;
        const onerror = () => {
            loading = null;
            fail(new Failure('away', 'The service cannot be reached'));
        };
        document.head.append(h('script', { src, onload: done, onerror }));
    });
    return loading;
}

/** Steps that have a value while their neighbours have none: a line would not show them. */
function lonely(values) {
    const at = [];
    values.forEach((value, index) => {
        if (value !== null && value !== undefined && values[index - 1] == null && values[index + 1] == null)
            at.push(index);
    });
    return at.length ? at : null;
}

export class Chart {
    /** events: {cursor(index, place), select(from, to), zoomOut()}, instants in seconds. */
    constructor(host, events) {
        Object.assign(this, { host, events, shown: new Set() });
        this.observer = new ResizeObserver(() => this.resize());
        this.observer.observe(host);
    }

    get width() {
        return this.host.clientWidth;
    }

    /**
     * model: {view, from, to, step, times, ...}: `values` with a list for each line, `count` with `counts`, or
     * `heatmap` with `rows` and `buckets`.
     */
    draw(model) {
        const isNew = !this.plot || this.model.view !== model.view;
        this.model = model;
        if (model.view === 'heatmap') {
            model.most = mostOf(model.rows);
            this.cells = paintCells(model.rows, model.buckets, model.most);
        }
        const data = this.dataOf(model);
        if (isNew)
            this.make(data);
        else
            this.plot.setData(data);
        this.showParts(this.shown);
        if (!performance.getEntriesByName('chart-drawn').length)
            requestAnimationFrame(() => performance.mark('chart-drawn'));
    }

    dataOf({ view, times, step, ...model }) {
        const middles = times.map((time) => time + step / 2);
        if (view === 'count')
            return [middles, model.counts];
        if (view === 'heatmap')
            return [middles, middles.map(() => null)];
        return [middles, ...VALUE_LINES.map(({ key }) => bridge(model[key] ?? middles.map(() => null)))];
    }

    make(data) {
        this.plot?.destroy();
        this.plot = new uPlot(this.options(), data, this.host);
        followFinger(this.plot);
    }

    /** A colour of the theme; asked for each time that something is drawn. */
    paint(name) {
        return () => colour(name);
    }

    options() {
        const { view } = this.model;
        return {
            width: this.host.clientWidth,
            height: this.host.clientHeight,
            padding: [10, 18, 0, 0], // half a label that is at the end
            legend: { show: false },
            cursor: {
                y: view === 'heatmap',
                points: view === 'values' ? { size: 7 } : { show: false },
                drag: { x: true, y: false, setScale: false, dist: LEAST_DRAG },
                bind: { dblclick: () => () => this.events.zoomOut() },
            },
            scales: { x: { range: () => [this.model.from, this.model.to] }, y: this.valueScale() },
            axes: [this.timeAxis(), this.valueAxis()],
            ...this.seriesOf(view),
            hooks: {
                setCursor: [(plot) => this.moved(plot)],
                setSelect: [(plot) => this.selected(plot)],
                drawAxes: view === 'heatmap' ? [(plot) => this.drawCells(plot)] : [],
            },
        };
    }

    seriesOf(view) {
        if (view === 'count') {
            return {
                series: [{}, {
                    paths: uPlot.paths.bars({ size: [0.8, 60], align: 0 }), points: { show: false },
                    fill: this.paint('bars'), width: 0,
                }],
            };
        }
        if (view === 'heatmap')
            return { series: [{}, { points: { show: false } }] };
        return {
            series: [{}, ...VALUE_LINES.map((line) => this.lineOf(line))],
            bands: [{ series: [1, 2], fill: this.paint('line-band') }],
        };
    }

    lineOf({ key, part, width = 0, dash }) {
        const stroke = width ? this.paint('line-' + part) : null;
        return {
            stroke, width, dash,
            points: {
                show: () => false, size: width ? 4.5 : 0, width: 0, fill: stroke ?? undefined,
                filter: (plot, index) => width ? lonely(plot.data[index]) : null,
            },
        };
    }

    valueScale() {
        const { view } = this.model;
        if (view === 'heatmap')
            return { range: () => [0, Math.max(1, this.model.buckets.length)] };
        if (view === 'count')
            return { range: (plot, min, max) => [0, Math.max(1, max ?? 1) * 1.06] };
        return { range: (plot, min, max) => min === null ? [0, 1] : uPlot.rangeNum(min, max, 0.1, true) };
    }

    axis(more) {
        return {
            font: FONT, stroke: this.paint('muted'),
            grid: { stroke: this.paint('grid'), width: 1 }, ticks: { show: false },
            ...more,
        };
    }

    timeAxis() {
        return this.axis({
            space: (plot, axis, min, max, pixels) => pixels < 500 ? 64 : 90, gap: 6, size: 42,
            values: (plot, ticks, axis, space, increment) => format.timeLabels(ticks, increment),
        });
    }

    valueAxis() {
        const longest = (labels) => Math.max(0, ...(labels ?? []).map((label) => label?.length ?? 0));
        const size = (plot, labels) => Math.max(52, 18 + 7 * longest(labels));
        if (this.model.view !== 'heatmap')
            return this.axis({ size, gap: 6, space: 34, values: (plot, ticks) => valueLabels(ticks) });
        return this.axis({
            size, gap: 6, grid: { show: false },
            splits: (plot) => boundTicks(this.model.buckets, plot.bbox.height / devicePixelRatio, 30),
            values: (plot, ticks) => ticks.map((index) => boundAt(this.model.buckets, index)),
        });
    }

    drawCells(plot) {
        const { cells, model: { times, step } } = this;
        if (!cells)
            return;
        const { ctx, bbox } = plot;
        const left = plot.valToPos(times[0], 'x', true);
        const right = plot.valToPos(times.at(-1) + step, 'x', true);
        ctx.save();
        ctx.beginPath();
        ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
        ctx.clip();
        ctx.imageSmoothingEnabled = false;
        ctx.drawImage(cells, left, bbox.top, right - left, bbox.height);
        ctx.restore();
    }

    // --- what is shown

    /** parts: names of VALUE_LINES' parts; the average is always there. */
    showParts(parts) {
        this.shown = new Set(parts);
        if (this.model?.view !== 'values' || !this.plot)
            return;
        this.plot.batch(() => VALUE_LINES.forEach(({ part }, at) => {
            const show = part === 'average' || this.shown.has(part);
            if (this.plot.series[at + 1].show !== show)
                this.plot.setSeries(at + 1, { show });
        }));
    }

    /** At once, with the data there are, until better ones come. */
    preview(from, to) {
        if (!this.plot)
            return;
        Object.assign(this.model, { from, to });
        this.plot.setData(this.plot.data);
    }

    resize() {
        const { clientWidth: width, clientHeight: height } = this.host;
        if (this.plot && width && (width !== this.plot.width || height !== this.plot.height))
            this.plot.setSize({ width, height });
    }

    repaint() {
        if (!this.plot)
            return;
        this.draw(this.model);
        this.plot.redraw(false, true);
    }

    // --- the crosshair

    moved(plot) {
        const { idx, top } = plot.cursor;
        const isInCell = this.model.view === 'heatmap' && top >= 0 && !this.isPointing;
        this.events.cursor(idx ?? null, isInCell ? Math.floor(plot.posToVal(top, 'y')) : null);
    }

    /** The crosshair to a step; null: away with it. */
    point(index) {
        if (!this.plot)
            return;
        const left = index === null ? -10 : this.plot.valToPos(this.plot.data[0][index], 'x');
        this.isPointing = true; // at a whole step
        this.plot.setCursor({ left, top: index === null ? -10 : this.plot.over.clientHeight / 2 });
        this.isPointing = false;
    }

    selected(plot) {
        const { left, width } = plot.select;
        const from = plot.posToVal(left, 'x'), to = plot.posToVal(left + width, 'x');
        plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
        if (width >= LEAST_DRAG)
            this.events.select(from, to);
    }

    /** The chart as a picture with a title above it, and the names of its lines, [words, colour] each. */
    picture(title, words, names) {
        const source = this.plot.ctx.canvas;
        const ratio = source.width / this.plot.width;
        const canvas = document.createElement('canvas');
        const head = Math.round((names.length ? 74 : 52) * ratio), side = Math.round(16 * ratio);
        canvas.width = source.width + side;
        canvas.height = source.height + head + side / 2;
        const context = canvas.getContext('2d');
        context.fillStyle = colour('surface');
        context.fillRect(0, 0, canvas.width, canvas.height);
        const write = (text, name, font, top) => {
            context.fillStyle = colour(name);
            context.font = font;
            const width = canvas.width - 2 * side;
            context.fillText(fitted(context, text, 1.4 * width), side, top * ratio, width); // somewhat condensed
        };
        write(title, 'ink', `600 ${15 * ratio}px system-ui, sans-serif`, 24);
        write(words, 'muted', `${12 * ratio}px system-ui, sans-serif`, 43);
        writeNames(context, names, side, 64 * ratio, ratio);
        context.drawImage(source, 0, head);
        return new Promise((done) => canvas.toBlob(done, 'image/png'));
    }

    destroy() {
        this.observer.disconnect();
        this.plot?.destroy();
        this.plot = null;
    }
}

/** One behind the other, each behind a mark of its colour. */
function writeNames(context, names, left, top, ratio) {
    const mark = 12 * ratio;
    for (const [words, name] of names) {
        context.fillStyle = colour(name);
        const height = (name === 'line-band' ? 10 : 3) * ratio;
        context.fillRect(Math.round(left), Math.round(top - 4 * ratio - height / 2), mark, height);
        context.fillStyle = colour('muted');
        context.fillText(words, left + mark + 6 * ratio, top);
        left += mark + 20 * ratio + context.measureText(words).width;
    }
}

/** A text, cut where it would be wider than so many pixels. */
function fitted(context, text, width) {
    const isWide = (one) => context.measureText(one).width > width;
    if (!isWide(text))
        return text;
    const letters = [...text];
    while (letters.length && isWide(letters.join('') + '\u2026'))
        letters.pop();
    return letters.join('') + '\u2026';
}

/** Short labels, unless they would be the same for different values. */
function valueLabels(ticks) {
    const short = ticks.map((tick) => format.number(tick));
    return new Set(short).size === ticks.length ? short : ticks.map((tick) => String(Number(tick.toPrecision(12))));
}
