/* What a distillation scores on its test frames: a small network with synthetic weights, labelled with its
 * own detections of one class. */
#include "check_image.h"
#include "check_net.h"

#include "base/file.h"
#include "image/encode.h"
#include "train/distill_score.h"

#include <stdio.h>
#include <string.h>

enum { PICTURES = 2, SIDE = 64, CLASSES = 3, VEHICLE = 1 };
static const int vehicles[] = {VEHICLE};

struct fixture {
    struct arena arena;
    struct model model;
    const struct kernels *kernels;
    struct dataset test;
    struct dataset_item items[PICTURES];
    char paths[PICTURES][2][256], weights[256];
};

/* Sides of about one stride, and confidences to both sides of 0.4. */
static void set_biases(struct params *params)
{
    for (int level = 0; level < HEAD_LEVELS; level++) {
        char name[PARAM_MAX_NAME];
        snprintf(name, sizeof name, "model.23.cv2.%d.2.bias", level);
        float *const sides = params_values(params, params_find(params, name));
        for (int side = 0; side < HEAD_SIDES; side++) sides[side * HEAD_BINS + 1] = 8;
        snprintf(name, sizeof name, "model.23.cv3.%d.2.bias", level);
        float *const classes = params_values(params, params_find(params, name));
        for (int c = 0; c < CLASSES; c++) classes[c] = -0.4F;
    }
}

/* A picture and, as its labels, what the network finds there with more than 0.3, of the class that counts. */
static void make_frame(struct fixture *f, int i)
{
    struct image picture = {0};
    struct nms_options nms = nms_predict_options();
    struct detector detector;
    struct detection found[NMS_MAX_DETECTIONS];
    struct label labels[NMS_MAX_DETECTIONS];
    struct error err;
    int count, kept = 0;
    snprintf(f->paths[i][0], sizeof f->paths[i][0], "%s/frame%d.ppm", check_folder(), i);
    snprintf(f->paths[i][1], sizeof f->paths[i][1], "%s/frame%d.txt", check_folder(), i);
    check_image_synth(&picture, f->paths[i][0] + strlen(check_folder()), SIDE, SIDE);
    check_ok(image_write(f->paths[i][0], &picture, IMAGE_QUALITY, &err), &err);
    nms.confidence = 0.3F;
    detector_begin(&detector, &f->model, f->kernels, 1, &nms);
    check_ok(detector_predict(&detector, &picture, SIDE, false, found, &count, &err), &err);
    for (int k = 0; k < count; k++) {
        if (found[k].class_id != VEHICLE) continue;
        labels[kept] = label_of_detection(&found[k], SIDE, SIDE);
        labels[kept++].class_id = 0;
    }
    assert_true(kept > 0 && kept < count);
    check_ok(labels_write(f->paths[i][1], labels, kept, &err), &err);
    f->items[i] = (struct dataset_item){f->paths[i][0], f->paths[i][1]};
    detector_end(&detector);
    image_free(&picture);
}

static int start(void **state)
{
    static struct fixture f;
    struct error err;
    f = (struct fixture){.test = {.items = f.items, .count = PICTURES}};
    check_ok(kernels_get(&f.kernels, NULL, &err), &err);
    check_ok(model_make(&f.model, (struct yolo11_config){.scale = YOLO11_PICO, .classes = CLASSES}, &err),
             &err);
    check_synth_params(&f.model.params);
    set_biases(&f.model.params);
    for (int i = 0; i < PICTURES; i++) make_frame(&f, i);
    snprintf(f.weights, sizeof f.weights, "%s/teacher.safetensors", check_folder());
    check_ok(model_save(&f.model, f.weights, false, NULL, NULL, &err), &err);
    *state = &f;
    return 0;
}

static int end(void **state)
{
    struct fixture *const f = *state;
    model_free(&f->model);
    arena_free(&f->arena);
    return 0;
}

static struct distill_options options_of(const struct fixture *f)
{
    struct distill_options o = {.kernels = f->kernels, .threads = 1, .scoring = evaluate_default_options()};
    static const int labels[] = {0};
    o.scoring.size = o.teacher.size = SIDE;
    o.scoring.vehicle_list = vehicles;
    o.scoring.label_list = labels;
    o.scoring.vehicle_count = o.scoring.label_count = 1;
    return o;
}

static void as_coded_counts_sure_boxes_of_any_class(void **state)
{
    struct fixture *const f = *state;
    const struct distill_options o = options_of(f);
    struct metric_result fair, coded;
    struct evaluate_options rule = o.scoring;
    struct evaluation expected;
    struct error err;
    const int any[] = {0, 1, 2};
    check_ok(distill_score(&fair, &o, &f->test, &f->model, SIDE, false, NULL, &f->arena, &err), &err);
    check_ok(distill_score(&coded, &o, &f->test, &f->model, SIDE, true, NULL, &f->arena, &err), &err);
    rule.confidence = 0.4F;
    rule.vehicle_list = any;
    rule.vehicle_count = CLASSES;
    check_ok(evaluate_run(&expected, &f->model, f->kernels, 1, f->items, PICTURES, &rule, NULL, &err), &err);
    assert_memory_equal(&coded.map50_95, &expected.result.map50_95, sizeof coded.map50_95);
    assert_true(coded.defined && coded.map50_95 > 0);
    printf("mAP50-95 %.3f fair, %.3f as coded\n", fair.map50_95, coded.map50_95);
    assert_true(fair.map50_95 > coded.map50_95);
    evaluate_free(&expected);
}

static void baselines_are_those_asked_for(void **state)
{
    struct fixture *const f = *state;
    struct distill_options o = options_of(f);
    struct distill_result r = {0};
    struct error err;
    check_ok(distill_score_baselines(&r, &o, &f->test, &f->model, NULL, &f->arena, &err), &err);
    assert_false(r.teacher.defined || r.before_as_coded.defined || r.teacher_as_coded.defined);
    o.as_coded = true;
    check_ok(distill_score_baselines(&r, &o, &f->test, &f->model, NULL, &f->arena, &err), &err);
    assert_true(r.before_as_coded.defined);
    assert_false(r.teacher.defined || r.teacher_as_coded.defined);
    o.teacher_weights = f->weights;
    check_ok(distill_score_baselines(&r, &o, &f->test, &f->model, NULL, &f->arena, &err), &err);
    assert_true(r.teacher.defined);
    assert_memory_equal(&r.teacher_as_coded.map50_95, &r.before_as_coded.map50_95, sizeof(double));
    o.teacher_weights = "nowhere";
    assert_int_equal(distill_score_baselines(&r, &o, &f->test, &f->model, NULL, &f->arena, &err), ERR_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_coded_counts_sure_boxes_of_any_class),
        cmocka_unit_test(baselines_are_those_asked_for),
    };
    return cmocka_run_group_tests(tests, start, end);
}
