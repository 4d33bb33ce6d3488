/* What a pretraining run keeps between steps, and its file. */
#ifndef RETORT_TRAIN_PRETRAIN_STATE_H
#define RETORT_TRAIN_PRETRAIN_STATE_H

#include "base/hash.h"
#include "train/optim.h"
#include "train/pretrain.h"

struct pretrain_state {
    int steps; /* done */
    struct optim_clock clock;
    struct contrast_items items; /* of the last line of the log; NaN before the first */
    float *gradient, *m, *v; /* [trainable] */
    char recipe[SHA256_HEX];
};

/* Zeros; the arena owns the arrays. */
enum status pretrain_state_make(struct pretrain_state *state, struct arena *arena,
                                const struct params *params, struct error *err);

/* Everything that the weights and the log depend on. */
void pretrain_recipe(char recipe[SHA256_HEX], const struct pretrain_options *options,
                     const struct views *views);

/* Weights, moments and clock in one file, atomically. */
enum status pretrain_state_write(const char *path, const struct pretrain_state *state,
                                 const struct params *params, struct error *err);

/* ERR_INPUT when the file is damaged or of another recipe than state->recipe. */
enum status pretrain_state_read(const char *path, struct pretrain_state *state, struct params *params,
                                struct error *err);
/* The same from an open file. */
enum status pretrain_state_restore(const struct weights *file, struct pretrain_state *state,
                                   struct params *params, struct error *err);

#endif
