/* AGGREGATE: reads all of its input, then hands out the groups in the order in which they first came, or, of
 * many, by hash.  An input that is a chain over a scan is read in parts by all threads; which rows go into
 * which table depends on the scan alone. */
#include <errno.h>

#include "exec/agg_priv.h"

/* Fewer values than these are read by one thread. */
#define PARALLEL_VALUES 200000u

struct aggregate_op {
    struct exec_op op;
    struct agg_spec spec;  /* when rows come from an operator */
    struct agg_scan *scan; /* when they come from a source; NULL otherwise */
    struct agg_result result;
    struct tsfs_arena arena; /* of the batch at hand, in or out */
    struct tsfs_batch batch;
    bool filled;
    struct aggregate_op *from; /* whose result is handed out: its own, or that of the one it is a copy of */
    size_t at, end;            /* groups of it that are left to hand out */
};

/* What a table takes from one chain of operators. */
static int read_chain(struct agg_table *table, struct exec_op *input, struct tsfs_error *err)
{
    struct exec_ctx *ctx = input->ctx;
    struct tsfs_arena scratch;
    struct tsfs_batch *in;
    int rc;
    tsfs_arena_init(&scratch, ctx->options.budget);
    while ((rc = exec_poll(ctx, err)) == 0 && (rc = exec_next(input, &in, err)) > 0) {
        tsfs_arena_reset(&scratch);
        struct tsfs_eval eval = exec_eval(ctx, &scratch, err);
        rc = exec_fail(ctx, agg_table_rows(table, &eval, in->cols, in->nrows), table->spec->name, err);
        if (rc != 0)
            break;
    }
    tsfs_arena_free(&scratch);
    return rc;
}

struct parts {
    struct exec_op *input;
    struct exec_op *copies[AGG_TASKS_MAX];
    uint32_t ntasks, nparts;
};

static int read_parts(void *ctx, struct agg_table *table, uint32_t task, struct tsfs_error *err)
{
    const struct parts *p = ctx;
    uint32_t from = (uint32_t)((uint64_t)p->nparts * task / p->ntasks);
    uint32_t to = (uint32_t)((uint64_t)p->nparts * (task + 1) / p->ntasks);
    int rc = 0;
    for (uint32_t part = from; part < to && rc == 0; part++) {
        exec_chain_part(p->copies[task], p->input, part);
        rc = read_chain(table, p->copies[task], err);
    }
    return rc;
}

static int read_input(struct aggregate_op *self, struct tsfs_error *err)
{
    struct parts p = {.input = self->op.input};
    int rc = agg_result_init(&self->result, &self->spec);
    if (rc == 0)
        rc = exec_chain_parts(p.input, PARALLEL_VALUES, &p.nparts, err);
    if (rc != 0 || p.nparts < 2)
        return rc != 0 ? rc : read_chain(&self->result.tables[0], p.input, err);
    p.ntasks = p.nparts < AGG_TASKS_MAX ? p.nparts : AGG_TASKS_MAX;
    for (uint32_t i = 0; i < p.ntasks && rc == 0; i++)
        rc = exec_chain_copy(p.input, &p.copies[i], err);
    if (rc == 0)
        rc = agg_result_fill(&self->result, p.ntasks, false, read_parts, &p, err);
    for (uint32_t i = 0; i < p.ntasks; i++)
        exec_op_close(p.copies[i]);
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

static const char *name_of(const struct aggregate_op *self)
{
    return self->op.plan->aggregate.naggs == 0 ? "DISTINCT" : "GROUP BY";
}

static int fill_once(struct aggregate_op *self, struct tsfs_error *err)
{
    int rc = self->filled ? 0 : fill(self, err);
    if (rc != 0)
        return rc == -ENOMEM && (err == NULL || err->code == 0)
                   ? exec_no_memory(self->op.ctx, name_of(self), err)
                   : rc;
    if (!self->filled)
        self->end = agg_result_groups(&self->result);
    self->filled = true;
    return 0;
}

static int aggregate_next(struct exec_op *op, struct tsfs_batch **out, struct tsfs_error *err)
{
    struct aggregate_op *self = (struct aggregate_op *)op;
    int rc = fill_once(self, err);
    if (rc != 0)
        return rc;
    size_t left = self->end - self->at;
    if (left == 0)
        return 0;
    if ((rc = exec_poll(op->ctx, err)) != 0)
        return rc;
    uint32_t n = left < TSFS_BATCH_ROWS ? (uint32_t)left : TSFS_BATCH_ROWS;
    tsfs_arena_reset(&self->arena);
    self->batch.ncols = op->plan->ncols;
    self->batch.nrows = self->batch.nsel = n;
    self->batch.cols = TSFS_NEW_ARRAY(&self->arena, struct tsfs_vec, op->plan->ncols);
    rc = self->batch.cols == NULL ? -ENOMEM
                                  : agg_result_output(&self->from->result, &self->arena, (uint32_t)self->at,
                                                      n, self->batch.cols, err);
    if (rc != 0)
        return exec_fail(op->ctx, rc, name_of(self), err);
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
    self->from = self;
    tsfs_arena_init(&self->arena, ctx->options.budget);
    *out = &self->op;
    if (exec_is_copied(ctx, plan))
        return 0;
    /* the caller puts these back */
    ctx->any_order = !ctx->limited && !agg_by_order(plan);
    ctx->limited = agg_by_order(plan); /* of the groups of an aggregation below */
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

/* ---- parts: the groups, handed out by several operators ---- */

int exec_aggregate_parts(struct exec_op *op, uint64_t least, uint32_t *nparts, struct tsfs_error *err)
{
    struct aggregate_op *self = (struct aggregate_op *)op;
    int rc = fill_once(self, err);
    *nparts = rc == 0 ? exec_made_parts(op->plan, self->end, least) : 0;
    return rc;
}

void exec_aggregate_part(struct exec_op *op, struct exec_op *opener, uint32_t part)
{
    struct aggregate_op *self = (struct aggregate_op *)op;
    self->from = (struct aggregate_op *)opener;
    self->filled = true;
    exec_made_part(op->plan, self->from->end, part, &self->at, &self->end);
}
