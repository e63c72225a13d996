/* AGGREGATE: reads all of its input, then hands out the groups in the order in which they first came. */
#include <errno.h>

#include "exec/agg_priv.h"

struct aggregate_op {
    struct exec_op op;
    struct agg_spec spec;  /* when rows come from an operator */
    struct agg_scan *scan; /* when they come from a source; NULL otherwise */
    struct agg_result result;
    struct tsfs_arena arena; /* of the batch at hand, in or out */
    struct tsfs_batch batch;
    bool filled;
    uint32_t at;
};

static int read_input(struct aggregate_op *self, struct tsfs_error *err)
{
    struct exec_op *input = self->op.input;
    struct tsfs_batch *in;
    int rc = agg_result_init(&self->result, &self->spec);
    if (rc != 0)
        return rc;
    while ((rc = exec_poll(self->op.ctx, err)) == 0 && (rc = exec_next(input, &in, err)) > 0) {
        tsfs_arena_reset(&self->arena);
        struct tsfs_eval eval = exec_eval(self->op.ctx, &self->arena, err);
        rc = exec_fail(self->op.ctx, agg_table_rows(&self->result.tables[0], &eval, in->cols, in->nrows),
                       self->spec.name, err);
        if (rc != 0)
            break;
    }
    return rc;
}

static int fill(struct aggregate_op *self, struct tsfs_error *err)
{
    int rc;
    if (self->scan != NULL)
        rc = agg_scan_run(self->scan, &self->result, err);
    else
        rc = read_input(self, err);
    if (rc == 0 && self->result.spec->ngroups == 0) {
        uint32_t unused;
        char nothing[8] = {0};
        rc = group_find(&self->result.tables[0].groups, nothing, &unused);
    }
    return rc == 0 ? agg_result_finish(&self->result, err) : rc;
}

static int aggregate_next(struct exec_op *op, struct tsfs_batch **out, struct tsfs_error *err)
{
    struct aggregate_op *self = (struct aggregate_op *)op;
    const char *name = op->plan->aggregate.naggs == 0 ? "DISTINCT" : "GROUP BY";
    int rc = 0;
    if (!self->filled) {
        if ((rc = fill(self, err)) != 0)
            return rc == -ENOMEM && (err == NULL || err->code == 0) ? exec_no_memory(op->ctx, name, err) : rc;
        self->filled = true;
    }
    uint32_t left = agg_result_groups(&self->result) - self->at;
    if (left == 0)
        return 0;
    if ((rc = exec_poll(op->ctx, err)) != 0)
        return rc;
    uint32_t n = left < TSFS_BATCH_ROWS ? left : TSFS_BATCH_ROWS;
    tsfs_arena_reset(&self->arena);
    self->batch.ncols = op->plan->ncols;
    self->batch.nrows = self->batch.nsel = n;
    self->batch.cols = TSFS_NEW_ARRAY(&self->arena, struct tsfs_vec, op->plan->ncols);
    rc = self->batch.cols == NULL
             ? -ENOMEM
             : agg_result_output(&self->result, &self->arena, self->at, n, self->batch.cols, err);
    if (rc != 0)
        return exec_fail(op->ctx, rc, name, err);
    self->at += n;
    *out = &self->batch;
    return 1;
}

static void aggregate_close(struct exec_op *op)
{
    struct aggregate_op *self = (struct aggregate_op *)op;
    agg_result_free(&self->result);
    agg_scan_close(self->scan);
    tsfs_arena_free(&self->arena);
}

static const struct exec_op_ops aggregate_ops = {.next = aggregate_next, .close = aggregate_close};

int exec_open_aggregate(struct exec_ctx *ctx, const struct tsfs_plan *plan, struct exec_op **out,
                        struct tsfs_error *err)
{
    struct aggregate_op *self = TSFS_NEW(&ctx->arena, struct aggregate_op);
    if (self == NULL)
        return -ENOMEM;
    self->op = (struct exec_op){.ops = &aggregate_ops, .ctx = ctx, .plan = plan};
    tsfs_arena_init(&self->arena, ctx->options.budget);
    *out = &self->op;
    int rc = agg_scan_open(ctx, plan, &self->scan, err);
    if (rc != 0 || self->scan != NULL)
        return rc;
    rc = agg_spec_init(ctx, plan, &self->spec);
    return rc != 0 ? rc : exec_op_open(ctx, plan->input, &self->op.input, err);
}

void exec_aggregate_want(struct exec_op *op, uint32_t column, bool descending, uint64_t limit)
{
    struct aggregate_op *self = (struct aggregate_op *)op;
    if (op->ops == &aggregate_ops && self->scan != NULL)
        agg_scan_want(self->scan, column, descending, limit);
}
