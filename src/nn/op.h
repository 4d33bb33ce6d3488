/* What every operation of a graph provides, and what it may use. One file an operation, forward beside
 * backward. */
#ifndef RETORT_NN_OP_H
#define RETORT_NN_OP_H

#include "base/flush.h"
#include "nn/net.h"

#include <math.h>

/* Floats of a buffer at most: sums of some such sizes do not overflow. */
#define OP_MOST (SIZE_MAX / 16 < (uint64_t)1 << 48 ? SIZE_MAX / 16 : (size_t)((uint64_t)1 << 48))

/* a * b, or OP_MOST + 1 where that is more than OP_MOST. */
static inline size_t op_times(size_t a, size_t b) { return a && b > OP_MOST / a ? OP_MOST + 1 : a * b; }

/* Rounded up to whole blocks of packed weights, which are also cache lines. */
static inline size_t op_aligned(size_t floats)
{
    return (floats + KERNEL_BLOCK - 1) / KERNEL_BLOCK * KERNEL_BLOCK;
}

/* Sizes are in floats and may be NULL for none; the plan is refused when one is over OP_MOST. What grows with
 * more than the values of an input or output and the parameters uses op_times.
 *
 * Values that backward reads need not live from forward to backward when the operation can replay: make its
 * output again, to the bit. It then reads its inputs, or `middle`: something between inputs and output that
 * backward reads. The planner keeps the middle, or drops it (net->dropped); then replay makes it again, too,
 * and forward may use the output's place for it. pack fills packed weights from the parameters. backward
 * reads the gradient of the output (which it may overwrite) and writes, or adds to where op_accumulates says
 * so, the gradient of each input that needs one. */
struct op {
    bool reads_inputs, reads_output; /* in the backward pass: these values must still be there */
    size_t (*saved)(const struct net *net, const struct node *node);   /* kept from forward to backward */
    size_t (*middle)(const struct net *net, const struct node *node);  /* kept or made again; needs replay */
    size_t (*packed)(const struct net *net, const struct node *node);  /* lives with the net */
    size_t (*scratch)(const struct net *net, const struct node *node); /* during one call, shared */
    size_t (*worker_scratch)(const struct net *net,
                             const struct node *node); /* during one call, per thread */
    void (*pack)(struct net *net, const struct node *node);
    void (*forward)(struct net *net, const struct node *node);
    void (*backward)(struct net *net, const struct node *node);
    void (*replay)(struct net *net, const struct node *node); /* NULL: the output is kept */
    const char *(*algorithm)(const struct net *net,
                             const struct node *node); /* a word for reports, or NULL */
};

extern const struct op op_conv, op_add, op_copy, op_max_pool, op_upsample, op_bilinear, op_gather,
    op_attention, op_activation, op_layer_norm, op_scale_add, op_tokens, op_mean, op_conv_int8, op_quantise,
    op_dequantise, op_copy_int8, op_max_pool_int8, op_upsample_int8;

static inline int op_index(const struct net *net, const struct node *node)
{
    return (int)(node - net->graph->nodes);
}
static inline float *op_saved(const struct net *net, const struct node *node)
{
    return net->memory + net->saved_offset[op_index(net, node)];
}
static inline float *op_middle(const struct net *net, const struct node *node)
{
    return net->memory + net->middle_offset[op_index(net, node)];
}
static inline bool op_dropped(const struct net *net, const struct node *node)
{
    return net->dropped[op_index(net, node)];
}
static inline float *op_packed(const struct net *net, const struct node *node)
{
    return net->memory + net->packed_offset[op_index(net, node)];
}
static inline float *op_worker_scratch(const struct net *net, int worker)
{
    return net->memory + net->worker_offset + (size_t)worker * net->worker_floats;
}
static inline float *op_scratch(const struct net *net) { return net->memory + net->scratch_offset; }
static inline const float *op_zeros(const struct net *net) { return net->memory + net->zeros_offset; }
static inline bool op_training(const struct net *net) { return net->options.mode != NET_INFERENCE; }

static inline struct view op_input(const struct net *net, const struct node *node, int i)
{
    return net_value(net, node->input[i]);
}
static inline struct view op_output(const struct net *net, const struct node *node)
{
    return net_value(net, node->output);
}
static inline bool op_needs_gradient(const struct net *net, const struct node *node, int i)
{
    return net->graph->tensors[node->input[i]].needs_gradient;
}
static inline bool op_accumulates(const struct net *net, const struct node *node, int i)
{
    return net->accumulate[op_index(net, node) * GRAPH_MAX_INPUTS + i];
}
static inline const float *op_param(const struct net *net, const struct node *node, int i)
{
    return params_values(net->graph->params, node->param[i]);
}

/* Where the gradient of parameter i is added, or NULL when it is frozen. */
static inline float *op_param_gradient(const struct net *net, const struct node *node, int i)
{
    const struct param *param = net->graph->params->list + node->param[i];
    return param->frozen ? NULL : net->gradients + param->offset;
}

/* Adds sums over all pixels to the gradient of parameter i, or to net->sums. */
static inline void op_add_sums(const struct net *net, const struct node *node, int i, const double *sums)
{
    float *gradient = op_param_gradient(net, node, i);
    if (!gradient) return;
    const size_t n = net->graph->params->list[node->param[i]].size;
    if (net->sums) {
        double *to = net->sums->values + net->sums->offset[node->param[i]];
        for (size_t k = 0; k < n; k++) to[k] += sums[k];
    } else {
        for (size_t k = 0; k < n; k++) gradient[k] += (float)sums[k];
    }
}

/* Rows [begin, end) of a view, as pointer to the first. */
static inline float *view_row(const struct view *view, int64_t row)
{
    return view->data + row * view->stride;
}

static inline float *view_pixel(const struct view *view, int64_t image, int y, int x)
{
    return view_row(view, (image * view->height + y) * view->width + x);
}

/* Writes rows of `from` into `to`, or adds them. */
void op_deliver(struct net *net, struct view to, struct view from, bool accumulate);

/* to = activation(from), which may be one view. Backward turns the gradient of the result into that of x, in
 * place. */
void op_activate(struct net *net, struct view to, struct view from, enum activation activation);
void op_activate_backward(struct net *net, struct view dy, struct view x, enum activation activation);

#endif
