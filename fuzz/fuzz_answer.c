/* Answers of external teachers. */
/* Parser: src/train/answer.c */
#include "train/answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int map[LABELS_MAX_CLASSES];
    map[0] = -1;
    const struct image picture = {.width = 64, .height = 48};
    const struct answer_options options = {.confidence = 0.25f, .class_map = size % 2 ? map : NULL};
    struct arena arena = {0};
    struct labels labels;
    struct error err;
    answer_read(&labels, data, size, "answer", "a.jpg", &picture, &options, &arena, &err);
    arena_free(&arena);
    return 0;
}
