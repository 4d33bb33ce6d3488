/* The Winograd form of a 3x3 convolution, F(4x4, 3x3), forward and for the gradient of its input: the plan
 * "fast".
 *
 * A tile of 4 x 4 outputs is made from 6 x 6 inputs: transform the inputs, multiply each of the 36 points by
 * its own matrix of weights (a chain over the input channels), transform back, add the bias. Tiles are
 * computed in blocks whose transformed inputs and products stay in the cache; each output is computed on its
 * own, so neither blocks nor threads show in a result. The order of every operation is in docs/NUMERICS.md.
 */
#include "nn/conv.h"

#include "base/par.h"

enum {
    SIDE_OUT = 4,
    SIDE_IN = SIDE_OUT + 2,
    POINTS = SIDE_IN * SIDE_IN,
    LEAST_SIDE = 12,  /* of a map: below, the transformed weights outgrow what they save */
    MOST_TILES = 24,  /* in a block */
    LEAST_TILES = 12, /* in a share */
    PAD = 16,         /* floats between the points of a block, so that they do not share cache sets */
};

bool conv_winograd(const struct net *net, const struct node *node)
{
    const struct conv_options *o = &node->as.conv;
    const struct tensor *in = net->graph->tensors + node->input[0], *out = net->graph->tensors + node->output;
    return net->options.plan != PLAN_EXACT && o->kernel == 3 && o->stride == 1 && o->padding == 1 &&
           o->dilation == 1 && o->groups == 1 && in->channels % KERNEL_BLOCK == 0 &&
           out->channels % KERNEL_BLOCK == 0 && out->height >= LEAST_SIDE && out->width >= LEAST_SIDE;
}

/* ---- Weights: [point][block of outputs][input channel][16] ---- */

size_t conv_winograd_floats(int in, int out) { return POINTS * (size_t)in * (size_t)out; }

void conv_winograd_pack(const struct net *net, const struct node *node, bool backward, float *packed)
{
    const float *weight = op_param(net, node, CONV_WEIGHT); /* [out][in][9] */
    const int in = net->graph->tensors[node->input[0]].channels,
              out = net->graph->tensors[node->output].channels;
    const int width = backward ? in : out, chain = backward ? out : in;
    for (int first = 0; first < width; first += KERNEL_BLOCK) {
        double factor[KERNEL_BLOCK]; /* nothing is folded where there is a backward pass */
        for (int n = 0; n < KERNEL_BLOCK; n++)
            factor[n] = backward ? 1 : conv_fold_factor(net, node, first + n);
        for (int k = 0; k < chain; k++, packed += KERNEL_BLOCK) {
            float w[9][KERNEL_BLOCK];
            for (int n = 0; n < KERNEL_BLOCK; n++) {
                const int o = backward ? k : first + n, i = backward ? first + n : k;
                const float *from = weight + ((ptrdiff_t)o * in + i) * 9;
                for (int t = 0; t < 9; t++) w[t][n] = flush_double(from[backward ? 8 - t : t] * factor[n]);
            }
            net->kernels->winograd_weights(packed, (ptrdiff_t)in * out, w[0]);
        }
    }
}

/* ---- Tiles ---- */

size_t conv_winograd_worker_scratch(int in, int out)
{
    return POINTS * ((size_t)MOST_TILES * (size_t)(in + out) + 2 * PAD);
}

struct place {
    int64_t image;
    int y, x; /* of the tile's first output */
};

static struct place place_of(const struct view *view, int64_t tile)
{
    const int across = (view->width + SIDE_OUT - 1) / SIDE_OUT,
              down = (view->height + SIDE_OUT - 1) / SIDE_OUT;
    const int rest = (int)(tile % ((int64_t)across * down));
    return (struct place){tile / ((int64_t)across * down), rest / across * SIDE_OUT,
                          rest % across * SIDE_OUT};
}

static float *pixel_of(const struct view *view, int64_t image, int y, int x)
{
    if ((unsigned)y >= (unsigned)view->height || (unsigned)x >= (unsigned)view->width) return NULL;
    return view_row(view, (image * view->height + y) * view->width + x);
}

static void tile_in(const struct conv_winograd_walk *w, int64_t tile, float *v, ptrdiff_t v_stride)
{
    const struct place p = place_of(&w->target, tile);
    const float *in[POINTS];
    for (int k = 0; k < POINTS; k++) {
        const float *pixel = pixel_of(&w->source, p.image, p.y - 1 + k / SIDE_IN, p.x - 1 + k % SIDE_IN);
        in[k] = pixel ? pixel : op_zeros(w->net);
    }
    w->net->kernels->winograd_input(v, v_stride, in, w->source.channels);
}

static void tile_out(const struct conv_winograd_walk *w, int64_t tile, const float *m, ptrdiff_t m_stride)
{
    const struct place p = place_of(&w->target, tile);
    float *out[SIDE_OUT * SIDE_OUT];
    for (int k = 0; k < SIDE_OUT * SIDE_OUT; k++)
        out[k] = pixel_of(&w->target, p.image, p.y + k / SIDE_OUT, p.x + k % SIDE_OUT);
    w->net->kernels->winograd_output(out, m, m_stride, w->target.channels, w->bias, w->accumulate,
                                     w->activation);
}

static void walk_block(const struct conv_winograd_walk *w, int64_t first, int tiles, float *scratch)
{
    const int in = w->source.channels, out = w->target.channels;
    const ptrdiff_t v_stride = (ptrdiff_t)tiles * in + PAD, m_stride = (ptrdiff_t)tiles * out + PAD;
    float *const v = scratch, *const m = v + POINTS * v_stride;
    for (int t = 0; t < tiles; t++) tile_in(w, first + t, v + t * in, v_stride);
    for (int k = 0; k < POINTS; k++)
        w->net->kernels->product(m + k * m_stride, out, v + k * v_stride, in,
                                 w->weights + (ptrdiff_t)k * in * out, (ptrdiff_t)in * KERNEL_BLOCK, tiles,
                                 in, out);
    for (int t = 0; t < tiles; t++) tile_out(w, first + t, m + t * out, m_stride);
}

static void walk_tiles(void *context, int64_t begin, int64_t end, int worker)
{
    const struct conv_winograd_walk *w = context;
    for (int64_t blocks = (end - begin + MOST_TILES - 1) / MOST_TILES; begin < end; blocks--) {
        const int tiles = (int)((end - begin + blocks - 1) / blocks);
        walk_block(w, begin, tiles, op_worker_scratch(w->net, worker));
        begin += tiles;
    }
}

/* Few tiles at a time use the register tiles badly, and all weights are read for them: shares are no smaller than
 * LEAST_TILES, unless threads would have nothing to do. */
static int64_t grain_of(int64_t tiles, int threads)
{
    const int64_t wanted = tiles / LEAST_TILES, shares = wanted > threads ? wanted : threads;
    return (tiles + shares - 1) / shares;
}

void conv_winograd_run(const struct conv_winograd_walk *w)
{
    const int across = (w->target.width + SIDE_OUT - 1) / SIDE_OUT,
              down = (w->target.height + SIDE_OUT - 1) / SIDE_OUT, threads = w->net->options.threads;
    const int64_t tiles = (int64_t)w->target.images * across * down;
    par_for(threads, tiles, grain_of(tiles, threads), walk_tiles, (void *)w);
}
