/* Aggregates over frames.
 *
 * While frames start at the same row and only grow, one state grows with them: the default frame costs each
 * row once.  Frames that move are answered from a tree of states over blocks of rows: whole blocks are
 * merged, only the ends of a frame are read row by row, so that n rows cost n log n however wide their frames
 * are.  The order of rows is kept in either way.  DISTINCT: in a growing frame a row counts when its value is
 * there for the first time; in one that moves, when its value was last seen before the frame. */
#include <errno.h>
#include <string.h>

#include "exec/kernels/group.h"
#include "exec/window_priv.h"

#define BLOCK_ROWS 32u

struct feed {
    const struct window_part *part;
    const struct window_fn *fn;
    const struct tsfs_aggregate_impl *impl;
    struct tsfs_kernel_ctx kernel;
    struct tsfs_arena passing; /* what one result is made with, and where frames move its state */
    struct tsfs_vec *args;     /* of the rows that count, one behind the other */
    uint32_t *before;          /* how many count before each row; NULL = all do */
    uint32_t n;                /* that count */
    uint32_t *last_seen;       /* DISTINCT: of each, 1 + the one before with the same values; 0 = none */
    char *state;
    uint32_t size;
    /* tree: level 0 has a state for each block, each further one for two of those below */
    char **levels;
    uint32_t nlevels;
};

static int update(struct feed *f, void *state, uint32_t from, uint32_t to)
{
    int rc = 0;
    for (; from < to && rc == 0; from += TSFS_BATCH_ROWS) {
        uint32_t n = to - from < TSFS_BATCH_ROWS ? to - from : TSFS_BATCH_ROWS;
        rc = f->impl->update_run(&f->kernel, state, f->args, from, n);
    }
    return rc;
}

/* Rows of the partition that count: filtered, compressed. */
static int feed_init(struct feed *f, const struct window_part *part, const struct window_fn *fn)
{
    *f = (struct feed){.part = part, .fn = fn, .impl = fn->plan->fn->impl, .n = part->n};
    f->kernel = (struct tsfs_kernel_ctx){.arena = part->arena,
                                         .now = part->ctx->options.now,
                                         .err = part->err,
                                         .line = fn->plan->line,
                                         .column = fn->plan->column,
                                         .poll = exec_poll_kernel,
                                         .poll_ctx = part->ctx};
    tsfs_arena_init(&f->passing, part->ctx->options.budget);
    f->size = (f->impl->state_size + 15) / 16 * 16;
    f->state = tsfs_arena_calloc(part->arena, 1, f->size);
    f->args = TSFS_NEW_ARRAY(part->arena, struct tsfs_vec, fn->plan->nargs + 1);
    if (f->state == NULL || f->args == NULL)
        return -ENOMEM;
    const uint32_t *ids = part->ids;
    if (fn->filter != WINDOW_NO_COLUMN) {
        struct tsfs_vec pass;
        uint32_t *some = tsfs_arena_alloc(part->arena, (size_t)part->n * sizeof(*some));
        f->before = tsfs_arena_alloc(part->arena, ((size_t)part->n + 1) * sizeof(*f->before));
        if (some == NULL || f->before == NULL)
            return -ENOMEM;
        int rc = window_column(part, fn->filter, &pass);
        if (rc != 0)
            return rc;
        f->n = 0;
        for (uint32_t i = 0; i < part->n; i++) {
            f->before[i] = f->n;
            if (!tsfs_vec_null(&pass, i) && pass.b[i])
                some[f->n++] = ids[i];
        }
        f->before[part->n] = f->n;
        ids = some;
    }
    for (uint32_t k = 0; k < fn->plan->nargs; k++) {
        int rc = rows_gather(part->rows, part->arena, fn->args[k], ids, f->n, &f->args[k]);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int find_repeats(struct feed *f)
{
    const struct window_part *part = f->part;
    uint32_t nargs = f->fn->plan->nargs;
    enum tsfs_type *types = TSFS_NEW_ARRAY(part->arena, enum tsfs_type, nargs);
    struct tsfs_vec *slice = TSFS_NEW_ARRAY(part->arena, struct tsfs_vec, nargs);
    uint32_t *groups = tsfs_arena_alloc(part->arena, (size_t)f->n * sizeof(*groups));
    struct group_table seen = {0};
    struct tsfs_arena scratch;
    f->last_seen = tsfs_arena_alloc(part->arena, (size_t)f->n * sizeof(uint32_t));
    if (types == NULL || slice == NULL || groups == NULL || f->last_seen == NULL)
        return -ENOMEM;
    for (uint32_t k = 0; k < nargs; k++)
        types[k] = f->args[k].type;
    tsfs_arena_init(&scratch, part->ctx->options.budget);
    int rc = group_table_init(&seen, part->arena, nargs, types, sizeof(uint32_t));
    for (uint32_t from = 0; from < f->n && rc == 0; from += TSFS_BATCH_ROWS) {
        uint32_t n = f->n - from < TSFS_BATCH_ROWS ? f->n - from : TSFS_BATCH_ROWS;
        tsfs_arena_reset(&scratch);
        for (uint32_t k = 0; k < nargs && rc == 0; k++)
            rc = tsfs_vec_slice(&scratch, &f->args[k], from, n, &slice[k]);
        if (rc == 0)
            rc = group_rows(&seen, &scratch, slice, n, groups + from);
    }
    for (uint32_t i = 0; i < f->n && rc == 0; i++) {
        uint32_t *last = group_payload(&seen, groups[i]);
        f->last_seen[i] = *last;
        *last = i + 1;
    }
    group_table_free(&seen);
    tsfs_arena_free(&scratch);
    return rc;
}

/* Rows [from, to) of those whose value comes for the first time since `start`. */
static int update_distinct(struct feed *f, void *state, uint32_t start, uint32_t from, uint32_t to)
{
    int rc = 0;
    for (uint32_t i = from; i < to && rc == 0; i++)
        if (f->last_seen[i] <= start)
            rc = f->impl->update_run(&f->kernel, state, f->args, i, 1);
    return rc;
}

/* ---- results ---- */

/* A string or what is nested lies in the state, which goes on changing, or in what is made for the moment. */
static int keep_result(struct feed *f, uint32_t at)
{
    const struct window_fn *fn = f->fn;
    enum tsfs_type type = fn->plan->type;
    if (!tsfs_bit_get(fn->out.valid, at))
        return 0;
    if (tsfs_type_is_string(type)) {
        struct tsfs_str *s = (struct tsfs_str *)fn->out.data + at;
        *s = tsfs_arena_str(f->part->lasting, *s);
        return s->ptr == NULL ? -ENOMEM : 0;
    }
    if (!tsfs_type_is_nested(type))
        return 0;
    const void **p = (const void **)fn->out.data + at;
    return tsfs_nested_copy(f->part->lasting, type, *p, p);
}

static int put_result(struct feed *f, uint32_t row, const void *state)
{
    uint32_t at = f->part->at + row;
    struct tsfs_arena *of_state = f->kernel.arena;
    f->kernel.arena = &f->passing;
    int rc = f->impl->finish(&f->kernel, state, f->fn->out.data, f->fn->out.valid, at);
    f->kernel.arena = of_state;
    if (rc == 0)
        rc = keep_result(f, at);
    tsfs_arena_reset(&f->passing);
    return rc;
}

static void repeat_result(struct feed *f, uint32_t row)
{
    struct tsfs_vec v = {.type = f->fn->plan->type, .data = f->fn->out.data, .valid = f->fn->out.valid};
    uint32_t at = f->part->at + row;
    if (tsfs_bit_get(f->fn->out.valid, at - 1))
        tsfs_vec_put(&f->fn->out, f->fn->plan->type, at, &v, at - 1);
}

static uint32_t counted(const struct feed *f, uint32_t row)
{
    return f->before == NULL ? row : f->before[row];
}

/* ---- frames that grow ---- */

static bool only_grow(const struct feed *f, const struct window_frames *frames)
{
    for (uint32_t i = 1; i < f->part->n; i++)
        if (frames->from[i] != frames->from[0] || frames->to[i] < frames->to[i - 1])
            return false;
    return true;
}

static int grow(struct feed *f, const struct window_frames *frames)
{
    uint32_t start = counted(f, frames->from[0]), have = start;
    int rc = 0;
    for (uint32_t i = 0; i < f->part->n && rc == 0; i++) {
        uint32_t to = counted(f, frames->to[i]);
        if (i > 0 && to == have) {
            repeat_result(f, i);
            continue;
        }
        if (i % TSFS_BATCH_ROWS == 0 && (rc = exec_poll(f->part->ctx, f->part->err)) != 0)
            return rc;
        if (to > have)
            rc = f->last_seen != NULL ? update_distinct(f, f->state, start, have, to)
                                      : update(f, f->state, have, to);
        have = to > have ? to : have;
        if (rc == 0)
            rc = put_result(f, i, f->state);
    }
    return rc;
}

/* ---- frames that move ---- */

static uint32_t level_states(const struct feed *f, uint32_t level)
{
    uint32_t n = f->n / BLOCK_ROWS;
    return n >> level;
}

static int plant(struct feed *f)
{
    struct tsfs_arena *arena = f->part->arena;
    while (f->nlevels < 32 && level_states(f, f->nlevels) > 0)
        f->nlevels++;
    f->levels = TSFS_NEW_ARRAY(arena, char *, f->nlevels + 1);
    if (f->levels == NULL)
        return -ENOMEM;
    for (uint32_t k = 0; k < f->nlevels; k++) {
        uint32_t n = level_states(f, k);
        f->levels[k] = tsfs_arena_calloc(arena, n, f->size);
        if (f->levels[k] == NULL)
            return -ENOMEM;
        for (uint32_t i = 0; i < n; i++) {
            char *state = f->levels[k] + (size_t)i * f->size;
            int rc = i % 1024 == 0 ? exec_poll(f->part->ctx, f->part->err) : 0;
            if (rc == 0 && k == 0)
                rc = update(f, state, i * BLOCK_ROWS, (i + 1) * BLOCK_ROWS);
            for (uint32_t half = 0; half < 2 && k > 0 && rc == 0; half++)
                rc = f->impl->merge(&f->kernel, state, f->levels[k - 1] + (size_t)(2 * i + half) * f->size);
            if (rc != 0)
                return rc;
        }
    }
    return 0;
}

/* Rows [from, to) into a fresh state, in their order. */
static int query(struct feed *f, uint32_t from, uint32_t to)
{
    memset(f->state, 0, f->size);
    uint32_t first = (from + BLOCK_ROWS - 1) / BLOCK_ROWS, last = to / BLOCK_ROWS;
    if (first >= last)
        return update(f, f->state, from, to);
    int rc = update(f, f->state, from, first * BLOCK_ROWS);
    for (uint32_t at = first; at < last && rc == 0;) {
        uint32_t level = 0;
        while (level + 1 < f->nlevels && at % (UINT32_C(2) << level) == 0 &&
               at + (UINT32_C(2) << level) <= last)
            level++;
        rc = f->impl->merge(&f->kernel, f->state, f->levels[level] + (size_t)(at >> level) * f->size);
        at += UINT32_C(1) << level;
    }
    return rc != 0 ? rc : update(f, f->state, last * BLOCK_ROWS, to);
}

static int move(struct feed *f, const struct window_frames *frames)
{
    int rc = f->last_seen == NULL ? plant(f) : 0;
    uint32_t from = 0, to = 0;
    f->kernel.arena = &f->passing; /* a state lives for one row */
    for (uint32_t i = 0; i < f->part->n && rc == 0; i++) {
        uint32_t a = counted(f, frames->from[i]), b = counted(f, frames->to[i]);
        if (i > 0 && a == from && b == to) {
            repeat_result(f, i);
            continue;
        }
        if ((i % 64 == 0 || f->last_seen != NULL) && (rc = exec_poll(f->part->ctx, f->part->err)) != 0)
            return rc;
        from = a;
        to = b;
        if (f->last_seen != NULL) {
            memset(f->state, 0, f->size);
            rc = update_distinct(f, f->state, a, a, b);
        } else {
            rc = query(f, a, b);
        }
        if (rc == 0)
            rc = put_result(f, i, f->state);
    }
    return rc;
}

int window_aggregate(const struct window_part *part, const struct window_fn *fn)
{
    struct feed f;
    struct window_frames frames;
    int rc = feed_init(&f, part, fn);
    enum tsfs_op op = fn->plan->fn->op;
    if (rc == 0 && fn->plan->distinct && fn->plan->nargs > 0 && op != TSFS_OP_MIN && op != TSFS_OP_MAX)
        rc = find_repeats(&f);
    if (rc == 0)
        rc = window_frames(part, fn, &frames);
    if (rc == 0)
        rc = only_grow(&f, &frames) ? grow(&f, &frames) : move(&f, &frames);
    tsfs_arena_free(&f.passing);
    return rc;
}
