/* Where a query's rows come from: the seam between storage and execution.
 *
 * A source is one table at one instant (a snapshot: what it delivers never changes).  A scan over it
 * falls into independent units (one partition each, or a part of one); a cursor walks one unit and delivers
 * runs.  A run is rows of ONE series with strictly ascending time, already merged over both tiers:
 * no (series, time) comes twice in a whole scan, and every row lies in the asked time range.  A series
 * may come as several runs; within one unit they come one after another, ascending.  The order of series is
 * the source's, and may be another from one state of the table to the next, unless spec->canonical.
 *
 * Nothing is decoded until it is asked for: times() and column() fetch the rows named, summary() answers
 * whole blocks without touching a row.
 *
 * A cursor belongs to one thread at a time; different cursors of one scan may run on different threads. */
#ifndef TSFS_COL_SOURCE_H
#define TSFS_COL_SOURCE_H

#include "base/error.h"
#include "col/schema.h"
#include "col/vec.h"

/* Facts of a series that a predicate can see.  dims is indexed by dimension slot (ndims entries of
 * the scan's schema), ptr NULL where the series lacks the dimension. */
struct tsfs_series {
    struct tsfs_str measure_name;
    const struct tsfs_str *dims;
    uint16_t ndims;
};

/* "dimension = one of values", a necessary condition that lookups, dictionaries and Bloom filters can use. */
struct tsfs_dim_in {
    uint16_t ordinal; /* a dimension, or TSFS_ORDINAL_MEASURE_NAME */
    uint32_t n;
    const struct tsfs_str *values;
};

/* "lo <= measure <= hi", a necessary condition on every row wanted: blocks and pages whose summary
 * excludes it may be left out (in whole blocks; rows that fail may still come). */
struct tsfs_measure_range {
    uint16_t ordinal;
    double lo, hi;    /* for DOUBLE measures */
    int64_t ilo, ihi; /* for BIGINT measures */
};

enum tsfs_scan_ends { TSFS_SCAN_FIRST = 1, TSFS_SCAN_LAST = 2 };

struct tsfs_scan_spec {
    int64_t time_min, time_max; /* inclusive, ns */
    /* Exact: only series for which it is true are wanted; NULL = all.  Called at any time on any thread. */
    bool (*series_match)(void *ctx, const struct tsfs_series *series);
    void *series_ctx;
    const struct tsfs_dim_in *dim_in; /* conjunction; necessary, series_match still decides */
    uint32_t n_dim_in;
    const struct tsfs_measure_range *ranges; /* conjunction */
    uint32_t n_ranges;
    const uint16_t *columns; /* ordinals of the measures (and time) that may be asked for */
    uint32_t n_columns;
    bool newest_first; /* order of the units */
    bool sliced;       /* the scan begins without units: seek and slice are used */
    /* About this many rows a unit, if the source can cut partitions so fine at little cost; 0 = its own
     * choice. */
    uint32_t unit_rows;
    bool canonical;   /* the series of a partition come in order of tsfs_series_cmp, over all of its units */
    bool count_known; /* what is there to be read is counted, too: tsfs_scan.known */
    /* Bits of tsfs_scan_ends.  Not 0: of each series in each unit only the first, or the last, row in the
     * range matters; others may be left out.  Not with ranges. */
    unsigned ends;
};

struct tsfs_run {
    struct tsfs_series series; /* borrowed until the next next_run */
    bool same_series;          /* as the run before from this cursor */
    uint32_t nrows;            /* > 0 */
    int64_t t_first, t_last;
};

/* A stretch of a run that has a summary behind it. */
struct tsfs_block {
    uint32_t row, nrows; /* rows of the run */
    int64_t t_first, t_last;
};

/* What is known of one measure in one block.  sum of a BIGINT: isum is exact unless isum_overflow.
 * min, max, first, last are meaningful when count > 0; first and last are the earliest and latest
 * non-NULL values.  Not kept for BOOLEAN and VARCHAR but for count. */
struct tsfs_summary {
    uint32_t count; /* non-NULL values */
    bool isum_overflow;
    bool dsum_rounded; /* the sum is dsum only about: dsum_rest is not known, or would not be all */
    double dsum_rest;  /* dsum + dsum_rest are exactly the sum; dsum is that sum rounded */
    union {
        double dsum;
        int64_t isum;
    };
    union {
        double dmin;
        int64_t imin;
    };
    union {
        double dmax;
        int64_t imax;
    };
    union {
        double dfirst;
        int64_t ifirst;
    };
    union {
        double dlast;
        int64_t ilast;
    };
};

/* Counters for EXPLAIN ANALYZE and stats; each cursor has its own, the caller adds them up. */
struct tsfs_scan_stats {
    uint64_t series, runs, rows, blocks_from_summary, pages_read, bytes_read;
    uint64_t pages_cached; /* were wanted and in memory; those of pages_read came from files */
    /* Of known: series that had rows to give; blocks of series that are asked for, and of these the blocks
     * left out because of their times, and because of their values. */
    uint64_t series_met, blocks_met, blocks_not_in_time, blocks_not_in_range;
};

/* What units hold, asked for or not.  A series counts once in each unit's partition and tier.  A block is
 * what a summary may speak of (rows too few for one are a block, too), in memory a chunk; pages are those of
 * the columns asked for and of time. */
struct tsfs_scan_known {
    uint64_t series, blocks, pages;
};

struct tsfs_cursor {
    const struct tsfs_cursor_ops *ops;
    struct tsfs_scan_stats stats;
};

struct tsfs_cursor_ops {
    /* 1 and the next run, 0 at the end, -errno (err says more). */
    int (*next_run)(struct tsfs_cursor *c, struct tsfs_run *run, struct tsfs_error *err);
    /* Times of rows [row, row + n) of the current run; borrowed until the next next_run. */
    int (*times)(struct tsfs_cursor *c, uint32_t row, uint32_t n, const int64_t **out,
                 struct tsfs_error *err);
    /* A measure of these rows as a flat or constant vector of n rows (never written for the series:
     * a constant NULL of the column's type); borrowed until the next next_run. */
    int (*column)(struct tsfs_cursor *c, uint16_t ordinal, uint32_t row, uint32_t n, struct tsfs_vec *out,
                  struct tsfs_error *err);
    /* The current run's blocks, ascending, not overlapping; rows between them have no summary.  *n may be 0.
     */
    int (*blocks)(struct tsfs_cursor *c, const struct tsfs_block **out, uint32_t *n, struct tsfs_error *err);
    /* The summary of one measure for block i of blocks(), or NULL: decode the rows instead. */
    int (*summary)(struct tsfs_cursor *c, uint16_t ordinal, uint32_t block, const struct tsfs_summary **out,
                   struct tsfs_error *err);
    void (*close)(struct tsfs_cursor *c);
};

struct tsfs_scan_unit {
    int64_t time_min, time_max; /* the partition's, inclusive, cut to the asked range */
    /* About how many rows (with ends: series), for sharing out work; more or fewer may come.  0 = not known:
     * a source that does know says at least 1 where some may match. */
    uint64_t rows_estimate;
    bool counted;  /* rows are known without reading: */
    uint64_t rows; /* of the units of a partition together exactly as many */
};

struct tsfs_scan {
    const struct tsfs_scan_ops *ops;
    struct tsfs_scan_unit *units; /* in time order, or newest first if asked; units of one partition adjoin */
    uint32_t n_units;
    uint64_t partitions_total, partitions_pruned; /* for EXPLAIN; pruned: not read, if sliced not yet */
    struct tsfs_scan_known known;                 /* with count_known: of all units there were */
};

struct tsfs_scan_ops {
    int (*open)(struct tsfs_scan *scan, uint32_t unit, struct tsfs_cursor **out, struct tsfs_error *err);
    void (*close)(struct tsfs_scan *scan); /* all cursors must be closed before */
    /* Of a sliced scan.  The next partition in the order of units, from time `from` on in that direction,
     * that may hold what is asked for: 1, and *out is the whole of it; 0: there is none. */
    int (*seek)(struct tsfs_scan *scan, int64_t from, struct tsfs_scan_unit *out, struct tsfs_error *err);
    /* Of a sliced scan: the units become those of [time_min, time_max], a part of spec's range, and cursors
     * opened from now on stay inside it.  Cursors must be closed before.  All slices are of one snapshot. */
    int (*slice)(struct tsfs_scan *scan, int64_t time_min, int64_t time_max, struct tsfs_error *err);
};

struct tsfs_source {
    const struct tsfs_source_ops *ops;
    struct tsfs_schema *schema; /* borrowed until free */
};

struct tsfs_source_ops {
    /* spec and all it points to is borrowed until the scan is closed. */
    int (*scan)(struct tsfs_source *source, const struct tsfs_scan_spec *spec, struct tsfs_scan **out,
                struct tsfs_error *err);
    /* All scans from now on see the state of this instant: for plans with several.  NULL: they do anyway. */
    int (*freeze)(struct tsfs_source *source, struct tsfs_error *err);
    void (*free)(struct tsfs_source *source);
};

#endif
