/* Learning rates, accumulation and step flags of whole runs against the reference trainer's. */
#include "check.h"

#include "train/schedule.h"

#if HAVE_JANSSON
#include <jansson.h>
#endif
#include <math.h>
#include <stdlib.h>
#include <string.h>

#if HAVE_JANSSON
static int integer(const json_t *object, const char *key)
{
    return (int)json_integer_value(json_object_get(object, key));
}

static double real(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static double item(const json_t *row, size_t i) { return json_number_value(json_array_get(row, i)); }

/* The reference prints ten significant digits of values up to 1. */
static void check_real(double got, double expected) { assert_true(fabs(got - expected) <= 1e-10); }

struct recorded {
    struct schedule_step step;
    int64_t steps;
};

static void check_case(const json_t *expected)
{
    struct schedule_options options = SCHEDULE_DEFAULTS;
    struct schedule schedule;
    struct error err;
    options.images = integer(expected, "images");
    options.epochs = integer(expected, "epochs");
    options.batch = integer(expected, "batch");
    options.classes = integer(expected, "nc");
    check_ok(schedule_make(&schedule, &options, &err), &err);
    assert_int_equal(schedule.optimizer, OPTIMIZER_ADAMW);
    assert_int_equal(schedule.batches, integer(expected, "batches_per_epoch"));
    assert_int_equal(schedule.accumulate, integer(expected, "nominal_accumulate"));
    assert_int_equal(schedule.warmup, integer(expected, "warmup_iterations"));
    assert_int_equal(schedule.plain_from, integer(expected, "close_mosaic_from_epoch"));
    check_real(schedule.weight_decay, real(expected, "weight_decay_effective"));
    check_real(schedule.rate, real(expected, "lr0"));

    struct recorded *run = calloc((size_t)schedule.batches * (size_t)schedule.epochs, sizeof *run);
    assert_non_null(run);
    struct schedule_state state = SCHEDULE_START;
    for (int e = 0, n = 0; e < schedule.epochs; e++)
        for (int i = 0; i < schedule.batches; i++, n++) {
            run[n].step = schedule_next(&schedule, &state, e, i);
            run[n].steps = state.steps;
        }
    assert_int_equal(state.steps, integer(expected, "optimizer_steps_total"));

    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(expected, "rows"), i, row)
    {
        const int n = (int)item(row, 0);
        assert_int_equal(n, (int)item(row, 1) * schedule.batches + (int)item(row, 2));
        check_real(run[n].step.rate, item(row, 3));
        check_real(run[n].step.bias_rate, item(row, 4));
        assert_int_equal(run[n].step.accumulate, item(row, 5));
        assert_int_equal(run[n].step.due, item(row, 6));
        assert_int_equal(run[n].steps, item(row, 7));
        if (run[n].step.due) check_real(schedule_average_decay(run[n].steps), item(row, 8));
    }
    json_array_foreach(json_object_get(expected, "per_epoch"), i, row)
    {
        const int last = ((int)item(row, 0) + 1) * schedule.batches - 1;
        check_real(run[last].step.rate, item(row, 1));
        assert_int_equal(run[last].steps, item(row, 2));
    }
    free(run);
}

static void check_file(const char *path)
{
    json_error_t why;
    json_t *cases = json_load_file(path, 0, &why), *expected;
    assert_non_null(cases);
    assert_int_equal(json_object_size(cases), 7);
    const char *name;
    json_object_foreach(cases, name, expected) check_case(expected);
    json_decref(cases);
}

static void a_part_of_the_reference(void **state)
{
    (void)state;
    check_file("tests/data/schedule.json");
}

static void the_whole_reference(void **state)
{
    (void)state;
    check_file(check_shared("golden/yolo11/schedule.json"));
}
#endif

static struct schedule_options options_for(int images, int epochs)
{
    struct schedule_options options = SCHEDULE_DEFAULTS;
    options.images = images;
    options.epochs = epochs;
    options.batch = 16;
    options.classes = 1;
    return options;
}

static int64_t steps_of(const struct schedule_options *options)
{
    struct schedule schedule;
    struct schedule_state state = SCHEDULE_START;
    struct error err;
    check_ok(schedule_make(&schedule, options, &err), &err);
    for (int e = 0; e < schedule.epochs; e++)
        for (int i = 0; i < schedule.batches; i++) schedule_next(&schedule, &state, e, i);
    return state.steps;
}

/* [D-SBAD]: optimiser steps at 100 epochs, without and with the older trainer's floor of 100 iterations. */
static void step_counts_are_those_of_the_specification(void **state)
{
    (void)state;
    static const int images[] = {32, 64, 128, 256, 512}, plain[] = {51, 102, 205, 411, 822},
                     floored[] = {74, 124, 224, 424, 824};
    for (int i = 0; i < 5; i++) {
        struct schedule_options options = options_for(images[i], 100);
        assert_int_equal(steps_of(&options), plain[i]);
        options.warmup_floor = 100;
        assert_int_equal(steps_of(&options), floored[i]);
    }
}

static void an_explicit_optimizer_keeps_its_values(void **state)
{
    (void)state;
    struct schedule_options options = options_for(64, 10);
    struct schedule schedule;
    struct schedule_state position = SCHEDULE_START;
    struct error err;
    options.optimizer = OPTIMIZER_SGD;
    check_ok(schedule_make(&schedule, &options, &err), &err);
    const struct schedule_step first = schedule_next(&schedule, &position, 0, 0);
    assert_true(first.rate == 0 && first.bias_rate == 0.1 && first.momentum == 0.8 && first.due);
    for (int i = 1; i <= 12; i++) schedule_next(&schedule, &position, i / 4, i % 4);
    const struct schedule_step later = schedule_next(&schedule, &position, 3, 1);
    assert_true(later.rate == later.bias_rate && later.momentum == 0.937);
    assert_true(fabs(later.rate - 0.01 * (0.7 * 0.99 + 0.01)) < 1e-15);
}

static void too_much_for_the_automatic_rule_is_refused(void **state)
{
    (void)state;
    struct schedule_options options = options_for(6400, 101);
    struct schedule schedule;
    struct error err;
    assert_int_equal(schedule_make(&schedule, &options, &err), ERR_USAGE);
    assert_non_null(strstr(err.message, "10100 steps"));
    options.epochs = 100;
    check_ok(schedule_make(&schedule, &options, &err), &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#if HAVE_JANSSON
        cmocka_unit_test(a_part_of_the_reference),
        cmocka_unit_test(the_whole_reference),
#endif
        cmocka_unit_test(step_counts_are_those_of_the_specification),
        cmocka_unit_test(an_explicit_optimizer_keeps_its_values),
        cmocka_unit_test(too_much_for_the_automatic_rule_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
