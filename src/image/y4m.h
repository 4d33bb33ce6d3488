/* YUV4MPEG2: uncompressed video for pipes.
 *
 * 8-bit 420jpeg, 420mpeg2, 420paldv, 420, 422, 444 and mono, progressive. YCbCr is BT.601, limited range
 * unless the header says XCOLORRANGE=FULL. Conversion in integers, with y = max(Y - 16, 0), u = U - 128, v =
 * V - 128:
 *
 *     R = clip((1220542 y + 1673527 v + 2^19) >> 20)                1.164, 1.596
 *     G = clip((1220542 y - 852492 v - 409993 u + 2^19) >> 20)      0.813, 0.391
 *     B = clip((1220542 y + 2116026 u + 2^19) >> 20)                2.018
 *
 * full range: y = Y, factors 2^20, 1470104, 748825 and 360853, 1858077 (1.402, 0.714136, 0.344136, 1.772). A
 * chroma sample covers its whole 2x2 or 2x1 block, whatever its siting. Mono is limited range with u = v = 0.
 */
#ifndef RETORT_IMAGE_Y4M_H
#define RETORT_IMAGE_Y4M_H

#include "image/image.h"
#include "image/stream.h"

#include <stdbool.h>

struct y4m {
    int width, height;
    int shift_x, shift_y; /* halvings of chroma across and down */
    bool mono, full_range;
    int rate, rate_divisor; /* frames a second as a fraction; 0: the header does not tell */
    int64_t frames;         /* read so far */
    size_t size;            /* bytes of a frame */
    uint8_t *planes;
};

/* Reads the stream header. After OK y4m_close must follow. */
enum status y4m_open(struct y4m *video, struct stream *stream, struct error *err);

/* The next frame; *end and no frame when the stream ends between two frames. */
enum status y4m_next(struct y4m *video, struct stream *stream, struct image *out, bool *end,
                     struct error *err);

/* Seconds from the first frame to this one; NaN when the header tells no rate. The quotient is rounded once
 * as long as frame * rate_divisor is below 2^53. */
double y4m_time(const struct y4m *video, int64_t frame);

void y4m_close(struct y4m *video);

#endif
