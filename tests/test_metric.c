/* Average precision by the trainer's rule against its own figures, and hand-made cases ([D-SBAD], T13,
 * T14). */
#include "check.h"

#include "base/json.h"
#include "check_json.h"
#include "detect/metric.h"
#include "detect/metric_curve.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static float number(const struct json *row, size_t i) { return (float)json_number(json_item(row, i), NAN); }

static struct truth *read_truths(struct arena *arena, const struct json *rows)
{
    struct truth *const t = arena_alloc(arena, json_count(rows), sizeof *t);
    assert_non_null(t);
    for (size_t i = 0; i < json_count(rows); i++) {
        const struct json *const r = json_item(rows, i);
        t[i] = (struct truth){{number(r, 1), number(r, 2), number(r, 3), number(r, 4)}, (int)number(r, 0)};
    }
    return t;
}

static struct detection *read_found(struct arena *arena, const struct json *rows)
{
    struct detection *const d = arena_alloc(arena, json_count(rows), sizeof *d);
    assert_non_null(d);
    for (size_t i = 0; i < json_count(rows); i++) {
        const struct json *const r = json_item(rows, i);
        d[i] = (struct detection){
            {number(r, 0), number(r, 1), number(r, 2), number(r, 3)}, number(r, 4), (int)number(r, 5), -1};
    }
    return d;
}

/* Match strings exactly: one digit a threshold. */
static void check_matches(struct arena *arena, const struct json *image, const struct truth *truths, size_t n,
                          const struct detection *found, size_t m)
{
    uint16_t *const hits = arena_alloc(arena, m, sizeof *hits), *const claimed =
                                                                    arena_alloc(arena, n, sizeof *claimed);
    assert_true(hits && claimed);
    metric_match(hits, claimed, truths, n, found, m, false);
    const struct json *const expected = json_member(image, "tp");
    assert_int_equal(json_count(expected), m);
    for (size_t i = 0; i < m; i++) {
        char text[METRIC_THRESHOLDS + 1] = {0};
        for (int t = 0; t < METRIC_THRESHOLDS; t++) text[t] = (char)('0' + (hits[i] >> t & 1));
        assert_string_equal(text, json_text(json_item(expected, i)));
    }
}

/* 1e-6: the reference's table; its sums run in another order and its curves partly in float32. */
static void check_near(double found, const struct json *expected)
{
    assert_true(fabs(found - json_number(expected, NAN)) < 1e-6);
}

static void check_result(const struct metric_result *r, const struct json *library)
{
    assert_true(r->defined);
    check_near(r->map50, json_member(library, "mAP50"));
    check_near(r->map75, json_member(library, "mAP75"));
    check_near(r->map50_95, json_member(library, "mAP50-95"));
    check_near(r->fitness, json_member(library, "fitness"));
    check_near(r->precision, json_member(library, "precision_at_max_f1"));
    check_near(r->recall, json_member(library, "recall_at_max_f1"));
    const struct json *const ids = json_member(library, "classes");
    assert_int_equal(json_count(ids), r->count);
    for (size_t c = 0; c < r->count; c++) {
        assert_int_equal(json_int(json_item(ids, c), -1), r->classes[c].class_id);
        const struct json *const ap = json_item(json_member(library, "per_class_ap_at_ten_iou"), c);
        for (int t = 0; t < METRIC_THRESHOLDS; t++) check_near(r->classes[c].ap[t], json_item(ap, (size_t)t));
        check_near(r->classes[c].precision, json_item(json_member(library, "per_class_precision"), c));
        check_near(r->classes[c].recall, json_item(json_member(library, "per_class_recall"), c));
    }
}

static void check_case(const struct json *c)
{
    const struct metric_options options = metric_default_options((int)json_int(json_member(c, "nc"), 0));
    struct metric metric;
    struct error err;
    check_ok(metric_make(&metric, &options, &err), &err);
    struct arena arena = {0};
    const struct json *const images = json_member(c, "images");
    for (size_t i = 0; i < json_count(images); i++) {
        const struct json *const image = json_item(images, i);
        const size_t n = json_count(json_member(image, "gt")), m = json_count(json_member(image, "dt"));
        const struct truth *const truths = read_truths(&arena, json_member(image, "gt"));
        const struct detection *const found = read_found(&arena, json_member(image, "dt"));
        check_matches(&arena, image, truths, n, found, m);
        check_ok(metric_add(&metric, truths, n, found, m, &err), &err);
    }
    struct metric_result result;
    check_ok(metric_finish(&metric, &result, &err), &err);
    check_result(&result, json_member(c, "library"));
    metric_free(&metric);
    arena_free(&arena);
}

static void check_file(const char *path, int cases)
{
    check_needs_json();
    static const char *const names[] = {"corner", "perfect", "synthetic3", "real32"};
    struct json *root;
    struct error err;
    check_ok(json_read_file(&root, path, 1 << 20, &err), &err);
    for (int i = 0; i < cases; i++) {
        const struct json *const c = json_member(root, names[i]);
        assert_non_null(c);
        check_case(c);
    }
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

static void areas_of_short_curves(void **state)
{
    (void)state;
    double scratch[16];
    const double one[1] = {1}, ones[2] = {1, 1};
    assert_true(fabs(metric_curve_area(scratch, one, one, 1, false) - 0.995) < 1e-12);
    const double recall[3] = {0.5, 0.5, 1}, precision[3] = {1, 0.5, 2.0 / 3};
    assert_true(fabs(metric_curve_area(scratch, recall, precision, 3, false) - 0.828333) < 1e-6);
    const double half[2] = {0.5, 0.5};
    assert_true(fabs(metric_curve_area(scratch, half, ones, 1, false) - 0.495) < 1e-12);
    assert_true(fabs(metric_curve_area(scratch, half, ones, 1, true) - 0.75) < 1e-12);
}

/* Two detections on one label, the more confident with the smaller overlap: it is the hit under both rules. A
 * third one prefers a claimed label although a free one would do: only the present rule lets it have that. */
static void the_more_confident_detection_wins(void **state)
{
    (void)state;
    const struct truth truths[2] = {{{0, 0, 100, 100}, 0}, {{0, 10, 100, 110}, 0}};
    const struct detection two[2] = {{{0, 0, 100, 80}, 0.9f, 0, -1}, {{0, 0, 100, 100}, 0.8f, 0, -1}};
    uint16_t hits[2], claimed[2];
    for (int rule = 0; rule < 2; rule++) {
        metric_match(hits, claimed, truths, 1, two, 2, rule);
        assert_int_equal(hits[0] & 1, 1);
        assert_int_equal(hits[1] & 1, 0);
    }
    const struct detection same[2] = {{{0, 2, 100, 102}, 0.9f, 0, -1}, {{0, 2, 100, 102}, 0.8f, 0, -1}};
    metric_match(hits, claimed, truths, 2, same, 2, false);
    assert_int_equal(hits[1] & 1, 1);
    metric_match(hits, claimed, truths, 2, same, 2, true);
    assert_int_equal(hits[1], 0);
}

static struct metric_result evaluate(struct metric_options options, const struct truth *truths, size_t n,
                                     const struct detection *found, size_t m)
{
    struct metric metric;
    struct metric_result result;
    struct error err;
    check_ok(metric_make(&metric, &options, &err), &err);
    check_ok(metric_add(&metric, truths, n, found, m, &err), &err);
    check_ok(metric_finish(&metric, &result, &err), &err);
    metric_free(&metric);
    result.classes = NULL;
    return result;
}

static void options_change_what_counts(void **state)
{
    (void)state;
    const struct truth truths[2] = {{{0, 0, 10, 10}, 0}, {{0, 30, 10, 50}, 0}};
    const struct detection found[2] = {{{0, 30, 10, 50}, 0.9f, 0, -1}, {{60, 5, 70, 10}, 0.95f, 0, -1}};
    struct metric_options options = metric_default_options(1);
    assert_true(evaluate(options, truths, 2, found, 2).map50 < 0.5);
    options.ignore_above = 10; /* at the line counts as above it */
    const struct metric_result r = evaluate(options, truths, 2, found, 2);
    assert_true(fabs(r.map50 - 0.995) < 1e-12 && r.labels == 1 && r.detections == 1);
    assert_true(r.fitness == r.map50_95);
    options = metric_default_options(1);
    assert_false(evaluate(options, NULL, 0, found, 2).defined);
    assert_true(evaluate(options, truths, 2, NULL, 0).defined);
    assert_true(evaluate(options, truths, 2, NULL, 0).map50 == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hand_made_reference_cases),  cmocka_unit_test(reference_file),
        cmocka_unit_test(areas_of_short_curves),      cmocka_unit_test(the_more_confident_detection_wins),
        cmocka_unit_test(options_change_what_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
