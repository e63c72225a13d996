/* One column chunk: which encoding, then its pages.
 *
 * Nothing predicts what zstd will make of an encoding's bytes, so the candidates are tried: a few stretches
 * of the chunk (about thirty thousand values) are encoded and compressed in every way that fits the type, and
 * the smallest sum wins; a dictionary also carries the size of its page.  A later candidate must be smaller
 * by a few percent, as the earlier ones decode faster:
 *
 *     BOOLEAN      RLE, always
 *     INT32/INT64  DELTA_BINARY_PACKED in four shapes; dictionary, codes at their own width or at whole bytes
 *     DOUBLE       dictionary (both ways), BYTE_STREAM_SPLIT, PLAIN
 *     BYTE_ARRAY   dictionary (both ways), DELTA_LENGTH_BYTE_ARRAY, DELTA_BYTE_ARRAY, PLAIN
 *
 * Strings in runs (dimensions) do not need the trial: a dictionary of few entries, its codes in runs as
 * given.
 *
 * Then the winner is tried once more at a level that costs some ten times the effort.  On most data it gains
 * next to nothing; where values go to and fro in a narrow band (a price, a load in percent) its finer choice
 * of matches is worth five percent and more, and only there it is used.  For pages of up to 16 KiB, for which
 * zstd has levels of their own, there is one on the way that costs half of that and mostly gains as much; not
 * so of many dictionary codes, where it leaves two percent.
 *
 * Of a small chunk nothing is a sample: the sizes compared are those of its pages, headers included, and the
 * smallest wins.  If nothing in it shrinks, its dictionary is no zstd frame either.
 *
 * All this is worth its effort on many values.  Files of few rows come in great numbers, a partition each,
 * and the same column of the next one is much like that of the last; so the outcome of a trial is kept by
 * whoever writes them (struct tsfs_pq_habit), and serves for chunks of about as many values, a number of
 * times, unless one comes out larger or smaller than it should.
 *
 * Codes at whole bytes: the width of dictionary indices is the writer's choice as long as they fit.  With 7
 * or 14 bits, values do not start on bytes and zstd finds neither repeats nor a skewed distribution; with 8
 * or 16 it does. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "parquet/writer_priv.h"

enum candidate {
    DELTA_SMALL,         /* blocks of 128 in four miniblocks */
    DELTA_SMALL_ROUNDED, /* the same with rounded widths */
    DELTA_LARGE,         /* blocks of 2048 in eight miniblocks */
    DELTA_LARGE_ROUNDED,
    CODES,         /* dictionary */
    CODES_ROUNDED, /* dictionary, codes in whole bytes */
    SPLIT,
    PLAIN,
    LENGTHS,
    PREFIXES,
    RLE_BOOLS,
    NCANDIDATES
};

static const struct {
    enum tsfs_pq_encoding encoding;
    struct pq_delta_shape shape;
} candidates[NCANDIDATES] = {
    [DELTA_SMALL] = {TSFS_PQ_DELTA_BINARY_PACKED, {.block = 128, .miniblock = 32}},
    [DELTA_SMALL_ROUNDED] = {TSFS_PQ_DELTA_BINARY_PACKED,
                             {.block = 128, .miniblock = 32, .round_widths = true}},
    [DELTA_LARGE] = {TSFS_PQ_DELTA_BINARY_PACKED, {.block = 2048, .miniblock = 256}},
    [DELTA_LARGE_ROUNDED] = {TSFS_PQ_DELTA_BINARY_PACKED,
                             {.block = 2048, .miniblock = 256, .round_widths = true}},
    [CODES] = {TSFS_PQ_RLE_DICTIONARY},
    [CODES_ROUNDED] = {TSFS_PQ_RLE_DICTIONARY},
    [SPLIT] = {TSFS_PQ_BYTE_STREAM_SPLIT},
    [PLAIN] = {TSFS_PQ_PLAIN},
    [LENGTHS] = {TSFS_PQ_DELTA_LENGTH_BYTE_ARRAY},
    [PREFIXES] = {TSFS_PQ_DELTA_BYTE_ARRAY},
    [RLE_BOOLS] = {TSFS_PQ_RLE},
};

#define SAMPLE_SPANS  4
#define SAMPLE_VALUES 8192 /* of one span, at most */
/* Levels of zstd: the first two that weigh matches against the statistics of the rest, for pages up to a
 * size. */
static const struct {
    int level;
    size_t page;
} strong[] = {{13, 16u << 10}, {17, SIZE_MAX}};
enum { STRONG = sizeof(strong) / sizeof(strong[0]) };

#define STRONG_GAIN  0.995       /* what it must make of the size */
#define STRONG_LEAST 48          /* bytes of a chunk that are worth trying */
#define SMALL_CHUNK  4096        /* bytes; of those every one counts */
#define DICT_HEADER  22          /* of a dictionary page, about */
#define DICT_TRIAL   (64u << 10) /* bytes of a dictionary that is worth compressing at two levels */

#define HABIT_VALUES (32u << 10) /* of a chunk for which a habit serves ... */
#define HABIT_USES   24u         /* ... so many times */
#define HABIT_CHANGE 1.125       /* of the size a value, either way, that ends it: these are other data */

struct encoder {
    struct pq_source *s;
    struct pq_page_writer pages;
    struct pq_dict dict;
    uint32_t *codes; /* of values, or of runs; NULL = no dictionary */
    unsigned width;  /* of codes, in bits */
    uint64_t *bits;  /* room for the rows of the largest page */
    struct pq_rle rle;
};

static unsigned code_width(const struct encoder *e, enum candidate c)
{
    if (c == CODES_ROUNDED)
        return e->width <= 8 ? 8 : e->width <= 16 ? 16 : 32;
    return e->width;
}

static int encode_bools(struct encoder *e, const uint8_t *v, size_t n, struct tsfs_buf *out)
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

/* Values [from, from + n) to the page writer's values. */
static int encode_span(struct encoder *e, enum candidate c, size_t from, size_t n)
{
    const struct pq_source *s = e->s;
    struct tsfs_buf *out = &e->pages.values;
    const char *v = (const char *)s->values + from * pq_kind_width(s->kind);
    struct pq_delta_shape shape = candidates[c].shape;
    uint8_t width;

    switch (c) {
    case CODES:
    case CODES_ROUNDED:
        width = (uint8_t)code_width(e, c);
        if (tsfs_buf_append(out, &width, 1))
            return -ENOMEM;
        pq_rle_begin(&e->rle, width, out);
        pq_rle_put_all(&e->rle, e->codes + from, n);
        return pq_rle_end(&e->rle);
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

static int encode_dictionary(struct encoder *e, struct tsfs_buf *out)
{
    const struct pq_dict *d = &e->dict;
    if (e->s->kind == PQ_STRINGS)
        return pq_bytes_plain_encode(d->strings, d->n, out);
    if (e->s->column->physical == TSFS_PQ_INT32)
        return pq_narrow_encode((const int64_t *)d->numbers, d->n, out);
    return tsfs_buf_append(out, d->numbers, (size_t)d->n * 8);
}

/* The summed size of the sampled stretches as candidate c would have them. */
static int try_candidate(struct encoder *e, enum candidate c, size_t *size, size_t *sampled)
{
    const struct pq_source *s = e->s;
    uint32_t spans = s->npages < SAMPLE_SPANS ? s->npages : SAMPLE_SPANS;
    *size = *sampled = 0;
    for (uint32_t i = 0; i < spans; i++) {
        uint32_t p = (uint32_t)((uint64_t)i * s->npages / spans);
        size_t n = s->page_value[p + 1] - s->page_value[p], part;
        if (n > SAMPLE_VALUES)
            n = SAMPLE_VALUES;
        e->pages.values.len = 0;
        int r = encode_span(e, c, s->page_value[p], n);
        if (!r)
            r = pq_page_try(&e->pages, &part);
        if (r)
            return r;
        *size += part;
        *sampled += n;
    }
    e->pages.values.len = 0;
    return 0;
}

static const enum candidate of_ints[] = {DELTA_LARGE, DELTA_LARGE_ROUNDED, DELTA_SMALL, DELTA_SMALL_ROUNDED,
                                         CODES,       CODES_ROUNDED,       NCANDIDATES};
static const enum candidate of_doubles[] = {CODES, CODES_ROUNDED, PLAIN, SPLIT, NCANDIDATES};
static const enum candidate of_strings[] = {CODES, CODES_ROUNDED, LENGTHS, PREFIXES, PLAIN, NCANDIDATES};
static const enum candidate *const candidates_of[] = {
    [PQ_INTS] = of_ints, [PQ_DOUBLES] = of_doubles, [PQ_STRINGS] = of_strings};

/* Whether a chunk can be written in this way. */
static bool can(const struct encoder *e, enum candidate c)
{
    if ((c == CODES || c == CODES_ROUNDED) && !e->codes)
        return false;
    for (const enum candidate *k = candidates_of[e->s->kind]; *k != NCANDIDATES; k++)
        if (*k == c)
            return true;
    return false;
}

static int choose(struct encoder *e, enum candidate *best)
{
    const struct pq_source *s = e->s;
    size_t dictionary = 0;
    double smallest = 0;
    int r = 0;

    if (s->kind == PQ_BOOLS) {
        *best = RLE_BOOLS;
        return 0;
    }
    if (s->runs || s->nvalues == 0) {
        *best = s->runs ? CODES : PLAIN;
        return 0;
    }
    if (e->codes) {
        e->pages.values.len = 0;
        r = encode_dictionary(e, &e->pages.values);
        if (!r)
            r = pq_page_try(&e->pages, &dictionary);
        if (r)
            return r;
        dictionary += DICT_HEADER;
    }
    *best = NCANDIDATES;
    for (const enum candidate *c = candidates_of[s->kind]; *c != NCANDIDATES; c++) {
        bool coded = *c == CODES || *c == CODES_ROUNDED;
        size_t size, sampled;
        if (coded && (!can(e, *c) || (*c == CODES_ROUNDED && (e->width % 8 == 0 || e->width > 16))))
            continue;
        r = try_candidate(e, *c, &size, &sampled);
        if (r)
            return r;
        double whole = sampled ? (double)size * ((double)s->nvalues / (double)sampled) : 0;
        if (coded)
            whole += (double)dictionary;
        if (*best == NCANDIDATES || whole < smallest * (smallest < SMALL_CHUNK ? 1 : 0.97)) {
            *best = *c;
            smallest = whole;
        }
    }
    return 0;
}

/* The size of the chunk as candidate c has it at a level, judged by one page; by three of dictionary codes,
 * which differ more from page to page.  *page = the bytes of the largest before compression. */
static int try_level(struct encoder *e, enum candidate c, int level, double *size, size_t *page)
{
    const struct pq_source *s = e->s;
    bool coded = c == CODES || c == CODES_ROUNDED;
    uint32_t spans = coded && s->npages > 1 ? 3 : 1;
    size_t sum = 0, sampled = 0, part = 0;
    int r = pq_page_level(&e->pages, level);
    *page = 0;
    for (uint32_t i = 0; i < spans && !r; i++) {
        uint32_t p = (uint32_t)((2 * i + 1) * (uint64_t)s->npages / (2 * spans));
        size_t n = s->page_value[p + 1] - s->page_value[p];
        n = n < SAMPLE_VALUES ? n : SAMPLE_VALUES;
        e->pages.values.len = 0;
        r = encode_span(e, c, s->page_value[p], n);
        *page = e->pages.values.len > *page ? e->pages.values.len : *page;
        if (!r)
            r = pq_page_try(&e->pages, &part);
        sum += part;
        sampled += n;
    }
    *size = sampled ? (double)sum * ((double)s->nvalues / (double)sampled) : (double)sum;
    e->pages.values.len = 0;
    if (!r && coded)
        r = encode_dictionary(e, &e->pages.values);
    if (!r && e->pages.values.len > 0 && e->pages.values.len <= DICT_TRIAL) {
        r = pq_page_try(&e->pages, &part);
        *size += (double)part;
    }
    e->pages.values.len = 0;
    return r;
}

/* Goes over to the strong level if that pays, for candidate *c or the same with rounded widths (or without),
 * which may come out the other way there. */
static int choose_level(struct encoder *e, enum candidate *c, int level)
{
    static const enum candidate siblings[NCANDIDATES] = {[DELTA_SMALL] = DELTA_SMALL_ROUNDED,
                                                         [DELTA_SMALL_ROUNDED] = DELTA_SMALL,
                                                         [DELTA_LARGE] = DELTA_LARGE_ROUNDED,
                                                         [DELTA_LARGE_ROUNDED] = DELTA_LARGE,
                                                         [CODES] = CODES_ROUNDED,
                                                         [CODES_ROUNDED] = CODES,
                                                         [SPLIT] = SPLIT,
                                                         [PLAIN] = PLAIN,
                                                         [LENGTHS] = LENGTHS,
                                                         [PREFIXES] = PREFIXES};
    const struct pq_source *s = e->s;
    double least, size;
    size_t page, same;
    if (s->kind == PQ_BOOLS || s->runs || s->nvalues == 0 || level >= strong[0].level)
        return 0;
    int r = try_level(e, *c, level, &least, &page);
    if (r || least < STRONG_LEAST)
        return r;
    bool any = false;
    for (unsigned k = 0; k < STRONG && !r; k++) {
        enum candidate tried[2] = {*c, siblings[*c]};
        bool many_codes = s->nvalues > HABIT_VALUES && (*c == CODES || *c == CODES_ROUNDED);
        if (page > strong[k].page || (many_codes && k + 1 < STRONG))
            continue;
        for (unsigned i = 0; i < (any ? 1 : 2) && !r; i++) { /* the choice of the two is made once */
            if (i > 0 && (tried[1] == tried[0] || (tried[1] == CODES_ROUNDED && e->width % 8 == 0)))
                break;
            r = try_level(e, tried[i], strong[k].level, &size, &same);
            if (!r && size < least * (i == 0 || level != strong[k].level ? STRONG_GAIN : 1)) {
                least = size;
                level = strong[k].level;
                *c = tried[i];
            }
        }
        any = true;
    }
    return r ? r : pq_page_level(&e->pages, level);
}

/* ---- habits ---- */

struct habit {
    unsigned way;     /* 1 + candidate; 0 = none */
    unsigned level;   /* of zstd */
    unsigned uses;    /* since it was tried */
    unsigned fits;    /* chunks that it is for: see fits_of */
    uint32_t density; /* bytes of 256 values */
};

static struct habit habit_get(struct tsfs_pq_habit *h)
{
    uint64_t v = atomic_load_explicit(&h->what, memory_order_relaxed);
    return (struct habit){v & 0x1f, v >> 5 & 0x1f, v >> 10 & 0x3f, v >> 16 & 0xffff, (uint32_t)(v >> 32)};
}

static void habit_set(struct tsfs_pq_habit *h, struct habit x)
{
    uint64_t v = (x.way & 0x1f) | (uint64_t)(x.level & 0x1f) << 5 | (uint64_t)(x.uses & 0x3f) << 10 |
                 (uint64_t)(x.fits & 0xffff) << 16 | (uint64_t)x.density << 32;
    atomic_store_explicit(&h->what, v, memory_order_relaxed);
}

/* The type of the values, whether there is a dictionary, and the size of their number. */
static unsigned fits_of(const struct encoder *e)
{
    const struct pq_source *s = e->s;
    return (unsigned)s->column->physical << 8 | (e->codes != NULL) << 7 |
           (unsigned)(32 - __builtin_clz((unsigned)s->nvalues | 1));
}

static bool has_habit(const struct encoder *e)
{
    const struct pq_source *s = e->s;
    return s->column->habit && s->nvalues > 0 && s->nvalues <= HABIT_VALUES && !s->runs &&
           s->kind != PQ_BOOLS;
}

/* True if there is one for this chunk: *c, and the page writer's level. */
static bool recall(struct encoder *e, enum candidate *c)
{
    if (!has_habit(e))
        return false;
    struct habit x = habit_get(e->s->column->habit);
    if (x.way == 0 || !can(e, (enum candidate)(x.way - 1)) || x.fits != fits_of(e) || x.uses >= HABIT_USES)
        return false;
    if (pq_page_level(&e->pages, (int)x.level) != 0)
        return false;
    *c = (enum candidate)(x.way - 1);
    return true;
}

/* After the chunk is written. */
static void learn(const struct encoder *e, enum candidate c, bool recalled, size_t size)
{
    if (!has_habit(e))
        return;
    struct tsfs_pq_habit *habit = e->s->column->habit;
    double density = 256 * (double)size / (double)e->s->nvalues;
    struct habit x = {1 + (unsigned)c, (unsigned)e->pages.level, 0, fits_of(e),
                      density < UINT32_MAX ? (uint32_t)density : UINT32_MAX};
    if (recalled) {
        x = habit_get(habit);
        bool other = density > HABIT_CHANGE * x.density + 1 || density * HABIT_CHANGE + 1 < x.density;
        x.uses = other ? HABIT_USES : x.uses + 1;
    }
    habit_set(habit, x);
}

static int build_dictionary(struct encoder *e, struct tsfs_arena *arena)
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
    return 0;
}

/* Levels of rows [from, to) that no run describes. */
static int put_levels(struct encoder *e, uint32_t from, uint32_t to, uint32_t nulls)
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

static void bounds_of_codes(const struct encoder *e, const uint32_t *codes, size_t n, struct pq_bounds *b)
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

static int put_flat_page(struct encoder *e, enum candidate c, uint32_t p, struct pq_bounds *b)
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
        r = encode_span(e, c, at, n);
    return r ? r : pq_page_put_data(&e->pages, p, from, to - from, nulls, candidates[c].encoding);
}

/* *run: the one that holds the page's first row; moved on to the next page's. */
static int put_run_page(struct encoder *e, uint32_t p, uint32_t *run, struct pq_bounds *b)
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

static int put_bloom(struct encoder *e, struct tsfs_pq_encoded *out)
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
static int store_dictionary(struct encoder *e, struct tsfs_pq_encoded *out)
{
    struct tsfs_buf old = out->data;
    uint32_t was = out->dictionary_size;
    out->data = (struct tsfs_buf){0};
    e->pages.values.len = 0;
    int r = encode_dictionary(e, &e->pages.values);
    if (!r)
        r = pq_page_put_dictionary(&e->pages, e->dict.n, e->s->kind != PQ_DOUBLES, false);
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
    struct encoder *e = TSFS_NEW(arena, struct encoder);
    struct pq_bounds *bounds = TSFS_NEW_ARRAY(arena, struct pq_bounds, s->npages);
    uint32_t *rows = TSFS_NEW_ARRAY(arena, uint32_t, s->npages), largest = 0, run = 0;
    enum candidate c = PLAIN;
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
    if (!r)
        r = build_dictionary(e, arena);
    bool recalled = !r && recall(e, &c);
    if (!r && !recalled)
        r = choose(e, &c);
    if (!r && !recalled)
        r = choose_level(e, &c, zstd_level);
    if (r)
        goto out;
    if (c == CODES || c == CODES_ROUNDED) {
        e->pages.values.len = 0;
        r = encode_dictionary(e, &e->pages.values);
        if (!r)
            r = pq_page_put_dictionary(&e->pages, e->dict.n, s->kind != PQ_DOUBLES, true);
    }
    for (uint32_t p = 0; p < s->npages && !r; p++) {
        e->pages.values.len = 0;
        r = s->runs ? put_run_page(e, p, &run, &bounds[p]) : put_flat_page(e, c, p, &bounds[p]);
        pq_bounds_merge(s->kind, &out->bounds, &bounds[p]);
    }
    if (!r && !out->compressed && out->dictionary_size)
        r = store_dictionary(e, out);
    if (r)
        goto out;
    learn(e, c, recalled, out->data.len);
    out->encoding = candidates[c].encoding;
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
