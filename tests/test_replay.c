/* What the backward pass makes again is, to the bit, what a plan that keeps everything would have kept. */
#include "check.h"
#include "check_net.h"

#include "base/rng.h"
#include "detect/yolo11.h"
#include "nn/op.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 96, IMAGES = 3, LAYERS = 23, CLASSES = 3 };

struct run {
    struct params params;
    struct graph graph;
    struct yolo11 model;
    struct net net;
    float *gradients;
};

static void start(struct run *run, enum net_mode mode, int threads, int freeze, bool keep)
{
    const struct kernels *kernels;
    struct error err;
    check_ok(kernels_get(&kernels, NULL, &err), &err);
    *run = (struct run){0};
    graph_begin(&run->graph, &run->params);
    const struct yolo11_config config = {.scale = YOLO11_PICO, .classes = CLASSES, .freeze = freeze};
    check_ok(yolo11_build(&run->model, &run->graph, config, SIDE, SIDE, &err), &err);
    check_synth_params(&run->params);
    const struct net_options options = {.batch = IMAGES,
                                        .threads = threads,
                                        .mode = mode,
                                        .spare = keep ? SIZE_MAX : 0,
                                        .plan = PLAN_FAST};
    check_ok(net_create(&run->net, &run->graph, kernels, options, &err), &err);
    assert_non_null(run->gradients = calloc(run->params.trainable, sizeof *run->gradients));
}

static void fill(struct view view, struct rng *rng, double most)
{
    for (int64_t i = 0; i < view.pixels; i++)
        for (int c = 0; c < view.channels; c++) {
            const float v = (float)rng_uniform(rng, -most, most);
            view.data[i * view.stride + c] = v < 1e-6f && v > -1e-6f ? 0.f : v;
        }
}

static void forward(struct run *run)
{
    struct rng rng = {rng_key(5, "replay"), 0};
    fill(net_value(&run->net, run->graph.input), &rng, 1);
    net_forward(&run->net);
}

static void backward(struct run *run)
{
    struct rng rng = {rng_key(6, "replay"), 0};
    for (int i = 0; i < HEAD_LEVELS; i++) {
        fill(net_gradient(&run->net, run->model.boxes[i]), &rng, 1);
        fill(net_gradient(&run->net, run->model.scores[i]), &rng, 1);
    }
    net_backward(&run->net, run->gradients);
}

static void finish(struct run *run)
{
    free(run->gradients);
    net_free(&run->net);
    graph_free(&run->graph);
    params_free(&run->params);
}

/* One step of both: values of the head, gradients of what is trainable in both, and the statistics. */
static void check_same(struct run *a, struct run *b)
{
    forward(a);
    forward(b);
    for (int i = 0; i < 2 * HEAD_LEVELS; i++) {
        const int tensor = i < HEAD_LEVELS ? a->model.boxes[i] : a->model.scores[i - HEAD_LEVELS];
        const struct view x = net_value(&a->net, tensor), y = net_value(&b->net, tensor);
        assert_memory_equal(x.data, y.data, (size_t)x.pixels * (size_t)x.channels * sizeof(float));
    }
    backward(a);
    backward(b);
    for (int i = 0; i < a->params.count; i++) {
        const struct param *p = a->params.list + i;
        if (p->kind != PARAM_TRAINABLE || p->frozen || b->params.list[i].frozen) continue;
        assert_memory_equal(a->gradients + p->offset, b->gradients + p->offset, p->size * sizeof(float));
    }
    assert_memory_equal(a->params.values, b->params.values, a->params.total * sizeof(float));
}

static int dropped(const struct run *run)
{
    int count = 0;
    for (int i = 0; i < run->graph.node_count; i++) count += run->net.dropped[i];
    return count;
}

static void replays_give_the_bits_that_were_kept(void **state)
{
    (void)state;
    for (int k = 0; k < 4; k++) {
        const enum net_mode mode = k < 2 ? NET_TRAINING : NET_FROZEN;
        struct run again, kept;
        start(&again, mode, 1 + k % 2 * 2, 0, false);
        start(&kept, mode, 1, 0, true);
        printf("%d outputs made again, %d convolutions with them, %.1f instead of %.1f MB\n",
               again.net.replay_count, dropped(&again), (double)again.net.total_bytes / 1e6,
               (double)kept.net.total_bytes / 1e6);
        assert_true(again.net.replay_count > 60 && dropped(&again) > 0);
        assert_int_equal(kept.net.replay_count, 0);
        assert_true(again.net.total_bytes < kept.net.total_bytes);
        check_same(&again, &kept);
        finish(&again);
        finish(&kept);
    }
}

/* Layers below the first trainable one keep nothing, and still normalise with the statistics of the batch. */
static void frozen_layers_change_neither_values_nor_other_gradients(void **state)
{
    (void)state;
    static const int layers[] = {1, 5, 11, LAYERS};
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        struct run whole, part;
        start(&whole, NET_TRAINING, 1, 0, false);
        start(&part, NET_TRAINING, 3, layers[i], false);
        check_same(&whole, &part);
        finish(&whole);
        finish(&part);
    }
}

/* A step moves no frozen layer: its weights stay packed as they are, all others are packed anew. */
static void only_what_trains_is_packed_again(void **state)
{
    (void)state;
    struct run part, whole;
    start(&part, NET_TRAINING, 3, 9, false);
    start(&whole, NET_TRAINING, 1, 9, false);
    struct params *const params = &part.params;
    for (size_t i = 0; i < params->total; i++) whole.params.values[i] = params->values[i] *= 2;
    net_pack_trained(&part.net);
    net_pack(&whole.net);
    int moved = 0, stayed = 0;
    for (int i = 0; i < part.graph.node_count; i++) {
        const struct node *const node = part.graph.nodes + i;
        if (!net_op(node)->packed) continue;
        const size_t bytes = net_op(node)->packed(&part.net, node) * sizeof(float);
        const bool same = !memcmp(op_packed(&part.net, node),
                                  op_packed(&whole.net, whole.graph.nodes + i), bytes);
        assert_int_equal(same, graph_trains(&part.graph, node));
        moved += same;
        stayed += !same;
    }
    assert_true(moved && stayed);
    finish(&part);
    finish(&whole);
}

/* Sizes whose product would wrap around to something small, and pixels that are just too many for an int. */
static void plans_beyond_counting_are_refused(void **state)
{
    (void)state;
    static const struct {
        int side, batch;
    } cases[] = {{1 << 20, INT32_MAX}, {1 << 20, 1 << 20}, {1 << 20, 1 << 10}, {1 << 15, 2}};
    const struct kernels *kernels;
    struct error err;
    check_ok(kernels_get(&kernels, NULL, &err), &err);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int mode = NET_INFERENCE; mode <= NET_TRAINING; mode++) {
            struct run run = {0};
            graph_begin(&run.graph, &run.params);
            const struct yolo11_config config = {.scale = YOLO11_PICO, .classes = CLASSES};
            check_ok(yolo11_build(&run.model, &run.graph, config, cases[i].side, cases[i].side, &err), &err);
            const struct net_options options = {
                .batch = cases[i].batch, .threads = 3, .mode = (enum net_mode)mode, .plan = PLAN_FAST};
            assert_int_equal(net_plan(&run.net, &run.graph, kernels, options, &err), ERR_SYSTEM);
            assert_non_null(strstr(err.message, "the network's buffers"));
            finish(&run);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replays_give_the_bits_that_were_kept),
        cmocka_unit_test(plans_beyond_counting_are_refused),
        cmocka_unit_test(frozen_layers_change_neither_values_nor_other_gradients),
        cmocka_unit_test(only_what_trains_is_packed_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
