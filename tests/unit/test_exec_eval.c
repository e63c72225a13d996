/* The evaluator's edges: what is NULL, what may fail, what must not. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cpu.h"
#include "base/limits.h"
#include "exec/eval.h"
#include "exec/exec.h"
#include "exec/kernels/compare.h"
#include "plan_build.h"

static struct tsfs_arena arena;

static int set_up(void **state)
{
    tsfs_arena_init(&arena, NULL);
    pb_arena = &arena;
    return 0;
}

static int tear_down(void **state)
{
    tsfs_arena_free(&arena);
    return 0;
}

#define N 200u

/* Columns: 0 bigint i - 100 (NULL where i % 7 == 0), 1 bigint i % 5, 2 double i / 2, 3 varchar, 4 boolean. */
static struct tsfs_vec *columns(void)
{
    static const char *const words[] = {"a", "b", "", "abc"};
    struct tsfs_vec *cols = TSFS_NEW_ARRAY(&arena, struct tsfs_vec, 5);
    int64_t *a = TSFS_NEW_ARRAY(&arena, int64_t, N), *b = TSFS_NEW_ARRAY(&arena, int64_t, N);
    double *d = TSFS_NEW_ARRAY(&arena, double, N);
    struct tsfs_str *s = TSFS_NEW_ARRAY(&arena, struct tsfs_str, N);
    uint8_t *t = TSFS_NEW_ARRAY(&arena, uint8_t, N);
    uint64_t *valid = TSFS_NEW_ARRAY(&arena, uint64_t, N / 64 + 1);
    for (uint32_t i = 0; i < N; i++) {
        a[i] = (int64_t)i - 100;
        b[i] = i % 5;
        d[i] = i / 2.0;
        s[i] = tsfs_str_from(words[i % 4]);
        t[i] = i % 3 == 0;
        if (i % 7 != 0)
            tsfs_bit_set(valid, i);
    }
    cols[0] = (struct tsfs_vec){.type = TSFS_BIGINT, .i = a, .valid = valid};
    cols[1] = (struct tsfs_vec){.type = TSFS_BIGINT, .i = b};
    cols[2] = (struct tsfs_vec){.type = TSFS_DOUBLE, .d = d};
    cols[3] = (struct tsfs_vec){.type = TSFS_VARCHAR, .s = s};
    cols[4] = (struct tsfs_vec){.type = TSFS_BOOLEAN, .b = t};
    return cols;
}

#define A pb_col(0, TSFS_BIGINT)
#define B pb_col(1, TSFS_BIGINT)
#define D pb_col(2, TSFS_DOUBLE)
#define S pb_col(3, TSFS_VARCHAR)
#define T pb_col(4, TSFS_BOOLEAN)

static int eval(E *expr, struct tsfs_vec *out, struct tsfs_error *err)
{
    struct tsfs_eval e = {.arena = &arena, .err = err};
    return tsfs_eval_expr(&e, expr, columns(), N, out);
}

static void division_by_zero_is_an_error_with_a_place(void **state)
{
    struct tsfs_error err = {0};
    struct tsfs_vec v;
    assert_int_not_equal(eval(pb_call("/", A, B, NULL), &v, &err), 0);
    assert_int_equal(err.line, 1);
    assert_int_equal(err.column, 8);
}

static void try_makes_failing_rows_null_and_no_other(void **state)
{
    struct tsfs_vec v;
    assert_int_equal(eval(pb_node(TSFS_EXPR_TRY, TSFS_BIGINT, pb_call("/", A, B, NULL), NULL), &v, NULL), 0);
    for (uint32_t i = 0; i < N; i++) {
        assert_int_equal(tsfs_vec_null(&v, i), i % 7 == 0 || i % 5 == 0);
        if (!tsfs_vec_null(&v, i))
            assert_int_equal(v.i[i], ((int64_t)i - 100) / (i % 5));
    }
    /* A failing constant under TRY fails for every row, and only makes them NULL. */
    E *one_by_zero = pb_call("/", pb_big(1), pb_big(0), NULL);
    assert_int_equal(eval(pb_node(TSFS_EXPR_TRY, TSFS_BIGINT, one_by_zero, NULL), &v, NULL), 0);
    for (uint32_t i = 0; i < N; i++)
        assert_true(tsfs_vec_null(&v, i));
    /* Inside a branch that few rows take, the errors find their own rows. */
    E *some = pb_node(TSFS_EXPR_CASE, TSFS_BIGINT, pb_call("=", B, pb_big(1), NULL), pb_big(7),
                      pb_call("/", A, pb_call("-", B, pb_big(2), NULL), NULL), NULL);
    assert_int_equal(eval(pb_node(TSFS_EXPR_TRY, TSFS_BIGINT, some, NULL), &v, NULL), 0);
    for (uint32_t i = 0; i < N; i++)
        assert_int_equal(tsfs_vec_null(&v, i), i % 5 != 1 && (i % 5 == 2 || i % 7 == 0));
}

static void conditions_keep_rows_from_errors(void **state)
{
    struct tsfs_vec v;
    struct tsfs_error err = {0};
    E *safe = pb_call("<>", B, pb_big(0), NULL), *div = pb_call("/", A, B, NULL);
    E *big = pb_call(">", div, pb_big(10), NULL);
    assert_int_equal(eval(pb_node(TSFS_EXPR_CASE, TSFS_BIGINT, safe, div, pb_big(0), NULL), &v, &err), 0);
    assert_int_equal(eval(pb_node(TSFS_EXPR_AND, TSFS_BOOLEAN, safe, big, NULL), &v, &err), 0);
    assert_int_equal(
        eval(pb_node(TSFS_EXPR_OR, TSFS_BOOLEAN, pb_node(TSFS_EXPR_NOT, TSFS_BOOLEAN, safe, NULL), big, NULL),
             &v, &err),
        0);
    E *only_null = pb_node(TSFS_EXPR_CASE, TSFS_BIGINT, safe, pb_big(1), pb_null(TSFS_BIGINT), NULL);
    E *other = pb_call("/", A, pb_call("-", B, pb_big(3), NULL), NULL);
    assert_int_equal(eval(pb_node(TSFS_EXPR_COALESCE, TSFS_BIGINT, only_null, other, NULL), &v, &err), 0);
    /* IN: elements after a match are not computed. */
    E *in = pb_node(TSFS_EXPR_IN, TSFS_BOOLEAN, B, pb_big(0), div, NULL);
    assert_int_equal(eval(in, &v, &err), 0);
    /* But the other way round it does fail. */
    assert_int_not_equal(eval(pb_node(TSFS_EXPR_AND, TSFS_BOOLEAN, big, safe, NULL), &v, &err), 0);
}

static void filter_narrows_term_by_term(void **state)
{
    struct tsfs_eval e = {.arena = &arena};
    uint16_t sel[N];
    uint32_t nsel;
    E *p = pb_node(TSFS_EXPR_AND, TSFS_BOOLEAN, pb_call("<>", B, pb_big(0), NULL),
                   pb_call(">", pb_call("/", A, B, NULL), pb_big(10), NULL),
                   pb_call("=", S, pb_str("abc"), NULL), NULL);
    assert_int_equal(tsfs_eval_filter(&e, p, columns(), N, sel, &nsel), 0);
    uint32_t k = 0;
    for (uint32_t i = 0; i < N; i++)
        if (i % 7 != 0 && i % 5 != 0 && ((int64_t)i - 100) / (i % 5) > 10 && i % 4 == 3)
            assert_int_equal(sel[k++], i);
    assert_int_equal(nsel, k);
    assert_true(k > 5);
    /* NULL is not TRUE, and its negation neither. */
    p = pb_call(">", A, pb_null(TSFS_BIGINT), NULL);
    assert_int_equal(tsfs_eval_filter(&e, p, columns(), N, sel, &nsel), 0);
    assert_int_equal(nsel, 0);
    p = pb_node(TSFS_EXPR_NOT, TSFS_BOOLEAN, p, NULL);
    assert_int_equal(tsfs_eval_filter(&e, p, columns(), N, sel, &nsel), 0);
    assert_int_equal(nsel, 0);
    assert_int_equal(tsfs_eval_filter(&e, pb_bool(true), columns(), N, sel, &nsel), 0);
    assert_int_equal(nsel, N);
}

static void comparisons_of_all_types(void **state)
{
    static const char *const ops[] = {"=", "<>", "<", "<=", ">", ">="};
    struct tsfs_vec *cols = columns(), v;
    struct {
        E *a, *b;
    } pairs[] = {{A, pb_big(-20)},
                 {pb_big(2), B},
                 {A, B},
                 {D, pb_double(20)},
                 {S, pb_str("abc")},
                 {T, pb_bool(false)},
                 {pb_str("abc"), S},
                 {pb_double(1), pb_double(2)},
                 {S, S}};
    for (size_t p = 0; p < sizeof(pairs) / sizeof(pairs[0]); p++)
        for (int o = 0; o < 6; o++) {
            struct tsfs_vec a, b;
            assert_int_equal(eval(pairs[p].a, &a, NULL), 0);
            assert_int_equal(eval(pairs[p].b, &b, NULL), 0);
            assert_int_equal(eval(pb_call(ops[o], pairs[p].a, pairs[p].b, NULL), &v, NULL), 0);
            for (uint32_t i = 0; i < N; i++) {
                struct tsfs_value x = tsfs_vec_get(&a, i), y = tsfs_vec_get(&b, i), r = tsfs_vec_get(&v, i);
                assert_int_equal(r.null, x.null || y.null);
                if (r.null)
                    continue;
                int c = x.type == TSFS_DOUBLE    ? (x.d > y.d) - (x.d < y.d)
                        : x.type == TSFS_VARCHAR ? tsfs_str_cmp(x.s, y.s)
                        : x.type == TSFS_BOOLEAN ? x.b - y.b
                                                 : (x.i > y.i) - (x.i < y.i);
                bool want[] = {c == 0, c != 0, c<0, c <= 0, c> 0, c >= 0};
                assert_int_equal(r.b, want[o]);
            }
        }
    (void)cols;
}

static void nan_equals_nothing(void **state)
{
    double nan = strtod("nan", NULL);
    struct tsfs_vec v;
    assert_int_equal(eval(pb_call("=", pb_double(nan), pb_double(nan), NULL), &v, NULL), 0);
    assert_int_equal(tsfs_vec_get(&v, 0).b, false);
    assert_int_equal(eval(pb_call("<>", D, pb_double(nan), NULL), &v, NULL), 0);
    assert_int_equal(tsfs_vec_get(&v, 5).b, true);
    assert_int_equal(eval(pb_call("<", D, pb_double(nan), NULL), &v, NULL), 0);
    assert_int_equal(tsfs_vec_get(&v, 5).b, false);
}

static void long_lists_as_sets(void **state)
{
    /* Prepared and unprepared answer alike, for every type, with NULLs in list and column. */
    E *lists[3] = {pb_node(TSFS_EXPR_IN, TSFS_BOOLEAN, A, NULL), pb_node(TSFS_EXPR_IN, TSFS_BOOLEAN, D, NULL),
                   pb_node(TSFS_EXPR_IN, TSFS_BOOLEAN, S, NULL)};
    lists[0]->args[lists[0]->nargs++] = A;
    lists[1]->args[lists[1]->nargs++] = D;
    lists[2]->args[lists[2]->nargs++] = S;
    for (int l = 0; l < 3; l++) {
        E *in = lists[l];
        in->nargs = 1;
        in->args[0] = l == 0 ? A : l == 1 ? D : S;
        for (int k = 0; k < 40; k++)
            in->args[in->nargs++] = l == 0   ? pb_big(k * 3 - 90)
                                    : l == 1 ? pb_double(k * 1.5)
                                             : pb_str(k % 2 ? "abc" : "no");
        for (int with_null = 0; with_null < 2; with_null++) {
            if (with_null)
                in->args[in->nargs++] = pb_null(in->args[0]->type);
            struct tsfs_eval_sets *sets = NULL;
            assert_int_equal(tsfs_eval_prepare(&arena, in, &sets), 0);
            assert_non_null(sets);
            struct tsfs_vec plain, fast;
            struct tsfs_eval e = {.arena = &arena};
            assert_int_equal(tsfs_eval_expr(&e, in, columns(), N, &plain), 0);
            e.sets = sets;
            assert_int_equal(tsfs_eval_expr(&e, in, columns(), N, &fast), 0);
            uint32_t found = 0;
            for (uint32_t i = 0; i < N; i++) {
                struct tsfs_value x = tsfs_vec_get(&plain, i), y = tsfs_vec_get(&fast, i);
                assert_int_equal(x.null, y.null);
                assert_true(x.null || x.b == y.b);
                found += !x.null && x.b;
                assert_true(!with_null || x.null || x.b);
            }
            assert_true(found > 10);
        }
    }
}

static void casts(void **state)
{
    struct tsfs_vec v;
    struct tsfs_error err = {0};
    assert_int_equal(eval(pb_cast(pb_null(TSFS_UNKNOWN), TSFS_DOUBLE, false), &v, &err), 0);
    assert_int_equal(v.type, TSFS_DOUBLE);
    assert_true(tsfs_vec_null(&v, 17));
    assert_int_equal(eval(pb_cast(S, TSFS_BIGINT, true), &v, &err), 0);
    for (uint32_t i = 0; i < N; i++)
        assert_true(tsfs_vec_null(&v, i));
    assert_int_not_equal(eval(pb_cast(S, TSFS_BIGINT, false), &v, &err), 0);
    assert_int_equal(err.column, 8);
}

static void gathering(void **state)
{
    struct tsfs_vec *cols = columns(), v;
    static const uint16_t sel[] = {0, 1, 7, 8, 100, 199};
    for (uint32_t c = 0; c < 5; c++) {
        assert_int_equal(tsfs_vec_gather(&arena, &cols[c], sel, 6, &v), 0);
        for (uint32_t k = 0; k < 6; k++) {
            struct tsfs_value x = tsfs_vec_get(&cols[c], sel[k]), y = tsfs_vec_get(&v, k);
            assert_int_equal(x.null, y.null);
            assert_true(x.null || (x.type == TSFS_VARCHAR   ? tsfs_str_eq(x.s, y.s)
                                   : x.type == TSFS_BOOLEAN ? x.b == y.b
                                                            : x.i == y.i));
        }
    }
}

static void folding(void **state)
{
    struct tsfs_value v;
    struct tsfs_error err = {0};
    E *e = pb_call("+", pb_big(40),
                   pb_node(TSFS_EXPR_CASE, TSFS_BIGINT, pb_bool(false), pb_big(1), pb_big(2), NULL), NULL);
    assert_int_equal(tsfs_exec_fold(e, 0, &arena, &v, &err), 0);
    assert_int_equal(v.i, 42);
    assert_int_equal(tsfs_exec_fold(pb_call(">", pb_big(1), pb_null(TSFS_BIGINT), NULL), 0, &arena, &v, &err),
                     0);
    assert_true(v.null);
    assert_int_equal(v.type, TSFS_BOOLEAN);
    assert_int_not_equal(tsfs_exec_fold(pb_call("/", pb_big(1), pb_big(0), NULL), 0, &arena, &v, &err), 0);
    assert_int_not_equal(err.code, 0);
}

/* Integers against a double literal, at the edges of both: as if each were cast first. */
static void integers_compare_as_doubles(void **state)
{
    static const int64_t edges[] = {INT64_MIN,
                                    INT64_MIN + 1,
                                    INT64_MIN + 1025,
                                    -(1LL << 53) - 3,
                                    -(1LL << 53) - 1,
                                    -(1LL << 53),
                                    -91,
                                    -90,
                                    -1,
                                    0,
                                    1,
                                    89,
                                    90,
                                    91,
                                    (1LL << 53) - 1,
                                    1LL << 53,
                                    (1LL << 53) + 1,
                                    (1LL << 53) + 2,
                                    (1LL << 53) + 3,
                                    (1LL << 60) + 1,
                                    INT64_MAX - 1024,
                                    INT64_MAX - 512,
                                    INT64_MAX - 1,
                                    INT64_MAX};
    static const double literals[] = {0,        -0.0,   90,     90.5,    -90.5,
                                      0.1,      -0.1,   1e-300, 0x1p53,  0x1p53 + 2,
                                      -0x1p53,  0x1p60, 0x1p63, -0x1p63, 0x1.fffffffffffffp62,
                                      1e19,     -1e19,  1e300,  NAN,     INFINITY,
                                      -INFINITY};
    static const char *const ops[] = {"=", "<>", "<", "<=", ">", ">="};
    enum { EDGES = sizeof(edges) / sizeof(*edges) };
    int64_t x[N];
    uint64_t valid[N / 64 + 1] = {0};
    for (uint32_t i = 0; i < N; i++) {
        x[i] = edges[i % EDGES];
        if (i % 11 != 3)
            tsfs_bit_set(valid, i);
    }
    struct tsfs_vec col = {.type = TSFS_BIGINT, .i = x, .valid = valid}, out;
    for (size_t l = 0; l < sizeof(literals) / sizeof(*literals); l++) {
        for (int how = 0; how < 24; how++) {
            tsfs_cpu_portable_only = how >= 12;
            double c = literals[l];
            E *cast = pb_cast(pb_col(0, TSFS_BIGINT), TSFS_DOUBLE, false), *literal = pb_double(c);
            E *e = how % 12 < 6 ? pb_call(ops[how % 6], cast, literal, NULL)
                                : pb_call(ops[how % 6], literal, cast, NULL);
            struct tsfs_eval eval = {.arena = &arena};
            assert_int_equal(tsfs_eval_expr(&eval, e, &col, N, &out), 0);
            for (uint32_t i = 0; i < N; i++) {
                double a = how % 12 < 6 ? (double)x[i] : c, b = how % 12 < 6 ? c : (double)x[i];
                const bool expected[] = {a == b, a != b, a<b, a <= b, a> b, a >= b};
                assert_int_equal(tsfs_vec_null(&out, i), i % 11 == 3);
                if (i % 11 != 3 && out.b[i] != expected[how % 6])
                    fail_msg("%lld %s %.17g, case %d", (long long)x[i], ops[how % 6], c, how);
            }
        }
    }
}

/* Integers with integers, by the processor's own kernels and by those for any. */
static void integers_compare(void **state)
{
    static const char *const ops[] = {"=", "<>", "<", "<=", ">", ">="};
    int64_t x[N], y[N];
    uint64_t seed = 1;
    for (uint32_t i = 0; i < N; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        x[i] = i % 5 == 0 ? INT64_MIN : i % 5 == 1 ? INT64_MAX : (int64_t)(seed >> 62) - 2;
        y[i] = i % 3 == 0 ? x[i] : i % 3 == 1 ? (int64_t)(seed >> 61 & 3) - 2 : INT64_MIN + 1;
    }
    struct tsfs_vec cols[] = {{.type = TSFS_BIGINT, .i = x}, {.type = TSFS_BIGINT, .i = y}}, out;
    for (int how = 0; how < 12; how++) {
        for (uint32_t n = 1; n <= N; n += n < 20 ? 1 : 45) {
            for (int constant = 0; constant < 2; constant++) {
                tsfs_cpu_portable_only = how >= 6;
                cols[1].constant = constant;
                E *e = pb_call(ops[how % 6], pb_col(0, TSFS_BIGINT), pb_col(1, TSFS_BIGINT), NULL);
                struct tsfs_eval eval = {.arena = &arena};
                assert_int_equal(tsfs_eval_expr(&eval, e, cols, n, &out), 0);
                for (uint32_t i = 0; i < n; i++) {
                    int64_t a = x[i], b = y[constant ? 0 : i];
                    const bool expected[] = {a == b, a != b, a<b, a <= b, a> b, a >= b};
                    assert_int_equal(out.b[i], expected[how % 6]);
                }
            }
        }
    }
    tsfs_cpu_portable_only = false;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_compare_as_doubles),
        cmocka_unit_test(integers_compare),
        cmocka_unit_test(division_by_zero_is_an_error_with_a_place),
        cmocka_unit_test(try_makes_failing_rows_null_and_no_other),
        cmocka_unit_test(conditions_keep_rows_from_errors),
        cmocka_unit_test(filter_narrows_term_by_term),
        cmocka_unit_test(comparisons_of_all_types),
        cmocka_unit_test(nan_equals_nothing),
        cmocka_unit_test(long_lists_as_sets),
        cmocka_unit_test(casts),
        cmocka_unit_test(gathering),
        cmocka_unit_test(folding),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
