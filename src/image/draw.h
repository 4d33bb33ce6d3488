/* Drawing detections: rectangles and labels whose strength follows the picture's size. */
#ifndef RETORT_IMAGE_DRAW_H
#define RETORT_IMAGE_DRAW_H

#include "image/image.h"
#include "image/plates.h"

#include <stdbool.h>

/* The colour of a class: hues far apart for neighbouring numbers. */
void draw_colour(uint8_t rgb[3], int class_id);

struct draw_object {
    double box[4]; /* x1, y1, x2, y2 in pixels of the picture; real numbers are rounded */
    int class_id;
    const char *label; /* ASCII; other bytes are drawn as '?'. NULL or "": none */
};

/* The outlines of the objects [count] in their class colours, each with its label on a filled plate where
 * plates_place finds room; a line leads from a plate to a box that it does not touch. The first objects get
 * their place first and lie on top. Outlines are cut to the picture. plates [count] is scratch and tells
 * where the labels are. */
void draw_detections(struct image *image, const struct draw_object *objects, struct plate *plates, int count);

/* The outline of one box in a colour of its own; dashed: strokes and gaps are equally long. Cut to the picture. */
void draw_outline(struct image *image, const double box[4], const uint8_t rgb[3], bool dashed);

/* One object; label may be NULL. */
void draw_detection(struct image *image, const double box[4], int class_id, const char *label);

#endif
