/* The cold tier: segments (Parquet with a private index), their life, and the merge of a segment with
 * hot rows that both queries and migration read through. */
#ifndef TSFS_COLD_COLD_H
#define TSFS_COLD_COLD_H

#include <stdint.h>

#include "base/error.h"
#include "col/schema.h"
#include "col/source.h"
#include "cold/tombstone.h"
#include "hot/hot.h"

struct tsfs_pool;
struct tsfs_pq_habit;
struct tsfs_segment;

struct tsfs_segment_facts {
    uint64_t rows;
    uint32_t series; /* 0 = not known: a file of another program that was not sorted yet */
    uint64_t bytes;  /* of the file */
    int64_t t_min, t_max;
    uint64_t xxh3;  /* XXH3-64 of the whole file, 0 = not computed */
    int64_t mtime;  /* ns, of the commit */
    uint64_t inode; /* st_ino in DATA */
};

/* Opens segment `path` below dirfd (borrowed while the segment lives), checks footer and private index.  A
 * file without that index, or whose dimensions have another order than the table's, is sorted into an unnamed
 * copy when a cursor first needs it.  Columns are matched by name to each cursor's schema; one that the
 * schema lacks or has with another type is -EINVAL there.  Counted; returns owned.  Memory: index parts are
 * loaded on demand and may be dropped again by tsfs_segment_shed. */
TSFS_MUST_CHECK int tsfs_segment_open(int dirfd, const char *path, struct tsfs_segment **out,
                                      struct tsfs_error *err);
struct tsfs_segment *tsfs_segment_ref(struct tsfs_segment *segment);
void tsfs_segment_unref(struct tsfs_segment *segment); /* takes NULL */
void tsfs_segment_facts(const struct tsfs_segment *segment, struct tsfs_segment_facts *out);
/* Gives back descriptor and decoded index while no cursor is open; the next use loads them again (-ESTALE if
 * the name leads to another file by then: before unlinking or replacing the file of a segment that others
 * hold, load it with tsfs_segment_dup).  For idle segments. */
void tsfs_segment_shed(struct tsfs_segment *segment);
/* A new read-only descriptor of the very file this segment is (also after a merge replaced it): >= 0 or
 * -errno. */
int tsfs_segment_dup(struct tsfs_segment *segment);
/* The columns as the file has them (time and measure_name among them), for attaching: name, role, type. */
TSFS_MUST_CHECK int tsfs_segment_columns(struct tsfs_segment *segment, struct tsfs_column **cols, unsigned *n,
                                         struct tsfs_arena *arena, struct tsfs_error *err);
/* Reads everything: structure, types, checksums, order, index against data.  -EINVAL with the reason. */
TSFS_MUST_CHECK int tsfs_segment_verify(struct tsfs_segment *segment, int64_t time_min, int64_t time_max,
                                        struct tsfs_error *err);

/* One partition as a query or a migration sees it. */
struct tsfs_partition_view {
    struct tsfs_schema *schema; /* refs held by the owner of the view */
    struct tsfs_segment
        *segments[2]; /* at most two: the partition's own and, while attaching, a second (later wins) */
    unsigned nsegments;
    struct tsfs_hot **hots;       /* oldest generation first; later wins */
    struct tsfs_hot_snap **snaps; /* their snapshots, same order, taken at one instant */
    unsigned nhots;
    const uint32_t *generations; /* of hots, ascending; NULL = older than every delete */
    /* What was deleted since: each hides rows of the segments, and of the hots of earlier generations. */
    struct tsfs_tombstone **deletes;
    unsigned ndeletes;
    /* Writing only: by measure slot, 1 + digits after the point of a DOUBLE measure that is to be stored as a
     * decimal, 0 = as it is; NULL = none.  A column with a value that this would change stays a double. */
    const uint8_t *decimals;
    /* Writing only: how the table's columns came out in other segments (parquet/writer.h), by ordinal, for
     * the first nhabits columns. */
    struct tsfs_pq_habit *habits;
    unsigned nhabits;
};

/* A cursor over the merge (see col/source.h for what a cursor promises).  Part `part` of `nparts` (split by
 * series, so that no series is in two parts).  sorted: series in tsfs_series_cmp order over all sources
 * (parts then follow one another in that order too); else any order.  Segment series whose rows do not
 * interleave with hot rows come straight from pages with their summaries; only what overlaps is merged row by
 * row, field by field, the later source winning.  view and spec are borrowed until close. */
TSFS_MUST_CHECK int tsfs_cold_cursor(const struct tsfs_partition_view *view,
                                     const struct tsfs_scan_spec *spec, unsigned part, unsigned nparts,
                                     bool sorted, struct tsfs_cursor **out, struct tsfs_error *err);
/* About how many rows match, for splitting work: the series' rows, as if they lay evenly over the segment's
 * time. 0 only if none does. */
uint64_t tsfs_cold_estimate(const struct tsfs_partition_view *view, const struct tsfs_scan_spec *spec);
/* Adds what the view holds to *known. */
TSFS_MUST_CHECK int tsfs_cold_known(const struct tsfs_partition_view *view, const struct tsfs_scan_spec *spec,
                                    struct tsfs_scan_known *known, struct tsfs_error *err);
/* True if the segment may hold a matching series and time: a cheap reason to skip it.  spec's ordinals are
 * schema's. */
bool tsfs_segment_may_match(struct tsfs_segment *segment, struct tsfs_schema *schema,
                            const struct tsfs_scan_spec *spec);

/* Decoded pages are shared by the queries of the process; with the decoded indexes of segments they may take
 * this many bytes in all (0: none are kept).  Until it is said, an eighth of the RAM.  Indexes have up to a
 * quarter of it: a segment over that drops its own when nobody reads it any more. */
void tsfs_cold_cache_limit(size_t bytes);
struct tsfs_cold_cache_facts {
    size_t bytes, limit; /* of pages; of all */
    size_t index;        /* bytes of decoded indexes */
    uint64_t pages, hits, misses;
};
void tsfs_cold_cache_facts(struct tsfs_cold_cache_facts *out);

struct tsfs_segment_progress {
    _Atomic uint64_t rows_done;  /* grows with each row group, of every segment that is being written */
    _Atomic uint64_t rows_total; /* for the caller to set (tsfs_cold_estimate) */
    _Atomic bool cancel;         /* set by anyone: the write ends with -ECANCELED */
};

/* Writes the merge of view as one segment: tmp name, fsync; the caller renames it into place
 * (tsfs_segment_commit).  pool may be NULL.  An empty view (no rows) writes nothing and reports rows 0. */
TSFS_MUST_CHECK int tsfs_segment_write(int dirfd, const char *tmp_path,
                                       const struct tsfs_partition_view *view, struct tsfs_pool *pool,
                                       struct tsfs_segment_progress *progress,
                                       struct tsfs_segment_facts *facts, struct tsfs_error *err);
/* The same without fsync, for several segments that one syncfs makes durable before any of them is renamed.
 */
TSFS_MUST_CHECK int tsfs_segment_write_unsynced(int dirfd, const char *tmp_path,
                                                const struct tsfs_partition_view *view,
                                                struct tsfs_pool *pool,
                                                struct tsfs_segment_progress *progress,
                                                struct tsfs_segment_facts *facts, struct tsfs_error *err);
/* rename + fsync of the folder: the commit. */
TSFS_MUST_CHECK int tsfs_segment_commit(int dirfd, const char *tmp_path, const char *path,
                                        const char *folder);

#endif
