#include "engine/result.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/io.h"
#include "engine/engine_priv.h"

#define IN_MEMORY    (16u << 20)  /* bytes kept in memory */
#define PIECE        (256u << 10) /* short pieces are put together up to this many bytes */
#define WORTH_TAKING (16u << 10)  /* a buffer of as many bytes is kept as it is */

static int add_piece(struct result *r, struct tsfs_buf *buf)
{
    if (TSFS_ARRAY_ROOM(r->pieces, r->n, r->cap, 4) != 0)
        return -ENOMEM;
    r->pieces[r->n++] = (struct result_piece){.bytes = *buf, .at = r->in_memory};
    r->in_memory += buf->len;
    r->produced += buf->len;
    *buf = (struct tsfs_buf){0};
    return 0;
}

static int take_in_memory(struct result *r, struct tsfs_buf *buf)
{
    struct tsfs_buf *last = r->n ? &r->pieces[r->n - 1].bytes : NULL;
    if (!last || (buf->len >= WORTH_TAKING && last->len >= WORTH_TAKING) || last->len + buf->len > PIECE)
        return add_piece(r, buf);
    int rc = tsfs_buf_append(last, buf->data, buf->len);
    if (rc == 0) {
        r->in_memory += buf->len;
        r->produced += buf->len;
        buf->len = 0;
    }
    return rc;
}

int result_take(struct result *r, struct tsfs_engine *engine, struct tsfs_buf *buf)
{
    if (buf->len == 0)
        return 0;
    if (r->spill_fd < 0 && r->in_memory < IN_MEMORY)
        return take_in_memory(r, buf);
    if (r->spill_fd < 0) {
        int fd = tsfs_engine_tmpfile(engine);
        if (fd < 0)
            return fd;
        r->spill_fd = fd;
    }
    int rc = tsfs_io_write_all(r->spill_fd, buf->data, buf->len, (off_t)(r->produced - r->in_memory));
    if (rc == 0) {
        r->produced += buf->len;
        buf->len = 0;
    }
    return rc;
}

/* The piece with byte `offset` of memory. */
static size_t find_piece(const struct result *r, uint64_t offset)
{
    size_t lo = 0, hi = r->n;
    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;
        *(r->pieces[mid].at <= offset ? &lo : &hi) = mid;
    }
    return lo;
}

ssize_t result_read(const struct result *r, char *data, size_t len, uint64_t offset)
{
    size_t n = r->produced - offset < len ? (size_t)(r->produced - offset) : len, done = 0;
    for (size_t i = find_piece(r, offset); done < n && i < r->n; i++) {
        const struct result_piece *piece = &r->pieces[i];
        if (offset + done >= piece->at + piece->bytes.len)
            continue;
        size_t from = (size_t)(offset + done - piece->at), m = piece->bytes.len - from;
        if (m > n - done)
            m = n - done;
        memcpy(data + done, piece->bytes.data + from, m);
        done += m;
    }
    if (done < n) {
        int rc = tsfs_io_read_all(r->spill_fd, data + done, n - done, (off_t)(offset + done - r->in_memory));
        if (rc < 0)
            return rc;
    }
    return (ssize_t)n;
}

void result_free(struct result *r)
{
    for (size_t i = 0; i < r->n; i++)
        tsfs_buf_free(&r->pieces[i].bytes);
    free(r->pieces);
    if (r->spill_fd >= 0)
        tsfs_io()->close(r->spill_fd);
}
