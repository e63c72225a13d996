/* Known answers of every scalar function and cast.  Each case runs as a constant, as a column between NULL
 * rows full of rubbish, with one argument constant and the others not, and under TRY: would catch kernels
 * that read rows they must not, that mix up constants and columns, or that fail on NULLs. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/num.h"
#include "base/time.h"
#include "col/text.h"
#include "exec/function.h"

#include "scalar_cases.h"

#define ROWS 67u

static struct tsfs_arena arena;

/* "b 5" bigint, "i" integer, "d" double, "s" varchar, "t" timestamp, "D" date, "T" time, "S" interval day to
 * second in ns, "Y" interval year to month, "B" boolean, "x" varbinary; "~b" is a NULL of that type, "~" a
 * bare NULL. */
static struct tsfs_value parse(const char *text)
{
    static const char letters[] = "bidstDTSYBx";
    static const enum tsfs_type types[] = {TSFS_BIGINT,      TSFS_INTEGER, TSFS_DOUBLE,   TSFS_VARCHAR,
                                           TSFS_TIMESTAMP,   TSFS_DATE,    TSFS_TIME,     TSFS_INTERVAL_DS,
                                           TSFS_INTERVAL_YM, TSFS_BOOLEAN, TSFS_VARBINARY};
    struct tsfs_value v = {.null = text[0] == '~'};
    if (text[v.null] == '\0')
        return v;
    const char *at = strchr(letters, text[v.null]);
    assert_non_null(at);
    v.type = types[at - letters];
    if (v.null)
        return v;
    assert_int_equal(text[1], ' ');
    struct tsfs_str s = tsfs_str_from(text + 2);
    int64_t ns = 0;
    char clock[64];
    switch (v.type) {
    case TSFS_DOUBLE:
        if (strcmp(text + 2, "NaN") == 0)
            v.d = NAN;
        else if (strcmp(text + 2, "inf") == 0)
            v.d = INFINITY;
        else
            assert_int_equal(tsfs_num_parse_double(s, &v.d), 0);
        break;
    case TSFS_VARCHAR:
    case TSFS_VARBINARY: v.s = s; break;
    case TSFS_BOOLEAN: v.b = s.ptr[0] == 't'; break;
    case TSFS_TIMESTAMP: assert_int_equal(tsfs_time_parse(s, &v.i), 0); break;
    case TSFS_DATE:
        assert_int_equal(tsfs_time_parse(s, &ns), 0);
        v.i = tsfs_time_floor(ns, TSFS_NS_PER_DAY) / TSFS_NS_PER_DAY;
        break;
    case TSFS_TIME:
        snprintf(clock, sizeof(clock), "1970-01-01 %s", text + 2);
        assert_int_equal(tsfs_time_parse(tsfs_str_from(clock), &v.i), 0);
        break;
    default: assert_int_equal(tsfs_num_parse_i64(s, &v.i), 0); break;
    }
    return v;
}

static bool fits(const struct tsfs_function *fn, const struct tsfs_value *args, unsigned nargs)
{
    unsigned last = fn->nargs > 0 ? fn->nargs - 1u : 0; /* which a variadic function repeats */
    if (fn->variadic ? nargs < fn->nargs : nargs != fn->nargs)
        return false;
    for (unsigned i = 0; i < nargs; i++) {
        enum tsfs_type want = fn->args[i < last ? i : last];
        if (want != TSFS_ANY && want != args[i].type)
            return false;
    }
    return true;
}

static const struct tsfs_function *lookup(const char *name, const struct tsfs_value *args, unsigned nargs)
{
    const struct tsfs_function_set *set = tsfs_functions();
    for (uint32_t i = 0; i < set->n; i++)
        if (set->items[i].kind == TSFS_FUNCTION_SCALAR && strcmp(set->items[i].name, name) == 0 &&
            fits(&set->items[i], args, nargs))
            return &set->items[i];
    return NULL;
}

/* A column: value in the odd rows, rubbish marked NULL in the others. */
static struct tsfs_vec column(const struct tsfs_value *v)
{
    struct tsfs_vec vec = {.type = v->type};
    uint64_t *valid = tsfs_arena_calloc(&arena, tsfs_bit_words(ROWS), sizeof(*valid));
    char *data = tsfs_arena_alloc(&arena, ROWS * 16);
    unsigned width = tsfs_type_width(v->type);
    static const int64_t rubbish[] = {0, INT64_MIN, -1, INT64_MAX};
    for (unsigned i = 0; i < ROWS; i++) {
        union {
            int64_t i[2];
            struct tsfs_str s;
            uint8_t b;
            double d;
        } cell = {.i = {rubbish[i / 2 % 4], rubbish[i / 2 % 4]}};
        if (v->type == TSFS_BOOLEAN)
            cell.b &= 1;
        if (i % 2 == 1 && !v->null) {
            tsfs_bit_set(valid, i);
            if (tsfs_type_is_string(v->type))
                cell.s = v->s;
            else if (v->type == TSFS_BOOLEAN)
                cell.b = v->b;
            else
                cell.i[0] = v->i;
        }
        memcpy(data + i * width, &cell, width);
    }
    vec.data = data;
    vec.valid = valid;
    return vec;
}

struct call {
    tsfs_kernel kernel;
    enum tsfs_type result;
    bool nulls;
};

static struct tsfs_error err;

static int run(const struct call *call, const struct tsfs_vec *args, unsigned nargs, uint32_t n,
               const uint64_t *valid, uint64_t *row_errors, struct tsfs_vec *out)
{
    tsfs_error_clear(&err);
    struct tsfs_kernel_ctx ctx = {.arena = &arena,
                                  .now = INT64_C(1700000000123456789),
                                  .err = &err,
                                  .line = 3,
                                  .column = 7,
                                  .row_errors = row_errors};
    *out = (struct tsfs_vec){.type = call->result, .constant = n == 1, .valid = call->nulls ? NULL : valid};
    return call->kernel(&ctx, args, nargs, n, valid, out);
}

static const char *text_of(const struct tsfs_vec *v, uint32_t row)
{
    struct tsfs_value value = tsfs_vec_get(v, row);
    if (value.null)
        return "NULL";
    struct tsfs_buf buf = {0};
    assert_int_equal(tsfs_value_append(&value, SIZE_MAX, &buf), 0);
    struct tsfs_str s = tsfs_arena_str(&arena, tsfs_buf_str(&buf));
    tsfs_buf_free(&buf);
    return s.ptr;
}

static void expect(const char *what, int rc, const struct tsfs_vec *out, uint32_t row, const char *expected)
{
    if (expected[0] == '!') {
        if (rc != -EINVAL || strstr(err.message, expected + 1) == NULL || err.line != 3 || err.column != 7)
            fail_msg("%s: %d \"%s\" (%u:%u) instead of %s", what, rc, err.message, err.line, err.column,
                     expected);
        return;
    }
    if (rc != 0)
        fail_msg("%s: %d %s instead of %s", what, rc, err.message, expected);
    const char *got = text_of(out, row);
    if (strcmp(got, expected) != 0)
        fail_msg("%s: %s instead of %s", what, got, expected);
}

static void check(const char *what, const struct call *call, const struct tsfs_value *values, unsigned nargs,
                  const char *expected)
{
    struct tsfs_vec constants[TSFS_FUNCTION_ARGS_MAX], columns[TSFS_FUNCTION_ARGS_MAX], out;
    bool any_null = false;
    for (unsigned i = 0; i < nargs; i++) {
        assert_int_equal(tsfs_vec_constant(&arena, values[i], &constants[i]), 0);
        columns[i] = column(&values[i]);
        any_null |= values[i].null || values[i].type == TSFS_UNKNOWN;
    }
    uint64_t none[2] = {0, 0}, all[2] = {~UINT64_C(0), ~UINT64_C(0)}, errors[2] = {0, 0};
    /* NULL arguments make the caller's result NULL: then nothing may fail, that is all. */
    int rc = run(call, constants, nargs, 1, any_null && !call->nulls ? none : NULL, NULL, &out);
    if (any_null && !call->nulls)
        assert_int_equal(rc, 0);
    else
        expect(what, rc, &out, 0, expected);
    if (nargs == 0)
        return;
    bool fails = expected[0] == '!';
    if (fails) {
        rc = run(call, constants, nargs, 1, NULL, errors, &out);
        assert_int_equal(rc, 0);
        assert_true(tsfs_bit_get(errors, 0));
    }
    for (unsigned constant = 0; constant <= nargs; constant++) {
        if (nargs == 1 && constant < nargs)
            continue;
        if (constant < nargs && values[constant].null)
            continue;
        struct tsfs_vec mixed[TSFS_FUNCTION_ARGS_MAX];
        uint64_t valid[2] = {all[0], all[1]};
        for (unsigned i = 0; i < nargs; i++) {
            mixed[i] = i == constant ? constants[i] : columns[i];
            for (int w = 0; w < 2 && i != constant; w++)
                valid[w] &= columns[i].valid[w];
        }
        rc = run(call, mixed, nargs, ROWS, valid, NULL, &out);
        if (any_null && !call->nulls) {
            assert_int_equal(rc, 0);
            continue;
        }
        for (uint32_t i = 1; i < ROWS; i += 2)
            expect(what, rc, &out, i, expected);
        if (!fails)
            continue;
        memset(errors, 0, sizeof(errors));
        assert_int_equal(run(call, mixed, nargs, ROWS, valid, errors, &out), 0);
        for (uint32_t i = 0; i < ROWS; i++)
            assert_int_equal(tsfs_bit_get(errors, i), i % 2);
    }
}

static void test_scalars(void **state)
{
    (void)state;
    for (size_t c = 0; c < sizeof(scalar_cases) / sizeof(scalar_cases[0]); c++) {
        const struct scalar_case *k = &scalar_cases[c];
        struct tsfs_value values[TSFS_FUNCTION_ARGS_MAX];
        unsigned nargs = 0;
        char what[256];
        int len = snprintf(what, sizeof(what), "%s(", k->name);
        for (; nargs < TSFS_FUNCTION_ARGS_MAX && k->args[nargs] != NULL; nargs++) {
            values[nargs] = parse(k->args[nargs]);
            len += snprintf(what + len, sizeof(what) - (size_t)len, "%s%.40s", nargs ? ", " : "",
                            k->args[nargs]);
        }
        snprintf(what + len, sizeof(what) - (size_t)len, ")");
        const struct tsfs_function *fn = lookup(k->name, values, nargs);
        if (fn == NULL)
            fail_msg("%s: no such function", what);
        struct call call = {((const struct tsfs_scalar_impl *)fn->impl)->kernel, fn->result, fn->nulls};
        if (call.result == TSFS_ANY)
            call.result = values[0].type;
        check(what, &call, values, nargs, k->expected);
        tsfs_arena_reset(&arena);
    }
}

static void test_casts(void **state)
{
    (void)state;
    for (size_t c = 0; c < sizeof(cast_cases) / sizeof(cast_cases[0]); c++) {
        const struct cast_case *k = &cast_cases[c];
        struct tsfs_value value = parse(k->arg);
        char what[256];
        snprintf(what, sizeof(what), "CAST(%.60s AS %s)", k->arg, tsfs_type_name(k->to));
        struct call call = {tsfs_cast_kernel(value.type, k->to), k->to, false};
        if (k->expected == NULL) {
            if (call.kernel != NULL)
                fail_msg("%s should not exist", what);
            continue;
        }
        if (call.kernel == NULL)
            fail_msg("%s does not exist", what);
        check(what, &call, &value, 1, k->expected);
        tsfs_arena_reset(&arena);
    }
}

/* A bare NULL becomes a NULL of any type. */
static void test_cast_of_null(void **state)
{
    (void)state;
    for (int t = TSFS_BOOLEAN; t < TSFS_TYPE_COUNT; t++) {
        struct call call = {tsfs_cast_kernel(TSFS_UNKNOWN, (enum tsfs_type)t), (enum tsfs_type)t, false};
        struct tsfs_vec arg = {.type = TSFS_UNKNOWN}, out;
        assert_int_equal(run(&call, &arg, 1, ROWS, NULL, NULL, &out), 0);
        for (uint32_t i = 0; i < ROWS; i++)
            assert_true(tsfs_vec_null(&out, i));
    }
}

/* What is printed reads back: every type that casts both ways, over random values. */
static void test_cast_round_trip(void **state)
{
    (void)state;
    static const enum tsfs_type types[] = {TSFS_BIGINT, TSFS_INTEGER, TSFS_DOUBLE, TSFS_TIMESTAMP,
                                           TSFS_DATE,   TSFS_TIME,    TSFS_BOOLEAN};
    uint64_t seed = 7;
    for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++) {
        for (int round = 0; round < 5000; round++) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
            uint64_t bits = seed >> (round % 50);
            struct tsfs_value v = {.type = types[t], .i = (int64_t)(bits ^ seed << 40)};
            if (v.type == TSFS_INTEGER || v.type == TSFS_DATE)
                v.i = (int32_t)v.i;
            if (v.type == TSFS_TIME)
                v.i = (int64_t)((uint64_t)v.i % (uint64_t)TSFS_NS_PER_DAY);
            if (v.type == TSFS_BOOLEAN)
                v.b = bits & 1;
            if (v.type == TSFS_DOUBLE && isnan(v.d))
                continue;
            struct tsfs_vec in, text, back;
            assert_int_equal(tsfs_vec_constant(&arena, v, &in), 0);
            struct call to = {tsfs_cast_kernel(v.type, TSFS_VARCHAR), TSFS_VARCHAR, false};
            struct call from = {tsfs_cast_kernel(TSFS_VARCHAR, v.type), v.type, false};
            assert_int_equal(run(&to, &in, 1, 1, NULL, NULL, &text), 0);
            if (run(&from, &text, 1, 1, NULL, NULL, &back) != 0)
                fail_msg("%s", err.message);
            assert_memory_equal(back.data, in.data, tsfs_type_width(v.type));
        }
        tsfs_arena_reset(&arena);
    }
}

/* LIKE against the plainest matcher there is. */
static bool like_naive(const char *s, const char *p)
{
    if (*p == '\0')
        return *s == '\0';
    if (*p == '%')
        return like_naive(s, p + 1) || (*s != '\0' && like_naive(s + 1, p));
    return *s != '\0' && (*p == '_' || *p == *s) && like_naive(s + 1, p + 1);
}

static void test_like_random(void **state)
{
    (void)state;
    struct tsfs_value probe[2] = {{.type = TSFS_VARCHAR}, {.type = TSFS_VARCHAR}};
    const struct tsfs_function *fn = lookup("like", probe, 2);
    struct call call = {((const struct tsfs_scalar_impl *)fn->impl)->kernel, TSFS_BOOLEAN, false};
    uint64_t seed = 99;
    for (int round = 0; round < 100000; round++) {
        char s[9], p[9];
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        uint64_t bits = seed >> 8;
        size_t sl = bits % 9, pl = bits / 9 % 9;
        bits /= 81;
        for (size_t i = 0; i < sl; i++, bits /= 2)
            s[i] = "ab"[bits % 2];
        for (size_t i = 0; i < pl; i++, bits /= 5)
            p[i] = "ab%%_"[bits % 5];
        s[sl] = p[pl] = '\0';
        struct tsfs_str texts[2] = {{s, sl}, {p, pl}};
        struct tsfs_vec args[2] = {{.type = TSFS_VARCHAR, .constant = true, .s = texts},
                                   {.type = TSFS_VARCHAR, .constant = true, .s = texts + 1}};
        struct tsfs_vec out;
        assert_int_equal(run(&call, args, 2, 1, NULL, NULL, &out), 0);
        if (out.b[0] != like_naive(s, p))
            fail_msg("'%s' LIKE '%s' gives %d", s, p, out.b[0]);
        tsfs_arena_reset(&arena);
    }
}

/* The registry: overloads adjoin, no two have the same types, everything has help and a kernel. */
static void test_registry(void **state)
{
    (void)state;
    const struct tsfs_function_set *set = tsfs_functions();
    assert_true(set->n > 200);
    for (uint32_t i = 0; i < set->n; i++) {
        const struct tsfs_function *fn = &set->items[i];
        assert_non_null(fn->impl);
        assert_non_null(fn->help);
        assert_true(strlen(fn->help) > 3);
        assert_true(fn->nargs <= TSFS_FUNCTION_ARGS_MAX && (!fn->variadic || fn->nargs > 0));
        assert_true(fn->result != TSFS_UNKNOWN);
        for (const char *p = fn->name; *p != '\0'; p++)
            assert_false(*p >= 'A' && *p <= 'Z');
        if (fn->kind == TSFS_FUNCTION_AGGREGATE) {
            const struct tsfs_aggregate_impl *impl = fn->impl;
            assert_true(impl->state_size > 0 && impl->update_run && impl->update_rows && impl->merge &&
                        impl->finish);
        } else if (fn->kind == TSFS_FUNCTION_SCALAR) {
            assert_non_null(((const struct tsfs_scalar_impl *)fn->impl)->kernel);
        }
        for (uint32_t j = i + 1; j < set->n; j++) {
            const struct tsfs_function *other = &set->items[j];
            if (strcmp(fn->name, other->name) != 0)
                continue;
            assert_string_equal(set->items[j - 1].name, fn->name);
            if (fn->kind == other->kind && fn->nargs == other->nargs && fn->variadic == other->variadic &&
                memcmp(fn->args, other->args, sizeof(fn->args)) == 0)
                fail_msg("%s is there twice with the same types", fn->name);
        }
    }
}

/* Every scalar function has a known answer. */
static void test_all_covered(void **state)
{
    (void)state;
    const struct tsfs_function_set *set = tsfs_functions();
    for (uint32_t i = 0; i < set->n; i++) {
        const struct tsfs_function *fn = &set->items[i];
        /* those with a signature are tested from SQL: test_nested_sql.c */
        bool found = fn->kind != TSFS_FUNCTION_SCALAR || fn->unstable || fn->sig != NULL;
        for (size_t c = 0; !found && c < sizeof(scalar_cases) / sizeof(scalar_cases[0]); c++)
            found = strcmp(scalar_cases[c].name, fn->name) == 0;
        if (!found)
            fail_msg("%s has no test", fn->name);
    }
}

static void test_random(void **state)
{
    (void)state;
    struct tsfs_value range[2] = {{.type = TSFS_BIGINT, .i = -3}, {.type = TSFS_BIGINT, .i = 4}};
    const struct tsfs_function *fn = lookup("random", range, 2), *plain = lookup("rand", range, 0);
    assert_true(fn->unstable && plain->unstable);
    struct tsfs_vec args[2], out;
    for (int i = 0; i < 2; i++)
        assert_int_equal(tsfs_vec_constant(&arena, range[i], &args[i]), 0);
    struct call call = {((const struct tsfs_scalar_impl *)fn->impl)->kernel, TSFS_BIGINT, false};
    assert_int_equal(run(&call, args, 2, 1000, NULL, NULL, &out), 0);
    unsigned seen = 0;
    for (int i = 0; i < 1000; i++) {
        assert_in_range(out.i[i] + 3, 0, 6);
        seen |= 1u << (out.i[i] + 3);
    }
    assert_int_equal(seen, 0x7f);
    call = (struct call){((const struct tsfs_scalar_impl *)plain->impl)->kernel, TSFS_DOUBLE, false};
    assert_int_equal(run(&call, args, 0, 1000, NULL, NULL, &out), 0);
    double sum = 0;
    for (int i = 0; i < 1000; i++) {
        assert_true(out.d[i] >= 0 && out.d[i] < 1);
        sum += out.d[i];
    }
    assert_true(sum > 400 && sum < 600);
    tsfs_arena_reset(&arena);
}

/* A budget that is used up is an error, not a crash. */
static void test_out_of_memory(void **state)
{
    (void)state;
    struct tsfs_budget budget = {.limit = 100000};
    struct tsfs_arena small;
    tsfs_arena_init(&small, &budget);
    struct tsfs_value values[3] = {parse("s x"), parse("b 10000000"), parse("s yz")};
    struct tsfs_vec args[3], out;
    for (int i = 0; i < 3; i++)
        assert_int_equal(tsfs_vec_constant(&small, values[i], &args[i]), 0);
    struct tsfs_kernel_ctx ctx = {.arena = &small, .err = &err, .line = 1, .column = 2};
    const struct tsfs_function *fn = lookup("lpad", values, 3);
    tsfs_error_clear(&err);
    out = (struct tsfs_vec){.type = TSFS_VARCHAR};
    assert_int_equal(((const struct tsfs_scalar_impl *)fn->impl)->kernel(&ctx, args, 3, 1, NULL, &out),
                     -ENOMEM);
    assert_int_equal(err.code, -ENOMEM);
    tsfs_arena_free(&small);
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
        cmocka_unit_test(test_registry),      cmocka_unit_test(test_all_covered),
        cmocka_unit_test(test_scalars),       cmocka_unit_test(test_casts),
        cmocka_unit_test(test_cast_of_null),  cmocka_unit_test(test_cast_round_trip),
        cmocka_unit_test(test_like_random),   cmocka_unit_test(test_random),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
