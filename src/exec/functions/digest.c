/* MD5 (RFC 1321), SHA-1, SHA-256 and SHA-512 (FIPS 180-4), CRC-32 (ISO 3309).
 *
 * All four digests cut the text into blocks, the last of which is padded with a one bit, zeros and the text's
 * length in bits; they differ in the block's size, the length's place and byte order, and the function that
 * mixes a block into the state. */
#include "exec/functions/digest.h"

#include <stdbool.h>
#include <string.h>

/* The fractions of the cube roots of the first 80 primes; SHA-256 uses the upper halves. */
static const uint64_t k512[80] = {
    UINT64_C(0x428a2f98d728ae22), UINT64_C(0x7137449123ef65cd), UINT64_C(0xb5c0fbcfec4d3b2f),
    UINT64_C(0xe9b5dba58189dbbc), UINT64_C(0x3956c25bf348b538), UINT64_C(0x59f111f1b605d019),
    UINT64_C(0x923f82a4af194f9b), UINT64_C(0xab1c5ed5da6d8118), UINT64_C(0xd807aa98a3030242),
    UINT64_C(0x12835b0145706fbe), UINT64_C(0x243185be4ee4b28c), UINT64_C(0x550c7dc3d5ffb4e2),
    UINT64_C(0x72be5d74f27b896f), UINT64_C(0x80deb1fe3b1696b1), UINT64_C(0x9bdc06a725c71235),
    UINT64_C(0xc19bf174cf692694), UINT64_C(0xe49b69c19ef14ad2), UINT64_C(0xefbe4786384f25e3),
    UINT64_C(0x0fc19dc68b8cd5b5), UINT64_C(0x240ca1cc77ac9c65), UINT64_C(0x2de92c6f592b0275),
    UINT64_C(0x4a7484aa6ea6e483), UINT64_C(0x5cb0a9dcbd41fbd4), UINT64_C(0x76f988da831153b5),
    UINT64_C(0x983e5152ee66dfab), UINT64_C(0xa831c66d2db43210), UINT64_C(0xb00327c898fb213f),
    UINT64_C(0xbf597fc7beef0ee4), UINT64_C(0xc6e00bf33da88fc2), UINT64_C(0xd5a79147930aa725),
    UINT64_C(0x06ca6351e003826f), UINT64_C(0x142929670a0e6e70), UINT64_C(0x27b70a8546d22ffc),
    UINT64_C(0x2e1b21385c26c926), UINT64_C(0x4d2c6dfc5ac42aed), UINT64_C(0x53380d139d95b3df),
    UINT64_C(0x650a73548baf63de), UINT64_C(0x766a0abb3c77b2a8), UINT64_C(0x81c2c92e47edaee6),
    UINT64_C(0x92722c851482353b), UINT64_C(0xa2bfe8a14cf10364), UINT64_C(0xa81a664bbc423001),
    UINT64_C(0xc24b8b70d0f89791), UINT64_C(0xc76c51a30654be30), UINT64_C(0xd192e819d6ef5218),
    UINT64_C(0xd69906245565a910), UINT64_C(0xf40e35855771202a), UINT64_C(0x106aa07032bbd1b8),
    UINT64_C(0x19a4c116b8d2d0c8), UINT64_C(0x1e376c085141ab53), UINT64_C(0x2748774cdf8eeb99),
    UINT64_C(0x34b0bcb5e19b48a8), UINT64_C(0x391c0cb3c5c95a63), UINT64_C(0x4ed8aa4ae3418acb),
    UINT64_C(0x5b9cca4f7763e373), UINT64_C(0x682e6ff3d6b2b8a3), UINT64_C(0x748f82ee5defb2fc),
    UINT64_C(0x78a5636f43172f60), UINT64_C(0x84c87814a1f0ab72), UINT64_C(0x8cc702081a6439ec),
    UINT64_C(0x90befffa23631e28), UINT64_C(0xa4506cebde82bde9), UINT64_C(0xbef9a3f7b2c67915),
    UINT64_C(0xc67178f2e372532b), UINT64_C(0xca273eceea26619c), UINT64_C(0xd186b8c721c0c207),
    UINT64_C(0xeada7dd6cde0eb1e), UINT64_C(0xf57d4f7fee6ed178), UINT64_C(0x06f067aa72176fba),
    UINT64_C(0x0a637dc5a2c898a6), UINT64_C(0x113f9804bef90dae), UINT64_C(0x1b710b35131c471b),
    UINT64_C(0x28db77f523047d84), UINT64_C(0x32caab7b40c72493), UINT64_C(0x3c9ebe0a15c9bebc),
    UINT64_C(0x431d67c49c100d4c), UINT64_C(0x4cc5d4becb3e42b6), UINT64_C(0x597f299cfc657e2a),
    UINT64_C(0x5fcb6fab3ad6faec), UINT64_C(0x6c44198c4a475817),
};

/* The sines of 1 to 64. */
static const uint32_t kmd5[64] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
};

static uint32_t left(uint32_t x, unsigned n)
{
    return x << n | x >> (32 - n);
}

static uint32_t right32(uint32_t x, unsigned n)
{
    return x >> n | x << (32 - n);
}

static uint64_t right64(uint64_t x, unsigned n)
{
    return x >> n | x << (64 - n);
}

static uint32_t be32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint32_t le32(const unsigned char *p)
{
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

/* 32-bit digests use the first words' lower halves only. */
typedef void (*mix)(uint64_t state[8], const unsigned char *block);

static void over_blocks(struct tsfs_str s, unsigned block, bool little, mix fn, uint64_t state[8])
{
    unsigned char last[256] = {0};
    const unsigned char *p = (const unsigned char *)s.ptr;
    size_t left_over = s.len;
    for (; left_over >= block; left_over -= block, p += block)
        fn(state, p);
    if (left_over > 0)
        memcpy(last, p, left_over);
    last[left_over] = 0x80;
    /* the length has 8 bytes, 16 in blocks of 128, of which 8 are zero here */
    unsigned size = left_over + 1 + block / 8 > block ? 2 * block : block;
    uint64_t bits = (uint64_t)s.len * 8;
    for (unsigned i = 0; i < 8; i++)
        last[size - 8 + i] = (unsigned char)(bits >> (little ? 8 * i : 56 - 8 * i));
    for (unsigned at = 0; at < size; at += block)
        fn(state, last + at);
}

static unsigned put(const uint64_t *state, unsigned words, unsigned width, bool little, unsigned char *out)
{
    for (unsigned i = 0; i < words; i++)
        for (unsigned b = 0; b < width; b++)
            out[i * width + b] = (unsigned char)(state[i] >> 8 * (little ? b : width - 1 - b));
    return words * width;
}

static void mix_md5(uint64_t state[8], const unsigned char *p)
{
    static const uint8_t turns[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
    uint32_t a = (uint32_t)state[0], b = (uint32_t)state[1], c = (uint32_t)state[2], d = (uint32_t)state[3];
    for (unsigned i = 0; i < 64; i++) {
        uint32_t f = i < 16   ? (b & c) | (~b & d)
                     : i < 32 ? (d & b) | (~d & c)
                     : i < 48 ? b ^ c ^ d
                              : c ^ (b | ~d);
        unsigned word = i < 16 ? i : i < 32 ? 5 * i + 1 : i < 48 ? 3 * i + 5 : 7 * i;
        uint32_t sum = a + f + kmd5[i] + le32(p + 4 * (word % 16));
        a = d;
        d = c;
        c = b;
        b += left(sum, turns[i / 16][i % 4]);
    }
    const uint32_t add[4] = {a, b, c, d};
    for (int i = 0; i < 4; i++)
        state[i] = (uint32_t)(state[i] + add[i]);
}

unsigned digest_md5(struct tsfs_str s, unsigned char out[DIGEST_MAX])
{
    uint64_t state[8] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
    over_blocks(s, 64, true, mix_md5, state);
    return put(state, 4, 4, true, out);
}

static void mix_sha1(uint64_t state[8], const unsigned char *p)
{
    static const uint32_t k[4] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
    uint32_t w[80], v[5];
    for (int i = 0; i < 16; i++)
        w[i] = be32(p + 4 * i);
    for (int i = 16; i < 80; i++)
        w[i] = left(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (int i = 0; i < 5; i++)
        v[i] = (uint32_t)state[i];
    for (int i = 0; i < 80; i++) {
        uint32_t f = i < 20              ? (v[1] & v[2]) | (~v[1] & v[3])
                     : i >= 40 && i < 60 ? (v[1] & v[2]) | (v[1] & v[3]) | (v[2] & v[3])
                                         : v[1] ^ v[2] ^ v[3];
        uint32_t sum = left(v[0], 5) + f + v[4] + k[i / 20] + w[i];
        v[4] = v[3];
        v[3] = v[2];
        v[2] = left(v[1], 30);
        v[1] = v[0];
        v[0] = sum;
    }
    for (int i = 0; i < 5; i++)
        state[i] = (uint32_t)(state[i] + v[i]);
}

unsigned digest_sha1(struct tsfs_str s, unsigned char out[DIGEST_MAX])
{
    uint64_t state[8] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    over_blocks(s, 64, false, mix_sha1, state);
    return put(state, 5, 4, false, out);
}

/* SHA-2 is one algorithm in two word sizes: T the word, R its rotation, the numbers of places behind. */
#define MIX_SHA2(NAME, T, R, WORDS, WORD, K, A, B, C, D, E, F, S, U, V, W, X, Y)                             \
    static void NAME(uint64_t state[8], const unsigned char *p)                                              \
    {                                                                                                        \
        T w[WORDS], v[8];                                                                                    \
        for (int i = 0; i < 16; i++)                                                                         \
            w[i] = WORD;                                                                                     \
        for (int i = 16; i < WORDS; i++) {                                                                   \
            T x = w[i - 15], y = w[i - 2];                                                                   \
            w[i] = w[i - 16] + (R(x, S) ^ R(x, U) ^ x >> V) + w[i - 7] + (R(y, W) ^ R(y, X) ^ y >> Y);       \
        }                                                                                                    \
        for (int i = 0; i < 8; i++)                                                                          \
            v[i] = (T)state[i];                                                                              \
        for (int i = 0; i < WORDS; i++) {                                                                    \
            T a = v[0], e = v[4];                                                                            \
            T one = v[7] + (R(e, D) ^ R(e, E) ^ R(e, F)) + ((e & v[5]) ^ (~e & v[6])) + (K) + w[i];          \
            T two = (R(a, A) ^ R(a, B) ^ R(a, C)) + ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));               \
            memmove(v + 1, v, 7 * sizeof(T));                                                                \
            v[4] += one;                                                                                     \
            v[0] = one + two;                                                                                \
        }                                                                                                    \
        for (int i = 0; i < 8; i++)                                                                          \
            state[i] = (T)(state[i] + v[i]);                                                                 \
    }

MIX_SHA2(mix_sha256, uint32_t, right32, 64, be32(p + 4 * i), (uint32_t)(k512[i] >> 32), 2, 13, 22, 6, 11, 25,
         7, 18, 3, 17, 19, 10)
MIX_SHA2(mix_sha512, uint64_t, right64, 80, (uint64_t)be32(p + 8 * i) << 32 | be32(p + 8 * i + 4), k512[i],
         28, 34, 39, 14, 18, 41, 1, 8, 7, 19, 61, 6)

/* The states begin with the fractions of the square roots of the first 8 primes. */
unsigned digest_sha256(struct tsfs_str s, unsigned char out[DIGEST_MAX])
{
    uint64_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                         0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    over_blocks(s, 64, false, mix_sha256, state);
    return put(state, 8, 4, false, out);
}

unsigned digest_sha512(struct tsfs_str s, unsigned char out[DIGEST_MAX])
{
    uint64_t state[8] = {UINT64_C(0x6a09e667f3bcc908), UINT64_C(0xbb67ae8584caa73b),
                         UINT64_C(0x3c6ef372fe94f82b), UINT64_C(0xa54ff53a5f1d36f1),
                         UINT64_C(0x510e527fade682d1), UINT64_C(0x9b05688c2b3e6c1f),
                         UINT64_C(0x1f83d9abfb41bd6b), UINT64_C(0x5be0cd19137e2179)};
    over_blocks(s, 128, false, mix_sha512, state);
    return put(state, 8, 8, false, out);
}

uint32_t digest_crc32(struct tsfs_str s)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < s.len; i++) {
        crc ^= (unsigned char)s.ptr[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0xedb88320 & (0 - (crc & 1)));
    }
    return ~crc;
}
