/* Random changes of training pictures and their labels [YOLO11]: mosaic of four, scale and shift,
 * colour jitter, mirroring. With [soft labels] what a teacher is less sure of is asked for less.
 *
 * Every draw has a fixed number, so leaving one out moves no other. A picture's draws depend on seed, epoch
 * and position in the epoch alone; pictures can be made in any order by any number of threads. */
#ifndef RETORT_TRAIN_AUGMENT_H
#define RETORT_TRAIN_AUGMENT_H

#include "detect/labels.h"
#include "image/image.h"
#include "train/assign.h"

#include <stdbool.h>

struct augment_options {
    int size;                      /* side of the result, pixels */
    double mosaic;                 /* probability; the caller sets 0 for the last epochs */
    double scale;                  /* factor in 1 -+ scale */
    double translate;              /* centre at 0.5 -+ translate of the side */
    double hue, saturation, value; /* largest gains */
    double flip;                   /* probability */
    bool soft;                     /* a label's confidence, where it states one, is what is asked of its object */
};
static const struct augment_options AUGMENT_DEFAULTS = {640, 1, 0.5, 0.1, 0.015, 0.7, 0.4, 0.5, false};

/* In the reference's order; it also draws perspective, angle, shear and a vertical flip, whose ranges are
 * empty. */
enum augment_draw {
    AUGMENT_MOSAIC,
    AUGMENT_OTHERS, /* three pictures */
    AUGMENT_CENTRE_Y = AUGMENT_OTHERS + 3,
    AUGMENT_CENTRE_X,
    AUGMENT_SCALE,
    AUGMENT_SHIFT_X,
    AUGMENT_SHIFT_Y,
    AUGMENT_HUE,
    AUGMENT_SATURATION,
    AUGMENT_VALUE,
    AUGMENT_FLIP,
    AUGMENT_DRAWS
};

/* Draws in [0, 1) of the stream "augment" for the picture at `position` (>= 0) of the epoch. */
void augment_draw(double draws[AUGMENT_DRAWS], uint64_t seed, int epoch, int position);

/* What is done to one picture. */
struct augment_plan {
    bool mosaic, flip;
    int others[3];           /* pictures beside the first; with replacement */
    int centre_x, centre_y;  /* where the four meet on the canvas of twice the side */
    double scale;            /* about the centre of the canvas or picture, which then lies at ... */
    double shift_x, shift_y; /* ... this pixel of the result */
    double hue, saturation, value;
};

/* pictures: how many there are to choose the others from, >= 1. */
struct augment_plan augment_plan(const struct augment_options *options, const double draws[AUGMENT_DRAWS],
                                 int pictures);

/* A loaded picture (letterbox_load_size) with its labels. */
struct augment_sample {
    const struct image *picture;
    const struct label *labels;
    int count;
};

/* Makes one training picture of size x size from samples[0], or of a mosaic from
 * samples[0..3]. canvas is
 * scratch that keeps its memory between calls. labels has room for all labels of the samples used; those that
 * remain visible are written with the given image number, in the order of the samples, and *count is their
 * number. */
enum status augment_apply(struct image *out, struct target *labels, int *count, struct image *canvas,
                          const struct augment_options *options, const struct augment_plan *plan,
                          const struct augment_sample *samples, int image, struct error *err);

#endif
