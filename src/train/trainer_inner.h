/* A training run from the inside: what trainer.c shares with trainer_folder.c and trainer_mask.c. */
#ifndef RETORT_TRAIN_TRAINER_INNER_H
#define RETORT_TRAIN_TRAINER_INNER_H

#include "base/json_write.h"
#include "train/checkpoint.h"
#include "train/trainer.h"

struct trainer {
    const struct trainer_options *options;
    struct pictures *pictures;
    const struct progress *progress;
    struct arena *arena;
    struct trainer_result *result;
    struct learner learner;
    struct schedule schedule;
    struct checkpoint state;
    struct model best;
    struct json_log log;
    struct target *targets;
    int *order, *shuffled; /* of the pictures in this epoch */
    struct trainer_epoch *now;
};

/* The order of the pictures in an epoch, and the gradient of its mini-batch i. */
void trainer_shuffle(struct trainer *t, int epoch);
enum status trainer_gradient(struct trainer *t, int epoch, int i, struct loss_items *items,
                             struct error *err);

/* ---- trainer_folder.c: what a run keeps in its folder; nothing where it has none ---- */

/* NULL: memory is short. */
const char *trainer_path(struct trainer *t, const char *name);

/* Makes the folder and opens the log. ERR_USAGE when it holds an earlier run, so that no two are mixed; on
 * resume the state of its checkpoint is taken up. */
enum status trainer_open_folder(struct trainer *t, struct error *err);

/* The line of the epoch that has ended; the checkpoint when one is due. */
enum status trainer_write_log(struct trainer *t, struct error *err);
enum status trainer_write_checkpoint(struct trainer *t, struct error *err);

/* ---- trainer_mask.c ---- */

/* Chooses the coordinates that may move [AMS]. */
enum status trainer_choose_mask(struct trainer *t, struct error *err);

#endif
