/* Options that train and distill share, and what they become. */
#ifndef RETORT_CLI_TRAINING_OPTIONS_H
#define RETORT_CLI_TRAINING_OPTIONS_H

#include "cli/options.h"
#include "cli/plan_option.h"
#include "detect/model.h"
#include "train/trainer.h"

struct training_values {
    int64_t epochs, batch, part, nominal_batch, size, seed, plain_epochs, warmup_floor, patience;
    int64_t mask_warmup, freeze, memory_limit;
    int optimizer, head, mask;
    double rate, fraction, mosaic, scale, translate, flip, warmup, bias_rate;
    bool frozen_norm, half, soft_labels;
    int plan;
    const char *guard;
    double guard_loss;
};

/* The rows of an option table for a struct that holds a training_values at `base`. */
#define TRAINING_AT(base, member) ((base) + offsetof(struct training_values, member))
/* clang-format off */
#define TRAINING_OPTIONS(base)                                                                                 \
    {"epochs", 'E', OPTION_INT, TRAINING_AT(base, epochs), "100", 1, 10000,                                    \
     .help = "passes over the pictures"},                                                                      \
    {"batch", 'b', OPTION_INT, TRAINING_AT(base, batch), "16", 1, 1024,                                        \
     .help = "pictures in a mini-batch"},                                                                      \
    {"micro-batch", 0, OPTION_INT, TRAINING_AT(base, part), "0", 1, 1024,                                      \
     .help = "pictures of a mini-batch that are in memory at a time, a power of two, with --frozen-norm: the " \
             "same result in less memory and more time"},                                                      \
    {"size", 0, OPTION_INT, TRAINING_AT(base, size), "640", 32, 2048,                                          \
     .help = "side of the network input, a multiple of 32"},                                                   \
    {"seed", 's', OPTION_INT, TRAINING_AT(base, seed), "0", 0, 9e15,                                           \
     .help = "of all random numbers"},                                                                         \
    {"optimizer", 0, OPTION_CHOICE, TRAINING_AT(base, optimizer), "auto", .choices = training_optimizers,      \
     .help = "auto is AdamW with a rate by the number of classes"},                                            \
    {"rate", 0, OPTION_REAL, TRAINING_AT(base, rate), "0", 1e-9, 10,                                           \
     .help = "start learning rate, with --optimizer other than auto; 0.01 unless given"},                      \
    {"head", 0, OPTION_CHOICE, TRAINING_AT(base, head), "transfer", .choices = training_heads,                 \
     .help = "how the class branch starts when the number of classes changes"},                                \
    {"mask", 0, OPTION_CHOICE, TRAINING_AT(base, mask), "full", .choices = training_masks,                     \
     .help = "which weights may move"},                                                                        \
    {"fraction", 0, OPTION_REAL, TRAINING_AT(base, fraction), "0", 1e-6, 1,                                    \
     .help = "share of the weights that --mask lets move; 0.05 unless given"},                                 \
    {"mask-warmup", 0, OPTION_INT, TRAINING_AT(base, mask_warmup), "0", 0, 100000,                             \
     .help = "gradient passes before a gradient-guided mask is chosen; 0: an epoch, at least 20"},             \
    {"mosaic", 0, OPTION_REAL, TRAINING_AT(base, mosaic), "1", 0, 1,                                           \
     .help = "share of pictures made of four"},                                                                \
    {"augment-scale", 0, OPTION_REAL, TRAINING_AT(base, scale), "0.5", 0, 0.9,                                 \
     .help = "pictures are scaled by a factor in 1 -+ this"},                                                  \
    {"augment-translate", 0, OPTION_REAL, TRAINING_AT(base, translate), "0.1", 0, 0.9,                         \
     .help = "pictures are moved by up to this share of the side"},                                            \
    {"augment-flip", 0, OPTION_REAL, TRAINING_AT(base, flip), "0.5", 0, 1,                                     \
     .help = "share of pictures that are mirrored left to right"},                                             \
    {"soft-labels", 0, OPTION_FLAG, TRAINING_AT(base, soft_labels), NULL,                                      \
     .help = "a label's confidence, where it has one, scales the score that is asked of its object"},          \
    {"freeze", 0, OPTION_INT, TRAINING_AT(base, freeze), "0", 0, 23,                                           \
     .help = "leading layers that keep their weights"},                                                        \
    {"frozen-norm", 0, OPTION_FLAG, TRAINING_AT(base, frozen_norm), NULL,                                      \
     .help = "batch norms keep their running statistics"},                                                     \
    {"nominal-batch", 0, OPTION_INT, TRAINING_AT(base, nominal_batch), "64", 1, 1024,                          \
     .help = "the optimizer steps after about so many pictures"},                                              \
    {"plain-epochs", 0, OPTION_INT, TRAINING_AT(base, plain_epochs), "10", 0, 10000,                           \
     .help = "epochs at the end without mosaic"},                                                              \
    {"warmup-epochs", 0, OPTION_REAL, TRAINING_AT(base, warmup), "3", 0, 10000,                                \
     .help = "epochs in which the learning rate rises"},                                                       \
    {"bias-rate", 0, OPTION_REAL, TRAINING_AT(base, bias_rate), "0.1", 0, 1,                                   \
     .help = "learning rate of biases where warm-up begins; with --optimizer auto it is 0"},                   \
    {"warmup-floor", 0, OPTION_INT, TRAINING_AT(base, warmup_floor), "0", 0, 100000,                           \
     .help = "least number of warm-up iterations"},                                                            \
    {"patience", 0, OPTION_INT, TRAINING_AT(base, patience), "100", 0, 10000,                                  \
     .help = "epochs without a better score before training stops; 0: never"},                                 \
    {"guard", 0, OPTION_INPUT, TRAINING_AT(base, guard), .place = "DIR",                                       \
     .help = "data set against forgetting: scored before training and after each epoch"},                      \
    {"guard-loss", 0, OPTION_REAL, TRAINING_AT(base, guard_loss), "-1", 0, 1,                                  \
     .help = "refuse epochs whose mAP50-95 on the guard set is more than this below that before training; "    \
             "status 1 when none is left"},                                                                    \
    MEMORY_LIMIT_OPTION(TRAINING_AT(base, memory_limit)),                                                      \
    PLAN_OPTION(TRAINING_AT(base, plan)),                                                                      \
    {"half", 0, OPTION_FLAG, TRAINING_AT(base, half), NULL,                                                    \
     .help = "store the result as float16"}
/* clang-format on */

extern const struct option_choice training_optimizers[], training_heads[], training_masks[];

/* ERR_USAGE for a size that is no multiple of 32 and for options that contradict or need one another. */
enum status training_check(const struct training_values *values, struct error *err);

/* "100 epochs, 200 iterations, 51 optimiser steps": sets are compared at equal effort [D-SBAD]. */
void training_effort(struct text *out, const struct trainer_result *result);

/* What became of the guard set's score, as lines of a result; nothing without a guard. */
void training_guard_lines(struct text *out, double before, const struct trainer_result *result);

struct trainer_options training_trainer(const struct training_values *values, int threads);

#endif
