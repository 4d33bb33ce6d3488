/* Register tile of the depthwise convolution: a template. Include with MR and NV defined.
 *
 *   out[m][n] = fma(in[t][m][n], w[t][n], out[m][n]) over t ascending, from bias[n], from out, or from 0
 *
 * MR pixels by NV * VW channels from `c` on. in[t * in_stride + m] and out[m] point at pixels. */
#define TILE_DECLARE_1(m, n)                                                                                         \
    vf a##m##_##n = bias ? vf_load(bias + c + n * VW) : accumulate ? vf_load(out[m] + c + n * VW) : vf_set1(0.f);
#define TILE_DECLARE(m) COLS(TILE_DECLARE_1, m)
#define TILE_LOAD(m, n) const vf w##n = vf_load(weights + n * VW);
#define TILE_FMA_1(m, n) a##m##_##n = vf_fma(vf_load(x##m + n * VW), w##n, a##m##_##n);
#define TILE_FMA(m)                                                                                                  \
    {                                                                                                                \
        const float *x##m = in[m] + c;                                                                               \
        COLS(TILE_FMA_1, m)                                                                                          \
    }
#define TILE_STORE_1(m, n) vf_store(out[m] + c + n * VW, flush ? vf_flush(a##m##_##n) : a##m##_##n);
#define TILE_STORE(m) COLS(TILE_STORE_1, m)

static void TILE_NAME(depthwise_tile, MR, NV)(const float *const *in, int in_stride, int taps, const float *weights,
                                              ptrdiff_t weight_stride, const float *bias, int accumulate,
                                              float *const *out, ptrdiff_t c, int flush)
{
    ROWS(TILE_DECLARE)
    weights += c;
    for (int t = 0; t < taps; t++, in += in_stride, weights += weight_stride) {
        COLS(TILE_LOAD, 0)
        ROWS(TILE_FMA)
    }
    ROWS(TILE_STORE)
}
#include "kernels/tile_end.h"
