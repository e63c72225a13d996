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
    int64_t lo, hi; /* what is left; lo > hi: nothing */
    int64_t width;  /* of the next slice */
    double rows;    /* that the units expect, 0 = they do not say */
};

/* Over all that the plan asks; width is the first slice's, the caller may still change it.  The input's scan
 * must be closed; it is closed again after every call. */
TSFS_MUST_CHECK int time_slices_init(struct time_slices *slices, struct scan_input *input, bool newest,
                                     const struct agg_bins *bins, int64_t width, struct tsfs_error *err);

/* The next slice [*from, *to]; false: all has been read. */
bool time_slices_next(struct time_slices *slices, int64_t *from, int64_t *to);

/* After a slice that did not bring enough: the next one is larger; when nothing has come yet at all, rows are
 * looked for first. */
TSFS_MUST_CHECK int time_slices_more(struct time_slices *slices, bool nothing_yet, struct tsfs_error *err);

#endif
