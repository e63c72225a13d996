/* Every scalar function and every cast from text, called with arguments cut out of the input: the first bytes
 * choose the function, then each argument takes its bytes; variables of signatures become types that the
 * input chooses (functions with lambdas are left to fuzz_query.c).  Whatever they are, a call either fails
 * with a message or gives values that can be printed, and strings that are UTF-8 when the arguments were. */
#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "col/nested.h"
#include "col/text.h"
#include "exec/function.h"
#include "fuzz.h"

struct input {
    const uint8_t *p;
    size_t left;
};

static uint64_t take(struct input *in, size_t n)
{
    uint64_t v = 0;
    for (; n > 0 && in->left > 0; n--, in->left--)
        v = v << 8 | *in->p++;
    return v;
}

static struct tsfs_value value(struct input *in, struct tsfs_arena *arena, enum tsfs_type type);

/* n values as a vector. */
static struct tsfs_vec values(struct input *in, struct tsfs_arena *arena, enum tsfs_type type, uint32_t n)
{
    struct tsfs_vec_room room;
    if (tsfs_vec_room(arena, type, n, &room) != 0)
        abort();
    for (uint32_t i = 0; i < n; i++) {
        struct tsfs_value v = value(in, arena, type);
        v.null = take(in, 1) % 8 == 7;
        tsfs_vec_put_value(&room, type, i, &v);
    }
    return tsfs_vec_of_room(type, &room, n);
}

static const void *nested(struct input *in, struct tsfs_arena *arena, enum tsfs_type type)
{
    uint32_t n = (uint32_t)take(in, 1) % 9;
    switch (tsfs_type_kind(type)) {
    case TSFS_KIND_ARRAY: {
        struct tsfs_array *a = TSFS_NEW(arena, struct tsfs_array);
        if (a == NULL)
            abort();
        *a = (struct tsfs_array){n, values(in, arena, tsfs_type_element(type), n)};
        return a;
    }
    case TSFS_KIND_ROW: {
        struct tsfs_row *r = TSFS_NEW(arena, struct tsfs_row);
        struct tsfs_value *fields = TSFS_NEW_ARRAY(arena, struct tsfs_value, tsfs_type_nfields(type));
        if (r == NULL || fields == NULL)
            abort();
        *r = (struct tsfs_row){tsfs_type_nfields(type), fields};
        for (uint32_t i = 0; i < r->n; i++) {
            fields[i] = value(in, arena, tsfs_type_field(type, i));
            fields[i].null = take(in, 1) % 8 == 7;
        }
        return r;
    }
    default: {
        struct tsfs_timeseries *s = TSFS_NEW(arena, struct tsfs_timeseries);
        int64_t *times = tsfs_arena_calloc(arena, n, sizeof(*times));
        if (s == NULL || times == NULL)
            abort();
        int64_t t = (int64_t)take(in, 8) / 2;
        for (uint32_t i = 0; i < n; i++)
            times[i] = t += 1 + (int64_t)take(in, (size_t)take(in, 1) % 7);
        *s = (struct tsfs_timeseries){n, times, values(in, arena, tsfs_type_element(type), n)};
        return s;
    }
    }
}

/* The pattern with its variables as types that the input chooses: the same for the same variable. */
static enum tsfs_type chosen(enum tsfs_type pattern, const uint8_t *choice)
{
    static const enum tsfs_type types[] = {TSFS_BIGINT, TSFS_DOUBLE, TSFS_VARCHAR, TSFS_BOOLEAN,
                                           TSFS_TIMESTAMP};
    if (tsfs_type_is_var(pattern)) {
        unsigned c = choice[pattern - TSFS_TYPE_VAR];
        return c % 6 == 5 ? tsfs_type_array(types[c / 6 % 5]) : types[c % 6];
    }
    if (!tsfs_type_generic(pattern))
        return pattern;
    switch (tsfs_type_kind(pattern)) {
    case TSFS_KIND_ARRAY: return tsfs_type_array(chosen(tsfs_type_element(pattern), choice));
    case TSFS_KIND_TIMESERIES: return tsfs_type_timeseries(chosen(tsfs_type_element(pattern), choice));
    default: {
        enum tsfs_type fields[TSFS_FUNCTION_ARGS_MAX];
        unsigned n = tsfs_type_nfields(pattern);
        for (unsigned i = 0; i < n; i++)
            fields[i] = chosen(tsfs_type_field(pattern, i), choice);
        return tsfs_type_row(fields, NULL, n);
    }
    }
}

static bool takes_lambda(const struct tsfs_function *fn)
{
    for (unsigned i = 0; i < fn->nargs; i++)
        if (tsfs_type_kind(fn->args[i]) == TSFS_KIND_LAMBDA)
            return true;
    return false;
}

/* Entries whose arguments have types that no signature says. */
static bool special(const struct tsfs_function *fn)
{
    return fn->sig != NULL && (fn->name[0] == '.' || fn->name[0] == 'r') &&
           (fn->name[1] == '\0' || fn->name[1] == 'o');
}

/* A value of the type; strings that are not UTF-8 never reach functions, so they become empty. */
static struct tsfs_value value(struct input *in, struct tsfs_arena *arena, enum tsfs_type type)
{
    struct tsfs_value v = {.type = type};
    size_t len;
    if (tsfs_type_is_nested(type)) {
        v.p = nested(in, arena, type);
        return v;
    }
    switch (type) {
    case TSFS_VARCHAR:
        len = (size_t)take(in, 1);
        len = len < in->left ? len : in->left;
        v.s = (struct tsfs_str){(const char *)in->p, len};
        in->p += len;
        in->left -= len;
        if (len == 0 || !tsfs_utf8_valid(v.s))
            v.s = TSFS_STR("");
        break;
    case TSFS_BOOLEAN: v.b = take(in, 1) & 1; break;
    case TSFS_INTEGER:
    case TSFS_DATE: v.i = (int32_t)take(in, 4); break;
    case TSFS_TIME: v.i = (int64_t)(take(in, 8) % UINT64_C(86400000000000)); break;
    default:
        /* A length first, so that small numbers are likely too. */
        v.i = (int64_t)take(in, (size_t)take(in, 1) % 9);
        break;
    }
    return v;
}

static void check(const struct tsfs_vec *out)
{
    struct tsfs_value v = tsfs_vec_get(out, 0);
    struct tsfs_buf text = {0};
    if (v.null)
        return;
    if (v.type == TSFS_VARCHAR && (!tsfs_utf8_valid(v.s) || v.s.len > TSFS_RESULT_VARCHAR_MAX))
        abort();
    if (tsfs_value_append(&v, SIZE_MAX, &text) != 0)
        abort();
    tsfs_buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    const struct tsfs_function_set *set = tsfs_functions();
    uint32_t number = (uint32_t)(take(&in, 2) % (set->n + TSFS_TYPE_COUNT));
    struct tsfs_budget budget = {.limit = 16u << 20};
    struct tsfs_arena arena;
    tsfs_arena_init(&arena, &budget);
    struct tsfs_error err = {0};
    struct tsfs_kernel_ctx ctx = {
        .arena = &arena, .now = INT64_C(1700000000000000000), .err = &err, .line = 1};
    struct tsfs_vec args[TSFS_FUNCTION_ARGS_MAX], out = {.constant = true};
    unsigned nargs = 0;
    tsfs_kernel kernel = NULL;

    if (number >= set->n) {
        out.type = (enum tsfs_type)(number - set->n);
        kernel = tsfs_cast_kernel(TSFS_VARCHAR, out.type);
        nargs = 1;
        if (tsfs_vec_constant(&arena, value(&in, &arena, TSFS_VARCHAR), &args[0]) != 0)
            kernel = NULL;
    } else if (set->items[number].kind == TSFS_FUNCTION_SCALAR && !takes_lambda(&set->items[number]) &&
               !special(&set->items[number])) {
        const struct tsfs_function *fn = &set->items[number];
        uint8_t choice[TSFS_TYPE_VARS] = {0};
        for (int i = 0; fn->sig != NULL && i < TSFS_TYPE_VARS; i++)
            choice[i] = (uint8_t)take(&in, 1);
        nargs = fn->nargs + (fn->variadic ? (unsigned)take(&in, 1) % 3 : 0);
        kernel = ((const struct tsfs_scalar_impl *)fn->impl)->kernel;
        for (unsigned a = 0; a < nargs; a++) {
            enum tsfs_type type = chosen(fn->args[a < fn->nargs ? a : fn->nargs - 1u], choice);
            if (tsfs_vec_constant(&arena, value(&in, &arena, type), &args[a]) != 0)
                kernel = NULL;
        }
        out.type = chosen(fn->result, choice);
    }
    if (kernel != NULL) {
        int rc = kernel(&ctx, args, nargs, 1, NULL, &out);
        if (rc == 0)
            check(&out);
        else if (err.code != rc || err.message[0] == '\0')
            abort();
    }
    tsfs_arena_free(&arena);
    return 0;
}
