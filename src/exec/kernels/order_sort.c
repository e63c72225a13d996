/* Sorting by words.
 *
 * Entries carry one word of their keys at a time.  A range of them is dealt out by the highest bits in which
 * its words differ (stably: entries come in the order of arrival, and ties stay in it), and so on until a
 * piece is small enough for a merge sort.  Where words are equal, they are filled anew with what comes next,
 * the following eight bytes of a string or the following key, and the piece is sorted by those: a key is
 * looked up once for each word that is needed of it, in the order of arrival, not once a comparison.
 * Afterwards such a piece gets its first words back.
 *
 * What is large is dealt out by all threads: each counts and then moves a slice of the entries.  The pieces,
 * once small enough for one thread, are tasks of their own.
 *
 * A word of a string is followed by a rank that tells how much of the string it holds, so that "a" and "a\0"
 * differ although their words, filled up with zeros, do not. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "exec/kernels/order.h"

#define PAIR         2u  /* ties that are compared at once */
#define AHEAD        24u /* entries whose keys are asked for before they are needed */
#define RUN          12u /* sorted by insertion */
#define SMALL        24u /* not dealt out any more */
#define DIGIT_BITS   8u  /* at most, by which entries are dealt out at a time */
#define DIGITS       (1u << DIGIT_BITS)
#define LARGE        (96u << 10) /* entries that are worth the work of several threads */
#define SLICE        (32u << 10) /* of them, for one thread at a time */
#define SLICES       128u        /* at most */
#define DEEP         12u         /* ties in ties in ties: from here on keys are compared */
#define POLL_ENTRIES (32u << 10)
#define POLL_RUNS    (RUN << 11) /* where keys are compared */
#define STR_WHOLE    10u         /* rank of a string that goes on behind its word */

/* Which word of the keys a range is sorted by. */
struct level {
    uint32_t key;
    size_t offset; /* into the strings of that key */
};

/* [from, from + n) of the entries, or in_spare of the others; the result belongs to the entries. */
struct piece {
    size_t from, n;
    struct level level;
    bool in_spare;
    struct order_entry words; /* of refilled ones: what they had */
};

struct pieces {
    struct piece *items;
    size_t n, room;
};

struct sorter {
    const struct order_set *set;
    const struct order_run *run;
    struct order_entry *entries, *spare;
    struct pieces large;    /* to be dealt out by all threads */
    struct pieces small;    /* each for one */
    struct pieces refilled; /* what gets its words back, the first one last */
};

static int go_on(const struct sorter *s)
{
    return s->run->go_on == NULL ? 0 : s->run->go_on(s->run->ctx);
}

static inline bool same_words(const struct order_entry *a, const struct order_entry *b)
{
    return a->prefix == b->prefix && a->null_rank == b->null_rank;
}

static inline bool words_less(const struct order_entry *a, const struct order_entry *b)
{
    return a->null_rank != b->null_rank ? a->null_rank < b->null_rank : a->prefix < b->prefix;
}

/* ---- comparing ---- */

/* Whether a comes before b by its words and then the keys from `key` on; key = all of them: by words alone.
 */
static inline bool before(const struct order_set *set, uint32_t key, const struct order_entry *a,
                          const struct order_entry *b)
{
    if (!same_words(a, b) || key == set->nkeys)
        return words_less(a, b);
    return order_compare_from(set, key, a, b) < 0;
}

static int merge(const struct sorter *s, uint32_t key, const struct order_entry *from, size_t mid, size_t n,
                 struct order_entry *to)
{
    size_t a = 0, b = mid, k = 0;
    while (a < mid && b < n) {
        to[k++] = before(s->set, key, &from[b], &from[a]) ? from[b++] : from[a++];
        if (k % POLL_ENTRIES == 0) {
            int rc = go_on(s);
            if (rc != 0)
                return rc;
        }
    }
    memcpy(to + k, from + a, (mid - a) * sizeof(*to));
    memcpy(to + k + (mid - a), from + b, (n - b) * sizeof(*to));
    return 0;
}

/* Entries in a, by words and then the keys from `key` on, stably; b is room for as many. */
static int merge_sort(const struct sorter *s, uint32_t key, struct order_entry *a, struct order_entry *b,
                      size_t n)
{
    struct order_entry *from = a, *to = b;
    int rc = 0;
    for (size_t at = 0; at < n; at += RUN) {
        if (at % POLL_RUNS == POLL_RUNS - RUN && (rc = go_on(s)) != 0)
            return rc;
        size_t end = n - at < RUN ? n : at + RUN;
        for (size_t i = at + 1; i < end; i++) {
            struct order_entry x = a[i];
            size_t j = i;
            for (; j > at && before(s->set, key, &x, &a[j - 1]); j--)
                a[j] = a[j - 1];
            a[j] = x;
        }
    }
    for (size_t width = RUN; width < n && rc == 0; width *= 2) {
        for (size_t i = 0; i < n && rc == 0; i += 2 * width) {
            size_t len = n - i < 2 * width ? n - i : 2 * width;
            if (len <= width || !before(s->set, key, &from[i + width], &from[i + width - 1]))
                memcpy(to + i, from + i, len * sizeof(*to));
            else
                rc = merge(s, key, from + i, width, len, to + i);
        }
        struct order_entry *swap = from;
        from = to;
        to = swap;
    }
    if (rc == 0 && from != a)
        memcpy(a, from, n * sizeof(*a));
    return rc;
}

/* ---- words ---- */

/* Where e's value of a key lies. */
static inline const char *value_of(const struct order_set *set, uint32_t key, const struct order_entry *e)
{
    const struct tsfs_vec *v = &set->batches[e->batch][key];
    return (const char *)((uintptr_t)v->data +
                          (v->constant ? 0u : e->row) * (uintptr_t)tsfs_type_width(v->type));
}

/* Of n entries from e on; a nested key has none. */
static void fill_words(const struct order_set *set, struct level level, struct order_entry *e, size_t n)
{
    const struct order_key *key = &set->keys[level.key];
    for (size_t i = 0; i < n; i++) {
        const struct tsfs_vec *v = &set->batches[e[i].batch][level.key];
        if (level.offset == 0) {
            order_word(key, v, e[i].row, &e[i]);
            continue;
        }
        struct tsfs_str str = v->s[v->constant ? 0 : e[i].row];
        bool whole = str.len > level.offset;
        uint8_t rank = whole ? STR_WHOLE : (uint8_t)(str.len + 9 - level.offset);
        uint64_t word =
            whole ? order_str_word((struct tsfs_str){str.ptr + level.offset, str.len - level.offset}) : 0;
        e[i].null_rank = key->descending ? STR_WHOLE + 1 - rank : rank;
        e[i].prefix = key->descending ? ~word : word;
    }
}

/* What decides between entries whose words of this level are all like e's: false, nothing does; else the
 * level moves on, and *words tells whether it has words, or keys must be compared from level->key on. */
static bool next_level(const struct order_set *set, struct level *level, const struct order_entry *e,
                       bool *words)
{
    enum tsfs_type type = set->batches[e->batch][level->key].type;
    bool more = level->offset == 0 && e->null_rank == 1;
    *words = !(more && tsfs_type_is_nested(type));
    if (!*words)
        return true;
    if (level->offset > 0)
        more = e->null_rank == (set->keys[level->key].descending ? 1 : STR_WHOLE);
    if (more && tsfs_type_is_string(type))
        level->offset += 8;
    else
        *level = (struct level){level->key + 1, 0};
    return level->key < set->nkeys;
}

struct range {
    uint64_t least, most;
    uint8_t least_rank, most_rank;
    bool sorted;
};

static struct range range_of(const struct order_entry *e, size_t n)
{
    struct range r = {e[0].prefix, e[0].prefix, e[0].null_rank, e[0].null_rank, true};
    for (size_t i = 1; i < n; i++) {
        r.least = e[i].prefix < r.least ? e[i].prefix : r.least;
        r.most = e[i].prefix > r.most ? e[i].prefix : r.most;
        r.least_rank = e[i].null_rank < r.least_rank ? e[i].null_rank : r.least_rank;
        r.most_rank = e[i].null_rank > r.most_rank ? e[i].null_rank : r.most_rank;
        r.sorted &= !words_less(&e[i], &e[i - 1]);
    }
    return r;
}

static bool all_same(const struct range *r)
{
    return r->least == r->most && r->least_rank == r->most_rank;
}

/* By what entries of a range are dealt out: their rank, if these differ, or bits of the word. */
struct digit {
    unsigned shift, mask;
    bool rank;
};

static struct digit digit_of(const struct range *r, size_t n)
{
    unsigned bits = 3;
    while (bits < DIGIT_BITS && n >> (bits + 4) > 0)
        bits++;
    if (r->least_rank != r->most_rank)
        return (struct digit){0, DIGITS - 1, true};
    unsigned high = 64 - (unsigned)__builtin_clzll(r->least ^ r->most);
    return (struct digit){high > bits ? high - bits : 0, (1u << bits) - 1, false};
}

static inline unsigned digit(struct digit d, const struct order_entry *e)
{
    return d.rank ? e->null_rank : (unsigned)(e->prefix >> d.shift) & d.mask;
}

/* ---- one thread ---- */

static int sort_piece(const struct sorter *s, struct level level, struct order_entry *a,
                      struct order_entry *b, size_t n, bool into_b, unsigned depth);

/* Entries in a whose words of this level are the same. */
static int sort_tie(const struct sorter *s, struct level level, struct order_entry *a, struct order_entry *b,
                    size_t n, unsigned depth)
{
    struct order_entry first = a[0];
    bool words, refilled = false;
    int rc = 0;
    while (rc == 0 && next_level(s->set, &level, &a[0], &words)) {
        if (!words || n <= PAIR || depth >= DEEP) {
            rc = merge_sort(s, level.key, a, b, n);
            break;
        }
        fill_words(s->set, level, a, n);
        refilled = true;
        struct range r = range_of(a, n);
        if (!all_same(&r)) {
            rc = sort_piece(s, level, a, b, n, false, depth + 1);
            break;
        }
        rc = n >= POLL_ENTRIES ? go_on(s) : 0;
    }
    for (size_t i = 0; i < n && refilled; i++) {
        a[i].prefix = first.prefix;
        a[i].null_rank = first.null_rank;
    }
    return rc;
}

/* Entries in a that are sorted by their words: those that tie. */
static int sort_ties(const struct sorter *s, struct level level, struct order_entry *a, struct order_entry *b,
                     size_t n, unsigned depth)
{
    const struct order_set *set = s->set;
    uint32_t next = level.key + 1 < set->nkeys ? level.key + 1 : level.key;
    size_t asked = 1;
    int rc = 0;
    for (size_t from = 0, to; from < n && rc == 0; from = to) {
        for (to = from + 1; to < n && same_words(&a[from], &a[to]);)
            to++;
        for (; asked < n && asked < to + AHEAD; asked++)
            if (same_words(&a[asked], &a[asked - 1])) {
                __builtin_prefetch(value_of(set, next, &a[asked - 1]));
                __builtin_prefetch(value_of(set, next, &a[asked]));
            }
        if (to > from + 1)
            rc = sort_tie(s, level, a + from, b + from, to - from, depth);
    }
    return rc;
}

/* Entries in a, with b as room; they end up in b, if that is asked for. */
static int sort_piece(const struct sorter *s, struct level level, struct order_entry *a,
                      struct order_entry *b, size_t n, bool into_b, unsigned depth)
{
    struct range r;
    int rc = n >= POLL_ENTRIES ? go_on(s) : 0;
    if (rc != 0 || n == 0)
        return rc;
    if (n > SMALL)
        r = range_of(a, n);
    if (n <= SMALL || r.sorted) {
        if (n <= SMALL)
            rc = merge_sort(s, s->set->nkeys, a, b, n);
        if (into_b)
            memcpy(b, a, n * sizeof(*a));
        return rc != 0 ? rc : sort_ties(s, level, into_b ? b : a, into_b ? a : b, n, depth);
    }
    uint32_t ends[DIGITS] = {0}, sum = 0;
    struct digit d = digit_of(&r, n);
    for (size_t i = 0; i < n; i++)
        ends[digit(d, &a[i])]++;
    for (uint32_t i = 0; i <= d.mask; i++) {
        uint32_t count = ends[i];
        ends[i] = sum;
        sum += count;
    }
    for (size_t i = 0; i < n; i++)
        b[ends[digit(d, &a[i])]++] = a[i];
    for (uint32_t i = 0, from = 0; i <= d.mask && rc == 0; from = ends[i++])
        if (ends[i] > from)
            rc = sort_piece(s, level, b + from, a + from, ends[i] - from, !into_b, depth);
    return rc;
}

static int sort_task(void *ctx, size_t i, unsigned worker)
{
    const struct sorter *s = ctx;
    const struct piece *p = &s->small.items[i];
    struct order_entry *a = s->entries + p->from, *b = s->spare + p->from;
    (void)worker;
    int rc = go_on(s);
    return rc != 0 ? rc
                   : sort_piece(s, p->level, p->in_spare ? b : a, p->in_spare ? a : b, p->n, p->in_spare, 0);
}

/* ---- several ---- */

static int push(struct pieces *list, struct piece piece)
{
    int rc = TSFS_ARRAY_ROOM(list->items, list->n, list->room, 256);
    if (rc == 0)
        list->items[list->n++] = piece;
    return rc;
}

/* A large piece, and slices of it. */
struct deal {
    const struct sorter *s;
    struct order_entry *from, *to; /* the piece's first entry there */
    size_t n, slice;
    struct level level;
    struct digit digit;
    struct range ranges[SLICES];
    uint32_t ends[SLICES][DIGITS]; /* counts, then where the next entry goes */
};

static size_t slices(const struct deal *d)
{
    return (d->n + d->slice - 1) / d->slice;
}

static size_t slice_end(const struct deal *d, size_t i)
{
    return d->n - i * d->slice < d->slice ? d->n : (i + 1) * d->slice;
}

static int range_slice(void *ctx, size_t i, unsigned worker)
{
    struct deal *d = ctx;
    size_t from = i > 0 ? i * d->slice - 1 : 0; /* with the one before, for the order */
    (void)worker;
    d->ranges[i] = range_of(d->from + from, slice_end(d, i) - from);
    return go_on(d->s);
}

static int refill_slice(void *ctx, size_t i, unsigned worker)
{
    struct deal *d = ctx;
    (void)worker;
    fill_words(d->s->set, d->level, d->from + i * d->slice, slice_end(d, i) - i * d->slice);
    return go_on(d->s);
}

static int count_slice(void *ctx, size_t i, unsigned worker)
{
    struct deal *d = ctx;
    uint32_t *counts = d->ends[i];
    (void)worker;
    memset(counts, 0, sizeof(d->ends[i]));
    for (size_t k = i * d->slice, end = slice_end(d, i); k < end; k++)
        counts[digit(d->digit, &d->from[k])]++;
    return go_on(d->s);
}

static int move_slice(void *ctx, size_t i, unsigned worker)
{
    struct deal *d = ctx;
    uint32_t *ends = d->ends[i];
    (void)worker;
    for (size_t k = i * d->slice, end = slice_end(d, i); k < end; k++)
        d->to[ends[digit(d->digit, &d->from[k])]++] = d->from[k];
    return go_on(d->s);
}

static int range_all(struct deal *d, struct range *out)
{
    int rc = tsfs_pool_run(d->s->run->pool, range_slice, d, slices(d));
    if (rc != 0)
        return rc;
    *out = d->ranges[0];
    for (size_t i = 1; i < slices(d); i++) {
        const struct range *r = &d->ranges[i];
        out->least = r->least < out->least ? r->least : out->least;
        out->most = r->most > out->most ? r->most : out->most;
        out->least_rank = r->least_rank < out->least_rank ? r->least_rank : out->least_rank;
        out->most_rank = r->most_rank > out->most_rank ? r->most_rank : out->most_rank;
        out->sorted &= r->sorted;
    }
    return 0;
}

static int push_piece(struct sorter *s, struct piece piece)
{
    return piece.n == 0 ? 0 : push(piece.n >= LARGE ? &s->large : &s->small, piece);
}

/* [from, to) of a piece. */
static struct piece part_of(const struct piece *p, size_t from, size_t to)
{
    struct piece part = *p;
    part.from += from;
    part.n = to - from;
    return part;
}

/* A large piece that is sorted by words: cut where these change. */
static int cut(struct sorter *s, const struct piece *p, const struct order_entry *e)
{
    int rc = 0;
    for (size_t from = 0, to; from < p->n && rc == 0; from = to) {
        size_t tie = to = p->n - from < SLICE ? p->n : from + SLICE;
        while (to < p->n && same_words(&e[to], &e[tie - 1]))
            to++;
        while (to - from >= LARGE && tie > from && same_words(&e[tie - 1], &e[to - 1]))
            tie--;
        if (to - from < LARGE)
            tie = to;
        rc = push_piece(s, part_of(p, from, tie));
        if (rc == 0)
            rc = push_piece(s, part_of(p, tie, to));
    }
    return rc;
}

static int deal_digits(struct sorter *s, struct deal *d, const struct piece *p)
{
    int rc = tsfs_pool_run(s->run->pool, count_slice, d, slices(d));
    uint32_t sum = 0, starts[DIGITS + 1];
    for (unsigned b = 0; b <= d->digit.mask && rc == 0; b++) {
        starts[b] = sum;
        for (size_t i = 0; i < slices(d); i++) {
            uint32_t count = d->ends[i][b];
            d->ends[i][b] = sum;
            sum += count;
        }
        starts[b + 1] = sum;
    }
    if (rc == 0)
        rc = tsfs_pool_run(s->run->pool, move_slice, d, slices(d));
    for (unsigned b = 0; b <= d->digit.mask && rc == 0; b++) {
        struct piece part = part_of(p, starts[b], starts[b + 1]);
        part.in_spare = !p->in_spare;
        rc = push_piece(s, part);
    }
    return rc;
}

/* A large piece becomes several, or one that is sorted by further words. */
static int deal_piece(struct sorter *s, struct deal *d, struct piece p)
{
    struct range r;
    d->n = p.n;
    d->slice = p.n / SLICES >= SLICE ? p.n / SLICES + 1 : SLICE;
    d->from = (p.in_spare ? s->spare : s->entries) + p.from;
    d->to = (p.in_spare ? s->entries : s->spare) + p.from;
    int rc = range_all(d, &r);
    struct piece before_refill = p;
    before_refill.words = d->from[0];
    bool more = true, words = true, refilled = false;
    while (rc == 0 && all_same(&r) && (more = next_level(s->set, &p.level, d->from, &words)) && words) {
        d->level = p.level;
        refilled = true;
        rc = tsfs_pool_run(s->run->pool, refill_slice, d, slices(d));
        if (rc == 0)
            rc = range_all(d, &r);
    }
    if (rc == 0 && refilled)
        rc = push(&s->refilled, before_refill);
    if (rc != 0)
        return rc;
    if (!more) {
        if (p.in_spare)
            memcpy(d->to, d->from, p.n * sizeof(*d->to));
        return 0;
    }
    if (!words)
        return push(&s->small, p); /* one thread compares */
    if (r.sorted)
        return cut(s, &p, d->from);
    d->digit = digit_of(&r, p.n);
    return deal_digits(s, d, &p);
}

static int deal_all(struct sorter *s)
{
    struct deal *d = malloc(sizeof(*d));
    int rc = d == NULL ? -ENOMEM : 0;
    if (d != NULL)
        d->s = s;
    while (rc == 0 && s->large.n > 0)
        rc = deal_piece(s, d, s->large.items[--s->large.n]);
    free(d);
    return rc;
}

static void give_back(const struct sorter *s, const struct piece *p)
{
    for (size_t i = p->from; i < p->from + p->n; i++) {
        s->entries[i].prefix = p->words.prefix;
        s->entries[i].null_rank = p->words.null_rank;
    }
}

int order_sort(const struct order_set *set, struct order_entry *entries, struct order_entry *scratch,
               size_t n, const struct order_run *run)
{
    struct sorter s = {.set = set, .run = run, .entries = entries, .spare = scratch};
    if (n < 2 || set->nkeys == 0)
        return 0;
    if (n < LARGE)
        return sort_piece(&s, (struct level){0, 0}, entries, scratch, n, false, 0);
    if (n > UINT32_MAX)
        return -ENOMEM;
    int rc = push(&s.large, (struct piece){.n = n});
    if (rc == 0)
        rc = deal_all(&s);
    if (rc == 0)
        rc = tsfs_pool_run(run->pool, sort_task, &s, s.small.n);
    for (size_t i = s.refilled.n; i > 0 && rc == 0; i--)
        give_back(&s, &s.refilled.items[i - 1]);
    free(s.large.items);
    free(s.small.items);
    free(s.refilled.items);
    return rc;
}
