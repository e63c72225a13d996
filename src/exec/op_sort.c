/* SORT: everything is copied, sorted, handed on.
 *
 * With a small limit an input that can be read in parts is gathered by all threads, each some parts that
 * follow one another.
 *
 * Rows that tie stay in the order in which they came, where that order means something.  Groups and joined
 * rows come in one that depends on how they were made: among them the other columns decide, from left to
 * right, so that rows which still tie are the same in everything.  So the order is total, and the same
 * however the work was shared out. */
#include <errno.h>
#include <stdlib.h>

#include "base/pool.h"
#include "exec/sort_rows.h"

#define PARALLEL_VALUES (3u << 19)  /* fewer are read by one thread */
#define SHARED_LIMIT    (16u << 10) /* with a higher one each thread keeps more rows than are worth it */
#define TASKS_MAX       16u
#define TASK_PARTS      4u /* of the input, at least */

struct sort_op {
    struct exec_op op;
    struct sort_keys keys;
    struct sort_rows rows;
    struct sort_rows *parts; /* that several threads have gathered; rows points into them */
    uint32_t nparts;
    bool sorted;
    struct sort_op *from;    /* whose rows are handed on: its own, or those of the one it is a copy of */
    size_t at, end;          /* of them, those left to hand on */
    struct tsfs_arena arena; /* of the batch that is handed on */
    struct tsfs_batch batch;
};

/* Everything that input delivers. */
static int gather(struct sort_rows *rows, struct exec_op *input, struct tsfs_error *err)
{
    struct tsfs_batch *in;
    int rc;
    while ((rc = exec_poll(rows->ctx, err)) == 0 && (rc = exec_next(input, &in, err)) > 0) {
        rc = exec_fail(rows->ctx, sort_rows_add(rows, in, err), "ORDER BY", err);
        if (rc != 0)
            break;
    }
    return rc;
}

/* ---- by several threads ---- */

struct sharing {
    struct sort_op *self;
    struct exec_op *copies[TASKS_MAX];
    struct tsfs_error errors[TASKS_MAX];
    uint32_t ninput; /* parts of the input */
};

static int gather_parts(void *ctx, size_t task, unsigned worker)
{
    struct sharing *s = ctx;
    struct sort_op *self = s->self;
    struct sort_rows *rows = &self->parts[task];
    struct tsfs_error *err = &s->errors[task];
    uint32_t from = (uint32_t)((uint64_t)s->ninput * task / self->nparts);
    uint32_t to = (uint32_t)((uint64_t)s->ninput * (task + 1) / self->nparts);
    int rc = 0;
    (void)worker;
    for (uint32_t part = from; part < to && rc == 0; part++) {
        exec_chain_part(s->copies[task], self->op.input, part);
        rc = gather(rows, s->copies[task], err);
    }
    int go_on = 0;
    if (rc != 0)
        atomic_compare_exchange_strong(&rows->ctx->stop, &go_on, rc);
    return rc;
}

static int consume_parts(struct sort_op *self, struct sharing *s, struct tsfs_error *err)
{
    struct exec_ctx *ctx = self->op.ctx;
    int rc = 0;
    self->parts = TSFS_NEW_ARRAY(&ctx->arena, struct sort_rows, self->nparts);
    if (self->parts == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < self->nparts; i++)
        sort_rows_init(&self->parts[i], ctx, self->op.plan, &self->keys);
    for (uint32_t i = 0; i < self->nparts && rc == 0; i++)
        rc = exec_chain_copy(self->op.input, &s->copies[i], err);
    if (rc == 0)
        rc = tsfs_pool_run(ctx->options.pool, gather_parts, s, self->nparts);
    for (uint32_t i = 0; i < self->nparts; i++) {
        exec_op_close(s->copies[i]);
        if (rc != 0 && s->errors[i].code == rc && err != NULL && err->code == 0)
            *err = s->errors[i];
    }
    return rc != 0 ? rc : sort_rows_join(&self->rows, self->parts, self->nparts);
}

/* In how many tasks the input is to be read; 0: by this thread.  Without a limit copying all rows is bounded
 * by memory, not by threads. */
static int count_tasks(struct sort_op *self, uint32_t *ninput, struct tsfs_error *err)
{
    unsigned threads = tsfs_pool_threads(self->op.ctx->options.pool) + 1;
    uint64_t limit = self->rows.limit;
    if (threads == 1 || limit > SHARED_LIMIT)
        return 0;
    int rc = exec_chain_parts(self->op.input, PARALLEL_VALUES, ninput, err);
    if (rc != 0 || *ninput < 2)
        return rc;
    /* Each task keeps as many rows as a thread alone would, and turns none away before it has them: there are
     * no more tasks than threads. */
    uint32_t most = threads < TASKS_MAX ? threads : TASKS_MAX;
    uint32_t n = (*ninput - 1) / TASK_PARTS + 1;
    self->nparts = n < 2 ? 2 : n < most ? n : most;
    return 0;
}

static int consume(struct sort_op *self, struct tsfs_error *err)
{
    struct sort_rows *rows = &self->rows;
    struct sharing s = {.self = self};
    int rc = count_tasks(self, &s.ninput, err);
    if (rc == 0 && self->nparts > 0) {
        rc = consume_parts(self, &s, err);
    } else if (rc == 0) {
        rc = gather(rows, self->op.input, err);
    }
    if (rc == 0)
        rc = sort_rows_sort(rows, err);
    if (rc != 0) /* what the input says of its own memory stays */
        return err == NULL || err->code == 0 ? exec_fail(self->op.ctx, rc, "ORDER BY", err) : rc;
    rows->n = sort_rows_kept(rows);
    return 0;
}

static int sort_once(struct sort_op *self, struct tsfs_error *err)
{
    int rc = self->sorted || self->rows.limit == 0 ? 0 : consume(self, err);
    if (rc == 0 && !self->sorted)
        self->end = self->rows.n;
    self->sorted = rc == 0;
    return rc;
}

static int sort_next(struct exec_op *op, struct tsfs_batch **out, struct tsfs_error *err)
{
    struct sort_op *self = (struct sort_op *)op;
    const struct sort_op *from = self->from;
    int rc = sort_once(self, err);
    if (rc != 0)
        return rc;
    size_t left = self->end - self->at;
    if (left == 0)
        return 0;
    if ((rc = exec_poll(op->ctx, err)) != 0)
        return rc;
    uint32_t n = left < TSFS_BATCH_ROWS ? (uint32_t)left : TSFS_BATCH_ROWS;
    tsfs_arena_reset(&self->arena);
    self->batch.cols = tsfs_arena_alloc(&self->arena, op->plan->ncols * sizeof(struct tsfs_vec));
    rc = self->batch.cols == NULL ? -ENOMEM : 0;
    for (uint32_t i = 0; i < op->plan->ncols && rc == 0; i++)
        rc = sort_rows_collect(&from->rows, &self->arena, i, from->rows.entries + self->at, n,
                               &self->batch.cols[i]);
    if (rc != 0)
        return exec_fail(op->ctx, rc, "ORDER BY", err);
    self->at += n;
    self->batch.nrows = self->batch.nsel = n;
    *out = &self->batch;
    return 1;
}

static void sort_close(struct exec_op *op)
{
    struct sort_op *self = (struct sort_op *)op;
    sort_rows_free(&self->rows);
    for (uint32_t i = 0; i < self->nparts && self->parts != NULL; i++)
        sort_rows_free(&self->parts[i]);
    tsfs_arena_free(&self->arena);
}

static const struct exec_op_ops sort_ops = {.next = sort_next, .close = sort_close};

/* Tells whoever reads the source what the limit will keep. */
static void hand_down(struct sort_op *self)
{
    const struct tsfs_plan_key *key = &self->op.plan->sort.keys[0];
    const struct tsfs_expr *expr = key->expr;
    struct exec_op *op = self->op.input;
    while (op->plan->kind == TSFS_PLAN_PROJECT && expr->kind == TSFS_EXPR_COLUMN) {
        expr = op->plan->project.exprs[expr->index];
        op = op->input;
    }
    if (expr->kind != TSFS_EXPR_COLUMN)
        return;
    exec_scan_want(op, expr->index, key->descending, self->rows.limit);
    exec_aggregate_want(op, expr->index, key->descending, self->rows.limit);
}

bool exec_order_is_open(const struct tsfs_plan *plan)
{
    switch (plan->kind) {
    case TSFS_PLAN_AGGREGATE:
    case TSFS_PLAN_JOIN:
    case TSFS_PLAN_SET: return true;
    case TSFS_PLAN_SCAN:
    case TSFS_PLAN_VALUES:
    case TSFS_PLAN_SORT:
    case TSFS_PLAN_ANALYZE: return false;
    case TSFS_PLAN_SHARED: return exec_order_is_open(plan->shared->plan);
    case TSFS_PLAN_APPEND:
        for (uint32_t i = 0; i < plan->nmore; i++)
            if (exec_order_is_open(plan->more[i]))
                return true;
        return exec_order_is_open(plan->input);
    default: return exec_order_is_open(plan->input);
    }
}

/* The keys of the plan, and where they may leave an order that means nothing, all columns. */
static int set_keys(struct exec_ctx *ctx, const struct tsfs_plan *plan, struct sort_keys *out)
{
    uint32_t nkeys = plan->sort.nkeys, ndecide = exec_order_is_open(plan->input) ? plan->ncols : 0;
    out->keys = TSFS_NEW_ARRAY(&ctx->arena, struct order_key, nkeys + ndecide);
    out->exprs = TSFS_NEW_ARRAY(&ctx->arena, const struct tsfs_expr *, nkeys + ndecide);
    struct tsfs_expr *columns = TSFS_NEW_ARRAY(&ctx->arena, struct tsfs_expr, ndecide);
    if (out->keys == NULL || out->exprs == NULL || columns == NULL)
        return -ENOMEM;
    for (uint32_t k = 0; k < nkeys; k++) {
        const struct tsfs_plan_key *key = &plan->sort.keys[k];
        out->keys[k] = (struct order_key){.descending = key->descending, .nulls_first = key->nulls_first};
        out->exprs[k] = key->expr;
    }
    out->n = nkeys;
    for (uint32_t i = 0; i < ndecide; i++) {
        uint32_t k = 0;
        while (k < nkeys && !(out->exprs[k]->kind == TSFS_EXPR_COLUMN && out->exprs[k]->index == i))
            k++;
        if (k < nkeys)
            continue;
        columns[i] = (struct tsfs_expr){.kind = TSFS_EXPR_COLUMN, .type = plan->cols[i].type, .index = i};
        out->exprs[out->n++] = &columns[i];
    }
    enum tsfs_type first = out->n > 0 ? out->exprs[0]->type : TSFS_UNKNOWN;
    out->decisive = out->n > 0 && !tsfs_type_is_string(first) && !tsfs_type_is_nested(first);
    return 0;
}

int exec_open_sort(struct exec_ctx *ctx, const struct tsfs_plan *plan, struct exec_op **out,
                   struct tsfs_error *err)
{
    struct sort_op *self = TSFS_NEW(&ctx->arena, struct sort_op);
    if (self == NULL)
        return -ENOMEM;
    self->op = (struct exec_op){.ops = &sort_ops, .ctx = ctx, .plan = plan};
    tsfs_arena_init(&self->arena, ctx->options.budget);
    self->batch.ncols = plan->ncols;
    self->from = self;
    *out = &self->op;
    if (exec_is_copied(ctx, plan))
        return 0;
    int rc = set_keys(ctx, plan, &self->keys);
    if (rc == 0) {
        sort_rows_init(&self->rows, ctx, plan, &self->keys);
        rc = exec_op_open(ctx, plan->input, &self->op.input, err);
    }
    if (rc == 0 && plan->sort.nkeys > 0 && !plan->sort.ties)
        hand_down(self);
    return rc;
}

/* ---- parts: the rows, handed on by several operators ---- */

int exec_sort_parts(struct exec_op *op, uint64_t least, uint32_t *nparts, struct tsfs_error *err)
{
    struct sort_op *self = (struct sort_op *)op;
    int rc = sort_once(self, err);
    *nparts = rc == 0 ? exec_made_parts(op->plan, self->end, least) : 0;
    return rc;
}

void exec_sort_part(struct exec_op *op, struct exec_op *opener, uint32_t part)
{
    struct sort_op *self = (struct sort_op *)op;
    self->from = (struct sort_op *)opener;
    self->sorted = true;
    exec_made_part(op->plan, self->from->end, part, &self->at, &self->end);
}
