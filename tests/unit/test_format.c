/* Exact bytes of the three result formats, and that what CSV says reads back: would catch wrong quoting, a
 * fast writer that differs from the one text form of values, misplaced NULLs and overrun buffers. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/num.h"
#include "base/time.h"
#include "col/nested.h"
#include "col/text.h"
#include "format/format.h"
#include "random.h"

static uint64_t seed = 42;

static uint64_t rnd(void)
{
    return test_random(&seed);
}

/* Formats one batch and compares. */
static void check(enum tsfs_format format, const struct tsfs_str *names, const enum tsfs_type *types,
                  struct tsfs_vec *cols, unsigned ncols, uint32_t nrows, const char *expected)
{
    struct tsfs_formatter *f;
    struct tsfs_buf out = {0};
    assert_int_equal(tsfs_format_create(format, names, types, ncols, &f), 0);
    assert_int_equal(tsfs_format_begin(f, &out), 0);
    struct tsfs_batch batch = {.nrows = nrows, .ncols = ncols, .cols = cols, .nsel = nrows};
    assert_int_equal(tsfs_format_batch(f, &batch, &out), 0);
    assert_int_equal(tsfs_format_end(f, &out), 0);
    assert_int_equal(tsfs_buf_append(&out, "", 1), 0);
    assert_string_equal(out.data, expected);
    tsfs_buf_free(&out);
    tsfs_format_free(f);
}

static const struct tsfs_str strings[] = {{"plain", 5},
                                          {"a,b", 3},
                                          {"say \"hi\"", 8},
                                          {"", 0},
                                          {"two\nlines\x01", 10},
                                          {"Gr\xc3\xbc\xc3\x9f"
                                           "e",
                                           7}};
static const double doubles[] = {21.5, -0.0, NAN, INFINITY, 1e300, 1e-7};
static const int64_t bigs[] = {0, -1, INT64_MIN, INT64_MAX, 10, 99};
static const int64_t times[] = {0, -1, INT64_MIN, INT64_MAX, INT64_C(1700000000123456789), 86400000000000};
static const uint8_t bools[] = {1, 0, 1, 1, 0, 0};
static const uint64_t but_third[] = {0x3b};
static const uint64_t none[] = {0};

static void test_csv(void **state)
{
    (void)state;
    const struct tsfs_str names[] = {TSFS_STR("s"), TSFS_STR("d, e"), TSFS_STR("i"), TSFS_STR("time"),
                                     TSFS_STR("b")};
    const enum tsfs_type types[] = {TSFS_VARCHAR, TSFS_DOUBLE, TSFS_BIGINT, TSFS_TIMESTAMP, TSFS_BOOLEAN};
    struct tsfs_vec cols[] = {{.type = TSFS_VARCHAR, .s = strings},
                              {.type = TSFS_DOUBLE, .d = doubles},
                              {.type = TSFS_BIGINT, .i = bigs},
                              {.type = TSFS_TIMESTAMP, .i = times, .valid = but_third},
                              {.type = TSFS_BOOLEAN, .b = bools}};
    check(TSFS_FORMAT_CSV, names, types, cols, 5, 6,
          "s,\"d, e\",i,time,b\n"
          "plain,21.5,0,1970-01-01 00:00:00.000000000,true\n"
          "\"a,b\",-0.0,-1,1969-12-31 23:59:59.999999999,false\n"
          "\"say \"\"hi\"\"\",NaN,-9223372036854775808,,true\n"
          "\"\",Infinity,9223372036854775807,2262-04-11 23:47:16.854775807,true\n"
          "\"two\nlines\x01\",1e+300,10,2023-11-14 22:13:20.123456789,false\n"
          "Gr\xc3\xbc\xc3\x9f"
          "e,1e-07,99,1970-01-02 00:00:00.000000000,false\n");
}

static void test_csv_constants(void **state)
{
    (void)state;
    const struct tsfs_str names[] = {TSFS_STR("a"), TSFS_STR("b"), TSFS_STR("c"), TSFS_STR("n"),
                                     TSFS_STR("u")};
    const enum tsfs_type types[] = {TSFS_VARCHAR, TSFS_BIGINT, TSFS_VARCHAR, TSFS_DOUBLE, TSFS_UNKNOWN};
    struct tsfs_vec cols[] = {{.type = TSFS_VARCHAR, .s = strings + 1, .constant = true},
                              {.type = TSFS_BIGINT, .i = bigs},
                              {.type = TSFS_VARCHAR, .s = strings + 3, .constant = true},
                              {.type = TSFS_DOUBLE, .d = doubles, .constant = true, .valid = none},
                              {.type = TSFS_UNKNOWN}};
    check(TSFS_FORMAT_CSV, names, types, cols, 5, 2, "a,b,c,n,u\n\"a,b\",0,\"\",,\n\"a,b\",-1,\"\",,\n");
    check(TSFS_FORMAT_JSON, names, types, cols, 5, 2,
          "{\"a\":\"a,b\",\"b\":0,\"c\":\"\",\"n\":null,\"u\":null}\n"
          "{\"a\":\"a,b\",\"b\":-1,\"c\":\"\",\"n\":null,\"u\":null}\n");
}

static void test_json(void **state)
{
    (void)state;
    const struct tsfs_str names[] = {TSFS_STR("s\"1"), TSFS_STR("d"), TSFS_STR("time"), TSFS_STR("b")};
    const enum tsfs_type types[] = {TSFS_VARCHAR, TSFS_DOUBLE, TSFS_TIMESTAMP, TSFS_BOOLEAN};
    struct tsfs_vec cols[] = {{.type = TSFS_VARCHAR, .s = strings},
                              {.type = TSFS_DOUBLE, .d = doubles},
                              {.type = TSFS_TIMESTAMP, .i = times, .valid = but_third},
                              {.type = TSFS_BOOLEAN, .b = bools}};
    check(TSFS_FORMAT_JSON, names, types, cols, 4, 6,
          "{\"s\\\"1\":\"plain\",\"d\":21.5,\"time\":\"1970-01-01 00:00:00.000000000\",\"b\":true}\n"
          "{\"s\\\"1\":\"a,b\",\"d\":-0.0,\"time\":\"1969-12-31 23:59:59.999999999\",\"b\":false}\n"
          "{\"s\\\"1\":\"say \\\"hi\\\"\",\"d\":\"NaN\",\"time\":null,\"b\":true}\n"
          "{\"s\\\"1\":\"\",\"d\":\"Infinity\",\"time\":\"2262-04-11 23:47:16.854775807\",\"b\":true}\n"
          "{\"s\\\"1\":\"two\\nlines\\u0001\",\"d\":1e+300,\"time\":\"2023-11-14 "
          "22:13:20.123456789\",\"b\":false}\n"
          "{\"s\\\"1\":\"Gr\xc3\xbc\xc3\x9f"
          "e\",\"d\":1e-07,\"time\":\"1970-01-02 00:00:00.000000000\",\"b\":false}\n");
}

static void test_table(void **state)
{
    (void)state;
    const struct tsfs_str names[] = {TSFS_STR("name"), TSFS_STR("n"), TSFS_STR("\xc3\xbc"), TSFS_STR("last")};
    const enum tsfs_type types[] = {TSFS_VARCHAR, TSFS_BIGINT, TSFS_DOUBLE, TSFS_VARCHAR};
    struct tsfs_vec cols[] = {{.type = TSFS_VARCHAR, .s = strings},
                              {.type = TSFS_BIGINT, .i = bigs, .valid = but_third},
                              {.type = TSFS_DOUBLE, .d = doubles},
                              {.type = TSFS_VARCHAR, .s = strings}};
    check(TSFS_FORMAT_TEXT, names, types, cols, 4, 6,
          "name                              n         \xc3\xbc  last\n"
          "--------------  -------------------  --------  --------------\n"
          "plain                             0      21.5  plain\n"
          "a,b                              -1      -0.0  a,b\n"
          "say \"hi\"                       NULL       NaN  say \"hi\"\n"
          "                9223372036854775807  Infinity  \n"
          "two\\nlines\\x01                   10    1e+300  two\\nlines\\x01\n"
          "Gr\xc3\xbc\xc3\x9f"
          "e                            99     1e-07  Gr\xc3\xbc\xc3\x9f"
          "e\n");
}

static void test_empty(void **state)
{
    (void)state;
    const struct tsfs_str names[] = {TSFS_STR("a"), TSFS_STR("bc")};
    const enum tsfs_type types[] = {TSFS_VARCHAR, TSFS_BIGINT};
    check(TSFS_FORMAT_CSV, names, types, NULL, 2, 0, "a,bc\n");
    check(TSFS_FORMAT_JSON, names, types, NULL, 2, 0, "");
    check(TSFS_FORMAT_TEXT, names, types, NULL, 2, 0, "a  bc\n-  --\n");
    check(TSFS_FORMAT_CSV, names, types, NULL, 0, 2, "\n\n\n");
    check(TSFS_FORMAT_JSON, names, types, NULL, 0, 2, "{}\n{}\n");
    check(TSFS_FORMAT_TEXT, names, types, NULL, 0, 1, "\n\n\n");
}

/* Rows beyond those held back stream at the widths found so far. */
static void test_table_streams(void **state)
{
    (void)state;
    const struct tsfs_str names[] = {TSFS_STR("n")};
    const enum tsfs_type types[] = {TSFS_BIGINT};
    struct tsfs_formatter *f;
    struct tsfs_buf out = {0};
    int64_t v[1500];
    for (int i = 0; i < 1500; i++)
        v[i] = i < 1000 ? 7 : 123;
    struct tsfs_vec col = {.type = TSFS_BIGINT, .i = v};
    struct tsfs_batch batch = {.nrows = 999, .ncols = 1, .cols = &col, .nsel = 999};
    assert_int_equal(tsfs_format_create(TSFS_FORMAT_TEXT, names, types, 1, &f), 0);
    assert_int_equal(tsfs_format_begin(f, &out), 0);
    assert_int_equal(tsfs_format_batch(f, &batch, &out), 0);
    assert_int_equal(out.len, 0);
    col.i = v + 999;
    batch.nrows = batch.nsel = 501;
    assert_int_equal(tsfs_format_batch(f, &batch, &out), 0);
    assert_int_equal(out.len, 4 + 1000 * 2 + 500 * 4);
    assert_memory_equal(out.data, "n\n-\n7\n7\n", 8);
    assert_memory_equal(out.data + out.len - 8, "123\n123\n", 8);
    size_t len = out.len;
    assert_int_equal(tsfs_format_end(f, &out), 0);
    assert_int_equal(out.len, len);
    tsfs_buf_free(&out);
    tsfs_format_free(f);
}

/* Reads one CSV field at *p; returns whether it was quoted. */
static bool read_field(const char **p, char *text, size_t *len)
{
    *len = 0;
    bool quoted = **p == '"';
    if (!quoted) {
        for (; **p != ',' && **p != '\n'; (*p)++)
            text[(*len)++] = **p;
        return false;
    }
    for ((*p)++;; (*p)++) {
        if (**p == '"' && *++(*p) != '"')
            return true;
        text[(*len)++] = **p;
    }
}

static void test_csv_round_trip(void **state)
{
    (void)state;
    static const enum tsfs_type types[] = {TSFS_VARCHAR, TSFS_BIGINT, TSFS_DOUBLE,      TSFS_TIMESTAMP,
                                           TSFS_DATE,    TSFS_TIME,   TSFS_INTERVAL_DS, TSFS_INTERVAL_YM,
                                           TSFS_BOOLEAN, TSFS_INTEGER};
    enum { COLS = sizeof(types) / sizeof(types[0]), ROWS = 700 };
    static struct tsfs_str s[ROWS];
    static int64_t n[COLS][ROWS];
    static uint8_t b[ROWS];
    static uint64_t valid[COLS][ROWS / 64 + 1];
    struct tsfs_str names[COLS];
    struct tsfs_vec cols[COLS];
    for (int round = 0; round < 20; round++) {
        static char bytes[ROWS * 40];
        for (unsigned r = 0; r < ROWS; r++) {
            char *text = bytes + r * 40;
            size_t len = rnd() % 40;
            for (size_t i = 0; i < len; i++)
                text[i] = "ab,\"\n\r x"[rnd() % 8];
            s[r] = (struct tsfs_str){text, len};
            b[r] = rnd() & 1;
        }
        for (unsigned c = 0; c < COLS; c++) {
            names[c] = TSFS_STR("x");
            for (unsigned r = 0; r < ROWS; r++) {
                int64_t v = (int64_t)(rnd() >> (rnd() % 64));
                if (rnd() & 1)
                    v = -v;
                if (types[c] == TSFS_DATE || types[c] == TSFS_INTEGER)
                    v = (int32_t)v;
                if (types[c] == TSFS_TIME)
                    v = (int64_t)((uint64_t)v % (uint64_t)TSFS_NS_PER_DAY);
                n[c][r] = v;
            }
            for (unsigned w = 0; w <= ROWS / 64; w++)
                valid[c][w] = rnd() | rnd();
            cols[c] = (struct tsfs_vec){.type = types[c], .i = n[c], .valid = round % 3 ? valid[c] : NULL};
            if (types[c] == TSFS_VARCHAR)
                cols[c].s = s;
            if (types[c] == TSFS_BOOLEAN)
                cols[c].b = b;
            cols[c].constant = rnd() % 5 == 0;
        }
        struct tsfs_formatter *f;
        struct tsfs_buf out = {0};
        struct tsfs_batch batch = {.nrows = ROWS, .ncols = COLS, .cols = cols, .nsel = ROWS};
        assert_int_equal(tsfs_format_create(TSFS_FORMAT_CSV, names, types, COLS, &f), 0);
        assert_int_equal(tsfs_format_batch(f, &batch, &out), 0);
        assert_int_equal(tsfs_buf_append(&out, "", 1), 0);
        const char *p = out.data;
        for (unsigned r = 0; r < ROWS; r++) {
            for (unsigned c = 0; c < COLS; c++) {
                char text[256];
                size_t len;
                bool quoted = read_field(&p, text, &len);
                struct tsfs_value v = tsfs_vec_get(&cols[c], r);
                if (v.null) {
                    assert_true(len == 0 && !quoted);
                } else {
                    struct tsfs_buf want = {0};
                    assert_int_equal(tsfs_value_append(&v, SIZE_MAX, &want), 0);
                    assert_int_equal(len, want.len);
                    assert_true(len > 0 || quoted);
                    assert_memory_equal(text, tsfs_buf_str(&want).ptr, len);
                    tsfs_buf_free(&want);
                }
                assert_int_equal(*p++, c + 1 < COLS ? ',' : '\n');
            }
        }
        assert_int_equal(*p, 0);
        tsfs_buf_free(&out);
        tsfs_format_free(f);
    }
}

static void test_value_text(void **state)
{
    (void)state;
    static const struct {
        enum tsfs_type type;
        int64_t v;
        const char *text;
    } cases[] = {
        {TSFS_INTERVAL_DS, 0, "0 00:00:00.000000000"},
        {TSFS_INTERVAL_DS, 93784000000001, "1 02:03:04.000000001"},
        {TSFS_INTERVAL_DS, -93784000000001, "-1 02:03:04.000000001"},
        {TSFS_INTERVAL_DS, INT64_MIN, "-106751 23:47:16.854775808"},
        {TSFS_INTERVAL_YM, 14, "1-2"},
        {TSFS_INTERVAL_YM, -14, "-1-2"},
        {TSFS_INTERVAL_YM, INT64_MIN, "-768614336404564650-8"},
        {TSFS_DATE, 19675, "2023-11-14"},
        {TSFS_DATE, INT32_MIN, "-5877641-06-23"},
        {TSFS_TIME, 3723000000004, "01:02:03.000000004"},
        {TSFS_TIMESTAMP, INT64_MIN, "1677-09-21 00:12:43.145224192"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[TSFS_VALUE_TEXT_MAX + 1];
        text[tsfs_value_format(cases[i].type, &cases[i].v, text)] = '\0';
        assert_string_equal(text, cases[i].text);
    }
    uint8_t yes = 1;
    char text[TSFS_VALUE_TEXT_MAX];
    assert_int_equal(tsfs_value_format(TSFS_BOOLEAN, &yes, text), 4);
}

/* Nested columns beside plain ones, dense and constant, with NULLs at every level. */
static void test_nested(void **state)
{
    int64_t numbers[] = {1, 2};
    uint64_t first[] = {1};
    struct tsfs_str texts[] = {TSFS_STR("a,\"b\""), TSFS_STR("\xc3\xbc")};
    struct tsfs_array ints = {2, {.type = TSFS_BIGINT, .i = numbers, .valid = first}};
    struct tsfs_array strs = {2, {.type = TSFS_VARCHAR, .s = texts}};
    struct tsfs_array empty = {0, {.type = TSFS_BIGINT}};
    enum tsfs_type array_int = tsfs_type_array(TSFS_BIGINT), array_str = tsfs_type_array(TSFS_VARCHAR);
    enum tsfs_type field_types[] = {TSFS_DOUBLE, array_str, TSFS_TIMESTAMP};
    struct tsfs_str field_names[] = {TSFS_STR("x"), TSFS_STR("odd \"name\""), TSFS_STR("t")};
    struct tsfs_value fields[] = {{.type = TSFS_DOUBLE, .d = NAN},
                                  {.type = array_str, .array = &strs},
                                  {.type = TSFS_TIMESTAMP, .null = true}};
    struct tsfs_row row = {3, fields};
    struct tsfs_timeseries series = {2, numbers, {.type = TSFS_BIGINT, .i = numbers, .valid = first}};
    const void *arrays[] = {&ints, NULL, &empty}, *rows[] = {&row}, *all_series[] = {&series, &series, NULL};
    uint64_t but_second[] = {5}, but_last[] = {3};
    int64_t plain[] = {7, 8, 9};
    struct tsfs_str names[] = {TSFS_STR("n"), TSFS_STR("a"), TSFS_STR("r"), TSFS_STR("s"), TSFS_STR("u")};
    enum tsfs_type types[] = {TSFS_BIGINT, array_int, tsfs_type_row(field_types, field_names, 3),
                              tsfs_type_timeseries(TSFS_BIGINT), tsfs_type_row(field_types, NULL, 3)};
    struct tsfs_vec cols[] = {{.type = types[0], .i = plain},
                              {.type = types[1], .p = arrays, .valid = but_second},
                              {.type = types[2], .p = rows, .constant = true},
                              {.type = types[3], .p = all_series, .valid = but_last},
                              {.type = types[4], .p = rows, .constant = true}};
#define ROW_TEXT    "\"(NaN,[a,\"\"b\"\",\xc3\xbc],NULL)\""
#define T1          "1970-01-01 00:00:00.000000001"
#define T2          "1970-01-01 00:00:00.000000002"
#define SERIES_TEXT "\"[{time: " T1 ", value: 1},{time: " T2 ", value: NULL}]\""
    check(TSFS_FORMAT_CSV, names, types, cols, 4, 3,
          "n,a,r,s\n"
          "7,\"[1,NULL]\"," ROW_TEXT "," SERIES_TEXT "\n"
          "8,," ROW_TEXT "," SERIES_TEXT "\n"
          "9,[]," ROW_TEXT ",\n");
#define JSON_PARTS   "\"NaN\",\"odd \\\"name\\\"\":[\"a,\\\"b\\\"\",\"\xc3\xbc\"],\"t\":null"
#define JSON_SERIES  "[{\"time\":\"" T1 "\",\"value\":1},{\"time\":\"" T2 "\",\"value\":null}]"
#define JSON_UNNAMED "[\"NaN\",[\"a,\\\"b\\\"\",\"\xc3\xbc\"],null]"
    check(TSFS_FORMAT_JSON, names, types, cols, 5, 3,
          "{\"n\":7,\"a\":[1,null],\"r\":{\"x\":" JSON_PARTS "},\"s\":" JSON_SERIES ",\"u\":" JSON_UNNAMED
          "}\n"
          "{\"n\":8,\"a\":null,\"r\":{\"x\":" JSON_PARTS "},\"s\":" JSON_SERIES ",\"u\":" JSON_UNNAMED "}\n"
          "{\"n\":9,\"a\":[],\"r\":{\"x\":" JSON_PARTS "},\"s\":null,\"u\":" JSON_UNNAMED "}\n");
    check(TSFS_FORMAT_TEXT, names, types, cols, 2, 3, "n  a\n-  --------\n7  [1,NULL]\n8  NULL\n9  []\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_csv),
        cmocka_unit_test(test_csv_constants),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_table_streams),
        cmocka_unit_test(test_csv_round_trip),
        cmocka_unit_test(test_value_text),
        cmocka_unit_test(test_nested),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
