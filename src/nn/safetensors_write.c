/* The writing half of nn/safetensors.h. */
#include "nn/safetensors.h"

#include "base/json_write.h"
#include "nn/half.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 8, CHUNK = 4096 };

static int64_t count_of(const struct safetensors_item *item)
{
    int64_t count = 0;
    const bool fits = weights_count(&count, item->shape, item->dims, INT64_MAX / 4);
    assert(item->dims <= WEIGHTS_MAX_DIMS && fits);
    (void)fits;
    return count;
}

static enum weight_type type_of(const struct safetensors_item *item)
{
    if (item->values) return item->half ? WEIGHT_F16 : WEIGHT_F32;
    return item->signed_bytes ? WEIGHT_I8 : WEIGHT_U8;
}

static enum status check_half(const struct safetensors_item *item, const char *path, struct error *err)
{
    const int64_t count = type_of(item) == WEIGHT_F16 ? count_of(item) : 0;
    for (int64_t i = 0; i < count; i++)
        if (!half_fits(item->values[i]))
            return fail(err, ERR_INPUT, "%s: tensor %.200s: value %lld is %g, which does not fit float16",
                        path, item->name, (long long)i, (double)item->values[i]);
    return OK;
}

static void put_header(FILE *stream, const struct safetensors_item *items, size_t count,
                       const struct weight_text *metadata, size_t metadata_count)
{
    struct json_writer out = {.stream = stream};
    json_open(&out, NULL, '{');
    if (metadata_count) json_open(&out, "__metadata__", '{');
    for (size_t i = 0; i < metadata_count; i++) json_put_text(&out, metadata[i].key, metadata[i].value);
    if (metadata_count) json_close(&out);
    int64_t offset = 0;
    for (size_t i = 0; i < count; i++) {
        json_open(&out, items[i].name, '{');
        json_put_text(&out, "dtype", weights_type_name(type_of(&items[i])));
        json_open(&out, "shape", '[');
        for (int d = 0; d < items[i].dims; d++) json_put_int(&out, NULL, items[i].shape[d]);
        json_close(&out);
        json_open(&out, "data_offsets", '[');
        json_put_int(&out, NULL, offset);
        offset += count_of(&items[i]) * (int64_t)weights_type_size(type_of(&items[i]));
        json_put_int(&out, NULL, offset);
        json_close(&out);
        json_close(&out);
    }
    json_close(&out);
}

static void put_values(FILE *stream, const struct safetensors_item *item)
{
    const int64_t count = count_of(item);
    const enum weight_type type = type_of(item);
    if (type != WEIGHT_F16) {
        const void *data = type == WEIGHT_F32  ? (const void *)item->values
                           : type == WEIGHT_I8 ? (const void *)item->signed_bytes
                                               : item->bytes;
        fwrite(data, weights_type_size(type), (size_t)count, stream);
        return;
    }
    uint16_t chunk[CHUNK];
    for (int64_t i = 0; i < count; i += CHUNK) {
        const int64_t n = count - i < CHUNK ? count - i : CHUNK;
        for (int64_t k = 0; k < n; k++) chunk[k] = half_from_float(item->values[i + k]);
        fwrite(chunk, sizeof *chunk, (size_t)n, stream);
    }
}

enum status safetensors_write(const char *path, const struct safetensors_item *items, size_t count,
                              const struct weight_text *metadata, size_t metadata_count, struct error *err)
{
    for (size_t i = 0; i < count; i++) TRY(check_half(&items[i], path, err));
    char *header = NULL;
    size_t length = 0;
    FILE *memory = open_memstream(&header, &length);
    if (!memory) return fail_memory(err, path, length);
    put_header(memory, items, count, metadata, metadata_count);
    while (ftell(memory) % ALIGNMENT) fputc(' ', memory);
    const bool short_memory = ferror(memory) != 0;
    if (fclose(memory) || short_memory) {
        free(header);
        return fail_memory(err, path, length);
    }
    struct file_writer file;
    const enum status status = file_create(&file, path, err);
    if (status == OK) {
        const uint64_t prefix = length;
        fwrite(&prefix, sizeof prefix, 1, file.stream);
        fwrite(header, 1, length, file.stream);
        for (size_t i = 0; i < count; i++) put_values(file.stream, &items[i]);
    }
    free(header);
    return status == OK ? file_commit(&file, err) : status;
}
