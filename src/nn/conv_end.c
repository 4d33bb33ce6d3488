/* What follows a convolution's sums: batch norm and activation; the gradient of the bias, where there is one
 * instead of the batch norm.
 *
 * With batch norm training computes batch statistics (biased variance for normalising, unbiased for the
 * running one) and normalises into the output; sums over pixels are in the order of pixels.h. */
#include "nn/conv.h"

#include "base/par.h"
#include "nn/pixels.h"

#include <string.h>

enum { GRAIN = 10 };

struct view conv_z(const struct net *net, const struct node *node)
{
    struct view z = op_output(net, node);
    if (op_dropped(net, node) && !net->backward) return z;
    z.data = op_middle(net, node);
    z.stride = z.channels;
    return z;
}

size_t conv_saved(const struct net *net, const struct node *node)
{
    return node->as.conv.batch_norm ? 2 * (size_t)net->graph->tensors[node->output].channels : 0;
}

size_t conv_middle(const struct net *net, const struct node *node)
{
    const struct tensor *t = net->graph->tensors + node->output;
    const size_t pixels = (size_t)net->options.batch * (size_t)t->height * (size_t)t->width;
    return conv_has_end(node) ? pixels * (size_t)t->channels : 0;
}

static struct norm_params norm_of(const struct net *net, const struct node *node)
{
    const float *mean = op_saved(net, node);
    return (struct norm_params){mean, mean + net->graph->tensors[node->output].channels,
                                op_param(net, node, CONV_GAMMA), op_param(net, node, CONV_BETA)};
}

struct end_context {
    const struct net *net;
    const struct node *node;
    struct view z, y, dy;
    struct norm_params norm;
    const float *scale, *a, *b; /* backward */
};

static double *scratch_sums(const struct net *net) { return (double *)op_scratch(net); }

static float *scratch_partials(const struct net *net, int channels)
{
    return op_scratch(net) + op_aligned(4 * (size_t)channels); /* after two doubles a channel */
}

/* ---- Forward ---- */

static void sum_body(void *context, int64_t begin, int pixels, float *partial)
{
    const struct end_context *c = context;
    c->net->kernels->column_sum(partial, view_row(&c->z, begin), c->z.stride, pixels, c->z.channels);
}

static void square_body(void *context, int64_t begin, int pixels, float *partial)
{
    const struct end_context *c = context;
    c->net->kernels->column_sum_squares(partial, view_row(&c->z, begin), c->z.stride, c->norm.mean, pixels,
                                        c->z.channels);
}

/* Batch mean and variance into saved and running statistics. */
static void batch_statistics(struct net *net, const struct node *node, struct end_context *c)
{
    const int channels = c->z.channels;
    const double n = (double)c->z.pixels, momentum = (double)net->options.momentum;
    float *mean = op_saved(net, node), *inv = mean + channels;
    float *running_mean = params_values(net->graph->params, node->param[CONV_MEAN]);
    float *running_variance = params_values(net->graph->params, node->param[CONV_VARIANCE]);
    double *sums = scratch_sums(net);
    float *partials = scratch_partials(net, channels);
    pixels_sum(net, &c->z, 1, sum_body, c, partials, sums);
    for (int i = 0; i < channels; i++) mean[i] = flush_double(sums[i] / n);
    pixels_sum(net, &c->z, 1, square_body, c, partials, sums);
    for (int i = 0; i < channels; i++) {
        const double variance = sums[i] / n, unbiased = n > 1 ? sums[i] / (n - 1) : variance;
        inv[i] = (float)(1.0 / sqrt(variance + (double)node->as.conv.eps));
        running_mean[i] = flush_double((1.0 - momentum) * running_mean[i] + momentum * mean[i]);
        running_variance[i] = flush_double((1.0 - momentum) * running_variance[i] + momentum * unbiased);
    }
}

static void frozen_statistics(struct net *net, const struct node *node)
{
    const int channels = net->graph->tensors[node->output].channels;
    float *mean = op_saved(net, node), *inv = mean + channels;
    memcpy(mean, op_param(net, node, CONV_MEAN), (size_t)channels * sizeof *mean);
    for (int i = 0; i < channels; i++)
        inv[i] =
            (float)(1.0 / sqrt((double)op_param(net, node, CONV_VARIANCE)[i] + (double)node->as.conv.eps));
}

static void normalise_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const struct end_context *c = context;
    c->net->kernels->batch_norm(view_row(&c->y, begin), c->y.stride, view_row(&c->z, begin), c->z.stride,
                                c->norm, (int)(end - begin), c->z.channels, c->node->as.conv.activation);
}

static struct end_context forward_context(const struct net *net, const struct node *node)
{
    struct end_context c = {.net = net, .node = node, .z = conv_z(net, node), .y = op_output(net, node)};
    if (node->as.conv.batch_norm) c.norm = norm_of(net, node);
    return c;
}

static void finish(struct net *net, struct end_context *c)
{
    if (c->node->as.conv.batch_norm)
        par_for(net->options.threads, c->y.pixels, GRAIN, normalise_rows, c);
    else
        op_activate(net, c->y, c->z, c->node->as.conv.activation);
}

void conv_end_replay(struct net *net, const struct node *node)
{
    struct end_context c = forward_context(net, node);
    finish(net, &c);
}

void conv_end_forward(struct net *net, const struct node *node)
{
    struct end_context c = forward_context(net, node);
    if (node->as.conv.batch_norm) {
        if (net->options.mode == NET_TRAINING)
            batch_statistics(net, node, &c);
        else
            frozen_statistics(net, node);
    }
    finish(net, &c);
}

/* ---- Backward ---- */

static void norm_sums_body(void *context, int64_t begin, int pixels, float *partial)
{
    const struct end_context *c = context;
    float *dy = view_row(&c->dy, begin);
    c->net->kernels->batch_norm_backward_sums(dy, c->dy.stride, dy, c->dy.stride, view_row(&c->z, begin),
                                              c->z.stride, c->norm, partial, partial + c->z.channels, pixels,
                                              c->z.channels, c->node->as.conv.activation);
}

static void norm_backward_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const struct end_context *c = context;
    float *dy = view_row(&c->dy, begin);
    c->net->kernels->batch_norm_backward(dy, c->dy.stride, dy, c->dy.stride, view_row(&c->z, begin),
                                         c->z.stride, c->norm, c->scale, c->a, c->b, (int)(end - begin),
                                         c->z.channels);
}

static void norm_backward(struct net *net, const struct node *node, struct view dy)
{
    const int channels = dy.channels;
    struct end_context c = {
        .net = net, .node = node, .z = conv_z(net, node), .dy = dy, .norm = norm_of(net, node)};
    double *sums = scratch_sums(net); /* dgamma, dbeta */
    pixels_sum(net, &dy, 2, norm_sums_body, &c, scratch_partials(net, channels), sums);
    op_add_sums(net, node, CONV_GAMMA, sums);
    op_add_sums(net, node, CONV_BETA, sums + channels);
    float *scale = scratch_partials(net, channels), *a = scale + channels, *b = a + channels;
    const double n = (double)dy.pixels;
    const bool frozen = net->options.mode == NET_FROZEN;
    for (int i = 0; i < channels; i++) {
        scale[i] = flush_double((double)c.norm.gamma[i] * c.norm.inv[i]);
        a[i] = frozen ? 0.f : flush_double(sums[channels + i] / n);
        b[i] = frozen ? 0.f : flush_double(sums[i] / n);
    }
    c.scale = scale;
    c.a = a;
    c.b = b;
    par_for(net->options.threads, dy.pixels, GRAIN, norm_backward_rows, &c);
}

static void bias_body(void *context, int64_t begin, int pixels, float *partial)
{
    const struct end_context *c = context;
    c->net->kernels->column_sum(partial, view_row(&c->dy, begin), c->dy.stride, pixels, c->dy.channels);
}

static void bias_backward(struct net *net, const struct node *node, struct view dy)
{
    struct end_context c = {.net = net, .node = node, .dy = dy};
    const enum activation activation = node->as.conv.activation;
    if (activation != ACT_NONE) op_activate_backward(net, dy, conv_z(net, node), activation);
    pixels_sum(net, &dy, 1, bias_body, &c, scratch_partials(net, dy.channels), scratch_sums(net));
    op_add_sums(net, node, CONV_BIAS, scratch_sums(net));
}

void conv_end_backward(struct net *net, const struct node *node, struct view dy)
{
    (node->as.conv.batch_norm ? norm_backward : bias_backward)(net, node, dy);
}

size_t conv_end_scratch(const struct view *y)
{
    const size_t channels = (size_t)y->channels, partials = pixels_partials(y, 2);
    return op_aligned(4 * channels) + (partials > 3 * channels ? partials : 3 * channels);
}
