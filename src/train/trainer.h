/* Fine-tuning: epochs of augmented mini-batches under a schedule, with checkpoints, validation and a mask
 * [YOLO11, D-SBAD, AMS]. */
#ifndef RETORT_TRAIN_TRAINER_H
#define RETORT_TRAIN_TRAINER_H

#include "base/progress.h"
#include "train/learner.h"
#include "train/pictures.h"
#include "train/schedule.h"

/* Scores the weights averaged so far; larger is better. */
struct trainer_validation {
    enum status (*score)(void *context, const struct model *average, double *score, struct error *err);
    void *context;
    const char *recipe; /* text that tells this set from others, part of a checkpoint's recipe; or NULL */
};

/* A set against forgetting (design 4.5): scored after each epoch beside the validation set. An epoch that
 * falls more than `loss` below `start` is refused: it cannot be the best one. */
struct trainer_guard {
    struct trainer_validation set; /* score NULL: no guard */
    double start;                  /* score of the weights that training starts from, as they were deployed */
    double loss;                   /* < 0: no limit, the score is only written down */
};

struct trainer_options {
    struct schedule_options schedule; /* images, batch, epochs, classes are filled in by trainer_run */
    int batch, epochs, threads;
    int part;         /* as in struct learner_options */
    int patience;     /* epochs without a better score until training stops; 0: never */
    double clip;      /* gradient norm */
    bool frozen_norm; /* batch norms keep their running statistics */
    enum net_plan plan;
    uint64_t seed;
    struct augment_options augment;
    enum mask_rule mask; /* MASK_FULL: no mask */
    double fraction;     /* of the coordinates that the mask lets move */
    int mask_warmup;    /* gradient passes before MASK_PREVIOUS_U ranks the moments and the probing rules take
                           their step; 0: an epoch, at least 20 */
    const char *folder; /* gets train.jsonl, checkpoint.safetensors, best.safetensors; NULL: nothing is
                           written. ERR_USAGE when they are there already, without resume */
    int checkpoint_every;                 /* epochs; 0: never */
    bool resume;                          /* go on from the folder's checkpoint where there is one */
    struct trainer_validation validation; /* score NULL: no validation, the last weights are the result (of
                                             an epoch that the guard did not refuse) */
    struct trainer_guard guard;
    size_t memory_limit; /* as in struct learner_options */
};

struct trainer_options trainer_defaults(void);

/* One epoch, as the log has it. Losses are means over its mini-batches, with gains and without the batch
 * factor. */
struct trainer_epoch {
    int epoch; /* from 0 */
    struct loss_items loss;
    double rate;   /* of the last mini-batch */
    double norm;   /* of the gradient at the last step; NaN: this epoch had none */
    int64_t steps; /* optimiser steps so far */
    double score;  /* NaN: not validated */
    double guard;  /* score on the guard set; NaN: none */
};

struct trainer_result {
    struct trainer_epoch *epochs; /* [count], those before a resume included, in the arena given */
    int count;
    int best_epoch;    /* -1 without validation and without a guard's limit */
    double best_score; /* NaN without validation */
    int refused;       /* epochs whose guard score was below the limit */
    int64_t iterations, steps;
    size_t moved; /* coordinates that the mask let move */
};

/* Scores are compared in five decimals, as the reference does: best_score is rounded so. */
double trainer_rounded(double score);

/* The guard set's score of the epoch that is the result; NaN without a guard. */
double trainer_guard_after(const struct trainer_result *result);

/* learner_check_memory for mini-batches of so many pictures: what trainer_run would refuse, early. */
enum status trainer_check_memory(const struct model *model, int pictures, const struct kernels *kernels,
                                 const struct trainer_options *options, struct error *err);

/* Trains model on the pictures (whose size is augment.size, the network's) and leaves the result in it: the
 * average of the best epoch, or of the last one without validation. ERR_INTERRUPTED leaves the last checkpoint;
 * ERR_CHECK names the tensor or place that is not finite and leaves the model's weights as they were at the last
 * good step; or the guard refused every epoch. */
enum status trainer_run(struct trainer_result *result, struct model *model, struct pictures *pictures,
                        const struct kernels *kernels, const struct trainer_options *options,
                        const struct progress *progress, struct arena *arena, struct error *err);

#endif
