/* The hash index: every key is found again, also those whose hashes collide; others are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"

static uint64_t keys[20000];

static bool equal(const void *ctx, uint32_t number)
{
    return keys[number] == *(const uint64_t *)ctx;
}

static void check(uint64_t (*hash)(uint64_t key))
{
    struct tsfs_hash_index index = {0};
    uint64_t absent = 1;
    assert_int_equal(tsfs_hash_index_find(&index, 5, equal, &absent), TSFS_HASH_NONE);
    assert_int_equal(tsfs_hash_index_bytes(&index), 0);
    uint32_t n = hash(1) == hash(2) ? 500 : 20000;
    for (uint32_t i = 0; i < n; i++) {
        keys[i] = (uint64_t)i * 2;
        assert_int_equal(tsfs_hash_index_add(&index, hash(keys[i]), i), 0);
    }
    for (uint32_t i = 0; i < n; i++) {
        uint64_t odd = keys[i] + 1;
        assert_int_equal(tsfs_hash_index_find(&index, hash(keys[i]), equal, &keys[i]), i);
        assert_int_equal(tsfs_hash_index_find(&index, hash(odd), equal, &odd), TSFS_HASH_NONE);
    }
    assert_true(tsfs_hash_index_bytes(&index) >= (size_t)n * 12);
    tsfs_hash_index_free(&index);
    assert_null(index.slots);
}

static uint64_t good(uint64_t key)
{
    return tsfs_hash(&key, sizeof(key));
}

static uint64_t all_the_same(uint64_t key)
{
    return 42;
}

static uint64_t same_low_bits(uint64_t key)
{
    return key << 40;
}

static void finds(void **state)
{
    check(good);
}

static void finds_among_collisions(void **state)
{
    check(all_the_same);
}

static void hashes_as_published(void **state)
{
    /* XXH3-64 of the empty input, seed 0: what is stored must be the same on every machine. */
    assert_int_equal(tsfs_hash("", 0), UINT64_C(0x2d06800538d394c2));
}

static void finds_with_poor_low_bits(void **state)
{
    struct tsfs_hash_index index = {0};
    for (uint32_t i = 0; i < 300; i++) {
        keys[i] = i;
        assert_int_equal(tsfs_hash_index_add(&index, same_low_bits(i), i), 0);
    }
    for (uint32_t i = 0; i < 300; i++)
        assert_int_equal(tsfs_hash_index_find(&index, same_low_bits(i), equal, &keys[i]), i);
    tsfs_hash_index_free(&index);
    tsfs_hash_index_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds),
        cmocka_unit_test(finds_among_collisions),
        cmocka_unit_test(finds_with_poor_low_bits),
        cmocka_unit_test(hashes_as_published),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
