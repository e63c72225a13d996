/* Plans inside plans.
 *
 * INIT runs its subplans, puts their results as literals into the main plan, and only then opens that: a scan
 * with "time > (SELECT max(time) ..)" has a time range like any other.  APPLY does the same for each row of
 * its input, and remembers what it has found for the same values.  SHARED reads rows that the first reader
 * has made and kept. */
#include <errno.h>

#include "exec/eval_priv.h"
#include "exec/exec_priv.h"
#include "exec/kernels/gather.h"
#include "exec/kernels/group.h"
#include "exec/rows.h"

/* ---- params ---- */

static int fold_params(void *ctx, const struct tsfs_expr *expr, struct tsfs_arena *arena,
                       struct tsfs_value *out)
{
    const struct exec_ctx *c = ctx;
    struct tsfs_error err = {0};
    return tsfs_exec_fold_polled(expr, c->options.now, arena, exec_poll_kernel, ctx, out, &err);
}

static int params_init(struct exec_ctx *ctx, struct tsfs_arena *arena, uint32_t n,
                       struct tsfs_plan_params *params)
{
    *params = (struct tsfs_plan_params){.n = n, .fold = fold_params, .ctx = ctx};
    params->values = TSFS_NEW_ARRAY(arena, struct tsfs_value, n);
    params->lists = TSFS_NEW_ARRAY(arena, struct tsfs_plan_list, n);
    params->known = TSFS_NEW_ARRAY(arena, bool, n);
    params->is_list = TSFS_NEW_ARRAY(arena, bool, n);
    return params->values == NULL || params->lists == NULL || params->known == NULL || params->is_list == NULL
               ? -ENOMEM
               : 0;
}

/* ---- what a subplan comes to ---- */

/* Its one row (values[ncols], NULLs without one), or whether there is a row; in arena. */
static int run_for_row(struct exec_ctx *ctx, struct tsfs_arena *arena, const struct tsfs_plan *plan,
                       enum tsfs_plan_result kind, uint32_t line, uint32_t column, struct tsfs_value *values,
                       struct tsfs_error *err)
{
    struct exec_op *op = NULL;
    struct tsfs_batch *in;
    uint64_t n = 0;
    int rc = exec_plan_open(ctx, plan, &op, err);
    if (rc == 0 && kind == TSFS_RESULT_EXISTS)
        exec_want_some(op);
    for (uint32_t i = 0; i < plan->ncols && kind == TSFS_RESULT_SCALAR; i++)
        values[i] = (struct tsfs_value){.type = plan->cols[i].type, .null = true};
    while (rc == 0 && (rc = exec_poll(ctx, err)) == 0 && (rc = exec_next(op, &in, err)) > 0) {
        n += in->nrows;
        rc = 0;
        if (kind == TSFS_RESULT_EXISTS)
            break;
        if (n > 1) {
            rc = tsfs_error_set_at(err, -EINVAL, line, column, "the subquery gives more than one row");
            break;
        }
        for (uint32_t i = 0; i < plan->ncols && rc == 0; i++) {
            struct tsfs_value v = tsfs_vec_get(&in->cols[i], 0);
            v.type = plan->cols[i].type;
            rc = tsfs_value_copy(arena, &v, &values[i]);
        }
    }
    if (kind == TSFS_RESULT_EXISTS)
        values[0] = (struct tsfs_value){.type = TSFS_BOOLEAN, .b = n > 0};
    exec_op_close(op);
    return rc;
}

/* Up to so many values of a list become literals, which scans look up and prune by; more become a set. */
#define LITERALS_MAX 1000u

/* The values seen, which become the set's; the table's slots move into the query's arena. */
static int make_set(struct exec_ctx *ctx, struct group_table *seen, struct tsfs_plan_list *list)
{
    struct eval_values *values = TSFS_NEW(&ctx->arena, struct eval_values);
    enum tsfs_type type = seen->types[0];
    struct tsfs_arena scratch;
    if (values == NULL)
        return -ENOMEM;
    tsfs_arena_init(&scratch, ctx->options.budget);
    bool ordered = !tsfs_type_is_string(type) && !tsfs_type_is_nested(type) && type != TSFS_BOOLEAN &&
                   type != TSFS_UNKNOWN;
    int rc = group_table_keep(seen);
    for (uint32_t from = 0; rc == 0 && from < seen->n; from += TSFS_BATCH_ROWS) {
        uint32_t n = seen->n - from < TSFS_BATCH_ROWS ? seen->n - from : TSFS_BATCH_ROWS;
        struct tsfs_vec v;
        tsfs_arena_reset(&scratch);
        rc = group_column(seen, &scratch, 0, from, n, &v);
        for (uint32_t i = 0; i < n && rc == 0; i++) {
            struct tsfs_value value = tsfs_vec_get(&v, i), *min = &values->set.min, *max = &values->set.max;
            value.type = type;
            if (value.null) {
                values->null = true;
                continue;
            }
            if (!ordered || (type == TSFS_DOUBLE && value.d != value.d))
                continue;
            bool first = !values->set.ordered;
            values->set.ordered = true;
            if (first || (type == TSFS_DOUBLE ? value.d < min->d : value.i < min->i))
                *min = value;
            if (first || (type == TSFS_DOUBLE ? value.d > max->d : value.i > max->i))
                *max = value;
        }
    }
    tsfs_arena_free(&scratch);
    values->table = *seen;
    if (rc == 0)
        seen->slots = NULL; /* the set's */
    list->set = &values->set;
    return rc;
}

static int make_literals(struct exec_ctx *ctx, const struct group_table *seen, struct tsfs_plan_list *list)
{
    struct tsfs_vec v;
    list->values = TSFS_NEW_ARRAY(&ctx->arena, struct tsfs_value, seen->n);
    if (list->values == NULL)
        return -ENOMEM;
    for (uint32_t from = 0; from < seen->n; from += TSFS_BATCH_ROWS) {
        uint32_t n = seen->n - from < TSFS_BATCH_ROWS ? seen->n - from : TSFS_BATCH_ROWS;
        int rc = group_column(seen, &ctx->arena, 0, from, n, &v);
        if (rc != 0)
            return rc;
        for (uint32_t i = 0; i < n; i++) {
            list->values[from + i] = tsfs_vec_get(&v, i); /* strings are the table's, in the query's arena */
            list->values[from + i].type = seen->types[0];
        }
    }
    return 0;
}

/* The different values of its one column. */
static int run_for_list(struct exec_ctx *ctx, const struct tsfs_plan *plan, struct tsfs_plan_list *list,
                        struct tsfs_error *err)
{
    struct exec_op *op = NULL;
    struct tsfs_batch *in;
    struct group_table seen = {0};
    struct tsfs_arena scratch;
    enum tsfs_type *type = TSFS_NEW(&ctx->arena, enum tsfs_type);
    if (type == NULL)
        return -ENOMEM;
    *type = plan->cols[0].type;
    tsfs_arena_init(&scratch, ctx->options.budget);
    int rc = group_table_init(&seen, &ctx->arena, 1, type, 0);
    if (rc == 0)
        rc = exec_plan_open(ctx, plan, &op, err);
    while (rc == 0 && (rc = exec_poll(ctx, err)) == 0 && (rc = exec_next(op, &in, err)) > 0) {
        tsfs_arena_reset(&scratch);
        uint32_t *groups = tsfs_arena_alloc(&scratch, in->nrows * sizeof(*groups));
        rc = groups == NULL ? -ENOMEM : group_rows(&seen, &scratch, in->cols, in->nrows, groups);
    }
    if (rc == 0)
        rc = seen.n > LITERALS_MAX && !tsfs_type_is_nested(*type) ? make_set(ctx, &seen, list)
                                                                  : make_literals(ctx, &seen, list);
    list->n = rc == 0 ? seen.n : 0;
    exec_op_close(op);
    group_table_free(&seen);
    tsfs_arena_free(&scratch);
    return rc;
}

/* ---- INIT ---- */

static int run_init(struct exec_ctx *ctx, const struct tsfs_plan *plan, struct tsfs_plan_params *params,
                    uint32_t i, struct tsfs_error *err)
{
    const struct tsfs_plan_init *item = &plan->init.items[i];
    struct tsfs_plan *sub;
    int rc = tsfs_plan_substitute(&ctx->arena, plan->more[i], params, &sub);
    if (rc != 0)
        return rc;
    if (item->kind == TSFS_RESULT_LIST) {
        params->is_list[item->param] = true;
        rc = run_for_list(ctx, sub, &params->lists[item->param], err);
    } else {
        rc = run_for_row(ctx, &ctx->arena, sub, item->kind, item->line, item->column,
                         &params->values[item->param], err);
    }
    for (uint32_t k = 0; k < item->nparams && rc == 0; k++)
        params->known[item->param + k] = true;
    return rc;
}

static int run_inits(struct exec_op *op, struct tsfs_error *err)
{
    const struct tsfs_plan *plan = op->plan;
    struct tsfs_plan_params params;
    struct tsfs_plan *main;
    uint32_t n = 0;
    for (uint32_t i = 0; i < plan->nmore; i++)
        if (plan->init.items[i].param + plan->init.items[i].nparams > n)
            n = plan->init.items[i].param + plan->init.items[i].nparams;
    int rc = params_init(op->ctx, &op->ctx->arena, n, &params);
    for (uint32_t i = 0; i < plan->nmore && rc == 0; i++)
        rc = run_init(op->ctx, plan, &params, i, err);
    if (rc == 0)
        rc = tsfs_plan_substitute(&op->ctx->arena, plan->input, &params, &main);
    return rc != 0 ? rc : exec_plan_open(op->ctx, main, &op->input, err);
}

static int init_next(struct exec_op *op, struct tsfs_batch **out, struct tsfs_error *err)
{
    if (op->input == NULL) {
        int rc = exec_fail(op->ctx, run_inits(op, err), "a subquery", err);
        if (rc != 0)
            return rc;
    }
    return exec_next(op->input, out, err);
}

static const struct exec_op_ops init_ops = {.next = init_next};

int exec_open_init(struct exec_ctx *ctx, const struct tsfs_plan *plan, struct exec_op **out,
                   struct tsfs_error *err)
{
    struct exec_op *op = TSFS_NEW(&ctx->arena, struct exec_op);
    (void)err;
    if (op == NULL)
        return -ENOMEM;
    *op = (struct exec_op){.ops = &init_ops, .ctx = ctx, .plan = plan};
    *out = op;
    return 0;
}

/* ---- APPLY ---- */

/* Results are remembered until there are this many, or until they take this share of query_memory. */
#define MEMO_MAX   (1u << 20)
#define MEMO_SHARE 4

struct apply_op {
    struct exec_op op;
    uint32_t width; /* columns that it adds */
    struct tsfs_arena memo_arena, scratch;
    struct group_table memo; /* by the params' values; payload: the row of results, 1 + number */
    struct rows results;
    enum tsfs_type *key_types;
    bool ready;
    struct tsfs_plan_params params;
    struct exec_ctx inner; /* of one run */
    struct tsfs_batch batch;
};

static int memo_init(struct apply_op *self)
{
    const struct tsfs_plan *plan = self->op.plan;
    uint32_t base = plan->input->ncols;
    int rc = group_table_init(&self->memo, &self->memo_arena, plan->apply.nparams, self->key_types,
                              sizeof(uint32_t));
    if (rc == 0)
        rc = rows_init(&self->results, &self->memo_arena, self->width);
    for (uint32_t i = 0; i < self->width && rc == 0; i++)
        self->results.types[i] = plan->cols[base + i].type;
    self->ready = rc == 0;
    return rc;
}

static void memo_free(struct apply_op *self)
{
    if (self->ready)
        group_table_free(&self->memo);
    self->ready = false;
    tsfs_arena_reset(&self->memo_arena);
}

static bool memo_full(const struct apply_op *self)
{
    const struct tsfs_budget *budget = self->op.ctx->options.budget;
    return self->memo.n >= MEMO_MAX ||
           (budget != NULL && budget->limit > 0 && self->memo_arena.used > budget->limit / MEMO_SHARE);
}

/* The subplan for the params set; its one row joins the results. */
static int run_once(struct apply_op *self, struct tsfs_error *err)
{
    struct exec_ctx *ctx = self->op.ctx, *inner = &self->inner;
    const struct tsfs_plan *plan = self->op.plan;
    tsfs_arena_reset(&inner->arena);
    inner->sets = NULL;
    inner->stats = (struct tsfs_exec_stats){0};
    inner->options = ctx->options; /* each read of the result has its own deadline, and one to ask */
    inner->deadline = atomic_load(&ctx->deadline);
    inner->next_poll = atomic_load(&ctx->next_poll);
    struct tsfs_plan *sub;
    struct tsfs_value *values = TSFS_NEW_ARRAY(&inner->arena, struct tsfs_value, self->width);
    struct tsfs_vec *cols = TSFS_NEW_ARRAY(&inner->arena, struct tsfs_vec, self->width);
    int rc = values == NULL || cols == NULL
                 ? -ENOMEM
                 : tsfs_plan_substitute(&inner->arena, plan->more[0], &self->params, &sub);
    if (rc == 0)
        rc = run_for_row(inner, &inner->arena, sub, plan->apply.kind, plan->apply.line, plan->apply.column,
                         values, err);
    ctx->next_poll = atomic_load(&inner->next_poll);
    exec_add_stats(ctx, &inner->stats);
    for (uint32_t i = 0; i < self->width && rc == 0; i++)
        cols[i] = vec_of_value(&values[i]);
    return rc != 0 ? rc : rows_append(&self->results, cols, NULL, 1);
}

static int apply_batch(struct apply_op *self, const struct tsfs_batch *in, struct tsfs_error *err)
{
    const struct tsfs_plan *plan = self->op.plan;
    uint32_t n = in->nrows, nparams = plan->apply.nparams, base = plan->input->ncols;
    if (self->ready && memo_full(self))
        memo_free(self);
    int rc = self->ready ? 0 : memo_init(self);
    struct tsfs_eval eval = exec_eval(self->op.ctx, &self->scratch, err);
    struct tsfs_vec *keys = tsfs_arena_alloc(&self->scratch, nparams * sizeof(*keys));
    uint32_t *groups = tsfs_arena_alloc(&self->scratch, n * sizeof(*groups));
    uint32_t *ids = tsfs_arena_alloc(&self->scratch, n * sizeof(*ids));
    self->batch.cols = tsfs_arena_alloc(&self->scratch, plan->ncols * sizeof(struct tsfs_vec));
    if (rc == 0 && (keys == NULL || groups == NULL || ids == NULL || self->batch.cols == NULL))
        rc = -ENOMEM;
    for (uint32_t k = 0; k < nparams && rc == 0; k++)
        rc = tsfs_eval_expr(&eval, plan->apply.args[k], in->cols, n, &keys[k]);
    if (rc == 0)
        rc = group_rows(&self->memo, &self->scratch, keys, n, groups);
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        uint32_t *row = group_payload(&self->memo, groups[i]);
        if (*row == 0) {
            for (uint32_t k = 0; k < nparams; k++) {
                self->params.values[plan->apply.params[k]] = tsfs_vec_get(&keys[k], i);
                self->params.known[plan->apply.params[k]] = true;
            }
            if ((rc = exec_poll(self->op.ctx, err)) != 0 || (rc = run_once(self, err)) != 0)
                return rc;
            *row = self->results.n;
        }
        ids[i] = *row - 1;
    }
    if (rc != 0)
        return rc;
    if (base > 0)
        memcpy(self->batch.cols, in->cols, base * sizeof(struct tsfs_vec));
    for (uint32_t i = 0; i < self->width && rc == 0; i++)
        rc = rows_gather(&self->results, &self->scratch, i, ids, n, &self->batch.cols[base + i]);
    self->batch.nrows = self->batch.nsel = n;
    return rc;
}

static int apply_next(struct exec_op *op, struct tsfs_batch **out, struct tsfs_error *err)
{
    struct apply_op *self = (struct apply_op *)op;
    struct tsfs_batch *in;
    int rc = exec_poll(op->ctx, err);
    if (rc != 0 || (rc = exec_next(op->input, &in, err)) <= 0)
        return rc;
    tsfs_arena_reset(&self->scratch);
    rc = apply_batch(self, in, err);
    *out = &self->batch;
    return rc != 0 ? exec_fail(op->ctx, rc, "a subquery", err) : 1;
}

static void apply_close(struct exec_op *op)
{
    struct apply_op *self = (struct apply_op *)op;
    memo_free(self);
    tsfs_arena_free(&self->memo_arena);
    tsfs_arena_free(&self->scratch);
    tsfs_arena_free(&self->inner.arena);
    pthread_mutex_destroy(&self->inner.stats_lock);
}

static const struct exec_op_ops apply_ops = {.next = apply_next, .close = apply_close};

int exec_open_apply(struct exec_ctx *ctx, const struct tsfs_plan *plan, struct exec_op **out,
                    struct tsfs_error *err)
{
    struct apply_op *self = TSFS_NEW(&ctx->arena, struct apply_op);
    uint32_t n = 0;
    if (self == NULL)
        return -ENOMEM;
    self->op = (struct exec_op){.ops = &apply_ops, .ctx = ctx, .plan = plan};
    self->width = plan->ncols - plan->input->ncols;
    self->batch.ncols = plan->ncols;
    tsfs_arena_init(&self->memo_arena, ctx->options.budget);
    tsfs_arena_init(&self->scratch, ctx->options.budget);
    self->inner.parent = ctx;
    tsfs_arena_init(&self->inner.arena, ctx->options.budget);
    pthread_mutex_init(&self->inner.stats_lock, NULL);
    *out = &self->op;
    self->key_types = TSFS_NEW_ARRAY(&ctx->arena, enum tsfs_type, plan->apply.nparams);
    if (self->key_types == NULL)
        return -ENOMEM;
    for (uint32_t k = 0; k < plan->apply.nparams; k++) {
        self->key_types[k] = plan->apply.args[k]->type;
        if (plan->apply.params[k] >= n)
            n = plan->apply.params[k] + 1;
    }
    int rc = params_init(ctx, &ctx->arena, n, &self->params);
    return rc != 0 ? rc : exec_op_open(ctx, plan->input, &self->op.input, err);
}

/* ---- SHARED ---- */

struct exec_shared {
    const struct tsfs_plan_shared *shared;
    struct tsfs_arena arena;
    struct rows rows;
    struct exec_shared *next;
};

struct shared_op {
    struct exec_op op;
    struct exec_shared *made;
    uint32_t at;
    struct tsfs_batch batch;
};

static int make_shared(struct exec_ctx *ctx, const struct tsfs_plan_shared *shared, struct exec_shared **out,
                       struct tsfs_error *err)
{
    const struct tsfs_plan *plan = shared->plan;
    for (*out = ctx->shared; *out != NULL && (*out)->shared != shared;)
        *out = (*out)->next;
    if (*out != NULL)
        return 0;
    struct exec_shared *made = TSFS_NEW(&ctx->arena, struct exec_shared);
    struct exec_op *op = NULL;
    struct tsfs_batch *in;
    if (made == NULL)
        return -ENOMEM;
    tsfs_arena_init(&made->arena, ctx->options.budget);
    int rc = rows_init(&made->rows, &made->arena, plan->ncols);
    for (uint32_t i = 0; i < plan->ncols && rc == 0; i++)
        made->rows.types[i] = plan->cols[i].type;
    ctx->limited = true; /* somebody who reads them may be, now or later */
    if (rc == 0)
        rc = exec_plan_open(ctx, plan, &op, err);
    ctx->limited = false;
    while (rc == 0 && (rc = exec_poll(ctx, err)) == 0 && (rc = exec_next(op, &in, err)) > 0)
        rc = rows_append(&made->rows, in->cols, NULL, in->nrows);
    exec_op_close(op);
    if (rc != 0) {
        tsfs_arena_free(&made->arena);
        return rc;
    }
    made->shared = shared;
    made->next = ctx->shared;
    *out = ctx->shared = made;
    return 0;
}

void exec_shared_free(struct exec_ctx *ctx)
{
    for (struct exec_shared *s = ctx->shared; s != NULL; s = s->next)
        tsfs_arena_free(&s->arena);
    ctx->shared = NULL;
}

static int shared_next(struct exec_op *op, struct tsfs_batch **out, struct tsfs_error *err)
{
    struct shared_op *self = (struct shared_op *)op;
    if (self->made == NULL) {
        struct exec_ctx *root = op->ctx;
        while (root->parent != NULL)
            root = root->parent;
        int rc = exec_fail(root, make_shared(root, op->plan->shared, &self->made, err), "WITH", err);
        if (rc != 0)
            return rc;
    }
    if (self->at == self->made->rows.nchunks)
        return 0;
    for (uint32_t i = 0; i < self->batch.ncols; i++)
        self->batch.cols[i] = rows_chunk(&self->made->rows, i, self->at);
    self->batch.nrows = self->batch.nsel = rows_in_chunk(&self->made->rows, self->at++);
    *out = &self->batch;
    return 1;
}

static const struct exec_op_ops shared_ops = {.next = shared_next};

int exec_open_shared(struct exec_ctx *ctx, const struct tsfs_plan *plan, struct exec_op **out,
                     struct tsfs_error *err)
{
    struct shared_op *self = TSFS_NEW(&ctx->arena, struct shared_op);
    (void)err;
    if (self == NULL ||
        (self->batch.cols = TSFS_NEW_ARRAY(&ctx->arena, struct tsfs_vec, plan->ncols)) == NULL)
        return -ENOMEM;
    self->op = (struct exec_op){.ops = &shared_ops, .ctx = ctx, .plan = plan};
    self->batch.ncols = plan->ncols;
    *out = &self->op;
    return 0;
}
