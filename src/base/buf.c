#include "base/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define SMALLEST 64u

int tsfs_buf_reserve(struct tsfs_buf *buf, size_t extra)
{
    if (extra <= buf->cap - buf->len)
        return 0;
    size_t need;
    if (__builtin_add_overflow(buf->len, extra, &need) || need > SIZE_MAX / 2)
        return -ENOMEM;
    size_t cap = buf->cap + buf->cap / 2;
    if (cap < need)
        cap = need;
    if (cap < SMALLEST)
        cap = SMALLEST;
    char *data = realloc(buf->data, cap);
    if (data == NULL)
        return -ENOMEM;
    buf->data = data;
    buf->cap = cap;
    return 0;
}

int tsfs_buf_append(struct tsfs_buf *buf, const void *data, size_t len)
{
    int rc = tsfs_buf_reserve(buf, len);
    if (rc == 0 && len > 0) {
        memcpy(buf->data + buf->len, data, len);
        buf->len += len;
    }
    return rc;
}

int tsfs_buf_append_str(struct tsfs_buf *buf, struct tsfs_str s)
{
    return tsfs_buf_append(buf, s.ptr, s.len);
}

int tsfs_buf_printf(struct tsfs_buf *buf, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    size_t room = buf->cap - buf->len;
    int n = vsnprintf(room ? buf->data + buf->len : NULL, room, fmt, ap);
    int rc = n < 0 ? -ENOMEM : 0;
    if (rc == 0 && (size_t)n >= room) { /* the NUL must fit as well */
        rc = tsfs_buf_reserve(buf, (size_t)n + 1);
        if (rc == 0)
            vsnprintf(buf->data + buf->len, (size_t)n + 1, fmt, again);
    }
    if (rc == 0)
        buf->len += (size_t)n;
    va_end(again);
    va_end(ap);
    return rc;
}

void tsfs_buf_free(struct tsfs_buf *buf)
{
    if (buf == NULL)
        return;
    free(buf->data);
    *buf = (struct tsfs_buf){0};
}
