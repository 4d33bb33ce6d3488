/* The smallest magnitude of a stored value (docs/NUMERICS.md): below it is +0. What is not finite stays. */
#ifndef RETORT_BASE_FLUSH_H
#define RETORT_BASE_FLUSH_H

#include <stddef.h>

#define FLUSH_QUANTUM 0x1p-40f

static inline float flush_float(float x) { return __builtin_fabsf(x) < FLUSH_QUANTUM ? 0.f : x; }

/* Of a value made in double, before its one rounding. */
static inline float flush_double(double x)
{
    return __builtin_fabs(x) < (double)FLUSH_QUANTUM ? 0.f : (float)x;
}

static inline void flush_floats(float *values, size_t n)
{
    for (size_t i = 0; i < n; i++) values[i] = flush_float(values[i]);
}

#endif
