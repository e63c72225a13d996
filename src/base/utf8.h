/* UTF-8, strictly as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef TSFS_BASE_UTF8_H
#define TSFS_BASE_UTF8_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

bool tsfs_utf8_valid(struct tsfs_str s);
/* How much of a name is valid and no control character: s.len when all is. */
size_t tsfs_utf8_plain(struct tsfs_str s);
/* Bytes (1-4) of the sequence at s[0..], its code point in *cp; 0 if invalid or empty. */
unsigned tsfs_utf8_decode(struct tsfs_str s, uint32_t *cp);
/* Writes cp, returns the bytes written (1-4), 0 if cp is not a code point. */
unsigned tsfs_utf8_encode(uint32_t cp, char out[4]);
size_t tsfs_utf8_length(struct tsfs_str s); /* code points of a valid text */

#endif
