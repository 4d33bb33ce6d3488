/* Whole networks on small pictures: the detector's layers, its gradients and statistics, the smallest
 * detector, a two-block vision transformer. */
#include "golden.h"

#include "detect/yolo11.h"
#include "op_cases.h"
#include "select/vit.h"

#include <stdio.h>
#include <stdlib.h>

/* A network with parameters and input by formula. */
struct model {
    struct params params;
    struct graph graph;
    struct net net;
};

static enum status start(struct model *m, struct golden *golden, int batch, enum net_mode mode,
                         enum net_plan plan, struct error *err)
{
    op_case_params(&m->params);
    const struct net_options options = {
        .batch = batch, .threads = golden->threads, .mode = mode, .plan = plan};
    golden->plan = net_plan_name(plan);
    const enum status status = net_create(&m->net, &m->graph, golden->kernels, options, err);
    if (status != OK) return status;
    const struct view x = net_value(&m->net, m->graph.input);
    op_case_uniform(x.data, "picture", (size_t)x.pixels * (size_t)x.channels);
    net_forward(&m->net);
    return OK;
}

static void finish(struct model *m)
{
    net_free(&m->net);
    graph_free(&m->graph);
    params_free(&m->params);
}

/* A tensor's values, or its gradient's, without the other channels of its storage. */
static void emit(struct golden *golden, const char *stage, struct view view)
{
    const size_t channels = (size_t)view.channels;
    float *values = malloc((size_t)view.pixels * channels * sizeof *values);
    if (!values) {
        golden_fail(golden, stage, "no memory");
        return;
    }
    for (int64_t i = 0; i < view.pixels; i++)
        memcpy(values + (size_t)i * channels, view.data + i * view.stride, channels * sizeof *values);
    golden_emit(golden, stage, values, (size_t)view.pixels * channels);
    free(values);
}

static enum status build(struct model *m, struct yolo11 *model, enum yolo11_scale scale, int side,
                         struct error *err)
{
    *m = (struct model){0};
    graph_begin(&m->graph, &m->params);
    return yolo11_build(model, &m->graph, (struct yolo11_config){.scale = scale, .classes = 3}, side, side,
                        err);
}

static void emit_head(struct golden *golden, const char *prefix, const struct model *m,
                      const struct yolo11 *model)
{
    for (int i = 0; i < HEAD_LEVELS; i++) {
        char stage[64];
        snprintf(stage, sizeof stage, "models.%s-boxes%d", prefix, i);
        emit(golden, stage, net_value(&m->net, model->boxes[i]));
        snprintf(stage, sizeof stage, "models.%s-scores%d", prefix, i);
        emit(golden, stage, net_value(&m->net, model->scores[i]));
    }
}

/* Layers in frozen mode, made outputs so that they are kept; the head in inference, which folds the batch
 * norm. */
static void detector_layers(struct golden *golden, enum yolo11_scale scale, int side, enum net_plan plan)
{
    static const int layers[] = {0, 4, 8, 9, 10, 13, 16, 22};
    struct model m;
    struct yolo11 model;
    struct error err;
    enum status status = build(&m, &model, scale, side, &err);
    for (size_t i = 0; status == OK && i < sizeof layers / sizeof *layers; i++)
        graph_output(&m.graph, model.layer[layers[i]]);
    if (status == OK) status = start(&m, golden, 1, NET_FROZEN, plan, &err);
    for (size_t i = 0; status == OK && i < sizeof layers / sizeof *layers; i++) {
        char stage[64];
        snprintf(stage, sizeof stage, "models.%s-layer%d", yolo11_name(scale), layers[i]);
        emit(golden, stage, net_value(&m.net, model.layer[layers[i]]));
    }
    finish(&m);
    if (status != OK) golden_fail(golden, "models.layers", err.message);
}

static void detector(struct golden *golden, enum yolo11_scale scale, int side, enum net_plan plan)
{
    struct model m;
    struct yolo11 model;
    struct error err;
    enum status status = build(&m, &model, scale, side, &err);
    if (status == OK) status = start(&m, golden, 1, NET_INFERENCE, plan, &err);
    if (status == OK) emit_head(golden, yolo11_name(scale), &m, &model);
    finish(&m);
    if (status != OK) golden_fail(golden, "models.detector", err.message);
}

/* Pictures in training mode: head, moved statistics, and the gradients of sum(logits * weights). */
static void detector_training(struct golden *golden, int side, int pictures, enum net_plan plan)
{
    struct model m;
    struct yolo11 model;
    struct error err;
    enum status status = build(&m, &model, YOLO11_PICO, side, &err);
    if (status == OK) status = start(&m, golden, pictures, NET_TRAINING, plan, &err);
    float *gradients = calloc(m.params.trainable + 1, sizeof *gradients);
    if (status == OK && gradients) {
        emit_head(golden, "training", &m, &model);
        golden_emit(golden, "models.training-statistics", m.params.values + m.params.trainable,
                    m.params.total - m.params.trainable);
        for (int i = 0; i < m.graph.outputs; i++) {
            const struct view dy = net_gradient(&m.net, m.graph.output[i]);
            for (int64_t p = 0; p < dy.pixels; p++)
                op_case_uniform(dy.data + p * dy.stride, "logits", (size_t)dy.channels);
        }
        net_backward(&m.net, gradients);
        golden_emit(golden, "models.training-gradients", gradients, m.params.trainable);
    } else {
        golden_fail(golden, "models.training", "no memory");
    }
    free(gradients);
    finish(&m);
}

static void transformer(struct golden *golden)
{
    const struct vit_config config = {.dim = 96, .depth = 2, .heads = 3, .mlp = 384, .grid = 5};
    struct model m = {0};
    struct vit model;
    struct error err;
    graph_begin(&m.graph, &m.params);
    enum status status = vit_build(&model, &m.graph, config, 56, 42, true, &err);
    if (status == OK) status = start(&m, golden, 1, NET_TRAINING, PLAN_EXACT, &err);
    float *gradients = calloc(m.params.trainable + 1, sizeof *gradients);
    if (status == OK && gradients) {
        emit(golden, "models.vit-tokens", net_value(&m.net, model.tokens));
        emit(golden, "models.vit-block0", net_value(&m.net, model.block[0]));
        emit(golden, "models.vit-block1", net_value(&m.net, model.block[1]));
        emit(golden, "models.vit-norm", net_value(&m.net, model.norm));
        const struct view dy = net_gradient(&m.net, model.norm);
        op_case_uniform(dy.data, "tokens", (size_t)dy.pixels * (size_t)dy.stride);
        net_backward(&m.net, gradients);
        golden_emit(golden, "models.vit-gradients", gradients, m.params.trainable);
        emit(golden, "models.vit-input-gradient", net_gradient(&m.net, m.graph.input));
    } else {
        golden_fail(golden, "models.vit", "no memory");
    }
    free(gradients);
    finish(&m);
}

void golden_models(struct golden *golden)
{
    detector_layers(golden, YOLO11_N, 64, PLAN_EXACT);
    detector(golden, YOLO11_N, 64, PLAN_EXACT);
    detector(golden, YOLO11_PICO, 64, PLAN_EXACT);
    detector_training(golden, 32, 2, PLAN_EXACT);
    /* The smallest pictures with maps that the fast plan treats differently. */
    detector_layers(golden, YOLO11_PICO, 96, PLAN_FAST);
    detector(golden, YOLO11_PICO, 96, PLAN_FAST);
    detector_training(golden, 96, 1, PLAN_FAST);
    detector(golden, YOLO11_PICO, 96, PLAN_FAST_0_1);
    detector_training(golden, 96, 1, PLAN_FAST_0_1);
    transformer(golden);
}
