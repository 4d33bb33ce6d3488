/* Convex polygons as coverage: 8-bit masks with smooth edges. */
#ifndef RETORT_WORLD_AREA_H
#define RETORT_WORLD_AREA_H

#include <stdint.h>

enum { AREA_MAX_ROW = 8192 }; /* columns of a picture at most */

/* Rows [y0, y1) and columns [x0, x1) of a picture; empty when x0 >= x1. */
struct area {
    int x0, y0, x1, y1;
};

/* The part of the picture that the polygon touches. */
struct area area_bounds(const double (*corners)[2], int n, int width, int height);

/* Coverage of one row of pixels, 0 to 255, for the columns [x0, x1) into row[0..x1 - x0). Corners in any
 * winding. */
void area_row(uint8_t *row, const double (*corners)[2], int n, int y, int x0, int x1);

/* mask = max(mask, coverage). */
void area_fill(uint8_t *mask, int width, int height, const double (*corners)[2], int n);

#endif
