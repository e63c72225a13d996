/* The private index alone: what is built must be read back, by number, by hash and by value; damage must be
 * an error.  Catches off-by-one slices, wrong buckets, codecs that lose bits, missing bounds checks. */
#include <errno.h>
#include <math.h>

#include "base/hash.h"
#include "cold/cold_priv.h"
#include "cold_support.h"

static int temp_file(const void *data, size_t n)
{
    char path[] = "/tmp/tsfs-index-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    unlink(path);
    assert_int_equal(tsfs_io_write_all(fd, data, n, 0), 0);
    return fd;
}

static const struct cold_column columns[] = {
    {{"time", 4}, TSFS_ROLE_TIME, TSFS_TIMESTAMP, 0},
    {{"measure_name", 12}, TSFS_ROLE_MEASURE_NAME, TSFS_VARCHAR, 0},
    {{"host", 4}, TSFS_ROLE_DIMENSION, TSFS_VARCHAR, 0},
    {{"region", 6}, TSFS_ROLE_DIMENSION, TSFS_VARCHAR, 1},
    {{"n", 1}, TSFS_ROLE_MEASURE, TSFS_BIGINT, 0},
    {{"d", 1}, TSFS_ROLE_MEASURE, TSFS_DOUBLE, 1},
};

/* Series i of the built index: host names ascend so that the canonical order is the number's. */
static struct tsfs_series series_of(uint32_t i, struct tsfs_str dims[2], char text[2][32])
{
    snprintf(text[0], 32, "host%08u", i);
    snprintf(text[1], 32, "region%u", i % 5);
    dims[0] = str_of(text[0]);
    dims[1] = i % 7 ? str_of(text[1]) : (struct tsfs_str){NULL, 0};
    return (struct tsfs_series){TSFS_STR("cpu"), dims, 2};
}

static uint32_t rows_of(uint32_t i)
{
    return i % 50 == 0 ? 3000 + i % 7 : 1 + i % 3;
}

/* nseries series in row groups of group_rows rows. */
static void build(uint32_t nseries, uint32_t group_rows, struct tsfs_buf *out)
{
    struct cold_index_builder *b;
    char text[2][32];
    uint32_t in_group = 0;
    assert_int_equal(cold_index_builder_create(columns, 6, &b), 0);
    for (uint32_t i = 0; i < nseries; i++) {
        struct tsfs_str dims[2], keys[3];
        struct tsfs_series s = series_of(i, dims, text);
        keys[0] = s.measure_name, keys[1] = dims[0], keys[2] = dims[1];
        assert_int_equal(cold_index_builder_series(b, tsfs_series_hash(&s), keys), 0);
        uint32_t left = rows_of(i), at = 0;
        while (left) {
            uint32_t part = group_rows - in_group < left ? group_rows - in_group : left;
            cold_index_builder_rows(b, part, 1000 * i + at, 1000 * i + at + part - 1);
            for (uint32_t k = 0, n = cold_block_count(part); k < n; k++) {
                int64_t first = 1000 * (int64_t)i + at + (int64_t)cold_block_row(part, n, k);
                int64_t last = 1000 * (int64_t)i + at + (int64_t)cold_block_row(part, n, k + 1) - 1;
                struct tsfs_summary sum[2] = {{.count = 5, .imin = (int64_t)i - 7}, {.count = 2}};
                uint8_t flags = 0;
                sum[0].imax = INT64_MAX, sum[0].ifirst = first, sum[0].ilast = last, sum[0].isum = -first;
                sum[1].dmin = -0.25 * i, sum[1].dmax = (double)first / 100, sum[1].dfirst = sum[1].dmin;
                sum[1].dlast = sum[1].dmax, sum[1].dsum = sum[1].dmin + sum[1].dmax;
                assert_int_equal(cold_index_builder_times(b, &first, &last, 1), 0);
                assert_int_equal(cold_index_builder_measure(b, 4, &sum[0], &flags, 1), 0);
                assert_int_equal(cold_index_builder_measure(b, 5, &sum[1], &flags, 1), 0);
            }
            at += part, left -= part, in_group += part;
            if (in_group == group_rows) {
                assert_int_equal(cold_index_builder_group(b, in_group), 0);
                in_group = 0;
            }
        }
    }
    if (in_group)
        assert_int_equal(cold_index_builder_group(b, in_group), 0);
    assert_int_equal(cold_index_builder_finish(b, out), 0);
    cold_index_builder_free(b);
}

/* The forms of an index: as it is, in version 3, and in version 2, which is no longer written. */
enum form { LOOSE, TERSE, PACKED };

static void bring_into(enum form form, struct tsfs_buf *buf)
{
    uint8_t *image;
    uint32_t version, length;
    if (form == LOOSE)
        return;
    assert_int_equal(cold_index_pack(buf, &version), 0);
    assert_int_equal(version, COLD_TERSE_VERSION);
    if (form == TERSE)
        return;
    assert_int_equal(cold_index_unpack((uint8_t *)buf->data, buf->len, &image, &length), 0);
    uint64_t sum = tsfs_hash(image, length);
    version = COLD_PACKED_VERSION;
    buf->len = 0;
    assert_int_equal(tsfs_buf_append(buf, COLD_INDEX_MAGIC, 8), 0);
    assert_int_equal(tsfs_buf_append(buf, &version, 4), 0);
    assert_int_equal(tsfs_buf_append(buf, &length, 4), 0);
    assert_int_equal(tsfs_buf_append(buf, &sum, 8), 0);
    assert_int_equal(tsfs_buf_append(buf, image, length), 0);
    free(image);
}

static void check_round_trip(uint32_t n, enum form form, uint64_t least_blocks)
{
    struct tsfs_buf buf = {0};
    struct cold_index *ix;
    struct tsfs_error err = {0};
    build(n, 5000, &buf);
    size_t loose = buf.len;
    bring_into(form, &buf);
    assert_true(form != TERSE || buf.len < loose);
    int fd = temp_file(buf.data, buf.len);
    assert_int_equal(cold_index_load(fd, 0, buf.len, &ix, &err), 0);
    assert_int_equal(ix->series, n);
    uint16_t key_slot[3] = {0, 0, 1};
    struct cold_map map = {.key_slot = key_slot, .same_hash = true};
    uint64_t row = 0, block = 0;
    for (uint32_t i = 0; i < n; i++) {
        char text[2][32];
        struct tsfs_str dims[2], have_dims[2], scratch[2];
        struct tsfs_series want = series_of(i, dims, text), have;
        uint32_t found;
        assert_int_equal(select_series(ix, &map, i, 2, have_dims, &have, &err), 0);
        assert_int_equal(tsfs_series_cmp(&want, &have), 0);
        map.same_hash = i % 2; /* both ways of finding */
        assert_int_equal(select_find(ix, &map, &want, scratch, &found, &err), 0);
        assert_int_equal(found, i);
        const struct cold_series_slice *s;
        assert_int_equal(cold_index_series(ix, i / COLD_SLICE, &s, &err), 0);
        assert_true(s->row[i % COLD_SLICE] == row && s->block[i % COLD_SLICE] == block);
        row += rows_of(i);
        assert_true(s->row[i % COLD_SLICE + 1] == row);
        assert_true(s->t_first[i % COLD_SLICE] == 1000 * (int64_t)i);
        assert_true(s->t_last[i % COLD_SLICE] == 1000 * (int64_t)i + rows_of(i) - 1);
        for (; block < s->block[i % COLD_SLICE + 1]; block++) {
            const struct cold_measure_slice *m;
            const struct cold_time_slice *t;
            assert_int_equal(cold_index_times(ix, (uint32_t)(block / COLD_SLICE), &t, &err), 0);
            int64_t first = t->t_first[block % COLD_SLICE];
            assert_true(first / 1000 <= i + 3 && first >= 1000 * (int64_t)i);
            assert_int_equal(cold_index_measure(ix, 4, (uint32_t)(block / COLD_SLICE), &m, &err), 0);
            const struct tsfs_summary *sum = &m->summary[block % COLD_SLICE];
            assert_true(sum->count == 5 && sum->imin == (int64_t)i - 7 && sum->imax == INT64_MAX);
            assert_true(sum->ifirst == first && sum->isum == -first);
            assert_int_equal(cold_index_measure(ix, 5, (uint32_t)(block / COLD_SLICE), &m, &err), 0);
            sum = &m->summary[block % COLD_SLICE];
            double max = (double)first / 100, min = -0.25 * i;
            assert_true(sum->dmin == min && sum->dmax == max && sum->dsum == min + max);
        }
    }
    assert_true(row == ix->rows && block == ix->blocks && block >= least_blocks);
    assert_true((ix->image != NULL) == (form != LOOSE));
    /* strangers are not found */
    struct tsfs_str dims[2] = {TSFS_STR("host00000001"), TSFS_STR("region9")}, scratch[2];
    struct tsfs_series stranger = {TSFS_STR("cpu"), dims, 2};
    uint32_t found;
    assert_int_equal(select_find(ix, &map, &stranger, scratch, &found, &err), 0);
    assert_int_equal(found, TSFS_SERIES_NONE);
    /* values by number and back */
    for (uint32_t i = 0; i < n; i += 37) {
        char text[32];
        bool equal;
        uint32_t id;
        snprintf(text, sizeof(text), "host%08u", i);
        assert_int_equal(cold_index_lookup(ix, 1, str_of(text), &id, &equal, &err), 0);
        assert_true(equal && id == i);
        assert_int_equal(cold_index_lookup(ix, 1, TSFS_STR("host"), &id, &equal, &err), 0);
        assert_true(!equal && id == 0);
        assert_int_equal(cold_index_lookup(ix, 1, TSFS_STR("z"), &id, &equal, &err), 0);
        assert_true(!equal && id == n);
    }
    cold_index_free(ix);
    close(fd);
    tsfs_buf_free(&buf);
}

static void round_trip(void **state)
{
    (void)state;
    check_round_trip(3000, LOOSE, 200);
}

static void packed_round_trip(void **state)
{
    (void)state;
    for (enum form form = TERSE; form <= PACKED; form++) {
        check_round_trip(1, form, 0);
        check_round_trip(300, form, 20);
    }
}

/* What is too large for it stays as it is. */
static void large_is_not_packed(void **state)
{
    (void)state;
    struct tsfs_buf buf = {0};
    build(20000, 5000, &buf);
    size_t len = buf.len;
    uint32_t version;
    assert_int_equal(cold_index_pack(&buf, &version), 0);
    assert_int_equal(version, COLD_INDEX_VERSION);
    assert_true(buf.len == len);
    tsfs_buf_free(&buf);
}

/* One lookup among very many series reads a handful of slices. */
static void lookup_is_partial(void **state)
{
    (void)state;
    struct tsfs_buf buf = {0};
    struct cold_index *ix;
    const uint32_t n = 200000;
    build(n, 1u << 20, &buf);
    int fd = temp_file(buf.data, buf.len);
    assert_int_equal(cold_index_load(fd, 0, buf.len, &ix, NULL), 0);
    uint16_t key_slot[3] = {0, 0, 1};
    struct cold_map map = {.key_slot = key_slot, .same_hash = true};
    char text[2][32];
    struct tsfs_str dims[2], scratch[2];
    struct tsfs_series want = series_of(123456, dims, text);
    uint32_t found, loaded = 0;
    assert_int_equal(select_find(ix, &map, &want, scratch, &found, NULL), 0);
    assert_int_equal(found, 123456);
    for (uint32_t i = 0; i < ix->nslices; i++)
        loaded += ix->cache[i] != NULL;
    assert_true(loaded <= 6);
    /* and so does a scan that names a value of the first dimension */
    cold_index_drop(ix);
    struct tsfs_schema *schema = make_schema(); /* host is its first dimension, ordinal 2 */
    uint32_t column[16];
    memset(column, 0xff, sizeof(column));
    column[2] = 2;
    map.column = column;
    struct tsfs_dim_in in = {2, 1, &dims[0]};
    struct tsfs_scan_spec spec = {.time_min = INT64_MIN, .time_max = INT64_MAX, .dim_in = &in, .n_dim_in = 1};
    uint32_t *list, m;
    assert_int_equal(select_matching(ix, &map, schema, &spec, 0, n, &list, &m, NULL, NULL), 0);
    assert_int_equal(m, 1);
    assert_int_equal(list[0], 123456);
    free(list);
    loaded = 0;
    for (uint32_t i = 0; i < ix->nslices; i++)
        loaded += ix->cache[i] != NULL;
    assert_true(loaded < 64); /* of some thousand */
    tsfs_schema_unref(schema);
    cold_index_free(ix);
    close(fd);
    tsfs_buf_free(&buf);
}

/* Everything that can be asked of an index; 0 or the first error. */
static int read_everything(int fd, size_t n)
{
    struct cold_index *ix;
    struct tsfs_str value;
    int rc = cold_index_load(fd, 0, n, &ix, NULL);
    if (rc)
        return rc;
    for (uint32_t i = 0; rc == 0 && i < ix->series; i += COLD_SLICE) {
        const struct cold_series_slice *s;
        rc = cold_index_series(ix, i / COLD_SLICE, &s, NULL);
    }
    for (uint32_t i = 0; rc == 0 && i < ix->buckets; i++) {
        const struct cold_hash_slice *s;
        rc = cold_index_hash(ix, i, &s, NULL);
    }
    for (uint32_t k = 0; k < ix->nkeys; k++)
        for (uint32_t i = 0; rc == 0 && i < ix->key_dict[k]; i++)
            rc = cold_index_value(ix, k, i, &value, NULL);
    for (uint32_t c = 0; c < ix->ncolumns; c++)
        for (uint32_t i = 0; rc == 0 && i < ix->blocks; i += COLD_SLICE) {
            const struct cold_measure_slice *m;
            const struct cold_time_slice *t;
            if (ix->columns[c].role == TSFS_ROLE_TIME)
                rc = cold_index_times(ix, i / COLD_SLICE, &t, NULL);
            else if (ix->columns[c].role == TSFS_ROLE_MEASURE)
                rc = cold_index_measure(ix, c, i / COLD_SLICE, &m, NULL);
        }
    cold_index_free(ix);
    return rc;
}

static void check_damage(enum form form)
{
    struct tsfs_buf buf = {0};
    build(400, 5000, &buf);
    bring_into(form, &buf);
    int fd = temp_file(buf.data, buf.len);
    assert_int_equal(read_everything(fd, buf.len), 0);
    for (size_t i = 0; i < buf.len; i++) {
        char was = buf.data[i];
        char now = (char)(was ^ (1 << (i % 8)));
        assert_int_equal(tsfs_io_write_all(fd, &now, 1, (off_t)i), 0);
        assert_int_not_equal(read_everything(fd, buf.len), 0);
        assert_int_equal(tsfs_io_write_all(fd, &was, 1, (off_t)i), 0);
    }
    assert_int_equal(read_everything(fd, buf.len), 0);
    for (size_t cut = 0; cut < buf.len; cut += 13) { /* a file that ends early */
        assert_int_equal(ftruncate(fd, (off_t)cut), 0);
        assert_int_not_equal(read_everything(fd, buf.len), 0);
        assert_int_equal(tsfs_io_write_all(fd, buf.data + cut, buf.len - cut, (off_t)cut), 0);
    }
    close(fd);
    tsfs_buf_free(&buf);
}

static void damage_is_an_error(void **state)
{
    (void)state;
    check_damage(LOOSE);
    check_damage(TERSE);
    check_damage(PACKED);
}

/* An image comes back as it was; what is no terse form gives an error or an image of lengths that fit. */
static void terse_takes_anything(void **state)
{
    (void)state;
    struct tsfs_buf buf = {0}, terse = {0};
    uint8_t *image, *again;
    uint32_t version, length, n;
    uint64_t seed = 9;
    build(40, 5000, &buf);
    assert_int_equal(cold_index_pack(&buf, &version), 0);
    assert_int_equal(cold_index_unpack((uint8_t *)buf.data, buf.len, &image, &length), 0);
    struct tsfs_buf whole = {.data = (char *)image, .len = length, .cap = length};
    assert_int_equal(cold_index_shorten(&whole, &terse), 0);
    assert_int_equal(cold_index_widen((uint8_t *)terse.data, terse.len, &again, &n), 0);
    assert_int_equal(n, length);
    assert_memory_equal(again, image, n);
    free(again);
    for (int i = 0; i < 100000; i++) {
        size_t len = below(&seed, 8) ? terse.len : below(&seed, (uint32_t)terse.len);
        uint8_t *exact = malloc(len ? len : 1);
        memcpy(exact, terse.data, len);
        for (uint32_t k = below(&seed, 4); len && k > 0; k--) /* mostly in what is not the slices */
            exact[below(&seed, below(&seed, 2) && len > 40 ? 40 : (uint32_t)len)] = (uint8_t)rnd(&seed);
        if (cold_index_widen(exact, len, &again, &n) == 0) {
            assert_true(n >= COLD_INDEX_HEADER && n <= COLD_PACKED_MAX);
            free(again);
        }
        free(exact);
    }
    free(image);
    tsfs_buf_free(&terse);
    tsfs_buf_free(&buf);
}

/* Decoders face bytes that no checksum has vouched for. */
static void codecs_take_anything(void **state)
{
    (void)state;
    uint64_t seed = 5;
    uint8_t data[600];
    const uint64_t groups[] = {0, 1000, 5000};
    const uint32_t dict[] = {3, 9};
    for (int i = 0; i < 200000; i++) {
        size_t len = below(&seed, sizeof(data));
        uint32_t n = 1 + below(&seed, COLD_SLICE);
        for (size_t k = 0; k < len; k++)
            data[k] = below(&seed, 3) ? (uint8_t)below(&seed, 4) : (uint8_t)rnd(&seed);
        uint8_t *exact = malloc(len ? len : 1);
        memcpy(exact, data, len);
        struct cold_series_slice *s;
        struct cold_dict_slice *d;
        struct cold_time_slice *t;
        struct cold_measure_slice *m;
        if (codec_series_decode(exact, len, n, 2, groups, 2, dict, &s) == 0)
            free(s);
        if (codec_dict_decode(exact, len, n, &d) == 0)
            free(d);
        if (codec_time_decode(exact, len, n, &t) == 0)
            free(t);
        if (codec_measure_decode(TSFS_BIGINT + below(&seed, 3), exact, len, n, &m) == 0)
            free(m);
        free(exact);
    }
}

/* Doubles come back bit by bit, whichever way they were stored. */
static void summaries_keep_every_bit(void **state)
{
    (void)state;
    static const double odd[] = {
        0.0, -0.0, 0.1, 1e300, -1e-300, 12.34, 99.99, 5e-324, 1.7976931348623157e308};
    uint64_t seed = 11;
    for (int round = 0; round < 2000; round++) {
        struct tsfs_summary s[COLD_SLICE] = {0};
        uint8_t flags[COLD_SLICE] = {0};
        uint32_t n = 1 + below(&seed, COLD_SLICE);
        unsigned kind = below(&seed, 4);
        double scale = kind == 0 ? 1 : kind == 1 ? 100 : 1000000;
        for (uint32_t i = 0; i < n; i++) {
            double v[5];
            for (int k = 0; k < 5; k++)
                v[k] =
                    kind == 3 && below(&seed, 2) ? odd[below(&seed, 9)] : (double)(int32_t)rnd(&seed) / scale;
            if (below(&seed, 10) == 0)
                continue;
            s[i].count = 1 + below(&seed, 1024);
            flags[i] = below(&seed, 30) == 0 ? COLD_FLAG_NONE : 0;
            s[i].dmin = v[0], s[i].dmax = v[1], s[i].dfirst = v[2], s[i].dlast = v[3], s[i].dsum = v[4];
            if (flags[i])
                s[i] = (struct tsfs_summary){.count = s[i].count};
        }
        struct tsfs_buf buf = {0};
        struct cold_measure_slice *m;
        assert_int_equal(codec_measure_encode(TSFS_DOUBLE, s, flags, n, &buf), 0);
        assert_int_equal(codec_measure_decode(TSFS_DOUBLE, (uint8_t *)buf.data, buf.len, n, &m), 0);
        for (uint32_t i = 0; i < n; i++) {
            assert_int_equal(m->summary[i].count, s[i].count);
            assert_memory_equal(&m->summary[i].dsum, &s[i].dsum, 40);
            assert_true(s[i].count == 0 || m->flags[i] == flags[i]);
        }
        free(m);
        tsfs_buf_free(&buf);
    }
}

/* A stored infinity would turn into a wrong finite sum where sums are put together. */
static void summaries_are_finite(void **state)
{
    (void)state;
    static const double odd[] = {INFINITY, -INFINITY, NAN};
    for (int field = 0; field < 5; field++)
        for (int k = 0; k < 4; k++) {
            double v[5] = {0.1, 0.7, 0.3, 0.4, 1.5};
            if (k < 3)
                v[field] = odd[k];
            struct tsfs_summary s = {
                .count = 3, .dmin = v[0], .dmax = v[1], .dfirst = v[2], .dlast = v[3], .dsum = v[4]};
            uint8_t flags = 0;
            struct tsfs_buf buf = {0};
            struct cold_measure_slice *m = NULL;
            assert_int_equal(codec_measure_encode(TSFS_DOUBLE, &s, &flags, 1, &buf), 0);
            assert_int_equal(codec_measure_decode(TSFS_DOUBLE, (uint8_t *)buf.data, buf.len, 1, &m),
                             k < 3 ? -EINVAL : 0);
            free(m);
            tsfs_buf_free(&buf);
        }
}

/* A kind of a later version: its counts are known, nothing else is. */
static void later_kinds_tell_counts(void **state)
{
    (void)state;
    static const enum tsfs_type types[] = {TSFS_BOOLEAN, TSFS_BIGINT, TSFS_DOUBLE, TSFS_VARCHAR};
    static const uint8_t slice[] = {6, 200, 2 * 5, 2 * 2, 0xee, 0xee, 0xee}; /* counts 5 and 7, zigzag */
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        struct cold_measure_slice *m = NULL;
        assert_int_equal(codec_measure_decode(types[i], slice, sizeof(slice), 2, &m), 0);
        assert_int_equal(m->summary[0].count, 5);
        assert_int_equal(m->summary[1].count, 7);
        assert_true(m->flags[0] == COLD_FLAG_NONE && m->flags[1] == COLD_FLAG_NONE);
        free(m);
        assert_int_equal(codec_measure_decode(types[i], slice, 3, 2, &m), -EINVAL);
    }
}

static void sums_are_exact(void **state)
{
    (void)state;
    int64_t v[TSFS_BLOCK_ROWS];
    double d[TSFS_BLOCK_ROWS];
    struct tsfs_summary s;
    uint8_t flags;
    for (uint32_t i = 0; i < TSFS_BLOCK_ROWS; i++)
        v[i] = i % 2 ? INT64_MAX - i : -INT64_MAX + (int64_t)i;
    struct tsfs_vec vec = {.type = TSFS_BIGINT, .i = v};
    cold_summarise(&vec, 0, TSFS_BLOCK_ROWS, &s, &flags);
    assert_true(!s.isum_overflow && s.isum == -512); /* on the way it leaves 64 bits many times */
    v[1] = v[0] = v[3] = INT64_MAX;
    cold_summarise(&vec, 0, 4, &s, &flags);
    assert_true(s.isum_overflow && s.imax == INT64_MAX && s.ilast == INT64_MAX);
    /* 1 + 1e100 + 1 - 1e100, scattered: plain addition gives 0 */
    for (uint32_t i = 0; i < 1000; i++)
        d[i] = i % 4 == 0 ? 1e15 + 0.3 : i % 4 == 2 ? -(1e15 + 0.3) : 0.001;
    struct tsfs_vec dv = {.type = TSFS_DOUBLE, .d = d};
    cold_summarise(&dv, 0, 1000, &s, &flags);
    assert_true(fabs(s.dsum - 0.5) < 1e-12);
    d[7] = NAN;
    cold_summarise(&dv, 0, 1000, &s, &flags);
    assert_int_equal(flags, COLD_FLAG_NONE);
    d[7] = INFINITY;
    cold_summarise(&dv, 0, 1000, &s, &flags);
    assert_int_equal(flags, COLD_FLAG_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),           cmocka_unit_test(packed_round_trip),
        cmocka_unit_test(large_is_not_packed),  cmocka_unit_test(lookup_is_partial),
        cmocka_unit_test(damage_is_an_error),   cmocka_unit_test(terse_takes_anything),
        cmocka_unit_test(codecs_take_anything), cmocka_unit_test(summaries_keep_every_bit),
        cmocka_unit_test(summaries_are_finite), cmocka_unit_test(later_kinds_tell_counts),
        cmocka_unit_test(sums_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
