/* Tables in memory under the planner and the executor: no engine, no files. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "exec/function.h"
#include "format/format.h"
#include "plan/plan.h"
#include "sql_shell.h"

#define STREAMS 3

static struct world world;
static uint32_t key_cells;

/* By measure_name and dimensions, then by time; rows that were written again come last. */
static int by_series(const void *a, const void *b)
{
    const struct shell_row *x = a, *y = b;
    if (x->old != y->old)
        return x->old - y->old;
    for (uint32_t i = 1; i < key_cells; i++) {
        if (x->cells[i] == NULL || y->cells[i] == NULL) {
            if (x->cells[i] != y->cells[i])
                return x->cells[i] == NULL ? -1 : 1;
            continue;
        }
        int c = strcmp(x->cells[i], y->cells[i]);
        if (c != 0)
            return c;
    }
    long long s = atoll(x->cells[0]), t = atoll(y->cells[0]);
    return (s > t) - (s < t);
}

static bool same_series(const struct shell_row *x, const struct shell_row *y)
{
    for (uint32_t i = 1; i < key_cells; i++)
        if ((x->cells[i] == NULL) != (y->cells[i] == NULL) ||
            (x->cells[i] != NULL && strcmp(x->cells[i], y->cells[i]) != 0))
            return false;
    return true;
}

static void put_cell(struct mock_measure *m, enum tsfs_type type, uint32_t row, const char *cell)
{
    if (cell == NULL) {
        tsfs_bit_clear(m->valid, row);
        return;
    }
    tsfs_bit_set(m->valid, row);
    switch (type) {
    case TSFS_DOUBLE: ((double *)m->data)[row] = strtod(cell, NULL); break;
    case TSFS_BOOLEAN: ((uint8_t *)m->data)[row] = cell[0] == 't'; break;
    case TSFS_VARCHAR: ((struct tsfs_str *)m->data)[row] = tsfs_str_from(cell); break;
    default: ((int64_t *)m->data)[row] = strtoll(cell, NULL, 10); break;
    }
}

static void make_table(struct shell_table *t)
{
    struct shell_row *rows = malloc((t->nrows + 1) * sizeof(*rows)); /* its order is the writers' */
    size_t n = 0;
    uint32_t nseries = 0, number = 0;
    if (rows == NULL)
        shell_die("out of memory", "");
    for (size_t i = 0; i < t->nrows; i++)
        if (!t->rows[i].old)
            rows[n++] = t->rows[i];
    key_cells = 2 + t->ndims;
    qsort(rows, n, sizeof(*rows), by_series);
    for (size_t i = 0; i < n; i++)
        nseries += i == 0 || !same_series(&rows[i - 1], &rows[i]);
    mock_table_init(&t->mock, t->dims, t->ndims, t->measures, t->types, t->nmeasures, nseries);
    for (size_t from = 0, to; from < n; from = to, number++) {
        for (to = from + 1; to < n && same_series(&rows[from], &rows[to]);)
            to++;
        struct mock_series *s = mock_series_rows(&t->mock, number, (uint32_t)(to - from), true);
        s->measure_name = tsfs_str_from(rows[from].cells[1]);
        for (uint32_t d = 0; d < t->ndims; d++)
            if (rows[from].cells[2 + d] != NULL)
                s->dims[d] = tsfs_str_from(rows[from].cells[2 + d]);
        for (size_t r = from; r < to; r++) {
            s->times[r - from] = atoll(rows[r].cells[0]);
            for (uint32_t m = 0; m < t->nmeasures; m++)
                put_cell(&s->measures[m], t->types[m], (uint32_t)(r - from), rows[r].cells[2 + t->ndims + m]);
        }
    }
    free(rows);
}

void shell_world_open(struct shell_tables *tables, const struct mock_options *shape)
{
    world_init(&world);
    for (uint32_t i = 0; i < tables->n; i++) {
        struct shell_table *t = &tables->items[i];
        if (t->mock.schema == NULL)
            make_table(t);
        world_add_to(&world, t->database, t->name, &t->mock, shape);
    }
}

void shell_world_close(void)
{
    world_free(&world);
}

/* ---- running ---- */

struct output {
    struct tsfs_str *names;
    enum tsfs_type *types;
    unsigned ncols;
};

struct part {
    struct tsfs_exec_stream *stream;
    struct tsfs_formatter *formatter;
    struct tsfs_buf text;
    struct tsfs_error err;
    uint32_t number;
};

static int make_formatter(const struct output *o, struct tsfs_formatter **out)
{
    struct tsfs_buf header = {0};
    int rc = tsfs_format_create(TSFS_FORMAT_CSV, o->names, o->types, o->ncols, out);
    if (rc == 0)
        rc = tsfs_format_begin(*out, &header);
    tsfs_buf_free(&header);
    return rc;
}

static int run_part(void *ctx, size_t i, unsigned worker)
{
    struct part *part = (struct part *)ctx + i;
    struct tsfs_batch *batch;
    int rc;
    tsfs_exec_stream_part(part->stream, part->number);
    while ((rc = tsfs_exec_stream_next(part->stream, &batch, &part->err)) > 0)
        if ((rc = tsfs_format_batch(part->formatter, batch, &part->text)) < 0)
            break;
    return rc;
}

/* The rows of n parts, several at once. */
static int run_parts(struct tsfs_exec *exec, struct tsfs_pool *pool, const struct output *o, uint32_t n,
                     struct tsfs_buf *out, struct tsfs_error *err)
{
    struct part parts[STREAMS] = {{0}};
    int rc = 0;
    for (unsigned i = 0; i < STREAMS && rc == 0; i++)
        if ((rc = tsfs_exec_stream_open(exec, &parts[i].stream, err)) == 0)
            rc = make_formatter(o, &parts[i].formatter);
    for (uint32_t first = 0; first < n && rc == 0; first += STREAMS) {
        uint32_t some = n - first < STREAMS ? n - first : STREAMS;
        for (uint32_t i = 0; i < some; i++)
            parts[i].number = first + i;
        rc = tsfs_pool_run(pool, run_part, parts, some);
        for (uint32_t i = 0; i < some; i++) {
            if (rc != 0 && parts[i].err.code != 0 && err->code == 0)
                *err = parts[i].err;
            if (rc == 0)
                rc = tsfs_buf_append(out, parts[i].text.data, parts[i].text.len);
            parts[i].text.len = 0;
        }
    }
    for (unsigned i = 0; i < STREAMS; i++) {
        tsfs_format_free(parts[i].formatter);
        tsfs_buf_free(&parts[i].text);
    }
    return rc;
}

static int run_plan_text(const struct tsfs_plan *plan, struct tsfs_pool *pool, const struct output *o,
                         struct tsfs_buf *out, struct tsfs_error *err)
{
    const struct tsfs_exec_options options = {.pool = pool, .now = WORLD_NOW};
    struct tsfs_exec *exec = NULL;
    struct tsfs_formatter *formatter = NULL;
    struct tsfs_batch *batch;
    uint32_t nparts = 0;
    int rc = tsfs_exec_open(plan, &options, &exec, err);
    if (rc == 0 && pool != NULL)
        rc = tsfs_exec_parts(exec, 0, &nparts, err);
    if (rc == 0 && nparts > 0) {
        rc = run_parts(exec, pool, o, nparts, out, err);
    } else if (rc == 0 && (rc = make_formatter(o, &formatter)) == 0) {
        while ((rc = tsfs_exec_next(exec, &batch, err)) > 0)
            if ((rc = tsfs_format_batch(formatter, batch, out)) < 0)
                break;
    }
    tsfs_format_free(formatter);
    tsfs_exec_close(exec);
    return rc;
}

int shell_world_run(const char *text, struct tsfs_pool *pool, struct tsfs_buf *out, struct tsfs_error *err)
{
    struct tsfs_arena arena;
    struct tsfs_plan *plan;
    tsfs_arena_init(&arena, NULL);
    world.resolver.ctx = &world;
    int rc = tsfs_plan_query(tsfs_str_from(text), &world.resolver, tsfs_functions(), &arena, &plan, err);
    if (rc == 0) {
        struct output o = {TSFS_NEW_ARRAY(&arena, struct tsfs_str, plan->ncols + 1),
                           TSFS_NEW_ARRAY(&arena, enum tsfs_type, plan->ncols + 1), plan->ncols};
        if (o.names == NULL || o.types == NULL)
            shell_die("out of memory", "");
        for (uint32_t i = 0; i < plan->ncols; i++) {
            o.names[i] = plan->cols[i].name;
            o.types[i] = plan->cols[i].type;
        }
        rc = run_plan_text(plan, pool, &o, out, err);
    }
    tsfs_arena_free(&arena);
    if (mock_open() != (int)world.ntables)
        shell_die("a scan was left open", text);
    return rc;
}
