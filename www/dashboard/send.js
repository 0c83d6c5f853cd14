// send.js: a form that posts one sample, the same as a line for a shell, and what the service answers.

import { get, now, parsed, query, send, token } from './api.js';
import { Rows, h, setAttribute, setText, table } from './dom.js';
import * as live from './live.js';
import { href } from './location.js';

/** A word for a POSIX shell that stands for exactly this text. */
const quote = (text) => `'${text.replaceAll('\'', '\'\\\'\'')}'`;

const JSON_NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;

/** The body for what is in the form; the service is to judge it, so what is no number is sent as it is. */
function bodyOf(type, value, timestamp) {
    const isNumber = JSON_NUMBER.test(value.trim());
    const time = timestamp.trim() || new Date(Math.round(now())).toISOString();
    const text = (one) => JSON.stringify(one);
    return `{"timestamp":${text(time)},"value":${isNumber ? value.trim() : text(value)},"type":${text(type)}}`;
}

function field(name, words, hint, more) {
    const input = h('input', {
        id: `send-${name}`, name, autocomplete: 'off', spellcheck: 'false', 'aria-describedby': `hint-${name}`, ...more,
    });
    return h('div', { class: 'row' }, h('label', { for: `send-${name}` }, words), input,
        h('p', { id: `hint-${name}`, class: 'quiet' }, hint));
}

class SendForm {
    constructor(main, route, app) {
        Object.assign(this, { main, route, app });
        this.build();
        this.form.elements.type.value = route.type;
        this.writeLine();
        this.suggest();
        // What is asked for while this page is shown: whether the service is there, and takes the token.
        live.follow((signal) => get('/api/rate-limit', { signal }));
    }

    update() {}

    build() {
        this.app.title('Send');
        this.names = h('datalist', { id: 'names' });
        this.button = h('button', { type: 'submit', class: 'primary' }, 'Send');
        this.form = h('form', {
            class: 'panel send', novalidate: true,
            onsubmit: (event) => this.submit(event), oninput: () => this.writeLine(),
        },
        h('h2', null, 'Sample'),
        field('type', 'Type', 'Its name: letters, digits, whatever; 100 characters at most.', { list: 'names' }),
        field('value', 'Value', 'A finite number.', { inputmode: 'decimal' }),
        field('timestamp', 'Time', 'RFC 3339 or Unix seconds; empty: now.', { placeholder: 'now' }),
        this.names, h('p', null, this.button));
        this.main.append(
            h('div', { class: 'heading' }, h('h1', { tabindex: -1 }, 'Send a metric')),
            h('div', { class: 'pair' }, this.form, h('div', null, this.buildLine(), this.buildAnswer())));
    }

    buildLine() {
        this.line = h('code', { id: 'curl' });
        this.copied = h('span', { class: 'quiet', role: 'status' });
        const copy = h('button', { type: 'button', onclick: () => this.copy() }, 'Copy');
        return h('section', { class: 'panel' }, h('h2', null, 'The same by curl'),
            h('pre', { tabindex: 0, 'aria-label': 'The curl line' }, this.line),
            h('p', { class: 'inline' }, copy, this.copied));
    }

    buildAnswer() {
        this.result = h('div', null, h('p', { class: 'quiet' }, 'Nothing has been sent yet.'));
        return h('section', { class: 'panel answer', 'aria-labelledby': 'answer-title', 'aria-live': 'polite' },
            h('h2', { id: 'answer-title' }, 'Answer'), this.result);
    }

    async suggest() {
        try {
            const { data } = await get(query('/api/metrics/types', { limit: 200 }));
            this.names.append(...data.types.map(({ type }) => h('option', { value: type })));
        } catch {
            // Names can be typed.
        }
    }

    body() {
        const { type, value, timestamp } = this.form.elements;
        return bodyOf(type.value, value.value, timestamp.value);
    }

    writeLine() {
        const parts = [
            `curl -sS ${quote(location.origin + '/api/metrics')}`,
            '-H \'Content-Type: application/json\'',
            token() && '-H "Authorization: Bearer $API_TOKEN"',
            `--data-raw ${quote(this.body())}`,
        ];
        setText(this.line, parts.filter(Boolean).join(' \\\n    '));
        setText(this.copied, '');
    }

    async copy() {
        this.writeLine();
        try {
            await navigator.clipboard.writeText(this.line.textContent);
            setText(this.copied, 'Copied');
        } catch {
            getSelection().selectAllChildren(this.line);
            setText(this.copied, 'Selected; copy it by the keyboard');
        }
    }

    async submit(event) {
        event.preventDefault();
        if (this.isSending)
            return;
        this.beSending(true);
        this.writeLine();
        try {
            const { response, text } = await send('/api/metrics', {
                method: 'POST', body: this.body(), headers: { 'Content-Type': 'application/json' },
            });
            this.write(response, text);
            if (response.status === 401)
                live.poke();
        } catch (error) {
            const words = `${error.message}. Whether it is stored is not known.`;
            this.result.replaceChildren(h('p', { 'data-good': 'no' }, words));
        } finally {
            this.beSending(false);
        }
    }

    /** A button that is disabled would lose the focus. */
    beSending(is) {
        this.isSending = is;
        setAttribute(this.button, 'aria-disabled', is && 'true');
    }

    write(response, text) {
        const answer = parsed(text);
        const { ok, status, statusText } = response;
        const headers = [...response.headers].sort(([a], [b]) => a < b ? -1 : 1);
        const there = href({ page: 'type', type: this.form.elements.type.value, from: null, window: '1h' });
        this.markFields(answer);
        this.result.replaceChildren(h('div', null,
            h('p', { class: 'answer-status', 'data-good': ok ? 'yes' : 'no' }, `${status} ${statusText}`),
            answer?.errors && h('ul', { class: 'errors' }, answer.errors.map(({ loc, msg }) =>
                h('li', null, h('b', null, loc.slice(1).join(' ')), ` ${msg}`))),
            h('pre', { tabindex: 0, 'aria-label': 'The body' }, answer ? JSON.stringify(answer, null, 2) : text),
            h('details', null, h('summary', null, 'Headers'),
                table(['Name', 'Value'], new Rows(headers), { class: 'headers' })),
            ok && h('p', null, h('a', { href: there }, 'Look at it'))));
    }

    markFields(problem) {
        const wrong = new Set(problem?.errors?.map(({ loc }) => loc.at(-1)));
        for (const name of ['type', 'value', 'timestamp'])
            this.form.elements[name].setAttribute('aria-invalid', String(wrong.has(name)));
    }
}

export const sendForm = (main, route, app) => new SendForm(main, route, app);
