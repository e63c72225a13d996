/* Statements with their names resolved and their types known: what the planner starts from. */
#ifndef TSFS_SQL_BIND_H
#define TSFS_SQL_BIND_H

#include "base/arena.h"
#include "base/error.h"
#include "sql/expr.h"
#include "sql/function.h"
#include "sql/resolver.h"

struct tsfs_bound_column {
    struct tsfs_str name; /* as the result shows it */
    enum tsfs_type type;
};

struct tsfs_bound_aggregate {
    const struct tsfs_function *fn;
    struct tsfs_expr **args; /* over the columns of FROM; the last norder of them are keys to sort by */
    uint32_t nargs, norder;
    const struct tsfs_sort_flags *order;
    bool distinct;
    struct tsfs_expr *filter; /* NULL = every row */
    uint32_t line, column;
};

#define TSFS_BOUND_NO_ITEM UINT32_MAX

struct tsfs_bound_key {
    struct tsfs_expr *expr;
    uint32_t item; /* the select item that it is, TSFS_BOUND_NO_ITEM = none */
    bool descending, nulls_first;
};

enum tsfs_bound_kind { TSFS_BOUND_TABLE, TSFS_BOUND_SELECT, TSFS_BOUND_VALUES, TSFS_BOUND_UNNEST };

/* Anything that yields rows.  Bound trees are never changed and may be shared (a CTE used twice). */
struct tsfs_bound {
    enum tsfs_bound_kind kind;
    struct tsfs_bound_column *cols;
    uint32_t ncols;
    uint32_t depth; /* of SELECTs inside SELECTs, by way of WITH as well */
    union {
        struct {
            struct tsfs_table_ref ref;
            uint16_t *ordinals; /* of cols: dimensions, measure_name, time, measures */
        } table;
        struct {
            struct tsfs_value *rows; /* row-major */
            uint64_t nrows;
        } values;
        /* cols: from's, then of each expression (an array or a timeseries over from's columns) its element,
         * the fields of it if it is a row, or time and value; then the number of the element, from 1. */
        struct {
            const struct tsfs_bound *from; /* NULL: one row without columns */
            struct tsfs_expr **exprs;
            uint32_t nexprs;
            bool ordinality;
        } unnest;
        struct {
            const struct tsfs_bound *from; /* NULL: one row without columns */
            struct tsfs_expr *where;       /* over from's columns, NULL = none */
            bool aggregated;
            struct tsfs_expr **groups; /* over from's columns */
            uint32_t ngroups;
            struct tsfs_bound_aggregate *aggs;
            uint32_t naggs;
            /* From here on: over groups then aggs when aggregated, over from's columns when not. */
            struct tsfs_expr *having;
            struct tsfs_expr **exprs; /* of cols */
            struct tsfs_bound_key *keys;
            uint32_t nkeys;
            bool distinct;          /* then every key is an item */
            uint64_t limit, offset; /* limit UINT64_MAX = all */
        } select;
    };
};

/* Parses and binds one statement; SHOW and DESCRIBE come back as values.  Everything is in arena, and text
 * must live as long. */
TSFS_MUST_CHECK int tsfs_sql_bind(struct tsfs_str text, const struct tsfs_resolver *resolver,
                                  const struct tsfs_function_set *functions, struct tsfs_arena *arena,
                                  struct tsfs_bound **out, bool *explain, struct tsfs_error *err);

/* Is it a DELETE, right or wrong? */
bool tsfs_sql_is_delete(struct tsfs_str text);
/* The query for the rows that a DELETE takes away: a SELECT of all columns of one table. */
TSFS_MUST_CHECK int tsfs_sql_bind_delete(struct tsfs_str text, const struct tsfs_resolver *resolver,
                                         const struct tsfs_function_set *functions, struct tsfs_arena *arena,
                                         struct tsfs_bound **out, struct tsfs_error *err);

#endif
