/* Rows of a segment as vectors: the pages that a cursor has decoded and may still need.
 *
 * A cursor goes through a segment in order of rows, and a page often serves several series or several calls,
 * so each column keeps the pages it has decoded until the cursor's focus has passed them. What lies in one
 * page is handed out where it is; what spans pages is put together in the arena of the run. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cold/cold_priv.h"

struct page {
    uint64_t row, end; /* of the file */
    struct tsfs_vec vec;
    struct tsfs_arena arena;
};

struct column {
    struct page **pages;
    uint32_t n, cap;
    struct page *last; /* found last */
};

struct cold_pages {
    struct tsfs_segment *segment;
    struct tsfs_scan_stats *stats;
    struct tsfs_pq_scratch *scratch;
    uint32_t ncolumns;
    struct column *columns;
    struct page **spare;
    uint32_t nspare, cap_spare;
    struct tsfs_arena run;
};

int pages_create(struct tsfs_segment *s, struct tsfs_scan_stats *stats, struct cold_pages **out)
{
    struct cold_pages *p = calloc(1, sizeof(*p));
    if (!p)
        return -ENOMEM;
    p->segment = s;
    p->stats = stats;
    p->ncolumns = s->index->ncolumns;
    tsfs_arena_init(&p->run, NULL);
    p->columns = calloc(p->ncolumns, sizeof(*p->columns));
    int rc = p->columns ? tsfs_pq_scratch_create(&p->scratch) : -ENOMEM;
    if (rc) {
        pages_free(p);
        return rc;
    }
    *out = p;
    return 0;
}

static void page_free(struct page *page)
{
    tsfs_arena_free(&page->arena);
    free(page);
}

void pages_free(struct cold_pages *p)
{
    if (!p)
        return;
    for (uint32_t i = 0; p->columns && i < p->ncolumns; i++) {
        for (uint32_t k = 0; k < p->columns[i].n; k++)
            page_free(p->columns[i].pages[k]);
        free(p->columns[i].pages);
    }
    for (uint32_t i = 0; i < p->nspare; i++)
        page_free(p->spare[i]);
    free(p->spare);
    free(p->columns);
    tsfs_pq_scratch_free(p->scratch);
    tsfs_arena_free(&p->run);
    free(p);
}

#define SPARE_MAX 64

static void give_back(struct cold_pages *p, struct page *page)
{
    if (p->nspare == p->cap_spare && p->cap_spare < SPARE_MAX) {
        uint32_t cap = p->cap_spare ? 2 * p->cap_spare : 8;
        struct page **grown = realloc(p->spare, cap * sizeof(*grown));
        if (grown) {
            p->spare = grown;
            p->cap_spare = cap;
        }
    }
    if (p->nspare == p->cap_spare) {
        page_free(page);
        return;
    }
    tsfs_arena_reset(&page->arena);
    p->spare[p->nspare++] = page;
}

void pages_focus(struct cold_pages *p, uint64_t row, uint64_t end)
{
    tsfs_arena_reset(&p->run);
    for (uint32_t i = 0; i < p->ncolumns; i++) {
        struct column *c = &p->columns[i];
        uint32_t kept = 0;
        for (uint32_t k = 0; k < c->n; k++) {
            struct page *page = c->pages[k];
            if (page->row < end && page->end > row)
                c->pages[kept++] = page;
            else
                give_back(p, page);
        }
        if (kept < c->n)
            c->last = kept ? c->pages[kept - 1] : NULL;
        c->n = kept;
    }
}

static uint32_t group_of(const struct cold_index *ix, uint64_t row)
{
    uint32_t lo = 0, hi = ix->ngroups;
    while (hi - lo > 1) {
        uint32_t mid = (lo + hi) / 2;
        if (ix->group_row[mid] <= row)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

/* The decoded page of column that holds row. */
static int find_page(struct cold_pages *p, uint32_t column, uint64_t row, struct page **out,
                     struct tsfs_error *err)
{
    struct column *c = &p->columns[column];
    if (c->last && c->last->row <= row && row < c->last->end) {
        *out = c->last;
        return 0;
    }
    for (uint32_t k = 0; k < c->n; k++)
        if (c->pages[k]->row <= row && row < c->pages[k]->end) {
            *out = c->last = c->pages[k];
            return 0;
        }
    const struct cold_index *ix = p->segment->index;
    uint32_t group = group_of(ix, row), npages;
    struct tsfs_pq_chunk *chunk;
    int rc = segment_chunk(p->segment, group, column, &chunk, err);
    if (rc)
        return rc;
    if (c->n == c->cap) {
        uint32_t cap = c->cap ? 2 * c->cap : 4;
        struct page **grown = realloc(c->pages, cap * sizeof(*grown));
        if (!grown)
            return tsfs_error_set(err, -ENOMEM, "out of memory");
        c->pages = grown;
        c->cap = cap;
    }
    struct page *page;
    if (p->nspare) {
        page = p->spare[--p->nspare];
    } else {
        page = calloc(1, sizeof(*page));
        if (!page)
            return tsfs_error_set(err, -ENOMEM, "out of memory");
        tsfs_arena_init(&page->arena, NULL);
    }
    const struct tsfs_pq_page *pages = tsfs_pq_chunk_pages(chunk, &npages);
    uint32_t i = tsfs_pq_chunk_find(chunk, row - ix->group_row[group]);
    rc = tsfs_pq_chunk_read(chunk, i, p->scratch, &page->arena, &page->vec, err);
    if (rc) {
        page_free(page);
        return rc;
    }
    page->row = ix->group_row[group] + pages[i].first_row;
    page->end = page->row + pages[i].nrows;
    p->stats->pages_read++;
    p->stats->bytes_read += pages[i].size;
    c->pages[c->n++] = page;
    *out = c->last = page;
    return 0;
}

/* ---- vectors ---- */

struct tsfs_vec cold_vec_null(enum tsfs_type type)
{
    static const uint64_t zeros[2];
    return (struct tsfs_vec){.type = type, .constant = true, .data = zeros, .valid = zeros};
}

int cold_vec_slice(const struct tsfs_vec *vec, uint32_t row, uint32_t n, struct tsfs_arena *arena,
                   struct tsfs_vec *out)
{
    *out = *vec;
    if (vec->constant || row == 0)
        return 0;
    out->data = (const char *)vec->data + (size_t)row * tsfs_type_width(vec->type);
    if (!vec->valid)
        return 0;
    if (row % 64 == 0) {
        out->valid = vec->valid + row / 64;
        return 0;
    }
    uint64_t *bits = tsfs_arena_alloc(arena, tsfs_bit_words(n) * sizeof(*bits));
    if (!bits)
        return -ENOMEM;
    tsfs_bits_copy(bits, vec->valid, row, n);
    out->valid = bits;
    return 0;
}

/* Ors n bits of src into dst from bit `at`. */
static void or_bits(uint64_t *dst, size_t at, const uint64_t *src, size_t n)
{
    size_t word = at / 64;
    unsigned shift = at % 64;
    for (size_t i = 0; i < n; i += 64) {
        uint64_t w = src[i / 64];
        if (n - i < 64)
            w &= (UINT64_C(1) << (n - i)) - 1;
        dst[word + i / 64] |= w << shift;
        if (shift && w >> (64 - shift))
            dst[word + i / 64 + 1] |= w >> (64 - shift);
    }
}

void vec_put(const struct tsfs_vec *src, uint32_t n, enum tsfs_type type, void *data, uint64_t *valid,
             size_t at)
{
    if (src->type == TSFS_UNKNOWN || (src->constant && tsfs_vec_null(src, 0)))
        return;
    unsigned width = tsfs_type_width(type);
    char *to = (char *)data + at * width;
    if (!src->constant) {
        memcpy(to, src->data, (size_t)n * width);
    } else if (width == 8) {
        for (uint32_t i = 0; i < n; i++)
            memcpy(to + (size_t)i * 8, src->data, 8);
    } else {
        for (uint32_t i = 0; i < n; i++)
            memcpy(to + (size_t)i * width, src->data, width);
    }
    if (src->valid && !src->constant)
        or_bits(valid, at, src->valid, n);
    else
        tsfs_bits_set_range(valid, at, n);
}

int pages_read(struct cold_pages *p, uint32_t column, uint64_t row, uint32_t n, struct tsfs_vec *out,
               struct tsfs_error *err)
{
    struct page *page;
    struct tsfs_vec part;
    int rc = find_page(p, column, row, &page, err);
    if (rc)
        return rc;
    if (row + n <= page->end) {
        rc = cold_vec_slice(&page->vec, (uint32_t)(row - page->row), n, &p->run, out);
        return rc ? tsfs_error_set(err, rc, "out of memory") : 0;
    }
    enum tsfs_type type = p->segment->index->columns[column].type;
    void *data = tsfs_arena_calloc(&p->run, n, tsfs_type_width(type));
    uint64_t *valid = TSFS_NEW_ARRAY(&p->run, uint64_t, tsfs_bit_words(n) + 1);
    if (!data || !valid)
        return tsfs_error_set(err, -ENOMEM, "out of memory");
    bool nulls = false;
    for (uint32_t done = 0;;) {
        uint64_t left = page->end - (row + done);
        uint32_t k = left < n - done ? (uint32_t)left : n - done;
        rc = cold_vec_slice(&page->vec, (uint32_t)(row + done - page->row), k, &p->run, &part);
        if (rc)
            return tsfs_error_set(err, rc, "out of memory");
        nulls |= part.valid != NULL || part.type == TSFS_UNKNOWN;
        vec_put(&part, k, type, data, valid, done);
        done += k;
        if (done == n)
            break;
        rc = find_page(p, column, row + done, &page, err);
        if (rc)
            return rc;
    }
    *out = (struct tsfs_vec){.type = type, .data = data, .valid = nulls ? valid : NULL};
    return 0;
}

int pages_times(struct cold_pages *p, uint64_t row, uint32_t n, const int64_t **out, struct tsfs_error *err)
{
    struct tsfs_vec vec;
    int rc = pages_read(p, 0, row, n, &vec, err);
    if (rc)
        return rc;
    if (vec.valid)
        return tsfs_error_set(err, -EINVAL, "the segment has rows without a time");
    if (vec.constant) {
        int64_t *t = tsfs_arena_alloc(&p->run, n * sizeof(*t));
        if (!t)
            return tsfs_error_set(err, -ENOMEM, "out of memory");
        for (uint32_t i = 0; i < n; i++)
            t[i] = vec.i[0];
        vec.i = t;
    }
    *out = vec.i;
    return 0;
}
