/* Statement to plan, as EXPLAIN shows it: binder, rules and EXPLAIN together.  Each entry would catch a
 * change in what is scanned, in the order of operators, or in what is evaluated where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "col/text.h"
#include "sql_support.h"

struct expectation {
    const char *sql, *plan;
};

static const struct expectation expectations[] = {
#include "plan_expectations.inc"
};

/* What SHOW, DESCRIBE and EXPLAIN answer. */
static void append_rows(const struct tsfs_plan *plan, struct tsfs_buf *out)
{
    for (uint64_t r = 0; r < plan->values.nrows; r++) {
        for (uint32_t c = 0; c < plan->ncols; c++) {
            assert_int_equal(tsfs_buf_append(out, c > 0 ? " | " : "", c > 0 ? 3 : 0), 0);
            assert_int_equal(tsfs_value_append(&plan->values.rows[r * plan->ncols + c], SIZE_MAX, out), 0);
        }
        assert_int_equal(tsfs_buf_append(out, "\n", 1), 0);
    }
}

static void test_plans(void **state)
{
    struct support s;
    bool print = getenv("PRINT_PLANS") != NULL;
    unsigned failed = 0;
    support_open(&s);
    for (size_t i = 0; i < sizeof(expectations) / sizeof(expectations[0]); i++) {
        struct tsfs_arena arena;
        struct tsfs_error err = {0};
        struct tsfs_plan *plan;
        struct tsfs_buf out = {0};
        tsfs_arena_init(&arena, NULL);
        int rc = tsfs_plan_query(tsfs_str_from(expectations[i].sql), &s.resolver, &support_set, &arena, &plan,
                                 &err);
        if (rc == 0) {
            assert_int_equal(tsfs_plan_explain(plan, &out), 0);
            const char *wrong = support_check_plan(plan);
            if (wrong != NULL)
                fail_msg("%s: %s", expectations[i].sql, wrong);
            if (plan->kind == TSFS_PLAN_VALUES)
                append_rows(plan, &out);
        } else {
            assert_int_equal(
                tsfs_buf_printf(&out, "error %d at %u:%u: %s\n", rc, err.line, err.column, err.message), 0);
        }
        struct tsfs_str got = tsfs_buf_str(&out);
        if (print) {
            printf("    {\"");
            for (const char *c = expectations[i].sql; *c != '\0'; c++)
                printf(*c == '"' ? "\\\"" : "%c", *c);
            printf("\",\n");
            for (size_t from = 0; from < got.len;) {
                const char *end = memchr(got.ptr + from, '\n', got.len - from);
                int len = (int)(end - (got.ptr + from));
                printf("     \"");
                for (int k = 0; k < len; k++)
                    printf(got.ptr[from + k] == '"' ? "\\\"" : "%c", got.ptr[from + k]);
                from += (size_t)len + 1;
                printf("\\n\"%s\n", from < got.len ? "" : "},");
            }
        } else if (!tsfs_str_eq(got, tsfs_str_from(expectations[i].plan))) {
            print_error("%s\n--- expected\n%s--- found\n%.*s\n", expectations[i].sql, expectations[i].plan,
                        (int)got.len, got.ptr);
            failed++;
        }
        tsfs_buf_free(&out);
        tsfs_arena_free(&arena);
    }
    support_close(&s);
    assert_int_equal(failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_plans)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
