/* Between the files of the line-protocol parser. */
#ifndef TSFS_INGEST_LP_PRIV_H
#define TSFS_INGEST_LP_PRIV_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/limits.h"
#include "base/str.h"

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
