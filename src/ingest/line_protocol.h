/* InfluxDB line protocol: bytes to points.
 *
 *     measurement,tag=value,tag=value field=1.5,other=2i,name="x" 1763798400000000000
 *
 * Parsing is in two halves.  tsfs_lp_parse finds lines, checks and converts every field and the time, but
 * only finds the end of the key (all before the first unescaped blank) and hashes its bytes.  The caller
 * looks the raw key up among the spellings it has met; only for one never met before it calls
 * tsfs_lp_parse_key, which splits, unescapes and validates, and whose error is the error of that line.
 *
 * The protocol's grammar is as its reference decoder (github.com/influxdata/line-protocol, v2) has it:
 *   - Names and tag values: a backslash before a comma, an equals sign or a blank takes away its meaning; any
 *     other backslash stands for itself (so `C:\new` is six characters, and a name cannot end with a
 * backslash). No control characters.
 *   - Strings: "...", in which \" \\ \n \r \t are escapes, any other backslash stands for itself, and raw
 * line breaks are content. Taken in addition: a leading + of a number, tabs where blanks may be at a line's
 * ends, \= in a measurement, `u` integers up to 2^63 - 1, and a measurement left out (see tsfs_lp_point.key).
 */
#ifndef TSFS_INGEST_LINE_PROTOCOL_H
#define TSFS_INGEST_LINE_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"
#include "col/type.h"

struct tsfs_lp_field {
    struct tsfs_str name; /* unescaped, valid; in the input, or in the batch's arena if it had escapes */
    enum tsfs_type type;  /* BOOLEAN, BIGINT, DOUBLE (finite) or VARCHAR */
    union {
        bool b;
        int64_t i;
        double d;
        struct tsfs_str s; /* like name; valid UTF-8, any character; ptr is never NULL */
    };
};

#define TSFS_LP_NONE UINT32_MAX
#define TSFS_LP_KEYS 256u /* a power of two */

struct tsfs_lp_point {
    /* The raw bytes of measurement and tags as spelled, in the input.  Empty: the line is a field set alone
     * (its first part has an unescaped '=' before any unescaped ','); begins with ',': tags without a
     * measurement. */
    struct tsfs_str key;
    uint64_t key_hash;             /* tsfs_hash of key */
    int64_t time;                  /* as written, in the unit of the precision: not scaled */
    size_t offset, length;         /* the line in the input, leading blanks included, its line end not */
    uint32_t first_field, nfields; /* in batch->fields; nfields > 0, no name twice */
    uint32_t line;                 /* 1-based number of the line's first byte in the input */
    uint32_t layout;   /* points of this batch with the same number have fields of the same names in the
                          same order (not always the other way round): keep what a lookup gave by
                          this number, which is less than batch->nlayouts */
    uint32_t same_key; /* a point before this one that has the same key, TSFS_LP_NONE if none was noticed */
    bool has_time;
    bool same_names; /* layout is that of the point before in this batch, which need not be of the same table
                        and may have been refused since: good only for what was kept for that very point */
};

struct tsfs_lp_batch {
    struct tsfs_lp_point *points;
    struct tsfs_lp_field *fields;
    size_t npoints, nfields;
    uint32_t nlayouts;
    size_t lines; /* line ends in the bytes consumed: add to a running line number */

    /* After -EINVAL or -E2BIG: the bad line is data[bad_offset, bad_offset + bad_length), its newline
     * included; bad_offset equals *consumed, and parsing goes on behind it.  It has bad_lines line ends.  If
     * bad_unfinished, the data ended before the line did: what comes next, up to and with the next newline,
     * is still part of it. */
    size_t bad_offset, bad_length, bad_lines;
    bool bad_unfinished;

    /* private */
    struct tsfs_arena arena;
    size_t points_cap, fields_cap;
    uint32_t *scratch;
    size_t scratch_cap;
    uint32_t keys[TSFS_LP_KEYS]; /* points by the hashes of their keys; may be of the batch before */
};

/* budget may be NULL; it is borrowed until free and charged for the arena alone. */
void tsfs_lp_batch_init(struct tsfs_lp_batch *batch, struct tsfs_budget *budget);
void tsfs_lp_batch_free(struct tsfs_lp_batch *batch);

/* Empties the batch, then parses whole lines from data, up to max_points points (0 = no bound).  data is
 * borrowed until the batch is parsed into again or freed.  *consumed = the bytes of whole lines taken,
 * comments and blank lines included; the rest is an incomplete line (also a bad one with a string
 * that goes on), or (max_points reached) more lines:
 * call again from there, and with more data behind an incomplete line.  at_end: there will be no more data;
 * an incomplete line is an error (and an unclosed string does not hide the lines that it swallowed).
 *
 * 0; or for a bad line, with the points before it in the batch, its extent in bad_*, and err's line and
 * column counted as in tsfs_lp_point.line: -EINVAL, or -E2BIG when the line, its key, a name or a string is
 * longer than base/limits.h allows (TSFS_LINE_MAX holds for an incomplete line, too).  -ENOMEM: the points
 * parsed so far are in the batch and *consumed is the start of the next line. */
TSFS_MUST_CHECK int tsfs_lp_parse(struct tsfs_lp_batch *batch, const char *data, size_t len,
                                  size_t max_points, bool at_end, size_t *consumed, struct tsfs_error *err);

struct tsfs_lp_tag {
    struct tsfs_str key, value; /* unescaped; neither is empty */
};

/* Splits a raw key.  measurement and tags (in the order spelled) are copies in arena, NUL-terminated;
 * measurement has ptr NULL where it is left out.  -EINVAL, -E2BIG: err's column counts from 1 at the key's
 * first byte, and its line is 1: in the point's line that is column + (key.ptr - (data + point.offset)). */
TSFS_MUST_CHECK int tsfs_lp_parse_key(struct tsfs_str key, struct tsfs_arena *arena,
                                      struct tsfs_str *measurement, struct tsfs_lp_tag **tags,
                                      unsigned *ntags, struct tsfs_error *err);

#endif
