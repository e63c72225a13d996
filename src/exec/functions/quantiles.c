/* Percentiles in bounded memory that do not depend on the order of the values nor on how they were shared
 * out.
 *
 * Every value has a key of 64 bits, which sorts as the numbers do: the bits of a double, turned, or an
 * integer with its sign turned.  Keys whose bits above the lowest `shift` are the same form a stretch of the
 * number line, of which the count, the least and the greatest value are kept.  The shift is the least with
 * which the values lie in no more than STRETCHES stretches: 0 as long as no more values are different, and
 * then the percentiles are exact.  From shift 1 on an integer's bits are those of its sign, power of two and
 * first 56 binary digits, so that stretches are wider where numbers are larger.
 *
 * That makes the set a function of the values alone.  The number of stretches that hold a value does not
 * shrink when values come, nor grow with the shift, and each stretch lies in one of the next shift.  So the
 * shift that part of the values needs is never more than that of all, and counts taken with it add up to
 * those of the larger: in whatever order values and parts come together, the least shift, and with it every
 * count and both ends of every stretch, are the same.  (Sketches that merge neighbours by rank, t-digest and
 * KLL, keep what came first in another way than what came last.)
 *
 * The price is that what is bounded is the value, not its rank.  A percentile lies between the ends of a
 * stretch (or of two that follow one another) in which the true one lies, too, and a stretch is as wide as
 * the digits that were cut off: with m digits left behind the leading one, 2^-m of the value.  Values that
 * lie in k powers of two, those of both signs counted, fill at most k 2^m stretches, so 2^-m is below k /
 * 1024 when STRETCHES is 2048 (numbers below 2^-1022, which have fewer digits, aside).  Within a stretch
 * values are taken as evenly spread from the least to the greatest, which mostly makes the error far smaller
 * than that.
 *
 * A value of count c stands at the ranks of c values; one of weight w likewise, 1/2 from both ends of its
 * weight, or in its middle if it is below 1.  Between the ranks of two values percentiles run straight. */
#include "exec/functions/quantiles.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STRETCHES  2048u
#define FIRST      8u /* stretches that are searched without an index */
#define SIGN       (UINT64_C(1) << 63)
#define POWER_BITS 56 /* where the power of two of an integer's key begins */
#define MOST_SHIFT 63u
#define NONE       UINT32_MAX

struct quantiles_stretch {
    uint64_t min, max; /* keys */
    uint64_t count;
};

uint64_t quantiles_key(double v)
{
    uint64_t bits;
    v += 0.0;
    memcpy(&bits, &v, sizeof(bits));
    return bits >> 63 ? ~bits : bits | SIGN;
}

static double key_double(uint64_t key)
{
    double v;
    uint64_t bits = key >> 63 ? key ^ SIGN : ~key;
    memcpy(&v, &bits, sizeof(v));
    return v;
}

uint64_t quantiles_whole_key(int64_t v)
{
    return (uint64_t)v ^ SIGN;
}

static int64_t key_whole(uint64_t key)
{
    return (int64_t)(key ^ SIGN);
}

/* An integer's key as one of a floating point number. */
static uint64_t floating(uint64_t key)
{
    bool negative = key < SIGN;
    uint64_t size = negative ? SIGN - key : key ^ SIGN, digits = 0;
    if (size > 0) {
        unsigned room = (unsigned)__builtin_clzll(size);
        digits = (uint64_t)(64 - room) << POWER_BITS | size << room << 1 >> (64 - POWER_BITS);
    }
    return negative ? ~(digits | SIGN) : digits | SIGN;
}

static uint64_t stretch_of(const struct quantiles *set, uint64_t key)
{
    return !set->whole || set->shift == 0 ? key >> set->shift : floating(key) >> (set->shift - 1);
}

/* The stretch of that number, or NONE and, if there is an index, the slot that would be its. */
static uint32_t find(const struct quantiles *set, uint64_t number, uint32_t *slot)
{
    if (set->slots == NULL) {
        for (uint32_t i = 0; i < set->n; i++)
            if (stretch_of(set, set->stretches[i].min) == number)
                return i;
        return NONE;
    }
    uint32_t at = (uint32_t)(number * UINT64_C(0x9e3779b97f4a7c15) >> (64 - set->slot_bits));
    for (; set->slots[at] != 0; at = (at + 1) & ((1u << set->slot_bits) - 1)) {
        uint32_t i = set->slots[at] - 1u;
        if (stretch_of(set, set->stretches[i].min) == number)
            return i;
    }
    *slot = at;
    return NONE;
}

static void clear_slots(struct quantiles *set)
{
    if (set->slots != NULL)
        memset(set->slots, 0, sizeof(*set->slots) << set->slot_bits);
}

static int grow(struct tsfs_arena *arena, struct quantiles *set)
{
    uint32_t cap = set->cap == 0 ? FIRST : set->cap * 2;
    /* one more than may stay: it shows that the shift is too small */
    uint32_t room = cap == STRETCHES ? cap + 1 : cap, slot = 0;
    struct quantiles_stretch *stretches = tsfs_arena_alloc(arena, room * sizeof(*stretches));
    struct exact *weights = set->weights == NULL ? NULL : TSFS_NEW_ARRAY(arena, struct exact, room);
    if (stretches == NULL || (set->weights != NULL && weights == NULL))
        return -ENOMEM;
    if (set->n > 0)
        memcpy(stretches, set->stretches, set->n * sizeof(*stretches));
    if (set->n > 0 && weights != NULL)
        memcpy(weights, set->weights, set->n * sizeof(*weights));
    if (cap > FIRST) {
        uint16_t *slots = TSFS_NEW_ARRAY(arena, uint16_t, (size_t)cap * 2);
        if (slots == NULL)
            return -ENOMEM;
        set->slots = slots;
        set->slot_bits = (uint8_t)(__builtin_ctz(cap) + 1);
    }
    set->stretches = stretches;
    set->weights = weights;
    set->cap = cap;
    for (uint32_t i = 0; i < set->n && set->slots != NULL; i++) {
        (void)find(set, stretch_of(set, stretches[i].min), &slot);
        set->slots[slot] = (uint16_t)(i + 1);
    }
    return 0;
}

/* How many stretches there would be; the index is that of these afterwards. */
static uint32_t stretches_with(struct quantiles *set, uint32_t shift)
{
    uint32_t n = 0, slot = 0;
    set->shift = (uint8_t)shift;
    clear_slots(set);
    for (uint32_t i = 0; i < set->n; i++)
        if (find(set, stretch_of(set, set->stretches[i].min), &slot) == NONE) {
            set->slots[slot] = (uint16_t)(i + 1);
            n++;
        }
    return n;
}

static int fold(struct tsfs_arena *arena, struct quantiles *set, uint32_t shift)
{
    uint32_t n = set->n, slot = 0;
    int rc = 0;
    set->shift = (uint8_t)shift;
    set->n = 0;
    clear_slots(set);
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        struct quantiles_stretch from = set->stretches[i];
        uint32_t to = find(set, stretch_of(set, from.min), &slot);
        if (to == NONE) {
            to = set->n++;
            set->stretches[to] = from;
            if (set->weights != NULL)
                set->weights[to] = set->weights[i];
            if (set->slots != NULL)
                set->slots[slot] = (uint16_t)(to + 1);
            continue;
        }
        struct quantiles_stretch *s = &set->stretches[to];
        s->min = from.min < s->min ? from.min : s->min;
        s->max = from.max > s->max ? from.max : s->max;
        s->count += from.count;
        if (set->weights != NULL)
            rc = exact_add_exact(arena, &set->weights[to], &set->weights[i]);
    }
    return rc;
}

/* One stretch too many: the least shift with which there is not.  The first time it is far away mostly, and
 * looked for; later it is one of the next. */
static int coarsen(struct tsfs_arena *arena, struct quantiles *set)
{
    uint32_t too_small = set->shift, enough = too_small + 1, step = 1;
    int rc = 0;
    while (too_small > 0 && rc == 0 && set->n > STRETCHES)
        rc = fold(arena, set, set->shift + 1u);
    if (too_small > 0)
        return rc;
    while (enough < MOST_SHIFT && stretches_with(set, enough) > STRETCHES) {
        too_small = enough;
        step *= 2;
        enough = MOST_SHIFT - too_small < step ? MOST_SHIFT : too_small + step;
    }
    while (enough - too_small > 1) {
        uint32_t middle = (too_small + enough) / 2;
        if (stretches_with(set, middle) > STRETCHES)
            too_small = middle;
        else
            enough = middle;
    }
    return fold(arena, set, enough);
}

/* Values between two keys of one stretch, counted; their weight is the caller's to add to *at. */
static int put(struct tsfs_arena *arena, struct quantiles *set, const struct quantiles_stretch *from,
               uint32_t *at)
{
    uint64_t number = stretch_of(set, from->min);
    uint32_t slot = 0;
    *at = find(set, number, &slot);
    if (*at != NONE) {
        struct quantiles_stretch *s = &set->stretches[*at];
        s->min = from->min < s->min ? from->min : s->min;
        s->max = from->max > s->max ? from->max : s->max;
        s->count += from->count;
        return 0;
    }
    if (set->n == set->cap && set->cap < STRETCHES) {
        int rc = grow(arena, set);
        if (rc != 0)
            return rc;
        (void)find(set, number, &slot);
    }
    *at = set->n++;
    set->stretches[*at] = *from;
    if (set->weights != NULL)
        set->weights[*at] = (struct exact){0};
    if (set->slots != NULL)
        set->slots[slot] = (uint16_t)(*at + 1);
    return 0;
}

static int need_weights(struct tsfs_arena *arena, struct quantiles *set)
{
    if (set->weights == NULL && (set->weights = TSFS_NEW_ARRAY(arena, struct exact, set->cap + 1)) == NULL)
        return -ENOMEM;
    return 0;
}

int quantiles_add(struct tsfs_arena *arena, struct quantiles *set, uint64_t key, double weight)
{
    const struct quantiles_stretch one = {key, key, 1};
    uint32_t at;
    int rc = weight > 0 ? need_weights(arena, set) : 0;
    if (rc == 0)
        rc = put(arena, set, &one, &at);
    if (rc == 0 && weight > 0)
        rc = exact_add_double(arena, &set->weights[at], weight);
    return rc == 0 && set->n > STRETCHES ? coarsen(arena, set) : rc;
}

int quantiles_merge(struct tsfs_arena *arena, struct quantiles *set, const struct quantiles *from)
{
    int rc = from->weights != NULL ? need_weights(arena, set) : 0;
    if (rc == 0 && from->n > 0)
        set->whole = from->whole;
    if (rc == 0 && set->shift < from->shift)
        rc = fold(arena, set, from->shift);
    for (uint32_t i = 0; i < from->n && rc == 0; i++) {
        uint32_t at;
        rc = put(arena, set, &from->stretches[i], &at);
        if (rc == 0 && from->weights != NULL)
            rc = exact_add_exact(arena, &set->weights[at], &from->weights[i]);
        if (rc == 0 && set->n > STRETCHES)
            rc = coarsen(arena, set);
    }
    return rc;
}

/* ---- percentiles ---- */

struct place {
    uint64_t min, max;
    double weight;
};

static int by_place(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    return (x->min > y->min) - (x->min < y->min);
}

static double between(double a, double b, double t)
{
    if (isinf(a) || isinf(b))
        return isinf(a) && (!isinf(b) || t < 0.5) ? a : b;
    return isinf(b - a) ? a * (1 - t) + b * t : a + (b - a) * t;
}

static int64_t whole_between(int64_t a, int64_t b, double t)
{
    long double v = a + ((long double)b - a) * t;
    return v >= b ? b : v <= a ? a : llroundl(v);
}

static void put_between(const struct quantiles *set, uint64_t a, uint64_t b, double t, uint32_t i, void *out)
{
    if (t <= 0 || a == b)
        b = a;
    else if (t >= 1)
        a = b;
    if (set->whole)
        ((int64_t *)out)[i] = a == b ? key_whole(a) : whole_between(key_whole(a), key_whole(b), t);
    else
        ((double *)out)[i] = a == b ? key_double(a) : between(key_double(a), key_double(b), t);
}

static void one_quantile(const struct quantiles *set, const struct place *places, double want, uint32_t i,
                         void *out)
{
    double before = 0, last_at = 0;
    uint64_t last = places[0].min;
    for (uint32_t k = 0; k < set->n; k++) {
        const struct place *place = &places[k];
        double edge = place->weight >= 1 ? 0.5 : place->weight / 2;
        double first = before + edge, end = before + place->weight - edge;
        if (want <= first) {
            put_between(set, last, place->min, (want - last_at) / (first - last_at), i, out);
            return;
        }
        if (want <= end) {
            put_between(set, place->min, place->max, (want - first) / (end - first), i, out);
            return;
        }
        before += place->weight;
        last_at = end;
        last = place->max;
    }
    put_between(set, last, last, 0, i, out);
}

int quantiles_at(struct tsfs_arena *scratch, const struct quantiles *set, const double *p, uint32_t n,
                 void *out)
{
    struct place *places = tsfs_arena_alloc(scratch, set->n * sizeof(*places));
    double total = 0;
    if (places == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < set->n; i++) {
        const struct quantiles_stretch *s = &set->stretches[i];
        double weight = set->weights == NULL ? (double)s->count : exact_double(&set->weights[i]);
        places[i] = (struct place){s->min, s->max, weight};
    }
    qsort(places, set->n, sizeof(*places), by_place);
    for (uint32_t i = 0; i < set->n; i++)
        total += places[i].weight;
    for (uint32_t i = 0; i < n; i++)
        one_quantile(set, places, p[i] * total, i, out);
    return 0;
}
