/* What the binder knows of functions.  The one registry of them is in exec/functions; it reaches the binder
 * as a parameter, so that nothing here depends on how a function is computed. */
#ifndef TSFS_SQL_FUNCTION_H
#define TSFS_SQL_FUNCTION_H

#include <stdint.h>

#include "col/type.h"

struct tsfs_expr;

#define TSFS_FUNCTION_ARGS_MAX 8

enum tsfs_function_kind {
    TSFS_FUNCTION_SCALAR,
    TSFS_FUNCTION_AGGREGATE,
    TSFS_FUNCTION_WINDOW /* only with OVER; aggregates may have OVER as well */
};

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

/* The comparison that b has to a when a has op to b. */
static inline enum tsfs_op tsfs_op_mirrored(enum tsfs_op op)
{
    switch (op) {
    case TSFS_OP_LT: return TSFS_OP_GT;
    case TSFS_OP_LE: return TSFS_OP_GE;
    case TSFS_OP_GT: return TSFS_OP_LT;
    case TSFS_OP_GE: return TSFS_OP_LE;
    default: return op;
    }
}

/* In a signature, the variable T: any type, the same wherever it stands (also in result). */
#define TSFS_ANY TSFS_TYPE_VAR

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
    /* What nargs, variadic, args and result come from when it is not NULL: "array(T), lambda(T -> U) ->
     * array(U)", "T..." for one that repeats.  Types are spelled as tsfs_type_name does; T, U, S and R are
     * variables; point(T) among a lambda's parameters is one parameter x with x.time and x.value, and two
     * vectors to the kernel.
     */
    const char *sig;
    bool ordered; /* an aggregate that cares for ORDER BY among its arguments: it gets the keys too */
};

/* Implicit coercions that the binder inserts as CASTs: -1 none, else a cost, 0 for the same type.  unknown
 * goes to anything; integer to bigint to double; varchar to timestamp, date and time; date to timestamp; and
 * nested types as their parts do, whatever the fields of rows are called. */
int tsfs_coercion_cost(enum tsfs_type from, enum tsfs_type to);

/* What the variables of a signature stand for in one call. */
struct tsfs_type_vars {
    enum tsfs_type of[TSFS_TYPE_VARS]; /* TSFS_UNKNOWN = nothing yet */
};

/* Learns from an argument of that type, given for one of type `pattern`: variables become the type that all
 * they were met as can turn into.  False: it does not fit. */
bool tsfs_type_match(enum tsfs_type pattern, enum tsfs_type actual, struct tsfs_type_vars *vars);
/* The pattern with its variables replaced; TSFS_UNKNOWN also when there is no such type. */
enum tsfs_type tsfs_type_fill(enum tsfs_type pattern, const struct tsfs_type_vars *vars);
/* The result of a call whose arguments (no lambdas) already have the types that the signature wants. */
enum tsfs_type tsfs_function_result(const struct tsfs_function *fn, struct tsfs_expr *const *args,
                                    uint32_t nargs);

struct tsfs_function_set {
    const struct tsfs_function *items;
    uint32_t n;
};

#endif
