/* One column chunk: its dictionary, its pages, and what the footer and the indexes will say of them.
 * Which encoding: chunk_choose.c.
 *
 * Pages end where the caller says.  Strings in runs (dimensions) are not expanded: a dictionary of few
 * entries, and its codes in runs as given.  Only those of a few thousand rows are, as there the header of the
 * dictionary's page can be more than what it spares: a host's name a hundred times over is one match for
 * zstd. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "parquet/chunk.h"

#define EVEN_LEAST (1u << 8)  /* entries of a dictionary for even codes: what one byte does not hold, */
#define EVEN_MOST  (1u << 16) /* and two do */

#define FEW_ROWS  4096u       /* of a chunk whose runs are worth expanding, ... */
#define FEW_BYTES (64u << 10) /* ... if its strings are then no more than this */

const struct pq_way_facts pq_ways[NWAYS] = {
    [DELTA_SMALL] = {TSFS_PQ_DELTA_BINARY_PACKED, {.block = 128, .miniblock = 32}},
    [DELTA_SMALL_ROUNDED] = {TSFS_PQ_DELTA_BINARY_PACKED,
                             {.block = 128, .miniblock = 32, .round_widths = true}},
    [DELTA_LARGE] = {TSFS_PQ_DELTA_BINARY_PACKED, {.block = 2048, .miniblock = 256}},
    [DELTA_LARGE_ROUNDED] = {TSFS_PQ_DELTA_BINARY_PACKED,
                             {.block = 2048, .miniblock = 256, .round_widths = true}},
    [CODES] = {TSFS_PQ_RLE_DICTIONARY, .coded = true},
    [CODES_ROUNDED] = {TSFS_PQ_RLE_DICTIONARY, .coded = true},
    [CODES_EVEN] = {TSFS_PQ_RLE_DICTIONARY, .coded = true},
    [SPLIT] = {TSFS_PQ_BYTE_STREAM_SPLIT},
    [PLAIN] = {TSFS_PQ_PLAIN},
    [LENGTHS] = {TSFS_PQ_DELTA_LENGTH_BYTE_ARRAY},
    [PREFIXES] = {TSFS_PQ_DELTA_BYTE_ARRAY},
    [RLE_BOOLS] = {TSFS_PQ_RLE},
};

static unsigned code_width(const struct pq_encoder *e, enum pq_way c)
{
    if (c == CODES_EVEN)
        return 16;
    if (c == CODES_ROUNDED)
        return e->width <= 8 ? 8 : e->width <= 16 ? 16 : 32;
    return e->width;
}

/* Values [from, from + n) as codes. */
static int encode_codes(struct pq_encoder *e, enum pq_way c, size_t from, size_t n)
{
    struct tsfs_buf *out = &e->pages.values;
    uint8_t width = (uint8_t)code_width(e, c);
    if (tsfs_buf_append(out, &width, 1))
        return -ENOMEM;
    pq_rle_begin(&e->rle, width, out);
    if (c != CODES_EVEN)
        pq_rle_put_all(&e->rle, e->codes + from, n);
    for (size_t i = 0; c == CODES_EVEN && i < n;) {
        uint32_t some[1024];
        size_t k = 0;
        for (; k < sizeof(some) / sizeof(some[0]) && i < n; k++, i++)
            some[k] = e->even_codes[e->codes[from + i]];
        pq_rle_put_all(&e->rle, some, k);
    }
    return pq_rle_end(&e->rle);
}

static int encode_bools(struct pq_encoder *e, const uint8_t *v, size_t n, struct tsfs_buf *out)
{
    uint32_t len = 0;
    size_t at = out->len;
    pq_collect_bits(v, e->bits, n);
    int r = tsfs_buf_append(out, &len, 4);
    if (!r)
        r = pq_rle_encode_bits(e->bits, n, out);
    if (r)
        return r;
    len = (uint32_t)(out->len - at - 4);
    memcpy(out->data + at, &len, 4);
    return 0;
}

int pq_encode_span(struct pq_encoder *e, enum pq_way c, size_t from, size_t n)
{
    const struct pq_source *s = e->s;
    struct tsfs_buf *out = &e->pages.values;
    const char *v = (const char *)s->values + from * pq_kind_width(s->kind);
    struct pq_delta_shape shape = pq_ways[c].shape;

    switch (c) {
    case CODES:
    case CODES_ROUNDED:
    case CODES_EVEN: return encode_codes(e, c, from, n);
    case SPLIT: return pq_split_encode((const uint64_t *)(const void *)v, n, out);
    case PLAIN:
        if (s->kind == PQ_STRINGS)
            return pq_bytes_plain_encode((const struct tsfs_str *)(const void *)v, n, out);
        if (s->column->physical == TSFS_PQ_INT32)
            return pq_narrow_encode((const int64_t *)(const void *)v, n, out);
        return tsfs_buf_append(out, v, n * 8);
    case LENGTHS: return pq_bytes_lengths_encode((const struct tsfs_str *)(const void *)v, n, out);
    case PREFIXES: return pq_bytes_prefix_encode((const struct tsfs_str *)(const void *)v, n, out);
    case RLE_BOOLS: return encode_bools(e, (const uint8_t *)v, n, out);
    default:
        shape.narrow = s->column->physical == TSFS_PQ_INT32;
        return pq_delta_encode((const int64_t *)(const void *)v, n, &shape, out);
    }
}

/* Entries with the gaps that even codes leave, which repeat the entry before. */
static int encode_gaps(struct pq_encoder *e, struct tsfs_buf *out, uint32_t *entries)
{
    const struct pq_dict *d = &e->dict;
    uint32_t n = e->even_codes[d->n - 1] + 1, from = 0;
    int r = tsfs_buf_reserve(out, (size_t)n * 8);
    if (r)
        return r;
    char *to = out->data + out->len;
    for (uint32_t i = 0; i < n; i++) {
        if (from + 1 < d->n && e->even_codes[from + 1] <= i)
            from++;
        memcpy(to + (size_t)i * 8, &d->numbers[from], 8);
    }
    out->len += (size_t)n * 8;
    *entries = n;
    return 0;
}

int pq_encode_dictionary(struct pq_encoder *e, enum pq_way c, uint32_t *entries)
{
    const struct pq_dict *d = &e->dict;
    struct tsfs_buf *out = &e->pages.values;
    *entries = d->n;
    if (c == CODES_EVEN)
        return encode_gaps(e, out, entries);
    if (e->s->kind == PQ_STRINGS)
        return pq_bytes_plain_encode(d->strings, d->n, out);
    if (e->s->column->physical == TSFS_PQ_INT32)
        return pq_narrow_encode((const int64_t *)d->numbers, d->n, out);
    return tsfs_buf_append(out, d->numbers, (size_t)d->n * 8);
}

/* The codes of the third way, if it is one for this dictionary. */
static int spread_evenly(struct pq_encoder *e, struct tsfs_arena *arena)
{
    uint32_t n = e->dict.n, base = 1;
    if (n <= EVEN_LEAST || n > EVEN_MOST || e->s->kind == PQ_STRINGS ||
        e->s->column->physical == TSFS_PQ_INT32)
        return 0;
    while (base * base < n)
        base++;
    e->even_codes = tsfs_arena_alloc(arena, n * sizeof(*e->even_codes));
    if (!e->even_codes)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++)
        e->even_codes[i] = i / base << 8 | i % base;
    return 0;
}

/* Whether a chunk in runs is better looked at as so many values. */
static bool few_strings(const struct pq_source *s)
{
    size_t bytes = 0;
    if (!s->runs || s->nrows > FEW_ROWS)
        return false;
    for (uint32_t i = 0; i < s->runs->nruns && bytes <= FEW_BYTES; i++)
        if (!tsfs_vec_null(&s->runs->vec, i))
            bytes += s->runs->vec.s[i].len * (s->runs->run_end[i] - (i ? s->runs->run_end[i - 1] : 0));
    return bytes <= FEW_BYTES;
}

static int build_dictionary(struct pq_encoder *e, struct tsfs_arena *arena)
{
    struct pq_source *s = e->s;
    size_t n = s->runs ? s->runs->nruns : s->nvalues;
    if (s->kind == PQ_BOOLS || s->nvalues == 0)
        return 0;
    e->codes = tsfs_arena_alloc(arena, n * sizeof(*e->codes));
    if (!e->codes)
        return -ENOMEM;
    int r;
    if (s->runs)
        r = pq_dict_strings(s->runs->vec.s, s->runs->vec.valid, n, s->nrows, arena, &e->dict, e->codes);
    else if (s->kind == PQ_STRINGS)
        r = pq_dict_strings(s->values, NULL, n, n, arena, &e->dict, e->codes);
    else
        r = pq_dict_numbers(s->values, n, s->kind, arena, &e->dict, e->codes);
    if (r < 0)
        return r;
    if (r == 1) {
        e->codes = NULL;
        return s->runs ? pq_source_expand(s, arena) : 0;
    }
    e->width = pq_width(e->dict.n - 1);
    if (e->width == 0)
        e->width = 1; /* width 0 is legal but a rarity that some readers stumble over */
    return spread_evenly(e, arena);
}

/* Levels of rows [from, to) that no run describes. */
static int put_levels(struct pq_encoder *e, uint32_t from, uint32_t to, uint32_t nulls)
{
    const struct pq_source *s = e->s;
    struct tsfs_buf *out = &e->pages.levels;
    out->len = 0;
    if (!s->column->optional)
        return 0;
    if (nulls == 0 || nulls == to - from) {
        pq_rle_begin(&e->rle, 1, out);
        pq_rle_put(&e->rle, nulls == 0, to - from);
        return pq_rle_end(&e->rle);
    }
    tsfs_bits_copy(e->bits, s->valid, from, to - from);
    return pq_rle_encode_bits(e->bits, to - from, out);
}

static void bounds_of_codes(const struct pq_encoder *e, const uint32_t *codes, size_t n, struct pq_bounds *b)
{
    uint32_t min = UINT32_MAX, max = 0;
    for (size_t i = 0; i < n; i++) {
        min = codes[i] < min ? codes[i] : min;
        max = codes[i] > max ? codes[i] : max;
    }
    *b = (struct pq_bounds){.any = n > 0};
    if (n) {
        b->min.s = e->dict.strings[min];
        b->max.s = e->dict.strings[max];
    }
}

static int put_flat_page(struct pq_encoder *e, enum pq_way c, uint32_t p, struct pq_bounds *b)
{
    const struct pq_source *s = e->s;
    uint32_t from = p ? s->page_end[p - 1] : 0, to = s->page_end[p];
    size_t at = s->page_value[p], n = s->page_value[p + 1] - at;
    uint32_t nulls = to - from - (uint32_t)n;
    if (s->kind == PQ_STRINGS && e->codes)
        bounds_of_codes(e, e->codes + at, n, b);
    else
        pq_bounds_of(s->kind, (const char *)s->values + at * pq_kind_width(s->kind), n, b);
    b->nulls = nulls;
    int r = put_levels(e, from, to, nulls);
    if (!r)
        r = pq_encode_span(e, c, at, n);
    return r ? r : pq_page_put_data(&e->pages, p, from, to - from, nulls, pq_ways[c].encoding);
}

/* *run: the one that holds the page's first row; moved on to the next page's. */
static int put_run_page(struct pq_encoder *e, uint32_t p, uint32_t *run, struct pq_bounds *b)
{
    const struct pq_source *s = e->s;
    const struct tsfs_pq_chunk_values *runs = s->runs;
    uint32_t from = p ? s->page_end[p - 1] : 0, to = s->page_end[p], nulls = 0, first = *run, at = from;
    uint32_t min = UINT32_MAX, max = 0;
    uint8_t width = (uint8_t)e->width;
    struct tsfs_buf *out = &e->pages.levels;
    int r = 0;

    out->len = e->pages.values.len = 0;
    pq_rle_begin(&e->rle, 1, out);
    for (uint32_t i = first; at < to; i++) {
        uint32_t end = runs->run_end[i] < to ? runs->run_end[i] : to;
        bool valid = !tsfs_vec_null(&runs->vec, i);
        nulls += valid ? 0 : end - at;
        pq_rle_put(&e->rle, valid, end - at);
        at = end;
        *run = i + (runs->run_end[i] == to);
    }
    r = pq_rle_end(&e->rle);
    if (!s->column->optional)
        out->len = 0;
    out = &e->pages.values;
    if (!r)
        r = tsfs_buf_append(out, &width, 1);
    if (r)
        return r;
    pq_rle_begin(&e->rle, e->width, out);
    at = from;
    for (uint32_t i = first; at < to; i++) {
        uint32_t end = runs->run_end[i] < to ? runs->run_end[i] : to;
        if (!tsfs_vec_null(&runs->vec, i)) {
            uint32_t code = e->codes[i];
            pq_rle_put(&e->rle, code, end - at);
            min = code < min ? code : min;
            max = code > max ? code : max;
        }
        at = end;
    }
    r = pq_rle_end(&e->rle);
    *b = (struct pq_bounds){.nulls = nulls, .any = nulls < to - from};
    if (b->any) {
        b->min.s = e->dict.strings[min];
        b->max.s = e->dict.strings[max];
    }
    return r ? r : pq_page_put_data(&e->pages, p, from, to - from, nulls, TSFS_PQ_RLE_DICTIONARY);
}

/* The chunk's bounds outlive the values that they point to. */
static int keep_bounds(struct tsfs_pq_encoded *out)
{
    struct tsfs_str min = out->bounds.min.s, max = out->bounds.max.s;
    int r = tsfs_buf_append(&out->strings, min.len ? min.ptr : "", min.len);
    if (!r)
        r = tsfs_buf_append(&out->strings, max.len ? max.ptr : "", max.len);
    if (r)
        return r;
    const char *p = tsfs_buf_str(&out->strings).ptr;
    out->bounds.min.s = (struct tsfs_str){p, min.len};
    out->bounds.max.s = (struct tsfs_str){p + min.len, max.len};
    return 0;
}

static int put_bloom(struct pq_encoder *e, struct tsfs_pq_encoded *out)
{
    const struct pq_source *s = e->s;
    if (!s->column->bloom || s->nvalues == 0)
        return 0;
    if (e->codes)
        return pq_bloom_build(s->column, s->kind,
                              s->kind == PQ_STRINGS ? (const void *)e->dict.strings : e->dict.numbers,
                              e->dict.n, &out->bloom);
    return pq_bloom_build(s->column, s->kind, s->values, s->nvalues, &out->bloom);
}

/* Writes the dictionary page anew without compression, as no page of the chunk has shrunk. */
static int store_dictionary(struct pq_encoder *e, enum pq_way way, struct tsfs_pq_encoded *out)
{
    struct tsfs_buf old = out->data;
    uint32_t was = out->dictionary_size;
    out->data = (struct tsfs_buf){0};
    e->pages.values.len = 0;
    uint32_t entries;
    int r = pq_encode_dictionary(e, way, &entries);
    if (!r)
        r = pq_page_put_dictionary(&e->pages, entries, e->s->kind != PQ_DOUBLES, false);
    if (!r)
        r = tsfs_buf_append(&out->data, old.data + was, old.len - was);
    tsfs_buf_free(&old);
    for (uint32_t p = 0; p < out->npages; p++)
        out->pages[p].offset = out->pages[p].offset - was + out->dictionary_size;
    out->uncompressed_size = out->data.len;
    return r;
}

int pq_chunk_encode(struct pq_source *s, int zstd_level, struct tsfs_arena *arena,
                    struct tsfs_pq_encoded *out)
{
    struct pq_encoder *e = TSFS_NEW(arena, struct pq_encoder);
    struct pq_bounds *bounds = TSFS_NEW_ARRAY(arena, struct pq_bounds, s->npages);
    uint32_t *rows = TSFS_NEW_ARRAY(arena, uint32_t, s->npages), largest = 0, run = 0;
    struct pq_choice choice = {PLAIN, false};
    uint32_t entries;
    int r = -ENOMEM;
    if (!e || !bounds || !rows)
        return r;
    e->s = s;
    for (uint32_t p = 0; p < s->npages; p++) {
        rows[p] = s->page_end[p] - (p ? s->page_end[p - 1] : 0);
        largest = rows[p] > largest ? rows[p] : largest;
    }
    e->bits = TSFS_NEW_ARRAY(arena, uint64_t, tsfs_bit_words(largest) + 1);
    out->npages = s->npages;
    out->pages = calloc(s->npages, sizeof(*out->pages));
    if (!e->bits || !out->pages)
        return r;

    r = pq_page_writer_init(&e->pages, zstd_level, out);
    if (!r && few_strings(s))
        r = pq_source_expand(s, arena);
    if (!r)
        r = build_dictionary(e, arena);
    if (!r)
        r = pq_choose(e, zstd_level, &choice);
    if (r)
        goto out;
    if (pq_ways[choice.way].coded) {
        e->pages.values.len = 0;
        r = pq_encode_dictionary(e, choice.way, &entries);
        if (!r)
            r = pq_page_put_dictionary(&e->pages, entries, s->kind != PQ_DOUBLES, true);
    }
    for (uint32_t p = 0; p < s->npages && !r; p++) {
        e->pages.values.len = 0;
        r = s->runs ? put_run_page(e, p, &run, &bounds[p]) : put_flat_page(e, choice.way, p, &bounds[p]);
        pq_bounds_merge(s->kind, &out->bounds, &bounds[p]);
    }
    if (!r && !out->compressed && out->dictionary_size)
        r = store_dictionary(e, choice.way, out);
    if (r)
        goto out;
    pq_choice_learn(e, &choice, out->data.len);
    out->encoding = pq_ways[choice.way].encoding;
    out->nrows = s->nrows;
    r = pq_column_index_write(s->column, s->kind, bounds, rows, s->npages, &out->column_index);
    if (!r && s->kind == PQ_STRINGS && out->bounds.any)
        r = keep_bounds(out);
    if (!r)
        r = put_bloom(e, out);
out:
    pq_page_writer_free(&e->pages);
    return r;
}
