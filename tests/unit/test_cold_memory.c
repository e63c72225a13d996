/* How decoded pages lie in memory: narrowed numbers, and the slabs that they come from. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cpu.h"
#include "cold/narrow.h"
#include "cold/rowgroup.h"
#include "cold/slab.h"
#include "random.h"

static uint64_t seed = 1;

static uint64_t draw(void)
{
    return test_random(&seed);
}

/* Packs, reads back in parts, by both versions. */
static void check_narrow(const int64_t *v, size_t n, bool time, uint32_t width, uint64_t unit)
{
    for (int portable = 0; portable < 2; portable++) {
        struct narrow plan;
        tsfs_cpu_portable_only = portable;
        assert_true(narrow_plan(v, n, time, &plan));
        assert_int_equal(plan.width, width);
        if (width)
            assert_int_equal(plan.unit, unit);
        void *data = malloc(n * width + 1);
        int64_t *back = malloc(n * sizeof(*back));
        narrow_pack(&plan, v, n, data);
        plan.data = data;
        for (int i = 0; i < 20; i++) {
            size_t from = i ? draw() % n : 0, k = i ? draw() % (n - from + 1) : n;
            narrow_read(&plan, from, k, back);
            assert_memory_equal(back, v + from, k * sizeof(*back));
        }
        free(data);
        free(back);
    }
    tsfs_cpu_portable_only = false;
}

static void narrow_widths(void **state)
{
    (void)state;
    static const uint64_t ranges[] = {UINT8_MAX, UINT16_MAX, UINT32_MAX};
    static const int64_t bases[] = {0, -50, INT64_MIN, INT64_MAX - UINT32_MAX, INT64_C(1) << 40};
    int64_t v[1000];
    for (uint32_t r = 0; r < 3; r++)
        for (uint32_t b = 0; b < 5; b++)
            for (size_t n = 3; n <= 1000; n += n < 70 ? 1 : 93) {
                for (size_t i = 0; i < n; i++)
                    v[i] = (int64_t)((uint64_t)bases[b] + (draw() & ranges[r]));
                v[0] = bases[b];
                v[1] = v[0] + (int64_t)ranges[r]; /* as far as the width reaches */
                v[2] = v[0];
                check_narrow(v, n, false, 1u << r, 1);
                check_narrow(v, n, true, 1u << r, 1);
            }
}

static void narrow_lines(void **state)
{
    (void)state;
    static const int64_t steps[] = {0, 10000000000, -7, INT64_MIN, INT64_MAX};
    int64_t v[1000];
    for (uint32_t s = 0; s < 5; s++)
        for (size_t n = 1; n <= 1000; n += n < 40 ? 1 : 137) {
            for (size_t i = 0; i < n; i++)
                v[i] = (int64_t)(UINT64_C(0x1234567890) + i * (uint64_t)steps[s]);
            check_narrow(v, n, s & 1, 0, (uint64_t)steps[s]);
        }
    /* One value beside the line, wherever it is, is not lost. */
    for (size_t at = 0; at < 100; at++) {
        for (size_t i = 0; i < 100; i++)
            v[i] = (int64_t)i * 3;
        v[at] += 1;
        check_narrow(v, 100, false, 2, 1);
    }
}

static void narrow_times(void **state)
{
    (void)state;
    static const uint64_t units[] = {1000000000, 1000000, 1000};
    const int64_t first = INT64_C(1451606400123456789);
    int64_t v[500];
    struct narrow plan;
    for (int u = 0; u < 3; u++) {
        for (size_t i = 0; i < 500; i++)
            v[i] = first + (int64_t)((draw() & UINT32_MAX) * units[u]);
        v[10] = first;
        v[11] = first + (int64_t)units[u]; /* no larger unit divides */
        v[12] = first + (int64_t)(UINT32_MAX * units[u]);
        check_narrow(v, 500, true, 4, units[u]);
        assert_false(narrow_plan(v, 500, false, &plan));
        v[499] += v[499] == first ? 1 : -1; /* behind the values that are looked at first */
        assert_false(narrow_plan(v, 500, true, &plan));
    }
}

static void narrow_wide(void **state)
{
    (void)state;
    int64_t v[3] = {0, 1, (int64_t)UINT32_MAX + 1};
    struct narrow plan;
    assert_false(narrow_plan(v, 3, false, &plan));
    assert_false(narrow_plan(v, 3, true, &plan));
    v[0] = INT64_MIN;
    v[2] = INT64_MAX;
    assert_false(narrow_plan(v, 3, false, &plan));
}

/* ---- slabs ---- */

#define BLOCKS 3000

static void fill(struct slab_block *b, uint8_t byte)
{
    memset(b->data, byte, b->size);
}

static void check_filled(const struct slab_block *b, uint8_t byte)
{
    const uint8_t *p = b->data;
    for (size_t i = 0; i < b->size; i++)
        if (p[i] != byte)
            fail_msg("byte %zu of a block is another's", i);
}

/* Blocks come and go at random; none overlaps another, and what all hold is what the facts say. */
static void slab_random(void **state)
{
    (void)state;
    struct slab_block *b = calloc(BLOCKS, sizeof(*b));
    size_t held, idle, taken = 0;
    for (int round = 0; round < 20000; round++) {
        uint32_t i = (uint32_t)(draw() % BLOCKS);
        if (b[i].data) {
            check_filled(&b[i], (uint8_t)i);
            taken -= b[i].slab ? b[i].size : 0;
            slab_free(&b[i]);
            assert_null(b[i].data);
        } else {
            size_t n = draw() % 100 == 0 ? draw() % (1u << 20) : draw() % 40000;
            assert_int_equal(slab_alloc(n, &b[i]), 0);
            assert_true(b[i].size >= n);
            assert_int_equal((uintptr_t)b[i].data % 16, 0);
            fill(&b[i], (uint8_t)i);
            taken += b[i].slab ? b[i].size : 0;
        }
        if (round % 1000 == 0) {
            slab_facts(&held, &idle);
            assert_int_equal(held - idle, taken);
        }
    }
    slab_facts(&held, &idle);
    assert_true(idle < held / 2); /* holes are filled */
    for (uint32_t i = 0; i < BLOCKS; i++) {
        if (b[i].data)
            check_filled(&b[i], (uint8_t)i);
        slab_free(&b[i]);
    }
    slab_facts(&held, &idle);
    assert_int_equal(held, idle);
    assert_true(held <= (2u << 20)); /* the others went back */
    free(b);
}

static void slab_whole(void **state)
{
    (void)state;
    /* Blocks that fill slabs to the last cell. */
    struct slab_block b[64];
    for (int i = 0; i < 64; i++) {
        assert_int_equal(slab_alloc(128u << 10, &b[i]), 0);
        fill(&b[i], (uint8_t)i);
    }
    size_t held, idle;
    slab_facts(&held, &idle);
    assert_int_equal(held, 64 * (128u << 10));
    assert_int_equal(idle, 0);
    for (int i = 63; i >= 0; i--) {
        check_filled(&b[i], (uint8_t)i);
        slab_free(&b[i]);
    }
}

static void *worker(void *arg) /* NULL, or what was wrong */
{
    struct slab_block b[50] = {{0}};
    uint64_t x = (uintptr_t)arg * 7919 + 1;
    uint8_t mark = (uint8_t)(uintptr_t)arg;
    for (int round = 0; round < 5000; round++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        uint32_t i = (uint32_t)((x >> 33) % 50);
        if (b[i].data) {
            const uint8_t *p = b[i].data;
            if (p[0] != mark || p[b[i].size - 1] != mark)
                return arg;
            slab_free(&b[i]);
        } else {
            if (slab_alloc((x >> 40) % 100000, &b[i]) != 0)
                return arg;
            memset(b[i].data, mark, b[i].size);
        }
    }
    for (uint32_t i = 0; i < 50; i++)
        slab_free(&b[i]);
    return NULL;
}

static void slab_threads(void **state)
{
    (void)state;
    pthread_t t[4];
    for (uintptr_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&t[i], NULL, worker, (void *)(i + 1)), 0);
    for (int i = 0; i < 4; i++) {
        void *wrong;
        assert_int_equal(pthread_join(t[i], &wrong), 0);
        assert_null(wrong);
    }
}

/* ---- pages of a row group ---- */

/* A group of parts of so many rows each, whose strings all have len bytes; the pages' ends are in order, at
 * ends of blocks, and no page has more text than its limit and one block or short part.  Returns their
 * number. */
static uint32_t pages_of(const uint32_t *parts, uint32_t nparts, uint32_t len)
{
    static char text[TSFS_VARCHAR_MAX];
    static int64_t zero[8];
    const struct cold_column columns[] = {{{"n", 1}, TSFS_ROLE_MEASURE, TSFS_BIGINT, 0},
                                          {{"s", 1}, TSFS_ROLE_MEASURE, TSFS_VARCHAR, 1}};
    struct tsfs_str s = {text, len};
    struct tsfs_vec number = {.type = TSFS_BIGINT, .constant = true, .i = zero};
    struct tsfs_vec string = {.type = TSFS_VARCHAR, .constant = true, .s = &s};
    struct rowgroup g;
    assert_int_equal(rowgroup_init(&g, columns, 0, 2, 1u << 20), 0);
    uint32_t npages = 0;
    for (int round = 0; round < 2; round++) { /* the second: nothing of the first is left */
        for (uint32_t i = 0; i < nparts; i++) {
            assert_int_equal(rowgroup_begin(&g, NULL), 0);
            assert_int_equal(rowgroup_put(&g, 0, &number, g.nrows, parts[i]), 0);
            assert_int_equal(rowgroup_put(&g, 1, &string, g.nrows, parts[i]), 0);
            g.parts[i].nrows = parts[i];
            g.nrows += parts[i];
        }
        assert_int_equal(rowgroup_finish(&g), 0);
        assert_int_equal(g.page_end[g.npages - 1], g.nrows);
        for (uint32_t p = 0, at = 0; p < g.npages; at = g.page_end[p++]) {
            assert_true(g.page_end[p] > at);
            assert_true((uint64_t)(g.page_end[p] - at) * len <=
                        COLD_PAGE_TEXT + TSFS_BLOCK_ROWS * (uint64_t)len);
            for (uint32_t b = 0; b < g.nblocks; b++) /* no page ends inside of one */
                assert_true(g.page_end[p] <= g.block_row[b] ||
                            g.page_end[p] >= g.block_row[b] + g.block_rows[b]);
        }
        assert_true(round == 0 || npages == g.npages);
        npages = g.npages;
        rowgroup_reset(&g);
    }
    rowgroup_free(&g);
    return npages;
}

static void rowgroup_pages(void **state)
{
    (void)state;
    uint32_t one = 30000, two[] = {20000, 12768}, many[3000];
    for (uint32_t i = 0; i < 3000; i++)
        many[i] = 1 + i % 40;
    assert_int_equal(pages_of(&one, 1, 0), 1);
    assert_int_equal(pages_of(&one, 1, 100), 1);
    assert_int_equal(pages_of(&one, 1, 200), 4); /* 6 MB of strings */
    assert_int_equal(pages_of(&one, 1, 10000), 8);
    assert_int_equal(pages_of(&one, 1, TSFS_VARCHAR_MAX), 30);
    assert_int_equal(pages_of(two, 2, 8), 1);
    assert_true(pages_of(two, 2, 60000) > 30);
    assert_true(pages_of(many, 3000, TSFS_VARCHAR_MAX) > 60);
    assert_int_equal(pages_of(many, 3000, 1), 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rowgroup_pages), cmocka_unit_test(narrow_widths), cmocka_unit_test(narrow_lines),
        cmocka_unit_test(narrow_times),   cmocka_unit_test(narrow_wide),   cmocka_unit_test(slab_random),
        cmocka_unit_test(slab_whole),     cmocka_unit_test(slab_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
