#include "mock_source.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"

/* A test that cannot set itself up ends at once. */
#define CHECK(cond) ((cond) ? (void)0 : (fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond), abort()))

static _Atomic int open_things, scans;

int mock_open(void)
{
    return open_things;
}

int mock_scans(void)
{
    return scans;
}

uint64_t mock_rand(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* ---- tables ---- */

void mock_table_init(struct mock_table *table, const char *const *dims, uint32_t ndims,
                     const char *const *measures, const enum tsfs_type *types, uint32_t nmeasures,
                     uint32_t nseries)
{
    struct tsfs_schema *base;
    struct tsfs_column *add = calloc(ndims + nmeasures + 1, sizeof(*add));
    CHECK(add != NULL && tsfs_schema_create(&base) == 0);
    for (uint32_t i = 0; i < ndims; i++)
        add[i] = (struct tsfs_column){
            .name = tsfs_str_from(dims[i]), .role = TSFS_ROLE_DIMENSION, .type = TSFS_VARCHAR};
    for (uint32_t i = 0; i < nmeasures; i++)
        add[ndims + i] = (struct tsfs_column){
            .name = tsfs_str_from(measures[i]), .role = TSFS_ROLE_MEASURE, .type = types[i]};
    *table = (struct mock_table){.nseries = nseries};
    tsfs_arena_init(&table->arena, NULL);
    CHECK(tsfs_schema_extend(base, add, ndims + nmeasures, &table->schema, NULL) == 0);
    tsfs_schema_unref(base);
    free(add);
    table->series = TSFS_NEW_ARRAY(&table->arena, struct mock_series, nseries + 1);
    CHECK(table->series != NULL);
    for (uint32_t i = 0; i < nseries; i++) {
        table->series[i].dims = TSFS_NEW_ARRAY(&table->arena, struct tsfs_str, ndims + 1);
        table->series[i].measures = TSFS_NEW_ARRAY(&table->arena, struct mock_measure, nmeasures + 1);
        table->series[i].measure_name = TSFS_STR("m");
        CHECK(table->series[i].dims != NULL && table->series[i].measures != NULL);
    }
}

void mock_table_free(struct mock_table *table)
{
    tsfs_schema_unref(table->schema);
    tsfs_arena_free(&table->arena);
}

struct mock_series *mock_series_rows(struct mock_table *table, uint32_t i, uint32_t nrows, bool nulls)
{
    struct mock_series *s = &table->series[i];
    s->nrows = nrows;
    s->times = TSFS_NEW_ARRAY(&table->arena, int64_t, nrows + 1);
    CHECK(s->times != NULL);
    for (uint16_t m = 0; m < table->schema->nmeasures; m++) {
        enum tsfs_type type = table->schema->cols[table->schema->measures[m]].type;
        s->measures[m].data = tsfs_arena_calloc(&table->arena, nrows + 1, tsfs_type_width(type));
        s->measures[m].valid = nulls ? tsfs_arena_calloc(&table->arena, nrows / 64 + 1, 8) : NULL;
        CHECK(s->measures[m].data != NULL && (!nulls || s->measures[m].valid != NULL));
    }
    return s;
}

void mock_table_cpu(struct mock_table *table, uint32_t hosts, uint32_t rows, int64_t start, int64_t step,
                    bool integers)
{
    static const char *const dims[] = {"hostname", "region"};
    static const char *const measures[] = {"usage_user",   "usage_system",    "usage_idle",    "usage_nice",
                                           "usage_iowait", "usage_irq",       "usage_softirq", "usage_steal",
                                           "usage_guest",  "usage_guest_nice"};
    static const char *const regions[] = {"eu-west-1", "us-east-1", "ap-south-1"};
    enum tsfs_type types[10];
    for (int m = 0; m < 10; m++)
        types[m] = integers ? TSFS_BIGINT : TSFS_DOUBLE;
    mock_table_init(table, dims, 2, measures, types, 10, hosts);
    uint64_t rng = 1;
    for (uint32_t h = 0; h < hosts; h++) {
        struct mock_series *s = mock_series_rows(table, h, rows, false);
        char *name = tsfs_arena_printf(&table->arena, "host_%u", h);
        s->measure_name = TSFS_STR("cpu");
        s->dims[0] = tsfs_str_from(name);
        s->dims[1] = tsfs_str_from(regions[h % 3]);
        double v[10];
        for (int m = 0; m < 10; m++)
            v[m] = (double)(mock_rand(&rng) % 100);
        for (uint32_t r = 0; r < rows; r++) {
            s->times[r] = start + (int64_t)r * step;
            for (int m = 0; m < 10; m++) {
                v[m] += (double)(mock_rand(&rng) % 2001) / 1000.0 - 1;
                v[m] = v[m] < 0 ? 0 : v[m] > 100 ? 100 : v[m];
                if (integers)
                    ((int64_t *)s->measures[m].data)[r] = (int64_t)v[m];
                else
                    ((double *)s->measures[m].data)[r] = (double)(int64_t)(v[m] * 100) / 100;
            }
        }
    }
}

static void random_value(struct mock_table *table, enum tsfs_type type, struct mock_measure *m, uint32_t row,
                         uint64_t *rng)
{
    static const char *const words[] = {"", "a", "ab", "abc", "on", "off", "a longer state than most", "b"};
    uint64_t r = mock_rand(rng);
    if (m->valid != NULL && r % 5 == 0)
        return;
    if (m->valid != NULL)
        tsfs_bit_set(m->valid, row);
    r >>= 8;
    switch (type) {
    case TSFS_DOUBLE: ((double *)m->data)[row] = (double)((int64_t)(r % 401) - 200) / 4; break;
    case TSFS_BIGINT: ((int64_t *)m->data)[row] = (int64_t)(r % 41) - 20; break;
    case TSFS_BOOLEAN: ((uint8_t *)m->data)[row] = r & 1; break;
    default: ((struct tsfs_str *)m->data)[row] = tsfs_str_from(words[r % 8]); break;
    }
}

void mock_table_random(struct mock_table *table, uint64_t seed)
{
    static const char *const dims[] = {"host", "site"};
    static const char *const measures[] = {"d", "i", "b", "s", "e"};
    static const enum tsfs_type types[] = {TSFS_DOUBLE, TSFS_BIGINT, TSFS_BOOLEAN, TSFS_VARCHAR, TSFS_DOUBLE};
    uint64_t rng = seed * 7919 + 1;
    uint32_t nseries = (uint32_t)(mock_rand(&rng) % 9);
    mock_table_init(table, dims, 2, measures, types, 5, nseries);
    for (uint32_t i = 0; i < nseries; i++) {
        uint64_t shape = mock_rand(&rng);
        uint32_t nrows = shape % 4 == 0 ? (uint32_t)(shape >> 8) % 5 + 1 : (uint32_t)(shape >> 8) % 3000 + 1;
        struct mock_series *s = mock_series_rows(table, i, nrows, shape >> 40 & 1);
        s->measure_name = (shape >> 41 & 1) ? TSFS_STR("cpu") : TSFS_STR("mem");
        s->dims[0] = tsfs_str_from(tsfs_arena_printf(&table->arena, "h%u", i));
        if (shape >> 42 & 3)
            s->dims[1] = (shape >> 44 & 1) ? TSFS_STR("north") : TSFS_STR("south");
        int64_t t = (int64_t)(mock_rand(&rng) % 7200) * TSFS_NS_PER_S - TSFS_NS_PER_HOUR;
        for (uint32_t r = 0; r < nrows; r++) {
            s->times[r] = t;
            uint64_t gap = mock_rand(&rng);
            t += gap % 50 == 0 ? (int64_t)(gap >> 8) % 20000 * TSFS_NS_PER_S + 1
                               : (int64_t)(gap >> 8) % 20 * TSFS_NS_PER_S + TSFS_NS_PER_MS;
            for (uint16_t m = 0; m < 5; m++)
                random_value(table, types[m], &s->measures[m], r, &rng);
        }
        if (shape >> 46 & 1)
            s->measures[(shape >> 47) % 5] = (struct mock_measure){0};
    }
}

/* ---- the source ---- */

struct mock_source {
    struct tsfs_source source;
    const struct mock_table *table;
    struct mock_options options;
};

struct mock_unit {
    int64_t lo, hi;
    uint32_t part;
};

struct mock_scan {
    struct tsfs_scan scan;
    const struct mock_source *source;
    const struct tsfs_scan_spec *spec;
    struct tsfs_scan_spec slice; /* spec with the times that are being read */
    struct mock_unit *units;
    int64_t read_min, read_max; /* slices so far together */
    _Atomic int cursors;        /* open ones */
};

struct mock_cursor {
    struct tsfs_cursor cursor;
    struct mock_scan *scan;
    struct mock_unit unit;
    const struct mock_series *series; /* of the current run */
    uint32_t next_series;
    uint32_t part_first;          /* first row of the series in the partition: blocks count from there */
    uint32_t row, nrows, row_end; /* the run; the end of the series in the unit */
    struct tsfs_str *dims;        /* copies */
    struct tsfs_block *blocks;
    uint32_t *block_numbers;
    uint32_t nblocks;
    struct tsfs_summary summary;
    void **given; /* freed at the next run */
    uint32_t ngiven, given_room;
};

static void *give(struct mock_cursor *c, size_t size)
{
    if (c->ngiven == c->given_room) {
        c->given_room = c->given_room * 2 + 16;
        c->given = realloc(c->given, c->given_room * sizeof(*c->given));
        CHECK(c->given != NULL);
    }
    void *p = malloc(size > 0 ? size : 1);
    CHECK(p != NULL);
    memset(p, 0xa5, size);
    return c->given[c->ngiven++] = p;
}

static void take_back(struct mock_cursor *c)
{
    for (uint32_t i = 0; i < c->ngiven; i++)
        free(c->given[i]);
    c->ngiven = 0;
}

static uint32_t lower_bound(const struct mock_series *s, int64_t t)
{
    uint32_t lo = 0, hi = s->nrows;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (s->times[mid] < t)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static struct tsfs_str copy_str(struct mock_cursor *c, struct tsfs_str s)
{
    if (s.ptr == NULL || !c->scan->source->options.copies)
        return s;
    char *p = give(c, s.len);
    memcpy(p, s.ptr, s.len);
    return (struct tsfs_str){p, s.len};
}

static bool wanted(struct mock_cursor *c, struct tsfs_series *series)
{
    const struct tsfs_scan_spec *spec = c->scan->spec;
    for (uint32_t i = 0; i < spec->n_dim_in; i++) {
        const struct tsfs_dim_in *in = &spec->dim_in[i];
        const struct tsfs_schema *schema = c->scan->source->table->schema;
        struct tsfs_str v = in->ordinal == TSFS_ORDINAL_MEASURE_NAME
                                ? series->measure_name
                                : series->dims[schema->cols[in->ordinal].slot];
        bool found = false;
        for (uint32_t k = 0; k < in->n; k++)
            found |= v.ptr != NULL && tsfs_str_eq(v, in->values[k]);
        if (!found)
            return false;
    }
    return spec->series_match == NULL || spec->series_match(spec->series_ctx, series);
}

static void find_blocks(struct mock_cursor *c)
{
    const struct mock_options *o = &c->scan->source->options;
    c->nblocks = 0;
    if (o->block_rows == 0)
        return;
    uint32_t most = c->nrows / o->block_rows + 1;
    c->blocks = give(c, most * sizeof(*c->blocks));
    c->block_numbers = give(c, most * sizeof(*c->block_numbers));
    uint32_t first = (c->row - c->part_first + o->block_rows - 1) / o->block_rows;
    for (uint32_t b = first;; b++) {
        uint32_t from = c->part_first + b * o->block_rows;
        if (from + o->block_rows > c->row + c->nrows)
            break;
        if (o->hide_some && b % 5 == 3)
            continue;
        c->blocks[c->nblocks] = (struct tsfs_block){.row = from - c->row,
                                                    .nrows = o->block_rows,
                                                    .t_first = c->series->times[from],
                                                    .t_last = c->series->times[from + o->block_rows - 1]};
        c->block_numbers[c->nblocks++] = b;
    }
}

static int next_run(struct tsfs_cursor *cursor, struct tsfs_run *run, struct tsfs_error *err)
{
    struct mock_cursor *c = (struct mock_cursor *)cursor;
    const struct mock_source *source = c->scan->source;
    uint32_t parts = source->options.parts ? source->options.parts : 1;
    take_back(c);
    if (source->options.on_run != NULL) {
        int rc = source->options.on_run(source->options.on_run_ctx, err);
        if (rc != 0)
            return rc;
    }
    bool same = c->series != NULL && c->row + c->nrows < c->row_end;
    if (same) {
        c->row += c->nrows;
    } else {
        for (c->series = NULL; c->series == NULL; c->next_series++) {
            if (c->next_series == source->table->nseries)
                return 0;
            const struct mock_series *s = &source->table->series[c->next_series];
            if (c->next_series % parts != c->unit.part)
                continue;
            struct tsfs_series facts = {s->measure_name, s->dims, source->table->schema->ndims};
            const struct tsfs_scan_spec *spec = &c->scan->slice;
            int64_t lo = spec->time_min > c->unit.lo ? spec->time_min : c->unit.lo;
            int64_t hi = spec->time_max < c->unit.hi ? spec->time_max : c->unit.hi;
            c->part_first = lower_bound(s, c->unit.lo);
            c->row = lower_bound(s, lo);
            c->row_end = hi == INT64_MAX ? s->nrows : lower_bound(s, hi + 1);
            if (spec->ends == TSFS_SCAN_FIRST && c->row_end > c->row + 2)
                c->row_end = c->row + 2;
            if (spec->ends == TSFS_SCAN_LAST && c->row_end > c->row + 2)
                c->row = c->row_end - 2;
            if (c->row < c->row_end && wanted(c, &facts))
                c->series = s;
        }
        cursor->stats.series++;
    }
    c->nrows = c->row_end - c->row;
    if (source->options.run_rows != 0 && c->nrows > source->options.run_rows)
        c->nrows = source->options.run_rows;
    cursor->stats.runs++;
    cursor->stats.rows += c->nrows;
    uint16_t ndims = source->table->schema->ndims;
    struct tsfs_str *dims = give(c, ndims * sizeof(*dims));
    for (uint16_t i = 0; i < ndims; i++)
        dims[i] = copy_str(c, c->series->dims[i]);
    *run = (struct tsfs_run){.series = {copy_str(c, c->series->measure_name), dims, ndims},
                             .same_series = same,
                             .nrows = c->nrows,
                             .t_first = c->series->times[c->row],
                             .t_last = c->series->times[c->row + c->nrows - 1]};
    find_blocks(c);
    return 1;
}

static void check_asked(const struct mock_cursor *c, uint16_t ordinal, uint32_t row, uint32_t n)
{
    bool asked = false;
    for (uint32_t i = 0; i < c->scan->spec->n_columns; i++)
        asked |= c->scan->spec->columns[i] == ordinal;
    CHECK(asked);
    CHECK(n > 0 && row + n <= c->nrows);
}

static int times(struct tsfs_cursor *cursor, uint32_t row, uint32_t n, const int64_t **out,
                 struct tsfs_error *err)
{
    struct mock_cursor *c = (struct mock_cursor *)cursor;
    check_asked(c, TSFS_ORDINAL_TIME, row, n);
    const int64_t *t = c->series->times + c->row + row;
    if (c->scan->source->options.copies)
        t = memcpy(give(c, n * sizeof(*t)), t, n * sizeof(*t));
    *out = t;
    return 0;
}

static int column(struct tsfs_cursor *cursor, uint16_t ordinal, uint32_t row, uint32_t n,
                  struct tsfs_vec *out, struct tsfs_error *err)
{
    static const uint64_t none[1] = {0};
    struct mock_cursor *c = (struct mock_cursor *)cursor;
    const struct tsfs_column *col = &c->scan->source->table->schema->cols[ordinal];
    const struct mock_measure *m = &c->series->measures[col->slot];
    check_asked(c, ordinal, row, n);
    *out = (struct tsfs_vec){.type = col->type};
    if (m->data == NULL) {
        out->constant = true;
        out->data = none;
        out->valid = none;
        return 0;
    }
    size_t width = tsfs_type_width(col->type), at = c->row + row;
    out->data = (const char *)m->data + at * width;
    if (m->valid != NULL) {
        uint64_t *bits = give(c, tsfs_bit_words(n) * 8);
        tsfs_bits_copy(bits, m->valid, at, n);
        out->valid = bits;
    }
    if (c->scan->source->options.copies) {
        struct tsfs_str *copy = memcpy(give(c, n * width), out->data, n * width);
        for (uint32_t i = 0; col->type == TSFS_VARCHAR && i < n; i++)
            copy[i] = copy_str(c, copy[i]);
        out->data = copy;
    }
    return 0;
}

static int blocks(struct tsfs_cursor *cursor, const struct tsfs_block **out, uint32_t *n,
                  struct tsfs_error *err)
{
    struct mock_cursor *c = (struct mock_cursor *)cursor;
    *out = c->blocks;
    *n = c->nblocks;
    return 0;
}

static void summarize(struct mock_cursor *c, enum tsfs_type type, const struct mock_measure *m, uint32_t from,
                      uint32_t n)
{
    struct tsfs_summary *s = &c->summary;
    *s = (struct tsfs_summary){0};
    for (uint32_t i = from; i < from + n && m->data != NULL; i++) {
        if (m->valid != NULL && !tsfs_bit_get(m->valid, i))
            continue;
        bool first = s->count++ == 0;
        if (type == TSFS_DOUBLE) {
            double v = ((const double *)m->data)[i];
            s->dsum += v;
            s->dmin = first || v < s->dmin ? v : s->dmin;
            s->dmax = first || v > s->dmax ? v : s->dmax;
            s->dfirst = first ? v : s->dfirst;
            s->dlast = v;
        } else if (type == TSFS_BIGINT) {
            int64_t v = ((const int64_t *)m->data)[i];
            s->isum_overflow |= __builtin_add_overflow(s->isum, v, &s->isum);
            s->imin = first || v < s->imin ? v : s->imin;
            s->imax = first || v > s->imax ? v : s->imax;
            s->ifirst = first ? v : s->ifirst;
            s->ilast = v;
        }
    }
}

static int summary(struct tsfs_cursor *cursor, uint16_t ordinal, uint32_t block,
                   const struct tsfs_summary **out, struct tsfs_error *err)
{
    struct mock_cursor *c = (struct mock_cursor *)cursor;
    const struct tsfs_column *col = &c->scan->source->table->schema->cols[ordinal];
    CHECK(block < c->nblocks);
    check_asked(c, ordinal, c->blocks[block].row, c->blocks[block].nrows);
    *out = NULL;
    if (c->scan->source->options.hide_some && c->block_numbers[block] % 3 == 1)
        return 0;
    summarize(c, col->type, &c->series->measures[col->slot], c->row + c->blocks[block].row,
              c->blocks[block].nrows);
    cursor->stats.blocks_from_summary++;
    *out = &c->summary;
    return 0;
}

static void cursor_close(struct tsfs_cursor *cursor)
{
    struct mock_cursor *c = (struct mock_cursor *)cursor;
    take_back(c);
    free(c->given);
    c->scan->cursors--;
    free(c);
    open_things--;
}

static const struct tsfs_cursor_ops cursor_ops = {.next_run = next_run,
                                                  .times = times,
                                                  .column = column,
                                                  .blocks = blocks,
                                                  .summary = summary,
                                                  .close = cursor_close};

static int scan_open(struct tsfs_scan *scan, uint32_t unit, struct tsfs_cursor **out, struct tsfs_error *err)
{
    struct mock_scan *s = (struct mock_scan *)scan;
    struct mock_cursor *c = calloc(1, sizeof(*c));
    CHECK(c != NULL && unit < scan->n_units);
    c->cursor.ops = &cursor_ops;
    c->scan = s;
    c->unit = s->units[unit];
    s->cursors++;
    open_things++;
    *out = &c->cursor;
    return 0;
}

static void scan_close(struct tsfs_scan *scan)
{
    struct mock_scan *s = (struct mock_scan *)scan;
    free(s->units);
    free(scan->units);
    free(s);
    open_things--;
}

/* Units of what lies in slice. */
static void make_units(struct mock_scan *s)
{
    const struct mock_source *m = s->source;
    const struct tsfs_scan_spec *spec = &s->slice;
    int64_t lo = INT64_MAX, hi = INT64_MIN, length = m->options.partition;
    uint64_t rows = 0;
    uint32_t parts = m->options.parts ? m->options.parts : 1;
    free(s->units);
    free(s->scan.units);
    s->units = NULL;
    s->scan.units = NULL;
    s->scan.n_units = 0;
    s->scan.partitions_total = s->scan.partitions_pruned = 0;
    for (uint32_t i = 0; i < m->table->nseries; i++) {
        const struct mock_series *one = &m->table->series[i];
        if (one->nrows == 0)
            continue;
        lo = one->times[0] < lo ? one->times[0] : lo;
        hi = one->times[one->nrows - 1] > hi ? one->times[one->nrows - 1] : hi;
        rows += one->nrows;
    }
    if (lo > hi)
        return;
    uint32_t npartitions =
        length == 0 ? 1
                    : (uint32_t)((tsfs_time_floor(hi, length) - tsfs_time_floor(lo, length)) / length + 1);
    s->units = calloc(npartitions * parts, sizeof(*s->units));
    s->scan.units = calloc(npartitions * parts, sizeof(*s->scan.units));
    CHECK(s->units != NULL && s->scan.units != NULL);
    s->scan.partitions_total = npartitions;
    for (uint32_t k = 0; k < npartitions; k++) {
        uint32_t p = spec->newest_first ? npartitions - 1 - k : k;
        int64_t from = length == 0 ? lo : tsfs_time_floor(lo, length) + p * length;
        int64_t to = length == 0 ? hi : from + length - 1;
        if (to < spec->time_min || from > spec->time_max) {
            s->scan.partitions_pruned++;
            continue;
        }
        for (uint32_t part = 0; part < parts; part++) {
            s->units[s->scan.n_units] = (struct mock_unit){from, to, part};
            s->scan.units[s->scan.n_units++] = (struct tsfs_scan_unit){
                .time_min = from > spec->time_min ? from : spec->time_min,
                .time_max = to < spec->time_max ? to : spec->time_max,
                .rows_estimate = m->options.no_estimates ? 0 : rows / npartitions / parts + 1};
        }
    }
}

static int scan_slice(struct tsfs_scan *scan, int64_t time_min, int64_t time_max, struct tsfs_error *err)
{
    struct mock_scan *s = (struct mock_scan *)scan;
    CHECK(s->spec->sliced && s->cursors == 0);
    CHECK(time_min >= s->spec->time_min && time_max <= s->spec->time_max);
    s->read_min = time_min < s->read_min ? time_min : s->read_min;
    s->read_max = time_max > s->read_max ? time_max : s->read_max;
    s->slice.time_min = s->read_min; /* for the number of partitions pruned */
    s->slice.time_max = s->read_max;
    make_units(s);
    uint64_t pruned = s->scan.partitions_pruned;
    s->slice.time_min = time_min;
    s->slice.time_max = time_max;
    make_units(s);
    s->scan.partitions_pruned = pruned;
    return 0;
}

static int scan_seek(struct tsfs_scan *scan, int64_t from, struct tsfs_scan_unit *out, struct tsfs_error *err)
{
    struct mock_scan *s = (struct mock_scan *)scan;
    CHECK(s->spec->sliced && s->cursors == 0);
    uint64_t pruned = s->scan.partitions_pruned;
    s->slice = *s->spec;
    make_units(s);
    s->scan.partitions_pruned = pruned;
    uint32_t i = 0;
    while (i < s->scan.n_units &&
           (s->spec->newest_first ? s->scan.units[i].time_min > from : s->scan.units[i].time_max < from))
        i++;
    if (i < s->scan.n_units)
        *out = s->scan.units[i];
    return i < s->scan.n_units;
}

static const struct tsfs_scan_ops scan_ops = {
    .open = scan_open, .close = scan_close, .seek = scan_seek, .slice = scan_slice};

static int source_scan(struct tsfs_source *source, const struct tsfs_scan_spec *spec, struct tsfs_scan **out,
                       struct tsfs_error *err)
{
    struct mock_source *m = (struct mock_source *)source;
    struct mock_scan *s = calloc(1, sizeof(*s));
    CHECK(s != NULL);
    open_things++;
    scans++;
    s->scan.ops = &scan_ops;
    s->source = m;
    s->spec = spec;
    s->slice = *spec;
    s->read_min = INT64_MAX;
    s->read_max = INT64_MIN;
    make_units(s);
    if (spec->sliced) {
        s->scan.partitions_pruned = s->scan.partitions_total;
        s->scan.n_units = 0;
    }
    *out = &s->scan;
    return 0;
}

static void source_free(struct tsfs_source *source)
{
    free(source);
    open_things--;
}

static const struct tsfs_source_ops source_ops = {.scan = source_scan, .free = source_free};

struct tsfs_source *mock_source_create(const struct mock_table *table, const struct mock_options *options)
{
    struct mock_source *m = calloc(1, sizeof(*m));
    CHECK(m != NULL);
    m->source = (struct tsfs_source){.ops = &source_ops, .schema = table->schema};
    m->table = table;
    m->options = *options;
    open_things++;
    return &m->source;
}
