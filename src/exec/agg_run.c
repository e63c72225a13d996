/* Aggregation of runs.
 *
 * A run is rows of one series in order of time.  Group keys made of dimensions are computed once per series;
 * a bin of time is a stretch of rows, found by galloping through the times; each (stretch, aggregate) is one
 * call over contiguous values.  A block that lies in one bin as a whole is answered from its summary, its
 * times never looked at.  What an aggregate does not need is not read: counting rows reads nothing, the value
 * at the latest time reads one row. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "exec/agg_scan_priv.h"
#include "exec/kernels/gather.h"

/* Per task: how far the tables from (series, bin) to group may go; beyond it the hash table serves. */
#define BINS_MAX       (1u << 20)
#define BINS_BYTES_MAX ((size_t)32 << 20)

int agg_task_init(struct agg_task *task, struct agg_scan *scan, struct agg_table *table, int64_t time_min,
                  int64_t time_max)
{
    const struct agg_spec *spec = &scan->spec;
    struct tsfs_arena *arena = &table->arena;
    uint32_t ncols = scan->input.plan->ncols;
    task->scan = scan;
    task->table = table;
    task->group = AGG_NO_GROUP;
    tsfs_arena_init(&task->run_arena, scan->ctx->options.budget);
    int rc = scan_reader_init(&task->reader, &scan->input, arena);
    if (rc != 0)
        return rc;
    task->series_cols = TSFS_NEW_ARRAY(arena, struct tsfs_vec, ncols + 1);
    task->cols = TSFS_NEW_ARRAY(arena, struct tsfs_vec, ncols + 1);
    task->keys = TSFS_NEW_ARRAY(arena, struct tsfs_vec, spec->ngroups + 1);
    task->counted = TSFS_NEW_ARRAY(arena, struct tsfs_vec *, spec->nitems + 1);
    task->key = TSFS_NEW_ARRAY(arena, char, table->groups.key_size + 8);
    task->needed = TSFS_NEW_ARRAY(arena, bool, spec->nitems + 1);
    task->stretches = tsfs_arena_alloc(arena, TSFS_BATCH_ROWS * sizeof(*task->stretches));
    if (task->series_cols == NULL || task->cols == NULL || task->keys == NULL || task->counted == NULL ||
        task->key == NULL || task->needed == NULL || task->stretches == NULL)
        return -ENOMEM;
    if (scan->bin_key == AGG_NO_COLUMN)
        return 0;
    struct agg_bin first, last;
    if (agg_bins_at(&scan->bins, time_min, &first) && agg_bins_at(&scan->bins, time_max, &last) &&
        (uint64_t)last.number - (uint64_t)first.number < BINS_MAX) {
        task->bin_first = first.number;
        task->nbins = (uint32_t)(last.number - first.number) + 1;
    }
    return group_table_init(&task->series, arena, spec->ngroups - 1, scan->series_types,
                            sizeof(struct agg_series));
}

void agg_task_free(struct agg_task *task)
{
    scan_reader_free(&task->reader);
    tsfs_arena_free(&task->run_arena);
    if (task->series.arena != NULL)
        group_table_free(&task->series);
    free(task->ends);
}

/* ---- the series of a run and its groups ---- */

static int resolve_binned(struct agg_task *task)
{
    struct agg_table *table = task->table;
    uint32_t bin_key = task->scan->bin_key, ngroups = task->scan->spec.ngroups, number;
    struct tsfs_vec *keys = tsfs_arena_alloc(&task->run_arena, ngroups * sizeof(*keys));
    if (keys == NULL)
        return -ENOMEM;
    for (uint32_t i = 0, k = 0; i < ngroups; i++)
        if (i != bin_key)
            keys[k++] = task->keys[i];
    group_pack(&task->series, keys, 0, task->key);
    int rc = group_find(&task->series, task->key, &number);
    if (rc != 0)
        return rc;
    struct agg_series *s = group_payload(&task->series, number);
    task->current = s;
    if (s->key != NULL)
        return 0;
    static const int64_t open = 0;
    task->keys[bin_key] = (struct tsfs_vec){.type = TSFS_TIMESTAMP, .constant = true, .i = &open};
    s->key = tsfs_arena_alloc(&table->arena, table->groups.key_size);
    if (s->key == NULL)
        return -ENOMEM;
    group_pack(&table->groups, task->keys, 0, s->key);
    size_t size = task->nbins * sizeof(uint32_t);
    if (size > 0 && task->bins_bytes + size <= BINS_BYTES_MAX) {
        s->bins = tsfs_arena_alloc(&table->arena, size);
        if (s->bins == NULL)
            return -ENOMEM;
        memset(s->bins, 0xff, size);
        task->bins_bytes += size;
    }
    return group_own(&table->groups, &table->arena, s->key);
}

/* What depends on the series alone. */
static int resolve_series(struct agg_task *task, struct tsfs_error *err)
{
    struct agg_scan *scan = task->scan;
    struct scan_reader *reader = &task->reader;
    if (reader->run.same_series && task->resolved)
        return 0;
    task->resolved = false;
    tsfs_arena_reset(&task->run_arena);
    scan_series_columns(&scan->input, &reader->run.series, task->series_cols);
    struct tsfs_eval eval = exec_eval(scan->ctx, &task->run_arena, err);
    int rc = 0;
    for (uint32_t i = 0; i < scan->spec.ngroups && rc == 0; i++)
        if (i != scan->bin_key)
            rc = tsfs_eval_expr(&eval, scan->spec.groups[i], task->series_cols, 1, &task->keys[i]);
    for (uint32_t i = 0; i < scan->spec.nitems && rc == 0; i++) {
        if (scan->feeds[i].feed != FEED_COUNT)
            continue;
        const struct agg_item *item = &scan->spec.items[i];
        struct tsfs_vec *args = TSFS_NEW_ARRAY(&task->run_arena, struct tsfs_vec, item->plan->nargs + 1);
        if (args == NULL)
            return -ENOMEM;
        for (uint32_t k = 0; k < item->plan->nargs && rc == 0; k++) {
            static const int64_t some_time = 0;
            if (item->args[k]->kind == TSFS_EXPR_COLUMN && item->args[k]->index == scan->time) {
                args[k] = (struct tsfs_vec){.type = TSFS_TIMESTAMP, .constant = true, .i = &some_time};
                continue;
            }
            rc = tsfs_eval_expr(&eval, item->args[k], task->series_cols, 1, &args[k]);
            if (rc == 0) {
                args[k].constant = true;
                rc = vec_copy(&task->run_arena, &args[k], 1, &args[k]);
            }
        }
        task->counted[i] = args;
    }
    if (rc != 0)
        return rc;
    if (scan->bin_key != AGG_NO_COLUMN) {
        rc = resolve_binned(task);
    } else {
        group_pack(&task->table->groups, task->keys, 0, task->key);
        rc = group_own(&task->table->groups, &task->run_arena, task->key);
        task->group = AGG_NO_GROUP;
    }
    task->resolved = rc == 0;
    return rc;
}

static int group_of_series(struct agg_task *task, uint32_t *group)
{
    int rc = task->group != AGG_NO_GROUP ? 0 : group_find(&task->table->groups, task->key, &task->group);
    *group = task->group;
    return rc;
}

static int group_of_bin(struct agg_task *task, const struct agg_bin *bin, uint32_t *group)
{
    struct agg_series *s = task->current;
    struct group_table *groups = &task->table->groups;
    uint64_t slot = (uint64_t)bin->number - (uint64_t)task->bin_first;
    bool kept = s->bins != NULL && slot < task->nbins;
    if (kept && s->bins[slot] != AGG_NO_GROUP) {
        *group = s->bins[slot];
        return 0;
    }
    memcpy(s->key + groups->offsets[task->scan->bin_key], &bin->lo, sizeof(bin->lo));
    int rc = group_find(groups, s->key, group);
    if (rc == 0 && kept)
        s->bins[slot] = *group;
    return rc;
}

/* The bin around t; a bin that cannot be is an error that the function itself words. */
static int bin_at(struct agg_task *task, int64_t t, bool after, struct agg_bin *bin, struct tsfs_error *err)
{
    const struct agg_scan *scan = task->scan;
    if (after ? agg_bins_after(&scan->bins, t, bin) : agg_bins_at(&scan->bins, t, bin))
        return 0;
    struct tsfs_vec *cols = TSFS_NEW_ARRAY(&task->run_arena, struct tsfs_vec, scan->input.plan->ncols);
    if (cols == NULL)
        return -ENOMEM;
    cols[scan->time] = (struct tsfs_vec){.type = TSFS_TIMESTAMP, .constant = true, .i = &t};
    struct tsfs_eval eval = exec_eval(scan->ctx, &task->run_arena, err);
    struct tsfs_vec unused;
    int rc = tsfs_eval_expr(&eval, scan->spec.groups[scan->bin_key], cols, 1, &unused);
    return rc != 0 ? rc : tsfs_error_set(err, -ERANGE, "a time is out of range for its bin");
}

/* Row of the first time after `last`, in (from, n].  guess: how many rows the stretch before had; of a
 * regular series the next one has as many, and one look into memory is enough. */
static uint32_t gallop(const int64_t *times, uint32_t from, uint32_t n, int64_t last, uint32_t guess)
{
    uint32_t lo = from, step = 1;
    if (guess > 0 && guess < n - from && times[from + guess - 1] <= last && times[from + guess] > last)
        return from + guess;
    while (step < n - lo && times[lo + step] <= last) {
        lo += step;
        step *= 2;
    }
    uint32_t hi = step < n - lo ? lo + step : n;
    while (hi - lo > 1) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (times[mid] <= last)
            lo = mid;
        else
            hi = mid;
    }
    return hi;
}

static int find_stretches(struct agg_task *task, const int64_t *times, uint32_t n, struct tsfs_error *err)
{
    struct agg_bin bin = {0};
    uint32_t guess = 0;
    task->nstretches = 0;
    for (uint32_t from = 0; from < n;) {
        struct stretch *s = &task->stretches[task->nstretches];
        int rc = bin_at(task, times[from], from > 0, &bin, err);
        if (rc == 0)
            rc = group_of_bin(task, &bin, &s->group);
        if (rc != 0)
            return rc;
        uint32_t to = gallop(times, from, n, bin.last, guess);
        guess = to - from;
        s->from = from;
        s->n = to - from;
        task->nstretches++;
        from = to;
    }
    return 0;
}

/* ---- pieces: rows that are read ---- */

static void begin_piece(struct agg_task *task)
{
    uint32_t ncols = task->scan->input.plan->ncols;
    for (uint32_t i = 0; i < ncols; i++) {
        enum tsfs_role role = task->scan->input.columns[i].role;
        if (role == TSFS_ROLE_TIME || role == TSFS_ROLE_MEASURE)
            task->cols[i].type = TSFS_TYPE_COUNT;
        else
            task->cols[i] = task->reader.cols[i];
    }
}

static int take(struct agg_task *task, uint32_t col, struct tsfs_error *err)
{
    if (task->cols[col].type != TSFS_TYPE_COUNT)
        return 0;
    struct tsfs_vec v;
    int rc = scan_reader_take(&task->reader, col, &v, err);
    if (rc == 0)
        task->cols[col] = v;
    return rc;
}

static int item_args(struct agg_task *task, uint32_t i, const uint16_t *sel, uint32_t nsel,
                     struct tsfs_vec *args, struct tsfs_error *err)
{
    const struct agg_item *item = &task->scan->spec.items[i];
    struct tsfs_eval eval = exec_eval(task->scan->ctx, &task->reader.arena, err);
    int rc = 0;
    for (uint32_t k = 0; k < item->plan->nargs && rc == 0; k++)
        rc = sel == NULL ? tsfs_eval_expr(&eval, item->args[k], task->cols, nsel, &args[k])
                         : tsfs_eval_subset(&eval, item->args[k], task->cols, sel, nsel, &args[k]);
    return rc;
}

static int distinct_piece(struct agg_task *task, uint32_t i, const struct stretch *stretches,
                          uint32_t nstretches, const struct tsfs_vec *args, uint32_t n)
{
    bool constant = true;
    for (uint32_t k = 0; k < task->scan->spec.items[i].plan->nargs; k++)
        constant &= args[k].constant || args[k].type == TSFS_UNKNOWN;
    struct tsfs_arena *arena = &task->reader.arena;
    uint32_t rows = constant ? nstretches : n;
    int64_t *numbers = tsfs_arena_alloc(arena, rows * sizeof(*numbers));
    if (numbers == NULL)
        return -ENOMEM;
    for (uint32_t s = 0; s < nstretches; s++) {
        if (constant)
            numbers[s] = stretches[s].group;
        for (uint32_t k = 0; k < stretches[s].n && !constant; k++)
            numbers[stretches[s].from + k] = stretches[s].group;
    }
    struct tsfs_vec group = {.type = TSFS_BIGINT, .i = numbers};
    return agg_table_distinct(task->table, arena, i, &group, args, rows);
}

/* The stretches of the rows that an aggregate's own filter leaves. */
static int filter_stretches(struct agg_task *task, const struct agg_item *item, uint16_t *sel,
                            struct stretch *out, uint32_t *nout, uint32_t *nsel, struct tsfs_error *err)
{
    struct tsfs_eval eval = exec_eval(task->scan->ctx, &task->reader.arena, err);
    int rc = tsfs_eval_filter(&eval, item->filter, task->cols, task->reader.nsel, sel, nsel);
    *nout = 0;
    for (uint32_t s = 0, k = 0; rc == 0 && s < task->nstretches && k < *nsel; s++) {
        uint32_t end = task->stretches[s].from + task->stretches[s].n, from = k;
        while (k < *nsel && sel[k] < end)
            k++;
        if (k > from)
            out[(*nout)++] = (struct stretch){from, k - from, task->stretches[s].group};
    }
    return rc;
}

static int feed_item(struct agg_task *task, uint32_t i, struct tsfs_error *err)
{
    const struct agg_item *item = &task->scan->spec.items[i];
    const struct agg_feed *feed = &task->scan->feeds[i];
    struct tsfs_kernel_ctx ctx = agg_kernel_ctx(task->table->spec, &task->table->arena, item, err);
    const struct stretch *stretches = task->stretches;
    uint32_t nstretches = task->nstretches, nsel = task->reader.nsel;
    int rc = 0;
    if (feed->feed == FEED_COUNT) {
        for (uint32_t s = 0; s < nstretches && rc == 0; s++)
            rc = item->impl->update_run(&ctx, agg_state(task->table, item, stretches[s].group),
                                        task->counted[i], 0, stretches[s].n);
        return rc;
    }
    for (uint32_t k = 0; k < feed->ncolumns && rc == 0; k++)
        rc = take(task, feed->columns[k], err);
    struct tsfs_vec few[TSFS_FUNCTION_ARGS_MAX], *args = few;
    if (item->plan->nargs > TSFS_FUNCTION_ARGS_MAX)
        args = tsfs_arena_alloc(&task->reader.arena, item->plan->nargs * sizeof(*args));
    if (rc != 0 || args == NULL)
        return rc != 0 ? rc : -ENOMEM;
    const uint16_t *sel = NULL;
    if (item->filter != NULL) {
        uint16_t *left = tsfs_arena_alloc(&task->reader.arena, nsel * sizeof(*left));
        struct stretch *own = tsfs_arena_alloc(&task->reader.arena, nstretches * sizeof(*own));
        if (left == NULL || own == NULL)
            return -ENOMEM;
        rc = filter_stretches(task, item, left, own, &nstretches, &nsel, err);
        if (rc != 0 || nsel == 0)
            return rc;
        stretches = own;
        sel = nsel < task->reader.nsel ? left : NULL;
    }
    if ((rc = item_args(task, i, sel, nsel, args, err)) != 0)
        return rc;
    if (item->distinct)
        return distinct_piece(task, i, stretches, nstretches, args, nsel);
    for (uint32_t s = 0; s < nstretches && rc == 0; s++) {
        uint32_t from = stretches[s].from, n = stretches[s].n;
        if (feed->feed == FEED_LAST)
            from += n - 1;
        if (feed->feed == FEED_LAST || feed->feed == FEED_FIRST)
            n = 1;
        rc = item->impl->update_run(&ctx, agg_state(task->table, item, stretches[s].group), args, from, n);
    }
    return rc;
}

/* Reads rows [from, from + n) for the items marked; group AGG_NO_GROUP: as their bins say. */
static int feed_piece(struct agg_task *task, uint32_t from, uint32_t n, const bool *items, uint32_t group,
                      struct tsfs_error *err)
{
    struct agg_scan *scan = task->scan;
    struct scan_reader *reader = &task->reader;
    int rc = exec_poll(scan->ctx, err);
    if (rc != 0)
        return rc;
    scan_reader_piece(reader, from, n);
    rc = scan_reader_filter(reader, err);
    if (rc != 0 || reader->nsel == 0)
        return rc;
    begin_piece(task);
    if (group == AGG_NO_GROUP && scan->bin_key != AGG_NO_COLUMN) {
        rc = take(task, scan->time, err);
        if (rc == 0)
            rc = find_stretches(task, task->cols[scan->time].i, reader->nsel, err);
    } else {
        if (group == AGG_NO_GROUP)
            rc = group_of_series(task, &group);
        task->stretches[0] = (struct stretch){0, reader->nsel, group};
        task->nstretches = 1;
    }
    for (uint32_t i = 0; i < scan->spec.nitems && rc == 0; i++)
        if (items[i])
            rc = feed_item(task, i, err);
    return rc;
}

static int feed_pieces(struct agg_task *task, uint32_t from, uint32_t n, const bool *items, uint32_t group,
                       struct tsfs_error *err)
{
    int rc = 0;
    for (uint32_t done = 0, m; done < n && rc == 0; done += m) {
        m = n - done < TSFS_BATCH_ROWS ? n - done : TSFS_BATCH_ROWS;
        rc = feed_piece(task, from + done, m, items, group, err);
    }
    return rc;
}

/* ---- blocks and whole runs: rows that need not be read ---- */

/* 0: the summary answered; 1: it cannot. */
static int feed_summary(struct agg_task *task, uint32_t i, const struct tsfs_block *block, uint32_t number,
                        uint32_t group, struct tsfs_error *err)
{
    const struct agg_item *item = &task->scan->spec.items[i];
    const struct scan_column *column = &task->scan->input.columns[task->scan->feeds[i].column];
    struct tsfs_cursor *cursor = task->reader.cursor;
    const struct tsfs_summary *summary = NULL;
    int rc = cursor->ops->summary(cursor, column->ordinal, number, &summary, err);
    if (rc != 0 || summary == NULL)
        return rc != 0 ? rc : 1;
    struct tsfs_kernel_ctx ctx = agg_kernel_ctx(task->table->spec, &task->table->arena, item, err);
    return item->impl->update_summary(&ctx, agg_state(task->table, item, group), column->type, block,
                                      summary);
}

/* The items marked that look at one end of a stretch: reads that row. */
static int feed_edge(struct agg_task *task, enum feed edge, uint32_t row, int64_t t, uint32_t group,
                     struct tsfs_error *err)
{
    struct agg_scan *scan = task->scan;
    struct scan_reader *reader = &task->reader;
    scan_reader_piece(reader, row, 1);
    begin_piece(task);
    int64_t *time = tsfs_arena_alloc(&reader->arena, sizeof(*time));
    if (time == NULL)
        return -ENOMEM;
    *time = t;
    task->cols[scan->time] = (struct tsfs_vec){.type = TSFS_TIMESTAMP, .constant = true, .i = time};
    task->stretches[0] = (struct stretch){0, 1, group};
    task->nstretches = 1;
    int rc = 0;
    for (uint32_t i = 0; i < scan->spec.nitems && rc == 0; i++)
        if (task->needed[i] && scan->feeds[i].feed == edge)
            rc = feed_item(task, i, err);
    return rc;
}

/* The light items for rows [row, row + n) of one group: counts, and single rows at the ends.  first and last
 * are the blocks that begin and end the stretch, NULL where there is none. */
static int feed_light(struct agg_task *task, uint32_t row, uint32_t n, int64_t t_first, int64_t t_last,
                      const struct tsfs_block *blocks, uint32_t first, uint32_t last, uint32_t group,
                      struct tsfs_error *err)
{
    struct agg_scan *scan = task->scan;
    bool at_first = false, at_last = false;
    int rc = 0;
    for (uint32_t i = 0; i < scan->spec.nitems && rc >= 0; i++) {
        const struct agg_item *item = &scan->spec.items[i];
        const struct agg_feed *feed = &scan->feeds[i];
        task->needed[i] = false;
        if (feed->feed == FEED_COUNT) {
            struct tsfs_kernel_ctx ctx = agg_kernel_ctx(task->table->spec, &task->table->arena, item, err);
            rc = item->impl->update_run(&ctx, agg_state(task->table, item, group), task->counted[i], 0, n);
        } else if (feed->feed == FEED_FIRST || feed->feed == FEED_LAST) {
            uint32_t block = feed->feed == FEED_FIRST ? first : last;
            rc = feed->summary && block != UINT32_MAX
                     ? feed_summary(task, i, &blocks[block], block, group, err)
                     : 1;
            if (rc == 1) {
                task->needed[i] = true;
                *(feed->feed == FEED_FIRST ? &at_first : &at_last) = true;
                rc = 0;
            }
        }
    }
    if (rc == 0 && at_first)
        rc = feed_edge(task, FEED_FIRST, row, t_first, group, err);
    if (rc == 0 && at_last)
        rc = feed_edge(task, FEED_LAST, row + n - 1, t_last, group, err);
    return rc;
}

/* A block that is in one group as a whole. */
static int feed_block(struct agg_task *task, const struct tsfs_block *blocks, uint32_t b, uint32_t group,
                      bool light, struct tsfs_error *err)
{
    struct agg_scan *scan = task->scan;
    const struct tsfs_block *block = &blocks[b];
    int rc = light ? feed_light(task, block->row, block->nrows, block->t_first, block->t_last, blocks, b, b,
                                group, err)
                   : 0;
    bool any = false;
    for (uint32_t i = 0; i < scan->spec.nitems && rc >= 0; i++) {
        task->needed[i] = scan->heavy[i];
        if (scan->feeds[i].feed != FEED_SUMMARY)
            continue;
        rc = feed_summary(task, i, block, b, group, err);
        if (rc < 0)
            return rc;
        task->needed[i] = rc == 1;
        rc = 0;
    }
    for (uint32_t i = 0; i < scan->spec.nitems; i++)
        any |= task->needed[i];
    return rc == 0 && any ? feed_pieces(task, block->row, block->nrows, task->needed, group, err) : rc;
}

/* Walks a run block by block; group AGG_NO_GROUP: as the bins say, and light items are fed too. */
static int walk_run(struct agg_task *task, const struct tsfs_block *blocks, uint32_t nblocks, uint32_t group,
                    struct tsfs_error *err)
{
    struct agg_scan *scan = task->scan;
    const struct tsfs_run *run = &task->reader.run;
    bool binned = group == AGG_NO_GROUP;
    const bool *items = binned ? scan->all : scan->heavy;
    struct agg_bin bin = {.lo = 0, .last = -1};
    uint32_t b = 0;
    for (uint32_t at = 0; at < run->nrows;) {
        int rc = 0;
        while (b < nblocks && blocks[b].row < at)
            b++;
        if (b < nblocks && blocks[b].row == at) {
            uint32_t one = group;
            if (binned) {
                if ((blocks[b].t_first < bin.lo || blocks[b].t_first > bin.last) &&
                    (rc = bin_at(task, blocks[b].t_first, false, &bin, err)) != 0)
                    return rc;
                if (blocks[b].t_last <= bin.last && (rc = group_of_bin(task, &bin, &one)) != 0)
                    return rc;
            }
            if (one != AGG_NO_GROUP) {
                if ((rc = feed_block(task, blocks, b, one, binned, err)) != 0)
                    return rc;
                at += blocks[b++].nrows;
                continue;
            }
        }
        /* Rows to read, up to the next block that need not be. */
        uint32_t end = run->nrows - at < TSFS_BATCH_ROWS ? run->nrows : at + TSFS_BATCH_ROWS;
        for (uint32_t k = b; k < nblocks && blocks[k].row < end; k++) {
            if (blocks[k].row == at)
                continue;
            struct agg_bin other = {0};
            if (binned && (rc = bin_at(task, blocks[k].t_first, false, &other, err)) != 0)
                return rc;
            if (!binned || blocks[k].t_last <= other.last)
                end = blocks[k].row;
        }
        rc = feed_piece(task, at, end - at, items, group, err);
        if (rc != 0)
            return rc;
        at = end;
    }
    return 0;
}

static int feed_run_unfiltered(struct agg_task *task, struct tsfs_error *err)
{
    struct agg_scan *scan = task->scan;
    const struct tsfs_run *run = &task->reader.run;
    struct tsfs_cursor *cursor = task->reader.cursor;
    uint32_t group = AGG_NO_GROUP, nblocks = 0;
    int rc = 0;
    if (scan->bin_key == AGG_NO_COLUMN) {
        rc = group_of_series(task, &group);
    } else {
        struct agg_bin bin = {0};
        rc = bin_at(task, run->t_first, false, &bin, err);
        if (rc == 0 && run->t_last <= bin.last)
            rc = group_of_bin(task, &bin, &group);
    }
    if (rc != 0)
        return rc;
    bool whole = group != AGG_NO_GROUP;
    const struct tsfs_block *blocks = NULL;
    if ((!whole || scan->any_heavy || scan->any_edge) &&
        (rc = cursor->ops->blocks(cursor, &blocks, &nblocks, err)) != 0)
        return rc;
    if (!whole)
        return walk_run(task, blocks, nblocks, group, err);
    uint32_t first = nblocks > 0 && blocks[0].row == 0 ? 0 : UINT32_MAX;
    uint32_t last = nblocks > 0 && blocks[nblocks - 1].row + blocks[nblocks - 1].nrows == run->nrows
                        ? nblocks - 1
                        : UINT32_MAX;
    rc = feed_light(task, 0, run->nrows, run->t_first, run->t_last, blocks, first, last, group, err);
    return rc == 0 && scan->any_heavy ? walk_run(task, blocks, nblocks, group, err) : rc;
}

static int feed_run_filtered(struct agg_task *task, struct tsfs_error *err)
{
    struct agg_scan *scan = task->scan;
    bool seek = scan->spec.nitems == 0 && scan->bin_key == AGG_NO_COLUMN; /* DISTINCT: one row is enough */
    uint32_t nrows = task->reader.run.nrows;
    int rc = 0;
    for (uint32_t at = 0; at < nrows && rc == 0 && !(seek && task->group != AGG_NO_GROUP);
         at += TSFS_BATCH_ROWS) {
        uint32_t n = nrows - at < TSFS_BATCH_ROWS ? nrows - at : TSFS_BATCH_ROWS;
        rc = feed_piece(task, at, n, scan->all, AGG_NO_GROUP, err);
    }
    return rc;
}

/* Group keys that differ from row to row. */
static int feed_run_by_row(struct agg_task *task, struct tsfs_error *err)
{
    struct agg_scan *scan = task->scan;
    struct scan_reader *reader = &task->reader;
    uint32_t nrows = reader->run.nrows;
    int rc = 0;
    for (uint32_t at = 0; at < nrows && rc == 0; at += TSFS_BATCH_ROWS) {
        uint32_t n = nrows - at < TSFS_BATCH_ROWS ? nrows - at : TSFS_BATCH_ROWS;
        if ((rc = exec_poll(scan->ctx, err)) != 0)
            return rc;
        scan_reader_piece(reader, at, n);
        rc = scan_reader_filter(reader, err);
        if (rc != 0 || reader->nsel == 0)
            continue;
        begin_piece(task);
        for (uint32_t k = 0; k < scan->ncolumns && rc == 0; k++)
            rc = take(task, scan->columns[k], err);
        struct tsfs_eval eval = exec_eval(scan->ctx, &reader->arena, err);
        if (rc == 0)
            rc = agg_table_rows(task->table, &eval, task->cols, reader->nsel);
    }
    return rc;
}

/* 1: the group has a row beyond this run already. */
static int passed(struct agg_task *task)
{
    const struct tsfs_run *run = &task->reader.run;
    bool last = task->scan->only_last;
    int64_t t = last ? run->t_last : run->t_first;
    uint32_t group;
    int rc = group_of_series(task, &group);
    if (rc != 0)
        return rc;
    uint32_t had = task->ends_cap;
    if (TSFS_ARRAY_ROOM(task->ends, group, task->ends_cap, 128) != 0)
        return -ENOMEM;
    for (uint32_t i = had; i < task->ends_cap; i++)
        task->ends[i] = last ? INT64_MIN : INT64_MAX;
    int64_t *end = &task->ends[group];
    if (last ? t < *end : t > *end)
        return 1;
    *end = t;
    return 0;
}

/* Rows that nobody has to look at, in the only group there is. */
static int feed_counts(struct agg_task *task, uint64_t rows, struct tsfs_error *err)
{
    static const int64_t some_time = 0;
    const struct tsfs_vec time = {.type = TSFS_TIMESTAMP, .constant = true, .i = &some_time};
    const struct agg_spec *spec = task->table->spec;
    char nothing[8] = {0};
    uint32_t group;
    int rc = group_find(&task->table->groups, nothing, &group);
    for (uint64_t left = rows, n; left > 0 && rc == 0; left -= n) {
        n = left < UINT32_MAX ? left : UINT32_MAX;
        for (uint32_t i = 0; i < spec->nitems && rc == 0; i++) {
            const struct agg_item *item = &spec->items[i];
            struct tsfs_kernel_ctx ctx = agg_kernel_ctx(spec, &task->table->arena, item, err);
            rc = item->impl->update_run(&ctx, agg_state(task->table, item, group), &time, 0, (uint32_t)n);
        }
    }
    return rc;
}

int agg_task_unit(struct agg_task *task, uint32_t unit, struct tsfs_error *err)
{
    const struct tsfs_scan_unit *facts = &task->scan->input.scan->units[unit];
    if (task->scan->counts_only && facts->counted)
        return feed_counts(task, facts->rows, err);
    bool one_end = task->scan->only_last || task->scan->only_first;
    struct scan_reader *reader = &task->reader;
    task->resolved = false;
    int rc = scan_reader_open_unit(reader, unit, err);
    while (rc == 0 && (rc = scan_reader_next_run(reader, err)) > 0) {
        if (task->scan->by_row) {
            rc = feed_run_by_row(task, err);
            continue;
        }
        rc = resolve_series(task, err);
        if (rc == 0 && one_end && (rc = passed(task)) == 1) {
            rc = 0;
            continue;
        }
        if (rc == 0)
            rc = task->scan->input.nterms > 0 ? feed_run_filtered(task, err) : feed_run_unfiltered(task, err);
    }
    scan_reader_close_unit(reader);
    return rc;
}
