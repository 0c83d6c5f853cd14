#include "load_run.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "load_answer.h"
#include "load_input.h"
#include "load_ledger.h"
#include "load_pause.h"
#include "load_post.h"

enum { WHY_BYTES_MAX = 2048, SAVE_MS = 1000, BLOCKS_A_TURN = 64, SEND_AHEAD_BYTES = 64 << 20 };

enum job_phase { JOB_IDLE, JOB_WAITING, JOB_SENT };

struct job {
    enum job_phase phase;
    struct load_batch batch;
    size_t first, count; /* its lines that are sent now */
    struct load_tally tally;
    unsigned attempts; /* of these lines */
    struct mono_time due;
    bool is_in_doubt; /* some of it may be stored */
};

struct run {
    const struct load_task *task;
    struct load_report *report;
    struct load_input input;
    struct load_ledger *ledger; /* the state's */
    struct load_post *post;
    struct job *jobs;
    size_t job_count;
    struct job *filling; /* whose batch is being cut; idle */
    bool is_input_over, is_aimed, waits_for_input;
    bool is_ending; /* no more is read or sent */
    enum load_end end;
    struct mono_time began, now, held_until, progressed, next_save;
    uint64_t first_bytes, first_samples; /* where this run began */
    uint64_t opened_to;                  /* end of the last batch */
    uint64_t sent_before;                /* up to there runs before this one may have sent */
    size_t part_count;                   /* of theirs, those whose batches were not cut yet */
    struct load_part parts[LOAD_JOBS_MAX];
    struct load_summary *summary;
    struct strbuf why;
    struct load_target target;
};

static void end_run(struct run *run, enum load_end end)
{
    if (!run->is_ending)
        run->end = end;
    run->is_ending = true;
}

/* The first reason is told, not what the other requests end with. */
#define FAIL(run_, ...)                                                                            \
    do {                                                                                           \
        if (!(run_)->is_ending)                                                                    \
            load_report_error((run_)->report, __VA_ARGS__);                                        \
        end_run((run_), LOAD_END_FAILED);                                                          \
    } while (0)

static size_t jobs_in(const struct run *run, enum job_phase phase)
{
    size_t count = 0;
    for (size_t i = 0; i < run->job_count; i++)
        count += run->jobs[i].phase == phase;
    return count;
}

/* --- The state ---------------------------------------------------------------------- */

static bool is_settled(const struct run *run)
{
    for (size_t i = 0; i < run->job_count; i++) {
        if (run->jobs[i].phase != JOB_IDLE && run->jobs[i].is_in_doubt)
            return false;
    }
    return run->opened_to >= run->sent_before;
}

static void note_parts(const struct run *run, struct load_state *state)
{
    memcpy(state->parts, run->parts, run->part_count * sizeof *run->parts);
    state->part_count = run->part_count;
    for (size_t i = 0; i < run->job_count && state->part_count < LOAD_JOBS_MAX; i++) {
        const struct job *job = &run->jobs[i];
        if (job->phase != JOB_IDLE && job->count < job->batch.line_count)
            state->parts[state->part_count++] =
                (struct load_part){job->batch.begin.offset, job->first, job->count, job->tally};
    }
}

/* While it goes on nothing is certain: it may be killed after a request that no state knows of. */
static void save(struct run *run, bool is_end)
{
    struct load_state *state = run->task->state;
    struct error err;
    error_init(&err);
    state->format = run->input.format;
    state->columns = run->input.columns;
    state->saved_at = (uint64_t)clock_wall_now().us / 1000000;
    state->is_settled = is_end && is_settled(run);
    state->is_done = is_end && run->end == LOAD_END_STORED;
    state->sent_to = run->opened_to + (is_end ? 0 : SEND_AHEAD_BYTES);
    if (state->sent_to < run->sent_before)
        state->sent_to = run->sent_before;
    note_parts(run, state);
    run->next_save = mono_after_ms(run->now, SAVE_MS);
    bool has_begun = run->is_aimed || state->ledger.stored_to.offset > 0;
    if (has_begun && run->task->state_path &&
        load_state_save(run->task->state_path, state, &err) != ERR_OK)
        FAIL(run, "%s", err.detail);
}

/* --- Sending ------------------------------------------------------------------------ */

/* Once it is known what the input is. */
static bool aim(struct run *run)
{
    const struct load_state *state = run->task->state;
    load_target_write(&run->target, run->task->options->url, run->input.format, state->precision,
                      !state->is_strict);
    run->is_aimed = load_post_aim(run->post, &run->target);
    if (run->is_aimed)
        save(run, false); /* the id is on disk before anything is sent by it */
    else
        FAIL(run, "out of memory");
    return !run->is_ending;
}

static void send_job(struct run *run, struct job *job)
{
    char key[LOAD_KEY_BYTES];
    (void)snprintf(key, sizeof key, "%s%016" PRIx64 "%08zx%08zx", run->task->state->id,
                   job->batch.begin.offset, job->first, job->count);
    run->summary->requests++;
    job->phase = JOB_SENT;
    if (!load_post_send(run->post, (size_t)(job - run->jobs),
                        load_batch_body(&job->batch, job->first, job->count), key)) {
        job->phase = JOB_WAITING;
        FAIL(run, "out of memory");
    }
}

static void send_due(struct run *run)
{
    if (mono_is_before(run->now, run->held_until))
        return;
    for (size_t i = 0; i < run->job_count && !run->is_ending; i++) {
        struct job *job = &run->jobs[i];
        if (job->phase == JOB_WAITING && !mono_is_before(run->now, job->due))
            send_job(run, job);
    }
}

static void wait_until_due(struct job *job, struct mono_time due)
{
    job->phase = JOB_WAITING;
    job->due = due;
}

/* --- Batches ------------------------------------------------------------------------ */

static void close_job(struct run *run, struct job *job)
{
    for (size_t i = 0; i < job->batch.refusal_count; i++)
        load_report_rejection(run->report, job->batch.refusals[i].number,
                              slice_from_string(job->batch.refusals[i].reason));
    job->tally.rejected += job->batch.refusal_count;
    load_ledger_add(run->ledger,
                    &(struct load_range){job->batch.begin, job->batch.end, job->tally});
    job->phase = JOB_IDLE;
    run->progressed = run->now;
}

/* Where a run before had sent less of the batch than all of it. */
static void take_up_part(struct run *run, struct job *job)
{
    for (size_t i = 0; i < run->part_count; i++) {
        const struct load_part part = run->parts[i];
        if (part.offset != job->batch.begin.offset)
            continue;
        run->parts[i] = run->parts[--run->part_count];
        if (part.first + part.count > job->batch.line_count)
            return;
        job->first = part.first;
        job->count = part.count;
        job->tally = part.tally;
        job->is_in_doubt = true;
        return;
    }
}

static void open_job(struct run *run, struct job *job)
{
    if (run->task->state->is_strict && job->batch.refusal_count > 0) {
        const struct load_refusal *refusal = &job->batch.refusals[0];
        load_report_rejection(run->report, refusal->number, slice_from_string(refusal->reason));
        FAIL(run, "line %" PRIu64 " is no sample, and all must be (--strict)", refusal->number);
        return;
    }
    if (jobs_in(run, JOB_WAITING) + jobs_in(run, JOB_SENT) == 0)
        run->progressed = run->now;
    run->opened_to = job->batch.end.offset;
    job->first = 0;
    job->count = job->batch.line_count;
    job->tally = (struct load_tally){0};
    job->attempts = 0;
    job->is_in_doubt = false;
    take_up_part(run, job);
    if (job->count == 0)
        close_job(run, job);
    else
        wait_until_due(job, run->now);
    if (run->opened_to > run->task->state->sent_to)
        save(run, false);
}

/* False: nothing to read yet, or never more. */
static bool feed(struct run *run)
{
    struct pollfd input = {.fd = run->task->fd, .events = POLLIN};
    run->waits_for_input = poll(&input, 1, 0) == 0;
    if (run->waits_for_input)
        return false;
    ssize_t count = read(run->task->fd, load_input_room(&run->input), LOAD_BLOCK_BYTES);
    if (count < 0) {
        if (errno != EINTR)
            FAIL(run, "cannot read %s: %s", run->task->options->path, strerror(errno));
        return false;
    }
    load_input_fed(&run->input, (size_t)count);
    return true;
}

static struct job *idle_job(struct run *run)
{
    for (size_t i = 0; i < run->job_count; i++) {
        if (run->jobs[i].phase == JOB_IDLE)
            return &run->jobs[i];
    }
    return NULL;
}

/* What a run before has stored is passed over. */
static bool pass_what_is_stored(struct run *run)
{
    struct load_place end;
    if (!load_ledger_covers(run->ledger, run->input.place, &end))
        return true;
    if (lseek(run->task->fd, (off_t)end.offset, SEEK_SET) < 0) {
        FAIL(run, "cannot read %s: %s", run->task->options->path, strerror(errno));
        return false;
    }
    load_input_resume(&run->input, end, run->input.columns);
    return true;
}

/* The job that is cut next. NULL: not now. */
static struct job *job_to_fill(struct run *run)
{
    struct job *job = run->filling ? run->filling : idle_job(run);
    if (!job || run->filling)
        return job;
    if (!pass_what_is_stored(run))
        return NULL;
    load_batch_reset(&job->batch, run->input.place,
                     load_ledger_border(run->ledger, run->input.place));
    return run->filling = job;
}

/* However long nothing of it is a sample: signals, answers and the state have their turn. */
static void fill_jobs(struct run *run)
{
    struct job *job;
    int blocks = 0;
    while (blocks < BLOCKS_A_TURN && !run->is_input_over && !run->is_ending &&
           (job = job_to_fill(run))) {
        switch (load_input_pull(&run->input, &job->batch)) {
        case LOAD_HUNGRY:
            if (!feed(run))
                return;
            blocks++;
            break;
        case LOAD_READY:
            run->filling = NULL;
            if (run->is_aimed || aim(run))
                open_job(run, job);
            break;
        case LOAD_OVER:
            run->is_input_over = true;
            if (run->input.place.offset < run->task->input_bytes)
                FAIL(run, "%s became shorter while it was read", run->task->options->path);
            break;
        case LOAD_BROKEN: /* what came before is sent */
            run->is_input_over = true;
            break;
        }
    }
}

/* --- Answers ------------------------------------------------------------------------ */

struct rejecting {
    struct run *run;
    const struct job *job;
};

static void reject(void *context, size_t index, struct slice reason)
{
    const struct rejecting *rejecting = context;
    uint64_t number = load_batch_number_of(&rejecting->job->batch, rejecting->job->first, index);
    if (number > 0)
        load_report_rejection(rejecting->run->report, number, reason);
}

static void try_later(struct run *run, struct job *job, long status, int64_t told_seconds)
{
    uint32_t chance;
    if (getrandom(&chance, sizeof chance, GRND_NONBLOCK) != (ssize_t)sizeof chance)
        chance = 0;
    struct mono_time due =
        mono_after_ms(run->now, load_pause_ms(++job->attempts, status, told_seconds, chance));
    wait_until_due(job, due);
    /* What the service said to one it says to all. */
    if (told_seconds > 0 && mono_is_before(run->held_until, due))
        run->held_until = due;
    run->summary->retries++;
    load_report_trouble(run->report, strbuf_slice(&run->why), run->now);
}

/* Of a record that spreads over lines each line may be rejected. */
static void go_on(struct run *run, struct job *job, size_t rejected)
{
    if (rejected > job->count)
        rejected = job->count;
    job->tally.rejected += rejected;
    job->tally.accepted += job->count - rejected;
    job->first += job->count;
    job->attempts = 0;
    job->is_in_doubt = true;
    run->progressed = run->now;
    size_t left = job->batch.line_count - job->first;
    if (job->count > left)
        job->count = left;
    if (left == 0)
        close_job(run, job);
    else
        wait_until_due(job, run->now);
}

static void refuse(struct run *run, struct job *job, long status)
{
    const struct load_line *lines = job->batch.lines;
    wait_until_due(job, run->now);
    FAIL(run, "%s: the service refuses lines %" PRIu64 " to %" PRIu64 ": %.*s%s",
         run->task->options->path, lines[job->first].number,
         lines[job->first + job->count - 1].number, (int)run->why.len, strbuf_slice(&run->why).ptr,
         load_answer_advice(status));
}

static void take_answer(struct run *run, struct job *job, const struct load_post_result *result)
{
    struct rejecting context = {run, job};
    struct load_rejections rejections = {&context, reject, 0};
    const struct load_answer answer = {.status = result->status,
                                       .body = result->body,
                                       .line_count = job->count,
                                       .is_partial = !run->task->state->is_strict};
    switch (load_answer_judge(&answer, &rejections, &run->why)) {
    case LOAD_STORED:
        go_on(run, job, rejections.count);
        break;
    case LOAD_AGAIN:
        job->is_in_doubt = job->is_in_doubt || result->status != 429;
        try_later(run, job, result->status, result->retry_after_seconds);
        break;
    case LOAD_TOO_MUCH:
        job->count /= 2;
        wait_until_due(job, run->now);
        save(run, false); /* or a later run would send the whole, of which a part is stored then */
        break;
    case LOAD_REFUSED:
        /* Of line protocol the service keeps what others of its lines are. */
        job->is_in_doubt = job->is_in_doubt || run->input.format == LOAD_INFLUX;
        refuse(run, job, result->status);
        break;
    }
}

static void take_result(struct run *run, const struct load_post_result *result)
{
    struct job *job = &run->jobs[result->job];
    strbuf_reset(&run->why);
    if (result->status != 0) {
        take_answer(run, job, result);
        return;
    }
    job->is_in_doubt = job->is_in_doubt || result->was_sent;
    strbuf_printf(&run->why, "%s", result->failure);
    if (result->passes) {
        try_later(run, job, 0, 0);
        return;
    }
    wait_until_due(job, run->now);
    FAIL(run, "cannot post to %s: %s", run->target.url, result->failure);
}

/* --- The loop ----------------------------------------------------------------------- */

static bool is_over(const struct run *run)
{
    if (jobs_in(run, JOB_SENT) > 0)
        return false;
    return run->is_ending || (run->is_input_over && jobs_in(run, JOB_WAITING) == 0);
}

static void look_for_an_end(struct run *run)
{
    int64_t patience_ms = run->task->options->give_up_seconds * 1000;
    if (*run->task->signal && !run->is_ending) {
        load_report_notice(run->report, "stopping; what is under way is finished first");
        end_run(run, LOAD_END_INTERRUPTED);
    }
    bool has_jobs = jobs_in(run, JOB_WAITING) + jobs_in(run, JOB_SENT) > 0;
    struct mono_time since =
        mono_is_before(run->progressed, run->held_until) ? run->held_until : run->progressed;
    if (!run->is_ending && has_jobs && mono_is_before(mono_after_ms(since, patience_ms), run->now))
        FAIL(run, "nothing was stored for %" PRId64 " s: %.*s", patience_ms / 1000,
             (int)run->why.len, strbuf_slice(&run->why).ptr);
}

static void report_progress(struct run *run)
{
    const struct load_ledger *ledger = run->ledger;
    const struct load_tally all = load_ledger_tally(ledger);
    const struct load_progress progress = {.input_bytes = run->task->input_bytes,
                                           .done_bytes = ledger->stored_to.offset,
                                           .done_samples = all.accepted + all.rejected,
                                           .first_bytes = run->first_bytes,
                                           .first_samples = run->first_samples,
                                           .retries = run->summary->retries,
                                           .seconds =
                                               (double)mono_us_between(run->began, run->now) / 1e6};
    load_report_progress(run->report, &progress, run->now);
}

static int64_t milliseconds_to_wait(const struct run *run)
{
    int64_t least_us = (int64_t)LOAD_REPORT_MS * 1000;
    for (size_t i = 0; i < run->job_count; i++) {
        const struct job *job = &run->jobs[i];
        if (job->phase != JOB_WAITING)
            continue;
        struct mono_time due =
            mono_is_before(job->due, run->held_until) ? run->held_until : job->due;
        int64_t left_us = mono_us_between(run->now, due);
        if (left_us < least_us)
            least_us = left_us > 0 ? left_us : 0;
    }
    return (least_us + 999) / 1000;
}

static void turn(struct run *run)
{
    struct load_post_result result;
    run->now = clock_mono_now();
    run->waits_for_input = false;
    look_for_an_end(run);
    if (!run->is_ending) {
        fill_jobs(run);
        send_due(run);
    }
    while (load_post_next(run->post, &result))
        take_result(run, &result);
    report_progress(run);
    if (run->is_aimed && !mono_is_before(run->now, run->next_save))
        save(run, false);
}

static void wait_for_something(struct run *run)
{
    bool can_fill = !run->is_input_over && !run->is_ending && !run->waits_for_input &&
                    jobs_in(run, JOB_IDLE) > 0;
    if (!can_fill && !is_over(run))
        load_post_wait(run->post, run->waits_for_input ? run->task->fd : -1,
                       run->is_ending ? LOAD_REPORT_MS : milliseconds_to_wait(run));
}

/* --- Setting up --------------------------------------------------------------------- */

static bool set_up_jobs(struct run *run)
{
    /* All in order: where one is refused nothing behind it is stored, so the rest may be cut anew.
     */
    size_t count = run->task->state->is_strict ? 1 : (size_t)run->task->options->jobs;
    run->jobs = calloc(count, sizeof *run->jobs);
    run->job_count = run->jobs ? count : 0;
    bool is_complete = run->jobs;
    for (size_t i = 0; is_complete && i < run->job_count; i++)
        is_complete = load_batch_init(&run->jobs[i].batch, run->task->state->limits);
    return is_complete;
}

static bool set_up(struct run *run)
{
    const struct load_options *options = run->task->options;
    struct load_state *state = run->task->state;
    const struct load_tally before = load_ledger_tally(&state->ledger);
    const struct load_post_options post = {(size_t)options->jobs, options->token,
                                           options->timeout_seconds};
    strbuf_init(&run->why, WHY_BYTES_MAX);
    run->ledger = &state->ledger;
    run->first_bytes = state->ledger.stored_to.offset;
    run->first_samples = before.accepted + before.rejected;
    run->opened_to = state->ledger.stored_to.offset;
    run->sent_before = state->is_settled ? 0 : state->sent_to;
    run->part_count = state->part_count;
    memcpy(run->parts, state->parts, state->part_count * sizeof *state->parts);
    bool is_complete = load_input_init(&run->input, state->format);
    load_input_resume(&run->input, state->ledger.stored_to, state->columns);
    is_complete = set_up_jobs(run) && is_complete;
    run->post = load_post_new(&post);
    return is_complete && run->post;
}

static void tear_down(struct run *run)
{
    load_post_free(run->post);
    for (size_t i = 0; run->jobs && i < run->job_count; i++)
        load_batch_release(&run->jobs[i].batch);
    free(run->jobs);
    load_input_release(&run->input);
    strbuf_release(&run->why);
}

enum load_end load_run(const struct load_task *task, struct load_summary *summary)
{
    *summary = (struct load_summary){0};
    struct mono_time now = clock_mono_now();
    struct run run = {.task = task,
                      .report = task->report,
                      .summary = summary,
                      .began = now,
                      .now = now,
                      .held_until = now,
                      .progressed = now,
                      .next_save = now};
    if (!set_up(&run))
        FAIL(&run, "out of memory");
    while (!is_over(&run)) {
        turn(&run);
        wait_for_something(&run);
    }
    if (run.input.wrong[0])
        FAIL(&run, "%s:%s", task->options->path, run.input.wrong);
    if (!run.is_ending)
        run.end = LOAD_END_STORED;
    run.now = clock_mono_now();
    save(&run, true);
    summary->tally = load_ledger_tally(&task->state->ledger);
    summary->seconds = (double)mono_us_between(run.began, run.now) / 1e6;
    load_report_end(run.report);
    tear_down(&run);
    return run.end;
}
