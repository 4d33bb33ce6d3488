/* Any bytes as a stream of frames: Y4M, motion JPEG, one picture. */
/* Parser: src/image/y4m.c src/image/mjpeg.c src/image/stream.c */
#include "image/source.h"

#include <stdint.h>
#include <stdio.h>

enum { MAX_FRAMES = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FILE *stream = size ? fmemopen((void *)data, size, "rb") : NULL;
    if (!stream) return 0;
    struct source *source;
    struct frame frame = {0};
    struct error err;
    bool end = source_open_stream(&source, stream, "input", &err) != OK;
    for (int i = 0; i < MAX_FRAMES && !end; i++) (void)source_next(source, &frame, &end, &err);
    source_close(source);
    image_free(&frame.image);
    fclose(stream);
    return 0;
}
