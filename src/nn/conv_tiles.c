#include "nn/conv_tiles.h"

#include "base/par.h"

enum {
    LEAST_TILES = 12
}; /* in a share: fewer use the register tiles badly, and all weights are read for them */

bool tiles_fit(const struct net *net, const struct node *node, int stride, int least)
{
    const struct conv_options *o = &node->as.conv;
    const struct tensor *in = net->graph->tensors + node->input[0], *out = net->graph->tensors + node->output;
    return o->kernel == 3 && o->stride == stride && o->padding == 1 && o->dilation == 1 && o->groups == 1 &&
           in->channels % KERNEL_BLOCK == 0 && out->channels % KERNEL_BLOCK == 0 && out->height >= least &&
           out->width >= least;
}

struct tiling tiling_of(const struct view *view, int side)
{
    return (struct tiling){side, (view->width + side - 1) / side, (view->height + side - 1) / side};
}

struct tile tile_of(struct tiling tiling, int64_t index)
{
    const int rest = (int)(index % tiling_tiles(tiling));
    return (struct tile){index / tiling_tiles(tiling), rest / tiling.across, rest % tiling.across};
}

void tile_window(const struct net *net, const struct view *view, int64_t image, int y, int x, int side,
                 int channel, const float **pixels)
{
    const bool inside = y >= 0 && x >= 0 && y + side <= view->height && x + side <= view->width;
    const float *const first = inside ? view_pixel(view, image, y, x) + channel : NULL;
    for (int r = 0; r < side; r++)
        for (int c = 0; c < side; c++) {
            const float *pixel = inside ? first + ((ptrdiff_t)r * view->width + c) * view->stride
                                        : tile_pixel(view, image, y + r, x + c);
            *pixels++ = !pixel ? op_zeros(net) : inside ? pixel : pixel + channel;
        }
}

struct tiles_context {
    const struct net *net;
    int most;
    tiles_body *body;
    void *context;
};

static void tiles_share(void *context, int64_t begin, int64_t end, int worker)
{
    const struct tiles_context *c = context;
    for (int tiles; begin < end; begin += tiles) {
        tiles = tile_block(end - begin, c->most);
        c->body(c->context, begin, tiles, op_worker_scratch(c->net, worker));
    }
}

void tiles_run(const struct net *net, int64_t tiles, int most, tiles_body *body, void *context)
{
    const int threads = net->options.threads;
    const int64_t wanted = tiles / LEAST_TILES, shares = wanted > threads ? wanted : threads;
    par_pass(threads, tiles, (tiles + shares - 1) / shares, tiles_share,
             &(struct tiles_context){net, most, body, context});
}
