/* Register tile of the integer product: a template. Include with MR and NV defined.
 *
 *   acc[m][n] = sum over the steps i and k < 4 of in[m * step + offset[i] + k] * w[i][n][k]
 *
 * MR pixels x NV vectors of output channels, the first of which w points to; acc is [MR][16]. */
#define TILE_DECLARE_1(m, n) vp a##m##_##n = vp_zero();
#define TILE_DECLARE(m) COLS(TILE_DECLARE_1, m)
#define TILE_TWO_1(m, n)                                                                                     \
    a##m##_##n = vp_dot_two(a##m##_##n, x, w + 4 * n * VW, y, w + 4 * (KERNEL_BLOCK + n * VW));
#define TILE_TWO(m)                                                                                          \
    {                                                                                                        \
        const vx x = vx_load(p + m * step), y = vx_load(q + m * step);                                       \
        COLS(TILE_TWO_1, m)                                                                                  \
    }
#define TILE_ONE_1(m, n) a##m##_##n = vp_dot(a##m##_##n, x, w + 4 * n * VW);
#define TILE_ONE(m)                                                                                          \
    {                                                                                                        \
        const vx x = vx_load(p + m * step);                                                                  \
        COLS(TILE_ONE_1, m)                                                                                  \
    }
#define TILE_WIDE_1(m, n) a##m##_##n = vp_dot_wide(a##m##_##n, x, words + 2 * n * VW);
#define TILE_WIDE(m)                                                                                         \
    {                                                                                                        \
        const vx x = vx_load(p + m * step);                                                                  \
        COLS(TILE_WIDE_1, m)                                                                                 \
    }
#define TILE_STORE_1(m, n) vi_store(acc + m * KERNEL_BLOCK + n * VW, vp_sum(a##m##_##n));
#define TILE_STORE(m) COLS(TILE_STORE_1, m)

static void TILE_NAME(int8_tile, MR, NV)(const uint8_t *in, ptrdiff_t step, const struct int8_column *column,
                                         const int32_t *offset, const int8_t *w, int32_t *acc)
{
    ROWS(TILE_DECLARE)
    for (const int32_t *end = offset + column->twos; offset < end; offset += 2, w += 8 * KERNEL_BLOCK) {
        const uint8_t *p = in + offset[0], *q = in + offset[1];
        ROWS(TILE_TWO)
    }
    for (const int32_t *end = offset + column->ones; offset < end; offset++, w += 4 * KERNEL_BLOCK) {
        const uint8_t *p = in + offset[0];
        ROWS(TILE_ONE)
    }
    for (const int32_t *end = offset + column->wides; offset < end; offset++, w += 8 * KERNEL_BLOCK) {
        const uint8_t *p = in + offset[0];
        const int16_t *words = (const int16_t *)w;
        ROWS(TILE_WIDE)
    }
    ROWS(TILE_STORE)
}
#include "kernels/tile_end.h"
