/* Each lane reads one part at a time and formats its rows into a buffer of its own, until the part ends or
 * the buffer is full.  The buffers of the earliest parts, as far as these are read to their ends, are the
 * next bytes of the result.
 *
 * Lanes are filled by idle workers, earliest part first, and go on being filled while a reply is copied and
 * its reader uses it; a reader that finds the next lane not ready fills lanes, too, or waits for the one that
 * is being filled.  A lane whose buffer is full waits until those before it are through, and parts are given
 * out only as rows are taken: what is made ahead of a reader that pauses is bounded by the lanes.  These are
 * few at first, so that the first rows come early. */
#include "engine/query_lanes.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/time.h"

#define LANES      16u
#define LANE_BYTES (512u << 10)

enum lane_state {
    LANE_OPEN, /* may be filled */
    LANE_BUSY, /* somebody does */
    LANE_FULL,
    LANE_ENDED /* its part, or with rc < 0 all */
};

struct lane {
    enum lane_state state; /* under the lock; the rest is of who fills it, or of the reader */
    struct tsfs_exec_stream *stream;
    struct tsfs_formatter *formatter;
    struct tsfs_buf text;
    int rc;
    struct tsfs_error err;
};

struct query_lanes {
    struct query_lanes_options options;
    struct tsfs_pool_job *job;
    pthread_mutex_t lock;
    pthread_cond_t filled;
    bool waiting;             /* the reader, for the lane at the head */
    atomic_bool closing;      /* nothing more is wanted */
    struct lane lanes[LANES]; /* a ring: those with parts are [head, head + used) */
    unsigned room;            /* lanes of the ring */
    unsigned head, used, width;
    size_t charged;     /* of the query's memory */
    unsigned put_off;   /* calls for a worker that came too late */
    unsigned busy;      /* lanes that are being filled */
    int64_t busy_since; /* when the first of them began */
    int64_t worked;     /* how long lanes were filled before that: ns */
    uint32_t nparts, next_part;
};

static struct lane *lane_at(struct query_lanes *lanes, size_t i)
{
    return &lanes->lanes[(lanes->head + i) % lanes->room];
}

/* ---- filling, by any thread ---- */

static void fill(struct query_lanes *lanes, struct lane *lane)
{
    struct tsfs_batch *batch;
    int rc = 1;
    while (rc > 0 && lane->text.len < LANE_BYTES &&
           !atomic_load_explicit(&lanes->closing, memory_order_relaxed)) {
        rc = tsfs_exec_stream_next(lane->stream, &batch, &lane->err);
        if (rc > 0) {
            rc = tsfs_format_batch(lane->formatter, batch, &lane->text);
            rc = rc == 0 ? 1 : rc;
        }
    }
    lane->rc = rc;
}

/* Fills the earliest lane that waits for it; false: none does.  Under the lock. */
static bool fill_one(struct query_lanes *lanes)
{
    struct lane *lane = NULL;
    for (unsigned i = 0; i < lanes->used && lane == NULL; i++)
        if (lane_at(lanes, i)->state == LANE_OPEN)
            lane = lane_at(lanes, i);
    if (lane == NULL)
        return false;
    lane->state = LANE_BUSY;
    if (lanes->busy++ == 0)
        lanes->busy_since = tsfs_time_monotonic();
    pthread_mutex_unlock(&lanes->lock);
    fill(lanes, lane);
    pthread_mutex_lock(&lanes->lock);
    if (--lanes->busy == 0)
        lanes->worked += tsfs_time_monotonic() - lanes->busy_since;
    lane->state = lane->rc > 0 ? LANE_FULL : LANE_ENDED;
    if (lanes->waiting && lane == lane_at(lanes, 0))
        pthread_cond_signal(&lanes->filled);
    return true;
}

/* For a reader that has been away for all of the query's time nothing is begun: the time may have passed with
 * no work done. */
static void work(void *ctx)
{
    struct query_lanes *lanes = ctx;
    bool late = tsfs_exec_late(lanes->options.exec);
    pthread_mutex_lock(&lanes->lock);
    if (late)
        lanes->put_off++;
    else if (!lanes->closing)
        fill_one(lanes);
    pthread_mutex_unlock(&lanes->lock);
}

/* ---- the reader ---- */

/* As many lanes as there is memory for, one in any case.  Their buffers may fill an eighth of what is left of
 * it: the query itself must not run out of memory because several threads work for it. */
static void charge(struct query_lanes *lanes)
{
    struct tsfs_budget *budget = lanes->options.budget;
    bool limited = budget && budget->limit > 0;
    size_t used = limited ? budget->used : 0,
           most = limited && used < budget->limit ? budget->limit - used : 0;
    while (lanes->room < LANES) {
        if (limited && (lanes->charged + LANE_BYTES > most / 8 || !tsfs_budget_charge(budget, LANE_BYTES)))
            break;
        lanes->charged += limited ? LANE_BYTES : 0;
        lanes->room++;
    }
    if (lanes->room == 0)
        lanes->room = 1;
}

int query_lanes_open(const struct query_lanes_options *options, struct query_lanes **out,
                     struct tsfs_error *err)
{
    uint32_t nparts = 0;
    int rc = 0;
    *out = NULL;
    if (options->format != TSFS_FORMAT_TEXT)
        rc = tsfs_exec_parts(options->exec, TSFS_EXEC_PARTS_LEAST, &nparts, err);
    if (rc < 0 || nparts == 0)
        return rc;
    struct query_lanes *lanes = calloc(1, sizeof(*lanes));
    if (!lanes)
        return -ENOMEM;
    lanes->options = *options;
    rc = tsfs_pool_job_create(options->pool, work, lanes, &lanes->job);
    if (rc < 0) {
        free(lanes);
        return rc;
    }
    pthread_mutex_init(&lanes->lock, NULL);
    pthread_cond_init(&lanes->filled, NULL);
    charge(lanes);
    lanes->nparts = nparts;
    lanes->width = 2 * (tsfs_pool_threads(options->pool) + 1);
    *out = lanes;
    return 0;
}

int64_t query_lanes_worked(struct query_lanes *lanes)
{
    pthread_mutex_lock(&lanes->lock);
    int64_t worked = lanes->worked + (lanes->busy > 0 ? tsfs_time_monotonic() - lanes->busy_since : 0);
    pthread_mutex_unlock(&lanes->lock);
    return worked;
}

void query_lanes_close(struct query_lanes *lanes)
{
    if (!lanes)
        return;
    lanes->closing = true;
    tsfs_exec_stop(lanes->options.exec); /* who has found no row yet does not look at closing */
    tsfs_pool_job_free(lanes->job);
    for (unsigned i = 0; i < LANES; i++) {
        tsfs_format_free(lanes->lanes[i].formatter);
        tsfs_buf_free(&lanes->lanes[i].text);
    }
    if (lanes->charged > 0)
        tsfs_budget_release(lanes->options.budget, lanes->charged);
    pthread_cond_destroy(&lanes->filled);
    pthread_mutex_destroy(&lanes->lock);
    free(lanes);
}

static int open_lane(struct query_lanes *lanes, struct lane *lane, struct tsfs_error *err)
{
    const struct query_lanes_options *o = &lanes->options;
    int rc = tsfs_exec_stream_open(o->exec, &lane->stream, err);
    return rc < 0 ? rc : tsfs_format_create(o->format, o->names, o->types, o->ncols, &lane->formatter);
}

/* Lanes that there is no memory for are none: those from `opened` on have never been given anything. */
static void narrow(struct query_lanes *lanes, unsigned opened, struct tsfs_error *err)
{
    size_t spare = lanes->charged > 0 ? (size_t)(lanes->room - opened) * LANE_BYTES : 0;
    if (spare > 0)
        tsfs_budget_release(lanes->options.budget, spare);
    lanes->charged -= spare;
    tsfs_error_clear(err);
    pthread_mutex_lock(&lanes->lock);
    lanes->room = opened;
    pthread_mutex_unlock(&lanes->lock);
}

static int give_parts(struct query_lanes *lanes, struct tsfs_error *err)
{
    unsigned used = lanes->used, before = used;
    int rc = 0;
    while (used < lanes->room && used < lanes->width && lanes->next_part < lanes->nparts) {
        struct lane *lane = lane_at(lanes, used);
        if (!lane->formatter && (rc = open_lane(lanes, lane, err)) < 0) {
            unsigned opened = (unsigned)(lane - lanes->lanes);
            if (rc != -ENOMEM || opened == 0)
                break;
            narrow(lanes, opened, err);
            rc = 0;
            continue;
        }
        tsfs_exec_stream_part(lane->stream, lanes->next_part++);
        lane->state = LANE_OPEN;
        used++;
    }
    pthread_mutex_lock(&lanes->lock);
    lanes->used = used;
    pthread_mutex_unlock(&lanes->lock);
    tsfs_pool_job_add(lanes->job, used - before);
    return rc;
}

/* Until the first lane is full or at its end. */
static void await_head(struct query_lanes *lanes)
{
    struct lane *lane = lane_at(lanes, 0);
    pthread_mutex_lock(&lanes->lock);
    while (lane->state == LANE_OPEN || lane->state == LANE_BUSY) {
        if (fill_one(lanes))
            continue;
        lanes->waiting = true;
        pthread_cond_wait(&lanes->filled, &lanes->lock);
        lanes->waiting = false;
    }
    pthread_mutex_unlock(&lanes->lock);
}

static void take_head(struct query_lanes *lanes)
{
    struct lane *lane = lane_at(lanes, 0);
    pthread_mutex_lock(&lanes->lock);
    bool more = lane->state == LANE_FULL;
    if (more) {
        lane->state = LANE_OPEN;
    } else {
        lanes->head = (lanes->head + 1) % lanes->room;
        lanes->used--;
    }
    pthread_mutex_unlock(&lanes->lock);
    if (more)
        tsfs_pool_job_add(lanes->job, 1);
}

int query_lanes_round(struct query_lanes *lanes, struct result *result, struct tsfs_engine *engine,
                      struct tsfs_error *err)
{
    int rc = lanes->used == 0 ? give_parts(lanes, err) : 0;
    if (rc < 0)
        return rc;
    pthread_mutex_lock(&lanes->lock);
    unsigned put_off = lanes->put_off;
    lanes->put_off = 0;
    pthread_mutex_unlock(&lanes->lock);
    if (put_off > 0)
        tsfs_pool_job_add(lanes->job, put_off);
    await_head(lanes);
    struct lane *lane = lane_at(lanes, 0);
    if (lane->rc < 0) {
        if (err)
            *err = lane->err;
        return lane->rc;
    }
    rc = result_take(result, engine, &lane->text);
    if (rc < 0)
        return tsfs_error_set(err, rc, "cannot keep the result: %s", strerror(-rc));
    take_head(lanes);
    lanes->width = 2 * lanes->width < LANES ? 2 * lanes->width : LANES;
    rc = give_parts(lanes, err);
    return rc < 0 ? rc : lanes->used > 0;
}
