#include "select/embed.h"

#include "nn/load.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void forget_plan(struct embedder *e)
{
    net_free(&e->net);
    graph_free(&e->graph);
    e->width = e->height = 0;
}

static enum status build(struct embedder *e, int width, int height, struct error *err)
{
    forget_plan(e);
    graph_begin(&e->graph, &e->params);
    if (e->kind == EMBEDDER_VIT) {
        struct vit model;
        TRY(vit_build(&model, &e->graph, e->config.vit, height, width, false, err));
        e->features = model.norm;
    } else {
        struct yolo11 model;
        TRY(yolo11_build_backbone(&model, &e->graph, e->config.detector, height, width, err));
        e->features = model.features;
    }
    e->dim = e->graph.tensors[e->features].channels;
    return OK;
}

static enum status plan(struct embedder *e, int width, int height, struct error *err)
{
    if (e->width == width && e->height == height) return OK;
    TRY(build(e, width, height, err));
    const struct net_options options = {.batch = 1,
                                        .threads = e->threads,
                                        .mode = NET_INFERENCE,
                                        .plan = e->plan,
                                        .memory_limit = e->memory_limit};
    TRY(net_create(&e->net, &e->graph, e->kernels, options, err));
    e->width = width;
    e->height = height;
    return OK;
}

/* The side of the pictures that a transformer was trained on. */
static enum status read_side(struct embedder *e, const struct weights *weights, struct error *err)
{
    const char *text = weights_metadata(weights, "image_size");
    char *end;
    e->side = EMBEDDER_VIT_SIDE;
    if (!text) return OK;
    const long side = strtol(text, &end, 10);
    if (end == text || *end || side < VIT_PATCH || side > LETTERBOX_SIZE || side % VIT_PATCH)
        return fail(err, ERR_INPUT,
                    "%s: metadata \"image_size\": expected a multiple of %d up to %d, found \"%.20s\"",
                    weights->path, VIT_PATCH, LETTERBOX_SIZE, text);
    e->side = (int)side;
    return OK;
}

static enum status load(struct embedder *e, const struct weights *weights, struct error *err)
{
    if (weights_find(weights, "cls_token")) {
        TRY(vit_identify(&e->config.vit, weights, err));
        TRY(read_side(e, weights, err));
        TRY(build(e, e->side, e->side, err));
        return params_load(&e->params, weights, err);
    }
    if (!weights_find(weights, "model.0.conv.weight"))
        return fail(err, ERR_INPUT, "%s: neither a vision transformer (no cls_token) nor a detector",
                    weights->path);
    e->kind = EMBEDDER_DETECTOR;
    TRY(yolo11_identify(&e->config.detector, weights, err));
    TRY(build(e, LETTERBOX_STRIDE, LETTERBOX_STRIDE, err));
    int copied;
    TRY(params_load_matching(&e->params, weights, &copied, err));
    if (copied < e->params.count)
        return fail(err, ERR_INPUT, "%s: %d of the backbone's %d tensors are there with the expected shape",
                    weights->path, copied, e->params.count);
    return OK;
}

enum status embedder_open(struct embedder *e, const char *weights_path, const struct kernels *kernels,
                          int threads, struct error *err)
{
    struct weights weights;
    *e = (struct embedder){.kind = EMBEDDER_VIT, .kernels = kernels, .threads = threads};
    TRY(weights_open(&weights, weights_path, err));
    const enum status status = load(e, &weights, err);
    weights_close(&weights);
    if (status != OK) embedder_close(e);
    return status;
}

void embedder_close(struct embedder *e)
{
    forget_plan(e);
    params_free(&e->params);
    image_free(&e->canvas);
    letterbox_scratch_free(&e->letterbox);
}

void embed_input(float *out, const struct image *image)
{
    static const float mean[3] = {0.485f, 0.456f, 0.406f}, deviation[3] = {0.229f, 0.224f, 0.225f};
    const size_t pixels = (size_t)image->width * (size_t)image->height;
    for (size_t i = 0; i < pixels; i++)
        for (size_t c = 0; c < 3; c++)
            out[3 * i + c] = ((float)image->pixels[3 * i + c] / 255.f - mean[c]) / deviation[c];
}

bool embed_normalise(float *values, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++) sum += (double)values[i] * values[i];
    if (sum == 0) return false;
    const double norm = sqrt(sum);
    for (int i = 0; i < n; i++) values[i] = (float)(values[i] / norm);
    return true;
}

/* Fills the net's input, planning it first. */
static enum status fill_input(struct embedder *e, const struct image *image, struct error *err)
{
    if (e->kind == EMBEDDER_VIT) {
        TRY(resize_antialias(&e->canvas, image, e->side, e->side, RESIZE_HORIZONTAL_FIRST, err));
        TRY(plan(e, e->side, e->side, err));
        embed_input(net_value(&e->net, e->graph.input).data, &e->canvas);
        return OK;
    }
    const struct letterbox box =
        letterbox_detect(image->width, image->height, LETTERBOX_SIZE, LETTERBOX_SIZE, true);
    TRY(letterbox_apply(&e->canvas, image, &box, &e->letterbox, err));
    TRY(plan(e, box.width, box.height, err));
    letterbox_input(net_value(&e->net, e->graph.input).data, &e->canvas);
    return OK;
}

enum status embed_image(struct embedder *e, const struct image *image, float *out, bool *zero,
                        struct error *err)
{
    TRY(fill_input(e, image, err));
    net_forward(&e->net);
    memcpy(out, net_value(&e->net, e->features).data, (size_t)e->dim * sizeof *out);
    const bool unit = embed_normalise(out, e->dim);
    if (zero) *zero = !unit;
    return OK;
}
