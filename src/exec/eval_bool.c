/* Three-valued logic on bitmaps: a boolean expression over n rows is the pair (where TRUE, where FALSE). */
#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "exec/eval_priv.h"
#include "exec/kernels/bits.h"
#include "exec/kernels/compare.h"
#include "exec/kernels/gather.h"

#define AS_DOUBLES_LEAST 64u /* rows; fewer are turned into doubles as fast */

bool eval_is_comparison(const struct tsfs_expr *expr)
{
    return expr->kind == TSFS_EXPR_CALL && expr->nargs == 2 && expr->args[0]->type == expr->args[1]->type &&
           compare_known(expr->fn->op, expr->args[0]->type);
}

/* True when evaluating expr for a row can neither fail nor cost much. */
static bool harmless(const struct tsfs_expr *expr)
{
    switch (expr->kind) {
    case TSFS_EXPR_LITERAL:
    case TSFS_EXPR_COLUMN:
    case TSFS_EXPR_PARAM: return true;
    case TSFS_EXPR_AND:
    case TSFS_EXPR_OR:
    case TSFS_EXPR_NOT:
    case TSFS_EXPR_IS_NULL: break;
    case TSFS_EXPR_IN:
        if (expr->nargs > 5)
            return false;
        break;
    case TSFS_EXPR_CALL:
        if (!eval_is_comparison(expr))
            return false;
        break;
    default: return false;
    }
    for (uint32_t i = 0; i < expr->nargs; i++)
        if (!harmless(expr->args[i]))
            return false;
    return true;
}

int eval_tri_vec(struct tsfs_eval *eval, const uint64_t *t, const uint64_t *f, uint32_t n,
                 struct tsfs_vec *out)
{
    uint8_t *bytes = tsfs_arena_alloc(eval->arena, n);
    uint64_t *valid = tsfs_arena_alloc(eval->arena, tsfs_bit_words(n) * 8);
    if (bytes == NULL || valid == NULL)
        return -ENOMEM;
    bits_to_bytes(bytes, t, n);
    for (size_t w = 0; w < tsfs_bit_words(n); w++)
        valid[w] = t[w] | f[w];
    *out = (struct tsfs_vec){.type = TSFS_BOOLEAN, .data = bytes};
    if (tsfs_bits_count(valid, n) < n)
        out->valid = valid;
    return 0;
}

/* A boolean vector as two bitmaps. */
static void vec_tri(const struct tsfs_vec *v, uint32_t n, uint64_t *t, uint64_t *f)
{
    uint64_t valid[EXEC_BATCH_WORDS];
    bits_of_valid(valid, v, n);
    if (v->type == TSFS_UNKNOWN || (v->constant && tsfs_vec_null(v, 0))) {
        bits_zero(t, n);
        bits_zero(f, n);
        return;
    }
    if (v->constant) {
        if (v->b[0])
            bits_fill(t, n);
        else
            bits_zero(t, n);
    } else {
        bits_from_bytes(t, v->b, n);
    }
    for (size_t w = 0; w < tsfs_bit_words(n); w++) {
        f[w] = valid[w] & ~t[w];
        t[w] &= valid[w];
    }
}

int eval_tri_active(struct tsfs_eval *eval, const struct tsfs_expr *expr, const struct tsfs_vec *cols,
                    uint32_t n, const uint64_t *active, uint32_t na, uint64_t *t, uint64_t *f)
{
    if (na == n || (na * 16 >= n && harmless(expr)))
        return eval_tri(eval, expr, cols, n, t, f);
    bits_zero(t, n);
    bits_zero(f, n);
    uint16_t *sel = tsfs_arena_alloc(eval->arena, na * sizeof(*sel));
    const struct tsfs_vec *some;
    struct tsfs_eval inner;
    if (sel == NULL)
        return -ENOMEM;
    bits_to_sel(sel, active, n);
    int rc = eval_subset_columns(eval, expr, cols, sel, na, &some, &inner);
    if (rc != 0)
        return rc;
    uint64_t few_t[EXEC_BATCH_WORDS], few_f[EXEC_BATCH_WORDS], errors[EXEC_BATCH_WORDS] = {0};
    if (eval->row_errors != NULL)
        inner.row_errors = errors;
    rc = eval_tri(&inner, expr, some, na, few_t, few_f);
    if (rc != 0)
        return rc;
    for (uint32_t k = 0; k < na; k++) {
        t[sel[k] >> 6] |= (uint64_t)tsfs_bit_get(few_t, k) << (sel[k] & 63);
        f[sel[k] >> 6] |= (uint64_t)tsfs_bit_get(few_f, k) << (sel[k] & 63);
    }
    if (eval->row_errors != NULL)
        eval_errors_back(eval->row_errors, errors, sel, na);
    return 0;
}

/* AND and OR are one walk: a row is decided by the first argument that is FALSE (AND) or TRUE (OR), and has
 * the other value if every argument has it. */
static int junction(struct tsfs_eval *eval, const struct tsfs_expr *expr, const struct tsfs_vec *cols,
                    uint32_t n, uint64_t *decided, uint64_t *other)
{
    bool is_and = expr->kind == TSFS_EXPR_AND;
    size_t words = tsfs_bit_words(n);
    bits_zero(decided, n);
    bits_fill(other, n);
    for (uint32_t i = 0; i < expr->nargs; i++) {
        uint64_t active[EXEC_BATCH_WORDS], t[EXEC_BATCH_WORDS], f[EXEC_BATCH_WORDS];
        for (size_t w = 0; w < words; w++)
            active[w] = ~decided[w];
        bits_trim(active, n);
        uint32_t na = (uint32_t)tsfs_bits_count(active, n);
        if (na == 0)
            break;
        int rc = eval_tri_active(eval, expr->args[i], cols, n, active, na, t, f);
        if (rc != 0)
            return rc;
        for (size_t w = 0; w < words; w++) {
            decided[w] |= (is_and ? f[w] : t[w]) & active[w];
            other[w] &= is_and ? t[w] : f[w];
        }
    }
    for (size_t w = 0; w < words; w++)
        other[w] &= ~decided[w];
    return 0;
}

/* A column of integers, cast to DOUBLE as it meets a literal one: the column, which needs no such copy. */
static const struct tsfs_vec *integers_of(const struct tsfs_expr *cast, const struct tsfs_expr *literal,
                                          const struct tsfs_vec *cols)
{
    if (cast->kind != TSFS_EXPR_CAST || cast->type != TSFS_DOUBLE ||
        cast->args[0]->kind != TSFS_EXPR_COLUMN || literal->kind != TSFS_EXPR_LITERAL || literal->value.null)
        return NULL;
    const struct tsfs_vec *v = &cols[cast->args[0]->index];
    return (v->type == TSFS_BIGINT || v->type == TSFS_INTEGER) && !v->constant ? v : NULL;
}

/* false: the comparison is none of such a column. */
static bool integers_as_doubles(const struct tsfs_expr *expr, const struct tsfs_vec *cols, uint32_t n,
                                uint64_t *t, uint64_t *f)
{
    uint64_t valid[EXEC_BATCH_WORDS];
    enum tsfs_op op = expr->fn->op;
    const struct tsfs_expr *literal = expr->args[1];
    const struct tsfs_vec *v = integers_of(expr->args[0], literal, cols);
    if (v == NULL) {
        op = tsfs_op_mirrored(op);
        literal = expr->args[0];
        v = integers_of(expr->args[1], literal, cols);
    }
    if (v == NULL)
        return false;
    bits_of_valid(valid, v, n);
    compare_bits_as_double(op, v->i, literal->value.d, n, valid, t);
    for (size_t w = 0; w < tsfs_bit_words(n); w++)
        f[w] = valid[w] & ~t[w];
    return true;
}

static int comparison(struct tsfs_eval *eval, const struct tsfs_expr *expr, const struct tsfs_vec *cols,
                      uint32_t n, uint64_t *t, uint64_t *f)
{
    struct tsfs_vec a, b;
    if (n >= AS_DOUBLES_LEAST && integers_as_doubles(expr, cols, n, t, f))
        return 0;
    int rc = tsfs_eval_expr(eval, expr->args[0], cols, n, &a);
    if (rc == 0)
        rc = tsfs_eval_expr(eval, expr->args[1], cols, n, &b);
    if (rc != 0)
        return rc;
    uint64_t valid[EXEC_BATCH_WORDS];
    bits_of_valid(valid, &a, n);
    bits_of_valid(f, &b, n);
    for (size_t w = 0; w < tsfs_bit_words(n); w++)
        valid[w] &= f[w];
    compare_bits(expr->fn->op, &a, &b, n, valid, t);
    for (size_t w = 0; w < tsfs_bit_words(n); w++)
        f[w] = valid[w] & ~t[w];
    return 0;
}

/* x against one element of the list, for the rows not matched yet. */
static int in_element(struct tsfs_eval *eval, const struct tsfs_expr *element, const struct tsfs_vec *x,
                      const uint64_t *valid, const struct tsfs_vec *cols, uint32_t n, uint64_t *matched,
                      uint64_t *unknown)
{
    uint64_t open[EXEC_BATCH_WORDS], bits[EXEC_BATCH_WORDS];
    size_t words = tsfs_bit_words(n);
    for (size_t w = 0; w < words; w++)
        open[w] = valid[w] & ~matched[w];
    if (bits_none(open, n))
        return 0;
    struct tsfs_vec e, some_x = *x;
    uint16_t *sel = NULL;
    uint32_t rows = n;
    int rc;
    if (harmless(element)) {
        rc = tsfs_eval_expr(eval, element, cols, n, &e);
    } else {
        sel = tsfs_arena_alloc(eval->arena, n * sizeof(*sel));
        if (sel == NULL)
            return -ENOMEM;
        rows = bits_to_sel(sel, open, n);
        rc = tsfs_eval_subset(eval, element, cols, sel, rows, &e);
        if (rc == 0)
            rc = tsfs_vec_gather(eval->arena, x, sel, rows, &some_x);
        bits_fill(open, rows);
    }
    if (rc != 0)
        return rc;
    uint64_t has[EXEC_BATCH_WORDS];
    bits_of_valid(has, &e, rows);
    for (size_t w = 0; w < tsfs_bit_words(rows); w++) {
        uint64_t lacks = open[w] & ~has[w];
        open[w] &= has[w];
        has[w] = lacks;
    }
    if (e.type == TSFS_UNKNOWN)
        bits_zero(bits, rows);
    else
        compare_bits(TSFS_OP_EQ, &some_x, &e, rows, open, bits);
    if (sel == NULL) {
        for (size_t w = 0; w < words; w++) {
            matched[w] |= bits[w];
            unknown[w] |= has[w];
        }
        return 0;
    }
    eval_errors_back(matched, bits, sel, rows);
    eval_errors_back(unknown, has, sel, rows);
    return 0;
}

static int in_list(struct tsfs_eval *eval, const struct tsfs_expr *expr, const struct tsfs_vec *cols,
                   uint32_t n, uint64_t *t, uint64_t *f)
{
    struct tsfs_vec x;
    int rc = tsfs_eval_expr(eval, expr->args[0], cols, n, &x);
    if (rc != 0)
        return rc;
    uint64_t valid[EXEC_BATCH_WORDS], unknown[EXEC_BATCH_WORDS];
    bits_of_valid(valid, &x, n);
    bits_zero(unknown, n);
    bits_zero(t, n);
    bits_zero(f, n);
    if (bits_none(valid, n))
        return 0;
    if (expr->nargs == 2 && expr->args[1]->kind == TSFS_EXPR_SET) {
        const struct eval_values *values = expr->args[1]->value.p;
        rc = eval_values_probe(values, eval, &x, n, valid, t);
        for (size_t w = 0; w < tsfs_bit_words(n) && !values->null; w++)
            f[w] = valid[w] & ~t[w];
        return rc;
    }
    const struct eval_set *set = eval_set_find(eval->sets, expr);
    if (set != NULL)
        eval_set_probe(set, &x, n, valid, t);
    for (uint32_t i = 1; i < expr->nargs && rc == 0 && (set == NULL || eval_set_has_others(set)); i++) {
        const struct tsfs_expr *element = expr->args[i];
        if (set == NULL || element->kind != TSFS_EXPR_LITERAL || element->value.null)
            rc = in_element(eval, element, &x, valid, cols, n, t, unknown);
    }
    for (size_t w = 0; w < tsfs_bit_words(n); w++)
        f[w] = valid[w] & ~t[w] & ~unknown[w];
    return rc;
}

int eval_tri(struct tsfs_eval *eval, const struct tsfs_expr *expr, const struct tsfs_vec *cols, uint32_t n,
             uint64_t *t, uint64_t *f)
{
    struct tsfs_vec v;
    int rc;
    switch (expr->kind) {
    case TSFS_EXPR_AND: return junction(eval, expr, cols, n, f, t);
    case TSFS_EXPR_OR: return junction(eval, expr, cols, n, t, f);
    case TSFS_EXPR_NOT: return eval_tri(eval, expr->args[0], cols, n, f, t);
    case TSFS_EXPR_IN: return in_list(eval, expr, cols, n, t, f);
    case TSFS_EXPR_IS_NULL:
        rc = tsfs_eval_expr(eval, expr->args[0], cols, n, &v);
        if (rc != 0)
            return rc;
        bits_of_valid(f, &v, n);
        for (size_t w = 0; w < tsfs_bit_words(n); w++)
            t[w] = ~f[w];
        bits_trim(t, n);
        return 0;
    default: break;
    }
    if (eval_is_comparison(expr))
        return comparison(eval, expr, cols, n, t, f);
    rc = tsfs_eval_expr(eval, expr, cols, n, &v);
    if (rc == 0)
        vec_tri(&v, n, t, f);
    return rc;
}
