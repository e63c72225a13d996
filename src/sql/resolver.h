/* What the binder asks of the world outside the text: tables, their columns, the clock. */
#ifndef TSFS_SQL_RESOLVER_H
#define TSFS_SQL_RESOLVER_H

#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "col/schema.h"
#include "col/source.h"

struct tsfs_expr;

struct tsfs_table_ref {
    struct tsfs_str database, name;
    struct tsfs_schema *schema; /* both borrowed for as long as the query lives */
    struct tsfs_source *source; /* the query's snapshot of the table */
};

/* One row of SHOW MEASURES. */
struct tsfs_measure_info {
    struct tsfs_str measure_name;
    struct tsfs_str data_type;  /* "multi", "double", ... */
    struct tsfs_str dimensions; /* their names, printed as an array of rows */
};

/* Every call may fail with -ENOENT (err names the thing and the nearest one), -EACCES, -ENOMEM.  Strings and
 * arrays come from the arena given or live as long as the query. */
struct tsfs_resolver {
    void *ctx;
    struct tsfs_str default_database; /* ptr NULL: names must be qualified */
    int64_t now;                      /* the query's one instant, ns */
    /* database ptr NULL = the default one. */
    int (*table)(void *ctx, struct tsfs_str database, struct tsfs_str name, struct tsfs_table_ref *out,
                 struct tsfs_error *err);
    int (*databases)(void *ctx, struct tsfs_arena *arena, struct tsfs_str **names, uint32_t *n,
                     struct tsfs_error *err);
    int (*tables)(void *ctx, struct tsfs_str database, struct tsfs_arena *arena, struct tsfs_str **names,
                  uint32_t *n, struct tsfs_error *err);
    int (*measures)(void *ctx, const struct tsfs_table_ref *table, struct tsfs_arena *arena,
                    struct tsfs_measure_info **out, uint32_t *n, struct tsfs_error *err);
    /* Evaluates an expression without columns (constant folding): the value, strings in arena.  -EAGAIN: not
     * now, it takes too long. */
    int (*fold)(void *ctx, const struct tsfs_expr *expr, struct tsfs_arena *arena, struct tsfs_value *out,
                struct tsfs_error *err);
};

#endif
