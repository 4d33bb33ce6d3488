/* Non-maximum suppression of one image [YOLO11, D-SBAD].
 *
 * Candidates are offered one anchor after the other; at most the 30 000 most confident are held, so memory is
 * fixed when the workspace is made and nothing is allocated per image. Order everywhere: confidence
 * descending, then the order in which candidates were offered (anchor-major, then class). */
#ifndef RETORT_DETECT_NMS_H
#define RETORT_DETECT_NMS_H

#include "base/arena.h"
#include "base/rank.h"
#include "base/status.h"
#include "detect/box.h"

#include <stdbool.h>
#include <stddef.h>

enum { NMS_MAX_CANDIDATES = 30000, NMS_CLASS_OFFSET = 7680, NMS_MAX_DETECTIONS = 300 };

struct nms_options {
    float confidence;   /* a candidate's probability is strictly greater */
    double iou;         /* a suppressed box overlaps a kept one strictly more */
    int max_detections; /* kept boxes, at most */
    bool multi_label;   /* every class above the threshold is a candidate of its own, not the best one only */
    bool agnostic;      /* boxes of different classes suppress each other */
    /* One entry a class: the class it becomes, or -1 for dropped. NULL: all as they are. */
    const int *class_map;
    bool merge_before; /* apply class_map's new classes before suppression instead of after it */
};

/* The calls of the reference trainer: predict (0.25, single label) and validation (0.001, multi-label). */
struct nms_options nms_predict_options(void);
struct nms_options nms_validation_options(void);

struct nms_candidate {
    struct rank rank;           /* confidence and order of arrival */
    struct detection detection; /* with the class before class_map unless merge_before */
};

struct nms {
    struct nms_options options;
    int classes;
    size_t count, capacity; /* candidates held: a heap with the least at the root once it is full */
    uint32_t offered;
    struct nms_candidate *heap;
    struct box *kept; /* with class offset, [max_detections] */
};

/* Workspace for images of at most `anchors` anchor points, from the arena. options.class_map must outlive it.
 */
enum status nms_make(struct nms *nms, struct arena *arena, const struct nms_options *options, int classes,
                     int anchors, struct error *err);

/* Forgets all candidates: a new image begins. */
void nms_begin(struct nms *nms);

/* Offers one anchor: its box and the probability of each class. Anchors come in ascending order. */
void nms_offer(struct nms *nms, struct box box, const float *probabilities, int anchor);

/* Suppresses and writes the detections, most confident first, to out [options.max_detections]; returns their
 * number and forgets the candidates. Boxes are as they were offered. */
int nms_run(struct nms *nms, struct detection *out);

#endif
