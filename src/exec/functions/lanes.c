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
