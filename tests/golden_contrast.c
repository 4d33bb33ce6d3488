/* The contrastive loss with its gradient, and two steps of a small transformer that it trains. */
#include "golden.h"

#include "train/pretrain.h"

#include <stdlib.h>

enum { ROWS = 10, DIM = 33, SIDE = 28, CAMERAS = 2, PICTURES = 4 };

static enum status loss(struct golden *golden, struct arena *arena, struct error *err)
{
    static float values[ROWS * DIM], gradient[ROWS * DIM];
    struct contrast contrast;
    struct contrast_items items;
    golden_uniform(values, "contrast.rows", ROWS * DIM, 2);
    TRY(contrast_init(&contrast, arena, ROWS, DIM, 0.125, golden->threads, err));
    TRY(contrast_run(&contrast, &items, gradient, DIM, values, DIM, 0x1p32, err));
    golden_emit_bytes(golden, "contrast.loss", &items, sizeof items);
    golden_emit(golden, "contrast.gradient", gradient, ROWS * DIM);
    return OK;
}

static enum status add_pictures(struct views *views, struct error *err)
{
    struct image image = {0};
    enum status status = image_alloc(&image, 40, 30, err);
    for (int i = 0; status == OK && i < CAMERAS * PICTURES; i++) {
        for (size_t k = 0; k < image_bytes(&image); k++)
            image.pixels[k] = (uint8_t)(k * (size_t)(3 + i) / 7 + (size_t)i * 31);
        status = views_add(views, &image, i % PICTURES == 0, err);
    }
    image_free(&image);
    return status;
}

static enum status train(struct golden *golden, struct views *views, struct params *params, struct error *err)
{
    struct pretrain_options o = pretrain_defaults();
    struct pretrain_result result;
    o.dim = 32;
    o.depth = 1;
    o.pairs = 4;
    o.moments = 2;
    o.steps = 2;
    o.warmup = 1;
    o.threads = golden->threads;
    TRY(add_pictures(views, err));
    TRY(pretrain_run(&result, params, views, golden->kernels, &o, NULL, err));
    golden->plan = "fast";
    golden_emit(golden, "contrast.pretrained", params->values, params->total);
    return OK;
}

void golden_contrast(struct golden *golden)
{
    struct error err;
    struct arena arena = {0};
    struct views views = {.side = SIDE};
    struct params params = {0};
    enum status status = loss(golden, &arena, &err);
    if (status == OK) status = train(golden, &views, &params, &err);
    if (status != OK) golden_fail(golden, "contrast", err.message);
    params_free(&params);
    views_free(&views);
    arena_free(&arena);
}
