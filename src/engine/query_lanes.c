/* Each lane reads one part at a time and formats its rows into a buffer of its own.  A round runs all lanes
 * that have a part and room, on the pool; then the buffers of the earliest parts, as far as these are read
 * to their ends, are the next bytes of the result.  A lane whose buffer is full waits until the lanes before
 * it are through, so what is made ahead of the reader is bounded by the lanes.  The first rounds are short,
 * so that the first rows come early. */
#include "engine/query_lanes.h"

#include <errno.h>
#include <stdlib.h>

#define LANES      16u
#define LANE_BYTES (512u << 10)

struct lane {
    struct tsfs_exec_stream *stream;
    struct tsfs_formatter *formatter;
    struct tsfs_buf text;
    bool ended; /* its part */
    int rc;
    struct tsfs_error err;
};

struct query_lanes {
    struct query_lanes_options options;
    struct lane lanes[LANES]; /* a ring: those with parts are [head, head + used) */
    unsigned head, used, width;
    uint32_t nparts, next_part;
};

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
    lanes->nparts = nparts;
    lanes->width = 2 * (tsfs_pool_threads(options->pool) + 1);
    *out = lanes;
    return 0;
}

void query_lanes_close(struct query_lanes *lanes)
{
    if (!lanes)
        return;
    for (unsigned i = 0; i < LANES; i++) {
        tsfs_format_free(lanes->lanes[i].formatter);
        tsfs_buf_free(&lanes->lanes[i].text);
    }
    free(lanes);
}

static struct lane *lane_at(struct query_lanes *lanes, size_t i)
{
    return &lanes->lanes[(lanes->head + i) % LANES];
}

static int give_parts(struct query_lanes *lanes, struct tsfs_error *err)
{
    const struct query_lanes_options *o = &lanes->options;
    while (lanes->used < LANES && lanes->used < lanes->width && lanes->next_part < lanes->nparts) {
        struct lane *lane = lane_at(lanes, lanes->used);
        int rc = 0;
        if (!lane->stream)
            rc = tsfs_exec_stream_open(o->exec, &lane->stream, err);
        if (rc == 0 && !lane->formatter)
            rc = tsfs_format_create(o->format, o->names, o->types, o->ncols, &lane->formatter);
        if (rc < 0)
            return rc;
        tsfs_exec_stream_part(lane->stream, lanes->next_part++);
        lane->ended = false;
        lane->rc = 0;
        lanes->used++;
    }
    return 0;
}

static int fill(void *ctx, size_t i, unsigned worker)
{
    struct lane *lane = lane_at(ctx, i);
    struct tsfs_batch *batch;
    int rc = 0;
    while (rc >= 0 && !lane->ended && lane->text.len < LANE_BYTES) {
        rc = tsfs_exec_stream_next(lane->stream, &batch, &lane->err);
        lane->ended = rc == 0;
        if (rc > 0)
            rc = tsfs_format_batch(lane->formatter, batch, &lane->text);
    }
    lane->rc = rc < 0 ? rc : 0;
    return lane->rc;
}

int query_lanes_round(struct query_lanes *lanes, struct result *result, struct tsfs_engine *engine,
                      struct tsfs_error *err)
{
    int rc = give_parts(lanes, err);
    if (rc < 0)
        return rc;
    rc = tsfs_pool_run(lanes->options.pool, fill, lanes, lanes->used);
    for (unsigned i = 0; rc < 0 && i < lanes->used; i++) {
        const struct lane *lane = lane_at(lanes, i);
        if (lane->rc == 0)
            continue;
        if (err)
            *err = lane->err;
        return lane->rc;
    }
    if (rc < 0)
        return rc;
    lanes->width = 2 * lanes->width < LANES ? 2 * lanes->width : LANES;
    for (bool ended = true; ended && lanes->used > 0;) {
        struct lane *lane = lane_at(lanes, 0);
        rc = result_take(result, engine, &lane->text);
        if (rc < 0)
            return tsfs_error_set(err, rc, "cannot keep the result: %s", strerror(-rc));
        ended = lane->ended;
        if (ended) {
            lanes->head = (lanes->head + 1) % LANES;
            lanes->used--;
        }
    }
    return lanes->used > 0 || lanes->next_part < lanes->nparts;
}
