#include "train/report_image.h"

#include "image/encode.h"
#include "image/resize.h"

#include <stdlib.h>

enum { QUALITY = 80 };

enum status report_image_shrink(struct image *small, const struct image *picture, int width,
                                struct error *err)
{
    if (picture->width <= width) return image_copy(small, picture, err);
    const int height = (int)(((int64_t)picture->height * width + picture->width / 2) / picture->width);
    return resize_antialias(small, picture, width, height > 0 ? height : 1, RESIZE_HORIZONTAL_FIRST, err);
}

enum status report_image_encode(struct report_picture *shown, const struct image *image, struct error *err)
{
    uint8_t *jpeg;
    TRY(image_encode(&jpeg, &shown->size, image, IMAGE_JPEG, QUALITY, err));
    shown->jpeg = jpeg;
    return OK;
}

void report_image_release(struct report_picture *pictures, int count)
{
    for (int i = 0; i < count; i++) free((uint8_t *)pictures[i].jpeg);
}
