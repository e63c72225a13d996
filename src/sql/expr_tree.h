/* Building, comparing, rewriting and printing bound expressions.  Expressions are never changed once made and
 * may be shared between trees: every rewrite makes new nodes. */
#ifndef TSFS_SQL_EXPR_TREE_H
#define TSFS_SQL_EXPR_TREE_H

#include "base/arena.h"
#include "base/buf.h"
#include "sql/expr.h"
#include "sql/function.h"

/* All constructors return NULL when out of memory.  `at` gives the position. */
struct tsfs_expr *tsfs_expr_literal(struct tsfs_arena *arena, struct tsfs_value value,
                                    const struct tsfs_expr *at);
struct tsfs_expr *tsfs_expr_boolean(struct tsfs_arena *arena, bool value, const struct tsfs_expr *at);
struct tsfs_expr *tsfs_expr_column(struct tsfs_arena *arena, uint32_t index, enum tsfs_type type,
                                   const struct tsfs_expr *at);
/* A copy of e with other arguments (as many). */
struct tsfs_expr *tsfs_expr_with_args(struct tsfs_arena *arena, const struct tsfs_expr *e,
                                      struct tsfs_expr **args);
/* The AND of n expressions: NULL of none (check n), the one of one; nested ANDs are flattened. */
struct tsfs_expr *tsfs_expr_and(struct tsfs_arena *arena, struct tsfs_expr *const *terms, uint32_t n);

bool tsfs_expr_equal(const struct tsfs_expr *a, const struct tsfs_expr *b); /* positions aside */
/* Whether they were equal before constants were computed, too: 1 + 1 is not 2 here. */
bool tsfs_expr_equal_written(const struct tsfs_expr *a, const struct tsfs_expr *b);
uint64_t tsfs_expr_hash(const struct tsfs_expr *e);

/* Whether evaluating it on some row could be an error (any call not known to be total counts). */
bool tsfs_expr_can_fail(const struct tsfs_expr *e);
/* Whether two evaluations may differ: random(). */
bool tsfs_expr_unstable(const struct tsfs_expr *e);

/* Nodes of e counted as a tree (what is shared counts each time), or limit + 1 if there are more than limit.
 */
uint32_t tsfs_expr_size(const struct tsfs_expr *e, uint32_t limit);

/* Levels of e, 1 for a leaf. */
uint32_t tsfs_expr_depth(const struct tsfs_expr *e);

static inline bool tsfs_expr_is_literal(const struct tsfs_expr *e)
{
    return e->kind == TSFS_EXPR_LITERAL;
}
static inline enum tsfs_op tsfs_expr_op(const struct tsfs_expr *e)
{
    return e->kind == TSFS_EXPR_CALL ? e->fn->op : TSFS_OP_NONE;
}

/* Calls visit for every column reference; stops at the first false and returns it. */
bool tsfs_expr_each_column(const struct tsfs_expr *e, bool (*visit)(void *ctx, uint32_t index), void *ctx);

/* Replaces every column reference by what map says of it (NULL from it = out of memory). */
struct tsfs_expr *tsfs_expr_map(struct tsfs_arena *arena, struct tsfs_expr *e,
                                struct tsfs_expr *(*map)(void *ctx, struct tsfs_expr *column), void *ctx);

/* SQL text of e; names[i] is column i's. */
TSFS_MUST_CHECK int tsfs_expr_print(const struct tsfs_expr *e, const struct tsfs_str *names, uint32_t nnames,
                                    struct tsfs_buf *out);
/* name, or "name" where it needs quotes. */
TSFS_MUST_CHECK int tsfs_expr_print_name(struct tsfs_str name, struct tsfs_buf *out);

#endif
