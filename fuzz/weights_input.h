/* A reader of weights on any bytes; what it accepts is converted too, quantised layers as well. */
#ifndef RETORT_FUZZ_WEIGHTS_INPUT_H
#define RETORT_FUZZ_WEIGHTS_INPUT_H

#include "nn/quant.h"
#include "nn/weights.h"

#include <stdlib.h>

typedef enum status weights_parser(struct weights *weights, const void *data, size_t n, const char *name,
                                   struct error *err);

static int weights_input(weights_parser *parse, const uint8_t *data, size_t size)
{
    struct weights weights;
    struct error err;
    if (parse(&weights, data, size, "input", &err) != OK) return 0;
    for (size_t i = 0; i < weights.count && i < 100; i++) {
        float *values = malloc((size_t)(weights.tensors[i].count + 1) * sizeof *values);
        if (values) weights_read_finite(values, &weights, &weights.tensors[i], &err);
        free(values);
    }
    struct quant quant;
    if (quant_read(&quant, &weights, &err) == OK) quant_free(&quant);
    weights_close(&weights);
    return 0;
}

#endif
