/* Decoding and encoding pictures. */
#include "check_image.h"

#include "image/decode.h"
#include "image/encode.h"
#include "image/orient.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if HAVE_JANSSON
#include <jansson.h>
#endif

static const char *corpus(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "fuzz/corpus/image/%s", name);
    return path;
}

static bool built(const char *name)
{
    const char *dot = strrchr(name, '.');
    return strcmp(dot, ".jpg") ? strcmp(dot, ".png") || HAVE_PNG : HAVE_JPEG;
}

/* Hashes of the pixels that Pillow gives (OpenCV gives the same, but for CMYK and PGM with a maximum of
 * 1000). */
static const struct {
    const char *name;
    int width, height;
    const char *hash;
} pictures[] = {
    {"alpha-interlaced-turned.png", 9, 13,
     "8a63dd9260b2718fa2ddeacc7f3dee8dcb3f3b4363a65d98b7e646b18c53fda6"},
    {"bits.png", 13, 9, "d401bd2b0509f7529d7b1ff36fdfb30b670ca399ade1f5699896659ba2bb718d"},
    {"cmyk.jpg", 37, 23, "1d16b28091f1ae3ab32a9b296ce20670d18b332fd933fa785e4b14f82bc194e0"},
    {"colour.png", 13, 9, "d36219a1db3a97a74db04dfe984e5c1d8bc2273161a2b1ae434eb51d1c15f812"},
    {"colour.ppm", 13, 9, "d36219a1db3a97a74db04dfe984e5c1d8bc2273161a2b1ae434eb51d1c15f812"},
    {"colour420.jpg", 37, 23, "551f7bd06f7764dfb8c1bd807935aeb2378f2392384d861ee7705ce90dae905c"},
    {"colour422-progressive.jpg", 37, 23, "d57545d5573c4c5ec3482d5c3cb3b2e60366ebee0d4141b258466954d61e905b"},
    {"colour444-restart.jpg", 37, 23, "0d0f4b3b2ad3548da6d3b11454dcf4e08e8368a53ecf715682ebc51317d3f52c"},
    {"grey.jpg", 37, 23, "58d6bc4310893f12fea24d264c19fa19ff3c03e3d876aaf740068e2e66672836"},
    {"grey.pgm", 13, 9, "41dcd1407493d9d2308647a2cca3ce60aca76d24f223f981319809dc328c9243"},
    {"grey.png", 13, 9, "41dcd1407493d9d2308647a2cca3ce60aca76d24f223f981319809dc328c9243"},
    {"grey16.pgm", 5, 3, "a3013c594e69581f20405646d0a90d033fe62e532a73883d9bed4b9b597abae9"},
    {"grey16.png", 13, 9, "83733285d41430a8872785e8cc3f3b3abcd50580e495b7fae2645f3a7307a92c"},
    {"palette.png", 13, 9, "2daf48cab57783bf2382c50541fe8bf4bf2a19cb6139b1507c1d96b123ae80c5"},
};
enum { PICTURE_COUNT = sizeof pictures / sizeof *pictures };

static void pictures_decode_exactly(void **state)
{
    (void)state;
    struct image image = {0};
    struct error err;
    char hex[SHA256_HEX];
    for (int i = 0; i < PICTURE_COUNT; i++) {
        if (!built(pictures[i].name)) {
            assert_int_equal(image_read(&image, corpus(pictures[i].name), &err), ERR_INPUT);
            assert_non_null(strstr(err.message, "this build has no"));
            continue;
        }
        check_ok(image_read(&image, corpus(pictures[i].name), &err), &err);
        assert_int_equal(image.width, pictures[i].width);
        assert_int_equal(image.height, pictures[i].height);
        check_image_hash(&image, false, hex);
        if (strcmp(hex, pictures[i].hash)) print_error("%s differs\n", pictures[i].name);
        assert_string_equal(hex, pictures[i].hash);
    }
    image_free(&image);
}

/* Damage behind the header is not looked for. */
static void sizes_come_from_headers(void **state)
{
    (void)state;
    static const char *const names[] = {"turned2.jpg",   "turned3.jpg", "turned5.jpg",
                                        "turned6.jpg",   "turned8.jpg", "alpha-interlaced-turned.png",
                                        "colour420.jpg", "cmyk.jpg",    "colour.png",
                                        "comment.ppm",   "grey16.pgm"};
    static const char *const wrong[] = {"huge.jpg",    "zero.jpg",  "zero.pgm",
                                        "unknown.bin", "empty.bin", "cut.png"};
    struct image image = {0};
    struct error err;
    int width, height;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!built(names[i])) continue;
        check_ok(image_read(&image, corpus(names[i]), &err), &err);
        check_ok(image_read_size(&width, &height, corpus(names[i]), &err), &err);
        assert_true(width == image.width && height == image.height);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(image_read_size(&width, &height, corpus(wrong[i]), &err), ERR_INPUT);
    if (HAVE_JPEG) {
        assert_int_equal(image_read(&image, corpus("cut.jpg"), &err), ERR_INPUT);
        assert_null(image.pixels);
        check_ok(image_read_size(&width, &height, corpus("cut.jpg"), &err), &err);
        assert_true(width == 37 && height == 23);
    }
    image_free(&image);
}

static void expect_refused(struct image *image, const uint8_t *data, size_t n)
{
    struct error err;
    /* a heap copy of exact size, so that the sanitizer sees reads beyond the end */
    uint8_t *copy = malloc(n ? n : 1);
    assert_non_null(copy);
    memcpy(copy, data, n);
    assert_int_equal(image_decode(image, copy, n, "some.file", &err), ERR_INPUT);
    assert_non_null(strstr(err.message, "some.file"));
    free(copy);
}

static void cut_files_are_refused(void **state)
{
    (void)state;
    struct image image = {0};
    for (int i = 0; i < PICTURE_COUNT; i++) {
        size_t n;
        uint8_t *data = check_bytes(corpus(pictures[i].name), &n);
        for (size_t m = 0; m < n; m++) expect_refused(&image, data, m);
        free(data);
    }
    image_free(&image);
}

/* A changed bit gives another picture or an error, and an error names the file. */
static void changed_bits_are_survived(void **state)
{
    (void)state;
    struct image image = {0};
    struct error err;
    int refused = 0;
    for (int i = 0; i < PICTURE_COUNT; i++) {
        size_t n;
        uint8_t *data = check_bytes(corpus(pictures[i].name), &n);
        for (size_t bit = 0; bit < 8 * n; bit += 3) {
            data[bit / 8] ^= (uint8_t)(1 << bit % 8);
            if (image_decode(&image, data, n, "some.file", &err) != OK) {
                assert_int_equal(err.status, ERR_INPUT);
                assert_non_null(strstr(err.message, "some.file"));
                refused++;
            }
            data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        free(data);
    }
    assert_true(refused > 100);
    image_free(&image);
}

static void oversized_pictures_are_refused(void **state)
{
    (void)state;
    struct image image = {0};
    static const char *const headers[] = {"P6 16385 1 255\n",     "P6 99999999999 1 255\n",
                                          "P5 16384 16384 255\n", "P5 16384 8192 65535\n",
                                          "P6 3 0 255\n",         "P6 3 3 65536\n",
                                          "P6 3 3 255x",          "P6 -3 3 255\n",
                                          "P6 # no end",          "P6"};
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        expect_refused(&image, (const uint8_t *)headers[i], strlen(headers[i]));
    size_t n;
    uint8_t *data = check_bytes(corpus("colour420.jpg"), &n);
    for (size_t i = 2; i + 9 < n; i++) /* the frame header's height and width */
        if (data[i] == 0xff && data[i + 1] == 0xc0) {
            memset(data + i + 5, 0x3f, 4);
            expect_refused(&image, data, n);
            memset(data + i + 5, 0xff, 4);
            expect_refused(&image, data, n);
            break;
        }
    free(data);
    data = check_bytes(corpus("colour.png"), &n);
    memset(data + 16, 0x3f, 8);
    expect_refused(&image, data, n);
    free(data);
    expect_refused(&image, (const uint8_t *)"GIF89a", 6);
    image_free(&image);
}

static void missing_files_are_named(void **state)
{
    (void)state;
    struct image image = {0};
    struct error err;
    assert_int_equal(image_read(&image, "/nowhere/picture.jpg", &err), ERR_INPUT);
    assert_non_null(strstr(err.message, "/nowhere/picture.jpg"));
    assert_null(image.pixels);
}

/* The upright 3x2 picture 0..5 as a camera would store it in each orientation. */
static void orientations_are_made_upright(void **state)
{
    (void)state;
    static const struct {
        int width, stored[6];
    } cases[9] = {
        {3, {0, 1, 2, 3, 4, 5}}, {3, {0, 1, 2, 3, 4, 5}}, {3, {2, 1, 0, 5, 4, 3}},
        {3, {5, 4, 3, 2, 1, 0}}, {3, {3, 4, 5, 0, 1, 2}}, {2, {0, 3, 1, 4, 2, 5}},
        {2, {2, 5, 1, 4, 0, 3}}, {2, {5, 2, 4, 1, 3, 0}}, {2, {3, 0, 4, 1, 5, 2}},
    };
    struct image image = {0};
    struct error err;
    for (int o = 0; o < 9; o++) {
        check_ok(image_reserve(&image, cases[o].width, 6 / cases[o].width, &err), &err);
        for (int i = 0; i < 18; i++) image.pixels[i] = (uint8_t)(cases[o].stored[i / 3] * 10 + i % 3);
        check_ok(orient_upright(&image, o, &err), &err);
        assert_int_equal(image.width, 3);
        assert_int_equal(image.height, 2);
        for (int i = 0; i < 18; i++) assert_int_equal(image.pixels[i], i / 3 * 10 + i % 3);
    }
    image_free(&image);
}

/* colour420.jpg with an EXIF block between SOI and the rest. */
static uint8_t *with_exif(const uint8_t *tiff, size_t size, size_t *n)
{
    size_t plain;
    uint8_t *data = check_bytes(corpus("colour420.jpg"), &plain);
    *n = plain + size + 10;
    uint8_t *made = malloc(*n);
    assert_non_null(made);
    memcpy(made, data, 2);
    memcpy(made + 2,
           (uint8_t[]){0xff, 0xe1, (uint8_t)((size + 8) >> 8), (uint8_t)(size + 8), 'E', 'x', 'i', 'f', 0, 0},
           10);
    memcpy(made + 12, tiff, size);
    memcpy(made + 12 + size, data + 2, plain - 2);
    free(data);
    return made;
}

static void exif_orientation_is_applied(void **state)
{
    (void)state;
    if (!HAVE_JPEG) {
        printf("skip: this build has no JPEG library\n");
        skip();
    }
    static const uint8_t little[] =
        "II*\0\x08\0\0\0\x02\0\x0f\x01\x02\0\x01\0\0\0\0\0\0\0\x12\x01\x03\0\x01\0\0\0\x06\0\0";
    static const uint8_t big[] = "MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0";
    struct image plain = {0}, image = {0};
    struct error err;
    check_ok(image_read(&plain, corpus("colour420.jpg"), &err), &err);
    for (int o = 0; o <= 9; o++)
        for (int order = 0; order < 2; order++) {
            uint8_t tiff[sizeof little];
            const size_t size = order ? sizeof big : sizeof little;
            memcpy(tiff, order ? big : little, size);
            tiff[order ? 19 : 30] = (uint8_t)o;
            size_t n;
            uint8_t *data = with_exif(tiff, size, &n);
            check_ok(image_decode(&image, data, n, "turned.jpg", &err), &err);
            struct image expected = {0};
            check_ok(image_copy(&expected, &plain, &err), &err);
            check_ok(orient_upright(&expected, o, &err), &err);
            int largest;
            if (check_image_difference(&image, &expected, &largest))
                print_error("orientation %d, order %d\n", o, order);
            assert_int_equal(check_image_difference(&image, &expected, &largest), 0);
            image_free(&expected);
            free(data);
        }
    image_free(&plain);
    image_free(&image);
}

static void damaged_exif_counts_as_none(void **state)
{
    (void)state;
    static const uint8_t good[] = "MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0";
    assert_int_equal(orient_from_exif(good, 22), 6);
    for (size_t n = 0; n < 22; n++) { /* exact heap copies for the sanitizer */
        uint8_t *copy = malloc(n + 1);
        assert_non_null(copy);
        memcpy(copy + 1, good, n);
        assert_int_equal(orient_from_exif(copy + 1, n), 1);
        free(copy);
    }
    static const struct {
        int at;
        uint8_t value;
    } changes[] = {{0, 'I'}, {3, 43}, {4, 0xff}, {7, 0xff}, {8, 0xff},
                   {13, 4},  {17, 2}, {18, 1},   {19, 9},   {19, 0}};
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        uint8_t copy[22];
        memcpy(copy, good, 22);
        copy[changes[i].at] = changes[i].value;
        assert_int_equal(orient_from_exif(copy, 22),
                         changes[i].at == 8 ? 6 : 1); /* too many entries: those there */
    }
}

static void written_pictures_come_back(void **state)
{
    (void)state;
    struct image image = {0}, back = {0};
    struct error err;
    int largest;
    check_image_synth(&image, "written", 61, 47);
    static const char *const names[] = {"a.png", "a.ppm", "a.JPG"};
    for (int i = 0; i < 3; i++) {
        char path[700];
        snprintf(path, sizeof path, "%s/%s", check_folder(), names[i]);
        if ((i == 0 && !HAVE_PNG) || (i == 2 && !HAVE_JPEG)) {
            assert_int_equal(image_write(path, &image, IMAGE_QUALITY, &err), ERR_USAGE);
            continue;
        }
        check_ok(image_write(path, &image, IMAGE_QUALITY, &err), &err);
        check_ok(image_read(&back, path, &err), &err);
        const size_t changed = check_image_difference(&image, &back, &largest);
        if (i < 2) assert_int_equal(changed, 0);
    }
    assert_int_equal(image_write("picture.gif", &image, IMAGE_QUALITY, &err), ERR_USAGE);
    assert_int_equal(image_write("folder.png/picture", &image, IMAGE_QUALITY, &err), ERR_USAGE);
    assert_int_equal(image_write("/nowhere/at/all.ppm", &image, IMAGE_QUALITY, &err), ERR_INPUT);
    image_free(&image);
    image_free(&back);
}

static void pasting_is_cut_at_the_edges(void **state)
{
    (void)state;
    struct image canvas = {0}, in = {0};
    struct error err;
    check_ok(image_reserve(&canvas, 4, 3, &err), &err);
    check_ok(image_reserve(&in, 3, 2, &err), &err);
    for (int i = 0; i < 18; i++) in.pixels[i] = (uint8_t)(i / 3 + 1);
    for (int y = -4; y <= 5; y++)
        for (int x = -5; x <= 6; x++) {
            image_fill(&canvas, 0);
            image_paste(&canvas, &in, x, y);
            for (int v = 0; v < 3; v++)
                for (int u = 0; u < 4; u++) {
                    const bool inside = u >= x && u < x + 3 && v >= y && v < y + 2;
                    assert_int_equal(canvas.pixels[(v * 4 + u) * 3 + 1],
                                     inside ? (v - y) * 3 + u - x + 1 : 0);
                }
        }
    image_free(&canvas);
    image_free(&in);
}

#if HAVE_JANSSON && HAVE_JPEG
static void jpeg_matches_the_reference(void **state)
{
    (void)state;
    json_t *root = json_load_file(check_shared("golden/image/jpeg.json"), 0, NULL), *row;
    struct image image = {0};
    struct error err;
    char hex[SHA256_HEX];
    size_t i;
    assert_int_equal(json_array_size(json_object_get(root, "images")), 6);
    json_array_foreach(json_object_get(root, "images"), i, row)
    {
        check_ok(image_read(&image, check_shared(json_string_value(json_object_get(row, "file"))), &err),
                 &err);
        assert_int_equal(image.width, json_integer_value(json_object_get(row, "width")));
        assert_int_equal(image.height, json_integer_value(json_object_get(row, "height")));
        check_image_hash(&image, false, hex);
        assert_string_equal(hex, json_string_value(json_object_get(row, "sha256_rgb")));
    }
    image_free(&image);
    json_decref(root);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_decode_exactly),
        cmocka_unit_test(sizes_come_from_headers),
        cmocka_unit_test(cut_files_are_refused),
        cmocka_unit_test(changed_bits_are_survived),
        cmocka_unit_test(oversized_pictures_are_refused),
        cmocka_unit_test(missing_files_are_named),
        cmocka_unit_test(orientations_are_made_upright),
        cmocka_unit_test(exif_orientation_is_applied),
        cmocka_unit_test(damaged_exif_counts_as_none),
        cmocka_unit_test(written_pictures_come_back),
        cmocka_unit_test(pasting_is_cut_at_the_edges),
#if HAVE_JANSSON && HAVE_JPEG
        cmocka_unit_test(jpeg_matches_the_reference),
#endif
    };
    return cmocka_run_group_tests_name("decode", tests, NULL, NULL);
}
