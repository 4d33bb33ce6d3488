/* 8-bit RGB pictures. */
#ifndef RETORT_IMAGE_IMAGE_H
#define RETORT_IMAGE_IMAGE_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

enum { IMAGE_MAX_SIDE = 16384, IMAGE_MAX_PIXELS = 1 << 27 };

/* Row-major, three bytes a pixel (R, G, B), rows without gaps. Start with {0}.
 *
 * Every function of this folder with a `struct image *out` calls image_reserve: out is {0} or an earlier
 * picture whose memory is used again when it fits. The caller owns it, after an error too, and ends with one
 * image_free. */
struct image {
    int width, height;
    uint8_t *pixels;
};

/* Uninitialised pixels; ERR_INPUT when a side is not in [1, IMAGE_MAX_SIDE] or the area is over
 * IMAGE_MAX_PIXELS. image_alloc overwrites *image; image_reserve keeps its memory when the number of pixels
 * is the same and releases it otherwise. Both leave {0} when they fail. */
enum status image_alloc(struct image *image, int width, int height, struct error *err);
enum status image_reserve(struct image *image, int width, int height, struct error *err);
void image_free(struct image *image); /* {0} is fine; leaves {0} */

/* ERR_INPUT with "name: ..." when a picture of this size is over the limits above; sizes come from a file. */
enum status image_check_size(const char *name, uint64_t width, uint64_t height, struct error *err);

enum status image_copy(struct image *out, const struct image *in, struct error *err);
void image_fill(struct image *image, uint8_t value); /* all three channels */

/* Copies `in` with its top left corner at (x, y) of the canvas, which may lie outside; what sticks out is
 * cut. */
void image_paste(struct image *canvas, const struct image *in, int x, int y);

static inline size_t image_bytes(const struct image *image)
{
    return (size_t)image->width * image->height * 3;
}

#endif
