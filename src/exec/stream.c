/* Parts of a plan's rows, for several threads.
 *
 * Each stream is the plan's chain of operators once more, with buffers of its own; its scan reads units of
 * the one scan that the query has open, so all of them see one snapshot. */
#include <errno.h>

#include "exec/exec_priv.h"

struct tsfs_exec_stream {
    struct exec_ctx *ctx;
    struct tsfs_exec_stream *next;
    struct exec_op *root, *leaf, *opener;
    uint64_t rows;
};

static struct exec_op *leaf_of(struct exec_op *op)
{
    while (op->input != NULL)
        op = op->input;
    return op;
}

int tsfs_exec_parts(struct tsfs_exec *exec, uint64_t least, uint32_t *n, struct tsfs_error *err)
{
    struct exec_ctx *ctx = exec_context(exec);
    struct exec_op *op = exec_root(exec);
    *n = 0;
    if (ctx->options.pool == NULL)
        return 0;
    for (const struct tsfs_plan *plan = op->plan; plan->kind != TSFS_PLAN_SCAN; plan = plan->input)
        if (plan->kind != TSFS_PLAN_PROJECT && plan->kind != TSFS_PLAN_FILTER)
            return 0;
    return exec_scan_parts(leaf_of(op), least, n, err);
}

int tsfs_exec_stream_open(struct tsfs_exec *exec, struct tsfs_exec_stream **out, struct tsfs_error *err)
{
    struct exec_ctx *ctx = exec_context(exec);
    struct tsfs_exec_stream *stream = TSFS_NEW(&ctx->arena, struct tsfs_exec_stream);
    if (stream == NULL)
        return exec_no_memory(ctx, "the plan", err);
    stream->ctx = ctx;
    stream->opener = leaf_of(exec_root(exec));
    stream->next = ctx->streams;
    ctx->streams = stream;
    int rc = exec_fail(ctx, exec_op_open(ctx, exec_root(exec)->plan, &stream->root, err), "the plan", err);
    if (rc == 0)
        stream->leaf = leaf_of(stream->root);
    *out = stream;
    return rc;
}

void tsfs_exec_stream_part(struct tsfs_exec_stream *stream, uint32_t part)
{
    exec_scan_part(stream->leaf, stream->opener, part);
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

void tsfs_exec_resume(struct tsfs_exec *exec, void *interrupted_ctx, int64_t deadline)
{
    struct exec_ctx *ctx = exec_context(exec);
    ctx->caller = pthread_self();
    ctx->next_poll = 0;
    ctx->options.interrupted_ctx = interrupted_ctx;
    ctx->options.deadline = deadline;
}
