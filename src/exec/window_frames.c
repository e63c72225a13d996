/* Which rows each row's frame holds. */
#include <errno.h>
#include <math.h>

#include "exec/window_priv.h"

int window_column(const struct window_part *part, uint32_t col, struct tsfs_vec *out)
{
    return rows_gather(part->rows, part->arena, col, part->ids, part->n, out);
}

static int fail(const struct window_part *part, const struct window_fn *fn, const char *what)
{
    return tsfs_error_set_at(part->err, -EINVAL, fn->plan->line, fn->plan->column,
                             "a frame's offset cannot be %s", what);
}

static int bound_offset(const struct window_part *part, const struct window_fn *fn,
                        const struct tsfs_vec *offset, uint32_t row, uint64_t *out)
{
    if (tsfs_vec_null(offset, row))
        return fail(part, fn, "NULL");
    if (offset->i[row] < 0)
        return fail(part, fn, "negative");
    *out = (uint64_t)offset->i[row];
    return 0;
}

static uint32_t minus(uint32_t a, uint64_t b)
{
    return b > a ? 0 : a - (uint32_t)b;
}

static uint32_t plus(uint32_t a, uint64_t b, uint32_t most)
{
    return b > most - a ? most : a + (uint32_t)b;
}

/* ---- RANGE with an offset: a search among the sorted keys ---- */

struct range {
    struct tsfs_vec keys;
    uint32_t lo, hi; /* rows whose key is not NULL */
    bool descending;
};

/* NaN is the largest. */
static int compare_doubles(double a, double b)
{
    if (isnan(a) || isnan(b))
        return isnan(a) - isnan(b);
    return (a > b) - (a < b);
}

/* key of row i against bound value j of v, in the order of the sort */
static int compare_key(const struct range *r, uint32_t i, const struct tsfs_vec *v, uint32_t j)
{
    int c = r->keys.type == TSFS_DOUBLE ? compare_doubles(r->keys.d[i], v->d[j])
                                        : (r->keys.i[i] > v->i[j]) - (r->keys.i[i] < v->i[j]);
    return r->descending ? -c : c;
}

/* The first row whose key is not before (after: is behind) the bound. */
static uint32_t search(const struct range *r, const struct tsfs_vec *bounds, uint32_t row, bool after)
{
    uint32_t lo = r->lo, hi = r->hi;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        int c = compare_key(r, mid, bounds, row);
        if (c < 0 || (after && c == 0))
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static int range_init(const struct window_part *part, struct range *r)
{
    *r = (struct range){.descending = part->descending};
    int rc = window_column(part, part->key, &r->keys);
    if (rc != 0)
        return rc;
    while (r->lo < part->n && tsfs_vec_null(&r->keys, r->lo))
        r->lo++;
    r->hi = r->lo;
    while (r->hi < part->n && !tsfs_vec_null(&r->keys, r->hi))
        r->hi++;
    return 0;
}

static int range_edge(const struct window_part *part, const struct window_fn *fn, const struct range *r,
                      const struct tsfs_vec *bounds, uint32_t row, bool start, bool preceding, uint32_t *out)
{
    uint32_t group = part->peers[row];
    if (tsfs_vec_null(&r->keys, row)) { /* NULLs are one another's peers and nobody else's */
        *out = part->group_from[start ? group : group + 1];
        return 0;
    }
    if (tsfs_vec_null(bounds, row))
        return fail(part, fn, "NULL");
    int c = compare_key(r, row, bounds, row);
    if (preceding ? c < 0 : c > 0)
        return fail(part, fn, "negative");
    *out = search(r, bounds, row, !start);
    return 0;
}

/* ---- all bounds ---- */

static int edge(const struct window_part *part, const struct window_fn *fn, bool start,
                const struct range *range, const struct tsfs_vec *offset, uint32_t row, uint32_t *out)
{
    enum tsfs_frame_bound bound = start ? fn->plan->start : fn->plan->end;
    enum tsfs_frame_unit unit = fn->plan->unit;
    uint32_t group = part->peers[row], n = part->n;
    uint64_t by = 0;
    bool offsets = bound == TSFS_FRAME_PRECEDING || bound == TSFS_FRAME_FOLLOWING;
    if (bound == TSFS_FRAME_UNBOUNDED_PRECEDING || bound == TSFS_FRAME_UNBOUNDED_FOLLOWING) {
        *out = bound == TSFS_FRAME_UNBOUNDED_PRECEDING ? 0 : n;
        return 0;
    }
    if (offsets && unit == TSFS_FRAME_RANGE)
        return range_edge(part, fn, range, offset, row, start, bound == TSFS_FRAME_PRECEDING, out);
    if (offsets) {
        int rc = bound_offset(part, fn, offset, row, &by);
        if (rc != 0)
            return rc;
    }
    if (unit == TSFS_FRAME_ROWS) {
        uint32_t to = bound == TSFS_FRAME_PRECEDING ? minus(row + !start, by) : plus(row + !start, by, n);
        if (bound == TSFS_FRAME_PRECEDING && !start && by > row)
            to = 0;
        *out = to;
        return 0;
    }
    if (bound == TSFS_FRAME_PRECEDING) {
        if (by > group)
            *out = 0;
        else
            *out = part->group_from[group - (uint32_t)by + !start];
    } else if (bound == TSFS_FRAME_FOLLOWING) {
        *out = by > part->ngroups - 1 - group ? n : part->group_from[group + (uint32_t)by + !start];
    } else {
        *out = part->group_from[group + !start];
    }
    return 0;
}

int window_frames(const struct window_part *part, const struct window_fn *fn, struct window_frames *out)
{
    struct tsfs_vec start, end;
    struct range range = {0};
    int rc = 0;
    out->from = tsfs_arena_alloc(part->arena, (size_t)part->n * sizeof(uint32_t));
    out->to = tsfs_arena_alloc(part->arena, (size_t)part->n * sizeof(uint32_t));
    if (out->from == NULL || out->to == NULL)
        return -ENOMEM;
    if (fn->start != WINDOW_NO_COLUMN)
        rc = window_column(part, fn->start, &start);
    if (rc == 0 && fn->end != WINDOW_NO_COLUMN)
        rc = window_column(part, fn->end, &end);
    if (rc == 0 && fn->plan->unit == TSFS_FRAME_RANGE &&
        (fn->start != WINDOW_NO_COLUMN || fn->end != WINDOW_NO_COLUMN))
        rc = range_init(part, &range);
    for (uint32_t i = 0; i < part->n && rc == 0; i++) {
        rc = edge(part, fn, true, &range, &start, i, &out->from[i]);
        if (rc == 0)
            rc = edge(part, fn, false, &range, &end, i, &out->to[i]);
        if (out->to[i] < out->from[i])
            out->to[i] = out->from[i];
    }
    return rc;
}
