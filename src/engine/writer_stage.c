/* Parsed points to rows: each line is checked whole, staged under its table's write lock, logged with the
 * others that were parsed with it, and published. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/decimal.h"
#include "base/hash.h"
#include "base/time.h"
#include "engine/writer_priv.h"

#define NEAR_ORDINALS 3u /* tried before a search by name */

/* Logs and publishes what is staged, the points before w->at; on failure nothing of it stays anywhere, and
 * w->at goes back to where it began. */
static int commit(struct tsfs_writer *w, struct tsfs_error *err)
{
    int rc = 0;
    for (unsigned i = 0; i < w->ntargets && rc == 0; i++)
        rc = generations_log(w->targets[i].staged, w->targets[i].nstaged, err);
    int64_t now = tsfs_time_monotonic();
    for (unsigned i = 0; i < w->ntargets; i++) {
        struct target *t = &w->targets[i];
        struct table *table = t->node->table;
        if (t->nstaged == 0)
            continue;
        if (rc == 0) {
            table_publish(table, t->staged, t->nstaged);
            if (t->partition)
                t->partition->last_write = now;
            table->points_in += t->rows;
            atomic_fetch_add(&w->node->engine->rows_ingested, t->rows);
        } else {
            generations_undo(t->staged, t->nstaged);
        }
        t->nstaged = 0;
        t->rows = 0;
    }
    if (rc == 0)
        w->kept = w->at;
    else
        w->at = w->kept;
    return rc < 0 ? tsfs_error_set(err, rc, "cannot write the log: %s", strerror(-rc)) : 0;
}

/* The ordinal of field k of a line; TSFS_ORDINAL_NONE: no such column yet. */
static uint16_t field_ordinal(struct target *t, const struct tsfs_schema *schema, unsigned k,
                              struct tsfs_str name)
{
    if (k < t->nordinals && t->ordinals[k] < schema->ncols &&
        tsfs_str_eq(schema->cols[t->ordinals[k]].name, name))
        return t->ordinals[k];
    /* Columns come in the order in which lines brought them: where a field is missing, the next one is near.
     */
    for (unsigned near = k ? t->ordinals[k - 1] + 1u : 0, end = near + NEAR_ORDINALS;
         near && near < end && near < schema->ncols; near++)
        if (tsfs_str_eq(schema->cols[near].name, name))
            return (uint16_t)near;
    return tsfs_schema_find(schema, name);
}

int writer_role_error(uint32_t line, uint32_t column, struct tsfs_str name, enum tsfs_role has,
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
    if (TSFS_ARRAY_RESERVE(t->ordinals, t->ordinals_cap, point->nfields, 0) != 0)
        return -ENOMEM;
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
            int rc = writer_bring_column(w, nadd,
                                         (struct tsfs_column){.name = f->name,
                                                              .role = TSFS_ROLE_MEASURE,
                                                              .type = decimal ? TSFS_DOUBLE : f->type});
            if (rc < 0)
                return rc;
            continue;
        }
        const struct tsfs_column *c = &schema->cols[ordinal];
        if (c->role != TSFS_ROLE_MEASURE)
            return writer_role_error(point->line, writer_column(w, point, f->name.ptr), f->name, c->role,
                                     "field", err);
        if (c->type != f->type && !(c->type == TSFS_DOUBLE && f->type == TSFS_BIGINT))
            return tsfs_error_set_at(err, -EINVAL, point->line, writer_column(w, point, f->name.ptr),
                                     "field \"%.*s\" is %s, but this table has it as %s",
                                     (int)(f->name.len < 128 ? f->name.len : 128), f->name.ptr,
                                     tsfs_type_name(f->type), tsfs_type_name(c->type));
    }
    t->nordinals = point->nfields;
    return 0;
}

static int scaled_time(const struct target *t, const struct tsfs_lp_point *point, int64_t now, int64_t *out,
                       struct tsfs_error *err)
{
    if (!writer_time(point, t->settings.precision, now, out))
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
    if (TSFS_ARRAY_ROOM(t->staged, t->nstaged, t->staged_cap, 8) != 0)
        return -ENOMEM;
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
        rc = table_partition(t->node, time, &t->partition, err);
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
        return tsfs_error_set_at(err, -EINVAL, point->line, writer_column(w, point, f->name.ptr),
                                 "field \"%.*s\" is a decimal of %u digits here and must be less than %.17g",
                                 shown, f->name.ptr, digits, most);
    return tsfs_error_set_at(err, -EINVAL, point->line, writer_column(w, point, f->name.ptr),
                             "field \"%.*s\" has more than the %u decimals that config declares", shown,
                             f->name.ptr, digits);
}

static int fill_cells(struct tsfs_writer *w, const struct target *t, const struct tsfs_lp_point *point,
                      struct tsfs_error *err)
{
    const struct tsfs_schema *schema = t->node->table->schema;
    const struct tsfs_lp_field *fields = w->batch.fields + point->first_field;
    w->cells_of = NULL;
    if (TSFS_ARRAY_RESERVE(w->cells, w->cells_cap, point->nfields, 0) != 0)
        return -ENOMEM;
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
    w->cells_of = t;
    return 0;
}

/* A line of the same layout as the line before, which went to the same table: its columns are resolved and
 * stand in the cells already.  False: a value is of another type, or has to be looked at, or it is not so. */
static bool refill_cells(struct tsfs_writer *w, const struct target *t, const struct tsfs_lp_point *point)
{
    const struct tsfs_lp_field *fields = w->batch.fields + point->first_field;
    if (w->cells_of != t || t->layout != point->layout || t->decimals ||
        t->ordinals_schema != t->node->table->schema)
        return false;
    for (unsigned k = 0; k < point->nfields; k++) {
        struct tsfs_cell *cell = &w->cells[k];
        if (cell->type != fields[k].type)
            return false;
        if (cell->type == TSFS_VARCHAR)
            cell->s = fields[k].s;
        else if (cell->type == TSFS_BOOLEAN)
            cell->b = fields[k].b;
        else
            cell->i = fields[k].i; /* or the bits of a double */
    }
    return true;
}

/* One line, checked whole before anything of it is kept. */
static int stage_point(struct tsfs_writer *w, struct target *t, const struct tsfs_lp_point *point,
                       uint32_t series, int64_t now, struct tsfs_error *err)
{
    struct table *table = t->node->table;
    struct writer_new_key key = {.raw = point->key, .hash = point->key_hash};
    unsigned nadd = 0;
    int64_t time;
    int rc = scaled_time(t, point, now, &time, err);
    if (rc < 0)
        return rc;
    struct tsfs_series_index *index = t->partition && time >= t->partition->start && time < t->partition->end
                                          ? tsfs_hot_series(t->generation->hot)
                                          : table_series_at(table, time);
    if (index != t->series)
        series = TSFS_SERIES_NONE;
    if (series == TSFS_SERIES_NONE &&
        (key.raw.len == 0 || key.raw.ptr[0] == ',')) { /* the table's own name stands in front */
        w->key.len = 0;
        rc = tsfs_buf_append_str(&w->key, tsfs_str_from(t->name));
        if (rc == 0)
            rc = tsfs_buf_append_str(&w->key, key.raw);
        if (rc < 0)
            return rc;
        key.raw = tsfs_buf_str(&w->key);
        key.hash = tsfs_hash(key.raw.ptr, key.raw.len);
    }
    if (series == TSFS_SERIES_NONE)
        series = tsfs_series_index_find_spelling(index, key.raw, key.hash);
    if (series == TSFS_SERIES_NONE)
        rc = writer_resolve_key(w, t, point, &key, &nadd, err);
    bool filled = rc == 0 && !nadd && refill_cells(w, t, point);
    if (rc == 0 && !filled)
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
        rc = writer_intern_key(w, t, point, index, &key, &series);
    if (rc == 0 && !filled)
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

/* Looks the points' series up while other writers are staging: the index needs no lock to be read. */
static void find_series(struct tsfs_writer *w, size_t known)
{
    for (unsigned i = 0; i < w->ntargets; i++) {
        struct table *table = w->targets[i].node->table;
        pthread_mutex_lock(&table->lock);
        w->targets[i].series = tsfs_series_index_ref(table->series);
        pthread_mutex_unlock(&table->lock);
        tsfs_series_index_enter(w->targets[i].series); /* not once a stretch: lines may take turns */
    }
    for (size_t from = 0, to; from < known; from = to) { /* stretches of one table */
        uint32_t at = w->point_target[from], n = 0;
        for (to = from; to < known && w->point_target[to] == at; to++) {
            const struct tsfs_lp_point *p = &w->batch.points[to];
            w->point_series[to] = TSFS_SERIES_NONE;
            if (p->key.len == 0 || p->key.ptr[0] == ',' ||
                (p->same_key != TSFS_LP_NONE && w->point_target[p->same_key] == at))
                continue;
            w->point_key[n] = (struct tsfs_spelling){p->key, p->key_hash};
            w->looked_up[n++] = (uint32_t)to;
        }
        if (at == UINT32_MAX)
            continue;
        tsfs_series_index_find_spellings(w->targets[at].series, w->point_key, n, w->found);
        for (uint32_t k = 0; k < n; k++)
            w->point_series[w->looked_up[k]] = w->found[k];
        for (size_t k = from; k < to; k++) {
            uint32_t same = w->batch.points[k].same_key;
            if (same != TSFS_LP_NONE && w->point_target[same] == at)
                w->point_series[k] = w->point_series[same];
        }
    }
    for (unsigned i = 0; i < w->ntargets; i++)
        tsfs_series_index_leave(w->targets[i].series);
}

int writer_take_points(struct tsfs_writer *w, const char *input, size_t *done,
                       struct tsfs_node **failed_table, struct tsfs_error *err)
{
    struct target *few[16], **ordered = few;
    int64_t now = tsfs_time_now();
    size_t known = 0;
    int rc, found = 0;
    *done = w->at = w->kept = 0;
    *failed_table = NULL;
    w->input = input;
    writer_release_targets(w);
    if (!w->point_target)
        w->point_target = malloc(WRITER_POINTS * sizeof(*w->point_target));
    if (!w->point_series)
        w->point_series = malloc(WRITER_POINTS * sizeof(*w->point_series));
    if (!w->point_key)
        w->point_key = malloc(WRITER_POINTS * sizeof(*w->point_key));
    if (!w->looked_up)
        w->looked_up = malloc(WRITER_POINTS * sizeof(*w->looked_up));
    if (!w->found)
        w->found = malloc(WRITER_POINTS * sizeof(*w->found));
    if (!w->point_target || !w->point_series || !w->point_key || !w->looked_up || !w->found)
        return -ENOMEM;
    rc = writer_find_targets(w, &known, &found, err);
    if (rc == 0)
        rc = writer_fix_partitions(w, known, err);
    if (rc < 0)
        return rc;
    find_series(w, known);
    if (w->ntargets > 16) {
        ordered = malloc(w->ntargets * sizeof(*ordered));
        if (!ordered)
            return -ENOMEM;
    }
    unsigned nlocks = writer_lock_targets(w, ordered);
    writer_keys_reset(w);
    struct tsfs_error why;
    for (; w->at < known && rc == 0; w->at++) {
        size_t i = w->at;
        const struct tsfs_lp_point *p = &w->batch.points[i];
        uint32_t at = w->point_target[i];
        if (at == UINT32_MAX)
            continue;
        writer_no_error(&why);
        struct target *t = &w->targets[at];
        if (t->generation && tsfs_hot_series(t->generation->hot) == t->series)
            tsfs_hot_prefetch(t->generation->hot, w->point_series + i, known - i);
        writer_key_ahead(w, t, known);
        rc = t->node->dead ? tsfs_error_set_at(&why, -ENOENT, p->line, 0, "the table has been removed")
                           : stage_point(w, t, p, w->point_series[i], now, &why);
        if (rc < 0 && writer_callers_fault(rc) && t->settings.on_bad_line == TSFS_BAD_LINE_SKIP) {
            writer_refuse(w, t->node, &why, (struct tsfs_str){input + p->offset, p->length});
            rc = 0;
        } else if (rc < 0) {
            *err = why;
            *failed_table = t->node;
            break;
        }
    }
    writer_no_error(&why);
    int committed = commit(w, &why);
    for (unsigned k = nlocks; k-- > 0;)
        pthread_mutex_unlock(&ordered[k]->node->table->write_lock);
    if (ordered != few)
        free(ordered);
    bool sync = false;
    for (unsigned k = 0; k < w->ntargets; k++)
        sync = sync || w->targets[k].settings.sync_interval == 0;
    *done = w->at;
    if (committed < 0) {
        *err = why;
        *failed_table = NULL;
        return committed;
    }
    if (sync) {
        int synced = writer_sync_touched(w);
        if (synced < 0) { /* no line's fault, and none counts as taken */
            *done = w->batch.npoints;
            *failed_table = NULL;
            writer_no_error(err);
            return tsfs_error_set(err, synced, "cannot write the log to disk: %s", strerror(-synced));
        }
    }
    return rc < 0 ? rc : found;
}
