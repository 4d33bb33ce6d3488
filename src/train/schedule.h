/* Which optimiser, what learning rate, and when a step is due [YOLO11, D-SBAD].
 *
 * Iteration = one mini-batch. Gradients add up over `accumulate` iterations before the optimiser steps. */
#ifndef RETORT_TRAIN_SCHEDULE_H
#define RETORT_TRAIN_SCHEDULE_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

enum optimizer { OPTIMIZER_AUTO, OPTIMIZER_ADAMW, OPTIMIZER_SGD, OPTIMIZER_ADAM };

struct schedule_options {
    int images, batch, epochs, classes; /* >= 1 */
    int nominal_batch;                  /* gradients are summed to about so many images */
    enum optimizer optimizer;
    double rate;         /* start value; the automatic rule has its own */
    double momentum;     /* SGD */
    double weight_decay; /* of convolution weights, at the nominal batch */
    double final_factor; /* rate of the last epoch's end, as a share of the first */
    double warmup_epochs;
    int warmup_floor;        /* least number of warm-up iterations */
    double warmup_bias_rate; /* start of the bias group's ramp; 0 under the automatic rule */
    double warmup_momentum;  /* start of SGD's momentum ramp */
    int plain_epochs;        /* epochs at the end without mosaic */
};

/* Everything but images, batch, epochs and classes. */
static const struct schedule_options SCHEDULE_DEFAULTS = {
    .nominal_batch = 64,
    .optimizer = OPTIMIZER_AUTO,
    .rate = 0.01,
    .momentum = 0.937,
    .weight_decay = 0.0005,
    .final_factor = 0.01,
    .warmup_epochs = 3,
    .warmup_floor = 0,
    .warmup_bias_rate = 0.1,
    .warmup_momentum = 0.8,
    .plain_epochs = 10,
};

struct schedule {
    enum optimizer optimizer; /* never AUTO */
    int epochs, batches;      /* iterations per epoch */
    int accumulate;           /* after warm-up */
    int64_t warmup;           /* iterations */
    double rate, bias_start, momentum, momentum_start, weight_decay, final_factor;
    int plain_from; /* first epoch (from 0) without mosaic */
};

/* ERR_USAGE when the automatic rule does not cover this much training. */
enum status schedule_make(struct schedule *schedule, const struct schedule_options *options,
                          struct error *err);

/* What a checkpoint keeps. Start with SCHEDULE_START. */
struct schedule_state {
    int64_t last;  /* iteration of the last optimiser step */
    int64_t steps; /* optimiser steps so far */
};
static const struct schedule_state SCHEDULE_START = {-1, 0};

struct schedule_step {
    double rate, bias_rate; /* of the weight and norm groups; of the bias group */
    double momentum;        /* SGD */
    int accumulate;
    bool due; /* the optimiser steps after this mini-batch; *state counts it already */
};

/* Mini-batch i of an epoch, both from 0, in ascending order without gaps. */
struct schedule_step schedule_next(const struct schedule *schedule, struct schedule_state *state, int epoch,
                                   int i);

/* Decay of the weight average at its step number `step` (from 1). */
double schedule_average_decay(int64_t step);

#endif
