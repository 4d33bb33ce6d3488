/* Training steps against the reference implementation: traces of many steps on one mini-batch, masks,
 * threads. */
#include "check.h"
#include "check_detector.h"
#include "check_json.h"
#include "check_net.h"

#include "base/rng.h"
#include "train/learner.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IMAGES = 2, SIDE = 128, STEPS = 10 };

static const int64_t INPUT_VALUES = (int64_t)IMAGES * 3 * SIDE * SIDE;

/* A synthetic student that learns one mini-batch again and again. */
struct lesson {
    struct model model;
    struct learner learner;
    struct learner_options options;
    struct optim_rates rates;
    float *picture; /* NCHW */
    struct target targets[CHECK_TARGETS];
};

static struct lesson lesson_of(enum optimizer optimizer, double rate, double clip)
{
    return (struct lesson){
        .options = {.batch = IMAGES,
                    .size = SIDE,
                    .threads = 2,
                    .plan = PLAN_EXACT,
                    .max_targets = CHECK_TARGETS,
                    .clip = clip,
                    .optimizer = optimizer},
        .rates = {{rate, rate, rate}, optimizer == OPTIMIZER_SGD ? 0 : 0.0005, 0},
    };
}

static void lesson_begin(struct lesson *lesson, int classes)
{
    struct error err;
    const struct kernels *kernels;
    const struct yolo11_config config = {.scale = YOLO11_N, .classes = classes};
    check_ok(kernels_get(&kernels, NULL, &err), &err);
    check_ok(model_make(&lesson->model, config, &err), &err);
    check_synth_params(&lesson->model.params);
    check_ok(learner_make(&lesson->learner, &lesson->model, kernels, &lesson->options, &err), &err);
    lesson->picture = malloc((size_t)INPUT_VALUES * sizeof(float));
    assert_non_null(lesson->picture);
    check_uniform(lesson->picture, "x", (size_t)INPUT_VALUES);
    check_targets(lesson->targets, classes);
}

static void lesson_end(struct lesson *lesson)
{
    free(lesson->picture);
    learner_free(&lesson->learner);
    model_free(&lesson->model);
}

static struct loss_items gradient(struct lesson *lesson)
{
    struct error err;
    struct loss_items items;
    float *input;
    check_ok(learner_input(&lesson->learner, IMAGES, &input, &err), &err);
    check_from_nchw(net_value(&lesson->learner.full.net, lesson->learner.full.graph.input), lesson->picture);
    check_ok(learner_gradient(&lesson->learner, IMAGES, lesson->targets, CHECK_TARGETS, &items, &err), &err);
    return items;
}

static double step(struct lesson *lesson)
{
    struct error err;
    double norm;
    check_ok(learner_step(&lesson->learner, &lesson->rates, 0, &norm, &err), &err);
    return norm;
}

/* ---- traces ---- */

struct trace {
    double loss[STEPS], norm[STEPS];
};

static struct trace run_trace(struct lesson *lesson, int classes)
{
    struct trace trace;
    lesson_begin(lesson, classes);
    for (int i = 0; i < STEPS; i++) {
        trace.loss[i] = gradient(lesson).total;
        trace.norm[i] = step(lesson);
    }
    lesson_end(lesson);
    return trace;
}

/* The trace of one case, computed by the reference in float64: the value that float32 programs scatter about.
 */
static struct trace read_trace(int classes, const char *name)
{
    struct trace trace;
    json_error_t why;
    json_t *root = json_load_file("tests/data/train_step.json", 0, &why);
    const json_t *cases = json_object_get(root, "cases");
    const json_t *rows = json_object_get(json_object_get(cases, classes == 1 ? "nc1" : "nc80"), name);
    assert_int_equal(json_array_size(rows), STEPS);
    for (size_t i = 0; i < STEPS; i++) {
        const json_t *row = json_array_get(rows, i);
        trace.loss[i] = json_number_value(json_array_get(row, 0));
        trace.norm[i] = json_number_value(json_array_get(row, 1));
    }
    json_decref(root);
    return trace;
}

static double difference(double found, double expected) { return fabs(found - expected) / expected; }

static void compare(const char *name, int classes, const struct trace *found, const struct trace *expected,
                    const double *tolerance, int steps)
{
    printf("%s, %d classes: loss", name, classes);
    for (int i = 0; i < STEPS; i++) printf(" %.1e", difference(found->loss[i], expected->loss[i]));
    printf("\n");
    for (int i = 0; i < steps; i++)
        if (difference(found->loss[i], expected->loss[i]) > tolerance[i]) {
            print_error("step %d: loss %.9g, reference %.9g\n", i + 1, found->loss[i], expected->loss[i]);
            assert_true(false);
        }
    /* The norm of the first gradient: float32 against float64 of the reference 1.3e-5. */
    assert_true(difference(found->norm[0], expected->norm[0]) <= 1e-4);
}

/* Plain gradient descent is the smoothest: every step. The reference's own float32 run leaves its float64 run
 * by up to 7.1e-4 (80 classes) and 1.2e-3 (one class, step 9). With one class the case stands on an edge at
 * step 5: runs of this program on an input scaled by 1 + k * 1.2e-7 (k from -5 to 3) split there into two
 * bunches, 1e-4 and 9e-4 away, and these lie 6 % apart at step 10. So steps 8 to 10 get 10 % there. */
static void descends_as_the_reference(void **state)
{
    (void)state;
    check_needs_json();
    const char *name = "ten_steps_sgd_lr1e-3_clip10";
    for (int classes = 80; classes >= 1; classes -= 79) {
        const struct trace expected = read_trace(classes, name);
        struct lesson lesson = lesson_of(OPTIMIZER_SGD, 1e-3, 10);
        const struct trace found = run_trace(&lesson, classes);
        double tolerance[STEPS];
        for (int i = 0; i < STEPS; i++) tolerance[i] = classes == 1 && i >= 7 ? 0.1 : 1e-3;
        compare(name, classes, &found, &expected, tolerance, STEPS);
    }
}

/* With a large epsilon signs of tiny gradients count little: float32 and float64 of the reference differ
 * by 1.1e-5, 1.7e-4, 9.5e-4 and then by percents; with one class by 6 % from the third step on. */
static void smooth_adamw_steps_as_the_reference(void **state)
{
    (void)state;
    check_needs_json();
    const char *name = "ten_steps_adamw_eps1e-2_clip10";
    const double tolerance[] = {1e-4, 5e-3, 5e-3};
    for (int classes = 80; classes >= 1; classes -= 79) {
        const struct trace expected = read_trace(classes, name);
        struct lesson lesson = lesson_of(OPTIMIZER_ADAMW, 0.002, 10);
        lesson.rates.epsilon = 1e-2;
        const struct trace found = run_trace(&lesson, classes);
        compare(name, classes, &found, &expected, tolerance, classes == 80 ? 3 : 2);
    }
}

static double mean_of_last(const struct trace *trace, int steps)
{
    double sum = 0;
    for (int i = STEPS - steps; i < STEPS; i++) sum += trace->loss[i];
    return sum / steps;
}

/* The usual epsilon makes the trace chaotic: float32 and float64 of the reference differ by 0.8 % at the
 * second step and by up to 30 % later, so that the end is compared as a mean. */
static void adamw_falls_as_the_reference(void **state)
{
    (void)state;
    check_needs_json();
    static const struct {
        const char *name;
        double clip;
    } cases[] = {{"ten_steps_adamw_noclip", 0}, {"ten_steps_adamw_clip10", 10}};
    const double tolerance[] = {1e-4, 0.02};
    for (int i = 0; i < 4; i++) {
        const int classes = i / 2 ? 1 : 80;
        const struct trace expected = read_trace(classes, cases[i % 2].name);
        struct lesson lesson = lesson_of(OPTIMIZER_ADAMW, 0.002, cases[i % 2].clip);
        const struct trace found = run_trace(&lesson, classes);
        compare(cases[i % 2].name, classes, &found, &expected, tolerance, 2);
        assert_true(difference(mean_of_last(&found, 4), mean_of_last(&expected, 4)) <= 0.3);
    }
}

/* ---- masks ---- */

static float *copy_of(const float *values, size_t n)
{
    float *copy = malloc(n * sizeof *copy);
    assert_non_null(copy);
    return memcpy(copy, values, n * sizeof *copy);
}

static bool same_bits(float a, float b) { return !memcmp(&a, &b, sizeof a); }

/* Coordinates outside the mask keep their bits, weight decay and averaging included; those inside move. */
static void masked(enum optimizer optimizer)
{
    struct error err;
    struct lesson lesson = lesson_of(optimizer, 0.002, 10);
    lesson_begin(&lesson, 1);
    struct learner *learner = &lesson.learner;
    const size_t n = learner->coordinates;
    uint8_t *mask = malloc(n);
    assert_non_null(mask);
    const uint64_t key = rng_key(1, "test_learner");
    for (size_t i = 0; i < n; i++) mask[i] = rng_real(key, i) < 0.05;
    check_ok(learner_set_mask(learner, mask, &err), &err);
    float *before = copy_of(lesson.model.params.values, n);
    for (int i = 0; i < 3; i++) {
        gradient(&lesson);
        step(&lesson);
    }
    size_t chosen = 0, moved = 0, strayed = 0;
    for (size_t i = 0; i < n; i++) {
        const bool weight = !same_bits(lesson.model.params.values[i], before[i]);
        const bool average = !same_bits(learner->average.params.values[i], before[i]);
        chosen += mask[i];
        moved += mask[i] && weight && average;
        strayed += !mask[i] && (weight || average);
    }
    printf("masked: %zu of %zu chosen coordinates moved, %zu others\n", moved, chosen, strayed);
    assert_int_equal(strayed, 0);
    assert_true(moved > chosen / 2);
    free(before);
    free(mask);
    lesson_end(&lesson);
}

static void unmasked_coordinates_keep_their_bits(void **state)
{
    (void)state;
    masked(OPTIMIZER_ADAMW);
    masked(OPTIMIZER_ADAM);
    masked(OPTIMIZER_SGD);
}

/* ---- bits ---- */

static void threads_do_not_change_steps(void **state)
{
    (void)state;
    struct lesson one = lesson_of(OPTIMIZER_ADAMW, 0.002, 10), three = one;
    one.options.threads = 1;
    three.options.threads = 3;
    lesson_begin(&one, 80);
    lesson_begin(&three, 80);
    const size_t n = one.learner.coordinates, total = one.model.params.total;
    for (int i = 0; i < 3; i++) {
        const double loss = gradient(&one).total, other = gradient(&three).total;
        assert_memory_equal(&loss, &other, sizeof loss);
        assert_memory_equal(one.learner.gradient, three.learner.gradient, n * sizeof(float));
        step(&one);
        step(&three);
    }
    assert_memory_equal(one.model.params.values, three.model.params.values, total * sizeof(float));
    assert_memory_equal(one.learner.average.params.values, three.learner.average.params.values,
                        total * sizeof(float));
    lesson_end(&one);
    lesson_end(&three);
}

/* A gradient that is not finite stops the step by name and moves nothing. */
static void bad_gradient_moves_nothing(void **state)
{
    (void)state;
    struct error err;
    struct lesson lesson = lesson_of(OPTIMIZER_ADAMW, 0.002, 10);
    lesson_begin(&lesson, 1);
    gradient(&lesson);
    float *before = copy_of(lesson.model.params.values, lesson.model.params.total);
    lesson.learner.gradient[0] = NAN;
    assert_int_equal(learner_step(&lesson.learner, &lesson.rates, 0, NULL, &err), ERR_CHECK);
    assert_non_null(strstr(err.message, "model.0.conv.weight"));
    assert_memory_equal(before, lesson.model.params.values, lesson.model.params.total * sizeof(float));
    free(before);
    lesson_end(&lesson);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(descends_as_the_reference),
        cmocka_unit_test(smooth_adamw_steps_as_the_reference),
        cmocka_unit_test(adamw_falls_as_the_reference),
        cmocka_unit_test(unmasked_coordinates_keep_their_bits),
        cmocka_unit_test(threads_do_not_change_steps),
        cmocka_unit_test(bad_gradient_moves_nothing),
    };
    return cmocka_run_group_tests_name("learner", tests, NULL, NULL);
}
