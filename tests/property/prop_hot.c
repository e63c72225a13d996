/* The hot tier against a list of rows.
 *
 * Random writes (new series and measures, late rows, rows written twice, rows with a part of the measures,
 * undone batches) go into both; snapshots taken at random moments, with random conditions, must show exactly
 * what the list holds at that moment, at once and again after many more writes; and the log read back must
 * give the same rows.  Would catch: a row lost, doubled or leaked from an undone batch, values in the wrong
 * row or measure, wrong winners among rows of one time, times out of order, snapshots that change, a log that
 * means something else than memory. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../unit/random.h"
#include "base/buf.h"
#include "base/io.h"
#include "base/limits.h"
#include "hot/hot.h"

#define SERIES   48
#define MEASURES 12
#define OPEN     4

static uint64_t seed;

static uint32_t rnd(uint32_t n)
{
    return (uint32_t)((test_random(&seed) >> 20) % n);
}

struct value {
    bool set;
    uint8_t type;
    union {
        int64_t i;
        double d;
        bool b;
        char text[12];
    };
};

struct row {
    uint32_t series; /* of the model */
    int64_t time;
    struct value values[MEASURES];
};

struct model {
    struct row *rows;
    size_t n, cap;
};

struct fixture {
    struct tsfs_schema *schema;
    struct tsfs_series_index *index;
    struct tsfs_hot *hot;
    struct tsfs_budget *budget;
    uint32_t ids[SERIES]; /* model -> index, or NONE */
};

static const char *measure_names[2] = {"cpu", "mem"};

/* dims of series s: host, and for some a region and a rack. */
static unsigned dims_of(uint32_t s, struct tsfs_dim_value dims[3], char text[3][16])
{
    unsigned n = 0;
    snprintf(text[0], 16, "h%u", s / 2);
    snprintf(text[1], 16, "r%u", s % 3);
    snprintf(text[2], 16, "k");
    if (s % 5 == 1)
        dims[n++] = (struct tsfs_dim_value){2, tsfs_str_from(text[2])};
    dims[n++] = (struct tsfs_dim_value){0, tsfs_str_from(text[0])};
    if (s % 3)
        dims[n++] = (struct tsfs_dim_value){1, tsfs_str_from(text[1])};
    return n;
}

static void key_of(const struct tsfs_series *series, char *out, size_t size)
{
    int n = snprintf(out, size, "%.*s", (int)series->measure_name.len, series->measure_name.ptr);
    for (unsigned d = 0; d < series->ndims; d++)
        if (series->dims[d].ptr)
            n += snprintf(out + n, size - (size_t)n, ",%u=%.*s", d, (int)series->dims[d].len,
                          series->dims[d].ptr);
}

static void model_key(uint32_t s, char *out, size_t size)
{
    struct tsfs_dim_value dims[3];
    struct tsfs_str by_slot[3] = {{0}};
    char text[3][16];
    unsigned n = dims_of(s, dims, text);
    for (unsigned i = 0; i < n; i++)
        by_slot[dims[i].slot] = dims[i].value;
    struct tsfs_series series = {tsfs_str_from(measure_names[s % 2]), by_slot, 3};
    key_of(&series, out, size);
}

static uint8_t type_of(unsigned measure)
{
    static const uint8_t types[] = {TSFS_DOUBLE, TSFS_BIGINT, TSFS_VARCHAR, TSFS_DOUBLE, TSFS_BOOLEAN};
    return types[measure % 5];
}

static void extend_schema(struct fixture *f)
{
    char name[16];
    struct tsfs_schema *next;
    unsigned m = f->schema->nmeasures;
    snprintf(name, sizeof(name), "m%u", m);
    struct tsfs_column column = {.name = tsfs_str_from(name), .role = TSFS_ROLE_MEASURE, .type = type_of(m)};
    assert_int_equal(tsfs_schema_extend(f->schema, &column, 1, &next, NULL), 0);
    tsfs_schema_unref(f->schema);
    f->schema = next;
}

static void open_fixture(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    f->budget = calloc(1, sizeof(*f->budget));
    assert_non_null(f->budget);
    assert_int_equal(tsfs_schema_create(&f->schema), 0);
    assert_int_equal(tsfs_series_index_create(&f->index), 0);
    assert_int_equal(tsfs_hot_create(f->index, f->budget, &f->hot), 0);
    for (unsigned s = 0; s < SERIES; s++)
        f->ids[s] = TSFS_SERIES_NONE;
}

static void add_dims(struct fixture *f)
{
    struct tsfs_schema *next;
    struct tsfs_column columns[3] = {
        {.name = TSFS_STR("host"), .role = TSFS_ROLE_DIMENSION, .type = TSFS_VARCHAR},
        {.name = TSFS_STR("region"), .role = TSFS_ROLE_DIMENSION, .type = TSFS_VARCHAR},
        {.name = TSFS_STR("rack"), .role = TSFS_ROLE_DIMENSION, .type = TSFS_VARCHAR}};
    assert_int_equal(tsfs_schema_extend(f->schema, columns, 3, &next, NULL), 0);
    tsfs_schema_unref(f->schema);
    f->schema = next;
}

static void close_fixture(struct fixture *f)
{
    tsfs_hot_unref(f->hot);
    tsfs_series_index_free(f->index);
    tsfs_schema_unref(f->schema);
    assert_int_equal(f->budget->used, 0);
    free(f->budget);
}

static void random_row(struct fixture *f, const struct model *m, struct row *row, int64_t *clock)
{
    memset(row, 0, sizeof(*row));
    row->series = rnd(4) ? rnd(SERIES) : rnd(3);
    switch (row->series % 7) {
    case 6: row->time = rnd(3000); break; /* no order at all */
    case 5:
        row->time = *clock + (rnd(40) ? 0 : 500); /* a clock that jumps ahead */
        break;
    default: row->time = *clock - (rnd(30) ? 0 : rnd(600)); break; /* late now and then */
    }
    if (m->n && rnd(12) == 0) { /* the time of a row that is there */
        const struct row *old = &m->rows[m->n - 1 - rnd(m->n < 50 ? (uint32_t)m->n : 50)];
        row->time = old->time;
        row->series = old->series;
    }
    if (rnd(3) == 0)
        *clock += 1 + rnd(3);
    unsigned have = f->schema->nmeasures, width = row->series % 4 == 3 ? 1 + rnd(have) : have;
    if (rnd(20) == 0)
        width = 1 + rnd(have);
    for (unsigned c = 0; c < have; c++) {
        struct value *v = &row->values[c];
        if (width < have && rnd(have) >= width)
            continue;
        v->set = true;
        v->type = type_of(c);
        if (v->type == TSFS_DOUBLE)
            v->d = rnd(2) ? (double)(int)rnd(1000) - 500 : (double)rnd(1u << 30) / 977;
        else if (v->type == TSFS_BIGINT)
            v->i =
                rnd(3) ? (int64_t)rnd(200) - 100 : (int64_t)((uint64_t)rnd(1u << 31) << 33 | rnd(1u << 31));
        else if (v->type == TSFS_BOOLEAN)
            v->b = rnd(2);
        else
            snprintf(v->text, sizeof(v->text), "%.*s", (int)rnd(9), rnd(2) ? "running" : "stop\xc3\xa9");
    }
    if (row->values[2].set && strcmp(row->values[2].text, "stop\xc3") == 0)
        row->values[2].text[4] = 0;
    for (unsigned c = 0; c < have; c++) /* text cut inside a character */
        if (row->values[c].set && row->values[c].type == TSFS_VARCHAR) {
            size_t n = strlen(row->values[c].text);
            if (n && row->values[c].text[n - 1] == '\xc3')
                row->values[c].text[n - 1] = 0;
        }
}

static int stage_row(struct fixture *f, const struct row *row)
{
    struct tsfs_cell cells[2 * MEASURES];
    unsigned n = 0;
    if (f->ids[row->series] == TSFS_SERIES_NONE) {
        struct tsfs_dim_value dims[3];
        char text[3][16];
        unsigned nd = dims_of(row->series, dims, text);
        assert_int_equal(tsfs_series_index_intern(f->index, tsfs_str_from(measure_names[row->series % 2]),
                                                  dims, nd, &f->ids[row->series]),
                         0);
    }
    for (unsigned c = 0; c < MEASURES; c++) {
        const struct value *v = &row->values[c];
        if (!v->set)
            continue;
        struct tsfs_cell cell = {.slot = (uint16_t)c, .type = v->type};
        if (v->type == TSFS_VARCHAR)
            cell.s = (struct tsfs_str){v->text, strlen(v->text)};
        else if (v->type == TSFS_BOOLEAN)
            cell.b = v->b;
        else
            cell.i = v->i;
        if (v->type == TSFS_BIGINT && rnd(40) == 0) { /* a slot named twice: the later wins */
            cells[n] = cell;
            cells[n++].i = 77;
        }
        cells[n++] = cell;
    }
    return tsfs_hot_stage(f->hot, f->schema, f->ids[row->series], row->time, cells, n);
}

/* A condition on rows and series, in the model's terms. */
struct ask {
    int64_t lo, hi;
    uint32_t host;    /* only h<host>; UINT32_MAX = all */
    uint32_t columns; /* bits */
    char host_text[16];
    struct tsfs_str host_str;
    struct tsfs_dim_in in;
    uint16_t ordinals[MEASURES];
    struct tsfs_scan_spec spec;
};

static bool match_host(void *ctx, const struct tsfs_series *series)
{
    const struct ask *ask = ctx;
    return tsfs_str_eq(series->dims[0], ask->host_str);
}

static void random_ask(const struct fixture *f, struct ask *ask, int64_t clock)
{
    memset(ask, 0, sizeof(*ask));
    ask->lo = INT64_MIN;
    ask->hi = INT64_MAX;
    ask->host = UINT32_MAX;
    ask->columns = UINT32_MAX;
    if (rnd(2)) {
        ask->lo = rnd((uint32_t)clock + 10);
        ask->hi = ask->lo + rnd(700);
    }
    ask->spec = (struct tsfs_scan_spec){.time_min = ask->lo, .time_max = ask->hi};
    if (rnd(2)) {
        ask->host = rnd(SERIES / 2 + 1);
        snprintf(ask->host_text, sizeof(ask->host_text), "h%u", ask->host);
        ask->host_str = tsfs_str_from(ask->host_text);
        ask->spec.series_match = match_host;
        ask->spec.series_ctx = ask;
        if (rnd(2)) {
            ask->in = (struct tsfs_dim_in){tsfs_schema_find(f->schema, TSFS_STR("host")), 1, &ask->host_str};
            ask->spec.dim_in = &ask->in;
            ask->spec.n_dim_in = 1;
        }
    }
    if (rnd(3) == 0) {
        ask->columns = 0;
        for (unsigned c = 0; c < f->schema->nmeasures; c++)
            if (rnd(2)) {
                ask->columns |= 1u << c;
                ask->ordinals[ask->spec.n_columns++] = f->schema->measures[c];
            }
        ask->spec.columns = ask->ordinals;
    }
}

static void print_value(struct tsfs_buf *out, unsigned slot, uint8_t type, const struct value *v,
                        const struct tsfs_vec *vec, uint32_t row)
{
    int rc;
    if (type == TSFS_VARCHAR) {
        struct tsfs_str s = v ? tsfs_str_from(v->text) : vec->s[row];
        rc = tsfs_buf_printf(out, " %u='%.*s'", slot, (int)s.len, s.ptr);
    } else if (type == TSFS_BOOLEAN) {
        rc = tsfs_buf_printf(out, " %u=%d", slot, v ? v->b : vec->b[row]);
    } else if (type == TSFS_DOUBLE) {
        rc = tsfs_buf_printf(out, " %u=%a", slot, v ? v->d : vec->d[row]);
    } else {
        rc = tsfs_buf_printf(out, " %u=%lld", slot, (long long)(v ? v->i : vec->i[row]));
    }
    assert_int_equal(rc, 0);
}

static int cmp_row(const void *a, const void *b)
{
    const struct row *x = *(const struct row *const *)a, *y = *(const struct row *const *)b;
    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    return (x > y) - (x < y);
}

/* What the model says, in the canonical order of series (their keys, which sort the same way here). */
static void print_model(const struct model *m, const struct ask *ask, struct tsfs_buf *out)
{
    uint32_t order[SERIES];
    char keys[SERIES][64];
    for (uint32_t s = 0; s < SERIES; s++) {
        uint32_t at = s;
        model_key(s, keys[s], sizeof(keys[s]));
        for (; at > 0; at--) {
            struct tsfs_dim_value da[3], db[3];
            char ta[3][16], tb[3][16];
            struct tsfs_str sa[3] = {{0}}, sb[3] = {{0}};
            unsigned na = dims_of(order[at - 1], da, ta), nb = dims_of(s, db, tb);
            for (unsigned i = 0; i < na; i++)
                sa[da[i].slot] = da[i].value;
            for (unsigned i = 0; i < nb; i++)
                sb[db[i].slot] = db[i].value;
            struct tsfs_series a = {tsfs_str_from(measure_names[order[at - 1] % 2]), sa, 3};
            struct tsfs_series b = {tsfs_str_from(measure_names[s % 2]), sb, 3};
            if (tsfs_series_cmp(&a, &b) < 0)
                break;
            order[at] = order[at - 1];
        }
        order[at] = s;
    }
    const struct row **sorted = malloc((m->n + 1) * sizeof(*sorted));
    for (uint32_t o = 0; o < SERIES; o++) {
        uint32_t s = order[o];
        size_t n = 0;
        if (ask->host != UINT32_MAX && s / 2 != ask->host)
            continue;
        for (size_t i = 0; i < m->n; i++)
            if (m->rows[i].series == s && m->rows[i].time >= ask->lo && m->rows[i].time <= ask->hi)
                sorted[n++] = &m->rows[i];
        qsort(sorted, n, sizeof(*sorted), cmp_row);
        for (size_t i = 0; i < n;) {
            struct row merged = *sorted[i];
            for (i++; i < n && sorted[i]->time == merged.time; i++)
                for (unsigned c = 0; c < MEASURES; c++)
                    if (sorted[i]->values[c].set)
                        merged.values[c] = sorted[i]->values[c];
            assert_int_equal(tsfs_buf_printf(out, "%s %lld", keys[s], (long long)merged.time), 0);
            for (unsigned c = 0; c < MEASURES; c++)
                if (merged.values[c].set && (ask->columns >> c & 1))
                    print_value(out, c, merged.values[c].type, &merged.values[c], NULL, 0);
            assert_int_equal(tsfs_buf_append(out, "\n", 1), 0);
        }
    }
    free(sorted);
}

static void print_row(struct tsfs_buf *out, const char *key, const struct tsfs_hot_piece *piece, uint32_t r)
{
    assert_int_equal(tsfs_buf_printf(out, "%s %lld", key, (long long)piece->time[r]), 0);
    for (unsigned c = 0; c < piece->ncols; c++) {
        const struct tsfs_vec *vec = &piece->cols[c];
        if (vec->data && (!vec->valid || tsfs_bit_get(vec->valid, r)))
            print_value(out, c, (uint8_t)vec->type, NULL, vec, r);
    }
    assert_int_equal(tsfs_buf_append(out, "\n", 1), 0);
}

/* A scan for the ends of series finds the same outermost rows as one that reads all. */
static void check_ends(const struct tsfs_hot_snap *snap, uint32_t i, const char *key,
                       const struct tsfs_hot_piece *all, uint32_t nall)
{
    for (unsigned ends = 1; ends <= (TSFS_SCAN_FIRST | TSFS_SCAN_LAST); ends++) {
        struct tsfs_arena arena;
        struct tsfs_hot_piece *pieces;
        struct tsfs_buf want = {0}, got = {0};
        uint32_t n;
        tsfs_arena_init(&arena, NULL);
        assert_int_equal(tsfs_hot_snap_ends(snap, i, ends, &arena, &pieces, &n), 0);
        assert_int_equal(n > 0, nall > 0);
        if (n > 0 && (ends & TSFS_SCAN_FIRST)) {
            print_row(&want, key, &all[0], 0);
            print_row(&got, key, &pieces[0], 0);
        }
        if (n > 0 && (ends & TSFS_SCAN_LAST)) {
            print_row(&want, key, &all[nall - 1], all[nall - 1].nrows - 1);
            print_row(&got, key, &pieces[n - 1], pieces[n - 1].nrows - 1);
        }
        assert_int_equal(want.len, got.len);
        assert_true(want.len == 0 || memcmp(want.data, got.data, want.len) == 0);
        tsfs_buf_free(&want);
        tsfs_buf_free(&got);
        tsfs_arena_free(&arena);
    }
}

static void print_snap(struct tsfs_hot_snap *snap, const struct ask *ask, struct tsfs_buf *out)
{
    assert_int_equal(tsfs_hot_snap_sort(snap), 0);
    for (uint32_t i = 0; i < tsfs_hot_snap_count(snap); i++) {
        struct tsfs_series series;
        struct tsfs_hot_piece *pieces;
        struct tsfs_arena arena;
        uint32_t n;
        char key[64];
        int64_t last = INT64_MIN;
        tsfs_arena_init(&arena, NULL);
        tsfs_hot_snap_series(snap, i, &series);
        assert_int_equal(tsfs_hot_snap_find(snap, &series), i);
        key_of(&series, key, sizeof(key));
        assert_int_equal(tsfs_hot_snap_pieces(snap, i, &arena, &pieces, &n), 0);
        for (uint32_t p = 0; p < n; p++) {
            assert_true(pieces[p].nrows > 0);
            for (uint32_t r = 0; r < pieces[p].nrows; r++) {
                int64_t t = pieces[p].time[r];
                assert_true(t > last || (p == 0 && r == 0));
                assert_true(t >= ask->lo && t <= ask->hi);
                last = t;
                print_row(out, key, &pieces[p], r);
            }
        }
        check_ends(snap, i, key, pieces, n);
        tsfs_arena_free(&arena);
    }
}

static void same_text(const struct tsfs_buf *want, const struct tsfs_buf *got, const char *when)
{
    if (want->len == got->len &&
        memcmp(want->data ? want->data : "", got->data ? got->data : "", want->len) == 0)
        return;
    size_t i = 0, line = 0;
    while (i < want->len && i < got->len && want->data[i] == got->data[i]) {
        if (want->data[i] == '\n')
            line = i + 1;
        i++;
    }
    fprintf(stderr, "want: %.*s\ngot:  %.*s\n", (int)(want->len - line < 300 ? want->len - line : 300),
            want->data ? want->data + line : "", (int)(got->len - line < 300 ? got->len - line : 300),
            got->data ? got->data + line : "");
    fail_msg("%s: snapshot and model differ at byte %zu", when, i);
}

struct open_snap {
    struct tsfs_hot_snap *snap;
    struct ask ask;
    struct tsfs_buf want;
};

static void check_open(struct open_snap *o, const char *when)
{
    struct tsfs_buf got = {0};
    print_snap(o->snap, &o->ask, &got);
    same_text(&o->want, &got, when);
    tsfs_buf_free(&got);
}

static void close_open(struct open_snap *o)
{
    if (!o->snap)
        return;
    check_open(o, "later");
    tsfs_hot_snap_free(o->snap);
    tsfs_buf_free(&o->want);
    memset(o, 0, sizeof(*o));
}

static void open_snapshot(struct fixture *f, const struct model *m, struct open_snap *o, int64_t clock,
                          bool all)
{
    random_ask(f, &o->ask, clock);
    if (all) {
        o->ask.lo = INT64_MIN;
        o->ask.hi = INT64_MAX;
        o->ask.host = o->ask.columns = UINT32_MAX;
    }
    print_model(m, &o->ask, &o->want);
    assert_int_equal(tsfs_hot_snapshot(f->hot, f->schema, all ? NULL : &o->ask.spec, &o->snap), 0);
    check_open(o, all ? "all, at once" : "at once");
}

static void write_batch(struct fixture *f, struct model *m, struct tsfs_wal *wal, int64_t *clock)
{
    size_t before = m->n;
    unsigned rows = rnd(6) ? 1 + rnd(60) : 1 + rnd(900);
    uint64_t size = tsfs_wal_size(wal);
    for (unsigned i = 0; i < rows; i++) {
        if (m->n == m->cap) {
            m->cap = m->cap ? m->cap * 2 : 1024;
            m->rows = realloc(m->rows, m->cap * sizeof(*m->rows));
            assert_non_null(m->rows);
        }
        random_row(f, m, &m->rows[m->n], clock);
        assert_int_equal(stage_row(f, &m->rows[m->n]), 0);
        m->n++;
    }
    unsigned fate = rnd(12);
    if (fate == 0) {
        assert_int_equal(tsfs_hot_undo(f->hot, wal), 0);
        m->n = before;
    } else {
        assert_int_equal(tsfs_hot_log(f->hot, wal, NULL), 0);
        if (fate == 1) {
            assert_int_equal(tsfs_hot_undo(f->hot, wal), 0);
            m->n = before;
            assert_int_equal(tsfs_wal_size(wal), size);
        } else {
            tsfs_hot_publish(f->hot);
        }
    }
    struct tsfs_hot_facts facts;
    tsfs_hot_facts(f->hot, &facts);
    assert_true(facts.rows <= m->n);
    assert_int_equal(facts.rows == 0, m->n == 0);
    assert_int_equal(f->budget->used > 0, true);
}

static int define(void *ctx, uint16_t ordinal, const struct tsfs_column *column, struct tsfs_error *err)
{
    struct fixture *f = ctx;
    if (ordinal < f->schema->ncols)
        return tsfs_str_eq(f->schema->cols[ordinal].name, column->name) ? 0 : -EBADMSG;
    return -EBADMSG; /* the test's schema is known beforehand */
}

static const struct tsfs_schema *schema_of(void *ctx)
{
    return ((struct fixture *)ctx)->schema;
}

static int apply(void *ctx, const void *payload, size_t len, struct tsfs_error *err)
{
    struct tsfs_hot_recovery recovery = {define, schema_of, ctx};
    return tsfs_hot_replay(((struct fixture *)ctx)->hot, &recovery, payload, len, err);
}

static void run(uint64_t start, unsigned rounds)
{
    struct fixture f;
    struct model m = {0};
    struct open_snap open[OPEN] = {{0}};
    struct tsfs_wal *wal;
    int64_t clock = 1000;
    char dir[] = "/tmp/tsfs-prop-hot-XXXXXX";
    assert_non_null(mkdtemp(dir));
    int dirfd = openat(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY);
    assert_true(dirfd >= 0);
    seed = start;
    open_fixture(&f);
    add_dims(&f);
    extend_schema(&f);
    assert_int_equal(tsfs_wal_open(dirfd, "wal-000001", 0, &wal, NULL), 0);
    for (unsigned life = 0; life < 3; life++) {
        for (unsigned r = 0; r < rounds; r++) {
            if (rnd(6) == 0 && f.schema->nmeasures < MEASURES)
                extend_schema(&f);
            write_batch(&f, &m, wal, &clock);
            struct open_snap *o = &open[rnd(OPEN)];
            close_open(o);
            if (rnd(2))
                open_snapshot(&f, &m, o, clock, rnd(8) == 0);
        }
        for (unsigned i = 0; i < OPEN; i++)
            close_open(&open[i]);

        /* another life: everything from the log */
        struct fixture next;
        struct tsfs_error err = {0};
        uint64_t good, torn;
        uint64_t size = tsfs_wal_size(wal);
        tsfs_wal_close(wal);
        open_fixture(&next);
        tsfs_schema_unref(next.schema);
        next.schema = tsfs_schema_ref(f.schema);
        int rc = tsfs_wal_recover(dirfd, "wal-000001", false, apply, &next, &good, &torn, &err);
        if (rc)
            fail_msg("recovery: %s", err.message);
        assert_int_equal(good, size);
        assert_int_equal(torn, 0);
        close_fixture(&f);
        f = next;
        open_snapshot(&f, &m, &open[0], clock, true);
        close_open(&open[0]);
        assert_int_equal(tsfs_wal_open(dirfd, "wal-000001", good, &wal, NULL), 0);
        for (unsigned s = 0; s < SERIES; s++)
            f.ids[s] = TSFS_SERIES_NONE; /* interned anew, must give the same */
    }
    tsfs_wal_close(wal);
    close_fixture(&f);
    free(m.rows);
    assert_int_equal(tsfs_io_remove_tree(AT_FDCWD, dir), 0);
    close(dirfd);
}

static void against_the_model(void **state)
{
    (void)state;
    const char *given = getenv("TSFS_PROP_SEED");
    unsigned runs = given ? 1 : 12;
    for (unsigned i = 0; i < runs; i++) {
        uint64_t start = given ? strtoull(given, NULL, 0) : UINT64_C(0x9e3779b97f4a7c15) * (i + 1);
        print_message("seed 0x%llx\n", (unsigned long long)start);
        run(start, 40);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(against_the_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
