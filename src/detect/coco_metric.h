/* Average precision and recall as COCO's tool computes them, in double [COCO]: twelve numbers. */
#ifndef RETORT_DETECT_COCO_METRIC_H
#define RETORT_DETECT_COCO_METRIC_H

#include "base/arena.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

/* Boxes are x, y, width, height in original pixels; categories are numbered from 0. */
struct coco_truth {
    double box[4], area;
    int category;
    bool crowd;
};

struct coco_found {
    double box[4], score;
    int category;
};

struct coco_image {
    const struct coco_truth *truths;
    const struct coco_found *found; /* in any order */
    size_t truth_count, found_count;
};

enum coco_figure {
    COCO_AP,
    COCO_AP50,
    COCO_AP75,
    COCO_AP_SMALL,
    COCO_AP_MEDIUM,
    COCO_AP_LARGE,
    COCO_AR1,
    COCO_AR10,
    COCO_AR100,
    COCO_AR_SMALL,
    COCO_AR_MEDIUM,
    COCO_AR_LARGE,
    COCO_FIGURES
};

/* "AP", "AP50", ... */
const char *coco_metric_name(enum coco_figure figure);

/* -1 where no category has a counted label. category_ap (may be NULL): AP of each category, or -1. */
enum status coco_metric_run(double figures[COCO_FIGURES], double *category_ap,
                            const struct coco_image *images, size_t image_count, int categories,
                            struct error *err);

#endif
