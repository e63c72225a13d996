/* A borrowed run of bytes.  Not NUL-terminated unless a comment says so. */
#ifndef TSFS_BASE_STR_H
#define TSFS_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct tsfs_str {
    const char *ptr; /* NULL = absent (SQL NULL, a dimension the series lacks) */
    size_t len;
};

#define TSFS_STR(literal) ((struct tsfs_str){(literal), sizeof(literal) - 1})

static inline struct tsfs_str tsfs_str_from(const char *cstr)
{
    return (struct tsfs_str){cstr, cstr ? strlen(cstr) : 0};
}

static inline bool tsfs_str_eq(struct tsfs_str a, struct tsfs_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* What *rest has before the separator, or all of it; *rest is what follows. */
static inline struct tsfs_str tsfs_str_cut(struct tsfs_str *rest, char separator)
{
    const char *end = rest->len > 0 ? (const char *)memchr(rest->ptr, separator, rest->len) : NULL;
    struct tsfs_str part = {rest->ptr, end != NULL ? (size_t)(end - rest->ptr) : rest->len};
    size_t step = part.len + (end != NULL);
    rest->ptr += step;
    rest->len -= step;
    return part;
}

static inline bool tsfs_str_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Without blanks, tabs and line ends around it. */
static inline struct tsfs_str tsfs_str_trim(struct tsfs_str s)
{
    while (s.len > 0 && tsfs_str_blank(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len > 0 && tsfs_str_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

/* Byte order; an absent string (ptr NULL) sorts before every present one. */
static inline int tsfs_str_cmp(struct tsfs_str a, struct tsfs_str b)
{
    if (a.ptr == NULL || b.ptr == NULL)
        return (a.ptr != NULL) - (b.ptr != NULL);
    size_t n = a.len < b.len ? a.len : b.len;
    int c = n ? memcmp(a.ptr, b.ptr, n) : 0;
    return c ? c : (a.len > b.len) - (a.len < b.len);
}

#endif
