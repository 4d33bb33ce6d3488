/* The pt reader. */
/* Parser: src/nn/pt.c src/nn/pickle.c src/nn/pickle_machine.c src/nn/zip.c */
#include "nn/pt.h"
#include "weights_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { return weights_input(pt_parse, data, size); }
