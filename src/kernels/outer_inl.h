/* The transposed product, for weight gradients. Pixels come in pieces short enough that the rows and columns
 * of a block stay in the nearest cache; the chains wait in dw between pieces. */
#define NAME outer_tile
#define MR OUTER_ROWS
#define NV TILE_VECTORS
#include "kernels/tile_outer.h"
#define NAME outer_tile_4
#define MR 4
#define NV TILE_VECTORS
#include "kernels/tile_outer.h"
#define NAME outer_tile_3
#define MR 3
#define NV TILE_VECTORS
#include "kernels/tile_outer.h"
#define NAME outer_tile_2
#define MR 2
#define NV TILE_VECTORS
#include "kernels/tile_outer.h"
#define NAME outer_tile_1
#define MR 1
#define NV TILE_VECTORS
#include "kernels/tile_outer.h"
#if defined(VF_AVX2) /* eight columns alone: enough chains for the latency */
#define OUTER_NARROW_ROWS 8
#define NAME outer_tile_narrow
#define MR OUTER_NARROW_ROWS
#define NV 1
#include "kernels/tile_outer.h"
#endif

enum {
    OUTER_PIECE = 64,
    OUTER_BLOCK_ROWS = 48,
    OUTER_COPY_COLUMNS = 32, /* with more columns than these a row is read often enough to be worth a copy */
    OUTER_COLUMNS = 128,     /* whose chains wait on the stack */
};

typedef void outer_tile_function(float *dw, ptrdiff_t dw_stride, const float *const *x, ptrdiff_t offset,
                                 const float *dy, int pixels, int accumulate);

/* Rows [r0, r0 + rows) by the columns of one block. */
static void outer_rows(float *dw, ptrdiff_t dw_stride, const float *const *x, int r0, int rows,
                       const float *dy, int columns, int pixels, int accumulate)
{
    static outer_tile_function *const rest[] = {NULL, outer_tile_1, outer_tile_2, outer_tile_3, outer_tile_4};
    for (int c = 0; c < columns; c += TILE_COLUMNS) {
        int r = 0;
#if defined(VF_AVX2)
        for (; columns <= VW && r + OUTER_NARROW_ROWS <= rows; r += OUTER_NARROW_ROWS)
            outer_tile_narrow(dw + r * dw_stride, dw_stride, x, r0 + r, dy, pixels, accumulate);
#endif
        while (r < rows) { /* 4 + 3 and 4 + 4 rather than a whole tile and one or two */
            const int left = rows - r, over = left - OUTER_ROWS;
            const int whole = over >= 0 && (OUTER_ROWS <= 4 || (over != 1 && over != 2));
            const int n = whole ? OUTER_ROWS : left < 4 ? left : 4;
            (whole ? outer_tile : rest[n])(dw + r * dw_stride + c, dw_stride, x, r0 + r, dy + c, pixels,
                                           accumulate);
            r += n;
        }
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
                        int cols, int accumulate)
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
        for (int n = 0; n < cols; n += KERNEL_BLOCK) {
            outer_rows(dw + n, dw_stride, copy ? copied : b->x + p, copy ? 0 : r0, rows,
                       b->dy + (c0 + n) * (ptrdiff_t)b->pixels + (ptrdiff_t)p * KERNEL_BLOCK,
                       cols - n < KERNEL_BLOCK ? cols - n : KERNEL_BLOCK, pixels, p || accumulate);
        }
    }
}

static void outer(const struct outer_block *b)
{
    for (int r = 0; r < b->rows; r += OUTER_BLOCK_ROWS) {
        const int rows = b->rows - r < OUTER_BLOCK_ROWS ? b->rows - r : OUTER_BLOCK_ROWS;
        float *dw = b->dw + r * b->dw_stride;
        if (!b->add) {
            outer_chain(b, dw, b->dw_stride, r, rows, 0, b->cols, b->accumulate);
            continue;
        }
        for (int c = 0; c < b->cols; c += OUTER_COLUMNS) {
            _Alignas(64) float part[OUTER_BLOCK_ROWS][OUTER_COLUMNS];
            const int cols = b->cols - c < OUTER_COLUMNS ? b->cols - c : OUTER_COLUMNS;
            outer_chain(b, part[0], OUTER_COLUMNS, r, rows, c, cols, 0);
            for (int i = 0; i < rows; i++)
                for (int n = 0; n < cols; n += VW) {
                    float *to = dw + i * b->dw_stride + c + n;
                    vf_store(to, vf_add(vf_load(to), vf_load(part[i] + n)));
                }
        }
    }
}
