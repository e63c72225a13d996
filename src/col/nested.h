/* Values that hold values: arrays, rows, timeseries.  Immutable once made; they live in an arena, like
 * strings.
 *
 * Three ways of comparing meet here: SQL's =, where a NULL inside makes the answer unknown unless something
 * else differs; equality as GROUP BY and DISTINCT mean it, where NULL is a value, -0 is 0 and NaN is NaN; and
 * the total order of ORDER BY, min and max, element by element, a shorter array first, NULL and then NaN
 * last. */
#ifndef TSFS_COL_NESTED_H
#define TSFS_COL_NESTED_H

#include "base/buf.h"
#include "col/vec.h"

struct tsfs_array {
    uint32_t n;
    struct tsfs_vec elems; /* n rows, never constant */
};

struct tsfs_row {
    uint32_t n; /* as many as the type has fields */
    const struct tsfs_value *fields;
};

/* Times ascend strictly.  Values may be NULL: interpolation makes such. */
struct tsfs_timeseries {
    uint32_t n;
    const int64_t *times;
    struct tsfs_vec values; /* n rows, never constant */
};

static inline const struct tsfs_array *tsfs_vec_array(const struct tsfs_vec *v, size_t row)
{
    return v->p[v->constant ? 0 : row];
}
static inline const struct tsfs_row *tsfs_vec_row(const struct tsfs_vec *v, size_t row)
{
    return v->p[v->constant ? 0 : row];
}
static inline const struct tsfs_timeseries *tsfs_vec_series(const struct tsfs_vec *v, size_t row)
{
    return v->p[v->constant ? 0 : row];
}

/* A copy of a value that borrows nothing, strings included. */
TSFS_MUST_CHECK int tsfs_value_copy(struct tsfs_arena *arena, const struct tsfs_value *from,
                                    struct tsfs_value *out);
/* The same for what a pointer of a nested type points to. */
TSFS_MUST_CHECK int tsfs_nested_copy(struct tsfs_arena *arena, enum tsfs_type type, const void *from,
                                     const void **out);

/* As GROUP BY means it; equal values have equal hashes.  Both values are of one type. */
bool tsfs_value_same(const struct tsfs_value *a, const struct tsfs_value *b);
uint64_t tsfs_value_hash(const struct tsfs_value *v);
bool tsfs_nested_same(enum tsfs_type type, const void *a, const void *b);
uint64_t tsfs_nested_hash(enum tsfs_type type, const void *p);

/* As ORDER BY means it: < 0, 0, > 0. */
int tsfs_value_order(const struct tsfs_value *a, const struct tsfs_value *b);
int tsfs_nested_order(enum tsfs_type type, const void *a, const void *b);

/* SQL's = and <: 1 true, 0 false, -1 unknown. */
int tsfs_value_equal(const struct tsfs_value *a, const struct tsfs_value *b);
int tsfs_value_less(const struct tsfs_value *a, const struct tsfs_value *b);

/* n rows of width bytes and their bitmap, for a result: NULL on failure. */
struct tsfs_vec_room {
    void *data;
    uint64_t *valid; /* zeroed */
};
TSFS_MUST_CHECK int tsfs_vec_room(struct tsfs_arena *arena, enum tsfs_type type, size_t n,
                                  struct tsfs_vec_room *out);
/* The vector of a filled room; valid is left out when every bit is set. */
struct tsfs_vec tsfs_vec_of_room(enum tsfs_type type, const struct tsfs_vec_room *room, size_t n);
/* to[at] = v[row], NULL or not; both of one type, or v unknown. */
void tsfs_vec_put(const struct tsfs_vec_room *to, enum tsfs_type type, size_t at, const struct tsfs_vec *v,
                  size_t row);
/* to[at ...] = v[from ...], n rows. */
void tsfs_vec_put_range(const struct tsfs_vec_room *to, enum tsfs_type type, size_t at,
                        const struct tsfs_vec *v, size_t from, size_t n);
void tsfs_vec_put_value(const struct tsfs_vec_room *to, enum tsfs_type type, size_t at,
                        const struct tsfs_value *value);
/* Rows [from, from + n) of v, data shared. */
TSFS_MUST_CHECK int tsfs_vec_slice(struct tsfs_arena *arena, const struct tsfs_vec *v, size_t from, size_t n,
                                   struct tsfs_vec *out);

/* Appends the value's text: [1,2,NULL], (a,b), [{time: ..., value: ...},...]. */
TSFS_MUST_CHECK int tsfs_nested_append(const struct tsfs_value *value, size_t most, struct tsfs_buf *out);

#endif
