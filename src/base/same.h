/* Equality of short texts. */
#ifndef TSFS_BASE_SAME_H
#define TSFS_BASE_SAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/str.h"

/* Equality of n bytes, for texts that are mostly short: a call costs more than to compare those. */
static inline bool tsfs_same(const char *a, const char *b, size_t n)
{
    uint64_t x, y, z, w;
    if (n > 16)
        return memcmp(a, b, n) == 0;
    if (n >= 8) { /* the first and the last, which may overlap */
        memcpy(&x, a, 8);
        memcpy(&y, b, 8);
        memcpy(&z, a + n - 8, 8);
        memcpy(&w, b + n - 8, 8);
        return ((x ^ y) | (z ^ w)) == 0;
    }
    if (n >= 4) {
        uint32_t i, j, k, l;
        memcpy(&i, a, 4);
        memcpy(&j, b, 4);
        memcpy(&k, a + n - 4, 4);
        memcpy(&l, b + n - 4, 4);
        return ((i ^ j) | (k ^ l)) == 0;
    }
    return n == 0 || (a[0] == b[0] && a[n / 2] == b[n / 2] && a[n - 1] == b[n - 1]);
}

static inline bool tsfs_same_str(struct tsfs_str a, struct tsfs_str b)
{
    return a.len == b.len && tsfs_same(a.ptr, b.ptr, a.len);
}

#endif
