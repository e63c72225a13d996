/* Pages: header, levels, values, onto the end of a chunk.
 *
 * Data pages are of version 2: definition levels first and never compressed, then the values as one zstd
 * frame, or as they are if that is not smaller (is_compressed = false).  Where NULLs lie scattered, so that
 * the levels are some percent of the page and shrink, it is of version 1 if that is smaller, which has both
 * in one frame.  A dictionary page has no such flag: it is a frame, or nothing in the chunk is (its codec
 * then is UNCOMPRESSED).  Every page carries the CRC-32 of what follows its header. */
#include <errno.h>

#include "base/limits.h"
#include "parquet/writer_priv.h"

#define JOINT_LEAST 128 /* bytes of levels that are worth a second look, ... */
#define JOINT_SHARE 100 /* ... if they are so much of the page, and shrink by so much of it */

int pq_page_writer_init(struct pq_page_writer *w, int zstd_level, struct tsfs_pq_encoded *out)
{
    *w = (struct pq_page_writer){.out = out, .zstd = ZSTD_createCCtx()};
    if (!w->zstd)
        return -ENOMEM;
    return pq_page_level(w, zstd_level);
}

int pq_page_level(struct pq_page_writer *w, int zstd_level)
{
    w->level = zstd_level;
    return ZSTD_isError(ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_compressionLevel, zstd_level)) ? -EINVAL : 0;
}

void pq_page_writer_free(struct pq_page_writer *w)
{
    ZSTD_freeCCtx(w->zstd);
    tsfs_buf_free(&w->levels);
    tsfs_buf_free(&w->values);
    tsfs_buf_free(&w->packed);
    tsfs_buf_free(&w->other);
    tsfs_buf_free(&w->both);
    tsfs_buf_free(&w->header);
    *w = (struct pq_page_writer){0};
}

static int compress(struct pq_page_writer *w, const struct tsfs_buf *from, struct tsfs_buf *to)
{
    to->len = 0;
    int r = tsfs_buf_reserve(to, ZSTD_compressBound(from->len));
    if (r)
        return r;
    size_t n = ZSTD_compress2(w->zstd, to->data, to->cap, from->len ? from->data : "", from->len);
    if (ZSTD_isError(n))
        return ZSTD_getErrorCode(n) == ZSTD_error_memory_allocation ? -ENOMEM : -EIO;
    to->len = n;
    return 0;
}

int pq_page_try(struct pq_page_writer *w, size_t *size)
{
    int r = compress(w, &w->values, &w->packed);
    *size = w->packed.len < w->values.len ? w->packed.len : w->values.len;
    return r;
}

/* *joint: levels and values lie better in one frame, which is w->packed then, and their bytes in w->values.
 */
static int try_joint(struct pq_page_writer *w, bool *joint)
{
    const struct tsfs_buf *alone = w->packed.len < w->values.len ? &w->packed : &w->values;
    size_t two = w->levels.len + alone->len;
    *joint = false;
    if (w->levels.len < JOINT_LEAST || w->levels.len < two / JOINT_SHARE)
        return 0;
    int r = compress(w, &w->levels, &w->other);
    if (r || w->other.len + two / JOINT_SHARE > w->levels.len)
        return r;
    uint32_t len = (uint32_t)w->levels.len;
    w->both.len = 0;
    r = tsfs_buf_append(&w->both, &len, sizeof(len));
    if (!r)
        r = tsfs_buf_append(&w->both, w->levels.data, w->levels.len);
    if (!r && w->values.len)
        r = tsfs_buf_append(&w->both, w->values.data, w->values.len);
    if (!r)
        r = compress(w, &w->both, &w->other);
    if (r || w->other.len >= two || w->other.len >= w->both.len)
        return r;
    struct tsfs_buf packed = w->packed, values = w->values;
    w->packed = w->other;
    w->values = w->both;
    w->other = packed;
    w->both = values;
    w->levels.len = 0;
    *joint = true;
    return 0;
}

static int put(struct pq_page_writer *w, const struct tsfs_buf *levels, const struct tsfs_buf *values)
{
    struct tsfs_buf *out = &w->out->data;
    int r = tsfs_buf_append(out, w->header.data, w->header.len);
    if (!r)
        r = tsfs_buf_append(out, levels->len ? levels->data : "", levels->len);
    if (!r)
        r = tsfs_buf_append(out, values->len ? values->data : "", values->len);
    w->out->uncompressed_size += w->header.len + levels->len + w->values.len;
    w->values.len = w->levels.len = 0;
    return r;
}

static int begin_header(struct pq_page_writer *w, struct thrift_writer *t, int type,
                        const struct tsfs_buf *values)
{
    size_t raw = w->levels.len + w->values.len;
    if (raw > TSFS_PAGE_MAX || w->levels.len + values->len > TSFS_PAGE_MAX)
        return -EFBIG;
    uint32_t crc = pq_crc32(0, w->levels.len ? w->levels.data : "", w->levels.len);
    crc = pq_crc32(crc, values->len ? values->data : "", values->len);
    w->header.len = 0;
    thrift_writer_init(t, &w->header);
    thrift_begin_element(t);
    thrift_put_i32(t, 1, type);
    thrift_put_i32(t, 2, (int32_t)raw);
    thrift_put_i32(t, 3, (int32_t)(w->levels.len + values->len));
    thrift_put_i32(t, 4, (int32_t)crc);
    return 0;
}

int pq_page_put_dictionary(struct pq_page_writer *w, uint32_t entries, bool sorted, bool compressed)
{
    struct thrift_writer t;
    w->levels.len = 0;
    int r = compressed ? compress(w, &w->values, &w->packed) : 0;
    const struct tsfs_buf *values = compressed ? &w->packed : &w->values;
    bool smaller = compressed && values->len < w->values.len;
    if (!r)
        r = begin_header(w, &t, 2, values);
    if (r)
        return r;
    thrift_begin_struct(&t, 7);
    thrift_put_i32(&t, 1, (int32_t)entries);
    thrift_put_i32(&t, 2, TSFS_PQ_PLAIN);
    if (sorted)
        thrift_put_bool(&t, 3, true);
    thrift_end_struct(&t);
    thrift_end_struct(&t);
    size_t before = w->out->data.len;
    r = t.error ? t.error : put(w, &w->levels, values);
    w->out->compressed |= smaller;
    w->out->dictionary_size = (uint32_t)(w->out->data.len - before);
    return r;
}

int pq_page_put_data(struct pq_page_writer *w, uint32_t page, uint32_t first_row, uint32_t nrows,
                     uint32_t nulls, enum tsfs_pq_encoding encoding)
{
    struct thrift_writer t;
    bool joint = false;
    int r = compress(w, &w->values, &w->packed);
    if (!r)
        r = try_joint(w, &joint);
    if (r)
        return r;
    bool compressed = w->packed.len < w->values.len;
    const struct tsfs_buf *values = compressed ? &w->packed : &w->values;
    size_t levels = w->levels.len;
    r = begin_header(w, &t, joint ? 0 : 3, values);
    if (r)
        return r;
    if (joint) {
        thrift_begin_struct(&t, 5);
        thrift_put_i32(&t, 1, (int32_t)nrows);
        thrift_put_i32(&t, 2, encoding);
        thrift_put_i32(&t, 3, TSFS_PQ_RLE);
        thrift_put_i32(&t, 4, TSFS_PQ_RLE);
    } else {
        thrift_begin_struct(&t, 8);
        thrift_put_i32(&t, 1, (int32_t)nrows);
        thrift_put_i32(&t, 2, (int32_t)nulls);
        thrift_put_i32(&t, 3, (int32_t)nrows);
        thrift_put_i32(&t, 4, encoding);
        thrift_put_i32(&t, 5, (int32_t)levels);
        thrift_put_i32(&t, 6, 0);
        thrift_put_bool(&t, 7, compressed); /* also the default: there are readers that take it for false */
    }
    thrift_end_struct(&t);
    thrift_end_struct(&t);
    struct pq_page_place *place = &w->out->pages[page];
    place->offset = w->out->data.len;
    place->first_row = first_row;
    r = t.error ? t.error : put(w, &w->levels, values);
    w->out->compressed |= compressed;
    w->out->njoint += joint;
    place->size = (uint32_t)(w->out->data.len - place->offset);
    return r;
}
