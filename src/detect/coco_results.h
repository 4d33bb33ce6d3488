/* Detections as COCO's results format has them, a JSON array:
 *
 *     [{"image_id":139,"category_id":3,"bbox":[x, y, width, height],"score":0.93}, ...]
 *
 * Boxes are in pixels of the picture. image_id is the number that the file is called by (000000000139.jpg is
 * 139), the frame's number for a stream (name#12), and otherwise the name without folder and ending, as text.
 * category_id is COCO's own number for a model of its 80 classes, else the class's number plus 1. */
#ifndef RETORT_DETECT_COCO_RESULTS_H
#define RETORT_DETECT_COCO_RESULTS_H

#include "base/file.h"
#include "base/json_write.h"
#include "detect/box.h"

struct coco_results {
    struct file_writer file;
    struct json_writer out;
    bool open, coco; /* coco: its own category numbers */
};

/* names: [classes], of the model whose class ids are added; NULL: merged to one. Nothing is at path before
 * the end; after OK exactly one of end and discard must follow. */
enum status coco_results_begin(struct coco_results *results, const char *path, const char *const *names,
                               int classes, struct error *err);
void coco_results_add(struct coco_results *results, const char *picture, const struct detection *found,
                      int count);
enum status coco_results_end(struct coco_results *results, struct error *err);
void coco_results_discard(struct coco_results *results); /* fine when it never began or has ended */

#endif
