#include "base/utf8.h"

static bool continuation(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

unsigned tsfs_utf8_decode(struct tsfs_str s, uint32_t *cp)
{
    if (s.len == 0)
        return 0;
    const unsigned char *p = (const unsigned char *)s.ptr;
    if (p[0] < 0x80) {
        *cp = p[0];
        return 1;
    }
    if (p[0] < 0xc2 || p[0] > 0xf4 || s.len < 2 || !continuation(p[1]))
        return 0;
    if (p[0] < 0xe0) {
        *cp = (uint32_t)(p[0] & 0x1f) << 6 | (p[1] & 0x3f);
        return 2;
    }
    if (s.len < 3 || !continuation(p[2]))
        return 0;
    if (p[0] < 0xf0) {
        uint32_t c = (uint32_t)(p[0] & 0x0f) << 12 | (uint32_t)(p[1] & 0x3f) << 6 | (p[2] & 0x3f);
        if (c < 0x800 || (c >= 0xd800 && c <= 0xdfff))
            return 0;
        *cp = c;
        return 3;
    }
    if (s.len < 4 || !continuation(p[3]))
        return 0;
    uint32_t c = (uint32_t)(p[0] & 0x07) << 18 | (uint32_t)(p[1] & 0x3f) << 12 |
                 (uint32_t)(p[2] & 0x3f) << 6 | (p[3] & 0x3f);
    if (c < 0x10000 || c > 0x10ffff)
        return 0;
    *cp = c;
    return 4;
}

bool tsfs_utf8_valid(struct tsfs_str s)
{
    size_t i = 0;
    while (i < s.len) {
        uint64_t word;
        while (s.len - i >= sizeof(word)) {
            memcpy(&word, s.ptr + i, sizeof(word));
            if (word & UINT64_C(0x8080808080808080))
                break;
            i += sizeof(word);
        }
        if (i == s.len)
            break;
        uint32_t cp;
        unsigned n = tsfs_utf8_decode((struct tsfs_str){s.ptr + i, s.len - i}, &cp);
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

size_t tsfs_utf8_plain(struct tsfs_str s)
{
    size_t i = 0;
    while (i < s.len) {
        uint32_t cp;
        if (s.ptr[i] >= 32 && s.ptr[i] < 127) { /* nearly all there is */
            i++;
            continue;
        }
        unsigned size = tsfs_utf8_decode((struct tsfs_str){s.ptr + i, s.len - i}, &cp);
        if (size == 0 || cp < 32 || cp == 127)
            break;
        i += size;
    }
    return i;
}

unsigned tsfs_utf8_encode(uint32_t cp, char out[4])
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (char)(0xc0 | cp >> 6);
        out[1] = (char)(0x80 | (cp & 0x3f));
        return 2;
    }
    if (cp < 0x10000) {
        if (cp >= 0xd800 && cp <= 0xdfff)
            return 0;
        out[0] = (char)(0xe0 | cp >> 12);
        out[1] = (char)(0x80 | (cp >> 6 & 0x3f));
        out[2] = (char)(0x80 | (cp & 0x3f));
        return 3;
    }
    if (cp > 0x10ffff)
        return 0;
    out[0] = (char)(0xf0 | cp >> 18);
    out[1] = (char)(0x80 | (cp >> 12 & 0x3f));
    out[2] = (char)(0x80 | (cp >> 6 & 0x3f));
    out[3] = (char)(0x80 | (cp & 0x3f));
    return 4;
}

size_t tsfs_utf8_length(struct tsfs_str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += !continuation((unsigned char)s.ptr[i]);
    return n;
}
