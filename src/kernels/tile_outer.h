/* Register tile of the outer-product kernel (weight gradients): a template. Include with MR and NV defined.
 *
 *   dw[m][n] = fma(x[p][m], dy[p][n], dw[m][n]) over p ascending, from 0 unless `accumulate`
 *
 * MR rows by NV * VW columns; x[p] + offset points at MR floats, dy is [pixels][16], blocks dy_stride floats apart. */
#define TILE_DECLARE_1(m, n) vf a##m##_##n = accumulate ? vf_load(dw + m * dw_stride + n * VW) : vf_set1(0.f);
#define TILE_DECLARE(m) COLS(TILE_DECLARE_1, m)
#define TILE_LOAD(m, n) const vf d##n = vf_load(dy + BLOCK_OFFSET(n, dy_stride));
#define TILE_FMA_1(m, n) a##m##_##n = vf_fma(b, d##n, a##m##_##n);
#define TILE_FMA(m)                                                                                                \
    {                                                                                                              \
        const vf b = vf_bcast(row + m);                                                                            \
        COLS(TILE_FMA_1, m)                                                                                        \
    }
#define TILE_STORE_1(m, n) vf_store(dw + m * dw_stride + n * VW, a##m##_##n);
#define TILE_STORE(m) COLS(TILE_STORE_1, m)

static void TILE_NAME(outer_tile, MR, NV)(float *dw, ptrdiff_t dw_stride, const float *const *x, ptrdiff_t offset,
                                          const float *dy, ptrdiff_t dy_stride, int pixels, int accumulate)
{
    (void)dy_stride; /* within one block */
    ROWS(TILE_DECLARE)
    for (int p = 0; p < pixels; p++, dy += KERNEL_BLOCK) {
        const float *row = x[p] + offset;
        COLS(TILE_LOAD, 0)
        ROWS(TILE_FMA)
    }
    ROWS(TILE_STORE)
}
#include "kernels/tile_end.h"
