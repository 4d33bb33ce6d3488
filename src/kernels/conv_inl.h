/* Convolution, matrix product and their weight gradients: one register tile each, walked over pixels and
 * channels.
 *
 * Every output is its own chain, so tiles may overlap and any tile height gives the same bits. A packed block
 * is 16 channels on every ISA; a tile covers TILE_COLUMNS of them, chosen so that accumulators, weights and
 * one broadcast fit the register file. */
#include "kernels/repeat.h"

enum { TILE_MAX_ROWS = 10 };

#if defined(VF_AVX512)
#define CONV_ROWS 10
#define OUTER_ROWS 8
#define TILE_COLUMNS 16
#elif defined(VF_AVX2)
#define CONV_ROWS 5
#define OUTER_ROWS 6
#define TILE_COLUMNS 16
#elif defined(VF_NEON) && defined(__aarch64__)
#define CONV_ROWS 5
#define OUTER_ROWS 4
#define TILE_COLUMNS 16
#elif defined(VF_NEON)
#define CONV_ROWS 4
#define OUTER_ROWS 4
#define TILE_COLUMNS 8
#else
#define CONV_ROWS 2
#define OUTER_ROWS 2
#define TILE_COLUMNS 8
#endif

#if defined(VF_AVX512)
#define TILE_VECTORS 1
#elif defined(VF_AVX2)
#define TILE_VECTORS 2
#elif defined(VF_NEON) && defined(__aarch64__)
#define TILE_VECTORS 4
#elif defined(VF_NEON)
#define TILE_VECTORS 2
#else
#define TILE_VECTORS 8
#endif
_Static_assert(TILE_VECTORS *VW == TILE_COLUMNS, "a tile is a whole number of vectors");

#define NAME conv_tile
#define MR CONV_ROWS
#define NV TILE_VECTORS
#include "kernels/tile_conv.h"
#define NAME conv_tile_single
#define MR 1
#define NV TILE_VECTORS
#include "kernels/tile_conv.h"

#if defined(VF_AVX2) /* eight channels alone: half the columns, twice the rows */
#define CONV_NARROW_ROWS 10
#define NAME conv_tile_narrow
#define MR CONV_NARROW_ROWS
#define NV 1
#include "kernels/tile_conv.h"
#endif

typedef void conv_tile_function(const float *const *in, int in_stride, int taps, int channels, const float *w,
                                const float *bias, int accumulate, float *const *out, ptrdiff_t offset,
                                int flush);

/* The activation of rows just computed, while they are in the nearest cache: unrolled into the tile it would
 * only bloat the code. */
static void activate_tile(float *const *out, int rows, int c0, int columns, enum activation activation)
{
    for (int m = 0; m < rows; m++)
        for (int c = 0; c < columns; c += VW) {
            float *y = out[m] + c0 + c;
            const vf x = vf_load(y);
            vf_store(y, activation == ACT_SILU ? vf_silu(x) : vf_activate(x, activation));
        }
}

/* One tile of `rows` pixels from p0, output channels [c0, c0 + columns) of packed block weights w. A tile
 * that sticks out over cout is computed in a scratch of full width. */
static void conv_tile_at(const struct conv_block *b, conv_tile_function *tile, int rows, int columns, int p0,
                         int c0, const float *w)
{
    const float *bias = b->bias ? b->bias + c0 : NULL;
    const float *const *in = b->in + p0;
    const int flush = b->activation == ACT_NONE && !b->raw;
    const int valid = b->cout - c0 < columns ? b->cout - c0 : columns;
    if (valid == columns) {
        tile(in, b->pixels, b->taps, b->channels, w, bias, b->accumulate, b->out + p0, c0, flush);
        if (b->activation != ACT_NONE) activate_tile(b->out + p0, rows, c0, columns, b->activation);
        return;
    }
    float scratch[TILE_MAX_ROWS][KERNEL_BLOCK] = {{0}}, *out[TILE_MAX_ROWS] = {scratch[0]};
    for (int m = 0; m < rows; m++) {
        out[m] = scratch[m];
        if (b->accumulate) memcpy(scratch[m], b->out[p0 + m] + c0, (size_t)valid * sizeof(float));
    }
    tile(in, b->pixels, b->taps, b->channels, w, bias, b->accumulate, out, 0, flush);
    if (b->activation != ACT_NONE) activate_tile(out, rows, 0, columns, b->activation);
    for (int m = 0; m < rows; m++) memcpy(b->out[p0 + m] + c0, scratch[m], (size_t)valid * sizeof(float));
}

/* All pixels of one column range. The last tile overlaps the one before where that is allowed: not when the
 * chain continues from out, which a second visit would continue twice. */
static void conv_columns(const struct conv_block *b, conv_tile_function *tile, int rows, int columns, int c0,
                         const float *w)
{
    int p = 0;
    for (; p + rows <= b->pixels; p += rows) conv_tile_at(b, tile, rows, columns, p, c0, w);
    if (p == b->pixels) return;
    if (b->pixels >= rows && !b->accumulate) {
        conv_tile_at(b, tile, rows, columns, b->pixels - rows, c0, w);
        return;
    }
    for (; p < b->pixels; p++) conv_tile_at(b, conv_tile_single, 1, TILE_COLUMNS, p, c0, w);
}

static void conv(const struct conv_block *b)
{
    for (int block = 0; block < b->cout; block += KERNEL_BLOCK) {
        const float *w = b->weights + block / KERNEL_BLOCK * b->weight_stride;
#if defined(VF_AVX2)
        if (b->cout - block <= VW) {
            conv_columns(b, conv_tile_narrow, CONV_NARROW_ROWS, VW, block, w);
            continue;
        }
#endif
        for (int c = 0; c < KERNEL_BLOCK && block + c < b->cout; c += TILE_COLUMNS)
            conv_columns(b, conv_tile, CONV_ROWS, TILE_COLUMNS, block + c, w + c);
    }
}
