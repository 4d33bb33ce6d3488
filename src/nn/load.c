#include "nn/load.h"

#include "base/flush.h"
#include "base/hash.h"
#include "nn/half.h"
#include "nn/quant.h"
#include "nn/safetensors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool ends_with(const char *name, const char *end)
{
    const size_t n = strlen(name), m = strlen(end);
    return n >= m && !strcmp(name + n - m, end);
}

static bool optional(const char *name)
{
    return ends_with(name, ".num_batches_tracked") || ends_with(name, ".dfl.conv.weight") ||
           !strcmp(name, "mask_token");
}

static bool same_shape(const struct param *param, const struct weight_tensor *tensor)
{
    if (param->dims != tensor->dims) return false;
    for (int i = 0; i < param->dims; i++)
        if (param->shape[i] != tensor->shape[i]) return false;
    return true;
}

/* Collects names until the message is full. */
struct names {
    char text[360];
    size_t length;
    int count;
};

static void note(struct names *names, const char *name)
{
    const size_t room = sizeof names->text - names->length;
    if (names->count++ && room > 8)
        names->length += (size_t)snprintf(names->text + names->length, room, ", ");
    const size_t left = sizeof names->text - names->length;
    if (strlen(name) + 8 < left)
        names->length += (size_t)snprintf(names->text + names->length, left, "%s", name);
    else if (left > 4 && !ends_with(names->text, "..."))
        names->length += (size_t)snprintf(names->text + names->length, left, "...");
}

/* The first negative value of a batch norm's variance, or -1: its square root would be no number. */
static int64_t find_negative(const char *name, const float *values, size_t n)
{
    for (size_t i = 0; ends_with(name, ".running_var") && i < n; i++)
        if (values[i] < 0) return (int64_t)i;
    return -1;
}

static enum status copy(struct params *params, int index, const struct weights *weights,
                        const struct weight_tensor *tensor, const struct quant *quant, struct error *err)
{
    float *values = params_values(params, index);
    const struct quant_layer *layer = quant_find_weight(quant, tensor->name);
    if (layer)
        quant_weights(values, layer, tensor);
    else
        TRY(weights_read_finite(values, weights, tensor, err));
    const int64_t negative = find_negative(tensor->name, values, params->list[index].size);
    if (negative >= 0)
        return fail(err, ERR_INPUT, "%s: tensor %.200s: value %lld is %g, expected a variance from 0",
                    weights->path, tensor->name, (long long)negative, (double)values[negative]);
    flush_floats(values, params->list[index].size);
    return OK;
}

/* Every name on both sides, or the list of what is missing and unknown. */
static enum status check_names(const struct params *params, const struct weights *weights, struct error *err)
{
    struct names missing = {0}, unknown = {0};
    for (int i = 0; i < params->count; i++)
        if (!weights_find(weights, params->list[i].name)) note(&missing, params->list[i].name);
    for (size_t i = 0; i < weights->count; i++) {
        const char *name = weights->tensors[i].name;
        if (params_find(params, name) < 0 && !optional(name) && !quant_is_part(weights, name))
            note(&unknown, name);
    }
    if (missing.count || unknown.count)
        return fail(err, ERR_INPUT, "%s: does not fit this model: %d tensors missing%s%s; %d unknown%s%s",
                    weights->path, missing.count, missing.count ? ": " : "", missing.text, unknown.count,
                    unknown.count ? ": " : "", unknown.text);
    return OK;
}

static bool would_change(float x) { return (x - x != 0) | ((fabsf(x) < FLUSH_QUANTUM) & (x != 0)); }

/* True when the bytes in the file are the values that copying would give. A value that is not
 * allowed is left to copying, which names it. */
static bool as_it_lies(const struct weight_tensor *tensor)
{
    enum { RUN = 16 }; /* a fixed length and no early end: this way it takes vectors */
    const float *values = weights_floats(tensor);
    if (!values) return false;
    int64_t i = 0;
    int other = 0;
    for (; i + RUN <= tensor->count; i += RUN)
        for (int k = 0; k < RUN; k++) other |= would_change(values[i + k]);
    for (; i < tensor->count; i++) other |= would_change(values[i]);
    return !other && find_negative(tensor->name, values, (size_t)tensor->count) < 0;
}

static enum status borrow(struct params *params, int index, const struct weights *weights,
                          const struct weight_tensor *tensor, const struct quant *quant, struct error *err)
{
    struct param *param = params->list + index;
    if (as_it_lies(tensor)) {
        param->place = (float *)tensor->data;
        param->mapped = true;
        return OK;
    }
    param->place = arena_alloc(&params->arena, param->size, sizeof *param->place);
    if (!param->place) return fail_memory(err, "parameters", param->size * sizeof *param->place);
    return copy(params, index, weights, tensor, quant, err);
}

static enum status load(struct params *params, const struct weights *weights, const struct quant *quant,
                        struct error *err)
{
    TRY(check_names(params, weights, err));
    for (int i = 0; i < params->count; i++) {
        const struct param *param = params->list + i;
        const struct weight_tensor *tensor = weights_find(weights, param->name);
        if (!same_shape(param, tensor))
            return fail(err, ERR_INPUT,
                        "%s: tensor %s has another shape than the model (%lld elements, expected %zu)",
                        weights->path, param->name, (long long)tensor->count, param->size);
        TRY((params->borrowed ? borrow : copy)(params, i, weights, tensor, quant, err));
    }
    return OK;
}

static enum status load_matching(struct params *params, const struct weights *weights,
                                 const struct quant *quant, int *copied, struct error *err)
{
    int n = 0;
    for (int i = 0; i < params->count; i++) {
        const struct weight_tensor *tensor = weights_find(weights, params->list[i].name);
        if (!tensor || !same_shape(params->list + i, tensor)) continue;
        TRY(copy(params, i, weights, tensor, quant, err));
        n++;
    }
    if (copied) *copied = n;
    return OK;
}

enum status params_load(struct params *params, const struct weights *weights, struct error *err)
{
    struct quant quant;
    TRY(quant_read(&quant, weights, err));
    const enum status status = load(params, weights, &quant, err);
    quant_free(&quant);
    return status;
}

enum status params_load_matching(struct params *params, const struct weights *weights, int *copied,
                                 struct error *err)
{
    struct quant quant;
    TRY(quant_read(&quant, weights, err));
    const enum status status = load_matching(params, weights, &quant, copied, err);
    quant_free(&quant);
    return status;
}

enum status params_save(const struct params *params, const char *path, bool half,
                        const struct weight_text *metadata, size_t metadata_count, struct error *err)
{
    struct safetensors_item *items = calloc((size_t)params->count, sizeof *items);
    if (!items) return fail_memory(err, "the list of tensors", (size_t)params->count * sizeof *items);
    for (int i = 0; i < params->count; i++) {
        const struct param *param = params->list + i;
        items[i] = (struct safetensors_item){
            .name = param->name, .dims = param->dims, .values = params_values(params, i), .half = half};
        memcpy(items[i].shape, param->shape, (size_t)param->dims * sizeof *param->shape);
    }
    const enum status status =
        safetensors_write(path, items, (size_t)params->count, metadata, metadata_count, err);
    free(items);
    return status;
}

void params_round_half(struct params *params)
{
    for (size_t i = 0; i < params->total; i++)
        if (half_fits(params->values[i]))
            params->values[i] = half_to_float(half_from_float(params->values[i]));
}

void params_hash(const struct params *params, char hex[65])
{
    struct sha256 hash;
    sha256_init(&hash);
    for (int i = 0; i < params->count; i++) {
        const struct param *param = params->list + i;
        sha256_add(&hash, param->name, strlen(param->name) + 1);
        for (int d = 0; d < param->dims; d++) {
            const uint8_t size[4] = {(uint8_t)param->shape[d], (uint8_t)(param->shape[d] >> 8),
                                     (uint8_t)(param->shape[d] >> 16), (uint8_t)(param->shape[d] >> 24)};
            sha256_add(&hash, size, sizeof size);
        }
        sha256_add_floats(&hash, params_values(params, i), param->size);
    }
    sha256_hex(&hash, hex);
}
