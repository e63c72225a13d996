/* What a DELETE leaves in a partition until the next merge has taken its rows out: which rows of earlier
 * generations are gone.  The file's bytes: docs/format/delete.md. */
#ifndef TSFS_COLD_TOMBSTONE_H
#define TSFS_COLD_TOMBSTONE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "col/schema.h"
#include "col/source.h"

struct tsfs_tombstone; /* immutable, counted */

struct tsfs_tombstone_facts {
    uint32_t generation;        /* rows of earlier generations are hidden, of this and later ones not */
    bool all;                   /* every series; else those listed */
    int64_t time_min, time_max; /* inclusive, ns */
    int64_t written;            /* ns */
    uint32_t series;            /* listed */
    uint64_t bytes;             /* of memory */
};

/* A file being made.  Zero-initialise, begin, add every series (none when `all`), end. */
struct tsfs_tombstone_builder {
    const struct tsfs_schema *schema; /* borrowed */
    struct tsfs_buf bytes;
    uint32_t series;
};
TSFS_MUST_CHECK int tsfs_tombstone_begin(struct tsfs_tombstone_builder *b, const struct tsfs_schema *schema,
                                         uint32_t generation, bool all, int64_t time_min, int64_t time_max,
                                         int64_t written);
/* -E2BIG when the file would pass TSFS_TOMBSTONE_MAX.  A series added twice does no harm. */
TSFS_MUST_CHECK int tsfs_tombstone_add(struct tsfs_tombstone_builder *b, const struct tsfs_series *series);
/* b->bytes is the whole file afterwards. */
TSFS_MUST_CHECK int tsfs_tombstone_end(struct tsfs_tombstone_builder *b);
void tsfs_tombstone_builder_free(struct tsfs_tombstone_builder *b);

/* From a file's bytes; dimensions are found in schema (the table's) by name.  -EINVAL with the reason. */
TSFS_MUST_CHECK int tsfs_tombstone_parse(struct tsfs_str bytes, const struct tsfs_schema *schema,
                                         struct tsfs_tombstone **out, struct tsfs_error *err);
struct tsfs_tombstone *tsfs_tombstone_ref(struct tsfs_tombstone *t);
void tsfs_tombstone_unref(struct tsfs_tombstone *t); /* takes NULL */
void tsfs_tombstone_facts(const struct tsfs_tombstone *t, struct tsfs_tombstone_facts *out);

/* A series as tombstones know it, appended to out. */
TSFS_MUST_CHECK int tsfs_tombstone_key(const struct tsfs_series *series, struct tsfs_buf *out);
/* Are rows of this series among the hidden ones? */
bool tsfs_tombstone_has(const struct tsfs_tombstone *t, struct tsfs_str key);

#endif
