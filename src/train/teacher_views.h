/* A detector as a teacher that looks at a frame several times: as it is, mirrored left to right, and both larger. What
 * it finds in each view is fused (detect/fuse.h).
 *
 * A detector plans anew when its input size changes, so each of the two sizes has one of its own; they share the
 * model. */
#ifndef RETORT_TRAIN_TEACHER_VIEWS_H
#define RETORT_TRAIN_TEACHER_VIEWS_H

#include "detect/fuse.h"
#include "train/teacher.h"

struct teacher_views {
    int count, size; /* of views; of the network input */
    float confidence;
    struct detector detector, larger;
    struct image mirrored;
    struct fuse *fuse; /* NULL: one view */
};

/* options: views, size, confidence, iou, merge_before, plan and memory_limit of struct teacher_options, the last two
 * for each detector. class_map: as in struct nms_options. Model and map must outlive the views; the fusion's memory is
 * the arena's. teacher_views_end must follow, after an error too. */
enum status teacher_views_begin(struct teacher_views *views, struct arena *arena, const struct model *model,
                                const struct kernels *kernels, int threads,
                                const struct teacher_options *options, const int *class_map,
                                struct error *err);

/* The size of the larger views: 5/4 of `size`, to the nearest multiple of 32, up from the middle. */
int teacher_views_larger(int size);

/* Finds objects in a frame: found [NMS_MAX_DETECTIONS], the most confident first, boxes in pixels of the picture,
 * clamped to it. One view: what detector_predict finds, rectangular. Errors are those of detector_predict. */
enum status teacher_views_predict(struct teacher_views *views, const struct image *picture,
                                  struct detection *found, int *count, struct error *err);

void teacher_views_end(struct teacher_views *views); /* {0} is fine */

#endif
