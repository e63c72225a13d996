/* How functions are computed: the kernels behind sql/function.h's signatures. */
#ifndef TSFS_EXEC_FUNCTION_H
#define TSFS_EXEC_FUNCTION_H

#include "base/arena.h"
#include "base/error.h"
#include "col/source.h"
#include "col/vec.h"
#include "sql/expr.h"
#include "sql/function.h"

struct tsfs_kernel_ctx;

/* Evaluates the lambda that is argument `arg` of the call for n elements, any number of them: params are the
 * lambda's parameters (two for a point), dense or constant vectors of n rows; element i belongs to row
 * rows[i] of the call, where the lambda finds the columns that it uses beside its parameters and where its
 * errors go under TRY.  *out is a vector of n rows in arena. */
typedef int (*tsfs_lambda)(struct tsfs_kernel_ctx *ctx, unsigned arg, const struct tsfs_vec *params,
                           const uint32_t *rows, uint32_t n, struct tsfs_arena *arena, struct tsfs_vec *out);

struct tsfs_kernel_ctx {
    struct tsfs_arena *arena; /* results and their strings go here */
    int64_t now;              /* the query's instant */
    struct tsfs_error *err;
    uint32_t line, column; /* of the call, for err */
    uint64_t *row_errors;  /* not NULL under TRY: set row i's bit instead of failing on it */
    tsfs_lambda lambda;    /* set when an argument is a lambda */
    const void *lambda_ctx;
    /* 0, or why the query must end; for kernels that may take long over one batch.  May be NULL. */
    int (*poll)(void *poll_ctx, struct tsfs_error *err);
    void *poll_ctx;
    uint64_t steps;                      /* since poll was last called: see tsfs_kernel_work */
    const struct tsfs_sort_flags *order; /* of an ordered aggregate: the keys are the last norder arguments */
    uint32_t norder;
};

static inline int tsfs_kernel_poll(struct tsfs_kernel_ctx *ctx)
{
    return ctx->poll == NULL ? 0 : ctx->poll(ctx->poll_ctx, ctx->err);
}

/* For kernels of which one row may take long: says that they are about to do `steps` more steps, of some
 * nanoseconds each, and polls every few million. */
#define TSFS_KERNEL_STEPS (UINT64_C(1) << 22)
static inline int tsfs_kernel_work(struct tsfs_kernel_ctx *ctx, uint64_t steps)
{
    ctx->steps += steps;
    if (ctx->steps < TSFS_KERNEL_STEPS)
        return 0;
    ctx->steps = 0;
    return tsfs_kernel_poll(ctx);
}

/* Computes rows [0, n) of out.  Arguments are dense vectors of n rows, or constants.  For functions with
 * nulls = false, `valid` is the AND of the arguments' bitmaps (NULL = all): rows not in it must not fail and
 * their result does not matter; the caller sets out->valid, and the kernel may only take rows away (by
 * allocating a new bitmap).  For nulls = true the kernel sets out->valid itself.  An argument that is a
 * lambda is a vector of type TSFS_UNKNOWN: see tsfs_lambda.  When all arguments are constant n is 1.  The
 * caller fills *out (type, constant, valid) before the call; the kernel sets out->data to n rows in
 * ctx->arena (or to an argument's own data) and leaves the rest alone but for the above. */
typedef int (*tsfs_kernel)(struct tsfs_kernel_ctx *ctx, const struct tsfs_vec *args, unsigned nargs,
                           uint32_t n, const uint64_t *valid, struct tsfs_vec *out);

struct tsfs_scalar_impl {
    tsfs_kernel kernel;
};

/* An aggregate's state is plain memory of state_size bytes, zeroed at first; what it holds beyond (strings)
 * comes from the arena, which lives as long as the states do. */
struct tsfs_aggregate_impl {
    uint32_t state_size;
    bool by_order; /* the order of rows may show in the result (but for the last bits of a DOUBLE) */
    /* All of rows [from, from + n) into one state: the loop over a contiguous run. args as batch columns. */
    int (*update_run)(struct tsfs_kernel_ctx *ctx, void *state, const struct tsfs_vec *args, uint32_t from,
                      uint32_t n);
    /* Row i into states[i]. */
    int (*update_rows)(struct tsfs_kernel_ctx *ctx, void *const *states, const struct tsfs_vec *args,
                       uint32_t n);
    /* A whole block from its summary (of the first argument; for min_by/max_by the second argument is time
     * and the block's range is given); NULL = this aggregate cannot.  Returns 1 when the summary does not
     * suffice: decode the rows. */
    int (*update_summary)(struct tsfs_kernel_ctx *ctx, void *state, enum tsfs_type type,
                          const struct tsfs_block *block, const struct tsfs_summary *summary);
    int (*merge)(struct tsfs_kernel_ctx *ctx, void *into, const void *from);
    /* out[row] from the state; out's data and valid are writable arrays made by the caller. */
    int (*finish)(struct tsfs_kernel_ctx *ctx, const void *state, void *data, uint64_t *valid, uint32_t row);
};

/* Window functions that are no aggregates: exec/op_window.c computes them. */
enum tsfs_window_fn {
    TSFS_WINDOW_ROW_NUMBER,
    TSFS_WINDOW_RANK,
    TSFS_WINDOW_DENSE_RANK,
    TSFS_WINDOW_PERCENT_RANK,
    TSFS_WINDOW_CUME_DIST,
    TSFS_WINDOW_NTILE,
    TSFS_WINDOW_FIRST_VALUE,
    TSFS_WINDOW_LAST_VALUE,
    TSFS_WINDOW_NTH_VALUE,
    TSFS_WINDOW_LAG,
    TSFS_WINDOW_LEAD
};

struct tsfs_window_impl {
    enum tsfs_window_fn fn;
};

/* The one registry. */
const struct tsfs_function_set *tsfs_functions(void);

/* CAST: kernels outside the registry.  NULL if from cannot be cast to `to`. */
tsfs_kernel tsfs_cast_kernel(enum tsfs_type from, enum tsfs_type to);
#endif
