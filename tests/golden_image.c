/* Pictures: both resizes, letterbox, warp, colour jitter, drawing. */
#include "golden.h"

#include "base/rng.h"
#include "image/draw.h"
#include "image/hsv.h"
#include "image/letterbox.h"
#include "image/resize.h"
#include "image/warp.h"

enum { WIDTH = 97, HEIGHT = 61, SIZE = 64 };

static void emit(struct golden *golden, const char *stage, const struct image *image)
{
    golden_emit_bytes(golden, stage, image->pixels, image_bytes(image));
}

static enum status stages(struct golden *golden, struct image *in, struct image *out, struct error *err)
{
    TRY(image_reserve(in, WIDTH, HEIGHT, err));
    for (size_t i = 0; i < image_bytes(in); i++)
        in->pixels[i] = (uint8_t)(i / 3 % WIDTH + rng_u64(rng_key(20, "image"), i) % 128);
    TRY(resize_bilinear(out, in, 120, 33, err));
    emit(golden, "image.bilinear", out);
    TRY(resize_antialias(out, in, 40, 77, RESIZE_HORIZONTAL_FIRST, err));
    emit(golden, "image.antialias", out);
    const struct letterbox box = letterbox_detect(WIDTH, HEIGHT, SIZE, SIZE, true);
    struct letterbox_scratch scratch = {0};
    const enum status status = letterbox_apply(out, in, &box, &scratch, err);
    letterbox_scratch_free(&scratch);
    TRY(status);
    static float input[SIZE * SIZE * 3];
    letterbox_input(input, out);
    golden_emit(golden, "image.letterbox", input, image_bytes(out));
    const double m[2][3] = {{1.37, 0.1, -7.28}, {-0.2, 0.83, 5.44}};
    TRY(warp_affine(out, in, m, SIZE, SIZE, LETTERBOX_BORDER, err));
    emit(golden, "image.warp", out);
    hsv_jitter(in, 0.0075, 0.21, -0.4);
    emit(golden, "image.hsv", in);
    draw_detection(in, (const double[]){10.5, 20.5, 60.2, 50.7}, 7, "truck 0.81");
    emit(golden, "image.draw", in);
    return OK;
}

void golden_image(struct golden *golden)
{
    struct image in = {0}, out = {0};
    struct error err;
    if (stages(golden, &in, &out, &err) != OK) golden_fail(golden, "image.bilinear", err.message);
    image_free(&in);
    image_free(&out);
}
