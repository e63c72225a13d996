/* The framing that writer and recovery share; docs/format/wal.md has it byte by byte. */
#ifndef TSFS_WAL_WAL_PRIV_H
#define TSFS_WAL_WAL_PRIV_H

#include <stddef.h>
#include <stdint.h>

#include "wal/wal.h"

#define WAL_HEADER_BYTES 24u
#define WAL_VERSION      2u
#define WAL_OLDEST       1u          /* read, but not appended to */
#define WAL_RECORD_MAGIC 0x52575354u /* "TSWR" read as a little-endian number */

struct wal_frame {
    uint32_t len;    /* of the payload */
    uint64_t synced; /* bytes of this log known to be on disk when the record was written */
    uint64_t check;
};

void wal_header_encode(uint8_t out[WAL_HEADER_BYTES]);
/* 0 and the version; -EBADMSG: not a header; -EPROTONOSUPPORT: of a version not known (*version says which).
 */
TSFS_MUST_CHECK int wal_header_check(const uint8_t in[WAL_HEADER_BYTES], uint32_t *version);

/* Fills a frame for payload at file offset `offset`. */
void wal_frame_encode(uint8_t out[TSFS_WAL_FRAME_BYTES], uint64_t offset, uint64_t synced,
                      const void *payload, size_t len);
/* 0 and the fields, when the fixed part makes sense at this offset; -EBADMSG otherwise.  The checksum is
 * compared by wal_frame_verify, once the payload is there. */
TSFS_MUST_CHECK int wal_frame_decode(const uint8_t in[TSFS_WAL_FRAME_BYTES], uint64_t offset,
                                     struct wal_frame *out);
/* 0 or -EBADMSG. */
TSFS_MUST_CHECK int wal_frame_verify(const uint8_t in[TSFS_WAL_FRAME_BYTES], uint64_t offset,
                                     const struct wal_frame *frame, const void *payload);

#endif
