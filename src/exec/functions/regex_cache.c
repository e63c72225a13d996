/* PCRE2, fenced in.
 *
 * A pattern may be anything that a user, or his data, comes up with, so each way to burn time or memory has
 * its fence: the pattern's length and nesting, the size of the compiled code (PCRE2's own), the steps of one
 * match, its backtracking depth and heap (or, compiled to machine code, its stack), and the length of the
 * subject.  What no counter of PCRE2 sees is the scan for a place to start from, which may look at the whole
 * rest of the subject at every place; so the places are tried in windows, and between two of them the query
 * is asked whether it is still wanted.
 *
 * Patterns are Java's as far as PCRE2 goes along: line ends are those of Unicode, \d, \w and \b are ASCII's,
 * \uhhhh is read as a code point.
 *
 * Each thread keeps the patterns that it used last, in an array that its end destroys. */
#include "exec/functions/regex_cache.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/limits.h"

#define PATTERNS_KEPT  16
#define MATCH_STEPS    1000000u
#define MATCH_DEPTH    100000u
#define MATCH_HEAP_KIB (16u << 10)
#define JIT_STACK      (1u << 20)
#define FIND_STEPS     (1u << 16)          /* what a search counts for: it may take a hundredth of a second */
#define WINDOW_BYTES   (UINT64_C(1) << 26) /* places tried at once times bytes that each may look at */

struct cache {
    struct regex entries[PATTERNS_KEPT];
    pcre2_compile_context *compile;
    pcre2_jit_stack *stack;
    uint64_t clock;
};

static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool have_key;

static void forget(struct regex *re)
{
    pcre2_code_free(re->code);
    pcre2_match_data_free(re->match);
    pcre2_match_context_free(re->context);
    free(re->pattern);
    *re = (struct regex){0};
}

static void destroy(void *p)
{
    struct cache *cache = p;
    for (int i = 0; i < PATTERNS_KEPT; i++)
        forget(&cache->entries[i]);
    pcre2_compile_context_free(cache->compile);
    pcre2_jit_stack_free(cache->stack);
    free(cache);
}

/* The process's last thread ends without destructors. */
static void destroy_own(void)
{
    struct cache *cache = pthread_getspecific(key);
    if (cache != NULL)
        destroy(cache);
    pthread_setspecific(key, NULL);
}

static void make_key(void)
{
    have_key = pthread_key_create(&key, destroy) == 0;
    if (have_key)
        (void)atexit(destroy_own);
}

static struct cache *own_cache(void)
{
    pthread_once(&once, make_key);
    if (!have_key)
        return NULL;
    struct cache *cache = pthread_getspecific(key);
    if (cache != NULL)
        return cache;
    cache = calloc(1, sizeof(*cache));
    if (cache == NULL)
        return NULL;
    cache->compile = pcre2_compile_context_create(NULL);
    cache->stack = pcre2_jit_stack_create(32 << 10, JIT_STACK, NULL);
    if (cache->compile == NULL || pthread_setspecific(key, cache) != 0) {
        destroy(cache);
        return NULL;
    }
    pcre2_set_newline(cache->compile, PCRE2_NEWLINE_ANY);
    pcre2_set_max_pattern_length(cache->compile, 2 * TSFS_REGEX_PATTERN_MAX);
    pcre2_set_parens_nest_limit(cache->compile, TSFS_REGEX_NESTING_MAX);
    return cache;
}

static bool hex(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* Java's \uhhhh as PCRE2's \x{hhhh}; to has room for twice the pattern. */
static size_t translate(struct tsfs_str from, char *to)
{
    size_t n = 0;
    for (size_t i = 0; i < from.len; i++) {
        const char *p = from.ptr + i;
        if (*p != '\\' || i + 1 == from.len) {
            to[n++] = *p;
            continue;
        }
        bool code = p[1] == 'u' && from.len - i >= 6 && hex(p[2]) && hex(p[3]) && hex(p[4]) && hex(p[5]);
        if (code) {
            memcpy(to + n, "\\x{", 3);
            memcpy(to + n + 3, p + 2, 4);
            to[n + 7] = '}';
            n += 8;
            i += 5;
        } else {
            to[n++] = p[0];
            to[n++] = p[1];
            i++;
        }
    }
    return n;
}

static int compile(struct tsfs_kernel_ctx *ctx, uint32_t row, struct cache *cache, struct tsfs_str pattern,
                   struct regex *re)
{
    char *text = malloc(2 * pattern.len + 1);
    re->pattern = malloc(pattern.len + 1);
    if (text == NULL || re->pattern == NULL) {
        free(text);
        forget(re);
        return function_no_memory(ctx);
    }
    memcpy(re->pattern, pattern.ptr, pattern.len);
    re->len = pattern.len;
    size_t len = translate(pattern, text), at = 0;
    int code = 0;
    re->code =
        pcre2_compile((PCRE2_SPTR)text, len,
                      PCRE2_UTF | PCRE2_NO_UTF_CHECK | PCRE2_NEVER_BACKSLASH_C | PCRE2_USE_OFFSET_LIMIT,
                      &code, &at, cache->compile);
    free(text);
    if (re->code == NULL) {
        PCRE2_UCHAR why[160];
        forget(re);
        if (code == PCRE2_ERROR_NOMEMORY || pcre2_get_error_message(code, why, sizeof(why)) < 0)
            return function_no_memory(ctx);
        return function_fail(ctx, row, "the regular expression '%.*s%s' cannot be used: %s at byte %zu",
                             FUNCTION_EXCERPT(pattern), (const char *)why, at);
    }
    re->match = pcre2_match_data_create_from_pattern(re->code, NULL);
    re->context = pcre2_match_context_create(NULL);
    if (re->match == NULL || re->context == NULL) {
        forget(re);
        return function_no_memory(ctx);
    }
    pcre2_set_match_limit(re->context, MATCH_STEPS);
    pcre2_set_depth_limit(re->context, MATCH_DEPTH);
    pcre2_set_heap_limit(re->context, MATCH_HEAP_KIB);
    pcre2_pattern_info(re->code, PCRE2_INFO_CAPTURECOUNT, &re->groups);
    /* Machine code where the system allows it; otherwise the interpreter does. */
    if (cache->stack != NULL && pcre2_jit_compile(re->code, PCRE2_JIT_COMPLETE) == 0)
        pcre2_jit_stack_assign(re->context, NULL, cache->stack);
    return 0;
}

int regex_get(struct tsfs_kernel_ctx *ctx, uint32_t row, struct tsfs_str pattern, struct regex **out)
{
    struct cache *cache = own_cache();
    struct regex *oldest = NULL;
    *out = NULL;
    if (cache == NULL)
        return function_no_memory(ctx);
    if (pattern.len > TSFS_REGEX_PATTERN_MAX)
        return function_fail(ctx, row, "a regular expression of more than %u bytes", TSFS_REGEX_PATTERN_MAX);
    cache->clock++;
    for (int i = 0; i < PATTERNS_KEPT; i++) {
        struct regex *re = &cache->entries[i];
        if (re->code != NULL && re->len == pattern.len &&
            memcmp(re->pattern, pattern.ptr, pattern.len) == 0) {
            re->used = cache->clock;
            *out = re;
            return 0;
        }
        if (oldest == NULL || re->used < oldest->used)
            oldest = re;
    }
    forget(oldest);
    int rc = compile(ctx, row, cache, pattern, oldest);
    if (rc == 0 && oldest->code != NULL) {
        oldest->used = cache->clock;
        *out = oldest;
    }
    return rc;
}

int regex_find(struct tsfs_kernel_ctx *ctx, uint32_t row, struct regex *re, struct tsfs_str subject,
               size_t from)
{
    PCRE2_SPTR text = (PCRE2_SPTR)(subject.ptr != NULL ? subject.ptr : "");
    if (subject.len > TSFS_REGEX_SUBJECT_MAX)
        return function_fail(ctx, row, "regular expressions take texts of at most %u bytes, not %zu",
                             TSFS_REGEX_SUBJECT_MAX, subject.len);
    uint64_t window = WINDOW_BYTES / (subject.len + 1) + 1;
    int rc = tsfs_kernel_work(ctx, FIND_STEPS);
    if (rc != 0)
        return rc;
    for (size_t at = from;;) {
        size_t last = at + window < subject.len ? at + (size_t)window : subject.len;
        while (last > at && last < subject.len && ((unsigned char)subject.ptr[last] & 0xc0) == 0x80)
            last++;
        pcre2_set_offset_limit(re->context, last);
        rc = pcre2_match(re->code, text, subject.len, at, PCRE2_NO_UTF_CHECK, re->match, re->context);
        if (rc != PCRE2_ERROR_NOMATCH || last == subject.len)
            break;
        int stop = tsfs_kernel_poll(ctx);
        if (stop != 0)
            return stop;
        /* A start behind `at` sees the same text before it: lookbehind is not cut. */
        at = last;
    }
    if (rc >= 0) {
        /* \K in a lookahead may put the start behind the end */
        const size_t *ends = pcre2_get_ovector_pointer(re->match);
        return ends[0] <= ends[1] && ends[0] >= from;
    }
    switch (rc) {
    case PCRE2_ERROR_NOMATCH: return 0;
    case PCRE2_ERROR_NOMEMORY: return function_no_memory(ctx);
    case PCRE2_ERROR_MATCHLIMIT:
    case PCRE2_ERROR_DEPTHLIMIT:
    case PCRE2_ERROR_HEAPLIMIT:
    case PCRE2_ERROR_JIT_STACKLIMIT:
    case PCRE2_ERROR_RECURSELOOP:
        return function_fail(ctx, row,
                             "the regular expression '%.*s%s' takes too many steps on '%.*s%s': make its "
                             "repetitions less ambiguous",
                             FUNCTION_EXCERPT(((struct tsfs_str){re->pattern, re->len})),
                             FUNCTION_EXCERPT(subject));
    default: {
        PCRE2_UCHAR why[160] = "";
        (void)pcre2_get_error_message(rc, why, sizeof(why));
        return function_fail(ctx, row, "the regular expression failed: %s", (const char *)why);
    }
    }
}
