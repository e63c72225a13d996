/* Reading a log after a stop of any kind.
 *
 * Records follow one another without gaps, so the first one that does not pass its checks ends the readable
 * part; the question is what it means.  Three things leave such a place behind:
 *
 *  - the daemon or the machine stopped while the last record was being written.  Nothing good follows: a torn
 *    tail, cut off without a word (*torn_bytes says how much);
 *  - the machine lost power with several records not yet synced.  The kernel writes pages back in any order,
 *    so a later record may have reached the disk while a page of an earlier one did not: that page reads as
 *    zeros up to its end.  None of these records was ever promised to be on disk: a torn tail as well;
 *  - the bytes were damaged.  Cutting there would throw away good rows that follow: the caller gets -EBADMSG
 *    and the file is left alone.
 *
 * To tell the last two apart every frame says how much of the log was known to be on disk when it was
 * written. The search goes on byte by byte behind the bad place for records that pass (the checksum is seeded
 * with the offset, so bytes of a payload that look like a record do not).  If one of them vouches for the bad
 * place, or if no page edge in the gap shows the zeros of a lost page, it is damage.
 *
 * The search hashes at most SEARCH_FACTOR times what is left of the file, so that a file made to slow it down
 * cannot; past that it is called damaged. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/limits.h"
#include "wal/wal.h"
#include "wal/wal_priv.h"

#define WINDOW        (1u << 20) /* bytes read at a time */
#define PAGE          4096u
#define PAGE_EDGE     32u /* zeros before a page's end that count as a lost page */
#define SEARCH_FACTOR 8u

struct reader {
    int fd;
    uint64_t size;
    uint8_t *buf;
    size_t cap, len;
    uint64_t at; /* file offset of buf[0] */
};

/* The n bytes at offset, which lie inside the file; borrowed until the next call. */
static int fetch(struct reader *r, uint64_t offset, size_t n, const uint8_t **out)
{
    if (offset < r->at || offset + n > r->at + r->len) {
        size_t want = n > WINDOW ? n : WINDOW;
        if (want > r->size - offset)
            want = (size_t)(r->size - offset);
        if (want > r->cap) {
            uint8_t *grown = realloc(r->buf, want);
            if (!grown)
                return -ENOMEM;
            r->buf = grown;
            r->cap = want;
        }
        r->len = 0;
        int rc = tsfs_io_read_all(r->fd, r->buf, want, (off_t)offset);
        if (rc < 0)
            return rc;
        r->at = offset;
        r->len = want;
    }
    *out = r->buf + (offset - r->at);
    return 0;
}

/* 1 and the record at offset, 0 if there is none that passes. */
static int read_record(struct reader *r, uint64_t offset, struct wal_frame *frame, const uint8_t **payload)
{
    const uint8_t *p;
    if (r->size - offset < TSFS_WAL_FRAME_BYTES)
        return 0;
    int rc = fetch(r, offset, TSFS_WAL_FRAME_BYTES, &p);
    if (rc)
        return rc;
    if (wal_frame_decode(p, offset, frame) != 0 || frame->len > r->size - offset - TSFS_WAL_FRAME_BYTES)
        return 0;
    rc = fetch(r, offset, TSFS_WAL_FRAME_BYTES + (size_t)frame->len, &p);
    if (rc)
        return rc;
    *payload = p + TSFS_WAL_FRAME_BYTES;
    return wal_frame_verify(p, offset, frame, *payload) == 0;
}

/* 1 if some page that ends in (from, to] looks never written in its last bytes. */
static int lost_page(struct reader *r, uint64_t from, uint64_t to)
{
    static const uint8_t zero[PAGE_EDGE];
    for (uint64_t end = from - from % PAGE + PAGE; end <= to; end += PAGE) {
        const uint8_t *p;
        size_t n = end - from < PAGE_EDGE ? (size_t)(end - from) : PAGE_EDGE;
        int rc = fetch(r, end - n, n, &p);
        if (rc)
            return rc;
        if (memcmp(p, zero, n) == 0)
            return 1;
    }
    return 0;
}

/* 1 if what lies behind the bad record at `bad` shows damage, 0 if it is a torn tail. */
static int search_damage(struct reader *r, uint64_t bad)
{
    uint64_t first_good = 0, hashed = 0, left = (r->size - bad) * SEARCH_FACTOR;
    for (uint64_t at = bad + 1; r->size - at >= TSFS_WAL_FRAME_BYTES && at < r->size;) {
        static const uint8_t mark[4] = {'T', 'S', 'W', 'R'};
        const uint8_t *p, *hit, *payload;
        struct wal_frame frame;
        size_t n = r->size - at < WINDOW / 2 ? (size_t)(r->size - at) : WINDOW / 2;
        int rc = fetch(r, at, n, &p);
        if (rc)
            return rc;
        hit = memmem(p, n, mark, sizeof(mark));
        if (!hit) {
            at += n < WINDOW / 2 ? n : n - (sizeof(mark) - 1);
            continue;
        }
        at += (uint64_t)(hit - p);
        if (r->size - at >= TSFS_WAL_FRAME_BYTES && wal_frame_decode(hit, at, &frame) == 0 &&
            frame.len <= r->size - at - TSFS_WAL_FRAME_BYTES) {
            hashed += frame.len;
            if (hashed > left)
                return 1;
        }
        rc = read_record(r, at, &frame, &payload);
        if (rc < 0)
            return rc;
        if (rc == 0) {
            at++;
            continue;
        }
        if (frame.synced > bad)
            return 1;
        if (!first_good)
            first_good = at;
        at += TSFS_WAL_FRAME_BYTES + frame.len;
    }
    if (!first_good)
        return 0;
    int lost = lost_page(r, bad, first_good);
    return lost < 0 ? lost : !lost;
}

static int read_all(struct reader *r, const char *path,
                    int (*apply)(void *ctx, const void *payload, size_t len, struct tsfs_error *err),
                    void *ctx, uint64_t *good, struct tsfs_error *err)
{
    const uint8_t *p;
    uint32_t version = 0;
    int rc;
    *good = 0;
    if (r->size < WAL_HEADER_BYTES)
        return 0;
    rc = fetch(r, 0, WAL_HEADER_BYTES, &p);
    if (rc)
        return rc;
    rc = wal_header_check(p, &version);
    if (rc == -EPROTONOSUPPORT)
        return tsfs_error_set(err, rc, "log %s: version %u is not known here (%u to %u are)", path,
                              (unsigned)version, WAL_OLDEST, WAL_VERSION);
    if (rc)
        return 0;
    *good = WAL_HEADER_BYTES;
    while (*good < r->size) {
        struct wal_frame frame;
        rc = read_record(r, *good, &frame, &p);
        if (rc <= 0)
            return rc;
        rc = apply(ctx, p, frame.len, err);
        if (rc) {
            tsfs_error_set(err, rc, "%s", strerror(rc < 0 ? -rc : rc));
            tsfs_error_prefix(err, "log %s: record at byte %llu", path, (unsigned long long)*good);
            return rc;
        }
        *good += TSFS_WAL_FRAME_BYTES + frame.len;
    }
    return 0;
}

int tsfs_wal_recover(int dirfd, const char *path, bool read_only,
                     int (*apply)(void *ctx, const void *payload, size_t len, struct tsfs_error *err),
                     void *ctx, uint64_t *good_size, uint64_t *torn_bytes, struct tsfs_error *err)
{
    struct stat st;
    struct reader r = {.fd = -1};
    *good_size = *torn_bytes = 0;
    int rc = tsfs_io()->openat(dirfd, path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC, 0);
    if (rc < 0)
        goto out;
    r.fd = rc;
    rc = tsfs_io()->fstat(r.fd, &st);
    if (rc < 0)
        goto out;
    r.size = (uint64_t)st.st_size;
    rc = read_all(&r, path, apply, ctx, good_size, err);
    if (rc || *good_size == r.size)
        goto out;
    rc = search_damage(&r, *good_size);
    if (rc == 1)
        rc = tsfs_error_set(
            err, -EBADMSG,
            "log %s: damaged at byte %llu, with good records after it; the file is kept as it is", path,
            (unsigned long long)*good_size);
    if (rc)
        goto out;
    *torn_bytes = r.size - *good_size;
    if (!read_only) {
        rc = tsfs_io()->ftruncate(r.fd, (off_t)*good_size);
        if (rc >= 0)
            rc = tsfs_io()->fdatasync(r.fd);
    }
out:
    if (rc < 0)
        tsfs_error_set(err, rc, "log %s: %s", path, strerror(-rc));
    if (r.fd >= 0)
        tsfs_io()->close(r.fd);
    free(r.buf);
    return rc < 0 ? rc : 0;
}
