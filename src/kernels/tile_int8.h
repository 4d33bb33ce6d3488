/* Register tile of the integer product: a template. Include with NAME, MR and NV defined.
 *
 *   acc[m][n] = sum over k < 2 * pairs of in[m * stride + k] * w[k / 2][n][k % 2]
 *
 * MR rows x NV vectors of output channels; w walks [pairs][16][2], acc is [MR][16]. */
#define TILE_DECLARE_1(m, n) vp a##m##_##n = vp_zero();
#define TILE_DECLARE(m)                                                                                      \
    COLS(TILE_DECLARE_1, m)                                                                                  \
    const int16_t *p##m = in + m * stride;
#define TILE_WEIGHT(m, n) const vw w##n = vw_load(w + 2 * n * VW);
#define TILE_MADD_1(m, n) a##m##_##n = vp_madd(a##m##_##n, w##n, x);
#define TILE_MADD(m)                                                                                         \
    {                                                                                                        \
        const vw x = vw_pair(p##m + k);                                                                      \
        COLS(TILE_MADD_1, m)                                                                                 \
    }
#define TILE_STORE_1(m, n) vi_store(acc + m * KERNEL_BLOCK + n * VW, vp_sum(a##m##_##n));
#define TILE_STORE(m) COLS(TILE_STORE_1, m)

static void NAME(const int16_t *in, ptrdiff_t stride, int pairs, const int16_t *w, int32_t *acc)
{
    ROWS(TILE_DECLARE)
    for (ptrdiff_t k = 0; k < 2 * (ptrdiff_t)pairs; k += 2, w += 2 * KERNEL_BLOCK) {
        COLS(TILE_WEIGHT, 0)
        ROWS(TILE_MADD)
    }
    ROWS(TILE_STORE)
}
#undef TILE_DECLARE_1
#undef TILE_DECLARE
#undef TILE_WEIGHT
#undef TILE_MADD_1
#undef TILE_MADD
#undef TILE_STORE_1
#undef TILE_STORE
#undef NAME
#undef MR
#undef NV
