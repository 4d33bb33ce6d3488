/* Resizes, letterbox, network input: bit-exact against the references. */
#include "check_image.h"

#include "image/decode.h"
#include "image/letterbox.h"
#include "image/resize.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if HAVE_JANSSON
#include <jansson.h>
#endif

static struct letterbox_scratch scratch;

static void expect_hash(const struct image *image, bool bgr, const char *expected, const char *what)
{
    char hex[SHA256_HEX];
    check_image_hash(image, bgr, hex);
    if (strcmp(hex, expected)) print_error("%s: sha256 %s, expected %s\n", what, hex, expected);
    assert_string_equal(hex, expected);
}

/* Four rows of the reference list, so that a lone checkout tests the substance. */
static void letterbox_known_hashes(void **state)
{
    (void)state;
    static const struct {
        const char *name, *hash;
        int width, height;
        bool rectangular;
    } rows[] = {
        {"lb20x33", "c18ad01699484208fdf093e5caf699bd98869608efebb363185ffe634385b3c5", 33, 20, true},
        {"lb333x1000", "b40cc94dd04666d336dddfb164a52c1066d902660763e3c65816d670e7f5536f", 1000, 333, true},
        {"lb427x640", "31e4d72f7638dbe355b86e842735965c9c74c0517e375d7554e1f8d07bf2f1e5", 640, 427, false},
        {"lb1280x1280", "881a041924da0463483e88512b8ab68b4c483338cfc0aec606a4c562e0cb8724", 1280, 1280,
         false},
    };
    struct image in = {0}, out = {0};
    struct error err;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check_image_synth(&in, rows[i].name, rows[i].width, rows[i].height);
        const struct letterbox box = letterbox_detect(rows[i].width, rows[i].height, LETTERBOX_SIZE,
                                                      LETTERBOX_SIZE, rows[i].rectangular);
        check_ok(letterbox_apply(&out, &in, &box, &scratch, &err), &err);
        expect_hash(&out, true, rows[i].hash, rows[i].name);
    }
    image_free(&in);
    image_free(&out);
}

/* Pillow 13 gives these hashes for the generated pictures; its order of passes is RESIZE_PILLOW13. */
static void antialias_known_hashes(void **state)
{
    (void)state;
    static const struct {
        int from_width, from_height, width, height;
        enum resize_order order;
        const char *hash;
    } rows[] = {
        {640, 360, 224, 224, RESIZE_HORIZONTAL_FIRST,
         "afdab2b0b63ab13da672623fd754aec67cfe2d79eaac8e441419540c8345ada6"},
        {97, 211, 224, 224, RESIZE_HORIZONTAL_FIRST,
         "8d821679fc9e51262f73f9e34a917e5823745f21c2c2e9e67ad7203ce44952c1"},
        {300, 640, 224, 224, RESIZE_PILLOW13,
         "7b0b3f0bb5c0a29f21e7c74918b48bca2de07372ff14612957ba18d4797732bc"},
        {17, 19, 5, 3, RESIZE_HORIZONTAL_FIRST,
         "baa7db5db4260ea8aad42b7d753dea51287ab0b8f4417c98e1c058830bc628c1"},
        {120, 90, 120, 224, RESIZE_HORIZONTAL_FIRST,
         "82d42b9e67c7460827cb5ab30962a19f9398c936fd1372a1b2e9e609c5db8081"},
    };
    struct image in = {0}, out = {0};
    struct error err;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check_image_synth(&in, "antialias", rows[i].from_width, rows[i].from_height);
        check_ok(resize_antialias(&out, &in, rows[i].width, rows[i].height, rows[i].order, &err), &err);
        expect_hash(&out, false, rows[i].hash, "antialias");
    }
    image_free(&in);
    image_free(&out);
}

#if HAVE_JANSSON
static int integer(const json_t *object, const char *key)
{
    return (int)json_integer_value(json_object_get(object, key));
}

static const char *text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static void check_geometry(const struct letterbox *box, const json_t *expected)
{
    assert_int_equal(box->inner_width, integer(expected, "rw"));
    assert_int_equal(box->inner_height, integer(expected, "rh"));
    assert_int_equal(box->left, integer(expected, "left"));
    assert_int_equal(box->right, integer(expected, "right"));
    assert_int_equal(box->top, integer(expected, "top"));
    assert_int_equal(box->bottom, integer(expected, "bottom"));
    assert_int_equal(box->width, integer(expected, "out_w"));
    assert_int_equal(box->height, integer(expected, "out_h"));
    /* printed with ten digits */
    assert_true(box->ratio - json_number_value(json_object_get(expected, "r")) < 1e-8);
    assert_true(json_number_value(json_object_get(expected, "r")) - box->ratio < 1e-8);
}

/* The third mode is the second step of validation alone. */
static struct letterbox without_enlarging(int width, int height)
{
    struct letterbox box = letterbox_validate(width, height, width > height ? width : height, 640, 640);
    assert_int_equal(box.loaded_width, width);
    return box;
}

static void letterbox_matches_the_reference(void **state)
{
    (void)state;
    json_t *list = json_load_file(check_shared("golden/yolo11/letterbox.json"), 0, NULL), *row;
    assert_int_equal(json_array_size(list), 30);
    struct image in = {0}, out = {0};
    struct error err;
    size_t i;
    json_array_foreach(list, i, row)
    {
        const int w = integer(row, "w"), h = integer(row, "h");
        const char *mode = text(row, "mode");
        char name[32];
        snprintf(name, sizeof name, "lb%dx%d", h, w);
        check_image_synth(&in, name, w, h);
        expect_hash(&in, true, text(row, "sha256_source_bgr"), name);
        const struct letterbox box = !strcmp(mode, "square_no_enlarge")
                                         ? without_enlarging(w, h)
                                         : letterbox_detect(w, h, 640, 640, !strcmp(mode, "rect"));
        check_geometry(&box, json_object_get(row, "geometry"));
        check_ok(letterbox_apply(&out, &in, &box, &scratch, &err), &err);
        expect_hash(&out, true, text(row, "sha256_result_bgr"), mode);
    }
    image_free(&in);
    image_free(&out);
    json_decref(list);
}

static void check_validation(const json_t *row, int width, int height)
{
    const json_t *val = json_object_get(row, "val"), *pair = json_object_get(val, "ratio_pad");
    const json_t *gains = json_array_get(pair, 0), *pads = json_array_get(pair, 1);
    int canvas_width, canvas_height;
    letterbox_batch_shape((double)height / width, (double)height / width, 640, &canvas_width, &canvas_height);
    const struct letterbox box = letterbox_validate(width, height, 640, canvas_width, canvas_height);
    assert_float_equal(box.gain_y, json_number_value(json_array_get(gains, 0)), 1e-7);
    assert_float_equal(box.gain_x, json_number_value(json_array_get(gains, 1)), 1e-7);
    assert_int_equal(box.pad_x, (int)json_number_value(json_array_get(pads, 0)));
    assert_int_equal(box.pad_y, (int)json_number_value(json_array_get(pads, 1)));
}

static void real_pictures_match_the_reference(void **state)
{
    (void)state;
    json_t *root = json_load_file(check_shared("golden/yolo11/n_real.json"), 0, NULL), *row;
    assert_non_null(root);
    struct image in = {0}, out = {0};
    struct error err;
    size_t i;
    json_array_foreach(json_object_get(root, "images"), i, row)
    {
        check_ok(image_read(&in, check_shared(text(row, "file")), &err), &err);
        expect_hash(&in, false, text(row, "sha256_decoded_rgb"), text(row, "file"));
        const struct letterbox box = letterbox_detect(in.width, in.height, 640, 640, true);
        check_ok(letterbox_apply(&out, &in, &box, &scratch, &err), &err);
        expect_hash(&out, false, text(json_object_get(row, "predict"), "sha256_letterboxed_rgb"),
                    "letterboxed");
        check_validation(row, in.width, in.height);
    }
    image_free(&in);
    image_free(&out);
    json_decref(root);
}

static void antialias_matches_the_reference(void **state)
{
    (void)state;
    json_t *root = json_load_file(check_shared("golden/vit/vit.json"), 0, NULL), *row;
    const char *tensors = check_shared("golden/vit/resize.safetensors");
    struct image in = {0}, expected = {0}, out = {0};
    struct error err;
    size_t i;
    int largest;
    json_array_foreach(json_object_get(root, "resize_cases"), i, row)
    {
        char name[32];
        snprintf(name, sizeof name, "case%d.in", integer(row, "case"));
        check_image_tensor(&in, tensors, name, false);
        snprintf(name, sizeof name, "case%d.out", integer(row, "case"));
        check_image_tensor(&expected, tensors, name, false);
        const enum resize_order order =
            strcmp(text(row, "order"), "h") ? RESIZE_PILLOW13 : RESIZE_HORIZONTAL_FIRST;
        check_ok(resize_antialias(&out, &in, expected.width, expected.height, order, &err), &err);
        if (check_image_difference(&out, &expected, &largest)) print_error("%s differs\n", name);
        assert_int_equal(check_image_difference(&out, &expected, &largest), 0);
    }
    json_array_foreach(json_object_get(root, "jpeg"), i, row)
    {
        check_ok(image_read(&in, check_shared(text(row, "file")), &err), &err);
        expect_hash(&in, false, text(row, "decoded_rgb_sha256"), text(row, "file"));
        check_ok(resize_antialias(&out, &in, 224, 224, RESIZE_HORIZONTAL_FIRST, &err), &err);
        expect_hash(&out, false, text(row, "rgb224_sha256"), text(row, "file"));
    }
    image_free(&in);
    image_free(&expected);
    image_free(&out);
    json_decref(root);
}
#endif

/* Spec 2.1 to 2.3 by hand: a 427x640 picture goes to 640 high; one of 50x25 is enlarged on loading. */
static void geometry_by_hand(void **state)
{
    (void)state;
    int w, h;
    letterbox_load_size(333, 500, 640, &w, &h);
    assert_true(w == 427 && h == 640); /* 426.24 rounds up */
    letterbox_load_size(50, 25, 640, &w, &h);
    assert_true(w == 640 && h == 320);
    letterbox_batch_shape(0.75, 0.75, 640, &w, &h);
    assert_true(w == 672 && h == 512);
    letterbox_batch_shape(0.75, 1.25, 640, &w, &h);
    assert_true(w == 672 && h == 672);
    const struct letterbox box = letterbox_detect(1280, 717, 640, 640, true);
    assert_true(box.inner_width == 640 && box.inner_height == 358); /* 358.5, to even */
    assert_true(box.top == 13 && box.bottom == 13 && box.height == 384 && box.pad_y == 13);
    assert_float_equal(box.gain_x, 0.5, 0);
    assert_float_equal(box.gain_y, 358.0 / 717, 0);
}

static void network_input_is_the_quotient(void **state)
{
    (void)state;
    struct image image = {0};
    struct error err;
    check_ok(image_reserve(&image, 256, 1, &err), &err);
    for (int i = 0; i < 256 * 3; i++) image.pixels[i] = (uint8_t)(i / 3);
    float values[256 * 3];
    letterbox_input(values, &image);
    for (int i = 0; i < 256 * 3; i++) assert_true(values[i] == (float)(i / 3 / 255.0));
    image_free(&image);
}

static void sizes_are_limited(void **state)
{
    (void)state;
    struct image image = {0};
    struct error err;
    assert_int_equal(image_alloc(&image, 0, 5, &err), ERR_INPUT);
    assert_int_equal(image_alloc(&image, IMAGE_MAX_SIDE + 1, 1, &err), ERR_INPUT);
    assert_int_equal(image_alloc(&image, IMAGE_MAX_SIDE, IMAGE_MAX_SIDE, &err), ERR_INPUT);
    assert_int_equal(image_reserve(&image, -3, 5, &err), ERR_INPUT);
    assert_null(image.pixels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letterbox_known_hashes),
        cmocka_unit_test(antialias_known_hashes),
#if HAVE_JANSSON
        cmocka_unit_test(letterbox_matches_the_reference),
        cmocka_unit_test(real_pictures_match_the_reference),
        cmocka_unit_test(antialias_matches_the_reference),
#endif
        cmocka_unit_test(geometry_by_hand),
        cmocka_unit_test(network_input_is_the_quotient),
        cmocka_unit_test(sizes_are_limited),
    };
    const int failed = cmocka_run_group_tests_name("resize", tests, NULL, NULL);
    letterbox_scratch_free(&scratch);
    return failed;
}
