/* The logical plan: what exec runs and EXPLAIN prints.  A tree in the query's arena. */
#ifndef TSFS_PLAN_PLAN_H
#define TSFS_PLAN_PLAN_H

#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "col/source.h"
#include "sql/expr.h"
#include "sql/function.h"
#include "sql/relation.h"
#include "sql/resolver.h"

enum tsfs_plan_kind {
    TSFS_PLAN_SCAN,
    TSFS_PLAN_VALUES, /* literal rows: SELECT without FROM (one row, no columns), SHOW, DESCRIBE, EXPLAIN */
    TSFS_PLAN_FILTER,
    TSFS_PLAN_PROJECT,
    TSFS_PLAN_AGGREGATE, /* without groups: exactly one row; DISTINCT is one without aggregates */
    TSFS_PLAN_SORT,      /* with limit: the first limit rows only */
    TSFS_PLAN_LIMIT,
    TSFS_PLAN_UNNEST, /* output: columns of the input, then those that the arrays unfold into */
    TSFS_PLAN_JOIN,   /* input and more[0]; columns of both, of a semi or anti join the left's only */
    TSFS_PLAN_APPEND, /* the rows of input, then of more[0], ... */
    TSFS_PLAN_SET,    /* INTERSECT and EXCEPT of input and more[0] */
    TSFS_PLAN_WINDOW, /* input's columns, then a column for each function */
    TSFS_PLAN_APPLY,  /* for each row of input, more[0] with its params set; input's columns, then its result
                       */
    TSFS_PLAN_INIT,   /* runs more[..] first, whose results are params of input */
    TSFS_PLAN_SHARED, /* rows that are made once for all who read them */
    TSFS_PLAN_ANALYZE /* runs input and tells how it went */
};

struct tsfs_plan_column {
    struct tsfs_str name; /* as the result shows it */
    enum tsfs_type type;
};

struct tsfs_plan_aggregate {
    const struct tsfs_function *fn;
    struct tsfs_expr **args; /* the last norder of them are keys to sort by: array_agg(x ORDER BY y) */
    uint32_t nargs, norder;
    const struct tsfs_sort_flags *order;
    bool distinct;
    struct tsfs_expr *filter; /* NULL = every row */
    uint32_t line, column;
};

/* One column that UNNEST makes. */
struct tsfs_plan_part {
    uint32_t expr; /* which of the expressions; nexprs = the number of the element, from 1 */
    uint32_t part; /* of a timeseries 0 its times, 1 its values; of an array of rows the field; else 0 */
};

struct tsfs_plan_key {
    struct tsfs_expr *expr;
    bool descending, nulls_first;
};

/* A window function over rows as the node sorts them. */
struct tsfs_plan_window {
    const struct tsfs_function *fn; /* TSFS_FUNCTION_WINDOW or an aggregate */
    struct tsfs_expr **args;
    uint32_t nargs;
    enum tsfs_type type; /* of the result */
    bool distinct, ignore_nulls;
    struct tsfs_expr *filter; /* NULL = every row */
    enum tsfs_frame_unit unit;
    enum tsfs_frame_bound start, end;
    struct tsfs_expr *start_offset, *end_offset; /* RANGE: the first key's value at the frame's edge */
    uint32_t line, column;
};

/* How a subplan's rows become params, or columns of APPLY. */
enum tsfs_plan_result {
    TSFS_RESULT_SCALAR, /* its one row, NULLs if it has none; more are an error */
    TSFS_RESULT_EXISTS, /* whether it has rows */
    TSFS_RESULT_LIST    /* the values of its one column, for IN */
};

struct tsfs_plan_init {
    enum tsfs_plan_result kind;
    uint32_t param, nparams; /* the first and how many */
    uint32_t line, column;
};

struct tsfs_plan_shared {
    struct tsfs_plan *plan;
    struct tsfs_str name;
    uint32_t number; /* among the statement's, from 0 */
    uint32_t uses;
};

/* Rows of one table.  Column i of the output is schema ordinal ordinals[i]; expressions in here count in that
 * output. */
struct tsfs_plan_scan {
    struct tsfs_table_ref table;
    uint16_t *ordinals;
    int64_t time_min, time_max; /* inclusive; what WHERE says of time alone (the filter keeps no such term) */
    bool empty;                 /* WHERE can never be true */
    struct tsfs_expr *series_filter; /* over dimensions and measure_name only, NULL = none: true is wanted */
    struct tsfs_expr *row_filter;    /* the rest of WHERE, NULL = none */
    struct tsfs_dim_in *dim_in;      /* necessary conditions drawn from the filters, see col/source.h */
    uint32_t n_dim_in;
    struct tsfs_measure_range *ranges;
    uint32_t n_ranges;
    bool newest_first; /* a LIMIT above wants the newest time first */
};

struct tsfs_plan {
    enum tsfs_plan_kind kind;
    struct tsfs_plan_column *cols; /* of the output */
    uint32_t ncols;
    struct tsfs_plan *input; /* NULL for SCAN, VALUES and SHARED */
    struct tsfs_plan **more; /* further inputs */
    uint32_t nmore;
    const struct tsfs_plan *origin; /* of a copy with params set, what it was copied from; else NULL */
    union {
        struct tsfs_plan_scan scan;
        struct {
            struct tsfs_value *rows;
            uint64_t nrows;
        } values; /* row-major, nrows * ncols */
        struct {
            struct tsfs_expr *predicate;
        } filter;
        struct {
            struct tsfs_expr **exprs;
        } project; /* ncols of them */
        struct {   /* output: groups, then aggregates */
            struct tsfs_expr **groups;
            uint32_t ngroups;
            struct tsfs_plan_aggregate *aggs;
            uint32_t naggs;
        } aggregate;
        struct {
            struct tsfs_plan_key *keys;
            uint32_t nkeys;
            uint64_t limit; /* UINT64_MAX = all */
            bool ties;      /* and the rows that tie with the last one */
        } sort;
        struct { /* each row as often as the longest of its arrays is long; shorter ones are filled with NULL
                  */
            struct tsfs_expr **exprs; /* arrays and timeseries over the input */
            uint32_t nexprs;
            struct tsfs_expr **through; /* columns of the input that are passed on */
            uint32_t nthrough;
            struct tsfs_plan_part *parts; /* ncols - nthrough of them */
            bool outer;                   /* a row without elements comes once */
        } unnest;
        struct {
            uint64_t limit, offset;
        } limit;
        struct {
            enum tsfs_join kind;
            /* Equal and not NULL: left_keys over input, right_keys over more[0]; of one type each pair. */
            struct tsfs_expr **left_keys, **right_keys;
            uint32_t nkeys;
            struct tsfs_expr *condition; /* over the columns of both, besides the keys; NULL = none */
            bool ordered;                /* rows come in the order of the input's */
        } join;
        struct {
            enum tsfs_set_op op;
            bool all;
        } set;
        struct {
            struct tsfs_expr **partition;
            uint32_t npartition;
            struct tsfs_plan_key *keys;
            uint32_t nkeys;
            struct tsfs_plan_window *functions;
            uint32_t nfunctions;
        } window;
        struct {
            enum tsfs_plan_result kind; /* SCALAR or EXISTS */
            uint32_t *params;
            struct tsfs_expr **args; /* over input, what the params are */
            uint32_t nparams;
            uint32_t line, column;
        } apply;
        struct {
            struct tsfs_plan_init *items; /* one for each of more */
        } init;
        struct tsfs_plan_shared *shared;
    };
};

/* text to plan: lexes, parses, binds, plans and applies the rules.  Everything is in arena; text must live as
 * long.  Errors
 * (-EINVAL, -ENOENT, -EACCES, ...) carry line, column and what is near. */
TSFS_MUST_CHECK int tsfs_plan_query(struct tsfs_str text, const struct tsfs_resolver *resolver,
                                    const struct tsfs_function_set *functions, struct tsfs_arena *arena,
                                    struct tsfs_plan **out, struct tsfs_error *err);

/* What EXPLAIN shows, one operator a line, inputs indented. */
TSFS_MUST_CHECK int tsfs_plan_explain(const struct tsfs_plan *plan, struct tsfs_buf *out);
/* The same with more behind every operator's line: note appends what it has to say. */
TSFS_MUST_CHECK int tsfs_plan_explain_with(const struct tsfs_plan *plan,
                                           int (*note)(void *ctx, const struct tsfs_plan *plan,
                                                       struct tsfs_buf *out),
                                           void *ctx, struct tsfs_buf *out);

/* What params have turned out to be, by number. */
struct tsfs_plan_params {
    struct tsfs_value *values; /* [n] */
    struct tsfs_plan_list {    /* [n]; of a list its values, which may be NULLs */
        struct tsfs_value *values;
        uint64_t n;
        const struct tsfs_value_set *set; /* instead of values, where they are many */
    } * lists;
    bool *known, *is_list; /* [n] */
    uint32_t n;
    /* Evaluates an expression without columns; a failure leaves it as it is, for when it runs. */
    int (*fold)(void *ctx, const struct tsfs_expr *expr, struct tsfs_arena *arena, struct tsfs_value *out);
    void *ctx;
};

/* A copy of plan with literals where its known params stand; what follows from them for its scans is
 * drawn anew.  What does not change is shared with plan.  0 or -ENOMEM. */
TSFS_MUST_CHECK int tsfs_plan_substitute(struct tsfs_arena *arena, struct tsfs_plan *plan,
                                         const struct tsfs_plan_params *params, struct tsfs_plan **out);

/* A DELETE: the scan of the rows that it takes away.  All that WHERE says is in its time range and series
 * filter (whose terms may fail); columns are not pruned, row_filter is NULL.  What cannot be said so, such as
 * conditions on measures, is -EINVAL. */
TSFS_MUST_CHECK int tsfs_plan_delete(struct tsfs_str text, const struct tsfs_resolver *resolver,
                                     const struct tsfs_function_set *functions, struct tsfs_arena *arena,
                                     struct tsfs_plan **scan, struct tsfs_error *err);
#endif
