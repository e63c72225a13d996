/* From bytes written to a `write` file to rows in the hot tier.
 *
 * One write(2) is parsed outside every lock, then staged row by row under the write locks of the tables it
 * touches (taken in the order of their ids), logged, and published: a reader sees all of its rows or none.
 * Lines are taken in order up to the first bad one (or, with on_bad_line = skip, all the good ones). */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/decimal.h"
#include "base/hash.h"
#include "base/time.h"
#include "engine/engine_priv.h"
#include "ingest/line_protocol.h"

/* Lines that are staged and logged together: more than a usual write(2) holds, few enough for the caches. */
enum { POINTS_AT_ONCE = 4096 };

/* One table that the lines at hand go to.  Valid while its write lock is held but for node and raw. */
struct target {
    struct tsfs_node *node;       /* counted */
    char name[TSFS_NAME_MAX + 1]; /* its name now */
    struct tsfs_buf raw;          /* the measurement as spelled that leads here; database writers only */
    struct tsfs_settings settings;
    int64_t low, high; /* times accepted: low <= t < high */
    struct generation **staged;
    unsigned nstaged, staged_cap;
    struct partition *partition; /* of the row before */
    struct generation *generation;
    uint16_t *ordinals; /* of the fields of the line before, in its order */
    uint8_t *decimals;  /* beside them: 1 + digits of a field that is a decimal, else 0; NULL = none is */
    unsigned nordinals, ordinals_cap;
    const struct tsfs_schema *ordinals_schema; /* that they were found in; NULL = not valid */
    uint32_t layout; /* of that line: another line of the batch with the same one has the same ordinals */
    uint64_t rows;
};

struct tsfs_writer {
    pthread_mutex_t lock;
    struct tsfs_node *node; /* a database or a table; counted */
    struct tsfs_creds creds;
    gid_t *groups;
    struct tsfs_buf tail; /* an unterminated line */
    bool discard;         /* what follows up to the next newline belongs to a refused line */
    uint64_t lines;       /* complete lines seen, for messages */
    bool tail_noted;      /* the tail stands in errors and rejected */
    uint64_t tail_mark;
    struct tsfs_node *tail_table; /* whose rejected it is; counted; NULL = nobody's */
    const char *input;            /* what the points at hand were parsed from */
    struct tsfs_lp_batch batch;
    struct target *targets;
    unsigned ntargets, targets_cap;
    uint32_t *point_target; /* index into targets, a point each */
    struct tsfs_cell *cells;
    unsigned cells_cap;
    struct tsfs_column *add; /* columns that the line at hand brings; names borrowed from it */
    unsigned add_cap;
    struct tsfs_buf key;        /* a key with the measurement put in front */
    struct tsfs_arena arena;    /* of one new key */
    struct tsfs_node **touched; /* tables written to, for fsync; counted */
    unsigned ntouched, touched_cap;
};

/* ---- lifetime ---------------------------------------------------------------------------------------------
 */

int tsfs_writer_open(struct tsfs_node *node, const struct tsfs_creds *creds, struct tsfs_writer **out)
{
    if (node->kind == TSFS_NODE_ROOT)
        return -EINVAL;
    if (node->engine->options.read_only)
        return -EROFS;
    struct tsfs_writer *w = calloc(1, sizeof(*w));
    if (!w)
        return -ENOMEM;
    w->creds = *creds;
    w->groups = malloc((creds->ngroups + 1) * sizeof(*w->groups));
    if (!w->groups) {
        free(w);
        return -ENOMEM;
    }
    if (creds->ngroups)
        memcpy(w->groups, creds->groups, creds->ngroups * sizeof(*w->groups));
    w->creds.groups = w->groups;
    w->node = tsfs_node_ref(node);
    pthread_mutex_init(&w->lock, NULL);
    tsfs_lp_batch_init(&w->batch, NULL);
    tsfs_arena_init(&w->arena, NULL);
    *out = w;
    return 0;
}

static void release_targets(struct tsfs_writer *w)
{
    for (unsigned i = 0; i < w->ntargets; i++) {
        tsfs_node_unref(w->targets[i].node);
        w->targets[i].node = NULL;
    }
    w->ntargets = 0;
}

/* The measurement's bytes of a raw key: up to the first comma that no backslash escapes. */
static struct tsfs_str raw_measurement(struct tsfs_str key)
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

/* The table that a line written to a database would have gone to, if there is one.  Returns owned or NULL. */
static struct tsfs_node *table_of(struct tsfs_writer *w, struct tsfs_str line)
{
    struct tsfs_node *table = NULL;
    struct tsfs_lp_tag *tags;
    struct tsfs_str name, key;
    struct tsfs_error err = {0};
    unsigned ntags;
    size_t n = 0;
    while (line.len && (line.ptr[0] == ' ' || line.ptr[0] == '\t')) {
        line.ptr++;
        line.len--;
    }
    while (n < line.len && n <= 2 * TSFS_NAME_MAX &&
           !(line.ptr[n] == ' ' && (n == 0 || line.ptr[n - 1] != '\\')))
        n++;
    key = raw_measurement((struct tsfs_str){line.ptr, n});
    tsfs_arena_reset(&w->arena);
    if (key.len == 0 || tsfs_lp_parse_key(key, &w->arena, &name, &tags, &ntags, &err) < 0 || !name.ptr ||
        name.len > TSFS_NAME_MAX || tsfs_node_lookup(w->node, name.ptr, &table) < 0)
        return NULL;
    return table;
}

/* Keeps a refused line in the rejected text of its table (NULL: find it).  Returns that table, owned, or
 * NULL: the line went to a database and names no table. */
static struct tsfs_node *keep_rejected(struct tsfs_writer *w, struct tsfs_node *table, struct tsfs_str line,
                                       uint64_t *mark)
{
    if (!table && w->node->kind == TSFS_NODE_TABLE)
        table = w->node;
    table = table ? tsfs_node_ref(table) : table_of(w, line);
    if (table) {
        *mark = ring_append(&table->rejected, line);
        table->table->lines_refused++;
    }
    return table;
}

/* Notes the waiting tail as refused, once. */
static void note_tail(struct tsfs_writer *w)
{
    if (w->tail.len == 0 || w->tail_noted)
        return;
    struct tsfs_error err = {0};
    tsfs_error_set_at(&err, -EINVAL, (uint32_t)(w->lines + 1), 0,
                      "the last line has no newline at its end and was not taken (it may have been cut)");
    node_report(w->node, "write", &err, tsfs_buf_str(&w->tail));
    w->tail_table = keep_rejected(w, NULL, tsfs_buf_str(&w->tail), &w->tail_mark);
    w->tail_noted = true;
    atomic_fetch_add(&w->node->engine->lines_refused, 1);
}

/* More of the line came after all. */
static void unnote_tail(struct tsfs_writer *w)
{
    if (!w->tail_noted)
        return;
    if (w->tail_table) {
        ring_retract(&w->tail_table->rejected, w->tail_mark);
        w->tail_table->table->lines_refused--;
        tsfs_node_unref(w->tail_table);
        w->tail_table = NULL;
    }
    atomic_fetch_sub(&w->node->engine->lines_refused, 1);
    w->tail_noted = false;
}

void tsfs_writer_close(struct tsfs_writer *w)
{
    if (!w)
        return;
    note_tail(w);
    release_targets(w);
    for (unsigned i = 0; i < w->targets_cap; i++) {
        tsfs_buf_free(&w->targets[i].raw);
        free(w->targets[i].staged);
        free(w->targets[i].ordinals);
        free(w->targets[i].decimals);
    }
    free(w->targets);
    for (unsigned i = 0; i < w->ntouched; i++)
        tsfs_node_unref(w->touched[i]);
    free(w->touched);
    free(w->point_target);
    free(w->cells);
    free(w->add);
    tsfs_buf_free(&w->key);
    tsfs_buf_free(&w->tail);
    tsfs_arena_free(&w->arena);
    tsfs_lp_batch_free(&w->batch);
    tsfs_node_unref(w->tail_table);
    tsfs_node_unref(w->node);
    pthread_mutex_destroy(&w->lock);
    free(w->groups);
    free(w);
}

int tsfs_writer_flush(struct tsfs_writer *w)
{
    pthread_mutex_lock(&w->lock);
    int rc = w->tail.len ? -EINVAL : 0;
    note_tail(w);
    pthread_mutex_unlock(&w->lock);
    return rc;
}

static int sync_touched(struct tsfs_writer *w)
{
    int rc = 0;
    for (unsigned i = 0; i < w->ntouched; i++) {
        int one = table_sync(w->touched[i]);
        if (rc == 0)
            rc = one;
    }
    return rc;
}

int tsfs_writer_sync(struct tsfs_writer *w)
{
    pthread_mutex_lock(&w->lock);
    int rc = sync_touched(w);
    pthread_mutex_unlock(&w->lock);
    return rc;
}

static int touch(struct tsfs_writer *w, struct tsfs_node *node)
{
    for (unsigned i = 0; i < w->ntouched; i++)
        if (w->touched[i] == node)
            return 0;
    if (w->ntouched == w->touched_cap) {
        unsigned cap = w->touched_cap ? w->touched_cap * 2 : 4;
        struct tsfs_node **grown = realloc(w->touched, cap * sizeof(*grown));
        if (!grown)
            return -ENOMEM;
        w->touched = grown;
        w->touched_cap = cap;
    }
    w->touched[w->ntouched++] = tsfs_node_ref(node);
    return 0;
}

/* ---- targets
 * -------------------------------------------------------------------------------------------------- */

static int add_target(struct tsfs_writer *w, struct tsfs_node *node, struct tsfs_str raw, uint32_t *out)
{
    if (w->ntargets == w->targets_cap) {
        unsigned cap = w->targets_cap ? w->targets_cap * 2 : 4;
        struct target *grown = realloc(w->targets, cap * sizeof(*grown));
        if (!grown)
            return -ENOMEM;
        memset(grown + w->targets_cap, 0, (cap - w->targets_cap) * sizeof(*grown));
        w->targets = grown;
        w->targets_cap = cap;
    }
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

/* Where ptr stands in the point's line: counted from 1 in bytes; 1 if it is not of the line (unescaped). */
static uint32_t column_of(const struct tsfs_writer *w, const struct tsfs_lp_point *point, const char *ptr)
{
    const char *start = w->input + point->offset;
    return ptr >= start && ptr < start + point->length ? (uint32_t)(ptr - start) + 1 : 1;
}

/* The table of a database writer's line. */
static int find_target(struct tsfs_writer *w, const struct tsfs_lp_point *point, uint32_t last, uint32_t *out,
                       struct tsfs_error *err)
{
    struct tsfs_str raw = raw_measurement(point->key), name;
    struct tsfs_node *node;
    struct tsfs_lp_tag *tags;
    unsigned ntags;
    if (raw.len == 0)
        return tsfs_error_set_at(
            err, -EINVAL, point->line, column_of(w, point, point->key.ptr),
            "the line has no measurement, which names the table when writing to a database");
    if (last < w->ntargets && tsfs_str_eq(raw, tsfs_buf_str(&w->targets[last].raw))) {
        *out = last;
        return 0;
    }
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
        err->column = column_of(w, point, point->key.ptr) + (err->column ? err->column - 1 : 0);
        err->line = point->line;
        return rc;
    }
    rc = add_target(w, node, raw, out);
    tsfs_node_unref(node);
    return rc;
}

static int by_node_id(const void *a, const void *b)
{
    uint64_t x = (*(struct target *const *)a)->node->id, y = (*(struct target *const *)b)->node->id;
    return (x > y) - (x < y);
}

static int64_t saturating_sub(int64_t a, int64_t b)
{
    int64_t r;
    return __builtin_sub_overflow(a, b, &r) ? (b > 0 ? INT64_MIN : INT64_MAX) : r;
}

static int64_t saturating_add(int64_t a, int64_t b)
{
    int64_t r;
    return __builtin_add_overflow(a, b, &r) ? (b > 0 ? INT64_MAX : INT64_MIN) : r;
}

/* Takes every target's write lock in the one order that cannot deadlock.  Two spellings of one table
 * share its lock: ordered holds each node once. */
static unsigned lock_targets(struct tsfs_writer *w, struct target **ordered)
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
        t->low =
            saturating_sub(saturating_sub(now, t->settings.memory_retention), t->settings.cold_retention);
        t->high = saturating_add(now, t->settings.future_limit);
        t->nstaged = 0;
        t->rows = 0;
        t->partition = NULL;
        t->generation = NULL;
        t->ordinals_schema = NULL;
    }
    return n;
}

/* ---- staging
 * ---------------------------------------------------------------------------------------------------- */

/* Logs and publishes what is staged; on failure nothing of it stays anywhere. */
static int commit(struct tsfs_writer *w, struct tsfs_error *err)
{
    int rc = 0;
    for (unsigned i = 0; i < w->ntargets && rc == 0; i++)
        for (unsigned j = 0; j < w->targets[i].nstaged && rc == 0; j++)
            rc = tsfs_hot_log(w->targets[i].staged[j]->hot, w->targets[i].staged[j]->wal, err);
    int64_t now = tsfs_time_monotonic();
    for (unsigned i = 0; i < w->ntargets; i++) {
        struct target *t = &w->targets[i];
        struct table *table = t->node->table;
        if (t->nstaged == 0)
            continue;
        if (rc == 0)
            pthread_mutex_lock(&table->lock);
        for (unsigned j = 0; j < t->nstaged; j++) {
            struct generation *g = t->staged[j];
            g->staged = false;
            if (rc == 0) {
                tsfs_hot_publish(g->hot);
            } else {
                int undone =
                    tsfs_hot_undo(g->hot, g->wal); /* a log that cannot is closed to writes by itself */
                (void)undone;
            }
        }
        if (rc == 0) {
            if (t->partition)
                t->partition->last_write = now;
            pthread_mutex_unlock(&table->lock);
            table->dirty = true;
            table->points_in += t->rows;
            atomic_fetch_add(&w->node->engine->rows_ingested, t->rows);
        }
        t->nstaged = 0;
        t->rows = 0;
    }
    return rc < 0 ? tsfs_error_set(err, rc, "cannot write the log: %s", strerror(-rc)) : 0;
}

/* The ordinal of field k of a line; TSFS_ORDINAL_NONE: no such column yet. */
static uint16_t field_ordinal(struct target *t, const struct tsfs_schema *schema, unsigned k,
                              struct tsfs_str name)
{
    if (k < t->nordinals && t->ordinals[k] < schema->ncols &&
        tsfs_str_eq(schema->cols[t->ordinals[k]].name, name))
        return t->ordinals[k];
    return tsfs_schema_find(schema, name);
}

static int role_error(uint32_t line, uint32_t column, struct tsfs_str name, enum tsfs_role has,
                      const char *as, struct tsfs_error *err)
{
    int shown = (int)(name.len < 128 ? name.len : 128);
    if (has == TSFS_ROLE_TIME || has == TSFS_ROLE_MEASURE_NAME)
        return tsfs_error_set_at(err, -EINVAL, line, column,
                                 "\"%.*s\" is a column of every table and cannot be a %s", shown, name.ptr,
                                 as);
    return tsfs_error_set_at(err, -EINVAL, line, column, "\"%.*s\" is a %s of this table and cannot be a %s",
                             shown, name.ptr,
                             has == TSFS_ROLE_DIMENSION ? "tag (dimension)" : "field (measure)", as);
}

/* A column that the line at hand brings. */
static int bring_column(struct tsfs_writer *w, unsigned *nadd, struct tsfs_column column)
{
    if (*nadd == w->add_cap) {
        unsigned cap = w->add_cap ? w->add_cap * 2 : 64;
        struct tsfs_column *grown = realloc(w->add, cap * sizeof(*grown));
        if (!grown)
            return -ENOMEM;
        w->add = grown;
        w->add_cap = cap;
    }
    w->add[(*nadd)++] = column;
    return 0;
}

/* Which of a line's fields are decimals. */
static int resolve_decimals(struct target *t, const struct tsfs_lp_point *point,
                            const struct tsfs_lp_field *fields)
{
    free(t->decimals);
    t->decimals = NULL;
    if (!t->settings.decimals[0])
        return 0;
    t->decimals = calloc(point->nfields + 1u, sizeof(*t->decimals));
    if (!t->decimals)
        return -ENOMEM;
    for (unsigned k = 0, digits; k < point->nfields; k++)
        if (tsfs_settings_scale(&t->settings, fields[k].name, &digits))
            t->decimals[k] = (uint8_t)(1 + digits);
    return 0;
}

/* Finds every field's column, or the columns that the line brings. */
static int resolve_fields(struct tsfs_writer *w, struct target *t, const struct tsfs_lp_point *point,
                          unsigned *nadd, struct tsfs_error *err)
{
    const struct tsfs_schema *schema = t->node->table->schema;
    const struct tsfs_lp_field *fields = w->batch.fields + point->first_field;
    if (t->ordinals_cap < point->nfields) {
        uint16_t *grown = realloc(t->ordinals, point->nfields * sizeof(*grown));
        if (!grown)
            return -ENOMEM;
        t->ordinals = grown;
        t->ordinals_cap = point->nfields;
    }
    bool known = t->ordinals_schema == schema && t->layout == point->layout;
    t->ordinals_schema = NULL; /* until the whole line is resolved */
    if (!known && (t->decimals || t->settings.decimals[0]) && resolve_decimals(t, point, fields) != 0)
        return -ENOMEM;
    for (unsigned k = 0; k < point->nfields; k++) {
        const struct tsfs_lp_field *f = &fields[k];
        uint16_t ordinal = known ? t->ordinals[k] : field_ordinal(t, schema, k, f->name);
        t->ordinals[k] = ordinal;
        if (!known && k >= t->nordinals)
            t->nordinals = k + 1;
        if (ordinal == TSFS_ORDINAL_NONE) {
            bool decimal = t->decimals && t->decimals[k] && f->type == TSFS_BIGINT;
            int rc = bring_column(w, nadd,
                                  (struct tsfs_column){.name = f->name,
                                                       .role = TSFS_ROLE_MEASURE,
                                                       .type = decimal ? TSFS_DOUBLE : f->type});
            if (rc < 0)
                return rc;
            continue;
        }
        const struct tsfs_column *c = &schema->cols[ordinal];
        if (c->role != TSFS_ROLE_MEASURE)
            return role_error(point->line, column_of(w, point, f->name.ptr), f->name, c->role, "field", err);
        if (c->type != f->type && !(c->type == TSFS_DOUBLE && f->type == TSFS_BIGINT))
            return tsfs_error_set_at(err, -EINVAL, point->line, column_of(w, point, f->name.ptr),
                                     "field \"%.*s\" is %s, but this table has it as %s",
                                     (int)(f->name.len < 128 ? f->name.len : 128), f->name.ptr,
                                     tsfs_type_name(f->type), tsfs_type_name(c->type));
    }
    t->nordinals = point->nfields;
    return 0;
}

/* The series of a spelling that was not met before: its key is split, new dimensions are columns it brings.
 */
static int resolve_key(struct tsfs_writer *w, struct target *t, const struct tsfs_lp_point *point,
                       struct tsfs_str key, struct tsfs_str *measurement, struct tsfs_lp_tag **tags,
                       unsigned *ntags, unsigned *nadd, struct tsfs_error *err)
{
    const struct tsfs_schema *schema = t->node->table->schema;
    tsfs_arena_reset(&w->arena);
    uint32_t at = column_of(w, point, point->key.ptr);
    int rc = tsfs_lp_parse_key(key, &w->arena, measurement, tags, ntags, err);
    if (rc < 0) {
        uint32_t before = (uint32_t)(key.len - point->key.len); /* a measurement put in front */
        err->line = point->line;
        err->column = at + (err->column > before ? err->column - before - 1 : 0);
        return rc;
    }
    for (unsigned i = 0; i < *ntags; i++) {
        struct tsfs_str name = (*tags)[i].key;
        uint16_t ordinal = tsfs_schema_find(schema, name);
        if (ordinal == TSFS_ORDINAL_NONE) {
            rc = bring_column(
                w, nadd,
                (struct tsfs_column){.name = name, .role = TSFS_ROLE_DIMENSION, .type = TSFS_VARCHAR});
            if (rc < 0)
                return rc;
        } else if (schema->cols[ordinal].role != TSFS_ROLE_DIMENSION) {
            return role_error(point->line, at, name, schema->cols[ordinal].role, "tag", err);
        }
    }
    return 0;
}

static int intern(struct tsfs_writer *w, struct target *t, struct tsfs_str measurement,
                  const struct tsfs_lp_tag *tags, unsigned ntags, struct tsfs_str key, uint64_t hash,
                  uint32_t *series)
{
    struct table *table = t->node->table;
    struct tsfs_dim_value *dims = tsfs_arena_alloc(&w->arena, (ntags + 1) * sizeof(*dims));
    if (!dims)
        return -ENOMEM;
    for (unsigned i = 0; i < ntags; i++) {
        uint16_t ordinal = tsfs_schema_find(table->schema, tags[i].key);
        dims[i] = (struct tsfs_dim_value){table->schema->cols[ordinal].slot, tags[i].value};
    }
    int rc = tsfs_series_index_intern(table->series, measurement, dims, ntags, series);
    if (rc == 0)
        rc = tsfs_series_index_add_spelling(table->series, key, hash, *series);
    return rc;
}

static int scaled_time(const struct target *t, const struct tsfs_lp_point *point, int64_t now, int64_t *out,
                       struct tsfs_error *err)
{
    if (!point->has_time)
        *out = now;
    else if (__builtin_mul_overflow(point->time, t->settings.precision, out))
        return tsfs_error_set_at(err, -ERANGE, point->line, 1,
                                 "timestamp %lld is out of range for the precision of this table",
                                 (long long)point->time);
    if (*out >= t->low && *out < t->high)
        return 0;
    char at[TSFS_TIME_TEXT_MAX], low[TSFS_TIME_TEXT_MAX], high[TSFS_TIME_TEXT_MAX];
    unsigned nat = tsfs_time_format(*out, at), nlow = tsfs_time_format(t->low, low),
             nhigh = tsfs_time_format(t->high, high);
    return tsfs_error_set_at(err, -ERANGE, point->line, 1,
                             "time %.*s is outside what this table takes: [%.*s, %.*s)", (int)nat, at,
                             (int)nlow, low, (int)nhigh, high);
}

static int note_staged(struct target *t, struct generation *g)
{
    if (g->staged)
        return 0;
    if (t->nstaged == t->staged_cap) {
        unsigned cap = t->staged_cap ? t->staged_cap * 2 : 8;
        struct generation **grown = realloc(t->staged, cap * sizeof(*grown));
        if (!grown)
            return -ENOMEM;
        t->staged = grown;
        t->staged_cap = cap;
    }
    t->staged[t->nstaged++] = g;
    g->staged = true;
    return 0;
}

/* Puts a row whose columns exist into the partition of its time. */
static int stage_row(struct tsfs_writer *w, struct target *t, uint32_t series, int64_t time, unsigned ncells,
                     struct tsfs_error *err)
{
    struct table *table = t->node->table;
    int rc = 0;
    if (!t->partition || time < t->partition->start || time >= t->partition->end) {
        int64_t now = tsfs_time_monotonic();
        rc = table_partition(t->node, time, t->settings.partition, &t->partition, err);
        if (rc == 0)
            t->partition->last_write = now;
        if (rc == 0)
            rc = partition_writable(t->node, t->partition, &t->generation, err);
        if (rc < 0) {
            t->partition = NULL;
            return rc;
        }
    }
    rc = note_staged(t, t->generation);
    if (rc == 0)
        rc = tsfs_hot_stage(t->generation->hot, table->schema, series, time, w->cells, ncells);
    if (rc == -E2BIG) { /* the log record is full */
        rc = commit(w, err);
        if (rc == 0)
            rc = note_staged(t, t->generation);
        if (rc == 0)
            rc = tsfs_hot_stage(t->generation->hot, table->schema, series, time, w->cells, ncells);
    }
    t->rows += rc == 0;
    return rc < 0 ? tsfs_error_set(err, rc, "cannot keep the row: %s", strerror(-rc)) : 0;
}

/* A value of a measure that is declared as a decimal; a zero loses its sign. */
static int check_decimal(struct tsfs_writer *w, const struct tsfs_lp_point *point,
                         const struct tsfs_lp_field *f, unsigned digits, double *value,
                         struct tsfs_error *err)
{
    int64_t exact;
    *value += 0.0;
    if (tsfs_decimal_exact(*value, tsfs_decimal_unit(digits), &exact))
        return 0;
    double most = 0x1p53 / tsfs_decimal_unit(digits);
    int shown = (int)(f->name.len < 128 ? f->name.len : 128);
    if (!(fabs(*value) < most))
        return tsfs_error_set_at(err, -EINVAL, point->line, column_of(w, point, f->name.ptr),
                                 "field \"%.*s\" is a decimal of %u digits here and must be less than %.17g",
                                 shown, f->name.ptr, digits, most);
    return tsfs_error_set_at(err, -EINVAL, point->line, column_of(w, point, f->name.ptr),
                             "field \"%.*s\" has more than the %u decimals that config declares", shown,
                             f->name.ptr, digits);
}

static int fill_cells(struct tsfs_writer *w, const struct target *t, const struct tsfs_lp_point *point,
                      struct tsfs_error *err)
{
    const struct tsfs_schema *schema = t->node->table->schema;
    const struct tsfs_lp_field *fields = w->batch.fields + point->first_field;
    if (w->cells_cap < point->nfields) {
        struct tsfs_cell *grown = realloc(w->cells, point->nfields * sizeof(*grown));
        if (!grown)
            return -ENOMEM;
        w->cells = grown;
        w->cells_cap = point->nfields;
    }
    for (unsigned k = 0; k < point->nfields; k++) {
        const struct tsfs_column *c = &schema->cols[t->ordinals[k]];
        struct tsfs_cell *cell = &w->cells[k];
        cell->slot = c->slot;
        cell->type = (uint8_t)c->type;
        switch (c->type) {
        case TSFS_BOOLEAN: cell->b = fields[k].b; break;
        case TSFS_DOUBLE: cell->d = fields[k].type == TSFS_BIGINT ? (double)fields[k].i : fields[k].d; break;
        case TSFS_VARCHAR: cell->s = fields[k].s; break;
        default: cell->i = fields[k].i; break;
        }
        if (t->decimals && t->decimals[k] && c->type == TSFS_DOUBLE) {
            int rc = check_decimal(w, point, &fields[k], t->decimals[k] - 1u, &cell->d, err);
            if (rc < 0)
                return rc;
        }
    }
    return 0;
}

/* One line, checked whole before anything of it is kept. */
static int stage_point(struct tsfs_writer *w, struct target *t, const struct tsfs_lp_point *point,
                       int64_t now, struct tsfs_error *err)
{
    struct table *table = t->node->table;
    struct tsfs_str key = point->key, measurement = {0};
    struct tsfs_lp_tag *tags = NULL;
    uint64_t hash = point->key_hash;
    unsigned ntags = 0, nadd = 0;
    int64_t time;
    int rc = scaled_time(t, point, now, &time, err);
    if (rc < 0)
        return rc;
    if (key.len == 0 || key.ptr[0] == ',') { /* the table's own name stands in front */
        w->key.len = 0;
        rc = tsfs_buf_append_str(&w->key, tsfs_str_from(t->name));
        if (rc == 0)
            rc = tsfs_buf_append_str(&w->key, key);
        if (rc < 0)
            return rc;
        key = tsfs_buf_str(&w->key);
        hash = tsfs_hash(key.ptr, key.len);
    }
    uint32_t series = tsfs_series_index_find_spelling(table->series, key, hash);
    if (series == TSFS_SERIES_NONE)
        rc = resolve_key(w, t, point, key, &measurement, &tags, &ntags, &nadd, err);
    if (rc == 0)
        rc = resolve_fields(w, t, point, &nadd, err);
    if (rc == 0 && nadd) {
        rc = table_extend(t->node, w->add, nadd, err);
        if (rc < 0 && err->line == 0) {
            err->line = point->line;
            err->column = 1;
            if (rc == -EEXIST)
                rc = err->code = -EINVAL;
        }
        for (unsigned k = 0; k < point->nfields && rc == 0; k++)
            t->ordinals[k] = field_ordinal(t, table->schema, k, w->batch.fields[point->first_field + k].name);
    }
    if (rc == 0 && series == TSFS_SERIES_NONE)
        rc = intern(w, t, measurement, tags, ntags, key, hash, &series);
    if (rc == 0)
        rc = fill_cells(w, t, point, err);
    if (rc == 0) {
        t->ordinals_schema = table->schema;
        t->layout = point->layout;
        rc = stage_row(w, t, series, time, point->nfields, err);
    }
    if (rc < 0 && err->code == 0)
        tsfs_error_set_at(err, rc, point->line, 1, "%s", strerror(-rc));
    return rc;
}

/* ---- a write
 * -------------------------------------------------------------------------------------------------------- */

static bool skips(struct tsfs_node *node)
{
    return node_settings(node).on_bad_line == TSFS_BAD_LINE_SKIP;
}

/* A refused line, for errors and rejected.  table: where it would have gone, or NULL. */
static void refuse(struct tsfs_writer *w, struct tsfs_node *table, struct tsfs_error *err,
                   struct tsfs_str line)
{
    err->line += (uint32_t)w->lines;
    while (line.len && (line.ptr[line.len - 1] == '\n' || line.ptr[line.len - 1] == '\r'))
        line.len--;
    node_report(w->node, "write", err, line);
    uint64_t mark;
    tsfs_node_unref(keep_rejected(w, table, line, &mark));
    atomic_fetch_add(&w->node->engine->lines_refused, 1);
}

static bool is_callers_fault(int rc)
{
    return rc == -EINVAL || rc == -E2BIG || rc == -ERANGE || rc == -ENAMETOOLONG;
}

/* Stages and commits the parsed points.  *done = points taken (or, skipping, dealt with).  A failure's point
 * is points[*done]; *failed_table is its table if known. */
static int take_points(struct tsfs_writer *w, const char *input, size_t *done,
                       struct tsfs_node **failed_table, struct tsfs_error *err)
{
    struct target *few[16], **ordered = few;
    int64_t now = tsfs_time_now();
    size_t n = w->batch.npoints, known = 0;
    uint32_t last = 0;
    int rc = 0, found = 0;
    *done = 0;
    *failed_table = NULL;
    w->input = input;
    release_targets(w);
    if (w->node->kind == TSFS_NODE_TABLE) {
        rc = add_target(w, w->node, (struct tsfs_str){"", 0}, &last);
        if (rc < 0)
            return rc;
        known = n;
    } else {
        if (!w->point_target)
            w->point_target = malloc(POINTS_AT_ONCE * sizeof(*w->point_target));
        if (!w->point_target)
            return -ENOMEM;
        bool skipping = skips(w->node);
        for (; known < n; known++) {
            struct tsfs_error why = {0};
            found = find_target(w, &w->batch.points[known], last, &w->point_target[known], &why);
            if (found == 0) {
                last = w->point_target[known];
            } else if (skipping && is_callers_fault(found)) {
                const struct tsfs_lp_point *p = &w->batch.points[known];
                refuse(w, NULL, &why, (struct tsfs_str){input + p->offset, p->length});
                w->point_target[known] = UINT32_MAX;
            } else {
                *err = why;
                break; /* the points before it are good */
            }
        }
    }
    if (w->ntargets > 16) {
        ordered = malloc(w->ntargets * sizeof(*ordered));
        if (!ordered)
            return -ENOMEM;
    }
    unsigned nlocks = lock_targets(w, ordered);
    size_t i = 0;
    for (; i < known && rc == 0; i++) {
        const struct tsfs_lp_point *p = &w->batch.points[i];
        uint32_t at = w->node->kind == TSFS_NODE_TABLE ? 0 : w->point_target[i];
        struct tsfs_error why = {0};
        if (at == UINT32_MAX)
            continue;
        struct target *t = &w->targets[at];
        rc = t->node->dead ? tsfs_error_set_at(&why, -ENOENT, p->line, 0, "the table has been removed")
                           : stage_point(w, t, p, now, &why);
        if (rc < 0 && is_callers_fault(rc) && t->settings.on_bad_line == TSFS_BAD_LINE_SKIP) {
            refuse(w, t->node, &why, (struct tsfs_str){input + p->offset, p->length});
            rc = 0;
        } else if (rc < 0) {
            *err = why;
            *failed_table = t->node;
            break;
        }
    }
    struct tsfs_error why = {0};
    int committed = commit(w, &why);
    for (unsigned k = nlocks; k-- > 0;)
        pthread_mutex_unlock(&ordered[k]->node->table->write_lock);
    if (ordered != few)
        free(ordered);
    bool sync = false;
    for (unsigned k = 0; k < w->ntargets; k++)
        sync = sync || w->targets[k].settings.sync_interval == 0;
    if (committed < 0) { /* none of them */
        *err = why;
        *failed_table = NULL;
        return committed;
    }
    *done = i;
    if (sync) {
        int synced = sync_touched(w);
        if (synced < 0 && rc == 0)
            return tsfs_error_set(err, synced, "cannot write the log to disk: %s", strerror(-synced));
    }
    return rc < 0 ? rc : found < 0 && known < n ? found : 0;
}

struct failure {
    int code;
    struct tsfs_error err;
    struct tsfs_str line;
    struct tsfs_node *table; /* borrowed from targets; NULL unknown */
    size_t lines;            /* line ends in it */
};

/* Takes lines from input; returns how many bytes were dealt with, up to the end, an unfinished line or a
 * failure. */
static size_t take_lines(struct tsfs_writer *w, const char *input, size_t len, struct failure *failure)
{
    size_t pos = 0;
    while (pos < len) {
        size_t consumed, done;
        struct tsfs_error why = {0}, point_why = {0};
        int parsed = tsfs_lp_parse(&w->batch, input + pos, len - pos, POINTS_AT_ONCE, false, &consumed, &why);
        struct tsfs_lp_batch *b = &w->batch;
        int rc = b->npoints ? take_points(w, input + pos, &done, &failure->table, &point_why) : 0;
        if (rc < 0) {
            failure->code = rc;
            failure->err = point_why;
            size_t at = done < b->npoints ? b->points[done].offset : 0;
            size_t length = done < b->npoints ? b->points[done].length : 0;
            failure->line = (struct tsfs_str){input + pos + at, length};
            if (done < b->npoints && b->points[done].line) { /* count only what was taken */
                uint32_t before = b->points[done].line - 1;
                w->lines += before;
                if (failure->err.line)
                    failure->err.line -= before;
            }
            failure->lines = 1;
            for (size_t k = 0; k < length; k++) /* line breaks in strings */
                failure->lines += input[pos + at + k] == '\n';
            return pos + at;
        }
        pos += consumed;
        w->lines += b->lines;
        if (parsed == 0) {
            if (consumed == 0)
                break;
            continue;
        }
        if (why.line > b->lines)
            why.line -= (uint32_t)b->lines; /* from here on lines count from the bad one */
        struct tsfs_str line = {input + pos, b->bad_length};
        if (parsed == -ENOMEM || !skips(w->node)) {
            *failure = (struct failure){parsed, why, line, NULL, b->bad_lines};
            if (parsed == -ENOMEM)
                failure->line.len = 0;
            return pos;
        }
        refuse(w, w->node->kind == TSFS_NODE_TABLE ? w->node : NULL, &why, line);
        pos += b->bad_length;
        w->lines += b->bad_lines;
        w->discard = b->bad_unfinished;
    }
    return pos;
}

ssize_t tsfs_writer_write(struct tsfs_writer *w, const char *data, size_t len)
{
    struct failure failure = {0};
    struct tsfs_error err = {0};
    size_t skipped = 0;
    ssize_t result;
    if (w->node->dead)
        return -ENOENT;
    int rc = engine_wait_memory(w->node->engine, &err);
    if (rc < 0) {
        node_report(w->node, "write", &err, (struct tsfs_str){NULL, 0});
        return rc;
    }
    pthread_mutex_lock(&w->lock);
    unnote_tail(w);
    if (w->discard) {
        const char *end = memchr(data, '\n', len);
        skipped = end ? (size_t)(end - data) + 1 : len;
        w->discard = end == NULL;
        w->lines += end != NULL;
    }
    size_t prior = w->tail.len;
    const char *input = data + skipped;
    size_t input_len = len - skipped;
    if (prior + input_len <= TSFS_LINE_MAX && !memchr(input, '\n', input_len)) { /* no line ends here */
        rc = tsfs_buf_append(&w->tail, input, input_len);
        result = rc < 0 ? rc : (ssize_t)len;
        goto out;
    }
    if (prior) {
        rc = tsfs_buf_append(&w->tail, input, input_len);
        if (rc < 0) {
            result = rc;
            goto out;
        }
        input = w->tail.data;
        input_len = w->tail.len;
    }
    size_t taken = take_lines(w, input, input_len, &failure);
    atomic_fetch_add(&w->node->engine->bytes_ingested, taken);
    if (failure.code) {
        if (skipped + taken > prior) {
            result =
                (ssize_t)(skipped + taken - prior); /* the next write(2) starts with the bad line and fails */
        } else {
            if (is_callers_fault(failure.code)) {
                refuse(w, failure.table, &failure.err, failure.line);
                w->lines += failure.lines;
            } else {
                node_report(w->node, "write", &failure.err, (struct tsfs_str){NULL, 0});
            }
            result = failure.code;
        }
        w->tail.len = 0;
        goto out;
    }
    size_t rest = input_len - taken;
    result = (ssize_t)len;
    if (prior) {
        memmove(w->tail.data, w->tail.data + taken, rest);
        w->tail.len = rest;
    } else if (rest) {
        rc = tsfs_buf_append(&w->tail, input + taken, rest);
        if (rc < 0)
            result = rc;
    }
out:
    release_targets(w);
    pthread_mutex_unlock(&w->lock);
    return result;
}
