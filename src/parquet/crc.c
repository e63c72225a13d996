/* CRC-32, the polynomial of gzip and Ethernet.
 *
 * By tables, eight bytes a step: table k holds the CRC of a byte followed by k zero bytes; by linearity the
 * CRC of eight bytes is the XOR of eight look-ups ("slicing by eight", Kounavis and Berry, 2005).
 *
 * By carry-less products, where the processor has them (Gopal, Ozturk and others, "Fast CRC Computation for
 * Generic Polynomials Using PCLMULQDQ Instruction", 2009): as only the remainder matters, sixteen bytes may
 * be replaced by their product with x^n mod P, added n bits later.  So 64 bytes a step are folded onto the
 * next 64, these at last onto one block of sixteen, and the tables have the rest. */
#include <pthread.h>
#include <stdbool.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "base/cpu.h"
#include "parquet/bits.h"

static uint32_t table[8][256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fill(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int bit = 0; bit < 8; bit++)
            c = (c >> 1) ^ (c & 1 ? UINT32_C(0xEDB88320) : 0);
        table[0][i] = c;
    }
    for (uint32_t i = 0; i < 256; i++) {
        for (int k = 1; k < 8; k++)
            table[k][i] = (table[k - 1][i] >> 8) ^ table[0][table[k - 1][i] & 0xff];
    }
}

static uint32_t by_tables(uint32_t c, const uint8_t *p, size_t len)
{
    for (; len >= 8; len -= 8, p += 8) {
        uint64_t v = pq_load64(p) ^ c;
        c = table[7][v & 0xff] ^ table[6][(v >> 8) & 0xff] ^ table[5][(v >> 16) & 0xff] ^
            table[4][(v >> 24) & 0xff] ^ table[3][(v >> 32) & 0xff] ^ table[2][(v >> 40) & 0xff] ^
            table[1][(v >> 48) & 0xff] ^ table[0][v >> 56];
    }
    for (; len; len--)
        c = (c >> 8) ^ table[0][(c ^ *p++) & 0xff];
    return c;
}

#if defined(__x86_64__)

#define FOLDED_MIN 128u /* bytes for which folding is worth it */

/* by: what the lower and the upper half are multiplied by.  Bits are reflected, as everywhere here. */
__attribute__((target("pclmul"))) static __m128i fold(__m128i block, __m128i by, __m128i next)
{
    __m128i low = _mm_clmulepi64_si128(block, by, 0x00), high = _mm_clmulepi64_si128(block, by, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

__attribute__((target("pclmul"))) static uint32_t by_products(uint32_t c, const uint8_t *p, size_t len)
{
    const __m128i by_64 = _mm_set_epi64x(0x1c6e41596, 0x154442bd4); /* x^(512 - 32), x^(512 + 32) mod P */
    const __m128i by_16 = _mm_set_epi64x(0x0ccaa009e, 0x1751997d0); /* x^(128 - 32), x^(128 + 32) mod P */
    __m128i x[4];
    uint8_t last[16];
    for (int k = 0; k < 4; k++)
        x[k] = _mm_loadu_si128((const __m128i *)(const void *)(p + 16 * k));
    x[0] = _mm_xor_si128(x[0], _mm_cvtsi32_si128((int)c));
    for (p += 64, len -= 64; len >= 64; p += 64, len -= 64) {
        for (int k = 0; k < 4; k++)
            x[k] = fold(x[k], by_64, _mm_loadu_si128((const __m128i *)(const void *)(p + 16 * k)));
    }
    for (int k = 1; k < 4; k++)
        x[k] = fold(x[k - 1], by_16, x[k]);
    _mm_storeu_si128((__m128i *)(void *)last, x[3]);
    return by_tables(by_tables(0, last, sizeof(last)), p, len);
}

static bool products_pay(size_t len)
{
    return len >= FOLDED_MIN && TSFS_CPU_HAS("pclmul");
}

#else

static uint32_t by_products(uint32_t c, const uint8_t *p, size_t len)
{
    return by_tables(c, p, len);
}

static bool products_pay(size_t len)
{
    return false;
}

#endif

uint32_t pq_crc32(uint32_t crc, const void *data, size_t len)
{
    pthread_once(&once, fill);
    return ~(products_pay(len) ? by_products(~crc, data, len) : by_tables(~crc, data, len));
}
