/*
 * otlp_metrics: samples of an OTLP/HTTP export of metrics in JSON (ExportMetricsServiceRequest,
 * opentelemetry-proto 1.x; names of members in lowerCamelCase, as the specification has them).
 * Pure.
 *
 * Of gauges and sums, delta or cumulative, each point is a sample, as it came; of histograms,
 * exponential ones too, and summaries each point is two, `name.count` and `name.sum` (that one
 * where there is a sum). A series is named by the metric, the point's attributes and, of the
 * resource, `service.name` alone, unless the point has an attribute of that name (series_name.h).
 * Attributes whose value is no text, number or boolean are left out.
 *
 * Refused, one by one, are points without a value (flag NO_RECORDED_VALUE) or without a time, of
 * a number that is not finite or no number, or that cannot be named; index counts the points of
 * the request from 0, all that is wrong with one is told at once. Unknown members are ignored, as
 * the specification demands; null is the same as no member; 64-bit integers are texts or numbers.
 * Nanoseconds are rounded down to microseconds (as a number they are multiples of 256 anyway).
 *
 * Cost: about 0.8 us for a point of four attributes, beside 5 us for the tree of its JSON.
 */
#ifndef LIB_FORMATS_OTLP_METRICS_H
#define LIB_FORMATS_OTLP_METRICS_H

#include "error.h"
#include "json_read.h"
#include "sample_sink.h"

/*
 * Hand over all points of a request. ERR_OK also where some were refused or the sink wanted no
 * more; ERR_VALIDATION: it is no such request (a member of its skeleton, from resourceMetrics down
 * to dataPoints, is of another kind), with the field that is to blame; points in front of it were
 * handed over.
 */
enum err_code otlp_metrics_read(const struct json_value *request, struct sample_sink *sink,
                                struct error *err) __attribute__((warn_unused_result));

#endif
