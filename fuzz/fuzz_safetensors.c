/* The safetensors reader. */
/* Parser: src/nn/safetensors.c */
#include "nn/safetensors.h"
#include "weights_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return weights_input(safetensors_parse, data, size);
}
