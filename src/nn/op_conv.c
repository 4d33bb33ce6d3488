/* Convolution of any kernel, stride, padding, dilation and groups, with batch norm or bias and an activation.
 *
 * Inference folds the batch norm into the weights (in double, rounded once) and applies the activation in the
 * kernel. Training stores z, the sums with any bias; with batch norm it computes batch statistics (biased variance
 * for normalising, unbiased for the running one); then it normalises and activates into the output.
 *
 * Under the plan "fast" some 3x3 convolutions take the Winograd form (conv_winograd.c), those of stride 2 the
 * polyphase one (conv_polyphase.c), and wide 1x1 ones Strassen's, forward (conv_strassen.c). Otherwise three forms,
 * chosen by shape: depthwise (groups = channels); patches, for inputs of at most 4 channels a group, which are copied
 * into contiguous rows first; and the general one, which walks pointers to source pixels.
 * These three run the chain (kh, kw, ci) from the bias; of their gradients dx is the chain (kh, kw, co) in
 * descending kernel position, dw that over the pixels of a chunk, chunks in order, images in the binary tree
 * (docs/NUMERICS.md). */
#include "nn/conv.h"

#include "base/par.h"
#include "nn/window.h"

#include <assert.h>

enum {
    BLOCK_POINTERS = 1024,
    BLOCK_PIXELS = 80,
    BLOCK_FLOATS = 8192, /* times the vector width: inputs of one tap that stay in a cache as weights go by */
    BLOCK_MOST_PIXELS = 320,
    MANY_WEIGHTS = 1 << 16, /* floats: read again for each share of the pixels */
    GRAIN = 10,
    MOST_TOGETHER = 64, /* channels of taps that are read through one pointer */
};

/* ---- One walk serves forward and data gradient ---- */

struct walk {
    const struct net *net;
    struct window window;
    struct view source, target;
    const float *weights, *bias;
    ptrdiff_t weight_stride;               /* between blocks of 16 outputs */
    int groups, channels_in, channels_out; /* of a group */
    bool depthwise, accumulate;
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

/* Taps that are read through one pointer: those of a kernel row where they lie one after the other and the
 * channels are few, all of them as a copied patch where the channels are very few, else one. */
static int taps_together(const struct window *window, const struct view *source, int channels)
{
    const int adjacent = window_adjacent(window, source, channels);
    if (adjacent > 1 && adjacent * channels <= MOST_TOGETHER) return adjacent;
    return channels <= CONV_PATCH_CHANNELS && window->taps ? window->taps : 1;
}

/* Floats that the copies of a block take at most. */
static size_t together_floats(const struct window *window, const struct view *source, int channels)
{
    const bool copies = taps_together(window, source, channels) > 1;
    return copies ? (size_t)BLOCK_PIXELS * (size_t)(window->taps * channels) : 0;
}

static void walk_group(const struct walk *w, int together, int group, const float **in, float **out,
                       int pixels)
{
    const ptrdiff_t group_blocks = conv_blocks(w->channels_out);
    w->net->kernels->conv(
        &(struct conv_block){.in = in,
                             .out = out,
                             .pixels = pixels,
                             .taps = w->window.taps / together,
                             .channels = w->channels_in * together,
                             .cout = w->channels_out,
                             .weights = w->weights + group * group_blocks * w->weight_stride,
                             .weight_stride = w->weight_stride,
                             .bias = w->bias ? w->bias + group * group_blocks * KERNEL_BLOCK : NULL,
                             .start = w->accumulate ? out : NULL,
                             .activation = w->activation});
}

static int clamped(int n, int low, int high) { return n < low ? low : n > high ? high : n; }

static int block_pixels(const struct walk *w, int together)
{
    const int taps = w->window.taps, floats = BLOCK_FLOATS * w->net->kernels->width;
    if (taps == 1 && w->channels_in)
        return clamped(floats / w->channels_in / GRAIN * GRAIN, GRAIN, BLOCK_MOST_PIXELS);
    return taps ? clamped(BLOCK_POINTERS * together / taps / GRAIN * GRAIN, GRAIN, BLOCK_PIXELS)
                : BLOCK_PIXELS;
}

static void walk_pixels(void *context, int64_t begin, int64_t end, int worker)
{
    const struct walk *w = context;
    const float *in[WINDOW_MAX_TAPS * GRAIN > BLOCK_POINTERS ? WINDOW_MAX_TAPS * GRAIN : BLOCK_POINTERS];
    float *out[BLOCK_MOST_PIXELS];
    const int together = w->depthwise ? 1 : taps_together(&w->window, &w->source, w->channels_in),
              taps = w->window.taps;
    const int step = block_pixels(w, together), length = w->channels_in * together;
    assert(together == 1 || (size_t)step * (size_t)(taps * w->channels_in) <= w->net->worker_floats);
    for (int64_t p = begin; p < end; p += step) {
        const int pixels = end - p < step ? (int)(end - p) : step;
        for (int group = 0; group < (w->depthwise ? 1 : w->groups); group++) {
            const int channel = group * w->channels_in;
            window_outputs(&w->window, &w->target, group * w->channels_out, p, pixels, out);
            if (together == 1)
                window_inputs(&w->window, &w->source, channel, op_zeros(w->net), p, pixels, in);
            for (int t = 0, n = 0; together > 1 && t < taps; t += together, n += pixels)
                window_rows(&w->window, t, together, &w->source, channel, w->channels_in, op_zeros(w->net), p,
                            pixels, in + n, op_worker_scratch(w->net, worker) + n * (ptrdiff_t)length);
            if (w->depthwise)
                walk_depthwise(w, in, out, pixels);
            else
                walk_group(w, together, group, in, out, pixels);
        }
    }
}

static void walk_run(struct walk *w)
{
    const int64_t pixels = (int64_t)w->target.images * w->window.height * w->window.width;
    const int threads = w->net->options.threads;
    const int64_t weights = (int64_t)w->window.taps * w->channels_in * w->channels_out;
    const int64_t each = (pixels + threads - 1) / threads;
    const bool few = each <= BLOCK_MOST_PIXELS && weights >= MANY_WEIGHTS && !w->depthwise;
    par_pass(threads, pixels, few ? each : GRAIN, walk_pixels, w);
}

/* The output, or what batch norm and activation make it from. */
static void convolve(struct net *net, const struct node *node)
{
    const struct conv_shape s = conv_shape_of(net, node);
    const struct view y = op_output(net, node);
    const bool ends = op_training(net) && conv_has_end(node);
    const struct view target = ends ? conv_z(net, node) : y;
    const enum activation activation = ends ? ACT_NONE : s.options->activation;
    struct walk walk = {.net = net,
                        .window = window_forward(s.options, y.height, y.width),
                        .source = op_input(net, node, 0),
                        .target = target,
                        .weights = op_packed(net, node),
                        .bias = conv_packed_bias(net, node, &s),
                        .weight_stride = (ptrdiff_t)s.depth * KERNEL_BLOCK,
                        .groups = s.options->groups,
                        .channels_in = s.in_group,
                        .channels_out = s.out_group,
                        .depthwise = s.depthwise,
                        .activation = activation};
    const struct conv_walk whole = {net, walk.source, target, walk.weights, walk.bias, false, activation};
    if (s.winograd)
        conv_winograd_run(&whole);
    else if (s.polyphase)
        conv_polyphase_forward(&whole);
    else if (s.strassen)
        conv_strassen_run(&whole);
    else
        walk_run(&walk);
}

static void conv_forward(struct net *net, const struct node *node)
{
    convolve(net, node);
    if (op_training(net) && conv_has_end(node)) conv_end_forward(net, node);
}

/* Where there is a middle only: else the output is kept. */
static void conv_replay(struct net *net, const struct node *node)
{
    if (op_dropped(net, node)) convolve(net, node);
    conv_end_replay(net, node);
}

/* ---- Backward: activation and the sums of norm or bias, then weights and the rest of the norm, then data ---- */

enum { PHASES_TOGETHER = 4 };

/* The phases of a data gradient, walked side by side: what one reads the next finds in the cache. */
struct phases {
    struct walk walk[PHASES_TOGETHER];
    int count, rows, groups; /* rows of a phase's grid in a share of work, such shares of an image */
};

static void walk_phases(void *context, int64_t begin, int64_t end, int worker)
{
    struct phases *p = context;
    for (int64_t i = begin; i < end; i++)
        for (int phase = 0; phase < p->count; phase++) {
            struct walk *w = p->walk + phase;
            const int64_t image = i / p->groups;
            const int height = w->window.height, first = (int)(i % p->groups) * p->rows,
                      last = first + p->rows < height ? first + p->rows : height;
            if (first < last)
                walk_pixels(w, (image * height + first) * w->window.width,
                            (image * height + last) * w->window.width, worker);
        }
}

static void phases_run(struct phases *p)
{
    const struct window *w = &p->walk->window; /* the first phase's grid is the largest */
    p->rows = w->width > 0 && w->width < BLOCK_PIXELS ? BLOCK_PIXELS / w->width : 1;
    p->groups = (w->height + p->rows - 1) / p->rows;
    par_pass(p->walk->net->options.threads, (int64_t)p->walk->target.images * p->groups, 1, walk_phases, p);
}

static void data_backward(struct net *net, const struct node *node, const struct conv_shape *s,
                          struct view dz)
{
    const int stride = s->options->stride;
    const struct view dx = net_gradient(net, node->input[0]);
    const float *weights = conv_packed_backward(net, node, s);
    const bool accumulate = op_accumulates(net, node, 0);
    if (s->winograd || s->polyphase) {
        const struct conv_walk whole = {net, dz, dx, weights, NULL, accumulate, ACT_NONE};
        (s->winograd ? conv_winograd_run : conv_polyphase_backward)(&whole);
        return;
    }
    struct phases phases = {0};
    int position = 0;
    for (int phase = 0; phase < stride * stride; phase++) {
        struct walk *walk = phases.walk + phases.count++;
        *walk = (struct walk){
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
            .accumulate = accumulate};
        position += walk->window.taps;
        if (stride == 1) walk_run(walk);
        if (stride > 1 && (phases.count == PHASES_TOGETHER || phase + 1 == stride * stride)) {
            phases_run(&phases);
            phases.count = 0;
        }
    }
}

static void conv_backward(struct net *net, const struct node *node)
{
    const struct conv_shape s = conv_shape_of(net, node);
    const struct view dy = net_gradient(net, node->output);
    const struct conv_end end = conv_end_backward_begin(net, node, dy);
    const bool weight = op_param_gradient(net, node, CONV_WEIGHT), data = op_needs_gradient(net, node, 0);
    const bool beside = weight && conv_weight_makes_dz(&s, dy.images, net->options.threads);
    if (!beside && (weight || data)) conv_end_backward_all(&end);
    if (weight) conv_weight_backward(net, node, &s, &end);
    if (data) data_backward(net, node, &s, dy);
}

static size_t conv_scratch(const struct net *net, const struct node *node)
{
    if (!op_training(net)) return 0;
    const struct conv_shape s = conv_shape_of(net, node);
    const struct view y = op_output(net, node);
    const size_t end = conv_end_scratch(&y), weight = conv_weight_scratch(&s, y.images, net->options.threads);
    return conv_kept(s.out) + (end > weight ? end : weight);
}

/* Floats that the copies of a walk forward take, and of those of the data gradient's phases. */
static size_t walks_floats(const struct net *net, const struct node *node, const struct conv_shape *s)
{
    const struct view x = op_input(net, node, 0), y = op_output(net, node);
    const int stride = s->options->stride;
    struct window window = window_forward(s->options, y.height, y.width);
    size_t most = together_floats(&window, &x, s->in_group);
    const bool data = op_training(net) && op_needs_gradient(net, node, 0);
    for (int phase = 0; data && phase < stride * stride; phase++) {
        window = window_backward(s->options, x.height, x.width, phase / stride, phase % stride);
        const size_t floats = together_floats(&window, &y, s->out_group); /* dy lies like y */
        if (most < floats) most = floats;
    }
    return most;
}

static size_t conv_worker_scratch(const struct net *net, const struct node *node)
{
    const struct conv_shape s = conv_shape_of(net, node);
    size_t most = 0;
    if (s.winograd) {
        most = conv_winograd_worker_scratch(s.in, s.out);
    } else if (s.polyphase) {
        most = conv_polyphase_worker_scratch(s.in, s.out, false);
        const size_t back = conv_polyphase_worker_scratch(s.in, s.out, true);
        if (op_training(net) && most < back) most = back;
    } else if (s.strassen) {
        const struct view x = op_input(net, node, 0), y = op_output(net, node);
        most = conv_strassen_worker_scratch(&x, &y, net->options.threads);
    } else if (!s.depthwise) {
        most = walks_floats(net, node, &s);
    }
    if (!op_training(net)) return most;
    const size_t weight = conv_weight_worker_scratch(&s, net->graph->tensors + node->output);
    return most < weight ? weight : most;
}

static const char *conv_algorithm(const struct net *net, const struct node *node)
{
    const struct conv_shape s = conv_shape_of(net, node);
    if (s.winograd) return "winograd";
    if (s.polyphase) return "polyphase";
    if (s.strassen) return "strassen";
    return s.depthwise ? "depthwise" : s.patches ? "patches" : "direct";
}

const struct op op_conv = {
    .reads_inputs = true,
    .saved = conv_saved,
    .middle = conv_middle,
    .packed = conv_packed,
    .scratch = conv_scratch,
    .worker_scratch = conv_worker_scratch,
    .pack = conv_pack,
    .forward = conv_forward,
    .backward = conv_backward,
    .replay = conv_replay,
    .algorithm = conv_algorithm,
};
