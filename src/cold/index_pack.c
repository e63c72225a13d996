/* The packed form of a small private index (docs/format/segment.md, section 3.1).
 *
 * The index of a file of some thousand rows is nearly all form: a header of 96 bytes, 16 a slice, names that
 * the footer has too.  The packed form is the same index, its slices as they are before compression, without
 * checksums of their own, without names, and with nothing in its hash buckets (hashes do not compress, and
 * among so few series one is found by bisection just as well): all of it one zstd frame under one checksum.
 * It is what version 2 has in the file, which is read and no longer written, and what version 3 is made of,
 * which says it in fewer bytes (index_terse.c).
 * It is read and unpacked whole when the segment is opened, and from there on the reader (index_read.c) takes
 * slices from memory instead of from the file. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/hash.h"
#include "cold/index.h"

/* Of zstd.  Level 19 would make 0.1 percent less of a segment and take a seventh of the time of writing it.
 */
#define LEVEL      6
#define VARINT_MAX 10u

static int put_slices(const struct tsfs_buf *index, size_t table, size_t end, struct tsfs_buf *image)
{
    static const uint64_t zero;
    size_t hashes = table + 16 * (size_t)((cold_u32(index->data + 40) + COLD_SLICE - 1) / COLD_SLICE);
    size_t hashes_end = hashes + 16 * (size_t)cold_u32(index->data + 80), at = end;
    int rc = 0;
    for (size_t i = table; rc == 0 && i < end; i += 16) {
        bool hash = i >= hashes && i < hashes_end;
        const char *raw =
            hash ? (const char *)&zero : index->data + i + 4; /* stands for what is stored too */
        rc = tsfs_buf_append(image, raw, 4);
        if (rc == 0)
            rc = tsfs_buf_append(image, raw, 4);
        if (rc == 0)
            rc = tsfs_buf_append(image, &zero, 8);
    }
    for (size_t i = table; rc == 0 && i < end; i += 16) {
        uint32_t stored = cold_u32(index->data + i), raw = cold_u32(index->data + i + 4);
        const char *from = index->data + at;
        at += stored;
        if (raw == 0 || (i >= hashes && i < hashes_end))
            continue;
        if (image->len + raw > COLD_PACKED_MAX)
            return -E2BIG;
        rc = tsfs_buf_reserve(image, raw);
        if (rc)
            return rc;
        if (stored == raw)
            memcpy(image->data + image->len, from, raw);
        else if (ZSTD_decompress(image->data + image->len, raw, from, stored) != raw)
            return -EIO;
        image->len += raw;
    }
    return rc;
}

/* The image of the index; -E2BIG if it is too large. */
static int put_image(const struct tsfs_buf *index, uint32_t ncolumns, uint32_t ngroups,
                     struct tsfs_buf *image)
{
    static const char zeros[8];
    size_t dir = cold_u32(index->data + 12), at = COLD_INDEX_HEADER + 4 * (size_t)ngroups;
    if (dir > COLD_PACKED_MAX)
        return -E2BIG;
    int rc = tsfs_buf_append(image, index->data, at);
    for (uint32_t i = 0; rc == 0 && i < ncolumns; i++) {
        uint16_t name;
        memcpy(&name, index->data + at + 8, 2);
        rc = tsfs_buf_append(image, index->data + at, 8);
        if (rc == 0)
            rc = tsfs_buf_append(image, zeros, 2);
        at += 10u + name;
    }
    at += -at & 7;
    if (rc == 0)
        rc = tsfs_buf_append(image, zeros, -image->len & 7);
    uint32_t head = (uint32_t)(image->len + (dir - at));
    if (rc == 0)
        rc = put_slices(index, at, dir, image);
    if (rc)
        return rc;
    uint64_t length = image->len;
    memcpy(image->data + 12, &head, 4);
    memcpy(image->data + 16, &length, 8);
    memset(image->data + 88, 0, 8);
    return 0;
}

int cold_index_pack(struct tsfs_buf *index, uint32_t *version)
{
    struct tsfs_buf image = {0}, terse = {0}, packed = {0};
    uint32_t ncolumns = cold_u32(index->data + 44), ngroups = cold_u32(index->data + 48);
    *version = COLD_INDEX_VERSION;
    int rc = put_image(index, ncolumns, ngroups, &image);
    if (rc == 0 && image.len > COLD_PACKED_MAX)
        rc = -E2BIG;
    if (rc == 0)
        rc = cold_index_shorten(&image, &terse);
    if (rc == 0)
        rc = tsfs_buf_reserve(&packed, COLD_TERSE_HEADER + VARINT_MAX + ZSTD_compressBound(terse.len));
    if (rc)
        goto out;
    uint8_t *body = (uint8_t *)packed.data + COLD_TERSE_HEADER, *to = cold_put(body, terse.len);
    size_t n = ZSTD_compress(to, ZSTD_compressBound(terse.len), terse.data, terse.len, LEVEL);
    if (ZSTD_isError(n) || n >= terse.len) {
        memcpy(to, terse.data, terse.len);
        n = terse.len;
    }
    n += (size_t)(to - body);
    uint64_t sum = tsfs_hash(body, n);
    memcpy(packed.data, COLD_TERSE_MAGIC, 4);
    memcpy(packed.data + 4, &sum, 8);
    packed.len = COLD_TERSE_HEADER + n;
    if (packed.len < index->len) {
        struct tsfs_buf old = *index;
        *index = packed;
        packed = old;
        *version = COLD_TERSE_VERSION;
    }
out:
    tsfs_buf_free(&image);
    tsfs_buf_free(&terse);
    tsfs_buf_free(&packed);
    return rc == -E2BIG ? 0 : rc;
}

/* *out = n bytes, of len as they are or in a zstd frame; to be freed. */
static int inflate(const uint8_t *p, size_t len, size_t n, uint8_t **out)
{
    if (n == 0 || n > COLD_PACKED_MAX || len > n)
        return -EINVAL;
    uint8_t *to = malloc(n);
    if (!to)
        return -ENOMEM;
    if (len == n) {
        memcpy(to, p, n);
    } else if (ZSTD_decompress(to, n, p, len) != n) {
        free(to);
        return -EINVAL;
    }
    *out = to;
    return 0;
}

static int unpack_terse(const uint8_t *p, size_t len, uint8_t **image, uint32_t *length)
{
    uint64_t sum;
    uint8_t *terse;
    memcpy(&sum, p + 4, 8);
    struct cold_in in = {p + COLD_TERSE_HEADER, p + len, false};
    if (tsfs_hash(in.p, len - COLD_TERSE_HEADER) != sum)
        return -EINVAL;
    uint64_t n = cold_get(&in);
    int rc = in.bad ? -EINVAL : inflate(in.p, (size_t)(in.end - in.p), n, &terse);
    if (rc)
        return rc;
    rc = cold_index_widen(terse, n, image, length);
    free(terse);
    return rc;
}

int cold_index_unpack(const uint8_t *p, size_t len, uint8_t **image, uint32_t *length)
{
    uint32_t n;
    uint64_t sum;
    if (len >= COLD_TERSE_HEADER && memcmp(p, COLD_TERSE_MAGIC, 4) == 0)
        return unpack_terse(p, len, image, length);
    if (len < COLD_PACKED_HEADER)
        return -EINVAL;
    memcpy(&n, p + 12, 4);
    memcpy(&sum, p + 16, 8);
    p += COLD_PACKED_HEADER;
    len -= COLD_PACKED_HEADER;
    if (n < COLD_INDEX_HEADER || tsfs_hash(p, len) != sum)
        return -EINVAL;
    *length = n;
    return inflate(p, len, n, image);
}
