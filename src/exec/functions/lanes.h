/* The innermost loops of the aggregates, over gapless arrays: portable C, and the same code again for AVX2
 * where the machine has it. */
#ifndef TSFS_EXEC_FUNCTIONS_LANES_H
#define TSFS_EXEC_FUNCTIONS_LANES_H

#include <stdbool.h>
#include <stdint.h>

/* n > 0 for the extremes. */

/* The least and largest, NaNs passed over (INFINITY, -INFINITY if there is nothing else); *nans of them. */
double lanes_min(const double *v, uint32_t n, uint64_t *nans);
double lanes_max(const double *v, uint32_t n, uint64_t *nans);
/* Sums of the lower halves and of the upper halves of v + 2^63. */
void lanes_halves(const int64_t *v, uint32_t n, uint64_t *low, uint64_t *high);
int64_t lanes_imin(const int64_t *v, uint32_t n);
int64_t lanes_imax(const int64_t *v, uint32_t n);

#endif
