/* Every scalar function and every cast from text, called with arguments cut out of the input: the first bytes
 * choose the function, then each argument takes its bytes.  Whatever they are, a call either fails with a
 * message or gives values that can be printed, and strings that are UTF-8 when the arguments were. */
#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "col/text.h"
#include "exec/function.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

/* A value of the type; strings that are not UTF-8 never reach functions, so they become empty. */
static struct tsfs_value value(struct input *in, enum tsfs_type type)
{
    struct tsfs_value v = {.type = type};
    size_t len;
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
    if (tsfs_value_append(&v, &text) != 0)
        abort();
    tsfs_buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    const struct tsfs_function_set *set = tsfs_functions();
    uint32_t chosen = (uint32_t)(take(&in, 2) % (set->n + TSFS_TYPE_COUNT));
    struct tsfs_budget budget = {.limit = 64u << 20};
    struct tsfs_arena arena;
    tsfs_arena_init(&arena, &budget);
    struct tsfs_error err = {0};
    struct tsfs_kernel_ctx ctx = {
        .arena = &arena, .now = INT64_C(1700000000000000000), .err = &err, .line = 1};
    struct tsfs_vec args[TSFS_FUNCTION_ARGS_MAX], out = {.constant = true};
    unsigned nargs = 0;
    tsfs_kernel kernel = NULL;

    if (chosen >= set->n) {
        out.type = (enum tsfs_type)(chosen - set->n);
        kernel = tsfs_cast_kernel(TSFS_VARCHAR, out.type);
        nargs = 1;
        if (tsfs_vec_constant(&arena, value(&in, TSFS_VARCHAR), &args[0]) != 0)
            kernel = NULL;
    } else if (set->items[chosen].kind == TSFS_FUNCTION_SCALAR) {
        const struct tsfs_function *fn = &set->items[chosen];
        nargs = fn->nargs + (fn->variadic ? (unsigned)take(&in, 1) % 3 : 0);
        kernel = ((const struct tsfs_scalar_impl *)fn->impl)->kernel;
        for (unsigned a = 0; a < nargs; a++) {
            enum tsfs_type type = fn->args[a < fn->nargs ? a : fn->nargs - 1u];
            if (tsfs_vec_constant(&arena, value(&in, type == TSFS_ANY ? TSFS_BIGINT : type), &args[a]) != 0)
                kernel = NULL;
        }
        out.type = fn->result == TSFS_ANY ? TSFS_BIGINT : fn->result;
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
