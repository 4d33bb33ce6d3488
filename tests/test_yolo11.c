/* The detector's network against the reference implementation: every scale, every stored layer. */
#include "check.h"
#include "check_detector.h"
#include "check_json.h"
#include "check_net.h"

#include "base/json.h"
#include "detect/head_decode.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LAYERS = 23, CLASSES = 80 };

struct run {
    struct check_detector at;
    struct weights reference;
};

/* Every layer an output, so that it can be looked at. */
static void build(struct run *run, enum yolo11_scale scale)
{
    const struct yolo11_config config = {.scale = scale, .classes = CLASSES};
    check_detector_build(&run->at, config, 64, 96);
    for (int i = 0; i < LAYERS; i++) graph_output(&run->at.graph, run->at.model.layer[i]);
}

static void finish(struct run *run)
{
    weights_close(&run->reference);
    check_detector_free(&run->at);
}

/* What golden/yolo11/README.md allows for one scale. Between float32 and float64 of the same network the
 * reference differs by 3.6e-7 (n, s, m, logits up to 0.5) and 1.1e-4 (l, x, logits up to 96); decoded, a
 * plain C program differed from it by 1.2e-4 px and 1.2e-7, and by 8.4e-3 px and 3.2e-5. */
struct limits {
    double logits, pixels, probability;
};
static const struct limits shallow = {3e-6, 1e-3, 1e-6}, deep = {1e-3, 0.05, 3e-4};

static void logits_match(const struct run *run, double limit)
{
    for (int i = 0; i < HEAD_LEVELS; i++) {
        char name[32];
        snprintf(name, sizeof name, "box_logits%d", i);
        const double box = check_view(net_value(&run->at.net, run->at.model.boxes[i]), &run->reference, name);
        snprintf(name, sizeof name, "cls_logits%d", i);
        const double score =
            check_view(net_value(&run->at.net, run->at.model.scores[i]), &run->reference, name);
        printf("%s level %d: boxes %.2g, scores %.2g (limit %.0e)\n", yolo11_name(run->at.model.config.scale),
               i, box, score, limit);
        assert_true(box <= limit && score <= limit);
    }
}

static void decoded_matches(const struct run *run, const struct limits *limits)
{
    size_t n;
    float *expected = check_reference(&run->reference, "decoded", &n);
    const struct head head = yolo11_head(&run->at.model, &run->at.net, false);
    const size_t anchors = (size_t)head_anchors(&head);
    assert_int_equal(n, (4 + CLASSES) * anchors);
    float *found = malloc(n * sizeof *found);
    assert_non_null(found);
    head_decode_all(run->at.net.kernels, &head, 0, found);
    assert_true(check_max_difference(found, expected, 4 * anchors) <= limits->pixels);
    assert_true(check_max_difference(found + 4 * anchors, expected + 4 * anchors, CLASSES * anchors) <=
                limits->probability);
    free(found);
    free(expected);
}

/* A NaN, which a missing number gives, is the worst of all. */
static double worse(double worst, double found, const struct json *expected)
{
    const double difference = fabs(found - json_number(expected, NAN));
    return difference <= worst ? worst : difference;
}

/* Mean and standard deviation move by no more than the values do. */
static double summary_difference(const float *values, size_t n, const struct json *layer)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++) sum += (double)values[i];
    const double mean = sum / (double)n;
    for (size_t i = 0; i < n; i++) squares += ((double)values[i] - mean) * ((double)values[i] - mean);
    double worst = worse(0, mean, json_member(layer, "mean"));
    worst = worse(worst, sqrt(squares / (double)n), json_member(layer, "std"));
    const struct json *first = json_member(layer, "first8");
    assert_int_equal(json_count(first), 8);
    for (size_t i = 0; i < 8; i++) worst = worse(worst, (double)values[i], json_item(first, i));
    return worst;
}

/* Every layer of the scale. Layers are allowed what the README allows those of n, 1e-5; behind the attention
 * of l and x, layer 10, values grow until logits reach 96, and they are allowed what these logits are. */
static void summary_matches(const struct run *run, const struct limits *limits)
{
    struct json *root;
    struct error err;
    double worst = 0;
    check_ok(json_read_file(&root, check_shared("golden/yolo11/arch_summary.json"), 1 << 20, &err), &err);
    const char *scale = yolo11_name(run->at.model.config.scale) + strlen("yolo11");
    const struct json *layers = json_member(json_member(root, scale), "layers");
    assert_int_equal(json_count(layers), LAYERS);
    for (int i = 0; i < LAYERS; i++) {
        const struct json *layer = json_item(layers, (size_t)i), *shape = json_member(layer, "shape");
        const struct view v = net_value(&run->at.net, run->at.model.layer[i]);
        const int found[] = {v.images, v.channels, v.height, v.width};
        assert_int_equal(json_int(json_member(layer, "i"), -1), i);
        for (size_t k = 0; k < 4; k++) assert_int_equal(json_int(json_item(shape, k), -1), found[k]);
        float *values = check_to_nchw(v);
        const double difference = summary_difference(values, (size_t)v.pixels * (size_t)v.channels, layer);
        free(values);
        const double limit = i < 10 ? 1e-5 : fmax(1e-5, limits->logits);
        if (!(difference <= limit)) print_error("%s layer %d differs by %g\n", scale, i, difference);
        assert_true(difference <= limit);
        worst = fmax(worst, difference);
    }
    printf("yolo11%s: %d layers within %.2g\n", scale, LAYERS, worst);
    json_free(root);
}

static void scale_matches(enum yolo11_scale scale, const char *file, const struct limits *limits)
{
    check_needs_json();
    struct run run;
    struct error err;
    const char *path = check_shared(file);
    build(&run, scale);
    check_detector_plan(&run.at, NET_INFERENCE, 1, 2);
    check_ok(weights_open(&run.reference, path, &err), &err);
    net_forward(&run.at.net);
    logits_match(&run, limits->logits);
    decoded_matches(&run, limits);
    summary_matches(&run, limits);
    finish(&run);
}

static void scale_n_gives_the_reference_values(void **state)
{
    (void)state;
    scale_matches(YOLO11_N, "golden/yolo11/arch_n.safetensors", &shallow);
}
static void scale_s_gives_the_reference_values(void **state)
{
    (void)state;
    scale_matches(YOLO11_S, "golden/yolo11/arch_s.safetensors", &shallow);
}
static void scale_m_gives_the_reference_values(void **state)
{
    (void)state;
    scale_matches(YOLO11_M, "golden/yolo11/arch_m.safetensors", &shallow);
}
static void scale_l_gives_the_reference_values(void **state)
{
    (void)state;
    scale_matches(YOLO11_L, "golden/yolo11/arch_l.safetensors", &deep);
}
static void scale_x_gives_the_reference_values(void **state)
{
    (void)state;
    scale_matches(YOLO11_X, "golden/yolo11/arch_x.safetensors", &deep);
}

/* Outputs of single blocks in the reference's file, by the convolution that computes them or, for a block
 * with a shortcut, that is last before its sum. "attn" ends with its projection. */
struct inner {
    const char *name, *conv;
    bool sum;
};
static const struct inner inners[] = {
    {"model.2.cv1", "model.2.cv1", false},
    {"model.2.m.0", "model.2.m.0.cv2", true},
    {"model.2.m.0.cv1", "model.2.m.0.cv1", false},
    {"model.6.m.0", "model.6.m.0.cv3", false},
    {"model.6.m.0.cv1", "model.6.m.0.cv1", false},
    {"model.6.m.0.m.0", "model.6.m.0.m.0.cv2", true},
    {"model.6.m.0.m.1", "model.6.m.0.m.1.cv2", true},
    {"model.6.m.0.cv2", "model.6.m.0.cv2", false},
    {"model.9.cv1", "model.9.cv1", false},
    {"model.10.cv1", "model.10.cv1", false},
    {"model.10.m.0", "model.10.m.0.ffn.1", true},
    {"model.10.m.0.attn", "model.10.m.0.attn.proj", false},
    {"model.10.m.0.attn.qkv", "model.10.m.0.attn.qkv", false},
    {"model.10.m.0.attn.pe", "model.10.m.0.attn.pe", false},
    {"model.10.m.0.attn.proj", "model.10.m.0.attn.proj", false},
    {"model.10.m.0.ffn", "model.10.m.0.ffn.1", false},
    {"model.23.cv3.0.0.0", "model.23.cv3.0.0.0", false},
    {"model.23.cv3.0.0.1", "model.23.cv3.0.0.1", false},
    {"model.23.cv3.0.1", "model.23.cv3.0.1.1", false},
};
enum { INNERS = sizeof inners / sizeof *inners };

static int inner_tensor(const struct graph *graph, const struct inner *inner)
{
    int i = 0;
    while (i < graph->node_count && strcmp(graph->nodes[i].name, inner->conv)) i++;
    while (inner->sum && i < graph->node_count && graph->nodes[i].op != OP_ADD) i++;
    assert_true(i < graph->node_count);
    return graph->nodes[i].output;
}

static int tensors_named(const struct weights *reference, const char *prefix)
{
    int count = 0;
    for (size_t i = 0; i < reference->count; i++)
        count += !strncmp(reference->tensors[i].name, prefix, strlen(prefix));
    return count;
}

static void tensor_matches(const struct run *run, int tensor, const char *name, double limit)
{
    const double difference = check_view(net_value(&run->at.net, tensor), &run->reference, name);
    if (!(difference <= limit)) print_error("%s differs by %g\n", name, difference);
    assert_true(difference <= limit);
}

/* In frozen mode the batch norm is not folded; every layer and block is an output, so that it can be looked
 * at. Tolerances of the README; a wrong attention scale shows only in the attention's own. */
static void every_layer_and_block_matches_the_reference(void **state)
{
    (void)state;
    struct run run;
    struct error err;
    const char *path = check_shared("golden/yolo11/arch_n.safetensors");
    build(&run, YOLO11_N);
    int tensor[INNERS];
    for (int i = 0; i < INNERS; i++) {
        tensor[i] = inner_tensor(&run.at.graph, inners + i);
        graph_output(&run.at.graph, tensor[i]);
    }
    check_detector_plan(&run.at, NET_FROZEN, 1, 2);
    check_ok(weights_open(&run.reference, path, &err), &err);
    assert_int_equal(tensors_named(&run.reference, "layer"), LAYERS);
    assert_int_equal(tensors_named(&run.reference, "inner."), INNERS + 1); /* the other: the next test */
    net_forward(&run.at.net);
    for (int i = 0; i < LAYERS; i++) {
        char name[16];
        snprintf(name, sizeof name, "layer%d", i);
        tensor_matches(&run, run.at.model.layer[i], name, 1e-5);
    }
    for (int i = 0; i < INNERS; i++) {
        char name[64];
        snprintf(name, sizeof name, "inner.%s", inners[i].name);
        tensor_matches(&run, tensor[i], name, strstr(name, ".attn") ? 2e-6 : 1e-5);
    }
    finish(&run);
}

/* Layer 2's first convolution before its batch norm, on the reference's layer 1: a network of its own. */
static void a_convolution_matches_before_its_norm(void **state)
{
    (void)state;
    static const char *const name = "model.2.cv1.conv";
    struct run run = {0};
    struct error err;
    check_ok(weights_open(&run.reference, check_shared("golden/yolo11/arch_n.safetensors"), &err), &err);
    graph_begin(&run.at.graph, &run.at.params);
    const int x = graph_input(&run.at.graph, 16, 24, 32, false);
    const struct conv_layer layer =
        graph_conv_layer(&run.at.graph, name, 32, 32, (struct conv_options){.kernel = 1});
    graph_output(&run.at.graph, graph_conv(&run.at.graph, &layer, x));
    check_ok(graph_finish(&run.at.graph, &err), &err);
    check_synth_params(&run.at.params);
    const int bias = params_find(&run.at.params, "model.2.cv1.conv.bias"); /* the reference has none */
    memset(params_values(&run.at.params, bias), 0, run.at.params.list[bias].size * sizeof(float));
    check_detector_plan(&run.at, NET_INFERENCE, 1, 2);
    float *layer1 = check_reference(&run.reference, "layer1", NULL);
    check_from_nchw(net_value(&run.at.net, x), layer1);
    free(layer1);
    net_forward(&run.at.net);
    tensor_matches(&run, run.at.graph.output[0], "inner.model.2.cv1.conv", 1e-5);
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
        cmocka_unit_test(scale_n_gives_the_reference_values),
        cmocka_unit_test(scale_s_gives_the_reference_values),
        cmocka_unit_test(scale_m_gives_the_reference_values),
        cmocka_unit_test(scale_l_gives_the_reference_values),
        cmocka_unit_test(scale_x_gives_the_reference_values),
        cmocka_unit_test(every_layer_and_block_matches_the_reference),
        cmocka_unit_test(a_convolution_matches_before_its_norm),
    };
    return cmocka_run_group_tests_name("yolo11", tests, NULL, NULL);
}
