/* The file `schema`: what is stored is read again, in its short form and in the long one of older files; a
 * torn line is left out, and what is no column is an error with its line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "catalog/schema_file.h"

static const struct tsfs_column some[] = {
    {.name = {"host", 4}, .role = TSFS_ROLE_DIMENSION, .type = TSFS_VARCHAR},
    {.name = {"a b", 3}, .role = TSFS_ROLE_DIMENSION, .type = TSFS_VARCHAR},
    {.name = {"load", 4}, .role = TSFS_ROLE_MEASURE, .type = TSFS_DOUBLE},
    {.name = {"free", 4}, .role = TSFS_ROLE_MEASURE, .type = TSFS_DOUBLE},
    {.name = {"ok", 2}, .role = TSFS_ROLE_MEASURE, .type = TSFS_BOOLEAN},
    {.name = {"note", 4}, .role = TSFS_ROLE_MEASURE, .type = TSFS_VARCHAR},
    {.name = {"rack", 4}, .role = TSFS_ROLE_DIMENSION, .type = TSFS_VARCHAR},
    {.name = {"n", 1}, .role = TSFS_ROLE_MEASURE, .type = TSFS_BIGINT},
};
enum { SOME = sizeof(some) / sizeof(some[0]) };

static void expect_text(const struct tsfs_buf *buf, const char *text)
{
    assert_true(tsfs_str_eq(tsfs_buf_str(buf), tsfs_str_from(text)));
}

static void expect_same(const struct tsfs_schema *a, const struct tsfs_schema *b)
{
    assert_int_equal(a->ncols, b->ncols);
    for (uint16_t i = 0; i < a->ncols; i++) {
        assert_true(tsfs_str_eq(a->cols[i].name, b->cols[i].name));
        assert_int_equal(a->cols[i].role, b->cols[i].role);
        assert_int_equal(a->cols[i].type, b->cols[i].type);
        assert_int_equal(a->cols[i].slot, b->cols[i].slot);
    }
}

/* Appended to in two steps, cut wherever it may be, short or long. */
static void comes_back(void **state)
{
    (void)state;
    struct tsfs_schema *base, *half, *all, *read;
    struct tsfs_buf text = {0}, lines = {0};
    struct tsfs_error err;
    size_t good;
    assert_int_equal(tsfs_schema_create(&base), 0);
    assert_int_equal(tsfs_schema_extend(base, some, 3, &half, &err), 0);
    assert_int_equal(tsfs_schema_extend(half, some + 3, SOME - 3, &all, &err), 0);
    assert_int_equal(tsfs_schema_store(half, 0, &text), 0);
    expect_text(&text, "time\tt\nmeasure_name\tm\nhost\td\na b\nload\tf\n");
    size_t first = text.len;
    assert_int_equal(tsfs_schema_store(all, half->ncols, &text), 0);
    assert_memory_equal(text.data + first, "free\nok\tb\nnote\ts\nrack\td\nn\ti\n", text.len - first);
    assert_int_equal(tsfs_schema_parse(tsfs_buf_str(&text), &good, &read, &err), 0);
    assert_int_equal(good, text.len);
    expect_same(read, all);
    tsfs_schema_unref(read);
    for (size_t cut = first; cut < text.len; cut++) {
        assert_int_equal(tsfs_schema_parse((struct tsfs_str){text.data, cut}, &good, &read, &err), 0);
        assert_true(good <= cut && text.data[good - 1] == '\n');
        assert_int_equal(read->ncols, 2 + 3 + (good > first) + (good > first + 5) + (good > first + 10) +
                                          (good > first + 17) + (good > first + 24));
        tsfs_schema_unref(read);
    }
    assert_int_equal(tsfs_schema_render(all, &lines), 0);
    assert_true(tsfs_str_eq((struct tsfs_str){lines.data, 20}, TSFS_STR("time\ttime\ttimestamp\n")));
    assert_int_equal(tsfs_schema_parse(tsfs_buf_str(&lines), &good, &read, &err), 0);
    expect_same(read, all);
    tsfs_schema_unref(read);
    tsfs_schema_unref(all);
    tsfs_schema_unref(half);
    tsfs_schema_unref(base);
    tsfs_buf_free(&lines);
    tsfs_buf_free(&text);
}

static void refuses(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "time\tt\n",
        "time\n",
        "time\tt\nmeasure_name\n",
        "time\tt\nmeasure_name\tm\nother\n",
        "time\tt\nmeasure_name\tm\nx\tz\n",
        "time\tt\nmeasure_name\tm\nx\t\n",
        "time\tt\nmeasure_name\tm\nx\tdd\n",
        "time\tt\nmeasure_name\tm\n\td\n",
        "time\tt\nmeasure_name\tm\nx\td\n\n",
        "time\tt\nmeasure_name\tm\nx\td\nx\n",
    };
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct tsfs_schema *read;
        struct tsfs_error err;
        size_t good;
        assert_true(tsfs_schema_parse(tsfs_str_from(wrong[i]), &good, &read, &err) < 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back),
        cmocka_unit_test(refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
