#include "image/draw.h"

#include "image/glyphs.h"
#include "image/hsv.h"

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

static int plate_width(int scale, int length)
{
    return (length * (GLYPH_COLUMNS + 1) + 3) *
           scale; /* margins of two dots; no gap behind the last letter */
}

int draw_label_width(const struct image *image, const char *label)
{
    return plate_width(scale_of(image), (int)strnlen(label, IMAGE_MAX_SIDE));
}

/* (left, top) is the outer corner of the outline. */
static void label_plate(struct image *image, int left, int top, const char *label, const uint8_t rgb[3])
{
    const int scale = scale_of(image), advance = (GLYPH_COLUMNS + 1) * scale, margin = 2 * scale;
    const int most = image->width / advance, length = (int)strnlen(label, (size_t)most);
    const int width = plate_width(scale, length), height = GLYPH_ROWS * scale + 2 * margin - scale;
    const int x = left + width > image->width ? image->width - width : left;
    const int x0 = x > 0 ? x : 0, y0 = top >= height ? top - height : top > 0 ? top : 0;
    uint8_t ink[3];
    text_colour(ink, rgb);
    fill(image, x0, y0, x0 + width, y0 + height, rgb);
    for (int i = 0; i < length; i++)
        letter(image, x0 + margin + i * advance, y0 + margin, scale, (unsigned char)label[i], ink);
}

static int pixel(double v, int limit)
{
    return (int)rint(v < -limit ? -limit : v > 2.0 * limit ? 2.0 * limit : v);
}

void draw_detection(struct image *image, const double box[4], int class_id, const char *label)
{
    const int scale = scale_of(image), line = scale > 2 ? scale : 2, half = line / 2;
    const int x0 = pixel(box[0], image->width) - half, y0 = pixel(box[1], image->height) - half;
    const int x1 = pixel(box[2], image->width) - half, y1 = pixel(box[3], image->height) - half;
    uint8_t rgb[3];
    draw_colour(rgb, class_id);
    fill(image, x0, y0, x1 + line, y0 + line, rgb);
    fill(image, x0, y1, x1 + line, y1 + line, rgb);
    fill(image, x0, y0, x0 + line, y1 + line, rgb);
    fill(image, x1, y0, x1 + line, y1 + line, rgb);
    if (label && label[0]) label_plate(image, x0, y0, label, rgb);
}
