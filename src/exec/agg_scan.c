/* AGGREGATE over SCAN: which plans can be read this way, and how the work is shared out.
 *
 * Units are put together into tasks, at most so many, by their expected rows; which units go together
 * depends on the source alone, each task fills a table of its own, and tables are merged in the order of
 * their tasks: the result is the same whatever the threads do.
 *
 * When only the groups at one end of time are wanted (ORDER BY bin DESC LIMIT n), time is read from that end
 * in slices of whole bins, each larger than the one before, until enough groups have been seen. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "exec/agg_scan_priv.h"
#include "exec/time_slices.h"

#define UNKNOWN_ROWS    65536u  /* what a unit that does not say is taken for */
#define PARALLEL_VALUES 200000u /* below this threads cost more than they bring */
#define NODES_MAX       4096u   /* in expressions put together from projections */
#define WANT_MAX        100000u /* groups */

/* ---- through projections ---- */

/* expr with columns replaced by what the projections compute; *budget nodes are left. */
static struct tsfs_expr *substitute(struct tsfs_arena *arena, const struct tsfs_expr *expr,
                                    const struct tsfs_plan *plan, uint32_t *budget)
{
    if (plan->kind == TSFS_PLAN_SCAN || *budget == 0)
        return *budget == 0 ? NULL : (struct tsfs_expr *)expr;
    if (expr->kind == TSFS_EXPR_COLUMN)
        return substitute(arena, plan->project.exprs[expr->index], plan->input, budget);
    --*budget;
    struct tsfs_expr *copy = tsfs_arena_alloc(arena, sizeof(*copy));
    if (copy == NULL)
        return NULL;
    *copy = *expr;
    if (expr->nargs > 0 && (copy->args = TSFS_NEW_ARRAY(arena, struct tsfs_expr *, expr->nargs)) == NULL)
        return NULL;
    for (uint32_t i = 0; i < expr->nargs; i++)
        if ((copy->args[i] = substitute(arena, expr->args[i], plan, budget)) == NULL)
            return NULL;
    return copy;
}

static bool stable(const struct tsfs_expr *expr)
{
    if (expr->kind == TSFS_EXPR_CALL && expr->fn->unstable)
        return false;
    for (uint32_t i = 0; i < expr->nargs; i++)
        if (!stable(expr->args[i]))
            return false;
    return true;
}

/* Columns of the scan that an expression names. */
struct uses {
    const struct scan_input *input;
    uint32_t *columns;
    uint32_t n;
    bool rows; /* one of them differs from row to row */
};

static void use(void *ctx, uint32_t column)
{
    struct uses *u = ctx;
    enum tsfs_role role = u->input->columns[column].role;
    if (role != TSFS_ROLE_TIME && role != TSFS_ROLE_MEASURE)
        return;
    u->rows = true;
    for (uint32_t i = 0; i < u->n; i++)
        if (u->columns[i] == column)
            return;
    if (u->columns != NULL)
        u->columns[u->n++] = column;
}

static bool of_series(const struct agg_scan *scan, const struct tsfs_expr *expr)
{
    struct uses u = {.input = &scan->input};
    scan_expr_columns(expr, use, &u);
    return !u.rows && stable(expr);
}

static bool is_time(const struct agg_scan *scan, const struct tsfs_expr *expr)
{
    return expr->kind == TSFS_EXPR_COLUMN && expr->index == scan->time;
}

static enum feed feed_of(const struct agg_scan *scan, const struct agg_item *item)
{
    enum tsfs_op op = item->plan->fn->op;
    uint32_t nargs = item->plan->nargs;
    if (item->distinct || item->filter != NULL)
        return FEED_ROWS;
    if (op == TSFS_OP_COUNT && is_time(scan, item->args[0]))
        return FEED_COUNT;
    if ((op == TSFS_OP_MIN || op == TSFS_OP_MAX) && is_time(scan, item->args[0]))
        return op == TSFS_OP_MIN ? FEED_FIRST : FEED_LAST;
    if ((op == TSFS_OP_MIN_BY || op == TSFS_OP_MAX_BY) && nargs == 2 && is_time(scan, item->args[1]))
        return op == TSFS_OP_MIN_BY ? FEED_FIRST : FEED_LAST;
    uint32_t k = 0;
    while (k < nargs && of_series(scan, item->args[k]))
        k++;
    return k == nargs ? FEED_COUNT : FEED_ROWS;
}

static int set_feed(struct agg_scan *scan, uint32_t i)
{
    const struct agg_item *item = &scan->spec.items[i];
    struct agg_feed *feed = &scan->feeds[i];
    struct uses u = {.input = &scan->input};
    u.columns = TSFS_NEW_ARRAY(&scan->ctx->arena, uint32_t, scan->input.plan->ncols + 1);
    if (u.columns == NULL)
        return -ENOMEM;
    for (uint32_t k = 0; k < item->plan->nargs; k++)
        scan_expr_columns(item->args[k], use, &u);
    scan_expr_columns(item->filter, use, &u);
    *feed = (struct agg_feed){.feed = feed_of(scan, item), .columns = u.columns, .ncolumns = u.n};

    const struct tsfs_expr *arg = item->plan->nargs > 0 ? item->args[0] : NULL;
    const struct scan_column *column = NULL;
    if (arg != NULL && arg->kind == TSFS_EXPR_COLUMN)
        column = &scan->input.columns[arg->index];
    bool edge = feed->feed == FEED_FIRST || feed->feed == FEED_LAST;
    if (column != NULL && column->role == TSFS_ROLE_MEASURE && item->impl->update_summary != NULL &&
        !item->distinct && item->filter == NULL && (item->plan->nargs == 1 || edge) &&
        (column->type == TSFS_DOUBLE || column->type == TSFS_BIGINT || item->plan->fn->op == TSFS_OP_COUNT)) {
        feed->summary = true;
        feed->column = arg->index;
        if (!edge)
            feed->feed = FEED_SUMMARY;
    }
    scan->all[i] = true;
    scan->heavy[i] = feed->feed == FEED_SUMMARY || feed->feed == FEED_ROWS;
    scan->any_heavy |= scan->heavy[i];
    scan->any_edge |= edge;
    return 0;
}

/* ---- set up ---- */

static int set_groups(struct agg_scan *scan)
{
    struct agg_spec *spec = &scan->spec;
    uint32_t k = 0;
    scan->bin_key = AGG_NO_COLUMN;
    scan->series_types = TSFS_NEW_ARRAY(&scan->ctx->arena, enum tsfs_type, spec->ngroups + 1);
    if (scan->series_types == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < spec->ngroups; i++) {
        if (of_series(scan, spec->groups[i])) {
            scan->series_types[k++] = spec->types[i];
        } else if (scan->bin_key == AGG_NO_COLUMN && scan->time != AGG_NO_COLUMN &&
                   agg_bins_from(spec->groups[i], scan->time, &scan->bins)) {
            scan->bin_key = i;
        } else {
            scan->by_row = true;
        }
    }
    return 0;
}

static int set_columns(struct agg_scan *scan)
{
    struct uses u = {.input = &scan->input};
    scan->columns = u.columns = TSFS_NEW_ARRAY(&scan->ctx->arena, uint32_t, scan->input.plan->ncols + 1);
    if (u.columns == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < scan->spec.ngroups; i++)
        scan_expr_columns(scan->spec.groups[i], use, &u);
    for (uint32_t i = 0; i < scan->spec.nitems; i++) {
        for (uint32_t k = 0; k < scan->spec.items[i].plan->nargs; k++)
            scan_expr_columns(scan->spec.items[i].args[k], use, &u);
        scan_expr_columns(scan->spec.items[i].filter, use, &u);
    }
    scan->ncolumns = u.n;
    return 0;
}

/* Puts an expression in terms of the scan; NULL and rc 0: it cannot be. */
static int lower(struct agg_scan *scan, const struct tsfs_plan *input, struct tsfs_expr **expr,
                 uint32_t *budget)
{
    *expr = substitute(&scan->ctx->arena, *expr, input, budget);
    if (*expr == NULL || input->kind == TSFS_PLAN_SCAN)
        return 0;
    return tsfs_eval_prepare(&scan->ctx->arena, *expr, &scan->ctx->sets);
}

/* 1: done, 0: the expressions cannot be put in terms of the scan. */
static int lower_all(struct agg_scan *scan, const struct tsfs_plan *input)
{
    struct tsfs_arena *arena = &scan->ctx->arena;
    struct agg_spec *spec = &scan->spec;
    uint32_t budget = NODES_MAX;
    int rc = 0;
    struct tsfs_expr **groups = TSFS_NEW_ARRAY(arena, struct tsfs_expr *, spec->ngroups + 1);
    if (groups == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < spec->ngroups; i++) {
        groups[i] = spec->groups[i];
        if ((rc = lower(scan, input, &groups[i], &budget)) != 0 || groups[i] == NULL)
            return rc;
    }
    spec->groups = groups;
    for (uint32_t i = 0; i < spec->nitems; i++) {
        struct agg_item *item = &spec->items[i];
        struct tsfs_expr **args = TSFS_NEW_ARRAY(arena, struct tsfs_expr *, item->plan->nargs + 1);
        struct tsfs_expr *filter = (struct tsfs_expr *)item->filter;
        if (args == NULL)
            return -ENOMEM;
        for (uint32_t k = 0; k < item->plan->nargs; k++) {
            args[k] = item->args[k];
            if ((rc = lower(scan, input, &args[k], &budget)) != 0 || args[k] == NULL)
                return rc;
        }
        if (filter != NULL && ((rc = lower(scan, input, &filter, &budget)) != 0 || filter == NULL))
            return rc;
        item->args = args;
        item->filter = filter;
    }
    return 1;
}

/* Is the value of this aggregate the same for any number (> 0) of rows of a series? */
static bool of_any_row(const struct agg_scan *scan, uint32_t i)
{
    enum tsfs_op op = scan->spec.items[i].plan->fn->op;
    return scan->feeds[i].feed == FEED_COUNT && (op == TSFS_OP_MIN || op == TSFS_OP_MAX);
}

/* How many groups there can be, as conditions on dimensions tell; 0: they do not. */
static uint64_t count_groups(const struct agg_scan *scan)
{
    const struct tsfs_scan_spec *spec = &scan->input.spec;
    uint64_t n = 1;
    for (uint32_t i = 0; i < scan->spec.ngroups; i++) {
        struct tsfs_expr *expr = scan->spec.groups[i];
        uint32_t k = 0;
        if (expr->kind == TSFS_EXPR_LITERAL)
            continue;
        if (expr->kind != TSFS_EXPR_COLUMN)
            return 0;
        while (k < spec->n_dim_in && spec->dim_in[k].ordinal != scan->input.columns[expr->index].ordinal)
            k++;
        if (k == spec->n_dim_in || __builtin_mul_overflow(n, (uint64_t)spec->dim_in[k].n, &n))
            return 0;
    }
    return n < WANT_MAX ? n : 0;
}

/* First and last points, and DISTINCT over dimensions: the source may leave out what lies between the ends of
 * a series.  When all look at one end, the partitions are read from there, and if it can be known that every
 * group has been seen, only as far as that. */
static void set_ends(struct agg_scan *scan)
{
    uint32_t nfirst = 0, nlast = 0, nany = 0, n = scan->spec.nitems;
    if (scan->by_row || scan->bin_key != AGG_NO_COLUMN || n + scan->spec.ngroups == 0)
        return;
    for (uint32_t i = 0; i < n; i++) {
        nfirst += scan->feeds[i].feed == FEED_FIRST;
        nlast += scan->feeds[i].feed == FEED_LAST;
        nany += of_any_row(scan, i);
    }
    if (nlast == n || nfirst == n) {
        scan->from_newest = nlast == n;
        scan->groups_most = count_groups(scan);
    }
    if (nfirst + nlast + nany < n || scan->input.nterms > 0)
        return;
    scan->input.spec.ends =
        (nlast > 0 ? TSFS_SCAN_LAST : 0) | (nfirst > 0 || nlast == 0 ? TSFS_SCAN_FIRST : 0);
    scan->only_last = nlast == n && n > 0;
    scan->only_first = nfirst == n && n > 0;
    scan->input.spec.newest_first |= scan->only_last;
}

static void set_counts(struct agg_scan *scan)
{
    scan->counts_only = scan->spec.ngroups == 0 && scan->spec.nitems > 0 && scan->input.nterms == 0;
    for (uint32_t i = 0; i < scan->spec.nitems && scan->counts_only; i++) {
        const struct agg_item *item = &scan->spec.items[i];
        enum tsfs_op op = item->plan->fn->op;
        scan->counts_only =
            scan->feeds[i].feed == FEED_COUNT &&
            (op == TSFS_OP_COUNT_ALL || (op == TSFS_OP_COUNT && is_time(scan, item->args[0])));
    }
}

static bool readable(const struct tsfs_plan *plan)
{
    for (plan = plan->input; plan->kind == TSFS_PLAN_PROJECT; plan = plan->input)
        for (uint32_t i = 0; i < plan->ncols; i++)
            if (!stable(plan->project.exprs[i]))
                return false;
    return plan->kind == TSFS_PLAN_SCAN;
}

int agg_scan_open(struct exec_ctx *ctx, const struct tsfs_plan *plan, struct agg_scan **out,
                  struct tsfs_error *err)
{
    *out = NULL;
    if (!readable(plan))
        return 0;
    struct agg_scan *scan = TSFS_NEW(&ctx->arena, struct agg_scan);
    if (scan == NULL)
        return -ENOMEM;
    scan->ctx = ctx;
    scan->by_order = agg_by_order(plan);
    int rc = agg_spec_init(ctx, plan, &scan->spec);
    if (rc == 0 && (rc = lower_all(scan, plan->input)) == 0)
        return 0;
    if (rc < 0)
        return rc;
    const struct tsfs_plan *leaf = plan->input;
    while (leaf->kind != TSFS_PLAN_SCAN)
        leaf = leaf->input;
    *out = scan;
    if ((rc = scan_input_init(ctx, leaf, &scan->input)) != 0)
        return rc;
    scan->time = AGG_NO_COLUMN;
    for (uint32_t i = 0; i < leaf->ncols; i++)
        if (scan->input.columns[i].role == TSFS_ROLE_TIME)
            scan->time = i;
    scan->feeds = TSFS_NEW_ARRAY(&ctx->arena, struct agg_feed, scan->spec.nitems + 1);
    scan->all = TSFS_NEW_ARRAY(&ctx->arena, bool, scan->spec.nitems + 1);
    scan->heavy = TSFS_NEW_ARRAY(&ctx->arena, bool, scan->spec.nitems + 1);
    rc = scan->feeds == NULL || scan->all == NULL || scan->heavy == NULL ? -ENOMEM : set_groups(scan);
    for (uint32_t i = 0; i < scan->spec.nitems && rc == 0; i++)
        rc = set_feed(scan, i);
    if (rc == 0)
        rc = set_columns(scan);
    if (rc == 0) {
        set_ends(scan);
        set_counts(scan);
    }
    return rc;
}

void agg_scan_want(struct agg_scan *scan, uint32_t key, bool newest, uint64_t limit)
{
    if (scan->by_row || limit == 0 || key != scan->bin_key || limit > WANT_MAX)
        return;
    scan->want_limit = limit;
    scan->want_newest = newest;
    if (scan->spec.ngroups == 1 && !scan->by_order) /* no two of them are equal in what is above */
        scan->input.spec.canonical = false;
}

void agg_scan_close(struct agg_scan *scan)
{
    if (scan != NULL)
        scan_input_free(&scan->input);
}

/* ---- tasks ---- */

struct tasks {
    struct agg_scan *scan;
    uint32_t n;
    uint32_t first[AGG_TASKS_MAX + 1]; /* units of task i: [first[i], first[i + 1]) */
};

static int fill_table(void *ctx, struct agg_table *table, uint32_t number, struct tsfs_error *err)
{
    const struct tasks *tasks = ctx;
    struct agg_scan *scan = tasks->scan;
    uint32_t from = tasks->first[number], to = tasks->first[number + 1];
    const struct tsfs_scan *source = scan->input.scan;
    int64_t time_min = INT64_MAX, time_max = INT64_MIN;
    for (uint32_t u = from; u < to; u++) {
        time_min = source->units[u].time_min < time_min ? source->units[u].time_min : time_min;
        time_max = source->units[u].time_max > time_max ? source->units[u].time_max : time_max;
    }
    struct agg_task *task = calloc(1, sizeof(*task));
    if (task == NULL)
        return -ENOMEM;
    int rc = agg_task_init(task, scan, table, time_min, time_max);
    for (uint32_t u = from; u < to && rc == 0; u++)
        rc = agg_task_unit(task, u, err);
    agg_task_free(task);
    free(task);
    return rc;
}

/* Cuts the units into tasks of like size. */
static uint32_t cut(const struct agg_scan *scan, uint32_t first[AGG_TASKS_MAX + 1])
{
    const struct tsfs_scan *source = scan->input.scan;
    uint64_t total = 0, sum = 0;
    for (uint32_t u = 0; u < source->n_units; u++)
        total += source->units[u].rows_estimate != 0 ? source->units[u].rows_estimate : UNKNOWN_ROWS;
    uint64_t values = total * (scan->input.spec.n_columns + 1);
    if (scan->input.spec.n_dim_in > 0)
        values /= 8;
    uint32_t most = source->n_units < AGG_TASKS_MAX ? source->n_units : AGG_TASKS_MAX, n = 0;
    first[0] = 0;
    if (most < 2 || values < PARALLEL_VALUES) {
        first[1] = source->n_units;
        return 1;
    }
    for (uint32_t u = 0; u < source->n_units; u++) {
        sum += source->units[u].rows_estimate != 0 ? source->units[u].rows_estimate : UNKNOWN_ROWS;
        if (sum * most >= total * (n + 1) && n + 1 < most)
            first[++n] = u + 1;
    }
    if (first[n] < source->n_units)
        first[++n] = source->n_units;
    return n;
}

/* All units that the scan has now.  whole: into one table. */
static int run_units(struct agg_scan *scan, struct agg_result *result, bool whole, struct tsfs_error *err)
{
    struct tasks tasks = {.scan = scan};
    if (scan->input.scan->n_units == 0)
        return 0;
    tasks.n = cut(scan, tasks.first);
    return agg_result_fill(result, tasks.n, whole, fill_table, &tasks, err);
}

static int run_all(struct agg_scan *scan, struct agg_result *result, struct tsfs_error *err)
{
    int rc = scan_input_open(&scan->input, err);
    return rc != 0 ? rc : run_units(scan, result, false, err);
}

static int run_slices(struct agg_scan *scan, struct agg_result *result, struct tsfs_error *err)
{
    const struct group_table *groups = &result->tables[0].groups;
    int64_t step = scan->bins.step > 0 ? scan->bins.step : scan->bins.months * 31 * TSFS_NS_PER_DAY;
    int64_t width;
    if (__builtin_mul_overflow(step, (int64_t)scan->want_limit + 1, &width))
        width = INT64_MAX;
    struct time_slices slices;
    int rc = time_slices_init(&slices, &scan->input, scan->want_newest, &scan->bins, width, err);
    while (rc == 0 && groups->n < scan->want_limit && (rc = time_slices_next(&slices, err)) > 0) {
        rc = run_units(scan, result, true, err);
        if (rc == 0)
            rc = time_slices_more(&slices, groups->n == 0, err);
    }
    return rc;
}

/* The ends of at most groups_most groups: a partition further away has nothing for a group that is there. */
static int run_ends(struct agg_scan *scan, struct agg_result *result, struct tsfs_error *err)
{
    const struct group_table *groups = &result->tables[0].groups;
    struct time_slices slices;
    int rc = time_slices_init(&slices, &scan->input, scan->from_newest, NULL, 0, err);
    for (unsigned n = 1, read = 0; rc == 0 && groups->n < scan->groups_most; read += n, n = read) {
        rc = time_slices_partitions(&slices, n, err);
        if (rc == 0)
            break;
        if (rc > 0)
            rc = run_units(scan, result, true, err);
    }
    return rc;
}

int agg_scan_run(struct agg_scan *scan, struct agg_result *result, struct tsfs_error *err)
{
    int rc = agg_result_init(result, &scan->spec);
    if (rc == 0 && !scan->input.plan->scan.empty) {
        if (scan->want_limit > 0)
            rc = run_slices(scan, result, err);
        else if (scan->groups_most > 0)
            rc = run_ends(scan, result, err);
        else
            rc = run_all(scan, result, err);
        scan_input_close(&scan->input);
    }
    return exec_fail(scan->ctx, rc, scan->spec.name, err);
}
