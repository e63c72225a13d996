/* The log of one partition and generation: framed, checksummed records appended to one file.  What a
 * record's payload means is the hot tier's business (hot/record.h, docs/format/wal.md). */
#ifndef TSFS_WAL_WAL_H
#define TSFS_WAL_WAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct tsfs_wal;

/* Opens (or creates, with its header written) the log `path` below dirfd for appending.  size is the
 * end of its last good record as recovery found it, 0 for a new one.  The descriptor may be closed and
 * opened again by itself while the log is idle.  dirfd is borrowed until close.  Returns owned. */
TSFS_MUST_CHECK int tsfs_wal_open(int dirfd, const char *path, uint64_t size, struct tsfs_wal **out,
                                  struct tsfs_error *err);

/* Appends one record.  On failure nothing of it stays in the file (a torn rest is cut off), or, if even that
 * fails, the log refuses every later append with the same error.  One appender at a time. */
TSFS_MUST_CHECK int tsfs_wal_append(struct tsfs_wal *wal, const void *payload, size_t len,
                                    struct tsfs_error *err);

/* The same for a record built with TSFS_WAL_FRAME_BYTES of room in front of its len bytes of payload: nothing
 * is copied. */
#define TSFS_WAL_FRAME_BYTES 24u
TSFS_MUST_CHECK int tsfs_wal_append_framed(struct tsfs_wal *wal, void *framed, size_t len,
                                           struct tsfs_error *err);

/* Takes the last appended record back, as long as nothing was appended after it (another
 * partition's log failed in the same write).  Same appender. */
TSFS_MUST_CHECK int tsfs_wal_undo(struct tsfs_wal *wal);

/* Returns when all that was appended before the call is on disk.  Callers that come at the same time share
 * one fdatasync (group commit).  Any thread; an error is sticky: after a failed fsync nothing is known
 * (but for those of opening files, which say nothing about the log). */
TSFS_MUST_CHECK int tsfs_wal_sync(struct tsfs_wal *wal);

/* false: it is of a version that has no words for what is written today.  It can be kept and synced; what
 * comes goes to another log. */
bool tsfs_wal_takes_more(const struct tsfs_wal *wal);
bool tsfs_wal_dirty(const struct tsfs_wal *wal); /* appended but not synced */
uint64_t tsfs_wal_size(const struct tsfs_wal *wal);
void tsfs_wal_close_idle(
    struct tsfs_wal *wal); /* gives the descriptor back (syncs first); the next append reopens */
/* The same for a log just opened, without a sync: what recovery found stays dirty until the next one. */
void tsfs_wal_park(struct tsfs_wal *wal);
/* What it holds is needed no more (it is in a segment, or dropped): nothing of it is synced from now on, and
 * its file and folder may go.  Nothing is appended any more. */
void tsfs_wal_abandon(struct tsfs_wal *wal);
void tsfs_wal_close(struct tsfs_wal *wal); /* takes NULL; syncs what is dirty */

/* Reads a log from its start and hands each payload to apply.  *good_size = end of the last good record.
 * A torn tail (an incomplete or checksum-failing LAST record) is cut off (truncated) unless read_only and
 * *torn_bytes says how much; a bad record with good ones after it is -EBADMSG with a message naming file and
 * offset, and the file is left alone (but for what only power loss before a sync leaves behind, which is a
 * torn tail too: recover.c).  An error from apply stops. */
TSFS_MUST_CHECK int
tsfs_wal_recover(int dirfd, const char *path, bool read_only,
                 int (*apply)(void *ctx, const void *payload, size_t len, struct tsfs_error *err), void *ctx,
                 uint64_t *good_size, uint64_t *torn_bytes, struct tsfs_error *err);

#endif
