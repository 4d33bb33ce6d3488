/* Register tile of the matrix product on contiguous rows: a template. Include with MR and NV defined.
 *
 *   out[m][n] = 0;  for c:  out[m][n] = fma(in[m][c], w[c][n], out[m][n])
 *
 * MR rows, in_stride and out_stride apart, x NV vectors of columns; w walks [channels][16], blocks weight_stride floats
 * apart. Stored unflushed. */
#define TILE_DECLARE_1(m, n) vf a##m##_##n = vf_set1(0.f);
#define TILE_DECLARE(m) COLS(TILE_DECLARE_1, m)
#define TILE_WEIGHT(m, n) const vf w##n = vf_load(w + BLOCK_OFFSET(n, weight_stride));
#define TILE_FMA_1(m, n) a##m##_##n = vf_fma(x, w##n, a##m##_##n);
#define TILE_FMA(m)                                                                                                \
    {                                                                                                              \
        const vf x = vf_bcast(in + m * in_stride);                                                                 \
        COLS(TILE_FMA_1, m)                                                                                        \
    }
#define TILE_STORE_1(m, n) vf_store(out + m * out_stride + n * VW, a##m##_##n);
#define TILE_STORE(m) COLS(TILE_STORE_1, m)

static void TILE_NAME(product_tile, MR, NV)(const float *in, ptrdiff_t in_stride, int channels, const float *w,
                                            ptrdiff_t weight_stride, float *out, ptrdiff_t out_stride)
{
    (void)weight_stride; /* within one block */
    ROWS(TILE_DECLARE)
    for (int c = 0; c < channels; c++, in++, w += KERNEL_BLOCK) {
        COLS(TILE_WEIGHT, 0)
        ROWS(TILE_FMA)
    }
    ROWS(TILE_STORE)
}
#include "kernels/tile_end.h"
