/* Letterbox: a picture of any size on a canvas of the network's size, aspect kept, border 114
 * [YOLO11], and its conversion to network input. */
#ifndef RETORT_IMAGE_LETTERBOX_H
#define RETORT_IMAGE_LETTERBOX_H

#include "image/resize.h"

#include <stdbool.h>

enum { LETTERBOX_BORDER = 114, LETTERBOX_STRIDE = 32, LETTERBOX_SIZE = 640 };

/* Where the picture lies on the canvas, and how boxes come back:
 * original x = (canvas x - pad_x) / gain_x, clamped to [0, source_width]; y likewise. */
struct letterbox {
    int source_width, source_height; /* the original picture */
    int loaded_width, loaded_height; /* after the loading resize of validation; else the source size */
    int inner_width, inner_height;   /* on the canvas */
    int left, right, top, bottom;    /* border, pixels */
    int width, height;               /* of the canvas = network input */
    double ratio;                    /* of the letterbox step: inner / loaded before rounding */
    double gain_x, gain_y;           /* canvas pixels per original pixel */
    int pad_x, pad_y;
};

/* Detection. rectangular: the border is cut to less than a stride, as for one picture or pictures of one
 * size; otherwise the canvas is the whole target, as for a batch of pictures of several sizes. Small pictures
 * are enlarged. */
struct letterbox letterbox_detect(int width, int height, int target_width, int target_height,
                                  bool rectangular);

/* Validation: the loading resize to a long side of `size` (up or down), then the target without enlarging.
 * The target is size x size, or the shape of the batch from letterbox_batch_shape. */
struct letterbox letterbox_validate(int width, int height, int size, int target_width, int target_height);

/* Size of a picture after loading for validation and training: the longer side becomes `size`, the other is
 * rounded up. */
void letterbox_load_size(int width, int height, int size, int *loaded_width, int *loaded_height);

/* Canvas of a rectangular validation batch whose height/width ratios lie in [lowest, highest]. */
void letterbox_batch_shape(double lowest, double highest, int size, int *width, int *height);

/* What letterbox_apply needs beside the pictures, used again from picture to picture. Start with {0}. */
struct letterbox_scratch {
    struct image loaded;
    struct resize_scratch resize;
};
void letterbox_scratch_free(struct letterbox_scratch *scratch); /* leaves {0} */

/* Resizes and frames `in`, whose size is box->source_width x source_height. Allocates nothing while the sizes
 * in box stay. */
enum status letterbox_apply(struct image *out, const struct image *in, const struct letterbox *box,
                            struct letterbox_scratch *scratch, struct error *err);

/* Height x width x 3 floats, value / 255 correctly rounded, R G B as stored. */
void letterbox_input(float *out, const struct image *in);

#endif
