/* Small networks that between them have every operation of the graph, every form of convolution and every
 * way in which gradients meet. Shared by the tests of the operations and the golden stages. */
#ifndef RETORT_TESTS_OP_CASES_H
#define RETORT_TESTS_OP_CASES_H

#include "base/rng.h"
#include "nn/net.h"

#include <math.h>
#include <string.h>

struct op_case {
    const char *name;
    int height, width, channels, batch;
    enum net_mode mode; /* of the backward pass */
    enum net_plan plan;
    int (*build)(struct graph *graph, int x); /* returns the output */
    size_t spare;                             /* net_options */
};

/* ---- Values by formula: 24 bits of the draw (name, index), in [-1, 1) and then 2^-9 further from zero, so
 * that no value lies where an activation has its kink ---- */

static inline void op_case_uniform(float *values, const char *name, size_t n)
{
    const uint64_t key = rng_fnv1a(name);
    for (size_t i = 0; i < n; i++) {
        const float v = (float)((int64_t)(rng_u64(key, i) >> 40) - (1 << 23)) * 0x1p-23f;
        values[i] = v < 0.f ? v - 0x1p-9f : v + 0x1p-9f;
    }
}

/* Weights of variance about 1 / fan-in; scales and variances around 1. */
static inline void op_case_params(struct params *params)
{
    for (int i = 0; i < params->count; i++) {
        const struct param *p = params->list + i;
        float *values = params_values(params, i);
        op_case_uniform(values, p->name, p->size);
        const size_t fan_in = p->dims == 4 || p->dims == 2 ? p->size / (size_t)p->shape[0] : 0;
        const float factor = fan_in ? (float)sqrt(3.0 / (double)fan_in) : 0.25f;
        const bool around_one = strstr(p->name, "bn.weight") || strstr(p->name, "running_var") ||
                                strstr(p->name, "norm.weight") || strstr(p->name, "gamma");
        for (size_t k = 0; k < p->size; k++) values[k] = (around_one ? 1.f : 0.f) + factor * values[k];
    }
}

/* ---- The networks ---- */

static int op_case_conv(struct graph *graph, int x, int out, struct conv_options options)
{
    const struct conv_layer layer = graph_conv_layer(graph, "c", graph->tensors[x].channels, out, options);
    return graph_conv(graph, &layer, x);
}

#define OP_CASE_CONV(name, out, ...)                                                                         \
    static int build_##name(struct graph *g, int x)                                                          \
    {                                                                                                        \
        return op_case_conv(g, x, out, (struct conv_options){__VA_ARGS__});                                  \
    }
OP_CASE_CONV(conv_1x1, 17, .kernel = 1)
OP_CASE_CONV(conv_3x3, 9, .kernel = 3, .padding = 1)
OP_CASE_CONV(conv_many_images, 9, .kernel = 3, .padding = 1)
OP_CASE_CONV(conv_stride2, 20, .kernel = 3, .stride = 2, .padding = 1)
OP_CASE_CONV(conv_5x5_stride3, 5, .kernel = 5, .stride = 3, .padding = 1)
OP_CASE_CONV(conv_dilated, 8, .kernel = 3, .padding = 2, .dilation = 2)
OP_CASE_CONV(conv_groups, 12, .kernel = 3, .padding = 1, .groups = 2)
OP_CASE_CONV(conv_patches, 16, .kernel = 3, .stride = 2, .padding = 1)
OP_CASE_CONV(conv_patches_groups, 8, .kernel = 2, .stride = 2, .groups = 2)
OP_CASE_CONV(depthwise, 19, .kernel = 3, .padding = 1, .groups = 19)
OP_CASE_CONV(depthwise_stride2, 19, .kernel = 3, .stride = 2, .padding = 1, .groups = 19)
OP_CASE_CONV(depthwise_dilated, 19, .kernel = 3, .padding = 2, .dilation = 2, .groups = 19)
OP_CASE_CONV(linear, 33, .kernel = 1, .linear = true)
OP_CASE_CONV(linear_gelu, 33, .kernel = 1, .linear = true, .activation = ACT_GELU)
OP_CASE_CONV(conv_relu, 9, .kernel = 3, .padding = 1, .activation = ACT_RELU)
OP_CASE_CONV(depthwise_silu, 19, .kernel = 3, .padding = 1, .groups = 19, .activation = ACT_SILU)
OP_CASE_CONV(norm_none, 9, .kernel = 3, .padding = 1, .batch_norm = true, .eps = 1e-3f)
OP_CASE_CONV(norm_silu, 18, .kernel = 3, .stride = 2, .padding = 1, .batch_norm = true, .eps = 1e-3f,
             .activation = ACT_SILU)
OP_CASE_CONV(norm_relu, 9, .kernel = 1, .batch_norm = true, .eps = 1e-3f, .activation = ACT_RELU)
OP_CASE_CONV(norm_relu6, 9, .kernel = 1, .batch_norm = true, .eps = 1e-3f, .activation = ACT_RELU6)
OP_CASE_CONV(norm_gelu, 9, .kernel = 1, .batch_norm = true, .eps = 1e-3f, .activation = ACT_GELU)
OP_CASE_CONV(norm_sigmoid, 9, .kernel = 1, .batch_norm = true, .eps = 1e-3f, .activation = ACT_SIGMOID)
OP_CASE_CONV(norm_depthwise, 19, .kernel = 3, .padding = 1, .groups = 19, .batch_norm = true, .eps = 1e-3f,
             .activation = ACT_SILU)
OP_CASE_CONV(norm_patches, 16, .kernel = 3, .stride = 2, .padding = 1, .batch_norm = true, .eps = 1e-3f,
             .activation = ACT_SILU)

/* So many images that workers own branches of their tree, and make the batch norm's gradient there. */
OP_CASE_CONV(branches, 9, .kernel = 3, .padding = 1, .batch_norm = true, .eps = 1e-3f, .activation = ACT_SILU)
OP_CASE_CONV(branches_frozen, 9, .kernel = 3, .padding = 1, .batch_norm = true, .eps = 1e-3f,
             .activation = ACT_SILU)
OP_CASE_CONV(branches_groups, 12, .kernel = 3, .padding = 1, .groups = 2, .batch_norm = true, .eps = 1e-3f,
             .activation = ACT_SILU)
OP_CASE_CONV(branches_bias, 9, .kernel = 3, .padding = 1, .activation = ACT_SILU)
OP_CASE_CONV(branches_1x1, 17, .kernel = 1, .batch_norm = true, .eps = 1e-3f, .activation = ACT_SILU)
static int build_branches_fixed(struct graph *g, int x)
{
    const struct conv_options options = {.kernel = 3, .padding = 1, .batch_norm = true, .eps = 1e-3f};
    const struct conv_layer layer = graph_conv_layer(g, "c", g->tensors[x].channels, 9, options);
    g->params->list[layer.param[CONV_WEIGHT]].frozen = true;
    return graph_conv(g, &layer, x);
}

static int build_silu(struct graph *g, int x) { return graph_activation(g, x, ACT_SILU); }
static int build_relu(struct graph *g, int x) { return graph_activation(g, x, ACT_RELU); }
static int build_relu6(struct graph *g, int x) { return graph_activation(g, x, ACT_RELU6); }
static int build_gelu(struct graph *g, int x) { return graph_activation(g, x, ACT_GELU); }
static int build_sigmoid(struct graph *g, int x) { return graph_activation(g, x, ACT_SIGMOID); }
static int build_max_pool(struct graph *g, int x)
{
    return graph_max_pool(g, x, (struct pool_options){.kernel = 5, .stride = 1, .padding = 2});
}
static int build_max_pool_stride2(struct graph *g, int x)
{
    return graph_max_pool(g, x, (struct pool_options){.kernel = 3, .stride = 2, .padding = 1});
}
static int build_upsample(struct graph *g, int x) { return graph_upsample(g, x); }
static int build_bilinear_up(struct graph *g, int x) { return graph_bilinear(g, x, 11, 8); }
static int build_bilinear_down(struct graph *g, int x) { return graph_bilinear(g, x, 3, 2); }
static int build_bilinear_to_point(struct graph *g, int x) { return graph_bilinear(g, x, 1, 5); }
static int build_bilinear_from_point(struct graph *g, int x)
{
    return graph_bilinear(g, graph_mean(g, x), 4, 3);
}
static int build_gather(struct graph *g, int x)
{
    return graph_gather(g, x, (struct gather_options){.start = 2, .step = 7, .length = 3, .count = 3});
}
static int build_attention(struct graph *g, int x)
{
    return graph_attention(g, x,
                           (struct attention_options){.heads = 2,
                                                      .key_dim = 5,
                                                      .value_dim = 9,
                                                      .query_start = 0,
                                                      .key_start = 5,
                                                      .value_start = 10,
                                                      .step = 19,
                                                      .scale = 0.5f});
}
static int build_layer_norm(struct graph *g, int x) { return graph_layer_norm(g, "norm", x, 1e-6f); }
static int build_mean(struct graph *g, int x) { return graph_mean(g, x); }
static int build_scale_add(struct graph *g, int x)
{
    return graph_scale_add(g, "gamma", x, build_linear(g, x));
}
/* Both inputs are one tensor: the second contribution adds to the first. */
static int build_scale_add_same(struct graph *g, int x) { return graph_scale_add(g, "gamma", x, x); }
static int build_residual(struct graph *g, int x) { return graph_add(g, build_conv_3x3(g, x), x); }

/* Views with a stride on both sides, and gradients that are added to what is there. */
static int op_case_slices(struct graph *g, int x, struct conv_options options)
{
    const int n = g->tensors[x].channels;
    const struct conv_layer wide = graph_conv_layer(g, "wide", n, 2 * n, options),
                            back = graph_conv_layer(g, "back", n, n, options);
    const int y = graph_conv(g, &wide, x), low = graph_slice(g, y, 0, n), high = graph_slice(g, y, n, n);
    const int parts[] = {graph_add(g, graph_conv(g, &back, high), low), high};
    return graph_add(g, graph_concat(g, 2, parts), y);
}

static int build_winograd(struct graph *g, int x)
{
    return op_case_conv(g, x, 48, (struct conv_options){.kernel = 3, .padding = 1});
}
static int build_winograd_norm(struct graph *g, int x)
{
    return op_case_conv(
        g, x, 16,
        (struct conv_options){.kernel = 3, .padding = 1, .batch_norm = true, .activation = ACT_SILU});
}
static int build_winograd_silu(struct graph *g, int x)
{
    return op_case_conv(g, x, 32, (struct conv_options){.kernel = 3, .padding = 1, .activation = ACT_SILU});
}
static int build_winograd_slices(struct graph *g, int x)
{
    return op_case_slices(g, x, (struct conv_options){.kernel = 3, .padding = 1});
}
static int build_winograd_low(struct graph *g, int x)
{
    return op_case_conv(g, x, 32, (struct conv_options){.kernel = 3, .padding = 1, .activation = ACT_SILU});
}
OP_CASE_CONV(winograd_branches, 16, .kernel = 3, .padding = 1, .batch_norm = true, .eps = 1e-3f,
             .activation = ACT_SILU)
OP_CASE_CONV(polyphase, 32, .kernel = 3, .padding = 1, .stride = 2, .activation = ACT_SILU)
OP_CASE_CONV(polyphase_norm, 48, .kernel = 3, .padding = 1, .stride = 2, .batch_norm = true, .eps = 1e-3f,
             .activation = ACT_SILU)
OP_CASE_CONV(polyphase_branches, 16, .kernel = 3, .padding = 1, .stride = 2, .batch_norm = true, .eps = 1e-3f,
             .activation = ACT_SILU)
/* Views with a stride on both sides, and a gradient that is added to what is there. */
static int build_polyphase_slices(struct graph *g, int x)
{
    const int n = g->tensors[x].channels;
    const struct conv_options options = {.kernel = 3, .padding = 1, .stride = 2};
    const struct conv_layer wide = graph_conv_layer(g, "wide", n, 2 * n, (struct conv_options){.kernel = 1}),
                            one = graph_conv_layer(g, "one", n, n, options),
                            other = graph_conv_layer(g, "other", n, 16, options),
                            low = graph_conv_layer(g, "low", n, 32, options);
    const int y = graph_conv(g, &wide, x), high = graph_slice(g, y, n, n);
    const int parts[] = {graph_conv(g, &one, high), graph_conv(g, &other, high),
                         graph_conv(g, &low, graph_slice(g, y, 0, n))};
    return graph_concat(g, 3, parts);
}
OP_CASE_CONV(strassen, 416, .kernel = 1, .linear = true, .activation = ACT_GELU)
OP_CASE_CONV(strassen_norm, 384, .kernel = 1, .batch_norm = true, .eps = 1e-3f, .activation = ACT_SILU)
OP_CASE_CONV(strassen_frozen, 384, .kernel = 1, .batch_norm = true, .eps = 1e-3f, .activation = ACT_SILU)
static int build_strassen_slices(struct graph *g, int x)
{
    return op_case_slices(g, x, (struct conv_options){.kernel = 1});
}

static int op_case_tokens(struct graph *g, int x, struct token_options options)
{
    const struct token_layer layer = graph_token_layer(g, g->tensors[x].channels, options);
    return graph_tokens(g, &layer, x);
}
static int build_tokens(struct graph *g, int x)
{
    return op_case_tokens(g, x, (struct token_options){.grid = 6});
}
static int build_tokens_as_stored(struct graph *g, int x)
{
    return op_case_tokens(g, x, (struct token_options){.grid = 4, .registers = 2});
}
static int build_tokens_antialias(struct graph *g, int x)
{
    return op_case_tokens(g, x, (struct token_options){.grid = 9, .registers = 3, .antialias = true});
}

/* Producers write into ranges of one storage; the input and a tensor that is used twice are copied. */
static int build_concat(struct graph *g, int x)
{
    const int a = build_conv_3x3(g, x), b = graph_activation(g, a, ACT_SILU);
    const int joined = graph_concat(g, 3, (const int[3]){a, x, b});
    return graph_concat(g, 2, (const int[2]){joined, graph_add(g, a, b)});
}

/* Layers that end in an activation, two of them in ranges of one storage. */
static int build_activated(struct graph *g, int x)
{
    const struct conv_options silu = {.kernel = 3, .padding = 1, .activation = ACT_SILU},
                              gelu = {.kernel = 1, .activation = ACT_GELU};
    const struct conv_layer first = graph_conv_layer(g, "first", g->tensors[x].channels, 8, silu),
                            small = graph_conv_layer(g, "small", 8, 8, gelu),
                            last = graph_conv_layer(g, "last", 8, 8, silu);
    const int a = graph_conv(g, &small, graph_conv(g, &first, x)), b = graph_conv(g, &last, a);
    return graph_add(g, graph_slice(g, graph_concat(g, 2, (const int[2]){a, b}), 4, 8), b);
}

/* Overlapping slices, read by nodes that add to the same gradient, and channels that nobody reads. */
static int build_slices(struct graph *g, int x)
{
    const int a = build_conv_3x3(g, x);
    const int left = graph_slice(g, a, 0, 5), right = graph_slice(g, a, 3, 5);
    const int sum = graph_add(g, graph_activation(g, left, ACT_GELU), right);
    return graph_add(g, sum, graph_slice(g, a, 2, 5));
}

#define OP_CASE(mode, height, width, channels, batch, name)                                                  \
    {                                                                                                        \
#name, height, width, channels, batch, mode, PLAN_EXACT, build_##name, 0                             \
    }
/* Sizes that the fast plan computes by the forms of Winograd or Strassen. */
#define OP_CASE_FAST(mode, height, width, channels, batch, name)                                             \
    {                                                                                                        \
#name, height, width, channels, batch, mode, PLAN_FAST, build_##name, 0                              \
    }
#define OP_CASE_FAST_0_1(mode, height, width, channels, batch, name)                                         \
    {                                                                                                        \
#name, height, width, channels, batch, mode, PLAN_FAST_0_1, build_##name, 0                          \
    }
static const struct op_case op_cases[] = {
    OP_CASE(NET_TRAINING, 3, 5, 35, 2, conv_1x1),
    OP_CASE(NET_TRAINING, 7, 5, 6, 3, conv_3x3),
    OP_CASE(NET_TRAINING, 9, 7, 6, 2, conv_stride2),
    OP_CASE(NET_TRAINING, 2, 3, 6, 30, conv_many_images),
    OP_CASE(NET_TRAINING, 11, 8, 7, 1, conv_5x5_stride3),
    OP_CASE(NET_TRAINING, 6, 7, 5, 2, conv_dilated),
    OP_CASE(NET_TRAINING, 5, 6, 10, 2, conv_groups),
    OP_CASE(NET_TRAINING, 9, 8, 3, 2, conv_patches),
    OP_CASE(NET_TRAINING, 6, 9, 4, 2, conv_patches_groups),
    OP_CASE(NET_TRAINING, 6, 5, 19, 3, depthwise),
    OP_CASE(NET_TRAINING, 7, 8, 19, 2, depthwise_stride2),
    OP_CASE(NET_TRAINING, 5, 6, 19, 1, depthwise_dilated),
    OP_CASE(NET_TRAINING, 1, 9, 20, 2, linear),
    OP_CASE(NET_TRAINING, 1, 9, 20, 2, linear_gelu),
    OP_CASE(NET_TRAINING, 7, 5, 6, 3, conv_relu),
    OP_CASE(NET_TRAINING, 6, 5, 19, 3, depthwise_silu),
    OP_CASE(NET_TRAINING, 5, 6, 6, 3, norm_none),
    OP_CASE(NET_TRAINING, 7, 9, 8, 3, norm_silu),
    OP_CASE(NET_TRAINING, 5, 5, 7, 2, norm_relu),
    OP_CASE(NET_TRAINING, 6, 5, 7, 2, norm_relu6),
    OP_CASE(NET_TRAINING, 6, 5, 7, 2, norm_gelu),
    OP_CASE(NET_TRAINING, 6, 5, 7, 2, norm_sigmoid),
    OP_CASE(NET_TRAINING, 6, 5, 19, 2, norm_depthwise),
    OP_CASE(NET_FROZEN, 7, 9, 3, 3, norm_patches),
    OP_CASE(NET_TRAINING, 4, 3, 6, 14, branches),
    OP_CASE(NET_FROZEN, 4, 3, 6, 14, branches_frozen),
    OP_CASE(NET_TRAINING, 4, 3, 6, 15, branches_groups),
    OP_CASE(NET_TRAINING, 4, 3, 6, 14, branches_fixed),
    OP_CASE(NET_TRAINING, 4, 3, 6, 15, branches_bias),
    OP_CASE(NET_TRAINING, 4, 3, 6, 14, branches_1x1),
    OP_CASE(NET_TRAINING, 5, 3, 21, 2, silu),
    OP_CASE(NET_TRAINING, 5, 3, 21, 2, relu),
    OP_CASE(NET_TRAINING, 5, 3, 21, 2, relu6),
    OP_CASE(NET_TRAINING, 5, 3, 21, 2, gelu),
    OP_CASE(NET_TRAINING, 5, 3, 21, 2, sigmoid),
    OP_CASE(NET_TRAINING, 5, 6, 17, 2, max_pool),
    OP_CASE(NET_TRAINING, 7, 6, 17, 2, max_pool_stride2),
    OP_CASE(NET_TRAINING, 3, 4, 18, 2, upsample),
    OP_CASE(NET_TRAINING, 5, 4, 17, 2, bilinear_up),
    OP_CASE(NET_TRAINING, 7, 9, 5, 2, bilinear_down),
    OP_CASE(NET_TRAINING, 6, 3, 5, 2, bilinear_to_point),
    OP_CASE(NET_TRAINING, 3, 3, 5, 2, bilinear_from_point),
    OP_CASE(NET_TRAINING, 3, 4, 20, 2, gather),
    OP_CASE(NET_TRAINING, 5, 4, 38, 2, attention),
    OP_CASE(NET_TRAINING, 1, 7, 21, 2, layer_norm),
    OP_CASE(NET_TRAINING, 1, 7, 33, 2, scale_add),
    OP_CASE(NET_TRAINING, 3, 7, 18, 2, scale_add_same),
    OP_CASE(NET_TRAINING, 3, 5, 18, 3, tokens),
    OP_CASE(NET_TRAINING, 4, 4, 18, 3, tokens_as_stored),
    OP_CASE(NET_TRAINING, 3, 5, 18, 2, tokens_antialias),
    OP_CASE(NET_TRAINING, 4, 3, 19, 2, mean),
    OP_CASE(NET_TRAINING, 5, 6, 9, 2, residual),
    OP_CASE(NET_TRAINING, 4, 5, 6, 2, concat),
    OP_CASE(NET_TRAINING, 4, 5, 6, 2, slices),
    OP_CASE(NET_TRAINING, 4, 5, 8, 2, activated),
    OP_CASE_FAST(NET_TRAINING, 12, 15, 16, 2, winograd),
    OP_CASE_FAST(NET_TRAINING, 13, 18, 32, 1, winograd_norm),
    OP_CASE_FAST(NET_TRAINING, 12, 15, 16, 2, winograd_silu),
    OP_CASE_FAST(NET_TRAINING, 14, 12, 16, 3, winograd_slices),
    OP_CASE_FAST_0_1(NET_TRAINING, 12, 15, 16, 2, winograd),
    OP_CASE_FAST_0_1(NET_TRAINING, 13, 18, 32, 1, winograd_norm),
    OP_CASE_FAST_0_1(NET_TRAINING, 14, 12, 16, 3, winograd_slices),
    OP_CASE_FAST(NET_TRAINING, 8, 9, 16, 3, winograd_low),
    OP_CASE_FAST(NET_TRAINING, 12, 15, 16, 14, winograd_branches),
    OP_CASE_FAST(NET_TRAINING, 17, 16, 32, 2, polyphase),
    OP_CASE_FAST(NET_TRAINING, 18, 21, 32, 3, polyphase_norm),
    OP_CASE_FAST(NET_TRAINING, 16, 15, 32, 2, polyphase_slices),
    OP_CASE_FAST(NET_TRAINING, 16, 17, 32, 14, polyphase_branches),
    OP_CASE_FAST(NET_TRAINING, 1, 129, 384, 2, strassen),
    OP_CASE_FAST(NET_TRAINING, 8, 16, 384, 3, strassen_norm),
    OP_CASE_FAST(NET_FROZEN, 8, 16, 384, 1, strassen_frozen),
    OP_CASE_FAST(NET_TRAINING, 9, 15, 384, 1, strassen_slices),
};
enum { OP_CASES = sizeof op_cases / sizeof *op_cases };

/* ---- Running one ---- */

struct op_run {
    struct params params;
    struct graph graph;
    struct net net;
    int output;
    float *gradients; /* of the parameters: set by the caller, params.trainable floats */
};

static inline enum status op_case_start(struct op_run *run, const struct op_case *c, enum net_mode mode,
                                        const struct kernels *kernels, int threads, struct error *err)
{
    *run = (struct op_run){0};
    graph_begin(&run->graph, &run->params);
    const int x = graph_input(&run->graph, c->height, c->width, c->channels, mode != NET_INFERENCE);
    run->output = c->build(&run->graph, x);
    graph_output(&run->graph, run->output);
    enum status status = graph_finish(&run->graph, err);
    if (status != OK) return status;
    op_case_params(&run->params);
    const struct net_options options = {
        .batch = c->batch, .threads = threads, .mode = mode, .spare = c->spare, .plan = c->plan};
    status = net_create(&run->net, &run->graph, kernels, options, err);
    if (status != OK) return status;
    const struct view input = net_value(&run->net, x);
    op_case_uniform(input.data, c->name, (size_t)input.pixels * (size_t)input.channels);
    return OK;
}

/* The gradient of sum(output * weight), the weights by formula. */
static inline void op_case_backward(struct op_run *run)
{
    const struct view y = net_gradient(&run->net, run->output);
    op_case_uniform(y.data, "loss", (size_t)y.pixels * (size_t)y.stride);
    net_backward(&run->net, run->gradients);
}

static inline void op_case_finish(struct op_run *run)
{
    net_free(&run->net);
    graph_free(&run->graph);
    params_free(&run->params);
}

#endif
