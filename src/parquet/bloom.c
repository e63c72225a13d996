/* Split-block Bloom filters (BloomFilter.md).
 *
 * A filter is a row of 32-byte blocks.  The XXH64 (seed 0) of a value's PLAIN form, without the length of
 * a string, chooses the block with its upper half and with its lower half, times eight odd constants, one bit
 * in each of the block's eight 32-bit words.  A value is there at most if all eight are set. */
#include "parquet/bloom.h"

#include <errno.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "parquet/writer_priv.h"

#define BITS_PER_VALUE 12u /* about one false positive in 250 */

static const uint32_t salt[8] = {0x47b6137bu, 0x44974d91u, 0x8824ad5bu, 0xa2b7289du,
                                 0x705495c7u, 0x2df1424bu, 0x9efc4947u, 0x5c6bfb31u};

uint64_t pq_bloom_hash(enum tsfs_pq_physical physical, int64_t number, struct tsfs_str string)
{
    switch (physical) {
    case TSFS_PQ_BYTE_ARRAY: return XXH64(string.len ? string.ptr : "", string.len, 0);
    case TSFS_PQ_INT32:
    case TSFS_PQ_FLOAT: return XXH64(&number, 4, 0);
    case TSFS_PQ_BOOLEAN: return XXH64(&number, 1, 0);
    default: return XXH64(&number, 8, 0);
    }
}

static size_t block_of(uint64_t hash, size_t nblocks)
{
    return (size_t)(((hash >> 32) * nblocks) >> 32);
}

bool pq_bloom_test(const uint8_t *bits, size_t bytes, uint64_t hash)
{
    const uint8_t *block = bits + 32 * block_of(hash, bytes / 32);
    for (int i = 0; i < 8; i++) {
        uint32_t bit = ((uint32_t)hash * salt[i]) >> 27;
        if (!(pq_load32(block + 4 * i) >> bit & 1))
            return false;
    }
    return true;
}

static void add(uint8_t *bits, size_t bytes, uint64_t hash)
{
    uint8_t *block = bits + 32 * block_of(hash, bytes / 32);
    for (int i = 0; i < 8; i++) {
        uint32_t word = pq_load32(block + 4 * i) | UINT32_C(1) << (((uint32_t)hash * salt[i]) >> 27);
        memcpy(block + 4 * i, &word, 4);
    }
}

int pq_bloom_build(const struct tsfs_pq_column *column, enum pq_kind kind, const void *values, size_t n,
                   struct tsfs_buf *out)
{
    struct thrift_writer w;
    size_t bytes = 32;
    while (bytes < PQ_BLOOM_WRITE_MAX && bytes * 8 < n * BITS_PER_VALUE)
        bytes *= 2; /* many readers insist on a power of two */

    thrift_writer_init(&w, out);
    thrift_begin_element(&w);
    thrift_put_i32(&w, 1, (int32_t)bytes);
    for (int16_t id = 2; id <= 4; id++) { /* algorithm BLOCK, hash XXHASH, compression UNCOMPRESSED */
        thrift_begin_struct(&w, id);
        thrift_begin_struct(&w, 1);
        thrift_end_struct(&w);
        thrift_end_struct(&w);
    }
    thrift_end_struct(&w);
    int r = w.error ? w.error : tsfs_buf_reserve(out, bytes);
    if (r)
        return r;
    uint8_t *bits = (uint8_t *)out->data + out->len;
    memset(bits, 0, bytes);
    out->len += bytes;
    for (size_t i = 0; i < n; i++) {
        int64_t number = 0;
        struct tsfs_str string = {"", 0};
        switch (kind) {
        case PQ_STRINGS: string = ((const struct tsfs_str *)values)[i]; break;
        case PQ_BOOLS: number = ((const uint8_t *)values)[i] != 0; break;
        default: memcpy(&number, (const char *)values + 8 * i, 8);
        }
        add(bits, bytes, pq_bloom_hash(column->physical, number, string));
    }
    return 0;
}
