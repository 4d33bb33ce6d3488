/* Character shapes for labels in pictures: ASCII 32 to 126, five pixels wide. */
#ifndef RETORT_IMAGE_GLYPHS_H
#define RETORT_IMAGE_GLYPHS_H

#include <stdint.h>

enum { GLYPH_FIRST = 32, GLYPH_COUNT = 95, GLYPH_COLUMNS = 5, GLYPH_ROWS = 9 };

/* Rows from the top, seven above the base line and two below; bit 4 is the leftmost pixel. */
extern const uint8_t glyphs[GLYPH_COUNT][GLYPH_ROWS];

#endif
