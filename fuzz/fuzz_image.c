/* Any bytes as a picture: JPEG, PNG, PNM, EXIF; the header says the size that decoding finds. */
/* Parser: src/image/decode.c src/image/decode_jpeg.c src/image/decode_png.c */
/* Parser: src/image/decode_pnm.c src/image/orient.c -image_read -image_read_size -image_recognised */
#include "image/decode.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct image image = {0};
    struct error err;
    const enum status status = image_decode(&image, data, size, "input", &err);
    int width = 0, height = 0;
    if (status == OK && (image_size(&width, &height, data, size, "input", &err) != OK ||
                         width != image.width || height != image.height))
        abort();
    image_free(&image);
    return 0;
}
