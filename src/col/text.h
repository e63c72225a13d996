/* Values as text, one way for all: results, CAST(x AS varchar), error messages. */
#ifndef TSFS_COL_TEXT_H
#define TSFS_COL_TEXT_H

#include "base/buf.h"
#include "col/vec.h"

/* Room that the text of any scalar value but a VARCHAR fits into. */
#define TSFS_VALUE_TEXT_MAX 64

/* The text of a non-NULL value of a scalar type that is not VARCHAR; returns its length, not NUL-terminated.
 */
unsigned tsfs_value_format(enum tsfs_type type, const void *value, char out[TSFS_VALUE_TEXT_MAX]);

/* Appends any value; NULL appends nothing.  -E2BIG: what is nested became more than `most` bytes (elements
 * may share their strings, so the text of an array may be far larger than the array). */
TSFS_MUST_CHECK int tsfs_value_append(const struct tsfs_value *value, size_t most, struct tsfs_buf *out);

#endif
