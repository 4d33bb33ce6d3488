/* The detector's raw output, as the graph leaves it and as decoding and the loss read it.
 *
 * Per level and grid cell 64 box logits (side-major: left, top, right, bottom x 16 bins) and one logit a class.
 * NHWC: cell (y, x) of image i is row (i * height + y) * width + x. Anchor points are numbered through the levels 8,
 * 16, 32 of one image, row-major inside a level. */
#ifndef RETORT_DETECT_HEAD_H
#define RETORT_DETECT_HEAD_H

#include <stddef.h>

enum { HEAD_LEVELS = 3, HEAD_BINS = 16, HEAD_SIDES = 4, HEAD_BOX_LOGITS = HEAD_SIDES * HEAD_BINS };

struct head_level {
    int height, width; /* grid cells */
    int stride;        /* input pixels a cell */
    float *boxes;      /* [images * height * width][64], rows box_stride floats apart */
    ptrdiff_t box_stride;
    float *scores; /* [images * height * width][classes], rows score_stride floats apart */
    ptrdiff_t score_stride;
};

struct head {
    int images, classes;
    struct head_level level[HEAD_LEVELS];
};

/* Anchor points of one image, over all levels. */
static inline int head_anchors(const struct head *head)
{
    int n = 0;
    for (int i = 0; i < HEAD_LEVELS; i++) n += head->level[i].height * head->level[i].width;
    return n;
}

#endif
