/* Which series have a given value in a given dimension, for queries that name one series out of a million.
 *
 * Built when a query first asks for a dimension, and brought up to date by later queries: writers never pay
 * for it.  Per dimension asked for: a list head for every text of the index, found by the text's reference
 * without any search, and one 32-bit link per series (series with the same value are chained, newest first).
 * So a series is added by two stores, mostly next to the last one's: some milliseconds for a million. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hot/series_priv.h"

#define MEASURE_NAME UINT32_MAX /* in place of a slot */

struct head {
    uint32_t last; /* id + 1; 0 = none */
    uint32_t count;
};

struct postings {
    struct postings *next;
    uint32_t slot;
    uint32_t covered; /* ids below are in */
    uint32_t cap;
    uint32_t *link;     /* id -> the one before it with the same value, + 1 */
    struct head *heads; /* by half of the text's reference; 0 = the series that lack the dimension */
    uint32_t heads_cap;
};

void postings_free(struct postings *postings)
{
    while (postings) {
        struct postings *next = postings->next;
        slab_pages_free(postings->link, postings->cap * sizeof(*postings->link));
        slab_pages_free(postings->heads, postings->heads_cap * sizeof(*postings->heads));
        free(postings);
        postings = next;
    }
}

/* *array of *cap zeroed items becomes one of at least need. */
static int grow(struct tsfs_series_index *index, void **array, uint32_t *cap, uint32_t need, size_t width)
{
    uint64_t more = (uint64_t)need + need / 4 + 64;
    uint32_t now = more < UINT32_MAX ? (uint32_t)more : UINT32_MAX;
    if (need <= *cap)
        return 0;
    void *grown = slab_pages_alloc(now * width, true);
    if (!grown)
        return -ENOMEM;
    if (*cap)
        memcpy(grown, *array, *cap * width);
    slab_pages_free(*array, *cap * width);
    slab_budget_add(index->budget, (now - *cap) * width);
    index->postings_bytes += (now - *cap) * width;
    *array = grown;
    *cap = now;
    return 0;
}

static uint32_t value_of(const struct tsfs_series_index *index, const struct series_tuple *t, uint32_t slot)
{
    const struct series_layout *layout = series_tuple_layout(index, t);
    if (slot == MEASURE_NAME)
        return t->measure_name;
    for (unsigned d = 0; d < layout->ndims && layout->slots[d] <= slot; d++)
        if (layout->slots[d] == slot)
            return t->values[d];
    return 0;
}

static int extend(struct tsfs_series_index *index, struct postings *p)
{
    uint32_t count = tsfs_series_index_count(index);
    int rc = grow(index, (void **)&p->link, &p->cap, count, sizeof(*p->link));
    for (; p->covered < count && rc == 0; p->covered++) {
        uint32_t at = value_of(index, series_tuple_at(index, p->covered), p->slot) / 2;
        if (at >= p->heads_cap)
            rc = grow(index, (void **)&p->heads, &p->heads_cap, at + 1, sizeof(*p->heads));
        if (rc)
            break;
        p->link[p->covered] = p->heads[at].last;
        p->heads[at].last = p->covered + 1;
        p->heads[at].count++;
    }
    return rc;
}

/* The list of a value, NULL if no series has it. */
static const struct head *head_of(const struct tsfs_series_index *index, const struct postings *p,
                                  struct tsfs_str value)
{
    uint32_t ref = value.ptr ? series_index_value(index, value) : 0;
    return (ref || !value.ptr) && ref / 2 < p->heads_cap ? &p->heads[ref / 2] : NULL;
}

static struct postings *postings_of(struct tsfs_series_index *index, uint32_t slot)
{
    struct postings *p = index->postings;
    while (p && p->slot != slot)
        p = p->next;
    if (!p) {
        p = calloc(1, sizeof(*p));
        if (!p)
            return NULL;
        p->slot = slot;
        p->next = index->postings;
        index->postings = p;
    }
    return extend(index, p) == 0 ? p : NULL;
}

/* Series that satisfy one condition.  A value listed twice counts twice, which is harmless here. */
static uint64_t count_matches(const struct tsfs_series_index *index, const struct postings *p,
                              const struct tsfs_dim_in *in)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < in->n; i++) {
        const struct head *head = head_of(index, p, in->values[i]);
        n += head ? head->count : 0;
    }
    return n;
}

static int cmp_id(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static int collect(const struct tsfs_series_index *index, const struct postings *p,
                   const struct tsfs_dim_in *in, uint64_t max, uint32_t **out, uint32_t *nout)
{
    uint32_t n = 0;
    uint32_t *ids = malloc((max ? max : 1) * sizeof(*ids));
    if (!ids)
        return -ENOMEM;
    for (uint32_t i = 0; i < in->n; i++) {
        const struct head *head = head_of(index, p, in->values[i]);
        for (uint32_t id = head ? head->last : 0; id != 0; id = p->link[id - 1])
            if (n < max)
                ids[n++] = id - 1;
    }
    if (in->n > 1 && n > 1) {
        qsort(ids, n, sizeof(*ids), cmp_id);
        uint32_t kept = 1;
        for (uint32_t i = 1; i < n; i++)
            if (ids[i] != ids[kept - 1])
                ids[kept++] = ids[i];
        n = kept;
    }
    *out = ids;
    *nout = n;
    return 1;
}

int series_index_select(struct tsfs_series_index *index, const struct tsfs_schema *schema,
                        const struct tsfs_dim_in *in, uint32_t n, uint32_t **ids, uint32_t *nids)
{
    const struct tsfs_dim_in *best = NULL;
    const struct postings *best_p = NULL;
    uint64_t best_count = UINT64_MAX;
    int rc = 0;
    pthread_mutex_lock(&index->postings_lock);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t slot = MEASURE_NAME;
        if (in[i].ordinal >= schema->ncols)
            continue;
        if (in[i].ordinal != TSFS_ORDINAL_MEASURE_NAME) {
            if (schema->cols[in[i].ordinal].role != TSFS_ROLE_DIMENSION)
                continue;
            slot = schema->cols[in[i].ordinal].slot;
        }
        const struct postings *p = postings_of(index, slot);
        if (!p) /* no memory for a short cut: go the long way */
            continue;
        uint64_t count = count_matches(index, p, &in[i]);
        if (count < best_count) {
            best_count = count;
            best = &in[i];
            best_p = p;
        }
    }
    if (best && best_count <= tsfs_series_index_count(index) / 4)
        rc = collect(index, best_p, best, best_count, ids, nids);
    pthread_mutex_unlock(&index->postings_lock);
    return rc;
}
