/* How many rows a plan may deliver, to tell which side of a join to keep in memory: what sources say of their
 * units, and rules of thumb for the rest. */
#include <stdlib.h>
#include <string.h>

#include "exec/exec_priv.h"

static uint64_t estimate_scan(struct exec_ctx *ctx, const struct tsfs_plan *plan)
{
    const struct tsfs_plan_scan *scan = &plan->scan;
    struct tsfs_scan_spec spec = {.time_min = scan->time_min,
                                  .time_max = scan->time_max,
                                  .dim_in = scan->dim_in,
                                  .n_dim_in = scan->n_dim_in,
                                  .ranges = scan->ranges,
                                  .n_ranges = scan->n_ranges};
    struct tsfs_scan *open = NULL;
    struct tsfs_error err = {0};
    uint64_t rows = 0;
    (void)ctx;
    if (scan->empty || scan->table.source->ops->scan(scan->table.source, &spec, &open, &err) != 0)
        return 0;
    for (uint32_t i = 0; i < open->n_units; i++)
        rows += open->units[i].rows_estimate == 0 ? 100000 : open->units[i].rows_estimate;
    open->ops->close(open);
    if (scan->series_filter != NULL && scan->n_dim_in == 0)
        rows = rows / 4 + 1;
    return scan->row_filter != NULL ? rows / 4 + 1 : rows;
}

/* The estimates of shared plans, each made once: they may read each other, twice at each level. */
struct estimate {
    struct exec_ctx *ctx;
    uint64_t *shared; /* by number, 0 = not yet, else plus 1 */
    uint32_t n;
};

static uint64_t estimate(struct estimate *e, const struct tsfs_plan *plan);

static uint64_t plus(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX / 2 - (b < UINT64_MAX / 2 ? b : UINT64_MAX / 2) ? UINT64_MAX / 2 : a + b;
}

static uint64_t estimate_shared(struct estimate *e, const struct tsfs_plan_shared *shared)
{
    if (shared->number >= e->n) {
        uint32_t n = shared->number * 2 + 16;
        uint64_t *grown = realloc(e->shared, n * sizeof(*grown));
        if (grown == NULL)
            return 1000;
        memset(grown + e->n, 0, (n - e->n) * sizeof(*grown));
        e->shared = grown;
        e->n = n;
    }
    if (e->shared[shared->number] == 0) {
        uint64_t rows = estimate(e, shared->plan);
        e->shared[shared->number] = plus(rows, 1);
    }
    return e->shared[shared->number] - 1;
}

static uint64_t estimate(struct estimate *e, const struct tsfs_plan *plan)
{
    uint64_t rows, more;
    switch (plan->kind) {
    case TSFS_PLAN_SCAN: return estimate_scan(e->ctx, plan);
    case TSFS_PLAN_VALUES: return plan->values.nrows;
    case TSFS_PLAN_FILTER: return estimate(e, plan->input) / 3 + 1;
    case TSFS_PLAN_AGGREGATE: return plan->aggregate.ngroups == 0 ? 1 : estimate(e, plan->input) / 20 + 1;
    case TSFS_PLAN_SORT:
        rows = estimate(e, plan->input);
        return rows < plan->sort.limit ? rows : plan->sort.limit;
    case TSFS_PLAN_LIMIT:
        rows = estimate(e, plan->input);
        return rows < plan->limit.limit ? rows : plan->limit.limit;
    case TSFS_PLAN_JOIN:
        rows = estimate(e, plan->input);
        more = estimate(e, plan->more[0]);
        if (plan->join.kind == TSFS_JOIN_SEMI || plan->join.kind == TSFS_JOIN_ANTI)
            return rows / 2 + 1;
        if (plan->join.nkeys > 0)
            return rows > more ? rows : more;
        return rows > 0 && more > UINT64_MAX / 2 / rows ? UINT64_MAX / 2 : rows * more;
    case TSFS_PLAN_APPEND:
        rows = estimate(e, plan->input);
        for (uint32_t i = 0; i < plan->nmore; i++)
            rows = plus(rows, estimate(e, plan->more[i]));
        return rows;
    case TSFS_PLAN_SHARED: return estimate_shared(e, plan->shared);
    default: return plan->input != NULL ? estimate(e, plan->input) : 1000;
    }
}

uint64_t exec_estimate(struct exec_ctx *ctx, const struct tsfs_plan *plan)
{
    struct estimate e = {.ctx = ctx};
    uint64_t rows = estimate(&e, plan);
    free(e.shared);
    return rows;
}
