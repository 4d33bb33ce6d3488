/* Sums over the pixels of a batch, in an order fixed by shape alone.
 *
 * A chunk is as many whole rows of one image as hold at most 512 pixels (one row where that is wider). Each
 * chunk is one chain per channel; chunks of an image are added in order; images are added in a binary tree
 * split at the largest power of two, so that a batch shared by 1, 2, 4 or 8 workers in aligned groups gives
 * the same bits. */
#ifndef RETORT_NN_PIXELS_H
#define RETORT_NN_PIXELS_H

#include "nn/net.h"

struct chunks {
    int rows; /* of one chunk; the last of an image may have fewer */
    int per_image;
};
struct chunks pixels_chunks(int height, int width);

/* Number of pixels and first row (within the whole view) of chunk index in [0, images * per_image). */
int64_t pixels_chunk_begin(const struct view *view, struct chunks chunks, int64_t index, int *pixels);

/* Computes the partial sums of one chunk: `count` values a channel, value k of channel c at partial[k *
 * channels + c], already zeroed. */
typedef void pixels_body(void *context, int64_t begin, int pixels, float *partial);

/* Floats that pixels_sum needs in `partials`. */
size_t pixels_partials(const struct view *view, int count);

/* sums[k * channels + c] in double. */
void pixels_sum(const struct net *net, const struct view *view, int count, pixels_body *body, void *context,
                float *partials, double *sums);

/* Adds a sequence of n equally long rows in the tree's order, one row at a time: feed row 0, 1, ...; stack
 * has tree_levels(n) rows. tree_feed leaves the finished sum in stack row 0 after the last row. A row made
 * where tree_place says, in its place in the stack or in `row`, is not copied. */
int tree_levels(int n);
float *tree_place(float *stack, int index, float *row);
void tree_feed(float *stack, ptrdiff_t level_stride, int index, int n, float *row, size_t length);

/* The same tree for doubles. Every row comes in `row`, where the finished sum is left after the last one. */
void tree_feed_double(double *stack, ptrdiff_t level_stride, int index, int n, double *row, size_t length);

/* A stack for so many columns at a time and any number of rows fits on the thread's own. */
enum { TREE_COLUMNS = 16, TREE_MAX_LEVELS = 32 };

#endif
