/* Where a pooling window lies, for floats and bytes alike. */
#ifndef RETORT_NN_POOL_H
#define RETORT_NN_POOL_H

#include "nn/graph.h"

struct pool_range {
    int begin, end;
};

/* The part of window number i that lies inside [0, size). */
static inline struct pool_range pool_window(struct pool_options o, int i, int size)
{
    const int begin = i * o.stride - o.padding, end = begin + o.kernel;
    return (struct pool_range){begin < 0 ? 0 : begin, end > size ? size : end};
}

#endif
