/* Kernels: the numeric leaf. Floats, pointers and strides in, floats out.
 *
 * A kernel cannot fail, allocate, start threads, print or call libm. Each is written once (the *_inl.h files) on the
 * vocabulary of vf.h and compiled once per ISA by isa.c into one const table; every table gives the same bits, so one
 * may call another's: with up to eight columns, AVX-512's convolutions are AVX2's (kernels.c).
 *
 * The contract in short (docs/NUMERICS.md):
 *   - an output of a convolution, product or gradient is one chain of fused multiply-adds in the stated order;
 *   - a row is reduced in 16 virtual lanes (element i to lane i mod 16, ascending) and the tree 16-8-4-2-1;
 *   - stored values are 0 or at least 2^-40 in magnitude wherever "flushed" is written, so no subnormal arises;
 *   - vectors, tiles and threads divide outputs only.
 *
 * "rows x cols with stride" means element (r, c) at p[r * stride + c]; strides are in floats and at least cols.
 * Input and output may be the same array only where "in place" is written. Sizes may be zero. */
#ifndef RETORT_KERNELS_H
#define RETORT_KERNELS_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

/* Activations; the stored values are flushed. */
enum activation {
    ACT_NONE,    /* y = x */
    ACT_SILU,    /* x * sigmoid(x); max absolute error 1.3e-6 for |x| < 40 */
    ACT_RELU,    /* max(x, 0) */
    ACT_RELU6,   /* min(max(x, 0), 6) */
    ACT_GELU,    /* x/2 (1 + erf(x / sqrt 2)); max absolute error 3.0e-7 */
    ACT_SIGMOID, /* 1 / (1 + exp(-x)); max absolute error 1.1e-7 */
};

enum { KERNEL_BLOCK = 16 }; /* channels of one packed weight block, on every ISA */
enum { KERNEL_PEAK_CHAINS = 12 };

/* One block of a convolution or matrix product: `pixels` outputs x `cout` channels.
 *
 *   out[p][n] = start;  for t, c ascending:  out[p][n] = fma(in[t * pixels + p][c], w[t][c][n], out[p][n])
 *
 * where out[p][n] begins with start[p][n] + bias[n], or the one that is not NULL, or 0. Then the activation, then the
 * store.
 * Weights are packed [ceil(cout/16)][...][16], zero-filled, consecutive 16-channel blocks weight_stride floats
 * apart; inside a block [taps][channels][16]. bias is padded to a multiple of 16. A tap in the padding points at a
 * row of `channels` zeros. */
struct conv_block {
    const float *const *in; /* [taps][pixels] */
    float *const *out;      /* [pixels] */
    int pixels, taps, channels, cout;
    const float *weights;
    ptrdiff_t weight_stride;
    const float *bias;   /* or NULL */
    float *const *start; /* [pixels], or NULL; out itself, or rows apart from it */
    float *const *keep;  /* [taps - 1][pixels], or NULL: rows, apart from out and start, that get the chain so far after
                          * each tap but the last, not flushed; cout is then a multiple of 16 */
    enum activation activation;
    int warm; /* a hint: rows are in a cache or soon read again; asking ahead for them would not pay */
};

/* The transposed product, for weight gradients:
 *
 *   dw[r * dw_stride + n] = chain over p ascending of fma(x[p][r], dy[p][n], .), from 0
 *
 * or (add) what dw holds + that, or (goes_on) the chain from what dw holds, for r < rows, n < cols. Column n of pixel p
 * lies at dy[p * dy_step + n / 16 * dy_block + n % 16], and blocks of 16 columns are whole: filled with zeros past
 * cols. A row of dw has room for as many, and what those past cols hold is not stated. */
struct outer_block {
    const float *const *x; /* [pixels], each pointing at `rows` floats */
    const float *dy;
    ptrdiff_t dy_step, dy_block;
    int pixels, rows, cols;
    float *dw;
    ptrdiff_t dw_stride;
    int add, goes_on; /* not both */
};

/* Depthwise convolution: out[p][c] = bias[c] or 0 or out, then fma(in[t * pixels + p][c], w[t * channels + c], .)
 * over t ascending. */
struct depthwise_block {
    const float *const *in; /* [taps][pixels] */
    float *const *out;
    int pixels, taps, channels;
    const float *weights; /* [taps][channels] */
    const float *bias;    /* NULL: start from 0 */
    int accumulate;       /* start from the values in out; bias must be NULL */
    enum activation activation;
};

/* From exact sums to what is stored. With acc the int32 sum over the inputs:
 *
 *   t = activation(fma((float)(acc + start[c]), scale[c], bias[c]))
 *   t = flush(fma((float)residual - residual_zero, residual_scale, t))          where there is a residual
 *   byte = round to nearest even of clamp(fma(t, inverse, zero), 0, 255)          or the float t itself
 *
 * A byte q stands for the real number (q - zero) / inverse. Arrays are padded to a multiple of 16 channels. */
struct int8_finish {
    const int32_t *start;     /* the bias of the sums: minus weights times zero points of the inputs */
    const float *scale, *bias; /* of a sum of products */
    enum activation activation;
    const uint8_t *residual; /* rows residual_stride apart, or NULL */
    ptrdiff_t residual_stride;
    float residual_scale, residual_zero;
    uint8_t *out; /* likewise, or NULL: real is written */
    ptrdiff_t out_stride;
    float *real;
    ptrdiff_t real_stride;
    float inverse, zero;
};

/* Where the inputs of height x width pixels lie: the window of (y, x) begins at first + y * row + x * pixel. */
struct int8_windows {
    const uint8_t *first;
    ptrdiff_t row, pixel;
    int height, width;
};

enum { INT8_MAX_DEPTH = 65536, INT8_SLACK = 16 };

/* Weights of 16 outputs, in steps of four inputs that lie side by side. The sums of four products of one output are
 * taken in two halves, and most fit 16 bits whatever the inputs are:
 *
 *   twos    pairs of steps whose halves fit 16 bits when both steps are added: positive weights of at most INT8_LIGHT
 *           together, and negative ones likewise. [16][4] bytes a step
 *   ones    steps whose own halves do. [16][4] bytes
 *   wides   others. Words: [16][2] for the inputs 0 and 2, then [16][2] for 1 and 3 */
struct int8_column {
    int32_t twos, ones, wides; /* steps; twos is even */
};
enum { INT8_LIGHT = 128 };     /* times 255 it is less than 2^15 */

/* Integers (4 bytes) of a column: offsets of its steps in the window, padded to 16, then weights of at most 128 bytes
 * a step. */
static inline ptrdiff_t int8_column_offsets(int steps) { return (steps + 15) / 16 * 16; }
static inline ptrdiff_t int8_column_size(int steps) { return int8_column_offsets(steps) + 32 * (ptrdiff_t)steps; }

/* One block of an integer convolution, exact: bytes times weights of -127..127, at most INT8_MAX_DEPTH of them an
 * output, so that no sum leaves 32 bits. Up to 3 bytes behind a window may be read. */
struct int8_block {
    struct int8_windows in;
    int cout, steps;
    const struct int8_column *columns; /* [ceil(cout / 16)] */
    const int32_t *weights;            /* [ceil(cout / 16)][int8_column_size(steps)] */
    const int32_t *shifted_start;      /* finish.start for inputs minus 128: + 128 * sum of weights */
    struct int8_finish finish;
};

/* Depthwise: acc[c] = sum over t of window[offset[t] + c] * w[t][c], weights packed by pairs of taps. */
struct int8_depthwise {
    struct int8_windows in;
    int taps, channels;
    const int32_t *offset;  /* [taps] */
    const int16_t *weights; /* [(taps + 1) / 2][channels][2], zero-filled */
    struct int8_finish finish;
};

/* One window of a max pool, backward: the gradient of each output y[c] is added to dx at the first of the rows x cols
 * inputs, in row-major order, that is not below it; to the others +0 is added. x and dx are each (row, pixel) strides
 * apart. */
struct pool_block {
    const float *x, *y, *dy;
    float *dx;
    ptrdiff_t x_row, x_pixel, dx_row, dx_pixel;
    int rows, cols, channels;
};

/* Per-channel statistics and parameters of a batch norm over `cols` channels. */
struct norm_params {
    const float *mean, *inv; /* inv = 1 / sqrt(variance + eps) */
    const float *gamma, *beta;
};

/* Constants of one masked Adam step, rounded once to float (train/optim.h makes them). */
struct adam_step {
    float beta1, beta2, one_minus_beta1, one_minus_beta2, rate, epsilon;
};

/* Constants of one AdamW step; decay = learning rate times weight decay, root = sqrt(1 - beta2^i). */
struct adamw_step {
    float beta1, beta2, one_minus_beta1, one_minus_beta2, rate, root, epsilon, decay;
};

/* Pointers need the alignment of what they point at, and no more. */
struct kernels {
    const char *name; /* "scalar", "fma", "avx2", "avx512", "vnni", "neon", "neondot" */
    int width;        /* lanes of one vector; must not show in results */

    /* conv_inl.h, depthwise_inl.h */
    void (*conv)(const struct conv_block *block);
    void (*outer)(const struct outer_block *block);
    void (*depthwise)(const struct depthwise_block *block);
    /* dw[t * channels + c] = first ? acc : dw + acc, acc = chain over p of fma(in[t*pixels+p][c], dy[p][c], .) */
    void (*depthwise_outer)(float *dw, const float *const *in, const float *dy, ptrdiff_t dy_stride, int pixels,
                            int taps, int channels, int first);

    /* winograd_inl.h: F(4x4, 3x3), see docs/NUMERICS.md. channels are multiples of 16; k = 6 * row + column counts
     * the 36 points of a transformed tile.
     * v[k * v_stride + c] = (B' d B)[k], d the 6 x 6 values in[k][c] behind 36 pointers, not flushed. */
    void (*winograd_input)(float *v, ptrdiff_t v_stride, const float *const *in, int channels);
    /* y = A' M A, M the 6 x 6 values m[k * m_stride + c]; out[4 * row + column][c] = activation(y + bias[c] + out),
     * where bias (or NULL) and, if accumulate is set, out are added in that order. out is 16 pointers; a NULL among
     * them is skipped. */
    void (*winograd_output)(float *const *out, const float *m, ptrdiff_t m_stride, int channels, const float *bias,
                            int accumulate, enum activation activation);
    /* u[k * u_stride + n] = (G w G')[k] of w[kernel position][n], n < 16: in double, rounded once, flushed. */
    void (*winograd_weights)(float *u, ptrdiff_t u_stride, const float *w);
    /* The transposes of the last two: m[k * m_stride + c] = (A dY A')[k], dY the 4 x 4 values dy[4 * row + column][c],
     * not flushed; w[kernel position * w_stride + c] = flush((G' U G)[kernel position]), U the 6 x 6 values
     * u[k * u_stride + c]. */
    void (*winograd_output_backward)(float *m, ptrdiff_t m_stride, const float *const *dy, int channels);
    void (*winograd_weights_backward)(float *w, ptrdiff_t w_stride, const float *u, ptrdiff_t u_stride, int channels);
    /* polyphase_inl.h: along one axis a = x0 - x2, b = x1, c = x2, d = x4 - x2, e = x3 of x0..x4. From the 5 x 5
     * values in[5 * row + column][c], 16 of the 25 places of [a..e][a..e], first along each row, then the columns:
     * v[k * v_stride + c] with k from 0 for (a, a..e), (d, a..e), (b, a), (b, d), (c, a), (c, d), (e, a), (e, d). Not
     * flushed. The rows ahead, 25 too, are asked for meanwhile. */
    void (*polyphase_input)(float *v, ptrdiff_t v_stride, const float *const *in, const float *const *ahead,
                            int channels);
    /* From the 3 x 3 values in[3 * row + column][c], along one axis p = z0 - z1 and r = z2 - z1 of z0..z2:
     * v[k * v_stride + c] likewise with k from 0 for (p, p), (p, r), (r, p), (r, r), (z0, p), (z0, r), (z1, p),
     * (z1, r), (p, z0), (r, z0), (p, z1), (r, z1). */
    void (*polyphase_gradient)(float *v, ptrdiff_t v_stride, const float *const *in, int channels);
    /* Strassen's sums of two rows [a0, a1] and [b0, b1] of 2 * half values, half a multiple of 16, not flushed:
     * s[0] = b0 + b1, s[1] = s[0] - a0, s[2] = a0 - b0, s[3] = a1 - s[1], s_stride apart */
    void (*strassen_inputs)(float *s, ptrdiff_t s_stride, const float *a, const float *b, int half);
    /* y = (z - v) + t, n values, a multiple of 16, not flushed */
    void (*strassen_output)(float *y, const float *z, const float *v, const float *t, int n);
    /* out[r][n] = chain over c ascending of fma(in[r][c], w[c][n], .) from 0, not flushed; rows >= 1, cols a multiple
     * of 16, weights packed as in conv_block with one tap. */
    void (*product)(float *out, ptrdiff_t out_stride, const float *in, ptrdiff_t in_stride, const float *weights,
                    ptrdiff_t weight_stride, int rows, int channels, int cols);
    /* int8_inl.h; rows x cols with strides in elements */
    void (*conv_int8)(const struct int8_block *block);
    void (*depthwise_int8)(const struct int8_depthwise *block);
    /* y = round to nearest even of clamp(fma(x, inverse[c], zero[c]), 0, 255); y = (x - zero[c]) * scale[c] */
    void (*quantise)(uint8_t *y, ptrdiff_t y_stride, const float *x, ptrdiff_t x_stride, const float *inverse,
                     const float *zero, int rows, int cols);
    void (*dequantise)(float *y, ptrdiff_t y_stride, const uint8_t *x, ptrdiff_t x_stride, const float *scale,
                       const float *zero, int rows, int cols);
    void (*maximum_bytes)(uint8_t *y, const uint8_t *x, int n); /* y = max(x, y), in place by nature */

    /* reduce_inl.h: rows in 16 lanes */
    float (*sum)(const float *x, int n);
    float (*max)(const float *x, int n); /* n >= 1 */
    float (*dot)(const float *x, const float *y, int n);   /* fma per lane */
    /* out[r] = dot(x, y[r], n): several sums at once do not wait for each other */
    void (*dots)(float *out, const float *x, const float *const *y, int n, int rows);
    float (*sum_squares)(const float *x, float mean, int n); /* sum of (x - mean)^2, fma per lane */
    /* One chain per column over ascending rows: acc[c] += x[r][c]; acc[c] = fma(d, d, acc[c]), d = x[r][c] - mean[c];
     * acc[c] = fma(x[r][c], y[r][c], acc[c]). acc starts from what it holds. */
    void (*column_sum)(float *acc, const float *x, ptrdiff_t stride, int rows, int cols);
    void (*column_sum_squares)(float *acc, const float *x, ptrdiff_t stride, const float *mean, int rows, int cols);
    void (*column_dot)(float *acc, const float *x, ptrdiff_t x_stride, const float *y, ptrdiff_t y_stride, int rows,
                       int cols);

    /* elementwise_inl.h: rows x cols with strides; all flushed and usable in place */
    void (*activate)(float *y, ptrdiff_t y_stride, const float *x, ptrdiff_t x_stride, int rows, int cols,
                     enum activation activation);
    /* dx = dy * activation'(x), the derivative flushed before the product */
    void (*activate_backward)(float *dx, ptrdiff_t dx_stride, const float *dy, ptrdiff_t dy_stride, const float *x,
                              ptrdiff_t x_stride, int rows, int cols, enum activation activation);
    void (*add)(float *y, ptrdiff_t y_stride, const float *a, ptrdiff_t a_stride, const float *b, ptrdiff_t b_stride,
                int rows, int cols); /* a + b, not flushed: sums of stored values need none */
    /* y[r][c] = a[r][c] + b[r][c] of rows behind pointers, in place on either; cols a multiple of 16; not flushed */
    void (*sum_rows)(float *const *y, const float *const *a, const float *const *b, int rows, int cols);
    void (*scale)(float *y, const float *x, float factor, size_t n); /* flush(x * factor) */
    /* y = x + gamma[c] * f by one fma, flushed: layer scale with its residual */
    void (*scale_add)(float *y, ptrdiff_t y_stride, const float *x, ptrdiff_t x_stride, const float *f,
                      ptrdiff_t f_stride, const float *gamma, int rows, int cols);
    void (*scale_columns)(float *y, ptrdiff_t y_stride, const float *x, ptrdiff_t x_stride, const float *gamma,
                          int rows, int cols); /* flush(x * gamma[c]) */
    void (*copy)(float *y, ptrdiff_t y_stride, const float *x, ptrdiff_t x_stride, int rows, int cols);
    void (*fill)(float *y, ptrdiff_t y_stride, float value, int rows, int cols);
    /* One window of a max pool: y[c] = max(x, y[c]) over rows x cols pixels (row, pixel strides apart; one or more) in
     * row-major order, begun with the first */
    void (*maximum_window)(float *y, const float *x, ptrdiff_t x_row, ptrdiff_t x_pixel, int rows, int cols,
                           int channels);
    void (*maximum_backward)(const struct pool_block *block);

    /* norm_inl.h */
    /* y = activation(u), u = fma(xhat, gamma, beta), xhat = flush((x - mean) * inv) */
    void (*batch_norm)(float *y, ptrdiff_t y_stride, const float *x, ptrdiff_t x_stride, struct norm_params norm,
                       int rows, int cols, enum activation activation);
    /* du = dy * activation'(u), u as above (flushed; in place on dy); continues dbeta[c] by the chain over rows of
     * du and dgamma[c] by that of fma(du, xhat, .) */
    void (*batch_norm_backward_sums)(float *du, ptrdiff_t du_stride, const float *dy, ptrdiff_t dy_stride,
                                     const float *x, ptrdiff_t x_stride, struct norm_params norm, float *dgamma,
                                     float *dbeta, int rows, int cols, enum activation activation);
    /* dx = scale[c] * (du - fma(xhat, b[c], a[c])), flushed, in place; a = dbeta / n, b = dgamma / n (flushed), both
     * 0 when the statistics are frozen; scale = gamma * inv */
    void (*batch_norm_backward)(float *dx, ptrdiff_t dx_stride, const float *du, ptrdiff_t du_stride, const float *x,
                                ptrdiff_t x_stride, struct norm_params norm, const float *scale, const float *a,
                                const float *b, int rows, int cols);
    /* One row: y = flush(fma(xhat, gamma, beta)), xhat = flush((x - mean) * r), with the flushed 16-lane mean
     * sum * (1/n) and r = 1 / sqrt(fma(sumsq, 1/n, eps)); stats[0] = mean, stats[1] = r. In place. */
    void (*layer_norm)(float *y, const float *x, const float *gamma, const float *beta, float eps, int n,
                       float stats[2]);
    /* One row of dx = flush(r * (g - fma(xhat, mean(g * xhat), mean(g)))), g = flush(dy * gamma), both means flushed
     * 16-lane sums times 1/n; in place on dy. accumulate: dx + that. */
    void (*layer_norm_backward)(float *dx, const float *dy, const float *x, const float *gamma, const float stats[2],
                                int n, int accumulate);
    /* Continues dgamma[c] by the chain over rows of fma(dy, xhat, .) and dbeta[c] by that of dy. stats is [rows][2]. */
    void (*layer_norm_backward_params)(float *dgamma, float *dbeta, const float *dy, ptrdiff_t dy_stride,
                                       const float *x, ptrdiff_t x_stride, const float *stats, int rows, int cols);
    /* One row: y = flush(e * (1 / sum e)), e = flush(exp(x - max x)); in place */
    void (*softmax)(float *y, const float *x, int n);
    /* dx = flush(y * (dy - dot(dy, y))); in place on dy or y */
    void (*softmax_backward)(float *dx, const float *dy, const float *y, int n);

    /* math_inl.h: arrays, in place; no NaN in, no NaN out */
    void (*exp)(float *y, const float *x, size_t n);     /* x clamped to [-87, 88]; 0.99 ulp */
    void (*log)(float *y, const float *x, size_t n);     /* x positive and normal; 0.81 ulp */
    void (*erf)(float *y, const float *x, size_t n);     /* 1.04 ulp */
    void (*tanh)(float *y, const float *x, size_t n);    /* 1.30 ulp */
    void (*sigmoid)(float *y, const float *x, size_t n); /* flushed */

    /* loss_inl.h: one row of binary cross-entropy with logits: returns the 16-lane sum of
     * fnma(z, t, max(z, 0)) + log1p(exp(-|z|)) (relative error of the last term 3e-7); dz = flush(factor *
     * (sigmoid(z) - t)) when dz is not NULL, in place. sigmoid is here exp-based, right to 2e-7 of itself, and not
     * flushed before the difference. Rows are added by the caller, in double. */
    float (*binary_cross_entropy)(float *dz, const float *z, const float *t, float factor, int n);

    /* optim_inl.h: flat arrays, plain multiplications and additions in the stated order, nothing fused; m is flushed
     * below 2^-63, v below 2^-100, w below 2^-40. mask (bytes, 0 or 1) may be NULL: all. */
    /* m = b1*m + c1*g; v = b2*v + (c2*g)*g; u = (a*m) / (sqrt(v) + e); w = w - u where masked */
    void (*adam)(float *w, float *m, float *v, float *u, const float *g, const uint8_t *mask, struct adam_step step,
                 size_t n);
    /* w = w*(1 - decay) where masked; m, v; w = w - rate * (m / (sqrt(v) / root + e)) where masked */
    void (*adamw)(float *w, float *m, float *v, const float *g, const uint8_t *mask, struct adamw_step step, size_t n);
    /* g' = g + decay*w; m = momentum*m + g'; w = w - rate * (nesterov ? g' + momentum*m : m) where masked */
    void (*sgd)(float *w, float *m, const float *g, const uint8_t *mask, float rate, float momentum, float decay,
                int nesterov, size_t n);
    void (*ema)(float *average, const float *w, float factor, size_t n); /* average += factor * (w - average) */

    /* peak_inl.h: KERNEL_PEAK_CHAINS multiply-adds on vectors of `width` floats, `repeats` times: nothing but a
     * measure of the machine. start: as many values and then 0.5, which the compiler must not know; sink: width
     * floats that nobody reads. */
    void (*peak)(float *sink, const float *start, int64_t repeats);
};

/* The table named by `isa`; when isa is NULL the one that the RETORT_ISA variable names, or the best this CPU runs.
 * ERR_USAGE for an unknown name or one that this CPU or build does not have; the message lists those it has. */
enum status kernels_get(const struct kernels **kernels, const char *isa, struct error *err);

/* Tables that this CPU can run, best first; *count is set. For tests and reports. */
const struct kernels *const *kernels_available(int *count);

#endif
