/* The rows of one series out of a snapshot, in time order.
 *
 * Each lane gives slices of chunks that lie in the time range.  With one lane, which is the rule, they are
 * the pieces.  With more, lanes are merged: where one lane has a stretch to itself it still becomes a piece
 * as it lies; only rows between each other's, and rows of the unordered lane, are copied, and rows of the
 * same time become one, the later written value of each measure winning.  So a few late rows in a long series
 * cost a few small copies, not a sort of the series. */
#include <errno.h>
#include <string.h>

#include "base/time.h"
#include "hot/snap_priv.h"

#define STRETCH 48u /* rows in a row that are worth a piece of their own while rows are being copied */

struct slice {
    const struct hot_chunk *chunk;
    uint32_t from, to; /* rows of the chunk */
    bool full;         /* every row of the chunk is in the snapshot: nothing in it changes any more */
};

struct ref {
    int64_t time;
    const struct hot_chunk *chunk;
    uint32_t row;
    bool same; /* time as the ref before: the same row */
};

/* One lane's rows in the range: slices if it is ordered, refs if not. */
struct side {
    struct slice *slices;
    uint32_t n, at;
    struct ref *refs;
    uint32_t nrefs, ref_at;
};

struct build {
    const struct tsfs_hot_snap *snap;
    unsigned ends; /* bits of tsfs_scan_ends, 0 = every row is wanted */
    struct tsfs_arena *arena;
    struct tsfs_hot_piece *pieces;
    uint32_t n, cap;
    struct ref *pending;
    uint32_t npending, pending_cap;
};

/* The first of rows [from, to) of a chunk whose time is >= t. */
static uint32_t row_at_time(const struct hot_chunk *chunk, uint32_t from, uint32_t to, int64_t t)
{
    return from + tsfs_time_lower_bound(hot_chunk_time(chunk) + from, to - from, t);
}

static struct tsfs_hot_piece *new_piece(struct build *b)
{
    if (b->n == b->cap) {
        uint32_t cap = b->cap ? b->cap * 2 : 8;
        struct tsfs_hot_piece *grown = tsfs_arena_alloc(b->arena, cap * sizeof(*grown));
        if (!grown)
            return NULL;
        if (b->n)
            memcpy(grown, b->pieces, b->n * sizeof(*grown));
        b->pieces = grown;
        b->cap = cap;
    }
    return &b->pieces[b->n++];
}

static struct hot_colset *cols_of(const struct hot_chunk *chunk, unsigned *n)
{
    struct hot_colset *set = atomic_load_explicit(&chunk->cols, memory_order_acquire);
    *n = atomic_load_explicit(&set->n, memory_order_acquire);
    return set;
}

/* Validity of rows [from, to) of a column as bits from bit 0 in words[]; next > from. */
static void copy_valid(const struct hot_col *col, uint32_t next, uint32_t from, uint32_t to, uint64_t *words)
{
    const _Atomic uint64_t *bits = atomic_load_explicit(&col->valid, memory_order_acquire);
    uint32_t end = next < to ? next : to, n = to - from;
    memset(words, 0, tsfs_bit_words(n) * sizeof(*words));
    if (!bits) {
        tsfs_bits_set_range(words, 0, end - from);
        return;
    }
    uint32_t shift = from % 64, w = from / 64, last = (end - 1) / 64;
    for (uint32_t i = 0; i * 64 < end - from; i++) {
        words[i] = atomic_load_explicit(&bits[w + i], memory_order_relaxed) >> shift;
        if (shift && w + i < last)
            words[i] |= atomic_load_explicit(&bits[w + i + 1], memory_order_relaxed) << (64 - shift);
    }
    if ((end - from) % 64)
        words[(end - from) / 64] &= (UINT64_C(1) << (end - from) % 64) - 1;
}

static int fill_vec(struct build *b, const struct slice *s, const struct hot_col *col, struct tsfs_vec *vec)
{
    uint32_t next = atomic_load_explicit(&col->next, memory_order_acquire);
    const _Atomic uint64_t *bits = atomic_load_explicit(&col->valid, memory_order_acquire);
    uint32_t n = s->to - s->from;
    if (next <= s->from)
        return 0;
    vec->type = col->type;
    vec->data = (const char *)hot_col_data(s->chunk, col) + (size_t)s->from * tsfs_type_width(col->type);
    if (next >= s->to && !bits)
        return 0;
    if (next >= s->to && s->full && s->from % 64 == 0) {
        vec->valid = (const uint64_t *)bits + s->from / 64;
        return 0;
    }
    uint64_t *words = tsfs_arena_alloc(b->arena, tsfs_bit_words(n) * sizeof(*words));
    if (!words)
        return -ENOMEM;
    copy_valid(col, next, s->from, s->to, words);
    size_t count = tsfs_bits_count(words, n);
    if (count == 0)
        *vec = (struct tsfs_vec){0};
    else if (count < n)
        vec->valid = words;
    return 0;
}

/* The row of a packed chunk, unpacked. */
static int unpack(struct build *b, const struct slice *s, const struct hot_colset *set, unsigned n,
                  struct tsfs_vec *vecs)
{
    size_t at = 0;
    uint64_t *values = tsfs_arena_alloc(b->arena, n * sizeof(*values));
    if (!values)
        return -ENOMEM;
    for (unsigned i = 0; i < n; i++) {
        const struct hot_col *col = &set->cols[i];
        values[i] = hot_packed_next(hot_packed(s->chunk), n, i, col->type, &at);
        if (snap_wants(b->snap, col->slot))
            vecs[col->slot] = (struct tsfs_vec){.type = col->type, .data = &values[i]};
    }
    return 0;
}

/* A slice as it lies. */
static int add_slice(struct build *b, const struct slice *s)
{
    unsigned n, ncols = 0;
    struct hot_colset *set = cols_of(s->chunk, &n);
    for (unsigned i = 0; i < n; i++)
        if (snap_wants(b->snap, set->cols[i].slot) && set->cols[i].slot >= ncols)
            ncols = set->cols[i].slot + 1u;
    struct tsfs_vec *vecs = tsfs_arena_calloc(b->arena, ncols, sizeof(*vecs));
    struct tsfs_hot_piece *piece = new_piece(b);
    if (!vecs || !piece)
        return -ENOMEM;
    if (set->packed) {
        int rc = unpack(b, s, set, n, vecs);
        if (rc)
            return rc;
    }
    for (unsigned i = 0; i < n && !set->packed; i++) {
        if (!snap_wants(b->snap, set->cols[i].slot))
            continue;
        int rc = fill_vec(b, s, &set->cols[i], &vecs[set->cols[i].slot]);
        if (rc)
            return rc;
    }
    *piece = (struct tsfs_hot_piece){.nrows = s->to - s->from,
                                     .time = hot_chunk_time(s->chunk) + s->from,
                                     .ncols = (uint16_t)ncols,
                                     .cols = vecs};
    return 0;
}

static bool has_value(const struct hot_col *col, uint32_t row)
{
    if (row >= atomic_load_explicit(&col->next, memory_order_acquire))
        return false;
    const _Atomic uint64_t *bits = atomic_load_explicit(&col->valid, memory_order_acquire);
    return !bits || (atomic_load_explicit(&bits[row / 64], memory_order_relaxed) >> row % 64 & 1);
}

/* Output arrays of one measure, made when its first value comes. */
struct target {
    void *data;
    uint64_t *valid;
    uint8_t type;
};

static int put_value(struct build *b, struct target *t, uint32_t nrows, uint32_t out,
                     const struct hot_col *col, const void *value)
{
    unsigned width = tsfs_type_width(col->type);
    if (!t->data) {
        t->type = col->type;
        t->data = tsfs_arena_calloc(b->arena, nrows, width);
        t->valid = tsfs_arena_calloc(b->arena, tsfs_bit_words(nrows), sizeof(uint64_t));
        if (!t->data || !t->valid)
            return -ENOMEM;
    }
    memcpy((char *)t->data + (size_t)out * width, value, width);
    tsfs_bit_set(t->valid, out);
    return 0;
}

/* The pending rows, copied together. */
static int flush(struct build *b)
{
    uint32_t nrows = 0, ncols = 0, n = b->npending;
    if (n == 0)
        return 0;
    b->npending = 0;
    for (uint32_t i = 0; i < n; i++) {
        unsigned m;
        nrows += !b->pending[i].same;
        if (i > 0 && b->pending[i].chunk == b->pending[i - 1].chunk)
            continue;
        struct hot_colset *set = cols_of(b->pending[i].chunk, &m);
        for (unsigned c = 0; c < m; c++)
            if (snap_wants(b->snap, set->cols[c].slot) && set->cols[c].slot >= ncols)
                ncols = set->cols[c].slot + 1u;
    }
    int64_t *time = tsfs_arena_alloc(b->arena, nrows * sizeof(*time));
    struct target *targets = tsfs_arena_calloc(b->arena, ncols, sizeof(*targets));
    struct tsfs_vec *vecs = tsfs_arena_calloc(b->arena, ncols, sizeof(*vecs));
    struct tsfs_hot_piece *piece = new_piece(b);
    if (!time || !targets || !vecs || !piece)
        return -ENOMEM;
    uint32_t out = 0;
    for (uint32_t i = 0; i < n; i++) {
        const struct ref *ref = &b->pending[i];
        unsigned m;
        struct hot_colset *set = cols_of(ref->chunk, &m);
        out += i > 0 && !ref->same;
        time[out] = ref->time;
        size_t at = 0;
        for (unsigned c = 0; c < m; c++) {
            const struct hot_col *col = &set->cols[c];
            uint64_t number = set->packed ? hot_packed_next(hot_packed(ref->chunk), m, c, col->type, &at) : 0;
            if (!snap_wants(b->snap, col->slot) || !has_value(col, ref->row))
                continue;
            const void *value = set->packed ? (const void *)&number
                                            : (const char *)hot_col_data(ref->chunk, col) +
                                                  (size_t)ref->row * tsfs_type_width(col->type);
            int rc = put_value(b, &targets[col->slot], nrows, out, col, value);
            if (rc)
                return rc;
        }
    }
    for (uint32_t c = 0; c < ncols; c++) {
        if (!targets[c].data)
            continue;
        bool all = tsfs_bits_count(targets[c].valid, nrows) == nrows;
        vecs[c] = (struct tsfs_vec){
            .type = targets[c].type, .data = targets[c].data, .valid = all ? NULL : targets[c].valid};
    }
    *piece = (struct tsfs_hot_piece){.nrows = nrows, .time = time, .ncols = (uint16_t)ncols, .cols = vecs};
    return 0;
}

static int add_ref(struct build *b, int64_t time, const struct hot_chunk *chunk, uint32_t row, bool same)
{
    if (b->npending >= HOT_CHUNK_ROWS && !same) {
        int rc = flush(b);
        if (rc)
            return rc;
    }
    if (b->npending == b->pending_cap) { /* past HOT_CHUNK_ROWS only for one time written very often */
        uint32_t cap = b->pending_cap ? b->pending_cap * 2 : 64;
        struct ref *grown = tsfs_arena_alloc(b->arena, cap * sizeof(*grown));
        if (!grown)
            return -ENOMEM;
        if (b->npending)
            memcpy(grown, b->pending, b->npending * sizeof(*grown));
        b->pending = grown;
        b->pending_cap = cap;
    }
    b->pending[b->npending++] = (struct ref){time, chunk, row, same};
    return 0;
}

/* Merge sort that takes the ascending runs as it finds them; stable, so that rows of one time stay in the
 * order of writing.  tmp has room for n, bounds for n + 1. */
static void sort_refs(struct ref *refs, uint32_t n, struct ref *tmp, uint32_t *bounds)
{
    uint32_t runs = 0;
    for (uint32_t i = 0; i < n; i++)
        if (i == 0 || refs[i].time < refs[i - 1].time)
            bounds[runs++] = i;
    bounds[runs] = n;
    while (runs > 1) {
        uint32_t merged = 0;
        for (uint32_t r = 0; r < runs; r += 2) {
            uint32_t from = bounds[r], mid = bounds[r + 1], to = r + 1 < runs ? bounds[r + 2] : mid;
            uint32_t left = from, right = mid, out = from;
            bounds[merged++] = from;
            while (left < mid && right < to)
                tmp[out++] = refs[right].time < refs[left].time ? refs[right++] : refs[left++];
            while (left < mid)
                tmp[out++] = refs[left++];
            while (right < to)
                tmp[out++] = refs[right++];
        }
        bounds[merged] = n;
        runs = merged;
        memcpy(refs, tmp, n * sizeof(*refs));
    }
}

/* The rows of an ordered lane at the ends asked for, each a slice of one row: others are not looked at. */
static int collect_ends(struct build *b, const struct hot_lane *lane, uint32_t rows, struct side *side)
{
    const struct tsfs_hot_snap *snap = b->snap;
    const struct hot_chunk *first = NULL, *last = NULL;
    uint32_t first_row = 0, last_row = 0, n = 0;
    if (b->ends & TSFS_SCAN_FIRST) {
        first = atomic_load_explicit(&lane->head, memory_order_acquire);
        for (; first && first->start < rows;
             first = atomic_load_explicit(&first->next, memory_order_acquire)) {
            n = rows - first->start < first->cap ? rows - first->start : first->cap;
            if (hot_chunk_time(first)[n - 1] >= snap->time_min)
                break;
        }
        if (!first || first->start >= rows)
            return 0;
        first_row = row_at_time(first, 0, n, snap->time_min);
        if (hot_chunk_time(first)[first_row] > snap->time_max)
            return 0;
    }
    if (b->ends & TSFS_SCAN_LAST) {
        last = atomic_load_explicit(&lane->tail, memory_order_acquire);
        while (last && (last->start >= rows || hot_chunk_first(last) > snap->time_max))
            last = hot_chunk_prev(last);
        if (!last)
            return 0;
        n = rows - last->start < last->cap ? rows - last->start : last->cap;
        last_row = hot_chunk_time(last)[n - 1] <= snap->time_max
                       ? n - 1
                       : row_at_time(last, 0, n, snap->time_max + 1) - 1;
        if (hot_chunk_time(last)[last_row] < snap->time_min)
            return 0;
    }
    side->slices = tsfs_arena_alloc(b->arena, 2 * sizeof(*side->slices));
    if (!side->slices)
        return -ENOMEM;
    if (first)
        side->slices[side->n++] = (struct slice){.chunk = first, .from = first_row, .to = first_row + 1};
    if (last && (last != first || last_row != first_row))
        side->slices[side->n++] = (struct slice){.chunk = last, .from = last_row, .to = last_row + 1};
    return 0;
}

/* The slices of a lane in the time range.  An unordered lane's are whole chunks. */
static int collect(struct build *b, const struct hot_lane *lane, uint32_t rows, struct side *side)
{
    const struct tsfs_hot_snap *snap = b->snap;
    bool ordered = hot_lane_depth(lane) < HOT_LANES - 1;
    uint32_t cap = 0;
    if (ordered && b->ends)
        return collect_ends(b, lane, rows, side);
    const struct hot_chunk *chunk = atomic_load_explicit(&lane->head, memory_order_acquire), *next;
    for (; chunk && chunk->start < rows; chunk = next) {
        next = atomic_load_explicit(&chunk->next, memory_order_acquire);
        uint32_t n = rows - chunk->start < chunk->cap ? rows - chunk->start : chunk->cap;
        struct slice s = {.chunk = chunk, .from = 0, .to = n, .full = n == chunk->cap};
        if (ordered) { /* by the chunks' first times as far as these decide, to leave the others in memory */
            bool more = next && next->start < rows;
            if (hot_chunk_first(chunk) > snap->time_max)
                break;
            if (more && hot_chunk_first(next) <= snap->time_min)
                continue;
            if (hot_chunk_first(chunk) < snap->time_min)
                s.from = row_at_time(chunk, 0, n, snap->time_min);
            if ((!more || hot_chunk_first(next) > snap->time_max) &&
                hot_chunk_time(chunk)[n - 1] > snap->time_max) /* time_max < INT64_MAX here */
                s.to = row_at_time(chunk, s.from, n, snap->time_max + 1);
            if (s.from == s.to)
                continue;
        }
        if (side->n == cap) {
            cap = cap ? cap * 2 : 16;
            struct slice *grown = tsfs_arena_alloc(b->arena, cap * sizeof(*grown));
            if (!grown)
                return -ENOMEM;
            if (side->n)
                memcpy(grown, side->slices, side->n * sizeof(*grown));
            side->slices = grown;
        }
        side->slices[side->n++] = s;
    }
    return 0;
}

/* Rows of an unordered lane's slices in time order. */
static int sort_side(struct build *b, struct side *side)
{
    uint32_t n = 0, total = 0;
    for (uint32_t i = 0; i < side->n; i++)
        total += side->slices[i].to;
    struct ref *refs = tsfs_arena_alloc(b->arena, total * sizeof(*refs));
    if (!refs)
        return -ENOMEM;
    for (uint32_t i = 0; i < side->n; i++) {
        const struct slice *s = &side->slices[i];
        for (uint32_t row = s->from; row < s->to; row++) {
            int64_t t = hot_chunk_time(s->chunk)[row];
            if (t >= b->snap->time_min && t <= b->snap->time_max)
                refs[n++] = (struct ref){t, s->chunk, row, false};
        }
    }
    struct ref *tmp = tsfs_arena_alloc(b->arena, n * sizeof(*tmp));
    uint32_t *bounds = tsfs_arena_alloc(b->arena, ((size_t)n + 2) * sizeof(*bounds));
    if (!tmp || !bounds)
        return -ENOMEM;
    sort_refs(refs, n, tmp, bounds);
    side->n = 0;
    side->refs = refs;
    side->nrefs = n;
    return 0;
}

static bool head_time(const struct side *side, int64_t *t)
{
    if (side->ref_at < side->nrefs) {
        *t = side->refs[side->ref_at].time;
        return true;
    }
    if (side->at == side->n)
        return false;
    const struct slice *s = &side->slices[side->at];
    *t = hot_chunk_time(s->chunk)[s->from];
    return true;
}

static void skip(struct side *side, uint32_t n)
{
    struct slice *s = &side->slices[side->at];
    s->from += n;
    if (s->from == s->to)
        side->at++;
}

/* Moves what a side has of one time to the pending rows. */
static int take_time(struct build *b, struct side *side, int64_t t, bool *same)
{
    int rc = 0;
    if (side->nrefs == 0) {
        const struct slice *s = &side->slices[side->at];
        rc = add_ref(b, t, s->chunk, s->from, *same);
        skip(side, 1);
        *same = true;
    }
    for (; side->ref_at < side->nrefs && side->refs[side->ref_at].time == t && rc == 0; side->ref_at++) {
        const struct ref *ref = &side->refs[side->ref_at];
        rc = add_ref(b, t, ref->chunk, ref->row, *same);
        *same = true;
    }
    return rc;
}

static int merge(struct build *b, struct side *sides)
{
    for (;;) {
        int64_t t, best = INT64_MAX, limit = INT64_MAX;
        unsigned first = HOT_LANES;
        bool alone = true, limited = false;
        for (unsigned i = 0; i < HOT_LANES; i++) {
            if (!head_time(&sides[i], &t))
                continue;
            if (first == HOT_LANES || t < best) {
                limited = first != HOT_LANES;
                limit = best;
                best = t;
                first = i;
                alone = true;
            } else {
                alone = alone && t != best;
                limit = !limited || t < limit ? t : limit;
                limited = true;
            }
        }
        if (first == HOT_LANES)
            return flush(b);
        struct side *side = &sides[first];
        if (alone && side->nrefs == 0) {
            struct slice s = side->slices[side->at];
            if (limited)
                s.to = row_at_time(s.chunk, s.from, s.to, limit);
            uint32_t n = s.to - s.from;
            int rc = 0;
            if (n >= STRETCH || (!limited && b->npending == 0)) {
                rc = flush(b);
                if (!rc)
                    rc = add_slice(b, &s);
            } else {
                for (uint32_t row = s.from; row < s.to && rc == 0; row++)
                    rc = add_ref(b, hot_chunk_time(s.chunk)[row], s.chunk, row, false);
            }
            if (rc)
                return rc;
            skip(side, n);
            continue;
        }
        bool same = false;
        for (unsigned i = first; i < HOT_LANES; i++) {
            if (!head_time(&sides[i], &t) || t != best)
                continue;
            int rc = take_time(b, &sides[i], best, &same);
            if (rc)
                return rc;
        }
    }
}

int tsfs_hot_snap_ends(const struct tsfs_hot_snap *snap, uint32_t i, unsigned ends, struct tsfs_arena *arena,
                       struct tsfs_hot_piece **pieces, uint32_t *npieces)
{
    struct build b = {.snap = snap, .ends = ends, .arena = arena};
    struct side sides[HOT_LANES];
    const struct snap_series *series = &snap->series[snap->order ? snap->order[i] : i];
    uint32_t number = series->lane;
    unsigned used = 0;
    int rc = 0;
    memset(sides, 0, sizeof(sides));
    for (unsigned d = 0; d < HOT_LANES && number != HOT_NONE && rc == 0; d++) {
        const struct hot_lane *lane = hot_lane_at(snap->hot, number);
        uint32_t rows = d == 0                     ? series->rows
                        : series->more == HOT_NONE ? 0
                                                   : snap->more[series->more][d - 1];
        if (rows)
            rc = collect(&b, lane, rows, &sides[d]);
        if (!rc && d == HOT_LANES - 1 && sides[d].n)
            rc = sort_side(&b, &sides[d]);
        used += sides[d].n > 0 || sides[d].nrefs > 0;
        number = series->more == HOT_NONE ? HOT_NONE
                                          : atomic_load_explicit(&lane->next_lane, memory_order_acquire);
    }
    if (!rc && used == 1 && sides[HOT_LANES - 1].nrefs == 0) {
        for (unsigned d = 0; d < HOT_LANES; d++)
            for (uint32_t s = 0; s < sides[d].n && rc == 0; s++)
                rc = add_slice(&b, &sides[d].slices[s]);
    } else if (!rc && used) {
        rc = merge(&b, sides);
    }
    *pieces = b.pieces;
    *npieces = b.n;
    return rc;
}

int tsfs_hot_snap_pieces(const struct tsfs_hot_snap *snap, uint32_t i, struct tsfs_arena *arena,
                         struct tsfs_hot_piece **pieces, uint32_t *npieces)
{
    return tsfs_hot_snap_ends(snap, i, 0, arena, pieces, npieces);
}
