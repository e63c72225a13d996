#include "random_plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/time.h"
#include "mock_source.h"
#include "plan_build.h"

static uint64_t rng;

static uint32_t pick(uint32_t n)
{
    return (uint32_t)(mock_rand(&rng) >> 16) % n;
}

/* ---- random expressions ---- */

struct cols {
    uint32_t n;
    const struct tsfs_plan_column *cols;
};

static E *random_expr(struct cols cols, enum tsfs_type type, int depth);

static E *random_column(struct cols cols, enum tsfs_type type)
{
    uint32_t at = pick(cols.n);
    for (uint32_t i = 0; i < cols.n; i++, at = (at + 1) % cols.n)
        if (cols.cols[at].type == type)
            return pb_col(at, type);
    return NULL;
}

static E *random_literal(enum tsfs_type type)
{
    static const char *const words[] = {"", "a", "ab", "north", "h1", "on", "zzz", "cpu"};
    if (pick(12) == 0)
        return pb_null(type);
    switch (type) {
    case TSFS_DOUBLE: return pb_double((double)((int)pick(200) - 100) / 4);
    case TSFS_BIGINT: return pb_big((int)pick(30) - 15);
    case TSFS_BOOLEAN: return pb_bool(pick(2));
    case TSFS_VARCHAR: return pb_str(words[pick(8)]);
    default: return pb_time((int64_t)pick(200000) * TSFS_NS_PER_S);
    }
}

static enum tsfs_type random_type(void)
{
    static const enum tsfs_type types[] = {TSFS_DOUBLE, TSFS_BIGINT, TSFS_VARCHAR, TSFS_BOOLEAN,
                                           TSFS_TIMESTAMP};
    return types[pick(5)];
}

static E *random_bool(struct cols cols, int depth)
{
    static const char *const ops[] = {"=", "<>", "<", "<=", ">", ">="};
    enum tsfs_type type = random_type();
    switch (pick(7)) {
    case 0:
    case 1: {
        E *a = random_expr(cols, type, depth - 1);
        return pb_call(ops[pick(6)], a, pick(3) ? random_literal(type) : random_expr(cols, type, depth - 1),
                       NULL);
    }
    case 2:
    case 3: {
        E *a = random_expr(cols, TSFS_BOOLEAN, depth - 1), *b = random_expr(cols, TSFS_BOOLEAN, depth - 1);
        E *c = pick(2) ? random_expr(cols, TSFS_BOOLEAN, depth - 1) : NULL;
        return pb_node(pick(2) ? TSFS_EXPR_AND : TSFS_EXPR_OR, TSFS_BOOLEAN, a, b, c, NULL);
    }
    case 4: return pb_node(TSFS_EXPR_NOT, TSFS_BOOLEAN, random_expr(cols, TSFS_BOOLEAN, depth - 1), NULL);
    case 5: return pb_node(TSFS_EXPR_IS_NULL, TSFS_BOOLEAN, random_expr(cols, type, depth - 1), NULL);
    default: {
        E *in = pb_node(TSFS_EXPR_IN, TSFS_BOOLEAN, random_expr(cols, type, depth - 1), NULL);
        for (uint32_t n = pick(12) + 1; n > 0; n--)
            in->args[in->nargs++] = pick(8) ? random_literal(type) : random_expr(cols, type, 0);
        return in;
    }
    }
}

static E *random_expr(struct cols cols, enum tsfs_type type, int depth)
{
    E *column = random_column(cols, type);
    if (depth <= 0 || pick(3) == 0)
        return column != NULL && pick(4) ? column : random_literal(type);
    if (pick(6) == 0)
        return pb_node(TSFS_EXPR_CASE, type, random_expr(cols, TSFS_BOOLEAN, depth - 1),
                       random_expr(cols, type, depth - 1), random_expr(cols, TSFS_BOOLEAN, depth - 1),
                       random_expr(cols, type, depth - 1), random_expr(cols, type, depth - 1), NULL);
    if (pick(8) == 0)
        return pb_node(TSFS_EXPR_COALESCE, type, random_expr(cols, type, depth - 1),
                       random_expr(cols, type, depth - 1), random_expr(cols, type, depth - 1), NULL);
    static const char *const arith[] = {"+", "-", "*"};
    switch (type) {
    case TSFS_BOOLEAN: return random_bool(cols, depth);
    case TSFS_DOUBLE:
        if (pick(4) == 0)
            return pb_cast(random_expr(cols, TSFS_BIGINT, depth - 1), TSFS_DOUBLE, false);
        return pb_call(arith[pick(3)], random_expr(cols, type, depth - 1), random_expr(cols, type, 0), NULL);
    case TSFS_BIGINT: {
        E *a = random_expr(cols, type, depth - 1), *b = random_expr(cols, type, 0);
        /* A division that fails for some rows, kept from them in one of three ways. */
        E *div = pb_call("/", a, b, NULL);
        switch (pick(5)) {
        case 0: return pb_node(TSFS_EXPR_TRY, type, div, NULL);
        case 1:
            return pb_node(TSFS_EXPR_CASE, type, pb_call("<>", b, pb_big(0), NULL), div, pb_big(-1), NULL);
        case 2:
            return pb_node(TSFS_EXPR_CASE, type,
                           pb_node(TSFS_EXPR_AND, TSFS_BOOLEAN, pb_call(">", b, pb_big(0), NULL),
                                   pb_call(">", div, pb_big(1), NULL), NULL),
                           a, b, NULL);
        default: return pb_call(arith[pick(3)], a, b, NULL);
        }
    }
    case TSFS_TIMESTAMP:
        return pb_call("bin", random_expr(cols, type, 0),
                       pb_interval((int64_t)(pick(5000) + 1) * TSFS_NS_PER_S), NULL);
    default: return column != NULL ? column : random_literal(type);
    }
}

/* ---- random plans ---- */

static struct tsfs_plan *random_scan(struct tsfs_source *source)
{
    struct tsfs_plan *scan = pb_scan(source);
    for (uint32_t i = 0; i < scan->ncols; i++) { /* random order of the columns */
        uint32_t j = pick(scan->ncols);
        uint16_t ordinal = scan->scan.ordinals[i];
        struct tsfs_plan_column col = scan->cols[i];
        scan->scan.ordinals[i] = scan->scan.ordinals[j];
        scan->cols[i] = scan->cols[j];
        scan->scan.ordinals[j] = ordinal;
        scan->cols[j] = col;
    }
    if (pick(2)) {
        scan->scan.time_min = (int64_t)pick(40000) * TSFS_NS_PER_S - TSFS_NS_PER_HOUR;
        scan->scan.time_max = scan->scan.time_min + (int64_t)pick(40000) * TSFS_NS_PER_S;
    }
    if (pick(2)) {
        /* over dimensions alone: other columns look as if they were not there */
        struct tsfs_plan_column *cols = TSFS_NEW_ARRAY(pb_arena, struct tsfs_plan_column, scan->ncols);
        assert_non_null(cols);
        for (uint32_t i = 0; i < scan->ncols; i++) {
            cols[i] = scan->cols[i];
            enum tsfs_role role = source->schema->cols[scan->scan.ordinals[i]].role;
            if (role == TSFS_ROLE_TIME || role == TSFS_ROLE_MEASURE)
                cols[i].type = TSFS_TYPE_COUNT;
        }
        scan->scan.series_filter = random_bool((struct cols){scan->ncols, cols}, 2);
    }
    if (pick(2))
        scan->scan.row_filter = random_bool((struct cols){scan->ncols, scan->cols}, 3);
    scan->scan.newest_first = pick(2);
    return scan;
}

static struct tsfs_plan_aggregate random_aggregate(const struct tsfs_plan *input, bool by_host, E *host,
                                                   E *time)
{
    struct cols cols = {input->ncols, input->cols};
    static const char *const names[] = {"count", "sum", "avg", "min", "max", "sum", "count", "max"};
    struct tsfs_plan_aggregate agg;
    enum tsfs_type type = pick(2) ? TSFS_DOUBLE : TSFS_BIGINT;
    uint32_t kind = pick(10);
    if (kind == 0) {
        agg = pb_agg("count", NULL, NULL);
    } else if (kind == 1 && by_host && time != NULL) {
        E *x = random_expr(cols, pick(2) ? type : TSFS_VARCHAR, pick(2));
        agg = pb_agg(pick(2) ? "min_by" : "max_by", x, time);
    } else if (kind == 2 && time != NULL) {
        agg = pb_agg(pick(2) ? "min" : "max", time, NULL);
    } else if (kind == 3) {
        E *x = random_expr(cols, pick(2) ? TSFS_VARCHAR : TSFS_TIMESTAMP, pick(2));
        agg = pb_agg(names[pick(2) * 3], x, NULL); /* count, min */
    } else {
        E *x = pick(2) ? random_column(cols, type) : NULL;
        agg = pb_agg(names[pick(8)], x != NULL ? x : random_expr(cols, type, 2), NULL);
    }
    agg.distinct = agg.nargs == 1 && pick(6) == 0;
    if (pick(6) == 0)
        agg.filter = random_bool(cols, 2);
    return agg;
}

static E *find_column(const struct tsfs_plan *plan, const char *name)
{
    for (uint32_t i = 0; i < plan->ncols; i++)
        if (tsfs_str_eq(plan->cols[i].name, tsfs_str_from(name)))
            return pb_col(i, plan->cols[i].type);
    return NULL;
}

struct tsfs_plan *random_plan(struct tsfs_source *source, uint64_t seed)
{
    rng = seed;
    struct tsfs_plan *plan = random_scan(source);
    if (pick(3) == 0) {
        E *exprs[4];
        uint32_t n = pick(4) + 1;
        struct tsfs_plan *from = plan;
        E *host = find_column(plan, "host"), *time = find_column(plan, "time");
        for (uint32_t i = 0; i < n; i++)
            exprs[i] = i == 0   ? time
                       : i == 1 ? host
                                : random_expr((struct cols){from->ncols, from->cols}, random_type(), 2);
        plan = pb_project(from, exprs, n);
        plan->cols[0].name = TSFS_STR("time");
        if (n > 1)
            plan->cols[1].name = TSFS_STR("host");
    }
    if (pick(5) == 0)
        plan = pb_filter(plan, random_bool((struct cols){plan->ncols, plan->cols}, 2));
    bool binned = false;
    if (pick(4) != 0) {
        E *groups[3], *host = find_column(plan, "host"), *time = find_column(plan, "time");
        struct tsfs_plan_aggregate aggs[4];
        uint32_t ngroups = 0, naggs = pick(4);
        bool by_host = host != NULL && pick(2);
        if (time != NULL && pick(2)) {
            static const int64_t steps[] = {10, 60, 600, 3600, 86400};
            binned = true;
            groups[ngroups++] = pick(4)
                                    ? pb_call("bin", time, pb_interval(steps[pick(5)] * TSFS_NS_PER_S), NULL)
                                    : pb_call("date_trunc", pb_str(pick(2) ? "hour" : "month"), time, NULL);
        }
        if (by_host)
            groups[ngroups++] = host;
        if (pick(4) == 0 || ngroups + naggs == 0)
            groups[ngroups++] = random_expr((struct cols){plan->ncols, plan->cols}, random_type(), 2);
        for (uint32_t i = 0; i < naggs; i++)
            aggs[i] = random_aggregate(plan, by_host, host, time);
        plan = pb_aggregate(plan, groups, ngroups, aggs, naggs);
    }
    if (pick(2)) {
        struct tsfs_plan_key keys[3];
        uint32_t n = pick(3) + 1;
        for (uint32_t k = 0; k < n; k++) {
            uint32_t col = k == 0 && binned ? 0 : pick(plan->ncols);
            keys[k] = (struct tsfs_plan_key){pb_col(col, plan->cols[col].type), pick(2), pick(2)};
        }
        plan = pb_sort(plan, keys, n, pick(2) ? UINT64_MAX : pick(40));
    }
    return plan;
}
