#include "plan_build.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "exec/function.h"

struct tsfs_arena *pb_arena;

static void *must(void *p, const char *what)
{
    if (p == NULL) {
        fprintf(stderr, "plan_build: %s\n", what);
        abort();
    }
    return p;
}

#define NEW(type, n) ((type *)must(tsfs_arena_calloc(pb_arena, (n) + 1, sizeof(type)), "no memory"))

E *pb_col(uint32_t index, enum tsfs_type type)
{
    E *e = NEW(E, 1);
    *e = (E){.kind = TSFS_EXPR_COLUMN, .type = type, .index = index};
    return e;
}

E *pb_value(struct tsfs_value value)
{
    E *e = NEW(E, 1);
    *e = (E){.kind = TSFS_EXPR_LITERAL, .type = value.type, .value = value};
    return e;
}

E *pb_double(double d)
{
    return pb_value((struct tsfs_value){.type = TSFS_DOUBLE, .d = d});
}

E *pb_big(int64_t i)
{
    return pb_value((struct tsfs_value){.type = TSFS_BIGINT, .i = i});
}

E *pb_bool(bool b)
{
    return pb_value((struct tsfs_value){.type = TSFS_BOOLEAN, .b = b});
}

E *pb_str(const char *s)
{
    return pb_value((struct tsfs_value){.type = TSFS_VARCHAR, .s = tsfs_str_from(s)});
}

E *pb_time(int64_t ns)
{
    return pb_value((struct tsfs_value){.type = TSFS_TIMESTAMP, .i = ns});
}

E *pb_interval(int64_t ns)
{
    return pb_value((struct tsfs_value){.type = TSFS_INTERVAL_DS, .i = ns});
}

E *pb_null(enum tsfs_type type)
{
    return pb_value((struct tsfs_value){.type = type, .null = true});
}

const struct tsfs_function *pb_function(const char *name, enum tsfs_function_kind kind, E *const *args,
                                        uint32_t nargs)
{
    const struct tsfs_function_set *set = tsfs_functions();
    for (uint32_t i = 0; i < set->n; i++) {
        const struct tsfs_function *f = &set->items[i];
        if (f->kind != kind || strcasecmp(f->name, name) != 0 || f->nargs != nargs)
            continue;
        bool fits = true;
        for (uint32_t k = 0; k < nargs; k++)
            fits &= f->args[k] == TSFS_ANY || f->args[k] == args[k]->type;
        if (fits)
            return f;
    }
    return NULL;
}

static E *node(enum tsfs_expr_kind kind, enum tsfs_type type, E *first, va_list ap)
{
    E *e = NEW(E, 1);
    *e = (E){.kind = kind, .type = type, .line = 1, .column = 8, .args = NEW(E *, 64)};
    for (E *arg = first; arg != NULL && e->nargs < 64; arg = va_arg(ap, E *))
        e->args[e->nargs++] = arg;
    return e;
}

E *pb_node(enum tsfs_expr_kind kind, enum tsfs_type type, E *first, ...)
{
    va_list ap;
    va_start(ap, first);
    E *e = node(kind, type, first, ap);
    va_end(ap);
    return e;
}

E *pb_call(const char *name, E *first, ...)
{
    va_list ap;
    va_start(ap, first);
    E *e = node(TSFS_EXPR_CALL, TSFS_UNKNOWN, first, ap);
    va_end(ap);
    e->fn = must((void *)pb_function(name, TSFS_FUNCTION_SCALAR, e->args, e->nargs), name);
    e->type = e->fn->result == TSFS_ANY ? e->args[0]->type : e->fn->result;
    return e;
}

E *pb_cast(E *arg, enum tsfs_type type, bool is_try)
{
    E *e = pb_node(TSFS_EXPR_CAST, type, arg, NULL);
    e->is_try = is_try;
    return e;
}

static struct tsfs_plan *plan(enum tsfs_plan_kind kind, struct tsfs_plan *input, uint32_t ncols)
{
    struct tsfs_plan *p = NEW(struct tsfs_plan, 1);
    *p = (struct tsfs_plan){
        .kind = kind, .input = input, .ncols = ncols, .cols = NEW(struct tsfs_plan_column, ncols)};
    if (input != NULL && input->ncols == ncols)
        memcpy(p->cols, input->cols, ncols * sizeof(*p->cols));
    return p;
}

struct tsfs_plan *pb_scan(struct tsfs_source *source)
{
    const struct tsfs_schema *schema = source->schema;
    struct tsfs_plan *p = plan(TSFS_PLAN_SCAN, NULL, schema->ncols);
    p->scan = (struct tsfs_plan_scan){
        .table = {.name = TSFS_STR("t"), .schema = (struct tsfs_schema *)schema, .source = source},
        .ordinals = NEW(uint16_t, schema->ncols),
        .time_min = INT64_MIN,
        .time_max = INT64_MAX};
    for (uint16_t i = 0; i < schema->ncols; i++) {
        p->scan.ordinals[i] = i;
        p->cols[i] = (struct tsfs_plan_column){schema->cols[i].name, schema->cols[i].type};
    }
    return p;
}

E *pb_scan_col(const struct tsfs_plan *scan, const char *name)
{
    for (uint32_t i = 0; i < scan->ncols; i++)
        if (tsfs_str_eq(scan->cols[i].name, tsfs_str_from(name)))
            return pb_col(i, scan->cols[i].type);
    return must(NULL, name);
}

struct tsfs_plan *pb_filter(struct tsfs_plan *input, E *predicate)
{
    struct tsfs_plan *p = plan(TSFS_PLAN_FILTER, input, input->ncols);
    p->filter.predicate = predicate;
    return p;
}

struct tsfs_plan *pb_project(struct tsfs_plan *input, E **exprs, uint32_t n)
{
    struct tsfs_plan *p = plan(TSFS_PLAN_PROJECT, input, n);
    p->project.exprs = NEW(E *, n);
    for (uint32_t i = 0; i < n; i++) {
        p->project.exprs[i] = exprs[i];
        p->cols[i] = (struct tsfs_plan_column){TSFS_STR("_col"), exprs[i]->type};
    }
    return p;
}

struct tsfs_plan_aggregate pb_agg(const char *name, E *arg, E *arg2)
{
    struct tsfs_plan_aggregate agg = {.args = NEW(E *, 2), .line = 1, .column = 8};
    if (arg != NULL)
        agg.args[agg.nargs++] = arg;
    if (arg2 != NULL)
        agg.args[agg.nargs++] = arg2;
    agg.fn = must((void *)pb_function(name, TSFS_FUNCTION_AGGREGATE, agg.args, agg.nargs), name);
    return agg;
}

struct tsfs_plan *pb_aggregate(struct tsfs_plan *input, E **groups, uint32_t ngroups,
                               struct tsfs_plan_aggregate *aggs, uint32_t naggs)
{
    struct tsfs_plan *p = plan(TSFS_PLAN_AGGREGATE, input, ngroups + naggs);
    p->aggregate.groups = NEW(E *, ngroups);
    p->aggregate.ngroups = ngroups;
    p->aggregate.aggs = NEW(struct tsfs_plan_aggregate, naggs);
    p->aggregate.naggs = naggs;
    for (uint32_t i = 0; i < ngroups; i++) {
        p->aggregate.groups[i] = groups[i];
        p->cols[i] = (struct tsfs_plan_column){TSFS_STR("_col"), groups[i]->type};
    }
    for (uint32_t i = 0; i < naggs; i++) {
        p->aggregate.aggs[i] = aggs[i];
        p->cols[ngroups + i] = (struct tsfs_plan_column){
            TSFS_STR("_col"), aggs[i].fn->result == TSFS_ANY ? aggs[i].args[0]->type : aggs[i].fn->result};
    }
    return p;
}

struct tsfs_plan *pb_sort(struct tsfs_plan *input, struct tsfs_plan_key *keys, uint32_t n, uint64_t limit)
{
    struct tsfs_plan *p = plan(TSFS_PLAN_SORT, input, input->ncols);
    p->sort.keys = NEW(struct tsfs_plan_key, n);
    memcpy(p->sort.keys, keys, n * sizeof(*keys));
    p->sort.nkeys = n;
    p->sort.limit = limit;
    return p;
}

struct tsfs_plan *pb_limit(struct tsfs_plan *input, uint64_t limit, uint64_t offset)
{
    struct tsfs_plan *p = plan(TSFS_PLAN_LIMIT, input, input->ncols);
    p->limit.limit = limit;
    p->limit.offset = offset;
    return p;
}

struct tsfs_plan *pb_values(const enum tsfs_type *types, uint32_t ncols, struct tsfs_value *rows,
                            uint64_t nrows)
{
    struct tsfs_plan *p = plan(TSFS_PLAN_VALUES, NULL, ncols);
    for (uint32_t i = 0; i < ncols; i++)
        p->cols[i] = (struct tsfs_plan_column){TSFS_STR("_col"), types[i]};
    p->values.rows = rows;
    p->values.nrows = nrows;
    return p;
}
