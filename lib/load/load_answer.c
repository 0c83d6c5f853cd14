#include "load_answer.h"

#include <stdbool.h>

#include "json_read.h"

enum { REASON_BYTES_MAX = 1024, INDEX_MAX = 1 << 30 };

/* --- Of one error: {"loc":["body",3,"value"],"msg":"…"} ------------------------------ */

struct blame {
    bool is_body;
    bool has_index;
    size_t index;
    struct slice name; /* empty: the whole of it */
    size_t position;
};

static bool read_place(void *context, struct slice unused, const struct json_value *value)
{
    struct blame *blame = context;
    struct slice text;
    double number;
    (void)unused;
    if (json_value_text(value, &text)) {
        if (blame->position == 0)
            blame->is_body = slice_equals(text, SLICE("body"));
        else
            blame->name = text;
    } else if (blame->position == 1 && json_value_number(value, &number) && number >= 0 &&
               number <= INDEX_MAX) {
        blame->has_index = true;
        blame->index = (size_t)number;
    }
    blame->position++;
    return true;
}

static struct blame blame_of(const struct json_value *error)
{
    struct blame blame = {0};
    json_value_each(json_value_member(error, "loc"), read_place, &blame);
    return blame;
}

static void append_error(struct strbuf *out, const struct json_value *error)
{
    struct slice message;
    struct blame blame = blame_of(error);
    if (!json_value_text(json_value_member(error, "msg"), &message))
        return;
    if (out->len > 0)
        strbuf_append_slice(out, SLICE("; "));
    if (blame.name.len > 0) {
        strbuf_append_slice(out, blame.name);
        strbuf_append_slice(out, SLICE(": "));
    }
    strbuf_append_slice(out, message);
}

static bool append_each(void *context, struct slice unused, const struct json_value *error)
{
    (void)unused;
    append_error(context, error);
    return true;
}

/* --- Of many lines ------------------------------------------------------------------ */

struct telling {
    struct load_rejections *rejections;
    struct strbuf reason;
    bool has_line; /* that the reason is of */
    size_t line;
    bool blames_body, blames_lines;
};

static void tell(struct telling *telling)
{
    struct load_rejections *rejections = telling->rejections;
    if (telling->has_line && rejections->reject)
        rejections->reject(rejections->context, telling->line, strbuf_slice(&telling->reason));
    strbuf_reset(&telling->reason);
    telling->has_line = false;
}

/* {"index":3,"errors":[…]} */
static bool tell_rejected(void *context, struct slice unused, const struct json_value *rejected)
{
    struct telling *telling = context;
    double index;
    (void)unused;
    telling->rejections->count++;
    if (!json_value_number(json_value_member(rejected, "index"), &index) || index < 0 ||
        index > INDEX_MAX)
        return true;
    telling->has_line = true;
    telling->line = (size_t)index;
    json_value_each(json_value_member(rejected, "errors"), append_each, &telling->reason);
    tell(telling);
    return true;
}

/* Those of one line follow each other. */
static bool tell_error(void *context, struct slice unused, const struct json_value *error)
{
    struct telling *telling = context;
    struct blame blame = blame_of(error);
    (void)unused;
    telling->blames_body = telling->blames_body || blame.is_body;
    if (!blame.is_body || !blame.has_index)
        return true;
    telling->blames_lines = true;
    if (telling->has_line && telling->line != blame.index)
        tell(telling);
    telling->has_line = true;
    telling->line = blame.index;
    append_error(&telling->reason, error);
    return true;
}

static void telling_begin(struct telling *telling, struct load_rejections *rejections)
{
    *telling = (struct telling){.rejections = rejections};
    strbuf_init(&telling->reason, REASON_BYTES_MAX);
}

/* --- Of an answer ------------------------------------------------------------------- */

static void explain(const struct load_answer *answer, const struct json_value *root,
                    struct strbuf *why)
{
    struct slice detail;
    strbuf_printf(why, "%ld", answer->status);
    if (json_value_text(json_value_member(root, "detail"), &detail) ||
        json_value_text(json_value_member(root, "title"), &detail)) {
        strbuf_append_slice(why, SLICE(" "));
        strbuf_append_slice(why, detail);
    }
    struct strbuf errors;
    strbuf_init(&errors, REASON_BYTES_MAX);
    json_value_each(json_value_member(root, "errors"), append_each, &errors);
    if (errors.len > 0) {
        strbuf_append_slice(why, SLICE(": "));
        strbuf_append_slice(why, strbuf_slice(&errors));
    }
    strbuf_release(&errors);
}

/* Whoever answers: 204 has no body, and with others the service counts. */
static enum load_outcome judge_success(const struct load_answer *answer,
                                       const struct json_value *root, struct strbuf *why,
                                       struct load_rejections *rejections)
{
    struct telling telling;
    double count;
    if (answer->status == 204)
        return LOAD_STORED;
    if (!json_value_number(json_value_member(root, "accepted"), &count)) {
        strbuf_printf(why,
                      "%ld that does not say how many samples it took: this is no such "
                      "service",
                      answer->status);
        return LOAD_REFUSED;
    }
    telling_begin(&telling, rejections);
    json_value_each(json_value_member(root, "rejected"), tell_rejected, &telling);
    strbuf_release(&telling.reason);
    if (json_value_number(json_value_member(root, "rejected_count"), &count) && count >= 0 &&
        count <= INDEX_MAX)
        rejections->count = (size_t)count;
    return LOAD_STORED;
}

static enum load_outcome judge_lines(const struct load_answer *answer, struct telling *telling)
{
    if (!telling->blames_body)
        return LOAD_REFUSED;
    if (!telling->blames_lines && answer->line_count > 1)
        return LOAD_TOO_MUCH;
    if (!answer->is_partial)
        return LOAD_REFUSED;
    telling->rejections->count = answer->line_count;
    return LOAD_STORED;
}

static enum load_outcome judge_validation(const struct load_answer *answer,
                                          const struct json_value *root, struct strbuf *why,
                                          struct load_rejections *rejections)
{
    struct telling telling;
    telling_begin(&telling, rejections);
    json_value_each(json_value_member(root, "errors"), tell_error, &telling);
    tell(&telling);
    enum load_outcome outcome = judge_lines(answer, &telling);
    strbuf_release(&telling.reason);
    if (outcome == LOAD_STORED && !telling.blames_lines && rejections->reject)
        rejections->reject(rejections->context, 0, strbuf_slice(why));
    return outcome;
}

static bool passes(long status)
{
    return status == 408 || status == 409 || status == 425 || status == 429 || status >= 500;
}

enum load_outcome load_answer_judge(const struct load_answer *answer,
                                    struct load_rejections *rejections, struct strbuf *why)
{
    struct error unused;
    error_init(&unused);
    struct json_document *document = json_document_new(answer->body, "body", &unused);
    const struct json_value *root = document ? json_document_root(document) : NULL;
    enum load_outcome outcome = LOAD_REFUSED;
    rejections->count = 0;
    bool is_success = answer->status >= 200 && answer->status <= 299;
    if (!is_success)
        explain(answer, root, why);
    if (is_success)
        outcome = judge_success(answer, root, why, rejections);
    else if (passes(answer->status))
        outcome = LOAD_AGAIN;
    else if (answer->status == 413 && answer->line_count > 1)
        outcome = LOAD_TOO_MUCH;
    else if (answer->status == 400 || answer->status == 422)
        outcome = judge_validation(answer, root, why, rejections);
    json_document_free(document);
    return outcome;
}

const char *load_answer_advice(long status)
{
    switch (status) {
    case 401:
        return "; the token goes into API_TOKEN";
    case 404:
        return "; is --url right?";
    case 413:
        return "; try a smaller --batch-bytes, or a larger limit of the service";
    default:
        return "";
    }
}
