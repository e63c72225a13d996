/* A growable byte buffer: reserve, then append. */
#ifndef TSFS_BASE_BUF_H
#define TSFS_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

struct tsfs_buf {
    char *data; /* owned; NULL while empty */
    size_t len;
    size_t cap;
};

/* Zero-initialise before use.  All return 0 or -ENOMEM and leave the content alone on failure. */
TSFS_MUST_CHECK int tsfs_buf_reserve(struct tsfs_buf *buf, size_t extra);
TSFS_MUST_CHECK int tsfs_buf_append(struct tsfs_buf *buf, const void *data, size_t len);
TSFS_MUST_CHECK int tsfs_buf_append_str(struct tsfs_buf *buf, struct tsfs_str s);
TSFS_MUST_CHECK int tsfs_buf_printf(struct tsfs_buf *buf, const char *fmt, ...) TSFS_PRINTF(2, 3);
void tsfs_buf_free(struct tsfs_buf *buf); /* back to zero */

static inline struct tsfs_str tsfs_buf_str(const struct tsfs_buf *buf)
{
    return (struct tsfs_str){buf->data ? buf->data : "", buf->len};
}

#endif
