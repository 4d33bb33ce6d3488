/* The log of a training run, train.jsonl, when the run goes on (docs/formats.md). */
#ifndef RETORT_TRAIN_TRAIN_LOG_H
#define RETORT_TRAIN_TRAIN_LOG_H

#include "train/trainer.h"

/* Cuts a log to its first `keep` lines, since what a killed run wrote beyond its last checkpoint goes. Without
 * a file there is nothing to do. */
enum status train_log_cut(const char *path, int keep, struct error *err);

/* Cuts the log of train and reads its lines into epochs[keep]; *count are there. What a line lacks is NaN or 0.
 * Without a file, or in a build without JSON, there are none. ERR_INPUT naming the line for one that is no
 * JSON. */
enum status train_log_resume(struct trainer_epoch *epochs, int *count, const char *path, int keep,
                             struct error *err);
/* The reading alone, of bytes that messages call name. */
enum status train_log_parse(struct trainer_epoch *epochs, int *count, const void *data, size_t n,
                            const char *name, int keep, struct error *err);

#endif
