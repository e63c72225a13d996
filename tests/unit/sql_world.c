#include "sql_world.h"

#include <errno.h>
#include <string.h>

#include "exec/function.h"
#include "plan/plan.h"

static int find_table(void *ctx, struct tsfs_str database, struct tsfs_str name, struct tsfs_table_ref *out,
                      struct tsfs_error *err)
{
    struct world *w = ctx;
    bool known = false;
    if (database.ptr == NULL)
        database = TSFS_STR("db");
    for (uint32_t i = 0; i < w->ntables; i++) {
        bool there = tsfs_str_eq(w->tables[i].database, database);
        known |= there;
        if (!there || !tsfs_str_eq(w->tables[i].name, name))
            continue;
        *out = (struct tsfs_table_ref){w->tables[i].database, w->tables[i].name, w->tables[i].source->schema,
                                       w->tables[i].source};
        return 0;
    }
    if (!known && !tsfs_str_eq(database, TSFS_STR("db")))
        return tsfs_error_set(err, -ENOENT, "no database \"%.*s\"", (int)database.len, database.ptr);
    return tsfs_error_set(err, -ENOENT, "no table \"%.*s\"", (int)name.len, name.ptr);
}

static int list_databases(void *ctx, struct tsfs_arena *arena, struct tsfs_str **names, uint32_t *n,
                          struct tsfs_error *err)
{
    *names = TSFS_NEW_ARRAY(arena, struct tsfs_str, 1);
    if (*names == NULL)
        return -ENOMEM;
    (*names)[0] = TSFS_STR("db");
    *n = 1;
    return 0;
}

static int list_tables(void *ctx, struct tsfs_str database, struct tsfs_arena *arena, struct tsfs_str **names,
                       uint32_t *n, struct tsfs_error *err)
{
    struct world *w = ctx;
    *names = TSFS_NEW_ARRAY(arena, struct tsfs_str, w->ntables);
    if (*names == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < w->ntables; i++)
        (*names)[i] = w->tables[i].name;
    *n = w->ntables;
    return 0;
}

static int fold(void *ctx, const struct tsfs_expr *e, struct tsfs_arena *arena, struct tsfs_value *out,
                struct tsfs_error *err)
{
    return tsfs_exec_fold(e, WORLD_NOW, arena, out, err);
}

void world_init(struct world *w)
{
    *w = (struct world){0};
    w->resolver = (struct tsfs_resolver){.ctx = w,
                                         .default_database = TSFS_STR("db"),
                                         .now = WORLD_NOW,
                                         .table = find_table,
                                         .databases = list_databases,
                                         .tables = list_tables,
                                         .fold = fold};
}

void world_add_to(struct world *w, const char *database, const char *name, struct mock_table *table,
                  const struct mock_options *options)
{
    static const struct mock_options plain;
    w->tables[w->ntables++] =
        (struct world_table){tsfs_str_from(database), tsfs_str_from(name), table,
                             mock_source_create(table, options != NULL ? options : &plain)};
}

void world_add(struct world *w, const char *name, struct mock_table *table,
               const struct mock_options *options)
{
    world_add_to(w, "db", name, table, options);
}

void world_free(struct world *w)
{
    for (uint32_t i = 0; i < w->ntables; i++)
        w->tables[i].source->ops->free(w->tables[i].source);
    w->ntables = 0;
}

int world_run(struct world *w, const char *text, struct tsfs_arena *arena, struct result *out,
              struct tsfs_error *err)
{
    struct tsfs_plan *plan;
    struct tsfs_exec_options options = {.pool = w->pool, .budget = w->budget, .now = WORLD_NOW};
    w->resolver.ctx = w;
    *out = (struct result){0};
    int rc = tsfs_plan_query(tsfs_str_from(text), &w->resolver, tsfs_functions(), arena, &plan, err);
    if (rc == 0)
        rc = run_plan(plan, &options, arena, out, err);
    if (rc == 0 && out->ncols == 0)
        out->ncols = plan->ncols;
    return rc;
}
