#include "nn/pixels.h"

#include "base/par.h"

#include <string.h>

enum { CHUNK_PIXELS = 512, COLUMNS = TREE_COLUMNS };

struct chunks pixels_chunks(int height, int width)
{
    int rows = CHUNK_PIXELS / width;
    if (rows < 1) rows = 1;
    if (rows > height) rows = height;
    return (struct chunks){rows, (height + rows - 1) / rows};
}

int64_t pixels_chunk_begin(const struct view *view, struct chunks chunks, int64_t index, int *pixels)
{
    const int64_t image = index / chunks.per_image;
    const int row = (int)(index % chunks.per_image) * chunks.rows;
    const int rows = view->height - row < chunks.rows ? view->height - row : chunks.rows;
    *pixels = rows * view->width;
    return (image * view->height + row) * view->width;
}

size_t pixels_partials(const struct view *view, int count)
{
    const struct chunks chunks = pixels_chunks(view->height, view->width);
    return (size_t)view->images * (size_t)chunks.per_image * (size_t)count * (size_t)view->channels;
}

struct sum_context {
    const struct view *view;
    struct chunks chunks;
    int values; /* of one chunk: count * channels */
    pixels_body *body;
    void *context;
    float *partials;
    double *sums;
};

static void sum_chunks(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const struct sum_context *s = context;
    for (int64_t i = begin; i < end; i++) {
        int pixels;
        const int64_t first = pixels_chunk_begin(s->view, s->chunks, i, &pixels);
        float *partial = s->partials + i * s->values;
        memset(partial, 0, (size_t)s->values * sizeof *partial);
        s->body(s->context, first, pixels, partial);
    }
}

static void sum_images(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const struct sum_context *s = context;
    const int images = s->view->images;
    for (int64_t block = begin; block < end; block += COLUMNS) {
        const int n = end - block < COLUMNS ? (int)(end - block) : COLUMNS;
        double stack[TREE_MAX_LEVELS * COLUMNS], row[COLUMNS] = {0};
        for (int image = 0; image < images; image++) {
            memset(row, 0, sizeof row);
            for (int chunk = 0; chunk < s->chunks.per_image; chunk++) {
                const float *partial =
                    s->partials + ((int64_t)image * s->chunks.per_image + chunk) * s->values + block;
                for (int c = 0; c < n; c++) row[c] += partial[c];
            }
            tree_feed_double(stack, COLUMNS, image, images, row, (size_t)n);
        }
        memcpy(s->sums + block, row, (size_t)n * sizeof *row);
    }
}

void pixels_sum(const struct net *net, const struct view *view, int count, pixels_body *body, void *context,
                float *partials, double *sums)
{
    struct sum_context s = {
        view, pixels_chunks(view->height, view->width), count * view->channels, body, context, partials,
        sums};
    par_pass(net->options.threads, (int64_t)view->images * s.chunks.per_image, 1, sum_chunks, &s);
    par_for(net->options.threads, s.values, 16 * COLUMNS, sum_images, &s);
}

int tree_levels(int n)
{
    int levels = 1;
    while (n >> levels) levels++;
    return levels;
}

static void add_rows(float *sum, const float *left, const float *right, size_t length)
{
    for (size_t i = 0; i < length; i++) sum[i] = left[i] + right[i];
}

float *tree_place(float *stack, int index, float *row) { return index & 1 ? row : stack; }

void tree_feed(float *stack, ptrdiff_t level_stride, int index, int n, float *row, size_t length)
{
    if (!(index & 1) && row != stack) memcpy(stack, row, length * sizeof *row);
    for (int level = 0; index >> level & 1; level++) {
        const bool last = !(index >> (level + 1) & 1);
        add_rows(last ? stack + (level + 1) * level_stride : row, stack + level * level_stride, row, length);
    }
    if (index + 1 < n) return;
    int level, lowest = 0;
    while (!(n >> lowest & 1)) lowest++;
    for (level = lowest + 1; n >> level; level++)
        if (n >> level & 1)
            add_rows(stack + lowest * level_stride, stack + level * level_stride,
                     stack + lowest * level_stride, length);
    if (lowest) memcpy(stack, stack + lowest * level_stride, length * sizeof *row);
}

void tree_feed_double(double *stack, ptrdiff_t level_stride, int index, int n, double *row, size_t length)
{
    int level = 0;
    for (; index >> level & 1; level++)
        for (size_t i = 0; i < length; i++) row[i] += stack[level * level_stride + (ptrdiff_t)i];
    memcpy(stack + level * level_stride, row, length * sizeof *row);
    if (index + 1 < n) return;
    for (level++; n >> level; level++)
        if (n >> level & 1)
            for (size_t i = 0; i < length; i++) row[i] += stack[level * level_stride + (ptrdiff_t)i];
}
