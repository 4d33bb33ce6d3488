/* The transposed product, for weight gradients. Pixels come in pieces short enough that the rows and columns
 * of a block stay in the nearest cache; the chains wait in dw between pieces. */
#define MR 1
#define NV TILE_VECTORS
#include "kernels/tile_outer.h"
#define MR 2
#define NV TILE_VECTORS
#include "kernels/tile_outer.h"
#if !defined(VF_SCALAR) && !defined(VF_FMA)
#define MR 3
#define NV TILE_VECTORS
#include "kernels/tile_outer.h"
#define MR 4
#define NV TILE_VECTORS
#include "kernels/tile_outer.h"
#endif
#if defined(VF_AVX512)
#define MR 8
#define NV 1
#include "kernels/tile_outer.h"
#define MR 8
#define NV 2
#include "kernels/tile_outer.h"
#define MR 8
#define NV 3
#include "kernels/tile_outer.h"
#define MR 4
#define NV 4
#include "kernels/tile_outer.h"
#define MR 6
#define NV 4
#include "kernels/tile_outer.h"
#define MR 4
#define NV 5
#include "kernels/tile_outer.h"
#elif defined(VF_AVX2) /* eight columns alone: enough chains for the latency */
#define MR 8
#define NV 1
#include "kernels/tile_outer.h"
#define MR 6
#define NV 2
#include "kernels/tile_outer.h"
#endif

struct outer_tile {
    int vectors, rows;
    void (*run)(float *dw, ptrdiff_t dw_stride, const float *const *x, ptrdiff_t offset, const float *dy,
                ptrdiff_t dy_step, ptrdiff_t dy_block, int pixels, int accumulate);
};
#define OUTER_TILE(rows, vectors)                                                                            \
    {                                                                                                        \
        vectors, rows, TILE_NAME(outer_tile, rows, vectors)                                                  \
    }

/* By their width, then by their height. */
static const struct outer_tile outer_tiles[] = {
#if defined(VF_AVX2)
    OUTER_TILE(8, 1),
#endif
    OUTER_TILE(1, TILE_VECTORS),
    OUTER_TILE(2, TILE_VECTORS),
#if !defined(VF_SCALAR) && !defined(VF_FMA)
    OUTER_TILE(3, TILE_VECTORS),
    OUTER_TILE(4, TILE_VECTORS),
#endif
#if defined(VF_AVX512)
    OUTER_TILE(8, 1),
    OUTER_TILE(8, 2),
    OUTER_TILE(8, 3),
    OUTER_TILE(4, 4),
    OUTER_TILE(6, 4),
    OUTER_TILE(4, 5),
#elif defined(VF_AVX2)
    OUTER_TILE(6, 2),
#endif
};
enum { OUTER_TILES = sizeof outer_tiles / sizeof outer_tiles[0] };

enum {
    OUTER_PIECE = 64,
    OUTER_BLOCK_ROWS = 48,
    OUTER_COPY_COLUMNS = 32, /* with more columns than these a row is read often enough to be worth a copy */
    OUTER_COLUMNS = 128,     /* whose chains wait on the stack */
};

/* The width of tiles for the next of `left` columns. */
static int outer_vectors(int left)
{
    const int wanted = tile_width(left, outer_tiles[OUTER_TILES - 1].vectors);
    const struct outer_tile *tile = outer_tiles;
    while (tile->vectors < wanted) tile++;
    return tile->vectors;
}

/* The highest tile of that width for the next of `left` rows, but 4 + 3 and 4 + 4 rather than 6 and one or two. NULL:
 * all are higher. */
static const struct outer_tile *outer_tile_for(int vectors, int left)
{
    const struct outer_tile *best = NULL, *before = NULL;
    for (const struct outer_tile *tile = outer_tiles; tile < outer_tiles + OUTER_TILES; tile++)
        if (tile->vectors == vectors && tile->rows <= left) {
            before = best;
            best = tile;
        }
    const int over = best ? left - best->rows : 0;
    return best && best->rows == 6 && (over == 1 || over == 2) ? before : best;
}

/* Pixels whose rows from `first` on are read next. They lie far apart, where no hardware looks ahead, and often in few
 * sets of the nearest cache, so it is the next one that is asked. */
struct outer_ahead {
    const float *const *x;
    int pixels, first;
};

INLINE void outer_prefetch(const struct outer_ahead *ahead, int begin, int end, int rows)
{
    for (int i = begin; i < end; i++)
        for (int r = 0; r < rows; r += KERNEL_BLOCK) __builtin_prefetch(ahead->x[i] + ahead->first + r, 0, 2);
}

/* Rows [r0, r0 + rows) by some vectors of columns, while the rows ahead are on their way. */
static void outer_rows(float *dw, ptrdiff_t dw_stride, const float *const *x, int r0, int rows,
                       const float *dy, ptrdiff_t dy_step, ptrdiff_t dy_block, int vectors, int pixels,
                       int accumulate, const struct outer_ahead *ahead)
{
    for (int r = 0; r < rows;) {
        const struct outer_tile *tile = outer_tile_for(vectors, rows - r);
        if (!tile) tile = outer_tile_for(TILE_VECTORS, rows - r);
        for (int n = 0; n < vectors; n += tile->vectors)
            tile->run(dw + r * dw_stride + n * VW, dw_stride, x, r0 + r, dy + BLOCK_OFFSET(n, dy_block),
                      dy_step, dy_block, pixels, accumulate);
        outer_prefetch(ahead, ahead->pixels * r / rows, ahead->pixels * (r + tile->rows) / rows, rows);
        r += tile->rows;
    }
}

/* Rows that lie such a distance apart share few sets of the nearest cache, and are worth a copy. */
static int outer_copies(const struct outer_block *b)
{
    const int i = b->pixels / 2;
    return b->cols > OUTER_COPY_COLUMNS && b->pixels > 1 &&
           ((uintptr_t)b->x[i] - (uintptr_t)b->x[i - 1]) % 512 == 0;
}

/* Rows [r0, r0 + rows), at most OUTER_BLOCK_ROWS, by columns [c0, c0 + cols): the chain over all pixels. */
static void outer_chain(const struct outer_block *b, float *dw, ptrdiff_t dw_stride, int r0, int rows, int c0,
                        int cols)
{
    _Alignas(64) float copies[OUTER_PIECE][OUTER_BLOCK_ROWS];
    const float *copied[OUTER_PIECE];
    const int copy = outer_copies(b);
    for (int i = 0; copy && i < OUTER_PIECE; i++) copied[i] = copies[i];
    for (int p = 0; p < b->pixels; p += OUTER_PIECE) {
        const int pixels = b->pixels - p < OUTER_PIECE ? b->pixels - p : OUTER_PIECE;
        for (int i = 0; copy && i < pixels; i++)
            FOR_VECTORS(c, lanes, rows, {
                vf_store_lanes(copies[i] + c, vf_load_lanes(b->x[p + i] + r0 + c, lanes, 0.f), lanes);
            });
        const float *dy = b->dy + p * b->dy_step;
        const int left = b->pixels - p - pixels;
        struct outer_ahead ahead = {b->x + p + pixels, left < OUTER_PIECE ? left : OUTER_PIECE, r0};
        for (int n = 0, vectors; n < cols; n += vectors * VW, ahead.pixels = 0) {
            vectors = outer_vectors(cols - n);
            outer_rows(dw + n, dw_stride, copy ? copied : b->x + p, copy ? 0 : r0, rows,
                       dy + (c0 + n) / KERNEL_BLOCK * b->dy_block + (c0 + n) % KERNEL_BLOCK, b->dy_step,
                       b->dy_block, vectors, pixels, p > 0 || b->goes_on, &ahead);
        }
    }
}

static void outer(const struct outer_block *b)
{
    for (int r = 0; r < b->rows; r += OUTER_BLOCK_ROWS) {
        const int rows = b->rows - r < OUTER_BLOCK_ROWS ? b->rows - r : OUTER_BLOCK_ROWS;
        float *dw = b->dw + r * b->dw_stride;
        if (!b->add) {
            outer_chain(b, dw, b->dw_stride, r, rows, 0, b->cols);
            continue;
        }
        for (int c = 0; c < b->cols; c += OUTER_COLUMNS) {
            _Alignas(64) float part[OUTER_BLOCK_ROWS][OUTER_COLUMNS];
            const int cols = b->cols - c < OUTER_COLUMNS ? b->cols - c : OUTER_COLUMNS;
            outer_chain(b, part[0], OUTER_COLUMNS, r, rows, c, cols);
            for (int i = 0; i < rows; i++)
                for (int n = 0; n < cols; n += VW) {
                    float *to = dw + i * b->dw_stride + c + n;
                    vf_store(to, vf_add(vf_load(to), vf_load(part[i] + n)));
                }
        }
    }
}
