/* Convolution of any kernel, stride, padding, dilation and groups, with batch norm or bias and an activation.
 *
 * Inference folds the batch norm into the weights (in double, rounded once) and applies the activation in the
 * kernel. Training stores the pre-norm output z, computes batch statistics (biased variance for normalising,
 * unbiased for the running one) and normalises into the output.
 *
 * Three forms, chosen by shape: depthwise (groups = channels); patches, for inputs of at most 4 channels a
 * group, which are copied into contiguous rows first; and the general one, which walks pointers to source
 * pixels. All three run the chain (kh, kw, ci) from the bias. The gradients follow docs/NUMERICS.md: dx is
 * the chain (kh, kw, co) in descending kernel position, dw that over the pixels of a chunk, chunks in order,
 * images in the binary tree. */
#include "nn/op.h"

#include "base/par.h"
#include "nn/pixels.h"
#include "nn/window.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum {
    PATCH_CHANNELS = 4, /* a group with at most so many input channels is gathered into patches */
    BLOCK_POINTERS = 1024,
    BLOCK_PIXELS = 80,
    GRAIN = 10,
    POINTER_FLOATS = sizeof(void *) / sizeof(float),
};

struct shape {
    const struct conv_options *options;
    int in, out, in_group, out_group, taps, depth; /* depth = taps * in_group, the length of a chain */
    bool depthwise, patches;
};

static struct shape shape_of(const struct net *net, const struct node *node)
{
    const struct conv_options *o = &node->as.conv;
    const int in = net->graph->tensors[node->input[0]].channels,
              out = net->graph->tensors[node->output].channels;
    const int taps = o->kernel * o->kernel, in_group = in / o->groups;
    return (struct shape){.options = o,
                          .in = in,
                          .out = out,
                          .in_group = in_group,
                          .out_group = out / o->groups,
                          .taps = taps,
                          .depth = taps * in_group,
                          .depthwise = o->groups == in && in == out && in > 1,
                          .patches = in_group <= PATCH_CHANNELS && taps > 1};
}

static int blocks(int channels) { return (channels + KERNEL_BLOCK - 1) / KERNEL_BLOCK; }

/* ---- Packed weights: forward, bias, and in training the transposed ones for the data gradient ---- */

static size_t forward_floats(const struct shape *s)
{
    return s->depthwise
               ? (size_t)s->taps * (size_t)s->in
               : (size_t)s->options->groups * (size_t)blocks(s->out_group) * (size_t)s->depth * KERNEL_BLOCK;
}
static size_t bias_floats(const struct shape *s)
{
    return (size_t)s->options->groups * (size_t)blocks(s->out_group) * KERNEL_BLOCK;
}
static size_t backward_floats(const struct shape *s)
{
    return s->depthwise ? (size_t)s->taps * (size_t)s->in
                        : (size_t)s->options->groups * (size_t)blocks(s->in_group) * (size_t)s->taps *
                              (size_t)s->out_group * KERNEL_BLOCK;
}
static size_t aligned(size_t floats) { return (floats + 15) / 16 * 16; }

static size_t conv_packed(const struct net *net, const struct node *node)
{
    const struct shape s = shape_of(net, node);
    const bool backward = op_training(net) && op_needs_gradient(net, node, 0);
    return aligned(forward_floats(&s)) + aligned(bias_floats(&s)) + (backward ? backward_floats(&s) : 0);
}

static float flushed(double x) { return fabs(x) < 0x1p-40 ? 0.f : (float)x; }

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

static void pack_forward(const struct net *net, const struct node *node, const struct shape *s, float *packed)
{
    const float *weight = op_param(net, node, CONV_WEIGHT); /* [out][in_group][taps] */
    float *bias = packed + aligned(forward_floats(s));
    memset(packed, 0, (aligned(forward_floats(s)) + bias_floats(s)) * sizeof *packed);
    for (int o = 0; o < s->out; o++) {
        const int group = o / s->out_group, local = o % s->out_group;
        const int block = group * blocks(s->out_group) + local / KERNEL_BLOCK, lane = local % KERNEL_BLOCK;
        const double factor = fold_factor(net, node, o);
        for (int i = 0; i < s->in_group; i++)
            for (int t = 0; t < s->taps; t++) {
                const float w = flushed(
                    weight[((size_t)o * (size_t)s->in_group + (size_t)i) * (size_t)s->taps + (size_t)t] *
                    factor);
                if (s->depthwise)
                    packed[t * s->in + o] = w;
                else
                    packed[((size_t)block * (size_t)s->depth + (size_t)(t * s->in_group + i)) * KERNEL_BLOCK +
                           (size_t)lane] = w;
            }
        bias[block * KERNEL_BLOCK + lane] = flushed(fold_bias(net, node, o));
        if (s->depthwise) bias[o] = flushed(fold_bias(net, node, o));
    }
}

/* [group][block of input channels][tap in phase order][out][16]: every phase's taps are neighbours. */
static void pack_backward(const struct net *net, const struct node *node, const struct shape *s,
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
                        flushed(weight[((size_t)o * (size_t)s->in_group + (size_t)i) * (size_t)s->taps +
                                       (size_t)w.tap[t]]);
                    if (s->depthwise) {
                        packed[position * s->in + o] = v;
                        continue;
                    }
                    const size_t block = (size_t)(o / s->out_group * blocks(s->in_group) + i / KERNEL_BLOCK);
                    const size_t row = (size_t)(position * s->out_group + o % s->out_group);
                    packed[(block * (size_t)s->taps * (size_t)s->out_group + row) * KERNEL_BLOCK +
                           (size_t)(i % KERNEL_BLOCK)] = v;
                }
    }
    assert(position == s->taps);
}

static const float *packed_backward(const struct net *net, const struct node *node, const struct shape *s)
{
    return op_packed(net, node) + aligned(forward_floats(s)) + aligned(bias_floats(s));
}

static void conv_pack(struct net *net, const struct node *node)
{
    const struct shape s = shape_of(net, node);
    pack_forward(net, node, &s, op_packed(net, node));
    if (op_training(net) && op_needs_gradient(net, node, 0))
        pack_backward(net, node, &s, (float *)packed_backward(net, node, &s));
}

/* ---- One walk serves forward and data gradient ---- */

struct walk {
    const struct net *net;
    struct window window;
    struct view source, target;
    const float *weights, *bias;
    ptrdiff_t weight_stride;               /* between blocks of 16 outputs */
    int groups, channels_in, channels_out; /* of a group */
    bool depthwise, patches, accumulate;
    enum activation activation;
};

static void walk_depthwise(const struct walk *w, const float **in, float **out, int pixels)
{
    w->net->kernels->depthwise(&(struct depthwise_block){.in = in,
                                                         .out = out,
                                                         .pixels = pixels,
                                                         .taps = w->window.taps,
                                                         .channels = w->source.channels,
                                                         .weights = w->weights,
                                                         .bias = w->bias,
                                                         .accumulate = w->accumulate,
                                                         .activation = w->activation});
}

static void walk_group(const struct walk *w, int group, const float **in, float **out, int pixels)
{
    const ptrdiff_t group_blocks = blocks(w->channels_out);
    const int length = w->window.taps * w->channels_in;
    w->net->kernels->conv(
        &(struct conv_block){.in = in,
                             .out = out,
                             .pixels = pixels,
                             .taps = w->patches ? 1 : w->window.taps,
                             .channels = w->patches ? length : w->channels_in,
                             .cout = w->channels_out,
                             .weights = w->weights + group * group_blocks * w->weight_stride,
                             .weight_stride = w->weight_stride,
                             .bias = w->bias ? w->bias + group * group_blocks * KERNEL_BLOCK : NULL,
                             .accumulate = w->accumulate,
                             .activation = w->activation});
}

static int block_pixels(int taps)
{
    const int fit = taps ? BLOCK_POINTERS / taps / GRAIN * GRAIN : BLOCK_PIXELS;
    return fit < GRAIN ? GRAIN : fit < BLOCK_PIXELS ? fit : BLOCK_PIXELS;
}

static void walk_pixels(void *context, int64_t begin, int64_t end, int worker)
{
    const struct walk *w = context;
    const float *in[WINDOW_MAX_TAPS * GRAIN > BLOCK_POINTERS ? WINDOW_MAX_TAPS * GRAIN : BLOCK_POINTERS];
    float *out[BLOCK_PIXELS];
    const int step = block_pixels(w->patches ? 1 : w->window.taps), length = w->window.taps * w->channels_in;
    for (int64_t p = begin; p < end; p += step) {
        const int pixels = end - p < step ? (int)(end - p) : step;
        for (int group = 0; group < (w->depthwise ? 1 : w->groups); group++) {
            window_outputs(&w->window, &w->target, group * w->channels_out, p, pixels, out);
            if (w->patches) {
                float *patches = op_worker_scratch(w->net, worker);
                window_patches(&w->window, &w->source, group * w->channels_in, w->channels_in, p, pixels,
                               patches);
                for (int i = 0; i < pixels; i++) in[i] = patches + (ptrdiff_t)i * length;
            } else {
                window_inputs(&w->window, &w->source, group * w->channels_in, op_zeros(w->net), p, pixels,
                              in);
            }
            if (w->depthwise)
                walk_depthwise(w, in, out, pixels);
            else
                walk_group(w, group, in, out, pixels);
        }
    }
}

static void walk_run(struct walk *w)
{
    const int64_t pixels = (int64_t)w->target.images * w->window.height * w->window.width;
    par_for(w->net->options.threads, pixels, GRAIN, walk_pixels, w);
}

/* ---- Forward ---- */

/* Saved in training with batch norm: z, mean, 1 / sqrt(variance + eps). */
static struct view saved_z(const struct net *net, const struct node *node)
{
    struct view z = op_output(net, node);
    z.data = op_saved(net, node);
    z.stride = z.channels;
    return z;
}
static float *saved_mean(const struct net *net, const struct node *node)
{
    const struct view z = saved_z(net, node);
    return z.data + z.pixels * z.stride;
}
static size_t conv_saved(const struct net *net, const struct node *node)
{
    const struct tensor *t = net->graph->tensors + node->output;
    const size_t pixels = (size_t)net->options.batch * (size_t)t->height * (size_t)t->width;
    return node->as.conv.batch_norm ? (pixels + 2) * (size_t)t->channels : 0;
}
static struct norm_params norm_of(const struct net *net, const struct node *node)
{
    const float *mean = saved_mean(net, node);
    return (struct norm_params){mean, mean + net->graph->tensors[node->output].channels,
                                op_param(net, node, CONV_GAMMA), op_param(net, node, CONV_BETA)};
}

struct norm_context {
    const struct net *net;
    const struct node *node;
    struct view z, y, dy;
    struct norm_params norm;
    const float *scale, *a, *b; /* backward */
};

static void sum_body(void *context, int64_t begin, int pixels, float *partial)
{
    const struct norm_context *c = context;
    c->net->kernels->column_sum(partial, view_row(&c->z, begin), c->z.stride, pixels, c->z.channels);
}

static void square_body(void *context, int64_t begin, int pixels, float *partial)
{
    const struct norm_context *c = context;
    c->net->kernels->column_sum_squares(partial, view_row(&c->z, begin), c->z.stride, c->norm.mean, pixels,
                                        c->z.channels);
}

static double *scratch_sums(const struct net *net) { return (double *)op_scratch(net); }
static float *scratch_partials(const struct net *net, int channels)
{
    return op_scratch(net) + aligned(4 * (size_t)channels); /* after two doubles a channel */
}

/* Batch mean and variance into saved and running statistics. */
static void batch_statistics(struct net *net, const struct node *node, struct norm_context *c)
{
    const int channels = c->z.channels;
    const double n = (double)c->z.pixels, momentum = (double)net->options.momentum;
    float *mean = saved_mean(net, node), *inv = mean + channels;
    float *running_mean = params_values(net->graph->params, node->param[CONV_MEAN]);
    float *running_variance = params_values(net->graph->params, node->param[CONV_VARIANCE]);
    double *sums = scratch_sums(net);
    float *partials = scratch_partials(net, channels);
    pixels_sum(net, &c->z, 1, sum_body, c, partials, sums);
    for (int i = 0; i < channels; i++) mean[i] = flushed(sums[i] / n);
    pixels_sum(net, &c->z, 1, square_body, c, partials, sums);
    for (int i = 0; i < channels; i++) {
        const double variance = sums[i] / n, unbiased = n > 1 ? sums[i] / (n - 1) : variance;
        inv[i] = (float)(1.0 / sqrt(variance + (double)node->as.conv.eps));
        running_mean[i] = flushed((1.0 - momentum) * running_mean[i] + momentum * mean[i]);
        running_variance[i] = flushed((1.0 - momentum) * running_variance[i] + momentum * unbiased);
    }
}

static void frozen_statistics(struct net *net, const struct node *node)
{
    const int channels = net->graph->tensors[node->output].channels;
    float *mean = saved_mean(net, node), *inv = mean + channels;
    memcpy(mean, op_param(net, node, CONV_MEAN), (size_t)channels * sizeof *mean);
    for (int i = 0; i < channels; i++)
        inv[i] =
            (float)(1.0 / sqrt((double)op_param(net, node, CONV_VARIANCE)[i] + (double)node->as.conv.eps));
}

static void normalise_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const struct norm_context *c = context;
    c->net->kernels->batch_norm(view_row(&c->y, begin), c->y.stride, view_row(&c->z, begin), c->z.stride,
                                c->norm, (int)(end - begin), c->z.channels, c->node->as.conv.activation);
}

static void conv_forward(struct net *net, const struct node *node)
{
    const struct shape s = shape_of(net, node);
    const struct view y = op_output(net, node);
    const bool normalise = op_training(net) && s.options->batch_norm;
    const float *packed = op_packed(net, node);
    struct walk walk = {.net = net,
                        .window = window_forward(s.options, y.height, y.width),
                        .source = op_input(net, node, 0),
                        .target = normalise ? saved_z(net, node) : y,
                        .weights = packed,
                        .bias = packed + aligned(forward_floats(&s)),
                        .weight_stride = (ptrdiff_t)s.depth * KERNEL_BLOCK,
                        .groups = s.options->groups,
                        .channels_in = s.in_group,
                        .channels_out = s.out_group,
                        .depthwise = s.depthwise,
                        .patches = s.patches && !s.depthwise,
                        .activation = normalise ? ACT_NONE : s.options->activation};
    walk_run(&walk);
    if (!normalise) return;
    struct norm_context c = {.net = net, .node = node, .z = walk.target, .y = y, .norm = norm_of(net, node)};
    if (net->options.mode == NET_TRAINING)
        batch_statistics(net, node, &c);
    else
        frozen_statistics(net, node);
    par_for(net->options.threads, y.pixels, GRAIN, normalise_rows, &c);
}

/* ---- Backward: activation and norm, then weights, then data ---- */

static void norm_sums_body(void *context, int64_t begin, int pixels, float *partial)
{
    const struct norm_context *c = context;
    float *dy = view_row(&c->dy, begin);
    c->net->kernels->batch_norm_backward_sums(dy, c->dy.stride, dy, c->dy.stride, view_row(&c->z, begin),
                                              c->z.stride, c->norm, partial, partial + c->z.channels, pixels,
                                              c->z.channels, c->node->as.conv.activation);
}

static void norm_backward_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const struct norm_context *c = context;
    float *dy = view_row(&c->dy, begin);
    c->net->kernels->batch_norm_backward(dy, c->dy.stride, dy, c->dy.stride, view_row(&c->z, begin),
                                         c->z.stride, c->norm, c->scale, c->a, c->b, (int)(end - begin),
                                         c->z.channels);
}

static void add_gradient(float *gradient, const double *sums, int n)
{
    if (!gradient) return;
    for (int i = 0; i < n; i++) gradient[i] += (float)sums[i];
}

/* Turns the gradient of the output into that of z, in place, and adds those of gamma and beta. */
static void norm_backward(struct net *net, const struct node *node, struct view dy)
{
    const int channels = dy.channels;
    struct norm_context c = {
        .net = net, .node = node, .z = saved_z(net, node), .dy = dy, .norm = norm_of(net, node)};
    double *sums = scratch_sums(net); /* dgamma, dbeta */
    pixels_sum(net, &dy, 2, norm_sums_body, &c, scratch_partials(net, channels), sums);
    add_gradient(op_param_gradient(net, node, CONV_GAMMA), sums, channels);
    add_gradient(op_param_gradient(net, node, CONV_BETA), sums + channels, channels);
    float *scale = scratch_partials(net, channels), *a = scale + channels, *b = a + channels;
    const double n = (double)dy.pixels;
    const bool frozen = net->options.mode == NET_FROZEN;
    for (int i = 0; i < channels; i++) {
        scale[i] = flushed((double)c.norm.gamma[i] * c.norm.inv[i]);
        a[i] = frozen ? 0.f : flushed(sums[channels + i] / n);
        b[i] = frozen ? 0.f : flushed(sums[i] / n);
    }
    c.scale = scale;
    c.a = a;
    c.b = b;
    par_for(net->options.threads, dy.pixels, GRAIN, norm_backward_rows, &c);
}

static void bias_body(void *context, int64_t begin, int pixels, float *partial)
{
    const struct norm_context *c = context;
    c->net->kernels->column_sum(partial, view_row(&c->dy, begin), c->dy.stride, pixels, c->dy.channels);
}

static void bias_backward(struct net *net, const struct node *node, struct view dy)
{
    struct norm_context c = {.net = net, .node = node, .dy = dy};
    pixels_sum(net, &dy, 1, bias_body, &c, scratch_partials(net, dy.channels), scratch_sums(net));
    add_gradient(op_param_gradient(net, node, CONV_BIAS), scratch_sums(net), dy.channels);
}

struct weight_context {
    const struct net *net;
    const struct shape *shape;
    struct window window;
    struct chunks chunks;
    struct view x, dz;
    int group;
    float *stack, *row; /* partial sums of the image tree, and the current image's, each [depth][out_group] */
    float *gradient;    /* OIHW */
};

/* Pointers and patches of one chunk lie in the worker's scratch. */
static size_t weight_worker_floats(const struct shape *s, const struct tensor *out)
{
    const struct chunks chunks = pixels_chunks(out->height, out->width);
    const size_t pixels = (size_t)chunks.rows * (size_t)out->width;
    const size_t pointers = pixels * (size_t)(s->depthwise ? s->taps : 1) * POINTER_FLOATS;
    return aligned(pointers) + (s->patches && !s->depthwise ? pixels * (size_t)s->depth : 0);
}

/* dw rows [begin, end) of [taps * in_group] over one chunk. */
static void weight_chunk(const struct weight_context *c, int64_t begin, int64_t end, int64_t first,
                         int pixels, bool start, int worker)
{
    const struct shape *s = c->shape;
    const float **x = (const float **)op_worker_scratch(c->net, worker);
    const int cols = s->out_group;
    struct outer_block block = {.x = x,
                                .dy = view_row(&c->dz, first) + c->group * s->out_group,
                                .dy_stride = c->dz.stride,
                                .pixels = pixels,
                                .cols = cols,
                                .dw_stride = cols,
                                .first = start};
    if (s->patches) {
        float *patches = (float *)x + aligned((size_t)pixels * POINTER_FLOATS);
        window_patches(&c->window, &c->x, c->group * s->in_group, s->in_group, first, pixels, patches);
        for (int i = 0; i < pixels; i++) x[i] = patches + (ptrdiff_t)i * s->depth + begin;
        block.rows = (int)(end - begin);
        block.dw = c->row + begin * cols;
        c->net->kernels->outer(&block);
        return;
    }
    for (int64_t r = begin; r < end;) {
        const int tap = (int)(r / s->in_group), channel = (int)(r % s->in_group);
        const int64_t tap_end = (int64_t)(tap + 1) * s->in_group;
        struct window one = c->window;
        one.taps = 1;
        one.dy[0] = c->window.dy[tap];
        one.dx[0] = c->window.dx[tap];
        window_inputs(&one, &c->x, c->group * s->in_group + channel, op_zeros(c->net), first, pixels, x);
        block.rows = (int)((end < tap_end ? end : tap_end) - r);
        block.dw = c->row + r * cols;
        c->net->kernels->outer(&block);
        r += block.rows;
    }
}

static void weight_rows(void *context, int64_t begin, int64_t end, int worker)
{
    const struct weight_context *c = context;
    const struct shape *s = c->shape;
    const int cols = s->out_group, images = c->x.images;
    const ptrdiff_t level = (ptrdiff_t)s->depth * cols;
    for (int image = 0; image < images; image++) {
        for (int chunk = 0; chunk < c->chunks.per_image; chunk++) {
            int pixels;
            const int64_t first =
                pixels_chunk_begin(&c->dz, c->chunks, (int64_t)image * c->chunks.per_image + chunk, &pixels);
            weight_chunk(c, begin, end, first, pixels, chunk == 0, worker);
        }
        tree_feed(c->stack + begin * cols, level, image, images, c->row + begin * cols,
                  (size_t)((end - begin) * cols));
    }
    for (int64_t r = begin; r < end; r++) {
        const int64_t tap = r / s->in_group, channel = r % s->in_group;
        for (int o = 0; o < cols; o++)
            c->gradient[((int64_t)(c->group * cols + o) * s->in_group + channel) * s->taps + tap] +=
                c->stack[r * cols + o];
    }
}

/* Channels [begin, end); a range's partial sums are [taps][end - begin] from begin * taps on. */
static void weight_channels(void *context, int64_t begin, int64_t end, int worker)
{
    const struct weight_context *c = context;
    const int taps = c->shape->taps, width = (int)(end - begin), images = c->x.images;
    const float **x = (const float **)op_worker_scratch(c->net, worker);
    float *row = c->row + begin * taps, *stack = c->stack + begin * taps;
    for (int image = 0; image < images; image++) {
        for (int chunk = 0; chunk < c->chunks.per_image; chunk++) {
            int pixels;
            const int64_t first =
                pixels_chunk_begin(&c->dz, c->chunks, (int64_t)image * c->chunks.per_image + chunk, &pixels);
            window_inputs(&c->window, &c->x, (int)begin, op_zeros(c->net), first, pixels, x);
            c->net->kernels->depthwise_outer(row, x, view_row(&c->dz, first) + begin, c->dz.stride, pixels,
                                             taps, width, chunk == 0);
        }
        tree_feed(stack, (ptrdiff_t)taps * c->x.channels, image, images, row, (size_t)(taps * width));
    }
    for (int i = 0; i < width; i++)
        for (int t = 0; t < taps; t++) c->gradient[(begin + i) * taps + t] += stack[t * width + i];
}

static size_t weight_row_floats(const struct shape *s)
{
    return s->depthwise ? (size_t)s->taps * (size_t)s->in : (size_t)s->depth * (size_t)s->out_group;
}

static void weight_backward(struct net *net, const struct node *node, const struct shape *s, struct view dz)
{
    float *gradient = op_param_gradient(net, node, CONV_WEIGHT);
    if (!gradient) return;
    struct weight_context c = {.net = net,
                               .shape = s,
                               .window = window_forward(s->options, dz.height, dz.width),
                               .chunks = pixels_chunks(dz.height, dz.width),
                               .x = op_input(net, node, 0),
                               .dz = dz,
                               .row = op_scratch(net),
                               .stack = op_scratch(net) + aligned(weight_row_floats(s)),
                               .gradient = gradient};
    if (s->depthwise) {
        par_for(net->options.threads, s->in, KERNEL_BLOCK, weight_channels, &c);
        return;
    }
    for (c.group = 0; c.group < s->options->groups; c.group++)
        par_for(net->options.threads, s->depth, 4, weight_rows, &c);
}

static void data_backward(struct net *net, const struct node *node, const struct shape *s, struct view dz)
{
    const int stride = s->options->stride;
    const struct view dx = net_gradient(net, node->input[0]);
    const float *weights = packed_backward(net, node, s);
    int position = 0;
    for (int phase = 0; phase < stride * stride; phase++) {
        struct walk walk = {
            .net = net,
            .window = window_backward(s->options, dx.height, dx.width, phase / stride, phase % stride),
            .source = dz,
            .target = dx,
            .weights = weights + (ptrdiff_t)position * (s->depthwise ? s->in : s->out_group * KERNEL_BLOCK),
            .weight_stride = (ptrdiff_t)s->taps * s->out_group * KERNEL_BLOCK,
            .groups = s->options->groups,
            .channels_in = s->out_group,
            .channels_out = s->in_group,
            .depthwise = s->depthwise,
            .accumulate = op_accumulates(net, node, 0)};
        position += walk.window.taps;
        walk_run(&walk);
    }
}

static void conv_backward(struct net *net, const struct node *node)
{
    const struct shape s = shape_of(net, node);
    const struct view dy = net_gradient(net, node->output);
    if (s.options->batch_norm) {
        norm_backward(net, node, dy);
    } else {
        assert(s.options->activation == ACT_NONE);
        bias_backward(net, node, dy);
    }
    weight_backward(net, node, &s, dy);
    if (op_needs_gradient(net, node, 0)) data_backward(net, node, &s, dy);
}

static size_t conv_scratch(const struct net *net, const struct node *node)
{
    if (!op_training(net)) return 0;
    const struct shape s = shape_of(net, node);
    const struct view y = op_output(net, node);
    size_t sums = aligned(4 * (size_t)y.channels) + pixels_partials(&y, 2);
    if (sums < aligned(4 * (size_t)y.channels) + 3 * (size_t)y.channels)
        sums = aligned(4 * (size_t)y.channels) + 3 * (size_t)y.channels;
    const size_t weights = aligned(weight_row_floats(&s)) * (size_t)(1 + tree_levels(y.images));
    return sums > weights ? sums : weights;
}

static size_t conv_worker_scratch(const struct net *net, const struct node *node)
{
    const struct shape s = shape_of(net, node);
    const size_t forward = s.patches && !s.depthwise ? (size_t)BLOCK_PIXELS * (size_t)s.depth : 0;
    const size_t backward =
        op_training(net) ? weight_worker_floats(&s, net->graph->tensors + node->output) : 0;
    return forward > backward ? forward : backward;
}

const struct op op_conv = {
    .reads_inputs = true,
    .saved = conv_saved,
    .packed = conv_packed,
    .scratch = conv_scratch,
    .worker_scratch = conv_worker_scratch,
    .pack = conv_pack,
    .forward = conv_forward,
    .backward = conv_backward,
};
