/* The pt reader on any bytes; what it accepts is converted too. */
/* Parser: src/nn/pt.c src/nn/pickle.c src/nn/pickle_machine.c src/nn/zip.c */
#include "nn/pt.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct weights weights;
    struct error err;
    if (pt_parse(&weights, data, size, "input", &err) != OK) return 0;
    for (size_t i = 0; i < weights.count && i < 100; i++) {
        float *values = malloc((size_t)(weights.tensors[i].count + 1) * sizeof *values);
        if (values) weights_read_finite(values, &weights, &weights.tensors[i], &err);
        free(values);
    }
    weights_close(&weights);
    return 0;
}
