/* Segments by other programs: no private index, any order of rows, other units and widths.
 *
 * Such a file is read whole, its rows go through the same structures as freshly written ones (which sort
 * them, and let the later of two rows with one series and time win, field by field), and come out as a
 * segment of ours in a file without a name, which serves every cursor as long as the foreign one lives.  The
 * memory this takes is bounded; files beyond it are refused. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/io.h"
#include "base/utf8.h"
#include "cold/cold_priv.h"

static int oom(struct tsfs_error *err)
{
    return tsfs_error_set(err, -ENOMEM, "out of memory");
}

int foreign_column(const struct tsfs_pq_column *c, struct tsfs_column *out, struct tsfs_error *err)
{
    *out = (struct tsfs_column){.name = c->name, .role = TSFS_ROLE_MEASURE, .type = c->type};
    if (tsfs_str_eq(c->name, TSFS_STR("time"))) {
        if (c->logical != TSFS_PQ_TIMESTAMP)
            return tsfs_error_set(err, -EINVAL, "column time is not a timestamp");
        out->role = TSFS_ROLE_TIME;
        out->type = TSFS_TIMESTAMP;
        return 0;
    }
    if (c->name.len == 0 || c->name.len > TSFS_COLUMN_NAME_MAX)
        return tsfs_error_set(err, -EINVAL, "a column's name is empty or longer than %d bytes",
                              TSFS_COLUMN_NAME_MAX);
    if (tsfs_utf8_plain(c->name) < c->name.len)
        return tsfs_error_set(err, -EINVAL, "a column's name has control characters or is no UTF-8");
    bool measure_name = tsfs_str_eq(c->name, TSFS_STR("measure_name"));
    if (measure_name && c->type != TSFS_VARCHAR)
        return tsfs_error_set(err, -EINVAL, "column measure_name is not a string");
    if (c->type == TSFS_VARCHAR)
        out->role = measure_name ? TSFS_ROLE_MEASURE_NAME : TSFS_ROLE_DIMENSION;
    else if (c->logical == TSFS_PQ_DECIMAL)
        out->type = TSFS_DOUBLE;
    else if (c->logical == TSFS_PQ_TIMESTAMP ||
             (c->type != TSFS_BOOLEAN && c->type != TSFS_BIGINT && c->type != TSFS_DOUBLE))
        return tsfs_error_set(err, -EINVAL, "column %.*s has a type that no measure can have",
                              (int)c->name.len, c->name.ptr);
    return 0;
}

static int64_t time_factor(const struct tsfs_pq_column *c)
{
    return c->unit == TSFS_PQ_MILLIS ? 1000000 : c->unit == TSFS_PQ_MICROS ? 1000 : 1;
}

int foreign_check(struct tsfs_segment *s, int64_t *t_first, int64_t *t_last, struct tsfs_error *err)
{
    const struct tsfs_pq_info *info = tsfs_pq_reader_info(s->reader);
    struct tsfs_column column;
    uint32_t time = COLD_NONE, measure_name = COLD_NONE;
    for (uint32_t i = 0; i < info->ncolumns; i++) {
        int rc = foreign_column(&info->columns[i], &column, err);
        if (rc)
            return rc;
        if (column.role == TSFS_ROLE_TIME || column.role == TSFS_ROLE_MEASURE_NAME) {
            uint32_t *seen = column.role == TSFS_ROLE_TIME ? &time : &measure_name;
            if (*seen != COLD_NONE)
                return tsfs_error_set(err, -EINVAL, "column %.*s comes twice", (int)column.name.len,
                                      column.name.ptr);
            *seen = i;
        }
    }
    if (time == COLD_NONE || measure_name == COLD_NONE)
        return tsfs_error_set(err, -EINVAL, "the file has no column %s",
                              time == COLD_NONE ? "time" : "measure_name");
    /* the range of time, from the rows themselves: statistics are optional */
    int64_t t_min = INT64_MAX, t_max = INT64_MIN, factor = time_factor(&info->columns[time]);
    struct tsfs_pq_scratch *scratch = NULL;
    struct tsfs_arena arena;
    tsfs_arena_init(&arena, NULL);
    int rc = tsfs_pq_scratch_create(&scratch);
    for (uint32_t g = 0; rc == 0 && g < info->ngroups; g++) {
        struct tsfs_pq_chunk *chunk;
        uint32_t npages = 0;
        rc = segment_chunk(s, g, time, &chunk, err);
        const struct tsfs_pq_page *pages = rc ? NULL : tsfs_pq_chunk_pages(chunk, &npages);
        for (uint32_t p = 0; rc == 0 && p < npages; p++) {
            struct tsfs_vec v;
            tsfs_arena_reset(&arena);
            rc = tsfs_pq_chunk_read(chunk, p, scratch, &arena, &v, err);
            for (uint32_t i = 0; rc == 0 && i < pages[p].nrows; i++) {
                if (tsfs_vec_null(&v, i)) {
                    rc = tsfs_error_set(err, -EINVAL, "a row has no time");
                    break;
                }
                int64_t t = v.i[v.constant ? 0 : i];
                t_min = t < t_min ? t : t_min;
                t_max = t > t_max ? t : t_max;
            }
        }
    }
    if (rc == 0 && t_min <= t_max &&
        (__builtin_mul_overflow(t_min, factor, &t_min) || __builtin_mul_overflow(t_max, factor, &t_max)))
        rc = tsfs_error_set(err, -EINVAL, "a time is outside of what nanoseconds in 64 bits can hold");
    if (rc == -ENOMEM)
        oom(err);
    *t_first = t_min;
    *t_last = t_max;
    tsfs_pq_scratch_free(scratch);
    tsfs_arena_free(&arena);
    return rc;
}

/* ---- reading a row group whole ---- */

struct foreign {
    struct tsfs_segment *segment;
    struct tsfs_schema *schema;
    const struct tsfs_pq_info *info;
    uint16_t *ordinal; /* by column */
    struct tsfs_vec *columns;
    uint64_t **valid;
    struct tsfs_pq_scratch *scratch;
    struct tsfs_arena arena;
    struct tsfs_series_index *series;
    struct tsfs_budget budget;
    struct tsfs_hot *hot;
    struct tsfs_dim_value *dims;
    struct tsfs_cell *cells;
};

static int bad_value(struct tsfs_error *err, const struct tsfs_pq_column *c, const char *what)
{
    return tsfs_error_set(err, -EINVAL, "column %.*s has a value %s", (int)c->name.len, c->name.ptr, what);
}

/* Turns what the reader gives into what the table holds: nanoseconds, doubles for decimals. */
static int convert_values(const struct tsfs_pq_column *c, enum tsfs_type type, void *data,
                          const uint64_t *valid, uint32_t n, struct tsfs_error *err)
{
    int64_t *v = data, factor = time_factor(c);
    double power = 1;
    for (unsigned i = 0; c->logical == TSFS_PQ_DECIMAL && i < c->scale; i++)
        power *= 10;
    for (uint32_t i = 0; i < n; i++) {
        if (!tsfs_bit_get(valid, i))
            continue;
        if (c->logical == TSFS_PQ_TIMESTAMP) {
            if (__builtin_mul_overflow(v[i], factor, &v[i]))
                return bad_value(err, c, "outside of what nanoseconds in 64 bits can hold");
        } else if (c->logical == TSFS_PQ_DECIMAL) {
            ((double *)data)[i] = (double)v[i] / power;
        } else if (type == TSFS_BIGINT && c->is_unsigned && v[i] < 0) {
            return bad_value(err, c, "above the largest bigint");
        } else if (type == TSFS_VARCHAR) {
            struct tsfs_str s = ((struct tsfs_str *)data)[i];
            if (s.len > TSFS_VARCHAR_MAX)
                return bad_value(err, c, "that is too long");
            if (!tsfs_utf8_valid(s))
                return bad_value(err, c, "that is not UTF-8");
        }
    }
    return 0;
}

static int read_column(struct foreign *f, uint32_t group, uint32_t i, uint32_t nrows, struct tsfs_error *err)
{
    const struct tsfs_pq_column *c = &f->info->columns[i];
    enum tsfs_type type = f->schema->cols[f->ordinal[i]].type;
    struct tsfs_pq_chunk *chunk;
    uint32_t npages;
    int rc = segment_chunk(f->segment, group, i, &chunk, err);
    if (rc)
        return rc;
    void *data = tsfs_arena_calloc(&f->arena, nrows, tsfs_type_width(type));
    uint64_t *valid = TSFS_NEW_ARRAY(&f->arena, uint64_t, tsfs_bit_words(nrows) + 1);
    if (!data || !valid)
        return tsfs_error_set(err, -ENOMEM, "not enough memory to sort the rows of the file");
    const struct tsfs_pq_page *pages = tsfs_pq_chunk_pages(chunk, &npages);
    for (uint32_t p = 0; p < npages; p++) {
        struct tsfs_vec v;
        rc = tsfs_pq_chunk_read(chunk, p, f->scratch, &f->arena, &v, err);
        if (rc)
            return rc;
        vec_put(&v, pages[p].nrows, type, data, valid, pages[p].first_row);
    }
    rc = convert_values(c, type, data, valid, nrows, err);
    f->columns[i] = (struct tsfs_vec){.type = type, .data = data};
    f->valid[i] = valid;
    return rc;
}

static int stage(struct foreign *f, uint32_t series, int64_t time, unsigned ncells, struct tsfs_error *err)
{
    int rc = tsfs_hot_stage(f->hot, f->schema, series, time, f->cells, ncells);
    if (rc == -E2BIG) { /* the record is full: nobody will log it, so only begin another */
        tsfs_hot_publish(f->hot);
        rc = tsfs_hot_stage(f->hot, f->schema, series, time, f->cells, ncells);
    }
    return rc ? tsfs_error_set(err, rc, "cannot sort the rows of the file: %s", strerror(-rc)) : 0;
}

static int add_row(struct foreign *f, uint32_t row, struct tsfs_error *err)
{
    struct tsfs_str measure_name = {NULL, 0};
    unsigned ndims = 0, ncells = 0;
    int64_t time = 0;
    for (uint32_t i = 0; i < f->info->ncolumns; i++) {
        const struct tsfs_column *c = &f->schema->cols[f->ordinal[i]];
        const struct tsfs_vec *v = &f->columns[i];
        if (!tsfs_bit_get(f->valid[i], row)) {
            if (c->role == TSFS_ROLE_TIME)
                return tsfs_error_set(err, -EINVAL, "a row has no time");
            continue;
        }
        switch (c->role) {
        case TSFS_ROLE_TIME: time = v->i[row]; break;
        case TSFS_ROLE_MEASURE_NAME: measure_name = v->s[row]; break;
        case TSFS_ROLE_DIMENSION: f->dims[ndims++] = (struct tsfs_dim_value){c->slot, v->s[row]}; break;
        case TSFS_ROLE_MEASURE: {
            struct tsfs_cell *cell = &f->cells[ncells++];
            cell->slot = c->slot;
            cell->type = (uint8_t)c->type;
            if (c->type == TSFS_BOOLEAN)
                cell->b = v->b[row];
            else if (c->type == TSFS_DOUBLE)
                cell->d = v->d[row];
            else if (c->type == TSFS_VARCHAR)
                cell->s = v->s[row];
            else
                cell->i = v->i[row];
            break;
        }
        }
    }
    if (!measure_name.ptr)
        return tsfs_error_set(err, -EINVAL, "a row has no measure_name");
    uint32_t series;
    int rc = tsfs_series_index_intern(f->series, measure_name, f->dims, ndims, &series);
    if (rc)
        return tsfs_error_set(err, rc, "a series of the file cannot be stored: %s", strerror(-rc));
    return stage(f, series, time, ncells, err);
}

static int add_group(struct foreign *f, uint32_t group, struct tsfs_error *err)
{
    uint64_t nrows = f->info->groups[group].nrows;
    if (nrows > UINT32_MAX)
        return tsfs_error_set(err, -EFBIG, "a row group is too large");
    tsfs_arena_reset(&f->arena);
    for (uint32_t i = 0; i < f->info->ncolumns; i++) {
        int rc = read_column(f, group, i, (uint32_t)nrows, err);
        if (rc)
            return rc;
    }
    for (uint32_t row = 0; row < nrows; row++) {
        int rc = add_row(f, row, err);
        if (rc)
            return rc;
    }
    tsfs_hot_publish(f->hot);
    struct tsfs_hot_facts facts;
    tsfs_hot_facts(f->hot, &facts);
    if (facts.bytes > TSFS_FOREIGN_BYTES_MAX)
        return tsfs_error_set(err, -EFBIG, "the file is too large to be sorted");
    return 0;
}

/* ---- the sorted copy ---- */

static int match_columns(struct foreign *f, struct tsfs_error *err)
{
    for (uint32_t i = 0; i < f->info->ncolumns; i++) {
        const struct tsfs_pq_column *c = &f->info->columns[i];
        struct tsfs_column kind;
        int rc = foreign_column(c, &kind, err);
        if (rc)
            return rc;
        f->ordinal[i] = tsfs_schema_find(f->schema, c->name);
        if (f->ordinal[i] == TSFS_ORDINAL_NONE)
            return tsfs_error_set(err, -EINVAL, "column %.*s of the file is not in the table",
                                  (int)c->name.len, c->name.ptr);
        const struct tsfs_column *have = &f->schema->cols[f->ordinal[i]];
        if (have->type != kind.type)
            return tsfs_error_set(err, -EINVAL, "column %.*s is %s in the file and %s in the table",
                                  (int)c->name.len, c->name.ptr, tsfs_type_name(kind.type),
                                  tsfs_type_name(have->type));
        for (uint32_t k = 0; k < i; k++)
            if (f->ordinal[k] == f->ordinal[i])
                return tsfs_error_set(err, -EINVAL, "column %.*s comes twice", (int)c->name.len, c->name.ptr);
    }
    return 0;
}

/* A file that no name leads to, beside the segment if the file system can do that, else in memory. */
static int unnamed_file(const struct tsfs_segment *s)
{
    char *slash = s->path ? strrchr(s->path, '/') : NULL;
    char *folder = slash ? strndup(s->path, (size_t)(slash - s->path)) : strdup(".");
    int fd = folder ? tsfs_io()->openat(s->dirfd, folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600) : -ENOMEM;
    free(folder);
    if (fd < 0) {
        fd = memfd_create("tsfs-segment", MFD_CLOEXEC);
        if (fd < 0)
            fd = -errno;
    }
    return fd;
}

static int write_sorted(struct foreign *f, struct tsfs_segment **out, struct tsfs_error *err)
{
    struct tsfs_hot_snap *snap = NULL;
    struct tsfs_segment_facts facts;
    int fd = -1;
    int rc = tsfs_hot_snapshot(f->hot, f->schema, NULL, &snap);
    if (rc)
        return oom(err);
    struct tsfs_partition_view view = {.schema = f->schema, .hots = &f->hot, .snaps = &snap, .nhots = 1};
    fd = unnamed_file(f->segment);
    if (fd < 0) {
        rc = tsfs_error_set(err, fd, "cannot create a file for the sorted rows: %s", strerror(-fd));
        goto out;
    }
    rc = cold_write_view(fd, &view, NULL, NULL, &facts, err);
    if (rc)
        goto out;
    rc = segment_open_fd(fd, out, err);
    fd = -1;
out:
    if (fd >= 0)
        tsfs_io()->close(fd);
    tsfs_hot_snap_free(snap);
    return rc;
}

int foreign_convert(struct tsfs_segment *s, struct tsfs_schema *schema, struct tsfs_segment **out,
                    struct tsfs_error *err)
{
    struct foreign f = {.segment = s, .schema = schema, .info = tsfs_pq_reader_info(s->reader)};
    f.budget.limit = TSFS_FOREIGN_BYTES_MAX;
    tsfs_arena_init(&f.arena, &f.budget);
    if (f.info->nrows == 0)
        return tsfs_error_set(err, -EINVAL, "the file has no rows");
    uint32_t n = f.info->ncolumns + 1;
    f.ordinal = calloc(n, sizeof(*f.ordinal));
    f.columns = calloc(n, sizeof(*f.columns));
    f.valid = calloc(n, sizeof(*f.valid));
    f.dims = calloc(n, sizeof(*f.dims));
    f.cells = calloc(n, sizeof(*f.cells));
    struct tsfs_budget hot_budget = {0};
    int rc = f.ordinal && f.columns && f.valid && f.dims && f.cells ? 0 : -ENOMEM;
    if (rc == 0)
        rc = tsfs_pq_scratch_create(&f.scratch);
    if (rc == 0)
        rc = tsfs_series_index_create(&f.series);
    if (rc == 0)
        rc = tsfs_hot_create(f.series, &hot_budget, &f.hot);
    if (rc)
        oom(err);
    if (rc == 0)
        rc = match_columns(&f, err);
    for (uint32_t g = 0; rc == 0 && g < f.info->ngroups; g++)
        rc = add_group(&f, g, err);
    tsfs_arena_free(&f.arena);
    if (rc == 0)
        rc = write_sorted(&f, out, err);
    tsfs_hot_unref(f.hot);
    tsfs_series_index_free(f.series);
    tsfs_pq_scratch_free(f.scratch);
    free(f.ordinal);
    free(f.columns);
    free(f.valid);
    free(f.dims);
    free(f.cells);
    return rc;
}
