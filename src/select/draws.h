/* Random reals as the rules take them: draw number index, in [0, 1), without the ones before it.
 *
 * The programs draw from a named stream (draws_of_key); tests inject their own. */
#ifndef RETORT_SELECT_DRAWS_H
#define RETORT_SELECT_DRAWS_H

#include <stdint.h>

struct draws {
    double (*at)(const void *context, int64_t index);
    const void *context;
};

/* Draws of rng_real(*key, index); *key must outlive them. */
struct draws draws_of_key(const uint64_t *key);

static inline double draws_at(struct draws draws, int64_t index) { return draws.at(draws.context, index); }

#endif
