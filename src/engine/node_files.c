/* The text files of the tree: what they show, and what writing to config and ctl does. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/time.h"
#include "catalog/schema_file.h"
#include "engine/engine_priv.h"

/* ---- stats ---- */

struct tier {
    uint64_t points, bytes, partitions;
    uint32_t series; /* of the partition that has most */
    int64_t t_min, t_max;
};

static void tier_add(struct tier *t, uint64_t points, uint64_t bytes, uint32_t series, int64_t t_min,
                     int64_t t_max)
{
    t->points += points;
    t->bytes += bytes;
    if (series > t->series)
        t->series = series;
    if (points && t_min < t->t_min)
        t->t_min = t_min;
    if (points && t_max > t->t_max)
        t->t_max = t_max;
}

static void measure_tiers(struct table *t, struct tier *hot, struct tier *cold)
{
    *hot = *cold = (struct tier){.t_min = INT64_MAX, .t_max = INT64_MIN};
    pthread_mutex_lock(&t->lock);
    for (unsigned i = 0; i < t->npartitions; i++) {
        struct partition *p = t->partitions[i];
        bool any = false;
        for (unsigned j = 0; j <= p->nsealed; j++) {
            struct generation *g = j < p->nsealed ? p->sealed[j] : p->active;
            struct tsfs_hot_facts f;
            if (!g)
                continue;
            tsfs_hot_facts(g->hot, &f);
            tier_add(hot, f.rows, f.bytes, f.series, f.t_min, f.t_max);
            any = any || f.rows;
        }
        hot->partitions += any;
        if (p->segment) {
            struct tsfs_segment_facts f;
            tsfs_segment_facts(p->segment, &f);
            tier_add(cold, f.rows, f.bytes, f.series, f.t_min, f.t_max);
            cold->partitions++;
        }
    }
    pthread_mutex_unlock(&t->lock);
}

static int render_tier(const char *name, const struct tier *t, struct tsfs_buf *out)
{
    char from[TSFS_TIME_TEXT_MAX] = "", to[TSFS_TIME_TEXT_MAX] = "";
    unsigned nfrom = 0, nto = 0;
    if (t->points) {
        nfrom = tsfs_time_format(t->t_min, from);
        nto = tsfs_time_format(t->t_max, to);
    }
    return tsfs_buf_printf(out, "%s\t%llu\t%u\t%llu\t%llu\t%.*s\t%.*s\n", name, (unsigned long long)t->points,
                           t->series, (unsigned long long)t->bytes, (unsigned long long)t->partitions,
                           (int)nfrom, from, (int)nto, to);
}

static int render_job(struct table *t, const char *prefix, struct tsfs_buf *out)
{
    char folder[TSFS_PARTITION_NAME_MAX], started[TSFS_TIME_TEXT_MAX];
    pthread_mutex_lock(&t->lock);
    bool running = t->job.running;
    if (running)
        tsfs_partition_folder(t->job.partition, folder);
    unsigned n = running ? tsfs_time_format(t->job.started, started) : 0;
    pthread_mutex_unlock(&t->lock);
    if (!running)
        return 0;
    return tsfs_buf_printf(out, "%smigrate\t%s\t%llu\t%llu\t%.*s\n", prefix, folder,
                           (unsigned long long)t->job.progress.rows_done,
                           (unsigned long long)t->job.progress.rows_total, (int)n, started);
}

static int render_stats(struct tsfs_node *node, struct tsfs_buf *out)
{
    struct tier hot, cold;
    measure_tiers(node->table, &hot, &cold);
    int rc = tsfs_buf_printf(out, "tier\tpoints\tseries\tbytes\tpartitions\ttime_min\ttime_max\n");
    if (rc == 0)
        rc = render_tier("hot", &hot, out);
    if (rc == 0)
        rc = render_tier("cold", &cold, out);
    if (rc == 0)
        rc = tsfs_buf_printf(out, "\njob\tpartition\trows_done\trows_total\tstarted\n");
    return rc < 0 ? rc : render_job(node->table, "", out);
}

/* ---- the daemon ---- */

static int render_status(struct tsfs_engine *engine, struct tsfs_buf *out)
{
    struct tsfs_node **tables;
    unsigned n;
    char started[TSFS_TIME_TEXT_MAX];
    unsigned len = tsfs_time_format(engine->started, started);
    int rc = engine_tables(engine, &tables, &n);
    if (rc < 0)
        return rc;
    pthread_rwlock_rdlock(&engine->tree_lock);
    unsigned databases = engine->root->nchildren;
    pthread_rwlock_unlock(&engine->tree_lock);
    rc = tsfs_buf_printf(
        out,
        "version = %s\npid = %d\nstarted = %.*s\ndata = %s\nread_only = %s\ndatabases = %u\ntables = %u\n"
        "memory_used = %zu\nmemory_limit = %zu\nqueries_running = %u\n",
        TSFS_VERSION, (int)getpid(), (int)len, started, engine->data_path,
        engine->options.read_only ? "true" : "false", databases, n, engine->hot_budget.used,
        engine->hot_budget.limit, engine->queries_running);
    for (unsigned i = 0; i < n; i++) {
        char path[2 * TSFS_NAME_MAX + 8];
        node_path(tables[i], path, sizeof(path));
        snprintf(path + strlen(path), 2, "\t");
        struct tsfs_buf job = {0};
        if (rc == 0)
            rc = render_job(tables[i]->table, path, &job);
        if (rc == 0 && job.len)
            rc = tsfs_buf_printf(out, "job = %.*s", (int)job.len, job.data);
        tsfs_buf_free(&job);
        tsfs_node_unref(tables[i]);
    }
    free(tables);
    return rc < 0 ? rc : node_render_damaged(engine, out);
}

static int metric(struct tsfs_buf *out, const char *name, const char *type, const char *help, uint64_t value)
{
    return tsfs_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %llu\n", name, help, name, type, name,
                           (unsigned long long)value);
}

/* Prometheus's text exposition format. */
static int render_metrics(struct tsfs_engine *e, struct tsfs_buf *out)
{
    const struct {
        const char *name, *type, *help;
        uint64_t value;
    } all[] = {
        {"tsfs_rows_ingested_total", "counter", "Points accepted.", e->rows_ingested},
        {"tsfs_bytes_ingested_total", "counter", "Bytes of line protocol taken.", e->bytes_ingested},
        {"tsfs_lines_refused_total", "counter", "Lines refused.", e->lines_refused},
        {"tsfs_queries_total", "counter", "Queries started.", e->queries_total},
        {"tsfs_queries_failed_total", "counter", "Queries that failed.", e->queries_failed},
        {"tsfs_queries_running", "gauge", "Queries under way.", e->queries_running},
        {"tsfs_migrations_total", "counter", "Partitions migrated to the cold tier.", e->migrations},
        {"tsfs_migrations_failed_total", "counter", "Migrations that failed.", e->migrations_failed},
        {"tsfs_partitions_dropped_total", "counter", "Partitions dropped by retention.",
         e->partitions_dropped},
        {"tsfs_hot_bytes", "gauge", "Memory held by the hot tier.", e->hot_budget.used},
        {"tsfs_hot_bytes_limit", "gauge", "The hot tier's memory budget.", e->hot_budget.limit},
    };
    int rc = 0;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]) && rc == 0; i++)
        rc = metric(out, all[i].name, all[i].type, all[i].help, all[i].value);
    struct tsfs_node **tables;
    unsigned n;
    if (rc == 0)
        rc = engine_tables(e, &tables, &n);
    if (rc < 0)
        return rc;
    rc = tsfs_buf_printf(out,
                         "# HELP tsfs_table_points Points held, by tier.\n# TYPE tsfs_table_points gauge\n");
    for (unsigned i = 0; i < n; i++) {
        struct tier tiers[2];
        char database[TSFS_NAME_MAX + 1], name[TSFS_NAME_MAX + 1];
        tsfs_node_unref(node_database(tables[i], database, name));
        measure_tiers(tables[i]->table, &tiers[0], &tiers[1]);
        for (int k = 0; k < 2 && rc == 0; k++)
            rc = tsfs_buf_printf(out, "tsfs_table_points{database=\"%s\",table=\"%s\",tier=\"%s\"} %llu\n",
                                 database, name, k ? "cold" : "hot", (unsigned long long)tiers[k].points);
        tsfs_node_unref(tables[i]);
    }
    free(tables);
    return rc;
}

/* ---- reading ---- */

int tsfs_node_render(struct tsfs_node *node, enum tsfs_file file, struct tsfs_buf *out)
{
    struct tsfs_settings settings;
    struct table *t = node->table;
    int rc = -ENOENT;
    switch (file) {
    case TSFS_FILE_CONFIG: settings = node_settings(node); return tsfs_settings_render(&settings, out);
    case TSFS_FILE_ERRORS: return ring_render(&node->errors, out);
    case TSFS_FILE_REJECTED: return ring_render(&node->rejected, out);
    case TSFS_FILE_CTL: return tsfs_buf_printf(out, "flush\nmigrate\ntruncate\n");
    case TSFS_FILE_VERSION: return tsfs_buf_printf(out, "%s\n", TSFS_VERSION);
    case TSFS_FILE_STATUS: return render_status(node->engine, out);
    case TSFS_FILE_METRICS: return render_metrics(node->engine, out);
    case TSFS_FILE_STATS: return t ? render_stats(node, out) : -ENOENT;
    case TSFS_FILE_SCHEMA:
        if (!t)
            return -ENOENT;
        rc = tsfs_buf_printf(out, "name\trole\ttype\n");
        if (rc == 0) {
            pthread_mutex_lock(&t->lock);
            struct tsfs_schema *schema = tsfs_schema_ref(t->schema);
            pthread_mutex_unlock(&t->lock);
            rc = tsfs_schema_render(schema, out);
            tsfs_schema_unref(schema);
        }
        return rc;
    default: return rc;
    }
}

/* ---- writing ---- */

static int store_config(struct tsfs_node *node, struct tsfs_str text, struct tsfs_error *err)
{
    struct table *t = node->table;
    if (!t)
        return node_change_settings(node, text, false, err);
    pthread_mutex_lock(&t->write_lock); /* no first point between the look and the change */
    int rc = node_change_settings(node, text, !table_empty(t) || t->npartitions, err);
    pthread_mutex_unlock(&t->write_lock);
    return rc;
}

static int run_command(struct tsfs_node *node, struct tsfs_str command, bool (*interrupted)(void *ctx),
                       void *ctx, struct tsfs_error *err)
{
    static const struct tsfs_str names[] = {{"flush", 5}, {"migrate", 7}, {"truncate", 8}};
    if (tsfs_str_eq(command, names[0])) {
        node->table->dirty = true;
        int rc = table_sync(node);
        return rc < 0 ? tsfs_error_set(err, rc, "cannot write the log to disk: %s", strerror(-rc)) : 0;
    }
    if (node->engine->options.read_only)
        return tsfs_error_set(err, -EROFS, "mounted read-only");
    if (tsfs_str_eq(command, names[1]))
        return table_migrate_now(node, interrupted, ctx, err);
    if (tsfs_str_eq(command, names[2])) {
        int rc = table_truncate(node);
        return rc < 0 ? tsfs_error_set(err, rc, "cannot drop the points: %s", strerror(-rc)) : 0;
    }
    struct tsfs_str near = tsfs_name_nearest(command, names, 3);
    int shown = (int)(command.len < 60 ? command.len : 60);
    if (near.ptr)
        return tsfs_error_set(err, -EINVAL, "no command \"%.*s\" (did you mean \"%s\"?)", shown, command.ptr,
                              near.ptr);
    return tsfs_error_set(err, -EINVAL, "no command \"%.*s\" (there are flush, migrate and truncate)", shown,
                          command.ptr);
}

int tsfs_node_store(struct tsfs_node *node, enum tsfs_file file, const char *data, size_t len,
                    bool (*interrupted)(void *ctx), void *ctx, struct tsfs_error *err)
{
    struct tsfs_error own = {0};
    int rc = 0;
    if (!err)
        err = &own;
    if (len > TSFS_CONFIG_WRITE_MAX)
        return -E2BIG;
    if (node->dead)
        return -ENOENT;
    struct tsfs_str rest = {data, len};
    if (file == TSFS_FILE_CONFIG) {
        rc = store_config(node, rest, err);
    } else if (file == TSFS_FILE_CTL && node->table) {
        while (rest.len && rc == 0) {
            struct tsfs_str command = tsfs_str_trim(tsfs_str_cut(&rest, '\n'));
            if (command.len)
                rc = run_command(node, command, interrupted, ctx, err);
        }
    } else {
        return -EPERM;
    }
    if (rc < 0 && rc != -EINTR)
        node_report(node, file == TSFS_FILE_CONFIG ? "config" : "ctl", err, (struct tsfs_str){data, len});
    return rc;
}
