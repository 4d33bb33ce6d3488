/* Files of a pretraining run with three weights. */
/* Parser: src/train/pretrain_state.c -pretrain_state_make -pretrain_state_write -pretrain_state_read */
/* Parser: -pretrain_recipe -arrays_of */
#include "nn/safetensors.h"
#include "train/pretrain_state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TRAINABLE = 3 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    float values[TRAINABLE], m[TRAINABLE], v[TRAINABLE];
    struct params params = {.values = values, .trainable = TRAINABLE};
    struct pretrain_state state = {.m = m, .v = v, .recipe = "0"};
    struct weights file;
    struct error err;
    if (safetensors_parse(&file, data, size, "input", &err) != OK) return 0;
    pretrain_state_restore(&file, &state, &params, &err);
    weights_close(&file);
    return 0;
}
