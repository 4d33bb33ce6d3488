#include "image/image.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum status image_check_size(const char *name, uint64_t width, uint64_t height, struct error *err)
{
    if (width < 1 || height < 1 || width > IMAGE_MAX_SIDE || height > IMAGE_MAX_SIDE ||
        width * height > IMAGE_MAX_PIXELS)
        return fail(err, ERR_INPUT, "%s: %llu x %llu pixels, expected sides of 1 to %d and at most %d pixels",
                    name, (unsigned long long)width, (unsigned long long)height, IMAGE_MAX_SIDE,
                    IMAGE_MAX_PIXELS);
    return OK;
}

enum status image_alloc(struct image *image, int width, int height, struct error *err)
{
    *image = (struct image){0};
    TRY(image_check_size("picture", width > 0 ? (uint64_t)width : 0, height > 0 ? (uint64_t)height : 0, err));
    const size_t n = (size_t)width * (size_t)height * 3;
    uint8_t *pixels = malloc(n);
    if (!pixels) return fail_memory(err, "a picture", n);
    *image = (struct image){width, height, pixels};
    return OK;
}

enum status image_reserve(struct image *image, int width, int height, struct error *err)
{
    if (image->pixels && width > 0 && width <= IMAGE_MAX_SIDE && height > 0 && height <= IMAGE_MAX_SIDE &&
        (size_t)width * (size_t)height * 3 == image_bytes(image)) {
        image->width = width;
        image->height = height;
        return OK;
    }
    image_free(image);
    return image_alloc(image, width, height, err);
}

void image_free(struct image *image)
{
    free(image->pixels);
    *image = (struct image){0};
}

enum status image_copy(struct image *out, const struct image *in, struct error *err)
{
    TRY(image_reserve(out, in->width, in->height, err));
    memcpy(out->pixels, in->pixels, image_bytes(in));
    return OK;
}

void image_fill(struct image *image, uint8_t value) { memset(image->pixels, value, image_bytes(image)); }

void image_paste(struct image *canvas, const struct image *in, int x, int y)
{
    assert(canvas->pixels != in->pixels);
    const int x0 = x > 0 ? x : 0, y0 = y > 0 ? y : 0;
    const int x1 = canvas->width - x < in->width ? canvas->width : x + in->width;
    const int y1 = canvas->height - y < in->height ? canvas->height : y + in->height;
    if (x0 >= x1) return;
    for (int row = y0; row < y1; row++)
        memcpy(canvas->pixels + ((size_t)row * (size_t)canvas->width + (size_t)x0) * 3,
               in->pixels + ((size_t)(row - y) * (size_t)in->width + (size_t)(x0 - x)) * 3,
               (size_t)(x1 - x0) * 3);
}
