/*
 * otlp_metrics: samples of an OTLP/HTTP export of metrics in JSON (ExportMetricsServiceRequest,
 * opentelemetry-proto 1.x). Pure.
 *
 * Of gauges and sums, delta or cumulative, each point is a sample, as it came; of histograms,
 * exponential ones too, and summaries each point is two, `name.count` and `name.sum` (that one
 * where there is a sum). A series is named by the metric, the point's attributes and, of the
 * resource, `service.name` alone (series_name.h); attributes whose value is no text, number or
 * boolean are left out. Points without a value (flag NO_RECORDED_VALUE), without a time, of a value
 * that is not finite, or that cannot be named, are refused, one by one; index counts the points of
 * the request from 0. Unknown members are ignored, as the specification demands, and so are empty
 * lists; 64-bit integers are texts or numbers.
 */
#ifndef LIB_FORMATS_OTLP_METRICS_H
#define LIB_FORMATS_OTLP_METRICS_H

#include "error.h"
#include "json_read.h"
#include "sample_sink.h"

/*
 * Hand over all points of a request. ERR_OK also where some were refused; ERR_VALIDATION: it is no
 * such request (a member of its skeleton is of another kind), with the field that is to blame.
 */
enum err_code otlp_metrics_read(const struct json_value *request, struct sample_sink *sink,
                                struct error *err) __attribute__((warn_unused_result));

#endif
