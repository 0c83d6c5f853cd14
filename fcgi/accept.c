#include "accept.h"

#include "number.h"

enum range_match { RANGE_NONE, RANGE_ANY, RANGE_SAME_KIND, RANGE_SAME };

static enum range_match match(struct slice range, struct slice type)
{
    struct slice range_kind = slice_cut(&range, '/'), kind = slice_cut(&type, '/');
    if (slice_equals(range_kind, SLICE("*")) && slice_equals(range, SLICE("*")))
        return RANGE_ANY;
    if (!slice_equals_ignoring_case(range_kind, kind))
        return RANGE_NONE;
    if (slice_equals(range, SLICE("*")))
        return RANGE_SAME_KIND;
    return slice_equals_ignoring_case(range, type) ? RANGE_SAME : RANGE_NONE;
}

/* 1 unless there is a `q`; one that is no weight is 0. */
static double weight_of(struct slice parameters)
{
    double weight = 1.0;
    while (parameters.len > 0) {
        struct slice value = slice_cut(&parameters, ';'), name = slice_cut(&value, '=');
        if (slice_equals_ignoring_case(slice_trim(name), SLICE("q")) &&
            (!number_parse_double(value, &weight) || !(weight >= 0.0 && weight <= 1.0)))
            return 0.0;
    }
    return weight;
}

static double weight_in(struct slice accept, struct slice type)
{
    enum range_match best = RANGE_NONE;
    double weight = 0.0;
    while (accept.len > 0) {
        struct slice parameters = slice_cut(&accept, ',');
        enum range_match found = match(slice_trim(slice_cut(&parameters, ';')), type);
        if (found > best) {
            best = found;
            weight = weight_of(parameters);
        }
    }
    return weight;
}

bool accept_prefers(struct slice accept, struct slice wanted, struct slice usual)
{
    return weight_in(accept, wanted) > weight_in(accept, usual);
}

bool accept_takes(struct slice accept_encoding, struct slice coding)
{
    return weight_in(accept_encoding, coding) > 0.0;
}
