/* The operators that look at one batch at a time: VALUES, FILTER, PROJECT, LIMIT. */
#include <errno.h>

#include "exec/exec_priv.h"
#include "exec/kernels/gather.h"

struct simple_op {
    struct exec_op op;
    struct tsfs_arena arena; /* of the batch handed up */
    struct tsfs_batch batch;
    uint64_t at;   /* VALUES: next row; LIMIT: rows passed on */
    uint64_t skip; /* LIMIT: rows still to leave out */
    uint16_t sel[TSFS_BATCH_ROWS];
};

static void simple_close(struct exec_op *op)
{
    tsfs_arena_free(&((struct simple_op *)op)->arena);
}

static int simple_open(struct exec_ctx *ctx, const struct tsfs_plan *plan, const struct exec_op_ops *ops,
                       struct exec_op **out, struct tsfs_error *err)
{
    struct simple_op *self = TSFS_NEW(&ctx->arena, struct simple_op);
    if (self == NULL)
        return -ENOMEM;
    self->op = (struct exec_op){.ops = ops, .ctx = ctx, .plan = plan};
    tsfs_arena_init(&self->arena, ctx->options.budget);
    self->batch.ncols = plan->ncols;
    *out = &self->op;
    return plan->input != NULL ? exec_op_open(ctx, plan->input, &self->op.input, err) : 0;
}

/* Readies the batch for the next rows. */
static int new_batch(struct simple_op *self, uint32_t nrows)
{
    tsfs_arena_reset(&self->arena);
    self->batch.cols = TSFS_NEW_ARRAY(&self->arena, struct tsfs_vec, self->batch.ncols);
    self->batch.nrows = self->batch.nsel = nrows;
    return self->batch.cols == NULL ? -ENOMEM : 0;
}

static int pull(struct simple_op *self, struct tsfs_batch **in, struct tsfs_error *err)
{
    int rc = exec_poll(self->op.ctx, err);
    return rc != 0 ? rc : exec_next(self->op.input, in, err);
}

/* ---- VALUES ---- */

static int fill_column(struct simple_op *self, uint32_t col, uint32_t n)
{
    const struct tsfs_plan *plan = self->op.plan;
    enum tsfs_type type = plan->cols[col].type;
    const struct tsfs_value *value = &plan->values.rows[self->at * plan->ncols + col];
    struct tsfs_vec *v = &self->batch.cols[col];
    if (type == TSFS_UNKNOWN) {
        *v = exec_vec_null(type);
        return 0;
    }
    void *data = tsfs_arena_calloc(&self->arena, n, tsfs_type_width(type));
    uint64_t *valid = tsfs_arena_calloc(&self->arena, tsfs_bit_words(n), 8);
    if (data == NULL || valid == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++, value += plan->ncols) {
        struct tsfs_vec one = vec_of_value(value);
        vec_append(&one, 1, data, valid, i);
    }
    *v = (struct tsfs_vec){.type = type, .data = data, .valid = valid};
    return 0;
}

static int values_next(struct exec_op *op, struct tsfs_batch **out, struct tsfs_error *err)
{
    struct simple_op *self = (struct simple_op *)op;
    uint64_t left = op->plan->values.nrows - self->at;
    if (left == 0)
        return 0;
    uint32_t n = left < TSFS_BATCH_ROWS ? (uint32_t)left : TSFS_BATCH_ROWS;
    int rc = new_batch(self, n);
    for (uint32_t i = 0; i < self->batch.ncols && rc == 0; i++)
        rc = fill_column(self, i, n);
    if (rc != 0)
        return exec_fail(op->ctx, rc, "VALUES", err);
    self->at += n;
    *out = &self->batch;
    return 1;
}

static const struct exec_op_ops values_ops = {.next = values_next, .close = simple_close};

int exec_open_values(struct exec_ctx *ctx, const struct tsfs_plan *plan, struct exec_op **out,
                     struct tsfs_error *err)
{
    return simple_open(ctx, plan, &values_ops, out, err);
}

/* ---- FILTER ---- */

static int filter_next(struct exec_op *op, struct tsfs_batch **out, struct tsfs_error *err)
{
    struct simple_op *self = (struct simple_op *)op;
    for (;;) {
        struct tsfs_batch *in;
        int rc = pull(self, &in, err);
        if (rc <= 0)
            return rc;
        uint32_t nsel = 0;
        rc = new_batch(self, 0);
        if (rc == 0) {
            struct tsfs_eval eval = exec_eval(op->ctx, &self->arena, err);
            rc = tsfs_eval_filter(&eval, op->plan->filter.predicate, in->cols, in->nrows, self->sel, &nsel);
        }
        if (rc == 0 && nsel == in->nrows) {
            *out = in;
            return 1;
        }
        for (uint32_t i = 0; i < in->ncols && rc == 0 && nsel > 0; i++)
            rc = tsfs_vec_gather(&self->arena, &in->cols[i], self->sel, nsel, &self->batch.cols[i]);
        if (rc != 0)
            return exec_fail(op->ctx, rc, "a filter", err);
        if (nsel > 0) {
            self->batch.nrows = self->batch.nsel = nsel;
            *out = &self->batch;
            return 1;
        }
    }
}

static const struct exec_op_ops filter_ops = {.next = filter_next, .close = simple_close};

int exec_open_filter(struct exec_ctx *ctx, const struct tsfs_plan *plan, struct exec_op **out,
                     struct tsfs_error *err)
{
    return simple_open(ctx, plan, &filter_ops, out, err);
}

/* ---- PROJECT ---- */

static int project_next(struct exec_op *op, struct tsfs_batch **out, struct tsfs_error *err)
{
    struct simple_op *self = (struct simple_op *)op;
    struct tsfs_batch *in;
    int rc = pull(self, &in, err);
    if (rc <= 0)
        return rc;
    rc = new_batch(self, in->nrows);
    struct tsfs_eval eval = exec_eval(op->ctx, &self->arena, err);
    for (uint32_t i = 0; i < self->batch.ncols && rc == 0; i++)
        rc = tsfs_eval_expr(&eval, op->plan->project.exprs[i], in->cols, in->nrows, &self->batch.cols[i]);
    if (rc != 0)
        return exec_fail(op->ctx, rc, "SELECT", err);
    *out = &self->batch;
    return 1;
}

static const struct exec_op_ops project_ops = {.next = project_next, .close = simple_close};

int exec_open_project(struct exec_ctx *ctx, const struct tsfs_plan *plan, struct exec_op **out,
                      struct tsfs_error *err)
{
    return simple_open(ctx, plan, &project_ops, out, err);
}

/* ---- LIMIT ---- */

static int limit_next(struct exec_op *op, struct tsfs_batch **out, struct tsfs_error *err)
{
    struct simple_op *self = (struct simple_op *)op;
    for (;;) {
        uint64_t left = op->plan->limit.limit - self->at;
        if (left == 0)
            return 0;
        struct tsfs_batch *in;
        int rc = pull(self, &in, err);
        if (rc <= 0)
            return rc;
        if (self->skip >= in->nrows) {
            self->skip -= in->nrows;
            continue;
        }
        uint32_t from = (uint32_t)self->skip, n = in->nrows - from;
        if (n > left)
            n = (uint32_t)left;
        self->skip = 0;
        self->at += n;
        if (n == in->nrows) {
            *out = in;
            return 1;
        }
        rc = new_batch(self, n);
        for (uint32_t i = 0; i < in->ncols && rc == 0; i++)
            rc = exec_vec_slice(&self->arena, &in->cols[i], from, n, &self->batch.cols[i]);
        if (rc != 0)
            return exec_fail(op->ctx, rc, "LIMIT", err);
        *out = &self->batch;
        return 1;
    }
}

static const struct exec_op_ops limit_ops = {.next = limit_next, .close = simple_close};

int exec_open_limit(struct exec_ctx *ctx, const struct tsfs_plan *plan, struct exec_op **out,
                    struct tsfs_error *err)
{
    int rc = simple_open(ctx, plan, &limit_ops, out, err);
    if (rc != 0)
        return rc;
    ((struct simple_op *)*out)->skip = plan->limit.offset;
    if (plan->limit.limit != UINT64_MAX) /* not OFFSET alone */
        exec_want_some((*out)->input);
    return 0;
}
