/* Cases of the entries that work on pointers to pixels and blocks of 16 channels: conv, outer, depthwise,
 * depthwise_outer, those of Winograd and of pooling backward. */
#include "check_kernels.h"

enum { MAX_PIXELS = 24, MAX_TAPS = 9, MAX_OUTER_PIXELS = 150, MAX_OUTER_COLUMNS = 150 };

/* Rows of n floats, one of them zeros as the padding is, and a tap table that points anywhere among them. */
static void draw_taps(struct kernel_run *run, const float **in, int taps, int pixels, int n)
{
    float *rows = draw_matrix(run, MAX_PIXELS, n, n + 3, 2.f);
    for (int c = 0; c < n; c++) rows[c] = 0.f;
    for (int i = 0; i < taps * pixels; i++) in[i] = rows + draw_int(run, 0, MAX_PIXELS - 1) * (n + 3);
}

static void run_conv(const struct kernels *k, struct kernel_run *run)
{
    const float *in[MAX_TAPS * MAX_PIXELS];
    float *out[MAX_PIXELS];
    struct conv_block b = {.in = in, .out = out};
    b.pixels = draw_int(run, 1, MAX_PIXELS);
    b.taps = draw_int(run, 0, 1) ? 1 : MAX_TAPS;
    b.channels = draw_int(run, 1, 20);
    b.cout = draw_int(run, 0, 1) ? draw_int(run, 1, 180) : KERNEL_BLOCK * draw_int(run, 1, 11);
    const int blocks = (b.cout + KERNEL_BLOCK - 1) / KERNEL_BLOCK, mode = draw_int(run, 0, 2);
    draw_taps(run, in, b.taps, b.pixels, b.channels);
    const ptrdiff_t stride = b.cout + draw_int(run, 0, 4);
    float *y = draw_matrix(run, b.pixels, b.cout, stride, 1.f);
    for (int p = 0; p < b.pixels; p++) out[p] = y + p * stride;
    float *start[MAX_PIXELS];
    if (mode == 2) {
        float *from = draw_matrix(run, b.pixels, b.cout, stride, 1.f);
        for (int p = 0; p < b.pixels; p++) start[p] = from + p * stride;
    }
    const int block_size = b.taps * b.channels * KERNEL_BLOCK;
    b.weight_stride = block_size + draw_int(run, 0, 1) * KERNEL_BLOCK;
    b.weights = draw_matrix(run, blocks, block_size, b.weight_stride, 1.f);
    if (draw_int(run, 0, 1)) b.bias = draw_row(run, blocks * KERNEL_BLOCK, 1.f);
    if (mode == 1) b.start = out;
    if (mode == 2) b.start = start;
    float *keep[(MAX_TAPS - 1) * MAX_PIXELS];
    if (b.cout % KERNEL_BLOCK == 0 && b.taps > 1) {
        float *kept = draw_matrix(run, (b.taps - 1) * b.pixels, b.cout, stride, 1.f);
        for (int i = 0; i < (b.taps - 1) * b.pixels; i++) keep[i] = kept + i * stride;
        b.keep = keep;
    }
    b.activation = (enum activation)draw_int(run, ACT_NONE, ACT_SIGMOID);
    k->conv(&b);
}

/* More pixels than a piece has, packed by blocks or row by row. What lies past the last column is not stated, and so
 * not compared. */
static void run_outer(const struct kernels *k, struct kernel_run *run)
{
    const float *x[MAX_OUTER_PIXELS];
    struct outer_block b = {.x = x};
    b.pixels = draw_int(run, 1, MAX_OUTER_PIXELS);
    b.rows = draw_int(run, 1, 70);
    b.cols = draw_int(run, 1, MAX_OUTER_COLUMNS);
    const int blocks = (b.cols + KERNEL_BLOCK - 1) / KERNEL_BLOCK, columns = blocks * KERNEL_BLOCK;
    draw_taps(run, x, 1, b.pixels, b.rows);
    const int packed = draw_int(run, 0, 1);
    b.dy_step = packed ? KERNEL_BLOCK : columns + draw_int(run, 0, 4);
    b.dy_block = packed ? (ptrdiff_t)b.pixels * KERNEL_BLOCK : KERNEL_BLOCK;
    float *dy = packed ? draw_matrix(run, blocks * b.pixels, KERNEL_BLOCK, KERNEL_BLOCK, 2.f)
                       : draw_matrix(run, b.pixels, columns, b.dy_step, 2.f);
    for (int p = 0; p < b.pixels; p++)
        for (int c = b.cols; c < columns; c++)
            dy[p * b.dy_step + (blocks - 1) * b.dy_block + c % KERNEL_BLOCK] = 0.f;
    b.dy = dy;
    b.dw_stride = columns + draw_int(run, 0, 4);
    float *dw = draw_matrix(run, b.rows, columns, b.dw_stride, 1.f);
    b.dw = dw;
    b.add = draw_int(run, 0, 1);
    b.goes_on = !b.add && draw_int(run, 0, 1);
    k->outer(&b);
    for (int r = 0; r < b.rows; r++)
        for (int c = b.cols; c < columns; c++) dw[r * b.dw_stride + c] = 0.f;
}

static void run_depthwise(const struct kernels *k, struct kernel_run *run)
{
    const float *in[MAX_TAPS * MAX_PIXELS];
    float *out[MAX_PIXELS];
    struct depthwise_block b = {.in = in, .out = out, .taps = MAX_TAPS};
    const int mode = draw_int(run, 0, 2);
    b.pixels = draw_int(run, 1, MAX_PIXELS);
    b.channels = draw_int(run, 1, 70);
    draw_taps(run, in, b.taps, b.pixels, b.channels);
    const ptrdiff_t stride = b.channels + draw_int(run, 0, 4);
    float *y = draw_matrix(run, b.pixels, b.channels, stride, 1.f);
    for (int p = 0; p < b.pixels; p++) out[p] = y + p * stride;
    b.weights = draw_row(run, b.taps * b.channels, 1.f);
    if (mode == 0) b.bias = draw_row(run, b.channels, 1.f);
    b.accumulate = mode == 1;
    b.activation = (enum activation)draw_int(run, ACT_NONE, ACT_SIGMOID);
    k->depthwise(&b);
}

static void run_depthwise_outer(const struct kernels *k, struct kernel_run *run)
{
    const float *in[MAX_TAPS * MAX_OUTER_PIXELS];
    const int pixels = draw_int(run, 1, MAX_OUTER_PIXELS), channels = draw_int(run, 1, 70),
              taps = draw_int(run, 0, 1) ? MAX_TAPS : draw_int(run, 1, MAX_TAPS);
    draw_taps(run, in, taps, pixels, channels);
    const ptrdiff_t stride = channels + draw_int(run, 0, 4);
    const float *dy = draw_matrix(run, pixels, channels, stride, 2.f);
    float *dw = draw_row(run, taps * channels, 1.f);
    const int first = draw_int(run, 0, 1);
    k->depthwise_outer(dw, in, dy, stride, pixels, taps, channels, first);
}

enum { TILE_INPUTS = 36, TILE_OUTPUTS = 16 };

static void run_winograd_input(const struct kernels *k, struct kernel_run *run)
{
    const float *in[TILE_INPUTS];
    const int channels = KERNEL_BLOCK * draw_int(run, 1, 3), stride = channels + draw_int(run, 0, 5);
    draw_taps(run, in, TILE_INPUTS, 1, channels);
    k->winograd_input(draw_matrix(run, TILE_INPUTS, channels, stride, 0), stride, in, channels);
}

static void run_winograd_output(const struct kernels *k, struct kernel_run *run)
{
    float *out[TILE_OUTPUTS];
    const int channels = KERNEL_BLOCK * draw_int(run, 1, 3), stride = channels + draw_int(run, 0, 5);
    const float *m = draw_matrix(run, TILE_INPUTS, channels, stride, 2.f);
    float *y = draw_matrix(run, TILE_OUTPUTS, channels, stride, 1.f);
    for (int i = 0; i < TILE_OUTPUTS; i++) out[i] = draw_int(run, 0, 5) ? y + i * stride : NULL;
    const float *bias = draw_int(run, 0, 1) ? draw_row(run, channels, 1.f) : NULL;
    const int accumulate = draw_int(run, 0, 1);
    k->winograd_output(out, m, stride, channels, bias, accumulate,
                       (enum activation)draw_int(run, ACT_NONE, ACT_SIGMOID));
}

static void run_winograd_output_backward(const struct kernels *k, struct kernel_run *run)
{
    const float *dy[TILE_OUTPUTS];
    const int channels = KERNEL_BLOCK * draw_int(run, 1, 3), stride = channels + draw_int(run, 0, 5);
    draw_taps(run, dy, TILE_OUTPUTS, 1, channels);
    k->winograd_output_backward(draw_matrix(run, TILE_INPUTS, channels, stride, 0), stride, dy, channels);
}

static void run_winograd_weights_backward(const struct kernels *k, struct kernel_run *run)
{
    const int channels = KERNEL_BLOCK * draw_int(run, 1, 3), stride = channels + draw_int(run, 0, 5);
    const float *u = draw_matrix(run, TILE_INPUTS, channels, stride, 2.f);
    const int w_stride = channels + draw_int(run, 0, 5);
    k->winograd_weights_backward(draw_matrix(run, 9, channels, w_stride, 0), w_stride, u, stride, channels);
}

static void run_polyphase_input(const struct kernels *k, struct kernel_run *run)
{
    const float *in[25], *ahead[25];
    const int channels = KERNEL_BLOCK * draw_int(run, 1, 3), stride = channels + draw_int(run, 0, 5);
    draw_taps(run, in, 25, 1, channels);
    draw_taps(run, ahead, 25, 1, channels);
    k->polyphase_input(draw_matrix(run, 16, channels, stride, 0), stride, in, ahead, channels);
}

static void run_polyphase_gradient(const struct kernels *k, struct kernel_run *run)
{
    const float *in[9];
    const int channels = KERNEL_BLOCK * draw_int(run, 1, 3), stride = channels + draw_int(run, 0, 5);
    draw_taps(run, in, 9, 1, channels);
    k->polyphase_gradient(draw_matrix(run, 12, channels, stride, 0), stride, in, channels);
}

/* Into rows of its own, or in place. */
static void run_sum_rows(const struct kernels *k, struct kernel_run *run)
{
    enum { ROWS = 9 };
    float *y[ROWS];
    const float *a[ROWS], *b[ROWS];
    const int rows = draw_int(run, 1, ROWS), cols = KERNEL_BLOCK * draw_int(run, 1, 3),
              in_place = draw_int(run, 0, 1);
    for (int i = 0; i < rows; i++) {
        y[i] = draw_row(run, cols, 1.f);
        a[i] = in_place ? y[i] : draw_row(run, cols, 1.f);
        b[i] = draw_row(run, cols, 2.f);
    }
    k->sum_rows(y, a, b, rows, cols);
}

static void run_strassen_inputs(const struct kernels *k, struct kernel_run *run)
{
    const int half = KERNEL_BLOCK * draw_int(run, 1, 5);
    const ptrdiff_t stride = half + draw_int(run, 0, 4);
    const float *a = draw_row(run, 2 * half, 2.f), *b = draw_row(run, 2 * half, 2.f);
    k->strassen_inputs(draw_matrix(run, 4, half, stride, 0), stride, a, b, half);
}

static void run_strassen_output(const struct kernels *k, struct kernel_run *run)
{
    const int n = KERNEL_BLOCK * draw_int(run, 1, 6);
    const float *z = draw_row(run, n, 2.f), *v = draw_row(run, n, 2.f), *t = draw_row(run, n, 2.f);
    k->strassen_output(draw_row(run, n, 0), z, v, t, n);
}

static void run_winograd_weights(const struct kernels *k, struct kernel_run *run)
{
    const int stride = KERNEL_BLOCK + draw_int(run, 0, 5);
    const float *w = draw_row(run, 9 * KERNEL_BLOCK, 1.f);
    k->winograd_weights(draw_matrix(run, TILE_INPUTS, KERNEL_BLOCK, stride, 0), stride, w);
}

static void run_product(const struct kernels *k, struct kernel_run *run)
{
    const int rows = draw_int(run, 1, 40), channels = draw_int(run, 1, 40),
              cols = KERNEL_BLOCK * draw_int(run, 1, 8);
    const int in_stride = channels + draw_int(run, 0, 4), out_stride = cols + draw_int(run, 0, 4);
    const int weight_stride = channels * KERNEL_BLOCK + draw_int(run, 0, 4);
    const float *in = draw_matrix(run, rows, channels, in_stride, 2.f);
    const float *weights = draw_matrix(run, cols / KERNEL_BLOCK, channels * KERNEL_BLOCK, weight_stride, 1.f);
    k->product(draw_matrix(run, rows, cols, out_stride, 0), out_stride, in, in_stride, weights, weight_stride,
               rows, channels, cols);
}

/* Of any values, or of zeros of both signs. */
static void run_maximum_window(const struct kernels *k, struct kernel_run *run)
{
    const int rows = draw_int(run, 1, 5), cols = draw_int(run, 1, 5), channels = draw_int(run, 1, 140);
    const int width = cols + draw_int(run, 0, 2), zeros = draw_int(run, 0, 1);
    const ptrdiff_t pixel = channels + draw_int(run, 0, 4);
    float *x = draw_matrix(run, rows * width, channels, pixel, 9.f);
    for (int p = 0; zeros && p < rows * width; p++)
        for (int c = 0; c < channels; c++) x[p * pixel + c] *= 0.f;
    k->maximum_window(draw_row(run, channels, 0), x, width * pixel, pixel, rows, cols, channels);
}

/* The output is the largest value of its window or one like it. */
static void run_maximum_backward(const struct kernels *k, struct kernel_run *run)
{
    struct pool_block b = {
        .rows = draw_int(run, 1, 5), .cols = draw_int(run, 1, 5), .channels = draw_int(run, 1, 70)};
    const int pixels = b.rows * b.cols;
    b.x_pixel = b.channels + draw_int(run, 0, 4);
    b.dx_pixel = b.channels + draw_int(run, 0, 4);
    b.x_row = b.cols * b.x_pixel;
    b.dx_row = b.cols * b.dx_pixel;
    const float *x = draw_matrix(run, pixels, b.channels, b.x_pixel, 2.f);
    b.x = x;
    float *y = draw_row(run, b.channels, 2.f);
    for (int c = 0; c < b.channels; c++)
        for (int p = 0; p < pixels; p++) y[c] = x[p * b.x_pixel + c] > y[c] ? x[p * b.x_pixel + c] : y[c];
    b.y = y;
    b.dy = draw_row(run, b.channels, 2.f);
    b.dx = draw_matrix(run, pixels, b.channels, b.dx_pixel, 1.f);
    k->maximum_backward(&b);
}

const struct kernel_case conv_cases[] = {
    {"conv", run_conv},
    {"outer", run_outer},
    {"depthwise", run_depthwise},
    {"depthwise_outer", run_depthwise_outer},
    {"winograd_input", run_winograd_input},
    {"winograd_output", run_winograd_output},
    {"winograd_weights", run_winograd_weights},
    {"winograd_output_backward", run_winograd_output_backward},
    {"winograd_weights_backward", run_winograd_weights_backward},
    {"polyphase_input", run_polyphase_input},
    {"polyphase_gradient", run_polyphase_gradient},
    {"sum_rows", run_sum_rows},
    {"strassen_inputs", run_strassen_inputs},
    {"strassen_output", run_strassen_output},
    {"product", run_product},
    {"maximum_window", run_maximum_window},
    {"maximum_backward", run_maximum_backward},
};
const int conv_case_count = (int)(sizeof conv_cases / sizeof conv_cases[0]);
