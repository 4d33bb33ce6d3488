/* Rewriting a graph for quantised layers (quant.h). */
#include "nn/quant.h"

#include <stdlib.h>
#include <string.h>

enum { NONE = -1 };

/* What a storage's bytes would stand for, as far as known. */
struct scales {
    float *scale;
    uint8_t *zero;
    bool *known;
    bool floats; /* stays floats: an input, an output, or readers disagree */
};

struct rewrite {
    struct graph *graph;
    const struct node *nodes; /* the old ones */
    int node_count, tensor_count, storage_count;
    const struct quant_layer **layer; /* per old node */
    struct scales *scales;            /* per old storage */
    int *shortcut;                    /* per old node: the tensor to add behind, or NONE */
    int *sum;                         /* per old node: its sum's node, which it replaces, or NONE */
    int *real;                        /* per old tensor: its floats, or NONE */
};

static void *take(struct rewrite *r, size_t count, size_t size)
{
    void *memory = arena_alloc(&r->graph->arena, count, size);
    if (!memory) r->graph->out_of_memory = true;
    return memory;
}

static const struct tensor *tensor_of(const struct rewrite *r, int tensor)
{
    return r->graph->tensors + tensor;
}

static bool is_bytes(const struct rewrite *r, int tensor)
{
    const struct tensor *t = tensor_of(r, tensor);
    return t->storage < r->storage_count && r->scales[t->storage].scale && !r->scales[t->storage].floats;
}

static bool equal_at(const struct scales *a, int i, const struct scales *b, int j)
{
    return a->scale[i] == b->scale[j] && a->zero[i] == b->zero[j];
}

static void set_channel(struct rewrite *r, int storage, int channel, float scale, uint8_t zero)
{
    struct scales *s = r->scales + storage;
    const size_t channels = (size_t)r->graph->storages[storage].channels;
    if (!s->scale) {
        float *scales = take(r, channels, sizeof *scales);
        s->zero = take(r, channels, sizeof *s->zero);
        s->known = take(r, channels, sizeof *s->known);
        if (r->graph->out_of_memory) return;
        s->scale = scales;
    }
    if (s->known[channel] && (s->scale[channel] != scale || s->zero[channel] != zero)) s->floats = true;
    s->scale[channel] = scale;
    s->zero[channel] = zero;
    s->known[channel] = true;
}

static void find_layers(struct rewrite *r, const struct quant *quant)
{
    for (int i = 0; i < r->node_count; i++) {
        const struct node *node = r->nodes + i;
        if (node->op != OP_CONV || node->as.conv.batch_norm) continue;
        const struct tensor *in = tensor_of(r, node->input[0]), *out = tensor_of(r, node->output);
        const int groups = node->as.conv.groups;
        const struct quant_layer *layer = quant_find(quant, node->name);
        if (!layer || layer->in != in->channels || layer->out != out->channels) continue;
        if (groups != 1 && (groups != in->channels || in->channels != out->channels)) continue;
        const int64_t taps = (int64_t)node->as.conv.kernel * node->as.conv.kernel;
        if (taps * in->channels / groups >= INT8_MAX_DEPTH) continue;
        r->layer[i] = layer;
        for (int c = 0; c < in->channels && !r->graph->out_of_memory; c++)
            set_channel(r, in->storage, in->channel + c, layer->input_scale[c], layer->input_zero[c]);
    }
}

/* A node writes bytes of one scale: channels that nobody reads take that of the others. */
static void settle_output(struct rewrite *r, const struct tensor *out)
{
    struct scales *s = r->scales + out->storage;
    int first = NONE;
    for (int c = out->channel; c < out->channel + out->channels && first < 0; c++)
        if (s->known[c]) first = c;
    for (int c = out->channel; first >= 0 && c < out->channel + out->channels; c++)
        set_channel(r, out->storage, c, s->scale[first], s->zero[first]);
}

/* From the readers to the writers. */
static void spread(struct rewrite *r)
{
    for (int i = r->node_count - 1; i >= 0 && !r->graph->out_of_memory; i--) {
        const struct node *node = r->nodes + i;
        const struct tensor *out = tensor_of(r, node->output), *in = tensor_of(r, node->input[0]);
        const struct scales *from = r->scales + out->storage;
        if (!from->scale) continue;
        if (!quant_moves(node)) {
            settle_output(r, out);
            continue;
        }
        for (int c = 0; c < out->channels; c++) {
            const struct scales *to = r->scales + in->storage;
            if (!from->known[out->channel + c] || (to->scale && to->known[in->channel + c])) continue;
            set_channel(r, in->storage, in->channel + c, from->scale[out->channel + c],
                        from->zero[out->channel + c]);
        }
    }
    for (int s = 0; s < r->storage_count; s++)
        for (int c = 0; r->scales[s].scale && c < r->graph->storages[s].channels; c++)
            if (!r->scales[s].known[c]) r->scales[s].floats = true;
}

static bool uniform(const struct rewrite *r, const struct tensor *t)
{
    const struct scales *s = r->scales + t->storage;
    for (int c = 1; c < t->channels; c++)
        if (!equal_at(s, t->channel, s, t->channel + c)) return false;
    return true;
}

static bool same_scales(const struct rewrite *r, const struct tensor *a, const struct tensor *b)
{
    for (int c = 0; c < a->channels; c++)
        if (!equal_at(r->scales + a->storage, a->channel + c, r->scales + b->storage, b->channel + c))
            return false;
    return true;
}

/* The quantised convolution that wrote a tensor which nobody but one node reads, or NONE. */
static int only_for_one(const struct rewrite *r, int tensor)
{
    int writer = NONE, readers = 0;
    const int storage = tensor_of(r, tensor)->storage;
    for (int i = 0; i < r->node_count; i++) {
        if (r->nodes[i].output == tensor && r->layer[i]) writer = i;
        for (int k = 0; k < r->nodes[i].inputs; k++)
            if (tensor_of(r, r->nodes[i].input[k])->storage == storage) readers++;
    }
    for (int i = 0; i < r->graph->outputs; i++)
        if (tensor_of(r, r->graph->output[i])->storage == storage) readers++;
    return readers == 1 ? writer : NONE;
}

static void fuse_sums(struct rewrite *r)
{
    for (int i = 0; i < r->node_count; i++) {
        const struct node *node = r->nodes + i;
        if (node->op != OP_ADD) continue;
        for (int k = 0; k < 2; k++) {
            const int other = node->input[1 - k], writer = only_for_one(r, node->input[k]);
            if (writer < 0 || !is_bytes(r, other) || !uniform(r, tensor_of(r, other))) continue;
            r->shortcut[writer] = other;
            r->sum[writer] = i;
            break;
        }
    }
}

/* ---- The new nodes ---- */

static int fresh_like(struct rewrite *r, int tensor)
{
    const struct tensor t = *tensor_of(r, tensor);
    return graph_tensor(r->graph, t.height, t.width, t.channels);
}

static void append_simple(struct rewrite *r, enum op_kind op, const char *name, int from, int to)
{
    graph_append(r->graph, (struct node){.op = op, .inputs = 1, .input = {from}, .output = to, .name = name});
}

static int as_floats(struct rewrite *r, int tensor)
{
    if (!is_bytes(r, tensor)) return tensor;
    if (r->real[tensor] < 0) {
        r->real[tensor] = fresh_like(r, tensor);
        append_simple(r, OP_DEQUANTISE, "to floats", tensor, r->real[tensor]);
    }
    return r->real[tensor];
}

static void set_storage(struct rewrite *r, int storage, const float *scale, const uint8_t *zero)
{
    r->graph->storages[storage].scale = scale;
    r->graph->storages[storage].zero = zero;
}

static void append_conv(struct rewrite *r, int index)
{
    struct node node = r->nodes[index];
    node.op = OP_CONV_INT8;
    node.quant = r->layer[index];
    if (r->sum[index] >= 0) {
        node.inputs = 2;
        node.input[1] = r->shortcut[index];
        node.output = r->nodes[r->sum[index]].output;
    }
    if (!is_bytes(r, node.input[0])) {
        const int bytes = fresh_like(r, node.input[0]);
        if (r->graph->out_of_memory) return;
        set_storage(r, tensor_of(r, bytes)->storage, node.quant->input_scale, node.quant->input_zero);
        append_simple(r, OP_QUANTISE, "to bytes", node.input[0], bytes);
        node.input[0] = bytes;
    }
    graph_append(r->graph, node);
}

static void append_floats(struct rewrite *r, struct node node)
{
    const int output = node.output;
    for (int k = 0; k < node.inputs; k++) node.input[k] = as_floats(r, node.input[k]);
    if (is_bytes(r, output)) node.output = fresh_like(r, output);
    graph_append(r->graph, node);
    if (node.output != output) append_simple(r, OP_QUANTISE, "to bytes", node.output, output);
}

static void append_other(struct rewrite *r, struct node node)
{
    static const enum op_kind on_bytes[OP_KINDS] = {
        [OP_COPY] = OP_COPY_INT8, [OP_MAX_POOL] = OP_MAX_POOL_INT8, [OP_UPSAMPLE] = OP_UPSAMPLE_INT8};
    if (quant_moves(&node) && is_bytes(r, node.input[0]) && is_bytes(r, node.output) &&
        same_scales(r, tensor_of(r, node.input[0]), tensor_of(r, node.output))) {
        node.op = on_bytes[node.op];
        graph_append(r->graph, node);
    } else {
        append_floats(r, node);
    }
}

/* A convolution with a sum behind it moves to the place of the sum. */
static void append_all(struct rewrite *r)
{
    for (int i = 0; i < r->node_count && !r->graph->out_of_memory; i++) {
        int conv = NONE;
        for (int j = 0; j < i && r->nodes[i].op == OP_ADD; j++)
            if (r->sum[j] == i) conv = j;
        if (conv >= 0)
            append_conv(r, conv);
        else if (!r->layer[i])
            append_other(r, r->nodes[i]);
        else if (r->sum[i] < 0)
            append_conv(r, i);
    }
}

static void begin(struct rewrite *r)
{
    const size_t nodes = (size_t)r->node_count;
    r->layer = take(r, nodes, sizeof *r->layer);
    r->scales = take(r, (size_t)r->storage_count, sizeof *r->scales);
    r->shortcut = take(r, nodes, sizeof *r->shortcut);
    r->sum = take(r, nodes, sizeof *r->sum);
    r->real = take(r, (size_t)r->tensor_count, sizeof *r->real);
    if (r->graph->out_of_memory) return;
    for (int i = 0; i < r->node_count; i++) r->shortcut[i] = r->sum[i] = NONE;
    for (int i = 0; i < r->tensor_count; i++) r->real[i] = NONE;
    r->scales[tensor_of(r, r->graph->input)->storage].floats = true;
    for (int i = 0; i < r->graph->outputs; i++)
        r->scales[tensor_of(r, r->graph->output[i])->storage].floats = true;
}

enum status quant_apply(struct graph *graph, const struct quant *quant, struct error *err)
{
    struct rewrite r = {.graph = graph,
                        .nodes = graph->nodes,
                        .node_count = graph->node_count,
                        .tensor_count = graph->tensor_count,
                        .storage_count = graph->storage_count};
    if (!quant->count) return OK;
    begin(&r);
    if (!graph->out_of_memory) find_layers(&r, quant);
    if (!graph->out_of_memory) spread(&r);
    if (!graph->out_of_memory) {
        fuse_sums(&r);
        for (int s = 0; s < r.storage_count; s++)
            if (!r.scales[s].floats) set_storage(&r, s, r.scales[s].scale, r.scales[s].zero);
        graph->nodes = NULL;
        graph->node_count = graph->node_capacity = 0;
        append_all(&r);
    }
    return graph->out_of_memory ? fail_memory(err, "the network's graph", graph->arena.used) : OK;
}
