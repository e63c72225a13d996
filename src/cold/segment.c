/* One segment file: opening, sharing, shedding.
 *
 * A segment is counted by those who know of it and pinned by those who read it.  While it is pinned its
 * descriptor, footer and index stay; without pins they may be dropped (shed) and come back with the next
 * pin, so that a thousand idle partitions cost a path and a few numbers each.  Files are read with pread and
 * never mapped: a file cut short under us is an I/O error, not a signal. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/decimal.h"
#include "base/io.h"
#include "cold/cache.h"

/* Read in one go: the end of the file when it is opened, which of most segments has footer and page indexes;
 * if the page indexes are longer, at most so many bytes of the end; and the beginning of the private index.
 */
#define TAIL_BYTES  (64u << 10)
#define PAGES_BYTES (256u << 10)
#define INDEX_BYTES (16u << 10)

static int oom(struct tsfs_error *err)
{
    return tsfs_error_set(err, -ENOMEM, "out of memory");
}

static int input_pread(void *ctx, void *buf, size_t n, uint64_t offset)
{
    const struct tsfs_segment *s = ctx;
    return tsfs_io_read_all(s->fd, buf, n, (off_t)offset);
}

/* What the file has from offset on will be asked for soon. */
static void fetch(const struct tsfs_segment *s, uint64_t offset, uint64_t length)
{
    (void)posix_fadvise(s->fd, (off_t)offset, (off_t)length, POSIX_FADV_WILLNEED);
}

/* Drops all that was loaded. */
static void unload(struct tsfs_segment *s)
{
    if (atomic_exchange(&s->cached, false))
        cold_cache_forget(s->number);
    if (s->chunks) {
        const struct tsfs_pq_info *info = tsfs_pq_reader_info(s->reader);
        for (size_t i = 0; i < (size_t)info->ngroups * info->ncolumns; i++)
            tsfs_pq_chunk_close(atomic_load_explicit(&s->chunks[i], memory_order_relaxed));
    }
    free(s->chunks);
    s->chunks = NULL;
    cold_index_free(s->index);
    s->index = NULL;
    tsfs_pq_reader_close(s->reader);
    s->reader = NULL;
    tsfs_segment_unref(s->inner);
    s->inner = NULL;
    if (s->fd >= 0)
        tsfs_io()->close(s->fd);
    s->fd = -1;
    atomic_store(&s->fetched, false);
}

/* "offset length version"; false if it cannot be ours. */
static bool parse_index_key(struct tsfs_str v, uint64_t size, uint64_t *offset, uint64_t *length)
{
    char text[80];
    unsigned version;
    int end = 0;
    if (!v.ptr || v.len >= sizeof(text))
        return false;
    memcpy(text, v.ptr, v.len);
    text[v.len] = 0;
    if (sscanf(text, "%20lu %20lu %9u%n", offset, length, &version, &end) != 3 || text[end] != 0)
        return false;
    return *offset <= size && *length <= size - *offset && *length >= COLD_TERSE_HEADER;
}

static bool column_fits(const struct tsfs_pq_column *pq, const struct cold_index_column *c)
{
    if (!tsfs_str_eq(pq->name, c->name))
        return false;
    if (c->type == TSFS_DOUBLE && pq->logical == TSFS_PQ_DECIMAL)
        return pq->physical == TSFS_PQ_INT64 && pq->scale <= TSFS_DECIMAL_SCALE_MAX;
    if (pq->type != c->type)
        return false;
    if (c->type == TSFS_TIMESTAMP)
        return pq->logical == TSFS_PQ_TIMESTAMP && pq->unit == TSFS_PQ_NANOS;
    return c->type != TSFS_BIGINT || pq->logical == TSFS_PQ_PHYSICAL || pq->logical == TSFS_PQ_INTEGER;
}

static int check_index(const struct tsfs_pq_info *info, struct cold_index *ix, struct tsfs_error *err)
{
    bool ok =
        info->ncolumns == ix->ncolumns && info->ngroups == ix->ngroups && (uint64_t)info->nrows == ix->rows;
    for (uint32_t i = 0; ok && i < info->ngroups; i++)
        ok = info->groups[i].nrows == ix->group_row[i + 1] - ix->group_row[i];
    for (uint32_t i = 0; ok && i < info->ncolumns; i++) {
        struct tsfs_str name = info->columns[i].name;
        if (ix->image && name.len <= TSFS_COLUMN_NAME_MAX && !memchr(name.ptr, 0, name.len))
            ix->columns[i].name = name; /* which lives as long as the reader, and so longer than ix */
        ok = column_fits(&info->columns[i], &ix->columns[i]);
    }
    return ok ? 0
              : tsfs_error_set(err, -EINVAL,
                               "the segment's index does not describe this file's columns and row groups");
}

static int load(struct tsfs_segment *s, struct tsfs_error *err)
{
    struct stat st;
    uint64_t offset, length;
    int rc;
    if (s->fd < 0) {
        s->fd = tsfs_io()->openat(s->dirfd, s->path, O_RDONLY | O_CLOEXEC, 0);
        if (s->fd < 0) {
            rc = s->fd;
            s->fd = -1;
            return tsfs_error_set(err, rc, "cannot open %s: %s", s->path, strerror(-rc));
        }
    }
    rc = tsfs_io()->fstat(s->fd, &st);
    if (rc)
        return tsfs_error_set(err, rc, "cannot read the segment: %s", strerror(-rc));
    if (!S_ISREG(st.st_mode))
        return tsfs_error_set(err, -EINVAL, "a segment must be a regular file");
    if (s->facts.inode && (s->facts.inode != st.st_ino || s->facts.bytes != (uint64_t)st.st_size))
        return tsfs_error_set(err, -ESTALE, "%s is no longer the file that was opened", s->path);
    struct tsfs_segment_facts facts = {
        .inode = st.st_ino,
        .bytes = (uint64_t)st.st_size,
        .mtime = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec,
    };
    uint64_t tail = facts.bytes < TAIL_BYTES ? facts.bytes : TAIL_BYTES;
    fetch(s, facts.bytes - tail, tail);
    rc = tsfs_pq_reader_open((struct tsfs_pq_input){input_pread, s, facts.bytes}, &s->reader, err);
    if (rc)
        return rc;
    const struct tsfs_pq_info *info = tsfs_pq_reader_info(s->reader);
    size_t nchunks;
    if (__builtin_mul_overflow((size_t)info->ngroups, (size_t)info->ncolumns, &nchunks))
        return oom(err);
    s->chunks = calloc(nchunks ? nchunks : 1, sizeof(*s->chunks));
    if (!s->chunks)
        return oom(err);
    char magic[8];
    bool native = parse_index_key(tsfs_pq_reader_kv(s->reader, TSFS_STR(COLD_KEY_INDEX)), facts.bytes,
                                  &offset, &length);
    if (native) {
        fetch(s, offset, length < INDEX_BYTES ? length : INDEX_BYTES);
        rc = tsfs_io_read_all(s->fd, magic, sizeof(magic), (off_t)offset);
        if (rc)
            return tsfs_error_set(err, rc, "cannot read the segment: %s", strerror(-rc));
        /* Another program that rewrote the file may have kept the key. */
        native = memcmp(magic, COLD_INDEX_MAGIC, sizeof(magic)) == 0 ||
                 memcmp(magic, COLD_TERSE_MAGIC, sizeof(COLD_TERSE_MAGIC) - 1) == 0;
    }
    facts.rows = info->nrows;
    if (native) {
        /* From here on all that is worth reading ahead is told by name (pages.c, index_read.c); what the
         * kernel reads on its own, after a page of some column, is the next pages of that column, wanted or
         * not. */
        (void)posix_fadvise(s->fd, 0, 0, POSIX_FADV_RANDOM);
        rc = cold_index_load(s->fd, offset, length, &s->index, err);
        if (rc == 0)
            rc = check_index(info, s->index, err);
        if (rc)
            return rc;
        facts.series = s->index->series;
        facts.t_min = s->index->t_min;
        facts.t_max = s->index->t_max;
    } else if (s->facts.inode == 0) {
        rc = foreign_check(s, &facts.t_min, &facts.t_max, err);
        if (rc)
            return rc;
    }
    if (s->facts.inode == 0) { /* known once and for all: read without a lock from here on */
        s->facts = facts;
        s->native = native;
    } else if (native != s->native) {
        return tsfs_error_set(err, -ESTALE, "%s is no longer the file that was opened", s->path);
    }
    return 0;
}

static int create(int dirfd, const char *path, int fd, struct tsfs_segment **out, struct tsfs_error *err)
{
    struct tsfs_segment *s = calloc(1, sizeof(*s));
    if (!s) {
        if (fd >= 0)
            tsfs_io()->close(fd);
        return oom(err);
    }
    static _Atomic uint64_t numbers;
    atomic_init(&s->refs, 1);
    s->number = atomic_fetch_add(&numbers, 1);
    pthread_mutex_init(&s->lock, NULL);
    s->dirfd = dirfd;
    s->fd = fd;
    s->path = path ? strdup(path) : NULL;
    int rc = path && !s->path ? oom(err) : load(s, err);
    if (rc) {
        tsfs_segment_unref(s);
        return rc;
    }
    *out = s;
    return 0;
}

int tsfs_segment_open(int dirfd, const char *path, struct tsfs_segment **out, struct tsfs_error *err)
{
    return create(dirfd, path, -1, out, err);
}

int segment_open_fd(int fd, struct tsfs_segment **out, struct tsfs_error *err)
{
    return create(-1, NULL, fd, out, err);
}

struct tsfs_segment *tsfs_segment_ref(struct tsfs_segment *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void tsfs_segment_unref(struct tsfs_segment *s)
{
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    unload(s);
    pthread_mutex_destroy(&s->lock);
    free(s->path);
    free(s);
}

void tsfs_segment_facts(const struct tsfs_segment *s, struct tsfs_segment_facts *out)
{
    *out = s->facts;
}

void tsfs_segment_shed(struct tsfs_segment *s)
{
    pthread_mutex_lock(&s->lock);
    if (s->pins == 0 && s->path)
        unload(s);
    pthread_mutex_unlock(&s->lock);
}

/* The file under its name, if it still is the one that s has open. */
static int open_again(const struct tsfs_segment *s)
{
    struct stat st;
    int fd = s->path ? tsfs_io()->openat(s->dirfd, s->path, O_RDONLY | O_CLOEXEC, 0) : -ENOENT;
    if (fd < 0)
        return fd;
    if (tsfs_io()->fstat(fd, &st) == 0 && st.st_ino == s->facts.inode)
        return fd;
    tsfs_io()->close(fd);
    return -ESTALE;
}

int tsfs_segment_dup(struct tsfs_segment *s)
{
    int rc = segment_pin(s, NULL);
    if (rc)
        return rc;
    /* A duplicate shares what the kernel was told of reading ahead: who copies the file would get none. */
    rc = open_again(s);
    if (rc < 0)
        rc = fcntl(s->fd, F_DUPFD_CLOEXEC, 0);
    if (rc < 0)
        rc = -errno;
    segment_unpin(s);
    return rc;
}

int segment_pin(struct tsfs_segment *s, struct tsfs_error *err)
{
    int rc = 0;
    pthread_mutex_lock(&s->lock);
    if (s->reader == NULL || s->chunks == NULL) {
        rc = load(s, err);
        if (rc)
            unload(s);
    }
    if (rc == 0)
        s->pins++;
    pthread_mutex_unlock(&s->lock);
    return rc;
}

void segment_unpin(struct tsfs_segment *s)
{
    pthread_mutex_lock(&s->lock);
    if (--s->pins == 0 && s->index &&
        (atomic_load(&s->index->cached) > TSFS_SEGMENT_CACHE_MAX || cold_cache_index_full()))
        cold_index_drop(s->index);
    pthread_mutex_unlock(&s->lock);
}

int segment_chunk(struct tsfs_segment *s, uint32_t group, uint32_t column, struct tsfs_pq_chunk **out,
                  struct tsfs_error *err)
{
    size_t i = (size_t)group * tsfs_pq_reader_info(s->reader)->ncolumns + column;
    struct tsfs_pq_chunk *c = atomic_load_explicit(&s->chunks[i], memory_order_acquire);
    if (!c) {
        if (s->index && !atomic_exchange(&s->fetched, true)) {
            uint64_t from = tsfs_pq_reader_indexes(s->reader), bytes = s->facts.bytes;
            if (from + PAGES_BYTES < bytes)
                from = bytes - PAGES_BYTES;
            if (from + TAIL_BYTES < bytes)
                fetch(s, from, bytes - TAIL_BYTES - from);
        }
        int rc = tsfs_pq_chunk_open(s->reader, group, column, &c, err);
        if (rc)
            return rc;
        struct tsfs_pq_chunk *none = NULL;
        if (!atomic_compare_exchange_strong(&s->chunks[i], &none, c)) {
            tsfs_pq_chunk_close(c);
            c = none;
        }
    }
    *out = c;
    return 0;
}

int tsfs_segment_columns(struct tsfs_segment *s, struct tsfs_column **cols, unsigned *n,
                         struct tsfs_arena *arena, struct tsfs_error *err)
{
    int rc = segment_pin(s, err);
    if (rc)
        return rc;
    const struct tsfs_pq_info *info = tsfs_pq_reader_info(s->reader);
    struct tsfs_column *c = TSFS_NEW_ARRAY(arena, struct tsfs_column, info->ncolumns);
    uint16_t slots[TSFS_ROLE_MEASURE + 1] = {0};
    if (!c)
        rc = oom(err);
    for (uint32_t i = 0; rc == 0 && i < info->ncolumns; i++) {
        if (s->native) {
            c[i].role = s->index->columns[i].role;
            c[i].type = s->index->columns[i].type;
        } else {
            rc = foreign_column(&info->columns[i], &c[i], err);
        }
        c[i].slot = slots[c[i].role]++;
        c[i].name = tsfs_arena_str(arena, info->columns[i].name);
        if (!c[i].name.ptr)
            rc = oom(err);
    }
    if (rc == 0) {
        *cols = c;
        *n = info->ncolumns;
    }
    segment_unpin(s);
    return rc;
}

/* ---- as a schema sees it ---- */

/* *sorted: the file's dimensions come in the order of schema's slots. */
static int map_columns(const struct tsfs_segment *s, const struct tsfs_schema *schema,
                       struct tsfs_arena *arena, struct cold_map *map, bool *sorted, struct tsfs_error *err)
{
    const struct cold_index *ix = s->index;
    map->column = tsfs_arena_alloc(arena, schema->ncols * sizeof(*map->column));
    map->key_slot = TSFS_NEW_ARRAY(arena, uint16_t, ix->nkeys);
    if (!map->column || !map->key_slot)
        return oom(err);
    memset(map->column, 0xff, schema->ncols * sizeof(*map->column));
    map->same_hash = *sorted = true;
    int before = -1;
    for (uint32_t i = 0; i < ix->ncolumns; i++) {
        const struct cold_index_column *c = &ix->columns[i];
        uint16_t o = tsfs_schema_find(schema, c->name);
        if (o == TSFS_ORDINAL_NONE)
            return tsfs_error_set(err, -EINVAL, "column %s of the segment is not in the table", c->name.ptr);
        const struct tsfs_column *have = &schema->cols[o];
        if (have->role != c->role || have->type != c->type)
            return tsfs_error_set(err, -EINVAL,
                                  "column %s is a %s %s in the segment and a %s %s in the table", c->name.ptr,
                                  tsfs_type_name(c->type), tsfs_role_name(c->role),
                                  tsfs_type_name(have->type), tsfs_role_name(have->role));
        map->column[o] = i;
        if (c->role == TSFS_ROLE_DIMENSION) {
            map->key_slot[c->key] = have->slot;
            map->same_hash &= have->slot == c->slot;
            *sorted &= have->slot > before;
            before = have->slot;
        }
    }
    return 0;
}

int segment_acquire(struct tsfs_segment *s, struct tsfs_schema *schema, struct tsfs_arena *arena,
                    struct tsfs_segment **out, struct cold_map *map, struct tsfs_error *err)
{
    bool sorted = false;
    int rc = segment_pin(s, err);
    if (rc)
        return rc;
    if (s->native) {
        rc = map_columns(s, schema, arena, map, &sorted, err);
        if (rc) {
            segment_unpin(s);
            return rc;
        }
        if (sorted) {
            *out = tsfs_segment_ref(s);
            return 0;
        }
    }
    /* One sorted copy is kept; it serves every schema that its columns fit. */
    pthread_mutex_lock(&s->lock);
    struct tsfs_segment *inner = s->inner ? tsfs_segment_ref(s->inner) : NULL;
    pthread_mutex_unlock(&s->lock);
    if (inner && (map_columns(inner, schema, arena, map, &sorted, NULL) != 0 || !sorted)) {
        tsfs_segment_unref(inner);
        inner = NULL;
    }
    if (!inner) {
        rc = foreign_convert(s, schema, &inner, err);
        if (rc == 0)
            rc = map_columns(inner, schema, arena, map, &sorted, err);
        if (rc == 0) {
            pthread_mutex_lock(&s->lock);
            struct tsfs_segment *old = s->inner;
            s->inner = tsfs_segment_ref(inner);
            pthread_mutex_unlock(&s->lock);
            tsfs_segment_unref(old);
        }
    }
    if (rc == 0)
        rc = segment_pin(inner, err);
    if (rc) {
        tsfs_segment_unref(inner);
        inner = NULL;
    }
    segment_unpin(s);
    *out = inner;
    return rc;
}

void segment_release(struct tsfs_segment *s)
{
    if (!s)
        return;
    segment_unpin(s);
    tsfs_segment_unref(s);
}
