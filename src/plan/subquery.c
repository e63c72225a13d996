/* Subqueries leave the expressions.
 *
 * One that does not depend on the row is run once, before the plan it stands in: a subplan of INIT, its
 * result a param.  If it takes nothing from any query around it, that is the statement's own INIT, however
 * deep it stands.  One that depends on the row becomes a join where that can be done (decorrelate.c), else an
 * APPLY below the operator, which runs it for every different set of its params. */
#include <errno.h>

#include "plan/plan_priv.h"

bool plan_has_subquery(const struct tsfs_expr *e, bool dependent_only)
{
    if (e->kind == TSFS_EXPR_SUBQUERY && (!dependent_only || e->nargs > 0))
        return true;
    for (uint32_t i = 0; i < e->nargs; i++)
        if (plan_has_subquery(e->args[i], dependent_only))
            return true;
    return false;
}

static enum tsfs_plan_result result_kind(enum tsfs_subquery_kind kind)
{
    return kind == TSFS_SUBQUERY_SCALAR   ? TSFS_RESULT_SCALAR
           : kind == TSFS_SUBQUERY_EXISTS ? TSFS_RESULT_EXISTS
                                          : TSFS_RESULT_LIST;
}

static bool grow(struct plan_builder *b, struct plan_frame *f)
{
    if (f->n < f->cap)
        return true;
    uint32_t cap = f->cap == 0 ? 4 : f->cap * 2;
    struct tsfs_plan_init *items = TSFS_NEW_ARRAY(b->arena, struct tsfs_plan_init, cap);
    struct tsfs_plan **plans = TSFS_NEW_ARRAY(b->arena, struct tsfs_plan *, cap);
    const struct tsfs_subquery **subqueries = TSFS_NEW_ARRAY(b->arena, const struct tsfs_subquery *, cap);
    if (items == NULL || plans == NULL || subqueries == NULL)
        return (plan_fail(b, -ENOMEM), false);
    if (f->n > 0) {
        memcpy(items, f->items, f->n * sizeof(*items));
        memcpy(plans, f->plans, f->n * sizeof(*plans));
        memcpy(subqueries, f->subqueries, f->n * sizeof(*subqueries));
    }
    f->items = items;
    f->plans = plans;
    f->subqueries = subqueries;
    f->cap = cap;
    return true;
}

static struct tsfs_expr *lower_init(struct plan_builder *b, struct tsfs_expr *e)
{
    const struct tsfs_subquery *q = e->subquery;
    struct plan_frame *f = q->free ? b->frame : b->root;
    uint32_t i = 0;
    while (i < f->n && f->subqueries[i] != q)
        i++;
    if (i == f->n) {
        struct tsfs_plan *plan = plan_build_root(b, q->rel, false, false);
        if (plan == NULL || !grow(b, f))
            return NULL;
        i = f->n++; /* after those that it has put there itself */
        f->plans[i] = plan;
        f->subqueries[i] = q;
        f->items[i] = (struct tsfs_plan_init){.kind = result_kind(q->kind),
                                              .param = q->result,
                                              .nparams = q->kind == TSFS_SUBQUERY_SCALAR ? q->rel->ncols : 1,
                                              .line = q->line,
                                              .column = q->column};
    }
    struct tsfs_expr *p = tsfs_expr_column(b->arena, q->result + e->index, e->type, e);
    if (p == NULL)
        return (plan_fail(b, -ENOMEM), NULL);
    p->kind = TSFS_EXPR_OUTER;
    return p;
}

static bool same_apply(const struct tsfs_plan *apply, const struct tsfs_subquery *q,
                       struct tsfs_expr *const *args)
{
    if (apply->kind != TSFS_PLAN_APPLY || apply->apply.params != q->params)
        return false;
    for (uint32_t i = 0; i < apply->apply.nparams; i++)
        if (!tsfs_expr_equal(apply->apply.args[i], args[i]))
            return false;
    return true;
}

static struct tsfs_expr **lower_args(struct plan_builder *b, struct tsfs_plan **input,
                                     const struct tsfs_expr *e)
{
    struct tsfs_expr **args = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, e->nargs);
    if (args == NULL)
        return (plan_fail(b, -ENOMEM), NULL);
    for (uint32_t i = 0; i < e->nargs; i++)
        if ((args[i] = plan_lower(b, input, e->args[i])) == NULL)
            return NULL;
    return args;
}

static struct tsfs_expr *lower_apply(struct plan_builder *b, struct tsfs_plan **input, struct tsfs_expr *e)
{
    const struct tsfs_subquery *q = e->subquery;
    struct tsfs_expr **args = lower_args(b, input, e);
    if (args == NULL)
        return NULL;
    struct tsfs_plan *apply = *input;
    if (!same_apply(apply, q, args)) {
        struct tsfs_plan *sub = plan_build_root(b, q->rel, false, false);
        uint32_t width = q->kind == TSFS_SUBQUERY_SCALAR ? q->rel->ncols : 1, base = (*input)->ncols;
        if (sub == NULL)
            return NULL;
        apply = plan_new(b->arena, TSFS_PLAN_APPLY, *input, base + width);
        if (apply == NULL || (apply->more = TSFS_NEW_ARRAY(b->arena, struct tsfs_plan *, 1)) == NULL)
            return (plan_fail(b, -ENOMEM), NULL);
        if (base > 0)
            memcpy(apply->cols, (*input)->cols, base * sizeof(*apply->cols));
        for (uint32_t i = 0; i < width; i++)
            apply->cols[base + i] = (struct tsfs_plan_column){
                TSFS_STR(""), q->kind == TSFS_SUBQUERY_SCALAR ? q->rel->cols[i].type : TSFS_BOOLEAN};
        apply->more[0] = sub;
        apply->nmore = 1;
        apply->apply.kind = result_kind(q->kind);
        apply->apply.params = q->params;
        apply->apply.args = args;
        apply->apply.nparams = q->nparams;
        apply->apply.line = q->line;
        apply->apply.column = q->column;
        *input = apply;
    }
    struct tsfs_expr *column = tsfs_expr_column(b->arena, apply->input->ncols + e->index, e->type, e);
    if (column == NULL)
        plan_fail(b, -ENOMEM);
    return column;
}

struct tsfs_expr *plan_lower(struct plan_builder *b, struct tsfs_plan **input, struct tsfs_expr *e)
{
    if (e->kind == TSFS_EXPR_SUBQUERY && e->nargs == 0)
        return lower_init(b, e);
    if (e->kind == TSFS_EXPR_SUBQUERY) {
        struct tsfs_expr *column;
        return !plan_lower_by_join(b, input, e, &column) ? NULL
               : column != NULL                          ? column
                                                         : lower_apply(b, input, e);
    }
    if (plan_is_membership(e) != NULL)
        e = e->args[0];
    if (e->nargs == 0 || !plan_has_subquery(e, false))
        return e;
    struct tsfs_expr **args = lower_args(b, input, e);
    if (args == NULL)
        return NULL;
    struct tsfs_expr *out = tsfs_expr_with_args(b->arena, e, args);
    if (out == NULL)
        plan_fail(b, -ENOMEM);
    return out;
}
