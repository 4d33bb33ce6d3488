#include "nn/params.h"

#include "base/rng.h"

#include <assert.h>
#include <string.h>

int params_find(const struct params *params, const char *name)
{
    const uint64_t key = rng_fnv1a(name);
    for (int i = 0; i < params->count; i++)
        if (params->list[i].key == key && !strcmp(params->list[i].name, name)) return i;
    return -1;
}

int params_declare(struct params *params, const char *name, enum param_kind kind, int dims,
                   const int64_t *shape)
{
    const int known = params_find(params, name);
    if (known >= 0) {
        const struct param *param = params->list + known;
        assert(param->kind == kind && param->dims == dims);
        assert(!memcmp(param->shape, shape, (size_t)dims * sizeof *shape));
        (void)param;
        return known;
    }
    assert(!params->sealed && strlen(name) < PARAM_MAX_NAME && dims >= 1 && dims <= PARAM_MAX_DIMS);
    struct param *list =
        arena_grow(&params->arena, params->list, params->count, &params->capacity, sizeof *list);
    if (!list) return -1;
    params->list = list;
    struct param *param = params->list + params->count;
    strcpy(param->name, name);
    param->key = rng_fnv1a(name);
    param->kind = kind;
    param->frozen = params->freezing;
    param->dims = dims;
    param->size = 1;
    for (int i = 0; i < dims; i++) {
        param->shape[i] = shape[i];
        param->size *= (size_t)shape[i];
    }
    return params->count++;
}

enum status params_seal(struct params *params, struct error *err)
{
    if (params->sealed) return OK;
    for (int fixed = 0; fixed < 2; fixed++) {
        for (int i = 0; i < params->count; i++) {
            struct param *param = params->list + i;
            if ((param->kind != PARAM_TRAINABLE) != fixed) continue;
            param->offset = params->total;
            params->total += param->size;
        }
        if (!fixed) params->trainable = params->total;
    }
    if (!params->borrowed) {
        params->values = arena_alloc(&params->arena, params->total, sizeof(float));
        if (!params->values) return fail_memory(err, "parameters", params->total * sizeof(float));
        for (int i = 0; i < params->count; i++)
            params->list[i].place = params->values + params->list[i].offset;
    }
    params->sealed = true;
    return OK;
}

void params_free(struct params *params)
{
    arena_free(&params->arena);
    *params = (struct params){0};
}
