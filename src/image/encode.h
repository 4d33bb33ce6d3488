/* Encoding pictures: JPEG, PNG, PPM, to memory and to files. */
#ifndef RETORT_IMAGE_ENCODE_H
#define RETORT_IMAGE_ENCODE_H

#include "image/image.h"

enum image_format { IMAGE_JPEG, IMAGE_PNG, IMAGE_PPM };

enum { IMAGE_QUALITY = 90 }; /* of JPEG, where the user names none */

/* *data is malloced, owned by the caller, *n bytes; NULL after an error. quality (JPEG only) is 1 to 100,
 * chroma is halved both ways. A format that the build lacks is ERR_USAGE. */
enum status image_encode(uint8_t **data, size_t *n, const struct image *image, enum image_format format,
                         int quality, struct error *err);

/* Writes the file in one atomic step; .jpg, .jpeg, .png, .ppm name the format, anything else is ERR_USAGE. */
enum status image_write(const char *path, const struct image *image, int quality, struct error *err);

#endif
