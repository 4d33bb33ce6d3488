/* Weights of an integer convolution for the kernels (kernels.h, struct int8_column). */
#ifndef RETORT_NN_INT8_PACK_H
#define RETORT_NN_INT8_PACK_H

#include "kernels/kernels.h"

/* The bytes of step i, which the caller fills before int8_pack_column: [16 outputs][4 inputs], weights of
 * -127..127. They lie in the column's own memory. */
int8_t *int8_pack_step(int32_t *column, int steps, int i);

/* Arranges a column of int8_column_size(steps) integers: the order of its steps and, where all weights are
 * light enough, pairs of them, are chosen so that 16 bits hold most sums. order[i] is the step that stands at
 * place i; the caller replaces them by offsets. */
struct int8_column int8_pack_column(int32_t *order, int steps);

#endif
