/* Comparisons, greatest and least, IS DISTINCT FROM.
 *
 * Kernels exist per memory layout, not per SQL type: dates, times, timestamps, intervals and integers all
 * compare as int64.  Strings compare by their bytes, which for UTF-8 is the order of code points. */
#include <errno.h>
#include <math.h>

#include "exec/functions/functions_priv.h"

#define COMPARE_KERNEL(NAME, T, OP)                                                                          \
    static int NAME(KERNEL_ARGS)                                                                             \
    {                                                                                                        \
        uint8_t *restrict r = function_alloc(ctx, out, n, sizeof(*r));                                       \
        if (r == NULL)                                                                                       \
            return -ENOMEM;                                                                                  \
        FOR_ROWS_2(T, T, r[i] = (uint8_t)(x OP y));                                                          \
        return 0;                                                                                            \
    }

#define COMPARE_STRINGS(NAME, EXPR)                                                                          \
    static int NAME(KERNEL_ARGS)                                                                             \
    {                                                                                                        \
        uint8_t *restrict r = function_alloc(ctx, out, n, sizeof(*r));                                       \
        if (r == NULL)                                                                                       \
            return -ENOMEM;                                                                                  \
        FOR_ROWS_2(struct tsfs_str, struct tsfs_str, r[i] = row_valid(valid, i) ? (uint8_t)(EXPR) : 0);      \
        return 0;                                                                                            \
    }

COMPARE_KERNEL(eq_bool, uint8_t, ==)
COMPARE_KERNEL(ne_bool, uint8_t, !=)
COMPARE_KERNEL(lt_bool, uint8_t, <)
COMPARE_KERNEL(le_bool, uint8_t, <=)
COMPARE_KERNEL(gt_bool, uint8_t, >)
COMPARE_KERNEL(ge_bool, uint8_t, >=)
COMPARE_KERNEL(eq_int64, int64_t, ==)
COMPARE_KERNEL(ne_int64, int64_t, !=)
COMPARE_KERNEL(lt_int64, int64_t, <)
COMPARE_KERNEL(le_int64, int64_t, <=)
COMPARE_KERNEL(gt_int64, int64_t, >)
COMPARE_KERNEL(ge_int64, int64_t, >=)
COMPARE_KERNEL(eq_double, double, ==)
COMPARE_KERNEL(ne_double, double, !=)
COMPARE_KERNEL(lt_double, double, <)
COMPARE_KERNEL(le_double, double, <=)
COMPARE_KERNEL(gt_double, double, >)
COMPARE_KERNEL(ge_double, double, >=)
COMPARE_STRINGS(eq_str, tsfs_str_eq(x, y))
COMPARE_STRINGS(ne_str, !tsfs_str_eq(x, y))
COMPARE_STRINGS(lt_str, tsfs_str_cmp(x, y) < 0)
COMPARE_STRINGS(le_str, tsfs_str_cmp(x, y) <= 0)
COMPARE_STRINGS(gt_str, tsfs_str_cmp(x, y) > 0)
COMPARE_STRINGS(ge_str, tsfs_str_cmp(x, y) >= 0)

/* greatest, least: a fold over the arguments. */
#define FOLD_KERNEL(NAME, T, BETTER)                                                                         \
    static int NAME(KERNEL_ARGS)                                                                             \
    {                                                                                                        \
        T *restrict r = function_calloc(ctx, out, n, sizeof(*r));                                            \
        if (r == NULL)                                                                                       \
            return -ENOMEM;                                                                                  \
        for (unsigned a = 0; a < nargs; a++) {                                                               \
            const T *v = args[a].data;                                                                       \
            for (uint32_t i = 0; i < n; i++) {                                                               \
                if (!row_valid(valid, i))                                                                    \
                    continue;                                                                                \
                const T x = v[row_at(&args[a], i)], y = r[i];                                                \
                if (a == 0 || (BETTER))                                                                      \
                    r[i] = x;                                                                                \
            }                                                                                                \
        }                                                                                                    \
        return 0;                                                                                            \
    }

/* NaN is passed over unless there is nothing else, as by min and max. */
FOLD_KERNEL(greatest_bool, uint8_t, x > y)
FOLD_KERNEL(greatest_int64, int64_t, x > y)
FOLD_KERNEL(greatest_double, double, x > y || isnan(y))
FOLD_KERNEL(greatest_str, struct tsfs_str, tsfs_str_cmp(x, y) > 0)
FOLD_KERNEL(least_bool, uint8_t, x < y)
FOLD_KERNEL(least_int64, int64_t, x < y)
FOLD_KERNEL(least_double, double, x < y || isnan(y))
FOLD_KERNEL(least_str, struct tsfs_str, tsfs_str_cmp(x, y) < 0)

/* Two NULLs are not distinct, two NaNs neither; never NULL itself. */
static int is_distinct_from(KERNEL_ARGS)
{
    uint8_t *r = function_alloc(ctx, out, n, sizeof(*r));
    if (r == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++) {
        bool a_null = tsfs_vec_null(&args[0], i), b_null = tsfs_vec_null(&args[1], i);
        if (a_null || b_null) {
            r[i] = a_null != b_null;
            continue;
        }
        size_t a = row_at(&args[0], i), b = row_at(&args[1], i);
        switch (args[0].type) {
        case TSFS_BOOLEAN: r[i] = args[0].b[a] != args[1].b[b]; break;
        case TSFS_DOUBLE: {
            double x = args[0].d[a], y = args[1].d[b];
            r[i] = x != y && !(isnan(x) && isnan(y));
            break;
        }
        case TSFS_VARCHAR:
        case TSFS_VARBINARY: r[i] = !tsfs_str_eq(args[0].s[a], args[1].s[b]); break;
        default: r[i] = args[0].i[a] != args[1].i[b]; break;
        }
    }
    out->valid = NULL;
    return 0;
}

static int type_of(KERNEL_ARGS)
{
    struct tsfs_str *r = function_alloc(ctx, out, n, sizeof(*r));
    if (r == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++)
        r[i] = tsfs_str_from(tsfs_type_name(args[0].type));
    out->valid = NULL;
    return 0;
}

/* One entry a type, most wanted first: of two equally near candidates the binder takes the first. */
#define PER_TYPE(ENTRY, PREFIX)                                                                              \
    ENTRY(BIG, PREFIX##_int64), ENTRY(DBL, PREFIX##_double), ENTRY(STR, PREFIX##_str),                       \
        ENTRY(TS, PREFIX##_int64), ENTRY(INT, PREFIX##_int64), ENTRY(BOOL, PREFIX##_bool),                   \
        ENTRY(DATE, PREFIX##_int64), ENTRY(TIME, PREFIX##_int64), ENTRY(DS, PREFIX##_int64),                 \
        ENTRY(YM, PREFIX##_int64), ENTRY(TSFS_VARBINARY, PREFIX##_str)

#define EQ(T, K)       SCALAR_OP("=", TSFS_OP_EQ, BOOL, K, "a = b: equal", T, T)
#define NE(T, K)       SCALAR_OP("<>", TSFS_OP_NE, BOOL, K, "a <> b: not equal", T, T)
#define LT(T, K)       SCALAR_OP("<", TSFS_OP_LT, BOOL, K, "a < b: less", T, T)
#define LE(T, K)       SCALAR_OP("<=", TSFS_OP_LE, BOOL, K, "a <= b: less or equal", T, T)
#define GT(T, K)       SCALAR_OP(">", TSFS_OP_GT, BOOL, K, "a > b: greater", T, T)
#define GE(T, K)       SCALAR_OP(">=", TSFS_OP_GE, BOOL, K, "a >= b: greater or equal", T, T)
#define GREATEST(T, K) SCALAR_VARIADIC("greatest", T, K, "greatest(a, ...): largest; NULL if any is NULL", T)
#define LEAST(T, K)    SCALAR_VARIADIC("least", T, K, "least(a, ...): smallest; NULL if any is NULL", T)
#define DISTINCT(T, K)                                                                                       \
    SCALAR_NULLS("is_distinct_from", BOOL, is_distinct_from,                                                 \
                 "a IS DISTINCT FROM b: <> with NULL as a value", T, T)

static const struct tsfs_function items[] = {
    PER_TYPE(EQ, eq),
    PER_TYPE(NE, ne),
    PER_TYPE(LT, lt),
    PER_TYPE(LE, le),
    PER_TYPE(GT, gt),
    PER_TYPE(GE, ge),
    PER_TYPE(GREATEST, greatest),
    PER_TYPE(LEAST, least),
    PER_TYPE(DISTINCT, eq),
    SCALAR_NULLS("typeof", STR, type_of, "typeof(x): the name of x's type", ANY),
};

const struct function_table functions_compare = FUNCTION_TABLE(items);
