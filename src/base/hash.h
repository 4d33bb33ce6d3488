/* SHA-256 (FIPS 180-4): names files, weights and golden stages. */
#ifndef RETORT_BASE_HASH_H
#define RETORT_BASE_HASH_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

struct sha256 {
    uint32_t state[8];
    uint64_t bytes;
    uint8_t block[64];
};

enum { SHA256_HEX = 65 }; /* 64 digits and the terminator */

void sha256_init(struct sha256 *hash);
void sha256_add(struct sha256 *hash, const void *data, size_t n);
void sha256_hex(struct sha256 *hash, char hex[SHA256_HEX]); /* finishes; *hash must not be used afterwards */

/* Adds n floats as little-endian words; every NaN counts as one pattern. */
void sha256_add_floats(struct sha256 *hash, const float *values, size_t n);

/* Adds a number as text that keeps every bit. */
void sha256_add_number(struct sha256 *hash, double value);

void sha256_bytes(const void *data, size_t n, char hex[SHA256_HEX]);
enum status sha256_file(const char *path, char hex[SHA256_HEX], struct error *err);

#endif
