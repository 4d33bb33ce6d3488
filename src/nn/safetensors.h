/* The safetensors format: 8 bytes little-endian header length N, N bytes of JSON {name: {dtype, shape,
 * data_offsets: [begin, end]}, "__metadata__": {key: text}}, then the data, row-major, little-endian, tensor
 * beside tensor without gap or overlap. Header order and data order may differ. */
#ifndef RETORT_NN_SAFETENSORS_H
#define RETORT_NN_SAFETENSORS_H

#include "nn/weights.h"

enum { SAFETENSORS_MAX_HEADER = 64 << 20 };

/* As weights_parse, for safetensors only. Refused: a header beyond SAFETENSORS_MAX_HEADER or the data,
 * unknown types, more than WEIGHTS_MAX_TENSORS tensors or WEIGHTS_MAX_DIMS dimensions, sizes that do not
 * match the shape, duplicate names, gaps, overlaps and bytes after the last tensor. */
enum status safetensors_parse(struct weights *weights, const void *data, size_t n, const char *name,
                              struct error *err);

/* A tensor to write: float32 values, stored as float16 (nearest, ties to even) where half is set; or bytes. */
struct safetensors_item {
    const char *name; /* UTF-8 */
    int dims;
    int64_t shape[WEIGHTS_MAX_DIMS];
    const float *values;
    bool half;
    const int8_t *signed_bytes; /* I8, where values is NULL */
    const uint8_t *bytes;       /* U8, where both are */
};

/* Writes the file in one atomic step: metadata first, tensors in the order given, the header padded with
 * spaces so that the data starts at a multiple of 8. The same arguments give the same bytes. ERR_INPUT when a
 * value does not fit float16 (names the tensor and the index). */
enum status safetensors_write(const char *path, const struct safetensors_item *items, size_t count,
                              const struct weight_text *metadata, size_t metadata_count, struct error *err);

#endif
