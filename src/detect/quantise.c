#include "detect/quantise.h"

#include "detect/quantise_range.h"
#include "detect/quantise_run.h"

#include <math.h>
#include <string.h>

/* ---- Ranges ---- */

struct calibration {
    struct model *model; /* folded */
    const struct quantise_options *options;
    struct quantise_runner runner;
    struct arena arena;
    struct range *ranges; /* per node */
    bool counting;
};

/* Right behind each node: later ones may use its memory again. */
static void observe(void *context, enum net_pass pass, int index)
{
    struct calibration *c = context;
    const struct node *node = c->runner.graph.nodes + index;
    if (pass != NET_FORWARD || index < 0 || quant_moves(node)) return;
    const struct view view = net_value(&c->runner.net, node->output);
    (c->counting ? range_count : range_extremes)(c->ranges + index, &view);
}

static enum status see_pictures(struct calibration *c, const struct quantise_pictures *pictures,
                                const struct progress *progress, struct error *err)
{
    const int passes = c->options->method == QUANTISE_MIN_MAX ? 1 : 2;
    static const struct quant none;
    const struct net_watch watch = {observe, c};
    TRY(quantise_plan(&c->runner, c->model, &none, pictures->canvas[0].height, pictures->canvas[0].width,
                      err));
    const size_t nodes = (size_t)c->runner.graph.node_count;
    c->ranges = arena_alloc(&c->arena, nodes, sizeof *c->ranges);
    if (!c->ranges) return fail_memory(err, "histograms", nodes * sizeof *c->ranges);
    for (size_t i = 0; i < nodes; i++) c->ranges[i].low = INFINITY, c->ranges[i].high = -INFINITY;
    for (int pass = 0; pass < passes; pass++) {
        c->counting = pass == 1;
        for (int i = 0; i < pictures->count; i++) {
            TRY(quantise_run(&c->runner, c->model, &none, pictures->canvas + i, &watch, err));
            if (!progress_report(progress, "calibrate", (int64_t)pass * pictures->count + i + 1,
                                 (int64_t)passes * pictures->count, ""))
                return fail(err, ERR_INTERRUPTED, "interrupted");
        }
    }
    return OK;
}

/* ---- Layers ---- */

enum { FROM_INPUT = -1 };

/* writer[s][c]: the node that computed channel c of storage s. */
static int **find_writers(struct calibration *c)
{
    const struct graph *g = &c->runner.graph;
    int **writer = arena_alloc(&c->arena, (size_t)g->storage_count, sizeof *writer);
    for (int s = 0; writer && s < g->storage_count; s++) {
        writer[s] = arena_alloc(&c->arena, (size_t)g->storages[s].channels, sizeof **writer);
        if (!writer[s]) return NULL;
        for (int k = 0; k < g->storages[s].channels; k++) writer[s][k] = FROM_INPUT;
    }
    for (int i = 0; writer && i < g->node_count; i++) {
        const struct node *node = g->nodes + i;
        const struct tensor *in = g->tensors + node->input[0], *out = g->tensors + node->output;
        for (int k = 0; k < out->channels; k++)
            writer[out->storage][out->channel + k] =
                quant_moves(node) ? writer[in->storage][in->channel + k] : i;
    }
    return writer;
}

static bool begins_with_layer(const char *name, const char *beginning)
{
    const size_t n = strlen(beginning);
    return !strncmp(name, beginning, n) && (!name[n] || name[n] == '.');
}

static bool kept(const struct quantise_options *o, const struct node *node)
{
    const char *dot = strrchr(node->name, '.');
    if (node->as.conv.groups > 1 && dot && strstr(node->name, ".attn.pe")) return true;
    for (int i = 0; i < o->keep_count; i++)
        if (begins_with_layer(node->name, o->keep[i])) return true;
    return false;
}

/* One scale an output channel: its largest weight, times the scale of what it multiplies, becomes 127. */
static void scale_weights(struct quant_layer *layer, const struct param *param, const float *weight)
{
    const int64_t group = param->shape[1], taps = param->shape[2] * param->shape[3];
    for (int o = 0; o < layer->out; o++) {
        double largest = 0;
        for (int64_t i = 0; i < group; i++)
            for (int64_t t = 0; t < taps; t++) {
                const double scale = layer->input_scale[group == layer->in ? i : o];
                largest = fmax(largest, fabs((double)*weight++) * scale);
            }
        const double scale = largest / 127;
        layer->weight_scale[o] = scale < 0x1p-40 ? 0x1p-40f : scale > 0x1p40 ? 0x1p40f : (float)scale;
    }
}

/* Channels that one node wrote share its range. */
static void scale_inputs(struct quant_layer *layer, const struct calibration *c, const int *writer)
{
    for (int k = 0; k < layer->in; k++) {
        float *scale = layer->input_scale + k;
        uint8_t *zero = layer->input_zero + k;
        if (writer[k] == FROM_INPUT) {
            *scale = 1.f / 255;
        } else if (k && writer[k] == writer[k - 1]) {
            *scale = scale[-1];
            *zero = zero[-1];
        } else {
            range_choose(c->ranges + writer[k], c->options, scale, zero);
        }
    }
}

static enum status add_layers(struct calibration *c, struct error *err)
{
    const struct graph *g = &c->runner.graph;
    int **writer = find_writers(c);
    if (!writer) return fail_memory(err, "the layers", c->arena.used);
    for (int i = 0; i < g->node_count; i++) {
        const struct node *node = g->nodes + i;
        if (node->op != OP_CONV || kept(c->options, node)) continue;
        const struct tensor *in = g->tensors + node->input[0], *out = g->tensors + node->output;
        struct quant_layer *layer = quant_add(&c->model->quant, node->name, in->channels, out->channels);
        if (!layer) return fail_memory(err, "the layers", c->arena.used);
        scale_inputs(layer, c, writer[in->storage] + in->channel);
        const int weight = node->param[CONV_WEIGHT];
        scale_weights(layer, c->model->params.list + weight, params_values(&c->model->params, weight));
    }
    return OK;
}

static enum status check_keep(const struct calibration *c, struct error *err)
{
    const struct graph *g = &c->runner.graph;
    for (int k = 0; k < c->options->keep_count; k++) {
        bool found = false;
        for (int i = 0; i < g->node_count && !found; i++)
            found = g->nodes[i].op == OP_CONV && begins_with_layer(g->nodes[i].name, c->options->keep[k]);
        if (!found)
            return fail(err, ERR_USAGE, "no convolution is called %.200s or below it", c->options->keep[k]);
    }
    return OK;
}

static enum status calibrate(struct calibration *c, const struct quantise_pictures *pictures,
                             const struct progress *progress, struct error *err)
{
    TRY(see_pictures(c, pictures, progress, err));
    TRY(check_keep(c, err));
    TRY(add_layers(c, err));
    return c->model->quant.count ? OK : fail(err, ERR_USAGE, "no convolution is left to quantise");
}

enum status quantise_model(struct model *quantised, const struct model *model, const struct kernels *kernels,
                           const struct quantise_pictures *pictures, const struct quantise_options *options,
                           const struct progress *progress, struct error *err)
{
    *quantised = (struct model){0};
    if (model->quant.count) return fail(err, ERR_INPUT, "the model is quantised already");
    TRY(model_fold(quantised, model, err));
    struct calibration c = {
        .model = quantised,
        .options = options,
        .runner = {.kernels = kernels, .threads = options->threads, .plan = options->plan}};
    const enum status status = calibrate(&c, pictures, progress, err);
    quantise_end(&c.runner);
    arena_free(&c.arena);
    if (status != OK) model_free(quantised);
    return status;
}
