/* Writer and reader on whole files: what is promised at the edges, and that damage is found.
 *
 * The random tables of tests/property/prop_parquet.c go through every encoding; here are the single facts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>

#include "col/vec.h"
#include "parquet_support.h"

static struct tsfs_pq_column column(const char *name, enum tsfs_pq_physical physical, bool optional)
{
    return (struct tsfs_pq_column){.name = tsfs_str_from(name), .physical = physical, .optional = optional};
}

/* One row group of one column. */
static int write_one(struct tsfs_buf *file, const struct tsfs_pq_column *c,
                     const struct tsfs_pq_chunk_values *v, uint32_t nrows, uint32_t per_page,
                     struct tsfs_error *err)
{
    struct tsfs_pq_writer *w;
    struct tsfs_pq_writer_options o = {.columns = c, .ncolumns = 1};
    uint32_t ends[64], n = 0;
    for (uint32_t at = 0; at < nrows; at = ends[n - 1])
        ends[n++] = at + per_page < nrows ? at + per_page : nrows;
    int r = tsfs_pq_writer_create(&o, memory_sink(file), &w, err);
    if (r)
        return r;
    r = tsfs_pq_writer_begin_group(w, nrows, ends, n, err);
    if (!r)
        r = tsfs_pq_writer_column(w, v, err);
    if (!r)
        r = tsfs_pq_writer_end_group(w, err);
    if (!r)
        r = tsfs_pq_writer_finish(w, NULL, 0, err);
    tsfs_pq_writer_free(w);
    return r;
}

static struct tsfs_pq_chunk *open_one(struct tsfs_buf *file, struct tsfs_pq_reader **r)
{
    struct tsfs_pq_chunk *c;
    struct tsfs_error err = {0};
    if (tsfs_pq_reader_open(memory_input(file), r, &err))
        fail_msg("%s", err.message);
    assert_int_equal(tsfs_pq_chunk_open(*r, 0, 0, &c, &err), 0);
    return c;
}

static void test_empty_file(void **unused)
{
    struct tsfs_buf file = {0};
    struct tsfs_error err = {0};
    struct tsfs_pq_writer *w;
    struct tsfs_pq_reader *r;
    struct tsfs_pq_column c = column("x", TSFS_PQ_INT64, true);
    struct tsfs_pq_writer_options o = {
        .columns = &c, .ncolumns = 1, .created_by = TSFS_STR("tsfs version 1 (build test)")};
    struct tsfs_pq_kv kv[] = {{TSFS_STR("tsfs.index"), TSFS_STR("4 8 7")}, {TSFS_STR("bare"), {NULL, 0}}};
    assert_int_equal(tsfs_pq_writer_create(&o, memory_sink(&file), &w, &err), 0);
    assert_int_equal(tsfs_pq_writer_offset(w), 4);
    assert_int_equal(tsfs_pq_writer_raw(w, "private!", 8, &err), 0);
    assert_int_equal(tsfs_pq_writer_offset(w), 12);
    assert_int_equal(tsfs_pq_writer_finish(w, kv, 2, &err), 0);
    tsfs_pq_writer_free(w);
    assert_memory_equal(file.data + 4, "private!", 8);
    assert_int_equal(tsfs_pq_reader_open(memory_input(&file), &r, &err), 0);
    const struct tsfs_pq_info *info = tsfs_pq_reader_info(r);
    assert_int_equal(info->nrows, 0);
    assert_int_equal(info->ngroups, 0);
    assert_true(tsfs_str_eq(tsfs_pq_reader_kv(r, TSFS_STR("tsfs.index")), TSFS_STR("4 8 7")));
    assert_null(tsfs_pq_reader_kv(r, TSFS_STR("bare")).ptr);
    assert_null(tsfs_pq_reader_kv(r, TSFS_STR("none")).ptr);
    assert_true(tsfs_str_eq(info->created_by, TSFS_STR("tsfs version 1 (build test)")));
    assert_int_equal(tsfs_pq_reader_find(r, TSFS_STR("y")), UINT32_MAX);
    tsfs_pq_reader_close(r);
    tsfs_buf_free(&file);
}

/* Strings in runs become one dictionary and runs of codes: a constant page costs a few bytes and reads as
 * constant. */
static void test_runs(void **unused)
{
    static const struct tsfs_str hosts[] = {{"b", 1}, {"a", 1}, {NULL, 0}};
    static const uint32_t ends[] = {100, 150, 200};
    static const uint64_t valid[] = {3};
    struct tsfs_pq_chunk_values v = {
        .vec = {.type = TSFS_VARCHAR, .s = hosts, .valid = valid}, .run_end = ends, .nruns = 3};
    struct tsfs_pq_column c = column("host", TSFS_PQ_BYTE_ARRAY, true);
    struct tsfs_buf file = {0};
    struct tsfs_error err = {0};
    struct tsfs_pq_reader *r;
    struct tsfs_pq_scratch *s;
    struct tsfs_arena arena;
    struct tsfs_vec dictionary, vec;
    struct tsfs_pq_coded coded;
    const struct tsfs_pq_stats *stats;
    uint32_t n;
    c.logical = TSFS_PQ_STRING;
    c.bloom = true;
    assert_int_equal(write_one(&file, &c, &v, 200, 50, &err), 0);
    struct tsfs_pq_chunk *chunk = open_one(&file, &r);
    assert_true(tsfs_pq_reader_info(r)->columns[0].bloom);
    tsfs_arena_init(&arena, NULL);
    assert_int_equal(tsfs_pq_scratch_create(&s), 0);
    assert_int_equal(tsfs_pq_chunk_dictionary(chunk, &dictionary, &n, &err), 0);
    assert_int_equal(n, 2);
    assert_true(tsfs_str_eq(dictionary.s[0], TSFS_STR("a")));
    assert_true(tsfs_str_eq(dictionary.s[1], TSFS_STR("b")));
    assert_int_equal(tsfs_pq_chunk_stats(chunk, &stats, &err), 0);
    static const uint32_t codes[] = {1, 1, 0};
    for (uint32_t p = 0; p < 3; p++) {
        assert_int_equal(tsfs_pq_chunk_read_coded(chunk, p, s, &arena, &coded, &err), 0);
        assert_true(coded.constant);
        assert_int_equal(coded.index[0], codes[p]);
        assert_int_equal(tsfs_pq_chunk_read(chunk, p, s, &arena, &vec, &err), 0);
        assert_true(vec.constant);
        assert_true(tsfs_str_eq(vec.s[0], hosts[p / 2]));
        assert_true(tsfs_str_eq(stats[p].min.s, hosts[p / 2]));
    }
    assert_int_equal(tsfs_pq_chunk_read(chunk, 3, s, &arena, &vec, &err), 0);
    assert_true(vec.constant);
    assert_true(tsfs_vec_null(&vec, 7));
    assert_false(stats[3].has_min);
    assert_int_equal(stats[3].null_count, 50);
    bool maybe = true;
    struct tsfs_value absent = {.type = TSFS_VARCHAR, .s = TSFS_STR("c")};
    assert_int_equal(tsfs_pq_chunk_bloom(chunk, absent, &maybe, &err), 0);
    assert_false(maybe);
    assert_int_equal(tsfs_pq_chunk_read(chunk, 4, s, &arena, &vec, &err), -EINVAL); /* there is none */
    tsfs_pq_scratch_free(s);
    tsfs_arena_free(&arena);
    tsfs_pq_chunk_close(chunk);
    tsfs_pq_reader_close(r);
    tsfs_buf_free(&file);
}

/* The rules of the format for zeros and NaN. */
static void test_double_stats(void **unused)
{
    static const double zeros[] = {0.0, -0.0}, odd[] = {NAN, 2.5, NAN, -1.5}, nans[] = {NAN, NAN};
    static const struct {
        const double *v;
        uint32_t n, nans;
        bool bounds;
        double min, max;
    } cases[] = {{zeros, 2, 0, true, -0.0, 0.0}, {odd, 4, 2, true, -1.5, 2.5}, {nans, 2, 2, false, 0, 0}};
    struct tsfs_pq_column c = column("d", TSFS_PQ_DOUBLE, false);
    for (int i = 0; i < 3; i++) {
        struct tsfs_pq_chunk_values v = {.vec = {.type = TSFS_DOUBLE, .d = cases[i].v}};
        struct tsfs_buf file = {0};
        struct tsfs_error err = {0};
        struct tsfs_pq_reader *r;
        const struct tsfs_pq_stats *pages;
        assert_int_equal(write_one(&file, &c, &v, cases[i].n, cases[i].n, &err), 0);
        struct tsfs_pq_chunk *chunk = open_one(&file, &r);
        const struct tsfs_pq_stats *s = &tsfs_pq_reader_info(r)->groups[0].chunks[0].stats;
        assert_int_equal(s->has_min, cases[i].bounds);
        assert_int_equal(s->nan_count, cases[i].nans);
        assert_int_equal(s->null_count, 0);
        assert_int_equal(tsfs_pq_chunk_stats(chunk, &pages, &err), 0);
        if (cases[i].bounds) {
            assert_memory_equal(&s->min.d, &cases[i].min, 8);
            assert_memory_equal(&s->max.d, &cases[i].max, 8);
            assert_memory_equal(&pages[0].min.d, &cases[i].min, 8);
            assert_int_equal(pages[0].nan_count, cases[i].nans);
        } else {
            assert_null(pages); /* no column index where a page is all NaN */
        }
        tsfs_pq_chunk_close(chunk);
        tsfs_pq_reader_close(r);
        tsfs_buf_free(&file);
    }
}

/* Long bounds are cut so that they still bound, and stay UTF-8. */
static void test_long_string_stats(void **unused)
{
    char text[200], high[200];
    memset(text, 'x', sizeof(text));
    for (int i = 0; i < 200; i += 4)
        memcpy(high + i, "\xf4\x8f\xbf\xbf", 4); /* U+10FFFF: nothing above it */
    struct tsfs_str v[] = {{text, 200}};
    struct tsfs_pq_column c = column("s", TSFS_PQ_BYTE_ARRAY, false);
    for (int i = 0; i < 3; i++) {
        struct tsfs_buf file = {0};
        struct tsfs_error err = {0};
        struct tsfs_pq_reader *r;
        c.logical = i < 2 ? TSFS_PQ_STRING : TSFS_PQ_PHYSICAL;
        if (i == 1)
            v[0].ptr = high;
        struct tsfs_pq_chunk_values values = {.vec = {.type = TSFS_VARCHAR, .s = v}};
        assert_int_equal(write_one(&file, &c, &values, 1, 1, &err), 0);
        struct tsfs_pq_chunk *chunk = open_one(&file, &r);
        const struct tsfs_pq_stats *s = &tsfs_pq_reader_info(r)->groups[0].chunks[0].stats;
        assert_true(tsfs_str_cmp(s->min.s, v[0]) <= 0);
        assert_true(tsfs_str_cmp(s->max.s, v[0]) >= 0);
        assert_int_equal(s->min.s.len, 64);
        assert_false(s->min_exact);
        if (i == 0) {
            assert_int_equal(s->max.s.len, 64);
            assert_int_equal(s->max.s.ptr[63], 'y');
            assert_false(s->max_exact);
        } else if (i == 1) {
            assert_int_equal(s->max.s.len, 200);
            assert_true(s->max_exact);
        }
        tsfs_pq_chunk_close(chunk);
        tsfs_pq_reader_close(r);
        tsfs_buf_free(&file);
    }
}

static void test_refused_values(void **unused)
{
    static const int64_t wide[] = {1, INT64_C(1) << 40};
    static const uint64_t second[] = {2};
    static const uint32_t gap[] = {1, 1}, shorter[] = {1};
    static const struct tsfs_str s[] = {{"a", 1}, {"b", 1}};
    struct tsfs_pq_column narrow = column("n", TSFS_PQ_INT32, true),
                          wanted = column("r", TSFS_PQ_INT64, false),
                          text = column("s", TSFS_PQ_BYTE_ARRAY, true);
    struct tsfs_pq_chunk_values v = {.vec = {.type = TSFS_BIGINT, .i = wide}};
    struct tsfs_buf file = {0};
    struct tsfs_error err = {0};
    assert_int_equal(write_one(&file, &narrow, &v, 2, 2, &err), -ERANGE);
    assert_non_null(strstr(err.message, "\"n\""));
    tsfs_error_clear(&err);
    v.vec.valid = second;
    assert_int_equal(write_one(&file, &wanted, &v, 2, 2, &err), -EINVAL);
    assert_non_null(strstr(err.message, "NULL"));
    tsfs_error_clear(&err);
    assert_int_equal(write_one(&file, &text, &v, 2, 2, &err), -EINVAL);
    assert_non_null(strstr(err.message, "varchar"));
    v = (struct tsfs_pq_chunk_values){.vec = {.type = TSFS_VARCHAR, .s = s}, .run_end = gap, .nruns = 2};
    assert_int_equal(write_one(&file, &text, &v, 2, 2, NULL), -EINVAL);
    v.run_end = shorter;
    v.nruns = 1;
    assert_int_equal(write_one(&file, &text, &v, 2, 2, NULL), -EINVAL);
    struct tsfs_pq_column bad = text;
    bad.logical = TSFS_PQ_TIMESTAMP;
    assert_int_equal(write_one(&file, &bad, &v, 2, 2, NULL), -EINVAL);
    tsfs_buf_free(&file);
}

struct failing {
    size_t left;
};

static int failing_write(void *ctx, const void *data, size_t len)
{
    struct failing *f = ctx;
    if (len > f->left)
        return -ENOSPC;
    f->left -= len;
    return 0;
}

/* A full disk at any byte: -ENOSPC comes out, and the writer takes nothing more. */
static void test_sink_errors(void **unused)
{
    static const int64_t v[] = {1, 2, 3};
    static const uint32_t end[] = {3};
    struct tsfs_pq_chunk_values values = {.vec = {.type = TSFS_BIGINT, .i = v}};
    struct tsfs_pq_column c = column("x", TSFS_PQ_INT64, true);
    c.bloom = true;
    for (size_t room = 0;; room++) {
        struct failing f = {room};
        struct tsfs_pq_sink sink = {failing_write, &f};
        struct tsfs_pq_writer *w = NULL;
        struct tsfs_error err = {0};
        struct tsfs_pq_writer_options o = {.columns = &c, .ncolumns = 1};
        int r = tsfs_pq_writer_create(&o, sink, &w, &err);
        if (!r)
            r = tsfs_pq_writer_begin_group(w, 3, end, 1, &err);
        if (!r)
            r = tsfs_pq_writer_column(w, &values, &err);
        if (!r)
            r = tsfs_pq_writer_end_group(w, &err);
        if (!r)
            r = tsfs_pq_writer_finish(w, NULL, 0, &err);
        if (r && w)
            assert_int_equal(tsfs_pq_writer_finish(w, NULL, 0, NULL), -EINVAL);
        tsfs_pq_writer_free(w);
        if (!r)
            break;
        assert_int_equal(r, -ENOSPC);
        assert_int_equal(err.code, -ENOSPC);
    }
}

static void test_order_of_calls(void **unused)
{
    static const int64_t v[] = {1};
    static const uint32_t end[] = {1}, wrong[] = {2};
    struct tsfs_pq_chunk_values values = {.vec = {.type = TSFS_BIGINT, .i = v}};
    struct tsfs_pq_column c[] = {column("x", TSFS_PQ_INT64, true), column("y", TSFS_PQ_INT64, true)};
    struct tsfs_pq_writer_options o = {.columns = c, .ncolumns = 2};
    for (int step = 0; step < 5; step++) {
        struct tsfs_buf file = {0};
        struct tsfs_pq_writer *w;
        struct tsfs_pq_encoded *e;
        assert_int_equal(tsfs_pq_writer_create(&o, memory_sink(&file), &w, NULL), 0);
        if (step == 0) {
            assert_int_equal(tsfs_pq_writer_column(w, &values, NULL), -EINVAL);
        } else if (step == 1) {
            assert_int_equal(tsfs_pq_writer_begin_group(w, 1, wrong, 1, NULL), -EINVAL);
        } else {
            assert_int_equal(tsfs_pq_writer_begin_group(w, 1, end, 1, NULL), 0);
            if (step == 2)
                assert_int_equal(tsfs_pq_writer_end_group(w, NULL), -EINVAL);
            if (step == 3)
                assert_int_equal(tsfs_pq_writer_raw(w, "x", 1, NULL), -EINVAL);
            if (step == 4) { /* columns must come in order */
                assert_int_equal(tsfs_pq_writer_encode(w, 1, &values, &e, NULL), 0);
                assert_int_equal(tsfs_pq_writer_append(w, e, NULL), -EINVAL);
            }
        }
        assert_int_equal(tsfs_pq_writer_finish(w, NULL, 0, NULL), -EINVAL);
        tsfs_pq_writer_free(w);
        tsfs_buf_free(&file);
    }
}

/* Reads everything; 0 or the first error. */
static int read_everything(struct tsfs_buf *file, struct tsfs_error *err)
{
    struct tsfs_pq_reader *r = NULL;
    struct tsfs_pq_scratch *s = NULL;
    struct tsfs_arena arena;
    tsfs_arena_init(&arena, NULL);
    int code = tsfs_pq_scratch_create(&s);
    if (!code)
        code = tsfs_pq_reader_open(memory_input(file), &r, err);
    for (uint32_t g = 0; !code && g < tsfs_pq_reader_info(r)->ngroups; g++) {
        for (uint32_t c = 0; !code && c < tsfs_pq_reader_info(r)->ncolumns; c++) {
            struct tsfs_pq_chunk *chunk = NULL;
            struct tsfs_vec vec;
            const struct tsfs_pq_stats *stats;
            uint32_t n;
            code = tsfs_pq_chunk_open(r, g, c, &chunk, err);
            if (code)
                break;
            code = tsfs_pq_chunk_stats(chunk, &stats, err);
            tsfs_pq_chunk_pages(chunk, &n);
            for (uint32_t p = 0; p < n && !code; p++)
                code = tsfs_pq_chunk_read(chunk, p, s, &arena, &vec, err);
            tsfs_pq_chunk_close(chunk);
        }
    }
    tsfs_pq_reader_close(r);
    tsfs_pq_scratch_free(s);
    tsfs_arena_free(&arena);
    return code;
}

static void make_sample(struct tsfs_buf *file)
{
    int64_t v[3000];
    uint64_t valid[47];
    struct tsfs_pq_column c = column("x", TSFS_PQ_INT64, true);
    struct tsfs_pq_chunk_values values = {.vec = {.type = TSFS_BIGINT, .i = v, .valid = valid}};
    for (int i = 0; i < 3000; i++)
        v[i] = i * i % 977;
    for (int i = 0; i < 47; i++)
        valid[i] = UINT64_C(0x9E3779B97F4A7C15) * (uint64_t)(i + 1);
    assert_int_equal(write_one(file, &c, &values, 3000, 100, NULL), 0);
}

/* A flipped bit in any page is caught by its checksum or before; a cut file is never accepted. */
static void test_damage(void **unused)
{
    struct tsfs_buf file = {0};
    make_sample(&file);
    struct tsfs_pq_reader *r;
    struct tsfs_pq_chunk *c = open_one(&file, &r);
    uint32_t n;
    const struct tsfs_pq_page *pages = tsfs_pq_chunk_pages(c, &n);
    uint64_t end = pages[n - 1].offset + pages[n - 1].size;
    uint64_t body[64];
    for (uint32_t p = 0; p < n; p++)
        body[p] = pages[p].offset + 40; /* past any header */
    tsfs_pq_chunk_close(c);
    tsfs_pq_reader_close(r);
    assert_int_equal(read_everything(&file, NULL), 0);
    for (uint32_t p = 0; p < n; p++) {
        struct tsfs_error err = {0};
        file.data[body[p]] ^= 4;
        assert_int_equal(read_everything(&file, &err), -EINVAL);
        assert_non_null(strstr(err.message, "checksum"));
        file.data[body[p]] ^= 4;
    }
    for (uint64_t at = 4; at < end; at += 7) {
        file.data[at] ^= 0x10;
        int code = read_everything(&file, NULL); /* a header's spare fields may be harmless */
        assert_true(code == 0 || code == -EINVAL || code == -ENOTSUP);
        file.data[at] ^= 0x10;
    }
    for (size_t at = end; at < file.len;
         at++) { /* footer and indexes have no checksum: no crash is all one can ask */
        file.data[at] ^= 0x21;
        (void)read_everything(&file, NULL);
        file.data[at] ^= 0x21;
    }
    size_t whole = file.len;
    for (file.len = 0; file.len < whole; file.len += 1 + whole / 500)
        assert_int_equal(read_everything(&file, NULL), -EINVAL);
    file.len = whole;
    tsfs_buf_free(&file);
}

static void test_not_parquet(void **unused)
{
    struct tsfs_pq_reader *r;
    static const struct {
        const char *bytes;
        size_t n;
        int code;
        const char *says;
    } cases[] = {
        {"", 0, -EINVAL, "0 bytes"},
        {"PAR1", 4, -EINVAL, "4 bytes"},
        {"time,value\n1,2\n3,4\n", 19, -EINVAL, "PAR1"},
        {"PAR1\xff\xff\xff\x7fPAR1", 12, -EINVAL, "footer"},
        {"PARE\x00\x00\x00\x00PARE", 12, -ENOTSUP, "encrypted"},
        {"PAR1\x00\x00\x00\x00PAR1", 12, -EINVAL, "footer"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct tsfs_error err = {0};
        struct tsfs_buf file = {.data = (char *)cases[i].bytes, .len = cases[i].n};
        assert_int_equal(tsfs_pq_reader_open(memory_input(&file), &r, &err), cases[i].code);
        assert_non_null(strstr(err.message, cases[i].says));
    }
}

#define THREADS 4

struct sharing {
    struct tsfs_pq_writer *w;
    struct tsfs_pq_encoded *encoded;
    const int64_t *values;
    struct tsfs_pq_chunk *chunk;
    uint32_t column;
    int bad;
};

static void *encode_one(void *arg)
{
    struct sharing *s = arg;
    struct tsfs_pq_chunk_values v = {.vec = {.type = TSFS_BIGINT, .i = s->values}};
    s->bad = tsfs_pq_writer_encode(s->w, s->column, &v, &s->encoded, NULL);
    return NULL;
}

static void *read_shared(void *arg)
{
    struct sharing *s = arg;
    struct tsfs_pq_scratch *scratch;
    struct tsfs_arena arena;
    struct tsfs_vec vec;
    const struct tsfs_pq_stats *stats;
    bool maybe = false;
    uint32_t n;
    tsfs_arena_init(&arena, NULL);
    s->bad = tsfs_pq_scratch_create(&scratch);
    const struct tsfs_pq_page *pages = tsfs_pq_chunk_pages(s->chunk, &n);
    for (uint32_t p = 0; p < n && !s->bad; p++) {
        s->bad = tsfs_pq_chunk_read(s->chunk, p, scratch, &arena, &vec, NULL);
        for (uint32_t i = 0; i < pages[p].nrows && !s->bad; i++)
            s->bad = vec.i[vec.constant ? 0 : i] != s->values[pages[p].first_row + i];
        if (!s->bad)
            s->bad = tsfs_pq_chunk_stats(s->chunk, &stats, NULL) || !stats[p].has_min;
        struct tsfs_value v = {.type = TSFS_BIGINT, .i = s->values[p]};
        if (!s->bad)
            s->bad = tsfs_pq_chunk_bloom(s->chunk, v, &maybe, NULL) || !maybe;
    }
    tsfs_pq_scratch_free(scratch);
    tsfs_arena_free(&arena);
    return NULL;
}

/* Columns encoded side by side and a chunk read by several threads at once (for ThreadSanitizer above all).
 */
static void test_threads(void **unused)
{
    enum { N = 4000 };
    static int64_t v[N];
    static const uint32_t ends[] = {1000, 2000, 3000, N};
    struct tsfs_pq_column columns[THREADS];
    char names[THREADS][2] = {"a", "b", "c", "d"};
    struct tsfs_pq_writer_options o = {.columns = columns, .ncolumns = THREADS};
    struct sharing sharing[THREADS] = {0};
    pthread_t threads[THREADS];
    struct tsfs_buf file = {0};
    struct tsfs_pq_reader *r;
    for (int i = 0; i < N; i++)
        v[i] = i % 7 * INT64_C(1000000007) * (i % 13);
    for (int i = 0; i < THREADS; i++) {
        columns[i] = column(names[i], TSFS_PQ_INT64, true);
        columns[i].bloom = true;
    }
    struct tsfs_pq_writer *w;
    assert_int_equal(tsfs_pq_writer_create(&o, memory_sink(&file), &w, NULL), 0);
    assert_int_equal(tsfs_pq_writer_begin_group(w, N, ends, 4, NULL), 0);
    for (uint32_t i = 0; i < THREADS; i++) {
        sharing[i] = (struct sharing){.w = w, .values = v, .column = i};
        assert_int_equal(pthread_create(&threads[i], NULL, encode_one, &sharing[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(sharing[i].bad, 0);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(tsfs_pq_writer_append(w, sharing[i].encoded, NULL), 0);
    assert_int_equal(tsfs_pq_writer_end_group(w, NULL), 0);
    assert_int_equal(tsfs_pq_writer_finish(w, NULL, 0, NULL), 0);
    tsfs_pq_writer_free(w);

    struct tsfs_pq_chunk *c = open_one(&file, &r);
    for (int i = 0; i < THREADS; i++) {
        sharing[i].chunk = c;
        assert_int_equal(pthread_create(&threads[i], NULL, read_shared, &sharing[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(sharing[i].bad, 0);
    }
    tsfs_pq_chunk_close(c);
    tsfs_pq_reader_close(r);
    tsfs_buf_free(&file);
}

/* A file of n integers, as `pattern` has them, of a column with that habit; read back.  Returns its size. */
static size_t file_with_habit(struct tsfs_pq_habit *habit, uint32_t n, unsigned pattern, unsigned seed)
{
    static int64_t values[4096];
    struct tsfs_pq_column c = column("v", TSFS_PQ_INT64, false);
    struct tsfs_pq_chunk_values v = {.vec = {.type = TSFS_BIGINT, .i = values}};
    struct tsfs_buf file = {0};
    struct tsfs_error err = {0};
    struct tsfs_pq_reader *r;
    struct tsfs_arena arena;
    struct tsfs_vec got;
    uint64_t x = 88172645463325252u + seed;
    for (uint32_t i = 0; i < n; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        values[i] = pattern == 0   ? 50 + (int64_t)(x % 5) /* few values */
                    : pattern == 1 ? (int64_t)i * 1000 + (int64_t)seed
                                   : (int64_t)x;
    }
    c.habit = habit;
    assert_int_equal(write_one(&file, &c, &v, n, n, &err), 0);
    struct tsfs_pq_chunk *chunk = open_one(&file, &r);
    struct tsfs_pq_scratch *scratch;
    assert_int_equal(tsfs_pq_scratch_create(&scratch), 0);
    tsfs_arena_init(&arena, NULL);
    assert_int_equal(tsfs_pq_chunk_read(chunk, 0, scratch, &arena, &got, &err), 0);
    assert_memory_equal(got.i, values, n * sizeof(*values));
    tsfs_pq_scratch_free(scratch);
    tsfs_arena_free(&arena);
    tsfs_pq_chunk_close(chunk);
    tsfs_pq_reader_close(r);
    size_t size = file.len;
    tsfs_buf_free(&file);
    return size;
}

/* Files written from habit are as small as those that were tried in all ways, also when the data change. */
static void test_habits(void **unused)
{
    struct tsfs_pq_habit habit = {0};
    uint64_t learnt = 0;
    for (unsigned seed = 0; seed < 100; seed++) {
        size_t with = file_with_habit(&habit, 1000, 0, seed), without = file_with_habit(NULL, 1000, 0, seed);
        assert_true(with <= without + without / 50);
        if (seed == 0)
            learnt = habit.what;
        assert_int_not_equal(learnt, 0);
    }
    assert_true(file_with_habit(&habit, 1000, 2, 0) <= file_with_habit(NULL, 1000, 2, 0) * 9 / 8);
    for (unsigned pattern = 0; pattern < 3; pattern++) {
        for (unsigned seed = 0; seed < 3; seed++) { /* the first may be larger; it ends the habit */
            size_t with = file_with_habit(&habit, 1000, pattern, seed);
            assert_true(seed == 0 || with <= file_with_habit(NULL, 1000, pattern, seed) * 51 / 50);
        }
    }
    /* other numbers of values than it was learnt from; whatever stands there */
    for (uint32_t n = 1; n <= 4096; n *= 2)
        assert_int_equal(file_with_habit(&habit, n, 1, 1), file_with_habit(NULL, n, 1, 1));
    for (unsigned way = 0; way < 32; way++) {
        habit.what = learnt;
        (void)file_with_habit(&habit, 1000, way % 3, 9);
        habit.what = (learnt & ~UINT64_C(0x1f)) | way;
        (void)file_with_habit(&habit, 1000, way % 3, 9);
    }
}

/* Doubles of `distinct` values, all equally likely: back bit for bit; the bytes of their file, and how many
 * entries its dictionary has. */
static size_t file_of_doubles(uint32_t distinct, uint32_t *entries)
{
    enum { ROWS = 40000 };
    static double values[ROWS];
    struct tsfs_pq_column c = column("v", TSFS_PQ_DOUBLE, true);
    struct tsfs_pq_chunk_values v = {.vec = {.type = TSFS_DOUBLE, .d = values}};
    struct tsfs_buf file = {0};
    struct tsfs_error err = {0};
    struct tsfs_pq_reader *r;
    struct tsfs_pq_scratch *scratch;
    struct tsfs_arena arena;
    struct tsfs_vec got;
    uint64_t x = 88172645463325252u;
    for (uint32_t i = 0; i < ROWS; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        values[i] = (double)(x % distinct) / 100 - 20;
    }
    assert_int_equal(write_one(&file, &c, &v, ROWS, 8192, &err), 0);
    struct tsfs_pq_chunk *chunk = open_one(&file, &r);
    assert_int_equal(tsfs_pq_scratch_create(&scratch), 0);
    tsfs_arena_init(&arena, NULL);
    for (uint32_t p = 0, at = 0; at < ROWS; p++, at += 8192) {
        assert_int_equal(tsfs_pq_chunk_read(chunk, p, scratch, &arena, &got, &err), 0);
        assert_memory_equal(got.d, values + at, (ROWS - at < 8192 ? ROWS - at : 8192) * sizeof(*values));
    }
    *entries = 0;
    assert_int_equal(tsfs_pq_chunk_dictionary(chunk, &got, entries, &err), 0);
    tsfs_pq_scratch_free(scratch);
    tsfs_arena_free(&arena);
    tsfs_pq_chunk_close(chunk);
    tsfs_pq_reader_close(r);
    size_t size = file.len;
    tsfs_buf_free(&file);
    return size;
}

/* Codes of doubles need not be as long as the next whole bit. */
static void test_even_codes(void **unused)
{
    uint32_t entries;
    assert_true(file_of_doubles(2100, &entries) <
                40000 * 11.2 / 8 + 7000);     /* 2^11.04; 12 bits are 60,000 bytes */
    assert_int_equal(entries, 45 * 256 + 30); /* 2100 = 45 * 46 + 30 */
    (void)file_of_doubles(250, &entries);
    assert_int_equal(entries, 250);
    (void)file_of_doubles(257, &entries);
    (void)file_of_doubles(1024, &entries);
    (void)file_of_doubles(4097, &entries);
}

enum { JOINT_ROWS = 20000, JOINT_PAGE = 8192 };

/* Every third row has a value, and every page is of version 1. */
static void check_joint(struct tsfs_pq_column c, struct tsfs_vec vec)
{
    static uint64_t valid[JOINT_ROWS / 64 + 1];
    struct tsfs_buf file = {0};
    struct tsfs_error err = {0};
    struct tsfs_pq_reader *r;
    struct tsfs_pq_scratch *scratch;
    struct tsfs_arena arena;
    for (uint32_t i = 0; i < JOINT_ROWS; i += 3)
        tsfs_bit_set(valid, i);
    vec.valid = valid;
    struct tsfs_pq_chunk_values v = {.vec = vec};
    assert_int_equal(write_one(&file, &c, &v, JOINT_ROWS, JOINT_PAGE, &err), 0);
    struct tsfs_pq_chunk *chunk = open_one(&file, &r);
    assert_int_equal(tsfs_pq_scratch_create(&scratch), 0);
    tsfs_arena_init(&arena, NULL);
    for (uint32_t p = 0, at = 0; at < JOINT_ROWS; p++) {
        uint32_t npages;
        const struct tsfs_pq_page *place = &tsfs_pq_chunk_pages(chunk, &npages)[p];
        const char *header = file.data + place->offset;
        struct tsfs_vec got;
        assert_int_equal(header[0], 0x15); /* the first field, an i32: the page's type ... */
        assert_int_equal(header[1], 0);    /* ... DATA_PAGE */
        assert_int_equal(tsfs_pq_chunk_read(chunk, p, scratch, &arena, &got, &err), 0);
        for (uint32_t i = 0; i < place->nrows; i++, at++) {
            assert_int_equal(tsfs_vec_null(&got, i), at % 3 != 0);
            if (at % 3 != 0)
                continue;
            struct tsfs_value want = tsfs_vec_get(&vec, at), have = tsfs_vec_get(&got, i);
            if (vec.type == TSFS_VARCHAR)
                assert_true(tsfs_str_eq(want.s, have.s));
            else
                assert_true(vec.type == TSFS_BOOLEAN ? want.b == have.b : want.i == have.i);
        }
    }
    tsfs_pq_scratch_free(scratch);
    tsfs_arena_free(&arena);
    tsfs_pq_chunk_close(chunk);
    tsfs_pq_reader_close(r);
    tsfs_buf_free(&file);
}

/* Scattered NULLs: levels and values lie in one frame, whatever the values are written as. */
static void test_joint_pages(void **unused)
{
    static uint8_t flags[JOINT_ROWS];
    static int64_t few[JOINT_ROWS], walk[JOINT_ROWS], narrow[JOINT_ROWS];
    static double noise[JOINT_ROWS], even[JOINT_ROWS];
    static struct tsfs_str words[JOINT_ROWS], keys[JOINT_ROWS];
    static char text[JOINT_ROWS][24];
    uint64_t x = 88172645463325252u;
    for (uint32_t i = 0; i < JOINT_ROWS; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        flags[i] = x & 1;
        few[i] = (int64_t)(x % 7) << 40;
        walk[i] = (i ? walk[i - 1] : 0) + (int64_t)(x % 9) - 4;
        narrow[i] = (int32_t)x;
        noise[i] = (double)(int64_t)x * 1e-7;
        even[i] = (double)(x % 2100) / 100;
        words[i] = x & 64 ? TSFS_STR("running") : TSFS_STR("idle");
        keys[i] = (struct tsfs_str){
            text[i], (size_t)snprintf(text[i], sizeof(text[i]), "%016llx", (unsigned long long)x)};
    }
    struct tsfs_pq_column bools = column("v", TSFS_PQ_BOOLEAN, true);
    struct tsfs_pq_column shorts = column("v", TSFS_PQ_INT32, true);
    struct tsfs_pq_column ints = column("v", TSFS_PQ_INT64, true);
    struct tsfs_pq_column doubles = column("v", TSFS_PQ_DOUBLE, true);
    struct tsfs_pq_column strings = column("v", TSFS_PQ_BYTE_ARRAY, true);
    strings.logical = TSFS_PQ_STRING;
    check_joint(bools, (struct tsfs_vec){.type = TSFS_BOOLEAN, .b = flags});
    check_joint(shorts, (struct tsfs_vec){.type = TSFS_BIGINT, .i = narrow});
    check_joint(ints, (struct tsfs_vec){.type = TSFS_BIGINT, .i = few});
    check_joint(ints, (struct tsfs_vec){.type = TSFS_BIGINT, .i = walk});
    check_joint(doubles, (struct tsfs_vec){.type = TSFS_DOUBLE, .d = noise});
    check_joint(doubles, (struct tsfs_vec){.type = TSFS_DOUBLE, .d = even});
    check_joint(strings, (struct tsfs_vec){.type = TSFS_VARCHAR, .s = words});
    check_joint(strings, (struct tsfs_vec){.type = TSFS_VARCHAR, .s = keys});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_habits),
        cmocka_unit_test(test_even_codes),
        cmocka_unit_test(test_joint_pages),
        cmocka_unit_test(test_empty_file),
        cmocka_unit_test(test_runs),
        cmocka_unit_test(test_double_stats),
        cmocka_unit_test(test_long_string_stats),
        cmocka_unit_test(test_refused_values),
        cmocka_unit_test(test_sink_errors),
        cmocka_unit_test(test_order_of_calls),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_not_parquet),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
