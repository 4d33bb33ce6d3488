#include "base/rng.h"

#include <assert.h>

#define GOLDEN 0x9E3779B97F4A7C15u

uint64_t rng_mix(uint64_t z)
{
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

uint64_t rng_fnv1a(const char *name)
{
    uint64_t h = 0xCBF29CE484222325u;
    for (; *name; name++) h = (h ^ (unsigned char)*name) * 0x100000001B3u;
    return h;
}

uint64_t rng_key(uint64_t seed, const char *stream) { return rng_mix((seed ^ rng_fnv1a(stream)) + GOLDEN); }
uint64_t rng_step(uint64_t key, uint64_t step) { return rng_mix(key + (step + 1) * GOLDEN); }
uint64_t rng_u64(uint64_t key, uint64_t index) { return rng_mix(key + (index + 1) * GOLDEN); }
double rng_real(uint64_t key, uint64_t index) { return (double)(rng_u64(key, index) >> 11) * 0x1p-53; }

int rng_int_of(double u, int n)
{
    assert(n >= 1);
    return (int)(u * n);
}

int rng_int(uint64_t key, uint64_t index, int n) { return rng_int_of(rng_real(key, index), n); }

double rng_next_real(struct rng *rng) { return rng_real(rng->key, rng->next++); }
double rng_uniform(struct rng *rng, double low, double high) { return low + (high - low) * rng_next_real(rng); }
int rng_next_int(struct rng *rng, int n) { return rng_int_of(rng_next_real(rng), n); }

void rng_choose(struct rng *rng, int n, int k, int *picks, int *order)
{
    assert(k >= 0 && k <= n);
    for (int i = 0; i < n; i++) order[i] = i;
    for (int j = 0; j < k; j++) {
        const int other = j + rng_next_int(rng, n - j);
        picks[j] = order[other];
        order[other] = order[j];
        order[j] = picks[j];
    }
}
