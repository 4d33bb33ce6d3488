/* Suppression and the overlaps below it, against lists made with the reference trainer's library. */
#include "check.h"

#include "base/rng.h"
#include "detect/nms.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#if HAVE_JANSSON
#include <jansson.h>

/* The inputs of the reference cases are made by formula: twelve clusters of boxes. predictions[4 +
 * classes][n]. */
static float *make_predictions(const char *name, int n, int classes, int quantum)
{
    char key[64] = "nms.";
    strcat(key, name);
    const size_t size = (size_t)n * (4 + (size_t)classes);
    float *const u = malloc(size * sizeof *u), *const p = malloc(size * sizeof *p);
    assert_true(u && p);
    check_uniform(u, key, size);
    for (int i = 0; i < n; i++) {
        const double c = floor((double)u[i] * 12);
        double b[4] = {60 + 45 * c + 14 * (u[n + i] - 0.5), 80 + 30 * c + 14 * (u[2 * n + i] - 0.5),
                       50 + 20 * (double)u[3 * n + i], 60 + 16 * (double)u[n + i]};
        for (int k = 0; k < 4; k++) p[k * n + i] = (float)(quantum ? rint(b[k]) : b[k]);
        for (int k = 4; k < 4 + classes; k++) {
            const double v = u[k * n + i], cube = v * v * v;
            p[k * n + i] = (float)(quantum ? rint(cube * quantum) / quantum : cube);
        }
    }
    free(u);
    return p;
}

/* Two boxes of one class at the edge of a rule. */
static float *make_edge(int which)
{
    static const struct {
        double box[2][4];
        int class_id;
    } edges[] = {
        {{{0, 0, 100, 100}, {0, 0, 100, 70.01}}, 0},
        {{{0, 0, 100, 100}, {0, 0, 100, 70.01}}, 79},
        {{{0, 0, 4, 4}, {0, 0, 4, 2}}, 0},
        {{{0, 0, 100, 100}, {0, 0, 100, 70}}, 0},
        {{{0, 0, 100, 100}, {0, 0, 100, 10}}, 0},
        {{{0.5, 0.5, 0.5002, 0.5002}, {0.5, 0.5, 0.5002, 0.5002}}, 0},
        {{{0.5, 0.5, 0.5, 0.5}, {0.5, 0.5, 0.5, 0.5}}, 0},
    };
    float *const p = calloc(84 * 2, sizeof *p);
    assert_non_null(p);
    for (int a = 0; a < 2; a++) {
        const double *const b = edges[which].box[a];
        const double v[4] = {(b[0] + b[2]) / 2, (b[1] + b[3]) / 2, b[2] - b[0], b[3] - b[1]};
        for (int k = 0; k < 4; k++) p[k * 2 + a] = (float)v[k];
        p[(4 + edges[which].class_id) * 2 + a] = (float)(0.9 - 0.1 * a);
    }
    return p;
}

static float *make_input(const char *name, int *n, int *classes)
{
    static const struct {
        const char *name;
        int n, classes, quantum;
    } inputs[] = {{"plain", 300, 5, 0}, {"ties", 300, 3, 16}, {"many", 200, 80, 0}, {"one", 150, 1, 0}};
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
        if (!strcmp(inputs[i].name, name)) {
            *n = inputs[i].n, *classes = inputs[i].classes;
            return make_predictions(name, *n, *classes, inputs[i].quantum);
        }
    *n = 2, *classes = 80;
    return make_edge(name[4] - '0');
}

static void offer_all(struct nms *nms, const float *p, int n, int classes)
{
    float row[80];
    for (int i = 0; i < n; i++) {
        for (int c = 0; c < classes; c++) row[c] = p[(4 + c) * n + i];
        nms_offer(nms, box_from_centre(p[i], p[n + i], p[2 * n + i], p[3 * n + i]), row, i);
    }
}

static void check_case(const json_t *c, const char *kept_key)
{
    int n, classes;
    float *const p = make_input(json_string_value(json_object_get(c, "input")), &n, &classes);
    const struct nms_options options = {
        .confidence = (float)json_number_value(json_object_get(c, "conf")),
        .iou = json_number_value(json_object_get(c, "iou")),
        .max_detections = (int)json_integer_value(json_object_get(c, "max_det")),
        .multi_label = json_is_true(json_object_get(c, "multi_label")) && classes > 1,
        .agnostic = json_is_true(json_object_get(c, "agnostic")),
    };
    struct arena arena = {0};
    struct nms nms;
    struct error err;
    check_ok(nms_make(&nms, &arena, &options, classes, n, &err), &err);
    struct detection out[NMS_MAX_DETECTIONS];
    const json_t *const kept = json_object_get(c, kept_key);
    for (int twice = 0; twice < 2; twice++) { /* a used workspace is as good as a new one */
        nms_begin(&nms);
        offer_all(&nms, p, n, classes);
        const int found = nms_run(&nms, out);
        if (found != (int)json_array_size(kept))
            print_error("%s\n", json_string_value(json_object_get(c, "name")));
        assert_int_equal(found, json_array_size(kept));
        for (int i = 0; i < found; i++) {
            const json_t *const row = json_array_get(kept, (size_t)i);
            assert_int_equal(out[i].anchor, json_integer_value(json_array_get(row, 0)));
            assert_int_equal(out[i].class_id, json_integer_value(json_array_get(row, 1)));
            const json_t *const confidence = json_array_get(row, 2); /* nine digits give the float back */
            if (confidence) assert_true(out[i].confidence == (float)json_number_value(confidence));
        }
    }
    arena_free(&arena);
    free(p);
}

static void check_cases(const json_t *cases, const char *kept_key)
{
    assert_true(json_array_size(cases) == 18);
    for (size_t i = 0; i < json_array_size(cases); i++) check_case(json_array_get(cases, i), kept_key);
}

static void reference_cases_are_kept_exactly(void **state)
{
    (void)state;
    json_t *const cases = json_load_file("tests/data/nms_cases.json", 0, NULL);
    check_cases(cases, "kept");
    json_decref(cases);
}

static void reference_file_is_kept_exactly(void **state)
{
    (void)state;
    json_t *const file = json_load_file(check_shared("golden/yolo11/nms_cases.json"), 0, NULL);
    check_cases(json_object_get(file, "cases"), "kept_anchor_class_conf");
    json_decref(file);
}
#endif

/* Class probabilities of a two-wheeler, a car, a truck; car and truck lie on the same place ([D-SBAD],
 * T15). */
static int run_vehicles(struct nms_options options, struct detection *out)
{
    static const float rows[3][3] = {{0, 0.9f, 0}, {0, 0, 0.8f}, {0.7f, 0, 0}};
    struct arena arena = {0};
    struct nms nms;
    struct error err;
    check_ok(nms_make(&nms, &arena, &options, 3, 3, &err), &err);
    nms_begin(&nms);
    for (int i = 0; i < 3; i++) nms_offer(&nms, (struct box){10, 10, 50, 50}, rows[i], i);
    const int n = nms_run(&nms, out);
    arena_free(&arena);
    return n;
}

static void classes_are_filtered_and_merged(void **state)
{
    (void)state;
    static const int vehicles[3] = {-1, 0, 0};
    struct detection out[NMS_MAX_DETECTIONS];
    struct nms_options options = nms_predict_options();
    assert_int_equal(run_vehicles(options, out), 3);
    options.class_map = vehicles;
    assert_int_equal(run_vehicles(options, out), 2);
    assert_int_equal(out[0].class_id, 0);
    assert_int_equal(out[1].class_id, 0);
    assert_int_equal(out[1].anchor, 1);
    options.merge_before = true;
    assert_int_equal(run_vehicles(options, out), 1);
    assert_int_equal(out[0].anchor, 0);
    options = nms_predict_options();
    options.agnostic = true;
    assert_int_equal(run_vehicles(options, out), 1);
}

static void the_most_confident_candidates_survive_the_cut(void **state)
{
    (void)state;
    enum { N = 70000, GRID = 300 };
    struct arena arena = {0};
    struct nms nms;
    struct error err;
    struct nms_options options = nms_validation_options();
    options.multi_label = false;
    options.max_detections = N;
    check_ok(nms_make(&nms, &arena, &options, 1, N, &err), &err);
    assert_int_equal(nms.capacity, NMS_MAX_CANDIDATES);
    nms_begin(&nms);
    /* Boxes apart from each other; four confidences, so that the cut falls among equals. */
    static const float levels[4] = {0.25f, 0.5f, 0.75f, 0.875f};
    for (int i = 0; i < N; i++) {
        const float x = (float)(i % GRID) * 2, y = (float)(i / GRID) * 2;
        nms_offer(&nms, (struct box){x, y, x + 1, y + 1}, &levels[rng_int(1, (uint64_t)i, 4)], i);
    }
    /* Suppression is quadratic in what is kept: look at the order of the first thousand only. */
    nms.options.max_detections = 1000;
    struct detection out[1000];
    assert_int_equal(nms_run(&nms, out), 1000);
    for (int i = 1; i < 1000; i++) {
        assert_true(out[i].confidence == 0.875f);
        assert_true(out[i].anchor > out[i - 1].anchor);
    }
    /* The last held are the first of the second group: nothing later, nothing weaker. */
    int strongest = 0, expected = 0;
    for (int i = 0; i < N; i++) strongest += rng_int(1, (uint64_t)i, 4) == 3;
    for (int i = 0, rest = NMS_MAX_CANDIDATES - strongest; i < N && rest; i++)
        if (rng_int(1, (uint64_t)i, 4) == 2) expected = i, rest--;
    assert_int_equal(nms.heap[NMS_MAX_CANDIDATES - 1].detection.anchor, expected);
    arena_free(&arena);
}

static void boxes_return_to_the_picture(void **state)
{
    (void)state;
    /* 1000 x 500 in a 640 x 320 input without padding, then one padded by 16 rows; powers of two keep it
     * exact. */
    const struct box_mapping half = {0.5f, 0.5f, 0, 16, 1280, 576};
    const struct box b = box_to_picture((struct box){-3, 8, 320, 330}, &half);
    assert_true(b.x1 == 0 && b.y1 == 0 && b.x2 == 640 && b.y2 == 576);
}

static void overlaps_have_their_own_rules(void **state)
{
    (void)state;
    const struct box a = {0, 0, 10, 10}, b = {0, 0, 10, 7}, empty = {5, 5, 5, 5};
    assert_true(box_iou(a, b) == 0.7f);
    assert_true(box_iou(empty, empty) == 0 && box_iou_metric(empty, empty) == 0);
    assert_true(box_iou_metric(a, b) == 70.f / (100.f + 70.f - 70.f + 1e-7f));
    const double truth[4] = {0, 0, 10, 10}, found[4] = {0, 0, 10, 7};
    assert_true(box_iou_coco(found, truth, 0) == 0.7 && box_iou_coco(found, truth, 1) == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#if HAVE_JANSSON
        cmocka_unit_test(reference_cases_are_kept_exactly),
        cmocka_unit_test(reference_file_is_kept_exactly),
#endif
        cmocka_unit_test(classes_are_filtered_and_merged),
        cmocka_unit_test(the_most_confident_candidates_survive_the_cut),
        cmocka_unit_test(boxes_return_to_the_picture),
        cmocka_unit_test(overlaps_have_their_own_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
