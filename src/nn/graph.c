#include "nn/graph.h"

#include "nn/window.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Room for one more element, or NULL (remembered in the graph). */
static void *grow(struct graph *graph, void *list, int count, int *capacity, size_t size)
{
    void *larger = arena_grow(&graph->arena, list, count, capacity, size);
    if (!larger) graph->out_of_memory = true;
    return larger;
}

static int add_storage(struct graph *graph, int height, int width, int channels)
{
    struct storage *list =
        grow(graph, graph->storages, graph->storage_count, &graph->storage_capacity, sizeof *list);
    if (!list) return 0;
    graph->storages = list;
    list[graph->storage_count] = (struct storage){.height = height, .width = width, .channels = channels};
    return graph->storage_count++;
}

static int add_view(struct graph *graph, struct tensor tensor)
{
    struct tensor *list =
        grow(graph, graph->tensors, graph->tensor_count, &graph->tensor_capacity, sizeof *list);
    if (!list) return 0;
    graph->tensors = list;
    list[graph->tensor_count] = tensor;
    return graph->tensor_count++;
}

static int add_tensor(struct graph *graph, int height, int width, int channels)
{
    assert(height > 0 && width > 0 && channels > 0);
    const int storage = add_storage(graph, height, width, channels);
    return add_view(graph, (struct tensor){storage, 0, height, width, channels, false});
}

bool graph_trains(const struct graph *graph, const struct node *node)
{
    for (int i = 0; i < node->params; i++) {
        const struct param *param = graph->params->list + node->param[i];
        if (param->kind == PARAM_TRAINABLE && !param->frozen) return true;
    }
    return false;
}

static bool trains_or_follows(const struct graph *graph, const struct node *node)
{
    if (graph_trains(graph, node)) return true;
    for (int i = 0; i < node->inputs; i++)
        if (graph->tensors[node->input[i]].needs_gradient) return true;
    return false;
}

void graph_append(struct graph *graph, struct node node)
{
    struct node *list = grow(graph, graph->nodes, graph->node_count, &graph->node_capacity, sizeof *list);
    if (!list || graph->out_of_memory) return;
    graph->nodes = list;
    list[graph->node_count++] = node;
}

/* Appends the node with a fresh output of the given size and returns that. */
static int add_node(struct graph *graph, struct node node, int height, int width, int channels)
{
    node.output = add_tensor(graph, height, width, channels);
    graph_append(graph, node);
    if (graph->out_of_memory) return 0;
    graph->tensors[node.output].needs_gradient = trains_or_follows(graph, &node);
    return node.output;
}

/* A node of one input without parameters. */
static struct node simple(enum op_kind op, const char *name, int x)
{
    return (struct node){.op = op, .inputs = 1, .input = {x}, .name = name};
}

void graph_begin(struct graph *graph, struct params *params) { *graph = (struct graph){.params = params}; }

int graph_input(struct graph *graph, int height, int width, int channels, bool needs_gradient)
{
    graph->input = add_tensor(graph, height, width, channels);
    if (!graph->out_of_memory) graph->tensors[graph->input].needs_gradient = needs_gradient;
    return graph->input;
}

static int declare(struct graph *graph, const char *prefix, const char *suffix, enum param_kind kind,
                   int dims, const int64_t *size)
{
    char name[PARAM_MAX_NAME];
    const int n = snprintf(name, sizeof name, "%s%s", prefix, suffix);
    assert(n > 0 && n < (int)sizeof name);
    (void)n;
    const int index = params_declare(graph->params, name, kind, dims, size);
    if (index >= 0) return index;
    graph->out_of_memory = true;
    return 0;
}

struct conv_layer graph_conv_layer(struct graph *graph, const char *prefix, int in, int out,
                                   struct conv_options options)
{
    if (!options.stride) options.stride = 1;
    if (!options.dilation) options.dilation = 1;
    if (!options.groups) options.groups = 1;
    assert(in % options.groups == 0 && out % options.groups == 0);
    assert(options.kernel >= 1 && options.kernel <= WINDOW_MAX_KERNEL);
    struct conv_layer layer = {.in = in, .out = out, .options = options};
    snprintf(layer.name, sizeof layer.name, "%s", prefix);
    const int64_t weight[4] = {out, in / options.groups, options.kernel, options.kernel}, channel[1] = {out};
    assert(!options.linear || options.kernel == 1);
    const int dims = options.linear ? 2 : 4;
    if (options.batch_norm) {
        layer.params = 5;
        layer.param[CONV_WEIGHT] = declare(graph, prefix, ".conv.weight", PARAM_TRAINABLE, dims, weight);
        layer.param[CONV_GAMMA] = declare(graph, prefix, ".bn.weight", PARAM_TRAINABLE, 1, channel);
        layer.param[CONV_BETA] = declare(graph, prefix, ".bn.bias", PARAM_TRAINABLE, 1, channel);
        layer.param[CONV_MEAN] = declare(graph, prefix, ".bn.running_mean", PARAM_STATISTIC, 1, channel);
        layer.param[CONV_VARIANCE] = declare(graph, prefix, ".bn.running_var", PARAM_STATISTIC, 1, channel);
    } else {
        layer.params = 2;
        layer.param[CONV_WEIGHT] = declare(graph, prefix, ".weight", PARAM_TRAINABLE, dims, weight);
        layer.param[CONV_BIAS] = declare(graph, prefix, ".bias", PARAM_TRAINABLE, 1, channel);
    }
    return layer;
}

static int window_count(int in, int kernel, int stride, int padding, int dilation)
{
    return (in + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1;
}

/* A copy that lives with the graph; a failure is remembered in it. */
static const char *keep_name(struct graph *graph, const char *name)
{
    const char *copy = arena_strdup(&graph->arena, name);
    if (!copy) graph->out_of_memory = true;
    return copy ? copy : "";
}

int graph_conv(struct graph *graph, const struct conv_layer *layer, int x)
{
    if (graph->out_of_memory) return 0;
    const struct tensor in = graph->tensors[x];
    const struct conv_options *o = &layer->options;
    assert(in.channels == layer->in);
    struct node node = simple(OP_CONV, keep_name(graph, layer->name), x);
    node.params = layer->params;
    memcpy(node.param, layer->param, sizeof layer->param);
    node.as.conv = *o;
    return add_node(graph, node, window_count(in.height, o->kernel, o->stride, o->padding, o->dilation),
                    window_count(in.width, o->kernel, o->stride, o->padding, o->dilation), layer->out);
}

static bool same_shape(const struct graph *graph, int a, int b)
{
    const struct tensor *t = graph->tensors + a, *u = graph->tensors + b;
    return t->height == u->height && t->width == u->width && t->channels == u->channels;
}

int graph_add(struct graph *graph, int a, int b)
{
    if (graph->out_of_memory) return 0;
    assert(same_shape(graph, a, b));
    const struct tensor t = graph->tensors[a];
    struct node node = {.op = OP_ADD, .inputs = 2, .input = {a, b}, .name = "add"};
    return add_node(graph, node, t.height, t.width, t.channels);
}

/* Moves every view of storage `from` into storage `to`, `channel` channels further. */
static void rehome(struct graph *graph, int from, int to, int channel)
{
    for (int i = 0; i < graph->tensor_count; i++) {
        struct tensor *t = graph->tensors + i;
        if (t->storage != from) continue;
        t->storage = to;
        t->channel += channel;
    }
}

int graph_concat(struct graph *graph, int count, const int *inputs)
{
    if (graph->out_of_memory) return 0;
    const struct tensor first = graph->tensors[inputs[0]];
    int channels = 0;
    for (int i = 0; i < count; i++) channels += graph->tensors[inputs[i]].channels;
    const int home = add_storage(graph, first.height, first.width, channels);
    bool needs_gradient = false;
    for (int i = 0, channel = 0; i < count && !graph->out_of_memory; i++) {
        const struct tensor t = graph->tensors[inputs[i]];
        assert(t.height == first.height && t.width == first.width);
        const bool in_place = t.storage == home && t.channel == channel;
        const bool whole = t.channels == graph->storages[t.storage].channels;
        const bool external = t.storage == graph->tensors[graph->input].storage;
        if (!in_place && whole && !external) {
            rehome(graph, t.storage, home, channel);
        } else if (!in_place) { /* part of something else already */
            const int copy =
                add_node(graph, simple(OP_COPY, "copy", inputs[i]), t.height, t.width, t.channels);
            if (!graph->out_of_memory) rehome(graph, graph->tensors[copy].storage, home, channel);
        }
        needs_gradient |= t.needs_gradient;
        channel += t.channels;
    }
    return add_view(graph, (struct tensor){home, 0, first.height, first.width, channels, needs_gradient});
}

int graph_slice(struct graph *graph, int x, int channel, int channels)
{
    if (graph->out_of_memory) return 0;
    struct tensor t = graph->tensors[x];
    assert(channel >= 0 && channel + channels <= t.channels);
    t.channel += channel;
    t.channels = channels;
    return add_view(graph, t);
}

int graph_max_pool(struct graph *graph, int x, struct pool_options o)
{
    if (graph->out_of_memory) return 0;
    const struct tensor t = graph->tensors[x];
    struct node node = simple(OP_MAX_POOL, "max-pool", x);
    node.as.pool = o;
    return add_node(graph, node, window_count(t.height, o.kernel, o.stride, o.padding, 1),
                    window_count(t.width, o.kernel, o.stride, o.padding, 1), t.channels);
}

int graph_upsample(struct graph *graph, int x)
{
    if (graph->out_of_memory) return 0;
    const struct tensor t = graph->tensors[x];
    return add_node(graph, simple(OP_UPSAMPLE, "upsample", x), 2 * t.height, 2 * t.width, t.channels);
}

int graph_bilinear(struct graph *graph, int x, int height, int width)
{
    if (graph->out_of_memory) return 0;
    return add_node(graph, simple(OP_BILINEAR, "bilinear", x), height, width, graph->tensors[x].channels);
}

/* Do `count` ranges of `length` channels, the first at `start`, `step` apart, lie within `channels`? */
static bool ranges_fit(int start, int step, int length, int count, int channels)
{
    return start >= 0 && step >= 0 && length > 0 && count > 0 && start + step * (count - 1) + length <= channels;
}

int graph_gather(struct graph *graph, int x, struct gather_options o)
{
    if (graph->out_of_memory) return 0;
    const struct tensor t = graph->tensors[x];
    assert(ranges_fit(o.start, o.step, o.length, o.count, t.channels));
    struct node node = simple(OP_GATHER, "gather", x);
    node.as.gather = o;
    return add_node(graph, node, t.height, t.width, o.length * o.count);
}

int graph_attention(struct graph *graph, int x, struct attention_options o)
{
    if (graph->out_of_memory) return 0;
    const struct tensor t = graph->tensors[x];
    assert(ranges_fit(o.query_start, o.step, o.key_dim, o.heads, t.channels) &&
           ranges_fit(o.key_start, o.step, o.key_dim, o.heads, t.channels) &&
           ranges_fit(o.value_start, o.step, o.value_dim, o.heads, t.channels));
    struct node node = simple(OP_ATTENTION, "attention", x);
    node.as.attention = o;
    return add_node(graph, node, t.height, t.width, o.heads * o.value_dim);
}

int graph_activation(struct graph *graph, int x, enum activation activation)
{
    if (graph->out_of_memory) return 0;
    const struct tensor t = graph->tensors[x];
    struct node node = simple(OP_ACTIVATION, "activation", x);
    node.as.activation = activation;
    return add_node(graph, node, t.height, t.width, t.channels);
}

int graph_layer_norm(struct graph *graph, const char *prefix, int x, float eps)
{
    if (graph->out_of_memory) return 0;
    const struct tensor t = graph->tensors[x];
    const int64_t size[1] = {t.channels};
    struct node node = simple(OP_LAYER_NORM, keep_name(graph, prefix), x);
    node.as.eps = eps;
    node.params = 2;
    node.param[0] = declare(graph, prefix, ".weight", PARAM_TRAINABLE, 1, size);
    node.param[1] = declare(graph, prefix, ".bias", PARAM_TRAINABLE, 1, size);
    return add_node(graph, node, t.height, t.width, t.channels);
}

int graph_scale_add(struct graph *graph, const char *gamma, int x, int f)
{
    if (graph->out_of_memory) return 0;
    assert(same_shape(graph, x, f));
    const struct tensor t = graph->tensors[x];
    const int64_t size[1] = {t.channels};
    struct node node = {.op = OP_SCALE_ADD, .inputs = 2, .input = {x, f}, .params = 1, .name = "layer scale"};
    node.param[0] = declare(graph, gamma, "", PARAM_TRAINABLE, 1, size);
    return add_node(graph, node, t.height, t.width, t.channels);
}

struct token_layer graph_token_layer(struct graph *graph, int channels, struct token_options o)
{
    const int64_t cls[3] = {1, 1, channels}, table[3] = {1, 1 + (int64_t)o.grid * o.grid, channels},
                  extra[3] = {1, o.registers, channels};
    struct token_layer layer = {.params = 2, .channels = channels, .options = o};
    layer.param[0] = declare(graph, "cls_token", "", PARAM_TRAINABLE, 3, cls);
    layer.param[1] = declare(graph, "pos_embed", "", PARAM_TRAINABLE, 3, table);
    if (o.registers)
        layer.param[layer.params++] = declare(graph, "register_tokens", "", PARAM_TRAINABLE, 3, extra);
    return layer;
}

int graph_tokens(struct graph *graph, const struct token_layer *layer, int x)
{
    if (graph->out_of_memory) return 0;
    const struct tensor t = graph->tensors[x];
    assert(t.channels == layer->channels);
    struct node node = simple(OP_TOKENS, "tokens", x);
    node.as.tokens = layer->options;
    node.params = layer->params;
    memcpy(node.param, layer->param, sizeof layer->param);
    return add_node(graph, node, 1, 1 + layer->options.registers + t.height * t.width, t.channels);
}

int graph_mean(struct graph *graph, int x)
{
    if (graph->out_of_memory) return 0;
    return add_node(graph, simple(OP_MEAN, "mean", x), 1, 1, graph->tensors[x].channels);
}

int graph_tensor(struct graph *graph, int height, int width, int channels)
{
    return add_tensor(graph, height, width, channels);
}

void graph_output(struct graph *graph, int tensor)
{
    assert(graph->outputs < GRAPH_MAX_OUTPUTS);
    graph->output[graph->outputs++] = tensor;
}

enum status graph_finish(struct graph *graph, struct error *err)
{
    if (graph->out_of_memory) return fail_memory(err, "the network's graph", graph->arena.used);
    return params_seal(graph->params, err);
}

void graph_free(struct graph *graph)
{
    arena_free(&graph->arena);
    *graph = (struct graph){0};
}
