/* Random tables through writer and reader.
 *
 * Every cell must come back bit by bit, whatever the encoding that was chosen; statistics must bound what
 * they describe and count NULLs and NaNs right; a Bloom filter must know every value; pages must lie where
 * the caller put them.  Values are drawn from families that lead to each encoding: constants, few distinct,
 * steps, random bits, extremes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "../unit/parquet_support.h"
#include "../unit/random.h"
#include "base/utf8.h"
#include "col/vec.h"

#define ROUNDS      400
#define COLUMNS_MAX 6
#define ROWS_MAX    30000

static uint64_t state;

static uint64_t rnd(void)
{
    return test_random(&state) * UINT64_C(0x2545F4914F6CDD1D);
}

static uint32_t below(uint32_t n)
{
    return (uint32_t)((rnd() >> 32) * n >> 32);
}

enum family { CONSTANT, FEW, STEPS, WALK, RANDOM, EXTREMES, DISTINCT, FAMILIES };

struct cells { /* of one column in one group */
    struct tsfs_value *rows;
    const uint32_t *page_end;
};

struct table {
    struct tsfs_arena arena;
    uint32_t ncolumns, ngroups, nrows[4], npages[4];
    uint32_t *page_end[4];
    struct tsfs_pq_column columns[COLUMNS_MAX];
    struct cells cells[4][COLUMNS_MAX];
};

static struct tsfs_str random_text(struct tsfs_arena *arena, uint32_t max)
{
    uint32_t n = below(max + 1), at = 0;
    char *p = tsfs_arena_alloc(arena, n + 4);
    assert_non_null(p);
    while (at < n) {
        uint32_t cp = below(8) ? 'a' + below(26) : below(4) ? 0x80 + below(0x700) : below(0x110000);
        at += tsfs_utf8_encode(cp, p + at);
    }
    return (struct tsfs_str){p, at};
}

static struct tsfs_value draw(struct table *t, const struct tsfs_pq_column *c, enum family family,
                              uint32_t row, struct tsfs_value before)
{
    static const int64_t ends[] = {INT64_MIN, INT64_MAX, 0, -1, 1, INT64_MIN + 1, INT32_MAX, INT32_MIN};
    static const uint64_t odd[] = {
        0x8000000000000000u, 0, 0x7ff0000000000000u, 0xfff0000000000000u, 0x7ff8000000000000u,
        0xfff8dead0000beefu, 1, 0x7fefffffffffffffu};
    struct tsfs_value v = {0};
    switch (c->physical) {
    case TSFS_PQ_BOOLEAN:
        v.type = TSFS_BOOLEAN;
        v.b = family == CONSTANT ? row < 5 : family == STEPS ? row / 100 % 2 : below(2);
        break;
    case TSFS_PQ_DOUBLE:
        v.type = TSFS_DOUBLE;
        if (family == CONSTANT)
            v.d = -0.0;
        else if (family == FEW)
            v.d = below(20) / 4.0;
        else if (family == STEPS)
            v.d = row * 0.25;
        else if (family == WALK)
            v.d = before.d + ((int)below(201) - 100) / 100.0;
        else if (family == EXTREMES)
            v.i = (int64_t)odd[below(8)];
        else if (family == DISTINCT)
            v.i = 0x4000000000000000 + row;
        else
            v.i = (int64_t)rnd();
        break;
    case TSFS_PQ_BYTE_ARRAY:
        v.type = TSFS_VARCHAR;
        if (family == CONSTANT)
            v.s = TSFS_STR("one");
        else if (family == FEW) {
            static const struct tsfs_str some[] = {{"", 0}, {"a", 1}, {"ab", 2}, {"\xc3\xa9", 2}};
            v.s = some[below(4)];
        } else if (family == STEPS || family == DISTINCT) {
            v.s =
                tsfs_str_from(tsfs_arena_printf(&t->arena, "host-%08u", family == STEPS ? row / 7 : row * 7));
        } else {
            v.s = random_text(&t->arena, family == EXTREMES ? 300 : 12);
        }
        break;
    default:
        v.type = TSFS_BIGINT;
        if (family == CONSTANT)
            v.i = INT64_C(1) << 31;
        else if (family == FEW)
            v.i = (int64_t)(below(10) * 1000003);
        else if (family == STEPS)
            v.i = (int64_t)(row * INT64_C(10000000000));
        else if (family == WALK)
            v.i = before.i + below(9) - 4;
        else if (family == EXTREMES)
            v.i = ends[below(8)];
        else if (family == DISTINCT)
            v.i = row * INT64_C(77777777777);
        else
            v.i = (int64_t)rnd();
        if (c->physical == TSFS_PQ_INT32)
            v.i = (int32_t)v.i;
    }
    return v;
}

static void make_table(struct table *t)
{
    static const enum tsfs_pq_physical physical[] = {TSFS_PQ_BOOLEAN, TSFS_PQ_INT32, TSFS_PQ_INT64,
                                                     TSFS_PQ_DOUBLE, TSFS_PQ_BYTE_ARRAY};
    memset(t, 0, sizeof(*t));
    tsfs_arena_init(&t->arena, NULL);
    t->ncolumns = 1 + below(COLUMNS_MAX);
    t->ngroups = below(4);
    for (uint32_t c = 0; c < t->ncolumns; c++) {
        struct tsfs_pq_column *col = &t->columns[c];
        col->name = tsfs_str_from(tsfs_arena_printf(&t->arena, "c%u", c));
        col->physical = physical[below(5)];
        col->optional = below(3) > 0;
        col->bloom = below(3) == 0;
        if (col->physical == TSFS_PQ_BYTE_ARRAY && below(3)) {
            col->logical = TSFS_PQ_STRING;
        } else if (col->physical == TSFS_PQ_INT64 && below(3) == 0) {
            col->logical = TSFS_PQ_TIMESTAMP;
            col->unit = (enum tsfs_pq_unit)(1 + below(3));
            col->utc = below(2);
        } else if (col->physical == TSFS_PQ_INT64 && below(3) == 0) {
            col->logical = TSFS_PQ_DECIMAL;
            col->precision = 18;
            col->scale = 2;
        }
    }
    for (uint32_t g = 0; g < t->ngroups; g++) {
        uint32_t shape = below(4), most = shape == 0 ? 9 : shape == 1 ? 200 : shape == 2 ? 5000 : ROWS_MAX;
        uint32_t n = t->nrows[g] = 1 + below(most);
        uint32_t rows = below(4) == 0 ? n : 1 + below(n / (1 + below(20)) + 1), end = 0;
        t->page_end[g] = TSFS_NEW_ARRAY(&t->arena, uint32_t, n);
        while (end < n) {
            uint32_t k = below(3) ? rows : 1 + below(rows);
            end = k < n - end ? end + k : n;
            t->page_end[g][t->npages[g]++] = end;
        }
        for (uint32_t c = 0; c < t->ncolumns; c++) {
            struct tsfs_value *v = TSFS_NEW_ARRAY(&t->arena, struct tsfs_value, n);
            enum family family = below(FAMILIES);
            uint32_t nulls = t->columns[c].optional ? below(5) : 0; /* none, few, half, all, long stretches */
            bool gap = false;
            for (uint32_t i = 0; i < n; i++) {
                bool null = nulls == 3 || (nulls == 1 && below(50) == 0) || (nulls == 2 && below(2));
                if (nulls == 4) {
                    gap ^= below(300) == 0;
                    null = gap;
                }
                v[i] = draw(t, &t->columns[c], family, i, i ? v[i - 1] : (struct tsfs_value){0});
                if (i && below(4) == 0 && family != STEPS && family != DISTINCT)
                    v[i] = v[i - 1];
                v[i].null = null;
            }
            t->cells[g][c].rows = v;
        }
    }
}

static bool same(const struct tsfs_value *a, const struct tsfs_value *b)
{
    if (a->null || b->null)
        return a->null == b->null;
    if (a->type == TSFS_VARCHAR)
        return tsfs_str_eq(a->s, b->s);
    if (a->type == TSFS_BOOLEAN)
        return a->b == b->b;
    return a->i == b->i; /* doubles by their bits */
}

/* The rows as a vector: flat, or as the runs of equal rows. */
static void make_values(struct table *t, uint32_t g, uint32_t c, bool runs, struct tsfs_pq_chunk_values *out)
{
    const struct tsfs_value *v = t->cells[g][c].rows;
    uint32_t n = t->nrows[g], k = 0;
    enum tsfs_type type = v[0].type;
    size_t width = tsfs_type_width(type);
    char *data = tsfs_arena_calloc(&t->arena, n, width);
    uint64_t *valid = TSFS_NEW_ARRAY(&t->arena, uint64_t, tsfs_bit_words(n));
    uint32_t *end = TSFS_NEW_ARRAY(&t->arena, uint32_t, n);
    bool any_null = false;
    for (uint32_t i = 0; i < n; i++) {
        if (runs && k && same(&v[i], &v[i - 1]) && below(50)) {
            end[k - 1] = i + 1;
            continue;
        }
        any_null |= v[i].null;
        if (!v[i].null) {
            tsfs_bit_set(valid, k);
            memcpy(data + k * width, &v[i].i, width);
        }
        end[k++] = i + 1;
    }
    *out =
        (struct tsfs_pq_chunk_values){.vec = {.type = type, .data = data, .valid = any_null ? valid : NULL}};
    if (runs) {
        out->run_end = end;
        out->nruns = k;
        if (k == 1 && below(2)) {
            out->run_end = NULL;
            out->vec.constant = true;
        }
    }
}

static void write_table(struct table *t, struct tsfs_buf *file)
{
    struct tsfs_error err = {0};
    struct tsfs_pq_writer *w;
    struct tsfs_pq_writer_options o = {
        .columns = t->columns, .ncolumns = t->ncolumns, .created_by = TSFS_STR("test")};
    assert_int_equal(tsfs_pq_writer_create(&o, memory_sink(file), &w, &err), 0);
    for (uint32_t g = 0; g < t->ngroups; g++) {
        assert_int_equal(tsfs_pq_writer_begin_group(w, t->nrows[g], t->page_end[g], t->npages[g], &err), 0);
        for (uint32_t c = 0; c < t->ncolumns; c++) {
            struct tsfs_pq_chunk_values values;
            make_values(t, g, c, below(2), &values);
            int r = tsfs_pq_writer_column(w, &values, &err);
            if (r)
                fail_msg("%s", err.message);
        }
        assert_int_equal(tsfs_pq_writer_end_group(w, &err), 0);
    }
    assert_int_equal(tsfs_pq_writer_raw(w, "private", 7, &err), 0);
    assert_int_equal(tsfs_pq_writer_finish(w, NULL, 0, &err), 0);
    assert_int_equal(tsfs_pq_writer_offset(w), file->len);
    tsfs_pq_writer_free(w);
}

static int order(const struct tsfs_value *a, const struct tsfs_value *b)
{
    switch (a->type) {
    case TSFS_VARCHAR: return tsfs_str_cmp(a->s, b->s);
    case TSFS_DOUBLE: return (a->d > b->d) - (a->d < b->d);
    case TSFS_BOOLEAN: return a->b - b->b;
    default: return (a->i > b->i) - (a->i < b->i);
    }
}

/* Bounds hold, are tight unless shortened, and the counts are right. */
static void check_stats(const struct tsfs_pq_stats *s, const struct tsfs_value *v, uint32_t n)
{
    uint64_t nulls = 0, nans = 0;
    bool low = false, high = false, any = false;
    for (uint32_t i = 0; i < n; i++) {
        nulls += v[i].null;
        if (v[i].null)
            continue;
        if (v[i].type == TSFS_DOUBLE && v[i].d != v[i].d) {
            nans++;
            continue;
        }
        any = true;
        assert_true(s->has_min && s->has_max);
        assert_true(order(&s->min, &v[i]) <= 0);
        assert_true(order(&s->max, &v[i]) >= 0);
        low |= order(&s->min, &v[i]) == 0;
        high |= order(&s->max, &v[i]) == 0;
    }
    assert_true(s->has_null_count);
    assert_int_equal(s->null_count, nulls);
    if (n && v[0].type == TSFS_DOUBLE) {
        assert_true(s->has_nan_count);
        assert_int_equal(s->nan_count, nans);
    }
    assert_int_equal(s->has_min, any);
    assert_int_equal(s->has_max, any);
    if (any && (v[0].type != TSFS_VARCHAR || s->min.s.len < 60))
        assert_true(low);
    if (any && (v[0].type != TSFS_VARCHAR || s->max.s.len < 60))
        assert_true(high);
    if (s->min_exact)
        assert_true(low);
    if (s->max_exact)
        assert_true(high);
}

static struct tsfs_value cell(const struct tsfs_vec *v, uint32_t i, enum tsfs_type type)
{
    struct tsfs_value out = tsfs_vec_get(v, i);
    if (tsfs_vec_null(v, i)) { /* a slot of NULL is clean */
        if (type == TSFS_VARCHAR)
            assert_null(v->s[v->constant ? 0 : i].ptr);
        else if (tsfs_type_width(type) == 8)
            assert_int_equal(v->i[v->constant ? 0 : i], 0);
    }
    return out;
}

static void check_chunk(struct table *t, struct tsfs_pq_reader *r, uint32_t g, uint32_t c,
                        struct tsfs_pq_scratch *scratch)
{
    const struct tsfs_pq_column *col = &tsfs_pq_reader_info(r)->columns[c];
    const struct tsfs_value *v = t->cells[g][c].rows;
    const struct tsfs_pq_stats *stats;
    struct tsfs_error err = {0};
    struct tsfs_pq_chunk *chunk;
    struct tsfs_vec dictionary, vec;
    struct tsfs_arena arena;
    uint32_t npages, ndict, row = 0;
    tsfs_arena_init(&arena, NULL);
    assert_int_equal(tsfs_pq_chunk_open(r, g, c, &chunk, &err), 0);
    const struct tsfs_pq_page *pages = tsfs_pq_chunk_pages(chunk, &npages);
    assert_int_equal(npages, t->npages[g]);
    check_stats(&tsfs_pq_reader_info(r)->groups[g].chunks[c].stats, v, t->nrows[g]);
    assert_int_equal(tsfs_pq_chunk_stats(chunk, &stats, &err), 0);
    if (!stats)
        assert_int_equal(col->physical, TSFS_PQ_DOUBLE); /* a page of NaN only */
    for (uint32_t p = 0; p < npages; p++) {
        struct tsfs_pq_coded coded;
        assert_int_equal(pages[p].first_row, row);
        assert_int_equal(pages[p].first_row + pages[p].nrows, t->page_end[g][p]);
        assert_int_equal(tsfs_pq_chunk_find(chunk, row), p);
        assert_int_equal(tsfs_pq_chunk_find(chunk, row + pages[p].nrows - 1), p);
        if (stats)
            check_stats(&stats[p], v + row, pages[p].nrows);
        if (tsfs_pq_chunk_read(chunk, p, scratch, &arena, &vec, &err))
            fail_msg("%s", err.message);
        assert_int_equal(vec.type, col->type);
        for (uint32_t i = 0; i < pages[p].nrows; i++) {
            struct tsfs_value got = cell(&vec, i, col->type);
            got.type = v[row + i].type;
            if (!same(&got, &v[row + i]))
                fail_msg("group %u column %u (%s) page %u row %u differs", g, c,
                         tsfs_pq_physical_name(col->physical), p, row + i);
        }
        assert_int_equal(tsfs_pq_chunk_read_coded(chunk, p, scratch, &arena, &coded, &err), 0);
        assert_int_equal(coded.nrows, pages[p].nrows);
        if (coded.index) {
            assert_int_equal(tsfs_pq_chunk_dictionary(chunk, &dictionary, &ndict, &err), 0);
            for (uint32_t i = 0; i < coded.nrows; i++) {
                uint32_t at = coded.constant ? 0 : i;
                assert_true(coded.index[at] < ndict);
                struct tsfs_value got = tsfs_vec_get(&dictionary, coded.index[at]);
                got.type = v[row].type;
                got.null = coded.valid && !tsfs_bit_get(coded.valid, at);
                assert_true(same(&got, &v[row + i]));
            }
        }
        row += pages[p].nrows;
        tsfs_arena_reset(&arena);
    }
    assert_int_equal(row, t->nrows[g]);
    for (uint32_t i = 0; i < t->nrows[g]; i += 1 + below(20)) {
        bool maybe = false;
        struct tsfs_value ask = v[i];
        ask.type = col->type;
        assert_int_equal(tsfs_pq_chunk_bloom(chunk, ask, &maybe, &err), 0);
        assert_true(maybe);
    }
    tsfs_pq_chunk_close(chunk);
    tsfs_arena_free(&arena);
}

static void one_round(void)
{
    struct table t;
    struct tsfs_buf file = {0};
    struct tsfs_error err = {0};
    struct tsfs_pq_reader *r;
    struct tsfs_pq_scratch *scratch;
    make_table(&t);
    write_table(&t, &file);
    if (tsfs_pq_reader_open(memory_input(&file), &r, &err))
        fail_msg("%s", err.message);
    const struct tsfs_pq_info *info = tsfs_pq_reader_info(r);
    assert_int_equal(info->ncolumns, t.ncolumns);
    assert_int_equal(info->ngroups, t.ngroups);
    assert_int_equal(tsfs_pq_scratch_create(&scratch), 0);
    for (uint32_t c = 0; c < t.ncolumns; c++) {
        const struct tsfs_pq_column *a = &t.columns[c], *b = &info->columns[c];
        assert_int_equal(tsfs_pq_reader_find(r, a->name), c);
        assert_int_equal(a->physical, b->physical);
        assert_int_equal(a->logical, b->logical);
        assert_int_equal(a->optional, b->optional);
        assert_int_equal(a->unit, b->unit);
        assert_int_equal(a->utc, b->utc);
        assert_int_equal(a->precision, b->precision);
        assert_int_equal(a->scale, b->scale);
    }
    uint64_t rows = 0;
    for (uint32_t g = 0; g < t.ngroups; g++) {
        assert_int_equal(info->groups[g].nrows, t.nrows[g]);
        assert_int_equal(info->groups[g].first_row, rows);
        rows += t.nrows[g];
        for (uint32_t c = 0; c < t.ncolumns; c++)
            check_chunk(&t, r, g, c, scratch);
    }
    assert_int_equal(info->nrows, rows);
    tsfs_pq_scratch_free(scratch);
    tsfs_pq_reader_close(r);
    tsfs_buf_free(&file);
    tsfs_arena_free(&t.arena);
}

static void test_random_tables(void **unused)
{
    const char *seed = getenv("TSFS_SEED");
    uint64_t first = seed ? strtoull(seed, NULL, 0) : 1;
    for (uint64_t round = 0; round < (seed ? 1 : ROUNDS); round++) {
        state = (first + round) * UINT64_C(0x9E3779B97F4A7C15);
        one_round();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_tables)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
