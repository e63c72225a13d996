/* Between the files of the line-protocol parser. */
#ifndef TSFS_INGEST_LP_PRIV_H
#define TSFS_INGEST_LP_PRIV_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/limits.h"
#include "base/str.h"
#include "ingest/line_protocol.h"

#define LP_LAYOUT_BITS 5
#define LP_LAYOUTS     (1 << LP_LAYOUT_BITS)
#define LP_INCOMPLETE  1 /* the line goes on behind the input */

struct lp_parser {
    struct tsfs_lp_batch *batch;
    const char *data, *end, *limit; /* end: behind the last newline */
    const char *line;               /* start of the line at hand */
    uint32_t line_number;
    uint32_t breaks; /* newlines inside its strings */
    bool escaped;    /* one of its names had escapes */
    bool at_end;
    /* The field sets met last, found again by the beginning of the key, and that of the point before. */
    struct lp_layout {
        uint32_t first, nfields; /* fields in the batch; nfields 0 if they cannot serve */
        uint32_t number;
    } layouts[LP_LAYOUTS], last;
    size_t next_key; /* the point whose key this line's is if lines come in the order that they came in
                        before; beyond the last one if there is none */
    struct tsfs_error *err;
};

/* Says what is wrong at `at`, with its line and column.  Returns code. */
TSFS_PRINTF(4, 5) int lp_fail(struct lp_parser *ps, const char *at, int code, const char *fmt, ...);

/* 0, LP_INCOMPLETE or -errno (ps->err says why).
 * A field's name that is not the expected one.  *pp: to behind its '='. */
TSFS_MUST_CHECK int lp_read_name(struct lp_parser *ps, const char **pp, struct tsfs_str *name);
/* A quoted string.  *pp: from behind its opening quote to behind its closing one. */
TSFS_MUST_CHECK int lp_read_string(struct lp_parser *ps, const char **pp, struct tsfs_lp_field *f);
/* Any value but a string, right or wrong. */
TSFS_MUST_CHECK int lp_read_value(struct lp_parser *ps, const char **pp, struct tsfs_lp_field *f);
/* Of two fields of one name, among those from first on, the later counts; the earlier is taken out. */
TSFS_MUST_CHECK int lp_drop_duplicates(struct lp_parser *ps, size_t first);

/* No string is longer between its quotes: every character escaped, and the closing quote. */
#define LP_STRING_MAX (2 * (ptrdiff_t)TSFS_VARCHAR_MAX + 1)

/* Text of the input made fit for a message: no control characters, valid UTF-8, cut to some forty bytes. */
#define LP_QUOTE_MAX 64
const char *lp_quote(struct tsfs_str raw, char out[LP_QUOTE_MAX]);

/* raw without the backslashes before ',', '=' and ' ', NUL-terminated in arena; ptr NULL when out of memory.
 */
struct tsfs_str lp_unescape_name(struct tsfs_arena *arena, struct tsfs_str raw);

/* raw (the inside of a quoted string) without its escapes, likewise. */
struct tsfs_str lp_unescape_string(struct tsfs_arena *arena, struct tsfs_str raw);

/* Where the bad line that begins at p ends: behind its newline, or at limit if there is none.  Line breaks
 * inside well-formed strings (opened behind '=', closed before ',', blank or line end, not too long) do not
 * end it. NULL unless at_end: the line, or such a string, may go on behind limit. */
const char *lp_line_end(const char *p, const char *limit, bool at_end);

#endif
