/* Errors: the first one is kept, messages are cut between characters, prefixes keep the position. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/utf8.h"

static void keeps_the_first(void **state)
{
    struct tsfs_error err = {0};
    assert_int_equal(tsfs_error_set(&err, -EINVAL, "first %d", 1), -EINVAL);
    assert_int_equal(tsfs_error_set_at(&err, -ENOENT, 3, 4, "second"), -ENOENT);
    assert_int_equal(err.code, -EINVAL);
    assert_int_equal(err.line, 0);
    assert_string_equal(err.message, "first 1");
    tsfs_error_clear(&err);
    assert_int_equal(tsfs_error_set_at(&err, -ENOENT, 3, 4, "second"), -ENOENT);
    assert_int_equal(err.line, 3);
    assert_int_equal(err.column, 4);
}

static void takes_null(void **state)
{
    assert_int_equal(tsfs_error_set(NULL, -EIO, "x"), -EIO);
    assert_int_equal(tsfs_error_set_at(NULL, -EIO, 1, 1, "x"), -EIO);
    tsfs_error_prefix(NULL, "x");
    tsfs_error_clear(NULL);
}

static void cuts_between_characters(void **state)
{
    /* Every alignment of a four-byte character with the end of the message. */
    for (int shift = 0; shift < 5; shift++) {
        char text[TSFS_ERROR_MESSAGE_MAX * 2];
        size_t n = 0;
        while (n < (size_t)shift)
            text[n++] = 'a';
        for (; n + 5 < sizeof(text); n += 4)
            memcpy(text + n, "\xf0\x9f\x93\x88", 4);
        text[n] = '\0';
        struct tsfs_error err = {0};
        tsfs_error_set(&err, -EINVAL, "%s", text);
        assert_true(tsfs_utf8_valid(tsfs_str_from(err.message)));
        assert_true(strlen(err.message) >= TSFS_ERROR_MESSAGE_MAX - 4);
        tsfs_error_prefix(&err, "in %s", "table");
        assert_true(tsfs_utf8_valid(tsfs_str_from(err.message)));
        assert_memory_equal(err.message, "in table: ", 10);
        assert_true(strlen(err.message) >= TSFS_ERROR_MESSAGE_MAX - 4);
    }
}

static void prefixes(void **state)
{
    struct tsfs_error err = {0};
    tsfs_error_prefix(&err, "nothing");
    assert_string_equal(err.message, "");
    tsfs_error_set_at(&err, -EINVAL, 7, 8, "bad");
    tsfs_error_prefix(&err, "table %s", "t");
    assert_string_equal(err.message, "table t: bad");
    assert_int_equal(err.line, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_the_first),
        cmocka_unit_test(takes_null),
        cmocka_unit_test(cuts_between_characters),
        cmocka_unit_test(prefixes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
