/* Reading a scan from one end of time, slice by slice, until enough has been seen. */
#ifndef TSFS_EXEC_TIME_SLICES_H
#define TSFS_EXEC_TIME_SLICES_H

#include "exec/agg_bins.h"
#include "exec/scan_priv.h"

struct time_slices {
    struct scan_input *input;
    const struct agg_bins *bins; /* slices are whole bins; NULL: they end anywhere */
    bool newest;                 /* from the latest time backwards */
    bool sought;
    int64_t lo, hi;    /* what is left; lo > hi: nothing */
    int64_t width;     /* of the next slice */
    double rows, span; /* of the outermost partition: expected, 0 = not known; and ns */
};

/* Opens the input's scan, all that the plan asks, and finds the end to begin at; width is the first slice's,
 * the caller may still change it. */
TSFS_MUST_CHECK int time_slices_init(struct time_slices *slices, struct scan_input *input, bool newest,
                                     const struct agg_bins *bins, int64_t width, struct tsfs_error *err);

/* Makes the scan's units those of the next slice: 1, or 0: all has been read. */
TSFS_MUST_CHECK int time_slices_next(struct time_slices *slices, struct tsfs_error *err);

/* After a slice that did not bring enough: the next one is larger; when nothing has come yet at all, rows are
 * looked for first. */
TSFS_MUST_CHECK int time_slices_more(struct time_slices *slices, bool nothing_yet, struct tsfs_error *err);

/* Another way to go: by whole partitions, 1, 1, 2, 4 and so on.  Makes the units those of the next `n`. */
TSFS_MUST_CHECK int time_slices_partitions(struct time_slices *slices, unsigned n, struct tsfs_error *err);

#endif
