/*
 * remote_write: samples of a Prometheus remote write request, version 1.0 (prometheus.WriteRequest
 * in protobuf, its snappy undone already; prometheus.io/docs/specs/prw/remote_write_spec). Pure.
 *
 *   WriteRequest { repeated TimeSeries timeseries = 1; (3: metadata, ignored) }
 *   TimeSeries   { repeated Label labels = 1; repeated Sample samples = 2;
 *                  (3: exemplars, 4: native histograms) }
 *   Label        { string name = 1; string value = 2 }
 *   Sample       { double value = 1; int64 timestamp = 2, milliseconds }
 *
 * Fields come in any order; unknown ones are ignored, scalars that are not there are 0, of those
 * that are there twice the last one counts. A series is named by its label `__name__` and its
 * other labels, sorted or not (series_name.h). Refused are, by the number of their series from 0:
 * a series without a name, with labels that are wrong or make no name of a series, whole; and a
 * sample beyond years 1 to 9999, alone.
 *
 * Stale markers (the NaN 0x7ff0000000000002) end a series: they are no samples and not counted
 * anywhere. Other values that are not finite, exemplars and native histograms of series that are
 * not refused count as skipped.
 *
 * Cost: about 25 ns for a sample; 450 ns more for a series of five labels and a name of 130 bytes.
 */
#ifndef LIB_FORMATS_REMOTE_WRITE_H
#define LIB_FORMATS_REMOTE_WRITE_H

#include "error.h"
#include "sample_sink.h"
#include "slice.h"

/*
 * Hand over all samples, series by series, as they come. ERR_OK also where some were refused or
 * the sink wanted no more; ERR_BAD_REQUEST: this is no such message (cut off, damaged, a field of
 * another type), or has more behind it; what stands before the place was handed over.
 */
enum err_code remote_write_read(struct slice message, struct sample_sink *sink, struct error *err)
    __attribute__((warn_unused_result));

#endif
