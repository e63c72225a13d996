/* Numbers as digits: other bases, bits, and the buckets of a histogram. */
#include <math.h>

#include "exec/functions/nested_priv.h"
#include "exec/functions/rows.h"

/* ---- bases ---- */

static bool radix_ok(int64_t radix)
{
    return radix >= 2 && radix <= 36;
}

static int bad_radix(struct tsfs_kernel_ctx *ctx, uint32_t row, const char *fn, int64_t radix)
{
    return function_fail(ctx, row, "%s: the radix must be between 2 and 36, not %lld", fn, (long long)radix);
}

static int to_base_row(ROW_ARGS(struct tsfs_str))
{
    int64_t x = row_i64(args, 0, row), radix = row_i64(args, 1, row);
    if (!radix_ok(radix))
        return bad_radix(ctx, row, "to_base", radix);
    char text[65];
    unsigned at = sizeof(text);
    uint64_t v = x < 0 ? 0 - (uint64_t)x : (uint64_t)x;
    do {
        text[--at] = "0123456789abcdefghijklmnopqrstuvwxyz"[v % (uint64_t)radix];
        v /= (uint64_t)radix;
    } while (v != 0);
    if (x < 0)
        text[--at] = '-';
    return row_put_text(ctx, text + at, sizeof(text) - at, r);
}

static bool parse_base(struct tsfs_str s, int64_t radix, int64_t *out)
{
    size_t i = 0;
    bool minus = s.len > 0 && s.ptr[0] == '-';
    if (s.len > 0 && (s.ptr[0] == '-' || s.ptr[0] == '+'))
        i = 1;
    if (i == s.len)
        return false;
    int64_t v = 0; /* counted downwards, where there is one more */
    for (; i < s.len; i++) {
        char c = s.ptr[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'z' ? c - 'a' + 10
                    : c >= 'A' && c <= 'Z' ? c - 'A' + 10
                                           : 99;
        if (digit >= radix || __builtin_mul_overflow(v, radix, &v) || __builtin_sub_overflow(v, digit, &v))
            return false;
    }
    return minus ? (*out = v, true) : !__builtin_sub_overflow(0, v, out);
}

static int from_base_row(ROW_ARGS(int64_t))
{
    struct tsfs_str s = row_str(args, 0, row);
    int64_t radix = row_i64(args, 1, row);
    if (!radix_ok(radix))
        return bad_radix(ctx, row, "from_base", radix);
    if (parse_base(s, radix, r))
        return 0;
    *r = 0;
    return function_fail(ctx, row, "from_base: '%.*s%s' is not a bigint in base %lld", FUNCTION_EXCERPT(s),
                         (long long)radix);
}

ROW_KERNEL(to_base, struct tsfs_str)
ROW_KERNEL(from_base, int64_t)

/* ---- bits ---- */

#define BITWISE(NAME, EXPR)                                                                                  \
    static int NAME(KERNEL_ARGS)                                                                             \
    {                                                                                                        \
        int64_t *restrict r = function_alloc(ctx, out, n, sizeof(*r));                                       \
        if (r == NULL)                                                                                       \
            return -ENOMEM;                                                                                  \
        FOR_ROWS_2(int64_t, int64_t, r[i] = (EXPR));                                                         \
        return 0;                                                                                            \
    }

BITWISE(bits_and, x &y)
BITWISE(bits_or, x | y)
BITWISE(bits_xor, x ^ y)

static int bits_not(KERNEL_ARGS)
{
    int64_t *restrict r = function_alloc(ctx, out, n, sizeof(*r));
    if (r == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++)
        r[i] = ~row_i64(args, 0, i);
    return 0;
}

/* Shifts by as many bits as the type has, or more, leave nothing but the sign.  The arguments decide the
 * width: an integer has 32 bits. */
enum shift { LEFT, RIGHT, RIGHT_SIGNED };

static int64_t shifted(int64_t x, int64_t by, unsigned bits, enum shift how)
{
    bool all = by >= (int64_t)bits;
    if (how == RIGHT_SIGNED)
        return all ? (x < 0 ? -1 : 0) : x >> by;
    if (all)
        return 0;
    uint64_t v = (uint64_t)x & (bits == 64 ? ~UINT64_C(0) : (UINT64_C(1) << bits) - 1);
    v = how == LEFT ? v << by : v >> by;
    return bits == 64 ? (int64_t)v : (int64_t)(int32_t)(uint32_t)v;
}

static int shift_row(ROW_ARGS(int64_t), const char *fn, enum shift how)
{
    int64_t x = row_i64(args, 0, row), by = row_i64(args, 1, row);
    if (by < 0)
        return function_fail(ctx, row, "%s: the number of places must not be negative: %lld", fn,
                             (long long)by);
    *r = shifted(x, by, args[0].type == TSFS_INTEGER ? 32 : 64, how);
    return 0;
}

#define SHIFT(NAME, HOW)                                                                                     \
    static int NAME##_row(ROW_ARGS(int64_t))                                                                 \
    {                                                                                                        \
        return shift_row(ctx, args, nargs, row, r, "bitwise_" #NAME, HOW);                                   \
    }                                                                                                        \
    ROW_KERNEL(NAME, int64_t)

SHIFT(left_shift, LEFT)
SHIFT(right_shift, RIGHT)
SHIFT(right_shift_arithmetic, RIGHT_SIGNED)

static int bit_count_row(ROW_ARGS(int64_t))
{
    int64_t x = row_i64(args, 0, row), bits = row_i64(args, 1, row);
    if (bits < 2 || bits > 64)
        return function_fail(ctx, row, "bit_count: the number of bits must be between 2 and 64, not %lld",
                             (long long)bits);
    if (bits < 64 && (x < -(INT64_C(1) << (bits - 1)) || x >= INT64_C(1) << (bits - 1)))
        return function_fail(ctx, row, "bit_count: %lld does not fit into %lld bits", (long long)x,
                             (long long)bits);
    uint64_t mask = bits == 64 ? ~UINT64_C(0) : (UINT64_C(1) << bits) - 1;
    *r = __builtin_popcountll((uint64_t)x & mask);
    return 0;
}

ROW_KERNEL(bit_count, int64_t)

/* ---- buckets ---- */

/* width_bucket(x, a, b, n): the number of x's bucket among n of one width, 0 before the first, n + 1 behind
 * the last.  With a above b they are numbered downwards; a bucket has its lower bound either way. */
static int width_bucket_row(ROW_ARGS(int64_t))
{
    double x = row_double(args, 0, row), a = row_double(args, 1, row), b = row_double(args, 2, row);
    int64_t n = row_i64(args, 3, row);
    double low = a < b ? a : b, high = a < b ? b : a;
    if (n <= 0)
        return function_fail(ctx, row, "width_bucket: the number of buckets must be positive, not %lld",
                             (long long)n);
    if (isnan(x))
        return function_fail(ctx, row, "width_bucket: NaN is in no bucket");
    if (!isfinite(a) || !isfinite(b) || a == b)
        return function_fail(ctx, row, "width_bucket: the bounds must be finite and differ");
    if (x >= high && n == INT64_MAX)
        return function_fail(ctx, row, "width_bucket: the bucket's number does not fit into a bigint");
    if (x >= high) {
        *r = n + 1;
    } else if (x >= low) {
        double at = (double)n * (x - low) / (high - low);
        *r = at >= (double)n ? n : (int64_t)at + 1;
    }
    if (a > b)
        *r = n - *r + 1;
    return 0;
}

ROW_KERNEL(width_bucket, int64_t)

/* width_bucket(x, bounds): how many of the ascending bounds are at or below x.  Only the bounds that the
 * search comes by are looked at. */
static int width_bucket_of_row(ROW_ARGS(int64_t))
{
    double x = row_double(args, 0, row);
    const struct tsfs_array *bounds = tsfs_vec_array(&args[1], row);
    if (bounds->n == 0)
        return function_fail(ctx, row, "width_bucket: there are no bounds");
    if (isnan(x))
        return function_fail(ctx, row, "width_bucket: NaN is in no bucket");
    uint32_t low = 0, high = bounds->n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (tsfs_vec_null(&bounds->elems, middle) || !isfinite(bounds->elems.d[middle]))
            return function_fail(ctx, row, "width_bucket: the bounds must be finite");
        if (bounds->elems.d[low] > bounds->elems.d[high - 1])
            return function_fail(ctx, row, "width_bucket: the bounds must ascend");
        if (x < bounds->elems.d[middle])
            high = middle;
        else
            low = middle + 1;
    }
    *r = low;
    return 0;
}

ROW_KERNEL(width_bucket_of, int64_t)

#define SHIFTS(NAME, KERNEL, HELP)                                                                           \
    SCALAR(NAME, BIG, KERNEL, NAME "(x, n): x shifted " HELP, BIG, BIG),                                     \
        SCALAR(NAME, INT, KERNEL, NAME "(x, n): x shifted " HELP, INT, BIG)

static const struct tsfs_function items[] = {
    SCALAR("to_base", STR, to_base, "to_base(x, radix): x written in that base, 2 to 36", BIG, BIG),
    SCALAR("from_base", BIG, from_base, "from_base(s, radix): the number that s is in that base", STR, BIG),
    SCALAR("bitwise_and", BIG, bits_and, "bitwise_and(a, b): bits set in both", BIG, BIG),
    SCALAR("bitwise_or", BIG, bits_or, "bitwise_or(a, b): bits set in either", BIG, BIG),
    SCALAR("bitwise_xor", BIG, bits_xor, "bitwise_xor(a, b): bits set in one only", BIG, BIG),
    SCALAR("bitwise_not", BIG, bits_not, "bitwise_not(a): all bits flipped", BIG),
    SHIFTS("bitwise_left_shift", left_shift, "left by n bits, zeros following"),
    SHIFTS("bitwise_right_shift", right_shift, "right by n bits, zeros following"),
    SHIFTS("bitwise_right_shift_arithmetic", right_shift_arithmetic, "right by n bits, the sign following"),
    SHIFTS("bitwise_arithmetic_shift_right", right_shift_arithmetic, "right by n bits, the sign following"),
    SCALAR("bit_count", BIG, bit_count, "bit_count(x, bits): bits set in x as a number of that many bits",
           BIG, BIG),
    SCALAR("width_bucket", BIG, width_bucket,
           "width_bucket(x, a, b, n): the number of x's bucket when a to b is cut into n; 0 before, n + 1 "
           "behind",
           DBL, DBL, DBL, BIG),
    SIG("width_bucket", "double, array(double) -> bigint", width_bucket_of,
        "width_bucket(x, bounds): how many of the ascending bounds are at or below x"),
};

const struct function_table functions_bits = FUNCTION_TABLE(items);
