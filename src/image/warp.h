/* Affine warp of training pictures [YOLO11], float32 in a fixed order. */
#ifndef RETORT_IMAGE_WARP_H
#define RETORT_IMAGE_WARP_H

#include "image/image.h"

/* out(x, y) = in at the inverse of the forward matrix m (source to result), bilinear; integer coordinates are
 * pixel centres. A neighbour outside the picture counts as `border` on its own, so that edges blend. A matrix
 * without an inverse shows the first pixel everywhere. `in` and `out` must differ. */
enum status warp_affine(struct image *out, const struct image *in, const double m[2][3], int width,
                        int height, uint8_t border, struct error *err);

#endif
