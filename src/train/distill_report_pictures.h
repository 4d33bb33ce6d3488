/* The pictures of a distillation's report: thumbnails of the chosen frames, and frames with the boxes of the
 * models before and after. In a build without JPEG they are left out. */
#ifndef RETORT_TRAIN_DISTILL_REPORT_PICTURES_H
#define RETORT_TRAIN_DISTILL_REPORT_PICTURES_H

#include "train/distill.h"
#include "train/report.h"

/* The chosen frames in the order of their picks; many of them are shown smaller, and at most 120. */
enum status distill_report_sheet(struct report *report, const struct distill_options *options,
                                 const struct distill_result *result, struct arena *arena, struct error *err);

/* Up to six test frames, or else chosen ones, at even distances, with the boxes above 0.25. */
enum status distill_report_pairs(struct report *report, const struct distill_options *options,
                                 const struct distill_result *result, const struct dataset *test,
                                 const struct model *before, const struct model *after, struct arena *arena,
                                 struct error *err);

#endif
