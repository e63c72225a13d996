/* Where the lines of a writer go: the table itself, or the one that each line's measurement names. */
#include <errno.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/time.h"
#include "engine/writer_priv.h"

void writer_release_targets(struct tsfs_writer *w)
{
    for (unsigned i = 0; i < w->ntargets; i++) {
        tsfs_node_unref(w->targets[i].node);
        w->targets[i].node = NULL;
        tsfs_series_index_free(w->targets[i].series);
        w->targets[i].series = NULL;
    }
    w->ntargets = 0;
}

struct tsfs_str writer_measurement(struct tsfs_str key)
{
    const char *from = key.ptr, *end = key.ptr + key.len;
    for (;;) {
        const char *comma = memchr(from, ',', (size_t)(end - from));
        if (!comma)
            return key;
        if (comma == key.ptr || comma[-1] != '\\')
            return (struct tsfs_str){key.ptr, (size_t)(comma - key.ptr)};
        from = comma + 1;
    }
}

uint32_t writer_column(const struct tsfs_writer *w, const struct tsfs_lp_point *point, const char *ptr)
{
    const char *start = w->input + point->offset;
    return ptr >= start && ptr < start + point->length ? (uint32_t)(ptr - start) + 1 : 1;
}

/* Tables that are gone: a handle that is open for months must not hold on to all there ever were. */
static void forget_removed(struct tsfs_writer *w)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < w->ntouched; i++) {
        if (w->touched[i]->dead)
            tsfs_node_unref(w->touched[i]);
        else
            w->touched[kept++] = w->touched[i];
    }
    w->ntouched = kept;
}

static int touch(struct tsfs_writer *w, struct tsfs_node *node)
{
    for (unsigned i = 0; i < w->ntouched; i++)
        if (w->touched[i] == node)
            return 0;
    if (w->ntouched == w->touched_cap)
        forget_removed(w);
    if (TSFS_ARRAY_ROOM(w->touched, w->ntouched, w->touched_cap, 4) != 0)
        return -ENOMEM;
    w->touched[w->ntouched++] = tsfs_node_ref(node);
    return 0;
}

static int add_target(struct tsfs_writer *w, struct tsfs_node *node, struct tsfs_str raw, uint32_t *out)
{
    unsigned had = w->targets_cap;
    if (TSFS_ARRAY_ROOM(w->targets, w->ntargets, w->targets_cap, 4) != 0)
        return -ENOMEM;
    memset(w->targets + had, 0, (w->targets_cap - had) * sizeof(w->targets[0]));
    struct target *t = &w->targets[w->ntargets];
    t->raw.len = 0;
    int rc = tsfs_buf_append_str(&t->raw, raw);
    if (rc == 0)
        rc = touch(w, node);
    if (rc < 0)
        return rc;
    t->node = tsfs_node_ref(node);
    *out = w->ntargets++;
    return 0;
}

/* Whether the measurement of key is spelled as raw, that of another key. */
static bool begins_with(struct tsfs_str key, struct tsfs_str raw)
{
    return key.len >= raw.len && memcmp(key.ptr, raw.ptr, raw.len) == 0 &&
           (key.len == raw.len || (key.ptr[raw.len] == ',' && raw.ptr[raw.len - 1] != '\\'));
}

/* The table of a database writer's line. */
static int find_target(struct tsfs_writer *w, const struct tsfs_lp_point *point, uint32_t last, uint32_t *out,
                       struct tsfs_error *err)
{
    if (last < w->ntargets && begins_with(point->key, tsfs_buf_str(&w->targets[last].raw))) {
        *out = last;
        return 0;
    }
    struct tsfs_str raw = writer_measurement(point->key), name;
    struct tsfs_node *node;
    struct tsfs_lp_tag *tags;
    unsigned ntags;
    if (raw.len == 0)
        return tsfs_error_set_at(
            err, -EINVAL, point->line, writer_column(w, point, point->key.ptr),
            "the line has no measurement, which names the table when writing to a database");
    for (uint32_t i = 0; i < w->ntargets; i++) {
        if (tsfs_str_eq(raw, tsfs_buf_str(&w->targets[i].raw))) {
            *out = i;
            return 0;
        }
    }
    tsfs_arena_reset(&w->arena);
    int rc = tsfs_lp_parse_key(raw, &w->arena, &name, &tags, &ntags, err);
    if (rc == 0)
        rc = node_make_table(w->node, name, &w->creds, &node, err);
    if (rc < 0) {
        /* a column, if there is one, counts in the key */
        err->column = writer_column(w, point, point->key.ptr) + (err->column ? err->column - 1 : 0);
        err->line = point->line;
        return rc;
    }
    rc = add_target(w, node, raw, out);
    tsfs_node_unref(node);
    return rc;
}

int writer_fix_partitions(struct tsfs_writer *w, size_t known, struct tsfs_error *err)
{
    int64_t now = tsfs_time_now(), *times = NULL;
    int rc = 0;
    for (unsigned i = 0; i < w->ntargets && rc == 0; i++) {
        struct tsfs_node *node = w->targets[i].node;
        size_t n = 0;
        if (!node_partition_open(node))
            continue;
        if (!times && !(times = malloc((known + 1) * sizeof(*times))))
            return tsfs_error_set(err, -ENOMEM, "out of memory");
        struct tsfs_settings settings = node_settings(node);
        int64_t oldest, newest;
        settings_window(&settings, now, &oldest, &newest);
        for (size_t k = 0; k < known; k++)
            if (w->point_target[k] != UINT32_MAX && w->targets[w->point_target[k]].node == node &&
                writer_time(&w->batch.points[k], settings.precision, now, &times[n]) && times[n] >= oldest &&
                times[n] < newest)
                n++;
        if (n == 0) /* all will be refused, and say nothing about those that are put right */
            continue;
        struct partition_sample sample;
        partition_sample_times(times, n, &sample);
        int64_t length = partition_length(&sample, now, &settings);
        rc = node_fix_partition(node, &length, err);
    }
    free(times);
    return rc;
}

static int by_node_id(const void *a, const void *b)
{
    uint64_t x = (*(struct target *const *)a)->node->id, y = (*(struct target *const *)b)->node->id;
    return (x > y) - (x < y);
}

unsigned writer_lock_targets(struct tsfs_writer *w, struct target **ordered)
{
    unsigned n = 0;
    int64_t now = tsfs_time_now();
    for (unsigned i = 0; i < w->ntargets; i++)
        ordered[i] = &w->targets[i];
    qsort(ordered, w->ntargets, sizeof(*ordered), by_node_id);
    for (unsigned i = 0; i < w->ntargets; i++)
        if (i == 0 || ordered[i]->node != ordered[n - 1]->node)
            ordered[n++] = ordered[i];
    for (unsigned i = 0; i < n; i++)
        pthread_mutex_lock(&ordered[i]->node->table->write_lock);
    for (unsigned i = 0; i < w->ntargets; i++) {
        struct target *t = &w->targets[i];
        t->settings = node_settings(t->node);
        node_name(t->node, t->name);
        settings_window(&t->settings, now, &t->low, &t->high);
        t->nstaged = 0;
        t->rows = 0;
        t->partition = NULL;
        t->generation = NULL;
        t->ordinals_schema = NULL;
    }
    return n;
}

int writer_find_targets(struct tsfs_writer *w, size_t *known, int *found, struct tsfs_error *err)
{
    size_t n = w->batch.npoints, i = 0;
    uint32_t last = 0;
    bool skipping = writer_skips(w->node);
    struct tsfs_error why;
    if (w->node->kind == TSFS_NODE_TABLE) {
        memset(w->point_target, 0, n * sizeof(*w->point_target));
        *known = n;
        return add_target(w, w->node, (struct tsfs_str){"", 0}, &last);
    }
    for (; i < n; i++) {
        const struct tsfs_lp_point *p = &w->batch.points[i];
        writer_no_error(&why);
        *found = find_target(w, p, last, &w->point_target[i], &why);
        if (*found == 0) {
            last = w->point_target[i];
        } else if (skipping && writer_callers_fault(*found)) {
            writer_refuse(w, NULL, &why, (struct tsfs_str){w->input + p->offset, p->length});
            w->point_target[i] = UINT32_MAX;
            *found = 0;
        } else {
            *err = why;
            break; /* the points before it are good */
        }
    }
    *known = i;
    return 0;
}
