/* Weighted box fusion: one list of detections from those of several views of one picture [WBF].
 *
 * All boxes, the most confident first, then the earlier view, then the earlier box, join clusters. A box joins the
 * cluster of its class whose present fused box it overlaps most, where that is more than FUSE_IOU (box_iou; the earlier
 * cluster at ties), or else begins one. A cluster's fused box is the mean of its members' corners weighted by their
 * confidences; its confidence is the members' mean confidence times min(members, views) / views, so that what few views
 * found counts for less. Sums are doubles in that order, rounded to float once. Unlike suppression it also joins boxes
 * of one view that overlap by more than FUSE_IOU. Memory is fixed; nothing is allocated. */
#ifndef RETORT_DETECT_FUSE_H
#define RETORT_DETECT_FUSE_H

#include "base/rank.h"
#include "detect/nms.h"

enum { FUSE_MAX_VIEWS = 4, FUSE_MAX_BOXES = FUSE_MAX_VIEWS * NMS_MAX_DETECTIONS };
static const float FUSE_IOU = 0.5f;

struct fuse_cluster {
    struct box box; /* fused, of the members so far */
    int class_id, members;
    double weight, corners[4]; /* sums over members: confidence, and confidence times x1, y1, x2, y2 */
};

/* Of one picture; some 150 KB. */
struct fuse {
    int views, count, clusters; /* offered: views and their boxes; clusters made of them */
    struct detection found[FUSE_MAX_BOXES];
    struct rank order[FUSE_MAX_BOXES]; /* of boxes, then of clusters */
    struct fuse_cluster cluster[FUSE_MAX_BOXES];
};

/* Forgets all views: a new picture begins. */
void fuse_begin(struct fuse *fuse);

/* Offers what one more view found, also when that is nothing: boxes in pixels of the picture, the same for all views,
 * confidences in (0, 1]. count <= NMS_MAX_DETECTIONS; at most FUSE_MAX_VIEWS views. */
void fuse_offer(struct fuse *fuse, const struct detection *found, int count);

/* Fuses and writes the detections that are strictly more confident than `confidence` to out [NMS_MAX_DETECTIONS], the
 * most confident first, then the earlier cluster; returns their number and forgets the views. They have no anchor. */
int fuse_run(struct fuse *fuse, float confidence, struct detection *out);

#endif
