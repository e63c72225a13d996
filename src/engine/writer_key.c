/* From the keys of lines, "measurement,tag=value,...", to series, where the spelling is not known yet.
 *
 * Taking a key apart by the rules of line protocol, with its escapes, and finding each tag's column by name
 * is several times the work of finding the series then.  But a source that brings many series brings them in
 * one form: the same tags in the same order.  So the form of the last key that was taken apart is kept, and a
 * key that has the same bytes between its values, and in them none that needs a closer look, is cut by it.
 *
 * Such keys are cut some lines before they are needed, so that the cache misses of several new series
 * overlap. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/hash.h"
#include "base/same.h"
#include "engine/writer_priv.h"

#define AHEAD 8u /* lines; a power of two */

struct cut {
    struct target *target; /* NULL = none is here */
    size_t point;
    struct tsfs_series_key key;
};

struct writer_keys {
    struct target *target;       /* whose keys have this form; NULL = there is none */
    struct tsfs_str raw;         /* a key of it, in the input */
    struct tsfs_str measurement; /* the beginning of raw */
    uint32_t spelled;            /* what target->series says of spellings of this form; 0 = nothing yet */
    unsigned n;
    struct {
        uint32_t from, len; /* what stands before its value */
        uint16_t slot;
    } tags[TSFS_SERIES_KEY_DIMS];
    struct cut ahead[AHEAD];
};

void writer_keys_free(struct tsfs_writer *w)
{
    free(w->keys);
    w->keys = NULL;
}

void writer_keys_reset(struct tsfs_writer *w)
{
    if (!w->keys)
        return;
    w->keys->target = NULL;
    for (unsigned i = 0; i < AHEAD; i++)
        w->keys->ahead[i].target = NULL;
}

/* Keeps the form of a key that was taken apart, if it is in the input as it is and has no escapes. */
static void keep_form(struct tsfs_writer *w, struct target *t, struct tsfs_str key,
                      struct tsfs_str measurement, const struct tsfs_lp_tag *tags,
                      const struct tsfs_dim_value *dims, unsigned ntags)
{
    size_t at = measurement.len;
    if (!w->keys && !(w->keys = calloc(1, sizeof(*w->keys))))
        return; /* it works without */
    struct writer_keys *keys = w->keys;
    keys->target = NULL;
    if (measurement.len == 0 || ntags > TSFS_SERIES_KEY_DIMS || memchr(key.ptr, '\\', key.len))
        return;
    for (unsigned i = 0; i < ntags; i++) {
        keys->tags[i].from = (uint32_t)at;
        keys->tags[i].len = (uint32_t)tags[i].key.len + 2;
        keys->tags[i].slot = dims[i].slot;
        at += tags[i].key.len + 2 + tags[i].value.len;
    }
    if (at != key.len)
        return;
    keys->raw = key;
    keys->measurement = (struct tsfs_str){key.ptr, measurement.len};
    keys->n = ntags;
    keys->spelled = 0;
    keys->target = t;
    for (unsigned i = 0; i < AHEAD; i++) /* they have the form before, and spelled is not said of that */
        keys->ahead[i].target = NULL;
}

/* Bytes of a tag's value that stand for themselves: printable ones but for a comma, '=' and a backslash. Bits
 * by the byte's lower six bits, in words by its upper two. */
static const uint64_t plain_bytes[4] = {UINT64_C(0xfffffffe00000000) & ~(UINT64_C(1) << ',') &
                                            ~(UINT64_C(1) << '='),
                                        UINT64_C(0x7fffffffffffffff) & ~(UINT64_C(1) << ('\\' - 64)), 0, 0};

static inline bool is_plain(unsigned char c)
{
    return plain_bytes[c / 64] >> c % 64 & 1;
}

/* false: not of the form. */
static bool cut_by_form(const struct writer_keys *keys, struct tsfs_str raw, struct tsfs_series_key *key)
{
    struct tsfs_dim_value dims[TSFS_SERIES_KEY_DIMS];
    const char *p = raw.ptr, *end = p + raw.len;
    size_t measurement = keys->measurement.len;
    if (raw.len > TSFS_SERIES_KEY_MAX || raw.len < measurement ||
        !tsfs_same(p, keys->measurement.ptr, measurement))
        return false;
    p += measurement;
    for (unsigned i = 0; i < keys->n; i++) {
        size_t len = keys->tags[i].len;
        if ((size_t)(end - p) <= len || !tsfs_same(p, keys->raw.ptr + keys->tags[i].from, len))
            return false;
        p += len;
        const char *value = p;
        while (p < end && is_plain((unsigned char)*p))
            p++;
        if (p == value || (p < end && *p != ','))
            return false;
        dims[i] = (struct tsfs_dim_value){keys->tags[i].slot, {value, (size_t)(p - value)}};
    }
    return p == end && tsfs_series_key_make(key, keys->measurement, dims, keys->n);
}

void writer_key_ahead(struct tsfs_writer *w, struct target *t, size_t known)
{
    struct writer_keys *keys = w->keys;
    size_t near = w->at + AHEAD / 2, far = w->at + AHEAD;
    if (far < known && w->point_series[far] == TSFS_SERIES_NONE)
        tsfs_series_index_expect_spelling(t->series, w->batch.points[far].key_hash);
    if (!keys || keys->target != t || near >= known || w->point_series[near] != TSFS_SERIES_NONE ||
        w->point_target[near] != (uint32_t)(t - w->targets))
        return;
    struct cut *cut = &keys->ahead[near % AHEAD];
    cut->target = NULL;
    if (!cut_by_form(keys, w->batch.points[near].key, &cut->key))
        return;
    tsfs_series_index_expect(t->series, &cut->key);
    cut->target = t;
    cut->point = near;
}

int writer_bring_column(struct tsfs_writer *w, unsigned *nadd, struct tsfs_column column)
{
    if (TSFS_ARRAY_ROOM(w->add, *nadd, w->add_cap, 64) != 0)
        return -ENOMEM;
    w->add[(*nadd)++] = column;
    return 0;
}

/* Takes the key apart; new dimensions are columns it brings. */
static int split_key(struct tsfs_writer *w, struct target *t, const struct tsfs_lp_point *point,
                     struct writer_new_key *key, unsigned *nadd, struct tsfs_error *err)
{
    const struct tsfs_schema *schema = t->node->table->schema;
    tsfs_arena_reset(&w->arena);
    uint32_t at = writer_column(w, point, point->key.ptr);
    int rc = tsfs_lp_parse_key(key->raw, &w->arena, &key->measurement, &key->tags, &key->ntags, err);
    if (rc < 0) {
        uint32_t before = (uint32_t)(key->raw.len - point->key.len); /* a measurement put in front */
        err->line = point->line;
        err->column = at + (err->column > before ? err->column - before - 1 : 0);
        return rc;
    }
    for (unsigned i = 0; i < key->ntags; i++) {
        struct tsfs_str name = key->tags[i].key;
        uint16_t ordinal = tsfs_schema_find(schema, name);
        if (ordinal == TSFS_ORDINAL_NONE) {
            rc = writer_bring_column(
                w, nadd,
                (struct tsfs_column){.name = name, .role = TSFS_ROLE_DIMENSION, .type = TSFS_VARCHAR});
            if (rc < 0)
                return rc;
        } else if (schema->cols[ordinal].role != TSFS_ROLE_DIMENSION) {
            return writer_role_error(point->line, at, name, schema->cols[ordinal].role, "tag", err);
        }
    }
    return 0;
}

int writer_resolve_key(struct tsfs_writer *w, struct target *t, const struct tsfs_lp_point *point,
                       struct writer_new_key *key, unsigned *nadd, struct tsfs_error *err)
{
    struct writer_keys *keys = w->keys;
    key->cut = NULL;
    if (keys && keys->target == t && key->raw.ptr == point->key.ptr) {
        struct cut *cut = &keys->ahead[w->at % AHEAD];
        if ((cut->target == t && cut->point == w->at) || cut_by_form(keys, key->raw, &cut->key)) {
            cut->target = NULL;
            key->cut = &cut->key;
            return 0;
        }
        cut->target = NULL; /* half written over */
    }
    return split_key(w, t, point, key, nadd, err);
}

int writer_intern_key(struct tsfs_writer *w, struct target *t, const struct tsfs_lp_point *point,
                      struct tsfs_series_index *index, const struct writer_new_key *key, uint32_t *series)
{
    const struct tsfs_schema *schema = t->node->table->schema;
    int rc;
    if (key->cut) {
        rc = tsfs_series_index_intern_key(index, key->cut, series);
    } else {
        struct tsfs_dim_value *dims = tsfs_arena_alloc(&w->arena, (key->ntags + 1) * sizeof(*dims));
        if (!dims)
            return -ENOMEM;
        for (unsigned i = 0; i < key->ntags; i++) {
            uint16_t ordinal = tsfs_schema_find(schema, key->tags[i].key);
            dims[i] = (struct tsfs_dim_value){schema->cols[ordinal].slot, key->tags[i].value};
        }
        rc = tsfs_series_index_intern(index, key->measurement, dims, key->ntags, series);
        if (rc == 0 && key->raw.ptr == point->key.ptr)
            keep_form(w, t, key->raw, key->measurement, key->tags, dims, key->ntags);
    }
    uint32_t none = 0;
    bool like = key->cut && index == t->series; /* any other index may go, and a new one be in its place */
    if (rc == 0)
        rc = tsfs_series_index_add_spelling_like(index, key->raw, key->hash, *series,
                                                 like ? &w->keys->spelled : &none);
    return rc;
}
