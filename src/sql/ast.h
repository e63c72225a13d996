/* The syntax tree: what was written, names unresolved.  Lives in the query's arena; strings may point into
 * the text. */
#ifndef TSFS_SQL_AST_H
#define TSFS_SQL_AST_H

#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "col/type.h"
#include "sql/relation.h"

#define SQL_LAMBDA_PARAMS_MAX 4

enum sql_ast_kind {
    SQL_AST_NULL,
    SQL_AST_BOOLEAN,  /* boolean */
    SQL_AST_INTEGER,  /* integer */
    SQL_AST_DOUBLE,   /* number */
    SQL_AST_STRING,   /* string */
    SQL_AST_INTERVAL, /* integer: ns or months, of type `type` */
    SQL_AST_TYPED,    /* DATE '2024-01-01': type, string */
    SQL_AST_NAME,     /* parts */
    SQL_AST_STAR,     /* * or parts.*: in a select list and count(*) only */
    SQL_AST_CALL,     /* call, args */
    SQL_AST_UNARY,    /* op: "-" "+" */
    SQL_AST_BINARY,   /* op: arithmetic, comparison, "||" */
    SQL_AST_NOT,
    SQL_AST_AND, /* two and more args */
    SQL_AST_OR,
    SQL_AST_IS_NULL,     /* negated */
    SQL_AST_IS_DISTINCT, /* a IS [NOT] DISTINCT FROM b; negated for NOT */
    SQL_AST_BETWEEN,     /* a, lo, hi; negated */
    SQL_AST_IN,          /* a, items; negated */
    SQL_AST_LIKE,        /* a, pattern[, escape]; negated */
    SQL_AST_CASE,        /* [operand,] when, then, ..., [else] */
    SQL_AST_CAST,        /* a, type; try */
    SQL_AST_EXTRACT,     /* string: field; a */
    SQL_AST_ROW,         /* (a, b, ...), ROW(a, ...) */
    SQL_AST_ARRAY,       /* ARRAY[a, ...] */
    SQL_AST_SUBSCRIPT,   /* a[i] */
    SQL_AST_FIELD,       /* a.string, where a is no name */
    SQL_AST_LAMBDA,      /* parts -> a: as an argument only */
    SQL_AST_SUBQUERY,    /* query, for its one value */
    SQL_AST_EXISTS,      /* query */
    SQL_AST_IN_QUERY,    /* a; query; negated */
    SQL_AST_QUANTIFIED   /* a; op, query; all: a op ALL (query), else ANY */
};

struct sql_ast_query;
struct sql_ast_key;
struct sql_ast_window;

struct sql_ast_call {
    struct tsfs_str name;
    bool bare;                         /* written without parentheses: current_date */
    bool star;                         /* f(*) */
    bool distinct;                     /* f(DISTINCT x) */
    bool ignore_nulls, respect_nulls;  /* as written */
    struct sql_ast_expr *filter;       /* FILTER (WHERE ..), NULL = none */
    const struct sql_ast_window *over; /* NULL = no window function */
    struct sql_ast_key *keys;          /* ORDER BY inside the parentheses */
    uint32_t nkeys;
};

struct sql_ast_expr {
    enum sql_ast_kind kind;
    uint32_t line, column;
    uint16_t depth; /* of the tree below, 1 for a leaf */
    bool negated;
    bool try_cast;
    bool has_operand, has_else; /* CASE */
    bool listed;                /* ROW: written where GROUP BY takes it for a list */
    bool all;                   /* QUANTIFIED */
    bool quoted;                /* NAME: the last part stands in double quotes */
    bool zoned;                 /* CAST: written AT TIME ZONE 'UTC' */
    uint32_t length;            /* CAST to varchar(length), or to timestamp(length - 1); 0 = any */
    uint8_t nparts;
    enum tsfs_type type;
    const char *op;
    uint32_t nargs;
    struct sql_ast_expr **args;
    union {
        bool boolean;
        int64_t integer;
        double number;
        struct tsfs_str string;
        struct tsfs_str *parts; /* nparts of them */
        struct sql_ast_call *call;
        struct sql_ast_query *query;
    };
};

enum sql_ast_from_kind { SQL_AST_TABLE, SQL_AST_DERIVED, SQL_AST_JOIN, SQL_AST_UNNEST };

struct sql_ast_from {
    enum sql_ast_from_kind kind;
    uint32_t line, column;
    struct tsfs_str database, name; /* TABLE; database.ptr NULL = not given */
    struct sql_ast_query *query;    /* DERIVED */
    struct tsfs_str alias;          /* ptr NULL = none */
    struct tsfs_str *columns;       /* alias (c, ...) */
    struct sql_ast_expr **exprs;    /* UNNEST(exprs, ...), for each row of left unless that is NULL */
    uint32_t nexprs;
    bool ordinality;
    bool outer; /* UNNEST: LEFT JOIN, a row without elements stays */
    uint32_t ncolumns;
    uint16_t height; /* of the joins below, 1 for a leaf */
    /* JOIN: ON or USING or neither (CROSS JOIN, comma) */
    enum tsfs_join join;
    bool natural; /* USING what both sides have */
    struct sql_ast_from *left, *right;
    struct sql_ast_expr *on;
    struct sql_ast_expr **using_names; /* SQL_AST_NAMEs of one part */
    uint32_t nusing;
};

/* What stands in OVER (..) and in the WINDOW clause. */
struct sql_ast_window {
    uint32_t line, column;
    struct tsfs_str base; /* OVER name, OVER (name ..); ptr NULL = none */
    struct sql_ast_expr **partition;
    uint32_t npartition;
    struct sql_ast_key *keys;
    uint32_t nkeys;
    bool framed;
    enum tsfs_frame_unit unit;
    enum tsfs_frame_bound start, end;
    struct sql_ast_expr *start_offset, *end_offset; /* PRECEDING and FOLLOWING */
};

struct sql_ast_named_window {
    struct tsfs_str name;
    struct sql_ast_window *window;
};

struct sql_ast_item {
    struct sql_ast_expr *expr;
    struct tsfs_str alias;    /* ptr NULL = none */
    struct tsfs_str *columns; /* t.* AS (c, ...) */
    uint32_t ncolumns;
};

struct sql_ast_key {
    struct sql_ast_expr *expr;
    bool descending, nulls_first;
};

struct sql_ast_select {
    uint32_t line, column;
    bool distinct;
    struct sql_ast_item *items;
    uint32_t nitems;
    struct sql_ast_from *from; /* NULL = none */
    struct sql_ast_expr *where;
    bool grouped; /* GROUP BY was written, be it GROUP BY () */
    struct sql_ast_expr **groups;
    uint32_t ngroups;
    /* GROUPING SETS, CUBE, ROLLUP, spelled out: set i is of the groups sets[i]; nsets 0 = one set of all. */
    struct sql_ast_grouping *sets;
    uint32_t nsets;
    bool distinct_sets; /* GROUP BY DISTINCT */
    struct sql_ast_expr *having;
    struct sql_ast_named_window *windows;
    uint32_t nwindows;
};

struct sql_ast_grouping {
    uint32_t *groups; /* indices of the select's groups */
    uint32_t n;
};

/* a UNION b, a INTERSECT b ...; a run of the same UNION is one node. */
struct sql_ast_set {
    uint32_t line, column;
    enum tsfs_set_op op;
    bool all;
    struct sql_ast_query **inputs;
    uint32_t ninputs;
};

struct sql_ast_values {
    uint32_t line, column;
    struct sql_ast_expr ***rows;
    uint32_t nrows, ncols;
};

struct sql_ast_cte {
    struct tsfs_str name;
    uint32_t line, column;
    struct tsfs_str *columns;
    uint32_t ncolumns;
    struct sql_ast_query *query;
};

/* WITH .. body ORDER BY .. LIMIT: the body is one of select, set and values. */
struct sql_ast_query {
    struct sql_ast_cte *ctes;
    uint32_t nctes;
    struct sql_ast_select *select;
    struct sql_ast_set *set;
    struct sql_ast_values *values;
    uint16_t height; /* of the sets below, 1 for a leaf */
    struct sql_ast_key *keys;
    uint32_t nkeys;
    uint64_t limit; /* UINT64_MAX = all */
    uint64_t offset;
    bool ties; /* and all that tie with the last one */
};

enum sql_ast_statement_kind {
    SQL_AST_QUERY,
    SQL_AST_EXPLAIN, /* query; analyze */
    SQL_AST_SHOW_DATABASES,
    SQL_AST_SHOW_TABLES,   /* database */
    SQL_AST_SHOW_MEASURES, /* database, name */
    SQL_AST_SHOW_FUNCTIONS,
    SQL_AST_DESCRIBE, /* database, name */
    SQL_AST_DELETE    /* query: SELECT * of what is to go; line, column */
};

struct sql_ast_statement {
    enum sql_ast_statement_kind kind;
    struct sql_ast_query *query;
    struct tsfs_str database, name; /* database.ptr NULL = not given */
    uint32_t line, column;          /* of the name */
    struct tsfs_str like;           /* ptr NULL = none */
    struct tsfs_str like_escape;    /* likewise */
    uint32_t like_line, like_column;
    bool analyze;
    bool terminated; /* ended by ; */
};

/* One statement.  *cut_short (may be NULL) tells on failure whether more text could make it right.  -EINVAL,
 * -E2BIG, -ENOMEM. */
TSFS_MUST_CHECK int sql_parse(struct tsfs_str text, struct tsfs_arena *arena, struct sql_ast_statement **out,
                              bool *cut_short, struct tsfs_error *err);

#endif
