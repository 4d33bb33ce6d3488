/* Parameters of a model: named tensors in one flat layout.
 *
 * Names, shapes and order are those of the PyTorch state dict. Trainable coordinates are numbered through the
 * tensors in that order (row-major inside a tensor), so weights, gradients, moments and update masks are flat
 * arrays with one index. Statistics (running mean and variance) and constants lie behind the trainable ones
 * and never move with them. */
#ifndef RETORT_NN_PARAMS_H
#define RETORT_NN_PARAMS_H

#include "base/arena.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum param_kind { PARAM_TRAINABLE, PARAM_STATISTIC, PARAM_CONSTANT };
enum { PARAM_MAX_DIMS = 4, PARAM_MAX_NAME = 96 };

struct param {
    char name[PARAM_MAX_NAME];
    uint64_t key; /* of the name, compared first */
    enum param_kind kind;
    bool frozen; /* trainable by kind, but must keep its value */
    bool fresh;  /* starts from random values in a model that otherwise starts from another one */
    int dims;
    int64_t shape[PARAM_MAX_DIMS];
    size_t size;
    size_t offset; /* in params.values; below params.trainable exactly when kind is PARAM_TRAINABLE */
    float *place;  /* its values: in params.values, or elsewhere where params are borrowed */
    bool mapped;   /* they lie in a mapped file: read only, and their pages may go */
};

struct params {
    struct arena arena;
    struct param *list;
    int count, capacity;
    bool sealed;
    bool freezing;    /* tensors declared now start frozen */
    bool borrowed;    /* set before the first graph: values lie in a weight file (nn/load.h), and no net trains them */
    size_t trainable; /* coordinates that may be trained */
    size_t total;
    float *values; /* NULL when borrowed */
};

/* The index of a tensor, declared on first use. Declaring happens while the first graph is built; afterwards
 * the set is sealed and an unknown name is a caller's bug, as is a known name with another shape. Returns -1
 * when memory is short. */
int params_declare(struct params *params, const char *name, enum param_kind kind, int dims,
                   const int64_t *shape);

/* Fixes the layout and, unless they are borrowed, allocates zeroed values. */
enum status params_seal(struct params *params, struct error *err);

/* The index of a tensor by name, or -1. */
int params_find(const struct params *params, const char *name);

static inline float *params_values(const struct params *params, int index)
{
    return params->list[index].place;
}

void params_free(struct params *params);

#endif
