/* Between floats and bytes, and copies of bytes. Inference only. */
#include "nn/op.h"

#include "base/par.h"

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

/* ---- y = x ---- */

struct copy {
    struct byte_view from, to;
};

static void copy_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const struct copy *c = context;
    for (int64_t i = begin; i < end; i++)
        memcpy(c->to.data + i * c->to.stride, c->from.data + i * c->from.stride, (size_t)c->to.channels);
}

static void copy_forward(struct net *net, const struct node *node)
{
    struct copy c = {net_bytes(net, node->input[0]), net_bytes(net, node->output)};
    par_for(net->options.threads, c.to.pixels, GRAIN, copy_rows, &c);
}

const struct op op_copy_int8 = {.forward = copy_forward};
