#include "exec/kernels/compare.h"

#include <string.h>

#include "base/cpu.h"
#include "base/limits.h"
#include "exec/kernels/bits.h"

#ifdef __SSE2__
#include <immintrin.h>
#endif

bool compare_known(enum tsfs_op op, enum tsfs_type type)
{
    return op >= TSFS_OP_EQ && op <= TSFS_OP_GE && type != TSFS_UNKNOWN && type < TSFS_TYPE_COUNT;
}

/* One word of 64 results at a time; the inner loop has no branch. */
#define LOOP(name, type, op)                                                                                 \
    static void name(const type *a, const type *b, uint32_t bstep, uint32_t n, uint64_t *bits)               \
    {                                                                                                        \
        for (uint32_t i = 0; i < n; i += 64) {                                                               \
            uint32_t left = n - i < 64 ? n - i : 64;                                                         \
            uint8_t flag[64] = {0};                                                                          \
            const type *x = a + i, *y = b + (size_t)i * bstep;                                               \
            if (bstep == 0) {                                                                                \
                type c = *b;                                                                                 \
                for (uint32_t j = 0; j < left; j++)                                                          \
                    flag[j] = x[j] op c;                                                                     \
            } else {                                                                                         \
                for (uint32_t j = 0; j < left; j++)                                                          \
                    flag[j] = x[j] op y[j];                                                                  \
            }                                                                                                \
            bits_from_bytes(&bits[i / 64], flag, 64);                                                        \
        }                                                                                                    \
    }

LOOP(i64_eq_portable, int64_t, ==)
LOOP(i64_lt_portable, int64_t, <)
LOOP(i64_gt_portable, int64_t, >)
LOOP(u8_eq, uint8_t, ==)
LOOP(u8_lt, uint8_t, <)
LOOP(u8_gt, uint8_t, >)

/* Words of 64 bits are not compared by the smallest x86-64: chosen at run time. */
#ifdef __SSE2__
#define LOOP_I64(name, op, intrinsic)                                                                        \
    __attribute__((target("avx2"))) static void name##_avx2(const int64_t *a, const int64_t *b,              \
                                                            uint32_t bstep, uint32_t n, uint64_t *bits)      \
    {                                                                                                        \
        __m256i c = _mm256_set1_epi64x(*b);                                                                  \
        for (uint32_t i = 0; i < n; i += 64) {                                                               \
            uint32_t left = n - i < 64 ? n - i : 64, j = 0;                                                  \
            const int64_t *x = a + i, *y = b + (size_t)i * bstep;                                            \
            uint64_t word = 0;                                                                               \
            for (; j + 4 <= left; j += 4) {                                                                  \
                __m256i p = _mm256_loadu_si256((const __m256i *)(const void *)(x + j)), q = c;               \
                if (bstep != 0)                                                                              \
                    q = _mm256_loadu_si256((const __m256i *)(const void *)(y + j));                          \
                word |= (uint64_t)(unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(intrinsic)) << j;         \
            }                                                                                                \
            for (; j < left; j++)                                                                            \
                word |= (uint64_t)(x[j] op y[j * bstep]) << j;                                               \
            bits[i / 64] = word;                                                                             \
        }                                                                                                    \
    }                                                                                                        \
    static void name(const int64_t *a, const int64_t *b, uint32_t bstep, uint32_t n, uint64_t *bits)         \
    {                                                                                                        \
        if (n >= 16 && TSFS_CPU_HAS("avx2"))                                                                 \
            name##_avx2(a, b, bstep, n, bits);                                                               \
        else                                                                                                 \
            name##_portable(a, b, bstep, n, bits);                                                           \
    }
LOOP_I64(i64_eq, ==, _mm256_cmpeq_epi64(p, q))
LOOP_I64(i64_lt, <, _mm256_cmpgt_epi64(q, p))
LOOP_I64(i64_gt, >, _mm256_cmpgt_epi64(p, q))
#else
#define i64_eq i64_eq_portable
#define i64_lt i64_lt_portable
#define i64_gt i64_gt_portable
#endif

#ifdef __SSE2__
#define LOOP_DOUBLE(name, op, intrinsic)                                                                     \
    static void name(const double *a, const double *b, uint32_t bstep, uint32_t n, uint64_t *bits)           \
    {                                                                                                        \
        for (uint32_t i = 0; i < n; i += 64) {                                                               \
            uint32_t left = n - i < 64 ? n - i : 64, j = 0;                                                  \
            const double *x = a + i, *y = b + (size_t)i * bstep;                                             \
            uint64_t word = 0;                                                                               \
            if (bstep == 0) {                                                                                \
                __m128d c = _mm_set1_pd(*b);                                                                 \
                for (; j + 2 <= left; j += 2)                                                                \
                    word |= (uint64_t)_mm_movemask_pd(intrinsic(_mm_loadu_pd(x + j), c)) << j;               \
            } else {                                                                                         \
                for (; j + 2 <= left; j += 2)                                                                \
                    word |= (uint64_t)_mm_movemask_pd(intrinsic(_mm_loadu_pd(x + j), _mm_loadu_pd(y + j)))   \
                            << j;                                                                            \
            }                                                                                                \
            for (; j < left; j++)                                                                            \
                word |= (uint64_t)(x[j] op y[j * bstep]) << j;                                               \
            bits[i / 64] = word;                                                                             \
        }                                                                                                    \
    }
LOOP_DOUBLE(f64_eq, ==, _mm_cmpeq_pd)
LOOP_DOUBLE(f64_ne, !=, _mm_cmpneq_pd)
LOOP_DOUBLE(f64_lt, <, _mm_cmplt_pd)
LOOP_DOUBLE(f64_le, <=, _mm_cmple_pd)
LOOP_DOUBLE(f64_gt, >, _mm_cmpgt_pd)
LOOP_DOUBLE(f64_ge, >=, _mm_cmpge_pd)
#else
LOOP(f64_eq, double, ==)
LOOP(f64_ne, double, !=)
LOOP(f64_lt, double, <)
LOOP(f64_le, double, <=)
LOOP(f64_gt, double, >)
LOOP(f64_ge, double, >=)
#endif

static void flip(uint64_t *bits, uint32_t n)
{
    for (size_t w = 0; w < tsfs_bit_words(n); w++)
        bits[w] = ~bits[w];
}

static void compare_i64(enum tsfs_op op, const int64_t *a, const int64_t *b, uint32_t bstep, uint32_t n,
                        uint64_t *bits)
{
    switch (op) {
    case TSFS_OP_EQ:
    case TSFS_OP_NE: i64_eq(a, b, bstep, n, bits); break;
    case TSFS_OP_LT:
    case TSFS_OP_GE: i64_lt(a, b, bstep, n, bits); break;
    default: i64_gt(a, b, bstep, n, bits); break;
    }
    if (op == TSFS_OP_NE || op == TSFS_OP_GE || op == TSFS_OP_LE)
        flip(bits, n);
}

static void compare_u8(enum tsfs_op op, const uint8_t *a, const uint8_t *b, uint32_t bstep, uint32_t n,
                       uint64_t *bits)
{
    switch (op) {
    case TSFS_OP_EQ:
    case TSFS_OP_NE: u8_eq(a, b, bstep, n, bits); break;
    case TSFS_OP_LT:
    case TSFS_OP_GE: u8_lt(a, b, bstep, n, bits); break;
    default: u8_gt(a, b, bstep, n, bits); break;
    }
    if (op == TSFS_OP_NE || op == TSFS_OP_GE || op == TSFS_OP_LE)
        flip(bits, n);
}

static void compare_f64(enum tsfs_op op, const double *a, const double *b, uint32_t bstep, uint32_t n,
                        uint64_t *bits)
{
    switch (op) {
    case TSFS_OP_EQ: f64_eq(a, b, bstep, n, bits); break;
    case TSFS_OP_NE: f64_ne(a, b, bstep, n, bits); break;
    case TSFS_OP_LT: f64_lt(a, b, bstep, n, bits); break;
    case TSFS_OP_LE: f64_le(a, b, bstep, n, bits); break;
    case TSFS_OP_GT: f64_gt(a, b, bstep, n, bits); break;
    default: f64_ge(a, b, bstep, n, bits); break;
    }
}

static bool str_holds(enum tsfs_op op, struct tsfs_str a, struct tsfs_str b)
{
    if (op == TSFS_OP_EQ)
        return tsfs_str_eq(a, b);
    if (op == TSFS_OP_NE)
        return !tsfs_str_eq(a, b);
    int c = tsfs_str_cmp(a, b);
    switch (op) {
    case TSFS_OP_LT: return c < 0;
    case TSFS_OP_LE: return c <= 0;
    case TSFS_OP_GT: return c > 0;
    default: return c >= 0;
    }
}

/* Strings of rows that are not valid may be anything: only the valid ones are looked at. */
static void compare_str(enum tsfs_op op, const struct tsfs_str *a, const struct tsfs_str *b, uint32_t bstep,
                        uint32_t n, const uint64_t *valid, uint64_t *bits)
{
    for (uint32_t w = 0; w < tsfs_bit_words(n); w++) {
        uint64_t word = 0;
        for (uint64_t left = valid[w]; left != 0; left &= left - 1) {
            uint32_t j = (uint32_t)__builtin_ctzll(left), i = w * 64 + j;
            word |= (uint64_t)str_holds(op, a[i], b[(size_t)i * bstep]) << j;
        }
        bits[w] = word;
    }
}

void compare_bits(enum tsfs_op op, const struct tsfs_vec *a, const struct tsfs_vec *b, uint32_t n,
                  const uint64_t *valid, uint64_t *bits)
{
    if (bits_none(valid, n)) {
        bits_zero(bits, n);
        return;
    }
    bool both = a->constant && b->constant;
    uint32_t rows = both ? 1 : n;
    uint64_t one = 1;
    if (a->constant && !b->constant) {
        const struct tsfs_vec *swap = a;
        a = b;
        b = swap;
        op = tsfs_op_mirrored(op);
    }
    uint32_t bstep = b->constant ? 0 : 1;
    if (a->type == TSFS_DOUBLE)
        compare_f64(op, a->d, b->d, bstep, rows, bits);
    else if (tsfs_type_is_string(a->type))
        compare_str(op, a->s, b->s, bstep, rows, both ? &one : valid, bits);
    else if (a->type == TSFS_BOOLEAN)
        compare_u8(op, a->b, b->b, bstep, rows, bits);
    else
        compare_i64(op, a->i, b->i, bstep, rows, bits);
    if (both) {
        if (bits[0] & 1)
            memcpy(bits, valid, tsfs_bit_words(n) * 8);
        else
            bits_zero(bits, n);
        return;
    }
    for (size_t w = 0; w < tsfs_bit_words(n); w++)
        bits[w] &= valid[w];
}

/* The first integer whose nearest double is above c (or_equal: not below it); false: there is none.  As
 * rounding keeps order, the integers before it are exactly those for which that does not hold. */
static bool first_above(double c, bool or_equal, int64_t *first)
{
    int64_t lo = INT64_MIN, hi = INT64_MAX;
    if (!(or_equal ? (double)hi >= c : (double)hi > c))
        return false;
    while (lo < hi) {
        int64_t mid = lo + (int64_t)(((uint64_t)hi - (uint64_t)lo) / 2);
        if (or_equal ? (double)mid >= c : (double)mid > c)
            hi = mid;
        else
            lo = mid + 1;
    }
    *first = lo;
    return true;
}

/* Bits of x < first, or of none. */
static void below(const int64_t *x, bool some, int64_t first, uint32_t n, uint64_t *bits)
{
    if (some)
        i64_lt(x, &first, 0, n, bits);
    else
        bits_fill(bits, n);
}

void compare_bits_as_double(enum tsfs_op op, const int64_t *x, double c, uint32_t n, const uint64_t *valid,
                            uint64_t *bits)
{
    uint64_t before[TSFS_BATCH_ROWS / 64];
    int64_t at = 0, after = 0;
    bool equal = op == TSFS_OP_EQ || op == TSFS_OP_NE;
    bool not_below = false, above = false;
    if (c != c) { /* NaN: only <> holds */
        if (op == TSFS_OP_NE)
            memcpy(bits, valid, tsfs_bit_words(n) * 8);
        else
            bits_zero(bits, n);
        return;
    }
    if (equal || op == TSFS_OP_LT || op == TSFS_OP_GE)
        not_below = first_above(c, true, &at);
    if (equal || op == TSFS_OP_LE || op == TSFS_OP_GT)
        above = first_above(c, false, &after);
    if (op == TSFS_OP_LT || op == TSFS_OP_GE)
        below(x, not_below, at, n, bits);
    else
        below(x, above, after, n, bits);
    if (equal) {
        below(x, not_below, at, n, before);
        for (size_t w = 0; w < tsfs_bit_words(n); w++)
            bits[w] &= ~before[w];
    }
    if (op == TSFS_OP_GE || op == TSFS_OP_GT || op == TSFS_OP_NE)
        flip(bits, n);
    for (size_t w = 0; w < tsfs_bit_words(n); w++)
        bits[w] &= valid[w];
}
