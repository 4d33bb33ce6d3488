/* Strassen's form of a 1x1 convolution or linear layer with many inputs and outputs, forward: the plan "fast".
 *
 * Pixels are taken in pairs, inputs and outputs in halves: two rows times a matrix of weights is a product of 2 x 2
 * blocks, A * B. In Winograd's variant of Strassen's method it takes seven products of blocks, not eight, and fifteen
 * sums: those of weights are made when they are packed, those of inputs once a pair, and of the seven sums of outputs
 * five are chains of a product that go on from what another left. Outputs are computed for some pairs and columns at a
 * time, each on its own. The order of every operation is in docs/NUMERICS.md.
 */
#include "nn/conv.h"

#include "base/par.h"

enum {
    LEAST_CHANNELS = 384, /* of inputs and of outputs: below, the sums take what the product saves */
    LEAST_PIXELS = 128,   /* of an image: below, reading more weights does */
    MOST_PAIRS = 130,     /* in a block: tiles are five or ten rows high */
    MOST_COLUMNS = 5 * KERNEL_BLOCK, /* of a half, in a group: as wide as tiles are */
};

/* In the order of packed weights, [block of a half's outputs][product][input of a half][16]. A: rows, the first of them
 * a pair's even pixel, and halves of inputs; B: halves of inputs and of outputs; S and T: sums of such blocks. */
enum product { A11_B11, A12_B21, S2_T2, S3_T3, A22_T4, S1_T1, S4_B22, PRODUCTS };

bool conv_strassen(const struct net *net, const struct node *node)
{
    const struct conv_options *o = &node->as.conv;
    const struct tensor *in = net->graph->tensors + node->input[0], *out = net->graph->tensors + node->output;
    return net->options.plan == PLAN_FAST && o->kernel == 1 && o->stride == 1 && o->padding == 0 &&
           o->groups == 1 && in->channels >= LEAST_CHANNELS && out->channels >= LEAST_CHANNELS &&
           in->channels % (2 * KERNEL_BLOCK) == 0 && out->channels % (2 * KERNEL_BLOCK) == 0 &&
           (int64_t)out->height * out->width >= LEAST_PIXELS;
}

/* ---- Weights ---- */

size_t conv_strassen_floats(int in, int out) { return PRODUCTS * (size_t)(in / 2) * (size_t)(out / 2); }

/* What the products have for the four weights of one place of the halves, `stride` apart. */
static void combine(double b11, double b12, double b21, double b22, float *value, ptrdiff_t stride)
{
    const double t1 = b12 - b11, t2 = b22 - t1;
    value[A11_B11 * stride] = flush_double(b11);
    value[A12_B21 * stride] = flush_double(b21);
    value[S2_T2 * stride] = flush_double(t2);
    value[S3_T3 * stride] = flush_double(b22 - b12);
    value[A22_T4 * stride] = flush_double(b21 - t2);
    value[S1_T1 * stride] = flush_double(t1);
    value[S4_B22 * stride] = flush_double(b22);
}

void conv_strassen_pack(const struct net *net, const struct node *node, float *packed)
{
    const float *weight = op_param(net, node, CONV_WEIGHT); /* [out][in] */
    const int in = net->graph->tensors[node->input[0]].channels / 2,
              out = net->graph->tensors[node->output].channels / 2;
    float value[PRODUCTS][KERNEL_BLOCK][CONV_RUN];
    for (int first = 0; first < out; first += KERNEL_BLOCK, packed += PRODUCTS * (ptrdiff_t)in * KERNEL_BLOCK)
        for (int start = 0, run; start < in; start += run) {
            run = in - start < CONV_RUN ? in - start : CONV_RUN;
            for (int lane = 0; lane < KERNEL_BLOCK; lane++) {
                const int n = first + lane;
                const double lower = conv_fold_factor(net, node, n),
                             upper = conv_fold_factor(net, node, n + out);
                const float *b1 = weight + 2 * (ptrdiff_t)n * in + start, *b2 = b1 + 2 * (ptrdiff_t)out * in;
                for (int k = 0; k < run; k++)
                    combine(flush_double(b1[k] * lower), flush_double(b2[k] * upper),
                            flush_double(b1[k + in] * lower), flush_double(b2[k + in] * upper),
                            &value[0][lane][k], KERNEL_BLOCK * CONV_RUN);
            }
            for (int p = 0; p < PRODUCTS; p++)
                for (int k = 0; k < run; k++)
                    conv_pack_lanes(packed + ((ptrdiff_t)p * in + start + k) * KERNEL_BLOCK, value[p], k);
        }
}

/* A pair's outputs of the lower half begin with their bias; what that of the upper half is beyond it enters with the
 * product that only they have. */
void conv_strassen_pack_bias(float *bias, int out)
{
    for (int n = out / 2; n < out; n++) bias[n] = flush_double((double)bias[n] - bias[n - out / 2]);
}

/* ---- Pairs ---- */

size_t conv_strassen_worker_scratch(int in)
{
    return 4 * (size_t)MOST_PAIRS * (size_t)(in / 2) + (4 * MOST_PAIRS + 1) * MOST_COLUMNS;
}

/* A row for each pair. The last pair of an odd count has no second pixel: `missing` stands for it. */
struct rows {
    float *first;
    ptrdiff_t stride;
    int count;
    float *missing;
};

static struct rows rows_from(struct rows rows, ptrdiff_t column)
{
    rows.first += column;
    return rows;
}

static float *row_at(struct rows rows, int i)
{
    return i < rows.count ? rows.first + i * rows.stride : rows.missing;
}

static void rows_point(float **row, struct rows rows, int pairs)
{
    for (int i = 0; i < pairs; i++) row[i] = row_at(rows, i);
}

/* Some pairs of an image and some columns of both halves. */
struct block {
    const struct conv_strassen_walk *walk;
    int pairs, column, columns;
    const float *in[PRODUCTS * MOST_PAIRS]; /* what each product multiplies, a row for each pair */
};

/* out = activation(bias or start + the products from `first` on, as many as taps). */
static void chain(const struct block *b, enum product first, int taps, const float *bias, float *const *start,
                  float *const *keep, float *const *out, enum activation activation)
{
    const struct conv_strassen_walk *w = b->walk;
    const int in = w->source.channels / 2;
    const ptrdiff_t product = (ptrdiff_t)in * KERNEL_BLOCK;
    w->net->kernels->conv(&(struct conv_block){
        .in = b->in + first * b->pairs,
        .out = out,
        .pixels = b->pairs,
        .taps = taps,
        .channels = in,
        .cout = b->columns,
        .weights = w->weights + b->column / KERNEL_BLOCK * PRODUCTS * product + first * product,
        .weight_stride = PRODUCTS * product,
        .bias = bias,
        .start = (const float *const *)start,
        .keep = keep,
        .activation = activation,
        .warm = 1});
}

/* even, odd: the outputs; sums: four times [pairs][columns]. */
static void multiply(const struct block *b, struct rows even, struct rows odd, float *sums)
{
    const struct conv_strassen_walk *w = b->walk;
    const struct kernels *k = w->net->kernels;
    const int pairs = b->pairs, columns = b->columns, half = w->target.channels / 2;
    const enum activation activation = w->activation;
    const float *bias = w->bias + b->column;
    const struct rows upper = rows_from(odd, half);
    float *row[4 * MOST_PAIRS], *out[MOST_PAIRS];
    float **const u = row, **const v = u + pairs, **const z = v + pairs, **const t = z + pairs;
    for (int i = 0; i < 4 * pairs; i++) row[i] = sums + (ptrdiff_t)i * columns;

    rows_point(out, even, pairs);
    chain(b, A11_B11, 2, bias, NULL, u, out, activation);
    rows_point(out, odd, pairs);
    chain(b, S2_T2, 3, NULL, u, v, out, activation);
    chain(b, S1_T1, 1, bias + half, NULL, NULL, t, ACT_NONE);
    k->add(*v, columns, *v, columns, *t, columns, pairs, columns);
    rows_point(out, rows_from(even, half), pairs);
    chain(b, S4_B22, 1, NULL, v, NULL, out, activation);
    k->add(upper.first, upper.stride, *z, columns, *t, columns, upper.count, columns);
    k->activate(upper.first, upper.stride, upper.first, upper.stride, upper.count, columns, activation);
}

/* Rows of pixels first, first + 2, ... of an image. */
static struct rows rows_of(const struct view *view, int64_t image, int64_t first, int pairs, float *missing)
{
    const int64_t pixels = (int64_t)view->height * view->width;
    const int count = first + 2 * (int64_t)(pairs - 1) < pixels ? pairs : pairs - 1;
    return (struct rows){view_row(view, image * pixels + first), 2 * view->stride, count, missing};
}

static void walk_block(const struct conv_strassen_walk *w, int64_t image, int64_t first, int pairs,
                       float *scratch)
{
    const int half = w->source.channels / 2, blocks = w->target.channels / 2 / KERNEL_BLOCK,
              groups = (blocks * KERNEL_BLOCK + MOST_COLUMNS - 1) / MOST_COLUMNS;
    const ptrdiff_t size = (ptrdiff_t)MOST_PAIRS * half;
    float *const inputs = scratch, *const dropped = inputs + 4 * size, *const sums = dropped + MOST_COLUMNS;
    const struct rows a = rows_of(&w->source, image, 2 * first, pairs, NULL),
                      b = rows_of(&w->source, image, 2 * first + 1, pairs, (float *)op_zeros(w->net)),
                      even = rows_of(&w->target, image, 2 * first, pairs, NULL),
                      odd = rows_of(&w->target, image, 2 * first + 1, pairs, dropped);
    struct block block = {.walk = w, .pairs = pairs};
    for (int i = 0; i < pairs; i++) {
        const float *even_row = row_at(a, i), *odd_row = row_at(b, i);
        float *s = inputs + (ptrdiff_t)i * half;
        w->net->kernels->strassen_inputs(s, size, even_row, odd_row, half);
        block.in[A11_B11 * pairs + i] = even_row;
        block.in[A12_B21 * pairs + i] = even_row + half;
        block.in[A22_T4 * pairs + i] = odd_row + half;
        block.in[S1_T1 * pairs + i] = s;
        block.in[S2_T2 * pairs + i] = s + size;
        block.in[S3_T3 * pairs + i] = s + 2 * size;
        block.in[S4_B22 * pairs + i] = s + 3 * size;
    }
    for (int g = 0; g < groups; g++) {
        block.column = blocks * g / groups * KERNEL_BLOCK;
        block.columns = blocks * (g + 1) / groups * KERNEL_BLOCK - block.column;
        multiply(&block, rows_from(even, block.column), rows_from(odd, block.column), sums);
    }
}

static int64_t pairs_of(const struct conv_strassen_walk *w)
{
    return ((int64_t)w->target.height * w->target.width + 1) / 2;
}

/* Blocks of an image: as few as its pairs allow, and enough to occupy the threads. */
static int64_t blocks_of(const struct conv_strassen_walk *w)
{
    const int64_t pairs = pairs_of(w), images = w->target.images, threads = w->net->options.threads;
    const int64_t least = (pairs + MOST_PAIRS - 1) / MOST_PAIRS, wanted = (threads + images - 1) / images;
    return wanted < least ? least : wanted < pairs ? wanted : pairs;
}

static void walk_blocks(void *context, int64_t begin, int64_t end, int worker)
{
    const struct conv_strassen_walk *w = context;
    const int64_t pairs = pairs_of(w), blocks = blocks_of(w);
    for (int64_t i = begin; i < end; i++) {
        const int64_t first = pairs * (i % blocks) / blocks, last = pairs * (i % blocks + 1) / blocks;
        walk_block(w, i / blocks, first, (int)(last - first), op_worker_scratch(w->net, worker));
    }
}

void conv_strassen_run(const struct conv_strassen_walk *w)
{
    par_for(w->net->options.threads, w->target.images * blocks_of(w), 1, walk_blocks, (void *)w);
}
