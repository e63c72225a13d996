/* Each loop is written once, as an always-inlined body in vectors of four doubles, and compiled twice: for
 * the baseline, where the compiler splits a vector into two of SSE2 (or NEON) registers, and for AVX2.  Both
 * do the same additions in the same order, so that results are the same bits on every machine. */
#include "exec/functions/lanes.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/cpu.h"

#define BODY static inline __attribute__((always_inline))

typedef double quad __attribute__((vector_size(32)));
typedef int64_t mask __attribute__((vector_size(32)));

#define LOAD(q, p)    memcpy(&(q), (p), sizeof(q))
#define PICK(m, a, b) ((quad)(((m) & (mask)(a)) | (~(m) & (mask)(b))))
#define WIDTH         4u
#define STEP          (2 * WIDTH)
#define WHOLE(n)      ((n) - (n) % STEP)

/* Two vectors a round: the chain of one addition hides behind the other's. */
BODY void sum_body(struct lanes_sum *s, const double *v, uint32_t n)
{
    uint32_t whole = WHOLE(n);
    if (whole > 0) {
        quad hi[2] = {{0}}, lo[2] = {{0}};
        for (uint32_t i = 0; i < whole; i += STEP) {
            for (uint32_t k = 0; k < 2; k++) {
                quad x;
                LOAD(x, v + i + k * WIDTH);
                quad t = hi[k] + x, b = t - hi[k];
                lo[k] += (hi[k] - (t - b)) + (x - b);
                hi[k] = t;
            }
        }
        for (uint32_t k = 0; k < STEP; k++)
            lanes_sum_merge(s, &(struct lanes_sum){hi[k / WIDTH][k % WIDTH], lo[k / WIDTH][k % WIDTH]});
    }
    for (uint32_t i = whole; i < n; i++)
        lanes_sum_add(s, v[i]);
}

BODY double fold(const quad *q)
{
    quad a = q[0] + q[1];
    return (a[0] + a[2]) + (a[1] + a[3]);
}

BODY double plain_sum_body(const double *v, uint32_t n)
{
    uint32_t whole = WHOLE(n);
    quad sum[2] = {{0}};
    for (uint32_t i = 0; i < whole; i += STEP) {
        for (uint32_t k = 0; k < 2; k++) {
            quad x;
            LOAD(x, v + i + k * WIDTH);
            sum[k] += x;
        }
    }
    double total = fold(sum);
    for (uint32_t i = whole; i < n; i++)
        total += v[i];
    return total;
}

BODY void deviations_body(const double *v, uint32_t n, double mean, double *first, double *second)
{
    uint32_t whole = WHOLE(n);
    quad one[2] = {{0}}, two[2] = {{0}}, m = {mean, mean, mean, mean};
    for (uint32_t i = 0; i < whole; i += STEP) {
        for (uint32_t k = 0; k < 2; k++) {
            quad x;
            LOAD(x, v + i + k * WIDTH);
            x -= m;
            one[k] += x;
            two[k] += x * x;
        }
    }
    *first = fold(one);
    *second = fold(two);
    for (uint32_t i = whole; i < n; i++) {
        double d = v[i] - mean;
        *first += d;
        *second += d * d;
    }
}

/* A comparison with NaN is false, so that NaNs never replace what is there. */
#define EXTREME_BODY(NAME, OP, START)                                                                        \
    BODY double NAME(const double *v, uint32_t n, uint64_t *nans)                                            \
    {                                                                                                        \
        uint32_t whole = WHOLE(n);                                                                           \
        quad best[2] = {{START, START, START, START}, {START, START, START, START}};                         \
        mask nan[2] = {{0}};                                                                                 \
        for (uint32_t i = 0; i < whole; i += STEP) {                                                         \
            for (uint32_t k = 0; k < 2; k++) {                                                               \
                quad x;                                                                                      \
                LOAD(x, v + i + k * WIDTH);                                                                  \
                best[k] = PICK(x OP best[k], x, best[k]);                                                    \
                nan[k] -= x != x;                                                                            \
            }                                                                                                \
        }                                                                                                    \
        double m = START;                                                                                    \
        uint64_t count = 0;                                                                                  \
        for (uint32_t k = 0; k < STEP; k++) {                                                                \
            double x = best[k / WIDTH][k % WIDTH];                                                           \
            m = x OP m ? x : m;                                                                              \
            count += (uint64_t)nan[k / WIDTH][k % WIDTH];                                                    \
        }                                                                                                    \
        for (uint32_t i = whole; i < n; i++) {                                                               \
            m = v[i] OP m ? v[i] : m;                                                                        \
            count += v[i] != v[i];                                                                           \
        }                                                                                                    \
        *nans = count;                                                                                       \
        return m;                                                                                            \
    }

EXTREME_BODY(min_body, <, INFINITY)
EXTREME_BODY(max_body, >, -INFINITY)

/* Whole numbers: plain loops, which both compilers turn into vectors. */
BODY void halves_body(const int64_t *v, uint32_t n, uint64_t *low, uint64_t *high)
{
    uint64_t l = 0, h = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t u = (uint64_t)v[i] ^ (UINT64_C(1) << 63);
        l += u & UINT32_MAX;
        h += u >> 32;
    }
    *low = l;
    *high = h;
}

#define WHOLE_EXTREME_BODY(NAME, OP)                                                                         \
    BODY int64_t NAME(const int64_t *v, uint32_t n)                                                          \
    {                                                                                                        \
        int64_t m = v[0];                                                                                    \
        for (uint32_t i = 1; i < n; i++)                                                                     \
            m = v[i] OP m ? v[i] : m;                                                                        \
        return m;                                                                                            \
    }

WHOLE_EXTREME_BODY(imin_body, <)
WHOLE_EXTREME_BODY(imax_body, >)

TSFS_CPU_BOTH(TSFS_CPU_NOTHING, TSFS_CPU_NOTHING, void, lanes_sum, sum_body,
              (struct lanes_sum * s, const double *v, uint32_t n), (s, v, n))
TSFS_CPU_BOTH(TSFS_CPU_NOTHING, return, double, lanes_plain_sum, plain_sum_body,
              (const double *v, uint32_t n), (v, n))
TSFS_CPU_BOTH(TSFS_CPU_NOTHING, TSFS_CPU_NOTHING, void, lanes_deviations, deviations_body,
              (const double *v, uint32_t n, double mean, double *first, double *second),
              (v, n, mean, first, second))
TSFS_CPU_BOTH(TSFS_CPU_NOTHING, return, double, lanes_min, min_body,
              (const double *v, uint32_t n, uint64_t *nans), (v, n, nans))
TSFS_CPU_BOTH(TSFS_CPU_NOTHING, return, double, lanes_max, max_body,
              (const double *v, uint32_t n, uint64_t *nans), (v, n, nans))
TSFS_CPU_BOTH(TSFS_CPU_NOTHING, TSFS_CPU_NOTHING, void, lanes_halves, halves_body,
              (const int64_t *v, uint32_t n, uint64_t *low, uint64_t *high), (v, n, low, high))
TSFS_CPU_BOTH(TSFS_CPU_NOTHING, return, int64_t, lanes_imin, imin_body, (const int64_t *v, uint32_t n),
              (v, n))
TSFS_CPU_BOTH(TSFS_CPU_NOTHING, return, int64_t, lanes_imax, imax_body, (const int64_t *v, uint32_t n),
              (v, n))
