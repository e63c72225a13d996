/* Comparisons, greatest and least, and casts of arrays, rows and timeseries. */
#include "col/text.h"
#include "exec/functions/nested_priv.h"
#include "exec/functions/rows.h"

/* 1 true, 0 false, -1 unknown */
static int compared(enum tsfs_op op, const struct tsfs_value *a, const struct tsfs_value *b)
{
    int r;
    switch (op) {
    case TSFS_OP_EQ: return tsfs_value_equal(a, b);
    case TSFS_OP_NE: r = tsfs_value_equal(a, b); return r < 0 ? r : !r;
    case TSFS_OP_LT: return tsfs_value_less(a, b);
    case TSFS_OP_GT: return tsfs_value_less(b, a);
    case TSFS_OP_LE:
    case TSFS_OP_GE:
        r = op == TSFS_OP_LE ? tsfs_value_less(a, b) : tsfs_value_less(b, a);
        return r != 0 ? r : tsfs_value_equal(a, b);
    default: return -1;
    }
}

static int compare(KERNEL_ARGS, enum tsfs_op op)
{
    struct tsfs_vec_room room;
    int rc = nested_begin(ctx, out, n, &room);
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        if (!row_valid(valid, i))
            continue;
        struct tsfs_value a = tsfs_vec_get(&args[0], i), b = tsfs_vec_get(&args[1], i);
        int r = compared(op, &a, &b);
        ((uint8_t *)room.data)[i] = r > 0;
        if (r >= 0)
            tsfs_bit_set(room.valid, i);
    }
    nested_finish(&room, n, out);
    return rc;
}

#define COMPARE(NAME, OP)                                                                                    \
    static int NAME(KERNEL_ARGS)                                                                             \
    {                                                                                                        \
        return compare(ctx, args, nargs, n, valid, out, OP);                                                 \
    }

COMPARE(eq, TSFS_OP_EQ)
COMPARE(ne, TSFS_OP_NE)
COMPARE(lt, TSFS_OP_LT)
COMPARE(le, TSFS_OP_LE)
COMPARE(gt, TSFS_OP_GT)
COMPARE(ge, TSFS_OP_GE)

static int distinct(KERNEL_ARGS)
{
    uint8_t *r = function_alloc(ctx, out, n, sizeof(*r));
    if (r == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++) {
        struct tsfs_value a = tsfs_vec_get(&args[0], i), b = tsfs_vec_get(&args[1], i);
        r[i] = !tsfs_value_same(&a, &b);
    }
    out->valid = NULL;
    return 0;
}

/* The first of those that ORDER BY would have last (by 1) or first (by -1). */
static int extreme(KERNEL_ARGS, int by)
{
    struct tsfs_vec_room room;
    int rc = nested_begin(ctx, out, n, &room);
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        if (!row_valid(valid, i))
            continue;
        struct tsfs_value best = tsfs_vec_get(&args[0], i);
        for (unsigned a = 1; a < nargs; a++) {
            struct tsfs_value v = tsfs_vec_get(&args[a], i);
            if (by * tsfs_value_order(&v, &best) > 0)
                best = v;
        }
        nested_put(&room, i, best.p);
    }
    nested_finish(&room, n, out);
    return rc;
}

static int greatest(KERNEL_ARGS)
{
    return extreme(ctx, args, nargs, n, valid, out, 1);
}

static int least(KERNEL_ARGS)
{
    return extreme(ctx, args, nargs, n, valid, out, -1);
}

/* ---- casts ---- */

/* Casts n elements of any number; errors of element i go to row rows[i]. */
static int cast_elements(struct tsfs_kernel_ctx *ctx, const struct tsfs_vec *from, const uint32_t *rows,
                         uint32_t n, enum tsfs_type to, struct tsfs_vec *out)
{
    if (from->type == to || n == 0) {
        *out = *from;
        out->type = to;
        return 0;
    }
    *out = (struct tsfs_vec){.type = to, .valid = from->valid};
    struct tsfs_kernel_ctx inner = *ctx;
    if (ctx->row_errors != NULL) {
        inner.row_errors = tsfs_arena_calloc(ctx->arena, tsfs_bit_words(n), sizeof(uint64_t));
        if (inner.row_errors == NULL)
            return function_no_memory(ctx);
    }
    tsfs_kernel kernel = tsfs_cast_kernel(from->type, to);
    if (kernel == NULL)
        return tsfs_error_set_at(ctx->err, -EINVAL, ctx->line, ctx->column, "cannot cast %s to %s",
                                 tsfs_type_name(from->type), tsfs_type_name(to));
    int rc = kernel(&inner, from, 1, n, from->valid, out);
    for (uint32_t i = 0; i < n && rc == 0 && ctx->row_errors != NULL; i++)
        if (tsfs_bit_get(inner.row_errors, i))
            tsfs_bit_set(ctx->row_errors, rows[i]);
    return rc;
}

static int cast_elems(KERNEL_ARGS)
{
    struct nested_flat flat;
    struct tsfs_vec elems;
    int rc = nested_flatten(ctx, &args[0], n, valid, &flat);
    if (rc == 0)
        rc = cast_elements(ctx, &flat.elems, flat.rows, flat.n, tsfs_type_element(out->type), &elems);
    if (rc != 0)
        return rc;
    if (tsfs_type_kind(out->type) == TSFS_KIND_TIMESERIES)
        return nested_series(ctx, flat.times, &elems, flat.from, n, valid, out);
    return nested_arrays(ctx, &elems, flat.from, n, valid, out);
}

static int cast_row(KERNEL_ARGS)
{
    unsigned nfields = tsfs_type_nfields(out->type);
    struct tsfs_row *rows = TSFS_NEW_ARRAY(ctx->arena, struct tsfs_row, n);
    struct tsfs_value *fields = tsfs_arena_calloc(ctx->arena, (size_t)n * nfields, sizeof(*fields));
    uint32_t *numbers = tsfs_arena_alloc(ctx->arena, n * sizeof(*numbers));
    const void **p = function_calloc(ctx, out, n, sizeof(*p));
    if (rows == NULL || fields == NULL || numbers == NULL || p == NULL)
        return function_no_memory(ctx);
    for (unsigned f = 0; f < nfields; f++) {
        enum tsfs_type from = tsfs_type_field(args[0].type, f), to = tsfs_type_field(out->type, f);
        struct tsfs_vec_room room;
        struct tsfs_vec column, casted;
        if (tsfs_vec_room(ctx->arena, from, n, &room) != 0)
            return function_no_memory(ctx);
        for (uint32_t i = 0; i < n; i++) {
            numbers[i] = i;
            tsfs_vec_put_value(&room, from, i,
                               row_valid(valid, i) ? &tsfs_vec_row(&args[0], i)->fields[f]
                                                   : &(struct tsfs_value){.null = true});
        }
        column = tsfs_vec_of_room(from, &room, n);
        int rc = cast_elements(ctx, &column, numbers, n, to, &casted);
        if (rc != 0)
            return rc;
        for (uint32_t i = 0; i < n; i++)
            fields[(size_t)i * nfields + f] = tsfs_vec_get(&casted, i);
    }
    for (uint32_t i = 0; i < n; i++) {
        rows[i] = (struct tsfs_row){nfields, fields + (size_t)i * nfields};
        p[i] = row_valid(valid, i) ? &rows[i] : NULL;
    }
    return 0;
}

static int cast_text_row(ROW_TEXT_ARGS)
{
    struct tsfs_value v = tsfs_vec_get(&args[0], row);
    int rc = tsfs_value_append(&v, TSFS_RESULT_VARCHAR_MAX, text);
    if (rc == -E2BIG || (rc == 0 && text->len > TSFS_RESULT_VARCHAR_MAX))
        return function_fail(ctx, row, "the text would be longer than %u bytes", TSFS_RESULT_VARCHAR_MAX);
    if (rc != 0)
        return function_no_memory(ctx);
    rc = tsfs_kernel_work(ctx, text->len);
    return rc != 0 ? rc : 1;
}

ROW_TEXT_KERNEL(cast_text)

tsfs_kernel nested_cast_kernel(enum tsfs_type from, enum tsfs_type to)
{
    if (to == TSFS_VARCHAR)
        return cast_text;
    enum tsfs_type_kind kind = tsfs_type_kind(from);
    unsigned n = tsfs_type_nfields(from);
    if (kind != tsfs_type_kind(to) || n != tsfs_type_nfields(to) || kind == TSFS_KIND_SCALAR)
        return NULL;
    if (kind != TSFS_KIND_ROW)
        return tsfs_cast_kernel(tsfs_type_element(from), tsfs_type_element(to)) != NULL ? cast_elems : NULL;
    for (unsigned i = 0; i < n; i++)
        if (tsfs_cast_kernel(tsfs_type_field(from, i), tsfs_type_field(to, i)) == NULL)
            return NULL;
    return cast_row;
}

#define OP(NAME, OPERATOR, KERNEL, HELP)                                                                     \
    {                                                                                                        \
        .name = (NAME), .kind = TSFS_FUNCTION_SCALAR, .op = (OPERATOR), .sig = "T, T -> boolean",            \
        .help = (HELP), .impl = FUNCTION_IMPL(KERNEL)                                                        \
    }

static const struct tsfs_function items[] = {
    OP("=", TSFS_OP_EQ, eq, "a = b: equal"),
    OP("<>", TSFS_OP_NE, ne, "a <> b: not equal"),
    OP("<", TSFS_OP_LT, lt, "a < b: less"),
    OP("<=", TSFS_OP_LE, le, "a <= b: less or equal"),
    OP(">", TSFS_OP_GT, gt, "a > b: greater"),
    OP(">=", TSFS_OP_GE, ge, "a >= b: greater or equal"),
    SIG("greatest", "T... -> T", greatest,
        "greatest(a, ...): the array or row that ORDER BY has last; NULL if any is NULL"),
    SIG("least", "T... -> T", least,
        "least(a, ...): the array or row that ORDER BY has first; NULL if any is NULL"),
    SIG_NULLS("is_distinct_from", "T, T -> boolean", distinct,
              "a IS DISTINCT FROM b: <> with NULL as a value"),
};

const struct function_table functions_nested_compare = FUNCTION_TABLE(items);
