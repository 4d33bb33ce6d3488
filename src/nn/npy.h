/* NumPy's .npy, version 1.0: a matrix of float32 [rows, columns], C order, little-endian. */
#ifndef RETORT_NN_NPY_H
#define RETORT_NN_NPY_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

struct npy {
    const float *values; /* [rows, columns] */
    int64_t rows, columns;
    float *owned;
};

/* ERR_INPUT for any other type, order, version or number of dimensions, and for a size that does not match.
 * After OK the caller ends with npy_close. */
enum status npy_read(struct npy *npy, const char *path, struct error *err);
enum status npy_parse(struct npy *npy, const void *data, size_t n, const char *name, struct error *err);
void npy_close(struct npy *npy);

/* Writes the file in one atomic step; the values start at a multiple of 64 bytes. */
enum status npy_write(const char *path, const float *values, int64_t rows, int64_t columns,
                      struct error *err);

#endif
