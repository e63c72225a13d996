/* What reading and printing of doubles share. */
#ifndef TSFS_BASE_NUM_PRIV_H
#define TSFS_BASE_NUM_PRIV_H

#include <stdint.h>

#define NUM_POW10_MIN (-342)
#define NUM_POW10_MAX 324

/* 10^k scaled by a power of two to a 128-bit integer with its top bit set, rounded up (exact for k in 0..55).
 */
struct num_pow10 {
    uint64_t hi, lo;
};

extern const struct num_pow10 num_pow10_table[NUM_POW10_MAX - NUM_POW10_MIN + 1];

static inline const struct num_pow10 *num_pow10(int k)
{
    return &num_pow10_table[k - NUM_POW10_MIN];
}

/* The 128-bit product; its low half in *lo. */
static inline uint64_t num_multiply(uint64_t a, uint64_t b, uint64_t *lo)
{
#ifdef __SIZEOF_INT128__
    __extension__ typedef unsigned __int128 wide;
    wide p = (wide)a * b;
    *lo = (uint64_t)p;
    return (uint64_t)(p >> 64);
#else
    uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
    uint64_t low = a0 * b0, mid = a1 * b0 + (low >> 32), mid2 = a0 * b1 + (uint32_t)mid;
    *lo = mid2 << 32 | (uint32_t)low;
    return a1 * b1 + (mid >> 32) + (mid2 >> 32);
#endif
}

#endif
