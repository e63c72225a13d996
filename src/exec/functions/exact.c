/* Sums whose result does not depend on the order of additions, because nothing is lost in any of them.
 *
 * A finite double is a whole number of 53 bits times a power of two.  The sum is kept as a whole number in
 * two's complement, of as many limbs of 64 bits as lie between the smallest and the largest bit that was ever
 * added; those of doubles span 34 at most, most data two or three.  Above the highest limb that a summand
 * reaches there is always one more, which takes the carries of 2^62 additions, so that none of them has to
 * look for overflow.  Products of doubles are whole numbers of more limbs and are added likewise.
 *
 * Rounding happens once, when the sum is asked for: to nearest, ties to even. */
#include "exec/functions/exact.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define LIMB_BITS  64
#define FRAC_BITS  52
#define EXP_BIAS   1075 /* of a double whose digits are a whole number */
#define GROW_LIMBS 2u   /* that are added at either end when a limb is missing */

struct exact_parts exact_parts_of(double d)
{
    uint64_t bits;
    memcpy(&bits, &d, sizeof(bits));
    int e = (int)(bits >> FRAC_BITS & 0x7ff);
    uint64_t whole = bits & ((UINT64_C(1) << FRAC_BITS) - 1);
    return (struct exact_parts){.whole = e == 0 ? whole : whole | UINT64_C(1) << FRAC_BITS,
                                .exp = (e == 0 ? 1 : e) - EXP_BIAS,
                                .negative = bits >> 63};
}

/* Makes limbs [from, to) of the number line part of the sum. */
static int cover(struct tsfs_arena *arena, struct exact *sum, int32_t from, int32_t to)
{
    if (sum->n > 0 && from >= sum->low && to <= sum->low + (int32_t)sum->n)
        return 0;
    if (sum->n > 0) {
        int32_t high = sum->low + (int32_t)sum->n;
        from = from < sum->low ? from - (int32_t)GROW_LIMBS : sum->low;
        to = to > high ? to + (int32_t)GROW_LIMBS : high;
    }
    uint32_t n = (uint32_t)(to - from), below = sum->n > 0 ? (uint32_t)(sum->low - from) : 0;
    uint64_t *limbs = tsfs_arena_alloc(arena, n * sizeof(*limbs));
    if (limbs == NULL)
        return -ENOMEM;
    memset(limbs, 0, n * sizeof(*limbs));
    if (sum->n > 0) {
        bool negative = sum->limbs[sum->n - 1] >> (LIMB_BITS - 1);
        memcpy(limbs + below, sum->limbs, sum->n * sizeof(*limbs));
        memset(limbs + below + sum->n, negative ? 0xff : 0, (n - below - sum->n) * sizeof(*limbs));
    }
    sum->limbs = limbs;
    sum->low = from;
    sum->n = n;
    return 0;
}

int exact_add(struct tsfs_arena *arena, struct exact *sum, const uint64_t *limbs, uint32_t n, int64_t exp,
              bool negative)
{
    while (n > 0 && limbs[n - 1] == 0)
        n--;
    if (n == 0)
        return 0;
    int32_t at = (int32_t)(exp >> 6);
    unsigned shift = (unsigned)exp & (LIMB_BITS - 1);
    int rc = cover(arena, sum, at, at + (int32_t)n + 2);
    if (rc != 0)
        return rc;
    uint32_t i = (uint32_t)(at - sum->low);
    uint64_t carry = 0, last = 0;
    for (uint32_t k = 0; k <= n || (carry != 0 && i < sum->n); k++, i++) {
        uint64_t limb = k < n ? limbs[k] : 0, add = shift > 0 ? last >> (LIMB_BITS - shift) : 0;
        add |= limb << shift;
        last = limb;
        uint64_t was = sum->limbs[i], now = negative ? was - add : was + add;
        uint64_t over = negative ? was < add : now < add;
        uint64_t then = negative ? now - carry : now + carry;
        over |= negative ? now < carry : then < carry;
        sum->limbs[i] = then;
        carry = over;
    }
    return 0;
}

int exact_add_double(struct tsfs_arena *arena, struct exact *sum, double finite)
{
    struct exact_parts d = exact_parts_of(finite);
    return exact_add(arena, sum, &d.whole, 1, d.exp, d.negative);
}

int exact_add_big(struct tsfs_arena *arena, struct exact *sum, const struct exact_big *other, bool negative)
{
    return exact_add(arena, sum, other->limbs, other->n, (int64_t)other->low * LIMB_BITS,
                     other->negative != negative);
}

int exact_add_exact(struct tsfs_arena *arena, struct exact *sum, const struct exact *other)
{
    if (other->n == 0)
        return 0;
    int rc = cover(arena, sum, other->low, other->low + (int32_t)other->n);
    if (rc != 0)
        return rc;
    bool negative = other->limbs[other->n - 1] >> (LIMB_BITS - 1);
    uint32_t at = (uint32_t)(other->low - sum->low);
    uint64_t carry = 0;
    for (uint32_t i = at; i < sum->n; i++) {
        uint64_t add = i - at < other->n ? other->limbs[i - at] : negative ? UINT64_MAX : 0;
        uint64_t now = sum->limbs[i] + add, then = now + carry;
        carry = (now < add) | (then < carry);
        sum->limbs[i] = then;
    }
    return 0;
}

/* Limb i of the magnitude; zeros: how many limbs from below are 0. */
static inline uint64_t magnitude(const struct exact *sum, uint32_t zeros, bool negative, uint32_t i)
{
    if (!negative)
        return sum->limbs[i];
    return i < zeros ? 0 : i == zeros ? 0 - sum->limbs[i] : ~sum->limbs[i];
}

static uint32_t low_zeros(const struct exact *sum)
{
    uint32_t zeros = 0;
    while (zeros < sum->n && sum->limbs[zeros] == 0)
        zeros++;
    return zeros;
}

int exact_big_of(struct tsfs_arena *arena, const struct exact *sum, struct exact_big *out)
{
    uint32_t zeros = low_zeros(sum);
    *out = (struct exact_big){.low = sum->low + (int32_t)zeros, .n = sum->n - zeros};
    if (out->n == 0)
        return 0;
    out->negative = sum->limbs[sum->n - 1] >> (LIMB_BITS - 1);
    out->limbs = tsfs_arena_alloc(arena, out->n * sizeof(*out->limbs));
    if (out->limbs == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < out->n; i++)
        out->limbs[i] = magnitude(sum, zeros, out->negative, zeros + i);
    while (out->limbs[out->n - 1] == 0)
        out->n--;
    return 0;
}

void exact_big_into(const struct exact_big *a, const struct exact_big *b, struct exact_big *out)
{
    out->low = a->low + b->low;
    out->negative = a->negative != b->negative;
    out->n = a->n > 0 && b->n > 0 ? a->n + b->n : 0;
    if (out->n > 0)
        memset(out->limbs, 0, out->n * sizeof(*out->limbs));
    for (uint32_t i = 0; i < a->n && b->n > 0; i++) {
        uint64_t carry = 0;
        for (uint32_t k = 0; k < b->n; k++) {
            __extension__ unsigned __int128 t = (unsigned __int128)a->limbs[i] * b->limbs[k];
            t += out->limbs[i + k];
            t += carry;
            out->limbs[i + k] = (uint64_t)t;
            carry = (uint64_t)(t >> LIMB_BITS);
        }
        out->limbs[i + b->n] = carry;
    }
    while (out->n > 0 && out->limbs[out->n - 1] == 0)
        out->n--;
}

int exact_big_multiply(struct tsfs_arena *arena, const struct exact_big *a, const struct exact_big *b,
                       struct exact_big *out)
{
    struct exact_big product = {.limbs = tsfs_arena_alloc(arena, (a->n + b->n) * sizeof(uint64_t))};
    if (product.limbs == NULL)
        return -ENOMEM;
    exact_big_into(a, b, &product);
    *out = product;
    return 0;
}

double exact_frexp(const struct exact *sum, int64_t *exp)
{
    uint32_t zeros = low_zeros(sum), top = sum->n;
    *exp = 0;
    if (zeros == sum->n)
        return 0;
    bool negative = sum->limbs[sum->n - 1] >> (LIMB_BITS - 1);
    while (magnitude(sum, zeros, negative, top - 1) == 0)
        top--;
    /* the 64 bits from the highest one on, and whether there is anything below them */
    uint64_t bits = magnitude(sum, zeros, negative, top - 1), below = 0;
    unsigned room = (unsigned)__builtin_clzll(bits);
    if (top >= 2)
        below = magnitude(sum, zeros, negative, top - 2);
    if (room > 0) {
        bits = bits << room | below >> (LIMB_BITS - room);
        below <<= room;
    }
    bool more = below != 0 || (top >= 2 && zeros < top - 2);
    *exp = ((int64_t)sum->low + top) * LIMB_BITS - room;
    const unsigned cut = LIMB_BITS - FRAC_BITS - 1;
    uint64_t rest = bits & ((UINT64_C(1) << cut) - 1), half = UINT64_C(1) << (cut - 1), kept = bits >> cut;
    if (rest > half || (rest == half && (more || (kept & 1))))
        kept++;
    double digits = ldexp((double)kept, -(FRAC_BITS + 1));
    return negative ? -digits : digits;
}

double exact_scale(double digits, int64_t exp)
{
    return ldexp(digits, exp > 100000 ? 100000 : exp < -100000 ? -100000 : (int)exp);
}

double exact_double(const struct exact *sum)
{
    int64_t exp;
    double digits = exact_frexp(sum, &exp);
    return exact_scale(digits, exp);
}
