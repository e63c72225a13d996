/* Nested types and values.  Catches two numbers for one type, names that do not read back, orders and
 * equalities that disagree with each other or with their hashes, copies that share memory. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/limits.h"
#include "col/nested.h"
#include "col/text.h"

static struct tsfs_arena arena;

static void test_types(void **state)
{
    enum tsfs_type array = tsfs_type_array(TSFS_BIGINT);
    assert_int_equal(array, tsfs_type_array(TSFS_BIGINT));
    assert_int_not_equal(array, tsfs_type_array(TSFS_INTEGER));
    assert_int_not_equal(array, tsfs_type_timeseries(TSFS_BIGINT));
    assert_string_equal(tsfs_type_name(array), "array(bigint)");
    assert_int_equal(tsfs_type_kind(array), TSFS_KIND_ARRAY);
    assert_int_equal(tsfs_type_element(array), TSFS_BIGINT);
    assert_int_equal(tsfs_type_width(array), sizeof(void *));

    enum tsfs_type fields[] = {TSFS_BIGINT, array, TSFS_INTERVAL_DS};
    struct tsfs_str names[] = {TSFS_STR("a"), {0}, TSFS_STR("odd \" name")};
    enum tsfs_type row = tsfs_type_row(fields, names, 3);
    assert_string_equal(tsfs_type_name(row),
                        "row(a bigint, array(bigint), \"odd \"\" name\" interval day to second)");
    assert_int_equal(row, tsfs_type_row(fields, names, 3));
    assert_int_not_equal(row, tsfs_type_row(fields, NULL, 3));
    assert_int_equal(tsfs_type_nfields(row), 3);
    assert_int_equal(tsfs_type_field(row, 1), array);
    assert_true(tsfs_str_eq(tsfs_type_field_name(row, 2), names[2]));
    assert_null(tsfs_type_field_name(row, 1).ptr);
    /* A name that looks like a type's text is quoted: no two types have one name. */
    struct tsfs_str tricky[] = {TSFS_STR("a bigint, b")};
    enum tsfs_type big[] = {TSFS_BIGINT, TSFS_BIGINT};
    struct tsfs_str ab[] = {TSFS_STR("a"), TSFS_STR("b")};
    assert_int_not_equal(tsfs_type_row(big, tricky, 1), tsfs_type_row(big, ab, 2));

    assert_false(tsfs_type_generic(row));
    assert_true(tsfs_type_holds_unknown(tsfs_type_array(TSFS_UNKNOWN)));
    assert_false(tsfs_type_holds_unknown(row));
}

static void test_names_read_back(void **state)
{
    static const char *const types[] = {"bigint",
                                        "array(array(interval year to month))",
                                        "timeseries(double)",
                                        "row(bigint, array(varchar))",
                                        "lambda(S, point(T) -> array(S))",
                                        "array(unknown)"};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        enum tsfs_type type;
        assert_true(tsfs_type_parse(tsfs_str_from(types[i]), &type));
        assert_string_equal(tsfs_type_name(type), types[i]);
    }
    static const char *const wrong[] = {"",         "array",     "array(",         "array(bigint", "array()",
                                        "array(x)", "lambda(T)", "array(bigint))", "row()"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        enum tsfs_type type;
        assert_false(tsfs_type_parse(tsfs_str_from(wrong[i]), &type));
    }
    enum tsfs_type generic;
    assert_true(tsfs_type_parse(TSFS_STR("array(T)"), &generic));
    assert_true(tsfs_type_generic(generic));
}

static void test_depth_is_limited(void **state)
{
    enum tsfs_type type = TSFS_BIGINT;
    for (unsigned i = 0; i < TSFS_TYPE_DEPTH_MAX; i++) {
        type = tsfs_type_array(type);
        assert_int_not_equal(type, TSFS_UNKNOWN);
    }
    assert_int_equal(tsfs_type_array(type), TSFS_UNKNOWN);
    static char longest[TSFS_TYPE_NAME_MAX];
    memset(longest, 'x', sizeof(longest));
    struct tsfs_str name = {longest, sizeof(longest)};
    enum tsfs_type big = TSFS_BIGINT;
    assert_int_equal(tsfs_type_row(&big, &name, 1), TSFS_UNKNOWN);
}

static struct tsfs_value array_of(const struct tsfs_value *values, uint32_t n, enum tsfs_type element)
{
    struct tsfs_array *a = TSFS_NEW(&arena, struct tsfs_array);
    struct tsfs_vec_room room;
    assert_non_null(a);
    assert_int_equal(tsfs_vec_room(&arena, element, n, &room), 0);
    for (uint32_t i = 0; i < n; i++)
        tsfs_vec_put_value(&room, element, i, &values[i]);
    *a = (struct tsfs_array){n, tsfs_vec_of_room(element, &room, n)};
    return (struct tsfs_value){.type = tsfs_type_array(element), .array = a};
}

/* Doubles; 1000 stands for NULL. */
static struct tsfs_value doubles(uint32_t n, ...)
{
    struct tsfs_value v[8];
    va_list ap;
    va_start(ap, n);
    for (uint32_t i = 0; i < n; i++) {
        double d = va_arg(ap, double);
        v[i] = (struct tsfs_value){.type = TSFS_DOUBLE, .null = d == 1000, .d = d};
    }
    va_end(ap);
    return array_of(v, n, TSFS_DOUBLE);
}

static void test_orders(void **state)
{
    struct tsfs_value v[] = {
        doubles(0),           doubles(1, -1.0),     doubles(2, -1.0, 5.0),   doubles(1, 0.0),
        doubles(2, 0.0, 1.0), doubles(2, 0.0, NAN), doubles(2, 0.0, 1000.0), doubles(1, INFINITY),
        doubles(1, NAN),      doubles(1, 1000.0)};
    size_t n = sizeof(v) / sizeof(v[0]);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++) {
            int c = tsfs_value_order(&v[i], &v[k]);
            assert_int_equal((c > 0) - (c < 0), (i > k) - (i < k));
            if (i == k) {
                struct tsfs_value copy;
                assert_int_equal(tsfs_value_copy(&arena, &v[i], &copy), 0);
                assert_ptr_not_equal(copy.p, v[i].p);
                assert_int_equal(tsfs_value_order(&v[i], &copy), 0);
                assert_int_equal(tsfs_value_hash(&v[i]), tsfs_value_hash(&copy));
            }
        }
    struct tsfs_value zero = doubles(1, 0.0), minus = doubles(1, -0.0);
    assert_true(tsfs_value_same(&zero, &minus));
    assert_int_equal(tsfs_value_hash(&zero), tsfs_value_hash(&minus));
}

static void test_sql_equality(void **state)
{
    struct tsfs_value a = doubles(2, 1.0, 2.0), b = doubles(2, 1.0, 1000.0), c = doubles(2, 3.0, 1000.0),
                      d = doubles(1, 1.0), nan = doubles(1, NAN);
    assert_int_equal(tsfs_value_equal(&a, &a), 1);
    assert_int_equal(tsfs_value_equal(&a, &b), -1);
    assert_int_equal(tsfs_value_equal(&b, &b), -1);
    assert_int_equal(tsfs_value_equal(&a, &c), 0);
    assert_int_equal(tsfs_value_equal(&a, &d), 0);
    assert_int_equal(tsfs_value_equal(&nan, &nan), 0);
    assert_int_equal(tsfs_value_less(&a, &c), 1);
    assert_int_equal(tsfs_value_less(&c, &a), 0);
    assert_int_equal(tsfs_value_less(&a, &b), -1);
    assert_int_equal(tsfs_value_less(&d, &a), 1);
    assert_int_equal(tsfs_value_less(&a, &d), 0);
    assert_int_equal(tsfs_value_less(&a, &a), 0);
}

static const char *text(const struct tsfs_value *v)
{
    static char out[512];
    struct tsfs_buf buf = {0};
    assert_int_equal(tsfs_value_append(v, SIZE_MAX, &buf), 0);
    snprintf(out, sizeof(out), "%.*s", (int)buf.len, tsfs_buf_str(&buf).ptr);
    tsfs_buf_free(&buf);
    return out;
}

static void test_text(void **state)
{
    struct tsfs_value a = doubles(3, 1.0, 1000.0, 2.5), e = doubles(0);
    assert_string_equal(text(&a), "[1.0,NULL,2.5]");
    assert_string_equal(text(&e), "[]");
    struct tsfs_value fields[] = {
        {.type = TSFS_VARCHAR, .s = TSFS_STR("x")}, a, {.type = TSFS_BIGINT, .null = true}};
    enum tsfs_type types[] = {TSFS_VARCHAR, a.type, TSFS_BIGINT};
    struct tsfs_row r = {3, fields};
    struct tsfs_value row = {.type = tsfs_type_row(types, NULL, 3), .row = &r};
    assert_string_equal(text(&row), "(x,[1.0,NULL,2.5],NULL)");
    int64_t times[] = {0, 1};
    struct tsfs_timeseries s = {2, times, e.array->elems};
    s.values = doubles(2, 1.0, 1000.0).array->elems;
    struct tsfs_value series = {.type = tsfs_type_timeseries(TSFS_DOUBLE), .series = &s};
    assert_string_equal(text(&series), "[{time: 1970-01-01 00:00:00.000000000, value: 1.0},"
                                       "{time: 1970-01-01 00:00:00.000000001, value: NULL}]");
    struct tsfs_value copy;
    assert_int_equal(tsfs_value_copy(&arena, &series, &copy), 0);
    assert_true(tsfs_value_same(&series, &copy));
}

static int setup(void **state)
{
    tsfs_arena_init(&arena, NULL);
    return 0;
}

static int teardown(void **state)
{
    tsfs_arena_free(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_names_read_back),
        cmocka_unit_test(test_depth_is_limited),
        cmocka_unit_test_setup_teardown(test_orders, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sql_equality, setup, teardown),
        cmocka_unit_test_setup_teardown(test_text, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
