/* The fast plan: Winograd's, the polyphase and Strassen's forms against double, against the exact plan, and in whole
 * networks. That every table and thread count gives the same bits, and that gradients fit finite differences, is tested
 * with all other operations (test_kernels.c, test_ops.c). */
#include "check.h"
#include "check_gradients.h"
#include "check_layer.h"
#include "check_net.h"

#include "detect/detector.h"
#include "image/decode.h"
#include "nn/cost.h"
#include "train/learner.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- One convolution ---- */

static const struct conv_options same = {.kernel = 3, .padding = 1},
                                 half = {.kernel = 3, .padding = 1, .stride = 2},
                                 linear = {.kernel = 1, .linear = true}, point = {.kernel = 1};

static const char *algorithm_of(const struct layer *l) { return cost_algorithm(&l->net, l->graph.nodes); }

static const float *weights_of(const struct layer *l)
{
    return params_values(&l->params, params_find(&l->params, "c.weight"));
}

static double forward_sum(const struct layer *l, const struct conv_options *o, int image, int row, int column,
                          int out)
{
    const struct view x = net_value(&l->net, l->x);
    const int taps = o->kernel * o->kernel, stride = o->stride ? o->stride : 1;
    const float *weight = weights_of(l) + (ptrdiff_t)out * x.channels * taps;
    double sum = params_values(&l->params, params_find(&l->params, "c.bias"))[out];
    for (int t = 0; t < taps; t++)
        for (int k = 0; k < x.channels; k++)
            sum += weight[k * taps + t] * at(&x, image, row * stride + t / o->kernel - o->padding,
                                             column * stride + t % o->kernel - o->padding, k);
    return sum;
}

static double backward_sum(const struct layer *l, const struct conv_options *o, int image, int row,
                           int column, int in)
{
    const struct view dy = net_gradient(&l->net, l->y);
    const int taps = o->kernel * o->kernel, stride = o->stride ? o->stride : 1,
              inputs = net_value(&l->net, l->x).channels;
    double sum = 0;
    for (int t = 0; t < taps; t++) {
        const int y = row + o->padding - t / o->kernel, x = column + o->padding - t % o->kernel;
        if (y < 0 || x < 0 || y % stride || x % stride) continue;
        for (int k = 0; k < dy.channels; k++)
            sum += weights_of(l)[((ptrdiff_t)k * inputs + in) * taps + t] *
                   at(&dy, image, y / stride, x / stride, k);
    }
    return sum;
}

typedef double sum_of(const struct layer *layer, const struct conv_options *options, int image, int row,
                      int column, int channel);

/* Largest difference to the sums in double, of every fifth channel. */
static double error_of(const struct layer *l, const struct conv_options *o, const struct view *values,
                       sum_of *sum)
{
    double worst = 0;
    for (int i = 0; i < values->images; i++)
        for (int row = 0; row < values->height; row++)
            for (int column = 0; column < values->width; column++)
                for (int c = 0; c < values->channels; c += 5)
                    worst = fmax(worst, fabs(sum(l, o, i, row, column, c) - at(values, i, row, column, c)));
    return worst;
}

static double forward_error(const struct layer *l, const struct conv_options *o)
{
    struct view y = net_value(&l->net, l->y);
    y.data = l->output;
    return error_of(l, o, &y, forward_sum);
}

static double backward_error(const struct layer *l, const struct conv_options *o)
{
    const struct view dx = net_gradient(&l->net, l->x);
    return error_of(l, o, &dx, backward_sum);
}

/* Of the weight's gradient, as a part of the root of the number of its terms. */
static double weight_error(const struct layer *l, const struct conv_options *o)
{
    const struct view x = net_value(&l->net, l->x), dy = net_gradient(&l->net, l->y);
    const int taps = o->kernel * o->kernel, stride = o->stride ? o->stride : 1;
    const float *gradient = l->gradients + l->params.list[params_find(&l->params, "c.weight")].offset;
    double worst = 0;
    for (int out = 0; out < dy.channels; out += 7)
        for (int in = 0; in < x.channels; in += 5)
            for (int t = 0; t < taps; t++) {
                double sum = 0;
                for (int i = 0; i < dy.images; i++)
                    for (int row = 0; row < dy.height; row++)
                        for (int column = 0; column < dy.width; column++)
                            sum += at(&dy, i, row, column, out) *
                                   at(&x, i, row * stride + t / o->kernel - o->padding,
                                      column * stride + t % o->kernel - o->padding, in);
                worst = fmax(worst, fabs(sum - gradient[((ptrdiff_t)out * x.channels + in) * taps + t]));
            }
    return worst / sqrt((double)dy.pixels);
}

/* Values are of size 1. Direct chains are off by 1.5e-6 to 4e-6; Winograd's transforms multiply rounding errors by
 * up to ten or so, which for sums of this length has been measured at 1e-5 to 2e-5, and Strassen's sums by two or
 * three: 3.3e-6 to 6.4e-6 where the chain has 1.5e-6 to 2.9e-6. Polyphase sums are as good as the chain, up to 2.8e-6.
 * Weight gradients are divided by the root of the number of their terms: Winograd's are off by up to 2.7e-6, the
 * others by up to 8e-7. */
static const struct tolerance {
    double values, weights;
} winograd_tolerance = {4e-5, 8e-6}, polyphase_tolerance = {1e-5, 2e-6}, strassen_tolerance = {1e-5, 2e-6};

static void sums_are_right(void **state)
{
    (void)state;
    static const struct {
        struct shape shape;
        const struct conv_options *options;
        const char *algorithm;
        const struct tolerance *tolerance;
    } cases[] = {{{1, 8, 8, 16, 16}, &same, "winograd", &winograd_tolerance},
                 {{2, 13, 15, 16, 32}, &same, "winograd", &winograd_tolerance},
                 {{3, 14, 17, 48, 16}, &same, "winograd", &winograd_tolerance},
                 {{1, 20, 20, 128, 64}, &same, "winograd", &winograd_tolerance},
                 {{2, 12, 33, 32, 80}, &same, "winograd", &winograd_tolerance},
                 {{1, 29, 10, 64, 64}, &same, "winograd", &winograd_tolerance},
                 {{1, 16, 15, 32, 16}, &half, "polyphase", &polyphase_tolerance},
                 {{3, 17, 30, 48, 32}, &half, "polyphase", &polyphase_tolerance},
                 {{2, 24, 17, 128, 80}, &half, "polyphase", &polyphase_tolerance},
                 {{1, 40, 40, 64, 128}, &half, "polyphase", &polyphase_tolerance},
                 {{1, 8, 16, 384, 384}, &point, "strassen", &strassen_tolerance},
                 {{3, 1, 129, 384, 448}, &linear, "strassen", &strassen_tolerance},
                 {{1, 1, 257, 416, 1152}, &linear, "strassen", &strassen_tolerance},
                 {{2, 17, 19, 768, 384}, &point, "strassen", &strassen_tolerance}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct layer fast, exact;
        const struct shape s = cases[i].shape;
        const struct conv_options *o = cases[i].options;
        layer_start(&fast, s, *o, PLAN_FAST, 2);
        layer_start(&exact, s, *o, PLAN_EXACT, 2);
        assert_string_equal(algorithm_of(&fast), cases[i].algorithm);
        assert_string_equal(algorithm_of(&exact), "direct");
        const double forward = forward_error(&fast, o), backward = backward_error(&fast, o),
                     weights = weight_error(&fast, o);
        const struct tolerance tolerance = *cases[i].tolerance;
        printf(
            "%s %dx%d %d->%d, %d images: forward %.1e (direct %.1e), backward %.1e (%.1e), weights %.1e (%.1e)\n",
            cases[i].algorithm, s.height, s.width, s.in, s.out, s.batch, forward, forward_error(&exact, o),
            backward, backward_error(&exact, o), weights, weight_error(&exact, o));
        assert_true(forward <= tolerance.values && backward <= tolerance.values &&
                    weights <= tolerance.weights);
        layer_end(&fast);
        layer_end(&exact);
    }
}

struct layer_case {
    struct shape shape;
    const struct conv_options *options;
};

/* An image's result does not depend on the others of its batch. */
static void images_of_a_batch_are_apart(void **state)
{
    (void)state;
    static const struct layer_case cases[] = {
        {{3, 13, 18, 16, 32}, &same}, {{3, 19, 18, 32, 48}, &half}, {{3, 9, 15, 384, 416}, &point}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct layer batch, alone;
        struct shape single = cases[i].shape;
        single.batch = 1;
        layer_start(&batch, cases[i].shape, *cases[i].options, PLAN_FAST, 2);
        layer_start(&alone, single, *cases[i].options, PLAN_FAST, 2);
        const struct view all = net_value(&batch.net, batch.x), x = net_value(&alone.net, alone.x);
        const size_t in = (size_t)x.pixels * (size_t)single.in,
                     out = (size_t)net_value(&alone.net, alone.y).pixels * (size_t)single.out;
        for (size_t k = 0; k < 3; k++) {
            memcpy(x.data, all.data + k * in, in * sizeof(float));
            net_forward(&alone.net);
            assert_memory_equal(net_value(&alone.net, alone.y).data, batch.output + k * out,
                                out * sizeof(float));
        }
        layer_end(&batch);
        layer_end(&alone);
    }
}

/* Nor on threads, of which there may be more than an image has pieces. */
static void threads_of_a_layer_do_not_matter(void **state)
{
    (void)state;
    static const struct layer_case cases[] = {
        {{1, 13, 18, 16, 32}, &same},  {{5, 8, 13, 48, 64}, &same},      {{1, 25, 18, 32, 48}, &half},
        {{6, 17, 16, 64, 128}, &half}, {{1, 1, 129, 384, 448}, &linear}, {{3, 9, 15, 384, 1152}, &point}};
    static const int threads[] = {2, 3, 5, 16, 64, 256};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct layer one;
        layer_start(&one, cases[i].shape, *cases[i].options, PLAN_FAST, 1);
        const struct view y = net_value(&one.net, one.y);
        for (size_t k = 0; k < sizeof threads / sizeof *threads; k++) {
            struct layer many;
            layer_start(&many, cases[i].shape, *cases[i].options, PLAN_FAST, threads[k]);
            assert_memory_equal(one.output, many.output, (size_t)y.pixels * (size_t)y.stride * sizeof(float));
            const struct view dx = net_gradient(&one.net, one.x), same_dx = net_gradient(&many.net, many.x);
            assert_memory_equal(dx.data, same_dx.data, (size_t)dx.pixels * (size_t)dx.stride * sizeof(float));
            assert_memory_equal(one.gradients, many.gradients, one.params.trainable * sizeof(float));
            layer_end(&many);
        }
        layer_end(&one);
    }
}

/* Other kernels, strides and channels, and small maps (smaller ones in training), are computed directly. */
static void shapes_and_modes_choose(void **state)
{
    (void)state;
    static const struct shape good = {1, 24, 24, 32, 32}, narrow = {1, 24, 24, 24, 32},
                              low = {1, 8, 40, 32, 32}, least = {1, 12, 40, 32, 32},
                              tiny = {1, 7, 40, 32, 32}, flat = {1, 15, 40, 32, 32},
                              small = {1, 22, 40, 32, 32}, sixteen = {1, 24, 24, 16, 32},
                              deep = {1, 8, 16, 384, 384}, few = {2, 127, 1, 384, 384},
                              thin = {1, 8, 16, 352, 384}, slim = {1, 8, 16, 384, 352},
                              odd = {1, 8, 16, 400, 384};
    static const struct {
        const struct shape *shape;
        struct conv_options options;
        const char *training, *inference;
    } cases[] = {{&good, {.kernel = 3, .padding = 1}, "winograd", "winograd"},
                 {&least, {.kernel = 3, .padding = 1}, "winograd", "winograd"},
                 {&low, {.kernel = 3, .padding = 1}, "winograd", "direct"},
                 {&tiny, {.kernel = 3, .padding = 1}, "direct", "direct"},
                 {&narrow, {.kernel = 3, .padding = 1}, "direct", "direct"},
                 {&good, {.kernel = 3, .padding = 0}, "direct", "direct"},
                 {&good, {.kernel = 5, .padding = 2}, "direct", "direct"},
                 {&good, {.kernel = 3, .padding = 2, .dilation = 2}, "direct", "direct"},
                 {&good, {.kernel = 3, .padding = 1, .groups = 2}, "direct", "direct"},
                 {&good, {.kernel = 3, .padding = 1, .stride = 2}, "polyphase", "polyphase"},
                 {&small, {.kernel = 3, .padding = 1, .stride = 2}, "polyphase", "direct"},
                 {&flat, {.kernel = 3, .padding = 1, .stride = 2}, "polyphase", "direct"},
                 {&tiny, {.kernel = 3, .padding = 1, .stride = 2}, "direct", "direct"},
                 {&narrow, {.kernel = 3, .padding = 1, .stride = 2}, "direct", "direct"},
                 {&sixteen, {.kernel = 3, .padding = 1, .stride = 2}, "direct", "direct"},
                 {&good, {.kernel = 3, .padding = 0, .stride = 2}, "direct", "direct"},
                 {&good, {.kernel = 3, .padding = 1, .stride = 3}, "direct", "direct"},
                 {&good, {.kernel = 3, .padding = 1, .stride = 2, .groups = 2}, "direct", "direct"},
                 {&deep, {.kernel = 1}, "strassen", "strassen"},
                 {&few, {.kernel = 1}, "direct", "direct"},
                 {&thin, {.kernel = 1}, "direct", "direct"},
                 {&slim, {.kernel = 1}, "direct", "direct"},
                 {&odd, {.kernel = 1}, "direct", "direct"},
                 {&deep, {.kernel = 1, .padding = 1}, "direct", "direct"},
                 {&deep, {.kernel = 1, .stride = 2}, "direct", "direct"},
                 {&deep, {.kernel = 1, .groups = 2}, "direct", "direct"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (enum net_mode mode = NET_INFERENCE; mode <= NET_FROZEN; mode++)
            for (enum net_plan plan = PLAN_FAST; plan <= PLAN_FAST_0_1; plan++) {
                /* Version 0.1 had no polyphase form, and chose for training as for inference. */
                const char *before = strcmp(cases[i].inference, "polyphase") ? cases[i].inference : "direct",
                           *now = mode == NET_INFERENCE ? cases[i].inference : cases[i].training;
                const char *const expected[] = {
                    [PLAN_FAST] = now, [PLAN_EXACT] = "direct", [PLAN_FAST_0_1] = before};
                struct layer l;
                layer_make(&l, *cases[i].shape, cases[i].options,
                           (struct net_options){.threads = 2, .mode = mode, .plan = plan});
                assert_string_equal(algorithm_of(&l), expected[plan]);
                layer_end(&l);
            }
}

/* ---- The detector ---- */

enum { SIDE = 128, BATCH = 2, BOXES = 3 };

/* The flat gradient of the loss on synthetic weights and pictures; malloc'ed. */
static float *detector_gradient(enum net_plan plan, struct model *model, struct loss_items *items)
{
    static const struct target targets[BOXES] = {{0, 1, 0.4f, 0.5f, 0.5f, 0.6f, 0},
                                                 {0, 0, 0.7f, 0.3f, 0.3f, 0.4f, 0},
                                                 {1, 2, 0.6f, 0.6f, 0.4f, 0.5f, 0}};
    const struct learner_options options = {.batch = BATCH,
                                            .size = SIDE,
                                            .threads = 2,
                                            .max_targets = BOXES,
                                            .plan = plan,
                                            .optimizer = OPTIMIZER_SGD};
    struct learner learner;
    struct error err;
    float *input;
    check_ok(model_make(model, (struct yolo11_config){.scale = YOLO11_N, .classes = 3}, &err), &err);
    check_synth_params(&model->params);
    check_ok(learner_make(&learner, model, kernels_here(), &options, &err), &err);
    check_ok(learner_input(&learner, BATCH, &input, &err), &err);
    check_uniform(input, "pictures", (size_t)BATCH * SIDE * SIDE * 3);
    check_ok(learner_gradient(&learner, BATCH, targets, BOXES, items, &err), &err);
    float *gradient = malloc(learner.coordinates * sizeof *gradient);
    assert_non_null(gradient);
    memcpy(gradient, learner.gradient, learner.coordinates * sizeof *gradient);
    learner_free(&learner);
    return gradient;
}

static void gradients_of_the_detector_agree_with_exact(void **state)
{
    (void)state;
    struct model model, other;
    struct loss_items fast, exact;
    float *one = detector_gradient(PLAN_FAST, &model, &fast),
          *two = detector_gradient(PLAN_EXACT, &other, &exact);
    printf("loss %.9g fast, %.9g exact\n", fast.total, exact.total);
    /* Batch norms over few pixels amplify; the reference trainer and the exact plan are 1e-5 apart, too. */
    assert_true(fabs(fast.total - exact.total) <= 1e-4 * exact.total);
    assert_true(memcmp(one, two, model.params.trainable * sizeof *one) != 0);
    check_gradients_agree(&model.params, one, two, 255 - 3);
    free(one);
    free(two);
    model_free(&model);
    model_free(&other);
}

static int detect(struct detection *found, const struct model *model, const struct image *picture,
                  enum net_plan plan)
{
    const struct nms_options options = nms_predict_options();
    struct detector detector;
    struct error err;
    int count;
    detector_begin(&detector, model, kernels_here(), 2, &options);
    detector.plan = plan;
    check_ok(detector_predict(&detector, picture, 640, true, found, &count, &err), &err);
    detector_end(&detector);
    return count;
}

/* Boxes within a tenth of a pixel; the confidences, sums of logits that differ in the fifth digit, within
 * 1e-3. */
static void detections_on_real_pictures_agree_with_exact(void **state)
{
    (void)state;
    static const char *const names[] = {"000000000009", "000000000025", "000000000036",
                                        "000000000049", "000000000061", "000000000077"};
    struct model model;
    struct error err;
    double position = 0, confidence = 0;
    int compared = 0;
    check_ok(model_open(&model, check_shared("weights/yolo11n-coco-fused.safetensors"), &err), &err);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct detection fast[NMS_MAX_DETECTIONS], exact[NMS_MAX_DETECTIONS];
        struct image picture = {0};
        char path[64];
        snprintf(path, sizeof path, "data/coco128/images/%s.jpg", names[i]);
        check_ok(image_read(&picture, check_shared(path), &err), &err);
        const int count = detect(fast, &model, &picture, PLAN_FAST);
        assert_int_equal(count, detect(exact, &model, &picture, PLAN_EXACT));
        for (int k = 0; k < count; k++, compared++) {
            const struct box *a = &fast[k].box, *b = &exact[k].box;
            assert_int_equal(fast[k].class_id, exact[k].class_id);
            position = fmax(position, fmax(fabsf(a->x1 - b->x1), fabsf(a->y1 - b->y1)));
            position = fmax(position, fmax(fabsf(a->x2 - b->x2), fabsf(a->y2 - b->y2)));
            confidence = fmax(confidence, fabsf(fast[k].confidence - exact[k].confidence));
        }
        image_free(&picture);
    }
    model_free(&model);
    printf("%d detections: boxes differ by up to %.1e px, confidences by %.1e\n", compared, position,
           confidence);
    assert_true(compared > 10 && position <= 0.1 && confidence <= 1e-3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_right),
        cmocka_unit_test(images_of_a_batch_are_apart),
        cmocka_unit_test(threads_of_a_layer_do_not_matter),
        cmocka_unit_test(shapes_and_modes_choose),
        cmocka_unit_test(gradients_of_the_detector_agree_with_exact),
        cmocka_unit_test(detections_on_real_pictures_agree_with_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
