/* Mini-batches that go through the network in parts, for memories too small for the whole, with frozen batch
 * norms only: then images do not know of each other but in the loss.
 *
 * The parts go forward first and leave their raw outputs; the loss sees them all; then each goes forward
 * again and backward. Parts are a power of two of images, so that their gradients, added in a binary tree,
 * are the subtrees of the whole batch's tree (nn/pixels.h): the same bits. Private to the learner. */
#ifndef RETORT_TRAIN_LEARNER_PARTS_H
#define RETORT_TRAIN_LEARNER_PARTS_H

#include "train/learner.h"

/* Bytes that parts take besides the network. */
size_t learner_parts_bytes(const struct learner_options *options, const struct model *model);

enum status learner_parts_make(struct learner *learner, struct error *err);

/* learner_gradient for more images than one part holds; the input is learner->parts.input. */
enum status learner_parts_gradient(struct learner *learner, int images, const struct target *targets,
                                   int count, double scale, struct loss_items *items, struct error *err);

/* In learner.c: the network planned for so many images, and its weights packed, whole once and then what trains. */
enum status learner_plan(struct learner_net **planned, struct learner *learner, int images,
                         struct error *err);
void learner_pack(struct learner_net *n);

#endif
