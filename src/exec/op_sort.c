/* SORT: everything is copied, sorted, handed on.
 *
 * With a limit, rows that can no longer come in are turned away as they arrive, and whenever twice the limit
 * (and some) has gathered, only the best are kept: memory follows the limit, not the input.  WITH TIES keeps
 * those too that tie with the last of the best.
 *
 * Rows that tie stay in the order in which they came, where that order means something.  Groups and joined
 * rows come in one that depends on how they were made: among them the other columns decide, from left to
 * right, so that rows which still tie are the same in everything. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "exec/exec_priv.h"
#include "exec/kernels/gather.h"
#include "exec/kernels/order.h"

#define SLACK_ROWS    512u
#define COLLECT_AHEAD 16u /* rows that are asked for before they are needed */
#define POLL_BATCHES  16u

struct sort_op {
    struct exec_op op;
    struct tsfs_arena store, spare; /* the rows; spare takes those that a pruning keeps */
    struct tsfs_arena scratch;      /* of the batch at hand, in or out */
    struct order_key *keys;         /* those of the plan, then those that decide between ties */
    const struct tsfs_expr **exprs;
    uint32_t nkeys;
    struct tsfs_vec **cols;        /* of each stored batch: the input's columns, then the keys */
    const struct tsfs_vec **heads; /* of each, where the keys begin */
    uint32_t nbatches, batches_room;
    struct order_entry *entries;
    size_t n, room;
    struct order_set set;
    uint64_t limit;
    size_t prune_at; /* when so many rows have gathered; SIZE_MAX = never */
    bool has_worst;  /* nothing after worst can come in, but for what ties with it */
    struct order_entry worst;
    bool sorted;
    struct sort_op *from; /* whose rows are handed on: its own, or those of the one it is a copy of */
    size_t at, end;       /* of them, those left to hand on */
    struct tsfs_batch batch;
};

static int charge(struct sort_op *self, size_t size)
{
    struct tsfs_budget *budget = self->op.ctx->options.budget;
    return budget == NULL || tsfs_budget_charge(budget, size) ? 0 : -ENOMEM;
}

static void release(struct sort_op *self, size_t size)
{
    if (self->op.ctx->options.budget != NULL)
        tsfs_budget_release(self->op.ctx->options.budget, size);
}

static int reserve(struct sort_op *self, uint32_t more)
{
    if (self->nbatches == self->batches_room) {
        uint32_t room = self->batches_room == 0 ? 64 : self->batches_room * 2;
        void *cols = realloc(self->cols, room * sizeof(*self->cols));
        if (cols != NULL)
            self->cols = cols;
        void *heads = realloc(self->heads, room * sizeof(*self->heads));
        if (heads != NULL)
            self->heads = heads;
        if (cols == NULL || heads == NULL)
            return -ENOMEM;
        self->batches_room = room;
        self->set.batches = self->heads;
    }
    if (self->n + more <= self->room)
        return 0;
    size_t room = self->room == 0 ? 1024 : self->room * 2;
    while (room < self->n + more)
        room *= 2;
    size_t grown = (room - self->room) * sizeof(*self->entries);
    if (charge(self, grown) != 0)
        return -ENOMEM;
    void *entries = realloc(self->entries, room * sizeof(*self->entries));
    if (entries == NULL) {
        release(self, grown);
        return -ENOMEM;
    }
    self->entries = entries;
    self->room = room;
    return 0;
}

static uint32_t width(const struct sort_op *self)
{
    return self->op.plan->ncols + self->nkeys;
}

/* Whether i is a key that is one of the input's columns: it is kept once. */
static bool is_column(const struct sort_op *self, uint32_t i)
{
    uint32_t ncols = self->op.plan->ncols;
    return i >= ncols && self->exprs[i - ncols]->kind == TSFS_EXPR_COLUMN;
}

/* Copies a batch (columns and keys) into arena as the next stored one. */
static int store_batch(struct sort_op *self, struct tsfs_arena *arena, const struct tsfs_vec *in, uint32_t n)
{
    uint32_t ncols = self->op.plan->ncols;
    struct tsfs_vec *to = tsfs_arena_alloc(arena, width(self) * sizeof(*to));
    if (to == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < width(self); i++) {
        if (is_column(self, i)) {
            to[i] = to[self->exprs[i - ncols]->index];
            continue;
        }
        int rc = vec_copy(arena, &in[i], n, &to[i]);
        if (rc != 0)
            return rc;
    }
    self->cols[self->nbatches] = to;
    self->heads[self->nbatches++] = to + ncols;
    return 0;
}

/* Column col of n stored rows. */
static int collect(const struct sort_op *self, struct tsfs_arena *arena, uint32_t col, enum tsfs_type type,
                   const struct order_entry *rows, uint32_t n, struct tsfs_vec *out)
{
    unsigned size = tsfs_type_width(type);
    char *data = tsfs_arena_alloc(arena, (size_t)n * size);
    uint64_t *valid = tsfs_arena_calloc(arena, tsfs_bit_words(n), 8);
    if (data == NULL || valid == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++) {
        if (i + COLLECT_AHEAD < n) {
            const struct order_entry *far = &rows[i + COLLECT_AHEAD];
            const struct tsfs_vec *v = &self->cols[far->batch][col];
            __builtin_prefetch(
                (const char *)((uintptr_t)v->data + (v->constant ? 0u : far->row) * (uintptr_t)size));
        }
        const struct tsfs_vec *v = &self->cols[rows[i].batch][col];
        if (tsfs_vec_null(v, rows[i].row)) {
            memset(data + (size_t)i * size, 0, size);
            continue;
        }
        uint32_t row = v->constant ? 0 : rows[i].row;
        tsfs_bit_set(valid, i);
        switch (size) {
        case 1: ((uint8_t *)data)[i] = v->b[row]; break;
        case 8: ((int64_t *)data)[i] = v->i[row]; break;
        default: ((struct tsfs_str *)data)[i] = v->s[row]; break;
        }
    }
    *out = (struct tsfs_vec){.type = type, .data = data};
    if (tsfs_bits_count(valid, n) < n)
        out->valid = valid;
    return 0;
}

static enum tsfs_type type_of(const struct sort_op *self, uint32_t col)
{
    const struct tsfs_plan *plan = self->op.plan;
    return col < plan->ncols ? plan->cols[col].type : self->exprs[col - plan->ncols]->type;
}

static int sort_entries(struct sort_op *self, struct tsfs_error *err)
{
    size_t size = self->n * sizeof(*self->entries);
    if (charge(self, size) != 0)
        return -ENOMEM;
    struct exec_ctx *ctx = self->op.ctx;
    struct order_run run = {.pool = ctx->options.pool, .go_on = exec_poll_quiet, .ctx = ctx};
    struct order_entry *scratch = malloc(size > 0 ? size : 1);
    int rc = scratch == NULL ? -ENOMEM : order_sort(&self->set, self->entries, scratch, self->n, &run);
    free(scratch);
    release(self, size);
    return rc == 0 || rc == -ENOMEM ? rc : exec_poll(ctx, err);
}

static int by_arrival(const void *a, const void *b)
{
    const struct order_entry *x = a, *y = b;
    if (x->batch != y->batch)
        return x->batch < y->batch ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

/* Sorts the entries by arrival: shared out by batch first, so that only rows of one batch are compared, and
 * whoever wants the query to end is heard in between. */
static int order_by_arrival(struct sort_op *self, struct tsfs_error *err)
{
    size_t size = self->n * sizeof(*self->entries) + (self->nbatches + 1) * sizeof(size_t);
    if (charge(self, size) != 0)
        return -ENOMEM;
    struct order_entry *to = malloc(self->n * sizeof(*to));
    size_t *ends = calloc(self->nbatches + 1, sizeof(*ends));
    int rc = to == NULL || ends == NULL ? -ENOMEM : 0;
    if (rc == 0) {
        for (size_t i = 0; i < self->n; i++)
            ends[self->entries[i].batch + 1]++;
        for (uint32_t b = 0; b < self->nbatches; b++)
            ends[b + 1] += ends[b];
        for (size_t i = 0; i < self->n; i++)
            to[ends[self->entries[i].batch]++] = self->entries[i];
    }
    for (uint32_t b = 0; rc == 0 && b < self->nbatches; b++) {
        size_t from = b == 0 ? 0 : ends[b - 1];
        qsort(to + from, ends[b] - from, sizeof(*to), by_arrival);
        rc = b % POLL_BATCHES == 0 ? exec_poll(self->op.ctx, err) : 0;
    }
    if (rc == 0)
        memcpy(self->entries, to, self->n * sizeof(*to));
    free(to);
    free(ends);
    release(self, size);
    return rc;
}

/* How a and b compare by the plan's own keys says whether they tie. */
static bool ties(const struct sort_op *self, const struct order_entry *a, const struct order_entry *b)
{
    struct order_set set = self->set;
    set.nkeys = self->op.plan->sort.nkeys;
    return order_ties(&set, a, b);
}

/* How many of the sorted rows the limit keeps. */
static size_t kept_rows(const struct sort_op *self)
{
    if (self->n <= self->limit)
        return self->n;
    size_t end = (size_t)self->limit;
    while (self->op.plan->sort.ties && end > 0 && end < self->n &&
           ties(self, &self->entries[self->limit - 1], &self->entries[end]))
        end++;
    return end;
}

/* Keeps the best rows, copied together in the order in which they came. */
static int prune(struct sort_op *self, struct tsfs_error *err)
{
    int rc = sort_entries(self, err);
    if (rc != 0)
        return rc;
    struct order_entry worst = self->entries[self->limit - 1];
    self->n = kept_rows(self);
    if ((rc = order_by_arrival(self, err)) != 0)
        return rc;

    uint32_t kept = 0;
    struct tsfs_vec **new_cols = malloc((self->n / TSFS_BATCH_ROWS + 1) * sizeof(*new_cols));
    if (new_cols == NULL)
        return -ENOMEM;
    for (size_t from = 0; from < self->n && rc == 0; from += TSFS_BATCH_ROWS) {
        uint32_t n = self->n - from < TSFS_BATCH_ROWS ? (uint32_t)(self->n - from) : TSFS_BATCH_ROWS;
        tsfs_arena_reset(&self->scratch);
        struct tsfs_vec *cols = tsfs_arena_alloc(&self->scratch, width(self) * sizeof(*cols));
        struct tsfs_vec *to = tsfs_arena_alloc(&self->spare, width(self) * sizeof(*to));
        rc = cols == NULL || to == NULL ? -ENOMEM : exec_poll(self->op.ctx, err);
        for (uint32_t i = 0; i < width(self) && rc == 0; i++) {
            if (is_column(self, i)) {
                to[i] = to[self->exprs[i - self->op.plan->ncols]->index];
                continue;
            }
            rc = collect(self, &self->scratch, i, type_of(self, i), self->entries + from, n, &cols[i]);
            if (rc == 0)
                rc = vec_copy(&self->spare, &cols[i], n, &to[i]);
        }
        new_cols[kept++] = to;
    }
    if (rc == 0) {
        for (size_t i = 0; i < self->n; i++) {
            struct order_entry *e = &self->entries[i];
            bool is_worst = e->batch == worst.batch && e->row == worst.row;
            e->batch = (uint32_t)(i / TSFS_BATCH_ROWS);
            e->row = (uint16_t)(i % TSFS_BATCH_ROWS);
            if (is_worst)
                self->worst = *e;
        }
        for (uint32_t i = 0; i < kept; i++) {
            self->cols[i] = new_cols[i];
            self->heads[i] = new_cols[i] + self->op.plan->ncols;
        }
        self->nbatches = kept;
        self->has_worst = true;
        self->prune_at = 2 * self->n + SLACK_ROWS;
        struct tsfs_arena swap = self->store;
        self->store = self->spare;
        self->spare = swap;
        tsfs_arena_reset(&self->spare);
    }
    free(new_cols);
    return rc;
}

/* The rows of a batch that come before the worst kept one; entries are filled for all. */
static uint32_t select_better(struct sort_op *self, const struct tsfs_vec *keys, uint32_t n,
                              struct order_entry *entries, uint16_t *sel)
{
    uint32_t nsel = 0;
    self->heads[self->nbatches] = keys;
    for (uint32_t i = 0; i < n; i++) {
        entries[i].batch = self->nbatches;
        entries[i].row = (uint16_t)i;
        if (order_compare(&self->set, &entries[i], &self->worst) < 0 ||
            (self->op.plan->sort.ties && ties(self, &entries[i], &self->worst)))
            sel[nsel++] = (uint16_t)i;
    }
    return nsel;
}

static int add_batch(struct sort_op *self, const struct tsfs_batch *in, struct tsfs_error *err)
{
    uint32_t ncols = self->op.plan->ncols, n = in->nrows;
    tsfs_arena_reset(&self->scratch);
    struct tsfs_eval eval = exec_eval(self->op.ctx, &self->scratch, err);
    struct tsfs_vec *cols = tsfs_arena_alloc(&self->scratch, width(self) * sizeof(*cols));
    int rc = cols == NULL ? -ENOMEM : reserve(self, n);
    if (rc != 0)
        return rc;
    memcpy(cols, in->cols, ncols * sizeof(*cols));
    for (uint32_t k = 0; k < self->nkeys && rc == 0; k++)
        rc = tsfs_eval_expr(&eval, self->exprs[k], in->cols, n, &cols[ncols + k]);
    if (rc != 0)
        return rc;
    struct order_entry *to = self->entries + self->n;
    memset(to, 0, n * sizeof(*to));
    if (self->nkeys > 0)
        order_prefix(&self->keys[0], &cols[ncols], n, to);
    if (self->has_worst) {
        uint16_t *sel = tsfs_arena_alloc(&self->scratch, n * sizeof(*sel));
        if (sel == NULL)
            return -ENOMEM;
        uint32_t nsel = select_better(self, cols + ncols, n, to, sel);
        if (nsel == 0)
            return 0;
        for (uint32_t i = 0; i < width(self) && rc == 0 && nsel < n; i++)
            if (is_column(self, i))
                cols[i] = cols[self->exprs[i - ncols]->index];
            else
                rc = tsfs_vec_gather(&self->scratch, &cols[i], sel, nsel, &cols[i]);
        for (uint32_t i = 0; i < nsel; i++)
            to[i] = to[sel[i]];
        n = nsel;
    }
    for (uint32_t i = 0; i < n; i++) {
        to[i].batch = self->nbatches;
        to[i].row = (uint16_t)i;
    }
    if (rc == 0)
        rc = store_batch(self, &self->store, cols, n);
    if (rc != 0)
        return rc;
    self->n += n;
    if (self->n >= self->prune_at)
        rc = prune(self, err);
    return rc;
}

static int consume(struct sort_op *self, struct tsfs_error *err)
{
    struct exec_op *input = self->op.input;
    struct tsfs_batch *in;
    int rc;
    while ((rc = exec_poll(self->op.ctx, err)) == 0 && (rc = exec_next(input, &in, err)) > 0) {
        rc = add_batch(self, in, err);
        if (rc != 0)
            return exec_fail(self->op.ctx, rc, "ORDER BY", err);
    }
    if (rc != 0)
        return rc;
    rc = sort_entries(self, err);
    if (rc == 0)
        self->n = kept_rows(self);
    return exec_fail(self->op.ctx, rc, "ORDER BY", err);
}

static int sort_once(struct sort_op *self, struct tsfs_error *err)
{
    int rc = self->sorted || self->limit == 0 ? 0 : consume(self, err);
    if (rc == 0 && !self->sorted)
        self->end = self->n;
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
    tsfs_arena_reset(&self->scratch);
    self->batch.cols = tsfs_arena_alloc(&self->scratch, op->plan->ncols * sizeof(struct tsfs_vec));
    rc = self->batch.cols == NULL ? -ENOMEM : 0;
    for (uint32_t i = 0; i < op->plan->ncols && rc == 0; i++)
        rc = collect(from, &self->scratch, i, type_of(from, i), from->entries + self->at, n,
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
    release(self, self->room * sizeof(*self->entries));
    free(self->entries);
    free(self->cols);
    free(self->heads);
    tsfs_arena_free(&self->store);
    tsfs_arena_free(&self->spare);
    tsfs_arena_free(&self->scratch);
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
    exec_scan_want(op, expr->index, key->descending, self->limit);
    exec_aggregate_want(op, expr->index, key->descending, self->limit);
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
static int set_keys(struct sort_op *self)
{
    const struct tsfs_plan *plan = self->op.plan;
    struct tsfs_arena *arena = &self->op.ctx->arena;
    uint32_t nkeys = plan->sort.nkeys, ndecide = exec_order_is_open(plan->input) ? plan->ncols : 0;
    self->keys = TSFS_NEW_ARRAY(arena, struct order_key, nkeys + ndecide);
    self->exprs = TSFS_NEW_ARRAY(arena, const struct tsfs_expr *, nkeys + ndecide);
    struct tsfs_expr *columns = TSFS_NEW_ARRAY(arena, struct tsfs_expr, ndecide);
    if (self->keys == NULL || self->exprs == NULL || columns == NULL)
        return -ENOMEM;
    for (uint32_t k = 0; k < nkeys; k++) {
        const struct tsfs_plan_key *key = &plan->sort.keys[k];
        self->keys[k] = (struct order_key){.descending = key->descending, .nulls_first = key->nulls_first};
        self->exprs[k] = key->expr;
    }
    self->nkeys = nkeys;
    for (uint32_t i = 0; i < ndecide; i++) {
        uint32_t k = 0;
        while (k < nkeys && !(self->exprs[k]->kind == TSFS_EXPR_COLUMN && self->exprs[k]->index == i))
            k++;
        if (k < nkeys)
            continue;
        columns[i] = (struct tsfs_expr){.kind = TSFS_EXPR_COLUMN, .type = plan->cols[i].type, .index = i};
        self->exprs[self->nkeys++] = &columns[i];
    }
    enum tsfs_type first = self->nkeys > 0 ? self->exprs[0]->type : TSFS_UNKNOWN;
    self->set = (struct order_set){.keys = self->keys,
                                   .nkeys = self->nkeys,
                                   .decisive = self->nkeys > 0 && !tsfs_type_is_string(first) &&
                                               !tsfs_type_is_nested(first)};
    return 0;
}

int exec_open_sort(struct exec_ctx *ctx, const struct tsfs_plan *plan, struct exec_op **out,
                   struct tsfs_error *err)
{
    struct sort_op *self = TSFS_NEW(&ctx->arena, struct sort_op);
    if (self == NULL)
        return -ENOMEM;
    self->op = (struct exec_op){.ops = &sort_ops, .ctx = ctx, .plan = plan};
    tsfs_arena_init(&self->store, ctx->options.budget);
    tsfs_arena_init(&self->spare, ctx->options.budget);
    tsfs_arena_init(&self->scratch, ctx->options.budget);
    self->limit = plan->sort.limit;
    self->prune_at = self->limit > 0 && self->limit < SIZE_MAX / 4 ? 2 * self->limit + SLACK_ROWS : SIZE_MAX;
    self->batch.ncols = plan->ncols;
    self->from = self;
    *out = &self->op;
    if (exec_is_copied(ctx, plan))
        return 0;
    int rc = set_keys(self);
    if (rc == 0)
        rc = exec_op_open(ctx, plan->input, &self->op.input, err);
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
