/* Sums of doubles, and of their products, that lose nothing. */
#ifndef TSFS_EXEC_FUNCTIONS_EXACT_H
#define TSFS_EXEC_FUNCTIONS_EXACT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

/* A whole number of n limbs in two's complement, the lowest first, times 2^(64 low).  All zero: 0. */
struct exact {
    uint64_t *limbs;
    int32_t low;
    uint32_t n;
};

/* Its magnitude and sign: limbs * 2^(64 low). */
struct exact_big {
    uint64_t *limbs;
    int32_t low;
    uint32_t n; /* 0: the number 0 */
    bool negative;
};

/* A finite double as whole * 2^exp. */
struct exact_parts {
    uint64_t whole;
    int exp;
    bool negative;
};

struct exact_parts exact_parts_of(double finite);

/* All return 0 or -ENOMEM; what they keep comes from arena. */

/* Adds (or takes away) the n limbs times 2^exp, fewer than 2^62 times in the life of a sum. */
TSFS_MUST_CHECK int exact_add(struct tsfs_arena *arena, struct exact *sum, const uint64_t *limbs, uint32_t n,
                              int64_t exp, bool negative);
TSFS_MUST_CHECK int exact_add_double(struct tsfs_arena *arena, struct exact *sum, double finite);
TSFS_MUST_CHECK int exact_add_exact(struct tsfs_arena *arena, struct exact *sum, const struct exact *other);
TSFS_MUST_CHECK int exact_add_big(struct tsfs_arena *arena, struct exact *sum, const struct exact_big *other,
                                  bool negative);

TSFS_MUST_CHECK int exact_big_of(struct tsfs_arena *arena, const struct exact *sum, struct exact_big *out);
/* Into out's limbs, of which there are as many as a and b have together. */
void exact_big_into(const struct exact_big *a, const struct exact_big *b, struct exact_big *out);
TSFS_MUST_CHECK int exact_big_multiply(struct tsfs_arena *arena, const struct exact_big *a,
                                       const struct exact_big *b, struct exact_big *out);

/* The nearest double; frexp: its digits, 0 or of magnitude in [0.5, 1], and the power of two that belongs
 * to them, which may be out of a double's range. */
double exact_double(const struct exact *sum);
double exact_frexp(const struct exact *sum, int64_t *exp);

/* digits * 2^exp, infinite or 0 where it is out of range. */
double exact_scale(double digits, int64_t exp);

#endif
