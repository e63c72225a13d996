/* Subqueries that depend on the row by an equality become joins.
 *
 * As terms of WHERE: EXISTS a semi join, NOT EXISTS an anti join, both with the terms that name the outer row
 * as their condition.  x IN (SELECT y ..) is EXISTS with one more term, y = x; x NOT IN is true when no y is
 * equal or may be, so it is NOT EXISTS with "y = x OR y IS NULL OR x IS NULL".
 *
 * Anywhere: a scalar subquery that aggregates all of its rows is a LEFT JOIN with the same aggregates grouped
 * by the inner sides of the equalities.  An outer row without a group has what the aggregates say of no rows:
 * count 0, the others NULL; the SELECT list is computed above the join.  EXISTS is such a subquery without
 * aggregates.
 *
 * What may fail stays where it is, for it would be asked about rows that nobody asked it about. */
#include <errno.h>

#include "plan/plan_priv.h"

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

static bool has_column(const struct tsfs_expr *e)
{
    if (e->kind == TSFS_EXPR_COLUMN)
        return true;
    for (uint32_t i = 0; i < e->nargs; i++)
        if (has_column(e->args[i]))
            return true;
    return false;
}

/* a = b, one side of it over the outer row alone, the other over the subquery's own. */
static bool is_between(const struct tsfs_expr *t, const struct tsfs_subquery *q)
{
    if (tsfs_expr_op(t) != TSFS_OP_EQ)
        return false;
    bool first = takes_params(t->args[0], q);
    return first != takes_params(t->args[1], q) && !has_column(t->args[first ? 0 : 1]);
}

/* Whether a subquery in e that runs once depends on queries further out, the one that becomes a join perhaps
 * among them: its params would have no values there. */
static bool has_free_subquery(const struct tsfs_expr *e)
{
    if (e->kind == TSFS_EXPR_SUBQUERY && e->nargs == 0 && e->subquery->free)
        return true;
    for (uint32_t i = 0; i < e->nargs; i++)
        if (has_free_subquery(e->args[i]))
            return true;
    return false;
}

/* A SELECT without anything but FROM and WHERE that matters here, its FROM without params. */
static bool is_plain(const struct tsfs_subquery *q, const struct tsfs_bound *rel)
{
    return rel->kind == TSFS_BOUND_SELECT && rel->cte == NULL && rel->select.from != NULL &&
           rel->select.where != NULL && rel->select.limit > 0 && rel->select.offset == 0 &&
           !plan_has_subquery(rel->select.where, true) && !has_free_subquery(rel->select.where) &&
           !tsfs_expr_unstable(rel->select.where) && !rel_takes_params(rel->select.from, q);
}

const struct tsfs_subquery *plan_is_membership(const struct tsfs_expr *e)
{
    if (e->kind != TSFS_EXPR_COALESCE || e->nargs != 1)
        return NULL;
    for (e = e->args[0]; e->nargs > 0; e = e->args[0])
        if (e->kind == TSFS_EXPR_SUBQUERY)
            return e->subquery->members != NULL ? e->subquery : NULL;
    return NULL;
}

/* The first subquery in e, whose args are those of all. */
static const struct tsfs_expr *first_subquery(const struct tsfs_expr *e)
{
    while (e->kind != TSFS_EXPR_SUBQUERY)
        e = e->args[0];
    return e;
}

struct split {
    struct plan_terms inner, outer;
    bool equality; /* one of the outer terms is one between the rows */
    bool only;     /* and all of them are */
};

/* false and b->rc == 0: terms that cannot be moved. */
static bool split_where(struct plan_builder *b, const struct tsfs_subquery *q, const struct tsfs_bound *rel,
                        struct split *out)
{
    struct plan_terms terms;
    *out = (struct split){.only = true};
    if (plan_split(b->arena, rel->select.where, &terms) != 0 ||
        (out->inner.items = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, terms.n)) == NULL ||
        (out->outer.items = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, terms.n + 1)) == NULL)
        return (plan_fail(b, -ENOMEM), false);
    for (uint32_t i = 0; i < terms.n; i++) {
        struct tsfs_expr *t = terms.items[i];
        bool takes = takes_params(t, q);
        if (tsfs_expr_can_fail(t) && out->outer.n > 0)
            return false; /* one may guard the other */
        bool equal = takes && is_between(t, q);
        out->equality |= equal;
        out->only &= equal || !takes;
        if (takes)
            out->outer.items[out->outer.n++] = t;
        else
            out->inner.items[out->inner.n++] = t;
    }
    return true;
}

static struct tsfs_plan *build_inner(struct plan_builder *b, const struct tsfs_bound *rel, struct split *s)
{
    struct tsfs_plan *right = plan_build_rel(b, rel->select.from, false);
    if (right == NULL)
        return NULL;
    for (uint32_t i = 0; i < s->inner.n; i++)
        if ((s->inner.items[i] = plan_lower(b, &right, s->inner.items[i])) == NULL)
            return NULL;
    return plan_put_filter(b->arena, &right, &s->inner) != 0 ? plan_fail(b, -ENOMEM) : right;
}

static bool can_move_args(const struct tsfs_expr *e)
{
    for (uint32_t i = 0; i < e->nargs; i++)
        if (plan_has_subquery(e->args[i], false) || tsfs_expr_can_fail(e->args[i]) ||
            tsfs_expr_unstable(e->args[i]))
            return false;
    return true;
}

static struct tsfs_plan *join_over(struct plan_builder *b, enum tsfs_join kind, struct tsfs_plan *left,
                                   struct tsfs_plan *right, uint32_t ncols)
{
    struct tsfs_plan *join = plan_new(b->arena, TSFS_PLAN_JOIN, left, ncols);
    if (join == NULL || (join->more = TSFS_NEW_ARRAY(b->arena, struct tsfs_plan *, 1)) == NULL)
        return plan_fail(b, -ENOMEM);
    memcpy(join->cols, left->cols, left->ncols * sizeof(*join->cols));
    if (ncols > left->ncols)
        memcpy(join->cols + left->ncols, right->cols, right->ncols * sizeof(*join->cols));
    join->more[0] = right;
    join->nmore = 1;
    join->join.kind = kind;
    return join;
}

/* ---- terms of WHERE ---- */

struct exchange {
    struct tsfs_arena *arena;
    struct tsfs_expr *const *by;
};

/* e over a SELECT's output, over its input. */
static struct tsfs_expr *through(const struct exchange *x, struct tsfs_expr *e)
{
    if (e->kind == TSFS_EXPR_COLUMN)
        return x->by[e->index];
    if (e->nargs == 0)
        return e;
    struct tsfs_expr **args = TSFS_NEW_ARRAY(x->arena, struct tsfs_expr *, e->nargs);
    for (uint32_t i = 0; args != NULL && i < e->nargs; i++)
        if ((args[i] = through(x, e->args[i])) == NULL)
            return NULL;
    return args == NULL ? NULL : tsfs_expr_with_args(x->arena, e, args);
}

static struct tsfs_expr *either(struct plan_builder *b, struct tsfs_expr *eq)
{
    struct tsfs_expr * or = TSFS_NEW(b->arena, struct tsfs_expr);
    if (or == NULL || (or->args = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, 3)) == NULL)
        return NULL;
    or->kind = TSFS_EXPR_OR;
    or->type = TSFS_BOOLEAN;
    or->line = eq->line;
    or->column = eq->column;
    or->args[or->nargs++] = eq;
    for (uint32_t i = 0; i < 2; i++) {
        struct tsfs_expr *null = TSFS_NEW(b->arena, struct tsfs_expr);
        if (null == NULL || (null->args = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, 1)) == NULL)
            return NULL;
        null->kind = TSFS_EXPR_IS_NULL;
        null->type = TSFS_BOOLEAN;
        null->line = eq->line;
        null->column = eq->column;
        null->args[0] = eq->args[i];
        null->nargs = 1;
        or->args[or->nargs++] = null;
    }
    return or ;
}

bool plan_lower_term(struct plan_builder *b, struct tsfs_plan **input, struct tsfs_expr *term, bool *done)
{
    bool anti = term->kind == TSFS_EXPR_NOT;
    const struct tsfs_expr *e = anti ? term->args[0] : term;
    const struct tsfs_subquery *q = plan_is_membership(e);
    struct split s;
    *done = false;
    if (q != NULL)
        e = first_subquery(e);
    else if (e->kind != TSFS_EXPR_SUBQUERY || e->nargs == 0 || e->subquery->kind != TSFS_SUBQUERY_EXISTS)
        return true;
    const struct tsfs_bound *rel = q != NULL ? q->members : e->subquery->rel;
    bool in = q != NULL;
    q = e->subquery;
    if (!is_plain(q, rel) || rel->select.aggregated || !can_move_args(e))
        return true;
    if (in && (rel->select.nwindows > 0 || rel->select.limit != UINT64_MAX ||
               any_takes_params(rel->select.exprs, 1, q) || subqueries_in(rel->select.exprs, 1) ||
               tsfs_expr_can_fail(rel->select.exprs[0]) || tsfs_expr_unstable(rel->select.exprs[0]) ||
               tsfs_expr_op(q->member) != TSFS_OP_EQ || tsfs_type_is_nested(q->member->args[0]->type)))
        return true;
    if (!split_where(b, q, rel, &s))
        return b->rc == 0;
    if (in) {
        struct exchange x = {b->arena, rel->select.exprs};
        struct tsfs_expr *eq = through(&x, q->member);
        if (eq == NULL || (anti && (eq = either(b, eq)) == NULL))
            return (plan_fail(b, -ENOMEM), false);
        s.equality |= !anti;
        s.outer.items[s.outer.n++] = eq;
    }
    if (!s.equality)
        return true;
    struct tsfs_plan *right = build_inner(b, rel, &s);
    if (right == NULL)
        return false;
    struct correlation c = {.q = q, .args = e->args, .b = b, .left = (*input)->ncols};
    for (uint32_t i = 0; i < s.outer.n; i++) {
        struct tsfs_plan *unused = right;
        struct tsfs_expr *t = plan_lower(b, &unused, s.outer.items[i]);
        if (t == NULL || (s.outer.items[i] = move_out(&c, t)) == NULL)
            return false;
    }
    struct tsfs_plan *join =
        join_over(b, anti ? TSFS_JOIN_ANTI : TSFS_JOIN_SEMI, *input, right, (*input)->ncols);
    if (join == NULL)
        return false;
    join->join.condition = tsfs_expr_and(b->arena, s.outer.items, s.outer.n);
    if (join->join.condition == NULL)
        return (plan_fail(b, -ENOMEM), false);
    *input = join;
    *done = true;
    return true;
}

/* ---- scalar subqueries ---- */

/* What an aggregate says of no rows: 0, NULL, or it is not known here. */
enum of_nothing { NOTHING_ZERO, NOTHING_NULL, NOTHING_UNKNOWN };

static enum of_nothing of_nothing(const struct tsfs_bound_aggregate *a)
{
    switch (a->fn->op) {
    case TSFS_OP_COUNT:
    case TSFS_OP_COUNT_ALL: return NOTHING_ZERO;
    case TSFS_OP_MIN:
    case TSFS_OP_MAX:
    case TSFS_OP_MIN_BY:
    case TSFS_OP_MAX_BY:
        return a->nargs - a->norder <= 2 && a->norder == 0 &&
                       !tsfs_type_is_nested(tsfs_function_result(a->fn, a->args, a->nargs))
                   ? NOTHING_NULL
                   : NOTHING_UNKNOWN;
    default: break;
    }
    return tsfs_str_eq(tsfs_str_from(a->fn->name), TSFS_STR("sum")) ||
                   tsfs_str_eq(tsfs_str_from(a->fn->name), TSFS_STR("avg"))
               ? NOTHING_NULL
               : NOTHING_UNKNOWN;
}

static bool is_aggregate(const struct tsfs_subquery *q)
{
    const struct tsfs_bound *rel = q->rel;
    if (!rel->select.aggregated || rel->select.ngroups > 0 || rel->select.nsets > 0 ||
        rel->select.ngroupings > 0 || rel->select.having != NULL || rel->select.nwindows > 0 ||
        any_takes_params(rel->select.exprs, rel->ncols, q) || subqueries_in(rel->select.exprs, rel->ncols))
        return false;
    for (uint32_t i = 0; i < rel->select.naggs; i++) {
        const struct tsfs_bound_aggregate *a = &rel->select.aggs[i];
        struct tsfs_expr *filter = a->filter;
        if (of_nothing(a) == NOTHING_UNKNOWN || any_takes_params(a->args, a->nargs, q) ||
            subqueries_in(a->args, a->nargs) || any_takes_params(&filter, 1, q) ||
            subqueries_in(&filter, 1) || (filter != NULL && tsfs_expr_can_fail(filter)))
            return false;
        for (uint32_t k = 0; k < a->nargs; k++)
            if (tsfs_expr_can_fail(a->args[k]) || tsfs_expr_unstable(a->args[k]))
                return false;
    }
    return true;
}

/* Groups by the inner sides of the equalities; behind the aggregates a column that is true. */
static struct tsfs_plan *build_groups(struct plan_builder *b, const struct tsfs_subquery *q,
                                      const struct split *s, struct tsfs_plan *right)
{
    bool exists = q->kind == TSFS_SUBQUERY_EXISTS;
    uint32_t nkeys = s->outer.n, naggs = exists ? 0 : q->rel->select.naggs;
    struct tsfs_plan *plan = plan_new(b->arena, TSFS_PLAN_AGGREGATE, right, nkeys + naggs);
    struct tsfs_expr **groups = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, nkeys);
    struct tsfs_plan_aggregate *aggs = TSFS_NEW_ARRAY(b->arena, struct tsfs_plan_aggregate, naggs);
    if (plan == NULL || groups == NULL || aggs == NULL)
        return plan_fail(b, -ENOMEM);
    for (uint32_t i = 0; i < nkeys; i++) {
        const struct tsfs_expr *t = s->outer.items[i];
        groups[i] = takes_params(t->args[0], q) ? t->args[1] : t->args[0];
        plan->cols[i] = (struct tsfs_plan_column){TSFS_STR(""), groups[i]->type};
    }
    for (uint32_t i = 0; i < naggs; i++) {
        const struct tsfs_bound_aggregate *a = &q->rel->select.aggs[i];
        aggs[i] = (struct tsfs_plan_aggregate){.fn = a->fn,
                                               .args = a->args,
                                               .nargs = a->nargs,
                                               .norder = a->norder,
                                               .order = a->order,
                                               .distinct = a->distinct,
                                               .filter = a->filter,
                                               .line = a->line,
                                               .column = a->column};
        plan->cols[nkeys + i] = (struct tsfs_plan_column){
            TSFS_STR(""), tsfs_function_result(a->fn, a->args, a->nargs - a->norder)};
    }
    plan->aggregate.groups = groups;
    plan->aggregate.ngroups = nkeys;
    plan->aggregate.aggs = aggs;
    plan->aggregate.naggs = naggs;
    return plan;
}

static struct tsfs_expr *node(struct plan_builder *b, enum tsfs_expr_kind kind, enum tsfs_type type,
                              struct tsfs_expr *x, struct tsfs_expr *y)
{
    struct tsfs_expr *e = TSFS_NEW(b->arena, struct tsfs_expr);
    if (e == NULL || x == NULL || (e->args = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, 2)) == NULL)
        return NULL;
    e->kind = kind;
    e->type = type;
    e->args[e->nargs++] = x;
    if (y != NULL)
        e->args[e->nargs++] = y;
    return e;
}

/* The join's columns of the left, then what the subquery says. */
static struct tsfs_plan *results(struct plan_builder *b, const struct tsfs_subquery *q, uint32_t nkeys,
                                 struct tsfs_plan *join)
{
    bool exists = q->kind == TSFS_SUBQUERY_EXISTS;
    uint32_t base = join->input->ncols, width = exists ? 1 : q->rel->ncols;
    struct tsfs_plan *plan = plan_new(b->arena, TSFS_PLAN_PROJECT, join, base + width);
    uint32_t naggs = exists ? 0 : q->rel->select.naggs;
    struct tsfs_expr **aggs = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, naggs);
    if (plan == NULL || aggs == NULL ||
        (plan->project.exprs = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, plan->ncols)) == NULL)
        return plan_fail(b, -ENOMEM);
    for (uint32_t i = 0; i < naggs; i++) {
        uint32_t at = base + nkeys + i;
        aggs[i] = tsfs_expr_column(b->arena, at, join->cols[at].type, NULL);
        struct tsfs_value zero = {.type = join->cols[at].type};
        if (of_nothing(&q->rel->select.aggs[i]) == NOTHING_ZERO && aggs[i] != NULL)
            aggs[i] =
                node(b, TSFS_EXPR_COALESCE, zero.type, aggs[i], tsfs_expr_literal(b->arena, zero, NULL));
        if (aggs[i] == NULL)
            return plan_fail(b, -ENOMEM);
    }
    for (uint32_t i = 0; i < base; i++) {
        plan->cols[i] = join->cols[i];
        plan->project.exprs[i] = tsfs_expr_column(b->arena, i, join->cols[i].type, NULL);
    }
    struct exchange x = {b->arena, aggs};
    for (uint32_t i = 0; i < width; i++) {
        struct tsfs_expr *key = tsfs_expr_column(b->arena, base, join->cols[base].type, NULL);
        plan->project.exprs[base + i] = exists
                                            ? node(b, TSFS_EXPR_NOT, TSFS_BOOLEAN,
                                                   node(b, TSFS_EXPR_IS_NULL, TSFS_BOOLEAN, key, NULL), NULL)
                                            : through(&x, q->rel->select.exprs[i]);
        plan->cols[base + i] =
            (struct tsfs_plan_column){TSFS_STR(""), exists ? TSFS_BOOLEAN : q->rel->cols[i].type};
    }
    for (uint32_t i = 0; i < plan->ncols; i++)
        if (plan->project.exprs[i] == NULL)
            return plan_fail(b, -ENOMEM);
    return plan;
}

bool plan_lower_by_join(struct plan_builder *b, struct tsfs_plan **input, struct tsfs_expr *e,
                        struct tsfs_expr **column)
{
    const struct tsfs_subquery *q = e->subquery;
    uint32_t base;
    struct split s;
    *column = NULL;
    if (b->joined == *input && b->joined_for == q) {
        base = (*input)->input->input->ncols;
    } else {
        bool exists = q->kind == TSFS_SUBQUERY_EXISTS;
        if (!is_plain(q, q->rel) || !can_move_args(e) ||
            (exists ? q->rel->select.aggregated : !is_aggregate(q)))
            return true;
        if (!split_where(b, q, q->rel, &s))
            return b->rc == 0;
        if (!s.only || s.outer.n == 0)
            return true;
        for (uint32_t i = 0; i < s.outer.n; i++)
            if (tsfs_expr_can_fail(s.outer.items[i]) || tsfs_type_is_nested(s.outer.items[i]->args[0]->type))
                return true;
        base = (*input)->ncols;
        struct tsfs_plan *right = build_inner(b, q->rel, &s);
        struct tsfs_plan *groups = right == NULL ? NULL : build_groups(b, q, &s, right);
        struct tsfs_plan *join =
            groups == NULL ? NULL : join_over(b, TSFS_JOIN_LEFT, *input, groups, base + groups->ncols);
        if (join == NULL)
            return false;
        struct correlation c = {.q = q, .args = e->args, .b = b, .left = base};
        for (uint32_t i = 0; i < s.outer.n; i++) {
            struct tsfs_expr *t = s.outer.items[i], *sides[2];
            uint32_t own = takes_params(t->args[0], q) ? 1 : 0; /* the inner side */
            sides[own] = tsfs_expr_column(b->arena, base + i, groups->cols[i].type, t);
            sides[1 - own] = move_out(&c, t->args[1 - own]);
            struct tsfs_expr **args = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, 2);
            if (args == NULL || sides[0] == NULL || sides[1] == NULL)
                return (plan_fail(b, -ENOMEM), false);
            memcpy(args, sides, sizeof(sides));
            if ((s.outer.items[i] = tsfs_expr_with_args(b->arena, t, args)) == NULL)
                return (plan_fail(b, -ENOMEM), false);
        }
        join->join.ordered = true; /* there may be a sort below */
        join->join.condition = tsfs_expr_and(b->arena, s.outer.items, s.outer.n);
        struct tsfs_plan *plan =
            join->join.condition == NULL ? plan_fail(b, -ENOMEM) : results(b, q, s.outer.n, join);
        if (plan == NULL)
            return false;
        *input = plan;
        b->joined = plan;
        b->joined_for = q;
    }
    *column = tsfs_expr_column(b->arena, base + e->index, e->type, e);
    return *column != NULL || (plan_fail(b, -ENOMEM), false);
}
