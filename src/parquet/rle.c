/* The hybrid of run lengths and bit packing ("RLE" in Encodings.md): dictionary indices, definition
 * levels, booleans.
 *
 * A sequence of runs, each a varint head: head even, head / 2 copies of the one value that follows in as many
 * whole bytes as the width needs; head odd, head / 2 groups of eight bit-packed values.  The number of values
 * is known from elsewhere, so the last group is padded with zeros and readers ignore what is too much.
 *
 * The encoder collects literals and counts the current run.  A run of eight or more ends the literals (topped
 * up to a multiple of eight from the run itself, as groups must be whole) and becomes a run; anything shorter
 * joins them.  Definition levels of flat columns are single bits in the order of our validity bitmaps:
 * bit-packed groups are the bitmap's bytes as they are, and only long stretches of equal bytes become runs.
 */
#include <errno.h>

#include "col/vec.h"
#include "parquet/codec.h"

#define RUN_MIN     8 /* values; below that a run joins the literals */
#define LITERAL_MAX (sizeof(((struct pq_rle *)0)->literal) / sizeof(uint32_t))

void pq_rle_begin(struct pq_rle *e, unsigned width, struct tsfs_buf *out)
{
    e->out = out;
    e->width = width;
    e->error = 0;
    e->value = 0;
    e->count = 0;
    e->nliteral = 0;
}

/* Pads to a multiple of eight: only at the end may that add values. */
static void flush_literals(struct pq_rle *e)
{
    if (e->nliteral == 0 || e->error)
        return;
    while (e->nliteral % 8)
        e->literal[e->nliteral++] = 0;
    size_t bytes = (size_t)e->nliteral * e->width / 8;
    e->error = tsfs_buf_reserve(e->out, PQ_VARINT_MAX + bytes);
    if (e->error)
        return;
    uint8_t *p = (uint8_t *)e->out->data + e->out->len;
    uint8_t *q = pq_put_varint(p, (e->nliteral / 8) << 1 | 1);
    pq_pack32(e->literal, e->width, q, e->nliteral);
    e->out->len += (size_t)(q - p) + bytes;
    e->nliteral = 0;
}

static void put_run(struct pq_rle *e, uint32_t value, uint64_t count)
{
    uint8_t head[PQ_VARINT_MAX + 4];
    while (count && !e->error) {
        uint64_t part = count < INT32_MAX ? count : INT32_MAX - 7; /* the longest that the format allows */
        uint8_t *p = pq_put_varint(head, part << 1);
        memcpy(p, &value, 4);
        e->error = tsfs_buf_append(e->out, head, (size_t)(p - head) + (e->width + 7) / 8);
        count -= part;
    }
}

static void add_literals(struct pq_rle *e, uint32_t value, uint32_t n)
{
    for (; n; n--) {
        if (e->nliteral == LITERAL_MAX)
            flush_literals(e);
        e->literal[e->nliteral++] = value;
    }
}

static void flush_run(struct pq_rle *e)
{
    uint64_t count = e->count;
    if (count >= RUN_MIN) {
        uint32_t fill = (8 - e->nliteral % 8) % 8;
        if (count - fill >= RUN_MIN) {
            add_literals(e, e->value, fill);
            flush_literals(e);
            put_run(e, e->value, count - fill);
            e->count = 0;
            return;
        }
    }
    add_literals(e, e->value, (uint32_t)count);
    e->count = 0;
}

void pq_rle_put(struct pq_rle *e, uint32_t value, uint64_t count)
{
    if (value != e->value) {
        flush_run(e);
        e->value = value;
    }
    e->count += count;
}

void pq_rle_put_all(struct pq_rle *e, const uint32_t *values, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t j = i + 1;
        while (j < n && values[j] == values[i])
            j++;
        pq_rle_put(e, values[i], j - i);
        i = j;
    }
}

int pq_rle_end(struct pq_rle *e)
{
    flush_run(e);
    flush_literals(e);
    return e->error;
}

#define BITS_RUN_MIN 8 /* equal bytes of a bitmap that are worth a run of their own */

static int put_bits_run(uint64_t nvalues, uint8_t byte, struct tsfs_buf *out)
{
    uint8_t head[PQ_VARINT_MAX + 1];
    uint8_t *p = pq_put_varint(head, nvalues << 1);
    *p++ = byte & 1;
    return tsfs_buf_append(out, head, (size_t)(p - head));
}

static int put_bits_literal(const uint8_t *bytes, size_t n, struct tsfs_buf *out)
{
    uint8_t head[PQ_VARINT_MAX];
    if (n == 0)
        return 0;
    int r = tsfs_buf_append(out, head, (size_t)(pq_put_varint(head, n << 1 | 1) - head));
    return r ? r : tsfs_buf_append(out, bytes, n);
}

int pq_rle_encode_bits(const uint64_t *bits, size_t n, struct tsfs_buf *out)
{
    const uint8_t *bytes = (const uint8_t *)bits;
    size_t whole = n / 8, literal = 0;
    unsigned rest = n % 8;
    uint8_t last = rest ? bytes[whole] & ((1u << rest) - 1) : 0;
    int r = 0;

    for (size_t i = 0; i < whole && !r;) {
        uint8_t b = bytes[i];
        size_t j = i + 1;
        if (b == 0 || b == 0xff) {
            while (j < whole && bytes[j] == b)
                j++;
            bool to_end = j == whole && rest && last == (b & ((1u << rest) - 1));
            if (j - i >= BITS_RUN_MIN || (i == 0 && j == whole && (to_end || !rest))) {
                r = put_bits_literal(bytes + literal, i - literal, out);
                if (!r)
                    r = put_bits_run((j - i) * 8 + (to_end ? rest : 0), b, out);
                literal = j;
                if (to_end)
                    return r;
            }
        }
        i = j;
    }
    if (r || n == 0)
        return r;
    if (whole == 0 && (last == 0 || last == (1u << rest) - 1))
        return put_bits_run(rest, last, out);
    if (rest) {
        /* the literal bytes and the masked last one under one head */
        uint8_t head[PQ_VARINT_MAX];
        r = tsfs_buf_append(out, head, (size_t)(pq_put_varint(head, (whole - literal + 1) << 1 | 1) - head));
        if (!r)
            r = tsfs_buf_append(out, bytes + literal, whole - literal);
        return r ? r : tsfs_buf_append(out, &last, 1);
    }
    return put_bits_literal(bytes + literal, whole - literal, out);
}

/* One run's head; false on bad bytes.  For a run *value is set, else *packed points to *bytes of groups. */
struct run {
    bool literal;
    uint64_t count; /* values, padding included */
    uint32_t value;
    const uint8_t *packed;
};

static bool next_run(const uint8_t **p, const uint8_t *end, unsigned width, struct run *run)
{
    uint64_t head;
    if (!pq_get_varint(p, end, &head))
        return false;
    size_t left = (size_t)(end - *p);
    run->literal = head & 1;
    if (run->literal) {
        uint64_t groups = head >> 1;
        if (width) {
            /* Some writers cut the padding of the last group: count only what is there. */
            uint64_t bytes = groups > UINT32_MAX ? UINT64_MAX : groups * width;
            if (bytes > left) {
                run->count = (uint64_t)left * 8 / width;
                bytes = left;
            } else {
                run->count = groups * 8;
            }
            run->packed = *p;
            *p += bytes;
        } else {
            run->count = groups > UINT32_MAX ? UINT64_C(8) * UINT32_MAX : groups * 8;
            run->packed = *p;
        }
        return true;
    }
    size_t bytes = (width + 7) / 8;
    if (left < bytes)
        return false;
    run->count = head >> 1;
    run->value = 0;
    memcpy(&run->value, *p, bytes);
    *p += bytes;
    return width == 32 || run->value >> width == 0;
}

int pq_rle_decode(const uint8_t *p, size_t len, unsigned width, uint32_t *dst, size_t n)
{
    const uint8_t *end = p + len;
    struct run run;
    if (width > 32)
        return -EINVAL;
    if (width == 0) { /* one possible value; some writers then leave out the runs */
        memset(dst, 0, n * sizeof(*dst));
        return 0;
    }
    while (n) {
        if (!next_run(&p, end, width, &run))
            return -EINVAL;
        size_t k = run.count < n ? (size_t)run.count : n;
        if (run.literal) {
            pq_unpack32(run.packed, width, dst, k);
        } else {
            for (size_t i = 0; i < k; i++)
                dst[i] = run.value;
        }
        dst += k;
        n -= k;
    }
    return 0;
}

bool pq_rle_is_constant(const uint8_t *p, size_t len, unsigned width, size_t n, uint32_t *value)
{
    struct run run;
    if (width == 0) {
        *value = 0;
        return true;
    }
    if (width > 32 || !next_run(&p, p + len, width, &run) || run.literal || run.count < n)
        return false;
    *value = run.value;
    return true;
}

int pq_rle_decode_bits(const uint8_t *p, size_t len, uint64_t *bits, size_t n)
{
    const uint8_t *end = p + len;
    struct run run;
    size_t at = 0;
    memset(bits, 0, tsfs_bit_words(n) * sizeof(*bits));
    while (at < n) {
        if (!next_run(&p, end, 1, &run))
            return -EINVAL;
        size_t k = run.count < n - at ? (size_t)run.count : n - at;
        if (!run.literal) {
            if (run.value)
                tsfs_bits_set_range(bits, at, k);
            at += k;
            continue;
        }
        for (size_t done = 0; done < k; done += 56) {
            unsigned part = k - done < 56 ? (unsigned)(k - done) : 56;
            uint64_t v = pq_load64(run.packed + done / 8) & ((UINT64_C(1) << part) - 1);
            unsigned shift = (at + done) & 63;
            size_t word = (at + done) >> 6;
            bits[word] |= v << shift;
            if (shift + part > 64)
                bits[word + 1] |= v >> (64 - shift);
        }
        at += k;
    }
    return 0;
}
