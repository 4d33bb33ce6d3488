/* Any bytes as a picture: JPEG, PNG, PNM, EXIF. */
#include "image/decode.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct image image = {0};
    struct error err;
    (void)image_decode(&image, data, size, "input", &err);
    image_free(&image);
    return 0;
}
