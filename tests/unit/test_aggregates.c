/* Every aggregate, computed in all the ways that the executor may choose: one run, many runs, row by row,
 * parts that are merged, whole blocks from summaries; over columns with and without NULLs and over constants.
 * All must agree with each other and with a plain oracle: would catch lanes that drop a rest, NULLs that
 * count, merges that depend on order, summaries that differ from rows. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "col/text.h"
#include "exec/function.h"
#include "exec/functions/lanes.h"

#define ROWS 1500u

static struct tsfs_arena arena;
static struct tsfs_error err;
static uint64_t seed = 4711;

static uint64_t rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static struct tsfs_kernel_ctx context(void)
{
    tsfs_error_clear(&err);
    return (struct tsfs_kernel_ctx){.arena = &arena, .err = &err, .line = 1, .column = 8};
}

static const struct tsfs_function *lookup(const char *name, const enum tsfs_type *types, unsigned nargs)
{
    const struct tsfs_function_set *set = tsfs_functions();
    for (uint32_t i = 0; i < set->n; i++) {
        const struct tsfs_function *fn = &set->items[i];
        bool fits = fn->kind == TSFS_FUNCTION_AGGREGATE && strcmp(fn->name, name) == 0 && fn->nargs == nargs;
        for (unsigned a = 0; fits && a < nargs; a++)
            fits = fn->args[a] == TSFS_ANY || fn->args[a] == types[a];
        if (fits)
            return fn;
    }
    fail_msg("no aggregate %s", name);
    return NULL;
}

/* Random values; the strings live in the arena.  spread: how far numbers lie apart. */
static struct tsfs_vec column(enum tsfs_type type, unsigned nulls_of_8, unsigned spread)
{
    struct tsfs_vec v = {.type = type};
    unsigned width = tsfs_type_width(type);
    char *data = tsfs_arena_calloc(&arena, ROWS, width);
    uint64_t *valid = tsfs_arena_calloc(&arena, tsfs_bit_words(ROWS), sizeof(*valid));
    for (uint32_t i = 0; i < ROWS; i++) {
        int64_t n = (int64_t)(rnd() % (2 * (uint64_t)spread + 1)) - spread;
        if (rnd() % 8 >= nulls_of_8)
            tsfs_bit_set(valid, i);
        else
            n = INT64_MAX - (int64_t)(rnd() % 3); /* rubbish under a NULL */
        switch (type) {
        case TSFS_BOOLEAN: data[i] = n & 1; break;
        case TSFS_DOUBLE: ((double *)(void *)data)[i] = (double)n / 7 + 1000; break;
        case TSFS_VARCHAR: {
            struct tsfs_str *s = (struct tsfs_str *)(void *)data + i;
            s->ptr = tsfs_arena_printf(&arena, "%llx", (unsigned long long)n + spread);
            s->len = strlen(s->ptr);
            break;
        }
        default: ((int64_t *)(void *)data)[i] = n; break;
        }
    }
    v.data = data;
    v.valid = nulls_of_8 > 0 ? valid : NULL;
    return v;
}

static void *new_state(const struct tsfs_aggregate_impl *impl)
{
    /* Off 16-byte alignment on purpose: states need 8. */
    return (char *)tsfs_arena_calloc(&arena, 1, impl->state_size + 24) + 8;
}

static int finish(const struct tsfs_function *fn, const struct tsfs_vec *args, const void *state,
                  struct tsfs_value *out)
{
    const struct tsfs_aggregate_impl *impl = fn->impl;
    struct tsfs_kernel_ctx ctx = context();
    char data[3 * sizeof(struct tsfs_str)];
    uint64_t valid[1] = {rnd()};
    memset(data, 0x5a, sizeof(data));
    int rc = impl->finish(&ctx, state, data, valid, 1);
    struct tsfs_vec v = {
        .type = fn->result == TSFS_ANY ? args[0].type : fn->result, .data = data, .valid = valid};
    if (rc == 0)
        *out = tsfs_vec_get(&v, 1);
    return rc;
}

enum way { ONE_RUN, MANY_RUNS, ROW_BY_ROW, MERGED_RUNS, MERGED_ROWS, WAYS };

static int compute(const struct tsfs_function *fn, const struct tsfs_vec *args, uint32_t n, enum way way,
                   struct tsfs_value *out)
{
    const struct tsfs_aggregate_impl *impl = fn->impl;
    struct tsfs_kernel_ctx ctx = context();
    void *states[4], **rows = tsfs_arena_alloc(&arena, ROWS * sizeof(*rows));
    for (int i = 0; i < 4; i++)
        states[i] = new_state(impl);
    int rc = 0;
    switch (way) {
    case ONE_RUN: rc = impl->update_run(&ctx, states[0], args, 0, n); break;
    case MANY_RUNS:
    case MERGED_RUNS:
        for (uint32_t at = 0; rc == 0 && at < n;) {
            uint32_t take = (uint32_t)(rnd() % 200) + 1;
            take = take < n - at ? take : n - at;
            rc = impl->update_run(&ctx, states[way == MANY_RUNS ? 0 : rnd() % 4], args, at, take);
            at += take;
        }
        break;
    default:
        for (uint32_t i = 0; i < n; i++)
            rows[i] = states[way == ROW_BY_ROW ? 0 : rnd() % 4];
        rc = impl->update_rows(&ctx, rows, args, n);
        break;
    }
    for (int i = 1; rc == 0 && i < 4; i++)
        rc = impl->merge(&ctx, states[0], states[i]);
    return rc != 0 ? rc : finish(fn, args, states[0], out);
}

static void same(const char *what, struct tsfs_value got, struct tsfs_value want, double tolerance)
{
    if (got.null || want.null) {
        if (got.null != want.null)
            fail_msg("%s: %s", what, got.null ? "NULL" : "not NULL");
        return;
    }
    bool ok;
    if (got.type == TSFS_DOUBLE)
        ok = got.d == want.d || (isnan(got.d) && isnan(want.d)) ||
             fabs(got.d - want.d) <= tolerance * (fabs(want.d) + 1);
    else if (got.type == TSFS_VARCHAR)
        ok = tsfs_str_eq(got.s, want.s);
    else if (got.type == TSFS_BOOLEAN)
        ok = got.b == want.b;
    else
        ok = got.i == want.i;
    if (!ok)
        fail_msg("%s: %.17g %lld instead of %.17g %lld", what, got.type == TSFS_DOUBLE ? got.d : 0.0,
                 got.type == TSFS_DOUBLE ? 0LL : (long long)got.i, want.type == TSFS_DOUBLE ? want.d : 0.0,
                 want.type == TSFS_DOUBLE ? 0LL : (long long)want.i);
}

/* Oracles over the rows where all arguments are there. */
struct sample {
    uint32_t n;
    const struct tsfs_value *x, *y; /* y NULL: one argument */
};
typedef struct tsfs_value (*oracle)(const struct sample *s);

static const struct tsfs_value null_value = {.null = true};

static struct tsfs_value dbl(long double v)
{
    return (struct tsfs_value){.type = TSFS_DOUBLE, .d = (double)v};
}

static struct tsfs_value big(int64_t v)
{
    return (struct tsfs_value){.type = TSFS_BIGINT, .i = v};
}

static long double real(struct tsfs_value v)
{
    return v.type == TSFS_DOUBLE ? (long double)v.d : (long double)v.i;
}

static long double power_sum(const struct tsfs_value *v, uint32_t n, long double mean, int power)
{
    long double sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += powl(real(v[i]) - mean, power);
    return sum;
}

static long double mean(const struct tsfs_value *v, uint32_t n)
{
    return power_sum(v, n, 0, 1) / n;
}

static int order(struct tsfs_value a, struct tsfs_value b)
{
    if (a.type == TSFS_VARCHAR)
        return tsfs_str_cmp(a.s, b.s);
    if (a.type == TSFS_BOOLEAN)
        return a.b - b.b;
    if (a.type == TSFS_DOUBLE)
        return (a.d > b.d) - (a.d < b.d);
    return (a.i > b.i) - (a.i < b.i);
}

static struct tsfs_value o_count(const struct sample *s)
{
    return big(s->n);
}

static struct tsfs_value o_sum(const struct sample *s)
{
    if (s->n == 0)
        return null_value;
    if (s->x[0].type == TSFS_DOUBLE)
        return dbl(power_sum(s->x, s->n, 0, 1));
    int64_t sum = 0;
    for (uint32_t i = 0; i < s->n; i++)
        sum += s->x[i].i;
    return (struct tsfs_value){.type = s->x[0].type == TSFS_INTEGER ? TSFS_BIGINT : s->x[0].type, .i = sum};
}

static struct tsfs_value o_avg(const struct sample *s)
{
    return s->n ? dbl(mean(s->x, s->n)) : null_value;
}

static struct tsfs_value o_avg_interval(const struct sample *s)
{
    struct tsfs_value sum = o_sum(s);
    if (s->n > 0)
        sum.i /= s->n;
    return sum;
}

static struct tsfs_value extreme(const struct tsfs_value *v, const struct tsfs_value *by, uint32_t n,
                                 int sign)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < n; i++)
        if (sign * order(by[i], by[best]) > 0)
            best = i;
    return n > 0 ? v[best] : null_value;
}

static struct tsfs_value o_min(const struct sample *s)
{
    return extreme(s->x, s->x, s->n, -1);
}

static struct tsfs_value o_max(const struct sample *s)
{
    return extreme(s->x, s->x, s->n, 1);
}

static struct tsfs_value o_min_by(const struct sample *s)
{
    return extreme(s->x, s->y, s->n, -1);
}

static struct tsfs_value o_max_by(const struct sample *s)
{
    return extreme(s->x, s->y, s->n, 1);
}

static struct tsfs_value o_var_pop(const struct sample *s)
{
    return s->n ? dbl(power_sum(s->x, s->n, mean(s->x, s->n), 2) / s->n) : null_value;
}

static struct tsfs_value o_var_samp(const struct sample *s)
{
    return s->n > 1 ? dbl(power_sum(s->x, s->n, mean(s->x, s->n), 2) / (s->n - 1)) : null_value;
}

static struct tsfs_value root(struct tsfs_value v)
{
    v.d = sqrt(v.d);
    return v;
}

static struct tsfs_value o_stddev_pop(const struct sample *s)
{
    return root(o_var_pop(s));
}

static struct tsfs_value o_stddev_samp(const struct sample *s)
{
    return root(o_var_samp(s));
}

static struct tsfs_value o_skewness(const struct sample *s)
{
    if (s->n < 3)
        return null_value;
    long double m = mean(s->x, s->n), m2 = power_sum(s->x, s->n, m, 2), m3 = power_sum(s->x, s->n, m, 3);
    return dbl(sqrtl(s->n) * m3 / powl(m2, 1.5L));
}

static struct tsfs_value o_kurtosis(const struct sample *s)
{
    if (s->n < 4)
        return null_value;
    long double n = s->n, m = mean(s->x, s->n), var = power_sum(s->x, s->n, m, 2) / (n - 1);
    return dbl(n * (n + 1) / ((n - 1) * (n - 2) * (n - 3)) * power_sum(s->x, s->n, m, 4) / (var * var) -
               3 * (n - 1) * (n - 1) / ((n - 2) * (n - 3)));
}

static long double cross(const struct sample *s, const struct tsfs_value *a, const struct tsfs_value *b)
{
    long double ma = mean(a, s->n), mb = mean(b, s->n), sum = 0;
    for (uint32_t i = 0; i < s->n; i++)
        sum += (real(a[i]) - ma) * (real(b[i]) - mb);
    return sum;
}

static struct tsfs_value o_covar_pop(const struct sample *s)
{
    return s->n ? dbl(cross(s, s->x, s->y) / s->n) : null_value;
}

static struct tsfs_value o_covar_samp(const struct sample *s)
{
    return s->n > 1 ? dbl(cross(s, s->x, s->y) / (s->n - 1)) : null_value;
}

static struct tsfs_value o_corr(const struct sample *s)
{
    if (s->n < 2)
        return null_value;
    return dbl(cross(s, s->x, s->y) / sqrtl(cross(s, s->x, s->x) * cross(s, s->y, s->y)));
}

/* The first argument is y, the dependent one. */
static struct tsfs_value o_slope(const struct sample *s)
{
    return s->n > 1 ? dbl(cross(s, s->x, s->y) / cross(s, s->y, s->y)) : null_value;
}

static struct tsfs_value o_intercept(const struct sample *s)
{
    return s->n > 1 ? dbl(mean(s->x, s->n) - (long double)o_slope(s).d * mean(s->y, s->n)) : null_value;
}

static struct tsfs_value o_geometric(const struct sample *s)
{
    long double sum = 0;
    for (uint32_t i = 0; i < s->n; i++)
        sum += logl(real(s->x[i]));
    return s->n ? dbl(expl(sum / s->n)) : null_value;
}

static struct tsfs_value o_count_if(const struct sample *s)
{
    int64_t n = 0;
    for (uint32_t i = 0; i < s->n; i++)
        n += s->x[i].b;
    return big(n);
}

static struct tsfs_value o_and(const struct sample *s)
{
    return s->n ? (struct tsfs_value){.type = TSFS_BOOLEAN, .b = o_count_if(s).i == s->n} : null_value;
}

static struct tsfs_value o_or(const struct sample *s)
{
    return s->n ? (struct tsfs_value){.type = TSFS_BOOLEAN, .b = o_count_if(s).i > 0} : null_value;
}

static struct tsfs_value o_bits_and(const struct sample *s)
{
    int64_t v = -1;
    for (uint32_t i = 0; i < s->n; i++)
        v &= s->x[i].i;
    return s->n ? big(v) : null_value;
}

static struct tsfs_value o_bits_or(const struct sample *s)
{
    int64_t v = 0;
    for (uint32_t i = 0; i < s->n; i++)
        v |= s->x[i].i;
    return s->n ? big(v) : null_value;
}

static struct tsfs_value o_bits_xor(const struct sample *s)
{
    int64_t v = 0;
    for (uint32_t i = 0; i < s->n; i++)
        v ^= s->x[i].i;
    return s->n ? big(v) : null_value;
}

static struct tsfs_value o_avgx(const struct sample *s)
{
    return s->n ? dbl(mean(s->y, s->n)) : null_value;
}

static struct tsfs_value o_avgy(const struct sample *s)
{
    return s->n ? dbl(mean(s->x, s->n)) : null_value;
}

static struct tsfs_value o_sxx(const struct sample *s)
{
    return s->n ? dbl(cross(s, s->y, s->y)) : null_value;
}

static struct tsfs_value o_syy(const struct sample *s)
{
    return s->n ? dbl(cross(s, s->x, s->x)) : null_value;
}

static struct tsfs_value o_sxy(const struct sample *s)
{
    return s->n ? dbl(cross(s, s->x, s->y)) : null_value;
}

static struct tsfs_value o_r2(const struct sample *s)
{
    if (s->n < 2)
        return null_value;
    long double xy = cross(s, s->x, s->y);
    if (cross(s, s->x, s->x) == 0)
        return dbl(1); /* a level line fits level points */
    return dbl(xy * xy / (cross(s, s->x, s->x) * cross(s, s->y, s->y)));
}

static const struct {
    const char *name;
    unsigned nargs;
    enum tsfs_type types[2];
    oracle expected;
    double tolerance;
} cases[] = {
    {"count", 1, {TSFS_DOUBLE}, o_count, 0},
    {"count", 1, {TSFS_VARCHAR}, o_count, 0},
    {"sum", 1, {TSFS_BIGINT}, o_sum, 0},
    {"sum", 1, {TSFS_INTEGER}, o_sum, 0},
    {"sum", 1, {TSFS_DOUBLE}, o_sum, 1e-15},
    {"sum", 1, {TSFS_INTERVAL_DS}, o_sum, 0},
    {"sum", 1, {TSFS_INTERVAL_YM}, o_sum, 0},
    {"avg", 1, {TSFS_BIGINT}, o_avg, 1e-15},
    {"avg", 1, {TSFS_INTEGER}, o_avg, 1e-15},
    {"avg", 1, {TSFS_DOUBLE}, o_avg, 1e-15},
    {"avg", 1, {TSFS_INTERVAL_DS}, o_avg_interval, 0},
    {"min", 1, {TSFS_BIGINT}, o_min, 0},
    {"max", 1, {TSFS_BIGINT}, o_max, 0},
    {"min", 1, {TSFS_DOUBLE}, o_min, 0},
    {"max", 1, {TSFS_DOUBLE}, o_max, 0},
    {"min", 1, {TSFS_VARCHAR}, o_min, 0},
    {"max", 1, {TSFS_VARCHAR}, o_max, 0},
    {"min", 1, {TSFS_BOOLEAN}, o_min, 0},
    {"max", 1, {TSFS_BOOLEAN}, o_max, 0},
    {"min", 1, {TSFS_TIMESTAMP}, o_min, 0},
    {"max", 1, {TSFS_DATE}, o_max, 0},
    {"min_by", 2, {TSFS_DOUBLE, TSFS_TIMESTAMP}, o_min_by, 0},
    {"max_by", 2, {TSFS_VARCHAR, TSFS_TIMESTAMP}, o_max_by, 0},
    {"min_by", 2, {TSFS_VARCHAR, TSFS_DOUBLE}, o_min_by, 0},
    {"max_by", 2, {TSFS_BIGINT, TSFS_DOUBLE}, o_max_by, 0},
    {"min_by", 2, {TSFS_BOOLEAN, TSFS_VARCHAR}, o_min_by, 0},
    {"max_by", 2, {TSFS_VARCHAR, TSFS_VARCHAR}, o_max_by, 0},
    {"max_by", 2, {TSFS_VARCHAR, TSFS_BIGINT}, o_max_by, 0},
    {"stddev", 1, {TSFS_DOUBLE}, o_stddev_samp, 1e-12},
    {"stddev_samp", 1, {TSFS_DOUBLE}, o_stddev_samp, 1e-12},
    {"stddev_pop", 1, {TSFS_DOUBLE}, o_stddev_pop, 1e-12},
    {"variance", 1, {TSFS_DOUBLE}, o_var_samp, 1e-12},
    {"var_samp", 1, {TSFS_DOUBLE}, o_var_samp, 1e-12},
    {"var_pop", 1, {TSFS_DOUBLE}, o_var_pop, 1e-12},
    {"skewness", 1, {TSFS_DOUBLE}, o_skewness, 1e-10},
    {"kurtosis", 1, {TSFS_DOUBLE}, o_kurtosis, 1e-10},
    {"covar_pop", 2, {TSFS_DOUBLE, TSFS_DOUBLE}, o_covar_pop, 1e-10},
    {"covar_samp", 2, {TSFS_DOUBLE, TSFS_DOUBLE}, o_covar_samp, 1e-10},
    {"corr", 2, {TSFS_DOUBLE, TSFS_DOUBLE}, o_corr, 1e-10},
    {"regr_slope", 2, {TSFS_DOUBLE, TSFS_DOUBLE}, o_slope, 1e-10},
    {"regr_intercept", 2, {TSFS_DOUBLE, TSFS_DOUBLE}, o_intercept, 1e-9},
    {"regr_avgx", 2, {TSFS_DOUBLE, TSFS_DOUBLE}, o_avgx, 1e-10},
    {"regr_avgy", 2, {TSFS_DOUBLE, TSFS_DOUBLE}, o_avgy, 1e-10},
    {"regr_sxx", 2, {TSFS_DOUBLE, TSFS_DOUBLE}, o_sxx, 1e-10},
    {"regr_syy", 2, {TSFS_DOUBLE, TSFS_DOUBLE}, o_syy, 1e-10},
    {"regr_sxy", 2, {TSFS_DOUBLE, TSFS_DOUBLE}, o_sxy, 1e-9},
    {"regr_count", 2, {TSFS_DOUBLE, TSFS_DOUBLE}, o_count, 0},
    {"regr_r2", 2, {TSFS_DOUBLE, TSFS_DOUBLE}, o_r2, 1e-9},
    {"geometric_mean", 1, {TSFS_DOUBLE}, o_geometric, 1e-12},
    {"count_if", 1, {TSFS_BOOLEAN}, o_count_if, 0},
    {"bool_and", 1, {TSFS_BOOLEAN}, o_and, 0},
    {"every", 1, {TSFS_BOOLEAN}, o_and, 0},
    {"bool_or", 1, {TSFS_BOOLEAN}, o_or, 0},
    {"bitwise_and_agg", 1, {TSFS_BIGINT}, o_bits_and, 0},
    {"bitwise_or_agg", 1, {TSFS_BIGINT}, o_bits_or, 0},
    {"bitwise_xor_agg", 1, {TSFS_BIGINT}, o_bits_xor, 0},
    {"approx_distinct", 1, {TSFS_BOOLEAN}, NULL, 0},
    {"approx_percentile", 2, {TSFS_DOUBLE, TSFS_DOUBLE}, NULL, 0},
    {"arbitrary", 1, {TSFS_VARCHAR}, NULL, 0},
    {"any_value", 1, {TSFS_BIGINT}, NULL, 0},
};
#define N_CASES (sizeof(cases) / sizeof(cases[0]))

static void test_against_oracle(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {0, 1, 2, 3, 4, 7, 8, 17, 64, 65, 300, ROWS};
    static struct tsfs_value x[ROWS], y[ROWS];
    for (size_t c = 0; c < N_CASES; c++) {
        const struct tsfs_function *fn = lookup(cases[c].name, cases[c].types, cases[c].nargs);
        for (int round = 0; cases[c].expected != NULL && round < 36; round++) {
            uint32_t n = sizes[round % 12];
            bool by = cases[c].nargs == 2 && strstr(cases[c].name, "_by") != NULL;
            struct tsfs_vec args[2];
            for (unsigned a = 0; a < cases[c].nargs; a++)
                args[a] = column(cases[c].types[a], (unsigned)(round / 12) * (a == 0 && by ? 0 : 3),
                                 by && a == 1 ? 1u << 30 : 1000);
            if (round % 7 == 5)
                args[0].constant = true;
            struct sample s = {.x = x, .y = cases[c].nargs > 1 ? y : NULL};
            for (uint32_t i = 0; i < n; i++) {
                bool null = false;
                for (unsigned a = 0; a < cases[c].nargs; a++)
                    null |= tsfs_vec_null(&args[a], i);
                if (null)
                    continue;
                x[s.n] = tsfs_vec_get(&args[0], i);
                if (cases[c].nargs > 1)
                    y[s.n] = tsfs_vec_get(&args[1], i);
                s.n++;
            }
            struct tsfs_value want = cases[c].expected(&s);
            for (enum way way = 0; way < WAYS; way++) {
                struct tsfs_value got;
                if (compute(fn, args, n, way, &got) != 0)
                    fail_msg("%s: %s", cases[c].name, err.message);
                char what[96];
                snprintf(what, sizeof(what), "%s(%s), %u rows, round %d, way %d", cases[c].name,
                         tsfs_type_name(cases[c].types[0]), n, round, (int)way);
                /* The shape of constants is 0/0 for these. */
                bool degenerate = args[0].constant && (strcmp(cases[c].name, "skewness") == 0 ||
                                                       strcmp(cases[c].name, "kurtosis") == 0 ||
                                                       strcmp(cases[c].name, "corr") == 0);
                if (!degenerate && !(n < 4 && strncmp(cases[c].name, "regr", 4) == 0))
                    same(what, got, want, cases[c].tolerance);
            }
            tsfs_arena_reset(&arena);
        }
    }
}

static void test_all_named(void **state)
{
    (void)state;
    const struct tsfs_function_set *set = tsfs_functions();
    for (uint32_t i = 0; i < set->n; i++) {
        /* those with a signature are tested from SQL: test_nested_sql.c */
        bool found = set->items[i].kind != TSFS_FUNCTION_AGGREGATE || set->items[i].sig != NULL;
        for (size_t c = 0; !found && c < N_CASES; c++)
            found = strcmp(cases[c].name, set->items[i].name) == 0;
        if (!found)
            fail_msg("%s has no test", set->items[i].name);
    }
}

static struct tsfs_value of_doubles(const char *name, const double *v, uint32_t n, enum way way)
{
    enum tsfs_type type = TSFS_DOUBLE;
    struct tsfs_vec arg = {.type = type, .d = v};
    struct tsfs_value out;
    assert_int_equal(compute(lookup(name, &type, 1), &arg, n, way, &out), 0);
    return out;
}

/* The order of the rows and how they are split does not show in a sum. */
static void test_sum_is_stable(void **state)
{
    (void)state;
    double v[ROWS];
    for (int round = 0; round < 50; round++) {
        for (uint32_t i = 0; i < ROWS; i++)
            v[i] = ldexp((double)rnd() / 0x1p64 - 0.5, (int)(rnd() % 40));
        double first = of_doubles("sum", v, ROWS, ONE_RUN).d;
        for (enum way way = MANY_RUNS; way < WAYS; way++)
            assert_true(of_doubles("sum", v, ROWS, way).d == first);
        tsfs_arena_reset(&arena);
    }
    for (uint32_t i = 0; i < ROWS; i++)
        v[i] = i % 3 == 0 ? 1e20 : i % 3 == 1 ? 1.0 : -1e20;
    for (enum way way = 0; way < WAYS; way++)
        assert_true(of_doubles("sum", v, ROWS, way).d == ROWS / 3);
    v[700] = INFINITY;
    assert_true(of_doubles("sum", v, ROWS, ONE_RUN).d == INFINITY);
    v[701] = -INFINITY;
    assert_true(isnan(of_doubles("sum", v, ROWS, MERGED_RUNS).d));
}

/* Only what is nothing but NaN has a NaN for its extremes. */
static void test_nan_is_passed_over(void **state)
{
    (void)state;
    double v[100];
    for (int i = 0; i < 100; i++)
        v[i] = i;
    v[50] = NAN;
    for (enum way way = 0; way < WAYS; way++) {
        assert_true(of_doubles("max", v, 100, way).d == 99);
        assert_true(of_doubles("min", v, 100, way).d == 0);
    }
    for (int i = 0; i < 100; i++)
        v[i] = NAN;
    for (enum way way = 0; way < WAYS; way++) {
        assert_true(isnan(of_doubles("min", v, 100, way).d));
        assert_true(isnan(of_doubles("max", v, 100, way).d));
    }
    for (int i = 0; i < 100; i++)
        v[i] = INFINITY;
    assert_true(of_doubles("min", v, 100, ONE_RUN).d == INFINITY);
}

/* Sums of whole numbers pass through any overflow on the way and fail only if the end does not fit. */
static void test_integer_sum_overflow(void **state)
{
    (void)state;
    enum tsfs_type type = TSFS_BIGINT;
    const struct tsfs_function *fn = lookup("sum", &type, 1), *avg = lookup("avg", &type, 1);
    int64_t v[64];
    struct tsfs_vec arg = {.type = type, .i = v};
    struct tsfs_value out;
    for (enum way way = 0; way < WAYS; way++) {
        for (int i = 0; i < 64; i++)
            v[i] = i < 32 ? INT64_MAX : INT64_MIN;
        assert_int_equal(compute(fn, &arg, 64, way, &out), 0);
        assert_int_equal(out.i, -32);
        v[63] = INT64_MAX;
        assert_int_equal(compute(fn, &arg, 64, way, &out), -EINVAL);
        assert_non_null(strstr(err.message, "does not fit into a bigint"));
        assert_int_equal(err.column, 8);
        for (int i = 0; i < 64; i++)
            v[i] = INT64_MIN;
        assert_int_equal(compute(fn, &arg, 64, way, &out), -EINVAL);
        assert_int_equal(compute(avg, &arg, 64, way, &out), 0);
        assert_true(out.d == -0x1p63);
    }
}

/* min_by and max_by give NULL when x is NULL in the chosen row, and pass over rows whose y is. */
static void test_by_nulls(void **state)
{
    (void)state;
    enum tsfs_type types[2] = {TSFS_DOUBLE, TSFS_TIMESTAMP};
    double x[3] = {1, 2, 3};
    int64_t y[3] = {10, 20, 30};
    uint64_t x_valid[1] = {5}, y_valid[1] = {3};
    struct tsfs_vec args[2] = {{.type = TSFS_DOUBLE, .d = x, .valid = x_valid},
                               {.type = TSFS_TIMESTAMP, .i = y, .valid = y_valid}};
    struct tsfs_value out;
    for (enum way way = 0; way < WAYS; way++) {
        assert_int_equal(compute(lookup("max_by", types, 2), args, 3, way, &out), 0);
        assert_true(out.null);
        assert_int_equal(compute(lookup("min_by", types, 2), args, 3, way, &out), 0);
        assert_true(!out.null && out.d == 1);
    }
}

static void test_count_all(void **state)
{
    (void)state;
    const struct tsfs_function *fn = lookup("count", NULL, 0);
    struct tsfs_value out;
    for (enum way way = 0; way < WAYS; way++) {
        assert_int_equal(compute(fn, NULL, 777, way, &out), 0);
        assert_int_equal(out.i, 777);
    }
}

/* Blocks answered from summaries give what their rows give. */
static void test_summaries(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool by_time;
    } names[] = {{"count", false}, {"sum", false},   {"avg", false},  {"min", false},
                 {"max", false},   {"min_by", true}, {"max_by", true}};
    static const enum tsfs_type kinds[] = {TSFS_DOUBLE, TSFS_BIGINT};
    for (int round = 0; round < 400; round++) {
        enum tsfs_type types[2] = {kinds[round % 2], TSFS_TIMESTAMP};
        unsigned nulls = round / 2 % 4 == 0 ? 3 : round / 2 % 4 == 1 ? 8 : 0;
        struct tsfs_vec args[2] = {column(types[0], nulls, 1000), {.type = TSFS_TIMESTAMP}};
        int64_t *times = tsfs_arena_alloc(&arena, ROWS * sizeof(*times));
        for (uint32_t i = 0; i < ROWS; i++)
            times[i] = (int64_t)i * 10 - 5000;
        args[1].i = times;
        uint32_t row = (uint32_t)(rnd() % 1000), n = (uint32_t)(rnd() % 300) + 1;
        struct tsfs_block block = {
            .row = row, .nrows = n, .t_first = times[row], .t_last = times[row + n - 1]};
        struct tsfs_summary sum = {0};
        for (uint32_t i = row; i < row + n; i++) {
            struct tsfs_value v = tsfs_vec_get(&args[0], i);
            if (v.null)
                continue;
            if (types[0] == TSFS_DOUBLE) {
                sum.dsum += v.d;
                sum.dmin = sum.count == 0 || v.d < sum.dmin ? v.d : sum.dmin;
                sum.dmax = sum.count == 0 || v.d > sum.dmax ? v.d : sum.dmax;
                sum.dfirst = sum.count == 0 ? v.d : sum.dfirst;
                sum.dlast = v.d;
            } else {
                sum.isum += v.i;
                sum.imin = sum.count == 0 || v.i < sum.imin ? v.i : sum.imin;
                sum.imax = sum.count == 0 || v.i > sum.imax ? v.i : sum.imax;
                sum.ifirst = sum.count == 0 ? v.i : sum.ifirst;
                sum.ilast = v.i;
            }
            sum.count++;
        }
        for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
            const struct tsfs_function *fn = lookup(names[k].name, types, names[k].by_time ? 2 : 1);
            const struct tsfs_aggregate_impl *impl = fn->impl;
            struct tsfs_kernel_ctx ctx = context();
            void *rows = new_state(impl), *blocks = new_state(impl);
            assert_int_equal(impl->update_run(&ctx, rows, args, 0, ROWS), 0);
            assert_int_equal(impl->update_run(&ctx, blocks, args, 0, row), 0);
            int rc = impl->update_summary(&ctx, blocks, types[0], &block, &sum);
            if (rc == 1) {
                assert_true(names[k].by_time && sum.count > 0 && sum.count < n);
                rc = impl->update_run(&ctx, blocks, args, row, n);
            }
            assert_int_equal(rc, 0);
            assert_int_equal(impl->update_run(&ctx, blocks, args, row + n, ROWS - row - n), 0);
            struct tsfs_value want, got;
            assert_int_equal(finish(fn, args, rows, &want), 0);
            assert_int_equal(finish(fn, args, blocks, &got), 0);
            same(names[k].name, got, want, 1e-14);
        }
        tsfs_arena_reset(&arena);
    }
}

/* A summary that cannot answer says so and leaves the state alone. */
static void test_summary_refused(void **state)
{
    (void)state;
    enum tsfs_type big_type = TSFS_BIGINT;
    const struct tsfs_function *fn = lookup("sum", &big_type, 1);
    const struct tsfs_aggregate_impl *impl = fn->impl;
    struct tsfs_kernel_ctx ctx = context();
    struct tsfs_summary sum = {.count = 5, .isum_overflow = true};
    struct tsfs_block block = {.nrows = 5};
    void *s = new_state(impl);
    assert_int_equal(impl->update_summary(&ctx, s, TSFS_BIGINT, &block, &sum), 1);
    struct tsfs_vec arg = {.type = TSFS_BIGINT};
    struct tsfs_value out;
    assert_int_equal(finish(fn, &arg, s, &out), 0);
    assert_true(out.null);
    enum tsfs_type str_types[2] = {TSFS_VARCHAR, TSFS_TIMESTAMP};
    impl = lookup("max_by", str_types, 2)->impl;
    s = new_state(impl);
    assert_int_equal(impl->update_summary(&ctx, s, TSFS_VARCHAR, &block, &sum), 1);
    enum tsfs_type str_type = TSFS_VARCHAR;
    impl = lookup("count", &str_type, 1)->impl;
    s = new_state(impl);
    assert_int_equal(impl->update_summary(&ctx, s, TSFS_VARCHAR, &block, &sum), 0);
}

static void test_arbitrary(void **state)
{
    (void)state;
    enum tsfs_type type = TSFS_VARCHAR;
    struct tsfs_vec arg = column(type, 6, 100);
    struct tsfs_value out;
    for (enum way way = 0; way < WAYS; way++) {
        assert_int_equal(compute(lookup("arbitrary", &type, 1), &arg, ROWS, way, &out), 0);
        assert_false(out.null);
        bool found = false;
        for (uint32_t i = 0; i < ROWS; i++)
            found |= !tsfs_vec_null(&arg, i) && tsfs_str_eq(arg.s[i], out.s);
        assert_true(found);
        assert_int_equal(compute(lookup("any_value", &type, 1), &arg, 0, way, &out), 0);
        assert_true(out.null);
    }
    tsfs_arena_reset(&arena);
}

static void test_approx_distinct(void **state)
{
    (void)state;
    enum tsfs_type types[2] = {TSFS_BIGINT, TSFS_DOUBLE};
    const struct tsfs_function *fn = lookup("approx_distinct", types, 1),
                               *fine = lookup("approx_distinct", types, 2);
    int64_t v[ROWS];
    double e = 0.01, bad = 0.5;
    struct tsfs_vec args[2] = {{.type = TSFS_BIGINT, .i = v},
                               {.type = TSFS_DOUBLE, .d = &e, .constant = true}};
    struct tsfs_value out;
    static const uint32_t counts[] = {1, 10, 100, 128, 129, 500, 1500};
    for (size_t k = 0; k < 7; k++) {
        for (uint32_t i = 0; i < ROWS; i++)
            v[i] = (int64_t)(i % counts[k]) * 1000003;
        for (enum way way = 0; way < WAYS; way++) {
            assert_int_equal(compute(fn, args, ROWS, way, &out), 0);
            double off = fabs((double)out.i / counts[k] - 1);
            assert_true(counts[k] <= 128 ? off == 0 : off < 0.08);
            assert_int_equal(compute(fine, args, ROWS, way, &out), 0);
            assert_true(fabs((double)out.i / counts[k] - 1) < 0.035);
        }
        tsfs_arena_reset(&arena);
    }
    args[1].d = &bad;
    assert_int_equal(compute(fine, args, ROWS, ONE_RUN, &out), -EINVAL);
    assert_int_equal(compute(fn, args, 0, ONE_RUN, &out), 0);
    assert_int_equal(out.i, 0);

    /* Many values: the estimate stays inside a few standard errors of 2.3 %. */
    const struct tsfs_aggregate_impl *impl = fn->impl;
    struct tsfs_kernel_ctx ctx = context();
    void *s = new_state(impl);
    for (int64_t total = 0; total < 300000; total += ROWS) {
        for (uint32_t i = 0; i < ROWS; i++)
            v[i] = total + i;
        assert_int_equal(impl->update_run(&ctx, s, args, 0, ROWS), 0);
        assert_int_equal(finish(fn, args, s, &out), 0);
        assert_true(fabs((double)out.i / (double)(total + ROWS) - 1) < 0.08);
    }
    tsfs_arena_reset(&arena);
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void test_approx_percentile(void **state)
{
    (void)state;
    enum tsfs_type types[2] = {TSFS_DOUBLE, TSFS_DOUBLE};
    const struct tsfs_function *fn = lookup("approx_percentile", types, 2);
    static double v[40000], sorted[40000];
    double p;
    struct tsfs_vec args[2] = {{.type = TSFS_DOUBLE, .d = v},
                               {.type = TSFS_DOUBLE, .d = &p, .constant = true}};
    static const double ps[] = {0, 0.001, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1};
    struct tsfs_value out;
    const struct tsfs_aggregate_impl *impl = fn->impl;
    for (uint32_t n = 1; n <= 40000; n = n * 3 + 1) {
        for (uint32_t i = 0; i < n; i++)
            sorted[i] = v[i] = pow((double)rnd() / 0x1p64, 3) * 1000;
        qsort(sorted, n, sizeof(double), by_value);
        for (size_t k = 0; k < sizeof(ps) / sizeof(ps[0]); k++) {
            p = ps[k];
            struct tsfs_kernel_ctx ctx = context();
            void *parts[4];
            for (int i = 0; i < 4; i++)
                parts[i] = new_state(impl);
            for (uint32_t at = 0; at < n; at += 500)
                assert_int_equal(
                    impl->update_run(&ctx, parts[rnd() % 4], args, at, n - at < 500 ? n - at : 500), 0);
            for (int i = 1; i < 4; i++)
                assert_int_equal(impl->merge(&ctx, parts[0], parts[i]), 0);
            assert_int_equal(finish(fn, args, parts[0], &out), 0);
            /* The rank of the answer is at most 0.4 % of the rows, or one row, away. */
            double slack = 0.004 * n + 1, rank = p * n;
            uint32_t lo = rank - slack < 0 ? 0 : (uint32_t)(rank - slack);
            uint32_t hi = rank + slack >= n ? n - 1 : (uint32_t)(rank + slack);
            if (!(out.d >= sorted[lo] && out.d <= sorted[hi]))
                fail_msg("p %g of %u: %g is not in [%g, %g]", p, n, out.d, sorted[lo], sorted[hi]);
            tsfs_arena_reset(&arena);
        }
    }
    double three[3] = {3, 1, 2};
    args[0].d = three;
    p = 0.5;
    assert_int_equal(compute(fn, args, 3, ROW_BY_ROW, &out), 0);
    assert_true(out.d == 2);
    p = 1.5;
    assert_int_equal(compute(fn, args, 3, ONE_RUN, &out), -EINVAL);
    enum tsfs_type whole[3] = {TSFS_BIGINT, TSFS_DOUBLE, TSFS_DOUBLE};
    int64_t values[2] = {10, 20};
    double weights[2] = {1, 99};
    p = 0.5;
    struct tsfs_vec weighted[3] = {{.type = TSFS_BIGINT, .i = values},
                                   {.type = TSFS_DOUBLE, .d = weights},
                                   {.type = TSFS_DOUBLE, .d = &p, .constant = true}};
    assert_int_equal(compute(lookup("approx_percentile", whole, 3), weighted, 2, ONE_RUN, &out), 0);
    assert_int_equal(out.i, 20);
    weights[0] = 0;
    assert_int_equal(compute(lookup("approx_percentile", whole, 3), weighted, 2, ONE_RUN, &out), -EINVAL);
    tsfs_arena_reset(&arena);
}

/* The versions of the inner loops give the same bits, whatever the machine. */
static void test_lanes_agree(void **state)
{
    (void)state;
    double v[100];
    int64_t w[100];
    for (int round = 0; round < 2000; round++) {
        uint32_t n = (uint32_t)(rnd() % 100) + 1;
        for (uint32_t i = 0; i < n; i++) {
            w[i] = (int64_t)(rnd() >> rnd() % 64);
            v[i] = rnd() % 50 == 0 ? (double)NAN : ldexp((double)rnd() / 0x1p63 - 1, (int)(rnd() % 60));
        }
        struct {
            struct lanes_sum sum;
            double plain, first, second, min, max;
            uint64_t nans[2], low, high;
            int64_t imin, imax;
        } r[2];
        memset(r, 0, sizeof(r));
        for (int k = 0; k < 2; k++) {
            lanes_portable_only(k == 0);
            lanes_sum(&r[k].sum, v, n);
            r[k].plain = lanes_plain_sum(v, n);
            lanes_deviations(v, n, 12345, &r[k].first, &r[k].second);
            r[k].min = lanes_min(v, n, &r[k].nans[0]);
            r[k].max = lanes_max(v, n, &r[k].nans[1]);
            lanes_halves(w, n, &r[k].low, &r[k].high);
            r[k].imin = lanes_imin(w, n);
            r[k].imax = lanes_imax(w, n);
        }
        lanes_portable_only(false);
        /* NaNs may differ in their sign. */
        double *sums[] = {&r[0].sum.hi, &r[0].sum.lo, &r[0].plain, &r[0].first, &r[0].second};
        for (size_t k = 0; k < sizeof(sums) / sizeof(sums[0]); k++) {
            double *other = (double *)(void *)((char *)sums[k] + sizeof(r[0]));
            if (isnan(*sums[k]) && isnan(*other))
                *sums[k] = *other = 0;
        }
        assert_memory_equal(&r[0], &r[1], sizeof(r[0]));
        double least = INFINITY;
        for (uint32_t i = 0; i < n; i++)
            least = v[i] < least ? v[i] : least;
        assert_true(r[0].min == least);
    }
}

static int setup(void **state)
{
    (void)state;
    tsfs_arena_init(&arena, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tsfs_arena_free(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_named),          cmocka_unit_test(test_lanes_agree),
        cmocka_unit_test(test_against_oracle),     cmocka_unit_test(test_sum_is_stable),
        cmocka_unit_test(test_nan_is_passed_over), cmocka_unit_test(test_integer_sum_overflow),
        cmocka_unit_test(test_by_nulls),           cmocka_unit_test(test_count_all),
        cmocka_unit_test(test_summaries),          cmocka_unit_test(test_summary_refused),
        cmocka_unit_test(test_arbitrary),          cmocka_unit_test(test_approx_distinct),
        cmocka_unit_test(test_approx_percentile),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
