/* Bound expressions as SQL text, for EXPLAIN. */
#include "sql/expr_tree.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/time.h"
#include "col/text.h"

#define PRINTED_NESTED 120 /* bytes shown of an array's text */
#define PRINTED_LIST   16  /* arguments shown of AND, OR and IN before "..." */

struct printer {
    const struct tsfs_str *names;
    uint32_t nnames;
    struct tsfs_buf *out;
};

static int print(const struct printer *p, const struct tsfs_expr *e);

static int put(const struct printer *p, const char *text)
{
    return tsfs_buf_append(p->out, text, strlen(text));
}

int tsfs_expr_print_name(struct tsfs_str name, struct tsfs_buf *out)
{
    bool plain = name.len > 0 && !(name.ptr[0] >= '0' && name.ptr[0] <= '9');
    for (size_t i = 0; i < name.len && plain; i++) {
        char c = name.ptr[i];
        plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    }
    int rc = tsfs_buf_append(out, "\"", plain ? 0 : 1);
    for (size_t i = 0; i < name.len && rc == 0; i++) {
        char c = name.ptr[i];
        rc = tsfs_buf_append(out, &c, 1);
        if (rc == 0 && c == '"')
            rc = tsfs_buf_append(out, "\"", 1);
    }
    return rc != 0 || plain ? rc : tsfs_buf_append(out, "\"", 1);
}

static int print_string(const struct printer *p, struct tsfs_str s)
{
    int rc = put(p, "'");
    for (size_t i = 0; i < s.len && rc == 0; i++) {
        char c = s.ptr[i];
        if (c == '\n' || c == '\r')
            c = ' '; /* one operator, one line */
        rc = tsfs_buf_append(p->out, &c, 1);
        if (rc == 0 && c == '\'')
            rc = put(p, "'");
    }
    return rc != 0 ? rc : put(p, "'");
}

/* In the largest unit that needs no fraction: 90m. */
static int print_duration(const struct printer *p, int64_t ns)
{
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = {{"d", TSFS_NS_PER_DAY},
                 {"h", TSFS_NS_PER_HOUR},
                 {"m", TSFS_NS_PER_MIN},
                 {"s", TSFS_NS_PER_S},
                 {"ms", TSFS_NS_PER_MS},
                 {"us", TSFS_NS_PER_US},
                 {"ns", 1}};
    unsigned i = 0;
    while (ns % units[i].ns != 0)
        i++;
    return tsfs_buf_printf(p->out, "%" PRId64 "%s", ns / units[i].ns, ns == 0 ? "s" : units[i].name);
}

/* array(bigint) '[1,2,3]', the text cut short. */
static int print_nested(const struct printer *p, const struct tsfs_value *v)
{
    struct tsfs_buf text = {0};
    int rc = tsfs_buf_printf(p->out, "%.200s ", tsfs_type_name(v->type));
    if (rc == 0)
        rc = tsfs_value_append(v, PRINTED_NESTED, &text);
    if (rc == -E2BIG)
        rc = 0;
    struct tsfs_str s = tsfs_buf_str(&text);
    bool cut = s.len > PRINTED_NESTED;
    while (cut && (s.len > PRINTED_NESTED || ((unsigned char)s.ptr[s.len] & 0xc0) == 0x80))
        s.len--;
    if (rc == 0)
        rc = print_string(p, s);
    tsfs_buf_free(&text);
    return rc != 0 || !cut ? rc : put(p, "...");
}

static int print_literal(const struct printer *p, const struct tsfs_value *v)
{
    char text[TSFS_VALUE_TEXT_MAX];
    if (v->null || v->type == TSFS_UNKNOWN)
        return put(p, "NULL");
    if (v->type == TSFS_VARCHAR)
        return print_string(p, v->s);
    if (v->type == TSFS_VARBINARY) {
        int rc = put(p, "X'");
        if (rc == 0)
            rc = tsfs_value_append(v, SIZE_MAX, p->out);
        return rc != 0 ? rc : put(p, "'");
    }
    if (v->type == TSFS_BOOLEAN)
        return put(p, v->b ? "true" : "false");
    if (tsfs_type_is_nested(v->type))
        return print_nested(p, v);
    bool bare = v->type == TSFS_INTEGER || v->type == TSFS_BIGINT || v->type == TSFS_DOUBLE;
    if (v->type == TSFS_INTERVAL_DS && v->i >= 0)
        return print_duration(p, v->i);
    if (v->type == TSFS_INTERVAL_DS || v->type == TSFS_INTERVAL_YM) {
        unsigned n = tsfs_value_format(v->type, &v->i, text);
        return tsfs_buf_printf(p->out, "interval '%.*s'", (int)n, text);
    }
    const void *data = v->type == TSFS_DOUBLE ? (const void *)&v->d : &v->i;
    unsigned n = tsfs_value_format(v->type, data, text);
    if (bare)
        return tsfs_buf_append(p->out, text, n);
    return tsfs_buf_printf(p->out, "%s '%.*s'", tsfs_type_name(v->type), (int)n, text);
}

static int print_joined(const struct printer *p, const struct tsfs_expr *e, uint32_t from,
                        const char *between)
{
    int rc = 0;
    for (uint32_t i = from; i < e->nargs && rc == 0; i++) {
        if (i > from)
            rc = put(p, between);
        if (rc == 0 && i - from == PRINTED_LIST && e->nargs - i > 1)
            return tsfs_buf_printf(p->out, "... %u more", e->nargs - i);
        if (rc == 0)
            rc = print(p, e->args[i]);
    }
    return rc;
}

/* prefix, arguments from `from` with `between`, suffix */
static int wrap(const struct printer *p, const struct tsfs_expr *e, const char *prefix, uint32_t from,
                const char *between, const char *suffix)
{
    int rc = put(p, prefix);
    if (rc == 0)
        rc = print_joined(p, e, from, between);
    return rc != 0 ? rc : put(p, suffix);
}

static bool symbol(const char *name)
{
    return !((name[0] >= 'a' && name[0] <= 'z') || name[0] == '_');
}

static int print_call(const struct printer *p, const struct tsfs_expr *e)
{
    char between[32];
    bool part = strcmp(e->fn->name, ".") == 0 || strcmp(e->fn->name, "[]") == 0;
    if ((e->nargs == 2 || e->fn->variadic) && !part && (symbol(e->fn->name) || e->fn->op == TSFS_OP_LIKE)) {
        snprintf(between, sizeof(between), " %s ", e->fn->op == TSFS_OP_LIKE ? "LIKE" : e->fn->name);
        return wrap(p, e, "(", 0, between, ")");
    }
    if (e->fn->op == TSFS_OP_LIKE && e->nargs == 3) {
        int rc = put(p, "(");
        for (uint32_t i = 0; i < 3 && rc == 0; i++) {
            rc = print(p, e->args[i]);
            if (rc == 0)
                rc = put(p, i == 0 ? " LIKE " : i == 1 ? " ESCAPE " : ")");
        }
        return rc;
    }
    if (strcmp(e->fn->name, ".") == 0 && e->nargs == 2) {
        struct tsfs_str field = tsfs_type_field_name(e->args[0]->type, (unsigned)e->args[1]->value.i);
        int rc = print(p, e->args[0]);
        if (rc == 0)
            rc = put(p, ".");
        return rc != 0 ? rc : tsfs_expr_print_name(field, p->out);
    }
    if (strcmp(e->fn->name, "[]") == 0 && e->nargs == 2) {
        int rc = print(p, e->args[0]);
        return rc != 0 ? rc : wrap(p, e, "[", 1, "", "]");
    }
    if (strcmp(e->fn->name, "array") == 0)
        return wrap(p, e, "ARRAY[", 0, ", ", "]");
    if (e->fn->op == TSFS_OP_NEG)
        return wrap(p, e, "(-", 0, "", ")");
    int rc = put(p, e->fn->name);
    return rc != 0 ? rc : wrap(p, e, "(", 0, ", ", ")");
}

static int print_case(const struct printer *p, const struct tsfs_expr *e)
{
    int rc = put(p, "CASE");
    for (uint32_t i = 0; i < e->nargs && rc == 0; i++) {
        rc = put(p, i + 1 == e->nargs ? " ELSE " : i % 2 == 0 ? " WHEN " : " THEN ");
        if (rc == 0)
            rc = print(p, e->args[i]);
    }
    return rc != 0 ? rc : put(p, " END");
}

static int print(const struct printer *p, const struct tsfs_expr *e)
{
    int rc;
    switch (e->kind) {
    case TSFS_EXPR_LITERAL: return print_literal(p, &e->value);
    case TSFS_EXPR_COLUMN:
        if (e->index < p->nnames)
            return tsfs_expr_print_name(p->names[e->index], p->out);
        return tsfs_buf_printf(p->out, "#%u", e->index);
    case TSFS_EXPR_CALL: return print_call(p, e);
    case TSFS_EXPR_CAST:
        rc = wrap(p, e, e->is_try ? "TRY_CAST(" : "CAST(", 0, "", " AS ");
        return rc != 0 ? rc : tsfs_buf_printf(p->out, "%s)", tsfs_type_name(e->type));
    case TSFS_EXPR_AND: return wrap(p, e, "(", 0, " AND ", ")");
    case TSFS_EXPR_OR: return wrap(p, e, "(", 0, " OR ", ")");
    case TSFS_EXPR_NOT:
        if (e->args[0]->kind == TSFS_EXPR_IS_NULL)
            return wrap(p, e->args[0], "(", 0, "", " IS NOT NULL)");
        return wrap(p, e, "(NOT ", 0, "", ")");
    case TSFS_EXPR_IS_NULL: return wrap(p, e, "(", 0, "", " IS NULL)");
    case TSFS_EXPR_CASE: return print_case(p, e);
    case TSFS_EXPR_COALESCE: return wrap(p, e, "coalesce(", 0, ", ", ")");
    case TSFS_EXPR_IN:
        rc = put(p, "(");
        if (rc == 0)
            rc = print(p, e->args[0]);
        return rc != 0 ? rc : wrap(p, e, " IN (", 1, ", ", "))");
    case TSFS_EXPR_TRY: return wrap(p, e, "try(", 0, "", ")");
    case TSFS_EXPR_PARAM: return tsfs_buf_printf(p->out, "$%u", e->index + 1);
    case TSFS_EXPR_LAMBDA:
        rc = put(p, "(");
        for (uint32_t i = 0; i < (uint32_t)e->value.i && rc == 0; i++)
            rc = tsfs_buf_printf(p->out, "%s$%u", i > 0 ? ", " : "", e->index + i + 1);
        return rc != 0 ? rc : wrap(p, e, ") -> ", 0, "", "");
    case TSFS_EXPR_SUBQUERY: return wrap(p, e, "subquery(", 0, ", ", ")");
    case TSFS_EXPR_SET: return put(p, "set");
    case TSFS_EXPR_OUTER: return tsfs_buf_printf(p->out, "$%u", e->index + 1);
    }
    return 0;
}

int tsfs_expr_print(const struct tsfs_expr *e, const struct tsfs_str *names, uint32_t nnames,
                    struct tsfs_buf *out)
{
    struct printer p = {names, nnames, out};
    return print(&p, e);
}
