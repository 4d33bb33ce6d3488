/* Average precision as the reference trainer computes it ([YOLO11]; the older rules of [D-SBAD] as
 * options).
 *
 * Images are added one by one, in a fixed order; boxes of one image share one pixel system. Classes with
 * labels count, detections of other classes are ignored. Everything lives in the struct's arena. */
#ifndef RETORT_DETECT_METRIC_H
#define RETORT_DETECT_METRIC_H

#include "base/arena.h"
#include "base/status.h"
#include "detect/box.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { METRIC_THRESHOLDS = 10 }; /* IoU 0.50, 0.55, ..., 0.95 */

struct truth {
    struct box box;
    int class_id;
};

struct metric_options {
    int classes;
    /* A detection looks at its best-overlapping label only, claimed or not [D-SBAD], instead of at the
     * best one that is still free. */
    bool match_best_only;
    /* Precision falls linearly from the last recall to 1 [D-SBAD] instead of at once. */
    bool sloped_end;
    bool fitness_2024; /* 0.1 mAP50 + 0.9 mAP50-95 instead of mAP50-95 */
    /* Labels and detections whose bottom edge is at or above this y are dropped; < 0: none. */
    float ignore_above;
};

struct metric_record {
    float confidence;
    int class_id;
    uint16_t hits; /* bit t: a true positive at threshold t */
};

struct metric_block; /* the records of one image */

struct metric {
    struct metric_options options;
    struct arena arena;
    struct metric_block *last;
    size_t images, detections;
    size_t *labels; /* [classes] */
};

struct metric_class {
    int class_id;
    size_t labels, detections;
    double ap[METRIC_THRESHOLDS];
    double precision, recall, f1; /* at the confidence of the best mean F1, IoU 0.5 */
};

struct metric_result {
    bool defined; /* false without a single label: then every figure is 0 and means nothing */
    double map50, map75, map50_95, fitness;
    double precision, recall; /* means over the classes */
    double confidence;        /* where the smoothed mean F1 is largest */
    size_t images, labels, detections;
    struct metric_class *classes; /* those with labels, ascending; in the metric's arena */
    size_t count;
};

/* Options: the present rule for so many classes, nothing ignored. */
struct metric_options metric_default_options(int classes);

enum status metric_make(struct metric *metric, const struct metric_options *options, struct error *err);
void metric_free(struct metric *metric);

/* The IoU thresholds, rounded to float. */
void metric_thresholds(float thresholds[METRIC_THRESHOLDS]);

/* hits[i] for each detection of one image. claimed: scratch, one entry a label. */
void metric_match(uint16_t *hits, uint16_t *claimed, const struct truth *truths, size_t truth_count,
                  const struct detection *found, size_t found_count, bool match_best_only);

/* Adds one image. Detections most confident first; class ids of both in [0, options.classes). */
enum status metric_add(struct metric *metric, const struct truth *truths, size_t truth_count,
                       const struct detection *found, size_t found_count, struct error *err);

/* The figures over all images so far. */
enum status metric_finish(struct metric *metric, struct metric_result *result, struct error *err);

#endif
