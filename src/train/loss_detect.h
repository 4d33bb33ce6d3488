/* The detector's training loss and its gradient [YOLO11].
 *
 * Box overlap (CIoU) and box distributions (DFL) over the foreground, class cross-entropy over everything;
 * each is divided by the sum of all target scores. Box terms are computed in double, class terms by the
 * kernel row by row; every sum runs over rows in ascending order in double, images one after another, so
 * threads cannot matter. */
#ifndef RETORT_TRAIN_LOSS_DETECT_H
#define RETORT_TRAIN_LOSS_DETECT_H

#include "base/status.h"
#include "kernels/kernels.h"
#include "train/assign.h"

struct loss_gains {
    double box, classes, distribution;
};
static const struct loss_gains LOSS_GAINS = {7.5, 0.5, 1.5};

/* Items carry their gains but not the number of images; total = (box + classes + distribution) * images is
 * what is differentiated. */
struct loss_items {
    double box, classes, distribution, total;
    double score_sum; /* what the terms were divided by, >= 1 */
    int foreground;   /* anchor points with a target */
};

struct loss_worker;

struct loss_detect {
    const struct kernels *kernels;
    struct loss_gains gains;
    int classes; /* at most */
    struct assign assign;
    struct loss_items *item; /* [images], not yet divided */
    struct loss_worker *worker;
};

/* Memory for batches of at most this size, owned by the arena. */
enum status loss_detect_init(struct loss_detect *loss, struct arena *arena, const struct kernels *kernels,
                             struct loss_gains gains, int images, int anchors, int classes, int max_targets,
                             int threads, struct error *err);

/* Loss of a batch. gradient (NULL: none) is a head of the same shape with buffers of its own; all its rows
 * are written with scale * d total / d logit, values below 2^-40 in magnitude as +0. A power of two as scale
 * changes no other bit. ERR_CHECK names the place of a logit that is not finite; items and gradient are then
 * not written. */
enum status loss_detect_run(struct loss_detect *loss, struct loss_items *items, const struct head *gradient,
                            const struct head *head, const struct target *targets, int count, double scale,
                            struct error *err);

#endif
