/* Between floats and bytes, and what moves bytes without computing. Inference only. */
#include "nn/op.h"

#include "base/par.h"
#include "nn/pool.h"

#include <string.h>

enum { GRAIN = 8 };

/* ---- Floats to bytes and back: per channel a factor and a zero, packed as floats ----
 *
 * Few channels would leave vectors empty: where pixels lie without gaps, SPAN of them make one row. */
enum { SPAN = 16 };

static size_t border_width(const struct net *net, const struct node *node)
{
    return (size_t)SPAN * (size_t)net->graph->tensors[node->output].channels;
}

static size_t border_packed(const struct net *net, const struct node *node)
{
    return 2 * border_width(net, node);
}

struct border {
    const struct net *net;
    struct view real;
    struct byte_view bytes;
    const float *factor, *zero;
    int span; /* pixels of a row */
};

static void pack_border(const struct net *net, const struct node *node, struct byte_view bytes, bool inverse)
{
    float *factor = op_packed(net, node), *zero = factor + border_width(net, node);
    for (int i = 0; i < SPAN * bytes.channels; i++) {
        const int c = i % bytes.channels;
        factor[i] = inverse ? 1.f / bytes.scale[c] : bytes.scale[c];
        zero[i] = bytes.zero[c];
    }
}

static void run_border(struct net *net, const struct node *node, struct view real, struct byte_view bytes,
                       par_body *body)
{
    const float *factor = op_packed(net, node);
    const bool gapless =
        real.stride == real.channels && bytes.stride == bytes.channels && bytes.pixels % SPAN == 0;
    struct border border = {net, real, bytes, factor, factor + border_width(net, node), gapless ? SPAN : 1};
    par_for(net->options.threads, bytes.pixels / border.span, GRAIN, body, &border);
}

static void quantise_pack(struct net *net, const struct node *node)
{
    pack_border(net, node, net_bytes(net, node->output), true);
}

static void quantise_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const struct border *b = context;
    const ptrdiff_t to = b->span * b->bytes.stride, from = b->span * b->real.stride;
    b->net->kernels->quantise(b->bytes.data + begin * to, to, b->real.data + begin * from, from, b->factor,
                              b->zero, (int)(end - begin), b->span * b->bytes.channels);
}

static void quantise_forward(struct net *net, const struct node *node)
{
    run_border(net, node, op_input(net, node, 0), net_bytes(net, node->output), quantise_rows);
}

static void dequantise_pack(struct net *net, const struct node *node)
{
    pack_border(net, node, net_bytes(net, node->input[0]), false);
}

static void dequantise_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const struct border *b = context;
    const ptrdiff_t to = b->span * b->real.stride, from = b->span * b->bytes.stride;
    b->net->kernels->dequantise(b->real.data + begin * to, to, b->bytes.data + begin * from, from, b->factor,
                                b->zero, (int)(end - begin), b->span * b->bytes.channels);
}

static void dequantise_forward(struct net *net, const struct node *node)
{
    run_border(net, node, op_output(net, node), net_bytes(net, node->input[0]), dequantise_rows);
}

const struct op op_quantise = {.packed = border_packed, .pack = quantise_pack, .forward = quantise_forward};
const struct op op_dequantise = {
    .packed = border_packed, .pack = dequantise_pack, .forward = dequantise_forward};

/* ---- Moves. Workers own rows of output pixels ---- */

struct move {
    const struct net *net;
    struct pool_options options;
    struct byte_view from, to;
};

static uint8_t *pixel(const struct byte_view *view, int64_t image, int y, int x)
{
    return view->data + ((image * view->height + y) * view->width + x) * view->stride;
}

static void run_moves(struct net *net, const struct node *node, par_body *body)
{
    struct move m = {net, node->as.pool, net_bytes(net, node->input[0]), net_bytes(net, node->output)};
    par_for(net->options.threads, (int64_t)m.to.images * m.to.height, 1, body, &m);
}

static void copy_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const struct move *m = context;
    for (int64_t i = begin * m->to.width; i < end * m->to.width; i++)
        memcpy(m->to.data + i * m->to.stride, m->from.data + i * m->from.stride, (size_t)m->to.channels);
}

static void upsample_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const struct move *m = context;
    for (int64_t row = begin; row < end; row++) {
        const int64_t image = row / m->to.height;
        const int y = (int)(row % m->to.height);
        for (int x = 0; x < m->to.width; x++)
            memcpy(pixel(&m->to, image, y, x), pixel(&m->from, image, y / 2, x / 2), (size_t)m->to.channels);
    }
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
            uint8_t *out = pixel(&m->to, image, oy, ox);
            memcpy(out, pixel(&m->from, image, ys.begin, xs.begin), (size_t)m->to.channels);
            for (int iy = ys.begin; iy < ys.end; iy++)
                for (int ix = xs.begin; ix < xs.end; ix++)
                    m->net->kernels->maximum_bytes(out, pixel(&m->from, image, iy, ix), m->to.channels);
        }
    }
}

static void copy_forward(struct net *net, const struct node *node) { run_moves(net, node, copy_rows); }
static void max_pool_forward(struct net *net, const struct node *node)
{
    run_moves(net, node, max_pool_rows);
}
static void upsample_forward(struct net *net, const struct node *node)
{
    run_moves(net, node, upsample_rows);
}

const struct op op_copy_int8 = {.forward = copy_forward};
const struct op op_max_pool_int8 = {.forward = max_pool_forward};
const struct op op_upsample_int8 = {.forward = upsample_forward};
