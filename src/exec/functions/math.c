/* Mathematical functions and random numbers; bases and bits are in bits.c. */
#include <math.h>
#include <sys/random.h>

#include "base/limits.h"
#include "base/time.h"
#include "exec/functions/rows.h"

#define PI 3.14159265358979323846
#define E  2.71828182845904523536

#define DOUBLE_1(NAME, EXPR)                                                                                 \
    static int NAME(KERNEL_ARGS)                                                                             \
    {                                                                                                        \
        double *restrict r = function_alloc(ctx, out, n, sizeof(*r));                                        \
        if (r == NULL)                                                                                       \
            return -ENOMEM;                                                                                  \
        const double *restrict a = args[0].d;                                                                \
        for (uint32_t i = 0; i < n; i++) {                                                                   \
            const double x = a[row_at(&args[0], i)];                                                         \
            r[i] = (EXPR);                                                                                   \
        }                                                                                                    \
        return 0;                                                                                            \
    }

#define DOUBLE_2(NAME, EXPR)                                                                                 \
    static int NAME(KERNEL_ARGS)                                                                             \
    {                                                                                                        \
        double *restrict r = function_alloc(ctx, out, n, sizeof(*r));                                        \
        if (r == NULL)                                                                                       \
            return -ENOMEM;                                                                                  \
        FOR_ROWS_2(double, double, r[i] = (EXPR));                                                           \
        return 0;                                                                                            \
    }

#define TEST_1(NAME, EXPR)                                                                                   \
    static int NAME(KERNEL_ARGS)                                                                             \
    {                                                                                                        \
        uint8_t *restrict r = function_alloc(ctx, out, n, sizeof(*r));                                       \
        if (r == NULL)                                                                                       \
            return -ENOMEM;                                                                                  \
        for (uint32_t i = 0; i < n; i++) {                                                                   \
            const double x = args[0].d[row_at(&args[0], i)];                                                 \
            r[i] = (EXPR) ? 1 : 0;                                                                           \
        }                                                                                                    \
        return 0;                                                                                            \
    }

#define CONSTANT(NAME, VALUE)                                                                                \
    static int NAME(KERNEL_ARGS)                                                                             \
    {                                                                                                        \
        double *r = function_alloc(ctx, out, n, sizeof(*r));                                                 \
        for (uint32_t i = 0; r != NULL && i < n; i++)                                                        \
            r[i] = (VALUE);                                                                                  \
        return r != NULL ? 0 : -ENOMEM;                                                                      \
    }

/* The C library may miss by one in the last place, also for cubes: one step of Newton mends that. */
static double cube_root(double x)
{
    double r = cbrt(x);
    return r == 0 || !isfinite(r) ? r : r - (r * r * r - x) / (3 * r * r);
}

DOUBLE_1(abs_double, fabs(x))
DOUBLE_1(ceil_double, ceil(x))
DOUBLE_1(floor_double, floor(x))
DOUBLE_1(round_double, round(x))
DOUBLE_1(trunc_double, trunc(x))
DOUBLE_1(sign_double, x > 0 ? 1.0 : x < 0 ? -1.0 : x)
DOUBLE_1(sqrt_double, sqrt(x))
DOUBLE_1(cbrt_double, cube_root(x))
DOUBLE_1(exp_double, exp(x))
DOUBLE_1(ln_double, log(x))
DOUBLE_1(log2_double, log2(x))
DOUBLE_1(log10_double, log10(x))
DOUBLE_1(degrees_double, x *(180 / PI))
DOUBLE_1(radians_double, x *(PI / 180))
DOUBLE_1(sin_double, sin(x))
DOUBLE_1(cos_double, cos(x))
DOUBLE_1(tan_double, tan(x))
DOUBLE_1(asin_double, asin(x))
DOUBLE_1(acos_double, acos(x))
DOUBLE_1(atan_double, atan(x))
DOUBLE_1(sinh_double, sinh(x))
DOUBLE_1(cosh_double, cosh(x))
DOUBLE_1(tanh_double, tanh(x))
DOUBLE_2(atan2_double, atan2(x, y))
DOUBLE_2(pow_double, pow(x, y))
DOUBLE_2(log_base, log(y) / log(x))
TEST_1(is_nan, isnan(x))
TEST_1(is_finite, isfinite(x))
TEST_1(is_infinite, isinf(x))
CONSTANT(pi, PI)
CONSTANT(euler, E)
CONSTANT(infinity, INFINITY)
CONSTANT(not_a_number, NAN)

/* Whole numbers. */
static int same(KERNEL_ARGS)
{
    out->data = args[0].data;
    return 0;
}

static int abs_whole_row(ROW_ARGS(int64_t))
{
    int64_t x = row_i64(args, 0, row);
    if (x == (args[0].type == TSFS_INTEGER ? INT32_MIN : INT64_MIN))
        return function_fail(ctx, row, "abs: the absolute value of %lld does not fit into %s", (long long)x,
                             tsfs_type_name(args[0].type));
    *r = x < 0 ? -x : x;
    return 0;
}

static int sign_whole_row(ROW_ARGS(int64_t))
{
    int64_t x = row_i64(args, 0, row);
    *r = (x > 0) - (x < 0);
    return 0;
}

ROW_KERNEL(abs_whole, int64_t)
ROW_KERNEL(sign_whole, int64_t)

static double power_of_ten(int64_t d)
{
    static const double exact[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                   1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    return d <= 22 ? exact[d] : pow(10, (double)d);
}

/* x cut or rounded to d digits behind the point, before it when d is negative. */
static double at_digit(double x, int64_t d, double (*cut)(double))
{
    if (!isfinite(x))
        return x;
    if (d >= 0) {
        if (d > 323)
            return x;
        double factor = power_of_ten(d), scaled = x * factor;
        /* Beyond 2^52 there are no fractions left to cut. */
        return isfinite(scaled) && fabs(scaled) < 0x1p52 ? cut(scaled) / factor : x;
    }
    if (d < -308)
        return copysign(0, x);
    double factor = power_of_ten(-d);
    return cut(x / factor) * factor;
}

static int digits_double(KERNEL_ARGS, double (*cut)(double))
{
    double *r = function_alloc(ctx, out, n, sizeof(*r));
    if (r == NULL)
        return -ENOMEM;
    FOR_ROWS_2(double, int64_t, r[i] = at_digit(x, y, cut));
    return 0;
}

static int round_digits(KERNEL_ARGS)
{
    return digits_double(ctx, args, nargs, n, valid, out, round);
}

static int trunc_digits(KERNEL_ARGS)
{
    return digits_double(ctx, args, nargs, n, valid, out, trunc);
}

static int digits_whole(ROW_ARGS(int64_t), bool to_nearest)
{
    int64_t x = row_i64(args, 0, row), d = row_i64(args, 1, row);
    if (d >= 0 || d < -19) {
        *r = d >= 0 ? x : 0;
        return 0;
    }
    __extension__ typedef __int128 wide;
    wide factor = 1, v = x;
    for (; d < 0; d++)
        factor *= 10;
    wide rest = v % factor;
    v -= rest;
    if (to_nearest && rest * 2 >= factor)
        v += factor;
    if (to_nearest && rest * 2 <= -factor)
        v -= factor;
    if (args[0].type == TSFS_INTEGER ? v != (int32_t)v : v != (int64_t)v)
        return function_fail(ctx, row, "round: %lld rounded does not fit into %s", (long long)x,
                             tsfs_type_name(args[0].type));
    *r = (int64_t)v;
    return 0;
}

static int round_whole_row(ROW_ARGS(int64_t))
{
    return digits_whole(ctx, args, nargs, row, r, true);
}

static int trunc_whole_row(ROW_ARGS(int64_t))
{
    return digits_whole(ctx, args, nargs, row, r, false);
}

ROW_KERNEL(round_whole, int64_t)
ROW_KERNEL(trunc_whole, int64_t)

/* SplitMix64 (Steele, Lea, Flood 2014), one stream a thread, seeded by the system. */
uint64_t function_random(void)
{
    static _Thread_local uint64_t state;
    static _Thread_local bool seeded;
    if (!seeded) {
        if (getrandom(&state, sizeof(state), 0) != (ssize_t)sizeof(state))
            state = (uint64_t)tsfs_time_monotonic() ^ (uint64_t)(uintptr_t)&state;
        seeded = true;
    }
    uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static int random_double(KERNEL_ARGS)
{
    double *r = function_alloc(ctx, out, n, sizeof(*r));
    if (r == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++)
        r[i] = (double)(function_random() >> 11) * 0x1p-53;
    return 0;
}

static int random_range_row(ROW_ARGS(int64_t))
{
    int64_t from = nargs == 2 ? row_i64(args, 0, row) : 0, to = row_i64(args, nargs - 1, row);
    if (to <= from)
        return function_fail(ctx, row, "random: the upper bound %lld must be greater than %lld",
                             (long long)to, (long long)from);
    __extension__ typedef unsigned __int128 wide;
    uint64_t range = (uint64_t)to - (uint64_t)from;
    *r = (int64_t)((uint64_t)from + (uint64_t)((wide)function_random() * range >> 64));
    return 0;
}

ROW_KERNEL(random_range, int64_t)

#define ONE(NAME, KERNEL, HELP) SCALAR(NAME, DBL, KERNEL##_double, NAME HELP, DBL)
#define WHOLE(NAME, KERNEL, HELP)                                                                            \
    SCALAR(NAME, BIG, KERNEL, NAME HELP, BIG), SCALAR(NAME, INT, KERNEL, NAME HELP, INT)
/* Of whole numbers and of doubles. */
#define BOTH(NAME, KERNEL_WHOLE, KERNEL, HELP) WHOLE(NAME, KERNEL_WHOLE, HELP), ONE(NAME, KERNEL, HELP)
#define DIGITS(NAME, KERNEL, HELP)                                                                           \
    SCALAR(NAME, BIG, KERNEL##_whole, NAME HELP, BIG, BIG),                                                  \
        SCALAR(NAME, INT, KERNEL##_whole, NAME HELP, INT, BIG),                                              \
        SCALAR(NAME, DBL, KERNEL##_digits, NAME HELP, DBL, BIG)
/* Every call gives another number. */
#define UNSTABLE(NAME, RES, N, KERNEL, HELP, ...)                                                            \
    {                                                                                                        \
        .name = (NAME), .kind = TSFS_FUNCTION_SCALAR, .nargs = (N), .args = {__VA_ARGS__}, .result = (RES),  \
        .unstable = true, .help = NAME HELP, .impl = FUNCTION_IMPL(KERNEL)                                   \
    }
#define RANDOM(NAME)                                                                                         \
    UNSTABLE(NAME, DBL, 0, random_double, "(): a number in [0, 1)", TSFS_UNKNOWN),                           \
        UNSTABLE(NAME, BIG, 1, random_range, "(n): a whole number in [0, n)", BIG),                          \
        UNSTABLE(NAME, INT, 1, random_range, "(n): a whole number in [0, n)", INT),                          \
        UNSTABLE(NAME, BIG, 2, random_range, "(m, n): a whole number in [m, n)", BIG, BIG),                  \
        UNSTABLE(NAME, INT, 2, random_range, "(m, n): a whole number in [m, n)", INT, INT)

static const struct tsfs_function items[] = {
    BOTH("abs", abs_whole, abs, "(x): absolute value"),
    BOTH("ceil", same, ceil, "(x): smallest whole number not below x"),
    BOTH("ceiling", same, ceil, "(x): smallest whole number not below x"),
    BOTH("floor", same, floor, "(x): largest whole number not above x"),
    BOTH("round", same, round, "(x): nearest whole number, halves away from zero"),
    DIGITS("round", round, "(x, d): to d digits behind the point"),
    BOTH("truncate", same, trunc, "(x): without its fraction"),
    DIGITS("truncate", trunc, "(x, d): cut to d digits behind the point"),
    BOTH("sign", sign_whole, sign, "(x): -1, 0 or 1"),
    ONE("sqrt", sqrt, "(x): square root"),
    ONE("cbrt", cbrt, "(x): cube root"),
    ONE("exp", exp, "(x): e to the power of x"),
    ONE("ln", ln, "(x): natural logarithm"),
    ONE("log2", log2, "(x): logarithm to base 2"),
    ONE("log10", log10, "(x): logarithm to base 10"),
    SCALAR("log", DBL, log_base, "log(b, x): logarithm of x to base b", DBL, DBL),
    SCALAR("power", DBL, pow_double, "power(x, p): x to the power of p", DBL, DBL),
    SCALAR("pow", DBL, pow_double, "pow(x, p): x to the power of p", DBL, DBL),
    ONE("degrees", degrees, "(x): radians to degrees"),
    ONE("radians", radians, "(x): degrees to radians"),
    ONE("sin", sin, "(x): sine of radians"),
    ONE("cos", cos, "(x): cosine of radians"),
    ONE("tan", tan, "(x): tangent of radians"),
    ONE("asin", asin, "(x): arc sine"),
    ONE("acos", acos, "(x): arc cosine"),
    ONE("atan", atan, "(x): arc tangent"),
    SCALAR("atan2", DBL, atan2_double, "atan2(y, x): angle of the point (x, y)", DBL, DBL),
    ONE("sinh", sinh, "(x): hyperbolic sine"),
    ONE("cosh", cosh, "(x): hyperbolic cosine"),
    ONE("tanh", tanh, "(x): hyperbolic tangent"),
    SCALAR0("pi", DBL, pi, "pi(): 3.14159..."),
    SCALAR0("e", DBL, euler, "e(): 2.71828..."),
    SCALAR0("infinity", DBL, infinity, "infinity(): positive infinity"),
    SCALAR0("nan", DBL, not_a_number, "nan(): not a number"),
    SCALAR("is_nan", BOOL, is_nan, "is_nan(x): whether x is not a number", DBL),
    SCALAR("is_finite", BOOL, is_finite, "is_finite(x): whether x is neither infinite nor NaN", DBL),
    SCALAR("is_infinite", BOOL, is_infinite, "is_infinite(x): whether x is infinite", DBL),
    RANDOM("random"),
    RANDOM("rand"),
};

const struct function_table functions_math = FUNCTION_TABLE(items);
