/* Changes of training pictures against the reference's outputs. */
#include "check_image.h"

#include "image/hsv.h"
#include "image/letterbox.h"
#include "image/orient.h"
#include "image/warp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if HAVE_JANSSON
#include <jansson.h>

static const char *tensors(void) { return check_shared("golden/yolo11/augment.safetensors"); }

static json_t *cases(void)
{
    json_t *root = json_load_file(check_shared("golden/yolo11/augment.json"), 0, NULL);
    assert_non_null(root);
    return root;
}

static void load(struct image *image, const char *kind, const char *which, const char *end)
{
    char name[64];
    snprintf(name, sizeof name, "%s%s%s", kind, which, end);
    check_image_tensor(image, tensors(), name, true);
}

static double real(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

/* One unit and 0.1 % of the bytes: the reference's vector code orders its float sums differently. */
static void affine_matches_the_reference(void **state)
{
    (void)state;
    json_t *root = cases(), *row;
    struct image in = {0}, expected = {0}, out = {0};
    struct error err;
    size_t i;
    json_array_foreach(json_object_get(root, "affine"), i, row)
    {
        const char *which = json_string_value(json_object_get(row, "case"));
        load(&in, "affine.", which, ".in");
        load(&expected, "affine.", which, ".out");
        const double g = real(row, "scale");
        const double m[2][3] = {{g, 0, real(row, "tx") - g * in.width / 2},
                                {0, g, real(row, "ty") - g * in.height / 2}};
        check_ok(warp_affine(&out, &in, m, expected.width, expected.height, LETTERBOX_BORDER, &err), &err);
        int largest;
        const size_t changed = check_image_difference(&out, &expected, &largest);
        printf("affine %s: %zu bytes differ by at most %d\n", which, changed, largest);
        assert_true(largest <= 1);
        assert_true((double)changed <= 0.001 * (double)image_bytes(&out));
    }
    image_free(&in);
    image_free(&expected);
    image_free(&out);
    json_decref(root);
}

/* One unit: the reference truncates in its vector code and rounds in the columns left over. */
static void hsv_matches_the_reference(void **state)
{
    (void)state;
    json_t *root = cases(), *row;
    struct image image = {0}, expected = {0};
    size_t i;
    json_array_foreach(json_object_get(root, "hsv"), i, row)
    {
        const char *which = json_string_value(json_object_get(row, "case"));
        const json_t *gains = json_object_get(row, "r_h_s_v");
        load(&image, "hsv", "", ".in");
        load(&expected, "hsv.", which, ".out");
        hsv_jitter(&image, json_number_value(json_array_get(gains, 0)),
                   json_number_value(json_array_get(gains, 1)), json_number_value(json_array_get(gains, 2)));
        int largest;
        const size_t changed = check_image_difference(&image, &expected, &largest);
        printf("hsv %s: %zu bytes differ by at most %d\n", which, changed, largest);
        assert_true(largest <= 1);
    }
    image_free(&image);
    image_free(&expected);
    json_decref(root);
}

static void mosaic_of_pastes_matches_the_reference(void **state)
{
    (void)state;
    json_t *root = cases(), *row;
    struct image part = {0}, expected = {0}, canvas = {0};
    struct error err;
    size_t i;
    json_array_foreach(json_object_get(root, "mosaic"), i, row)
    {
        const int s = (int)real(row, "s"), xc = (int)real(row, "xc"), yc = (int)real(row, "yc");
        load(&expected, "mosaic.", json_string_value(json_object_get(row, "case")), ".out");
        check_ok(image_reserve(&canvas, 2 * s, 2 * s, &err), &err);
        image_fill(&canvas, LETTERBOX_BORDER);
        for (int k = 0; k < 4; k++) {
            load(&part, "mosaic.in", (char[]){(char)('0' + k), 0}, "");
            image_paste(&canvas, &part, k % 2 ? xc : xc - part.width, k / 2 ? yc : yc - part.height);
        }
        int largest;
        assert_int_equal(check_image_difference(&canvas, &expected, &largest), 0);
    }
    image_free(&part);
    image_free(&expected);
    image_free(&canvas);
    json_decref(root);
}

static void mirror_matches_the_reference(void **state)
{
    (void)state;
    struct image image = {0}, planes = {0};
    check_image_tensor(&image, tensors(), "flip.in", true);
    check_image_tensor(&planes, tensors(), "flip.formatted_chw_rgb", false);
    orient_mirror(&image);
    int largest;
    assert_int_equal(check_image_difference(&image, &planes, &largest), 0);
    image_free(&image);
    image_free(&planes);
}
#endif

/* Hashes of two of the reference's outputs, for a lone checkout. */
static void known_hashes(void **state)
{
    (void)state;
    struct image in = {0}, out = {0};
    struct error err;
    char hex[SHA256_HEX];
    check_image_synth(&in, "affa", 64, 48);
    const double m[2][3] = {{1, 0, 0}, {0, 1, 8}};
    check_ok(warp_affine(&out, &in, m, 64, 64, LETTERBOX_BORDER, &err), &err);
    check_image_hash(&out, true, hex);
    assert_string_equal(hex, "9a4cdec6dbabd86630817d6c700e7f2fb7ac599d36c334d6f3cd0c4df034c999");
    check_image_synth(&in, "hsv", 64, 48);
    hsv_jitter(&in, 0, 0, 0);
    check_image_hash(&in, true, hex);
    assert_string_equal(hex, "4ce53e75808b4062377a74c3682b966568c685a719a1fe4c13fdef717844c6da");
    image_free(&in);
    image_free(&out);
}

static void identity_and_shift_by_hand(void **state)
{
    (void)state;
    struct image in = {0}, out = {0};
    struct error err;
    check_image_synth(&in, "by hand", 20, 10);
    const double identity[2][3] = {{1, 0, 0}, {0, 1, 0}};
    check_ok(warp_affine(&out, &in, identity, 20, 10, 0, &err), &err);
    assert_memory_equal(out.pixels, in.pixels, image_bytes(&in));
    const double half[2][3] = {{1, 0, 0.5}, {0, 1, 0}};
    check_ok(warp_affine(&out, &in, half, 22, 10, 100, &err), &err);
    assert_int_equal(out.pixels[0], (int)((100 + in.pixels[0]) / 2.0 + 0.499)); /* the border blends in */
    assert_int_equal(out.pixels[21 * 3], 100);
    const double nowhere[2][3] = {{1, 0, 1e30}, {0, 1, 0}}, flat[2][3] = {{0, 0, 3}, {0, 0, 3}};
    check_ok(warp_affine(&out, &in, nowhere, 5, 5, 7, &err), &err);
    for (size_t i = 0; i < image_bytes(&out); i++) assert_int_equal(out.pixels[i], 7);
    check_ok(warp_affine(&out, &in, flat, 5, 5, 7, &err), &err);
    image_free(&in);
    image_free(&out);
}

/* The forward conversion of the primaries and greys, and a round trip within 6: half a hue step is 255/60
 * = 4.25 levels, and three values are rounded or truncated. */
static void hsv_by_hand(void **state)
{
    (void)state;
    static const uint8_t table[][6] = {{255, 0, 0, 0, 255, 255},     {0, 255, 0, 60, 255, 255},
                                       {0, 0, 255, 120, 255, 255},   {255, 255, 0, 30, 255, 255},
                                       {0, 0, 0, 0, 0, 0},           {77, 77, 77, 0, 0, 77},
                                       {255, 0, 255, 150, 255, 255}, {0, 255, 255, 90, 255, 255}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        uint8_t hsv[3], rgb[3];
        hsv_from_rgb(hsv, table[i]);
        assert_memory_equal(hsv, table[i] + 3, 3);
        hsv_to_rgb(rgb, hsv);
        for (int c = 0; c < 3; c++) assert_true(abs(rgb[c] - table[i][c]) <= 1);
    }
    for (int r = 0; r < 256; r += 5)
        for (int g = 0; g < 256; g += 5)
            for (int b = 0; b < 256; b += 5) {
                uint8_t hsv[3], rgb[3];
                hsv_from_rgb(hsv, (const uint8_t[]){(uint8_t)r, (uint8_t)g, (uint8_t)b});
                assert_true(hsv[0] < 180);
                hsv_to_rgb(rgb, hsv);
                assert_true(abs(rgb[0] - r) <= 6 && abs(rgb[1] - g) <= 6 && abs(rgb[2] - b) <= 6);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#if HAVE_JANSSON
        cmocka_unit_test(affine_matches_the_reference),
        cmocka_unit_test(hsv_matches_the_reference),
        cmocka_unit_test(mosaic_of_pastes_matches_the_reference),
        cmocka_unit_test(mirror_matches_the_reference),
#endif
        cmocka_unit_test(known_hashes),
        cmocka_unit_test(identity_and_shift_by_hand),
        cmocka_unit_test(hsv_by_hand),
    };
    return cmocka_run_group_tests_name("augment", tests, NULL, NULL);
}
