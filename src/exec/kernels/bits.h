/* Bitmaps over the rows of one batch: word and byte tricks that the evaluator is made of.  A bitmap has
 * tsfs_bit_words(n) words and its bits from n on are zero. */
#ifndef TSFS_EXEC_KERNELS_BITS_H
#define TSFS_EXEC_KERNELS_BITS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/limits.h"
#include "col/vec.h"

#define EXEC_BATCH_WORDS (TSFS_BATCH_ROWS / 64)

static inline void bits_fill(uint64_t *bits, uint32_t n)
{
    memset(bits, 0xff, n / 64 * 8);
    if (n & 63)
        bits[n / 64] = (UINT64_C(1) << (n & 63)) - 1;
}

static inline void bits_zero(uint64_t *bits, uint32_t n)
{
    memset(bits, 0, tsfs_bit_words(n) * 8);
}

/* Clears what lies behind bit n in the last word. */
static inline void bits_trim(uint64_t *bits, uint32_t n)
{
    if (n & 63)
        bits[n / 64] &= (UINT64_C(1) << (n & 63)) - 1;
}

static inline bool bits_none(const uint64_t *bits, uint32_t n)
{
    uint64_t any = 0;
    for (size_t w = 0; w < tsfs_bit_words(n); w++)
        any |= bits[w];
    return any == 0;
}

/* Bit i = byte i is not zero; the bytes are 0 or 1. */
static inline void bits_from_bytes(uint64_t *bits, const uint8_t *bytes, uint32_t n)
{
    for (uint32_t w = 0; w < tsfs_bit_words(n); w++) {
        uint32_t from = w * 64, left = n - from < 64 ? n - from : 64;
        uint64_t word = 0;
        for (uint32_t k = 0; k < left; k += 8) {
            uint64_t eight = 0;
            memcpy(&eight, bytes + from + k, left - k < 8 ? left - k : 8);
            word |= ((eight & UINT64_C(0x0101010101010101)) * UINT64_C(0x0102040810204080) >> 56) << k;
        }
        bits[w] = word;
    }
}

/* The reverse: bytes of 0 and 1. */
static inline void bits_to_bytes(uint8_t *bytes, const uint64_t *bits, uint32_t n)
{
    for (uint32_t i = 0; i < n; i += 8) {
        uint64_t eight = (bits[i >> 6] >> (i & 63) & 0xff) * UINT64_C(0x0101010101010101);
        eight &= UINT64_C(0x8040201008040201);
        eight = (eight + UINT64_C(0x7f7f7f7f7f7f7f7f)) >> 7 & UINT64_C(0x0101010101010101);
        memcpy(bytes + i, &eight, n - i < 8 ? n - i : 8);
    }
}

/* The numbers of the set bits, ascending; returns how many. */
static inline uint32_t bits_to_sel(uint16_t *sel, const uint64_t *bits, uint32_t n)
{
    uint32_t k = 0;
    for (uint32_t w = 0; w < tsfs_bit_words(n); w++) {
        uint64_t word = bits[w];
        uint32_t base = w * 64;
        if (word == ~UINT64_C(0)) {
            for (uint32_t i = 0; i < 64; i++)
                sel[k + i] = (uint16_t)(base + i);
            k += 64;
            continue;
        }
        for (; word != 0; word &= word - 1)
            sel[k++] = (uint16_t)(base + (uint32_t)__builtin_ctzll(word));
    }
    return k;
}

/* Which rows of v hold a value. */
static inline void bits_of_valid(uint64_t *bits, const struct tsfs_vec *v, uint32_t n)
{
    if (v->type == TSFS_UNKNOWN || (v->constant && tsfs_vec_null(v, 0))) {
        bits_zero(bits, n);
    } else if (v->valid == NULL || v->constant) {
        bits_fill(bits, n);
    } else {
        memcpy(bits, v->valid, tsfs_bit_words(n) * 8);
        bits_trim(bits, n);
    }
}

#endif
