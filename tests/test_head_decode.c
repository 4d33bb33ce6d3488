/* Head output to boxes: reference tensors, hand-made logits, and candidates against the full decoding. */
#include "check.h"

#include "detect/head_decode.h"
#include "nn/weights.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A head over its own memory; anchors of 64 x 96 input pixels unless told otherwise. */
struct fixture {
    struct head head;
    struct arena arena;
};

static void make_head(struct fixture *f, int height, int width, int images, int classes)
{
    *f = (struct fixture){.head = {.images = images, .classes = classes}};
    for (int i = 0; i < HEAD_LEVELS; i++) {
        struct head_level *const l = &f->head.level[i];
        l->stride = 8 << i;
        l->height = height / l->stride;
        l->width = width / l->stride;
        const size_t cells = (size_t)images * l->height * l->width;
        l->box_stride = HEAD_BOX_LOGITS + 16; /* rows need not be dense */
        l->score_stride = (classes + 31) / 16 * 16;
        l->boxes = arena_alloc(&f->arena, cells * (size_t)l->box_stride, sizeof(float));
        l->scores = arena_alloc(&f->arena, cells * (size_t)l->score_stride, sizeof(float));
        assert_true(l->boxes && l->scores);
    }
}

/* Random logits; scores so that few pass a threshold of 0.25. */
static void fill_head(struct fixture *f)
{
    for (int i = 0; i < HEAD_LEVELS; i++) {
        struct head_level *const l = &f->head.level[i];
        const size_t cells = (size_t)f->head.images * l->height * l->width;
        check_uniform(l->boxes, "decode.boxes", cells * (size_t)l->box_stride);
        check_uniform(l->scores, "decode.scores", cells * (size_t)l->score_stride);
        for (size_t k = 0; k < cells * (size_t)l->box_stride; k++) l->boxes[k] = 8 * l->boxes[k] - 4;
        for (size_t k = 0; k < cells * (size_t)l->score_stride; k++) l->scores[k] = 12 * l->scores[k] - 12;
    }
}

static const struct kernels *best_kernels(void)
{
    int count;
    return kernels_available(&count)[0];
}

static void one_hot_logits_give_whole_bins(void **state)
{
    (void)state;
    const struct kernels *const k = best_kernels();
    float logits[HEAD_BOX_LOGITS] = {0};
    static const int bin[4] = {2, 0, 15, 7};
    for (int s = 0; s < 4; s++)
        for (int j = 0; j < HEAD_BINS; j++) logits[s * HEAD_BINS + j] = j == bin[s] ? 40.f : -40.f;
    float d[4];
    head_decode_distances(k, logits, d);
    for (int s = 0; s < 4; s++) assert_true(d[s] == (float)bin[s]); /* exp(-80) is flushed */
    const struct decoded_box b = head_decode_box(k, logits, 3, 5, 16);
    /* x1 = 5.5 - 2, x2 = 5.5 + 15, y1 = 3.5 - 0, y2 = 3.5 + 7 in cells of 16 pixels */
    assert_true(b.cx == 12 * 16 && b.w == 17 * 16 && b.cy == 7 * 16 && b.h == 7 * 16);
    memset(logits, 0, sizeof logits);
    head_decode_distances(k, logits, d);
    for (int s = 0; s < 4; s++) assert_true(d[s] == 7.5f);
}

static void candidates_are_those_of_the_full_decoding(void **state)
{
    (void)state;
    const struct kernels *const k = best_kernels();
    static const float thresholds[] = {0, 1e-6f, 0.001f, 0.25f, 0.4f, 0.5f, 0.99f, 1};
    enum { CLASSES = 7, IMAGES = 2 };
    struct fixture f;
    make_head(&f, 128, 192, IMAGES, CLASSES);
    fill_head(&f);
    const int anchors = head_anchors(&f.head);
    float *const all = arena_alloc(&f.arena, (size_t)anchors * (4 + CLASSES), sizeof *all);
    assert_non_null(all);
    for (size_t t = 0; t < 2 * sizeof thresholds / sizeof *thresholds; t++) {
        struct nms_options options = t % 2 ? nms_validation_options() : nms_predict_options();
        options.confidence = thresholds[t / 2];
        struct nms full, fast;
        struct error err;
        check_ok(nms_make(&full, &f.arena, &options, CLASSES, anchors, &err), &err);
        check_ok(nms_make(&fast, &f.arena, &options, CLASSES, anchors, &err), &err);
        for (int image = 0; image < IMAGES; image++) {
            float row[CLASSES];
            head_decode_candidates(k, &f.head, image, row, &fast);
            head_decode_all(k, &f.head, image, all);
            nms_begin(&full);
            for (int a = 0; a < anchors; a++) {
                for (int c = 0; c < CLASSES; c++) row[c] = all[(4 + c) * anchors + a];
                nms_offer(
                    &full,
                    box_from_centre(all[a], all[anchors + a], all[2 * anchors + a], all[3 * anchors + a]),
                    row, a);
            }
            struct detection x[NMS_MAX_DETECTIONS], y[NMS_MAX_DETECTIONS];
            assert_int_equal(full.count, fast.count);
            const int n = nms_run(&full, x);
            assert_int_equal(n, nms_run(&fast, y));
            assert_memory_equal(x, y, (size_t)n * sizeof *x);
            assert_true(n > 0 || options.confidence > 0.4f);
        }
    }
    arena_free(&f.arena);
}

static void every_isa_decodes_to_the_same_bits(void **state)
{
    (void)state;
    struct fixture f;
    make_head(&f, 64, 96, 1, 5);
    fill_head(&f);
    const size_t n = (size_t)head_anchors(&f.head) * 9;
    float *const a = arena_alloc(&f.arena, n, sizeof *a), *const b = arena_alloc(&f.arena, n, sizeof *b);
    assert_true(a && b);
    int count;
    const struct kernels *const *const tables = kernels_available(&count);
    head_decode_all(tables[0], &f.head, 0, a);
    for (int i = 1; i < count; i++) {
        head_decode_all(tables[i], &f.head, 0, b);
        assert_memory_equal(a, b, n * sizeof *a);
    }
    arena_free(&f.arena);
}

/* Reference logits are planes: to rows of channels. */
static void load_planes(float *rows, ptrdiff_t stride, const struct weights *w, const char *kind, int level)
{
    char name[32];
    snprintf(name, sizeof name, "%s_logits%d", kind, level);
    const struct weight_tensor *const t = weights_find(w, name);
    assert_true(t && t->dims == 4);
    const size_t channels = (size_t)t->shape[1], cells = (size_t)(t->shape[2] * t->shape[3]);
    float *const planes = malloc(channels * cells * sizeof *planes);
    assert_non_null(planes);
    weights_read(planes, t);
    for (size_t c = 0; c < channels; c++)
        for (size_t i = 0; i < cells; i++) rows[(ptrdiff_t)i * stride + (ptrdiff_t)c] = planes[c * cells + i];
    free(planes);
}

/* Tolerances of the reference's own table: float32 against float64 there differ by up to a tenth of them. */
static void check_reference(const char *path, double pixels, double probability)
{
    struct weights w;
    struct error err;
    check_ok(weights_open(&w, check_shared(path), &err), &err);
    struct fixture f;
    make_head(&f, 64, 96, 1, 80);
    for (int i = 0; i < HEAD_LEVELS; i++) {
        load_planes(f.head.level[i].boxes, f.head.level[i].box_stride, &w, "box", i);
        load_planes(f.head.level[i].scores, f.head.level[i].score_stride, &w, "cls", i);
    }
    const size_t anchors = (size_t)head_anchors(&f.head);
    const struct weight_tensor *const decoded = weights_find(&w, "decoded");
    assert_true(decoded && (size_t)decoded->count == 84 * anchors);
    float *const expected = arena_alloc(&f.arena, 84 * anchors, sizeof(float));
    float *const found = arena_alloc(&f.arena, 84 * anchors, sizeof(float));
    assert_true(expected && found);
    weights_read(expected, decoded);
    head_decode_all(best_kernels(), &f.head, 0, found);
    assert_true(check_max_difference(found, expected, 4 * anchors) < pixels);
    assert_true(check_max_difference(found + 4 * anchors, expected + 4 * anchors, 80 * anchors) <
                probability);
    arena_free(&f.arena);
    weights_close(&w);
}

static void reference_n_s_m(void **state)
{
    (void)state;
    check_reference("golden/yolo11/arch_n.safetensors", 1e-3, 1e-6);
    check_reference("golden/yolo11/arch_s.safetensors", 1e-3, 1e-6);
    check_reference("golden/yolo11/arch_m.safetensors", 1e-3, 1e-6);
}

static void reference_l_x(void **state)
{
    (void)state;
    check_reference("golden/yolo11/arch_l.safetensors", 0.05, 3e-4);
    check_reference("golden/yolo11/arch_x.safetensors", 0.05, 3e-4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_hot_logits_give_whole_bins),
        cmocka_unit_test(candidates_are_those_of_the_full_decoding),
        cmocka_unit_test(every_isa_decodes_to_the_same_bits),
        cmocka_unit_test(reference_n_s_m),
        cmocka_unit_test(reference_l_x),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
