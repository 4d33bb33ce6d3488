/* Register tile of the convolution kernel: a template. Include with MR and NV defined.
 *
 *   acc[m][n] = start;  for t, c:  acc[m][n] = fma(in[t][m][c], w[t][c][n], acc[m][n])
 *
 * MR pixels x NV vectors of output channels live in named registers. `in` holds MR consecutive pointers per tap,
 * taps in_stride pointers apart; w walks [taps][channels][16], blocks weight_stride floats apart. start: 0, bias unless
 * NULL, and rows->start[m] + offset. The chain goes to out[m] + offset, unflushed when `flush` is 0, and after each tap
 * but the last to rows->keep[m] + offset. rows and what is in it may be NULL. */
#define TILE_DECLARE_1(m, n)                                                                                       \
    vf a##m##_##n = bias ? vf_load(bias + n * VW) : vf_set1(0.f);
#define TILE_DECLARE(m) COLS(TILE_DECLARE_1, m)
#define TILE_START_1(m, n) a##m##_##n = vf_add(vf_load(rows->start[m] + offset + n * VW), a##m##_##n);
#define TILE_START(m) COLS(TILE_START_1, m)
#define TILE_POINTER(m) const float *p##m = in[m];
#define TILE_WEIGHT(m, n) const vf w##n = vf_load(w + BLOCK_OFFSET(n, weight_stride));
#if defined(VF_AVX512) && NV >= 4 /* so many columns of weights pass through the nearest cache at each row of tiles */
#define TILE_AHEAD(m, n) __builtin_prefetch(w + BLOCK_OFFSET(n, weight_stride) + TILE_STEPS_AHEAD * KERNEL_BLOCK);
#else
#define TILE_AHEAD(m, n)
#endif
#define TILE_FMA_1(m, n) a##m##_##n = vf_fma(x, w##n, a##m##_##n);
#define TILE_FMA(m)                                                                                                \
    {                                                                                                              \
        const vf x = vf_bcast(p##m + c);                                                                           \
        COLS(TILE_FMA_1, m)                                                                                        \
    }
#define TILE_STORE_1(m, n) vf_store(out[m] + offset + n * VW, a##m##_##n);
#define TILE_STORE(m) COLS(TILE_STORE_1, m)
#define TILE_KEEP_1(m, n) vf_store(keep[m] + offset + n * VW, a##m##_##n);
#define TILE_KEEP(m) COLS(TILE_KEEP_1, m)
#define TILE_FLUSH_1(m, n) a##m##_##n = vf_flush(a##m##_##n);
#define TILE_FLUSH(m) COLS(TILE_FLUSH_1, m)

static void TILE_NAME(conv_tile, MR, NV)(const float *const *in, int in_stride, int taps, int channels, const float *w,
                                         ptrdiff_t weight_stride, const float *bias, const struct conv_rows *rows,
                                         float *const *out, ptrdiff_t offset, int flush)
{
    (void)weight_stride; /* within one block */
    ROWS(TILE_DECLARE)
    if (rows && rows->start) {
        ROWS(TILE_START)
    }
    for (int t = 0; t < taps; t++, in += in_stride) {
        ROWS(TILE_POINTER)
        for (ptrdiff_t c = 0; c < channels; c++, w += KERNEL_BLOCK) {
            COLS(TILE_WEIGHT, 0)
            COLS(TILE_AHEAD, 0)
            ROWS(TILE_FMA)
        }
        if (rows && rows->keep && t + 1 < taps) {
            float *const *keep = rows->keep + (ptrdiff_t)t * in_stride;
            ROWS(TILE_KEEP)
        }
    }
    if (flush) {
        ROWS(TILE_FLUSH)
    }
    ROWS(TILE_STORE)
}
#include "kernels/tile_end.h"
