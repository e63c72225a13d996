/* Any bytes as a log.  The first byte chooses: a payload for the hot tier, several payloads in one log, or a
 * whole log file.  What was accepted must also come out again: snapshots of it are walked and must keep their
 * promises (times strictly ascending, strings inside memory that lives, values only where they are valid). */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/io.h"
#include "base/utf8.h"
#include "fuzz.h"
#include "hot/hot.h"

struct state {
    struct tsfs_schema *schema;
    struct tsfs_series_index *index;
    struct tsfs_hot *hot;
};

/* Gains columns as the log defines them, but only in order. */
static int define(void *ctx, uint16_t ordinal, const struct tsfs_column *column, struct tsfs_error *err)
{
    struct state *s = ctx;
    struct tsfs_schema *next;
    if (ordinal < s->schema->ncols)
        return 0;
    if (ordinal != s->schema->ncols)
        return -EBADMSG;
    int rc = tsfs_schema_extend(s->schema, column, 1, &next, err);
    if (rc)
        return -EBADMSG;
    tsfs_schema_unref(s->schema);
    s->schema = next;
    return 0;
}

static const struct tsfs_schema *schema_of(void *ctx)
{
    return ((struct state *)ctx)->schema;
}

static int apply(void *ctx, const void *payload, size_t len, struct tsfs_error *err)
{
    struct tsfs_hot_recovery recovery = {define, schema_of, ctx};
    /* a copy of just the size, so that reading past it is seen */
    void *copy = malloc(len ? len : 1);
    REQUIRE(copy);
    memcpy(copy, payload, len);
    int rc = tsfs_hot_replay(((struct state *)ctx)->hot, &recovery, copy, len, err);
    free(copy);
    REQUIRE(rc == 0 || rc == -EBADMSG);
    return rc;
}

static void walk(struct state *s)
{
    struct tsfs_hot_snap *snap;
    struct tsfs_hot_facts facts;
    uint64_t rows = 0;
    tsfs_hot_facts(s->hot, &facts);
    REQUIRE(tsfs_hot_snapshot(s->hot, s->schema, NULL, &snap) == 0);
    REQUIRE(tsfs_hot_snap_sort(snap) == 0);
    for (uint32_t i = 0; i < tsfs_hot_snap_count(snap); i++) {
        struct tsfs_series series;
        struct tsfs_hot_piece *pieces;
        struct tsfs_arena arena;
        uint32_t n;
        int64_t last = 0;
        tsfs_hot_snap_series(snap, i, &series);
        REQUIRE(tsfs_utf8_valid(series.measure_name));
        REQUIRE(tsfs_hot_snap_find(snap, &series) == i);
        tsfs_arena_init(&arena, NULL);
        REQUIRE(tsfs_hot_snap_pieces(snap, i, &arena, &pieces, &n) == 0);
        REQUIRE(n > 0);
        for (uint32_t p = 0; p < n; p++) {
            for (uint32_t r = 0; r < pieces[p].nrows; r++) {
                REQUIRE((p == 0 && r == 0) || pieces[p].time[r] > last);
                last = pieces[p].time[r];
                rows++;
                for (unsigned c = 0; c < pieces[p].ncols; c++) {
                    const struct tsfs_vec *v = &pieces[p].cols[c];
                    if (v->data && v->type == TSFS_VARCHAR && !tsfs_vec_null(v, r))
                        REQUIRE(tsfs_utf8_valid(v->s[r]));
                }
            }
        }
        tsfs_arena_free(&arena);
    }
    REQUIRE(rows <= facts.rows);
    REQUIRE((rows > 0) == (facts.rows > 0));
    tsfs_hot_snap_free(snap);
}

static void recover_file(struct state *s, const uint8_t *data, size_t size)
{
    uint64_t good, torn, good2, torn2;
    struct tsfs_error err = {0};
    char name[64];
    int fd = memfd_create("log", 0);
    REQUIRE(fd >= 0);
    REQUIRE(write(fd, data, size) == (ssize_t)size);
    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    int rc = tsfs_wal_recover(AT_FDCWD, name, false, apply, s, &good, &torn, &err);
    REQUIRE(good <= size);
    if (rc == 0) { /* what was cut must now be whole */
        struct state again = {0};
        REQUIRE(good + torn == size);
        REQUIRE(tsfs_schema_create(&again.schema) == 0);
        REQUIRE(tsfs_series_index_create(&again.index) == 0);
        REQUIRE(tsfs_hot_create(again.index, NULL, &again.hot) == 0);
        REQUIRE(tsfs_wal_recover(AT_FDCWD, name, true, apply, &again, &good2, &torn2, &err) == 0);
        REQUIRE(good2 == good && torn2 == 0);
        tsfs_hot_unref(again.hot);
        tsfs_series_index_free(again.index);
        tsfs_schema_unref(again.schema);
    } else {
        REQUIRE(rc == -EBADMSG || rc == -EPROTONOSUPPORT);
        REQUIRE(err.message[0]);
    }
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct state s = {0};
    if (size == 0)
        return 0;
    uint8_t mode = *data++ % 3;
    size--;
    REQUIRE(tsfs_schema_create(&s.schema) == 0);
    REQUIRE(tsfs_series_index_create(&s.index) == 0);
    REQUIRE(tsfs_hot_create(s.index, NULL, &s.hot) == 0);
    if (mode == 0) {
        (void)!apply(&s, data, size, NULL);
    } else if (mode == 1) { /* u8 length before each payload */
        while (size > 0) {
            size_t n = data[0] < size - 1 ? data[0] : size - 1;
            if (apply(&s, data + 1, n, NULL) != 0)
                break;
            data += 1 + n;
            size -= 1 + n;
        }
    } else {
        recover_file(&s, data, size);
    }
    walk(&s);
    tsfs_hot_unref(s.hot);
    tsfs_series_index_free(s.index);
    tsfs_schema_unref(s.schema);
    return 0;
}
