// app.js: the frame of all pages: which one is shown, what links and keys do, the theme, and how fresh it is.

import { setToken, token } from './api.js';
import { forgetColours } from './colour.js';
import { h, setAttribute, setText } from './dom.js';
import * as format from './format.js';
import * as live from './live.js';
import { href, parse } from './location.js';
import { overview } from './overview.js';
import { service } from './service.js';
import { sendForm } from './send.js';
import { typePage } from './type.js';

const PAGES = { overview, type: typePage, service, send: sendForm };
const NAME = 'Resilient Analytics';

const main = document.getElementById('main');
const status = document.getElementById('status');
const statusText = document.getElementById('status-text');
const tokenForm = document.getElementById('token');

let shown = null; // {route, page}

// --- where we are

/** What a page may ask of the frame. */
const app = {
    /** Go to a route. replace: without an entry in the history; zoom: how deep in a chart. */
    go(route, { replace = false, zoom = 0 } = {}) {
        history[replace ? 'replaceState' : 'pushState']({ zoom }, '', href(route));
        show('there');
    },
    zoom: () => history.state?.zoom ?? 0,
    title(text) {
        document.title = text ? `${text} \u00b7 ${NAME}` : NAME;
    },
};

function markNavigation(route) {
    for (const link of document.querySelectorAll('nav a')) {
        const { pathname, search } = new URL(link.href);
        const isCurrent = pathname === location.pathname && parse(search).page === route.page;
        setAttribute(link, 'aria-current', isCurrent ? 'page' : null);
    }
}

/** What the address says. way: by which one came, 'first', 'there' by a link, or 'back', where one had scrolled to. */
function show(way) {
    const route = parse(location.search);
    if (shown && shown.route.page === route.page && shown.route.type === route.type) {
        shown.route = route;
        shown.page.update(route);
        return;
    }
    live.stop();
    shown?.page.leave?.();
    main.replaceChildren();
    markNavigation(route);
    shown = { route, page: PAGES[route.page](main, route, app) };
    if (way === 'there')
        scrollTo(0, 0);
    if (way !== 'first')
        main.querySelector('h1')?.focus({ preventScroll: true });
}

function isOurs(event, link) {
    return link && link.origin === location.origin && link.pathname === '/dashboard/' && !link.target &&
        !link.hasAttribute('download') && event.button === 0 &&
        !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) && !event.defaultPrevented;
}

document.addEventListener('click', (event) => {
    const link = event.target.closest?.('a[href]');
    if (!isOurs(event, link) || link.hash)
        return;
    event.preventDefault();
    const same = link.href === location.href;
    history[same ? 'replaceState' : 'pushState']({ zoom: 0 }, '', link.href);
    show('there');
});
addEventListener('popstate', () => show('back'));

// --- keys

const isTyping = (node) => node.closest?.('input, textarea, select, [contenteditable]');
document.addEventListener('keydown', (event) => {
    if (event.key !== '/' || isTyping(event.target) || event.ctrlKey || event.metaKey || event.altKey)
        return;
    event.preventDefault();
    if (shown.route.page !== 'overview')
        app.go(parse(''));
    document.getElementById('search')?.focus();
});

// --- how fresh it is

live.onState(({ state, since, error }) => {
    setAttribute(status, 'data-state', state);
    if (state === 'live')
        setText(statusText, 'Live');
    else if (state === 'stale')
        setText(statusText, `Stale since ${format.clock(since)}`);
    else
        setText(statusText, 'A token is needed');
    setAttribute(status, 'title', state === 'stale' ? error.message : null);
    askToken(state === 'token');
});

function askToken(isNeeded) {
    if (tokenForm.hidden !== isNeeded)
        return;
    tokenForm.hidden = !isNeeded;
    const input = tokenForm.elements.token;
    if (isNeeded) {
        document.getElementById('token-words').textContent = token()
            ? 'The service does not take this token.' : 'The service asks for its token (API_TOKEN).';
        input.value = '';
        input.focus();
    }
}

tokenForm.addEventListener('submit', (event) => {
    event.preventDefault();
    setToken(tokenForm.elements.token.value.trim());
    tokenForm.hidden = true;
    live.poke();
});

// --- the theme

const root = document.documentElement;
const themeButton = document.getElementById('theme');
const prefersDark = matchMedia('(prefers-color-scheme: dark)');
const isDark = () => (root.dataset.theme ?? (prefersDark.matches ? 'dark' : 'light')) === 'dark';

function paintTheme() {
    setAttribute(themeButton, 'aria-pressed', String(isDark()));
    forgetColours();
    shown?.page.repaint?.();
}
themeButton.addEventListener('click', () => {
    root.dataset.theme = isDark() ? 'light' : 'dark';
    try {
        localStorage.setItem('theme', root.dataset.theme);
    } catch {
        // Then it is for this page alone.
    }
    paintTheme();
});
prefersDark.addEventListener('change', paintTheme);

// --- begin

setText(document.getElementById('zone'), `Times in ${format.zone()}`);
show('first');
paintTheme();
