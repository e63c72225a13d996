/* Moving rows between vectors: gather, scatter, slice, copy. */
#ifndef TSFS_EXEC_KERNELS_GATHER_H
#define TSFS_EXEC_KERNELS_GATHER_H

#include "base/arena.h"
#include "base/error.h"
#include "col/vec.h"

/* A constant NULL of type. */
struct tsfs_vec exec_vec_null(enum tsfs_type type);

/* A value as a constant vector that points at it: value must live as long as the vector. */
struct tsfs_vec vec_of_value(const struct tsfs_value *value);

/* Rows [from, from + n) of v; data is shared, the bitmap is moved when it must be. */
TSFS_MUST_CHECK int exec_vec_slice(struct tsfs_arena *arena, const struct tsfs_vec *v, uint32_t from,
                                   uint32_t n, struct tsfs_vec *out);

/* A copy that borrows nothing, strings included; out may be from. */
TSFS_MUST_CHECK int vec_copy(struct tsfs_arena *arena, const struct tsfs_vec *from, uint32_t n,
                             struct tsfs_vec *out);

/* out[sel[k]] = v[k] for k < nsel: into arrays of the vector's type; valid bits are set and cleared. */
void vec_scatter(const struct tsfs_vec *v, const uint16_t *sel, uint32_t nsel, void *data, uint64_t *valid);

/* out[at + k] = v[k] for k < n, likewise. */
void vec_append(const struct tsfs_vec *v, uint32_t n, void *data, uint64_t *valid, uint32_t at);

#endif
