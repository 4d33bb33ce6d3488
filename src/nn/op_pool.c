/* Max pooling, nearest upsampling and the mean over pixels. */
#include "nn/op.h"

#include "base/par.h"
#include "nn/pool.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { CHANNELS = 64 }; /* of a share of work */

struct pool {
    const struct net *net;
    struct pool_options options;
    struct view x, y, dx, dy;
    bool accumulate;
};

static float *pixel(const struct view *view, int64_t image, int y, int x)
{
    return view->data + ((image * view->height + y) * view->width + x) * view->stride;
}

/* ---- Max pool: the largest value; its gradient goes to the first maximum in row-major order ---- */

static void max_pool_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const struct pool *p = context;
    for (int64_t row = begin; row < end; row++) {
        const int64_t image = row / p->y.height;
        const int oy = (int)(row % p->y.height);
        const struct pool_range ys = pool_window(p->options, oy, p->x.height);
        for (int ox = 0; ox < p->y.width; ox++) {
            const struct pool_range xs = pool_window(p->options, ox, p->x.width);
            float *out = pixel(&p->y, image, oy, ox);
            memcpy(out, pixel(&p->x, image, ys.begin, xs.begin), (size_t)p->y.channels * sizeof *out);
            for (int iy = ys.begin; iy < ys.end; iy++)
                for (int ix = xs.begin; ix < xs.end; ix++)
                    p->net->kernels->maximum(out, pixel(&p->x, image, iy, ix), p->y.channels);
        }
    }
}

static void max_pool_forward(struct net *net, const struct node *node)
{
    struct pool p = {
        .net = net, .options = node->as.pool, .x = op_input(net, node, 0), .y = op_output(net, node)};
    par_for(net->options.threads, (int64_t)p.y.images * p.y.height, 1, max_pool_rows, &p);
}

/* One window: every channel's gradient goes to its first maximum. */
static void scatter(const struct pool *p, int64_t image, int oy, int ox, int channel, int channels)
{
    const struct pool_range ys = pool_window(p->options, oy, p->x.height),
                            xs = pool_window(p->options, ox, p->x.width);
    p->net->kernels->maximum_backward(
        &(struct pool_block){.x = pixel(&p->x, image, ys.begin, xs.begin) + channel,
                             .y = pixel(&p->y, image, oy, ox) + channel,
                             .dy = pixel(&p->dy, image, oy, ox) + channel,
                             .dx = pixel(&p->dx, image, ys.begin, xs.begin) + channel,
                             .x_row = p->x.width * p->x.stride,
                             .x_pixel = p->x.stride,
                             .dx_row = p->dx.width * p->dx.stride,
                             .dx_pixel = p->dx.stride,
                             .rows = ys.end - ys.begin,
                             .cols = xs.end - xs.begin,
                             .channels = channels});
}

/* Workers own (image, block of channels); windows add in row-major order. */
static void max_pool_backward_blocks(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const struct pool *p = context;
    const int blocks = (p->x.channels + CHANNELS - 1) / CHANNELS;
    for (int64_t i = begin; i < end; i++) {
        const int64_t image = i / blocks;
        const int channel = (int)(i % blocks) * CHANNELS;
        const int channels = p->x.channels - channel < CHANNELS ? p->x.channels - channel : CHANNELS;
        if (!p->accumulate)
            p->net->kernels->fill(pixel(&p->dx, image, 0, 0) + channel, p->dx.stride, 0.f,
                                  p->dx.height * p->dx.width, channels);
        for (int oy = 0; oy < p->y.height; oy++)
            for (int ox = 0; ox < p->y.width; ox++) scatter(p, image, oy, ox, channel, channels);
    }
}

static void max_pool_backward(struct net *net, const struct node *node)
{
    struct pool p = {.net = net,
                     .options = node->as.pool,
                     .x = op_input(net, node, 0),
                     .y = op_output(net, node),
                     .dx = net_gradient(net, node->input[0]),
                     .dy = net_gradient(net, node->output),
                     .accumulate = op_accumulates(net, node, 0)};
    const int blocks = (p.x.channels + CHANNELS - 1) / CHANNELS;
    par_for(net->options.threads, (int64_t)p.x.images * blocks, 1, max_pool_backward_blocks, &p);
}

const struct op op_max_pool = {.reads_inputs = true,
                               .reads_output = true,
                               .forward = max_pool_forward,
                               .backward = max_pool_backward,
                               .replay = max_pool_forward};

/* ---- Nearest upsampling by 2; backward adds the four gradients (0,0), (0,1), (1,0), (1,1) in this order
 * ---- */

static void upsample_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const struct pool *p = context;
    for (int64_t row = begin; row < end; row++) {
        const int64_t image = row / p->y.height;
        const int y = (int)(row % p->y.height);
        for (int x = 0; x < p->y.width; x++)
            memcpy(pixel(&p->y, image, y, x), pixel(&p->x, image, y / 2, x / 2),
                   (size_t)p->y.channels * sizeof(float));
    }
}

static void upsample_forward(struct net *net, const struct node *node)
{
    struct pool p = {.net = net, .x = op_input(net, node, 0), .y = op_output(net, node)};
    par_for(net->options.threads, (int64_t)p.y.images * p.y.height, 1, upsample_rows, &p);
}

static void upsample_backward_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const struct pool *p = context;
    for (int64_t row = begin; row < end; row++) {
        const int64_t image = row / p->dx.height;
        const int y = (int)(row % p->dx.height);
        for (int x = 0; x < p->dx.width; x++) {
            float *dx = pixel(&p->dx, image, y, x);
            const float *a = pixel(&p->dy, image, 2 * y, 2 * x), *b = pixel(&p->dy, image, 2 * y, 2 * x + 1),
                        *c = pixel(&p->dy, image, 2 * y + 1, 2 * x),
                        *d = pixel(&p->dy, image, 2 * y + 1, 2 * x + 1);
            for (int i = 0; i < p->dx.channels; i++) {
                const float sum = ((a[i] + b[i]) + c[i]) + d[i];
                dx[i] = p->accumulate ? dx[i] + sum : sum;
            }
        }
    }
}

static void upsample_backward(struct net *net, const struct node *node)
{
    struct pool p = {.net = net,
                     .dx = net_gradient(net, node->input[0]),
                     .dy = net_gradient(net, node->output),
                     .accumulate = op_accumulates(net, node, 0)};
    par_for(net->options.threads, (int64_t)p.dx.images * p.dx.height, 1, upsample_backward_rows, &p);
}

const struct op op_upsample = {
    .forward = upsample_forward, .backward = upsample_backward, .replay = upsample_forward};

/* ---- Mean over the pixels of each image: one chain per channel, divided in the end ---- */

static void mean_images(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const struct pool *p = context;
    const int pixels = p->x.height * p->x.width;
    for (int64_t image = begin; image < end; image++) {
        float *y = pixel(&p->y, image, 0, 0);
        memset(y, 0, (size_t)p->y.channels * sizeof *y);
        p->net->kernels->column_sum(y, pixel(&p->x, image, 0, 0), p->x.stride, pixels, p->y.channels);
        for (int c = 0; c < p->y.channels; c++) y[c] = flush_float(y[c] / (float)pixels);
    }
}

static void mean_forward(struct net *net, const struct node *node)
{
    struct pool p = {.net = net, .x = op_input(net, node, 0), .y = op_output(net, node)};
    par_for(net->options.threads, p.x.images, 1, mean_images, &p);
}

static void mean_backward_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const struct pool *p = context;
    const int pixels = p->dx.height * p->dx.width;
    for (int64_t row = begin; row < end; row++) {
        const float *dy = pixel(&p->dy, row / pixels, 0, 0);
        float *dx = view_row(&p->dx, row);
        for (int c = 0; c < p->dx.channels; c++) {
            const float g = flush_float(dy[c] / (float)pixels);
            dx[c] = p->accumulate ? dx[c] + g : g;
        }
    }
}

static void mean_backward(struct net *net, const struct node *node)
{
    struct pool p = {.net = net,
                     .dx = net_gradient(net, node->input[0]),
                     .dy = net_gradient(net, node->output),
                     .accumulate = op_accumulates(net, node, 0)};
    par_for(net->options.threads, p.dx.pixels, 8, mean_backward_rows, &p);
}

const struct op op_mean = {.forward = mean_forward, .backward = mean_backward};
