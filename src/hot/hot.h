/* The hot rows of one partition and generation: columnar, series-major, in memory, backed by a log.
 *
 * A write goes through four calls under the table's write lock: stage every row (into space behind
 * what readers see), log what was staged, then publish; or undo after any failure.  Readers take
 * snapshots at any time and never wait for more than the publication of one write. */
#ifndef TSFS_HOT_HOT_H
#define TSFS_HOT_HOT_H

#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "col/schema.h"
#include "col/source.h"
#include "hot/series.h"
#include "wal/wal.h"

struct tsfs_hot;
struct tsfs_hot_snap;

/* One field of a row: a measure by its slot and its column's type. */
struct tsfs_cell {
    uint16_t slot;
    uint8_t type; /* enum tsfs_type: BOOLEAN BIGINT DOUBLE VARCHAR; the schema's type of the column */
    union {
        bool b;
        int64_t i;
        double d;
        struct tsfs_str s;
    };
};

/* Keeps a reference to series; budget (the hot tier's memory, only counted here, never refused) is borrowed
 * until the last reference goes. */
TSFS_MUST_CHECK int tsfs_hot_create(struct tsfs_series_index *series, struct tsfs_budget *budget,
                                    struct tsfs_hot **out);
/* The index that its series' ids are of.  Borrowed. */
struct tsfs_series_index *tsfs_hot_series(const struct tsfs_hot *hot);
struct tsfs_hot *tsfs_hot_ref(struct tsfs_hot *hot);
void tsfs_hot_unref(struct tsfs_hot *hot); /* takes NULL */

/* Copies a row in behind the published ones and into the log record being built.  schema is the table's at
 * this moment (definitions of columns first used in this log go into the record).  Cells of one slot: the
 * later wins.  -ENOMEM; -E2BIG when the record would pass TSFS_WAL_RECORD_MAX (log and publish, then stage
 * on). */
TSFS_MUST_CHECK int tsfs_hot_stage(struct tsfs_hot *hot, const struct tsfs_schema *schema, uint32_t series,
                                   int64_t time, const struct tsfs_cell *cells, unsigned ncells);
/* Asks for the memory that staging rows of these series, the next ones in this order, is going to touch: ids
 * of no series are passed over.  Cheap where there are few series. */
void tsfs_hot_prefetch(const struct tsfs_hot *hot, const uint32_t *series, size_t n);
/* Appends the staged record to wal; nothing staged: 0. */
TSFS_MUST_CHECK int tsfs_hot_log(struct tsfs_hot *hot, struct tsfs_wal *wal, struct tsfs_error *err);
/* Makes the staged rows visible, all at once.  Cannot fail. */
void tsfs_hot_publish(struct tsfs_hot *hot);
/* Forgets the staged rows; logged: takes the record back from the log as well. */
TSFS_MUST_CHECK int tsfs_hot_undo(struct tsfs_hot *hot, struct tsfs_wal *wal);

/* Recovery: applies one log payload and publishes it.  define is told of each column the record defines
 * (ordinal, name, role, type), before its first use, and answers 0 when the schema has it or has gained it.
 */
struct tsfs_hot_recovery {
    int (*define)(void *ctx, uint16_t ordinal, const struct tsfs_column *column, struct tsfs_error *err);
    const struct tsfs_schema *(*schema)(void *ctx); /* the table's, with all that was defined */
    void *ctx;
};
TSFS_MUST_CHECK int tsfs_hot_replay(struct tsfs_hot *hot, const struct tsfs_hot_recovery *recovery,
                                    const void *payload, size_t len, struct tsfs_error *err);

struct tsfs_hot_facts {
    uint64_t rows; /* as written: duplicates not yet merged */
    uint32_t series;
    uint64_t bytes;        /* memory held */
    int64_t t_min, t_max;  /* INT64_MAX, INT64_MIN while empty */
    int64_t first_written; /* tsfs_time_now of the oldest row's publication, 0 while empty */
};
void tsfs_hot_facts(struct tsfs_hot *hot, struct tsfs_hot_facts *out);

/* Series and chunks with rows, as published now. */
TSFS_MUST_CHECK int tsfs_hot_count_blocks(struct tsfs_hot *hot, uint64_t *series, uint64_t *blocks);

/* What is published now and matches spec's time range and series (spec NULL = all); refs hot.  Cheap: no row
 * is copied.  Measures not in spec->columns are left out of the pieces (columns NULL = all are wanted).
 * spec is borrowed until the snapshot is released.  Returns owned. */
TSFS_MUST_CHECK int tsfs_hot_snapshot(struct tsfs_hot *hot, struct tsfs_schema *schema,
                                      const struct tsfs_scan_spec *spec, struct tsfs_hot_snap **out);
void tsfs_hot_snap_free(struct tsfs_hot_snap *snap); /* takes NULL */
/* From now on pieces are of [time_min, time_max], inside the time range that the snapshot was taken of.  Not
 * while pieces are being made or used. */
void tsfs_hot_snap_narrow(struct tsfs_hot_snap *snap, int64_t time_min, int64_t time_max);

/* What is published at one instant, without the rows: several snapshots may be taken of it.  instant is of
 * the same hot and may be freed before the snapshot.  Returns owned. */
struct tsfs_hot_instant;
TSFS_MUST_CHECK int tsfs_hot_instant_take(struct tsfs_hot *hot, struct tsfs_hot_instant **out);
void tsfs_hot_instant_free(struct tsfs_hot_instant *instant); /* takes NULL */
/* tsfs_hot_snapshot as it would have been then. */
TSFS_MUST_CHECK int tsfs_hot_snapshot_at(struct tsfs_hot *hot, const struct tsfs_hot_instant *instant,
                                         struct tsfs_schema *schema, const struct tsfs_scan_spec *spec,
                                         struct tsfs_hot_snap **out);

/* The series of a snapshot; `sorted` = in tsfs_series_cmp order (migration and merges with other sources want
 * that), otherwise in any order.  Decided before the first use; several threads may ask for it. */
TSFS_MUST_CHECK int tsfs_hot_snap_sort(struct tsfs_hot_snap *snap);
uint32_t tsfs_hot_snap_count(const struct tsfs_hot_snap *snap);
/* Rows of these series, whatever their times; those written twice count twice. */
uint64_t tsfs_hot_snap_rows(const struct tsfs_hot_snap *snap);
/* No time of a series was written twice, nor late: the above is how many rows there are. */
bool tsfs_hot_snap_in_order(const struct tsfs_hot_snap *snap);
/* The chunks that its rows lie in, whatever their times. */
uint32_t tsfs_hot_snap_blocks(const struct tsfs_hot_snap *snap, uint32_t i);
/* Series i; borrowed until the snapshot is released. */
void tsfs_hot_snap_series(const struct tsfs_hot_snap *snap, uint32_t i, struct tsfs_series *out);
/* The number of series i if the snapshot holds it, else TSFS_SERIES_NONE (by hash, for merging). */
uint32_t tsfs_hot_snap_find(const struct tsfs_hot_snap *snap, const struct tsfs_series *series);

/* Rows of one series in memory: strictly ascending times, measures as vectors (data NULL: no value in these
 * rows). */
struct tsfs_hot_piece {
    uint32_t nrows;
    const int64_t *time;
    uint16_t ncols;              /* measure slots covered */
    const struct tsfs_vec *cols; /* by measure slot, flat, nrows rows */
};

/* The rows of series i inside spec's time range as pieces that follow one another in time (no time twice:
 * rows written out of order or twice are merged into new arrays in arena; in the common case the pieces point
 * straight at the chunks and nothing is copied).  *npieces may be 0.  Borrowed from arena and snapshot. */
TSFS_MUST_CHECK int tsfs_hot_snap_pieces(const struct tsfs_hot_snap *snap, uint32_t i,
                                         struct tsfs_arena *arena, struct tsfs_hot_piece **pieces,
                                         uint32_t *npieces);
/* The same, but rows other than the outermost of that range may be missing: ends is bits of tsfs_scan_ends.
 */
TSFS_MUST_CHECK int tsfs_hot_snap_ends(const struct tsfs_hot_snap *snap, uint32_t i, unsigned ends,
                                       struct tsfs_arena *arena, struct tsfs_hot_piece **pieces,
                                       uint32_t *npieces);

#endif
