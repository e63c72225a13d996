/* Scalar functions, casts, operators and literals from the text of a statement to its answer.  Catches wrong
 * answers, answers that differ between constants and columns, conversions of arguments that are made or left
 * out, and what is taken although it must fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sql_cases.h"

#include "scalar_binary_cases.inc"
#include "scalar_cast_cases.inc"
#include "scalar_math_cases.inc"
#include "scalar_regex_cases.inc"
#include "scalar_text_cases.inc"
#include "scalar_time_cases.inc"

#define TEST(NAME)                                                                                           \
    static void test_##NAME(void **state)                                                                    \
    {                                                                                                        \
        (void)state;                                                                                         \
        check_expressions(CASES(NAME##_cases));                                                              \
    }

TEST(binary)
TEST(cast)
TEST(math)
TEST(regex)
TEST(text)
TEST(time)

/* bytes in results and in what compares, groups, sorts and keeps them */
static const struct sql_case bytes_cases[] = {
    {"SELECT to_utf8('hi')", "6869"},
    {"SELECT CAST('\303\274' AS varbinary)", "c3bc"},
    {"SELECT to_utf8('')", ""},
    {"SELECT ARRAY[to_utf8('a'), NULL]", "[61,NULL]"},
    {"SELECT from_utf8(x), count(*) FROM (VALUES to_utf8('a'), to_utf8('b'), to_utf8('a'), NULL) t(x) GROUP "
     "BY x "
     "ORDER BY x DESC NULLS FIRST",
     "NULL|1\nb|1\na|2"},
    {"SELECT count(DISTINCT x), approx_distinct(x) FROM (VALUES to_utf8('a'), to_utf8('b'), to_utf8('a')) "
     "t(x)",
     "2|2"},
    {"SELECT max_by(x, y), min_by(x, y), arbitrary(x), array_agg(x) FROM (VALUES (to_utf8('a'), 1), "
     "(to_utf8('b'), 2)) "
     "t(x, y)",
     "62|61|61|[61,62]"},
    {"SELECT lag(x) OVER (ORDER BY x) FROM (VALUES to_utf8('b'), to_utf8('a')) t(x)", "NULL\n61"},
    {"SELECT a.x FROM (VALUES to_utf8('a'), to_utf8('b')) a(x) JOIN (VALUES to_utf8('b'), NULL) b(x) ON a.x "
     "= b.x",
     "62"},
    {"SELECT x FROM (SELECT to_utf8('a') x UNION SELECT to_utf8('a') UNION SELECT to_utf8('c')) ORDER BY 1 "
     "DESC",
     "63\n61"},
    {"SELECT x FROM (VALUES to_utf8('a'), to_utf8('b')) t(x) WHERE x IN (SELECT to_utf8('b'))", "62"},
    {"SELECT sum(to_utf8('a'))", "!sum does not take (varbinary)"},
};

static void test_bytes(void **state)
{
    (void)state;
    check_all(CASES(bytes_cases));
}

/* Long chains of one operator, as programs write them: of any length, as if written operator by operator. */
static void test_chains(void **state)
{
    (void)state;
    static const struct {
        const char *start, *item, *end;
        unsigned n;
        const char *expected;
    } chains[] = {
        {"SELECT x", " + x", " FROM (VALUES 1, NULL) t(x)", 63, "64\nNULL"},
        {"SELECT x", " + x", " FROM (VALUES 1, NULL) t(x)", 64, "65\nNULL"},
        {"SELECT x", " + x", " FROM (VALUES 1, 2) t(x)", 65, "66\n132"},
        {"SELECT x", " + x", " FROM (VALUES 1, 2) t(x)", 20000, "20001\n40002"},
        {"SELECT x + y", " + x", " + z - 1 FROM (VALUES (1, 3000000000, 0.5)) t(x, y, z)", 300,
         "3000000300.5"},
        {"SELECT x", " + x", " FROM (VALUES 100000000) t(x)", 300,
         "!integer addition overflow: 2100000000 + 100000000"},
        {"SELECT TRY(x", " + x", ") FROM (VALUES 100000000, 1) t(x)", 300, "NULL\n301"},
        {"SELECT 1", " + 1", "", 5000, "5001"},
        {"SELECT x", " - x", " FROM (VALUES 1, NULL, -3) t(x)", 63, "-62\nNULL\n186"},
        {"SELECT x", " - x", " FROM (VALUES 1, NULL, -3) t(x)", 64, "-63\nNULL\n189"},
        {"SELECT x", " - x", " FROM (VALUES 1, NULL, -3) t(x)", 20000, "-19999\nNULL\n59997"},
        {"SELECT x - y", " - x", " - (z - 1) FROM (VALUES (1, 3000000000, 0.5)) t(x, y, z)", 300,
         "-3000000298.5"},
        {"SELECT x", " - y", " FROM (VALUES (0, 100000000)) t(x, y)", 300,
         "!integer subtraction overflow: -2100000000 - 100000000"},
        {"SELECT x", " - y", " FROM (VALUES (-9223372036854775807, 1)) t(x, y)", 70,
         "!bigint subtraction overflow: -9223372036854775808 - 1"},
        {"SELECT TRY(x", " - y", ") FROM (VALUES (0, 100000000), (7, 1)) t(x, y)", 300, "NULL\n-293"},
        {"SELECT x", " * x", " FROM (VALUES 1, NULL, -1, 0) t(x)", 20000, "1\nNULL\n-1\n0"},
        {"SELECT x", " * x", " FROM (VALUES 3) t(x)", 64, "!integer multiplication overflow: 1162261467 * 3"},
        {"SELECT x", " * 1", " * y FROM (VALUES (3000000000, -2)) t(x, y)", 300, "-6000000000"},
        {"SELECT x", " * 2", " FROM (VALUES 1.5) t(x)", 1100, "Infinity"},
        {"SELECT x", " * 1", " - 1 FROM (VALUES (1.5)) t(x)", 300, "0.5"},
        {"SELECT NULL", " * 2", "", 100, "NULL"},
        {"SELECT i", " * 1", " FROM (VALUES 2h) t(i)", 100, "0 02:00:00.000000000"},
        {"SELECT 1", " / 1", "", 250, "!nest deeper than 200 levels"},
        {"SELECT length(x", " || x", ") FROM (VALUES 'ab', NULL) t(x)", 5000, "10002\nNULL"},
        {"SELECT cardinality(a", " || a", ") FROM (VALUES ARRAY[1, 2]) t(a)", 500, "1002"},
        {"SELECT cardinality(a", " || 5", ") FROM (VALUES ARRAY[1, 2]) t(a)", 100, "102"},
        {"SELECT t", " + 1h", " = timestamp '2020-01-07' FROM (VALUES timestamp '2020-01-01') a(t)", 144,
         "true"},
        {"SELECT t", " + 1h", " FROM (VALUES timestamp '2020-01-01') a(t)", 250,
         "!nest deeper than 200 levels"},
        {"SELECT count(*) FROM (VALUES 7) t(x) WHERE x = 8", " OR x = 7", "", 5000, "1"},
        {"SELECT count(*) FROM (SELECT 1", " UNION ALL SELECT 1", ")", 999, "1000"},
    };
    for (size_t i = 0; i < sizeof(chains) / sizeof(chains[0]); i++) {
        struct tsfs_buf sql = {0};
        assert_int_equal(tsfs_buf_printf(&sql, "%s", chains[i].start), 0);
        for (unsigned k = 0; k < chains[i].n; k++)
            assert_int_equal(tsfs_buf_printf(&sql, "%s", chains[i].item), 0);
        assert_int_equal(tsfs_buf_printf(&sql, "%s", chains[i].end), 0);
        struct sql_case c = {chains[i].start, chains[i].expected};
        assert_int_equal(check(&c, strndupa(tsfs_buf_str(&sql).ptr, sql.len)), 0);
        tsfs_buf_free(&sql);
    }
}

static int repeat(struct tsfs_buf *out, unsigned n, const char *text)
{
    int rc = 0;
    for (unsigned i = 0; i < n && rc == 0; i++)
        rc = tsfs_buf_printf(out, "%s", text);
    return rc;
}

/* Queries in queries with deep expressions and joins at each level: each is within its limits, all of them
 * together are too deep for any stack. */
static void test_heights(void **state)
{
    (void)state;
    static const struct {
        const char *before, *item, *base, *after, *tail;
        unsigned levels, n;
        const char *expected;
    } nests[] = {
        {"SELECT x AS x FROM (", "", "SELECT x FROM (VALUES 1.5) t(x)", ") t", "", 60, 1, "1.5"},
        {"SELECT x * 1.0 AS x FROM (", "", "SELECT x FROM (VALUES 1.5) t(x)", ") t", "", 90, 1, "1.5"},
        {"SELECT (", " * 1.0", "SELECT x FROM (VALUES 1.5) t(x)", ")", "", 8, 190, "1.5"},
        {"SELECT (", " * 1.0", "SELECT x FROM (VALUES 1.5) t(x)", ")", "", 60, 190,
         "!the whole statement nests deeper than 2000 levels here"},
        {"SELECT (", " * 1.0", "SELECT x FROM (VALUES 1.5) t(x)", ")", " AS a ORDER BY a", 60, 190,
         "!the whole statement nests deeper than 2000 levels here"},
        {"SELECT 1.5 AS x FROM (", " CROSS JOIN (VALUES 1)", "SELECT 1", ") t", "", 9, 180, "1.5"},
        {"SELECT 1.5 AS x FROM (", " CROSS JOIN (VALUES 1)", "SELECT 1", ") t", "", 60, 180,
         "!the whole statement nests deeper than 2000 levels here"},
    };
    for (size_t i = 0; i < sizeof(nests) / sizeof(nests[0]); i++) {
        struct tsfs_buf sql = {0};
        assert_int_equal(repeat(&sql, nests[i].levels, nests[i].before), 0);
        assert_int_equal(repeat(&sql, 1, nests[i].base), 0);
        for (unsigned k = 0; k < nests[i].levels; k++) {
            assert_int_equal(repeat(&sql, 1, nests[i].after), 0);
            assert_int_equal(repeat(&sql, nests[i].n, nests[i].item), 0);
            assert_int_equal(repeat(&sql, 1, nests[i].tail), 0);
        }
        struct sql_case c = {nests[i].before, nests[i].expected};
        assert_int_equal(check(&c, strndupa(tsfs_buf_str(&sql).ptr, sql.len)), 0);
        tsfs_buf_free(&sql);
    }
    /* what would dissolve into one expression of 17,000 levels stays in projections; with WITH likewise */
    struct tsfs_buf sql = {0};
    assert_int_equal(tsfs_buf_printf(&sql, "WITH c0 AS (SELECT x FROM (VALUES 1.5) t(x))"), 0);
    for (unsigned i = 1; i < 90; i++) {
        assert_int_equal(tsfs_buf_printf(&sql, ", c%u AS (SELECT x", i), 0);
        assert_int_equal(repeat(&sql, 190, " * 1.0"), 0);
        assert_int_equal(tsfs_buf_printf(&sql, " AS x FROM c%u)", i - 1), 0);
    }
    assert_int_equal(tsfs_buf_printf(&sql, " SELECT x FROM c89 WHERE x > 1"), 0);
    struct sql_case c = {"WITH", "1.5"};
    assert_int_equal(check(&c, strndupa(tsfs_buf_str(&sql).ptr, sql.len)), 0);
    tsfs_buf_free(&sql);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_math),  cmocka_unit_test(test_text),   cmocka_unit_test(test_regex),
        cmocka_unit_test(test_time),  cmocka_unit_test(test_cast),   cmocka_unit_test(test_binary),
        cmocka_unit_test(test_bytes), cmocka_unit_test(test_chains), cmocka_unit_test(test_heights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
