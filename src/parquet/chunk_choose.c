/* One column chunk: which encoding, and which level of zstd.
 *
 * Nothing predicts what zstd will make of an encoding's bytes, so the candidates are tried: a few stretches
 * of the chunk (about thirty thousand values) are encoded and compressed in every way that fits the type, and
 * the smallest sum wins; a dictionary also carries the size of its page.  A later candidate must be smaller
 * by a few percent, as the earlier ones decode faster:
 *
 *     BOOLEAN      RLE, always
 *     INT32/INT64  DELTA_BINARY_PACKED in four shapes; dictionary, codes at their own width, at whole bytes
 *                  or even (INT64); PLAIN of few, where zstd finds more in bytes that stand where they stood
 *     DOUBLE       dictionary (all three ways), BYTE_STREAM_SPLIT, PLAIN
 *     BYTE_ARRAY   dictionary (both ways), DELTA_LENGTH_BYTE_ARRAY, DELTA_BYTE_ARRAY, PLAIN
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
 * or 16 it does.
 *
 * Even codes: two bytes of which each takes about as many values, so that zstd's one table of symbols fits
 * both.  Entry i of n, b the root of n, gets the code (i / b, i mod b), and the dictionary repeats an entry
 * wherever no code leads.  Where the values of a walk leave nothing to match (two decimals in [0, 100]:
 * 10,001 entries), packed codes cost 14 bits and two plain bytes about as much, as their high one is skewed,
 * the low one is not, and the table is of the mixture; even ones cost log2(10,001) = 13.3 at any level, and
 * less if the values are skewed themselves.  Dictionaries of up to 256 entries are better off with one byte.
 */
#include <errno.h>
#include <stdlib.h>

#include "parquet/chunk.h"

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
#define DICT_HEADER  26          /* of a dictionary page and what the footer says of it, about */
#define PLAIN_INTS   4096u       /* integers of a chunk that may come out best as they are */
#define DICT_TRIAL   (64u << 10) /* bytes of a dictionary that is worth compressing at two levels */

#define HABIT_VALUES (32u << 10) /* of a chunk for which a habit serves ... */
#define HABIT_USES   24u         /* ... so many times */
#define HABIT_CHANGE 1.125       /* of the size a value, either way, that ends it: these are other data */

/* Values of a page that stand for it, if so many pages are looked at. */
static size_t sample_of(const struct pq_source *s, uint32_t page, uint32_t spans)
{
    size_t n = s->page_value[page + 1] - s->page_value[page], most = SAMPLE_VALUES * SAMPLE_SPANS / spans;
    if (s->npages > 1 && most > SAMPLE_VALUES)
        most = SAMPLE_VALUES;
    return n < most ? n : most;
}

/* The summed size of the sampled stretches as candidate c would have them. */
static int try_candidate(struct pq_encoder *e, enum pq_way c, size_t *size, size_t *sampled)
{
    const struct pq_source *s = e->s;
    uint32_t spans = s->npages < SAMPLE_SPANS ? s->npages : SAMPLE_SPANS;
    *size = *sampled = 0;
    for (uint32_t i = 0; i < spans; i++) {
        uint32_t p = (uint32_t)((uint64_t)i * s->npages / spans);
        size_t n = sample_of(s, p, spans), part;
        e->pages.values.len = 0;
        int r = pq_encode_span(e, c, s->page_value[p], n);
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

static const enum pq_way of_ints[] = {DELTA_LARGE, DELTA_LARGE_ROUNDED, DELTA_SMALL, DELTA_SMALL_ROUNDED,
                                      CODES,       CODES_ROUNDED,       CODES_EVEN,  PLAIN,
                                      NWAYS};
static const enum pq_way of_doubles[] = {CODES, CODES_ROUNDED, CODES_EVEN, PLAIN, SPLIT, NWAYS};
static const enum pq_way of_strings[] = {CODES, CODES_ROUNDED, LENGTHS, PREFIXES, PLAIN, NWAYS};
static const enum pq_way *const candidates_of[] = {
    [PQ_INTS] = of_ints, [PQ_DOUBLES] = of_doubles, [PQ_STRINGS] = of_strings};

/* Whether a chunk can be written in this way. */
static bool can(const struct pq_encoder *e, enum pq_way c)
{
    if (c >= NWAYS || (pq_ways[c].coded && !e->codes))
        return false;
    if (c == CODES_EVEN && !e->even_codes)
        return false;
    for (const enum pq_way *k = candidates_of[e->s->kind]; *k != NWAYS; k++)
        if (*k == c)
            return true;
    return false;
}

/* The bytes of a dictionary's page; 0 for ways that have none. */
static int try_dictionary(struct pq_encoder *e, enum pq_way c, size_t *size)
{
    uint32_t entries;
    *size = 0;
    if (!pq_ways[c].coded)
        return 0;
    e->pages.values.len = 0;
    int r = pq_encode_dictionary(e, c, &entries);
    if (!r)
        r = pq_page_try(&e->pages, size);
    *size += DICT_HEADER;
    e->pages.values.len = 0;
    return r;
}

static int choose(struct pq_encoder *e, enum pq_way *best)
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
    *best = NWAYS;
    for (const enum pq_way *c = candidates_of[s->kind]; *c != NWAYS; c++) {
        size_t size, sampled;
        if (!can(e, *c) || (*c == CODES_ROUNDED && (e->width % 8 == 0 || e->width > 16)))
            continue;
        if (*c == PLAIN && s->kind == PQ_INTS && s->nvalues > PLAIN_INTS)
            continue;
        if (*c != CODES_ROUNDED) /* whose dictionary is that of CODES */
            r = try_dictionary(e, *c, &dictionary);
        if (!r)
            r = try_candidate(e, *c, &size, &sampled);
        if (r)
            return r;
        double whole = sampled ? (double)size * ((double)s->nvalues / (double)sampled) : 0;
        whole += (double)dictionary;
        if (*best == NWAYS || whole < smallest * (smallest < SMALL_CHUNK ? 1 : 0.97)) {
            *best = *c;
            smallest = whole;
        }
    }
    return 0;
}

/* The size of the chunk as candidate c has it at a level, judged by one page; by three of dictionary codes,
 * which differ more from page to page.  *page = the bytes of the largest before compression. */
static int try_level(struct pq_encoder *e, enum pq_way c, int level, double *size, size_t *page)
{
    const struct pq_source *s = e->s;
    bool coded = pq_ways[c].coded;
    uint32_t entries, spans = coded && s->npages > 1 ? 3 : 1;
    size_t sum = 0, sampled = 0, part = 0;
    int r = pq_page_level(&e->pages, level);
    *page = 0;
    for (uint32_t i = 0; i < spans && !r; i++) {
        uint32_t p = (uint32_t)((2 * i + 1) * (uint64_t)s->npages / (2 * spans));
        size_t n = sample_of(s, p, spans);
        e->pages.values.len = 0;
        r = pq_encode_span(e, c, s->page_value[p], n);
        *page = e->pages.values.len > *page ? e->pages.values.len : *page;
        if (!r)
            r = pq_page_try(&e->pages, &part);
        sum += part;
        sampled += n;
    }
    *size = sampled ? (double)sum * ((double)s->nvalues / (double)sampled) : (double)sum;
    e->pages.values.len = 0;
    if (!r && coded)
        r = pq_encode_dictionary(e, c, &entries);
    if (!r && e->pages.values.len > 0 && e->pages.values.len <= DICT_TRIAL) {
        r = pq_page_try(&e->pages, &part);
        *size += (double)part;
    }
    e->pages.values.len = 0;
    return r;
}

/* Goes over to the strong level if that pays, for candidate *c or the same with rounded widths (or without),
 * which may come out the other way there. */
static int choose_level(struct pq_encoder *e, enum pq_way *c, int level)
{
    static const enum pq_way siblings[NWAYS] = {[DELTA_SMALL] = DELTA_SMALL_ROUNDED,
                                                [DELTA_SMALL_ROUNDED] = DELTA_SMALL,
                                                [DELTA_LARGE] = DELTA_LARGE_ROUNDED,
                                                [DELTA_LARGE_ROUNDED] = DELTA_LARGE,
                                                [CODES] = CODES_ROUNDED,
                                                [CODES_ROUNDED] = CODES,
                                                [CODES_EVEN] = CODES_EVEN,
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
        enum pq_way tried[2] = {*c, siblings[*c]};
        bool many_codes = s->nvalues > HABIT_VALUES && pq_ways[*c].coded;
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
static unsigned fits_of(const struct pq_encoder *e)
{
    const struct pq_source *s = e->s;
    return (unsigned)s->column->physical << 8 | (e->codes != NULL) << 7 |
           (unsigned)(32 - __builtin_clz((unsigned)s->nvalues | 1));
}

static bool has_habit(const struct pq_encoder *e)
{
    const struct pq_source *s = e->s;
    return s->column->habit && s->nvalues > 0 && s->nvalues <= HABIT_VALUES && !s->runs &&
           s->kind != PQ_BOOLS;
}

/* True if there is one for this chunk: *c, and the page writer's level. */
static bool recall(struct pq_encoder *e, enum pq_way *c)
{
    if (!has_habit(e))
        return false;
    struct habit x = habit_get(e->s->column->habit);
    if (x.way == 0 || !can(e, (enum pq_way)(x.way - 1)) || x.fits != fits_of(e) || x.uses >= HABIT_USES)
        return false;
    if (pq_page_level(&e->pages, (int)x.level) != 0)
        return false;
    *c = (enum pq_way)(x.way - 1);
    return true;
}

void pq_choice_learn(const struct pq_encoder *e, const struct pq_choice *choice, size_t size)
{
    if (!has_habit(e))
        return;
    struct tsfs_pq_habit *habit = e->s->column->habit;
    double density = 256 * (double)size / (double)e->s->nvalues;
    struct habit x = {1 + (unsigned)choice->way, (unsigned)e->pages.level, 0, fits_of(e),
                      density < UINT32_MAX ? (uint32_t)density : UINT32_MAX};
    if (choice->recalled) {
        x = habit_get(habit);
        bool other = density > HABIT_CHANGE * x.density + 1 || density * HABIT_CHANGE + 1 < x.density;
        x.uses = other ? HABIT_USES : x.uses + 1;
    }
    habit_set(habit, x);
}

int pq_choose(struct pq_encoder *e, int zstd_level, struct pq_choice *out)
{
    out->way = PLAIN;
    out->recalled = recall(e, &out->way);
    if (out->recalled)
        return 0;
    int r = choose(e, &out->way);
    return r ? r : choose_level(e, &out->way, zstd_level);
}
