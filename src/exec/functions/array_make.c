/* Making arrays and rows, and taking them apart: constructors, subscripts, fields, concatenation, sequences.
 */
#include "base/time.h"
#include "exec/functions/nested_priv.h"

/* ARRAY[a, b, ...] */
static int make_array(KERNEL_ARGS)
{
    enum tsfs_type type = tsfs_type_element(out->type);
    uint32_t *from = tsfs_arena_alloc(ctx->arena, ((size_t)n + 1) * sizeof(*from));
    struct tsfs_vec_room room;
    if ((uint64_t)n * nargs > UINT32_MAX || from == NULL ||
        tsfs_vec_room(ctx->arena, type, (size_t)n * nargs, &room) != 0)
        return function_no_memory(ctx);
    for (uint32_t i = 0; i < n; i++) {
        from[i] = i * nargs;
        for (unsigned a = 0; a < nargs; a++)
            tsfs_vec_put(&room, type, from[i] + a, &args[a], i);
    }
    from[n] = n * nargs;
    struct tsfs_vec elems = tsfs_vec_of_room(type, &room, (size_t)n * nargs);
    out->valid = NULL;
    return nested_arrays(ctx, &elems, from, n, NULL, out);
}

/* ROW(a, b, ...) */
static int make_row(KERNEL_ARGS)
{
    struct tsfs_row *rows = TSFS_NEW_ARRAY(ctx->arena, struct tsfs_row, n);
    struct tsfs_value *fields = tsfs_arena_calloc(ctx->arena, (size_t)n * nargs, sizeof(*fields));
    const void **p = function_alloc(ctx, out, n, sizeof(*p));
    if (rows == NULL || fields == NULL || p == NULL)
        return function_no_memory(ctx);
    for (uint32_t i = 0; i < n; i++) {
        struct tsfs_value *own = fields + (size_t)i * nargs;
        for (unsigned a = 0; a < nargs; a++)
            own[a] = tsfs_vec_get(&args[a], i);
        rows[i] = (struct tsfs_row){nargs, own};
        p[i] = &rows[i];
    }
    out->valid = NULL;
    return 0;
}

/* row.field; the second argument is the field's number. */
static int field(KERNEL_ARGS)
{
    struct tsfs_vec_room room;
    int rc = nested_begin(ctx, out, n, &room);
    if (rc != 0)
        return rc;
    uint32_t number = (uint32_t)args[1].i[0];
    for (uint32_t i = 0; i < n; i++)
        if (row_valid(valid, i))
            tsfs_vec_put_value(&room, out->type, i, &tsfs_vec_row(&args[0], i)->fields[number]);
    nested_finish(&room, n, out);
    return 0;
}

static int at_index(KERNEL_ARGS, bool strict)
{
    struct tsfs_vec_room room;
    int rc = nested_begin(ctx, out, n, &room);
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        if (!row_valid(valid, i))
            continue;
        const struct tsfs_array *a = tsfs_vec_array(&args[0], i);
        int64_t index = args[1].i[row_at(&args[1], i)];
        if (index == 0)
            rc = function_fail(ctx, i, "arrays are numbered from 1, there is no element 0");
        else if (index > 0 && index <= (int64_t)a->n)
            tsfs_vec_put(&room, out->type, i, &a->elems, (size_t)index - 1);
        else if (!strict && index < 0 && index >= -(int64_t)a->n)
            tsfs_vec_put(&room, out->type, i, &a->elems, (size_t)(a->n + index));
        else if (strict)
            rc = function_fail(ctx, i, "the array has %u element%s, there is no element %lld", a->n,
                               a->n == 1 ? "" : "s", (long long)index);
    }
    nested_finish(&room, n, out);
    return rc;
}

static int subscript(KERNEL_ARGS)
{
    return at_index(ctx, args, nargs, n, valid, out, true);
}

static int element_at(KERNEL_ARGS)
{
    return at_index(ctx, args, nargs, n, valid, out, false);
}

static int cardinality(KERNEL_ARGS)
{
    int64_t *r = function_calloc(ctx, out, n, sizeof(*r));
    if (r == NULL)
        return -ENOMEM;
    bool series = tsfs_type_kind(args[0].type) == TSFS_KIND_TIMESERIES;
    for (uint32_t i = 0; i < n; i++)
        if (row_valid(valid, i))
            r[i] = series ? tsfs_vec_series(&args[0], i)->n : tsfs_vec_array(&args[0], i)->n;
    return 0;
}

/* Arrays and single elements, one behind the other. */
static int concat(KERNEL_ARGS)
{
    enum tsfs_type type = tsfs_type_element(out->type);
    uint32_t *from = tsfs_arena_alloc(ctx->arena, ((size_t)n + 1) * sizeof(*from));
    uint64_t total = 0;
    if (from == NULL)
        return function_no_memory(ctx);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t len = 0;
        from[i] = (uint32_t)total;
        if (!row_valid(valid, i))
            continue;
        for (unsigned a = 0; a < nargs; a++)
            len += args[a].type == out->type ? tsfs_vec_array(&args[a], i)->n : 1;
        if (len > TSFS_ARRAY_MAX) {
            int rc = nested_too_long(ctx, i, "concat");
            if (rc != 0)
                return rc;
            len = 0;
        }
        total += len;
        if (total > UINT32_MAX)
            return function_no_memory(ctx);
    }
    from[n] = (uint32_t)total;
    struct tsfs_vec_room room;
    if (tsfs_vec_room(ctx->arena, type, total, &room) != 0)
        return function_no_memory(ctx);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = from[i];
        for (unsigned a = 0; a < nargs && at < from[i + 1]; a++) {
            if (args[a].type != out->type) {
                tsfs_vec_put(&room, type, at++, &args[a], i);
                continue;
            }
            const struct tsfs_array *array = tsfs_vec_array(&args[a], i);
            tsfs_vec_put_range(&room, type, at, &array->elems, 0, array->n);
            at += array->n;
        }
    }
    struct tsfs_vec elems = tsfs_vec_of_room(type, &room, total);
    return nested_arrays(ctx, &elems, from, n, valid, out);
}

/* array || element: an element that is NULL is an element, an array that is NULL makes the result NULL. */
static int append(KERNEL_ARGS)
{
    uint64_t *own = function_own_valid(ctx, n, NULL, out);
    unsigned array = args[0].type == out->type ? 0 : 1;
    if (own == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++)
        if (tsfs_vec_null(&args[array], i))
            tsfs_bit_clear(own, i);
    return concat(ctx, args, nargs, n, own, out);
}

static int flatten(KERNEL_ARGS)
{
    enum tsfs_type type = tsfs_type_element(out->type);
    struct nested_flat outer, inner;
    int rc = nested_flatten(ctx, &args[0], n, valid, &outer);
    if (rc == 0)
        rc = nested_flatten(ctx, &outer.elems, outer.n, outer.elems.valid, &inner);
    uint32_t *from = rc != 0 ? NULL : tsfs_arena_alloc(ctx->arena, ((size_t)n + 1) * sizeof(*from));
    if (from == NULL)
        return rc != 0 ? rc : function_no_memory(ctx);
    for (uint32_t i = 0; i <= n; i++)
        from[i] = inner.from[outer.from[i]];
    inner.elems.type = outer.n == 0 ? type : inner.elems.type;
    return nested_arrays(ctx, &inner.elems, from, n, valid, out);
}

static int repeat(KERNEL_ARGS)
{
    enum tsfs_type type = tsfs_type_element(out->type);
    struct tsfs_vec_room room;
    int rc = nested_begin(ctx, out, n, &room);
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        if (tsfs_vec_null(&args[1], i))
            continue;
        int64_t count = args[1].i[row_at(&args[1], i)];
        if (count < 0 || count > (int64_t)TSFS_ARRAY_MAX) {
            rc = count < 0 ? function_fail(ctx, i, "repeat: the count must not be negative")
                           : nested_too_long(ctx, i, "repeat");
            continue;
        }
        uint32_t len = (uint32_t)count;
        struct tsfs_vec_room elems;
        const struct tsfs_array *a;
        if (tsfs_vec_room(ctx->arena, type, len, &elems) != 0)
            return function_no_memory(ctx);
        for (uint32_t k = 0; k < len; k++)
            tsfs_vec_put(&elems, type, k, &args[0], i);
        struct tsfs_vec v = tsfs_vec_of_room(type, &elems, len);
        if ((rc = nested_array(ctx, &v, len, &a)) == 0)
            nested_put(&room, i, a);
    }
    nested_finish(&room, n, out);
    return rc;
}

/* ---- sequence ---- */

/* start, start + step, ... up to stop, both int64 of whatever meaning. */
static int steps(struct tsfs_kernel_ctx *ctx, uint32_t row, int64_t start, int64_t stop, int64_t step,
                 int64_t **values, uint32_t *len)
{
    *values = NULL;
    *len = 0;
    if (step == 0)
        return function_fail(ctx, row, "sequence: the step must not be zero");
    if (start != stop && (stop > start) != (step > 0))
        return function_fail(ctx, row, "sequence: steps of this sign never lead from the start to the end");
    uint64_t span = stop > start ? (uint64_t)stop - (uint64_t)start : (uint64_t)start - (uint64_t)stop;
    uint64_t by = step > 0 ? (uint64_t)step : 0 - (uint64_t)step;
    if (span / by >= TSFS_ARRAY_MAX)
        return nested_too_long(ctx, row, "sequence");
    uint32_t n = (uint32_t)(span / by) + 1;
    int64_t *v = tsfs_arena_alloc(ctx->arena, n * sizeof(*v));
    if (v == NULL)
        return function_no_memory(ctx);
    for (uint32_t i = 0; i < n; i++)
        v[i] = (int64_t)((uint64_t)start + i * (uint64_t)step);
    *values = v;
    *len = n;
    return 0;
}

/* Steps of months, each counted from the start. */
static int month_steps(struct tsfs_kernel_ctx *ctx, uint32_t row, bool dates, int64_t start, int64_t stop,
                       int64_t months, int64_t **values, uint32_t *len)
{
    *values = NULL;
    *len = 0;
    if (months == 0)
        return function_fail(ctx, row, "sequence: the step must not be zero");
    if (start != stop && (stop > start) != (months > 0))
        return function_fail(ctx, row, "sequence: steps of this sign never lead from the start to the end");
    uint32_t n = 0, cap = 0;
    int64_t *v = NULL;
    for (int64_t k = 0;; k++) {
        int64_t t, total;
        if (__builtin_mul_overflow(k, months, &total) ||
            (dates ? calendar_add_months_date(start, total, &t) : calendar_add_months_ts(start, total, &t)) !=
                0)
            break;
        if (months > 0 ? t > stop : t < stop)
            break;
        if (n == TSFS_ARRAY_MAX)
            return nested_too_long(ctx, row, "sequence");
        if (n == cap) {
            cap = cap == 0 ? 64 : cap * 2;
            int64_t *more = tsfs_arena_alloc(ctx->arena, cap * sizeof(*more));
            if (more == NULL)
                return function_no_memory(ctx);
            if (n > 0)
                memcpy(more, v, n * sizeof(*more));
            v = more;
        }
        v[n++] = t;
    }
    *values = v;
    *len = n;
    return 0;
}

static int sequence(KERNEL_ARGS)
{
    enum tsfs_type type = tsfs_type_element(out->type);
    struct tsfs_vec_room room;
    int rc = nested_begin(ctx, out, n, &room);
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        if (!row_valid(valid, i))
            continue;
        int64_t start = args[0].i[row_at(&args[0], i)], stop = args[1].i[row_at(&args[1], i)];
        int64_t step, *values;
        uint32_t len;
        if (nargs == 3)
            step = args[2].i[row_at(&args[2], i)];
        else
            step = (type == TSFS_TIMESTAMP ? TSFS_NS_PER_DAY : 1) * (stop < start ? -1 : 1);
        if (nargs == 3 && args[2].type == TSFS_INTERVAL_YM) {
            rc = month_steps(ctx, i, type == TSFS_DATE, start, stop, step, &values, &len);
        } else if (type == TSFS_DATE && nargs == 3) {
            if (step % TSFS_NS_PER_DAY != 0) {
                rc = function_fail(ctx, i, "sequence: steps from date to date are whole days");
                continue;
            }
            rc = steps(ctx, i, start, stop, step / TSFS_NS_PER_DAY, &values, &len);
        } else {
            rc = steps(ctx, i, start, stop, step, &values, &len);
        }
        const struct tsfs_array *a;
        struct tsfs_vec v = {.type = type, .data = rc == 0 ? values : NULL};
        if (rc == 0 && (rc = nested_array(ctx, &v, len, &a)) == 0)
            nested_put(&room, i, a);
    }
    nested_finish(&room, n, out);
    return rc;
}

static int zip(KERNEL_ARGS)
{
    enum tsfs_type type = tsfs_type_element(out->type);
    struct tsfs_vec_room room;
    int rc = nested_begin(ctx, out, n, &room);
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        if (!row_valid(valid, i))
            continue;
        uint32_t len = 0;
        for (unsigned a = 0; a < nargs; a++)
            len = tsfs_vec_array(&args[a], i)->n > len ? tsfs_vec_array(&args[a], i)->n : len;
        struct tsfs_row *rows = TSFS_NEW_ARRAY(ctx->arena, struct tsfs_row, len);
        struct tsfs_value *fields = tsfs_arena_calloc(ctx->arena, (size_t)len * nargs, sizeof(*fields));
        const void **p = tsfs_arena_alloc(ctx->arena, len * sizeof(*p));
        if (rows == NULL || fields == NULL || p == NULL)
            return function_no_memory(ctx);
        for (uint32_t k = 0; k < len; k++) {
            for (unsigned a = 0; a < nargs; a++) {
                const struct tsfs_array *array = tsfs_vec_array(&args[a], i);
                fields[(size_t)k * nargs + a] =
                    k < array->n ? tsfs_vec_get(&array->elems, k)
                                 : (struct tsfs_value){.type = tsfs_type_element(args[a].type), .null = true};
            }
            rows[k] = (struct tsfs_row){nargs, fields + (size_t)k * nargs};
            p[k] = &rows[k];
        }
        const struct tsfs_array *a;
        struct tsfs_vec v = {.type = type, .data = p};
        if ((rc = nested_array(ctx, &v, len, &a)) == 0)
            nested_put(&room, i, a);
    }
    nested_finish(&room, n, out);
    return rc;
}

#define SEQUENCE_HELP "sequence(a, b[, step]): the array of a, a + step, ... up to b; days by default"

static const struct tsfs_function items[] = {
    SIG_NULLS("array", "T... -> array(T)", make_array, "ARRAY[a, ...]: an array of these elements"),
    SIG_NULLS("row", "T... -> T", make_row, "ROW(a, ...): a row of these fields, of any types"),
    SIG(".", "T, bigint -> T", field, "r.name: the field of a row"),
    SIG("[]", "array(T), bigint -> T", subscript, "a[i]: element i, from 1; an error if there is none"),
    SIG("element_at", "array(T), bigint -> T", element_at,
        "element_at(a, i): element i, from the end if negative; NULL if there is none"),
    SIG("cardinality", "array(T) -> bigint", cardinality, "cardinality(a): the number of elements"),
    SIG("cardinality", "timeseries(T) -> bigint", cardinality, "cardinality(a): the number of elements"),
    SIG("||", "array(T), array(T) -> array(T)", concat, "a || b: one array behind the other"),
    SIG_NULLS("||", "array(T), T -> array(T)", append, "a || x: an element more at the end"),
    SIG_NULLS("||", "T, array(T) -> array(T)", append, "x || a: an element more at the beginning"),
    SIG("concat", "array(T), array(T)... -> array(T)", concat,
        "concat(a, b, ...): arrays one behind the other"),
    SIG("flatten", "array(array(T)) -> array(T)", flatten,
        "flatten(a): the arrays in a one behind the other"),
    SIG_NULLS("repeat", "T, bigint -> array(T)", repeat, "repeat(x, n): an array of n times x"),
    SIG("sequence", "bigint, bigint -> array(bigint)", sequence, SEQUENCE_HELP),
    SIG("sequence", "bigint, bigint, bigint -> array(bigint)", sequence, SEQUENCE_HELP),
    SIG("sequence", "timestamp, timestamp -> array(timestamp)", sequence, SEQUENCE_HELP),
    SIG("sequence", "timestamp, timestamp, interval day to second -> array(timestamp)", sequence,
        SEQUENCE_HELP),
    SIG("sequence", "timestamp, timestamp, interval year to month -> array(timestamp)", sequence,
        SEQUENCE_HELP),
    SIG("sequence", "date, date -> array(date)", sequence, SEQUENCE_HELP),
    SIG("sequence", "date, date, interval day to second -> array(date)", sequence, SEQUENCE_HELP),
    SIG("sequence", "date, date, interval year to month -> array(date)", sequence, SEQUENCE_HELP),
    SIG("zip", "array(T), array(U) -> array(row(T, U))", zip,
        "zip(a, b, ...): the array of rows of their elements; NULL where one is shorter"),
    SIG("zip", "array(T), array(U), array(S) -> array(row(T, U, S))", zip,
        "zip(a, b, ...): the array of rows of their elements; NULL where one is shorter"),
    SIG("zip", "array(T), array(U), array(S), array(R) -> array(row(T, U, S, R))", zip,
        "zip(a, b, ...): the array of rows of their elements; NULL where one is shorter"),
};

const struct function_table functions_array_make = FUNCTION_TABLE(items);
