/* Task-aligned assignment: which anchor points learn which box [YOLO11].
 *
 * For each target the ten candidates (anchor centres inside it) with the largest p^0.5 * CIoU^6 are selected;
 * a point that several targets select goes to the one it overlaps best. Double scalar arithmetic; ties go to
 * the lower anchor and the lower target. Images are independent of each other, so threads divide images. */
#ifndef RETORT_TRAIN_ASSIGN_H
#define RETORT_TRAIN_ASSIGN_H

#include "base/arena.h"
#include "base/status.h"
#include "detect/head.h"

#include <stdbool.h>

/* A box to learn; centre and size are fractions of the network input. */
struct target {
    int image, class_id;
    float cx, cy, w, h;
    float doubt; /* share of its target score that is not asked for, in [0, 1]; 0: a sure label */
};

struct assign_worker;

struct assign {
    int images, anchors, max_targets, threads; /* what the memory was made for */
    int *owner;                                /* [images][anchors]: row of targets, or -1 for background */
    double *score;     /* [images][anchors]: target score of the owner's class, less its doubt; 0 for background */
    double (*box)[4];  /* [max_targets]: targets as x1, y1, x2, y2 in input pixels */
    double (*peak)[2]; /* scratch, per target: best alignment and best overlap among its points */
    struct assign_worker *worker;
};

/* Memory for batches of at most this size, owned by the arena. */
enum status assign_init(struct assign *assign, struct arena *arena, int images, int anchors, int max_targets,
                        int threads, struct error *err);

/* Fills owner, score and box for a head whose logits are finite. targets are count <= max_targets rows in
 * ascending order of image; class_id is in [0, classes). Images and anchors may be fewer than planned: rows
 * of owner and score are then head_anchors(head) long. */
void assign_run(struct assign *assign, const struct head *head, const struct target *targets, int count);

/* Sum over all anchor points of the scores, at least 1: what the loss divides by. */
double assign_score_sum(const struct assign *assign, const struct head *head);

/* A point of the anchor numbering. */
struct anchor {
    int level, row, column;
};
struct anchor assign_anchor(const struct head *head, int index);

#endif
