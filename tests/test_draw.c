/* Rectangles and labels. */
#include "check_image.h"

#include "base/rng.h"
#include "image/draw.h"
#include "image/glyphs.h"

#include <string.h>

static void *pixel(const struct image *image, int x, int y)
{
    return image->pixels + (y * image->width + x) * 3;
}

/* Lines two pixels wide around the rounded coordinates, nothing else without a label. */
static void outlines_are_where_they_should_be(void **state)
{
    (void)state;
    struct image image = {0};
    struct error err;
    uint8_t rgb[3];
    draw_colour(rgb, 3);
    check_ok(image_reserve(&image, 100, 80, &err), &err);
    image_fill(&image, 0);
    draw_detection(&image, (const double[]){20.4, 30.6, 60, 70}, 3, NULL);
    for (int y = 0; y < 80; y++)
        for (int x = 0; x < 100; x++) {
            const bool outer = x >= 19 && x <= 60 && y >= 30 && y <= 70;
            const bool inner = x >= 21 && x <= 58 && y >= 32 && y <= 68;
            assert_memory_equal(pixel(&image, x, y), outer && !inner ? rgb : (const uint8_t[3]){0}, 3);
        }
    image_free(&image);
}

/* Strokes of six pixels from the left and the top, the last one cut at the end of its side. */
static void dashes_are_as_long_as_their_gaps(void **state)
{
    (void)state;
    static const uint8_t rgb[3] = {10, 200, 30};
    struct image image = {0};
    struct error err;
    check_ok(image_reserve(&image, 100, 80, &err), &err);
    image_fill(&image, 0);
    draw_outline(&image, (const double[]){21, 31, 60, 70}, rgb, true); /* 20 to 60, 30 to 70 */
    for (int i = 0; i < 41; i++) {
        const bool drawn = i % 12 < 6 || i < 2 || i > 38;
        assert_memory_equal(pixel(&image, 20 + i, 30), drawn ? rgb : (const uint8_t[3]){0}, 3);
        assert_memory_equal(pixel(&image, 60, 30 + i), drawn ? rgb : (const uint8_t[3]){0}, 3);
    }
    image_free(&image);
}

/* Boxes and labels far outside, inside out and on pictures smaller than a letter; the sanitizer looks on. */
static void anything_is_cut_to_the_picture(void **state)
{
    (void)state;
    static const double boxes[][4] = {{-1e9, -1e9, 1e9, 1e9}, {50, 40, 10, 5},     {1e9, 1e9, 2e9, 2e9},
                                      {-50, -50, -40, -40},   {0, 0, 0, 0},        {99, 79, 100, 80},
                                      {-5, 60, 400, 90},      {30, -20, 31.5, 100}};
    static const int sizes[][2] = {{100, 80}, {1, 1}, {3, 40}, {2000, 30}};
    char label[300];
    memset(label, 'W', sizeof label);
    label[sizeof label - 1] = 0;
    label[1] = (char)0xc3; /* not ASCII */
    struct image image = {0};
    struct error err;
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (size_t b = 0; b < sizeof boxes / sizeof *boxes; b++) {
            check_ok(image_reserve(&image, sizes[s][0], sizes[s][1], &err), &err);
            image_fill(&image, 0);
            draw_detection(&image, boxes[b], (int)b - 2, b % 2 ? label : "person 0.87");
            draw_outline(&image, boxes[b], (const uint8_t[3]){255, 0, 0}, true);
        }
    struct draw_object objects[400]; /* more than are searched for */
    struct plate plates[400];
    for (int i = 0; i < 400; i++)
        objects[i] = (struct draw_object){
            {boxes[i % 8][0], boxes[i % 8][1], boxes[i % 8][2], boxes[i % 8][3]}, i, label};
    draw_detections(&image, objects, plates, 400);
    image_free(&image);
}

static void neighbouring_classes_differ(void **state)
{
    (void)state;
    for (int a = 0; a < 80; a++)
        for (int b = a + 1; b < 80; b++) {
            uint8_t x[3], y[3];
            draw_colour(x, a);
            draw_colour(y, b);
            assert_memory_not_equal(x, y, 3);
        }
}

static void letters_differ(void **state)
{
    (void)state;
    for (int a = 0; a < GLYPH_COUNT; a++)
        for (int b = a + 1; b < GLYPH_COUNT; b++) assert_memory_not_equal(glyphs[a], glyphs[b], GLYPH_ROWS);
}

static bool apart(const struct plate_area *a, const struct plate_area *b)
{
    return a->x1 <= b->x0 || b->x1 <= a->x0 || a->y1 <= b->y0 || b->y1 <= a->y0;
}

/* Objects narrower than their labels, many of them close together or at the border: each has its name, whole
 * in the picture and under no other. */
static void every_object_is_named(void **state)
{
    (void)state;
    enum { CROWD = 40 };
    static const int sizes[][2] = {{640, 360}, {1920, 1080}};
    struct draw_object objects[CROWD];
    struct plate plates[CROWD];
    struct image image = {0};
    struct error err;
    for (int s = 0; s < 2; s++) {
        const int width = sizes[s][0], height = sizes[s][1];
        const uint64_t key = rng_key((uint64_t)s, "crowd");
        for (int i = 0; i < CROWD; i++) { /* half of them in a fifth of the picture's width */
            const double x =
                (i % 2 ? 0.4 + 0.2 * rng_real(key, 2 * (uint64_t)i) : rng_real(key, 2 * (uint64_t)i)) * width;
            const double y = rng_real(key, 2 * (uint64_t)i + 1) * height;
            objects[i] = (struct draw_object){{x, y, x + 8, y + 14}, 2, "car 0.87"};
        }
        check_ok(image_reserve(&image, width, height, &err), &err);
        image_fill(&image, 0);
        draw_detections(&image, objects, plates, CROWD);
        for (int i = 0; i < CROWD; i++) {
            const struct plate_area *const a = &plates[i].area;
            assert_int_equal(plates[i].length, 8);
            assert_true(plates[i].scale >= 1);
            assert_true(a->x0 >= 0 && a->y0 >= 0 && a->x1 <= width && a->y1 <= height);
            for (int k = 0; k < i; k++) assert_true(apart(a, &plates[k].area));
        }
    }
    /* One alone has it right above. */
    int across, down;
    draw_detections(&image, objects + 1, plates, 1);
    plates_gap(plates, &across, &down);
    assert_true(!across && !down && plates[0].area.y1 == plates[0].box.y0);
    image_free(&image);
}

/* What was looked at and found good. */
static void a_labelled_picture_stays_as_it_was(void **state)
{
    (void)state;
    struct image image = {0};
    char hex[SHA256_HEX];
    check_image_synth(&image, "draw", 640, 360);
    draw_detection(&image, (const double[]){20, 60, 150, 200}, 0, "person 0.94");
    draw_detection(&image, (const double[]){320, -20, 420, 90}, 5, "bus 0.50");
    draw_detection(&image, (const double[]){500.2, 100.7, 700, 250}, 9, "traffic light 0.999");
    check_image_hash(&image, false, hex);
    assert_string_equal(hex, "6af1fafc9529124d07e7d6562272ed988eaed48cddcee5fe7c7c902854829427");
    image_free(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outlines_are_where_they_should_be),
        cmocka_unit_test(dashes_are_as_long_as_their_gaps),
        cmocka_unit_test(anything_is_cut_to_the_picture),
        cmocka_unit_test(neighbouring_classes_differ),
        cmocka_unit_test(letters_differ),
        cmocka_unit_test(every_object_is_named),
        cmocka_unit_test(a_labelled_picture_stays_as_it_was),
    };
    return cmocka_run_group_tests_name("draw", tests, NULL, NULL);
}
