#include "sql/expr_tree.h"

#include <strings.h>

#include "base/hash.h"
#include "base/limits.h"
#include "col/nested.h"
#include "col/text.h"

static struct tsfs_expr *new_expr(struct tsfs_arena *arena, enum tsfs_expr_kind kind, enum tsfs_type type,
                                  const struct tsfs_expr *at)
{
    struct tsfs_expr *e = TSFS_NEW(arena, struct tsfs_expr);
    if (e == NULL)
        return NULL;
    e->kind = kind;
    e->type = type;
    if (at != NULL) {
        e->line = at->line;
        e->column = at->column;
    }
    return e;
}

struct tsfs_expr *tsfs_expr_literal(struct tsfs_arena *arena, struct tsfs_value value,
                                    const struct tsfs_expr *at)
{
    struct tsfs_expr *e = new_expr(arena, TSFS_EXPR_LITERAL, value.type, at);
    if (e != NULL)
        e->value = value;
    return e;
}

struct tsfs_expr *tsfs_expr_boolean(struct tsfs_arena *arena, bool value, const struct tsfs_expr *at)
{
    return tsfs_expr_literal(arena, (struct tsfs_value){.type = TSFS_BOOLEAN, .b = value}, at);
}

struct tsfs_expr *tsfs_expr_column(struct tsfs_arena *arena, uint32_t index, enum tsfs_type type,
                                   const struct tsfs_expr *at)
{
    struct tsfs_expr *e = new_expr(arena, TSFS_EXPR_COLUMN, type, at);
    if (e != NULL)
        e->index = index;
    return e;
}

struct tsfs_expr *tsfs_expr_with_args(struct tsfs_arena *arena, const struct tsfs_expr *e,
                                      struct tsfs_expr **args)
{
    struct tsfs_expr *copy = TSFS_NEW(arena, struct tsfs_expr);
    if (copy == NULL)
        return NULL;
    *copy = *e;
    copy->args = args;
    return copy;
}

struct tsfs_expr *tsfs_expr_and(struct tsfs_arena *arena, struct tsfs_expr *const *terms, uint32_t n)
{
    if (n <= 1)
        return n == 0 ? NULL : terms[0];
    uint32_t total = 0;
    for (uint32_t i = 0; i < n; i++)
        total += terms[i]->kind == TSFS_EXPR_AND ? terms[i]->nargs : 1;
    struct tsfs_expr *e = new_expr(arena, TSFS_EXPR_AND, TSFS_BOOLEAN, terms[0]);
    struct tsfs_expr **args = TSFS_NEW_ARRAY(arena, struct tsfs_expr *, total);
    if (e == NULL || args == NULL)
        return NULL;
    for (uint32_t i = 0; i < n; i++) {
        if (terms[i]->kind == TSFS_EXPR_AND)
            for (uint32_t k = 0; k < terms[i]->nargs; k++)
                args[e->nargs++] = terms[i]->args[k];
        else
            args[e->nargs++] = terms[i];
    }
    e->args = args;
    return e;
}

/* Equal, and with the same text: -0.0 is not 0.0 here.  Long texts are not made for it: such values are only
 * the same when they are one. */
static bool same_nested(const struct tsfs_value *a, const struct tsfs_value *b)
{
    struct tsfs_buf x = {0}, y = {0};
    bool same = tsfs_value_same(a, b) && tsfs_value_append(a, TSFS_RESULT_VARCHAR_MAX, &x) == 0 &&
                tsfs_value_append(b, TSFS_RESULT_VARCHAR_MAX, &y) == 0 &&
                tsfs_str_eq(tsfs_buf_str(&x), tsfs_buf_str(&y));
    tsfs_buf_free(&x);
    tsfs_buf_free(&y);
    return same;
}

static bool same_value(const struct tsfs_value *a, const struct tsfs_value *b)
{
    if (a->type != b->type || a->null != b->null)
        return false;
    if (a->null || a->type == TSFS_UNKNOWN)
        return true;
    switch (a->type) {
    case TSFS_BOOLEAN: return a->b == b->b;
    case TSFS_DOUBLE: return memcmp(&a->d, &b->d, sizeof(a->d)) == 0;
    case TSFS_VARCHAR:
    case TSFS_VARBINARY: return tsfs_str_eq(a->s, b->s);
    default: return a->i == b->i || (tsfs_type_is_nested(a->type) && same_nested(a, b));
    }
}

bool tsfs_expr_equal(const struct tsfs_expr *a, const struct tsfs_expr *b)
{
    if (a == b)
        return !tsfs_expr_unstable(a);
    if (a->kind != b->kind || a->type != b->type || a->nargs != b->nargs || a->is_try != b->is_try)
        return false;
    switch (a->kind) {
    case TSFS_EXPR_LITERAL: return same_value(&a->value, &b->value);
    case TSFS_EXPR_COLUMN:
    case TSFS_EXPR_PARAM:
    case TSFS_EXPR_OUTER: return a->index == b->index;
    case TSFS_EXPR_SET: return a->value.p == b->value.p;
    case TSFS_EXPR_LAMBDA:
        if (a->index != b->index || a->value.i != b->value.i)
            return false;
        break;
    case TSFS_EXPR_SUBQUERY:
        if (a->subquery != b->subquery || a->index != b->index)
            return false;
        break;
    case TSFS_EXPR_CALL:
        if (a->fn != b->fn || a->fn->unstable)
            return false;
        break;
    default: break;
    }
    for (uint32_t i = 0; i < a->nargs; i++)
        if (!tsfs_expr_equal(a->args[i], b->args[i]))
            return false;
    return true;
}

bool tsfs_expr_equal_written(const struct tsfs_expr *a, const struct tsfs_expr *b)
{
    a = a->written != NULL ? a->written : a;
    b = b->written != NULL ? b->written : b;
    if (!tsfs_expr_equal(a, b))
        return false;
    for (uint32_t i = 0; i < a->nargs; i++)
        if (!tsfs_expr_equal_written(a->args[i], b->args[i]))
            return false;
    return true;
}

uint64_t tsfs_expr_hash(const struct tsfs_expr *e)
{
    uint64_t h = (uint64_t)e->kind * 31 + e->type + e->nargs * 977u;
    switch (e->kind) {
    case TSFS_EXPR_LITERAL:
        if (e->value.null || e->value.type == TSFS_UNKNOWN)
            h += 1;
        else if (tsfs_type_is_string(e->value.type))
            h ^= tsfs_hash(e->value.s.ptr, e->value.s.len);
        else if (e->value.type == TSFS_BOOLEAN)
            h += e->value.b ? 2 : 3;
        else if (tsfs_type_is_nested(e->value.type))
            h ^= tsfs_value_hash(&e->value);
        else
            h ^= tsfs_hash(&e->value.i, sizeof(e->value.i));
        break;
    case TSFS_EXPR_COLUMN:
    case TSFS_EXPR_PARAM:
    case TSFS_EXPR_OUTER:
    case TSFS_EXPR_LAMBDA: h ^= (uint64_t)e->index << 20; break;
    case TSFS_EXPR_SUBQUERY: h ^= (uint64_t)(uintptr_t)e->subquery + e->index; break;
    case TSFS_EXPR_CALL: h ^= (uint64_t)(uintptr_t)e->fn; break;
    case TSFS_EXPR_SET: h ^= (uint64_t)(uintptr_t)e->value.p; break;
    default: break;
    }
    for (uint32_t i = 0; i < e->nargs; i++)
        h = (h ^ tsfs_expr_hash(e->args[i])) * UINT64_C(0x9e3779b97f4a7c15) + i;
    return h ^ h >> 29;
}

/* Calls that succeed on every value of their argument types. */
static bool total_call(const struct tsfs_expr *e)
{
    switch (e->fn->op) {
    case TSFS_OP_EQ:
    case TSFS_OP_NE:
    case TSFS_OP_LT:
    case TSFS_OP_LE:
    case TSFS_OP_GT:
    case TSFS_OP_GE: return true;
    case TSFS_OP_LIKE:
        return e->nargs == 2 || (e->args[1]->kind == TSFS_EXPR_LITERAL &&
                                 e->args[2]->kind == TSFS_EXPR_LITERAL); /* tried when bound */
    case TSFS_OP_BIN:
        return e->args[1]->kind == TSFS_EXPR_LITERAL && e->args[1]->type == TSFS_INTERVAL_DS &&
               !e->args[1]->value.null && e->args[1]->value.i > 0;
    case TSFS_OP_ADD:
    case TSFS_OP_SUB:
    case TSFS_OP_MUL:
    case TSFS_OP_NEG: return e->type == TSFS_DOUBLE;
    case TSFS_OP_NONE: break;
    default: return false;
    }
    static const char *const total[] = {"lower", "upper", "length", "trim", "ltrim", "rtrim", "reverse"};
    for (size_t i = 0; i < sizeof(total) / sizeof(total[0]); i++)
        if (strcasecmp(e->fn->name, total[i]) == 0)
            return e->nargs == 1;
    return false;
}

static bool total_cast(enum tsfs_type from, enum tsfs_type to)
{
    return from == to || from == TSFS_UNKNOWN || to == TSFS_VARCHAR ||
           (from == TSFS_INTEGER && (to == TSFS_BIGINT || to == TSFS_DOUBLE)) ||
           (from == TSFS_BIGINT && to == TSFS_DOUBLE);
}

bool tsfs_expr_can_fail(const struct tsfs_expr *e)
{
    if (e->kind == TSFS_EXPR_CALL && !total_call(e))
        return true;
    if (e->kind == TSFS_EXPR_CAST && !e->is_try && !total_cast(e->args[0]->type, e->type))
        return true;
    if (e->kind == TSFS_EXPR_TRY)
        return false;
    if (e->kind == TSFS_EXPR_SUBQUERY)
        return true;
    for (uint32_t i = 0; i < e->nargs; i++)
        if (tsfs_expr_can_fail(e->args[i]))
            return true;
    return false;
}

bool tsfs_expr_unstable(const struct tsfs_expr *e)
{
    if (e->kind == TSFS_EXPR_CALL && e->fn->unstable)
        return true;
    for (uint32_t i = 0; i < e->nargs; i++)
        if (tsfs_expr_unstable(e->args[i]))
            return true;
    return false;
}

static bool count_nodes(const struct tsfs_expr *e, uint32_t *room)
{
    if (*room == 0)
        return false;
    --*room;
    for (uint32_t i = 0; i < e->nargs; i++)
        if (!count_nodes(e->args[i], room))
            return false;
    return true;
}

uint32_t tsfs_expr_size(const struct tsfs_expr *e, uint32_t limit)
{
    uint32_t room = limit;
    return count_nodes(e, &room) ? limit - room : limit + 1;
}

uint32_t tsfs_expr_depth(const struct tsfs_expr *e)
{
    uint32_t deepest = 0;
    for (uint32_t i = 0; i < e->nargs; i++) {
        uint32_t depth = tsfs_expr_depth(e->args[i]);
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest + 1;
}

bool tsfs_expr_each_column(const struct tsfs_expr *e, bool (*visit)(void *ctx, uint32_t index), void *ctx)
{
    if (e->kind == TSFS_EXPR_COLUMN)
        return visit(ctx, e->index);
    for (uint32_t i = 0; i < e->nargs; i++)
        if (!tsfs_expr_each_column(e->args[i], visit, ctx))
            return false;
    return true;
}

struct tsfs_expr *tsfs_expr_map(struct tsfs_arena *arena, struct tsfs_expr *e,
                                struct tsfs_expr *(*map)(void *ctx, struct tsfs_expr *column), void *ctx)
{
    if (e->kind == TSFS_EXPR_COLUMN)
        return map(ctx, e);
    if (e->nargs == 0)
        return e;
    struct tsfs_expr **args = TSFS_NEW_ARRAY(arena, struct tsfs_expr *, e->nargs);
    if (args == NULL)
        return NULL;
    bool changed = false;
    for (uint32_t i = 0; i < e->nargs; i++) {
        args[i] = tsfs_expr_map(arena, e->args[i], map, ctx);
        if (args[i] == NULL)
            return NULL;
        changed |= args[i] != e->args[i];
    }
    return changed ? tsfs_expr_with_args(arena, e, args) : e;
}
