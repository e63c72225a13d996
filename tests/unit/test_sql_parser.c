/* Statement to syntax tree, and the parser's limits.  The tree catches precedence and association gone wrong,
 * a clause that binds to the wrong query, and operands lost; the limits catch recursion without end. */
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
#include "sql_dump.h"

static const struct {
    const char *sql, *tree;
} cases[] = {
#include "parser_expectations.inc"
};

static void parse(struct tsfs_str sql, struct tsfs_buf *out)
{
    struct tsfs_arena arena;
    struct tsfs_error err = {0};
    struct sql_ast_statement *s;
    tsfs_arena_init(&arena, NULL);
    int rc = sql_parse(sql, &arena, &s, NULL, &err);
    if (rc == 0)
        dump_statement(s, out);
    else
        DUMP("%u:%u %s", err.line, err.column, err.message);
    tsfs_arena_free(&arena);
}

static void test_trees(void **state)
{
    bool print = getenv("PRINT_TREES") != NULL;
    unsigned failed = 0;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tsfs_buf out = {0};
        parse(tsfs_str_from(cases[i].sql), &out);
        struct tsfs_str got = tsfs_buf_str(&out);
        if (print) {
            const char *texts[] = {cases[i].sql, got.ptr};
            size_t lens[] = {strlen(cases[i].sql), got.len};
            for (int t = 0; t < 2; t++) {
                printf(t == 0 ? "    {\"" : "     \"");
                for (size_t k = 0; k < lens[t]; k++)
                    printf(texts[t][k] == '"' ? "\\\"" : texts[t][k] == '\n' ? "\\n" : "%c", texts[t][k]);
                printf(t == 0 ? "\",\n" : "\"},\n");
            }
        } else if (!tsfs_str_eq(got, tsfs_str_from(cases[i].tree))) {
            print_error("%s\n    expected %s\n    found    %.*s\n", cases[i].sql, cases[i].tree, (int)got.len,
                        got.ptr);
            failed++;
        }
        tsfs_buf_free(&out);
    }
    assert_int_equal(failed, 0);
}

/* before n times, middle, after n times */
static int parse_nested(const char *start, const char *before, const char *middle, const char *after,
                        unsigned n, struct tsfs_error *err)
{
    struct tsfs_buf text = {0};
    struct tsfs_arena arena;
    struct sql_ast_statement *s;
    assert_int_equal(tsfs_buf_printf(&text, "%s", start), 0);
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(tsfs_buf_printf(&text, "%s", before), 0);
    assert_int_equal(tsfs_buf_printf(&text, "%s", middle), 0);
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(tsfs_buf_printf(&text, "%s", after), 0);
    tsfs_arena_init(&arena, NULL);
    int rc = sql_parse(tsfs_buf_str(&text), &arena, &s, NULL, err);
    tsfs_arena_free(&arena);
    tsfs_buf_free(&text);
    return rc;
}

static void test_depth(void **state)
{
    static const struct {
        const char *start, *before, *middle, *after;
    } shapes[] = {
        {"SELECT ", "(", "1", ")"},
        {"SELECT ", "abs(", "1", ")"},
        {"SELECT ", "- ", "x", ""},
        {"SELECT ", "+ ", "x", ""},
        {"SELECT ", "NOT ", "x", ""},
        {"SELECT ", "CASE WHEN a THEN ", "1", " END"},
        {"SELECT ", "CAST(", "1", " AS double)"},
        {"SELECT a", "", "", " / a"},
        {"SELECT a", "", "", " + a - a"},
        {"", "SELECT * FROM (", "SELECT 1", ")"},
        {"", "(", "SELECT 1", ")"},
        {"", "WITH a AS (", "SELECT 1", ") SELECT 1"},
        {"SELECT ", "EXTRACT(DAY FROM ", "1", ")"},
        {"SELECT a IN (", "a IN (", "1", ")"},
        {"SELECT ", "count(x) FILTER (WHERE ", "y", ")"},
        {"SELECT ", "position(a IN ", "y", ")"},
    };
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        unsigned huge = 100000;
        struct tsfs_error err = {0};
        if (strlen(shapes[i].before) + strlen(shapes[i].after) > 9)
            huge = TSFS_SQL_MAX / 64;
        int rc =
            parse_nested(shapes[i].start, shapes[i].before, shapes[i].middle, shapes[i].after, huge, &err);
        if (rc != -EINVAL || strstr(err.message, "deeper than") == NULL)
            fail_msg("%s%s: %d %s", shapes[i].start, shapes[i].before, rc, err.message);
    }
    struct tsfs_error err = {0};
    assert_int_equal(parse_nested("SELECT ", "(", "1", ")", 190, &err),
                     0); /* the limit is no tighter than told */
    assert_int_equal(parse_nested("SELECT a", "", "", " + a", 190, &err), 0);
    assert_int_equal(parse_nested("SELECT ", "NOT ", "a", "", 190, &err), 0);
}

static void test_long_but_flat(void **state)
{
    struct tsfs_error err = {0};
    assert_int_equal(parse_nested("SELECT a", "", "", " OR a", 100000, &err), 0);
    assert_int_equal(parse_nested("SELECT a", "", "", " - a", 100000, &err), 0);
    assert_int_equal(parse_nested("SELECT a", "", "", " * a", 100000, &err), 0);
    assert_int_equal(parse_nested("SELECT a", "", "", " AND a", 100000, &err), 0);
    assert_int_equal(parse_nested("SELECT a IN (1", "", "", ",1", 400000, &err), -EINVAL); /* no ) */
    assert_int_equal(parse_nested("SELECT a", "", "", ",a", 400000, &err), 0);
    assert_int_equal(parse_nested("SELECT a", "", "", " + a", 100000, &err), 0);
    assert_int_equal(parse_nested("SELECT a", "", "", " || a", 100000, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trees),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_long_but_flat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
