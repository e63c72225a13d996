/* A row's numbers in few bytes: docs/format/wal.md, "Row".
 *
 * That is how a row goes into the log, and how it stays in memory if it is the first or the second of its
 * lane: among very many series most have no more, and of an integer or a short fraction eight bytes are
 * mostly zeros.  Memory that was never used before costs more to touch than these rows cost to unpack. */
#include "hot/hot_priv.h"

static inline uint64_t number_of(const struct tsfs_cell *cell)
{
    return cell->type == TSFS_DOUBLE ? record_pack_double((uint64_t)cell->i) : record_zigzag(cell->i);
}

uint8_t *hot_pack(uint8_t *p, const struct tsfs_cell *cells, unsigned n)
{
    uint8_t *widths = p;
    p += (n + 1) / 2;
    for (unsigned i = 0; i < n; i++) {
        uint64_t v = number_of(&cells[i]);
        unsigned w = record_width(v);
        record_put(p, v);
        p += w;
        if (i & 1)
            widths[i / 2] |= (uint8_t)(w << 4);
        else
            widths[i / 2] = (uint8_t)w;
    }
    return p;
}

uint64_t hot_packed_next(const uint8_t *packed, unsigned n, unsigned i, uint8_t type, size_t *at)
{
    unsigned w = packed[i / 2] >> (i % 2 * 4) & 15;
    const uint8_t *p = packed + (n + 1) / 2 + *at;
    uint64_t v = 0;
    for (unsigned b = 0; b < w; b++)
        v |= (uint64_t)p[b] << (8 * b);
    *at += w;
    return type == TSFS_DOUBLE ? record_pack_double(v) : (uint64_t)record_unzigzag(v);
}
