/* Convolution of bytes with a quantised layer (quant.h): exact sums, then the rule of struct int8_finish.
 *
 * Kernels read windows where rows and pixels are constant distances apart: pointwise layers the input itself,
 * the others a strip of padded input rows, a copy for some output rows. In the strip a kernel row is one run
 * of taps x channels (dilated: one run a tap), cut into steps of four; the last step of a run may reach
 * beyond it, where weights are 0. Taps in the padding read input_zero. */
#include "nn/op.h"

#include "base/par.h"
#include "nn/int8_pack.h"
#include "nn/quant.h"

#include <assert.h>
#include <string.h>

enum { GRAIN = 20, BLOCK_PIXELS = 80, STRIP_BYTES = 24576, BLOCKS = 16, MAX_TAPS = 256 };

struct shape {
    const struct conv_options *options;
    int in, out, taps, blocks;
    int height, width;      /* of the output */
    int runs, run, steps;   /* runs of `run` bytes; steps of all runs */
    int rows, line, pixels; /* of a strip: output rows, bytes of an input row, pixels of it */
    bool depthwise, pointwise;
};

static int rows_in(const struct shape *s, int rows)
{
    const struct conv_options *o = s->options;
    return (rows - 1) * o->stride + (o->kernel - 1) * o->dilation + 1;
}

/* Enough rows for few copies, but few enough that the strip stays in cache and threads find work. */
static int strip_rows(const struct shape *s)
{
    int rows = 1;
    while ((rows + 1) * BLOCKS <= s->height && (int64_t)rows_in(s, rows + 1) * s->line <= STRIP_BYTES) rows++;
    return rows;
}

static struct shape shape_of(const struct net *net, const struct node *node)
{
    const struct conv_options *o = &node->as.conv;
    const struct tensor *out = net->graph->tensors + node->output;
    struct shape s = {.options = o,
                      .in = net->graph->tensors[node->input[0]].channels,
                      .out = out->channels,
                      .taps = o->kernel * o->kernel,
                      .height = out->height,
                      .width = out->width,
                      .depthwise = o->groups > 1,
                      .pointwise = o->kernel == 1 && o->stride == 1 && !o->padding && o->groups == 1};
    s.blocks = (s.out + KERNEL_BLOCK - 1) / KERNEL_BLOCK;
    s.runs = o->dilation == 1 ? o->kernel : s.taps;
    s.run = o->dilation == 1 ? o->kernel * s.in : s.in;
    s.steps = s.runs * ((s.run + 3) / 4);
    s.pixels = (s.width - 1) * o->stride + (o->kernel - 1) * o->dilation + 1;
    s.line = s.pixels * s.in;
    s.rows = strip_rows(&s);
    assert(s.taps <= MAX_TAPS && s.taps * (s.depthwise ? 1 : s.in) < INT8_MAX_DEPTH);
    return s;
}

static int tap_offset(const struct shape *s, int t)
{
    const struct conv_options *o = s->options;
    return t / o->kernel * o->dilation * s->line + t % o->kernel * o->dilation * s->in;
}

/* ---- Packed: start, shifted start, scale and bias of padded channels, then the weights ---- */

enum { START, SHIFTED_START, SCALE, BIAS, CHANNEL_ARRAYS };

static size_t channel_floats(const struct shape *s) { return (size_t)s->blocks * KERNEL_BLOCK; }

/* Counts of each column, padded so that weights begin where a cache line does. */
static size_t column_ints(const struct shape *s)
{
    return ((size_t)s->blocks * (sizeof(struct int8_column) / sizeof(int32_t)) + 15) / 16 * 16;
}

static size_t int8_packed(const struct net *net, const struct node *node)
{
    const struct shape s = shape_of(net, node);
    const size_t weights = s.depthwise
                               ? ((size_t)s.taps + 1) / 2 * (size_t)s.in
                               : column_ints(&s) + (size_t)s.blocks * (size_t)int8_column_size(s.steps);
    return CHANNEL_ARRAYS * channel_floats(&s) + weights;
}

static float *packed_array(const struct net *net, const struct node *node, const struct shape *s, int array)
{
    return op_packed(net, node) + (size_t)array * channel_floats(s);
}

static void *packed_weights(const struct net *net, const struct node *node, const struct shape *s)
{
    return packed_array(net, node, s, CHANNEL_ARRAYS);
}

static int quantised(const struct net *net, const struct node *node, const struct shape *s, int o, int i,
                     int t)
{
    const float *weight = op_param(net, node, CONV_WEIGHT);
    const int group = s->depthwise ? 1 : s->in; /* inputs of an output */
    return quant_weight(node->quant, o, s->depthwise ? o : i, weight[((size_t)o * group + i) * s->taps + t]);
}

static void pack_depthwise(const struct net *net, const struct node *node, const struct shape *s,
                           int32_t *start)
{
    int16_t *words = packed_weights(net, node, s);
    for (int o = 0; o < s->out; o++)
        for (int t = 0; t < s->taps; t++) {
            const int w = quantised(net, node, s, o, 0, t);
            words[(t / 2 * s->in + o) * 2 + t % 2] = (int16_t)w;
            start[o] -= w * node->quant->input_zero[o];
        }
}

static void pack_block(const struct net *net, const struct node *node, const struct shape *s, int block,
                       int32_t *start, int32_t *shifted)
{
    struct int8_column *counts = packed_weights(net, node, s);
    int32_t *column = (int32_t *)counts + column_ints(s) + block * int8_column_size(s->steps);
    const int steps = s->steps / s->runs; /* of a run */
    for (int n = 0; n < KERNEL_BLOCK && block * KERNEL_BLOCK + n < s->out; n++)
        for (int t = 0; t < s->taps; t++)
            for (int i = 0; i < s->in; i++) {
                const int o = block * KERNEL_BLOCK + n, w = quantised(net, node, s, o, i, t);
                const int run = s->runs == s->taps ? t : t / s->options->kernel;
                const int at = s->runs == s->taps ? i : t % s->options->kernel * s->in + i;
                int8_pack_step(column, s->steps, run * steps + at / 4)[4 * n + at % 4] = (int8_t)w;
                start[o] -= w * node->quant->input_zero[i];
                shifted[o] += w * (128 - node->quant->input_zero[i]);
            }
    counts[block] = int8_pack_column(column, s->steps);
    for (int i = 0; i < s->steps; i++) {
        const int run = column[i] / steps;
        column[i] =
            tap_offset(s, s->runs == s->taps ? run : run * s->options->kernel) + column[i] % steps * 4;
    }
}

static void int8_pack(struct net *net, const struct node *node)
{
    const struct shape s = shape_of(net, node);
    const float *bias = op_param(net, node, CONV_BIAS);
    int32_t *start = (int32_t *)packed_array(net, node, &s, START);
    int32_t *shifted = (int32_t *)packed_array(net, node, &s, SHIFTED_START);
    float *scales = packed_array(net, node, &s, SCALE), *biases = packed_array(net, node, &s, BIAS);
    memset(start, 0, int8_packed(net, node) * sizeof(float));
    for (int o = 0; o < s.out; o++) {
        scales[o] = node->quant->weight_scale[o];
        biases[o] = flush_double(bias[o]);
    }
    if (s.depthwise) pack_depthwise(net, node, &s, start);
    for (int block = 0; block < s.blocks && !s.depthwise; block++)
        pack_block(net, node, &s, block, start, shifted);
}

/* ---- Forward ---- */

struct walk {
    const struct net *net;
    struct shape shape;
    struct byte_view source;
    const uint8_t *zero; /* a pixel of the padding */
    const void *weights;
    const int32_t *shifted_start;
    struct int8_finish finish; /* of the first pixel */
    int32_t offset[MAX_TAPS];  /* of the taps of a depthwise layer */
};

static struct int8_finish finish_from(const struct walk *w, int64_t pixel)
{
    struct int8_finish f = w->finish;
    if (f.residual) f.residual += pixel * f.residual_stride;
    if (f.out) f.out += pixel * f.out_stride;
    if (f.real) f.real += pixel * f.real_stride;
    return f;
}

static void compute(const struct walk *w, struct int8_windows in, int64_t pixel)
{
    const struct shape *s = &w->shape;
    if (s->depthwise)
        w->net->kernels->depthwise_int8(&(struct int8_depthwise){.in = in,
                                                                 .taps = s->taps,
                                                                 .channels = s->in,
                                                                 .offset = w->offset,
                                                                 .weights = w->weights,
                                                                 .finish = finish_from(w, pixel)});
    else
        w->net->kernels->conv_int8(
            &(struct int8_block){.in = in,
                                 .cout = s->out,
                                 .steps = s->steps,
                                 .columns = w->weights,
                                 .weights = (const int32_t *)w->weights + column_ints(s),
                                 .shifted_start = w->shifted_start,
                                 .finish = finish_from(w, pixel)});
}

static void walk_pixels(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const struct walk *w = context;
    for (int64_t p = begin; p < end; p += BLOCK_PIXELS) {
        const struct int8_windows in = {.first = w->source.data + p * w->source.stride,
                                        .pixel = w->source.stride,
                                        .height = 1,
                                        .width = end - p < BLOCK_PIXELS ? (int)(end - p) : BLOCK_PIXELS};
        compute(w, in, p);
    }
}

static uint8_t *padding(const struct walk *w, uint8_t *to, int pixels)
{
    const size_t bytes = (size_t)w->shape.in;
    for (int i = 0; i < pixels; i++, to += bytes) memcpy(to, w->zero, bytes);
    return to;
}

/* One row of the input as a line of the strip. */
static void copy_line(const struct walk *w, int64_t image, int y, uint8_t *to)
{
    const int left = w->shape.options->padding, channels = w->shape.in;
    int inside = w->shape.pixels - left;
    if (y < 0 || y >= w->source.height) inside = 0;
    if (inside > w->source.width) inside = w->source.width;
    if (inside <= 0) {
        padding(w, to, w->shape.pixels);
        return;
    }
    const uint8_t *from =
        w->source.data + (image * w->source.height + y) * w->source.width * w->source.stride;
    to = padding(w, to, left);
    if (w->source.stride == channels)
        memcpy(to, from, (size_t)inside * (size_t)channels);
    else
        for (int x = 0; x < inside; x++)
            memcpy(to + x * channels, from + x * w->source.stride, (size_t)channels);
    padding(w, to + (ptrdiff_t)inside * channels, w->shape.pixels - left - inside);
}

static int strips_of(const struct shape *s) { return (s->height + s->rows - 1) / s->rows; }

static void walk_strips(void *context, int64_t begin, int64_t end, int worker)
{
    const struct walk *w = context;
    const struct shape *s = &w->shape;
    const int strips = strips_of(s);
    uint8_t *strip = (uint8_t *)op_worker_scratch(w->net, worker);
    for (int64_t i = begin; i < end; i++) {
        const int64_t image = i / strips;
        const int first = (int)(i % strips) * s->rows, top = first * s->options->stride - s->options->padding;
        const int rows = s->height - first < s->rows ? s->height - first : s->rows;
        for (int y = 0; y < rows_in(s, rows); y++)
            copy_line(w, image, top + y, strip + (ptrdiff_t)y * s->line);
        const struct int8_windows in = {.first = strip,
                                        .row = (ptrdiff_t)s->options->stride * s->line,
                                        .pixel = (ptrdiff_t)s->options->stride * s->in,
                                        .height = rows,
                                        .width = s->width};
        compute(w, in, (image * s->height + first) * s->width);
    }
}

static struct int8_finish finish_of(const struct net *net, const struct node *node, const struct shape *s)
{
    struct int8_finish f = {.start = (const int32_t *)packed_array(net, node, s, START),
                            .scale = packed_array(net, node, s, SCALE),
                            .bias = packed_array(net, node, s, BIAS),
                            .activation = s->options->activation};
    if (node->inputs == 2) {
        const struct byte_view shortcut = net_bytes(net, node->input[1]);
        f.residual = shortcut.data;
        f.residual_stride = shortcut.stride;
        f.residual_scale = shortcut.scale[0];
        f.residual_zero = shortcut.zero[0];
    }
    if (net_is_bytes(net, node->output)) {
        const struct byte_view bytes = net_bytes(net, node->output);
        f.out = bytes.data;
        f.out_stride = bytes.stride;
        f.inverse = 1.f / bytes.scale[0];
        f.zero = bytes.zero[0];
    } else {
        const struct view real = op_output(net, node);
        f.real = real.data;
        f.real_stride = real.stride;
    }
    return f;
}

static void int8_forward(struct net *net, const struct node *node)
{
    struct walk w = {.net = net,
                     .shape = shape_of(net, node),
                     .source = net_bytes(net, node->input[0]),
                     .zero = node->quant->input_zero};
    w.weights = packed_weights(net, node, &w.shape);
    w.shifted_start = (const int32_t *)packed_array(net, node, &w.shape, SHIFTED_START);
    w.finish = finish_of(net, node, &w.shape);
    for (int t = 0; t < w.shape.taps; t++) w.offset[t] = tap_offset(&w.shape, t);
    if (w.shape.pointwise)
        par_for(net->options.threads, w.source.pixels, GRAIN, walk_pixels, &w);
    else
        par_for(net->options.threads, (int64_t)net->options.batch * strips_of(&w.shape), 1, walk_strips, &w);
}

static size_t int8_worker_scratch(const struct net *net, const struct node *node)
{
    const struct shape s = shape_of(net, node);
    return s.pointwise ? 0 : (size_t)rows_in(&s, s.rows) * (size_t)s.line / sizeof(float) + INT8_SLACK;
}

static const char *int8_algorithm(const struct net *net, const struct node *node)
{
    (void)net;
    (void)node;
    return "int8";
}

const struct op op_conv_int8 = {.algorithm = int8_algorithm,
                                .packed = int8_packed,
                                .worker_scratch = int8_worker_scratch,
                                .pack = int8_pack,
                                .forward = int8_forward};
