/* Weight files: named tensors and a few strings of metadata, wherever they come from.
 *
 * weights_open recognises safetensors (nn/safetensors.h) and PyTorch's zip container (nn/pt.h) by their first
 * bytes. Tensors are views into the file: nothing is converted before weights_read. Every view has been
 * checked to lie in the file, so reading cannot fail; only values can be refused.
 *
 * Metadata keys in use: "architecture" (yolo11n, ...), "classes" (names, one a line), "image_size",
 * "licence", "origin". From a .pt come "classes" and, where stated, "architecture". */
#ifndef RETORT_NN_WEIGHTS_H
#define RETORT_NN_WEIGHTS_H

#include "base/arena.h"
#include "base/file.h"

enum { WEIGHTS_MAX_DIMS = 8, WEIGHTS_MAX_TENSORS = 65536 };

enum weight_type {
    WEIGHT_F32,
    WEIGHT_F16,
    WEIGHT_BF16,
    WEIGHT_F64,
    WEIGHT_I64,
    WEIGHT_I32,
    WEIGHT_I16,
    WEIGHT_I8,
    WEIGHT_U8,
    WEIGHT_BOOL,
    WEIGHT_TYPES
};

struct weight_tensor {
    const char *name;
    enum weight_type type;
    int dims; /* 0 for a scalar */
    int64_t shape[WEIGHTS_MAX_DIMS];
    int64_t stride[WEIGHTS_MAX_DIMS]; /* in elements, never negative; row-major unless a .pt stores a view */
    int64_t count;                    /* product of shape */
    const uint8_t *data;              /* little-endian, of any alignment */
};

struct weight_text {
    const char *key, *value;
};

struct weights {
    const char *path;              /* or what stands for it in messages */
    struct weight_tensor *tensors; /* in the order of the file's list */
    size_t count;
    struct weight_text *metadata;
    size_t metadata_count;
    const struct weight_tensor **by_name; /* sorted */
    struct arena arena;                   /* owns all of the above */
    struct file_view view;                /* the mapped file, empty when parsed from memory */
};

/* After OK the caller ends with weights_close. ERR_INPUT for anything wrong with the file. */
enum status weights_open(struct weights *weights, const char *path, struct error *err);
void weights_close(struct weights *weights);

/* The same from memory that outlives *weights; name stands for it in messages. */
enum status weights_parse(struct weights *weights, const void *data, size_t n, const char *name,
                          struct error *err);

const struct weight_tensor *weights_find(const struct weights *weights, const char *name); /* NULL: absent */
const char *weights_metadata(const struct weights *weights, const char *key);              /* NULL: absent */

/* Metadata that must be there: an integer from least to INT32_MAX, a finite number. */
enum status weights_metadata_count(int64_t *value, const struct weights *file, const char *key, int64_t least,
                                   struct error *err);
enum status weights_metadata_real(double *value, const struct weights *file, const char *key,
                                  struct error *err);

/* Whether element i of the row-major order is element i from data. */
bool weights_row_major(const struct weight_tensor *tensor);

/* The values where they lie, when they are aligned row-major floats; else NULL. */
const float *weights_floats(const struct weight_tensor *tensor);

/* Converts all count values, row-major, to the nearest float (bool: 0 or 1). */
void weights_read(float *values, const struct weight_tensor *tensor);

/* The same for parameters: ERR_INPUT with the tensor's name and the index of the first value that is not
 * finite. */
enum status weights_read_finite(float *values, const struct weights *weights,
                                const struct weight_tensor *tensor, struct error *err);

/* The same for a tensor of this name, which must be one row of n numbers. */
enum status weights_read_row(float *values, const struct weights *file, const char *name, size_t n,
                             struct error *err);

const char *weights_type_name(enum weight_type type); /* as safetensors spells it: "F32", ... */
size_t weights_type_size(enum weight_type type);      /* bytes an element */

/* For the readers: the product of a shape into *count, false beyond limit. */
bool weights_count(int64_t *count, const int64_t *shape, int dims, int64_t limit);
/* For the readers: builds by_name; ERR_INPUT when a name occurs twice. */
enum status weights_index(struct weights *weights, struct error *err);

#endif
