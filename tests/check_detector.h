/* The detector with the formula's parameters on the formula's pictures, as the references ran it. */
#ifndef RETORT_TESTS_CHECK_DETECTOR_H
#define RETORT_TESTS_CHECK_DETECTOR_H

#include "detect/yolo11.h"
#include "train/loss_detect.h"

struct check_detector {
    struct arena arena;
    struct params params;
    struct graph graph;
    struct yolo11 model;
    struct net net;
    struct loss_detect loss;
    struct loss_items items;
    float *gradients;
};

/* Graph and parameters; more outputs can be added to the graph before it is planned. */
void check_detector_build(struct check_detector *d, struct yolo11_config config, int height, int width);

/* Plans it, exact, and fills the input: image("x"). */
void check_detector_plan(struct check_detector *d, enum net_mode mode, int images, int threads);

/* After net_forward on the two pictures of the references' training case: loss of its six boxes, and
 * gradients of all parameters. The loss is scaled by 2^32 on the way and the gradients back. */
void check_detector_backward(struct check_detector *d);

void check_detector_free(struct check_detector *d);

/* The six boxes; with one class all are of class 0. */
enum { CHECK_TARGETS = 6 };
void check_targets(struct target targets[CHECK_TARGETS], int classes);

#endif
