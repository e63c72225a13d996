/* Kernels that are written as a function of one row. */
#ifndef TSFS_EXEC_FUNCTIONS_ROWS_H
#define TSFS_EXEC_FUNCTIONS_ROWS_H

#include <errno.h>

#include "base/buf.h"
#include "exec/functions/functions_priv.h"

/* NAME_row(ROW_ARGS(T)) sets *r, which is zero before, and returns 0 or what function_fail does; ROW_KERNEL
 * makes the kernel NAME of it.  Rows that do not count are not asked.  A row whose first argument is a string
 * is work as long as that; kernels of which a row may take more say so themselves. */
#define ROW_ARGS(T)                                                                                          \
    struct tsfs_kernel_ctx *ctx, const struct tsfs_vec *args, unsigned nargs, uint32_t row, T *r
#define ROW_KERNEL(NAME, T)                                                                                  \
    static int NAME(KERNEL_ARGS)                                                                             \
    {                                                                                                        \
        T *r = function_calloc(ctx, out, n, sizeof(*r));                                                     \
        int rc = r == NULL ? -ENOMEM : 0;                                                                    \
        const bool text = tsfs_type_is_string(args[0].type);                                                 \
        for (uint32_t i = 0; i < n && rc == 0; i++) {                                                        \
            if (!row_valid(valid, i) ||                                                                      \
                (text && (rc = tsfs_kernel_work(ctx, row_str(args, 0, i).len)) != 0))                        \
                continue;                                                                                    \
            rc = NAME##_row(ctx, args, nargs, i, &r[i]);                                                     \
        }                                                                                                    \
        return rc;                                                                                           \
    }

/* The kernel NAME of NAME_row(ROW_TEXT_ARGS), which puts the row's text into *text, empty before, and returns
 * 1, 0 where the row was marked, or an error. */
#define ROW_TEXT_ARGS                                                                                        \
    struct tsfs_kernel_ctx *ctx, const struct tsfs_vec *args, unsigned nargs, uint32_t row,                  \
        struct tsfs_buf *text
#define ROW_TEXT_KERNEL(NAME)                                                                                \
    static int NAME(KERNEL_ARGS)                                                                             \
    {                                                                                                        \
        return row_texts(ctx, args, nargs, n, valid, out, NAME##_row);                                       \
    }

static inline struct tsfs_str row_str(const struct tsfs_vec *args, unsigned arg, uint32_t row)
{
    return args[arg].s[row_at(&args[arg], row)];
}

static inline int64_t row_i64(const struct tsfs_vec *args, unsigned arg, uint32_t row)
{
    return args[arg].i[row_at(&args[arg], row)];
}

static inline double row_double(const struct tsfs_vec *args, unsigned arg, uint32_t row)
{
    return args[arg].d[row_at(&args[arg], row)];
}

/* A copy of len bytes in the arena as the row's string. */
static inline int row_put_text(struct tsfs_kernel_ctx *ctx, const char *text, size_t len, struct tsfs_str *r)
{
    char *copy = function_bytes(ctx, len);
    if (copy == NULL)
        return -ENOMEM;
    if (len > 0)
        memcpy(copy, text, len);
    *r = (struct tsfs_str){copy, len};
    return 0;
}

static inline int row_texts(KERNEL_ARGS, int (*put)(ROW_TEXT_ARGS))
{
    struct tsfs_str *r = function_calloc(ctx, out, n, sizeof(*r));
    struct tsfs_buf text = {0};
    int rc = r == NULL ? -ENOMEM : 0;
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        if (!row_valid(valid, i))
            continue;
        text.len = 0;
        rc = put(ctx, args, nargs, i, &text);
        if (rc > 0)
            rc = row_put_text(ctx, text.data, text.len, &r[i]);
    }
    tsfs_buf_free(&text);
    return rc;
}

#endif
