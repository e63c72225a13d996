/* Which series have a given value in a given dimension, for queries that name one series out of a million.
 *
 * Built when a query first asks for a dimension, and brought up to date by later queries: writers never pay
 * for it.  Per dimension asked for: a list head per value and one 32-bit link per series (series with the
 * same value are chained, newest first). */
#include <errno.h>
#include <stdlib.h>

#include "hot/series_priv.h"

#define MEASURE_NAME UINT32_MAX /* in place of a slot */
#define NO_HEAD      UINT32_MAX

struct head {
    uint32_t value; /* reference; 0 = the series that lack the dimension */
    uint32_t last;  /* id */
    uint32_t count;
};

struct postings {
    struct postings *next;
    uint32_t slot;
    uint32_t covered; /* ids below are in */
    uint32_t cap;
    uint32_t *link; /* id -> the one before it with the same value */
    struct head *heads;
    uint32_t nheads, heads_cap;
    struct slab_index by_value;
};

void postings_free(struct postings *postings)
{
    while (postings) {
        struct postings *next = postings->next;
        free(postings->link);
        free(postings->heads);
        slab_index_free(&postings->by_value);
        free(postings);
        postings = next;
    }
}

static uint64_t mix(uint32_t value)
{
    return value * UINT64_C(0x9e3779b97f4a7c15);
}

static uint32_t find_head(const struct postings *p, uint32_t value)
{
    uint32_t h;
    for (struct slab_probe probe = slab_probe_begin(&p->by_value, mix(value)); slab_probe_next(&probe, &h);)
        if (p->heads[h].value == value)
            return h;
    return NO_HEAD;
}

static int new_head(struct postings *p, uint32_t value, uint32_t *h)
{
    if (p->nheads == p->heads_cap) {
        uint32_t cap = p->heads_cap ? p->heads_cap * 2 : 16;
        struct head *grown = realloc(p->heads, cap * sizeof(*grown));
        if (!grown)
            return -ENOMEM;
        p->heads = grown;
        p->heads_cap = cap;
    }
    int rc = slab_index_add(&p->by_value, mix(value), p->nheads);
    if (rc)
        return rc;
    *h = p->nheads++;
    p->heads[*h] = (struct head){.value = value, .last = TSFS_SERIES_NONE};
    return 0;
}

static uint32_t value_of(const struct series_tuple *t, uint32_t slot)
{
    const uint16_t *slots = series_tuple_slots(t);
    if (slot == MEASURE_NAME)
        return t->measure_name;
    for (unsigned d = 0; d < t->ndims && slots[d] <= slot; d++)
        if (slots[d] == slot)
            return t->values[d];
    return 0;
}

static int extend(struct tsfs_series_index *index, struct postings *p)
{
    uint32_t count = tsfs_series_index_count(index);
    if (count > p->cap) {
        uint32_t cap = count + count / 2;
        uint32_t *grown = realloc(p->link, cap * sizeof(*grown));
        if (!grown)
            return -ENOMEM;
        p->link = grown;
        p->cap = cap;
    }
    for (; p->covered < count; p->covered++) {
        uint32_t value = value_of(series_tuple_at(index, p->covered), p->slot);
        uint32_t h = find_head(p, value);
        if (h == NO_HEAD) {
            int rc = new_head(p, value, &h);
            if (rc)
                return rc;
        }
        p->link[p->covered] = p->heads[h].last;
        p->heads[h].last = p->covered;
        p->heads[h].count++;
    }
    return 0;
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
        uint32_t ref = in->values[i].ptr ? series_index_value(index, in->values[i]) : 0;
        uint32_t h = ref || !in->values[i].ptr ? find_head(p, ref) : NO_HEAD;
        n += h == NO_HEAD ? 0 : p->heads[h].count;
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
        uint32_t ref = in->values[i].ptr ? series_index_value(index, in->values[i]) : 0;
        uint32_t h = ref || !in->values[i].ptr ? find_head(p, ref) : NO_HEAD;
        if (h == NO_HEAD)
            continue;
        for (uint32_t id = p->heads[h].last; id != TSFS_SERIES_NONE; id = p->link[id])
            if (n < max)
                ids[n++] = id;
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
