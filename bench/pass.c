/* Forward passes on values that lie ready: the detector as floats and as integers, ViT-S/14. */
#include "bench.h"

#include "base/rng.h"
#include "detect/head_decode.h"
#include "nn/load.h"
#include "select/vit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void bench_fill_uniform(float *values, const char *stream, size_t n, double low, double high)
{
    const uint64_t key = rng_key(0, stream);
    for (size_t i = 0; i < n; i++) values[i] = (float)(low + (high - low) * rng_real(key, i));
}

/* Values of a plausible size: factors 1, shifts 0, the rest uniform with variance 1 / fan-in. */
static void fill_params(struct params *params)
{
    for (int i = 0; i < params->count; i++) {
        const struct param *param = params->list + i;
        float *values = params_values(params, i);
        if (param->kind != PARAM_TRAINABLE) continue;
        if (param->dims == 1) {
            const float value = strstr(param->name, "bias") ? 0.f : 1.f;
            for (size_t j = 0; j < param->size; j++) values[j] = value;
            continue;
        }
        const double limit = sqrt(3.0 * (double)param->shape[0] / (double)param->size);
        bench_fill_uniform(values, param->name, param->size, -limit, limit);
    }
}

enum status bench_open_model(struct model *model, const struct bench_setup *setup, struct error *err)
{
    if (setup->weights) return model_open(model, setup->weights, err);
    TRY(model_make(model, (struct yolo11_config){.scale = YOLO11_N, .classes = 80}, err));
    fill_params(&model->params);
    return OK;
}

enum status bench_keep_pixels(struct bench_case *c, const struct npy *given, struct error *err)
{
    const size_t rows = (size_t)c->batch * (size_t)c->size * (size_t)c->size;
    c->pixel_bytes = rows * 3 * sizeof(float);
    c->pixels = malloc(c->pixel_bytes);
    if (!c->pixels) return fail_memory(err, "the input", c->pixel_bytes);
    if (!given->rows) {
        bench_fill_uniform(c->pixels, "picture", rows * 3, 0, 1);
        return OK;
    }
    if (given->columns != 3 || given->rows < (int64_t)rows)
        return fail(err, ERR_INPUT, "input: expected at least %zu rows of 3, found %lld of %lld", rows,
                    (long long)given->rows, (long long)given->columns);
    memcpy(c->pixels, given->values, c->pixel_bytes);
    return OK;
}

struct pass_state {
    struct model model; /* of the transformer its params only */
    struct graph graph;
    struct yolo11 detector;
    struct vit vit;
    struct net net;
};

static enum status pass_start(struct bench_case *c, const struct bench_setup *setup, const struct npy *input,
                              struct error *err)
{
    struct pass_state *s = c->state;
    const struct net_options options = {
        .batch = c->batch, .threads = c->threads, .mode = NET_INFERENCE, .plan = c->plan};
    TRY(net_create(&s->net, &s->graph, setup->kernels, options, err));
    return bench_keep_pixels(c, input, err);
}

static enum status forward_start(struct bench_case *c, const struct bench_setup *setup, struct error *err)
{
    struct pass_state *s = c->state = calloc(1, sizeof *s);
    if (!s) return fail_memory(err, "a case", sizeof *s);
    TRY(bench_open_model(&s->model, setup, err));
    TRY(model_network(&s->detector, &s->graph, &s->model, c->size, c->size, err));
    return pass_start(c, setup, &setup->input, err);
}

static enum status int8_start(struct bench_case *c, const struct bench_setup *setup, struct error *err)
{
    struct pass_state *s = c->state = calloc(1, sizeof *s);
    if (!s) return fail_memory(err, "a case", sizeof *s);
    TRY(model_open(&s->model, setup->int8, err));
    TRY(model_network(&s->detector, &s->graph, &s->model, c->size, c->size, err));
    return pass_start(c, setup, &setup->input, err);
}
static bool int8_ready(const struct bench_setup *setup) { return setup->int8 != NULL; }

static enum status vit_load(struct bench_case *c, struct pass_state *s, const char *path, struct error *err)
{
    struct weights file;
    struct vit_config config;
    TRY(weights_open(&file, path, err));
    enum status status = vit_identify(&config, &file, err);
    if (status == OK) status = vit_build(&s->vit, &s->graph, config, c->size, c->size, false, err);
    if (status == OK) status = params_load(&s->model.params, &file, err);
    weights_close(&file);
    return status;
}

static enum status vit_start(struct bench_case *c, const struct bench_setup *setup, struct error *err)
{
    static const struct vit_config small = {.dim = 384, .depth = 12, .heads = 6, .mlp = 1536, .grid = 37};
    struct pass_state *s = c->state = calloc(1, sizeof *s);
    if (!s) return fail_memory(err, "a case", sizeof *s);
    graph_begin(&s->graph, &s->model.params);
    if (setup->vit)
        TRY(vit_load(c, s, setup->vit, err));
    else {
        TRY(vit_build(&s->vit, &s->graph, small, c->size, c->size, false, err));
        fill_params(&s->model.params);
    }
    return pass_start(c, setup, &setup->patches, err);
}

/* Later layers use the input's memory again. */
static void pass_before(struct bench_case *c)
{
    const struct pass_state *s = c->state;
    memcpy(net_value(&s->net, s->graph.input).data, c->pixels, c->pixel_bytes);
}

static enum status pass_run(struct bench_case *c, struct error *err)
{
    (void)err;
    struct pass_state *s = c->state;
    net_forward(&s->net);
    return OK;
}

static void pass_stop(struct bench_case *c)
{
    struct pass_state *s = c->state;
    net_free(&s->net);
    graph_free(&s->graph);
    model_free(&s->model);
}

/* Decoded: [4 + classes, anchor points]. */
static enum status detector_write(const struct bench_case *c, const struct bench_setup *setup,
                                  const char *path, struct error *err)
{
    const struct pass_state *s = c->state;
    const struct head head = yolo11_head(&s->detector, &s->net, false);
    const int rows = 4 + head.classes, anchors = head_anchors(&head);
    float *out = malloc((size_t)rows * (size_t)anchors * sizeof *out);
    if (!out) return fail_memory(err, "the decoded output", (size_t)rows * (size_t)anchors * sizeof *out);
    head_decode_all(setup->kernels, &head, 0, out);
    const enum status status = npy_write(path, out, rows, anchors, err);
    free(out);
    return status;
}

/* [tokens, dim] after the final norm. */
static enum status vit_write(const struct bench_case *c, const struct bench_setup *setup, const char *path,
                             struct error *err)
{
    (void)setup;
    const struct pass_state *s = c->state;
    const int side = c->size / VIT_PATCH;
    return npy_write(path, net_value(&s->net, s->vit.norm).data, side * side + 1, s->vit.config.dim, err);
}

const struct bench_kind bench_forward = {.start = forward_start,
                                         .before = pass_before,
                                         .run = pass_run,
                                         .stop = pass_stop,
                                         .write = detector_write};
const struct bench_kind bench_int8 = {.start = int8_start,
                                      .before = pass_before,
                                      .run = pass_run,
                                      .stop = pass_stop,
                                      .write = detector_write,
                                      .ready = int8_ready};
const struct bench_kind bench_vit = {
    .start = vit_start, .before = pass_before, .run = pass_run, .stop = pass_stop, .write = vit_write};
