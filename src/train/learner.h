/* The student while it learns: network, gradients, moments, weight average and mask.
 *
 * One optimiser step is: learner_gradient for each mini-batch that it accumulates, then learner_step.
 * Gradients of the loss are multiplied by 2^32 where backward starts, which keeps small ones above the flush
 * threshold, and divided again before the step; magnitudes below 2^-58 become 0 there (docs/NUMERICS.md). */
#ifndef RETORT_TRAIN_LEARNER_H
#define RETORT_TRAIN_LEARNER_H

#include "detect/model.h"
#include "train/loss_detect.h"
#include "train/mask.h"
#include "train/optim.h"
#include "train/schedule.h"

struct learner_options {
    int batch, size, threads;
    int pictures; /* of an epoch: its smaller last mini-batch has a network of its own; 0: there is none */
    int part; /* images that go through the network at a time: a power of two, with frozen_norm only; 0, or
                 batch and more: all. The same bits, in less memory and about a third more time */
    int max_targets; /* boxes in one mini-batch, at most */
    bool frozen_norm;
    enum net_plan plan;
    double clip; /* largest gradient norm; 0: none */
    enum optimizer optimizer;
    size_t memory_limit; /* bytes, of all that learner_check_memory counts; 0: none. Within it and pages_spare() whole
                            mini-batches keep values rather than make them again: the same bits, sooner */
};

/* The network planned for one number of images. */
struct learner_net {
    int batch;
    bool packed; /* whole since learning began: frozen layers need not be again */
    struct graph graph;
    struct yolo11 network;
    struct net net;
};

/* Of mini-batches in parts (learner_parts.h). */
struct learner_parts {
    float *input;                  /* of the whole mini-batch */
    struct head values, gradients; /* its raw outputs and their gradients */
    float *row, *stack;            /* a part's gradient, and the tree of them: stack row 0 is the sum */
    size_t *sum_offset, sum_count; /* per parameter; those with one dimension */
    double *sum_row, *sum_stack;   /* the same for sums that are rounded once */
};

struct learner {
    struct arena arena;
    struct learner_options options;
    const struct kernels *kernels;
    struct model *model;           /* the weights that move */
    struct model average;          /* their moving average, statistics included */
    struct learner_net full, rest; /* whole mini-batches or parts; smaller last ones */
    size_t rest_bytes;             /* that the plan of the latter may take; 0 without a limit */
    struct learner_parts parts;
    struct loss_detect loss;
    struct optim optim;
    struct optim_tensor *tensors;
    struct optim_clock clock;
    int64_t averaged; /* updates of the average */
    size_t coordinates;
    float *gradient, *m, *v, *u; /* flat, [coordinates]; u with masked Adam only */
    uint8_t *mask;               /* or NULL: all */
    double *sums;                /* scratch */
};

/* ERR_SYSTEM with what is needed, before anything of it is allocated, when the plans of the network, the weights
 * and their average, gradient and moments take more than options->memory_limit. Pictures and loss come on
 * top. */
enum status learner_check_memory(const struct model *model, const struct kernels *kernels,
                                 const struct learner_options *options, struct error *err);

/* The model outlives the learner; its weights are the start. optimizer is not AUTO. */
enum status learner_make(struct learner *learner, struct model *model, const struct kernels *kernels,
                         const struct learner_options *options, struct error *err);
void learner_free(struct learner *learner);

/* The input rows of a mini-batch of `images` pictures: [images][size][size][3] in [0, 1], to fill before the
 * call below. ERR_SYSTEM when the plan for this batch size does not fit in memory. */
enum status learner_input(struct learner *learner, int images, float **input, struct error *err);

/* Forward, loss and backward; adds to the gradient. ERR_CHECK when a logit is not finite. From the first call on nobody
 * else changes parameters that are frozen. */
enum status learner_gradient(struct learner *learner, int images, const struct target *targets, int count,
                             struct loss_items *items, struct error *err);

/* Clips, steps, averages and clears the gradient. rate.momentum is for SGD. norm is that before clipping.
 * ERR_CHECK names the tensor whose gradient is not finite; nothing has moved then. */
enum status learner_step(struct learner *learner, const struct optim_rates *rates, double momentum,
                         double *norm, struct error *err);

/* Chooses the mask (a copy is kept; NULL: all coordinates move). */
enum status learner_set_mask(struct learner *learner, const uint8_t *mask, struct error *err);

#endif
