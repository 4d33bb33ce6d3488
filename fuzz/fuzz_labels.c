/* Label files. */
/* Parser: src/detect/labels.c -labels_read -labels_write -labels_map -labels_make_map -label_of_detection */
#include "detect/labels.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct labels labels;
    struct error err;
    labels_parse(&labels, &arena, data, size, "fuzz", size % 2 ? 80 : 0, &err);
    arena_free(&arena);
    return 0;
}
