/* What the hot tier asks of the series index beyond series.h. */
#ifndef TSFS_HOT_SERIES_PRIV_H
#define TSFS_HOT_SERIES_PRIV_H

#include <pthread.h>

#include "col/schema.h"
#include "hot/series.h"
#include "hot/slab.h"

/* Which dimensions a series has: one of these for all that have the same. */
struct series_layout {
    uint16_t ndims;
    uint16_t slots[]; /* ascending */
};

/* A series as it is kept: references to its layout and its texts, dimensions by slot. */
struct series_tuple {
    uint32_t layout;
    uint32_t measure_name;
    uint32_t values[];
};

struct series_text {
    uint32_t len;
    char bytes[];
};

struct series_entry {
    uint32_t tuple;
    uint32_t spelled; /* the pattern of its first spelling; 0 = has none, SERIES_SPELLED = kept in full */
};
#define SERIES_SPELLED UINT32_MAX

#define SERIES_FIRST_BITS 6u
#define SERIES_BLOCKS     21u

struct postings; /* postings.c */

struct tsfs_series_index {
    _Atomic uint32_t refs, readers;
    struct tsfs_budget *budget;
    size_t charged;              /* of what the adder holds */
    struct slab_store texts;     /* series_text; sizes are multiples of 16 */
    struct slab_store tuples;    /* series_tuple, series_layout, spellings' patterns */
    struct slab_store in_full;   /* spellings */
    struct slab_index spellings; /* -> spelling.c */
    struct slab_index values;    /* -> texts */
    struct slab_index ids;       /* -> id */
    struct slab_index layouts;   /* -> tuples; the adder's, as the next */
    struct slab_index patterns;  /* -> tuples */
    _Atomic(struct series_entry *) entries[SERIES_BLOCKS];
    _Atomic uint32_t count;
    uint32_t npatterns, last_pattern, last_layout, nfull;
    size_t extra_spellings; /* bytes of spellings beyond the first of their series */
    char *scratch;          /* the adder's */
    size_t scratch_cap;
    pthread_mutex_t postings_lock; /* leaf: guards the next two; taken by queries, never by writers */
    struct postings *postings;
    size_t postings_bytes;      /* as charged */
    pthread_mutex_t ranks_lock; /* leaf: guards the next two; taken by queries and migrations */
    uint32_t *ranks;            /* by id: place in canonical order among the first nranks; NULL = none yet */
    uint32_t nranks;
};

static inline const struct series_entry *series_entry_at(const struct tsfs_series_index *index, uint32_t id)
{
    uint32_t offset;
    unsigned k = slab_block(id, SERIES_FIRST_BITS, &offset);
    return atomic_load_explicit(&index->entries[k], memory_order_acquire) + offset;
}

static inline const struct series_tuple *series_tuple_at(const struct tsfs_series_index *index, uint32_t id)
{
    return slab_store_at(&index->tuples, series_entry_at(index, id)->tuple);
}

static inline const struct series_layout *series_tuple_layout(const struct tsfs_series_index *index,
                                                              const struct series_tuple *tuple)
{
    return slab_store_at(&index->tuples, tuple->layout);
}

static inline struct tsfs_str series_text_at(const struct tsfs_series_index *index, uint32_t ref)
{
    const struct series_text *text = slab_store_at(&index->texts, ref);
    return (struct tsfs_str){text->bytes, text->len};
}

/* The id of an equal series, or TSFS_SERIES_NONE.  Safe beside an adder. */
uint32_t series_index_lookup(const struct tsfs_series_index *index, const struct tsfs_series *series);
/* Reference of a value if any series has it, else 0.  Safe beside an adder. */
uint32_t series_index_value(const struct tsfs_series_index *index, struct tsfs_str value);
/* tsfs_series_cmp of two ids, without touching what they have in common. */
int series_index_cmp(const struct tsfs_series_index *index, uint32_t a, uint32_t b);

/* The series that can satisfy the most selective of the conditions.  1 and *ids (owned, any order, each
 * once), all that were known before the call among them; 0: no condition narrows it down enough. */
TSFS_MUST_CHECK int series_index_select(struct tsfs_series_index *index, const struct tsfs_schema *schema,
                                        const struct tsfs_dim_in *in, uint32_t n, uint32_t **ids,
                                        uint32_t *nids);
void postings_free(struct postings *postings);

/* order[0..n) becomes [0, n), sorted by tsfs_series_cmp of ids, which are n different ones. */
TSFS_MUST_CHECK int series_index_sort(struct tsfs_series_index *index, const uint32_t *ids, uint32_t n,
                                      uint32_t *order);

/* Keeps the budget up with what the adder holds. */
void series_charge(struct tsfs_series_index *index);

/* Room for what encodes size bytes; NULL when out of memory. */
char *series_scratch(struct tsfs_series_index *index, size_t size);

#endif
