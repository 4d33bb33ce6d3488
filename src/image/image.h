/* 8-bit RGB pictures. */
#ifndef RETORT_IMAGE_IMAGE_H
#define RETORT_IMAGE_IMAGE_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

enum { IMAGE_MAX_SIDE = 16384, IMAGE_MAX_PIXELS = 1 << 27 };

/* Row-major, three bytes a pixel (R, G, B), rows without gaps. Owner: whoever called image_alloc or a decoder. */
struct image {
    int width, height;
    uint8_t *pixels;
};

/* Uninitialised pixels; ERR_INPUT when a side is not in [1, IMAGE_MAX_SIDE] or the area is over IMAGE_MAX_PIXELS. */
enum status image_alloc(struct image *image, int width, int height, struct error *err);
void image_free(struct image *image); /* {0} is fine; leaves {0} */

static inline size_t image_bytes(const struct image *image) { return (size_t)image->width * image->height * 3; }

#endif
