#include "base/array.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int tsfs_array_grow(void *items, size_t size, void *cap, size_t cap_size, size_t need, size_t first)
{
    /* The variables are of types that only the caller knows: their bytes are copied. */
    uint32_t small = 0;
    size_t room = 0, most = cap_size == sizeof(small) ? UINT32_MAX : SIZE_MAX, bytes;
    void *array;
    assert(cap_size == sizeof(small) || cap_size == sizeof(room));
    memcpy(&array, items, sizeof(array));
    if (cap_size == sizeof(small)) {
        memcpy(&small, cap, sizeof(small));
        room = small;
    } else {
        memcpy(&room, cap, sizeof(room));
    }
    if (need > most)
        return -ENOMEM;
    room = room <= most / 2 ? room * 2 : most;
    if (room < first)
        room = first;
    if (room < need)
        room = need;
    if (__builtin_mul_overflow(room, size, &bytes))
        return -ENOMEM;
    array = realloc(array, bytes);
    if (array == NULL)
        return -ENOMEM;
    memcpy(items, &array, sizeof(array));
    small = (uint32_t)room;
    memcpy(cap, cap_size == sizeof(small) ? (void *)&small : (void *)&room, cap_size);
    return 0;
}
