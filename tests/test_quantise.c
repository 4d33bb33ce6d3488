/* Quantised detectors: their graph, their files, how far they are from floats, the same everywhere. */
#include "check.h"

#include "base/rng.h"
#include "detect/detector.h"
#include "detect/evaluate.h"
#include "detect/quantise.h"
#include "image/decode.h"
#include "image/letterbox.h"
#include "nn/safetensors.h"
#include "op_cases.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- A whole detector: the smallest, with values by formula ---- */

enum { SIDE = 64, PICTURES = 3, CLASSES = 3 };

static void make_model(struct model *model)
{
    struct error err;
    check_ok(model_make(model, (struct yolo11_config){.scale = YOLO11_PICO, .classes = CLASSES}, &err), &err);
    op_case_params(&model->params);
}

static void make_pictures(struct image pictures[PICTURES])
{
    struct error err;
    const uint64_t key = rng_key(1, "pictures");
    uint64_t next = 0;
    for (int i = 0; i < PICTURES; i++) {
        check_ok(image_alloc(pictures + i, i == 2 ? SIDE : SIDE + 32, SIDE, &err), &err);
        for (size_t k = 0; k < image_bytes(pictures + i); k++)
            pictures[i].pixels[k] = (uint8_t)rng_int(key, next++, 256);
    }
}

static void free_pictures(struct image pictures[PICTURES])
{
    for (int i = 0; i < PICTURES; i++) image_free(pictures + i);
}

static const struct kernels *best_table(void)
{
    int tables;
    return kernels_available(&tables)[0];
}

static struct quantise_options usual(void)
{
    return (struct quantise_options){.method = QUANTISE_MIN_MAX, .percentile = 99.9, .threads = 1};
}

static void quantise_with(struct model *quantised, const struct model *model, struct quantise_options options)
{
    struct image pictures[PICTURES] = {{0}};
    struct error err;
    make_pictures(pictures);
    const struct quantise_pictures all = {pictures, PICTURES};
    check_ok(quantise_model(quantised, model, best_table(), &all, &options, NULL, &err), &err);
    free_pictures(pictures);
}

/* The head's raw output for the first picture; malloc, *n values. */
static float *head_of(const struct model *model, const struct kernels *kernels, int threads, size_t *n)
{
    struct image pictures[PICTURES] = {{0}};
    struct graph graph;
    struct yolo11 network;
    struct net net;
    struct error err;
    make_pictures(pictures);
    const struct image *first = pictures;
    check_ok(model_network(&network, &graph, model, first->height, first->width, &err), &err);
    check_ok(net_create(&net, &graph, kernels, (struct net_options){.batch = 1, .threads = threads}, &err),
             &err);
    letterbox_input(net_value(&net, graph.input).data, first);
    net_forward(&net);
    *n = 0;
    float *values = NULL;
    for (int i = 0; i < graph.outputs; i++) {
        const struct view v = net_value(&net, graph.output[i]);
        values = realloc(values, (*n + (size_t)v.pixels * (size_t)v.channels) * sizeof *values);
        assert_non_null(values);
        for (int64_t p = 0; p < v.pixels; p++, *n += (size_t)v.channels)
            memcpy(values + *n, v.data + p * v.stride, (size_t)v.channels * sizeof *values);
    }
    net_free(&net);
    graph_free(&graph);
    free_pictures(pictures);
    return values;
}

static double decibel(const float *values, const float *expected, size_t n)
{
    double signal = 0, error = 0;
    for (size_t i = 0; i < n; i++) {
        signal += (double)expected[i] * expected[i];
        error += ((double)values[i] - expected[i]) * ((double)values[i] - expected[i]);
    }
    return 10 * log10(signal / error);
}

static void test_folding_keeps_bits(void **state)
{
    (void)state;
    struct model model, folded;
    struct error err;
    size_t n, m;
    make_model(&model);
    check_ok(model_fold(&folded, &model, &err), &err);
    assert_true(folded.config.folded);
    float *a = head_of(&model, best_table(), 1, &n), *b = head_of(&folded, best_table(), 1, &m);
    assert_int_equal(n, m);
    assert_memory_equal(a, b, n * sizeof *a);
    free(a);
    free(b);
    model_free(&folded);
    model_free(&model);
}

static void test_close_to_floats_and_equal_everywhere(void **state)
{
    (void)state;
    struct model model, quantised;
    size_t n;
    make_model(&model);
    float *floats = head_of(&model, best_table(), 1, &n);
    for (int method = QUANTISE_MIN_MAX; method <= QUANTISE_MSE; method++) {
        struct quantise_options options = usual();
        options.method = (enum quantise_method)method;
        quantise_with(&quantised, &model, options);
        float *one = head_of(&quantised, best_table(), 1, &n);
        /* 8 bits through some 20 layers: each adds noise 35 to 45 dB below the signal */
        const double distance = decibel(one, floats, n);
        printf("method %d: %.1f dB\n", method, distance);
        assert_true(distance > 20);
        int tables;
        const struct kernels *const *list = kernels_available(&tables);
        for (int t = 0; t < tables; t++) {
            float *other = head_of(&quantised, list[t], 1 + 2 * (t % 2), &n);
            assert_memory_equal(one, other, n * sizeof *one);
            free(other);
        }
        free(one);
        model_free(&quantised);
    }
    free(floats);
    model_free(&model);
}

static int count_ops(const struct graph *graph, enum op_kind op)
{
    int count = 0;
    for (int i = 0; i < graph->node_count; i++) count += graph->nodes[i].op == op;
    return count;
}

/* Layers run on bytes without borders between them; the head's output and what attention reads are floats. */
static void test_graph(void **state)
{
    (void)state;
    struct model model, quantised;
    struct graph graph;
    struct yolo11 network;
    struct net net, floats;
    struct error err;
    make_model(&model);
    quantise_with(&quantised, &model, usual());
    check_ok(model_network(&network, &graph, &quantised, 320, 320, &err), &err);
    assert_int_equal(count_ops(&graph, OP_CONV_INT8), quantised.quant.count);
    assert_int_equal(count_ops(&graph, OP_CONV), 1);     /* the position layer of attention */
    assert_int_equal(count_ops(&graph, OP_QUANTISE), 2); /* the picture, and behind attention */
    assert_int_equal(count_ops(&graph, OP_DEQUANTISE), 0);
    assert_int_equal(count_ops(&graph, OP_ADD), 1); /* attention and position */
    int to_floats = 0;
    for (int i = 0; i < graph.node_count; i++)
        to_floats += graph.nodes[i].op == OP_CONV_INT8 &&
                     !graph.storages[graph.tensors[graph.nodes[i].output].storage].scale;
    assert_int_equal(to_floats, 2 * HEAD_LEVELS + 1);
    const struct net_options options = {.batch = 1, .threads = 1};
    check_ok(net_plan(&net, &graph, best_table(), options, &err), &err);
    graph_free(&graph);
    check_ok(model_network(&network, &graph, &model, 320, 320, &err), &err);
    check_ok(net_plan(&floats, &graph, best_table(), options, &err), &err);
    assert_true(net.total_bytes < floats.total_bytes * 2 / 3);
    net_free(&net);
    net_free(&floats);
    graph_free(&graph);
    model_free(&quantised);
    model_free(&model);
}

/* Layers kept as floats, alone and in groups: borders appear and the result stays near. */
static void test_keep(void **state)
{
    (void)state;
    static const char *const keeps[] = {"model.0",  "model.2.cv2", "model.4.m", "model.9",
                                        "model.10", "model.16",    "model.23"};
    struct model model, quantised;
    size_t n;
    make_model(&model);
    float *floats = head_of(&model, best_table(), 1, &n);
    for (size_t k = 0; k < sizeof keeps / sizeof *keeps; k++) {
        struct quantise_options options = usual();
        options.keep = keeps + k;
        options.keep_count = 1;
        quantise_with(&quantised, &model, options);
        for (int i = 0; i < quantised.quant.count; i++) {
            const char *name = quantised.quant.layers[i].name;
            const size_t length = strlen(keeps[k]);
            assert_false(!strncmp(name, keeps[k], length) && (name[length] == '.' || !name[length]));
        }
        float *values = head_of(&quantised, best_table(), 2, &n);
        assert_true(decibel(values, floats, n) > 20);
        free(values);
        model_free(&quantised);
    }
    struct quantise_options options = usual();
    options.keep = (const char *const[]){"model.99"};
    options.keep_count = 1;
    struct image pictures[PICTURES] = {{0}};
    struct error err;
    make_pictures(pictures);
    const struct quantise_pictures all = {pictures, PICTURES};
    assert_int_equal(quantise_model(&quantised, &model, best_table(), &all, &options, NULL, &err), ERR_USAGE);
    assert_non_null(strstr(err.message, "model.99"));
    free_pictures(pictures);
    free(floats);
    model_free(&model);
}

static void test_losses(void **state)
{
    (void)state;
    struct model model, quantised, again;
    struct image pictures[PICTURES] = {{0}};
    struct error err;
    make_model(&model);
    quantise_with(&quantised, &model, usual());
    make_pictures(pictures);
    const struct quantise_pictures one = {pictures, 1};
    struct quantise_loss *losses = calloc((size_t)quantised.quant.count, sizeof *losses);
    double all;
    check_ok(quantise_losses(losses, &all, &quantised, &model, best_table(), &one, 1, PLAN_FAST, NULL, &err),
             &err);
    assert_true(all < losses[0].decibel); /* together they lose more than the worst alone */
    for (int i = 1; i < quantised.quant.count; i++) assert_true(losses[i - 1].decibel <= losses[i].decibel);
    assert_int_equal(quantise_model(&again, &quantised, best_table(), &one,
                                    &(struct quantise_options){.threads = 1}, NULL, &err),
                     ERR_INPUT); /* twice */
    free(losses);
    free_pictures(pictures);
    model_free(&quantised);
    model_free(&model);
}

/* ---- Files ---- */

static void test_round_trip(void **state)
{
    (void)state;
    struct model model, quantised, back, mapped;
    struct error err;
    size_t n, m;
    char path[] = "/tmp/retort-int8-XXXXXX", again[] = "/tmp/retort-int8-XXXXXX";
    close(mkstemp(path));
    close(mkstemp(again));
    make_model(&model);
    struct quantise_options options = usual();
    options.keep = (const char *const[]){"model.16"};
    options.keep_count = 1;
    quantise_with(&quantised, &model, options);
    check_ok(model_save(&quantised, path, false, NULL, NULL, &err), &err);
    check_ok(model_open(&back, path, &err), &err);
    check_ok(model_open_mapped(&mapped, path, &err), &err);
    assert_int_equal(back.quant.count, quantised.quant.count);
    float *a = head_of(&quantised, best_table(), 1, &n), *b = head_of(&back, best_table(), 1, &m);
    assert_int_equal(n, m);
    assert_memory_equal(a, b, n * sizeof *a);
    free(b);
    b = head_of(&mapped, best_table(), 1, &m);
    assert_memory_equal(a, b, n * sizeof *a);
    check_ok(model_save(&back, again, false, NULL, NULL, &err), &err);
    struct file_view one, other;
    check_ok(file_map(&one, path, &err), &err);
    check_ok(file_map(&other, again, &err), &err);
    assert_int_equal(one.size, other.size);
    assert_memory_equal(one.data, other.data, one.size);
    file_unmap(&one);
    file_unmap(&other);
    unlink(path);
    unlink(again);
    free(a);
    free(b);
    model_free(&model);
    model_free(&quantised);
    model_free(&back);
    model_free(&mapped);
}

/* A layer of 2 outputs and 3 inputs with one part spoilt; the message names what is wrong. */
static void refuse(int spoilt, const char *word)
{
    int8_t weight[6] = {1, -2, 3, 127, -127, 0};
    float weight_scale[3] = {0.5f, 0.25f, 1.f}, input_scale[4] = {1.f, 1.f, 2.f, 1.f};
    const uint8_t zero[4] = {0, 128, 255, 0};
    if (spoilt == 1) weight[2] = -128;
    if (spoilt == 2) weight_scale[1] = 0.f;
    if (spoilt == 3) input_scale[0] = NAN;
    if (spoilt == 4) input_scale[1] = -1.f;
    if (spoilt == 5) weight_scale[0] = 0x1p41f;
    const struct safetensors_item items[] = {
        {.name = "a.weight_scale", .dims = 1, .shape = {spoilt == 6 ? 3 : 2}, .values = weight_scale},
        {.name = spoilt == 7 ? "b.input_scale" : "a.input_scale",
         .dims = 1,
         .shape = {spoilt == 8 ? 4 : 3},
         .values = input_scale},
        {.name = "a.weight", .dims = spoilt == 9 ? 2 : 4, .shape = {2, 3, 1, 1}, .signed_bytes = weight},
        {.name = "a.input_zero", .dims = 1, .shape = {spoilt == 10 ? 2 : 3}, .bytes = zero}};
    char path[] = "/tmp/retort-int8-XXXXXX";
    struct weights weights;
    struct quant quant;
    struct error err;
    close(mkstemp(path));
    check_ok(safetensors_write(path, items, 4, NULL, 0, &err), &err);
    check_ok(weights_open(&weights, path, &err), &err);
    const enum status status = quant_read(&quant, &weights, &err);
    if (word) {
        assert_int_equal(status, ERR_INPUT);
        assert_non_null(strstr(err.message, word));
        assert_int_equal(quant.count, 0);
    } else {
        check_ok(status, &err);
        assert_int_equal(quant.count, 1);
        const struct quant_layer *layer = quant_find(&quant, "a");
        float values[6];
        quant_weights(values, layer, weights_find(&weights, "a.weight"));
        const float expected[6] = {0.5f, -1.f, 0.75f, 31.75f, -31.75f, 0.f};
        assert_memory_equal(values, expected, sizeof expected);
        for (int o = 0; o < 2; o++)
            for (int c = 0; c < 3; c++)
                assert_int_equal(quant_weight(layer, o, c, values[3 * o + c]), weight[3 * o + c]);
        assert_true(quant_is_part(&weights, "a.input_zero"));
        assert_false(quant_is_part(&weights, "b.input_zero"));
        quant_free(&quant);
    }
    weights_close(&weights);
    unlink(path);
}

static void test_hostile_files(void **state)
{
    (void)state;
    refuse(0, NULL);
    refuse(1, "-128");
    refuse(2, "a.weight_scale");
    refuse(3, "a.input_scale");
    refuse(4, "a.input_scale");
    refuse(5, "a.weight_scale");
    refuse(6, "weight_scale");
    refuse(7, "input_scale");
    refuse(8, "a.input_scale");
    refuse(9, "a.weight");
    refuse(10, "input_zero");
}

/* Views that leave the file when their bytes are taken in a row. */
static void test_strided_views(void **state)
{
    (void)state;
    static const char *const files[] = {"int8.pt", "int8-weight.pt", "int8-zero.pt"};
    static const char *const words[] = {NULL, "a.weight: expected row-major",
                                        "a.input_zero: expected row-major"};
    for (int i = 0; i < 3; i++) {
        char path[100];
        struct weights weights;
        struct quant quant;
        struct error err;
        snprintf(path, sizeof path, "fuzz/corpus/pt/%s", files[i]);
        check_ok(weights_open(&weights, path, &err), &err);
        const enum status status = quant_read(&quant, &weights, &err);
        assert_int_equal(status, words[i] ? ERR_INPUT : OK);
        if (words[i]) assert_non_null(strstr(err.message, words[i]));
        quant_free(&quant);
        weights_close(&weights);
    }
}

/* ---- Real weights, real pictures ---- */

enum { CALIBRATED = 16, SCORED = 48 };

/* mAP of the first pictures of coco128 before and after. Measured on all 128 with 32 calibration frames: see
 * docs/performance.md; on the first 48 a single object weighs more. */
static void test_precision(void **state)
{
    (void)state;
    const char *const weights = check_shared("weights/yolo11n-coco.safetensors");
    const char *const data = check_shared("data/coco128");
    struct model model, quantised;
    struct dataset dataset;
    struct evaluation before, after;
    struct image pictures[CALIBRATED] = {{0}}, picture = {0};
    struct letterbox_scratch scratch = {0};
    struct error err;
    check_ok(model_open(&model, weights, &err), &err);
    check_ok(dataset_open(&dataset, data, DATASET_VAL, &err), &err);
    for (int i = 0; i < CALIBRATED; i++) {
        check_ok(image_read(&picture, dataset.items[8 * i].image, &err), &err);
        const struct letterbox box = letterbox_detect(picture.width, picture.height, 640, 640, true);
        check_ok(letterbox_apply(pictures + i, &picture, &box, &scratch, &err), &err);
    }
    struct quantise_options options = usual();
    options.method = QUANTISE_MSE;
    options.threads = 2;
    const struct quantise_pictures all = {pictures, CALIBRATED};
    check_ok(quantise_model(&quantised, &model, best_table(), &all, &options, NULL, &err), &err);
    const struct evaluate_options o = evaluate_default_options();
    check_ok(evaluate_run(&before, &model, best_table(), 2, dataset.items, SCORED, &o, NULL, &err), &err);
    check_ok(evaluate_run(&after, &quantised, best_table(), 2, dataset.items, SCORED, &o, NULL, &err), &err);
    printf("mAP50-95 %.4f as floats, %.4f as integers; mAP50 %.4f, %.4f\n", before.result.map50_95,
           after.result.map50_95, before.result.map50, after.result.map50);
    assert_true(before.result.map50_95 - after.result.map50_95 < 0.005);
    evaluate_free(&before);
    evaluate_free(&after);
    for (int i = 0; i < CALIBRATED; i++) image_free(pictures + i);
    image_free(&picture);
    letterbox_scratch_free(&scratch);
    dataset_close(&dataset);
    model_free(&model);
    model_free(&quantised);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_folding_keeps_bits),
        cmocka_unit_test(test_close_to_floats_and_equal_everywhere),
        cmocka_unit_test(test_graph),
        cmocka_unit_test(test_keep),
        cmocka_unit_test(test_losses),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_hostile_files),
        cmocka_unit_test(test_strided_views),
        cmocka_unit_test(test_precision),
    };
    return cmocka_run_group_tests_name("quantise", tests, NULL, NULL);
}
