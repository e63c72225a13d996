/* Name lookup: exact bytes first; then, if just one candidate differs only in ASCII case, that one. */
#include <errno.h>

#include "sql/bind_priv.h"
#include "sql/lexer.h"

bool bind_index_init(struct binder *b, struct bind_index *index, uint32_t n)
{
    uint32_t size = 8;
    while (size < n * 2 && size < UINT32_MAX / 4)
        size *= 2;
    index->slots = TSFS_NEW_ARRAY(b->arena, uint32_t, size);
    index->mask = size - 1;
    return index->slots != NULL || bind_fail_memory(b);
}

void bind_index_add(struct bind_index *index, uint64_t hash, uint32_t number)
{
    uint32_t i = (uint32_t)hash & index->mask;
    while (index->slots[i] != 0)
        i = (i + 1) & index->mask;
    index->slots[i] = number + 1;
}

uint32_t bind_index_next(const struct bind_index *index, uint64_t hash, uint32_t *at)
{
    if (index->slots == NULL || *at > index->mask)
        return UINT32_MAX;
    uint32_t found = index->slots[((uint32_t)hash + (*at)++) & index->mask];
    return found == 0 ? UINT32_MAX : found - 1;
}

uint64_t bind_name_hash(struct tsfs_str name)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.ptr[i];
        if (c >= 'A' && c <= 'Z')
            c = (unsigned char)(c - 'A' + 'a');
        h = (h ^ c) * UINT64_C(0x100000001b3);
    }
    return h ^ h >> 32;
}

bool bind_scope_index(struct binder *b, struct bind_scope *scope)
{
    if (!bind_index_init(b, &scope->index, scope->ncols))
        return false;
    for (uint32_t i = 0; i < scope->ncols; i++)
        bind_index_add(&scope->index, bind_name_hash(scope->cols[i].name), i);
    return true;
}

static bool same(struct tsfs_str a, struct tsfs_str b, bool any_case)
{
    return any_case ? sql_same_word(a, b) : tsfs_str_eq(a, b);
}

/* Whether the parts before the last name the column's table. */
static bool qualified(const struct bind_scope_column *col, const struct sql_ast_expr *name, bool any_case)
{
    unsigned n = name->nparts;
    if (n < 2)
        return !col->hidden;
    if (n >= 2 && (col->table.ptr == NULL || !same(col->table, name->parts[n - 2], any_case)))
        return false;
    return n < 3 || (col->database.ptr != NULL && same(col->database, name->parts[n - 3], any_case));
}

uint32_t bind_scope_find(struct binder *b, const struct bind_scope *scope, const struct sql_ast_expr *name,
                         bool any_case)
{
    struct tsfs_str last = name->parts[name->nparts - 1];
    uint64_t hash = bind_name_hash(last);
    uint32_t found = UINT32_MAX, at = 0, i;
    while ((i = bind_index_next(&scope->index, hash, &at)) != UINT32_MAX) {
        const struct bind_scope_column *col = &scope->cols[i];
        if (!same(col->name, last, any_case) || !qualified(col, name, any_case))
            continue;
        if (found != UINT32_MAX) {
            const struct bind_scope_column *before = &scope->cols[found];
            struct tsfs_str other = before->name;
            if (col->table.ptr != NULL && before->table.ptr != NULL &&
                !tsfs_str_eq(col->table, before->table))
                bind_fail(b, name->line, name->column,
                          "column \"%.*s\" is ambiguous: it could be %.*s.%.*s or %.*s.%.*s", BIND_NAME(last),
                          BIND_NAME(before->table), BIND_NAME(other), BIND_NAME(col->table),
                          BIND_NAME(col->name));
            else if (tsfs_str_eq(other, col->name))
                bind_fail(b, name->line, name->column, "column \"%.*s\" is ambiguous: %.*s has several",
                          BIND_NAME(last), BIND_NAME(scope->what));
            else
                bind_fail(b, name->line, name->column,
                          "column \"%.*s\" is ambiguous: it could be \"%.*s\" or \"%.*s\"", BIND_NAME(last),
                          BIND_NAME(other), BIND_NAME(col->name));
            return UINT32_MAX;
        }
        found = i;
    }
    return found;
}

bool bind_scope_has_table(const struct bind_scope *scope, const struct sql_ast_expr *name)
{
    for (uint32_t i = 0; i < scope->ncols; i++)
        if (qualified(&scope->cols[i], name, true))
            return true;
    return false;
}

bool bind_fail_no_column(struct binder *b, const struct bind_select *s, const struct sql_ast_expr *name)
{
    const struct bind_scope *scope = s->scope;
    struct tsfs_str last = name->parts[name->nparts - 1];
    char hint[SQL_HINT_MAX];
    if (scope->what.ptr == NULL)
        return bind_fail(b, name->line, name->column, "no column \"%.*s\": the query has no FROM",
                         BIND_NAME(last));
    if (name->nparts > 1) {
        struct tsfs_str table = name->parts[name->nparts - 2];
        struct sql_nearest near = {.wanted = table};
        bool known = false;
        for (uint32_t i = 0; i < scope->ncols && !known; i++) {
            struct bind_scope_column *col = &scope->cols[i];
            known = qualified(col, name, true);
            if (col->table.ptr != NULL)
                sql_nearest_try(&near, col->table);
        }
        if (!known)
            return bind_fail(b, name->line, name->column, "no table \"%.*s\" in FROM%s", BIND_NAME(table),
                             sql_nearest_hint(&near, hint));
    }
    struct sql_nearest near = {.wanted = last};
    struct tsfs_str where = scope->what;
    for (uint32_t i = 0; i < scope->ncols; i++)
        if (name->nparts == 1 || qualified(&scope->cols[i], name, true)) {
            sql_nearest_try(&near, scope->cols[i].name);
            where = name->nparts == 1 ? where : scope->cols[i].table;
        }
    if (name->nparts == 1 && s->aliases != BIND_ALIASES_NONE)
        for (uint32_t i = 0; i < s->nitems; i++)
            if (s->items[i].alias.ptr != NULL)
                sql_nearest_try(&near, s->items[i].alias);
    sql_nearest_hint(&near, hint);
    return bind_fail(
        b, name->line, name->column, "no column \"%.*s\" in %.*s%s", BIND_NAME(last), BIND_NAME(where),
        hint[0] == '\0' && name->quoted && name->nparts == 1 ? " (a text goes into '..')" : hint);
}
