/* The Winograd form of a 3x3 convolution, F(4x4, 3x3), forward and for both gradients: the plan "fast".
 *
 * A tile of 4 x 4 outputs is made from 6 x 6 inputs: transform the inputs, multiply each of the 36 points by
 * its own matrix of weights (a chain over the input channels), transform back, add the bias. Tiles are
 * computed in blocks whose transformed inputs and products stay in the cache; each output is computed on its
 * own, so neither blocks nor threads show in a result. The order of every operation is in docs/NUMERICS.md.
 */
#include "nn/conv.h"
#include "nn/conv_tiles.h"

enum {
    SIDE_OUT = 4,
    SIDE_IN = SIDE_OUT + 2,
    POINTS = SIDE_IN * SIDE_IN,
    LEAST_SIDE = 12,   /* of a map: below, the transformed weights outgrow what they save */
    LEAST_TRAINED = 8, /* in training, where the pictures of a batch share them */
    MOST_TILES = 24,   /* in a block */
};

bool conv_winograd(const struct net *net, const struct node *node)
{
    const int least = op_training(net) && net->options.plan == PLAN_FAST ? LEAST_TRAINED : LEAST_SIDE;
    return net->options.plan != PLAN_EXACT && tiles_fit(net, node, 1, least);
}

/* ---- Weights: [point][block of outputs][input channel][16] ---- */

size_t conv_winograd_floats(int in, int out) { return POINTS * (size_t)in * (size_t)out; }

struct matrices {
    const struct net *net;
    float *packed;
    ptrdiff_t step; /* from one to the next */
};

static void pack_place(void *context, int block, int place, const float *w)
{
    (void)block, (void)place;
    struct matrices *m = context;
    m->net->kernels->winograd_weights(m->packed, m->step, w);
    m->packed += KERNEL_BLOCK;
}

void conv_winograd_pack(const struct net *net, const struct node *node, bool backward, float *packed)
{
    const ptrdiff_t in = net->graph->tensors[node->input[0]].channels,
                    out = net->graph->tensors[node->output].channels;
    conv_pack_nines(net, node, backward, backward, pack_place, &(struct matrices){net, packed, in * out});
}

/* ---- Tiles ---- */

size_t conv_winograd_worker_scratch(int in, int out)
{
    return POINTS * ((size_t)MOST_TILES * (size_t)(in + out) + 2 * TILES_PAD);
}

/* The 6 x 6 inputs of a tile, from a channel on. */
static void tile_in(const struct net *net, struct tiling tiling, int64_t tile, const struct view *source,
                    int channel, int channels, float *v, ptrdiff_t v_stride)
{
    const struct tile t = tile_of(tiling, tile);
    const float *in[POINTS];
    tile_window(net, source, t.image, t.row * SIDE_OUT - 1, t.column * SIDE_OUT - 1, SIDE_IN, channel, in);
    net->kernels->winograd_input(v, v_stride, in, channels);
}

static void tile_out(const struct conv_walk *w, struct tiling tiling, int64_t tile, const float *m,
                     ptrdiff_t m_stride)
{
    const struct tile t = tile_of(tiling, tile);
    float *out[SIDE_OUT * SIDE_OUT];
    for (int k = 0; k < SIDE_OUT * SIDE_OUT; k++)
        out[k] = tile_pixel(&w->target, t.image, t.row * SIDE_OUT + k / SIDE_OUT,
                            t.column * SIDE_OUT + k % SIDE_OUT);
    w->net->kernels->winograd_output(out, m, m_stride, w->target.channels, w->bias, w->accumulate,
                                     w->activation);
}

static void walk_block(void *context, int64_t first, int tiles, float *scratch)
{
    const struct conv_walk *w = context;
    const struct tiling tiling = tiling_of(&w->target, SIDE_OUT);
    const int in = w->source.channels, out = w->target.channels;
    const ptrdiff_t v_stride = (ptrdiff_t)tiles * in + TILES_PAD,
                    m_stride = (ptrdiff_t)tiles * out + TILES_PAD;
    float *const v = scratch, *const m = v + POINTS * v_stride;
    for (int t = 0; t < tiles; t++)
        tile_in(w->net, tiling, first + t, &w->source, 0, in, v + t * in, v_stride);
    for (int k = 0; k < POINTS; k++)
        w->net->kernels->product(m + k * m_stride, out, v + k * v_stride, in,
                                 w->weights + (ptrdiff_t)k * in * out, (ptrdiff_t)in * KERNEL_BLOCK, tiles,
                                 in, out);
    for (int t = 0; t < tiles; t++) tile_out(w, tiling, first + t, m + t * out, m_stride);
}

void conv_winograd_run(const struct conv_walk *w)
{
    const int64_t tiles = (int64_t)w->target.images * tiling_tiles(tiling_of(&w->target, SIDE_OUT));
    tiles_run(w->net, tiles, MOST_TILES, walk_block, (void *)w);
}

/* ---- The gradient of the weights ---- */

bool conv_winograd_weight(const struct net *net, const struct node *node)
{
    return net->options.plan == PLAN_FAST && conv_winograd(net, node);
}

/* A tile's 4 x 4 gradients, taken back through the last transform. */
static void tile_out_backward(const struct net *net, struct tiling tiling, int64_t tile,
                              const struct view *dz, float *m, ptrdiff_t m_stride)
{
    const struct tile t = tile_of(tiling, tile);
    const float *dy[SIDE_OUT * SIDE_OUT];
    tile_window(net, dz, t.image, t.row * SIDE_OUT, t.column * SIDE_OUT, SIDE_OUT, 0, dy);
    net->kernels->winograd_output_backward(m, m_stride, dy, dz->channels);
}

static void weight_block(const struct conv_weight_tiles *g, int64_t tile, int tiles, int first, int n,
                         float *sums, ptrdiff_t stride, float *scratch, bool goes_on)
{
    const struct tiling tiling = tiling_of(&g->dz, SIDE_OUT);
    const int out = g->dz.channels;
    const ptrdiff_t v_stride = (ptrdiff_t)tiles * n + TILES_PAD,
                    m_stride = (ptrdiff_t)tiles * out + TILES_PAD;
    float *const v = scratch, *const m = v + POINTS * v_stride;
    for (ptrdiff_t t = 0; t < tiles; t++) {
        tile_in(g->net, tiling, tile + t, &g->x, first, n, v + t * n, v_stride);
        tile_out_backward(g->net, tiling, tile + t, &g->dz, m + t * out, m_stride);
    }
    for (int k = 0; k < POINTS; k++) {
        const float *x[MOST_TILES];
        for (int t = 0; t < tiles; t++) x[t] = v + k * v_stride + (ptrdiff_t)t * n;
        g->net->kernels->outer(&(struct outer_block){.x = x,
                                                     .dy = m + k * m_stride,
                                                     .dy_step = out,
                                                     .dy_block = KERNEL_BLOCK,
                                                     .pixels = tiles,
                                                     .rows = n,
                                                     .cols = out,
                                                     .dw = sums + k * stride,
                                                     .dw_stride = out,
                                                     .goes_on = goes_on});
    }
}

static size_t weight_scratch(int n, int out)
{
    return POINTS * (MOST_TILES * ((size_t)n + (size_t)out) + 2 * TILES_PAD);
}

static void weight_finish(const struct net *net, float *sums, ptrdiff_t stride, int n, int out, float *to)
{
    for (int i = 0; i < n; i++, sums += out, to += 9 * (ptrdiff_t)out)
        net->kernels->winograd_weights_backward(to, out, sums, stride, out);
}

const struct conv_weight_form conv_winograd_form = {.side = SIDE_OUT,
                                                    .sums = POINTS,
                                                    .most_tiles = MOST_TILES,
                                                    .floats = 1 << 17,
                                                    .block = weight_block,
                                                    .scratch = weight_scratch,
                                                    .finish = weight_finish};
