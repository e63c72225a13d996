/* Message digests of whole texts. */
#ifndef TSFS_EXEC_FUNCTIONS_DIGEST_H
#define TSFS_EXEC_FUNCTIONS_DIGEST_H

#include <stdint.h>

#include "base/str.h"

#define DIGEST_MAX 64

/* Each writes its digest and returns its bytes: 16, 20, 32, 64. */
unsigned digest_md5(struct tsfs_str s, unsigned char out[DIGEST_MAX]);
unsigned digest_sha1(struct tsfs_str s, unsigned char out[DIGEST_MAX]);
unsigned digest_sha256(struct tsfs_str s, unsigned char out[DIGEST_MAX]);
unsigned digest_sha512(struct tsfs_str s, unsigned char out[DIGEST_MAX]);

uint32_t digest_crc32(struct tsfs_str s);

#endif
