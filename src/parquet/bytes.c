/* Strings: PLAIN, DELTA_LENGTH_BYTE_ARRAY and DELTA_BYTE_ARRAY (Encodings.md).
 *
 *     PLAIN                     each: 4 bytes of length, bytes
 *     DELTA_LENGTH_BYTE_ARRAY   all lengths delta-packed | all bytes
 *     DELTA_BYTE_ARRAY          lengths of the prefixes shared with the string before, delta-packed |
 *                               the rest of each, as DELTA_LENGTH_BYTE_ARRAY */
#include <errno.h>
#include <stdlib.h>

#include "base/limits.h"
#include "parquet/codec.h"

static const struct pq_delta_shape lengths_shape = {.block = 128, .miniblock = 32, .narrow = true};

int pq_bytes_plain_encode(const struct tsfs_str *v, size_t n, struct tsfs_buf *out)
{
    int r = 0;
    for (size_t i = 0; i < n && !r; i++) {
        uint32_t len = (uint32_t)v[i].len;
        r = tsfs_buf_reserve(out, 4 + v[i].len);
        if (r)
            break;
        char *p = out->data + out->len;
        memcpy(p, &len, 4);
        if (len)
            memcpy(p + 4, v[i].ptr, len);
        out->len += 4 + (size_t)len;
    }
    return r;
}

int pq_bytes_lengths_encode(const struct tsfs_str *v, size_t n, struct tsfs_buf *out)
{
    size_t total = 0;
    int64_t *len = calloc(n + 1, sizeof(*len));
    if (!len)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        len[i] = (int64_t)v[i].len;
        total += v[i].len;
    }
    int r = pq_delta_encode(len, n, &lengths_shape, out);
    free(len);
    if (!r)
        r = tsfs_buf_reserve(out, total);
    for (size_t i = 0; i < n && !r; i++) {
        if (v[i].len)
            memcpy(out->data + out->len, v[i].ptr, v[i].len);
        out->len += v[i].len;
    }
    return r;
}

static size_t common_prefix(struct tsfs_str a, struct tsfs_str b)
{
    size_t n = a.len < b.len ? a.len : b.len, i = 0;
    while (i < n && a.ptr[i] == b.ptr[i])
        i++;
    return i;
}

int pq_bytes_prefix_encode(const struct tsfs_str *v, size_t n, struct tsfs_buf *out)
{
    int r = -ENOMEM;
    int64_t *prefix = calloc(n + 1, sizeof(*prefix));
    struct tsfs_str *rest = calloc(n + 1, sizeof(*rest));
    if (!prefix || !rest)
        goto out;
    for (size_t i = 0; i < n; i++) {
        size_t k = i ? common_prefix(v[i - 1], v[i]) : 0;
        prefix[i] = (int64_t)k;
        rest[i] = (struct tsfs_str){v[i].len ? v[i].ptr + k : "", v[i].len - k};
    }
    r = pq_delta_encode(prefix, n, &lengths_shape, out);
    if (!r)
        r = pq_bytes_lengths_encode(rest, n, out);
out:
    free(prefix);
    free(rest);
    return r;
}

int pq_bytes_plain_decode(const uint8_t *p, size_t len, struct tsfs_str *dst, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (len < 4)
            return -EINVAL;
        uint32_t k = pq_load32(p);
        p += 4;
        len -= 4;
        if (k > len)
            return -EINVAL;
        dst[i] = (struct tsfs_str){(const char *)p, k};
        p += k;
        len -= k;
    }
    return 0;
}

int pq_bytes_lengths_decode(const uint8_t *p, size_t len, struct tsfs_str *dst, size_t n,
                            struct tsfs_arena *arena)
{
    size_t used;
    int64_t *lengths = tsfs_arena_alloc(arena, n * sizeof(*lengths));
    if (!lengths)
        return -ENOMEM;
    int r = pq_delta_decode(p, len, lengths, n, true, &used);
    if (r)
        return r;
    p += used;
    len -= used;
    for (size_t i = 0; i < n; i++) {
        if (lengths[i] < 0 || (uint64_t)lengths[i] > len)
            return -EINVAL;
        dst[i] = (struct tsfs_str){(const char *)p, (size_t)lengths[i]};
        p += lengths[i];
        len -= (size_t)lengths[i];
    }
    return 0;
}

int pq_bytes_prefix_decode(const uint8_t *p, size_t len, struct tsfs_str *dst, size_t n,
                           struct tsfs_arena *arena)
{
    size_t used, total = 0, before = 0;
    int64_t *prefix = tsfs_arena_alloc(arena, n * sizeof(*prefix));
    if (!prefix)
        return -ENOMEM;
    int r = pq_delta_decode(p, len, prefix, n, true, &used);
    if (!r)
        r = pq_bytes_lengths_decode(p + used, len - used, dst, n, arena);
    if (r)
        return r;
    for (size_t i = 0; i < n; i++) {
        if (prefix[i] < 0 || (uint64_t)prefix[i] > before)
            return -EINVAL;
        before = (size_t)prefix[i] + dst[i].len;
        total += before;
        if (total > TSFS_PAGE_MAX)
            return -EINVAL;
    }
    char *bytes = tsfs_arena_alloc(arena, total);
    if (!bytes)
        return -ENOMEM;
    const char *last = bytes;
    for (size_t i = 0; i < n; i++) {
        size_t k = (size_t)prefix[i], rest = dst[i].len;
        memcpy(bytes, last, k);
        memcpy(bytes + k, dst[i].ptr, rest);
        dst[i] = (struct tsfs_str){bytes, k + rest};
        last = bytes;
        bytes += k + rest;
    }
    return 0;
}
