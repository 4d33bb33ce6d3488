/* Motion JPEG: pictures one after the other, as cameras and pipes send them.
 *
 * The end of a picture is found by walking its segments, so thumbnails inside do not confuse it. Up to
 * MJPEG_MAX_GAP bytes between two pictures (padding, the text of a multipart stream) are passed over. */
#ifndef RETORT_IMAGE_MJPEG_H
#define RETORT_IMAGE_MJPEG_H

#include "image/image.h"
#include "image/stream.h"

#include <stdbool.h>

enum { MJPEG_MAX_GAP = 1 << 14, MJPEG_MAX_FRAME = 1 << 26 };

/* Start with {0}; mjpeg_close at the end. */
struct mjpeg {
    uint8_t *data; /* one compressed picture */
    size_t size, capacity;
    bool started;   /* the start of the next picture cut the last one short */
    int64_t frames; /* read so far */
};

/* The next picture; *end and no picture when the stream ends between two. A picture that is whole but damaged
 * is an error after which the next call goes on with the next picture. */
enum status mjpeg_next(struct mjpeg *video, struct stream *stream, struct image *out, bool *end,
                       struct error *err);
void mjpeg_close(struct mjpeg *video);

#endif
