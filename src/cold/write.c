/* Writing a segment: rows in canonical order go into row groups, a row group into column chunks, and what
 * there is to know of series and blocks into the private index on the way.
 *
 * The columns of a full group are summarised and encoded each for itself, on the pool's threads if there is
 * a pool, and appended in order.  The file is written strictly forwards and hashed as it goes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/decimal.h"
#include "base/io.h"
#include "base/pool.h"
#include "cold/rowgroup.h"

#define SINK_BYTES (1u << 20)

struct sink {
    int fd;
    uint64_t offset; /* of the buffer's first byte in the file */
    size_t len;
    uint8_t *buf; /* SINK_BYTES */
    XXH3_state_t *hash;
};

struct writer {
    const struct cold_write *w;
    struct cold_column *columns;
    uint32_t ncolumns, nkeys, first_measure;
    uint16_t *ordinals; /* of the columns */
    struct tsfs_arena arena;
    struct sink sink;
    struct tsfs_pq_writer *pq;
    struct cold_index_builder *index;
    struct rowgroup group;
    struct tsfs_str *keys; /* of the current series */
    int64_t t_min, t_max;
    uint64_t rows;
    /* of the group being encoded */
    uint32_t *run_end;
    struct tsfs_pq_encoded **encoded;
    struct tsfs_error *errors; /* a column's own */
};

static int oom(struct tsfs_error *err)
{
    return tsfs_error_set(err, -ENOMEM, "out of memory");
}

/* ---- the sink ---- */

static int sink_flush(struct sink *s)
{
    int rc = tsfs_io_write_all(s->fd, s->buf, s->len, (off_t)s->offset);
    if (rc)
        return rc;
    if (XXH3_64bits_update(s->hash, s->buf, s->len) != XXH_OK)
        return -EIO;
    s->offset += s->len;
    s->len = 0;
    return 0;
}

static int sink_write(void *ctx, const void *data, size_t len)
{
    struct sink *s = ctx;
    const uint8_t *p = data;
    while (len > 0) {
        size_t n = SINK_BYTES - s->len < len ? SINK_BYTES - s->len : len;
        memcpy(s->buf + s->len, p, n);
        s->len += n, p += n, len -= n;
        int rc = s->len == SINK_BYTES ? sink_flush(s) : 0;
        if (rc)
            return rc;
    }
    return 0;
}

/* ---- a row group ---- */

static int add_blocks(struct writer *x, uint32_t column)
{
    const struct rowgroup *g = &x->group;
    struct tsfs_summary sums[COLD_SLICE];
    uint8_t flags[COLD_SLICE];
    struct tsfs_vec vec = rowgroup_vec(g, column - x->first_measure);
    if (vec.constant)
        vec.type = TSFS_UNKNOWN;
    for (uint32_t b = 0; b < g->nblocks;) {
        uint32_t n = 0;
        for (; n < COLD_SLICE && b < g->nblocks; n++, b++)
            cold_summarise(&vec, g->block_row[b], g->block_rows[b], &sums[n], &flags[n]);
        int rc = cold_index_builder_measure(x->index, column, sums, flags, n);
        if (rc)
            return rc;
    }
    return 0;
}

/* *out = the values of vec, doubles of nrows rows, as integers in units of 10^-digits (data to be freed).
 * -EDOM: one is no such number. */
static int scale_column(const struct tsfs_vec *vec, uint32_t nrows, unsigned digits, struct tsfs_vec *out)
{
    double unit = tsfs_decimal_unit(digits);
    int64_t *scaled = malloc((nrows + 1u) * sizeof(*scaled));
    bool exact = true;
    if (!scaled)
        return -ENOMEM;
    for (uint32_t i = 0; exact && i < nrows; i++) {
        if (vec->valid && !tsfs_bit_get(vec->valid, i))
            scaled[i] = 0;
        else
            exact = tsfs_decimal_exact(vec->d[i], unit, &scaled[i]);
    }
    *out = (struct tsfs_vec){.type = TSFS_BIGINT, .i = scaled, .valid = vec->valid};
    return exact ? 0 : -EDOM;
}

/* Pool task: summaries and chunk of one column.  Measures first, which are the work: the keys, a few runs
 * each, fill the time in which the last of them is being done. */
static int encode_column(void *ctx, size_t task, unsigned worker)
{
    struct writer *x = ctx;
    size_t i = (task + x->first_measure) % x->ncolumns;
    struct rowgroup *g = &x->group;
    struct tsfs_error *err = &x->errors[i];
    struct tsfs_pq_chunk_values values = {0};
    struct tsfs_str *runs = NULL;
    struct tsfs_vec scaled = {0};
    int rc = 0;
    if (i == 0) {
        values.vec = (struct tsfs_vec){.type = TSFS_TIMESTAMP, .i = g->time};
    } else if (i < x->first_measure) {
        uint64_t *valid = calloc(tsfs_bit_words(g->nparts), sizeof(*valid));
        runs = malloc(g->nparts * sizeof(*runs));
        if (!valid || !runs) {
            free(valid);
            rc = oom(err);
            goto out;
        }
        for (uint32_t k = 0; k < g->nparts; k++) {
            runs[k] = g->parts[k].keys[i - 1];
            if (runs[k].ptr)
                tsfs_bit_set(valid, k);
        }
        values = (struct tsfs_pq_chunk_values){
            .vec = {.type = TSFS_VARCHAR, .s = runs, .valid = valid},
            .run_end = x->run_end,
            .nruns = g->nparts,
        };
        rc = tsfs_pq_writer_encode(x->pq, (uint32_t)i, &values, &x->encoded[i], err);
        free(valid);
        goto out;
    } else {
        rc = add_blocks(x, (uint32_t)i);
        if (rc) {
            oom(err);
            goto out;
        }
        values.vec = rowgroup_vec(g, (uint32_t)i - x->first_measure);
        uint8_t decimals = g->measures[i - x->first_measure].decimals;
        if (decimals && values.vec.constant) {
            values.vec.type = TSFS_UNKNOWN; /* all NULL */
        } else if (decimals) {
            rc = scale_column(&values.vec, g->nrows, decimals - 1u, &scaled);
            if (rc) {
                if (rc == -EDOM)
                    x->w->decimals[x->columns[i].slot] = 0;
                tsfs_error_set(err, rc, "%s", strerror(-rc));
                goto out;
            }
            values.vec = scaled;
        }
    }
    rc = tsfs_pq_writer_encode(x->pq, (uint32_t)i, &values, &x->encoded[i], err);
out:
    free(runs);
    free((void *)scaled.data);
    return rc;
}

static int add_times(struct writer *x)
{
    const struct rowgroup *g = &x->group;
    for (uint32_t b = 0; b < g->nblocks; b++) {
        int64_t first = g->time[g->block_row[b]];
        int64_t last = g->time[g->block_row[b] + g->block_rows[b] - 1];
        int rc = cold_index_builder_times(x->index, &first, &last, 1);
        if (rc)
            return rc;
    }
    return 0;
}

static int flush_group(struct writer *x, struct tsfs_error *err)
{
    struct rowgroup *g = &x->group;
    if (g->nrows == 0)
        return 0;
    int rc = rowgroup_finish(g);
    x->run_end = rc ? NULL : malloc(g->nparts * sizeof(*x->run_end));
    if (!x->run_end)
        return oom(err);
    for (uint32_t k = 0; k < g->nparts; k++)
        x->run_end[k] = g->parts[k].row + g->parts[k].nrows;
    rc = cold_index_builder_group(x->index, g->nrows);
    if (rc == 0)
        rc = add_times(x);
    if (rc) {
        oom(err);
        goto out;
    }
    rc = tsfs_pq_writer_begin_group(x->pq, g->nrows, g->page_end, g->npages, err);
    if (rc)
        goto out;
    rc = tsfs_pool_run(x->w->pool, encode_column, x, x->ncolumns);
    for (uint32_t i = 0; i < x->ncolumns; i++) {
        struct tsfs_pq_encoded *e = x->encoded[i];
        x->encoded[i] = NULL;
        if (rc == 0)
            rc = tsfs_pq_writer_append(x->pq, e, err);
        else
            tsfs_pq_encoded_free(e);
        if (x->errors[i].code && rc)
            tsfs_error_set(err, x->errors[i].code, "%s", x->errors[i].message);
    }
    if (rc == 0)
        rc = tsfs_pq_writer_end_group(x->pq, err);
    x->rows += g->nrows;
    if (x->w->progress)
        atomic_fetch_add(&x->w->progress->rows_done, g->nrows);
    rowgroup_reset(g);
out:
    free(x->run_end);
    x->run_end = NULL;
    return rc;
}

/* ---- rows ---- */

static int begin_series(struct writer *x, const struct tsfs_series *s, struct tsfs_error *err)
{
    x->keys = tsfs_arena_alloc(&x->arena, x->nkeys * sizeof(*x->keys));
    if (!x->keys)
        return oom(err);
    x->keys[0] = s->measure_name;
    for (uint32_t k = 1; k < x->nkeys; k++) {
        uint16_t slot = x->columns[1 + k].slot;
        x->keys[k] = slot < s->ndims ? s->dims[slot] : (struct tsfs_str){NULL, 0};
    }
    int rc = cold_index_builder_series(x->index, tsfs_series_hash(s), x->keys);
    if (rc)
        return tsfs_error_set(err, rc, "cannot index a series: %s", strerror(-rc));
    return 0;
}

static int cancelled(const struct writer *x, struct tsfs_error *err)
{
    if (x->w->progress && atomic_load_explicit(&x->w->progress->cancel, memory_order_relaxed))
        return tsfs_error_set(err, -ECANCELED, "the writing of the segment was cancelled");
    return 0;
}

static int add_run(struct writer *x, struct tsfs_cursor *cursor, const struct tsfs_run *run,
                   struct tsfs_error *err)
{
    struct rowgroup *g = &x->group;
    int rc = 0;
    bool open = run->same_series && g->nparts > 0;
    for (uint32_t row = 0; row < run->nrows;) {
        uint32_t room = rowgroup_room(g);
        if (room == 0) {
            rc = flush_group(x, err);
            if (rc)
                return rc;
            open = false;
            continue;
        }
        uint32_t n = run->nrows - row < room ? run->nrows - row : room;
        if (n > TSFS_RUN_ROWS)
            n = TSFS_RUN_ROWS;
        if (!open && (rc = rowgroup_begin(g, x->keys)) != 0)
            return oom(err);
        open = true;
        const int64_t *time;
        rc = cursor->ops->times(cursor, row, n, &time, err);
        if (rc)
            return rc;
        memcpy(g->time + g->nrows, time, n * sizeof(*time));
        g->bytes += n * sizeof(*time);
        for (uint32_t i = x->first_measure; i < x->ncolumns; i++) {
            struct tsfs_vec vec;
            rc = cursor->ops->column(cursor, x->ordinals[i], row, n, &vec, err);
            if (rc)
                return rc;
            rc = rowgroup_put(g, i - x->first_measure, &vec, g->nrows, n);
            if (rc)
                return tsfs_error_set(err, rc, "cannot collect rows: %s", strerror(-rc));
        }
        cold_index_builder_rows(x->index, n, time[0], time[n - 1]);
        x->t_min = time[0] < x->t_min ? time[0] : x->t_min;
        x->t_max = time[n - 1] > x->t_max ? time[n - 1] : x->t_max;
        g->parts[g->nparts - 1].nrows += n;
        g->nrows += n;
        row += n;
    }
    return 0;
}

/* ---- set-up ---- */

static void add_column(struct writer *x, uint16_t ordinal)
{
    const struct tsfs_column *c = &x->w->schema->cols[ordinal];
    x->ordinals[x->ncolumns] = ordinal;
    x->columns[x->ncolumns++] = (struct cold_column){c->name, c->role, c->type, c->slot};
}

static int choose_columns(struct writer *x)
{
    const struct tsfs_schema *schema = x->w->schema;
    x->columns = TSFS_NEW_ARRAY(&x->arena, struct cold_column, schema->ncols);
    x->ordinals = TSFS_NEW_ARRAY(&x->arena, uint16_t, schema->ncols);
    if (!x->columns || !x->ordinals)
        return -ENOMEM;
    add_column(x, TSFS_ORDINAL_TIME);
    add_column(x, TSFS_ORDINAL_MEASURE_NAME);
    for (uint16_t i = 0; i < schema->ndims; i++)
        if (x->w->dims[i])
            add_column(x, schema->dims[i]);
    x->nkeys = x->ncolumns - 1;
    x->first_measure = x->ncolumns;
    for (uint16_t i = 0; i < schema->nmeasures; i++)
        if (x->w->measures[i])
            add_column(x, schema->measures[i]);
    return 0;
}

static int open_parquet(struct writer *x, struct tsfs_error *err)
{
    struct tsfs_pq_column *pq = TSFS_NEW_ARRAY(&x->arena, struct tsfs_pq_column, x->ncolumns);
    struct tsfs_pq_sorting *sorting = TSFS_NEW_ARRAY(&x->arena, struct tsfs_pq_sorting, x->nkeys + 1);
    if (!pq || !sorting)
        return oom(err);
    for (uint32_t i = 0; i < x->ncolumns; i++) {
        const struct cold_column *c = &x->columns[i];
        pq[i].name = c->name;
        pq[i].optional = i > 0;
        if (x->ordinals[i] < x->w->nhabits)
            pq[i].habit = &x->w->habits[x->ordinals[i]];
        switch (c->type) {
        case TSFS_TIMESTAMP:
            pq[i].physical = TSFS_PQ_INT64;
            pq[i].logical = TSFS_PQ_TIMESTAMP;
            pq[i].unit = TSFS_PQ_NANOS;
            pq[i].utc = true;
            break;
        case TSFS_BOOLEAN: pq[i].physical = TSFS_PQ_BOOLEAN; break;
        case TSFS_DOUBLE:
            pq[i].physical = TSFS_PQ_DOUBLE;
            if (x->group.measures[i - x->first_measure].decimals) {
                pq[i].physical = TSFS_PQ_INT64;
                pq[i].logical = TSFS_PQ_DECIMAL;
                pq[i].precision = 18;
                pq[i].scale = x->group.measures[i - x->first_measure].decimals - 1;
            }
            break;
        case TSFS_VARCHAR:
            pq[i].physical = TSFS_PQ_BYTE_ARRAY;
            pq[i].logical = TSFS_PQ_STRING;
            pq[i].bloom = i < x->first_measure;
            pq[i].page_span = pq[i].bloom ? COLD_KEY_PAGES : 0;
            break;
        default: pq[i].physical = TSFS_PQ_INT64; break;
        }
    }
    for (uint32_t k = 0; k < x->nkeys; k++)
        sorting[k] = (struct tsfs_pq_sorting){.column = 1 + k, .nulls_first = true};
    sorting[x->nkeys] = (struct tsfs_pq_sorting){.column = 0};
    struct tsfs_pq_writer_options options = {
        .columns = pq,
        .ncolumns = x->ncolumns,
        .sorting = sorting,
        .nsorting = x->nkeys + 1,
        .compact = true,
        .created_by = TSFS_STR("tsfs version 0.1.0"),
    };
    return tsfs_pq_writer_create(&options, (struct tsfs_pq_sink){sink_write, &x->sink}, &x->pq, err);
}

static int finish(struct writer *x, struct tsfs_error *err)
{
    struct tsfs_buf index = {0};
    char value[64];
    int rc = cold_index_builder_finish(x->index, &index);
    if (rc) {
        tsfs_error_set(err, rc, "cannot build the segment's index: %s", strerror(-rc));
        goto out;
    }
    uint32_t version;
    rc = cold_index_pack(&index, &version);
    if (rc) {
        tsfs_error_set(err, rc, "cannot pack the segment's index: %s", strerror(-rc));
        goto out;
    }
    uint64_t offset = tsfs_pq_writer_offset(x->pq);
    rc = tsfs_pq_writer_raw(x->pq, index.data, index.len, err);
    if (rc)
        goto out;
    int len = snprintf(value, sizeof(value), "%llu %zu %u", (unsigned long long)offset, index.len, version);
    struct tsfs_pq_kv kv = {TSFS_STR(COLD_KEY_INDEX), {value, (size_t)len}};
    rc = tsfs_pq_writer_finish(x->pq, &kv, 1, err);
    if (rc == 0) {
        rc = sink_flush(&x->sink);
        if (rc)
            tsfs_error_set(err, rc, "cannot write the segment: %s", strerror(-rc));
    }
out:
    tsfs_buf_free(&index);
    return rc;
}

int write_segment(const struct cold_write *w, struct tsfs_cursor *cursor, struct tsfs_segment_facts *facts,
                  struct tsfs_error *err)
{
    struct writer x = {.w = w, .sink = {.fd = w->fd}, .t_min = INT64_MAX, .t_max = INT64_MIN};
    struct tsfs_run run;
    tsfs_arena_init(&x.arena, NULL);
    int rc = choose_columns(&x);
    if (rc == 0)
        rc = rowgroup_init(&x.group, x.columns, x.first_measure, x.ncolumns, w->rows);
    for (uint32_t i = x.first_measure; rc == 0 && w->decimals && i < x.ncolumns; i++)
        if (x.columns[i].type == TSFS_DOUBLE)
            x.group.measures[i - x.first_measure].decimals = w->decimals[x.columns[i].slot];
    if (rc == 0)
        rc = cold_index_builder_create(x.columns, x.ncolumns, &x.index);
    x.sink.buf = malloc(SINK_BYTES);
    x.sink.hash = XXH3_createState();
    x.encoded = TSFS_NEW_ARRAY(&x.arena, struct tsfs_pq_encoded *, x.ncolumns);
    x.errors = TSFS_NEW_ARRAY(&x.arena, struct tsfs_error, x.ncolumns);
    if (rc || !x.sink.buf || !x.sink.hash || !x.encoded || !x.errors ||
        XXH3_64bits_reset(x.sink.hash) != XXH_OK) {
        rc = oom(err);
        goto out;
    }
    rc = open_parquet(&x, err);
    while (rc == 0) {
        rc = cancelled(&x, err);
        if (rc)
            break;
        int more = cursor->ops->next_run(cursor, &run, err);
        if (more <= 0) {
            rc = more;
            break;
        }
        if (!run.same_series)
            rc = begin_series(&x, &run.series, err);
        if (rc == 0)
            rc = add_run(&x, cursor, &run, err);
    }
    if (rc == 0)
        rc = flush_group(&x, err);
    memset(facts, 0, sizeof(*facts));
    if (rc || x.rows == 0)
        goto out;
    rc = finish(&x, err);
    if (rc)
        goto out;
    *facts = (struct tsfs_segment_facts){.rows = x.rows,
                                         .series = cold_index_builder_count(x.index),
                                         .bytes = x.sink.offset,
                                         .t_min = x.t_min,
                                         .t_max = x.t_max,
                                         .xxh3 = XXH3_64bits_digest(x.sink.hash)};
out:
    if (rc && w->progress) /* what was written is no use */
        atomic_fetch_sub(&w->progress->rows_done, x.rows);
    tsfs_pq_writer_free(x.pq);
    cold_index_builder_free(x.index);
    rowgroup_free(&x.group);
    XXH3_freeState(x.sink.hash);
    free(x.sink.buf);
    tsfs_arena_free(&x.arena);
    return rc;
}
