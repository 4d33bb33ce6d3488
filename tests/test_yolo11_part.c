/* A part of the references that a lone checkout has, tests/data/yolo11_small.safetensors: some values of
 * every layer of scale n, of blocks, logits, gradients and statistics. Of each tensor it holds entries 0, s,
 * 2s, ... in the order of the reference's file, s the smallest number not below the tensor's size / 128 that
 * neither 2 nor 3 divides, so that all columns and taps are met. Tolerances are golden/yolo11's, as in
 * test_yolo11.c and test_backward.c. */
#include "check.h"
#include "check_detector.h"
#include "check_net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEPT = 128, LAYERS = 23, VALUES = LAYERS + 2 * HEAD_LEVELS + 11, GRADIENTS = 19, STATISTICS = 2 };

static const char *const part = "tests/data/yolo11_small.safetensors";

static void open_file(struct weights *weights, const char *path)
{
    struct error err;
    check_ok(weights_open(weights, path, &err), &err);
}

/* The kept entries moved to the front; returns their number. */
static size_t keep(float *values, size_t n)
{
    size_t step = (n + KEPT - 1) / KEPT, count = 0;
    while (step % 2 == 0 || step % 3 == 0) step++;
    for (size_t i = 0; i < n; i += step) values[count++] = values[i];
    return count;
}

/* `found` holds all n values of the tensor and is changed. */
static double difference(const struct weight_tensor *tensor, float *found, size_t n,
                         double (*measure)(const float *, const float *, size_t))
{
    float expected[KEPT];
    assert_true(tensor->count <= KEPT);
    assert_int_equal(keep(found, n), tensor->count);
    weights_read(expected, tensor);
    return measure(found, expected, (size_t)tensor->count);
}

static void expect(const struct weight_tensor *tensor, double found, double limit)
{
    if (!(found <= limit)) print_error("%s differs by %g, limit %g\n", tensor->name, found, limit);
    assert_true(found <= limit);
}

static bool starts(const char *name, const char *with) { return !strncmp(name, with, strlen(with)); }

/* The graph's tensor of that name in the file, or -1. */
static int tensor_named(const struct check_detector *d, const char *name)
{
    for (int i = 0; i < HEAD_LEVELS; i++) {
        char logits[24];
        snprintf(logits, sizeof logits, "box_logits%d", i);
        if (!strcmp(name, logits)) return d->model.boxes[i];
        snprintf(logits, sizeof logits, "cls_logits%d", i);
        if (!strcmp(name, logits)) return d->model.scores[i];
    }
    if (starts(name, "layer")) return d->model.layer[atoi(name + strlen("layer"))];
    if (!starts(name, "inner.")) return -1;
    for (int i = 0; i < d->graph.node_count; i++)
        if (!strcmp(d->graph.nodes[i].name, name + strlen("inner."))) return d->graph.nodes[i].output;
    return -1;
}

static double limit_of(const char *name)
{
    return strstr(name, "logits") ? 3e-6 : strstr(name, ".attn") ? 2e-6 : 1e-5;
}

static void layers_blocks_and_logits_match(void **state)
{
    (void)state;
    struct check_detector d;
    struct weights reference;
    int compared = 0;
    open_file(&reference, part);
    check_detector_build(&d, (struct yolo11_config){.scale = YOLO11_N, .classes = 80}, 64, 96);
    for (size_t i = 0; i < reference.count; i++) {
        const int tensor = tensor_named(&d, reference.tensors[i].name);
        if (tensor >= 0) graph_output(&d.graph, tensor);
    }
    check_detector_plan(&d, NET_FROZEN, 1, 2);
    net_forward(&d.net);
    for (size_t i = 0; i < reference.count; i++) {
        const struct weight_tensor *t = reference.tensors + i;
        const int tensor = tensor_named(&d, t->name);
        if (tensor < 0) continue;
        const struct view view = net_value(&d.net, tensor);
        float *found = check_to_nchw(view);
        expect(t, difference(t, found, (size_t)view.pixels * (size_t)view.channels, check_max_difference),
               limit_of(t->name));
        free(found);
        compared++;
    }
    assert_int_equal(compared, VALUES);
    check_detector_free(&d);
    weights_close(&reference);
}

/* One gradient of every operation that the detector has: convolutions of 3x3 with stride 1 and 2, 1x1,
 * depthwise, with bias; batch norm; below max pools, attention, upsampling and concatenation. */
static void gradients_and_statistics_match(void **state)
{
    (void)state;
    struct check_detector d;
    struct weights reference;
    int gradients = 0, statistics = 0;
    open_file(&reference, part);
    check_detector_build(&d, (struct yolo11_config){.scale = YOLO11_N, .classes = 80}, 128, 128);
    check_detector_plan(&d, NET_TRAINING, 2, 2);
    net_forward(&d.net);
    check_detector_backward(&d);
    for (size_t i = 0; i < reference.count; i++) {
        const struct weight_tensor *t = reference.tensors + i;
        const bool gradient = starts(t->name, "grad.");
        if (!gradient && !starts(t->name, "running.")) continue;
        const int index = params_find(&d.params, strchr(t->name, '.') + 1);
        assert_true(index >= 0);
        const struct param *p = d.params.list + index;
        float *values = gradient ? d.gradients + p->offset : params_values(&d.params, index);
        if (gradient)
            expect(t, difference(t, values, p->size, check_relative_l2), 1e-3);
        else
            expect(t, difference(t, values, p->size, check_max_difference), 1e-5);
        gradients += gradient;
        statistics += !gradient;
    }
    assert_int_equal(gradients, GRADIENTS);
    assert_int_equal(statistics, STATISTICS);
    check_detector_free(&d);
    weights_close(&reference);
}

/* What is kept is the stated part of the references, bit for bit. */
static void the_part_is_of_the_references(void **state)
{
    (void)state;
    struct weights small, values, gradients, statistics;
    open_file(&values, check_shared("golden/yolo11/arch_n.safetensors"));
    open_file(&gradients, check_shared("golden/yolo11/train_grad_nc80.safetensors"));
    open_file(&statistics, check_shared("golden/yolo11/train_state_nc80.safetensors"));
    open_file(&small, part);
    assert_int_equal(small.count, VALUES + GRADIENTS + STATISTICS);
    for (size_t i = 0; i < small.count; i++) {
        const struct weight_tensor *t = small.tensors + i;
        const bool gradient = starts(t->name, "grad.");
        const struct weights *from = gradient                      ? &gradients
                                     : starts(t->name, "running.") ? &statistics
                                                                   : &values;
        size_t n;
        float *all = check_reference(from, gradient ? t->name + strlen("grad.") : t->name, &n);
        assert_true(difference(t, all, n, check_max_difference) == 0);
        free(all);
    }
    weights_close(&small);
    weights_close(&statistics);
    weights_close(&gradients);
    weights_close(&values);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers_blocks_and_logits_match),
        cmocka_unit_test(gradients_and_statistics_match),
        cmocka_unit_test(the_part_is_of_the_references),
    };
    return cmocka_run_group_tests_name("yolo11_part", tests, NULL, NULL);
}
