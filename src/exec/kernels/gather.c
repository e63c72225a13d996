#include "exec/kernels/gather.h"

#include <errno.h>
#include <string.h>

#include "col/nested.h"
#include "exec/eval.h"
#include "exec/kernels/bits.h"

static const uint64_t no_value[1] = {0};

struct tsfs_vec exec_vec_null(enum tsfs_type type)
{
    static const struct tsfs_str nothing[1];
    return (struct tsfs_vec){.type = type, .constant = true, .data = nothing, .valid = no_value};
}

struct tsfs_vec vec_of_value(const struct tsfs_value *value)
{
    if (value->null || value->type == TSFS_UNKNOWN)
        return exec_vec_null(value->type);
    struct tsfs_vec v = {.type = value->type, .constant = true};
    switch (value->type) {
    case TSFS_BOOLEAN: v.data = &value->b; break;
    case TSFS_DOUBLE: v.data = &value->d; break;
    case TSFS_VARCHAR:
    case TSFS_VARBINARY: v.data = &value->s; break;
    default: v.data = &value->i; break;
    }
    return v;
}

static int gather_valid(struct tsfs_arena *arena, const uint64_t *valid, const uint16_t *sel, uint32_t nsel,
                        const uint64_t **out)
{
    uint64_t *bits = tsfs_arena_alloc(arena, tsfs_bit_words(nsel) * 8);
    if (bits == NULL)
        return -ENOMEM;
    uint64_t all = ~UINT64_C(0);
    for (uint32_t k = 0; k < nsel; k += 64) {
        uint32_t left = nsel - k < 64 ? nsel - k : 64;
        uint64_t word = 0;
        for (uint32_t j = 0; j < left; j++)
            word |= (uint64_t)tsfs_bit_get(valid, sel[k + j]) << j;
        bits[k / 64] = word;
        all &= left == 64 ? word : word | ~((UINT64_C(1) << left) - 1);
    }
    *out = ~all ? bits : NULL;
    return 0;
}

int tsfs_vec_gather(struct tsfs_arena *arena, const struct tsfs_vec *v, const uint16_t *sel, uint32_t nsel,
                    struct tsfs_vec *out)
{
    if (v->constant || v->type == TSFS_UNKNOWN) {
        *out = *v;
        return 0;
    }
    const uint64_t *valid = NULL;
    if (v->valid != NULL) {
        int rc = gather_valid(arena, v->valid, sel, nsel, &valid);
        if (rc != 0)
            return rc;
    }
    void *data = tsfs_arena_alloc(arena, (size_t)nsel * tsfs_type_width(v->type));
    if (data == NULL)
        return -ENOMEM;
    switch (tsfs_type_width(v->type)) {
    case 1:
        for (uint32_t k = 0; k < nsel; k++)
            ((uint8_t *)data)[k] = v->b[sel[k]];
        break;
    case 8:
        for (uint32_t k = 0; k < nsel; k++)
            ((int64_t *)data)[k] = v->i[sel[k]];
        break;
    default:
        for (uint32_t k = 0; k < nsel; k++)
            ((struct tsfs_str *)data)[k] = v->s[sel[k]];
        break;
    }
    *out = (struct tsfs_vec){.type = v->type, .data = data, .valid = valid};
    return 0;
}

int exec_vec_slice(struct tsfs_arena *arena, const struct tsfs_vec *v, uint32_t from, uint32_t n,
                   struct tsfs_vec *out)
{
    *out = *v;
    if (v->constant || v->type == TSFS_UNKNOWN || from == 0)
        return 0;
    out->data = (const char *)v->data + (size_t)from * tsfs_type_width(v->type);
    if (v->valid != NULL) {
        uint64_t *bits = tsfs_arena_alloc(arena, tsfs_bit_words(n) * 8);
        if (bits == NULL)
            return -ENOMEM;
        tsfs_bits_copy(bits, v->valid, from, n);
        out->valid = bits;
    }
    return 0;
}

/* Strings one behind the other in one piece of memory; those of NULL rows become empty. */
static int copy_strings(struct tsfs_arena *arena, const struct tsfs_vec *v, uint32_t n, struct tsfs_str *to)
{
    size_t total = 0;
    for (uint32_t i = 0; i < n; i++)
        if (!tsfs_vec_null(v, i))
            total += v->s[i].len;
    char *bytes = tsfs_arena_alloc(arena, total);
    if (bytes == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++) {
        size_t len = tsfs_vec_null(v, i) ? 0 : v->s[i].len;
        if (len > 0)
            memcpy(bytes, v->s[i].ptr, len);
        to[i] = (struct tsfs_str){bytes, len};
        bytes += len;
    }
    return 0;
}

static int copy_nested(struct tsfs_arena *arena, const struct tsfs_vec *v, uint32_t n, const void **to)
{
    int rc = 0;
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        to[i] = NULL;
        if (!tsfs_vec_null(v, i))
            rc = tsfs_nested_copy(arena, v->type, v->p[i], &to[i]);
    }
    return rc;
}

int vec_copy(struct tsfs_arena *arena, const struct tsfs_vec *from, uint32_t n, struct tsfs_vec *out)
{
    const struct tsfs_vec same = *from, *v = &same; /* out may be from */
    if (v->type == TSFS_UNKNOWN || (v->constant && tsfs_vec_null(v, 0))) {
        *out = exec_vec_null(v->type);
        return 0;
    }
    if (v->constant)
        n = 1;
    *out = (struct tsfs_vec){.type = v->type, .constant = v->constant};
    if (v->valid != NULL && !v->constant) {
        uint64_t *bits = tsfs_arena_alloc(arena, tsfs_bit_words(n) * 8);
        if (bits == NULL)
            return -ENOMEM;
        memcpy(bits, v->valid, tsfs_bit_words(n) * 8);
        bits_trim(bits, n);
        out->valid = bits;
    }
    size_t size = (size_t)n * tsfs_type_width(v->type);
    void *data = tsfs_arena_alloc(arena, size);
    if (data == NULL)
        return -ENOMEM;
    out->data = data;
    if (tsfs_type_is_string(v->type))
        return copy_strings(arena, v, n, data);
    if (tsfs_type_is_nested(v->type))
        return copy_nested(arena, v, n, data);
    memcpy(data, v->data, size);
    return 0;
}

void vec_scatter(const struct tsfs_vec *v, const uint16_t *sel, uint32_t nsel, void *data, uint64_t *valid)
{
    if (v->type == TSFS_UNKNOWN || (v->constant && tsfs_vec_null(v, 0))) {
        for (uint32_t k = 0; k < nsel; k++)
            tsfs_bit_clear(valid, sel[k]);
        return;
    }
    if (v->valid == NULL || v->constant) {
        for (uint32_t k = 0; k < nsel; k++)
            tsfs_bit_set(valid, sel[k]);
    } else {
        for (uint32_t k = 0; k < nsel; k++) {
            if (tsfs_bit_get(v->valid, k))
                tsfs_bit_set(valid, sel[k]);
            else
                tsfs_bit_clear(valid, sel[k]);
        }
    }
    uint32_t step = v->constant ? 0 : 1;
    switch (tsfs_type_width(v->type)) {
    case 1:
        for (uint32_t k = 0; k < nsel; k++)
            ((uint8_t *)data)[sel[k]] = v->b[k * step];
        break;
    case 8:
        for (uint32_t k = 0; k < nsel; k++)
            ((int64_t *)data)[sel[k]] = v->i[k * step];
        break;
    default:
        for (uint32_t k = 0; k < nsel; k++)
            ((struct tsfs_str *)data)[sel[k]] = v->s[k * step];
        break;
    }
}

void vec_append(const struct tsfs_vec *v, uint32_t n, void *data, uint64_t *valid, uint32_t at)
{
    if (v->type == TSFS_UNKNOWN || (v->constant && tsfs_vec_null(v, 0))) {
        for (uint32_t k = 0; k < n; k++)
            tsfs_bit_clear(valid, at + k);
        return;
    }
    if (v->valid == NULL || v->constant) {
        tsfs_bits_set_range(valid, at, n);
    } else {
        for (uint32_t k = 0; k < n; k++) {
            if (tsfs_bit_get(v->valid, k))
                tsfs_bit_set(valid, at + k);
            else
                tsfs_bit_clear(valid, at + k);
        }
    }
    size_t width = tsfs_type_width(v->type);
    char *to = (char *)data + at * width;
    if (!v->constant) {
        memcpy(to, v->data, n * width);
        return;
    }
    for (uint32_t k = 0; k < n; k++)
        memcpy(to + k * width, v->data, width);
}
