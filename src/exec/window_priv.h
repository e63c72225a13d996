/* Between the files of window functions. */
#ifndef TSFS_EXEC_WINDOW_PRIV_H
#define TSFS_EXEC_WINDOW_PRIV_H

#include "exec/exec_priv.h"
#include "exec/rows.h"

/* A window function and where its arguments lie among the kept rows' columns. */
struct window_fn {
    const struct tsfs_plan_window *plan;
    uint32_t *args;
    uint32_t filter, start, end; /* WINDOW_NO_COLUMN = none */
    struct tsfs_vec_room out;    /* its results, in the order of the sort */
};

#define WINDOW_NO_COLUMN UINT32_MAX

/* One partition, sorted: rows ids[0..n). */
struct window_part {
    struct exec_ctx *ctx;
    const struct rows *rows;
    const uint32_t *ids;
    uint32_t n;
    uint32_t at;          /* of its first row among all results */
    uint32_t *peers;      /* of each row, the number of its group of equal keys */
    uint32_t *group_from; /* of each such group its first row, and n behind the last */
    uint32_t ngroups;
    uint32_t key;               /* column of the first sort key; WINDOW_NO_COLUMN = none */
    bool descending;            /* that key */
    struct tsfs_arena *arena;   /* of the partition */
    struct tsfs_arena *lasting; /* of results */
    struct tsfs_error *err;
};

/* window_frames.c: the frame of each row is [from[i], to[i]). */
struct window_frames {
    uint32_t *from, *to;
};
TSFS_MUST_CHECK int window_frames(const struct window_part *part, const struct window_fn *fn,
                                  struct window_frames *out);

/* window_aggregate.c: fn is an aggregate. */
TSFS_MUST_CHECK int window_aggregate(const struct window_part *part, const struct window_fn *fn);

/* Column col of the partition's rows, sorted. */
TSFS_MUST_CHECK int window_column(const struct window_part *part, uint32_t col, struct tsfs_vec *out);

#endif
