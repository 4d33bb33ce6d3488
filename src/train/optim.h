/* Optimiser steps over flat arrays: AdamW, SGD with momentum, masked Adam, weight averaging, gradient norm
 * [YOLO11, AMS].
 *
 * Weights, gradients and moments share one flat layout, described by a table of tensors in ascending order of
 * offset. Constants are made in double and rounded once; the elementwise work is the kernels'. Tensors that
 * are not trainable are left alone. With a mask (a byte a coordinate, 0 or 1) the moments of all coordinates
 * move but only masked weights do: the others keep their bits, weight decay and averaging included. */
#ifndef RETORT_TRAIN_OPTIM_H
#define RETORT_TRAIN_OPTIM_H

#include "base/status.h"
#include "kernels/kernels.h"

#include <stdbool.h>

enum optim_group { OPTIM_WEIGHT, OPTIM_NORM, OPTIM_BIAS }; /* only OPTIM_WEIGHT decays */

/* "bias" anywhere in the name: bias. A batch norm's weight: norm. The rest: weight. */
enum optim_group optim_group_of(const char *name);

struct optim_tensor {
    const char *name;
    size_t offset, size; /* in the flat arrays, in floats */
    enum optim_group group;
    bool trainable, fresh; /* struct param */
};

/* The flat layout and what works on it. */
struct optim {
    const struct kernels *kernels;
    const struct optim_tensor *tensors;
    int count, threads;
};

/* Adam's memory of time; a checkpoint keeps it. Start with OPTIM_CLOCK_START. */
struct optim_clock {
    int64_t step;
    double power1, power2; /* beta^step, as running products */
};
static const struct optim_clock OPTIM_CLOCK_START = {0, 1, 1};

struct optim_arrays {
    float *w, *m, *v; /* v is NULL for SGD */
    float *u;         /* masked Adam: the step of every coordinate, masked or not */
    const float *g;
    const uint8_t *mask; /* NULL: all */
};

/* Rates of the three groups (index enum optim_group). */
struct optim_rates {
    double rate[3], weight_decay;
    double epsilon; /* AdamW's; 0: OPTIM_EPSILON */
};
#define OPTIM_EPSILON 1e-8

/* Advances *clock by one and applies the step. AdamW with betas 0.9 and 0.999. */
void optim_adamw(const struct optim *optim, const struct optim_arrays *arrays, struct optim_clock *clock,
                 const struct optim_rates *rates);

/* Adam with OPTIM_EPSILON outside the uncorrected root, one rate for all groups, no decay. With a mask of
 * zeros only the moments move: the moment warm-up of [AMS]. */
void optim_adam(const struct optim *optim, const struct optim_arrays *arrays, struct optim_clock *clock,
                double rate);

/* The constants of the step that follows the clock's, which is advanced. */
struct adam_step optim_adam_constants(struct optim_clock *clock, double rate);

void optim_sgd(const struct optim *optim, const struct optim_arrays *arrays, const struct optim_rates *rates,
               double momentum, bool nesterov);

/* Euclidean norm of all trainable gradients: per tensor 16 lanes in double, then tensors in order.
 * sums[count] is scratch. ERR_CHECK names the first tensor with a value that is not finite. */
enum status optim_norm(double *norm, const struct optim *optim, const float *g, double *sums,
                       struct error *err);

/* The factor that brings a norm to at most limit: min(limit / (norm + 1e-6), 1). */
double optim_clip_factor(double norm, double limit);

/* g = g * factor, rounded to float; magnitudes below 2^-58 become 0 so that no square underflows;
 * values that are not finite stay so. */
void optim_scale(const struct optim *optim, float *g, double factor);

/* Makes a gradient that was multiplied by `scale` ready for a step: divides it again and brings its norm to at most
 * `clip`; 0: no limit. *norm, or NULL, gets the norm before that. sums and ERR_CHECK as in optim_norm. */
enum status optim_prepare(double *norm, const struct optim *optim, float *g, double scale, double clip,
                          double *sums, struct error *err);

/* n gradients to 0, by all threads. */
void optim_zero(const struct optim *optim, float *g, size_t n);

/* average += (1 - decay) * (w - average); where mask is 0 average = w. n floats; running statistics take no
 * mask. */
void optim_average(const struct optim *optim, float *average, const float *w, const uint8_t *mask,
                   double decay, size_t n);

#endif
