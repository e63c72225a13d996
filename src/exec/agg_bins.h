/* Stretches of time that are one group: bin(time, step) and date_trunc(unit, time). */
#ifndef TSFS_EXEC_AGG_BINS_H
#define TSFS_EXEC_AGG_BINS_H

#include "sql/expr.h"

struct agg_bins {
    int64_t step;    /* ns; 0: calendar months */
    int64_t origin;  /* a bin begins here, in (-step, 0] */
    unsigned months; /* in a bin */
};

/* [lo, last] is a bin; consecutive bins have consecutive numbers. */
struct agg_bin {
    int64_t lo, last, number;
};

/* Whether expr is such a function of column `time`. */
bool agg_bins_from(const struct tsfs_expr *expr, uint32_t time, struct agg_bins *bins);

/* The bin around t; false if it does not begin inside int64. */
bool agg_bins_at(const struct agg_bins *bins, int64_t t, struct agg_bin *bin);

/* The bin around t, when *bin is one not after it: next door is cheap. */
static inline bool agg_bins_after(const struct agg_bins *bins, int64_t t, struct agg_bin *bin)
{
    int64_t last;
    if (bins->step > 0 && !__builtin_add_overflow(bin->last, bins->step, &last) && t <= last) {
        bin->lo = bin->last + 1;
        bin->last = last;
        bin->number++;
        return true;
    }
    return agg_bins_at(bins, t, bin);
}

#endif
