/* The shape of a convolution and its packed weights. */
#include "nn/conv.h"

#include "nn/fold.h"
#include "nn/window.h"

#include <assert.h>
#include <string.h>

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
                               .patches = in_group <= CONV_PATCH_CHANNELS && taps > 1,
                               .winograd = conv_winograd(net, node),
                               .polyphase = conv_polyphase(net, node),
                               .weight_form = conv_winograd_weight(net, node) ? &conv_winograd_form
                                              : conv_polyphase(net, node)     ? &conv_polyphase_form
                                                                              : NULL,
                               .strassen = conv_strassen(net, node)};
}

static size_t forward_floats(const struct conv_shape *s)
{
    if (s->winograd) return conv_winograd_floats(s->in, s->out);
    if (s->polyphase) return conv_polyphase_floats(s->in, s->out, false);
    if (s->strassen) return conv_strassen_floats(s->in, s->out);
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
    if (s->winograd) return conv_winograd_floats(s->in, s->out);
    if (s->polyphase) return conv_polyphase_floats(s->in, s->out, true);
    return s->depthwise ? (size_t)s->taps * (size_t)s->in
                        : (size_t)s->options->groups * (size_t)conv_blocks(s->in_group) * (size_t)s->taps *
                              (size_t)s->out_group * KERNEL_BLOCK;
}

size_t conv_packed(const struct net *net, const struct node *node)
{
    const struct conv_shape s = conv_shape_of(net, node);
    const bool backward = op_training(net) && op_needs_gradient(net, node, 0);
    return op_aligned(forward_floats(&s)) + op_aligned(bias_floats(&s)) +
           (backward ? backward_floats(&s) : 0);
}

double conv_fold_factor(const struct net *net, const struct node *node, int o)
{
    if (!node->as.conv.batch_norm || op_training(net)) return 1.0;
    return fold_factor(op_param(net, node, CONV_GAMMA)[o], op_param(net, node, CONV_VARIANCE)[o],
                       node->as.conv.eps);
}

static double start_of(const struct net *net, const struct node *node, int o)
{
    if (!node->as.conv.batch_norm) return op_param(net, node, CONV_BIAS)[o];
    if (op_training(net)) return 0.0;
    return fold_bias(op_param(net, node, CONV_BETA)[o], op_param(net, node, CONV_MEAN)[o],
                     conv_fold_factor(net, node, o));
}

static void pack_depthwise(const struct net *net, const struct node *node, const struct conv_shape *s,
                           float *packed)
{
    const float *weight = op_param(net, node, CONV_WEIGHT); /* [channels][taps] */
    for (int o = 0; o < s->out; o++) {
        const double factor = conv_fold_factor(net, node, o);
        for (int t = 0; t < s->taps; t++)
            packed[t * s->in + o] = flush_double(weight[o * s->taps + t] * factor);
    }
}

void conv_pack_lanes(float *to, const float (*from)[CONV_RUN], int k)
{
    for (int lane = 0; lane < KERNEL_BLOCK; lane++) to[lane] = from[lane][k];
}

enum { PLACES = 8 };

struct nines {
    const float *first; /* of the block */
    ptrdiff_t lane_step, place_step;
    bool turned;
    double factor[KERNEL_BLOCK];
    float w[PLACES][9][KERNEL_BLOCK];
};

/* A run of places, lane by lane: nines of a lane's neighbouring places lie side by side, at least in one direction. */
static void read_nines(struct nines *nines, int place, int places)
{
    for (int lane = 0; lane < KERNEL_BLOCK; lane++) {
        const float *from = nines->first + lane * nines->lane_step + place * nines->place_step;
        for (int p = 0; p < places; p++, from += nines->place_step)
            for (int t = 0; t < 9; t++)
                nines->w[p][nines->turned ? 8 - t : t][lane] = flush_double(from[t] * nines->factor[lane]);
    }
}

void conv_pack_nines(const struct net *net, const struct node *node, bool backward, bool turned, conv_nine_body *body,
                     void *context)
{
    const int in = net->graph->tensors[node->input[0]].channels,
              out = net->graph->tensors[node->output].channels;
    const int width = backward ? in : out, chain = backward ? out : in;
    const ptrdiff_t row = 9 * (ptrdiff_t)in; /* weights are [out][in][9] */
    struct nines nines = {.first = op_param(net, node, CONV_WEIGHT),
                          .lane_step = backward ? 9 : row,
                          .place_step = backward ? row : 9,
                          .turned = turned};
    for (int block = 0; block < width / KERNEL_BLOCK; block++, nines.first += KERNEL_BLOCK * nines.lane_step) {
        for (int lane = 0; lane < KERNEL_BLOCK; lane++) /* nothing is folded where there is a backward pass */
            nines.factor[lane] = backward ? 1 : conv_fold_factor(net, node, block * KERNEL_BLOCK + lane);
        for (int place = 0, n; place < chain; place += n) {
            n = chain - place < PLACES ? chain - place : PLACES;
            read_nines(&nines, place, n);
            for (int p = 0; p < n; p++) body(context, block, place + p, nines.w[p][0]);
        }
    }
}

/* Outputs [first, first + n) as one block of 16 lanes, [tap][input][16]: lane by lane into a buffer, whose values are
 * then written once and in order where there is one tap, because fresh pages cost more than the arithmetic. */
static void pack_block(const struct net *net, const struct node *node, const struct conv_shape *s, int first,
                       int n, float *packed)
{
    float folded[KERNEL_BLOCK][CONV_RUN] = {{0}};
    double factor[KERNEL_BLOCK];
    const int length = s->in_group * s->taps;
    for (int lane = 0; lane < n; lane++) factor[lane] = conv_fold_factor(net, node, first + lane);
    for (int start = 0; start < length; start += CONV_RUN) {
        const int run = length - start < CONV_RUN ? length - start : CONV_RUN;
        for (int lane = 0; lane < n; lane++) {
            const float *row = op_param(net, node, CONV_WEIGHT) + (size_t)(first + lane) * (size_t)length + start;
            for (int k = 0; k < run; k++) folded[lane][k] = flush_double(row[k] * factor[lane]);
        }
        for (int k = 0; k < run; k++) {
            const int i = (start + k) / s->taps, t = (start + k) % s->taps; /* a row is [in_group][taps] */
            conv_pack_lanes(packed + (t * (ptrdiff_t)s->in_group + i) * KERNEL_BLOCK, folded, k);
        }
    }
}

static void pack_forward(const struct net *net, const struct node *node, const struct conv_shape *s,
                         float *packed)
{
    float *bias = packed + op_aligned(forward_floats(s));
    memset(bias, 0, bias_floats(s) * sizeof *bias);
    for (int o = 0; o < s->out; o++) {
        const int start = o / s->out_group * conv_blocks(s->out_group) * KERNEL_BLOCK; /* of the group */
        bias[s->depthwise ? o : start + o % s->out_group] = flush_double(start_of(net, node, o));
    }
    if (s->depthwise) {
        pack_depthwise(net, node, s, packed);
        return;
    }
    if (s->winograd) {
        conv_winograd_pack(net, node, false, packed);
        return;
    }
    if (s->polyphase) {
        conv_polyphase_pack(net, node, false, packed);
        return;
    }
    if (s->strassen) {
        conv_strassen_pack(net, node, packed);
        conv_strassen_pack_bias(bias, s->out);
        return;
    }
    for (int group = 0; group < s->options->groups; group++)
        for (int local = 0; local < s->out_group; local += KERNEL_BLOCK) {
            const int left = s->out_group - local;
            pack_block(net, node, s, group * s->out_group + local, left < KERNEL_BLOCK ? left : KERNEL_BLOCK,
                       packed);
            packed += (size_t)s->depth * KERNEL_BLOCK;
        }
}

/* [group][block of input channels][tap in phase order][out][16]: every phase's taps are neighbours. */
static void pack_backward(const struct net *net, const struct node *node, const struct conv_shape *s,
                          float *packed)
{
    if (s->winograd) {
        conv_winograd_pack(net, node, true, packed);
        return;
    }
    if (s->polyphase) {
        conv_polyphase_pack(net, node, true, packed);
        return;
    }
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
                        flush_double(weight[((size_t)o * (size_t)s->in_group + (size_t)i) * (size_t)s->taps +
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
    return op_packed(net, node) + op_aligned(forward_floats(s));
}

const float *conv_packed_backward(const struct net *net, const struct node *node, const struct conv_shape *s)
{
    return conv_packed_bias(net, node, s) + op_aligned(bias_floats(s));
}

void conv_pack(struct net *net, const struct node *node)
{
    const struct conv_shape s = conv_shape_of(net, node);
    pack_forward(net, node, &s, op_packed(net, node));
    if (op_training(net) && op_needs_gradient(net, node, 0))
        pack_backward(net, node, &s, (float *)conv_packed_backward(net, node, &s));
}
