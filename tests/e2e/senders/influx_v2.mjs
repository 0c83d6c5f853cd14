// InfluxDB 2.x by npm's @influxdata/influxdb-client: influx_v2.mjs URL TOKEN MEASUREMENT COUNT.
//
// Ends when all are accepted, for closing gives up what is still to be sent again. Prints how many
// bytes of lines that were: sent compressed, they are fewer.
import { InfluxDB, Point, setLogger } from "@influxdata/influxdb-client";

setLogger({ warn() {}, error: console.error });
const [url, token, measurement, count] = process.argv.slice(2);
let left = Number(count);
let succeed;
const all = new Promise((resolve, reject) => {
    succeed = resolve;
    setTimeout(reject, 60000, new Error("not all was accepted within a minute")).unref();
});
const api = new InfluxDB({ url, token }).getWriteApi("org", "bucket", "us", {
    batchSize: 500,
    gzipThreshold: 1000,
    // It takes the seconds of Retry-After for milliseconds: the 5 tries of its default are soon over.
    maxRetries: 1000,
    writeSuccess: (lines) => (left -= lines.length) || succeed(),
});
api.useDefaultTags({ host: "a host" });
let bytes = 0;
for (let number = 0; number < count; number++) {
    const point = new Point(measurement)
        .tag("zone", `z${number % 2}`)
        .floatField("load", number / 4)
        .intField("jobs", number)
        .uintField("total", String(2n ** 53n + BigInt(2 * number)))
        .booleanField("busy", number % 3 === 0)
        .stringField("text", 'back\\slash, "quotes"')
        .timestamp(String(1771675200000000 + number));
    bytes += point.toLineProtocol(api).length + 1;
    api.writePoint(point);
}
await all;
await api.close();
console.log(bytes);
