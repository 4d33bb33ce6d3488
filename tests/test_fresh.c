/* Start values for training from nothing (yolo11.md 1.4). */
#include "check.h"

#include "detect/model.h"

#include <math.h>
#include <string.h>

static struct model fresh(enum yolo11_scale scale, int classes, uint64_t seed)
{
    struct error err;
    struct model model;
    check_ok(model_fresh(&model, (struct yolo11_config){.scale = scale, .classes = classes}, seed, &err),
             &err);
    return model;
}

static const float *values_of(const struct model *model, const char *name)
{
    const int index = params_find(&model->params, name);
    assert_true(index >= 0);
    return params_values(&model->params, index);
}

/* The specification gives six digits behind the point. */
static void biases_are_those_of_the_reference(void **state)
{
    static const struct {
        int classes;
        double bias[3];
    } cases[] = {{1, {-7.154615, -5.768321, -4.382027}}, {80, {-11.536642, -10.150348, -8.764053}}};
    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        struct model model = fresh(YOLO11_PICO, cases[k].classes, 1);
        for (int level = 0; level < 3; level++) {
            char name[40];
            snprintf(name, sizeof name, "model.23.cv3.%d.2.bias", level);
            for (int i = 0; i < cases[k].classes; i++)
                assert_true(fabs(values_of(&model, name)[i] - cases[k].bias[level]) < 1e-6);
            snprintf(name, sizeof name, "model.23.cv2.%d.2.bias", level);
            for (int i = 0; i < HEAD_BOX_LOGITS; i++) assert_true(values_of(&model, name)[i] == 2.f);
        }
        model_free(&model);
    }
}

/* Uniform within +-1/sqrt(fan_in): the mean square is a third of the limit's. With n values its relative
 * spread is sqrt(0.8 / n); five times that is allowed. */
static void weights_fill_their_range(void **state)
{
    (void)state;
    struct model model = fresh(YOLO11_N, 8, 5);
    int seen = 0;
    for (int i = 0; i < model.params.count; i++) {
        const struct param *param = model.params.list + i;
        const float *values = params_values(&model.params, i);
        const bool one = strstr(param->name, "bn.weight") || strstr(param->name, "running_var");
        if (param->dims < 2) {
            if (strstr(param->name, "bn."))
                for (size_t j = 0; j < param->size; j++) assert_true(values[j] == (one ? 1.f : 0.f));
            continue;
        }
        size_t fan_in = 1;
        double squares = 0;
        for (int d = 1; d < param->dims; d++) fan_in *= (size_t)param->shape[d];
        for (size_t j = 0; j < param->size; j++) {
            assert_true(fabs(values[j]) <= 1 / sqrt((double)fan_in) * 1.0000001);
            squares += (double)values[j] * values[j];
        }
        const double share = squares / (double)param->size * (double)fan_in * 3;
        assert_true(fabs(share - 1) < 5 * sqrt(0.8 / (double)param->size));
        seen++;
    }
    assert_int_equal(seen, 87);
    model_free(&model);
}

static void seeds_and_tensors_differ(void **state)
{
    (void)state;
    struct model a = fresh(YOLO11_PICO, 8, 1), b = fresh(YOLO11_PICO, 8, 1), c = fresh(YOLO11_PICO, 8, 2);
    assert_memory_equal(a.params.values, b.params.values, a.params.total * sizeof(float));
    const char *name = "model.6.m.0.m.0.cv1.conv.weight", *other = "model.6.m.0.m.1.cv1.conv.weight";
    assert_memory_not_equal(values_of(&a, name), values_of(&c, name), 64);
    assert_memory_not_equal(values_of(&a, name), values_of(&a, other), 64);
    model_free(&a);
    model_free(&b);
    model_free(&c);
}

/* The scale between n and s, recognised again from its shapes. */
static void nplus_is_one_and_a_half_n(void **state)
{
    (void)state;
    struct error err;
    struct model model = fresh(YOLO11_NPLUS, 80, 3), again;
    const struct param *stem = model.params.list + params_find(&model.params, "model.0.conv.weight");
    assert_int_equal(stem->shape[0], 24);
    char path[300];
    snprintf(path, sizeof path, "%s/nplus.safetensors", check_folder());
    check_ok(model_save(&model, path, false, NULL, NULL, &err), &err);
    check_ok(model_open(&again, path, &err), &err);
    assert_int_equal(again.config.scale, YOLO11_NPLUS);
    assert_memory_equal(again.params.values, model.params.values, model.params.total * sizeof(float));
    model_free(&again);
    model_free(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(biases_are_those_of_the_reference),
        cmocka_unit_test(weights_fill_their_range),
        cmocka_unit_test(seeds_and_tensors_differ),
        cmocka_unit_test(nplus_is_one_and_a_half_n),
    };
    return cmocka_run_group_tests_name("fresh", tests, NULL, NULL);
}
