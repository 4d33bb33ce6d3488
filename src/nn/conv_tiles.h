/* Tiles of a map, for the forms of a convolution that transform them. Private to conv_*.c. */
#ifndef RETORT_NN_CONV_TILES_H
#define RETORT_NN_CONV_TILES_H

#include "nn/op.h"

enum { TILES_PAD = 16 }; /* floats between planes of values of tiles, so that they do not share cache sets */

/* Whether the node is a plain 3x3 convolution of the stride, of whole blocks of channels and an output of at least so
 * many rows and columns. */
bool tiles_fit(const struct net *net, const struct node *node, int stride, int least);

/* Tiles of side x side pixels over every image of a view, row by row; the last ones may stick out. */
struct tiling {
    int side, across, down;
};
struct tiling tiling_of(const struct view *view, int side);
static inline int tiling_tiles(struct tiling tiling) { return tiling.across * tiling.down; } /* of an image */

struct tile {
    int64_t image;
    int row, column; /* among the image's tiles */
};
struct tile tile_of(struct tiling tiling, int64_t index);

/* The pixel, or NULL outside the image. */
static inline float *tile_pixel(const struct view *view, int64_t image, int y, int x)
{
    const bool inside = (unsigned)y < (unsigned)view->height && (unsigned)x < (unsigned)view->width;
    return inside ? view_pixel(view, image, y, x) : NULL;
}

/* side x side pixels from (y, x) on, at the given channel; rows of zeros outside the image. */
void tile_window(const struct net *net, const struct view *view, int64_t image, int y, int x, int side,
                 int channel, const float **pixels);

/* Number of the next block where `left` of something go into blocks of at most `most`, as even as may be. */
static inline int tile_block(int64_t left, int most)
{
    const int64_t blocks = (left + most - 1) / most;
    return (int)((left + blocks - 1) / blocks);
}

/* Calls body for blocks of at most `most` tiles of [0, tiles), with the worker's scratch. */
typedef void tiles_body(void *context, int64_t first, int tiles, float *scratch);
void tiles_run(const struct net *net, int64_t tiles, int most, tiles_body *body, void *context);

#endif
