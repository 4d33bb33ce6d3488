/* Quantised layers in weight files (quant.h, docs/formats.md). */
#include "nn/quant.h"

#include "nn/safetensors.h"

#include <stdlib.h>
#include <string.h>

#define WEIGHT ".weight"

enum part { WEIGHT_SCALE, INPUT_SCALE, INPUT_ZERO, PARTS };
static const char *const part_names[PARTS] = {".weight_scale", ".input_scale", ".input_zero"};
enum { MAX_NAME = 256 };

/* The length of NAME where name is NAME + end, else 0. */
static size_t stem_length(const char *name, const char *end)
{
    const size_t n = strlen(name), m = strlen(end);
    return n > m && n - m < MAX_NAME - 32 && !strcmp(name + n - m, end) ? n - m : 0;
}

static const struct weight_tensor *find_beside(const struct weights *weights, const char *name, size_t stem,
                                               const char *end)
{
    char other[MAX_NAME];
    memcpy(other, name, stem);
    strcpy(other + stem, end);
    return weights_find(weights, other);
}

bool quant_is_weight(const struct weights *weights, const struct weight_tensor *tensor)
{
    const size_t stem = tensor->type == WEIGHT_I8 ? stem_length(tensor->name, WEIGHT) : 0;
    return stem && find_beside(weights, tensor->name, stem, part_names[WEIGHT_SCALE]);
}

bool quant_is_part(const struct weights *weights, const char *name)
{
    for (enum part part = 0; part < PARTS; part++) {
        const size_t stem = stem_length(name, part_names[part]);
        const struct weight_tensor *weight = stem ? find_beside(weights, name, stem, WEIGHT) : NULL;
        if (weight && quant_is_weight(weights, weight)) return true;
    }
    return false;
}

/* A vector of the type beside the weight, of `size` elements unless that is 0. */
static enum status find_part(const struct weight_tensor **found, const struct weights *weights,
                             const struct weight_tensor *weight, enum part part, int64_t size,
                             struct error *err)
{
    const enum weight_type type = part == INPUT_ZERO ? WEIGHT_U8 : WEIGHT_F32;
    const struct weight_tensor *t =
        find_beside(weights, weight->name, stem_length(weight->name, WEIGHT), part_names[part]);
    if (!t || t->type != type || t->dims != 1 || (size && t->shape[0] != size))
        return fail(err, ERR_INPUT, "%s: quantised tensor %.200s needs a vector *%s of type %s%s",
                    weights->path, weight->name, part_names[part], weights_type_name(type),
                    t ? ", found another" : "");
    *found = t;
    return OK;
}

static enum status read_scales(float *scales, const struct weights *weights,
                               const struct weight_tensor *tensor, struct error *err)
{
    TRY(weights_read_finite(scales, weights, tensor, err));
    for (int64_t i = 0; i < tensor->count; i++)
        if (!(scales[i] >= 0x1p-40f && scales[i] <= 0x1p40f))
            return fail(err, ERR_INPUT, "%s: tensor %.200s: value %lld is %g, expected 2^-40 to 2^40",
                        weights->path, tensor->name, (long long)i, (double)scales[i]);
    return OK;
}

/* Bytes are taken where they lie; a .pt may store any view of them. */
static enum status check_order(const struct weights *weights, const struct weight_tensor *tensor,
                               struct error *err)
{
    if (weights_row_major(tensor)) return OK;
    return fail(err, ERR_INPUT, "%s: quantised tensor %.200s: expected row-major order, found other strides",
                weights->path, tensor->name);
}

static enum status read_layer(struct quant *quant, const struct weights *weights,
                              const struct weight_tensor *weight, struct error *err)
{
    const struct weight_tensor *part[PARTS];
    if (weight->dims != 4 || weight->shape[0] > INT8_MAX_DEPTH || weight->shape[1] > INT8_MAX_DEPTH)
        return fail(err, ERR_INPUT, "%s: quantised tensor %.200s is no convolution's weight", weights->path,
                    weight->name);
    TRY(find_part(&part[WEIGHT_SCALE], weights, weight, WEIGHT_SCALE, weight->shape[0], err));
    TRY(find_part(&part[INPUT_SCALE], weights, weight, INPUT_SCALE, 0, err));
    const int64_t in = part[INPUT_SCALE]->shape[0];
    if (in != weight->shape[1] && (weight->shape[1] != 1 || in != weight->shape[0]))
        return fail(err, ERR_INPUT, "%s: tensor %.200s: %lld inputs do not fit the weight", weights->path,
                    part[INPUT_SCALE]->name, (long long)in);
    TRY(find_part(&part[INPUT_ZERO], weights, weight, INPUT_ZERO, in, err));
    TRY(check_order(weights, weight, err));
    TRY(check_order(weights, part[INPUT_ZERO], err));
    for (int64_t i = 0; i < weight->count; i++)
        if ((int8_t)weight->data[i] == -128)
            return fail(err, ERR_INPUT, "%s: tensor %.200s: value %lld is -128, expected -127 to 127",
                        weights->path, weight->name, (long long)i);
    char name[MAX_NAME] = "";
    memcpy(name, weight->name, stem_length(weight->name, WEIGHT));
    struct quant_layer *layer = quant_add(quant, name, (int)in, (int)weight->shape[0]);
    if (!layer) return fail_memory(err, "a quantised layer", (size_t)(in + weight->shape[0]) * sizeof(float));
    TRY(read_scales(layer->weight_scale, weights, part[WEIGHT_SCALE], err));
    TRY(read_scales(layer->input_scale, weights, part[INPUT_SCALE], err));
    memcpy(layer->input_zero, part[INPUT_ZERO]->data, (size_t)in);
    return OK;
}

enum status quant_read(struct quant *quant, const struct weights *weights, struct error *err)
{
    *quant = (struct quant){0};
    for (size_t i = 0; i < weights->count; i++) {
        if (!quant_is_weight(weights, weights->tensors + i)) continue;
        const enum status status = read_layer(quant, weights, weights->tensors + i, err);
        if (status == OK) continue;
        quant_free(quant);
        return status;
    }
    return OK;
}

const struct quant_layer *quant_find_weight(const struct quant *quant, const char *tensor)
{
    const size_t stem = stem_length(tensor, WEIGHT);
    char name[MAX_NAME] = "";
    memcpy(name, tensor, stem);
    return stem ? quant_find(quant, name) : NULL;
}

/* The input channel of a layer's weight i of output o. */
static int channel_of(const struct quant_layer *layer, int64_t group, int64_t o, int64_t i)
{
    return (int)(group == layer->in ? i : o);
}

void quant_weights(float *values, const struct quant_layer *layer, const struct weight_tensor *tensor)
{
    const int64_t group = tensor->shape[1], taps = tensor->shape[2] * tensor->shape[3];
    weights_read(values, tensor);
    for (int64_t o = 0; o < tensor->shape[0]; o++)
        for (int64_t i = 0; i < group; i++) {
            const double factor =
                (double)layer->weight_scale[o] / (double)layer->input_scale[channel_of(layer, group, o, i)];
            for (int64_t t = 0; t < taps; t++, values++) *values = (float)(*values * factor);
        }
}

static void put_integers(int8_t *to, const struct quant_layer *layer, const struct param *param,
                         const float *values)
{
    const int64_t group = param->shape[1], taps = param->shape[2] * param->shape[3];
    for (int64_t o = 0; o < param->shape[0]; o++)
        for (int64_t i = 0; i < group; i++)
            for (int64_t t = 0; t < taps; t++)
                *to++ = (int8_t)quant_weight(layer, (int)o, channel_of(layer, group, o, i), *values++);
}

/* The items of one layer beside its weight. */
static bool add_parts(struct safetensors_item *items, size_t *count, struct arena *arena,
                      const struct quant_layer *layer)
{
    const float *const scales[2] = {layer->weight_scale, layer->input_scale};
    for (enum part part = 0; part < PARTS; part++) {
        const char *name = arena_printf(arena, "%s%s", layer->name, part_names[part]);
        if (!name) return false;
        items[(*count)++] =
            (struct safetensors_item){.name = name,
                                      .dims = 1,
                                      .shape = {part == WEIGHT_SCALE ? layer->out : layer->in},
                                      .values = part == INPUT_ZERO ? NULL : scales[part],
                                      .bytes = layer->input_zero};
    }
    return true;
}

static bool list_items(struct safetensors_item *items, size_t *count, struct arena *arena,
                       const struct quant *quant, const struct params *params)
{
    for (int i = 0; i < params->count; i++) {
        const struct param *param = params->list + i;
        struct safetensors_item item = {
            .name = param->name, .dims = param->dims, .values = params_values(params, i)};
        memcpy(item.shape, param->shape, (size_t)param->dims * sizeof *param->shape);
        const struct quant_layer *layer = param->dims == 4 ? quant_find_weight(quant, param->name) : NULL;
        if (layer) {
            int8_t *integers = arena_alloc(arena, param->size, 1);
            if (!integers || !add_parts(items, count, arena, layer)) return false;
            put_integers(integers, layer, param, item.values);
            item.values = NULL;
            item.signed_bytes = integers;
        }
        items[(*count)++] = item;
    }
    return true;
}

/* Floats first, so that they stay aligned. */
static void floats_first(struct safetensors_item *sorted, const struct safetensors_item *items, size_t count)
{
    size_t n = 0;
    for (int bytes = 0; bytes < 2; bytes++)
        for (size_t i = 0; i < count; i++)
            if ((items[i].values == NULL) == bytes) sorted[n++] = items[i];
}

enum status quant_save(const struct quant *quant, const struct params *params, const char *path,
                       const struct weight_text *metadata, size_t metadata_count, struct error *err)
{
    struct arena arena = {0};
    const size_t most = (size_t)params->count + PARTS * (size_t)quant->count;
    struct safetensors_item *items = arena_alloc(&arena, most, sizeof *items),
                            *sorted = arena_alloc(&arena, most, sizeof *sorted);
    size_t count = 0;
    enum status status = OK;
    if (!items || !sorted || !list_items(items, &count, &arena, quant, params))
        status = fail_memory(err, "the list of tensors", arena.used);
    if (status == OK) {
        floats_first(sorted, items, count);
        status = safetensors_write(path, sorted, count, metadata, metadata_count, err);
    }
    arena_free(&arena);
    return status;
}
