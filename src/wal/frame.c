/* The header of a log and the frame of a record: docs/format/wal.md.
 *
 * The checksum is chained: the frame's fixed part is hashed with the file offset as the seed, and what comes
 * out seeds the hash of the payload.  So a record passes only with its own length, at its own place: bytes
 * left over from an earlier record that was taken back, or a block that the file system put somewhere else,
 * do not pass. */
#include <errno.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/limits.h"
#include "wal/wal_priv.h"

static const uint8_t magic[8] = {'T', 'S', 'F', 'S', 'W', 'A', 'L', '\n'};

static void put32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

static void put64(uint8_t *p, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

static uint32_t get32(const uint8_t *p)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++)
        v |= (uint32_t)p[i] << (8 * i);
    return v;
}

static uint64_t get64(const uint8_t *p)
{
    return get32(p) | (uint64_t)get32(p + 4) << 32;
}

void wal_header_encode(uint8_t out[WAL_HEADER_BYTES])
{
    memcpy(out, magic, 8);
    put32(out + 8, WAL_VERSION);
    put32(out + 12, WAL_HEADER_BYTES);
    put64(out + 16, XXH3_64bits(out, 16));
}

int wal_header_check(const uint8_t in[WAL_HEADER_BYTES], uint32_t *version)
{
    if (memcmp(in, magic, 8) != 0 || get64(in + 16) != XXH3_64bits(in, 16))
        return -EBADMSG;
    *version = get32(in + 8);
    return *version >= WAL_OLDEST && *version <= WAL_VERSION && get32(in + 12) == WAL_HEADER_BYTES
               ? 0
               : -EPROTONOSUPPORT;
}

static uint64_t checksum(const uint8_t *fixed, uint64_t offset, const void *payload, size_t len)
{
    return XXH3_64bits_withSeed(payload, len, XXH3_64bits_withSeed(fixed, 16, offset));
}

void wal_frame_encode(uint8_t out[TSFS_WAL_FRAME_BYTES], uint64_t offset, uint64_t synced,
                      const void *payload, size_t len)
{
    put32(out, WAL_RECORD_MAGIC);
    put32(out + 4, (uint32_t)len);
    put64(out + 8, synced);
    put64(out + 16, checksum(out, offset, payload, len));
}

int wal_frame_decode(const uint8_t in[TSFS_WAL_FRAME_BYTES], uint64_t offset, struct wal_frame *out)
{
    if (get32(in) != WAL_RECORD_MAGIC)
        return -EBADMSG;
    out->len = get32(in + 4);
    out->synced = get64(in + 8);
    out->check = get64(in + 16);
    return out->len > 0 && out->len <= TSFS_WAL_RECORD_MAX && out->synced <= offset ? 0 : -EBADMSG;
}

int wal_frame_verify(const uint8_t in[TSFS_WAL_FRAME_BYTES], uint64_t offset, const struct wal_frame *frame,
                     const void *payload)
{
    return checksum(in, offset, payload, frame->len) == frame->check ? 0 : -EBADMSG;
}
