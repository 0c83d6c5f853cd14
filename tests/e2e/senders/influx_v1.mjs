// InfluxDB 1.x by npm's influx: influx_v1.mjs PORT USER PASSWORD; prints what it is told.
import { FieldType, InfluxDB } from "influx";

const [port, username, password] = process.argv.slice(2);
const client = new InfluxDB({
    host: "127.0.0.1",
    port: Number(port),
    database: "telemetry",
    username,
    password,
    schema: [
        {
            measurement: "pump",
            tags: ["site"],
            fields: {
                bar: FieldType.FLOAT,
                starts: FieldType.INTEGER,
                on: FieldType.BOOLEAN,
                state: FieldType.STRING,
            },
        },
    ],
});
const point = (milliseconds, bar, starts, on) => ({
    measurement: "pump",
    tags: { site: "a,b c=d" },
    fields: { bar, starts, on, state: "fine" },
    timestamp: new Date(1771675200000 + milliseconds),
});
const told = (call) => call.then((result) => String(result ?? "ok"), (error) => error.res.statusCode);

console.log("online", (await client.ping(5000)).every((host) => host.online));
console.log("create", await told(client.createDatabase("telemetry")));
console.log("databases", await told(client.getDatabaseNames()));
console.log("ms", await told(client.writePoints([point(0, 1.5, 7, true), point(1, -2.25e-3, 8, false)], { precision: "ms" })));
console.log("s", await told(client.writePoints([point(60000, 3, 9007199254740991, true)], { precision: "s" })));
const unnamed = { measurement: "long", tags: { name: "x".repeat(300) }, fields: { bar: 1 } };
console.log("wrong", await told(client.writePoints([unnamed])));
