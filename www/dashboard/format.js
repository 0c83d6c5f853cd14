// format.js: numbers, times and lengths of time, for people. Times are in the viewer's zone.

const THIN = '\u202f';
const MINUS = '\u2212';
const NONE = '\u2013';
const PREFIXES = [[1e12, 'T'], [1e9, 'G'], [1e6, 'M'], [1e3, 'k']];

const locale = 'en';
const groups = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
const significant = [3, 4].map((digits) =>
    new Intl.NumberFormat(locale, { maximumSignificantDigits: digits, useGrouping: false }));
const isNumber = (value) => typeof value === 'number' && Number.isFinite(value);
const minus = (text) => text.replace(/-/g, MINUS);

/** Four significant digits, with a prefix from 100,000 on: 85.73, 0.0042, 12,346, 1.23 M. */
export function number(value) {
    if (!isNumber(value))
        return NONE;
    const size = Math.abs(value);
    if (size === 0)
        return '0';
    if (size >= 1e15 || size < 1e-4)
        return minus(value.toExponential(2).replace('e+', 'e'));
    if (size < 1000)
        return minus(significant[1].format(value));
    if (size < 99999.5)
        return minus(groups.format(value));
    return prefixed(value);
}

/** With a prefix from 1000 on: 1.23 k. */
export function prefixed(value) {
    if (!isNumber(value))
        return NONE;
    // What would be rounded to 1000 of a prefix is one of the next.
    const [unit, prefix] = PREFIXES.find(([least]) => Math.abs(value) >= least * 0.9995) ?? [1, ''];
    return minus(significant[0].format(value / unit)) + (prefix && THIN + prefix);
}

/** Eight significant digits, which most values need not. */
export const precise = (value) => isNumber(value) ? String(Number(value.toPrecision(8))) : NONE;
export const exact = (value) => isNumber(value) ? String(value) : NONE;
export const count = (value) => isNumber(value) ? groups.format(value) : NONE;
export const percent = (share) => isNumber(share) ? significant[0].format(share * 100) + THIN + '%' : NONE;

export function bytes(value) {
    if (!isNumber(value))
        return NONE;
    return prefixed(value) + (Math.abs(value) < 999.5 ? THIN : '') + 'B';
}

/** A relative change: +12.3 %, −4.5 %, +12,346 %. */
export function change(relative) {
    if (!isNumber(relative))
        return NONE;
    const size = Math.abs(relative) * 100;
    const text = size < 99.95 ? size.toFixed(1) : size < 999.5 ? size.toFixed(0) : number(size);
    const sign = text === '0.0' ? '\u00b1' : relative > 0 ? '+' : MINUS;
    return sign + text + THIN + '%';
}

/** Seconds, of latencies: 12 µs, 3.4 ms. */
export function latency(seconds) {
    if (!isNumber(seconds))
        return NONE;
    if (seconds < 0.9995e-3)
        return significant[0].format(seconds * 1e6) + THIN + '\u00b5s';
    if (seconds < 0.9995)
        return significant[0].format(seconds * 1e3) + THIN + 'ms';
    return significant[0].format(seconds) + THIN + 's';
}

const UNITS = [[86400 * 365, 'y'], [86400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']];

/** The two greatest units of it, or one: 2 h 5 min. */
export function duration(seconds, units = 2) {
    let rest = Math.max(0, Math.round(seconds));
    const parts = [];
    for (const [length, name] of UNITS) {
        const many = Math.floor(rest / length);
        if (many && parts.length < units)
            parts.push(many + THIN + name);
        else if (parts.length)
            break;
        rest -= many * length;
    }
    return parts.join(' ') || '0' + THIN + 's';
}

export function ago(seconds) {
    if (seconds < -1.5)
        return 'in ' + duration(-seconds, 1);
    return duration(Math.max(0, Math.floor(seconds)), 1) + ' ago';
}

// --- times

const two = (value) => String(value).padStart(2, '0');
const asDate = (ms) => new Date(ms);

export const clock = (ms, date = asDate(ms)) =>
    `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
export const day = (ms, date = asDate(ms)) =>
    `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
export const minuteClock = (ms) => clock(ms).slice(0, 5);
/** 2026-02-21 12:00:00, with milliseconds if there are any. */
export function stamp(ms) {
    const rest = Math.round(ms) % 1000;
    return `${day(ms)} ${clock(ms)}${rest ? '.' + String(rest).padStart(3, '0') : ''}`;
}
/** The value of an input of the type datetime-local. */
export const local = (ms) => `${day(ms)}T${clock(ms)}`;

const MONTHS = Array.from({ length: 12 }, (_, month) =>
    new Intl.DateTimeFormat(locale, { month: 'short' }).format(new Date(2026, month, 1)));
export const shortDay = (ms, date = asDate(ms)) => `${date.getDate()} ${MONTHS[date.getMonth()]}`;

function monthLabel(date, isFirst) {
    const month = MONTHS[date.getMonth()];
    return isFirst || date.getMonth() === 0 ? `${month}\n${date.getFullYear()}` : month;
}

/** Labels of a time axis whose ticks are `increment` seconds apart. */
export function timeLabels(ticks, increment) {
    let before = null;
    return ticks.map((seconds) => {
        const ms = seconds * 1000, date = asDate(ms), today = day(ms);
        const isNewDay = before !== today;
        before = today;
        if (increment >= 86400 * 28)
            return monthLabel(date, ticks[0] === seconds);
        if (increment >= 86400)
            return shortDay(ms);
        const time = increment < 60 ? clock(ms) : minuteClock(ms);
        return isNewDay ? `${time}\n${shortDay(ms)}` : time;
    });
}

/** Asia/Kolkata (UTC+05:30) */
export function zone(now = Date.now()) {
    const minutes = -asDate(now).getTimezoneOffset();
    const size = Math.abs(minutes);
    const offset = `UTC${minutes < 0 ? MINUS : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`;
    const name = Intl.DateTimeFormat().resolvedOptions().timeZone ?? '';
    return name && name !== 'UTC' ? `${name} (${offset})` : 'UTC';
}

/** A name and the labels behind it: room.celsius;floor=2 gives ['room.celsius', 'floor=2']. */
export function nameParts(type) {
    const end = type.indexOf(';');
    return end > 0 ? [type.slice(0, end), type.slice(end + 1).split(';').join('  ')] : [type, ''];
}
