/* Compiled once per ISA that has a dot product of bytes, with that ISA's flags: the integer convolution alone.
 * -DCONV_INT8 and -DVF_* name the result (kernels.c). */
#include "kernels/kernels.h"

#include "kernels/vf.h"

#include "kernels/int8_conv_inl.h"

extern void CONV_INT8(const struct int8_block *block);
void CONV_INT8(const struct int8_block *block) { conv_int8(block); }
