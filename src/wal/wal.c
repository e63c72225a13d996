/* Appending to a log, and making it durable.
 *
 * One thread appends, any thread syncs.  Every write goes to an explicit offset, so a record that could not
 * be written whole is simply cut off again and the next one takes its place.
 *
 * Group commit: appends are numbered (seq).  A caller of sync wants everything up to the number it finds on
 * entry.  If no fdatasync is running it becomes the leader: it notes the newest number, drops the lock,
 * syncs, and marks all up to that number as synced; those that came meanwhile wait for the leader and are
 * either covered by its sync (they came before it noted the number) or the first of them leads the next one
 * for all the rest.  So any number of waiting writers costs at most two syncs.
 *
 * The entry of a log file in its folder is made durable by the first sync, not at creation: a backfill that
 * opens a thousand logs does not pay a thousand fsyncs.
 *
 * After a failed fdatasync the kernel may have dropped the dirty pages and marked them clean, so trying again
 * proves nothing: the error stays, for syncs and for appends alike.  One that only kept a file from being
 * opened does not stay.
 *
 * A log may be abandoned, and its file and folder may go, while a sync is under way: what that meets with
 * then is nobody's loss.
 *
 * Lock: wal->lock guards the descriptor's life, the numbers and the errors.  It is a leaf: nothing is called
 * with it held but open, fstat and close of this file. */
#include "wal/wal.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/limits.h"
#include "wal/wal_priv.h"

#define COPY_MAX                                                                                             \
    4096u /* records up to this are framed in a buffer on the stack: one write instead of two                \
           */

struct tsfs_wal {
    int dirfd;
    char *path;   /* owned */
    char *folder; /* owned: where path's entry is */
    pthread_mutex_t lock;
    pthread_cond_t done; /* a sync has ended, or the descriptor is no longer in use */
    int fd;              /* -1 while closed */
    unsigned users;      /* calls under way on fd */
    bool syncing, folder_synced, abandoned;
    bool old;                     /* its version is not the one that is written: nothing is appended */
    int append_error, sync_error; /* sticky */
    uint64_t undo_to;             /* where the last record began; 0 = nothing to take back */
    uint64_t synced;              /* bytes known to be on disk */
    uint64_t cut;                 /* lowest size that undo went back to while a sync ran */
    uint64_t synced_seq;
    _Atomic uint64_t seq; /* changes to the file so far */
    _Atomic uint64_t clean_seq;
    _Atomic uint64_t size;
};

static int open_file(struct tsfs_wal *wal, int flags, uint64_t *size)
{
    struct stat st;
    int fd = tsfs_io()->openat(wal->dirfd, wal->path, flags | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0)
        return fd;
    int rc = tsfs_io()->fstat(fd, &st);
    if (rc < 0) {
        tsfs_io()->close(fd);
        return rc;
    }
    *size = (uint64_t)st.st_size;
    wal->fd = fd;
    return 0;
}

/* Takes the descriptor for one call.  Lock held. */
static int acquire(struct tsfs_wal *wal)
{
    if (wal->fd < 0) {
        uint64_t size;
        int rc = open_file(wal, 0, &size);
        if (rc)
            return rc;
        if (size < atomic_load(&wal->size)) { /* someone has cut the file under us */
            tsfs_io()->close(wal->fd);
            wal->fd = -1;
            return -ESTALE;
        }
    }
    wal->users++;
    return 0;
}

static void release(struct tsfs_wal *wal)
{
    if (--wal->users == 0)
        pthread_cond_broadcast(&wal->done);
}

static int write_header(struct tsfs_wal *wal)
{
    uint8_t header[WAL_HEADER_BYTES];
    wal_header_encode(header);
    int rc = tsfs_io_write_all(wal->fd, header, sizeof(header), 0);
    return rc < 0 ? rc : 0;
}

/* A log of size 0 is new, or what recovery has found to hold nothing: never one with a good header. */
static int begin_log(struct tsfs_wal *wal, uint64_t size, struct tsfs_error *err)
{
    uint8_t header[WAL_HEADER_BYTES];
    uint32_t version;
    int rc = 0;
    if (size >= sizeof(header)) {
        rc = tsfs_io_read_all(wal->fd, header, sizeof(header), 0);
        if (rc < 0)
            goto out;
        rc = wal_header_check(header, &version);
        if (rc != -EBADMSG)
            return tsfs_error_set(err, -EEXIST, "log %s: a log is there already", wal->path);
    }
    rc = size ? tsfs_io()->ftruncate(wal->fd, 0) : 0;
    if (rc == 0)
        rc = write_header(wal);
out:
    return rc ? tsfs_error_set(err, rc, "log %s: %s", wal->path, strerror(-rc)) : 0;
}

/* Of one that recovery has read.  One that holds nothing takes on today's version; a crash that cuts its
 * header short loses nothing. */
static int note_version(struct tsfs_wal *wal, uint64_t size)
{
    uint8_t header[WAL_HEADER_BYTES];
    uint32_t version;
    int rc = tsfs_io_read_all(wal->fd, header, sizeof(header), 0);
    if (rc >= 0)
        rc = wal_header_check(header, &version);
    if (rc < 0)
        return rc;
    wal->old = version != WAL_VERSION && size > WAL_HEADER_BYTES;
    return version != WAL_VERSION && !wal->old ? write_header(wal) : 0;
}

int tsfs_wal_open(int dirfd, const char *path, uint64_t size, struct tsfs_wal **out, struct tsfs_error *err)
{
    int rc;
    uint64_t real;
    bool found = size > 0;
    struct tsfs_wal *wal = calloc(1, sizeof(*wal));
    if (!wal)
        return -ENOMEM;
    wal->fd = -1;
    wal->dirfd = dirfd;
    wal->cut = UINT64_MAX;
    pthread_mutex_init(&wal->lock, NULL);
    pthread_cond_init(&wal->done, NULL);
    const char *slash = strrchr(path, '/');
    wal->path = strdup(path);
    wal->folder = slash ? strndup(path, slash > path ? (size_t)(slash - path) : 1) : strdup(".");
    if (!wal->path || !wal->folder) {
        rc = -ENOMEM;
        goto out;
    }
    if (size != 0 && size < WAL_HEADER_BYTES) {
        rc = tsfs_error_set(err, -EINVAL, "log %s: no log ends at byte %llu", path, (unsigned long long)size);
        goto out;
    }
    rc = open_file(wal, size ? 0 : O_CREAT, &real);
    if (rc) {
        tsfs_error_set(err, rc, "log %s: %s", path, strerror(-rc));
        goto out;
    }
    if (size == 0) {
        rc = begin_log(wal, real, err);
        size = WAL_HEADER_BYTES;
    } else if (real < size) {
        rc = tsfs_error_set(err, -ESTALE, "log %s: shorter than it was a moment ago", path);
    } else if (real > size) { /* recovery has not cut it (read only): nothing after the good part may stay */
        rc = tsfs_io()->ftruncate(wal->fd, (off_t)size);
        if (rc)
            tsfs_error_set(err, rc, "log %s: %s", path, strerror(-rc));
    }
    if (rc == 0 && found) {
        rc = note_version(wal, size);
        if (rc)
            tsfs_error_set(err, rc, "log %s: %s", path, strerror(-rc));
    }
    if (rc)
        goto out;
    atomic_store(&wal->size, size);
    /* What was found may be in the page cache only, if the daemon was killed before its sync. */
    atomic_store(&wal->seq, size > WAL_HEADER_BYTES);
    *out = wal;
    return 0;
out:
    tsfs_wal_close(wal);
    return rc;
}

static int write_record(struct tsfs_wal *wal, uint64_t at, uint64_t synced, uint8_t *framed,
                        const void *payload, size_t len)
{
    uint8_t small[TSFS_WAL_FRAME_BYTES + COPY_MAX];
    uint8_t *frame = framed ? framed : small;
    wal_frame_encode(frame, at, synced, payload, len);
    if (!framed && len <= COPY_MAX) {
        memcpy(small + TSFS_WAL_FRAME_BYTES, payload, len);
        framed = small;
    }
    if (framed)
        return tsfs_io_write_all(wal->fd, framed, TSFS_WAL_FRAME_BYTES + len, (off_t)at);
    int rc = tsfs_io_write_all(wal->fd, frame, TSFS_WAL_FRAME_BYTES, (off_t)at);
    return rc < 0 ? rc : tsfs_io_write_all(wal->fd, payload, len, (off_t)(at + TSFS_WAL_FRAME_BYTES));
}

static int append(struct tsfs_wal *wal, uint8_t *framed, const void *payload, size_t len,
                  struct tsfs_error *err)
{
    int rc;
    if (len == 0 || len > TSFS_WAL_RECORD_MAX)
        return tsfs_error_set(err, len ? -E2BIG : -EINVAL, "log %s: a record of %zu bytes", wal->path, len);
    if (wal->old)
        return tsfs_error_set(err, -EPROTONOSUPPORT, "log %s: is of an older version", wal->path);
    pthread_mutex_lock(&wal->lock);
    rc = wal->append_error ? wal->append_error : wal->sync_error;
    if (!rc)
        rc = acquire(wal);
    uint64_t at = atomic_load(&wal->size), synced = wal->synced;
    pthread_mutex_unlock(&wal->lock);
    if (rc)
        return tsfs_error_set(err, rc, "log %s: %s", wal->path, strerror(-rc));

    rc = write_record(wal, at, synced, framed, payload, len);
    int cut = rc < 0 ? tsfs_io()->ftruncate(wal->fd, (off_t)at) : 0;

    pthread_mutex_lock(&wal->lock);
    if (rc < 0) {
        wal->undo_to = 0;
        if (cut < 0)
            wal->append_error = rc;
    } else {
        rc = 0;
        wal->undo_to = at;
        atomic_store(&wal->size, at + TSFS_WAL_FRAME_BYTES + len);
    }
    atomic_fetch_add(&wal->seq, 1);
    release(wal);
    pthread_mutex_unlock(&wal->lock);
    return rc ? tsfs_error_set(err, rc, "log %s: %s", wal->path, strerror(-rc)) : 0;
}

int tsfs_wal_append(struct tsfs_wal *wal, const void *payload, size_t len, struct tsfs_error *err)
{
    return append(wal, NULL, payload, len, err);
}

int tsfs_wal_append_framed(struct tsfs_wal *wal, void *framed, size_t len, struct tsfs_error *err)
{
    return append(wal, framed, (uint8_t *)framed + TSFS_WAL_FRAME_BYTES, len, err);
}

int tsfs_wal_undo(struct tsfs_wal *wal)
{
    static const uint8_t zero[TSFS_WAL_FRAME_BYTES];
    pthread_mutex_lock(&wal->lock);
    int rc = wal->undo_to == 0 ? -EINVAL : acquire(wal);
    uint64_t to = wal->undo_to;
    pthread_mutex_unlock(&wal->lock);
    if (rc)
        return rc;

    rc = tsfs_io()->ftruncate(wal->fd, (off_t)to);
    /* If the file cannot be cut, a record without a frame is at least no record. */
    int wiped = rc < 0 ? tsfs_io_write_all(wal->fd, zero, sizeof(zero), (off_t)to) : 0;

    pthread_mutex_lock(&wal->lock);
    wal->undo_to = 0;
    if (rc < 0)
        wal->append_error = rc;
    if (rc >= 0 || wiped >= 0) {
        rc = rc < 0 ? 0 : rc;
        atomic_store(&wal->size, to);
        if (wal->synced > to)
            wal->synced = to;
        if (wal->cut > to)
            wal->cut = to;
    }
    atomic_fetch_add(&wal->seq, 1);
    release(wal);
    pthread_mutex_unlock(&wal->lock);
    return rc < 0 ? rc : 0;
}

/* Nothing was tried but to open something: nothing is known to be lost. */
static bool passes(int rc)
{
    return rc == -EMFILE || rc == -ENFILE || rc == -ENOMEM;
}

/* As the leader.  Lock held on entry and on return, not in between.  Returns an error that does not stay;
 * those that do are in sync_error. */
static int lead_sync(struct tsfs_wal *wal)
{
    int rc = acquire(wal);
    if (rc)
        return rc;
    uint64_t seq = atomic_load(&wal->seq);
    uint64_t size = atomic_load(&wal->size);
    bool folder = !wal->folder_synced;
    wal->syncing = true;
    wal->cut = UINT64_MAX;
    pthread_mutex_unlock(&wal->lock);

    rc = tsfs_io()->fdatasync(wal->fd);
    bool stays = rc < 0;
    if (rc >= 0 && folder) {
        rc = tsfs_io_sync_dir(wal->dirfd, wal->folder);
        stays = rc < 0 && !passes(rc);
    }

    pthread_mutex_lock(&wal->lock);
    wal->syncing = false;
    if (rc >= 0) {
        wal->folder_synced = true;
        if (wal->synced_seq < seq) { /* abandoned meanwhile: stays so */
            wal->synced_seq = seq;
            atomic_store(&wal->clean_seq, seq);
        }
        wal->synced = size < wal->cut ? size : wal->cut;
    } else if (stays && !wal->abandoned) {
        wal->sync_error = rc;
    }
    release(wal);
    pthread_cond_broadcast(&wal->done);
    return rc < 0 && !stays ? rc : 0;
}

static int sync_locked(struct tsfs_wal *wal)
{
    uint64_t wanted = atomic_load(&wal->seq);
    int rc = 0;
    while (rc == 0 && !wal->abandoned && !wal->sync_error && wal->synced_seq < wanted) {
        if (wal->syncing)
            pthread_cond_wait(&wal->done, &wal->lock);
        else
            rc = lead_sync(wal);
    }
    if (wal->abandoned)
        return 0;
    return rc ? rc : wal->sync_error;
}

int tsfs_wal_sync(struct tsfs_wal *wal)
{
    pthread_mutex_lock(&wal->lock);
    int rc = sync_locked(wal);
    pthread_mutex_unlock(&wal->lock);
    return rc;
}

bool tsfs_wal_takes_more(const struct tsfs_wal *wal)
{
    return !wal->old;
}

bool tsfs_wal_dirty(const struct tsfs_wal *wal)
{
    return atomic_load(&wal->clean_seq) < atomic_load(&wal->seq);
}

uint64_t tsfs_wal_size(const struct tsfs_wal *wal)
{
    return atomic_load(&wal->size);
}

void tsfs_wal_close_idle(struct tsfs_wal *wal)
{
    pthread_mutex_lock(&wal->lock);
    int rc = sync_locked(wal);
    /* An append that came in between keeps the descriptor; so does an error, whose story goes on in close. */
    if (rc == 0 && wal->fd >= 0 && wal->users == 0 && wal->synced_seq == atomic_load(&wal->seq)) {
        tsfs_io()->close(wal->fd);
        wal->fd = -1;
    }
    pthread_mutex_unlock(&wal->lock);
}

void tsfs_wal_park(struct tsfs_wal *wal)
{
    pthread_mutex_lock(&wal->lock);
    if (wal->fd >= 0 && wal->users == 0) {
        tsfs_io()->close(wal->fd);
        wal->fd = -1;
    }
    pthread_mutex_unlock(&wal->lock);
}

void tsfs_wal_abandon(struct tsfs_wal *wal)
{
    pthread_mutex_lock(&wal->lock);
    uint64_t seq = atomic_load(&wal->seq);
    wal->abandoned = true;
    wal->synced_seq = seq;
    atomic_store(&wal->clean_seq, seq);
    pthread_mutex_unlock(&wal->lock);
}

void tsfs_wal_close(struct tsfs_wal *wal)
{
    if (!wal)
        return;
    pthread_mutex_lock(&wal->lock);
    if (wal->synced_seq < atomic_load(&wal->seq))
        (void)!sync_locked(wal);
    while (wal->users)
        pthread_cond_wait(&wal->done, &wal->lock);
    if (wal->fd >= 0)
        tsfs_io()->close(wal->fd);
    pthread_mutex_unlock(&wal->lock);
    pthread_cond_destroy(&wal->done);
    pthread_mutex_destroy(&wal->lock);
    free(wal->path);
    free(wal->folder);
    free(wal);
}
