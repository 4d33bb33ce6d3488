#include "image/warp.h"

#include <assert.h>
#include <math.h>

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

static const uint8_t *pixel(const struct image *in, int x, int y, const uint8_t *outside)
{
    if (x < 0 || y < 0 || x >= in->width || y >= in->height) return outside;
    return in->pixels + ((size_t)y * (size_t)in->width + (size_t)x) * 3;
}

static void sample(uint8_t *to, const struct image *in, float sx, float sy, const uint8_t *outside)
{
    const float left = floorf(sx), top = floorf(sy), fx = sx - left, fy = sy - top;
    const int x = (int)left, y = (int)top;
    const uint8_t *a = pixel(in, x, y, outside), *b = pixel(in, x + 1, y, outside);
    const uint8_t *c = pixel(in, x, y + 1, outside), *d = pixel(in, x + 1, y + 1, outside);
    for (int k = 0; k < 3; k++) {
        const float upper = (float)a[k] + fx * (float)(b[k] - a[k]),
                    lower = (float)c[k] + fx * (float)(d[k] - c[k]);
        to[k] = (uint8_t)rintf(upper + fy * (lower - upper)); /* between the four, so in 0..255 */
    }
}

enum status warp_affine(struct image *out, const struct image *in, const double m[2][3], int width,
                        int height, uint8_t border, struct error *err)
{
    assert(out->pixels != in->pixels || !out->pixels);
    TRY(image_reserve(out, width, height, err));
    float inverse[2][3];
    invert(inverse, m);
    const uint8_t outside[3] = {border, border, border};
    uint8_t *to = out->pixels;
    for (int y = 0; y < height; y++) {
        const float row_x = inverse[0][1] * (float)y + inverse[0][2],
                    row_y = inverse[1][1] * (float)y + inverse[1][2];
        for (int x = 0; x < width; x++, to += 3) {
            const float sx = inverse[0][0] * (float)x + row_x, sy = inverse[1][0] * (float)x + row_y;
            if (sx > -1 && sy > -1 && sx < (float)in->width && sy < (float)in->height)
                sample(to, in, sx, sy, outside);
            else
                to[0] = to[1] = to[2] = border;
        }
    }
    return OK;
}
