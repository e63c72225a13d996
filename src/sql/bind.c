/* The binder's entry, and its errors. */
#include "sql/bind.h"

#include <errno.h>

#include "base/limits.h"
#include "sql/bind_priv.h"

bool bind_fail(struct binder *b, uint32_t line, uint32_t column, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    b->rc = tsfs_error_vset_at(b->err, -EINVAL, line, column, fmt, ap);
    va_end(ap);
    return false;
}

bool bind_fail_memory(struct binder *b)
{
    b->rc = tsfs_error_set(b->err, -ENOMEM, "out of memory for the statement");
    return false;
}

bool bind_fail_outside(struct binder *b, int rc, const struct tsfs_error *err, uint32_t line, uint32_t column)
{
    if (err->line != 0) {
        line = err->line;
        column = err->column;
    }
    b->rc = tsfs_error_set_at(b->err, rc, line, column, "%s",
                              err->message[0] != '\0' ? err->message : strerror(-rc));
    return false;
}

bool bind_reach(struct binder *b, uint32_t height, uint32_t line, uint32_t column)
{
    if (b->level + height > TSFS_SQL_HEIGHT_MAX)
        return bind_fail(b, line, column, "the whole statement nests deeper than %d levels here",
                         TSFS_SQL_HEIGHT_MAX);
    if (b->level + height > b->deepest)
        b->deepest = b->level + height;
    return true;
}

bool bind_enter(struct binder *b, uint32_t levels, uint32_t line, uint32_t column)
{
    if (!bind_reach(b, levels, line, column))
        return false;
    b->level += levels;
    return true;
}

void bind_leave(struct binder *b, uint32_t levels)
{
    b->level -= levels;
}

uint32_t bind_height_begin(struct binder *b)
{
    uint32_t deepest = b->deepest;
    b->deepest = b->level;
    return deepest;
}

uint32_t bind_height_end(struct binder *b, uint32_t begun)
{
    uint32_t height = b->deepest - b->level;
    if (b->deepest < begun)
        b->deepest = begun;
    return height;
}

int tsfs_sql_bind(struct tsfs_str text, const struct tsfs_resolver *resolver,
                  const struct tsfs_function_set *functions, struct tsfs_arena *arena,
                  struct tsfs_bound **out, struct tsfs_bound_mode *mode, struct tsfs_error *err)
{
    struct binder b = {.arena = arena, .err = err, .resolver = resolver, .functions = functions};
    struct sql_ast_statement *st;
    int rc = sql_parse(text, arena, &st, NULL, err);
    if (rc != 0)
        return rc;
    if (st->kind == SQL_AST_DELETE) /* tsfs_sql_bind_delete's */
        return tsfs_error_set_at(err, -EINVAL, st->line, st->column, "DELETE is not a query");
    struct tsfs_bound *rel = NULL;
    if (bind_functions_init(&b))
        rel = st->query != NULL ? bind_query(&b, st->query) : bind_show(&b, st);
    if (rel == NULL)
        return b.rc;
    *mode = (struct tsfs_bound_mode){st->kind == SQL_AST_EXPLAIN, st->analyze, b.nparams};
    *out = rel;
    return 0;
}
