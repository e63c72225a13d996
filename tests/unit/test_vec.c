/* Types, bitmaps against a loop over bits, values out of vectors, constants. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "col/vec.h"

static void bitmaps(void **state)
{
    uint64_t x = 7;
    for (int round = 0; round < 3000; round++) {
        uint64_t bits[5], got[5], copy[6];
        for (int i = 0; i < 5; i++)
            bits[i] = got[i] = x = x * UINT64_C(6364136223846793005) + 1442695040888963407u;
        size_t from = (size_t)(x >> 33) % 320, n = (size_t)(x >> 13) % (321 - from);
        tsfs_bits_set_range(got, from, n);
        size_t count = 0;
        for (size_t i = 0; i < 320; i++) {
            bool expect = tsfs_bit_get(bits, i) || (i >= from && i < from + n);
            assert_int_equal(tsfs_bit_get(got, i), expect);
            count += i < n && tsfs_bit_get(bits, i);
        }
        assert_int_equal(tsfs_bits_count(bits, n), count);
        memset(copy, 0xa5, sizeof(copy));
        tsfs_bits_copy(copy, bits, from, n);
        for (size_t i = 0; i < 64 * tsfs_bit_words(n); i++)
            assert_int_equal(tsfs_bit_get(copy, i), i < n && tsfs_bit_get(bits, from + i));
        assert_int_equal(copy[tsfs_bit_words(n)], UINT64_C(0xa5a5a5a5a5a5a5a5)); /* nothing behind */
    }
}

static void values(void **state)
{
    int64_t ints[] = {5, 6, 7};
    uint64_t valid = 5;
    struct tsfs_vec v = {.type = TSFS_TIMESTAMP, .i = ints, .valid = &valid};
    assert_int_equal(tsfs_vec_get(&v, 0).i, 5);
    assert_true(tsfs_vec_get(&v, 1).null);
    assert_int_equal(tsfs_vec_get(&v, 2).i, 7);
    v.constant = true;
    assert_int_equal(tsfs_vec_get(&v, 1).i, 5);
    struct tsfs_vec unknown = {.type = TSFS_UNKNOWN};
    assert_true(tsfs_vec_get(&unknown, 9).null);

    struct tsfs_arena a;
    tsfs_arena_init(&a, NULL);
    struct tsfs_value s = {.type = TSFS_VARCHAR, .s = TSFS_STR("abc")}, back;
    assert_int_equal(tsfs_vec_constant(&a, s, &v), 0);
    back = tsfs_vec_get(&v, 1000);
    assert_false(back.null);
    assert_true(tsfs_str_eq(back.s, s.s));
    assert_int_equal(tsfs_vec_constant(&a, (struct tsfs_value){.type = TSFS_DOUBLE, .d = 2.5}, &v), 0);
    assert_true(tsfs_vec_get(&v, 3).d == 2.5);
    assert_int_equal(tsfs_vec_constant(&a, (struct tsfs_value){.type = TSFS_BOOLEAN, .b = true}, &v), 0);
    assert_true(tsfs_vec_get(&v, 3).b);
    assert_int_equal(tsfs_vec_constant(&a, (struct tsfs_value){.type = TSFS_BIGINT, .null = true}, &v), 0);
    assert_true(tsfs_vec_null(&v, 77));
    assert_non_null(v.data);
    tsfs_arena_free(&a);
}

static void types(void **state)
{
    for (int t = TSFS_UNKNOWN + 1; t < TSFS_TYPE_COUNT; t++) {
        enum tsfs_type back;
        assert_true(tsfs_type_from_name(tsfs_str_from(tsfs_type_name((enum tsfs_type)t)), &back));
        assert_int_equal(back, t);
        assert_true(tsfs_type_width((enum tsfs_type)t) > 0);
    }
    enum tsfs_type t;
    assert_true(tsfs_type_from_name(TSFS_STR("INT"), &t));
    assert_int_equal(t, TSFS_INTEGER);
    assert_true(tsfs_type_from_name(TSFS_STR("Double"), &t));
    assert_int_equal(t, TSFS_DOUBLE);
    assert_false(tsfs_type_from_name(TSFS_STR("doubl"), &t));
    assert_false(tsfs_type_from_name(TSFS_STR(""), &t));
    assert_int_equal(tsfs_type_width(TSFS_BOOLEAN), 1);
    assert_int_equal(tsfs_type_width(TSFS_VARCHAR), sizeof(struct tsfs_str));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bitmaps),
        cmocka_unit_test(values),
        cmocka_unit_test(types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
