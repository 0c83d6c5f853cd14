// type.js: the page of a type: its chart over a window, and the numbers of that window.

import { Failure, SHARED_MS, failureOf, get, now, query, send } from './api.js';
import { describe, notesOf, windowWords } from './captions.js';
import { Chart, loadPlot } from './chart.js';
import { CustomWindow } from './custom.js';
import { download, fileName, h, icon, setAttribute, setNumber, setText } from './dom.js';
import * as format from './format.js';
import { Legend, NAMES } from './legend.js';
import * as live from './live.js';
import { before, href, isInstant, span, utc, WINDOWS } from './location.js';
import { Numbers } from './numbers.js';
import { Steps } from './steps.js';

const PIXELS_PER_STEP = { values: 3, count: 7, heatmap: 7 };
const HEAT_ROWS = 40;
const LEAST_WINDOW = 10; // seconds
const SLOW_MS = 400;     // an answer that takes longer is asked for less often: after RESTS times as long
const RESTS = 10;

const VIEW_WORDS = { values: 'Values', count: 'Count', heatmap: 'Heat map' };
const ICONS = { back: 'M10 3 5 8l5 5', forward: 'M6 3l5 5-5 5', closer: 'M8 3v10M3 8h10', wider: 'M3 8h10' };

class TypePage {
    drawn = null;      // {key, window, view, data, old}: what the chart shows
    model = null;      // the same as lists
    dirty = true;      // something has come since
    changedAt = -Infinity;
    asked = 0;
    took = 0;
    pointed = null;    // the step under the crosshair

    constructor(main, route, app) {
        Object.assign(this, { main, app, route });
        app.title(route.type);
        this.build();
        this.chart = new Chart(this.plot, {
            cursor: (index, bucket) => this.crosshair(index, bucket),
            select: (from, to) => this.look(from, to, this.app.zoom() + 1),
            zoomOut: () => this.zoomOut(),
        });
        this.clock = setInterval(() => document.hidden || this.writeLatest(), 1000);
        this.update(route);
        live.follow((signal) => this.refresh(signal));
    }

    // --- the frame

    build() {
        const [base, labels] = format.nameParts(this.route.type);
        this.latest = h('span', { class: 'latest' }, '\u00a0');
        this.age = h('span', { class: 'quiet' });
        this.legend = new Legend((key, isOn) => this.toggle(key, isOn));
        this.numbers = new Numbers();
        this.steps = new Steps();
        this.failure = h('p', { class: 'note', role: 'status' });
        this.main.append(
            h('div', { class: 'heading' },
                h('h1', { tabindex: -1, title: this.route.type },
                    base, labels && h('span', { class: 'labels' }, labels)),
                h('p', { class: 'now' }, this.latest, this.age)),
            this.buildTools(), this.failure,
            h('div', { class: 'columns' }, this.buildFigure(), this.numbers.node),
            this.steps.node);
    }

    buildTools() {
        const square = (name, words, act) => h('button', {
            type: 'button', class: 'square', title: words, 'aria-label': words, onclick: act,
        }, icon(ICONS[name]));
        const save = (name, words, act) => h('button', { type: 'button', title: words, onclick: act }, name);
        this.custom = new CustomWindow(() => this.window(), (from, to) => this.app.go({ ...this.route, from, to }));
        this.windows = h('div', { class: 'segments', role: 'group', 'aria-label': 'Window' },
            WINDOWS.map(([name, , words]) => h('a', { 'data-window': name }, words)), this.custom.button);
        this.views = h('div', { class: 'segments', role: 'group', 'aria-label': 'View' },
            Object.entries(VIEW_WORDS).map(([view, words]) => h('a', { 'data-view': view }, words)));
        return h('div', { class: 'tools' }, this.windows,
            h('div', { class: 'buttons', role: 'group', 'aria-label': 'Move the window' },
                square('back', 'Earlier', () => this.pan(-0.5)), square('forward', 'Later', () => this.pan(0.5)),
                square('closer', 'Zoom in', () => this.zoomIn()), square('wider', 'Zoom out', () => this.zoomOut())),
            h('div', { class: 'spring' }), this.views,
            h('div', { class: 'buttons' },
                save('CSV', 'The steps of the chart as CSV', () => this.saveCsv()),
                save('PNG', 'The chart as a picture', () => this.savePng())),
            this.custom.node);
    }

    buildFigure() {
        this.plot = h('div', {
            class: 'plot', tabindex: 0, role: 'group', 'aria-label': 'Chart',
            'aria-describedby': 'chart-words chart-keys',
            onkeydown: (event) => this.pressed(event), onblur: () => this.chart.point(null),
        });
        this.message = h('div', { class: 'plot-message', hidden: true });
        this.words = h('p', { id: 'chart-words', class: 'visually-hidden' });
        this.spoken = h('p', { class: 'visually-hidden', 'aria-live': 'polite', id: 'spoken' });
        this.caption = h('figcaption', { class: 'quiet' }, '\u00a0');
        this.notes = h('p', { class: 'note' });
        return h('figure', { class: 'panel chart' },
            h('h2', { class: 'visually-hidden' }, 'Chart'), this.legend.node,
            h('div', { class: 'plot-frame' }, this.plot, this.message),
            this.caption, this.notes, this.words, this.spoken,
            h('p', { id: 'chart-keys', class: 'visually-hidden' },
                'Left and right move the crosshair, with Shift the window; plus and minus zoom, Escape zooms out.'));
    }

    // --- the route

    update(route) {
        const isView = this.legend.view !== route.view;
        this.route = route;
        if (isView)
            this.legend.build(route.view);
        for (const link of this.windows.querySelectorAll('a')) {
            const { window } = link.dataset;
            link.href = href({ ...route, from: null, to: null, window });
            setAttribute(link, 'aria-current', route.from === null && window === route.window ? 'true' : null);
        }
        this.custom.mark(route.from !== null);
        for (const link of this.views.children) {
            link.href = href({ ...route, view: link.dataset.view });
            setAttribute(link, 'aria-current', link.dataset.view === route.view ? 'true' : null);
        }
        this.legend.check(this.parts());
        this.custom.write();
        this.chart.showParts(this.parts());
        if (this.isBehind()) {
            this.dirty = true;
            live.poke();
        }
    }

    /** Whether the chart shows another window than the one that is wanted. */
    isBehind() {
        return this.drawn?.key !== this.addresses().key;
    }

    /** What of the chart is shown beside the average. */
    parts() {
        return this.route.compare ? [...this.route.show, 'previous'] : this.route.show;
    }

    toggle(key, isOn) {
        const { show } = this.route;
        const change = key === 'previous' ? { compare: isOn }
            : { show: isOn ? [...show, key] : show.filter((name) => name !== key) };
        this.app.go({ ...this.route, ...change }, { replace: true, zoom: this.app.zoom() });
    }

    window() {
        return span(this.route, this.points(), now());
    }

    /** How many steps the width has room for, in a few sizes, so that others ask for the same. */
    points() {
        const width = this.chart.width || 800;
        return Math.max(40, Math.floor(width / PIXELS_PER_STEP[this.route.view] / 20) * 20);
    }

    /** Show another window; it is in the history, so that one can go back. zoom: how often it was zoomed into. */
    look(from, to, zoom = 0) {
        const length = Math.max(LEAST_WINDOW, Math.round(to - from));
        const begin = Math.round((from + to - length) / 2);
        const end = begin + length;
        if (!isInstant((begin - length) * 1000) || !isInstant(end * 1000))
            return; // the window before it is asked about as well
        this.chart.preview(begin, end);
        this.app.go({ ...this.route, from: begin * 1000, to: end * 1000 }, { zoom });
    }

    zoomIn() {
        const { from, to, seconds } = this.window();
        this.look(from + seconds / 4, to - seconds / 4, this.app.zoom() + 1);
    }

    /** Back out of what was zoomed into, or twice as wide. */
    zoomOut() {
        if (this.app.zoom() > 0) {
            history.back();
            return;
        }
        const { to, seconds } = this.window();
        const end = Math.min(to + seconds / 2, Math.max(to, now() / 1000));
        this.look(end - 2 * seconds, end);
    }

    pan(share) {
        const { from, to, seconds } = this.window();
        this.look(from + seconds * share, to + seconds * share);
    }

    // --- asking

    /** What is to be asked for; what is drawn of two windows that have the same `key` is the same. */
    addresses() {
        const { type, view, compare } = this.route;
        const window = this.window();
        const steps = (span) => ({ type, from: utc(span.from), to: utc(span.to), step: span.step });
        const chart = view === 'heatmap'
            ? query('/api/metrics/heatmap', { ...steps(window), buckets: HEAT_ROWS })
            : query('/api/metrics/series', { ...steps(window), figures: 'average,min,max', percentiles: '50,95,99' });
        const previous = compare && view === 'values'
            ? query('/api/metrics/series', { ...steps(before(window)), figures: 'average', percentiles: '' }) : null;
        const { step, ...bounds } = steps(window);
        const numbers = query('/api/metrics/summary', { ...bounds, compare: 'previous' });
        return { window, view, chart, previous, numbers, key: `${chart} ${previous}` };
    }

    /** The summary of all is cheap to ask for, and changes whenever a sample comes. */
    async probe(signal) {
        const path = query('/api/metrics/summary', { type: this.route.type, period: 'all', percentiles: '' });
        const { data, changed, stale } = await get(path, { signal });
        this.known = data;
        this.writeLatest();
        if (changed) {
            this.changedAt = performance.now();
            this.dirty = true;
        }
        if (stale)
            throw new Failure('away', 'Redis does not answer');
    }

    async refresh(signal) {
        const addresses = this.addresses();
        if (this.drawn?.key !== addresses.key) {
            const isFirst = !this.drawn;
            await Promise.all([this.probe(signal), this.refreshAll(addresses, signal)]);
            if (isFirst && this.addresses().key !== addresses.key)
                await this.refresh(signal); // the first answer told that the viewer's clock is off
            return;
        }
        await this.probe(signal);
        const rests = this.took > SLOW_MS && performance.now() - this.asked < RESTS * this.took;
        if (this.dirty && !rests)
            await this.refreshAll(addresses, signal);
    }

    /** One after the other: Redis does one thing at a time, and the chart is what is looked at. */
    async refreshAll(addresses, signal) {
        const began = this.asked = performance.now();
        this.dirty = true;
        await this.refreshChart(addresses, signal);
        this.took = performance.now() - began;
        const { data } = await get(addresses.numbers, { signal });
        this.numbers.write(data);
        // What came just now may not be in answers that were made for others: they are asked for once more.
        this.dirty = began - this.changedAt < SHARED_MS;
        this.say();
    }

    async refreshChart({ window, view, chart, previous, key }, signal) {
        const [{ data, changed }] = await Promise.all([
            get(chart, { signal }).catch((error) => this.refused(error)), loadPlot(),
        ]);
        if (this.drawn?.view !== view)
            this.draw({ key, window, view, data, old: null });
        const old = previous && (await get(previous, { signal })).data;
        if (changed || this.drawn.key !== key || this.drawn.old !== old)
            this.draw({ key, window, view, data, old });
    }

    refused(error) {
        if (error instanceof Failure && error.kind === 'refused')
            this.showMessage(error.message);
        throw error;
    }

    // --- showing

    draw(drawn) {
        const { window: { from, to, step }, view, data, old } = this.drawn = drawn;
        const steps = data.rows ?? data.series[0].points;
        const times = steps.map(({ timestamp }) => Date.parse(timestamp) / 1000);
        this.model = {
            view, times, from, to, step,
            ...view === 'heatmap' ? { rows: data.rows, buckets: data.buckets }
                : linesOf(steps, old?.series[0].points),
        };
        this.chart.shown = new Set(this.parts());
        this.chart.draw(this.model);
        this.crosshair(this.pointed, null);
        setText(this.caption, windowWords(drawn.window, drawn.window.isLive));
        setText(this.words, describe(this.route.type, this.model));
        this.steps.show(data);
        setText(this.notes, notesOf(data.series?.[0] ?? data));
    }

    writeLatest() {
        if (!this.known)
            return;
        const { count, latest_value: value, latest_timestamp: at } = this.known;
        setNumber(this.latest, count ? format.number(value) : '\u00a0', count ? format.exact(value) : '\u00a0');
        setText(this.age, count ? format.ago((now() - Date.parse(at)) / 1000) : 'No samples');
        setAttribute(this.age, 'title', count ? format.stamp(Date.parse(at)) : null);
    }

    showMessage(...children) {
        this.message.hidden = !children.length;
        this.message.replaceChildren(...children);
    }

    /** Over an empty chart, what there is instead. */
    say() {
        if (this.numbers.summary.count !== 0) {
            this.showMessage();
            return;
        }
        if (!this.known?.count) {
            this.showMessage(h('p', null, 'There are no samples of this name. ',
                h('a', { href: href({ page: 'send', type: this.route.type }) }, 'Send one'), '.'));
            return;
        }
        const at = Date.parse(this.known.latest_timestamp);
        const near = Math.floor(at / 1000) * 1000;
        const around = href({ ...this.route, from: near - 3600e3, to: near + 600e3 });
        this.showMessage(h('p', null, 'No samples in this window. ',
            h('a', { href: around }, `The latest is of ${format.stamp(at)}`), '.'));
    }

    // --- the crosshair

    crosshair(index, bucket) {
        this.pointed = index;
        this.legend.write(this.model, index, bucket);
    }

    pressed(event) {
        if (event.ctrlKey || event.metaKey || event.altKey || !this.model)
            return;
        const act = event.shiftKey && event.key.startsWith('Arrow') ? `Shift+${event.key}` : event.key;
        const last = this.model.times.length - 1;
        const at = this.pointed;
        const acts = {
            ArrowLeft: () => this.walk(at === null ? last : Math.max(0, at - 1)),
            ArrowRight: () => this.walk(at === null ? 0 : Math.min(last, at + 1)),
            Home: () => this.walk(0),
            End: () => this.walk(last),
            'Shift+ArrowLeft': () => this.pan(-0.25),
            'Shift+ArrowRight': () => this.pan(0.25),
            '+': () => this.zoomIn(),
            '=': () => this.zoomIn(),
            '-': () => this.zoomOut(),
            Escape: () => this.zoomOut(),
        };
        if (!acts[act])
            return;
        event.preventDefault();
        if (!event.repeat || !this.isBehind())
            acts[act](); // a key that is held is as fast as the answers
    }

    walk(index) {
        this.chart.point(index);
        setText(this.spoken, this.legend.words(this.model, index));
    }

    // --- as files

    fileOf(ending) {
        const { from, to } = this.drawn.window;
        const part = (seconds) => utc(seconds).replace(/[-:]/g, '').replace(/\.\d+/, '');
        return `${fileName(this.route.type)}_${part(from)}_${part(to)}.${ending}`;
    }

    async saveCsv() {
        if (!this.drawn)
            return;
        const { from, to, step } = this.drawn.window;
        const path = query('/api/metrics/series', {
            type: this.route.type, from: utc(from), to: utc(to), step, percentiles: '50,95,99', format: 'csv',
        });
        setText(this.failure, '');
        try {
            const { response, text } = await send(path);
            if (!response.ok)
                throw failureOf(response, text);
            download(new Blob([text], { type: 'text/csv' }), this.fileOf('csv'));
        } catch (error) {
            setText(this.failure, `There is no CSV: ${error.message}`);
            live.poke();
        }
    }

    async savePng() {
        if (!this.drawn)
            return;
        this.chart.point(null);
        const { view } = this.drawn;
        const words = [VIEW_WORDS[view], windowWords(this.drawn.window, false), format.zone()].join(', ');
        const lines = view === 'values' ? ['average', ...this.parts()] : [];
        const names = lines.map((line) => [NAMES[line], `line-${line}`]);
        download(await this.chart.picture(this.route.type, words, names), this.fileOf('png'));
    }

    repaint() {
        this.chart.repaint();
        this.legend.repaint();
    }

    leave() {
        clearInterval(this.clock);
        this.chart.destroy();
    }
}

/** A list for each line; what was before may have a step more or less, at the edges of the window. */
function linesOf(points, old) {
    const list = (key) => points.map((point) => point[key] ?? null);
    const lines = ['average', 'min', 'max', 'p50', 'p95', 'p99'].map((key) => [key, list(key)]);
    return {
        ...Object.fromEntries(lines),
        counts: list('count'),
        previous: old ? points.map((_, index) => old[index]?.average ?? null) : null,
    };
}

export const typePage = (main, route, app) => new TypePage(main, route, app);
