/* The polyphase form of a 3x3 convolution of stride 2, forward and both gradients: the plan "fast".
 *
 * Along one axis two outputs read inputs x0..x4. The even ones meet two weights, as in Winograd's F(2, 2), the odd ones
 * one:
 *
 *   y0 = a w0 + b w1 + c (w0 + w2)    a = x0 - x2    b = x1    c = x2
 *   y1 = c (w0 + w2) + e w1 + d w2    d = x4 - x2    e = x3
 *
 * five products for six. Along both axes a tile of 2 x 2 outputs takes 25 for 36. Products that end in the same outputs
 * make one chain, so each output is a chain that begins from the sum of two that it shares. The gradients are the
 * transposes of this. The order of every operation is in docs/NUMERICS.md. */
#include "nn/conv.h"
#include "nn/conv_tiles.h"

#include <string.h>

enum {
    LEAST_SIDE = 12,   /* of the output: below, twice the weights outgrow what they save */
    LEAST_TRAINED = 8, /* in training, where the pictures of a batch share them */
    LEAST_CHANNELS = 32,
    MOST_TILES =
        50, /* in a block; the terms of weight gradients take turns by it, so it shows in their rounding */
};

bool conv_polyphase(const struct net *net, const struct node *node)
{
    return net->options.plan == PLAN_FAST && net->graph->tensors[node->input[0]].channels >= LEAST_CHANNELS &&
           tiles_fit(net, node, 2, op_training(net) ? LEAST_TRAINED : LEAST_SIDE);
}

struct place {
    unsigned char row, column;
};

/* ---- Weights: [block of outputs][matrix][input channel][16] ---- */

enum { W0, W1, W2, W02, WEIGHTS }; /* along one axis: the three weights, and the first plus the last */

/* The matrices of a chain are neighbours: four of each corner, two of what a row or column of the tile shares, one of
 * what all share. */
enum {
    CORNER_00 = 0,
    CORNER_01 = 2,
    CORNER_10 = 6,
    CORNER_11 = 8,
    ROW_0 = 12,
    ROW_1,
    COLUMN_0 = 15,
    COLUMN_1,
    ALL = 18
};
enum { FORWARD_MATRICES = 19, BACKWARD_MATRICES = WEIGHTS * WEIGHTS };
static const struct place forward_matrices[FORWARD_MATRICES] = {
    {W0, W0},  {W1, W0},  {W0, W1},  {W1, W1},  {W0, W2},   {W1, W2},  {W1, W0},
    {W2, W0},  {W1, W1},  {W2, W1},  {W1, W2},  {W2, W2},   {W0, W02}, {W1, W02},
    {W2, W02}, {W02, W0}, {W02, W1}, {W02, W2}, {W02, W02},
};

size_t conv_polyphase_floats(int in, int out, bool backward)
{
    return (size_t)(backward ? BACKWARD_MATRICES : FORWARD_MATRICES) * (size_t)in * (size_t)out;
}

struct matrices {
    float *packed;
    ptrdiff_t step; /* from one to the next */
    bool backward;
};

/* The matrices of one place of the chain from its nine weights. */
static void pack_place(void *context, int block, int place, const float *nine)
{
    const struct matrices *p = context;
    const int matrices = p->backward ? BACKWARD_MATRICES : FORWARD_MATRICES;
    float w[WEIGHTS][WEIGHTS][KERNEL_BLOCK];
    for (int r = 0; r < W02; r++) {
        memcpy(w[r], nine + (ptrdiff_t)3 * r * KERNEL_BLOCK, 3 * sizeof w[r][0]);
        for (int n = 0; n < KERNEL_BLOCK; n++) w[r][W02][n] = w[r][W0][n] + w[r][W2][n];
    }
    for (int c = 0; c < WEIGHTS; c++)
        for (int n = 0; n < KERNEL_BLOCK; n++) w[W02][c][n] = w[W0][c][n] + w[W2][c][n];
    float *to = p->packed + block * matrices * p->step + (ptrdiff_t)place * KERNEL_BLOCK;
    for (int m = 0; m < matrices; m++, to += p->step) {
        const float *from =
            p->backward ? w[m / WEIGHTS][m % WEIGHTS] : w[forward_matrices[m].row][forward_matrices[m].column];
        memcpy(to, from, KERNEL_BLOCK * sizeof *from);
    }
}

void conv_polyphase_pack(const struct net *net, const struct node *node, bool backward, float *packed)
{
    const ptrdiff_t chain = net->graph->tensors[backward ? node->output : node->input[0]].channels;
    conv_pack_nines(net, node, backward, false, pack_place,
                    &(struct matrices){packed, chain * KERNEL_BLOCK, backward});
}

/* ---- Tiles ---- */

typedef const float *lane[MOST_TILES]; /* a row of channels of each tile */

/* A block of tiles of 2 x 2 outputs, and the worker's scratch. */
struct block {
    const struct net *net;
    struct tiling tiling;
    int64_t first;
    int tiles;
    float *free;
};

/* Rows of so many channels for n tiles. */
static void take(struct block *b, int n, int channels, float **rows)
{
    for (int t = 0; t < n; t++, b->free += channels) rows[t] = b->free;
}

/* Pixel (y, x) of each tile, which has side x side of them; `outside` where there is none. */
static void pixels_of(const struct block *b, const struct view *view, int side, int y, int x, float *outside,
                      float **rows)
{
    for (int t = 0; t < b->tiles; t++) {
        const struct tile tile = tile_of(b->tiling, b->first + t);
        float *pixel = tile_pixel(view, tile.image, tile.row * side + y, tile.column * side + x);
        rows[t] = pixel ? pixel : outside;
    }
}

/* Chains through `taps` lanes of n rows each and as many matrices from the given one on. */
struct chains {
    const struct kernels *kernels;
    const float *weights;
    int matrices, channels_in, channels_out;
    enum activation activation; /* of the last ones of a tile, */
    const float *bias;          /* which begin with it, too */
};

static void chains_run(const struct chains *c, int matrix, int taps, lane *const *tap, int tiles,
                       float *const *start, float *const *out, bool last)
{
    const float *in[4 * MOST_TILES];
    for (int t = 0; t < taps; t++) memcpy(in + t * tiles, *tap[t], (size_t)tiles * sizeof *in);
    c->kernels->conv(
        &(struct conv_block){.in = in,
                             .out = out,
                             .pixels = tiles,
                             .taps = taps,
                             .channels = c->channels_in,
                             .cout = c->channels_out,
                             .weights = c->weights + (ptrdiff_t)matrix * c->channels_in * KERNEL_BLOCK,
                             .weight_stride = (ptrdiff_t)c->matrices * c->channels_in * KERNEL_BLOCK,
                             .bias = last ? c->bias : NULL,
                             .start = start,
                             .activation = last ? c->activation : ACT_NONE,
                             .warm = 1});
}

static void sum(const struct block *b, float *const *to, float *const *left, float *const *right,
                int channels)
{
    b->net->kernels->sum_rows(to, (const float *const *)left, (const float *const *)right, b->tiles,
                              channels);
}

/* ---- Forward ---- */

enum { A, B, C, D, E, AXIS };
static const unsigned char pair[2][2] = {{A, B},
                                         {E, D}}; /* what the first and the second output alone read */

/* The 5 x 5 inputs of tile t of the block. */
static void window_of(const struct block *b, const struct view *x, int t, int channel, const float **pixels)
{
    const struct tile tile = tile_of(b->tiling, b->first + t);
    tile_window(b->net, x, tile.image, tile.row * 4 - 1, tile.column * 4 - 1, 5, channel, pixels);
}

/* The 5 x 5 inputs of each tile from a channel on, as [row][column] of a, b, c, d and e: computed, or in place. */
static void differences(struct block *b, const struct view *x, int channel, int channels, lane v[AXIS][AXIS])
{
    static const struct place computed[16] = {{A, A}, {A, B}, {A, C}, {A, D}, {A, E}, {D, A}, {D, B}, {D, C},
                                              {D, D}, {D, E}, {B, A}, {B, D}, {C, A}, {C, D}, {E, A}, {E, D}};
    static const unsigned char raw[3][2] = {{B, 1}, {C, 2}, {E, 3}};
    const ptrdiff_t stride = (ptrdiff_t)b->tiles * channels;
    const float *windows[2][25];
    window_of(b, x, 0, channel, windows[0]);
    for (int t = 0; t < b->tiles; t++) {
        const float *const *const in = windows[t & 1], *const *ahead = in;
        if (t + 1 < b->tiles) {
            ahead = windows[(t + 1) & 1];
            window_of(b, x, t + 1, channel, windows[(t + 1) & 1]);
        }
        float *const to = b->free + (ptrdiff_t)t * channels;
        b->net->kernels->polyphase_input(to, stride, in, ahead, channels);
        for (int k = 0; k < 16; k++) v[computed[k].row][computed[k].column][t] = to + k * stride;
        for (int r = 0; r < 3; r++)
            for (int c = 0; c < 3; c++) v[raw[r][0]][raw[c][0]][t] = in[raw[r][1] * 5 + raw[c][1]];
    }
    b->free += 16 * stride;
}

static void forward_block(void *context, int64_t first, int tiles, float *scratch)
{
    const struct conv_walk *w = context;
    struct block *const b = &(struct block){w->net, tiling_of(&w->target, 2), first, tiles, scratch};
    const int out = w->target.channels;
    const struct chains chains = {b->net->kernels, w->weights, FORWARD_MATRICES, w->source.channels, out,
                                  w->activation,   w->bias};
    lane v[AXIS][AXIS];
    differences(b, &w->source, 0, w->source.channels, v);
    float *all[MOST_TILES], *rows[2][MOST_TILES], *columns[2][MOST_TILES], *start[MOST_TILES],
        *to[MOST_TILES], *outside;
    take(b, b->tiles, out, all);
    take(b, b->tiles, out, start);
    take(b, 1, out, &outside);
    chains_run(&chains, ALL, 1, (lane *const[]){&v[C][C]}, b->tiles, NULL, all, false);
    for (int i = 0; i < 2; i++) {
        const int p = pair[i][0], q = pair[i][1];
        take(b, b->tiles, out, rows[i]);
        take(b, b->tiles, out, columns[i]);
        chains_run(&chains, ROW_0 + i, 2, (lane *const[]){&v[p][C], &v[q][C]}, b->tiles, all, rows[i], false);
        chains_run(&chains, COLUMN_0 + i, 2, (lane *const[]){&v[C][p], &v[C][q]}, b->tiles, NULL, columns[i],
                   false);
    }
    static const unsigned char corner[2][2] = {{CORNER_00, CORNER_01}, {CORNER_10, CORNER_11}};
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++) {
            const int p = pair[i][0], q = pair[i][1], s = pair[j][0], t = pair[j][1];
            sum(b, start, rows[i], columns[j], out);
            pixels_of(b, &w->target, 2, i, j, outside, to);
            chains_run(&chains, corner[i][j], 4, (lane *const[]){&v[p][s], &v[q][s], &v[p][t], &v[q][t]},
                       b->tiles, start, to, true);
        }
}

void conv_polyphase_forward(const struct conv_walk *w)
{
    const int64_t tiles = (int64_t)w->target.images * tiling_tiles(tiling_of(&w->target, 2));
    tiles_run(w->net, tiles, MOST_TILES, forward_block, (void *)w);
}

/* ---- The gradient of the input ----
 *
 * Along one axis, from dz0..dz2: the first of four is dz0 w1, the third dz1 w1, and
 *
 *   second = p w2 + q (w0 + w2)    p = dz0 - dz1    q = dz1
 *   fourth = q (w0 + w2) + r w0    r = dz2 - dz1 */

enum { P, R, Q, Z0, Z1, BACKWARD_LANES = Z1 };
static const unsigned char weight_of[] = {W2, W0, W02, W1, W1};
static int lane_of(int place) { return place == Z1 ? Q : place; } /* which are the same rows */

struct backward {
    struct block block;
    const struct conv_walk *walk;
    lane v[BACKWARD_LANES][BACKWARD_LANES];
    float *start[MOST_TILES], *outside;
};

static void backward_differences(struct backward *s)
{
    static const struct place computed[12] = {{P, P}, {P, R}, {R, P},  {R, R},  {Z0, P}, {Z0, R},
                                              {Q, P}, {Q, R}, {P, Z0}, {R, Z0}, {P, Q},  {R, Q}};
    static const unsigned char raw[2] = {Z0, Q};
    struct block *const b = &s->block;
    const struct view *const dz = &s->walk->source;
    const ptrdiff_t stride = (ptrdiff_t)b->tiles * dz->channels;
    for (int t = 0; t < b->tiles; t++, b->free += dz->channels) {
        const struct tile tile = tile_of(b->tiling, b->first + t);
        const float *in[9];
        tile_window(b->net, dz, tile.image, tile.row * 2, tile.column * 2, 3, 0, in);
        b->net->kernels->polyphase_gradient(b->free, stride, in, dz->channels);
        for (int k = 0; k < 12; k++) s->v[computed[k].row][computed[k].column][t] = b->free + k * stride;
        for (int r = 0; r < 2; r++)
            for (int c = 0; c < 2; c++) s->v[raw[r]][raw[c]][t] = in[3 * r + c];
    }
    b->free += 11 * stride;
}

static void backward_product(struct backward *s, int row, int column, float *const *start, float *const *out)
{
    const struct conv_walk *w = s->walk;
    const struct chains chains = {
        w->net->kernels, w->weights, BACKWARD_MATRICES, w->source.channels, w->target.channels,
        ACT_NONE,        NULL};
    chains_run(&chains, weight_of[row] * WEIGHTS + weight_of[column], 1,
               (lane *const[]){&s->v[lane_of(row)][lane_of(column)]}, s->block.tiles, start, out, true);
}

/* Pixel (y, x) of each tile: a product that begins from `start`, or NULL, and from what is there where that is added
 * to. */
static void backward_pixel(struct backward *s, int row, int column, float *const *start, int y, int x)
{
    float *to[MOST_TILES];
    pixels_of(&s->block, &s->walk->target, 4, y, x, s->outside, to);
    if (s->walk->accumulate) {
        if (start) sum(&s->block, s->start, start, to, s->walk->target.channels);
        start = start ? s->start : to;
    }
    backward_product(s, row, column, start, to);
}

static void backward_block(void *context, int64_t first, int tiles, float *scratch)
{
    const struct conv_walk *w = context;
    const int in = w->target.channels;
    struct backward s = {.block = {w->net, tiling_of(&w->source, 2), first, tiles, scratch}, .walk = w};
    backward_differences(&s);
    float *all[MOST_TILES], *rows[2][MOST_TILES], *columns[2][MOST_TILES];
    take(&s.block, tiles, in, s.start);
    take(&s.block, 1, in, &s.outside);
    memset(s.outside, 0, (size_t)in * sizeof *s.outside);
    take(&s.block, tiles, in, all);
    for (int i = 0; i < 2; i++) {
        take(&s.block, tiles, in, rows[i]);
        take(&s.block, tiles, in, columns[i]);
    }
    for (int i = 0; i < 2; i++) { /* even rows and columns */
        for (int j = 0; j < 2; j++) backward_pixel(&s, Z0 + i, Z0 + j, NULL, 2 * i, 2 * j);
        backward_product(&s, Z0 + i, Q, NULL, all);
        for (int j = 0; j < 2; j++) backward_pixel(&s, Z0 + i, P + j, all, 2 * i, 2 * j + 1);
        backward_product(&s, Q, Z0 + i, NULL, all);
        for (int j = 0; j < 2; j++) backward_pixel(&s, P + j, Z0 + i, all, 2 * j + 1, 2 * i);
    }
    backward_product(&s, Q, Q, NULL, all);
    for (int i = 0; i < 2; i++) {
        backward_product(&s, P + i, Q, all, rows[i]);
        backward_product(&s, Q, P + i, NULL, columns[i]);
    }
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++) {
            sum(&s.block, s.start, rows[i], columns[j], in);
            backward_pixel(&s, P + i, P + j, s.start, 2 * i + 1, 2 * j + 1);
        }
}

void conv_polyphase_backward(const struct conv_walk *w)
{
    const int64_t tiles = (int64_t)w->source.images * tiling_tiles(tiling_of(&w->source, 2));
    tiles_run(w->net, tiles, MOST_TILES, backward_block, (void *)w);
}

/* ---- The gradient of the weights ----
 *
 * Along one axis, over all tiles: w0 has s0 + s1, w1 has s3 and w2 has s1 + s2, where
 *
 *   s0 = a dz0    s1 = c (dz0 + dz1)    s2 = d dz1    s3 = b dz0 + e dz1 */

enum { SUMS = 4, DZ0 = 0, DZ1, DZ01, DZ_AXIS };

struct term {
    unsigned char input, gradient;
};
static const struct term terms[SUMS][2] = {{{A, DZ0}}, {{C, DZ01}}, {{D, DZ1}}, {{B, DZ0}, {E, DZ1}}};
static int terms_of(int s) { return s == 3 ? 2 : 1; }

/* dz of each tile and its sums, each [tile][channels]. */
static void gradients(struct block *b, const struct view *dz, const float *planes[DZ_AXIS][DZ_AXIS])
{
    const int out = dz->channels;
    float *rows[DZ_AXIS][DZ_AXIS][MOST_TILES];
    for (int i = 0; i < DZ_AXIS; i++)
        for (int j = 0; j < DZ_AXIS; j++) {
            planes[i][j] = b->free;
            take(b, b->tiles, out, rows[i][j]);
        }
    for (int t = 0; t < b->tiles; t++) {
        const struct tile tile = tile_of(b->tiling, b->first + t);
        const float *in[4];
        tile_window(b->net, dz, tile.image, tile.row * 2, tile.column * 2, 2, 0, in);
        for (int k = 0; k < 4; k++) memcpy(rows[k / 2][k % 2][t], in[k], (size_t)out * sizeof(float));
    }
    for (int i = 0; i < 2; i++) sum(b, rows[i][DZ01], rows[i][DZ0], rows[i][DZ1], out);
    for (int j = 0; j < DZ_AXIS; j++) sum(b, rows[DZ01][j], rows[DZ0][j], rows[DZ1][j], out);
}

/* The terms of each sum take turns. */
static void weight_block(const struct conv_weight_tiles *g, int64_t tile, int tiles, int first, int n,
                         float *sums, ptrdiff_t stride, float *scratch, bool goes_on)
{
    struct block b = {g->net, tiling_of(&g->dz, 2), tile, tiles, scratch};
    const int out = g->dz.channels;
    const float *dz[DZ_AXIS][DZ_AXIS];
    lane v[AXIS][AXIS];
    differences(&b, &g->x, first, n, v);
    gradients(&b, &g->dz, dz);
    for (int i = 0; i < SUMS; i++)
        for (int j = 0; j < SUMS; j++)
            for (int k = 0; k < terms_of(i) * terms_of(j); k++) {
                const struct term row = terms[i][k / terms_of(j)], column = terms[j][k % terms_of(j)];
                g->net->kernels->outer(&(struct outer_block){.x = v[row.input][column.input],
                                                             .dy = dz[row.gradient][column.gradient],
                                                             .dy_step = out,
                                                             .dy_block = KERNEL_BLOCK,
                                                             .pixels = tiles,
                                                             .rows = n,
                                                             .cols = out,
                                                             .dw = sums + (i * SUMS + j) * stride,
                                                             .dw_stride = out,
                                                             .goes_on = goes_on || k > 0});
            }
}

static size_t weight_scratch(int n, int out)
{
    return MOST_TILES * (16 * (size_t)n + DZ_AXIS * DZ_AXIS * (size_t)out);
}

/* Over rows, in place, then over columns. */
static void weight_finish(const struct net *net, float *sums, ptrdiff_t stride, int n, int out, float *to)
{
    static const unsigned char from[3] = {0, 3, 2};
    const ptrdiff_t step = 9 * (ptrdiff_t)out;
    for (int j = 0; j < SUMS; j++)
        for (int i = 0; i < 3; i += 2) {
            float *const row = sums + (i * SUMS + j) * stride;
            net->kernels->add(row, out, row, out, sums + (SUMS + j) * stride, out, n, out);
        }
    for (int i = 0; i < 3; i++, to += 3 * (ptrdiff_t)out) {
        const float *const row = sums + from[i] * SUMS * stride, *const middle = row + stride;
        net->kernels->add(to, step, row, out, middle, out, n, out);
        net->kernels->copy(to + out, step, row + 3 * stride, out, n, out);
        net->kernels->add(to + 2 * (ptrdiff_t)out, step, row + 2 * stride, out, middle, out, n, out);
    }
}

const struct conv_weight_form conv_polyphase_form = {.side = 2,
                                                     .sums = SUMS * SUMS,
                                                     .most_tiles = MOST_TILES,
                                                     .floats = 1 << 16,
                                                     .block = weight_block,
                                                     .scratch = weight_scratch,
                                                     .finish = weight_finish};

size_t conv_polyphase_worker_scratch(int in, int out, bool backward)
{
    const size_t source = (size_t)(backward ? out : in), target = (size_t)(backward ? in : out);
    return MOST_TILES * ((backward ? 12 : 16) * source + 6 * target) + target;
}
