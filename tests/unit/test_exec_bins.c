/* Bins of time as the aggregation computes them against the functions bin and date_trunc themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/time.h"
#include "exec/agg_bins.h"
#include "exec/exec.h"
#include "mock_source.h"
#include "plan_build.h"

static struct tsfs_arena arena;

/* The function's own answer for one time; false: it refuses. */
static bool by_function(const E *call, int time_arg, int64_t t, int64_t *out)
{
    E with = *call, *args[2] = {call->args[0], call->args[1]};
    struct tsfs_value v;
    args[time_arg] = pb_time(t);
    with.args = args;
    if (tsfs_exec_fold(&with, 0, &arena, &v, NULL) != 0)
        return false;
    *out = v.i;
    return true;
}

static void check(const E *call, int time_arg, const struct agg_bins *bins, int64_t t)
{
    struct agg_bin bin = {0}, next = {0};
    int64_t lo = 0, other;
    bool ok = by_function(call, time_arg, t, &lo);
    assert_int_equal(agg_bins_at(bins, t, &bin), ok);
    if (!ok)
        return;
    assert_int_equal(bin.lo, lo);
    assert_true(bin.last >= t);
    assert_true(by_function(call, time_arg, bin.last, &other));
    assert_int_equal(other, lo);
    if (bin.last == INT64_MAX)
        return;
    assert_true(by_function(call, time_arg, bin.last + 1, &other));
    assert_int_equal(other, bin.last + 1);
    next = bin;
    assert_true(agg_bins_after(bins, bin.last + 1, &next));
    assert_int_equal(next.lo, bin.last + 1);
    assert_int_equal(next.number, bin.number + 1);
    struct agg_bin far = bin;
    int64_t later;
    if (__builtin_sub_overflow(bin.last, bin.lo, &later) || __builtin_add_overflow(later, 1, &later) ||
        __builtin_mul_overflow(later, 999, &later) || __builtin_add_overflow(t, later, &later))
        later = INT64_MAX;
    if (by_function(call, time_arg, later, &other)) {
        assert_true(agg_bins_after(bins, later, &far));
        assert_int_equal(far.lo, other);
    }
}

static void bins_are_what_the_functions_say(void **state)
{
    static const char *const units[] = {"second", "minute", "hour",    "day",
                                        "week",   "month",  "quarter", "YEAR"};
    static const int64_t steps[] = {1, 7, TSFS_NS_PER_S, 90 * TSFS_NS_PER_MIN, 30 * TSFS_NS_PER_DAY};
    E *time = pb_col(3, TSFS_TIMESTAMP);
    uint64_t rng = 5;
    for (int k = 0; k < 13; k++) {
        E *call = k < 8 ? pb_call("date_trunc", pb_str(units[k]), time, NULL)
                        : pb_call("bin", time, pb_interval(steps[k - 8]), NULL);
        struct agg_bins bins;
        assert_true(agg_bins_from(call, 3, &bins));
        assert_false(agg_bins_from(call, 2, &bins));
        assert_true(agg_bins_from(call, 3, &bins));
        for (int i = 0; i < 3000; i++) {
            int64_t t = (int64_t)mock_rand(&rng) >> (i % 40);
            check(call, k < 8, &bins, t);
            check(call, k < 8, &bins, t / TSFS_NS_PER_DAY * TSFS_NS_PER_DAY - (i & 1));
        }
        for (int64_t i = 0; i < 3; i++) {
            check(call, k < 8, &bins, INT64_MAX - i);
            check(call, k < 8, &bins, INT64_MIN + i);
        }
        tsfs_arena_reset(&arena);
        pb_arena = &arena;
        time = pb_col(3, TSFS_TIMESTAMP);
    }
}

static void other_calls_are_not_bins(void **state)
{
    struct agg_bins bins;
    E *time = pb_col(0, TSFS_TIMESTAMP);
    assert_false(agg_bins_from(time, 0, &bins));
    assert_false(agg_bins_from(pb_call("bin", time, pb_interval(0), NULL), 0, &bins));
    assert_false(agg_bins_from(pb_call("bin", pb_time(5), pb_interval(10), NULL), 0, &bins));
    assert_false(agg_bins_from(pb_call("bin", time, pb_null(TSFS_INTERVAL_DS), NULL), 0, &bins));
    assert_false(agg_bins_from(pb_call("date_trunc", pb_str("fortnight"), time, NULL), 0, &bins));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bins_are_what_the_functions_say),
        cmocka_unit_test(other_calls_are_not_bins),
    };
    tsfs_arena_init(&arena, NULL);
    pb_arena = &arena;
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    tsfs_arena_free(&arena);
    return rc;
}
