/* A byte stream with a look at its first bytes, which pipes cannot be wound back for. Used by the frame
 * readers. */
#ifndef RETORT_IMAGE_STREAM_H
#define RETORT_IMAGE_STREAM_H

#include "base/status.h"

#include <stdint.h>
#include <stdio.h>

enum { STREAM_HEAD = 16 };

struct stream {
    FILE *file;
    const char *name; /* for messages; outlives the stream */
    uint64_t offset;  /* bytes handed out */
    size_t head_size; /* may be less than STREAM_HEAD when the stream is shorter */
    uint8_t head[STREAM_HEAD];
};

/* Reads the head. The file stays the caller's. */
void stream_start(struct stream *stream, FILE *file, const char *name);

/* The next n bytes, fewer at the end. */
size_t stream_read(struct stream *stream, uint8_t *out, size_t n);

int stream_byte(struct stream *stream); /* EOF at the end */

/* ERR_INPUT (or the failure of the system when there was one) for a stream that ended inside `what`. */
enum status stream_cut(const struct stream *stream, const char *what, struct error *err);

#endif
