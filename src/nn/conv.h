/* The parts of a convolution node: shape and packed weights (conv_pack.c), its end, batch norm or activation or
 * both (conv_end.c), weight gradient (conv_weight.c), the forms of Winograd (conv_winograd.c), for stride 2
 * (conv_polyphase.c) and of Strassen (conv_strassen.c); op_conv.c puts them together. Private to these files. */
#ifndef RETORT_NN_CONV_H
#define RETORT_NN_CONV_H

#include "nn/op.h"

enum { CONV_PATCH_CHANNELS = 4 }; /* a group with at most so many input channels is gathered into patches */

struct conv_weight_form;

struct conv_shape {
    const struct conv_options *options;
    int in, out, in_group, out_group, taps, depth; /* depth = taps * in_group, the length of a chain */
    bool depthwise, patches, winograd, polyphase, strassen;
    const struct conv_weight_form *weight_form; /* NULL: the direct one */
};
struct conv_shape conv_shape_of(const struct net *net, const struct node *node);

static inline int conv_blocks(int channels) { return (channels + KERNEL_BLOCK - 1) / KERNEL_BLOCK; }

/* Packed weights: forward, bias, and where the input needs a gradient the transposed ones, in phase order. */
size_t conv_packed(const struct net *net, const struct node *node);
void conv_pack(struct net *net, const struct node *node);
/* A row of 16 lanes from a run of each: to[lane] = from[lane][k]. */
enum { CONV_RUN = 64 };
void conv_pack_lanes(float *to, const float (*from)[CONV_RUN], int k);
/* The weights of a 3x3 convolution, block by block of 16 outputs, or backward of 16 inputs, and in each by place of the
 * chain: w[position in the kernel][16]. Turned: positions from the last to the first. */
typedef void conv_nine_body(void *context, int block, int place, const float *w);
void conv_pack_nines(const struct net *net, const struct node *node, bool backward, bool turned, conv_nine_body *body,
                     void *context);
/* What folds a batch norm into output o, in double; 1 where nothing is folded. */
double conv_fold_factor(const struct net *net, const struct node *node, int o);
const float *conv_packed_bias(const struct net *net, const struct node *node, const struct conv_shape *s);
const float *conv_packed_backward(const struct net *net, const struct node *node, const struct conv_shape *s);

/* Whether a batch norm or an activation follows. Training then takes z, what is there before both, as the node's
 * middle (op.h); where that is dropped, forward goes on in place. It saves a batch norm's mean and
 * 1 / sqrt(variance + eps). */
static inline bool conv_has_end(const struct node *node)
{
    return node->as.conv.batch_norm || node->as.conv.activation != ACT_NONE;
}
size_t conv_saved(const struct net *net, const struct node *node);
size_t conv_middle(const struct net *net, const struct node *node);
struct view conv_z(const struct net *net, const struct node *node);

/* From z to the output, with batch or running statistics as the mode says; replay: with the saved ones. */
void conv_end_forward(struct net *net, const struct node *node);
void conv_end_replay(struct net *net, const struct node *node);

/* What the passes over a convolution's end read and write: forward z and y, backward z and dy. */
struct conv_end {
    const struct net *net;
    const struct node *node;
    struct view z, y, dy; /* backward dy becomes dz, the gradient of z, in place */
    struct norm_params norm;
    const float *scale, *a, *b; /* backward, with a batch norm */
};

/* Adds the gradients of gamma and beta, or of the bias. Batch norm's rows [begin, end) of dz are left to
 * conv_end_backward_rows, once each, while the first conv_kept floats of op_scratch stay as they are. */
struct conv_end conv_end_backward_begin(struct net *net, const struct node *node, struct view dy);
void conv_end_backward_rows(const struct conv_end *e, int64_t begin, int64_t end);
void conv_end_backward_all(const struct conv_end *e); /* all rows */
size_t conv_end_scratch(const struct view *y);

/* op_scratch begins with what those rows need; the rest is for sums, of the end and of the weight's gradient. */
static inline size_t conv_kept(int channels) { return op_aligned(3 * (size_t)channels); }
static inline float *conv_scratch_rest(const struct net *net, int channels)
{
    return op_scratch(net) + conv_kept(channels);
}

/* Whether the weight's gradient makes what the end has left of dz, each image's just before it is read; else its rows
 * must have been made. */
bool conv_weight_makes_dz(const struct conv_shape *s, int images, int threads);
/* Adds the weight's gradient, which must not be frozen, from dz and the input. */
void conv_weight_backward(struct net *net, const struct node *node, const struct conv_shape *s,
                          const struct conv_end *end);
size_t conv_weight_scratch(const struct conv_shape *s, int images, int threads);
size_t conv_weight_worker_scratch(const struct conv_shape *s, const struct tensor *out);

/* What the forms below compute: target = activation(convolution of source + bias (or NULL) + target where accumulate),
 * or the same from the gradient of the output to that of the input, which has no bias and no activation. */
struct conv_walk {
    const struct net *net;
    struct view source, target;
    const float *weights, *bias;
    bool accumulate; /* gradients only */
    enum activation activation;
};

/* A weight gradient from sums over the tiles of an image (conv_tiles.h), side x side outputs each: `sums` of them for
 * each pair of channels, `stride` floats apart, each [n][out] for n input channels from `first` on. */
struct conv_weight_tiles {
    const struct net *net;
    struct view x, dz;
};
struct conv_weight_form {
    int side, sums, most_tiles; /* of a block */
    int floats; /* of sums that stay in a cache: input channels are taken in so large pieces */
    /* Begins the sums with a block of tiles, or goes on with it. */
    void (*block)(const struct conv_weight_tiles *g, int64_t tile, int tiles, int first, int n, float *sums,
                  ptrdiff_t stride, float *scratch, bool goes_on);
    size_t (*scratch)(int n, int out); /* of a block, in floats */
    /* From sums, which may change, to the gradient: to[(i * 9 + kernel position) * out + o]. */
    void (*finish)(const struct net *net, float *sums, ptrdiff_t stride, int n, int out, float *to);
};

/* The Winograd form. Whether a node takes it follows from shape, mode and plan; forward and data gradient agree, and
 * the weight gradient takes it by its own rule. */
bool conv_winograd(const struct net *net, const struct node *node);
bool conv_winograd_weight(const struct net *net, const struct node *node);
extern const struct conv_weight_form conv_winograd_form;

/* Transforms the weights that the direct form would use; backward: those that turn the gradient of the output
 * into that of the input. */
size_t conv_winograd_floats(int in, int out);
void conv_winograd_pack(const struct net *net, const struct node *node, bool backward, float *packed);
void conv_winograd_run(const struct conv_walk *walk); /* in either direction */
size_t conv_winograd_worker_scratch(int in, int out);

/* The polyphase form of stride 2, forward and both gradients; whether a node takes it follows likewise. */
bool conv_polyphase(const struct net *net, const struct node *node);
extern const struct conv_weight_form conv_polyphase_form;

size_t conv_polyphase_floats(int in, int out, bool backward);
void conv_polyphase_pack(const struct net *net, const struct node *node, bool backward, float *packed);
void conv_polyphase_forward(const struct conv_walk *walk);
void conv_polyphase_backward(const struct conv_walk *walk);
size_t conv_polyphase_worker_scratch(int in, int out, bool backward);

/* Strassen's form, forward only; whether a node takes it follows from shape and plan. */
bool conv_strassen(const struct net *net, const struct node *node);

size_t conv_strassen_floats(int in, int out);
void conv_strassen_pack(const struct net *net, const struct node *node, float *packed);
/* From the bias of `out` outputs to what conv_strassen_run reads, in place. */
void conv_strassen_pack_bias(float *bias, int out);

void conv_strassen_run(const struct conv_walk *walk);
size_t conv_strassen_worker_scratch(const struct view *source, const struct view *target, int threads);

#endif
