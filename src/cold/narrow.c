/* Decoded pages of whole numbers, kept narrow.
 *
 * What a page of a time series holds is close together: 8,640 percentages fit a byte each, the times of one
 * series are a straight line.  As 64-bit numbers they would be eight times and more as much memory to ask the
 * kernel for when the page is decoded, which costs more than the decoding, and to read again in every query.
 * So the cache keeps the distance to the smallest value in 1, 2 or 4 bytes, or only the line, and a cursor
 * widens the rows that are asked for into memory that it uses again and again and that stays in the
 * processor's caches.  Widening moves several values an instruction; reading the wide form from memory would
 * take longer.
 *
 * Times have units: nanoseconds of a day need 47 bits, its seconds 17.
 *
 * The loops are written once and compiled twice, for the baseline and for AVX2. */
#include "cold/narrow.h"

#include <string.h>

#include "base/cpu.h"

#define BODY static inline __attribute__((always_inline))

#define PROBE 16u /* values that are looked at before all are */
#define STEP  8u  /* values a round in two vectors: their chains of comparisons run side by side */

typedef int64_t quad __attribute__((vector_size(32)));

#define PICK(m, a, b) (((m) & (a)) | (~(m) & (b)))

BODY void extremes_body(const int64_t *v, size_t n, int64_t *min, int64_t *max)
{
    int64_t lo = v[0], hi = v[0];
    size_t i = 0;
    if (n >= STEP) {
        quad low[2], high[2], x;
        for (int k = 0; k < 2; k++) {
            memcpy(&low[k], v, sizeof(x));
            high[k] = low[k];
        }
        for (; i + STEP <= n; i += STEP) {
            for (int k = 0; k < 2; k++) {
                memcpy(&x, v + i + 4 * k, sizeof(x));
                low[k] = PICK(x < low[k], x, low[k]);
                high[k] = PICK(x > high[k], x, high[k]);
            }
        }
        for (int k = 0; k < 8; k++) {
            lo = low[k / 4][k % 4] < lo ? low[k / 4][k % 4] : lo;
            hi = high[k / 4][k % 4] > hi ? high[k / 4][k % 4] : hi;
        }
    }
    for (; i < n; i++) {
        lo = v[i] < lo ? v[i] : lo;
        hi = v[i] > hi ? v[i] : hi;
    }
    *min = lo;
    *max = hi;
}

BODY bool line_body(const int64_t *v, size_t n, uint64_t step)
{
    uint64_t off = 0;
    for (size_t i = 1; i < n; i++)
        off |= ((uint64_t)v[i] - (uint64_t)v[i - 1]) ^ step;
    return off == 0;
}

BODY void pack_body(const struct narrow *plan, const int64_t *v, size_t n, void *data)
{
    uint64_t base = (uint64_t)plan->base, unit = plan->unit;
    uint8_t *d1 = data;
    uint16_t *d2 = data;
    uint32_t *d4 = data;
    if (plan->width == 1)
        for (size_t i = 0; i < n; i++)
            d1[i] = (uint8_t)((uint64_t)v[i] - base);
    else if (plan->width == 2)
        for (size_t i = 0; i < n; i++)
            d2[i] = (uint16_t)((uint64_t)v[i] - base);
    else if (plan->width == 4 && unit == 1)
        for (size_t i = 0; i < n; i++)
            d4[i] = (uint32_t)((uint64_t)v[i] - base);
    else if (plan->width == 4)
        for (size_t i = 0; i < n; i++)
            d4[i] = (uint32_t)(((uint64_t)v[i] - base) / unit);
}

BODY void read_body(const struct narrow *in, size_t from, size_t n, int64_t *out)
{
    uint64_t base = (uint64_t)in->base, unit = in->unit;
    if (in->width == 0) {
        base += from * unit;
        for (size_t i = 0; i < n; i++)
            out[i] = (int64_t)(base + i * unit);
    } else if (in->width == 1) {
        const uint8_t *d = (const uint8_t *)in->data + from;
        for (size_t i = 0; i < n; i++)
            out[i] = (int64_t)(base + d[i]);
    } else if (in->width == 2) {
        const uint16_t *d = (const uint16_t *)in->data + from;
        for (size_t i = 0; i < n; i++)
            out[i] = (int64_t)(base + d[i]);
    } else {
        const uint32_t *d = (const uint32_t *)in->data + from;
        uint64_t low = (uint32_t)unit; /* a product of 32 bits each is one instruction */
        for (size_t i = 0; i < n; i++)
            out[i] = (int64_t)(base + d[i] * low);
    }
}

TSFS_CPU_BOTH(static, TSFS_CPU_NOTHING, void, extremes, extremes_body,
              (const int64_t *v, size_t n, int64_t *min, int64_t *max), (v, n, min, max))
TSFS_CPU_BOTH(static, return, bool, line, line_body, (const int64_t *v, size_t n, uint64_t step),
              (v, n, step))
TSFS_CPU_BOTH(TSFS_CPU_NOTHING, TSFS_CPU_NOTHING, void, narrow_pack, pack_body,
              (const struct narrow *plan, const int64_t *v, size_t n, void *data), (plan, v, n, data))
TSFS_CPU_BOTH(TSFS_CPU_NOTHING, TSFS_CPU_NOTHING, void, narrow_read, read_body,
              (const struct narrow *in, size_t from, size_t n, int64_t *out), (in, from, n, out))

static bool divisible(const int64_t *v, size_t n, int64_t base, uint64_t unit)
{
    uint64_t rest = 0;
    for (size_t i = 0; i < n; i++)
        rest |= ((uint64_t)v[i] - (uint64_t)base) % unit;
    return rest == 0;
}

bool narrow_plan(const int64_t *v, size_t n, bool time, struct narrow *out)
{
    static const uint64_t units[] = {UINT64_C(1000000000), UINT64_C(1000000), UINT64_C(1000)};
    size_t probe = n < PROBE ? n : PROBE;
    uint64_t step = n > 1 ? (uint64_t)v[1] - (uint64_t)v[0] : 0;
    if (line(v, probe, step) && line(v, n, step)) {
        *out = (struct narrow){.base = v[0], .unit = step};
        return true;
    }
    int64_t min, max;
    extremes(v, n, &min, &max);
    uint64_t range = (uint64_t)max - (uint64_t)min;
    *out = (struct narrow){.base = min, .unit = 1};
    out->width = range <= UINT8_MAX ? 1 : range <= UINT16_MAX ? 2 : range <= UINT32_MAX ? 4 : 0;
    if (out->width)
        return true;
    for (size_t i = 0; time && i < sizeof(units) / sizeof(units[0]); i++) {
        if (range / units[i] <= UINT32_MAX && divisible(v, probe, min, units[i]) &&
            divisible(v, n, min, units[i])) {
            out->unit = units[i];
            out->width = 4;
            return true;
        }
    }
    return false;
}
