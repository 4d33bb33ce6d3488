/* Layer norm over the channels of each pixel, and layer scale with its residual.
 *
 * Parameter gradients are sums over pixels in the order of pixels.h. */
#include "nn/op.h"

#include "base/par.h"
#include "nn/pixels.h"

enum { GRAIN = 8 };

struct rows {
    const struct net *net;
    const struct node *node;
    struct view x, f, y, dx, df, dy;
    const float *gamma, *beta;
    float *stats; /* mean and 1 / sqrt(variance + eps) of each row; NULL in inference */
    bool accumulate;
};

/* Scratch: `count` doubles a channel, then the partial sums. */
static size_t sums_floats(int count, int channels) { return 2 * (size_t)count * (size_t)channels; }

static size_t sums_scratch(const struct net *net, const struct node *node, int count)
{
    if (!op_training(net)) return 0;
    const struct view y = op_output(net, node);
    return sums_floats(count, y.channels) + pixels_partials(&y, count);
}

/* Adds the sums over all pixels that body computes to the gradients of the first `count` parameters. */
static void add_sums(struct net *net, const struct node *node, int count, pixels_body *body, struct rows *r)
{
    const int channels = r->dy.channels;
    double *sums = (double *)op_scratch(net);
    pixels_sum(net, &r->dy, count, body, r, op_scratch(net) + sums_floats(count, channels), sums);
    for (int i = 0; i < count; i++) op_add_sums(net, node, i, sums + (ptrdiff_t)i * channels);
}

/* ---- y = (x - mean) * r * gamma + beta ---- */

static struct rows layer_norm_of(const struct net *net, const struct node *node)
{
    return (struct rows){.net = net,
                         .node = node,
                         .x = op_input(net, node, 0),
                         .y = op_output(net, node),
                         .gamma = op_param(net, node, 0),
                         .beta = op_param(net, node, 1),
                         .stats = op_training(net) ? op_saved(net, node) : NULL};
}

static void layer_norm_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const struct rows *r = context;
    for (int64_t i = begin; i < end; i++) {
        float unkept[2];
        r->net->kernels->layer_norm(view_row(&r->y, i), view_row(&r->x, i), r->gamma, r->beta,
                                    r->node->as.eps, r->y.channels, r->stats ? r->stats + 2 * i : unkept);
    }
}

static void layer_norm_forward(struct net *net, const struct node *node)
{
    struct rows r = layer_norm_of(net, node);
    par_for(net->options.threads, r.y.pixels, GRAIN, layer_norm_rows, &r);
}

static void layer_norm_sums(void *context, int64_t begin, int pixels, float *partial)
{
    const struct rows *r = context;
    r->net->kernels->layer_norm_backward_params(partial, partial + r->dy.channels, view_row(&r->dy, begin),
                                                r->dy.stride, view_row(&r->x, begin), r->x.stride,
                                                r->stats + 2 * begin, pixels, r->dy.channels);
}

static void layer_norm_backward_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const struct rows *r = context;
    for (int64_t i = begin; i < end; i++)
        r->net->kernels->layer_norm_backward(view_row(&r->dx, i), view_row(&r->dy, i), view_row(&r->x, i),
                                             r->gamma, r->stats + 2 * i, r->dy.channels, r->accumulate);
}

static void layer_norm_backward(struct net *net, const struct node *node)
{
    struct rows r = layer_norm_of(net, node);
    r.dy = net_gradient(net, node->output);
    add_sums(net, node, 2, layer_norm_sums, &r);
    if (!op_needs_gradient(net, node, 0)) return;
    r.dx = net_gradient(net, node->input[0]);
    r.accumulate = op_accumulates(net, node, 0);
    par_for(net->options.threads, r.dy.pixels, GRAIN, layer_norm_backward_rows, &r);
}

static size_t layer_norm_saved(const struct net *net, const struct node *node)
{
    return 2 * (size_t)op_output(net, node).pixels;
}

static size_t layer_norm_scratch(const struct net *net, const struct node *node)
{
    return sums_scratch(net, node, 2);
}

const struct op op_layer_norm = {.reads_inputs = true,
                                 .saved = layer_norm_saved,
                                 .scratch = layer_norm_scratch,
                                 .forward = layer_norm_forward,
                                 .backward = layer_norm_backward};

/* ---- y = x + gamma * f ---- */

static void scale_add_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const struct rows *r = context;
    r->net->kernels->scale_add(view_row(&r->y, begin), r->y.stride, view_row(&r->x, begin), r->x.stride,
                               view_row(&r->f, begin), r->f.stride, r->gamma, (int)(end - begin),
                               r->y.channels);
}

static void scale_add_forward(struct net *net, const struct node *node)
{
    struct rows r = {.net = net,
                     .x = op_input(net, node, 0),
                     .f = op_input(net, node, 1),
                     .y = op_output(net, node),
                     .gamma = op_param(net, node, 0)};
    par_for(net->options.threads, r.y.pixels, GRAIN, scale_add_rows, &r);
}

static void scale_add_sums(void *context, int64_t begin, int pixels, float *partial)
{
    const struct rows *r = context;
    r->net->kernels->column_dot(partial, view_row(&r->dy, begin), r->dy.stride, view_row(&r->f, begin),
                                r->f.stride, pixels, r->dy.channels);
}

static void scale_add_backward_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const struct rows *r = context;
    const struct kernels *k = r->net->kernels;
    float *df = view_row(&r->df, begin);
    const float *dy = view_row(&r->dy, begin);
    if (r->accumulate)
        k->scale_add(df, r->df.stride, df, r->df.stride, dy, r->dy.stride, r->gamma, (int)(end - begin),
                     r->dy.channels);
    else
        k->scale_columns(df, r->df.stride, dy, r->dy.stride, r->gamma, (int)(end - begin), r->dy.channels);
}

static void scale_add_backward(struct net *net, const struct node *node)
{
    struct rows r = {.net = net,
                     .f = op_input(net, node, 1),
                     .dy = net_gradient(net, node->output),
                     .gamma = op_param(net, node, 0),
                     .accumulate = op_accumulates(net, node, 1)};
    add_sums(net, node, 1, scale_add_sums, &r);
    if (op_needs_gradient(net, node, 0))
        op_deliver(net, net_gradient(net, node->input[0]), r.dy, op_accumulates(net, node, 0));
    if (!op_needs_gradient(net, node, 1)) return;
    r.df = net_gradient(net, node->input[1]);
    par_for(net->options.threads, r.dy.pixels, GRAIN, scale_add_backward_rows, &r);
}

static size_t scale_add_scratch(const struct net *net, const struct node *node)
{
    return sums_scratch(net, node, 1);
}

const struct op op_scale_add = {.reads_inputs = true,
                                .scratch = scale_add_scratch,
                                .forward = scale_add_forward,
                                .backward = scale_add_backward};
