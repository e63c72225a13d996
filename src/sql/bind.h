/* Statements with their names resolved and their types known: what the planner starts from. */
#ifndef TSFS_SQL_BIND_H
#define TSFS_SQL_BIND_H

#include "base/arena.h"
#include "base/error.h"
#include "sql/expr.h"
#include "sql/function.h"
#include "sql/relation.h"
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

/* A window function: fn is a TSFS_FUNCTION_WINDOW or an aggregate. */
struct tsfs_bound_window {
    const struct tsfs_function *fn;
    struct tsfs_expr **args;
    uint32_t nargs;
    enum tsfs_type type; /* of the result */
    bool distinct, ignore_nulls;
    struct tsfs_expr *filter; /* NULL = every row */
    struct tsfs_expr **partition;
    uint32_t npartition;
    struct tsfs_bound_key *keys;
    uint32_t nkeys;
    enum tsfs_frame_unit unit;
    enum tsfs_frame_bound start, end;
    /* ROWS and GROUPS: how many.  RANGE: the value of the first key that the frame reaches to. */
    struct tsfs_expr *start_offset, *end_offset;
    uint32_t line, column;
};

/* A query inside an expression.  Its params are what it takes from the rows around it; their ids are the
 * statement's own numbers, and inside rel they are TSFS_EXPR_PARAMs. */
enum tsfs_subquery_kind {
    TSFS_SUBQUERY_SCALAR, /* its one row; NULLs if there is none; an error if there are more */
    TSFS_SUBQUERY_EXISTS, /* whether there is a row */
    TSFS_SUBQUERY_LIST    /* the values of its one column; takes no params */
};

struct tsfs_subquery {
    enum tsfs_subquery_kind kind;
    const struct tsfs_bound *rel;
    uint32_t *params; /* as many as the TSFS_EXPR_SUBQUERY has args */
    uint32_t nparams;
    bool free; /* something in it is a param of a query further out */
    /* Of x IN (query) that takes params, which this counts the equal values of; else NULL.  The whole of it
     * is then the one argument of a COALESCE, which the planner takes for what it was written as. */
    const struct tsfs_bound *members; /* the query, one column */
    struct tsfs_expr *member;         /* column 0 of members = the param that x is */
    uint32_t result;                  /* without params: its results are the params result + column */
    uint32_t line, column;
};

enum tsfs_bound_kind {
    TSFS_BOUND_TABLE,
    TSFS_BOUND_SELECT,
    TSFS_BOUND_VALUES,
    TSFS_BOUND_JOIN, /* columns: left's, then right's */
    TSFS_BOUND_SET,
    TSFS_BOUND_UNNEST
};

struct tsfs_bound_cte {
    struct tsfs_str name;
    uint32_t uses;   /* how often it is named, counted while binding */
    bool correlated; /* it takes params of a query around it */
};

/* A set of GROUPING SETS: which of the groups it has. */
struct tsfs_bound_grouping {
    bool *has;
};

/* Anything that yields rows.  Bound trees are never changed and may be shared (a CTE used twice). */
struct tsfs_bound {
    enum tsfs_bound_kind kind;
    struct tsfs_bound_column *cols;
    uint32_t ncols;
    uint32_t depth;             /* of queries inside queries, by way of WITH as well */
    struct tsfs_bound_cte *cte; /* of a WITH query, copies under other column names too; else NULL */
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
            bool outer; /* a row without elements stays, with NULLs */
        } unnest;
        struct {
            enum tsfs_join kind;
            const struct tsfs_bound *left, *right;
            struct tsfs_expr *on; /* over the columns of both, NULL = none */
        } join;
        struct {
            enum tsfs_set_op op;
            bool all;
            const struct tsfs_bound **inputs; /* of ncols each, of the types of cols */
            uint32_t ninputs;
        } set;
        struct {
            const struct tsfs_bound *from; /* NULL: one row without columns */
            struct tsfs_expr *where;       /* over from's columns, NULL = none */
            bool aggregated;
            struct tsfs_expr **groups; /* over from's columns */
            uint32_t ngroups;
            struct tsfs_bound_aggregate *aggs;
            uint32_t naggs;
            struct tsfs_bound_grouping *sets; /* nsets 0 = one set, of all groups */
            uint32_t nsets;
            /* One column each after groups and aggs: bit (nargs - 1 - i) of GROUPING(args) is set where
             * args[i] is no part of the set. */
            struct tsfs_bound_groupings {
                uint32_t *groups;
                uint32_t n;
            } * groupings;
            uint32_t ngroupings;
            /* From here on: over groups, aggs and groupings when aggregated, over from's columns when not. */
            struct tsfs_expr *having;
            struct tsfs_bound_window *windows; /* each adds a column for what follows */
            uint32_t nwindows;
            struct tsfs_expr **exprs; /* of cols */
            struct tsfs_bound_key *keys;
            uint32_t nkeys;
            bool distinct;          /* then every key is an item */
            uint64_t limit, offset; /* limit UINT64_MAX = all */
            bool ties;              /* and all rows whose keys are those of the last one */
        } select;
    };
};

struct tsfs_bound_mode {
    bool explain, analyze;
    uint32_t nparams; /* numbers of params that are taken */
};

/* Parses and binds one statement; SHOW and DESCRIBE come back as values.  Everything is in arena, and text
 * must live as long. */
TSFS_MUST_CHECK int tsfs_sql_bind(struct tsfs_str text, const struct tsfs_resolver *resolver,
                                  const struct tsfs_function_set *functions, struct tsfs_arena *arena,
                                  struct tsfs_bound **out, struct tsfs_bound_mode *mode,
                                  struct tsfs_error *err);

/* Is it a DELETE, right or wrong? */
bool tsfs_sql_is_delete(struct tsfs_str text);
/* Whether a text is EXPLAIN DELETE ..; *at is then where DELETE begins. */
bool tsfs_sql_explains_delete(struct tsfs_str text, size_t *at);
/* The query for the rows that a DELETE takes away: a SELECT of all columns of one table. */
TSFS_MUST_CHECK int tsfs_sql_bind_delete(struct tsfs_str text, const struct tsfs_resolver *resolver,
                                         const struct tsfs_function_set *functions, struct tsfs_arena *arena,
                                         struct tsfs_bound **out, struct tsfs_error *err);

#endif
