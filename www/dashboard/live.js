// live.js: asks again, every two seconds, as long as somebody looks.
//
// One page at a time is followed. While it is hidden nothing is asked; when the service is away it is asked less and
// less often, every ten seconds in the end, and the reader is told since when what is seen is stale.

import { Failure, isAbort } from './api.js';

const PERIOD_MS = 1750;
const JITTER_MS = 200;
const FIRST_MS = 1000;     // after a failure; twice as long after each further one
const SLOWEST_MS = 10000;

let refresh = null;
let timer = 0;
let controller = null;
let failures = 0;
let lastGood = Date.now();
let tell = () => {};

/** tell({state: 'live' | 'stale' | 'token', since, error}) at every change. */
export function onState(listener) {
    tell = listener;
}

function pause() {
    clearTimeout(timer);
    timer = 0;
    controller?.abort();
    controller = null;
}

function later(started, delay) {
    const wait = delay - (performance.now() - started) + (Math.random() - 0.5) * JITTER_MS;
    timer = setTimeout(tick, Math.max(250, wait));
}

async function tick() {
    pause();
    if (!refresh || document.hidden)
        return;
    const own = controller = new AbortController();
    const started = performance.now();
    try {
        await refresh(own.signal);
        if (own.signal.aborted)
            return;
        failures = 0;
        lastGood = Date.now();
        tell({ state: 'live' });
        later(started, PERIOD_MS);
    } catch (error) {
        if (own.signal.aborted || isAbort(error))
            return;
        fail(error, started);
    }
}

function fail(error, started) {
    if (!(error instanceof Failure))
        console.error(error);
    if (error.kind === 'token') {
        tell({ state: 'token', error });
        return; // until poke()
    }
    // One that fails alone is not worth a word; more of them are, whatever they fail of.
    if (failures > 0)
        tell({ state: 'stale', since: lastGood, error });
    later(performance.now(), Math.min(SLOWEST_MS, FIRST_MS * 2 ** failures++));
}

/** Call `refresh(signal)` now and from then on. It throws when there is no answer. */
export function follow(what) {
    refresh = what;
    failures = 0;
    tick();
}

/** At once, whenever the next time would have been. */
export function poke() {
    failures = 0;
    tick();
}

export function stop() {
    refresh = null;
    pause();
}

document.addEventListener('visibilitychange', () => document.hidden ? pause() : poke());
addEventListener('online', poke);
