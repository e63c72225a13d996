#include "engine/ring.h"

#include <errno.h>

#include "base/io.h"
#include "base/time.h"

void ring_init(struct ring *ring, size_t max)
{
    memset(ring, 0, sizeof(*ring));
    pthread_mutex_init(&ring->lock, NULL);
    ring->max = max;
    ring->mtime = tsfs_time_now();
}

void ring_free(struct ring *ring)
{
    tsfs_buf_free(&ring->text);
    pthread_mutex_destroy(&ring->lock);
}

/* Drops whole lines from the front until n more bytes fit. */
static void make_room(struct ring *ring, size_t n)
{
    struct tsfs_buf *t = &ring->text;
    if (t->len + n <= ring->max)
        return;
    size_t cut = t->len + n - ring->max;
    if (cut < t->len) {
        /* a quarter at once, so that a full ring is not moved for every entry */
        if (cut < ring->max / 4 && ring->max / 4 < t->len)
            cut = ring->max / 4;
        const char *end = memchr(t->data + cut, '\n', t->len - cut);
        cut = end ? (size_t)(end - t->data) + 1 : t->len;
    } else {
        cut = t->len;
    }
    memmove(t->data, t->data + cut, t->len - cut);
    t->len -= cut;
}

uint64_t ring_append(struct ring *ring, struct tsfs_str text)
{
    if (text.len && text.ptr[text.len - 1] == '\n')
        text.len--;
    if (text.len + 1 > ring->max)
        text.len = ring->max - 1;
    uint64_t mark = 0;
    pthread_mutex_lock(&ring->lock);
    make_room(ring, text.len + 1);
    if (tsfs_buf_reserve(&ring->text, text.len + 1) == 0) {
        char *at = ring->text.data + ring->text.len;
        if (text.len)
            memcpy(at, text.ptr, text.len);
        at[text.len] = '\n';
        ring->text.len += text.len + 1;
        ring->appended += text.len + 1;
        ring->last = text.len + 1;
        ring->changed = true;
        mark = ring->appended;
    }
    ring->mtime = tsfs_time_now();
    pthread_mutex_unlock(&ring->lock);
    return mark;
}

void ring_retract(struct ring *ring, uint64_t mark)
{
    pthread_mutex_lock(&ring->lock);
    if (mark && mark == ring->appended && ring->last <= ring->text.len) {
        ring->text.len -= ring->last;
        ring->appended++; /* the mark is used up */
        ring->changed = true;
        ring->mtime = tsfs_time_now();
    }
    pthread_mutex_unlock(&ring->lock);
}

int ring_render(struct ring *ring, struct tsfs_buf *out)
{
    pthread_mutex_lock(&ring->lock);
    int rc = tsfs_buf_append(out, ring->text.data, ring->text.len);
    pthread_mutex_unlock(&ring->lock);
    return rc;
}

int64_t ring_mtime(struct ring *ring)
{
    pthread_mutex_lock(&ring->lock);
    int64_t t = ring->mtime;
    pthread_mutex_unlock(&ring->lock);
    return t;
}

int ring_load(struct ring *ring, int dirfd, const char *path)
{
    struct tsfs_buf text = {0};
    int rc = tsfs_io_read_file(dirfd, path, 2 * ring->max, &text);
    if (rc == 0)
        ring_append(ring, tsfs_buf_str(&text));
    tsfs_buf_free(&text);
    ring->changed = false;
    return rc == -ENOENT || rc == -EFBIG ? 0 : rc;
}

int ring_save(struct ring *ring, int dirfd, const char *path)
{
    int rc = 0;
    pthread_mutex_lock(&ring->lock);
    if (ring->changed)
        rc = tsfs_io_replace_file(dirfd, path, ring->text.data, ring->text.len, 0600);
    ring->changed = ring->changed && rc < 0;
    pthread_mutex_unlock(&ring->lock);
    return rc;
}
