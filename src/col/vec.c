#include "col/vec.h"

#include <errno.h>

void tsfs_bits_set_range(uint64_t *bits, size_t from, size_t n)
{
    while (n > 0) {
        size_t shift = from & 63, take = 64 - shift < n ? 64 - shift : n;
        uint64_t mask = take == 64 ? ~UINT64_C(0) : ((UINT64_C(1) << take) - 1) << shift;
        bits[from >> 6] |= mask;
        from += take;
        n -= take;
    }
}

void tsfs_bits_copy(uint64_t *dst, const uint64_t *src, size_t from, size_t n)
{
    size_t words = tsfs_bit_words(n), shift = from & 63;
    if (words == 0)
        return;
    src += from >> 6;
    if (shift == 0) {
        memcpy(dst, src, words * sizeof(*dst));
    } else {
        size_t last = (shift + n - 1) >> 6; /* the last word of src that holds wanted bits */
        for (size_t i = 0; i < words; i++)
            dst[i] = src[i] >> shift | (i < last ? src[i + 1] << (64 - shift) : 0);
    }
    if (n & 63)
        dst[words - 1] &= (UINT64_C(1) << (n & 63)) - 1;
}

size_t tsfs_bits_count(const uint64_t *bits, size_t n)
{
    size_t count = 0, words = n >> 6;
    for (size_t i = 0; i < words; i++)
        count += (size_t)__builtin_popcountll(bits[i]);
    if (n & 63)
        count += (size_t)__builtin_popcountll(bits[words] & ((UINT64_C(1) << (n & 63)) - 1));
    return count;
}

struct tsfs_value tsfs_vec_get(const struct tsfs_vec *v, size_t row)
{
    struct tsfs_value value = {.type = v->type, .null = tsfs_vec_null(v, row)};
    if (value.null)
        return value;
    size_t i = v->constant ? 0 : row;
    switch (v->type) {
    case TSFS_UNKNOWN: break;
    case TSFS_BOOLEAN: value.b = v->b[i] != 0; break;
    case TSFS_DOUBLE: value.d = v->d[i]; break;
    case TSFS_VARCHAR:
    case TSFS_VARBINARY: value.s = v->s[i]; break;
    default: value.i = v->i[i]; break;
    }
    return value;
}

int tsfs_vec_constant(struct tsfs_arena *arena, struct tsfs_value value, struct tsfs_vec *out)
{
    static const uint64_t no_value[1] = {0};
    union {
        uint8_t b;
        int64_t i;
        double d;
        struct tsfs_str s;
    } *place = tsfs_arena_calloc(arena, 1, sizeof(*place));
    if (place == NULL)
        return -ENOMEM;
    if (!value.null) {
        switch (value.type) {
        case TSFS_UNKNOWN: break;
        case TSFS_BOOLEAN: place->b = value.b; break;
        case TSFS_DOUBLE: place->d = value.d; break;
        case TSFS_VARCHAR:
        case TSFS_VARBINARY: place->s = value.s; break;
        default: place->i = value.i; break;
        }
    }
    *out = (struct tsfs_vec){
        .type = value.type, .constant = true, .data = place, .valid = value.null ? no_value : NULL};
    return 0;
}
