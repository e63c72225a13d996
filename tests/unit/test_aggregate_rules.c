/* What is promised of single aggregates beyond the plain oracle: sums that do not depend on order and fail
 * only when the end does not fit, NaN and NULL, whole blocks answered from summaries, how far estimates may
 * be off, inner loops that give the same bits on every machine. */
#include "agg_support.h"
#include "base/cpu.h"
#include "base/sum.h"
#include "col/nested.h"
#include "exec/functions/exact.h"
#include "exec/functions/lanes.h"

static struct tsfs_value of_doubles(const char *name, const double *v, uint32_t n, enum way way)
{
    enum tsfs_type type = TSFS_DOUBLE;
    struct tsfs_vec arg = {.type = type, .d = v};
    struct tsfs_value out;
    assert_int_equal(compute(lookup(name, &type, 1), &arg, n, way, &out), 0);
    return out;
}

/* The order of the rows and how they are split does not show in a sum. */
static void test_sum_is_stable(void **state)
{
    (void)state;
    double v[ROWS];
    for (int round = 0; round < 50; round++) {
        for (uint32_t i = 0; i < ROWS; i++)
            v[i] = ldexp((double)rnd() / 0x1p64 - 0.5, (int)(rnd() % 40));
        double first = of_doubles("sum", v, ROWS, ONE_RUN).d;
        for (enum way way = MANY_RUNS; way < WAYS; way++)
            assert_true(of_doubles("sum", v, ROWS, way).d == first);
        tsfs_arena_reset(&arena);
    }
    for (uint32_t i = 0; i < ROWS; i++)
        v[i] = i % 3 == 0 ? 1e20 : i % 3 == 1 ? 1.0 : -1e20;
    for (enum way way = 0; way < WAYS; way++)
        assert_true(of_doubles("sum", v, ROWS, way).d == ROWS / 3);
    v[700] = INFINITY;
    assert_true(of_doubles("sum", v, ROWS, ONE_RUN).d == INFINITY);
    v[701] = -INFINITY;
    assert_true(isnan(of_doubles("sum", v, ROWS, MERGED_RUNS).d));
}

/* Values of all sizes, with all their digits, NULLs between them: what is computed from sums of them, of
 * their squares and of their products is the same bits in every order, row by row, in runs and merged. */
static void test_order_does_not_show(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        unsigned nargs;
    } names[] = {{"sum", 1},        {"avg", 1},           {"geometric_mean", 1}, {"stddev", 1},
                 {"var_pop", 1},    {"skewness", 1},      {"kurtosis", 1},       {"corr", 2},
                 {"covar_samp", 2}, {"regr_slope", 2},    {"regr_r2", 2},        {"regr_avgx", 2},
                 {"regr_syy", 2},   {"regr_intercept", 2}};
    static const int spans[] = {0, 8, 40, 300, 1000, 2000};
    enum tsfs_type types[2] = {TSFS_DOUBLE, TSFS_DOUBLE};
    double x[ROWS], y[ROWS];
    uint64_t valid[ROWS / 64 + 1];
    for (int round = 0; round < 60; round++) {
        int span = spans[round % 6];
        memset(valid, 0, sizeof(valid));
        for (uint32_t i = 0; i < ROWS; i++) {
            x[i] =
                ldexp((double)rnd() / 0x1p64 - 0.5, span == 0 ? 5 : (int)(rnd() % (unsigned)span) - span / 2);
            y[i] = round % 12 < 6 ? x[i] * 3 + (double)(rnd() % 100) / 10 : (double)(rnd() % 100000) / 100;
            if (rnd() % 7 != 0)
                tsfs_bit_set(valid, i);
        }
        for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
            struct tsfs_vec args[2] = {{.type = TSFS_DOUBLE, .d = x, .valid = valid},
                                       {.type = TSFS_DOUBLE, .d = y}};
            struct tsfs_value first = {0}, got;
            const struct tsfs_function *fn = lookup(names[k].name, types, names[k].nargs);
            for (int again = 0; again < 2; again++) {
                for (enum way way = 0; way < WAYS; way++) {
                    assert_int_equal(compute(fn, args, ROWS, way, &got), 0);
                    if (again == 0 && way == 0)
                        first = got;
                    else if (first.null != got.null || memcmp(&first.d, &got.d, sizeof(double)) != 0)
                        fail_msg("%s over %d powers of two: %.17g not %.17g", names[k].name, span, got.d,
                                 first.d);
                }
                for (uint32_t i = ROWS - 1; i > 0; i--) {
                    uint32_t j = (uint32_t)(rnd() % (i + 1));
                    double swap = x[i];
                    x[i] = x[j];
                    x[j] = swap;
                    swap = y[i];
                    y[i] = y[j];
                    y[j] = swap;
                    bool a = tsfs_bit_get(valid, i), b = tsfs_bit_get(valid, j);
                    a ? tsfs_bit_set(valid, j) : tsfs_bit_clear(valid, j);
                    b ? tsfs_bit_set(valid, i) : tsfs_bit_clear(valid, i);
                }
            }
        }
        tsfs_arena_reset(&arena);
    }
}

/* Sums are what whole numbers of any size say they are; cancellation takes nothing away from what is left. */
static void test_exact(void **state)
{
    (void)state;
    struct exact sum = {0};
    static const double huge[] = {1e308,     1e308,  1e308, -1e308,     -1e308,
                                  0x1p-1074, -1e308, 3,     -0x1p-1074, 0x1p-1074};
    for (size_t i = 0; i < sizeof(huge) / sizeof(huge[0]); i++)
        assert_int_equal(exact_add_double(&arena, &sum, huge[i]), 0);
    assert_true(exact_double(&sum) == 3);
    assert_int_equal(exact_add_double(&arena, &sum, -3), 0);
    assert_true(exact_double(&sum) == 0x1p-1074);
    for (int i = 0; i < 3; i++)
        assert_int_equal(exact_add_double(&arena, &sum, -1.5e308), 0);
    assert_true(exact_double(&sum) == -INFINITY);
    /* halves go to the even neighbour, and the least bit below decides */
    static const double ties[][4] = {{1, 0x1p-53, 0, 1},
                                     {1, 0x1p-53, 0x1p-1000, 1 + 0x1p-52},
                                     {1 + 0x1p-52, 0x1p-53, 0, 1 + 0x1p-51},
                                     {-1, -0x1p-53, -0x1p-1074, -1 - 0x1p-52},
                                     {0x1.fffffffffffffp0, 0x1p-53, 0, 2}};
    for (size_t i = 0; i < sizeof(ties) / sizeof(ties[0]); i++) {
        sum = (struct exact){0};
        for (int k = 0; k < 3; k++)
            assert_int_equal(exact_add_double(&arena, &sum, ties[i][k]), 0);
        assert_true(exact_double(&sum) == ties[i][3]);
    }
    /* whole numbers within 64 bits, scaled, in parts that are merged */
    for (int round = 0; round < 2000; round++) {
        struct exact parts[3] = {{0}};
        int64_t want = 0;
        int scale = (int)(rnd() % 400) - 200;
        for (int i = 0; i < 30; i++) {
            int64_t v = (int64_t)(rnd() >> (12 + rnd() % 50)) * (rnd() % 2 ? 1 : -1);
            want += v;
            assert_int_equal(exact_add_double(&arena, &parts[i % 3], ldexp((double)v, scale)), 0);
        }
        assert_int_equal(exact_add_exact(&arena, &parts[0], &parts[1]), 0);
        assert_int_equal(exact_add_exact(&arena, &parts[2], &parts[0]), 0);
        assert_true(exact_double(&parts[2]) == ldexp((double)want, scale));
        struct exact_big a, b, product;
        struct exact twice = {0};
        assert_int_equal(exact_big_of(&arena, &parts[2], &a), 0);
        assert_int_equal(exact_big_of(&arena, &parts[1], &b), 0);
        assert_int_equal(exact_big_multiply(&arena, &a, &b, &product), 0);
        assert_int_equal(exact_add_big(&arena, &twice, &product, true), 0);
        double d = exact_double(&parts[2]) * exact_double(&parts[1]), e = -exact_double(&twice);
        assert_true(fabs(d - e) <= fabs(d) * 0x1p-50);
        tsfs_arena_reset(&arena);
    }
    double far[4] = {1e9 + 1, 1e9 + 2, 1e9 + 3, 1e9 + 6}, one[4];
    assert_true(of_doubles("var_pop", far, 4, ONE_RUN).d == 3.5);
    for (int i = 0; i < 4; i++)
        one[i] = 1e200 + ldexp(far[i] - 1e9, 620);
    assert_true(isfinite(of_doubles("stddev_pop", one, 4, ONE_RUN).d));
}

/* What cannot be brought to a whole number with its run because it would become 0 counts, too. */
static void test_small_beside_large(void **state)
{
    (void)state;
    const enum tsfs_type types[] = {TSFS_DOUBLE, TSFS_DOUBLE};
    const double x[] = {0x1p880, -0x1p880, 0x1p-400, 0}, y[] = {0, 0, 1, 0};
    const struct tsfs_vec yx[] = {{.type = TSFS_DOUBLE, .d = y}, {.type = TSFS_DOUBLE, .d = x}};
    const struct tsfs_vec xy[] = {yx[1], yx[0]};
    for (enum way way = 0; way < WAYS; way++) {
        struct tsfs_value v;
        assert_int_equal(compute(lookup("regr_avgx", types, 2), yx, 4, way, &v), 0);
        assert_true(v.d == 0x1p-402);
        assert_int_equal(compute(lookup("covar_pop", types, 2), yx, 4, way, &v), 0);
        assert_true(v.d == 0x3p-404);
        assert_int_equal(compute(lookup("covar_pop", types, 2), xy, 4, way, &v), 0);
        assert_true(v.d == 0x3p-404);
    }
}

/* Only what is nothing but NaN has a NaN for its extremes. */
static void test_nan_is_passed_over(void **state)
{
    (void)state;
    double v[100];
    for (int i = 0; i < 100; i++)
        v[i] = i;
    v[50] = NAN;
    for (enum way way = 0; way < WAYS; way++) {
        assert_true(of_doubles("max", v, 100, way).d == 99);
        assert_true(of_doubles("min", v, 100, way).d == 0);
    }
    for (int i = 0; i < 100; i++)
        v[i] = NAN;
    for (enum way way = 0; way < WAYS; way++) {
        assert_true(isnan(of_doubles("min", v, 100, way).d));
        assert_true(isnan(of_doubles("max", v, 100, way).d));
    }
    for (int i = 0; i < 100; i++)
        v[i] = INFINITY;
    assert_true(of_doubles("min", v, 100, ONE_RUN).d == INFINITY);
}

/* Sums of whole numbers pass through any overflow on the way and fail only if the end does not fit. */
static void test_integer_sum_overflow(void **state)
{
    (void)state;
    enum tsfs_type type = TSFS_BIGINT;
    const struct tsfs_function *fn = lookup("sum", &type, 1), *avg = lookup("avg", &type, 1);
    int64_t v[64];
    struct tsfs_vec arg = {.type = type, .i = v};
    struct tsfs_value out;
    for (enum way way = 0; way < WAYS; way++) {
        for (int i = 0; i < 64; i++)
            v[i] = i < 32 ? INT64_MAX : INT64_MIN;
        assert_int_equal(compute(fn, &arg, 64, way, &out), 0);
        assert_int_equal(out.i, -32);
        v[63] = INT64_MAX;
        assert_int_equal(compute(fn, &arg, 64, way, &out), -EINVAL);
        assert_non_null(strstr(err.message, "does not fit into a bigint"));
        assert_int_equal(err.column, 8);
        for (int i = 0; i < 64; i++)
            v[i] = INT64_MIN;
        assert_int_equal(compute(fn, &arg, 64, way, &out), -EINVAL);
        assert_int_equal(compute(avg, &arg, 64, way, &out), 0);
        assert_true(out.d == -0x1p63);
    }
}

/* min_by and max_by give NULL when x is NULL in the chosen row, and pass over rows whose y is. */
static void test_by_nulls(void **state)
{
    (void)state;
    enum tsfs_type types[2] = {TSFS_DOUBLE, TSFS_TIMESTAMP};
    double x[3] = {1, 2, 3};
    int64_t y[3] = {10, 20, 30};
    uint64_t x_valid[1] = {5}, y_valid[1] = {3};
    struct tsfs_vec args[2] = {{.type = TSFS_DOUBLE, .d = x, .valid = x_valid},
                               {.type = TSFS_TIMESTAMP, .i = y, .valid = y_valid}};
    struct tsfs_value out;
    for (enum way way = 0; way < WAYS; way++) {
        assert_int_equal(compute(lookup("max_by", types, 2), args, 3, way, &out), 0);
        assert_true(out.null);
        assert_int_equal(compute(lookup("min_by", types, 2), args, 3, way, &out), 0);
        assert_true(!out.null && out.d == 1);
    }
}

static void test_count_all(void **state)
{
    (void)state;
    const struct tsfs_function *fn = lookup("count", NULL, 0);
    struct tsfs_value out;
    for (enum way way = 0; way < WAYS; way++) {
        assert_int_equal(compute(fn, NULL, 777, way, &out), 0);
        assert_int_equal(out.i, 777);
    }
}

/* Blocks answered from summaries give what their rows give. */
static void test_summaries(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool by_time;
    } names[] = {{"count", false}, {"sum", false},   {"avg", false},  {"min", false},
                 {"max", false},   {"min_by", true}, {"max_by", true}};
    static const enum tsfs_type kinds[] = {TSFS_DOUBLE, TSFS_BIGINT};
    for (int round = 0; round < 400; round++) {
        enum tsfs_type types[2] = {kinds[round % 2], TSFS_TIMESTAMP};
        unsigned nulls = round / 2 % 4 == 0 ? 3 : round / 2 % 4 == 1 ? 8 : 0;
        struct tsfs_vec args[2] = {column(types[0], nulls, 1000), {.type = TSFS_TIMESTAMP}};
        int64_t *times = tsfs_arena_alloc(&arena, ROWS * sizeof(*times));
        for (uint32_t i = 0; i < ROWS; i++)
            times[i] = (int64_t)i * 10 - 5000;
        args[1].i = times;
        uint32_t row = (uint32_t)(rnd() % 1000), n = (uint32_t)(rnd() % 300) + 1;
        struct tsfs_block block = {
            .row = row, .nrows = n, .t_first = times[row], .t_last = times[row + n - 1]};
        struct tsfs_summary sum = {0};
        for (uint32_t i = row; i < row + n; i++) {
            struct tsfs_value v = tsfs_vec_get(&args[0], i);
            if (v.null)
                continue;
            if (types[0] == TSFS_DOUBLE) {
                sum.dsum += v.d;
                sum.dmin = sum.count == 0 || v.d < sum.dmin ? v.d : sum.dmin;
                sum.dmax = sum.count == 0 || v.d > sum.dmax ? v.d : sum.dmax;
                sum.dfirst = sum.count == 0 ? v.d : sum.dfirst;
                sum.dlast = v.d;
            } else {
                sum.isum += v.i;
                sum.imin = sum.count == 0 || v.i < sum.imin ? v.i : sum.imin;
                sum.imax = sum.count == 0 || v.i > sum.imax ? v.i : sum.imax;
                sum.ifirst = sum.count == 0 ? v.i : sum.ifirst;
                sum.ilast = v.i;
            }
            sum.count++;
        }
        for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
            const struct tsfs_function *fn = lookup(names[k].name, types, names[k].by_time ? 2 : 1);
            const struct tsfs_aggregate_impl *impl = fn->impl;
            struct tsfs_kernel_ctx ctx = context();
            void *rows = new_state(impl), *blocks = new_state(impl);
            assert_int_equal(impl->update_run(&ctx, rows, args, 0, ROWS), 0);
            assert_int_equal(impl->update_run(&ctx, blocks, args, 0, row), 0);
            int rc = impl->update_summary(&ctx, blocks, types[0], &block, &sum);
            if (rc == 1) {
                assert_true(names[k].by_time && sum.count > 0 && sum.count < n);
                rc = impl->update_run(&ctx, blocks, args, row, n);
            }
            assert_int_equal(rc, 0);
            assert_int_equal(impl->update_run(&ctx, blocks, args, row + n, ROWS - row - n), 0);
            struct tsfs_value want, got;
            assert_int_equal(finish(fn, args, rows, &want), 0);
            assert_int_equal(finish(fn, args, blocks, &got), 0);
            same(names[k].name, got, want, 1e-14);
        }
        tsfs_arena_reset(&arena);
    }
}

/* A summary that cannot answer says so and leaves the state alone. */
static void test_summary_refused(void **state)
{
    (void)state;
    enum tsfs_type big_type = TSFS_BIGINT;
    const struct tsfs_function *fn = lookup("sum", &big_type, 1);
    const struct tsfs_aggregate_impl *impl = fn->impl;
    struct tsfs_kernel_ctx ctx = context();
    struct tsfs_summary sum = {.count = 5, .isum_overflow = true};
    struct tsfs_block block = {.nrows = 5};
    void *s = new_state(impl);
    assert_int_equal(impl->update_summary(&ctx, s, TSFS_BIGINT, &block, &sum), 1);
    struct tsfs_vec arg = {.type = TSFS_BIGINT};
    struct tsfs_value out;
    assert_int_equal(finish(fn, &arg, s, &out), 0);
    assert_true(out.null);
    enum tsfs_type str_types[2] = {TSFS_VARCHAR, TSFS_TIMESTAMP};
    impl = lookup("max_by", str_types, 2)->impl;
    s = new_state(impl);
    assert_int_equal(impl->update_summary(&ctx, s, TSFS_VARCHAR, &block, &sum), 1);
    enum tsfs_type str_type = TSFS_VARCHAR;
    impl = lookup("count", &str_type, 1)->impl;
    s = new_state(impl);
    assert_int_equal(impl->update_summary(&ctx, s, TSFS_VARCHAR, &block, &sum), 0);
}

static void test_arbitrary(void **state)
{
    (void)state;
    enum tsfs_type type = TSFS_VARCHAR;
    struct tsfs_vec arg = column(type, 6, 100);
    struct tsfs_value out;
    for (enum way way = 0; way < WAYS; way++) {
        assert_int_equal(compute(lookup("arbitrary", &type, 1), &arg, ROWS, way, &out), 0);
        assert_false(out.null);
        bool found = false;
        for (uint32_t i = 0; i < ROWS; i++)
            found |= !tsfs_vec_null(&arg, i) && tsfs_str_eq(arg.s[i], out.s);
        assert_true(found);
        assert_int_equal(compute(lookup("any_value", &type, 1), &arg, 0, way, &out), 0);
        assert_true(out.null);
    }
    tsfs_arena_reset(&arena);
}

static void test_approx_distinct(void **state)
{
    (void)state;
    enum tsfs_type types[2] = {TSFS_BIGINT, TSFS_DOUBLE};
    const struct tsfs_function *fn = lookup("approx_distinct", types, 1),
                               *fine = lookup("approx_distinct", types, 2);
    int64_t v[ROWS];
    double e = 0.01, bad = 0.5;
    struct tsfs_vec args[2] = {{.type = TSFS_BIGINT, .i = v},
                               {.type = TSFS_DOUBLE, .d = &e, .constant = true}};
    struct tsfs_value out;
    static const uint32_t counts[] = {1, 10, 100, 128, 129, 500, 1500};
    for (size_t k = 0; k < 7; k++) {
        for (uint32_t i = 0; i < ROWS; i++)
            v[i] = (int64_t)(i % counts[k]) * 1000003;
        for (enum way way = 0; way < WAYS; way++) {
            assert_int_equal(compute(fn, args, ROWS, way, &out), 0);
            double off = fabs((double)out.i / counts[k] - 1);
            assert_true(counts[k] <= 128 ? off == 0 : off < 0.08);
            assert_int_equal(compute(fine, args, ROWS, way, &out), 0);
            assert_true(fabs((double)out.i / counts[k] - 1) < 0.035);
        }
        tsfs_arena_reset(&arena);
    }
    args[1].d = &bad;
    assert_int_equal(compute(fine, args, ROWS, ONE_RUN, &out), -EINVAL);
    assert_int_equal(compute(fn, args, 0, ONE_RUN, &out), 0);
    assert_int_equal(out.i, 0);

    /* Many values: the estimate stays inside a few standard errors of 2.3 %. */
    const struct tsfs_aggregate_impl *impl = fn->impl;
    struct tsfs_kernel_ctx ctx = context();
    void *s = new_state(impl);
    for (int64_t total = 0; total < 300000; total += ROWS) {
        for (uint32_t i = 0; i < ROWS; i++)
            v[i] = total + i;
        assert_int_equal(impl->update_run(&ctx, s, args, 0, ROWS), 0);
        assert_int_equal(finish(fn, args, s, &out), 0);
        assert_true(fabs((double)out.i / (double)(total + ROWS) - 1) < 0.08);
    }
    tsfs_arena_reset(&arena);
}

/* Both zeros are equal: which of them came first, or was told apart by how rows were shared out, does not
 * show. */
static void test_zeros(void **state)
{
    (void)state;
    static const double v[4][2] = {{0.0, -0.0}, {-0.0, 0.0}, {-0.0, -0.0}, {0.0, 0.0}};
    for (size_t i = 0; i < 4; i++)
        for (enum way way = 0; way < WAYS; way++) {
            assert_false(signbit(of_doubles("min", v[i], 2, way).d));
            assert_false(signbit(of_doubles("max", v[i], 2, way).d));
        }
    static const int64_t two = 2;
    static const enum tsfs_type types[] = {TSFS_DOUBLE, TSFS_BIGINT};
    const struct tsfs_aggregate_impl *impl = lookup("max", types, 2)->impl;
    for (size_t i = 0; i < 4; i++) {
        struct tsfs_vec args[] = {{.type = TSFS_DOUBLE, .d = v[i]},
                                  {.type = TSFS_BIGINT, .constant = true, .i = &two}};
        struct tsfs_kernel_ctx ctx = context();
        const struct tsfs_array *out;
        uint64_t valid = 0;
        void *s = new_state(impl);
        assert_int_equal(impl->update_run(&ctx, s, args, 0, 2), 0);
        assert_int_equal(impl->finish(&ctx, s, &out, &valid, 0), 0);
        assert_int_equal(out->n, 2);
        assert_false(signbit(out->elems.d[0]) || signbit(out->elems.d[1]));
    }
    tsfs_arena_reset(&arena);
}

/* The best texts of very many, each better than those before: what went out leaves its room. */
static void test_top_texts(void **state)
{
    (void)state;
    static const int64_t three = 3;
    static const enum tsfs_type types[] = {TSFS_VARCHAR, TSFS_BIGINT};
    const struct tsfs_aggregate_impl *impl = lookup("max", types, 2)->impl;
    tsfs_arena_free(&arena); /* which still has what other tests needed */
    tsfs_arena_init(&arena, NULL);
    struct tsfs_kernel_ctx ctx = context();
    void *s = new_state(impl);
    char text[200];
    for (int i = 0; i < 100000; i++) {
        int len = snprintf(text, sizeof(text), "%08d%*s", i, i % 150, "");
        struct tsfs_str str = {text, (size_t)len};
        struct tsfs_vec args[] = {{.type = TSFS_VARCHAR, .constant = true, .s = &str},
                                  {.type = TSFS_BIGINT, .constant = true, .i = &three}};
        assert_int_equal(impl->update_run(&ctx, s, args, 0, 1), 0);
    }
    assert_true(arena.used < 256 * 1024);
    const struct tsfs_array *out;
    uint64_t valid = 0;
    assert_int_equal(impl->finish(&ctx, s, &out, &valid, 0), 0);
    assert_int_equal(out->n, 3);
    for (int i = 0; i < 3; i++) {
        int len = snprintf(text, sizeof(text), "%08d%*s", 99999 - i, (99999 - i) % 150, "");
        assert_true(tsfs_str_eq(out->elems.s[i], (struct tsfs_str){text, (size_t)len}));
    }
    tsfs_arena_reset(&arena);
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void test_approx_percentile(void **state)
{
    (void)state;
    enum tsfs_type types[2] = {TSFS_DOUBLE, TSFS_DOUBLE};
    const struct tsfs_function *fn = lookup("approx_percentile", types, 2);
    static double v[40000], sorted[40000];
    double p;
    struct tsfs_vec args[2] = {{.type = TSFS_DOUBLE, .d = v},
                               {.type = TSFS_DOUBLE, .d = &p, .constant = true}};
    static const double ps[] = {0, 0.001, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1};
    struct tsfs_value out;
    const struct tsfs_aggregate_impl *impl = fn->impl;
    for (uint32_t n = 1; n <= 40000; n = n * 3 + 1) {
        for (uint32_t i = 0; i < n; i++)
            sorted[i] = v[i] = pow((double)rnd() / 0x1p64, 3) * 1000;
        qsort(sorted, n, sizeof(double), by_value);
        for (size_t k = 0; k < sizeof(ps) / sizeof(ps[0]); k++) {
            p = ps[k];
            struct tsfs_kernel_ctx ctx = context();
            void *parts[4];
            for (int i = 0; i < 4; i++)
                parts[i] = new_state(impl);
            for (uint32_t at = 0; at < n; at += 500)
                assert_int_equal(
                    impl->update_run(&ctx, parts[rnd() % 4], args, at, n - at < 500 ? n - at : 500), 0);
            for (int i = 1; i < 4; i++)
                assert_int_equal(impl->merge(&ctx, parts[0], parts[i]), 0);
            assert_int_equal(finish(fn, args, parts[0], &out), 0);
            /* The rank of the answer is at most 0.4 % of the rows, or one row, away. */
            double slack = 0.004 * n + 1, rank = p * n;
            uint32_t lo = rank - slack < 0 ? 0 : (uint32_t)(rank - slack);
            uint32_t hi = rank + slack >= n ? n - 1 : (uint32_t)(rank + slack);
            if (!(out.d >= sorted[lo] && out.d <= sorted[hi]))
                fail_msg("p %g of %u: %g is not in [%g, %g]", p, n, out.d, sorted[lo], sorted[hi]);
            tsfs_arena_reset(&arena);
        }
    }
    double three[3] = {3, 1, 2};
    args[0].d = three;
    p = 0.5;
    assert_int_equal(compute(fn, args, 3, ROW_BY_ROW, &out), 0);
    assert_true(out.d == 2);
    p = 1.5;
    assert_int_equal(compute(fn, args, 3, ONE_RUN, &out), -EINVAL);
    enum tsfs_type whole[3] = {TSFS_BIGINT, TSFS_DOUBLE, TSFS_DOUBLE};
    int64_t values[2] = {10, 20};
    double weights[2] = {1, 99};
    p = 0.5;
    struct tsfs_vec weighted[3] = {{.type = TSFS_BIGINT, .i = values},
                                   {.type = TSFS_DOUBLE, .d = weights},
                                   {.type = TSFS_DOUBLE, .d = &p, .constant = true}};
    assert_int_equal(compute(lookup("approx_percentile", whole, 3), weighted, 2, ONE_RUN, &out), 0);
    assert_int_equal(out.i, 20);
    weights[0] = 0;
    assert_int_equal(compute(lookup("approx_percentile", whole, 3), weighted, 2, ONE_RUN, &out), -EINVAL);
    tsfs_arena_reset(&arena);
}

/* The versions of the inner loops give the same bits, whatever the machine. */
static void test_lanes_agree(void **state)
{
    (void)state;
    double v[100];
    int64_t w[100];
    unsigned nexact = 0;
    for (int round = 0; round < 2000; round++) {
        uint32_t n = (uint32_t)(rnd() % 100) + 1;
        for (uint32_t i = 0; i < n; i++) {
            w[i] = (int64_t)(rnd() >> rnd() % 64);
            v[i] = rnd() % 50 == 0 ? (double)NAN : ldexp((double)rnd() / 0x1p63 - 1, (int)(rnd() % 40));
        }
        struct {
            struct tsfs_sum sum;
            double min, max;
            uint64_t nans[2], low, high, exact;
            int64_t imin, imax;
        } r[2];
        memset(r, 0, sizeof(r));
        for (int k = 0; k < 2; k++) {
            tsfs_cpu_portable_only = k == 0;
            r[k].exact = tsfs_sum_of(&r[k].sum, v, n);
            r[k].min = lanes_min(v, n, &r[k].nans[0]);
            r[k].max = lanes_max(v, n, &r[k].nans[1]);
            lanes_halves(w, n, &r[k].low, &r[k].high);
            r[k].imin = lanes_imin(w, n);
            r[k].imax = lanes_imax(w, n);
        }
        tsfs_cpu_portable_only = false;
        assert_memory_equal(&r[0], &r[1], sizeof(r[0]));
        double least = INFINITY;
        for (uint32_t i = 0; i < n; i++)
            least = v[i] < least ? v[i] : least;
        assert_true(r[0].min == least);
        bool nan = false;
        for (uint32_t i = 0; i < n; i++)
            nan |= isnan(v[i]);
        assert_false(nan && r[0].exact);
        nexact += r[0].exact;
    }
    assert_true(nexact > 500); /* 40 and 53 and a few bits are not too many */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lanes_agree),
        cmocka_unit_test(test_sum_is_stable),
        cmocka_unit_test(test_nan_is_passed_over),
        cmocka_unit_test(test_integer_sum_overflow),
        cmocka_unit_test(test_by_nulls),
        cmocka_unit_test(test_count_all),
        cmocka_unit_test(test_summaries),
        cmocka_unit_test(test_summary_refused),
        cmocka_unit_test(test_arbitrary),
        cmocka_unit_test(test_approx_distinct),
        cmocka_unit_test(test_approx_percentile),
        cmocka_unit_test(test_zeros),
        cmocka_unit_test(test_top_texts),
        cmocka_unit_test(test_order_does_not_show),
        cmocka_unit_test(test_exact),
        cmocka_unit_test(test_small_beside_large),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
