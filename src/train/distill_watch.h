/* The first half of the main job: from the stream to the chosen frames, and the folder for them. */
#ifndef RETORT_TRAIN_DISTILL_WATCH_H
#define RETORT_TRAIN_DISTILL_WATCH_H

#include "train/distill.h"

/* Readies the output folder, which watching makes. ERR_USAGE when it holds an earlier run, so that no two are
 * mixed; on resume, what that run stored goes, because watching stores it again. */
enum status distill_prepare_folder(const char *folder, bool resume, struct arena *arena, struct error *err);

/* Watches the stream and fills frames, candidates, tau, warmup_end and candidate_bytes; candidate pictures
 * are stored below the output folder: a JPEG file of the stream as it is, anything else encoded. */
enum status distill_watch(struct distill_result *result, const struct distill_options *options,
                          const struct model *student, const struct progress *progress, struct arena *arena,
                          struct error *err);

/* Chooses among the candidates: fills ranks, scores, chosen and uploaded_bytes. */
enum status distill_filter(struct distill_result *result, const struct distill_options *options,
                           const struct progress *progress, struct arena *arena, struct error *err);

/* Writes the ledger. */
enum status distill_ledger(const char *path, const struct distill_options *options,
                           const struct distill_result *result, struct error *err);

#endif
