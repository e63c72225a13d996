/* Thrift's compact protocol, both ways: just the part that Parquet's metadata needs. */
#ifndef TSFS_PARQUET_THRIFT_H
#define TSFS_PARQUET_THRIFT_H

#include <stddef.h>

#include "base/buf.h"
#include "base/limits.h"

enum thrift_type {
    THRIFT_STOP = 0,
    THRIFT_TRUE = 1,
    THRIFT_FALSE = 2,
    THRIFT_BYTE = 3,
    THRIFT_I16 = 4,
    THRIFT_I32 = 5,
    THRIFT_I64 = 6,
    THRIFT_DOUBLE = 7,
    THRIFT_BINARY = 8,
    THRIFT_LIST = 9,
    THRIFT_SET = 10,
    THRIFT_MAP = 11,
    THRIFT_STRUCT = 12
};

/* Errors stick: after the first bad byte every getter returns 0 and thrift_field returns false, so that a
 * parser checks `bad` once, at its end. */
struct thrift_reader {
    const uint8_t *p, *end;
    unsigned depth;
    bool bad;
};

/* One struct being read: declare zeroed where the struct begins. */
struct thrift_fields {
    int16_t last;
    int16_t id;
    enum thrift_type type; /* BOOL fields come as THRIFT_TRUE or THRIFT_FALSE: no getter then */
};

void thrift_reader_init(struct thrift_reader *r, const void *data, size_t len);
/* The next field's header; false at the struct's end. */
bool thrift_field(struct thrift_reader *r, struct thrift_fields *f);
/* Enters a struct: on the field of type THRIFT_STRUCT or on an element of a list; thrift_leave after its last
 * field.
 */
void thrift_enter(struct thrift_reader *r);
void thrift_leave(struct thrift_reader *r);
/* Values.  A field of another type than asked for marks the reader bad. */
int64_t thrift_get_int(struct thrift_reader *r, const struct thrift_fields *f); /* BYTE, I16, I32, I64 */
int32_t thrift_get_i32(struct thrift_reader *r, const struct thrift_fields *f); /* bad if it does not fit */
bool thrift_get_bool(struct thrift_reader *r, const struct thrift_fields *f);
struct tsfs_str thrift_get_binary(struct thrift_reader *r, const struct thrift_fields *f); /* borrowed */
/* A list's header; the elements follow, each at least a byte, so *n is bounded by the input. */
uint32_t thrift_get_list(struct thrift_reader *r, const struct thrift_fields *f, enum thrift_type *element);
/* Elements of lists. */
int64_t thrift_element_int(struct thrift_reader *r);
bool thrift_element_bool(struct thrift_reader *r);
struct tsfs_str thrift_element_binary(struct thrift_reader *r);
void thrift_skip(struct thrift_reader *r, enum thrift_type type);

/* Writing: errors (only -ENOMEM) stick too. */
struct thrift_writer {
    struct tsfs_buf *out;
    int16_t last[TSFS_THRIFT_DEPTH];
    unsigned depth;
    int error;
};

void thrift_writer_init(struct thrift_writer *w, struct tsfs_buf *out);
void thrift_put_bool(struct thrift_writer *w, int16_t id, bool v);
void thrift_put_i16(struct thrift_writer *w, int16_t id, int16_t v);
void thrift_put_i32(struct thrift_writer *w, int16_t id, int32_t v);
void thrift_put_i64(struct thrift_writer *w, int16_t id, int64_t v);
void thrift_put_byte(struct thrift_writer *w, int16_t id, int8_t v);
void thrift_put_binary(struct thrift_writer *w, int16_t id, struct tsfs_str v);
void thrift_put_list(struct thrift_writer *w, int16_t id, enum thrift_type element, uint32_t n);
void thrift_begin_struct(struct thrift_writer *w, int16_t id); /* as a field */
void thrift_begin_element(struct thrift_writer *w);            /* as a list's element, or the outermost */
void thrift_end_struct(struct thrift_writer *w);
void thrift_add_int(struct thrift_writer *w, int64_t v); /* elements of lists */
void thrift_add_bool(struct thrift_writer *w, bool v);
void thrift_add_binary(struct thrift_writer *w, struct tsfs_str v);

#endif
