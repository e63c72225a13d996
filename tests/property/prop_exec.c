/* Random plans over random tables against an evaluator that takes one row at a time and one value at a time,
 * written here in the plainest way.  Every plan runs over several shapes of the same source (pointers or
 * copies, partitions, parts, blocks with and without summaries, short runs), on one thread and on several;
 * what the threads do must not show in a single bit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/time.h"
#include "exec_run.h"
#include "mock_source.h"
#include "plan_build.h"
#include "random_plan.h"

typedef struct tsfs_value V;

static struct tsfs_pool *pool;

static void *need(size_t n)
{
    void *p = tsfs_arena_calloc(pb_arena, n + 1, 1);
    assert_non_null(p);
    return p;
}

/* ---- the oracle's values ---- */

static V null_of(enum tsfs_type type)
{
    return (V){.type = type, .null = true};
}

static V boolean(bool b)
{
    return (V){.type = TSFS_BOOLEAN, .b = b};
}

static int compare_v(V a, V b)
{
    switch (a.type) {
    case TSFS_BOOLEAN: return a.b - b.b;
    case TSFS_DOUBLE: return (a.d > b.d) - (a.d < b.d);
    case TSFS_VARCHAR: return tsfs_str_cmp(a.s, b.s);
    default: return (a.i > b.i) - (a.i < b.i);
    }
}

static V eval(const E *e, const V *row, bool *failed);

static V eval_call(const E *e, const V *row, bool *failed)
{
    V a[4];
    for (uint32_t i = 0; i < e->nargs; i++) {
        a[i] = eval(e->args[i], row, failed);
        if (*failed)
            return null_of(e->type);
    }
    for (uint32_t i = 0; i < e->nargs; i++)
        if (a[i].null)
            return null_of(e->type);
    int c;
    V out = {.type = e->type};
    switch (e->fn->op) {
    case TSFS_OP_EQ: return boolean(compare_v(a[0], a[1]) == 0);
    case TSFS_OP_NE: return boolean(compare_v(a[0], a[1]) != 0);
    case TSFS_OP_LT: return boolean(compare_v(a[0], a[1]) < 0);
    case TSFS_OP_LE: return boolean(compare_v(a[0], a[1]) <= 0);
    case TSFS_OP_GT: return boolean(compare_v(a[0], a[1]) > 0);
    case TSFS_OP_GE: return boolean(compare_v(a[0], a[1]) >= 0);
    case TSFS_OP_ADD:
        out.type == TSFS_DOUBLE ? (out.d = a[0].d + a[1].d) : (out.i = a[0].i + a[1].i);
        return out;
    case TSFS_OP_SUB:
        out.type == TSFS_DOUBLE ? (out.d = a[0].d - a[1].d) : (out.i = a[0].i - a[1].i);
        return out;
    case TSFS_OP_MUL:
        out.type == TSFS_DOUBLE ? (out.d = a[0].d * a[1].d) : (out.i = a[0].i * a[1].i);
        return out;
    case TSFS_OP_DIV:
        if (a[1].i == 0) {
            *failed = true;
            return null_of(e->type);
        }
        out.i = a[0].i / a[1].i;
        return out;
    case TSFS_OP_BIN: out.i = tsfs_time_floor(a[0].i, a[1].i); return out;
    case TSFS_OP_DATE_TRUNC: {
        struct tsfs_civil civil;
        tsfs_time_to_civil(a[1].i, &civil);
        civil.minute = civil.second = 0;
        civil.nanosecond = 0;
        if (a[0].s.ptr[0] == 'm') {
            civil.hour = 0;
            civil.day = 1;
        }
        c = tsfs_time_from_civil(&civil, &out.i);
        assert_int_equal(c, 0);
        return out;
    }
    default: fail_msg("the oracle does not know %s", e->fn->name); return out;
    }
}

static V eval(const E *e, const V *row, bool *failed)
{
    V v, x;
    bool unknown = false, inner = false;
    switch (e->kind) {
    case TSFS_EXPR_LITERAL: return e->value;
    case TSFS_EXPR_COLUMN: return row[e->index];
    case TSFS_EXPR_CALL: return eval_call(e, row, failed);
    case TSFS_EXPR_CAST: /* bigint to double only */
        v = eval(e->args[0], row, failed);
        return v.null ? null_of(e->type) : (V){.type = TSFS_DOUBLE, .d = (double)v.i};
    case TSFS_EXPR_AND:
    case TSFS_EXPR_OR:
        for (uint32_t i = 0; i < e->nargs; i++) {
            v = eval(e->args[i], row, failed);
            if (*failed)
                return v;
            if (!v.null && v.b == (e->kind == TSFS_EXPR_OR))
                return v;
            unknown |= v.null;
        }
        return unknown ? null_of(TSFS_BOOLEAN) : boolean(e->kind == TSFS_EXPR_AND);
    case TSFS_EXPR_NOT:
        v = eval(e->args[0], row, failed);
        v.b = !v.b;
        return v;
    case TSFS_EXPR_IS_NULL: return boolean(eval(e->args[0], row, failed).null);
    case TSFS_EXPR_CASE:
        for (uint32_t i = 0; i + 1 < e->nargs; i += 2) {
            v = eval(e->args[i], row, failed);
            if (*failed)
                return v;
            if (!v.null && v.b)
                return eval(e->args[i + 1], row, failed);
        }
        return eval(e->args[e->nargs - 1], row, failed);
    case TSFS_EXPR_COALESCE:
        for (uint32_t i = 0; i < e->nargs; i++) {
            v = eval(e->args[i], row, failed);
            if (*failed || !v.null)
                return v;
        }
        return null_of(e->type);
    case TSFS_EXPR_IN:
        x = eval(e->args[0], row, failed);
        if (*failed || x.null)
            return null_of(TSFS_BOOLEAN);
        for (uint32_t i = 1; i < e->nargs; i++) {
            v = eval(e->args[i], row, failed);
            if (*failed)
                return v;
            if (!v.null && compare_v(x, v) == 0)
                return boolean(true);
            unknown |= v.null;
        }
        return unknown ? null_of(TSFS_BOOLEAN) : boolean(false);
    case TSFS_EXPR_TRY: v = eval(e->args[0], row, &inner); return inner ? null_of(e->type) : v;
    case TSFS_EXPR_SUBQUERY:
    case TSFS_EXPR_OUTER:
    case TSFS_EXPR_LAMBDA:
    case TSFS_EXPR_PARAM:
    case TSFS_EXPR_SET: break; /* no generated plan has them */
    }
    fail_msg("unknown expression");
    return null_of(TSFS_UNKNOWN);
}

/* ---- the oracle's plans ---- */

struct rows {
    size_t n;
    uint32_t ncols;
    V *values;
};

static struct rows oracle(const struct mock_table *table, const struct tsfs_plan *plan);

static V cell(const struct mock_table *table, const struct mock_series *s, uint16_t ordinal, uint32_t row)
{
    const struct tsfs_column *col = &table->schema->cols[ordinal];
    V v = {.type = col->type};
    const struct tsfs_str *text = col->role == TSFS_ROLE_MEASURE_NAME ? &s->measure_name
                                  : col->role == TSFS_ROLE_DIMENSION  ? &s->dims[col->slot]
                                                                      : NULL;
    if (col->role == TSFS_ROLE_TIME) {
        v.i = s->times[row];
    } else if (text != NULL) {
        v.null = text->ptr == NULL;
        v.s = *text;
    } else {
        const struct mock_measure *m = &s->measures[col->slot];
        struct tsfs_vec vec = {.type = col->type, .data = m->data, .valid = m->valid};
        v = m->data == NULL ? null_of(col->type) : tsfs_vec_get(&vec, row);
    }
    return v;
}

static bool true_for(const E *e, const V *row)
{
    bool failed = false;
    if (e == NULL)
        return true;
    V v = eval(e, row, &failed);
    assert_false(failed);
    return !v.null && v.b;
}

static struct rows oracle_scan(const struct mock_table *table, const struct tsfs_plan *plan)
{
    size_t room = 1;
    for (uint32_t i = 0; i < table->nseries; i++)
        room += table->series[i].nrows;
    struct rows out = {.ncols = plan->ncols, .values = need(room * plan->ncols * sizeof(V))};
    for (uint32_t i = 0; i < table->nseries; i++)
        for (uint32_t r = 0; r < table->series[i].nrows; r++) {
            V *row = out.values + out.n * plan->ncols;
            int64_t t = table->series[i].times[r];
            for (uint32_t c = 0; c < plan->ncols; c++)
                row[c] = cell(table, &table->series[i], plan->scan.ordinals[c], r);
            out.n += t >= plan->scan.time_min && t <= plan->scan.time_max &&
                     true_for(plan->scan.series_filter, row) && true_for(plan->scan.row_filter, row);
        }
    return out;
}

static const char *key_text(const struct tsfs_plan *plan, const V *row)
{
    V keys[8];
    bool failed = false;
    for (uint32_t k = 0; k < plan->aggregate.ngroups; k++) {
        keys[k] = eval(plan->aggregate.groups[k], row, &failed);
        keys[k].type = plan->aggregate.groups[k]->type;
    }
    assert_false(failed);
    return row_text(pb_arena, keys, plan->aggregate.ngroups);
}

static V oracle_aggregate_one(const struct tsfs_plan_aggregate *agg, const struct rows *in,
                              const size_t *group, size_t n)
{
    enum tsfs_op op = agg->fn->op;
    V best = {0}, best_by = {0}, out = {.type = agg->fn->result};
    size_t count = 0, ndistinct = 0;
    double dsum = 0;
    int64_t isum = 0;
    const char **distinct = agg->distinct ? need(n * sizeof(*distinct)) : NULL;
    for (size_t i = 0; i < n; i++) {
        const V *row = in->values + group[i] * in->ncols;
        bool failed = false;
        if (!true_for(agg->filter, row))
            continue;
        V x = agg->nargs > 0 ? eval(agg->args[0], row, &failed) : boolean(true);
        V y = agg->nargs > 1 ? eval(agg->args[1], row, &failed) : x;
        assert_false(failed);
        if (y.null)
            continue;
        if (agg->distinct) {
            const char *text = row_text(pb_arena, &x, 1);
            bool seen = false;
            for (size_t k = 0; k < ndistinct && !seen; k++)
                seen = strcmp(distinct[k], text) == 0;
            if (seen)
                continue;
            distinct[ndistinct++] = text;
        }
        bool lower = op == TSFS_OP_MIN || op == TSFS_OP_MIN_BY;
        if (count == 0 || (lower ? compare_v(y, best_by) < 0 : compare_v(y, best_by) > 0)) {
            best = x;
            best_by = y;
        }
        count++;
        dsum += x.type == TSFS_DOUBLE && !x.null ? x.d : 0;
        isum += x.type == TSFS_BIGINT && !x.null ? x.i : 0;
    }
    bool is_double = agg->nargs > 0 && agg->args[0]->type == TSFS_DOUBLE;
    switch (op) {
    case TSFS_OP_COUNT_ALL:
    case TSFS_OP_COUNT: out.i = (int64_t)count; return out;
    case TSFS_OP_SUM: is_double ? (out.d = dsum) : (out.i = isum); break;
    case TSFS_OP_AVG: out.d = (is_double ? dsum : (double)isum) / (double)count; break;
    default: out = best; break;
    }
    return count == 0 ? null_of(agg->fn->result == TSFS_ANY ? agg->args[0]->type : agg->fn->result) : out;
}

struct keyed {
    const char *key;
    size_t row;
};

static int by_key(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;
    int c = strcmp(x->key, y->key);
    return c != 0 ? c : (x->row > y->row) - (x->row < y->row);
}

static struct rows oracle_aggregate(const struct mock_table *table, const struct tsfs_plan *plan)
{
    struct rows in = oracle(table, plan->input);
    struct rows out = {.ncols = plan->ncols, .values = need((in.n + 1) * plan->ncols * sizeof(V))};
    struct keyed *keys = need(in.n * sizeof(*keys));
    size_t *group = need(in.n * sizeof(*group));
    for (size_t i = 0; i < in.n; i++)
        keys[i] = (struct keyed){key_text(plan, in.values + i * in.ncols), i};
    qsort(keys, in.n, sizeof(*keys), by_key);
    for (size_t from = 0; from < in.n || (from == 0 && plan->aggregate.ngroups == 0);) {
        size_t to = from;
        while (to < in.n && strcmp(keys[to].key, keys[from].key) == 0) {
            group[to - from] = keys[to].row;
            to++;
        }
        V *row = out.values + out.n++ * plan->ncols;
        bool failed = false;
        for (uint32_t k = 0; k < plan->aggregate.ngroups; k++)
            row[k] = eval(plan->aggregate.groups[k], in.values + group[0] * in.ncols, &failed);
        for (uint32_t a = 0; a < plan->aggregate.naggs; a++)
            row[plan->aggregate.ngroups + a] =
                oracle_aggregate_one(&plan->aggregate.aggs[a], &in, group, to - from);
        if (in.n == 0)
            break;
        from = to;
    }
    return out;
}

static const struct tsfs_plan *sorting;
static int by_sort(const void *a, const void *b)
{
    for (uint32_t k = 0; k < sorting->sort.nkeys; k++) {
        const struct tsfs_plan_key *key = &sorting->sort.keys[k];
        bool failed = false;
        V x = eval(key->expr, a, &failed), y = eval(key->expr, b, &failed);
        int c;
        if (x.null || y.null)
            c = x.null == y.null ? 0 : x.null == key->nulls_first ? -1 : 1;
        else
            c = key->descending ? compare_v(y, x) : compare_v(x, y);
        if (c != 0)
            return c;
    }
    return 0;
}

static struct rows oracle(const struct mock_table *table, const struct tsfs_plan *plan)
{
    struct rows in, out;
    switch (plan->kind) {
    case TSFS_PLAN_SCAN: return oracle_scan(table, plan);
    case TSFS_PLAN_AGGREGATE: return oracle_aggregate(table, plan);
    case TSFS_PLAN_FILTER:
        in = oracle(table, plan->input);
        out = (struct rows){.ncols = in.ncols, .values = need(in.n * in.ncols * sizeof(V))};
        for (size_t i = 0; i < in.n; i++)
            if (true_for(plan->filter.predicate, in.values + i * in.ncols))
                memcpy(out.values + out.n++ * in.ncols, in.values + i * in.ncols, in.ncols * sizeof(V));
        return out;
    case TSFS_PLAN_PROJECT:
        in = oracle(table, plan->input);
        out = (struct rows){.n = in.n, .ncols = plan->ncols, .values = need(in.n * plan->ncols * sizeof(V))};
        for (size_t i = 0; i < in.n; i++)
            for (uint32_t c = 0; c < plan->ncols; c++) {
                bool failed = false;
                out.values[i * plan->ncols + c] =
                    eval(plan->project.exprs[c], in.values + i * in.ncols, &failed);
                assert_false(failed);
            }
        return out;
    case TSFS_PLAN_SORT:
        in = oracle(table, plan->input);
        sorting = plan;
        qsort(in.values, in.n, in.ncols * sizeof(V), by_sort);
        in.n = in.n < plan->sort.limit ? in.n : plan->sort.limit;
        return in;
    default: fail_msg("the oracle does not know this plan"); return (struct rows){0};
    }
}

/* ---- what failed ---- */

static void show_expr(const E *e)
{
    static const char *const kinds[] = {"",    "",       "",     "cast",     "and", "or",
                                        "not", "isnull", "case", "coalesce", "in",  "try"};
    if (e == NULL)
        return;
    if (e->kind == TSFS_EXPR_LITERAL)
        fprintf(stderr, "%s", row_text(pb_arena, &e->value, 1));
    else if (e->kind == TSFS_EXPR_COLUMN)
        fprintf(stderr, "#%u", e->index);
    else
        fprintf(stderr, "(%s", e->kind == TSFS_EXPR_CALL ? e->fn->name : kinds[e->kind]);
    for (uint32_t i = 0; i < e->nargs; i++) {
        fprintf(stderr, " ");
        show_expr(e->args[i]);
    }
    if (e->kind > TSFS_EXPR_COLUMN)
        fprintf(stderr, ")");
}

static void show_named(const char *name, const E *e)
{
    fprintf(stderr, "  %s ", name);
    show_expr(e);
    fprintf(stderr, "\n");
}

static void show(const struct tsfs_plan *plan)
{
    for (; plan != NULL; plan = plan->input) {
        fprintf(stderr, "plan kind %d\n", (int)plan->kind);
        switch (plan->kind) {
        case TSFS_PLAN_SCAN:
            for (uint32_t i = 0; i < plan->ncols; i++)
                fprintf(stderr, "  #%u %s\n", i, plan->cols[i].name.ptr);
            fprintf(stderr, "  time %lld %lld\n", (long long)plan->scan.time_min,
                    (long long)plan->scan.time_max);
            show_named("series", plan->scan.series_filter);
            show_named("rows", plan->scan.row_filter);
            break;
        case TSFS_PLAN_FILTER: show_named("where", plan->filter.predicate); break;
        case TSFS_PLAN_PROJECT:
            for (uint32_t i = 0; i < plan->ncols; i++)
                show_named("expr", plan->project.exprs[i]);
            break;
        case TSFS_PLAN_AGGREGATE:
            for (uint32_t i = 0; i < plan->aggregate.ngroups; i++)
                show_named("group", plan->aggregate.groups[i]);
            for (uint32_t i = 0; i < plan->aggregate.naggs; i++) {
                const struct tsfs_plan_aggregate *agg = &plan->aggregate.aggs[i];
                fprintf(stderr, "  %s%s\n", agg->fn->name, agg->distinct ? " distinct" : "");
                for (uint32_t k = 0; k < agg->nargs; k++)
                    show_named("  arg", agg->args[k]);
                show_named("  filter", agg->filter);
            }
            break;
        case TSFS_PLAN_SORT:
            for (uint32_t i = 0; i < plan->sort.nkeys; i++)
                show_named(plan->sort.keys[i].descending ? "desc" : "asc", plan->sort.keys[i].expr);
            fprintf(stderr, "  limit %llu\n", (unsigned long long)plan->sort.limit);
            break;
        default: break;
        }
    }
}

/* ---- comparison ---- */

static const char **texts(const struct tsfs_plan *plan, const V *values, size_t n, uint32_t ncols,
                          bool keys_only)
{
    const char **out = need(n * sizeof(*out));
    for (size_t i = 0; i < n; i++) {
        V keys[4];
        bool failed = false;
        for (uint32_t k = 0; keys_only && k < plan->sort.nkeys; k++)
            keys[k] = eval(plan->sort.keys[k].expr, values + i * ncols, &failed);
        out[i] = keys_only ? row_text(pb_arena, keys, plan->sort.nkeys)
                           : row_text(pb_arena, values + i * ncols, ncols);
    }
    return out;
}

static void check_same(const struct tsfs_plan *plan, const struct rows *want, const struct result *got,
                       uint64_t seed, int shape)
{
    bool sorted = plan->kind == TSFS_PLAN_SORT;
    if (want->n != got->nrows) {
        show(plan);
        fail_msg("seed %llu shape %d: %zu rows, not %zu", (unsigned long long)seed, shape, got->nrows,
                 want->n);
    }
    /* With a limit any of the rows with equal keys may come: then the keys alone decide. */
    for (int keys_only = sorted ? 1 : 0; keys_only >= 0; keys_only--) {
        if (!keys_only && sorted && plan->sort.limit != UINT64_MAX)
            continue;
        const char **w = texts(plan, want->values, want->n, plan->ncols, keys_only);
        const char **g = texts(plan, got->values, got->nrows, plan->ncols, keys_only);
        if (!keys_only) {
            sort_text(w, want->n);
            sort_text(g, got->nrows);
        }
        for (size_t i = 0; i < want->n; i++)
            if (strcmp(w[i], g[i]) != 0) {
                show(plan);
                fail_msg("seed %llu shape %d row %zu: %s, not %s", (unsigned long long)seed, shape, i, g[i],
                         w[i]);
            }
    }
}

static const struct mock_options shapes[] = {
    {0},
    {.partition = TSFS_NS_PER_HOUR, .parts = 3, .copies = true, .no_estimates = true},
    {.block_rows = 16, .copies = true},
    {.partition = 3 * TSFS_NS_PER_HOUR,
     .parts = 2,
     .block_rows = 64,
     .hide_some = true,
     .no_estimates = true},
    {.block_rows = 8, .run_rows = 100, .copies = true, .parts = 2, .no_estimates = true},
};

static void one_case(uint64_t seed)
{
    struct tsfs_arena arena;
    tsfs_arena_init(&arena, NULL);
    pb_arena = &arena;
    struct mock_table table;
    mock_table_random(&table, seed / 4);
    struct tsfs_source *source = mock_source_create(&table, &shapes[0]);
    struct tsfs_plan *plan = random_plan(source, seed);
    struct tsfs_plan *scan = plan;
    while (scan->kind != TSFS_PLAN_SCAN)
        scan = scan->input;
    struct rows want = oracle(&table, plan);
    const char **serial = NULL;
    for (int s = 0; s < (int)(sizeof(shapes) / sizeof(shapes[0])); s++) {
        struct tsfs_source *shaped = mock_source_create(&table, &shapes[s]);
        scan->scan.table.source = shaped;
        for (int threads = 0; threads < 2; threads++) {
            struct tsfs_exec_options options = {.pool = threads ? pool : NULL};
            struct tsfs_error err = {0};
            struct result got;
            int rc = run_plan(plan, &options, &arena, &got, &err);
            if (rc != 0)
                fail_msg("seed %llu shape %d: %d %s", (unsigned long long)seed, s, rc, err.message);
            check_same(plan, &want, &got, seed, s);
            const char **text = result_text(&arena, &got);
            for (size_t i = 0; threads && i < got.nrows; i++)
                if (strcmp(text[i], serial[i]) != 0)
                    fail_msg("seed %llu shape %d row %zu depends on threads", (unsigned long long)seed, s, i);
            serial = text;
        }
        shaped->ops->free(shaped);
    }
    source->ops->free(source);
    mock_table_free(&table);
    tsfs_arena_free(&arena);
    assert_int_equal(mock_open(), 0);
}

static void random_plans(void **state)
{
    const char *only = getenv("SEED"), *many = getenv("CASES");
    uint64_t n = many != NULL ? strtoull(many, NULL, 10) : 400;
    if (only != NULL)
        one_case(strtoull(only, NULL, 10));
    for (uint64_t seed = 1; only == NULL && seed <= n; seed++)
        one_case(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_plans)};
    if (tsfs_pool_create(3, &pool) != 0)
        return 1;
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    tsfs_pool_free(pool);
    return rc;
}
