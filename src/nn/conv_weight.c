/* The weight gradient of a convolution: the chain over the pixels of a chunk, chunks in order, images in the
 * binary tree (pixels.h). Workers own rows of taps and input channels, or channels of a depthwise one. */
#include "nn/conv.h"

#include "base/par.h"
#include "nn/pixels.h"
#include "nn/window.h"

#include <string.h>

enum {
    POINTER_FLOATS = sizeof(void *) / sizeof(float),
    PIECE = 64,        /* pixels of a chunk that are packed together */
    MAX_SEGMENT = 192, /* rows that are read through one pointer, where there are several taps */
};

struct weight_context {
    const struct net *net;
    const struct conv_shape *shape;
    struct window window;
    struct chunks chunks;
    struct view x, dz;
    int group;
    /* Each [depth][cols], cols rounded up to whole blocks: partial sums of the image tree, the current
     * image's and the current chunk's. */
    float *stack, *row, *part;
    float *gradient; /* OIHW */
};

/* Taps whose rows are read through one pointer, at most: all of a patch, a kernel row, or one. */
static int segment_taps(const struct conv_shape *s)
{
    if (s->patches) return s->taps;
    return s->options->kernel * s->in_group <= MAX_SEGMENT ? s->options->kernel : 1;
}

static size_t weight_cols(const struct conv_shape *s) { return conv_aligned((size_t)s->out_group); }

/* In the worker's scratch: pointers to the inputs of one piece, its packed gradients, copies of inputs. For a
 * depthwise convolution the pointers of a whole chunk. */
size_t conv_weight_worker_scratch(const struct conv_shape *s, const struct tensor *out)
{
    if (s->depthwise) {
        const struct chunks chunks = pixels_chunks(out->height, out->width);
        return (size_t)chunks.rows * (size_t)out->width * (size_t)s->taps * POINTER_FLOATS;
    }
    return PIECE * (POINTER_FLOATS + weight_cols(s) + (size_t)segment_taps(s) * (size_t)s->in_group);
}

/* Rows of dy as [ceil(cols / 16)][pixels][16], zero-filled. */
static void pack_gradient(float *packed, const float *dy, ptrdiff_t stride, int pixels, int cols)
{
    for (int n = 0; n < cols; n += KERNEL_BLOCK)
        for (int p = 0; p < pixels; p++, packed += KERNEL_BLOCK) {
            const float *from = dy + p * stride + n;
            if (cols - n >= KERNEL_BLOCK) {
                memcpy(packed, from, KERNEL_BLOCK * sizeof *packed);
                continue;
            }
            for (int c = 0; c < KERNEL_BLOCK; c++) packed[c] = n + c < cols ? from[c] : 0.f;
        }
}

/* Rows [begin, end) of [taps * in_group] continued over one piece into dw, whose row `begin` is the first. */
static void weight_piece(const struct weight_context *c, float *dw, int64_t begin, int64_t end, int64_t first,
                         int pixels, bool start, int worker)
{
    const struct conv_shape *s = c->shape;
    const float **x = (const float **)op_worker_scratch(c->net, worker);
    float *dy = (float *)x + PIECE * POINTER_FLOATS, *copies = dy + PIECE * weight_cols(s);
    pack_gradient(dy, view_row(&c->dz, first) + c->group * s->out_group, c->dz.stride, pixels, s->out_group);
    struct window segment = c->window;
    segment.taps = s->patches || c->x.stride == s->in_group ? segment_taps(s) : 1;
    const int length = segment.taps * s->in_group;
    for (int64_t r = begin; r < end;) {
        const int tap = (int)(r / length) * segment.taps, offset = (int)(r % length);
        const int64_t segment_end = r - offset + length, last = end < segment_end ? end : segment_end;
        memcpy(segment.dy, c->window.dy + tap, (size_t)segment.taps * sizeof *segment.dy);
        memcpy(segment.dx, c->window.dx + tap, (size_t)segment.taps * sizeof *segment.dx);
        window_rows(&segment, &c->x, c->group * s->in_group, s->in_group, op_zeros(c->net), first, pixels, x,
                    copies);
        for (int i = 0; offset && i < pixels; i++) x[i] += offset;
        c->net->kernels->outer(&(struct outer_block){.x = x,
                                                     .dy = dy,
                                                     .pixels = pixels,
                                                     .rows = (int)(last - r),
                                                     .cols = s->out_group,
                                                     .dw = dw + (r - begin) * (ptrdiff_t)weight_cols(s),
                                                     .dw_stride = (ptrdiff_t)weight_cols(s),
                                                     .accumulate = !start});
        r = last;
    }
}

static void weight_rows(void *context, int64_t begin, int64_t end, int worker)
{
    const struct weight_context *c = context;
    const struct conv_shape *s = c->shape;
    const int images = c->x.images;
    const ptrdiff_t cols = (ptrdiff_t)weight_cols(s), level = s->depth * cols;
    const size_t length = (size_t)((end - begin) * cols);
    float *row = c->row + begin * cols, *part = c->part + begin * cols;
    for (int image = 0; image < images; image++) {
        for (int chunk = 0; chunk < c->chunks.per_image; chunk++) {
            int pixels;
            const int64_t first =
                pixels_chunk_begin(&c->dz, c->chunks, (int64_t)image * c->chunks.per_image + chunk, &pixels);
            float *dw = chunk ? part : row;
            for (int p = 0; p < pixels; p += PIECE)
                weight_piece(c, dw, begin, end, first + p, pixels - p < PIECE ? pixels - p : PIECE, p == 0,
                             worker);
            if (chunk) c->net->kernels->add(row, cols, row, cols, part, cols, (int)(end - begin), (int)cols);
        }
        tree_feed(c->stack + begin * cols, level, image, images, row, length);
    }
    for (int64_t r = begin; r < end; r++) {
        const int64_t tap = r / s->in_group, channel = r % s->in_group;
        float *gradient =
            c->gradient + ((int64_t)c->group * s->out_group * s->in_group + channel) * s->taps + tap;
        for (int o = 0; o < s->out_group; o++) gradient[(ptrdiff_t)o * s->depth] += c->stack[r * cols + o];
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
    return s->depthwise ? (size_t)s->taps * (size_t)s->in : (size_t)s->depth * weight_cols(s);
}

void conv_weight_backward(struct net *net, const struct node *node, const struct conv_shape *s,
                          struct view dz)
{
    float *gradient = op_param_gradient(net, node, CONV_WEIGHT);
    if (!gradient) return;
    const size_t level = conv_aligned(weight_row_floats(s));
    struct weight_context c = {.net = net,
                               .shape = s,
                               .window = window_forward(s->options, dz.height, dz.width),
                               .chunks = pixels_chunks(dz.height, dz.width),
                               .x = op_input(net, node, 0),
                               .dz = dz,
                               .row = op_scratch(net),
                               .part = op_scratch(net) + level,
                               .stack = op_scratch(net) + 2 * level,
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
    return conv_aligned(weight_row_floats(s)) * (size_t)(2 + tree_levels(images));
}
