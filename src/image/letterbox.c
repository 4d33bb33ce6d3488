#include "image/letterbox.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static int round_size(double v)
{
    const int n = (int)rint(v);
    return n > 1 ? n : 1;
}

static double smaller(double a, double b) { return a < b ? a : b; }

/* Places loaded_width x loaded_height on the target (2.1). */
static void place(struct letterbox *box, int target_width, int target_height, bool rectangular, bool enlarge)
{
    assert(box->loaded_width > 0 && box->loaded_height > 0 && target_width > 0 && target_height > 0);
    box->ratio =
        smaller((double)target_height / box->loaded_height, (double)target_width / box->loaded_width);
    if (!enlarge) box->ratio = smaller(box->ratio, 1);
    box->inner_width = round_size(box->loaded_width * box->ratio);
    box->inner_height = round_size(box->loaded_height * box->ratio);
    int across = target_width - box->inner_width, down = target_height - box->inner_height;
    if (rectangular) {
        across %= LETTERBOX_STRIDE;
        down %= LETTERBOX_STRIDE;
    }
    box->left = (int)rint(across / 2.0 - 0.1);
    box->right = (int)rint(across / 2.0 + 0.1);
    box->top = (int)rint(down / 2.0 - 0.1);
    box->bottom = (int)rint(down / 2.0 + 0.1);
    box->width = box->inner_width + box->left + box->right;
    box->height = box->inner_height + box->top + box->bottom;
}

struct letterbox letterbox_detect(int width, int height, int target_width, int target_height,
                                  bool rectangular)
{
    struct letterbox box = {
        .source_width = width, .source_height = height, .loaded_width = width, .loaded_height = height};
    place(&box, target_width, target_height, rectangular, true);
    /* Mapping back starts from the canvas, not from the ratio above (3.3). */
    const double gain = smaller((double)box.height / height, (double)box.width / width);
    const int inner_width = round_size(width * gain), inner_height = round_size(height * gain);
    box.gain_x = (double)inner_width / width;
    box.gain_y = (double)inner_height / height;
    box.pad_x = (int)rint((box.width - inner_width) / 2.0 - 0.1);
    box.pad_y = (int)rint((box.height - inner_height) / 2.0 - 0.1);
    return box;
}

struct letterbox letterbox_validate(int width, int height, int size, int target_width, int target_height)
{
    struct letterbox box = {.source_width = width, .source_height = height};
    letterbox_load_size(width, height, size, &box.loaded_width, &box.loaded_height);
    place(&box, target_width, target_height, false, false);
    box.gain_x = (double)box.loaded_width / width * box.ratio;
    box.gain_y = (double)box.loaded_height / height * box.ratio;
    box.pad_x = box.left;
    box.pad_y = box.top;
    return box;
}

void letterbox_load_size(int width, int height, int size, int *loaded_width, int *loaded_height)
{
    const double ratio = (double)size / (width > height ? width : height);
    *loaded_width = width;
    *loaded_height = height;
    if (ratio == 1) return;
    *loaded_width = (int)smaller(ceil(width * ratio), size);
    *loaded_height = (int)smaller(ceil(height * ratio), size);
}

void letterbox_batch_shape(double lowest, double highest, int size, int *width, int *height)
{
    double w = 1, h = 1;
    if (highest < 1)
        h = highest;
    else if (lowest > 1)
        w = 1 / lowest;
    *width = (int)ceil(w * size / LETTERBOX_STRIDE + 0.5) * LETTERBOX_STRIDE;
    *height = (int)ceil(h * size / LETTERBOX_STRIDE + 0.5) * LETTERBOX_STRIDE;
}

void letterbox_scratch_free(struct letterbox_scratch *scratch)
{
    image_free(&scratch->loaded);
    resize_scratch_free(&scratch->resize);
}

enum status letterbox_apply(struct image *out, const struct image *in, const struct letterbox *box,
                            struct letterbox_scratch *scratch, struct error *err)
{
    assert(in->width == box->source_width && in->height == box->source_height);
    if (box->loaded_width != in->width || box->loaded_height != in->height) {
        struct image *const loaded = &scratch->loaded;
        TRY(image_reserve(loaded, box->loaded_width, box->loaded_height, err));
        TRY(resize_bilinear_into(loaded->pixels, (size_t)loaded->width * 3, loaded->width, loaded->height, in,
                                 &scratch->resize, err));
        in = loaded;
    }
    TRY(image_reserve(out, box->width, box->height, err));
    if (box->inner_width != box->width || box->inner_height != box->height) image_fill(out, LETTERBOX_BORDER);
    const size_t stride = (size_t)box->width * 3;
    return resize_bilinear_into(out->pixels + (size_t)box->top * stride + (size_t)box->left * 3, stride,
                                box->inner_width, box->inner_height, in, &scratch->resize, err);
}

void letterbox_input(float *out, const struct image *in)
{
    float table[256];
    for (int i = 0; i < 256; i++) table[i] = (float)i / 255.0f;
    const size_t n = image_bytes(in);
    for (size_t i = 0; i < n; i++) out[i] = table[in->pixels[i]];
}
