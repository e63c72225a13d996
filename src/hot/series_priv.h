/* What the hot tier asks of the series index beyond series.h. */
#ifndef TSFS_HOT_SERIES_PRIV_H
#define TSFS_HOT_SERIES_PRIV_H

#include <pthread.h>

#include "col/schema.h"
#include "hot/series.h"
#include "hot/slab.h"

/* A series as it is kept: references into the store, dimensions by slot.  slots[] follows values[]. */
struct series_tuple {
    uint32_t measure_name;
    uint16_t ndims;
    uint16_t unused;
    uint32_t values[];
};

struct series_text { /* a string in the store */
    uint32_t len;
    char bytes[];
};

struct series_entry {
    uint64_t hash;
    uint32_t tuple;
    uint32_t spelled; /* the adder's: has had its first spelling */
};

#define SERIES_FIRST_BITS 6u
#define SERIES_BLOCKS     21u

struct postings; /* postings.c */

struct tsfs_series_index {
    struct slab_store store;
    struct slab_index spellings; /* -> spelling in the store */
    struct slab_index values;    /* -> series_text in the store */
    struct slab_index ids;       /* -> id */
    _Atomic(struct series_entry *) entries[SERIES_BLOCKS];
    _Atomic uint32_t count;
    size_t extra_spellings; /* bytes of spellings beyond the first of their series */
    char *scratch;          /* the adder's */
    size_t scratch_cap;
    pthread_mutex_t postings_lock; /* leaf: guards postings; taken by queries, never by writers */
    struct postings *postings;
};

static inline const struct series_entry *series_entry_at(const struct tsfs_series_index *index, uint32_t id)
{
    uint32_t offset;
    unsigned k = slab_block(id, SERIES_FIRST_BITS, &offset);
    return atomic_load_explicit(&index->entries[k], memory_order_acquire) + offset;
}

static inline const struct series_tuple *series_tuple_at(const struct tsfs_series_index *index, uint32_t id)
{
    return slab_store_at(&index->store, series_entry_at(index, id)->tuple);
}

static inline const uint16_t *series_tuple_slots(const struct series_tuple *tuple)
{
    return (const uint16_t *)(tuple->values + tuple->ndims);
}

static inline struct tsfs_str series_text_at(const struct tsfs_series_index *index, uint32_t ref)
{
    const struct series_text *text = slab_store_at(&index->store, ref);
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

#endif
