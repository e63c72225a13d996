/* The series of a table: (measure_name, dimensions) <-> dense 32-bit ids, for as long as the daemon runs. */
#ifndef TSFS_HOT_SERIES_H
#define TSFS_HOT_SERIES_H

#include <stdint.h>

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
void tsfs_series_index_free(struct tsfs_series_index *index);

/* The fast path: the id that this spelling (raw bytes of "measurement,tags", hash = tsfs_hash of them) was
 * given, or TSFS_SERIES_NONE.  Safe from any number of threads beside one that adds. */
uint32_t tsfs_series_index_find_spelling(const struct tsfs_series_index *index, struct tsfs_str raw,
                                         uint64_t hash);
/* Remembers a spelling for id.  The spellings kept are bounded; forgetting one only costs time.
 * Callers of the adding functions exclude one another. */
TSFS_MUST_CHECK int tsfs_series_index_add_spelling(struct tsfs_series_index *index, struct tsfs_str raw,
                                                   uint64_t hash, uint32_t id);

/* The id of the series, made if it is new.  dims in any order, slots distinct.  -E2BIG past TSFS_SERIES_MAX.
 */
TSFS_MUST_CHECK int tsfs_series_index_intern(struct tsfs_series_index *index, struct tsfs_str measure_name,
                                             const struct tsfs_dim_value *dims, unsigned ndims, uint32_t *id);

uint32_t tsfs_series_index_count(const struct tsfs_series_index *index);
size_t tsfs_series_index_bytes(const struct tsfs_series_index *index);

/* What id stands for: fills dims[0..ndims) by slot (ptr NULL where absent); strings live as long as the
 * index. Safe beside an adder for every id already given out. */
void tsfs_series_index_get(const struct tsfs_series_index *index, uint32_t id, struct tsfs_str *measure_name,
                           struct tsfs_str *dims, uint16_t ndims);

/* The canonical order of series, in every file and every merge: measure_name, then the dimensions by
 * slot, bytes compared, an absent one first.  Arrays may differ in length: missing entries are absent. */
int tsfs_series_cmp(const struct tsfs_series *a, const struct tsfs_series *b);
/* XXH3-64 over a canonical encoding of the same (absent dimensions leave no trace, so that it does not change
 * when the table gains a dimension): equal series have equal hashes in memory and in segments. */
uint64_t tsfs_series_hash(const struct tsfs_series *series);

#endif
