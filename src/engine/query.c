/* One statement from text to result bytes.
 *
 * Nothing happens before the first read.  Then names are resolved, the plan made and its scans opened (the
 * snapshot); batches are pulled and formatted as far as the reader has come.  The result's bytes are kept, in
 * memory up to a size and then in a nameless file, so that any offset can be read again. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/io.h"
#include "base/time.h"
#include "catalog/names.h"
#include "engine/engine_priv.h"
#include "engine/query_lanes.h"
#include "exec/exec.h"
#include "exec/function.h"
#include "format/format.h"
#include "plan/plan.h"
#include "sql/bind.h"
#include "sql/check.h"

enum {
    QUERIES_AT_ONCE = 64,
};

/* A reader gets what is there after this long, even if he asked for more. */
#define PATIENCE_NS (100 * TSFS_NS_PER_MS)

struct opened { /* a table this query reads */
    struct opened *next;
    struct tsfs_node *node;
    struct tsfs_source *source;
};

/* What binding needs: shared by tsfs_query_check and a run. */
struct binding {
    struct tsfs_node *node; /* borrowed */
    const struct tsfs_creds *creds;
    struct tsfs_arena arena;
    struct tsfs_budget budget;
    struct opened *opened;
    struct tsfs_resolver resolver;
    char default_database[TSFS_NAME_MAX + 1];
    struct tsfs_plan *plan;
    struct tsfs_plan *doomed;      /* a DELETE: what it takes away */
    struct tsfs_node *doomed_node; /* and from which table; borrowed from opened */
};

/* What a DELETE has done. */
struct tsfs_once {
    _Atomic uint32_t refs;
    pthread_mutex_t lock; /* held while it is done */
    bool done;
    uint64_t rows;
};

struct tsfs_query {
    pthread_mutex_t lock;
    struct tsfs_node *node;
    struct tsfs_creds creds;
    gid_t *groups;
    enum tsfs_query_format format;
    char *text;
    size_t text_len;

    bool started, finished, counted;
    int failed; /* -errno once it failed */
    struct tsfs_error err;
    _Atomic bool cancel;
    int64_t timeout, spent; /* ns; time counts only while a reader waits */

    struct tsfs_once *once; /* NULL = nobody else runs this text */
    struct binding binding;
    struct tsfs_exec_options options;
    struct tsfs_exec *exec;
    struct tsfs_formatter *formatter;
    struct tsfs_str *names;
    enum tsfs_type *types;

    struct query_lanes *lanes; /* several threads make the rows; NULL = the reader's alone */

    struct result result;
    uint64_t delivered;    /* bytes that reads have returned, 0 = none yet */
    struct tsfs_buf chunk; /* formatted, not yet stored */
};

/* ---- the binder's view of the world
 * ------------------------------------------------------------------------------ */

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
    if (names->n == names->cap) {
        size_t cap = names->cap ? names->cap * 2 : 32;
        struct tsfs_str *grown = realloc(names->items, cap * sizeof(*grown));
        if (!grown)
            return -ENOMEM;
        names->items = grown;
        names->cap = cap;
    }
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
        return rc;
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
            struct measure **at = &first, *m;
            if (run.same_series)
                continue;
            while (*at && tsfs_str_cmp((*at)->name, run.series.measure_name) < 0)
                at = &(*at)->next;
            m = *at;
            if (!m || !tsfs_str_eq(m->name, run.series.measure_name)) {
                m = TSFS_NEW(arena, struct measure);
                if (m) {
                    m->name = tsfs_arena_str(arena, run.series.measure_name);
                    m->dims = TSFS_NEW_ARRAY(arena, bool, schema->ndims + 1);
                }
                if (!m || !m->dims || !m->name.ptr) {
                    rc = -ENOMEM;
                    break;
                }
                rc = measure_type(cursor, schema, &spec, &m->type, err);
                if (rc < 0)
                    break;
                m->next = *at;
                *at = m;
                ++*n;
            }
            for (uint16_t d = 0; d < run.series.ndims && d < schema->ndims; d++)
                m->dims[d] |= run.series.dims[d].ptr != NULL;
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
    for (struct measure *m = first; m; m = m->next, info++) {
        struct tsfs_buf text = {0};
        rc = tsfs_buf_printf(&text, "[");
        for (uint16_t d = 0; d < schema->ndims && rc == 0; d++) {
            if (!m->dims[d])
                continue;
            struct tsfs_str name = schema->cols[schema->dims[d]].name;
            rc = tsfs_buf_printf(&text, "%s(%.*s, varchar)", text.len > 1 ? ", " : "", (int)name.len,
                                 name.ptr);
        }
        if (rc == 0)
            rc = tsfs_buf_printf(&text, "]");
        info->measure_name = m->name;
        info->data_type = tsfs_str_from(m->type);
        if (rc == 0) {
            info->dimensions = tsfs_arena_str(arena, tsfs_buf_str(&text));
            rc = info->dimensions.ptr ? 0 : -ENOMEM;
        }
        tsfs_buf_free(&text);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int resolve_fold(void *ctx, const struct tsfs_expr *expr, struct tsfs_arena *arena,
                        struct tsfs_value *out, struct tsfs_error *err)
{
    struct binding *b = ctx;
    return tsfs_exec_fold(expr, b->resolver.now, arena, out, err);
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

static int bind(struct binding *b, struct tsfs_node *node, const struct tsfs_creds *creds,
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

static void unbind(struct binding *b)
{
    for (struct opened *o = b->opened; o; o = o->next) {
        o->source->ops->free(o->source);
        tsfs_node_unref(o->node);
    }
    b->opened = NULL;
    tsfs_arena_free(&b->arena);
}

int tsfs_query_check(struct tsfs_node *node, const struct tsfs_creds *creds, const char *text, size_t len,
                     struct tsfs_error *err)
{
    struct tsfs_error own = {0};
    int rc = 0;
    if (!err)
        err = &own;
    enum tsfs_sql_state state = tsfs_sql_check((struct tsfs_str){text, len}, err);
    if (state == TSFS_SQL_BROKEN) {
        rc = err->code ? err->code : -EINVAL;
    } else if (state == TSFS_SQL_TERMINATED) {
        struct binding b = {0};
        rc = bind(&b, node, creds, (struct tsfs_str){text, len}, node_settings(node).query_memory, err);
        unbind(&b);
    }
    if (rc < 0) {
        if (rc == -ENOENT)
            rc = err->code = -EINVAL;
        node_report(node, "query", err, (struct tsfs_str){text, len});
        atomic_fetch_add(&node->engine->queries_failed, 1);
    }
    return rc;
}

/* ---- lifetime
 * -------------------------------------------------------------------------------------------------------- */

int tsfs_query_create(struct tsfs_node *node, const struct tsfs_creds *creds, enum tsfs_query_format format,
                      const char *text, size_t len, struct tsfs_query **out)
{
    struct tsfs_query *q = calloc(1, sizeof(*q));
    if (!q)
        return -ENOMEM;
    q->result.spill_fd = -1;
    q->creds = *creds;
    q->groups = malloc((creds->ngroups + 1) * sizeof(*q->groups));
    q->text = malloc(len + 1);
    if (!q->groups || !q->text) {
        free(q->groups);
        free(q->text);
        free(q);
        return -ENOMEM;
    }
    if (creds->ngroups)
        memcpy(q->groups, creds->groups, creds->ngroups * sizeof(*q->groups));
    if (len)
        memcpy(q->text, text, len);
    q->text[len] = '\0';
    q->text_len = len;
    q->creds.groups = q->groups;
    q->format = format;
    q->node = tsfs_node_ref(node);
    pthread_mutex_init(&q->lock, NULL);
    *out = q;
    return 0;
}

int tsfs_once_create(struct tsfs_once **out)
{
    struct tsfs_once *once = calloc(1, sizeof(*once));
    if (!once)
        return -ENOMEM;
    once->refs = 1;
    pthread_mutex_init(&once->lock, NULL);
    *out = once;
    return 0;
}

void tsfs_once_unref(struct tsfs_once *once)
{
    if (!once || atomic_fetch_sub(&once->refs, 1) != 1)
        return;
    pthread_mutex_destroy(&once->lock);
    free(once);
}

void tsfs_query_set_once(struct tsfs_query *q, struct tsfs_once *once)
{
    atomic_fetch_add(&once->refs, 1);
    q->once = once;
}

/* Gives back all but the result. */
static void end_run(struct tsfs_query *q)
{
    query_lanes_close(q->lanes);
    q->lanes = NULL;
    tsfs_exec_close(q->exec);
    q->exec = NULL;
    tsfs_format_free(q->formatter);
    q->formatter = NULL;
    if (q->started)
        unbind(&q->binding);
    free(q->names);
    free(q->types);
    q->names = NULL;
    q->types = NULL;
    tsfs_buf_free(&q->chunk);
    if (q->counted)
        atomic_fetch_sub(&q->node->engine->queries_running, 1);
    q->counted = false;
}

void tsfs_query_cancel(struct tsfs_query *q)
{
    q->cancel = true;
}

void tsfs_query_free(struct tsfs_query *q)
{
    if (!q)
        return;
    q->cancel = true;
    pthread_mutex_lock(&q->lock); /* a read still under way ends soon */
    if (!q->finished && !q->failed)
        end_run(q);
    pthread_mutex_unlock(&q->lock);
    result_free(&q->result);
    pthread_mutex_destroy(&q->lock);
    tsfs_once_unref(q->once);
    tsfs_node_unref(q->node);
    free(q->groups);
    free(q->text);
    free(q);
}

const struct tsfs_error *tsfs_query_error(const struct tsfs_query *q)
{
    return &q->err;
}

/* ---- running
 * -------------------------------------------------------------------------------------------------------------
 */

static int fail(struct tsfs_query *q, int rc)
{
    if (rc == -ENOENT)
        rc = -EINVAL; /* an unknown name is a bad query, not a missing file */
    tsfs_error_set(&q->err, rc, "%s", strerror(-rc));
    q->err.code = rc;
    q->failed = rc;
    if (rc != -EAGAIN) {
        node_report(q->node, "query", &q->err, (struct tsfs_str){q->text, q->text_len});
        atomic_fetch_add(&q->node->engine->queries_failed, 1);
    }
    return rc;
}

/* Stores the formatted chunk behind what there is. */
static int store(struct tsfs_query *q)
{
    int rc = result_take(&q->result, q->node->engine, &q->chunk);
    return rc < 0 ? tsfs_error_set(&q->err, rc, "cannot keep the result: %s", strerror(-rc)) : 0;
}

/* Does what a DELETE says, and makes its answer the plan. */
static int run_delete(struct tsfs_query *q)
{
    struct binding *b = &q->binding;
    struct delete_request request = {.scan = b->doomed,
                                     .now = b->resolver.now,
                                     .timeout = q->timeout,
                                     .memory = b->budget.limit,
                                     .cancel = &q->cancel,
                                     .interrupted = q->options.interrupted,
                                     .interrupted_ctx = q->options.interrupted_ctx};
    struct tsfs_plan *plan = TSFS_NEW(&b->arena, struct tsfs_plan);
    struct tsfs_plan_column *cols = TSFS_NEW(&b->arena, struct tsfs_plan_column);
    struct tsfs_value *value = TSFS_NEW(&b->arena, struct tsfs_value);
    uint64_t rows = 0;
    int rc = 0;
    if (!plan || !cols || !value)
        return -ENOMEM;
    if (q->once)
        pthread_mutex_lock(&q->once->lock);
    if (q->once && q->once->done)
        rows = q->once->rows;
    else
        rc = table_delete(b->doomed_node, &request, &rows, &q->err);
    if (q->once) {
        q->once->done = q->once->done || rc == 0;
        q->once->rows = rows;
        pthread_mutex_unlock(&q->once->lock);
    }
    cols[0] = (struct tsfs_plan_column){TSFS_STR("rows"), TSFS_BIGINT};
    *value = (struct tsfs_value){.type = TSFS_BIGINT, .i = (int64_t)rows};
    *plan = (struct tsfs_plan){.kind = TSFS_PLAN_VALUES, .cols = cols, .ncols = 1};
    plan->values.rows = value;
    plan->values.nrows = 1;
    b->plan = plan;
    return rc;
}

static int start(struct tsfs_query *q)
{
    struct tsfs_engine *engine = q->node->engine;
    struct tsfs_settings settings = node_settings(q->node);
    atomic_fetch_add(&engine->queries_total, 1);
    if (atomic_fetch_add(&engine->queries_running, 1) >= QUERIES_AT_ONCE) {
        atomic_fetch_sub(&engine->queries_running, 1);
        return tsfs_error_set(&q->err, -EAGAIN, "%d queries are running already; try again", QUERIES_AT_ONCE);
    }
    q->counted = true;
    q->timeout = settings.query_timeout;
    q->started = true;
    int rc = bind(&q->binding, q->node, &q->creds, (struct tsfs_str){q->text, q->text_len},
                  (uint64_t)settings.query_memory, &q->err);
    if (rc < 0)
        return rc;
    if (q->binding.doomed)
        rc = run_delete(q);
    if (rc < 0)
        return rc;
    struct tsfs_plan *plan = q->binding.plan;
    q->names = calloc(plan->ncols + 1, sizeof(*q->names));
    q->types = calloc(plan->ncols + 1, sizeof(*q->types));
    if (!q->names || !q->types)
        return -ENOMEM;
    for (uint32_t i = 0; i < plan->ncols; i++) {
        q->names[i] = plan->cols[i].name;
        q->types[i] = plan->cols[i].type;
    }
    static const enum tsfs_format formats[] = {TSFS_FORMAT_CSV, TSFS_FORMAT_JSON, TSFS_FORMAT_TEXT};
    enum tsfs_format format = formats[q->format];
    rc = tsfs_format_create(format, q->names, q->types, plan->ncols, &q->formatter);
    if (rc < 0)
        return rc;
    q->options.pool = engine->pool;
    q->options.budget = &q->binding.budget;
    q->options.now = q->binding.resolver.now;
    q->options.cancel = &q->cancel;
    q->options.deadline = q->timeout ? tsfs_time_monotonic() + q->timeout : 0; /* joins are built below */
    rc = tsfs_exec_open(plan, &q->options, &q->exec, &q->err);
    const struct query_lanes_options lanes = {.exec = q->exec,
                                              .pool = engine->pool,
                                              .format = format,
                                              .names = q->names,
                                              .types = q->types,
                                              .ncols = plan->ncols};
    if (rc == 0)
        rc = query_lanes_open(&lanes, &q->lanes, &q->err);
    if (rc == 0)
        rc = tsfs_format_begin(q->formatter, &q->chunk);
    return rc < 0 ? rc : store(q);
}

/* One more batch of result bytes; *end when there is none. */
static int step(struct tsfs_query *q)
{
    struct tsfs_batch *batch = NULL;
    int rc = q->lanes ? query_lanes_round(q->lanes, &q->result, q->node->engine, &q->err)
                      : tsfs_exec_next(q->exec, &batch, &q->err);
    if (rc < 0)
        return rc;
    if (rc == 1 && q->lanes)
        return 0;
    if (rc == 1)
        rc = tsfs_format_batch(q->formatter, batch, &q->chunk);
    else
        rc = tsfs_format_end(q->formatter, &q->chunk), q->finished = rc == 0;
    return rc < 0 ? rc : store(q);
}

/* Produces result bytes up to `want` in all, or until some are there past `offset` and patience ends.  Under
 * lock. */
static int produce(struct tsfs_query *q, uint64_t offset, uint64_t want, bool (*interrupted)(void *ctx),
                   void *ctx)
{
    int64_t from = tsfs_time_monotonic();
    int rc = 0;
    q->options.interrupted = interrupted;
    q->options.interrupted_ctx = ctx;
    if (!q->started) {
        q->options.deadline = 0;
        rc = start(q);
    }
    if (q->exec) {
        tsfs_exec_resume(q->exec, ctx, q->timeout ? from + q->timeout - q->spent : 0);
    }
    while (rc == 0 && !q->finished && q->result.produced < want) {
        if (q->result.produced > offset && tsfs_time_monotonic() - from > PATIENCE_NS)
            break;
        rc = step(q);
    }
    q->spent += tsfs_time_monotonic() - from;
    if (rc < 0) {
        rc = fail(q, rc);
        end_run(q);
    } else if (q->finished && q->exec) {
        end_run(q);
    }
    return rc;
}

ssize_t tsfs_query_read(struct tsfs_query *q, char *data, size_t len, uint64_t offset,
                        bool (*interrupted)(void *ctx), void *ctx)
{
    ssize_t result = 0;
    pthread_mutex_lock(&q->lock);
    if (!q->failed && !q->finished && q->result.produced < offset + len) {
        int rc = produce(q, offset, offset + len, interrupted, ctx);
        (void)rc; /* kept in q->failed */
    }
    if (q->failed && (q->delivered == 0 || offset >= q->result.produced)) {
        result = q->failed;
    } else if (offset < q->result.produced) { /* what came before a failure stays good */
        result = result_read(&q->result, data, len, offset);
        q->delivered += result < 0 ? 0 : (uint64_t)result;
    }
    pthread_mutex_unlock(&q->lock);
    return result;
}

int tsfs_query_run(struct tsfs_query *q, bool (*interrupted)(void *ctx), void *ctx)
{
    int rc = 0;
    pthread_mutex_lock(&q->lock);
    if (q->failed)
        rc = q->failed;
    else if (!q->finished && q->result.produced == 0)
        rc = produce(q, 0, 1, interrupted, ctx);
    if (rc == 0 && !q->failed && !q->finished) /* the header alone does not show that the query works */
        rc = produce(q, q->result.produced, q->result.produced + 1, interrupted, ctx);
    pthread_mutex_unlock(&q->lock);
    return rc;
}
