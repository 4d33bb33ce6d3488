/* Drawing detections: rectangles and labels whose strength follows the picture's size. */
#ifndef RETORT_IMAGE_DRAW_H
#define RETORT_IMAGE_DRAW_H

#include "image/image.h"

/* The colour of a class: hues far apart for neighbouring numbers. */
void draw_colour(uint8_t rgb[3], int class_id);

/* The outline of [x1, x2] x [y1, y2] in pixels of the picture (real numbers are rounded), in the class
 * colour, with the label on a filled plate above it, or below its upper edge when there is no room. Anything
 * outside the picture is cut. label is ASCII; other bytes are drawn as '?'. NULL or "" draws no plate. */
void draw_detection(struct image *image, const double box[4], int class_id, const char *label);

/* Width in pixels of the plate that this picture gives the label. */
int draw_label_width(const struct image *image, const char *label);

#endif
