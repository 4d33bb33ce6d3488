/* The first half of the main job: from the stream to the chosen frames. */
#ifndef RETORT_TRAIN_DISTILL_WATCH_H
#define RETORT_TRAIN_DISTILL_WATCH_H

#include "image/source.h"
#include "train/distill.h"
#include "train/known_pictures.h"

/* Watches the stream and fills frames, candidates, extra, tau, warmup_end and bytes; pictures of candidates and of
 * extra frames are stored in candidates/ of the output folder: a JPEG file of the stream as it is, anything else
 * encoded. ERR_INPUT, too, for a frame with the pixels of a test frame, whether it would be taken or not: all have
 * a part in the selection; ERR_USAGE for one that is no file where the teacher is to see it. Leaves nothing after
 * an error other than ERR_INTERRUPTED. */
enum status distill_watch(struct distill_result *result, const struct distill_options *options,
                          const struct model *student, const struct known_pictures *test,
                          const struct progress *progress, struct arena *arena, struct error *err);

/* ERR_INPUT naming both when the picture called `name` is one of the test frames. */
enum status distill_refuse_test_frame(const struct known_pictures *test, const struct image *image,
                                      const char *name, struct error *err);

/* Stores the picture as it would be uploaded, FOLDER/000017.jpg, and fills the candidate's file and bytes.
 * ERR_INPUT when what is stored is a test frame. */
enum status distill_store(struct distill_candidate *candidate, const struct frame *frame, const char *folder,
                          const struct known_pictures *test, struct arena *arena, struct error *err);

/* Chooses among the candidates: fills ranks, scores, chosen and uploaded_bytes. */
enum status distill_filter(struct distill_result *result, const struct distill_options *options,
                           const struct progress *progress, struct arena *arena, struct error *err);

/* Writes the ledger. */
enum status distill_ledger(const char *path, const struct distill_options *options,
                           const struct distill_result *result, struct error *err);

#endif
