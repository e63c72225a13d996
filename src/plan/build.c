/* From the bound statement to operators, the rules applied to every query that is a plan of its own: the
 * statement, its subqueries, and the WITH queries that are made once.
 *
 * A WITH query that is used more than once is made once and read by all, if making it costs more than reading
 * it: when it groups, joins, sorts or the like.  One that only filters and computes is put in its places,
 * where conditions around it can reach its scan. */
#include <errno.h>

#include "base/limits.h"
#include "plan/plan_priv.h"

struct tsfs_plan *plan_new(struct tsfs_arena *arena, enum tsfs_plan_kind kind, struct tsfs_plan *input,
                           uint32_t ncols)
{
    struct tsfs_plan *plan = TSFS_NEW(arena, struct tsfs_plan);
    if (plan == NULL)
        return NULL;
    plan->kind = kind;
    plan->input = input;
    plan->ncols = ncols;
    plan->cols = TSFS_NEW_ARRAY(arena, struct tsfs_plan_column, ncols);
    return plan->cols == NULL ? NULL : plan;
}

struct tsfs_plan *plan_over(struct tsfs_arena *arena, enum tsfs_plan_kind kind, struct tsfs_plan *input)
{
    struct tsfs_plan *plan = input == NULL ? NULL : plan_new(arena, kind, input, input->ncols);
    if (plan != NULL && input->ncols > 0)
        memcpy(plan->cols, input->cols, input->ncols * sizeof(*plan->cols));
    return plan;
}

struct tsfs_plan *plan_fail(struct plan_builder *b, int rc)
{
    if (b->rc == 0)
        b->rc = rc;
    return NULL;
}

bool plan_counted(struct plan_builder *b)
{
    if (b->rc == 0 && ++b->nodes > TSFS_SQL_RELATIONS_MAX)
        b->rc = tsfs_error_set(b->err, -E2BIG, "the statement stands for more than %d operations on tables",
                               TSFS_SQL_RELATIONS_MAX);
    return b->rc == 0;
}

static void name_columns(struct tsfs_plan *plan, const struct tsfs_bound *rel)
{
    for (uint32_t i = 0; i < rel->ncols; i++)
        plan->cols[i] = (struct tsfs_plan_column){rel->cols[i].name, rel->cols[i].type};
}

static struct tsfs_plan *build_scan(struct plan_builder *b, const struct tsfs_bound *rel)
{
    struct tsfs_plan *plan = plan_new(b->arena, TSFS_PLAN_SCAN, NULL, rel->ncols);
    if (plan == NULL)
        return plan_fail(b, -ENOMEM);
    name_columns(plan, rel);
    plan->scan =
        (struct tsfs_plan_scan){.table = rel->table.ref, .time_min = INT64_MIN, .time_max = INT64_MAX};
    plan->scan.ordinals = TSFS_NEW_ARRAY(b->arena, uint16_t, rel->ncols);
    if (plan->scan.ordinals == NULL)
        return plan_fail(b, -ENOMEM);
    memcpy(plan->scan.ordinals, rel->table.ordinals, rel->ncols * sizeof(uint16_t));
    return plan;
}

static struct tsfs_plan *two_inputs(struct plan_builder *b, enum tsfs_plan_kind kind, struct tsfs_plan *left,
                                    struct tsfs_plan *right, uint32_t ncols)
{
    struct tsfs_plan *plan = left == NULL || right == NULL ? NULL : plan_new(b->arena, kind, left, ncols);
    if (plan == NULL || (plan->more = TSFS_NEW_ARRAY(b->arena, struct tsfs_plan *, 1)) == NULL)
        return plan_fail(b, -ENOMEM);
    plan->more[0] = right;
    plan->nmore = 1;
    return plan;
}

static struct tsfs_plan *build_join(struct plan_builder *b, const struct tsfs_bound *rel)
{
    struct tsfs_plan *left = plan_build_rel(b, rel->join.left, false);
    struct tsfs_plan *right = left == NULL ? NULL : plan_build_rel(b, rel->join.right, false);
    struct tsfs_plan *plan = right == NULL ? NULL : two_inputs(b, TSFS_PLAN_JOIN, left, right, rel->ncols);
    if (plan == NULL)
        return NULL;
    name_columns(plan, rel);
    plan->join.kind = rel->join.kind;
    struct tsfs_expr *on = rel->join.on;
    if (on == NULL)
        return plan;
    if (plan_has_subquery(on, true)) {
        if (rel->join.kind != TSFS_JOIN_INNER) {
            b->rc = tsfs_error_set_at(b->err, -EINVAL, on->line, on->column,
                                      "tsfs does not support a subquery that depends on the row in ON of an "
                                      "outer join");
            return NULL;
        }
        on = plan_lower(b, &plan, on);
        plan = on == NULL ? NULL : plan_filter(b, plan, on);
        return plan_first_columns(b, plan, rel->ncols, NULL);
    }
    plan->join.condition = plan_lower(b, &plan, on);
    return plan->join.condition == NULL ? NULL : plan;
}

/* A grouping by all columns. */
static struct tsfs_plan *distinct(struct plan_builder *b, struct tsfs_plan *input)
{
    struct tsfs_plan *plan = input == NULL ? NULL : plan_over(b->arena, TSFS_PLAN_AGGREGATE, input);
    if (plan == NULL ||
        (plan->aggregate.groups = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, input->ncols)) == NULL)
        return plan_fail(b, -ENOMEM);
    plan->aggregate.ngroups = input->ncols;
    for (uint32_t i = 0; i < input->ncols; i++) {
        plan->aggregate.groups[i] = tsfs_expr_column(b->arena, i, input->cols[i].type, NULL);
        if (plan->aggregate.groups[i] == NULL)
            return plan_fail(b, -ENOMEM);
    }
    return plan;
}

static struct tsfs_plan *build_set(struct plan_builder *b, const struct tsfs_bound *rel)
{
    uint32_t n = rel->set.ninputs;
    struct tsfs_plan **inputs = TSFS_NEW_ARRAY(b->arena, struct tsfs_plan *, n), *plan;
    if (inputs == NULL)
        return plan_fail(b, -ENOMEM);
    for (uint32_t i = 0; i < n; i++) {
        inputs[i] = plan_build_rel(b, rel->set.inputs[i], false);
        if (inputs[i] == NULL)
            return NULL;
    }
    plan = plan_new(b->arena, rel->set.op == TSFS_SET_UNION ? TSFS_PLAN_APPEND : TSFS_PLAN_SET, inputs[0],
                    rel->ncols);
    if (plan == NULL)
        return plan_fail(b, -ENOMEM);
    name_columns(plan, rel);
    plan->more = inputs + 1;
    plan->nmore = n - 1;
    plan->set.op = rel->set.op;
    plan->set.all = rel->set.all;
    return rel->set.op == TSFS_SET_UNION && !rel->set.all ? distinct(b, plan) : plan;
}

static struct tsfs_plan *build_unnest(struct plan_builder *b, const struct tsfs_bound *rel,
                                      bool order_matters)
{
    struct tsfs_plan *input;
    uint32_t n = rel->unnest.from == NULL ? 0 : rel->unnest.from->ncols, at = 0;
    if (rel->unnest.from != NULL) {
        input = plan_build_rel(b, rel->unnest.from, order_matters);
    } else if ((input = plan_new(b->arena, TSFS_PLAN_VALUES, NULL, 0)) != NULL) {
        input->values.nrows = 1;
    }
    struct tsfs_expr **exprs = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, rel->unnest.nexprs);
    if (input == NULL || exprs == NULL)
        return plan_fail(b, -ENOMEM);
    for (uint32_t i = 0; i < rel->unnest.nexprs; i++)
        if ((exprs[i] = plan_lower(b, &input, rel->unnest.exprs[i])) == NULL)
            return NULL;
    struct tsfs_plan *plan = plan_new(b->arena, TSFS_PLAN_UNNEST, input, rel->ncols);
    if (plan == NULL)
        return plan_fail(b, -ENOMEM);
    plan->unnest.exprs = exprs;
    plan->unnest.nexprs = rel->unnest.nexprs;
    plan->unnest.outer = rel->unnest.outer;
    plan->unnest.nthrough = n;
    plan->unnest.through = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, n);
    plan->unnest.parts = TSFS_NEW_ARRAY(b->arena, struct tsfs_plan_part, rel->ncols - n);
    if (plan->unnest.through == NULL || plan->unnest.parts == NULL)
        return plan_fail(b, -ENOMEM);
    for (uint32_t i = 0; i < n; i++)
        if ((plan->unnest.through[i] = tsfs_expr_column(b->arena, i, input->cols[i].type, NULL)) == NULL)
            return plan_fail(b, -ENOMEM);
    for (uint32_t i = 0; i < rel->unnest.nexprs; i++) {
        enum tsfs_type type = rel->unnest.exprs[i]->type, element = tsfs_type_element(type);
        uint32_t parts = tsfs_type_kind(type) == TSFS_KIND_TIMESERIES ? 2
                         : tsfs_type_kind(element) == TSFS_KIND_ROW   ? tsfs_type_nfields(element)
                                                                      : 1;
        for (uint32_t part = 0; part < parts; part++)
            plan->unnest.parts[at++] = (struct tsfs_plan_part){i, part};
    }
    if (rel->unnest.ordinality)
        plan->unnest.parts[at] = (struct tsfs_plan_part){rel->unnest.nexprs, 0};
    return plan;
}

/* ---- WITH queries ---- */

/* Whether reading rel's rows again from memory is cheaper than making them again. */
static bool worth_keeping(const struct tsfs_bound *rel)
{
    for (;;) {
        switch (rel->kind) {
        case TSFS_BOUND_TABLE:
        case TSFS_BOUND_VALUES: return false;
        case TSFS_BOUND_JOIN: return rel->join.on != NULL || rel->join.kind != TSFS_JOIN_INNER;
        case TSFS_BOUND_SET:
        case TSFS_BOUND_UNNEST: return true;
        case TSFS_BOUND_SELECT: break;
        }
        if (rel->select.aggregated || rel->select.distinct || rel->select.nwindows > 0 ||
            rel->select.limit != UINT64_MAX || rel->select.offset > 0)
            return true;
        for (uint32_t i = 0; i < rel->ncols; i++)
            if (tsfs_expr_unstable(rel->select.exprs[i]) || plan_has_subquery(rel->select.exprs[i], true))
                return true;
        if (rel->select.where != NULL &&
            (tsfs_expr_unstable(rel->select.where) || plan_has_subquery(rel->select.where, true)))
            return true;
        if (rel->select.from == NULL)
            return false;
        rel = rel->select.from;
    }
}

static struct tsfs_plan *build_shared(struct plan_builder *b, const struct tsfs_bound *rel)
{
    struct plan_cte *c = b->ctes;
    while (c != NULL && c->cte != rel->cte)
        c = c->next;
    if (c == NULL) {
        c = TSFS_NEW(b->arena, struct plan_cte);
        if (c == NULL || (c->shared = TSFS_NEW(b->arena, struct tsfs_plan_shared)) == NULL)
            return plan_fail(b, -ENOMEM);
        struct tsfs_bound bare = *rel;
        bare.cte = NULL;
        c->cte = rel->cte;
        c->shared->name = rel->cte->name;
        c->shared->plan = plan_build_root(b, &bare, true, false);
        if (c->shared->plan == NULL)
            return NULL;
        c->shared->number = b->nshared++;
        c->next = b->ctes;
        b->ctes = c;
    }
    struct tsfs_plan *plan = plan_new(b->arena, TSFS_PLAN_SHARED, NULL, rel->ncols);
    if (plan == NULL)
        return plan_fail(b, -ENOMEM);
    name_columns(plan, rel);
    plan->shared = c->shared;
    c->shared->uses++;
    return plan;
}

/* ---- all of it ---- */

struct tsfs_plan *plan_build_rel(struct plan_builder *b, const struct tsfs_bound *rel, bool order_matters)
{
    struct tsfs_plan *plan;
    if (!plan_counted(b))
        return NULL;
    if (rel->cte != NULL && rel->cte->uses > 1 && !rel->cte->correlated && worth_keeping(rel))
        return build_shared(b, rel);
    switch (rel->kind) {
    case TSFS_BOUND_TABLE: return build_scan(b, rel);
    case TSFS_BOUND_VALUES:
        plan = plan_new(b->arena, TSFS_PLAN_VALUES, NULL, rel->ncols);
        if (plan == NULL)
            return plan_fail(b, -ENOMEM);
        plan->values.rows = rel->values.rows;
        plan->values.nrows = rel->values.nrows;
        break;
    case TSFS_BOUND_JOIN: plan = build_join(b, rel); break;
    case TSFS_BOUND_SET: plan = build_set(b, rel); break;
    case TSFS_BOUND_UNNEST: plan = build_unnest(b, rel, order_matters); break;
    default: plan = plan_build_select(b, rel, order_matters); break;
    }
    if (plan != NULL) /* a CTE's or an alias's own column names */
        name_columns(plan, rel);
    return plan;
}

/* The rules, in the order in which they are applied.  0 or -ENOMEM. */
static int apply_rules(struct tsfs_arena *arena, struct tsfs_plan **plan)
{
    int rc = plan_push_terms(arena, plan, &(struct plan_terms){0});
    if (rc == 0)
        rc = plan_inline(arena, *plan);
    if (rc == 0)
        rc = plan_prune(arena, *plan);
    if (rc == 0)
        plan_order(plan);
    return rc;
}

struct tsfs_plan *plan_build_root(struct plan_builder *b, const struct tsfs_bound *rel, bool root,
                                  bool order_matters)
{
    struct plan_frame frame = {0}, *outer = b->frame, *outer_root = b->root;
    b->frame = &frame;
    if (root)
        b->root = &frame;
    struct tsfs_plan *plan = plan_build_rel(b, rel, order_matters);
    b->frame = outer;
    b->root = outer_root;
    if (plan == NULL)
        return NULL;
    int rc = b->bare ? 0 : apply_rules(b->arena, &plan);
    if (rc != 0)
        return plan_fail(b, rc);
    if (frame.n == 0)
        return plan;
    struct tsfs_plan *init = plan_over(b->arena, TSFS_PLAN_INIT, plan);
    if (init == NULL)
        return plan_fail(b, -ENOMEM);
    init->more = frame.plans;
    init->nmore = frame.n;
    init->init.items = frame.items;
    return init;
}

int plan_build(struct tsfs_arena *arena, const struct tsfs_bound *rel, struct tsfs_plan **out,
               struct tsfs_error *err)
{
    struct plan_builder b = {.arena = arena, .err = err};
    *out = plan_build_root(&b, rel, true, true);
    return *out == NULL ? b.rc : 0;
}

int plan_build_bare(struct tsfs_arena *arena, const struct tsfs_bound *rel, struct tsfs_plan **out,
                    struct tsfs_error *err)
{
    struct plan_builder b = {.arena = arena, .err = err, .bare = true};
    *out = plan_build_root(&b, rel, true, true);
    return *out == NULL ? b.rc : 0;
}
