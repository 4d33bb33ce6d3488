/* What the models before and after see in the same frames. In a build without JPEG it is left out. */
#ifndef RETORT_TRAIN_DISTILL_REPORT_PAIRS_H
#define RETORT_TRAIN_DISTILL_REPORT_PAIRS_H

#include "train/distill.h"
#include "train/report.h"

/* Up to six frames at even distances. Test frames, where they were scored: each model's boxes above the
 * confidence at which its F1 is best (0.25 where it finds nothing), told apart by whether the score's rule matches
 * them to a label at an IoU of 0.5, and the labels without a box. Otherwise test frames without labels, or chosen ones,
 * with the boxes above 0.25. */
enum status distill_report_pairs(struct report *report, const struct distill_options *options,
                                 const struct distill_result *result, const struct dataset *test,
                                 const struct model *before, const struct model *after, struct arena *arena,
                                 struct error *err);

#endif
