#include "image/mjpeg.h"

#include "image/decode.h"

#include <stdlib.h>

enum { SOI = 0xd8, EOI = 0xd9, TEM = 0x01, RST0 = 0xd0, RST7 = 0xd7, FIRST_CAPACITY = 1 << 16 };

static bool stands_alone(int marker) { return marker == TEM || (marker >= RST0 && marker <= RST7); }

static enum status cut(const struct mjpeg *video, const struct stream *stream, struct error *err)
{
    char what[40];
    snprintf(what, sizeof what, "picture %lld", (long long)video->frames);
    return stream_cut(stream, what, err);
}

static enum status keep(struct mjpeg *video, int byte, const struct stream *stream, struct error *err)
{
    if (byte == EOF) return cut(video, stream, err);
    if (video->size == video->capacity) {
        if (video->capacity == MJPEG_MAX_FRAME)
            return fail(err, ERR_INPUT, "%s: byte %llu: picture %lld is larger than %d bytes", stream->name,
                        (unsigned long long)stream->offset, (long long)video->frames, MJPEG_MAX_FRAME);
        const size_t capacity = video->capacity ? video->capacity * 2 : FIRST_CAPACITY;
        uint8_t *larger = realloc(video->data, capacity);
        if (!larger) return fail_memory(err, "a picture of a stream", capacity);
        video->data = larger;
        video->capacity = capacity;
    }
    video->data[video->size++] = (uint8_t)byte;
    return OK;
}

/* Reads a byte, keeps it and hands it out. */
static enum status take(struct mjpeg *video, struct stream *stream, int *byte, struct error *err)
{
    *byte = stream_byte(stream);
    return keep(video, *byte, stream, err);
}

/* Passes over what lies before the next picture. */
static enum status find_start(struct stream *stream, bool *end, struct error *err)
{
    const unsigned long long start = stream->offset;
    int before = 0;
    for (int n = 0; n < MJPEG_MAX_GAP; n++) {
        const int c = stream_byte(stream);
        *end = c == EOF;
        if (*end) return ferror(stream->file) ? stream_cut(stream, "a gap", err) : OK;
        if (before == 0xff && c == SOI) return OK;
        before = c;
    }
    return fail(err, ERR_INPUT, "%s: byte %llu: no picture starts within %d bytes", stream->name, start,
                MJPEG_MAX_GAP);
}

/* The marker after a segment; any bytes that are not one are for the decoder to judge. */
static enum status read_marker(struct mjpeg *video, struct stream *stream, int *marker, struct error *err)
{
    int before = 0;
    for (*marker = 0; before != 0xff || *marker == 0 || *marker == 0xff;) {
        before = *marker;
        TRY(take(video, stream, marker, err));
    }
    return OK;
}

static enum status read_picture(struct mjpeg *video, struct stream *stream, struct error *err)
{
    video->size = 0;
    TRY(keep(video, 0xff, stream, err));
    TRY(keep(video, SOI, stream, err));
    for (;;) {
        int marker, high, low;
        TRY(read_marker(video, stream, &marker, err));
        if (marker == EOI) return OK;
        if (marker == SOI) {
            video->started = true;
            return OK; /* the decoder will miss the end */
        }
        if (stands_alone(marker)) continue;
        TRY(take(video, stream, &high, err));
        TRY(take(video, stream, &low, err));
        for (int n = high << 8 | low; n > 2; n--) TRY(take(video, stream, &low, err));
        /* Coded data follows SOS; in it read_marker passes FF00, and restart markers stand alone. */
    }
}

enum status mjpeg_next(struct mjpeg *video, struct stream *stream, struct image *out, bool *end,
                       struct error *err)
{
    *end = false;
    if (!video->started) TRY(find_start(stream, end, err));
    if (*end) return OK;
    video->started = false;
    TRY(read_picture(video, stream, err));
    char name[400];
    snprintf(name, sizeof name, "%.300s: picture %lld", stream->name, (long long)video->frames++);
    return decode_jpeg(out, video->data, video->size, name, err);
}

void mjpeg_close(struct mjpeg *video)
{
    free(video->data);
    *video = (struct mjpeg){0};
}
