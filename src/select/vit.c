#include "select/vit.h"

#include "base/flush.h"
#include "base/rng.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const float eps = 1e-6f; /* of every norm */

/* "blocks.I.rest" */
struct name {
    char text[PARAM_MAX_NAME];
};
static struct name in_block(int block, const char *rest)
{
    struct name name;
    snprintf(name.text, sizeof name.text, "blocks.%d.%s", block, rest);
    return name;
}

static int linear(struct graph *graph, int block, const char *rest, int x, int in, int out,
                  enum activation activation)
{
    const struct conv_layer layer =
        graph_conv_layer(graph, in_block(block, rest).text, in, out,
                         (struct conv_options){.kernel = 1, .linear = true, .activation = activation});
    return graph_conv(graph, &layer, x);
}

/* x + gamma1 * attention(norm1(x)), then the same with the perceptron. */
static int add_block(struct graph *graph, const struct vit_config *c, int i, int x)
{
    const int dim = c->dim, head = dim / c->heads;
    int f = graph_layer_norm(graph, in_block(i, "norm1").text, x, eps);
    f = linear(graph, i, "attn.qkv", f, dim, 3 * dim, ACT_NONE);
    f = graph_attention(graph, f,
                        (struct attention_options){.heads = c->heads,
                                                   .key_dim = head,
                                                   .value_dim = head,
                                                   .query_start = 0,
                                                   .key_start = dim,
                                                   .value_start = 2 * dim,
                                                   .step = head,
                                                   .scale = (float)(1.0 / sqrt((double)head))});
    f = linear(graph, i, "attn.proj", f, dim, dim, ACT_NONE);
    x = graph_scale_add(graph, in_block(i, "ls1.gamma").text, x, f);
    f = graph_layer_norm(graph, in_block(i, "norm2").text, x, eps);
    f = linear(graph, i, "mlp.fc1", f, dim, c->mlp, ACT_GELU);
    f = linear(graph, i, "mlp.fc2", f, c->mlp, dim, ACT_NONE);
    return graph_scale_add(graph, in_block(i, "ls2.gamma").text, x, f);
}

enum status vit_build(struct vit *model, struct graph *graph, struct vit_config config, int height, int width,
                      bool input_gradient, struct error *err)
{
    assert(height % VIT_PATCH == 0 && width % VIT_PATCH == 0 && config.depth <= VIT_MAX_DEPTH);
    assert(config.dim % config.heads == 0);
    *model = (struct vit){.config = config};
    int x = graph_input(graph, height, width, 3, input_gradient);
    const struct token_layer tokens = graph_token_layer(
        graph, config.dim, (struct token_options){config.registers, config.grid, config.antialias});
    const struct conv_layer patches =
        graph_conv_layer(graph, "patch_embed.proj", 3, config.dim,
                         (struct conv_options){.kernel = VIT_PATCH, .stride = VIT_PATCH});
    x = model->tokens = graph_tokens(graph, &tokens, graph_conv(graph, &patches, x));
    for (int i = 0; i < config.depth; i++) x = model->block[i] = add_block(graph, &config, i, x);
    model->norm = graph_layer_norm(graph, "norm", x, eps);
    graph_output(graph, model->norm);
    return graph_finish(graph, err);
}

void vit_fresh(struct params *params, uint64_t seed)
{
    for (int i = 0; i < params->count; i++) {
        const struct param *param = params->list + i;
        const uint64_t key = rng_step(rng_key(seed, "init"), rng_fnv1a(param->name));
        const double out = (double)param->shape[0], in = (double)param->size / out;
        const double limit = param->dims == 3 ? 0.02 * sqrt(3.0) : sqrt(6.0 / (in + out));
        const float constant = strstr(param->name, "bias") ? 0.f : 1.f;
        float *values = params_values(params, i);
        for (size_t k = 0; k < param->size; k++) {
            const float value = (float)(limit * (2 * rng_real(key, k) - 1));
            values[k] = param->dims == 1 ? constant : flush_float(value);
        }
    }
}

/* ---- Recognising a file ---- */

/* Limits of what is accepted from a file, far above any published model. */
enum { MAX_SIZE = 16384, MAX_DIM = 4096, MAX_REGISTERS = 64 };

/* Dimension i of a tensor with `dims` dimensions, or 0 where there is no such tensor or it is out of range.
 */
static int size_of(const struct weights *weights, const char *name, int dims, int i)
{
    const struct weight_tensor *t = weights_find(weights, name);
    return t && t->dims == dims && t->shape[i] >= 1 && t->shape[i] <= MAX_SIZE ? (int)t->shape[i] : 0;
}

enum status vit_identify(struct vit_config *config, const struct weights *weights, struct error *err)
{
    const int dim = size_of(weights, "cls_token", 3, 2), table = size_of(weights, "pos_embed", 3, 1);
    struct vit_config c = {.dim = dim,
                           .mlp = size_of(weights, "blocks.0.mlp.fc1.weight", 2, 0),
                           .registers = size_of(weights, "register_tokens", 3, 1)};
    c.antialias = c.registers > 0;
    while (c.grid * c.grid + 1 < table) c.grid++;
    while (c.depth <= VIT_MAX_DEPTH && weights_find(weights, in_block(c.depth, "norm1.weight").text))
        c.depth++;
    c.heads = dim % 64 == 0 ? dim / 64 : dim / 32;
    const int patch = size_of(weights, "patch_embed.proj.weight", 4, 2);
    if (!dim || dim > MAX_DIM || dim % 32 || c.registers > MAX_REGISTERS || !c.mlp || !c.grid ||
        c.grid * c.grid + 1 != table || !c.depth || patch != VIT_PATCH || c.depth > VIT_MAX_DEPTH)
        return fail(
            err, ERR_INPUT,
            "%s: no vision transformer of the known layout: found width %d, %d blocks, hidden width %d, "
            "%d positions, patches of %d; expected a width divisible by 32, 1 to %d blocks named "
            "blocks.I, a square table and patches of %d",
            weights->path, dim, c.depth, c.mlp, table, patch, VIT_MAX_DEPTH, VIT_PATCH);
    *config = c;
    return OK;
}
