/* Bound expressions: names resolved, types known, coercions explicit.  Made by the binder, rewritten by the
 * planner, evaluated by exec.  All nodes live in the query's arena. */
#ifndef TSFS_SQL_EXPR_H
#define TSFS_SQL_EXPR_H

#include <stdint.h>

#include "col/type.h"

struct tsfs_function;

enum tsfs_expr_kind {
    TSFS_EXPR_LITERAL, /* value */
    TSFS_EXPR_COLUMN,  /* index into the input's columns */
    TSFS_EXPR_CALL,    /* fn(args): functions and operators alike ("+", "=", "like", ...) */
    TSFS_EXPR_CAST,    /* args[0] to type; is_try: failure is NULL */
    TSFS_EXPR_AND,     /* n args, three-valued */
    TSFS_EXPR_OR,
    TSFS_EXPR_NOT,
    TSFS_EXPR_IS_NULL, /* never NULL itself; IS NOT NULL = NOT(IS_NULL) */
    TSFS_EXPR_CASE,    /* when1, then1, when2, then2, ..., else (always present); simple CASE, IF and NULLIF
                          become this */
    TSFS_EXPR_COALESCE,
    TSFS_EXPR_IN,  /* args[0] IN (args[1..]), all of one type */
    TSFS_EXPR_TRY, /* args[0], an error while evaluating a row makes it NULL */
    /* An argument of a call: args[0] over the columns, over lambdas' parameters outside, and over its own,
     * which are numbered from index on, value.i of them.  Has no value itself. */
    TSFS_EXPR_LAMBDA,
    TSFS_EXPR_PARAM, /* index: a parameter of a lambda around it */
    /* Only between binder and execution; an evaluator never sees these: */
    TSFS_EXPR_SUBQUERY, /* column `index` of subquery; args: what it takes from the row, for its params */
    TSFS_EXPR_OUTER,    /* param `index` of the statement; as IN's second argument it may be a list */
    /* The second argument of an IN that has two: value.p is a struct tsfs_value_set. */
    TSFS_EXPR_SET
};

/* Many values, the result of a subquery, in the form in which the evaluator looks them up. */
struct tsfs_value_set {
    bool ordered; /* all values that are not NULL lie in [min, max] */
    struct tsfs_value min, max;
};

struct tsfs_sort_flags {
    bool descending, nulls_first;
};

struct tsfs_subquery;

struct tsfs_expr {
    enum tsfs_expr_kind kind;
    enum tsfs_type type;
    uint32_t line, column; /* in the query's text, for errors at run time */
    bool is_try;
    uint32_t index;
    struct tsfs_value value;
    const struct tsfs_function *fn;
    const struct tsfs_subquery *subquery;
    uint32_t nargs;
    struct tsfs_expr **args;
    const struct tsfs_expr *written; /* of a literal that was computed: what it was computed from */
};

#endif
