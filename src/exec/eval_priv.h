/* Between the files of the evaluator. */
#ifndef TSFS_EXEC_EVAL_PRIV_H
#define TSFS_EXEC_EVAL_PRIV_H

#include "exec/eval.h"
#include "exec/kernels/group.h"

/* A boolean expression as two bitmaps of n rows: where it is TRUE and where it is FALSE; neither = NULL. */
TSFS_MUST_CHECK int eval_tri(struct tsfs_eval *eval, const struct tsfs_expr *expr,
                             const struct tsfs_vec *cols, uint32_t n, uint64_t *t, uint64_t *f);

/* The same where only the na rows of `active` matter; the other bits of t and f mean nothing. */
TSFS_MUST_CHECK int eval_tri_active(struct tsfs_eval *eval, const struct tsfs_expr *expr,
                                    const struct tsfs_vec *cols, uint32_t n, const uint64_t *active,
                                    uint32_t na, uint64_t *t, uint64_t *f);

/* Two bitmaps as a boolean vector in the arena. */
TSFS_MUST_CHECK int eval_tri_vec(struct tsfs_eval *eval, const uint64_t *t, const uint64_t *f, uint32_t n,
                                 struct tsfs_vec *out);

/* The columns and parameters that expr names, gathered: *out is an array that can be indexed as cols, *inner
 * an evaluator for it. */
TSFS_MUST_CHECK int eval_subset_columns(struct tsfs_eval *eval, const struct tsfs_expr *expr,
                                        const struct tsfs_vec *cols, const uint16_t *sel, uint32_t nsel,
                                        const struct tsfs_vec **out, struct tsfs_eval *inner);
/* The same for a lambda's elements: params [0, nouter) are gathered if expr names them, into params. */
TSFS_MUST_CHECK int eval_gather_inputs(struct tsfs_eval *eval, const struct tsfs_expr *expr,
                                       const struct tsfs_vec *cols, const uint16_t *sel, uint32_t nsel,
                                       const struct tsfs_vec **out, struct tsfs_vec *params, uint32_t nouter);

/* eval_lambda.c: what the kernels of a call with lambdas are given. */
struct eval_lambda_ctx {
    struct tsfs_eval *eval;
    const struct tsfs_expr *call;
    const struct tsfs_vec *cols;
};
int eval_lambda(struct tsfs_kernel_ctx *ctx, unsigned arg, const struct tsfs_vec *params,
                const uint32_t *rows, uint32_t n, struct tsfs_arena *arena, struct tsfs_vec *out);
/* Whether everything that the lambda uses beside its parameters is constant. */
bool eval_lambda_constant(const struct tsfs_eval *eval, const struct tsfs_expr *lambda,
                          const struct tsfs_vec *cols);

/* Errors of a subset's rows to the rows they stand for. */
void eval_errors_back(uint64_t *to, const uint64_t *from, const uint16_t *sel, uint32_t nsel);

/* Whether this call is a comparison that kernels/compare.h does. */
bool eval_is_comparison(const struct tsfs_expr *expr);

/* The set made ready for this IN, or NULL. */
struct eval_set;
const struct eval_set *eval_set_find(const struct tsfs_eval_sets *sets, const struct tsfs_expr *in);
bool eval_set_has_others(const struct eval_set *set); /* that are no literals, or NULL */
/* Bit i = v[i] is in the set, for the rows of valid. */
void eval_set_probe(const struct eval_set *set, const struct tsfs_vec *v, uint32_t n, const uint64_t *valid,
                    uint64_t *bits);

/* What a TSFS_EXPR_SET points to. */
struct eval_values {
    struct tsfs_value_set set;
    struct group_table table; /* of the values, NULL among them too */
    bool null;                /* there is one */
};
TSFS_MUST_CHECK int eval_values_probe(const struct eval_values *values, struct tsfs_eval *eval,
                                      const struct tsfs_vec *v, uint32_t n, const uint64_t *valid,
                                      uint64_t *bits);

#endif
