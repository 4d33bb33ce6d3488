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

static double *scratch_sums(const struct net *net, int channels)
{
    return (double *)conv_scratch_rest(net, channels);
}

static float *scratch_partials(const struct net *net, int channels)
{
    return conv_scratch_rest(net, channels) + op_aligned(4 * (size_t)channels); /* after two doubles a channel */
}

/* ---- Forward ---- */

static void sum_body(void *context, int64_t begin, int pixels, float *partial)
{
    const struct conv_end *e = context;
    e->net->kernels->column_sum(partial, view_row(&e->z, begin), e->z.stride, pixels, e->z.channels);
}

static void square_body(void *context, int64_t begin, int pixels, float *partial)
{
    const struct conv_end *e = context;
    e->net->kernels->column_sum_squares(partial, view_row(&e->z, begin), e->z.stride, e->norm.mean, pixels,
                                        e->z.channels);
}

/* Batch mean and variance into saved and running statistics. */
static void batch_statistics(struct net *net, const struct node *node, struct conv_end *e)
{
    const int channels = e->z.channels;
    const double n = (double)e->z.pixels, momentum = (double)net->options.momentum;
    float *mean = op_saved(net, node), *inv = mean + channels;
    float *running_mean = params_values(net->graph->params, node->param[CONV_MEAN]);
    float *running_variance = params_values(net->graph->params, node->param[CONV_VARIANCE]);
    double *sums = scratch_sums(net, channels);
    float *partials = scratch_partials(net, channels);
    pixels_sum(net, &e->z, 1, sum_body, e, partials, sums);
    for (int i = 0; i < channels; i++) mean[i] = flush_double(sums[i] / n);
    pixels_sum(net, &e->z, 1, square_body, e, partials, sums);
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
    const struct conv_end *e = context;
    e->net->kernels->batch_norm(view_row(&e->y, begin), e->y.stride, view_row(&e->z, begin), e->z.stride,
                                e->norm, (int)(end - begin), e->z.channels, e->node->as.conv.activation);
}

static struct conv_end forward_context(const struct net *net, const struct node *node)
{
    struct conv_end e = {.net = net, .node = node, .z = conv_z(net, node), .y = op_output(net, node)};
    if (node->as.conv.batch_norm) e.norm = norm_of(net, node);
    return e;
}

static void finish(struct net *net, struct conv_end *e)
{
    if (e->node->as.conv.batch_norm)
        par_pass(net->options.threads, e->y.pixels, GRAIN, normalise_rows, e);
    else
        op_activate(net, e->y, e->z, e->node->as.conv.activation);
}

void conv_end_replay(struct net *net, const struct node *node)
{
    struct conv_end e = forward_context(net, node);
    finish(net, &e);
}

void conv_end_forward(struct net *net, const struct node *node)
{
    struct conv_end e = forward_context(net, node);
    if (node->as.conv.batch_norm) {
        if (net->options.mode == NET_TRAINING)
            batch_statistics(net, node, &e);
        else
            frozen_statistics(net, node);
    }
    finish(net, &e);
}

/* ---- Backward ---- */

static void norm_sums_body(void *context, int64_t begin, int pixels, float *partial)
{
    const struct conv_end *e = context;
    float *dy = view_row(&e->dy, begin);
    e->net->kernels->batch_norm_backward_sums(dy, e->dy.stride, dy, e->dy.stride, view_row(&e->z, begin),
                                              e->z.stride, e->norm, partial, partial + e->z.channels, pixels,
                                              e->z.channels, e->node->as.conv.activation);
}

void conv_end_backward_rows(const struct conv_end *e, int64_t begin, int64_t end)
{
    if (!e->node->as.conv.batch_norm) return;
    float *dy = view_row(&e->dy, begin);
    e->net->kernels->batch_norm_backward(dy, e->dy.stride, dy, e->dy.stride, view_row(&e->z, begin),
                                         e->z.stride, e->norm, e->scale, e->a, e->b, (int)(end - begin),
                                         e->z.channels);
}

static void backward_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    conv_end_backward_rows(context, begin, end);
}

void conv_end_backward_all(const struct conv_end *e)
{
    if (e->node->as.conv.batch_norm)
        par_pass(e->net->options.threads, e->dy.pixels, GRAIN, backward_rows, (void *)e);
}

static void norm_backward(struct net *net, struct conv_end *e)
{
    const int channels = e->dy.channels;
    e->norm = norm_of(net, e->node);
    double *sums = scratch_sums(net, channels); /* dgamma, dbeta */
    pixels_sum(net, &e->dy, 2, norm_sums_body, e, scratch_partials(net, channels), sums);
    op_add_sums(net, e->node, CONV_GAMMA, sums);
    op_add_sums(net, e->node, CONV_BETA, sums + channels);
    float *scale = op_scratch(net), *a = scale + channels, *b = a + channels;
    const double n = (double)e->dy.pixels;
    const bool frozen = net->options.mode == NET_FROZEN;
    for (int i = 0; i < channels; i++) {
        scale[i] = flush_double((double)e->norm.gamma[i] * e->norm.inv[i]);
        a[i] = frozen ? 0.f : flush_double(sums[channels + i] / n);
        b[i] = frozen ? 0.f : flush_double(sums[i] / n);
    }
    e->scale = scale;
    e->a = a;
    e->b = b;
}

static void bias_body(void *context, int64_t begin, int pixels, float *partial)
{
    const struct conv_end *e = context;
    e->net->kernels->column_sum(partial, view_row(&e->dy, begin), e->dy.stride, pixels, e->dy.channels);
}

static void bias_backward(struct net *net, struct conv_end *e)
{
    const int channels = e->dy.channels;
    const enum activation activation = e->node->as.conv.activation;
    if (activation != ACT_NONE) op_activate_backward(net, e->dy, e->z, activation);
    double *sums = scratch_sums(net, channels);
    pixels_sum(net, &e->dy, 1, bias_body, e, scratch_partials(net, channels), sums);
    op_add_sums(net, e->node, CONV_BIAS, sums);
}

struct conv_end conv_end_backward_begin(struct net *net, const struct node *node, struct view dy)
{
    struct conv_end e = {.net = net, .node = node, .z = conv_z(net, node), .dy = dy};
    (node->as.conv.batch_norm ? norm_backward : bias_backward)(net, &e);
    return e;
}

size_t conv_end_scratch(const struct view *y)
{
    return op_aligned(4 * (size_t)y->channels) + pixels_partials(y, 2);
}
