/* Scores a model on labelled pictures.
 *
 * Two protocols. The library rule [YOLO11]: validation letterbox, square or in rectangular
 * batches (pictures by ascending height/width, equals in their order), boxes compared in letterbox pixels,
 * unclipped. With ignore_above: the predict call's rectangular letterbox, boxes compared in pixels of the
 * picture, clamped, matching as it was in 2024 [D-SBAD]; labels and detections that end at or above that line are
 * dropped.
 *
 * Results depend on weights, pictures, labels and options only. */
#ifndef RETORT_DETECT_EVALUATE_H
#define RETORT_DETECT_EVALUATE_H

#include "base/progress.h"
#include "detect/coco_metric.h"
#include "detect/dataset.h"
#include "detect/detector.h"
#include "detect/metric.h"

/* Is shown what was found in each picture: most confident first, boxes in pixels of the picture. */
struct evaluate_observer {
    enum status (*found)(void *context, const struct dataset_item *item, const struct detection *found,
                         int count, struct error *err); /* or NULL */
    void *context;
};

struct evaluate_options {
    int size;           /* pixels, a multiple of 32 */
    bool rectangular;   /* batches of one shape each instead of squares */
    int batch;          /* pictures that share a shape, when rectangular */
    float confidence;   /* detections are strictly more confident */
    double iou;         /* of suppression */
    float ignore_above; /* y in pixels of the picture; < 0: the library rule */
    bool metric_2024;   /* matching, curve end and fitness as they were then [D-SBAD] */
    enum net_plan plan;
    bool coco;             /* also the numbers of COCO's tool, in pixels of the picture */
    const int *label_list; /* label classes that become class 0, the others are dropped; NULL: as they are */
    size_t label_count;
    const int *vehicle_list; /* the same for the model's classes; single-label, class-agnostic suppression.
                              * Nothing to do, and ignored, for a model of one class */
    size_t vehicle_count;
    size_t memory_limit; /* of the network's plan, bytes; 0: none */
    struct evaluate_observer observer;
};

/* 640, square, batches of 32, confidence 0.001, IoU 0.7, no line, no merging. */
struct evaluate_options evaluate_default_options(void);

/* Whether boxes are matched as they were in 2024 [D-SBAD]. */
static inline bool evaluate_match_best_only(const struct evaluate_options *options)
{
    return options->metric_2024 || options->ignore_above >= 0;
}

struct evaluation {
    struct metric metric; /* owns what result points to */
    struct metric_result result;
    double coco[COCO_FIGURES]; /* where asked for */
    int classes;               /* that were compared: 1 when merged */
};

/* A missing label file is a picture without objects. ERR_USAGE when labels are merged but the model has
 * several classes that are not; ERR_INPUT for the first bad picture or label file; ERR_INTERRUPTED.
 * evaluate_free must follow in any case. */
enum status evaluate_run(struct evaluation *evaluation, const struct model *model,
                         const struct kernels *kernels, int threads, const struct dataset_item *items,
                         size_t count, const struct evaluate_options *options,
                         const struct progress *progress, struct error *err);
void evaluate_free(struct evaluation *evaluation);

#endif
