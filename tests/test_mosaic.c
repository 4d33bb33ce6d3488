/* Training pictures with their labels: draws, mosaic, affine step, mirroring. */
#include "check_image.h"

#include "base/rng.h"
#include "image/orient.h"
#include "train/augment.h"
#include "train/polygon.h"

#if HAVE_JANSSON
#include <jansson.h>
#endif
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST = 16 };

static struct augment_options plain_options(int size)
{
    struct augment_options options = AUGMENT_DEFAULTS;
    options.size = size;
    options.hue = options.saturation = options.value = 0;
    return options;
}

static void check_box(const struct target *got, const double expected[4], int size)
{
    const double box[4] = {got->cx - got->w / 2.0, got->cy - got->h / 2.0, got->cx + got->w / 2.0,
                           got->cy + got->h / 2.0};
    /* float32 in pixels of the reference, float32 fractions here */
    for (int c = 0; c < 4; c++) assert_true(fabs(box[c] * size - expected[c]) < 2e-5);
}

#if HAVE_JANSSON
static double real(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}
static int integer(const json_t *object, const char *key)
{
    return (int)json_integer_value(json_object_get(object, key));
}
static double item(const json_t *array, size_t i) { return json_number_value(json_array_get(array, i)); }

static json_t *load_cases(const char *kind, json_t **root)
{
    json_error_t why;
    *root = json_load_file("tests/data/augment.json", 0, &why);
    if (!*root) print_error("%s\n", why.text);
    assert_non_null(*root);
    return json_object_get(*root, kind);
}

static void the_affine_step_keeps_the_reference_boxes(void **state)
{
    (void)state;
    json_t *root, *row, *cases = load_cases("affine", &root);
    struct image picture = {0}, out = {0}, canvas = {0};
    struct error err;
    size_t i;
    json_array_foreach(cases, i, row)
    {
        struct label labels[MOST];
        struct target found[MOST];
        double draws[AUGMENT_DRAWS] = {0};
        int count, width = integer(row, "w"), height = integer(row, "h");
        const struct augment_options options = plain_options((int)item(json_object_get(row, "out_wh"), 0));
        const json_t *units = json_object_get(row, "units"), *boxes = json_object_get(row, "boxes_in_xyxy");
        draws[AUGMENT_MOSAIC] = draws[AUGMENT_FLIP] = 1; /* as never drawn: neither happens */
        for (int k = 0; k < 3; k++) draws[AUGMENT_SCALE + k] = item(units, (size_t)k);
        const struct augment_plan plan = augment_plan(&options, draws, 1);
        assert_true(!plan.mosaic && !plan.flip);
        assert_true(fabs(plan.scale - real(row, "scale")) < 1e-9);
        assert_true(fabs(plan.shift_x - real(row, "tx")) < 1e-7 &&
                    fabs(plan.shift_y - real(row, "ty")) < 1e-7);
        for (int k = 0; k < 5; k++) {
            const json_t *box = json_array_get(boxes, (size_t)k);
            labels[k] = (struct label){k,
                                       (float)((item(box, 0) + item(box, 2)) / 2 / width),
                                       (float)((item(box, 1) + item(box, 3)) / 2 / height),
                                       (float)((item(box, 2) - item(box, 0)) / width),
                                       (float)((item(box, 3) - item(box, 1)) / height),
                                       -1,
                                       NULL,
                                       0};
        }
        check_image_synth(&picture, "aff", width, height);
        const struct augment_sample sample = {&picture, labels, 5};
        check_ok(augment_apply(&out, found, &count, &canvas, &options, &plan, &sample, 3, &err), &err);
        const json_t *kept = json_object_get(row, "kept_rows"),
                     *expected = json_object_get(row, "boxes_out_xyxy");
        assert_int_equal(count, json_array_size(kept));
        for (int k = 0; k < count; k++) {
            double box[4];
            for (size_t c = 0; c < 4; c++) box[c] = item(json_array_get(expected, (size_t)k), c);
            assert_int_equal(found[k].class_id, item(kept, (size_t)k));
            assert_int_equal(found[k].image, 3);
            check_box(&found[k], box, options.size);
        }
    }
    assert_int_equal(i, 5);
    json_decref(root);
    image_free(&picture), image_free(&out), image_free(&canvas);
}

/* The canvas to the byte; its boxes are read back through an affine step that keeps all of them. */
static void the_mosaic_equals_the_reference(void **state)
{
    (void)state;
    enum { SIZE = 64 };
    json_t *root, *row, *cases = load_cases("mosaic", &root);
    struct image pictures[4] = {{0}}, out = {0}, canvas = {0};
    struct error err;
    size_t i;
    json_array_foreach(cases, i, row)
    {
        struct label labels[4][3];
        struct target found[MOST];
        struct augment_sample samples[4];
        double draws[AUGMENT_DRAWS] = {0};
        char hex[SHA256_HEX], name[16];
        int count;
        const json_t *boxes = json_object_get(row, "boxes_in_cxcywh_normalised_each_image");
        for (size_t k = 0; k < 4; k++) {
            const json_t *size = json_array_get(json_object_get(row, "sizes_hw"), k);
            snprintf(name, sizeof name, "mos%zu", k);
            check_image_synth(&pictures[k], name, (int)item(size, 1), (int)item(size, 0));
            for (size_t b = 0; b < 3; b++) {
                const json_t *box = json_array_get(boxes, b);
                labels[k][b] = (struct label){(int)k,
                                              (float)item(box, 0),
                                              (float)item(box, 1),
                                              (float)item(box, 2),
                                              (float)item(box, 3),
                                              -1,
                                              NULL,
                                              0};
            }
            samples[k] = (struct augment_sample){&pictures[k], labels[k], 3};
        }
        const struct augment_options options = plain_options(SIZE);
        const json_t *log = json_object_get(row, "draws");
        draws[AUGMENT_CENTRE_Y] = (item(json_array_get(log, 1), 2) - SIZE / 2) / SIZE;
        draws[AUGMENT_CENTRE_X] = (item(json_array_get(log, 2), 2) - SIZE / 2) / SIZE;
        draws[AUGMENT_FLIP] = 1;
        draws[AUGMENT_SCALE] = 0.01;
        draws[AUGMENT_SHIFT_X] = draws[AUGMENT_SHIFT_Y] = 0.5;
        const struct augment_plan plan = augment_plan(&options, draws, 4);
        assert_true(plan.mosaic);
        assert_int_equal(plan.centre_x, integer(row, "xc"));
        assert_int_equal(plan.centre_y, integer(row, "yc"));
        check_ok(augment_apply(&out, found, &count, &canvas, &options, &plan, samples, 0, &err), &err);
        check_image_hash(&canvas, true, hex);
        assert_string_equal(hex, json_string_value(json_object_get(row, "sha256_bgr")));
        const json_t *expected = json_object_get(row, "boxes_out_xyxy");
        assert_int_equal(count, json_array_size(expected));
        for (int k = 0; k < count; k++) {
            double box[4];
            for (size_t c = 0; c < 4; c++) {
                const double x = 0.51 * (item(json_array_get(expected, (size_t)k), c) - SIZE) + SIZE / 2;
                box[c] = x < 0 ? 0 : x > SIZE ? SIZE : x;
            }
            assert_int_equal(found[k].class_id, item(json_object_get(row, "source_image_of_box"), (size_t)k));
            check_box(&found[k], box, SIZE);
        }
    }
    assert_int_equal(i, 3);
    json_decref(root);
    for (int k = 0; k < 4; k++) image_free(&pictures[k]);
    image_free(&out), image_free(&canvas);
}
#endif

/* The reference's case: 64 wide, box 10..30 x 5..25 becomes 34..54. */
static void mirroring_moves_boxes_and_pixels(void **state)
{
    (void)state;
    struct image picture = {0}, upright = {0}, mirrored = {0}, canvas = {0};
    struct augment_options options = plain_options(64);
    struct error err;
    struct augment_plan plan = {.scale = 1, .shift_x = 32, .shift_y = 32};
    const struct label label = {3, 20 / 64.f, 15 / 64.f, 20 / 64.f, 20 / 64.f, -1, NULL, 0};
    const struct target same = {0, 3, 20 / 64.f, 15 / 64.f, 20 / 64.f, 20 / 64.f, 0};
    struct target found;
    int count;
    check_image_synth(&picture, "flip", 64, 64);
    const struct augment_sample sample = {&picture, &label, 1};
    check_ok(augment_apply(&upright, &found, &count, &canvas, &options, &plan, &sample, 0, &err), &err);
    assert_memory_equal(upright.pixels, picture.pixels, image_bytes(&picture));
    assert_memory_equal(&found, &same, sizeof same);
    plan.flip = true;
    check_ok(augment_apply(&mirrored, &found, &count, &canvas, &options, &plan, &sample, 0, &err), &err);
    assert_int_equal(count, 1);
    check_box(&found, (const double[]){34, 5, 54, 25}, 64);
    orient_mirror(&mirrored);
    assert_memory_equal(upright.pixels, mirrored.pixels, image_bytes(&picture));
    image_free(&picture), image_free(&upright), image_free(&mirrored), image_free(&canvas);
}

static void soft_labels_keep_their_doubt(void **state)
{
    (void)state;
    struct image picture = {0}, out = {0}, canvas = {0};
    struct error err;
    const struct augment_plan plan = {.scale = 1, .shift_x = 32, .shift_y = 32};
    const struct label labels[] = {{0, .5f, .5f, .5f, .5f, .75f, NULL, 0}, {0, .5f, .5f, .5f, .5f, -1, NULL, 0}};
    check_image_synth(&picture, "soft", 64, 64);
    const struct augment_sample sample = {&picture, labels, 2};
    for (int soft = 0; soft < 2; soft++) {
        struct augment_options options = plain_options(64);
        struct target found[2];
        int count;
        options.soft = soft;
        check_ok(augment_apply(&out, found, &count, &canvas, &options, &plan, &sample, 0, &err), &err);
        assert_int_equal(count, 2);
        assert_true(found[0].doubt == (soft ? .25f : 0) && found[1].doubt == 0);
    }
    image_free(&picture), image_free(&out), image_free(&canvas);
}

static void what_is_hardly_visible_is_dropped(void **state)
{
    (void)state;
    struct image picture = {0}, out = {0}, canvas = {0};
    const struct augment_options options = plain_options(64);
    const struct augment_plan plan = {.scale = 1, .shift_x = 32, .shift_y = 16}; /* 16 pixels up */
    struct error err;
    static const struct label labels[] = {
        {0, 0.5f, 0.25f, 0.5f, 0.25f, -1, NULL, 0},      /* 8..24 -> 0..8: half is left */
        {1, 0.5f, 0.14f, 0.5f, 0.25f, -1, NULL, 0},      /* 4 % is left */
        {2, 0.5f, 0.5f, 0.5f, 2 / 64.f, -1, NULL, 0},    /* exactly 2 pixels high */
        {3, 0.5f, 0.5f, 0.5f, 2.125f / 64, -1, NULL, 0}, /* a little more */
        {4, 0.5f, 0.05f, 0.1f, 0.05f, -1, NULL, 0},      /* outside */
        {5, 0.5f, 0.5f, 0, 0, -1, NULL, 0},              /* nothing */
    };
    struct target found[6];
    int count;
    check_image_synth(&picture, "flip", 64, 64);
    const struct augment_sample sample = {&picture, labels, 6};
    check_ok(augment_apply(&out, found, &count, &canvas, &options, &plan, &sample, 0, &err), &err);
    assert_int_equal(count, 2);
    assert_true(found[0].class_id == 0 && found[1].class_id == 3);
    image_free(&picture), image_free(&out), image_free(&canvas);
}

/* A right triangle seen through a window that moves: its box follows what is left of it, and a hundredth is
 * enough. The same numbers as a box would keep the box's corner. */
static void polygons_give_the_box_of_what_is_seen(void **state)
{
    (void)state;
    static const float triangle[] = {0.25f, 0.25f, 0.75f, 0.25f, 0.25f, 0.75f}; /* 16..48 on 64 pixels */
    static const struct {
        double x, y;        /* where the centre of the picture comes to lie */
        double expected[4]; /* of the polygon, in pixels; none: dropped */
        bool polygon, box;  /* kept? */
    } cases[] = {
        {32, 32, {16, 16, 48, 48}, true, true},
        {8, 32, {0, 16, 24, 40}, true, true},    /* 24 to the left: the hypotenuse cuts the border at 40 */
        {-8, 32, {0, 16, 8, 24}, true, true},    /* 40 to the left */
        {-12, 32, {0, 16, 4, 20}, true, true},   /* 1/64 of the box, 1/8 of its plain form */
        {-13.5, 32, {0}, false, false},          /* 0.6 % */
        {77, 32, {61, 16, 64, 48}, true, false}, /* 9 % */
        {80, 32, {0}, false, false},
    };
    struct image picture = {0}, out = {0}, canvas = {0};
    struct augment_options options = plain_options(64);
    struct error err;
    check_image_synth(&picture, "flip", 64, 64);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct augment_plan plan = {.scale = 1, .shift_x = cases[i].x, .shift_y = cases[i].y};
        struct label label = {.cx = 0.5f, .cy = 0.5f, .w = 0.5f, .h = 0.5f, .confidence = -1};
        struct target found;
        const struct augment_sample sample = {&picture, &label, 1};
        int count;
        check_ok(augment_apply(&out, &found, &count, &canvas, &options, &plan, &sample, 0, &err), &err);
        assert_int_equal(count, cases[i].box);
        label.points = triangle;
        label.point_count = 3;
        check_ok(augment_apply(&out, &found, &count, &canvas, &options, &plan, &sample, 0, &err), &err);
        assert_int_equal(count, cases[i].polygon);
        if (count) check_box(&found, cases[i].expected, 64);
    }
    image_free(&picture), image_free(&out), image_free(&canvas);
}

/* Random stars against the same polygon drawn: the box of the pixels inside both. */
static void polygon_boxes_equal_those_of_drawn_polygons(void **state)
{
    (void)state;
    enum { CORNERS = 9, FINE = 160 };
    for (int round = 0; round < 60; round++) {
        float points[2 * CORNERS];
        const uint64_t key = rng_step(rng_key(5, "polygons"), (uint64_t)round);
        for (int i = 0; i < 2 * CORNERS; i++) points[i] = (float)rng_real(key, (uint64_t)i);
        const struct polygon_move move = {{1.5, 2}, {-0.25, -0.5}};
        double low[2] = {0.1, 0}, high[2] = {0.9, 1}, seen[4] = {2, 2, -2, -2};
        for (int y = 0; y < FINE; y++)
            for (int x = 0; x < FINE; x++) {
                const double p[2] = {(x + 0.5) / FINE, (y + 0.5) / FINE};
                bool inside = false;
                if (p[0] < low[0] || p[0] > high[0]) continue;
                for (int i = 0, j = CORNERS - 1; i < CORNERS; j = i++) {
                    double a[2], b[2];
                    for (int k = 0; k < 2; k++) {
                        a[k] = move.scale[k] * (double)points[2 * i + k] + move.shift[k];
                        b[k] = move.scale[k] * (double)points[2 * j + k] + move.shift[k];
                    }
                    if ((a[1] > p[1]) != (b[1] > p[1]) &&
                        p[0] < (b[0] - a[0]) * (p[1] - a[1]) / (b[1] - a[1]) + a[0])
                        inside = !inside;
                }
                if (!inside) continue;
                for (int k = 0; k < 2; k++) {
                    if (p[k] < seen[k]) seen[k] = p[k];
                    if (p[k] > seen[k + 2]) seen[k + 2] = p[k];
                }
            }
        const bool any = polygon_box_inside(low, high, points, CORNERS, &move);
        if (seen[2] < 0) continue; /* thinner than a pixel, if anything */
        assert_true(any);
        for (int k = 0; k < 2; k++) {
            /* Nothing that was drawn is outside; spikes may be thinner than what was drawn. */
            assert_true(low[k] <= seen[k] && high[k] >= seen[k + 2]);
            assert_true(low[k] >= seen[k] - 0.2 && high[k] <= seen[k + 2] + 0.2);
        }
    }
}

static void draws_depend_on_seed_epoch_and_position_alone(void **state)
{
    (void)state;
    const struct augment_options options = AUGMENT_DEFAULTS;
    double a[AUGMENT_DRAWS], b[AUGMENT_DRAWS];
    augment_draw(a, 1, 2, 3);
    augment_draw(b, 1, 2, 3);
    assert_memory_equal(a, b, sizeof a);
    static const int others[][3] = {{0, 2, 3}, {1, 3, 3}, {1, 2, 4}};
    for (int i = 0; i < 3; i++) {
        augment_draw(b, (uint64_t)others[i][0], others[i][1], others[i][2]);
        assert_true(memcmp(a, b, sizeof a) != 0);
    }
    double flips = 0, scale = 0;
    for (int i = 0; i < 4000; i++) {
        augment_draw(a, 0, 0, i);
        const struct augment_plan plan = augment_plan(&options, a, 7);
        assert_true(plan.mosaic);
        assert_in_range(plan.centre_x, 320, 959);
        assert_in_range(plan.centre_y, 320, 959);
        for (int k = 0; k < 3; k++) assert_in_range(plan.others[k], 0, 6);
        assert_true(plan.scale >= 0.5 && plan.scale < 1.5 && plan.shift_x >= 256 && plan.shift_x < 384);
        assert_true(fabs(plan.hue) <= 0.015 && fabs(plan.saturation) <= 0.7 && fabs(plan.value) <= 0.4);
        flips += plan.flip;
        scale += plan.scale;
    }
    assert_true(fabs(flips / 4000 - 0.5) < 0.04 && fabs(scale / 4000 - 1) < 0.02);
    struct augment_options closed = options;
    closed.mosaic = closed.flip = 0;
    memset(a, 0, sizeof a);
    const struct augment_plan plan = augment_plan(&closed, a, 1);
    assert_true(!plan.mosaic && !plan.flip);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#if HAVE_JANSSON
        cmocka_unit_test(the_affine_step_keeps_the_reference_boxes),
        cmocka_unit_test(the_mosaic_equals_the_reference),
#endif
        cmocka_unit_test(mirroring_moves_boxes_and_pixels),
        cmocka_unit_test(soft_labels_keep_their_doubt),
        cmocka_unit_test(what_is_hardly_visible_is_dropped),
        cmocka_unit_test(polygons_give_the_box_of_what_is_seen),
        cmocka_unit_test(polygon_boxes_equal_those_of_drawn_polygons),
        cmocka_unit_test(draws_depend_on_seed_epoch_and_position_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
