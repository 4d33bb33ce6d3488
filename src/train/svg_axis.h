/* Axes shared by the charts: a linear scale, round tick steps, the frame around the plot. */
#ifndef RETORT_TRAIN_SVG_AXIS_H
#define RETORT_TRAIN_SVG_AXIS_H

#include "base/text.h"

#include <math.h>
#include <stdbool.h>

/* Pixels a character takes in the widest of the page's fonts: bold labels, digits of ticks. */
enum { SVG_MAX_TICKS = 32, SVG_CHARACTER = 9, SVG_DIGIT = 7 };

struct svg_axis {
    double low, high;   /* values at the ends, low < high */
    double start, end;  /* pixels there */
    double step, first; /* between ticks; the lowest tick */
    int ticks, decimals;
};

struct svg_frame {
    struct svg_axis x, y;
    int width, height;
};

/* Ticks about `apart` pixels apart; round_out widens the range to whole steps. */
void svg_axis_set(struct svg_axis *axis, double low, double high, double start, double end, double apart,
                  bool round_out);

/* Not a gap: finite, and far enough from the largest double that ranges are finite, too. */
static inline bool svg_shown(double value) { return fabs(value) <= 1e300; }

/* The pixel of a value; values outside the axis lie on its end. */
static inline double svg_place(const struct svg_axis *axis, double value)
{
    const double part = (value - axis->low) / (axis->high - axis->low);
    return axis->start + (part < 0 ? 0 : part > 1 ? 1 : part) * (axis->end - axis->start);
}

/* Lays the frame out (room for tick labels on the left, `right` pixels on the right) and writes the opening
 * tag, grid, ticks and axis names. The y range is low..high, widened to round steps when round_out. */
void svg_frame_begin(struct svg_frame *frame, struct text *out, const char *title, const char *x_label,
                     const char *y_label, const double x[2], const double y[2], bool round_out, int right,
                     int width, int height);

/* The line through (x[i], y[i]), i.e. path data; x NULL counts from 0. */
void svg_path(struct text *out, const struct svg_frame *frame, const double *x, const double *y, int count);

/* Smallest and largest shown value into range[2]; leaves range alone when there is none. */
void svg_range(double range[2], const double *values, int count);

/* A range for the axis: never empty, from zero when that costs little. */
void svg_range_round(double range[2]);

/* label cut to `room` pixels, escaped. */
void svg_label(struct text *out, const char *label, double room);

#endif
