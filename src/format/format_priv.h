/* Shared by the formats: fast writers of single values, and the columns of the batch at hand. */
#ifndef TSFS_FORMAT_PRIV_H
#define TSFS_FORMAT_PRIV_H

#include "base/num.h"
#include "base/time.h"
#include "col/text.h"
#include "format/format.h"

/* The text of a date is kept while the day stays the same. */
struct format_day {
    int64_t day;
    unsigned len; /* of date, 0 = none yet */
    char date[TSFS_TIME_TEXT_MAX];
};

struct format_column {
    enum tsfs_type type;
    struct tsfs_str name;
    struct tsfs_str
        lead; /* what stands before each value: "," in CSV, ",\"name\":" in JSON; that is owned by leads */
    struct format_day day;
    /* of the batch at hand */
    const struct tsfs_vec *vec;
    const uint64_t *valid; /* NULL = no NULLs; also for constants */
    bool constant;
    bool nested;                /* an array, row or timeseries, which comes as a VARCHAR: see nested.c */
    size_t fixed_at, fixed_len; /* a constant's lead and text, in the formatter's fixed buffer */
};

struct format_table;

/* What nested columns of the batch at hand became. */
struct format_nested {
    bool any;
    struct tsfs_buf cols; /* struct tsfs_vec of every column */
    struct tsfs_buf strs; /* struct tsfs_str of every value */
    struct tsfs_buf text;
};

struct tsfs_formatter {
    enum tsfs_format format;
    unsigned ncols;
    struct format_column *cols;
    struct tsfs_buf leads; /* bytes behind cols[].lead */
    struct tsfs_buf fixed; /* bytes behind the constants of the batch */
    unsigned *varied;      /* the columns that are not constant in the batch; their fixed text leads them */
    unsigned nvaried;
    size_t tail_at; /* what ends each row, in fixed */
    struct format_table *table;
    struct format_nested nested;
};

/* Binds the columns to a batch. */
void format_bind(struct tsfs_formatter *f, const struct tsfs_batch *batch);

typedef char *format_put_cell(struct format_column *c, uint32_t row, char *p);
typedef char *format_put_rows(struct tsfs_formatter *f, uint32_t row, uint32_t end, char *p);

/* Renders once a batch what stands before the values of a row that differ from row to row, leads and
 * constants, and the tail of each row.  A string's byte may become `worst` bytes. */
int format_fix_leads(struct tsfs_formatter *f, size_t worst, format_put_cell *put, struct tsfs_str tail);

/* Appends rows [row, nrows) in slices; `padding` is what a row needs beyond its values and fixed texts. */
int format_rows(struct tsfs_formatter *f, uint32_t row, uint32_t nrows, size_t worst, size_t padding,
                format_put_rows *put, struct tsfs_buf *out);

/* Room for at most TSFS_VALUE_TEXT_MAX bytes at p; returns the end. */
char *format_put_value(struct format_column *c, uint32_t row, char *p);

/* *out is the batch with texts in the place of nested values; lives until the next call. */
int format_nested(struct tsfs_formatter *f, const struct tsfs_batch *in, struct tsfs_batch *out);

#define JSON_WORST 6 /* bytes that one byte of a string may become: \u0000 */
/* s in quotes, escaped; room for JSON_WORST * s.len + 2 bytes.  Returns the end. */
char *json_put_str(char *p, struct tsfs_str s);

int csv_leads(struct tsfs_formatter *f);
int csv_begin(struct tsfs_formatter *f, struct tsfs_buf *out);
int csv_batch(struct tsfs_formatter *f, const struct tsfs_batch *batch, struct tsfs_buf *out);
int json_leads(struct tsfs_formatter *f);
int json_batch(struct tsfs_formatter *f, const struct tsfs_batch *batch, struct tsfs_buf *out);
int format_table_begin(struct tsfs_formatter *f);
int format_table_batch(struct tsfs_formatter *f, const struct tsfs_batch *batch, struct tsfs_buf *out);
int format_table_end(struct tsfs_formatter *f, struct tsfs_buf *out);
void format_table_free(struct format_table *table);

/* Eight bytes at once: the high bit of each byte that is zero, or less than n (n <= 128). */
#define FORMAT_BYTES(b) (UINT64_C(0x0101010101010101) * (uint8_t)(b))
static inline uint64_t format_load8(const char *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}
static inline uint64_t format_has_zero(uint64_t v)
{
    return (v - FORMAT_BYTES(1)) & ~v & FORMAT_BYTES(0x80);
}
static inline uint64_t format_has_less(uint64_t v, uint8_t n)
{
    return (v - FORMAT_BYTES(n)) & ~v & FORMAT_BYTES(0x80);
}

/* Copies of up to this many bytes are made in one piece; what lies behind both ends must be there. */
#define FORMAT_SLACK 16u
static inline char *format_copy(char *p, const char *from, size_t len)
{
    if (len <= FORMAT_SLACK)
        memcpy(p, from, FORMAT_SLACK);
    else
        memcpy(p, from, len);
    return p + len;
}

/* v < 100; writes two bytes. */
static inline char *format_put_small(char *p, unsigned v)
{
    unsigned two = v >= 10;
    memcpy(p, tsfs_num_pairs + 2 * v + !two, 2);
    return p + 1 + two;
}

static inline char *format_put_pair(char *p, unsigned v)
{
    memcpy(p, tsfs_num_pairs + 2 * v, 2);
    return p + 2;
}

#endif
