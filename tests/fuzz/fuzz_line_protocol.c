/* Any bytes as line protocol.  Beside crashes it catches: an extent outside the input, progress that stops, a
 * result that depends on how the input was cut into pieces, or on what the lines before had taught. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/utf8.h"
#include "fuzz.h"
#include "ingest/line_protocol.h"

struct tally {
    size_t points, fields, bad;
    uint64_t digest;
};

static uint64_t value_of(const struct tsfs_lp_field *f)
{
    switch (f->type) {
    case TSFS_VARCHAR: return tsfs_hash(f->s.ptr, f->s.len);
    case TSFS_BOOLEAN: return f->b;
    default: return (uint64_t)f->i; /* or the bits of a double */
    }
}

static void check_point(const struct tsfs_lp_batch *b, const struct tsfs_lp_point *pt, const char *data,
                        size_t len, struct tsfs_arena *arena, struct tally *t)
{
    REQUIRE(pt->offset <= len && pt->length <= len - pt->offset);
    REQUIRE(pt->key.ptr >= data + pt->offset && pt->key.ptr + pt->key.len <= data + pt->offset + pt->length);
    REQUIRE(pt->nfields > 0 && (size_t)pt->first_field + pt->nfields <= b->nfields);
    REQUIRE(pt->key_hash == tsfs_hash(pt->key.ptr, pt->key.len));
    for (uint32_t i = 0; i < pt->nfields; i++) {
        const struct tsfs_lp_field *f = &b->fields[pt->first_field + i];
        REQUIRE(f->name.len > 0 && tsfs_utf8_valid(f->name));
        if (f->type == TSFS_VARCHAR)
            REQUIRE(f->s.ptr != NULL && tsfs_utf8_valid(f->s));
        t->digest = t->digest * 31 + tsfs_hash(f->name.ptr, f->name.len) + f->type;
        t->digest = t->digest * 31 + value_of(f);
    }
    t->digest = t->digest * 31 + pt->key_hash;
    t->digest = t->digest * 31 + (uint64_t)pt->time + pt->has_time;
    if (pt->same_key != TSFS_LP_NONE) {
        REQUIRE(pt->same_key < pt - b->points);
        REQUIRE(tsfs_str_eq(b->points[pt->same_key].key, pt->key));
    }
    struct tsfs_str measurement;
    struct tsfs_lp_tag *tags;
    unsigned ntags;
    struct tsfs_error err = {0};
    int rc = tsfs_lp_parse_key(pt->key, arena, &measurement, &tags, &ntags, &err);
    REQUIRE((rc != 0) == (err.code != 0));
    if (rc != 0)
        REQUIRE(err.column >= 1 && err.column <= pt->key.len + 1);
    for (unsigned i = 0; rc == 0 && i < ntags; i++)
        REQUIRE(tags[i].key.len > 0 && tags[i].value.len > 0 && tsfs_utf8_valid(tags[i].value));
    t->points++;
    t->fields += pt->nfields;
}

/* All of the input, at most step bytes more at a time. */
static struct tally run(const char *data, size_t size, size_t step, size_t max_points)
{
    struct tsfs_lp_batch batch;
    struct tsfs_arena arena;
    struct tally t = {0};
    tsfs_lp_batch_init(&batch, NULL);
    tsfs_arena_init(&arena, NULL);
    size_t at = 0, have = step < size ? step : size;
    for (;;) {
        struct tsfs_error err = {0};
        size_t consumed;
        int rc = tsfs_lp_parse(&batch, data + at, have - at, max_points, have == size, &consumed, &err);
        REQUIRE(consumed <= have - at);
        for (size_t i = 0; i < batch.npoints; i++)
            check_point(&batch, &batch.points[i], data + at, have - at, &arena, &t);
        tsfs_arena_reset(&arena);
        if (rc != 0) {
            REQUIRE(err.code == rc && err.line >= 1 && err.column >= 1);
            REQUIRE(tsfs_utf8_valid(tsfs_str_from(err.message)));
            REQUIRE(batch.bad_offset == consumed && batch.bad_length > 0);
            REQUIRE(batch.bad_length <= have - at - consumed);
            t.bad++;
            t.digest = t.digest * 31 + err.column + (uint64_t)-rc;
            consumed += batch.bad_length;
        }
        at += consumed;
        if (consumed > 0 && at < have)
            continue;
        if (have == size)
            break;
        have = size - have < step ? size : have + step;
    }
    REQUIRE(at == size);
    tsfs_arena_free(&arena);
    tsfs_lp_batch_free(&batch);
    return t;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct tally whole = run(text, size, size, 0), one_by_one = run(text, size, size, 1);
    REQUIRE(whole.points == one_by_one.points && whole.fields == one_by_one.fields);
    REQUIRE(whole.digest == one_by_one.digest && whole.bad == one_by_one.bad);
    struct tally cut = run(text, size, 7, 0);
    REQUIRE(whole.points == cut.points && whole.fields == cut.fields);
    REQUIRE(whole.digest == cut.digest && whole.bad == cut.bad);
    return 0;
}
