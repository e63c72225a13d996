#include "catalog/schema_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

/* What a line says in one letter. */
static const struct {
    char letter;
    enum tsfs_role role;
    enum tsfs_type type;
} kinds[] = {
    {'t', TSFS_ROLE_TIME, TSFS_TIMESTAMP},    {'m', TSFS_ROLE_MEASURE_NAME, TSFS_VARCHAR},
    {'d', TSFS_ROLE_DIMENSION, TSFS_VARCHAR}, {'b', TSFS_ROLE_MEASURE, TSFS_BOOLEAN},
    {'i', TSFS_ROLE_MEASURE, TSFS_BIGINT},    {'f', TSFS_ROLE_MEASURE, TSFS_DOUBLE},
    {'s', TSFS_ROLE_MEASURE, TSFS_VARCHAR},
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

int tsfs_schema_render(const struct tsfs_schema *schema, struct tsfs_buf *out)
{
    for (uint16_t i = 0; i < schema->ncols; i++) {
        const struct tsfs_column *c = &schema->cols[i];
        int rc = tsfs_buf_printf(out, "%.*s\t%s\t%s\n", (int)c->name.len, c->name.ptr,
                                 tsfs_role_name(c->role), tsfs_type_name(c->type));
        if (rc < 0)
            return rc;
    }
    return 0;
}

int tsfs_schema_store(const struct tsfs_schema *schema, uint16_t from, struct tsfs_buf *out)
{
    for (uint16_t i = from; i < schema->ncols; i++) {
        const struct tsfs_column *c = &schema->cols[i];
        unsigned k = 0;
        int rc = tsfs_buf_append(out, c->name.ptr, c->name.len);
        while (k < KINDS && (kinds[k].role != c->role || kinds[k].type != c->type))
            k++;
        if (rc == 0 && k == KINDS)
            rc = -EINVAL;
        if (rc == 0 && (i == 0 || c[-1].role != c->role || c[-1].type != c->type))
            rc = tsfs_buf_append(out, (char[]){'\t', kinds[k].letter}, 2);
        if (rc == 0)
            rc = tsfs_buf_append(out, "\n", 1);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* before: the column of the line before, of no name if there is none. */
static int parse_column(struct tsfs_str line, const struct tsfs_column *before, struct tsfs_column *out)
{
    bool alone = !line.len || !memchr(line.ptr, '\t', line.len);
    out->name = tsfs_str_cut(&line, '\t');
    if (out->name.len == 0 || (alone && before->name.len == 0))
        return -EINVAL;
    if (alone) {
        out->role = before->role;
        out->type = before->type;
        return 0;
    }
    for (unsigned k = 0; line.len == 1 && k < KINDS; k++) {
        if (kinds[k].letter == line.ptr[0]) {
            out->role = kinds[k].role;
            out->type = kinds[k].type;
            return 0;
        }
    }
    struct tsfs_str role = tsfs_str_cut(&line, '\t');
    if (!tsfs_type_from_name(line, &out->type))
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
    struct tsfs_column *cols = NULL, before = {0};
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
        if (parse_column(one, &before, &c) < 0) {
            rc = tsfs_error_set_at(err, -EINVAL, line, 0, "schema: not a column");
            goto out;
        }
        before = c;
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
