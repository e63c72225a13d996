/* What the binder knows of functions.  The one registry of them is in exec/functions; it reaches the binder
 * as a parameter, so that nothing here depends on how a function is computed. */
#ifndef TSFS_SQL_FUNCTION_H
#define TSFS_SQL_FUNCTION_H

#include <stdint.h>

#include "col/type.h"

#define TSFS_FUNCTION_ARGS_MAX 8

enum tsfs_function_kind { TSFS_FUNCTION_SCALAR, TSFS_FUNCTION_AGGREGATE };

/* Operators that rules look for by meaning; TSFS_OP_NONE for the rest. */
enum tsfs_op {
    TSFS_OP_NONE,
    TSFS_OP_EQ,
    TSFS_OP_NE,
    TSFS_OP_LT,
    TSFS_OP_LE,
    TSFS_OP_GT,
    TSFS_OP_GE,
    TSFS_OP_ADD,
    TSFS_OP_SUB,
    TSFS_OP_MUL,
    TSFS_OP_DIV,
    TSFS_OP_MOD,
    TSFS_OP_NEG,
    TSFS_OP_CONCAT,
    TSFS_OP_LIKE,
    TSFS_OP_BIN,        /* bin(timestamp, interval) */
    TSFS_OP_DATE_TRUNC, /* date_trunc(varchar, timestamp) */
    /* aggregates that summaries can answer */
    TSFS_OP_COUNT_ALL,
    TSFS_OP_COUNT,
    TSFS_OP_SUM,
    TSFS_OP_AVG,
    TSFS_OP_MIN,
    TSFS_OP_MAX,
    TSFS_OP_MIN_BY,
    TSFS_OP_MAX_BY
};

/* In a signature, TSFS_TYPE_COUNT stands for "any type, the same wherever it stands" (also in result). */
#define TSFS_ANY TSFS_TYPE_COUNT

/* One signature of a function; a function with several has several entries under one name (adjacent). */
struct tsfs_function {
    const char *name; /* lower case; operators under their symbol; compared without case */
    enum tsfs_function_kind kind;
    enum tsfs_op op;
    uint8_t nargs;
    bool variadic; /* the last argument type may come any number of times (>= 1) */
    enum tsfs_type args[TSFS_FUNCTION_ARGS_MAX];
    enum tsfs_type result;
    bool nulls;    /* true: the kernel sees NULL arguments; false: any NULL argument makes the result NULL */
    bool unstable; /* not folded: random() */
    const char *help; /* one line: "abs(x): absolute value" */
    const void *impl; /* struct tsfs_scalar_impl or struct tsfs_aggregate_impl of exec/function.h */
};

/* Implicit coercions that the binder inserts as CASTs: -1 none, else a cost, 0 for the same type.  unknown
 * goes to anything; integer to bigint to double; varchar to timestamp, date and time; date to timestamp. */
int tsfs_coercion_cost(enum tsfs_type from, enum tsfs_type to);

struct tsfs_function_set {
    const struct tsfs_function *items;
    uint32_t n;
};

#endif
