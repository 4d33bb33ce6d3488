/* Mini-batches in parts give the gradient, the loss and the step of the whole, to the bit. */
#include "check.h"
#include "check_net.h"

#include "base/rng.h"
#include "nn/pixels.h"
#include "train/learner.h"

#include <stdlib.h>
#include <string.h>

enum { SIDE = 64, BATCH = 7, LAST = 3, TARGETS = 2 };

struct outcome {
    struct loss_items items[2];
    float *gradient, *weights; /* before and after the step */
    size_t gradients, values;
};

/* A whole mini-batch and a smaller one are accumulated, then a step is made. */
static struct outcome learn(int part, int threads, enum net_plan plan, bool freeze)
{
    const struct kernels *kernels;
    struct error err;
    struct model model;
    struct learner learner;
    struct outcome out;
    struct target targets[BATCH * TARGETS];
    const struct yolo11_config config = {.scale = YOLO11_PICO, .classes = 3, .freeze = freeze ? 5 : 0};
    check_ok(kernels_get(&kernels, NULL, &err), &err);
    check_ok(model_make(&model, config, &err), &err);
    check_synth_params(&model.params);
    const struct learner_options options = {.batch = BATCH,
                                            .size = SIDE,
                                            .threads = threads,
                                            .part = part,
                                            .max_targets = BATCH * TARGETS,
                                            .frozen_norm = true,
                                            .plan = plan,
                                            .clip = 10,
                                            .optimizer = OPTIMIZER_ADAMW};
    check_ok(learner_make(&learner, &model, kernels, &options, &err), &err);
    struct rng rng = {rng_key(3, "parts"), 0};
    for (int pass = 0; pass < 2; pass++) {
        const int images = pass ? LAST : BATCH;
        float *input;
        check_ok(learner_input(&learner, images, &input, &err), &err);
        for (int i = 0; i < images * SIDE * SIDE * 3; i++) input[i] = (float)rng_uniform(&rng, 0, 1);
        for (int i = 0; i < images * TARGETS; i++)
            targets[i] = (struct target){i / TARGETS,
                                         rng_next_int(&rng, 3),
                                         (float)rng_uniform(&rng, 0.3, 0.7),
                                         (float)rng_uniform(&rng, 0.3, 0.7),
                                         (float)rng_uniform(&rng, 0.2, 0.5),
                                         (float)rng_uniform(&rng, 0.2, 0.5),
                                         0};
        check_ok(learner_gradient(&learner, images, targets, images * TARGETS, &out.items[pass], &err), &err);
    }
    out.gradients = learner.coordinates * sizeof(float);
    out.values = model.params.total * sizeof(float);
    assert_non_null(out.gradient = malloc(out.gradients));
    assert_non_null(out.weights = malloc(out.values));
    memcpy(out.gradient, learner.gradient, out.gradients);
    const struct optim_rates rates = {.rate = {1e-3, 1e-3, 1e-3}, .weight_decay = 0.0005};
    check_ok(learner_step(&learner, &rates, 0, NULL, &err), &err);
    memcpy(out.weights, model.params.values, out.values);
    learner_free(&learner);
    model_free(&model);
    return out;
}

static void forget(struct outcome *o)
{
    free(o->gradient);
    free(o->weights);
}

static void check_same(const struct outcome *whole, int part, int threads, enum net_plan plan, bool frozen)
{
    struct outcome parts = learn(part, threads, plan, frozen);
    for (int i = 0; i < 2; i++) {
        assert_true(parts.items[i].total == whole->items[i].total);
        assert_int_equal(parts.items[i].foreground, whole->items[i].foreground);
        assert_true(parts.items[i].foreground > 0);
    }
    assert_memory_equal(parts.gradient, whole->gradient, whole->gradients);
    assert_memory_equal(parts.weights, whole->weights, whole->values);
    forget(&parts);
}

static void parts_are_the_whole(void **state)
{
    (void)state;
    for (int plan = 0; plan < 2; plan++) {
        struct outcome whole = learn(0, 2, plan ? PLAN_FAST : PLAN_EXACT, false);
        double size = 0;
        for (size_t i = 0; i < whole.gradients / sizeof(float); i++) size += whole.gradient[i] != 0;
        assert_true(size > 0.5 * (double)(whole.gradients / sizeof(float)));
        for (int part = 1; part <= 8; part *= 2)
            check_same(&whole, part, 1 + part % 3, plan ? PLAN_FAST : PLAN_EXACT, false);
        forget(&whole);
    }
}

static void frozen_layers_stay_out(void **state)
{
    (void)state;
    struct outcome whole = learn(0, 1, PLAN_FAST, true);
    check_same(&whole, 2, 2, PLAN_FAST, true);
    forget(&whole);
}

static void parts_take_less_memory(void **state)
{
    (void)state;
    const struct kernels *kernels;
    struct error err;
    struct model model;
    check_ok(kernels_get(&kernels, NULL, &err), &err);
    check_ok(model_make(&model, (struct yolo11_config){.scale = YOLO11_N, .classes = 1}, &err), &err);
    struct learner_options options = {.batch = 16,
                                      .size = 640,
                                      .threads = 1,
                                      .frozen_norm = true,
                                      .optimizer = OPTIMIZER_ADAMW,
                                      .memory_limit = (size_t)512 << 20};
    assert_int_equal(learner_check_memory(&model, kernels, &options, &err), ERR_SYSTEM);
    assert_non_null(strstr(err.message, "for 16 pictures of 640x640"));
    options.part = 1;
    options.pictures = 17; /* the last one goes through the network of the others */
    check_ok(learner_check_memory(&model, kernels, &options, &err), &err);
    /* The network of a smaller last mini-batch lies beside that of the others. */
    options.part = 0;
    options.pictures = 32;
    options.memory_limit = 1;
    assert_int_equal(learner_check_memory(&model, kernels, &options, &err), ERR_SYSTEM);
    assert_null(strstr(err.message, "for the last"));
    const double whole = atof(strpbrk(err.message, "0123456789"));
    options.memory_limit = (size_t)((whole + 1) * 1048576);
    check_ok(learner_check_memory(&model, kernels, &options, &err), &err);
    options.pictures = 40;
    assert_int_equal(learner_check_memory(&model, kernels, &options, &err), ERR_SYSTEM);
    assert_non_null(strstr(err.message, "for the last 8, "));
    model_free(&model);
}

/* Rows [first, first + count), split at the largest power of two. */
static double whole_tree(const double *rows, int first, int count)
{
    if (count == 1) return rows[first];
    int half = 1;
    while (2 * half < count) half *= 2;
    return whole_tree(rows, first, half) + whole_tree(rows, first + half, count - half);
}

static float whole_tree_float(const double *rows, int first, int count)
{
    if (count == 1) return (float)rows[first];
    int half = 1;
    while (2 * half < count) half *= 2;
    return whole_tree_float(rows, first, half) + whole_tree_float(rows, first + half, count - half);
}

static void trees_are_those_of_the_definition(void **state)
{
    enum { MOST = 37 };
    (void)state;
    double rows[MOST], stack[TREE_MAX_LEVELS], row;
    float floats[TREE_MAX_LEVELS], other;
    for (int i = 0; i < MOST; i++) rows[i] = rng_real(rng_key(3, "tree"), (uint64_t)i) - 0.3;
    for (int n = 1; n <= MOST; n++) {
        for (int i = 0; i < n; i++) {
            float *at = tree_place(floats, i, &other);
            row = rows[i];
            *at = (float)rows[i];
            tree_feed_double(stack, 1, i, n, &row, 1);
            tree_feed(floats, 1, i, n, at, 1);
        }
        assert_true(row == whole_tree(rows, 0, n));
        assert_true(floats[0] == whole_tree_float(rows, 0, n));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_the_whole),
        cmocka_unit_test(frozen_layers_stay_out),
        cmocka_unit_test(parts_take_less_memory),
        cmocka_unit_test(trees_are_those_of_the_definition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
