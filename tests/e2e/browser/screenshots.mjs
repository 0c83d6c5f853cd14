// screenshots.mjs: the dashboard as pictures, into the folder OUT, of the service at BASE.

import { mkdirSync, writeFileSync } from 'node:fs';
import { deflateSync, inflateSync } from 'node:zlib';
import { LAPTOP, PHONE, browser, isLive, open, sleep } from './harness.mjs';

const { OUT } = process.env;
const SIZE_MAX = 150 * 1024;

const PICTURES = [
    ['overview', '', LAPTOP], ['type', '?type=http.latency_ms;service=shop&window=6h', LAPTOP],
    ['heatmap', '?type=http.latency_ms;service=shop&window=24h&view=heatmap', LAPTOP],
    ['service', '?page=service', LAPTOP],
    ['overview-phone', '', PHONE], ['type-phone', '?type=http.latency_ms;service=shop&window=6h', PHONE],
];

function crc(bytes) {
    let sum = ~0;
    for (const byte of bytes) {
        sum ^= byte;
        for (let bit = 0; bit < 8; bit++)
            sum = sum & 1 ? sum >>> 1 ^ 0xedb88320 : sum >>> 1;
    }
    return ~sum >>> 0;
}

function chunk(name, data) {
    const bytes = Buffer.alloc(data.length + 12);
    bytes.writeUInt32BE(data.length);
    bytes.write(name, 4, 'latin1');
    data.copy(bytes, 8);
    bytes.writeUInt32BE(crc(bytes.subarray(4, -4)), data.length + 8);
    return bytes;
}

/** The rows of an image of three bytes a pixel, without the filters of PNG (RFC 2083, 6). */
function unfiltered(rows, width, height) {
    const length = 3 * width + 1;
    for (let y = 0; y < height; y++) {
        const row = rows.subarray(y * length, (y + 1) * length);
        const above = y ? rows.subarray((y - 1) * length, y * length) : Buffer.alloc(length);
        const filter = row[0];
        row[0] = 0;
        for (let x = 1; x < length; x++) {
            const a = x > 3 ? row[x - 3] : 0, b = above[x], c = x > 3 ? above[x - 3] : 0;
            const [toA, toB, toC] = [b - c, a - c, a + b - 2 * c].map(Math.abs);
            const nearest = toA <= toB && toA <= toC ? a : toB <= toC ? b : c;
            row[x] += [0, a, b, a + b >> 1, nearest][filter];
        }
    }
    return rows;
}

/** The same picture in fewer bytes: what is mostly flat packs better without filters. */
function pack(png) {
    const parts = [];
    for (let at = 8; at < png.length;) {
        const length = png.readUInt32BE(at);
        if (png.toString('latin1', at + 4, at + 8) === 'IDAT')
            parts.push(png.subarray(at + 8, at + 8 + length));
        at += length + 12;
    }
    const rows = unfiltered(inflateSync(Buffer.concat(parts)), png.readUInt32BE(16), png.readUInt32BE(20));
    const packed = deflateSync(rows, { level: 9, memLevel: 9 });
    return Buffer.concat([png.subarray(0, 33), chunk('IDAT', packed), chunk('IEND', Buffer.alloc(0))]);
}

async function take(name, path, viewport, colorScheme) {
    const page = await open(`/dashboard/${path}`, { viewport, colorScheme });
    await isLive(page);
    // A few turns, for what is made of two answers.
    await sleep(name === 'service' ? 12000 : 1500);
    if (name === 'type' || name === 'heatmap') {
        const area = await page.locator('.u-over').boundingBox();
        await page.mouse.move(area.x + area.width * 0.62, area.y + area.height * 0.55);
        await sleep(200);
    }
    const file = `${OUT}/${name}-${colorScheme}.png`;
    const picture = pack(await page.screenshot());
    await page.context().close();
    writeFileSync(file, picture);
    console.log(`${file}\t${picture.length}`);
    if (picture.length > SIZE_MAX)
        throw new Error(`${file} has ${picture.length} bytes`);
}

mkdirSync(OUT, { recursive: true });
for (const colorScheme of ['light', 'dark']) {
    for (const [name, path, viewport] of PICTURES)
        await take(name, path, viewport, colorScheme);
}
await browser.close();
process.exit(0);
