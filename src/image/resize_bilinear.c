#include "image/resize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WEIGHT_ONE = 2048 };

/* One axis: output d is w0*source[at] + w1*source[at + 1]. */
struct tap {
    int at, w0, w1;
};

/* Columns clamp place and fraction; rows keep the fraction and clamp only the row numbers, later. The
 * difference shows because the two products of a column are truncated separately. */
static void make_taps(struct tap *taps, int from, int to, int clamp)
{
    const double scale = 1.0 / ((double)to / from);
    for (int d = 0; d < to; d++) {
        float f = (float)((d + 0.5) * scale - 0.5);
        int s = (int)floorf(f);
        f -= (float)s;
        if (clamp && s < 0) s = 0, f = 0;
        if (clamp && s >= from - 1) s = from - 1, f = 0;
        taps[d] = (struct tap){s, (int)rintf((1 - f) * WEIGHT_ONE), (int)rintf(f * WEIGHT_ONE)};
    }
}

static void halve(uint8_t *out, size_t stride, int width, int height, const struct image *in)
{
    const size_t row = (size_t)in->width * 3;
    for (int y = 0; y < height; y++) {
        const uint8_t *a = in->pixels + (size_t)y * 2 * row, *b = a + row;
        uint8_t *to = out + (size_t)y * stride;
        for (int x = 0; x < width; x++, a += 6, b += 6, to += 3)
            for (int c = 0; c < 3; c++) to[c] = (uint8_t)((a[c] + a[c + 3] + b[c] + b[c + 3] + 2) >> 2);
    }
}

static void widen_row(int32_t *out, const uint8_t *in, const struct tap *taps, int width, int last)
{
    for (int x = 0; x < width; x++, out += 3) {
        const struct tap t = taps[x];
        const uint8_t *a = in + (size_t)t.at * 3, *b = t.at < last ? a + 3 : a;
        for (int c = 0; c < 3; c++) out[c] = a[c] * t.w0 + b[c] * t.w1;
    }
}

static void mix_rows(uint8_t *restrict out, const int32_t *restrict r0, const int32_t *restrict r1, int w0,
                     int w1, int n)
{
    for (int i = 0; i < n; i++) {
        const int v = ((w0 * (r0[i] >> 4) >> 16) + (w1 * (r1[i] >> 4) >> 16) + 2) >> 2;
        out[i] = (uint8_t)(v > 255 ? 255 : v);
    }
}

static int clamp_row(int y, int height) { return y < 0 ? 0 : y < height ? y : height - 1; }

void resize_scratch_free(struct resize_scratch *scratch)
{
    free(scratch->memory);
    *scratch = (struct resize_scratch){0};
}

static enum status reserve(struct resize_scratch *scratch, size_t bytes, struct error *err)
{
    if (scratch->bytes >= bytes) return OK;
    resize_scratch_free(scratch);
    scratch->memory = malloc(bytes);
    if (!scratch->memory) return fail_memory(err, "resizing a picture", bytes);
    scratch->bytes = bytes;
    return OK;
}

enum status resize_bilinear_into(uint8_t *out, size_t stride, int width, int height, const struct image *in,
                                 struct resize_scratch *scratch, struct error *err)
{
    const size_t in_row = (size_t)in->width * 3, out_row = (size_t)width * 3;
    if (in->width == width && in->height == height) {
        for (int y = 0; y < height; y++)
            memcpy(out + (size_t)y * stride, in->pixels + (size_t)y * in_row, in_row);
        return OK;
    }
    if (in->width == 2 * width && in->height == 2 * height) {
        halve(out, stride, width, height, in);
        return OK;
    }
    const size_t tap_bytes = ((size_t)width + (size_t)height) * sizeof(struct tap);
    TRY(reserve(scratch, tap_bytes + 2 * out_row * sizeof(int32_t), err));
    struct tap *columns = scratch->memory, *rows = columns + width;
    make_taps(columns, in->width, width, 1);
    make_taps(rows, in->height, height, 0);
    int32_t *widened[2] = {(int32_t *)(rows + height), (int32_t *)(rows + height) + out_row};
    int held[2] = {-1, -1}; /* source rows in widened[], by parity: neighbours never share a place */
    for (int y = 0; y < height; y++) {
        const int32_t *pair[2];
        for (int i = 0; i < 2; i++) {
            const int s = clamp_row(rows[y].at + i, in->height), slot = s & 1;
            if (held[slot] != s) {
                widen_row(widened[slot], in->pixels + (size_t)s * in_row, columns, width, in->width - 1);
                held[slot] = s;
            }
            pair[i] = widened[slot];
        }
        mix_rows(out + (size_t)y * stride, pair[0], pair[1], rows[y].w0, rows[y].w1, (int)out_row);
    }
    return OK;
}

enum status resize_bilinear(struct image *out, const struct image *in, int width, int height,
                            struct error *err)
{
    struct resize_scratch scratch = {0};
    TRY(image_reserve(out, width, height, err));
    const enum status status =
        resize_bilinear_into(out->pixels, (size_t)width * 3, width, height, in, &scratch, err);
    resize_scratch_free(&scratch);
    return status;
}
