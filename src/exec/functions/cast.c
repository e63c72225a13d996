/* CAST between the scalar types.
 *
 *   from \ to    boolean integer bigint double varchar timestamp date time
 *   boolean         .       x      x      x       x
 *   integer         x       .      x      x       x
 *   bigint          x       x      .      x       x
 *   double          x       x      x      .       x
 *   varchar         x       x      x      x       .       x       x    x
 *   timestamp                                     x       .       x    x
 *   date                                          x       x       .
 *   time                                          x       x            .
 *   intervals                                     x
 *
 * varchar goes to varbinary, its bytes; from there only functions lead back.
 *
 * unknown (a bare NULL) goes to every type.  double to a whole number rounds half away from zero; what does
 * not fit is an error.  Text is read as a whole; blanks may be around it, but not around truth values. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <strings.h>

#include "base/num.h"
#include "base/time.h"
#include "base/utf8.h"
#include "col/text.h"
#include "exec/functions/functions_priv.h"

static int fail(struct tsfs_kernel_ctx *ctx, const struct tsfs_vec *arg, uint32_t i, enum tsfs_type to,
                const char *why)
{
    const char *name = tsfs_type_name(to);
    if (arg->type == TSFS_VARCHAR) {
        struct tsfs_str s = arg->s[row_at(arg, i)];
        return function_fail(ctx, i, "Cannot cast '%.*s%s' to %s%s", FUNCTION_EXCERPT(s), name, why);
    }
    char text[TSFS_VALUE_TEXT_MAX];
    size_t at = row_at(arg, i);
    const void *value = arg->type == TSFS_BOOLEAN ? (const void *)&arg->b[at] : (const void *)&arg->i[at];
    unsigned len = tsfs_value_format(arg->type, value, text);
    return function_fail(ctx, i, "Cannot cast %.*s to %s%s", (int)len, text, name, why);
}

#define OUT_OF_RANGE ": out of range"

/* A loop over the valid rows of args[0]: in BODY x is the value, r[i] the result; `bad = text` fails the
 * row. */
#define CAST_KERNEL(NAME, TX, TR, TO, BODY)                                                                  \
    static int NAME(KERNEL_ARGS)                                                                             \
    {                                                                                                        \
        TR *restrict r = function_calloc(ctx, out, n, sizeof(*r));                                           \
        if (r == NULL)                                                                                       \
            return -ENOMEM;                                                                                  \
        const TX *restrict a = args[0].data;                                                                 \
        for (uint32_t i = 0; i < n; i++) {                                                                   \
            if (!row_valid(valid, i))                                                                        \
                continue;                                                                                    \
            const TX x = a[row_at(&args[0], i)];                                                             \
            const char *bad = NULL;                                                                          \
            BODY;                                                                                            \
            if (bad != NULL) {                                                                               \
                int rc = fail(ctx, &args[0], i, TO, bad);                                                    \
                if (rc != 0)                                                                                 \
                    return rc;                                                                               \
            }                                                                                                \
        }                                                                                                    \
        return 0;                                                                                            \
    }

/* A loop over all rows: nothing can fail. */
#define PLAIN_KERNEL(NAME, TX, TR, EXPR)                                                                     \
    static int NAME(KERNEL_ARGS)                                                                             \
    {                                                                                                        \
        TR *restrict r = function_alloc(ctx, out, n, sizeof(*r));                                            \
        if (r == NULL)                                                                                       \
            return -ENOMEM;                                                                                  \
        const TX *restrict a = args[0].data;                                                                 \
        if (args[0].constant) {                                                                              \
            const TX x = a[0];                                                                               \
            for (uint32_t i = 0; i < n; i++)                                                                 \
                r[i] = (EXPR);                                                                               \
            return 0;                                                                                        \
        }                                                                                                    \
        for (uint32_t i = 0; i < n; i++) {                                                                   \
            const TX x = a[i];                                                                               \
            r[i] = (EXPR);                                                                                   \
        }                                                                                                    \
        return 0;                                                                                            \
    }

/* The same data under another type. */
static int same(KERNEL_ARGS)
{
    out->data = args[0].data;
    return 0;
}

static int from_unknown(KERNEL_ARGS)
{
    if (function_calloc(ctx, out, n, sizeof(struct tsfs_str)) == NULL)
        return -ENOMEM;
    uint64_t *none = tsfs_arena_calloc(ctx->arena, tsfs_bit_words(n), sizeof(*none));
    if (none == NULL)
        return function_no_memory(ctx);
    out->valid = none;
    return 0;
}

PLAIN_KERNEL(bool_to_int, uint8_t, int64_t, x != 0)
PLAIN_KERNEL(bool_to_double, uint8_t, double, x != 0)
PLAIN_KERNEL(int_to_bool, int64_t, uint8_t, x != 0)
PLAIN_KERNEL(int_to_double, int64_t, double, (double)x)
PLAIN_KERNEL(double_to_bool, double, uint8_t, x != 0)

CAST_KERNEL(big_to_int, int64_t, int64_t, TSFS_INTEGER, if (x == (int32_t)x) r[i] = x;
            else bad = OUT_OF_RANGE)
CAST_KERNEL(double_to_int, double, int64_t, TSFS_INTEGER, double v = round(x);
            if (v >= INT32_MIN && v <= INT32_MAX) r[i] = (int64_t)v; else bad = isnan(x) ? "" : OUT_OF_RANGE)
CAST_KERNEL(double_to_big, double, int64_t, TSFS_BIGINT, double v = round(x);
            if (v >= -0x1p63 && v < 0x1p63) r[i] = (int64_t)v; else bad = isnan(x) ? "" : OUT_OF_RANGE)

static bool word(struct tsfs_str s, const char *a, const char *b, const char *c)
{
    const char *words[] = {a, b, c};
    for (int i = 0; i < 3; i++)
        if (strlen(words[i]) == s.len && strncasecmp(words[i], s.ptr, s.len) == 0)
            return true;
    return false;
}

static const char *parse_bool(struct tsfs_str s, uint8_t *r)
{
    *r = word(s, "true", "t", "1");
    return *r || word(s, "false", "f", "0") ? NULL : "";
}

static const char *because(int rc)
{
    return rc == 0 ? NULL : rc == -ERANGE ? OUT_OF_RANGE : "";
}

/* Without what Java's trim takes: blanks and control characters. */
static struct tsfs_str trim(struct tsfs_str s)
{
    while (s.len > 0 && (unsigned char)s.ptr[0] <= ' ') {
        s.ptr++;
        s.len--;
    }
    while (s.len > 0 && (unsigned char)s.ptr[s.len - 1] <= ' ')
        s.len--;
    return s;
}

static const char *parse_int(struct tsfs_str s, int64_t *r)
{
    int64_t v;
    int rc = tsfs_num_parse_i64(trim(s), &v);
    if (rc == 0 && v != (int32_t)v)
        rc = -ERANGE;
    if (rc == 0)
        *r = v;
    return because(rc);
}

static const char *parse_big(struct tsfs_str s, int64_t *r)
{
    return because(tsfs_num_parse_i64(trim(s), r));
}

/* NaN and [+-]Infinity beside numbers, which may end in f or d; what is too large is infinite. */
static const char *parse_double(struct tsfs_str s, double *r)
{
    s = trim(s);
    struct tsfs_str t = s;
    bool minus = t.len > 0 && *t.ptr == '-';
    if (minus || (t.len > 0 && *t.ptr == '+')) {
        t.ptr++;
        t.len--;
    }
    if (tsfs_str_eq(t, TSFS_STR("NaN"))) {
        *r = NAN;
        return NULL;
    }
    if (s.len > 0 && strchr("fFdD", s.ptr[s.len - 1]) != NULL)
        s.len--;
    int rc = tsfs_num_parse_double(s, r);
    if (rc == -ERANGE || tsfs_str_eq(t, TSFS_STR("Infinity"))) {
        *r = minus ? -INFINITY : INFINITY;
        rc = 0;
    }
    return because(rc);
}

/* [+-]YYYY[Y...][-MM[-DD]]: dates reach further than timestamps. */
static const char *parse_date(struct tsfs_str s, int64_t *r)
{
    s = trim(s);
    size_t i = 0;
    bool minus = s.len > 0 && s.ptr[0] == '-';
    i += minus || (s.len > 0 && s.ptr[0] == '+');
    int64_t part[3] = {0, 1, 1};
    for (int p = 0; p < 3; p++) {
        size_t start = i;
        for (int64_t v = 0; i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9' && i - start < 7; i++)
            part[p] = v = v * 10 + (s.ptr[i] - '0');
        size_t digits = i - start;
        if (p == 0 ? digits < 4 : digits < 1 || digits > 2)
            return "";
        if (i == s.len)
            break;
        if (p == 2 || s.ptr[i++] != '-')
            return "";
    }
    int64_t year = minus ? -part[0] : part[0];
    if (part[1] < 1 || part[1] > 12 || part[2] < 1 ||
        part[2] > calendar_days_of_month((int32_t)year, (unsigned)part[1]))
        return OUT_OF_RANGE;
    *r = tsfs_time_days_from_civil((int32_t)year, (unsigned)part[1], (unsigned)part[2]);
    return calendar_date_ok(*r) ? NULL : OUT_OF_RANGE;
}

static const char *parse_timestamp(struct tsfs_str s, int64_t *r)
{
    return because(tsfs_time_parse(s, r));
}

/* hh:mm[:ss[.fraction]], read as that time of the epoch's day; a time has no zone and does not leave the
 * day. */
static const char *parse_time(struct tsfs_str s, int64_t *r)
{
    char text[64];
    int64_t ns = 0;
    s = trim(s);
    if (s.len < 3 || s.len > 40 || s.ptr[s.len - 1] < '0' || s.ptr[s.len - 1] > '9' ||
        memchr(s.ptr, '+', s.len) != NULL || memchr(s.ptr, '-', s.len) != NULL ||
        (s.ptr[1] != ':' && s.ptr[2] != ':'))
        return "";
    int len = snprintf(text, sizeof(text), "1970-01-01 %.*s", (int)s.len, s.ptr);
    int rc = tsfs_time_parse((struct tsfs_str){text, (size_t)len}, &ns);
    if (rc == 0)
        *r = ns % TSFS_NS_PER_DAY; /* 23:59:59.9999999999 is midnight */
    return because(rc);
}

CAST_KERNEL(str_to_bool, struct tsfs_str, uint8_t, TSFS_BOOLEAN, bad = parse_bool(x, &r[i]))
CAST_KERNEL(str_to_int, struct tsfs_str, int64_t, TSFS_INTEGER, bad = parse_int(x, &r[i]))
CAST_KERNEL(str_to_big, struct tsfs_str, int64_t, TSFS_BIGINT, bad = parse_big(x, &r[i]))
CAST_KERNEL(str_to_double, struct tsfs_str, double, TSFS_DOUBLE, bad = parse_double(x, &r[i]))
CAST_KERNEL(str_to_ts, struct tsfs_str, int64_t, TSFS_TIMESTAMP, bad = parse_timestamp(x, &r[i]))
CAST_KERNEL(str_to_date, struct tsfs_str, int64_t, TSFS_DATE, bad = parse_date(x, &r[i]))
CAST_KERNEL(str_to_time, struct tsfs_str, int64_t, TSFS_TIME, bad = parse_time(x, &r[i]))
CAST_KERNEL(date_to_ts, int64_t, int64_t, TSFS_TIMESTAMP,
            if (__builtin_mul_overflow(x, TSFS_NS_PER_DAY, &r[i])) bad = OUT_OF_RANGE)
PLAIN_KERNEL(ts_to_date, int64_t, int64_t, calendar_floor_div(x, TSFS_NS_PER_DAY))
PLAIN_KERNEL(ts_to_time, int64_t, int64_t, (x % TSFS_NS_PER_DAY + TSFS_NS_PER_DAY) % TSFS_NS_PER_DAY)
/* That time of the query's day. */
CAST_KERNEL(time_to_ts, int64_t, int64_t, TSFS_TIMESTAMP,
            if (__builtin_add_overflow(tsfs_time_floor(ctx->now, TSFS_NS_PER_DAY), x, &r[i]))
                bad = OUT_OF_RANGE)

static int to_str(KERNEL_ARGS)
{
    struct tsfs_str *r = function_calloc(ctx, out, n, sizeof(*r));
    if (r == NULL)
        return -ENOMEM;
    unsigned width = args[0].type == TSFS_BOOLEAN ? 1 : 8;
    const char *a = args[0].data;
    for (uint32_t i = 0; i < n; i++) {
        if (!row_valid(valid, i))
            continue;
        char text[TSFS_VALUE_TEXT_MAX];
        unsigned len = tsfs_value_format(args[0].type, a + row_at(&args[0], i) * width, text);
        char *copy = function_bytes(ctx, len);
        if (copy == NULL)
            return -ENOMEM;
        memcpy(copy, text, len);
        r[i] = (struct tsfs_str){copy, len};
    }
    return 0;
}

static const tsfs_kernel kernels[TSFS_TYPE_COUNT][TSFS_TYPE_COUNT] = {
    [BOOL] = {[INT] = bool_to_int, [BIG] = bool_to_int, [DBL] = bool_to_double, [STR] = to_str},
    [INT] = {[BOOL] = int_to_bool, [BIG] = same, [DBL] = int_to_double, [STR] = to_str},
    [BIG] = {[BOOL] = int_to_bool, [INT] = big_to_int, [DBL] = int_to_double, [STR] = to_str},
    [DBL] = {[BOOL] = double_to_bool, [INT] = double_to_int, [BIG] = double_to_big, [STR] = to_str},
    [STR] = {[BOOL] = str_to_bool,
             [INT] = str_to_int,
             [BIG] = str_to_big,
             [DBL] = str_to_double,
             [TS] = str_to_ts,
             [DATE] = str_to_date,
             [TIME] = str_to_time,
             [TSFS_VARBINARY] = same},
    [TS] = {[STR] = to_str, [DATE] = ts_to_date, [TIME] = ts_to_time},
    [DATE] = {[STR] = to_str, [TS] = date_to_ts},
    [TIME] = {[STR] = to_str, [TS] = time_to_ts},
    [DS] = {[STR] = to_str},
    [YM] = {[STR] = to_str},
};

tsfs_kernel tsfs_cast_kernel(enum tsfs_type from, enum tsfs_type to)
{
    if (from != to && from != TSFS_UNKNOWN && (tsfs_type_is_nested(from) || tsfs_type_is_nested(to)))
        return nested_cast_kernel(from, to);
    if (from == to && tsfs_type_is_nested(from))
        return same;
    if (from == TSFS_UNKNOWN && tsfs_type_is_nested(to))
        return from_unknown;
    if ((unsigned)from >= TSFS_TYPE_COUNT || (unsigned)to >= TSFS_TYPE_COUNT)
        return NULL;
    if (from == to)
        return same;
    return from == TSFS_UNKNOWN ? from_unknown : kernels[from][to];
}
