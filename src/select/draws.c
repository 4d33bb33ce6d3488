#include "select/draws.h"

#include "base/rng.h"

static double real_of_key(const void *context, int64_t index)
{
    return rng_real(*(const uint64_t *)context, (uint64_t)index);
}

struct draws draws_of_key(const uint64_t *key) { return (struct draws){real_of_key, key}; }
