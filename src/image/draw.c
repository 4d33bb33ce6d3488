#include "image/draw.h"

#include "image/glyphs.h"
#include "image/hsv.h"
#include "image/plates.h"

#include <math.h>
#include <string.h>

enum { TURN = 67, HUES = 180 }; /* hue steps of two degrees; near the golden angle and prime to 180 */

/* Pixels of a letter's dot: 1 for 640x360 to 640x640, 2 for 1280x720, 4 for 1920x1080. */
static int scale_of(const struct image *image)
{
    const int scale = (image->width + image->height) / 700;
    return scale > 1 ? scale : 1;
}

void draw_colour(uint8_t rgb[3], int class_id)
{
    const unsigned n = (unsigned)class_id;
    const uint8_t hsv[3] = {(uint8_t)(n % HUES * TURN % HUES), n % 2 ? 190 : 230, n % 3 ? 240 : 200};
    hsv_to_rgb(rgb, hsv);
}

/* Columns [x0, x1) of rows [y0, y1), cut to the picture. */
static void fill(struct image *image, int x0, int y0, int x1, int y1, const uint8_t rgb[3])
{
    if (x0 < 0) x0 = 0;
    if (y0 < 0) y0 = 0;
    if (x1 > image->width) x1 = image->width;
    if (y1 > image->height) y1 = image->height;
    for (int y = y0; y < y1; y++)
        for (int x = x0; x < x1; x++)
            memcpy(image->pixels + ((size_t)y * (size_t)image->width + (size_t)x) * 3, rgb, 3);
}

static void letter(struct image *image, int x, int y, int scale, unsigned char c, const uint8_t rgb[3])
{
    if (c < GLYPH_FIRST || c >= GLYPH_FIRST + GLYPH_COUNT) c = '?';
    for (int row = 0; row < GLYPH_ROWS; row++)
        for (int column = 0; column < GLYPH_COLUMNS; column++)
            if (glyphs[c - GLYPH_FIRST][row] >> (GLYPH_COLUMNS - 1 - column) & 1)
                fill(image, x + column * scale, y + row * scale, x + (column + 1) * scale,
                     y + (row + 1) * scale, rgb);
}

/* Black on light plates, white on dark ones. */
static void text_colour(uint8_t rgb[3], const uint8_t plate[3])
{
    memset(rgb, 299 * plate[0] + 587 * plate[1] + 114 * plate[2] > 128 * 1000 ? 0 : 255, 3);
}

static int pixel(double v, int limit)
{
    return (int)rint(v < -limit ? -limit : v > 2.0 * limit ? 2.0 * limit : v);
}

static int line_of(const struct image *image)
{
    const int scale = scale_of(image);
    return scale > 2 ? scale : 2;
}

/* The object's box with its outline, whatever the order of its corners. */
static struct plate_area outer(const struct image *image, const double box[4])
{
    const int line = line_of(image), half = line / 2;
    const int x0 = pixel(box[0], image->width) - half, y0 = pixel(box[1], image->height) - half;
    const int x1 = pixel(box[2], image->width) - half, y1 = pixel(box[3], image->height) - half;
    return (struct plate_area){x0 < x1 ? x0 : x1, y0 < y1 ? y0 : y1, (x0 < x1 ? x1 : x0) + line,
                               (y0 < y1 ? y1 : y0) + line};
}

/* A horizontal or vertical bar; dashed: strokes of three times the line's width, shorter on a short bar. */
static void bar(struct image *image, const struct plate_area *a, const uint8_t rgb[3], bool dashed)
{
    if (!dashed) {
        fill(image, a->x0, a->y0, a->x1, a->y1, rgb);
        return;
    }
    const int across = a->x1 - a->x0, down = a->y1 - a->y0, length = across > down ? across : down;
    const int third = length / 3, wanted = 3 * line_of(image);
    const int stroke = third < 1 ? 1 : third < wanted ? third : wanted;
    for (int at = 0; at < length; at += 2 * stroke) {
        const int end = at + stroke < length ? at + stroke : length;
        if (across > down)
            fill(image, a->x0 + at, a->y0, a->x0 + end, a->y1, rgb);
        else
            fill(image, a->x0, a->y0 + at, a->x1, a->y0 + end, rgb);
    }
}

static void outline(struct image *image, const struct plate_area *a, const uint8_t rgb[3], bool dashed)
{
    const int line = line_of(image);
    bar(image, &(struct plate_area){a->x0, a->y0, a->x1, a->y0 + line}, rgb, dashed);
    bar(image, &(struct plate_area){a->x0, a->y1 - line, a->x1, a->y1}, rgb, dashed);
    bar(image, &(struct plate_area){a->x0, a->y0, a->x0 + line, a->y1}, rgb, dashed);
    bar(image, &(struct plate_area){a->x1 - line, a->y0, a->x1, a->y1}, rgb, dashed);
}

/* The point of [low, high] nearest to x. */
static int nearest(int x, int low, int high) { return x < low ? low : x > high ? high : x; }

/* A line from a plate that does not touch its box. */
static void leader(struct image *image, const struct plate *plate, const uint8_t rgb[3])
{
    const struct plate_area *const a = &plate->area, *const b = &plate->box;
    const int line = line_of(image) / 2;
    int across, down;
    plates_gap(plate, &across, &down);
    if (!across && !down) return;
    const int to_x = nearest((a->x0 + a->x1) / 2, b->x0, b->x1 - 1),
              to_y = nearest((a->y0 + a->y1) / 2, b->y0, b->y1 - 1);
    const int x = nearest(to_x, a->x0, a->x1 - 1), y = nearest(to_y, a->y0, a->y1 - 1);
    const int steps = across > down ? across : down;
    for (int i = 0; i <= steps; i++) {
        const int at_x = x + (to_x - x) * i / steps, at_y = y + (to_y - y) * i / steps;
        fill(image, at_x, at_y, at_x + line, at_y + line, rgb);
    }
}

static void label_plate(struct image *image, const struct plate *plate, const char *label,
                        const uint8_t rgb[3])
{
    const struct plate_area *const a = &plate->area;
    const int scale = plate->scale;
    uint8_t ink[3];
    text_colour(ink, rgb);
    fill(image, a->x0, a->y0, a->x1, a->y1, rgb);
    for (int i = 0; i < plate->length; i++)
        letter(image, a->x0 + (2 + i * (GLYPH_COLUMNS + 1)) * scale, a->y0 + 2 * scale, scale,
               (unsigned char)label[i], ink);
}

void draw_detections(struct image *image, const struct draw_object *objects, struct plate *plates, int count)
{
    const int scale = scale_of(image), most = image->width / ((GLYPH_COLUMNS + 1) * scale);
    uint8_t rgb[3];
    for (int i = 0; i < count; i++)
        plates[i] =
            (struct plate){.box = outer(image, objects[i].box),
                           .length = objects[i].label ? (int)strnlen(objects[i].label, (size_t)most) : 0};
    plates_place(plates, count, image->width, image->height, scale);
    for (int part = 0; part < 3; part++)
        for (int i = count - 1; i >= 0; i--) {
            draw_colour(rgb, objects[i].class_id);
            if (part == 0) outline(image, &plates[i].box, rgb, false);
            if (part == 1 && plates[i].length) leader(image, &plates[i], rgb);
            if (part == 2 && plates[i].length) label_plate(image, &plates[i], objects[i].label, rgb);
        }
}

void draw_outline(struct image *image, const double box[4], const uint8_t rgb[3], bool dashed)
{
    const struct plate_area area = outer(image, box);
    outline(image, &area, rgb, dashed);
}

void draw_detection(struct image *image, const double box[4], int class_id, const char *label)
{
    const struct draw_object object = {{box[0], box[1], box[2], box[3]}, class_id, label};
    struct plate plate;
    draw_detections(image, &object, &plate, 1);
}
