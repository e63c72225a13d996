/* Tokens, their positions, and what is refused.  Catches a token that swallows its neighbour, a unit taken
 * for an exponent or the other way round, and columns that are off after strings and comments of several
 * lines. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "sql/lexer.h"

/* The tokens as text: kind letter, position, content. */
static void dump(struct tsfs_str text, char *out, size_t size)
{
    struct tsfs_arena arena;
    struct tsfs_error err = {0};
    struct sql_lexer lx;
    struct sql_token tok;
    size_t at = 0;
    out[0] = '\0';
    tsfs_arena_init(&arena, NULL);
    int rc = sql_lexer_init(&lx, text, &arena, &err);
    while (rc == 0 && (rc = sql_lexer_next(&lx, &tok)) == 0 && tok.kind != SQL_TOK_END) {
        const char *kind = tok.kind == SQL_TOK_WORD       ? tok.keyword != SQL_KW_NONE ? "K" : "W"
                           : tok.kind == SQL_TOK_QUOTED   ? "Q"
                           : tok.kind == SQL_TOK_STRING   ? "S"
                           : tok.kind == SQL_TOK_INTEGER  ? "I"
                           : tok.kind == SQL_TOK_DOUBLE   ? "D"
                           : tok.kind == SQL_TOK_DURATION ? "T"
                           : tok.kind == SQL_TOK_PARAM    ? "P"
                                                          : "";
        at += (size_t)snprintf(out + at, size - at, "%s%u:%u%s(", at > 0 ? " " : "", tok.line, tok.column,
                               kind);
        if (tok.kind == SQL_TOK_DURATION)
            at += (size_t)snprintf(out + at, size - at, "%lld%s)", (long long)tok.integer,
                                   tok.interval == TSFS_INTERVAL_YM ? " months" : "");
        else if (tok.kind == SQL_TOK_DOUBLE)
            at += (size_t)snprintf(out + at, size - at, "%g)", tok.number);
        else
            at += (size_t)snprintf(out + at, size - at, "%.*s)", (int)tok.text.len, tok.text.ptr);
    }
    if (rc != 0)
        snprintf(out + at, size - at, "%serror %d %u:%u %s", at > 0 ? " " : "", rc, err.line, err.column,
                 err.message);
    tsfs_arena_free(&arena);
}

static const struct {
    const char *text, *tokens;
} cases[] = {
    {"", ""},
    {"  -- nothing\n /* at\n all */ ", ""},
    {"a B_1 select Select", "1:1W(a) 1:3W(B_1) 1:7K(select) 1:14K(Select)"},
    {"\"a \"\"b\"\"\" \"x.y\"", "1:1Q(a \"b\") 1:11Q(x.y)"},
    {"'it''s' ''", "1:1S(it's) 1:9S()"},
    {"'a\nb' c", "1:1S(a\nb) 2:4W(c)"},
    {"/* x\n*/ y", "2:4W(y)"},
    {"1--2\n+3", "1:1I(1) 2:1(+) 2:2I(3)"},
    {"1 42 9223372036854775808", "1:1I(1) 1:3I(42) 1:6I(9223372036854775808)"},
    {"1.5 .5 5. 1e5 1.5E-3 1e+2", "1:1D(1.5) 1:5D(0.5) 1:8D(5) 1:11D(100000) 1:15D(0.0015) 1:22D(100)"},
    {"5m 15ms 1day 2h30",
     "1:1T(300000000000) 1:4T(15000000) 1:9T(86400000000000) error -22 1:14 no duration unit "
     "\"h30\": use ns, us, ms, s, m, h, d, month or y, as in 15m"},
    {"1ns 1us 1s 1nanosecond 1microsecond 1millisecond 1second 1minute 1hour 1d",
     "1:1T(1) 1:5T(1000) 1:9T(1000000000) 1:12T(1) 1:24T(1000) 1:37T(1000000) 1:50T(1000000000) "
     "1:58T(60000000000) 1:66T(3600000000000) 1:72T(86400000000000)"},
    {"3month 2y 1YEAR 1.5y", "1:1T(3 months) 1:8T(24 months) 1:11T(12 months) 1:17T(18 months)"},
    {"1.5h 0.000000001s 42.8ms", "1:1T(5400000000000) 1:6T(1) 1:19T(42800000)"},
    {"1.5ns", "error -22 1:1 this duration is too large, or finer than its unit \"ns\" allows"},
    {"1.05month", "error -22 1:1 this duration is too large, or finer than its unit \"month\" allows"},
    {"1.000ns 1.00y", "1:1T(1) 1:9T(12 months)"},
    {"300000y 1000000000000d",
     "1:1T(3600000 months) error -22 1:9 this duration is too large, or finer than its unit \"d\" allows"},
    {"1days", "error -22 1:1 no duration unit \"days\": use ns, us, ms, s, m, h, d, month or y, as in 15m"},
    {"1w", "error -22 1:1 no duration unit \"w\": use ns, us, ms, s, m, h, d, month or y, as in 15m"},
    {"1e5s", "error -22 1:1 no duration unit \"s\": use ns, us, ms, s, m, h, d, month or y, as in 15m"},
    {"a.b(c)[1],d;",
     "1:1W(a) 1:2(.) 1:3W(b) 1:4(() 1:5W(c) 1:6()) 1:7([) 1:8I(1) 1:9(]) 1:10(,) 1:11W(d) 1:12(;)"},
    {"= <> != < <= > >= || -> :: + - * / %", "1:1(=) 1:3(<>) 1:6(!=) 1:9(<) 1:11(<=) 1:14(>) 1:16(>=) "
                                             "1:19(||) 1:22(->) 1:25(::) 1:28(+) 1:30(-) 1:32(*) "
                                             "1:34(/) 1:36(%)"},
    {"measure_value::double", "1:1W(measure_value) 1:14(::) 1:16W(double)"},
    {"? @p1", "1:1P(?) 1:3P(@p1)"},
    {"temp\xc3\xa9rature", "1:1W(temp\xc3\xa9rature)"},
    {"\xef\xbb\xbfselect", "1:1K(select)"},
    {"a \xe2\x80\x9cx\xe2\x80\x9d", "1:1W(a) error -22 1:3 unexpected character U+201C, a "
                                    "typographic quote: names go into plain ones, \"..\""},
    {"\xe2\x80\x98x", "error -22 1:1 unexpected character U+2018, a typographic quote: texts go into plain "
                      "ones, '..'"},
    {"a\xc2\xa0"
     "b",
     "error -22 1:2 unexpected character U+00A0, a no-break space: write a plain one"},
    {"a $", "1:1W(a) error -22 1:3 unexpected character \"$\": names with it go into double quotes, and "
            "there are no parameters"},
    {"\x01", "error -22 1:1 unexpected character U+0001"},
    {"a\n b 'x\xff'", "error -22 2:6 byte 0xff is not valid UTF-8 here"},
    {"a 'x", "1:1W(a) error -22 1:3 this string has no end"},
    {"a \"x", "1:1W(a) error -22 1:3 this quoted name has no end"},
    {"a\n/* x\n", "1:1W(a) error -22 2:1 this comment has no end"},
    {"\"\"", "error -22 1:1 a quoted name cannot be empty"},
    {"1e999", "error -22 1:1 this number is out of range"},
};

static void test_tokens(void **state)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char got[2048];
        dump(tsfs_str_from(cases[i].text), got, sizeof(got));
        assert_string_equal(got, cases[i].tokens);
    }
}

static void test_nul_byte(void **state)
{
    char got[256];
    dump((struct tsfs_str){"a\0b", 3}, got, sizeof(got));
    assert_string_equal(got, "1:1W(a) error -22 1:2 unexpected character U+0000");
    dump((struct tsfs_str){"'a\0b'", 5}, got, sizeof(got));
    assert_memory_equal(got, "1:1S(", 5);
}

static void test_every_keyword_is_found(void **state)
{
#define X(name, reserved) #name,
    static const char *const words[] = {SQL_KEYWORDS(X)};
#undef X
    struct tsfs_arena arena;
    tsfs_arena_init(&arena, NULL);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        struct sql_lexer lx;
        struct sql_token tok;
        assert_int_equal(sql_lexer_init(&lx, tsfs_str_from(words[i]), &arena, NULL), 0);
        assert_int_equal(sql_lexer_next(&lx, &tok), 0);
        assert_int_equal(tok.keyword, (int)i + 1); /* fails where the list is out of order */
    }
    tsfs_arena_free(&arena);
}

static void test_too_long(void **state)
{
    char *text = malloc(TSFS_SQL_MAX + 1);
    struct tsfs_arena arena;
    struct sql_lexer lx;
    assert_non_null(text);
    memset(text, ' ', TSFS_SQL_MAX + 1);
    tsfs_arena_init(&arena, NULL);
    assert_int_equal(sql_lexer_init(&lx, (struct tsfs_str){text, TSFS_SQL_MAX + 1}, &arena, NULL), -E2BIG);
    assert_int_equal(sql_lexer_init(&lx, (struct tsfs_str){text, TSFS_SQL_MAX}, &arena, NULL), 0);
    tsfs_arena_free(&arena);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_nul_byte),
        cmocka_unit_test(test_every_keyword_is_found),
        cmocka_unit_test(test_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
