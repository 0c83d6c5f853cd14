// custom.js: a window of one's own: a button that opens a form of two instants, in the viewer's time zone.

import { h, setAttribute, setText } from './dom.js';
import * as format from './format.js';

const LEAST_MS = 1000;

export class CustomWindow {
    /** window: gives {from, to} of what is shown, in seconds; show: called with those wanted, in milliseconds. */
    constructor(window, show) {
        Object.assign(this, { window, show });
        this.button = h('button', {
            type: 'button', 'aria-expanded': 'false', 'aria-controls': 'custom', onclick: () => this.toggle(),
        }, 'Custom');
        const instant = (name) => h('input', { type: 'datetime-local', step: 1, name, required: true });
        this.from = instant('from');
        this.to = instant('to');
        this.words = h('span', { class: 'quiet', role: 'status' });
        this.node = h('form', {
            id: 'custom', class: 'custom', hidden: true, onsubmit: (event) => this.submitted(event),
        },
        h('label', { class: 'field' }, 'From', this.from), h('label', { class: 'field' }, 'to', this.to),
        h('button', { type: 'submit' }, 'Show'), this.words);
    }

    /** Whether the window that is shown is one's own. */
    mark(isCustom) {
        setAttribute(this.button, 'data-current', isCustom);
    }

    toggle() {
        const isOpen = this.node.hidden;
        this.node.hidden = !isOpen;
        this.button.setAttribute('aria-expanded', String(isOpen));
        if (isOpen) {
            this.write();
            this.from.focus();
        }
    }

    /** What is shown, unless somebody is writing there. */
    write() {
        if (this.node.hidden || this.node.contains(document.activeElement))
            return;
        const { from, to } = this.window();
        this.from.value = format.local(from * 1000);
        this.to.value = format.local(to * 1000);
        setText(this.words, `Times in ${format.zone()}`);
    }

    submitted(event) {
        event.preventDefault();
        const [from, to] = [Date.parse(this.from.value), Date.parse(this.to.value)];
        if (to - from >= LEAST_MS)
            this.show(from, to);
        else
            setText(this.words, 'The end must be later than the beginning.');
    }
}
