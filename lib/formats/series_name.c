#include "series_name.h"

#include "sample.h"

bool series_labels_add(struct series_labels *labels, struct slice name, struct slice value)
{
    if (labels->count == SERIES_LABELS_MAX)
        return false;
    labels->at[labels->count++] = (struct series_label){name, value};
    return true;
}

/* By insertion: senders mostly have them in order. */
const char *series_labels_sort(struct series_labels *labels)
{
    size_t count = 0;
    for (size_t i = 0; i < labels->count; i++) {
        const struct series_label label = labels->at[i];
        if (label.name.len == 0)
            return "a label has an empty name";
        size_t at = count;
        int order = -1;
        while (at > 0 && (order = slice_compare(labels->at[at - 1].name, label.name)) > 0) {
            labels->at[at] = labels->at[at - 1];
            at--;
        }
        if (order == 0)
            return "a label is there twice";
        labels->at[at] = label;
        count++;
    }
    labels->count = 0;
    for (size_t i = 0; i < count; i++) {
        if (labels->at[i].value.len > 0)
            labels->at[labels->count++] = labels->at[i];
    }
    return NULL;
}

struct text {
    char *bytes;
    size_t len; /* more than SERIES_NAME_BYTES_MAX: it did not fit */
};

static void put(struct text *text, struct slice part)
{
    if (text->len + part.len <= SERIES_NAME_BYTES_MAX)
        memcpy(text->bytes + text->len, part.ptr, part.len);
    text->len += part.len;
}

/* What the first byte of `part` has to be written as; {NULL, 0}: as it is. */
static struct slice escape_of(struct slice part, bool is_label_name)
{
    if (part.ptr[0] == ';')
        return SLICE("%3B");
    if (part.ptr[0] == '=' && is_label_name)
        return SLICE("%3D");
    if (part.ptr[0] == '%' &&
        (slice_starts_with(part, SLICE("%3B")) || slice_starts_with(part, SLICE("%3D")) ||
         slice_starts_with(part, SLICE("%25"))))
        return SLICE("%25");
    return (struct slice){NULL, 0};
}

static void put_escaped(struct text *text, struct slice part, bool is_label_name)
{
    size_t plain = 0;
    while (plain < part.len) {
        struct slice escape =
            escape_of(slice_of(part.ptr + plain, part.len - plain), is_label_name);
        if (!escape.ptr) {
            plain++;
            continue;
        }
        put(text, slice_of(part.ptr, plain));
        put(text, escape);
        part = slice_of(part.ptr + plain + 1, part.len - plain - 1);
        plain = 0;
    }
    put(text, part);
}

const char *series_name_spell(struct slice metric, struct slice field,
                              const struct series_labels *labels,
                              char buffer[static SERIES_NAME_BYTES_MAX], struct slice *name)
{
    if (metric.len == 0)
        return "must not be empty";
    struct text text = {buffer, 0};
    put_escaped(&text, metric, false);
    if (field.ptr) {
        put(&text, SLICE("."));
        put_escaped(&text, field, false);
    }
    for (size_t i = 0; i < labels->count; i++) {
        put(&text, SLICE(";"));
        put_escaped(&text, labels->at[i].name, true);
        put(&text, SLICE("="));
        put_escaped(&text, labels->at[i].value, false);
    }
    if (text.len > SERIES_NAME_BYTES_MAX)
        return "must have at most 255 bytes, with its labels";
    *name = slice_of(buffer, text.len);
    return sample_check_type(*name);
}
