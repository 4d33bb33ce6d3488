/* Elementwise kernels on rows x cols with strides. No element sees another, so the order of the loops is
 * free. */
#ifndef RETORT_KERNELS_ELEMENTWISE_INL_H
#define RETORT_KERNELS_ELEMENTWISE_INL_H

#include "kernels/math_inl.h"

INLINE void activate_rows(float *y, ptrdiff_t y_stride, const float *x, ptrdiff_t x_stride, ptrdiff_t rows,
                          ptrdiff_t cols, enum activation activation)
{
    for (ptrdiff_t r = 0; r < rows; r++, y += y_stride, x += x_stride)
        FOR_VECTORS(c, lanes, cols, {
            vf_store_lanes(y + c, vf_activate(vf_load_lanes(x + c, lanes, 0.f), activation), lanes);
        });
}

static void activate(float *y, ptrdiff_t y_stride, const float *x, ptrdiff_t x_stride, int rows, int cols,
                     enum activation activation)
{
    const int dense = y_stride == cols && x_stride == cols; /* one long row */
    const ptrdiff_t r = dense ? 1 : rows, c = dense ? (ptrdiff_t)rows * cols : cols;
    WITH_ACTIVATION(activation, activate_rows, y, y_stride, x, x_stride, r, c);
}

INLINE void activate_backward_rows(float *dx, ptrdiff_t dx_stride, const float *dy, ptrdiff_t dy_stride,
                                   const float *x, ptrdiff_t x_stride, ptrdiff_t rows, ptrdiff_t cols,
                                   enum activation activation)
{
    for (ptrdiff_t r = 0; r < rows; r++, dx += dx_stride, dy += dy_stride, x += x_stride)
        FOR_VECTORS(c, lanes, cols, {
            const vf slope = vf_activate_slope(vf_load_lanes(x + c, lanes, 0.f), activation);
            vf_store_lanes(dx + c, vf_flush(vf_mul(vf_load_lanes(dy + c, lanes, 0.f), slope)), lanes);
        });
}

static void activate_backward(float *dx, ptrdiff_t dx_stride, const float *dy, ptrdiff_t dy_stride,
                              const float *x, ptrdiff_t x_stride, int rows, int cols,
                              enum activation activation)
{
    const int dense = dx_stride == cols && dy_stride == cols && x_stride == cols;
    const ptrdiff_t r = dense ? 1 : rows, c = dense ? (ptrdiff_t)rows * cols : cols;
    WITH_ACTIVATION(activation, activate_backward_rows, dx, dx_stride, dy, dy_stride, x, x_stride, r, c);
}

static void add(float *y, ptrdiff_t y_stride, const float *a, ptrdiff_t a_stride, const float *b,
                ptrdiff_t b_stride, int rows, int cols)
{
    const int dense = y_stride == cols && a_stride == cols && b_stride == cols;
    const ptrdiff_t row_count = dense ? 1 : rows, length = dense ? (ptrdiff_t)rows * cols : cols;
    for (ptrdiff_t r = 0; r < row_count; r++, y += y_stride, a += a_stride, b += b_stride)
        FOR_VECTORS(c, lanes, length, {
            const vf s = vf_add(vf_load_lanes(a + c, lanes, 0.f), vf_load_lanes(b + c, lanes, 0.f));
            vf_store_lanes(y + c, s, lanes);
        });
}

static void strassen_inputs(float *s, ptrdiff_t s_stride, const float *a, const float *b, int half)
{
    for (ptrdiff_t c = 0; c < half; c += VW) {
        const vf a0 = vf_load(a + c), b0 = vf_load(b + c);
        const vf sum = vf_add(b0, vf_load(b + half + c)), rest = vf_sub(sum, a0);
        vf_store(s + c, sum);
        vf_store(s + s_stride + c, rest);
        vf_store(s + 2 * s_stride + c, vf_sub(a0, b0));
        vf_store(s + 3 * s_stride + c, vf_sub(vf_load(a + half + c), rest));
    }
}

static void strassen_output(float *y, const float *z, const float *v, const float *t, int n)
{
    for (ptrdiff_t c = 0; c < n; c += VW)
        vf_store(y + c, vf_add(vf_sub(vf_load(z + c), vf_load(v + c)), vf_load(t + c)));
}

static void sum_rows(float *const *y, const float *const *a, const float *const *b, int rows, int cols)
{
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < cols; c += VW) vf_store(y[r] + c, vf_add(vf_load(a[r] + c), vf_load(b[r] + c)));
}

static void scale(float *y, const float *x, float factor, size_t n)
{
    const vf f = vf_set1(factor);
    FOR_VECTORS(i, lanes, n,
                { vf_store_lanes(y + i, vf_flush(vf_mul(vf_load_lanes(x + i, lanes, 0.f), f)), lanes); });
}

static void scale_add(float *y, ptrdiff_t y_stride, const float *x, ptrdiff_t x_stride, const float *f,
                      ptrdiff_t f_stride, const float *gamma, int rows, int cols)
{
    for (int r = 0; r < rows; r++, y += y_stride, x += x_stride, f += f_stride)
        FOR_VECTORS(c, lanes, cols, {
            const vf g = vf_load_lanes(gamma + c, lanes, 0.f), branch = vf_load_lanes(f + c, lanes, 0.f);
            vf_store_lanes(y + c, vf_flush(vf_fma(g, branch, vf_load_lanes(x + c, lanes, 0.f))), lanes);
        });
}

static void scale_columns(float *y, ptrdiff_t y_stride, const float *x, ptrdiff_t x_stride,
                          const float *gamma, int rows, int cols)
{
    for (int r = 0; r < rows; r++, y += y_stride, x += x_stride)
        FOR_VECTORS(c, lanes, cols, {
            const vf g = vf_load_lanes(gamma + c, lanes, 0.f);
            vf_store_lanes(y + c, vf_flush(vf_mul(vf_load_lanes(x + c, lanes, 0.f), g)), lanes);
        });
}

static void copy(float *y, ptrdiff_t y_stride, const float *x, ptrdiff_t x_stride, int rows, int cols)
{
    for (int r = 0; r < rows; r++) memcpy(y + r * y_stride, x + r * x_stride, (size_t)cols * sizeof *y);
}

static void fill(float *y, ptrdiff_t y_stride, float value, int rows, int cols)
{
    const vf v = vf_set1(value);
    for (int r = 0; r < rows; r++, y += y_stride)
        FOR_VECTORS(c, lanes, cols, vf_store_lanes(y + c, v, lanes););
}

/* Four vectors at a time read whole cache lines of pixels that may lie in few sets of the cache. */
static void maximum_window(float *y, const float *x, ptrdiff_t x_row, ptrdiff_t x_pixel, int rows, int cols,
                           int channels)
{
    int done = 0;
    for (; done + 4 * VW <= channels; done += 4 * VW, x += 4 * VW, y += 4 * VW) {
        vf m0 = vf_load(x), m1 = vf_load(x + VW), m2 = vf_load(x + 2 * VW), m3 = vf_load(x + 3 * VW);
        for (int row = 0; row < rows; row++)
            for (int col = 0; col < cols; col++) {
                const float *from = x + row * x_row + col * x_pixel;
                m0 = vf_max(vf_load(from), m0);
                m1 = vf_max(vf_load(from + VW), m1);
                m2 = vf_max(vf_load(from + 2 * VW), m2);
                m3 = vf_max(vf_load(from + 3 * VW), m3);
            }
        vf_store(y, m0);
        vf_store(y + VW, m1);
        vf_store(y + 2 * VW, m2);
        vf_store(y + 3 * VW, m3);
    }
    FOR_VECTORS(c, lanes, channels - done, {
        vf most = vf_load_lanes(x + c, lanes, 0.f);
        for (int row = 0; row < rows; row++)
            for (int col = 0; col < cols; col++)
                most = vf_max(vf_load_lanes(x + row * x_row + col * x_pixel + c, lanes, 0.f), most);
        vf_store_lanes(y + c, most, lanes);
    });
}

static void maximum_backward(const struct pool_block *b)
{
    const vf zero = vf_set1(0.f);
    FOR_VECTORS(c, lanes, b->channels, {
        const vf y = vf_load_lanes(b->y + c, lanes, 0.f);
        vf left = vf_load_lanes(b->dy + c, lanes, 0.f); /* of the gradient: 0 where it has been given */
        for (int row = 0; row < b->rows; row++)
            for (int col = 0; col < b->cols; col++) {
                const float *x = b->x + row * b->x_row + col * b->x_pixel + c;
                float *dx = b->dx + row * b->dx_row + col * b->dx_pixel + c;
                const vi below = vf_lt(vf_load_lanes(x, lanes, 0.f), y);
                const vf share = vf_select(below, zero, left);
                left = vf_select(below, left, zero);
                vf_store_lanes(dx, vf_add(vf_load_lanes(dx, lanes, 0.f), share), lanes);
            }
    });
}

static void exp_array(float *y, const float *x, size_t n)
{
    FOR_VECTORS(i, lanes, n, vf_store_lanes(y + i, vf_exp(vf_load_lanes(x + i, lanes, 0.f)), lanes););
}

static void log_array(float *y, const float *x, size_t n)
{
    FOR_VECTORS(i, lanes, n, vf_store_lanes(y + i, vf_log(vf_load_lanes(x + i, lanes, 1.f)), lanes););
}

static void erf_array(float *y, const float *x, size_t n)
{
    FOR_VECTORS(i, lanes, n, vf_store_lanes(y + i, vf_erf(vf_load_lanes(x + i, lanes, 0.f)), lanes););
}

static void tanh_array(float *y, const float *x, size_t n)
{
    FOR_VECTORS(i, lanes, n, vf_store_lanes(y + i, vf_tanh(vf_load_lanes(x + i, lanes, 0.f)), lanes););
}

static void sigmoid_array(float *y, const float *x, size_t n)
{
    FOR_VECTORS(i, lanes, n, vf_store_lanes(y + i, vf_sigmoid(vf_load_lanes(x + i, lanes, 0.f)), lanes););
}

#endif
