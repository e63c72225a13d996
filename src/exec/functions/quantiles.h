/* The values of a set, and how often each is in it, as far as there is room: see quantiles.c. */
#ifndef TSFS_EXEC_FUNCTIONS_QUANTILES_H
#define TSFS_EXEC_FUNCTIONS_QUANTILES_H

#include "exec/functions/exact.h"

struct quantiles_stretch;

/* All zero: the empty set. */
struct quantiles {
    bool whole; /* the values are integers */
    uint8_t shift;
    uint8_t slot_bits;
    uint32_t n, cap; /* of stretches */
    struct quantiles_stretch *stretches;
    struct exact *weights; /* of each; NULL: every value weighs 1 and is counted */
    uint16_t *slots;
};

/* Values as the numbers under which they are kept, which have the same order.  Both zeros are one; NaN is
 * none. */
uint64_t quantiles_key(double v);
uint64_t quantiles_whole_key(int64_t v);

/* weight: finite and above 0, or 0 in all calls: 1.  What the set keeps comes from arena; 0 or -ENOMEM. */
TSFS_MUST_CHECK int quantiles_add(struct tsfs_arena *arena, struct quantiles *set, uint64_t key,
                                  double weight);
TSFS_MUST_CHECK int quantiles_merge(struct tsfs_arena *arena, struct quantiles *set,
                                    const struct quantiles *from);

/* The values below which the fractions p[0..n), in [0, 1], of a set lie that is not empty; out is of double
 * or, if the set is whole, of int64_t. */
TSFS_MUST_CHECK int quantiles_at(struct tsfs_arena *scratch, const struct quantiles *set, const double *p,
                                 uint32_t n, void *out);

#endif
