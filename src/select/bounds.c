#include "select/bounds.h"

#include "base/par.h"

#include <math.h>

/* 255 * 511 * 16384 < 2^31. ROUNDING is for the float product's own error, at most (width / 16 + 4) / 2^24 of
 * the lengths, and for the few operations here. Rows of smaller numbers than TINY are all error. */
enum { MAX_WIDTH = 16384, ZERO = 128, BYTE = 127, WORD = 511, GRAIN = 64 };
static const float ROUNDING = 1e-4F, TINY = 1e-25F;

static float largest(const float *row, int width)
{
    float most = 0;
    for (int j = 0; j < width; j++) {
        const float size = fabsf(row[j]);
        most = size > most ? size : most;
    }
    return most;
}

/* Rounded up. */
static float length(const float *row, int width)
{
    return (float)(sqrt(embeddings_dot(row, row, width)) * (1 + 1e-6));
}

/* The integers nearest to row / scale, none larger than `most`, and what that leaves of the row. Returns the
 * scale, 0 for a row without numbers of any size. */
static float round_row(int *values, float *left, const float *row, int width, int most)
{
    const float high = largest(row, width);
    const float scale = high > TINY ? high / (float)most : 0, inverse = scale > 0 ? 1 / scale : 0;
    for (int j = 0; j < width; j++) {
        values[j] = (int)(row[j] * inverse + (float)most + 1.5F) - most - 1; /* truncates a positive number */
        left[j] = row[j] - (float)values[j] * scale;
    }
    return scale;
}

static void copy_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const struct bounds *b = context;
    const int width = b->set->width;
    int values[MAX_WIDTH];
    float left[MAX_WIDTH];
    for (int64_t i = begin; i < end; i++) {
        const float *row = b->set->rows[i];
        uint8_t *bytes = b->bytes + i * width;
        b->rows[i].scale = round_row(values, left, row, width, BYTE);
        b->rows[i].error = length(left, width);
        b->rows[i].length = length(row, width);
        for (int j = 0; j < width; j++) bytes[j] = (uint8_t)(values[j] + ZERO);
    }
}

enum status bounds_of(struct bounds *bounds, const struct embeddings *set, const struct kernels *kernels,
                      int threads, struct arena *arena, struct error *err)
{
    *bounds = (struct bounds){.set = set, .kernels = kernels};
    if (set->width > MAX_WIDTH) return OK;
    const size_t count = (size_t)set->count, width = (size_t)set->width;
    bounds->bytes = arena_alloc(arena, count * width, 1);
    bounds->rows = arena_alloc(arena, count, sizeof *bounds->rows);
    bounds->words = arena_alloc(arena, width, sizeof *bounds->words);
    if (!bounds->bytes || !bounds->rows || !bounds->words) return fail_memory(err, "bounds", count * width);
    par_for(threads, set->count, GRAIN, copy_rows, bounds);
    return OK;
}

void bounds_aim(struct bounds *b, int row)
{
    if (!b->bytes) return;
    const int width = b->set->width;
    int values[MAX_WIDTH];
    float left[MAX_WIDTH];
    b->scale = round_row(values, left, b->set->rows[row], width, WORD);
    b->shadow = 0;
    for (int j = 0; j < width; j++) {
        b->words[j] = (int16_t)values[j];
        b->shadow += ZERO * values[j];
    }
    const float whole = b->rows[row].length, rest = length(left, width);
    b->of_error = whole + rest;
    b->of_length = rest + ROUNDING * whole;
}

float bounds_above(const struct bounds *b, int row)
{
    if (!b->bytes) return NAN;
    const int width = b->set->width;
    const struct bounds_row *r = b->rows + row;
    const int32_t sum = b->kernels->dot_bytes(b->bytes + (ptrdiff_t)row * width, b->words, width) - b->shadow;
    return (float)sum * (r->scale * b->scale) + r->error * b->of_error + r->length * b->of_length;
}

float bounds_length(const struct bounds *b, int row)
{
    return b->bytes ? b->rows[row].length : NAN;
}
