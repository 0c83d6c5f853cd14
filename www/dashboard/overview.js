// overview.js: a tile for each type: what it is now, how it moved, how it compares with before, how old it is.
//
// All tiles are there, empty and of one size. Those in or near the viewport are filled, and what they need is asked for
// together. Every two seconds the pages of types that have tiles in view are asked for, and one of the others.
//
// Which types there are outlives the page: who comes back finds the list as long as it was, and the place in it.

import { SHARED_MS, get, now, query } from './api.js';
import { loadPlot } from './chart.js';
import { h, place, setAttribute, setNumber, setText } from './dom.js';
import * as format from './format.js';
import * as live from './live.js';
import { href, SHORT_WINDOWS, SORTS, stepFor } from './location.js';
import { bridge, Sparkline } from './sparkline.js';
import { Types } from './types.js';

const STEPS = 30;               // of a window, on a tile
const GROUP = 20;               // types a request
const ADDRESS_MAX = 6000;       // characters of one
const REDRAW_MS = 6000;         // a tile that is fed all the time is drawn again so often
const RATES_MS = 30000;         // how often samples come is asked for anew so often
const STALE_INTERVALS = 4;
const HOUR = 3600;

const types = new Types();

/** Whether an age, seconds, is too old: four times what is usual of this type, by its last hour. */
function isStale(type, age) {
    if (type.samples_per_minute === undefined)
        return false; // not known yet
    if (!type.samples_per_minute)
        return age > HOUR; // the first one for long may have come since
    return age > Math.max(15, STALE_INTERVALS * 60 / type.samples_per_minute);
}

function meanOf(points) {
    let sum = 0, count = 0;
    for (const point of points) {
        if (point.count && point.average !== null) {
            sum += point.average * point.count;
            count += point.count;
        }
    }
    return count ? sum / count : null;
}

/** Of points over two windows: the line of the second, and how the mean changed since the first. */
function compare(points, border) {
    const index = points.findIndex((point) => Date.parse(point.timestamp) >= border * 1000);
    const [before, after] = [meanOf(points.slice(0, index)), meanOf(points.slice(index))];
    const change = before === null || after === null || before === 0 && after !== 0 ? null
        : before === after ? 0 : (after - before) / Math.abs(before);
    return { line: points.slice(index).map((point) => point.average), change };
}

const nextFrame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));

// --- a tile

class Tile {
    constructor(name) {
        const [base, labels] = format.nameParts(name);
        this.name = name;
        this.isFilled = false;
        this.link = h('a', { class: 'tile', title: name },
            h('span', { class: 'tile-name' }, base, labels && h('span', { class: 'labels' }, labels)));
        this.node = h('li', null, this.link);
    }

    fill() {
        this.value = h('span', { class: 'tile-value' });
        this.delta = h('span', { class: 'tile-change' });
        this.spark = new Sparkline('tile-line');
        this.age = h('span', { class: 'tile-age' });
        this.rate = h('span', { class: 'tile-rate' });
        this.link.append(
            h('span', { class: 'tile-middle' }, this.value, this.delta),
            this.spark.node,
            h('span', { class: 'tile-foot' }, this.age, this.rate));
        this.isFilled = true;
    }

    write(type, windowName) {
        const age = (now() - Date.parse(type.latest_timestamp)) / 1000;
        const stale = isStale(type, age);
        setNumber(this.value, format.number(type.latest_value), format.exact(type.latest_value));
        setText(this.age, format.ago(age) + (stale ? ', stale' : ''));
        const { samples_per_minute: rate } = type;
        setText(this.rate, rate === undefined ? '' : `${format.prefixed(rate)} / min`);
        setAttribute(this.link, 'data-stale', stale);
        const { change } = this;
        setText(this.delta, change === undefined || change === null ? '' : format.change(change));
        const words = `Average, against the ${windowName} before`;
        setAttribute(this.delta, 'title', typeof change === 'number' ? words : null);
    }

    draw() {
        if (this.line && this.drawn !== this.line)
            this.spark.draw(bridge(this.line));
        this.drawn = this.line;
    }
}

// --- the page

class Overview {
    tiles = new Map();
    near = new Set();
    turn = 0;
    wanted = 0;
    compared = false;

    constructor(main, route, app) {
        Object.assign(this, { main, route, app });
        this.build();
        this.observer = new IntersectionObserver((entries) => this.seen(entries), { rootMargin: '240px 0px' });
        this.clock = setInterval(() => this.tick(), 1000);
        this.update(route);
        live.follow((signal) => this.refresh(signal));
    }

    build() {
        this.search = h('input', {
            id: 'search', type: 'search', placeholder: 'Search', 'aria-label': 'Search types', autocomplete: 'off',
            spellcheck: 'false', 'aria-keyshortcuts': '/', oninput: () => this.searched(),
        });
        this.sort = h('select', { id: 'sort', onchange: () => this.set({ sort: this.sort.value }) },
            SORTS.map(([name, words]) => h('option', { value: name }, words)));
        this.windows = h('div', { class: 'segments', role: 'group', 'aria-label': 'Window' },
            SHORT_WINDOWS.map(([name, , words]) => h('a', { 'data-window': name }, words)));
        this.totals = h('p', { class: 'quiet', id: 'totals' }, '\u00a0');
        // Who points at a tile will want its chart.
        const prepare = () => loadPlot().catch(() => {});
        this.list = h('ul', { class: 'tiles', 'aria-label': 'Types', onpointerover: prepare, onfocusin: prepare });
        this.message = h('div', { class: 'message', hidden: true });
        this.app.title('');
        this.main.append(
            h('div', { class: 'heading' }, h('h1', { tabindex: -1 }, 'Overview'), this.totals),
            h('div', { class: 'tools' }, this.search,
                h('label', { class: 'field', for: 'sort' }, 'Sort by', this.sort), this.windows),
            this.message, this.list);
    }

    set(change) {
        this.app.go({ ...this.route, ...change }, { replace: true });
    }

    searched() {
        this.set({ search: this.search.value });
    }

    update(route) {
        const before = this.route;
        this.route = route;
        if (this.search.value !== route.search)
            this.search.value = route.search;
        this.sort.value = route.sort;
        for (const link of this.windows.children) {
            link.href = href({ ...route, window: link.dataset.window });
            setAttribute(link, 'aria-current', link.dataset.window === route.window ? 'true' : null);
        }
        if (before.window !== route.window) {
            for (const tile of this.tiles.values())
                Object.assign(tile, { line: undefined, change: undefined, asked: 0, samples: undefined });
            this.compared = false;
            live.poke();
        }
        for (const tile of this.tiles.values())
            this.point(tile);
        this.arrange();
        if (this.began)
            this.settle();
        if (route.sort === 'change' && !this.compared)
            live.poke();
    }

    /** Where the link of a tile leads. */
    point({ link, name }) {
        link.href = href({ page: 'type', type: name, from: null, window: this.route.window });
    }

    // --- asking

    async refresh(signal) {
        if (!this.began && this.tiles.size)
            await nextFrame(); // then it is known which tiles are in view
        const pages = this.pagesInView();
        let isNew = false;
        for (const index of pages)
            isNew = types.pages[index] && await types.load(index, signal) || isNew;
        if (isNew || !this.began || this.route.sort !== 'name' && !this.isRead())
            this.arrange();
        this.began = true;
        this.write();
        while (types.hasMore()) {
            const later = types.explore(4, signal);
            await Promise.all([later, this.askLines(this.lacking(true), signal)]);
            if (await later)
                this.arrange();
        }
        await this.askLines(this.lacking(), signal);
        await this.askRates(pages, signal);
        this.settle();
        if (this.route.sort === 'change' && !this.compared)
            await this.compareAll(signal);
    }

    /** At first of all pages, from then on of one a turn, those in view before others. */
    async askRates(pages, signal) {
        const isFirst = !this.isRated;
        const isNew = await types.rate(pages, isFirst ? Infinity : RATES_MS, isFirst ? Infinity : 1, signal);
        this.isRated = true;
        if (isNew || isFirst && this.route.sort === 'activity')
            this.arrange();
        this.write();
    }

    /** Those that hold tiles in view, and one of the others, in turn. */
    pagesInView() {
        const { pages, all } = types;
        const wanted = new Set();
        for (const tile of this.near) {
            const page = all.get(tile.name)?.page;
            if (page < pages.length)
                wanted.add(page);
        }
        this.turn = (this.turn + 1) % pages.length;
        wanted.add(pages[0].isKnown ? this.turn : 0);
        return [...wanted].sort((a, b) => a - b);
    }

    /** Tiles in view whose line is not that of the samples there are. */
    lacking(isFirst = false) {
        const time = performance.now();
        return [...this.near].filter((tile) => {
            const type = types.all.get(tile.name);
            if (!type || isFirst && tile.asked)
                return false;
            const moved = tile.samples !== type.count || tile.until !== this.span().to;
            return moved && (!tile.asked || time - tile.asked > REDRAW_MS);
        });
    }

    /** Two windows, the second of which ends with the step that is under way; seconds. */
    span() {
        const length = SHORT_WINDOWS.find(([name]) => name === this.route.window)[1];
        const step = stepFor(length, STEPS);
        const to = (Math.floor(now() / 1000 / step) + 1) * step;
        return { from: to - 2 * length, border: to - length, to, step };
    }

    async askLines(tiles, signal) {
        const groups = [];
        let length = Infinity;
        for (const tile of tiles) {
            const own = encodeURIComponent(tile.name).length + 6;
            if (length + own > ADDRESS_MAX || groups.at(-1).length === GROUP) {
                groups.push([]);
                length = 0;
            }
            groups.at(-1).push(tile);
            length += own;
        }
        for (let at = 0; at < groups.length; at += 2)
            await Promise.all(groups.slice(at, at + 2).map((group) => this.askGroup(group, signal)));
    }

    async askGroup(tiles, signal) {
        const { from, border, to, step } = this.span();
        const { window } = this.route;
        // What came just now may not be in an answer that was made for another: it is asked for once more.
        const known = tiles.map((tile) => types.all.get(tile.name));
        const counts = known.map((type) => performance.now() - type?.seen > SHARED_MS ? type.count : -1);
        const names = tiles.map((tile) => tile.name);
        const path = query('/api/metrics/series', { type: names, from, to, step, figures: 'average', percentiles: '' });
        const { data } = await get(path, { signal });
        if (window !== this.route.window)
            return;
        tiles.forEach((tile, index) => {
            Object.assign(tile, compare(data.series[index].points, border),
                { samples: counts[index], until: to, asked: performance.now() });
            if (tile.isFilled) {
                this.writeTile(tile);
                tile.draw();
            }
        });
    }

    async compareAll(signal) {
        const { window } = this.route;
        const missing = [...this.tiles.values()].filter((tile) => tile.change === undefined);
        for (let at = 0; at < missing.length; at += 2 * GROUP) {
            setText(this.totals, `Comparing ${format.count(at)} of ${format.count(missing.length)} types`);
            await this.askLines(missing.slice(at, at + 2 * GROUP), signal);
            if (window !== this.route.window)
                return;
        }
        this.compared = true;
        this.arrange();
        this.settle();
    }

    // --- showing

    /** Which tiles there are, in which order. */
    arrange() {
        const { search, sort } = this.route;
        const words = search.toLowerCase().split(/\s+/).filter(Boolean);
        const shown = [];
        for (const type of types.all.values()) {
            const name = type.type.toLowerCase();
            if (words.every((word) => name.includes(word)))
                shown.push(type);
        }
        shown.sort(this.order(sort));
        const tiles = shown.map((type) => this.tileOf(type.type));
        for (const [name, tile] of this.tiles) {
            if (!types.all.has(name)) {
                this.observer.unobserve(tile.node);
                this.near.delete(tile);
                this.tiles.delete(name);
            }
        }
        place(this.list, tiles.map((tile) => tile.node));
        this.shown = shown.length;
    }

    /** Somebody is at a tile, which then is not to move. */
    isRead() {
        return scrollY > 0 || this.list.matches(':hover, :focus-within');
    }

    order(sort) {
        const byName = (a, b) => a.type < b.type ? -1 : 1;
        const size = (type) => {
            const change = this.tiles.get(type.type)?.change;
            return change === null || change === undefined ? -1 : Math.abs(change);
        };
        const by = {
            name: () => 0,
            change: (a, b) => size(b) - size(a),
            activity: (a, b) => (b.samples_per_minute ?? -1) - (a.samples_per_minute ?? -1),
            newest: (a, b) => Date.parse(b.latest_timestamp) - Date.parse(a.latest_timestamp),
        }[sort];
        return (a, b) => by(a, b) || byName(a, b);
    }

    tileOf(name) {
        let tile = this.tiles.get(name);
        if (!tile) {
            this.tiles.set(name, tile = new Tile(name));
            tile.node.tile = tile;
            this.point(tile);
            this.observer.observe(tile.node);
        }
        return tile;
    }

    seen(entries) {
        for (const { target: { tile }, isIntersecting } of entries) {
            if (!isIntersecting) {
                this.near.delete(tile);
                continue;
            }
            this.near.add(tile);
            if (!tile.isFilled)
                tile.fill();
            this.writeTile(tile);
            tile.draw();
        }
        // Once the scrolling rests; the frame of the page has its own turn, every two seconds.
        clearTimeout(this.wanted);
        this.wanted = setTimeout(() => this.askSoon(), 60);
    }

    async askSoon() {
        if (!this.began || document.hidden)
            return;
        try {
            await this.askLines(this.lacking());
        } catch {
            // The next turn will tell.
        }
    }

    writeTile(tile) {
        const type = types.all.get(tile.name);
        if (type && tile.isFilled)
            tile.write(type, SHORT_WINDOWS.find(([name]) => name === this.route.window)[2]);
    }

    write() {
        for (const tile of this.near)
            this.writeTile(tile);
    }

    tick() {
        if (!document.hidden)
            this.write();
    }

    settle() {
        let samples = 0, bytes = 0;
        for (const type of types.all.values()) {
            samples += type.count;
            bytes += type.bytes ?? 0; // not known yet of one that has just come
        }
        const { size } = types.all;
        const found = this.shown < size ? `${format.count(this.shown)} of ` : '';
        setText(this.totals, `${found}${format.count(size)} ${size === 1 ? 'type' : 'types'}, ` +
            `${format.number(samples)} samples in ${format.bytes(bytes)}`);
        this.say(size, this.shown);
    }

    say(size, shown) {
        this.message.hidden = shown > 0;
        if (shown)
            return;
        this.message.replaceChildren(size
            ? h('p', null, 'No type has such a name.')
            : h('p', null, 'There is no metric yet. ',
                h('a', { href: '/dashboard/?page=send' }, 'Send the first one'), '.'));
    }

    leave() {
        this.observer.disconnect();
        clearInterval(this.clock);
        clearTimeout(this.wanted);
    }
}

export const overview = (main, route, app) => new Overview(main, route, app);
