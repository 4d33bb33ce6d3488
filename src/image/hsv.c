#include "image/hsv.h"

#include <assert.h>
#include <math.h>

enum { HUES = 180, FRACTION = 12 };

/* Reciprocals of 0..255 with 12 fraction bits: 255/v for saturation, (180/6)/diff for hue. */
struct reciprocals {
    int saturation[256], hue[256];
};

static int reciprocal(int scale, int divisor) { return (int)rint((double)scale / divisor); }

static void fill_reciprocals(struct reciprocals *table)
{
    table->saturation[0] = table->hue[0] = 0;
    for (int i = 1; i < 256; i++) {
        table->saturation[i] = reciprocal(255 << FRACTION, i);
        table->hue[i] = reciprocal(HUES << FRACTION, 6 * i);
    }
}

static int round_fraction(int v) { return (v + (1 << (FRACTION - 1))) >> FRACTION; }

static void forward(uint8_t hsv[3], const uint8_t rgb[3], const struct reciprocals *table)
{
    const int r = rgb[0], g = rgb[1], b = rgb[2];
    const int most = r > g ? (r > b ? r : b) : g > b ? g : b, least = r < g ? (r < b ? r : b) : g < b ? g : b;
    const int diff = most - least;
    const int sector = most == r ? g - b : most == g ? b - r + 2 * diff : r - g + 4 * diff;
    const int hue = round_fraction(sector * table->hue[diff]);
    hsv[0] = (uint8_t)(hue < 0 ? hue + HUES : hue);
    hsv[1] = (uint8_t)round_fraction(diff * table->saturation[most]);
    hsv[2] = (uint8_t)most;
}

void hsv_from_rgb(uint8_t hsv[3], const uint8_t rgb[3])
{
    struct reciprocals table;
    fill_reciprocals(&table);
    forward(hsv, rgb, &table);
}

/* A hue's sixth of the circle and its place there: the share of the saturation that the middle channel lacks.
 */
struct hue {
    uint8_t most, least, middle; /* channels, RGB */
    float lack;
};

static struct hue hue_of(int h)
{
    static const uint8_t order[6][3] = {{0, 2, 1}, {1, 2, 0}, {1, 0, 2}, {2, 0, 1}, {2, 1, 0}, {0, 1, 2}};
    const float place = (float)h * (6.0f / HUES);
    const int sector = (int)place;
    const float f = place - (float)sector;
    const uint8_t *const o = order[sector % 6];
    return (struct hue){o[0], o[1], o[2], sector % 2 ? f : 1 - f};
}

static float unit(int byte) { return (float)byte * (1 / 255.0f); }

static void inverse(uint8_t rgb[3], struct hue h, float s, float v)
{
    rgb[h.most] = (uint8_t)(v * 255);
    rgb[h.least] = (uint8_t)(v * (1 - s) * 255);
    rgb[h.middle] = (uint8_t)(v * (1 - s * h.lack) * 255);
}

void hsv_to_rgb(uint8_t rgb[3], const uint8_t hsv[3])
{
    inverse(rgb, hue_of(hsv[0]), unit(hsv[1]), unit(hsv[2]));
}

static uint8_t clip(double v) { return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v); }

void hsv_jitter(struct image *image, double hue, double saturation, double value)
{
    assert(fabs(hue) <= 1 && fabs(saturation) <= 1 && fabs(value) <= 1);
    struct reciprocals table;
    fill_reciprocals(&table);
    struct hue hues[HUES];
    float saturations[256], values[256];
    for (int x = 0; x < HUES; x++) {
        double h = x + hue * HUES;
        while (h < 0) h += HUES;
        while (h >= HUES) h -= HUES;
        hues[x] = hue_of((int)h);
    }
    for (int x = 0; x < 256; x++) {
        saturations[x] = x ? unit(clip(x * (saturation + 1))) : 0;
        values[x] = unit(clip(x * (value + 1)));
    }
    uint8_t *const end = image->pixels + image_bytes(image);
    for (uint8_t *p = image->pixels; p < end; p += 3) {
        uint8_t q[3];
        forward(q, p, &table);
        inverse(p, hues[q[0]], saturations[q[1]], values[q[2]]);
    }
}
