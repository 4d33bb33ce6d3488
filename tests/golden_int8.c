/* A quantised detector: what calibration chose, and what the integers give. */
#include "golden.h"

#include "detect/quantise.h"
#include "image/letterbox.h"
#include "op_cases.h"

#include <stdlib.h>
#include <string.h>

enum { SIDE = 64, PICTURES = 2 };

struct scene {
    struct model model, quantised;
    struct image pictures[PICTURES];
};

static enum status make(struct scene *s, struct golden *golden, struct error *err)
{
    TRY(model_make(&s->model, (struct yolo11_config){.scale = YOLO11_PICO, .classes = 3}, err));
    op_case_params(&s->model.params);
    for (int i = 0; i < PICTURES; i++) {
        TRY(image_alloc(s->pictures + i, SIDE, SIDE, err));
        for (size_t k = 0; k < image_bytes(s->pictures + i); k++)
            s->pictures[i].pixels[k] = (uint8_t)((k * 7919 + k / 191 * 104729 + (size_t)i * 31) >> 3);
    }
    const struct quantise_options options = {.method = QUANTISE_MSE, .threads = golden->threads};
    const struct quantise_pictures pictures = {s->pictures, PICTURES};
    return quantise_model(&s->quantised, &s->model, golden->kernels, &pictures, &options, NULL, err);
}

static void emit_layers(struct golden *golden, const struct quant *quant)
{
    size_t n = 0;
    for (int i = 0; i < quant->count; i++)
        n += 2 * (size_t)quant->layers[i].in + (size_t)quant->layers[i].out;
    float *values = malloc((n + 1) * sizeof *values);
    if (!values) {
        golden_fail(golden, "int8.scales", "no memory");
        return;
    }
    n = 0;
    for (int i = 0; i < quant->count; i++) {
        const struct quant_layer *layer = quant->layers + i;
        for (int c = 0; c < layer->in; c++) values[n++] = layer->input_scale[c];
        for (int c = 0; c < layer->in; c++) values[n++] = layer->input_zero[c];
        for (int o = 0; o < layer->out; o++) values[n++] = layer->weight_scale[o];
    }
    golden_emit(golden, "int8.scales", values, n);
    free(values);
}

static enum status run(const struct scene *s, struct golden *golden, struct error *err)
{
    struct graph graph;
    struct yolo11 network;
    struct net net = {0};
    enum status status = model_network(&network, &graph, &s->quantised, SIDE, SIDE, err);
    if (status == OK)
        status = net_create(&net, &graph, golden->kernels,
                            (struct net_options){.batch = 1, .threads = golden->threads}, err);
    if (status == OK) {
        letterbox_input(net_value(&net, graph.input).data, s->pictures);
        net_forward(&net);
        for (int i = 0; i < HEAD_LEVELS; i++) { /* outputs lie in storages of their own */
            static const char *const stages[HEAD_LEVELS][2] = {{"int8.boxes0", "int8.scores0"},
                                                               {"int8.boxes1", "int8.scores1"},
                                                               {"int8.boxes2", "int8.scores2"}};
            const struct view boxes = net_value(&net, network.boxes[i]),
                              scores = net_value(&net, network.scores[i]);
            golden_emit(golden, stages[i][0], boxes.data, (size_t)boxes.pixels * (size_t)boxes.channels);
            golden_emit(golden, stages[i][1], scores.data, (size_t)scores.pixels * (size_t)scores.channels);
        }
    }
    net_free(&net);
    graph_free(&graph);
    return status;
}

void golden_int8(struct golden *golden)
{
    struct scene s = {0};
    struct error err;
    golden->plan = net_plan_name(PLAN_FAST);
    enum status status = make(&s, golden, &err);
    if (status == OK) emit_layers(golden, &s.quantised.quant);
    if (status == OK) status = run(&s, golden, &err);
    for (int i = 0; i < PICTURES; i++) image_free(s.pictures + i);
    model_free(&s.quantised);
    model_free(&s.model);
    if (status != OK) golden_fail(golden, "int8", err.message);
}
