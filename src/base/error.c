#include "base/error.h"

#include <stdio.h>
#include <string.h>

/* The length of text[0..len) without a UTF-8 sequence that the cut has left unfinished. */
static size_t whole_sequences(const char *text, size_t len)
{
    size_t i = len;
    while (i > 0 && len - i < 4 && ((unsigned char)text[i - 1] & 0xc0) == 0x80)
        i--;
    if (i == 0)
        return len;
    unsigned char lead = (unsigned char)text[i - 1];
    size_t need = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    return len - (i - 1) < need ? i - 1 : len;
}

int tsfs_error_vset_at(struct tsfs_error *err, int code, uint32_t line, uint32_t column, const char *fmt,
                       va_list ap)
{
    if (err == NULL || err->code != 0)
        return code;
    err->code = code;
    err->line = line;
    err->column = column;
    int n = vsnprintf(err->message, sizeof(err->message), fmt, ap);
    if (n < 0)
        err->message[0] = '\0';
    else if ((size_t)n >= sizeof(err->message))
        err->message[whole_sequences(err->message, sizeof(err->message) - 1)] = '\0';
    return code;
}

int tsfs_error_set(struct tsfs_error *err, int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    tsfs_error_vset_at(err, code, 0, 0, fmt, ap);
    va_end(ap);
    return code;
}

int tsfs_error_set_at(struct tsfs_error *err, int code, uint32_t line, uint32_t column, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    tsfs_error_vset_at(err, code, line, column, fmt, ap);
    va_end(ap);
    return code;
}

void tsfs_error_prefix(struct tsfs_error *err, const char *fmt, ...)
{
    if (err == NULL || err->code == 0)
        return;
    char old[TSFS_ERROR_MESSAGE_MAX], context[TSFS_ERROR_MESSAGE_MAX];
    memcpy(old, err->message, sizeof(old));
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(context, sizeof(context), fmt, ap);
    va_end(ap);
    if (n < 0)
        return;
    size_t len = (size_t)n < sizeof(context) ? (size_t)n : whole_sequences(context, sizeof(context) - 1);
    size_t room = sizeof(err->message) - 1;
    const char *parts[3] = {context, ": ", old};
    size_t lens[3] = {len, 2, strlen(old)}, at = 0;
    for (int i = 0; i < 3; i++) {
        size_t take = lens[i] < room - at ? lens[i] : room - at;
        memcpy(err->message + at, parts[i], take);
        at += take;
    }
    if (len + 2 + lens[2] > room)
        at = whole_sequences(err->message, at);
    err->message[at] = '\0';
}

void tsfs_error_clear(struct tsfs_error *err)
{
    if (err == NULL)
        return;
    err->code = 0;
    err->line = err->column = 0;
    err->message[0] = '\0';
}
