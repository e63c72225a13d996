/* EXPLAIN's text.  One operator a line, its input indented below it; names of columns are those of what
 * delivers them, so that "avg(temp)" can be followed from the line that computes it up to the line that sorts
 * by it. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/num.h"
#include "base/time.h"
#include "plan/explain_priv.h"

#define SHOWN_COLUMNS 64 /* of one list; "... n more" after them */
#define NAME_LONGEST  80 /* bytes of an expression that serves as a column's name further up */

int explain_put(struct tsfs_buf *out, const char *text)
{
    return tsfs_buf_append(out, text, strlen(text));
}

int explain_expr(struct tsfs_buf *out, const struct tsfs_expr *e, const struct tsfs_str *names, uint32_t n)
{
    return tsfs_expr_print(e, names, n, out);
}

static int put_aggregate(struct tsfs_buf *out, const struct tsfs_plan_aggregate *a,
                         const struct tsfs_str *names, uint32_t n)
{
    int rc = tsfs_buf_printf(out, "%s(%s", a->fn->name, a->distinct ? "DISTINCT " : "");
    if (rc == 0 && a->nargs == 0 && a->fn->op == TSFS_OP_COUNT_ALL)
        rc = explain_put(out, "*");
    for (uint32_t i = 0, own = a->nargs - a->norder; i < a->nargs && rc == 0; i++) {
        rc = explain_put(out, i == own ? " ORDER BY " : i > 0 ? ", " : "");
        if (rc == 0)
            rc = explain_expr(out, a->args[i], names, n);
        if (rc == 0 && i >= own && a->order[i - own].descending)
            rc = explain_put(out, " DESC");
        if (rc == 0 && i >= own && a->order[i - own].nulls_first)
            rc = explain_put(out, " NULLS FIRST");
    }
    if (rc == 0)
        rc = explain_put(out, ")");
    if (rc == 0 && a->filter != NULL) {
        rc = explain_put(out, " FILTER (WHERE ");
        if (rc == 0)
            rc = explain_expr(out, a->filter, names, n);
        if (rc == 0)
            rc = explain_put(out, ")");
    }
    return rc;
}

/* What column i of a plan is called in the lines above it. */
static int column_name(struct tsfs_arena *arena, const struct tsfs_plan *plan, uint32_t i,
                       const struct tsfs_str *below, struct tsfs_str *out)
{
    struct tsfs_buf text = {0};
    int rc = 0;
    if (plan->kind == TSFS_PLAN_AGGREGATE) {
        uint32_t n = plan->input->ncols, ngroups = plan->aggregate.ngroups;
        if (i < ngroups && plan->aggregate.groups[i]->kind == TSFS_EXPR_COLUMN) {
            *out = below[plan->aggregate.groups[i]->index];
            return 0;
        }
        if (i < ngroups)
            rc = explain_expr(&text, plan->aggregate.groups[i], below, n);
        else
            rc = put_aggregate(&text, &plan->aggregate.aggs[i - ngroups], below, n);
    } else if (plan->kind == TSFS_PLAN_UNNEST && i < plan->unnest.nthrough) {
        *out = below[plan->unnest.through[i]->index];
        return 0;
    } else if (plan->kind == TSFS_PLAN_SCAN) {
        *out = plan->scan.table.schema->cols[plan->scan.ordinals[i]].name;
        return 0;
    } else if (plan->cols[i].name.len > 0 || plan->kind != TSFS_PLAN_PROJECT) {
        *out = plan->cols[i].name;
        return 0;
    } else {
        rc = explain_expr(&text, plan->project.exprs[i], below, plan->input->ncols);
    }
    if (rc == 0) {
        struct tsfs_str s = tsfs_buf_str(&text);
        if (s.len > NAME_LONGEST) {
            s.len = NAME_LONGEST;
            while (s.len > 0 && ((unsigned char)s.ptr[s.len] & 0xc0) == 0x80)
                s.len--;
        }
        *out = tsfs_arena_str(arena, s);
        rc = out->ptr == NULL ? -ENOMEM : 0;
    }
    tsfs_buf_free(&text);
    return rc;
}

int explain_list(struct tsfs_buf *out, uint32_t i, uint32_t n, bool *end)
{
    *end = i == SHOWN_COLUMNS && n - i > 1;
    if (*end)
        return tsfs_buf_printf(out, ", ... %u more", n - i);
    return i > 0 ? explain_put(out, ", ") : 0;
}

static int put_time(struct tsfs_buf *out, int64_t ns)
{
    char text[TSFS_TIME_TEXT_MAX];
    return tsfs_buf_append(out, text, tsfs_time_format(ns, text));
}

static int explain_range(const struct tsfs_plan_scan *scan, struct tsfs_buf *out)
{
    int rc = 0;
    if (scan->time_min == INT64_MIN && scan->time_max == INT64_MAX)
        return 0;
    rc = explain_put(out, " time=[");
    if (rc == 0)
        rc = scan->time_min == INT64_MIN ? explain_put(out, "-") : put_time(out, scan->time_min);
    if (rc == 0)
        rc = explain_put(out, " .. ");
    if (rc == 0)
        rc = scan->time_max == INT64_MAX ? explain_put(out, "-") : put_time(out, scan->time_max);
    return rc != 0 ? rc : explain_put(out, "]");
}

static int put_double(struct tsfs_buf *out, double v)
{
    char text[TSFS_NUM_TEXT_MAX];
    return isinf(v) ? explain_put(out, "-") : tsfs_buf_append(out, text, tsfs_num_format_double(v, text));
}

static int put_bigint(struct tsfs_buf *out, int64_t v)
{
    if (v == INT64_MIN || v == INT64_MAX)
        return explain_put(out, "-");
    return tsfs_buf_printf(out, "%" PRId64, v);
}

/* The necessary conditions: what lookups and skipping go by. */
static int explain_needs(const struct tsfs_plan_scan *scan, struct tsfs_buf *out)
{
    const struct tsfs_column *cols = scan->table.schema->cols;
    int rc = 0;
    for (uint32_t i = 0; i < scan->n_dim_in && rc == 0; i++) {
        const struct tsfs_dim_in *in = &scan->dim_in[i];
        rc = explain_put(out, i == 0 ? " lookup=[" : ", ");
        if (rc == 0)
            rc = tsfs_expr_print_name(cols[in->ordinal].name, out);
        if (rc == 0)
            rc = tsfs_buf_printf(out, ": %u value%s", in->n, in->n == 1 ? "" : "s");
    }
    if (rc == 0 && scan->n_dim_in > 0)
        rc = explain_put(out, "]");
    for (uint32_t i = 0; i < scan->n_ranges && rc == 0; i++) {
        const struct tsfs_measure_range *r = &scan->ranges[i];
        bool is_double = cols[r->ordinal].type == TSFS_DOUBLE;
        rc = explain_put(out, i == 0 ? " skip=[" : ", ");
        if (rc == 0)
            rc = tsfs_expr_print_name(cols[r->ordinal].name, out);
        if (rc == 0)
            rc = explain_put(out, " not in ");
        if (rc == 0)
            rc = is_double ? put_double(out, r->lo) : put_bigint(out, r->ilo);
        if (rc == 0)
            rc = explain_put(out, " .. ");
        if (rc == 0)
            rc = is_double ? put_double(out, r->hi) : put_bigint(out, r->ihi);
    }
    return rc == 0 && scan->n_ranges > 0 ? explain_put(out, "]") : rc;
}

static int explain_scan(const struct tsfs_plan *plan, const struct tsfs_str *names, struct tsfs_buf *out)
{
    const struct tsfs_plan_scan *scan = &plan->scan;
    bool end = false;
    int rc = explain_put(out, "Scan ");
    if (rc == 0)
        rc = tsfs_expr_print_name(scan->table.database, out);
    if (rc == 0)
        rc = explain_put(out, ".");
    if (rc == 0)
        rc = tsfs_expr_print_name(scan->table.name, out);
    if (rc == 0)
        rc = explain_put(out, " columns=[");
    for (uint32_t i = 0; i < plan->ncols && rc == 0 && !end; i++) {
        rc = explain_list(out, i, plan->ncols, &end);
        if (rc == 0 && !end)
            rc = tsfs_expr_print_name(names[i], out);
    }
    if (rc == 0)
        rc = explain_put(out, "]");
    if (scan->empty)
        return rc != 0 ? rc : explain_put(out, " nothing: WHERE is never true");
    if (rc == 0)
        rc = explain_range(scan, out);
    if (rc == 0 && scan->series_filter != NULL) {
        rc = explain_put(out, " series=");
        if (rc == 0)
            rc = explain_expr(out, scan->series_filter, names, plan->ncols);
    }
    if (rc == 0 && scan->row_filter != NULL) {
        rc = explain_put(out, " rows=");
        if (rc == 0)
            rc = explain_expr(out, scan->row_filter, names, plan->ncols);
    }
    if (rc == 0)
        rc = explain_needs(scan, out);
    return rc == 0 && scan->newest_first ? explain_put(out, " newest first") : rc;
}

static int explain_project(const struct tsfs_plan *plan, const struct tsfs_str *below, struct tsfs_buf *out)
{
    bool end = false;
    int rc = explain_put(out, "Project ");
    for (uint32_t i = 0; i < plan->ncols && rc == 0 && !end; i++) {
        const struct tsfs_expr *e = plan->project.exprs[i];
        rc = explain_list(out, i, plan->ncols, &end);
        if (rc != 0 || end)
            break;
        rc = explain_expr(out, e, below, plan->input->ncols);
        bool same = e->kind == TSFS_EXPR_COLUMN && tsfs_str_eq(below[e->index], plan->cols[i].name);
        if (rc == 0 && !same && plan->cols[i].name.len > 0) {
            rc = explain_put(out, " AS ");
            if (rc == 0)
                rc = tsfs_expr_print_name(plan->cols[i].name, out);
        }
    }
    return rc;
}

static int explain_aggregate(const struct tsfs_plan *plan, const struct tsfs_str *below, struct tsfs_buf *out)
{
    uint32_t n = plan->input->ncols, ngroups = plan->aggregate.ngroups, naggs = plan->aggregate.naggs;
    bool end = false;
    int rc = explain_put(out, naggs == 0 && ngroups > 0 ? "Distinct " : "Aggregate ");
    for (uint32_t i = 0; i < naggs && rc == 0 && !end; i++) {
        rc = explain_list(out, i, naggs, &end);
        if (rc == 0 && !end)
            rc = put_aggregate(out, &plan->aggregate.aggs[i], below, n);
    }
    if (rc == 0 && naggs > 0 && ngroups > 0)
        rc = explain_put(out, " by ");
    end = false;
    for (uint32_t i = 0; i < ngroups && rc == 0 && !end; i++) {
        rc = explain_list(out, i, ngroups, &end);
        if (rc == 0 && !end)
            rc = explain_expr(out, plan->aggregate.groups[i], below, n);
    }
    return rc;
}

int explain_keys(struct tsfs_buf *out, const struct tsfs_plan_key *keys, uint32_t n,
                 const struct tsfs_str *below, uint32_t nbelow)
{
    int rc = 0;
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        const struct tsfs_plan_key *key = &keys[i];
        rc = explain_put(out, i > 0 ? ", " : "");
        if (rc == 0)
            rc = explain_expr(out, key->expr, below, nbelow);
        if (rc == 0)
            rc = explain_put(out, key->descending ? " DESC" : "");
        if (rc == 0)
            rc = explain_put(out, key->nulls_first ? " NULLS FIRST" : "");
    }
    return rc;
}

static int explain_sort(const struct tsfs_plan *plan, const struct tsfs_str *below, struct tsfs_buf *out)
{
    int rc = plan->sort.limit == UINT64_MAX ? explain_put(out, "Sort by ")
                                            : tsfs_buf_printf(out, "Top %" PRIu64 "%s by ", plan->sort.limit,
                                                              plan->sort.ties ? " with ties" : "");
    return rc != 0 ? rc : explain_keys(out, plan->sort.keys, plan->sort.nkeys, below, plan->input->ncols);
}

static int explain_unnest(const struct tsfs_plan *plan, const struct tsfs_str *below, struct tsfs_buf *out)
{
    bool end = false;
    int rc = explain_put(out, plan->unnest.outer ? "Unnest or NULL " : "Unnest ");
    for (uint32_t i = 0; i < plan->unnest.nexprs && rc == 0 && !end; i++) {
        rc = explain_list(out, i, plan->unnest.nexprs, &end);
        if (rc == 0 && !end)
            rc = explain_expr(out, plan->unnest.exprs[i], below, plan->input->ncols);
    }
    end = false;
    for (uint32_t i = plan->unnest.nthrough; i < plan->ncols && rc == 0 && !end; i++) {
        if (i == plan->unnest.nthrough)
            rc = explain_put(out, " AS ");
        if (rc == 0)
            rc = explain_list(out, i - plan->unnest.nthrough, plan->ncols - plan->unnest.nthrough, &end);
        if (rc == 0 && !end)
            rc = tsfs_expr_print_name(plan->cols[i].name, out);
    }
    return rc;
}

static int explain_limit(const struct tsfs_plan *plan, struct tsfs_buf *out)
{
    int rc = explain_put(out, "Limit");
    if (rc == 0 && plan->limit.limit != UINT64_MAX)
        rc = tsfs_buf_printf(out, " %" PRIu64, plan->limit.limit);
    if (rc == 0 && plan->limit.offset > 0)
        rc = tsfs_buf_printf(out, " after %" PRIu64, plan->limit.offset);
    return rc;
}

/* While a plan is explained. */
struct explainer {
    struct tsfs_arena *arena;
    int (*note)(void *ctx, const struct tsfs_plan *plan, struct tsfs_buf *out);
    void *ctx;
    const struct tsfs_plan_shared **shared; /* met so far, each once */
    uint32_t nshared, shared_room;
};

static int meet(struct explainer *x, const struct tsfs_plan_shared *shared)
{
    for (uint32_t i = 0; i < x->nshared; i++)
        if (x->shared[i] == shared)
            return 0;
    if (x->nshared == x->shared_room) {
        uint32_t room = x->shared_room == 0 ? 8 : x->shared_room * 2;
        const struct tsfs_plan_shared **grown =
            TSFS_NEW_ARRAY(x->arena, const struct tsfs_plan_shared *, room);
        if (grown == NULL)
            return -ENOMEM;
        if (x->nshared > 0)
            memcpy(grown, x->shared, x->nshared * sizeof(*grown));
        x->shared = grown;
        x->shared_room = room;
    }
    x->shared[x->nshared++] = shared;
    return 0;
}

static int explain_line(const struct tsfs_plan *plan, const struct tsfs_str *names,
                        const struct tsfs_str *below, struct tsfs_buf *out)
{
    int rc;
    switch (plan->kind) {
    case TSFS_PLAN_SCAN: return explain_scan(plan, names, out);
    case TSFS_PLAN_VALUES:
        return tsfs_buf_printf(out, "Values %" PRIu64 " row%s", plan->values.nrows,
                               plan->values.nrows == 1 ? "" : "s");
    case TSFS_PLAN_FILTER:
        rc = explain_put(out, "Filter ");
        return rc != 0 ? rc : explain_expr(out, plan->filter.predicate, below, plan->input->ncols);
    case TSFS_PLAN_PROJECT: return explain_project(plan, below, out);
    case TSFS_PLAN_AGGREGATE: return explain_aggregate(plan, below, out);
    case TSFS_PLAN_SORT: return explain_sort(plan, below, out);
    case TSFS_PLAN_LIMIT: return explain_limit(plan, out);
    case TSFS_PLAN_UNNEST: return explain_unnest(plan, below, out);
    default: return explain_more(plan, below, out);
    }
}

/* Names of an operator's columns as the lines above it show them. */
static int name_columns(struct explainer *x, const struct tsfs_plan *plan, const struct tsfs_str *below,
                        struct tsfs_str *names)
{
    int rc = 0;
    for (uint32_t i = 0; i < plan->ncols && rc == 0; i++) {
        switch (plan->kind) {
        case TSFS_PLAN_FILTER:
        case TSFS_PLAN_SORT:
        case TSFS_PLAN_LIMIT:
        case TSFS_PLAN_JOIN:
        case TSFS_PLAN_APPEND:
        case TSFS_PLAN_SET:
        case TSFS_PLAN_INIT: names[i] = below[i]; break;
        case TSFS_PLAN_WINDOW:
        case TSFS_PLAN_APPLY:
            if (i < plan->input->ncols)
                names[i] = below[i];
            else
                rc = explain_own_name(x->arena, plan, i - plan->input->ncols, below, &names[i]);
            break;
        default: rc = column_name(x->arena, plan, i, below, &names[i]); break;
        }
    }
    return rc;
}

static int indent(struct tsfs_buf *out, unsigned depth)
{
    int rc = 0;
    for (unsigned i = 0; i < depth && rc == 0; i++)
        rc = explain_put(out, "  ");
    return rc;
}

/* A line that is yet to be written, the inputs' first, for their names. */
static int explain(struct explainer *x, const struct tsfs_plan *plan, unsigned depth, struct tsfs_buf *out,
                   struct tsfs_str **names)
{
    struct tsfs_buf lines = {0};
    struct tsfs_str *below = NULL, *more = NULL;
    int rc = 0;
    if (plan->kind == TSFS_PLAN_SHARED && (rc = meet(x, plan->shared)) != 0)
        return rc;
    /* what runs first stands above what uses it: INIT is no line of its own */
    for (uint32_t i = 0; i < plan->nmore && rc == 0 && plan->kind == TSFS_PLAN_INIT; i++) {
        rc = indent(&lines, depth);
        if (rc == 0)
            rc = explain_init(plan, i, &lines);
        if (rc == 0)
            rc = explain(x, plan->more[i], depth + 1, &lines, &more);
    }
    if (plan->input != NULL && rc == 0)
        rc = explain(x, plan->input, plan->kind == TSFS_PLAN_INIT ? depth : depth + 1, &lines, &below);
    for (uint32_t i = 0; i < plan->nmore && rc == 0 && plan->kind != TSFS_PLAN_INIT; i++) {
        rc = explain(x, plan->more[i], depth + 1, &lines, &more);
        if (rc != 0 || plan->kind != TSFS_PLAN_JOIN)
            continue;
        uint32_t n = plan->input->ncols, m = plan->more[i]->ncols;
        struct tsfs_str *both = TSFS_NEW_ARRAY(x->arena, struct tsfs_str, n + m);
        if (both == NULL) {
            rc = -ENOMEM;
            continue;
        }
        if (n > 0)
            memcpy(both, below, n * sizeof(*both));
        if (m > 0)
            memcpy(both + n, more, m * sizeof(*both));
        below = both;
    }
    *names = TSFS_NEW_ARRAY(x->arena, struct tsfs_str, plan->ncols);
    if (rc == 0 && *names == NULL)
        rc = -ENOMEM;
    if (rc == 0)
        rc = name_columns(x, plan, below, *names);
    if (rc == 0 && plan->kind != TSFS_PLAN_INIT) {
        rc = indent(out, depth);
        if (rc == 0)
            rc = explain_line(plan, *names, below, out);
        if (rc == 0 && x->note != NULL)
            rc = x->note(x->ctx, plan, out);
        if (rc == 0)
            rc = explain_put(out, "\n");
    }
    if (rc == 0)
        rc = tsfs_buf_append_str(out, tsfs_buf_str(&lines));
    tsfs_buf_free(&lines);
    return rc;
}

int tsfs_plan_explain_with(const struct tsfs_plan *plan,
                           int (*note)(void *ctx, const struct tsfs_plan *plan, struct tsfs_buf *out),
                           void *ctx, struct tsfs_buf *out)
{
    struct tsfs_arena arena;
    struct tsfs_str *names;
    tsfs_arena_init(&arena, NULL);
    struct explainer x = {.arena = &arena, .note = note, .ctx = ctx};
    int rc = explain(&x, plan, 0, out, &names);
    for (uint32_t i = 0; i < x.nshared && rc == 0; i++) {
        rc = explain_put(out, "With ");
        if (rc == 0)
            rc = tsfs_expr_print_name(x.shared[i]->name, out);
        if (rc == 0)
            rc = tsfs_buf_printf(out, ", read %u times:\n", x.shared[i]->uses);
        if (rc == 0)
            rc = explain(&x, x.shared[i]->plan, 1, out, &names);
    }
    tsfs_arena_free(&arena);
    return rc;
}

int tsfs_plan_explain(const struct tsfs_plan *plan, struct tsfs_buf *out)
{
    return tsfs_plan_explain_with(plan, NULL, NULL, out);
}
