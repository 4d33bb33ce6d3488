/* Strassen's form of a 1x1 convolution or linear layer with many inputs and outputs, forward: the plan "fast".
 *
 * Pixels are taken in pairs, inputs and outputs in halves: two rows times a matrix of weights is a product of 2 x 2
 * parts, A * B. In Winograd's variant of Strassen's method it takes seven products of parts, not eight, and fifteen
 * sums: those of weights are made when they are packed, those of inputs once a pair, and of the seven sums of outputs
 * six are chains of products that go on from what another left. Outputs are computed for some pairs and columns at a
 * time, each on its own. The order of every operation is in docs/NUMERICS.md.
 */
#include "nn/conv.h"

#include "base/par.h"

enum {
    LEAST_CHANNELS = 384, /* of inputs and of outputs: below, the sums take what the product saves */
    LEAST_PIXELS = 128,   /* of an image: below, reading more weights does */
    MOST_PAIRS = 130,     /* in a piece */
    LEAST_PAIRS = 25,     /* in a piece that is made for the sake of threads */
    GROUP_BLOCKS =
        5, /* of 16 columns of a half of the outputs, in a group: as wide as the widest tiles are */
    MOST_COLUMNS = GROUP_BLOCKS * KERNEL_BLOCK,
};

/* In the order of packed weights, [16 outputs of a half][product][input of a half][16]. A12 is the first row of a
 * pair, its even pixel, and the second half of its inputs; B12 has the weights from the first half of the inputs to
 * the second of the outputs; S and T are sums of such parts. */
enum product { A11_B11, A12_B21, S2_T2, S3_T3, A22_T4, S1_T1, S4_B22, PRODUCTS };

bool conv_strassen(const struct net *net, const struct node *node)
{
    const struct conv_options *o = &node->as.conv;
    const struct tensor *in = net->graph->tensors + node->input[0], *out = net->graph->tensors + node->output;
    return net->options.plan != PLAN_EXACT && o->kernel == 1 && o->stride == 1 && o->padding == 0 &&
           o->groups == 1 && in->channels >= LEAST_CHANNELS && out->channels >= LEAST_CHANNELS &&
           in->channels % (2 * KERNEL_BLOCK) == 0 && out->channels % (2 * KERNEL_BLOCK) == 0 &&
           (int64_t)out->height * out->width >= LEAST_PIXELS;
}

/* ---- Weights ---- */

size_t conv_strassen_floats(int in, int out) { return PRODUCTS * (size_t)(in / 2) * (size_t)(out / 2); }

/* What the products have for the four weights of one place of the halves. */
static void combine(double b11, double b12, double b21, double b22, float (*value)[KERNEL_BLOCK][CONV_RUN],
                    int lane, int k)
{
    const double t1 = b12 - b11, t2 = b22 - t1;
    value[A11_B11][lane][k] = flush_double(b11);
    value[A12_B21][lane][k] = flush_double(b21);
    value[S2_T2][lane][k] = flush_double(t2);
    value[S3_T3][lane][k] = flush_double(b22 - b12);
    value[A22_T4][lane][k] = flush_double(b21 - t2);
    value[S1_T1][lane][k] = flush_double(t1);
    value[S4_B22][lane][k] = flush_double(b22);
}

void conv_strassen_pack(const struct net *net, const struct node *node, float *packed)
{
    const float *weight = op_param(net, node, CONV_WEIGHT); /* [out][in] */
    const int half_in = net->graph->tensors[node->input[0]].channels / 2,
              half_out = net->graph->tensors[node->output].channels / 2;
    const ptrdiff_t half = 2 * (ptrdiff_t)half_in * half_out; /* of the weights */
    float value[PRODUCTS][KERNEL_BLOCK][CONV_RUN];
    for (int n = 0; n < half_out; n += KERNEL_BLOCK, packed += PRODUCTS * (ptrdiff_t)half_in * KERNEL_BLOCK)
        for (int start = 0, run; start < half_in; start += run) {
            run = half_in - start < CONV_RUN ? half_in - start : CONV_RUN;
            for (int lane = 0; lane < KERNEL_BLOCK; lane++) {
                const double one = conv_fold_factor(net, node, n + lane),
                             two = conv_fold_factor(net, node, n + lane + half_out);
                const float *w1 = weight + 2 * (ptrdiff_t)(n + lane) * half_in + start, *w2 = w1 + half;
                for (int k = 0; k < run; k++)
                    combine(flush_double(w1[k] * one), flush_double(w2[k] * two),
                            flush_double(w1[k + half_in] * one), flush_double(w2[k + half_in] * two), value,
                            lane, k);
            }
            for (int p = 0; p < PRODUCTS; p++)
                for (int k = 0; k < run; k++)
                    conv_pack_lanes(packed + ((ptrdiff_t)p * half_in + start + k) * KERNEL_BLOCK, value[p],
                                    k);
        }
}

/* Every chain begins with the bias of the first half; what that of the second is beyond it enters with the product that
 * only its outputs have. */
void conv_strassen_pack_bias(float *bias, int out)
{
    for (int n = out / 2; n < out; n++) bias[n] = flush_double((double)bias[n] - bias[n - out / 2]);
}

/* ---- Shares of the work ---- */

/* An image is cut into pieces, each of some of its pairs, and where these would be too few pairs for all threads, a
 * piece into parts, each of some groups of its columns. */
struct cut {
    int64_t pairs, pieces, most; /* of an image; pairs of the largest piece */
    int column_blocks, groups, parts;
};

/* Whether threads would idle for more than an eighth of the time. */
static bool idle(int64_t shares, int threads)
{
    const int64_t turns = (shares + threads - 1) / threads;
    return 8 * shares < 7 * turns * threads;
}

static struct cut cut_of(const struct view *target, int threads)
{
    struct cut c = {.pairs = ((int64_t)target->height * target->width + 1) / 2,
                    .column_blocks = target->channels / 2 / KERNEL_BLOCK,
                    .parts = 1};
    const int64_t images = target->images, most_pieces = c.pairs / LEAST_PAIRS;
    c.groups = (c.column_blocks + GROUP_BLOCKS - 1) / GROUP_BLOCKS;
    c.pieces = (c.pairs + MOST_PAIRS - 1) / MOST_PAIRS;
    while (c.pieces < most_pieces && idle(images * c.pieces, threads)) c.pieces++;
    while (c.parts < c.groups && idle(images * c.pieces * c.parts, threads)) c.parts++;
    c.most = (c.pairs + c.pieces - 1) / c.pieces;
    return c;
}

size_t conv_strassen_worker_scratch(const struct view *source, const struct view *target, int threads)
{
    const struct cut c = cut_of(target, threads);
    return (size_t)c.most * (4 * (size_t)(source->channels / 2) + 4 * MOST_COLUMNS) + MOST_COLUMNS;
}

/* ---- A piece ---- */

struct piece {
    const struct conv_walk *walk;
    int64_t image, first; /* pair */
    int pairs;
    const float *in[PRODUCTS * MOST_PAIRS]; /* what each product multiplies, a row for each pair */
    float *sums;                            /* of outputs, four times [pairs][columns of a group] */
    float *dropped; /* gets the outputs of a last pair's second row, where pixels are an odd number */
};

/* NULL: there is no such pixel, row 1 of the last pair. */
static float *pixel_of(const struct view *view, const struct piece *p, int pair, int row)
{
    const int64_t pixels = (int64_t)view->height * view->width, pixel = 2 * (p->first + pair) + row;
    return pixel < pixels ? view_row(view, p->image * pixels + pixel) : NULL;
}

static void gather_inputs(struct piece *p, float *s)
{
    const struct view *source = &p->walk->source;
    const struct net *net = p->walk->net;
    const int half = source->channels / 2;
    const ptrdiff_t size = (ptrdiff_t)p->pairs * half;
    for (int i = 0; i < p->pairs; i++, s += half) {
        const float *a1 = pixel_of(source, p, i, 0), *pixel = pixel_of(source, p, i, 1),
                    *a2 = pixel ? pixel : op_zeros(net);
        net->kernels->strassen_inputs(s, size, a1, a2, half);
        const float *const in[PRODUCTS] = {
            [A11_B11] = a1,     [A12_B21] = a1 + half,  [A22_T4] = a2 + half,   [S1_T1] = s,
            [S2_T2] = s + size, [S3_T3] = s + 2 * size, [S4_B22] = s + 3 * size};
        for (int k = 0; k < PRODUCTS; k++) p->in[k * p->pairs + i] = in[k];
    }
}

/* Some columns of both halves of the outputs. */
struct group {
    const struct piece *piece;
    int column, columns;
};

static void outputs(const struct group *g, float **out, int row, int half)
{
    const struct piece *p = g->piece;
    const struct view *target = &p->walk->target;
    for (int i = 0; i < p->pairs; i++) {
        float *pixel = pixel_of(target, p, i, row);
        out[i] = pixel ? pixel + half * (target->channels / 2) + g->column : p->dropped;
    }
}

/* out = activation(start + bias + the products from `first` on, as many as taps). */
static void chain(const struct group *g, enum product first, int taps, const float *bias, float *const *start,
                  float *const *keep, float *const *out)
{
    const struct piece *p = g->piece;
    const struct conv_walk *w = p->walk;
    const int half = w->source.channels / 2;
    const ptrdiff_t product = (ptrdiff_t)half * KERNEL_BLOCK;
    w->net->kernels->conv(&(struct conv_block){
        .in = p->in + first * p->pairs,
        .out = out,
        .pixels = p->pairs,
        .taps = taps,
        .channels = half,
        .cout = g->columns,
        .weights = w->weights + g->column / KERNEL_BLOCK * PRODUCTS * product + first * product,
        .weight_stride = PRODUCTS * product,
        .bias = bias,
        .start = start,
        .keep = keep,
        .activation = w->activation,
        .warm = 1});
}

/* The names are those of docs/NUMERICS.md. */
static void multiply(const struct group *g)
{
    const struct piece *p = g->piece;
    const struct conv_walk *w = p->walk;
    const struct kernels *k = w->net->kernels;
    const int pairs = p->pairs, columns = g->columns;
    const float *bias1 = w->bias + g->column, *bias2 = bias1 + w->target.channels / 2;
    float *row[4 * MOST_PAIRS], *out[MOST_PAIRS];
    float **const u = row, **const v = u + pairs, **const z = v + pairs, **const t = z + pairs;
    for (int i = 0; i < 4 * pairs; i++) row[i] = p->sums + (ptrdiff_t)i * columns;

    outputs(g, out, 0, 0);
    chain(g, A11_B11, 2, bias1, NULL, u, out);
    outputs(g, out, 1, 0);
    chain(g, S2_T2, 3, NULL, u, v, out);
    outputs(g, out, 0, 1);
    chain(g, S1_T1, 2, bias2, v, t, out);
    outputs(g, out, 1, 1);
    for (int i = 0; i < pairs; i++) {
        k->strassen_output(out[i], z[i], v[i], t[i], columns);
        k->activate(out[i], columns, out[i], columns, 1, columns, w->activation);
    }
}

static void walk_shares(void *context, int64_t begin, int64_t end, int worker)
{
    const struct conv_walk *w = context;
    const struct cut c = cut_of(&w->target, w->net->options.threads);
    float *const inputs = op_worker_scratch(w->net, worker);
    float *const sums = inputs + c.most * 4 * (w->source.channels / 2);
    for (int64_t i = begin; i < end; i++) {
        const int part = (int)(i % c.parts);
        const int64_t at = i / c.parts % c.pieces, first = c.pairs * at / c.pieces;
        struct piece piece = {.walk = w,
                              .image = i / c.parts / c.pieces,
                              .first = first,
                              .pairs = (int)(c.pairs * (at + 1) / c.pieces - first),
                              .sums = sums,
                              .dropped = sums + c.most * 4 * MOST_COLUMNS};
        gather_inputs(&piece, inputs);
        for (int n = c.groups * part / c.parts; n < c.groups * (part + 1) / c.parts; n++) {
            const int block = c.column_blocks * n / c.groups, next = c.column_blocks * (n + 1) / c.groups;
            multiply(&(struct group){&piece, block * KERNEL_BLOCK, (next - block) * KERNEL_BLOCK});
        }
    }
}

void conv_strassen_run(const struct conv_walk *w)
{
    const int threads = w->net->options.threads;
    const struct cut c = cut_of(&w->target, threads);
    par_for(threads, w->target.images * c.pieces * c.parts, 1, walk_shares, (void *)w);
}
