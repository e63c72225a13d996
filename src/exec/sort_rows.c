/* Rows are copied batch by batch, their keys computed beside them; what is sorted are short entries that
 * point to them.
 *
 * With a limit, rows that can no longer come in are turned away as they arrive, and whenever twice the limit
 * (and some) has gathered, only the best are kept: memory follows the limit, not the input.  WITH TIES keeps
 * those too that tie with the last of the best. */
#include "exec/sort_rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "exec/kernels/gather.h"

#define SLACK_ROWS    512u
#define COLLECT_AHEAD 16u /* rows that are asked for before they are needed */
#define POLL_BATCHES  16u

void sort_rows_init(struct sort_rows *rows, struct exec_ctx *ctx, const struct tsfs_plan *plan,
                    const struct sort_keys *keys)
{
    uint64_t limit = plan->sort.limit;
    *rows = (struct sort_rows){.ctx = ctx, .plan = plan, .exprs = keys->exprs, .limit = limit};
    rows->set = (struct order_set){.keys = keys->keys, .nkeys = keys->n, .decisive = keys->decisive};
    rows->prune_at = limit > 0 && limit < SIZE_MAX / 4 ? 2 * limit + SLACK_ROWS : SIZE_MAX;
    tsfs_arena_init(&rows->store, ctx->options.budget);
    tsfs_arena_init(&rows->spare, ctx->options.budget);
    tsfs_arena_init(&rows->scratch, ctx->options.budget);
}

static int charge(struct sort_rows *rows, size_t size)
{
    struct tsfs_budget *budget = rows->ctx->options.budget;
    return budget == NULL || tsfs_budget_charge(budget, size) ? 0 : -ENOMEM;
}

static void release(struct sort_rows *rows, size_t size)
{
    if (rows->ctx->options.budget != NULL)
        tsfs_budget_release(rows->ctx->options.budget, size);
}

static int reserve(struct sort_rows *rows, uint32_t more)
{
    if (rows->nbatches == rows->batches_room) {
        uint32_t room = rows->batches_room == 0 ? 64 : rows->batches_room * 2;
        void *cols = realloc(rows->cols, room * sizeof(*rows->cols));
        if (cols != NULL)
            rows->cols = cols;
        void *heads = realloc(rows->heads, room * sizeof(*rows->heads));
        if (heads != NULL)
            rows->heads = heads;
        if (cols == NULL || heads == NULL)
            return -ENOMEM;
        rows->batches_room = room;
        rows->set.batches = rows->heads;
    }
    if (rows->n + more <= rows->room)
        return 0;
    size_t room = rows->room == 0 ? 1024 : rows->room * 2;
    while (room < rows->n + more)
        room *= 2;
    size_t grown = (room - rows->room) * sizeof(*rows->entries);
    if (charge(rows, grown) != 0)
        return -ENOMEM;
    void *entries = realloc(rows->entries, room * sizeof(*rows->entries));
    if (entries == NULL) {
        release(rows, grown);
        return -ENOMEM;
    }
    rows->entries = entries;
    rows->room = room;
    return 0;
}

static uint32_t width(const struct sort_rows *rows)
{
    return rows->plan->ncols + rows->set.nkeys;
}

/* Whether i is a key that is one of the input's columns: it is kept once. */
static bool is_column(const struct sort_rows *rows, uint32_t i)
{
    uint32_t ncols = rows->plan->ncols;
    return i >= ncols && rows->exprs[i - ncols]->kind == TSFS_EXPR_COLUMN;
}

/* Copies a batch (columns and keys) into arena as the next stored one. */
static int store_batch(struct sort_rows *rows, struct tsfs_arena *arena, const struct tsfs_vec *in,
                       uint32_t n)
{
    uint32_t ncols = rows->plan->ncols;
    struct tsfs_vec *to = tsfs_arena_alloc(arena, width(rows) * sizeof(*to));
    if (to == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < width(rows); i++) {
        if (is_column(rows, i)) {
            to[i] = to[rows->exprs[i - ncols]->index];
            continue;
        }
        int rc = vec_copy(arena, &in[i], n, &to[i]);
        if (rc != 0)
            return rc;
    }
    rows->cols[rows->nbatches] = to;
    rows->heads[rows->nbatches++] = to + ncols;
    return 0;
}

static enum tsfs_type type_of(const struct sort_rows *rows, uint32_t col)
{
    const struct tsfs_plan *plan = rows->plan;
    return col < plan->ncols ? plan->cols[col].type : rows->exprs[col - plan->ncols]->type;
}

int sort_rows_collect(const struct sort_rows *rows, struct tsfs_arena *arena, uint32_t col,
                      const struct order_entry *entries, uint32_t n, struct tsfs_vec *out)
{
    enum tsfs_type type = type_of(rows, col);
    unsigned size = tsfs_type_width(type);
    char *data = tsfs_arena_alloc(arena, (size_t)n * size);
    uint64_t *valid = tsfs_arena_calloc(arena, tsfs_bit_words(n), 8);
    if (data == NULL || valid == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++) {
        if (i + COLLECT_AHEAD < n) {
            const struct order_entry *far = &entries[i + COLLECT_AHEAD];
            const struct tsfs_vec *v = &rows->cols[far->batch][col];
            __builtin_prefetch(
                (const char *)((uintptr_t)v->data + (v->constant ? 0u : far->row) * (uintptr_t)size));
        }
        const struct tsfs_vec *v = &rows->cols[entries[i].batch][col];
        if (tsfs_vec_null(v, entries[i].row)) {
            memset(data + (size_t)i * size, 0, size);
            continue;
        }
        uint32_t row = v->constant ? 0 : entries[i].row;
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

int sort_rows_sort(struct sort_rows *rows, struct tsfs_error *err)
{
    size_t size = rows->n * sizeof(*rows->entries);
    if (charge(rows, size) != 0)
        return -ENOMEM;
    struct exec_ctx *ctx = rows->ctx;
    struct order_run run = {.pool = ctx->options.pool, .go_on = exec_poll_quiet, .ctx = ctx};
    struct order_entry *scratch = malloc(size > 0 ? size : 1);
    int rc = scratch == NULL ? -ENOMEM : order_sort(&rows->set, rows->entries, scratch, rows->n, &run);
    free(scratch);
    release(rows, size);
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
static int order_by_arrival(struct sort_rows *rows, struct tsfs_error *err)
{
    size_t size = rows->n * sizeof(*rows->entries) + (rows->nbatches + 1) * sizeof(size_t);
    if (charge(rows, size) != 0)
        return -ENOMEM;
    struct order_entry *to = malloc(rows->n * sizeof(*to));
    size_t *ends = calloc(rows->nbatches + 1, sizeof(*ends));
    int rc = to == NULL || ends == NULL ? -ENOMEM : 0;
    if (rc == 0) {
        for (size_t i = 0; i < rows->n; i++)
            ends[rows->entries[i].batch + 1]++;
        for (uint32_t b = 0; b < rows->nbatches; b++)
            ends[b + 1] += ends[b];
        for (size_t i = 0; i < rows->n; i++)
            to[ends[rows->entries[i].batch]++] = rows->entries[i];
    }
    for (uint32_t b = 0; rc == 0 && b < rows->nbatches; b++) {
        size_t from = b == 0 ? 0 : ends[b - 1];
        qsort(to + from, ends[b] - from, sizeof(*to), by_arrival);
        rc = b % POLL_BATCHES == 0 ? exec_poll(rows->ctx, err) : 0;
    }
    if (rc == 0)
        memcpy(rows->entries, to, rows->n * sizeof(*to));
    free(to);
    free(ends);
    release(rows, size);
    return rc;
}

/* How a and b compare by the plan's own keys says whether they tie. */
static bool ties(const struct sort_rows *rows, const struct order_entry *a, const struct order_entry *b)
{
    struct order_set set = rows->set;
    set.nkeys = rows->plan->sort.nkeys;
    return order_ties(&set, a, b);
}

size_t sort_rows_kept(const struct sort_rows *rows)
{
    if (rows->n <= rows->limit)
        return rows->n;
    size_t end = (size_t)rows->limit;
    while (rows->plan->sort.ties && end > 0 && end < rows->n &&
           ties(rows, &rows->entries[rows->limit - 1], &rows->entries[end]))
        end++;
    return end;
}

/* Keeps the best rows, copied together in the order in which they came. */
static int prune(struct sort_rows *rows, struct tsfs_error *err)
{
    int rc = sort_rows_sort(rows, err);
    if (rc != 0)
        return rc;
    struct order_entry worst = rows->entries[rows->limit - 1];
    rows->n = sort_rows_kept(rows);
    if ((rc = order_by_arrival(rows, err)) != 0)
        return rc;

    uint32_t kept = 0;
    struct tsfs_vec **new_cols = malloc((rows->n / TSFS_BATCH_ROWS + 1) * sizeof(*new_cols));
    if (new_cols == NULL)
        return -ENOMEM;
    for (size_t from = 0; from < rows->n && rc == 0; from += TSFS_BATCH_ROWS) {
        uint32_t n = rows->n - from < TSFS_BATCH_ROWS ? (uint32_t)(rows->n - from) : TSFS_BATCH_ROWS;
        tsfs_arena_reset(&rows->scratch);
        struct tsfs_vec *cols = tsfs_arena_alloc(&rows->scratch, width(rows) * sizeof(*cols));
        struct tsfs_vec *to = tsfs_arena_alloc(&rows->spare, width(rows) * sizeof(*to));
        rc = cols == NULL || to == NULL ? -ENOMEM : exec_poll(rows->ctx, err);
        for (uint32_t i = 0; i < width(rows) && rc == 0; i++) {
            if (is_column(rows, i)) {
                to[i] = to[rows->exprs[i - rows->plan->ncols]->index];
                continue;
            }
            rc = sort_rows_collect(rows, &rows->scratch, i, rows->entries + from, n, &cols[i]);
            if (rc == 0)
                rc = vec_copy(&rows->spare, &cols[i], n, &to[i]);
        }
        new_cols[kept++] = to;
    }
    if (rc == 0) {
        for (size_t i = 0; i < rows->n; i++) {
            struct order_entry *e = &rows->entries[i];
            bool is_worst = e->batch == worst.batch && e->row == worst.row;
            e->batch = (uint32_t)(i / TSFS_BATCH_ROWS);
            e->row = (uint16_t)(i % TSFS_BATCH_ROWS);
            if (is_worst)
                rows->worst = *e;
        }
        for (uint32_t i = 0; i < kept; i++) {
            rows->cols[i] = new_cols[i];
            rows->heads[i] = new_cols[i] + rows->plan->ncols;
        }
        rows->nbatches = kept;
        rows->has_worst = true;
        rows->prune_at = 2 * rows->n + SLACK_ROWS;
        struct tsfs_arena swap = rows->store;
        rows->store = rows->spare;
        rows->spare = swap;
        tsfs_arena_reset(&rows->spare);
    }
    free(new_cols);
    return rc;
}

/* The rows of a batch that come before the worst kept one; entries are filled for all. */
static uint32_t select_better(struct sort_rows *rows, const struct tsfs_vec *keys, uint32_t n,
                              struct order_entry *entries, uint16_t *sel)
{
    uint32_t nsel = 0;
    rows->heads[rows->nbatches] = keys;
    for (uint32_t i = 0; i < n; i++) {
        entries[i].batch = rows->nbatches;
        entries[i].row = (uint16_t)i;
        if (order_compare(&rows->set, &entries[i], &rows->worst) < 0 ||
            (rows->plan->sort.ties && ties(rows, &entries[i], &rows->worst)))
            sel[nsel++] = (uint16_t)i;
    }
    return nsel;
}

int sort_rows_add(struct sort_rows *rows, const struct tsfs_batch *in, struct tsfs_error *err)
{
    uint32_t ncols = rows->plan->ncols, n = in->nrows;
    tsfs_arena_reset(&rows->scratch);
    struct tsfs_eval eval = exec_eval(rows->ctx, &rows->scratch, err);
    struct tsfs_vec *cols = tsfs_arena_alloc(&rows->scratch, width(rows) * sizeof(*cols));
    int rc = cols == NULL ? -ENOMEM : reserve(rows, n);
    if (rc != 0)
        return rc;
    memcpy(cols, in->cols, ncols * sizeof(*cols));
    for (uint32_t k = 0; k < rows->set.nkeys && rc == 0; k++)
        rc = tsfs_eval_expr(&eval, rows->exprs[k], in->cols, n, &cols[ncols + k]);
    if (rc != 0)
        return rc;
    struct order_entry *to = rows->entries + rows->n;
    memset(to, 0, n * sizeof(*to));
    if (rows->set.nkeys > 0)
        order_prefix(&rows->set.keys[0], &cols[ncols], n, to);
    if (rows->has_worst) {
        uint16_t *sel = tsfs_arena_alloc(&rows->scratch, n * sizeof(*sel));
        if (sel == NULL)
            return -ENOMEM;
        uint32_t nsel = select_better(rows, cols + ncols, n, to, sel);
        if (nsel == 0)
            return 0;
        for (uint32_t i = 0; i < width(rows) && rc == 0 && nsel < n; i++)
            if (is_column(rows, i))
                cols[i] = cols[rows->exprs[i - ncols]->index];
            else
                rc = tsfs_vec_gather(&rows->scratch, &cols[i], sel, nsel, &cols[i]);
        for (uint32_t i = 0; i < nsel; i++)
            to[i] = to[sel[i]];
        n = nsel;
    }
    for (uint32_t i = 0; i < n; i++) {
        to[i].batch = rows->nbatches;
        to[i].row = (uint16_t)i;
    }
    if (rc == 0)
        rc = store_batch(rows, &rows->store, cols, n);
    if (rc != 0)
        return rc;
    rows->n += n;
    if (rows->n >= rows->prune_at)
        rc = prune(rows, err);
    return rc;
}

/* ---- rows of several threads ---- */

/* Gives parts' batches their numbers among all. */
static void take_part(struct sort_rows *into, struct sort_rows *part)
{
    for (uint32_t i = 0; i < part->nbatches; i++) {
        into->cols[into->nbatches + i] = part->cols[i];
        into->heads[into->nbatches + i] = part->heads[i];
    }
    for (size_t i = 0; i < part->n; i++) {
        struct order_entry *e = &into->entries[into->n + i];
        *e = part->entries[i];
        e->batch += into->nbatches;
    }
    into->nbatches += part->nbatches;
    into->n += part->n;
    release(part, part->room * sizeof(*part->entries));
    free(part->entries);
    part->entries = NULL;
    part->n = part->room = 0;
}

int sort_rows_join(struct sort_rows *into, struct sort_rows *parts, uint32_t nparts)
{
    size_t n = 0;
    uint32_t nbatches = 0;
    for (uint32_t i = 0; i < nparts; i++) {
        n += parts[i].n;
        nbatches += parts[i].nbatches;
    }
    into->cols = calloc(nbatches + 1u, sizeof(*into->cols));
    into->heads = calloc(nbatches + 1u, sizeof(*into->heads));
    if (into->cols == NULL || into->heads == NULL || charge(into, n * sizeof(*into->entries)) != 0)
        return -ENOMEM;
    into->room = n;
    into->entries = malloc((n + 1) * sizeof(*into->entries));
    if (into->entries == NULL)
        return -ENOMEM;
    into->set.batches = into->heads;
    for (uint32_t i = 0; i < nparts; i++)
        take_part(into, &parts[i]);
    return 0;
}

void sort_rows_free(struct sort_rows *rows)
{
    if (rows->ctx == NULL)
        return;
    release(rows, rows->room * sizeof(*rows->entries));
    free(rows->entries);
    free(rows->cols);
    free(rows->heads);
    tsfs_arena_free(&rows->store);
    tsfs_arena_free(&rows->spare);
    tsfs_arena_free(&rows->scratch);
}
