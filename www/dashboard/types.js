// types.js: the types there are, page by page, as far as they have been asked for.
//
// A page of names is asked for at a time. Pages follow each other by cursors, which stay right while nothing is
// added or removed before them, and are corrected by the answer of the page before. Mostly they are asked for in
// brief; how often samples come and what they take is asked for less often.

import { get, query } from './api.js';

const LIMIT = 100;

export class Types {
    all = new Map(); // name: what the service says of it, and `page`
    pages = [{ cursor: null }];

    /** Asks for the page `index`. Whether a type came or went. */
    async load(index, signal, isBrief = true) {
        const page = this.pages[index];
        const path = query('/api/metrics/types', { limit: LIMIT, brief: isBrief || null, cursor: page.cursor });
        const { data, changed } = await get(path, { signal });
        if (!isBrief)
            page.rated = performance.now();
        if (!changed && page.data === data)
            return false;
        page.data = data;
        const isNew = this.take(index, data, isBrief);
        if (data.next === null)
            return this.cut(index + 1) || isNew;
        this.pages[index + 1] ??= {};
        this.pages[index + 1].cursor = data.next;
        return isNew;
    }

    /** Asks for pages that are not known yet, `many` at most. Whether a type came. */
    async explore(many, signal) {
        let isNew = false;
        for (let turn = 0; turn < many && this.hasMore(); turn++)
            isNew = await this.load(this.pages.findIndex((page) => !page.isKnown), signal) || isNew;
        return isNew;
    }

    /**
     * Asks for the rates of pages where they are older than `age`, ms, `many` at most, those of `preferred` before
     * others. Whether a type came or went.
     */
    async rate(preferred, age, many, signal) {
        const time = performance.now();
        const isOld = (index) => !(time - this.pages[index].rated < age);
        const all = new Set([...preferred, ...this.pages.keys()]);
        const old = [...all].filter((index) => this.pages[index] && isOld(index));
        let isNew = false;
        for (const index of old.slice(0, many))
            isNew = this.pages[index] && await this.load(index, signal, false) || isNew;
        return isNew;
    }

    hasMore() {
        return this.pages.some((page) => !page.isKnown);
    }

    take(index, { types, next }, isBrief) {
        const names = new Set();
        let isNew = false;
        for (const type of types) {
            names.add(type.type);
            const known = this.all.get(type.type);
            isNew ||= !known;
            const seen = known?.count === type.count ? known.seen : performance.now();
            // Rates may come of an answer that was made for another, and is older than what is known.
            const isOlder = !isBrief && type.count < known?.count;
            const { samples_per_minute, bytes } = type;
            const news = isOlder ? { samples_per_minute, bytes } : { ...type, seen };
            this.all.set(type.type, { ...known, ...news, page: index, isDoubtful: false });
        }
        for (const [name, type] of this.all) {
            if (type.page !== index || names.has(name))
                continue;
            // Pushed to the next page by one that is new, or gone: the next page will tell, if there is one.
            if (type.isDoubtful || isBrief && next === null) {
                this.all.delete(name);
                isNew = true;
            } else {
                type.page = Math.min(index + 1, this.pages.length - 1);
                type.isDoubtful = true;
            }
        }
        this.pages[index].isKnown = true;
        return isNew;
    }

    cut(length) {
        this.pages.length = Math.min(this.pages.length, length);
        let isCut = false;
        for (const [name, type] of this.all) {
            if (type.page >= length) {
                this.all.delete(name);
                isCut = true;
            }
        }
        return isCut;
    }
}
