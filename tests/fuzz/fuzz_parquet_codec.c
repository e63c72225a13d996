/* Any bytes to one decoder: the first byte says which, the second and third how many values are wanted, the
 * fourth the width. */
#include <stdlib.h>
#include <string.h>

#include "col/vec.h"
#include "fuzz.h"
#include "parquet/codec.h"
#include "parquet/thrift.h"

static volatile size_t sum;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 4)
        return 0;
    size_t n = (size_t)(data[1] | data[2] << 8) % 5000, len = size - 4, used;
    unsigned width = data[3];
    uint8_t *p = calloc(1, len + PQ_SLACK), *out = malloc((n + 64) * sizeof(struct tsfs_str));
    struct tsfs_budget budget = {.limit = 64u << 20};
    struct tsfs_arena arena;
    struct thrift_reader t;
    tsfs_arena_init(&arena, &budget);
    if (p && out) {
        memcpy(p, data + 4, len);
        struct tsfs_str *strings = (struct tsfs_str *)(void *)out;
        int r = -1;
        switch (data[0] % 8) {
        case 0: r = pq_rle_decode(p, len, width, (uint32_t *)(void *)out, n); break;
        case 1: r = pq_rle_decode_bits(p, len, (uint64_t *)(void *)out, n); break;
        case 2: r = pq_delta_decode(p, len, (int64_t *)(void *)out, n, false, &used); break;
        case 3: r = pq_delta_decode(p, len, (int64_t *)(void *)out, n, true, &used); break;
        case 4: r = pq_bytes_plain_decode(p, len, strings, n); break;
        case 5: r = pq_bytes_lengths_decode(p, len, strings, n, &arena); break;
        case 6: r = pq_bytes_prefix_decode(p, len, strings, n, &arena); break;
        default: thrift_reader_init(&t, p, len); thrift_skip(&t, THRIFT_STRUCT);
        }
        if (r == 0 && data[0] % 8 >= 4) {
            for (size_t i = 0; i < n; i++) {
                for (size_t k = 0; k < strings[i].len; k++)
                    sum += (unsigned char)strings[i].ptr[k];
            }
        }
    }
    tsfs_arena_free(&arena);
    free(p);
    free(out);
    return 0;
}
