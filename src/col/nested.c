#include "col/nested.h"

#include <errno.h>

#include "base/hash.h"
#include "col/text.h"

_Static_assert(sizeof(void *) == sizeof(int64_t), "nested values are moved as words of 64 bits");

/* ---- rooms ---- */

int tsfs_vec_room(struct tsfs_arena *arena, enum tsfs_type type, size_t n, struct tsfs_vec_room *out)
{
    out->data = tsfs_arena_alloc(arena, n * tsfs_type_width(type));
    out->valid = tsfs_arena_calloc(arena, tsfs_bit_words(n), sizeof(uint64_t));
    return out->data == NULL || out->valid == NULL ? -ENOMEM : 0;
}

struct tsfs_vec tsfs_vec_of_room(enum tsfs_type type, const struct tsfs_vec_room *room, size_t n)
{
    struct tsfs_vec v = {.type = type, .data = room->data};
    if (tsfs_bits_count(room->valid, n) < n)
        v.valid = room->valid;
    return v;
}

static void put_nothing(const struct tsfs_vec_room *to, enum tsfs_type type, size_t at, size_t n)
{
    size_t width = tsfs_type_width(type);
    memset((char *)to->data + at * width, 0, n * width);
    for (size_t i = 0; i < n; i++)
        tsfs_bit_clear(to->valid, at + i);
}

void tsfs_vec_put(const struct tsfs_vec_room *to, enum tsfs_type type, size_t at, const struct tsfs_vec *v,
                  size_t row)
{
    if (tsfs_vec_null(v, row)) {
        put_nothing(to, type, at, 1);
        return;
    }
    size_t i = v->constant ? 0 : row;
    tsfs_bit_set(to->valid, at);
    switch (tsfs_type_width(type)) {
    case 0: break;
    case 1: ((uint8_t *)to->data)[at] = v->b[i]; break;
    case 8: ((int64_t *)to->data)[at] = v->i[i]; break;
    default: ((struct tsfs_str *)to->data)[at] = v->s[i]; break;
    }
}

void tsfs_vec_put_range(const struct tsfs_vec_room *to, enum tsfs_type type, size_t at,
                        const struct tsfs_vec *v, size_t from, size_t n)
{
    size_t width = tsfs_type_width(type);
    if (v->type == TSFS_UNKNOWN || v->constant || v->valid != NULL) {
        for (size_t i = 0; i < n; i++)
            tsfs_vec_put(to, type, at + i, v, from + i);
        return;
    }
    if (n > 0)
        memcpy((char *)to->data + at * width, (const char *)v->data + from * width, n * width);
    tsfs_bits_set_range(to->valid, at, n);
}

void tsfs_vec_put_value(const struct tsfs_vec_room *to, enum tsfs_type type, size_t at,
                        const struct tsfs_value *value)
{
    if (value->null || value->type == TSFS_UNKNOWN) {
        put_nothing(to, type, at, 1);
        return;
    }
    tsfs_bit_set(to->valid, at);
    switch (tsfs_type_width(type)) {
    case 0: break;
    case 1: ((uint8_t *)to->data)[at] = value->b; break;
    case 8: ((int64_t *)to->data)[at] = value->i; break;
    default: ((struct tsfs_str *)to->data)[at] = value->s; break;
    }
}

int tsfs_vec_slice(struct tsfs_arena *arena, const struct tsfs_vec *v, size_t from, size_t n,
                   struct tsfs_vec *out)
{
    struct tsfs_vec slice = *v;
    if (!v->constant && v->type != TSFS_UNKNOWN && from > 0) {
        slice.data = (const char *)v->data + from * tsfs_type_width(v->type);
        if (v->valid != NULL) {
            uint64_t *bits = tsfs_arena_alloc(arena, tsfs_bit_words(n) * sizeof(*bits));
            if (bits == NULL)
                return -ENOMEM;
            tsfs_bits_copy(bits, v->valid, from, n);
            slice.valid = bits;
        }
    }
    *out = slice;
    return 0;
}

/* ---- copies ---- */

static int copy_vec(struct tsfs_arena *arena, const struct tsfs_vec *v, uint32_t n, struct tsfs_vec *out)
{
    struct tsfs_vec_room room;
    int rc = tsfs_vec_room(arena, v->type, n, &room);
    if (rc != 0)
        return rc;
    tsfs_vec_put_range(&room, v->type, 0, v, 0, n);
    *out = tsfs_vec_of_room(v->type, &room, n);
    if (tsfs_type_is_string(v->type)) {
        size_t total = 0;
        struct tsfs_str *s = room.data;
        for (uint32_t i = 0; i < n; i++)
            total += tsfs_bit_get(room.valid, i) ? s[i].len : 0;
        char *bytes = tsfs_arena_alloc(arena, total);
        if (bytes == NULL)
            return -ENOMEM;
        for (uint32_t i = 0; i < n; i++) {
            size_t len = tsfs_bit_get(room.valid, i) ? s[i].len : 0;
            if (len > 0)
                memcpy(bytes, s[i].ptr, len);
            s[i] = (struct tsfs_str){bytes, len};
            bytes += len;
        }
    } else if (tsfs_type_is_nested(v->type)) {
        const void **p = room.data, *last = NULL, *copy = NULL;
        for (uint32_t i = 0; i < n && rc == 0; i++) {
            if (!tsfs_bit_get(room.valid, i))
                continue;
            if (p[i] != last) { /* an element that stands for many is copied once */
                last = p[i];
                rc = tsfs_nested_copy(arena, v->type, last, &copy);
            }
            p[i] = copy;
        }
    }
    return rc;
}

int tsfs_nested_copy(struct tsfs_arena *arena, enum tsfs_type type, const void *from, const void **out)
{
    int rc = 0;
    switch (tsfs_type_kind(type)) {
    case TSFS_KIND_ARRAY: {
        const struct tsfs_array *a = from;
        struct tsfs_array *to = TSFS_NEW(arena, struct tsfs_array);
        if (to == NULL)
            return -ENOMEM;
        to->n = a->n;
        rc = copy_vec(arena, &a->elems, a->n, &to->elems);
        *out = to;
        break;
    }
    case TSFS_KIND_ROW: {
        const struct tsfs_row *r = from;
        struct tsfs_row *to = TSFS_NEW(arena, struct tsfs_row);
        struct tsfs_value *fields = TSFS_NEW_ARRAY(arena, struct tsfs_value, r->n);
        if (to == NULL || fields == NULL)
            return -ENOMEM;
        *to = (struct tsfs_row){r->n, fields};
        for (uint32_t i = 0; i < r->n && rc == 0; i++)
            rc = tsfs_value_copy(arena, &r->fields[i], &fields[i]);
        *out = to;
        break;
    }
    case TSFS_KIND_TIMESERIES: {
        const struct tsfs_timeseries *s = from;
        struct tsfs_timeseries *to = TSFS_NEW(arena, struct tsfs_timeseries);
        int64_t *times = tsfs_arena_alloc(arena, s->n * sizeof(*times));
        if (to == NULL || times == NULL)
            return -ENOMEM;
        if (s->n > 0)
            memcpy(times, s->times, s->n * sizeof(*times));
        to->n = s->n;
        to->times = times;
        rc = copy_vec(arena, &s->values, s->n, &to->values);
        *out = to;
        break;
    }
    default: *out = from; break;
    }
    return rc;
}

int tsfs_value_copy(struct tsfs_arena *arena, const struct tsfs_value *from, struct tsfs_value *out)
{
    *out = *from;
    if (from->null)
        return 0;
    if (tsfs_type_is_string(from->type)) {
        out->s = tsfs_arena_str(arena, from->s);
        return out->s.ptr == NULL ? -ENOMEM : 0;
    }
    return tsfs_type_is_nested(from->type) ? tsfs_nested_copy(arena, from->type, from->p, &out->p) : 0;
}

/* ---- order ---- */

static int order_double(double a, double b)
{
    if (a != a || b != b)
        return (a != a) - (b != b);
    return (a > b) - (a < b);
}

static int order_i64(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

/* Both are there. */
static int order_present(const struct tsfs_value *a, const struct tsfs_value *b)
{
    switch (a->type) {
    case TSFS_UNKNOWN: return 0;
    case TSFS_BOOLEAN: return (int)a->b - (int)b->b;
    case TSFS_DOUBLE: return order_double(a->d, b->d);
    case TSFS_VARCHAR:
    case TSFS_VARBINARY: return tsfs_str_cmp(a->s, b->s);
    default:
        return tsfs_type_is_nested(a->type) ? tsfs_nested_order(a->type, a->p, b->p) : order_i64(a->i, b->i);
    }
}

int tsfs_value_order(const struct tsfs_value *a, const struct tsfs_value *b)
{
    bool an = a->null || a->type == TSFS_UNKNOWN, bn = b->null || b->type == TSFS_UNKNOWN;
    return an || bn ? (int)an - (int)bn : order_present(a, b);
}

/* Element i is the one before it once more.  Arrays that say so many times the same, repeat() of repeat() of
 * repeat(), are looked at once: they may stand for more elements than anybody can wait for. */
static bool again(const struct tsfs_vec *v, uint32_t i)
{
    if (i == 0 || v->constant)
        return i > 0;
    return tsfs_type_is_nested(v->type) && v->p[i] == v->p[i - 1] && !tsfs_vec_null(v, i) &&
           !tsfs_vec_null(v, i - 1);
}

static int order_elems(const struct tsfs_vec *a, uint32_t an, const struct tsfs_vec *b, uint32_t bn)
{
    for (uint32_t i = 0; i < an && i < bn; i++) {
        if (again(a, i) && again(b, i))
            continue;
        struct tsfs_value x = tsfs_vec_get(a, i), y = tsfs_vec_get(b, i);
        int c = tsfs_value_order(&x, &y);
        if (c != 0)
            return c;
    }
    return (an > bn) - (an < bn);
}

int tsfs_nested_order(enum tsfs_type type, const void *a, const void *b)
{
    if (a == b)
        return 0;
    switch (tsfs_type_kind(type)) {
    case TSFS_KIND_ARRAY: {
        const struct tsfs_array *x = a, *y = b;
        return order_elems(&x->elems, x->n, &y->elems, y->n);
    }
    case TSFS_KIND_ROW: {
        const struct tsfs_row *x = a, *y = b;
        for (uint32_t i = 0; i < x->n && i < y->n; i++) {
            int c = tsfs_value_order(&x->fields[i], &y->fields[i]);
            if (c != 0)
                return c;
        }
        return 0;
    }
    case TSFS_KIND_TIMESERIES: {
        const struct tsfs_timeseries *x = a, *y = b;
        for (uint32_t i = 0; i < x->n && i < y->n; i++) {
            struct tsfs_value v = tsfs_vec_get(&x->values, i), w = tsfs_vec_get(&y->values, i);
            int c = order_i64(x->times[i], y->times[i]);
            if (c == 0)
                c = tsfs_value_order(&v, &w);
            if (c != 0)
                return c;
        }
        return (x->n > y->n) - (x->n < y->n);
    }
    default: return 0;
    }
}

bool tsfs_value_same(const struct tsfs_value *a, const struct tsfs_value *b)
{
    return tsfs_value_order(a, b) == 0;
}

bool tsfs_nested_same(enum tsfs_type type, const void *a, const void *b)
{
    return tsfs_nested_order(type, a, b) == 0;
}

/* ---- SQL's comparisons ---- */

/* What is known of a sequence of comparisons: equal so far, or unknown from some NULL on. */
static int equal_elems(const struct tsfs_vec *a, const struct tsfs_vec *b, uint32_t n)
{
    int all = 1;
    for (uint32_t i = 0; i < n && all != 0; i++) {
        if (again(a, i) && again(b, i))
            continue;
        struct tsfs_value x = tsfs_vec_get(a, i), y = tsfs_vec_get(b, i);
        int one = tsfs_value_equal(&x, &y);
        all = one == 0 ? 0 : one < 0 ? -1 : all;
    }
    return all;
}

static int equal_nested(enum tsfs_type type, const void *a, const void *b)
{
    switch (tsfs_type_kind(type)) {
    case TSFS_KIND_ARRAY: {
        const struct tsfs_array *x = a, *y = b;
        return x->n == y->n ? equal_elems(&x->elems, &y->elems, x->n) : 0;
    }
    case TSFS_KIND_ROW: {
        const struct tsfs_row *x = a, *y = b;
        int all = 1;
        for (uint32_t i = 0; i < x->n && all != 0; i++) {
            int one = tsfs_value_equal(&x->fields[i], &y->fields[i]);
            all = one == 0 ? 0 : one < 0 ? -1 : all;
        }
        return all;
    }
    case TSFS_KIND_TIMESERIES: {
        const struct tsfs_timeseries *x = a, *y = b;
        if (x->n != y->n || (x->n > 0 && memcmp(x->times, y->times, x->n * sizeof(int64_t)) != 0))
            return 0;
        return equal_elems(&x->values, &y->values, x->n);
    }
    default: return 0;
    }
}

int tsfs_value_equal(const struct tsfs_value *a, const struct tsfs_value *b)
{
    if (a->null || b->null || a->type == TSFS_UNKNOWN || b->type == TSFS_UNKNOWN)
        return -1;
    if (a->type == TSFS_DOUBLE)
        return a->d == b->d;
    return tsfs_type_is_nested(a->type) ? equal_nested(a->type, a->p, b->p) : order_present(a, b) == 0;
}

/* The first pair that is not equal decides. */
static int less_parts(const struct tsfs_value *x, const struct tsfs_value *y, bool *decided)
{
    int same = tsfs_value_equal(x, y);
    *decided = same != 1;
    return same < 0 ? -1 : same == 1 ? 0 : tsfs_value_less(x, y);
}

static int less_nested(enum tsfs_type type, const void *a, const void *b)
{
    bool decided = false;
    int less = 0;
    switch (tsfs_type_kind(type)) {
    case TSFS_KIND_ARRAY: {
        const struct tsfs_array *x = a, *y = b;
        for (uint32_t i = 0; i < x->n && i < y->n && !decided; i++) {
            if (again(&x->elems, i) && again(&y->elems, i))
                continue;
            struct tsfs_value v = tsfs_vec_get(&x->elems, i), w = tsfs_vec_get(&y->elems, i);
            less = less_parts(&v, &w, &decided);
        }
        return decided ? less : x->n < y->n;
    }
    case TSFS_KIND_ROW: {
        const struct tsfs_row *x = a, *y = b;
        for (uint32_t i = 0; i < x->n && !decided; i++)
            less = less_parts(&x->fields[i], &y->fields[i], &decided);
        return decided ? less : 0;
    }
    default: return tsfs_nested_order(type, a, b) < 0;
    }
}

int tsfs_value_less(const struct tsfs_value *a, const struct tsfs_value *b)
{
    if (a->null || b->null || a->type == TSFS_UNKNOWN || b->type == TSFS_UNKNOWN)
        return -1;
    if (a->type == TSFS_DOUBLE)
        return a->d < b->d;
    return tsfs_type_is_nested(a->type) ? less_nested(a->type, a->p, b->p) : order_present(a, b) < 0;
}

/* ---- hashes ---- */

static uint64_t mix(uint64_t h, uint64_t x)
{
    h = (h ^ x) * UINT64_C(0x9e3779b97f4a7c15);
    return h ^ h >> 29;
}

static uint64_t hash_elems(const struct tsfs_vec *v, uint32_t n)
{
    uint64_t h = n, elem = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct tsfs_value x = tsfs_vec_get(v, i);
        elem = again(v, i) ? elem : tsfs_value_hash(&x);
        h = mix(h, elem);
    }
    return h;
}

uint64_t tsfs_nested_hash(enum tsfs_type type, const void *p)
{
    switch (tsfs_type_kind(type)) {
    case TSFS_KIND_ARRAY: {
        const struct tsfs_array *a = p;
        return hash_elems(&a->elems, a->n);
    }
    case TSFS_KIND_ROW: {
        const struct tsfs_row *r = p;
        uint64_t h = 7;
        for (uint32_t i = 0; i < r->n; i++)
            h = mix(h, tsfs_value_hash(&r->fields[i]));
        return h;
    }
    case TSFS_KIND_TIMESERIES: {
        const struct tsfs_timeseries *s = p;
        return mix(hash_elems(&s->values, s->n), tsfs_hash(s->times, s->n * sizeof(int64_t)));
    }
    default: return 0;
    }
}

uint64_t tsfs_value_hash(const struct tsfs_value *v)
{
    uint64_t word;
    double d;
    if (v->null || v->type == TSFS_UNKNOWN)
        return UINT64_C(0x2545f4914f6cdd1d);
    switch (v->type) {
    case TSFS_BOOLEAN: return mix(1, v->b);
    case TSFS_DOUBLE:
        d = v->d != v->d ? 0 : v->d + 0.0;
        memcpy(&word, &d, sizeof(word));
        return mix(v->d != v->d ? 3 : 2, word);
    case TSFS_VARCHAR:
    case TSFS_VARBINARY: return tsfs_hash(v->s.ptr, v->s.len);
    default: return tsfs_type_is_nested(v->type) ? tsfs_nested_hash(v->type, v->p) : mix(2, (uint64_t)v->i);
    }
}

/* ---- text ---- */

static int put(struct tsfs_buf *out, const char *text)
{
    return tsfs_buf_append(out, text, strlen(text));
}

/* `end` is what out may become. */
static int put_part(const struct tsfs_value *v, size_t end, struct tsfs_buf *out)
{
    if (out->len > end)
        return -E2BIG;
    return v->null || v->type == TSFS_UNKNOWN ? put(out, "NULL") : tsfs_value_append(v, end - out->len, out);
}

int tsfs_nested_append(const struct tsfs_value *value, size_t most, struct tsfs_buf *out)
{
    size_t end = most < SIZE_MAX - out->len ? out->len + most : SIZE_MAX;
    int rc = 0;
    switch (tsfs_type_kind(value->type)) {
    case TSFS_KIND_ARRAY:
        rc = put(out, "[");
        for (uint32_t i = 0; i < value->array->n && rc == 0; i++) {
            struct tsfs_value v = tsfs_vec_get(&value->array->elems, i);
            rc = put(out, i > 0 ? "," : "");
            if (rc == 0)
                rc = put_part(&v, end, out);
        }
        return rc != 0 ? rc : put(out, "]");
    case TSFS_KIND_ROW:
        rc = put(out, "(");
        for (uint32_t i = 0; i < value->row->n && rc == 0; i++) {
            rc = put(out, i > 0 ? "," : "");
            if (rc == 0)
                rc = put_part(&value->row->fields[i], end, out);
        }
        return rc != 0 ? rc : put(out, ")");
    case TSFS_KIND_TIMESERIES:
        rc = put(out, "[");
        for (uint32_t i = 0; i < value->series->n && rc == 0; i++) {
            struct tsfs_value t = {.type = TSFS_TIMESTAMP, .i = value->series->times[i]};
            struct tsfs_value v = tsfs_vec_get(&value->series->values, i);
            rc = put(out, i > 0 ? ",{time: " : "{time: ");
            if (rc == 0)
                rc = put_part(&t, end, out);
            if (rc == 0)
                rc = put(out, ", value: ");
            if (rc == 0)
                rc = put_part(&v, end, out);
            if (rc == 0)
                rc = put(out, "}");
        }
        return rc != 0 ? rc : put(out, "]");
    default: return 0;
    }
}
