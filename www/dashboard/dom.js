// dom.js: elements made by name. Text goes in as text nodes alone, so no name can become markup.

const SVG = 'http://www.w3.org/2000/svg';

function apply(node, props) {
    for (const [name, value] of Object.entries(props ?? {})) {
        if (value === null || value === undefined || value === false)
            continue;
        if (name.startsWith('on'))
            node.addEventListener(name.slice(2), value);
        else
            node.setAttribute(name, value === true ? '' : value);
    }
}

function append(node, children) {
    for (const child of children.flat(Infinity)) {
        if (child !== null && child !== undefined && child !== false)
            node.append(child);
    }
    return node;
}

/** h('a', {href, class, onclick}, 'text', node, [nodes]) */
export function h(tag, props, ...children) {
    const node = document.createElement(tag);
    apply(node, props);
    return append(node, children);
}

/** A table: the heads of its columns, and its Rows. */
export function table(columns, rows, { caption, ...props } = {}) {
    return h('table', props, caption && h('caption', null, caption),
        h('thead', null, h('tr', null, columns.map((column) => h('th', { scope: 'col' }, column)))), rows.node);
}

export function svg(tag, props, ...children) {
    const node = document.createElementNS(SVG, tag);
    apply(node, props);
    return append(node, children);
}

/** An icon of one path, 16 by 16, in the colour of the text. */
export function icon(path) {
    return svg('svg', { viewBox: '0 0 16 16', width: 16, height: 16, 'aria-hidden': 'true', class: 'icon' },
        svg('path', { d: path }));
}

/** Touches the document only where something changed. */
export function setText(node, text) {
    if (node.textContent !== text)
        node.textContent = text;
}

export function setAttribute(node, name, value) {
    if (value === null || value === undefined || value === false)
        node.removeAttribute(name);
    else if (node.getAttribute(name) !== String(value))
        node.setAttribute(name, value === true ? '' : value);
}

/** The children of a node, in this order. Nothing is touched when they are, and who has the focus keeps it. */
export function place(parent, nodes) {
    const { children } = parent;
    if (nodes.length === children.length && nodes.every((node, index) => children[index] === node))
        return;
    const { activeElement } = document;
    parent.replaceChildren(...nodes);
    if (parent.contains(activeElement))
        activeElement.focus({ preventScroll: true });
}

const emptyRow = ([, ...others]) => h('tr', null, h('th', { scope: 'row' }), others.map(() => h('td')));

/**
 * Rows of texts, of which the first cell is a head. One of the same key stays the same row while its cells change, so
 * that it can be read and marked meanwhile.
 */
export class Rows {
    node = h('tbody');
    known = new Map();

    constructor(rows = []) {
        this.write(rows);
    }

    write(rows, keys = rows.map(([first]) => first)) {
        const before = this.known;
        this.known = new Map(rows.map((texts, index) => {
            const row = before.get(keys[index]) ?? emptyRow(texts);
            texts.forEach((text, column) => setText(row.cells[column], text));
            return [keys[index], row];
        }));
        place(this.node, [...this.known.values()]);
    }
}

/** A number as text, the exact one in its title. */
export function setNumber(node, text, exact) {
    setText(node, text);
    setAttribute(node, 'title', exact !== text ? exact : null);
}

/** Hands a blob to the browser as a file. */
export function download(blob, name) {
    const url = URL.createObjectURL(blob);
    const link = h('a', { href: url, download: name, hidden: true });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
}

/** What may be a part of a file's name, of a type's. */
export const fileName = (type) => type.replace(/[^\p{L}\p{N}._=-]+/gu, '_').slice(0, 80) || 'metric';
