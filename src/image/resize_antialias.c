#include "image/resize.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { WEIGHT_BITS = 22 };

/* One axis: output i is the sum of weights[i*room + x] * source[first[i] + x] over x < count[i]. */
struct filter {
    int room, *first, *count, *weights;
};

static enum status make_filter(struct filter *filter, int from, int to, struct error *err)
{
    const double scale = (double)from / to, support = scale > 1 ? scale : 1, inverse = 1 / support;
    const int room = 2 * (int)ceil(support) + 1;
    const size_t bytes = (size_t)to * (2 + (size_t)room) * sizeof(int) + (size_t)room * sizeof(double);
    double *w = malloc(bytes);
    if (!w) return fail_memory(err, "resizing a picture", bytes);
    filter->room = room;
    filter->first = (int *)(w + room);
    filter->count = filter->first + to;
    filter->weights = filter->count + to;
    for (int i = 0; i < to; i++) {
        const double c = (i + 0.5) * scale;
        int low = (int)(c - support + 0.5), high = (int)(c + support + 0.5);
        if (low < 0) low = 0;
        if (high > from) high = from;
        double total = 0;
        for (int x = 0; x < high - low; x++) {
            const double u = fabs((x + low - c + 0.5) * inverse);
            w[x] = u < 1 ? 1 - u : 0;
            total += w[x];
        }
        filter->first[i] = low;
        filter->count[i] = high - low;
        for (int x = 0; x < high - low; x++)
            filter->weights[(size_t)i * (size_t)room + (size_t)x] =
                (int)(w[x] / total * (1 << WEIGHT_BITS) + 0.5);
    }
    return OK;
}

static void free_filter(struct filter *filter) { free((double *)(void *)filter->first - filter->room); }

/* Weights are never negative and sum to about 2^22, so that 255 times the sum fits 32 bits. */
static uint8_t round_sum(int sum)
{
    const int v = (sum + (1 << (WEIGHT_BITS - 1))) >> WEIGHT_BITS;
    return (uint8_t)(v > 255 ? 255 : v);
}

static enum status horizontal(struct image *out, const struct image *in, int width, struct error *err)
{
    TRY(image_reserve(out, width, in->height, err));
    struct filter filter;
    TRY(make_filter(&filter, in->width, width, err));
    for (int y = 0; y < in->height; y++) {
        const uint8_t *row = in->pixels + (size_t)y * (size_t)in->width * 3;
        uint8_t *to = out->pixels + (size_t)y * (size_t)width * 3;
        for (int i = 0; i < width; i++, to += 3) {
            const uint8_t *p = row + (size_t)filter.first[i] * 3;
            const int *k = filter.weights + (size_t)i * (size_t)filter.room;
            int sum[3] = {0};
            for (int x = 0; x < filter.count[i]; x++, p += 3)
                for (int c = 0; c < 3; c++) sum[c] += k[x] * p[c];
            for (int c = 0; c < 3; c++) to[c] = round_sum(sum[c]);
        }
    }
    free_filter(&filter);
    return OK;
}

static enum status vertical(struct image *out, const struct image *in, int height, struct error *err)
{
    TRY(image_reserve(out, in->width, height, err));
    const size_t n = (size_t)in->width * 3;
    int *sums = malloc(n * sizeof *sums);
    if (!sums) return fail_memory(err, "resizing a picture", n * sizeof *sums);
    struct filter filter;
    const enum status status = make_filter(&filter, in->height, height, err);
    for (int i = 0; status == OK && i < height; i++) {
        memset(sums, 0, n * sizeof *sums);
        for (int y = 0; y < filter.count[i]; y++) {
            const int k = filter.weights[(size_t)i * (size_t)filter.room + (size_t)y];
            const uint8_t *row = in->pixels + (size_t)(filter.first[i] + y) * n;
            for (size_t x = 0; x < n; x++) sums[x] += k * row[x];
        }
        for (size_t x = 0; x < n; x++) out->pixels[(size_t)i * n + x] = round_sum(sums[x]);
    }
    if (status == OK) free_filter(&filter);
    free(sums);
    return status;
}

enum status resize_antialias(struct image *out, const struct image *in, int width, int height,
                             enum resize_order order, struct error *err)
{
    if (in->width == width && in->height == height) return image_copy(out, in, err);
    if (in->width == width) return vertical(out, in, height, err);
    if (in->height == height) return horizontal(out, in, width, err);
    const int rows_lost = in->height - height, columns_lost = in->width - width;
    const bool vertical_first = order == RESIZE_PILLOW13 && rows_lost > 0 && rows_lost > 2 * columns_lost;
    struct image between = {0};
    enum status status =
        vertical_first ? vertical(&between, in, height, err) : horizontal(&between, in, width, err);
    if (status == OK)
        status =
            vertical_first ? horizontal(out, &between, width, err) : vertical(out, &between, height, err);
    image_free(&between);
    return status;
}
