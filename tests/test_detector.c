/* The detector with real weights on real pictures against the reference: pixels, logits, boxes, detections.
 */
#include "check_image.h"
#include "check_json.h"
#include "check_net.h"

#include "base/json.h"
#include "detect/detector.h"
#include "detect/head_decode.h"
#include "image/decode.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The reference in float32 differs from itself in float64 by 1.4e-3 px, 1.5e-5 in confidence and 5.9e-5 in
 * box logits at most; where detections of confidence near the threshold or overlaps near the limit fall is
 * undefined. */
static const double box_tolerance = 0.02, confidence_tolerance = 1e-4, logit_tolerance = 1e-3,
                    sum_tolerance = 1e-5; /* relative, of 500 000 logits whose errors hardly add up */

enum { TOP = 20, UNSURE_POSITION = 295 };

struct fixture {
    struct model model;
    const struct kernels *kernels;
    struct json *golden;
};

static int start(void **state)
{
    static struct fixture f;
    *state = &f;
    return 0;
}

/* Skips where the reference is absent. */
static struct fixture *open_fixture(void **state)
{
    struct fixture *const f = *state;
    struct error err;
    check_needs_json();
    if (f->golden) return f;
    const char *const golden = check_shared("golden/yolo11/n_real.json");
    const char *const weights = check_shared("weights/yolo11n-coco-fused.safetensors");
    check_shared("data/coco128");
    check_ok(kernels_get(&f->kernels, NULL, &err), &err);
    check_ok(model_open(&f->model, weights, &err), &err);
    check_ok(json_read_file(&f->golden, golden, 16 << 20, &err), &err);
    return f;
}

static int end(void **state)
{
    struct fixture *const f = *state;
    if (f->golden) model_free(&f->model);
    json_free(f->golden);
    return 0;
}

static void read_picture(struct image *picture, const struct json *entry)
{
    struct error err;
    char hex[SHA256_HEX];
    check_ok(image_read(picture, check_shared(json_text(json_member(entry, "file"))), &err), &err);
    check_image_hash(picture, false, hex);
    assert_string_equal(hex, json_text(json_member(entry, "sha256_decoded_rgb")));
}

static double number(const struct json *array, size_t i) { return json_number(json_item(array, i), NAN); }

static double largest(double a, double b) { return a > b ? a : b; }

static void expect_canvas(const struct detector *detector, const struct json *entry)
{
    char hex[SHA256_HEX];
    check_image_hash(&detector->canvas, false, hex);
    assert_string_equal(hex, json_text(json_member(entry, "sha256_letterboxed_rgb")));
}

/* The raw logits of an anchor point; the box logits side-major. */
static const float *logits_of(const struct head *head, int anchor, bool boxes)
{
    int level = 0;
    for (; level < HEAD_LEVELS; level++) {
        const int cells = head->level[level].height * head->level[level].width;
        if (anchor < cells) break;
        anchor -= cells;
    }
    const struct head_level *const l = &head->level[level];
    return boxes ? l->boxes + anchor * l->box_stride : l->scores + anchor * l->score_stride;
}

static void expect_top(const struct fixture *f, const struct head *head, const struct json *predict)
{
    const int n = head_anchors(head);
    float *const decoded = malloc((size_t)(4 + head->classes) * (size_t)n * sizeof *decoded);
    struct rank *const order = malloc((size_t)n * sizeof *order);
    head_decode_all(f->kernels, head, 0, decoded);
    for (int a = 0; a < n; a++) {
        double best = 0;
        for (int c = 0; c < head->classes; c++) best = largest(best, decoded[(4 + c) * n + a]);
        order[a] = (struct rank){best, (uint32_t)a};
    }
    rank_sort(order, (size_t)n);
    double box = 0, probability = 0, logit = 0;
    for (size_t i = 0; i < TOP; i++) {
        const struct json *const expected = json_item(json_member(predict, "top20_before_nms"), i);
        const int anchor = (int)order[i].index, class_id = (int)json_int(json_member(expected, "class"), -1);
        assert_int_equal(anchor, json_int(json_member(expected, "anchor"), -1));
        assert_true(decoded[(4 + class_id) * n + anchor] == order[i].score);
        for (int k = 0; k < 4; k++)
            box = largest(box,
                          fabs(decoded[k * n + anchor] - number(json_member(expected, "cxcywh"), (size_t)k)));
        probability =
            largest(probability, fabs(order[i].score - json_number(json_member(expected, "prob"), NAN)));
        logit = largest(logit, fabs(logits_of(head, anchor, false)[class_id] -
                                    json_number(json_member(expected, "logit"), NAN)));
        for (int k = 0; k < HEAD_BINS; k++)
            logit = largest(logit, fabs(logits_of(head, anchor, true)[k] -
                                        number(json_member(expected, "dfl_left_logits"), (size_t)k)));
    }
    printf("top 20: boxes %.2g px, probability %.2g, logits %.2g\n", box, probability, logit);
    assert_true(box <= box_tolerance && probability <= confidence_tolerance && logit <= logit_tolerance);
    free(decoded);
    free(order);
}

static void expect_sum(const struct json *sums, const char *key, double found)
{
    const double expected = json_number(json_member(sums, key), NAN);
    if (!(fabs(found - expected) <= sum_tolerance * fabs(expected)))
        print_error("%s: %.9g, expected %.9g\n", key, found, expected);
    assert_true(fabs(found - expected) <= sum_tolerance * fabs(expected));
}

static void expect_sums(const struct head *head, const struct json *sums)
{
    double sum = 0, squares = 0, box_sum = 0, box_squares = 0;
    for (int a = 0, n = head_anchors(head); a < n; a++) {
        const float *const scores = logits_of(head, a, false), *const boxes = logits_of(head, a, true);
        for (int c = 0; c < head->classes; c++) sum += scores[c], squares += (double)scores[c] * scores[c];
        for (int k = 0; k < HEAD_BOX_LOGITS; k++)
            box_sum += boxes[k], box_squares += (double)boxes[k] * boxes[k];
    }
    expect_sum(sums, "sum", sum);
    expect_sum(sums, "sum_sq", squares);
    expect_sum(sums, "box_sum", box_sum);
    expect_sum(sums, "box_sum_sq", box_squares);
}

static double box_difference(struct box box, const struct json *expected)
{
    const double own[4] = {box.x1, box.y1, box.x2, box.y2};
    double d = 0;
    for (size_t k = 0; k < 4; k++) d = largest(d, fabs(own[k] - number(expected, k)));
    return d;
}

static bool same(const struct detection *d, const struct json *expected)
{
    return d->class_id == (int)number(expected, 5) &&
           fabs(d->confidence - number(expected, 4)) <= confidence_tolerance &&
           box_difference(d->box, expected) <= box_tolerance;
}

/* Detections that have no partner on the other side and whose confidence is clearly above the threshold;
 * those from position `sure` on do not count. */
static int unmatched(const struct detection *found, int count, const struct json *expected, double threshold,
                     int sure)
{
    const int n = (int)json_count(expected);
    bool *const used = calloc((size_t)count + 1, sizeof *used);
    int missing = 0;
    for (int i = 0; i < n; i++) {
        const struct json *const e = json_item(expected, (size_t)i);
        int j = 0;
        while (j < count && (used[j] || !same(&found[j], e))) j++;
        if (j < count)
            used[j] = true;
        else
            missing += i < sure && number(e, 4) > threshold + confidence_tolerance;
    }
    for (int j = 0; j < count && j < sure; j++)
        missing += !used[j] && found[j].confidence > threshold + confidence_tolerance;
    free(used);
    return missing;
}

static void predictions_equal_the_reference(void **state)
{
    const struct fixture *const f = open_fixture(state);
    const struct json *const images = json_member(f->golden, "images");
    const struct nms_options options = nms_predict_options();
    struct detector detector;
    struct image picture = {0};
    detector_begin(&detector, &f->model, f->kernels, 2, &options);
    detector.plan = PLAN_EXACT;
    for (size_t i = 0; i < json_count(images); i++) {
        const struct json *const entry = json_item(images, i), *const predict = json_member(entry, "predict");
        const struct json *const expected = json_member(predict, "detections");
        struct detection found[NMS_MAX_DETECTIONS];
        struct error err;
        int count;
        read_picture(&picture, entry);
        const struct letterbox box = letterbox_detect(picture.width, picture.height, 640, 640, true);
        check_ok(detector_run(&detector, &picture, &box, found, &count, &err), &err);
        expect_canvas(&detector, predict);
        const struct head head = yolo11_head(&detector.network, &detector.net, false);
        assert_int_equal(head_anchors(&head), json_int(json_member(predict, "anchors"), 0));
        expect_top(f, &head, predict);
        expect_sums(&head, json_member(predict, "class_logit_checks"));
        assert_int_equal(count, json_count(expected));
        for (int k = 0; k < count; k++)
            assert_true(box_difference(found[k].box, json_item(json_member(predict, "boxes_letterboxed"),
                                                               (size_t)k)) <= box_tolerance);
        detector_to_picture(found, count, &box);
        for (int k = 0; k < count; k++) assert_true(same(&found[k], json_item(expected, (size_t)k)));
    }
    image_free(&picture);
    detector_end(&detector);
}

static void validation_detections_equal_the_reference(void **state)
{
    const struct fixture *const f = open_fixture(state);
    const struct json *const images = json_member(f->golden, "images");
    const struct nms_options options = nms_validation_options();
    struct detector detector;
    struct image picture = {0};
    detector_begin(&detector, &f->model, f->kernels, 2, &options);
    detector.plan = PLAN_EXACT;
    for (size_t i = 0; i < json_count(images); i++) {
        const struct json *const entry = json_item(images, i), *const val = json_member(entry, "val");
        const struct json *const expected = json_member(val, "detections");
        struct detection found[NMS_MAX_DETECTIONS];
        struct error err;
        int count, width, height;
        read_picture(&picture, entry);
        const double ratio = (double)picture.height / picture.width;
        letterbox_batch_shape(ratio, ratio, 640, &width, &height);
        const struct letterbox box = letterbox_validate(picture.width, picture.height, 640, width, height);
        check_ok(detector_run(&detector, &picture, &box, found, &count, &err), &err);
        expect_canvas(&detector, val);
        detector_to_picture(found, count, &box);
        const int missing = unmatched(found, count, expected, options.confidence, UNSURE_POSITION);
        printf("validation, picture %zu: %d detections, %zu expected, %d without a partner\n", i, count,
               json_count(expected), missing);
        assert_int_equal(missing, 0);
    }
    image_free(&picture);
    detector_end(&detector);
}

/* Stored logits of the first picture: class logits in half precision, box logits of the coarsest level in
 * full. */
static void logits_of_a_real_picture_match(void **state)
{
    const struct fixture *const f = open_fixture(state);
    const char *const path = check_shared("golden/yolo11/n_real_image.safetensors");
    const struct nms_options options = nms_predict_options();
    struct detection found[NMS_MAX_DETECTIONS];
    struct detector detector;
    struct image picture = {0};
    struct weights reference;
    struct error err;
    int count;
    size_t scores, boxes;
    check_image_tensor(&picture, path, "image_rgb_hwc_u8", false);
    check_ok(weights_open(&reference, path, &err), &err);
    detector_begin(&detector, &f->model, f->kernels, 2, &options);
    detector.plan = PLAN_EXACT;
    check_ok(detector_predict(&detector, &picture, 640, true, found, &count, &err), &err);
    const struct head head = yolo11_head(&detector.network, &detector.net, false);
    float *const class_logits = check_reference(&reference, "class_logits", &scores);
    float *const box_logits = check_reference(&reference, "box_logits_level2", &boxes);
    const int n = head_anchors(&head), coarse = head.level[2].height * head.level[2].width;
    assert_int_equal(scores, (size_t)(n * head.classes));
    assert_int_equal(boxes, (size_t)(coarse * HEAD_BOX_LOGITS));
    double score = 0, box = 0;
    for (int a = 0; a < n; a++)
        for (int c = 0; c < head.classes; c++) {
            const double expected = class_logits[c * n + a];
            score =
                largest(score, fabs(logits_of(&head, a, false)[c] - expected) / largest(1, fabs(expected)));
        }
    for (int a = 0; a < coarse; a++)
        for (int k = 0; k < HEAD_BOX_LOGITS; k++)
            box = largest(box, fabs(logits_of(&head, n - coarse + a, true)[k] - box_logits[k * coarse + a]));
    printf("logits: classes %.2g (relative, half precision), boxes %.2g\n", score, box);
    assert_true(score <= 6e-4 && box <= logit_tolerance);
    free(class_logits);
    free(box_logits);
    weights_close(&reference);
    detector_end(&detector);
    image_free(&picture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(predictions_equal_the_reference),
        cmocka_unit_test(validation_detections_equal_the_reference),
        cmocka_unit_test(logits_of_a_real_picture_match),
    };
    return cmocka_run_group_tests(tests, start, end);
}
