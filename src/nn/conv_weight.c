/* The weight gradient of a convolution: the chain over the pixels of a chunk, chunks in order, images in the
 * binary tree (pixels.h). Workers own rows of taps and input channels, or channels of a depthwise one. */
#include "nn/conv.h"

#include "base/par.h"
#include "nn/pixels.h"
#include "nn/window.h"

enum { POINTER_FLOATS = sizeof(void *) / sizeof(float) };

struct weight_context {
    const struct net *net;
    const struct conv_shape *shape;
    struct window window;
    struct chunks chunks;
    struct view x, dz;
    int group;
    float *stack, *row; /* partial sums of the image tree, and the current image's, each [depth][out_group] */
    float *gradient;    /* OIHW */
};

/* Pointers and patches of one chunk lie in the worker's scratch. */
size_t conv_weight_worker_scratch(const struct conv_shape *s, const struct tensor *out)
{
    const struct chunks chunks = pixels_chunks(out->height, out->width);
    const size_t pixels = (size_t)chunks.rows * (size_t)out->width;
    const size_t pointers = pixels * (size_t)(s->depthwise ? s->taps : 1) * POINTER_FLOATS;
    return conv_aligned(pointers) + (s->patches && !s->depthwise ? pixels * (size_t)s->depth : 0);
}

/* dw rows [begin, end) of [taps * in_group] over one chunk. */
static void weight_chunk(const struct weight_context *c, int64_t begin, int64_t end, int64_t first,
                         int pixels, bool start, int worker)
{
    const struct conv_shape *s = c->shape;
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
        float *patches = (float *)x + conv_aligned((size_t)pixels * POINTER_FLOATS);
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
    const struct conv_shape *s = c->shape;
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

static size_t weight_row_floats(const struct conv_shape *s)
{
    return s->depthwise ? (size_t)s->taps * (size_t)s->in : (size_t)s->depth * (size_t)s->out_group;
}

void conv_weight_backward(struct net *net, const struct node *node, const struct conv_shape *s,
                          struct view dz)
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
                               .stack = op_scratch(net) + conv_aligned(weight_row_floats(s)),
                               .gradient = gradient};
    if (s->depthwise) {
        par_for(net->options.threads, s->in, KERNEL_BLOCK, weight_channels, &c);
        return;
    }
    for (c.group = 0; c.group < s->options->groups; c.group++)
        par_for(net->options.threads, s->depth, 4, weight_rows, &c);
}

size_t conv_weight_scratch(const struct conv_shape *s, int images)
{
    return conv_aligned(weight_row_floats(s)) * (size_t)(1 + tree_levels(images));
}
