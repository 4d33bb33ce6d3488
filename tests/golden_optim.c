/* Optimiser steps over flat arrays, with and without a mask. */
#include "golden.h"

enum { PARAMETERS = 1003, STEPS = 5 };

static float w[PARAMETERS], m[PARAMETERS], v[PARAMETERS], u[PARAMETERS], g[PARAMETERS];
static uint8_t mask[PARAMETERS];

static void start(struct golden *golden)
{
    golden_uniform(w, "optim.w", PARAMETERS, 0.5f);
    golden->kernels->fill(m, PARAMETERS, 0.f, 1, PARAMETERS);
    golden->kernels->fill(v, PARAMETERS, 0.f, 1, PARAMETERS);
    for (int i = 0; i < PARAMETERS; i++) mask[i] = i % 3 == 0;
}

/* Gradients from large to the smallest that the optimiser sees. */
static void gradients(int step)
{
    static const char *const names[STEPS] = {"optim.g0", "optim.g1", "optim.g2", "optim.g3", "optim.g4"};
    static const float scales[STEPS] = {8, 1, 0x1p-8f, 0x1p-20f, 0x1p-30f};
    golden_uniform(g, names[step], PARAMETERS, scales[step]);
}

void golden_optim(struct golden *golden)
{
    const struct kernels *const k = golden->kernels;
    start(golden);
    for (int s = 0; s < STEPS; s++) {
        gradients(s);
        k->adam(w, m, v, u, g, s & 1 ? mask : NULL,
                (struct adam_step){0.9f, 0.999f, 0.1f, 0.001f, 0.01f, 0x1p-27f}, PARAMETERS);
    }
    golden_emit(golden, "optim.adam", w, PARAMETERS);
    golden_emit(golden, "optim.adam-update", u, PARAMETERS);
    start(golden);
    for (int s = 0; s < STEPS; s++) {
        gradients(s);
        k->adamw(w, m, v, g, s & 1 ? mask : NULL,
                 (struct adamw_step){0.9f, 0.999f, 0.1f, 0.001f, 0.01f, 0.25f, 0x1p-27f, 0.0005f},
                 PARAMETERS);
    }
    golden_emit(golden, "optim.adamw", w, PARAMETERS);
    start(golden);
    for (int s = 0; s < STEPS; s++) {
        gradients(s);
        k->sgd(w, m, g, s & 1 ? mask : NULL, 0.01f, 0.937f, 0.0005f, s != 2, PARAMETERS);
        k->ema(v, w, 0.125f, PARAMETERS);
    }
    golden_emit(golden, "optim.sgd", w, PARAMETERS);
    golden_emit(golden, "optim.ema", v, PARAMETERS);
}
