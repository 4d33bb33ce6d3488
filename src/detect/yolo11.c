#include "detect/yolo11.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Width in eighths; depth is one or two repeats. */
struct scale {
    const char *name;
    int width_eighths, max_channels;
    bool deep; /* two repeats instead of one */
    bool always_c3k;
};

static const struct scale scales[YOLO11_SCALES] = {
    [YOLO11_PICO] = {"yolo11pico", 1, 1024, false, false},   [YOLO11_N] = {"yolo11n", 2, 1024, false, false},
    [YOLO11_NPLUS] = {"yolo11nplus", 3, 1024, false, false}, [YOLO11_S] = {"yolo11s", 4, 1024, false, false},
    [YOLO11_M] = {"yolo11m", 8, 512, false, true},           [YOLO11_L] = {"yolo11l", 8, 512, true, true},
    [YOLO11_X] = {"yolo11x", 12, 512, true, true},
};

enum { MAX_REPEATS = 2 };

const char *yolo11_name(enum yolo11_scale scale) { return scales[scale].name; }

enum yolo11_scale yolo11_scale_by_name(const char *name)
{
    int i = 0;
    while (i < YOLO11_SCALES && strcmp(scales[i].name, name)) i++;
    return (enum yolo11_scale)i;
}

static int larger(int a, int b) { return a > b ? a : b; }
static int smaller(int a, int b) { return a < b ? a : b; }

static int channels_of(enum yolo11_scale scale, int base)
{
    const struct scale *s = scales + scale;
    return (smaller(base, s->max_channels) * s->width_eighths + 63) / 64 * 8;
}

int yolo11_class_width(enum yolo11_scale scale, int classes)
{
    return larger(channels_of(scale, 256), smaller(classes, 100));
}

/* ---- Blocks. Each declares its parts in the order of the PyTorch class, then wires them. ---- */

struct builder {
    struct graph *graph;
    struct yolo11_config config;
    int layer; /* index in the model, for names */
};

static const char *name_of(char *buffer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(buffer, PARAM_MAX_NAME, format, args);
    va_end(args);
    return buffer;
}

static struct conv_layer conv_part(struct builder *b, const char *prefix, const char *part, int in, int out,
                                   int kernel, int stride, int groups, enum activation activation)
{
    char name[PARAM_MAX_NAME];
    const struct conv_options options = {.kernel = kernel,
                                         .stride = stride,
                                         .padding = kernel / 2,
                                         .groups = groups,
                                         .batch_norm = !b->config.folded,
                                         .eps = YOLO11_NORM_EPS,
                                         .activation = activation};
    name_of(name, b->config.folded ? "%s%s.conv" : "%s%s", prefix, part);
    return graph_conv_layer(b->graph, name, in, out, options);
}

static struct conv_layer conv(struct builder *b, const char *prefix, const char *part, int in, int out,
                              int kernel)
{
    return conv_part(b, prefix, part, in, out, kernel, 1, 1, ACT_SILU);
}

struct bottleneck {
    struct conv_layer cv1, cv2;
};

static struct bottleneck bottleneck(struct builder *b, const char *prefix, int channels, int hidden)
{
    struct bottleneck m;
    m.cv1 = conv(b, prefix, ".cv1", channels, hidden, 3);
    m.cv2 = conv(b, prefix, ".cv2", hidden, channels, 3);
    return m;
}

static int bottleneck_apply(struct builder *b, const struct bottleneck *m, int x)
{
    return graph_add(b->graph, x, graph_conv(b->graph, &m->cv2, graph_conv(b->graph, &m->cv1, x)));
}

/* C3k: two bottlenecks on one branch, concatenated with the other. */
struct c3k {
    struct conv_layer cv1, cv2, cv3;
    struct bottleneck m[2];
};

static struct c3k c3k(struct builder *b, const char *prefix, int channels)
{
    const int hidden = channels / 2;
    char name[PARAM_MAX_NAME];
    struct c3k block;
    block.cv1 = conv(b, prefix, ".cv1", channels, hidden, 1);
    block.cv2 = conv(b, prefix, ".cv2", channels, hidden, 1);
    block.cv3 = conv(b, prefix, ".cv3", 2 * hidden, channels, 1);
    for (int i = 0; i < 2; i++)
        block.m[i] = bottleneck(b, name_of(name, "%s.m.%d", prefix, i), hidden, hidden);
    return block;
}

static int c3k_apply(struct builder *b, const struct c3k *block, int x)
{
    int y = graph_conv(b->graph, &block->cv1, x);
    for (int i = 0; i < 2; i++) y = bottleneck_apply(b, block->m + i, y);
    const int parts[2] = {y, graph_conv(b->graph, &block->cv2, x)};
    return graph_conv(b->graph, &block->cv3, graph_concat(b->graph, 2, parts));
}

/* C3k2: a 1x1 convolution split in two halves; the second runs through the repeats, and all are concatenated.
 */
static int c3k2(struct builder *b, int x, int out, int eighths, bool with_c3k)
{
    struct graph *g = b->graph;
    const struct scale *scale = scales + b->config.scale;
    const int in = g->tensors ? g->tensors[x].channels : 0, c = out * eighths / 8,
              repeats = scale->deep ? 2 : 1;
    char prefix[PARAM_MAX_NAME], name[PARAM_MAX_NAME];
    name_of(prefix, "model.%d", b->layer);
    const struct conv_layer cv1 = conv(b, prefix, ".cv1", in, 2 * c, 1);
    const struct conv_layer cv2 = conv(b, prefix, ".cv2", (2 + repeats) * c, out, 1);
    const int both = graph_conv(g, &cv1, x);
    int parts[1 + MAX_REPEATS] = {both};
    int y = graph_slice(g, both, c, c);
    for (int i = 0; i < repeats; i++) {
        name_of(name, "%s.m.%d", prefix, i);
        if (with_c3k || scale->always_c3k) {
            const struct c3k m = c3k(b, name, c);
            y = c3k_apply(b, &m, y);
        } else {
            const struct bottleneck m = bottleneck(b, name, c, c / 2);
            y = bottleneck_apply(b, &m, y);
        }
        parts[1 + i] = y;
    }
    return graph_conv(g, &cv2, graph_concat(g, 1 + repeats, parts));
}

static int sppf(struct builder *b, int x, int in, int out)
{
    struct graph *g = b->graph;
    const int hidden = in / 2;
    char prefix[PARAM_MAX_NAME];
    name_of(prefix, "model.%d", b->layer);
    const struct conv_layer cv1 = conv(b, prefix, ".cv1", in, hidden, 1);
    const struct conv_layer cv2 = conv(b, prefix, ".cv2", 4 * hidden, out, 1);
    int parts[4] = {graph_conv(g, &cv1, x)};
    for (int i = 1; i < 4; i++) parts[i] = graph_max_pool(g, parts[i - 1], (struct pool_options){5, 1, 2});
    return graph_conv(g, &cv2, graph_concat(g, 4, parts));
}

/* One position-sensitive attention block: attention and a two-layer network, each with its shortcut. Channels
 * of qkv are, head by head, 32 of q, 32 of k and 64 of v; a depthwise convolution of v carries the position.
 */
static int psa_block(struct builder *b, const char *prefix, int x, int c)
{
    enum { KEY_DIM = 32 };
    const float key_scale = 0.17677669529663687f; /* 1 / sqrt(KEY_DIM) */
    struct graph *g = b->graph;
    const int heads = larger(c / 64, 1), head_dim = c / heads, step = 2 * KEY_DIM + head_dim;
    const struct conv_layer qkv = conv_part(b, prefix, ".attn.qkv", c, heads * step, 1, 1, 1, ACT_NONE);
    const struct conv_layer proj = conv_part(b, prefix, ".attn.proj", c, c, 1, 1, 1, ACT_NONE);
    const struct conv_layer pe = conv_part(b, prefix, ".attn.pe", c, c, 3, 1, c, ACT_NONE);
    const struct conv_layer ffn0 = conv(b, prefix, ".ffn.0", c, 2 * c, 1);
    const struct conv_layer ffn1 = conv_part(b, prefix, ".ffn.1", 2 * c, c, 1, 1, 1, ACT_NONE);
    const int all = graph_conv(g, &qkv, x);
    const int v = graph_gather(g, all, (struct gather_options){2 * KEY_DIM, step, head_dim, heads});
    const int position = graph_conv(g, &pe, v);
    const int attended = graph_attention(g, all,
                                         (struct attention_options){.heads = heads,
                                                                    .key_dim = KEY_DIM,
                                                                    .value_dim = head_dim,
                                                                    .query_start = 0,
                                                                    .key_start = KEY_DIM,
                                                                    .value_start = 2 * KEY_DIM,
                                                                    .step = step,
                                                                    .scale = key_scale});
    x = graph_add(g, x, graph_conv(g, &proj, graph_add(g, attended, position)));
    return graph_add(g, x, graph_conv(g, &ffn1, graph_conv(g, &ffn0, x)));
}

static int c2psa(struct builder *b, int x, int channels)
{
    struct graph *g = b->graph;
    const int c = channels / 2, repeats = scales[b->config.scale].deep ? 2 : 1;
    char prefix[PARAM_MAX_NAME], name[PARAM_MAX_NAME];
    name_of(prefix, "model.%d", b->layer);
    const struct conv_layer cv1 = conv(b, prefix, ".cv1", channels, 2 * c, 1);
    const struct conv_layer cv2 = conv(b, prefix, ".cv2", 2 * c, channels, 1);
    const int both = graph_conv(g, &cv1, x);
    int y = graph_slice(g, both, c, c);
    for (int i = 0; i < repeats; i++) y = psa_block(b, name_of(name, "%s.m.%d", prefix, i), y, c);
    const int parts[2] = {graph_slice(g, both, 0, c), y};
    return graph_conv(g, &cv2, graph_concat(g, 2, parts));
}

/* The plain 1x1 convolution, with bias, that ends a branch. */
static struct conv_layer last_layer(struct builder *b, const char *prefix, int in, int out)
{
    return graph_conv_layer(b->graph, prefix, in, out, (struct conv_options){.kernel = 1});
}

static void detect(struct builder *b, struct yolo11 *model, const int *inputs, const int *channels)
{
    struct graph *g = b->graph;
    const int wb = larger(larger(16, channels[0] / 4), HEAD_BOX_LOGITS), wc = b->config.class_width;
    struct conv_layer box[HEAD_LEVELS][3], score[HEAD_LEVELS][5];
    char prefix[PARAM_MAX_NAME], name[PARAM_MAX_NAME];
    for (int i = 0; i < HEAD_LEVELS; i++) {
        name_of(prefix, "model.%d.cv2.%d", b->layer, i);
        box[i][0] = conv(b, prefix, ".0", channels[i], wb, 3);
        box[i][1] = conv(b, prefix, ".1", wb, wb, 3);
        box[i][2] = last_layer(b, name_of(name, "%s.2", prefix), wb, HEAD_BOX_LOGITS);
    }
    for (int i = 0; i < HEAD_LEVELS; i++) {
        name_of(prefix, "model.%d.cv3.%d", b->layer, i);
        score[i][0] = conv_part(b, prefix, ".0.0", channels[i], channels[i], 3, 1, channels[i], ACT_SILU);
        score[i][1] = conv(b, prefix, ".0.1", channels[i], wc, 1);
        score[i][2] = conv_part(b, prefix, ".1.0", wc, wc, 3, 1, wc, ACT_SILU);
        score[i][3] = conv(b, prefix, ".1.1", wc, wc, 1);
        score[i][4] = last_layer(b, name_of(name, "%s.2", prefix), wc, b->config.classes);
    }
    for (int i = 0; i < HEAD_LEVELS; i++) {
        int x = inputs[i], y = inputs[i];
        for (int j = 0; j < 3; j++) x = graph_conv(g, &box[i][j], x);
        for (int j = 0; j < 5; j++) y = graph_conv(g, &score[i][j], y);
        model->boxes[i] = x;
        model->scores[i] = y;
        graph_output(g, x);
        graph_output(g, y);
    }
}

/* ---- The network ---- */

/* Rows of the architecture table: what a layer reads, what it is, and its base width. */
enum block { CONV_S2, C3K2, SPPF, C2PSA, UPSAMPLE, CONCAT };
static const struct row {
    enum block block;
    int base;
    int eighths; /* hidden width of C3k2 */
    bool c3k;
    int skip; /* second input of a concatenation */
} table[23] = {
    {CONV_S2, 64, 0, 0, 0},  {CONV_S2, 128, 0, 0, 0}, {C3K2, 256, 2, 0, 0},   {CONV_S2, 256, 0, 0, 0},
    {C3K2, 512, 2, 0, 0},    {CONV_S2, 512, 0, 0, 0}, {C3K2, 512, 4, 1, 0},   {CONV_S2, 1024, 0, 0, 0},
    {C3K2, 1024, 4, 1, 0},   {SPPF, 1024, 0, 0, 0},   {C2PSA, 1024, 0, 0, 0}, {UPSAMPLE, 0, 0, 0, 0},
    {CONCAT, 0, 0, 0, 6},    {C3K2, 512, 4, 0, 0},    {UPSAMPLE, 0, 0, 0, 0}, {CONCAT, 0, 0, 0, 4},
    {C3K2, 256, 4, 0, 0},    {CONV_S2, 256, 0, 0, 0}, {CONCAT, 0, 0, 0, 13},  {C3K2, 512, 4, 0, 0},
    {CONV_S2, 512, 0, 0, 0}, {CONCAT, 0, 0, 0, 10},   {C3K2, 1024, 4, 1, 0},
};
enum { LAYERS = sizeof table / sizeof *table, BACKBONE_LAYERS = 11 };

static int channels_in(const struct graph *g, int x) { return g->out_of_memory ? 0 : g->tensors[x].channels; }

/* Of tensors declared from here on. A sealed set declares none, and other threads may be reading it. */
static void freeze(struct graph *g, bool frozen)
{
    if (!g->params->sealed) g->params->freezing = frozen;
}

static void layers(struct builder *b, struct yolo11 *model, int count, int height, int width)
{
    struct graph *g = b->graph;
    int x = graph_input(g, height, width, 3, false);
    char prefix[PARAM_MAX_NAME];
    for (b->layer = 0; b->layer < count && !g->out_of_memory; b->layer++) {
        const struct row *row = table + b->layer;
        const int out = channels_of(b->config.scale, row->base);
        freeze(g, b->layer < b->config.freeze);
        switch (row->block) {
        case CONV_S2: {
            name_of(prefix, "model.%d", b->layer);
            const struct conv_layer layer =
                conv_part(b, prefix, "", channels_in(g, x), out, 3, 2, 1, ACT_SILU);
            x = graph_conv(g, &layer, x);
            break;
        }
        case C3K2:
            x = c3k2(b, x, out, row->eighths, row->c3k);
            break;
        case SPPF:
            x = sppf(b, x, channels_in(g, x), out);
            break;
        case C2PSA:
            x = c2psa(b, x, out);
            break;
        case UPSAMPLE:
            x = graph_upsample(g, x);
            break;
        case CONCAT:
            x = graph_concat(g, 2, (const int[2]){x, model->layer[row->skip]});
            break;
        }
        model->layer[b->layer] = x;
    }
    freeze(g, false);
}

static void complete(struct yolo11_config *config)
{
    assert(config->classes >= 1);
    if (!config->class_width) config->class_width = yolo11_class_width(config->scale, config->classes);
}

enum status yolo11_build(struct yolo11 *model, struct graph *graph, struct yolo11_config config, int height,
                         int width, struct error *err)
{
    assert(height > 0 && width > 0 && height % 32 == 0 && width % 32 == 0);
    complete(&config);
    *model = (struct yolo11){.config = config};
    struct builder b = {graph, config, 0};
    layers(&b, model, LAYERS, height, width);
    model->features = model->layer[BACKBONE_LAYERS - 1];
    if (!graph->out_of_memory) {
        const int inputs[HEAD_LEVELS] = {model->layer[16], model->layer[19], model->layer[22]};
        const int channels[HEAD_LEVELS] = {channels_in(graph, inputs[0]), channels_in(graph, inputs[1]),
                                           channels_in(graph, inputs[2])};
        detect(&b, model, inputs, channels);
    }
    return graph_finish(graph, err);
}

enum status yolo11_build_backbone(struct yolo11 *model, struct graph *graph, struct yolo11_config config,
                                  int height, int width, struct error *err)
{
    complete(&config);
    *model = (struct yolo11){.config = config};
    struct builder b = {graph, config, 0};
    layers(&b, model, BACKBONE_LAYERS, height, width);
    model->features = graph_mean(graph, model->layer[BACKBONE_LAYERS - 1]);
    graph_output(graph, model->features);
    return graph_finish(graph, err);
}

enum status yolo11_identify(struct yolo11_config *config, const struct weights *weights, struct error *err)
{
    *config = (struct yolo11_config){0};
    const struct weight_tensor *stem = weights_find(weights, "model.0.conv.weight");
    const struct weight_tensor *last = weights_find(weights, "model.23.cv3.0.2.weight");
    const struct weight_tensor *wide = weights_find(weights, "model.9.cv2.conv.weight");
    if (!stem || !last || !wide || stem->dims != 4 || last->dims != 4 || wide->dims != 4)
        return fail(err, ERR_INPUT,
                    "%s: not a YOLO11 detector: expected tensors model.0.conv.weight, "
                    "model.9.cv2.conv.weight and model.23.cv3.0.2.weight of 4 dimensions",
                    weights->path);
    const bool deep = weights_find(weights, "model.2.m.1.cv1.conv.weight") != NULL;
    enum yolo11_scale scale = YOLO11_PICO;
    while (scale < YOLO11_SCALES && (channels_of(scale, 64) != stem->shape[0] || scales[scale].deep != deep ||
                                     channels_of(scale, 1024) != wide->shape[0]))
        scale++;
    if (scale == YOLO11_SCALES)
        return fail(err, ERR_INPUT, "%s: no scale of YOLO11 has %lld and %lld channels in layers 0 and 9",
                    weights->path, (long long)stem->shape[0], (long long)wide->shape[0]);
    if (last->shape[0] < 1 || last->shape[0] > 10000 || last->shape[1] < 1 || last->shape[1] > 10000)
        return fail(err, ERR_INPUT, "%s: model.23.cv3.0.2.weight: %lld classes of %lld channels",
                    weights->path, (long long)last->shape[0], (long long)last->shape[1]);
    config->scale = scale;
    config->classes = (int)last->shape[0];
    config->class_width = (int)last->shape[1];
    config->folded = !weights_find(weights, "model.0.bn.weight");
    return OK;
}

struct head yolo11_head(const struct yolo11 *model, const struct net *net, bool gradients)
{
    struct head head = {.images = net->options.batch, .classes = model->config.classes};
    for (int i = 0; i < HEAD_LEVELS; i++) {
        const struct view boxes = (gradients ? net_gradient : net_value)(net, model->boxes[i]);
        const struct view scores = (gradients ? net_gradient : net_value)(net, model->scores[i]);
        head.level[i] = (struct head_level){.height = boxes.height,
                                            .width = boxes.width,
                                            .stride = 8 << i,
                                            .boxes = boxes.data,
                                            .box_stride = boxes.stride,
                                            .scores = scores.data,
                                            .score_stride = scores.stride};
    }
    return head;
}
