/* Arrays that grow by doubling. */
#ifndef TSFS_BASE_ARRAY_H
#define TSFS_BASE_ARRAY_H

#include <stddef.h>

#include "base/error.h"

/* 0 once ITEMS, an array from malloc or NULL, has room for NEED items; -ENOMEM leaves it as it is.  CAP is
 * the room that it has, a variable of 32 or 64 bits: it becomes FIRST at least. */
#define TSFS_ARRAY_RESERVE(items, cap, need, first)                                                          \
    ((need) <= (cap) ? 0 : tsfs_array_grow(&(items), sizeof(*(items)), &(cap), sizeof(cap), (need), (first)))

/* The same for one more item behind n. */
#define TSFS_ARRAY_ROOM(items, n, cap, first) TSFS_ARRAY_RESERVE(items, cap, (size_t)(n) + 1, first)

/* *items: the array's address, of items of size bytes; *cap: its room, a number of cap_size bytes. */
TSFS_MUST_CHECK int tsfs_array_grow(void *items, size_t size, void *cap, size_t cap_size, size_t need,
                                    size_t first);

#endif
