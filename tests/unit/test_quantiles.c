/* Percentiles of sets of values: exact while few differ, near and the same in all orders beyond. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <string.h>

#include "exec/functions/quantiles.h"

#define N     30000u
#define PARTS 5u

static struct tsfs_arena arena;
static uint64_t seed;

static uint64_t rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static double unit(void)
{
    return (double)(rnd() >> 11) / 0x1p53;
}

/* What the values of a set look like. */
static double value(int kind)
{
    switch (kind) {
    case 0: return unit();
    case 1: return sqrt(-2 * log(unit() + 0x1p-60)) * cos(6.283185307179586 * unit());
    case 2: return exp(4 * unit() * unit() * unit()) * (rnd() % 2 == 0 ? -1 : 1);
    case 3: return 20 + unit(); /* close together, with a few that are far off */
    case 4: return rnd() % 1000 == 0 ? ldexp(unit() - 0.5, (int)(rnd() % 2000) - 1000) : 20 + unit();
    case 5: return ldexp(unit() - 0.5, (int)(rnd() % 2000) - 1000);
    case 6: return (double)(rnd() % 1500) - 700; /* few that differ */
    case 7: return 1 / (unit() + 1e-9);
    default: return rnd() % 5 == 0 ? (rnd() % 2 == 0 ? INFINITY : -0.0) : floor(unit() * 1e5) / 10;
    }
}
#define KINDS 9

struct element {
    double v, weight;
};

static int by_value(const void *a, const void *b)
{
    const struct element *x = a, *y = b;
    return (x->v > y->v) - (x->v < y->v);
}

static void shuffle(struct element *e, uint32_t n)
{
    for (uint32_t i = n; i > 1; i--) {
        uint32_t k = (uint32_t)(rnd() % i);
        struct element swap = e[i - 1];
        e[i - 1] = e[k];
        e[k] = swap;
    }
}

static const double ps[] = {0, 0.001, 0.01, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 1};
#define NPS (sizeof(ps) / sizeof(ps[0]))

/* The elements in parts of chance, merged in an order of chance. */
static void percentiles(const struct element *e, uint32_t n, bool whole, bool weighted, void *out)
{
    struct quantiles parts[PARTS] = {0};
    uint32_t nparts = 1 + (uint32_t)(rnd() % PARTS);
    for (uint32_t i = 0; i < n;) {
        struct quantiles *part = &parts[rnd() % nparts];
        uint32_t stop = i + 1 + (uint32_t)(rnd() % 2000);
        for (; i < n && i < stop; i++) {
            part->whole = whole;
            uint64_t key = whole ? quantiles_whole_key((int64_t)e[i].v) : quantiles_key(e[i].v);
            assert_int_equal(quantiles_add(&arena, part, key, weighted ? e[i].weight : 0), 0);
        }
    }
    while (nparts > 1) {
        uint32_t from = (uint32_t)(rnd() % nparts);
        struct quantiles last = parts[--nparts];
        struct quantiles merged = from == nparts ? last : parts[from];
        if (from != nparts)
            parts[from] = last;
        assert_int_equal(quantiles_merge(&arena, &parts[rnd() % nparts], &merged), 0);
    }
    assert_int_equal(quantiles_at(&arena, &parts[0], ps, NPS, out), 0);
}

static void test_orders(void **state)
{
    (void)state;
    static struct element e[N];
    seed = 88172645463325252u;
    for (int kind = 0; kind < KINDS; kind++)
        for (uint32_t n = 1; n <= N; n = n * 4 + 3)
            for (int way = 0; way < 4; way++) {
                bool whole = way % 2 == 1, weighted = way >= 2;
                uint64_t want[NPS], got[NPS];
                for (uint32_t i = 0; i < n; i++) {
                    double v = value(kind);
                    if (whole)
                        v = fabs(v) < 1 ? v * 0x1p62 : fabs(v) < 0x1p63 ? v : 7;
                    e[i] = (struct element){v, ldexp(unit() + 0x1p-60, (int)(rnd() % 60) - 30)};
                }
                percentiles(e, n, whole, weighted, want);
                for (int round = 0; round < 4; round++) {
                    if (round == 3)
                        qsort(e, n, sizeof(*e), by_value);
                    else
                        shuffle(e, n);
                    percentiles(e, n, whole, weighted, got);
                    for (size_t i = 0; i < NPS; i++)
                        if (want[i] != got[i])
                            fail_msg("kind %d, %u values, way %d, p %g: %lx and %lx", kind, n, way, ps[i],
                                     (unsigned long)want[i], (unsigned long)got[i]);
                }
                tsfs_arena_reset(&arena);
            }
}

static double exact_percentile(const struct element *e, uint32_t n, double p, double *lo, double *hi)
{
    double at = fmin(fmax(p * n - 0.5, 0), n - 1.0);
    uint32_t i = (uint32_t)at, k = i + 1 < n ? i + 1 : i;
    *lo = e[i].v;
    *hi = e[k].v;
    return e[i].v + (e[k].v - e[i].v) * (at - i);
}

static void test_bounds(void **state)
{
    (void)state;
    static struct element e[N];
    seed = 362436069;
    for (int kind = 0; kind < 8; kind++)
        for (uint32_t n = 1; n <= N; n = n * 3 + 1) {
            double out[NPS], lo, hi;
            bool powers[2][2300] = {0};
            uint32_t npowers = 0, different = 0;
            for (uint32_t i = 0; i < n; i++) {
                e[i] = (struct element){value(kind), 1};
                int power = e[i].v == 0 ? 0 : 1100 + ilogb(e[i].v);
                npowers += !powers[e[i].v < 0][power];
                powers[e[i].v < 0][power] = true;
            }
            percentiles(e, n, false, false, out);
            qsort(e, n, sizeof(*e), by_value);
            for (uint32_t i = 0; i < n; i++)
                different += i == 0 || e[i].v != e[i - 1].v;
            for (size_t i = 0; i < NPS; i++) {
                double want = exact_percentile(e, n, ps[i], &lo, &hi);
                double bound = different <= 2048 ? 1e-15 : npowers / 1024.0;
                /* beyond 1024 powers of two a stretch is of several */
                if (bound >= 1)
                    bound = 15;
                double least = lo - bound * fabs(lo), most = hi + bound * fabs(hi);
                if (!(out[i] >= least && out[i] <= most) ||
                    (different <= 2048 && fabs(out[i] - want) > 1e-12 * fabs(want)))
                    fail_msg("kind %d, %u values, %u powers, p %g: %.17g is not %.17g", kind, n, npowers,
                             ps[i], out[i], want);
                /* what is spread evenly comes out far nearer than the bound: by rank, within 0.1 % */
                if (kind == 0 || kind == 1 || kind == 3) {
                    uint32_t below = 0;
                    while (below < n && e[below].v < out[i])
                        below++;
                    if (fabs(below - ps[i] * n) > 1 + 0.001 * n)
                        fail_msg("kind %d, %u values: p %g has rank %u", kind, n, ps[i], below);
                }
            }
            tsfs_arena_reset(&arena);
        }
}

static void test_edges(void **state)
{
    (void)state;
    static const int64_t whole[] = {INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX - 1, INT64_MAX};
    struct quantiles set = {.whole = true};
    int64_t out[3];
    for (size_t i = 0; i < 7; i++)
        assert_int_equal(quantiles_add(&arena, &set, quantiles_whole_key(whole[i]), 0), 0);
    static const double p[] = {0, 0.5, 1};
    assert_int_equal(quantiles_at(&arena, &set, p, 3, out), 0);
    assert_true(out[0] == INT64_MIN && out[1] == 0 && out[2] == INT64_MAX);

    /* large integers that differ in their last digits are as exact as small ones */
    struct quantiles large = {.whole = true};
    for (int64_t i = 0; i < 2048; i++)
        assert_int_equal(
            quantiles_add(&arena, &large, quantiles_whole_key((INT64_C(1) << 61) + i * i / 512), 0), 0);
    static const double ranks[] = {100.5 / 2048, 300.5 / 2048, 1000.5 / 2048};
    assert_int_equal(quantiles_at(&arena, &large, ranks, 3, out), 0);
    for (int k = 0; k < 3; k++) {
        int64_t i = k == 0 ? 100 : k == 1 ? 300 : 1000;
        assert_true(out[k] == (INT64_C(1) << 61) + i * i / 512);
    }

    /* both zeros are one value, and the positive one */
    struct quantiles zeros = {0};
    double d[3];
    assert_int_equal(quantiles_add(&arena, &zeros, quantiles_key(-0.0), 0), 0);
    assert_int_equal(quantiles_at(&arena, &zeros, p, 3, d), 0);
    assert_false(signbit(d[1]));

    /* an interpolation between numbers whose difference is not one */
    struct quantiles far = {0};
    assert_int_equal(quantiles_add(&arena, &far, quantiles_key(-1.5e308), 0), 0);
    assert_int_equal(quantiles_add(&arena, &far, quantiles_key(1.5e308), 0), 0);
    assert_int_equal(quantiles_at(&arena, &far, p, 3, d), 0);
    assert_true(d[0] == -1.5e308 && d[1] == 0 && d[2] == 1.5e308);

    /* a weight of three is three rows */
    struct quantiles heavy = {0}, rows = {0};
    double other[NPS], same[NPS];
    for (int i = 0; i < 4; i++) {
        assert_int_equal(quantiles_add(&arena, &heavy, quantiles_key(i), 3), 0);
        for (int k = 0; k < 3; k++)
            assert_int_equal(quantiles_add(&arena, &rows, quantiles_key(i), 0), 0);
    }
    assert_int_equal(quantiles_at(&arena, &heavy, ps, NPS, other), 0);
    assert_int_equal(quantiles_at(&arena, &rows, ps, NPS, same), 0);
    assert_memory_equal(other, same, sizeof(same));
    tsfs_arena_reset(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orders),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_edges),
    };
    tsfs_arena_init(&arena, NULL);
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    tsfs_arena_free(&arena);
    return rc;
}
