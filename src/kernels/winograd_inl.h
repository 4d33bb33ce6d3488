/* Winograd F(4x4, 3x3): a tile of 4 x 4 outputs of a 3x3 convolution from 6 x 6 inputs, with 36 products
 * where the direct form takes 144. docs/NUMERICS.md gives the order of every operation; vectors run over
 * channels, so it does not depend on their width. */

enum { WINOGRAD_IN = 6, WINOGRAD_OUT = 4 };

/* One row or column through B'. Its factors are integers: a multiple of 2^-63 stays one. */
INLINE void winograd_b(const vf *d, vf *t)
{
    const vf k2 = vf_set1(2.f), k4 = vf_set1(4.f), k5 = vf_set1(5.f);
    const vf a = vf_fnma(k4, d[2], d[4]), b = vf_fnma(k4, d[1], d[3]);
    const vf c = vf_sub(d[4], d[2]), e = vf_sub(d[3], d[1]);
    t[0] = vf_fnma(k5, d[2], vf_fma(k4, d[0], d[4]));
    t[1] = vf_add(a, b);
    t[2] = vf_sub(a, b);
    t[3] = vf_fma(k2, e, c);
    t[4] = vf_fnma(k2, e, c);
    t[5] = vf_fnma(k5, d[3], vf_fma(k4, d[1], d[5]));
}

/* One column or row through A'. */
INLINE void winograd_a(const vf *m, vf *y)
{
    const vf k2 = vf_set1(2.f), k4 = vf_set1(4.f), k8 = vf_set1(8.f);
    const vf s = vf_add(m[1], m[2]), d = vf_sub(m[1], m[2]), p = vf_add(m[3], m[4]), q = vf_sub(m[3], m[4]);
    y[0] = vf_add(vf_add(m[0], s), p);
    y[1] = vf_fma(k2, q, d);
    y[2] = vf_fma(k4, p, s);
    y[3] = vf_add(vf_fma(k8, q, d), m[5]);
}

static void winograd_input(float *v, ptrdiff_t v_stride, const float *const *in, int channels)
{
    for (int c = 0; c < channels; c += VW) {
        vf rows[WINOGRAD_IN * WINOGRAD_IN];
        for (int i = 0; i < WINOGRAD_IN; i++) {
            vf d[WINOGRAD_IN];
            for (int j = 0; j < WINOGRAD_IN; j++) d[j] = vf_load(in[i * WINOGRAD_IN + j] + c);
            winograd_b(d, rows + i * WINOGRAD_IN);
        }
        for (int j = 0; j < WINOGRAD_IN; j++) {
            vf d[WINOGRAD_IN], t[WINOGRAD_IN];
            for (int i = 0; i < WINOGRAD_IN; i++) d[i] = rows[i * WINOGRAD_IN + j];
            winograd_b(d, t);
            for (int i = 0; i < WINOGRAD_IN; i++) vf_store(v + (i * WINOGRAD_IN + j) * v_stride + c, t[i]);
        }
    }
}

/* One row of a tile: bias, then what out holds already, then the activation. */
INLINE void winograd_row(float *const *out, int c, const vf *m, const float *bias, int accumulate,
                         enum activation activation)
{
    vf y[WINOGRAD_OUT];
    winograd_a(m, y);
    for (int j = 0; j < WINOGRAD_OUT; j++) {
        if (!out[j]) continue;
        if (bias) y[j] = vf_add(y[j], vf_load(bias + c));
        if (accumulate) y[j] = vf_add(y[j], vf_load(out[j] + c));
        vf_store(out[j] + c, activation == ACT_SILU ? vf_silu(y[j]) : vf_activate(y[j], activation));
    }
}

static void winograd_output(float *const *out, const float *m, ptrdiff_t m_stride, int channels,
                            const float *bias, int accumulate, enum activation activation)
{
    for (int c = 0; c < channels; c += VW) {
        vf columns[WINOGRAD_OUT][WINOGRAD_IN];
        for (int j = 0; j < WINOGRAD_IN; j++) {
            vf d[WINOGRAD_IN], t[WINOGRAD_OUT];
            for (int i = 0; i < WINOGRAD_IN; i++) d[i] = vf_load(m + (i * WINOGRAD_IN + j) * m_stride + c);
            winograd_a(d, t);
            for (int i = 0; i < WINOGRAD_OUT; i++) columns[i][j] = t[i];
        }
        for (int i = 0; i < WINOGRAD_OUT; i++)
            winograd_row(out + i * WINOGRAD_OUT, c, columns[i], bias, accumulate, activation);
    }
}

/* In double, each coefficient's terms in ascending (p, q). Those with a factor of zero change no sum, and with
 * them all loops have fixed bounds: lanes go side by side and their sums stay in registers. */
static void winograd_weights(float *u, ptrdiff_t u_stride, const float *w)
{
    static const double g[WINOGRAD_IN][3] = {{1. / 4, 0, 0},
                                             {-1. / 6, -1. / 6, -1. / 6},
                                             {-1. / 6, 1. / 6, -1. / 6},
                                             {1. / 24, 1. / 12, 1. / 6},
                                             {1. / 24, -1. / 12, 1. / 6},
                                             {0, 0, 1}};
    double wide[9][KERNEL_BLOCK];
    for (int t = 0; t < 9; t++)
        for (int n = 0; n < KERNEL_BLOCK; n++) wide[t][n] = (double)w[t * KERNEL_BLOCK + n];
    for (int i = 0; i < WINOGRAD_IN; i++)
        for (int j = 0; j < WINOGRAD_IN; j++) {
            double factor[9];
            for (int t = 0; t < 9; t++) factor[t] = g[i][t / 3] * g[j][t % 3];
            float *to = u + (i * WINOGRAD_IN + j) * u_stride;
            for (int n = 0; n < KERNEL_BLOCK; n++) {
                double sum = 0;
                for (int t = 0; t < 9; t++) sum += factor[t] * wide[t][n];
                to[n] = flush1((float)sum);
            }
        }
}

/* ---- The gradient of the weights ---- */

/* One row or column through A, the transpose of A'. */
INLINE void winograd_a_transposed(const vf *y, vf *m)
{
    const vf k2 = vf_set1(2.f), k4 = vf_set1(4.f);
    const vf s = vf_add(y[0], y[2]), d = vf_add(y[1], y[3]);
    const vf e = vf_fma(k4, y[2], y[0]), o = vf_fma(k4, y[3], y[1]);
    m[0] = y[0];
    m[1] = vf_add(s, d);
    m[2] = vf_sub(s, d);
    m[3] = vf_fma(k2, o, e);
    m[4] = vf_fnma(k2, o, e);
    m[5] = y[3];
}

/* One column or row through G', times 24, 12 and 6, so that all factors are integers. */
INLINE void winograd_g_transposed(const vf *u, vf *w)
{
    const vf k2 = vf_set1(2.f), k4 = vf_set1(4.f), k6 = vf_set1(6.f);
    const vf s = vf_add(u[1], u[2]), d = vf_sub(u[2], u[1]), p = vf_add(u[3], u[4]), q = vf_sub(u[3], u[4]);
    w[0] = vf_fma(k6, u[0], vf_fnma(k4, s, p));
    w[1] = vf_fma(k2, d, q);
    w[2] = vf_fma(k6, u[5], vf_sub(p, s));
}

static void winograd_output_backward(float *m, ptrdiff_t m_stride, const float *const *dy, int channels)
{
    for (int c = 0; c < channels; c += VW) {
        vf rows[WINOGRAD_OUT][WINOGRAD_IN];
        for (int i = 0; i < WINOGRAD_OUT; i++) {
            vf d[WINOGRAD_OUT];
            for (int j = 0; j < WINOGRAD_OUT; j++) d[j] = vf_load(dy[i * WINOGRAD_OUT + j] + c);
            winograd_a_transposed(d, rows[i]);
        }
        for (int j = 0; j < WINOGRAD_IN; j++) {
            vf d[WINOGRAD_OUT], t[WINOGRAD_IN];
            for (int i = 0; i < WINOGRAD_OUT; i++) d[i] = rows[i][j];
            winograd_a_transposed(d, t);
            for (int i = 0; i < WINOGRAD_IN; i++) vf_store(m + (i * WINOGRAD_IN + j) * m_stride + c, t[i]);
        }
    }
}

static void winograd_weights_backward(float *w, ptrdiff_t w_stride, const float *u, ptrdiff_t u_stride,
                                      int channels)
{
    static const float undo[3] = {24.f, 12.f, 6.f};
    for (int c = 0; c < channels; c += VW) {
        vf columns[3][WINOGRAD_IN];
        for (int j = 0; j < WINOGRAD_IN; j++) {
            vf d[WINOGRAD_IN], t[3];
            for (int i = 0; i < WINOGRAD_IN; i++) d[i] = vf_load(u + (i * WINOGRAD_IN + j) * u_stride + c);
            winograd_g_transposed(d, t);
            for (int i = 0; i < 3; i++) columns[i][j] = t[i];
        }
        for (int i = 0; i < 3; i++) {
            vf t[3];
            winograd_g_transposed(columns[i], t);
            for (int j = 0; j < 3; j++)
                vf_store(w + (i * 3 + j) * w_stride + c,
                         vf_flush(vf_mul(t[j], vf_set1(1.f / (undo[i] * undo[j])))));
        }
    }
}

/* ---- The products: tiles as high as the register file allows, and lower ones so that no row is left over ---- */

#define MR 1
#define NV TILE_VECTORS
#include "kernels/tile_product.h"
#if defined(VF_AVX512)
#define MR 5
#define NV 1
#include "kernels/tile_product.h"
#define MR 10
#define NV 1
#include "kernels/tile_product.h"
#define MR 7
#define NV 2
#include "kernels/tile_product.h"
#define MR 10
#define NV 2
#include "kernels/tile_product.h"
#define MR 12
#define NV 2
#include "kernels/tile_product.h"
#define MR 5
#define NV 3
#include "kernels/tile_product.h"
#define MR 8
#define NV 3
#include "kernels/tile_product.h"
#define MR 5
#define NV 4
#include "kernels/tile_product.h"
#define MR 6
#define NV 4
#include "kernels/tile_product.h"
#define MR 5
#define NV 5
#include "kernels/tile_product.h"
#elif defined(VF_AVX2) || (defined(VF_NEON) && defined(__aarch64__))
#define MR 4
#define NV TILE_VECTORS
#include "kernels/tile_product.h"
#define MR 5
#define NV TILE_VECTORS
#include "kernels/tile_product.h"
#define MR 6
#define NV TILE_VECTORS
#include "kernels/tile_product.h"
#else
#define MR TILE_ROWS
#define NV TILE_VECTORS
#include "kernels/tile_product.h"
#endif

struct product_tile {
    int vectors, rows;
    void (*run)(const float *in, ptrdiff_t in_stride, int channels, const float *w, ptrdiff_t weight_stride,
                float *out, ptrdiff_t out_stride);
};
#define PRODUCT_TILE(rows, vectors)                                                                          \
    {                                                                                                        \
        vectors, rows, TILE_NAME(product_tile, rows, vectors)                                                \
    }

/* By their width, then by their height. */
static const struct product_tile product_tiles[] = {
    PRODUCT_TILE(1, TILE_VECTORS),
#if defined(VF_AVX512)
    PRODUCT_TILE(5, 1),
    PRODUCT_TILE(10, 1),
    PRODUCT_TILE(7, 2),
    PRODUCT_TILE(10, 2),
    PRODUCT_TILE(12, 2),
    PRODUCT_TILE(5, 3),
    PRODUCT_TILE(8, 3),
    PRODUCT_TILE(5, 4),
    PRODUCT_TILE(6, 4),
    PRODUCT_TILE(5, 5),
#elif defined(VF_AVX2) || (defined(VF_NEON) && defined(__aarch64__))
    PRODUCT_TILE(4, TILE_VECTORS),
    PRODUCT_TILE(5, TILE_VECTORS),
    PRODUCT_TILE(6, TILE_VECTORS),
#else
    PRODUCT_TILE(TILE_ROWS, TILE_VECTORS),
#endif
};
enum { PRODUCT_TILES = sizeof product_tiles / sizeof product_tiles[0] };

/* Tiles of one width, the lowest and the highest. */
struct product_range {
    const struct product_tile *first, *last;
};

/* For the next of `left` columns; of one vector where there are fewer rows than wide tiles have. */
static struct product_range product_range_for(int left, int rows)
{
    const struct product_tile *const end = product_tiles + PRODUCT_TILES - 1;
    const int wanted = tile_width(left, end->vectors);
    struct product_range of = {product_tiles, product_tiles};
    while (of.first->vectors < wanted) of.first++;
    if (of.first->rows > rows) of.first = product_tiles;
    for (of.last = of.first; of.last < end && of.last[1].vectors == of.first->vectors;) of.last++;
    return of;
}

/* The lowest tile of at least `wanted` rows, or the highest of at most `rows`. */
static const struct product_tile *product_tile_for(struct product_range of, int wanted, int rows)
{
    const struct product_tile *tile = of.first;
    while (tile < of.last && tile->rows < wanted) tile++;
    while (tile->rows > rows) tile--;
    return tile;
}

/* Rows are shared out evenly; a tile that would stick out moves back over finished rows: the same bits
 * again. */
static void product(float *out, ptrdiff_t out_stride, const float *in, ptrdiff_t in_stride,
                    const float *weights, ptrdiff_t weight_stride, int rows, int channels, int cols)
{
    for (int n = 0; n < cols;) {
        const struct product_range of = product_range_for(cols - n, rows);
        const float *w = weights + n / KERNEL_BLOCK * weight_stride + n % KERNEL_BLOCK;
        for (int r = 0, left = (rows + of.last->rows - 1) / of.last->rows; r < rows; left -= left != 1) {
            const struct product_tile *tile = product_tile_for(of, (rows - r + left - 1) / left, rows);
            const int start = r + tile->rows <= rows ? r : rows - tile->rows;
            tile->run(in + start * in_stride, in_stride, channels, w, weight_stride,
                      out + start * out_stride + n, out_stride);
            r = start + tile->rows;
        }
        n += of.first->vectors * VW;
    }
}
