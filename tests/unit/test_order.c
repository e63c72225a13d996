/* Sorting entries by keys of every type: the order of a plain sort by comparison, ties in the order of
 * arrival, on one thread and several, below and above the size that several share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "col/nested.h"
#include "exec/kernels/order.h"
#include "random.h"

#define BATCH    1000u
#define MAX_KEYS 3u

struct rows {
    struct tsfs_arena arena;
    struct order_key keys[MAX_KEYS];
    struct order_set set;
    const struct tsfs_vec **batches;
    struct order_entry *entries, *expected, *scratch;
    size_t n;
};

enum kind { SPREAD, FEW, ASCENDING, SHORT_STRINGS, LONG_STRINGS, ZEROS, DOUBLES, BOOLEANS, KINDS };

static enum tsfs_type type_of(enum kind kind)
{
    switch (kind) {
    case SHORT_STRINGS:
    case LONG_STRINGS:
    case ZEROS: return TSFS_VARCHAR;
    case DOUBLES: return TSFS_DOUBLE;
    case BOOLEANS: return TSFS_BOOLEAN;
    default: return TSFS_BIGINT;
    }
}

static struct tsfs_str random_str(struct tsfs_arena *arena, uint64_t *seed, enum kind kind)
{
    char text[64];
    size_t len;
    if (kind == SHORT_STRINGS) {
        len = test_random(seed) % 5;
        for (size_t i = 0; i < len; i++)
            text[i] = (char)('a' + test_random(seed) % 3);
    } else if (kind == LONG_STRINGS) {
        len = (size_t)snprintf(text, sizeof(text), "a prefix of all of them %05u",
                               (unsigned)(test_random(seed) % 5000));
    } else { /* what filling up with zeros could confuse */
        len = test_random(seed) % 20;
        memset(text, 0, sizeof(text));
        if (len > 0 && test_random(seed) % 4 == 0)
            text[test_random(seed) % len] = (char)(test_random(seed) % 2 * 255);
    }
    return tsfs_arena_str(arena, (struct tsfs_str){text, len});
}

static struct tsfs_vec column(struct rows *r, uint64_t *seed, enum kind kind, uint32_t from, uint32_t n)
{
    static const double doubles[] = {0.0, -0.0, 1.5, -1.5, 1e300, -1e300, 1.0 / 0.0, -1.0 / 0.0, 0.0 / 0.0};
    enum tsfs_type type = type_of(kind);
    struct tsfs_vec_room room;
    assert_int_equal(tsfs_vec_room(&r->arena, type, n, &room), 0);
    for (uint32_t i = 0; i < n; i++) {
        if (kind != ASCENDING && test_random(seed) % 10 == 0)
            continue;
        tsfs_bit_set(room.valid, i);
        switch (kind) {
        case SPREAD: ((int64_t *)room.data)[i] = (int64_t)test_random(seed); break;
        case FEW: ((int64_t *)room.data)[i] = (int64_t)(test_random(seed) % 3) - 1; break;
        case ASCENDING: ((int64_t *)room.data)[i] = (from + i) / 7; break;
        case DOUBLES: ((double *)room.data)[i] = doubles[test_random(seed) % 9]; break;
        case BOOLEANS: ((uint8_t *)room.data)[i] = test_random(seed) % 2; break;
        default: ((struct tsfs_str *)room.data)[i] = random_str(&r->arena, seed, kind); break;
        }
    }
    return (struct tsfs_vec){.type = type, .data = room.data, .valid = room.valid};
}

static void make_rows(struct rows *r, uint64_t *seed, const enum kind *kinds, uint32_t nkeys, size_t n)
{
    memset(r, 0, sizeof(*r));
    tsfs_arena_init(&r->arena, NULL);
    r->n = n;
    for (uint32_t k = 0; k < nkeys; k++)
        r->keys[k] = (struct order_key){test_random(seed) % 2, test_random(seed) % 2};
    size_t nbatches = (n + BATCH - 1) / BATCH;
    r->batches = tsfs_arena_alloc(&r->arena, (nbatches + 1) * sizeof(*r->batches));
    r->entries = tsfs_arena_calloc(&r->arena, n + 1, sizeof(*r->entries));
    r->expected = tsfs_arena_calloc(&r->arena, n + 1, sizeof(*r->entries));
    r->scratch = tsfs_arena_calloc(&r->arena, n + 1, sizeof(*r->entries));
    for (size_t b = 0; b < nbatches; b++) {
        uint32_t from = (uint32_t)b * BATCH, in = n - from < BATCH ? (uint32_t)(n - from) : BATCH;
        struct tsfs_vec *cols = TSFS_NEW_ARRAY(&r->arena, struct tsfs_vec, nkeys);
        for (uint32_t k = 0; k < nkeys; k++)
            cols[k] = column(r, seed, kinds[k], from, in);
        r->batches[b] = cols;
        order_prefix(&r->keys[0], &cols[0], in, r->entries + from);
        for (uint32_t i = 0; i < in; i++) {
            r->entries[from + i].batch = (uint32_t)b;
            r->entries[from + i].row = (uint16_t)i;
        }
    }
    r->set = (struct order_set){.keys = r->keys,
                                .nkeys = nkeys,
                                .batches = r->batches,
                                .decisive = type_of(kinds[0]) != TSFS_VARCHAR};
    memcpy(r->expected, r->entries, n * sizeof(*r->entries));
}

static const struct order_set *sorted_by;

static int compare(const void *a, const void *b)
{
    return order_compare(sorted_by, a, b);
}

static void check(struct rows *r, const struct order_run *run)
{
    sorted_by = &r->set;
    qsort(r->expected, r->n, sizeof(*r->expected), compare);
    assert_int_equal(order_sort(&r->set, r->entries, r->scratch, r->n, run), 0);
    assert_memory_equal(r->entries, r->expected, r->n * sizeof(*r->entries)); /* the words, too */
    tsfs_arena_free(&r->arena);
}

static void any_keys(void **state)
{
    (void)state;
    uint64_t seed = 7;
    struct order_run run = {.pool = NULL};
    for (unsigned round = 0; round < 400; round++) {
        enum kind kinds[MAX_KEYS];
        uint32_t nkeys = 1 + (uint32_t)(test_random(&seed) % MAX_KEYS);
        for (uint32_t k = 0; k < nkeys; k++)
            kinds[k] = (enum kind)(test_random(&seed) % KINDS);
        struct rows r;
        make_rows(&r, &seed, kinds, nkeys, test_random(&seed) % (round % 4 == 0 ? 6000 : 300));
        check(&r, &run);
    }
}

static void many_rows(void **state)
{
    (void)state;
    static const enum kind kinds[][MAX_KEYS] = {{SPREAD, FEW, FEW},           {FEW, SPREAD, FEW},
                                                {ASCENDING, SPREAD, FEW},     {FEW, FEW, LONG_STRINGS},
                                                {LONG_STRINGS, SPREAD, FEW},  {SHORT_STRINGS, ASCENDING, FEW},
                                                {ZEROS, DOUBLES, ASCENDING},  {BOOLEANS, ZEROS, LONG_STRINGS},
                                                {DOUBLES, BOOLEANS, BOOLEANS}};
    uint64_t seed = 11;
    struct tsfs_pool *pool;
    assert_int_equal(tsfs_pool_create(3, &pool), 0);
    for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        for (uint32_t nkeys = 1; nkeys <= MAX_KEYS; nkeys++) {
            struct order_run run = {.pool = i % 3 == 2 ? NULL : pool};
            struct rows r;
            make_rows(&r, &seed, kinds[i], nkeys, 120000 + test_random(&seed) % 200000);
            check(&r, &run);
        }
    }
    tsfs_pool_free(pool);
}

struct patience {
    _Atomic int left;
};

static int go_on(void *ctx)
{
    struct patience *p = ctx;
    return p->left-- > 0 ? 0 : -EINTR;
}

static void stops(void **state)
{
    (void)state;
    static const enum kind kinds[][2] = {{SPREAD, FEW}, {FEW, LONG_STRINGS}, {ASCENDING, SPREAD}};
    uint64_t seed = 3;
    struct tsfs_pool *pool;
    assert_int_equal(tsfs_pool_create(2, &pool), 0);
    for (unsigned i = 0; i < 3; i++) {
        int rc = -EINTR;
        for (int left = 0; rc == -EINTR; left = left * 2 + 1) {
            struct patience patience = {left};
            struct order_run run = {pool, go_on, &patience};
            struct rows r;
            make_rows(&r, &seed, kinds[i], 2, 200000);
            rc = order_sort(&r.set, r.entries, r.scratch, r.n, &run);
            assert_true(rc == (left < 5 ? -EINTR : rc));
            tsfs_arena_free(&r.arena);
        }
        assert_int_equal(rc, 0);
    }
    tsfs_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_keys),
        cmocka_unit_test(many_rows),
        cmocka_unit_test(stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
