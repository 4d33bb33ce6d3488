/* Checkpoints: everything that a training run needs to go on with the same bits. */
#ifndef RETORT_TRAIN_CHECKPOINT_H
#define RETORT_TRAIN_CHECKPOINT_H

#include "train/learner.h"
#include "train/schedule.h"

struct checkpoint {
    int epoch; /* the next one */
    struct schedule_state schedule;
    double best_score;
    int best_epoch;  /* -1: none yet */
    int since_best;  /* epochs since the score last rose; an equal one does not count as a rise */
    char recipe[65]; /* hash of the options and data that the run depends on */
};

/* Writes the learner's whole state and *state to one safetensors file, atomically. */
enum status checkpoint_write(const char *path, const struct learner *learner, const struct checkpoint *state,
                             struct error *err);

/* Reads it back into a learner made with the same options. ERR_INPUT when the file is damaged or was written
 * by a run with another recipe than state->recipe; learner and *state are then not to be used. */
enum status checkpoint_read(const char *path, struct learner *learner, struct checkpoint *state,
                            struct error *err);

/* The same from weights that are open already. */
enum status checkpoint_restore(const struct weights *file, struct learner *learner, struct checkpoint *state,
                               struct error *err);

#endif
