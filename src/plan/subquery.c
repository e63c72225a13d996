/* Subqueries leave the expressions.
 *
 * One that does not depend on the row is run once, before the plan it stands in: a subplan of INIT, its
 * result a param.  If it takes nothing from any query around it, that is the statement's own INIT, however
 * deep it stands.  One that depends on the row becomes an APPLY below the operator, which runs it for every
 * different set of its params; EXISTS as a term of WHERE becomes a semi or anti join where its condition can
 * be moved out of it. */
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

static struct tsfs_expr *lower_apply(struct plan_builder *b, struct tsfs_plan **input, struct tsfs_expr *e)
{
    const struct tsfs_subquery *q = e->subquery;
    struct tsfs_expr **args = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, e->nargs);
    if (args == NULL)
        return (plan_fail(b, -ENOMEM), NULL);
    for (uint32_t i = 0; i < e->nargs; i++)
        if ((args[i] = plan_lower(b, input, e->args[i])) == NULL)
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
    if (e->kind == TSFS_EXPR_SUBQUERY)
        return e->nargs == 0 ? lower_init(b, e) : lower_apply(b, input, e);
    if (e->nargs == 0 || !plan_has_subquery(e, false))
        return e;
    struct tsfs_expr **args = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, e->nargs);
    if (args == NULL)
        return (plan_fail(b, -ENOMEM), NULL);
    for (uint32_t i = 0; i < e->nargs; i++)
        if ((args[i] = plan_lower(b, input, e->args[i])) == NULL)
            return NULL;
    struct tsfs_expr *out = tsfs_expr_with_args(b->arena, e, args);
    if (out == NULL)
        plan_fail(b, -ENOMEM);
    return out;
}

/* ---- EXISTS as a join ---- */

struct correlation {
    const struct tsfs_subquery *q;
    struct tsfs_expr *const *args;
    struct plan_builder *b;
    uint32_t left; /* columns of the outer rows */
};

static bool takes_params(const struct tsfs_expr *e, const struct tsfs_subquery *q)
{
    if (e->kind == TSFS_EXPR_OUTER)
        for (uint32_t i = 0; i < q->nparams; i++)
            if (q->params[i] == e->index)
                return true;
    for (uint32_t i = 0; i < e->nargs; i++)
        if (takes_params(e->args[i], q))
            return true;
    return false;
}

static bool rel_takes_params(const struct tsfs_bound *rel, const struct tsfs_subquery *q);

static bool any_takes_params(struct tsfs_expr *const *exprs, uint32_t n, const struct tsfs_subquery *q)
{
    for (uint32_t i = 0; i < n; i++)
        if (exprs[i] != NULL && takes_params(exprs[i], q))
            return true;
    return false;
}

/* Whether an expression has a subquery in it that may take params (it is not looked into). */
static bool subqueries_in(struct tsfs_expr *const *exprs, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (exprs[i] != NULL && plan_has_subquery(exprs[i], false))
            return true;
    return false;
}

/* True when in doubt. */
static bool rel_takes_params(const struct tsfs_bound *rel, const struct tsfs_subquery *q)
{
    struct tsfs_expr *on;
    if (rel == NULL)
        return false;
    switch (rel->kind) {
    case TSFS_BOUND_TABLE:
    case TSFS_BOUND_VALUES: return false;
    case TSFS_BOUND_JOIN:
        on = rel->join.on;
        return any_takes_params(&on, 1, q) || subqueries_in(&on, 1) || rel_takes_params(rel->join.left, q) ||
               rel_takes_params(rel->join.right, q);
    case TSFS_BOUND_SET:
        for (uint32_t i = 0; i < rel->set.ninputs; i++)
            if (rel_takes_params(rel->set.inputs[i], q))
                return true;
        return false;
    case TSFS_BOUND_UNNEST:
        return any_takes_params(rel->unnest.exprs, rel->unnest.nexprs, q) ||
               subqueries_in(rel->unnest.exprs, rel->unnest.nexprs) || rel_takes_params(rel->unnest.from, q);
    case TSFS_BOUND_SELECT: break;
    default: return true;
    }
    if (rel->select.nwindows > 0 || any_takes_params(rel->select.exprs, rel->ncols, q) ||
        subqueries_in(rel->select.exprs, rel->ncols) ||
        any_takes_params(rel->select.groups, rel->select.ngroups, q) ||
        subqueries_in(rel->select.groups, rel->select.ngroups) ||
        any_takes_params(&rel->select.where, 1, q) || subqueries_in(&rel->select.where, 1) ||
        any_takes_params(&rel->select.having, 1, q) || subqueries_in(&rel->select.having, 1))
        return true;
    for (uint32_t i = 0; i < rel->select.naggs; i++) {
        const struct tsfs_bound_aggregate *a = &rel->select.aggs[i];
        struct tsfs_expr *filter = a->filter;
        if (any_takes_params(a->args, a->nargs, q) || subqueries_in(a->args, a->nargs) ||
            any_takes_params(&filter, 1, q) || subqueries_in(&filter, 1))
            return true;
    }
    for (uint32_t i = 0; i < rel->select.nkeys; i++)
        if (takes_params(rel->select.keys[i].expr, q) || plan_has_subquery(rel->select.keys[i].expr, false))
            return true;
    return rel_takes_params(rel->select.from, q);
}

/* A term of the subquery's WHERE over (outer columns, inner columns). */
static struct tsfs_expr *move_out(const struct correlation *c, struct tsfs_expr *e)
{
    struct tsfs_expr *out = e;
    if (e->kind == TSFS_EXPR_OUTER) {
        for (uint32_t i = 0; i < c->q->nparams; i++)
            if (c->q->params[i] == e->index)
                out = c->args[i];
    } else if (e->kind == TSFS_EXPR_COLUMN) {
        out = tsfs_expr_column(c->b->arena, e->index + c->left, e->type, e);
    } else if (e->nargs > 0) {
        struct tsfs_expr **args = TSFS_NEW_ARRAY(c->b->arena, struct tsfs_expr *, e->nargs);
        for (uint32_t i = 0; args != NULL && i < e->nargs; i++)
            if ((args[i] = move_out(c, e->args[i])) == NULL)
                return NULL;
        out = args == NULL ? NULL : tsfs_expr_with_args(c->b->arena, e, args);
    }
    if (out == NULL)
        plan_fail(c->b, -ENOMEM);
    return out;
}

/* EXISTS (SELECT .. FROM r WHERE terms) with params in the terms only, one of them an equality with the outer
 * row. */
static bool is_simple(const struct tsfs_subquery *q)
{
    const struct tsfs_bound *rel = q->rel;
    if (q->kind != TSFS_SUBQUERY_EXISTS || rel->kind != TSFS_BOUND_SELECT || rel->select.aggregated ||
        rel->select.from == NULL || rel->select.where == NULL || rel->select.limit == 0 ||
        rel->select.offset > 0 || plan_has_subquery(rel->select.where, true) ||
        tsfs_expr_unstable(rel->select.where))
        return false;
    return !rel_takes_params(rel->select.from, q);
}

bool plan_lower_term(struct plan_builder *b, struct tsfs_plan **input, struct tsfs_expr *term, bool *done)
{
    bool anti = term->kind == TSFS_EXPR_NOT;
    struct tsfs_expr *e = anti ? term->args[0] : term;
    struct plan_terms terms, inner = {0}, outer = {0};
    *done = false;
    if (e->kind != TSFS_EXPR_SUBQUERY || e->nargs == 0 || !is_simple(e->subquery))
        return true;
    const struct tsfs_subquery *q = e->subquery;
    for (uint32_t i = 0; i < e->nargs; i++)
        if (plan_has_subquery(e->args[i], false) || tsfs_expr_can_fail(e->args[i]))
            return true;
    if (plan_split(b->arena, q->rel->select.where, &terms) != 0 ||
        (inner.items = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, terms.n)) == NULL ||
        (outer.items = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, terms.n)) == NULL)
        return (plan_fail(b, -ENOMEM), false);
    bool equality = false;
    for (uint32_t i = 0; i < terms.n; i++) {
        struct tsfs_expr *t = terms.items[i];
        bool out = takes_params(t, q);
        if (tsfs_expr_can_fail(t) && outer.n > 0)
            return true; /* one may guard the other */
        equality |= out && tsfs_expr_op(t) == TSFS_OP_EQ &&
                    (takes_params(t->args[0], q) != takes_params(t->args[1], q));
        if (out)
            outer.items[outer.n++] = t;
        else
            inner.items[inner.n++] = t;
    }
    if (!equality)
        return true;
    struct tsfs_plan *right = plan_build_rel(b, q->rel->select.from, false);
    if (right == NULL)
        return false;
    for (uint32_t i = 0; i < inner.n; i++)
        if ((inner.items[i] = plan_lower(b, &right, inner.items[i])) == NULL)
            return false;
    if (plan_put_filter(b->arena, &right, &inner) != 0)
        return (plan_fail(b, -ENOMEM), false);
    struct correlation c = {.q = q, .args = e->args, .b = b, .left = (*input)->ncols};
    for (uint32_t i = 0; i < outer.n; i++) {
        struct tsfs_plan *unused = right;
        struct tsfs_expr *t = plan_lower(b, &unused, outer.items[i]);
        if (t == NULL || (outer.items[i] = move_out(&c, t)) == NULL)
            return false;
    }
    struct tsfs_plan *join = plan_over(b->arena, TSFS_PLAN_JOIN, *input);
    if (join == NULL || (join->more = TSFS_NEW_ARRAY(b->arena, struct tsfs_plan *, 1)) == NULL)
        return (plan_fail(b, -ENOMEM), false);
    join->more[0] = right;
    join->nmore = 1;
    join->join.kind = anti ? TSFS_JOIN_ANTI : TSFS_JOIN_SEMI;
    join->join.condition = tsfs_expr_and(b->arena, outer.items, outer.n);
    if (join->join.condition == NULL)
        return (plan_fail(b, -ENOMEM), false);
    *input = join;
    *done = true;
    return true;
}
