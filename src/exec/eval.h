/* Evaluates bound expressions over dense batches. */
#ifndef TSFS_EXEC_EVAL_H
#define TSFS_EXEC_EVAL_H

#include "exec/function.h"
#include "sql/expr.h"

struct tsfs_eval_sets;

struct tsfs_eval {
    struct tsfs_arena *arena; /* results live here until the caller resets it */
    int64_t now;
    struct tsfs_error *err;
    uint64_t *row_errors;              /* inside TRY, otherwise NULL */
    const struct tsfs_eval_sets *sets; /* long IN lists made ready; NULL = none */
    const struct tsfs_vec *params;     /* of the lambdas around the expression, by number */
    uint32_t nparams;
    int (*poll)(void *poll_ctx, struct tsfs_error *err); /* for kernels; may be NULL */
    void *poll_ctx;
};

/* expr over a dense batch (sel NULL) of cols/n rows: a flat or constant vector.  CASE, COALESCE, AND and OR
 * evaluate later parts only for the rows that need them (gathered densely), so that those parts cannot fail
 * on others. */
TSFS_MUST_CHECK int tsfs_eval_expr(struct tsfs_eval *eval, const struct tsfs_expr *expr,
                                   const struct tsfs_vec *cols, uint32_t n, struct tsfs_vec *out);

/* The rows for which the predicate is TRUE (not NULL, not FALSE), ascending, into sel (room for n); *nsel of
 * them. */
TSFS_MUST_CHECK int tsfs_eval_filter(struct tsfs_eval *eval, const struct tsfs_expr *predicate,
                                     const struct tsfs_vec *cols, uint32_t n, uint16_t *sel, uint32_t *nsel);

/* Rows sel[0..nsel) of v as a dense vector in arena. */
TSFS_MUST_CHECK int tsfs_vec_gather(struct tsfs_arena *arena, const struct tsfs_vec *v, const uint16_t *sel,
                                    uint32_t nsel, struct tsfs_vec *out);

/* expr over rows sel[0..nsel) only: a vector of nsel rows. */
TSFS_MUST_CHECK int tsfs_eval_subset(struct tsfs_eval *eval, const struct tsfs_expr *expr,
                                     const struct tsfs_vec *cols, const uint16_t *sel, uint32_t nsel,
                                     struct tsfs_vec *out);

/* Narrows *bits (n rows, those wanted so far) to the rows for which the predicate is TRUE; it is evaluated
 * for no other row, unless it cannot fail. */
TSFS_MUST_CHECK int tsfs_eval_narrow(struct tsfs_eval *eval, const struct tsfs_expr *predicate,
                                     const struct tsfs_vec *cols, uint32_t n, uint64_t *bits);

/* Long lists of literals in IN become hash sets, made once a query and then only read.  All memory is
 * the arena's.  *sets is NULL at first. */
TSFS_MUST_CHECK int tsfs_eval_prepare(struct tsfs_arena *arena, const struct tsfs_expr *expr,
                                      struct tsfs_eval_sets **sets);

#endif
