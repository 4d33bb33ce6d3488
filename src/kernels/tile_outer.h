/* Register tile of the outer-product kernel (weight gradients): a template. Include with NAME, MR and NV defined.
 *
 *   acc[m][n] = fma(x[p][m], dy[p][n], acc[m][n]) over p ascending
 *
 * acc holds MR rows of 16 floats, of which NV * VW are used; x[p] + offset points at MR floats. */
#define TILE_DECLARE_1(m, n) vf a##m##_##n = vf_load(acc + m * KERNEL_BLOCK + n * VW);
#define TILE_DECLARE(m) COLS(TILE_DECLARE_1, m)
#define TILE_LOAD(m, n) const vf d##n = vf_load(dy + n * VW);
#define TILE_FMA_1(m, n) a##m##_##n = vf_fma(b, d##n, a##m##_##n);
#define TILE_FMA(m)                                                                                                \
    {                                                                                                              \
        const vf b = vf_bcast(row + m);                                                                            \
        COLS(TILE_FMA_1, m)                                                                                        \
    }
#define TILE_STORE_1(m, n) vf_store(acc + m * KERNEL_BLOCK + n * VW, a##m##_##n);
#define TILE_STORE(m) COLS(TILE_STORE_1, m)

static void NAME(float *acc, const float *const *x, ptrdiff_t offset, const float *dy, ptrdiff_t dy_stride, int pixels)
{
    ROWS(TILE_DECLARE)
    for (int p = 0; p < pixels; p++, dy += dy_stride) {
        const float *row = x[p] + offset;
        COLS(TILE_LOAD, 0)
        ROWS(TILE_FMA)
    }
    ROWS(TILE_STORE)
}
#undef TILE_DECLARE_1
#undef TILE_DECLARE
#undef TILE_LOAD
#undef TILE_FMA_1
#undef TILE_FMA
#undef TILE_STORE_1
#undef TILE_STORE
#undef NAME
#undef MR
#undef NV
