/* The columns of a table: an immutable, counted value; adding columns makes a new version. */
#ifndef TSFS_COL_SCHEMA_H
#define TSFS_COL_SCHEMA_H

#include <stdint.h>

#include "base/error.h"
#include "col/type.h"

enum tsfs_role { TSFS_ROLE_TIME, TSFS_ROLE_MEASURE_NAME, TSFS_ROLE_DIMENSION, TSFS_ROLE_MEASURE };

struct tsfs_column {
    struct tsfs_str name; /* NUL-terminated, owned by the schema */
    enum tsfs_role role;
    enum tsfs_type type; /* time: TIMESTAMP; measure_name, dimensions: VARCHAR; measures: BOOLEAN BIGINT
                            DOUBLE VARCHAR */
    uint16_t slot;       /* dense number among the columns of its role, in order of birth */
};

/* cols[0] is always "time" and cols[1] "measure_name"; the rest follow in order of birth.  A column's
 * index here is its ordinal: it never changes and is what the log and SQL plans store. */
struct tsfs_schema {
    _Atomic uint32_t refs;
    uint16_t ncols, ndims, nmeasures;
    struct tsfs_column *cols;
    uint16_t *dims;                  /* dimension slot -> ordinal */
    uint16_t *measures;              /* measure slot -> ordinal */
    struct tsfs_schema_names *names; /* private: name -> ordinal */
};

#define TSFS_ORDINAL_TIME         0
#define TSFS_ORDINAL_MEASURE_NAME 1
#define TSFS_ORDINAL_NONE         UINT16_MAX

/* The two fixed columns.  Returns owned (one reference). */
TSFS_MUST_CHECK int tsfs_schema_create(struct tsfs_schema **out);
/* base plus n columns (name, role, type are read; slot is given out); base is only read.  -EEXIST: a
 * name is taken (err says by what); -E2BIG: TSFS_COLUMNS_MAX or TSFS_DIMENSIONS_MAX. Returns owned. */
TSFS_MUST_CHECK int tsfs_schema_extend(const struct tsfs_schema *base, const struct tsfs_column *add,
                                       unsigned n, struct tsfs_schema **out, struct tsfs_error *err);
struct tsfs_schema *tsfs_schema_ref(struct tsfs_schema *schema);
void tsfs_schema_unref(struct tsfs_schema *schema); /* takes NULL */
/* Exact bytes; TSFS_ORDINAL_NONE if there is none. */
uint16_t tsfs_schema_find(const struct tsfs_schema *schema, struct tsfs_str name);

const char *tsfs_role_name(enum tsfs_role role); /* "time" "measure_name" "dimension" "measure" */
/* A measure called measure_value::double and its like: the value of a point that has only one, which its
 * measure_name then names. */
bool tsfs_column_is_single(const struct tsfs_column *col);

#endif
