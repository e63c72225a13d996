/* UTF-8: exactly the sequences of RFC 3629, at every alignment of the fast path. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/utf8.h"

static void every_code_point(void **state)
{
    for (uint32_t cp = 0; cp < 0x110400; cp++) {
        char text[4];
        unsigned n = tsfs_utf8_encode(cp, text);
        bool exists = cp < 0x110000 && (cp < 0xd800 || cp > 0xdfff);
        if ((n != 0) != exists)
            fail_msg("U+%04X encodes to %u bytes", cp, n);
        if (n == 0)
            continue;
        uint32_t back;
        struct tsfs_str s = {text, n};
        if (tsfs_utf8_decode(s, &back) != n || back != cp || !tsfs_utf8_valid(s) || tsfs_utf8_length(s) != 1)
            fail_msg("U+%04X does not read back", cp);
        s.len = n - 1;
        if (n > 1 && tsfs_utf8_valid(s))
            fail_msg("U+%04X cut short passes", cp);
    }
}

static void invalid_at_any_place(void **state)
{
    static const char *const bad[] = {"\x80",
                                      "\xbf",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xe0\x80\x80",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xed\xbf\xbf",
                                      "\xf0\x80\x80\x80",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xff",
                                      "\xfe",
                                      "\xc3(",
                                      "\xe2\x82(",
                                      "\xe2(\xac",
                                      "\xf0\x9f(\x88"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        for (size_t before = 0; before < 20; before++) {
            char text[64];
            memset(text, 'a', sizeof(text));
            size_t n = strlen(bad[i]);
            memcpy(text + before, bad[i], n);
            assert_false(tsfs_utf8_valid((struct tsfs_str){text, before + n}));
            assert_false(tsfs_utf8_valid((struct tsfs_str){text, before + n + 11}));
            assert_true(tsfs_utf8_valid((struct tsfs_str){text, before}));
        }
    }
    assert_true(tsfs_utf8_valid(TSFS_STR("")));
    assert_int_equal(tsfs_utf8_length(TSFS_STR("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x93\x88")), 4);
    uint32_t cp;
    assert_int_equal(tsfs_utf8_decode(TSFS_STR(""), &cp), 0);
}

static void plain(void **state)
{
    assert_int_equal(tsfs_utf8_plain(TSFS_STR("")), 0);
    assert_int_equal(tsfs_utf8_plain(TSFS_STR("a ~\xc3\xa4")), 5);
    assert_int_equal(tsfs_utf8_plain(TSFS_STR("ab\tc")), 2);
    assert_int_equal(tsfs_utf8_plain(TSFS_STR("\x7f")), 0);
    assert_int_equal(tsfs_utf8_plain((struct tsfs_str){"a\0b", 3}), 1);
    assert_int_equal(tsfs_utf8_plain(TSFS_STR("\xc3\xa4\xc3")), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point),
        cmocka_unit_test(invalid_at_any_place),
        cmocka_unit_test(plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
