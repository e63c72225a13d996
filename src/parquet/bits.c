/* Bit packing: the order of Parquet's RLE hybrid and delta encodings.
 *
 * Values follow one another from the lowest bit of the first byte up, without gaps, so that value i of
 * width w lies in bits [i * w, i * w + w) of one long little-endian number.  Eight values take w whole bytes,
 * which makes the positions inside a group of eight constants once w is one: every width gets its own copy of
 * the loop below (the switch), in which each value is an unaligned 64-bit load, a shift and a mask. */
#include "parquet/bits.h"

static inline __attribute__((always_inline)) uint64_t value_at(const uint8_t *group, unsigned k, unsigned w)
{
    unsigned bit = k * w, shift = bit & 7;
    uint64_t v = pq_load64(group + (bit >> 3)) >> shift;
    if (w + shift > 64)
        v |= (uint64_t)group[(bit >> 3) + 8] << (64 - shift);
    return w == 64 ? v : v & ((UINT64_C(1) << w) - 1);
}

static inline __attribute__((always_inline)) void unpack64_width(const uint8_t *src, unsigned w,
                                                                 uint64_t *dst, size_t n)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8, src += w) {
        dst[i] = value_at(src, 0, w);
        dst[i + 1] = value_at(src, 1, w);
        dst[i + 2] = value_at(src, 2, w);
        dst[i + 3] = value_at(src, 3, w);
        dst[i + 4] = value_at(src, 4, w);
        dst[i + 5] = value_at(src, 5, w);
        dst[i + 6] = value_at(src, 6, w);
        dst[i + 7] = value_at(src, 7, w);
    }
    for (unsigned k = 0; i < n; i++, k++)
        dst[i] = value_at(src, k, w);
}

static inline __attribute__((always_inline)) void unpack32_width(const uint8_t *src, unsigned w,
                                                                 uint32_t *dst, size_t n)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8, src += w) {
        dst[i] = (uint32_t)value_at(src, 0, w);
        dst[i + 1] = (uint32_t)value_at(src, 1, w);
        dst[i + 2] = (uint32_t)value_at(src, 2, w);
        dst[i + 3] = (uint32_t)value_at(src, 3, w);
        dst[i + 4] = (uint32_t)value_at(src, 4, w);
        dst[i + 5] = (uint32_t)value_at(src, 5, w);
        dst[i + 6] = (uint32_t)value_at(src, 6, w);
        dst[i + 7] = (uint32_t)value_at(src, 7, w);
    }
    for (unsigned k = 0; i < n; i++, k++)
        dst[i] = (uint32_t)value_at(src, k, w);
}

#define WIDTHS_8(F, B)  F(B) F(B + 1) F(B + 2) F(B + 3) F(B + 4) F(B + 5) F(B + 6) F(B + 7)
#define WIDTHS_32(F, B) WIDTHS_8(F, B) WIDTHS_8(F, B + 8) WIDTHS_8(F, B + 16) WIDTHS_8(F, B + 24)

void pq_unpack64(const uint8_t *src, unsigned width, uint64_t *dst, size_t n)
{
#define CASE(W)                                                                                              \
    case W: unpack64_width(src, W, dst, n); break;
    switch (width) {
    case 0:
        memset(dst, 0, n * sizeof(*dst));
        break;
        WIDTHS_32(CASE, 1)
        WIDTHS_32(CASE, 33)
    }
#undef CASE
}

void pq_unpack32(const uint8_t *src, unsigned width, uint32_t *dst, size_t n)
{
#define CASE(W)                                                                                              \
    case W: unpack32_width(src, W, dst, n); break;
    switch (width) {
    case 0:
        memset(dst, 0, n * sizeof(*dst));
        break;
        WIDTHS_32(CASE, 1)
    }
#undef CASE
}

/* Gathers bits in a register and stores it whenever it is full. */
#define DEFINE_PACK(name, type)                                                                              \
    void name(const type *src, unsigned width, uint8_t *dst, size_t n)                                       \
    {                                                                                                        \
        uint64_t acc = 0;                                                                                    \
        unsigned used = 0;                                                                                   \
        if (width == 0)                                                                                      \
            return;                                                                                          \
        for (size_t i = 0; i < n; i++) {                                                                     \
            uint64_t v = src[i];                                                                             \
            acc |= v << used;                                                                                \
            used += width;                                                                                   \
            if (used >= 64) {                                                                                \
                pq_store64(dst, acc);                                                                        \
                dst += 8;                                                                                    \
                used -= 64;                                                                                  \
                acc = used ? v >> (width - used) : 0;                                                        \
            }                                                                                                \
        }                                                                                                    \
        memcpy(dst, &acc, used / 8);                                                                         \
    }

DEFINE_PACK(pq_pack64, uint64_t)
DEFINE_PACK(pq_pack32, uint32_t)
