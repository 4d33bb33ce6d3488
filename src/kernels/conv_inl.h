/* Convolution, matrix product and their weight gradients: register tiles, walked over pixels and channels.
 *
 * Every output is its own chain, so tiles may overlap and any tile gives the same bits. A packed block is 16
 * channels on every ISA. A tile is some pixels x some vectors of channels, chosen so that accumulators, weights
 * and one broadcast fit the register file. With AVX-512 it covers up to five blocks: a core with two multiply-add
 * units of that width takes in two loads a cycle at most, and a tile one vector wide needs one for each. */
#include "kernels/repeat.h"

#include <assert.h>

#if defined(VF_AVX512)
#define TILE_ROWS 10
#define TILE_VECTORS 1
#elif defined(VF_AVX2)
#define TILE_ROWS 5
#define TILE_VECTORS 2
#elif defined(VF_NEON) && defined(__aarch64__)
#define TILE_ROWS 5
#define TILE_VECTORS 4
#elif defined(VF_NEON)
#define TILE_ROWS 4
#define TILE_VECTORS 2
#else
#define TILE_ROWS 2
#define TILE_VECTORS 8
#endif

/* Columns of the tile that every ISA has: a block or the half of one. */
enum { TILE_COLUMNS = TILE_VECTORS * VW };
_Static_assert(KERNEL_BLOCK % TILE_COLUMNS == 0, "such tiles never cross a block");

/* Steps of the chain by which weights are asked for ahead. The last of them lie past the end; nothing is loaded. */
enum { TILE_STEPS_AHEAD = 6 };

/* What a tile seldom has: conv_block's start and keep, from its first pixel on. */
struct conv_rows {
    float *const *start, *const *keep;
};

/* Where vector n of a tile's columns lies in packed values whose blocks are `stride` floats apart. */
#define BLOCK_OFFSET(n, stride) ((n)*VW / KERNEL_BLOCK * (stride) + (n)*VW % KERNEL_BLOCK)

#define MR 1
#define NV TILE_VECTORS
#include "kernels/tile_conv.h"
#define MR TILE_ROWS
#define NV TILE_VECTORS
#include "kernels/tile_conv.h"
#if defined(VF_AVX512)
#define MR 10
#define NV 2
#include "kernels/tile_conv.h"
#define MR 8
#define NV 3
#include "kernels/tile_conv.h"
#define MR 5
#define NV 4
#include "kernels/tile_conv.h"
#define MR 5
#define NV 5
#include "kernels/tile_conv.h"
#elif defined(VF_AVX2) /* eight channels alone: half the columns, twice the rows */
#define MR 10
#define NV 1
#include "kernels/tile_conv.h"
#endif

struct conv_tile {
    int vectors, rows;
    void (*run)(const float *const *in, int in_stride, int taps, int channels, const float *w,
                ptrdiff_t weight_stride, const float *bias, const struct conv_rows *rows, float *const *out,
                ptrdiff_t offset, int flush);
};
#define CONV_TILE(rows, vectors)                                                                             \
    {                                                                                                        \
        vectors, rows, TILE_NAME(conv_tile, rows, vectors)                                                   \
    }

/* By their width. */
static const struct conv_tile conv_tiles[] = {
#if defined(VF_AVX2)
    CONV_TILE(10, 1),
#endif
    CONV_TILE(TILE_ROWS, TILE_VECTORS),
#if defined(VF_AVX512)
    CONV_TILE(10, 2),
    CONV_TILE(8, 3),
    CONV_TILE(5, 4),
    CONV_TILE(5, 5),
#endif
};
enum {
    CONV_TILES = sizeof conv_tiles / sizeof conv_tiles[0],
    CONV_MOST_FLOATS = VW == KERNEL_BLOCK ? 25 * KERNEL_BLOCK : 10 * KERNEL_BLOCK, /* of a tile */
    CONV_MOST_ROWS = 10
};

static const struct conv_tile conv_tile_single = CONV_TILE(1, TILE_VECTORS);

/* Vectors of a tile for the next of `left` columns: as few tiles as there can be, evenly wide. */
static int tile_width(int left, int most)
{
    const int vectors = (left + VW - 1) / VW, tiles = (vectors + most - 1) / most;
    return (vectors + tiles - 1) / tiles;
}

static const struct conv_tile *conv_tile_for(int left)
{
    const int wanted = tile_width(left, conv_tiles[CONV_TILES - 1].vectors);
    const struct conv_tile *tile = conv_tiles;
    while (tile->vectors < wanted) tile++;
    return tile;
}

/* The activation of rows just computed, while they are in the nearest cache: unrolled into the tile it would
 * only bloat the code. SiLU takes some rows side by side: most tiles have five or ten. */
static NOINLINE void activate_tile(float *const *out, int rows, int c0, int columns, enum activation activation)
{
    enum { TOGETHER = 5 };
    _Static_assert(TOGETHER <= (int)VF_MANY, "as many as vf_activate_many takes");
    int m = 0;
    for (; activation == ACT_SILU && m + TOGETHER <= rows; m += TOGETHER)
        for (int c = c0; c < c0 + columns; c += VW) {
            vf y[TOGETHER];
            for (int i = 0; i < TOGETHER; i++) y[i] = vf_load(out[m + i] + c);
            vf_activate_many(y, TOGETHER, ACT_SILU, 0);
            for (int i = 0; i < TOGETHER; i++) vf_store(out[m + i] + c, y[i]);
        }
    for (; m < rows; m++)
        for (int c = c0; c < c0 + columns; c += VW)
            vf_store(out[m] + c, vf_activate(vf_load(out[m] + c), activation));
}

/* One tile of pixels from p0 and channels from c0 on. One that sticks out over cout is computed in a scratch of
 * full width. */
static void conv_tile_at(const struct conv_block *b, const struct conv_tile *tile, int p0, int c0)
{
    const float *const *in = b->in + p0, *bias = b->bias ? b->bias + c0 : NULL;
    const float *w = b->weights + c0 / KERNEL_BLOCK * b->weight_stride + c0 % KERNEL_BLOCK;
    const int flush = b->activation == ACT_NONE, columns = tile->vectors * VW;
    const int valid = b->cout - c0 < columns ? b->cout - c0 : columns;
    assert(tile->rows <= CONV_MOST_ROWS && tile->rows * columns <= CONV_MOST_FLOATS);
    if (valid == columns) {
        const struct conv_rows rows = {b->start ? b->start + p0 : NULL, b->keep ? b->keep + p0 : NULL};
        tile->run(in, b->pixels, b->taps, b->channels, w, b->weight_stride, bias, b->start || b->keep ? &rows : NULL,
                  b->out + p0, c0, flush);
        if (b->activation != ACT_NONE) activate_tile(b->out + p0, tile->rows, c0, columns, b->activation);
        return;
    }
    assert(!b->keep);
    float scratch[CONV_MOST_FLOATS] = {0}, *out[CONV_MOST_ROWS] = {scratch};
    for (int m = 0; m < tile->rows; m++) {
        out[m] = scratch + m * columns;
        if (b->start) memcpy(out[m], b->start[p0 + m] + c0, (size_t)valid * sizeof(float));
    }
    tile->run(in, b->pixels, b->taps, b->channels, w, b->weight_stride, bias,
              b->start ? &(struct conv_rows){.start = out} : NULL, out, 0, flush);
    if (b->activation != ACT_NONE) activate_tile(out, tile->rows, 0, columns, b->activation);
    for (int m = 0; m < tile->rows; m++) memcpy(b->out[p0 + m] + c0, out[m], (size_t)valid * sizeof(float));
}

/* Asks for outputs, and with the first columns for inputs, of pixels [first, first + rows): those of the last tap, as
 * the others are read again. Where chains are short it would cost more than it gives. Never a call, nor is
 * outer_prefetch: gcc 12 takes a function that only prefetches for one without effect. */
INLINE void conv_prefetch(const struct conv_block *b, int first, int rows, int c0, int columns)
{
    enum { LEAST_DEPTH = 64 };
    if (b->warm || b->taps * b->channels < LEAST_DEPTH) return;
    const float *const *in = b->in + (ptrdiff_t)(b->taps - 1) * b->pixels;
    const int end = first + rows < b->pixels ? first + rows : b->pixels;
    for (int p = first; p < end; p++) {
        for (int c = 0; c < columns; c += KERNEL_BLOCK) __builtin_prefetch(b->out[p] + c0 + c, 1);
        for (int c = 0; c0 == 0 && c < b->channels; c += KERNEL_BLOCK) __builtin_prefetch(in[p] + c, 0, 2);
    }
}

/* All pixels of a tile's columns. The last tile overlaps the one before where that is allowed: not when the chain
 * goes on from out, which a second visit would continue twice. */
static void conv_columns(const struct conv_block *b, const struct conv_tile *tile, int c0)
{
    int p = 0;
    for (; p + tile->rows <= b->pixels; p += tile->rows) {
        conv_prefetch(b, p + 2 * tile->rows, tile->rows, c0, tile->vectors * VW); /* the tile after the next */
        conv_tile_at(b, tile, p, c0);
    }
    if (p == b->pixels) return;
    const int in_place = b->start && b->start[p] == b->out[p];
    if (b->pixels >= tile->rows && !in_place) {
        conv_tile_at(b, tile, b->pixels - tile->rows, c0);
        return;
    }
    for (; p < b->pixels; p++)
        for (int c = 0; c < tile->vectors * VW && c0 + c < b->cout; c += TILE_COLUMNS)
            conv_tile_at(b, &conv_tile_single, p, c0 + c);
}

static void conv(const struct conv_block *b)
{
    for (int c = 0; c < b->cout;) {
        const struct conv_tile *tile = conv_tile_for(b->cout - c);
        conv_columns(b, tile, c);
        c += tile->vectors * VW;
    }
}
