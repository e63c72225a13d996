/* SHOW and DESCRIBE: answered while binding, as literal rows. */
#include <errno.h>

#include "sql/bind_priv.h"
#include "sql/lexer.h"

static struct tsfs_bound *new_values(struct binder *b, const char *const *names, uint32_t ncols,
                                     uint64_t room)
{
    struct tsfs_bound *rel = TSFS_NEW(b->arena, struct tsfs_bound);
    if (rel != NULL) {
        rel->kind = TSFS_BOUND_VALUES;
        rel->ncols = ncols;
        rel->depth = 1;
        rel->cols = TSFS_NEW_ARRAY(b->arena, struct tsfs_bound_column, ncols);
        rel->values.rows = TSFS_NEW_ARRAY(b->arena, struct tsfs_value, room * ncols);
    }
    if (rel == NULL || rel->cols == NULL || rel->values.rows == NULL) {
        bind_fail_memory(b);
        return NULL;
    }
    for (uint32_t i = 0; i < ncols; i++)
        rel->cols[i] = (struct tsfs_bound_column){tsfs_str_from(names[i]), TSFS_VARCHAR};
    return rel;
}

static void add_row(struct tsfs_bound *rel, const struct tsfs_str *cells)
{
    struct tsfs_value *row = rel->values.rows + rel->values.nrows++ * rel->ncols;
    for (uint32_t i = 0; i < rel->ncols; i++)
        row[i] = (struct tsfs_value){.type = TSFS_VARCHAR, .null = cells[i].ptr == NULL, .s = cells[i]};
}

/* Whether a name is LIKE the statement's pattern; the answer comes from the operator itself. */
static bool matches(struct binder *b, const struct sql_ast_statement *st, struct tsfs_str name, bool *out)
{
    *out = true;
    if (st->like.ptr == NULL)
        return true;
    struct bind_select s = {0};
    struct sql_ast_expr at = {.kind = SQL_AST_LIKE, .line = st->like_line, .column = st->like_column};
    struct tsfs_expr pos = {.line = at.line, .column = at.column};
    struct tsfs_str texts[3] = {name, st->like, st->like_escape};
    uint32_t n = st->like_escape.ptr == NULL ? 2 : 3;
    struct tsfs_expr *args[3];
    for (uint32_t i = 0; i < n; i++) {
        args[i] = tsfs_expr_literal(b->arena, (struct tsfs_value){.type = TSFS_VARCHAR, .s = texts[i]}, &pos);
        if (args[i] == NULL)
            return bind_fail_memory(b);
    }
    struct tsfs_expr *e = bind_apply(b, &s, TSFS_STR("like"), &at, args, n);
    if (e == NULL)
        return false;
    *out = tsfs_expr_is_literal(e) && !e->value.null && e->value.b;
    return true;
}

static struct tsfs_bound *show_names(struct binder *b, const struct sql_ast_statement *st)
{
    static const char *const database_column[] = {"Database"}, *const table_column[] = {"Table"};
    bool tables = st->kind == SQL_AST_SHOW_TABLES;
    struct tsfs_str *names = NULL;
    uint32_t n = 0;
    struct tsfs_error err = {0};
    int rc;
    if (tables && st->database.ptr == NULL && b->resolver->default_database.ptr == NULL) {
        bind_fail(b, st->line, st->column, "SHOW TABLES needs a database here: SHOW TABLES FROM name");
        return NULL;
    }
    if (tables)
        rc = b->resolver->tables(b->resolver->ctx, st->database, b->arena, &names, &n, &err);
    else
        rc = b->resolver->databases(b->resolver->ctx, b->arena, &names, &n, &err);
    if (rc != 0) {
        bind_fail_outside(b, rc, &err, st->line, st->column);
        return NULL;
    }
    struct tsfs_bound *rel = new_values(b, tables ? table_column : database_column, 1, n);
    for (uint32_t i = 0; rel != NULL && i < n; i++) {
        bool show;
        if (!matches(b, st, names[i], &show))
            return NULL;
        if (show)
            add_row(rel, &names[i]);
    }
    return rel;
}

static struct tsfs_bound *show_measures(struct binder *b, const struct sql_ast_statement *st)
{
    static const char *const columns[] = {"measure_name", "data_type", "dimensions"};
    struct tsfs_table_ref ref = {0};
    struct tsfs_measure_info *infos = NULL;
    uint32_t n = 0;
    struct tsfs_error err = {0};
    if (!bind_table(b, st->database, st->name, st->line, st->column, &ref))
        return NULL;
    int rc = b->resolver->measures(b->resolver->ctx, &ref, b->arena, &infos, &n, &err);
    if (rc != 0) {
        bind_fail_outside(b, rc, &err, st->line, st->column);
        return NULL;
    }
    struct tsfs_bound *rel = new_values(b, columns, 3, n);
    for (uint32_t i = 0; rel != NULL && i < n; i++) {
        bool show;
        struct tsfs_str cells[3] = {infos[i].measure_name, infos[i].data_type, infos[i].dimensions};
        if (!matches(b, st, cells[0], &show))
            return NULL;
        if (show)
            add_row(rel, cells);
    }
    return rel;
}

static const char *attribute(const struct tsfs_column *col)
{
    switch (col->role) {
    case TSFS_ROLE_TIME: return "TIMESTAMP";
    case TSFS_ROLE_MEASURE_NAME: return "MEASURE_NAME";
    case TSFS_ROLE_DIMENSION: return "DIMENSION";
    case TSFS_ROLE_MEASURE: break;
    }
    return tsfs_column_is_single(col) ? "MEASURE_VALUE" : "MULTI";
}

static struct tsfs_bound *describe(struct binder *b, const struct sql_ast_statement *st)
{
    static const char *const columns[] = {"Column", "Type", "Timestream attribute type"};
    struct tsfs_table_ref ref = {0};
    if (!bind_table(b, st->database, st->name, st->line, st->column, &ref))
        return NULL;
    const struct tsfs_schema *schema = ref.schema;
    struct tsfs_bound *rel = new_values(b, columns, 3, schema->ncols);
    for (uint32_t i = 0; rel != NULL && i < schema->ncols; i++) {
        uint32_t ordinal = i < schema->ndims         ? schema->dims[i]
                           : i == schema->ndims      ? TSFS_ORDINAL_MEASURE_NAME
                           : i == schema->ndims + 1u ? TSFS_ORDINAL_TIME
                                                     : schema->measures[i - schema->ndims - 2];
        const struct tsfs_column *col = &schema->cols[ordinal];
        struct tsfs_str cells[3] = {col->name, tsfs_str_from(tsfs_type_name(col->type)),
                                    tsfs_str_from(attribute(col))};
        add_row(rel, cells);
    }
    return rel;
}

/* Types as SQL spells them. */
static bool show_signature(struct binder *b, const struct tsfs_function *fn, struct tsfs_str *result,
                           struct tsfs_str *args)
{
    const char *text = "";
    for (unsigned i = 0; i < fn->nargs && text != NULL; i++)
        text = tsfs_arena_printf(b->arena, "%s%s%s%s", text, i > 0 ? ", " : "", tsfs_type_name(fn->args[i]),
                                 fn->variadic && i + 1u == fn->nargs ? ", ..." : "");
    if (text == NULL)
        return bind_fail_memory(b);
    *result = tsfs_str_from(tsfs_type_name(fn->result));
    *args = tsfs_str_from(text);
    return true;
}

/* Every form of every function that has a name. */
static struct tsfs_bound *show_functions(struct binder *b, const struct sql_ast_statement *st)
{
    static const char *const columns[] = {"Function", "Return Type", "Argument Types", "Function Type",
                                          "Description"};
    static const char *const kinds[] = {"scalar", "aggregate", "window"};
    const struct tsfs_function_set *set = b->functions;
    struct tsfs_bound *rel = new_values(b, columns, 5, set->n);
    for (uint32_t i = 0; rel != NULL && i < set->n; i++) {
        const struct tsfs_function *fn = &set->items[i];
        struct tsfs_str name = tsfs_str_from(fn->name);
        bool show;
        if (fn->name[0] < 'a' || fn->name[0] > 'z')
            continue;
        if (!matches(b, st, name, &show))
            return NULL;
        if (!show)
            continue;
        struct tsfs_str cells[5] = {name, TSFS_STR(""), TSFS_STR(""), tsfs_str_from(kinds[fn->kind]),
                                    tsfs_str_from(fn->help)};
        if (!show_signature(b, fn, &cells[1], &cells[2]))
            return NULL;
        add_row(rel, cells);
    }
    return rel;
}

struct tsfs_bound *bind_show(struct binder *b, const struct sql_ast_statement *st)
{
    switch (st->kind) {
    case SQL_AST_SHOW_DATABASES:
    case SQL_AST_SHOW_TABLES: return show_names(b, st);
    case SQL_AST_SHOW_MEASURES: return show_measures(b, st);
    case SQL_AST_SHOW_FUNCTIONS: return show_functions(b, st);
    default: return describe(b, st);
    }
}
