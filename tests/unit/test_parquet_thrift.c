/* Thrift's compact protocol: the bytes of known structs, the way back, and what must not be believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "parquet/thrift.h"

static void put_sample(struct thrift_writer *w, struct tsfs_buf *out)
{
    thrift_writer_init(w, out);
    thrift_begin_element(w);
    thrift_put_i32(w, 1, -3);
    thrift_put_bool(w, 2, true);
    thrift_put_binary(w, 3, TSFS_STR("ab"));
    thrift_put_list(w, 20, THRIFT_I64, 2);
    thrift_add_int(w, 64);
    thrift_add_int(w, INT64_MIN);
    thrift_begin_struct(w, 21);
    thrift_put_byte(w, 1, -1);
    thrift_put_i16(w, 2, 300);
    thrift_end_struct(w);
    thrift_put_list(w, 22, THRIFT_TRUE, 2);
    thrift_add_bool(w, true);
    thrift_add_bool(w, false);
    thrift_end_struct(w);
    assert_int_equal(w->error, 0);
}

/* Catches: wrong type numbers, field distances over 15 without the long form, booleans with a value byte. */
static void test_known_bytes(void **unused)
{
    static const uint8_t want[] = {0x15, 0x05,                   /* 1: i32 -3 */
                                   0x11,                         /* 2: true */
                                   0x18, 0x02, 'a',  'b',        /* 3: "ab" */
                                   0x09, 0x28, 0x26, 0x80, 0x01, /* 20: list of two i64: 64, */
                                   0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, /* smallest */
                                   0x1c, 0x13, 0xff, 0x14, 0xd8, 0x04, 0x00, /* 21: {byte -1, i16 300} */
                                   0x19, 0x21, 0x01, 0x02,                   /* 22: [true, false] */
                                   0x00};
    struct thrift_writer w;
    struct tsfs_buf out = {0};
    put_sample(&w, &out);
    assert_int_equal(out.len, sizeof(want));
    assert_memory_equal(out.data, want, sizeof(want));
    tsfs_buf_free(&out);
}

static void test_read_back(void **unused)
{
    struct thrift_writer w;
    struct tsfs_buf out = {0};
    struct thrift_reader r;
    struct thrift_fields f = {0}, g = {0};
    enum thrift_type element;
    put_sample(&w, &out);
    thrift_reader_init(&r, out.data, out.len);
    thrift_enter(&r);
    assert_true(thrift_field(&r, &f));
    assert_int_equal(thrift_get_i32(&r, &f), -3);
    assert_true(thrift_field(&r, &f));
    assert_true(thrift_get_bool(&r, &f));
    assert_true(thrift_field(&r, &f));
    assert_true(tsfs_str_eq(thrift_get_binary(&r, &f), TSFS_STR("ab")));
    assert_true(thrift_field(&r, &f));
    assert_int_equal(f.id, 20);
    assert_int_equal(thrift_get_list(&r, &f, &element), 2);
    assert_int_equal(thrift_element_int(&r), 64);
    assert_int_equal(thrift_element_int(&r), INT64_MIN);
    assert_true(thrift_field(&r, &f));
    thrift_enter(&r);
    assert_true(thrift_field(&r, &g));
    assert_int_equal(thrift_get_int(&r, &g), -1);
    assert_true(thrift_field(&r, &g));
    assert_int_equal(thrift_get_int(&r, &g), 300);
    assert_false(thrift_field(&r, &g));
    thrift_leave(&r);
    assert_true(thrift_field(&r, &f));
    assert_int_equal(thrift_get_list(&r, &f, &element), 2);
    assert_true(thrift_element_bool(&r));
    assert_false(thrift_element_bool(&r));
    assert_false(thrift_field(&r, &f));
    assert_false(r.bad);
    assert_ptr_equal(r.p, r.end);

    /* Skipping all of it ends at the same place. */
    thrift_reader_init(&r, out.data, out.len);
    thrift_skip(&r, THRIFT_STRUCT);
    assert_false(r.bad);
    assert_ptr_equal(r.p, r.end);
    /* Every cut is noticed. */
    for (size_t n = 0; n < out.len; n++) {
        thrift_reader_init(&r, out.data, n);
        thrift_skip(&r, THRIFT_STRUCT);
        assert_true(r.bad);
    }
    tsfs_buf_free(&out);
}

static bool skips(const void *data, size_t n)
{
    struct thrift_reader r;
    thrift_reader_init(&r, data, n);
    thrift_skip(&r, THRIFT_STRUCT);
    return !r.bad;
}

/* Catches: recursion that the input drives, counts that are believed, over-long varints. */
static void test_hostile(void **unused)
{
    char deep[4096];
    memset(deep, 0x1c, sizeof(deep));
    assert_false(skips(deep, sizeof(deep)));
    memset(deep, 0x19, sizeof(deep)); /* lists of lists */
    assert_false(skips(deep, sizeof(deep)));
    static const uint8_t list[] = {0x19, 0xf6, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x00};
    assert_false(skips(list, sizeof(list)));
    static const uint8_t map[] = {0x1b, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x11, 0x00};
    assert_false(skips(map, sizeof(map)));
    static const uint8_t binary[] = {0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x00};
    assert_false(skips(binary, sizeof(binary)));
    static const uint8_t varint[] = {0x16, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0x00};
    assert_false(skips(varint, sizeof(varint)));

    struct thrift_reader r;
    struct thrift_fields f = {0};
    static const uint8_t wide[] = {0x16, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x00};
    thrift_reader_init(&r, wide, sizeof(wide));
    assert_true(thrift_field(&r, &f));
    assert_int_equal(thrift_get_i32(&r, &f), 0); /* too wide for an i32 */
    assert_true(r.bad);
    thrift_reader_init(&r, "\x15\x02", 2);
    f = (struct thrift_fields){0};
    assert_true(thrift_field(&r, &f));
    thrift_get_binary(&r, &f); /* a number where bytes are wanted */
    assert_true(r.bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_bytes),
        cmocka_unit_test(test_read_back),
        cmocka_unit_test(test_hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
