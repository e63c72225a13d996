/* Lambdas over elements: the elements of all arrays of a batch are evaluated together, a batch of elements at
 * a time.  What the lambda uses beside its parameters is gathered once for each element from the row that it
 * belongs to, and only that. */
#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "col/nested.h"
#include "exec/eval_priv.h"
#include "exec/kernels/bits.h"
#include "exec/kernels/gather.h"

static bool constant_inputs(const struct tsfs_eval *eval, const struct tsfs_expr *expr, uint32_t first,
                            const struct tsfs_vec *cols)
{
    if (expr->kind == TSFS_EXPR_COLUMN)
        return cols[expr->index].constant || cols[expr->index].type == TSFS_UNKNOWN;
    if (expr->kind == TSFS_EXPR_PARAM)
        return expr->index >= first || eval->params[expr->index].constant ||
               eval->params[expr->index].type == TSFS_UNKNOWN;
    if (expr->kind == TSFS_EXPR_CALL && expr->fn->unstable)
        return false;
    for (uint32_t i = 0; i < expr->nargs; i++)
        if (!constant_inputs(eval, expr->args[i], first, cols))
            return false;
    return true;
}

bool eval_lambda_constant(const struct tsfs_eval *eval, const struct tsfs_expr *lambda,
                          const struct tsfs_vec *cols)
{
    return constant_inputs(eval, lambda->args[0], lambda->index, cols);
}

/* Parameters for the elements [from, from + m): those of lambdas outside, gathered, and then its own. */
struct part {
    const struct tsfs_expr *lambda, *body;
    const struct tsfs_vec *params;
    const uint32_t *rows;
    uint32_t from, m;
};

static int evaluate_part(struct tsfs_kernel_ctx *ctx, const struct eval_lambda_ctx *lc,
                         const struct part *part, struct tsfs_arena *arena, struct tsfs_vec *out)
{
    uint32_t outer = part->lambda->index, own = (uint32_t)part->lambda->value.i, m = part->m;
    struct tsfs_eval inner = *lc->eval;
    uint64_t errors[EXEC_BATCH_WORDS] = {0};
    uint16_t *sel = tsfs_arena_alloc(arena, m * sizeof(*sel));
    struct tsfs_vec *params = tsfs_arena_alloc(arena, (outer + own + 1) * sizeof(*params));
    if (sel == NULL || params == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < m; i++)
        sel[i] = (uint16_t)part->rows[part->from + i];
    inner.arena = arena;
    inner.row_errors = ctx->row_errors != NULL ? errors : NULL;
    const struct tsfs_vec *cols;
    int rc = eval_gather_inputs(&inner, part->body, lc->cols, sel, m, &cols, params, outer);
    for (uint32_t i = 0; i < own && rc == 0; i++)
        rc = tsfs_vec_slice(arena, &part->params[i], part->from, m, &params[outer + i]);
    inner.params = params;
    inner.nparams = outer + own;
    if (rc == 0)
        rc = tsfs_eval_expr(&inner, part->body, cols, m, out);
    if (rc == 0 && ctx->row_errors != NULL)
        eval_errors_back(ctx->row_errors, errors, sel, m);
    return rc;
}

int eval_lambda(struct tsfs_kernel_ctx *ctx, unsigned arg, const struct tsfs_vec *params,
                const uint32_t *rows, uint32_t n, struct tsfs_arena *arena, struct tsfs_vec *out)
{
    const struct eval_lambda_ctx *lc = ctx->lambda_ctx;
    const struct tsfs_expr *lambda = lc->call->args[arg];
    struct part part = {.lambda = lambda, .body = lambda->args[0], .params = params, .rows = rows};
    enum tsfs_type type = part.body->type;
    if (n == 0) {
        *out = exec_vec_null(type);
        return 0;
    }
    part.m = n;
    if (n <= TSFS_BATCH_ROWS)
        return evaluate_part(ctx, lc, &part, arena, out);
    struct tsfs_vec_room room;
    int rc = tsfs_vec_room(arena, type, n, &room);
    for (part.from = 0; part.from < n && rc == 0; part.from += part.m) {
        struct tsfs_vec v;
        part.m = n - part.from < TSFS_BATCH_ROWS ? n - part.from : TSFS_BATCH_ROWS;
        rc = evaluate_part(ctx, lc, &part, arena, &v);
        if (rc == 0)
            tsfs_vec_put_range(&room, type, part.from, &v, 0, part.m);
        if (rc == 0)
            rc = tsfs_kernel_poll(ctx);
    }
    *out = tsfs_vec_of_room(type, &room, n);
    return rc;
}
