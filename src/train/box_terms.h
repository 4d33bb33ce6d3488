/* What assignment and loss share about boxes, in double and in a fixed order of operations.
 *
 * Boxes are x1, y1, x2, y2; sides are left, top, right, bottom [YOLO11]. */
#ifndef RETORT_TRAIN_BOX_TERMS_H
#define RETORT_TRAIN_BOX_TERMS_H

#include "detect/head.h"

/* fmin and fmax leave the sign of zero to the library. */
static inline double smaller(double a, double b) { return a < b ? a : b; }
static inline double larger(double a, double b) { return a > b ? a : b; }

/* One side's distribution over the bins: p[16] = softmax(logits), and log(sum exp(logits)) when log_sum is
 * given. Returns the expected distance in grid cells. */
double box_terms_side(double p[HEAD_BINS], double *log_sum, const float logits[HEAD_BINS]);

/* The box of the anchor point (x, y) with these 64 logits, in grid cells. */
void box_terms_decode(double box[4], const float logits[HEAD_BOX_LOGITS], double x, double y);

/* Complete IoU of box and target, at most 1; gradient[4] (may be NULL) = its partial derivatives with respect
 * to box, the trade-off factor alpha held constant. */
double box_terms_ciou(double gradient[4], const double box[4], const double target[4]);

#endif
