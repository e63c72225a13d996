/* A query's life: the operators of a plan are opened, pulled and closed here, and every thread that works for
 * the query asks here whether it should go on. */
#include "exec/exec.h"

#include <errno.h>
#include <stdlib.h>

#include "base/time.h"
#include "exec/exec_priv.h"

/* Whether the reader was interrupted costs a lock of someone else's: not at every poll.  Any thread may ask,
 * as the reader's own may be waiting for the others. */
#define POLL_INTERVAL (1 * TSFS_NS_PER_MS)

struct tsfs_exec {
    struct exec_ctx ctx;
    struct exec_op *root;
    int ended; /* 1 = all rows delivered, or the -errno that every further call gives */
};

/* ---- going on or not ---- */

static int stop(struct exec_ctx *ctx, int code)
{
    int go_on = 0;
    atomic_compare_exchange_strong(&ctx->stop, &go_on, code);
    return code;
}

/* Runs may be of one row: the clock is read at every so many polls of a thread. */
#define POLLS_PER_CLOCK 16u

static int poll_now(struct exec_ctx *ctx, bool clock, struct tsfs_error *err)
{
    int code = atomic_load_explicit(&ctx->stop, memory_order_relaxed);
    if (code == 0 && ctx->options.cancel != NULL &&
        atomic_load_explicit(ctx->options.cancel, memory_order_relaxed))
        code = stop(ctx, -EINTR);
    int64_t deadline = atomic_load_explicit(&ctx->deadline, memory_order_relaxed);
    if (code == 0 && clock && (deadline != 0 || ctx->options.interrupted != NULL)) {
        int64_t now = tsfs_time_monotonic();
        if (deadline != 0 && now >= deadline)
            code = stop(ctx, -ETIMEDOUT);
        else if (ctx->options.interrupted != NULL && now >= ctx->next_poll &&
                 !atomic_exchange(&ctx->polling, true)) {
            if (!ctx->left && ctx->options.interrupted(ctx->options.interrupted_ctx))
                code = stop(ctx, -EINTR);
            ctx->next_poll = now + POLL_INTERVAL;
            ctx->polling = false;
        }
    }
    if (code == -EINTR)
        return tsfs_error_set(err, code, "the query was cancelled");
    if (code == -ETIMEDOUT)
        return tsfs_error_set(err, code, "the query took longer than query_timeout allows");
    return code;
}

int exec_poll(struct exec_ctx *ctx, struct tsfs_error *err)
{
    static _Thread_local unsigned polls;
    return poll_now(ctx, ++polls % POLLS_PER_CLOCK == 0, err);
}

int exec_no_memory(const struct exec_ctx *ctx, const char *operator, struct tsfs_error * err)
{
    const struct tsfs_budget *budget = ctx->options.budget;
    tsfs_error_clear(err);
    if (budget == NULL || budget->limit == 0)
        return tsfs_error_set(err, -ENOMEM, "out of memory in %s", operator);
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB"};
    size_t limit = budget->limit;
    unsigned unit = 0;
    while (unit < 3 && limit >= 1024 && limit % 1024 == 0) {
        limit /= 1024;
        unit++;
    }
    return tsfs_error_set(err, -ENOMEM,
                          "%s needs more than query_memory (%zu %s): raise that in config, or ask for fewer "
                          "rows, columns or groups at once",
                          operator, limit, units[unit]);
}

int exec_fail(const struct exec_ctx *ctx, int rc, const char *operator, struct tsfs_error * err)
{
    return rc == -ENOMEM ? exec_no_memory(ctx, operator, err) : rc;
}

/* The figures of a plan as planned, one for all that run it; NULL: none are kept. */
static struct exec_op_stats *stats_of(const struct exec_ctx *ctx, const struct tsfs_plan *plan)
{
    while (ctx->parent != NULL)
        ctx = ctx->parent;
    plan = plan->origin != NULL ? plan->origin : plan;
    struct exec_op_stats *s = ctx->timed;
    while (s != NULL && s->plan != plan)
        s = s->next;
    return s;
}

static int make_stats(struct exec_ctx *ctx, const struct tsfs_plan *plan, struct exec_op_stats **out)
{
    *out = NULL;
    while (ctx->parent != NULL)
        ctx = ctx->parent;
    if (!ctx->analyze || (*out = stats_of(ctx, plan)) != NULL)
        return 0;
    *out = TSFS_NEW(&ctx->arena, struct exec_op_stats);
    if (*out == NULL)
        return -ENOMEM;
    (*out)->plan = plan->origin != NULL ? plan->origin : plan;
    (*out)->next = ctx->timed;
    ctx->timed = *out;
    return 0;
}

int exec_count_scan(struct exec_ctx *ctx, const struct tsfs_plan *scan)
{
    struct exec_op_stats *unused;
    return make_stats(ctx, scan, &unused);
}

static void add_scan(struct tsfs_scan_stats *to, const struct tsfs_scan_stats *stats)
{
    to->series += stats->series;
    to->runs += stats->runs;
    to->rows += stats->rows;
    to->blocks_from_summary += stats->blocks_from_summary;
    to->pages_read += stats->pages_read;
    to->bytes_read += stats->bytes_read;
    to->pages_cached += stats->pages_cached;
    to->series_met += stats->series_met;
    to->blocks_met += stats->blocks_met;
    to->blocks_not_in_time += stats->blocks_not_in_time;
    to->blocks_not_in_range += stats->blocks_not_in_range;
}

static void add_known(struct tsfs_scan_known *to, const struct tsfs_scan_known *known)
{
    to->series += known->series;
    to->blocks += known->blocks;
    to->pages += known->pages;
}

void exec_add_scan_stats(struct exec_ctx *ctx, const struct tsfs_plan *scan,
                         const struct tsfs_scan_stats *stats)
{
    struct exec_op_stats *own = scan == NULL ? NULL : stats_of(ctx, scan);
    pthread_mutex_lock(&ctx->stats_lock);
    add_scan(&ctx->stats.scan, stats);
    if (own != NULL)
        add_scan(&own->scan, stats);
    pthread_mutex_unlock(&ctx->stats_lock);
}

void exec_add_partitions(struct exec_ctx *ctx, const struct tsfs_plan *scan, uint64_t total, uint64_t pruned,
                         const struct tsfs_scan_known *known)
{
    struct exec_op_stats *own = stats_of(ctx, scan);
    ctx->stats.partitions_total += total;
    ctx->stats.partitions_pruned += pruned;
    add_known(&ctx->stats.known, known);
    if (own != NULL) {
        own->partitions_total += total;
        own->partitions_pruned += pruned;
        add_known(&own->known, known);
    }
}

void exec_add_stats(struct exec_ctx *ctx, const struct tsfs_exec_stats *stats)
{
    exec_add_scan_stats(ctx, NULL, &stats->scan);
    ctx->stats.partitions_total += stats->partitions_total;
    ctx->stats.partitions_pruned += stats->partitions_pruned;
    add_known(&ctx->stats.known, &stats->known);
}

bool exec_analyzed(const struct exec_ctx *ctx)
{
    while (ctx->parent != NULL)
        ctx = ctx->parent;
    return ctx->analyze;
}

/* Kernels poll when much work has been done: that is worth a look at the clock. */
int exec_poll_kernel(void *ctx, struct tsfs_error *err)
{
    return poll_now(ctx, true, err);
}

int exec_poll_quiet(void *ctx)
{
    return poll_now(ctx, true, NULL);
}

struct tsfs_eval exec_eval(const struct exec_ctx *ctx, struct tsfs_arena *arena, struct tsfs_error *err)
{
    return (struct tsfs_eval){.arena = arena,
                              .now = ctx->options.now,
                              .err = err,
                              .sets = ctx->sets,
                              .poll = exec_poll_kernel,
                              .poll_ctx = (void *)(uintptr_t)ctx};
}

/* ---- IN lists ---- */

static int prepare(struct exec_ctx *ctx, const struct tsfs_expr *expr)
{
    return tsfs_eval_prepare(&ctx->arena, expr, &ctx->sets);
}

static int prepare_all(struct exec_ctx *ctx, struct tsfs_expr *const *exprs, uint32_t n)
{
    int rc = 0;
    for (uint32_t i = 0; i < n && rc == 0; i++)
        rc = prepare(ctx, exprs[i]);
    return rc;
}

static int prepare_window(struct exec_ctx *ctx, const struct tsfs_plan *plan)
{
    int rc = prepare_all(ctx, plan->window.partition, plan->window.npartition);
    for (uint32_t i = 0; i < plan->window.nkeys && rc == 0; i++)
        rc = prepare(ctx, plan->window.keys[i].expr);
    for (uint32_t i = 0; i < plan->window.nfunctions && rc == 0; i++) {
        rc = prepare_all(ctx, plan->window.functions[i].args, plan->window.functions[i].nargs);
        if (rc == 0)
            rc = prepare(ctx, plan->window.functions[i].filter);
    }
    return rc;
}

static int prepare_plan(struct exec_ctx *ctx, const struct tsfs_plan *plan)
{
    int rc = 0;
    for (; plan != NULL && rc == 0; plan = plan->input) {
        /* subplans are made ready when they are run */
        if (plan->kind == TSFS_PLAN_INIT || plan->kind == TSFS_PLAN_ANALYZE)
            return 0;
        for (uint32_t i = 0; i < plan->nmore && rc == 0 && plan->kind != TSFS_PLAN_APPLY; i++)
            rc = prepare_plan(ctx, plan->more[i]);
        if (rc != 0)
            return rc;
        switch (plan->kind) {
        case TSFS_PLAN_JOIN:
            rc = prepare_all(ctx, plan->join.left_keys, plan->join.nkeys);
            if (rc == 0)
                rc = prepare_all(ctx, plan->join.right_keys, plan->join.nkeys);
            if (rc == 0)
                rc = prepare(ctx, plan->join.condition);
            break;
        case TSFS_PLAN_WINDOW: rc = prepare_window(ctx, plan); break;
        case TSFS_PLAN_APPLY: rc = prepare_all(ctx, plan->apply.args, plan->apply.nparams); break;
        case TSFS_PLAN_SCAN:
            rc = prepare(ctx, plan->scan.series_filter);
            if (rc == 0)
                rc = prepare(ctx, plan->scan.row_filter);
            break;
        case TSFS_PLAN_FILTER: rc = prepare(ctx, plan->filter.predicate); break;
        case TSFS_PLAN_PROJECT:
            for (uint32_t i = 0; i < plan->ncols && rc == 0; i++)
                rc = prepare(ctx, plan->project.exprs[i]);
            break;
        case TSFS_PLAN_AGGREGATE:
            for (uint32_t i = 0; i < plan->aggregate.ngroups && rc == 0; i++)
                rc = prepare(ctx, plan->aggregate.groups[i]);
            for (uint32_t i = 0; i < plan->aggregate.naggs && rc == 0; i++) {
                const struct tsfs_plan_aggregate *agg = &plan->aggregate.aggs[i];
                rc = prepare(ctx, agg->filter);
                for (uint32_t k = 0; k < agg->nargs && rc == 0; k++)
                    rc = prepare(ctx, agg->args[k]);
            }
            break;
        case TSFS_PLAN_SORT:
            for (uint32_t i = 0; i < plan->sort.nkeys && rc == 0; i++)
                rc = prepare(ctx, plan->sort.keys[i].expr);
            break;
        case TSFS_PLAN_UNNEST:
            for (uint32_t i = 0; i < plan->unnest.nexprs && rc == 0; i++)
                rc = prepare(ctx, plan->unnest.exprs[i]);
            break;
        case TSFS_PLAN_VALUES:
        case TSFS_PLAN_LIMIT:
        case TSFS_PLAN_APPEND:
        case TSFS_PLAN_SET:
        case TSFS_PLAN_SHARED:
        case TSFS_PLAN_INIT:
        case TSFS_PLAN_ANALYZE: break;
        }
    }
    return rc;
}

/* ---- operators ---- */

static int open_kind(struct exec_ctx *ctx, const struct tsfs_plan *plan, struct exec_op **out,
                     struct tsfs_error *err)
{
    switch (plan->kind) {
    case TSFS_PLAN_SCAN: return exec_open_scan(ctx, plan, out, err);
    case TSFS_PLAN_VALUES: return exec_open_values(ctx, plan, out, err);
    case TSFS_PLAN_FILTER: return exec_open_filter(ctx, plan, out, err);
    case TSFS_PLAN_PROJECT: return exec_open_project(ctx, plan, out, err);
    case TSFS_PLAN_AGGREGATE: return exec_open_aggregate(ctx, plan, out, err);
    case TSFS_PLAN_SORT: return exec_open_sort(ctx, plan, out, err);
    case TSFS_PLAN_LIMIT: return exec_open_limit(ctx, plan, out, err);
    case TSFS_PLAN_UNNEST: return exec_open_unnest(ctx, plan, out, err);
    case TSFS_PLAN_JOIN: return exec_open_join(ctx, plan, out, err);
    case TSFS_PLAN_APPEND: return exec_open_append(ctx, plan, out, err);
    case TSFS_PLAN_SET: return exec_open_set(ctx, plan, out, err);
    case TSFS_PLAN_WINDOW: return exec_open_window(ctx, plan, out, err);
    case TSFS_PLAN_INIT: return exec_open_init(ctx, plan, out, err);
    case TSFS_PLAN_APPLY: return exec_open_apply(ctx, plan, out, err);
    case TSFS_PLAN_SHARED: return exec_open_shared(ctx, plan, out, err);
    case TSFS_PLAN_ANALYZE: return exec_open_analyze(ctx, plan, out, err);
    }
    return tsfs_error_set(err, -EINVAL, "a plan node of kind %d cannot be run", (int)plan->kind);
}

static int count_op(struct exec_ctx *ctx, struct exec_op *op)
{
    int rc = make_stats(ctx, op->plan, &op->stats);
    if (op->stats == NULL)
        return rc;
    if (ctx->copying)
        op->stats->copied = true;
    else
        op->stats->runs++;
    return rc;
}

int exec_op_open(struct exec_ctx *ctx, const struct tsfs_plan *plan, struct exec_op **out,
                 struct tsfs_error *err)
{
    bool any_order = ctx->any_order, limited = ctx->limited;
    switch (plan->kind) {
    case TSFS_PLAN_SORT:
        ctx->any_order = exec_order_is_open(plan->input);
        if (ctx->any_order)
            ctx->limited = false;
        else
            ctx->limited |= plan->sort.limit != UINT64_MAX;
        break;
    case TSFS_PLAN_LIMIT:
    case TSFS_PLAN_WINDOW:
        ctx->any_order = false;
        ctx->limited = true;
        break;
    default: break;
    }
    int rc = open_kind(ctx, plan, out, err);
    ctx->any_order = any_order;
    ctx->limited = limited;
    return rc == 0 ? count_op(ctx, *out) : rc;
}

int exec_next_timed(struct exec_op *op, struct tsfs_batch **out, struct tsfs_error *err)
{
    int64_t start = tsfs_time_monotonic();
    int rc = op->ops->next(op, out, err);
    atomic_fetch_add_explicit(&op->stats->time, tsfs_time_monotonic() - start, memory_order_relaxed);
    if (rc > 0)
        atomic_fetch_add_explicit(&op->stats->rows, (*out)->nrows, memory_order_relaxed);
    return rc;
}

int exec_plan_open(struct exec_ctx *ctx, const struct tsfs_plan *plan, struct exec_op **out,
                   struct tsfs_error *err)
{
    int rc = prepare_plan(ctx, plan);
    return rc != 0 ? rc : exec_op_open(ctx, plan, out, err);
}

void exec_op_close(struct exec_op *op)
{
    for (; op != NULL; op = op->input) {
        for (uint32_t i = 0; i < op->nmore; i++)
            exec_op_close(op->more[i]);
        if (op->ops->close != NULL)
            op->ops->close(op);
    }
}

/* ---- sources with several scans ---- */

struct scanned_source {
    struct tsfs_source *source;
    uint32_t scans;
    struct scanned_source *next;
};

struct scan_count {
    struct tsfs_arena *arena;
    struct scanned_source *sources;
    bool *seen; /* the shared plans that were counted, by their numbers */
    uint32_t nseen;
};

static int count_scans(struct scan_count *c, const struct tsfs_plan *plan, bool often);

/* Shared plans may read each other, twice at each level: each is counted once, as what is read again. */
static int count_shared(struct scan_count *c, const struct tsfs_plan_shared *shared, bool often)
{
    if (shared->number >= c->nseen) {
        uint32_t n = shared->number * 2 + 16;
        bool *seen = TSFS_NEW_ARRAY(c->arena, bool, n);
        if (seen == NULL)
            return -ENOMEM;
        if (c->nseen > 0)
            memcpy(seen, c->seen, c->nseen * sizeof(*seen));
        c->seen = seen;
        c->nseen = n;
    }
    if (c->seen[shared->number])
        return 0;
    c->seen[shared->number] = true;
    return count_scans(c, shared->plan, often || shared->uses > 1);
}

static int count_scans(struct scan_count *c, const struct tsfs_plan *plan, bool often)
{
    int rc = 0;
    for (; plan != NULL && rc == 0; plan = plan->input) {
        for (uint32_t i = 0; i < plan->nmore && rc == 0; i++)
            rc = count_scans(c, plan->more[i], often || plan->kind == TSFS_PLAN_APPLY);
        if (plan->kind == TSFS_PLAN_SHARED)
            return rc != 0 ? rc : count_shared(c, plan->shared, often);
        if (plan->kind != TSFS_PLAN_SCAN || rc != 0)
            continue;
        struct scanned_source *s = c->sources;
        while (s != NULL && s->source != plan->scan.table.source)
            s = s->next;
        if (s == NULL) {
            s = TSFS_NEW(c->arena, struct scanned_source);
            if (s == NULL)
                return -ENOMEM;
            *s = (struct scanned_source){plan->scan.table.source, 0, c->sources};
            c->sources = s;
        }
        s->scans += often ? 2 : 1;
    }
    return rc;
}

/* All scans of one table see the same rows. */
static int freeze_sources(struct exec_ctx *ctx, const struct tsfs_plan *plan, struct tsfs_error *err)
{
    struct scan_count count = {.arena = &ctx->arena};
    int rc = count_scans(&count, plan, false);
    for (struct scanned_source *sources = count.sources; sources != NULL && rc == 0; sources = sources->next)
        if (sources->scans > 1 && sources->source->ops->freeze != NULL)
            rc = sources->source->ops->freeze(sources->source, err);
    return rc;
}

/* ---- the public face ---- */

int tsfs_exec_open(const struct tsfs_plan *plan, const struct tsfs_exec_options *options,
                   struct tsfs_exec **out, struct tsfs_error *err)
{
    struct tsfs_exec *exec = calloc(1, sizeof(*exec));
    if (exec == NULL)
        return tsfs_error_set(err, -ENOMEM, "out of memory");
    exec->ctx.options = *options;
    exec->ctx.deadline = options->deadline;
    pthread_mutex_init(&exec->ctx.stats_lock, NULL);
    tsfs_arena_init(&exec->ctx.arena, options->budget);
    exec->ctx.analyze = plan->kind == TSFS_PLAN_ANALYZE;
    int rc = freeze_sources(&exec->ctx, plan, err);
    if (rc == 0)
        rc = exec_plan_open(&exec->ctx, plan, &exec->root, err);
    if (rc != 0) {
        tsfs_exec_close(exec);
        return exec_fail(&(struct exec_ctx){.options = *options}, rc, "the plan", err);
    }
    *out = exec;
    return 0;
}

int tsfs_exec_next(struct tsfs_exec *exec, struct tsfs_batch **out, struct tsfs_error *err)
{
    if (exec->ended != 0)
        return exec->ended > 0 ? 0 : exec->ended;
    exec->ctx.next_poll = 0;
    int rc = poll_now(&exec->ctx, true, err);
    if (rc == 0)
        rc = exec_next(exec->root, out, err);
    if (rc > 0)
        exec->ctx.stats.rows_out += (*out)->nrows;
    else
        exec->ended = rc == 0 ? 1 : rc;
    return rc;
}

void tsfs_exec_stop(struct tsfs_exec *exec)
{
    stop(&exec->ctx, -EINTR);
}

struct exec_ctx *exec_context(struct tsfs_exec *exec)
{
    return &exec->ctx;
}

struct exec_op *exec_root(struct tsfs_exec *exec)
{
    return exec->root;
}

void tsfs_exec_stats(const struct tsfs_exec *exec, struct tsfs_exec_stats *out)
{
    *out = exec->ctx.stats;
}

void tsfs_exec_close(struct tsfs_exec *exec)
{
    if (exec == NULL)
        return;
    exec_streams_close(&exec->ctx);
    exec_op_close(exec->root);
    exec_shared_free(&exec->ctx);
    tsfs_arena_free(&exec->ctx.arena);
    pthread_mutex_destroy(&exec->ctx.stats_lock);
    free(exec);
}

int tsfs_exec_fold(const struct tsfs_expr *expr, int64_t now, struct tsfs_arena *arena,
                   struct tsfs_value *out, struct tsfs_error *err)
{
    return tsfs_exec_fold_polled(expr, now, arena, NULL, NULL, out, err);
}

int tsfs_exec_fold_polled(const struct tsfs_expr *expr, int64_t now, struct tsfs_arena *arena,
                          int (*poll)(void *poll_ctx, struct tsfs_error *err), void *poll_ctx,
                          struct tsfs_value *out, struct tsfs_error *err)
{
    struct tsfs_eval eval = {.arena = arena, .now = now, .err = err, .poll = poll, .poll_ctx = poll_ctx};
    struct tsfs_vec v;
    int rc = tsfs_eval_expr(&eval, expr, NULL, 1, &v);
    if (rc != 0)
        return rc == -ENOMEM ? tsfs_error_set(err, rc, "out of memory") : rc;
    *out = tsfs_vec_get(&v, 0);
    out->type = expr->type;
    return 0;
}
