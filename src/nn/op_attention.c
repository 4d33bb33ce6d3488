/* Multi-head attention over all pixels of an image: y_h = softmax(scale * q_h k_h^T) v_h.
 *
 * q is scaled and flushed. Scores are the convolution kernel with the keys packed as weights (chain over the
 * key dimension from zero), rows are softmaxed whole, and the product with v is the same kernel with the
 * values packed (chain over tokens from zero). Training keeps the softmaxed rows. Backward, per image and
 * head:
 *
 *   dv = P^T dy    dP = dy v^T    dS = P (dP - rowdot(dP, P))    dq = scale * dS k    dk = dS^T (scale * q)
 */
#include "nn/op.h"

#include "base/par.h"

#include <string.h>

enum { ROWS = 20 }; /* queries handled together: whole tiles of five and ten */

struct attention {
    const struct net *net;
    struct attention_options o;
    int tokens;
    struct view qkv, y, dqkv, dy;
    float *heads; /* per image and head: scaled q, packed k, packed v */
    size_t head_floats;
    float *probabilities; /* per image and head [tokens][tokens], or NULL */
    bool accumulate;
};

/* [ceil(n / 16)][depth][16] from n vectors of `depth` values: packed(vector i, value d). */
static size_t packed_floats(int n, int depth) { return op_aligned((size_t)n) * (size_t)depth; }

static size_t head_floats(const struct attention_options *o, int tokens)
{
    return op_aligned((size_t)o->key_dim) * (size_t)tokens + packed_floats(tokens, o->key_dim) +
           packed_floats(o->value_dim, tokens);
}

static struct attention attention_of(const struct net *net, const struct node *node)
{
    struct attention a = {
        .net = net, .o = node->as.attention, .qkv = op_input(net, node, 0), .y = op_output(net, node)};
    a.tokens = a.qkv.height * a.qkv.width;
    a.head_floats = head_floats(&a.o, a.tokens);
    a.heads = op_scratch(net);
    return a;
}

static float *scaled_query(const struct attention *a, int64_t head)
{
    return a->heads + (size_t)head * a->head_floats;
}
static float *packed_keys(const struct attention *a, int64_t head)
{
    return scaled_query(a, head) + op_aligned((size_t)a->o.key_dim) * (size_t)a->tokens;
}
static float *packed_values(const struct attention *a, int64_t head)
{
    return packed_keys(a, head) + packed_floats(a->tokens, a->o.key_dim);
}

/* Row 0 of q, k or v of an image's head. */
static float *part(const struct attention *a, const struct view *view, int64_t head, int start)
{
    return view_row(view, head / a->o.heads * a->tokens) + start + head % a->o.heads * a->o.step;
}
static float *output_part(const struct attention *a, const struct view *view, int64_t head)
{
    return view_row(view, head / a->o.heads * a->tokens) + head % a->o.heads * a->o.value_dim;
}

/* Packs so that output n of the kernel is vector n: source(n, d) at x[n * n_stride + d * d_stride]. */
static void pack(float *packed, const float *x, int n, ptrdiff_t n_stride, int depth, ptrdiff_t d_stride)
{
    for (int first = 0; first < n; first += KERNEL_BLOCK) {
        const int lanes = n - first < KERNEL_BLOCK ? n - first : KERNEL_BLOCK;
        for (int d = 0; d < depth; d++, packed += KERNEL_BLOCK) {
            const float *from = x + first * n_stride + d * d_stride;
            if (n_stride == 1 && lanes == KERNEL_BLOCK) {
                memcpy(packed, from, KERNEL_BLOCK * sizeof *packed);
                continue;
            }
            for (int i = 0; i < KERNEL_BLOCK; i++) packed[i] = i < lanes ? from[i * n_stride] : 0.f;
        }
    }
}

static void scale_query(const struct attention *a, int64_t head)
{
    const float *q = part(a, &a->qkv, head, a->o.query_start);
    float *scaled = scaled_query(a, head);
    for (int t = 0; t < a->tokens; t++)
        a->net->kernels->scale(scaled + (ptrdiff_t)t * a->o.key_dim, q + t * a->qkv.stride, a->o.scale,
                               (size_t)a->o.key_dim);
}

static void prepare_heads(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const struct attention *a = context;
    for (int64_t head = begin; head < end; head++) {
        scale_query(a, head);
        pack(packed_keys(a, head), part(a, &a->qkv, head, a->o.key_start), a->tokens, a->qkv.stride,
             a->o.key_dim, 1);
        pack(packed_values(a, head), part(a, &a->qkv, head, a->o.value_start), a->o.value_dim, 1, a->tokens,
             a->qkv.stride);
    }
}

/* out[r] (n values each) = in[r] (depth values each) times packed. */
static void product(const struct attention *a, const float **in, float **out, int rows, int depth, int n,
                    const float *packed)
{
    a->net->kernels->conv(&(struct conv_block){.in = in,
                                               .out = out,
                                               .pixels = rows,
                                               .taps = 1,
                                               .channels = depth,
                                               .cout = n,
                                               .weights = packed,
                                               .weight_stride = (ptrdiff_t)depth * KERNEL_BLOCK});
}

/* Queries [begin, end) of all images and heads: query i belongs to head i / tokens. */
static void attend(void *context, int64_t begin, int64_t end, int worker)
{
    const struct attention *a = context;
    /* Rows that nobody keeps have room for whole blocks of scores, so that none is computed aside. */
    const size_t room = a->probabilities ? (size_t)a->tokens : op_aligned((size_t)a->tokens);
    for (int64_t i = begin; i < end;) {
        const int64_t head = i / a->tokens;
        const int first = (int)(i % a->tokens), left = a->tokens - first;
        int rows = end - i < ROWS ? (int)(end - i) : ROWS;
        if (rows > left) rows = left;
        const float *q[ROWS];
        float *p[ROWS], *y[ROWS];
        for (int r = 0; r < rows; r++) {
            q[r] = scaled_query(a, head) + (ptrdiff_t)(first + r) * a->o.key_dim;
            p[r] = a->probabilities ? a->probabilities + (i + r) * a->tokens
                                    : op_worker_scratch(a->net, worker) + (size_t)r * room;
            y[r] = output_part(a, &a->y, head) + (first + r) * a->y.stride;
        }
        product(a, q, p, rows, a->o.key_dim, (int)room, packed_keys(a, head));
        for (int r = 0; r < rows; r++) a->net->kernels->softmax(p[r], p[r], a->tokens);
        product(a, (const float **)p, y, rows, a->tokens, a->o.value_dim, packed_values(a, head));
        i += rows;
    }
}

static void attention_forward(struct net *net, const struct node *node)
{
    struct attention a = attention_of(net, node);
    if (op_training(net)) a.probabilities = op_saved(net, node);
    const int64_t heads = (int64_t)a.qkv.images * a.o.heads;
    par_for(net->options.threads, heads, 1, prepare_heads, &a);
    par_for(net->options.threads, heads * a.tokens, ROWS, attend, &a);
}

/* ---- Backward: one worker does a whole head of an image ---- */

/* Worker scratch of the backward pass. */
struct head_scratch {
    float *scores;   /* dP, then dS [tokens][tokens] */
    float *packed;   /* values by value_dim, then keys by tokens */
    float *gradient; /* [tokens][max(key_dim, value_dim)] */
    const float **in;
    float **out; /* [tokens] each */
};

static int larger(int a, int b) { return a > b ? a : b; }

static size_t head_scratch_floats(const struct attention_options *o, int tokens)
{
    const size_t n = (size_t)tokens, dim = (size_t)larger(o->key_dim, o->value_dim);
    const size_t packed = op_aligned((size_t)tokens) * dim + op_aligned(dim) * n;
    return op_times(n, n) + packed + n * op_aligned(dim) + 2 * n * (sizeof(void *) / sizeof(float)) + 64;
}

static struct head_scratch head_scratch(const struct attention *a, int worker)
{
    const size_t n = (size_t)a->tokens, dim = (size_t)larger(a->o.key_dim, a->o.value_dim);
    float *base = op_worker_scratch(a->net, worker);
    struct head_scratch s = {.in = (const float **)base, .out = (float **)base + n};
    s.scores = base + 2 * n * (sizeof(void *) / sizeof(float));
    s.packed = s.scores + n * n;
    s.gradient = s.packed + op_aligned((size_t)a->tokens) * dim + op_aligned(dim) * n;
    return s;
}

/* Stores flushed rows of `dim` values into one part of dqkv, or adds them. */
static void deliver(const struct attention *a, float *to, float *rows, int dim, ptrdiff_t stride)
{
    const struct kernels *k = a->net->kernels;
    k->activate(rows, stride, rows, stride, a->tokens, dim, ACT_NONE);
    if (a->accumulate)
        k->add(to, a->dqkv.stride, to, a->dqkv.stride, rows, stride, a->tokens, dim);
    else
        k->copy(to, a->dqkv.stride, rows, stride, a->tokens, dim);
}

/* s->gradient[j][d] = chain over i of p[i][j] * y[i][d], in rows of op_aligned(dim). */
static void transposed_product(const struct attention *a, const struct head_scratch *s, const float *p,
                               const float *y, ptrdiff_t y_stride, int dim)
{
    for (int i = 0; i < a->tokens; i++) s->in[i] = p + (ptrdiff_t)i * a->tokens;
    pack(s->packed, y, dim, 1, a->tokens, y_stride);
    a->net->kernels->outer(&(struct outer_block){.x = s->in,
                                                 .dy = s->packed,
                                                 .dy_step = KERNEL_BLOCK,
                                                 .dy_block = (ptrdiff_t)a->tokens * KERNEL_BLOCK,
                                                 .pixels = a->tokens,
                                                 .rows = a->tokens,
                                                 .cols = dim,
                                                 .dw = s->gradient,
                                                 .dw_stride = (ptrdiff_t)op_aligned((size_t)dim)});
}

static void head_backward(const struct attention *a, int64_t head, const struct head_scratch *s)
{
    const struct attention_options *o = &a->o;
    const int n = a->tokens;
    const float *p = a->probabilities + head * n * n, *dy = output_part(a, &a->dy, head);

    transposed_product(a, s, p, dy, a->dy.stride, o->value_dim);
    deliver(a, part(a, &a->dqkv, head, o->value_start), s->gradient, o->value_dim,
            (ptrdiff_t)op_aligned((size_t)o->value_dim));

    pack(s->packed, part(a, &a->qkv, head, o->value_start), n, a->qkv.stride, o->value_dim, 1);
    for (int i = 0; i < n; i++) {
        s->in[i] = dy + i * a->dy.stride;
        s->out[i] = s->scores + (ptrdiff_t)i * n;
    }
    product(a, s->in, s->out, n, o->value_dim, n, s->packed);
    for (int i = 0; i < n; i++)
        a->net->kernels->softmax_backward(s->scores + (ptrdiff_t)i * n, s->scores + (ptrdiff_t)i * n,
                                          p + (ptrdiff_t)i * n, n);

    pack(s->packed, part(a, &a->qkv, head, o->key_start), o->key_dim, 1, n, a->qkv.stride);
    for (int i = 0; i < n; i++) {
        s->in[i] = s->scores + (ptrdiff_t)i * n;
        s->out[i] = s->gradient + (ptrdiff_t)i * o->key_dim;
    }
    product(a, s->in, s->out, n, n, o->key_dim, s->packed);
    a->net->kernels->scale(s->gradient, s->gradient, o->scale, (size_t)n * (size_t)o->key_dim);
    deliver(a, part(a, &a->dqkv, head, o->query_start), s->gradient, o->key_dim, o->key_dim);

    transposed_product(a, s, s->scores, scaled_query(a, head), o->key_dim, o->key_dim);
    deliver(a, part(a, &a->dqkv, head, o->key_start), s->gradient, o->key_dim,
            (ptrdiff_t)op_aligned((size_t)o->key_dim));
}

static void backward_heads(void *context, int64_t begin, int64_t end, int worker)
{
    const struct attention *a = context;
    const struct head_scratch s = head_scratch(a, worker);
    for (int64_t head = begin; head < end; head++) {
        scale_query(a, head);
        head_backward(a, head, &s);
    }
}

static void attention_backward(struct net *net, const struct node *node)
{
    struct attention a = attention_of(net, node);
    a.probabilities = op_saved(net, node);
    a.dqkv = net_gradient(net, node->input[0]);
    a.dy = net_gradient(net, node->output);
    a.accumulate = op_accumulates(net, node, 0);
    par_for(net->options.threads, (int64_t)a.qkv.images * a.o.heads, 1, backward_heads, &a);
}

static int tokens_of(const struct net *net, const struct node *node)
{
    const struct tensor *t = net->graph->tensors + node->input[0];
    return t->height * t->width;
}

static size_t attention_saved(const struct net *net, const struct node *node)
{
    const size_t n = (size_t)tokens_of(net, node);
    return op_times(op_times((size_t)net->options.batch * (size_t)node->as.attention.heads, n), n);
}

static size_t attention_scratch(const struct net *net, const struct node *node)
{
    return op_times((size_t)net->options.batch * (size_t)node->as.attention.heads,
                    head_floats(&node->as.attention, tokens_of(net, node)));
}

static size_t attention_worker_scratch(const struct net *net, const struct node *node)
{
    const int n = tokens_of(net, node);
    return op_training(net) ? head_scratch_floats(&node->as.attention, n) : ROWS * op_aligned((size_t)n);
}

const struct op op_attention = {
    .reads_inputs = true,
    .saved = attention_saved,
    .scratch = attention_scratch,
    .worker_scratch = attention_worker_scratch,
    .forward = attention_forward,
    .backward = attention_backward,
};
