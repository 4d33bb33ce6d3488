/* A model that finds objects in pictures.
 *
 * The network is planned for one input size and planned again when the size changes; while pictures have one
 * size, nothing is allocated for them. Results depend on the weights and the picture only. */
#ifndef RETORT_DETECT_DETECTOR_H
#define RETORT_DETECT_DETECTOR_H

#include "detect/model.h"
#include "detect/nms.h"
#include "image/letterbox.h"

struct detector {
    const struct model *model;
    const struct kernels *kernels;
    int threads;
    enum net_plan plan; /* fast, unless the caller sets another before the first picture */
    struct nms_options options;
    size_t memory_limit; /* of a plan, as in struct net_options; may be set between runs */
    struct arena arena;  /* of the present input size */
    struct graph graph;
    struct yolo11 network;
    struct net net;
    struct nms nms;
    struct image canvas;
    struct letterbox_scratch letterbox;
    float *row; /* scratch, one class row */
};

/* The model must outlive the detector. options as in nms.h. */
void detector_begin(struct detector *detector, const struct model *model, const struct kernels *kernels,
                    int threads, const struct nms_options *options);

/* Finds objects in a picture that lies on the network input as `box` says (its canvas is a multiple of 32 on
 * both axes). At most options.max_detections results, most confident first, boxes in network pixels. */
enum status detector_run(struct detector *detector, const struct image *picture, const struct letterbox *box,
                         struct detection *found, int *count, struct error *err);

/* The predict call: letterbox to `size` (rectangular or square), boxes in pixels of the picture, clamped to
 * it. */
enum status detector_predict(struct detector *detector, const struct image *picture, int size,
                             bool rectangular, struct detection *found, int *count, struct error *err);

/* Boxes from network pixels to the picture's. */
void detector_to_picture(struct detection *found, int count, const struct letterbox *box);

void detector_end(struct detector *detector);

#endif
