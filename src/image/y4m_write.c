#include "image/y4m_write.h"

#include <string.h>

static const char frame_line[] = "FRAME\n";
enum { FRAME_LINE = sizeof frame_line - 1, HALF = 1 << 15 };

static int half(int n) { return (n + 1) / 2; }

size_t y4m_frame_bytes(int width, int height)
{
    return FRAME_LINE + (size_t)width * height + 2 * (size_t)half(width) * half(height);
}

void y4m_write_header(FILE *stream, int width, int height, double fps)
{
    fprintf(stream, "YUV4MPEG2 W%d H%d F%lld:1000 Ip A1:1 C420jpeg\n", width, height,
            (long long)(fps * 1000 + 0.5));
}

/* The mean of up to 2x2 pixels; the last column or row counts twice where the side is odd. */
static void block_mean(int rgb[3], const struct image *image, int x, int y)
{
    const int x1 = x + 1 < image->width ? x + 1 : x, y1 = y + 1 < image->height ? y + 1 : y;
    const uint8_t *a = image->pixels + (size_t)y * image->width * 3,
                  *b = image->pixels + (size_t)y1 * image->width * 3;
    for (int k = 0; k < 3; k++)
        rgb[k] = (a[3 * x + k] + a[3 * x1 + k] + b[3 * x + k] + b[3 * x1 + k] + 2) >> 2;
}

/* Arithmetic shift of a sum that is positive with this offset. */
static uint8_t chroma(int sum) { return (uint8_t)((sum + HALF + (128 << 16)) >> 16); }

void y4m_encode(uint8_t *out, const struct image *image)
{
    memcpy(out, frame_line, FRAME_LINE);
    out += FRAME_LINE;
    const size_t pixels = (size_t)image->width * image->height,
                 quarter = (size_t)half(image->width) * half(image->height);
    for (size_t i = 0; i < pixels; i++) {
        const uint8_t *p = image->pixels + 3 * i;
        out[i] = (uint8_t)(16 + ((16829 * p[0] + 33039 * p[1] + 6416 * p[2] + HALF) >> 16));
    }
    uint8_t *u = out + pixels, *v = u + quarter;
    for (int y = 0; y < image->height; y += 2)
        for (int x = 0; x < image->width; x += 2) {
            int c[3];
            block_mean(c, image, x, y);
            *u++ = chroma(-9714 * c[0] - 19071 * c[1] + 28785 * c[2]);
            *v++ = chroma(28785 * c[0] - 24104 * c[1] - 4681 * c[2]);
        }
}
