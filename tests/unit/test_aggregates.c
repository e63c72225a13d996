/* Every aggregate, computed in all the ways that the executor may choose: one run, many runs, row by row,
 * parts that are merged; over columns with and without NULLs and over constants.  All must agree with a plain
 * oracle: would catch lanes that drop a rest, NULLs that count, merges that depend on order. */
#include "agg_support.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_named),
        cmocka_unit_test(test_against_oracle),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
