/* Arrays, rows, timeseries, lambdas and UNNEST from the text of a statement to its rows: known answers.  Each
 * expression is computed twice: folded while it is bound, and when the query runs.  Catches wrong answers,
 * answers that differ between constants and columns, NULLs that are lost, and errors that name nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "sql_cases.h"

#include "dashboard_cases.inc"
#include "edge_cases.inc"
#include "function_cases.inc"
#include "grammar_cases.inc"
#include "nested_cases.h"

static void test_arrays(void **state)
{
    check_expressions(CASES(array_cases));
}

static void test_grammar(void **state)
{
    check_all(CASES(grammar_cases));
    check_all(CASES(function_cases));
}

static void test_edges(void **state)
{
    check_all(CASES(edge_cases));
}

static void test_dashboards(void **state)
{
    check_all(CASES(dashboard_cases));
}

static void test_lambdas(void **state)
{
    check_expressions(CASES(lambda_cases));
}

static void test_rows(void **state)
{
    check_expressions(CASES(row_cases));
}

static void test_unnest(void **state)
{
    check_all(CASES(unnest_cases));
}

static void test_series(void **state)
{
    check_all(CASES(series_cases));
}

static void test_aggregates(void **state)
{
    check_all(CASES(aggregate_cases));
}

static bool mentioned(const char *name, const struct sql_case *cases, size_t n)
{
    char call[64];
    snprintf(call, sizeof(call), "%s(", name);
    bool word = name[0] >= 'a' && name[0] <= 'z';
    for (size_t i = 0; i < n; i++)
        if (strcasestr(cases[i].sql, word ? call : name) != NULL)
            return true;
    return strcmp(name, "array") == 0 || strcmp(name, "[]") == 0 || strcmp(name, "is_distinct_from") == 0;
}

/* Every entry with a signature has a known answer somewhere here. */
static void test_all_covered(void **state)
{
    const struct tsfs_function_set *set = tsfs_functions();
    for (uint32_t i = 0; i < set->n; i++) {
        const char *name = set->items[i].name;
        if (set->items[i].sig != NULL && !mentioned(name, CASES(array_cases)) &&
            !mentioned(name, CASES(lambda_cases)) && !mentioned(name, CASES(row_cases)) &&
            !mentioned(name, CASES(series_cases)) && !mentioned(name, CASES(aggregate_cases)) &&
            !mentioned(name, CASES(text_cases)) && !mentioned(name, CASES(function_cases)) &&
            !mentioned(name, CASES(unnest_cases)))
            fail_msg("%s has no test", name);
    }
}

static void test_text(void **state)
{
    check_expressions(CASES(text_cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arrays), cmocka_unit_test(test_lambdas),     cmocka_unit_test(test_rows),
        cmocka_unit_test(test_unnest), cmocka_unit_test(test_series),      cmocka_unit_test(test_aggregates),
        cmocka_unit_test(test_text),   cmocka_unit_test(test_all_covered), cmocka_unit_test(test_grammar),
        cmocka_unit_test(test_edges),  cmocka_unit_test(test_dashboards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
