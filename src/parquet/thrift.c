/* Thrift's compact protocol (doc/specs/thrift-compact-protocol.md of apache/thrift).
 *
 * A struct is a sequence of fields and a zero byte.  A field begins with a byte: the type in the low four
 * bits, in the high four the distance of its number from the field before (1..15), or 0 and the number
 * follows as a zigzag varint.  The value of a boolean field is its type.  Integers are zigzag varints, but
 * for a byte, which is one; strings a varint length and bytes; a list is a byte with the element type below
 * and the length above (15: a varint follows).  Booleans in lists take a byte each: 1 true; false is 2, and 0
 * from writers that kept to an older text. Doubles are eight bytes, lowest first. */
#include "parquet/thrift.h"

#include <errno.h>

#include "parquet/bits.h"

void thrift_reader_init(struct thrift_reader *r, const void *data, size_t len)
{
    *r = (struct thrift_reader){.p = data, .end = (const uint8_t *)data + len};
}

static uint64_t get_varint(struct thrift_reader *r)
{
    uint64_t v = 0;
    if (r->bad || !pq_get_varint(&r->p, r->end, &v)) {
        r->bad = true;
        return 0;
    }
    return v;
}

static uint8_t get_byte(struct thrift_reader *r)
{
    if (r->bad || r->p >= r->end) {
        r->bad = true;
        return 0;
    }
    return *r->p++;
}

bool thrift_field(struct thrift_reader *r, struct thrift_fields *f)
{
    uint8_t head = get_byte(r);
    if (r->bad || head == THRIFT_STOP)
        return false;
    f->type = head & 0x0f;
    int64_t id = head >> 4 ? f->last + (head >> 4) : pq_unzigzag(get_varint(r));
    if (r->bad || f->type < THRIFT_TRUE || f->type > THRIFT_STRUCT || id < INT16_MIN || id > INT16_MAX) {
        r->bad = true;
        return false;
    }
    f->id = f->last = (int16_t)id;
    return true;
}

void thrift_enter(struct thrift_reader *r)
{
    if (++r->depth > TSFS_THRIFT_DEPTH)
        r->bad = true;
}

void thrift_leave(struct thrift_reader *r)
{
    r->depth--;
}

int64_t thrift_element_int(struct thrift_reader *r)
{
    return pq_unzigzag(get_varint(r));
}

bool thrift_element_bool(struct thrift_reader *r)
{
    return get_byte(r) == 1;
}

struct tsfs_str thrift_element_binary(struct thrift_reader *r)
{
    uint64_t n = get_varint(r);
    struct tsfs_str s = {"", 0};
    if (r->bad || n > (uint64_t)(r->end - r->p)) {
        r->bad = true;
        return s;
    }
    s = (struct tsfs_str){(const char *)r->p, (size_t)n};
    r->p += n;
    return s;
}

int64_t thrift_get_int(struct thrift_reader *r, const struct thrift_fields *f)
{
    switch (f->type) {
    case THRIFT_BYTE: return (int8_t)get_byte(r);
    case THRIFT_I16:
    case THRIFT_I32:
    case THRIFT_I64: return thrift_element_int(r);
    default: r->bad = true; return 0;
    }
}

int32_t thrift_get_i32(struct thrift_reader *r, const struct thrift_fields *f)
{
    int64_t v = thrift_get_int(r, f);
    if (v < INT32_MIN || v > INT32_MAX) {
        r->bad = true;
        return 0;
    }
    return (int32_t)v;
}

bool thrift_get_bool(struct thrift_reader *r, const struct thrift_fields *f)
{
    if (f->type != THRIFT_TRUE && f->type != THRIFT_FALSE)
        r->bad = true;
    return f->type == THRIFT_TRUE;
}

struct tsfs_str thrift_get_binary(struct thrift_reader *r, const struct thrift_fields *f)
{
    if (f->type != THRIFT_BINARY)
        r->bad = true;
    return thrift_element_binary(r);
}

static uint32_t get_list(struct thrift_reader *r, enum thrift_type *element)
{
    uint8_t head = get_byte(r);
    uint64_t n = head >> 4;
    if (n == 15)
        n = get_varint(r);
    *element = head & 0x0f;
    if (r->bad || n > (uint64_t)(r->end - r->p) || *element < THRIFT_TRUE || *element > THRIFT_STRUCT ||
        n > UINT32_MAX) {
        r->bad = true;
        return 0;
    }
    return (uint32_t)n;
}

uint32_t thrift_get_list(struct thrift_reader *r, const struct thrift_fields *f, enum thrift_type *element)
{
    if (f->type != THRIFT_LIST)
        r->bad = true;
    return get_list(r, element);
}

static void skip(struct thrift_reader *r, enum thrift_type type, bool in_list);

static void skip_elements(struct thrift_reader *r, enum thrift_type element, uint64_t n)
{
    for (uint64_t i = 0; i < n && !r->bad; i++)
        skip(r, element, true);
}

static void skip_bytes(struct thrift_reader *r, size_t n)
{
    if ((size_t)(r->end - r->p) < n)
        r->bad = true;
    else
        r->p += n;
}

static void skip(struct thrift_reader *r, enum thrift_type type, bool in_list)
{
    enum thrift_type element;
    struct thrift_fields f = {0};
    uint64_t n;
    if (r->bad)
        return;
    switch (type) {
    case THRIFT_TRUE:
    case THRIFT_FALSE:
        if (in_list)
            skip_bytes(r, 1);
        break;
    case THRIFT_BYTE: skip_bytes(r, 1); break;
    case THRIFT_I16:
    case THRIFT_I32:
    case THRIFT_I64: get_varint(r); break;
    case THRIFT_DOUBLE: skip_bytes(r, 8); break;
    case THRIFT_BINARY: thrift_element_binary(r); break;
    case THRIFT_LIST:
    case THRIFT_SET:
        thrift_enter(r);
        n = get_list(r, &element);
        skip_elements(r, element, n);
        thrift_leave(r);
        break;
    case THRIFT_MAP:
        thrift_enter(r);
        n = get_varint(r);
        if (n && !r->bad) {
            uint8_t types = get_byte(r);
            for (uint64_t i = 0; i < n && !r->bad; i++) {
                const uint8_t *before = r->p;
                skip(r, types >> 4, true);
                skip(r, types & 0x0f, true);
                if (r->p == before)
                    r->bad = true; /* elements of no length: a count that the input does not back */
            }
        }
        thrift_leave(r);
        break;
    case THRIFT_STRUCT:
        thrift_enter(r);
        while (thrift_field(r, &f))
            skip(r, f.type, false);
        thrift_leave(r);
        break;
    default: r->bad = true;
    }
}

void thrift_skip(struct thrift_reader *r, enum thrift_type type)
{
    skip(r, type, false);
}

void thrift_writer_init(struct thrift_writer *w, struct tsfs_buf *out)
{
    *w = (struct thrift_writer){.out = out};
}

static void put(struct thrift_writer *w, const void *data, size_t n)
{
    if (!w->error)
        w->error = tsfs_buf_append(w->out, data, n);
}

static void put_varint(struct thrift_writer *w, uint64_t v)
{
    uint8_t b[PQ_VARINT_MAX];
    put(w, b, (size_t)(pq_put_varint(b, v) - b));
}

static void put_header(struct thrift_writer *w, int16_t id, enum thrift_type type)
{
    int16_t *last = &w->last[w->depth];
    int distance = id - *last;
    uint8_t head = (uint8_t)type;
    if (distance > 0 && distance <= 15) {
        head |= (uint8_t)(distance << 4);
        put(w, &head, 1);
    } else {
        put(w, &head, 1);
        put_varint(w, pq_zigzag(id));
    }
    *last = id;
}

void thrift_put_bool(struct thrift_writer *w, int16_t id, bool v)
{
    put_header(w, id, v ? THRIFT_TRUE : THRIFT_FALSE);
}

void thrift_put_byte(struct thrift_writer *w, int16_t id, int8_t v)
{
    put_header(w, id, THRIFT_BYTE);
    put(w, &v, 1);
}

void thrift_put_i16(struct thrift_writer *w, int16_t id, int16_t v)
{
    put_header(w, id, THRIFT_I16);
    put_varint(w, pq_zigzag(v));
}

void thrift_put_i32(struct thrift_writer *w, int16_t id, int32_t v)
{
    put_header(w, id, THRIFT_I32);
    put_varint(w, pq_zigzag(v));
}

void thrift_put_i64(struct thrift_writer *w, int16_t id, int64_t v)
{
    put_header(w, id, THRIFT_I64);
    put_varint(w, pq_zigzag(v));
}

void thrift_put_binary(struct thrift_writer *w, int16_t id, struct tsfs_str v)
{
    put_header(w, id, THRIFT_BINARY);
    thrift_add_binary(w, v);
}

void thrift_put_list(struct thrift_writer *w, int16_t id, enum thrift_type element, uint32_t n)
{
    uint8_t head = (uint8_t)((n < 15 ? n << 4 : 0xf0) | (unsigned)element);
    put_header(w, id, THRIFT_LIST);
    put(w, &head, 1);
    if (n >= 15)
        put_varint(w, n);
}

void thrift_begin_element(struct thrift_writer *w)
{
    if (w->depth + 1 >= TSFS_THRIFT_DEPTH) {
        w->error = w->error ? w->error : -EOVERFLOW;
        return;
    }
    w->last[++w->depth] = 0;
}

void thrift_begin_struct(struct thrift_writer *w, int16_t id)
{
    put_header(w, id, THRIFT_STRUCT);
    thrift_begin_element(w);
}

void thrift_end_struct(struct thrift_writer *w)
{
    put(w, "", 1);
    if (w->depth)
        w->depth--;
}

void thrift_add_int(struct thrift_writer *w, int64_t v)
{
    put_varint(w, pq_zigzag(v));
}

void thrift_add_bool(struct thrift_writer *w, bool v)
{
    uint8_t b = v ? 1 : 2;
    put(w, &b, 1);
}

void thrift_add_binary(struct thrift_writer *w, struct tsfs_str v)
{
    put_varint(w, v.len);
    put(w, v.len ? v.ptr : "", v.len);
}
