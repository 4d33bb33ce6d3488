#include "train/learner.h"

#include "base/pages.h"
#include "train/learner_parts.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define LOSS_SCALE 0x1p32
#define MIB 1048576.0

static enum status allocate(struct learner *learner, struct error *err)
{
    const size_t n = learner->coordinates;
    const bool adam = learner->options.optimizer != OPTIMIZER_SGD;
    learner->gradient = arena_alloc(&learner->arena, n, sizeof(float));
    learner->m = arena_alloc(&learner->arena, n, sizeof(float));
    if (adam) learner->v = arena_alloc(&learner->arena, n, sizeof(float));
    if (learner->options.optimizer == OPTIMIZER_ADAM)
        learner->u = arena_alloc(&learner->arena, n, sizeof(float));
    learner->sums = arena_alloc(&learner->arena, (size_t)learner->model->params.count, sizeof(double));
    const bool short_of_u = learner->options.optimizer == OPTIMIZER_ADAM && !learner->u;
    if (!learner->gradient || !learner->m || (adam && !learner->v) || short_of_u || !learner->sums)
        return fail_memory(err, "gradients and moments", 4 * n * sizeof(float));
    return OK;
}

/* The optimiser's view of the parameters; only trainable kinds lie in the flat arrays. */
static enum status describe_tensors(struct learner *learner, struct error *err)
{
    const struct params *params = &learner->model->params;
    learner->tensors = arena_alloc(&learner->arena, (size_t)params->count, sizeof *learner->tensors);
    if (!learner->tensors) return fail_memory(err, "the table of tensors", (size_t)params->count);
    int count = 0;
    for (int i = 0; i < params->count; i++) {
        const struct param *param = params->list + i;
        if (param->kind != PARAM_TRAINABLE) continue;
        learner->tensors[count++] = (struct optim_tensor){.name = param->name,
                                                          .offset = param->offset,
                                                          .size = param->size,
                                                          .group = optim_group_of(param->name),
                                                          .trainable = !param->frozen,
                                                          .fresh = param->fresh};
    }
    learner->optim = (struct optim){learner->kernels, learner->tensors, count, learner->options.threads};
    return OK;
}

static void forget_net(struct learner_net *n)
{
    net_free(&n->net);
    graph_free(&n->graph);
    n->batch = 0;
    n->packed = false;
}

/* Plans with `spare` bytes for speed. */
static struct net_options net_options_of(const struct learner_options *o, int batch, size_t spare)
{
    return (struct net_options){.batch = batch,
                                .spare = spare,
                                .threads = o->threads,
                                .mode = o->frozen_norm ? NET_FROZEN : NET_TRAINING,
                                .plan = o->plan};
}

/* The most images that go through the network at a time. */
static int piece_of(const struct learner_options *o)
{
    return o->part && o->part < o->batch ? o->part : o->batch;
}

/* The most images of a smaller one, behind the last whole piece of a mini-batch; 0: there is none. */
static int rest_of(const struct learner_options *o)
{
    const int piece = piece_of(o), whole = o->batch % piece, last = o->pictures % o->batch % piece;
    return whole > last ? whole : last;
}

static bool in_parts(const struct learner *learner, int images)
{
    return images > piece_of(&learner->options);
}

static int moments(enum optimizer optimizer)
{
    return optimizer == OPTIMIZER_SGD ? 1 : optimizer == OPTIMIZER_ADAM ? 3 : 2;
}

/* Bytes that training takes beside the network's plan. */
static size_t bytes_beside(const struct learner_options *o, const struct model *model)
{
    const size_t flat = model->params.trainable * (size_t)(1 + moments(o->optimizer));
    const size_t parts = piece_of(o) < o->batch ? learner_parts_bytes(o, model) : 0;
    return (2 * model->params.total + flat) * sizeof(float) + parts;
}

/* Bytes within which a plan keeps its values: that of a whole mini-batch. Smaller last ones run once an epoch, and who
 * asks for parts is short of memory. */
static size_t spare_for(const struct learner *learner, int images)
{
    const struct learner_options *o = &learner->options;
    const size_t spare = images == o->batch ? pages_spare() : 0;
    if (!o->memory_limit) return spare;
    const size_t beside = bytes_beside(o, learner->model) + learner->rest_bytes,
                 left = o->memory_limit > beside ? o->memory_limit - beside : 0;
    return spare < left ? spare : left;
}

static enum status plan_net(struct learner *learner, struct learner_net *n, int batch, struct error *err)
{
    if (n->batch == batch) return OK;
    forget_net(n);
    const struct learner_options *o = &learner->options;
    graph_begin(&n->graph, &learner->model->params);
    TRY(yolo11_build(&n->network, &n->graph, learner->model->config, o->size, o->size, err));
    TRY(net_create(&n->net, &n->graph, learner->kernels, net_options_of(o, batch, spare_for(learner, batch)), err));
    n->batch = batch;
    return OK;
}

static enum status planned_bytes(size_t *bytes, const struct model *model, const struct kernels *kernels,
                                 const struct learner_options *o, int images, struct error *err)
{
    struct graph graph;
    struct yolo11 network;
    struct net net = {0};
    *bytes = 0;
    if (!images) return OK;
    graph_begin(&graph, (struct params *)&model->params); /* sealed: nothing new is declared */
    enum status status = yolo11_build(&network, &graph, model->config, o->size, o->size, err);
    if (status == OK) status = net_plan(&net, &graph, kernels, net_options_of(o, images, 0), err);
    *bytes = net.total_bytes;
    net_free(&net);
    graph_free(&graph);
    return status;
}

/* *last: of the network of smaller mini-batches. */
static enum status check_memory(size_t *last, const struct model *model, const struct kernels *kernels,
                                const struct learner_options *o, struct error *err)
{
    const int piece = piece_of(o), rest = rest_of(o);
    const size_t beside = bytes_beside(o, model);
    size_t full;
    *last = 0;
    if (!o->memory_limit) return OK;
    TRY(planned_bytes(&full, model, kernels, o, piece, err));
    TRY(planned_bytes(last, model, kernels, o, rest, err));
    const size_t all = full + *last + beside;
    if (all <= o->memory_limit) return OK;
    char smaller[60] = "";
    if (rest) snprintf(smaller, sizeof smaller, "%.1f for the last %d, ", (double)*last / MIB, rest);
    return fail(err, ERR_SYSTEM,
                "training needs %.1f MiB: %.1f for %d picture%s of %dx%d, %s%.1f for weights, gradient and "
                "moments; the limit is %.1f",
                (double)all / MIB, (double)full / MIB, piece, piece == 1 ? "" : "s", o->size, o->size,
                smaller, (double)beside / MIB, (double)o->memory_limit / MIB);
}

enum status learner_check_memory(const struct model *model, const struct kernels *kernels,
                                 const struct learner_options *options, struct error *err)
{
    size_t last;
    return check_memory(&last, model, kernels, options, err);
}

static enum status make(struct learner *learner, struct error *err)
{
    const struct learner_options *o = &learner->options;
    TRY(check_memory(&learner->rest_bytes, learner->model, learner->kernels, o, err));
    TRY(model_copy(&learner->average, learner->model, err));
    TRY(describe_tensors(learner, err));
    TRY(allocate(learner, err));
    TRY(plan_net(learner, &learner->full, piece_of(o), err));
    if (piece_of(o) < o->batch) TRY(learner_parts_make(learner, err));
    const struct head head = yolo11_head(&learner->full.network, &learner->full.net, false);
    return loss_detect_init(&learner->loss, &learner->arena, learner->kernels, LOSS_GAINS, o->batch,
                            head_anchors(&head), head.classes, o->max_targets, o->threads, err);
}

enum status learner_make(struct learner *learner, struct model *model, const struct kernels *kernels,
                         const struct learner_options *options, struct error *err)
{
    assert(options->optimizer != OPTIMIZER_AUTO && !model->config.folded);
    assert(!options->part || (options->frozen_norm && !(options->part & (options->part - 1))));
    *learner = (struct learner){.options = *options,
                                .kernels = kernels,
                                .model = model,
                                .clock = OPTIM_CLOCK_START,
                                .coordinates = model->params.trainable};
    const enum status status = make(learner, err);
    if (status != OK) learner_free(learner);
    return status;
}

void learner_free(struct learner *learner)
{
    forget_net(&learner->full);
    forget_net(&learner->rest);
    model_free(&learner->average);
    arena_free(&learner->arena);
    *learner = (struct learner){0};
}

enum status learner_plan(struct learner_net **planned, struct learner *learner, int images, struct error *err)
{
    *planned = images == piece_of(&learner->options) ? &learner->full : &learner->rest;
    return plan_net(learner, *planned, images, err);
}

void learner_pack(struct learner_net *n)
{
    if (n->packed)
        net_pack_trained(&n->net);
    else
        net_pack(&n->net);
    n->packed = true;
}

enum status learner_input(struct learner *learner, int images, float **input, struct error *err)
{
    assert(images >= 1 && images <= learner->options.batch);
    struct learner_net *n;
    *input = learner->parts.input;
    if (in_parts(learner, images)) return OK;
    TRY(learner_plan(&n, learner, images, err));
    *input = net_value(&n->net, n->graph.input).data;
    return OK;
}

enum status learner_gradient(struct learner *learner, int images, const struct target *targets, int count,
                             struct loss_items *items, struct error *err)
{
    struct learner_net *n;
    assert(count <= learner->options.max_targets);
    if (in_parts(learner, images))
        return learner_parts_gradient(learner, images, targets, count, LOSS_SCALE, items, err);
    TRY(learner_plan(&n, learner, images, err));
    learner_pack(n);
    net_forward(&n->net);
    const struct head head = yolo11_head(&n->network, &n->net, false);
    const struct head gradient = yolo11_head(&n->network, &n->net, true);
    TRY(loss_detect_run(&learner->loss, items, &gradient, &head, targets, count, LOSS_SCALE, err));
    net_backward(&n->net, learner->gradient);
    return OK;
}

static void apply(struct learner *learner, const struct optim_rates *rates, double momentum)
{
    const struct optim_arrays arrays = {.w = learner->model->params.values,
                                        .m = learner->m,
                                        .v = learner->v,
                                        .u = learner->u,
                                        .g = learner->gradient,
                                        .mask = learner->mask};
    switch (learner->options.optimizer) {
    case OPTIMIZER_SGD:
        optim_sgd(&learner->optim, &arrays, rates, momentum, true);
        break;
    case OPTIMIZER_ADAM:
        optim_adam(&learner->optim, &arrays, &learner->clock, rates->rate[OPTIM_WEIGHT]);
        break;
    default:
        optim_adamw(&learner->optim, &arrays, &learner->clock, rates);
        break;
    }
}

static void average(struct learner *learner)
{
    const struct params *params = &learner->model->params;
    const double decay = schedule_average_decay(++learner->averaged);
    float *values = learner->average.params.values;
    const size_t n = learner->coordinates;
    optim_average(&learner->optim, values, params->values, learner->mask, decay, n);
    optim_average(&learner->optim, values + n, params->values + n, NULL, decay, params->total - n);
}

enum status learner_step(struct learner *learner, const struct optim_rates *rates, double momentum,
                         double *norm, struct error *err)
{
    TRY(optim_prepare(norm, &learner->optim, learner->gradient, LOSS_SCALE, learner->options.clip,
                      learner->sums, err));
    apply(learner, rates, momentum);
    average(learner);
    optim_zero(&learner->optim, learner->gradient, learner->coordinates);
    return OK;
}

enum status learner_set_mask(struct learner *learner, const uint8_t *mask, struct error *err)
{
    if (!mask) {
        learner->mask = NULL;
        return OK;
    }
    uint8_t *copy = learner->mask ? learner->mask : arena_alloc(&learner->arena, learner->coordinates, 1);
    if (!copy) return fail_memory(err, "the update mask", learner->coordinates);
    memcpy(copy, mask, learner->coordinates);
    learner->mask = copy;
    return OK;
}
