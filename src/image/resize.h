/* The two 8-bit resizes, bit-exact: integer arithmetic after the coefficients, which are IEEE doubles and
 * floats.
 *
 * Both take any size to any size, one channel like the other. `in` and `out` must be different pictures. */
#ifndef RETORT_IMAGE_RESIZE_H
#define RETORT_IMAGE_RESIZE_H

#include "image/image.h"

/* What resizing needs beside the pictures, used again while it is large enough. Start with {0}. */
struct resize_scratch {
    void *memory;
    size_t bytes;
};
void resize_scratch_free(struct resize_scratch *scratch); /* leaves {0} */

/* Bilinear with half-pixel centres and 11-bit weights [YOLO11]: the detector's resize.
 * Exact halving of both sides is the rounded mean of 2x2 pixels. */
enum status resize_bilinear(struct image *out, const struct image *in, int width, int height,
                            struct error *err);

/* The same into rows of width*3 bytes, stride bytes apart. */
enum status resize_bilinear_into(uint8_t *out, size_t stride, int width, int height, const struct image *in,
                                 struct resize_scratch *scratch, struct error *err);

/* Which pass of the antialiased resize comes first; results differ by one level at most. */
enum resize_order {
    RESIZE_HORIZONTAL_FIRST, /* ours, and Pillow's before version 13 */
    RESIZE_PILLOW13, /* vertical first when the height shrinks by more than twice as many rows as columns go
                      */
};

/* Triangle filter as wide as the reduction, 22-bit weights, 8 bits between the passes [ViT]:
 * the embedder's resize. */
enum status resize_antialias(struct image *out, const struct image *in, int width, int height,
                             enum resize_order order, struct error *err);

#endif
