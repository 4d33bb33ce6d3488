/* Charts as inline SVG for the report: no scripts, colours and type from the page's style sheet.
 *
 * Classes: s0..s5 line and t0..t5 text colours of series (repeating), grid, axis, area, mark, threshold.
 * Lines with more points than pixels are drawn as the lowest and highest value a pixel column, so the size is
 * bounded. Values that are not finite are gaps. All text is escaped. Memory failures stick to the buffer
 * (base/text.h). */
#ifndef RETORT_TRAIN_SVG_H
#define RETORT_TRAIN_SVG_H

#include "base/text.h"

enum { SVG_COLOURS = 6, SVG_MAX_SERIES = 16 };

struct svg_series {
    const char *label; /* stands at the end of the line */
    const double *x;   /* ascending, or NULL for 0, 1, 2, ... */
    const double *y;
    int count;
};

struct svg_chart {
    const char *title;             /* read aloud instead of the picture */
    const char *x_label, *y_label; /* "epoch", "loss" */
    const struct svg_series *series;
    int series_count; /* at most SVG_MAX_SERIES */
    double low, high; /* y axis; low >= high: from the values */
};

struct svg_timeline {
    const char *title;
    const char *x_label, *y_label; /* "frame", "confidence" */
    const double *values;          /* per frame */
    int count;
    double low, high; /* y axis; low >= high: from the values */
    double threshold; /* NaN: none; drawn from frame `warmup` on */
    const char *threshold_label;
    int warmup;        /* frames before the rule starts; 0: none */
    const int *chosen; /* ascending frame numbers in [0, count) */
    int chosen_count;
};

/* width and height in CSS pixels, width >= 240, height >= 120. */
void svg_chart(struct text *out, const struct svg_chart *chart, int width, int height);
void svg_timeline(struct text *out, const struct svg_timeline *timeline, int width, int height);

#endif
