/* Groups and the states of their aggregates.
 *
 * DISTINCT arguments are collected as sets of (group, value) and reach their states only at the end, so that
 * tables filled apart can be merged without counting a value twice. */
#include <errno.h>
#include <string.h>

#include "exec/agg_priv.h"
#include "exec/kernels/gather.h"

int agg_spec_init(struct exec_ctx *ctx, const struct tsfs_plan *plan, struct agg_spec *spec)
{
    *spec = (struct agg_spec){.ctx = ctx,
                              .ngroups = plan->aggregate.ngroups,
                              .nitems = plan->aggregate.naggs,
                              .groups = plan->aggregate.groups};
    spec->name = spec->nitems == 0 ? "DISTINCT" : "GROUP BY";
    spec->types = TSFS_NEW_ARRAY(&ctx->arena, enum tsfs_type, spec->ngroups);
    spec->items = TSFS_NEW_ARRAY(&ctx->arena, struct agg_item, spec->nitems);
    if (spec->types == NULL || spec->items == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < spec->ngroups; i++)
        spec->types[i] = spec->groups[i]->type;
    for (uint32_t i = 0; i < spec->nitems; i++) {
        const struct tsfs_plan_aggregate *agg = &plan->aggregate.aggs[i];
        const struct tsfs_aggregate_impl *impl = agg->fn->impl;
        enum tsfs_op op = agg->fn->op;
        spec->items[i] = (struct agg_item){.plan = agg,
                                           .impl = impl,
                                           .args = agg->args,
                                           .filter = agg->filter,
                                           .distinct = agg->distinct && agg->nargs > 0 && op != TSFS_OP_MIN &&
                                                       op != TSFS_OP_MAX,
                                           .offset = spec->payload};
        spec->payload += (impl->state_size + 7) / 8 * 8;
    }
    return 0;
}

bool agg_by_order(const struct tsfs_plan *plan)
{
    for (uint32_t i = 0; i < plan->aggregate.naggs; i++)
        if (((const struct tsfs_aggregate_impl *)plan->aggregate.aggs[i].fn->impl)->by_order)
            return true;
    return false;
}

static int init_distinct(struct agg_table *table, uint32_t item)
{
    const struct tsfs_plan_aggregate *plan = table->spec->items[item].plan;
    enum tsfs_type *types = TSFS_NEW_ARRAY(&table->arena, enum tsfs_type, plan->nargs + 1);
    if (types == NULL)
        return -ENOMEM;
    types[0] = TSFS_BIGINT;
    for (uint32_t i = 0; i < plan->nargs; i++)
        types[i + 1] = plan->args[i]->type;
    return group_table_init(&table->distinct[item], &table->arena, plan->nargs + 1, types, 0);
}

int agg_table_init(struct agg_table *table, const struct agg_spec *spec)
{
    *table = (struct agg_table){.spec = spec};
    tsfs_arena_init(&table->arena, spec->ctx->options.budget);
    table->distinct = TSFS_NEW_ARRAY(&table->arena, struct group_table, spec->nitems);
    int rc = table->distinct == NULL
                 ? -ENOMEM
                 : group_table_init(&table->groups, &table->arena, spec->ngroups, spec->types, spec->payload);
    for (uint32_t i = 0; i < spec->nitems && rc == 0; i++)
        if (spec->items[i].distinct)
            rc = init_distinct(table, i);
    return rc;
}

void agg_table_free(struct agg_table *table)
{
    if (table->spec == NULL)
        return;
    for (uint32_t i = 0; i < table->spec->nitems && table->distinct != NULL; i++)
        if (table->distinct[i].arena != NULL)
            group_table_free(&table->distinct[i]);
    if (table->groups.arena != NULL)
        group_table_free(&table->groups);
    tsfs_arena_free(&table->arena);
    table->spec = NULL;
}

void agg_table_move(struct agg_table *into, struct agg_table *from)
{
    agg_table_free(into);
    *into = *from;
    into->groups.arena = &into->arena;
    for (uint32_t i = 0; i < into->spec->nitems; i++)
        if (into->distinct[i].arena != NULL)
            into->distinct[i].arena = &into->arena;
    *from = (struct agg_table){0};
}

struct tsfs_kernel_ctx agg_kernel_ctx(const struct agg_spec *spec, struct tsfs_arena *arena,
                                      const struct agg_item *item, struct tsfs_error *err)
{
    return (struct tsfs_kernel_ctx){.arena = arena,
                                    .now = spec->ctx->options.now,
                                    .err = err,
                                    .line = item->plan->line,
                                    .column = item->plan->column,
                                    .order = item->plan->order,
                                    .norder = item->plan->norder};
}

int agg_table_distinct(struct agg_table *table, struct tsfs_arena *scratch, uint32_t item,
                       const struct tsfs_vec *group, const struct tsfs_vec *args, uint32_t n)
{
    uint32_t nargs = table->spec->items[item].plan->nargs;
    struct tsfs_vec *keys = tsfs_arena_alloc(scratch, (nargs + 1) * sizeof(*keys));
    uint32_t *found = tsfs_arena_alloc(scratch, n * sizeof(*found));
    if (keys == NULL || found == NULL)
        return -ENOMEM;
    keys[0] = *group;
    bool constant = group->constant;
    for (uint32_t i = 0; i < nargs; i++) {
        keys[i + 1] = args[i];
        constant &= args[i].constant || args[i].type == TSFS_UNKNOWN;
    }
    return group_rows(&table->distinct[item], scratch, keys, constant ? 1 : n, found);
}

/* ---- rows of any groups ---- */

static int update_distinct(struct agg_table *table, struct tsfs_eval *eval, uint32_t item,
                           const uint32_t *groups, const uint16_t *sel, const struct tsfs_vec *args,
                           uint32_t n)
{
    int64_t *numbers = tsfs_arena_alloc(eval->arena, n * sizeof(*numbers));
    if (numbers == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++)
        numbers[i] = groups[sel != NULL ? sel[i] : i];
    struct tsfs_vec group = {.type = TSFS_BIGINT, .i = numbers};
    return agg_table_distinct(table, eval->arena, item, &group, args, n);
}

static int update_item(struct agg_table *table, struct tsfs_eval *eval, uint32_t i, const uint32_t *groups,
                       bool one_group, const struct tsfs_vec *cols, uint32_t n)
{
    const struct agg_item *item = &table->spec->items[i];
    uint32_t nargs = item->plan->nargs, rows = n;
    uint16_t *sel = NULL;
    int rc = 0;
    if (item->filter != NULL) {
        sel = tsfs_arena_alloc(eval->arena, n * sizeof(*sel));
        rc = sel == NULL ? -ENOMEM : tsfs_eval_filter(eval, item->filter, cols, n, sel, &rows);
        if (rc != 0 || rows == 0)
            return rc;
        if (rows == n)
            sel = NULL;
    }
    struct tsfs_vec *args = tsfs_arena_alloc(eval->arena, (nargs + 1) * sizeof(*args));
    if (args == NULL)
        return -ENOMEM;
    for (uint32_t k = 0; k < nargs && rc == 0; k++)
        rc = sel == NULL ? tsfs_eval_expr(eval, item->args[k], cols, n, &args[k])
                         : tsfs_eval_subset(eval, item->args[k], cols, sel, rows, &args[k]);
    if (rc != 0)
        return rc;
    if (item->distinct)
        return update_distinct(table, eval, i, groups, sel, args, rows);
    struct tsfs_kernel_ctx ctx = agg_kernel_ctx(table->spec, &table->arena, item, eval->err);
    if (one_group)
        return item->impl->update_run(&ctx, agg_state(table, item, groups[0]), args, 0, rows);
    void **states = tsfs_arena_alloc(eval->arena, rows * sizeof(*states));
    if (states == NULL)
        return -ENOMEM;
    for (uint32_t k = 0; k < rows; k++)
        states[k] = agg_state(table, item, groups[sel != NULL ? sel[k] : k]);
    return item->impl->update_rows(&ctx, states, args, rows);
}

int agg_table_rows(struct agg_table *table, struct tsfs_eval *eval, const struct tsfs_vec *cols, uint32_t n)
{
    const struct agg_spec *spec = table->spec;
    struct tsfs_vec *keys = tsfs_arena_alloc(eval->arena, (spec->ngroups + 1) * sizeof(*keys));
    uint32_t *groups = tsfs_arena_alloc(eval->arena, n * sizeof(*groups));
    if (keys == NULL || groups == NULL)
        return -ENOMEM;
    bool one = true;
    for (uint32_t i = 0; i < spec->ngroups; i++) {
        int rc = tsfs_eval_expr(eval, spec->groups[i], cols, n, &keys[i]);
        if (rc != 0)
            return rc;
        one &= keys[i].constant || keys[i].type == TSFS_UNKNOWN;
    }
    int rc = group_rows(&table->groups, eval->arena, keys, one ? 1 : n, groups);
    for (uint32_t i = 1; one && i < n; i++)
        groups[i] = groups[0];
    for (uint32_t i = 0; i < spec->nitems && rc == 0; i++)
        rc = update_item(table, eval, i, groups, one, cols, n);
    return rc;
}

/* ---- merging ---- */

static int merge_distinct(struct agg_table *into, const struct agg_table *from, uint32_t item,
                          const uint32_t *numbers)
{
    const struct group_table *seen = &from->distinct[item];
    char *key = tsfs_arena_alloc(&into->arena, seen->key_size);
    if (key == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < seen->n; i++) {
        uint32_t unused;
        memcpy(key, group_key(seen, i), seen->key_size);
        int64_t *group = (int64_t *)(key + seen->offsets[0]);
        *group = numbers[*group];
        int rc = group_find(&into->distinct[item], key, &unused);
        if (rc != 0)
            return rc;
    }
    return 0;
}

int agg_table_merge(struct agg_table *into, struct agg_table *from, struct tsfs_error *err)
{
    const struct agg_spec *spec = into->spec;
    struct tsfs_arena scratch;
    tsfs_arena_init(&scratch, into->arena.budget);
    uint32_t n = from->groups.n;
    uint32_t *numbers = tsfs_arena_alloc(&scratch, n * sizeof(*numbers));
    int rc = numbers == NULL ? -ENOMEM : 0;
    for (uint32_t g = 0; g < n && rc == 0; g++)
        rc = group_find(&into->groups, group_key(&from->groups, g), &numbers[g]);
    for (uint32_t i = 0; i < spec->nitems && rc == 0; i++) {
        const struct agg_item *item = &spec->items[i];
        if (item->distinct) {
            rc = merge_distinct(into, from, i, numbers);
            continue;
        }
        struct tsfs_kernel_ctx ctx = agg_kernel_ctx(spec, &into->arena, item, err);
        for (uint32_t g = 0; g < n && rc == 0; g++)
            rc = item->impl->merge(&ctx, agg_state(into, item, numbers[g]), agg_state(from, item, g));
    }
    tsfs_arena_free(&scratch);
    return rc;
}
