/* Graph: a network as data.
 *
 * A model is a function that appends nodes to a graph for one input size; the same graph serves inference
 * (batch norm folded, buffers reused) and training. Tensors are NHWC float32 views into storages: a
 * concatenation re-homes its inputs as channel ranges of one storage, so producers write where consumers read
 * and nothing is copied.
 *
 * Build (this file) -> plan for a batch and a mode, and run (net.h). */
#ifndef RETORT_NN_GRAPH_H
#define RETORT_NN_GRAPH_H

#include "base/arena.h"
#include "base/status.h"
#include "kernels/kernels.h"
#include "nn/params.h"

#include <stdbool.h>

enum { GRAPH_MAX_INPUTS = 2, GRAPH_MAX_PARAMS = 5, GRAPH_MAX_OUTPUTS = 64 };

/* A view: `channels` channels from `channel` on of every pixel of a storage. Sizes are of one image. */
struct tensor {
    int storage, channel;
    int height, width, channels;
    bool needs_gradient; /* a trainable parameter, or the input where asked, lies upstream */
};

/* What views look into; its pixel stride is its channel count. Floats, or bytes where quant_apply (quant.h)
 * said so: byte q of channel c stands for (q - zero[c]) * scale[c]. */
struct storage {
    int height, width, channels;
    const float *scale; /* NULL: floats */
    const uint8_t *zero;
};

enum op_kind {
    OP_CONV,       /* convolution, then batch norm or bias, then activation */
    OP_ADD,        /* a + b */
    OP_COPY,       /* into a concatenation that could not be a view */
    OP_MAX_POOL,   /* square window, stride, -inf padding */
    OP_UPSAMPLE,   /* nearest, factor 2 */
    OP_BILINEAR,   /* resize to a given size, corners aligned */
    OP_GATHER,     /* per-head channel ranges made contiguous */
    OP_ATTENTION,  /* softmax(scale * q k^T) v per head over all pixels */
    OP_ACTIVATION, /* elementwise */
    OP_LAYER_NORM, /* over the channels of each pixel */
    OP_SCALE_ADD,  /* x + gamma * f, gamma per channel */
    OP_TOKENS,     /* patch grid to a token row: class token, registers, position table */
    OP_MEAN,       /* over all pixels */
    /* What quant_apply puts in their places; inference only. */
    OP_CONV_INT8,  /* convolution of bytes, with bias, activation and, where there is one, a second input
                      added behind it; into bytes or floats */
    OP_QUANTISE,   /* floats to bytes */
    OP_DEQUANTISE, /* bytes to floats */
    OP_COPY_INT8,  /* OP_COPY, OP_MAX_POOL and OP_UPSAMPLE on bytes of one scale */
    OP_MAX_POOL_INT8,
    OP_UPSAMPLE_INT8,
    OP_KINDS
};

struct conv_options {
    int kernel, stride, padding, dilation, groups; /* 0 means 1 for stride, dilation, groups */
    bool batch_norm;                               /* else a bias */
    bool linear;                                   /* kernel 1, the weight stored as [out, in] */
    float eps;                                     /* of the batch norm */
    enum activation activation;
};

/* Where q, k and v of head h lie among the channels: start + h * step. */
struct attention_options {
    int heads, key_dim, value_dim;
    int query_start, key_start, value_start, step;
    float scale; /* multiplies q */
};

struct pool_options {
    int kernel, stride, padding;
};

/* `count` ranges of `length` channels, the first at `start`, `step` apart. */
struct gather_options {
    int start, step, length, count;
};

struct token_options {
    int registers;  /* register tokens between class token and patches */
    int grid;       /* side of the stored position table */
    bool antialias; /* the resampling rule of the register models */
};

/* Parameter slots of a convolution node. */
enum { CONV_WEIGHT, CONV_BIAS, CONV_GAMMA = 1, CONV_BETA, CONV_MEAN, CONV_VARIANCE };

struct node {
    enum op_kind op;
    int inputs, input[GRAPH_MAX_INPUTS]; /* tensors */
    int output;
    int params, param[GRAPH_MAX_PARAMS];
    const char *name;                /* of the layer, for plans, profiles and messages */
    const struct quant_layer *quant; /* of OP_CONV_INT8 */
    union {
        struct conv_options conv;
        struct attention_options attention;
        struct pool_options pool;
        struct gather_options gather;
        struct token_options tokens;
        enum activation activation;
        float eps;
    } as;
};

struct graph {
    struct arena arena;
    struct params *params;
    struct tensor *tensors;
    struct storage *storages;
    struct node *nodes;
    int tensor_count, storage_count, node_count;
    int tensor_capacity, storage_capacity, node_capacity;
    int input;                              /* tensor */
    int outputs, output[GRAPH_MAX_OUTPUTS]; /* tensors kept after a run */
    bool out_of_memory;                     /* remembered, so that builders read as tables */
};

/* Starts a graph over params, which all graphs of one model share and which outlives them. graph_free ends it.
 *
 * A builder takes tensors of the graph and returns one, its output: [height, width, channels] of an image. Wrong
 * shapes are a caller's bug. When memory is short it returns 0, as does every builder after it, and graph_finish
 * says so. */
void graph_begin(struct graph *graph, struct params *params);
int graph_input(struct graph *graph, int height, int width, int channels, bool needs_gradient);

/* A convolution's tensors, declared without appending a node: a block declares its parts in the order of its
 * PyTorch class and uses them in the order of the computation. With batch norm the names are
 * prefix.conv.weight and prefix.bn.*, else prefix.weight and prefix.bias. */
struct conv_layer {
    int params, param[GRAPH_MAX_PARAMS];
    int in, out;
    struct conv_options options;
    char name[PARAM_MAX_NAME];
};
struct conv_layer graph_conv_layer(struct graph *graph, const char *prefix, int in, int out,
                                   struct conv_options options);

/* [H, W, in] to [H', W', out], H' = (H + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1, W' likewise.
 * Kernels up to WINDOW_MAX_KERNEL (window.h); groups divide in and out. */
int graph_conv(struct graph *graph, const struct conv_layer *layer, int x);

int graph_max_pool(struct graph *graph, int x, struct pool_options options); /* likewise */

int graph_concat(struct graph *graph, int count, const int *inputs); /* of one height and width, count >= 1 */
int graph_slice(struct graph *graph, int x, int channel, int channels); /* a view, no node */

/* To [2 * H, 2 * W, channels], [height, width, channels], [H, W, count * length], [H, W, heads * value_dim]. */
int graph_upsample(struct graph *graph, int x);
int graph_bilinear(struct graph *graph, int x, int height, int width);
int graph_gather(struct graph *graph, int x, struct gather_options options);
int graph_attention(struct graph *graph, int x, struct attention_options options);

/* These keep the shape; two inputs have the same. Parameters, one value a channel: prefix.weight and prefix.bias,
 * gamma. */
int graph_add(struct graph *graph, int a, int b);
int graph_activation(struct graph *graph, int x, enum activation activation);
int graph_layer_norm(struct graph *graph, const char *prefix, int x, float eps);
int graph_scale_add(struct graph *graph, const char *gamma, int x, int f);

/* [R, C, channels] patches to [1, 1 + registers + R*C, channels]. The parameters cls_token, pos_embed and
 * register_tokens are declared apart because a state dict has them before the patch embedding. */
struct token_layer {
    int params, param[3];
    int channels;
    struct token_options options;
};
struct token_layer graph_token_layer(struct graph *graph, int channels, struct token_options options);
int graph_tokens(struct graph *graph, const struct token_layer *layer, int x);
int graph_mean(struct graph *graph, int x); /* to [1, 1, channels] */

/* The tensor is kept after a run; at most GRAPH_MAX_OUTPUTS. */
void graph_output(struct graph *graph, int tensor);

/* Whether training moves a parameter of the node. */
bool graph_trains(const struct graph *graph, const struct node *node);

/* For rewriting a graph (quant.h): a tensor in a storage of its own, and a node as it stands. */
int graph_tensor(struct graph *graph, int height, int width, int channels);
void graph_append(struct graph *graph, struct node node);

/* Seals the parameters; reports a shortage of memory met on the way. */
enum status graph_finish(struct graph *graph, struct error *err);
void graph_free(struct graph *graph);

#endif
