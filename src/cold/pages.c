/* Rows of a segment as vectors: the pages that a cursor holds.
 *
 * A cursor goes through a segment in order of rows, and a page often serves several series or several calls,
 * so each column keeps its pages until the cursor's focus has passed them.  Where they come from is the
 * cache's business (cache.c), unless the reader wants the bytes as they are in the file, or reads everything
 * once and would only push out what others need.  What lies in one page is handed out where it is, or widened
 * (narrow.c); what spans pages is put together.  The memory for both is the cursor's, and each focus begins
 * it anew.
 *
 * A page that must come from the disk is seldom alone: the other columns' pages of the same rows follow, and
 * then those of the next series.  Read one by one they cost a disk access each; so at the first page that is
 * not in the cache the kernel is told of what lies ahead, stretch by stretch, and of the next stretch when
 * half of one is behind us, so that the disk works while we decode. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/decimal.h"
#include "cold/cache.h"

struct column {
    struct cold_page **pages;
    uint32_t n, cap;
    struct cold_page *last; /* found last */
};

/* What decoding a page needs besides the page. */
struct scratch {
    struct tsfs_pq_scratch *pq;
    struct tsfs_arena wide; /* numbers before they are narrowed */
    struct scratch *next;
};

struct cold_pages {
    struct tsfs_segment *segment;
    struct tsfs_scan_stats *stats;
    struct scratch *scratch; /* taken when a page is to be decoded */
    bool shared;
    struct column *columns;
    uint32_t *held; /* the columns that have pages */
    uint32_t nheld;
    char *room; /* for vectors: cap bytes, used of them taken; what did not fit is in run, wanted bytes */
    size_t cap, used, wanted;
    struct tsfs_arena run;
    /* the plan, the row up to which the kernel knows of it, and the one at which it is told of more */
    const uint32_t *plan_columns, *plan_list, *plan_pos, *plan_n;
    uint32_t nplan_columns;
    uint64_t told, again;
    uint32_t ahead; /* rows of one series that it is told of */
};

/* ---- scratches: they outlive cursors, as making one costs as much as decoding some pages ---- */

#define SCRATCHES    8u
#define SCRATCH_MOST (4u << 20) /* bytes; a larger one is not kept */

static pthread_mutex_t scratch_lock = PTHREAD_MUTEX_INITIALIZER;
static struct scratch *scratches;
static unsigned nscratches;

static void scratch_free(struct scratch *s)
{
    tsfs_pq_scratch_free(s->pq);
    tsfs_arena_free(&s->wide);
    free(s);
}

static struct scratch *scratch_take(void)
{
    pthread_mutex_lock(&scratch_lock);
    struct scratch *s = scratches;
    if (s) {
        scratches = s->next;
        nscratches--;
    }
    pthread_mutex_unlock(&scratch_lock);
    if (s || !(s = calloc(1, sizeof(*s))))
        return s;
    tsfs_arena_init(&s->wide, NULL);
    if (tsfs_pq_scratch_create(&s->pq) != 0) {
        scratch_free(s);
        return NULL;
    }
    return s;
}

static void scratch_give(struct scratch *s)
{
    bool keep = s && tsfs_pq_scratch_bytes(s->pq) + s->wide.used <= SCRATCH_MOST;
    if (!s)
        return;
    pthread_mutex_lock(&scratch_lock);
    keep = keep && nscratches < SCRATCHES;
    if (keep) {
        s->next = scratches;
        scratches = s;
        nscratches++;
    }
    pthread_mutex_unlock(&scratch_lock);
    if (!keep)
        scratch_free(s);
}

int pages_create(struct tsfs_segment *s, bool shared, struct tsfs_scan_stats *stats, struct cold_pages **out)
{
    uint32_t ncolumns = s->index->ncolumns;
    struct cold_pages *p = calloc(1, sizeof(*p) + ncolumns * (sizeof(*p->columns) + sizeof(*p->held)));
    if (!p)
        return -ENOMEM;
    p->segment = s;
    p->stats = stats;
    p->shared = shared;
    p->columns = (struct column *)(p + 1);
    p->held = (uint32_t *)(p->columns + ncolumns);
    tsfs_arena_init(&p->run, NULL);
    *out = p;
    return 0;
}

void pages_free(struct cold_pages *p)
{
    if (!p)
        return;
    p->wanted = 0; /* there is no next time */
    pages_focus(p, 0, 0);
    for (uint32_t i = 0; i < p->segment->index->ncolumns; i++)
        free(p->columns[i].pages);
    scratch_give(p->scratch);
    tsfs_arena_free(&p->run);
    free(p->room);
    free(p);
}

#define ROOM_MOST (2u << 20)

/* Memory until the next focus. */
static void *take_room(struct cold_pages *p, size_t n)
{
    n = (n + 63) & ~(size_t)63;
    if (n <= p->cap - p->used) {
        void *at = p->room + p->used;
        p->used += n;
        return at;
    }
    p->wanted += n;
    return tsfs_arena_alloc(&p->run, n);
}

void pages_focus(struct cold_pages *p, uint64_t row, uint64_t end)
{
    uint32_t nheld = 0;
    tsfs_arena_reset(&p->run);
    if (p->wanted && p->cap < ROOM_MOST) { /* so that next time it fits */
        size_t cap = p->used + p->wanted;
        free(p->room);
        p->cap = cap < ROOM_MOST ? cap : ROOM_MOST;
        p->room = malloc(p->cap);
        if (!p->room)
            p->cap = 0;
    }
    p->used = p->wanted = 0;
    for (uint32_t i = 0; i < p->nheld; i++) {
        struct column *c = &p->columns[p->held[i]];
        uint32_t kept = 0;
        for (uint32_t k = 0; k < c->n; k++) {
            struct cold_page *page = c->pages[k];
            if (page->row < end && page->end > row)
                c->pages[kept++] = page;
            else
                cold_page_release(page);
        }
        c->last = kept ? c->pages[kept - 1] : NULL;
        c->n = kept;
        if (kept)
            p->held[nheld++] = p->held[i];
    }
    p->nheld = nheld;
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

/* The values of a decimal column, in place. */
static void to_doubles(struct tsfs_vec *vec, uint32_t nrows, unsigned digits)
{
    double unit = tsfs_decimal_unit(digits), *d = (double *)vec->data;
    const int64_t *i = vec->i;
    uint32_t n = vec->constant ? 1 : nrows;
    for (uint32_t k = 0; k < n; k++) {
        double v = tsfs_decimal_double(i[k], unit);
        memcpy(&d[k], &v, sizeof(v));
    }
    vec->type = TSFS_DOUBLE;
}

void pages_plan(struct cold_pages *p, const uint32_t *columns, uint32_t ncolumns, const uint32_t *list,
                const uint32_t *pos, const uint32_t *n)
{
    p->plan_columns = columns;
    p->nplan_columns = ncolumns;
    p->plan_list = list;
    p->plan_pos = pos;
    p->plan_n = n;
}

#define AHEAD_ROWS   (256u << 10) /* of all series that the kernel is told of at once */
#define AHEAD_SERIES (16u << 10)  /* rows of one series at first: it may be asked for but for a short time */
#define AHEAD_LIST   1024u        /* series that are looked at */
#define AHEAD_GAP    (32u << 10)  /* bytes that are rather read than skipped */

/* Tells the kernel of column's pages with rows [row, end), all in one row group. */
static void tell(struct cold_pages *p, uint32_t column, uint32_t group, uint64_t row, uint64_t end,
                 uint64_t *from, uint64_t *to)
{
    struct tsfs_pq_chunk *chunk;
    uint32_t npages;
    if (segment_chunk(p->segment, group, column, &chunk, NULL) != 0)
        return; /* reading it will say why */
    const struct tsfs_pq_page *pages = tsfs_pq_chunk_pages(chunk, &npages);
    uint64_t first_row = p->segment->index->group_row[group];
    const struct tsfs_pq_page *first = &pages[tsfs_pq_chunk_find(chunk, row - first_row)];
    const struct tsfs_pq_page *last = &pages[tsfs_pq_chunk_find(chunk, end - 1 - first_row)];
    if (*to && first->offset >= *from && first->offset <= *to + AHEAD_GAP) {
        if (last->offset + last->size > *to)
            *to = last->offset + last->size;
        return;
    }
    if (*to > *from)
        (void)posix_fadvise(p->segment->fd, (off_t)*from, (off_t)(*to - *from), POSIX_FADV_WILLNEED);
    *from = first->offset;
    *to = last->offset + last->size;
}

/* Tells the kernel of one column's rows from row on; returns the row up to which it did. */
static uint64_t tell_column(struct cold_pages *p, uint32_t column, uint64_t row)
{
    struct cold_index *ix = p->segment->index;
    uint64_t from = 0, to = 0, at = row;
    uint32_t i = *p->plan_pos ? *p->plan_pos - 1 : 0;
    uint32_t stop_at = *p->plan_n - i < AHEAD_LIST ? *p->plan_n : i + AHEAD_LIST;
    bool cut = false;
    for (uint32_t rows = 0; i < stop_at && rows < AHEAD_ROWS && !cut; i++) {
        const struct cold_series_slice *s;
        if (cold_index_series(ix, p->plan_list[i] / COLD_SLICE, &s, NULL) != 0)
            break;
        uint64_t first = s->row[p->plan_list[i] % COLD_SLICE], end = s->row[p->plan_list[i] % COLD_SLICE + 1];
        if (end <= at)
            continue;
        at = first > at ? first : at;
        if (end - at > p->ahead) {
            end = at + p->ahead;
            cut = true;
        }
        rows += (uint32_t)(end - at);
        while (at < end) {
            uint32_t group = group_of(ix, at);
            uint64_t stop = ix->group_row[group + 1] < end ? ix->group_row[group + 1] : end;
            tell(p, column, group, at, stop, &from, &to);
            at = stop;
        }
    }
    if (to > from)
        (void)posix_fadvise(p->segment->fd, (off_t)from, (off_t)(to - from), POSIX_FADV_WILLNEED);
    return at;
}

/* The page with row is not in the cache: tells the kernel of it and of what follows. */
static void tell_ahead(struct cold_pages *p, uint64_t row)
{
    if (!p->plan_list || row < p->again)
        return;
    /* Who goes on in a series wants more of it; so does who reads past the cache, which is to read
     * everything. */
    bool on = row <= p->told && p->again;
    p->ahead = p->shared && !on                        ? AHEAD_SERIES
               : p->ahead && p->ahead < AHEAD_ROWS / 2 ? 2 * p->ahead
                                                       : AHEAD_ROWS;
    uint64_t from = row > p->told ? row : p->told, told = from;
    for (uint32_t c = 0; c < p->nplan_columns; c++) {
        uint64_t at = tell_column(p, p->plan_columns[c], from);
        told = at > told ? at : told;
    }
    p->told = told;
    p->again = from + (told - from) / 2 > row ? from + (told - from) / 2 : row + 1;
}

/* Puts the n values that were decoded to the scratch into page: whole numbers as narrow as they are. */
static int keep(struct cold_page *page, uint32_t n)
{
    struct tsfs_vec *vec = &page->vec;
    size_t valid = vec->valid ? tsfs_bit_words(n) * sizeof(uint64_t) : 0;
    bool narrow =
        tsfs_type_is_int64(vec->type) && narrow_plan(vec->i, n, vec->type == TSFS_TIMESTAMP, &page->narrow);
    size_t bytes = n * (size_t)(narrow ? page->narrow.width : tsfs_type_width(vec->type));
    if (slab_alloc(valid + bytes, &page->block) != 0)
        return -ENOMEM;
    char *data = page->block.data;
    if (valid)
        vec->valid = memcpy(data, vec->valid, valid);
    data += valid;
    if (narrow) {
        narrow_pack(&page->narrow, vec->i, n, data);
        page->narrow.data = data;
        vec->data = NULL;
    } else {
        vec->data = memcpy(data, vec->data, bytes);
    }
    return 0;
}

static int decode(struct cold_pages *p, uint32_t column, struct tsfs_pq_chunk *chunk, uint32_t number,
                  struct cold_page **out, struct tsfs_error *err)
{
    const struct tsfs_pq_column *c = &tsfs_pq_reader_info(p->segment->reader)->columns[column];
    bool strings = c->type == TSFS_VARCHAR;
    uint32_t npages, n = tsfs_pq_chunk_pages(chunk, &npages)[number].nrows;
    struct cold_page *page = cold_page_create();
    if (!page || (!p->scratch && !(p->scratch = scratch_take()))) {
        cold_page_release(page);
        return tsfs_error_set(err, -ENOMEM, "out of memory");
    }
    tsfs_arena_reset(&p->scratch->wide);
    int rc = tsfs_pq_chunk_read(chunk, number, p->scratch->pq, strings ? &page->arena : &p->scratch->wide,
                                &page->vec, err);
    if (rc == 0 && c->logical == TSFS_PQ_DECIMAL && page->vec.type == TSFS_BIGINT)
        to_doubles(&page->vec, n, c->scale);
    if (rc == 0 && !strings) {
        rc = keep(page, page->vec.constant ? 1 : n);
        if (rc)
            tsfs_error_set(err, rc, "out of memory");
    }
    if (rc) {
        cold_page_release(page);
        return rc;
    }
    *out = page;
    return 0;
}

/* The page of column that holds row, from the cache or the file; counted. */
static int get_page(struct cold_pages *p, uint32_t column, uint64_t row, struct cold_page **out,
                    struct tsfs_error *err)
{
    const struct cold_index *ix = p->segment->index;
    uint32_t group = group_of(ix, row), npages;
    struct tsfs_pq_chunk *chunk;
    int rc = segment_chunk(p->segment, group, column, &chunk, err);
    if (rc)
        return rc;
    uint32_t i = tsfs_pq_chunk_find(chunk, row - ix->group_row[group]);
    uint64_t number = (uint64_t)group << 32 | i;
    if (p->shared && (*out = cold_cache_find(p->segment->number, column, number)) != NULL) {
        p->stats->pages_cached++;
        return 0;
    }
    tell_ahead(p, row);
    rc = decode(p, column, chunk, i, out, err);
    if (rc)
        return rc;
    const struct tsfs_pq_page *pages = tsfs_pq_chunk_pages(chunk, &npages);
    (*out)->row = ix->group_row[group] + pages[i].first_row;
    (*out)->end = (*out)->row + pages[i].nrows;
    p->stats->pages_read++;
    p->stats->bytes_read += pages[i].size;
    if (p->shared) {
        atomic_store_explicit(&p->segment->cached, true, memory_order_relaxed);
        *out = cold_cache_add(p->segment->number, column, number, *out);
    }
    return 0;
}

/* The page of column that holds row; the cursor keeps it. */
static int find_page(struct cold_pages *p, uint32_t column, uint64_t row, struct cold_page **out,
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
    if (TSFS_ARRAY_ROOM(c->pages, c->n, c->cap, 4) != 0)
        return tsfs_error_set(err, -ENOMEM, "out of memory");
    int rc = get_page(p, column, row, out, err);
    if (rc)
        return rc;
    if (c->n == 0)
        p->held[p->nheld++] = column;
    c->pages[c->n++] = c->last = *out;
    return 0;
}

/* ---- vectors ---- */

struct tsfs_vec cold_vec_null(enum tsfs_type type)
{
    static const uint64_t zeros[2];
    return (struct tsfs_vec){.type = type, .constant = true, .data = zeros, .valid = zeros};
}

/* Validity of rows [row, row + n) from bit 0 on. */
static int slice_valid(const uint64_t *valid, uint32_t row, uint32_t n, struct tsfs_arena *arena,
                       const uint64_t **out)
{
    *out = valid;
    if (!valid || row == 0)
        return 0;
    if (row % 64 == 0) {
        *out = valid + row / 64;
        return 0;
    }
    uint64_t *bits = tsfs_arena_alloc(arena, tsfs_bit_words(n) * sizeof(*bits));
    if (!bits)
        return -ENOMEM;
    tsfs_bits_copy(bits, valid, row, n);
    *out = bits;
    return 0;
}

int cold_vec_slice(const struct tsfs_vec *vec, uint32_t row, uint32_t n, struct tsfs_arena *arena,
                   struct tsfs_vec *out)
{
    *out = *vec;
    if (vec->constant || row == 0)
        return 0;
    out->data = (const char *)vec->data + (size_t)row * tsfs_type_width(vec->type);
    return slice_valid(vec->valid, row, n, arena, &out->valid);
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

/* n rows of page from `row` of it on. */
static int slice(struct cold_pages *p, const struct cold_page *page, uint32_t row, uint32_t n,
                 struct tsfs_vec *out)
{
    if (page->vec.data)
        return cold_vec_slice(&page->vec, row, n, &p->run, out);
    *out = page->vec;
    if (page->vec.constant) {
        row = 0;
        n = 1;
    }
    int64_t *wide = take_room(p, n * sizeof(*wide));
    if (!wide)
        return -ENOMEM;
    narrow_read(&page->narrow, row, n, wide);
    out->i = wide;
    return slice_valid(page->vec.valid, row, n, &p->run, &out->valid);
}

int pages_read(struct cold_pages *p, uint32_t column, uint64_t row, uint32_t n, struct tsfs_vec *out,
               struct tsfs_error *err)
{
    struct cold_page *page;
    struct tsfs_vec part;
    int rc = find_page(p, column, row, &page, err);
    if (rc)
        return rc;
    if (row + n <= page->end) {
        rc = slice(p, page, (uint32_t)(row - page->row), n, out);
        return rc ? tsfs_error_set(err, rc, "out of memory") : 0;
    }
    enum tsfs_type type = p->segment->index->columns[column].type;
    size_t bytes = (size_t)n * tsfs_type_width(type), words = tsfs_bit_words(n) + 1;
    char *data = take_room(p, bytes);
    uint64_t *valid = take_room(p, words * sizeof(*valid));
    if (!data || !valid)
        return tsfs_error_set(err, -ENOMEM, "out of memory");
    memset(data, 0, bytes);
    memset(valid, 0, words * sizeof(*valid));
    bool nulls = false;
    for (uint32_t done = 0;;) {
        uint64_t left = page->end - (row + done);
        uint32_t k = left < n - done ? (uint32_t)left : n - done;
        rc = slice(p, page, (uint32_t)(row + done - page->row), k, &part);
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
        int64_t *t = take_room(p, n * sizeof(*t));
        if (!t)
            return tsfs_error_set(err, -ENOMEM, "out of memory");
        for (uint32_t i = 0; i < n; i++)
            t[i] = vec.i[0];
        vec.i = t;
    }
    *out = vec.i;
    return 0;
}
