/* Scoring on labelled pictures: a small network with synthetic weights, labelled with its own detections. */
#include "check_image.h"
#include "check_net.h"

#include "base/file.h"
#include "detect/evaluate.h"
#include "detect/labels.h"
#include "image/encode.h"

#include <stdio.h>
#include <string.h>

enum { PICTURES = 3, SIZE = 64 };
static const int sizes[PICTURES][2] = {{96, 64}, {64, 100}, {80, 80}};

struct fixture {
    struct model model;
    const struct kernels *kernels;
    struct image picture[PICTURES];
    struct dataset_item items[PICTURES];
    char paths[PICTURES][2][256];
};

/* Synthetic weights spread a side's distance over all bins, so every box would be larger than the picture; a
 * bias towards the second bin makes sides of about one stride. */
static void make_boxes_small(struct params *params)
{
    for (int level = 0; level < HEAD_LEVELS; level++) {
        char name[PARAM_MAX_NAME];
        snprintf(name, sizeof name, "model.23.cv2.%d.2.bias", level);
        float *const bias = params_values(params, params_find(params, name));
        for (int side = 0; side < HEAD_SIDES; side++) bias[side * HEAD_BINS + 1] = 8;
    }
}

static int start(void **state)
{
    static struct fixture f;
    struct error err;
    f = (struct fixture){0};
    check_ok(kernels_get(&f.kernels, NULL, &err), &err);
    check_ok(model_make(&f.model, (struct yolo11_config){.scale = YOLO11_PICO, .classes = 3}, &err), &err);
    check_synth_params(&f.model.params);
    make_boxes_small(&f.model.params);
    for (int i = 0; i < PICTURES; i++) {
        char name[16];
        snprintf(name, sizeof name, "picture%d", i);
        check_image_synth(&f.picture[i], name, sizes[i][0], sizes[i][1]);
        snprintf(f.paths[i][0], sizeof f.paths[i][0], "%s/%s.ppm", check_folder(), name);
        snprintf(f.paths[i][1], sizeof f.paths[i][1], "%s/%s.txt", check_folder(), name);
        check_ok(image_write(f.paths[i][0], &f.picture[i], IMAGE_QUALITY, &err), &err);
        check_ok(file_write(f.paths[i][1], "", 0, &err), &err);
        f.items[i] = (struct dataset_item){f.paths[i][0], f.paths[i][1]};
    }
    *state = &f;
    return 0;
}

static int end(void **state)
{
    struct fixture *const f = *state;
    model_free(&f->model);
    for (int i = 0; i < PICTURES; i++) image_free(&f->picture[i]);
    return 0;
}

static const int all_classes[] = {0, 1, 2};

/* Merged to one class: then every detection counts in one curve. */
static struct evaluate_options merged_options(void)
{
    struct evaluate_options o = evaluate_default_options();
    o.size = SIZE;
    o.label_list = o.vehicle_list = all_classes;
    o.label_count = o.vehicle_count = 3;
    return o;
}

static struct detector merged_detector(const struct fixture *f)
{
    static const int map[] = {0, 0, 0};
    struct nms_options nms = nms_validation_options();
    nms.multi_label = false, nms.agnostic = true, nms.class_map = map;
    struct detector detector;
    detector_begin(&detector, &f->model, f->kernels, 1, &nms);
    return detector;
}

static bool inside(struct box b, const struct letterbox *at)
{
    return b.x1 >= at->pad_x && b.y1 >= at->pad_y && b.x2 <= at->pad_x + at->inner_width &&
           b.y2 <= at->pad_y + at->inner_height && b.x2 - b.x1 > 2 && b.y2 - b.y1 > 2;
}

/* One picture whose only label is the detection of this rank: every threshold is met at that rank only, so
 * precision is 1/rank up to recall 1, where the trainer's curve falls: the area is 0.995/rank. */
static void expect_rank(const struct fixture *f, int i, const struct evaluate_options *options,
                        struct letterbox at)
{
    struct detector detector = merged_detector(f);
    struct detection found[NMS_MAX_DETECTIONS];
    struct evaluation e;
    struct error err;
    int count, rank = 0;
    check_ok(detector_run(&detector, &f->picture[i], &at, found, &count, &err), &err);
    while (rank < count && !inside(found[rank].box, &at)) rank++;
    assert_true(rank < count);
    detector_to_picture(found, count, &at);
    struct label label = label_of_detection(&found[rank], (float)sizes[i][0], (float)sizes[i][1]);
    label.class_id = 2;
    check_ok(labels_write(f->items[i].labels, &label, 1, &err), &err);
    check_ok(evaluate_run(&e, &f->model, f->kernels, 1, &f->items[i], 1, options, NULL, &err), &err);
    assert_true(e.result.defined);
    assert_int_equal(e.classes, 1);
    assert_int_equal(e.result.detections, count);
    const double expected = 0.995 / (rank + 1), difference = e.result.map50_95 - expected;
    if (!(difference < 1e-9 && difference > -1e-9))
        print_error("rank %d: %g, expected %g\n", rank, e.result.map50_95, expected);
    assert_true(difference < 1e-9 && difference > -1e-9);
    evaluate_free(&e);
    detector_end(&detector);
}

static void square_pictures_are_compared_on_the_canvas(void **state)
{
    const struct evaluate_options o = merged_options();
    for (int i = 0; i < PICTURES; i++)
        expect_rank(*state, i, &o, letterbox_validate(sizes[i][0], sizes[i][1], SIZE, SIZE, SIZE));
}

static void rectangular_pictures_are_compared_on_their_canvas(void **state)
{
    struct evaluate_options o = merged_options();
    o.rectangular = true;
    for (int i = 0; i < PICTURES; i++) {
        int width, height;
        const double ratio = (double)sizes[i][1] / sizes[i][0];
        letterbox_batch_shape(ratio, ratio, SIZE, &width, &height);
        expect_rank(*state, i, &o, letterbox_validate(sizes[i][0], sizes[i][1], SIZE, width, height));
    }
}

static void with_a_line_the_predict_call_is_scored(void **state)
{
    struct evaluate_options o = merged_options();
    o.ignore_above = 0;
    for (int i = 0; i < PICTURES; i++)
        expect_rank(*state, i, &o, letterbox_detect(sizes[i][0], sizes[i][1], SIZE, SIZE, true));
}

static void what_ends_above_the_line_is_dropped(void **state)
{
    const struct fixture *const f = *state;
    static const char text[] = "0 0.5 0.2 0.2 0.2\n0 0.5 0.7 0.2 0.2\n";
    struct evaluate_options o = merged_options();
    struct evaluation all, below;
    struct error err;
    check_ok(file_write(f->items[0].labels, text, sizeof text - 1, &err), &err);
    o.ignore_above = 0;
    check_ok(evaluate_run(&all, &f->model, f->kernels, 1, f->items, 1, &o, NULL, &err), &err);
    o.ignore_above = 32;
    check_ok(evaluate_run(&below, &f->model, f->kernels, 1, f->items, 1, &o, NULL, &err), &err);
    assert_int_equal(all.result.labels, 2);
    assert_int_equal(below.result.labels, 1);
    assert_true(below.result.detections < all.result.detections);
    evaluate_free(&all);
    evaluate_free(&below);
}

static void write_some_labels(const struct fixture *f)
{
    static const char text[] = "0 0.5 0.5 0.4 0.5\n1 0.3 0.4 0.3 0.3\n2 0.7 0.6 0.5 0.5\n";
    struct error err;
    for (int i = 0; i < PICTURES; i++)
        check_ok(file_write(f->items[i].labels, text, sizeof text - 1, &err), &err);
}

static void results_do_not_depend_on_threads(void **state)
{
    const struct fixture *const f = *state;
    struct evaluate_options o = evaluate_default_options();
    struct evaluation one, three;
    struct error err;
    write_some_labels(f);
    o.size = SIZE, o.rectangular = true, o.batch = 2, o.coco = true;
    check_ok(evaluate_run(&one, &f->model, f->kernels, 1, f->items, PICTURES, &o, NULL, &err), &err);
    check_ok(evaluate_run(&three, &f->model, f->kernels, 3, f->items, PICTURES, &o, NULL, &err), &err);
    assert_int_equal(one.result.count, 3);
    assert_int_equal(one.result.images, PICTURES);
    assert_int_equal(one.result.labels, 3 * PICTURES);
    assert_memory_equal(one.result.classes, three.result.classes, 3 * sizeof *one.result.classes);
    assert_memory_equal(one.coco, three.coco, sizeof one.coco);
    assert_memory_equal(&one.result.map50_95, &three.result.map50_95, sizeof one.result.map50_95);
    evaluate_free(&one);
    evaluate_free(&three);
}

static void expect_refused(const struct fixture *f, const struct evaluate_options *o,
                           const struct progress *progress, enum status expected, const char *part)
{
    struct evaluation e;
    struct error err = {0};
    assert_int_equal(evaluate_run(&e, &f->model, f->kernels, 1, f->items, PICTURES, o, progress, &err),
                     expected);
    if (!strstr(err.message, part)) print_error("%s lacks %s\n", err.message, part);
    assert_non_null(strstr(err.message, part));
    evaluate_free(&e);
}

static bool stop(void *context, const char *stage, int64_t done, int64_t total, const char *note)
{
    (void)context, (void)stage, (void)total, (void)note;
    return done < 2;
}

static void mistakes_are_named(void **state)
{
    struct fixture *const f = *state;
    static const int beyond[] = {3};
    const struct progress stopping = {stop, NULL};
    struct evaluate_options o = merged_options();
    write_some_labels(f);
    expect_refused(f, &o, &stopping, ERR_INTERRUPTED, "interrupted");
    o.vehicle_list = NULL;
    expect_refused(f, &o, NULL, ERR_USAGE, "the model has 3");
    o.vehicle_list = beyond, o.vehicle_count = 1;
    expect_refused(f, &o, NULL, ERR_USAGE, "from 0 to 2, found 3");
    o = merged_options();
    o.label_list = NULL;
    expect_refused(f, &o, NULL, ERR_INPUT, "picture0.txt:2");
    o.label_list = all_classes;
    f->items[1].image = "nowhere.ppm";
    expect_refused(f, &o, NULL, ERR_INPUT, "nowhere.ppm");
    o.rectangular = true;
    expect_refused(f, &o, NULL, ERR_INPUT, "nowhere.ppm");
    f->items[1].image = f->paths[1][0];
}

static void without_labels_nothing_is_defined(void **state)
{
    struct fixture *const f = *state;
    const struct evaluate_options o = merged_options();
    const struct dataset_item item = {f->items[0].image, "nowhere.txt"};
    struct evaluation e;
    struct error err;
    check_ok(evaluate_run(&e, &f->model, f->kernels, 1, &item, 1, &o, NULL, &err), &err);
    assert_false(e.result.defined);
    assert_int_equal(e.result.images, 1);
    evaluate_free(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(square_pictures_are_compared_on_the_canvas),
        cmocka_unit_test(rectangular_pictures_are_compared_on_their_canvas),
        cmocka_unit_test(with_a_line_the_predict_call_is_scored),
        cmocka_unit_test(what_ends_above_the_line_is_dropped),
        cmocka_unit_test(results_do_not_depend_on_threads),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(without_labels_nothing_is_defined),
    };
    return cmocka_run_group_tests(tests, start, end);
}
