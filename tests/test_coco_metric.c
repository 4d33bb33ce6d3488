/* COCO's twelve numbers against the tool's own. */
#include "check.h"

#include "base/json.h"
#include "check_json.h"
#include "detect/coco_metric.h"

#include <math.h>
#include <stdio.h>

/* Corner coordinates of a row from column `first` as x, y, width, height. */
static void read_box(double box[4], const struct json *row, size_t first)
{
    double v[4];
    for (size_t i = 0; i < 4; i++) v[i] = json_number(json_item(row, first + i), NAN);
    box[0] = v[0], box[1] = v[1], box[2] = v[2] - v[0], box[3] = v[3] - v[1];
}

static struct coco_image read_image(struct arena *arena, const struct json *image)
{
    const struct json *const gt = json_member(image, "gt"), *const dt = json_member(image, "dt");
    struct coco_truth *const t = arena_alloc(arena, json_count(gt), sizeof *t);
    struct coco_found *const d = arena_alloc(arena, json_count(dt), sizeof *d);
    assert_true(t && d);
    for (size_t i = 0; i < json_count(gt); i++) {
        read_box(t[i].box, json_item(gt, i), 1);
        t[i].area = t[i].box[2] * t[i].box[3];
        t[i].category = (int)json_number(json_item(json_item(gt, i), 0), -1);
    }
    for (size_t i = 0; i < json_count(dt); i++) {
        read_box(d[i].box, json_item(dt, i), 0);
        d[i].score = json_number(json_item(json_item(dt, i), 4), NAN);
        d[i].category = (int)json_number(json_item(json_item(dt, i), 5), -1);
    }
    return (struct coco_image){t, d, json_count(gt), json_count(dt)};
}

static void check_case(const struct json *c)
{
    struct arena arena = {0};
    const struct json *const list = json_member(c, "images"), *const tool = json_member(c, "coco_tool");
    const int categories = (int)json_int(json_member(c, "nc"), 0);
    struct coco_image *const images = arena_alloc(&arena, json_count(list), sizeof *images);
    double figures[COCO_FIGURES], *const ap = arena_alloc(&arena, (size_t)categories, sizeof *ap);
    assert_true(images && ap);
    for (size_t i = 0; i < json_count(list); i++) images[i] = read_image(&arena, json_item(list, i));
    struct error err;
    check_ok(coco_metric_run(figures, ap, images, json_count(list), categories, &err), &err);
    for (int f = 0; f < COCO_FIGURES;
         f++) { /* 1e-9: both in double, sums in another order, nine digits printed */
        const double expected = json_number(json_member(tool, coco_metric_name(f)), NAN);
        if (!(fabs(figures[f] - expected) < 1e-9))
            print_error("%s: %.10g, not %.10g\n", coco_metric_name(f), figures[f], expected);
        assert_true(fabs(figures[f] - expected) < 1e-9);
    }
    for (int k = 0; k < categories; k++) {
        char key[16];
        snprintf(key, sizeof key, "%d", k);
        assert_true(fabs(ap[k] - json_number(json_member(json_member(tool, "per_class_AP"), key), -1)) <
                    1e-9);
    }
    arena_free(&arena);
}

static void check_file(const char *path, int cases)
{
    check_needs_json();
    static const char *const names[] = {"corner", "perfect", "synthetic3", "real32"};
    struct json *root;
    struct error err;
    check_ok(json_read_file(&root, path, 1 << 20, &err), &err);
    for (int i = 0; i < cases; i++) check_case(json_member(root, names[i]));
    json_free(root);
}

static void hand_made_reference_cases(void **state)
{
    (void)state;
    check_file("tests/data/map_cases.json", 2);
}

static void reference_file(void **state)
{
    (void)state;
    check_file(check_shared("golden/yolo11/map_cases.json"), 4);
}

/* A crowd region takes any number of detections without counting; nothing counted gives -1. */
static void crowds_count_for_nothing(void **state)
{
    (void)state;
    const struct coco_truth truths[2] = {{{0, 0, 50, 50}, 2500, 0, false},
                                         {{100, 0, 100, 100}, 10000, 0, true}};
    const struct coco_found found[3] = {
        {{0, 0, 50, 50}, 0.5, 0}, {{110, 10, 20, 20}, 0.9, 0}, {{150, 10, 20, 20}, 0.8, 0}};
    struct coco_image image = {truths, found, 2, 3};
    double figures[COCO_FIGURES];
    struct error err;
    check_ok(coco_metric_run(figures, NULL, &image, 1, 1, &err), &err);
    assert_true(fabs(figures[COCO_AP] - 1) < 1e-12 && fabs(figures[COCO_AR100] - 1) < 1e-12 &&
                figures[COCO_AP_LARGE] == -1);
    image = (struct coco_image){truths + 1, found + 1, 1, 2};
    check_ok(coco_metric_run(figures, NULL, &image, 1, 1, &err), &err);
    assert_true(figures[COCO_AP] == -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hand_made_reference_cases),
        cmocka_unit_test(reference_file),
        cmocka_unit_test(crowds_count_for_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
