/* Parts of a plan's rows, for several threads.
 *
 * Each stream is the plan's chain of operators once more, with buffers of its own.  At its end is a scan,
 * which reads units of the one scan that the query has open, so all of them see one snapshot; or rows that an
 * aggregation or a sort has made once, of which each stream finishes some. */
#include <sched.h>

#include "base/time.h"
#include "exec/exec_priv.h"

struct tsfs_exec_stream {
    struct exec_ctx *ctx;
    struct tsfs_exec_stream *next;
    struct exec_op *root, *opener;
    uint64_t rows;
};

/* ---- chains ---- */

/* What op takes its rows from; NULL: it is no part of a chain that can be run in parts. */
static struct exec_op *below(struct exec_op *op)
{
    switch (op->plan->kind) {
    case TSFS_PLAN_PROJECT:
    case TSFS_PLAN_FILTER: return op->input;
    case TSFS_PLAN_JOIN: return exec_join_probe(op);
    default: return NULL;
    }
}

static bool is_end(const struct exec_op *op)
{
    return op->plan->kind == TSFS_PLAN_SCAN || op->plan->kind == TSFS_PLAN_AGGREGATE ||
           op->plan->kind == TSFS_PLAN_SORT;
}

static int parts_of(struct exec_op *end, uint64_t least, uint32_t *nparts, struct tsfs_error *err)
{
    if (end->plan->kind == TSFS_PLAN_SCAN)
        return exec_scan_parts(end, least, nparts, err);
    int64_t start = tsfs_time_monotonic();
    int rc = end->plan->kind == TSFS_PLAN_SORT ? exec_sort_parts(end, least, nparts, err)
                                               : exec_aggregate_parts(end, least, nparts, err);
    if (end->stats != NULL)
        atomic_fetch_add_explicit(&end->stats->time, tsfs_time_monotonic() - start, memory_order_relaxed);
    return rc;
}

int exec_chain_parts(struct exec_op *op, uint64_t least, uint32_t *nparts, struct tsfs_error *err)
{
    struct exec_op *end = op;
    *nparts = 0;
    while (end != NULL && !is_end(end))
        end = below(end);
    if (end == NULL)
        return 0;
    int rc = parts_of(end, least, nparts, err);
    for (; rc == 0 && *nparts > 0 && op != end; op = below(op))
        if (op->plan->kind == TSFS_PLAN_JOIN)
            rc = exec_join_build(op, err);
    return rc;
}

int exec_chain_copy(struct exec_op *op, struct exec_op **out, struct tsfs_error *err)
{
    const struct exec_op *end = op;
    while (!is_end(end))
        end = below((struct exec_op *)end);
    op->ctx->copying = true;
    op->ctx->copied = end->plan->kind != TSFS_PLAN_SCAN ? end->plan : NULL;
    int rc = exec_op_open(op->ctx, op->plan, out, err);
    op->ctx->copying = false;
    for (struct exec_op *copy = *out; rc == 0 && op != end; op = below(op)) {
        if (op->plan->kind == TSFS_PLAN_JOIN)
            exec_join_share(copy, op);
        copy = below(copy);
    }
    return rc;
}

void exec_chain_part(struct exec_op *copy, struct exec_op *op, uint32_t part)
{
    for (; !is_end(op); op = below(op)) {
        if (op->plan->kind == TSFS_PLAN_JOIN)
            exec_join_again(copy);
        copy = below(copy);
    }
    if (op->plan->kind == TSFS_PLAN_SCAN)
        exec_scan_part(copy, op, part);
    else if (op->plan->kind == TSFS_PLAN_SORT)
        exec_sort_part(copy, op, part);
    else
        exec_aggregate_part(copy, op, part);
}

/* Rows that are there already are cheap to come by, but to finish, to put in order and to write they cost a
 * multiple of what a value of a scan costs to read. */
#define MADE_WEIGHT 128u
#define MADE_PART   1024u /* values */

static uint32_t made_rows(const struct tsfs_plan *plan)
{
    uint32_t n = MADE_PART / (plan->ncols + 1) + 1;
    return n < TSFS_BATCH_ROWS ? n : TSFS_BATCH_ROWS;
}

uint32_t exec_made_parts(const struct tsfs_plan *plan, uint64_t n, uint64_t least)
{
    uint32_t rows = made_rows(plan);
    if (n * plan->ncols < least / MADE_WEIGHT || n <= rows || (n + rows - 1) / rows > UINT32_MAX)
        return 0;
    return (uint32_t)((n + rows - 1) / rows);
}

void exec_made_part(const struct tsfs_plan *plan, size_t n, uint32_t part, size_t *from, size_t *end)
{
    uint32_t rows = made_rows(plan);
    *from = (size_t)part * rows;
    *end = n - *from < rows ? n : *from + rows;
}

/* ---- streams ---- */

int tsfs_exec_parts(struct tsfs_exec *exec, uint64_t least, uint32_t *n, struct tsfs_error *err)
{
    struct exec_ctx *ctx = exec_context(exec);
    *n = 0;
    return ctx->options.pool == NULL ? 0 : exec_chain_parts(exec_root(exec), least, n, err);
}

int tsfs_exec_stream_open(struct tsfs_exec *exec, struct tsfs_exec_stream **out, struct tsfs_error *err)
{
    struct exec_ctx *ctx = exec_context(exec);
    struct tsfs_exec_stream *stream = TSFS_NEW(&ctx->arena, struct tsfs_exec_stream);
    if (stream == NULL)
        return exec_no_memory(ctx, "the plan", err);
    stream->ctx = ctx;
    stream->opener = exec_root(exec);
    stream->next = ctx->streams;
    ctx->streams = stream;
    *out = stream;
    return exec_fail(ctx, exec_chain_copy(stream->opener, &stream->root, err), "the plan", err);
}

void tsfs_exec_stream_part(struct tsfs_exec_stream *stream, uint32_t part)
{
    exec_chain_part(stream->root, stream->opener, part);
}

int tsfs_exec_stream_next(struct tsfs_exec_stream *stream, struct tsfs_batch **out, struct tsfs_error *err)
{
    int rc = exec_poll(stream->ctx, err);
    if (rc == 0)
        rc = stream->root->ops->next(stream->root, out, err);
    if (rc > 0)
        stream->rows += (*out)->nrows;
    return rc;
}

void exec_streams_close(struct exec_ctx *ctx)
{
    for (struct tsfs_exec_stream *s = ctx->streams; s != NULL; s = s->next) {
        ctx->stats.rows_out += s->rows;
        exec_op_close(s->root);
    }
    ctx->streams = NULL;
}

/* ---- readers come and go ---- */

static void set_reader(struct exec_ctx *ctx, bool left, void *interrupted_ctx, int64_t deadline)
{
    while (atomic_exchange(&ctx->polling, true)) /* a thread asks the reader that there was */
        sched_yield();
    ctx->left = left;
    ctx->options.interrupted_ctx = interrupted_ctx;
    ctx->deadline = deadline;
    ctx->next_poll = 0;
    ctx->polling = false;
}

void tsfs_exec_resume(struct tsfs_exec *exec, void *interrupted_ctx, int64_t deadline)
{
    set_reader(exec_context(exec), false, interrupted_ctx, deadline);
}

void tsfs_exec_leave(struct tsfs_exec *exec, int64_t deadline)
{
    set_reader(exec_context(exec), true, NULL, deadline);
}

bool tsfs_exec_late(struct tsfs_exec *exec)
{
    int64_t deadline = atomic_load(&exec_context(exec)->deadline);
    return deadline != 0 && tsfs_time_monotonic() >= deadline;
}
