/* Aggregates that keep their rows: array_agg and create_time_series.
 *
 * Rows are copied into chunks of columns that grow with the group; only at the end is one array made of them.
 * array_agg(x ORDER BY y, ...) keeps the keys in columns behind x and sorts by them then; a series is sorted
 * by time, by merging the ascending stretches in which its points usually come. */
#include <stdlib.h>

#include "exec/functions/agg_priv.h"
#include "exec/functions/nested_priv.h"

#define CHUNK_ROWS_FIRST 4u
#define CHUNK_ROWS_MOST  2048u

struct chunk {
    struct chunk *next;
    uint32_t n, cap;
    struct tsfs_vec_room cols[]; /* of the state's columns */
};

struct collected {
    uint32_t n, ncols;
    enum tsfs_type *types;
    struct chunk *first, *last;
};

static int start(struct tsfs_kernel_ctx *ctx, struct collected *s, const struct tsfs_vec *args,
                 uint32_t ncols)
{
    s->types = TSFS_NEW_ARRAY(ctx->arena, enum tsfs_type, ncols);
    if (s->types == NULL)
        return function_no_memory(ctx);
    s->ncols = ncols;
    for (uint32_t c = 0; c < ncols; c++)
        s->types[c] = args[c].type;
    return 0;
}

static int add_chunk(struct tsfs_kernel_ctx *ctx, struct collected *s, uint32_t wanted)
{
    uint32_t cap = s->last == NULL ? CHUNK_ROWS_FIRST : s->last->cap * 2;
    while (cap < wanted && cap < CHUNK_ROWS_MOST)
        cap *= 2;
    cap = cap < CHUNK_ROWS_MOST ? cap : CHUNK_ROWS_MOST;
    struct chunk *chunk =
        tsfs_arena_calloc(ctx->arena, 1, sizeof(*chunk) + s->ncols * sizeof(chunk->cols[0]));
    if (chunk == NULL)
        return function_no_memory(ctx);
    chunk->cap = cap;
    for (uint32_t c = 0; c < s->ncols; c++)
        if (tsfs_vec_room(ctx->arena, s->types[c], cap, &chunk->cols[c]) != 0)
            return function_no_memory(ctx);
    if (s->last != NULL)
        s->last->next = chunk;
    else
        s->first = chunk;
    s->last = chunk;
    return 0;
}

/* Strings and nested values of rows that were just put become the state's own. */
static int own_values(struct tsfs_kernel_ctx *ctx, enum tsfs_type type, const struct tsfs_vec_room *room,
                      uint32_t from, uint32_t n)
{
    if (tsfs_type_is_string(type)) {
        struct tsfs_str *s = room->data;
        size_t total = 0;
        for (uint32_t i = from; i < from + n; i++)
            total += tsfs_bit_get(room->valid, i) ? s[i].len : 0;
        char *bytes = function_bytes(ctx, total);
        if (bytes == NULL)
            return -ENOMEM;
        for (uint32_t i = from; i < from + n; i++) {
            size_t len = tsfs_bit_get(room->valid, i) ? s[i].len : 0;
            if (len > 0)
                memcpy(bytes, s[i].ptr, len);
            s[i] = (struct tsfs_str){bytes, len};
            bytes += len;
        }
    } else if (tsfs_type_is_nested(type)) {
        const void **p = room->data;
        for (uint32_t i = from; i < from + n; i++)
            if (tsfs_bit_get(room->valid, i) && tsfs_nested_copy(ctx->arena, type, p[i], &p[i]) != 0)
                return function_no_memory(ctx);
    }
    return 0;
}

static int add_rows(struct tsfs_kernel_ctx *ctx, struct collected *s, const struct tsfs_vec *args,
                    uint32_t ncols, uint32_t from, uint32_t n)
{
    if (s->ncols == 0 && start(ctx, s, args, ncols) != 0)
        return -ENOMEM;
    if (n > TSFS_ARRAY_MAX - s->n)
        return tsfs_error_set_at(ctx->err, -E2BIG, ctx->line, ctx->column,
                                 "a group has more than %u rows: too many for one array", TSFS_ARRAY_MAX);
    while (n > 0) {
        if ((s->last == NULL || s->last->n == s->last->cap) && add_chunk(ctx, s, n) != 0)
            return -ENOMEM;
        struct chunk *chunk = s->last;
        uint32_t take = chunk->cap - chunk->n < n ? chunk->cap - chunk->n : n;
        for (uint32_t c = 0; c < s->ncols; c++) {
            tsfs_vec_put_range(&chunk->cols[c], s->types[c], chunk->n, &args[c], from, take);
            int rc = own_values(ctx, s->types[c], &chunk->cols[c], chunk->n, take);
            if (rc != 0)
                return rc;
        }
        chunk->n += take;
        s->n += take;
        from += take;
        n -= take;
    }
    return 0;
}

static int collect_merge(AGG_MERGE_ARGS)
{
    struct collected *s = into;
    const struct collected *f = from;
    for (const struct chunk *chunk = f->first; chunk != NULL; chunk = chunk->next) {
        struct tsfs_vec *cols = tsfs_arena_alloc(ctx->arena, f->ncols * sizeof(*cols));
        if (cols == NULL)
            return function_no_memory(ctx);
        for (uint32_t c = 0; c < f->ncols; c++)
            cols[c] = tsfs_vec_of_room(f->types[c], &chunk->cols[c], chunk->n);
        int rc = add_rows(ctx, s, cols, f->ncols, 0, chunk->n);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* Column c of all rows. */
static int column(struct tsfs_kernel_ctx *ctx, const struct collected *s, uint32_t c, struct tsfs_vec *out)
{
    struct tsfs_vec_room room;
    uint32_t at = 0;
    if (tsfs_vec_room(ctx->arena, s->types[c], s->n, &room) != 0)
        return function_no_memory(ctx);
    for (const struct chunk *chunk = s->first; chunk != NULL; chunk = chunk->next) {
        struct tsfs_vec v = tsfs_vec_of_room(s->types[c], &chunk->cols[c], chunk->n);
        tsfs_vec_put_range(&room, s->types[c], at, &v, 0, chunk->n);
        at += chunk->n;
    }
    *out = tsfs_vec_of_room(s->types[c], &room, s->n);
    return 0;
}

/* ---- array_agg ---- */

static int array_run(AGG_RUN_ARGS)
{
    return add_rows(ctx, state, args, 1 + ctx->norder, from, n);
}

static int array_rows(AGG_ROWS_ARGS)
{
    int rc = 0;
    for (uint32_t i = 0; i < n && rc == 0; i++)
        rc = add_rows(ctx, states[i], args, 1 + ctx->norder, i, 1);
    return rc;
}

struct sort_keys {
    const struct tsfs_vec *cols;
    const struct tsfs_sort_flags *order;
    uint32_t n;
};

static int by_keys(const void *a, const void *b, void *ctx)
{
    const struct sort_keys *k = ctx;
    uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
    for (uint32_t c = 0; c < k->n; c++) {
        bool x_null = tsfs_vec_null(&k->cols[c], i), y_null = tsfs_vec_null(&k->cols[c], j);
        if (x_null != y_null)
            return x_null == k->order[c].nulls_first ? -1 : 1;
        if (x_null)
            continue;
        struct tsfs_value x = tsfs_vec_get(&k->cols[c], i), y = tsfs_vec_get(&k->cols[c], j);
        int order = tsfs_value_order(&x, &y);
        if (order != 0)
            return k->order[c].descending ? -order : order;
    }
    return (i > j) - (i < j);
}

static int sort_rows(struct tsfs_kernel_ctx *ctx, const struct collected *s, struct tsfs_vec *elems)
{
    struct sort_keys keys = {.order = ctx->order, .n = ctx->norder};
    struct tsfs_vec *cols = tsfs_arena_alloc(ctx->arena, keys.n * sizeof(*cols));
    uint32_t *index = tsfs_arena_alloc(ctx->arena, s->n * sizeof(*index));
    if (cols == NULL || index == NULL)
        return function_no_memory(ctx);
    for (uint32_t c = 0; c < keys.n; c++) {
        int rc = column(ctx, s, 1 + c, &cols[c]);
        if (rc != 0)
            return rc;
    }
    for (uint32_t i = 0; i < s->n; i++)
        index[i] = i;
    keys.cols = cols;
    qsort_r(index, s->n, sizeof(*index), by_keys, &keys);
    struct tsfs_vec sorted;
    int rc = nested_take(ctx, elems, index, s->n, &sorted);
    *elems = sorted;
    return rc;
}

static int array_finish(AGG_FINISH_ARGS)
{
    const struct collected *s = state;
    const struct tsfs_array *array;
    struct tsfs_vec elems;
    if (s->n == 0)
        return agg_put_null(data, 8, valid, row);
    int rc = column(ctx, s, 0, &elems);
    if (rc == 0 && ctx->norder > 0)
        rc = sort_rows(ctx, s, &elems);
    if (rc == 0)
        rc = nested_array(ctx, &elems, s->n, &array);
    if (rc == 0)
        AGG_PUT(const void *, array);
    return rc;
}

/* ---- create_time_series ---- */

static int check_points(struct tsfs_kernel_ctx *ctx, const struct tsfs_vec *args, uint32_t from, uint32_t n)
{
    static const char *const what[] = {"time", "value"};
    for (int a = 0; a < 2; a++)
        if (agg_count_valid(&args[a], from, n) < n)
            return tsfs_error_set_at(
                ctx->err, -EINVAL, ctx->line, ctx->column,
                "create_time_series: a %s is NULL: leave such rows out with WHERE or FILTER", what[a]);
    return 0;
}

static int series_run(AGG_RUN_ARGS)
{
    int rc = check_points(ctx, args, from, n);
    return rc != 0 ? rc : add_rows(ctx, state, args, 2, from, n);
}

static int series_rows(AGG_ROWS_ARGS)
{
    int rc = 0;
    for (uint32_t i = 0; i < n && rc == 0; i++)
        if ((rc = check_points(ctx, args, i, 1)) == 0)
            rc = add_rows(ctx, states[i], args, 2, i, 1);
    return rc;
}

struct point {
    int64_t t;
    uint32_t i;
};

/* Merges neighbouring ascending stretches until one is left; of equal times the one that came first stays
 * first. */
static struct point *merge_stretches(struct point *from, struct point *to, uint32_t n)
{
    for (;;) {
        uint32_t stretches = 0;
        for (uint32_t a = 0; a < n; stretches++) {
            uint32_t b = a + 1, end, x = a, y, k = a;
            while (b < n && from[b].t >= from[b - 1].t)
                b++;
            end = b;
            if (b < n)
                for (end = b + 1; end < n && from[end].t >= from[end - 1].t;)
                    end++;
            y = b;
            while (x < b && y < end)
                to[k++] = from[y].t < from[x].t ? from[y++] : from[x++];
            while (x < b)
                to[k++] = from[x++];
            while (y < end)
                to[k++] = from[y++];
            a = end;
        }
        struct point *swap = from;
        from = to;
        to = swap;
        if (stretches <= 1)
            return from;
    }
}

/* Of points at one time the last that came is the one. */
static int sort_points(struct tsfs_kernel_ctx *ctx, struct tsfs_vec *times, struct tsfs_vec *values,
                       uint32_t *n)
{
    const int64_t *t = times->i;
    uint32_t ascending = 1;
    while (ascending < *n && t[ascending] > t[ascending - 1])
        ascending++;
    if (ascending >= *n)
        return 0;
    struct point *a = tsfs_arena_alloc(ctx->arena, *n * sizeof(*a));
    struct point *b = tsfs_arena_alloc(ctx->arena, *n * sizeof(*b));
    uint32_t *index = tsfs_arena_alloc(ctx->arena, *n * sizeof(*index)), kept = 0;
    int64_t *sorted = tsfs_arena_alloc(ctx->arena, *n * sizeof(*sorted));
    if (a == NULL || b == NULL || index == NULL || sorted == NULL)
        return function_no_memory(ctx);
    for (uint32_t i = 0; i < *n; i++)
        a[i] = (struct point){t[i], i};
    a = merge_stretches(a, b, *n);
    for (uint32_t i = 0; i < *n; i++) {
        if (i + 1 < *n && a[i + 1].t == a[i].t)
            continue;
        sorted[kept] = a[i].t;
        index[kept++] = a[i].i;
    }
    struct tsfs_vec taken;
    int rc = nested_take(ctx, values, index, kept, &taken);
    *values = taken;
    times->i = sorted;
    *n = kept;
    return rc;
}

static int series_finish(AGG_FINISH_ARGS)
{
    const struct collected *s = state;
    struct tsfs_vec times, values;
    uint32_t n = s->n;
    if (n == 0)
        return agg_put_null(data, 8, valid, row);
    struct tsfs_timeseries *series = TSFS_NEW(ctx->arena, struct tsfs_timeseries);
    if (series == NULL)
        return function_no_memory(ctx);
    int rc = column(ctx, s, 0, &times);
    if (rc == 0)
        rc = column(ctx, s, 1, &values);
    if (rc == 0)
        rc = sort_points(ctx, &times, &values, &n);
    if (rc != 0)
        return rc;
    *series = (struct tsfs_timeseries){n, times.i, values};
    AGG_PUT(const void *, series);
    return 0;
}

AGG_IMPL(array_impl, struct collected, array, collect_merge, array_finish, .by_order = true);
AGG_IMPL(series_impl, struct collected, series, collect_merge, series_finish, .by_order = true);

#define SERIES(sig) SIG_AGGREGATE("create_time_series", TSFS_OP_NONE, sig, series_impl, SERIES_HELP)
#define SERIES_HELP "create_time_series(t, x): the series of the values x at the times t, none of them NULL"

static const struct tsfs_function items[] = {
    {.name = "array_agg",
     .kind = TSFS_FUNCTION_AGGREGATE,
     .sig = "T -> array(T)",
     .ordered = true,
     .help = "array_agg(x [ORDER BY y, ...]): the array of all values, NULLs too",
     .impl = &array_impl},
    SERIES("timestamp, bigint -> timeseries(bigint)"),
    SERIES("timestamp, double -> timeseries(double)"),
    SERIES("timestamp, boolean -> timeseries(boolean)"),
    SERIES("timestamp, varchar -> timeseries(varchar)"),
};

const struct function_table functions_agg_collect = FUNCTION_TABLE(items);
