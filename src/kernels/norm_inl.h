/* Batch norm, layer norm and softmax, forward and backward. Means, normalised values and products that are
 * summed are flushed first, so that no chain meets a subnormal. */
#ifndef RETORT_KERNELS_NORM_INL_H
#define RETORT_KERNELS_NORM_INL_H

#include "kernels/elementwise_inl.h"
#include "kernels/reduce_inl.h"

/* Parameters of one column vector. */
struct column_norm {
    vf mean, inv, gamma, beta;
};

INLINE struct column_norm column_norm_load(struct norm_params norm, ptrdiff_t c, int lanes)
{
    return (struct column_norm){
        vf_load_lanes(norm.mean + c, lanes, 0.f),
        vf_load_lanes(norm.inv + c, lanes, 0.f),
        vf_load_lanes(norm.gamma + c, lanes, 0.f),
        vf_load_lanes(norm.beta + c, lanes, 0.f),
    };
}

INLINE vf normalise(vf x, vf mean, vf inv) { return vf_flush(vf_mul(vf_sub(x, mean), inv)); }

/* SiLU and its slope are a long chain of dependent operations: taken in two halves, the first for a tile of
 * some rows and vectors and then the second, more of them are under way at a time. Tiles are low and wide,
 * because memory is read fastest row by row. */
enum { NORM_ROWS = 4, NORM_VECTORS = 4, NORM_COLUMNS = NORM_VECTORS * VW };

INLINE int norm_least(int a, int b) { return a < b ? a : b; }

INLINE void batch_norm_tile(float *y, ptrdiff_t y_stride, const float *x, ptrdiff_t x_stride,
                            struct norm_params norm, int rows, int c0, int cols, enum activation activation)
{
    vf u[NORM_ROWS][NORM_VECTORS], divisor[NORM_ROWS][NORM_VECTORS];
    for (int r = 0; r < rows; r++)
        FOR_VECTORS(c, lanes, cols, {
            const struct column_norm k = column_norm_load(norm, c0 + c, lanes);
            const vf xhat = normalise(vf_load_lanes(x + r * x_stride + c0 + c, lanes, 0.f), k.mean, k.inv);
            const vf v = vf_fma(xhat, k.gamma, k.beta);
            u[r][c / VW] = v;
            if (activation == ACT_SILU) divisor[r][c / VW] = vf_one_plus_exp_minus(v);
        });
    for (int r = 0; r < rows; r++)
        FOR_VECTORS(c, lanes, cols, {
            const vf v = u[r][c / VW];
            vf_store_lanes(y + r * y_stride + c0 + c,
                           activation == ACT_SILU ? vf_silu_of(v, divisor[r][c / VW])
                                                  : vf_activate(v, activation),
                           lanes);
        });
}

INLINE void batch_norm_rows(float *y, ptrdiff_t y_stride, const float *x, ptrdiff_t x_stride,
                            struct norm_params norm, int rows, int cols, enum activation activation)
{
    for (int r = 0; r < rows; r += NORM_ROWS, y += NORM_ROWS * y_stride, x += NORM_ROWS * x_stride)
        for (int c = 0; c < cols; c += NORM_COLUMNS)
            batch_norm_tile(y, y_stride, x, x_stride, norm, norm_least(rows - r, NORM_ROWS), c,
                            norm_least(cols - c, NORM_COLUMNS), activation);
}

static void batch_norm(float *y, ptrdiff_t y_stride, const float *x, ptrdiff_t x_stride,
                       struct norm_params norm, int rows, int cols, enum activation activation)
{
    WITH_ACTIVATION(activation, batch_norm_rows, y, y_stride, x, x_stride, norm, rows, cols);
}

INLINE void batch_norm_sums_tile(float *du, ptrdiff_t du_stride, const float *dy, ptrdiff_t dy_stride,
                                 const float *x, ptrdiff_t x_stride, struct norm_params norm, float *dgamma,
                                 float *dbeta, int rows, int c0, int cols, enum activation activation)
{
    vf xhats[NORM_ROWS][NORM_VECTORS], divisor[NORM_ROWS][NORM_VECTORS];
    for (int r = 0; r < rows; r++)
        FOR_VECTORS(c, lanes, cols, {
            const struct column_norm k = column_norm_load(norm, c0 + c, lanes);
            const vf xhat = normalise(vf_load_lanes(x + r * x_stride + c0 + c, lanes, 0.f), k.mean, k.inv);
            xhats[r][c / VW] = xhat;
            if (activation == ACT_SILU)
                divisor[r][c / VW] = vf_one_plus_exp_minus(vf_fma(xhat, k.gamma, k.beta));
        });
    FOR_VECTORS(c, lanes, cols, {
        const vf gamma = vf_load_lanes(norm.gamma + c0 + c, lanes, 0.f),
                 beta = vf_load_lanes(norm.beta + c0 + c, lanes, 0.f);
        vf dg = vf_load_lanes(dgamma + c0 + c, lanes, 0.f), db = vf_load_lanes(dbeta + c0 + c, lanes, 0.f);
        for (int r = 0; r < rows; r++) {
            const vf xhat = xhats[r][c / VW], u = vf_fma(xhat, gamma, beta);
            const vf slope = activation == ACT_SILU ? vf_silu_slope_of(u, divisor[r][c / VW])
                                                    : vf_activate_slope(u, activation);
            const vf d = vf_flush(vf_mul(vf_load_lanes(dy + r * dy_stride + c0 + c, lanes, 0.f), slope));
            dg = vf_fma(d, xhat, dg);
            db = vf_add(db, d);
            vf_store_lanes(du + r * du_stride + c0 + c, d, lanes);
        }
        vf_store_lanes(dgamma + c0 + c, dg, lanes);
        vf_store_lanes(dbeta + c0 + c, db, lanes);
    });
}

INLINE void batch_norm_sums_rows(float *du, ptrdiff_t du_stride, const float *dy, ptrdiff_t dy_stride,
                                 const float *x, ptrdiff_t x_stride, struct norm_params norm, float *dgamma,
                                 float *dbeta, int rows, int cols, enum activation activation)
{
    for (int r = 0; r < rows; r += NORM_ROWS) {
        for (int c = 0; c < cols; c += NORM_COLUMNS)
            batch_norm_sums_tile(du, du_stride, dy, dy_stride, x, x_stride, norm, dgamma, dbeta,
                                 norm_least(rows - r, NORM_ROWS), c, norm_least(cols - c, NORM_COLUMNS),
                                 activation);
        du += NORM_ROWS * du_stride;
        dy += NORM_ROWS * dy_stride;
        x += NORM_ROWS * x_stride;
    }
}

static void batch_norm_backward_sums(float *du, ptrdiff_t du_stride, const float *dy, ptrdiff_t dy_stride,
                                     const float *x, ptrdiff_t x_stride, struct norm_params norm,
                                     float *dgamma, float *dbeta, int rows, int cols,
                                     enum activation activation)
{
    WITH_ACTIVATION(activation, batch_norm_sums_rows, du, du_stride, dy, dy_stride, x, x_stride, norm, dgamma,
                    dbeta, rows, cols);
}

static void batch_norm_backward(float *dx, ptrdiff_t dx_stride, const float *du, ptrdiff_t du_stride,
                                const float *x, ptrdiff_t x_stride, struct norm_params norm,
                                const float *factor, const float *a, const float *b, int rows, int cols)
{
    for (int r = 0; r < rows; r++, dx += dx_stride, du += du_stride, x += x_stride)
        FOR_VECTORS(c, lanes, cols, {
            const vf mean = vf_load_lanes(norm.mean + c, lanes, 0.f),
                     inv = vf_load_lanes(norm.inv + c, lanes, 0.f);
            const vf xhat = normalise(vf_load_lanes(x + c, lanes, 0.f), mean, inv);
            const vf va = vf_load_lanes(a + c, lanes, 0.f), vb = vf_load_lanes(b + c, lanes, 0.f);
            const vf d = vf_sub(vf_load_lanes(du + c, lanes, 0.f), vf_fma(xhat, vb, va));
            vf_store_lanes(dx + c, vf_flush(vf_mul(vf_load_lanes(factor + c, lanes, 0.f), d)), lanes);
        });
}

static void layer_norm(float *y, const float *x, const float *gamma, const float *beta, float eps, int n,
                       float stats[2])
{
    if (n <= 0) return;
    const float share = 1.f / (float)n, mean = flush1(sum(x, n) * share);
    const float inv = 1.f / __builtin_sqrtf(fma1(sum_squares(x, mean, n), share, eps));
    const vf vmean = vf_set1(mean), vinv = vf_set1(inv);
    FOR_VECTORS(i, lanes, n, {
        const vf xhat = normalise(vf_load_lanes(x + i, lanes, 0.f), vmean, vinv);
        const vf g = vf_load_lanes(gamma + i, lanes, 0.f), b = vf_load_lanes(beta + i, lanes, 0.f);
        vf_store_lanes(y + i, vf_flush(vf_fma(xhat, g, b)), lanes);
    });
    stats[0] = mean;
    stats[1] = inv;
}

static void layer_norm_backward(float *dx, const float *dy, const float *x, const float *gamma,
                                const float stats[2], int n, int accumulate)
{
    if (n <= 0) return;
    const float share = 1.f / (float)n;
    const vf mean = vf_set1(stats[0]), inv = vf_set1(stats[1]);
    struct row_lanes g_lanes = row_start(0.f), gx_lanes = row_start(0.f);
    FOR_ROW_LANES(i, p, lanes, n, {
        const vf g =
            vf_flush(vf_mul(vf_load_lanes(dy + i, lanes, 0.f), vf_load_lanes(gamma + i, lanes, 0.f)));
        const vf xhat = normalise(vf_load_lanes(x + i, lanes, 0.f), mean, inv);
        g_lanes.part[p] = vf_add(g_lanes.part[p], g);
        gx_lanes.part[p] = vf_fma(g, xhat, gx_lanes.part[p]);
    });
    const vf mean_g = vf_set1(flush1(row_sum(g_lanes) * share));
    const vf mean_gx = vf_set1(flush1(row_sum(gx_lanes) * share));
    FOR_VECTORS(i, lanes, n, {
        const vf g =
            vf_flush(vf_mul(vf_load_lanes(dy + i, lanes, 0.f), vf_load_lanes(gamma + i, lanes, 0.f)));
        const vf xhat = normalise(vf_load_lanes(x + i, lanes, 0.f), mean, inv);
        vf d = vf_flush(vf_mul(inv, vf_sub(g, vf_fma(xhat, mean_gx, mean_g))));
        if (accumulate) d = vf_add(vf_load_lanes(dx + i, lanes, 0.f), d);
        vf_store_lanes(dx + i, d, lanes);
    });
}

static void layer_norm_backward_params(float *dgamma, float *dbeta, const float *dy, ptrdiff_t dy_stride,
                                       const float *x, ptrdiff_t x_stride, const float *stats, int rows,
                                       int cols)
{
    FOR_VECTORS(c, lanes, cols, {
        vf dg = vf_load_lanes(dgamma + c, lanes, 0.f);
        vf db = vf_load_lanes(dbeta + c, lanes, 0.f);
        for (int r = 0; r < rows; r++) {
            const vf d = vf_load_lanes(dy + r * dy_stride + c, lanes, 0.f);
            const vf xhat = normalise(vf_load_lanes(x + r * x_stride + c, lanes, 0.f), vf_set1(stats[2 * r]),
                                      vf_set1(stats[2 * r + 1]));
            dg = vf_fma(d, xhat, dg);
            db = vf_add(db, d);
        }
        vf_store_lanes(dgamma + c, dg, lanes);
        vf_store_lanes(dbeta + c, db, lanes);
    });
}

static void softmax(float *y, const float *x, int n)
{
    if (n <= 0) return;
    const vf highest = vf_set1(max(x, n));
    FOR_VECTORS(i, lanes, n, {
        vf_store_lanes(y + i, vf_flush(vf_exp(vf_sub(vf_load_lanes(x + i, lanes, 0.f), highest))), lanes);
    });
    scale(y, y, 1.f / sum(y, n), (size_t)n); /* the sum is in [1, n] */
}

static void softmax_backward(float *dx, const float *dy, const float *y, int n)
{
    const vf mean = vf_set1(dot(dy, y, n));
    FOR_VECTORS(i, lanes, n, {
        const vf d = vf_sub(vf_load_lanes(dy + i, lanes, 0.f), mean);
        vf_store_lanes(dx + i, vf_flush(vf_mul(vf_load_lanes(y + i, lanes, 0.f), d)), lanes);
    });
}

#endif
