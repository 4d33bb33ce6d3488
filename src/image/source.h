/* Frame sources: one way to read pictures, wherever they come from.
 *
 *   a folder          its .jpg .jpeg .png .ppm .pgm .pnm files, sorted by name (bytes)
 *   a .txt file       one path a line; a path that does not exist as it stands is looked up beside the list
 *   a picture         one frame
 *   Y4M               YUV4MPEG2 video, a file or a pipe
 *   motion JPEG       from a pipe, or a file whose name ends in .mjpeg or .mjpg
 *   -                 standard input: Y4M, motion JPEG or one picture, told apart by the first bytes */
#ifndef RETORT_IMAGE_SOURCE_H
#define RETORT_IMAGE_SOURCE_H

#include "image/image.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct source;

/* Start with {0}; end with image_free(&frame.image). The picture's memory is used again from frame to frame.
 */
struct frame {
    int64_t id;       /* from 0, broken frames counted */
    const char *name; /* the file, or "stream#id"; the source's, until the next call */
    double time;      /* seconds from the start of a stream that tells its rate (Y4M), else NaN */
    struct image image;
};

/* ERR_INPUT when there is nothing there, or nothing of a known kind. After OK source_close must follow. */
enum status source_open(struct source **source, const char *path, struct error *err);

/* A stream that is already open and stays the caller's; name is for messages and frames. */
enum status source_open_stream(struct source **source, FILE *stream, const char *name, struct error *err);

/* The next frame; *end and no frame after the last. After ERR_INPUT the caller may go on: files and motion
 * JPEG continue with the next frame, a cut or damaged stream has ended. frame->id, name and time are set
 * then, too.
 */
enum status source_next(struct source *source, struct frame *frame, bool *end, struct error *err);

/* Number of frames, -1 where only the end of the stream tells. */
int64_t source_count(const struct source *source);

void source_close(struct source *source); /* NULL is fine */

#endif
