/* One convolution, or two of one input, run forward and backward on values by formula. */
#ifndef RETORT_TESTS_CHECK_LAYER_H
#define RETORT_TESTS_CHECK_LAYER_H

#include "nn/net.h"

struct shape {
    int batch, height, width, in, out;
};

struct layer {
    struct params params;
    struct graph graph;
    struct net net;
    int x, y;
    int other;     /* output of a second convolution of x; -1: there is none */
    float *output; /* y's values: their place may serve others in the backward pass */
    float *gradients;
};

/* The table that this machine takes. */
const struct kernels *kernels_here(void);

/* The convolution "c"; its parameters have values by formula, input and gradients have none yet. */
void layer_make(struct layer *l, struct shape s, struct conv_options options, struct net_options net);

/* With a later convolution "d" of the same input and options and of other_out outputs. Backward goes from the last
 * node to the first: d writes the gradient of x, c adds to it. */
void layer_make_two(struct layer *l, struct shape s, int other_out, struct conv_options options,
                    struct net_options net);

/* Fills the input and the outputs' gradients; runs forward and backward. */
void layer_fill(struct layer *l);
void layer_run(struct layer *l);

/* layer_make in training, layer_fill and layer_run. */
void layer_start(struct layer *l, struct shape s, struct conv_options options, enum net_plan plan,
                 int threads);
void layer_end(struct layer *l);

/* Element (row, column) of one image and channel, 0 outside. */
double at(const struct view *v, int image, int row, int column, int channel);

#endif
