/* Double-precision functions over their whole ranges. */
#include "golden.h"

#include "base/dmath.h"
#include "base/rng.h"

enum { POINTS = 4096 };

void golden_dmath(struct golden *golden)
{
    static double u[POINTS], y[POINTS];
    const uint64_t key = rng_key(0, "dmath");
    for (int i = 0; i < POINTS; i++) u[i] = 2 * rng_real(key, (uint64_t)i) - 1;

#define STAGE(name, expression)                                                                              \
    do {                                                                                                     \
        for (int i = 0; i < POINTS; i++) y[i] = (expression);                                                \
        golden_emit_bytes(golden, "dmath." name, y, sizeof y);                                               \
    } while (0)
    STAGE("exp", dmath_exp(700 * u[i]));
    STAGE("exp-small", dmath_exp(u[i]));
    STAGE("log", dmath_log(dmath_exp(700 * u[i])));
    STAGE("atan", dmath_atan(u[i] / (1.0000001 - u[i] * u[i])));
    STAGE("pow", dmath_pow(1 + 0.9 * u[i], 40 * u[POINTS - 1 - i]));
    STAGE("cos", dmath_cos(1e4 * u[i]));
#undef STAGE
}
