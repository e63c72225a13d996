/* Statements against tables in memory, for tests that compare their answers with another program's.
 *
 * Standard input has a command a line, cells separated by tabs, \N for NULL:
 *     table NAME dims A B ... measures X:double N:bigint ...
 *     row TIME_NS MEASURE_NAME A B ... X N ...       (rows of the last table, in any order)
 *     shape PARTITION_NS PARTS BLOCK_ROWS RUN_ROWS COPIES   (of sources, from the next query on)
 *     clear                                           (no tables)
 *     query STATEMENT
 * A query is answered by "rows N" and N lines of cells, or by "error MESSAGE". */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/sql_world.h"
#include "base/num.h"

#define COLUMNS_MAX 32

struct raw_row {
    char *cells[COLUMNS_MAX];
};

struct raw_table {
    char *name;
    uint32_t ndims, nmeasures;
    const char *dims[COLUMNS_MAX], *measures[COLUMNS_MAX];
    enum tsfs_type types[COLUMNS_MAX];
    struct raw_row *rows;
    size_t nrows, room;
    struct mock_table table;
    bool made;
};

static struct raw_table tables[WORLD_TABLES];
static uint32_t ntables;
static struct world world;
static struct mock_options shape;
static bool open_world;

static void die(const char *what)
{
    fprintf(stderr, "sql_shell: %s\n", what);
    exit(2);
}

static char *next_cell(char **at)
{
    char *cell = *at;
    if (cell == NULL)
        return NULL;
    char *tab = strchr(cell, '\t');
    *at = tab == NULL ? NULL : tab + 1;
    if (tab != NULL)
        *tab = '\0';
    return cell;
}

static void add_table(char *rest)
{
    if (ntables == WORLD_TABLES)
        die("too many tables");
    struct raw_table *t = &tables[ntables++];
    bool measures = false;
    t->name = strdup(next_cell(&rest));
    next_cell(&rest); /* dims */
    for (char *cell; (cell = next_cell(&rest)) != NULL;) {
        if (strcmp(cell, "measures") == 0) {
            measures = true;
        } else if (!measures) {
            t->dims[t->ndims++] = strdup(cell);
        } else {
            char *colon = strchr(cell, ':');
            if (colon == NULL || !tsfs_type_from_name(tsfs_str_from(colon + 1), &t->types[t->nmeasures]))
                die("a measure without a type");
            *colon = '\0';
            t->measures[t->nmeasures++] = strdup(cell);
        }
    }
}

static void add_row(char *rest)
{
    struct raw_table *t = &tables[ntables - 1];
    if (t->nrows == t->room) {
        t->room = t->room * 2 + 64;
        t->rows = realloc(t->rows, t->room * sizeof(*t->rows));
        if (t->rows == NULL)
            die("out of memory");
    }
    struct raw_row *row = &t->rows[t->nrows++];
    *row = (struct raw_row){{NULL}};
    for (uint32_t i = 0; i < 2 + t->ndims + t->nmeasures; i++) {
        char *cell = next_cell(&rest);
        if (cell == NULL)
            die("a row is too short");
        row->cells[i] = strcmp(cell, "\\N") == 0 ? NULL : strdup(cell);
    }
}

static uint32_t key_cells;

/* By measure_name and dimensions, then by time. */
static int by_series(const void *a, const void *b)
{
    const struct raw_row *x = a, *y = b;
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

static bool same_series(const struct raw_row *x, const struct raw_row *y)
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
    default: ((int64_t *)m->data)[row] = atoll(cell); break;
    }
}

static void make_table(struct raw_table *t)
{
    uint32_t nseries = 0;
    key_cells = 2 + t->ndims;
    if (t->nrows > 0)
        qsort(t->rows, t->nrows, sizeof(*t->rows), by_series);
    for (size_t i = 0; i < t->nrows; i++)
        nseries += i == 0 || !same_series(&t->rows[i - 1], &t->rows[i]);
    mock_table_init(&t->table, t->dims, t->ndims, t->measures, t->types, t->nmeasures, nseries);
    uint32_t number = 0;
    for (size_t from = 0, to; from < t->nrows; from = to, number++) {
        for (to = from + 1; to < t->nrows && same_series(&t->rows[from], &t->rows[to]);)
            to++;
        struct mock_series *s = mock_series_rows(&t->table, number, (uint32_t)(to - from), true);
        s->measure_name = tsfs_str_from(t->rows[from].cells[1]);
        for (uint32_t d = 0; d < t->ndims; d++)
            if (t->rows[from].cells[2 + d] != NULL)
                s->dims[d] = tsfs_str_from(t->rows[from].cells[2 + d]);
        for (size_t r = from; r < to; r++) {
            s->times[r - from] = atoll(t->rows[r].cells[0]);
            for (uint32_t m = 0; m < t->nmeasures; m++)
                put_cell(&s->measures[m], t->types[m], (uint32_t)(r - from),
                         t->rows[r].cells[2 + t->ndims + m]);
        }
    }
    t->made = true;
}

static void make_world(void)
{
    world_init(&world);
    for (uint32_t i = 0; i < ntables; i++) {
        if (!tables[i].made)
            make_table(&tables[i]);
        world_add(&world, tables[i].name, &tables[i].table, &shape);
    }
    open_world = true;
}

static void print_cell(const struct tsfs_value *v)
{
    if (v->null || v->type == TSFS_UNKNOWN)
        printf("\\N");
    else if (v->type == TSFS_DOUBLE)
        printf("%.17g", v->d + 0.0);
    else if (v->type == TSFS_BOOLEAN)
        printf("%s", v->b ? "true" : "false");
    else if (v->type == TSFS_VARCHAR)
        printf("'%.*s", (int)v->s.len, v->s.ptr);
    else
        printf("%lld", (long long)v->i);
}

static void run_query(const char *text)
{
    struct tsfs_arena arena;
    struct tsfs_error err = {0};
    struct result r;
    if (!open_world)
        make_world();
    tsfs_arena_init(&arena, NULL);
    int rc = world_run(&world, text, &arena, &r, &err);
    if (rc != 0) {
        printf("error %s\n", err.message[0] != '\0' ? err.message : strerror(-rc));
    } else {
        printf("rows %zu\n", r.nrows);
        for (size_t i = 0; i < r.nrows; i++)
            for (uint32_t c = 0; c < r.ncols; c++) {
                print_cell(&r.values[i * r.ncols + c]);
                putchar(c + 1 == r.ncols ? '\n' : '\t');
            }
    }
    fflush(stdout);
    tsfs_arena_free(&arena);
    if (mock_open() != (int)ntables)
        die("a scan was left open");
}

static void clear_tables(void)
{
    if (open_world)
        world_free(&world);
    open_world = false;
    for (uint32_t i = 0; i < ntables; i++) {
        if (tables[i].made)
            mock_table_free(&tables[i].table);
        for (size_t r = 0; r < tables[i].nrows; r++)
            for (uint32_t c = 0; c < COLUMNS_MAX; c++)
                free(tables[i].rows[r].cells[c]);
        free(tables[i].rows);
        free(tables[i].name);
        for (uint32_t c = 0; c < COLUMNS_MAX; c++) {
            free((char *)tables[i].dims[c]);
            free((char *)tables[i].measures[c]);
        }
    }
    memset(tables, 0, sizeof(tables));
    ntables = 0;
}

int main(void)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    while ((n = getline(&line, &room, stdin)) > 0) {
        if (line[n - 1] == '\n')
            line[n - 1] = '\0';
        char *rest = strchr(line, ' ');
        if (rest != NULL)
            *rest++ = '\0';
        if (strcmp(line, "table") == 0) {
            add_table(rest);
        } else if (strcmp(line, "row") == 0) {
            add_row(rest);
        } else if (strcmp(line, "shape") == 0) {
            int copies;
            long long partition;
            if (sscanf(rest, "%lld %u %u %u %d", &partition, &shape.parts, &shape.block_rows, &shape.run_rows,
                       &copies) != 5)
                die("a shape has five numbers");
            shape.partition = partition;
            shape.copies = copies != 0;
            if (open_world)
                world_free(&world);
            open_world = false;
        } else if (strcmp(line, "clear") == 0) {
            clear_tables();
        } else if (strcmp(line, "query") == 0) {
            run_query(rest);
        } else if (line[0] != '\0') {
            die("no such command");
        }
    }
    clear_tables();
    free(line);
    return 0;
}
