/* Tables in memory that statements can be run against, from text to rows. */
#ifndef TESTS_SQL_WORLD_H
#define TESTS_SQL_WORLD_H

#include "exec_run.h"
#include "mock_source.h"
#include "sql/resolver.h"

#define WORLD_TABLES 8

struct world {
    struct world_table {
        struct tsfs_str database, name;
        struct mock_table *table;
        struct tsfs_source *source;
    } tables[WORLD_TABLES];
    uint32_t ntables;
    struct tsfs_resolver resolver;
    struct tsfs_pool *pool;     /* NULL = one thread */
    struct tsfs_budget *budget; /* NULL = no limit */
};

/* 2024-05-01 12:00:00 UTC, the instant of all statements */
#define WORLD_NOW (INT64_C(1714564800) * 1000000000)

void world_init(struct world *w); /* database "db", no tables */
/* Under options (NULL = plain); table is borrowed until world_free. */
void world_add(struct world *w, const char *name, struct mock_table *table,
               const struct mock_options *options);
/* The same in another database than "db". */
void world_add_to(struct world *w, const char *database, const char *name, struct mock_table *table,
                  const struct mock_options *options);
void world_free(struct world *w); /* the tables themselves stay */

/* 0 or -errno; the result and all else is arena's. */
int world_run(struct world *w, const char *text, struct tsfs_arena *arena, struct result *out,
              struct tsfs_error *err);

#endif
