/* Arrays: growth by doubling, from what room there is; sizes that do not fit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>

#include "base/array.h"

static void grows_by_doubling(void **state)
{
    uint16_t *items = NULL;
    unsigned n = 0, cap = 0, moves = 0;
    for (; n < 1000; n++) {
        unsigned before = cap;
        assert_int_equal(TSFS_ARRAY_RESERVE(items, cap, n + 1, 8), 0);
        moves += cap != before;
        assert_true(cap > n);
        items[n] = (uint16_t)(3 * n);
    }
    assert_int_equal(cap, 1024);
    assert_int_equal(moves, 8); /* 8, 16, .. 1024 */
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(items[i], (uint16_t)(3 * i));
    free(items);
}

static void takes_what_is_asked_for(void **state)
{
    uint64_t *items = NULL;
    size_t cap = 0, none = 0;
    assert_int_equal(TSFS_ARRAY_RESERVE(items, cap, none, 8), 0);
    assert_null(items);
    assert_int_equal(TSFS_ARRAY_RESERVE(items, cap, 100, 8), 0);
    assert_int_equal(cap, 100);
    assert_int_equal(TSFS_ARRAY_RESERVE(items, cap, 101, 8), 0);
    assert_int_equal(cap, 200);
    items[199] = 1;
    free(items);
}

/* Sizes that do not fit are refused before anything is asked for, and nothing changes. */
static void refuses_what_does_not_fit(void **state)
{
    struct {
        char bytes[4096];
    } *items = NULL, *before;
    uint32_t cap = 0;
    size_t past = (size_t)UINT32_MAX + 1;
    assert_int_equal(TSFS_ARRAY_RESERVE(items, cap, 1, 2), 0);
    before = items;
    assert_int_equal(TSFS_ARRAY_RESERVE(items, cap, past, 2), -ENOMEM);
    size_t wide = 2;
    assert_int_equal(TSFS_ARRAY_RESERVE(items, wide, SIZE_MAX / 4096 + 2, 2), -ENOMEM);
    assert_int_equal(TSFS_ARRAY_RESERVE(items, wide, SIZE_MAX, 2), -ENOMEM);
    assert_ptr_equal(items, before);
    assert_int_equal(cap, 2);
    assert_int_equal(wide, 2);
    free(items);

    /* A room of 32 bits is not doubled past its type. */
    char *text = NULL;
    uint32_t room = UINT32_C(3) << 30;
    int rc = TSFS_ARRAY_RESERVE(text, room, (size_t)room + 1, 2);
    assert_true(rc == 0 ? room == UINT32_MAX : rc == -ENOMEM && room == UINT32_C(3) << 30);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_by_doubling),
        cmocka_unit_test(takes_what_is_asked_for),
        cmocka_unit_test(refuses_what_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
