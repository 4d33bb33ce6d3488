/* The answer of an external teacher to one picture: a line of JSON (train/teacher.h). */
#ifndef RETORT_TRAIN_ANSWER_H
#define RETORT_TRAIN_ANSWER_H

#include "detect/labels.h"
#include "detect/nms.h"
#include "image/image.h"

struct answer_options {
    float confidence;     /* objects are strictly more confident */
    const int *class_map; /* [LABELS_MAX_CLASSES], negative: dropped; NULL: classes as they are */
};

/* Detections in pixels of the picture as labels, rows in the arena; boxes without area are left out. */
enum status answer_labels(struct labels *labels, const struct detection *found, size_t count,
                          const struct image *picture, struct arena *arena, struct error *err);

/* The labels in n bytes of JSON about the picture at path. where names the answer in messages. ERR_INPUT when
 * it is not as described or is about another picture. */
enum status answer_read(struct labels *labels, const void *text, size_t n, const char *where,
                        const char *path, const struct image *picture, const struct answer_options *options,
                        struct arena *arena, struct error *err);

#endif
