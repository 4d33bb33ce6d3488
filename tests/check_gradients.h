/* Gradients of a network's parameters against a file of the reference. */
#ifndef RETORT_TESTS_CHECK_GRADIENTS_H
#define RETORT_TESTS_CHECK_GRADIENTS_H

#include "nn/params.h"

/* Compares every trainable tensor that the file (below ../shared) holds as NAME or grad.NAME, which must be
 * `tensors` of them; those whose gradient is zero in real arithmetic are left out. */
void check_gradients(const struct params *params, const float *gradients, const char *file, int tensors);

/* The same for two flat gradients, whose every trainable tensor is compared. */
void check_gradients_agree(const struct params *params, const float *gradients, const float *others,
                           int tensors);

#endif
