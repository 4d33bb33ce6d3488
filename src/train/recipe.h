/* The recipe of a training run: a hash of everything that its weights depend on. A checkpoint goes on only
 * under the recipe that wrote it. */
#ifndef RETORT_TRAIN_RECIPE_H
#define RETORT_TRAIN_RECIPE_H

#include "base/hash.h"
#include "train/trainer.h"

/* Adds what of the options is part of it. freeze: the model's leading layers that keep their weights. */
void recipe_add_options(struct sha256 *hash, const struct trainer_options *options, int freeze);

/* Of the options, the start weights, the pictures with their labels, and the sets that score the epochs. */
void recipe_hash(char hex[SHA256_HEX], const struct trainer_options *options, const struct pictures *pictures,
                 const struct model *model);

#endif
