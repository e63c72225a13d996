/* Functions that take lambdas.  The elements of all rows are laid out one behind the other, the lambda is
 * evaluated over all of them, and the results are cut up again.  Only reduce goes step by step: its step k is
 * evaluated for the k-th elements of all rows together. */
#include "exec/functions/nested_priv.h"

/* The lambda over flattened elements; a timeseries' points are two parameters. */
static int call_flat(struct tsfs_kernel_ctx *ctx, unsigned arg, const struct nested_flat *flat,
                     struct tsfs_vec *out)
{
    struct tsfs_vec params[2] = {flat->elems};
    if (flat->times != NULL) {
        params[0] = (struct tsfs_vec){.type = TSFS_TIMESTAMP, .i = flat->times};
        params[1] = flat->elems;
    }
    return ctx->lambda(ctx, arg, params, flat->rows, flat->n, ctx->arena, out);
}

static int transform(KERNEL_ARGS)
{
    struct nested_flat flat;
    struct tsfs_vec result;
    int rc = nested_flatten(ctx, &args[0], n, valid, &flat);
    if (rc == 0)
        rc = call_flat(ctx, 1, &flat, &result);
    if (rc != 0)
        return rc;
    if (tsfs_type_kind(out->type) == TSFS_KIND_TIMESERIES)
        return nested_series(ctx, flat.times, &result, flat.from, n, valid, out);
    return nested_arrays(ctx, &result, flat.from, n, valid, out);
}

static bool is_true(const struct tsfs_vec *v, uint32_t i)
{
    return !tsfs_vec_null(v, i) && v->b[row_at(v, i)] != 0;
}

static int filter(KERNEL_ARGS)
{
    struct nested_flat flat;
    struct tsfs_vec keep, elems;
    int rc = nested_flatten(ctx, &args[0], n, valid, &flat);
    if (rc == 0)
        rc = call_flat(ctx, 1, &flat, &keep);
    if (rc != 0)
        return rc;
    uint32_t *index = tsfs_arena_alloc(ctx->arena, flat.n * sizeof(*index)), picked = 0;
    uint32_t *from = tsfs_arena_alloc(ctx->arena, ((size_t)n + 1) * sizeof(*from));
    int64_t *times = tsfs_arena_alloc(ctx->arena, flat.times != NULL ? flat.n * sizeof(*times) : 0);
    if (index == NULL || from == NULL || times == NULL)
        return function_no_memory(ctx);
    for (uint32_t i = 0; i < n; i++) {
        from[i] = picked;
        for (uint32_t k = flat.from[i]; k < flat.from[i + 1]; k++)
            if (is_true(&keep, k)) {
                if (flat.times != NULL)
                    times[picked] = flat.times[k];
                index[picked++] = k;
            }
    }
    from[n] = picked;
    rc = nested_take(ctx, &flat.elems, index, picked, &elems);
    if (rc != 0)
        return rc;
    if (tsfs_type_kind(out->type) == TSFS_KIND_TIMESERIES)
        return nested_series(ctx, times, &elems, from, n, valid, out);
    return nested_arrays(ctx, &elems, from, n, valid, out);
}

/* any: TRUE if one is TRUE, else NULL if one is NULL; all: FALSE if one is FALSE, else NULL ... */
static int match(KERNEL_ARGS, bool decides, bool decided)
{
    struct nested_flat flat;
    struct tsfs_vec result;
    struct tsfs_vec_room room;
    int rc = nested_flatten(ctx, &args[0], n, valid, &flat);
    if (rc == 0)
        rc = call_flat(ctx, 1, &flat, &result);
    if (rc == 0)
        rc = nested_begin(ctx, out, n, &room);
    if (rc != 0)
        return rc;
    for (uint32_t i = 0; i < n; i++) {
        bool unknown = false, found = false;
        if (!row_valid(valid, i))
            continue;
        for (uint32_t k = flat.from[i]; k < flat.from[i + 1] && !found; k++) {
            if (tsfs_vec_null(&result, k))
                unknown = true;
            else
                found = (result.b[row_at(&result, k)] != 0) == decides;
        }
        ((uint8_t *)room.data)[i] = found ? decided : !decided;
        if (found || !unknown)
            tsfs_bit_set(room.valid, i);
    }
    nested_finish(&room, n, out);
    return 0;
}

static int any_match(KERNEL_ARGS)
{
    return match(ctx, args, nargs, n, valid, out, true, true);
}

static int all_match(KERNEL_ARGS)
{
    return match(ctx, args, nargs, n, valid, out, false, false);
}

static int none_match(KERNEL_ARGS)
{
    return match(ctx, args, nargs, n, valid, out, true, false);
}

static int zip_with(KERNEL_ARGS)
{
    uint32_t *from = tsfs_arena_alloc(ctx->arena, ((size_t)n + 1) * sizeof(*from));
    uint64_t total = 0;
    if (from == NULL)
        return function_no_memory(ctx);
    for (uint32_t i = 0; i < n; i++) {
        from[i] = (uint32_t)total;
        if (!row_valid(valid, i))
            continue;
        uint32_t a = tsfs_vec_array(&args[0], i)->n, b = tsfs_vec_array(&args[1], i)->n;
        total += a > b ? a : b;
        if (total > UINT32_MAX)
            return function_no_memory(ctx);
    }
    from[n] = (uint32_t)total;
    struct tsfs_vec params[2], result;
    uint32_t *rows = tsfs_arena_alloc(ctx->arena, total * sizeof(*rows));
    if (rows == NULL)
        return function_no_memory(ctx);
    for (int side = 0; side < 2; side++) {
        enum tsfs_type type = tsfs_type_element(args[side].type);
        struct tsfs_vec_room room;
        if (tsfs_vec_room(ctx->arena, type, total, &room) != 0)
            return function_no_memory(ctx);
        for (uint32_t i = 0; i < n; i++) {
            uint32_t len = from[i + 1] - from[i];
            if (len == 0)
                continue;
            const struct tsfs_array *a = tsfs_vec_array(&args[side], i);
            tsfs_vec_put_range(&room, type, from[i], &a->elems, 0, a->n);
            for (uint32_t k = a->n; k < len; k++)
                tsfs_vec_put_value(&room, type, from[i] + k, &(struct tsfs_value){.null = true});
            for (uint32_t k = 0; k < len; k++)
                rows[from[i] + k] = i;
        }
        params[side] = tsfs_vec_of_room(type, &room, total);
    }
    int rc = ctx->lambda(ctx, 2, params, rows, (uint32_t)total, ctx->arena, &result);
    return rc != 0 ? rc : nested_arrays(ctx, &result, from, n, valid, out);
}

/* The states of all rows go from one arena to another and back, so that the memory of a step is used again.
 */
struct reduction {
    struct tsfs_arena arenas[2];
    enum tsfs_type type; /* of the states */
    struct tsfs_vec states;
    uint32_t *active, *picks; /* rows that have a next element, and which it is */
};

/* The states of the active rows, in their order. */
static int gather_states(struct reduction *r, struct tsfs_arena *arena, uint32_t m, struct tsfs_vec *out)
{
    struct tsfs_vec_room room;
    if (tsfs_vec_room(arena, r->type, m, &room) != 0)
        return -ENOMEM;
    for (uint32_t k = 0; k < m; k++)
        tsfs_vec_put(&room, r->type, k, &r->states, r->active[k]);
    *out = tsfs_vec_of_room(r->type, &room, m);
    return 0;
}

/* All states, those of the active rows replaced, into the other arena. */
static int next_states(struct reduction *r, struct tsfs_arena *to, uint32_t n, uint32_t m,
                       const struct tsfs_vec *stepped)
{
    struct tsfs_vec_room room;
    if (tsfs_vec_room(to, r->type, n, &room) != 0)
        return -ENOMEM;
    for (uint32_t i = 0, k = 0; i < n; i++) {
        bool active = k < m && r->active[k] == i;
        struct tsfs_value v = active ? tsfs_vec_get(stepped, k++) : tsfs_vec_get(&r->states, i);
        int rc = tsfs_value_copy(to, &v, &v);
        if (rc != 0)
            return rc;
        tsfs_vec_put_value(&room, r->type, i, &v);
    }
    r->states = tsfs_vec_of_room(r->type, &room, n);
    return 0;
}

static int steps(struct tsfs_kernel_ctx *ctx, struct reduction *r, const struct nested_flat *flat, uint32_t n)
{
    int rc = 0;
    for (uint32_t step = 0;; step++) {
        struct tsfs_arena *arena = &r->arenas[step & 1], *next = &r->arenas[(step + 1) & 1];
        uint32_t m = 0;
        for (uint32_t i = 0; i < n; i++)
            if (flat->from[i] + step < flat->from[i + 1]) {
                r->active[m] = i;
                r->picks[m++] = flat->from[i] + step;
            }
        if (m == 0)
            return 0;
        struct tsfs_kernel_ctx inner = *ctx;
        inner.arena = arena;
        struct tsfs_vec params[3], stepped;
        unsigned at = 1;
        if (gather_states(r, arena, m, &params[0]) != 0)
            return function_no_memory(ctx);
        if (flat->times != NULL) {
            int64_t *times = tsfs_arena_alloc(arena, m * sizeof(*times));
            if (times == NULL)
                return function_no_memory(ctx);
            for (uint32_t k = 0; k < m; k++)
                times[k] = flat->times[r->picks[k]];
            params[at++] = (struct tsfs_vec){.type = TSFS_TIMESTAMP, .i = times};
        }
        rc = nested_take(&inner, &flat->elems, r->picks, m, &params[at]);
        if (rc == 0)
            rc = ctx->lambda(ctx, 2, params, r->active, m, arena, &stepped);
        if (rc != 0)
            return rc;
        tsfs_arena_reset(next);
        if (next_states(r, next, n, m, &stepped) != 0)
            return function_no_memory(ctx);
        tsfs_arena_reset(arena);
        if ((rc = tsfs_kernel_work(ctx, n + next->used / 16)) != 0)
            return rc;
    }
}

static int reduce(KERNEL_ARGS)
{
    struct nested_flat flat;
    struct reduction r = {.type = args[1].type};
    struct tsfs_vec_room room;
    uint64_t *there = tsfs_arena_alloc(ctx->arena, tsfs_bit_words(n) * sizeof(*there));
    uint32_t *all = tsfs_arena_alloc(ctx->arena, n * sizeof(*all));
    r.active = tsfs_arena_alloc(ctx->arena, n * sizeof(*r.active));
    r.picks = tsfs_arena_alloc(ctx->arena, n * sizeof(*r.picks));
    if (there == NULL || all == NULL || r.active == NULL || r.picks == NULL)
        return function_no_memory(ctx);
    memset(there, 0, tsfs_bit_words(n) * sizeof(*there));
    for (uint32_t i = 0; i < n; i++) {
        all[i] = i;
        if (!tsfs_vec_null(&args[0], i))
            tsfs_bit_set(there, i);
    }
    int rc = nested_flatten(ctx, &args[0], n, there, &flat);
    if (rc != 0)
        return rc;
    for (int a = 0; a < 2; a++)
        tsfs_arena_init(&r.arenas[a], ctx->arena->budget);
    struct tsfs_vec result;
    if (tsfs_vec_room(&r.arenas[0], r.type, n, &room) != 0) {
        rc = function_no_memory(ctx);
        goto out;
    }
    tsfs_vec_put_range(&room, r.type, 0, &args[1], 0, n);
    r.states = tsfs_vec_of_room(r.type, &room, n);
    /* The first step works in arena 0, where the first states are: they must outlive its reset. */
    if (next_states(&r, ctx->arena, n, 0, NULL) != 0)
        rc = function_no_memory(ctx);
    if (rc == 0)
        rc = steps(ctx, &r, &flat, n);
    if (rc == 0 && next_states(&r, ctx->arena, n, 0, NULL) != 0)
        rc = function_no_memory(ctx);
    if (rc == 0)
        rc = ctx->lambda(ctx, 3, &r.states, all, n, ctx->arena, &result);
    if (rc == 0)
        rc = nested_begin(ctx, out, n, &room);
    if (rc != 0)
        goto out;
    for (uint32_t i = 0; i < n; i++)
        if (tsfs_bit_get(there, i))
            tsfs_vec_put(&room, out->type, i, &result, i);
    nested_finish(&room, n, out);
out:
    for (int a = 0; a < 2; a++)
        tsfs_arena_free(&r.arenas[a]);
    return rc;
}

static const struct tsfs_function items[] = {
    SIG("transform", "array(T), lambda(T -> U) -> array(U)", transform,
        "transform(a, x -> y): the array of y for every element x"),
    SIG("transform", "timeseries(T), lambda(point(T) -> U) -> timeseries(U)", transform,
        "transform(ts, x -> y): the series with y for the value of every point x (x.time, x.value)"),
    SIG("filter", "array(T), lambda(T -> boolean) -> array(T)", filter,
        "filter(a, x -> c): the elements x for which c is true"),
    SIG("filter", "timeseries(T), lambda(point(T) -> boolean) -> timeseries(T)", filter,
        "filter(ts, x -> c): the points x (x.time, x.value) for which c is true"),
    SIG("any_match", "array(T), lambda(T -> boolean) -> boolean", any_match,
        "any_match(a, x -> c): whether c is true for an element"),
    SIG("all_match", "array(T), lambda(T -> boolean) -> boolean", all_match,
        "all_match(a, x -> c): whether c is true for all elements"),
    SIG("none_match", "array(T), lambda(T -> boolean) -> boolean", none_match,
        "none_match(a, x -> c): whether c is true for no element"),
    SIG("zip_with", "array(T), array(U), lambda(T, U -> R) -> array(R)", zip_with,
        "zip_with(a, b, (x, y) -> z): the array of z for every pair; NULL where one is shorter"),
    SIG_NULLS("reduce", "array(T), S, lambda(S, T -> S), lambda(S -> R) -> R", reduce,
              "reduce(a, s, (s, x) -> s, s -> r): r of the state s after every element in turn"),
    SIG_NULLS("reduce", "timeseries(T), S, lambda(S, point(T) -> S), lambda(S -> R) -> R", reduce,
              "reduce(ts, s, (s, x) -> s, s -> r): r of the state s after every point (x.time, x.value)"),
};

const struct function_table functions_array_lambda = FUNCTION_TABLE(items);
