/* A column chunk: where its pages are, its dictionary, and the rows of a page.
 *
 * With an OffsetIndex the pages are known after one read.  Without it the page headers are walked from the
 * first to the last, once, when the chunk is opened. */
#include <errno.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/limits.h"
#include "parquet/bloom.h"
#include "parquet/reader_priv.h"

#define HEADER_GUESS 256 /* bytes that hold nearly every page header */

static int read_header(const struct tsfs_pq_chunk *c, uint64_t offset, uint64_t end, uint8_t *buf,
                       struct pq_page_header *h, struct tsfs_error *err)
{
    const struct tsfs_pq_input *in = &c->r->input;
    for (size_t n = HEADER_GUESS;; n *= 16) {
        size_t k = end - offset < n ? (size_t)(end - offset) : n;
        if (k > TSFS_PAGE_HEADER_MAX)
            k = TSFS_PAGE_HEADER_MAX;
        int r = in->pread(in->ctx, buf, k, offset);
        if (r)
            return pq_column_error(err, r, c->column, "cannot read a page header: %s", strerror(-r));
        r = pq_page_header_parse(buf, k, h);
        if (r == 0 && h->compressed <= end - offset - h->size)
            return 0;
        if (r != -ENODATA || k < n || k == TSFS_PAGE_HEADER_MAX)
            return pq_column_error(err, -EINVAL, c->column, "the page header at offset %llu is not valid",
                                   (unsigned long long)offset);
    }
}

static int walk_pages(struct tsfs_pq_chunk *c, struct tsfs_error *err)
{
    uint64_t at = c->place->first, end = c->place->end, row = 0;
    uint32_t n = 0, cap = 0;
    struct tsfs_pq_page *pages = NULL;
    uint8_t *buf = malloc(TSFS_PAGE_HEADER_MAX);
    int r = buf ? 0 : -ENOMEM;
    while (!r && row < c->nrows) {
        struct pq_page_header h;
        if (at >= end) {
            r = pq_column_error(err, -EINVAL, c->column, "its pages have fewer rows than its row group");
            break;
        }
        r = read_header(c, at, end, buf, &h, err);
        if (r)
            break;
        uint64_t size = h.size + h.compressed;
        if (h.type == 2) {
            if (c->dictionary_end || n) {
                r = pq_column_error(err, -EINVAL, c->column, "a dictionary page is out of place");
                break;
            }
            c->dictionary_offset = at;
            c->dictionary_end = at + size;
        } else if (h.type != 1 && h.nvalues > 0) {
            if (h.nvalues > c->nrows - row || size > UINT32_MAX) {
                r = pq_column_error(err, -EINVAL, c->column, "its pages have more rows than its row group");
                break;
            }
            r = TSFS_ARRAY_ROOM(pages, n, cap, 64);
            if (r != 0)
                break;
            pages[n++] = (struct tsfs_pq_page){
                .offset = at, .size = (uint32_t)size, .nrows = h.nvalues, .first_row = row};
            row += h.nvalues;
        }
        at += size;
    }
    if (!r) {
        c->pages = TSFS_NEW_ARRAY(&c->arena, struct tsfs_pq_page, n);
        if (!c->pages)
            r = -ENOMEM;
        else if (n)
            memcpy(c->pages, pages, n * sizeof(*pages));
        c->npages = n;
    }
    free(buf);
    free(pages);
    return r;
}

/* The bytes of a part of the file, with slack, in the chunk's arena. */
static int load_part(struct tsfs_pq_chunk *c, uint64_t offset, size_t size, uint8_t **out,
                     struct tsfs_error *err)
{
    const struct tsfs_pq_input *in = &c->r->input;
    uint8_t *p = tsfs_arena_alloc(&c->arena, size + PQ_SLACK);
    if (!p)
        return -ENOMEM;
    int r = in->pread(in->ctx, p, size, offset);
    if (r)
        return pq_column_error(err, r, c->column, "cannot read its index: %s", strerror(-r));
    *out = p;
    return 0;
}

int tsfs_pq_chunk_open(struct tsfs_pq_reader *r, uint32_t group, uint32_t column, struct tsfs_pq_chunk **out,
                       struct tsfs_error *err)
{
    struct tsfs_arena index;
    int code = -ENOMEM;
    if (group >= r->info.ngroups || column >= r->info.ncolumns)
        return tsfs_error_set(err, -EINVAL, "a Parquet file has no such column or row group");
    struct tsfs_pq_chunk *c = calloc(1, sizeof(*c));
    if (!c)
        return tsfs_error_set(err, code, "out of memory for a column chunk");
    c->r = r;
    c->column = &r->info.columns[column];
    c->info = &r->info.groups[group].chunks[column];
    c->place = &r->places[group][column];
    c->group = group;
    c->ordinal = column;
    c->nrows = r->info.groups[group].nrows;
    pthread_mutex_init(&c->lock, NULL);
    tsfs_arena_init(&c->arena, NULL);
    tsfs_arena_init(&index, NULL);
    if (c->nrows == 0) {
        code = 0;
    } else if (c->info->has_offset_index) {
        size_t size = c->place->offset_index_size;
        uint8_t *p = tsfs_arena_alloc(&index, size);
        code = p ? r->input.pread(r->input.ctx, p, size, c->place->offset_index_offset) : -ENOMEM;
        if (!code)
            code = pq_offset_index_read(c, p, size, err);
        if (!code && c->pages[0].offset > c->place->first) {
            c->dictionary_offset = c->place->first;
            c->dictionary_end = c->pages[0].offset;
        }
    } else {
        code = walk_pages(c, err);
    }
    tsfs_arena_free(&index);
    if (code) {
        tsfs_pq_chunk_close(c);
        return tsfs_error_set(err, code, "cannot open column \"%.*s\": %s",
                              (int)r->info.columns[column].name.len, r->info.columns[column].name.ptr,
                              strerror(-code));
    }
    *out = c;
    return 0;
}

void tsfs_pq_chunk_close(struct tsfs_pq_chunk *c)
{
    if (!c)
        return;
    pthread_mutex_destroy(&c->lock);
    tsfs_arena_free(&c->arena);
    free(c);
}

const struct tsfs_pq_page *tsfs_pq_chunk_pages(const struct tsfs_pq_chunk *c, uint32_t *npages)
{
    *npages = c->npages;
    return c->pages;
}

uint32_t tsfs_pq_chunk_find(const struct tsfs_pq_chunk *c, uint64_t row)
{
    uint32_t low = 0, high = c->npages;
    while (high - low > 1) {
        uint32_t mid = low + (high - low) / 2;
        if (c->pages[mid].first_row <= row)
            low = mid;
        else
            high = mid;
    }
    return low;
}

int tsfs_pq_chunk_stats(struct tsfs_pq_chunk *c, const struct tsfs_pq_stats **out, struct tsfs_error *err)
{
    int r = 0;
    pthread_mutex_lock(&c->lock);
    if (!c->has_stats && c->info->has_column_index && c->npages) {
        size_t size = c->place->column_index_size;
        uint8_t *p = NULL; /* strings of the bounds stay in it */
        r = load_part(c, c->place->column_index_offset, size, &p, err);
        if (!r)
            r = pq_column_index_read(c, p, size, err);
    }
    if (!r)
        c->has_stats = true;
    *out = r ? NULL : c->stats;
    pthread_mutex_unlock(&c->lock);
    return r ? tsfs_error_set(err, r, "cannot read a column index: %s", strerror(-r)) : 0;
}

static int load_dictionary(struct tsfs_pq_chunk *c, struct tsfs_error *err)
{
    struct tsfs_pq_scratch *s = NULL;
    struct pq_page_header h;
    const uint8_t *body, *plain;
    void *values;
    int r = tsfs_pq_scratch_create(&s);
    if (!r)
        r = pq_page_load(c, c->dictionary_offset, c->dictionary_end - c->dictionary_offset, s, &h, &body,
                         err);
    if (r)
        goto out;
    if (h.type != 2 || (h.encoding != TSFS_PQ_PLAIN && h.encoding != TSFS_PQ_PLAIN_DICTIONARY) ||
        c->column->physical == TSFS_PQ_BOOLEAN) {
        r = pq_column_error(err, -EINVAL, c->column, "its dictionary is not valid");
        goto out;
    }
    bool strings = c->column->type == TSFS_VARCHAR;
    r = pq_page_expand(c, body, h.compressed, true, h.uncompressed, s, strings ? &c->arena : NULL, &plain,
                       err);
    if (r)
        goto out;
    if (h.nvalues > h.uncompressed / 4) {
        r = pq_column_error(err, -EINVAL, c->column, "its dictionary has fewer entries than it says");
        goto out;
    }
    values = tsfs_arena_alloc(&c->arena, h.nvalues * (size_t)tsfs_type_width(c->column->type));
    r = values ? pq_values_decode(c->column, TSFS_PQ_PLAIN, plain, h.uncompressed, values, h.nvalues, s,
                                  &c->arena, err)
               : -ENOMEM;
    if (r)
        goto out;
    c->dictionary = (struct tsfs_vec){.type = c->column->type, .data = values};
    c->ndictionary = h.nvalues;
out:
    tsfs_pq_scratch_free(s);
    return r;
}

int tsfs_pq_chunk_dictionary(struct tsfs_pq_chunk *c, struct tsfs_vec *out, uint32_t *n,
                             struct tsfs_error *err)
{
    int r = 0;
    pthread_mutex_lock(&c->lock);
    if (!c->has_dictionary && c->dictionary_end)
        r = load_dictionary(c, err);
    if (!r)
        c->has_dictionary = true;
    *out = c->dictionary;
    out->type = c->column->type;
    *n = c->ndictionary;
    pthread_mutex_unlock(&c->lock);
    return r ? tsfs_error_set(err, r, "cannot read a dictionary: %s", strerror(-r)) : 0;
}

static int load_bloom(struct tsfs_pq_chunk *c, struct tsfs_error *err)
{
    const struct tsfs_pq_input *in = &c->r->input;
    uint64_t offset = c->place->bloom_offset, left = in->size - offset;
    uint8_t head[64];
    size_t k = left < sizeof(head) ? (size_t)left : sizeof(head);
    struct thrift_reader t;
    struct thrift_fields f = {0};
    int64_t bytes = -1;
    int known = 0;
    int r = in->pread(in->ctx, head, k, offset);
    if (r)
        return r;
    thrift_reader_init(&t, head, k);
    thrift_enter(&t);
    while (thrift_field(&t, &f)) {
        if (f.id == 1) {
            bytes = thrift_get_i32(&t, &f);
        } else if (f.id <= 4 && f.type == THRIFT_STRUCT) {
            struct thrift_fields g = {0};
            thrift_enter(&t);
            while (thrift_field(&t, &g)) { /* a union: each has one member that we know */
                known += g.id == 1;
                thrift_skip(&t, g.type);
            }
            thrift_leave(&t);
        } else {
            thrift_skip(&t, f.type);
        }
    }
    thrift_leave(&t);
    size_t skip = (size_t)(t.p - head);
    if (t.bad || bytes < 32 || bytes % 32 || bytes > TSFS_BLOOM_MAX || (uint64_t)bytes > left - skip)
        return pq_column_error(err, -EINVAL, c->column, "its Bloom filter is not valid");
    if (known != 3)
        return 0; /* of another kind: no filter */
    uint8_t *bits = NULL;
    r = load_part(c, offset + skip, (size_t)bytes, &bits, err);
    if (!r) {
        c->bloom = bits;
        c->bloom_size = (uint32_t)bytes;
    }
    return r;
}

/* The number whose hash stands for value in the filter; false: no value of the column equals it. */
static bool bloom_number(const struct tsfs_pq_column *column, const struct tsfs_value *v, int64_t *number)
{
    float f;
    *number = v->i;
    switch (column->physical) {
    case TSFS_PQ_BOOLEAN: *number = v->b; return true;
    case TSFS_PQ_INT32: return column->is_unsigned ? v->i == (uint32_t)v->i : v->i == (int32_t)v->i;
    case TSFS_PQ_FLOAT:
        f = (float)v->d;
        *number = 0;
        memcpy(number, &f, 4);
        return (double)f == v->d;
    default: return true;
    }
}

int tsfs_pq_chunk_bloom(struct tsfs_pq_chunk *c, struct tsfs_value value, bool *maybe, struct tsfs_error *err)
{
    int r = 0;
    int64_t number = 0;
    *maybe = true;
    if (value.null || value.type != c->column->type || !c->info->has_bloom)
        return 0;
    pthread_mutex_lock(&c->lock);
    if (!c->has_bloom)
        r = load_bloom(c, err);
    if (!r)
        c->has_bloom = true;
    const uint8_t *bits = c->bloom;
    uint32_t size = c->bloom_size;
    pthread_mutex_unlock(&c->lock);
    if (r)
        return tsfs_error_set(err, r, "cannot read a Bloom filter: %s", strerror(-r));
    if (size == 0)
        return 0;
    enum tsfs_pq_physical physical = c->column->physical;
    struct tsfs_str string = {"", 0};
    if (value.type == TSFS_VARCHAR) {
        string = value.s;
    } else if (value.type == TSFS_DOUBLE && (value.d != value.d || value.d == 0)) {
        return 0; /* equal values of different bits */
    } else if (!bloom_number(c->column, &value, &number)) {
        *maybe = false;
        return 0;
    }
    *maybe = pq_bloom_test(bits, size, pq_bloom_hash(physical, number, string));
    return 0;
}

/* Levels of a page: *valid (in the arena, NULL if all are there) and the number of values. */
static int read_levels(const struct tsfs_pq_chunk *c, const struct pq_page_header *h, const uint8_t *p,
                       size_t len, struct tsfs_arena *arena, const uint64_t **valid, uint32_t *nvalues,
                       struct tsfs_error *err)
{
    uint32_t all;
    *valid = NULL;
    *nvalues = h->nvalues;
    if (!c->column->optional)
        return 0;
    if (pq_rle_is_constant(p, len, 1, h->nvalues, &all) && all)
        return 0;
    uint64_t *bits = tsfs_arena_alloc(arena, tsfs_bit_words(h->nvalues) * sizeof(*bits));
    if (!bits)
        return -ENOMEM;
    if (pq_rle_decode_bits(p, len, bits, h->nvalues))
        return pq_column_error(err, -EINVAL, c->column, "the definition levels of a page are not valid");
    *nvalues = (uint32_t)tsfs_bits_count(bits, h->nvalues);
    *valid = *nvalues == h->nvalues ? NULL : bits;
    return 0;
}

static int all_null(enum tsfs_type type, struct tsfs_arena *arena, struct tsfs_vec *out)
{
    void *value = tsfs_arena_calloc(arena, 1, sizeof(struct tsfs_str));
    uint64_t *valid = TSFS_NEW(arena, uint64_t);
    if (!value || !valid)
        return -ENOMEM;
    *out = (struct tsfs_vec){.type = type, .constant = true, .data = value, .valid = valid};
    return 0;
}

/* A page on its way to values. */
struct page {
    struct pq_page_header h;
    const uint64_t *valid;
    uint32_t nvalues;
    const uint8_t *values; /* bytes of the encoding */
    size_t len;
};

static int open_page(struct tsfs_pq_chunk *c, uint32_t index, struct tsfs_pq_scratch *s,
                     struct tsfs_arena *arena, struct page *page, struct tsfs_error *err)
{
    struct pq_page_header *h = &page->h;
    const uint8_t *body, *levels;
    size_t nlevels;
    if (index >= c->npages)
        return pq_column_error(err, -EINVAL, c->column, "it has no page %u", index);
    const struct tsfs_pq_page *place = &c->pages[index];
    int r = pq_page_load(c, place->offset, place->size, s, h, &body, err);
    if (r)
        return r;
    if ((h->type != 0 && h->type != 3) || h->nvalues != place->nrows)
        return pq_column_error(err, -EINVAL, c->column,
                               "the page at offset %llu is not the one that was expected",
                               (unsigned long long)place->offset);
    if (h->nvalues > TSFS_PAGE_ROWS_MAX)
        return pq_column_error(err, -ENOTSUP, c->column, "a page of %u rows is too large", h->nvalues);
    bool coded = h->encoding == TSFS_PQ_RLE_DICTIONARY || h->encoding == TSFS_PQ_PLAIN_DICTIONARY;
    /* Strings stay where they are unpacked, unless they are built anew or come from the dictionary. */
    bool keep = c->column->type == TSFS_VARCHAR && !coded && h->encoding != TSFS_PQ_DELTA_BYTE_ARRAY;

    if (h->type == 3) {
        levels = body;
        nlevels = h->level_bytes;
        page->len = h->uncompressed - h->level_bytes;
        r = pq_page_expand(c, body + nlevels, h->compressed - nlevels, h->is_compressed, page->len, s,
                           keep ? arena : NULL, &page->values, err);
        if (r)
            return r;
    } else {
        r = pq_page_expand(c, body, h->compressed, true, h->uncompressed, s, keep ? arena : NULL, &body, err);
        if (r)
            return r;
        levels = body;
        nlevels = 0;
        page->len = h->uncompressed;
        if (c->column->optional) {
            if (h->level_encoding != TSFS_PQ_RLE)
                return pq_column_error(err, -ENOTSUP, c->column, "definition levels in %s are not supported",
                                       tsfs_pq_encoding_name(h->level_encoding));
            if (page->len < 4 || pq_load32(body) > page->len - 4)
                return pq_column_error(err, -EINVAL, c->column,
                                       "the definition levels of a page are not valid");
            nlevels = pq_load32(body);
            levels = body + 4;
            body = levels + nlevels;
            page->len -= 4 + nlevels;
        }
        page->values = body;
    }
    r = read_levels(c, h, levels, nlevels, arena, &page->valid, &page->nvalues, err);
    if (r)
        return r;
    if (h->type == 3 && h->nulls != h->nvalues - page->nvalues)
        return pq_column_error(err, -EINVAL, c->column, "a page has not as many NULLs as its header says");
    return 0;
}

/* Dictionary codes of all rows into codes (room for nvalues of the header), 0 where NULL; *constant as in
 * tsfs_pq_coded. */
static int read_codes(struct tsfs_pq_chunk *c, struct page *page, uint32_t ndictionary,
                      struct tsfs_pq_scratch *s, struct tsfs_arena *arena, uint32_t **out, bool *constant,
                      struct tsfs_error *err)
{
    uint32_t n = page->nvalues, one, max = 0;
    unsigned width = page->len ? page->values[0] : 0;
    const uint8_t *p = page->values + 1;
    size_t len = page->len ? page->len - 1 : 0;
    *constant = false;
    if (page->len == 0 || width > 32)
        return pq_column_error(err, -EINVAL, c->column, "a page of dictionary codes is not valid");
    if (!page->valid && pq_rle_is_constant(p, len, width, n, &one)) {
        *out = tsfs_arena_alloc(arena, sizeof(**out));
        if (!*out)
            return -ENOMEM;
        **out = max = one;
        *constant = true;
    } else {
        uint32_t *codes = page->valid ? NULL : tsfs_arena_alloc(arena, n * sizeof(*codes));
        if (page->valid && !pq_room_take(&s->codes, n * sizeof(*codes)))
            codes = (uint32_t *)(void *)s->codes.data;
        if (!codes)
            return -ENOMEM;
        if (pq_rle_decode(p, len, width, codes, n))
            return pq_column_error(err, -EINVAL, c->column, "a page of dictionary codes is not valid");
        for (uint32_t i = 0; i < n; i++)
            max = codes[i] > max ? codes[i] : max;
        *out = codes;
        if (page->valid) {
            *out = tsfs_arena_alloc(arena, page->h.nvalues * sizeof(**out));
            if (!*out)
                return -ENOMEM;
            pq_values_spread(codes, page->valid, page->h.nvalues, sizeof(*codes), *out);
        }
    }
    if (n && max >= ndictionary)
        return pq_column_error(err, -EINVAL, c->column, "a dictionary code is beyond the dictionary");
    return 0;
}

static int read_values(struct tsfs_pq_chunk *c, struct page *page, struct tsfs_pq_scratch *s,
                       struct tsfs_arena *arena, struct tsfs_vec *out, struct tsfs_error *err)
{
    size_t width = tsfs_type_width(c->column->type);
    void *rows = tsfs_arena_alloc(arena, page->h.nvalues * width), *dense = rows;
    if (!rows)
        return -ENOMEM;
    if (page->valid) {
        if (pq_room_take(&s->dense, page->nvalues * width))
            return -ENOMEM;
        dense = s->dense.data;
    }
    int r = pq_values_decode(c->column, page->h.encoding, page->values, page->len, dense, page->nvalues, s,
                             arena, err);
    if (r)
        return r;
    if (page->valid)
        pq_values_spread(dense, page->valid, page->h.nvalues, width, rows);
    *out = (struct tsfs_vec){.type = c->column->type, .data = rows, .valid = page->valid};
    return 0;
}

int tsfs_pq_chunk_read_coded(struct tsfs_pq_chunk *c, uint32_t index, struct tsfs_pq_scratch *s,
                             struct tsfs_arena *arena, struct tsfs_pq_coded *out, struct tsfs_error *err)
{
    struct page page = {0};
    struct tsfs_vec dictionary;
    uint32_t n, *codes = NULL;
    *out = (struct tsfs_pq_coded){0};
    int r = open_page(c, index, s, arena, &page, err);
    if (r)
        goto out;
    out->nrows = page.h.nvalues;
    if (page.nvalues == 0) {
        r = all_null(c->column->type, arena, &out->vec);
    } else if (page.h.encoding == TSFS_PQ_RLE_DICTIONARY || page.h.encoding == TSFS_PQ_PLAIN_DICTIONARY) {
        r = tsfs_pq_chunk_dictionary(c, &dictionary, &n, err);
        if (!r)
            r = read_codes(c, &page, n, s, arena, &codes, &out->constant, err);
        if (!r) {
            out->index = codes;
            out->valid = page.valid;
        }
    } else {
        r = read_values(c, &page, s, arena, &out->vec, err);
    }
out:
    return r ? tsfs_error_set(err, r, "cannot read a page: %s", strerror(-r)) : 0;
}

int tsfs_pq_chunk_read(struct tsfs_pq_chunk *c, uint32_t index, struct tsfs_pq_scratch *s,
                       struct tsfs_arena *arena, struct tsfs_vec *out, struct tsfs_error *err)
{
    struct tsfs_pq_coded coded;
    struct tsfs_vec dictionary;
    uint32_t n;
    int r = tsfs_pq_chunk_read_coded(c, index, s, arena, &coded, err);
    if (r)
        return r;
    if (!coded.index) {
        *out = coded.vec;
        return 0;
    }
    r = tsfs_pq_chunk_dictionary(c, &dictionary, &n, err);
    if (r)
        return r;
    uint32_t nrows = coded.constant ? 1 : coded.nrows;
    size_t width = tsfs_type_width(c->column->type);
    void *rows = tsfs_arena_alloc(arena, nrows * width);
    if (!rows)
        return tsfs_error_set(err, -ENOMEM, "out of memory for the rows of a page");
    if (width == 8) {
        const uint64_t *from = dictionary.data;
        uint64_t *to = rows;
        for (uint32_t i = 0; i < nrows; i++)
            to[i] = from[coded.index[i]];
    } else {
        const struct tsfs_str *from = dictionary.s;
        struct tsfs_str *to = rows;
        for (uint32_t i = 0; i < nrows; i++)
            to[i] = from[coded.index[i]];
    }
    if (coded.valid) { /* code 0 stands there */
        for (uint32_t i = 0; i < nrows; i++) {
            if (!tsfs_bit_get(coded.valid, i))
                memset((char *)rows + i * width, 0, width);
        }
    }
    *out = (struct tsfs_vec){
        .type = c->column->type, .constant = coded.constant, .data = rows, .valid = coded.valid};
    return 0;
}
