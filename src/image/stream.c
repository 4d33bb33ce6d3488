#include "image/stream.h"

#include <string.h>

void stream_start(struct stream *stream, FILE *file, const char *name)
{
    *stream = (struct stream){.file = file, .name = name};
    stream->head_size = fread(stream->head, 1, STREAM_HEAD, file);
}

size_t stream_read(struct stream *stream, uint8_t *out, size_t n)
{
    size_t done = 0;
    if (stream->offset < stream->head_size) {
        done = stream->head_size - (size_t)stream->offset;
        if (done > n) done = n;
        memcpy(out, stream->head + stream->offset, done);
    }
    if (done < n) done += fread(out + done, 1, n - done, stream->file);
    stream->offset += done;
    return done;
}

int stream_byte(struct stream *stream)
{
    if (stream->offset < stream->head_size) return stream->head[stream->offset++];
    const int c = getc(stream->file);
    stream->offset += c != EOF;
    return c;
}

enum status stream_cut(const struct stream *stream, const char *what, struct error *err)
{
    if (ferror(stream->file)) return fail_errno(err, "read", stream->name);
    return fail(err, ERR_INPUT, "%s: byte %llu: the stream ends inside %s", stream->name,
                (unsigned long long)stream->offset, what);
}
