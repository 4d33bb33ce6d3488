/* Orientation: the eight ways a camera may have stored a picture, and mirroring.
 *
 * Numbers as in EXIF tag 0x0112: 1 upright, 2 mirrored left-right, 3 turned by 180 degrees, 4 mirrored
 * top-bottom, 5 transposed, 6 to be turned clockwise, 7 transposed along the other diagonal, 8 to be turned
 * anticlockwise. */
#ifndef RETORT_IMAGE_ORIENT_H
#define RETORT_IMAGE_ORIENT_H

#include "image/image.h"

#include <stdbool.h>

/* Whether making it upright exchanges width and height. */
static inline bool orient_is_turned(int orientation) { return orientation >= 5 && orientation <= 8; }

/* Makes the picture upright, in place; 5 to 8 exchange width and height. Anything outside 1..8 counts as 1.
 */
enum status orient_upright(struct image *image, int orientation, struct error *err);

/* Reverses the columns in place. */
void orient_mirror(struct image *image);

/* The orientation in an EXIF block, n bytes that start with the TIFF header ("II" or "MM"). 1 when there is
 * none or when the block is damaged: a picture is not refused for its notes. */
int orient_from_exif(const uint8_t *tiff, size_t n);

#endif
