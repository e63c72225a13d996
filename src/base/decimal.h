/* Doubles as integers in units of 10^-scale: exact there and back, or not at all. */
#ifndef TSFS_BASE_DECIMAL_H
#define TSFS_BASE_DECIMAL_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#define TSFS_DECIMAL_SCALE_MAX 15

static inline double tsfs_decimal_unit(unsigned scale)
{
    static const double power[TSFS_DECIMAL_SCALE_MAX + 1] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                             1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    return power[scale];
}

/* The double nearest to i / unit: both are exact as doubles, so the division rounds once. */
static inline double tsfs_decimal_double(int64_t i, double unit)
{
    return (double)i / unit;
}

/* *i such that |*i| < 2^53 and v is the double nearest to *i / unit, bit for bit; false: there is none.  That
 * takes in NaN, infinities and -0. */
static inline bool tsfs_decimal_exact(double v, double unit, int64_t *i)
{
    double scaled = nearbyint(v * unit);
    if (!(fabs(scaled) < 0x1p53))
        return false;
    *i = (int64_t)scaled;
    if (scaled / unit == v)
        return *i != 0 || !signbit(v);
    /* The product may have been rounded to the neighbour's side. */
    for (int step = -1; step <= 1; step += 2) {
        double next = scaled + step;
        if (fabs(next) < 0x1p53 && next / unit == v) {
            *i = (int64_t)next;
            return *i != 0 || !signbit(v);
        }
    }
    return false;
}

#endif
