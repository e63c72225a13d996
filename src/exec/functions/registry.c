/* The one registry.  Each family of functions brings a constant table; they are put together once, sorted by
 * name, so that the overloads of a name adjoin in the order in which their families list them. */
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <strings.h>

#include "base/limits.h"
#include "exec/functions/functions_priv.h"

#define REGISTRY_MAX 1024

static const struct function_table *const families[] = {
    &functions_arith,          &functions_interval,
    &functions_compare,        &functions_like,
    &functions_math,           &functions_string,
    &functions_search,         &functions_date_part,
    &functions_datetime,       &functions_bin,
    &functions_date_text,      &functions_agg_basic,
    &functions_agg_extreme,    &functions_agg_by,
    &functions_agg_stat,       &functions_agg_sketch,
    &functions_array_lists,    &functions_array_sort,
    &functions_array_make,     &functions_array_set,
    &functions_array_lambda,   &functions_nested_compare,
    &functions_timeseries,     &functions_agg_collect,
    &functions_agg_top,        &functions_regex,
    &functions_joda,           &functions_window,
    &functions_bits,           &functions_string_join,
    &functions_iso8601,        &functions_binary,
    &functions_agg_percentile,
};

static const struct tsfs_function *order[REGISTRY_MAX];
static struct tsfs_function registry[REGISTRY_MAX];
static struct tsfs_function_set set = {.items = registry};
static pthread_once_t once = PTHREAD_ONCE_INIT;

static int by_name(const void *a, const void *b)
{
    const struct tsfs_function *const *x = a, *const *y = b;
    return strcasecmp((*x)->name, (*y)->name);
}

/* A merge sort: qsort need not keep equal names in order. */
static void sort(const struct tsfs_function **items, uint32_t n)
{
    static const struct tsfs_function *merged[REGISTRY_MAX];
    if (n < 2)
        return;
    uint32_t half = n / 2;
    sort(items, half);
    sort(items + half, n - half);
    for (uint32_t i = 0, a = 0, b = half; i < n; i++) {
        bool left = b == n || (a < half && by_name(&items[a], &items[b]) <= 0);
        merged[i] = left ? items[a++] : items[b++];
    }
    memcpy(items, merged, n * sizeof(*items));
}

/* "array(T), bigint... -> T" into the entry's arguments and result.  False: it cannot be read. */
static bool read_signature(struct tsfs_function *fn)
{
    struct tsfs_str left = tsfs_str_from(fn->sig);
    unsigned depth = 0;
    size_t from = 0;
    for (size_t i = 0; i < left.len; i++) {
        depth += left.ptr[i] == '(';
        depth -= left.ptr[i] == ')';
        bool arrow = depth == 0 && left.ptr[i] == '-' && left.ptr[i + 1] == '>';
        if (depth > 0 || (left.ptr[i] != ',' && !arrow))
            continue;
        struct tsfs_str arg = {left.ptr + from, i - from};
        while (arg.len > 0 && arg.ptr[arg.len - 1] == ' ')
            arg.len--;
        while (arg.len > 0 && arg.ptr[0] == ' ') {
            arg.ptr++;
            arg.len--;
        }
        fn->variadic = arg.len > 3 && memcmp(arg.ptr + arg.len - 3, "...", 3) == 0;
        arg.len -= fn->variadic ? 3 : 0;
        if (arg.len > 0 &&
            (fn->nargs == TSFS_FUNCTION_ARGS_MAX || !tsfs_type_parse(arg, &fn->args[fn->nargs++])))
            return false;
        from = i + (arrow ? 2 : 1);
        if (arrow)
            return tsfs_type_parse((struct tsfs_str){left.ptr + from, left.len - from}, &fn->result);
    }
    return false;
}

static void build(void)
{
    uint32_t n = 0;
    for (size_t f = 0; f < sizeof(families) / sizeof(families[0]); f++)
        for (uint32_t i = 0; i < families[f]->n; i++) {
            if (n == REGISTRY_MAX)
                abort(); /* a programmer's error: every start and every test runs into it */
            order[n++] = &families[f]->items[i];
        }
    sort(order, n);
    for (uint32_t i = 0; i < n; i++) {
        registry[i] = *order[i];
        if (registry[i].sig != NULL && !read_signature(&registry[i]))
            abort();
    }
    set.n = n;
}

const struct tsfs_function_set *tsfs_functions(void)
{
    pthread_once(&once, build);
    return &set;
}

int function_no_memory(struct tsfs_kernel_ctx *ctx)
{
    return tsfs_error_set_at(ctx->err, -ENOMEM, ctx->line, ctx->column,
                             "out of memory (query_memory) while computing a function");
}

void *function_alloc(struct tsfs_kernel_ctx *ctx, struct tsfs_vec *out, uint32_t n, unsigned width)
{
    void *p = tsfs_arena_alloc(ctx->arena, (size_t)n * width);
    if (p == NULL)
        function_no_memory(ctx);
    out->data = p;
    return p;
}

void *function_calloc(struct tsfs_kernel_ctx *ctx, struct tsfs_vec *out, uint32_t n, unsigned width)
{
    void *p = function_alloc(ctx, out, n, width);
    if (p != NULL)
        memset(p, 0, (size_t)n * width);
    return p;
}

char *function_bytes(struct tsfs_kernel_ctx *ctx, size_t size)
{
    char *p = tsfs_arena_alloc(ctx->arena, size);
    if (p == NULL)
        function_no_memory(ctx);
    ctx->steps += size / 4; /* writing it; the next row's tsfs_kernel_work polls */
    return p;
}

int function_fail(struct tsfs_kernel_ctx *ctx, uint32_t row, const char *fmt, ...)
{
    if (ctx->row_errors != NULL) {
        tsfs_bit_set(ctx->row_errors, row);
        return 0;
    }
    va_list ap;
    va_start(ap, fmt);
    tsfs_error_vset_at(ctx->err, -EINVAL, ctx->line, ctx->column, fmt, ap);
    va_end(ap);
    return -EINVAL;
}

int function_too_long(struct tsfs_kernel_ctx *ctx, uint32_t row, const char *fn)
{
    return function_fail(ctx, row, "%s: the result would be longer than %u bytes", fn,
                         TSFS_RESULT_VARCHAR_MAX);
}

int function_excerpt_len(struct tsfs_str s)
{
    size_t len = s.len;
    if (len > FUNCTION_EXCERPT_MAX) {
        len = FUNCTION_EXCERPT_MAX;
        while (len > 0 && ((unsigned char)s.ptr[len] & 0xc0) == 0x80)
            len--;
    }
    return (int)len;
}

uint64_t *function_own_valid(struct tsfs_kernel_ctx *ctx, uint32_t n, const uint64_t *valid,
                             struct tsfs_vec *out)
{
    size_t bytes = tsfs_bit_words(n) * sizeof(uint64_t);
    uint64_t *own = tsfs_arena_alloc(ctx->arena, bytes);
    if (own == NULL) {
        function_no_memory(ctx);
        return NULL;
    }
    if (valid != NULL)
        memcpy(own, valid, bytes);
    else
        memset(own, 0xff, bytes);
    out->valid = own;
    return own;
}
