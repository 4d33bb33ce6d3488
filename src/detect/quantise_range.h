/* What was seen of one activation, and the bytes that fit it best. */
#ifndef RETORT_DETECT_QUANTISE_RANGE_H
#define RETORT_DETECT_QUANTISE_RANGE_H

#include "detect/quantise.h"
#include "nn/net.h"

enum { RANGE_BINS = 2048 };

struct range {
    float low, high;           /* start with low > high: nothing seen */
    uint64_t bins[RANGE_BINS]; /* of equal width over [low, high] */
};

/* First all extremes, then all counts. */
void range_extremes(struct range *range, const struct view *view);
void range_count(struct range *range, const struct view *view);

/* Byte q stands for (q - zero) * scale; 0 is always among them. A range that saw nothing or only zeros gives
 * 1 / 255 and 0. */
void range_choose(const struct range *range, const struct quantise_options *options, float *scale,
                  uint8_t *zero);

#endif
