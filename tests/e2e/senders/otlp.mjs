// OTLP/HTTP in JSON by npm's @opentelemetry: otlp.mjs SERVICE. Where to, the token and the rest
// are in the environment, as everywhere with OpenTelemetry.
//
// Three exports, the last one at the end; prints how each of them went.
import { ExportResultCode } from "@opentelemetry/core";
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";

const [service] = process.argv.slice(2);
const exporter = new OTLPMetricExporter();
const send = exporter.export.bind(exporter);
exporter.export = (metrics, done) =>
    send(metrics, (result) => {
        console.log(ExportResultCode[result.code], result.error?.message ?? "");
        done(result);
    });
const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3600000, exportTimeoutMillis: 60000 });
const provider = new MeterProvider({
    resource: resourceFromAttributes({ "service.name": service, "host.name": "is not part of a name" }),
    readers: [reader],
});
const meter = provider.getMeter("shop");
const orders = meter.createCounter("orders");
const carts = meter.createUpDownCounter("carts");
const celsius = meter.createGauge("celsius");
const took = meter.createHistogram("took", { advice: { explicitBucketBoundaries: [1, 10] } });
meter.createObservableGauge("memory").addCallback((result) => result.observe(1.5, { kind: "rss;heap=1" }));

orders.add(3, { paid: true, country: "de" });
carts.add(5);
celsius.record(21.5);
took.record(0.5);
took.record(20);
await reader.forceFlush();
orders.add(4, { paid: true, country: "de" });
carts.add(-2);
celsius.record(-40);
took.record(7.25);
await reader.forceFlush();
await provider.shutdown();
