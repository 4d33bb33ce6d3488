/* Depthwise convolution and its weight gradient. Channels are chains of their own; tiles cover some pixels
 * and the channels of one block, so that whole cache lines are read. */
#define MR TILE_ROWS
#define NV TILE_VECTORS
#include "kernels/tile_depthwise.h"

/* Channels [c, channels) of some pixels, one vector at a time. */
static void depthwise_rest(const struct depthwise_block *b, int p, int pixels, int c)
{
    for (const int end = p + pixels; p < end; p++)
        FOR_VECTORS(i, lanes, b->channels - c, {
            float *out = b->out[p] + c + i;
            vf y = b->bias         ? vf_load_lanes(b->bias + c + i, lanes, 0.f)
                   : b->accumulate ? vf_load_lanes(out, lanes, 0.f)
                                   : vf_set1(0.f);
            for (int t = 0; t < b->taps; t++)
                y = vf_fma(vf_load_lanes(b->in[t * b->pixels + p] + c + i, lanes, 0.f),
                           vf_load_lanes(b->weights + (ptrdiff_t)t * b->channels + c + i, lanes, 0.f), y);
            vf_store_lanes(out, vf_activate(y, b->activation), lanes);
        });
}

static void depthwise(const struct depthwise_block *b)
{
    const int whole = b->channels / TILE_COLUMNS * TILE_COLUMNS, flush = b->activation == ACT_NONE;
    int p = 0;
    for (; p + TILE_ROWS <= b->pixels; p += TILE_ROWS) {
        for (int c = 0; c < whole; c += TILE_COLUMNS) {
            TILE_NAME(depthwise_tile, TILE_ROWS, TILE_VECTORS)
            (b->in + p, b->pixels, b->taps, b->weights, b->channels, b->bias, b->accumulate, b->out + p, c,
             flush);
            if (!flush) activate_tile(b->out + p, TILE_ROWS, c, TILE_COLUMNS, b->activation);
        }
        if (whole < b->channels) depthwise_rest(b, p, TILE_ROWS, whole);
    }
    depthwise_rest(b, p, b->pixels - p, 0);
}

/* ---- Weight gradient ---- */

enum {
    DEPTHWISE_TAPS = 9,     /* taken together */
    DEPTHWISE_PIECE = 64,   /* pixels whose pointers and values stay in the nearest cache */
    DEPTHWISE_CHANNELS = 32 /* whose chains wait on the stack between pieces */
};

/* acc[t * stride] continued over some pixels, nine taps of one vector of channels. */
static void depthwise_nine(float *acc, ptrdiff_t stride, const float *const *in, int in_stride, ptrdiff_t c,
                           const float *dy, ptrdiff_t dy_stride, int pixels)
{
#define DECLARE(t) vf a##t = vf_load(acc + t * stride);
#define CONTINUE(t) a##t = vf_fma(vf_load(in[t * in_stride + p] + c), d, a##t);
#define STORE(t) vf_store(acc + t * stride, a##t);
    ROWS_9(DECLARE)
    for (int p = 0; p < pixels; p++) {
        const vf d = vf_load(dy + p * dy_stride + c);
        ROWS_9(CONTINUE)
    }
    ROWS_9(STORE)
#undef DECLARE
#undef CONTINUE
#undef STORE
}

/* The same for any number of taps, one after the other, and part of a vector. */
static void depthwise_taps(float *acc, ptrdiff_t stride, const float *const *in, int in_stride, int taps,
                           ptrdiff_t c, const float *dy, ptrdiff_t dy_stride, int pixels, int lanes)
{
    for (int t = 0; t < taps; t++, in += in_stride, acc += stride) {
        vf a = vf_load_lanes(acc, lanes, 0.f);
        for (int p = 0; p < pixels; p++)
            a = vf_fma(vf_load_lanes(in[p] + c, lanes, 0.f),
                       vf_load_lanes(dy + p * dy_stride + c, lanes, 0.f), a);
        vf_store_lanes(acc, a, lanes);
    }
}

/* Taps [0, taps), at most DEPTHWISE_TAPS, of channels [c, c + channels), at most DEPTHWISE_CHANNELS. */
static void depthwise_outer_block(float *dw, ptrdiff_t dw_stride, const float *const *in, int in_stride,
                                  const float *dy, ptrdiff_t dy_stride, int pixels, int taps, int c,
                                  int channels, int first)
{
    _Alignas(64) float acc[DEPTHWISE_TAPS][DEPTHWISE_CHANNELS] = {{0}};
    for (int p = 0; p < pixels; p += DEPTHWISE_PIECE) {
        const int n = pixels - p < DEPTHWISE_PIECE ? pixels - p : DEPTHWISE_PIECE;
        const float *const *from = in + p, *rows = dy + p * dy_stride;
        FOR_VECTORS(i, lanes, channels, {
            if (taps == DEPTHWISE_TAPS && lanes == VW)
                depthwise_nine(acc[0] + i, DEPTHWISE_CHANNELS, from, in_stride, c + i, rows, dy_stride, n);
            else
                depthwise_taps(acc[0] + i, DEPTHWISE_CHANNELS, from, in_stride, taps, c + i, rows, dy_stride,
                               n, lanes);
        });
    }
    for (int t = 0; t < taps; t++, dw += dw_stride)
        FOR_VECTORS(i, lanes, channels, {
            const vf a = vf_load_lanes(acc[t] + i, lanes, 0.f);
            vf_store_lanes(dw + c + i, first ? a : vf_add(vf_load_lanes(dw + c + i, lanes, 0.f), a), lanes);
        });
}

static void depthwise_outer(float *dw, const float *const *in, const float *dy, ptrdiff_t dy_stride,
                            int pixels, int taps, int channels, int first)
{
    for (int t = 0; t < taps; t += DEPTHWISE_TAPS)
        for (int c = 0; c < channels; c += DEPTHWISE_CHANNELS)
            depthwise_outer_block(
                dw + (ptrdiff_t)t * channels, channels, in + (ptrdiff_t)t * pixels, pixels, dy, dy_stride,
                pixels, taps - t < DEPTHWISE_TAPS ? taps - t : DEPTHWISE_TAPS, c,
                channels - c < DEPTHWISE_CHANNELS ? channels - c : DEPTHWISE_CHANNELS, first);
}
