/* Buffers: growth keeps the content, formatted text of any length fits, impossible sizes are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"

static void grows(void **state)
{
    struct tsfs_buf b = {0};
    assert_int_equal(tsfs_buf_str(&b).len, 0);
    assert_non_null(tsfs_buf_str(&b).ptr);
    for (int i = 0; i < 5000; i++) {
        char c = (char)('a' + i % 26);
        assert_int_equal(tsfs_buf_append(&b, &c, 1), 0);
    }
    assert_int_equal(b.len, 5000);
    for (int i = 0; i < 5000; i++)
        assert_int_equal(b.data[i], 'a' + i % 26);
    assert_int_equal(tsfs_buf_append(&b, NULL, 0), 0);
    tsfs_buf_free(&b);
    assert_null(b.data);
    assert_int_equal(b.cap, 0);
    tsfs_buf_free(NULL);
}

static void prints(void **state)
{
    struct tsfs_buf b = {0};
    char expect[400] = "";
    /* Each length around the room that is left once. */
    for (int i = 0; i < 25; i++) {
        assert_int_equal(tsfs_buf_printf(&b, "%0*d", i, i), 0);
        sprintf(expect + strlen(expect), "%0*d", i, i);
        assert_int_equal(b.len, strlen(expect));
        assert_memory_equal(b.data, expect, b.len);
    }
    assert_int_equal(tsfs_buf_append_str(&b, TSFS_STR("end")), 0);
    assert_memory_equal(b.data + b.len - 3, "end", 3);
    tsfs_buf_free(&b);
}

static void refuses_impossible_sizes(void **state)
{
    struct tsfs_buf b = {0};
    assert_int_equal(tsfs_buf_append(&b, "abc", 3), 0);
    assert_int_equal(tsfs_buf_reserve(&b, SIZE_MAX), -ENOMEM);
    assert_int_equal(tsfs_buf_reserve(&b, SIZE_MAX - 2), -ENOMEM);
    assert_int_equal(b.len, 3);
    assert_memory_equal(b.data, "abc", 3);
    tsfs_buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows),
        cmocka_unit_test(prints),
        cmocka_unit_test(refuses_impossible_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
