#include "nn/safetensors.h"

#include "base/json.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { PREFIX = 8 }; /* bytes of the header length */
static const char METADATA[] = "__metadata__";

static enum status read_type(struct weight_tensor *tensor, const struct json *entry, const char *where,
                             struct error *err)
{
    const char *text;
    TRY(json_get_text(&text, entry, "dtype", where, err));
    for (int type = 0; type < WEIGHT_TYPES; type++)
        if (strcmp(text, weights_type_name((enum weight_type)type)) == 0) {
            tensor->type = (enum weight_type)type;
            return OK;
        }
    return fail(err, ERR_INPUT, "%s: dtype %.40s is not supported", where, text);
}

static enum status read_shape(struct weight_tensor *tensor, const struct json *entry, size_t room,
                              const char *where, struct error *err)
{
    const struct json *shape;
    TRY(json_get_array(&shape, entry, "shape", where, err));
    const size_t dims = json_count(shape);
    if (dims > WEIGHTS_MAX_DIMS)
        return fail(err, ERR_INPUT, "%s: %zu dimensions, at most %d allowed", where, dims, WEIGHTS_MAX_DIMS);
    tensor->dims = (int)dims;
    for (size_t d = 0; d < dims; d++) {
        tensor->shape[d] = json_int(json_item(shape, d), -1);
        if (tensor->shape[d] < 0)
            return fail(err, ERR_INPUT, "%s: dimension %zu: expected an integer of at least 0", where, d);
    }
    const int64_t limit = (int64_t)(room / weights_type_size(tensor->type));
    if (!weights_count(&tensor->count, tensor->shape, tensor->dims, limit))
        return fail(err, ERR_INPUT, "%s: shape needs more than the %zu bytes of data", where, room);
    int64_t step = 1;
    for (int d = tensor->dims - 1; d >= 0; d--) {
        tensor->stride[d] = step;
        if (tensor->count) step *= tensor->shape[d];
    }
    return OK;
}

static enum status read_place(struct weight_tensor *tensor, const struct json *entry, const uint8_t *data,
                              size_t room, const char *where, struct error *err)
{
    const struct json *offsets;
    TRY(json_get_array(&offsets, entry, "data_offsets", where, err));
    const int64_t begin = json_int(json_item(offsets, 0), -1), end = json_int(json_item(offsets, 1), -1);
    if (json_count(offsets) != 2 || begin < 0 || end < begin || (uint64_t)end > room)
        return fail(err, ERR_INPUT,
                    "%s: data_offsets: expected [begin, end] within %zu bytes, found [%lld, %lld]", where,
                    room, (long long)begin, (long long)end);
    const int64_t expected = tensor->count * (int64_t)weights_type_size(tensor->type);
    if (end - begin != expected)
        return fail(err, ERR_INPUT, "%s: data_offsets: expected %lld bytes for the shape, found %lld", where,
                    (long long)expected, (long long)(end - begin));
    tensor->data = data + begin;
    return OK;
}

static enum status read_metadata(struct weights *weights, const struct json *object, struct error *err)
{
    if (json_kind(object) != JSON_KIND_OBJECT)
        return fail(err, ERR_INPUT, "%s: %s: expected an object of strings", weights->path, METADATA);
    struct weight_text *entry = arena_alloc(&weights->arena, json_count(object), sizeof *entry);
    if (!entry) return fail_memory(err, weights->path, json_count(object) * sizeof *entry);
    weights->metadata = entry;
    struct json_cursor cursor = {.object = object};
    const char *key;
    for (const struct json *value; json_next(&cursor, &key, &value); entry++) {
        if (!json_text(value))
            return fail(err, ERR_INPUT, "%s: %s: \"%.100s\": expected a string", weights->path, METADATA,
                        key);
        entry->key = arena_strdup(&weights->arena, key);
        entry->value = arena_strdup(&weights->arena, json_text(value));
        if (!entry->key || !entry->value) return fail_memory(err, weights->path, strlen(json_text(value)));
        weights->metadata_count++;
    }
    return OK;
}

/* By place in the data; empty tensors before the one that starts where they stand. */
static int compare_places(const void *a, const void *b)
{
    const struct weight_tensor *const *x = a, *const *y = b;
    if ((*x)->data != (*y)->data) return (*x)->data < (*y)->data ? -1 : 1;
    if (!(*x)->count != !(*y)->count) return (*x)->count ? 1 : -1;
    return (*x > *y) - (*x < *y);
}

/* Tensors must tile the data: no byte twice, none unused. */
static enum status check_tiling(struct weights *weights, const uint8_t *data, size_t room, struct error *err)
{
    const struct weight_tensor **order = arena_alloc(&weights->arena, weights->count, sizeof *order);
    if (!order) return fail_memory(err, weights->path, weights->count * sizeof *order);
    for (size_t i = 0; i < weights->count; i++) order[i] = &weights->tensors[i];
    qsort(order, weights->count, sizeof *order, compare_places);
    const uint8_t *at = data;
    for (size_t i = 0; i < weights->count; i++) {
        if (order[i]->data != at)
            return fail(err, ERR_INPUT, "%s: tensor %.200s: starts at data byte %zu, expected %zu (%s)",
                        weights->path, order[i]->name, (size_t)(order[i]->data - data), (size_t)(at - data),
                        order[i]->data < at ? "overlap" : "gap");
        at += (size_t)order[i]->count * weights_type_size(order[i]->type);
    }
    if ((size_t)(at - data) != room)
        return fail(err, ERR_INPUT, "%s: tensors end at data byte %zu, expected %zu", weights->path,
                    (size_t)(at - data), room);
    return OK;
}

static enum status read_header(struct weights *weights, const struct json *root, const uint8_t *data,
                               size_t room, struct error *err)
{
    if (json_kind(root) != JSON_KIND_OBJECT)
        return fail(err, ERR_INPUT, "%s: header: expected a JSON object", weights->path);
    const size_t entries = json_count(root) - (json_member(root, METADATA) != NULL);
    if (entries > WEIGHTS_MAX_TENSORS)
        return fail(err, ERR_INPUT, "%s: %zu tensors, at most %d allowed", weights->path, entries,
                    WEIGHTS_MAX_TENSORS);
    weights->tensors = arena_alloc(&weights->arena, entries, sizeof *weights->tensors);
    if (!weights->tensors) return fail_memory(err, weights->path, entries * sizeof *weights->tensors);
    struct json_cursor cursor = {.object = root};
    const char *key;
    for (const struct json *entry; json_next(&cursor, &key, &entry);) {
        if (strcmp(key, METADATA) == 0) {
            TRY(read_metadata(weights, entry, err));
            continue;
        }
        struct weight_tensor *tensor = &weights->tensors[weights->count++];
        tensor->name = arena_strdup(&weights->arena, key);
        if (!tensor->name) return fail_memory(err, weights->path, strlen(key));
        char where[400];
        snprintf(where, sizeof where, "%.180s: tensor %.200s", weights->path, key);
        TRY(read_type(tensor, entry, where, err));
        TRY(read_shape(tensor, entry, room, where, err));
        TRY(read_place(tensor, entry, data, room, where, err));
    }
    TRY(check_tiling(weights, data, room, err));
    return weights_index(weights, err);
}

enum status safetensors_parse(struct weights *weights, const void *data, size_t n, const char *name,
                              struct error *err)
{
    *weights = (struct weights){0};
    if (n < PREFIX) return fail(err, ERR_INPUT, "%s: %zu bytes, expected a safetensors file", name, n);
    uint64_t header;
    memcpy(&header, data, sizeof header);
    if (header > SAFETENSORS_MAX_HEADER || header > n - PREFIX)
        return fail(err, ERR_INPUT,
                    "%s: byte 0: header of %llu bytes, expected at most %zu (no safetensors file, or cut)",
                    name, (unsigned long long)header,
                    n - PREFIX < SAFETENSORS_MAX_HEADER ? n - PREFIX : (size_t)SAFETENSORS_MAX_HEADER);
    weights->path = arena_strdup(&weights->arena, name);
    if (!weights->path) return fail_memory(err, name, strlen(name));
    const uint8_t *bytes = data;
    struct json *root;
    enum status status = json_read_bytes(&root, bytes + PREFIX, header, name, SAFETENSORS_MAX_HEADER, err);
    if (status == OK) status = read_header(weights, root, bytes + PREFIX + header, n - PREFIX - header, err);
    json_free(root);
    if (status != OK) weights_close(weights);
    return status;
}
