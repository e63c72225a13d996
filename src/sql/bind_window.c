/* Window functions: f(..) OVER (..).  They are bound over the columns of FROM like all else; what they are
 * over the grouping's output is settled with the rest of the SELECT. */
#include <errno.h>

#include "base/limits.h"
#include "sql/bind_priv.h"
#include "sql/lexer.h"

bool bind_window_names(struct binder *b, const struct sql_ast_select *ast)
{
    for (uint32_t i = 0; i < ast->nwindows; i++)
        for (uint32_t k = 0; k < i; k++)
            if (sql_same_word(ast->windows[i].name, ast->windows[k].name))
                return bind_fail(b, ast->windows[i].window->line, ast->windows[i].window->column,
                                 "WINDOW names \"%.*s\" twice", BIND_NAME(ast->windows[i].name));
    return true;
}

/* The window that `w` comes to when the one it names is taken in; only those before `limit` may be named. */
static bool merge_base(struct binder *b, const struct bind_select *s, const struct sql_ast_window *w,
                       uint32_t limit, struct sql_ast_window *out)
{
    *out = *w;
    if (w->base.ptr == NULL)
        return true;
    struct sql_nearest near = {.wanted = w->base};
    char hint[SQL_HINT_MAX];
    for (uint32_t i = 0; i < limit; i++) {
        struct sql_ast_window base;
        sql_nearest_try(&near, s->named[i].name);
        if (!sql_same_word(s->named[i].name, w->base))
            continue;
        if (!merge_base(b, s, s->named[i].window, i, &base))
            return false;
        if (w->npartition > 0)
            return bind_fail(b, w->line, w->column, "window \"%.*s\" has its own PARTITION BY",
                             BIND_NAME(w->base));
        if (w->nkeys > 0 && base.nkeys > 0)
            return bind_fail(b, w->line, w->column, "window \"%.*s\" has its own ORDER BY",
                             BIND_NAME(w->base));
        if (w->framed && base.framed)
            return bind_fail(b, w->line, w->column, "window \"%.*s\" has its own frame", BIND_NAME(w->base));
        out->partition = base.partition;
        out->npartition = base.npartition;
        if (w->nkeys == 0) {
            out->keys = base.keys;
            out->nkeys = base.nkeys;
        }
        if (!w->framed && base.framed) {
            out->framed = true;
            out->unit = base.unit;
            out->start = base.start;
            out->end = base.end;
            out->start_offset = base.start_offset;
            out->end_offset = base.end_offset;
        }
        return true;
    }
    return bind_fail(b, w->line, w->column, "no window \"%.*s\"%s", BIND_NAME(w->base),
                     sql_nearest_hint(&near, hint));
}

/* How far the frame reaches: rows or groups, or for RANGE the key's value at its edge. */
static bool bind_offset(struct binder *b, struct bind_select *s, const struct sql_ast_window *ast,
                        const struct sql_ast_expr *offset, bool preceding, const struct tsfs_bound_window *w,
                        struct tsfs_expr **out)
{
    *out = NULL;
    if (offset == NULL)
        return true;
    struct tsfs_expr *e = bind_expr(b, s, offset);
    if (e == NULL)
        return false;
    bool negative = e->kind == TSFS_EXPR_LITERAL && !e->value.null &&
                    (e->type == TSFS_DOUBLE ? e->value.d < 0 : tsfs_type_is_int64(e->type) && e->value.i < 0);
    if (negative)
        return bind_fail(b, offset->line, offset->column, "a frame's offset cannot be negative");
    if (e->kind == TSFS_EXPR_LITERAL && (e->value.null || e->type == TSFS_UNKNOWN))
        return bind_fail(b, offset->line, offset->column, "a frame's offset cannot be NULL");
    if (w->unit != TSFS_FRAME_RANGE) {
        if (e->type != TSFS_INTEGER && e->type != TSFS_BIGINT)
            return bind_fail(b, offset->line, offset->column, "%s takes a whole number, not %s",
                             w->unit == TSFS_FRAME_ROWS ? "ROWS" : "GROUPS", tsfs_type_name(e->type));
        return (*out = bind_coerce(b, s, e, TSFS_BIGINT)) != NULL;
    }
    if (w->nkeys != 1)
        return bind_fail(b, ast->line, ast->column, "RANGE with an offset needs ORDER BY one expression");
    struct tsfs_expr *key = w->keys[0].expr;
    struct tsfs_expr **args = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, 2);
    if (args == NULL)
        return bind_fail_memory(b);
    args[0] = key;
    args[1] = e;
    e = bind_apply(b, s, tsfs_str_from(preceding != w->keys[0].descending ? "-" : "+"), offset, args, 2);
    if (e == NULL)
        return false;
    if (e->type != key->type)
        return bind_fail(b, offset->line, offset->column,
                         "RANGE over %s cannot have an offset that makes it %s", tsfs_type_name(key->type),
                         tsfs_type_name(e->type));
    *out = e;
    return true;
}

static bool bind_over(struct binder *b, struct bind_select *s, const struct sql_ast_window *written,
                      struct tsfs_bound_window *w)
{
    struct sql_ast_window ast;
    if (!merge_base(b, s, written, s->nnamed, &ast))
        return false;
    /* lag and lead count rows of the partition in their order: without one they would take any, and a frame
     * would be read and ignored. */
    if (strcmp(w->fn->name, "lag") == 0 || strcmp(w->fn->name, "lead") == 0) {
        if (ast.nkeys == 0)
            return bind_fail(b, w->line, w->column, "%s needs ORDER BY in its window", w->fn->name);
        if (ast.framed)
            return bind_fail(b, ast.line, ast.column, "%s takes no frame: it looks at the whole partition",
                             w->fn->name);
    }
    w->npartition = ast.npartition;
    w->partition = TSFS_NEW_ARRAY(b->arena, struct tsfs_expr *, ast.npartition);
    if (w->partition == NULL)
        return bind_fail_memory(b);
    for (uint32_t i = 0; i < ast.npartition; i++)
        if ((w->partition[i] = bind_expr(b, s, ast.partition[i])) == NULL)
            return false;
    if (ast.nkeys > TSFS_SQL_KEYS_MAX)
        return bind_fail(b, ast.line, ast.column, "ORDER BY has more than %d expressions", TSFS_SQL_KEYS_MAX);
    if (!bind_plain_keys(b, s, ast.keys, ast.nkeys, &w->keys))
        return false;
    w->nkeys = ast.nkeys;
    w->unit = ast.framed ? ast.unit : TSFS_FRAME_RANGE;
    w->start = ast.framed ? ast.start : TSFS_FRAME_UNBOUNDED_PRECEDING;
    w->end = ast.framed ? ast.end : TSFS_FRAME_CURRENT;
    if (w->unit == TSFS_FRAME_GROUPS && w->nkeys == 0)
        return bind_fail(b, ast.line, ast.column, "GROUPS needs ORDER BY");
    return bind_offset(b, s, &ast, ast.start_offset, ast.start == TSFS_FRAME_PRECEDING, w,
                       &w->start_offset) &&
           bind_offset(b, s, &ast, ast.end_offset, ast.end == TSFS_FRAME_PRECEDING, w, &w->end_offset);
}

static bool add_window(struct binder *b, struct bind_select *s, const struct tsfs_bound_window *w)
{
    if (s->nwins == s->wins_cap) {
        uint32_t cap = s->wins_cap == 0 ? 4 : s->wins_cap * 2;
        struct tsfs_bound_window *wins = TSFS_NEW_ARRAY(b->arena, struct tsfs_bound_window, cap);
        if (wins == NULL)
            return bind_fail_memory(b);
        if (s->nwins > 0)
            memcpy(wins, s->wins, s->nwins * sizeof(*wins));
        s->wins = wins;
        s->wins_cap = cap;
    }
    s->wins[s->nwins++] = *w;
    return true;
}

static bool takes_nulls(const struct tsfs_function *fn)
{
    static const char *const names[] = {"first_value", "last_value", "nth_value", "lag", "lead"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(fn->name, names[i]) == 0)
            return true;
    return false;
}

static bool may_stand(struct binder *b, const struct bind_select *s, const struct sql_ast_expr *ast,
                      const struct tsfs_function *fn)
{
    const struct sql_ast_call *call = ast->call;
    if (fn->kind == TSFS_FUNCTION_SCALAR)
        return bind_fail(b, ast->line, ast->column, "%s is no window function: it cannot take OVER",
                         fn->name);
    if (call->over == NULL)
        return bind_fail(b, ast->line, ast->column, "the window function %s() needs OVER (..)", fn->name);
    if (s->window.ptr != NULL)
        return bind_fail(b, ast->line, ast->column, "the window function %s() cannot stand inside %.*s()",
                         fn->name, BIND_NAME(s->window));
    if (s->aggregate.ptr != NULL)
        return bind_fail(b, ast->line, ast->column, "the window function %s() cannot stand inside %.*s()",
                         fn->name, BIND_NAME(s->aggregate));
    if (s->params != NULL)
        return bind_fail(b, ast->line, ast->column, "a lambda cannot contain the window function %s()",
                         fn->name);
    if (!s->windows)
        return bind_fail(b, ast->line, ast->column,
                         "%s cannot contain the window function %s(): compute it in a subquery", s->clause,
                         fn->name);
    if (call->star && fn->op != TSFS_OP_COUNT && fn->op != TSFS_OP_COUNT_ALL)
        return bind_fail(b, ast->line, ast->column, "%s(*) is not possible: only count takes *", fn->name);
    if (fn->kind == TSFS_FUNCTION_WINDOW && (call->distinct || call->filter != NULL))
        return bind_fail(b, ast->line, ast->column, "%s is no aggregate: it cannot take %s", fn->name,
                         call->distinct ? "DISTINCT" : "FILTER");
    if (call->nkeys > 0)
        return bind_fail(b, ast->line, ast->column,
                         "tsfs does not support ORDER BY inside a window function: put it into OVER");
    if ((call->ignore_nulls || call->respect_nulls) && !takes_nulls(fn))
        return bind_fail(b, ast->line, ast->column, "%s cannot take %s NULLS", fn->name,
                         call->ignore_nulls ? "IGNORE" : "RESPECT");
    return true;
}

struct tsfs_expr *bind_window(struct binder *b, struct bind_select *s, const struct sql_ast_expr *ast,
                              const struct tsfs_function *fns)
{
    const struct sql_ast_call *call = ast->call;
    if (!may_stand(b, s, ast, fns))
        return NULL;
    struct tsfs_bound_window w = {.nargs = ast->nargs,
                                  .distinct = call->distinct,
                                  .ignore_nulls = call->ignore_nulls,
                                  .line = ast->line,
                                  .column = ast->column};
    unsigned lazy = s->lazy;
    enum bind_aliases aliases = s->aliases;
    s->lazy = 0;
    s->aliases = BIND_ALIASES_NONE;
    s->window = tsfs_str_from(fns->name);
    bool ok = bind_args(b, s, ast, &w.args);
    if (ok && call->filter != NULL)
        ok = (w.filter = bind_condition(b, s, call->filter, "FILTER")) != NULL;
    if (ok)
        ok = (w.fn = bind_resolve(b, s, call->name, ast, w.args, ast->args, w.nargs, &w.type)) != NULL;
    if (ok)
        ok = bind_over(b, s, call->over, &w);
    s->window = (struct tsfs_str){0};
    s->aliases = aliases;
    s->lazy = lazy;
    if (!ok || !add_window(b, s, &w))
        return NULL;
    struct tsfs_expr *e = bind_new(b, TSFS_EXPR_COLUMN, w.type, ast, 0);
    if (e != NULL)
        e->index = (s->nwins - 1) | BIND_WINDOW_BIT;
    return e;
}
