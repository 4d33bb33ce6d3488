/* Decoding pictures: JPEG, PNG, PNM (P5, P6), told apart by their first bytes.
 *
 * JPEG    accurate integer inverse transform, smooth chroma upsampling: the libraries' defaults, so that pixels
 *         equal those of the usual decoders; grey, YCbCr, RGB, CMYK and YCCK; baseline and progressive.
 * PNG     1 to 16 bits (the upper byte of 16), grey, palette, colour, interlaced or not. Alpha is dropped: the
 *         colour stored under a transparent pixel is what comes out. No gamma correction.
 * PNM     8 and 16 bits; other maxima than 255 are scaled to 255 and rounded.
 *
 * An orientation in EXIF is always applied. Damaged and cut-off files are ERR_INPUT, never a partly grey
 * picture. */
#ifndef RETORT_IMAGE_DECODE_H
#define RETORT_IMAGE_DECODE_H

#include "image/image.h"

#include <stdbool.h>

/* name is for messages. image_read leaves {0} when it fails. */
enum status image_decode(struct image *out, const uint8_t *data, size_t n, const char *name,
                         struct error *err);
enum status image_read(struct image *out, const char *path, struct error *err);

/* The size of the upright picture: what is in the header is trusted for it. A PNG is decoded, since its
 * orientation may stand behind the pixels. *width and *height mean nothing after an error. */
enum status image_size(int *width, int *height, const uint8_t *data, size_t n, const char *name,
                       struct error *err);
enum status image_read_size(int *width, int *height, const char *path, struct error *err);

/* Whether the first n bytes of a file are the start of a JPEG, PNG or PNM picture; 8 bytes are enough. */
bool image_recognised(const uint8_t *data, size_t n);

/* The formats one by one; without its library a format is ERR_INPUT with a message that says so. */
enum status decode_jpeg(struct image *out, const uint8_t *data, size_t n, const char *name,
                        struct error *err);
enum status decode_png(struct image *out, const uint8_t *data, size_t n, const char *name, struct error *err);
enum status decode_pnm(struct image *out, const uint8_t *data, size_t n, const char *name, struct error *err);
enum status decode_jpeg_size(int *width, int *height, const uint8_t *data, size_t n, const char *name,
                             struct error *err);
enum status decode_pnm_size(int *width, int *height, const uint8_t *data, size_t n, const char *name,
                            struct error *err);

#endif
