/* Shared by the aggregates: how rows reach the loops. */
#ifndef TSFS_EXEC_FUNCTIONS_AGG_PRIV_H
#define TSFS_EXEC_FUNCTIONS_AGG_PRIV_H

#include <errno.h>

#include "exec/functions/functions_priv.h"

#define AGG_CHUNK 256u

#define AGG_RUN_ARGS                                                                                         \
    struct tsfs_kernel_ctx *ctx, void *state, const struct tsfs_vec *args, uint32_t from, uint32_t n
#define AGG_ROWS_ARGS                                                                                        \
    struct tsfs_kernel_ctx *ctx, void *const *states, const struct tsfs_vec *args, uint32_t n
#define AGG_SUMMARY_ARGS                                                                                     \
    struct tsfs_kernel_ctx *ctx, void *state, enum tsfs_type type, const struct tsfs_block *block,           \
        const struct tsfs_summary *summary
#define AGG_MERGE_ARGS struct tsfs_kernel_ctx *ctx, void *into, const void *from
#define AGG_FINISH_ARGS                                                                                      \
    struct tsfs_kernel_ctx *ctx, const void *state, void *data, uint64_t *valid, uint32_t row

/* Non-NULL rows among [from, from + n). */
static inline uint32_t agg_count_valid(const struct tsfs_vec *v, uint32_t from, uint32_t n)
{
    if (v->type == TSFS_UNKNOWN)
        return 0;
    if (v->valid == NULL)
        return n;
    if (v->constant)
        return tsfs_bit_get(v->valid, 0) ? n : 0;
    uint32_t count = 0, end = from + n;
    for (uint32_t i = from; i < end;) {
        uint32_t shift = i & 63, take = 64 - shift < end - i ? 64 - shift : end - i;
        uint64_t word = v->valid[i >> 6] >> shift;
        if (take < 64)
            word &= (UINT64_C(1) << take) - 1;
        count += (uint32_t)__builtin_popcountll(word);
        i += take;
    }
    return count;
}

/* NAME_run and NAME_rows over args[0] of C type T: DENSE(ctx, s, values, count) takes a gapless array of
 * values, ONE(ctx, s, value) a single one; both return 0 or an error.  Values between NULLs are packed
 * together first, constants are written out, so that one loop serves all. */
#define AGG_UPDATES(NAME, STATE, T, DENSE, ONE)                                                              \
    static int NAME##_run(AGG_RUN_ARGS)                                                                      \
    {                                                                                                        \
        STATE *s = state;                                                                                    \
        const T *v = args[0].data;                                                                           \
        uint32_t count = agg_count_valid(&args[0], from, n);                                                 \
        if (count == 0)                                                                                      \
            return 0;                                                                                        \
        if (!args[0].constant && count == n)                                                                 \
            return DENSE(ctx, s, v + from, n);                                                               \
        T packed[AGG_CHUNK];                                                                                 \
        if (args[0].constant) {                                                                              \
            uint32_t chunk = n < AGG_CHUNK ? n : AGG_CHUNK;                                                  \
            for (uint32_t i = 0; i < chunk; i++)                                                             \
                packed[i] = v[0];                                                                            \
            for (uint32_t left = n; left > 0; left -= chunk) {                                               \
                chunk = left < chunk ? left : chunk;                                                         \
                int rc = DENSE(ctx, s, packed, chunk);                                                       \
                if (rc != 0)                                                                                 \
                    return rc;                                                                               \
            }                                                                                                \
            return 0;                                                                                        \
        }                                                                                                    \
        uint32_t k = 0;                                                                                      \
        for (uint32_t i = from; i < from + n; i++) {                                                         \
            packed[k] = v[i];                                                                                \
            k += tsfs_bit_get(args[0].valid, i);                                                             \
            if (k == AGG_CHUNK) {                                                                            \
                int rc = DENSE(ctx, s, packed, k);                                                           \
                if (rc != 0)                                                                                 \
                    return rc;                                                                               \
                k = 0;                                                                                       \
            }                                                                                                \
        }                                                                                                    \
        return k > 0 ? DENSE(ctx, s, packed, k) : 0;                                                         \
    }                                                                                                        \
    static int NAME##_rows(AGG_ROWS_ARGS)                                                                    \
    {                                                                                                        \
        const T *v = args[0].data;                                                                           \
        for (uint32_t i = 0; i < n; i++) {                                                                   \
            if (tsfs_vec_null(&args[0], i))                                                                  \
                continue;                                                                                    \
            STATE *s = states[i];                                                                            \
            int rc = ONE(ctx, s, v[row_at(&args[0], i)]);                                                    \
            if (rc != 0)                                                                                     \
                return rc;                                                                                   \
        }                                                                                                    \
        return 0;                                                                                            \
    }

/* NAME_run and NAME_rows that take one row after the other: TAKE(ctx, state, args, row, ...) returns 0 or an
 * error. */
#define AGG_UPDATES_BY_ROW(NAME, TAKE, ...)                                                                  \
    static int NAME##_run(AGG_RUN_ARGS)                                                                      \
    {                                                                                                        \
        int rc = 0;                                                                                          \
        for (uint32_t i = from; i < from + n && rc == 0; i++)                                                \
            rc = TAKE(ctx, state, args, i, __VA_ARGS__);                                                     \
        return rc;                                                                                           \
    }                                                                                                        \
    static int NAME##_rows(AGG_ROWS_ARGS)                                                                    \
    {                                                                                                        \
        int rc = 0;                                                                                          \
        for (uint32_t i = 0; i < n && rc == 0; i++)                                                          \
            rc = TAKE(ctx, states[i], args, i, __VA_ARGS__);                                                 \
        return rc;                                                                                           \
    }

/* The implementation NAME: RUNS_run and RUNS_rows take rows.  What follows FINISH are further members. */
#define AGG_IMPL(NAME, STATE, RUNS, MERGE, FINISH, ...)                                                      \
    static const struct tsfs_aggregate_impl NAME = {.state_size = sizeof(STATE),                             \
                                                    .update_run = RUNS##_run,                                \
                                                    .update_rows = RUNS##_rows,                              \
                                                    .merge = MERGE,                                          \
                                                    .finish = FINISH,                                        \
                                                    __VA_ARGS__}

/* A result row: its value, or NULL. */
#define AGG_PUT(T, value)                                                                                    \
    do {                                                                                                     \
        ((T *)data)[row] = (value);                                                                          \
        tsfs_bit_set(valid, row);                                                                            \
    } while (0)
static inline int agg_put_null(void *data, unsigned width, uint64_t *valid, uint32_t row)
{
    memset((char *)data + (size_t)row * width, 0, width);
    tsfs_bit_clear(valid, row);
    return 0;
}

/* One value of any type that a state keeps; strings are copied. */
struct agg_held {
    enum tsfs_type type;
    bool null;
    uint32_t cap; /* of text */
    union {
        int64_t i;
        double d;
        size_t len;
        const void *p; /* of a nested type */
    };
    char *text;
};

TSFS_MUST_CHECK int agg_held_str(struct tsfs_kernel_ctx *ctx, struct agg_held *held, struct tsfs_str s);
TSFS_MUST_CHECK int agg_held_row(struct tsfs_kernel_ctx *ctx, struct agg_held *held, const struct tsfs_vec *v,
                                 uint32_t row);
TSFS_MUST_CHECK int agg_held_copy(struct tsfs_kernel_ctx *ctx, struct agg_held *held,
                                  const struct agg_held *from);
struct tsfs_value agg_held_value(const struct agg_held *held);
int agg_held_put(struct tsfs_kernel_ctx *ctx, const struct agg_held *held, void *data, uint64_t *valid,
                 uint32_t row);

#endif
