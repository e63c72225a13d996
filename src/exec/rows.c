#include "exec/rows.h"

#include <errno.h>
#include <string.h>

#define GATHER_AHEAD 16u /* rows that are asked for before they are needed */

int rows_init(struct rows *rows, struct tsfs_arena *arena, uint32_t ncols)
{
    *rows = (struct rows){.arena = arena, .ncols = ncols};
    rows->types = TSFS_NEW_ARRAY(arena, enum tsfs_type, ncols);
    return rows->types == NULL ? -ENOMEM : 0;
}

static int add_chunk(struct rows *rows)
{
    if (rows->nchunks == rows->room) {
        uint32_t room = rows->room == 0 ? 16 : rows->room * 2;
        struct tsfs_vec_room **chunks = tsfs_arena_alloc(rows->arena, room * sizeof(*chunks));
        if (chunks == NULL)
            return -ENOMEM;
        if (rows->nchunks > 0)
            memcpy(chunks, rows->chunks, rows->nchunks * sizeof(*chunks));
        rows->chunks = chunks;
        rows->room = room;
    }
    struct tsfs_vec_room *chunk = TSFS_NEW_ARRAY(rows->arena, struct tsfs_vec_room, rows->ncols);
    if (chunk == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < rows->ncols; i++) {
        int rc = tsfs_vec_room(rows->arena, rows->types[i], TSFS_BATCH_ROWS, &chunk[i]);
        if (rc != 0)
            return rc;
    }
    rows->chunks[rows->nchunks++] = chunk;
    return 0;
}

/* The strings of freshly put rows [at, at + n) move into one piece of the arena; one that stands for many
 * rows is copied once. */
static int own_strings(struct rows *rows, struct tsfs_str *s, const uint64_t *valid, uint32_t at, uint32_t n)
{
    size_t total = 0;
    const char *last = NULL;
    size_t last_len = 0;
    for (uint32_t i = at; i < at + n; i++) {
        if (!tsfs_bit_get(valid, i) || s[i].len == 0 || (s[i].ptr == last && s[i].len == last_len))
            continue;
        total += s[i].len;
        last = s[i].ptr;
        last_len = s[i].len;
    }
    char *to = tsfs_arena_alloc(rows->arena, total);
    if (to == NULL)
        return -ENOMEM;
    const char *copy = NULL;
    last = NULL;
    last_len = 0;
    for (uint32_t i = at; i < at + n; i++) {
        if (!tsfs_bit_get(valid, i) || s[i].len == 0) {
            s[i] = TSFS_STR("");
            continue;
        }
        if (s[i].ptr != last || s[i].len != last_len) {
            last = s[i].ptr;
            last_len = s[i].len;
            copy = to;
            memcpy(to, last, last_len);
            to += last_len;
        }
        s[i].ptr = copy;
    }
    return 0;
}

static int own_nested(struct rows *rows, enum tsfs_type type, const void **p, const uint64_t *valid,
                      uint32_t at, uint32_t n)
{
    const void *last = NULL, *copy = NULL;
    for (uint32_t i = at; i < at + n; i++) {
        if (!tsfs_bit_get(valid, i)) {
            p[i] = NULL;
            continue;
        }
        if (p[i] != last) {
            last = p[i];
            int rc = tsfs_nested_copy(rows->arena, type, last, &copy);
            if (rc != 0)
                return rc;
        }
        p[i] = copy;
    }
    return 0;
}

static int append_column(struct rows *rows, struct tsfs_vec_room *to, enum tsfs_type type, uint32_t at,
                         const struct tsfs_vec *v, const uint16_t *sel, uint32_t from, uint32_t n)
{
    if (type == TSFS_UNKNOWN)
        return 0;
    if (sel == NULL)
        tsfs_vec_put_range(to, type, at, v, from, n);
    else
        for (uint32_t i = 0; i < n; i++)
            tsfs_vec_put(to, type, at + i, v, sel[from + i]);
    if (tsfs_type_is_string(type))
        return own_strings(rows, to->data, to->valid, at, n);
    if (tsfs_type_is_nested(type))
        return own_nested(rows, type, to->data, to->valid, at, n);
    return 0;
}

int rows_append(struct rows *rows, const struct tsfs_vec *cols, const uint16_t *sel, uint32_t n)
{
    if (n >= UINT32_MAX - rows->n - TSFS_BATCH_ROWS)
        return -ENOMEM;
    for (uint32_t from = 0; from < n;) {
        uint32_t at = rows->n % TSFS_BATCH_ROWS, take = TSFS_BATCH_ROWS - at;
        int rc = 0;
        if (at == 0 && (rc = add_chunk(rows)) != 0)
            return rc;
        take = take < n - from ? take : n - from;
        struct tsfs_vec_room *chunk = rows->chunks[rows->nchunks - 1];
        for (uint32_t i = 0; i < rows->ncols && rc == 0; i++)
            rc = append_column(rows, &chunk[i], rows->types[i], at, &cols[i], sel, from, take);
        if (rc != 0)
            return rc;
        rows->n += take;
        from += take;
    }
    return 0;
}

struct tsfs_vec rows_chunk(const struct rows *rows, uint32_t col, uint32_t chunk)
{
    const struct tsfs_vec_room *room = &rows->chunks[chunk][col];
    return (struct tsfs_vec){.type = rows->types[col], .data = room->data, .valid = room->valid};
}

int rows_gather(const struct rows *rows, struct tsfs_arena *arena, uint32_t col, const uint32_t *ids,
                uint32_t n, struct tsfs_vec *out)
{
    enum tsfs_type type = rows->types[col];
    struct tsfs_vec_room to;
    int rc = tsfs_vec_room(arena, type, n, &to);
    if (rc != 0)
        return rc;
    unsigned width = tsfs_type_width(type);
    for (uint32_t i = 0; i < n && type != TSFS_UNKNOWN; i++) {
        if (i + GATHER_AHEAD < n && ids[i + GATHER_AHEAD] != ROWS_NONE) {
            uint32_t far = ids[i + GATHER_AHEAD];
            const struct tsfs_vec_room *room = &rows->chunks[far / TSFS_BATCH_ROWS][col];
            __builtin_prefetch((const char *)room->data + (size_t)(far % TSFS_BATCH_ROWS) * width);
        }
        uint32_t id = ids[i], row = id % TSFS_BATCH_ROWS;
        const struct tsfs_vec_room *from = id == ROWS_NONE ? NULL : &rows->chunks[id / TSFS_BATCH_ROWS][col];
        if (from == NULL || !tsfs_bit_get(from->valid, row)) {
            memset((char *)to.data + (size_t)i * width, 0, width);
            continue;
        }
        tsfs_bit_set(to.valid, i);
        switch (width) {
        case 1: ((uint8_t *)to.data)[i] = ((const uint8_t *)from->data)[row]; break;
        case 8: ((uint64_t *)to.data)[i] = ((const uint64_t *)from->data)[row]; break;
        default: ((struct tsfs_str *)to.data)[i] = ((const struct tsfs_str *)from->data)[row]; break;
        }
    }
    *out = tsfs_vec_of_room(type, &to, n);
    return 0;
}

struct tsfs_value rows_value(const struct rows *rows, uint32_t col, uint32_t id)
{
    struct tsfs_vec v = rows_chunk(rows, col, id / TSFS_BATCH_ROWS);
    struct tsfs_value value = tsfs_vec_get(&v, id % TSFS_BATCH_ROWS);
    value.type = rows->types[col];
    return value;
}
