#include "write_request.h"

#include <stdio.h>
#include <stdlib.h>

enum { MESSAGE_BYTES_MAX = 1 << 20 };

static void put_varint(struct strbuf *out, uint64_t value)
{
    for (; value > 0x7f; value >>= 7)
        strbuf_append_char(out, (char)(value | 0x80));
    strbuf_append_char(out, (char)value);
}

static void put_fixed(struct strbuf *out, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        strbuf_append_char(out, (char)(value >> (8 * i)));
}

static void put_tag(struct strbuf *out, uint32_t number, unsigned wire)
{
    put_varint(out, (uint64_t)number << 3 | wire);
}

void protobuf_put_varint(struct strbuf *message, uint32_t number, uint64_t value)
{
    put_tag(message, number, 0);
    put_varint(message, value);
}

void protobuf_put_fixed64(struct strbuf *message, uint32_t number, uint64_t value)
{
    put_tag(message, number, 1);
    put_fixed(message, value, 8);
}

void protobuf_put_fixed32(struct strbuf *message, uint32_t number, uint32_t value)
{
    put_tag(message, number, 5);
    put_fixed(message, value, 4);
}

void protobuf_put_bytes(struct strbuf *message, uint32_t number, struct slice bytes)
{
    put_tag(message, number, 2);
    put_varint(message, bytes.len);
    strbuf_append_slice(message, bytes);
}

/* A message within another one is made in a buffer of its own. */
static void put_message(struct strbuf *outer, uint32_t number, struct strbuf *inner)
{
    protobuf_put_bytes(outer, number, strbuf_slice(inner));
    strbuf_release(inner);
}

void write_label(struct strbuf *series, struct slice name, struct slice value)
{
    struct strbuf label;
    strbuf_init(&label, MESSAGE_BYTES_MAX);
    protobuf_put_bytes(&label, 1, name);
    protobuf_put_bytes(&label, 2, value);
    put_message(series, 1, &label);
}

void write_sample(struct strbuf *series, uint64_t value_bits, int64_t at_ms)
{
    struct strbuf sample;
    strbuf_init(&sample, MESSAGE_BYTES_MAX);
    protobuf_put_fixed64(&sample, 1, value_bits);
    protobuf_put_varint(&sample, 2, (uint64_t)at_ms);
    put_message(series, 2, &sample);
}

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static void put_word(struct strbuf *series, struct slice word)
{
    struct slice rest = word, head = slice_cut(&rest, '=');
    if (slice_equals(word, SLICE("exemplar")))
        protobuf_put_bytes(series, 3, SLICE(""));
    else if (slice_equals(word, SLICE("histogram")))
        protobuf_put_bytes(series, 4, SLICE(""));
    else if (head.len < word.len)
        write_label(series, head, rest);
    else if (memchr(word.ptr, '@', word.len))
        write_sample(series,
                     slice_starts_with(word, SLICE("stale")) ? STALE_BITS
                                                             : bits_of(strtod(word.ptr, NULL)),
                     strtoll((char *)memchr(word.ptr, '@', word.len) + 1, NULL, 10));
    else
        abort();
}

void write_request_of(struct strbuf *request, const char *words)
{
    struct slice rest = slice_from_string(words);
    struct strbuf series;
    strbuf_init(&series, MESSAGE_BYTES_MAX);
    while (rest.len > 0) {
        struct slice word = slice_cut(&rest, ' ');
        if (slice_equals(word, SLICE("|"))) {
            put_message(request, 1, &series);
            strbuf_init(&series, MESSAGE_BYTES_MAX);
        } else {
            put_word(&series, word);
        }
    }
    put_message(request, 1, &series);
}

static bool one_in(struct test_random *chance, size_t n)
{
    return test_random_below(chance, n) == 0;
}

static void put_unknown(struct strbuf *message, struct test_random *chance)
{
    uint32_t number = 5 + (uint32_t)test_random_below(chance, one_in(chance, 2) ? 20 : 1 << 28);
    switch (test_random_below(chance, 4)) {
    case 0:
        protobuf_put_varint(message, number, test_random_u64(chance));
        break;
    case 1:
        protobuf_put_fixed64(message, number, test_random_u64(chance));
        break;
    case 2:
        protobuf_put_fixed32(message, number, (uint32_t)test_random_u64(chance));
        break;
    default:
        protobuf_put_bytes(message, number, SLICE("not for us"));
        break;
    }
}

/* A varint with a zero more than need be at its end. */
static void put_long_varint(struct strbuf *message, uint32_t number, uint64_t value)
{
    put_tag(message, number, 0);
    for (int i = 0; i < 9 && (value >> 7 * i) > 0; i++)
        strbuf_append_char(message, (char)(value >> (7 * i) | 0x80));
    strbuf_append_char(message, (char)(value >> 63));
}

static uint64_t random_value(struct test_random *chance)
{
    switch (test_random_below(chance, 12)) {
    case 0:
        return STALE_BITS;
    case 1:
        return test_random_u64(chance) | UINT64_C(0x7ff0000000000000); /* not finite */
    default:
        return bits_of((double)test_random_below(chance, 100000) / 8);
    }
}

static void put_random_sample(struct strbuf *series, struct test_random *chance)
{
    struct strbuf sample;
    strbuf_init(&sample, MESSAGE_BYTES_MAX);
    int64_t at_ms = INT64_C(1700000000000) + (int64_t)test_random_below(chance, 1000000);
    if (one_in(chance, 20))
        at_ms = (int64_t)test_random_u64(chance) >> test_random_below(chance, 20);
    int times = one_in(chance, 10) ? (int)test_random_below(chance, 4) : 2;
    for (int i = 0; i < times; i++) {
        if (one_in(chance, 2))
            protobuf_put_fixed64(&sample, 1, random_value(chance));
        if (one_in(chance, 4))
            put_long_varint(&sample, 2, (uint64_t)at_ms);
        else
            protobuf_put_varint(&sample, 2, (uint64_t)at_ms);
        if (one_in(chance, 10))
            put_unknown(&sample, chance);
    }
    put_message(series, 2, &sample);
}

static struct slice random_text(struct test_random *chance)
{
    static char longest[300];
    static const char *const texts[] = {"a",        "b=c", "x;y", "%3B",  "%",   "%25",
                                        "\xc3\xa9", "",    "\n",  "\xff", "a a", "10.0.0.1:9100"};
    enum { TEXTS = sizeof texts / sizeof *texts };
    size_t at = test_random_below(chance, 40);
    memset(longest, 'n', sizeof longest);
    if (at == TEXTS)
        return slice_of(longest, test_random_below(chance, sizeof longest));
    return slice_from_string(texts[at < TEXTS ? at : 0]);
}

static void put_random_label(struct strbuf *series, struct test_random *chance, size_t index)
{
    static const char *const names[] = {"__name__", "job", "instance", "le",
                                        "a;b",      "a=b", "z",        "A"};
    enum { NAMES = sizeof names / sizeof *names };
    char numbered[24];
    struct strbuf label;
    strbuf_init(&label, MESSAGE_BYTES_MAX);
    (void)snprintf(numbered, sizeof numbered, "l%zu", index);
    struct slice name = slice_from_string(index < NAMES ? names[index] : numbered);
    if (one_in(chance, 100))
        name = random_text(chance);
    if (one_in(chance, 20))
        put_unknown(&label, chance);
    if (!one_in(chance, 50))
        protobuf_put_bytes(&label, 2, random_text(chance));
    protobuf_put_bytes(&label, 1, name);
    if (one_in(chance, 20))
        protobuf_put_bytes(&label, 2, random_text(chance));
    put_message(series, 1, &label);
}

static void put_random_series(struct strbuf *request, struct test_random *chance)
{
    struct strbuf series;
    strbuf_init(&series, MESSAGE_BYTES_MAX);
    size_t labels =
        one_in(chance, 100) ? 60 + test_random_below(chance, 10) : 1 + test_random_below(chance, 7);
    size_t samples = test_random_below(chance, 4);
    size_t first = one_in(chance, 50) ? 1 : 0; /* 0 is that of the name */
    for (size_t label = first; label < labels || samples > 0;) {
        if (one_in(chance, 10))
            put_unknown(&series, chance);
        if (one_in(chance, 20))
            protobuf_put_bytes(&series, 3 + (uint32_t)test_random_below(chance, 2), SLICE("x"));
        if (samples > 0 && (label == labels || one_in(chance, 4))) {
            put_random_sample(&series, chance);
            samples--;
        } else if (label < labels) {
            put_random_label(&series, chance, label++);
        }
    }
    put_message(request, 1, &series);
}

void write_request_random(struct strbuf *request, struct test_random *chance)
{
    for (size_t left = test_random_below(chance, 5); left > 0; left--) {
        if (one_in(chance, 10))
            put_unknown(request, chance);
        put_random_series(request, chance);
    }
}
