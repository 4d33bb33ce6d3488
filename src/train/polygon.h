/* Polygons cut by a rectangle. */
#ifndef RETORT_TRAIN_POLYGON_H
#define RETORT_TRAIN_POLYGON_H

#include <stdbool.h>

/* x' = scale[0] * x + shift[0], and y with [1]. */
struct polygon_move {
    double scale[2], shift[2];
};

/* The box around what a polygon of `count` >= 3 corners x, y covers of the rectangle low..high (x, y), after
 * it moved: low and high become the box. False, and they are kept, when nothing is inside. A polygon that
 * crosses itself counts by the even-odd rule. */
bool polygon_box_inside(double low[2], double high[2], const float *points, int count,
                        const struct polygon_move *move);

#endif
