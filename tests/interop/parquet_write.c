/* Writes Parquet files for other programs to read: parquet_write DIR
 *
 * Beside every DIR/<name>.parquet goes DIR/<name>.jsonl with what is in it, printed from the values
 * themselves: first a line of column names and kinds, then an array a row.  Kinds: b boolean, i integer, d
 * double, s string, t nanoseconds, m<scale> decimal.  A value is null or a string: "true", "-5", "0x<bits of
 * the double>" ("nan" for any NaN), text. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/random.h"
#include "base/arena.h"
#include "col/vec.h"
#include "parquet/writer.h"

#define MAX_COLUMNS 16

struct column_data {
    struct tsfs_pq_column column;
    char kind[4];
    struct tsfs_value *rows;
    bool runs; /* give the chunk as runs */
};

struct file {
    struct tsfs_arena arena;
    uint32_t nrows, ncolumns, group_rows, page_rows;
    struct column_data columns[MAX_COLUMNS];
    FILE *out;
};

static uint64_t state = 7;

static uint32_t below(uint32_t n)
{
    return (uint32_t)((test_random(&state) >> 32) * n >> 32);
}

static int file_write(void *ctx, const void *data, size_t len)
{
    return fwrite(data, 1, len, ctx) == len ? 0 : -EIO;
}

static struct column_data *add(struct file *f, const char *name, enum tsfs_pq_physical physical,
                               const char *kind)
{
    struct column_data *c = &f->columns[f->ncolumns++];
    *c =
        (struct column_data){.column = {.name = tsfs_str_from(name), .physical = physical, .optional = true}};
    snprintf(c->kind, sizeof(c->kind), "%s", kind);
    if (kind[0] == 's')
        c->column.logical = TSFS_PQ_STRING;
    if (kind[0] == 't') {
        c->column.logical = TSFS_PQ_TIMESTAMP;
        c->column.unit = TSFS_PQ_NANOS;
        c->column.utc = true;
    }
    if (kind[0] == 'm') {
        c->column.logical = TSFS_PQ_DECIMAL;
        c->column.precision = physical == TSFS_PQ_INT32 ? 9 : 18;
        c->column.scale = (uint8_t)atoi(kind + 1);
    }
    c->rows = TSFS_NEW_ARRAY(&f->arena, struct tsfs_value, f->nrows);
    if (!c->rows)
        exit(1);
    static const enum tsfs_type types[] = {[TSFS_PQ_BOOLEAN] = TSFS_BOOLEAN,
                                           [TSFS_PQ_INT32] = TSFS_BIGINT,
                                           [TSFS_PQ_INT64] = TSFS_BIGINT,
                                           [TSFS_PQ_DOUBLE] = TSFS_DOUBLE,
                                           [TSFS_PQ_BYTE_ARRAY] = TSFS_VARCHAR};
    for (uint32_t i = 0; i < f->nrows; i++)
        c->rows[i].type = types[physical];
    return c;
}

static void print_value(FILE *out, const struct tsfs_value *v)
{
    if (v->null) {
        fputs("null", out);
        return;
    }
    fputc('"', out);
    switch (v->type) {
    case TSFS_BOOLEAN: fputs(v->b ? "true" : "false", out); break;
    case TSFS_DOUBLE:
        if (isnan(v->d))
            fputs("nan", out);
        else
            fprintf(out, "0x%016llx", (unsigned long long)v->i);
        break;
    case TSFS_VARCHAR:
        for (size_t i = 0; i < v->s.len; i++) {
            unsigned char c = (unsigned char)v->s.ptr[i];
            if (c < 0x20 || c == '"' || c == '\\')
                fprintf(out, "\\u%04x", c);
            else
                fputc(c, out);
        }
        break;
    default: fprintf(out, "%lld", (long long)v->i);
    }
    fputc('"', out);
}

static int print_rows(struct file *f, const char *dir, const char *name)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s.jsonl", dir, name);
    FILE *out = fopen(path, "w");
    if (!out)
        return 1;
    fputc('[', out);
    for (uint32_t c = 0; c < f->ncolumns; c++)
        fprintf(out, "%s[\"%s\",\"%s\"]", c ? "," : "", f->columns[c].column.name.ptr, f->columns[c].kind);
    fputs("]\n", out);
    for (uint32_t i = 0; i < f->nrows; i++) {
        for (uint32_t c = 0; c < f->ncolumns; c++) {
            fputc(c ? ',' : '[', out);
            print_value(out, &f->columns[c].rows[i]);
        }
        fputs("]\n", out);
    }
    return fclose(out) != 0;
}

/* Rows [from, from + n) as a chunk. */
static int put_chunk(struct file *f, struct tsfs_pq_writer *w, struct column_data *c, uint32_t from,
                     uint32_t n, struct tsfs_error *err)
{
    enum tsfs_type type = c->rows[from].type;
    size_t width = tsfs_type_width(type);
    char *data = tsfs_arena_calloc(&f->arena, n, width);
    uint64_t *valid = TSFS_NEW_ARRAY(&f->arena, uint64_t, tsfs_bit_words(n));
    uint32_t *end = TSFS_NEW_ARRAY(&f->arena, uint32_t, n), k = 0;
    if (!data || !valid || !end)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++) {
        const struct tsfs_value *v = &c->rows[from + i];
        if (c->runs && i && v->null == v[-1].null && (v->null || tsfs_str_eq(v->s, v[-1].s))) {
            end[k - 1] = i + 1;
            continue;
        }
        if (!v->null) {
            tsfs_bit_set(valid, k);
            memcpy(data + k * width, &v->i, width);
        }
        end[k++] = i + 1;
    }
    struct tsfs_pq_chunk_values values = {.vec = {.type = type, .data = data, .valid = valid},
                                          .run_end = c->runs ? end : NULL,
                                          .nruns = c->runs ? k : 0};
    return tsfs_pq_writer_column(w, &values, err);
}

static int write_file(struct file *f, const char *dir, const char *name)
{
    char path[4096];
    struct tsfs_error err = {0};
    struct tsfs_pq_writer *w = NULL;
    struct tsfs_pq_column columns[MAX_COLUMNS];
    struct tsfs_pq_sorting sorting[] = {{.column = 0}};
    struct tsfs_pq_kv kv[] = {{TSFS_STR("tsfs.test"), TSFS_STR("a value")}};
    snprintf(path, sizeof(path), "%s/%s.parquet", dir, name);
    f->out = fopen(path, "wb");
    if (!f->out)
        return 1;
    for (uint32_t c = 0; c < f->ncolumns; c++)
        columns[c] = f->columns[c].column;
    struct tsfs_pq_writer_options options = {.columns = columns,
                                             .ncolumns = f->ncolumns,
                                             .sorting = sorting,
                                             .nsorting = 1,
                                             .created_by = TSFS_STR("tsfs version 0.1.0 (build test)")};
    int r = tsfs_pq_writer_create(&options, (struct tsfs_pq_sink){file_write, f->out}, &w, &err);
    for (uint32_t from = 0; from < f->nrows && !r; from += f->group_rows) {
        uint32_t n = f->nrows - from < f->group_rows ? f->nrows - from : f->group_rows, pages = 0;
        uint32_t *end = TSFS_NEW_ARRAY(&f->arena, uint32_t, n);
        for (uint32_t at = 0; at < n; at = end[pages - 1])
            end[pages++] = at + f->page_rows < n ? at + f->page_rows : n;
        r = tsfs_pq_writer_begin_group(w, n, end, pages, &err);
        for (uint32_t c = 0; c < f->ncolumns && !r; c++)
            r = put_chunk(f, w, &f->columns[c], from, n, &err);
        if (!r)
            r = tsfs_pq_writer_end_group(w, &err);
    }
    if (!r)
        r = tsfs_pq_writer_raw(w, "bytes that are nobody else's business", 37, &err);
    if (!r)
        r = tsfs_pq_writer_finish(w, kv, 1, &err);
    tsfs_pq_writer_free(w);
    if (fclose(f->out) || r) {
        fprintf(stderr, "%s: %s\n", path, err.message);
        return 1;
    }
    r = print_rows(f, dir, name);
    tsfs_arena_free(&f->arena);
    return r;
}

/* Every type, encodings that the writer takes to, NULLs here and there, several groups and pages. */
static int write_types(const char *dir)
{
    struct file f = {.nrows = 20000, .group_rows = 7000, .page_rows = 999};
    tsfs_arena_init(&f.arena, NULL);
    struct column_data *host = add(&f, "host", TSFS_PQ_BYTE_ARRAY, "s");
    struct column_data *time = add(&f, "time", TSFS_PQ_INT64, "t");
    struct column_data *flag = add(&f, "flag", TSFS_PQ_BOOLEAN, "b");
    struct column_data *small = add(&f, "small", TSFS_PQ_INT32, "i");
    struct column_data *walk = add(&f, "walk", TSFS_PQ_INT64, "i");
    struct column_data *few = add(&f, "few", TSFS_PQ_INT64, "i");
    struct column_data *price = add(&f, "price", TSFS_PQ_INT64, "m2");
    struct column_data *cents = add(&f, "cents", TSFS_PQ_INT32, "m3");
    struct column_data *level = add(&f, "level", TSFS_PQ_DOUBLE, "d");
    struct column_data *noise = add(&f, "noise", TSFS_PQ_DOUBLE, "d");
    struct column_data *text = add(&f, "text", TSFS_PQ_BYTE_ARRAY, "s");
    struct column_data *path = add(&f, "path", TSFS_PQ_BYTE_ARRAY, "s");
    struct column_data *state_column = add(&f, "state", TSFS_PQ_BYTE_ARRAY, "s");
    static const char *const states[] = {"on", "off", "", "h\xc3\xa9las \xf0\x9f\x8c\xb1"};
    int64_t w = 0, money = 100000;
    host->runs = true;
    host->column.bloom = small->column.bloom = noise->column.bloom = path->column.bloom = true;
    time->column.optional = false;
    for (uint32_t i = 0; i < f.nrows; i++) {
        w += below(9) - (int64_t)4;
        money += below(2001) - (int64_t)1000;
        uint32_t series = i / 700;
        host->rows[i].null = series % 10 == 9;
        host->rows[i].s = tsfs_str_from(tsfs_arena_printf(&f.arena, "host-%02u", series));
        time->rows[i].i = INT64_C(1700000000000000000) + (int64_t)(i % 700) * INT64_C(10000000000);
        flag->rows[i].b = i / 50 % 2 || below(10) == 0;
        flag->rows[i].null = below(7) == 0;
        small->rows[i].i = (int32_t)(below(UINT32_MAX) + below(2));
        walk->rows[i].i = w;
        walk->rows[i].null = i / 1000 % 4 == 1;
        few->rows[i].i = (int64_t)below(5) * INT64_C(1000000000000);
        price->rows[i].i = money;
        cents->rows[i].i = (int32_t)(money % 1000000);
        level->rows[i].d = (double)below(1000) / 100;
        level->rows[i].null = below(3) == 0;
        noise->rows[i].d = ((double)below(UINT32_MAX) - 2e9) * 1.0000001 / (1 + below(1000));
        text->rows[i].s =
            tsfs_str_from(tsfs_arena_printf(&f.arena, "%x%x%s", below(UINT32_MAX),
                                            below(1u << (1 + below(30))), i % 3 ? "" : "\xe2\x82\xac"));
        text->rows[i].null = below(11) == 0;
        path->rows[i].s =
            tsfs_str_from(tsfs_arena_printf(&f.arena, "/srv/plant/line-%02u/machine-%06u", i / 4000, i));
        state_column->rows[i].s = tsfs_str_from(states[below(4)]);
    }
    return write_file(&f, dir, "types");
}

/* Pages as the cold tier has them: NULLs that lie scattered, by which levels and values share a frame, and
 * codes of two bytes with gaps in the dictionary. */
static int write_pages(const char *dir)
{
    struct file f = {.nrows = 30000, .group_rows = 16384, .page_rows = 6000};
    tsfs_arena_init(&f.arena, NULL);
    struct column_data *even = add(&f, "even", TSFS_PQ_DOUBLE, "d");
    struct column_data *steps = add(&f, "steps", TSFS_PQ_INT64, "i");
    struct column_data *flag = add(&f, "flag", TSFS_PQ_BOOLEAN, "b");
    struct column_data *narrow = add(&f, "narrow", TSFS_PQ_INT32, "i");
    struct column_data *walk = add(&f, "walk", TSFS_PQ_INT64, "i");
    struct column_data *level = add(&f, "level", TSFS_PQ_DOUBLE, "d");
    struct column_data *noise = add(&f, "noise", TSFS_PQ_DOUBLE, "d");
    struct column_data *price = add(&f, "price", TSFS_PQ_INT64, "m2");
    struct column_data *state_column = add(&f, "state", TSFS_PQ_BYTE_ARRAY, "s");
    struct column_data *text = add(&f, "text", TSFS_PQ_BYTE_ARRAY, "s");
    int64_t w = 0;
    for (uint32_t i = 0; i < f.nrows; i++) {
        w += below(9) - (int64_t)4;
        even->rows[i].d = (double)below(2100) / 100 - 5;
        steps->rows[i].i = (int64_t)below(2100) * INT64_C(1000000007);
        flag->rows[i].b = below(2);
        narrow->rows[i].i = (int32_t)(below(UINT32_MAX) + below(2));
        walk->rows[i].i = w;
        level->rows[i].d = (double)below(2100) / 100;
        noise->rows[i].d = ((double)below(UINT32_MAX) - 2e9) * 1.0000001 / (1 + below(1000));
        price->rows[i].i = w * 25;
        state_column->rows[i].s = tsfs_str_from(below(3) ? "running" : "");
        text->rows[i].s =
            tsfs_str_from(tsfs_arena_printf(&f.arena, "%x%x", below(UINT32_MAX), below(UINT32_MAX)));
        for (uint32_t c = 2; c < f.ncolumns; c++)
            f.columns[c].rows[i].null = i % 24 % (c + 1) != 0;
    }
    return write_file(&f, dir, "pages");
}

/* Extremes, one row a page, NULLs in whole pages and groups. */
static int write_extremes(const char *dir)
{
    static const int64_t ints[] = {INT64_MIN, INT64_MAX, 0, -1, INT64_MAX, INT64_MIN, 1};
    static const int64_t narrow[] = {INT32_MIN, INT32_MAX, 0, -1, INT32_MAX, INT32_MIN, 1};
    const double doubles[] = {INFINITY, -INFINITY, NAN, -0.0, 0.0, 5e-324, 1.7976931348623157e308};
    char *longest = calloc(1, 5000);
    struct file f = {.nrows = 70, .group_rows = 23, .page_rows = 1};
    if (!longest)
        return 1;
    memset(longest, 'z', 4999);
    tsfs_arena_init(&f.arena, NULL);
    struct column_data *i64 = add(&f, "i64", TSFS_PQ_INT64, "i");
    struct column_data *i32 = add(&f, "i32", TSFS_PQ_INT32, "i");
    struct column_data *d = add(&f, "d", TSFS_PQ_DOUBLE, "d");
    struct column_data *s = add(&f, "s", TSFS_PQ_BYTE_ARRAY, "s");
    struct column_data *none = add(&f, "none", TSFS_PQ_DOUBLE, "d");
    struct column_data *no_text = add(&f, "no_text", TSFS_PQ_BYTE_ARRAY, "s");
    struct column_data *no_flag = add(&f, "no_flag", TSFS_PQ_BOOLEAN, "b");
    struct column_data *one = add(&f, "one", TSFS_PQ_BYTE_ARRAY, "s");
    one->runs = true;
    for (uint32_t i = 0; i < f.nrows; i++) {
        i64->rows[i].i = ints[i % 7];
        i32->rows[i].i = narrow[i % 7];
        i32->rows[i].null = i % 2;
        d->rows[i].d = doubles[i % 7];
        s->rows[i].s = i % 3 ? TSFS_STR("") : tsfs_str_from(longest);
        s->rows[i].null = i % 5 == 0;
        none->rows[i].null = no_text->rows[i].null = no_flag->rows[i].null = true;
        one->rows[i].s = TSFS_STR("always");
        one->rows[i].null = i > 40;
    }
    int r = write_file(&f, dir, "extremes");
    free(longest);
    return r;
}

static int write_empty(const char *dir)
{
    struct file f = {0};
    tsfs_arena_init(&f.arena, NULL);
    add(&f, "time", TSFS_PQ_INT64, "t");
    add(&f, "v", TSFS_PQ_DOUBLE, "d");
    return write_file(&f, dir, "empty");
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: parquet_write DIR\n");
        return 2;
    }
    return write_types(argv[1]) || write_pages(argv[1]) || write_extremes(argv[1]) || write_empty(argv[1]);
}
