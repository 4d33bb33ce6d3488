/* The detector's gradients and batch statistics against the reference implementation. */
#include "check.h"
#include "check_gradients.h"
#include "check_json.h"
#include "check_net.h"

#include "detect/yolo11.h"
#include "train/loss_detect.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IMAGES = 2, SIDE = 128 };

struct run {
    struct arena arena;
    struct params params;
    struct graph graph;
    struct yolo11 model;
    struct net net;
    struct loss_detect loss;
    struct loss_items items;
    float *gradients;
};

static json_t *golden(void)
{
    json_error_t why;
    json_t *root = json_load_file(check_shared("golden/yolo11/train_step.json"), 0, &why);
    assert_non_null(root);
    return root;
}

static int read_targets(const json_t *root, struct target *targets, int classes)
{
    const json_t *rows = json_object_get(root, "boxes_image_class_cx_cy_w_h");
    const int n = (int)json_array_size(rows);
    for (int i = 0; i < n; i++) {
        const json_t *row = json_array_get(rows, (size_t)i);
        double v[6];
        for (size_t k = 0; k < 6; k++) v[k] = json_number_value(json_array_get(row, k));
        targets[i] = (struct target){
            (int)v[0], classes == 1 ? 0 : (int)v[1], (float)v[2], (float)v[3], (float)v[4], (float)v[5]};
    }
    return n;
}

static void forward(struct run *run, int classes, int threads)
{
    struct error err;
    const struct kernels *kernels;
    check_ok(kernels_get(&kernels, NULL, &err), &err);
    *run = (struct run){0};
    graph_begin(&run->graph, &run->params);
    const struct yolo11_config config = {.scale = YOLO11_N, .classes = classes};
    check_ok(yolo11_build(&run->model, &run->graph, config, SIDE, SIDE, &err), &err);
    check_synth_params(&run->params);
    const struct net_options options = {
        .batch = IMAGES, .threads = threads, .mode = NET_TRAINING, .plan = PLAN_EXACT};
    check_ok(net_create(&run->net, &run->graph, kernels, options, &err), &err);
    const struct view input = net_value(&run->net, run->graph.input);
    const size_t n = (size_t)input.pixels * 3;
    float *x = malloc(n * sizeof *x);
    check_uniform(x, "x", n);
    check_from_nchw(input, x);
    free(x);
    net_forward(&run->net);
}

/* The loss is scaled by 2^32 on the way and the gradients back. */
static void backward(struct run *run, const json_t *root)
{
    struct error err;
    struct target targets[16];
    const int classes = run->model.config.classes, threads = run->net.options.threads;
    const int count = read_targets(root, targets, classes);
    const struct head head = yolo11_head(&run->model, &run->net, false);
    const struct head gradient = yolo11_head(&run->model, &run->net, true);
    check_ok(loss_detect_init(&run->loss, &run->arena, run->net.kernels, LOSS_GAINS, IMAGES,
                              head_anchors(&head), classes, 16, threads, &err),
             &err);
    check_ok(loss_detect_run(&run->loss, &run->items, &gradient, &head, targets, count, 0x1p32, &err), &err);
    run->gradients = calloc(run->params.trainable, sizeof(float));
    net_backward(&run->net, run->gradients);
    for (size_t i = 0; i < run->params.trainable; i++) run->gradients[i] *= 0x1p-32f;
}

/* One forward and backward of the reference's case. */
static void run_case(struct run *run, const json_t *root, int classes, int threads)
{
    forward(run, classes, threads);
    backward(run, root);
}

static void finish(struct run *run)
{
    free(run->gradients);
    net_free(&run->net);
    graph_free(&run->graph);
    params_free(&run->params);
    arena_free(&run->arena);
}

static void loss_matches(const struct run *run, const json_t *root, const char *name)
{
    const json_t *item =
        json_object_get(json_object_get(json_object_get(root, "cases"), name), "loss_items_box_cls_dfl");
    const double found[3] = {run->items.box, run->items.classes, run->items.distribution};
    for (size_t i = 0; i < 3; i++) {
        const double expected = json_number_value(json_array_get(item, i));
        printf("%s loss item %zu: %.9g, reference %.9g\n", name, i, found[i], expected);
        assert_true(fabs(found[i] - expected) <= 1e-4 * expected); /* float32 against float64: 1.1e-5 */
    }
}

/* Logits of all levels one behind the other, [image][channel][anchor]. Of the reference itself float32 and
 * float64 are 1.7e-5 (boxes) and 2.1e-5 (scores) of their length apart; five times that. */
static void raw_tensor_matches(const struct run *run, const struct weights *reference, const char *name,
                               const int tensors[HEAD_LEVELS])
{
    size_t n, channels = (size_t)net_value(&run->net, tensors[0]).channels, from = 0;
    float *expected = check_reference(reference, name, &n), *found = malloc(n * sizeof *found);
    assert_non_null(found);
    const size_t anchors = n / (IMAGES * channels);
    for (int level = 0; level < HEAD_LEVELS; level++) {
        const struct view view = net_value(&run->net, tensors[level]);
        const size_t cells = (size_t)(view.height * view.width);
        float *planes = check_to_nchw(view);
        assert_true(from + cells <= anchors);
        for (size_t plane = 0; plane < IMAGES * channels; plane++)
            memcpy(found + plane * anchors + from, planes + plane * cells, cells * sizeof *found);
        from += cells;
        free(planes);
    }
    assert_int_equal(from, anchors);
    const double difference = check_relative_l2(found, expected, n);
    printf("%s: relative l2 %.2g\n", name, difference);
    assert_true(difference <= 1e-4);
    free(found);
    free(expected);
}

static void raw_outputs_match(const struct run *run, const char *file)
{
    struct weights reference;
    struct error err;
    check_ok(weights_open(&reference, check_shared(file), &err), &err);
    raw_tensor_matches(run, &reference, "raw_boxes", run->model.boxes);
    raw_tensor_matches(run, &reference, "raw_scores", run->model.scores);
    weights_close(&reference);
}

static void gradients_of_80_classes_match(void **state)
{
    (void)state;
    check_needs_json();
    struct run run;
    json_t *root = golden();
    forward(&run, 80, 2);
    raw_outputs_match(&run, "golden/yolo11/train_state_nc80.safetensors");
    backward(&run, root);
    loss_matches(&run, root, "nc80");
    check_gradients(&run.params, run.gradients, "golden/yolo11/train_grad_nc80.safetensors", 255 - 3);
    finish(&run);
    json_decref(root);
}

static void gradients_of_one_class_match(void **state)
{
    (void)state;
    check_needs_json();
    struct run run;
    json_t *root = golden();
    forward(&run, 1, 2);
    raw_outputs_match(&run, "golden/yolo11/train_nc1.safetensors");
    backward(&run, root);
    loss_matches(&run, root, "nc1");
    check_gradients(&run.params, run.gradients, "golden/yolo11/train_nc1.safetensors", 63 - 3);
    finish(&run);
    json_decref(root);
}

static void running_statistics_match(void **state)
{
    (void)state;
    check_needs_json();
    struct run run;
    struct error err;
    struct weights reference;
    json_t *root = golden();
    run_case(&run, root, 80, 1);
    check_ok(weights_open(&reference, check_shared("golden/yolo11/train_state_nc80.safetensors"), &err),
             &err);
    double worst = 0;
    for (int i = 0; i < run.params.count; i++) {
        const struct param *p = run.params.list + i;
        if (p->kind != PARAM_STATISTIC) continue;
        char name[128];
        snprintf(name, sizeof name, "running.%s", p->name);
        float *expected = check_reference(&reference, name, NULL);
        worst = fmax(worst, check_max_difference(params_values(&run.params, i), expected, p->size));
        free(expected);
    }
    printf("running statistics: largest difference %.2g\n", worst);
    assert_true(worst <= 1e-5); /* float32 against float64: 1.7e-6 */
    weights_close(&reference);
    finish(&run);
    json_decref(root);
}

static void threads_do_not_change_gradients(void **state)
{
    (void)state;
    check_needs_json();
    struct run one, three;
    json_t *root = golden();
    run_case(&one, root, 80, 1);
    run_case(&three, root, 80, 3);
    assert_memory_equal(one.gradients, three.gradients, one.params.trainable * sizeof(float));
    finish(&one);
    finish(&three);
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_of_80_classes_match),
        cmocka_unit_test(gradients_of_one_class_match),
        cmocka_unit_test(running_statistics_match),
        cmocka_unit_test(threads_do_not_change_gradients),
    };
    return cmocka_run_group_tests_name("backward", tests, NULL, NULL);
}
