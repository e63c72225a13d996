/* APPEND hands on one input after the other.  SET counts equal rows of both sides in a hash table of whole
 * rows (NULLs are equal here), then hands out each as often as INTERSECT or EXCEPT wants it. */
#include <errno.h>

#include "exec/exec_priv.h"
#include "exec/kernels/gather.h"
#include "exec/kernels/group.h"

/* ---- APPEND ---- */

struct append_op {
    struct exec_op op;
    uint32_t at; /* 0 = input, then more[at - 1] */
};

static int append_next(struct exec_op *op, struct tsfs_batch **out, struct tsfs_error *err)
{
    struct append_op *self = (struct append_op *)op;
    for (; self->at <= op->nmore; self->at++) {
        int rc = exec_poll(op->ctx, err);
        if (rc == 0)
            rc = exec_next(self->at == 0 ? op->input : op->more[self->at - 1], out, err);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static const struct exec_op_ops append_ops = {.next = append_next};

static int open_inputs(struct exec_ctx *ctx, const struct tsfs_plan *plan, struct exec_op *op,
                       struct tsfs_error *err)
{
    op->more = TSFS_NEW_ARRAY(&ctx->arena, struct exec_op *, plan->nmore);
    if (op->more == NULL)
        return -ENOMEM;
    int rc = exec_op_open(ctx, plan->input, &op->input, err);
    op->nmore = plan->nmore;
    for (uint32_t i = 0; i < plan->nmore && rc == 0; i++)
        rc = exec_op_open(ctx, plan->more[i], &op->more[i], err);
    return rc;
}

int exec_open_append(struct exec_ctx *ctx, const struct tsfs_plan *plan, struct exec_op **out,
                     struct tsfs_error *err)
{
    struct append_op *self = TSFS_NEW(&ctx->arena, struct append_op);
    if (self == NULL)
        return -ENOMEM;
    self->op = (struct exec_op){.ops = &append_ops, .ctx = ctx, .plan = plan};
    *out = &self->op;
    return open_inputs(ctx, plan, &self->op, err);
}

/* ---- SET ---- */

struct counts {
    uint64_t left, right;
};

struct set_op {
    struct exec_op op;
    struct tsfs_arena store, scratch;
    struct group_table table;
    bool filled;
    uint32_t at;   /* next row of the table */
    uint64_t left; /* times that it still comes */
    bool started;
    struct tsfs_batch batch;
};

static const char *name(const struct set_op *self)
{
    return tsfs_set_op_name(self->op.plan->set.op);
}

static int count_side(struct set_op *self, struct exec_op *input, bool left, struct tsfs_error *err)
{
    struct tsfs_batch *in;
    int rc;
    while ((rc = exec_poll(self->op.ctx, err)) == 0 && (rc = exec_next(input, &in, err)) > 0) {
        tsfs_arena_reset(&self->scratch);
        uint32_t *groups = tsfs_arena_alloc(&self->scratch, in->nrows * sizeof(*groups));
        rc = groups == NULL ? -ENOMEM
             : left         ? group_rows(&self->table, &self->scratch, in->cols, in->nrows, groups)
                            : group_lookup(&self->table, &self->scratch, in->cols, in->nrows, groups);
        for (uint32_t i = 0; i < in->nrows && rc == 0; i++) {
            if (groups[i] == GROUP_NONE)
                continue;
            struct counts *c = group_payload(&self->table, groups[i]);
            ++*(left ? &c->left : &c->right);
        }
        if (rc != 0)
            return exec_fail(self->op.ctx, rc, name(self), err);
    }
    return rc;
}

static int fill(struct set_op *self, struct tsfs_error *err)
{
    const struct tsfs_plan *plan = self->op.plan;
    enum tsfs_type *types = TSFS_NEW_ARRAY(&self->store, enum tsfs_type, plan->ncols);
    int rc = types == NULL ? -ENOMEM : 0;
    for (uint32_t i = 0; i < plan->ncols && rc == 0; i++)
        types[i] = plan->cols[i].type;
    if (rc == 0)
        rc = group_table_init(&self->table, &self->store, plan->ncols, types, sizeof(struct counts));
    if (rc != 0)
        return exec_fail(self->op.ctx, rc, name(self), err);
    rc = count_side(self, self->op.input, true, err);
    return rc != 0 || self->table.n == 0 ? rc : count_side(self, self->op.more[0], false, err);
}

static uint64_t times(const struct set_op *self, uint32_t group)
{
    const struct counts *c = group_payload(&self->table, group);
    if (self->op.plan->set.op == TSFS_SET_INTERSECT) {
        if (!self->op.plan->set.all)
            return c->right > 0;
        return c->left < c->right ? c->left : c->right;
    }
    if (!self->op.plan->set.all)
        return c->right == 0;
    return c->left > c->right ? c->left - c->right : 0;
}

static int emit(struct set_op *self, uint32_t first, uint32_t span, const uint16_t *sel, uint32_t n)
{
    uint32_t ncols = self->op.plan->ncols;
    self->batch.cols = tsfs_arena_alloc(&self->scratch, ncols * sizeof(struct tsfs_vec));
    int rc = self->batch.cols == NULL ? -ENOMEM : 0;
    for (uint32_t i = 0; i < ncols && rc == 0; i++) {
        struct tsfs_vec v;
        rc = group_column(&self->table, &self->scratch, i, first, span, &v);
        if (rc == 0)
            rc = tsfs_vec_gather(&self->scratch, &v, sel, n, &self->batch.cols[i]);
    }
    self->batch.nrows = self->batch.nsel = n;
    return rc;
}

static int set_next(struct exec_op *op, struct tsfs_batch **out, struct tsfs_error *err)
{
    struct set_op *self = (struct set_op *)op;
    int rc = self->filled ? 0 : fill(self, err);
    if (rc != 0)
        return rc;
    self->filled = true;
    while (self->at < self->table.n) {
        if ((rc = exec_poll(op->ctx, err)) != 0)
            return rc;
        uint16_t sel[TSFS_BATCH_ROWS];
        uint32_t first = self->at, n = 0;
        while (self->at < self->table.n && self->at - first < TSFS_BATCH_ROWS && n < TSFS_BATCH_ROWS) {
            if (!self->started)
                self->left = times(self, self->at);
            self->started = true;
            for (; self->left > 0 && n < TSFS_BATCH_ROWS; self->left--)
                sel[n++] = (uint16_t)(self->at - first);
            if (self->left > 0)
                break;
            self->at++;
            self->started = false;
        }
        if (n == 0)
            continue;
        tsfs_arena_reset(&self->scratch);
        uint32_t span = sel[n - 1] + 1u;
        if ((rc = emit(self, first, span, sel, n)) != 0)
            return exec_fail(op->ctx, rc, name(self), err);
        *out = &self->batch;
        return 1;
    }
    return 0;
}

static void set_close(struct exec_op *op)
{
    struct set_op *self = (struct set_op *)op;
    if (self->table.arena != NULL)
        group_table_free(&self->table);
    tsfs_arena_free(&self->store);
    tsfs_arena_free(&self->scratch);
}

static const struct exec_op_ops set_ops = {.next = set_next, .close = set_close};

int exec_open_set(struct exec_ctx *ctx, const struct tsfs_plan *plan, struct exec_op **out,
                  struct tsfs_error *err)
{
    struct set_op *self = TSFS_NEW(&ctx->arena, struct set_op);
    if (self == NULL)
        return -ENOMEM;
    self->op = (struct exec_op){.ops = &set_ops, .ctx = ctx, .plan = plan};
    tsfs_arena_init(&self->store, ctx->options.budget);
    tsfs_arena_init(&self->scratch, ctx->options.budget);
    self->batch.ncols = plan->ncols;
    *out = &self->op;
    return open_inputs(ctx, plan, &self->op, err);
}
