/* Errors: 0 or -errno, with an optional sentence that a user can act on. */
#ifndef TSFS_BASE_ERROR_H
#define TSFS_BASE_ERROR_H

#include <stdarg.h>
#include <stdint.h>

#define TSFS_ERROR_MESSAGE_MAX 512

#define TSFS_MUST_CHECK        __attribute__((warn_unused_result))
#define TSFS_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* Zero-initialise before use.  Every function that takes one accepts NULL. */
struct tsfs_error {
    int code;        /* -errno of the first failure, 0 = none */
    uint32_t line;   /* 1-based position in the user's text, 0 = not positional */
    uint32_t column; /* 1-based, in bytes */
    char message[TSFS_ERROR_MESSAGE_MAX];
};

/* Records code (a negative errno) and a message unless an error is already held (the first one is
 * kept), and returns code, so that "return tsfs_error_set(err, -EINVAL, ...)" reads well.  Over-long
 * messages are cut at a UTF-8 boundary. */
int tsfs_error_set(struct tsfs_error *err, int code, const char *fmt, ...) TSFS_PRINTF(3, 4);

/* The same with a position in the user's text. */
int tsfs_error_set_at(struct tsfs_error *err, int code, uint32_t line, uint32_t column, const char *fmt, ...)
    TSFS_PRINTF(5, 6);
int tsfs_error_vset_at(struct tsfs_error *err, int code, uint32_t line, uint32_t column, const char *fmt,
                       va_list ap) TSFS_PRINTF(5, 0);

/* Puts "context: " before the message already held. */
void tsfs_error_prefix(struct tsfs_error *err, const char *fmt, ...) TSFS_PRINTF(2, 3);

void tsfs_error_clear(struct tsfs_error *err);

#endif
