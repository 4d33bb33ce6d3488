/* The contact sheet of a distillation's report. In a build without JPEG it is left out. */
#ifndef RETORT_TRAIN_DISTILL_REPORT_SHEET_H
#define RETORT_TRAIN_DISTILL_REPORT_SHEET_H

#include "train/distill.h"
#include "train/report.h"

/* The chosen frames in the order of their picks; many of them are shown smaller, and at most 120. */
enum status distill_report_sheet(struct report *report, const struct distill_options *options,
                                 const struct distill_result *result, struct arena *arena, struct error *err);

#endif
