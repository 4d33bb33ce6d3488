/* Scores on the test frames: the deployed student, the result and the teacher. */
#ifndef RETORT_TRAIN_DISTILL_SCORE_H
#define RETORT_TRAIN_DISTILL_SCORE_H

#include "train/distill.h"

/* size: of the network input. as_coded: boxes above AS_CODED_CONFIDENCE only, and of any class. The score's
 * memory is the arena's. Statuses of evaluate_run. */
enum status distill_score(struct metric_result *score, const struct distill_options *options,
                          const struct dataset *test, const struct model *model, int size, bool as_coded,
                          const struct progress *progress, struct arena *arena, struct error *err);

/* The networks that were not trained on this camera, as the options ask: fills result's teacher,
 * before_as_coded and teacher_as_coded. */
enum status distill_score_baselines(struct distill_result *result, const struct distill_options *options,
                                    const struct dataset *test, const struct model *before,
                                    const struct progress *progress, struct arena *arena, struct error *err);

#endif
