/* One page: header, checksum, decompression.  What the values mean is chunk_read.c's and values_read.c's. */
#include <errno.h>
#include <stdlib.h>

#include "base/limits.h"
#include "parquet/reader_priv.h"

int pq_room_take(struct pq_room *room, size_t n)
{
    if (n > SIZE_MAX / 2)
        return -ENOMEM;
    if (n + PQ_SLACK > room->cap) {
        size_t cap = (n + PQ_SLACK + n / 4 + 4095) & ~(size_t)4095;
        uint8_t *data = malloc(cap);
        if (!data)
            return -ENOMEM;
        free(room->data);
        room->data = data;
        room->cap = cap;
    }
    memset(room->data + n, 0, PQ_SLACK);
    return 0;
}

int tsfs_pq_scratch_create(struct tsfs_pq_scratch **out)
{
    struct tsfs_pq_scratch *s = calloc(1, sizeof(*s));
    if (s)
        s->zstd = ZSTD_createDCtx();
    if (!s || !s->zstd) {
        free(s);
        return -ENOMEM;
    }
    *out = s;
    return 0;
}

void tsfs_pq_scratch_free(struct tsfs_pq_scratch *s)
{
    if (!s)
        return;
    ZSTD_freeDCtx(s->zstd);
    free(s->raw.data);
    free(s->plain.data);
    free(s->dense.data);
    free(s->codes.data);
    free(s);
}

size_t tsfs_pq_scratch_bytes(const struct tsfs_pq_scratch *s)
{
    return sizeof(*s) + ZSTD_sizeof_DCtx(s->zstd) + s->raw.cap + s->plain.cap + s->dense.cap + s->codes.cap;
}

static void parse_data(struct thrift_reader *t, struct pq_page_header *h, int64_t v[8], bool second)
{
    struct thrift_fields f = {0};
    thrift_enter(t);
    while (thrift_field(t, &f)) {
        if (second && f.id == 7)
            h->is_compressed = thrift_get_bool(t, &f);
        else if (f.id >= 1 && f.id <= (second ? 6 : 4))
            v[f.id] = thrift_get_i32(t, &f);
        else
            thrift_skip(t, f.type);
    }
    thrift_leave(t);
}

int pq_page_header_parse(const uint8_t *p, size_t len, struct pq_page_header *h)
{
    struct thrift_reader t;
    struct thrift_fields f = {0};
    int64_t type = -1, uncompressed = -1, compressed = -1;
    int64_t v[8] = {0, -1, -1, -1, -1, -1, -1, -1};
    int seen = -1; /* which of the page types' headers was there */

    *h = (struct pq_page_header){.is_compressed = true};
    thrift_reader_init(&t, p, len);
    thrift_enter(&t);
    while (thrift_field(&t, &f)) {
        switch (f.id) {
        case 1: type = thrift_get_i32(&t, &f); break;
        case 2: uncompressed = thrift_get_i32(&t, &f); break;
        case 3: compressed = thrift_get_i32(&t, &f); break;
        case 4:
            h->crc = (uint32_t)thrift_get_i32(&t, &f);
            h->has_crc = true;
            break;
        case 5:
        case 7:
        case 8:
            if (f.type != THRIFT_STRUCT || seen >= 0) {
                t.bad = true;
                break;
            }
            seen = f.id == 5 ? 0 : f.id == 7 ? 2 : 3;
            if (seen == 2) { /* is_sorted is of no use here */
                struct thrift_fields g = {0};
                thrift_enter(&t);
                while (thrift_field(&t, &g)) {
                    if (g.id <= 2)
                        v[g.id < 0 ? 0 : g.id] = thrift_get_i32(&t, &g);
                    else
                        thrift_skip(&t, g.type);
                }
                thrift_leave(&t);
            } else {
                parse_data(&t, h, v, seen == 3);
            }
            break;
        default: thrift_skip(&t, f.type);
        }
    }
    thrift_leave(&t);
    if (t.bad)
        return t.p >= t.end || t.end - t.p < 16 ? -ENODATA : -EINVAL;
    h->size = (size_t)(t.p - p);
    if (type < 0 || type > 3 || uncompressed < 0 || compressed < 0 || uncompressed > TSFS_PAGE_MAX ||
        compressed > TSFS_PAGE_MAX)
        return -EINVAL;
    h->type = (int)type;
    h->uncompressed = (uint32_t)uncompressed;
    h->compressed = (uint32_t)compressed;
    if (type == 1)
        return 0;
    if (seen != type || v[1] < 0)
        return -EINVAL;
    h->nvalues = (uint32_t)v[1];
    if (type != 3) {
        h->encoding = (int)v[2];
        h->level_encoding = (int)v[3];
        return 0;
    }
    /* Flat columns: a value a row, no repetition levels. */
    if (v[2] < 0 || v[2] > v[1] || v[3] != v[1] || v[5] < 0 || v[6] != 0 || v[5] > uncompressed ||
        v[5] > compressed)
        return -EINVAL;
    h->nulls = (uint32_t)v[2];
    h->encoding = (int)v[4];
    h->level_encoding = TSFS_PQ_RLE;
    h->level_bytes = (uint32_t)v[5];
    return 0;
}

int pq_page_load(const struct tsfs_pq_chunk *c, uint64_t offset, uint64_t size, struct tsfs_pq_scratch *s,
                 struct pq_page_header *h, const uint8_t **body, struct tsfs_error *err)
{
    const struct tsfs_pq_input *in = &c->r->input;
    if (size > (uint64_t)TSFS_PAGE_MAX + (1u << 20))
        return pq_column_error(err, -EINVAL, c->column, "a page of %llu bytes is too large",
                               (unsigned long long)size);
    int r = pq_room_take(&s->raw, (size_t)size);
    if (r)
        return r;
    r = in->pread(in->ctx, s->raw.data, (size_t)size, offset);
    if (r)
        return pq_column_error(err, r, c->column, "cannot read a page at offset %llu: %s",
                               (unsigned long long)offset, strerror(-r));
    r = pq_page_header_parse(s->raw.data, (size_t)size, h);
    if (r || h->compressed > size - h->size)
        return pq_column_error(err, -EINVAL, c->column, "the page header at offset %llu is not valid",
                               (unsigned long long)offset);
    *body = s->raw.data + h->size;
#ifndef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION /* a fuzzer would hardly get past it */
    if (h->has_crc && pq_crc32(0, *body, h->compressed) != h->crc)
        return pq_column_error(err, -EINVAL, c->column, "the page at offset %llu fails its checksum",
                               (unsigned long long)offset);
#endif
    return 0;
}

/* A zstd frame cannot unpack to more than this: a block of at least four bytes gives at most 128 KiB. */
static bool plausible(size_t packed, size_t want)
{
    return want / (128u << 10) <= packed / 4;
}

int pq_page_expand(const struct tsfs_pq_chunk *c, const uint8_t *src, size_t len, bool packed, size_t want,
                   struct tsfs_pq_scratch *s, struct tsfs_arena *arena, const uint8_t **out,
                   struct tsfs_error *err)
{
    uint8_t *dst;
    bool wrong = false;
    packed &= c->info->codec == TSFS_PQ_ZSTD;
    if (!packed && len != want)
        return pq_column_error(err, -EINVAL, c->column, "a page has not the size that its header says");
    if (!packed && !arena) {
        *out = src; /* in s->raw: the slack is there */
        return 0;
    }
    if (want > TSFS_PAGE_MAX || (packed && !plausible(len, want)))
        return pq_column_error(err, -EINVAL, c->column, "a page claims to unpack to %zu bytes", want);
    if (arena) {
        dst = tsfs_arena_alloc(arena, want + PQ_SLACK);
        if (dst)
            memset(dst + want, 0, PQ_SLACK);
    } else {
        dst = pq_room_take(&s->plain, want) ? NULL : s->plain.data;
    }
    if (!dst)
        return tsfs_error_set(err, -ENOMEM, "out of memory for a page of %zu bytes", want);
    if (packed) {
        /* Some writers leave a page without values empty. */
        size_t n = len == 0 && want == 0 ? 0 : ZSTD_decompressDCtx(s->zstd, dst, want, src, len);
        wrong = ZSTD_isError(n) || n != want;
    } else {
        memcpy(dst, src, len);
    }
    if (wrong)
        return pq_column_error(err, -EINVAL, c->column, "a page cannot be decompressed");
    *out = dst;
    return 0;
}
