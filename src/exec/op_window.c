/* WINDOW: keeps all rows, sorts them by partition and order, and computes the functions partition by
 * partition. Rows come out sorted. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "exec/kernels/order.h"
#include "exec/window_priv.h"
#include "sql/expr_tree.h"

#define NAME "a window function"

struct window_op {
    struct exec_op op;
    struct tsfs_arena store, scratch, part;
    struct rows rows;               /* the input's columns, then the slots */
    const struct tsfs_expr **slots; /* what is computed for each row beyond its columns */
    uint32_t nslots, ncols;
    uint32_t *sort; /* columns to sort by: partition, then keys */
    uint32_t npartition, nkeys;
    struct window_fn *fns;
    uint32_t nfns;
    uint32_t *ids;              /* sorted */
    uint64_t *starts, *changes; /* of them: where a partition begins, where the sort keys change */
    struct tsfs_vec *results;   /* of all rows, in that order */
    bool ready;
    uint32_t at;
    struct tsfs_batch batch;
};

/* ---- columns ---- */

static uint32_t slot(struct window_op *self, const struct tsfs_expr *e)
{
    if (e->kind == TSFS_EXPR_COLUMN)
        return e->index;
    for (uint32_t i = 0; i < self->nslots; i++)
        if (tsfs_expr_equal(self->slots[i], e))
            return self->ncols + i;
    self->slots[self->nslots] = e;
    return self->ncols + self->nslots++;
}

static int make_slots(struct window_op *self)
{
    const struct tsfs_plan *plan = self->op.plan;
    struct tsfs_arena *arena = &self->op.ctx->arena;
    uint32_t most = plan->window.npartition + plan->window.nkeys;
    for (uint32_t i = 0; i < plan->window.nfunctions; i++)
        most += plan->window.functions[i].nargs + 3;
    self->slots = TSFS_NEW_ARRAY(arena, const struct tsfs_expr *, most);
    self->sort = TSFS_NEW_ARRAY(arena, uint32_t, most);
    self->fns = TSFS_NEW_ARRAY(arena, struct window_fn, plan->window.nfunctions);
    if (self->slots == NULL || self->sort == NULL || self->fns == NULL)
        return -ENOMEM;
    self->npartition = plan->window.npartition;
    self->nkeys = plan->window.nkeys;
    for (uint32_t i = 0; i < self->npartition; i++)
        self->sort[i] = slot(self, plan->window.partition[i]);
    for (uint32_t i = 0; i < self->nkeys; i++)
        self->sort[self->npartition + i] = slot(self, plan->window.keys[i].expr);
    self->nfns = plan->window.nfunctions;
    for (uint32_t i = 0; i < self->nfns; i++) {
        const struct tsfs_plan_window *w = &plan->window.functions[i];
        struct window_fn *fn = &self->fns[i];
        fn->plan = w;
        fn->args = TSFS_NEW_ARRAY(arena, uint32_t, w->nargs);
        if (fn->args == NULL)
            return -ENOMEM;
        for (uint32_t k = 0; k < w->nargs; k++)
            fn->args[k] = slot(self, w->args[k]);
        fn->filter = w->filter == NULL ? WINDOW_NO_COLUMN : slot(self, w->filter);
        fn->start = w->start_offset == NULL ? WINDOW_NO_COLUMN : slot(self, w->start_offset);
        fn->end = w->end_offset == NULL ? WINDOW_NO_COLUMN : slot(self, w->end_offset);
    }
    return 0;
}

static int read_input(struct window_op *self, struct tsfs_error *err)
{
    uint32_t width = self->ncols + self->nslots;
    struct tsfs_batch *in;
    int rc = rows_init(&self->rows, &self->store, width);
    for (uint32_t i = 0; i < width && rc == 0; i++)
        self->rows.types[i] =
            i < self->ncols ? self->op.plan->input->cols[i].type : self->slots[i - self->ncols]->type;
    while (rc == 0 && (rc = exec_poll(self->op.ctx, err)) == 0 &&
           (rc = exec_next(self->op.input, &in, err)) > 0) {
        tsfs_arena_reset(&self->scratch);
        struct tsfs_eval eval = exec_eval(self->op.ctx, &self->scratch, err);
        struct tsfs_vec *cols = tsfs_arena_alloc(&self->scratch, width * sizeof(*cols));
        rc = cols == NULL ? -ENOMEM : 0;
        if (rc == 0 && self->ncols > 0)
            memcpy(cols, in->cols, self->ncols * sizeof(*cols));
        for (uint32_t i = 0; i < self->nslots && rc == 0; i++)
            rc = tsfs_eval_expr(&eval, self->slots[i], in->cols, in->nrows, &cols[self->ncols + i]);
        if (rc == 0)
            rc = rows_append(&self->rows, cols, NULL, in->nrows);
    }
    return rc;
}

/* ---- order ---- */

static int sort_rows(struct window_op *self, struct tsfs_error *err)
{
    uint32_t n = self->rows.n, nsort = self->npartition + self->nkeys, nchunks = self->rows.nchunks;
    self->ids = tsfs_arena_alloc(&self->store, (size_t)n * sizeof(uint32_t));
    if (self->ids == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++)
        self->ids[i] = i;
    if (nsort == 0 || n < 2)
        return 0;
    struct tsfs_arena arena;
    tsfs_arena_init(&arena, self->op.ctx->options.budget);
    struct order_key *keys = TSFS_NEW_ARRAY(&arena, struct order_key, nsort);
    const struct tsfs_vec **heads = TSFS_NEW_ARRAY(&arena, const struct tsfs_vec *, nchunks);
    struct tsfs_vec *cols = TSFS_NEW_ARRAY(&arena, struct tsfs_vec, (size_t)nchunks * nsort);
    struct order_entry *entries = tsfs_arena_calloc(&arena, n, sizeof(*entries));
    struct order_entry *spare = tsfs_arena_alloc(&arena, (size_t)n * sizeof(*spare));
    int rc = keys == NULL || heads == NULL || cols == NULL || entries == NULL || spare == NULL ? -ENOMEM : 0;
    if (rc == 0) {
        enum tsfs_type first = self->rows.types[self->sort[0]];
        struct order_set set = {.keys = keys,
                                .nkeys = nsort,
                                .batches = heads,
                                .decisive = !tsfs_type_is_string(first) && !tsfs_type_is_nested(first)};
        for (uint32_t k = 0; k < self->nkeys; k++)
            keys[self->npartition + k] =
                (struct order_key){.descending = self->op.plan->window.keys[k].descending,
                                   .nulls_first = self->op.plan->window.keys[k].nulls_first};
        for (uint32_t c = 0; c < nchunks; c++) {
            uint32_t in_chunk = rows_in_chunk(&self->rows, c);
            heads[c] = &cols[(size_t)c * nsort];
            for (uint32_t k = 0; k < nsort; k++)
                cols[(size_t)c * nsort + k] = rows_chunk(&self->rows, self->sort[k], c);
            order_prefix(&keys[0], heads[c], in_chunk, entries + (size_t)c * TSFS_BATCH_ROWS);
            for (uint32_t i = 0; i < in_chunk; i++) {
                entries[(size_t)c * TSFS_BATCH_ROWS + i].batch = c;
                entries[(size_t)c * TSFS_BATCH_ROWS + i].row = (uint16_t)i;
            }
        }
        struct exec_ctx *ctx = self->op.ctx;
        struct order_run run = {.pool = ctx->options.pool, .go_on = exec_poll_quiet, .ctx = ctx};
        rc = order_sort(&set, entries, spare, n, &run);
        if (rc != 0 && rc != -ENOMEM)
            rc = exec_poll(ctx, err);
        for (uint32_t i = 0; i < n && rc == 0; i++)
            self->ids[i] = entries[i].batch * TSFS_BATCH_ROWS + entries[i].row;
    }
    tsfs_arena_free(&arena);
    return rc;
}

static bool same_values(const struct tsfs_vec *v, uint32_t a, uint32_t b)
{
    if (tsfs_vec_null(v, a) || tsfs_vec_null(v, b))
        return tsfs_vec_null(v, a) && tsfs_vec_null(v, b);
    switch (v->type) {
    case TSFS_BOOLEAN: return v->b[a] == v->b[b];
    case TSFS_DOUBLE: return v->d[a] == v->d[b] || (isnan(v->d[a]) && isnan(v->d[b]));
    case TSFS_VARCHAR:
    case TSFS_VARBINARY: return tsfs_str_eq(v->s[a], v->s[b]);
    default:
        return tsfs_type_is_nested(v->type) ? tsfs_nested_same(v->type, v->p[a], v->p[b])
                                            : v->i[a] == v->i[b];
    }
}

/* Marks the sorted rows that differ in some of the columns from the row before; the first row always. */
static int mark_changes(struct window_op *self, const uint32_t *cols, uint32_t ncols, uint64_t **out,
                        struct tsfs_error *err)
{
    uint32_t n = self->rows.n;
    int rc = 0;
    *out = tsfs_arena_calloc(&self->store, tsfs_bit_words(n), 8);
    if (*out == NULL)
        return -ENOMEM;
    if (n > 0)
        tsfs_bit_set(*out, 0);
    for (uint32_t from = 0; from + 1 < n && ncols > 0 && rc == 0; from += TSFS_BATCH_ROWS - 1) {
        uint32_t take = n - from < TSFS_BATCH_ROWS ? n - from : TSFS_BATCH_ROWS;
        tsfs_arena_reset(&self->scratch);
        rc = exec_poll(self->op.ctx, err);
        for (uint32_t k = 0; k < ncols && rc == 0; k++) {
            struct tsfs_vec v;
            rc = rows_gather(&self->rows, &self->scratch, cols[k], self->ids + from, take, &v);
            for (uint32_t i = 1; i < take && rc == 0; i++)
                if (!same_values(&v, i - 1, i))
                    tsfs_bit_set(*out, from + i);
        }
    }
    return rc;
}

/* ---- functions of position ---- */

static void put_bigint(const struct window_part *part, const struct window_fn *fn, uint32_t row, int64_t v)
{
    ((int64_t *)fn->out.data)[part->at + row] = v;
    tsfs_bit_set(fn->out.valid, part->at + row);
}

static void put_double(const struct window_part *part, const struct window_fn *fn, uint32_t row, double v)
{
    ((double *)fn->out.data)[part->at + row] = v;
    tsfs_bit_set(fn->out.valid, part->at + row);
}

static int fail(const struct window_part *part, const struct window_fn *fn, const char *what)
{
    return tsfs_error_set_at(part->err, -EINVAL, fn->plan->line, fn->plan->column, "%s: %s",
                             fn->plan->fn->name, what);
}

static int ntile(const struct window_part *part, const struct window_fn *fn)
{
    struct tsfs_vec tiles;
    int rc = window_column(part, fn->args[0], &tiles);
    for (uint32_t i = 0; i < part->n && rc == 0; i++) {
        if (tsfs_vec_null(&tiles, i))
            continue;
        if (tiles.i[i] <= 0)
            return fail(part, fn, "the number of tiles must be at least 1");
        uint64_t k = (uint64_t)tiles.i[i] > part->n ? part->n : (uint64_t)tiles.i[i];
        uint64_t size = part->n / k, larger = part->n % k; /* the first `larger` tiles have one row more */
        uint64_t tile = i < larger * (size + 1) ? i / (size + 1) : larger + (i - larger * (size + 1)) / size;
        put_bigint(part, fn, i, (int64_t)tile + 1);
    }
    return rc;
}

static void by_position(const struct window_part *part, const struct window_fn *fn, enum tsfs_window_fn kind)
{
    for (uint32_t i = 0; i < part->n; i++) {
        uint32_t group = part->peers[i], from = part->group_from[group], to = part->group_from[group + 1];
        switch (kind) {
        case TSFS_WINDOW_ROW_NUMBER: put_bigint(part, fn, i, (int64_t)i + 1); break;
        case TSFS_WINDOW_RANK: put_bigint(part, fn, i, (int64_t)from + 1); break;
        case TSFS_WINDOW_DENSE_RANK: put_bigint(part, fn, i, (int64_t)group + 1); break;
        case TSFS_WINDOW_PERCENT_RANK:
            put_double(part, fn, i, part->n == 1 ? 0 : (double)from / (double)(part->n - 1));
            break;
        default: put_double(part, fn, i, (double)to / (double)part->n); break;
        }
    }
}

/* ---- values of other rows ---- */

/* Rows with a value: their places, and how many there are before each row. */
struct present {
    uint32_t *places, *before;
};

static int find_present(const struct window_part *part, const struct tsfs_vec *v, struct present *out)
{
    uint32_t n = 0;
    out->places = tsfs_arena_alloc(part->arena, (size_t)part->n * sizeof(uint32_t));
    out->before = tsfs_arena_alloc(part->arena, ((size_t)part->n + 1) * sizeof(uint32_t));
    if (out->places == NULL || out->before == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < part->n; i++) {
        out->before[i] = n;
        if (!tsfs_vec_null(v, i))
            out->places[n++] = i;
    }
    out->before[part->n] = n;
    return 0;
}

static int shifted(const struct window_part *part, const struct window_fn *fn, bool back)
{
    const struct tsfs_plan_window *w = fn->plan;
    struct tsfs_vec v, offset, otherwise;
    struct present present;
    int rc = window_column(part, fn->args[0], &v);
    if (rc == 0 && w->nargs > 1)
        rc = window_column(part, fn->args[1], &offset);
    if (rc == 0 && w->nargs > 2)
        rc = window_column(part, fn->args[2], &otherwise);
    if (rc == 0 && w->ignore_nulls)
        rc = find_present(part, &v, &present);
    for (uint32_t i = 0; i < part->n && rc == 0; i++) {
        int64_t by = 1, to;
        if (w->nargs > 1) {
            if (tsfs_vec_null(&offset, i))
                continue;
            by = offset.i[i];
            if (by < 0)
                return fail(part, fn, "the offset cannot be negative");
        }
        bool inside;
        if (w->ignore_nulls && by > 0) {
            int64_t k = back              ? (int64_t)present.before[i] - by
                        : by > UINT32_MAX ? UINT32_MAX
                                          : (int64_t)present.before[i + 1] + by - 1;
            inside = k >= 0 && k < present.before[part->n];
            to = inside ? present.places[k] : 0;
        } else {
            inside = back ? by <= i : by < (int64_t)part->n - i;
            to = inside ? (back ? i - by : i + by) : 0;
        }
        if (inside)
            tsfs_vec_put(&fn->out, w->type, part->at + i, &v, (size_t)to);
        else if (w->nargs > 2)
            tsfs_vec_put(&fn->out, w->type, part->at + i, &otherwise, i);
    }
    return rc;
}

static int of_frame(const struct window_part *part, const struct window_fn *fn, enum tsfs_window_fn kind)
{
    const struct tsfs_plan_window *w = fn->plan;
    struct tsfs_vec v, nth;
    struct present present;
    struct window_frames frames;
    int rc = window_column(part, fn->args[0], &v);
    if (rc == 0 && kind == TSFS_WINDOW_NTH_VALUE)
        rc = window_column(part, fn->args[1], &nth);
    if (rc == 0 && w->ignore_nulls)
        rc = find_present(part, &v, &present);
    if (rc == 0)
        rc = window_frames(part, fn, &frames);
    for (uint32_t i = 0; i < part->n && rc == 0; i++) {
        uint32_t from = frames.from[i], to = frames.to[i];
        int64_t k;
        if (w->ignore_nulls) {
            from = present.before[from];
            to = present.before[to];
        }
        switch (kind) {
        case TSFS_WINDOW_FIRST_VALUE: k = from; break;
        case TSFS_WINDOW_LAST_VALUE: k = (int64_t)to - 1; break;
        default:
            if (tsfs_vec_null(&nth, i))
                continue;
            if (nth.i[i] < 1)
                return fail(part, fn, "the number of the row must be at least 1");
            k = nth.i[i] > (int64_t)to - from ? (int64_t)to : from + nth.i[i] - 1;
            break;
        }
        if (k < from || k >= to)
            continue;
        tsfs_vec_put(&fn->out, w->type, part->at + i, &v, w->ignore_nulls ? present.places[k] : (size_t)k);
    }
    return rc;
}

static int compute(const struct window_part *part, const struct window_fn *fn)
{
    if (fn->plan->fn->kind != TSFS_FUNCTION_WINDOW)
        return window_aggregate(part, fn);
    enum tsfs_window_fn kind = ((const struct tsfs_window_impl *)fn->plan->fn->impl)->fn;
    switch (kind) {
    case TSFS_WINDOW_NTILE: return ntile(part, fn);
    case TSFS_WINDOW_LAG: return shifted(part, fn, true);
    case TSFS_WINDOW_LEAD: return shifted(part, fn, false);
    case TSFS_WINDOW_FIRST_VALUE:
    case TSFS_WINDOW_LAST_VALUE:
    case TSFS_WINDOW_NTH_VALUE: return of_frame(part, fn, kind);
    default: by_position(part, fn, kind); return 0;
    }
}

/* ---- partitions ---- */

static int do_partition(struct window_op *self, uint32_t from, uint32_t to, struct tsfs_error *err)
{
    tsfs_arena_reset(&self->part);
    struct window_part part = {.ctx = self->op.ctx,
                               .rows = &self->rows,
                               .ids = self->ids + from,
                               .n = to - from,
                               .at = from,
                               .key = self->nkeys > 0 ? self->sort[self->npartition] : WINDOW_NO_COLUMN,
                               .descending = self->nkeys > 0 && self->op.plan->window.keys[0].descending,
                               .arena = &self->part,
                               .lasting = &self->store,
                               .err = err};
    part.peers = tsfs_arena_alloc(&self->part, (size_t)part.n * sizeof(uint32_t));
    part.group_from = tsfs_arena_alloc(&self->part, ((size_t)part.n + 1) * sizeof(uint32_t));
    if (part.peers == NULL || part.group_from == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < part.n; i++) {
        if (i == 0 || tsfs_bit_get(self->changes, from + i))
            part.group_from[part.ngroups++] = i;
        part.peers[i] = part.ngroups - 1;
    }
    part.group_from[part.ngroups] = part.n;
    int rc = exec_poll(self->op.ctx, err);
    for (uint32_t i = 0; i < self->nfns && rc == 0; i++)
        rc = compute(&part, &self->fns[i]);
    return rc;
}

static int work(struct window_op *self, struct tsfs_error *err)
{
    int rc = read_input(self, err);
    uint32_t n = self->rows.n;
    if (rc == 0)
        rc = sort_rows(self, err);
    if (rc == 0)
        rc = mark_changes(self, self->sort, self->npartition, &self->starts, err);
    if (rc == 0)
        rc = mark_changes(self, self->sort + self->npartition, self->nkeys, &self->changes, err);
    self->results = TSFS_NEW_ARRAY(&self->store, struct tsfs_vec, self->nfns);
    if (rc == 0 && self->results == NULL)
        rc = -ENOMEM;
    for (uint32_t i = 0; i < self->nfns && rc == 0; i++)
        rc = tsfs_vec_room(&self->store, self->fns[i].plan->type, n, &self->fns[i].out);
    for (uint32_t from = 0, to; from < n && rc == 0; from = to) {
        for (to = from + 1; to < n && !tsfs_bit_get(self->starts, to);)
            to++;
        rc = do_partition(self, from, to, err);
    }
    for (uint32_t i = 0; i < self->nfns && rc == 0; i++)
        self->results[i] = tsfs_vec_of_room(self->fns[i].plan->type, &self->fns[i].out, n);
    return rc;
}

static int window_next(struct exec_op *op, struct tsfs_batch **out, struct tsfs_error *err)
{
    struct window_op *self = (struct window_op *)op;
    int rc = 0;
    if (!self->ready && (rc = exec_fail(op->ctx, work(self, err), NAME, err)) != 0)
        return rc;
    self->ready = true;
    uint32_t left = self->rows.n - self->at, n = left < TSFS_BATCH_ROWS ? left : TSFS_BATCH_ROWS;
    if (n == 0)
        return 0;
    if ((rc = exec_poll(op->ctx, err)) != 0)
        return rc;
    tsfs_arena_reset(&self->scratch);
    self->batch.cols = tsfs_arena_alloc(&self->scratch, op->plan->ncols * sizeof(struct tsfs_vec));
    rc = self->batch.cols == NULL ? -ENOMEM : 0;
    for (uint32_t i = 0; i < self->ncols && rc == 0; i++)
        rc = rows_gather(&self->rows, &self->scratch, i, self->ids + self->at, n, &self->batch.cols[i]);
    for (uint32_t i = 0; i < self->nfns && rc == 0; i++)
        rc = tsfs_vec_slice(&self->scratch, &self->results[i], self->at, n,
                            &self->batch.cols[self->ncols + i]);
    if (rc != 0)
        return exec_fail(op->ctx, rc, NAME, err);
    self->at += n;
    self->batch.nrows = self->batch.nsel = n;
    *out = &self->batch;
    return 1;
}

static void window_close(struct exec_op *op)
{
    struct window_op *self = (struct window_op *)op;
    tsfs_arena_free(&self->store);
    tsfs_arena_free(&self->scratch);
    tsfs_arena_free(&self->part);
}

static const struct exec_op_ops window_ops = {.next = window_next, .close = window_close};

int exec_open_window(struct exec_ctx *ctx, const struct tsfs_plan *plan, struct exec_op **out,
                     struct tsfs_error *err)
{
    struct window_op *self = TSFS_NEW(&ctx->arena, struct window_op);
    if (self == NULL)
        return -ENOMEM;
    self->op = (struct exec_op){.ops = &window_ops, .ctx = ctx, .plan = plan};
    tsfs_arena_init(&self->store, ctx->options.budget);
    tsfs_arena_init(&self->scratch, ctx->options.budget);
    tsfs_arena_init(&self->part, ctx->options.budget);
    self->ncols = plan->input->ncols;
    self->batch.ncols = plan->ncols;
    *out = &self->op;
    int rc = make_slots(self);
    return rc != 0 ? rc : exec_op_open(ctx, plan->input, &self->op.input, err);
}
