/* Functions of single floats: exp, log, erf, tanh, sigmoid, the activations and their derivatives. */
#include "golden.h"

#include <stdio.h>

enum { POINTS = 4099 }; /* no multiple of any vector */

static void activations(struct golden *golden, const float *x, const float *dy)
{
    static const char *const names[] = {"none", "silu", "relu", "relu6", "gelu", "sigmoid"};
    static float y[POINTS];
    for (int a = ACT_NONE; a <= ACT_SIGMOID; a++) {
        char stage[64];
        golden->kernels->activate(y, POINTS, x, POINTS, 1, POINTS, (enum activation)a);
        snprintf(stage, sizeof stage, "math.%s", names[a]);
        golden_emit(golden, stage, y, POINTS);
        golden->kernels->activate_backward(y, POINTS, dy, POINTS, x, POINTS, 1, POINTS, (enum activation)a);
        snprintf(stage, sizeof stage, "math.%s-backward", names[a]);
        golden_emit(golden, stage, y, POINTS);
    }
}

void golden_math(struct golden *golden)
{
    const struct kernels *const k = golden->kernels;
    static float x[POINTS], y[POINTS], dy[POINTS];

    golden_uniform(x, "math.wide", POINTS, 128);
    k->exp(y, x, POINTS);
    golden_emit(golden, "math.exp", y, POINTS);
    k->log(y, y, POINTS);
    golden_emit(golden, "math.log", y, POINTS);

    golden_uniform(x, "math.near", POINTS, 16);
    golden_uniform(dy, "math.dy", POINTS, 2);
    for (int i = 0; i < POINTS; i += 7) x[i] *= 0x1p-10f; /* around zero */
    k->erf(y, x, POINTS);
    golden_emit(golden, "math.erf", y, POINTS);
    k->tanh(y, x, POINTS);
    golden_emit(golden, "math.tanh", y, POINTS);
    k->sigmoid(y, x, POINTS);
    golden_emit(golden, "math.sigmoid-array", y, POINTS);
    activations(golden, x, dy);
}
