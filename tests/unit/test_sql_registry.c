/* The binder and the one registry of functions fit together: what the binder takes for granted of the
 * registry is there, and what it lets through can be computed.  Catches a cast that binds but has no kernel,
 * an operator or a field of EXTRACT without function, an overload that is lost because its name is spelled in
 * two places. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <strings.h>

#include <cmocka.h>

#include "exec/exec.h"
#include "exec/function.h"
#include "sql/bind_priv.h"
#include "sql_support.h"

static void test_casts(void **state)
{
    for (int from = TSFS_UNKNOWN; from < TSFS_TYPE_COUNT; from++)
        for (int to = TSFS_BOOLEAN; to < TSFS_TYPE_COUNT; to++)
            if (bind_castable((enum tsfs_type)from, (enum tsfs_type)to) !=
                (tsfs_cast_kernel((enum tsfs_type)from, (enum tsfs_type)to) != NULL))
                fail_msg("%s to %s", tsfs_type_name((enum tsfs_type)from),
                         tsfs_type_name((enum tsfs_type)to));
}

static void test_coercions_are_casts(void **state)
{
    for (int from = TSFS_BOOLEAN; from < TSFS_TYPE_COUNT; from++)
        for (int to = TSFS_BOOLEAN; to < TSFS_TYPE_COUNT; to++)
            if (tsfs_coercion_cost((enum tsfs_type)from, (enum tsfs_type)to) >= 0)
                assert_true(bind_castable((enum tsfs_type)from, (enum tsfs_type)to));
}

static void test_names_adjoin(void **state)
{
    const struct tsfs_function_set *set = tsfs_functions();
    for (uint32_t i = 0; i < set->n; i++)
        for (uint32_t k = i + 1; k < set->n; k++)
            if (strcasecmp(set->items[i].name, set->items[k].name) == 0) {
                assert_int_equal(set->items[i].kind, set->items[k].kind);
                for (uint32_t m = i; m < k; m++)
                    assert_int_equal(strcasecmp(set->items[i].name, set->items[m].name), 0);
            }
}

static int fold(void *ctx, const struct tsfs_expr *e, struct tsfs_arena *arena, struct tsfs_value *out,
                struct tsfs_error *err)
{
    return tsfs_exec_fold(e, SUPPORT_NOW, arena, out, err);
}

/* Statements that users of the dialect write, against the real functions and the real folding. */
static void test_statements(void **state)
{
    static const char *const statements[] = {
        "SELECT avg(temp) FROM machine_metrics WHERE machine = 'm' AND time > ago(1h)",
        "SELECT machine, bin(time, 5m) AS t, avg(temp), min(n), max(state), sum(n), count(*), count(DISTINCT "
        "state) "
        "FROM machine_metrics WHERE time BETWEEN ago(7d) AND now() GROUP BY machine, bin(time, 5m) ORDER BY "
        "t DESC",
        "SELECT max_by(temp, time), min_by(temp, time), max_by(state, time), max_by(n, time) FROM "
        "machine_metrics",
        "SELECT stddev(temp), stddev(n) FROM machine_metrics",
        "SELECT date_trunc('day', time), count(*) FROM machine_metrics GROUP BY 1",
        "SELECT date_add('day', 1, time), date_diff('hour', time, now()) FROM machine_metrics",
        "SELECT EXTRACT(YEAR FROM time), EXTRACT(QUARTER FROM time), EXTRACT(MONTH FROM time), EXTRACT(WEEK "
        "FROM time), "
        "EXTRACT(DAY FROM time), EXTRACT(DAY_OF_MONTH FROM time), EXTRACT(DAY_OF_WEEK FROM time), "
        "EXTRACT(DOW FROM time), "
        "EXTRACT(DAY_OF_YEAR FROM time), EXTRACT(DOY FROM time), EXTRACT(YEAR_OF_WEEK FROM time), "
        "EXTRACT(YOW FROM time), "
        "EXTRACT(HOUR FROM time), EXTRACT(MINUTE FROM time), EXTRACT(SECOND FROM time) FROM machine_metrics",
        "SELECT temp FROM machine_metrics WHERE time BETWEEN from_milliseconds(1700000000000) AND "
        "from_milliseconds(1700000100000)",
        "SELECT temp FROM machine_metrics WHERE time > '2024-01-01' AND time < TIMESTAMP '2024-02-01 "
        "00:00:00' + 1d",
        "SELECT temp FROM machine_metrics WHERE time > date_add('month', -1, now()) AND n IN (1, 2, 3)",
        "SELECT temp FROM machine_metrics WHERE state LIKE 'a!%%' ESCAPE '!' OR machine NOT LIKE 'x_%'",
        "SELECT lower(state), upper(state), length(state), substr(state, 1, 2), replace(state, 'a', 'b'), "
        "trim(state), "
        "strpos(state, 'a'), position('a' IN state), concat(state, machine), state || machine FROM "
        "machine_metrics",
        "SELECT abs(temp), abs(n), ceil(temp), floor(temp), round(temp), round(temp, 2), sqrt(temp), "
        "power(temp, 2), "
        "ln(temp), log10(temp), mod(n, 3), sign(temp), greatest(temp, pressure), least(n, 3) FROM "
        "machine_metrics",
        "SELECT temp * 2 + n / 3 - pressure % 2, -temp, -n, n % 3, 1.5 * n FROM machine_metrics",
        "SELECT from_unixtime(0), to_milliseconds(time), to_nanoseconds(now()), "
        "from_iso8601_timestamp('2024-01-01T00:00:00Z')"
        " FROM machine_metrics",
        "SELECT CASE WHEN temp > 80 THEN 'hot' ELSE 'ok' END, IF(ok, 1, 0), NULLIF(n, 0), COALESCE(temp, 0), "
        "TRY(10 / n), TRY_CAST(state AS double), CAST(n AS varchar) FROM machine_metrics",
        "SELECT time + 1d, time - 2h, 1d + time, time + 1month, INTERVAL '1' DAY + INTERVAL '2' HOUR, "
        "current_date + 1d, "
        "2 * 5m FROM machine_metrics",
        "SELECT 1 + 1, 'a' || 'b', true AND NULL, 1 IN (1, NULL), CASE WHEN 1 = 1 THEN 'x' END, TIME "
        "'10:00:00', "
        "DATE '2024-01-01', now(), current_timezone(), CAST('5' AS bigint), DOUBLE '1.5', date('2024-01-01')",
        "SELECT temp IS DISTINCT FROM pressure FROM machine_metrics WHERE NOT (n BETWEEN 1 AND 3)",
        "SHOW TABLES LIKE 'm%'",
    };
    struct support s;
    support_open(&s);
    s.resolver.fold = fold;
    for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
        struct tsfs_arena arena;
        struct tsfs_error err = {0};
        struct tsfs_plan *plan;
        tsfs_arena_init(&arena, NULL);
        int rc =
            tsfs_plan_query(tsfs_str_from(statements[i]), &s.resolver, tsfs_functions(), &arena, &plan, &err);
        if (rc != 0)
            fail_msg("%s\nline %u, column %u: %s", statements[i], err.line, err.column, err.message);
        const char *wrong = support_check_plan(plan);
        if (wrong != NULL)
            fail_msg("%s\n%s", statements[i], wrong);
        tsfs_arena_free(&arena);
    }
    support_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_casts),
        cmocka_unit_test(test_coercions_are_casts),
        cmocka_unit_test(test_names_adjoin),
        cmocka_unit_test(test_statements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
