/* Tables and the ways to ask about them, for programs that compare the answers: see sql_shell.c. */
#ifndef TESTS_SQL_SHELL_H
#define TESTS_SQL_SHELL_H

#include "../unit/sql_world.h"
#include "base/buf.h"

#define SHELL_COLUMNS 32

struct shell_row {
    bool old; /* was written again later: only programs that take writes see it, before all others */
    char *cells[SHELL_COLUMNS]; /* time, measure_name, dimensions, measures; NULL = NULL */
};

struct shell_table {
    char *database, *name;
    uint32_t ndims, nmeasures;
    const char *dims[SHELL_COLUMNS], *measures[SHELL_COLUMNS];
    enum tsfs_type types[SHELL_COLUMNS];
    struct shell_row *rows;
    size_t nrows, room;
    struct mock_table mock; /* zero: not made yet */
};

struct shell_tables {
    struct shell_table items[WORLD_TABLES];
    uint32_t n;
};

_Noreturn void shell_die(const char *what, const char *why);

/* ---- tables in memory (sql_shell_world.c) ---- */

/* The tables below the executor alone, cut up as shape says; pool NULL = one thread. */
void shell_world_open(struct shell_tables *tables, const struct mock_options *shape);
void shell_world_close(void);
/* 0 and CSV without its header, or -errno and err. */
int shell_world_run(const char *text, struct tsfs_pool *pool, struct tsfs_buf *out, struct tsfs_error *err);

/* ---- the engine (sql_shell_engines.c) ---- */

/* One engine for each of hot, cold and mixed, times one and several threads. */
#define SHELL_ENGINES 6

void shell_engine_open(unsigned i, const struct shell_tables *tables); /* if it is not open */
void shell_engines_close(void);
const char *shell_engine_name(unsigned i);
int shell_engine_run(unsigned i, const char *text, struct tsfs_buf *out, struct tsfs_error *err);

#endif
