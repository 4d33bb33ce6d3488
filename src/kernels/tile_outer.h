/* Register tile of the outer-product kernel (weight gradients): a template. Include with MR and NV defined.
 *
 *   dw[m][n] = fma(x[p][m], dy[p][n], dw[m][n]) over p ascending, from 0 unless `accumulate`
 *
 * MR rows by NV * VW columns; x[p] + offset points at MR floats, dy at the columns of the first pixel: pixels lie
 * dy_step floats apart, blocks of 16 columns dy_block. */
#define TILE_DECLARE_1(m, n) vf a##m##_##n = accumulate ? vf_load(dw + m * dw_stride + n * VW) : vf_set1(0.f);
#define TILE_DECLARE(m) COLS(TILE_DECLARE_1, m)
#define TILE_LOAD(m, n) const vf d##n = vf_load(dy + p * dy_step + BLOCK_OFFSET(n, dy_block));
#define TILE_FMA_1(m, n) a##m##_##n = vf_fma(b, d##n, a##m##_##n);
#define TILE_FMA(m)                                                                                                \
    {                                                                                                              \
        const vf b = vf_bcast(row + m);                                                                            \
        COLS(TILE_FMA_1, m)                                                                                        \
    }
#define TILE_STORE_1(m, n) vf_store(dw + m * dw_stride + n * VW, a##m##_##n);
#define TILE_STORE(m) COLS(TILE_STORE_1, m)

static void TILE_NAME(outer_tile, MR, NV)(float *dw, ptrdiff_t dw_stride, const float *const *x, ptrdiff_t offset,
                                          const float *dy, ptrdiff_t dy_step, ptrdiff_t dy_block, int pixels,
                                          int accumulate)
{
    (void)dy_block; /* within one block */
    ROWS(TILE_DECLARE)
    for (int p = 0; p < pixels; p++) {
        const float *row = x[p] + offset;
        COLS(TILE_LOAD, 0)
        ROWS(TILE_FMA)
    }
    ROWS(TILE_STORE)
}
#include "kernels/tile_end.h"
