/* The encodings one by one: the examples of the format's own text, round trips with all extremes, and hostile
 * bytes.
 *
 * Decoders may read PQ_SLACK bytes past their input, so inputs lie in buffers with that much behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/cpu.h"
#include "col/vec.h"
#include "parquet/bloom.h"
#include "parquet/codec.h"
#include "parquet/writer_priv.h"
#include "random.h"

static uint64_t state = 42;

static uint64_t rnd(void)
{
    return test_random(&state) * UINT64_C(0x2545F4914F6CDD1D);
}

/* A copy of exactly n + PQ_SLACK bytes. */
static uint8_t *slack_copy(const void *data, size_t n)
{
    uint8_t *p = calloc(1, n + PQ_SLACK);
    assert_non_null(p);
    if (n)
        memcpy(p, data, n);
    return p;
}

/* Catches: a wrong shift in any one of the 65 widths, reading or writing out of place. */
static void test_pack(void **unused)
{
    uint64_t in[72], out[72];
    uint32_t in32[72], out32[72];
    for (unsigned w = 0; w <= 64; w++) {
        for (unsigned n = 8; n <= 72; n += 8) {
            uint8_t *p = calloc(1, n * w / 8 + PQ_SLACK);
            for (unsigned i = 0; i < n; i++) {
                in[i] = w == 0 ? 0 : rnd() >> (64 - w);
                in32[i] = (uint32_t)in[i];
            }
            pq_pack64(in, w, p, n);
            assert_int_equal(p[n * w / 8], 0);
            for (unsigned k = 0; k <= n; k++) {
                memset(out, 0xee, sizeof(out));
                pq_unpack64(p, w, out, k);
                assert_memory_equal(in, out, k * 8);
                if (k < 72)
                    assert_true(out[k] == UINT64_C(0xeeeeeeeeeeeeeeee));
            }
            if (w <= 32) {
                uint8_t *q = calloc(1, n * w / 8 + PQ_SLACK);
                pq_pack32(in32, w, q, n);
                assert_memory_equal(p, q, n * w / 8);
                pq_unpack32(q, w, out32, n);
                assert_memory_equal(in32, out32, n * 4);
                free(q);
            }
            free(p);
        }
    }
}

static void test_crc(void **unused)
{
    assert_int_equal(pq_crc32(0, "123456789", 9), 0xCBF43926u);
    assert_int_equal(pq_crc32(pq_crc32(0, "12345", 5), "6789", 4), 0xCBF43926u);
    assert_int_equal(pq_crc32(0, "The quick brown fox jumps over the lazy dog", 43), 0x414FA339u);
    assert_int_equal(pq_crc32(0, "", 0), 0);

    /* Both versions, of every length and wherever it begins, also as the second part. */
    uint8_t bytes[3000];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)rnd();
    for (size_t n = 0; n + 16 < sizeof(bytes); n += n < 600 ? 1 : 7) {
        size_t at = rnd() % 16;
        uint32_t before = rnd() % 3 ? (uint32_t)rnd() : 0, fast = pq_crc32(before, bytes + at, n);
        tsfs_cpu_portable_only = true;
        assert_int_equal(pq_crc32(before, bytes + at, n), fast);
        tsfs_cpu_portable_only = false;
    }
}

static size_t encode_rle(const uint32_t *v, size_t n, unsigned width, struct tsfs_buf *out)
{
    struct pq_rle *e = malloc(sizeof(*e));
    pq_rle_begin(e, width, out);
    pq_rle_put_all(e, v, n);
    assert_int_equal(pq_rle_end(e), 0);
    free(e);
    return out->len;
}

static void test_rle_known(void **unused)
{
    static const uint32_t counting[] = {0, 1, 2, 3, 4, 5, 6, 7};
    static const uint8_t packed[] = {0x03, 0x88, 0xC6, 0xFA};
    uint32_t many[1000], value;
    struct tsfs_buf out = {0};
    assert_int_equal(encode_rle(counting, 8, 3, &out), 4);
    assert_memory_equal(out.data, packed, 4);
    out.len = 0;
    for (int i = 0; i < 1000; i++)
        many[i] = 300;
    static const uint8_t run[] = {0xd0, 0x0f, 0x2c, 0x01}; /* 1000 << 1, then 300 in two bytes */
    assert_int_equal(encode_rle(many, 1000, 10, &out), 4);
    assert_memory_equal(out.data, run, 4);
    assert_true(pq_rle_is_constant((uint8_t *)out.data, 4, 10, 1000, &value));
    assert_int_equal(value, 300);
    assert_false(pq_rle_is_constant((uint8_t *)out.data, 4, 10, 1001, &value));
    tsfs_buf_free(&out);
}

/* Runs and literals of every length around the multiples of eight at which the encoder changes over. */
static void test_rle_round_trip(void **unused)
{
    enum { MAX = 5000 };
    uint32_t *in = malloc(MAX * 4), *back = malloc(MAX * 4);
    for (int round = 0; round < 3000; round++) {
        unsigned width = 1 + rnd() % 32;
        size_t n = round < 40 ? (size_t)round : rnd() % (round % 50 ? 200 : MAX), at = 0;
        struct tsfs_buf out = {0};
        while (at < n) {
            size_t k = 1 + rnd() % (rnd() % 2 ? 3 : 40);
            uint32_t v = (uint32_t)(rnd() >> (64 - width));
            for (; k && at < n; k--)
                in[at++] = v;
        }
        encode_rle(in, n, width, &out);
        uint8_t *p = slack_copy(out.data, out.len);
        assert_int_equal(pq_rle_decode(p, out.len, width, back, n), 0);
        assert_memory_equal(in, back, n * 4);
        if (out.len) { /* a byte short: noticed, unless it held nothing but padding */
            int r = pq_rle_decode(p, out.len - 1, width, back, n);
            assert_true(r == -EINVAL || memcmp(in, back, n * 4) == 0);
        }
        free(p);
        tsfs_buf_free(&out);
    }
    free(in);
    free(back);
}

/* Levels: bitmaps with dense, sparse, whole and mixed stretches; all 1, all 0; any length. */
static void test_rle_bits(void **unused)
{
    enum { MAX = 3000 };
    uint64_t bits[MAX / 64 + 2], back[MAX / 64 + 2];
    for (int round = 0; round < 4000; round++) {
        size_t n = round < 150 ? (size_t)round : rnd() % MAX;
        unsigned mode = rnd() % 5;
        bool on = false;
        memset(bits, 0, sizeof(bits));
        for (size_t i = 0; i < n; i++) {
            on ^= mode == 2 && rnd() % 100 == 0;
            if (mode == 0 || (mode == 1 && rnd() % 2) || (mode == 2 && on) || (mode == 3 && rnd() % 100))
                tsfs_bit_set(bits, i);
        }
        struct tsfs_buf out = {0};
        uint64_t dirty[MAX / 64 + 2];
        memcpy(dirty, bits, sizeof(bits));
        if (n % 64)
            dirty[n / 64] |= ~UINT64_C(0) << n % 64; /* what lies above n does not count */
        assert_int_equal(pq_rle_encode_bits(dirty, n, &out), 0);
        if (mode == 0 && n)
            assert_true(out.len <= 4); /* one run */
        uint8_t *p = slack_copy(out.data, out.len);
        memset(back, 0xee, sizeof(back));
        assert_int_equal(pq_rle_decode_bits(p, out.len, back, n), 0);
        assert_memory_equal(bits, back, tsfs_bit_words(n) * 8);
        /* The general decoder reads the same. */
        uint32_t values[MAX];
        assert_int_equal(pq_rle_decode(p, out.len, 1, values, n), 0);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(values[i], tsfs_bit_get(bits, i));
        free(p);
        tsfs_buf_free(&out);
    }
}

static void test_rle_hostile(void **unused)
{
    uint32_t out[64];
    uint64_t bits[2];
    static const uint8_t wide[PQ_SLACK + 3] = {0x10, 0xff, 0xff}; /* 8 times 65535, width 9 */
    static const uint8_t huge[PQ_SLACK + 8] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f};
    static const uint8_t none[PQ_SLACK + 1] = {0};
    assert_int_equal(pq_rle_decode(wide, 3, 9, out, 8), -EINVAL);
    assert_int_equal(pq_rle_decode(wide, 3, 33, out, 8), -EINVAL);
    assert_int_equal(pq_rle_decode(huge, 8, 5, out, 64), -EINVAL);
    assert_int_equal(pq_rle_decode(none, 1, 5, out, 1), -EINVAL); /* a run of no length, then nothing */
    assert_int_equal(pq_rle_decode(none, 0, 0, out, 64), 0);      /* width 0: one value */
    assert_int_equal(pq_rle_decode_bits(none, 0, bits, 65), -EINVAL);
}

static const struct pq_delta_shape shapes[] = {{.block = 128, .miniblock = 32},
                                               {.block = 128, .miniblock = 32, .round_widths = true},
                                               {.block = 2048, .miniblock = 256},
                                               {.block = 2048, .miniblock = 256, .round_widths = true}};

static void test_delta_known(void **unused)
{
    static const int64_t one[] = {1, 2, 3, 4, 5}, two[] = {7, 5, 3, 1, 2, 3, 4, 5};
    static const uint8_t want_one[] = {0x80, 0x01, 0x04, 0x05, 0x02, 0x02, 0, 0, 0, 0};
    static const uint8_t want_two[] = {0x80, 0x01, 0x04, 0x08, 0x0e, 0x03, 2, 0, 0,
                                       0,    0xC0, 0x3F, 0,    0,    0,    0, 0, 0};
    struct tsfs_buf out = {0};
    assert_int_equal(pq_delta_encode(one, 5, &shapes[0], &out), 0);
    assert_int_equal(out.len, sizeof(want_one));
    assert_memory_equal(out.data, want_one, sizeof(want_one));
    out.len = 0;
    assert_int_equal(pq_delta_encode(two, 8, &shapes[0], &out), 0);
    assert_int_equal(out.len, sizeof(want_two));
    assert_memory_equal(out.data, want_two, sizeof(want_two));
    tsfs_buf_free(&out);
}

/* Catches: overflow of deltas that does not wrap, lengths around block and miniblock, 32-bit columns over 32
 * bits. */
static void test_delta_round_trip(void **unused)
{
    static const int64_t ends[] = {INT64_MIN, INT64_MAX, 0, -1, INT64_MIN + 1, INT64_MAX - 1};
    static const int64_t ends32[] = {INT32_MIN, INT32_MAX, 0, -1};
    enum { MAX = 5000 };
    int64_t *in = malloc(MAX * 8), *back = malloc(MAX * 8);
    for (int round = 0; round < 2000; round++) {
        struct pq_delta_shape shape = shapes[rnd() % 4];
        size_t n = round < 300 ? (size_t)round : rnd() % MAX, used = 0;
        unsigned mode = rnd() % 5;
        shape.narrow = rnd() % 3 == 0;
        for (size_t i = 0; i < n; i++) {
            switch (mode) {
            case 0: in[i] = ends[rnd() % 6]; break;
            case 1: in[i] = (int64_t)rnd(); break;
            case 2: in[i] = (int64_t)i * 10000000000 + 7; break;
            case 3: in[i] = 5; break;
            default: in[i] = (int64_t)(rnd() % 7) - 3;
            }
            if (shape.narrow)
                in[i] = mode == 0 ? ends32[rnd() % 4] : (int32_t)in[i];
        }
        struct tsfs_buf out = {0};
        assert_int_equal(pq_delta_encode(in, n, &shape, &out), 0);
        uint8_t *p = slack_copy(out.data, out.len);
        assert_int_equal(pq_delta_decode(p, out.len, back, n, shape.narrow, &used), 0);
        assert_int_equal(used, out.len);
        assert_memory_equal(in, back, n * 8);
        assert_int_equal(pq_delta_decode(p, out.len, back, n + 1, shape.narrow, &used), -EINVAL);
        if (shape.narrow && n > 1) { /* the format's bound on widths */
            size_t head = 0, nmini = shape.block / shape.miniblock;
            for (int k = 0; k < 5; k++) /* four numbers of the header, then the smallest delta */
                while (p[head++] & 0x80)
                    ;
            for (size_t m = 0; m < nmini; m++)
                assert_true(p[head + m] <= 32);
        }
        free(p);
        tsfs_buf_free(&out);
    }
    free(in);
    free(back);
}

static void check_delta(const struct tsfs_buf *out, const int64_t *v, size_t n, size_t *used)
{
    int64_t back[300];
    uint8_t *p = slack_copy(out->data, out->len);
    for (int portable = 0; portable < 2; portable++) {
        tsfs_cpu_portable_only = portable;
        assert_int_equal(pq_delta_decode(p, out->len, back, n, false, used), 0);
        assert_int_equal(*used, out->len);
        assert_memory_equal(v, back, n * 8);
    }
    tsfs_cpu_portable_only = false;
    free(p);
}

/* Both decoders say the same of any bytes: of each width and number of values, and of headers that lie. */
static void test_delta_versions(void **unused)
{
    enum { MAX = 1000 };
    int64_t *one = malloc(MAX * 8), *two = malloc(MAX * 8);
    for (int round = 0; round < 20000; round++) {
        uint8_t bytes[400], *p;
        size_t n = 1 + rnd() % (round % 2 ? 300 : MAX), at = 0, used_one = 0, used_two = 0;
        uint64_t mini = 8 * (1 + rnd() % 16), nmini = 1 + rnd() % 4;
        unsigned width = (unsigned)(rnd() % 66);
        at = (size_t)(pq_put_varint(bytes, mini * nmini) - bytes);
        at = (size_t)(pq_put_varint(bytes + at, nmini) - bytes);
        at = (size_t)(pq_put_varint(bytes + at, n) - bytes);
        at = (size_t)(pq_put_varint(bytes + at, rnd()) - bytes);
        for (size_t i = at; i < sizeof(bytes); i++)
            bytes[i] = (uint8_t)rnd();
        for (size_t block = 0; at + 12 < sizeof(bytes); block++) { /* blocks as they would follow */
            at = (size_t)(pq_put_varint(bytes + at, rnd() >> rnd() % 64) - bytes);
            for (uint64_t m = 0; m < nmini && at < sizeof(bytes); m++)
                bytes[at++] = (uint8_t)(rnd() % 8 ? width % 15 : width);
            at += nmini * mini / 8 * (width % 15);
        }
        size_t len = round % 3 ? sizeof(bytes) : rnd() % sizeof(bytes);
        p = slack_copy((const char *)bytes, len);
        memset(one, 1, MAX * 8);
        memset(two, 1, MAX * 8);
        bool narrow = rnd() % 4 == 0;
        int r = pq_delta_decode(p, len, one, n, narrow, &used_one);
        tsfs_cpu_portable_only = true;
        assert_int_equal(pq_delta_decode(p, len, two, n, narrow, &used_two), r);
        tsfs_cpu_portable_only = false;
        if (r == 0) {
            assert_int_equal(used_one, used_two);
            assert_memory_equal(one, two, n * 8);
        }
        assert_memory_equal(one + n, two + n, (MAX - n) * 8);
        free(p);
    }
    /* Widths one by one, with values that fill them. */
    for (unsigned w = 0; w <= 64; w++) {
        for (size_t n = 2; n < 300; n += 1 + rnd() % 20) {
            struct tsfs_buf out = {0};
            int64_t v[300];
            size_t used;
            v[0] = (int64_t)rnd();
            for (size_t i = 1; i < n; i++) {
                uint64_t delta = w == 0 ? 0 : rnd() % 3 ? ~UINT64_C(0) >> (64 - w) : rnd() >> (64 - w);
                v[i] = (int64_t)((uint64_t)v[i - 1] + delta - 77);
            }
            assert_int_equal(pq_delta_encode(v, n, &shapes[rnd() % 4], &out), 0);
            check_delta(&out, v, n, &used);
            tsfs_buf_free(&out);
        }
    }
    free(one);
    free(two);
}

static void test_delta_hostile(void **unused)
{
    static const uint8_t cases[][PQ_SLACK + 12] = {
        {0x00, 0x04, 0x05, 0x02, 0x02},                    /* block 0 */
        {0x80, 0x01, 0x00, 0x05, 0x02, 0x02},              /* no miniblocks */
        {0x80, 0x01, 0x03, 0x05, 0x02, 0x02},              /* not a divisor */
        {0x80, 0x01, 0x04, 0x05, 0x02, 0x02, 65, 0, 0, 0}, /* 65 bits */
        {0x80, 0x01, 0x04, 0x05, 0x02, 0x02, 64, 0, 0, 0}, /* no bytes behind the widths */
        {0x80, 0x80, 0x80, 0x80, 0x80, 0x01, 0x04, 0x05},  /* an enormous block */
    };
    int64_t out[5];
    size_t used;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        assert_int_equal(pq_delta_decode(cases[i], 10, out, 5, false, &used), -EINVAL);
}

static void test_split(void **unused)
{
    /* Encodings.md: AABBCCDD 00112233 A3B4C5D6 */
    static const uint8_t example[12 + PQ_SLACK] = {0xAA, 0x00, 0xA3, 0xBB, 0x11, 0xB4,
                                                   0xCC, 0x22, 0xC5, 0xDD, 0x33, 0xD6};
    uint32_t out32[3];
    pq_split_decode32(example, out32, 3);
    assert_int_equal(out32[0], 0xDDCCBBAA);
    assert_int_equal(out32[1], 0x33221100);
    assert_int_equal(out32[2], 0xD6C5B4A3);

    uint64_t in[100], back[100];
    for (size_t n = 0; n <= 100; n++) {
        struct tsfs_buf out = {0};
        for (size_t i = 0; i < n; i++)
            in[i] = rnd();
        assert_int_equal(pq_split_encode(in, n, &out), 0);
        assert_int_equal(out.len, n * 8);
        for (size_t i = 0; i < n; i++) {
            for (size_t k = 0; k < 8; k++)
                assert_int_equal((uint8_t)out.data[k * n + i], (uint8_t)(in[i] >> 8 * k));
        }
        uint8_t *p = slack_copy(out.data, out.len);
        pq_split_decode(p, back, n);
        assert_memory_equal(in, back, n * 8);
        free(p);
        tsfs_buf_free(&out);
    }
}

static void test_bytes_known(void **unused)
{
    static const struct tsfs_str hello[] = {{"Hello", 5}, {"World", 5}, {"Foobar", 6}, {"ABCDEF", 6}};
    static const struct tsfs_str axis[] = {{"axis", 4}, {"axle", 4}, {"babble", 6}, {"babyhood", 8}};
    static const int64_t lengths[] = {5, 5, 6, 6}, prefixes[] = {0, 2, 0, 3}, suffixes[] = {4, 2, 6, 5};
    struct tsfs_buf out = {0};
    int64_t back[4];
    size_t used, more;
    assert_int_equal(pq_bytes_lengths_encode(hello, 4, &out), 0);
    uint8_t *p = slack_copy(out.data, out.len);
    assert_int_equal(pq_delta_decode(p, out.len, back, 4, true, &used), 0);
    assert_memory_equal(back, lengths, sizeof(back));
    assert_int_equal(out.len - used, 22);
    assert_memory_equal(p + used, "HelloWorldFoobarABCDEF", 22);
    free(p);
    out.len = 0;
    assert_int_equal(pq_bytes_prefix_encode(axis, 4, &out), 0);
    p = slack_copy(out.data, out.len);
    assert_int_equal(pq_delta_decode(p, out.len, back, 4, true, &used), 0);
    assert_memory_equal(back, prefixes, sizeof(back));
    assert_int_equal(pq_delta_decode(p + used, out.len - used, back, 4, true, &more), 0);
    assert_memory_equal(back, suffixes, sizeof(back));
    assert_int_equal(out.len - used - more, 17);
    assert_memory_equal(p + used + more, "axislebabbleyhood", 17);
    free(p);
    out.len = 0;
    assert_int_equal(pq_bytes_plain_encode(axis, 2, &out), 0);
    assert_int_equal(out.len, 16);
    assert_memory_equal(out.data, "\4\0\0\0axis\4\0\0\0axle", 16);
    tsfs_buf_free(&out);
}

static void test_bytes_round_trip(void **unused)
{
    enum { MAX = 300 };
    static char pool[2000];
    struct tsfs_str in[MAX], back[MAX];
    struct tsfs_arena arena;
    tsfs_arena_init(&arena, NULL);
    for (size_t i = 0; i < sizeof(pool); i++)
        pool[i] = (char)("ab\0\xff"[rnd() % 4]);
    for (int round = 0; round < 500; round++) {
        size_t n = round < 20 ? (size_t)round : rnd() % MAX;
        for (size_t i = 0; i < n; i++)
            in[i] = (struct tsfs_str){pool + rnd() % 1000, rnd() % 3 ? rnd() % 20 : rnd() % 900};
        for (int kind = 0; kind < 3; kind++) {
            struct tsfs_buf out = {0};
            uint8_t *p;
            int r;
            if (kind == 0) {
                assert_int_equal(pq_bytes_plain_encode(in, n, &out), 0);
                p = slack_copy(out.data, out.len);
                r = pq_bytes_plain_decode(p, out.len, back, n);
            } else if (kind == 1) {
                assert_int_equal(pq_bytes_lengths_encode(in, n, &out), 0);
                p = slack_copy(out.data, out.len);
                r = pq_bytes_lengths_decode(p, out.len, back, n, &arena);
            } else {
                assert_int_equal(pq_bytes_prefix_encode(in, n, &out), 0);
                p = slack_copy(out.data, out.len);
                r = pq_bytes_prefix_decode(p, out.len, back, n, &arena);
            }
            assert_int_equal(r, 0);
            for (size_t i = 0; i < n; i++)
                assert_true(tsfs_str_eq(in[i], back[i]));
            /* Cut or garbled: refused or decoded to something inside, never a crash. */
            size_t cut = out.len ? rnd() % out.len : 0;
            p[cut] ^= (uint8_t)(1 << rnd() % 8);
            if (kind == 0)
                r = pq_bytes_plain_decode(p, out.len - cut, back, n);
            else if (kind == 1)
                r = pq_bytes_lengths_decode(p, out.len - cut, back, n, &arena);
            else
                r = pq_bytes_prefix_decode(p, out.len - cut, back, n, &arena);
            assert_true(r == 0 || r == -EINVAL);
            free(p);
            tsfs_buf_free(&out);
            tsfs_arena_reset(&arena);
        }
    }
    tsfs_arena_free(&arena);
}

static void test_bloom(void **unused)
{
    /* XXH64 of nothing and of eight bytes of 0, seed 0 */
    assert_true(pq_bloom_hash(TSFS_PQ_BYTE_ARRAY, 0, TSFS_STR("")) == UINT64_C(0xEF46DB3751D8E999));
    assert_true(pq_bloom_hash(TSFS_PQ_INT64, 0, TSFS_STR("")) == UINT64_C(0x34C96ACDCADB1BBB));
    /* One block of which only word 3 lacks its bit. */
    uint64_t hash = UINT64_C(0x123456789abcdef0);
    static const uint32_t salt3 = 0xa2b7289du;
    uint8_t bits[32];
    memset(bits, 0xff, sizeof(bits));
    assert_true(pq_bloom_test(bits, 32, hash));
    uint32_t bit = ((uint32_t)hash * salt3) >> 27;
    bits[12 + bit / 8] &= (uint8_t) ~(1u << bit % 8);
    assert_false(pq_bloom_test(bits, 32, hash));
}

/* What is written of doubles (the reader would hide a wrong zero): NaN never, a zero with the sign that
 * bounds both. */
static void test_double_bounds(void **unused)
{
    static const double zero[] = {0.0}, minus[] = {-0.0}, mixed[] = {NAN, 3, -INFINITY, NAN, 7, 0, 2, NAN, 1};
    struct pq_bounds b;
    for (int i = 0; i < 2; i++) {
        pq_bounds_of(PQ_DOUBLES, i ? minus : zero, 1, &b);
        assert_true(b.any && signbit(b.min.d) && !signbit(b.max.d) && b.min.d == 0 && b.max.d == 0);
    }
    for (size_t n = 0; n <= 9; n++) {
        pq_bounds_of(PQ_DOUBLES, mixed, n, &b);
        assert_int_equal(b.any, n > 1);
        assert_int_equal(b.nans, n == 0 ? 0 : n < 4 ? 1 : n < 8 ? 2 : 3);
        if (n > 1)
            assert_true(b.max.d == (n < 5 ? 3 : 7) && b.min.d == (n < 3 ? 3 : -INFINITY));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pack),
        cmocka_unit_test(test_crc),
        cmocka_unit_test(test_rle_known),
        cmocka_unit_test(test_rle_round_trip),
        cmocka_unit_test(test_rle_bits),
        cmocka_unit_test(test_rle_hostile),
        cmocka_unit_test(test_delta_known),
        cmocka_unit_test(test_delta_round_trip),
        cmocka_unit_test(test_delta_versions),
        cmocka_unit_test(test_delta_hostile),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_bytes_known),
        cmocka_unit_test(test_bytes_round_trip),
        cmocka_unit_test(test_bloom),
        cmocka_unit_test(test_double_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
