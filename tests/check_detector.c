#include "check_detector.h"

#include "check.h"
#include "check_net.h"

#include <stdlib.h>
#include <string.h>

void check_detector_build(struct check_detector *d, struct yolo11_config config, int height, int width)
{
    struct error err;
    *d = (struct check_detector){0};
    graph_begin(&d->graph, &d->params);
    check_ok(yolo11_build(&d->model, &d->graph, config, height, width, &err), &err);
    check_synth_params(&d->params);
}

void check_detector_plan(struct check_detector *d, enum net_mode mode, int images, int threads)
{
    struct error err;
    const struct kernels *kernels;
    const struct net_options options = {
        .batch = images, .threads = threads, .mode = mode, .plan = PLAN_EXACT};
    check_ok(kernels_get(&kernels, NULL, &err), &err);
    check_ok(net_create(&d->net, &d->graph, kernels, options, &err), &err);
    const struct view input = net_value(&d->net, d->graph.input);
    const size_t n = (size_t)input.pixels * (size_t)input.channels;
    float *values = malloc(n * sizeof *values);
    assert_non_null(values);
    check_uniform(values, "x", n);
    check_from_nchw(input, values);
    free(values);
}

void check_targets(struct target targets[CHECK_TARGETS], int classes)
{
    /* Image, class, centre, size. */
    static const struct target boxes[CHECK_TARGETS] = {
        {0, 0, 0.30f, 0.35f, 0.40f, 0.50f, 0},  {0, 17, 0.62f, 0.55f, 0.55f, 0.60f, 0},
        {0, 79, 0.85f, 0.15f, 0.12f, 0.10f, 0}, {1, 2, 0.50f, 0.50f, 0.90f, 0.80f, 0},
        {1, 2, 0.20f, 0.75f, 0.25f, 0.30f, 0},  {1, 41, 0.92f, 0.90f, 0.16f, 0.20f, 0},
    };
    memcpy(targets, boxes, sizeof boxes);
    for (int i = 0; i < CHECK_TARGETS && classes == 1; i++) targets[i].class_id = 0;
}

void check_detector_backward(struct check_detector *d)
{
    struct error err;
    struct target targets[CHECK_TARGETS];
    const int classes = d->model.config.classes;
    const struct head head = yolo11_head(&d->model, &d->net, false);
    const struct head gradient = yolo11_head(&d->model, &d->net, true);
    check_targets(targets, classes);
    check_ok(loss_detect_init(&d->loss, &d->arena, d->net.kernels, LOSS_GAINS, d->net.options.batch,
                              head_anchors(&head), classes, CHECK_TARGETS, d->net.options.threads, &err),
             &err);
    check_ok(loss_detect_run(&d->loss, &d->items, &gradient, &head, targets, CHECK_TARGETS, 0x1p32, &err),
             &err);
    d->gradients = calloc(d->params.trainable, sizeof *d->gradients);
    assert_non_null(d->gradients);
    net_backward(&d->net, d->gradients);
    for (size_t i = 0; i < d->params.trainable; i++) d->gradients[i] *= 0x1p-32f;
}

void check_detector_free(struct check_detector *d)
{
    free(d->gradients);
    net_free(&d->net);
    graph_free(&d->graph);
    params_free(&d->params);
    arena_free(&d->arena);
}
