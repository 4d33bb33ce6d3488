/* Raw head output to boxes and probabilities in network input pixels [YOLO11]. */
#ifndef RETORT_DETECT_HEAD_DECODE_H
#define RETORT_DETECT_HEAD_DECODE_H

#include "detect/head.h"
#include "detect/nms.h"
#include "kernels/kernels.h"

/* Centre and size in network input pixels. */
struct decoded_box {
    float cx, cy, w, h;
};

/* Expected distance of each side from the anchor point in grid units: sum of j * softmax(logits of the
 * side)[j]. */
void head_decode_distances(const struct kernels *kernels, const float logits[HEAD_BOX_LOGITS],
                           float distances[HEAD_SIDES]);

/* Box of cell (y, x) of a level with this stride. */
struct decoded_box head_decode_box(const struct kernels *kernels, const float logits[HEAD_BOX_LOGITS], int y,
                                   int x, int stride);

/* All anchor points of one image: out[4 + classes][head_anchors], rows cx, cy, w, h, probabilities. */
void head_decode_all(const struct kernels *kernels, const struct head *head, int image, float *out);

/* Offers every anchor point of one image that can pass nms->options.confidence, in order; boxes are decoded
 * for these only. row: scratch of head->classes floats. Follow with nms_run. */
void head_decode_candidates(const struct kernels *kernels, const struct head *head, int image, float *row,
                            struct nms *nms);

#endif
