/* Comparisons of two vectors of one type into a bitmap. */
#ifndef TSFS_EXEC_KERNELS_COMPARE_H
#define TSFS_EXEC_KERNELS_COMPARE_H

#include <stdbool.h>
#include <stdint.h>

#include "col/vec.h"
#include "sql/function.h"

/* Whether compare_bits knows op over type. */
bool compare_known(enum tsfs_op op, enum tsfs_type type);

/* Bit i = a[i] op b[i] for rows [0, n) of valid; the other bits come out zero.  Either may be constant.
 * IEEE 754 rules for doubles: nothing equals NaN. */
void compare_bits(enum tsfs_op op, const struct tsfs_vec *a, const struct tsfs_vec *b, uint32_t n,
                  const uint64_t *valid, uint64_t *bits);

/* The same for integers that are compared with c as doubles, each rounded to the nearest one.  n at most
 * TSFS_BATCH_ROWS. */
void compare_bits_as_double(enum tsfs_op op, const int64_t *x, double c, uint32_t n, const uint64_t *valid,
                            uint64_t *bits);

#endif
