/* Convolution of bytes with a quantised layer (quant.h): exact sums, then the rule of struct int8_finish.
 *
 * Pixels go in blocks. The general form widens each pixel's window into a row of words (taps x channels,
 * padded to an even number); depthwise layers read bytes through pointers. Taps in the padding read
 * input_zero. */
#include "nn/op.h"

#include "base/par.h"
#include "nn/quant.h"

#include <assert.h>
#include <string.h>

enum { GRAIN = 12, BLOCK_PIXELS = 48, BLOCK_WORDS = 24576, MAX_TAPS = 256 };

struct shape {
    const struct conv_options *options;
    int in, out, taps, depth, pairs, blocks;
    bool depthwise;
};

static struct shape shape_of(const struct net *net, const struct node *node)
{
    const struct conv_options *o = &node->as.conv;
    struct shape s = {.options = o,
                      .in = net->graph->tensors[node->input[0]].channels,
                      .out = net->graph->tensors[node->output].channels,
                      .taps = o->kernel * o->kernel,
                      .depthwise = o->groups > 1};
    s.depth = s.depthwise ? s.taps : s.taps * s.in;
    s.pairs = (s.depth + 1) / 2;
    s.blocks = (s.out + KERNEL_BLOCK - 1) / KERNEL_BLOCK;
    assert(s.taps <= MAX_TAPS && s.depth < INT8_MAX_DEPTH);
    return s;
}

/* ---- Packed: start, scale and bias of padded channels, then the weights as words ---- */

static size_t channel_floats(const struct shape *s) { return (size_t)s->blocks * KERNEL_BLOCK; }

static size_t weight_words(const struct shape *s)
{
    return 2 * (size_t)s->pairs * (s->depthwise ? (size_t)s->in : channel_floats(s));
}

static size_t int8_packed(const struct net *net, const struct node *node)
{
    const struct shape s = shape_of(net, node);
    return 3 * channel_floats(&s) + (weight_words(&s) + 1) / 2;
}

static int16_t *packed_weights(const struct net *net, const struct node *node, const struct shape *s)
{
    return (int16_t *)(op_packed(net, node) + 3 * channel_floats(s));
}

static size_t weight_index(const struct shape *s, int o, int i, int t)
{
    if (s->depthwise) return ((size_t)(t / 2) * (size_t)s->in + (size_t)o) * 2 + (size_t)(t % 2);
    const size_t k = (size_t)t * (size_t)s->in + (size_t)i;
    return (((size_t)(o / KERNEL_BLOCK) * (size_t)s->pairs + k / 2) * KERNEL_BLOCK +
            (size_t)(o % KERNEL_BLOCK)) *
               2 +
           k % 2;
}

static void int8_pack(struct net *net, const struct node *node)
{
    const struct shape s = shape_of(net, node);
    const struct quant_layer *layer = node->quant;
    const float *weight = op_param(net, node, CONV_WEIGHT), *bias = op_param(net, node, CONV_BIAS);
    const int group = s.depthwise ? 1 : s.in; /* inputs of an output */
    int32_t *start = (int32_t *)op_packed(net, node);
    float *scales = op_packed(net, node) + channel_floats(&s), *biases = scales + channel_floats(&s);
    int16_t *words = packed_weights(net, node, &s);
    memset(start, 0, int8_packed(net, node) * sizeof(float));
    for (int o = 0; o < s.out; o++) {
        for (int i = 0; i < group; i++)
            for (int t = 0; t < s.taps; t++) {
                const int c = s.depthwise ? o : i;
                const int w = quant_weight(
                    layer, o, c,
                    weight[((size_t)o * (size_t)group + (size_t)i) * (size_t)s.taps + (size_t)t]);
                words[weight_index(&s, o, i, t)] = (int16_t)w;
                start[o] -= w * layer->input_zero[c];
            }
        scales[o] = layer->weight_scale[o];
        biases[o] = op_flushed(bias[o]);
    }
}

/* ---- Forward ---- */

struct walk {
    const struct net *net;
    struct shape shape;
    struct byte_view source, shortcut, bytes;
    struct view real;
    int height, width;
    const uint8_t *zero; /* a pixel of the padding */
    const int16_t *weights;
    struct int8_finish finish;
    bool fused, to_bytes;
};

struct position {
    int64_t image;
    int y, x; /* of the output */
};

static struct position position_at(const struct walk *w, int64_t index)
{
    const int64_t area = (int64_t)w->height * w->width;
    const int rest = (int)(index % area);
    return (struct position){index / area, rest / w->width, rest % w->width};
}

static const uint8_t *source_at(const struct walk *w, int64_t image, int y, int x)
{
    if ((unsigned)y >= (unsigned)w->source.height || (unsigned)x >= (unsigned)w->source.width) return w->zero;
    return w->source.data + ((image * w->source.height + y) * w->source.width + x) * w->source.stride;
}

/* One window as words. Where a kernel row lies in memory as one piece it is widened as one. */
static void widen_window(const struct walk *w, struct position p, int16_t *to)
{
    const struct conv_options *o = w->shape.options;
    const int channels = w->shape.in, x = p.x * o->stride - o->padding;
    const bool whole =
        w->source.stride == channels && o->dilation == 1 && x >= 0 && x + o->kernel <= w->source.width;
    int16_t *const end = to + 2 * w->shape.pairs;
    for (int kh = 0; kh < o->kernel; kh++) {
        const int y = p.y * o->stride - o->padding + kh * o->dilation;
        if (whole && (unsigned)y < (unsigned)w->source.height) {
            w->net->kernels->widen(to, source_at(w, p.image, y, x), o->kernel * channels);
            to += o->kernel * channels;
            continue;
        }
        for (int kw = 0; kw < o->kernel; kw++, to += channels)
            w->net->kernels->widen(to, source_at(w, p.image, y, x + kw * o->dilation), channels);
    }
    if (to < end) *to = 0;
}

static void widen_block(const struct walk *w, int64_t begin, int count, int16_t *words)
{
    const struct conv_options *o = w->shape.options;
    const bool pointwise = o->kernel == 1 && o->stride == 1 && !o->padding;
    if (pointwise && w->source.stride == w->shape.in && w->shape.in % 2 == 0) {
        w->net->kernels->widen(words, w->source.data + begin * w->source.stride,
                               (ptrdiff_t)count * w->shape.in);
        return;
    }
    for (int i = 0; i < count; i++)
        widen_window(w, position_at(w, begin + i), words + (ptrdiff_t)i * 2 * w->shape.pairs);
}

static void depthwise_block(const struct walk *w, int64_t begin, int count, const struct int8_finish *finish)
{
    const struct conv_options *o = w->shape.options;
    const uint8_t *in[MAX_TAPS * GRAIN];
    for (int i = 0; i < count; i++) {
        const struct position p = position_at(w, begin + i);
        for (int t = 0; t < w->shape.taps; t++)
            in[t * count + i] =
                source_at(w, p.image, p.y * o->stride - o->padding + t / o->kernel * o->dilation,
                          p.x * o->stride - o->padding + t % o->kernel * o->dilation);
    }
    w->net->kernels->depthwise_int8(&(struct int8_depthwise){.in = in,
                                                             .pixels = count,
                                                             .taps = w->shape.taps,
                                                             .channels = w->shape.in,
                                                             .weights = w->weights,
                                                             .finish = *finish});
}

static int block_pixels(const struct shape *s)
{
    const int fit = BLOCK_WORDS / (2 * s->pairs) / GRAIN * GRAIN;
    return s->depthwise || fit < GRAIN ? GRAIN : fit < BLOCK_PIXELS ? fit : BLOCK_PIXELS;
}

static void walk_pixels(void *context, int64_t begin, int64_t end, int worker)
{
    const struct walk *w = context;
    const int step = block_pixels(&w->shape);
    const uint8_t *shortcut[BLOCK_PIXELS];
    uint8_t *out[BLOCK_PIXELS];
    float *real[BLOCK_PIXELS];
    struct int8_finish finish = w->finish;
    finish.residual = w->fused ? shortcut : NULL;
    finish.out = w->to_bytes ? out : NULL;
    finish.real = real;
    for (int64_t p = begin; p < end; p += step) {
        const int count = end - p < step ? (int)(end - p) : step;
        for (int i = 0; i < count; i++) {
            if (w->fused) shortcut[i] = w->shortcut.data + (p + i) * w->shortcut.stride;
            if (w->to_bytes)
                out[i] = w->bytes.data + (p + i) * w->bytes.stride;
            else
                real[i] = view_row(&w->real, p + i);
        }
        if (w->shape.depthwise) {
            depthwise_block(w, p, count, &finish);
            continue;
        }
        int16_t *words = (int16_t *)op_worker_scratch(w->net, worker);
        widen_block(w, p, count, words);
        w->net->kernels->conv_int8(&(struct int8_block){.in = words,
                                                        .pixels = count,
                                                        .pairs = w->shape.pairs,
                                                        .cout = w->shape.out,
                                                        .weights = w->weights,
                                                        .finish = finish});
    }
}

static void int8_forward(struct net *net, const struct node *node)
{
    const float *packed = op_packed(net, node);
    const struct tensor *out = net->graph->tensors + node->output;
    struct walk w = {.net = net,
                     .shape = shape_of(net, node),
                     .source = net_bytes(net, node->input[0]),
                     .height = out->height,
                     .width = out->width,
                     .zero = node->quant->input_zero,
                     .fused = node->inputs == 2,
                     .to_bytes = net_is_bytes(net, node->output)};
    const size_t channels = channel_floats(&w.shape);
    w.weights = packed_weights(net, node, &w.shape);
    w.finish = (struct int8_finish){.start = (const int32_t *)packed,
                                    .scale = packed + channels,
                                    .bias = packed + 2 * channels,
                                    .activation = w.shape.options->activation};
    if (w.fused) {
        w.shortcut = net_bytes(net, node->input[1]);
        w.finish.residual_scale = w.shortcut.scale[0];
        w.finish.residual_zero = w.shortcut.zero[0];
    }
    if (w.to_bytes) {
        w.bytes = net_bytes(net, node->output);
        w.finish.inverse = 1.f / w.bytes.scale[0];
        w.finish.zero = w.bytes.zero[0];
    } else {
        w.real = op_output(net, node);
    }
    par_for(net->options.threads, (int64_t)net->options.batch * w.height * w.width, GRAIN, walk_pixels, &w);
}

static size_t int8_worker_scratch(const struct net *net, const struct node *node)
{
    const struct shape s = shape_of(net, node);
    return s.depthwise ? 0 : (size_t)block_pixels(&s) * (size_t)s.pairs + INT8_SLACK;
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
