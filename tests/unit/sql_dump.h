/* The syntax tree as an s-expression. */
#ifndef TSFS_TESTS_SQL_DUMP_H
#define TSFS_TESTS_SQL_DUMP_H

#include <stdio.h>

#include "base/buf.h"
#include "sql/ast.h"

static inline void dump_query(const struct sql_ast_query *q, struct tsfs_buf *out);

#define DUMP(...)                                                                                            \
    do {                                                                                                     \
        if (tsfs_buf_printf(out, __VA_ARGS__) != 0)                                                          \
            abort();                                                                                         \
    } while (0)

static inline void dump_name(struct tsfs_str s, struct tsfs_buf *out)
{
    DUMP("%.*s", (int)s.len, s.ptr);
}

static inline void dump_expr(const struct sql_ast_expr *e, struct tsfs_buf *out);

static inline void dump_keys(const struct sql_ast_key *keys, uint32_t n, struct tsfs_buf *out)
{
    for (uint32_t i = 0; i < n; i++) {
        DUMP(" (order ");
        dump_expr(keys[i].expr, out);
        DUMP("%s%s)", keys[i].descending ? ":desc" : "", keys[i].nulls_first ? ":nulls-first" : "");
    }
}

static inline void dump_window(const struct sql_ast_window *w, struct tsfs_buf *out)
{
    static const char *const units[] = {"range", "rows", "groups"};
    static const char *const bounds[] = {"start", "preceding", "current", "following", "end"};
    DUMP(" (over");
    if (w->base.ptr != NULL)
        DUMP(" %.*s", (int)w->base.len, w->base.ptr);
    for (uint32_t i = 0; i < w->npartition; i++) {
        DUMP(" (by ");
        dump_expr(w->partition[i], out);
        DUMP(")");
    }
    dump_keys(w->keys, w->nkeys, out);
    if (w->framed) {
        DUMP(" (%s ", units[w->unit]);
        if (w->start_offset != NULL)
            dump_expr(w->start_offset, out);
        DUMP("%s ", bounds[w->start]);
        if (w->end_offset != NULL)
            dump_expr(w->end_offset, out);
        DUMP("%s)", bounds[w->end]);
    }
    DUMP(")");
}

static inline void dump_expr(const struct sql_ast_expr *e, struct tsfs_buf *out)
{
    static const char *const names[] = {
        [SQL_AST_AND] = "and",           [SQL_AST_OR] = "or",         [SQL_AST_NOT] = "not",
        [SQL_AST_IS_NULL] = "is-null",   [SQL_AST_IN] = "in",         [SQL_AST_IS_DISTINCT] = "is-distinct",
        [SQL_AST_LIKE] = "like",         [SQL_AST_CASE] = "case",     [SQL_AST_BETWEEN] = "between",
        [SQL_AST_ROW] = "row",           [SQL_AST_ARRAY] = "array",   [SQL_AST_SUBSCRIPT] = "[]",
        [SQL_AST_SUBQUERY] = "subquery", [SQL_AST_EXISTS] = "exists", [SQL_AST_IN_QUERY] = "in",
    };
    switch (e->kind) {
    case SQL_AST_NULL: DUMP("null"); return;
    case SQL_AST_BOOLEAN: DUMP(e->boolean ? "true" : "false"); return;
    case SQL_AST_INTEGER: DUMP("%lld", (long long)e->integer); return;
    case SQL_AST_DOUBLE: DUMP("%g", e->number); return;
    case SQL_AST_STRING: DUMP("'%.*s'", (int)e->string.len, e->string.ptr); return;
    case SQL_AST_INTERVAL:
        DUMP("%lld%s", (long long)e->integer, e->type == TSFS_INTERVAL_YM ? "months" : "ns");
        return;
    case SQL_AST_TYPED:
        DUMP("(%s '%.*s')", tsfs_type_name(e->type), (int)e->string.len, e->string.ptr);
        return;
    case SQL_AST_NAME:
    case SQL_AST_STAR:
        for (unsigned i = 0; i < e->nparts; i++) {
            if (i > 0)
                DUMP(".");
            dump_name(e->parts[i], out);
        }
        if (e->kind == SQL_AST_STAR)
            DUMP(e->nparts > 0 ? ".*" : "*");
        return;
    case SQL_AST_CALL:
        DUMP("(%.*s%s%s", (int)e->call->name.len, e->call->name.ptr, e->call->star ? " *" : "",
             e->call->distinct ? " distinct" : "");
        break;
    case SQL_AST_UNARY:
    case SQL_AST_BINARY: DUMP("(%s", e->op); break;
    case SQL_AST_CAST:
        DUMP("(%s-%s%s", e->try_cast ? "try-cast" : "cast", tsfs_type_name(e->type),
             e->zoned ? "-zoned" : "");
        if (e->length > 0)
            DUMP("-%u", e->length);
        break;
    case SQL_AST_FIELD: DUMP("(.%.*s", (int)e->string.len, e->string.ptr); break;
    case SQL_AST_LAMBDA:
        DUMP("(lambda");
        for (unsigned i = 0; i < e->nparts; i++)
            DUMP(":%.*s", (int)e->parts[i].len, e->parts[i].ptr);
        break;
    case SQL_AST_QUANTIFIED: DUMP("(%s-%s", e->op, e->all ? "all" : "any"); break;
    case SQL_AST_EXTRACT: DUMP("(extract-%.*s", (int)e->string.len, e->string.ptr); break;
    default:
        DUMP("(%s%s%s%s", e->negated ? "not-" : "", names[e->kind], e->has_operand ? "-of" : "",
             e->has_else ? "-else" : "");
        break;
    }
    for (uint32_t i = 0; i < e->nargs; i++) {
        DUMP(" ");
        dump_expr(e->args[i], out);
    }
    if (e->kind == SQL_AST_SUBQUERY || e->kind == SQL_AST_EXISTS || e->kind == SQL_AST_IN_QUERY ||
        e->kind == SQL_AST_QUANTIFIED) {
        DUMP(" ");
        dump_query(e->query, out);
    }
    if (e->kind == SQL_AST_CALL) {
        dump_keys(e->call->keys, e->call->nkeys, out);
        if (e->call->ignore_nulls || e->call->respect_nulls)
            DUMP(e->call->ignore_nulls ? " ignore-nulls" : " respect-nulls");
        if (e->call->over != NULL)
            dump_window(e->call->over, out);
    }
    if (e->kind == SQL_AST_CALL && e->call->filter != NULL) {
        DUMP(" (filter ");
        dump_expr(e->call->filter, out);
        DUMP(")");
    }
    DUMP(")");
}

static inline void dump_columns(const struct tsfs_str *columns, uint32_t n, struct tsfs_buf *out)
{
    for (uint32_t i = 0; i < n; i++) {
        DUMP(i == 0 ? "(" : " ");
        dump_name(columns[i], out);
    }
    if (n > 0)
        DUMP(")");
}

static inline void dump_from(const struct sql_ast_from *f, struct tsfs_buf *out)
{
    if (f->kind == SQL_AST_UNNEST && f->left != NULL)
        dump_from(f->left, out);
    if (f->kind == SQL_AST_JOIN) {
        DUMP(" (%s%s", f->natural ? "NATURAL " : "", tsfs_join_name(f->join));
        dump_from(f->left, out);
        dump_from(f->right, out);
        for (uint32_t i = 0; i < f->nusing; i++) {
            DUMP(i == 0 ? " using " : " ");
            dump_expr(f->using_names[i], out);
        }
        if (f->on != NULL) {
            DUMP(" on ");
            dump_expr(f->on, out);
        }
        DUMP(")");
        return;
    }
    DUMP(" (from ");
    if (f->kind == SQL_AST_UNNEST) {
        DUMP("(unnest");
        for (uint32_t i = 0; i < f->nexprs; i++) {
            DUMP(" ");
            dump_expr(f->exprs[i], out);
        }
        DUMP(f->ordinality ? " ordinality" : "");
        DUMP(f->outer ? " outer)" : ")");
    } else if (f->kind == SQL_AST_DERIVED) {
        dump_query(f->query, out);
    } else {
        if (f->database.ptr != NULL)
            DUMP("%.*s.", (int)f->database.len, f->database.ptr);
        dump_name(f->name, out);
    }
    if (f->alias.ptr != NULL)
        DUMP(" as %.*s", (int)f->alias.len, f->alias.ptr);
    dump_columns(f->columns, f->ncolumns, out);
    DUMP(")");
}

static inline void dump_tail(const struct sql_ast_query *q, struct tsfs_buf *out)
{
    for (uint32_t i = 0; i < q->nkeys; i++) {
        DUMP(i == 0 ? " (order " : " ");
        dump_expr(q->keys[i].expr, out);
        DUMP("%s%s", q->keys[i].descending ? ":desc" : "", q->keys[i].nulls_first ? ":nulls-first" : "");
    }
    if (q->nkeys > 0)
        DUMP(")");
    if (q->limit != UINT64_MAX)
        DUMP(" (limit %llu)", (unsigned long long)q->limit);
    if (q->offset > 0)
        DUMP(" (offset %llu)", (unsigned long long)q->offset);
    DUMP(")");
}

static inline void dump_body(const struct sql_ast_query *q, struct tsfs_buf *out)
{
    if (q->set != NULL) {
        DUMP("(%s%s", tsfs_set_op_name(q->set->op), q->set->all ? "-ALL" : "");
        for (uint32_t i = 0; i < q->set->ninputs; i++) {
            DUMP(" ");
            dump_query(q->set->inputs[i], out);
        }
    } else {
        DUMP("(values");
        for (uint32_t i = 0; i < q->values->nrows; i++) {
            DUMP(" (");
            for (uint32_t k = 0; k < q->values->ncols; k++) {
                DUMP(k > 0 ? " " : "");
                dump_expr(q->values->rows[i][k], out);
            }
            DUMP(")");
        }
    }
    dump_tail(q, out);
}

static inline void dump_query(const struct sql_ast_query *q, struct tsfs_buf *out)
{
    const struct sql_ast_select *s = q->select;
    for (uint32_t i = 0; i < q->nctes; i++) {
        DUMP("(with %.*s", (int)q->ctes[i].name.len, q->ctes[i].name.ptr);
        dump_columns(q->ctes[i].columns, q->ctes[i].ncolumns, out);
        DUMP(" ");
        dump_query(q->ctes[i].query, out);
        DUMP(") ");
    }
    if (s == NULL) {
        dump_body(q, out);
        return;
    }
    DUMP("(select%s", s->distinct ? "-distinct" : "");
    for (uint32_t i = 0; i < s->nitems; i++) {
        DUMP(" ");
        dump_expr(s->items[i].expr, out);
        if (s->items[i].alias.ptr != NULL)
            DUMP(":%.*s", (int)s->items[i].alias.len, s->items[i].alias.ptr);
    }
    if (s->from != NULL)
        dump_from(s->from, out);
    if (s->where != NULL) {
        DUMP(" (where ");
        dump_expr(s->where, out);
        DUMP(")");
    }
    if (s->grouped) {
        DUMP(" (group");
        for (uint32_t i = 0; i < s->ngroups; i++) {
            DUMP(" ");
            dump_expr(s->groups[i], out);
        }
        DUMP(")");
    }
    if (s->having != NULL) {
        DUMP(" (having ");
        dump_expr(s->having, out);
        DUMP(")");
    }
    for (uint32_t i = 0; i < s->nwindows; i++) {
        DUMP(" (window %.*s", (int)s->windows[i].name.len, s->windows[i].name.ptr);
        dump_window(s->windows[i].window, out);
        DUMP(")");
    }
    for (uint32_t i = 0; i < s->nsets; i++) {
        DUMP(i == 0 ? " (sets (" : " (");
        for (uint32_t k = 0; k < s->sets[i].n; k++)
            DUMP("%s%u", k > 0 ? " " : "", s->sets[i].groups[k]);
        DUMP(i + 1 == s->nsets ? "))" : ")");
    }
    dump_tail(q, out);
}

static inline void dump_statement(const struct sql_ast_statement *s, struct tsfs_buf *out)
{
    static const char *const names[] = {
        [SQL_AST_QUERY] = "",
        [SQL_AST_EXPLAIN] = "explain ",
        [SQL_AST_SHOW_DATABASES] = "show-databases",
        [SQL_AST_SHOW_TABLES] = "show-tables",
        [SQL_AST_SHOW_MEASURES] = "show-measures",
        [SQL_AST_SHOW_FUNCTIONS] = "show-functions",
        [SQL_AST_DESCRIBE] = "describe",
        [SQL_AST_DELETE] = "delete ",
    };
    DUMP("%s", names[s->kind]);
    if (s->query != NULL) {
        dump_query(s->query, out);
        return;
    }
    if (s->database.ptr != NULL)
        DUMP(" %.*s", (int)s->database.len, s->database.ptr);
    if (s->name.ptr != NULL)
        DUMP(" %.*s", (int)s->name.len, s->name.ptr);
    if (s->like.ptr != NULL)
        DUMP(" like '%.*s'", (int)s->like.len, s->like.ptr);
}

#endif
