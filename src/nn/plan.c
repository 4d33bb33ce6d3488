/* Sizes and places of all buffers. Two may share bytes when their lives do not meet; the largest are placed
 * first, each at the lowest free offset. */
#include "nn/plan.h"

#include "nn/planner.h"

#include <limits.h>
#include <stdlib.h>

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

/* No object has more. */
#define MOST_FLOATS (PTRDIFF_MAX / sizeof(float) - INT8_SLACK)

/* Gives every living buffer its offset and returns the bytes needed, or more than any object has. order has room
 * for 2 * p->count pointers. */
static size_t place(const struct planner *p, struct buffer **order)
{
    struct buffer **met = order + p->count;
    size_t peak = 0;
    int used = 0;
    for (struct buffer *b = p->buffers; b < p->buffers + p->count; b++)
        if (b->first <= b->last && b->size) order[used++] = b;
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
        if (buffer->size > MOST_FLOATS - offset) return SIZE_MAX;
        buffer->offset = offset;
        if (offset + buffer->size > peak) peak = offset + buffer->size;
    }
    return (peak + INT8_SLACK) * sizeof(float); /* kernels may read on */
}

/* Operations count the pixels of all images in an int. */
static enum status check_pixels(const struct net *net, struct error *err)
{
    const int batch = net->options.batch;
    for (int i = 0; i < net->graph->storage_count; i++) {
        const struct storage *s = net->graph->storages + i;
        if (op_times(op_times((size_t)s->height, (size_t)s->width), (size_t)batch) > INT_MAX)
            return fail(err, ERR_SYSTEM,
                        "the network's buffers: expected at most %d pixels in one, found %d of %dx%d", INT_MAX,
                        batch, s->width, s->height);
    }
    return OK;
}

static size_t floats_of(const struct net *net, const struct storage *s)
{
    const size_t pixels = (size_t)net->options.batch * (size_t)s->height * (size_t)s->width;
    const size_t n = op_times(pixels, (size_t)s->channels);
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

/* False when a buffer is over OP_MOST. */
static bool sizes(struct planner *p)
{
    struct net *net = p->net;
    const struct graph *graph = net->graph;
    for (int s = 0; s < graph->storage_count; s++) {
        p->value[s].size = p->again[s].size = p->gradient[s].size = floats_of(net, graph->storages + s);
        if (p->value[s].size > OP_MOST) return false; /* before operations count floats */
        grow_to(p->zeros, (size_t)graph->storages[s].channels);
    }
    for (int i = 0; i < graph->node_count; i++) {
        const struct node *node = graph->nodes + i;
        const struct op *op = net_op(node);
        if (op_training(net)) {
            p->saved[i].size = ask(op->saved, net, node);
            p->middle[i].size = ask(op->middle, net, node);
        }
        p->packed[i].size = ask(op->packed, net, node);
        grow_to(p->scratch, ask(op->scratch, net, node));
        grow_to(p->workers, ask(op->worker_scratch, net, node));
    }
    net->worker_floats = op_aligned(p->workers->size);
    p->workers->size = op_times(net->worker_floats, (size_t)net->options.threads);
    for (int i = 0; i < p->count; i++) {
        if (p->buffers[i].size > OP_MOST) return false;
        p->buffers[i].size = op_aligned(p->buffers[i].size);
    }
    return true;
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
    net->again_offset = arena_alloc(&net->arena, storages, sizeof *net->again_offset);
    net->gradient_offset = arena_alloc(&net->arena, storages, sizeof *net->gradient_offset);
    net->saved_offset = arena_alloc(&net->arena, nodes, sizeof *net->saved_offset);
    net->middle_offset = arena_alloc(&net->arena, nodes, sizeof *net->middle_offset);
    net->packed_offset = arena_alloc(&net->arena, nodes, sizeof *net->packed_offset);
    net->dropped = arena_alloc(&net->arena, nodes, sizeof *net->dropped);
    net->accumulate = arena_alloc(&net->arena, nodes * GRAPH_MAX_INPUTS, sizeof *net->accumulate);
    net->replays = arena_alloc(&net->arena, nodes, sizeof *net->replays);
    net->zero = arena_alloc(&net->arena, ranges, sizeof *net->zero);
    return net->value_offset && net->again_offset && net->gradient_offset && net->saved_offset &&
           net->middle_offset && net->packed_offset && net->dropped && net->accumulate && net->replays &&
           net->zero;
}

static void hand_over(const struct planner *p)
{
    struct net *net = p->net;
    for (int i = 0; i < net->graph->storage_count; i++) {
        net->value_offset[i] = p->value[i].offset;
        net->again_offset[i] = (p->kept[i] ? p->value : p->again)[i].offset;
        net->gradient_offset[i] = p->gradient[i].offset;
    }
    for (int i = 0; i < net->graph->node_count; i++) {
        net->saved_offset[i] = p->saved[i].offset;
        net->middle_offset[i] = p->middle[i].offset;
        net->packed_offset[i] = p->packed[i].offset;
        net->packed_bytes += p->packed[i].size * sizeof(float);
    }
    net->scratch_offset = p->scratch->offset;
    net->worker_offset = p->workers->offset;
    net->zeros_offset = p->zeros->offset;
}

static enum status make(struct net *net, struct arena *temporary, struct error *err)
{
    TRY(check_pixels(net, err));
    const int nodes = net->graph->node_count, storages = net->graph->storage_count;
    struct planner p = {
        .net = net, .temporary = temporary, .count = 3 * storages + 3 * nodes + 3, .end = 2 * nodes + 2};
    p.buffers = arena_alloc(temporary, (size_t)p.count, sizeof *p.buffers);
    struct buffer **order = arena_alloc(temporary, 2 * (size_t)p.count, sizeof(struct buffer *));
    if (!p.buffers || !order || !allocate_tables(net))
        return fail_memory(err, "the memory plan", temporary->used + net->arena.used);
    p.value = p.buffers;
    p.again = p.value + storages;
    p.gradient = p.again + storages;
    p.saved = p.gradient + storages;
    p.middle = p.saved + nodes;
    p.packed = p.middle + nodes;
    p.scratch = p.packed + nodes;
    p.workers = p.scratch + 1;
    p.zeros = p.workers + 1;
    p.replayed = arena_alloc(temporary, (size_t)nodes, sizeof *p.replayed);
    p.kept = arena_alloc(temporary, (size_t)storages, sizeof *p.kept);
    if (!p.replayed || !p.kept || (op_training(net) && !plan_gradients(&p)))
        return fail_memory(err, "the memory plan", temporary->used + net->arena.used);
    if (!sizes(&p)) return fail_memory(err, "the network's buffers", SIZE_MAX);
    plan_keeps(&p);
    size_t bytes = place(&p, order);
    if (op_training(net) && bytes > net->options.spare) {
        if (!plan_replays(&p))
            return fail_memory(err, "the memory plan", temporary->used + net->arena.used);
        bytes = place(&p, order);
    }
    if (bytes > PTRDIFF_MAX) return fail_memory(err, "the network's buffers", SIZE_MAX);
    net->total_bytes = bytes;
    hand_over(&p);
    return OK;
}

enum status plan_make(struct net *net, struct error *err)
{
    struct arena temporary = {0};
    const enum status status = make(net, &temporary, err);
    arena_free(&temporary);
    return status;
}
