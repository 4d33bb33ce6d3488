/* What the teacher says of frames. */
#ifndef RETORT_TRAIN_DISTILL_LABEL_H
#define RETORT_TRAIN_DISTILL_LABEL_H

#include "detect/dataset.h"
#include "train/distill.h"

/* Labels the chosen frames [chosen_count] and the extra ones [extra_count]: fills their numbers of labels and
 * writes the label files that the items name. ERR_INPUT when no chosen frame has an object. */
enum status distill_label(struct distill_result *result, const struct distill_options *options,
                          const struct dataset_item *chosen, const struct dataset_item *extra,
                          const struct progress *progress, struct arena *arena, struct error *err);

/* Whether the filter goes by the teacher's confidences in all candidates. */
bool distill_asks_of_candidates(const struct distill_options *options);

/* Replaces the boxes of all candidates by the teacher's ([D-SBAD], confidence_source). ERR_INPUT for a
 * label without a confidence. */
enum status distill_label_candidates(struct distill_result *result, const struct distill_options *options,
                                     const struct progress *progress, struct arena *arena, struct error *err);

#endif
