/* Slices of the private index as bytes.
 *
 * Every slice is a list of columns: all counts, then all minima, and so on; a column is a stream of LEB128
 * numbers, most of them differences to the entry before (zigzag where they may be negative, all arithmetic
 * modulo 2^64).  That leaves mostly small and repeating bytes, which zstd, applied to the slice as a whole,
 * then removes.
 *
 * Summaries of doubles are the hard part: five doubles a block are forty bytes, more than the data of the
 * block when that is well compressed.  But measured values rarely have more than a few decimals, so
 * the encoder looks for the smallest e such that each minimum, maximum, first and last of the slice is
 * exactly the double nearest to i / 10^e for an integer i, and stores the integers like those of BIGINT.
 * The sum gets the rounded integer and what the double differs from it in units of the last place, nearly
 * always a zero.  Where no such e exists the doubles are stored as they are, transposed into byte planes.
 *
 * What rounding a sum took away is a small whole number of units, one unit for the slice: the smallest bit
 * that any of them has. */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cold/index.h"

#define VARINT_MAX 10u
#define E_MAX      9

/* The last two are decimals and doubles with the rests of their sums; without these they are read only. */
enum measure_kind { KIND_INT, KIND_DECIMAL, KIND_DOUBLE, KIND_COUNT, KIND_DECIMAL_RESTS, KIND_DOUBLE_RESTS };

enum rests { RESTS_ZERO, RESTS_WHOLE, RESTS_PLANES };

static const double powers[E_MAX + 1] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};

static int reserve(struct tsfs_buf *out, size_t extra, uint8_t **p)
{
    int rc = tsfs_buf_reserve(out, extra);
    if (rc == 0)
        *p = (uint8_t *)out->data + out->len;
    return rc;
}

static void commit(struct tsfs_buf *out, const uint8_t *p)
{
    out->len = (size_t)((const char *)p - out->data);
}

/* ---- series ---- */

int codec_series_encode(const struct cold_series_raw *raw, struct tsfs_buf *out)
{
    uint8_t *p;
    int rc = reserve(out, (2 + (size_t)raw->n * (3 + raw->nkeys)) * VARINT_MAX, &p);
    if (rc)
        return rc;
    p = cold_put(p, raw->first_row);
    p = cold_put(p, raw->first_block);
    for (uint32_t i = 0; i < raw->n; i++)
        p = cold_put(p, raw->rows[i]);
    uint64_t prev = 0;
    for (uint32_t i = 0; i < raw->n; i++) {
        p = cold_put(p, cold_zigzag((uint64_t)raw->t_first[i] - prev));
        prev = (uint64_t)raw->t_first[i];
    }
    for (uint32_t i = 0; i < raw->n; i++)
        p = cold_put(p, (uint64_t)raw->t_last[i] - (uint64_t)raw->t_first[i]);
    for (uint32_t k = 0; k < raw->nkeys; k++) {
        prev = 0;
        for (uint32_t i = 0; i < raw->n; i++) {
            uint64_t id = raw->ids[k][i] == COLD_ABSENT ? 0 : (uint64_t)raw->ids[k][i] + 1;
            p = cold_put(p, cold_zigzag(id - prev));
            prev = id;
        }
    }
    commit(out, p);
    return 0;
}

/* Blocks of rows [row, end) of one series: its parts are cut at the row groups. */
static uint64_t count_blocks(uint64_t row, uint64_t end, const uint64_t *group_row, uint32_t ngroups,
                             uint32_t *group)
{
    uint64_t blocks = 0;
    while (row < end) {
        while (*group + 1 < ngroups && group_row[*group + 1] <= row)
            ++*group;
        uint64_t stop = group_row[*group + 1] < end ? group_row[*group + 1] : end;
        blocks += cold_block_count(stop - row);
        row = stop;
    }
    return blocks;
}

int codec_series_decode(const uint8_t *data, size_t len, uint32_t n, uint32_t nkeys,
                        const uint64_t *group_row, uint32_t ngroups, const uint32_t *dict,
                        struct cold_series_slice **out)
{
    struct cold_in in = {data, data + len, false};
    size_t bytes = sizeof(struct cold_series_slice) + (size_t)nkeys * COLD_SLICE * sizeof(uint32_t);
    struct cold_series_slice *s = calloc(1, bytes);
    if (!s)
        return -ENOMEM;
    s->bytes = bytes;
    s->n = n;
    s->row[0] = cold_get(&in);
    s->block[0] = cold_get(&in);
    uint64_t total = group_row[ngroups];
    if (in.bad || s->row[0] > total || s->block[0] > total)
        goto bad;
    uint32_t group = 0;
    if (ngroups > 1) { /* the group of the first row */
        uint32_t lo = 0, hi = ngroups;
        while (hi - lo > 1) {
            uint32_t mid = (lo + hi) / 2;
            if (group_row[mid] <= s->row[0])
                lo = mid;
            else
                hi = mid;
        }
        group = lo;
    }
    for (uint32_t i = 0; i < n; i++) {
        uint64_t rows = cold_get(&in);
        if (rows == 0 || rows > total - s->row[i])
            goto bad;
        s->row[i + 1] = s->row[i] + rows;
        s->block[i + 1] = s->block[i] + count_blocks(s->row[i], s->row[i + 1], group_row, ngroups, &group);
    }
    uint64_t prev = 0;
    for (uint32_t i = 0; i < n; i++) {
        prev += cold_unzigzag(cold_get(&in));
        s->t_first[i] = (int64_t)prev;
    }
    for (uint32_t i = 0; i < n; i++) {
        s->t_last[i] = (int64_t)((uint64_t)s->t_first[i] + cold_get(&in));
        if (s->t_last[i] < s->t_first[i])
            goto bad;
    }
    for (uint32_t k = 0; k < nkeys; k++) {
        prev = 0;
        uint32_t *ids = s->ids + (size_t)k * COLD_SLICE;
        for (uint32_t i = 0; i < n; i++) {
            prev += cold_unzigzag(cold_get(&in));
            if (prev > dict[k])
                goto bad;
            ids[i] = prev == 0 ? COLD_ABSENT : (uint32_t)prev - 1;
        }
    }
    if (in.bad || in.p != in.end)
        goto bad;
    *out = s;
    return 0;
bad:
    free(s);
    return -EINVAL;
}

/* ---- dictionaries: values sorted, each without the prefix that it shares with the one before ---- */

int codec_dict_encode(const struct tsfs_str *values, uint32_t n, struct tsfs_buf *out)
{
    struct tsfs_str prev = {"", 0};
    for (uint32_t i = 0; i < n; i++) {
        size_t shared = 0, most = prev.len < values[i].len ? prev.len : values[i].len;
        while (shared < most && prev.ptr[shared] == values[i].ptr[shared])
            shared++;
        uint8_t *p;
        int rc = reserve(out, 2 * VARINT_MAX + values[i].len, &p);
        if (rc)
            return rc;
        p = cold_put(p, shared);
        p = cold_put(p, values[i].len - shared);
        if (values[i].len > shared)
            memcpy(p, values[i].ptr + shared, values[i].len - shared);
        commit(out, p + (values[i].len - shared));
        prev = values[i];
    }
    return 0;
}

int codec_dict_decode(const uint8_t *data, size_t len, uint32_t n, struct cold_dict_slice **out)
{
    size_t total = 0, prev = 0;
    struct cold_in in = {data, data + len, false};
    for (uint32_t i = 0; i < n; i++) {
        uint64_t shared = cold_get(&in), rest = cold_get(&in);
        if (in.bad || shared > prev || rest > (size_t)(in.end - in.p) || shared + rest > TSFS_VARCHAR_MAX)
            return -EINVAL;
        in.p += rest;
        prev = shared + rest;
        total += prev;
    }
    if (in.p != in.end)
        return -EINVAL;
    size_t bytes = sizeof(struct cold_dict_slice) + total + 1;
    struct cold_dict_slice *s = malloc(bytes);
    if (!s)
        return -ENOMEM;
    s->bytes = bytes;
    s->n = n;
    in = (struct cold_in){data, data + len, false};
    char *p = s->data;
    struct tsfs_str last = {"", 0};
    for (uint32_t i = 0; i < n; i++) {
        uint64_t shared = cold_get(&in), rest = cold_get(&in);
        if (shared)
            memcpy(p, last.ptr, shared);
        if (rest)
            memcpy(p + shared, in.p, rest);
        in.p += rest;
        struct tsfs_str v = {p, shared + rest};
        if (i > 0 && tsfs_str_cmp(last, v) >= 0) {
            free(s);
            return -EINVAL;
        }
        s->values[i] = last = v;
        p += v.len;
    }
    *out = s;
    return 0;
}

/* ---- times of blocks ---- */

int codec_time_encode(const int64_t *t_first, const int64_t *t_last, uint32_t n, struct tsfs_buf *out)
{
    uint8_t *p;
    int rc = reserve(out, (size_t)n * 2 * VARINT_MAX, &p);
    if (rc)
        return rc;
    uint64_t prev = 0;
    for (uint32_t i = 0; i < n; i++) {
        p = cold_put(p, cold_zigzag((uint64_t)t_first[i] - prev));
        prev = (uint64_t)t_last[i];
    }
    for (uint32_t i = 0; i < n; i++)
        p = cold_put(p, (uint64_t)t_last[i] - (uint64_t)t_first[i]);
    commit(out, p);
    return 0;
}

int codec_time_decode(const uint8_t *data, size_t len, uint32_t n, struct cold_time_slice **out)
{
    struct cold_in in = {data, data + len, false};
    struct cold_time_slice *s = malloc(sizeof(*s));
    if (!s)
        return -ENOMEM;
    s->bytes = sizeof(*s);
    s->n = n;
    for (uint32_t i = 0; i < n; i++)
        s->t_first[i] = (int64_t)cold_unzigzag(cold_get(&in));
    uint64_t prev = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t first = prev + (uint64_t)s->t_first[i];
        prev = first + cold_get(&in);
        s->t_first[i] = (int64_t)first;
        s->t_last[i] = (int64_t)prev;
        in.bad |= s->t_last[i] < s->t_first[i];
    }
    if (in.bad || in.p != in.end) {
        free(s);
        return -EINVAL;
    }
    *out = s;
    return 0;
}

/* ---- summaries ---- */

static inline uint64_t bits_of(double d)
{
    uint64_t u;
    memcpy(&u, &d, 8);
    return u;
}
static inline double double_of(uint64_t u)
{
    double d;
    memcpy(&d, &u, 8);
    return d;
}

/* The integer i with v == the double nearest to i / 10^e, bit for bit. */
static inline bool scale(double v, double power, int64_t *i)
{
    double x = v * power;
    if (!(fabs(x) < 9007199254740992.0))
        return false;
    *i = (int64_t)nearbyint(x);
    return bits_of((double)*i / power) == bits_of(v);
}

struct scaled {
    uint32_t count;
    bool overflow;
    int64_t min, max, first, last;
    int64_t sum;
    uint64_t ulps;
};

static bool scale_all(const struct tsfs_summary *s, const uint8_t *flags, uint32_t n, int e,
                      struct scaled *out)
{
    double power = powers[e];
    uint32_t m = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (s[i].count == 0 || (flags[i] & COLD_FLAG_NONE))
            continue;
        struct scaled *o = &out[m++];
        o->count = s[i].count;
        o->overflow = false;
        if (!scale(s[i].dmin, power, &o->min) || !scale(s[i].dmax, power, &o->max) ||
            !scale(s[i].dfirst, power, &o->first) || !scale(s[i].dlast, power, &o->last))
            return false;
        double x = s[i].dsum * power;
        if (!(fabs(x) < 9007199254740992.0))
            return false;
        o->sum = (int64_t)nearbyint(x);
        o->ulps = bits_of(s[i].dsum) - bits_of((double)o->sum / power);
    }
    return true;
}

static uint8_t *put_scaled(uint8_t *p, const struct scaled *v, uint32_t m, bool decimal)
{
    uint64_t prev = 0;
    for (uint32_t i = 0; i < m; i++) {
        p = cold_put(p, cold_zigzag((uint64_t)v[i].min - prev));
        prev = (uint64_t)v[i].min;
    }
    for (uint32_t i = 0; i < m; i++)
        p = cold_put(p, (uint64_t)v[i].max - (uint64_t)v[i].min);
    for (uint32_t i = 0; i < m; i++)
        p = cold_put(p, (uint64_t)v[i].first - (uint64_t)v[i].min);
    for (uint32_t i = 0; i < m; i++)
        p = cold_put(p, (uint64_t)v[i].last - (uint64_t)v[i].min);
    for (uint32_t i = 0; i < m; i++)
        p = cold_put(p,
                     v[i].overflow ? 0 : cold_zigzag((uint64_t)v[i].sum - (uint64_t)v[i].min * v[i].count));
    for (uint32_t i = 0; decimal && i < m; i++)
        p = cold_put(p, cold_zigzag(v[i].ulps));
    return p;
}

/* The exponent of the lowest bit of d, which is not 0. */
static int lowest_bit(double d)
{
    int e;
    uint64_t whole = (uint64_t)ldexp(fabs(frexp(d, &e)), 53);
    return e - 53 + __builtin_ctzll(whole);
}

static uint8_t *put_rests(uint8_t *p, const struct tsfs_summary *const *live, uint32_t m)
{
    int unit = INT_MAX;
    double most = 0;
    for (uint32_t i = 0; i < m; i++) {
        if (live[i]->dsum_rest == 0)
            continue;
        int low = lowest_bit(live[i]->dsum_rest);
        unit = low < unit ? low : unit;
        most = fabs(live[i]->dsum_rest) > most ? fabs(live[i]->dsum_rest) : most;
    }
    if (most == 0) {
        *p++ = RESTS_ZERO;
        return p;
    }
    int high;
    frexp(most, &high);
    if (high - unit > 53 || unit < -1000) {
        *p++ = RESTS_PLANES;
        for (uint32_t i = 0; i < m; i++)
            for (unsigned b = 0; b < 8; b++)
                p[(size_t)b * m + i] = (uint8_t)(bits_of(live[i]->dsum_rest) >> (8 * b));
        return p + (size_t)8 * m;
    }
    *p++ = RESTS_WHOLE;
    p = cold_put(p, cold_zigzag((uint64_t)(int64_t)unit));
    for (uint32_t i = 0; i < m; i++)
        p = cold_put(p, cold_zigzag((uint64_t)(int64_t)ldexp(live[i]->dsum_rest, -unit)));
    return p;
}

static uint8_t *put_planes(uint8_t *p, const struct tsfs_summary *const *live, uint32_t m)
{
    for (unsigned field = 0; field < 5; field++)
        for (uint32_t i = 0; i < m; i++) {
            const struct tsfs_summary *s = live[i];
            double d = field == 0   ? s->dmin
                       : field == 1 ? s->dmax
                       : field == 2 ? s->dfirst
                       : field == 3 ? s->dlast
                                    : s->dsum;
            uint64_t u = bits_of(d);
            for (unsigned b = 0; b < 8; b++)
                p[((size_t)field * 8 + b) * m + i] = (uint8_t)(u >> (8 * b));
        }
    return p + (size_t)40 * m;
}

int codec_measure_encode(enum tsfs_type type, const struct tsfs_summary *s, const uint8_t *flags, uint32_t n,
                         struct tsfs_buf *out)
{
    bool any = false;
    uint8_t flagged = 0, all_flags[COLD_SLICE];
    for (uint32_t i = 0; i < n; i++) {
        any |= s[i].count > 0;
        bool rounded = s[i].dsum_rounded && s[i].count > 0 && !(flags[i] & COLD_FLAG_NONE);
        all_flags[i] = flags[i] | (type == TSFS_DOUBLE && rounded ? COLD_FLAG_ROUNDED : 0);
        flagged |= all_flags[i];
    }
    if (!any)
        return 0; /* the empty slice: no value anywhere */
    uint8_t *p;
    int rc = reserve(out, 4 + VARINT_MAX + (size_t)n * (1 + 8 * VARINT_MAX), &p);
    if (rc)
        return rc;
    struct scaled scaled[COLD_SLICE];
    const struct tsfs_summary *live[COLD_SLICE];
    uint32_t m = 0;
    uint8_t kind = KIND_COUNT;
    int e = 0;
    if (type == TSFS_DOUBLE) {
        for (uint32_t i = 0; i < n; i++)
            if (s[i].count && !(flags[i] & COLD_FLAG_NONE))
                live[m++] = &s[i];
        while (e <= E_MAX && !scale_all(s, flags, n, e, scaled))
            e++;
        kind = e <= E_MAX ? KIND_DECIMAL_RESTS : KIND_DOUBLE_RESTS;
    } else if (type == TSFS_BIGINT) {
        kind = KIND_INT;
        for (uint32_t i = 0; i < n; i++)
            if (s[i].count && !(flags[i] & COLD_FLAG_NONE))
                scaled[m++] = (struct scaled){.count = s[i].count,
                                              .overflow = flags[i] & COLD_FLAG_OVERFLOW,
                                              .min = s[i].imin,
                                              .max = s[i].imax,
                                              .first = s[i].ifirst,
                                              .last = s[i].ilast,
                                              .sum = s[i].isum};
    }
    *p++ = kind;
    *p++ = kind == KIND_DECIMAL_RESTS ? (uint8_t)e : 0;
    uint64_t prev = 0;
    for (uint32_t i = 0; i < n; i++) {
        p = cold_put(p, cold_zigzag(s[i].count - prev));
        prev = s[i].count;
    }
    if (kind != KIND_COUNT) {
        *p++ = flagged ? 1 : 0;
        if (flagged) {
            memcpy(p, all_flags, n);
            p += n;
        }
    }
    if (kind == KIND_INT || kind == KIND_DECIMAL_RESTS)
        p = put_scaled(p, scaled, m, kind == KIND_DECIMAL_RESTS);
    else if (kind == KIND_DOUBLE_RESTS)
        p = put_planes(p, live, m);
    if (type == TSFS_DOUBLE)
        p = put_rests(p, live, m);
    commit(out, p);
    return 0;
}

static void get_scaled(struct cold_in *in, struct scaled *v, uint32_t m, bool decimal)
{
    uint64_t prev = 0;
    for (uint32_t i = 0; i < m; i++) {
        prev += cold_unzigzag(cold_get(in));
        v[i].min = (int64_t)prev;
    }
    for (uint32_t i = 0; i < m; i++)
        v[i].max = (int64_t)((uint64_t)v[i].min + cold_get(in));
    for (uint32_t i = 0; i < m; i++)
        v[i].first = (int64_t)((uint64_t)v[i].min + cold_get(in));
    for (uint32_t i = 0; i < m; i++)
        v[i].last = (int64_t)((uint64_t)v[i].min + cold_get(in));
    for (uint32_t i = 0; i < m; i++)
        v[i].sum = (int64_t)((uint64_t)v[i].min * v[i].count + cold_unzigzag(cold_get(in)));
    for (uint32_t i = 0; decimal && i < m; i++)
        v[i].ulps = cold_unzigzag(cold_get(in));
}

static double plane(const uint8_t *p, uint32_t m, unsigned field, uint32_t i)
{
    uint64_t u = 0;
    for (unsigned b = 0; b < 8; b++)
        u |= (uint64_t)p[((size_t)field * 8 + b) * m + i] << (8 * b);
    return double_of(u);
}

/* Of the m blocks, into rests; false: that is no such column. */
static bool get_rests(struct cold_in *in, double *rests, uint32_t m)
{
    memset(rests, 0, m * sizeof(*rests));
    if (in->p == in->end)
        return false;
    uint8_t how = *in->p++;
    if (how == RESTS_WHOLE) {
        int64_t unit = (int64_t)cold_unzigzag(cold_get(in));
        if (unit < -1100 || unit > 1100)
            return false;
        for (uint32_t i = 0; i < m; i++)
            rests[i] = ldexp((double)(int64_t)cold_unzigzag(cold_get(in)), (int)unit);
    } else if (how == RESTS_PLANES) {
        if ((size_t)(in->end - in->p) != (size_t)8 * m)
            return false;
        for (uint32_t i = 0; i < m; i++)
            rests[i] = plane(in->p, m, 0, i);
        in->p = in->end;
    }
    for (uint32_t i = 0; i < m; i++)
        if (!isfinite(rests[i]))
            return false;
    return how <= RESTS_PLANES;
}

/* Infinities and NaN have no summary: one that holds them was not made by a writer. */
static bool is_finite(const struct tsfs_summary *s)
{
    return isfinite(s->dmin) && isfinite(s->dmax) && isfinite(s->dfirst) && isfinite(s->dlast) &&
           isfinite(s->dsum);
}

/* The j-th of m blocks that have a summary beyond their count. */
static void put_summary(struct tsfs_summary *o, uint8_t kind, uint8_t e, const struct scaled *v,
                        const uint8_t *planes, uint32_t m, uint32_t j)
{
    if (kind == KIND_INT) {
        o->imin = v[j].min, o->imax = v[j].max, o->ifirst = v[j].first, o->ilast = v[j].last;
        o->isum = o->isum_overflow ? 0 : v[j].sum;
    } else if (kind == KIND_DECIMAL) {
        double power = powers[e];
        o->dmin = (double)v[j].min / power, o->dmax = (double)v[j].max / power;
        o->dfirst = (double)v[j].first / power, o->dlast = (double)v[j].last / power;
        o->dsum = double_of(bits_of((double)v[j].sum / power) + v[j].ulps);
    } else {
        o->dmin = plane(planes, m, 0, j), o->dmax = plane(planes, m, 1, j);
        o->dfirst = plane(planes, m, 2, j), o->dlast = plane(planes, m, 3, j);
        o->dsum = plane(planes, m, 4, j);
    }
}

int codec_measure_decode(enum tsfs_type type, const uint8_t *data, size_t len, uint32_t n,
                         struct cold_measure_slice **out)
{
    struct cold_measure_slice *s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    s->bytes = sizeof(*s);
    s->n = n;
    *out = s;
    if (len == 0)
        return 0;
    struct cold_in in = {data, data + len, false};
    uint8_t want = type == TSFS_BIGINT ? KIND_INT : KIND_COUNT;
    if (len < 2)
        goto bad;
    uint8_t kind = data[0], e = data[1];
    bool rest_less = kind == KIND_DECIMAL || kind == KIND_DOUBLE;
    bool later = kind > KIND_DOUBLE_RESTS; /* than this program: the counts lead in every kind */
    if (kind == KIND_DECIMAL_RESTS || kind == KIND_DOUBLE_RESTS)
        kind = kind == KIND_DECIMAL_RESTS ? KIND_DECIMAL : KIND_DOUBLE;
    if (!later && (type == TSFS_DOUBLE ? kind != KIND_DECIMAL && kind != KIND_DOUBLE : kind != want))
        goto bad;
    in.p += 2;
    uint64_t prev = 0;
    for (uint32_t i = 0; i < n; i++) {
        prev += cold_unzigzag(cold_get(&in));
        if (prev > TSFS_BLOCK_ROWS)
            goto bad;
        s->summary[i].count = (uint32_t)prev;
    }
    if (later || kind == KIND_COUNT) {
        memset(s->flags, COLD_FLAG_NONE, n);
        in.p = later ? in.end : in.p;
        goto end;
    }
    if (e > E_MAX || in.p == in.end || *in.p > 1)
        goto bad;
    if (*in.p++) {
        if ((size_t)(in.end - in.p) < n)
            goto bad;
        memcpy(s->flags, in.p, n);
        in.p += n;
    }
    struct scaled scaled[COLD_SLICE];
    uint32_t m = 0;
    for (uint32_t i = 0; i < n; i++)
        if (s->summary[i].count && !(s->flags[i] & COLD_FLAG_NONE))
            scaled[m++].count = s->summary[i].count;
    const uint8_t *planes = in.p;
    if (kind == KIND_DOUBLE) {
        if ((size_t)(in.end - in.p) < (size_t)40 * m)
            goto bad;
        in.p += (size_t)40 * m;
    } else {
        get_scaled(&in, scaled, m, kind == KIND_DECIMAL);
    }
    double rests[COLD_SLICE] = {0};
    if (type == TSFS_DOUBLE && !rest_less && !get_rests(&in, rests, m))
        goto bad;
    uint32_t j = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct tsfs_summary *o = &s->summary[i];
        if (o->count == 0 || (s->flags[i] & COLD_FLAG_NONE))
            continue;
        o->isum_overflow = kind == KIND_INT && (s->flags[i] & COLD_FLAG_OVERFLOW);
        o->dsum_rounded = type == TSFS_DOUBLE && (rest_less || (s->flags[i] & COLD_FLAG_ROUNDED));
        o->dsum_rest = rests[j];
        s->flags[i] &= (uint8_t)~COLD_FLAG_ROUNDED;
        put_summary(o, kind, e, scaled, planes, m, j++);
        if (type == TSFS_DOUBLE && !is_finite(o))
            goto bad;
    }
end:
    if (!in.bad && in.p == in.end)
        return 0;
bad:
    free(s);
    *out = NULL;
    return -EINVAL;
}
