/* The safetensors reader. */
/* Parser: src/nn/safetensors.c src/nn/quant_file.c -quant_is_part -quant_save -quant_weights */
/* Parser: -channel_of -put_integers -add_parts -list_items -floats_first */
#include "nn/safetensors.h"
#include "weights_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return weights_input(safetensors_parse, data, size);
}
