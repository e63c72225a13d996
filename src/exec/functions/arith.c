/* + - * / % and unary minus on numbers.
 *
 * Integers never wrap: the loops compute with wrapping arithmetic and gather the overflow of all rows in one
 * word, so that they stay free of branches; only when some row overflowed are the rows looked at again, to
 * find out whether one that counts (not NULL) did, and to name it. */
#include <errno.h>
#include <math.h>

#include "exec/functions/functions_priv.h"

#define ROW(v, T, i) (((const T *)(v)->data)[row_at((v), (i))])

enum arith { ADD, SUB, MUL };

static const char *const names[] = {"addition", "subtraction", "multiplication"};
static const char signs[] = {'+', '-', '*'};

static bool overflows(enum arith op, bool narrow, int64_t x, int64_t y)
{
    int64_t r;
    bool over = op == ADD   ? __builtin_add_overflow(x, y, &r)
                : op == SUB ? __builtin_sub_overflow(x, y, &r)
                            : __builtin_mul_overflow(x, y, &r);
    return over || (narrow && r != (int32_t)r);
}

/* Some row overflowed: fails the first that is valid, or all of them under TRY. */
static int name_overflow(struct tsfs_kernel_ctx *ctx, enum arith op, bool narrow, const struct tsfs_vec *args,
                         uint32_t n, const uint64_t *valid)
{
    for (uint32_t i = 0; i < n; i++) {
        int64_t x = ROW(&args[0], int64_t, i), y = ROW(&args[1], int64_t, i);
        if (!row_valid(valid, i) || !overflows(op, narrow, x, y))
            continue;
        int rc = function_fail(ctx, i, "%s %s overflow: %lld %c %lld", narrow ? "integer" : "bigint",
                               names[op], (long long)x, signs[op], (long long)y);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* EXPR sets r[i] and ORs a negative number into bad where it overflowed. */
#define CHECKED_KERNEL(NAME, OP, NARROW, EXPR)                                                               \
    static int NAME(KERNEL_ARGS)                                                                             \
    {                                                                                                        \
        int64_t *restrict r = function_alloc(ctx, out, n, sizeof(*r));                                       \
        if (r == NULL)                                                                                       \
            return -ENOMEM;                                                                                  \
        int64_t bad = 0;                                                                                     \
        FOR_ROWS_2(int64_t, int64_t, EXPR);                                                                  \
        return bad < 0 ? name_overflow(ctx, OP, NARROW, args, n, valid) : 0;                                 \
    }

#define WRAP(x, op, y)  ((int64_t)((uint64_t)(x)op(uint64_t)(y)))
/* Negative if v does not fit into 32 bits. */
#define NARROW_CHECK(v) (-(int64_t)((v) != (int64_t)(int32_t)(v)))

CHECKED_KERNEL(add_bigint, ADD, false, r[i] = WRAP(x, +, y); bad |= (x ^ r[i]) & (y ^ r[i]))
CHECKED_KERNEL(sub_bigint, SUB, false, r[i] = WRAP(x, -, y); bad |= (x ^ y) & (x ^ r[i]))
CHECKED_KERNEL(mul_bigint, MUL, false, bad |= -(int64_t)__builtin_mul_overflow(x, y, &r[i]))
CHECKED_KERNEL(add_integer, ADD, true, r[i] = WRAP(x, +, y); bad |= NARROW_CHECK(r[i]))
CHECKED_KERNEL(sub_integer, SUB, true, r[i] = WRAP(x, -, y); bad |= NARROW_CHECK(r[i]))
CHECKED_KERNEL(mul_integer, MUL, true, r[i] = WRAP(x, *, y); bad |= NARROW_CHECK(r[i]))

/* The quotient or remainder where there is one; rows without it (x / 0, the least number / -1) give 0 here
 * and are named afterwards. */
static int divide(KERNEL_ARGS, bool remainder, int64_t least, const char *type)
{
    int64_t *r = function_alloc(ctx, out, n, sizeof(*r));
    if (r == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++) {
        int64_t x = ROW(&args[0], int64_t, i), y = ROW(&args[1], int64_t, i);
        if (__builtin_expect(y != 0 && y != -1, 1)) {
            r[i] = remainder ? x % y : x / y;
            continue;
        }
        r[i] = y == 0 || remainder ? 0 : WRAP(0, -, x);
        if (!row_valid(valid, i))
            continue;
        int rc = 0;
        if (y == 0)
            rc = function_fail(ctx, i, "division by zero");
        else if (x == least && !remainder)
            rc = function_fail(ctx, i, "%s division overflow: %lld / -1", type, (long long)x);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int div_bigint(KERNEL_ARGS)
{
    return divide(ctx, args, nargs, n, valid, out, false, INT64_MIN, "bigint");
}

static int div_integer(KERNEL_ARGS)
{
    return divide(ctx, args, nargs, n, valid, out, false, INT32_MIN, "integer");
}

static int mod_integer(KERNEL_ARGS)
{
    return divide(ctx, args, nargs, n, valid, out, true, 0, "integer");
}

#define DOUBLE_KERNEL(NAME, EXPR)                                                                            \
    static int NAME(KERNEL_ARGS)                                                                             \
    {                                                                                                        \
        double *restrict r = function_alloc(ctx, out, n, sizeof(*r));                                        \
        if (r == NULL)                                                                                       \
            return -ENOMEM;                                                                                  \
        FOR_ROWS_2(double, double, r[i] = EXPR);                                                             \
        return 0;                                                                                            \
    }

DOUBLE_KERNEL(add_double, x + y)
DOUBLE_KERNEL(sub_double, x - y)
DOUBLE_KERNEL(mul_double, x *y)
DOUBLE_KERNEL(div_double, x / y)
DOUBLE_KERNEL(mod_double, fmod(x, y))

static int negate(KERNEL_ARGS, int64_t least, const char *type)
{
    int64_t *restrict r = function_alloc(ctx, out, n, sizeof(*r));
    if (r == NULL)
        return -ENOMEM;
    const int64_t *restrict a = args[0].i;
    int64_t bad = 0;
    for (uint32_t i = 0; i < n; i++) {
        r[i] = WRAP(0, -, a[i]);
        bad |= -(int64_t)(a[i] == least);
    }
    if (bad == 0)
        return 0;
    for (uint32_t i = 0; i < n; i++) {
        if (a[i] != least || !row_valid(valid, i))
            continue;
        int rc = function_fail(ctx, i, "%s negation overflow: -(%lld)", type, (long long)a[i]);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int neg_bigint(KERNEL_ARGS)
{
    return negate(ctx, args, nargs, n, valid, out, INT64_MIN, "bigint");
}

static int neg_integer(KERNEL_ARGS)
{
    return negate(ctx, args, nargs, n, valid, out, INT32_MIN, "integer");
}

static int neg_double(KERNEL_ARGS)
{
    double *restrict r = function_alloc(ctx, out, n, sizeof(*r));
    if (r == NULL)
        return -ENOMEM;
    const double *restrict a = args[0].d;
    for (uint32_t i = 0; i < n; i++)
        r[i] = -a[i];
    return 0;
}

/* a + b + c .., a - b - c .., a * b * c ..: from left to right, as written. */
static int chain_whole(struct tsfs_kernel_ctx *ctx, const struct tsfs_vec *args, unsigned nargs, uint32_t n,
                       const uint64_t *valid, struct tsfs_vec *out, enum arith op, bool narrow)
{
    int64_t *restrict r = function_alloc(ctx, out, n, sizeof(*r));
    if (r == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++)
        r[i] = ROW(&args[0], int64_t, i);
    for (unsigned k = 1; k < nargs; k++) {
        for (uint32_t i = 0; i < n; i++) {
            int64_t x = r[i], y = ROW(&args[k], int64_t, i);
            r[i] = op == ADD ? WRAP(x, +, y) : op == SUB ? WRAP(x, -, y) : WRAP(x, *, y);
            if (!overflows(op, narrow, x, y) || !row_valid(valid, i))
                continue;
            int rc = function_fail(ctx, i, "%s %s overflow: %lld %c %lld", narrow ? "integer" : "bigint",
                                   names[op], (long long)x, signs[op], (long long)y);
            if (rc != 0)
                return rc;
        }
    }
    return 0;
}

#define CHAIN(PREFIX, OP, SIGN)                                                                              \
    static int PREFIX##_integer(KERNEL_ARGS)                                                                 \
    {                                                                                                        \
        return chain_whole(ctx, args, nargs, n, valid, out, OP, true);                                       \
    }                                                                                                        \
    static int PREFIX##_bigint(KERNEL_ARGS)                                                                  \
    {                                                                                                        \
        return chain_whole(ctx, args, nargs, n, valid, out, OP, false);                                      \
    }                                                                                                        \
    static int PREFIX##_double(KERNEL_ARGS)                                                                  \
    {                                                                                                        \
        double *restrict r = function_alloc(ctx, out, n, sizeof(*r));                                        \
        if (r == NULL)                                                                                       \
            return -ENOMEM;                                                                                  \
        for (uint32_t i = 0; i < n; i++)                                                                     \
            r[i] = ROW(&args[0], double, i);                                                                 \
        for (unsigned k = 1; k < nargs; k++)                                                                 \
            for (uint32_t i = 0; i < n; i++)                                                                 \
                r[i] = r[i] SIGN ROW(&args[k], double, i);                                                   \
        return 0;                                                                                            \
    }

CHAIN(sums, ADD, +)
CHAIN(differences, SUB, -)
CHAIN(products, MUL, *)

#define BINARY(SIGN, OP, KERNEL, HELP)                                                                       \
    SCALAR_OP(SIGN, OP, INT, KERNEL##_integer, HELP, INT, INT),                                              \
        SCALAR_OP(SIGN, OP, BIG, KERNEL##_bigint, HELP, BIG, BIG),                                           \
        SCALAR_OP(SIGN, OP, DBL, KERNEL##_double, HELP, DBL, DBL)

#define mod_bigint mod_integer
#define LONG(SIGN, PREFIX, HELP)                                                                             \
    SCALAR_VARIADIC(SIGN, INT, PREFIX##_integer, HELP, INT, INT, INT),                                       \
        SCALAR_VARIADIC(SIGN, BIG, PREFIX##_bigint, HELP, BIG, BIG, BIG),                                    \
        SCALAR_VARIADIC(SIGN, DBL, PREFIX##_double, HELP, DBL, DBL, DBL)

static const struct tsfs_function items[] = {
    BINARY("+", TSFS_OP_ADD, add, "a + b: sum; an integer result that does not fit is an error"),
    LONG("+", sums, "a + b + ...: from left to right; long sums are computed by one call"),
    BINARY("-", TSFS_OP_SUB, sub, "a - b: difference"),
    LONG("-", differences, "a - b - ...: from left to right, by one call"),
    BINARY("*", TSFS_OP_MUL, mul, "a * b: product"),
    LONG("*", products, "a * b * ...: from left to right, by one call"),
    BINARY("/", TSFS_OP_DIV, div, "a / b: quotient; integers truncate towards zero, and by zero is an error"),
    BINARY("%", TSFS_OP_MOD, mod, "a % b: remainder with the sign of a"),
    BINARY("mod", TSFS_OP_MOD, mod, "mod(a, b): a % b"),
    SCALAR_OP("neg", TSFS_OP_NEG, INT, neg_integer, "-a: negation", INT),
    SCALAR_OP("neg", TSFS_OP_NEG, BIG, neg_bigint, "-a: negation", BIG),
    SCALAR_OP("neg", TSFS_OP_NEG, DBL, neg_double, "-a: negation", DBL),
};

const struct function_table functions_arith = FUNCTION_TABLE(items);
