/* The canonical order of series, for whoever wants them in it: migrations, and queries whose answer shows in
 * which order rows came.
 *
 * Comparing two series costs cache misses all over the texts.  So an index remembers the rank of each series,
 * four bytes, from the first time that many are to be sorted; from then on sorting compares numbers, or only
 * counts.  Series that have come since are sorted by themselves and merged in.  A few out of very many
 * are compared as they are: they do not pay for the others. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hot/series_priv.h"

#define FEW_SHARE   16u /* fewer than one in so many are compared */
#define COUNT_SHARE 8u  /* with more than one in so many, places are counted out */

struct compared {
    const struct tsfs_series_index *index;
    const uint32_t *ids; /* of what is sorted; NULL = ids are */
};

static int by_series(const void *a, const void *b, void *ctx)
{
    const struct compared *c = ctx;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return c->ids ? series_index_cmp(c->index, c->ids[x], c->ids[y]) : series_index_cmp(c->index, x, y);
}

static int by_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Ranks of all series that there are now, under ranks_lock. */
static int rank_all(struct tsfs_series_index *index, uint32_t count)
{
    uint32_t old = index->nranks, n = count - old;
    struct compared c = {.index = index};
    if (n == 0)
        return 0;
    uint32_t *order = malloc((size_t)count * sizeof(*order)), *fresh = malloc((size_t)n * sizeof(*fresh));
    uint32_t *ranks = malloc((size_t)count * sizeof(*ranks));
    if (!order || !fresh || !ranks) {
        free(order);
        free(fresh);
        free(ranks);
        return -ENOMEM;
    }
    for (uint32_t id = 0; id < old; id++)
        order[index->ranks[id]] = id;
    for (uint32_t i = 0; i < n; i++)
        fresh[i] = old + i;
    qsort_r(fresh, n, sizeof(*fresh), by_series, &c);
    for (uint32_t place = 0, i = 0, k = 0; place < count; place++) {
        bool take = i < old && (k == n || series_index_cmp(index, order[i], fresh[k]) < 0);
        ranks[take ? order[i++] : fresh[k++]] = place;
    }
    free(order);
    free(fresh);
    free(index->ranks);
    index->ranks = ranks;
    index->nranks = count;
    if (index->budget)
        slab_budget_add(index->budget, (size_t)n * sizeof(*ranks));
    return 0;
}

static int count_out(const struct tsfs_series_index *index, const uint32_t *ids, uint32_t n, uint32_t *order)
{
    uint32_t *at = calloc(index->nranks, sizeof(*at)), k = 0; /* 1 + number, by rank */
    if (!at)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++)
        at[index->ranks[ids[i]]] = i + 1;
    for (uint32_t r = 0; r < index->nranks && k < n; r++)
        if (at[r])
            order[k++] = at[r] - 1;
    free(at);
    return 0;
}

static int sort_ranks(const struct tsfs_series_index *index, const uint32_t *ids, uint32_t n, uint32_t *order)
{
    uint64_t *keys = malloc((size_t)n * sizeof(*keys));
    if (!keys)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++)
        keys[i] = (uint64_t)index->ranks[ids[i]] << 32 | i;
    qsort(keys, n, sizeof(*keys), by_u64);
    for (uint32_t i = 0; i < n; i++)
        order[i] = (uint32_t)keys[i];
    free(keys);
    return 0;
}

int series_index_sort(struct tsfs_series_index *index, const uint32_t *ids, uint32_t n, uint32_t *order)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < n; i++) {
        order[i] = i;
        count = ids[i] >= count ? ids[i] + 1 : count;
    }
    if (n < 2)
        return 0;
    pthread_mutex_lock(&index->ranks_lock);
    bool ranked = count <= index->nranks;
    int rc = 0;
    if (!ranked && n >= count / FEW_SHARE) {
        rc = rank_all(index, count);
        ranked = rc == 0;
    }
    if (ranked)
        rc = n >= index->nranks / COUNT_SHARE ? count_out(index, ids, n, order)
                                              : sort_ranks(index, ids, n, order);
    pthread_mutex_unlock(&index->ranks_lock);
    if (rc == 0 && !ranked) {
        struct compared c = {.index = index, .ids = ids};
        qsort_r(order, n, sizeof(*order), by_series, &c);
    }
    return rc;
}
