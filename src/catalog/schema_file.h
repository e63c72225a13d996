/* A table's columns on disk: the text file `schema`, one column a line, only ever appended to. */
#ifndef TSFS_CATALOG_SCHEMA_FILE_H
#define TSFS_CATALOG_SCHEMA_FILE_H

#include "base/buf.h"
#include "col/schema.h"

/* "name<TAB>role<TAB>type" lines in order of birth, for people. */
TSFS_MUST_CHECK int tsfs_schema_render(const struct tsfs_schema *schema, struct tsfs_buf *out);
/* The same in short, for the file, of the columns from ordinal `from` on: role and type are one letter (t
 * time, m measure_name, d dimension; measures: b boolean, i bigint, f double, s varchar), and a column that
 * has those of the column before is its name alone. */
TSFS_MUST_CHECK int tsfs_schema_store(const struct tsfs_schema *schema, uint16_t from, struct tsfs_buf *out);
/* Reads lines of both kinds; an unterminated last one (a torn append) is left out and *good is the size
 * without it. -EINVAL with line and reason.  Returns owned. */
TSFS_MUST_CHECK int tsfs_schema_parse(struct tsfs_str text, size_t *good, struct tsfs_schema **out,
                                      struct tsfs_error *err);

#endif
