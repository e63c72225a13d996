/* Arenas: alignment, accounting that returns to zero, budgets that hold, reuse after reset. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/arena.h"

static void aligned_and_disjoint(void **state)
{
    struct tsfs_arena a;
    tsfs_arena_init(&a, NULL);
    char *ptrs[400];
    size_t sizes[400];
    for (int i = 0; i < 400; i++) {
        sizes[i] = (size_t)(i * 37 % 900) * (i % 50 == 0 ? 100 : 1);
        ptrs[i] = tsfs_arena_alloc(&a, sizes[i]);
        assert_non_null(ptrs[i]);
        assert_int_equal((uintptr_t)ptrs[i] % 16, 0);
        memset(ptrs[i], i & 0xff, sizes[i]);
    }
    for (int i = 0; i < 400; i++)
        for (size_t k = 0; k < sizes[i]; k++)
            assert_int_equal((unsigned char)ptrs[i][k], i & 0xff);
    tsfs_arena_free(&a);
    assert_int_equal(a.used, 0);
}

static void budgets(void **state)
{
    struct tsfs_budget parent = {.limit = 100000}, child = {.limit = 50000, .parent = &parent};
    assert_true(tsfs_budget_charge(&child, 40000));
    assert_false(tsfs_budget_charge(&child, 20000));
    assert_int_equal(child.used, 40000);
    assert_int_equal(parent.used, 40000);
    assert_true(tsfs_budget_charge(&parent, 60000));
    assert_false(tsfs_budget_charge(&child, 5000)); /* the parent is full */
    assert_int_equal(child.used, 40000);
    assert_int_equal(parent.used, 100000);
    assert_false(tsfs_budget_charge(&child, SIZE_MAX)); /* no wrap-around */
    tsfs_budget_release(&parent, 60000);
    tsfs_budget_release(&child, 40000);
    assert_int_equal(parent.used, 0);
    assert_true(tsfs_budget_charge(NULL, 1));

    struct tsfs_arena a;
    tsfs_arena_init(&a, &child);
    size_t got = 0;
    while (tsfs_arena_alloc(&a, 1000) != NULL)
        got += 1000;
    assert_in_range(got, 30000, 50000);
    assert_int_equal(child.used, a.used);
    assert_true(child.used <= child.limit);
    tsfs_arena_free(&a);
    assert_int_equal(child.used, 0);
    assert_int_equal(parent.used, 0);
}

static void reset_reuses(void **state)
{
    struct tsfs_arena a;
    tsfs_arena_init(&a, NULL);
    for (int i = 0; i < 10000; i++)
        assert_non_null(tsfs_arena_alloc(&a, 100));
    tsfs_arena_reset(&a);
    size_t kept = a.used;
    assert_true(kept > 0);
    assert_non_null(tsfs_arena_alloc(&a, 1000));
    assert_int_equal(a.used, kept);
    tsfs_arena_free(&a);
    tsfs_arena_reset(&a); /* empty */
    tsfs_arena_free(NULL);
}

static void strings_and_overflow(void **state)
{
    struct tsfs_arena a;
    tsfs_arena_init(&a, NULL);
    struct tsfs_str s = tsfs_arena_str(&a, (struct tsfs_str){"abcdef", 3});
    assert_int_equal(s.len, 3);
    assert_string_equal(s.ptr, "abc");
    assert_string_equal(tsfs_arena_str(&a, (struct tsfs_str){NULL, 0}).ptr, "");
    assert_string_equal(tsfs_arena_printf(&a, "%d-%s", 5, "x"), "5-x");
    assert_null(tsfs_arena_alloc(&a, SIZE_MAX));
    assert_null(tsfs_arena_alloc(&a, SIZE_MAX - 20));
    assert_null(tsfs_arena_calloc(&a, SIZE_MAX / 2, 4));
    const unsigned char *zero = tsfs_arena_calloc(&a, 100, 100);
    for (int i = 0; i < 10000; i++)
        assert_int_equal(zero[i], 0);
    tsfs_arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(aligned_and_disjoint),
        cmocka_unit_test(budgets),
        cmocka_unit_test(reset_reuses),
        cmocka_unit_test(strings_and_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
