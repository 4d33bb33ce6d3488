/* The product kernels on shapes around every register tile: convolution, weight gradient, depthwise. */
#include "golden.h"

#include <stdio.h>

enum { TAPS = 9, PIXELS = 23, CHANNELS = 37, COUT = 83, BLOCKS = (COUT + KERNEL_BLOCK - 1) / KERNEL_BLOCK };

static float x[TAPS * PIXELS][CHANNELS], y[PIXELS][COUT], dw[CHANNELS][COUT];
static float weights[BLOCKS][TAPS][CHANNELS][KERNEL_BLOCK], bias[BLOCKS * KERNEL_BLOCK];
static const float *in[TAPS * PIXELS];
static float *out[PIXELS];

/* Rows of inputs are read where they stand: block kernels take [taps][pixels] pointers with the stride of the
 * call. */
static void point(int taps, int pixels)
{
    for (int t = 0; t < taps; t++)
        for (int p = 0; p < pixels; p++) in[t * pixels + p] = x[t * PIXELS + p];
}

static void conv(struct golden *golden)
{
    static const struct {
        int pixels, taps, channels, cout;
        enum activation activation;
    } shapes[] = {
        {1, 1, 1, 1, ACT_NONE},     {5, 1, 37, 16, ACT_SILU},  {10, 9, 3, 32, ACT_SILU},
        {23, 9, 37, 83, ACT_RELU},  {7, 4, 16, 64, ACT_RELU6}, {4, 1, 33, 80, ACT_GELU},
        {23, 1, 8, 8, ACT_SIGMOID}, {6, 2, 5, 17, ACT_NONE},
    };
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        char stage[64];
        struct conv_block block = {.in = in,
                                   .out = out,
                                   .pixels = shapes[s].pixels,
                                   .taps = shapes[s].taps,
                                   .channels = shapes[s].channels,
                                   .cout = shapes[s].cout,
                                   .weights = weights[0][0][0],
                                   .weight_stride =
                                       (ptrdiff_t)shapes[s].taps * shapes[s].channels * KERNEL_BLOCK,
                                   .bias = bias,
                                   .activation = shapes[s].activation};
        point(block.taps, block.pixels);
        golden->kernels->fill(y[0], COUT, 0.f, PIXELS, COUT);
        golden->kernels->conv(&block);
        snprintf(stage, sizeof stage, "conv.%dx%dx%dx%d", block.pixels, block.taps, block.channels,
                 block.cout);
        golden_emit(golden, stage, y[0], PIXELS * COUT);
        block.bias = NULL;
        block.start = out;
        block.activation = ACT_NONE;
        golden->kernels->conv(&block);
        snprintf(stage, sizeof stage, "conv.%dx%dx%dx%d-continued", block.pixels, block.taps, block.channels,
                 block.cout);
        golden_emit(golden, stage, y[0], PIXELS * COUT);
    }
}

/* The chain's sum, twice. */
static void outer(struct golden *golden)
{
    enum { COLUMNS = BLOCKS * KERNEL_BLOCK };
    static float dy[PIXELS][COUT], packed[BLOCKS][PIXELS][KERNEL_BLOCK], sum[CHANNELS][COLUMNS];
    golden_uniform(dy[0], "conv.dy", PIXELS * COUT, 1);
    for (int p = 0; p < PIXELS; p++)
        for (int c = 0; c < COUT; c++) packed[c / KERNEL_BLOCK][p][c % KERNEL_BLOCK] = dy[p][c];
    point(1, PIXELS);
    golden->kernels->outer(&(struct outer_block){.x = in,
                                                 .dy = packed[0][0],
                                                 .dy_step = KERNEL_BLOCK,
                                                 .dy_block = PIXELS * KERNEL_BLOCK,
                                                 .pixels = PIXELS,
                                                 .rows = CHANNELS,
                                                 .cols = COUT,
                                                 .dw = sum[0],
                                                 .dw_stride = COLUMNS});
    golden->kernels->add(dw[0], COUT, sum[0], COLUMNS, sum[0], COLUMNS, CHANNELS, COUT);
    golden_emit(golden, "conv.outer", dw[0], CHANNELS * COUT);
}

static void depthwise(struct golden *golden)
{
    static float gradient[TAPS][CHANNELS];
    point(TAPS, PIXELS);
    golden->kernels->fill(y[0], COUT, 0.f, PIXELS, COUT);
    golden->kernels->depthwise(&(struct depthwise_block){.in = in,
                                                         .out = out,
                                                         .pixels = PIXELS,
                                                         .taps = TAPS,
                                                         .channels = CHANNELS,
                                                         .weights = weights[0][0][0],
                                                         .bias = bias,
                                                         .activation = ACT_SILU});
    golden_emit(golden, "conv.depthwise", y[0], PIXELS * COUT);
    for (int first = 1; first >= 0; first--)
        golden->kernels->depthwise_outer(gradient[0], in, y[0], COUT, PIXELS, TAPS, CHANNELS, first);
    golden_emit(golden, "conv.depthwise-outer", gradient[0], TAPS * CHANNELS);
}

void golden_conv(struct golden *golden)
{
    golden_uniform(x[0], "conv.x", sizeof x / sizeof(float), 4);
    golden_uniform(weights[0][0][0], "conv.weights", sizeof weights / sizeof(float), 0.25f);
    golden_uniform(bias, "conv.bias", sizeof bias / sizeof(float), 1);
    for (int p = 0; p < PIXELS; p++) out[p] = y[p];
    conv(golden);
    outer(golden);
    depthwise(golden);
}
