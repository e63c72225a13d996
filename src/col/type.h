/* SQL types and how a value of each lies in memory. */
#ifndef TSFS_COL_TYPE_H
#define TSFS_COL_TYPE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* A type is a small number.  Those below TSFS_TYPE_COUNT are the scalar types; behind them come the type
 * variables of signatures; and from TSFS_TYPE_NESTED on every number is an entry of one table of the process,
 * where equal types are one entry: array(bigint) has the same number wherever it is spelled. */
enum tsfs_type {
    TSFS_UNKNOWN,     /* the type of a bare NULL; every row NULL, no data */
    TSFS_BOOLEAN,     /* uint8_t, 0 or 1 */
    TSFS_INTEGER,     /* int64_t holding a 32-bit value */
    TSFS_BIGINT,      /* int64_t */
    TSFS_DOUBLE,      /* double */
    TSFS_VARCHAR,     /* struct tsfs_str, valid UTF-8 */
    TSFS_TIMESTAMP,   /* int64_t, ns since the epoch, UTC */
    TSFS_DATE,        /* int64_t, days since the epoch */
    TSFS_TIME,        /* int64_t, ns since midnight */
    TSFS_INTERVAL_DS, /* int64_t, ns: interval day to second */
    TSFS_INTERVAL_YM, /* int64_t, months: interval year to month */
    TSFS_VARBINARY,   /* struct tsfs_str, any bytes; of expressions only, never stored */
    TSFS_TYPE_COUNT,
    /* In signatures of functions: any type, the same wherever the variable stands. */
    TSFS_TYPE_VAR = TSFS_TYPE_COUNT, /* T; the others follow */
    TSFS_TYPE_NESTED = 32,
    TSFS_TYPE_LAST = 1 << 24 /* no type; makes room for the numbers in between */
};

#define TSFS_TYPE_VARS 4 /* T U S R */

enum tsfs_type_kind {
    TSFS_KIND_SCALAR,
    TSFS_KIND_ARRAY,      /* const struct tsfs_array *: array(T) */
    TSFS_KIND_ROW,        /* const struct tsfs_row *: row(a bigint, varchar) */
    TSFS_KIND_TIMESERIES, /* const struct tsfs_timeseries *: timeseries(T) */
    /* no values are of these: they stand in signatures */
    TSFS_KIND_POINT, /* point(T), of a lambda's parameters: a timeseries' point, x.time and x.value */
    TSFS_KIND_LAMBDA /* lambda(T, point(U) -> S) */
};

struct tsfs_array;
struct tsfs_row;
struct tsfs_timeseries;

/* One value outside a vector. */
struct tsfs_value {
    enum tsfs_type type;
    bool null;
    union {
        bool b;
        int64_t i; /* every type that lies as int64_t */
        double d;
        struct tsfs_str s; /* borrowed, as are all these: */
        const void *p;     /* any of the following */
        const struct tsfs_array *array;
        const struct tsfs_row *row;
        const struct tsfs_timeseries *series;
    };
};

const char *tsfs_type_name(enum tsfs_type type); /* as SQL prints it: "array(interval day to second)" */
/* Scalar types, any case; int = integer, ... */
bool tsfs_type_from_name(struct tsfs_str name, enum tsfs_type *out);
/* Any type as tsfs_type_name spells it, T, U, S and R as variables. */
bool tsfs_type_parse(struct tsfs_str text, enum tsfs_type *out);
unsigned tsfs_type_width(enum tsfs_type type); /* bytes a row: 0, 1, 8 or sizeof(struct tsfs_str) */

/* Nested types.  TSFS_UNKNOWN when the type cannot be: deeper than TSFS_TYPE_DEPTH_MAX, its name longer than
 * TSFS_TYPE_NAME_MAX, the table full (TSFS_TYPES_MAX,
 * TSFS_TYPES_BYTES_MAX), or out of memory.  Any thread. */
enum tsfs_type tsfs_type_array(enum tsfs_type element);
enum tsfs_type tsfs_type_timeseries(enum tsfs_type value);
/* names NULL, or with ptr NULL entries: fields without a name. */
enum tsfs_type tsfs_type_row(const enum tsfs_type *fields, const struct tsfs_str *names, unsigned n);
enum tsfs_type tsfs_type_point(enum tsfs_type value);
enum tsfs_type tsfs_type_lambda(const enum tsfs_type *params, unsigned n, enum tsfs_type result);

enum tsfs_type_kind tsfs_type_kind(enum tsfs_type type);
/* Of an array its element, of a timeseries or point its value, of a lambda its result. */
enum tsfs_type tsfs_type_element(enum tsfs_type type);
/* Of a row its fields, of a lambda its parameters. */
unsigned tsfs_type_nfields(enum tsfs_type type);
enum tsfs_type tsfs_type_field(enum tsfs_type type, unsigned i);
struct tsfs_str tsfs_type_field_name(enum tsfs_type type, unsigned i); /* ptr NULL = none */
bool tsfs_type_generic(enum tsfs_type type);                           /* it holds a variable */
bool tsfs_type_holds_unknown(enum tsfs_type type);                     /* unknown, array(unknown), ... */
static inline bool tsfs_type_is_nested(enum tsfs_type type)
{
    return type >= TSFS_TYPE_NESTED;
}
static inline bool tsfs_type_is_var(enum tsfs_type type)
{
    return type >= TSFS_TYPE_VAR && type < TSFS_TYPE_VAR + TSFS_TYPE_VARS;
}
/* Values lie as struct tsfs_str. */
static inline bool tsfs_type_is_string(enum tsfs_type t)
{
    return t == TSFS_VARCHAR || t == TSFS_VARBINARY;
}
static inline bool tsfs_type_is_int64(enum tsfs_type t)
{
    return t == TSFS_INTEGER || t == TSFS_BIGINT || (t >= TSFS_TIMESTAMP && t <= TSFS_INTERVAL_YM);
}

#endif
