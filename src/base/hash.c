#include "base/hash.h"

#include "base/file.h"

#include <stdio.h>
#include <string.h>

static const uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
    0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
    0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
    0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
    0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
    0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
    0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
    0xc67178f2};

static uint32_t rotate(uint32_t x, int n) { return x >> n | x << (32 - n); }

/* A round renames the eight words instead of moving them: word k of round i is s[(k - i) mod 8]. */
static void hash_round(uint32_t s[8], int i, uint32_t constant_and_word)
{
    uint32_t *const h = &s[(7 - i) & 7], *const d = &s[(3 - i) & 7];
    const uint32_t a = s[-i & 7], b = s[(1 - i) & 7], c = s[(2 - i) & 7], e = s[(4 - i) & 7], f = s[(5 - i) & 7],
                   g = s[(6 - i) & 7];
    const uint32_t t = *h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) + constant_and_word;
    *d += t;
    *h = t + (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
}

static void compress(uint32_t state[8], const uint8_t block[64])
{
    uint32_t w[64];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 | (uint32_t)block[4 * i + 2] << 8 |
               block[4 * i + 3];
    for (int i = 16; i < 64; i++) {
        const uint32_t s0 = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
        const uint32_t s1 = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    uint32_t s[8];
    memcpy(s, state, sizeof s);
    for (int i = 0; i < 64; i += 8)
#pragma GCC unroll 8 /* the places of the words are known then */
        for (int k = 0; k < 8; k++) hash_round(s, k, round_constants[i + k] + w[i + k]);
    for (int i = 0; i < 8; i++) state[i] += s[i];
}

void sha256_init(struct sha256 *hash)
{
    *hash = (struct sha256){.state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c,
                                      0x1f83d9ab, 0x5be0cd19}};
}

void sha256_add(struct sha256 *hash, const void *data, size_t n)
{
    const uint8_t *bytes = data;
    while (n) {
        const size_t filled = hash->bytes % 64, room = 64 - filled, take = n < room ? n : room;
        if (take < 64) memcpy(hash->block + filled, bytes, take);
        if (take == room) compress(hash->state, take < 64 ? hash->block : bytes);
        hash->bytes += take;
        bytes += take;
        n -= take;
    }
}

void sha256_hex(struct sha256 *hash, char hex[SHA256_HEX])
{
    const uint64_t bits = hash->bytes * 8;
    uint8_t length[8];
    for (int i = 0; i < 8; i++) length[i] = (uint8_t)(bits >> (56 - 8 * i));
    sha256_add(hash, "\x80", 1);
    while (hash->bytes % 64 != 56) sha256_add(hash, "", 1);
    sha256_add(hash, length, sizeof length);
    for (int i = 0; i < 64; i++) hex[i] = "0123456789abcdef"[hash->state[i / 8] >> (28 - i % 8 * 4) & 15];
    hex[64] = 0;
}

void sha256_add_floats(struct sha256 *hash, const float *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, values + i, sizeof bits);
        if ((bits & 0x7fffffff) > 0x7f800000) bits = 0x7fc00000;
        const uint8_t word[4] = {(uint8_t)bits, (uint8_t)(bits >> 8), (uint8_t)(bits >> 16), (uint8_t)(bits >> 24)};
        sha256_add(hash, word, sizeof word);
    }
}

void sha256_add_number(struct sha256 *hash, double value)
{
    char text[40];
    sha256_add(hash, text, (size_t)snprintf(text, sizeof text, "%a;", value));
}

void sha256_bytes(const void *data, size_t n, char hex[SHA256_HEX])
{
    struct sha256 hash;
    sha256_init(&hash);
    sha256_add(&hash, data, n);
    sha256_hex(&hash, hex);
}

enum status sha256_file(const char *path, char hex[SHA256_HEX], struct error *err)
{
    struct file_view view;
    TRY(file_map(&view, path, err));
    sha256_bytes(view.data, view.size, hex);
    file_unmap(&view);
    return OK;
}
