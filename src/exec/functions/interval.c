/* Arithmetic on timestamps, dates, times of day and intervals, and ago(). */
#include <math.h>

#include "base/time.h"
#include "col/text.h"
#include "exec/functions/rows.h"

static int fail(struct tsfs_kernel_ctx *ctx, const struct tsfs_vec *args, uint32_t i, const char *why)
{
    char text[2][TSFS_VALUE_TEXT_MAX];
    unsigned len[2];
    for (int a = 0; a < 2; a++)
        len[a] = tsfs_value_format(args[a].type, &args[a].i[row_at(&args[a], i)], text[a]);
    return function_fail(ctx, i, "%s: %s %.*s, %s %.*s", why, tsfs_type_name(args[0].type), (int)len[0],
                         text[0], tsfs_type_name(args[1].type), (int)len[1], text[1]);
}

/* BODY sets *r from x and y and returns NULL, or a sentence that says what is wrong. */
#define STEP(NAME, BODY)                                                                                     \
    static const char *NAME##_step(struct tsfs_kernel_ctx *ctx, int64_t x, int64_t y, int64_t *r)            \
    {                                                                                                        \
        BODY                                                                                                 \
    }                                                                                                        \
    static int NAME##_row(ROW_ARGS(int64_t))                                                                 \
    {                                                                                                        \
        const char *why = NAME##_step(ctx, row_i64(args, 0, row), row_i64(args, 1, row), r);                 \
        return why == NULL ? 0 : fail(ctx, args, row, why);                                                  \
    }                                                                                                        \
    ROW_KERNEL(NAME, int64_t)

#define TS_RANGE   "timestamp out of range"
#define DATE_RANGE "date out of range"
#define IV_RANGE   "interval out of range"

STEP(ts_plus_ds, return __builtin_add_overflow(x, y, r) ? TS_RANGE : NULL;)
STEP(ts_minus_ds, return __builtin_sub_overflow(x, y, r) ? TS_RANGE : NULL;)
STEP(ts_plus_ym, return calendar_add_months_ts(x, y, r) != 0 ? TS_RANGE : NULL;)
STEP(ts_minus_ym, return y == INT64_MIN || calendar_add_months_ts(x, -y, r) != 0 ? TS_RANGE : NULL;)
STEP(date_plus_ds, if (y % TSFS_NS_PER_DAY != 0) return "cannot add hours, minutes or seconds to a date";
     *r = x + y / TSFS_NS_PER_DAY; return calendar_date_ok(*r) ? NULL : DATE_RANGE;)
STEP(date_minus_ds,
     if (y % TSFS_NS_PER_DAY != 0) return "cannot subtract hours, minutes or seconds from a date";
     *r = x - y / TSFS_NS_PER_DAY; return calendar_date_ok(*r) ? NULL : DATE_RANGE;)
STEP(date_plus_ym, return calendar_add_months_date(x, y, r) != 0 ? DATE_RANGE : NULL;)
STEP(date_minus_ym, return y == INT64_MIN || calendar_add_months_date(x, -y, r) != 0 ? DATE_RANGE : NULL;)
/* Times of day go round the clock. */
STEP(time_plus_ds, *r = (x + y % TSFS_NS_PER_DAY + TSFS_NS_PER_DAY) % TSFS_NS_PER_DAY; return NULL;)
STEP(time_minus_ds, *r = (x - y % TSFS_NS_PER_DAY + TSFS_NS_PER_DAY) % TSFS_NS_PER_DAY; return NULL;)
STEP(iv_plus_iv, return __builtin_add_overflow(x, y, r) ? IV_RANGE : NULL;)
STEP(iv_minus_iv, return __builtin_sub_overflow(x, y, r) ? IV_RANGE : NULL;)
STEP(iv_times_big, return __builtin_mul_overflow(x, y, r) ? IV_RANGE : NULL;)
STEP(iv_by_big, if (y == 0) return "division by zero";
     return y == -1 ? (__builtin_sub_overflow(0, x, r) ? IV_RANGE : NULL) : (*r = x / y, NULL);)

/* The other order of the arguments. */
#define FLIPPED(NAME)                                                                                        \
    static int NAME##_flipped(KERNEL_ARGS)                                                                   \
    {                                                                                                        \
        const struct tsfs_vec swapped[2] = {args[1], args[0]};                                               \
        return NAME(ctx, swapped, nargs, n, valid, out);                                                     \
    }

FLIPPED(ts_plus_ds)
FLIPPED(ts_plus_ym)
FLIPPED(date_plus_ds)
FLIPPED(date_plus_ym)
FLIPPED(time_plus_ds)
FLIPPED(iv_times_big)

static int scale(ROW_ARGS(int64_t), bool divide)
{
    double x = (double)row_i64(args, 0, row), y = row_double(args, 1, row);
    double v = round(divide ? x / y : x * y);
    if (!(v >= -0x1p63 && v < 0x1p63))
        return fail(ctx, args, row, divide && y == 0 ? "division by zero" : IV_RANGE);
    *r = (int64_t)v;
    return 0;
}

static int iv_times_dbl_row(ROW_ARGS(int64_t))
{
    return scale(ctx, args, nargs, row, r, false);
}

static int iv_by_dbl_row(ROW_ARGS(int64_t))
{
    return scale(ctx, args, nargs, row, r, true);
}

ROW_KERNEL(iv_times_dbl, int64_t)
ROW_KERNEL(iv_by_dbl, int64_t)

FLIPPED(iv_times_dbl)

static int iv_neg(KERNEL_ARGS)
{
    struct tsfs_vec zero_minus[2] = {{.type = args[0].type, .constant = true, .i = (const int64_t[]){0}},
                                     args[0]};
    return iv_minus_iv(ctx, zero_minus, 2, n, valid, out);
}

static int ago_ds(KERNEL_ARGS)
{
    const struct tsfs_vec now[2] = {{.type = TSFS_TIMESTAMP, .constant = true, .i = &ctx->now}, args[0]};
    return ts_minus_ds(ctx, now, 2, n, valid, out);
}

static int ago_ym(KERNEL_ARGS)
{
    const struct tsfs_vec now[2] = {{.type = TSFS_TIMESTAMP, .constant = true, .i = &ctx->now}, args[0]};
    return ts_minus_ym(ctx, now, 2, n, valid, out);
}

#define PLUS(R, K, A, B)  SCALAR_OP("+", TSFS_OP_ADD, R, K, "t + interval: later by the interval", A, B)
#define MINUS(R, K, A, B) SCALAR_OP("-", TSFS_OP_SUB, R, K, "t - interval: earlier by the interval", A, B)
#define TIMES(R, K, A, B) SCALAR_OP("*", TSFS_OP_MUL, R, K, "interval * number: scaled", A, B)
#define BY(R, K, A, B)    SCALAR_OP("/", TSFS_OP_DIV, R, K, "interval / number: scaled down", A, B)

static const struct tsfs_function items[] = {
    PLUS(TS, ts_plus_ds, TS, DS),
    PLUS(TS, ts_plus_ds_flipped, DS, TS),
    PLUS(TS, ts_plus_ym, TS, YM),
    PLUS(TS, ts_plus_ym_flipped, YM, TS),
    PLUS(DATE, date_plus_ds, DATE, DS),
    PLUS(DATE, date_plus_ds_flipped, DS, DATE),
    PLUS(DATE, date_plus_ym, DATE, YM),
    PLUS(DATE, date_plus_ym_flipped, YM, DATE),
    PLUS(TIME, time_plus_ds, TIME, DS),
    PLUS(TIME, time_plus_ds_flipped, DS, TIME),
    PLUS(DS, iv_plus_iv, DS, DS),
    PLUS(YM, iv_plus_iv, YM, YM),
    MINUS(TS, ts_minus_ds, TS, DS),
    MINUS(TS, ts_minus_ym, TS, YM),
    MINUS(DATE, date_minus_ds, DATE, DS),
    MINUS(DATE, date_minus_ym, DATE, YM),
    MINUS(TIME, time_minus_ds, TIME, DS),
    MINUS(DS, iv_minus_iv, DS, DS),
    MINUS(YM, iv_minus_iv, YM, YM),
    TIMES(DS, iv_times_big, DS, BIG),
    TIMES(DS, iv_times_big_flipped, BIG, DS),
    TIMES(DS, iv_times_dbl, DS, DBL),
    TIMES(DS, iv_times_dbl_flipped, DBL, DS),
    TIMES(YM, iv_times_big, YM, BIG),
    TIMES(YM, iv_times_big_flipped, BIG, YM),
    BY(DS, iv_by_big, DS, BIG),
    BY(DS, iv_by_dbl, DS, DBL),
    BY(YM, iv_by_big, YM, BIG),
    SCALAR_OP("neg", TSFS_OP_NEG, DS, iv_neg, "-a: negation", DS),
    SCALAR_OP("neg", TSFS_OP_NEG, YM, iv_neg, "-a: negation", YM),
    SCALAR("ago", TS, ago_ds, "ago(interval): now() - interval", DS),
    SCALAR("ago", TS, ago_ym, "ago(interval): now() - interval", YM),
};

const struct function_table functions_interval = FUNCTION_TABLE(items);
