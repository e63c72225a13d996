/* Regular expressions made ready: compiled once for each thread and pattern, the last few kept. */
#ifndef TSFS_EXEC_FUNCTIONS_REGEX_CACHE_H
#define TSFS_EXEC_FUNCTIONS_REGEX_CACHE_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "exec/functions/functions_priv.h"

struct regex {
    pcre2_code *code;
    pcre2_match_data *match;
    pcre2_match_context *context;
    uint32_t groups; /* without the whole match */
    /* private to the cache */
    char *pattern;
    size_t len;
    uint64_t used;
};

/* *out is the thread's until it asks for other patterns; NULL with 0: the row was marked as failed (TRY). */
TSFS_MUST_CHECK int regex_get(struct tsfs_kernel_ctx *ctx, uint32_t row, struct tsfs_str pattern,
                              struct regex **out);

/* Looks for the first match at or behind byte `from`: 1 found (re->match has it), 0 not, -errno; under TRY a
 * failure marks the row and gives 0. */
TSFS_MUST_CHECK int regex_find(struct tsfs_kernel_ctx *ctx, uint32_t row, struct regex *re,
                               struct tsfs_str subject, size_t from);

/* Whether the last failure that regex_find turned into "not found" was one. */
static inline bool regex_row_failed(const struct tsfs_kernel_ctx *ctx, uint32_t row)
{
    return ctx->row_errors != NULL && tsfs_bit_get(ctx->row_errors, row);
}

#endif
