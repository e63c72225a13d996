/* The random numbers of tests: xorshift64 (G. Marsaglia, "Xorshift RNGs", 2003).  A state, which must not be
 * 0, gives the same numbers everywhere, so that a case that failed can be made again from its seed. */
#ifndef TSFS_TESTS_RANDOM_H
#define TSFS_TESTS_RANDOM_H

#include <stdint.h>

static inline uint64_t test_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

#endif
