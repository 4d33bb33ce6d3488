#include "nn/net.h"

#include "base/fpu.h"
#include "base/pages.h"
#include "base/par.h"
#include "nn/op.h"
#include "nn/plan.h"

#include <assert.h>

#define MIB 1048576.0

/* In the order of enum op_kind. */
static const struct op *const ops[] = {
    &op_conv,       &op_add,       &op_copy,          &op_max_pool,      &op_upsample,
    &op_bilinear,   &op_gather,    &op_attention,     &op_activation,    &op_layer_norm,
    &op_scale_add,  &op_tokens,    &op_mean,          &op_conv_int8,     &op_quantise,
    &op_dequantise, &op_copy_int8, &op_max_pool_int8, &op_upsample_int8,
};
static_assert(sizeof ops / sizeof *ops == OP_KINDS, "each kind has its operation");

const struct op *net_op(const struct node *node) { return ops[node->op]; }

const char *net_plan_name(enum net_plan plan)
{
    static const char *const names[] = {
        [PLAN_FAST] = "fast", [PLAN_EXACT] = "exact", [PLAN_FAST_0_1] = "fast-0.1"};
    return names[plan];
}

int net_plan_number(enum net_plan plan)
{
    static const int numbers[] = {[PLAN_FAST] = 2, [PLAN_EXACT] = 1, [PLAN_FAST_0_1] = 0};
    return numbers[plan];
}

enum status net_plan(struct net *net, const struct graph *graph, const struct kernels *kernels,
                     struct net_options options, struct error *err)
{
    assert(options.batch >= 1 && options.threads >= 1 && graph->params->sealed);
    if (options.momentum == 0) options.momentum = 0.03f;
    *net = (struct net){.graph = graph, .kernels = kernels, .options = options};
    enum status status = plan_make(net, err);
    if (status == OK && options.memory_limit && net->total_bytes > options.memory_limit)
        status =
            fail(err, ERR_SYSTEM, "the network needs %.1f MiB for %d picture%s of %dx%d, the limit is %.1f",
                 (double)net->total_bytes / MIB, options.batch, options.batch == 1 ? "" : "s",
                 graph->tensors[graph->input].width, graph->tensors[graph->input].height,
                 (double)options.memory_limit / MIB);
    if (status != OK) net_free(net);
    return status;
}

enum status net_create(struct net *net, const struct graph *graph, const struct kernels *kernels,
                       struct net_options options, struct error *err)
{
    assert(!graph->params->borrowed || options.mode != NET_TRAINING); /* which writes running statistics */
    TRY(net_plan(net, graph, kernels, options, err));
    const size_t bytes = net->total_bytes;
    net->memory = pages_alloc(bytes); /* the zero row starts as zeros */
    if (!net->memory) {
        net_free(net);
        return fail_memory(err, "the network's buffers", bytes);
    }
    net_pack(net);
    return OK;
}

void net_free(struct net *net)
{
    pages_free(net->memory, net->total_bytes);
    arena_free(&net->arena);
    *net = (struct net){0};
}

/* The place of an offset; NULL in a plan alone, where views tell sizes. */
static float *place_of(const struct net *net, size_t offset)
{
    return net->memory ? net->memory + offset : NULL;
}

static struct view view_of(const struct net *net, const size_t *offsets, int tensor)
{
    const struct tensor *t = net->graph->tensors + tensor;
    const int batch = net->options.batch;
    return (struct view){.data = place_of(net, offsets[t->storage] + (size_t)t->channel),
                         .stride = net->graph->storages[t->storage].channels,
                         .images = batch,
                         .height = t->height,
                         .width = t->width,
                         .channels = t->channels,
                         .pixels = (int64_t)batch * t->height * t->width};
}

struct view net_value(const struct net *net, int tensor)
{
    assert(!net_is_bytes(net, tensor));
    return view_of(net, net->backward ? net->again_offset : net->value_offset, tensor);
}

struct view net_gradient(const struct net *net, int tensor)
{
    return view_of(net, net->gradient_offset, tensor);
}

struct byte_view net_bytes(const struct net *net, int tensor)
{
    const struct tensor *t = net->graph->tensors + tensor;
    const struct storage *s = net->graph->storages + t->storage;
    const int batch = net->options.batch;
    assert(s->scale);
    uint8_t *const first = (uint8_t *)place_of(net, net->value_offset[t->storage]);
    return (struct byte_view){.data = first ? first + t->channel : NULL,
                              .stride = s->channels,
                              .images = batch,
                              .height = t->height,
                              .width = t->width,
                              .channels = t->channels,
                              .pixels = (int64_t)batch * t->height * t->width,
                              .scale = s->scale + t->channel,
                              .zero = s->zero + t->channel};
}

static void tell(const struct net *net, enum net_pass pass, int node)
{
    if (net->watch) net->watch->passed(net->watch->context, pass, node);
}

/* What was packed is not read again soon: a mapped file's pages go as the packed ones come. */
static void rest_params(const struct params *params, const struct node *node)
{
    for (int k = 0; k < node->params; k++) {
        const struct param *param = params->list + node->param[k];
        if (param->mapped) pages_rest(param->place, param->size * sizeof *param->place);
    }
}

struct packing {
    struct net *net;
    bool all; /* or what trains */
};

static void pack_nodes(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const struct packing *packing = context;
    struct net *net = packing->net;
    for (const struct node *node = net->graph->nodes + begin; node < net->graph->nodes + end; node++) {
        if (!packing->all && !graph_trains(net->graph, node)) continue;
        if (net_op(node)->pack) net_op(node)->pack(net, node);
        rest_params(net->graph->params, node);
    }
}

static void pack(struct net *net, bool all)
{
    const uint64_t word = fpu_enter();
    tell(net, NET_PACK, -1);
    par_each(net->options.threads, net->graph->node_count, pack_nodes, &(struct packing){net, all});
    tell(net, NET_PACK, net->graph->node_count - 1);
    fpu_leave(word);
}

void net_pack(struct net *net) { pack(net, true); }

void net_pack_trained(struct net *net)
{
    assert(op_training(net)); /* else running statistics are packed, too */
    pack(net, false);
}

void net_forward(struct net *net)
{
    const uint64_t word = fpu_enter();
    tell(net, NET_FORWARD, -1);
    for (int i = 0; i < net->graph->node_count; i++) {
        net_op(net->graph->nodes + i)->forward(net, net->graph->nodes + i);
        tell(net, NET_FORWARD, i);
    }
    fpu_leave(word);
}

void net_backward(struct net *net, float *gradients)
{
    assert(op_training(net));
    const struct graph *graph = net->graph;
    const uint64_t word = fpu_enter();
    net->gradients = gradients;
    net->backward = true;
    tell(net, NET_BACKWARD, -1);
    const struct zero_range *zero = net->zero, *zero_end = net->zero + net->zero_count;
    const struct replay *replay = net->replays, *replay_end = net->replays + net->replay_count;
    for (int i = graph->node_count - 1; i >= 0; i--) {
        const struct node *node = graph->nodes + i;
        for (; zero < zero_end && zero->node == i; zero++) {
            const struct storage *s = graph->storages + zero->storage;
            net->kernels->fill(net->memory + net->gradient_offset[zero->storage] + zero->channel, s->channels,
                               0.f, net->options.batch * s->height * s->width, zero->channels);
        }
        if (!graph->tensors[node->output].needs_gradient) continue;
        for (; replay < replay_end && replay->before == i; replay++)
            net_op(graph->nodes + replay->node)->replay(net, graph->nodes + replay->node);
        net_op(node)->backward(net, node);
        tell(net, NET_BACKWARD, i);
    }
    net->gradients = NULL;
    net->backward = false;
    fpu_leave(word);
}
