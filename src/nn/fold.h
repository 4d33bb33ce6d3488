/* A batch norm folded into one output channel of the convolution before it: weight * factor and bias, in
 * double, each rounded once by whoever stores it. */
#ifndef RETORT_NN_FOLD_H
#define RETORT_NN_FOLD_H

#include <math.h>

static inline double fold_factor(float gamma, float variance, float eps)
{
    return gamma / sqrt((double)variance + (double)eps);
}

static inline double fold_bias(float beta, float mean, double factor) { return beta - mean * factor; }

#endif
