/* Written once, in vectors of four doubles, and compiled twice (cpu.h).  Both versions do the same additions
 * in the same order. */
#include "base/sum.h"

#include <string.h>

#include "base/cpu.h"

#define BODY static inline __attribute__((always_inline))

typedef double quad __attribute__((vector_size(32)));
typedef int64_t mask __attribute__((vector_size(32)));

#define LOAD(q, p) memcpy(&(q), (p), sizeof(q))
#define WIDTH      4u
#define STEP       (2 * WIDTH)
#define WHOLE(n)   ((n) - (n) % STEP)

/* The lanes' sums joined in pairs. */
BODY bool join(quad *hi, quad *lo, const quad *hi2, const quad *lo2)
{
    quad t = *hi + *hi2, b = t - *hi, e = (*hi - (t - b)) + (*hi2 - b), m = *lo + *lo2, l = m + e;
    mask lost = (m - *lo != *lo2) | (m - *lo2 != *lo) | (l - m != e) | (l - e != m);
    *hi = t;
    *lo = l;
    return (lost[0] | lost[1] | lost[2] | lost[3]) == 0;
}

/* Two vectors a round: the chain of one addition hides behind the other's.  See sum.h for what is lost. */
BODY bool sum_body(struct tsfs_sum *s, const double *v, uint32_t n)
{
    uint32_t whole = WHOLE(n);
    struct tsfs_sum sum = {0, 0};
    if (whole > 0) {
        quad hi[2] = {{0}}, lo[2] = {{0}};
        mask lost[2] = {{0}};
        for (uint32_t i = 0; i < whole; i += STEP) {
            for (uint32_t k = 0; k < 2; k++) {
                quad x;
                LOAD(x, v + i + k * WIDTH);
                quad t = hi[k] + x, b = t - hi[k], e = (hi[k] - (t - b)) + (x - b), l = lo[k] + e;
                lost[k] |= (l - lo[k] != e) | (l - e != lo[k]);
                hi[k] = t;
                lo[k] = l;
            }
        }
        lost[0] |= lost[1];
        if ((lost[0][0] | lost[0][1] | lost[0][2] | lost[0][3]) != 0 || !join(&hi[0], &lo[0], &hi[1], &lo[1]))
            return false;
        quad hi2 = {hi[0][2], hi[0][3], 0, 0}, lo2 = {lo[0][2], lo[0][3], 0, 0};
        if (!join(&hi[0], &lo[0], &hi2, &lo2))
            return false;
        sum = (struct tsfs_sum){hi[0][0], lo[0][0]};
        if (!tsfs_sum_merge(&sum, &(struct tsfs_sum){hi[0][1], lo[0][1]}))
            return false;
    }
    for (uint32_t i = whole; i < n; i++)
        if (!tsfs_sum_add(&sum, v[i]))
            return false;
    *s = sum;
    return true;
}

TSFS_CPU_BOTH(TSFS_CPU_NOTHING, return, bool, tsfs_sum_of, sum_body,
              (struct tsfs_sum * s, const double *v, uint32_t n), (s, v, n))
