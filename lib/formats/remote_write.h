/*
 * remote_write: samples of a Prometheus remote write request, version 1.0 (prometheus.WriteRequest
 * in protobuf, inflated already). Pure.
 *
 *   WriteRequest { repeated TimeSeries timeseries = 1; (3: metadata, skipped) }
 *   TimeSeries   { repeated Label labels = 1; repeated Sample samples = 2; (3, 4: skipped) }
 *   Label        { string name = 1; string value = 2 }
 *   Sample       { double value = 1; int64 timestamp = 2, milliseconds }
 *
 * A series is named by its label `__name__` and its other labels (series_name.h). Stale markers
 * (the NaN 0x7ff0000000000002) end a series: they are no samples and not counted anywhere. Other
 * values that are not finite, exemplars and native histograms count as skipped. A series without a
 * name, or whose labels are wrong, is refused; index counts the series from 0. Unknown fields are
 * ignored, fields may come in any order.
 */
#ifndef LIB_FORMATS_REMOTE_WRITE_H
#define LIB_FORMATS_REMOTE_WRITE_H

#include "error.h"
#include "sample_sink.h"
#include "slice.h"

/* Hand over all samples. ERR_OK also where series were refused; ERR_BAD_REQUEST: this is no
 * such message; samples before the place were handed over. */
enum err_code remote_write_read(struct slice message, struct sample_sink *sink, struct error *err)
    __attribute__((warn_unused_result));

#endif
