/* Any bytes as a picture: JPEG, PNG, PNM, EXIF. */
/* Parser: src/image/decode.c src/image/decode_jpeg.c src/image/decode_png.c */
/* Parser: src/image/decode_pnm.c src/image/orient.c -image_read -image_recognised */
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
