/* Teachers: what labels frames for a student.
 *
 * Three kinds: a detector (predict call, rectangular letterbox, at any size, of one or several views of the
 * frame that are fused: detect/fuse.h); a folder of label files,
 * FRAME.txt for FRAME.jpg, where a missing file means no object; an external command, which reads one picture
 * path a line and answers each, in order, with one line of JSON as `retort detect --json` prints it:
 *
 *   {"file", "width", "height", "detections": [{"class_id", "confidence", "box": [x1, y1, x2, y2]}, ...]}
 *
 * Boxes in pixels of the picture; other members are ignored, and "file" may be left out. */
#ifndef RETORT_TRAIN_TEACHER_H
#define RETORT_TRAIN_TEACHER_H

#include "detect/detector.h"
#include "detect/labels.h"

struct teacher;

struct teacher_options {
    int size;              /* of the network input, a multiple of 32 */
    float confidence;      /* objects are strictly more confident; label files are taken as they are */
    double iou;            /* of suppression, detectors only */
    bool merge_before;     /* detectors: merge the classes before suppression, not after it [D-SBAD] */
    /* Detectors: how often one looks at a frame. 1; 2: also at its mirror image; 4: at both also at 5/4 of the
     * size (train/teacher_views.h). A view finds what is more confident than confidence / views; objects are
     * what fused boxes above `confidence` show. Views are fused by final class: boxes of classes that
     * class_list merges become one label where they overlap by more than FUSE_IOU, also without merge_before. */
    int views;
    const int *class_list; /* these become class 0 and the others are dropped; NULL: as they are. A detector
                            * of one class keeps it. Must outlive the teacher. */
    size_t class_count;
    enum net_plan plan;  /* of a detector */
    size_t memory_limit; /* of each plan, as in struct net_options; 4 views have two */
    double timeout;     /* seconds for one answer of a command, and for its end */
};

/* 640, confidence 0.25, IoU 0.7, one view, classes as they are, 60 s [D-SBAD]. */
struct teacher_options teacher_default_options(void);

/* ERR_USAGE for a class that the model does not have. After OK teacher_close must follow. */
enum status teacher_open_model(struct teacher **teacher, const char *weights, const struct kernels *kernels,
                               int threads, const struct teacher_options *options, struct error *err);
enum status teacher_open_folder(struct teacher **teacher, const char *folder,
                                const struct teacher_options *options, struct error *err);
enum status teacher_open_command(struct teacher **teacher, const char *command,
                                 const struct teacher_options *options, struct error *err);

/* The objects of one frame, with confidences where they are known, in the teacher's order; rows in the arena.
 * name: the frame's file, or another name when it comes from a stream; a command then gets a temporary file.
 * ERR_INPUT for a bad answer or label file. */
enum status teacher_label(struct teacher *teacher, const char *name, const struct image *picture,
                          struct labels *labels, struct arena *arena, struct error *err);

/* Says whether a command ended as it should (ERR_INPUT); OK for the others. */
enum status teacher_finish(struct teacher *teacher, struct error *err);
void teacher_close(struct teacher *teacher); /* NULL is fine */

#endif
