/* What the tests of aggregates share: columns of random values, and an aggregate's result computed in all the
 * ways that the executor may choose. */
#ifndef TSFS_TESTS_AGG_SUPPORT_H
#define TSFS_TESTS_AGG_SUPPORT_H

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
#include "random.h"

#define ROWS 1500u

static struct tsfs_arena arena;
static struct tsfs_error err;
static uint64_t seed = 4711;

static inline uint64_t rnd(void)
{
    return test_random(&seed);
}

static inline struct tsfs_kernel_ctx context(void)
{
    tsfs_error_clear(&err);
    return (struct tsfs_kernel_ctx){.arena = &arena, .err = &err, .line = 1, .column = 8};
}

static inline const struct tsfs_function *lookup(const char *name, const enum tsfs_type *types,
                                                 unsigned nargs)
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
static inline struct tsfs_vec column(enum tsfs_type type, unsigned nulls_of_8, unsigned spread)
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

static inline void *new_state(const struct tsfs_aggregate_impl *impl)
{
    /* Off 16-byte alignment on purpose: states need 8. */
    return (char *)tsfs_arena_calloc(&arena, 1, impl->state_size + 24) + 8;
}

static inline int finish(const struct tsfs_function *fn, const struct tsfs_vec *args, const void *state,
                         struct tsfs_value *out)
{
    const struct tsfs_aggregate_impl *impl = fn->impl;
    struct tsfs_kernel_ctx ctx = context();
    char data[3 * sizeof(struct tsfs_str)];
    uint64_t valid[1] = {rnd()};
    memset(data, 0x5a, sizeof(data));
    *out = (struct tsfs_value){.null = true};
    int rc = impl->finish(&ctx, state, data, valid, 1);
    struct tsfs_vec v = {
        .type = fn->result == TSFS_ANY ? args[0].type : fn->result, .data = data, .valid = valid};
    if (rc == 0)
        *out = tsfs_vec_get(&v, 1);
    return rc;
}

enum way { ONE_RUN, MANY_RUNS, ROW_BY_ROW, MERGED_RUNS, MERGED_ROWS, WAYS };

static inline int compute(const struct tsfs_function *fn, const struct tsfs_vec *args, uint32_t n,
                          enum way way, struct tsfs_value *out)
{
    const struct tsfs_aggregate_impl *impl = fn->impl;
    struct tsfs_kernel_ctx ctx = context();
    void *states[4], **rows = tsfs_arena_alloc(&arena, ROWS * sizeof(*rows));
    for (int i = 0; i < 4; i++)
        states[i] = new_state(impl);
    int rc = 0;
    *out = (struct tsfs_value){.null = true};
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

static inline void same(const char *what, struct tsfs_value got, struct tsfs_value want, double tolerance)
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

static inline int setup(void **state)
{
    (void)state;
    tsfs_arena_init(&arena, NULL);
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    tsfs_arena_free(&arena);
    return 0;
}

#endif
