/* A bounded text: lines are appended, the oldest fall off.  Behind the errors and rejected files. */
#ifndef TSFS_ENGINE_RING_H
#define TSFS_ENGINE_RING_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct ring {
    pthread_mutex_t lock;
    struct tsfs_buf text;
    size_t max;        /* bytes kept */
    uint64_t appended; /* bytes ever appended: a mark's unit */
    size_t last;       /* bytes of the newest entry */
    int64_t mtime;     /* ns, of the last change */
    bool changed;      /* since it was loaded or saved */
};

void ring_init(struct ring *ring, size_t max);
void ring_free(struct ring *ring);
/* Appends text as one entry (a newline is added if it has none at its end); what is longer than the ring is
 * cut.  Returns a mark for ring_retract.  Out of memory: the entry is lost, the ring stays
 * whole, the mark is 0. */
uint64_t ring_append(struct ring *ring, struct tsfs_str text);
/* Takes back the entry under mark if it is still the last one. */
void ring_retract(struct ring *ring, uint64_t mark);
TSFS_MUST_CHECK int ring_render(struct ring *ring, struct tsfs_buf *out);
int64_t ring_mtime(struct ring *ring);
/* From and to a file below dirfd, so that a clean end and a new start lose nothing.  No such file: empty. */
TSFS_MUST_CHECK int ring_load(struct ring *ring, int dirfd, const char *path);
TSFS_MUST_CHECK int ring_save(struct ring *ring, int dirfd, const char *path);

#endif
