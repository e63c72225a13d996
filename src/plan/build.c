/* From the bound statement to operators, as written:
 *
 *     LIMIT? SORT? over  FROM - WHERE - AGGREGATE? - HAVING  below  PROJECT
 *
 * ORDER BY sorts before the SELECT list is computed: its keys are expressions over the same input, and what a
 * top-n throws away is never projected.  The exceptions sort above the projection: DISTINCT, and keys whose
 * value would differ if it were computed again (random()). */
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

static void name_columns(struct tsfs_plan *plan, const struct tsfs_bound *rel)
{
    for (uint32_t i = 0; i < rel->ncols; i++)
        plan->cols[i] = (struct tsfs_plan_column){rel->cols[i].name, rel->cols[i].type};
}

static struct tsfs_plan *build_scan(struct tsfs_arena *arena, const struct tsfs_bound *rel)
{
    struct tsfs_plan *plan = plan_new(arena, TSFS_PLAN_SCAN, NULL, rel->ncols);
    if (plan == NULL)
        return NULL;
    name_columns(plan, rel);
    plan->scan =
        (struct tsfs_plan_scan){.table = rel->table.ref, .time_min = INT64_MIN, .time_max = INT64_MAX};
    plan->scan.ordinals = TSFS_NEW_ARRAY(arena, uint16_t, rel->ncols);
    if (plan->scan.ordinals == NULL)
        return NULL;
    memcpy(plan->scan.ordinals, rel->table.ordinals, rel->ncols * sizeof(uint16_t));
    return plan;
}

static struct tsfs_plan *build_filter(struct tsfs_arena *arena, struct tsfs_plan *input,
                                      struct tsfs_expr *predicate)
{
    if (predicate == NULL)
        return input;
    struct tsfs_plan *plan = plan_over(arena, TSFS_PLAN_FILTER, input);
    if (plan != NULL)
        plan->filter.predicate = predicate;
    return plan;
}

static struct tsfs_plan *build_aggregate(struct tsfs_arena *arena, struct tsfs_plan *input,
                                         const struct tsfs_bound *rel)
{
    uint32_t ngroups = rel->select.ngroups, naggs = rel->select.naggs;
    struct tsfs_plan *plan =
        input == NULL ? NULL : plan_new(arena, TSFS_PLAN_AGGREGATE, input, ngroups + naggs);
    if (plan == NULL)
        return NULL;
    plan->aggregate.groups = rel->select.groups;
    plan->aggregate.ngroups = ngroups;
    plan->aggregate.naggs = naggs;
    plan->aggregate.aggs = TSFS_NEW_ARRAY(arena, struct tsfs_plan_aggregate, naggs);
    if (plan->aggregate.aggs == NULL)
        return NULL;
    for (uint32_t i = 0; i < ngroups; i++) {
        const struct tsfs_expr *g = rel->select.groups[i];
        plan->cols[i].type = g->type;
        plan->cols[i].name = g->kind == TSFS_EXPR_COLUMN ? input->cols[g->index].name : TSFS_STR("");
    }
    for (uint32_t i = 0; i < naggs; i++) {
        const struct tsfs_bound_aggregate *a = &rel->select.aggs[i];
        plan->aggregate.aggs[i] = (struct tsfs_plan_aggregate){.fn = a->fn,
                                                               .args = a->args,
                                                               .nargs = a->nargs,
                                                               .norder = a->norder,
                                                               .order = a->order,
                                                               .distinct = a->distinct,
                                                               .filter = a->filter,
                                                               .line = a->line,
                                                               .column = a->column};
        enum tsfs_type type = tsfs_function_result(a->fn, a->args, a->nargs - a->norder);
        plan->cols[ngroups + i] = (struct tsfs_plan_column){TSFS_STR(""), type};
    }
    return plan;
}

/* SELECT DISTINCT: a grouping by all columns. */
static struct tsfs_plan *build_distinct(struct tsfs_arena *arena, struct tsfs_plan *input)
{
    struct tsfs_plan *plan = plan_over(arena, TSFS_PLAN_AGGREGATE, input);
    if (plan == NULL)
        return NULL;
    plan->aggregate.ngroups = input->ncols;
    plan->aggregate.groups = TSFS_NEW_ARRAY(arena, struct tsfs_expr *, input->ncols);
    if (plan->aggregate.groups == NULL)
        return NULL;
    for (uint32_t i = 0; i < input->ncols; i++) {
        plan->aggregate.groups[i] = tsfs_expr_column(arena, i, input->cols[i].type, NULL);
        if (plan->aggregate.groups[i] == NULL)
            return NULL;
    }
    return plan;
}

static struct tsfs_plan *build_limit(struct tsfs_arena *arena, struct tsfs_plan *input,
                                     const struct tsfs_bound *rel)
{
    if (rel->select.limit == UINT64_MAX && rel->select.offset == 0)
        return input;
    struct tsfs_plan *plan = plan_over(arena, TSFS_PLAN_LIMIT, input);
    if (plan != NULL) {
        plan->limit.limit = rel->select.limit;
        plan->limit.offset = rel->select.offset;
    }
    return plan;
}

/* keys[i].expr for those that do not vary are left out; none left, no sort. */
static struct tsfs_plan *build_sort(struct tsfs_arena *arena, struct tsfs_plan *input,
                                    const struct tsfs_plan_key *keys, uint32_t nkeys)
{
    struct tsfs_plan_key *used = TSFS_NEW_ARRAY(arena, struct tsfs_plan_key, nkeys);
    uint32_t n = 0;
    if (used == NULL || input == NULL)
        return NULL;
    for (uint32_t i = 0; i < nkeys; i++)
        if (!tsfs_expr_is_literal(keys[i].expr))
            used[n++] = keys[i];
    if (n == 0)
        return input;
    struct tsfs_plan *plan = plan_over(arena, TSFS_PLAN_SORT, input);
    if (plan != NULL) {
        plan->sort.keys = used;
        plan->sort.nkeys = n;
        plan->sort.limit = UINT64_MAX;
    }
    return plan;
}

/* The SELECT list, and after it the sort keys that are no part of it. */
static struct tsfs_plan *build_project(struct tsfs_arena *arena, struct tsfs_plan *input,
                                       const struct tsfs_bound *rel, bool hidden)
{
    uint32_t extra = 0;
    for (uint32_t i = 0; hidden && i < rel->select.nkeys; i++)
        extra += rel->select.keys[i].item == TSFS_BOUND_NO_ITEM;
    struct tsfs_plan *plan = plan_new(arena, TSFS_PLAN_PROJECT, input, rel->ncols + extra);
    if (plan == NULL)
        return NULL;
    plan->project.exprs = TSFS_NEW_ARRAY(arena, struct tsfs_expr *, rel->ncols + extra);
    if (plan->project.exprs == NULL)
        return NULL;
    name_columns(plan, rel);
    if (rel->ncols > 0)
        memcpy(plan->project.exprs, rel->select.exprs, rel->ncols * sizeof(struct tsfs_expr *));
    for (uint32_t i = 0, at = rel->ncols; hidden && i < rel->select.nkeys; i++) {
        const struct tsfs_bound_key *key = &rel->select.keys[i];
        if (key->item != TSFS_BOUND_NO_ITEM)
            continue;
        plan->cols[at] = (struct tsfs_plan_column){TSFS_STR(""), key->expr->type};
        plan->project.exprs[at++] = key->expr;
    }
    return plan;
}

/* Projection, then DISTINCT, then the sort by columns of the result. */
static struct tsfs_plan *build_sort_above(struct tsfs_arena *arena, struct tsfs_plan *input,
                                          const struct tsfs_bound *rel)
{
    bool hidden = !rel->select.distinct;
    struct tsfs_plan *plan = build_project(arena, input, rel, hidden);
    if (plan != NULL && rel->select.distinct)
        plan = build_distinct(arena, plan);
    struct tsfs_plan_key *keys = TSFS_NEW_ARRAY(arena, struct tsfs_plan_key, rel->select.nkeys);
    if (plan == NULL || keys == NULL)
        return NULL;
    for (uint32_t i = 0, at = rel->ncols; i < rel->select.nkeys; i++) {
        const struct tsfs_bound_key *key = &rel->select.keys[i];
        uint32_t column = key->item != TSFS_BOUND_NO_ITEM ? key->item : at++;
        struct tsfs_expr *e = key->expr;
        if (!tsfs_expr_is_literal(e))
            e = tsfs_expr_column(arena, column, key->expr->type, key->expr);
        if (e == NULL)
            return NULL;
        keys[i] = (struct tsfs_plan_key){e, key->descending, key->nulls_first};
    }
    plan = build_sort(arena, plan, keys, rel->select.nkeys);
    plan = plan == NULL ? NULL : build_limit(arena, plan, rel);
    if (plan == NULL || plan->ncols == rel->ncols)
        return plan;
    struct tsfs_plan *top = plan_new(arena, TSFS_PLAN_PROJECT, plan, rel->ncols);
    if (top == NULL)
        return NULL;
    name_columns(top, rel);
    top->project.exprs = TSFS_NEW_ARRAY(arena, struct tsfs_expr *, rel->ncols);
    for (uint32_t i = 0; top->project.exprs != NULL && i < rel->ncols; i++)
        if ((top->project.exprs[i] = tsfs_expr_column(arena, i, rel->cols[i].type, NULL)) == NULL)
            return NULL;
    return top->project.exprs == NULL ? NULL : top;
}

static struct tsfs_plan *build(struct tsfs_arena *arena, const struct tsfs_bound *rel, bool order_matters);

static struct tsfs_plan *build_select(struct tsfs_arena *arena, const struct tsfs_bound *rel,
                                      bool order_matters)
{
    bool cut = rel->select.limit != UINT64_MAX || rel->select.offset > 0;
    bool sorted = rel->select.nkeys > 0 && (order_matters || cut);
    bool above = rel->select.distinct;
    struct tsfs_plan *plan;
    if (rel->select.from != NULL) {
        plan = build(arena, rel->select.from,
                     !rel->select.aggregated && !rel->select.distinct && rel->select.nkeys == 0);
    } else {
        plan = plan_new(arena, TSFS_PLAN_VALUES, NULL, 0);
        if (plan != NULL)
            plan->values.nrows = 1;
    }
    if (plan == NULL || (plan = build_filter(arena, plan, rel->select.where)) == NULL)
        return NULL;
    if (rel->select.aggregated && (plan = build_aggregate(arena, plan, rel)) == NULL)
        return NULL;
    if ((plan = build_filter(arena, plan, rel->select.having)) == NULL)
        return NULL;
    for (uint32_t i = 0; sorted && i < rel->select.nkeys; i++)
        above |=
            rel->select.keys[i].item != TSFS_BOUND_NO_ITEM && tsfs_expr_unstable(rel->select.keys[i].expr);
    if (above)
        return build_sort_above(arena, plan, rel);
    struct tsfs_plan_key *keys = TSFS_NEW_ARRAY(arena, struct tsfs_plan_key, rel->select.nkeys);
    if (keys == NULL)
        return NULL;
    for (uint32_t i = 0; sorted && i < rel->select.nkeys; i++) {
        const struct tsfs_bound_key *key = &rel->select.keys[i];
        keys[i] = (struct tsfs_plan_key){key->expr, key->descending, key->nulls_first};
    }
    if (sorted && (plan = build_sort(arena, plan, keys, rel->select.nkeys)) == NULL)
        return NULL;
    if ((plan = build_limit(arena, plan, rel)) == NULL)
        return NULL;
    return build_project(arena, plan, rel, false);
}

static struct tsfs_plan *build_unnest(struct tsfs_arena *arena, const struct tsfs_bound *rel,
                                      bool order_matters)
{
    struct tsfs_plan *input;
    if (rel->unnest.from != NULL) {
        input = build(arena, rel->unnest.from, order_matters);
    } else if ((input = plan_new(arena, TSFS_PLAN_VALUES, NULL, 0)) != NULL) {
        input->values.nrows = 1;
    }
    struct tsfs_plan *plan = input == NULL ? NULL : plan_new(arena, TSFS_PLAN_UNNEST, input, rel->ncols);
    if (plan == NULL)
        return NULL;
    name_columns(plan, rel);
    uint32_t n = input->ncols, at = 0;
    plan->unnest.exprs = rel->unnest.exprs;
    plan->unnest.nexprs = rel->unnest.nexprs;
    plan->unnest.nthrough = n;
    plan->unnest.through = TSFS_NEW_ARRAY(arena, struct tsfs_expr *, n);
    plan->unnest.parts = TSFS_NEW_ARRAY(arena, struct tsfs_plan_part, rel->ncols - n);
    if (plan->unnest.through == NULL || plan->unnest.parts == NULL)
        return NULL;
    for (uint32_t i = 0; i < n; i++)
        if ((plan->unnest.through[i] = tsfs_expr_column(arena, i, input->cols[i].type, NULL)) == NULL)
            return NULL;
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

static struct tsfs_plan *build(struct tsfs_arena *arena, const struct tsfs_bound *rel, bool order_matters)
{
    struct tsfs_plan *plan;
    switch (rel->kind) {
    case TSFS_BOUND_UNNEST: return build_unnest(arena, rel, order_matters);
    case TSFS_BOUND_TABLE: return build_scan(arena, rel);
    case TSFS_BOUND_VALUES:
        plan = plan_new(arena, TSFS_PLAN_VALUES, NULL, rel->ncols);
        if (plan != NULL) {
            name_columns(plan, rel);
            plan->values.rows = rel->values.rows;
            plan->values.nrows = rel->values.nrows;
        }
        return plan;
    case TSFS_BOUND_SELECT:
        plan = build_select(arena, rel, order_matters);
        /* a CTE's or an alias's own column names */
        if (plan != NULL)
            name_columns(plan, rel);
        return plan;
    }
    return NULL;
}

struct tsfs_plan *plan_build(struct tsfs_arena *arena, const struct tsfs_bound *rel)
{
    return build(arena, rel, true);
}
