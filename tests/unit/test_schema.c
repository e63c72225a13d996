/* Schemas: ordinals and slots never change, names are unique across roles, versions are independent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "base/limits.h"
#include "col/schema.h"

static struct tsfs_column column(const char *name, enum tsfs_role role, enum tsfs_type type)
{
    return (struct tsfs_column){.name = tsfs_str_from(name), .role = role, .type = type};
}

static void fixed_columns(void **state)
{
    struct tsfs_schema *s;
    assert_int_equal(tsfs_schema_create(&s), 0);
    assert_int_equal(s->ncols, 2);
    assert_int_equal(tsfs_schema_find(s, TSFS_STR("time")), TSFS_ORDINAL_TIME);
    assert_int_equal(tsfs_schema_find(s, TSFS_STR("measure_name")), TSFS_ORDINAL_MEASURE_NAME);
    assert_int_equal(tsfs_schema_find(s, TSFS_STR("Time")), TSFS_ORDINAL_NONE);
    assert_int_equal(s->cols[0].type, TSFS_TIMESTAMP);
    tsfs_schema_unref(tsfs_schema_ref(s));
    tsfs_schema_unref(s);
    tsfs_schema_unref(NULL);
}

static void extends(void **state)
{
    struct tsfs_schema *a, *b, *c;
    assert_int_equal(tsfs_schema_create(&a), 0);
    char name[] = "host";
    struct tsfs_column first[] = {column("temp", TSFS_ROLE_MEASURE, TSFS_DOUBLE),
                                  column(name, TSFS_ROLE_DIMENSION, TSFS_VARCHAR)};
    assert_int_equal(tsfs_schema_extend(a, first, 2, &b, NULL), 0);
    name[0] = 'X'; /* the schema has its own copy */
    struct tsfs_column second[] = {column("ok", TSFS_ROLE_MEASURE, TSFS_BOOLEAN),
                                   column("rack", TSFS_ROLE_DIMENSION, TSFS_VARCHAR)};
    assert_int_equal(tsfs_schema_extend(b, second, 2, &c, NULL), 0);
    tsfs_schema_unref(a);
    assert_int_equal(b->ncols, 4);
    assert_int_equal(tsfs_schema_find(b, TSFS_STR("rack")), TSFS_ORDINAL_NONE);
    tsfs_schema_unref(b);
    assert_int_equal(c->ncols, 6);
    assert_int_equal(c->ndims, 2);
    assert_int_equal(c->nmeasures, 2);
    static const char *const order[] = {"time", "measure_name", "temp", "host", "ok", "rack"};
    for (uint16_t i = 0; i < 6; i++) {
        assert_string_equal(c->cols[i].name.ptr, order[i]);
        assert_int_equal(tsfs_schema_find(c, tsfs_str_from(order[i])), i);
    }
    assert_int_equal(c->dims[0], 3);
    assert_int_equal(c->dims[1], 5);
    assert_int_equal(c->measures[1], 4);
    assert_int_equal(c->cols[5].slot, 1);
    tsfs_schema_unref(c);
}

static void refuses(void **state)
{
    struct tsfs_schema *s, *out = NULL;
    assert_int_equal(tsfs_schema_create(&s), 0);
    struct tsfs_column twice[] = {column("x", TSFS_ROLE_MEASURE, TSFS_DOUBLE),
                                  column("x", TSFS_ROLE_DIMENSION, TSFS_VARCHAR)};
    struct tsfs_error err = {0};
    assert_int_equal(tsfs_schema_extend(s, twice, 2, &out, &err), -EEXIST);
    assert_string_equal(err.message, "column \"x\" is already there as a measure");
    struct tsfs_column taken = column("time", TSFS_ROLE_MEASURE, TSFS_DOUBLE);
    assert_int_equal(tsfs_schema_extend(s, &taken, 1, &out, NULL), -EEXIST);
    struct tsfs_column typed = column("d", TSFS_ROLE_DIMENSION, TSFS_BIGINT);
    assert_int_equal(tsfs_schema_extend(s, &typed, 1, &out, NULL), -EINVAL);
    /* nothing that the schema file could not give back */
    char longest[TSFS_COLUMN_NAME_MAX + 2] = "";
    memset(longest, 'n', TSFS_COLUMN_NAME_MAX + 1);
    struct tsfs_column bad[] = {
        column(longest, TSFS_ROLE_MEASURE, TSFS_DOUBLE), column("", TSFS_ROLE_MEASURE, TSFS_DOUBLE),
        column("a\tb", TSFS_ROLE_MEASURE, TSFS_DOUBLE), column("a\nb", TSFS_ROLE_DIMENSION, TSFS_VARCHAR)};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(tsfs_schema_extend(s, &bad[i], 1, &out, NULL), -EINVAL);
    bad[0].name.len--;
    assert_int_equal(tsfs_schema_extend(s, &bad[0], 1, &out, NULL), 0);
    tsfs_schema_unref(out);
    out = NULL;
    static struct tsfs_column many[TSFS_COLUMNS_MAX];
    static char names[TSFS_COLUMNS_MAX][16];
    for (int i = 0; i < TSFS_COLUMNS_MAX; i++) {
        snprintf(names[i], sizeof(names[i]), "c%d", i);
        many[i] = column(names[i], TSFS_ROLE_MEASURE, TSFS_BIGINT);
    }
    assert_int_equal(tsfs_schema_extend(s, many, TSFS_COLUMNS_MAX - 1, &out, NULL), -E2BIG);
    assert_null(out);
    assert_int_equal(tsfs_schema_extend(s, many, TSFS_COLUMNS_MAX - 2, &out, NULL), 0);
    assert_int_equal(tsfs_schema_find(out, TSFS_STR("c4000")), 4002);
    tsfs_schema_unref(out);
    for (int i = 0; i < TSFS_DIMENSIONS_MAX + 1; i++)
        many[i] = column(names[i], TSFS_ROLE_DIMENSION, TSFS_VARCHAR);
    assert_int_equal(tsfs_schema_extend(s, many, TSFS_DIMENSIONS_MAX + 1, &out, NULL), -E2BIG);
    assert_int_equal(tsfs_schema_extend(s, many, TSFS_DIMENSIONS_MAX, &out, NULL), 0);
    tsfs_schema_unref(out);
    tsfs_schema_unref(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixed_columns),
        cmocka_unit_test(extends),
        cmocka_unit_test(refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
