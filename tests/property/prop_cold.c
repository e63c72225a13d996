/* The cold tier against a naive oracle: random rows spread over a segment, perhaps a second one, and hot
 * generations, with repeated and late rows; every scan must give each row once, with the latest values, and
 * every summary must be what its rows say.  Catches wrong winners, lost and doubled rows, wrong edges of time
 * ranges, blocks dropped or kept wrongly, misaligned validity, a second file that differs from the first. */
#include <errno.h>

#include "../unit/cold_support.h"
#include "base/pool.h"

static bool wanted_all(const struct table *t, uint32_t s, const struct tsfs_scan_spec *spec);

/* Only hosts with an even number. */
static bool even_host(void *ctx, const struct tsfs_series *series)
{
    (void)ctx;
    return series->dims[0].len > 0 && (series->dims[0].ptr[series->dims[0].len - 1] & 1) == 0;
}

static bool wanted_all(const struct table *t, uint32_t s, const struct tsfs_scan_spec *spec)
{
    const struct key *k = &t->keys[s];
    for (uint32_t i = 0; i < spec->n_dim_in; i++) {
        const struct tsfs_dim_in *in = &spec->dim_in[i];
        struct tsfs_str have = str_of(k->measure_name);
        if (in->ordinal != TSFS_ORDINAL_MEASURE_NAME) {
            uint16_t slot = t->schema->cols[in->ordinal].slot;
            if (!k->have[slot])
                return false;
            have = str_of(k->dims[slot]);
        }
        bool any = false;
        for (uint32_t v = 0; v < in->n; v++)
            any |= tsfs_str_eq(have, in->values[v]);
        if (!any)
            return false;
    }
    if (spec->series_match) {
        struct tsfs_str dims[1] = {str_of(k->dims[0])};
        struct tsfs_series series = {str_of(k->measure_name), dims, 1};
        return spec->series_match(NULL, &series);
    }
    return true;
}

/* Rows that must come; with ranges, more of the wanted series may come as well. */
static void check_seen(const struct table *t, const struct tsfs_scan_spec *spec, const struct seen *seen)
{
    for (uint32_t s = 0; s < t->nseries; s++) {
        bool series = wanted_all(t, s, spec);
        for (uint32_t i = 0; i < t->ntimes; i++) {
            const struct row *row = &t->rows[(size_t)s * t->ntimes + i];
            bool in = series && row->have && time_of(i) >= spec->time_min && time_of(i) <= spec->time_max;
            uint8_t n = seen->rows[(size_t)s * t->ntimes + i];
            bool must = in;
            for (uint32_t r = 0; r < spec->n_ranges; r++) {
                uint16_t m = t->schema->cols[spec->ranges[r].ordinal].slot;
                const struct cell *c = &row->cells[m];
                must &= c->have && (measure_types[m] == TSFS_DOUBLE
                                        ? c->d >= spec->ranges[r].lo && c->d <= spec->ranges[r].hi
                                        : c->i >= spec->ranges[r].ilo && c->i <= spec->ranges[r].ihi);
            }
            if (must)
                assert_int_equal(n, 1);
            else if (!in)
                assert_int_equal(n, 0);
        }
    }
}

static void random_scan(struct table *t, struct tsfs_segment **segments, unsigned nsegments,
                        struct tsfs_hot **hots, unsigned nhots, uint64_t *seed)
{
    struct tsfs_scan_spec spec = {.time_min = INT64_MIN, .time_max = INT64_MAX};
    struct tsfs_dim_in in[3];
    struct tsfs_str values[3][4];
    char text[3][4][16];
    struct tsfs_measure_range ranges[2];
    if (below(seed, 3)) {
        spec.time_min = time_of(below(seed, t->ntimes)) - below(seed, 2);
        spec.time_max = spec.time_min + (int64_t)below(seed, t->ntimes) * 10000000000;
    }
    if (below(seed, 3) == 0)
        spec.series_match = even_host;
    unsigned n = below(seed, 4);
    for (unsigned i = 0; i < n; i++) {
        unsigned kind = below(seed, 4), k = 1 + below(seed, 4);
        in[i] =
            (struct tsfs_dim_in){kind == 3 ? TSFS_ORDINAL_MEASURE_NAME : t->schema->dims[kind], k, values[i]};
        for (unsigned v = 0; v < k; v++) {
            if (kind == 3)
                snprintf(text[i][v], 16, "%s", below(seed, 2) ? "cpu" : below(seed, 2) ? "disk" : "none");
            else
                snprintf(text[i][v], 16, "%c%u", "hrk"[kind], below(seed, kind ? 8 : t->nseries + 2));
            values[i][v] = str_of(text[i][v]);
        }
    }
    spec.dim_in = in;
    spec.n_dim_in = below(seed, 2) ? n : 0;
    if (below(seed, 3) == 0) {
        double lo = below(seed, 500) / 100.0;
        ranges[0] = (struct tsfs_measure_range){.ordinal = t->schema->measures[1], .lo = lo, .hi = lo + 0.5};
        int64_t ilo = below(seed, 5) * 1000;
        ranges[1] =
            (struct tsfs_measure_range){.ordinal = t->schema->measures[0], .ilo = ilo, .ihi = ilo + 50};
        spec.ranges = ranges;
        spec.n_ranges = 1 + below(seed, 2);
    }
    struct tsfs_hot_snap *snaps[4];
    struct tsfs_partition_view view = {
        .schema = t->schema, .hots = hots, .snaps = snaps, .nhots = nhots, .nsegments = nsegments};
    for (unsigned i = 0; i < nsegments; i++)
        view.segments[i] = segments[i];
    bool sorted = below(seed, 2), narrow = below(seed, 2);
    for (unsigned i = 0; i < nhots; i++)
        assert_int_equal(tsfs_hot_snapshot(hots[i], t->schema, narrow ? &spec : NULL, &snaps[i]), 0);
    struct seen seen;
    scan(t, &view, &spec, 1 + below(seed, 4), sorted, &seen, seed);
    check_seen(t, &spec, &seen);
    if (seen.n > 0) /* an estimate of 0 prunes */
        assert_true(tsfs_cold_estimate(&view, &spec) > 0);
    for (unsigned i = 0; i < nsegments && nhots == 0 && nsegments == 1; i++)
        if (seen.n > 0)
            assert_true(tsfs_segment_may_match(segments[i], t->schema, &spec));
    free(seen.rows);
    for (unsigned i = 0; i < nhots; i++)
        tsfs_hot_snap_free(snaps[i]);
}

/* Rows for some of the series: a dense stretch in order, then some late or repeated ones. */
static void fill_hot(struct table *t, struct tsfs_hot *hot, uint64_t *seed)
{
    uint32_t stretch = below(seed, 3) ? t->ntimes : 1 + below(seed, t->ntimes);
    t->shift = below(seed, 6);
    uint32_t start = below(seed, t->ntimes - stretch + 1), step = 1 + below(seed, 4);
    for (uint32_t s = 0; s < t->nseries; s++) {
        if (below(seed, 4) == 0)
            continue;
        uint32_t len = below(seed, 3) ? stretch : 1 + below(seed, stretch);
        for (uint32_t i = start; i < start + len; i += step)
            if (below(seed, 20))
                put_row(t, hot, s, i, seed);
        for (uint32_t n = below(seed, 3) ? 0 : below(seed, 40); n > 0; n--)
            put_row(t, hot, s, below(seed, t->ntimes), seed);
    }
    put_row(t, hot, below(seed, t->nseries), below(seed, t->ntimes), seed);
    tsfs_hot_publish(hot);
}

static void one_case(uint64_t seed, struct tsfs_pool *pool)
{
    struct table t;
    struct scratch_dir dir;
    struct tsfs_hot *hots[4];
    struct tsfs_segment *segments[2], *last;
    struct tsfs_error err = {0};
    static const uint32_t lengths[] = {5, 40, 1500, 3000, 7000};
    /* no cache, two that give up pages all the time, one that keeps everything: the answers are the same */
    static const size_t limits[] = {0, 1u << 20, 8u << 20, 1u << 30};
    tsfs_cold_cache_limit(limits[below(&seed, 4)]);
    /* temp has two decimals, noise more than any declaration allows, the others are no doubles */
    for (unsigned m = 0; m < NMEASURES; m++)
        write_decimals[m] = (uint8_t)(below(&seed, 2) ? below(&seed, 8) : 0);
    uint32_t ntimes = lengths[below(&seed, 5)];
    table_init(&t, 1 + below(&seed, ntimes > 1000 ? 12 : 700), ntimes);
    scratch_open(&dir);
    unsigned nsegments = below(&seed, 4) == 0 ? 2 : 1;
    for (unsigned i = 0; i < nsegments; i++) {
        struct tsfs_hot *hot = new_hot(&t);
        fill_hot(&t, hot, &seed);
        segments[i] = write_open(&t, &dir, i ? "b" : "a", NULL, 0, &hot, 1, pool);
        tsfs_hot_unref(hot);
        if (i == 0)
            for (int k = 0; k < 6; k++)
                random_scan(&t, segments, 1, NULL, 0, &seed);
    }
    unsigned nhots = below(&seed, 3);
    for (unsigned i = 0; i < nhots; i++) {
        hots[i] = new_hot(&t);
        fill_hot(&t, hots[i], &seed);
    }
    for (int k = 0; k < 8; k++)
        random_scan(&t, segments, nsegments, hots, nhots, &seed);
    last = write_open(&t, &dir, "c", segments, nsegments, hots, nhots, NULL);
    for (unsigned i = 0; i < nsegments; i++)
        tsfs_segment_unref(segments[i]);
    for (unsigned i = 0; i < nhots; i++)
        tsfs_hot_unref(hots[i]);
    tsfs_segment_shed(last);
    for (int k = 0; k < 4; k++)
        random_scan(&t, &last, 1, NULL, 0, &seed);
    int rc = tsfs_segment_verify(last, time_of(0), time_of(ntimes), &err);
    if (rc)
        print_error("%s\n", err.message);
    assert_int_equal(rc, 0);
    tsfs_segment_unref(last);
    scratch_close(&dir);
    table_free(&t);
}

static void merges_and_segments(void **state)
{
    (void)state;
    struct tsfs_pool *pool;
    const char *rounds = getenv("TSFS_PROP_ROUNDS"), *from = getenv("TSFS_PROP_SEED");
    uint64_t n = rounds ? strtoull(rounds, NULL, 10) : 60, first = from ? strtoull(from, NULL, 10) : 1;
    assert_int_equal(tsfs_pool_create(2, &pool), 0);
    for (uint64_t i = first; i < first + n; i++) {
        print_message("seed %llu\n", (unsigned long long)i);
        one_case(i * 7919, i % 2 ? pool : NULL);
    }
    tsfs_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(merges_and_segments)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
