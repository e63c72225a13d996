/* Statements against tables, for tests that compare their answers with another program's and with one
 * another.
 *
 * Standard input has a command a line, cells separated by tabs, \N for NULL:
 *     table DATABASE NAME dims A B ... measures X:double N:bigint ...
 *     row TIME_NS MEASURE_NAME A B ... X N ...       (rows of the last table, in the order of writing)
 *     old TIME_NS MEASURE_NAME A B ... X N ...       (one that is written first, and again by a row)
 *     shape PARTITION_NS PARTS BLOCK_ROWS RUN_ROWS COPIES   (of sources in memory, from the next query on)
 *     clear                                           (no tables)
 *     ask WAYS STATEMENT   WAYS is a sum of 1: the executor over tables in memory on one thread, 2: on
 * several, and 4, 8, ...: the engines of sql_shell_engines.c, which have a disk and so take DELETE A
 * statement is answered by "rows N" and N lines of CSV, or by "error MESSAGE", the first way's answer; then
 * by "mode NAME" and an answer for every other way whose lines, sorted, are not the same; then by "end". */
#include "sql_shell.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct answer {
    struct tsfs_buf text;
    struct tsfs_error err;
    int rc;
};

static struct shell_tables tables;
static struct mock_options shape;
static struct tsfs_pool *pool;
static bool world_open;

void shell_die(const char *what, const char *why)
{
    fprintf(stderr, "sql_shell: %s: %s\n", what, why);
    exit(2);
}

/* ---- tables ---- */

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
    if (tables.n == WORLD_TABLES)
        shell_die("too many tables", "");
    struct shell_table *t = &tables.items[tables.n++];
    bool measures = false;
    t->database = strdup(next_cell(&rest));
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
                shell_die("a measure without a type", cell);
            *colon = '\0';
            t->measures[t->nmeasures++] = strdup(cell);
        }
    }
}

static void add_row(char *rest, bool old)
{
    struct shell_table *t = &tables.items[tables.n - 1];
    if (t->nrows == t->room) {
        t->room = t->room * 2 + 64;
        t->rows = realloc(t->rows, t->room * sizeof(*t->rows));
        if (t->rows == NULL)
            shell_die("out of memory", "");
    }
    struct shell_row *row = &t->rows[t->nrows++];
    *row = (struct shell_row){.old = old};
    for (uint32_t i = 0; i < 2 + t->ndims + t->nmeasures; i++) {
        char *cell = next_cell(&rest);
        if (cell == NULL)
            shell_die("a row is too short", t->name);
        row->cells[i] = strcmp(cell, "\\N") == 0 ? NULL : strdup(cell);
    }
}

static void close_world(void)
{
    if (world_open)
        shell_world_close();
    world_open = false;
}

static void clear_tables(void)
{
    close_world();
    shell_engines_close();
    for (uint32_t i = 0; i < tables.n; i++) {
        struct shell_table *t = &tables.items[i];
        if (t->mock.schema != NULL)
            mock_table_free(&t->mock);
        for (size_t r = 0; r < t->nrows; r++)
            for (uint32_t c = 0; c < SHELL_COLUMNS; c++)
                free(t->rows[r].cells[c]);
        free(t->rows);
        free(t->database);
        free(t->name);
        for (uint32_t c = 0; c < SHELL_COLUMNS; c++) {
            free((char *)t->dims[c]);
            free((char *)t->measures[c]);
        }
    }
    memset(&tables, 0, sizeof(tables));
}

/* ---- answers ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static size_t count_lines(const struct tsfs_buf *text)
{
    size_t n = 0;
    for (size_t i = 0; i < text->len; i++)
        n += text->data[i] == '\n';
    return n;
}

/* The lines of a text, sorted, as one string; NULL bytes do not occur. */
static char *sorted(const struct tsfs_buf *text)
{
    size_t n = count_lines(text), k = 0;
    char *copy = malloc(text->len + 1), *out = malloc(text->len + 1), *at = out;
    char **lines = malloc((n + 1) * sizeof(*lines));
    if (copy == NULL || out == NULL || lines == NULL)
        shell_die("out of memory", "");
    if (text->len > 0)
        memcpy(copy, text->data, text->len);
    copy[text->len] = '\0';
    for (char *line = copy; k < n; k++) {
        lines[k] = line;
        line = strchr(line, '\n');
        *line++ = '\0';
    }
    qsort(lines, n, sizeof(*lines), by_text);
    for (k = 0; k < n; k++) {
        at = stpcpy(at, lines[k]);
        *at++ = '\n';
    }
    *at = '\0';
    free(lines);
    free(copy);
    return out;
}

static bool same(const struct answer *a, const struct answer *b)
{
    if (a->rc != 0 || b->rc != 0)
        return (a->rc != 0) == (b->rc != 0);
    char *x = sorted(&a->text), *y = sorted(&b->text);
    bool is = strcmp(x, y) == 0;
    free(x);
    free(y);
    return is;
}

static void print_answer(const struct answer *a)
{
    if (a->rc != 0) {
        printf("error %s\n", a->err.message[0] != '\0' ? a->err.message : strerror(-a->rc));
        return;
    }
    printf("rows %zu\n", count_lines(&a->text));
    if (a->text.len > 0)
        fwrite(a->text.data, 1, a->text.len, stdout);
}

static void run_query(unsigned ways, const char *text)
{
    struct answer first = {.rc = 1}, next = {.rc = 0};
    for (unsigned i = 0; i < 2 + SHELL_ENGINES; i++) {
        if ((ways >> i & 1) == 0)
            continue;
        struct answer *a = first.rc == 1 ? &first : &next;
        a->text.len = 0;
        a->err = (struct tsfs_error){0};
        if (i >= 2) {
            shell_engine_open(i - 2, &tables);
            a->rc = shell_engine_run(i - 2, text, &a->text, &a->err);
        } else {
            if (!world_open)
                shell_world_open(&tables, &shape);
            world_open = true;
            a->rc = shell_world_run(text, i == 0 ? NULL : pool, &a->text, &a->err);
        }
        if (a == &first) {
            print_answer(a);
        } else if (!same(&first, a)) {
            printf("mode %s\n", i < 2 ? "memory-threads" : shell_engine_name(i - 2));
            print_answer(a);
        }
    }
    printf("end\n");
    fflush(stdout);
    tsfs_buf_free(&first.text);
    tsfs_buf_free(&next.text);
}

static void ask(char *rest)
{
    char *end;
    unsigned long ways = strtoul(rest, &end, 10);
    if (ways == 0 || ways >> (2 + SHELL_ENGINES) != 0 || *end != ' ')
        shell_die("no such ways", rest);
    run_query((unsigned)ways, end + 1);
}

static void set_shape(const char *rest)
{
    int copies;
    long long partition;
    if (sscanf(rest, "%lld %u %u %u %d", &partition, &shape.parts, &shape.block_rows, &shape.run_rows,
               &copies) != 5)
        shell_die("a shape has five numbers", rest);
    shape.partition = partition;
    shape.copies = copies != 0;
    close_world();
}

int main(void)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    if (tsfs_pool_create(3, &pool) != 0)
        shell_die("no threads", "");
    while ((n = getline(&line, &room, stdin)) > 0) {
        if (line[n - 1] == '\n')
            line[n - 1] = '\0';
        char *rest = strchr(line, ' ');
        if (rest != NULL)
            *rest++ = '\0';
        if (strcmp(line, "clear") == 0)
            clear_tables();
        else if (rest == NULL)
            shell_die("no such command", line);
        else if (strcmp(line, "table") == 0)
            add_table(rest);
        else if (strcmp(line, "row") == 0 || strcmp(line, "old") == 0)
            add_row(rest, line[0] == 'o');
        else if (strcmp(line, "shape") == 0)
            set_shape(rest);
        else if (strcmp(line, "ask") == 0)
            ask(rest);
        else
            shell_die("no such command", line);
    }
    clear_tables();
    tsfs_pool_free(pool);
    free(line);
    return 0;
}
