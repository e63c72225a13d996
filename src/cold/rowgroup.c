/* Collecting the rows of a row group, and its geometry.
 *
 * Columns are flat arrays for as many rows as the group may have and the file can get, but a column is only
 * allocated when its first value comes, and what no value touches stays untouched zero pages: a table whose
 * measurements have different fields costs the memory of its values, not of rows times columns.  (Huge pages
 * were tried and cost more to get than they save in faults.)
 *
 * Pages end where blocks end, in all columns alike: near COLD_PAGE_ROWS rows, rather at the end of a series.
 * So a query for one series decodes that series' pages and little else. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

#include "cold/rowgroup.h"

#define VIRTUAL_MAX (UINT64_C(4) << 30) /* address space of one group's arrays */
#define ROWS_MIN    (64u << 10)

int rowgroup_init(struct rowgroup *g, const struct cold_column *columns, uint32_t first, uint32_t ncolumns,
                  uint64_t rows)
{
    memset(g, 0, sizeof(*g));
    tsfs_arena_init(&g->strings, NULL);
    g->nmeasures = ncolumns - first;
    uint64_t width = 8;
    g->measures = calloc(g->nmeasures ? g->nmeasures : 1, sizeof(*g->measures));
    if (!g->measures)
        return -ENOMEM;
    for (uint32_t i = 0; i < g->nmeasures; i++) {
        g->measures[i].type = columns[first + i].type;
        width += tsfs_type_width(columns[first + i].type);
        g->texts |= columns[first + i].type == TSFS_VARCHAR;
    }
    uint64_t capacity = VIRTUAL_MAX / width;
    g->capacity = capacity > TSFS_ROW_GROUP_ROWS ? TSFS_ROW_GROUP_ROWS
                  : capacity < ROWS_MIN          ? ROWS_MIN
                                                 : (uint32_t)capacity;
    if (rows < g->capacity)
        g->capacity = rows > 0 ? (uint32_t)rows : 1;
    g->time = malloc((size_t)g->capacity * sizeof(*g->time));
    return g->time ? 0 : -ENOMEM;
}

static void column_free(struct rowgroup_column *c)
{
    free(c->data);
    free(c->valid);
    c->data = NULL;
    c->valid = NULL;
}

void rowgroup_free(struct rowgroup *g)
{
    for (uint32_t i = 0; g->measures && i < g->nmeasures; i++)
        column_free(&g->measures[i]);
    free(g->measures);
    free(g->time);
    free(g->parts);
    free(g->block_row);
    free(g->block_rows);
    free(g->page_end);
    tsfs_arena_free(&g->strings);
}

uint32_t rowgroup_room(const struct rowgroup *g)
{
    if (g->bytes >= TSFS_ROW_GROUP_BYTES)
        return 0;
    uint32_t room = g->capacity - g->nrows;
    /* how long strings are is known when they are here: 64 Ki of the longest would be 4 GiB a column */
    return g->texts && room > TSFS_BLOCK_ROWS ? TSFS_BLOCK_ROWS : room;
}

int rowgroup_begin(struct rowgroup *g, struct tsfs_str *keys)
{
    if (TSFS_ARRAY_ROOM(g->parts, g->nparts, g->cap_parts, 64) != 0)
        return -ENOMEM;
    g->parts[g->nparts++] = (struct rowgroup_part){g->nrows, 0, keys, false};
    return 0;
}

/* Strings outlive the run that brought them. */
static int copy_strings(struct rowgroup *g, struct rowgroup_column *c, uint32_t at, uint32_t n)
{
    struct tsfs_str *s = (struct tsfs_str *)c->data + at;
    struct tsfs_str from = {NULL, 0}, to = {NULL, 0}; /* the copy made last: neighbours are often equal */
    for (uint32_t i = 0; i < n; i++) {
        if (!tsfs_bit_get(c->valid, at + i)) {
            s[i] = (struct tsfs_str){NULL, 0};
            continue;
        }
        if (s[i].len > TSFS_VARCHAR_MAX)
            return -E2BIG;
        c->text += s[i].len;
        if (!from.ptr || !(from.ptr == s[i].ptr && from.len == s[i].len) || !tsfs_str_eq(from, s[i])) {
            from = s[i];
            char *copy = tsfs_arena_alloc(&g->strings, s[i].len ? s[i].len : 1);
            if (!copy)
                return -ENOMEM;
            memcpy(copy, s[i].ptr, s[i].len);
            to = (struct tsfs_str){copy, s[i].len};
            g->bytes += s[i].len;
        }
        s[i] = to;
    }
    return 0;
}

int rowgroup_put(struct rowgroup *g, uint32_t i, const struct tsfs_vec *vec, uint32_t at, uint32_t n)
{
    struct rowgroup_column *c = &g->measures[i];
    if (vec->type == TSFS_UNKNOWN || (vec->constant && tsfs_vec_null(vec, 0)))
        return 0;
    unsigned width = tsfs_type_width(c->type);
    if (!c->data && !(c->data = calloc(g->capacity, width)))
        return -ENOMEM;
    if (!c->valid && !(c->valid = calloc(tsfs_bit_words(g->capacity) + 1, sizeof(*c->valid))))
        return -ENOMEM;
    vec_put(vec, n, c->type, c->data, c->valid, at);
    if (c->type == TSFS_VARCHAR) {
        int rc = copy_strings(g, c, at, n);
        if (rc)
            return rc;
    }
    g->bytes += (uint64_t)n * width;
    return 0;
}

struct tsfs_vec rowgroup_vec(const struct rowgroup *g, uint32_t i)
{
    const struct rowgroup_column *c = &g->measures[i];
    if (!c->valid)
        return cold_vec_null(c->type);
    return (struct tsfs_vec){.type = c->type,
                             .data = c->data,
                             .valid = tsfs_bits_count(c->valid, g->nrows) == g->nrows ? NULL : c->valid};
}

/* The longest column's bytes of strings. */
static uint64_t most_text(const struct rowgroup *g)
{
    uint64_t most = 0;
    for (uint32_t i = 0; i < g->nmeasures; i++)
        most = g->measures[i].text > most ? g->measures[i].text : most;
    return most;
}

/* The same of rows [row, stop) alone, of columns of which a page could become too long. */
static uint64_t text_of(const struct rowgroup *g, uint32_t row, uint32_t stop)
{
    uint64_t most = 0;
    for (uint32_t i = 0; i < g->nmeasures; i++) {
        const struct rowgroup_column *c = &g->measures[i];
        uint64_t n = 0;
        for (uint32_t k = row; c->text > COLD_PAGE_TEXT && k < stop; k++)
            n += tsfs_bit_get(c->valid, k) ? ((const struct tsfs_str *)c->data)[k].len : 0;
        most = n > most ? n : most;
    }
    return most;
}

static void end_page(struct rowgroup *g, uint32_t at, uint32_t *page, uint64_t *text)
{
    g->page_end[g->npages++] = *page = at;
    *text = 0;
}

int rowgroup_finish(struct rowgroup *g)
{
    size_t most = (size_t)g->nrows / TSFS_BLOCK_ROWS + g->nparts + 1;
    free(g->block_row);
    free(g->block_rows);
    free(g->page_end);
    g->block_row = malloc(most * sizeof(*g->block_row));
    g->block_rows = malloc(most * sizeof(*g->block_rows));
    g->page_end = malloc(most * sizeof(*g->page_end));
    g->nblocks = g->npages = 0;
    if (!g->block_row || !g->block_rows || !g->page_end)
        return -ENOMEM;
    uint64_t longest = most_text(g);
    bool counted = longest > COLD_PAGE_TEXT;
    uint64_t text = 0; /* of the open page, if it is counted */
    bool one = g->nrows <= COLD_PAGE_ROWS_SMALL && g->nparts <= COLD_PAGE_SERIES_SMALL &&
               longest <= COLD_PAGE_TEXT_SMALL;
    uint32_t page = 0; /* where the open page begins */
    for (uint32_t i = 0; i < g->nparts; i++) {
        const struct rowgroup_part *p = &g->parts[i];
        uint32_t n = cold_block_count(p->nrows), end = p->row + p->nrows;
        for (uint32_t b = 0; b < n; b++) {
            uint32_t row = p->row + (uint32_t)cold_block_row(p->nrows, n, b);
            uint32_t stop = p->row + (uint32_t)cold_block_row(p->nrows, n, b + 1);
            g->block_row[g->nblocks] = row;
            g->block_rows[g->nblocks++] = stop - row;
            text += counted ? text_of(g, row, stop) : 0;
            /* the next block would overfill the page and the series' rest does not fit either */
            bool full = !one && b + 1 < n && stop - page + (stop - row) > COLD_PAGE_ROWS &&
                        end - page > COLD_PAGE_ROWS + COLD_PAGE_ROWS / 4;
            if (full || text > COLD_PAGE_TEXT)
                end_page(g, stop, &page, &text);
        }
        text += counted && n == 0 ? text_of(g, p->row, end) : 0;
        if ((!one && end - page >= COLD_PAGE_ROWS * 7 / 8) || text > COLD_PAGE_TEXT)
            end_page(g, end, &page, &text);
    }
    if (page < g->nrows)
        g->page_end[g->npages++] = g->nrows;
    return 0;
}

void rowgroup_reset(struct rowgroup *g)
{
    for (uint32_t i = 0; i < g->nmeasures; i++) {
        struct rowgroup_column *c = &g->measures[i];
        c->text = 0;
        if (g->nmeasures > 64)
            column_free(c); /* most are sparse: give their pages back */
        else if (c->valid)
            memset(c->valid, 0, (tsfs_bit_words(g->capacity) + 1) * sizeof(*c->valid));
    }
    g->nrows = g->nparts = 0;
    g->bytes = 0;
    tsfs_arena_reset(&g->strings);
}
