/* The detector's network against the reference implementation: every scale, every stored layer. */
#include "check.h"
#include "check_net.h"

#include "detect/yolo11.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct run {
    struct params params;
    struct graph graph;
    struct yolo11 model;
    struct net net;
    struct weights reference;
};

static void start(struct run *run, struct yolo11_config config, struct net_options options, int height,
                  int width)
{
    struct error err;
    const struct kernels *kernels;
    check_ok(kernels_get(&kernels, NULL, &err), &err);
    run->params = (struct params){0};
    graph_begin(&run->graph, &run->params);
    check_ok(yolo11_build(&run->model, &run->graph, config, height, width, &err), &err);
    check_synth_params(&run->params);
    for (int i = 0; i < 23 && options.mode == NET_FROZEN; i++) graph_output(&run->graph, run->model.layer[i]);
    check_ok(net_create(&run->net, &run->graph, kernels, options, &err), &err);
}

static void finish(struct run *run)
{
    net_free(&run->net);
    graph_free(&run->graph);
    params_free(&run->params);
}

static void fill_input(struct run *run, const char *name)
{
    const struct view input = net_value(&run->net, run->graph.input);
    const size_t n = (size_t)input.pixels * (size_t)input.channels;
    float *values = malloc(n * sizeof *values);
    check_uniform(values, name, n);
    check_from_nchw(input, values);
    free(values);
}

/* Tolerances of golden/yolo11: between float32 and float64 of the same network the reference differs
 * by 3.6e-7 (n, s, m, logits up to 0.5) and 1.1e-4 (l, x, logits up to 96). */
static void logits_match(enum yolo11_scale scale, const char *file, double tolerance)
{
    struct run run;
    struct error err;
    const char *path = check_shared(file);
    start(&run, (struct yolo11_config){.scale = scale, .classes = 80},
          (struct net_options){1, 2, NET_INFERENCE, 0, 0, PLAN_EXACT}, 64, 96);
    check_ok(weights_open(&run.reference, path, &err), &err);
    fill_input(&run, "x");
    net_forward(&run.net);
    for (int i = 0; i < HEAD_LEVELS; i++) {
        char name[32];
        snprintf(name, sizeof name, "box_logits%d", i);
        const double box = check_view(net_value(&run.net, run.model.boxes[i]), &run.reference, name);
        snprintf(name, sizeof name, "cls_logits%d", i);
        const double score = check_view(net_value(&run.net, run.model.scores[i]), &run.reference, name);
        printf("%s level %d: boxes %.2g, scores %.2g (limit %.0e)\n", yolo11_name(scale), i, box, score,
               tolerance);
        assert_true(box <= tolerance && score <= tolerance);
    }
    weights_close(&run.reference);
    finish(&run);
}

static void scale_n_gives_the_reference_logits(void **state)
{
    (void)state;
    logits_match(YOLO11_N, "golden/yolo11/arch_n.safetensors", 3e-6);
}
static void scale_s_gives_the_reference_logits(void **state)
{
    (void)state;
    logits_match(YOLO11_S, "golden/yolo11/arch_s.safetensors", 3e-6);
}
static void scale_m_gives_the_reference_logits(void **state)
{
    (void)state;
    logits_match(YOLO11_M, "golden/yolo11/arch_m.safetensors", 3e-6);
}
static void scale_l_gives_the_reference_logits(void **state)
{
    (void)state;
    logits_match(YOLO11_L, "golden/yolo11/arch_l.safetensors", 1e-3);
}
static void scale_x_gives_the_reference_logits(void **state)
{
    (void)state;
    logits_match(YOLO11_X, "golden/yolo11/arch_x.safetensors", 1e-3);
}

/* In frozen mode the batch norm is not folded; every layer is an output, so that it can be looked at. */
static void every_layer_matches_the_reference(void **state)
{
    (void)state;
    struct run run;
    struct error err;
    const char *path = check_shared("golden/yolo11/arch_n.safetensors");
    start(&run, (struct yolo11_config){.scale = YOLO11_N, .classes = 80},
          (struct net_options){1, 2, NET_FROZEN, 0, 0, PLAN_EXACT}, 64, 96);
    check_ok(weights_open(&run.reference, path, &err), &err);
    fill_input(&run, "x");
    net_forward(&run.net);
    for (int i = 0; i < 23; i++) {
        char name[16];
        snprintf(name, sizeof name, "layer%d", i);
        if (!weights_find(&run.reference, name)) continue;
        const double difference = check_view(net_value(&run.net, run.model.layer[i]), &run.reference, name);
        if (difference > 1e-5) print_error("%s differs by %g\n", name, difference);
        assert_true(difference <= 1e-5);
    }
    weights_close(&run.reference);
    finish(&run);
}

static void parameter_counts_are_the_published_ones(void **state)
{
    (void)state;
    static const struct {
        struct yolo11_config config;
        size_t trainable;
    } cases[] = {
        {{.scale = YOLO11_N, .classes = 80}, 2624064},
        {{.scale = YOLO11_N, .classes = 1}, 2590019},
        {{.scale = YOLO11_S, .classes = 80}, 9458736},
        {{.scale = YOLO11_M, .classes = 80}, 20114672},
        {{.scale = YOLO11_L, .classes = 80}, 25372144},
        {{.scale = YOLO11_X, .classes = 80}, 56966160},
        {{.scale = YOLO11_N, .classes = 1, .class_width = 80}, 2604867},
        {{.scale = YOLO11_N, .classes = 80, .folded = true}, 2616232},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct params params = {0};
        struct graph graph;
        struct yolo11 model;
        struct error err;
        graph_begin(&graph, &params);
        check_ok(yolo11_build(&model, &graph, cases[i].config, 64, 64, &err), &err);
        assert_int_equal(params.trainable, cases[i].trainable);
        graph_free(&graph);
        params_free(&params);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameter_counts_are_the_published_ones),
        cmocka_unit_test(scale_n_gives_the_reference_logits),
        cmocka_unit_test(scale_s_gives_the_reference_logits),
        cmocka_unit_test(scale_m_gives_the_reference_logits),
        cmocka_unit_test(scale_l_gives_the_reference_logits),
        cmocka_unit_test(scale_x_gives_the_reference_logits),
        cmocka_unit_test(every_layer_matches_the_reference),
    };
    return cmocka_run_group_tests_name("yolo11", tests, NULL, NULL);
}
