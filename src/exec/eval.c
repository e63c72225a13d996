/* Evaluation of bound expressions, a batch at a time.
 *
 * A vector is constant or dense; what depends on constants alone is computed once (n = 1) and stays
 * constant.  Boolean expressions are computed as pairs of bitmaps (eval_bool.c).  Where SQL evaluates an
 * expression for some rows only (CASE, COALESCE, later parts of AND and OR), those rows are gathered, the
 * expression runs over the dense few, and the results are scattered back: a row that a condition keeps away
 * from a division never divides. */
#include "exec/eval.h"

#include <errno.h>
#include <string.h>

#include "exec/eval_priv.h"
#include "exec/kernels/bits.h"
#include "exec/kernels/gather.h"

static int flat_valid(struct tsfs_eval *eval, const struct tsfs_vec *v, uint32_t n, uint64_t **out)
{
    *out = tsfs_arena_alloc(eval->arena, tsfs_bit_words(n) * 8);
    if (*out == NULL)
        return -ENOMEM;
    bits_of_valid(*out, v, n);
    return 0;
}

/* Takes the rows of errors away from v. */
static int mask_errors(struct tsfs_eval *eval, const uint64_t *errors, uint32_t n, struct tsfs_vec *v)
{
    if (bits_none(errors, n))
        return 0;
    uint64_t *valid = NULL;
    int rc = flat_valid(eval, v, n, &valid);
    if (rc != 0)
        return rc;
    for (size_t w = 0; w < tsfs_bit_words(n); w++)
        valid[w] &= ~errors[w];
    if (v->constant) {
        if (bits_none(valid, n)) {
            *v = exec_vec_null(v->type);
            return 0;
        }
        size_t width = tsfs_type_width(v->type);
        void *data = tsfs_arena_alloc(eval->arena, n * width);
        if (data == NULL)
            return -ENOMEM;
        vec_append(v, n, data, valid, 0);
        for (size_t w = 0; w < tsfs_bit_words(n); w++)
            valid[w] &= ~errors[w];
        v->data = data;
        v->constant = false;
    }
    v->valid = valid;
    return 0;
}

/* Runs a kernel over evaluated arguments. */
static int apply(struct tsfs_eval *eval, const struct tsfs_expr *expr, tsfs_kernel kernel, bool strict,
                 bool foldable, const struct tsfs_vec *cols, const struct tsfs_vec *args, uint32_t nargs,
                 uint32_t n, uint64_t *row_errors, struct tsfs_vec *out)
{
    bool constant = foldable, lambdas = false;
    const uint64_t *valid = NULL;
    uint64_t *both = NULL;
    for (uint32_t i = 0; i < nargs; i++) {
        if (expr->args[i]->kind == TSFS_EXPR_LAMBDA) {
            lambdas = true;
            constant = constant && eval_lambda_constant(eval, expr->args[i], cols);
            continue;
        }
        if (strict && (args[i].type == TSFS_UNKNOWN || (args[i].constant && tsfs_vec_null(&args[i], 0)))) {
            *out = exec_vec_null(expr->type);
            return 0;
        }
        if (args[i].constant || args[i].type == TSFS_UNKNOWN)
            continue;
        constant = false;
        if (!strict || args[i].valid == NULL)
            continue;
        if (valid == NULL) {
            valid = args[i].valid;
            continue;
        }
        if (both == NULL) {
            both = tsfs_arena_alloc(eval->arena, tsfs_bit_words(n) * 8);
            if (both == NULL)
                return -ENOMEM;
            memcpy(both, valid, tsfs_bit_words(n) * 8);
            valid = both;
        }
        for (size_t w = 0; w < tsfs_bit_words(n); w++)
            both[w] &= args[i].valid[w];
    }
    if (both != NULL)
        bits_trim(both, n);
    if (valid != NULL && tsfs_bits_count(valid, n) == 0) {
        *out = exec_vec_null(expr->type);
        return 0;
    }
    uint32_t rows = constant ? 1 : n;
    uint64_t errors[EXEC_BATCH_WORDS] = {0};
    struct tsfs_kernel_ctx ctx = {.arena = eval->arena,
                                  .now = eval->now,
                                  .err = eval->err,
                                  .line = expr->line,
                                  .column = expr->column,
                                  .row_errors = row_errors != NULL ? errors : NULL,
                                  .poll = eval->poll,
                                  .poll_ctx = eval->poll_ctx};
    struct eval_lambda_ctx lambda = {eval, expr, cols};
    if (lambdas) {
        ctx.lambda = eval_lambda;
        ctx.lambda_ctx = &lambda;
    }
    *out = (struct tsfs_vec){.type = expr->type, .constant = constant, .valid = valid};
    int rc = kernel(&ctx, args, nargs, rows, valid, out);
    if (rc != 0)
        return rc;
    if (row_errors == NULL || bits_none(errors, rows))
        return 0;
    if (constant) {
        bits_fill(row_errors, n);
        *out = exec_vec_null(expr->type);
        return 0;
    }
    for (size_t w = 0; w < tsfs_bit_words(n); w++)
        row_errors[w] |= errors[w];
    return mask_errors(eval, errors, n, out);
}

static int eval_call(struct tsfs_eval *eval, const struct tsfs_expr *expr, const struct tsfs_vec *cols,
                     uint32_t n, struct tsfs_vec *out)
{
    struct tsfs_vec few[TSFS_FUNCTION_ARGS_MAX], *args = few;
    if (expr->nargs > TSFS_FUNCTION_ARGS_MAX) {
        args = tsfs_arena_alloc(eval->arena, expr->nargs * sizeof(*args));
        if (args == NULL)
            return -ENOMEM;
    }
    for (uint32_t i = 0; i < expr->nargs; i++) {
        int rc = tsfs_eval_expr(eval, expr->args[i], cols, n, &args[i]);
        if (rc != 0)
            return rc;
    }
    const struct tsfs_scalar_impl *impl = expr->fn->impl;
    return apply(eval, expr, impl->kernel, !expr->fn->nulls, !expr->fn->unstable, cols, args, expr->nargs, n,
                 eval->row_errors, out);
}

static int eval_cast(struct tsfs_eval *eval, const struct tsfs_expr *expr, const struct tsfs_vec *cols,
                     uint32_t n, struct tsfs_vec *out)
{
    struct tsfs_vec arg;
    int rc = tsfs_eval_expr(eval, expr->args[0], cols, n, &arg);
    if (rc != 0)
        return rc;
    if (arg.type == expr->type) {
        *out = arg;
        return 0;
    }
    if (arg.type == TSFS_UNKNOWN) {
        *out = exec_vec_null(expr->type);
        return 0;
    }
    tsfs_kernel kernel = tsfs_cast_kernel(arg.type, expr->type);
    if (kernel == NULL)
        return tsfs_error_set_at(eval->err, -EINVAL, expr->line, expr->column, "cannot cast %s to %s",
                                 tsfs_type_name(arg.type), tsfs_type_name(expr->type));
    uint64_t failed[EXEC_BATCH_WORDS] = {0};
    return apply(eval, expr, kernel, true, true, cols, &arg, 1, n, expr->is_try ? failed : eval->row_errors,
                 out);
}

static int room_for(struct tsfs_eval *eval, enum tsfs_type type, uint32_t n, void **data, uint64_t **valid)
{
    *data = tsfs_arena_calloc(eval->arena, n, tsfs_type_width(type));
    *valid = tsfs_arena_calloc(eval->arena, tsfs_bit_words(n), 8);
    return *data == NULL || *valid == NULL ? -ENOMEM : 0;
}

/* expr for the rows of bits, scattered to data and valid. */
static int eval_branch(struct tsfs_eval *eval, const struct tsfs_expr *expr, const struct tsfs_vec *cols,
                       uint32_t n, const uint64_t *bits, void *data, uint64_t *valid)
{
    uint16_t *sel = tsfs_arena_alloc(eval->arena, n * sizeof(*sel));
    if (sel == NULL)
        return -ENOMEM;
    uint32_t nsel = bits_to_sel(sel, bits, n);
    if (nsel == 0)
        return 0;
    struct tsfs_vec v;
    int rc = tsfs_eval_subset(eval, expr, cols, sel, nsel, &v);
    if (rc == 0)
        vec_scatter(&v, sel, nsel, data, valid);
    return rc;
}

static int eval_case(struct tsfs_eval *eval, const struct tsfs_expr *expr, const struct tsfs_vec *cols,
                     uint32_t n, struct tsfs_vec *out)
{
    uint64_t left[EXEC_BATCH_WORDS], t[EXEC_BATCH_WORDS], f[EXEC_BATCH_WORDS];
    const struct tsfs_expr *otherwise = expr->args[expr->nargs - 1];
    uint32_t nleft = n;
    void *data = NULL;
    uint64_t *valid = NULL;
    bits_fill(left, n);
    for (uint32_t k = 0; k + 1 < expr->nargs && nleft > 0; k += 2) {
        int rc = eval_tri_active(eval, expr->args[k], cols, n, left, nleft, t, f);
        if (rc != 0)
            return rc;
        for (size_t w = 0; w < tsfs_bit_words(n); w++) {
            t[w] &= left[w];
            left[w] &= ~t[w];
        }
        uint32_t taken = (uint32_t)tsfs_bits_count(t, n);
        if (taken == 0)
            continue;
        if (taken == n)
            return tsfs_eval_expr(eval, expr->args[k + 1], cols, n, out);
        if (data == NULL && (rc = room_for(eval, expr->type, n, &data, &valid)) != 0)
            return rc;
        rc = eval_branch(eval, expr->args[k + 1], cols, n, t, data, valid);
        if (rc != 0)
            return rc;
        nleft -= taken;
    }
    if (nleft == n)
        return tsfs_eval_expr(eval, otherwise, cols, n, out);
    int rc = eval_branch(eval, otherwise, cols, n, left, data, valid);
    *out = (struct tsfs_vec){.type = expr->type, .data = data, .valid = valid};
    return rc;
}

static int eval_coalesce(struct tsfs_eval *eval, const struct tsfs_expr *expr, const struct tsfs_vec *cols,
                         uint32_t n, struct tsfs_vec *out)
{
    uint64_t missing[EXEC_BATCH_WORDS];
    void *data = NULL;
    uint64_t *valid = NULL;
    for (uint32_t k = 0; k < expr->nargs; k++) {
        int rc;
        if (data == NULL) {
            struct tsfs_vec v;
            if ((rc = tsfs_eval_expr(eval, expr->args[k], cols, n, &v)) != 0)
                return rc;
            bits_of_valid(missing, &v, n);
            for (size_t w = 0; w < tsfs_bit_words(n); w++)
                missing[w] = ~missing[w];
            bits_trim(missing, n);
            if (bits_none(missing, n) || k + 1 == expr->nargs) {
                *out = v.type == TSFS_UNKNOWN ? exec_vec_null(expr->type) : v;
                return 0;
            }
            if (tsfs_bits_count(missing, n) == n)
                continue;
            if ((rc = room_for(eval, expr->type, n, &data, &valid)) != 0)
                return rc;
            vec_append(&v, n, data, valid, 0);
            continue;
        }
        if ((rc = eval_branch(eval, expr->args[k], cols, n, missing, data, valid)) != 0)
            return rc;
        for (size_t w = 0; w < tsfs_bit_words(n); w++)
            missing[w] &= ~valid[w];
        if (bits_none(missing, n))
            break;
    }
    *out = (struct tsfs_vec){.type = expr->type, .data = data, .valid = valid};
    return 0;
}

static int eval_try(struct tsfs_eval *eval, const struct tsfs_expr *expr, const struct tsfs_vec *cols,
                    uint32_t n, struct tsfs_vec *out)
{
    uint64_t errors[EXEC_BATCH_WORDS] = {0};
    struct tsfs_eval inner = *eval;
    inner.row_errors = errors;
    int rc = tsfs_eval_expr(&inner, expr->args[0], cols, n, out);
    return rc != 0 ? rc : mask_errors(eval, errors, n, out);
}

int tsfs_eval_expr(struct tsfs_eval *eval, const struct tsfs_expr *expr, const struct tsfs_vec *cols,
                   uint32_t n, struct tsfs_vec *out)
{
    switch (expr->kind) {
    case TSFS_EXPR_LITERAL: *out = vec_of_value(&expr->value); return 0;
    case TSFS_EXPR_COLUMN: *out = cols[expr->index]; return 0;
    case TSFS_EXPR_PARAM: *out = eval->params[expr->index]; return 0;
    case TSFS_EXPR_LAMBDA: *out = exec_vec_null(TSFS_UNKNOWN); return 0;
    case TSFS_EXPR_CAST: return eval_cast(eval, expr, cols, n, out);
    case TSFS_EXPR_CASE: return eval_case(eval, expr, cols, n, out);
    case TSFS_EXPR_COALESCE: return eval_coalesce(eval, expr, cols, n, out);
    case TSFS_EXPR_TRY: return eval_try(eval, expr, cols, n, out);
    case TSFS_EXPR_CALL:
        if (!eval_is_comparison(expr))
            return eval_call(eval, expr, cols, n, out);
        break;
    case TSFS_EXPR_OUTER:
    case TSFS_EXPR_SUBQUERY: /* the planner's fault: a plan that runs has values for these */
        return tsfs_error_set_at(eval->err, -EINVAL, expr->line, expr->column,
                                 "this query depends on another in a way that has no plan");
    default: break;
    }
    uint64_t t[EXEC_BATCH_WORDS], f[EXEC_BATCH_WORDS];
    int rc = eval_tri(eval, expr, cols, n, t, f);
    return rc != 0 ? rc : eval_tri_vec(eval, t, f, n, out);
}

/* ---- rows of a batch ---- */

static uint32_t columns_needed(const struct tsfs_expr *expr)
{
    uint32_t most = expr->kind == TSFS_EXPR_COLUMN ? expr->index + 1 : 0;
    for (uint32_t i = 0; i < expr->nargs; i++) {
        uint32_t m = columns_needed(expr->args[i]);
        most = m > most ? m : most;
    }
    return most;
}

static int gather_columns(struct tsfs_eval *eval, const struct tsfs_expr *expr, const struct tsfs_vec *cols,
                          const uint16_t *sel, uint32_t nsel, struct tsfs_vec *to, struct tsfs_vec *params,
                          uint32_t nouter)
{
    if (expr->kind == TSFS_EXPR_PARAM) {
        struct tsfs_vec *v = &params[expr->index];
        return expr->index >= nouter || v->type != TSFS_TYPE_COUNT
                   ? 0
                   : tsfs_vec_gather(eval->arena, &eval->params[expr->index], sel, nsel, v);
    }
    if (expr->kind == TSFS_EXPR_COLUMN) {
        struct tsfs_vec *v = &to[expr->index];
        return v->type != TSFS_TYPE_COUNT ? 0
                                          : tsfs_vec_gather(eval->arena, &cols[expr->index], sel, nsel, v);
    }
    for (uint32_t i = 0; i < expr->nargs; i++) {
        int rc = gather_columns(eval, expr->args[i], cols, sel, nsel, to, params, nouter);
        if (rc != 0)
            return rc;
    }
    return 0;
}

int eval_gather_inputs(struct tsfs_eval *eval, const struct tsfs_expr *expr, const struct tsfs_vec *cols,
                       const uint16_t *sel, uint32_t nsel, const struct tsfs_vec **out,
                       struct tsfs_vec *params, uint32_t nouter)
{
    uint32_t ncols = columns_needed(expr);
    struct tsfs_vec *some = tsfs_arena_alloc(eval->arena, ncols * sizeof(*some));
    if (some == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < ncols; i++)
        some[i] = (struct tsfs_vec){.type = TSFS_TYPE_COUNT};
    for (uint32_t i = 0; i < nouter; i++)
        params[i] = (struct tsfs_vec){.type = TSFS_TYPE_COUNT};
    *out = some;
    return gather_columns(eval, expr, cols, sel, nsel, some, params, nouter);
}

int eval_subset_columns(struct tsfs_eval *eval, const struct tsfs_expr *expr, const struct tsfs_vec *cols,
                        const uint16_t *sel, uint32_t nsel, const struct tsfs_vec **out,
                        struct tsfs_eval *inner)
{
    *inner = *eval;
    struct tsfs_vec *params = NULL;
    if (eval->nparams > 0) {
        params = tsfs_arena_alloc(eval->arena, eval->nparams * sizeof(*params));
        if (params == NULL)
            return -ENOMEM;
    }
    inner->params = params;
    return eval_gather_inputs(eval, expr, cols, sel, nsel, out, params, eval->nparams);
}

void eval_errors_back(uint64_t *to, const uint64_t *from, const uint16_t *sel, uint32_t nsel)
{
    for (uint32_t w = 0; w < tsfs_bit_words(nsel); w++)
        for (uint64_t left = from[w]; left != 0; left &= left - 1)
            tsfs_bit_set(to, sel[w * 64 + (uint32_t)__builtin_ctzll(left)]);
}

int tsfs_eval_subset(struct tsfs_eval *eval, const struct tsfs_expr *expr, const struct tsfs_vec *cols,
                     const uint16_t *sel, uint32_t nsel, struct tsfs_vec *out)
{
    if (expr->kind == TSFS_EXPR_LITERAL)
        return tsfs_eval_expr(eval, expr, cols, nsel, out);
    if (expr->kind == TSFS_EXPR_COLUMN)
        return tsfs_vec_gather(eval->arena, &cols[expr->index], sel, nsel, out);
    const struct tsfs_vec *some;
    struct tsfs_eval inner;
    int rc = eval_subset_columns(eval, expr, cols, sel, nsel, &some, &inner);
    if (rc != 0)
        return rc;
    uint64_t errors[EXEC_BATCH_WORDS] = {0};
    if (eval->row_errors != NULL)
        inner.row_errors = errors;
    rc = tsfs_eval_expr(&inner, expr, some, nsel, out);
    if (rc == 0 && eval->row_errors != NULL)
        eval_errors_back(eval->row_errors, errors, sel, nsel);
    return rc;
}

int tsfs_eval_narrow(struct tsfs_eval *eval, const struct tsfs_expr *predicate, const struct tsfs_vec *cols,
                     uint32_t n, uint64_t *bits)
{
    if (predicate->kind == TSFS_EXPR_AND) {
        for (uint32_t i = 0; i < predicate->nargs; i++) {
            int rc = tsfs_eval_narrow(eval, predicate->args[i], cols, n, bits);
            if (rc != 0)
                return rc;
        }
        return 0;
    }
    uint32_t wanted = (uint32_t)tsfs_bits_count(bits, n);
    if (wanted == 0)
        return 0;
    uint64_t t[EXEC_BATCH_WORDS], f[EXEC_BATCH_WORDS];
    int rc = eval_tri_active(eval, predicate, cols, n, bits, wanted, t, f);
    for (size_t w = 0; rc == 0 && w < tsfs_bit_words(n); w++)
        bits[w] &= t[w];
    return rc;
}

int tsfs_eval_filter(struct tsfs_eval *eval, const struct tsfs_expr *predicate, const struct tsfs_vec *cols,
                     uint32_t n, uint16_t *sel, uint32_t *nsel)
{
    uint64_t bits[EXEC_BATCH_WORDS];
    bits_fill(bits, n);
    int rc = tsfs_eval_narrow(eval, predicate, cols, n, bits);
    *nsel = rc == 0 ? bits_to_sel(sel, bits, n) : 0;
    return rc;
}
