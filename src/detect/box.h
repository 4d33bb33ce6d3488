/* Boxes, detections and the overlaps that suppression, loss and scores take [YOLO11, COCO]. */
#ifndef RETORT_DETECT_BOX_H
#define RETORT_DETECT_BOX_H

/* Corners in pixels; what pixels (network input or original picture) is said where a box is made. */
struct box {
    float x1, y1, x2, y2;
};

struct detection {
    struct box box;
    float confidence; /* probability of class_id, in [0, 1] */
    int class_id;
    int anchor; /* anchor point of its image, or -1 */
};

/* x1 = cx - w/2 and so on, in float. */
static inline struct box box_from_centre(float cx, float cy, float w, float h)
{
    return (struct box){cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2};
}

/* Overlap for suppression: float, no epsilon. Boxes that share no area give 0, also where both areas are 0.
 */
float box_iou(struct box a, struct box b);

/* Overlap for average precision: inter / (area(truth) + area(found) - inter + 1e-7), float. */
float box_iou_metric(struct box truth, struct box found);

/* Overlap of x, y, width, height boxes in double, as COCO's tool takes it. With `crowd` the union is the area
 * of `found` alone. */
double box_iou_coco(const double found[4], const double truth[4], int crowd);

/* How a picture lies in the network input: x_input = x_picture * gain_x + pad_x. */
struct box_mapping {
    float gain_x, gain_y;
    float pad_x, pad_y;
    float width, height; /* of the original picture */
};

/* Network input to original picture, clamped to it; no rounding to whole pixels. */
struct box box_to_picture(struct box box, const struct box_mapping *mapping);

#endif
