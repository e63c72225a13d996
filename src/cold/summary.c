/* Summaries of blocks: one pass over at most TSFS_BLOCK_ROWS values that lie side by side. */
#include <math.h>
#include <string.h>

#include "base/sum.h"
#include "cold/index.h"

/* Sums of the halves cannot overflow over so few values, and both loops vectorise; the exact sum is put
 * together from them. */
static void summarise_i64(const int64_t *v, uint32_t n, struct tsfs_summary *out, uint8_t *flags)
{
    int64_t min = v[0], max = v[0], high = 0;
    uint64_t low = 0;
    for (uint32_t i = 0; i < n; i++) {
        min = v[i] < min ? v[i] : min;
        max = v[i] > max ? v[i] : max;
        high += v[i] >> 32;
        low += (uint32_t)v[i];
    }
    __int128 sum = ((__int128)high * ((__int128)1 << 32)) + (__int128)low;
    out->imin = min, out->imax = max, out->ifirst = v[0], out->ilast = v[n - 1];
    if (sum < INT64_MIN || sum > INT64_MAX) {
        out->isum_overflow = true;
        *flags |= COLD_FLAG_OVERFLOW;
    } else {
        out->isum = (int64_t)sum;
    }
}

#define LANES 8

/* In independent lanes, so that the loop vectorises.  Infinities and NaN leave the block without a summary.
 */
static void summarise_f64(const double *v, uint32_t n, struct tsfs_summary *out, uint8_t *flags)
{
    double min[LANES], max[LANES], odd[LANES] = {0};
    for (unsigned l = 0; l < LANES; l++)
        min[l] = max[l] = v[0];
    uint32_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (unsigned l = 0; l < LANES; l++) {
            double x = v[i + l];
            min[l] = x < min[l] ? x : min[l];
            max[l] = x > max[l] ? x : max[l];
            odd[l] += x * 0.0;
        }
    for (; i < n; i++) {
        min[0] = v[i] < min[0] ? v[i] : min[0];
        max[0] = v[i] > max[0] ? v[i] : max[0];
        odd[0] += v[i] * 0.0;
    }
    for (unsigned l = 1; l < LANES; l++) {
        min[0] = min[l] < min[0] ? min[l] : min[0];
        max[0] = max[l] > max[0] ? max[l] : max[0];
        odd[0] += odd[l];
    }
    struct tsfs_sum sum = {0, 0};
    if (tsfs_sum_of(&sum, v, n)) {
        tsfs_sum_tidy(&sum);
    } else {
        out->dsum_rounded = true;
        for (i = 0; i < n; i++)
            sum.hi += v[i];
    }
    if (odd[0] != 0.0 || !isfinite(sum.hi)) {
        *flags |= COLD_FLAG_NONE;
        return;
    }
    out->dsum = sum.hi, out->dsum_rest = sum.lo;
    out->dmin = min[0], out->dmax = max[0], out->dfirst = v[0], out->dlast = v[n - 1];
}

void cold_summarise(const struct tsfs_vec *vec, uint32_t row, uint32_t n, struct tsfs_summary *out,
                    uint8_t *flags)
{
    memset(out, 0, sizeof(*out));
    *flags = 0;
    if (vec->type == TSFS_UNKNOWN || n == 0)
        return;
    if (vec->type != TSFS_BIGINT && vec->type != TSFS_DOUBLE) {
        *flags = COLD_FLAG_NONE;
        if (!vec->valid)
            out->count = n;
        else
            for (uint32_t i = 0; i < n; i++)
                out->count += tsfs_bit_get(vec->valid, row + i);
        return;
    }
    const uint64_t *values = (const uint64_t *)vec->data + row;
    uint64_t packed[TSFS_BLOCK_ROWS];
    if (vec->valid) {
        uint32_t m = 0;
        for (uint32_t i = 0; i < n; i++) {
            packed[m] = values[i];
            m += tsfs_bit_get(vec->valid, row + i);
        }
        values = packed;
        n = m;
    }
    out->count = n;
    if (n == 0)
        return;
    if (vec->type == TSFS_BIGINT)
        summarise_i64((const int64_t *)values, n, out, flags);
    else
        summarise_f64((const double *)values, n, out, flags);
}
