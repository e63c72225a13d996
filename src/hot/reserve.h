/* Memory for rows and series to come, made ready by a thread of its own.
 *
 * The first touch of a page costs a fault and its clearing, and under a hypervisor that has to find a page
 * itself many times that.  A writer would pay for it under the table's write lock, with all others waiting.
 */
#ifndef TSFS_HOT_RESERVE_H
#define TSFS_HOT_RESERVE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define RESERVE_BLOCK ((size_t)4 << 20)

/* Starts the thread, or counts one more user of it.  Without it there is never a block ready. */
TSFS_MUST_CHECK int tsfs_hot_reserve_start(void);
void tsfs_hot_reserve_stop(void); /* the last user: ends the thread and frees what is ready */

/* Between the files of hot/.  A block of RESERVE_BLOCK bytes, page-aligned, of any content; to be unmapped or
 * given back.  NULL: none is ready, but one will be. */
void *reserve_take(void);
/* false: there are enough; the caller unmaps it. */
TSFS_MUST_CHECK bool reserve_give(void *block);
/* A wish: memory of the caller's that it will fill soon.  It may be given back any time: touching changes no
 * content, whosever it is by then. */
void reserve_touch(void *from, size_t size);

#endif
