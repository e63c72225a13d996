/* "The latest ten" should not read everything.  Slices begin at the wanted end and grow fourfold, so that a
 * bad guess of the first costs little.  Partitions that cannot have any row are jumped over.  A partition may
 * end long after its rows do: when the first slice is empty, the outermost row is found by walking over runs
 * without reading them. */
#include "exec/time_slices.h"

#include <errno.h>
#include <stdlib.h>

static void end(struct time_slices *s)
{
    s->lo = INT64_MAX;
    s->hi = INT64_MIN;
}

/* Moves the wanted end to the next partition that may have rows; *unit is what is left of it. */
static int seek(struct time_slices *s, struct tsfs_scan_unit *unit, struct tsfs_error *err)
{
    int rc = s->lo > s->hi ? 0 : scan_input_seek(s->input, s->newest ? s->hi : s->lo, unit, err);
    if (rc < 0)
        return rc;
    if (rc == 0 || unit->time_min > s->hi || unit->time_max < s->lo) {
        end(s);
        return 0;
    }
    unit->time_min = unit->time_min > s->lo ? unit->time_min : s->lo;
    unit->time_max = unit->time_max < s->hi ? unit->time_max : s->hi;
    if (s->newest)
        s->hi = unit->time_max;
    else
        s->lo = unit->time_min;
    return 1;
}

/* Takes [from, to], which lies at the wanted end, off what is left. */
static void take_off(struct time_slices *s, int64_t from, int64_t to)
{
    if (from <= s->lo && to >= s->hi)
        end(s);
    else if (s->newest)
        s->hi = from - 1;
    else
        s->lo = to + 1;
}

int time_slices_init(struct time_slices *slices, struct scan_input *input, bool newest,
                     const struct agg_bins *bins, int64_t width, struct tsfs_error *err)
{
    const struct tsfs_plan_scan *plan = &input->plan->scan;
    struct tsfs_scan_unit unit;
    *slices = (struct time_slices){.input = input,
                                   .bins = bins,
                                   .newest = newest,
                                   .lo = plan->time_min,
                                   .hi = plan->time_max,
                                   .width = width};
    input->spec.newest_first = newest;
    input->spec.sliced = true;
    int rc = scan_input_open(input, err);
    if (rc == 0)
        rc = seek(slices, &unit, err);
    if (rc > 0) {
        slices->rows = (double)unit.rows_estimate;
        slices->span = (double)unit.time_max - (double)unit.time_min + 1;
    }
    return rc < 0 ? rc : 0;
}

int time_slices_next(struct time_slices *s, struct tsfs_error *err)
{
    int64_t edge, from = s->lo, to = s->hi;
    struct agg_bin bin;
    if (s->lo > s->hi)
        return 0;
    if (s->newest) {
        if (!__builtin_sub_overflow(s->hi, s->width, &edge) && edge > s->lo) {
            bin.lo = edge;
            if ((s->bins == NULL || agg_bins_at(s->bins, edge, &bin)) && bin.lo > s->lo)
                from = bin.lo;
        }
    } else if (!__builtin_add_overflow(s->lo, s->width, &edge) && edge < s->hi) {
        bin.last = edge;
        if ((s->bins == NULL || agg_bins_at(s->bins, edge, &bin)) && bin.last < s->hi)
            to = bin.last;
    }
    take_off(s, from, to);
    int rc = scan_input_slice(s->input, from, to, err);
    return rc < 0 ? rc : 1;
}

/* Moves the wanted end to the outermost row of the partition there; *any: there is one. */
static int look_into(struct time_slices *s, struct scan_reader *reader, const struct tsfs_scan_unit *unit,
                     bool *any, struct tsfs_error *err)
{
    int64_t edge = 0;
    int rc = scan_input_slice(s->input, unit->time_min, unit->time_max, err);
    for (uint32_t u = 0; rc == 0 && u < s->input->scan->n_units; u++) {
        rc = scan_reader_open_unit(reader, u, err);
        while (rc == 0 && (rc = scan_reader_next_run(reader, err)) > 0) {
            int64_t t = s->newest ? reader->run.t_last : reader->run.t_first;
            edge = !*any || (s->newest ? t > edge : t < edge) ? t : edge;
            *any = true;
            rc = 0;
        }
        if (reader->cursor != NULL)
            reader->cursor->stats = (struct tsfs_scan_stats){0}; /* nothing was read */
        scan_reader_close_unit(reader);
    }
    if (!*any)
        take_off(s, unit->time_min, unit->time_max);
    else if (s->newest)
        s->hi = edge;
    else
        s->lo = edge;
    return rc;
}

static int find_edge(struct time_slices *s, struct tsfs_error *err)
{
    struct tsfs_scan_unit unit;
    bool any = false;
    struct scan_reader *reader = calloc(1, sizeof(*reader));
    if (reader == NULL)
        return -ENOMEM;
    int rc = scan_reader_init(reader, s->input, &s->input->ctx->arena);
    while (rc == 0 && !any && (rc = seek(s, &unit, err)) > 0)
        rc = look_into(s, reader, &unit, &any, err);
    scan_reader_free(reader);
    free(reader);
    return rc;
}

int time_slices_more(struct time_slices *slices, bool nothing_yet, struct tsfs_error *err)
{
    struct tsfs_scan_unit unit;
    if (nothing_yet && !slices->sought) {
        slices->sought = true;
        return find_edge(slices, err);
    }
    if (__builtin_mul_overflow(slices->width, 4, &slices->width))
        slices->width = INT64_MAX;
    int rc = seek(slices, &unit, err);
    return rc < 0 ? rc : 0;
}

int time_slices_partitions(struct time_slices *s, unsigned n, struct tsfs_error *err)
{
    struct tsfs_scan_unit unit;
    int64_t from = 0, to = 0;
    int rc = 0;
    unsigned i = 0;
    for (; i < n && (rc = seek(s, &unit, err)) > 0; i++) {
        from = i == 0 || unit.time_min < from ? unit.time_min : from;
        to = i == 0 || unit.time_max > to ? unit.time_max : to;
        take_off(s, unit.time_min, unit.time_max);
    }
    if (rc < 0 || i == 0)
        return rc;
    rc = scan_input_slice(s->input, from, to, err);
    return rc < 0 ? rc : 1;
}
