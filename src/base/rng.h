/* Counter-based random numbers: SplitMix64 keyed by FNV-1a names.
 *
 * A draw is a pure function of (seed, stream name, step, index), so threads and order cannot matter and any draw can
 * be made without the ones before it. Reals are 53-bit and exact; integers come from one correctly rounded product. */
#ifndef RETORT_BASE_RNG_H
#define RETORT_BASE_RNG_H

#include <stdint.h>

uint64_t rng_mix(uint64_t z);                         /* the SplitMix64 finaliser */
uint64_t rng_fnv1a(const char *name);                 /* 64-bit FNV-1a of the characters of name */
uint64_t rng_key(uint64_t seed, const char *stream);  /* key of a named stream */
uint64_t rng_step(uint64_t key, uint64_t step);       /* key of one step of a stream */
uint64_t rng_u64(uint64_t key, uint64_t index);       /* output number index (from 0) */
double rng_real(uint64_t key, uint64_t index);        /* in [0, 1) */
int rng_int(uint64_t key, uint64_t index, int n);     /* in [0, n), n >= 1 */
int rng_int_of(double u, int n);                      /* the same from a real that was drawn elsewhere */

/* Draws for consumers that take them in sequence; start = {key, 0}. */
struct rng {
    uint64_t key, next;
};
double rng_next_real(struct rng *rng);
double rng_uniform(struct rng *rng, double low, double high); /* low + (high - low) * real */
int rng_next_int(struct rng *rng, int n);

/* The first k positions of a Fisher-Yates shuffle of 0..n-1 from the front, into picks[0..k), using draws
 * rng->next.. ; order[] is scratch for n integers. */
void rng_choose(struct rng *rng, int n, int k, int *picks, int *order);

#endif
