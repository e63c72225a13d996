/* The series that hot rows are of: (measure_name, dimensions) <-> dense 32-bit ids. */
#ifndef TSFS_HOT_SERIES_H
#define TSFS_HOT_SERIES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"
#include "col/source.h"

struct tsfs_series_index;

#define TSFS_SERIES_NONE UINT32_MAX

struct tsfs_dim_value {
    uint16_t slot; /* dimension slot */
    struct tsfs_str value;
};

TSFS_MUST_CHECK int tsfs_series_index_create(struct tsfs_series_index **out);
struct tsfs_series_index *tsfs_series_index_ref(struct tsfs_series_index *index);
void tsfs_series_index_free(struct tsfs_series_index *index); /* one reference; takes NULL */
/* Charges what it holds to a budget (borrowed as long as the index lives) that is never asked for leave. */
void tsfs_series_index_charge(struct tsfs_series_index *index, struct tsfs_budget *budget);

/* Whoever looks something up beside one that adds does so between these two; not for long, as outgrown tables
 * wait for it.  Those who exclude the adder need neither. */
void tsfs_series_index_enter(const struct tsfs_series_index *index);
void tsfs_series_index_leave(const struct tsfs_series_index *index);

/* The fast path: the id that this spelling (raw bytes of "measurement,tags", hash = tsfs_hash of them) was
 * given, or TSFS_SERIES_NONE. */
uint32_t tsfs_series_index_find_spelling(const struct tsfs_series_index *index, struct tsfs_str raw,
                                         uint64_t hash);
/* The same for several at once, their misses of the cache side by side; those without a key (ptr NULL) get
 * TSFS_SERIES_NONE. */
struct tsfs_spelling {
    struct tsfs_str raw;
    uint64_t hash;
};
void tsfs_series_index_find_spellings(const struct tsfs_series_index *index,
                                      const struct tsfs_spelling *spellings, uint32_t n, uint32_t *ids);
/* Remembers a spelling for id.  The spellings kept are bounded; forgetting one only costs time.
 * Callers of the adding functions exclude one another. */
TSFS_MUST_CHECK int tsfs_series_index_add_spelling(struct tsfs_series_index *index, struct tsfs_str raw,
                                                   uint64_t hash, uint32_t id);
/* The same for one that was just looked for in vain, of many that differ only in the values, none of them
 * with an escape: *form is 0 for the first of them and what it says then serves for the others with the same
 * tags in the same order, as long as the index lives. */
TSFS_MUST_CHECK int tsfs_series_index_add_spelling_like(struct tsfs_series_index *index, struct tsfs_str raw,
                                                        uint64_t hash, uint32_t id, uint32_t *form);

/* The id of the series, made if it is new.  dims in any order, slots distinct.  -E2BIG past TSFS_SERIES_MAX.
 */
TSFS_MUST_CHECK int tsfs_series_index_intern(struct tsfs_series_index *index, struct tsfs_str measure_name,
                                             const struct tsfs_dim_value *dims, unsigned ndims, uint32_t *id);

/* The same in two steps for keys that are known some time ahead: what has to be computed, which needs no
 * index, then tsfs_series_index_expect, so that what the last step reads comes into the cache meanwhile.
 * Texts are borrowed. */
#define TSFS_SERIES_KEY_DIMS 24u
struct tsfs_series_key {
    uint64_t hash, name_hash;
    struct tsfs_str measure_name;
    unsigned ndims;
    struct tsfs_dim_value dims[TSFS_SERIES_KEY_DIMS]; /* by slot */
    uint64_t hashes[TSFS_SERIES_KEY_DIMS];            /* of their values */
};
/* false: it is too long for that, or a slot comes twice; tsfs_series_index_intern knows what to do. */
TSFS_MUST_CHECK bool tsfs_series_key_make(struct tsfs_series_key *key, struct tsfs_str measure_name,
                                          const struct tsfs_dim_value *dims, unsigned ndims);
void tsfs_series_index_expect(const struct tsfs_series_index *index, const struct tsfs_series_key *key);
TSFS_MUST_CHECK int tsfs_series_index_intern_key(struct tsfs_series_index *index,
                                                 const struct tsfs_series_key *key, uint32_t *id);
/* A spelling will be looked up or added soon. */
void tsfs_series_index_expect_spelling(const struct tsfs_series_index *index, uint64_t hash);

uint32_t tsfs_series_index_count(const struct tsfs_series_index *index);
size_t tsfs_series_index_bytes(const struct tsfs_series_index *index);

/* What id stands for: fills dims[0..ndims) by slot (ptr NULL where absent); strings live as long as the
 * index.  Safe beside an adder for every id already given out. */
void tsfs_series_index_get(const struct tsfs_series_index *index, uint32_t id, struct tsfs_str *measure_name,
                           struct tsfs_str *dims, uint16_t ndims);

/* The canonical order of series, in every file and every merge: measure_name, then the dimensions by
 * slot, bytes compared, an absent one first.  Arrays may differ in length: missing entries are absent. */
int tsfs_series_cmp(const struct tsfs_series *a, const struct tsfs_series *b);
/* XXH3-64 over a canonical encoding of the same (absent dimensions leave no trace, so that it does not change
 * when the table gains a dimension): equal series have equal hashes in memory and in segments. */
uint64_t tsfs_series_hash(const struct tsfs_series *series);

#endif
