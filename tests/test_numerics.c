/* docs/NUMERICS.md states the order of every operation of the transformed convolutions. Here they are written from
 * that text alone, one value at a time and without the library's kernels, and what the library computes has the same
 * bits. Names are those of the text. Of the channels some are compared: they share all arithmetic but their values. */
#include "check.h"
#include "check_layer.h"

#include "nn/cost.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    SIDE = 6,       /* of the largest window and of the most points */
    CHANNELS = 144, /* at most, of a 3x3 convolution */
    IMAGES = 8,     /* at most */
    STEP = 5,       /* between channels that are compared: all places of 16 lanes come */
};

static const struct conv_options winograd_options = {.kernel = 3, .padding = 1},
                                 polyphase_options = {.kernel = 3, .padding = 1, .stride = 2},
                                 point_options = {.kernel = 1},
                                 linear_options = {.kernel = 1, .linear = true};

static float flush(float x) { return fabsf(x) < 0x1p-40f ? 0.f : x; }

static float fnma(float a, float b, float c) { return fmaf(-a, b, c); }

/* Goes on from the sum. */
static float chain(float sum, const float *a, const float *b, int n)
{
    for (int k = 0; k < n; k++) sum = fmaf(a[k], b[k], sum);
    return sum;
}

static void compare(const char *what, float expected, float found, int image, int row, int column,
                    int channel)
{
    if (memcmp(&expected, &found, sizeof expected) == 0) return;
    print_error("%s: image %d, row %d, column %d, channel %d: %a expected, %a found\n", what, image, row,
                column, channel, expected, found);
    assert_memory_equal(&expected, &found, sizeof expected);
}

/* ---- Tiles ---- */

/* A window, its points, or what a tile makes of them; what is not used is 0. */
struct square {
    float at[SIDE][SIDE];
};

typedef void transform(float *out, const float *in); /* of one row or column */

static struct square transposed(struct square in)
{
    struct square out;
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) out.at[i][j] = in.at[j][i];
    return out;
}

static struct square each_row(transform *f, struct square in)
{
    struct square out = {0};
    for (int i = 0; i < SIDE; i++) f(out.at[i], in.at[i]);
    return out;
}

static struct square each_column(transform *f, struct square in)
{
    return transposed(each_row(f, transposed(in)));
}

static struct square window_of(const struct view *v, int image, int row, int column, int side, int channel)
{
    struct square window = {0};
    for (int i = 0; i < side; i++)
        for (int j = 0; j < side; j++) window.at[i][j] = (float)at(v, image, row + i, column + j, channel);
    return window;
}

static struct square weights_3x3(const float *weight)
{
    struct square w = {0};
    for (int t = 0; t < 9; t++) w.at[t / 3][t % 3] = flush(weight[t]);
    return w;
}

/* The points of all channels that a chain goes over. */
struct points {
    float at[SIDE][SIDE][CHANNELS];
};

static void points_set(struct points *p, int channel, struct square values)
{
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) p->at[i][j][channel] = values.at[i][j];
}

struct operands {
    const struct points *input, *weight;
    int channels;
};

/* The product of one point of the inputs, (i, j), and one of the weights, (p, q), going on from the sum. */
static float product(float sum, const struct operands *o, int i, int j, int p, int q)
{
    return chain(sum, o->input->at[i][j], o->weight->at[p][q], o->channels);
}

/* How tiles of a map are made from windows of another. `start` is what a tile's values are added to: the bias, or the
 * gradient that is there. */
struct form {
    const char *name;
    int tile, window, step, before; /* a window begins at tile index * step - before */
    struct square (*input)(struct square window);
    struct square (*weight)(struct square w);
    struct square (*output)(const struct operands *o, struct square start);
};

/* ---- Winograd ---- */

static void winograd_input_axis(float *t, const float *d)
{
    const float a = fnma(4, d[2], d[4]), b = fnma(4, d[1], d[3]), c = d[4] - d[2], e = d[3] - d[1];
    t[0] = fnma(5, d[2], fmaf(4, d[0], d[4]));
    t[1] = a + b;
    t[2] = a - b;
    t[3] = fmaf(2, e, c);
    t[4] = fnma(2, e, c);
    t[5] = fnma(5, d[3], fmaf(4, d[1], d[5]));
}

static struct square winograd_input(struct square d)
{
    return each_column(winograd_input_axis, each_row(winograd_input_axis, d));
}

static struct square winograd_weight(struct square w)
{
    static const double g[6][3] = {{1. / 4, 0, 0},
                                   {-1. / 6, -1. / 6, -1. / 6},
                                   {-1. / 6, 1. / 6, -1. / 6},
                                   {1. / 24, 1. / 12, 1. / 6},
                                   {1. / 24, -1. / 12, 1. / 6},
                                   {0, 0, 1}};
    struct square u = {0};
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < 6; j++) {
            double sum = 0;
            for (int p = 0; p < 3; p++)
                for (int q = 0; q < 3; q++) sum += (g[i][p] * g[j][q]) * (double)w.at[p][q];
            u.at[i][j] = flush((float)sum);
        }
    return u;
}

static struct square winograd_weight_flipped(struct square w)
{
    struct square flipped = {0};
    for (int t = 0; t < 9; t++) flipped.at[t / 3][t % 3] = w.at[2 - t / 3][2 - t % 3];
    return winograd_weight(flipped);
}

static void winograd_output_axis(float *y, const float *m)
{
    const float s = m[1] + m[2], d = m[1] - m[2], p = m[3] + m[4], q = m[3] - m[4];
    y[0] = (m[0] + s) + p;
    y[1] = fmaf(2, q, d);
    y[2] = fmaf(4, p, s);
    y[3] = fmaf(8, q, d) + m[5];
}

static struct square winograd_output(const struct operands *o, struct square start)
{
    struct square m;
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < 6; j++) m.at[i][j] = product(0, o, i, j, i, j);
    struct square y = each_row(winograd_output_axis, each_column(winograd_output_axis, m));
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) y.at[i][j] = flush(y.at[i][j] + start.at[i][j]);
    return y;
}

static const struct form winograd = {.name = "winograd",
                                     .tile = 4,
                                     .window = 6,
                                     .step = 4,
                                     .before = 1,
                                     .input = winograd_input,
                                     .weight = winograd_weight,
                                     .output = winograd_output},
                         winograd_backward = {.name = "winograd data gradient",
                                              .tile = 4,
                                              .window = 6,
                                              .step = 4,
                                              .before = 1,
                                              .input = winograd_input,
                                              .weight = winograd_weight_flipped,
                                              .output = winograd_output};

/* ---- Stride 2 ---- */

enum { A, B, C, D, E };              /* along one axis of the inputs */
enum { P, Z0, Q, R, Z1 = Q };        /* of the gradients */
enum { FIRST, MIDDLE, LAST, OUTER }; /* of the weights: W0, W1, W2 and W+ */

/* What a part along one axis is multiplied with. */
struct term {
    int part, weight;
};

static void polyphase_input_axis(float *part, const float *x)
{
    part[A] = x[0] - x[2];
    part[B] = x[1];
    part[C] = x[2];
    part[D] = x[4] - x[2];
    part[E] = x[3];
}

static struct square polyphase_input(struct square x)
{
    return each_column(polyphase_input_axis, each_row(polyphase_input_axis, x));
}

static struct square polyphase_weight(struct square w)
{
    for (int i = 0; i < 3; i++) w.at[i][OUTER] = w.at[i][FIRST] + w.at[i][LAST];
    for (int j = 0; j < 4; j++) w.at[OUTER][j] = w.at[FIRST][j] + w.at[LAST][j];
    return w;
}

static struct square polyphase_output(const struct operands *o, struct square start)
{
    static const struct term terms[2][2] = {{{A, FIRST}, {B, MIDDLE}}, {{E, MIDDLE}, {D, LAST}}};
    const float m = flush(product(0, o, C, C, OUTER, OUTER));
    struct square y = {0};
    float r[2], k[2];
    for (int i = 0; i < 2; i++) {
        const struct term one = terms[i][0], two = terms[i][1];
        r[i] =
            flush(product(product(m, o, one.part, C, one.weight, OUTER), o, two.part, C, two.weight, OUTER));
        k[i] =
            flush(product(product(0, o, C, one.part, OUTER, one.weight), o, C, two.part, OUTER, two.weight));
    }
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++) {
            float sum = (r[i] + k[j]) + start.at[i][j];
            for (int v = 0; v < 2; v++)
                for (int u = 0; u < 2; u++)
                    sum = product(sum, o, terms[i][u].part, terms[j][v].part, terms[i][u].weight,
                                  terms[j][v].weight);
            y.at[i][j] = flush(sum);
        }
    return y;
}

static void polyphase_gradient_axis(float *part, const float *z)
{
    part[P] = z[0] - z[1];
    part[Z0] = z[0];
    part[Q] = z[1];
    part[R] = z[2] - z[1];
}

static struct square polyphase_gradient(struct square z)
{
    return each_column(polyphase_gradient_axis, each_row(polyphase_gradient_axis, z));
}

/* Even rows and columns 2i are indices 2i of the tile, odd ones 1 and 3 the first and the second. */
static struct square polyphase_output_backward(const struct operands *o, struct square old)
{
    static const int even[2] = {Z0, Z1};
    static const struct term odd[2] = {{P, LAST}, {R, FIRST}};
    struct square x = {0};
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++)
            x.at[2 * i][2 * j] = product(old.at[2 * i][2 * j], o, even[i], even[j], MIDDLE, MIDDLE);
    for (int i = 0; i < 2; i++) {
        const float columns = flush(product(0, o, even[i], Q, MIDDLE, OUTER)),
                    rows = flush(product(0, o, Q, even[i], OUTER, MIDDLE));
        for (int k = 0; k < 2; k++) {
            const int e = 2 * i, n = 2 * k + 1;
            x.at[e][n] = product(columns + old.at[e][n], o, even[i], odd[k].part, MIDDLE, odd[k].weight);
            x.at[n][e] = product(rows + old.at[n][e], o, odd[k].part, even[i], odd[k].weight, MIDDLE);
        }
    }
    const float m = flush(product(0, o, Q, Q, OUTER, OUTER));
    float r[2], k[2];
    for (int i = 0; i < 2; i++) {
        r[i] = flush(product(m, o, odd[i].part, Q, odd[i].weight, OUTER));
        k[i] = flush(product(0, o, Q, odd[i].part, OUTER, odd[i].weight));
    }
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++)
            x.at[2 * i + 1][2 * j + 1] = product((r[i] + k[j]) + old.at[2 * i + 1][2 * j + 1], o, odd[i].part,
                                                 odd[j].part, odd[i].weight, odd[j].weight);
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) x.at[i][j] = flush(x.at[i][j]);
    return x;
}

static const struct form polyphase = {.name = "polyphase",
                                      .tile = 2,
                                      .window = 5,
                                      .step = 4,
                                      .before = 1,
                                      .input = polyphase_input,
                                      .weight = polyphase_weight,
                                      .output = polyphase_output},
                         polyphase_backward = {.name = "polyphase data gradient",
                                               .tile = 4,
                                               .window = 3,
                                               .step = 2,
                                               .before = 0,
                                               .input = polyphase_gradient,
                                               .weight = polyphase_weight,
                                               .output = polyphase_output_backward};

/* ---- A map ---- */

/* One convolution, forward or back. */
struct walk {
    const struct form *form;
    struct view source;
    struct points *weight; /* of every STEPth channel of the result */
    struct points input;   /* of the tile at hand */
};

static const float *param_of(const struct layer *l, const char *name)
{
    return params_values(&l->params, params_find(&l->params, name));
}

/* Weights are [output][input][9]. Backward sums go over the outputs. */
static struct walk *walk_make(const struct form *form, struct view source, const float *weight, int channels,
                              bool backward)
{
    struct walk *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->form = form;
    w->source = source;
    assert_true(source.channels <= CHANNELS);
    assert_non_null(w->weight = calloc((size_t)channels / STEP + 1, sizeof *w->weight));
    for (int n = 0; n < channels; n += STEP)
        for (int k = 0; k < source.channels; k++) {
            const int place = backward ? k * channels + n : n * source.channels + k;
            points_set(w->weight + n / STEP, k, form->weight(weights_3x3(weight + (ptrdiff_t)place * 9)));
        }
    return w;
}

static void walk_free(struct walk *w)
{
    if (w) free(w->weight);
    free(w);
}

static void walk_read(struct walk *w, int image, int row, int column)
{
    const struct form *f = w->form;
    for (int k = 0; k < w->source.channels; k++)
        points_set(&w->input, k,
                   f->input(window_of(&w->source, image, row * f->step - f->before,
                                      column * f->step - f->before, f->window, k)));
}

static struct square walk_tile(const struct walk *w, int channel, struct square start)
{
    const struct operands o = {&w->input, w->weight + channel / STEP, w->source.channels};
    return w->form->output(&o, start);
}

static struct square constant(float value)
{
    struct square all;
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) all.at[i][j] = value;
    return all;
}

/* Two walks: what the first one writes the second adds to. Bias may be NULL. */
static void compare_map(struct walk *const *walks, int count, const float *bias, const struct view *found)
{
    const struct form *form = walks[0]->form;
    const int side = form->tile, down = (found->height + side - 1) / side,
              across = (found->width + side - 1) / side;
    for (int t = 0; t < found->images * down * across; t++) {
        const int image = t / across / down, row = t / across % down, column = t % across;
        for (int i = 0; i < count; i++) walk_read(walks[i], image, row, column);
        for (int n = 0; n < found->channels; n += STEP) {
            struct square tile = constant(bias ? bias[n] : 0.f);
            for (int i = 0; i < count; i++) tile = walk_tile(walks[i], n, tile);
            for (int k = 0; k < side * side; k++) {
                const int y = row * side + k / side, x = column * side + k % side;
                if (y >= found->height || x >= found->width) continue; /* dropped */
                compare(form->name, tile.at[k / side][k % side], (float)at(found, image, y, x, n), image, y,
                        x, n);
            }
        }
    }
}

static void compare_forward(const struct layer *l, const struct form *form)
{
    struct view y = net_value(&l->net, l->y);
    y.data = l->output;
    struct walk *walk = walk_make(form, net_value(&l->net, l->x), param_of(l, "c.weight"), y.channels, false);
    compare_map(&walk, 1, param_of(l, "c.bias"), &y);
    walk_free(walk);
}

static void compare_backward(const struct layer *l, const struct form *form)
{
    const struct view dx = net_gradient(&l->net, l->x);
    struct walk *walks[2] = {0};
    int count = 0;
    if (l->other >= 0)
        walks[count++] =
            walk_make(form, net_gradient(&l->net, l->other), param_of(l, "d.weight"), dx.channels, true);
    walks[count++] = walk_make(form, net_gradient(&l->net, l->y), param_of(l, "c.weight"), dx.channels, true);
    compare_map(walks, count, NULL, &dx);
    for (int i = 0; i < 2; i++) walk_free(walks[i]);
}

/* ---- Gradients of the weights ---- */

struct weight_form {
    const char *name;
    const struct form *forward; /* whose tiles and inputs these are */
    struct square (*gradient)(struct square dy);
    struct square (*sum)(const struct square *x, const struct square *dz, int tiles); /* of an image */
};

static void winograd_output_axis_backward(float *m, const float *y)
{
    const float s = y[0] + y[2], d = y[1] + y[3], e = fmaf(4, y[2], y[0]), o = fmaf(4, y[3], y[1]);
    m[0] = y[0];
    m[1] = s + d;
    m[2] = s - d;
    m[3] = fmaf(2, o, e);
    m[4] = fnma(2, o, e);
    m[5] = y[3];
}

static struct square winograd_output_backward(struct square dy)
{
    return each_column(winograd_output_axis_backward, each_row(winograd_output_axis_backward, dy));
}

static void winograd_weight_axis_backward(float *w, const float *u)
{
    const float s = u[1] + u[2], d = u[2] - u[1], p = u[3] + u[4], q = u[3] - u[4];
    w[0] = fmaf(6, u[0], fnma(4, s, p));
    w[1] = fmaf(2, d, q);
    w[2] = fmaf(6, u[5], p - s);
}

static struct square winograd_sum(const struct square *v, const struct square *dm, int tiles)
{
    static const double times[3] = {24, 12, 6};
    struct square du = {0};
    for (int t = 0; t < tiles; t++)
        for (int i = 0; i < 6; i++)
            for (int j = 0; j < 6; j++) du.at[i][j] = fmaf(v[t].at[i][j], dm[t].at[i][j], du.at[i][j]);
    struct square dw =
        each_row(winograd_weight_axis_backward, each_column(winograd_weight_axis_backward, du));
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) dw.at[i][j] = flush(dw.at[i][j] * (float)(1 / (times[i] * times[j])));
    return dw;
}

static const struct weight_form winograd_weights = {"winograd weight gradient", &winograd,
                                                    winograd_output_backward, winograd_sum};

enum { SUM = 2 }; /* z+, behind z0 and z1 */

static void polyphase_dy_axis(float *z, const float *dy)
{
    z[0] = dy[0];
    z[1] = dy[1];
    z[SUM] = dy[0] + dy[1];
}

static struct square polyphase_dy(struct square dy)
{
    return each_column(polyphase_dy_axis, each_row(polyphase_dy_axis, dy));
}

/* Along one axis the parts of input and gradient whose products a sum adds: s3 has two, the others one. */
struct parts {
    int terms;
    struct {
        int x, z;
    } term[2];
};

static const struct parts sum_parts[4] = {
    {1, {{A, 0}}}, {1, {{C, SUM}}}, {1, {{D, 1}}}, {2, {{B, 0}, {E, 1}}}};

/* One sum goes on by a block of tiles, term by term. */
static float polyphase_block(float sum, const struct square *x, const struct square *z, int tiles,
                             struct parts row, struct parts column)
{
    for (int u = 0; u < row.terms; u++)
        for (int v = 0; v < column.terms; v++)
            for (int t = 0; t < tiles; t++)
                sum = fmaf(x[t].at[row.term[u].x][column.term[v].x], z[t].at[row.term[u].z][column.term[v].z],
                           sum);
    return sum;
}

static void polyphase_weight_axis(float *dw, const float *s)
{
    dw[0] = s[0] + s[1];
    dw[1] = s[3];
    dw[2] = s[2] + s[1];
}

static struct square polyphase_sum(const struct square *x, const struct square *z, int tiles)
{
    struct square s = {0};
    for (int blocks = (tiles + 49) / 50, first = 0; blocks > 0; blocks--) {
        const int n = (tiles - first + blocks - 1) / blocks;
        for (int i = 0; i < 4; i++)
            for (int j = 0; j < 4; j++)
                s.at[i][j] = polyphase_block(s.at[i][j], x + first, z + first, n, sum_parts[i], sum_parts[j]);
        first += n;
    }
    return each_row(polyphase_weight_axis, each_column(polyphase_weight_axis, s));
}

static const struct weight_form polyphase_weights = {"polyphase weight gradient", &polyphase, polyphase_dy,
                                                     polyphase_sum};

/* Groups of 2^k images that begin at a multiple of 2^k; the last one may be short. */
static float tree(const float *values, int n)
{
    if (n == 1) return values[0];
    int left = 1;
    while (2 * left < n) left *= 2;
    return tree(values, left) + tree(values + left, n - left);
}

static void compare_weight(const struct layer *l, const struct weight_form *form, int in, int out)
{
    const struct view x = net_value(&l->net, l->x), dy = net_gradient(&l->net, l->y);
    const struct form *f = form->forward;
    const int down = (dy.height + f->tile - 1) / f->tile, across = (dy.width + f->tile - 1) / f->tile,
              tiles = down * across;
    struct square *inputs = calloc((size_t)tiles, sizeof *inputs),
                  *gradients = calloc((size_t)tiles, sizeof *gradients);
    float dw[9][IMAGES];
    assert_true(inputs && gradients && x.images <= IMAGES);
    for (int image = 0; image < x.images; image++) {
        for (int t = 0; t < tiles; t++) {
            const int row = t / across, column = t % across;
            inputs[t] = f->input(
                window_of(&x, image, row * f->step - f->before, column * f->step - f->before, f->window, in));
            gradients[t] =
                form->gradient(window_of(&dy, image, row * f->tile, column * f->tile, f->tile, out));
        }
        const struct square sum = form->sum(inputs, gradients, tiles);
        for (int t = 0; t < 9; t++) dw[t][image] = sum.at[t / 3][t % 3];
    }
    const float *found = l->gradients + l->params.list[params_find(&l->params, "c.weight")].offset +
                         ((ptrdiff_t)out * x.channels + in) * 9;
    for (int t = 0; t < 9; t++) /* added to what was there: 0 */
        compare(form->name, 0.f + tree(dw[t], x.images), found[t], 0, t / 3, t % 3, out * x.channels + in);
    free(inputs);
    free(gradients);
}

static void compare_weights(const struct layer *l, const struct weight_form *form)
{
    const int in = net_value(&l->net, l->x).channels, out = net_gradient(&l->net, l->y).channels;
    for (int o = 0; o < out; o += STEP + 2)
        for (int i = 0; i < in; i += STEP) compare_weight(l, form, i, o);
}

/* ---- Strassen ---- */

enum { HALF = 320 }; /* of the inputs, at most */

/* For one output of either half, from every input of a half. */
struct strassen_weights {
    float b11[HALF], b21[HALF], b22[HALF], t1[HALF], t2[HALF], t3[HALF], b21_t2[HALF];
    float bias1, bias2; /* the latter is bias2' */
};

/* A pair of pixels. */
struct strassen_inputs {
    float a1[HALF], a2[HALF], b1[HALF], b2[HALF], s1[HALF], s2[HALF], s3[HALF], s4[HALF];
};

struct strassen_outputs {
    float a1, a2, b1, b2;
};

static float rounded(double x) { return flush((float)x); }

/* w1 and w2 are the rows of weights of an output of half 1 and of its fellow of half 2. */
static void strassen_weights_make(struct strassen_weights *s, const float *w1, const float *w2, int half)
{
    for (int k = 0; k < half; k++) {
        const double b11 = flush(w1[k]), b12 = flush(w2[k]), b21 = flush(w1[k + half]),
                     b22 = flush(w2[k + half]), t1 = b12 - b11, t2 = b22 - t1;
        s->b11[k] = rounded(b11);
        s->b21[k] = rounded(b21);
        s->b22[k] = rounded(b22);
        s->t1[k] = rounded(t1);
        s->t2[k] = rounded(t2);
        s->t3[k] = rounded(b22 - b12);
        s->b21_t2[k] = rounded(b21 - t2);
    }
}

static void strassen_inputs_make(struct strassen_inputs *s, const struct view *x, int image, int pair)
{
    const int half = x->channels / 2, pixels = x->height * x->width, a = 2 * pair, b = a + 1;
    for (int k = 0; k < half; k++) {
        s->a1[k] = (float)at(x, image, a / x->width, a % x->width, k);
        s->a2[k] = (float)at(x, image, a / x->width, a % x->width, k + half);
        s->b1[k] = b < pixels ? (float)at(x, image, b / x->width, b % x->width, k) : 0.f;
        s->b2[k] = b < pixels ? (float)at(x, image, b / x->width, b % x->width, k + half) : 0.f;
        s->s1[k] = s->b1[k] + s->b2[k];
        s->s2[k] = s->s1[k] - s->a1[k];
        s->s3[k] = s->a1[k] - s->b1[k];
        s->s4[k] = s->a2[k] - s->s2[k];
    }
}

static struct strassen_outputs strassen_multiply(const struct strassen_inputs *s,
                                                 const struct strassen_weights *w, int half)
{
    const float u = chain(w->bias1, s->a1, w->b11, half);
    const float v = chain(u, s->s2, w->t2, half), z = chain(v, s->s3, w->t3, half);
    const float t = chain(v + w->bias2, s->s1, w->t1, half);
    return (struct strassen_outputs){.a1 = flush(chain(u, s->a2, w->b21, half)),
                                     .b1 = flush(chain(z, s->b2, w->b21_t2, half)),
                                     .a2 = flush(chain(t, s->s4, w->b22, half)),
                                     .b2 = flush((z - v) + t)};
}

static void compare_pixel(const struct view *y, int image, int pixel, int output, float out1, float out2)
{
    if (pixel >= y->height * y->width) return; /* dropped */
    const int row = pixel / y->width, column = pixel % y->width, fellow = output + y->channels / 2;
    compare("strassen", out1, (float)at(y, image, row, column, output), image, row, column, output);
    compare("strassen", out2, (float)at(y, image, row, column, fellow), image, row, column, fellow);
}

/* One output of each half. */
static void compare_strassen(const struct layer *l, const struct view *x, const struct view *y, int output)
{
    static struct strassen_weights weights;
    static struct strassen_inputs inputs;
    const int half = x->channels / 2, fellow = output + y->channels / 2;
    const float *weight = param_of(l, "c.weight"), *bias = param_of(l, "c.bias");
    assert_true(half <= HALF);
    strassen_weights_make(&weights, weight + (ptrdiff_t)output * x->channels,
                          weight + (ptrdiff_t)fellow * x->channels, half);
    weights.bias1 = bias[output];
    weights.bias2 = rounded((double)bias[fellow] - (double)bias[output]);
    for (int image = 0; image < x->images; image++)
        for (int pair = 0; 2 * pair < x->height * x->width; pair++) {
            strassen_inputs_make(&inputs, x, image, pair);
            const struct strassen_outputs out = strassen_multiply(&inputs, &weights, half);
            compare_pixel(y, image, 2 * pair, output, out.a1, out.a2);
            compare_pixel(y, image, 2 * pair + 1, output, out.b1, out.b2);
        }
}

static void compare_strassen_layer(const struct layer *l)
{
    const struct view x = net_value(&l->net, l->x);
    struct view y = net_value(&l->net, l->y);
    y.data = l->output;
    for (int n = 0; n < y.channels / 2; n += 8 * STEP - 1) compare_strassen(l, &x, &y, n);
}

/* ---- Layers ---- */

/* Factors of the values by formula: no powers of two, because the formula's values are multiples of 2^-23, of which
 * sums of a few are exact in any order. */
struct sizes {
    float x, dy, weight;
};

static const struct sizes normal = {0.7f, 0.7f, 1};

static void scale(float *values, size_t n, float factor)
{
    for (size_t i = 0; i < n; i++) values[i] = flush(values[i] * factor);
}

static void scale_view(struct view v, float factor)
{
    scale(v.data, (size_t)v.pixels * (size_t)v.stride, factor);
}

/* Weights are flushed when they are packed. */
static void scale_weight(struct params *params, const char *name, float factor)
{
    const int i = params_find(params, name);
    for (size_t k = 0; k < params->list[i].size; k++) params_values(params, i)[k] *= factor;
}

static void scale_bias(struct params *params, const char *name, float factor)
{
    const int i = params_find(params, name);
    scale(params_values(params, i), params->list[i].size, factor);
}

/* other: outputs of a second convolution, or 0. */
static void start(struct layer *l, struct shape s, int other, const struct conv_options *options,
                  struct sizes sizes, int threads)
{
    layer_make_two(l, s, other, *options, (struct net_options){.threads = threads, .mode = NET_TRAINING});
    layer_fill(l);
    scale_view(net_value(&l->net, l->x), sizes.x);
    scale_view(net_gradient(&l->net, l->y), sizes.dy);
    scale_weight(&l->params, "c.weight", sizes.weight);
    scale_bias(&l->params, "c.bias", sizes.weight * sizes.x);
    if (other) {
        scale_view(net_gradient(&l->net, l->other), sizes.dy);
        scale_weight(&l->params, "d.weight", sizes.weight);
    }
    net_pack(&l->net);
    layer_run(l);
}

static void assert_same_view(struct view a, struct view b)
{
    assert_memory_equal(a.data, b.data, (size_t)a.pixels * (size_t)a.stride * sizeof *a.data);
}

/* What one thread computed has been compared with the text. */
static void compare_threads(const struct layer *one, struct shape s, int other,
                            const struct conv_options *options)
{
    static const int threads[] = {3, 256};
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
        struct layer many;
        start(&many, s, other, options, normal, threads[i]);
        struct view y = net_value(&one->net, one->y), same_y = net_value(&many.net, many.y);
        y.data = one->output;
        same_y.data = many.output;
        assert_same_view(y, same_y);
        assert_same_view(net_gradient(&one->net, one->x), net_gradient(&many.net, many.x));
        assert_memory_equal(one->gradients, many.gradients, one->params.trainable * sizeof(float));
        layer_end(&many);
    }
}

static void algorithm_is(const struct layer *l, const char *name)
{
    for (int i = 0; i < l->graph.node_count; i++)
        assert_string_equal(cost_algorithm(&l->net, l->graph.nodes + i), name);
}

static void compare_winograd(const struct layer *l)
{
    algorithm_is(l, "winograd");
    compare_forward(l, &winograd);
    compare_backward(l, &winograd_backward);
    compare_weights(l, &winograd_weights);
}

static void compare_polyphase(const struct layer *l)
{
    algorithm_is(l, "polyphase");
    compare_forward(l, &polyphase);
    compare_backward(l, &polyphase_backward);
    compare_weights(l, &polyphase_weights);
}

static void winograd_is_as_written(void **state)
{
    (void)state;
    static const struct shape shapes[] = {
        {1, 8, 8, 16, 16}, {3, 14, 17, 48, 16}, {5, 29, 10, 80, 144}, {7, 13, 23, 16, 48}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        struct layer l;
        start(&l, shapes[i], 0, &winograd_options, normal, 1);
        compare_winograd(&l);
        compare_threads(&l, shapes[i], 0, &winograd_options);
        layer_end(&l);
    }
}

static void polyphase_is_as_written(void **state)
{
    (void)state;
    static const struct shape shapes[] = {{1, 16, 15, 32, 16},
                                          {3, 17, 30, 48, 32},
                                          {2, 24, 17, 64, 80},
                                          {1, 23, 67, 32, 128},
                                          {7, 15, 31, 80, 48}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        struct layer l;
        start(&l, shapes[i], 0, &polyphase_options, normal, 1);
        compare_polyphase(&l);
        compare_threads(&l, shapes[i], 0, &polyphase_options);
        layer_end(&l);
    }
}

static void strassen_is_as_written(void **state)
{
    (void)state;
    static const struct {
        struct shape shape;
        const struct conv_options *options;
    } cases[] = {{{1, 8, 16, 384, 384}, &point_options},
                 {{3, 1, 129, 416, 448}, &linear_options},
                 {{2, 9, 15, 608, 992}, &point_options}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct layer l;
        start(&l, cases[i].shape, 0, cases[i].options, normal, 1);
        algorithm_is(&l, "strassen");
        compare_strassen_layer(&l);
        compare_threads(&l, cases[i].shape, 0, cases[i].options);
        layer_end(&l);
    }
}

/* The later of two convolutions writes the gradient of their input, the other one adds its own. */
static void gradients_add_as_written(void **state)
{
    (void)state;
    static const struct {
        struct shape shape;
        int other;
        const struct conv_options *options;
        void (*compare)(const struct layer *l);
    } cases[] = {{{2, 13, 18, 48, 16}, 80, &winograd_options, compare_winograd},
                 {{3, 9, 15, 16, 48}, 32, &winograd_options, compare_winograd},
                 {{2, 17, 22, 48, 32}, 16, &polyphase_options, compare_polyphase},
                 {{3, 15, 16, 32, 16}, 80, &polyphase_options, compare_polyphase}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct layer l;
        start(&l, cases[i].shape, cases[i].other, cases[i].options, normal, 1);
        cases[i].compare(&l);
        compare_threads(&l, cases[i].shape, cases[i].other, cases[i].options);
        layer_end(&l);
    }
}

/* About 2^-40 many a value is flushed, and it shows which. Weights by formula are below 0.1. */
static void small_values_are_flushed_as_written(void **state)
{
    (void)state;
    static const struct sizes sizes[] = {
        {0x1.6p-38f, 0.7f, 1}, {0.7f, 0x1.6p-38f, 1}, {0.7f, 0.7f, 0x1.6p-35f}};
    static const struct {
        struct shape shape;
        int other;
        const struct conv_options *options;
        void (*compare)(const struct layer *l);
    } cases[] = {{{2, 13, 18, 32, 48}, 16, &winograd_options, compare_winograd},
                 {{2, 17, 22, 48, 32}, 16, &polyphase_options, compare_polyphase},
                 {{1, 3, 43, 384, 416}, 0, &point_options, compare_strassen_layer}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            struct layer l;
            start(&l, cases[i].shape, cases[i].other, cases[i].options, sizes[k], 1);
            cases[i].compare(&l);
            layer_end(&l);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(winograd_is_as_written),
        cmocka_unit_test(polyphase_is_as_written),
        cmocka_unit_test(strassen_is_as_written),
        cmocka_unit_test(gradients_add_as_written),
        cmocka_unit_test(small_values_are_flushed_as_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
