/* Lifetimes and places of all buffers.
 *
 * With n nodes time is: 0 the input is filled, i + 1 node i forward, n + 1 the loss, 2n + 1 - i node i
 * backward. A buffer is alive from its first writer to its last reader, and two buffers may share bytes when
 * their lives do not meet. The largest are placed first, each at the lowest free offset. */
#include "nn/plan.h"

#include "nn/op.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGN = 16 }; /* floats */

struct buffer {
    int first, last; /* alive, both ends included; first > last: never */
    size_t size, offset;
};

struct planner {
    struct net *net;
    struct buffer *buffers; /* values, gradients, saved, packed; then scratch, worker scratch, zeros */
    int count;
    struct buffer *value, *gradient, *saved, *packed, *scratch, *workers, *zeros;
    int end; /* of time */
};

static int forward_time(int node) { return node + 1; }
static int backward_time(const struct graph *graph, int node) { return 2 * graph->node_count + 1 - node; }

static size_t align_up(size_t floats) { return (floats + ALIGN - 1) / ALIGN * ALIGN; }

static void use(struct buffer *buffer, int time)
{
    if (time < buffer->first) buffer->first = time;
    if (time > buffer->last) buffer->last = time;
}

static int by_size(const void *a, const void *b)
{
    const struct buffer *x = *(struct buffer *const *)a, *y = *(struct buffer *const *)b;
    if (x->size != y->size) return x->size < y->size ? 1 : -1;
    return x < y ? -1 : 1;
}

static int by_offset(const void *a, const void *b)
{
    const struct buffer *x = *(struct buffer *const *)a, *y = *(struct buffer *const *)b;
    if (x->offset != y->offset) return x->offset < y->offset ? -1 : 1;
    return x < y ? -1 : 1;
}

/* Gives every living buffer its offset and returns the floats needed. order has room for 2 * count pointers.
 */
static size_t place(struct buffer *buffers, int count, struct buffer **order)
{
    struct buffer **met = order + count;
    size_t peak = 0;
    int used = 0;
    for (int i = 0; i < count; i++)
        if (buffers[i].first <= buffers[i].last && buffers[i].size) order[used++] = buffers + i;
    qsort(order, (size_t)used, sizeof *order, by_size);
    for (int i = 0; i < used; i++) {
        struct buffer *buffer = order[i];
        int meets = 0;
        for (int j = 0; j < i; j++)
            if (order[j]->first <= buffer->last && buffer->first <= order[j]->last) met[meets++] = order[j];
        qsort(met, (size_t)meets, sizeof *met, by_offset);
        size_t offset = 0;
        for (int j = 0; j < meets && offset + buffer->size > met[j]->offset; j++) {
            const size_t end = met[j]->offset + met[j]->size;
            if (end > offset) offset = end;
        }
        buffer->offset = offset;
        if (offset + buffer->size > peak) peak = offset + buffer->size;
    }
    return peak;
}

/* The channel ranges of its input that a node reads, and so whose gradient it contributes to. */
static struct gather_options ranges_read(const struct node *node, const struct tensor *in)
{
    return node->op == OP_GATHER ? node->as.gather
                                 : (struct gather_options){0, in->channels, in->channels, 1};
}

/* Appends zero ranges for those of [channel, channel + channels) that nobody wrote yet, and marks them
 * written. */
static void clear_unwritten(struct net *net, bool *written, int node, int storage, int channel, int channels)
{
    for (int c = channel; c < channel + channels; c++) {
        if (written[c]) continue;
        struct zero_range *last = net->zero_count ? net->zero + net->zero_count - 1 : NULL;
        if (last && last->node == node && last->storage == storage && last->channel + last->channels == c)
            last->channels++;
        else
            net->zero[net->zero_count++] = (struct zero_range){node, storage, c, 1};
        written[c] = true;
    }
}

/* In the order of the backward pass: the first contribution to a channel writes, later ones add. Where a
 * contribution meets written and unwritten channels the latter are cleared first; so are channels of an
 * output's gradient that no consumer reached. written[s] has one flag for each channel of storage s. */
static void plan_gradients(struct net *net, bool **written)
{
    const struct graph *graph = net->graph;
    for (int i = 0; i < graph->outputs; i++) {
        const struct tensor *t = graph->tensors + graph->output[i];
        memset(written[t->storage] + t->channel, true, (size_t)t->channels);
    }
    for (int i = graph->node_count - 1; i >= 0; i--) {
        const struct node *node = graph->nodes + i;
        const struct tensor *out = graph->tensors + node->output;
        if (!out->needs_gradient) continue;
        clear_unwritten(net, written[out->storage], i, out->storage, out->channel, out->channels);
        for (int k = 0; k < node->inputs; k++) {
            const struct tensor *in = graph->tensors + node->input[k];
            if (!in->needs_gradient) continue;
            const struct gather_options ranges = ranges_read(node, in);
            bool *channels = written[in->storage], any = false;
            const int start = in->channel + ranges.start;
            for (int r = 0; r < ranges.count; r++)
                for (int c = 0; c < ranges.length; c++) any |= channels[start + r * ranges.step + c];
            net->accumulate[i * GRAPH_MAX_INPUTS + k] = any;
            for (int r = 0; r < ranges.count; r++) {
                const int channel = start + r * ranges.step;
                if (any) clear_unwritten(net, channels, i, in->storage, channel, ranges.length);
                memset(channels + channel, true, (size_t)ranges.length);
            }
        }
    }
    const struct tensor *input = graph->tensors + graph->input; /* its unread channels have gradient 0 */
    if (input->needs_gradient)
        clear_unwritten(net, written[input->storage], 0, input->storage, input->channel, input->channels);
}

static size_t floats_of(const struct net *net, const struct storage *s)
{
    const size_t n = (size_t)net->options.batch * (size_t)s->height * (size_t)s->width * (size_t)s->channels;
    return s->scale ? (n + sizeof(float) - 1) / sizeof(float) : n;
}

static size_t ask(size_t (*size)(const struct net *, const struct node *), const struct net *net,
                  const struct node *node)
{
    return size ? size(net, node) : 0;
}

static void grow_to(struct buffer *buffer, size_t size)
{
    if (size > buffer->size) buffer->size = size;
}

static void node_lifetimes(struct planner *p, int i)
{
    struct net *net = p->net;
    const struct graph *graph = net->graph;
    const struct node *node = graph->nodes + i;
    const struct op *op = net_op(node);
    const struct tensor *out = graph->tensors + node->output;
    const bool backward = op_training(net) && out->needs_gradient;
    const int forward = forward_time(i), back = backward_time(graph, i);
    use(p->value + out->storage, forward);
    if (backward) {
        use(p->gradient + out->storage, back);
        if (op->reads_output) use(p->value + out->storage, back);
        p->saved[i].size = ask(op->saved, net, node);
        use(p->saved + i, forward);
        use(p->saved + i, back);
    }
    for (int k = 0; k < node->inputs; k++) {
        const struct tensor *in = graph->tensors + node->input[k];
        use(p->value + in->storage, forward);
        if (!backward) continue;
        if (op->reads_inputs) use(p->value + in->storage, back);
        if (in->needs_gradient) use(p->gradient + in->storage, back);
    }
    p->packed[i].size = ask(op->packed, net, node);
    use(p->packed + i, 0);
    use(p->packed + i, p->end);
    grow_to(p->scratch, ask(op->scratch, net, node));
    grow_to(p->workers, ask(op->worker_scratch, net, node));
}

static void lifetimes(struct planner *p)
{
    struct net *net = p->net;
    const struct graph *graph = net->graph;
    for (int i = 0; i < p->count; i++) p->buffers[i] = (struct buffer){.first = p->end + 1, .last = -1};
    for (int s = 0; s < graph->storage_count; s++)
        p->value[s].size = p->gradient[s].size = floats_of(net, graph->storages + s);
    use(p->value + graph->tensors[graph->input].storage, 0);
    for (int i = 0; i < graph->node_count; i++) node_lifetimes(p, i);
    for (int i = 0; i < graph->outputs; i++) {
        const struct tensor *t = graph->tensors + graph->output[i];
        use(p->value + t->storage, p->end);
        if (op_training(net) && t->needs_gradient)
            use(p->gradient + t->storage, forward_time(graph->node_count));
    }
    if (op_training(net) && graph->tensors[graph->input].needs_gradient)
        use(p->gradient + graph->tensors[graph->input].storage, p->end);
    for (int i = 0; i < graph->storage_count; i++) grow_to(p->zeros, (size_t)graph->storages[i].channels);
    net->worker_floats = align_up(p->workers->size);
    p->workers->size = net->worker_floats * (size_t)net->options.threads;
    for (struct buffer *b = p->scratch; b <= p->zeros; b++) {
        use(b, 0);
        use(b, p->end);
    }
    for (int i = 0; i < p->count; i++) p->buffers[i].size = align_up(p->buffers[i].size);
}

static bool allocate_tables(struct net *net)
{
    const struct graph *graph = net->graph;
    size_t ranges = 0;
    for (int i = 0; i < graph->tensor_count; i++) ranges += (size_t)graph->tensors[i].channels;
    for (int i = 0; i < graph->node_count; i++)
        for (int k = 0; k < graph->nodes[i].inputs; k++)
            ranges += (size_t)graph->tensors[graph->nodes[i].input[k]].channels;
    const size_t nodes = (size_t)graph->node_count, storages = (size_t)graph->storage_count;
    net->value_offset = arena_alloc(&net->arena, storages, sizeof *net->value_offset);
    net->gradient_offset = arena_alloc(&net->arena, storages, sizeof *net->gradient_offset);
    net->saved_offset = arena_alloc(&net->arena, nodes, sizeof *net->saved_offset);
    net->packed_offset = arena_alloc(&net->arena, nodes, sizeof *net->packed_offset);
    net->accumulate = arena_alloc(&net->arena, nodes * GRAPH_MAX_INPUTS, sizeof *net->accumulate);
    net->zero = arena_alloc(&net->arena, ranges, sizeof *net->zero);
    return net->value_offset && net->gradient_offset && net->saved_offset && net->packed_offset &&
           net->accumulate && net->zero;
}

static bool make(struct net *net, struct arena *temporary)
{
    const struct graph *graph = net->graph;
    const int nodes = graph->node_count, storages = graph->storage_count;
    struct planner p = {.net = net, .count = 2 * storages + 2 * nodes + 3, .end = 2 * nodes + 2};
    p.buffers = arena_alloc(temporary, (size_t)p.count, sizeof *p.buffers);
    struct buffer **order = arena_alloc(temporary, 2 * (size_t)p.count, sizeof(struct buffer *));
    bool **written = arena_alloc(temporary, (size_t)storages, sizeof *written);
    if (!p.buffers || !order || !written || !allocate_tables(net)) return false;
    for (int i = 0; i < storages; i++) {
        written[i] = arena_alloc(temporary, (size_t)graph->storages[i].channels, sizeof **written);
        if (!written[i]) return false;
    }
    p.value = p.buffers;
    p.gradient = p.value + storages;
    p.saved = p.gradient + storages;
    p.packed = p.saved + nodes;
    p.scratch = p.packed + nodes;
    p.workers = p.scratch + 1;
    p.zeros = p.workers + 1;
    if (op_training(net)) plan_gradients(net, written);
    lifetimes(&p);
    net->total_bytes =
        (place(p.buffers, p.count, order) + INT8_SLACK) * sizeof(float); /* kernels may read on */
    for (int i = 0; i < storages; i++) {
        net->value_offset[i] = p.value[i].offset;
        net->gradient_offset[i] = p.gradient[i].offset;
    }
    for (int i = 0; i < nodes; i++) {
        net->saved_offset[i] = p.saved[i].offset;
        net->packed_offset[i] = p.packed[i].offset;
        net->packed_bytes += p.packed[i].size * sizeof(float);
    }
    net->scratch_offset = p.scratch->offset;
    net->worker_offset = p.workers->offset;
    net->zeros_offset = p.zeros->offset;
    return true;
}

enum status plan_make(struct net *net, struct error *err)
{
    struct arena temporary = {0};
    const bool made = make(net, &temporary);
    const size_t used = temporary.used;
    arena_free(&temporary);
    return made ? OK : fail_memory(err, "the memory plan", used + net->arena.used);
}
