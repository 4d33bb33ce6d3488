/* The table of settings in a distillation's report. */
#ifndef RETORT_TRAIN_DISTILL_REPORT_SETTINGS_H
#define RETORT_TRAIN_DISTILL_REPORT_SETTINGS_H

#include "train/distill.h"
#include "train/report.h"
#include "train/report_words.h"

void distill_report_settings(struct report *report, struct words *words,
                             const struct distill_options *options, const struct distill_result *result);

#endif
