#include "catalog/schema_file.h"

#include <errno.h>
#include <stdlib.h>

#include "base/limits.h"

int tsfs_schema_render(const struct tsfs_schema *schema, uint16_t from, struct tsfs_buf *out)
{
    for (uint16_t i = from; i < schema->ncols; i++) {
        const struct tsfs_column *c = &schema->cols[i];
        int rc = tsfs_buf_printf(out, "%.*s\t%s\t%s\n", (int)c->name.len, c->name.ptr,
                                 tsfs_role_name(c->role), tsfs_type_name(c->type));
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int parse_column(struct tsfs_str line, struct tsfs_column *out)
{
    out->name = tsfs_str_cut(&line, '\t');
    struct tsfs_str role = tsfs_str_cut(&line, '\t');
    if (out->name.len == 0 || !tsfs_type_from_name(line, &out->type))
        return -EINVAL;
    for (int r = TSFS_ROLE_TIME; r <= TSFS_ROLE_MEASURE; r++) {
        if (tsfs_str_eq(role, tsfs_str_from(tsfs_role_name((enum tsfs_role)r)))) {
            out->role = (enum tsfs_role)r;
            return 0;
        }
    }
    return -EINVAL;
}

int tsfs_schema_parse(struct tsfs_str text, size_t *good, struct tsfs_schema **out, struct tsfs_error *err)
{
    struct tsfs_schema *schema = NULL;
    struct tsfs_column *cols = NULL;
    unsigned n = 0;
    uint32_t line = 0;
    const char *start = text.ptr;
    *good = 0;
    int rc = tsfs_schema_create(&schema);
    if (rc < 0)
        return rc;
    cols = calloc(TSFS_COLUMNS_MAX, sizeof(*cols));
    if (!cols) {
        rc = -ENOMEM;
        goto out;
    }
    while (text.len && memchr(text.ptr, '\n', text.len)) {
        struct tsfs_str one = tsfs_str_cut(&text, '\n');
        struct tsfs_column c = {0};
        line++;
        *good = (size_t)(text.ptr - start);
        if (parse_column(one, &c) < 0) {
            rc = tsfs_error_set_at(err, -EINVAL, line, 0, "schema: not a column");
            goto out;
        }
        if (line <= 2) { /* time and measure_name come first and are always there */
            if (c.role != schema->cols[line - 1].role) {
                rc = tsfs_error_set_at(err, -EINVAL, line, 0,
                                       "schema: the first columns must be time and measure_name");
                goto out;
            }
            continue;
        }
        if (n == TSFS_COLUMNS_MAX) {
            rc = tsfs_error_set_at(err, -EINVAL, line, 0, "schema: more than %d columns", TSFS_COLUMNS_MAX);
            goto out;
        }
        cols[n++] = c;
    }
    if (line < 2) { /* they are written before the file gets its name: this is no torn tail */
        rc = tsfs_error_set(err, -EINVAL, "schema: no columns time and measure_name");
        goto out;
    }
    struct tsfs_schema *extended = NULL;
    rc = tsfs_schema_extend(schema, cols, n, &extended, err);
    if (rc < 0)
        goto out;
    *out = extended;
out:
    free(cols);
    tsfs_schema_unref(schema);
    return rc;
}
