/* The line-protocol parser, case by case: every spelling that is taken and what it means, every one that is
 * refused with its place and reason, and how input is cut, skipped and continued. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/num.h"
#include "ingest/line_protocol.h"

/* A point as text: measurement{tag:value;...}name:typevalue;...@time.  Strings in <>. */
static void render(const struct tsfs_lp_batch *b, const struct tsfs_lp_point *pt, struct tsfs_buf *out)
{
    struct tsfs_arena arena;
    struct tsfs_str measurement;
    struct tsfs_lp_tag *tags;
    unsigned ntags;
    struct tsfs_error err = {0};
    tsfs_arena_init(&arena, NULL);
    assert_int_equal(pt->key_hash, tsfs_hash(pt->key.ptr, pt->key.len));
    if (tsfs_lp_parse_key(pt->key, &arena, &measurement, &tags, &ntags, &err) != 0) {
        assert_int_equal(tsfs_buf_printf(out, "key error %u: %s", err.column, err.message), 0);
        tsfs_arena_free(&arena);
        return;
    }
    int rc = tsfs_buf_printf(out, "%s{", measurement.ptr == NULL ? "-" : measurement.ptr);
    for (unsigned i = 0; i < ntags; i++)
        rc |= tsfs_buf_printf(out, "%s%s:%s", i ? ";" : "", tags[i].key.ptr, tags[i].value.ptr);
    rc |= tsfs_buf_printf(out, "}");
    for (uint32_t i = 0; i < pt->nfields; i++) {
        const struct tsfs_lp_field *f = &b->fields[pt->first_field + i];
        char text[TSFS_NUM_TEXT_MAX];
        rc |= tsfs_buf_printf(out, "%s%.*s:", i ? ";" : "", (int)f->name.len, f->name.ptr);
        switch (f->type) {
        case TSFS_BOOLEAN: rc |= tsfs_buf_printf(out, "%s", f->b ? "true" : "false"); break;
        case TSFS_BIGINT: rc |= tsfs_buf_printf(out, "%" PRId64 "i", f->i); break;
        case TSFS_DOUBLE: rc |= tsfs_buf_append(out, text, tsfs_num_format_double(f->d, text)); break;
        case TSFS_VARCHAR: rc |= tsfs_buf_printf(out, "<%.*s>", (int)f->s.len, f->s.ptr); break;
        default: fail_msg("type %d", f->type);
        }
    }
    if (pt->has_time)
        rc |= tsfs_buf_printf(out, "@%" PRId64, pt->time);
    assert_int_equal(rc, 0);
    tsfs_arena_free(&arena);
}

/* All of text, which is copied to the end of an allocation so that a sanitizer sees reads behind it. Points
 * and errors come out one a line, errors as "! line:column message". */
static char *run(const char *text, size_t len, bool at_end, size_t max_points)
{
    struct tsfs_buf out = {0};
    struct tsfs_lp_batch b;
    tsfs_lp_batch_init(&b, NULL);
    size_t at = 0, lines = 0;
    for (;;) {
        char *copy = malloc(len - at > 0 ? len - at : 1);
        assert_non_null(copy);
        memcpy(copy, text + at, len - at);
        struct tsfs_error err = {0};
        size_t used;
        int rc = tsfs_lp_parse(&b, copy, len - at, max_points, at_end, &used, &err);
        for (size_t i = 0; i < b.npoints; i++) {
            render(&b, &b.points[i], &out);
            assert_int_equal(tsfs_buf_append(&out, "\n", 1), 0);
        }
        assert_int_equal(rc, err.code);
        if (rc != 0) {
            assert_int_equal(b.bad_offset, used);
            assert_int_equal(
                tsfs_buf_printf(&out, "! %zu:%u %s\n", lines + err.line, err.column, err.message), 0);
            used += b.bad_length;
            lines += b.bad_lines;
        }
        lines += b.lines;
        at += used;
        free(copy);
        if (used == 0 || at == len)
            break;
    }
    if (at < len)
        assert_int_equal(tsfs_buf_printf(&out, "left %zu\n", len - at), 0);
    if (out.len > 0)
        out.len--; /* the last newline */
    assert_int_equal(tsfs_buf_append(&out, "", 1), 0);
    tsfs_lp_batch_free(&b);
    return out.data;
}

struct sample {
    const char *text, *expect;
};

static void check(const struct sample *cases, size_t n, bool at_end)
{
    int bad = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t max = 0; max < 3; max++) {
            char *got = run(cases[i].text, strlen(cases[i].text), at_end, max);
            if (strcmp(got, cases[i].expect) != 0) {
                print_error("(max %zu) %s\n  gives  %s\n  wanted %s\n", max, cases[i].text, got,
                            cases[i].expect);
                bad++;
            }
            free(got);
        }
    }
    assert_int_equal(bad, 0);
}
#define CHECK(cases, at_end) check((cases), sizeof(cases) / sizeof((cases)[0]), (at_end))

static void plain_lines(void **state)
{
    static const struct sample cases[] = {
        {"m f=1 5\n", "m{}f:1.0@5"},
        {"cpu,host=a,region=eu usage=1.5,idle=2i 1763798400000000000\n",
         "cpu{host:a;region:eu}usage:1.5;idle:2i@1763798400000000000"},
        {"m f=1\n", "m{}f:1.0"},
        {"m f=1 -5\n", "m{}f:1.0@-5"},
        {"m f=1 -9223372036854775808\n", "m{}f:1.0@-9223372036854775808"},
        {"m f=1 9223372036854775807\n", "m{}f:1.0@9223372036854775807"},
        {"m f=1 00000000000000000000000012\n", "m{}f:1.0@12"},
        {"m f=1 12345678\n", "m{}f:1.0@12345678"},
        {"m f=1 123456789\n", "m{}f:1.0@123456789"},
        {"m f=1 1234567890123456\n", "m{}f:1.0@1234567890123456"},
        {"m f=1 12345678901234567\n", "m{}f:1.0@12345678901234567"},
        {"m   f=1   5   \n", "m{}f:1.0@5"},
        {"  m f=1 \n", "m{}f:1.0"},
        {"m f=1 5\r\n", "m{}f:1.0@5"},
        {"m f=1\r\n", "m{}f:1.0"},
        {"m f=1 5 \t\r\n", "m{}f:1.0@5"},
        {"\n\r\n \t \n# c\n  # c,=\" \\\n\t#\r\n", ""},
        {"#\nm f=1\n#\n", "m{}f:1.0"},
        {"m f=1\nm g=2\nm f=3\n", "m{}f:1.0\nm{}g:2.0\nm{}f:3.0"},
        {"", ""},
        {"\xc3\xa4,\xe2\x82\xac=\xf0\x9f\x93\x88 \xc3\xb6=1 5\n",
         "\xc3\xa4{\xe2\x82\xac:\xf0\x9f\x93\x88}\xc3\xb6:1.0@5"},
        {"a_rather_long_measurement_name,a_rather_long_tag_name=a_rather_long_tag_value f=1 5\n",
         "a_rather_long_measurement_name{a_rather_long_tag_name:a_rather_long_tag_value}f:1.0@5"},
    };
    CHECK(cases, false);
    CHECK(cases, true);
}

static void values(void **state)
{
    static const struct sample cases[] = {
        {"m a=1.,b=.5,c=+1,d=1e5,e=1E+5,f=-0\n", "m{}a:1.0;b:0.5;c:1.0;d:100000.0;e:100000.0;f:-0.0"},
        {"m a=-1.25,b=-.5,c=1e-3,d=1.5E3,e=0,f=007.50\n", "m{}a:-1.25;b:-0.5;c:0.001;d:1500.0;e:0.0;f:7.5"},
        {"m a=5e-324,b=1.7976931348623157e308,c=1e-400\n", "m{}a:5e-324;b:1.7976931348623157e+308;c:0.0"},
        {"m a=0.30000000000000004,b=123456789.123456789,c=99999999999999999999\n",
         "m{}a:0.30000000000000004;b:123456789.12345679;c:1e+20"},
        {"m a=12345678,b=123456789012345,c=1234567890123456,d=9007199254740993\n",
         "m{}a:12345678.0;b:123456789012345.0;c:1234567890123456.0;d:9007199254740992.0"},
        {"m a=1.12345678,b=999.123456789012,c=1000.12345678,d=99999999999.12345,e=12345678.12345678\n",
         "m{}a:1.12345678;b:999.123456789012;c:1000.12345678;d:99999999999.12344;e:12345678.12345678"},
        {"m a=0.1234567890123456,b=0.123456789012345,c=0.00000000000000001\n",
         "m{}a:0.1234567890123456;b:0.123456789012345;c:1e-17"},
        {"m a=1i,b=-1i,c=+1i,d=0i,e=-0i,f=007i\n", "m{}a:1i;b:-1i;c:1i;d:0i;e:0i;f:7i"},
        {"m "
         "a=9223372036854775807i,b=-9223372036854775808i,c=12345678i,d=123456789012345i,e="
         "1234567890123456i\n",
         "m{}a:9223372036854775807i;b:-9223372036854775808i;c:12345678i;d:123456789012345i;e:"
         "1234567890123456i"},
        {"m a=1u,b=9223372036854775807u,c=0u,d=+5u\n", "m{}a:1i;b:9223372036854775807i;c:0i;d:5i"},
        {"m a=t,b=T,c=true,d=True,e=TRUE\n", "m{}a:true;b:true;c:true;d:true;e:true"},
        {"m a=f,b=F,c=false,d=False,e=FALSE\n", "m{}a:false;b:false;c:false;d:false;e:false"},
        {"m a=\"\",b=\"x\",c=\"a b,c=d\" 5\n", "m{}a:<>;b:<x>;c:<a b,c=d>@5"},
        {"m a=\"\\\"\\\\\" 5\n", "m{}a:<\"\\>@5"},
        {"m a=\"l1\\nl2\\tx\\r\" 5\n", "m{}a:<l1\nl2\tx\r>@5"},
        {"m a=\"C:\\new\\\\tmp \\x\\,\\ \\=\" 5\n", "m{}a:<C:\new\\tmp \\x\\,\\ \\=>@5"},
        {"m a=\"\\\\\\\"\" 5\n", "m{}a:<\\\">@5"},
        {"m a=\"one\ntwo\r\n\nfour\",b=2 5\nm b=1\n", "m{}a:<one\ntwo\r\n\nfour>;b:2.0@5\nm{}b:1.0"},
        {"m a=\"\xf0\x9f\x93\x88 more than sixteen bytes of it \xe2\x82\xac\" 5\n",
         "m{}a:<\xf0\x9f\x93\x88 more than sixteen bytes of it \xe2\x82\xac>@5"},
        {"m a=\"# no comment\nm b=1 2\n\" 5\n", "m{}a:<# no comment\nm b=1 2\n>@5"},
    };
    CHECK(cases, false);
}

static void escapes(void **state)
{
    static const struct sample cases[] = {
        {"a\\ b\\,c\\=d f=1\n", "a b,c=d{}f:1.0"},
        {"m,t\\ 1\\,\\==v\\ 1\\,\\= f=1\n", "m{t 1,=:v 1,=}f:1.0"},
        {"m f\\ 1\\,\\==1,g\\ =2 5\n", "m{}f 1,=:1.0;g :2.0@5"},
        {"m,p=C:\\new\\tmp f=1\n", "m{p:C:\\new\\tmp}f:1.0"}, /* as they are, like the reference decoder */
        {"m,p=\\\\srv\\x f\\n=1\n", "m{p:\\\\srv\\x}f\\n:1.0"},
        {"m,p=a\\\\,b=c f=1\n", "key error 10: an '=' that is not escaped in the value of the tag \"p\""},
        {"m,p=\"q\",r=' f=1\n", "m{p:\"q\";r:'}f:1.0"}, /* quotes mean nothing in the key */
        {"\"m\\ m\" \"f\"=1\n", "\"m m\"{}\"f\":1.0"},
        {"m,\\ =\\  f=1\n", "m{ : }f:1.0"},
        {"\\#m f=1\n", "\\#m{}f:1.0"},
        /* A name with escapes repeated, and one that looks like the name before without its escapes. */
        {"m a\\,b=1\nm a\\,b=2\nm a=1\n", "m{}a,b:1.0\nm{}a,b:2.0\nm{}a:1.0"},
        {"m a\\ b=1\nm a b=2\n", "m{}a b:1.0\n! 2:4 '=' and a value are missing after the field \"a\""},
    };
    CHECK(cases, false);
}

static void measurement_left_out(void **state)
{
    static const struct sample cases[] = {
        {"f=1,g=2i 5\n", "-{}f:1.0;g:2i@5"},
        {"temp=1.5 123\n", "-{}temp:1.5@123"},
        {"  temp=1.5\n", "-{}temp:1.5"},
        {",t=v f=1 7\n", "-{t:v}f:1.0@7"},
        {"msg=\"hello, big world\" 5\n", "-{}msg:<hello, big world>@5"},
        {"a\\,b=1 5\n", "-{}a,b:1.0@5"},
        {"a\\ b=1 5\n", "-{}a b:1.0@5"},
        {"m,t=v f=1\nf=1,g=2\n", "m{t:v}f:1.0\n-{}f:1.0;g:2.0"},
        {"a\\=b f=1\n", "a=b{}f:1.0"},
        {"f=1 g=2\n", "! 1:5 \"g=2\" is not a timestamp"},
        {", f=1\n", "key error 2: a tag's name is missing"},
    };
    CHECK(cases, false);
}

static void duplicate_fields(void **state)
{
    static const struct sample cases[] = {
        {"m f=1,g=2,f=3 5\n", "m{}g:2.0;f:3.0@5"},
        {"m f=1,f=2,f=3 5\nm f=1,f=2,f=3 6\nm f=1 7\n", "m{}f:3.0@5\nm{}f:3.0@6\nm{}f:1.0@7"},
        {"m f=1i,f=\"x\" 5\n", "m{}f:<x>@5"},
        {"m a\\,=1,a\\,=2\n", "m{}a,:2.0"},
        {"m a=1,b=2,c=3,d=4,e=5,f=6,g=7,h=8,i=9,j=10,k=11,l=12,m=13,n=14,o=15,p=16,q=17,a=18,r=19,q=20\n",
         "m{}b:2.0;c:3.0;d:4.0;e:5.0;f:6.0;g:7.0;h:8.0;i:9.0;j:10.0;k:11.0;l:12.0;m:13.0;n:14.0;o:15.0;p:16."
         "0;"
         "a:18.0;r:19.0;q:20.0"},
    };
    CHECK(cases, false);
}

static void bad_lines(void **state)
{
    static const struct sample cases[] = {
        {"m,host=a temp=12x 5\n", "! 1:15 field \"temp\": \"12x\" is not a number"},
        {"ok f=1\n\n  m f=1,g=abc 5\nok f=2\n",
         "ok{}f:1.0\n! 3:11 field \"g\": \"abc\" is not a number (text needs quotes)\nok{}f:2.0"},
        {"m f=tru\n", "! 1:5 field \"f\": \"tru\" is not a number (text needs quotes)"},
        {"m f=1.2.3\n", "! 1:5 field \"f\": \"1.2.3\" is not a number"},
        {"m f=--1\n", "! 1:5 field \"f\": \"--1\" is not a number"},
        {"m f=0x10\n", "! 1:5 field \"f\": \"0x10\" is not a number"},
        {"m f=NaN\n", "! 1:5 field \"f\": \"NaN\" is not a number (text needs quotes)"},
        {"m f=-inf\n", "! 1:5 field \"f\": \"-inf\" is not a number"},
        {"m f=1e\n", "! 1:5 field \"f\": \"1e\" is not a number"},
        {"m f=1e999\n", "! 1:5 field \"f\": 1e999 is beyond the range of a double"},
        {"m f=1.5i\n", "! 1:5 field \"f\": \"1.5i\" is not an integer"},
        {"m f=i\n", "! 1:5 field \"f\": \"i\" is not a number (text needs quotes)"},
        {"m f=-1u\n", "! 1:5 field \"f\": \"-1u\" is not an unsigned integer"},
        {"m f=9223372036854775808i\n",
         "! 1:5 field \"f\": 9223372036854775808i is beyond the range of a 64-bit integer"},
        {"m f=-9223372036854775809i\n",
         "! 1:5 field \"f\": -9223372036854775809i is beyond the range of a 64-bit integer"},
        {"m f=9223372036854775808u\n",
         "! 1:5 field \"f\": 9223372036854775808u is beyond the range of a 64-bit "
         "integer (unsigned ones are taken up to 9223372036854775807)"},
        {"m f=\n", "! 1:5 field \"f\" has no value"},
        {"m f=,g=1\n", "! 1:5 field \"f\" has no value"},
        {"m f= 5\n", "! 1:5 field \"f\" has no value"},
        {"m =1\n", "! 1:3 a field's name is missing before '='"},
        {"m f\n", "! 1:4 '=' and a value are missing after the field \"f\""},
        {"m f g=1\n", "! 1:4 '=' and a value are missing after the field \"f\""},
        {"m f=1,\n", "! 1:7 a field is missing here"},
        {"m f=1,,g=1\n", "! 1:7 a field is missing here"},
        {"m f=1, g=1\n", "! 1:7 a field is missing here"},
        {"m f=1,g\n", "! 1:8 '=' and a value are missing after the field \"g\""},
        {"m f\x01=1\n", "! 1:4 control character in a field's name"},
        {"m f\x7f=1\n", "! 1:4 control character in a field's name"},
        {"m f\t=1\n", "! 1:4 control character in a field's name"},
        {"m ab\xff=1\n", "! 1:5 invalid UTF-8 in a field's name"},
        {"m ab\xc3=1\n", "! 1:5 invalid UTF-8 in a field's name"},
        {"m\n", "! 1:2 the fields are missing: measurement,tag=value field=value time"},
        {"m \n", "! 1:3 a field is missing here"},
        {"m,t=v\r\n", "! 1:6 the fields are missing: measurement,tag=value field=value time"},
        {"m f=\"a\"b\n", "! 1:8 ',' or a blank is missing after the value of field \"f\""},
        {"m f=\"a\"\"b\"\n", "! 1:8 ',' or a blank is missing after the value of field \"f\""},
        {"m f=1\rx\n", "! 1:6 ',' or a blank is missing after the value of field \"f\""},
        {"m f=1 x\n", "! 1:7 \"x\" is not a timestamp"},
        {"m f=1 1.5\n", "! 1:7 \"1.5\" is not a timestamp"},
        {"m f=1 +5\n", "! 1:7 \"+5\" is not a timestamp"},
        {"m f=1 -\n", "! 1:7 \"-\" is not a timestamp"},
        {"m f=1 5,\n", "! 1:7 \"5,\" is not a timestamp"},
        {"m f=1 5 6\n", "! 1:9 unexpected text after the timestamp"},
        {"m f=1 9223372036854775808\n",
         "! 1:7 the timestamp 9223372036854775808 is beyond the range of a 64-bit integer"},
        {"m f=1 -9223372036854775809\n",
         "! 1:7 the timestamp -9223372036854775809 is beyond the range of a 64-bit integer"},
        {"m f=1 99999999999999999999999\n",
         "! 1:7 the timestamp 99999999999999999999999 is beyond the range of a 64-bit integer"},
        {"m f=\"\xff\"\n", "! 1:5 invalid UTF-8 in the string of field \"f\""},
        {"m f=\"\\\xff\"\n", "! 1:5 invalid UTF-8 in the string of field \"f\""}, /* behind a backslash */
        {"m f=\"a\nb\nc\"x\n", "! 3:3 ',' or a blank is missing after the value of field \"f\"\n"
                               "! 2:2 the fields are missing: measurement,tag=value field=value time\n"
                               "! 3:4 the fields are missing: measurement,tag=value field=value time"},
        /* A bad line with a sound string over several lines is one bad line, */
        {"m f=12x,g=\"a\nm h=1 2\nb\" 5\nm f=2\n", "! 1:5 field \"f\": \"12x\" is not a number\nm{}f:2.0"},
        /* and the error behind such a string has its own line. */
        {"m f=\"a\nb\",g=x 5\nm f=2\n",
         "! 2:6 field \"g\": \"x\" is not a number (text needs quotes)\nm{}f:2.0"},
    };
    CHECK(cases, false);
}

static void bad_keys(void **state)
{
    static const struct sample cases[] = {
        {"m,t=1,t=2 f=1\n", "key error 7: the tag \"t\" comes twice"},
        {"m,t\\,=1,a=2,t\\,=2 f=1\n", "key error 13: the tag \"t,\" comes twice"},
        {"m,=1 f=1\n", "key error 3: a tag's name is missing"},
        {"m,,t=1 f=1\n", "key error 3: a tag's name is missing"},
        {"m,t=1, f=1\n", "key error 7: a tag's name is missing"},
        {"m,t f=1\n", "key error 4: '=' and a value are missing after the tag \"t\""},
        {"m,t= f=1\n", "key error 5: no value for the tag \"t\""},
        {"m,t=,u=1 f=1\n", "key error 5: no value for the tag \"t\""},
        {"m,t=a=b f=1\n", "key error 6: an '=' that is not escaped in the value of the tag \"t\""},
        {"m\tm f=1\n", "key error 2: control character in the measurement \"m?m\""},
        {"m,t=a\x01 f=1\n", "key error 6: control character in the tag's value \"a?\""},
        {"m,t\x7f=a f=1\n", "key error 4: control character in the tag's name \"t?\""},
        {"m\xff f=1\n", "key error 2: invalid UTF-8 in the measurement \"m?\""},
        {"m,t=\xed\xa0\x80 f=1\n", "key error 5: invalid UTF-8 in the tag's value \"???\""},
    };
    CHECK(cases, false);
}

static void incomplete_lines(void **state)
{
    static const struct sample waiting[] = {
        {"m f=1", "left 5"},
        {"m f=1\nm f=2", "m{}f:1.0\nleft 5"},
        {"m f=1\n  ", "m{}f:1.0\nleft 2"},
        {"m f=1\n# x", "m{}f:1.0\nleft 3"},
        {"m f=1\nm f=\"a\nb\n", "m{}f:1.0\nleft 9"},
        {"m f=1\nm f=\"a\nb\"", "m{}f:1.0\nleft 9"},
        {"m f=\"a\\", "left 7"},
        {"m f=\"a\\\n", "left 8"},
        {"\r", "left 1"},
        /* A bad line whose string may go on, or whose end is not there, waits as well. */
        {"m f=x,g=\"a\nm h=1\n", "left 17"},
        {"m f=x,g=\"a\nm h=1\"\n", "! 1:5 field \"f\": \"x\" is not a number (text needs quotes)"},
        {"m f=x,g=\"a\nb\",h=1", "left 17"},
    };
    CHECK(waiting, false);
    static const struct sample ended[] = {
        {"m f=1", "! 1:6 the last line does not end: it may have been cut off"},
        {"m f=1\nm f=2", "m{}f:1.0\n! 2:6 the last line does not end: it may have been cut off"},
        {"m f=1\n  \t", "m{}f:1.0"},
        {"m f=1\n# x", "m{}f:1.0"},
        /* The lines behind a string that was never closed are not lost. */
        {"m f=\"a 5\nm f=1 6\nm f=2 7\n",
         "! 1:5 the string of field \"f\" is not closed\nm{}f:1.0@6\nm{}f:2.0@7"},
        {"m f=\"a\nb\"", "! 1:5 the string of field \"f\" is not closed\n"
                         "! 2:3 the last line does not end: it may have been cut off"},
    };
    CHECK(ended, true);
}

/* Any cut: what is left is handed in again with more behind it, as a write does. */
static void any_cut_gives_the_same(void **state)
{
    static const char text[] =
        "cpu,host=a usage=1.5,note=\"two\nlines \\\" here\",up=t 1763798400000000000\r\n# c\n"
        "cpu,host=b usage=2.5,note=\"x\",up=f 1763798400000000001\n bad\ncpu v=3i\n";
    size_t len = sizeof(text) - 1;
    char *expect = run(text, len, false, 0);
    assert_non_null(strstr(expect, "note:<two\nlines \" here>"));
    for (size_t cut = 0; cut <= len; cut++) {
        struct tsfs_buf out = {0};
        struct tsfs_lp_batch b;
        tsfs_lp_batch_init(&b, NULL);
        size_t at = 0, have = cut, lines = 0;
        while (at < len) {
            char *copy = malloc(have - at + 1);
            assert_non_null(copy);
            memcpy(copy, text + at, have - at);
            struct tsfs_error err = {0};
            size_t used;
            int rc = tsfs_lp_parse(&b, copy, have - at, 0, false, &used, &err);
            for (size_t i = 0; i < b.npoints; i++) {
                render(&b, &b.points[i], &out);
                assert_int_equal(tsfs_buf_append(&out, "\n", 1), 0);
            }
            if (rc != 0) {
                assert_int_equal(
                    tsfs_buf_printf(&out, "! %zu:%u %s\n", lines + err.line, err.column, err.message), 0);
                used += b.bad_length;
                lines += b.bad_lines;
            }
            lines += b.lines;
            at += used;
            free(copy);
            if (rc == 0)
                have = len;
        }
        out.len--;
        assert_int_equal(tsfs_buf_append(&out, "", 1), 0);
        if (strcmp(out.data, expect) != 0)
            fail_msg("cut at %zu: %s", cut, out.data);
        tsfs_buf_free(&out);
        tsfs_lp_batch_free(&b);
    }
    free(expect);
}

static void positions_and_names(void **state)
{
    static const char text[] =
        "  m,t=v a=1,b=2 5\n\n# c\nm,t=w a=\"\n\n\",b=2 6\r\nm b=1,a=2\nm b=1\nm b=2\nm b=1,c=1\n";
    struct tsfs_lp_batch b;
    tsfs_lp_batch_init(&b, NULL);
    size_t used;
    assert_int_equal(tsfs_lp_parse(&b, text, sizeof(text) - 1, 0, false, &used, NULL), 0);
    assert_int_equal(used, sizeof(text) - 1);
    assert_int_equal(b.lines, 10);
    assert_int_equal(b.npoints, 6);
    static const struct {
        uint32_t line;
        bool same;
        size_t nfields;
    } expect[] = {{1, false, 2}, {4, true, 2}, {7, false, 2}, {8, false, 1}, {9, true, 1}, {10, false, 2}};
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(b.points[i].line, expect[i].line);
        assert_int_equal(b.points[i].same_names, expect[i].same);
        assert_int_equal(b.points[i].nfields, expect[i].nfields);
    }
    assert_int_equal(b.points[0].offset, 0);
    assert_int_equal(b.points[0].length, 17);
    assert_ptr_equal(b.points[0].key.ptr, text + 2);
    assert_memory_equal(text + b.points[1].offset, "m,t=w", 5);
    assert_memory_equal(text + b.points[1].offset + b.points[1].length, "\r\n", 2);
    assert_ptr_equal(b.fields[0].name.ptr, text + 8); /* not copied */

    /* Bad lines and the start of a call break the chain of equal names only where they must. */
    static const char more[] = "m b=1\nm b=x\nm b=2\n";
    struct tsfs_error err = {0};
    assert_int_equal(tsfs_lp_parse(&b, more, sizeof(more) - 1, 0, false, &used, &err), -EINVAL);
    assert_int_equal(used, 6);
    assert_int_equal(b.bad_length, 6);
    assert_int_equal(b.bad_lines, 1);
    assert_false(b.bad_unfinished);
    assert_int_equal(b.npoints, 1);
    assert_int_equal(b.nfields, 1);
    assert_false(b.points[0].same_names);
    tsfs_lp_batch_free(&b);
    tsfs_lp_batch_free(NULL);
}

/* What a caller keeps for a layout must hold for each point of that number, whatever came between. */
static void layouts(void **state)
{
    static const char text[] = "cpu x=1,y=2\ncpu a=1,b=2\nmem x=1,y=2\ncpu x=5,y=6\ncpu bad\ncpu x=5,y=6\n";
    struct tsfs_lp_batch b;
    struct tsfs_error err = {0};
    tsfs_lp_batch_init(&b, NULL);
    size_t used;
    assert_int_equal(tsfs_lp_parse(&b, text, sizeof(text) - 1, 0, false, &used, &err), -EINVAL);
    assert_int_equal(b.npoints, 4);
    assert_int_not_equal(b.points[0].layout, b.points[1].layout);
    assert_int_not_equal(b.points[1].layout, b.points[2].layout);
    assert_int_not_equal(b.points[1].layout, b.points[3].layout);
    for (int i = 0; i < 4; i++)
        assert_true(b.points[i].layout < b.nlayouts);

    /* Interleaved measurements keep their numbers. */
    struct tsfs_buf many = {0};
    for (int i = 0; i < 50; i++)
        assert_int_equal(tsfs_buf_printf(&many, "cpu,h=%d u=1,v=2 %d\ndisk,h=%d free=1,used=2i %d\nup t=%d\n",
                                         i, i, i, i, i),
                         0);
    assert_int_equal(tsfs_lp_parse(&b, many.data, many.len, 0, false, &used, NULL), 0);
    assert_int_equal(b.npoints, 150);
    assert_int_equal(b.nlayouts, 3);
    for (size_t i = 0; i < 150; i++) {
        assert_int_equal(b.points[i].layout, i % 3);
        assert_false(b.points[i].same_names);
    }
    tsfs_buf_free(&many);
    tsfs_lp_batch_free(&b);
}

/* Keys that come in turn are recognised, and only where they are the whole key. */
static void keys_in_turn(void **state)
{
    static const char text[] = "m,h=a v=1\n"
                               "m,h=b v=1\n"
                               "m,h=a v=2\n"
                               "m,h=b v=2\n"
                               "m,h=a v=3\n"
                               "m,h=b\\ c v=3\n" /* the foreseen one is its beginning */
                               "m,h=a v=4\n"
                               "m,h=bb v=4\n"
                               "m,h=a,h2=a_value_that_is_longer_than_a_vector v=1\n"
                               "n v=1\n"
                               "m,h=a,h2=a_value_that_is_longer_than_a_vector v=2\n"
                               "n v=2\n"
                               "m,h=a,h2=a_value_that_is_longer_than_a_Vector v=3\n"
                               "v=1\n"
                               "v=2\n"
                               ",h=a v=1\n"
                               ",h=a v=2\n";
    enum { NO = -1 };
    static const int same[] = {NO, NO, 0, 1, 2, NO, 4, NO, NO, NO, 8, 9, NO, NO, 13, NO, 15};
    struct tsfs_lp_batch b;
    size_t used;
    tsfs_lp_batch_init(&b, NULL);
    for (int round = 0; round < 2; round++) { /* what the batch before has left behind does no harm */
        assert_int_equal(tsfs_lp_parse(&b, text, sizeof(text) - 1, 0, false, &used, NULL), 0);
        assert_int_equal(b.npoints, sizeof(same) / sizeof(same[0]));
        for (size_t i = 0; i < b.npoints; i++) {
            const struct tsfs_lp_point *p = &b.points[i];
            assert_int_equal(p->key_hash, tsfs_hash(p->key.ptr, p->key.len));
            if (same[i] == NO) {
                assert_int_equal(p->same_key, TSFS_LP_NONE);
            } else {
                assert_true(p->same_key < i);
                assert_true(tsfs_str_eq(b.points[p->same_key].key, p->key));
                assert_true(tsfs_str_eq(b.points[same[i]].key, p->key));
            }
        }
    }
    tsfs_lp_batch_free(&b);
}

/* A second line finds its names foreseen: its numbers are read another way than the first one's. */
static void foreseen_fields(void **state)
{
    static const char *const numbers[] = {"0",
                                          "7i",
                                          "-7i",
                                          "-0",
                                          "-0.0",
                                          "1234567",
                                          "1234567i",
                                          "12345678i",
                                          "123456789i",
                                          "0.5",
                                          "-12.75",
                                          "1.",
                                          ".5",
                                          "-.5",
                                          "1.1234567",
                                          "1.12345678",
                                          "1e3",
                                          "-1.5e-7",
                                          "1234567.1234567",
                                          "+5i",
                                          "9223372036854775807i",
                                          "-9223372036854775808i",
                                          "5u",
                                          "t",
                                          "false",
                                          "\"text, x=1\"",
                                          "0.000001",
                                          "-1234567i",
                                          "1234567.25"};
    enum { N = sizeof(numbers) / sizeof(numbers[0]) };
    struct tsfs_lp_batch b;
    tsfs_lp_batch_init(&b, NULL);
    for (unsigned i = 0; i < N; i++) {
        for (unsigned k = 0; k < N; k++) {
            char text[600];
            size_t used, len = (size_t)snprintf(text, sizeof(text),
                                                "m a=%s,a_name_of_more_than_16_bytes=%s,c=1\n"
                                                "m a=%s,a_name_of_more_than_16_bytes=%s,c=2\n"
                                                "m a=1,a_name_of_more_than_16_bytes=1,c=1\n"
                                                "m a=1,a_name_of_more_than_16_bytes=1,c=1,d=1\n",
                                                numbers[i], numbers[k], numbers[i], numbers[k]);
            char *piece = malloc(len);
            assert_non_null(piece);
            memcpy(piece, text, len);
            struct tsfs_error err = {0};
            int rc = tsfs_lp_parse(&b, piece, len, 0, true, &used, &err);
            if (rc != 0)
                fail_msg("%s: %s", text, err.message);
            assert_int_equal(b.npoints, 4);
            assert_true(b.points[1].same_names);
            assert_int_equal(b.points[3].nfields, 4);
            assert_false(b.points[3].same_names);
            for (unsigned f = 0; f < 2; f++) {
                const struct tsfs_lp_field *x = &b.fields[b.points[0].first_field + f];
                const struct tsfs_lp_field *y = &b.fields[b.points[1].first_field + f];
                assert_int_equal(x->type, y->type);
                if (x->type == TSFS_VARCHAR)
                    assert_true(tsfs_str_eq(x->s, y->s));
                else if (x->type == TSFS_BOOLEAN)
                    assert_int_equal(x->b, y->b);
                else
                    assert_memory_equal(&x->i, &y->i, sizeof(x->i));
                const char *number = numbers[f == 0 ? i : k];
                if (y->type == TSFS_DOUBLE) {
                    double d = strtod(number, NULL);
                    assert_memory_equal(&y->d, &d, sizeof(d));
                } else if (y->type == TSFS_BIGINT) {
                    assert_true(y->i == strtoll(number, NULL, 10));
                }
            }
            free(piece);
        }
    }
    tsfs_lp_batch_free(&b);
}

static char *filled(const char *head, size_t n, char c, const char *tail, size_t *len)
{
    size_t h = strlen(head), t = strlen(tail);
    char *p = malloc(h + n + t);
    assert_non_null(p);
    memcpy(p, head, h);
    memset(p + h, c, n);
    memcpy(p + h + n, tail, t);
    *len = h + n + t;
    return p;
}

static void expect_rc(const char *head, size_t n, char c, const char *tail, int rc, bool unfinished)
{
    size_t len, used;
    char *text = filled(head, n, c, tail, &len);
    struct tsfs_lp_batch b;
    struct tsfs_error err = {0};
    tsfs_lp_batch_init(&b, NULL);
    int got = tsfs_lp_parse(&b, text, len, 0, false, &used, &err);
    if (got == 0 && b.npoints == 1) {
        struct tsfs_str measurement;
        struct tsfs_lp_tag *tags;
        unsigned ntags;
        struct tsfs_arena arena;
        tsfs_arena_init(&arena, NULL);
        got = tsfs_lp_parse_key(b.points[0].key, &arena, &measurement, &tags, &ntags, &err);
        tsfs_arena_free(&arena);
    }
    if (got != rc || b.bad_unfinished != unfinished)
        fail_msg("%s...(%zu)%s: %d, %s", head, n, tail, got, err.message);
    if (got == -E2BIG && b.npoints == 0)
        assert_int_equal(b.bad_length, len);
    free(text);
    tsfs_lp_batch_free(&b);
}

static void limits(void **state)
{
    expect_rc("", TSFS_LINE_MAX, 'x', "", 0, false);
    expect_rc("", TSFS_LINE_MAX + 1, 'x', "", -E2BIG, true);
    expect_rc("", 100u << 20, 'x', "", -E2BIG, true);
    expect_rc("m f=1", TSFS_LINE_MAX - 5, ' ', "\n", 0, false);
    expect_rc("m f=1", TSFS_LINE_MAX - 4, ' ', "\n", -E2BIG, false);
    expect_rc("m f=\"", TSFS_VARCHAR_MAX, 'x', "\"\n", 0, false);
    expect_rc("m f=\"", TSFS_VARCHAR_MAX + 1, 'x', "\"\n", -E2BIG, false);
    expect_rc("m f=\"", TSFS_VARCHAR_MAX * 2, '\\', "\"\n", 0, false); /* half of them escape */
    expect_rc("m f=\"", TSFS_VARCHAR_MAX * 2 + 2, '\\', "\"\n", -E2BIG, false);
    expect_rc("m f=\"", TSFS_VARCHAR_MAX * 2, 'x', "", 0, false); /* may still be escapes and a quote */
    expect_rc("m f=\"", TSFS_VARCHAR_MAX * 2, 'x', "\n", 0, false);
    expect_rc("m f=\"", TSFS_VARCHAR_MAX * 2 + 2, 'x', "\n", -E2BIG, false); /* a forgotten quote */
    expect_rc("m ", TSFS_COLUMN_NAME_MAX, 'f', "=1\n", 0, false);
    expect_rc("m ", TSFS_COLUMN_NAME_MAX + 1, 'f', "=1\n", -E2BIG, false);
    expect_rc("", TSFS_NAME_MAX, 'm', " f=1\n", 0, false);
    expect_rc("", TSFS_NAME_MAX + 1, 'm', " f=1\n", -E2BIG, false);
    expect_rc("m,", TSFS_COLUMN_NAME_MAX, 't', "=1 f=1\n", 0, false);
    expect_rc("m,", TSFS_COLUMN_NAME_MAX + 1, 't', "=1 f=1\n", -E2BIG, false);
    expect_rc("m,t=", TSFS_SERIES_KEY_MAX - 4, 'v', " f=1\n", 0, false);
    expect_rc("m,t=", TSFS_SERIES_KEY_MAX - 3, 'v', " f=1\n", -E2BIG, false);

    struct tsfs_buf many = {0};
    assert_int_equal(tsfs_buf_append(&many, "m ", 2), 0);
    for (int i = 0; i < TSFS_COLUMNS_MAX; i++)
        assert_int_equal(tsfs_buf_printf(&many, "f%d=1,", i), 0);
    many.data[many.len - 1] = '\n';
    struct tsfs_lp_batch b;
    tsfs_lp_batch_init(&b, NULL);
    size_t used;
    assert_int_equal(tsfs_lp_parse(&b, many.data, many.len, 0, false, &used, NULL), 0);
    assert_int_equal(b.nfields, TSFS_COLUMNS_MAX);
    many.data[many.len - 1] = ',';
    assert_int_equal(tsfs_buf_append(&many, "g=1\n", 4), 0);
    assert_int_equal(tsfs_lp_parse(&b, many.data, many.len, 0, false, &used, NULL), -E2BIG);
    tsfs_lp_batch_free(&b);
    many.len = 0;
    assert_int_equal(tsfs_buf_append(&many, "m", 1), 0);
    for (int i = 0; i < TSFS_DIMENSIONS_MAX + 1; i++)
        assert_int_equal(tsfs_buf_printf(&many, ",t%d=1", i), 0);
    struct tsfs_arena arena;
    struct tsfs_str measurement;
    struct tsfs_lp_tag *tags;
    unsigned ntags;
    tsfs_arena_init(&arena, NULL);
    assert_int_equal(tsfs_lp_parse_key(tsfs_buf_str(&many), &arena, &measurement, &tags, &ntags, NULL),
                     -E2BIG);
    many.len = (size_t)((char *)memrchr(many.data, ',', many.len) - many.data);
    assert_int_equal(tsfs_lp_parse_key(tsfs_buf_str(&many), &arena, &measurement, &tags, &ntags, NULL), 0);
    assert_int_equal(ntags, TSFS_DIMENSIONS_MAX);
    tsfs_arena_free(&arena);
    tsfs_buf_free(&many);
}

static void out_of_memory_is_an_error(void **state)
{
    struct tsfs_budget budget = {.limit = 8192};
    struct tsfs_lp_batch b;
    tsfs_lp_batch_init(&b, &budget);
    static char text[40000];
    size_t n = (size_t)snprintf(text, sizeof(text), "m f=\"x\\\\\"\nm f=\"");
    memset(text + n, '\\', 20000);
    memcpy(text + n + 20000, "\"\n", 2);
    size_t used;
    struct tsfs_error err = {0};
    assert_int_equal(tsfs_lp_parse(&b, text, n + 20002, 0, false, &used, &err), -ENOMEM);
    assert_int_equal(b.npoints, 1);
    assert_int_equal(used, 10);
    tsfs_lp_batch_free(&b);
    assert_int_equal(budget.used, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_lines),
        cmocka_unit_test(values),
        cmocka_unit_test(escapes),
        cmocka_unit_test(measurement_left_out),
        cmocka_unit_test(duplicate_fields),
        cmocka_unit_test(bad_lines),
        cmocka_unit_test(bad_keys),
        cmocka_unit_test(incomplete_lines),
        cmocka_unit_test(any_cut_gives_the_same),
        cmocka_unit_test(positions_and_names),
        cmocka_unit_test(layouts),
        cmocka_unit_test(keys_in_turn),
        cmocka_unit_test(foreseen_fields),
        cmocka_unit_test(limits),
        cmocka_unit_test(out_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
