#include "percentiles.h"

#include <math.h>
#include <stdio.h>

#include "number.h"
#include "query.h"

/* In millionths of a percent, so that equal ones are equal. */
static bool parse_percentile(struct slice text, uint32_t *millionths)
{
    double value;
    if (!number_parse_double(text, &value) || !(value >= 0 && value <= 100))
        return false;
    *millionths = (uint32_t)llround(value * 1e6);
    /* The double nearest to a decimal is this quotient, for six decimals and no more. */
    return (double)*millionths / 1e6 == value;
}

static void name_percentile(uint32_t millionths, char name[static PERCENTILE_NAME_BYTES])
{
    unsigned whole = millionths / 1000000;
    unsigned fraction = millionths % 1000000;
    if (fraction == 0) {
        (void)snprintf(name, PERCENTILE_NAME_BYTES, "p%u", whole);
        return;
    }
    const char *point = whole < 99 ? "." : "";
    int len = snprintf(name, PERCENTILE_NAME_BYTES, "p%u%s%06u", whole, point, fraction);
    while (name[len - 1] == '0')
        name[--len] = '\0';
}

static enum err_code add_percentile(struct slice text, struct percentiles *percentiles,
                                    struct error *err)
{
    uint32_t millionths;
    if (!parse_percentile(text, &millionths))
        return error_add_field(err, "query", "percentiles",
                               "must be numbers from 0 to 100 with at most six decimals and a "
                               "comma between them, as 50,99.9");
    if (percentiles->count == PERCENTILES_MAX)
        return error_add_field(err, "query", "percentiles", "must be %d numbers at most",
                               PERCENTILES_MAX);
    size_t count = percentiles->count++;
    percentiles->entries[count].q = millionths;
    name_percentile(millionths, percentiles->entries[count].name);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(percentiles->entries[i].name, percentiles->entries[count].name) == 0)
            return error_add_field(err, "query", "percentiles", "must have %s once",
                                   percentiles->entries[i].name);
    }
    return ERR_OK;
}

enum err_code percentiles_read(const struct request *req, const char *fallback,
                               struct percentiles *percentiles, struct error *err)
{
    struct slice list;
    percentiles->count = 0;
    enum err_code code = query_get(req->query, "percentiles", req->arena, &list, err);
    if (!list.ptr)
        list = slice_from_string(fallback);
    bool is_more = list.len > 0;
    while (code == ERR_OK && is_more) {
        const char *comma = memchr(list.ptr, ',', list.len);
        size_t len = comma ? (size_t)(comma - list.ptr) : list.len;
        code = add_percentile(slice_of(list.ptr, len), percentiles, err);
        is_more = comma != NULL;
        if (is_more)
            list = slice_of(comma + 1, list.len - len - 1);
    }
    return err->code;
}
