/* Images as pictures of a report. */
#ifndef RETORT_TRAIN_REPORT_IMAGE_H
#define RETORT_TRAIN_REPORT_IMAGE_H

#include "image/image.h"
#include "train/report.h"

/* The picture at most `width` wide, in `small`. */
enum status report_image_shrink(struct image *small, const struct image *picture, int width,
                                struct error *err);

/* Sets shown->jpeg and its size; report_image_release frees it. */
enum status report_image_encode(struct report_picture *shown, const struct image *image, struct error *err);
void report_image_release(struct report_picture *pictures, int count);

#endif
