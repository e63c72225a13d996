/* A small private index in the fewest bytes (docs/format/segment.md, section 3.2).
 *
 * The image of a packed index (index_pack.c) still has its directory as it was: a header of fixed numbers,
 * ten bytes a column, sixteen a slice.  zstd makes little of them, but a little of each, which for an index
 * of one series is more than what it says.  The terse form lists the same numbers as varints, leaves out
 * those that follow from others, and has the slices as they are behind that.  A reader makes the image from
 * it and goes on from there. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cold/index.h"

#define SLOT_SAID 0x80u /* in the byte of a column: its slot is not the one behind the column's before */

static int put(struct tsfs_buf *out, uint64_t v)
{
    uint8_t bytes[10];
    return tsfs_buf_append(out, bytes, (size_t)(cold_put(bytes, v) - bytes));
}

int cold_index_shorten(const struct tsfs_buf *image, struct tsfs_buf *out)
{
    const char *p = image->data;
    uint32_t ncolumns = cold_u32(p + 44), ngroups = cold_u32(p + 48), buckets = cold_u32(p + 80);
    uint32_t head = cold_u32(p + 12), nseries = cold_u32(p + 40), role = 0, slot = 0;
    int rc = put(out, ngroups);
    rc = rc ? rc : put(out, nseries);
    rc = rc ? rc : put(out, cold_u64(p + 32));
    rc = rc ? rc : put(out, (uint64_t)__builtin_ctz(buckets));
    rc = rc ? rc : put(out, cold_zigzag(cold_u64(p + 64)));
    rc = rc ? rc : put(out, cold_u64(p + 72) - cold_u64(p + 64));
    rc = rc ? rc : put(out, ncolumns);
    p += COLD_INDEX_HEADER;
    for (uint32_t i = 0; rc == 0 && i < ngroups; i++, p += 4)
        rc = put(out, cold_u32(p));
    for (uint32_t i = 0; rc == 0 && i < ncolumns; i++, p += 10) {
        uint8_t what = (uint8_t)((uint8_t)p[0] << 4 | (uint8_t)p[1]);
        uint16_t at;
        memcpy(&at, p + 2, 2);
        slot = (uint8_t)p[0] == role ? slot : 0;
        role = (uint8_t)p[0];
        bool said = at != slot;
        what |= said ? SLOT_SAID : 0;
        rc = tsfs_buf_append(out, &what, 1);
        if (rc == 0 && said)
            rc = put(out, at);
        if (rc == 0 && (role == TSFS_ROLE_MEASURE_NAME || role == TSFS_ROLE_DIMENSION))
            rc = put(out, cold_u32(p + 4));
        slot = at + 1u;
    }
    p += -(p - image->data) & 7;
    uint32_t first = cold_slices(nseries), n = (uint32_t)((image->data + head - p) / 16);
    for (uint32_t i = 0; rc == 0 && i < n; i++)
        if (i < first || i >= first + buckets)
            rc = put(out, cold_u32(p + 16 * (size_t)i + 4));
    return rc ? rc : tsfs_buf_append(out, image->data + head, image->len - head);
}

/* ---- back ---- */

struct widener {
    struct cold_in in;
    struct tsfs_buf out;
};

static int add(struct widener *w, const void *p, size_t n)
{
    if (w->in.bad || n > COLD_PACKED_MAX || w->out.len + n > COLD_PACKED_MAX)
        return -EINVAL;
    return tsfs_buf_append(&w->out, p, n);
}

/* A number of at most 32 bits. */
static uint32_t next(struct widener *w)
{
    uint64_t v = cold_get(&w->in);
    w->in.bad |= v > UINT32_MAX;
    return (uint32_t)v;
}

/* The columns; *nslices = of all of them. */
static int widen_columns(struct widener *w, uint32_t ncolumns, uint64_t blocks, uint64_t *nslices)
{
    uint32_t role = 0, slot = 0;
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < ncolumns; i++) {
        uint8_t fixed[10] = {0};
        if (w->in.p == w->in.end)
            return -EINVAL;
        uint8_t what = *w->in.p++;
        slot = (what >> 4 & 7u) == role ? slot : 0;
        role = what >> 4 & 7u;
        bool key = role == TSFS_ROLE_MEASURE_NAME || role == TSFS_ROLE_DIMENSION;
        slot = what & SLOT_SAID ? next(w) : slot;
        uint32_t dict = key ? next(w) : 0;
        if (slot > UINT16_MAX)
            return -EINVAL;
        fixed[0] = (uint8_t)role;
        fixed[1] = what & 15u;
        memcpy(fixed + 2, &(uint16_t){(uint16_t)slot}, 2);
        memcpy(fixed + 4, &dict, 4);
        *nslices += cold_slices(key ? dict : blocks);
        slot++;
        rc = add(w, fixed, sizeof(fixed));
    }
    static const char zeros[8];
    return rc ? rc : add(w, zeros, -w->out.len & 7);
}

static int widen_slices(struct widener *w, uint64_t nslices, uint32_t first, uint32_t buckets)
{
    uint64_t data = 0;
    for (uint64_t i = 0; i < nslices; i++) {
        uint32_t entry[4] = {0};
        if (i < first || i >= (uint64_t)first + buckets)
            entry[0] = entry[1] = next(w);
        data += entry[0];
        int rc = add(w, entry, sizeof(entry));
        if (rc)
            return rc;
    }
    return data == (uint64_t)(w->in.end - w->in.p) ? 0 : -EINVAL;
}

int cold_index_widen(const uint8_t *p, size_t len, uint8_t **image, uint32_t *length)
{
    struct widener w = {.in = {p, p + len, false}};
    uint8_t header[COLD_INDEX_HEADER] = {0};
    uint32_t ngroups = next(&w), nseries = next(&w);
    uint64_t blocks = cold_get(&w.in), bits = cold_get(&w.in), t_min = cold_unzigzag(cold_get(&w.in)),
             rows = 0;
    uint64_t t_max = t_min + cold_get(&w.in), nslices = 0;
    uint32_t ncolumns = next(&w);
    int rc = w.in.bad || bits > 16 || blocks > UINT32_MAX ? -EINVAL : add(&w, header, sizeof(header));
    for (uint32_t i = 0; rc == 0 && i < ngroups; i++) {
        uint32_t n = next(&w);
        rows += n;
        rc = add(&w, &n, sizeof(n));
    }
    if (rc == 0)
        rc = widen_columns(&w, ncolumns, blocks, &nslices);
    uint32_t buckets = rc ? 0 : 1u << bits;
    if (rc == 0)
        rc = widen_slices(&w, nslices + cold_slices(nseries) + buckets, cold_slices(nseries), buckets);
    size_t head = w.out.len;
    if (rc == 0)
        rc = add(&w, w.in.p, (size_t)(w.in.end - w.in.p));
    if (rc) {
        tsfs_buf_free(&w.out);
        return rc;
    }
    char *to = w.out.data;
    memcpy(to, COLD_INDEX_MAGIC, 8);
#define FIELD(at, type, value) memcpy(to + (at), &(type){value}, sizeof(type))
    FIELD(8, uint32_t, COLD_INDEX_VERSION);
    FIELD(12, uint32_t, (uint32_t)head);
    FIELD(16, uint64_t, w.out.len);
    FIELD(24, uint64_t, rows);
    FIELD(32, uint64_t, blocks);
    FIELD(40, uint32_t, nseries);
    FIELD(44, uint32_t, ncolumns);
    FIELD(48, uint32_t, ngroups);
    FIELD(52, uint32_t, TSFS_BLOCK_ROWS);
    FIELD(56, uint32_t, COLD_BLOCK_MIN);
    FIELD(60, uint32_t, COLD_SLICE);
    FIELD(64, uint64_t, t_min);
    FIELD(72, uint64_t, t_max);
    FIELD(80, uint32_t, buckets);
#undef FIELD
    *image = (uint8_t *)to;
    *length = (uint32_t)w.out.len;
    return 0;
}
