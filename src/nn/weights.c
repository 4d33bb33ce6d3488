#include "nn/weights.h"

#include "nn/half.h"
#include "nn/pt.h"
#include "nn/safetensors.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "weight files are read in place: this needs a little-endian machine"
#endif

static const struct {
    const char *name;
    size_t size;
} types[WEIGHT_TYPES] = {
    [WEIGHT_F32] = {"F32", 4},   [WEIGHT_F16] = {"F16", 2}, [WEIGHT_BF16] = {"BF16", 2},
    [WEIGHT_F64] = {"F64", 8},   [WEIGHT_I64] = {"I64", 8}, [WEIGHT_I32] = {"I32", 4},
    [WEIGHT_I16] = {"I16", 2},   [WEIGHT_I8] = {"I8", 1},   [WEIGHT_U8] = {"U8", 1},
    [WEIGHT_BOOL] = {"BOOL", 1},
};

const char *weights_type_name(enum weight_type type) { return types[type].name; }
size_t weights_type_size(enum weight_type type) { return types[type].size; }

bool weights_count(int64_t *count, const int64_t *shape, int dims, int64_t limit)
{
    bool empty = false;
    int64_t product = 1;
    for (int d = 0; d < dims; d++) {
        if (shape[d] < 0) return false;
        empty |= shape[d] == 0;
    }
    for (int d = 0; d < dims && !empty; d++) {
        if (product > limit / shape[d]) return false;
        product *= shape[d];
    }
    *count = empty ? 0 : product;
    return *count <= limit;
}

enum status weights_parse(struct weights *weights, const void *data, size_t n, const char *name,
                          struct error *err)
{
    const bool zip = n >= 4 && memcmp(data, "PK\3\4", 4) == 0;
    return zip ? pt_parse(weights, data, n, name, err) : safetensors_parse(weights, data, n, name, err);
}

enum status weights_open(struct weights *weights, const char *path, struct error *err)
{
    struct file_view view;
    TRY(file_map(&view, path, err));
    const enum status status = weights_parse(weights, view.data, view.size, path, err);
    if (status == OK)
        weights->view = view;
    else
        file_unmap(&view);
    return status;
}

void weights_close(struct weights *weights)
{
    if (weights->view.data) file_unmap(&weights->view);
    arena_free(&weights->arena);
    *weights = (struct weights){0};
}

/* By name; equal names (an error found later) by place, so that the order is total. */
static int compare_names(const void *a, const void *b)
{
    const struct weight_tensor *const *x = a, *const *y = b;
    const int order = strcmp((*x)->name, (*y)->name);
    return order ? order : (*x > *y) - (*x < *y);
}

/* "blocks.C.I.rest" of the chunked layout of vision transformers is "blocks.I.rest": I counts through all
 * chunks. */
static enum status unchunk(struct weights *weights, struct error *err)
{
    static const char digits[] = "0123456789";
    for (size_t i = 0; i < weights->count; i++) {
        const char *name = weights->tensors[i].name;
        if (strncmp(name, "blocks.", 7)) continue;
        const size_t chunk = strspn(name + 7, digits);
        if (!chunk || name[7 + chunk] != '.') continue;
        const char *const block = name + 8 + chunk;
        const size_t number = strspn(block, digits);
        if (!number || block[number] != '.') continue;
        weights->tensors[i].name = arena_printf(&weights->arena, "blocks.%s", block);
        if (!weights->tensors[i].name) return fail_memory(err, name, strlen(name));
    }
    return OK;
}

enum status weights_index(struct weights *weights, struct error *err)
{
    TRY(unchunk(weights, err));
    weights->by_name = arena_alloc(&weights->arena, weights->count, sizeof(struct weight_tensor *));
    if (!weights->by_name) return fail_memory(err, weights->path, weights->count * sizeof(void *));
    for (size_t i = 0; i < weights->count; i++) weights->by_name[i] = &weights->tensors[i];
    qsort(weights->by_name, weights->count, sizeof(struct weight_tensor *), compare_names);
    for (size_t i = 1; i < weights->count; i++)
        if (strcmp(weights->by_name[i - 1]->name, weights->by_name[i]->name) == 0)
            return fail(err, ERR_INPUT, "%s: tensor %.200s: name occurs twice", weights->path,
                        weights->by_name[i]->name);
    return OK;
}

const struct weight_tensor *weights_find(const struct weights *weights, const char *name)
{
    size_t low = 0, high = weights->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = strcmp(weights->by_name[middle]->name, name);
        if (order == 0) return weights->by_name[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const char *weights_metadata(const struct weights *weights, const char *key)
{
    for (size_t i = 0; i < weights->metadata_count; i++)
        if (strcmp(weights->metadata[i].key, key) == 0) return weights->metadata[i].value;
    return NULL;
}

enum status weights_metadata_count(int64_t *value, const struct weights *file, const char *key, int64_t least,
                                   struct error *err)
{
    const char *const text = weights_metadata(file, key);
    char *end = NULL;
    errno = 0;
    *value = text ? strtoll(text, &end, 10) : 0;
    if (!text || errno || *end || end == text || *value < least || *value > INT32_MAX)
        return fail(err, ERR_INPUT, "%s: metadata \"%s\": expected a count, found \"%.40s\"", file->path, key,
                    text ? text : "");
    return OK;
}

enum status weights_metadata_real(double *value, const struct weights *file, const char *key,
                                  struct error *err)
{
    const char *const text = weights_metadata(file, key);
    char *end = NULL;
    *value = text ? strtod(text, &end) : NAN;
    if (!text || *end || end == text || !isfinite(*value))
        return fail(err, ERR_INPUT, "%s: metadata \"%s\": expected a number, found \"%.40s\"", file->path,
                    key, text ? text : "");
    return OK;
}

static float convert(const uint8_t *data, enum weight_type type)
{
    union {
        float f32;
        double f64;
        uint16_t u16;
        int64_t i64;
        int32_t i32;
        int16_t i16;
        int8_t i8;
    } value;
    memcpy(&value, data, types[type].size);
    switch (type) {
    case WEIGHT_F32:
        return value.f32;
    case WEIGHT_F16:
        return half_to_float(value.u16);
    case WEIGHT_BF16:
        return half_from_bfloat16(value.u16);
    case WEIGHT_F64:
        return (float)value.f64;
    case WEIGHT_I64:
        return (float)value.i64;
    case WEIGHT_I32:
        return (float)value.i32;
    case WEIGHT_I16:
        return (float)value.i16;
    case WEIGHT_I8:
        return value.i8;
    case WEIGHT_U8:
        return *data;
    default:
        return *data != 0;
    }
}

bool weights_row_major(const struct weight_tensor *tensor)
{
    if (!tensor->count) return true; /* whatever its other sizes are: their product may be beyond counting */
    int64_t step = 1;
    for (int d = tensor->dims - 1; d >= 0; d--) {
        if (tensor->shape[d] != 1 && tensor->stride[d] != step) return false;
        step *= tensor->shape[d];
    }
    return true;
}

const float *weights_floats(const struct weight_tensor *tensor)
{
    const bool usable = tensor->type == WEIGHT_F32 && weights_row_major(tensor) &&
                        (uintptr_t)tensor->data % sizeof(float) == 0;
    return usable ? (const float *)(const void *)tensor->data : NULL;
}

void weights_read(float *values, const struct weight_tensor *tensor)
{
    const size_t size = types[tensor->type].size;
    if (tensor->count == 0) return;
    if (weights_row_major(tensor)) {
        if (tensor->type == WEIGHT_F32) {
            memcpy(values, tensor->data, (size_t)tensor->count * sizeof *values);
            return;
        }
        for (int64_t i = 0; i < tensor->count; i++)
            values[i] = convert(tensor->data + (size_t)i * size, tensor->type);
        return;
    }
    int64_t place[WEIGHTS_MAX_DIMS] = {0}, offset = 0;
    for (int64_t i = 0; i < tensor->count; i++) {
        values[i] = convert(tensor->data + (size_t)offset * size, tensor->type);
        for (int d = tensor->dims - 1; d >= 0; d--) {
            offset += tensor->stride[d];
            if (++place[d] < tensor->shape[d]) break;
            offset -= tensor->stride[d] * tensor->shape[d];
            place[d] = 0;
        }
    }
}

enum status weights_read_finite(float *values, const struct weights *weights,
                                const struct weight_tensor *tensor, struct error *err)
{
    weights_read(values, tensor);
    for (int64_t i = 0; i < tensor->count; i++)
        if (values[i] - values[i] != 0)
            return fail(err, ERR_INPUT, "%s: tensor %.200s: value %lld is %g, expected a finite number",
                        weights->path, tensor->name, (long long)i, (double)values[i]);
    return OK;
}

enum status weights_read_row(float *values, const struct weights *file, const char *name, size_t n,
                             struct error *err)
{
    const struct weight_tensor *tensor = weights_find(file, name);
    if (!tensor || tensor->dims != 1 || (size_t)tensor->count != n)
        return fail(err, ERR_INPUT, "%s: tensor \"%s\": expected %zu numbers, found %lld", file->path, name,
                    n, tensor ? (long long)tensor->count : 0LL);
    return weights_read_finite(values, file, tensor, err);
}
