/* DELTA_BINARY_PACKED of integers (Encodings.md, "Delta Encoding").
 *
 *     varint block size | varint miniblocks a block | varint count | zigzag varint first value
 *     each block: zigzag varint smallest delta | a byte of width each miniblock | miniblocks
 *
 * A delta less the block's smallest one is never negative; a miniblock packs them at the width of its widest.
 * All arithmetic wraps (at 32 bits for INT32), which makes the extremes come out right.  The last miniblock
 * that holds a value is padded to its full length, those after it are absent though their width bytes are
 * there.
 *
 * What zstd makes of it matters more than the packed size: it sees bytes.  Widths that do not divide eight
 * smear each delta over the byte's borders, and rounding 3 bits up to 4, or 5 up to 8, often gives the
 * smaller page in the end.  So the shape is the caller's to try (chunk_write.c).
 *
 * Decoding is a sum over packed numbers, and done one by one each value waits for the one before.  Most
 * deltas of time series are small, though: eight of up to five bits are spread to the bytes of a word by one
 * instruction (PDEP), and the word times 0x0101...01 has in byte i the sum of bytes 0 to i, as 8 * 31 fits a
 * byte.  Likewise four of up to fourteen bits in 16-bit parts.  What is left is to widen the sums and to add
 * where the group began and i times the smallest delta.  So only groups wait for one another.  All others,
 * and processors without AVX2 or with a PDEP that is slow, go one by one. */
#include <errno.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "base/cpu.h"
#include "parquet/codec.h"

#define BLOCK_MAX 2048

static unsigned rounded_width(unsigned w)
{
    if (w <= 2)
        return w;
    if (w <= 4)
        return 4;
    return (w + 7) & ~7u;
}

int pq_delta_encode(const int64_t *v, size_t n, const struct pq_delta_shape *shape, struct tsfs_buf *out)
{
    uint64_t rel[BLOCK_MAX];
    uint8_t head[4 * PQ_VARINT_MAX];
    uint32_t nmini = shape->block / shape->miniblock;
    uint8_t *p = pq_put_varint(head, shape->block);
    p = pq_put_varint(p, nmini);
    p = pq_put_varint(p, n);
    p = pq_put_varint(p, pq_zigzag(n ? v[0] : 0));
    int r = tsfs_buf_append(out, head, (size_t)(p - head));

    for (size_t at = 1; at < n && !r; at += shape->block) {
        uint32_t k = n - at < shape->block ? (uint32_t)(n - at) : shape->block;
        int64_t min = INT64_MAX;
        if (shape->narrow) {
            for (uint32_t i = 0; i < k; i++) {
                int64_t d = (int32_t)(uint32_t)((uint64_t)v[at + i] - (uint64_t)v[at + i - 1]);
                rel[i] = (uint64_t)d;
                min = d < min ? d : min;
            }
        } else {
            for (uint32_t i = 0; i < k; i++) {
                int64_t d = (int64_t)((uint64_t)v[at + i] - (uint64_t)v[at + i - 1]);
                rel[i] = (uint64_t)d;
                min = d < min ? d : min;
            }
        }
        for (uint32_t i = 0; i < k; i++)
            rel[i] -= (uint64_t)min;
        uint32_t used = (k + shape->miniblock - 1) / shape->miniblock;
        memset(rel + k, 0, (size_t)(used * shape->miniblock - k) * sizeof(*rel));

        r = tsfs_buf_reserve(out, PQ_VARINT_MAX + nmini + (size_t)used * shape->miniblock * 8);
        if (r)
            break;
        uint8_t *start = (uint8_t *)out->data + out->len;
        uint8_t *widths = pq_put_varint(start, pq_zigzag(min));
        uint8_t *q = widths + nmini;
        memset(widths, 0, nmini);
        for (uint32_t m = 0; m < used; m++) {
            const uint64_t *part = rel + (size_t)m * shape->miniblock;
            uint64_t any = 0;
            for (uint32_t i = 0; i < shape->miniblock; i++)
                any |= part[i];
            unsigned w = pq_width(any);
            if (shape->round_widths)
                w = rounded_width(w);
            widths[m] = (uint8_t)w;
            pq_pack64(part, w, q, shape->miniblock);
            q += (size_t)shape->miniblock * w / 8;
        }
        out->len += (size_t)(q - start);
    }
    return r;
}

#if defined(__x86_64__)

#define GROUPED_MAX 14 /* bits */

__attribute__((target("avx2,bmi2"))) static uint64_t sum_groups(const uint8_t *p, unsigned w, uint64_t value,
                                                                uint64_t min, uint64_t *d, size_t n)
{
    const __m256i steps =
        _mm256_set_epi64x((long long)(4 * min), (long long)(3 * min), (long long)(2 * min), (long long)min);
    const __m256i four = _mm256_set1_epi64x((long long)(4 * min));
    if (w <= 5) {
        const uint64_t mask = ((UINT64_C(1) << w) - 1) * UINT64_C(0x0101010101010101);
        for (size_t i = 0; i < n; i += 8, p += w) {
            uint64_t sums = _pdep_u64(pq_load64(p), mask) * UINT64_C(0x0101010101010101);
            __m128i bytes = _mm_cvtsi64_si128((long long)sums);
            __m256i start = _mm256_add_epi64(_mm256_set1_epi64x((long long)value), steps);
            __m256i low = _mm256_add_epi64(_mm256_cvtepu8_epi64(bytes), start);
            __m256i high = _mm256_add_epi64(_mm256_cvtepu8_epi64(_mm_srli_si128(bytes, 4)),
                                            _mm256_add_epi64(start, four));
            _mm256_storeu_si256((__m256i *)(void *)(d + i), low);
            _mm256_storeu_si256((__m256i *)(void *)(d + i + 4), high);
            value += (sums >> 56) + 8 * min;
        }
        return value;
    }
    const uint64_t mask = ((UINT64_C(1) << w) - 1) * UINT64_C(0x0001000100010001);
    size_t bit = 0;
    for (size_t i = 0; i < n; i += 4, bit += 4 * w) {
        uint64_t sums = _pdep_u64(pq_load64(p + bit / 8) >> bit % 8, mask) * UINT64_C(0x0001000100010001);
        __m256i start = _mm256_add_epi64(_mm256_set1_epi64x((long long)value), steps);
        __m256i four_sums = _mm256_cvtepu16_epi64(_mm_cvtsi64_si128((long long)sums));
        _mm256_storeu_si256((__m256i *)(void *)(d + i), _mm256_add_epi64(four_sums, start));
        value += (sums >> 48) + 4 * min;
    }
    return value;
}

static bool grouped(unsigned w)
{
    return w <= GROUPED_MAX && TSFS_CPU_HAS("avx2") && TSFS_CPU_HAS("bmi2") && !__builtin_cpu_is("bdver4") &&
           !__builtin_cpu_is("znver1") && !__builtin_cpu_is("znver2");
}

#else

static uint64_t sum_groups(const uint8_t *p, unsigned w, uint64_t value, uint64_t min, uint64_t *d, size_t n)
{
    return value;
}

static bool grouped(unsigned w)
{
    return false;
}

#endif

/* k values of w > 0 bits, each a delta less min, behind value; returns the last one. */
static uint64_t sum_packed(const uint8_t *p, unsigned w, uint64_t value, uint64_t min, uint64_t *d, size_t k)
{
    size_t i = grouped(w) ? k & ~(size_t)7 : 0; /* eight of them are w whole bytes */
    if (i)
        value = sum_groups(p, w, value, min, d, i);
    pq_unpack64(p + i / 8 * w, w, d + i, k - i);
    for (; i < k; i++)
        d[i] = value += d[i] + min;
    return value;
}

int pq_delta_decode(const uint8_t *p, size_t len, int64_t *dst, size_t n, bool narrow, size_t *used)
{
    const uint8_t *begin = p, *end = p + len;
    uint64_t block, nmini, count, first;
    if (!pq_get_varint(&p, end, &block) || !pq_get_varint(&p, end, &nmini) ||
        !pq_get_varint(&p, end, &count) || !pq_get_varint(&p, end, &first))
        return -EINVAL;
    if (count != n)
        return -EINVAL;
    if (n > 1 && (block == 0 || block > (1u << 24) || nmini == 0 || nmini > block || block % nmini ||
                  block / nmini % 8))
        return -EINVAL;
    if (n == 0) {
        *used = (size_t)(p - begin);
        return 0;
    }
    size_t mini = n > 1 ? (size_t)(block / nmini) : 0;
    uint64_t value = (uint64_t)pq_unzigzag(first);
    dst[0] = (int64_t)value;

    for (size_t at = 1; at < n;) {
        uint64_t zigzag;
        if (!pq_get_varint(&p, end, &zigzag) || (uint64_t)(end - p) < nmini)
            return -EINVAL;
        uint64_t min = (uint64_t)pq_unzigzag(zigzag);
        const uint8_t *widths = p;
        p += nmini;
        for (uint64_t m = 0; m < nmini && at < n; m++) {
            size_t k = n - at < mini ? n - at : mini;
            unsigned w = widths[m];
            if (w > 64)
                return -EINVAL;
            size_t left = (size_t)(end - p), full = mini / 8 * w;
            if (left < (k * w + 7) / 8)
                return -EINVAL;
            uint64_t *d = (uint64_t *)dst + at;
            if (w == 0) {
                for (size_t i = 0; i < k; i++)
                    d[i] = value + (i + 1) * min;
                value += k * min;
            } else {
                value = sum_packed(p, w, value, min, d, k);
            }
            p += full < left ? full : left; /* the last one may lack its padding */
            at += k;
        }
    }
    if (narrow) {
        for (size_t i = 0; i < n; i++)
            dst[i] = (int32_t)(uint32_t)(uint64_t)dst[i];
    }
    *used = (size_t)(p - begin);
    return 0;
}
