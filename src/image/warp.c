#include "image/warp.h"

#include <assert.h>
#include <string.h>

/* In double, rounded once. */
static void invert(float inverse[2][3], const double m[2][3])
{
    const double determinant = m[0][0] * m[1][1] - m[0][1] * m[1][0];
    const double d = determinant != 0 ? 1 / determinant : 0;
    const double a = m[1][1] * d, b = -m[0][1] * d, c = -m[1][0] * d, e = m[0][0] * d;
    inverse[0][0] = (float)a;
    inverse[0][1] = (float)b;
    inverse[0][2] = (float)(-a * m[0][2] - b * m[1][2]);
    inverse[1][0] = (float)c;
    inverse[1][1] = (float)e;
    inverse[1][2] = (float)(-c * m[0][2] - e * m[1][2]);
}

struct warp {
    const struct image *in;
    uint8_t outside[3];
    float value[256]; /* of each byte: one load instead of a conversion, of which a sample needs twelve */
};

/* A sampled point: the pixel above and left of it and how far it lies from that. */
struct corner {
    int x, y;
    float fx, fy;
};

/* floorf is a call where the baseline has no instruction for it. */
static int floor_int(float v)
{
    const int i = (int)v;
    return i - ((float)i > v);
}

static struct corner corner_of(float sx, float sy)
{
    const int x = floor_int(sx), y = floor_int(sy);
    return (struct corner){x, y, sx - (float)x, sy - (float)y};
}

/* v in [0, 255]: added to 1.5 * 2^23 it is rounded to an integer, halves to even, in the lowest bits. */
static uint8_t round_byte(float v)
{
    const float shifted = v + 12582912.0f;
    uint32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    return (uint8_t)bits;
}

/* a b above c d. */
static void blend(uint8_t *restrict to, const float *restrict value, const uint8_t *a, const uint8_t *b,
                  const uint8_t *c, const uint8_t *d, struct corner at)
{
    for (int k = 0; k < 3; k++) {
        const float upper = value[a[k]] + at.fx * (value[b[k]] - value[a[k]]),
                    lower = value[c[k]] + at.fx * (value[d[k]] - value[c[k]]);
        to[k] = round_byte(upper + at.fy * (lower - upper)); /* between the four */
    }
}

static const uint8_t *pixel(const struct warp *w, int x, int y)
{
    if (x < 0 || y < 0 || x >= w->in->width || y >= w->in->height) return w->outside;
    return w->in->pixels + ((size_t)y * (size_t)w->in->width + (size_t)x) * 3;
}

static void sample(uint8_t to[3], const struct warp *w, struct corner at)
{
    const size_t row = (size_t)w->in->width * 3;
    const int x = at.x, y = at.y;
    if (x >= 0 && y >= 0 && x + 1 < w->in->width && y + 1 < w->in->height) {
        const uint8_t *a = w->in->pixels + (size_t)y * row + (size_t)x * 3;
        blend(to, w->value, a, a + 3, a + row, a + row + 3, at);
    } else {
        blend(to, w->value, pixel(w, x, y), pixel(w, x + 1, y), pixel(w, x, y + 1), pixel(w, x + 1, y + 1),
              at);
    }
}

enum status warp_affine(struct image *out, const struct image *in, const double m[2][3], int width,
                        int height, uint8_t border, struct error *err)
{
    assert(out->pixels != in->pixels || !out->pixels);
    TRY(image_reserve(out, width, height, err));
    float inverse[2][3];
    invert(inverse, m);
    const float right = (float)in->width, bottom = (float)in->height;
    struct warp warp = {.in = in, .outside = {border, border, border}};
    for (int i = 0; i < 256; i++) warp.value[i] = (float)i;
    uint8_t *to = out->pixels;
    for (int y = 0; y < height; y++) {
        const float row_x = inverse[0][1] * (float)y + inverse[0][2],
                    row_y = inverse[1][1] * (float)y + inverse[1][2];
        for (int x = 0; x < width; x++, to += 3) {
            const float sx = inverse[0][0] * (float)x + row_x, sy = inverse[1][0] * (float)x + row_y;
            if (sx > -1 && sy > -1 && sx < right && sy < bottom)
                sample(to, &warp, corner_of(sx, sy));
            else
                to[0] = to[1] = to[2] = border;
        }
    }
    return OK;
}
