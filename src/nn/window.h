/* Windows: which source pixel each tap of each output pixel reads.
 *
 * Forward and data gradient of a convolution are the same walk. A grid of output pixels reads, per tap, the
 * source pixel (y * step + dy[tap], x * step + dx[tap]); outside the source it reads a row of zeros. Forward
 * has one grid with step = stride. The data gradient has stride * stride grids ("phases", one for each
 * remainder of the position), each with step 1 and only the taps that meet it, so nothing is scattered and no
 * zero is multiplied. */
#ifndef RETORT_NN_WINDOW_H
#define RETORT_NN_WINDOW_H

#include "nn/net.h"

enum { WINDOW_MAX_KERNEL = 16, WINDOW_MAX_TAPS = WINDOW_MAX_KERNEL * WINDOW_MAX_KERNEL };

struct window {
    int height, width; /* grid of outputs of one image */
    int step, taps;
    int dy[WINDOW_MAX_TAPS], dx[WINDOW_MAX_TAPS];
    int tap[WINDOW_MAX_TAPS]; /* kernel position kh * kernel + kw of each tap */
    int first_y, first_x, stride_y,
        stride_x; /* output (j, i) is pixel (first_y + j * stride_y, ...) of its view */
};

struct window window_forward(const struct conv_options *conv, int out_height, int out_width);

/* Phase (py, px) of the gradient by an input of the given size; taps in descending kernel position. */
struct window window_backward(const struct conv_options *conv, int in_height, int in_width, int py, int px);

/* Outputs [begin, begin + count) of the grids of all images: in[t * count + i] for source, out[i] for target.
 * channel offsets select a group. */
void window_inputs(const struct window *window, const struct view *source, int channel, const float *zeros,
                   int64_t begin, int count, const float **in);
void window_outputs(const struct window *window, const struct view *target, int channel, int64_t begin,
                    int count, float **out);

/* How many taps, from each multiple of this number on, lie one after the other in the source: those of a
 * kernel row, or 1. */
int window_adjacent(const struct window *window, const struct view *source, int channels);

/* Pointers to taps [tap, tap + taps) of each input one after the other, taps * channels floats: into the
 * source where they lie so, else to copies in `patches`, which has room for all. zeros: as many floats as a
 * tap has. */
void window_rows(const struct window *window, int tap, int taps, const struct view *source, int channel,
                 int channels, const float *zeros, int64_t begin, int count, const float **in,
                 float *patches);

#endif
