/* What the binder refuses, word for word and place for place; and tsfs_sql_check.  Catches an error that
 * points at the wrong token, a hint that is lost, and a statement that is let through. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "sql/check.h"
#include "sql_support.h"

static const struct {
    const char *sql, *error;
} cases[] = {
#include "error_expectations.inc"
};

static void test_errors(void **state)
{
    struct support s;
    bool print = getenv("PRINT_ERRORS") != NULL;
    unsigned failed = 0;
    support_open(&s);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tsfs_arena arena;
        struct tsfs_error err = {0};
        struct tsfs_plan *plan;
        char got[TSFS_ERROR_MESSAGE_MAX + 64] = "no error";
        tsfs_arena_init(&arena, NULL);
        int rc = tsfs_plan_query(tsfs_str_from(cases[i].sql), &s.resolver, &support_set, &arena, &plan, &err);
        if (rc != 0) {
            assert_int_equal(rc, err.code);
            snprintf(got, sizeof(got), "line %u, column %u: %s%s", err.line, err.column, err.message,
                     rc == -ENOENT   ? " [ENOENT]"
                     : rc == -ERANGE ? " [ERANGE]"
                                     : "");
        }
        if (print) {
            const char *texts[] = {cases[i].sql, got};
            for (int t = 0; t < 2; t++) {
                printf(t == 0 ? "    {\"" : "     \"");
                for (const char *c = texts[t]; *c != '\0'; c++)
                    printf(*c == '"' ? "\\\"" : *c == '\n' ? "\\n" : "%c", *c);
                printf(t == 0 ? "\",\n" : "\"},\n");
            }
        } else if (strcmp(got, cases[i].error) != 0) {
            print_error("%s\n    expected %s\n    found    %s\n", cases[i].sql, cases[i].error, got);
            failed++;
        }
        tsfs_arena_free(&arena);
    }
    support_close(&s);
    assert_int_equal(failed, 0);
}

static void test_unqualified_without_default(void **state)
{
    struct support s;
    struct tsfs_arena arena;
    struct tsfs_error err = {0};
    struct tsfs_plan *plan;
    support_open(&s);
    s.resolver.default_database = (struct tsfs_str){0};
    tsfs_arena_init(&arena, NULL);
    assert_int_equal(
        tsfs_plan_query(TSFS_STR("SELECT 1 FROM x"), &s.resolver, &support_set, &arena, &plan, &err),
        -EINVAL);
    assert_string_equal(err.message, "table \"x\" needs its database: write database.x");
    assert_int_equal(err.column, 15);
    tsfs_error_clear(&err);
    assert_int_equal(tsfs_plan_query(TSFS_STR("SHOW TABLES"), &s.resolver, &support_set, &arena, &plan, &err),
                     -EINVAL);
    assert_int_equal(tsfs_plan_query(TSFS_STR("SELECT temp FROM plant.machine_metrics"), &s.resolver,
                                     &support_set, &arena, &plan, NULL),
                     0);
    tsfs_arena_free(&arena);
    support_close(&s);
}

/* A budget that is used up must be -ENOMEM, never a crash, wherever it strikes. */
static void test_out_of_memory(void **state)
{
    static const char sql[] =
        "WITH h (b, m, v) AS (SELECT bin(time, 1h), machine, temp FROM machine_metrics WHERE machine = 'a' "
        "OR "
        "machine IN ('b', 'c') AND NOT ok AND temp BETWEEN 1 AND 5 AND state LIKE 'x!%' ESCAPE '!') "
        "SELECT DISTINCT b, CASE WHEN avg(v) > 1 THEN 'x' ELSE 'y' END AS c, count(DISTINCT m), "
        "coalesce(max(v), 0), nullif(min(v), 3) FROM h WHERE b > ago(1h) AND 10 / v > 1 GROUP BY b, m "
        "HAVING sum(v) FILTER (WHERE v > 0) > 1 ORDER BY c DESC, 1 LIMIT 3 OFFSET 1";
    struct support s;
    support_open(&s);
    bool done = false;
    for (size_t limit = 512; !done && limit < (1u << 22); limit += limit / 16 + 64) {
        struct tsfs_budget budget = {.limit = limit};
        struct tsfs_arena arena;
        struct tsfs_plan *plan;
        tsfs_arena_init(&arena, &budget);
        int rc = tsfs_plan_query(TSFS_STR(sql), &s.resolver, &support_set, &arena, &plan, NULL);
        if (rc != -ENOMEM)
            assert_int_equal(rc, 0);
        done = rc == 0;
        tsfs_arena_free(&arena);
    }
    assert_true(done);
    support_close(&s);
}

/* Each name of WINDOW builds on the one before: so deep, and no deeper. */
static void test_windows_upon_windows(void **state)
{
    struct support s;
    support_open(&s);
    for (unsigned more = 0; more < 2; more++) {
        struct tsfs_buf text = {0};
        struct tsfs_arena arena;
        struct tsfs_error err = {0};
        struct tsfs_plan *plan;
        unsigned n = TSFS_SQL_WINDOWS_MAX + more;
        assert_int_equal(tsfs_buf_printf(&text,
                                         "SELECT count(*) OVER w%u FROM machine_metrics WINDOW w0 AS ()",
                                         TSFS_SQL_WINDOWS_MAX - 1),
                         0);
        for (unsigned i = 1; i < n; i++)
            assert_int_equal(tsfs_buf_printf(&text, ", w%u AS (w%u)", i, i - 1), 0);
        tsfs_arena_init(&arena, NULL);
        int rc = tsfs_plan_query(tsfs_buf_str(&text), &s.resolver, &support_set, &arena, &plan, &err);
        assert_int_equal(rc, more ? -EINVAL : 0);
        if (more)
            assert_string_equal(err.message, "WINDOW has more than 256 names");
        tsfs_arena_free(&arena);
        tsfs_buf_free(&text);
    }
    support_close(&s);
}

/* Forms that use an operand twice must not double the work with every level. */
static void test_no_exponential_growth(void **state)
{
    static const struct {
        const char *start, *before, *middle, *after, *end;
        int rc;
    } shapes[] = {
        {"SELECT ", "(", "temp IS NULL", " IS DISTINCT FROM ok)", " FROM machine_metrics", -EINVAL},
        {"SELECT ", "(", "ok", " BETWEEN ok AND ok)", " FROM machine_metrics", -EINVAL},
        {"SELECT ", "nullif(", "n", ", 3)", " FROM machine_metrics", -EINVAL},
        {"SELECT ", "CASE ", "n", " WHEN 1 THEN 2 WHEN 3 THEN 4 ELSE 5 END", " FROM machine_metrics",
         -EINVAL},
        {"", "SELECT x + x AS x FROM (", "SELECT temp AS x FROM machine_metrics", ") WHERE x > 1", "", 0},
        {"", "SELECT x + x AS x FROM (", "SELECT temp AS x FROM machine_metrics", ")", " WHERE x > 1", 0},
        {"", "SELECT x + x AS x FROM (", "SELECT temp AS x FROM machine_metrics",
         " GROUP BY 1 HAVING x + x > 1)", "", 0},
    };
    struct support s;
    support_open(&s);
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        struct tsfs_buf text = {0};
        struct tsfs_arena arena;
        struct tsfs_error err = {0};
        struct tsfs_plan *plan;
        unsigned n = 90;
        assert_int_equal(tsfs_buf_printf(&text, "%s", shapes[i].start), 0);
        for (unsigned k = 0; k < n; k++)
            assert_int_equal(tsfs_buf_printf(&text, "%s", shapes[i].before), 0);
        assert_int_equal(tsfs_buf_printf(&text, "%s", shapes[i].middle), 0);
        for (unsigned k = 0; k < n; k++)
            assert_int_equal(tsfs_buf_printf(&text, "%s", shapes[i].after), 0);
        assert_int_equal(tsfs_buf_printf(&text, "%s", shapes[i].end), 0);
        tsfs_arena_init(&arena, NULL);
        int rc = tsfs_plan_query(tsfs_buf_str(&text), &s.resolver, &support_set, &arena, &plan, &err);
        if (rc != shapes[i].rc)
            fail_msg("%s: %d %s", shapes[i].before, rc, err.message);
        tsfs_arena_free(&arena);
        tsfs_buf_free(&text);
    }
    support_close(&s);
}

static void test_check(void **state)
{
    static const struct {
        const char *text;
        enum tsfs_sql_state state;
    } checks[] = {
        {"", TSFS_SQL_EMPTY},
        {" \n\t-- only a comment", TSFS_SQL_EMPTY},
        {"/* x */", TSFS_SQL_EMPTY},
        {"/* x", TSFS_SQL_OPEN},
        {"S", TSFS_SQL_OPEN},
        {"SELEC", TSFS_SQL_OPEN},
        {"SELEC ", TSFS_SQL_BROKEN},
        {"SELEC 1\n", TSFS_SQL_BROKEN},
        {"SELECT", TSFS_SQL_OPEN},
        {"SELECT\n", TSFS_SQL_OPEN},
        {"SELECT a FROM\n", TSFS_SQL_OPEN},
        {"SELECT a,\n", TSFS_SQL_OPEN},
        {"SELECT (a + \n", TSFS_SQL_OPEN},
        {"SELECT 'abc", TSFS_SQL_OPEN},
        {"SELECT \"abc", TSFS_SQL_OPEN},
        {"SELECT 'it''", TSFS_SQL_OPEN},
        {"SELECT 1 !", TSFS_SQL_OPEN},
        {"SELECT a |", TSFS_SQL_OPEN},
        {"SELECT 5mi", TSFS_SQL_OPEN},
        {"SELECT 5mi ", TSFS_SQL_BROKEN},
        {"SELECT 'caf\xc3", TSFS_SQL_OPEN},
        {"SELECT 'caf\xff", TSFS_SQL_BROKEN},
        {"SELECT '\xe2\x82", TSFS_SQL_OPEN},
        {"SELECT 1", TSFS_SQL_MAY_END},
        {"SELECT 1\n", TSFS_SQL_MAY_END},
        {"SELECT a FROM t WHERE x", TSFS_SQL_MAY_END},
        {"SELECT a FROM t WHERE x > 5\n -- more?", TSFS_SQL_MAY_END},
        {"SHOW TABLES\n", TSFS_SQL_MAY_END},
        {"SELECT 1;", TSFS_SQL_TERMINATED},
        {"SELECT 1; -- done\n", TSFS_SQL_TERMINATED},
        {"SELECT 1; x", TSFS_SQL_BROKEN},
        {"SELECT 1;;", TSFS_SQL_BROKEN},
        {"SELECT 1)", TSFS_SQL_BROKEN},
        {"SELECT a FROM t JOIN u", TSFS_SQL_OPEN},
        {"SELECT a FROM t JOIN u ON x", TSFS_SQL_MAY_END},
        {"SELECT a FROM t UNION", TSFS_SQL_OPEN},
        {"SELECT a FROM t NATURAL JOIN u", TSFS_SQL_MAY_END},
        {"SELECT a FROM t NATURAL CROSS JOIN u", TSFS_SQL_BROKEN},
        {"SELECT a FROM t WHERE = 5\n", TSFS_SQL_BROKEN},
        {"INSERT INTO", TSFS_SQL_BROKEN},
        {"hello world\n", TSFS_SQL_BROKEN},
    };
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        struct tsfs_error err = {0};
        enum tsfs_sql_state got = tsfs_sql_check(tsfs_str_from(checks[i].text), &err);
        if (got != checks[i].state)
            fail_msg("%s: state %d, not %d (%s)", checks[i].text, got, checks[i].state, err.message);
        assert_int_equal(err.code != 0, got == TSFS_SQL_BROKEN);
    }
}

/* Whatever is cut off a good statement, the rest is never called broken. */
static void test_check_prefixes(void **state)
{
    static const char sql[] =
        "WITH h (b, v) AS (SELECT bin(time, 15m), \"temp\" FROM plant.machine_metrics m WHERE m.machine = "
        "'caf\xc3\xa9' "
        "AND NOT state LIKE 'x''!%' ESCAPE '!' AND n NOT IN (1, 2) AND time BETWEEN ago(1h) AND now()) /* c "
        "*/\n"
        "SELECT DISTINCT b, CASE WHEN v >= 1.5e3 THEN 'x' ELSE CAST(v AS varchar) || 'y' END AS c, count(*) "
        "FILTER (WHERE v <> 1 OR v != 2), INTERVAL '2' DAY, DATE '2024-01-01', EXTRACT(DAY FROM b), "
        "position('a' IN 'b') "
        "FROM h -- comment\n GROUP BY 1, 2 HAVING max(v) IS NOT NULL ORDER BY c DESC NULLS FIRST, 1 OFFSET 2 "
        "ROWS "
        "FETCH FIRST 3 ROWS ONLY;";
    size_t len = sizeof(sql) - 1;
    assert_int_equal(tsfs_sql_check((struct tsfs_str){sql, len}, NULL), TSFS_SQL_TERMINATED);
    for (size_t n = 0; n < len; n++) {
        struct tsfs_error err = {0};
        enum tsfs_sql_state got = tsfs_sql_check((struct tsfs_str){sql, n}, &err);
        if (got == TSFS_SQL_BROKEN || got == TSFS_SQL_TERMINATED)
            fail_msg("%.*s: %s", (int)n, sql, err.message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_unqualified_without_default),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_check_prefixes),
        cmocka_unit_test(test_windows_upon_windows),
        cmocka_unit_test(test_no_exponential_growth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
