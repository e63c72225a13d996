/* "The latest ten" should not read everything.  Slices begin at the wanted end and grow fourfold, so that a
 * bad guess of the first costs little.  A partition may end long after its rows do: when the first slice is
 * empty, the outermost row is found by walking over runs without reading them. */
#include "exec/time_slices.h"

#include <errno.h>
#include <stdlib.h>

int time_slices_init(struct time_slices *slices, struct scan_input *input, bool newest,
                     const struct agg_bins *bins, int64_t width, struct tsfs_error *err)
{
    const struct tsfs_plan_scan *plan = &input->plan->scan;
    *slices = (struct time_slices){
        .input = input, .bins = bins, .newest = newest, .lo = INT64_MAX, .hi = INT64_MIN, .width = width};
    int rc = scan_input_open(input, plan->time_min, plan->time_max, err);
    for (uint32_t u = 0; rc == 0 && u < input->scan->n_units; u++) {
        const struct tsfs_scan_unit *unit = &input->scan->units[u];
        slices->lo = unit->time_min < slices->lo ? unit->time_min : slices->lo;
        slices->hi = unit->time_max > slices->hi ? unit->time_max : slices->hi;
        slices->rows += (double)unit->rows_estimate;
    }
    scan_input_close(input);
    return rc;
}

bool time_slices_next(struct time_slices *s, int64_t *from, int64_t *to)
{
    int64_t edge;
    struct agg_bin bin;
    *from = s->lo;
    *to = s->hi;
    if (s->lo > s->hi)
        return false;
    if (s->newest) {
        if (!__builtin_sub_overflow(s->hi, s->width, &edge) && edge > s->lo) {
            bin.lo = edge;
            if ((s->bins == NULL || agg_bins_at(s->bins, edge, &bin)) && bin.lo > s->lo)
                *from = bin.lo;
        }
    } else if (!__builtin_add_overflow(s->lo, s->width, &edge) && edge < s->hi) {
        bin.last = edge;
        if ((s->bins == NULL || agg_bins_at(s->bins, edge, &bin)) && bin.last < s->hi)
            *to = bin.last;
    }
    if (*from == s->lo && *to == s->hi) {
        s->lo = INT64_MAX;
        s->hi = INT64_MIN;
    } else if (s->newest) {
        s->hi = *from - 1;
    } else {
        s->lo = *to + 1;
    }
    return true;
}

/* Moves the wanted end to the outermost row. */
static int find_edge(struct time_slices *s, struct tsfs_error *err)
{
    bool any = false;
    int64_t edge = 0;
    struct scan_reader *reader = calloc(1, sizeof(*reader));
    if (reader == NULL)
        return -ENOMEM;
    int rc = scan_reader_init(reader, s->input, &s->input->ctx->arena);
    if (rc == 0)
        rc = scan_input_open(s->input, s->lo, s->hi, err);
    const struct tsfs_scan *source = s->input->scan;
    for (uint32_t i = 0; rc == 0 && i < source->n_units; i++) {
        uint32_t u = s->newest == s->input->spec.newest_first ? i : source->n_units - 1 - i;
        const struct tsfs_scan_unit *unit = &source->units[u];
        if (any && (s->newest ? unit->time_max <= edge : unit->time_min >= edge))
            break;
        rc = scan_reader_open_unit(reader, u, err);
        while (rc == 0 && (rc = scan_reader_next_run(reader, err)) > 0) {
            int64_t t = s->newest ? reader->run.t_last : reader->run.t_first;
            edge = !any || (s->newest ? t > edge : t < edge) ? t : edge;
            any = true;
            rc = 0;
        }
        if (reader->cursor != NULL)
            reader->cursor->stats = (struct tsfs_scan_stats){0}; /* nothing was read */
        scan_reader_close_unit(reader);
    }
    scan_reader_free(reader);
    free(reader);
    scan_input_close(s->input);
    if (!any)
        s->lo = INT64_MAX;
    if (s->newest || !any)
        s->hi = any ? edge : INT64_MIN;
    else
        s->lo = edge;
    return rc;
}

int time_slices_more(struct time_slices *slices, bool nothing_yet, struct tsfs_error *err)
{
    if (slices->lo > slices->hi)
        return 0;
    if (nothing_yet && !slices->sought) {
        slices->sought = true;
        return find_edge(slices, err);
    }
    if (__builtin_mul_overflow(slices->width, 4, &slices->width))
        slices->width = INT64_MAX;
    return 0;
}
