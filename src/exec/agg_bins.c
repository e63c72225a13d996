#include "exec/agg_bins.h"

#include "base/time.h"
#include "exec/functions/functions_priv.h"

#define MONDAY (-3 * TSFS_NS_PER_DAY) /* 1969-12-29 */

bool agg_bins_from(const struct tsfs_expr *expr, uint32_t time, struct agg_bins *bins)
{
    if (expr->kind != TSFS_EXPR_CALL || expr->nargs != 2 || expr->type != TSFS_TIMESTAMP)
        return false;
    bool is_bin = expr->fn->op == TSFS_OP_BIN;
    if (!is_bin && expr->fn->op != TSFS_OP_DATE_TRUNC)
        return false;
    const struct tsfs_expr *t = expr->args[is_bin ? 0 : 1], *by = expr->args[is_bin ? 1 : 0];
    if (t->kind != TSFS_EXPR_COLUMN || t->index != time || by->kind != TSFS_EXPR_LITERAL || by->value.null)
        return false;
    *bins = (struct agg_bins){0};
    if (is_bin) {
        bins->step = by->type == TSFS_INTERVAL_DS ? by->value.i : 0;
        return bins->step > 0;
    }
    if (by->type != TSFS_VARCHAR)
        return false;
    enum calendar_unit unit = calendar_unit_from(by->value.s);
    if (unit == UNIT_NONE)
        return false;
    if (unit > UNIT_WEEK) {
        bins->months = (unsigned)calendar_unit_months(unit);
        return true;
    }
    bins->step = calendar_unit_ns[unit];
    bins->origin = unit == UNIT_WEEK ? MONDAY : 0;
    return true;
}

static int64_t floor_div(int64_t a, int64_t b, int64_t *rest)
{
    int64_t q = a / b;
    *rest = a % b;
    if (*rest < 0) {
        *rest += b;
        q--;
    }
    return q;
}

static bool months_at(unsigned months, int64_t t, struct agg_bin *bin)
{
    struct tsfs_civil civil;
    tsfs_time_to_civil(t, &civil);
    int64_t rest, number = floor_div((int64_t)civil.year * 12 + civil.month - 1, months, &rest);
    int64_t first = number * months, next = first + months, month;
    int64_t year = floor_div(first, 12, &month);
    int64_t lo = tsfs_time_days_from_civil((int32_t)year, (unsigned)month + 1, 1);
    year = floor_div(next, 12, &month);
    int64_t hi = tsfs_time_days_from_civil((int32_t)year, (unsigned)month + 1, 1);
    bin->number = number;
    if (__builtin_mul_overflow(hi, TSFS_NS_PER_DAY, &bin->last))
        bin->last = INT64_MAX;
    else
        bin->last--;
    return !__builtin_mul_overflow(lo, TSFS_NS_PER_DAY, &bin->lo);
}

bool agg_bins_at(const struct agg_bins *bins, int64_t t, struct agg_bin *bin)
{
    if (bins->step == 0)
        return months_at(bins->months, t, bin);
    int64_t rest, origin_rest = 0;
    bin->number = floor_div(t, bins->step, &rest);
    if (bins->origin != 0) {
        /* origin lies in (-step, 0]: the grid is shifted right by step + origin */
        origin_rest = bins->step + bins->origin;
        if (rest >= origin_rest) {
            rest -= origin_rest;
        } else {
            rest += -bins->origin;
            bin->number--;
        }
    }
    if (__builtin_add_overflow(t, bins->step - 1 - rest, &bin->last))
        bin->last = INT64_MAX;
    return !__builtin_sub_overflow(t, rest, &bin->lo);
}
