#include "nn/cost.h"

#include "nn/op.h"

#include <assert.h>
#include <stdio.h>

/* In the order of enum op_kind. */
static const char *const names[] = {
    "conv",      "add",        "copy",       "max-pool",       "upsample",       "bilinear", "gather",
    "attention", "activation", "layer-norm", "scale-add",      "tokens",         "mean",     "conv",
    "to bytes",  "to floats",  "copy bytes", "max-pool bytes", "upsample bytes",
};
static_assert(sizeof names / sizeof *names == OP_KINDS, "each operation has a name");

static bool is_conv(const struct node *node) { return node->op == OP_CONV || node->op == OP_CONV_INT8; }
static double values_of(const struct tensor *t) { return (double)t->height * t->width * t->channels; }
static double bytes_of(const struct graph *graph, int tensor)
{
    const struct tensor *t = graph->tensors + tensor;
    return values_of(t) * (graph->storages[t->storage].scale ? 1 : sizeof(float));
}

/* Of one image. */
static double forward_flop(const struct graph *graph, const struct node *node)
{
    const struct tensor *in = graph->tensors + node->input[0], *out = graph->tensors + node->output;
    if (is_conv(node)) {
        const struct conv_options *o = &node->as.conv;
        return 2.0 * values_of(out) * (in->channels / o->groups) * o->kernel * o->kernel;
    }
    if (node->op == OP_ATTENTION) {
        const struct attention_options *o = &node->as.attention;
        const double tokens = (double)in->height * in->width;
        return 2.0 * tokens * tokens * o->heads * (o->key_dim + o->value_dim);
    }
    return 0;
}

static double param_values(const struct graph *graph, const struct node *node)
{
    double values = 0;
    for (int i = 0; i < node->params; i++) values += (double)graph->params->list[node->param[i]].size;
    return values;
}

static struct cost forward_cost(const struct net *net, const struct node *node)
{
    const struct graph *graph = net->graph;
    const double batch = net->options.batch;
    double bytes = batch * bytes_of(graph, node->output) + sizeof(float) * param_values(graph, node);
    for (int i = 0; i < node->inputs; i++) bytes += batch * bytes_of(graph, node->input[i]);
    return (struct cost){batch * forward_flop(graph, node), bytes};
}

/* A product's gradient costs its forward pass once for each of its factors. */
static struct cost backward_cost(const struct net *net, const struct node *node)
{
    const struct graph *graph = net->graph;
    const double batch = net->options.batch, flop = batch * forward_flop(graph, node);
    struct cost cost = {0, batch * values_of(graph->tensors + node->output)};
    const bool moves = graph_trains(graph, node);
    if (moves) cost.bytes += 2 * param_values(graph, node);
    for (int i = 0; i < node->inputs; i++) {
        const double values = batch * values_of(graph->tensors + node->input[i]);
        if (net_op(node)->reads_inputs) cost.bytes += values;
        if (op_needs_gradient(net, node, i)) cost.bytes += values;
    }
    cost.bytes *= sizeof(float);
    if (node->op == OP_ATTENTION) cost.flop = 2 * flop;
    if (node->op == OP_CONV) cost.flop = (moves ? flop : 0) + (op_needs_gradient(net, node, 0) ? flop : 0);
    return cost;
}

struct cost cost_of(const struct net *net, const struct node *node, enum net_pass pass)
{
    return pass == NET_FORWARD ? forward_cost(net, node) : backward_cost(net, node);
}

void cost_describe(char *text, size_t room, const struct graph *graph, const struct node *node)
{
    const struct tensor *in = graph->tensors + node->input[0], *out = graph->tensors + node->output;
    if (!is_conv(node)) {
        snprintf(text, room, "%s at %dx%d", names[node->op], out->height, out->width);
        return;
    }
    const struct conv_options *o = &node->as.conv;
    snprintf(text, room, "conv %dx%d/%d %d->%d%s at %dx%d", o->kernel, o->kernel, o->stride, in->channels,
             out->channels, o->groups > 1 ? " depthwise" : "", out->height, out->width);
}

const char *cost_algorithm(const struct net *net, const struct node *node)
{
    const struct op *op = net_op(node);
    return op->algorithm ? op->algorithm(net, node) : "";
}
