/* The innermost loops of the aggregates, over gapless arrays: portable C, and the same code again for AVX2
 * where the machine has it. */
#ifndef TSFS_EXEC_FUNCTIONS_LANES_H
#define TSFS_EXEC_FUNCTIONS_LANES_H

#include <stdbool.h>
#include <stdint.h>

/* Sums of doubles: hi is the plain sum, lo what its roundings lost, so that hi + lo does not depend on the
 * order to the last shown digit. */
struct lanes_sum {
    double hi, lo;
};

/* Knuth's TwoSum: hi + x exactly. */
static inline void lanes_sum_add(struct lanes_sum *s, double x)
{
    double t = s->hi + x, b = t - s->hi;
    s->lo += (s->hi - (t - b)) + (x - b);
    s->hi = t;
}
static inline void lanes_sum_merge(struct lanes_sum *s, const struct lanes_sum *from)
{
    lanes_sum_add(s, from->hi);
    s->lo += from->lo;
}
static inline double lanes_sum_value(const struct lanes_sum *s)
{
    return s->hi - s->hi == 0 ? s->hi + s->lo : s->hi; /* after an infinity or NaN lo means nothing */
}

/* All add to *s; n > 0 for the extremes. */
void lanes_sum(struct lanes_sum *s, const double *v, uint32_t n);
double lanes_plain_sum(const double *v, uint32_t n);
/* Sums of (v - mean) and of its square. */
void lanes_deviations(const double *v, uint32_t n, double mean, double *first, double *second);
/* The least and largest, NaNs passed over (INFINITY, -INFINITY if there is nothing else); *nans of them. */
double lanes_min(const double *v, uint32_t n, uint64_t *nans);
double lanes_max(const double *v, uint32_t n, uint64_t *nans);
/* Sums of the lower halves and of the upper halves of v + 2^63. */
void lanes_halves(const int64_t *v, uint32_t n, uint64_t *low, uint64_t *high);
int64_t lanes_imin(const int64_t *v, uint32_t n);
int64_t lanes_imax(const int64_t *v, uint32_t n);

#endif
