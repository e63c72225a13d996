/* Sums of doubles that lose nothing, as long as two doubles can hold them. */
#ifndef TSFS_BASE_SUM_H
#define TSFS_BASE_SUM_H

#include <stdbool.h>
#include <stdint.h>

/* A sum of doubles as two of them: hi + lo is exactly what was added, as real numbers. */
struct tsfs_sum {
    double hi, lo;
};

/* The three below answer whether hi + lo is still exact.  If not, or if anything is infinite or NaN, *s is as
 * it was: the sum needs more than two doubles. */

/* Knuth's TwoSum: hi + x and what its rounding lost, exactly; and whether adding that to lo lost anything,
 * which it did not if both summands can be got back. */
static inline bool tsfs_sum_add(struct tsfs_sum *s, double x)
{
    double t = s->hi + x, b = t - s->hi, e = (s->hi - (t - b)) + (x - b), l = s->lo + e;
    if (l - s->lo != e || l - e != s->lo)
        return false;
    s->hi = t;
    s->lo = l;
    return true;
}
/* The same number, lo as small as can be: there is more room below it. */
static inline void tsfs_sum_tidy(struct tsfs_sum *s)
{
    double t = s->hi + s->lo, b = t - s->hi;
    s->lo = (s->hi - (t - b)) + (s->lo - b);
    s->hi = t;
}
static inline bool tsfs_sum_merge(struct tsfs_sum *s, const struct tsfs_sum *from)
{
    struct tsfs_sum sum = *s;
    if (!tsfs_sum_add(&sum, from->lo) || !tsfs_sum_add(&sum, from->hi))
        return false;
    tsfs_sum_tidy(&sum);
    *s = sum;
    return true;
}
/* The sum of v alone. */
bool tsfs_sum_of(struct tsfs_sum *s, const double *v, uint32_t n);

#endif
