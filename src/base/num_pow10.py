#!/usr/bin/env python3
"""Writes num_pow10.c: the powers of ten in 128 bits that num.c and num_format.c multiply by."""

LOW, HIGH = -342, 324  # 10^-342 times 19 digits is below every double; 10^324 is what printing the smallest needs


def entry(k):
    """ceil(10^k * 2^-e) where e makes it exactly 128 bits long."""
    num, den = (10**k, 1) if k >= 0 else (1, 10**-k)
    shift = 127 - (num.bit_length() - den.bit_length())
    for s in (shift, shift + 1):
        value = -(-(num << s) // den) if s >= 0 else -(-num // (den << -s))
        floor = (num << s) // den if s >= 0 else num // (den << -s)
        if floor.bit_length() == 128:
            assert value.bit_length() == 128
            # num.c subtracts one from the inexact ones and relies on no borrow.
            assert 0 <= k <= 55 or value & (2**64 - 1) != 0
            return value
    raise AssertionError(k)


lines = []
for k in range(LOW, HIGH + 1, 2):
    pair = [entry(i) for i in (k, k + 1) if i <= HIGH]
    lines.append("    " + " ".join("{0x%016x, 0x%016x}," % (v >> 64, v & (2**64 - 1)) for v in pair))
print("/* Written by num_pow10.py. */")
print('#include "base/num_priv.h"')
print()
print("/* clang-format off */")
print("const struct num_pow10 num_pow10_table[NUM_POW10_MAX - NUM_POW10_MIN + 1] = {")
print("\n".join(lines))
print("};")
