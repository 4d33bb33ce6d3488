/* The weight gradient of a convolution, and beside it what conv_end_backward_begin has left of dz. The chain over the
 * pixels of a chunk, chunks in order, or what a form makes of an image's tiles (struct conv_weight_form); images in the
 * binary tree (pixels.h). Workers own whole branches of the tree where weights are few, so that inputs and gradients
 * are read once; else rows of taps and input channels, or channels of a depthwise one. */
#include "nn/conv.h"

#include "base/par.h"
#include "nn/conv_tiles.h"
#include "nn/pixels.h"
#include "nn/window.h"

#include <assert.h>
#include <string.h>

enum {
    POINTER_FLOATS = sizeof(void *) / sizeof(float),
    MAX_COLS = 128,  /* outputs whose gradients are packed together */
    MAX_STEP = 128,  /* floats between rows read where they lie: farther apart they share few sets of a cache */
    SHARE_ROWS = 96, /* of a share of work */
    SHARE_CHANNELS = 64,
    SHARES_EACH = 2, /* branches for each thread, at least */
    BRANCH_FLOATS = 1 << 16, /* of the sums of a branch, at most */
    MAX_SEGMENT = 192,       /* rows that are read through one pointer, where there are several taps */
};

struct weight_context {
    const struct net *net;
    const struct conv_shape *shape;
    const struct conv_end *end;
    struct window window;
    struct chunks chunks;
    struct view x, dz;
    int group, together; /* taps that are read through one pointer */
    /* Each [depth][cols], cols rounded up to whole blocks: partial sums of the image tree and the current
     * image's. */
    float *stack, *row;
    size_t level;    /* floats between partial sums */
    int branch;      /* images of a branch, 0: workers own rows */
    float *branches; /* the sums of each branch, then a stack and a row for each worker */
    float *gradient; /* OIHW */
};

/* Input channels that a form of tiles takes at a time, at most. */
static int form_channels(const struct conv_weight_form *form, int out)
{
    const size_t blocks = (size_t)form->floats / ((size_t)form->sums * (size_t)out * KERNEL_BLOCK);
    return (blocks ? (int)blocks : 1) * KERNEL_BLOCK;
}

static size_t form_scratch(const struct conv_weight_form *form, int in, int out)
{
    const int most = form_channels(form, out), n = in < most ? in : most;
    return (size_t)form->sums * ((size_t)n * (size_t)out + TILES_PAD) + form->scratch(n, out);
}

/* One image's gradient for input channels [first, first + n): rows are [channel][kernel position]. */
static void form_image(const struct conv_weight_form *form, const struct conv_weight_tiles *g, int image, int first,
                       int n, float *to, float *scratch)
{
    const int out = g->dz.channels, most = form_channels(form, out);
    const int tiles = tiling_tiles(tiling_of(&g->dz, form->side));
    for (int c = 0, width; c < n; c += width, to += 9 * (ptrdiff_t)width * out) {
        width = tile_block((n - c) / KERNEL_BLOCK, most / KERNEL_BLOCK) * KERNEL_BLOCK;
        const ptrdiff_t stride = (ptrdiff_t)width * out + TILES_PAD;
        for (int t = 0, block; t < tiles; t += block) {
            block = tile_block(tiles - t, form->most_tiles);
            form->block(g, (int64_t)image * tiles + t, block, first + c, width, scratch, stride,
                        scratch + form->sums * stride, t > 0);
        }
        form->finish(g->net, scratch, stride, width, out, to);
    }
}

static size_t weight_cols(const struct conv_shape *s) { return op_aligned((size_t)s->out_group); }

/* Images of a branch: the largest power of two that leaves enough of them, or 0. */
static int branch_images(const struct conv_shape *s, int images, int threads)
{
    if (threads == 1 || s->depthwise || (size_t)s->depth * weight_cols(s) > BRANCH_FLOATS) return 0;
    const int least = SHARES_EACH * threads;
    int branch = images >= least;
    while (branch && images / (2 * branch) >= least) branch *= 2;
    return branch;
}

bool conv_weight_makes_dz(const struct conv_shape *s, int images, int threads)
{
    return branch_images(s, images, threads) > 0;
}

static int branch_count(int images, int branch) { return branch ? (images - 1) / branch + 1 : 0; }

/* Taps whose rows are read through one pointer, at most: a kernel row, all of a patch, or one. */
static int segment_taps(const struct conv_shape *s)
{
    if (s->patches) return s->taps;
    return s->options->kernel * s->in_group <= MAX_SEGMENT ? s->options->kernel : 1;
}

static size_t packed_cols(const struct conv_shape *s)
{
    return weight_cols(s) < MAX_COLS ? weight_cols(s) : MAX_COLS;
}

/* In the worker's scratch, for the pixels of a chunk: pointers to inputs, packed gradients, copies of inputs;
 * for a depthwise convolution the pointers of all taps. */
size_t conv_weight_worker_scratch(const struct conv_shape *s, const struct tensor *out)
{
    if (s->weight_form) return form_scratch(s->weight_form, s->in, s->out);
    const struct chunks chunks = pixels_chunks(out->height, out->width);
    const size_t pixels = (size_t)chunks.rows * (size_t)out->width, taps = (size_t)segment_taps(s);
    if (s->depthwise) return pixels * (size_t)s->taps * POINTER_FLOATS;
    return pixels * (POINTER_FLOATS + packed_cols(s) + (taps > 1 ? taps * (size_t)s->in_group : 0));
}

/* Rows of dy as [ceil(cols / 16)][pixels][16], zero-filled. */
static void pack_gradient(float *packed, const float *dy, ptrdiff_t stride, int pixels, int cols)
{
    const int whole = cols / KERNEL_BLOCK * KERNEL_BLOCK;
    for (int p = 0; p < pixels; p++, dy += stride) {
        float *to = packed + (ptrdiff_t)p * KERNEL_BLOCK;
        for (int n = 0; n < whole; n += KERNEL_BLOCK, to += (ptrdiff_t)pixels * KERNEL_BLOCK)
            memcpy(to, dy + n, KERNEL_BLOCK * sizeof *to);
        for (int c = 0; whole < cols && c < KERNEL_BLOCK; c++) to[c] = whole + c < cols ? dy[whole + c] : 0.f;
    }
}

struct weight_part {
    int64_t begin, end; /* rows of [taps * in_group] */
    float *row;         /* the current image's sums, from row `begin` on */
    int64_t first;      /* pixel */
    int pixels, col, cols;
    bool add;
};

/* A part's gradients, read where they lie if blocks of columns are whole and rows close together, else packed. */
static struct outer_block gradients_of(const struct weight_context *c, const struct weight_part *part, float *packed)
{
    struct outer_block block = {.dy = view_row(&c->dz, part->first) + c->group * c->shape->out_group + part->col,
                                .dy_step = c->dz.stride,
                                .dy_block = KERNEL_BLOCK,
                                .pixels = part->pixels,
                                .cols = part->cols,
                                .dw_stride = (ptrdiff_t)weight_cols(c->shape),
                                .add = part->add};
    if (part->cols % KERNEL_BLOCK == 0 && c->dz.stride <= MAX_STEP) return block;
    pack_gradient(packed, block.dy, block.dy_step, part->pixels, part->cols);
    block.dy = packed;
    block.dy_step = KERNEL_BLOCK;
    block.dy_block = (ptrdiff_t)part->pixels * KERNEL_BLOCK;
    return block;
}

/* One chunk's chains of a range of rows and columns, to the image's sums: as they are or added. */
static void weight_chunk(const struct weight_context *c, const struct weight_part *part, int worker)
{
    const struct conv_shape *s = c->shape;
    const ptrdiff_t pixels = part->pixels;
    const float **x = (const float **)op_worker_scratch(c->net, worker);
    float *packed = (float *)x + pixels * POINTER_FLOATS,
          *copies = packed + pixels * (ptrdiff_t)packed_cols(s);
    struct outer_block block = gradients_of(c, part, packed);
    block.x = x;
    const int length = c->together * s->in_group;
    for (int64_t r = part->begin; r < part->end;) {
        const int tap = (int)(r / length) * c->together, offset = (int)(r % length);
        const int64_t segment_end = r - offset + length,
                      last = part->end < segment_end ? part->end : segment_end;
        window_rows(&c->window, tap, c->together, &c->x, c->group * s->in_group, s->in_group,
                    op_zeros(c->net), part->first, part->pixels, x, copies);
        for (int i = 0; offset && i < pixels; i++) x[i] += offset;
        block.rows = (int)(last - r);
        block.dw = part->row + (r - part->begin) * block.dw_stride + part->col;
        c->net->kernels->outer(&block);
        r = last;
    }
}

/* The sums of rows [begin, end), outputs [first, first + n), to their places in the gradient. */
static void add_block(const struct weight_context *c, int64_t begin, int64_t end, int first, int n)
{
    const struct conv_shape *s = c->shape;
    const float *sums = c->stack + begin * (ptrdiff_t)weight_cols(s) + first;
    float *gradient = c->gradient + (int64_t)(c->group * s->out_group + first) * s->depth;
    for (int64_t r = begin; r < end; r++, sums += weight_cols(s)) {
        float *to = gradient + (s->weight_form ? r : r % s->in_group * s->taps + r / s->in_group);
        for (int o = 0; o < n; o++) to[(ptrdiff_t)o * s->depth] += sums[o];
    }
}

/* One image's sums of the part's rows. */
static void weight_image(const struct weight_context *c, struct weight_part *part, int image, int worker)
{
    const struct conv_shape *s = c->shape;
    if (s->weight_form) {
        form_image(s->weight_form, &(struct conv_weight_tiles){c->net, c->x, c->dz}, image,
                   (int)(part->begin / s->taps), (int)((part->end - part->begin) / s->taps), part->row,
                   op_worker_scratch(c->net, worker));
        return;
    }
    for (int chunk = 0; chunk < c->chunks.per_image; chunk++) {
        part->first = pixels_chunk_begin(&c->dz, c->chunks, (int64_t)image * c->chunks.per_image + chunk,
                                         &part->pixels);
        part->add = chunk > 0;
        for (part->col = 0; part->col < s->out_group; part->col += MAX_COLS) {
            part->cols = s->out_group - part->col < MAX_COLS ? s->out_group - part->col : MAX_COLS;
            weight_chunk(c, part, worker);
        }
    }
}

/* The tree over images [first, first + n) of rows [begin, end), to stack. make_dz: of each image just before it is
 * read. */
static void weight_tree(const struct weight_context *c, int64_t begin, int64_t end, int first, int n, bool make_dz,
                        float *stack, float *row, int worker)
{
    struct weight_part part = {.begin = begin, .end = end};
    const int64_t pixels = (int64_t)c->dz.height * c->dz.width;
    for (int i = 0; i < n; i++) {
        if (make_dz) conv_end_backward_rows(c->end, (first + i) * pixels, (first + i + 1) * pixels);
        part.row = tree_place(stack, i, row);
        weight_image(c, &part, first + i, worker);
        tree_feed(stack, (ptrdiff_t)c->level, i, n, part.row, (size_t)(end - begin) * weight_cols(c->shape));
    }
}

/* Branches [begin, end); those of the first group make dz. */
static void weight_branches(void *context, int64_t begin, int64_t end, int worker)
{
    const struct weight_context *c = context;
    const int images = c->x.images, count = branch_count(images, c->branch);
    float *row = c->branches + (size_t)count * c->level +
                 (size_t)worker * (size_t)(1 + tree_levels(c->branch)) * c->level;
    for (int64_t i = begin; i < end; i++) {
        const int first = (int)i * c->branch, n = images - first < c->branch ? images - first : c->branch;
        weight_tree(c, 0, c->shape->depth, first, n, c->group == 0, row + c->level, row, worker);
        memcpy(c->branches + (size_t)i * c->level, row + c->level, c->level * sizeof *row);
    }
}

/* Rows [begin, end) of the gradient: from the branches, or from the pixels. */
static void weight_rows(void *context, int64_t begin, int64_t end, int worker)
{
    const struct weight_context *c = context;
    const int64_t cols = (int64_t)weight_cols(c->shape), at = begin * cols;
    const int images = c->x.images, out = c->shape->out_group;
    const int count = branch_count(images, c->branch);
    for (int i = 0; i < count; i++)
        tree_feed(c->stack + at, (ptrdiff_t)c->level, i, count, c->branches + (size_t)i * c->level + at,
                  (size_t)((end - begin) * cols));
    if (!count) weight_tree(c, begin, end, 0, images, false, c->stack + at, c->row + at, worker);
    for (int o = 0; o < out; o += KERNEL_BLOCK)
        add_block(c, begin, end, o, out - o < KERNEL_BLOCK ? out - o : KERNEL_BLOCK);
}

/* Channels [begin, end); a range's partial sums are [taps][end - begin] from begin * taps on. */
static void weight_channels(void *context, int64_t begin, int64_t end, int worker)
{
    const struct weight_context *c = context;
    const int taps = c->shape->taps, width = (int)(end - begin), images = c->x.images;
    const float **x = (const float **)op_worker_scratch(c->net, worker);
    float *row = c->row + begin * taps, *stack = c->stack + begin * taps;
    for (int image = 0; image < images; image++) {
        for (int chunk = 0; chunk < c->chunks.per_image; chunk++) {
            int pixels;
            const int64_t first =
                pixels_chunk_begin(&c->dz, c->chunks, (int64_t)image * c->chunks.per_image + chunk, &pixels);
            window_inputs(&c->window, &c->x, (int)begin, op_zeros(c->net), first, pixels, x);
            c->net->kernels->depthwise_outer(row, x, view_row(&c->dz, first) + begin, c->dz.stride, pixels,
                                             taps, width, chunk == 0);
        }
        tree_feed(stack, (ptrdiff_t)taps * c->x.channels, image, images, row, (size_t)(taps * width));
    }
    for (int i = 0; i < width; i++)
        for (int t = 0; t < taps; t++) c->gradient[(begin + i) * taps + t] += stack[t * width + i];
}

/* Rows in a share, while each thread has one: each share reads, packs or transforms all gradients. */
static int share_rows(const struct conv_shape *s, int threads)
{
    const int step = s->weight_form ? s->taps * KERNEL_BLOCK : 4;
    const int most = s->weight_form ? s->taps * SHARE_CHANNELS : SHARE_ROWS;
    const int each = s->depth / threads / step * step;
    return each < step ? step : each < most ? each : most;
}

static size_t weight_row_floats(const struct conv_shape *s)
{
    return s->depthwise ? (size_t)s->taps * (size_t)s->in : (size_t)s->depth * weight_cols(s);
}

/* A row and a stack of partial sums. */
static size_t rows_scratch(size_t level, int images) { return level * (size_t)(1 + tree_levels(images)); }

void conv_weight_backward(struct net *net, const struct node *node, const struct conv_shape *s,
                          const struct conv_end *end)
{
    const struct view dz = end->dy;
    assert(dz.images == net->options.batch); /* as the scratch was planned */
    float *const scratch = conv_scratch_rest(net, s->out);
    const int threads = net->options.threads;
    const size_t level = op_aligned(weight_row_floats(s));
    struct weight_context c = {.net = net,
                               .shape = s,
                               .end = end,
                               .window = window_forward(s->options, dz.height, dz.width),
                               .chunks = pixels_chunks(dz.height, dz.width),
                               .x = op_input(net, node, 0),
                               .dz = dz,
                               .row = scratch,
                               .stack = scratch + level,
                               .level = level,
                               .branch = branch_images(s, dz.images, threads),
                               .branches = scratch + rows_scratch(level, dz.images),
                               .gradient = op_param_gradient(net, node, CONV_WEIGHT)};
    if (s->depthwise) {
        par_for(threads, s->in, KERNEL_BLOCK, weight_channels, &c);
        return;
    }
    const int adjacent = window_adjacent(&c.window, &c.x, s->in_group);
    c.together = adjacent > 1 && adjacent * s->in_group <= MAX_SEGMENT ? adjacent : s->patches ? s->taps : 1;
    const int grain = share_rows(s, threads);
    for (c.group = 0; c.group < s->options->groups; c.group++) {
        if (c.branch) par_pass(threads, branch_count(dz.images, c.branch), 1, weight_branches, &c);
        par_for(threads, s->depth, grain, weight_rows, &c);
    }
}

size_t conv_weight_scratch(const struct conv_shape *s, int images, int threads)
{
    const size_t level = op_aligned(weight_row_floats(s)), rows = rows_scratch(level, images);
    const int branch = branch_images(s, images, threads);
    if (!branch) return rows;
    const int count = branch_count(images, branch);
    return rows + level * ((size_t)count + (size_t)threads * (size_t)(1 + tree_levels(branch)));
}
