/* The series index: one id a series however it is spelled, canonical order and hash, bounded spellings,
 * readers beside an adder. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/limits.h"
#include "hot/series.h"

static struct tsfs_dim_value dim(uint16_t slot, const char *value)
{
    return (struct tsfs_dim_value){slot, tsfs_str_from(value)};
}

static void one_id_however_ordered(void **state)
{
    struct tsfs_series_index *index;
    struct tsfs_dim_value ab[] = {dim(0, "a"), dim(1, "b")}, ba[] = {dim(1, "b"), dim(0, "a")};
    struct tsfs_dim_value absent[] = {dim(1, "b"), dim(2, NULL), dim(0, "a")},
                          twice[] = {dim(0, "a"), dim(0, "b")};
    struct tsfs_dim_value moved[] = {dim(1, "a"), dim(2, "b")}, empty[] = {dim(0, "a"), dim(1, "")};
    uint32_t x, y;
    (void)state;
    assert_int_equal(tsfs_series_index_create(&index), 0);
    assert_int_equal(tsfs_series_index_intern(index, TSFS_STR("m"), ab, 2, &x), 0);
    assert_int_equal(tsfs_series_index_intern(index, TSFS_STR("m"), ba, 2, &y), 0);
    assert_int_equal(x, y);
    assert_int_equal(tsfs_series_index_intern(index, TSFS_STR("m"), absent, 3, &y), 0);
    assert_int_equal(x, y);
    assert_int_equal(tsfs_series_index_count(index), 1);
    assert_int_equal(tsfs_series_index_intern(index, TSFS_STR("n"), ab, 2, &y), 0);
    assert_int_not_equal(x, y);
    assert_int_equal(tsfs_series_index_intern(index, TSFS_STR("m"), moved, 2, &y), 0);
    assert_int_equal(y, 2);
    assert_int_equal(tsfs_series_index_intern(index, TSFS_STR("m"), ab, 1, &y), 0);
    assert_int_equal(y, 3);
    assert_int_equal(tsfs_series_index_intern(index, TSFS_STR("m"), empty, 2, &y), 0);
    assert_int_equal(y, 4);
    assert_int_equal(tsfs_series_index_intern(index, TSFS_STR("m"), twice, 2, &y), -EINVAL);

    struct tsfs_str name, dims[3];
    tsfs_series_index_get(index, x, &name, dims, 3);
    assert_true(tsfs_str_eq(name, TSFS_STR("m")) && tsfs_str_eq(dims[0], TSFS_STR("a")));
    assert_true(tsfs_str_eq(dims[1], TSFS_STR("b")) && dims[2].ptr == NULL);
    tsfs_series_index_get(index, 4, &name, dims, 3);
    assert_true(dims[1].ptr && dims[1].len == 0);
    tsfs_series_index_free(index);
}

static void order_and_hash(void **state)
{
    struct tsfs_str a[] = {TSFS_STR("x"), {0}}, b[] = {TSFS_STR("x"), TSFS_STR("")},
                    c[] = {{0}, TSFS_STR("z")};
    struct tsfs_series sa = {TSFS_STR("m"), a, 2}, short_a = {TSFS_STR("m"), a, 1},
                       sb = {TSFS_STR("m"), b, 2}, sc = {TSFS_STR("m"), c, 2}, other = {TSFS_STR("l"), b, 2};
    (void)state;
    assert_int_equal(tsfs_series_cmp(&sa, &short_a), 0);
    assert_int_equal(tsfs_series_hash(&sa), tsfs_series_hash(&short_a));
    assert_true(tsfs_series_cmp(&sa, &sb) < 0); /* absent before empty */
    assert_true(tsfs_series_cmp(&sc, &sa) < 0); /* absent before present, in the first place that differs */
    assert_true(tsfs_series_cmp(&other, &sc) < 0);
    assert_int_not_equal(tsfs_series_hash(&sa), tsfs_series_hash(&sb));

    /* the same value whatever way it is computed: long ones take another path */
    char *text = malloc(5000);
    memset(text, 'q', 5000);
    struct tsfs_str l[] = {{text, 5000}, {0}}, s[] = {{text, 5000}};
    struct tsfs_series sl = {TSFS_STR("m"), l, 2}, ss = {TSFS_STR("m"), s, 1};
    assert_int_equal(tsfs_series_hash(&sl), tsfs_series_hash(&ss));
    char encoded[32] = {1, 0, 0, 0, 'm', 0, 0, 1, 0, 0, 0, 'x'};
    assert_int_equal(tsfs_series_hash(&sa), tsfs_hash(encoded, 12));
    free(text);
}

static void spellings(void **state)
{
    struct tsfs_series_index *index;
    struct tsfs_budget budget = {0};
    struct tsfs_dim_value d[] = {dim(0, "a")};
    char raw[64];
    uint32_t id;
    (void)state;
    assert_int_equal(tsfs_series_index_create(&index), 0);
    tsfs_series_index_charge(index, &budget);
    assert_int_equal(tsfs_series_index_find_spelling(index, TSFS_STR("m,t=a"), 1), TSFS_SERIES_NONE);
    assert_int_equal(tsfs_series_index_intern(index, TSFS_STR("m"), d, 1, &id), 0);
    /* all under one hash: bytes decide */
    for (unsigned i = 0; i < 300; i++) {
        int n = snprintf(raw, sizeof(raw), "m,t=a,%u", i);
        assert_int_equal(tsfs_series_index_add_spelling(index, (struct tsfs_str){raw, (size_t)n}, 77, id), 0);
        assert_int_equal(tsfs_series_index_add_spelling(index, (struct tsfs_str){raw, (size_t)n}, 77, id), 0);
    }
    assert_int_equal(tsfs_series_index_find_spelling(index, TSFS_STR("m,t=a,299"), 77), id);
    assert_int_equal(tsfs_series_index_find_spelling(index, TSFS_STR("m,t=a,300"), 77), TSFS_SERIES_NONE);

    /* without end they do not grow without end */
    char *big = malloc(60000);
    memset(big, 's', 60000);
    for (unsigned i = 0; i < 3000; i++) {
        memcpy(big, &i, sizeof(i));
        struct tsfs_str s = {big, 60000};
        assert_int_equal(tsfs_series_index_add_spelling(index, s, tsfs_hash(s.ptr, s.len), id), 0);
    }
    assert_true(tsfs_series_index_bytes(index) < (80u << 20));
    assert_in_range(budget.used, tsfs_series_index_bytes(index) - 8192, tsfs_series_index_bytes(index));
    d[0] = dim(0, "new");
    assert_int_equal(tsfs_series_index_intern(index, TSFS_STR("m"), d, 1, &id), 0);
    assert_int_equal(tsfs_series_index_add_spelling(index, TSFS_STR("m,t=new"), 5, id), 0);
    assert_int_equal(tsfs_series_index_find_spelling(index, TSFS_STR("m,t=new"), 5),
                     id); /* its first: kept */
    free(big);
    tsfs_series_index_free(index);
    assert_int_equal(budget.used, 0);
}

/* Tags of series s, in the order of slots and as spelled: in one of three orders, some alike, some with
 * escapes. */
static size_t spell(uint32_t s, char raw[128], char texts[3][32], struct tsfs_dim_value dims[3])
{
    static const uint8_t orders[3][3] = {{0, 1, 2}, {2, 0, 1}, {1, 2, 0}};
    size_t len = (size_t)sprintf(raw, "cpu");
    snprintf(texts[0], 32, "host%s%u", s % 50 == 7 ? "," : "", s);
    snprintf(texts[1], 32, "%u", s % 3);
    snprintf(texts[2], 32, "%u", s % 4);
    for (unsigned d = 0; d < 3; d++)
        dims[d] = dim((uint16_t)(d * 2), texts[d]);
    for (unsigned i = 0; i < 3; i++) {
        unsigned d = orders[s / 1000 % 3][i];
        len += (size_t)sprintf(raw + len, ",tag%u=", d);
        for (const char *c = texts[d]; *c; c++)
            len += (size_t)sprintf(raw + len, *c == ',' ? "\\," : "%c", *c);
    }
    return len;
}

/* Past the first ones spellings are not kept as bytes: each must still be found, and nothing else. */
static void spellings_of_many(void **state)
{
    enum { N = 20000 };
    struct tsfs_series_index *index;
    struct tsfs_budget budget = {0};
    struct tsfs_dim_value dims[3];
    struct tsfs_str name, got[5];
    char raw[128], texts[3][32];
    uint32_t id;
    (void)state;
    assert_int_equal(tsfs_series_index_create(&index), 0);
    tsfs_series_index_charge(index, &budget);
    for (uint32_t s = 0; s < N; s++) {
        struct tsfs_str key = {raw, spell(s, raw, texts, dims)};
        assert_int_equal(tsfs_series_index_intern(index, TSFS_STR("cpu"), dims, 3, &id), 0);
        assert_int_equal(id, s);
        assert_int_equal(tsfs_series_index_add_spelling(index, key, tsfs_hash(key.ptr, key.len), id), 0);
    }
    for (uint32_t s = 0; s < N; s++) {
        struct tsfs_str key = {raw, spell(s, raw, texts, dims)};
        uint64_t hash = tsfs_hash(key.ptr, key.len);
        assert_int_equal(tsfs_series_index_find_spelling(index, key, hash), s);
        tsfs_series_index_get(index, s, &name, got, 5);
        for (unsigned d = 0; d < 3; d++)
            assert_true(tsfs_str_eq(got[d * 2], dims[d].value));
        assert_null(got[1].ptr);
        /* under the same hash, but not the same */
        key.len--;
        assert_int_equal(tsfs_series_index_find_spelling(index, key, hash), TSFS_SERIES_NONE);
        raw[key.len] ^= 1;
        key.len++;
        assert_int_equal(tsfs_series_index_find_spelling(index, key, hash), TSFS_SERIES_NONE);
        raw[key.len++] = '0';
        assert_int_equal(tsfs_series_index_find_spelling(index, key, hash), TSFS_SERIES_NONE);
        raw[1] ^= 1;
        key.len = 2;
        assert_int_equal(tsfs_series_index_find_spelling(index, key, hash), TSFS_SERIES_NONE);
    }

    /* many at once say the same as one by one */
    enum { BATCH = 333 };
    static char keys[BATCH][128];
    struct tsfs_spelling asked[BATCH];
    uint32_t ids[BATCH];
    for (uint32_t i = 0; i < BATCH; i++) {
        size_t len = spell(i * 60, keys[i], texts, dims);
        asked[i] = (struct tsfs_spelling){{keys[i], len}, tsfs_hash(keys[i], len)};
        if (i % 10 == 3)
            asked[i].raw.ptr = NULL;
        if (i % 10 == 4)
            keys[i][0] = 'x';
    }
    tsfs_series_index_find_spellings(index, asked, BATCH, ids);
    for (uint32_t i = 0; i < BATCH; i++)
        assert_int_equal(ids[i], i % 10 == 3 || i % 10 == 4 ? TSFS_SERIES_NONE : i * 60);

    assert_in_range(budget.used, tsfs_series_index_bytes(index) - 8192,
                    tsfs_series_index_bytes(index) + 8192);
    tsfs_series_index_ref(index);
    tsfs_series_index_free(index);
    assert_int_equal(tsfs_series_index_find_spelling(index, TSFS_STR("cpu"), 1), TSFS_SERIES_NONE);
    tsfs_series_index_free(index);
    assert_int_equal(budget.used, 0);
}

/* What was learned from one spelling serves those of the same form, but not if two of its values could have
 * changed places: both orders of tags begin with such series. */
static void spellings_of_a_form(void **state)
{
    enum { N = 12000 };
    static const uint8_t orders[2][3] = {{0, 1, 2}, {2, 1, 0}};
    struct tsfs_series_index *index;
    uint32_t forms[2] = {0, 0}, id;
    char raw[128], texts[3][32];
    struct tsfs_dim_value dims[3];
    (void)state;
    assert_int_equal(tsfs_series_index_create(&index), 0);
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t s = 0; s < N; s++) {
            const uint8_t *order = orders[s / 3000 % 2];
            size_t len = (size_t)sprintf(raw, "cpu");
            snprintf(texts[0], 32, "%u", s);
            snprintf(texts[1], 32, "%u", s % 100 < 50 ? s : s + 1);
            snprintf(texts[2], 32, "%s%u", s % 7 ? "a longer value " : "", s % 100 < 50 ? s : s % 5);
            for (unsigned i = 0; i < 3; i++) {
                dims[i] = dim((uint16_t)(i * 3), texts[i]);
                len += (size_t)sprintf(raw + len, ",tag%u=%s", order[i], texts[order[i]]);
            }
            struct tsfs_str key = {raw, len};
            uint64_t hash = tsfs_hash(raw, len);
            if (pass == 0) {
                assert_int_equal(tsfs_series_index_intern(index, TSFS_STR("cpu"), dims, 3, &id), 0);
                assert_int_equal(id, s);
                assert_int_equal(
                    tsfs_series_index_add_spelling_like(index, key, hash, id, &forms[s / 3000 % 2]), 0);
            }
            assert_int_equal(tsfs_series_index_find_spelling(index, key, hash), s);
        }
    }
    assert_true(forms[0] && forms[1] && forms[0] != forms[1]);
    tsfs_series_index_free(index);
}

/* A measure that is named after its sensor: no two of these may be looked for in the same place. */
static void names_that_are_values(void **state)
{
    enum { N = 2000 };
    static uint32_t tags[2 * N];
    struct tsfs_series_key key;
    char name[16], other[16];
    (void)state;
    for (uint32_t i = 0; i < N; i++) {
        snprintf(name, sizeof(name), "s%u", i);
        snprintf(other, sizeof(other), "s%u", i ^ 1);
        struct tsfs_dim_value same[] = {dim(0, name), dim(1, name)}, one[] = {dim(0, other)};
        assert_true(tsfs_series_key_make(&key, tsfs_str_from(name), same, 1 + i % 2));
        tags[2 * i] = (uint32_t)(key.hash >> 32);
        assert_true(
            tsfs_series_key_make(&key, tsfs_str_from(name), one, 1)); /* and those of exchanged ones */
        tags[2 * i + 1] = (uint32_t)(key.hash >> 32);
    }
    unsigned alike = 0;
    for (unsigned i = 0; i < 2 * N; i++)
        for (unsigned k = 0; k < i; k++)
            alike += tags[i] == tags[k];
    assert_true(alike < 3);
}

/* What docs/architecture.md says that one costs. */
static void an_idle_series_is_cheap(void **state)
{
    enum { N = 100000, TAGS = 10 };
    struct tsfs_series_index *index;
    struct tsfs_dim_value dims[TAGS];
    char raw[512], texts[TAGS][32];
    uint32_t id;
    (void)state;
    assert_int_equal(tsfs_series_index_create(&index), 0);
    for (uint32_t s = 0; s < N; s++) {
        size_t len = (size_t)sprintf(raw, "cpu");
        for (unsigned d = 0; d < TAGS; d++) {
            snprintf(texts[d], sizeof(texts[d]), d ? "value_%u" : "host_%u", d ? s % (d + 2) : s);
            dims[d] = dim((uint16_t)d, texts[d]);
            len += (size_t)sprintf(raw + len, ",dimension%u=%s", d, texts[d]);
        }
        struct tsfs_str key = {raw, len};
        assert_int_equal(tsfs_series_index_intern(index, TSFS_STR("cpu"), dims, TAGS, &id), 0);
        assert_int_equal(tsfs_series_index_add_spelling(index, key, tsfs_hash(raw, len), id), 0);
    }
    assert_true(tsfs_series_index_bytes(index) < 145u * N); /* 4096 spellings in full among them */
    tsfs_series_index_free(index);
}

struct race {
    struct tsfs_series_index *index;
    _Atomic uint32_t added;
};

#define RACE_SERIES 20000u

static void *reader(void *ctx)
{
    struct race *r = ctx;
    uint32_t seen;
    unsigned x = 1;
    do {
        seen = atomic_load_explicit(&r->added, memory_order_acquire);
        for (unsigned i = 0; i < 50 && seen; i++) {
            char raw[32];
            struct tsfs_str name, dims[2];
            x = x * 1103515245 + 12345;
            uint32_t id = (x >> 8) % seen;
            int n = snprintf(raw, sizeof(raw), "m,h=%u", id);
            struct tsfs_str key = {raw, (size_t)n};
            tsfs_series_index_enter(r->index);
            assert_int_equal(tsfs_series_index_find_spelling(r->index, key, tsfs_hash(raw, (size_t)n)), id);
            tsfs_series_index_leave(r->index);
            tsfs_series_index_get(r->index, id, &name, dims, 2);
            assert_true(tsfs_str_eq(dims[0], (struct tsfs_str){raw + 4, (size_t)n - 4}));
        }
    } while (seen < RACE_SERIES);
    return NULL;
}

static void readers_beside_an_adder(void **state)
{
    struct race r = {0};
    pthread_t threads[3];
    (void)state;
    assert_int_equal(tsfs_series_index_create(&r.index), 0);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, reader, &r), 0);
    for (uint32_t s = 0; s < RACE_SERIES; s++) {
        char raw[32];
        uint32_t id;
        int n = snprintf(raw, sizeof(raw), "m,h=%u", s);
        struct tsfs_dim_value d = {0, {raw + 4, (size_t)n - 4}};
        assert_int_equal(tsfs_series_index_intern(r.index, TSFS_STR("m"), &d, 1, &id), 0);
        assert_int_equal(id, s);
        struct tsfs_str key = {raw, (size_t)n};
        assert_int_equal(tsfs_series_index_add_spelling(r.index, key, tsfs_hash(raw, (size_t)n), id), 0);
        atomic_store_explicit(&r.added, s + 1, memory_order_release);
    }
    for (unsigned i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    tsfs_series_index_free(r.index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_id_however_ordered),
        cmocka_unit_test(order_and_hash),
        cmocka_unit_test(spellings),
        cmocka_unit_test(spellings_of_many),
        cmocka_unit_test(spellings_of_a_form),
        cmocka_unit_test(names_that_are_values),
        cmocka_unit_test(an_idle_series_is_cheap),
        cmocka_unit_test(readers_beside_an_adder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
