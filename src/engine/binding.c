/* The binder's view of the world: names in a statement are looked up among the nodes that its asker may read,
 * and a table's columns are those of its source. */
#include "engine/binding.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/time.h"
#include "catalog/names.h"
#include "engine/engine_priv.h"
#include "exec/exec.h"
#include "exec/function.h"
#include "plan/plan.h"
#include "sql/bind.h"

struct opened { /* a table this statement reads */
    struct opened *next;
    struct tsfs_node *node;
    struct tsfs_source *source;
};

static int may_query(struct tsfs_node *database, struct tsfs_node *table, const struct tsfs_creds *creds,
                     struct tsfs_error *err)
{
    struct tsfs_attr attr;
    struct tsfs_node *nodes[2] = {database, table};
    for (int i = 0; i < 2; i++) {
        int rc = tsfs_node_attr(nodes[i], TSFS_FILE_SELF, &attr);
        if (rc == 0)
            rc = tsfs_attr_check(&attr, creds, X_OK);
        if (rc == 0 && i == 1) {
            rc = tsfs_node_attr(table, TSFS_FILE_QUERY, &attr);
            if (rc == 0)
                rc = tsfs_attr_check(&attr, creds, R_OK);
        }
        if (rc < 0) {
            char path[2 * TSFS_NAME_MAX + 8];
            node_path(table, path, sizeof(path));
            return tsfs_error_set(err, rc, "no permission to query %s", path);
        }
    }
    return 0;
}

struct nearest {
    struct tsfs_str *items;
    size_t n, cap;
};

static int collect(void *ctx, const char *name, struct tsfs_node *child)
{
    struct nearest *names = ctx;
    if (TSFS_ARRAY_ROOM(names->items, names->n, names->cap, 32) != 0)
        return -ENOMEM;
    char *copy = strdup(name);
    if (!copy)
        return -ENOMEM;
    names->items[names->n++] = tsfs_str_from(copy);
    return 0;
}

static void free_names(struct nearest *names)
{
    for (size_t i = 0; i < names->n; i++)
        free((char *)names->items[i].ptr);
    free(names->items);
}

/* Child `name` of parent: exactly, or the one whose name differs only by case. */
static int find_child(struct tsfs_node *parent, struct tsfs_str name, const char *what,
                      struct tsfs_node **out, struct tsfs_error *err)
{
    char text[TSFS_NAME_MAX + 1] = "";
    struct nearest names = {0};
    int shown = (int)(name.len < 200 ? name.len : 200);
    int rc = -ENOENT;
    if (name.len <= TSFS_NAME_MAX && !memchr(name.ptr, 0, name.len)) {
        memcpy(text, name.ptr, name.len);
        text[name.len] = '\0';
        rc = tsfs_node_lookup(parent, text, out);
    }
    if (rc != -ENOENT)
        goto out;
    rc = tsfs_node_list(parent, collect, &names);
    if (rc < 0)
        goto out;
    size_t same = names.n;
    unsigned matches = 0;
    for (size_t i = 0; i < names.n; i++) {
        if (names.items[i].len == name.len && strncasecmp(names.items[i].ptr, name.ptr, name.len) == 0) {
            same = i;
            matches++;
        }
    }
    if (matches == 1) {
        rc = tsfs_node_lookup(parent, names.items[same].ptr, out);
        goto out;
    }
    struct tsfs_str near = tsfs_name_nearest(name, names.items, names.n);
    if (near.ptr)
        rc = tsfs_error_set(err, -ENOENT, "no %s \"%.*s\" (did you mean \"%s\"?)", what, shown, name.ptr,
                            near.ptr);
    else
        rc = tsfs_error_set(err, -ENOENT, "no %s \"%.*s\"", what, shown, name.ptr);
out:
    if (rc == -EIO)
        tsfs_error_set(err, rc, "%s \"%.*s\" is damaged: .tsfs/status says how", what, shown, name.ptr);
    free_names(&names);
    return rc;
}

static int find_database(struct binding *b, struct tsfs_str database, struct tsfs_node **out,
                         struct tsfs_error *err)
{
    if (!database.ptr)
        database = b->resolver.default_database;
    if (!database.ptr)
        return tsfs_error_set(err, -EINVAL,
                              "which database? write database.table, or ask in a database's own query file");
    return find_child(b->node->engine->root, database, "database", out, err);
}

static int resolve_table(void *ctx, struct tsfs_str database, struct tsfs_str name,
                         struct tsfs_table_ref *out, struct tsfs_error *err)
{
    struct binding *b = ctx;
    struct tsfs_node *db = NULL, *table = NULL;
    struct opened *o;
    int rc = find_database(b, database, &db, err);
    if (rc == 0)
        rc = find_child(db, name, "table", &table, err);
    tsfs_node_unref(db);
    db = NULL;
    if (rc < 0)
        goto out;
    char db_name[TSFS_NAME_MAX + 1], table_name[TSFS_NAME_MAX + 1];
    db = node_database(table, db_name, table_name);
    rc = may_query(db, table, b->creds, err);
    if (rc < 0)
        goto out;
    for (o = b->opened; o && o->node != table; o = o->next)
        ;
    if (!o) {
        o = TSFS_NEW(&b->arena, struct opened);
        rc = o ? table_source(table, &o->source) : -ENOMEM;
        if (rc < 0)
            goto out;
        o->node = tsfs_node_ref(table);
        o->next = b->opened;
        b->opened = o;
    }
    out->database = tsfs_arena_str(&b->arena, tsfs_str_from(db_name));
    out->name = tsfs_arena_str(&b->arena, tsfs_str_from(table_name));
    out->schema = o->source->schema;
    out->source = o->source;
    if (!out->database.ptr || !out->name.ptr)
        rc = -ENOMEM;
out:
    tsfs_node_unref(db);
    tsfs_node_unref(table);
    return rc;
}

static int list_names(struct tsfs_node *parent, struct tsfs_arena *arena, struct tsfs_str **out, uint32_t *n)
{
    struct nearest names = {0};
    int rc = tsfs_node_list(parent, collect, &names);
    *out = rc == 0 ? TSFS_NEW_ARRAY(arena, struct tsfs_str, names.n + 1) : NULL;
    if (rc == 0 && !*out)
        rc = -ENOMEM;
    *n = (uint32_t)names.n;
    for (size_t i = 0; i < names.n && rc == 0; i++) {
        (*out)[i] = tsfs_arena_str(arena, names.items[i]);
        if (!(*out)[i].ptr)
            rc = -ENOMEM;
    }
    free_names(&names);
    return rc;
}

static int resolve_databases(void *ctx, struct tsfs_arena *arena, struct tsfs_str **names, uint32_t *n,
                             struct tsfs_error *err)
{
    struct binding *b = ctx;
    return list_names(b->node->engine->root, arena, names, n);
}

static int resolve_tables(void *ctx, struct tsfs_str database, struct tsfs_arena *arena,
                          struct tsfs_str **names, uint32_t *n, struct tsfs_error *err)
{
    struct tsfs_node *db;
    int rc = find_database(ctx, database, &db, err);
    if (rc < 0)
        return rc;
    rc = list_names(db, arena, names, n);
    tsfs_node_unref(db);
    return rc;
}

struct measure {
    struct measure *next;
    struct tsfs_str name;
    const char *type; /* that of its only value, or multi */
    bool *dims;       /* by slot: some series has it */
};

/* The columns measure_value::double and so on. */
static int single_columns(const struct tsfs_schema *schema, struct tsfs_arena *arena, uint16_t **out,
                          uint32_t *n)
{
    *n = 0;
    *out = TSFS_NEW_ARRAY(arena, uint16_t, schema->nmeasures + 1);
    if (!*out)
        return -ENOMEM;
    for (uint16_t i = 0; i < schema->nmeasures; i++)
        if (tsfs_column_is_single(&schema->cols[schema->measures[i]]))
            (*out)[(*n)++] = schema->measures[i];
    return 0;
}

/* What a measure holds, from the first row of a run of it. */
static int measure_type(struct tsfs_cursor *cursor, const struct tsfs_schema *schema,
                        const struct tsfs_scan_spec *spec, const char **out, struct tsfs_error *err)
{
    const char *type = NULL;
    uint32_t present = 0;
    for (uint32_t i = 0; i < spec->n_columns; i++) {
        struct tsfs_vec vec;
        int rc = cursor->ops->column(cursor, spec->columns[i], 0, 1, &vec, err);
        if (rc < 0)
            return rc;
        if (tsfs_vec_null(&vec, 0))
            continue;
        type = tsfs_type_name(schema->cols[spec->columns[i]].type);
        present++;
    }
    *out = present == 1 ? type : "multi";
    return 0;
}

/* Adds the series of the cursor's run to the list, which is in order of names. */
static int note_series(struct tsfs_arena *arena, struct tsfs_cursor *cursor, const struct tsfs_series *series,
                       const struct tsfs_schema *schema, const struct tsfs_scan_spec *spec,
                       struct measure **first, uint32_t *n, struct tsfs_error *err)
{
    struct measure **at = first, *m;
    while (*at && tsfs_str_cmp((*at)->name, series->measure_name) < 0)
        at = &(*at)->next;
    m = *at;
    if (!m || !tsfs_str_eq(m->name, series->measure_name)) {
        m = TSFS_NEW(arena, struct measure);
        if (m) {
            m->name = tsfs_arena_str(arena, series->measure_name);
            m->dims = TSFS_NEW_ARRAY(arena, bool, schema->ndims + 1);
        }
        if (!m || !m->dims || !m->name.ptr)
            return -ENOMEM;
        int rc = measure_type(cursor, schema, spec, &m->type, err);
        if (rc < 0)
            return rc;
        m->next = *at;
        *at = m;
        ++*n;
    }
    for (uint16_t d = 0; d < series->ndims && d < schema->ndims; d++)
        m->dims[d] |= series->dims[d].ptr != NULL;
    return 0;
}

static int describe_measure(struct tsfs_arena *arena, const struct tsfs_schema *schema,
                            const struct measure *m, struct tsfs_measure_info *out)
{
    struct tsfs_buf text = {0};
    int rc = tsfs_buf_printf(&text, "[");
    for (uint16_t d = 0; d < schema->ndims && rc == 0; d++) {
        if (!m->dims[d])
            continue;
        struct tsfs_str name = schema->cols[schema->dims[d]].name;
        rc = tsfs_buf_printf(&text, "%s(%.*s, varchar)", text.len > 1 ? ", " : "", (int)name.len, name.ptr);
    }
    if (rc == 0)
        rc = tsfs_buf_printf(&text, "]");
    out->measure_name = m->name;
    out->data_type = tsfs_str_from(m->type);
    if (rc == 0) {
        out->dimensions = tsfs_arena_str(arena, tsfs_buf_str(&text));
        rc = out->dimensions.ptr ? 0 : -ENOMEM;
    }
    tsfs_buf_free(&text);
    return rc;
}

/* Walks every run of the table: names of measures and the dimensions that go with them come from the series
 * alone, the type of a single value from one row of each measure. */
static int resolve_measures(void *ctx, const struct tsfs_table_ref *table, struct tsfs_arena *arena,
                            struct tsfs_measure_info **out, uint32_t *n, struct tsfs_error *err)
{
    const struct tsfs_schema *schema = table->schema;
    struct tsfs_scan_spec spec = {.time_min = INT64_MIN, .time_max = INT64_MAX};
    struct tsfs_scan *scan;
    struct measure *first = NULL;
    uint16_t *singles;
    int rc = single_columns(schema, arena, &singles, &spec.n_columns);
    if (rc < 0)
        return rc;
    spec.columns = singles;
    rc = table->source->ops->scan(table->source, &spec, &scan, err);
    if (rc < 0)
        return rc;
    *n = 0;
    for (uint32_t unit = 0; unit < scan->n_units && rc >= 0; unit++) {
        struct tsfs_cursor *cursor = NULL;
        struct tsfs_run run;
        rc = scan->ops->open(scan, unit, &cursor, err);
        while (rc >= 0 && (rc = cursor->ops->next_run(cursor, &run, err)) == 1) {
            if (run.same_series)
                continue;
            rc = note_series(arena, cursor, &run.series, schema, &spec, &first, n, err);
            if (rc < 0)
                break;
        }
        if (cursor)
            cursor->ops->close(cursor);
    }
    scan->ops->close(scan);
    if (rc < 0)
        return rc;
    *out = TSFS_NEW_ARRAY(arena, struct tsfs_measure_info, *n + 1);
    if (!*out)
        return -ENOMEM;
    struct tsfs_measure_info *info = *out;
    rc = 0;
    for (struct measure *m = first; m && rc == 0; m = m->next, info++)
        rc = describe_measure(arena, schema, m, info);
    return rc;
}

static int resolve_fold(void *ctx, const struct tsfs_expr *expr, struct tsfs_arena *arena,
                        struct tsfs_value *out, struct tsfs_error *err)
{
    struct binding *b = ctx;
    return tsfs_exec_fold_polled(expr, b->resolver.now, arena, b->poll, b->poll_ctx, out, err);
}

static int may_delete(struct tsfs_node *table, const struct tsfs_creds *creds, struct tsfs_error *err)
{
    struct tsfs_attr attr;
    char path[2 * TSFS_NAME_MAX + 8];
    node_path(table, path, sizeof(path));
    if (table->engine->options.read_only)
        return tsfs_error_set(err, -EROFS, "%s cannot be changed: it is mounted read-only", path);
    int rc = tsfs_node_attr(table, TSFS_FILE_WRITE, &attr);
    if (rc == 0)
        rc = tsfs_attr_check(&attr, creds, W_OK);
    return rc < 0 ? tsfs_error_set(err, rc, "no permission to write to %s, which a DELETE needs", path) : 0;
}

static int bind_delete(struct binding *b, struct tsfs_str text, struct tsfs_error *err)
{
    int rc = tsfs_plan_delete(text, &b->resolver, tsfs_functions(), &b->arena, &b->doomed, err);
    if (rc < 0)
        return rc;
    for (struct opened *o = b->opened; o; o = o->next)
        if (o->source == b->doomed->scan.table.source)
            b->doomed_node = o->node;
    return may_delete(b->doomed_node, b->creds, err);
}

int binding_open(struct binding *b, struct tsfs_node *node, const struct tsfs_creds *creds,
                 struct tsfs_str text, uint64_t memory, struct tsfs_error *err)
{
    b->node = node;
    b->creds = creds;
    b->budget.limit = memory;
    tsfs_arena_init(&b->arena, &b->budget);
    b->resolver = (struct tsfs_resolver){.ctx = b,
                                         .now = tsfs_time_now(),
                                         .table = resolve_table,
                                         .databases = resolve_databases,
                                         .tables = resolve_tables,
                                         .measures = resolve_measures,
                                         .fold = resolve_fold};
    if (node->kind != TSFS_NODE_ROOT) {
        pthread_rwlock_rdlock(&node->engine->tree_lock);
        snprintf(b->default_database, sizeof(b->default_database), "%s",
                 node->kind == TSFS_NODE_TABLE ? node->parent->name : node->name);
        pthread_rwlock_unlock(&node->engine->tree_lock);
        b->resolver.default_database = tsfs_str_from(b->default_database);
    }
    if (tsfs_sql_is_delete(text))
        return bind_delete(b, text, err);
    return tsfs_plan_query(text, &b->resolver, tsfs_functions(), &b->arena, &b->plan, err);
}

void binding_close(struct binding *b)
{
    for (struct opened *o = b->opened; o; o = o->next) {
        o->source->ops->free(o->source);
        tsfs_node_unref(o->node);
    }
    b->opened = NULL;
    tsfs_arena_free(&b->arena);
}
