/* Spellings: from the raw bytes of "measurement,tags" to a series, without taking them apart.
 *
 * The first spelling of each of the first FULL_FIRST series is kept as it is: one comparison of bytes.  Among
 * more series these bytes would be the most of what a series costs, and three cache lines that are read once
 * a row.  They repeat what the series' tuple says, so from there on only a pattern is noted: the bytes
 * between the values and which values stand there, the same for nearly all series of a table.  A spelling is
 * found by comparing it with the pattern and the tuple's texts, piece by piece.  What has escapes, or for any
 * other reason does not come out of its pattern byte for byte, is kept in full.
 *
 * Spellings are bounded: each series may have one, and all further ones (tags in another order, escapes not
 * needed) share SPELLING_EXTRA_MAX bytes.  One that is not kept costs its writer a canonical lookup. */
#include <errno.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/limits.h"
#include "base/same.h"
#include "hot/series_priv.h"

#define SPELLING_EXTRA_MAX (64u << 20)
#define FULL_FIRST         4096u
#define PATTERNS_MAX       4096u
#define BY_PATTERN         UINT32_C(0x80000000) /* in the table: the rest is an id, not a reference */
#define FORM_DIMS          24u                  /* as TSFS_SERIES_KEY_DIMS: more are not compared pairwise */
#define ABREAST            16u                  /* lookups whose cache misses are waited for together */

_Static_assert(TSFS_SERIES_MAX < BY_PATTERN, "ids leave a bit free");

/* In the store for spellings in full. */
struct spelling {
    uint32_t id, len;
    char bytes[];
};

/* A measure name, then n times: `literal` bytes as they are and the value of one dimension present. */
struct piece {
    uint16_t literal;
    uint16_t place; /* in the tuple's values */
};

struct pattern {
    uint16_t n;
    uint16_t nbytes; /* of all literals; they follow the pieces */
    struct piece pieces[];
};

/* Whether raw is what the pattern makes of the tuple. */
static bool matches(const struct tsfs_series_index *index, const struct pattern *pattern,
                    const struct series_tuple *tuple, struct tsfs_str raw)
{
    const struct series_layout *layout = series_tuple_layout(index, tuple);
    const char *literals = (const char *)(pattern->pieces + pattern->n), *p = raw.ptr, *end = p + raw.len;
    struct tsfs_str text = series_text_at(index, tuple->measure_name);
    if (layout->ndims != pattern->n || text.len > raw.len || !tsfs_same(p, text.ptr, text.len))
        return false;
    p += text.len;
    for (unsigned i = 0; i < pattern->n; i++) {
        const struct piece *piece = &pattern->pieces[i];
        text = series_text_at(index, tuple->values[piece->place]);
        if ((size_t)(end - p) < piece->literal + text.len || !tsfs_same(p, literals, piece->literal) ||
            !tsfs_same(p + piece->literal, text.ptr, text.len))
            return false;
        p += piece->literal + text.len;
        literals += piece->literal;
    }
    return p == end;
}

/* The place of a text among the values that are not taken yet; values is n. */
static unsigned place_of(const struct tsfs_series_index *index, const struct series_tuple *tuple, unsigned n,
                         const uint64_t taken[4], const char *text, size_t len)
{
    for (unsigned d = 0; d < n; d++) {
        struct tsfs_str value = series_text_at(index, tuple->values[d]);
        if (!(taken[d / 64] >> d % 64 & 1) && value.len == len && tsfs_same(value.ptr, text, len))
            return d;
    }
    return n;
}

/* The pattern of raw, a spelling of tuple, in scratch memory; *size = 0 when there is none.  Two values alike
 * may change places in it: then it is no good for the next series, which makes one of its own. */
static int make_pattern(struct tsfs_series_index *index, const struct series_tuple *tuple,
                        struct tsfs_str raw, struct pattern **out, size_t *size)
{
    const struct series_layout *layout = series_tuple_layout(index, tuple);
    struct tsfs_str name = series_text_at(index, tuple->measure_name);
    unsigned n = layout->ndims;
    uint64_t taken[4] = {0};
    *size = 0;
    struct pattern *pattern =
        (struct pattern *)series_scratch(index, sizeof(*pattern) + n * sizeof(struct piece) + raw.len);
    if (!pattern)
        return -ENOMEM;
    _Static_assert(TSFS_DIMENSIONS_MAX <= 64 * 4, "a bit each");
    if (raw.len > UINT16_MAX || name.len > raw.len || !tsfs_same(raw.ptr, name.ptr, name.len))
        return 0;
    char *literals = (char *)(pattern->pieces + n);
    const char *p = raw.ptr + name.len, *end = raw.ptr + raw.len;
    *out = pattern;
    pattern->n = (uint16_t)n;
    pattern->nbytes = 0;
    for (unsigned i = 0; i < n; i++) {
        const char *from = p < end ? memchr(p, '=', (size_t)(end - p)) : NULL;
        if (!from)
            return 0;
        from++;
        const char *to = memchr(from, ',', (size_t)(end - from));
        to = to ? to : end;
        unsigned place = place_of(index, tuple, n, taken, from, (size_t)(to - from));
        if (place == n)
            return 0;
        taken[place / 64] |= UINT64_C(1) << place % 64;
        pattern->pieces[i] = (struct piece){(uint16_t)(from - p), (uint16_t)place};
        memcpy(literals + pattern->nbytes, p, (size_t)(from - p));
        pattern->nbytes = (uint16_t)(pattern->nbytes + (from - p));
        p = to;
    }
    if (p == end)
        *size = sizeof(*pattern) + n * sizeof(struct piece) + pattern->nbytes;
    return 0;
}

/* A pattern that makes raw of tuple: *ref, 0 when it is to be kept in full. */
static int find_pattern(struct tsfs_series_index *index, const struct series_tuple *tuple,
                        struct tsfs_str raw, uint32_t *ref)
{
    struct pattern *made;
    size_t size;
    *ref = index->last_pattern;
    if (*ref && matches(index, slab_store_at(&index->tuples, *ref), tuple, raw))
        return 0;
    *ref = 0;
    int rc = make_pattern(index, tuple, raw, &made, &size);
    if (rc || size == 0)
        return rc;
    uint64_t hash = XXH3_64bits(made, size);
    struct slab_probe p = slab_probe_begin(&index->patterns, hash);
    while (slab_probe_next(&p, ref)) {
        const struct pattern *known = slab_store_at(&index->tuples, *ref);
        if (known->n == made->n && known->nbytes == made->nbytes && memcmp(known, made, size) == 0) {
            index->last_pattern = *ref;
            return 0;
        }
    }
    *ref = 0;
    if (index->npatterns == PATTERNS_MAX)
        return 0;
    uint32_t at = slab_store_alloc(&index->tuples, size);
    if (!at)
        return -ENOMEM;
    memcpy(slab_store_at(&index->tuples, at), made, size);
    rc = slab_index_add(&index->patterns, hash, at);
    if (rc)
        return rc;
    index->npatterns++;
    index->last_pattern = *ref = at;
    return 0;
}

static uint32_t check(const struct tsfs_series_index *index, uint32_t number, struct tsfs_str raw)
{
    if (number & BY_PATTERN) {
        uint32_t id = number & ~BY_PATTERN;
        const struct series_entry *entry = series_entry_at(index, id);
        return matches(index, slab_store_at(&index->tuples, entry->spelled),
                       slab_store_at(&index->tuples, entry->tuple), raw)
                   ? id
                   : TSFS_SERIES_NONE;
    }
    const struct spelling *s = slab_store_at(&index->in_full, number);
    return s->len == raw.len && tsfs_same(s->bytes, raw.ptr, raw.len) ? s->id : TSFS_SERIES_NONE;
}

uint32_t tsfs_series_index_find_spelling(const struct tsfs_series_index *index, struct tsfs_str raw,
                                         uint64_t hash)
{
    uint32_t number, id;
    for (struct slab_probe p = slab_probe_begin(&index->spellings, hash); slab_probe_next(&p, &number);) {
        id = check(index, number, raw);
        if (id != TSFS_SERIES_NONE)
            return id;
    }
    return TSFS_SERIES_NONE;
}

void tsfs_series_index_expect_spelling(const struct tsfs_series_index *index, uint64_t hash)
{
    slab_index_prefetch(&index->spellings, hash);
}

/* Asks for what check will read. */
static void prefetch_spelling(const struct tsfs_series_index *index, uint32_t number)
{
    if (number & BY_PATTERN) {
        const struct series_entry *entry = series_entry_at(index, number & ~BY_PATTERN);
        __builtin_prefetch(slab_store_at(&index->tuples, entry->tuple));
    } else {
        const char *s = slab_store_at(&index->in_full, number);
        __builtin_prefetch(s);
        __builtin_prefetch(s + 64);
        __builtin_prefetch(s + 128);
    }
}

void tsfs_series_index_find_spellings(const struct tsfs_series_index *index,
                                      const struct tsfs_spelling *spellings, uint32_t n, uint32_t *ids)
{
    uint32_t numbers[ABREAST];
    struct slab_probe probes[ABREAST];
    for (uint32_t from = 0; from < n; from += ABREAST) {
        uint32_t m = n - from < ABREAST ? n - from : ABREAST;
        const struct tsfs_spelling *at = spellings + from;
        for (uint32_t i = 0; i < m; i++)
            slab_index_prefetch(&index->spellings, at[i].hash);
        for (uint32_t i = 0; i < m; i++) {
            probes[i] = slab_probe_begin(&index->spellings, at[i].hash);
            ids[from + i] = 0;
            if (!at[i].raw.ptr || !slab_probe_next(&probes[i], &numbers[i]))
                ids[from + i] = TSFS_SERIES_NONE;
            else if (numbers[i] & BY_PATTERN)
                __builtin_prefetch(series_entry_at(index, numbers[i] & ~BY_PATTERN));
        }
        for (uint32_t i = 0; i < m; i++)
            if (ids[from + i] != TSFS_SERIES_NONE)
                prefetch_spelling(index, numbers[i]);
        for (uint32_t i = 0; i < m; i++) {
            if (ids[from + i] == TSFS_SERIES_NONE)
                continue;
            do
                ids[from + i] = check(index, numbers[i], at[i].raw);
            while (ids[from + i] == TSFS_SERIES_NONE && slab_probe_next(&probes[i], &numbers[i]));
        }
    }
}

static size_t spelling_size(struct tsfs_str raw)
{
    return sizeof(struct spelling) + raw.len;
}

static int keep_in_full(struct tsfs_series_index *index, struct tsfs_str raw, uint64_t hash, uint32_t id)
{
    struct series_entry *entry = (struct series_entry *)series_entry_at(index, id);
    size_t size = spelling_size(raw);
    uint32_t ref = slab_store_alloc(&index->in_full, size);
    if (!ref)
        return -ENOMEM;
    if (ref & BY_PATTERN) /* 16 GiB of them */
        return 0;
    struct spelling *s = slab_store_at(&index->in_full, ref);
    s->id = id;
    s->len = (uint32_t)raw.len;
    memcpy(s->bytes, raw.ptr, raw.len);
    int rc = slab_index_add(&index->spellings, hash, ref);
    if (rc)
        return rc;
    if (entry->spelled)
        index->extra_spellings += size;
    else
        entry->spelled = SERIES_SPELLED;
    index->nfull++;
    return 0;
}

/* Whether a spelling of this one fits one pattern only. */
static bool values_differ(const struct tsfs_series_index *index, const struct series_tuple *tuple)
{
    unsigned n = series_tuple_layout(index, tuple)->ndims;
    if (n > FORM_DIMS)
        return false;
    for (unsigned d = 1; d < n; d++)
        for (unsigned e = 0; e < d; e++)
            if (tuple->values[d] == tuple->values[e])
                return false;
    return true;
}

int tsfs_series_index_add_spelling(struct tsfs_series_index *index, struct tsfs_str raw, uint64_t hash,
                                   uint32_t id)
{
    uint32_t form = 0;
    return tsfs_series_index_find_spelling(index, raw, hash) != TSFS_SERIES_NONE
               ? 0
               : tsfs_series_index_add_spelling_like(index, raw, hash, id, &form);
}

int tsfs_series_index_add_spelling_like(struct tsfs_series_index *index, struct tsfs_str raw, uint64_t hash,
                                        uint32_t id, uint32_t *form)
{
    struct series_entry *entry = (struct series_entry *)series_entry_at(index, id);
    uint32_t ref = 0;
    int rc = 0;
    if (raw.len > TSFS_SERIES_KEY_MAX ||
        (entry->spelled && index->extra_spellings + spelling_size(raw) > SPELLING_EXTRA_MAX))
        return 0;
    if (!entry->spelled && index->nfull >= FULL_FIRST) {
        const struct series_tuple *tuple = slab_store_at(&index->tuples, entry->tuple);
        ref = *form;
        if (!ref)
            rc = find_pattern(index, tuple, raw, &ref);
        if (rc == 0 && ref && !*form && values_differ(index, tuple))
            *form = ref;
    }
    if (rc == 0 && ref) {
        entry->spelled = ref;
        rc = slab_index_add(&index->spellings, hash, BY_PATTERN | id);
    } else if (rc == 0) {
        rc = keep_in_full(index, raw, hash, id);
    }
    series_charge(index);
    return rc;
}
