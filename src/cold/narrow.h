/* Whole numbers of a page in as few bytes as they need.  narrow.c says why. */
#ifndef TSFS_COLD_NARROW_H
#define TSFS_COLD_NARROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Value i is base + i * unit if width is 0, else base + data[i] * unit, data being unsigned numbers of width
 * (1, 2 or 4) bytes.  Arithmetic wraps. */
struct narrow {
    int64_t base;
    uint64_t unit;
    uint32_t width;
    const void *data;
};

/* Chooses base, unit and width for n > 0 values; false: they need all eight bytes.  time: they may be whole
 * seconds or the like. */
bool narrow_plan(const int64_t *v, size_t n, bool time, struct narrow *out);
/* Writes the values as planned; room for n * width bytes. */
void narrow_pack(const struct narrow *plan, const int64_t *v, size_t n, void *data);
/* Values [from, from + n). */
void narrow_read(const struct narrow *in, size_t from, size_t n, int64_t *out);

#endif
