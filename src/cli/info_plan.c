#include "cli/info_plan.h"

#include "detect/model.h"
#include "nn/cost.h"
#include "nn/op.h"
#include "select/embed.h"

struct plan {
    const char *path;
    const struct info_plan_options *options;
    struct net net;
    size_t outputs, kept, gradients; /* bytes, were nothing shared */
    size_t learner;                  /* bytes that a training holds besides */
};

struct place {
    size_t offset, bytes;
};

static struct place output_of(const struct net *net, const struct node *node)
{
    const struct tensor *t = net->graph->tensors + node->output;
    const size_t values =
        (size_t)net->options.batch * (size_t)t->height * (size_t)t->width * (size_t)t->channels;
    const size_t size = net_is_bytes(net, node->output) ? 1 : sizeof(float);
    return (struct place){net->value_offset[t->storage] * sizeof(float) + (size_t)t->channel * size,
                          values * size};
}

static size_t size_by(size_t (*size)(const struct net *, const struct node *), const struct net *net,
                      const struct node *node)
{
    return size ? size(net, node) * sizeof(float) : 0;
}

static size_t kept_of(const struct net *net, const struct node *node)
{
    if (!op_training(net)) return 0;
    return size_by(net_op(node)->saved, net, node) +
           (op_dropped(net, node) ? 0 : size_by(net_op(node)->middle, net, node));
}

static void add_up(struct plan *p)
{
    const struct net *net = &p->net;
    const struct graph *graph = net->graph;
    for (int i = 0; i < graph->node_count; i++) {
        p->outputs += output_of(net, graph->nodes + i).bytes;
        p->kept += kept_of(net, graph->nodes + i);
        if (op_training(net) && graph->tensors[graph->nodes[i].output].needs_gradient)
            p->gradients += output_of(net, graph->nodes + i).bytes;
    }
}

static const char *purpose(const struct plan *p)
{
    return !p->options->train ? "inference" : p->options->frozen_norm ? "training, frozen norms" : "training";
}

static void put_table(struct text *out, const struct plan *p)
{
    const struct net *net = &p->net;
    const struct graph *graph = net->graph;
    const struct tensor *input = graph->tensors + graph->input;
    text_format(out, "%s: %s, plan %s, %d x %dx%dx%d, kernels %s\n", p->path, purpose(p),
                net_plan_name(net->options.plan), net->options.batch, input->height, input->width,
                input->channels, net->kernels->name);
    text_format(out, "%-4s %-26s %-36s %-9s %11s %11s %11s %11s\n", "node", "layer", "operation", "algorithm",
                "output", "at", "kept", "packed");
    for (int i = 0; i < graph->node_count; i++) {
        const struct node *node = graph->nodes + i;
        const struct place place = output_of(net, node);
        char operation[64];
        cost_describe(operation, sizeof operation, graph, node);
        text_format(out, "%-4d %-26s %-36s %-9s %11zu %11zu %11zu %11zu\n", i, node->name, operation,
                    cost_algorithm(net, node), place.bytes, place.offset, kept_of(net, node),
                    size_by(net_op(node)->packed, net, node));
    }
    text_format(out, "steady memory %zu bytes, of them packed weights %zu, scratch of %d thread%s %zu\n",
                net->total_bytes, net->packed_bytes, net->options.threads, text_plural(net->options.threads),
                (size_t)net->options.threads * net->worker_floats * sizeof(float));
    text_format(out, "without sharing: outputs %zu bytes", p->outputs);
    if (p->options->train) text_format(out, ", kept for backward %zu, gradients %zu", p->kept, p->gradients);
    text_add(out, "\n");
    if (p->options->train)
        text_format(out, "beside it: weights, average, gradient and two moments, %zu bytes\n", p->learner);
}

static void put_json(struct json_writer *out, const struct plan *p)
{
    const struct net *net = &p->net;
    const struct graph *graph = net->graph;
    const struct tensor *input = graph->tensors + graph->input;
    json_open(out, NULL, '{');
    json_put_text(out, "file", p->path);
    json_put_text(out, "mode", purpose(p));
    json_put_text(out, "kernels", net->kernels->name);
    json_put_text(out, "plan", net_plan_name(net->options.plan));
    json_put_int(out, "batch", net->options.batch);
    json_put_int(out, "height", input->height);
    json_put_int(out, "width", input->width);
    json_put_int(out, "bytes", (int64_t)net->total_bytes);
    json_put_int(out, "packed_bytes", (int64_t)net->packed_bytes);
    json_put_int(out, "scratch_bytes",
                 (int64_t)((size_t)net->options.threads * net->worker_floats * sizeof(float)));
    json_put_int(out, "output_bytes", (int64_t)p->outputs);
    if (p->options->train) {
        json_put_int(out, "kept_bytes", (int64_t)p->kept);
        json_put_int(out, "gradient_bytes", (int64_t)p->gradients);
        json_put_int(out, "learner_bytes", (int64_t)p->learner);
    }
    json_open(out, "nodes", '[');
    for (int i = 0; i < graph->node_count; i++) {
        const struct node *node = graph->nodes + i;
        const struct place place = output_of(net, node);
        char operation[64];
        cost_describe(operation, sizeof operation, graph, node);
        json_open(out, NULL, '{');
        json_put_text(out, "layer", node->name);
        json_put_text(out, "operation", operation);
        if (*cost_algorithm(net, node)) json_put_text(out, "algorithm", cost_algorithm(net, node));
        json_put_int(out, "output_bytes", (int64_t)place.bytes);
        json_put_int(out, "offset", (int64_t)place.offset);
        json_put_int(out, "kept_bytes", (int64_t)kept_of(net, node));
        json_put_int(out, "packed_bytes", (int64_t)size_by(net_op(node)->packed, net, node));
        json_close(out);
    }
    json_close(out);
    json_close(out);
}

static enum status show(struct plan *p, struct graph *graph, struct console *console, bool json,
                        struct error *err)
{
    const struct info_plan_options *o = p->options;
    const struct kernels *kernels;
    TRY(kernels_get(&kernels, NULL, err));
    const struct net_options options = {.batch = o->batch,
                                        .threads = o->threads,
                                        .mode = !o->train        ? NET_INFERENCE
                                                : o->frozen_norm ? NET_FROZEN
                                                                 : NET_TRAINING,
                                        .plan = o->plan};
    TRY(net_plan(&p->net, graph, kernels, options, err));
    p->learner = (2 * graph->params->total + 3 * graph->params->trainable) * sizeof(float);
    add_up(p);
    enum status status;
    if (json) {
        struct json_buffer object;
        status = json_buffer_begin(&object, false, err);
        if (status == OK) {
            put_json(&object.out, p);
            status = console_print_json(console, &object, err);
        }
    } else {
        struct text out = {0};
        put_table(&out, p);
        status = console_print_buffer(console, &out, err);
    }
    net_free(&p->net);
    return status;
}

static enum status show_transformer(struct plan *p, struct console *console, bool json, struct error *err)
{
    struct embedder embedder;
    if (p->options->train)
        return fail(err, ERR_INPUT, "%s: a vision transformer; training is for detectors", p->path);
    TRY(embedder_open(&embedder, p->path, NULL, p->options->threads, err));
    const enum status status = show(p, &embedder.graph, console, json, err);
    embedder_close(&embedder);
    return status;
}

static enum status show_detector(struct plan *p, struct console *console, bool json, struct error *err)
{
    struct model model;
    struct graph graph;
    struct yolo11 network;
    const int size = p->options->size;
    TRY(model_open(&model, p->path, err));
    enum status status = p->options->train ? model_check_trainable(&model, p->path, err) : OK;
    graph_begin(&graph, &model.params); /* so that it can be freed */
    if (status == OK) status = model_network(&network, &graph, &model, size, size, err);
    if (status == OK) status = show(p, &graph, console, json, err);
    graph_free(&graph);
    model_free(&model);
    return status;
}

enum status info_plan_show(const char *path, const struct info_plan_options *options, struct console *console,
                           bool json, struct error *err)
{
    struct plan plan = {.path = path, .options = options};
    struct weights weights;
    TRY(weights_open(&weights, path, err));
    const bool transformer = weights_find(&weights, "cls_token") != NULL;
    weights_close(&weights);
    return transformer ? show_transformer(&plan, console, json, err)
                       : show_detector(&plan, console, json, err);
}
