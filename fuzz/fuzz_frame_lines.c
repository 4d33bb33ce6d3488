/* Frames as JSON lines. */
/* Parser: src/cli/frame_lines.c -frame_lines_read */
#include "cli/frame_lines.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct frame_lines frames;
    struct error err;
    const struct class_set classes = {.bits = {0x5}};
    frame_lines_parse(&frames, data, size, "input", &classes, AGGREGATE_MAX, &arena, &err);
    arena_free(&arena);
    return 0;
}
