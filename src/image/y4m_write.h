/* YUV4MPEG2 out: 8-bit 4:2:0, BT.601, limited range; the inverse of image/y4m.h in integers:
 *
 *     Y = 16 + ((16829 R + 33039 G + 6416 B + 2^15) >> 16)
 *     U = 128 + ((-9714 R - 19071 G + 28785 B + 2^15) >> 16)       of the mean colour of each 2x2 block
 *     V = 128 + ((28785 R - 24104 G - 4681 B + 2^15) >> 16) */
#ifndef RETORT_IMAGE_Y4M_WRITE_H
#define RETORT_IMAGE_Y4M_WRITE_H

#include "image/image.h"

#include <stdio.h>

/* Bytes of a frame with its header line. */
size_t y4m_frame_bytes(int width, int height);

/* Writes the stream's header. fps is rounded to thousandths. */
void y4m_write_header(FILE *stream, int width, int height, double fps);

/* out has y4m_frame_bytes. */
void y4m_encode(uint8_t *out, const struct image *image);

#endif
