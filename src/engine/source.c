/* A table as a source of rows for queries: one snapshot, cut into units.
 *
 * The snapshot is taken when the scan is opened, under the table's lock: the partitions' segments and
 * generations are counted references, the hot rows a tsfs_hot_snap each.  Whatever is written, migrated or
 * dropped afterwards, the scan goes on over what it holds.  A plan with several scans of a table freezes the
 * source first: references to everything and the counts of published rows, of which each scan takes its
 * part.
 *
 * Holding a partition is cheap; finding out whether it has what is asked for reads its indexes.  A scan that
 * goes through time slice by slice (spec->sliced) asks this of a partition when time comes to it: the last
 * point of a series among a thousand partitions costs what it costs among three. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "engine/engine_priv.h"

/* A partition with many rows is cut into parts, so that every core has work. */
enum { ROWS_PER_PART = 128 * 1024, PARTS_MOST = 64, ASKED_PARTS_MOST = 1024 };

/* Up to so many series the counts of all are copied rather than those looked for that are asked for. */
enum { INSTANT_SERIES = 4096 };

/* A part of a segment costs more to open than one of hot rows. */
enum { ROWS_PER_SEGMENT_PART = 16 * 1024 };

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
    struct tsfs_partition_view view;    /* its nhots: snapshots made so far */
    struct generation **generations;    /* counted, behind view.hots */
    uint32_t *numbers;                  /* theirs */
    struct tsfs_hot_instant **instants; /* of what snapshots are made; NULL = made at once */
    unsigned ngenerations;
    unsigned nparts, first_unit;
    bool looked_at;     /* rows is known */
    bool read;          /* was part of a slice */
    bool known;         /* what it has is counted */
    uint64_t rows;      /* an upper bound; of a scan for the ends of series: of these */
    int64_t start, end; /* end exclusive, INT64_MAX at the very end */
};

struct scan {
    struct tsfs_scan base;
    const struct tsfs_scan_spec *spec;
    struct tsfs_scan_spec whole; /* spec without ends: where rows are deleted, the next ones matter */
    struct tsfs_scan_spec slice; /* spec with the times that are being read */
    struct tsfs_schema *schema;  /* counted */
    struct scanned *partitions;  /* in the order of units */
    unsigned npartitions;
    bool frozen;              /* instants are the source's */
    void *pointers;           /* the arrays of all partitions, in one piece */
    uint32_t *unit_partition; /* of each unit */
    unsigned units_cap;
};

static void release_partition(const struct scan *scan, struct scanned *s)
{
    for (unsigned i = 0; i < s->view.nhots; i++)
        tsfs_hot_snap_free(s->view.snaps[i]);
    for (unsigned i = 0; i < s->ngenerations; i++) {
        if (!scan->frozen)
            tsfs_hot_instant_free(s->instants[i]);
        generation_unref(s->generations[i]);
    }
    for (unsigned i = 0; i < s->view.ndeletes; i++)
        tsfs_tombstone_unref(s->view.deletes[i]);
    if (s->view.nsegments)
        tsfs_segment_unref(s->view.segments[0]);
    s->ngenerations = s->view.nhots = s->view.ndeletes = s->view.nsegments = 0;
}

static void scan_close(struct tsfs_scan *base)
{
    struct scan *scan = (struct scan *)base;
    for (unsigned i = 0; i < scan->npartitions; i++)
        release_partition(scan, &scan->partitions[i]);
    free(scan->partitions);
    free(scan->pointers);
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
    return tsfs_cold_cursor(&s->view, &scan->slice, unit - s->first_unit, s->nparts, scan->spec->canonical,
                            out, err);
}

/* ---- taking hold of partitions ---- */

static bool asked_for(const struct tsfs_scan_spec *spec, int64_t start, int64_t end)
{
    return start <= spec->time_max && end - 1 >= spec->time_min;
}

static int unreadable(int64_t start, const char *why, struct tsfs_error *err)
{
    char folder[TSFS_PARTITION_NAME_MAX];
    tsfs_partition_folder(start, folder);
    return tsfs_error_set(err, -EIO, "partition %s cannot be read: %s", folder, why);
}

/* Room for the arrays of a partition's hot rows and deletes. */
enum {
    HOT_POINTERS = sizeof(struct tsfs_hot *) + sizeof(struct tsfs_hot_snap *) + sizeof(struct generation *) +
                   sizeof(struct tsfs_hot_instant *)
};

static size_t arrays_size(unsigned nhots, unsigned ndeletes)
{
    size_t numbers = (nhots * sizeof(uint32_t) + 7) & ~(size_t)7;
    return nhots * HOT_POINTERS + ndeletes * sizeof(struct tsfs_tombstone *) + numbers;
}

static void place_arrays(struct scanned *s, char **at, unsigned nhots, unsigned ndeletes)
{
    char *p = *at;
    *at += arrays_size(nhots, ndeletes);
    s->view.hots = (struct tsfs_hot **)(void *)p;
    p += nhots * sizeof(*s->view.hots);
    s->view.snaps = (struct tsfs_hot_snap **)(void *)p;
    p += nhots * sizeof(*s->view.snaps);
    s->generations = (struct generation **)(void *)p;
    p += nhots * sizeof(*s->generations);
    s->instants = (struct tsfs_hot_instant **)(void *)p;
    p += nhots * sizeof(*s->instants);
    s->view.deletes = (struct tsfs_tombstone **)(void *)p;
    p += ndeletes * sizeof(*s->view.deletes);
    s->view.generations = s->numbers = (uint32_t *)(void *)p;
}

/* The snapshot of the partition's next generation. */
static int make_snapshot(struct scan *scan, struct scanned *s)
{
    unsigned at = s->view.nhots;
    struct generation *g = s->generations[at];
    const struct tsfs_scan_spec *spec = s->view.ndeletes ? &scan->whole : scan->spec;
    int rc = s->instants[at]
                 ? tsfs_hot_snapshot_at(g->hot, s->instants[at], scan->schema, spec, &s->view.snaps[at])
                 : tsfs_hot_snapshot(g->hot, scan->schema, spec, &s->view.snaps[at]);
    if (rc == 0)
        s->view.nhots++;
    return rc;
}

static void hold_generation(struct scanned *s, struct generation *g, struct tsfs_hot_instant *instant)
{
    unsigned at = s->ngenerations++;
    s->view.hots[at] = g->hot;
    s->numbers[at] = g->number;
    s->generations[at] = generation_ref(g);
    s->instants[at] = instant;
}

/* The state of now: of all rows in a snapshot, or to make one of later. */
static int hold_hot(struct scan *scan, struct scanned *s, struct generation *g)
{
    struct tsfs_hot_instant *instant = NULL;
    struct tsfs_hot_facts facts = {0};
    bool later = scan->spec->sliced && scan->spec->n_dim_in == 0;
    if (scan->spec->sliced && !later) {
        tsfs_hot_facts(g->hot, &facts);
        later = facts.series <= INSTANT_SERIES;
    }
    int rc = later ? tsfs_hot_instant_take(g->hot, &instant) : 0;
    if (rc < 0)
        return rc;
    hold_generation(s, g, instant);
    return later ? 0 : make_snapshot(scan, s);
}

static void hold_cold(struct scan *scan, struct scanned *s, int64_t start, int64_t end,
                      struct tsfs_segment *segment, struct tsfs_tombstone **deletes, unsigned ndeletes)
{
    s->start = start;
    s->end = end;
    s->view.schema = scan->schema;
    for (unsigned i = 0; i < ndeletes; i++)
        s->view.deletes[s->view.ndeletes++] = tsfs_tombstone_ref(deletes[i]);
    if (segment) {
        s->view.segments[0] = tsfs_segment_ref(segment);
        s->view.nsegments = 1;
    }
}

static unsigned generations_of(const struct partition *p)
{
    return p->nsealed + (p->active != NULL);
}

/* Under the table's lock. */
static int hold_now(struct scan *scan, struct table *t, struct tsfs_error *err)
{
    const struct tsfs_scan_spec *spec = scan->spec;
    size_t size = 0;
    unsigned n = 0;
    int64_t now = tsfs_time_monotonic();
    for (unsigned i = 0; i < t->npartitions; i++) {
        const struct partition *p = t->partitions[i];
        if (!asked_for(spec, p->start, p->end))
            continue;
        if (p->broken || p->bad_delete)
            return unreadable(p->start, p->broken ? p->broken : p->bad_delete, err);
        size += arrays_size(generations_of(p), p->ndeletes);
        n++;
    }
    scan->base.partitions_total = t->npartitions;
    scan->base.partitions_pruned = t->npartitions - n;
    scan->partitions = calloc(n + 1, sizeof(*scan->partitions));
    char *at = scan->pointers = calloc(1, size + 1);
    if (!scan->partitions || !scan->pointers)
        return -ENOMEM;
    for (unsigned i = 0; i < t->npartitions && scan->npartitions < n; i++) {
        struct partition *p = t->partitions[spec->newest_first ? t->npartitions - 1 - i : i];
        if (!asked_for(spec, p->start, p->end))
            continue;
        struct scanned *s = &scan->partitions[scan->npartitions++];
        place_arrays(s, &at, generations_of(p), p->ndeletes);
        hold_cold(scan, s, p->start, p->end, p->segment, p->deletes, p->ndeletes);
        if (p->segment)
            p->last_read = now;
        int rc = 0;
        for (unsigned k = 0; k < p->nsealed && rc == 0; k++)
            rc = hold_hot(scan, s, p->sealed[k]);
        if (rc == 0 && p->active)
            rc = hold_hot(scan, s, p->active);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int hold_frozen(struct scan *scan, const struct source *source, struct tsfs_error *err)
{
    const struct tsfs_scan_spec *spec = scan->spec;
    size_t size = 0;
    unsigned n = 0;
    for (unsigned i = 0; i < source->npartitions; i++) {
        const struct frozen *p = &source->partitions[i];
        if (!asked_for(spec, p->start, p->end))
            continue;
        if (p->broken)
            return unreadable(p->start, p->broken, err);
        size += arrays_size(p->ngenerations, p->ndeletes);
        n++;
    }
    scan->base.partitions_total = source->npartitions;
    scan->base.partitions_pruned = source->npartitions - n;
    scan->partitions = calloc(n + 1, sizeof(*scan->partitions));
    char *at = scan->pointers = calloc(1, size + 1);
    if (!scan->partitions || !scan->pointers)
        return -ENOMEM;
    for (unsigned i = 0; i < source->npartitions && scan->npartitions < n; i++) {
        const struct frozen *p = &source->partitions[spec->newest_first ? source->npartitions - 1 - i : i];
        if (!asked_for(spec, p->start, p->end))
            continue;
        struct scanned *s = &scan->partitions[scan->npartitions++];
        place_arrays(s, &at, p->ngenerations, p->ndeletes);
        hold_cold(scan, s, p->start, p->end, p->segment, p->deletes, p->ndeletes);
        for (unsigned k = 0; k < p->ngenerations; k++)
            hold_generation(s, p->generations[k], p->instants[k]);
    }
    return 0;
}

/* ---- the state of an instant, for several scans ---- */

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

/* ---- units ---- */

static uint64_t estimate(const struct scan *scan, const struct tsfs_partition_view *view,
                         const struct tsfs_scan_spec *spec)
{
    uint64_t rows = tsfs_cold_estimate(view, spec), series = 0;
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

/* 1 if the partition may hold what is asked for, 0 if not: then it is let go. */
static int may_hold(struct scan *scan, struct scanned *s)
{
    int rc = 0;
    if (s->looked_at)
        return s->rows > 0;
    while (s->view.nhots < s->ngenerations && rc == 0)
        rc = make_snapshot(scan, s);
    if (rc < 0)
        return rc;
    s->looked_at = true;
    if (s->view.nsegments && !tsfs_segment_may_match(s->view.segments[0], scan->schema, scan->spec)) {
        tsfs_segment_unref(s->view.segments[0]);
        s->view.nsegments = 0;
    }
    s->rows = estimate(scan, &s->view, scan->spec);
    if (s->rows == 0)
        release_partition(scan, s);
    return s->rows > 0;
}

static struct tsfs_scan_unit unit_of(const struct scan *scan, const struct scanned *s,
                                     const struct tsfs_scan_spec *spec)
{
    int64_t last = s->end == INT64_MAX ? INT64_MAX : s->end - 1;
    return (struct tsfs_scan_unit){.time_min = s->start > spec->time_min ? s->start : spec->time_min,
                                   .time_max = last < spec->time_max ? last : spec->time_max,
                                   .rows_estimate = s->rows};
}

/* Whether all rows of a partition are wanted, and their number is known. */
static bool count_rows(const struct scan *scan, const struct scanned *s, uint64_t *rows)
{
    const struct tsfs_scan_spec *spec = &scan->slice;
    if (spec->series_match || spec->n_dim_in || spec->n_ranges || spec->ends || s->view.ndeletes ||
        s->view.nsegments + s->view.nhots != 1)
        return false;
    if (spec->time_min > s->start || (spec->time_max < INT64_MAX && spec->time_max < s->end - 1))
        return false;
    if (s->view.nhots) {
        *rows = tsfs_hot_snap_rows(s->view.snaps[0]);
        return tsfs_hot_snap_in_order(s->view.snaps[0]);
    }
    struct tsfs_segment_facts facts;
    tsfs_segment_facts(s->view.segments[0], &facts);
    *rows = facts.rows;
    return facts.series != 0; /* a file of another program may have a row twice */
}

static int add_units(struct scan *scan, unsigned i, struct tsfs_error *err)
{
    struct scanned *s = &scan->partitions[i];
    struct tsfs_scan_unit unit = unit_of(scan, s, &scan->slice);
    uint64_t rows = 0;
    unsigned n = scan->base.n_units;
    s->nparts = parts_of(scan, s);
    s->first_unit = n;
    if (n + s->nparts > scan->units_cap) {
        unsigned cap = 2 * (n + s->nparts) + 6;
        struct tsfs_scan_unit *units = realloc(scan->base.units, cap * sizeof(*units));
        if (!units)
            return -ENOMEM;
        scan->base.units = units;
        uint32_t *partitions = realloc(scan->unit_partition, cap * sizeof(*partitions));
        if (!partitions)
            return -ENOMEM;
        scan->unit_partition = partitions;
        scan->units_cap = cap;
    }
    unit.rows_estimate = s->rows / s->nparts + 1;
    unit.counted = count_rows(scan, s, &rows);
    for (unsigned k = 0; k < s->nparts; k++) {
        unit.rows = k == 0 && unit.counted ? rows : 0;
        scan->base.units[n + k] = unit;
        scan->unit_partition[n + k] = i;
    }
    scan->base.n_units += s->nparts;
    if (!scan->spec->count_known || s->known) /* it may come in several slices */
        return 0;
    s->known = true;
    return tsfs_cold_known(&s->view, scan->spec, &scan->base.known, err);
}

/* The first partition in the order of reading that has no times before `from` in that order. */
static unsigned find_partition(const struct scan *scan, int64_t from)
{
    unsigned lo = 0, hi = scan->npartitions;
    while (lo < hi) {
        unsigned mid = lo + (hi - lo) / 2;
        const struct scanned *s = &scan->partitions[mid];
        bool before = scan->spec->newest_first ? s->start > from : s->end != INT64_MAX && s->end <= from;
        *(before ? &lo : &hi) = before ? mid + 1 : mid;
    }
    return lo;
}

/* All units at once. */
static int make_units(struct scan *scan, struct tsfs_error *err)
{
    int rc = 0;
    for (unsigned i = 0; i < scan->npartitions && rc == 0; i++) {
        rc = may_hold(scan, &scan->partitions[i]);
        if (rc == 0)
            scan->base.partitions_pruned++;
        else if (rc > 0)
            rc = add_units(scan, i, err);
    }
    return rc;
}

static int scan_seek(struct tsfs_scan *base, int64_t from, struct tsfs_scan_unit *out, struct tsfs_error *err)
{
    struct scan *scan = (struct scan *)base;
    for (unsigned i = find_partition(scan, from); i < scan->npartitions; i++) {
        int rc = may_hold(scan, &scan->partitions[i]);
        if (rc > 0)
            *out = unit_of(scan, &scan->partitions[i], scan->spec);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int scan_slice(struct tsfs_scan *base, int64_t time_min, int64_t time_max, struct tsfs_error *err)
{
    struct scan *scan = (struct scan *)base;
    bool newest = scan->spec->newest_first;
    scan->slice.time_min = time_min;
    scan->slice.time_max = time_max;
    scan->base.n_units = 0;
    for (unsigned i = find_partition(scan, newest ? time_max : time_min); i < scan->npartitions; i++) {
        struct scanned *s = &scan->partitions[i];
        if (!asked_for(&scan->slice, s->start, s->end))
            break;
        int rc = may_hold(scan, s);
        if (rc == 0)
            continue;
        if (rc < 0)
            return rc;
        for (unsigned k = 0; k < s->view.nhots; k++)
            tsfs_hot_snap_narrow(s->view.snaps[k], time_min, time_max);
        uint64_t all = s->rows;
        s->rows = estimate(scan, &s->view, &scan->slice);
        rc = s->rows > 0 ? add_units(scan, i, err) : 0;
        s->rows = all;
        if (rc < 0)
            return rc;
        scan->base.partitions_pruned -= !s->read;
        s->read = true;
    }
    return 0;
}

static const struct tsfs_scan_ops scan_ops = {
    .open = scan_open_unit, .close = scan_close, .seek = scan_seek, .slice = scan_slice};

static int source_scan(struct tsfs_source *base, const struct tsfs_scan_spec *spec, struct tsfs_scan **out,
                       struct tsfs_error *err)
{
    struct source *source = (struct source *)base;
    struct table *t = source->node->table;
    struct scan *scan = calloc(1, sizeof(*scan));
    int rc;
    if (!scan)
        return -ENOMEM;
    scan->base.ops = &scan_ops;
    scan->spec = spec;
    scan->slice = scan->whole = *spec;
    scan->whole.ends = 0;
    scan->schema = tsfs_schema_ref(base->schema);
    scan->frozen = source->partitions != NULL;
    if (scan->frozen) {
        rc = hold_frozen(scan, source, err);
    } else {
        pthread_mutex_lock(&t->lock);
        rc = hold_now(scan, t, err);
        pthread_mutex_unlock(&t->lock);
    }
    if (rc == 0 && spec->sliced)
        scan->base.partitions_pruned = scan->base.partitions_total;
    else if (rc == 0)
        rc = make_units(scan, err);
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
