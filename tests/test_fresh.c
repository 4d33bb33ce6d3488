/* Start values for training from nothing [YOLO11]. */
#include "check.h"

#include "detect/model.h"

#include <math.h>
#include <stdio.h>
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

/* Row `row` of the last layer's weight or bias, [size] values. */
static const float *row_of(const struct model *model, const char *name, int row, size_t *size)
{
    const struct param *param = model->params.list + params_find(&model->params, name);
    *size = param->size / (size_t)param->shape[0];
    return values_of(model, name) + (size_t)row * *size;
}

/* Whether class `to` of a starts as class `from` of b, at every level. */
static bool rows_agree(const struct model *a, int to, const struct model *b, int from)
{
    bool same = true;
    for (int level = 0; level < 3; level++)
        for (int part = 0; part < 2; part++) {
            char name[40];
            size_t n, m;
            snprintf(name, sizeof name, "model.23.cv3.%d.2.%s", level, part ? "bias" : "weight");
            const float *const x = row_of(a, name, to, &n), *const y = row_of(b, name, from, &m);
            assert_int_equal(n, m);
            same = same && !memcmp(x, y, n * sizeof *x);
        }
    return same;
}

/* [YOLO11]: rows whose class names match are the source's. */
static void classes_are_found_again_by_name(void **state)
{
    (void)state;
    struct error err;
    struct model source = fresh(YOLO11_PICO, 4, 1), model, as_made;
    static const char *const names[] = {" BUS ", "van", "0", "car", "bicycle", "3"};
    check_ok(model_set_names(&source, "0\ncar\nBus\nbicycle\n", &err), &err);
    for (int level = 0; level < 3; level++) { /* fresh biases are all alike */
        char name[40];
        snprintf(name, sizeof name, "model.23.cv3.%d.2.bias", level);
        for (int i = 0; i < 4; i++)
            params_values(&source.params, params_find(&source.params, name))[i] = (float)(i + 1);
    }
    check_ok(model_restart(&model, &source, 6, HEAD_TRANSFER, NULL, 0, 0, 7, &err), &err);
    check_ok(model_restart(&as_made, &source, 6, HEAD_TRANSFER, NULL, 0, 0, 7, &err), &err);
    check_ok(model_name_classes(&model, names, &source, &err), &err);
    static const int found[] = {2, -1, -1, 1, 3, -1}; /* "0" and "3" are numbers of the source, no names */
    for (int i = 0; i < 6; i++) {
        assert_string_equal(model.names[i], names[i]);
        for (int k = 0; k < 4; k++) assert_int_equal(rows_agree(&model, i, &source, k), k == found[i]);
        assert_int_equal(rows_agree(&model, i, &as_made, i), found[i] < 0);
    }
    static const char *const nameless[] = {"a", "", "c", "d", "e", "f"};
    assert_int_equal(model_name_classes(&model, nameless, &source, &err), ERR_INPUT);
    assert_non_null(strstr(err.message, "class 1"));
    model_free(&source);
    model_free(&model);
    model_free(&as_made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(biases_are_those_of_the_reference),
        cmocka_unit_test(weights_fill_their_range),
        cmocka_unit_test(seeds_and_tensors_differ),
        cmocka_unit_test(classes_are_found_again_by_name),
        cmocka_unit_test(nplus_is_one_and_a_half_n),
    };
    return cmocka_run_group_tests_name("fresh", tests, NULL, NULL);
}
