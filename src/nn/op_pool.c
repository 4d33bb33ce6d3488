/* Max pooling, nearest upsampling and the mean over pixels; the first two of bytes, too. */
#include "nn/op.h"

#include "base/par.h"

#include <string.h>

enum { CHANNELS = 64 }; /* of a share of work */

struct pool {
    const struct net *net;
    struct pool_options options;
    struct view x, y, dx, dy;
    bool accumulate;
};

struct pool_range {
    int begin, end;
};

/* The part of window number i that lies inside [0, size). */
static struct pool_range pool_window(struct pool_options o, int i, int size)
{
    const int begin = i * o.stride - o.padding, end = begin + o.kernel;
    return (struct pool_range){begin < 0 ? 0 : begin, end > size ? size : end};
}

/* ---- Forward: whole pixels of floats, or of bytes of one scale, whose order is that of the numbers ---- */

/* Strides and channels count bytes. */
struct move {
    const struct net *net;
    struct pool_options options;
    struct byte_view from, to;
    bool floats;
};

static struct byte_view bytes_of(const struct net *net, int tensor)
{
    if (net_is_bytes(net, tensor)) return net_bytes(net, tensor);
    const struct view v = net_value(net, tensor);
    const int size = sizeof *v.data;
    return (struct byte_view){.data = (uint8_t *)v.data,
                              .stride = size * v.stride,
                              .images = v.images,
                              .height = v.height,
                              .width = v.width,
                              .channels = size * v.channels,
                              .pixels = v.pixels};
}

static uint8_t *byte_pixel(const struct byte_view *view, int64_t image, int y, int x)
{
    return view->data + ((image * view->height + y) * view->width + x) * view->stride;
}

/* Workers own rows of output pixels. */
static void run_moves(struct net *net, const struct node *node, par_body *body)
{
    struct move m = {.net = net,
                     .options = node->as.pool,
                     .from = bytes_of(net, node->input[0]),
                     .to = bytes_of(net, node->output),
                     .floats = !net_is_bytes(net, node->output)};
    par_for(net->options.threads, (int64_t)m.to.images * m.to.height, 1, body, &m);
}

/* The largest values of rows x cols pixels, the first of which is `from`. */
static void take_largest(const struct move *m, uint8_t *to, const uint8_t *from, int rows, int cols)
{
    const ptrdiff_t row = m->from.width * m->from.stride, pixel = m->from.stride;
    if (m->floats) {
        const ptrdiff_t size = sizeof(float);
        m->net->kernels->maximum_window((float *)(void *)to, (const float *)(const void *)from, row / size,
                                        pixel / size, rows, cols, m->to.channels / (int)size);
        return;
    }
    memcpy(to, from, (size_t)m->to.channels);
    for (int y = 0; y < rows; y++)
        for (int x = 0; x < cols; x++)
            m->net->kernels->maximum_bytes(to, from + y * row + x * pixel, m->to.channels);
}

static void max_pool_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const struct move *m = context;
    for (int64_t row = begin; row < end; row++) {
        const int64_t image = row / m->to.height;
        const int oy = (int)(row % m->to.height);
        const struct pool_range ys = pool_window(m->options, oy, m->from.height);
        for (int ox = 0; ox < m->to.width; ox++) {
            const struct pool_range xs = pool_window(m->options, ox, m->from.width);
            take_largest(m, byte_pixel(&m->to, image, oy, ox), byte_pixel(&m->from, image, ys.begin, xs.begin),
                         ys.end - ys.begin, xs.end - xs.begin);
        }
    }
}

static void max_pool_forward(struct net *net, const struct node *node)
{
    run_moves(net, node, max_pool_rows);
}

static void upsample_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const struct move *m = context;
    for (int64_t row = begin; row < end; row++) {
        const int64_t image = row / m->to.height;
        const int y = (int)(row % m->to.height);
        for (int x = 0; x < m->to.width; x++)
            memcpy(byte_pixel(&m->to, image, y, x), byte_pixel(&m->from, image, y / 2, x / 2),
                   (size_t)m->to.channels);
    }
}

static void upsample_forward(struct net *net, const struct node *node)
{
    run_moves(net, node, upsample_rows);
}

/* ---- Max pool: the gradient goes to the first maximum in row-major order ---- */

/* One window: every channel's gradient goes to its first maximum. */
static void scatter(const struct pool *p, int64_t image, int oy, int ox, int channel, int channels)
{
    const struct pool_range ys = pool_window(p->options, oy, p->x.height),
                            xs = pool_window(p->options, ox, p->x.width);
    p->net->kernels->maximum_backward(
        &(struct pool_block){.x = view_pixel(&p->x, image, ys.begin, xs.begin) + channel,
                             .y = view_pixel(&p->y, image, oy, ox) + channel,
                             .dy = view_pixel(&p->dy, image, oy, ox) + channel,
                             .dx = view_pixel(&p->dx, image, ys.begin, xs.begin) + channel,
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
            p->net->kernels->fill(view_pixel(&p->dx, image, 0, 0) + channel, p->dx.stride, 0.f,
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
const struct op op_max_pool_int8 = {.forward = max_pool_forward};

/* ---- Nearest upsampling by 2: the four gradients (0,0), (0,1), (1,0), (1,1) are added in this order ---- */

static void upsample_backward_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const struct pool *p = context;
    for (int64_t row = begin; row < end; row++) {
        const int64_t image = row / p->dx.height;
        const int y = (int)(row % p->dx.height);
        for (int x = 0; x < p->dx.width; x++) {
            float *dx = view_pixel(&p->dx, image, y, x);
            const float *a = view_pixel(&p->dy, image, 2 * y, 2 * x),
                        *b = view_pixel(&p->dy, image, 2 * y, 2 * x + 1),
                        *c = view_pixel(&p->dy, image, 2 * y + 1, 2 * x),
                        *d = view_pixel(&p->dy, image, 2 * y + 1, 2 * x + 1);
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
const struct op op_upsample_int8 = {.forward = upsample_forward};

/* ---- Mean over the pixels of each image: one chain per channel, divided in the end ---- */

static void mean_images(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const struct pool *p = context;
    const int pixels = p->x.height * p->x.width;
    for (int64_t image = begin; image < end; image++) {
        float *y = view_pixel(&p->y, image, 0, 0);
        memset(y, 0, (size_t)p->y.channels * sizeof *y);
        p->net->kernels->column_sum(y, view_pixel(&p->x, image, 0, 0), p->x.stride, pixels, p->y.channels);
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
        const float *dy = view_pixel(&p->dy, row / pixels, 0, 0);
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
