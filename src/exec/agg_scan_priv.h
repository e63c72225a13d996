/* Between the files of aggregation straight from a scan. */
#ifndef TSFS_EXEC_AGG_SCAN_PRIV_H
#define TSFS_EXEC_AGG_SCAN_PRIV_H

#include "exec/agg_bins.h"
#include "exec/agg_priv.h"
#include "exec/scan_priv.h"

/* What an aggregate needs of a stretch of one series that falls into one group. */
enum feed {
    FEED_COUNT,   /* the number of rows: its arguments are the same for the whole series */
    FEED_FIRST,   /* the first row: min_by(x, time), min(time) */
    FEED_LAST,    /* the last row */
    FEED_SUMMARY, /* summaries of whole blocks, rows where there are none */
    FEED_ROWS     /* every row */
};

struct agg_feed {
    enum feed feed;
    bool summary;      /* summaries of `column` may answer */
    uint32_t column;   /* of the scan */
    uint32_t *columns; /* that arguments and filter name */
    uint32_t ncolumns;
};

#define AGG_NO_COLUMN UINT32_MAX
#define AGG_NO_GROUP  UINT32_MAX

struct agg_scan {
    struct exec_ctx *ctx;
    struct agg_spec spec;
    struct scan_input input;
    struct agg_feed *feeds; /* one for each item of spec */
    bool by_order;          /* agg_by_order */
    bool by_row;            /* some group key is neither of the series nor a bin of time */
    uint32_t bin_key;       /* the group key that is a bin of time, or AGG_NO_COLUMN */
    struct agg_bins bins;
    enum tsfs_type *series_types; /* of the other group keys */
    uint32_t time;                /* column of the scan, or AGG_NO_COLUMN */
    uint32_t *columns;            /* by_row: all that is needed */
    uint32_t ncolumns;
    bool *all, *heavy; /* items: every one; those that need summaries or rows */
    bool any_heavy, any_edge;
    bool only_last, only_first; /* every item looks at that end alone, and groups at nothing but the series */
    bool from_newest;           /* only the outermost row of each group matters, and this is where it is */
    uint64_t groups_most;       /* then: groups that there can be; 0 = not known, or not only that row */
    bool want_newest;           /* of the groups, by bin, only want_limit from one end are needed */
    uint64_t want_limit;
    bool counts_only; /* of all rows: a unit that says how many it has need not be read */
};

struct stretch {
    uint32_t from, n;
    uint32_t group;
};

/* A series' part of the group keys, and its groups by bin. */
struct agg_series {
    char *key;      /* packed for the table, the bin left open */
    uint32_t *bins; /* groups by number of the bin; NULL = look up each time */
};

/* One thread's work on a range of units. */
struct agg_task {
    struct agg_scan *scan;
    struct agg_table *table;
    struct scan_reader reader;
    struct tsfs_arena run_arena; /* what belongs to the run's series */
    struct tsfs_vec *series_cols, *keys;
    struct tsfs_vec **counted; /* arguments of FEED_COUNT items */
    char *key;                 /* the current series' packed key */
    uint32_t group;            /* without bins: of the current series, AGG_NO_GROUP = not made yet */
    int64_t *ends;             /* only_last, only_first: by group, the outermost time seen */
    uint32_t ends_cap;
    bool resolved;
    struct group_table series; /* payload: struct agg_series */
    struct agg_series *current;
    int64_t bin_first; /* number of the first bin that agg_series.bins holds */
    uint32_t nbins;
    size_t bins_bytes;
    bool *needed;
    struct tsfs_vec *cols; /* of the piece's surviving rows; type TSFS_TYPE_COUNT = not taken yet */
    struct stretch *stretches;
    uint32_t nstretches;
};

/* task is zeroed; what it needs comes from table's arena; free it in any case. */
TSFS_MUST_CHECK int agg_task_init(struct agg_task *task, struct agg_scan *scan, struct agg_table *table,
                                  int64_t time_min, int64_t time_max);
void agg_task_free(struct agg_task *task);
TSFS_MUST_CHECK int agg_task_unit(struct agg_task *task, uint32_t unit, struct tsfs_error *err);

#endif
