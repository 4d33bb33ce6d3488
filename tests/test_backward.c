/* The detector's gradients and batch statistics against the reference implementation. */
#include "check.h"
#include "check_detector.h"
#include "check_gradients.h"
#include "check_json.h"
#include "check_net.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IMAGES = 2, SIDE = 128 };

/* The case up to the network's outputs. */
static void forward(struct check_detector *d, int classes, int threads)
{
    check_detector_build(d, (struct yolo11_config){.scale = YOLO11_N, .classes = classes}, SIDE, SIDE);
    check_detector_plan(d, NET_TRAINING, IMAGES, threads);
    net_forward(&d->net);
}

static void run_case(struct check_detector *d, int classes, int threads)
{
    forward(d, classes, threads);
    check_detector_backward(d);
}

static void loss_matches(const struct check_detector *d, const char *name)
{
    json_error_t why;
    json_t *root = json_load_file(check_shared("golden/yolo11/train_step.json"), 0, &why);
    assert_non_null(root);
    const json_t *item =
        json_object_get(json_object_get(json_object_get(root, "cases"), name), "loss_items_box_cls_dfl");
    const double found[3] = {d->items.box, d->items.classes, d->items.distribution};
    for (size_t i = 0; i < 3; i++) {
        const double expected = json_number_value(json_array_get(item, i));
        printf("%s loss item %zu: %.9g, reference %.9g\n", name, i, found[i], expected);
        assert_true(fabs(found[i] - expected) <= 1e-4 * expected); /* float32 against float64: 1.1e-5 */
    }
    json_decref(root);
}

/* Logits of all levels one behind the other, [image][channel][anchor]. Of the reference itself float32 and
 * float64 are 1.7e-5 (boxes) and 2.1e-5 (scores) of their length apart; five times that. */
static void raw_tensor_matches(const struct check_detector *d, const struct weights *reference,
                               const char *name, const int tensors[HEAD_LEVELS])
{
    size_t n, channels = (size_t)net_value(&d->net, tensors[0]).channels, from = 0;
    float *expected = check_reference(reference, name, &n), *found = malloc(n * sizeof *found);
    assert_non_null(found);
    const size_t anchors = n / (IMAGES * channels);
    for (int level = 0; level < HEAD_LEVELS; level++) {
        const struct view view = net_value(&d->net, tensors[level]);
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

static void raw_outputs_match(const struct check_detector *d, const char *path)
{
    struct weights reference;
    struct error err;
    check_ok(weights_open(&reference, path, &err), &err);
    raw_tensor_matches(d, &reference, "raw_boxes", d->model.boxes);
    raw_tensor_matches(d, &reference, "raw_scores", d->model.scores);
    weights_close(&reference);
}

static void gradients_of_80_classes_match(void **state)
{
    (void)state;
    check_needs_json();
    struct check_detector d;
    const char *raw = check_shared("golden/yolo11/train_state_nc80.safetensors");
    forward(&d, 80, 2);
    raw_outputs_match(&d, raw);
    check_detector_backward(&d);
    loss_matches(&d, "nc80");
    check_gradients(&d.params, d.gradients, "golden/yolo11/train_grad_nc80.safetensors", 255 - 3);
    check_detector_free(&d);
}

static void gradients_of_one_class_match(void **state)
{
    (void)state;
    check_needs_json();
    struct check_detector d;
    const char *raw = check_shared("golden/yolo11/train_nc1.safetensors");
    forward(&d, 1, 2);
    raw_outputs_match(&d, raw);
    check_detector_backward(&d);
    loss_matches(&d, "nc1");
    check_gradients(&d.params, d.gradients, "golden/yolo11/train_nc1.safetensors", 63 - 3);
    check_detector_free(&d);
}

static void running_statistics_match(void **state)
{
    (void)state;
    struct check_detector d;
    struct error err;
    struct weights reference;
    const char *path = check_shared("golden/yolo11/train_state_nc80.safetensors");
    run_case(&d, 80, 1);
    check_ok(weights_open(&reference, path, &err), &err);
    double worst = 0;
    int compared = 0;
    for (int i = 0; i < d.params.count; i++) {
        const struct param *p = d.params.list + i;
        if (p->kind != PARAM_STATISTIC) continue;
        char name[128];
        snprintf(name, sizeof name, "running.%s", p->name);
        float *expected = check_reference(&reference, name, NULL);
        const double difference = check_max_difference(params_values(&d.params, i), expected, p->size);
        assert_true(difference <= 1e-5); /* float32 against float64: 1.7e-6 */
        worst = fmax(worst, difference);
        compared++;
        free(expected);
    }
    printf("running statistics: largest difference %.2g\n", worst);
    assert_int_equal(compared, 2 * 81); /* mean and variance of every norm */
    weights_close(&reference);
    check_detector_free(&d);
}

static void threads_do_not_change_gradients(void **state)
{
    (void)state;
    struct check_detector one, three;
    run_case(&one, 80, 1);
    run_case(&three, 80, 3);
    assert_memory_equal(one.gradients, three.gradients, one.params.trainable * sizeof(float));
    check_detector_free(&one);
    check_detector_free(&three);
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
