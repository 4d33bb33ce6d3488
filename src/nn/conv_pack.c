/* The shape of a convolution and its packed weights. */
#include "nn/conv.h"

#include "nn/window.h"

#include <assert.h>
#include <string.h>

enum { PATCH_CHANNELS = 4 }; /* a group with at most so many input channels is gathered into patches */

struct conv_shape conv_shape_of(const struct net *net, const struct node *node)
{
    const struct conv_options *o = &node->as.conv;
    const int in = net->graph->tensors[node->input[0]].channels,
              out = net->graph->tensors[node->output].channels;
    const int taps = o->kernel * o->kernel, in_group = in / o->groups;
    return (struct conv_shape){.options = o,
                               .in = in,
                               .out = out,
                               .in_group = in_group,
                               .out_group = out / o->groups,
                               .taps = taps,
                               .depth = taps * in_group,
                               .depthwise = o->groups == in && in == out && in > 1,
                               .patches = in_group <= PATCH_CHANNELS && taps > 1};
}

static size_t forward_floats(const struct conv_shape *s)
{
    return s->depthwise ? (size_t)s->taps * (size_t)s->in
                        : (size_t)s->options->groups * (size_t)conv_blocks(s->out_group) * (size_t)s->depth *
                              KERNEL_BLOCK;
}

static size_t bias_floats(const struct conv_shape *s)
{
    return (size_t)s->options->groups * (size_t)conv_blocks(s->out_group) * KERNEL_BLOCK;
}

static size_t backward_floats(const struct conv_shape *s)
{
    return s->depthwise ? (size_t)s->taps * (size_t)s->in
                        : (size_t)s->options->groups * (size_t)conv_blocks(s->in_group) * (size_t)s->taps *
                              (size_t)s->out_group * KERNEL_BLOCK;
}

size_t conv_packed(const struct net *net, const struct node *node)
{
    const struct conv_shape s = conv_shape_of(net, node);
    const bool backward = op_training(net) && op_needs_gradient(net, node, 0);
    return conv_aligned(forward_floats(&s)) + conv_aligned(bias_floats(&s)) +
           (backward ? backward_floats(&s) : 0);
}

/* Factor and bias that fold a batch norm into channel o: computed in double, each product rounded once. */
static double fold_factor(const struct net *net, const struct node *node, int o)
{
    if (!node->as.conv.batch_norm || op_training(net)) return 1.0;
    return op_param(net, node, CONV_GAMMA)[o] /
           sqrt((double)op_param(net, node, CONV_VARIANCE)[o] + (double)node->as.conv.eps);
}

static double fold_bias(const struct net *net, const struct node *node, int o)
{
    if (!node->as.conv.batch_norm) return op_param(net, node, CONV_BIAS)[o];
    if (op_training(net)) return 0.0;
    return op_param(net, node, CONV_BETA)[o] - op_param(net, node, CONV_MEAN)[o] * fold_factor(net, node, o);
}

static void pack_forward(const struct net *net, const struct node *node, const struct conv_shape *s,
                         float *packed)
{
    const float *weight = op_param(net, node, CONV_WEIGHT); /* [out][in_group][taps] */
    float *bias = packed + conv_aligned(forward_floats(s));
    memset(packed, 0, (conv_aligned(forward_floats(s)) + bias_floats(s)) * sizeof *packed);
    for (int o = 0; o < s->out; o++) {
        const int group = o / s->out_group, local = o % s->out_group;
        const int block = group * conv_blocks(s->out_group) + local / KERNEL_BLOCK,
                  lane = local % KERNEL_BLOCK;
        const double factor = fold_factor(net, node, o);
        for (int i = 0; i < s->in_group; i++)
            for (int t = 0; t < s->taps; t++) {
                const float w = op_flushed(
                    weight[((size_t)o * (size_t)s->in_group + (size_t)i) * (size_t)s->taps + (size_t)t] *
                    factor);
                if (s->depthwise)
                    packed[t * s->in + o] = w;
                else
                    packed[((size_t)block * (size_t)s->depth + (size_t)(t * s->in_group + i)) * KERNEL_BLOCK +
                           (size_t)lane] = w;
            }
        bias[block * KERNEL_BLOCK + lane] = op_flushed(fold_bias(net, node, o));
        if (s->depthwise) bias[o] = op_flushed(fold_bias(net, node, o));
    }
}

/* [group][block of input channels][tap in phase order][out][16]: every phase's taps are neighbours. */
static void pack_backward(const struct net *net, const struct node *node, const struct conv_shape *s,
                          float *packed)
{
    const float *weight = op_param(net, node, CONV_WEIGHT);
    memset(packed, 0, backward_floats(s) * sizeof *packed);
    int position = 0;
    for (int phase = 0; phase < s->options->stride * s->options->stride; phase++) {
        const struct window w =
            window_backward(s->options, 1, 1, phase / s->options->stride, phase % s->options->stride);
        for (int t = 0; t < w.taps; t++, position++)
            for (int o = 0; o < s->out; o++)
                for (int i = 0; i < s->in_group; i++) {
                    const float v =
                        op_flushed(weight[((size_t)o * (size_t)s->in_group + (size_t)i) * (size_t)s->taps +
                                          (size_t)w.tap[t]]);
                    if (s->depthwise) {
                        packed[position * s->in + o] = v;
                        continue;
                    }
                    const size_t block =
                        (size_t)(o / s->out_group * conv_blocks(s->in_group) + i / KERNEL_BLOCK);
                    const size_t row = (size_t)(position * s->out_group + o % s->out_group);
                    packed[(block * (size_t)s->taps * (size_t)s->out_group + row) * KERNEL_BLOCK +
                           (size_t)(i % KERNEL_BLOCK)] = v;
                }
    }
    assert(position == s->taps);
}

const float *conv_packed_bias(const struct net *net, const struct node *node, const struct conv_shape *s)
{
    return op_packed(net, node) + conv_aligned(forward_floats(s));
}

const float *conv_packed_backward(const struct net *net, const struct node *node, const struct conv_shape *s)
{
    return conv_packed_bias(net, node, s) + conv_aligned(bias_floats(s));
}

void conv_pack(struct net *net, const struct node *node)
{
    const struct conv_shape s = conv_shape_of(net, node);
    pack_forward(net, node, &s, op_packed(net, node));
    if (op_training(net) && op_needs_gradient(net, node, 0))
        pack_backward(net, node, &s, (float *)conv_packed_backward(net, node, &s));
}
