#include "nn/quant.h"

#include <assert.h>
#include <math.h>
#include <string.h>

const struct quant_layer *quant_find(const struct quant *quant, const char *name)
{
    for (int i = 0; i < quant->count; i++)
        if (!strcmp(quant->layers[i].name, name)) return quant->layers + i;
    return NULL;
}

struct quant_layer *quant_add(struct quant *quant, const char *name, int in, int out)
{
    struct arena *arena = &quant->arena;
    struct quant_layer *layers =
        arena_grow(arena, quant->layers, quant->count, &quant->capacity, sizeof *layers);
    if (!layers) return NULL;
    quant->layers = layers;
    struct quant_layer layer = {.name = arena_strdup(arena, name), .in = in, .out = out};
    layer.input_scale = arena_alloc(arena, (size_t)in, sizeof *layer.input_scale);
    layer.input_zero = arena_alloc(arena, (size_t)in, sizeof *layer.input_zero);
    layer.weight_scale = arena_alloc(arena, (size_t)out, sizeof *layer.weight_scale);
    if (!layer.name || !layer.input_scale || !layer.input_zero || !layer.weight_scale) return NULL;
    quant->layers[quant->count] = layer;
    return quant->layers + quant->count++;
}

void quant_free(struct quant *quant)
{
    arena_free(&quant->arena);
    *quant = (struct quant){0};
}

int quant_weight(const struct quant_layer *layer, int o, int c, float weight)
{
    const double q = rint((double)weight * (double)layer->input_scale[c] / (double)layer->weight_scale[o]);
    return q > 127 ? 127 : q < -127 ? -127 : (int)q;
}
