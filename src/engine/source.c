/* A table as a source of rows for queries: one snapshot, cut into units.
 *
 * The snapshot is taken when the scan is opened, under the table's lock: the partitions' segments and
 * generations are counted references, the hot rows a tsfs_hot_snap each.  Whatever is written, migrated or
 * dropped afterwards, the scan goes on over what it holds.  A plan with several scans of a table freezes the
 * source first: references to everything and the counts of published rows, of which each scan takes its
 * part. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "engine/engine_priv.h"

/* A partition with many rows is cut into parts, so that every core has work. */
enum { ROWS_PER_PART = 128 * 1024, PARTS_MOST = 64, ASKED_PARTS_MOST = 1024 };

/* A part of a segment costs more to open than one of hot rows. */
enum { ROWS_PER_SEGMENT_PART = 64 * 1024 };

/* A partition as it was at the instant of freezing; all of it is counted or owned. */
struct frozen {
    int64_t start, end;
    struct tsfs_segment *segment; /* NULL = none */
    struct tsfs_tombstone **deletes;
    struct generation **generations;
    struct tsfs_hot_instant **instants;
    unsigned ndeletes, ngenerations;
    char *broken; /* why it cannot be read, NULL = it can */
};

struct source {
    struct tsfs_source base;
    struct tsfs_node *node;    /* counted */
    struct frozen *partitions; /* what all scans see; NULL = what is there when each is opened */
    unsigned npartitions;
};

struct scanned {
    struct tsfs_partition_view view;
    struct generation **generations; /* counted, behind view.hots */
    uint32_t *numbers;               /* theirs */
    unsigned nparts, first_unit;
    uint64_t rows; /* an upper bound; of a scan for the ends of series: of these */
    int64_t start, end;
};

struct scan {
    struct tsfs_scan base;
    const struct tsfs_scan_spec *spec;
    struct tsfs_scan_spec whole; /* spec without ends: where rows are deleted, the next ones matter */
    struct tsfs_schema *schema;  /* counted */
    struct scanned *partitions;
    unsigned npartitions;
    uint32_t *unit_partition; /* of each unit */
};

static void release_partition(struct scanned *s)
{
    for (unsigned i = 0; i < s->view.nhots; i++) {
        tsfs_hot_snap_free(s->view.snaps[i]);
        generation_unref(s->generations[i]);
    }
    for (unsigned i = 0; i < s->view.ndeletes; i++)
        tsfs_tombstone_unref(s->view.deletes[i]);
    free(s->view.deletes);
    free(s->numbers);
    free(s->view.snaps);
    free(s->view.hots);
    free(s->generations);
    if (s->view.nsegments)
        tsfs_segment_unref(s->view.segments[0]);
}

static void scan_close(struct tsfs_scan *base)
{
    struct scan *scan = (struct scan *)base;
    for (unsigned i = 0; i < scan->npartitions; i++)
        release_partition(&scan->partitions[i]);
    free(scan->partitions);
    free(scan->unit_partition);
    free(scan->base.units);
    tsfs_schema_unref(scan->schema);
    free(scan);
}

static int scan_open_unit(struct tsfs_scan *base, uint32_t unit, struct tsfs_cursor **out,
                          struct tsfs_error *err)
{
    struct scan *scan = (struct scan *)base;
    struct scanned *s = &scan->partitions[scan->unit_partition[unit]];
    return tsfs_cold_cursor(&s->view, scan->spec, unit - s->first_unit, s->nparts, false, out, err);
}

static const struct tsfs_scan_ops scan_ops = {scan_open_unit, scan_close};

/* References to what partition p holds.  Under the table's lock. */
static int hold(struct scan *scan, struct partition *p, struct scanned *s)
{
    unsigned most = p->nsealed + 1;
    s->start = p->start;
    s->end = p->end;
    s->view.schema = scan->schema;
    s->view.hots = calloc(most, sizeof(*s->view.hots));
    s->view.snaps = calloc(most, sizeof(*s->view.snaps));
    s->generations = calloc(most, sizeof(*s->generations));
    s->view.generations = s->numbers = calloc(most, sizeof(*s->numbers));
    s->view.deletes = calloc(p->ndeletes + 1, sizeof(*s->view.deletes));
    if (!s->view.hots || !s->view.snaps || !s->generations || !s->numbers || !s->view.deletes)
        return -ENOMEM;
    for (unsigned i = 0; i < p->ndeletes; i++)
        s->view.deletes[s->view.ndeletes++] = tsfs_tombstone_ref(p->deletes[i]);
    if (p->segment) {
        s->view.segments[0] = tsfs_segment_ref(p->segment);
        s->view.nsegments = 1;
        p->last_read = tsfs_time_monotonic();
    }
    for (unsigned i = 0; i <= p->nsealed; i++) {
        struct generation *g = i < p->nsealed ? p->sealed[i] : p->active;
        unsigned at = s->view.nhots;
        if (!g)
            continue;
        int rc = tsfs_hot_snapshot(g->hot, scan->schema, p->ndeletes ? &scan->whole : scan->spec,
                                   &s->view.snaps[at]);
        if (rc < 0)
            return rc;
        s->view.hots[at] = g->hot;
        s->numbers[at] = g->number;
        s->generations[at] = generation_ref(g);
        s->view.nhots++;
    }
    return 0;
}

static int hold_frozen(struct scan *scan, const struct frozen *p, struct scanned *s)
{
    s->start = p->start;
    s->end = p->end;
    s->view.schema = scan->schema;
    s->view.hots = calloc(p->ngenerations + 1, sizeof(*s->view.hots));
    s->view.snaps = calloc(p->ngenerations + 1, sizeof(*s->view.snaps));
    s->generations = calloc(p->ngenerations + 1, sizeof(*s->generations));
    s->view.generations = s->numbers = calloc(p->ngenerations + 1, sizeof(*s->numbers));
    s->view.deletes = calloc(p->ndeletes + 1, sizeof(*s->view.deletes));
    if (!s->view.hots || !s->view.snaps || !s->generations || !s->numbers || !s->view.deletes)
        return -ENOMEM;
    for (unsigned i = 0; i < p->ndeletes; i++)
        s->view.deletes[s->view.ndeletes++] = tsfs_tombstone_ref(p->deletes[i]);
    if (p->segment) {
        s->view.segments[0] = tsfs_segment_ref(p->segment);
        s->view.nsegments = 1;
    }
    for (unsigned i = 0; i < p->ngenerations; i++) {
        struct generation *g = p->generations[i];
        int rc = tsfs_hot_snapshot_at(g->hot, p->instants[i], scan->schema,
                                      p->ndeletes ? &scan->whole : scan->spec, &s->view.snaps[i]);
        if (rc < 0)
            return rc;
        s->view.hots[i] = g->hot;
        s->numbers[i] = g->number;
        s->generations[i] = generation_ref(g);
        s->view.nhots++;
    }
    return 0;
}

static int use_frozen(struct scan *scan, const struct source *source, struct tsfs_error *err)
{
    const struct tsfs_scan_spec *spec = scan->spec;
    scan->base.partitions_total = source->npartitions;
    scan->partitions = calloc(source->npartitions + 1, sizeof(*scan->partitions));
    int rc = scan->partitions ? 0 : -ENOMEM;
    for (unsigned i = 0; i < source->npartitions && rc == 0; i++) {
        const struct frozen *p = &source->partitions[spec->newest_first ? source->npartitions - 1 - i : i];
        if (p->start > spec->time_max || p->end - 1 < spec->time_min) {
            scan->base.partitions_pruned++;
            continue;
        }
        if (p->broken) {
            char folder[TSFS_PARTITION_NAME_MAX];
            tsfs_partition_folder(p->start, folder);
            return tsfs_error_set(err, -EIO, "partition %s cannot be read: %s", folder, p->broken);
        }
        rc = hold_frozen(scan, p, &scan->partitions[scan->npartitions++]);
    }
    return rc;
}

static int freeze_partition(struct partition *p, struct frozen *f)
{
    const char *broken = p->broken ? p->broken : p->bad_delete;
    f->start = p->start;
    f->end = p->end;
    f->deletes = calloc(p->ndeletes + 1, sizeof(*f->deletes));
    f->generations = calloc(p->nsealed + 1, sizeof(*f->generations));
    f->instants = calloc(p->nsealed + 1, sizeof(*f->instants));
    if (!f->deletes || !f->generations || !f->instants)
        return -ENOMEM;
    if (broken)
        return (f->broken = strdup(broken)) ? 0 : -ENOMEM;
    for (unsigned i = 0; i < p->ndeletes; i++)
        f->deletes[f->ndeletes++] = tsfs_tombstone_ref(p->deletes[i]);
    if (p->segment) {
        f->segment = tsfs_segment_ref(p->segment);
        p->last_read = tsfs_time_monotonic();
    }
    for (unsigned i = 0; i <= p->nsealed; i++) {
        struct generation *g = i < p->nsealed ? p->sealed[i] : p->active;
        if (!g)
            continue;
        int rc = tsfs_hot_instant_take(g->hot, &f->instants[f->ngenerations]);
        if (rc < 0)
            return rc;
        f->generations[f->ngenerations++] = generation_ref(g);
    }
    return 0;
}

static void thaw(struct source *source)
{
    for (unsigned i = 0; i < source->npartitions; i++) {
        struct frozen *f = &source->partitions[i];
        for (unsigned k = 0; k < f->ndeletes; k++)
            tsfs_tombstone_unref(f->deletes[k]);
        for (unsigned k = 0; k < f->ngenerations; k++) {
            tsfs_hot_instant_free(f->instants[k]);
            generation_unref(f->generations[k]);
        }
        if (f->segment)
            tsfs_segment_unref(f->segment);
        free(f->deletes);
        free(f->generations);
        free(f->instants);
        free(f->broken);
    }
    free(source->partitions);
    source->partitions = NULL;
    source->npartitions = 0;
}

static int source_freeze(struct tsfs_source *base, struct tsfs_error *err)
{
    struct source *source = (struct source *)base;
    struct table *t = source->node->table;
    int rc = 0;
    if (source->partitions)
        return 0;
    pthread_mutex_lock(&t->lock);
    source->partitions = calloc(t->npartitions + 1, sizeof(*source->partitions));
    if (!source->partitions)
        rc = -ENOMEM;
    for (unsigned i = 0; i < t->npartitions && rc == 0; i++)
        rc = freeze_partition(t->partitions[i], &source->partitions[source->npartitions++]);
    pthread_mutex_unlock(&t->lock);
    if (rc < 0)
        thaw(source);
    return rc < 0 ? tsfs_error_set(err, rc, "out of memory for the snapshot") : 0;
}

static int take_snapshot(struct scan *scan, struct tsfs_node *node, struct tsfs_error *err)
{
    struct table *t = node->table;
    const struct tsfs_scan_spec *spec = scan->spec;
    int rc = 0;
    pthread_mutex_lock(&t->lock);
    scan->base.partitions_total = t->npartitions;
    scan->partitions = calloc(t->npartitions + 1, sizeof(*scan->partitions));
    if (!scan->partitions)
        rc = -ENOMEM;
    for (unsigned i = 0; i < t->npartitions && rc == 0; i++) {
        struct partition *p = t->partitions[spec->newest_first ? t->npartitions - 1 - i : i];
        if (p->start > spec->time_max || p->end - 1 < spec->time_min) {
            scan->base.partitions_pruned++;
            continue;
        }
        if (p->broken || p->bad_delete) {
            char folder[TSFS_PARTITION_NAME_MAX];
            tsfs_partition_folder(p->start, folder);
            rc = tsfs_error_set(err, -EIO, "partition %s cannot be read: %s", folder,
                                p->broken ? p->broken : p->bad_delete);
            break;
        }
        rc = hold(scan, p, &scan->partitions[scan->npartitions++]);
    }
    pthread_mutex_unlock(&t->lock);
    return rc;
}

static uint64_t estimate(const struct scan *scan, const struct tsfs_partition_view *view)
{
    uint64_t rows = tsfs_cold_estimate(view, scan->spec), series = 0;
    if (!scan->spec->ends || rows == 0)
        return rows;
    for (unsigned i = 0; i < view->nsegments; i++) {
        struct tsfs_segment_facts facts;
        tsfs_segment_facts(view->segments[i], &facts);
        series += facts.series ? facts.series : facts.rows;
    }
    for (unsigned i = 0; i < view->nhots; i++)
        series += tsfs_hot_snap_count(view->snaps[i]);
    return series < rows ? series : rows;
}

static unsigned parts_of(const struct scan *scan, const struct scanned *s)
{
    uint64_t each = scan->spec->unit_rows ? scan->spec->unit_rows : ROWS_PER_PART;
    uint64_t most = scan->spec->unit_rows ? ASKED_PARTS_MOST : PARTS_MOST;
    if (s->view.nsegments && each < ROWS_PER_SEGMENT_PART)
        each = ROWS_PER_SEGMENT_PART;
    uint64_t parts = s->rows / each + 1;
    return (unsigned)(parts < most ? parts : most);
}

/* Drops partitions that cannot match and cuts the rest into units. */
static int make_units(struct scan *scan)
{
    unsigned kept = 0, units = 0;
    for (unsigned i = 0; i < scan->npartitions; i++) {
        struct scanned s = scan->partitions[i];
        if (s.view.nsegments && !tsfs_segment_may_match_in(s.view.segments[0], scan->schema, scan->spec)) {
            tsfs_segment_unref(s.view.segments[0]);
            s.view.nsegments = 0;
        }
        s.rows = estimate(scan, &s.view);
        if (s.rows == 0) {
            release_partition(&s);
            scan->base.partitions_pruned++;
            continue;
        }
        s.nparts = parts_of(scan, &s);
        s.first_unit = units;
        units += s.nparts;
        scan->partitions[kept++] = s;
    }
    scan->npartitions = kept;
    scan->base.units = calloc(units + 1, sizeof(*scan->base.units));
    scan->unit_partition = calloc(units + 1, sizeof(*scan->unit_partition));
    if (!scan->base.units || !scan->unit_partition)
        return -ENOMEM;
    for (unsigned i = 0; i < kept; i++) {
        struct scanned *s = &scan->partitions[i];
        uint64_t rows = s->rows / s->nparts + 1;
        int64_t last = s->end == INT64_MAX ? INT64_MAX : s->end - 1;
        for (unsigned j = 0; j < s->nparts; j++) {
            struct tsfs_scan_unit *u = &scan->base.units[s->first_unit + j];
            u->time_min = s->start > scan->spec->time_min ? s->start : scan->spec->time_min;
            u->time_max = last < scan->spec->time_max ? last : scan->spec->time_max;
            u->rows_estimate = rows;
            scan->unit_partition[s->first_unit + j] = i;
        }
    }
    scan->base.n_units = units;
    return 0;
}

static int source_scan(struct tsfs_source *base, const struct tsfs_scan_spec *spec, struct tsfs_scan **out,
                       struct tsfs_error *err)
{
    struct source *source = (struct source *)base;
    struct scan *scan = calloc(1, sizeof(*scan));
    if (!scan)
        return -ENOMEM;
    scan->base.ops = &scan_ops;
    scan->spec = spec;
    scan->whole = *spec;
    scan->whole.ends = 0;
    scan->schema = tsfs_schema_ref(base->schema);
    int rc = source->partitions ? use_frozen(scan, source, err) : take_snapshot(scan, source->node, err);
    if (rc == 0)
        rc = make_units(scan);
    if (rc < 0) {
        scan_close(&scan->base);
        return rc;
    }
    *out = &scan->base;
    return 0;
}

static void source_free(struct tsfs_source *base)
{
    struct source *source = (struct source *)base;
    thaw(source);
    tsfs_schema_unref(source->base.schema);
    tsfs_node_unref(source->node);
    free(source);
}

static const struct tsfs_source_ops source_ops = {
    .scan = source_scan, .freeze = source_freeze, .free = source_free};

int table_source(struct tsfs_node *node, struct tsfs_source **out)
{
    struct table *t = node->table;
    struct source *source = calloc(1, sizeof(*source));
    if (!source)
        return -ENOMEM;
    source->base.ops = &source_ops;
    source->node = tsfs_node_ref(node);
    pthread_mutex_lock(&t->lock);
    source->base.schema = tsfs_schema_ref(t->schema);
    pthread_mutex_unlock(&t->lock);
    *out = &source->base;
    return 0;
}
