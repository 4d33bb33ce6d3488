/* Descriptions of data sets. */
/* Parser: src/detect/data_yaml.c -data_yaml_read */
#include "detect/data_yaml.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct data_yaml yaml;
    struct error err;
    data_yaml_parse(&yaml, &arena, data, size, "fuzz", &err);
    arena_free(&arena);
    return 0;
}
