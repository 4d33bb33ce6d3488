/* The saved state of a selection stream on any bytes; what was accepted must run on. */
/* Parser: src/select/stream.c */
#include "select/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct select_stream stream;
    struct select_options options = select_defaults();
    options.warmup = options.window = 4;
    if (select_stream_open(&stream, &options, (struct draws){0}, &arena, NULL) == OK &&
        select_stream_load(&stream, data, size, NULL) == OK)
        for (int i = 0; i < 12; i++) {
            select_stream_push(&stream, i * 0.1);
            if (select_stream_closed(&stream)) select_stream_next_window(&stream, i % 2);
        }
    arena_free(&arena);
    return 0;
}
