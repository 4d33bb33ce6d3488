/* Bilinear resize with aligned corners [DeepLab]: output i reads source
 * i * (in - 1) / (out - 1), or 0 where out is 1.
 *
 * y = wy0 * (wx0 * a + wx1 * b) + wy1 * (wx0 * c + wx1 * d), in double, rounded once. Backward gathers: every
 * input pixel adds the outputs that read it in row-major order, so nothing is scattered. */
#include "nn/op.h"

#include "base/par.h"

/* The two sources of one output along an axis; equal at the far edge. */
struct taps {
    int first, second;
    double weight; /* of the second */
};

static struct taps taps_of(int i, int in, int out)
{
    const double x = out > 1 ? (double)i * (in - 1) / (out - 1) : 0.0;
    const int first = (int)x;
    return (struct taps){first, first + 1 < in ? first + 1 : in - 1, x - first};
}

/* How much of source pixel i an output takes. */
static double share(struct taps t, int i)
{
    return (t.first == i ? 1.0 - t.weight : 0.0) + (t.second == i ? t.weight : 0.0);
}

struct resize {
    struct view in, out;
    bool accumulate;
};

static void forward_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const struct resize *r = context;
    for (int64_t row = begin; row < end; row++) {
        const int64_t image = row / r->out.height;
        const int y = (int)(row % r->out.height);
        const struct taps ty = taps_of(y, r->in.height, r->out.height);
        for (int x = 0; x < r->out.width; x++) {
            const struct taps tx = taps_of(x, r->in.width, r->out.width);
            const float *a = view_pixel(&r->in, image, ty.first, tx.first),
                        *b = view_pixel(&r->in, image, ty.first, tx.second),
                        *c = view_pixel(&r->in, image, ty.second, tx.first),
                        *d = view_pixel(&r->in, image, ty.second, tx.second);
            float *out = view_pixel(&r->out, image, y, x);
            for (int i = 0; i < r->out.channels; i++) {
                const double above = (1.0 - tx.weight) * a[i] + tx.weight * b[i];
                const double below = (1.0 - tx.weight) * c[i] + tx.weight * d[i];
                out[i] = flush_double((1.0 - ty.weight) * above + ty.weight * below);
            }
        }
    }
}

static void bilinear_forward(struct net *net, const struct node *node)
{
    struct resize r = {.in = op_input(net, node, 0), .out = op_output(net, node)};
    par_for(net->options.threads, (int64_t)r.out.images * r.out.height, 1, forward_rows, &r);
}

/* First and last output that may read source pixel i: one more on each side than needed is harmless. */
static void readers(int i, int in, int out, int *first, int *last)
{
    const double step = in > 1 ? (double)(out - 1) / (in - 1) : 0.0;
    *first = in > 1 ? (int)floor((i - 1) * step) - 1 : 0;
    *last = in > 1 ? (int)ceil((i + 1) * step) + 1 : out - 1;
    if (*first < 0) *first = 0;
    if (*last > out - 1) *last = out - 1;
}

enum { CHANNELS = 64 }; /* handled at a time on the stack */

/* Channels [channel, channel + channels) of the gradient of one input pixel. */
static void gather(const struct resize *r, int64_t image, int y, int x, int channel, int channels)
{
    double sum[CHANNELS] = {0};
    int top, bottom, left, right;
    readers(y, r->in.height, r->out.height, &top, &bottom);
    readers(x, r->in.width, r->out.width, &left, &right);
    for (int oy = top; oy <= bottom; oy++) {
        const double wy = share(taps_of(oy, r->in.height, r->out.height), y);
        if (wy == 0.0) continue;
        for (int ox = left; ox <= right; ox++) {
            const double w = wy * share(taps_of(ox, r->in.width, r->out.width), x);
            if (w == 0.0) continue;
            const float *dy = view_pixel(&r->out, image, oy, ox) + channel;
            for (int i = 0; i < channels; i++) sum[i] += w * dy[i];
        }
    }
    float *dx = view_pixel(&r->in, image, y, x) + channel;
    for (int i = 0; i < channels; i++)
        dx[i] = r->accumulate ? dx[i] + flush_double(sum[i]) : flush_double(sum[i]);
}

static void backward_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const struct resize *r = context;
    for (int64_t row = begin; row < end; row++)
        for (int x = 0; x < r->in.width; x++)
            for (int c = 0; c < r->in.channels; c += CHANNELS)
                gather(r, row / r->in.height, (int)(row % r->in.height), x, c,
                       r->in.channels - c < CHANNELS ? r->in.channels - c : CHANNELS);
}

static void bilinear_backward(struct net *net, const struct node *node)
{
    struct resize r = {.in = net_gradient(net, node->input[0]),
                       .out = net_gradient(net, node->output),
                       .accumulate = op_accumulates(net, node, 0)};
    par_for(net->options.threads, (int64_t)r.in.images * r.in.height, 1, backward_rows, &r);
}

const struct op op_bilinear = {.forward = bilinear_forward, .backward = bilinear_backward};
