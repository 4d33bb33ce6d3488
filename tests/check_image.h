/* What the picture tests share. */
#ifndef RETORT_TESTS_CHECK_IMAGE_H
#define RETORT_TESTS_CHECK_IMAGE_H

#include "check.h"

#include "base/hash.h"
#include "image/image.h"

#include <stdbool.h>

/* The generated picture of that name: ramps, blocks and noise (golden YOLO11 letterbox list). */
void check_image_synth(struct image *image, const char *name, int width, int height);

/* SHA-256 of the bytes, also with red and blue exchanged, as references that store B G R hash them. */
void check_image_hash(const struct image *image, bool bgr, char hex[SHA256_HEX]);

/* A whole file; the caller frees. */
uint8_t *check_bytes(const char *path, size_t *n);

/* The uint8 tensor `name` of a safetensors file as a picture: [h, w, 3], [3, h, w] planes, or [h, w] grey.
 * bgr: stored B G R. Fails the test when it is not there; without jansson the test is skipped. */
void check_image_tensor(struct image *image, const char *path, const char *name, bool bgr);

/* Bytes that differ, and the largest difference. Sizes must be equal. */
size_t check_image_difference(const struct image *a, const struct image *b, int *largest);

#endif
