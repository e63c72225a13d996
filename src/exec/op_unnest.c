/* UNNEST: each row of the input as often as the longest of its arrays is long, beside their elements.
 *
 * Short arrays of many rows are put together into full batches.  An array that is long enough makes batches
 * of its own, where the columns of the input are constants and the elements are slices of the array, not
 * copied. */
#include <errno.h>

#include "col/nested.h"
#include "exec/exec_priv.h"
#include "exec/kernels/gather.h"

#define LONG_ARRAY 256u /* elements from which on an array makes batches of its own */

struct unnest_op {
    struct exec_op op;
    struct tsfs_arena input_arena; /* of the expressions over the batch at hand */
    struct tsfs_arena arena;       /* of the batch handed up */
    struct tsfs_batch batch;
    const struct tsfs_batch *in; /* NULL = ask for the next */
    struct tsfs_vec *arrays;     /* the expressions over it */
    uint32_t *lengths;           /* of each row: of its longest array */
    bool *empty;                 /* OUTER: the row's one element is no element */
    uint32_t row, at;            /* where to go on: this element of this row */
    uint16_t sel[TSFS_BATCH_ROWS];
    uint32_t elements[TSFS_BATCH_ROWS];
};

static uint32_t length_of(const struct tsfs_vec *v, uint32_t row)
{
    if (tsfs_vec_null(v, row))
        return 0;
    return tsfs_type_kind(v->type) == TSFS_KIND_TIMESERIES ? tsfs_vec_series(v, row)->n
                                                           : tsfs_vec_array(v, row)->n;
}

static int take_input(struct unnest_op *self, struct tsfs_error *err)
{
    const struct tsfs_plan *plan = self->op.plan;
    struct tsfs_batch *in;
    int rc = exec_poll(self->op.ctx, err);
    if (rc != 0 || (rc = exec_next(self->op.input, &in, err)) <= 0)
        return rc;
    tsfs_arena_reset(&self->input_arena);
    struct tsfs_eval eval = exec_eval(self->op.ctx, &self->input_arena, err);
    self->arrays = TSFS_NEW_ARRAY(&self->input_arena, struct tsfs_vec, plan->unnest.nexprs);
    self->lengths = TSFS_NEW_ARRAY(&self->input_arena, uint32_t, in->nrows);
    self->empty = TSFS_NEW_ARRAY(&self->input_arena, bool, in->nrows);
    if (self->arrays == NULL || self->lengths == NULL || self->empty == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < plan->unnest.nexprs; i++) {
        rc = tsfs_eval_expr(&eval, plan->unnest.exprs[i], in->cols, in->nrows, &self->arrays[i]);
        if (rc != 0)
            return rc;
        for (uint32_t r = 0; r < in->nrows; r++) {
            uint32_t n = length_of(&self->arrays[i], r);
            self->lengths[r] = n > self->lengths[r] ? n : self->lengths[r];
        }
    }
    for (uint32_t r = 0; r < in->nrows && plan->unnest.outer; r++)
        if (self->lengths[r] == 0) {
            self->lengths[r] = 1;
            self->empty[r] = true;
        }
    self->in = in;
    self->row = self->at = 0;
    return 1;
}

/* The elements that a column is taken from: of a timeseries its times or values. */
static struct tsfs_vec source_of(const struct tsfs_vec *v, uint32_t row, uint32_t part, uint32_t *n)
{
    if (tsfs_type_kind(v->type) != TSFS_KIND_TIMESERIES) {
        const struct tsfs_array *a = tsfs_vec_array(v, row);
        *n = a->n;
        return a->elems;
    }
    const struct tsfs_timeseries *s = tsfs_vec_series(v, row);
    *n = s->n;
    return part == 0 ? (struct tsfs_vec){.type = TSFS_TIMESTAMP, .i = s->times} : s->values;
}

static void put_field(const struct tsfs_vec_room *room, enum tsfs_type type, uint32_t at,
                      const struct tsfs_vec *rows, uint32_t row, uint32_t field)
{
    struct tsfs_value none = {.null = true};
    bool null = tsfs_vec_null(rows, row);
    tsfs_vec_put_value(room, type, at, null ? &none : &tsfs_vec_row(rows, row)->fields[field]);
}

/* Rows [0, n) of the batch for one column that UNNEST makes: element elements[i] of input row sel[i]. */
static int make_column(struct unnest_op *self, uint32_t col, uint32_t n, struct tsfs_vec *out)
{
    const struct tsfs_plan *plan = self->op.plan;
    const struct tsfs_plan_part *part = &plan->unnest.parts[col - plan->unnest.nthrough];
    enum tsfs_type type = plan->cols[col].type;
    struct tsfs_vec_room room;
    int rc = tsfs_vec_room(&self->arena, type, n, &room);
    if (rc != 0)
        return rc;
    if (type == TSFS_UNKNOWN) {
        *out = exec_vec_null(type);
        return 0;
    }
    if (part->expr == plan->unnest.nexprs) {
        for (uint32_t i = 0; i < n; i++)
            tsfs_vec_put_value(&room, type, i,
                               &(struct tsfs_value){.type = type,
                                                    .null = self->empty[self->sel[i]],
                                                    .i = (int64_t)self->elements[i] + 1});
        *out = tsfs_vec_of_room(type, &room, n);
        return 0;
    }
    const struct tsfs_vec *v = &self->arrays[part->expr];
    bool fields = tsfs_type_kind(tsfs_type_element(v->type)) == TSFS_KIND_ROW &&
                  tsfs_type_kind(v->type) == TSFS_KIND_ARRAY;
    for (uint32_t i = 0, end; i < n; i = end) {
        uint32_t row = self->sel[i], first = self->elements[i], have = 0;
        for (end = i + 1; end < n && self->sel[end] == row;)
            end++;
        struct tsfs_vec source = {.type = TSFS_UNKNOWN};
        if (!tsfs_vec_null(v, row))
            source = source_of(v, row, part->part, &have);
        uint32_t there = first >= have ? 0 : have - first < end - i ? have - first : end - i;
        if (fields)
            for (uint32_t k = 0; k < there; k++)
                put_field(&room, type, i + k, &source, first + k, part->part);
        else
            tsfs_vec_put_range(&room, type, i, &source, first, there);
        for (uint32_t k = i + there; k < end; k++)
            tsfs_vec_put_value(&room, type, k, &(struct tsfs_value){.null = true});
    }
    *out = tsfs_vec_of_room(type, &room, n);
    return 0;
}

/* The same for n elements of one row, without copying where that can be. */
static int slice_column(struct unnest_op *self, uint32_t col, uint32_t n, struct tsfs_vec *out)
{
    const struct tsfs_plan *plan = self->op.plan;
    const struct tsfs_plan_part *part = &plan->unnest.parts[col - plan->unnest.nthrough];
    if (part->expr < plan->unnest.nexprs) {
        const struct tsfs_vec *v = &self->arrays[part->expr];
        bool array = tsfs_type_kind(v->type) == TSFS_KIND_ARRAY;
        uint32_t have = 0;
        struct tsfs_vec source = {.type = TSFS_UNKNOWN};
        if (!tsfs_vec_null(v, self->row))
            source = source_of(v, self->row, part->part, &have);
        bool fields = array && tsfs_type_kind(tsfs_type_element(v->type)) == TSFS_KIND_ROW;
        if (!fields && have >= self->at + n && source.type == plan->cols[col].type)
            return tsfs_vec_slice(&self->arena, &source, self->at, n, out);
    }
    return make_column(self, col, n, out);
}

/* One row's value for the whole batch. */
static int constant_column(struct unnest_op *self, const struct tsfs_vec *v, struct tsfs_vec *out)
{
    if (v->constant || v->type == TSFS_UNKNOWN) {
        *out = *v;
        return 0;
    }
    return tsfs_vec_constant(&self->arena, tsfs_vec_get(v, self->row), out);
}

static int make_batch(struct unnest_op *self, uint32_t n, bool one_row)
{
    const struct tsfs_plan *plan = self->op.plan;
    int rc = 0;
    self->batch.cols = TSFS_NEW_ARRAY(&self->arena, struct tsfs_vec, plan->ncols);
    if (self->batch.cols == NULL)
        return -ENOMEM;
    for (uint32_t c = 0; c < plan->ncols && rc == 0; c++) {
        struct tsfs_vec *out = &self->batch.cols[c];
        if (c >= plan->unnest.nthrough) {
            rc = one_row ? slice_column(self, c, n, out) : make_column(self, c, n, out);
            continue;
        }
        const struct tsfs_vec *v = &self->in->cols[plan->unnest.through[c]->index];
        rc = one_row ? constant_column(self, v, out) : tsfs_vec_gather(&self->arena, v, self->sel, n, out);
    }
    self->batch.nrows = self->batch.nsel = n;
    return rc;
}

/* The next rows of the input at hand: *n of them, 0 at its end. */
static int next_rows(struct unnest_op *self, uint32_t *n)
{
    uint32_t got = 0;
    bool one_row = false;
    uint32_t next_row = self->row, next_at = self->at;
    while (next_row < self->in->nrows && got < TSFS_BATCH_ROWS && !one_row) {
        uint32_t left = self->lengths[next_row] - next_at;
        if (left >= LONG_ARRAY && got > 0)
            break;
        one_row = left >= LONG_ARRAY;
        uint32_t take = left < TSFS_BATCH_ROWS - got ? left : TSFS_BATCH_ROWS - got;
        for (uint32_t i = 0; i < take; i++) {
            self->sel[got + i] = (uint16_t)next_row;
            self->elements[got + i] = next_at + i;
        }
        if (one_row) {
            self->row = next_row;
            self->at = next_at;
        }
        got += take;
        next_at += take;
        if (next_at == self->lengths[next_row]) {
            next_row++;
            next_at = 0;
        }
    }
    int rc = got > 0 ? make_batch(self, got, one_row) : 0;
    self->row = next_row;
    self->at = next_at;
    *n = got;
    return rc;
}

static int unnest_next(struct exec_op *op, struct tsfs_batch **out, struct tsfs_error *err)
{
    struct unnest_op *self = (struct unnest_op *)op;
    for (;;) {
        uint32_t n = 0;
        int rc = 1;
        if (self->in == NULL && (rc = take_input(self, err)) <= 0)
            return rc == 0 ? 0 : exec_fail(op->ctx, rc, "UNNEST", err);
        tsfs_arena_reset(&self->arena);
        rc = next_rows(self, &n);
        if (rc != 0)
            return exec_fail(op->ctx, rc, "UNNEST", err);
        if (self->row == self->in->nrows)
            self->in = NULL;
        if (n > 0) {
            *out = &self->batch;
            return 1;
        }
    }
}

static void unnest_close(struct exec_op *op)
{
    struct unnest_op *self = (struct unnest_op *)op;
    tsfs_arena_free(&self->input_arena);
    tsfs_arena_free(&self->arena);
}

static const struct exec_op_ops unnest_ops = {.next = unnest_next, .close = unnest_close};

int exec_open_unnest(struct exec_ctx *ctx, const struct tsfs_plan *plan, struct exec_op **out,
                     struct tsfs_error *err)
{
    struct unnest_op *self = TSFS_NEW(&ctx->arena, struct unnest_op);
    if (self == NULL)
        return -ENOMEM;
    self->op = (struct exec_op){.ops = &unnest_ops, .ctx = ctx, .plan = plan};
    tsfs_arena_init(&self->input_arena, ctx->options.budget);
    tsfs_arena_init(&self->arena, ctx->options.budget);
    self->batch.ncols = plan->ncols;
    *out = &self->op;
    return exec_op_open(ctx, plan->input, &self->op.input, err);
}
