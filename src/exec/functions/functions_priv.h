/* Shared by the families of functions: how entries are spelled, how results are allocated, how rows fail. */
#ifndef TSFS_EXEC_FUNCTIONS_PRIV_H
#define TSFS_EXEC_FUNCTIONS_PRIV_H

#include "exec/function.h"

struct function_table {
    const struct tsfs_function *items;
    uint32_t n;
};

extern const struct function_table functions_arith, functions_interval, functions_compare, functions_like,
    functions_math, functions_string, functions_search, functions_date_part, functions_datetime,
    functions_bin, functions_date_text, functions_agg_basic, functions_agg_extreme, functions_agg_by,
    functions_agg_stat, functions_agg_sketch, functions_agg_percentile, functions_array_make,
    functions_array_set, functions_array_lists, functions_array_sort, functions_array_lambda,
    functions_nested_compare, functions_timeseries, functions_agg_collect, functions_agg_top, functions_regex,
    functions_joda, functions_window, functions_bits, functions_string_join, functions_iso8601,
    functions_binary;

#define FUNCTION_TABLE(array)                                                                                \
    {                                                                                                        \
        (array), sizeof(array) / sizeof((array)[0])                                                          \
    }

/* Type names as entries spell them. */
#define BOOL TSFS_BOOLEAN
#define INT  TSFS_INTEGER
#define BIG  TSFS_BIGINT
#define DBL  TSFS_DOUBLE
#define STR  TSFS_VARCHAR
#define TS   TSFS_TIMESTAMP
#define DATE TSFS_DATE
#define TIME TSFS_TIME
#define DS   TSFS_INTERVAL_DS
#define YM   TSFS_INTERVAL_YM
#define ANY  TSFS_ANY

#define FUNCTION_NARGS(...) (sizeof((const enum tsfs_type[]){__VA_ARGS__}) / sizeof(enum tsfs_type))
#define FUNCTION_IMPL(fn)                                                                                    \
    &(const struct tsfs_scalar_impl)                                                                         \
    {                                                                                                        \
        fn                                                                                                   \
    }

/* Scalar entries: name, operator, result, kernel, help, argument types ... */
#define SCALAR_OP(nm, o, res, fn, hlp, ...)                                                                  \
    {                                                                                                        \
        .name = (nm), .kind = TSFS_FUNCTION_SCALAR, .op = (o), .nargs = FUNCTION_NARGS(__VA_ARGS__),         \
        .args = {__VA_ARGS__}, .result = (res), .help = (hlp), .impl = FUNCTION_IMPL(fn)                     \
    }
#define SCALAR(nm, res, fn, hlp, ...) SCALAR_OP(nm, TSFS_OP_NONE, res, fn, hlp, __VA_ARGS__)
/* The last argument type may repeat. */
#define SCALAR_VARIADIC(nm, res, fn, hlp, ...)                                                               \
    {                                                                                                        \
        .name = (nm), .kind = TSFS_FUNCTION_SCALAR, .nargs = FUNCTION_NARGS(__VA_ARGS__), .variadic = true,  \
        .args = {__VA_ARGS__}, .result = (res), .help = (hlp), .impl = FUNCTION_IMPL(fn)                     \
    }
/* The kernel sees NULLs. */
#define SCALAR_NULLS(nm, res, fn, hlp, ...)                                                                  \
    {                                                                                                        \
        .name = (nm), .kind = TSFS_FUNCTION_SCALAR, .nargs = FUNCTION_NARGS(__VA_ARGS__),                    \
        .args = {__VA_ARGS__}, .result = (res), .nulls = true, .help = (hlp), .impl = FUNCTION_IMPL(fn)      \
    }
/* No arguments. */
#define SCALAR0(nm, res, fn, hlp)                                                                            \
    {                                                                                                        \
        .name = (nm), .kind = TSFS_FUNCTION_SCALAR, .result = (res), .help = (hlp),                          \
        .impl = FUNCTION_IMPL(fn)                                                                            \
    }
/* Scalar entries with variables, arrays, rows, lambdas: the signature as a text. */
#define SIG(nm, sg, fn, hlp)                                                                                 \
    {                                                                                                        \
        .name = (nm), .kind = TSFS_FUNCTION_SCALAR, .sig = (sg), .help = (hlp), .impl = FUNCTION_IMPL(fn)    \
    }
#define SIG_NULLS(nm, sg, fn, hlp)                                                                           \
    {                                                                                                        \
        .name = (nm), .kind = TSFS_FUNCTION_SCALAR, .sig = (sg), .nulls = true, .help = (hlp),               \
        .impl = FUNCTION_IMPL(fn)                                                                            \
    }
#define SIG_UNSTABLE(nm, sg, fn, hlp)                                                                        \
    {                                                                                                        \
        .name = (nm), .kind = TSFS_FUNCTION_SCALAR, .sig = (sg), .unstable = true, .help = (hlp),            \
        .impl = FUNCTION_IMPL(fn)                                                                            \
    }
#define SIG_AGGREGATE(nm, o, sg, im, hlp)                                                                    \
    {                                                                                                        \
        .name = (nm), .kind = TSFS_FUNCTION_AGGREGATE, .op = (o), .sig = (sg), .help = (hlp), .impl = &(im)  \
    }

/* Aggregates: impl is a struct tsfs_aggregate_impl. */
#define AGGREGATE(nm, o, res, im, hlp, ...)                                                                  \
    {                                                                                                        \
        .name = (nm), .kind = TSFS_FUNCTION_AGGREGATE, .op = (o), .nargs = FUNCTION_NARGS(__VA_ARGS__),      \
        .args = {__VA_ARGS__}, .result = (res), .help = (hlp), .impl = &(im)                                 \
    }

#define KERNEL_ARGS                                                                                          \
    struct tsfs_kernel_ctx *ctx, const struct tsfs_vec *args, unsigned nargs, uint32_t n,                    \
        const uint64_t *valid, struct tsfs_vec *out

static inline bool row_valid(const uint64_t *valid, size_t row)
{
    return valid == NULL || tsfs_bit_get(valid, row);
}

/* The index of row `row` in v's data. */
static inline size_t row_at(const struct tsfs_vec *v, size_t row)
{
    return v->constant ? 0 : row;
}

/* out->data for n rows of a type (width bytes each, zeroed unless they are about to be overwritten), or NULL
 * with the error set. */
void *function_alloc(struct tsfs_kernel_ctx *ctx, struct tsfs_vec *out, uint32_t n, unsigned width);
void *function_calloc(struct tsfs_kernel_ctx *ctx, struct tsfs_vec *out, uint32_t n, unsigned width);

/* size bytes in the arena for one string, or NULL with the error set. */
char *function_bytes(struct tsfs_kernel_ctx *ctx, size_t size);

/* -ENOMEM with its sentence. */
int function_no_memory(struct tsfs_kernel_ctx *ctx);

/* Row `row` cannot be computed: -EINVAL and the sentence at the call's place, or, under TRY, 0 with the row
 * marked. */
int function_fail(struct tsfs_kernel_ctx *ctx, uint32_t row, const char *fmt, ...) TSFS_PRINTF(3, 4);
/* The same where function fn would make a string of more than TSFS_RESULT_VARCHAR_MAX bytes. */
int function_too_long(struct tsfs_kernel_ctx *ctx, uint32_t row, const char *fn);

/* A string's start for messages: use as "%.*s%s" with FUNCTION_EXCERPT(s). */
#define FUNCTION_EXCERPT_MAX 60
int function_excerpt_len(struct tsfs_str s);
#define FUNCTION_EXCERPT(s)                                                                                  \
    function_excerpt_len(s), (s).ptr ? (s).ptr : "", (size_t)function_excerpt_len(s) < (s).len ? "..." : ""

/* out->valid as a fresh copy of valid (all set if NULL), for kernels that take rows away.  NULL = no memory,
 * error set. */
uint64_t *function_own_valid(struct tsfs_kernel_ctx *ctx, uint32_t n, const uint64_t *valid,
                             struct tsfs_vec *out);

/* One loop over two arguments of which either may be constant: in BODY x and y are the row's values, i its
 * number. */
#define FOR_ROWS_2(TA, TB, BODY)                                                                             \
    do {                                                                                                     \
        const TA *restrict a_ = args[0].data;                                                                \
        const TB *restrict b_ = args[1].data;                                                                \
        if (args[0].constant) {                                                                              \
            const TA x = a_[0];                                                                              \
            for (uint32_t i = 0; i < n; i++) {                                                               \
                const TB y = b_[i];                                                                          \
                BODY;                                                                                        \
            }                                                                                                \
        } else if (args[1].constant) {                                                                       \
            const TB y = b_[0];                                                                              \
            for (uint32_t i = 0; i < n; i++) {                                                               \
                const TA x = a_[i];                                                                          \
                BODY;                                                                                        \
            }                                                                                                \
        } else {                                                                                             \
            for (uint32_t i = 0; i < n; i++) {                                                               \
                const TA x = a_[i];                                                                          \
                const TB y = b_[i];                                                                          \
                BODY;                                                                                        \
            }                                                                                                \
        }                                                                                                    \
    } while (0)

/* math.c: 64 random bits, of a generator for each thread. */
uint64_t function_random(void);

/* string.c: as Unicode has it. */
bool function_is_letter(uint32_t cp);

/* nested_compare.c: casts from nested types; NULL if there is none. */
tsfs_kernel nested_cast_kernel(enum tsfs_type from, enum tsfs_type to);

/* calendar.c: months on instants and dates; the day is cut to the month's last.  -ERANGE. */
TSFS_MUST_CHECK int calendar_add_months_ts(int64_t ns, int64_t months, int64_t *out);
TSFS_MUST_CHECK int calendar_add_months_date(int64_t days, int64_t months, int64_t *out);
/* Whole months from a to b, negative if b is earlier. */
int64_t calendar_months_between(int64_t a_ns, int64_t b_ns);
unsigned calendar_days_of_month(int32_t year, unsigned month);
int64_t calendar_floor_div(int64_t a, int64_t b); /* b > 0 */
/* Dates go as far as 32-bit day numbers. */
static inline bool calendar_date_ok(int64_t days)
{
    return days == (int32_t)days;
}

enum calendar_unit {
    UNIT_NANOSECOND,
    UNIT_MICROSECOND,
    UNIT_MILLISECOND,
    UNIT_SECOND,
    UNIT_MINUTE,
    UNIT_HOUR,
    UNIT_DAY,
    UNIT_WEEK,
    UNIT_MONTH,
    UNIT_QUARTER,
    UNIT_YEAR,
    UNIT_NONE
};
/* "day", "d", ...; any case.  UNIT_NONE if it is not one. */
enum calendar_unit calendar_unit_from(struct tsfs_str name);
extern const int64_t calendar_unit_ns[]; /* up to UNIT_WEEK */
/* months of MONTH, QUARTER, YEAR */
static inline int64_t calendar_unit_months(enum calendar_unit unit)
{
    return unit == UNIT_MONTH ? 1 : unit == UNIT_QUARTER ? 3 : 12;
}

#endif
