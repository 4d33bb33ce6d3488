/* Colour jitter in 8-bit hue, saturation, value [YOLO11]. */
#ifndef RETORT_IMAGE_HSV_H
#define RETORT_IMAGE_HSV_H

#include "image/image.h"

/* Hue in 0..179 (two degrees a step), saturation and value in 0..255; integer arithmetic, exact. */
void hsv_from_rgb(uint8_t hsv[3], const uint8_t rgb[3]);

/* float32, truncated: within 1 of any other evaluation. */
void hsv_to_rgb(uint8_t rgb[3], const uint8_t hsv[3]);

/* In place: hue turned by hue*180 steps, saturation and value multiplied by 1 + gain, each in [-1, 1]. Black
 * and grey keep saturation 0. */
void hsv_jitter(struct image *image, double hue, double saturation, double value);

#endif
