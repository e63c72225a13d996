/* The same tables in six engines: all rows hot, all cold, some of each; one thread and several. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "sql_shell.h"
#include "tsfs/engine.h"

#define SEVERAL 4

struct engine {
    char data[64];
    struct tsfs_engine *engine;
    struct tsfs_node *root, *database; /* "db", what names without a database mean */
};

static const struct tsfs_creds me = {0};
static struct engine engines[SHELL_ENGINES];

static unsigned tier(unsigned i) /* 0 hot, 1 cold, 2 mixed */
{
    return i / 2;
}

const char *shell_engine_name(unsigned i)
{
    static const char *const names[SHELL_ENGINES] = {"hot",          "hot-threads", "cold",
                                                     "cold-threads", "mixed",       "mixed-threads"};
    return names[i];
}

static void store(struct tsfs_node *node, enum tsfs_file file, const char *text)
{
    struct tsfs_error err = {0};
    if (tsfs_node_store(node, file, text, strlen(text), NULL, NULL, &err) != 0)
        shell_die(text, err.message);
}

static void put_escaped(struct tsfs_buf *out, const char *text, const char *special)
{
    for (; *text != '\0'; text++)
        if (tsfs_buf_printf(out, "%s%c", strchr(special, *text) != NULL ? "\\" : "", *text) != 0)
            shell_die("out of memory", "");
}

static void put(struct tsfs_buf *out, const char *text)
{
    if (tsfs_buf_append(out, text, strlen(text)) != 0)
        shell_die("out of memory", "");
}

/* A line of line protocol. */
static void put_line(struct tsfs_buf *out, const struct shell_table *t, const struct shell_row *row)
{
    bool first = true;
    put_escaped(out, row->cells[1], ", ");
    for (uint32_t d = 0; d < t->ndims; d++) {
        if (row->cells[2 + d] == NULL)
            continue;
        put(out, ",");
        put(out, t->dims[d]);
        put(out, "=");
        put_escaped(out, row->cells[2 + d], ", =");
    }
    for (uint32_t m = 0; m < t->nmeasures; m++) {
        const char *cell = row->cells[2 + t->ndims + m];
        if (cell == NULL)
            continue;
        put(out, first ? " " : ",");
        first = false;
        put(out, t->measures[m]);
        put(out, "=");
        if (t->types[m] == TSFS_VARCHAR) {
            put(out, "\"");
            put_escaped(out, cell, "\"\\");
            put(out, "\"");
        } else {
            put(out, cell);
            put(out, t->types[m] == TSFS_BIGINT ? "i" : "");
        }
    }
    put(out, " ");
    put(out, row->cells[0]);
    put(out, "\n");
}

static void write_lines(struct tsfs_node *node, struct tsfs_buf *lines)
{
    struct tsfs_writer *writer;
    if (lines->len > 0) {
        if (tsfs_writer_open(node, &me, &writer) != 0 ||
            tsfs_writer_write(writer, lines->data, lines->len) != (ssize_t)lines->len) {
            struct tsfs_buf errors = {0};
            bool told = tsfs_node_render(node, TSFS_FILE_ERRORS, &errors) == 0 && errors.len > 0;
            shell_die("rows were refused", told ? errors.data : "");
        }
        tsfs_writer_close(writer);
    }
    lines->len = 0;
}

/* A row that names every column, then none: tables without rows have columns, in the order of all others. */
static void make_columns(struct tsfs_node *node, const struct shell_table *t)
{
    struct shell_row row = {.cells = {(char *)"1714560000000000000", (char *)"m"}};
    struct tsfs_buf line = {0};
    for (uint32_t d = 0; d < t->ndims; d++)
        row.cells[2 + d] = (char *)"x";
    for (uint32_t m = 0; m < t->nmeasures; m++)
        row.cells[2 + t->ndims + m] = (char *)(t->types[m] == TSFS_BOOLEAN ? "true" : "1");
    put_line(&line, t, &row);
    write_lines(node, &line);
    store(node, TSFS_FILE_CTL, "truncate\n");
    tsfs_buf_free(&line);
}

/* Rows that are written again and half of the others, then the other half; migrations in between and behind
 * make the tier. */
static void fill(unsigned i, const struct shell_table *t, struct tsfs_node *node)
{
    struct tsfs_buf lines = {0};
    make_columns(node, t);
    for (size_t r = 0; r < t->nrows; r++)
        if (t->rows[r].old)
            put_line(&lines, t, &t->rows[r]);
    for (size_t r = 0; r < t->nrows; r += 2)
        if (!t->rows[r].old)
            put_line(&lines, t, &t->rows[r]);
    write_lines(node, &lines);
    if (tier(i) != 0)
        store(node, TSFS_FILE_CTL, "migrate\n");
    for (size_t r = 1; r < t->nrows; r += 2)
        if (!t->rows[r].old)
            put_line(&lines, t, &t->rows[r]);
    write_lines(node, &lines);
    if (tier(i) == 1)
        store(node, TSFS_FILE_CTL, "migrate\n");
    tsfs_buf_free(&lines);
}

void shell_engine_open(unsigned i, const struct shell_tables *tables)
{
    struct engine *e = &engines[i];
    struct tsfs_error err = {0};
    if (e->engine != NULL)
        return;
    strcpy(e->data, access("/dev/shm", W_OK) == 0 ? "/dev/shm/tsfs-shell-XXXXXX" : "/tmp/tsfs-shell-XXXXXX");
    if (mkdtemp(e->data) == NULL)
        shell_die("mkdtemp", strerror(errno));
    const struct tsfs_engine_options options = {
        .data = e->data, .threads = i % 2 == 0 ? 1 : SEVERAL, .memory = 64 << 20};
    if (tsfs_engine_open(&options, &e->engine, &err) != 0 || tsfs_engine_start(e->engine, &err) != 0)
        shell_die("engine", err.message);
    e->root = tsfs_engine_root(e->engine);
    for (uint32_t k = 0; k < tables->n; k++) {
        const struct shell_table *t = &tables->items[k];
        struct tsfs_node *database, *node;
        if (tsfs_node_lookup(e->root, t->database, &database) != 0) {
            if (tsfs_node_create(e->root, t->database, &me, 0755, &database) != 0)
                shell_die("cannot make database", t->database);
            store(database, TSFS_FILE_CONFIG,
                  "memory_retention = 73000d\nfuture_limit = 73000d\npartition = 1h\nsync_interval = 1h\n");
        }
        if (tsfs_node_create(database, t->name, &me, 0755, &node) != 0)
            shell_die("cannot make table", t->name);
        fill(i, t, node);
        tsfs_node_unref(node);
        tsfs_node_unref(database);
    }
    if (tsfs_node_lookup(e->root, "db", &e->database) != 0)
        shell_die("no database", "db");
}

void shell_engines_close(void)
{
    for (unsigned i = 0; i < SHELL_ENGINES; i++) {
        struct engine *e = &engines[i];
        if (e->engine == NULL)
            continue;
        tsfs_node_unref(e->database);
        tsfs_node_unref(e->root);
        if (tsfs_engine_close(e->engine) != 0 || tsfs_io_remove_tree(AT_FDCWD, e->data) != 0)
            shell_die("cannot close", e->data);
        *e = (struct engine){{0}};
    }
}

int shell_engine_run(unsigned i, const char *text, struct tsfs_buf *out, struct tsfs_error *err)
{
    struct tsfs_query *q;
    char chunk[1 << 14];
    uint64_t at = 0;
    ssize_t n;
    bool header = true;
    int rc = tsfs_query_create(engines[i].database, &me, TSFS_QUERY_CSV, text, strlen(text), &q);
    if (rc != 0)
        return rc;
    while ((n = tsfs_query_read(q, chunk, sizeof(chunk), at, NULL, NULL)) > 0) {
        const char *from = chunk, *end = chunk + n;
        at += (uint64_t)n;
        if (header) {
            const char *line = memchr(chunk, '\n', (size_t)n);
            header = line == NULL;
            from = line == NULL ? end : line + 1;
        }
        if (tsfs_buf_append(out, from, (size_t)(end - from)) != 0)
            shell_die("out of memory", "");
    }
    if (n < 0)
        *err = *tsfs_query_error(q);
    tsfs_query_free(q);
    return (int)n;
}
