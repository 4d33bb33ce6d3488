/* Convolution, forward and backward, against the definition written as loops.
 *
 * Inputs, weights and gradients are powers of two of either sign, so that every sum is exact in float32 and
 * equality does not depend on any order. */
#include "check.h"

#include "base/rng.h"
#include "nn/net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct shape {
    int height, width, in, out, kernel, stride, padding, dilation, groups, batch;
};

static void powers(float *values, const char *name, size_t n)
{
    static const float choice[8] = {-2, -1, -0.5f, 0.5f, 1, 2, 0.25f, -0.25f};
    for (size_t i = 0; i < n; i++) values[i] = choice[rng_u64(rng_fnv1a(name), i) >> 61];
}

static float *zeros(size_t n)
{
    float *values = calloc(n ? n : 1, sizeof *values);
    assert_non_null(values);
    return values;
}

/* y, dx, dw and db at once: every product of the definition contributes to all of them. */
struct reference {
    int height, width;
    float *y, *dx, *dw, *db;
};

static void reference_of(struct reference *r, const struct shape *s, const float *x, const float *w,
                         const float *b, const float *dy)
{
    const int in_group = s->in / s->groups, out_group = s->out / s->groups, k = s->kernel;
    for (int image = 0; image < s->batch; image++)
        for (int oy = 0; oy < r->height; oy++)
            for (int ox = 0; ox < r->width; ox++)
                for (int o = 0; o < s->out; o++) {
                    const size_t at =
                        (size_t)((image * r->height + oy) * r->width + ox) * (size_t)s->out + (size_t)o;
                    r->y[at] = b[o];
                    r->db[o] += dy[at];
                    for (int i = 0; i < in_group; i++)
                        for (int kh = 0; kh < k; kh++)
                            for (int kw = 0; kw < k; kw++) {
                                const int iy = oy * s->stride - s->padding + kh * s->dilation;
                                const int ix = ox * s->stride - s->padding + kw * s->dilation;
                                if (iy < 0 || ix < 0 || iy >= s->height || ix >= s->width) continue;
                                const size_t from =
                                    (size_t)((image * s->height + iy) * s->width + ix) * (size_t)s->in +
                                    (size_t)(o / out_group * in_group + i);
                                const size_t weight = (size_t)(((o * in_group + i) * k + kh) * k + kw);
                                r->y[at] += x[from] * w[weight];
                                r->dx[from] += dy[at] * w[weight];
                                r->dw[weight] += dy[at] * x[from];
                            }
                }
}

static bool equal(const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (a[i] != b[i]) return false;
    return true;
}

static void check_shape(const struct shape *s, const struct kernels *kernels)
{
    struct params params = {0};
    struct graph graph;
    struct net net;
    struct error err;
    graph_begin(&graph, &params);
    const int input = graph_input(&graph, s->height, s->width, s->in, true);
    const struct conv_layer layer = graph_conv_layer(&graph, "c", s->in, s->out,
                                                     (struct conv_options){.kernel = s->kernel,
                                                                           .stride = s->stride,
                                                                           .padding = s->padding,
                                                                           .dilation = s->dilation,
                                                                           .groups = s->groups});
    const int output = graph_conv(&graph, &layer, input);
    graph_output(&graph, output);
    check_ok(graph_finish(&graph, &err), &err);
    powers(params.values, "weights", params.total);
    const struct net_options options = {.batch = s->batch, .threads = 2, .mode = NET_TRAINING};
    check_ok(net_create(&net, &graph, kernels, options, &err), &err);

    const struct view x = net_value(&net, input), y = net_value(&net, output);
    const struct view dx = net_gradient(&net, input), dy = net_gradient(&net, output);
    const size_t inputs = (size_t)x.pixels * (size_t)s->in, outputs = (size_t)y.pixels * (size_t)s->out;
    float *given = zeros(inputs), *given_gradient = zeros(outputs), *gradients = zeros(params.trainable);
    powers(given, "x", inputs);
    powers(given_gradient, "dy", outputs);
    memcpy(x.data, given, inputs * sizeof(float));
    net_forward(&net);
    const size_t weights = params.list[0].size;
    struct reference r = {y.height,      y.width,        zeros(outputs),
                          zeros(inputs), zeros(weights), zeros((size_t)s->out)};
    reference_of(&r, s, given, params.values, params.values + weights, given_gradient);
    const bool forward = equal(r.y, y.data, outputs);
    memcpy(dy.data, given_gradient, outputs * sizeof(float));
    net_backward(&net, gradients);
    const bool data = equal(r.dx, dx.data, inputs), weight = equal(r.dw, gradients, weights),
               bias = equal(r.db, gradients + weights, (size_t)s->out);
    if (!forward || !data || !weight || !bias)
        print_error("%s: %dx%dx%d to %d, kernel %d, stride %d, padding %d, dilation %d, groups %d: "
                    "y %d, dx %d, dw %d, db %d\n",
                    kernels->name, s->height, s->width, s->in, s->out, s->kernel, s->stride, s->padding,
                    s->dilation, s->groups, forward, data, weight, bias);
    assert_true(forward && data && weight && bias);
    free(given);
    free(given_gradient);
    free(gradients);
    free(r.y);
    free(r.dx);
    free(r.dw);
    free(r.db);
    net_free(&net);
    graph_free(&graph);
    params_free(&params);
}

/* Every combination that leaves an output, on a picture of odd size and a narrow one, groups of one, two and
 * as many as channels (with one output each: depthwise; with more: groups of one channel). */
static void every_combination_is_exact(void **state)
{
    (void)state;
    static const int sizes[][2] = {{7, 5}, {2, 9}};
    static const int channels[][3] = {{6, 20, 1}, {6, 10, 2}, {5, 5, 5}, {4, 8, 4}, {3, 7, 1}};
    int count, done = 0;
    const struct kernels *const *tables = kernels_available(&count);
    for (int c = 0; c < 5 * 2; c++)
        for (int kernel = 1; kernel <= 4; kernel++)
            for (int stride = 1; stride <= 3; stride++)
                for (int padding = 0; padding < kernel && padding <= 2; padding++)
                    for (int dilation = 1; dilation <= 2; dilation++) {
                        const struct shape s = {sizes[c % 2][0],
                                                sizes[c % 2][1],
                                                channels[c / 2][0],
                                                channels[c / 2][1],
                                                kernel,
                                                stride,
                                                padding,
                                                dilation,
                                                channels[c / 2][2],
                                                1 + (done % 3)};
                        const int reach = dilation * (kernel - 1) + 1;
                        if (reach > s.height + 2 * padding || reach > s.width + 2 * padding) continue;
                        check_shape(&s, tables[done % count]);
                        done++;
                    }
    printf("%d shapes\n", done);
    assert_true(done > 400);
}

/* More pixels than a block or a chunk of sums holds, more channels than a register tile, more images than workers. */
static void large_shapes_are_exact(void **state)
{
    (void)state;
    static const struct shape shapes[] = {
        {33, 31, 8, 70, 3, 1, 1, 1, 1, 2},
        {40, 41, 3, 33, 3, 2, 1, 1, 1, 1},
        {25, 23, 40, 40, 3, 1, 1, 1, 40, 2},
        {28, 42, 3, 24, 14, 14, 0, 1, 1, 2},
        {1, 600, 12, 9, 1, 1, 0, 1, 1, 1},
        /* two threads sum branches of the image tree: two images each and one alone; four each and three; patches */
        {7, 5, 6, 20, 3, 1, 1, 1, 1, 11},
        {5, 6, 6, 10, 3, 1, 1, 1, 2, 19},
        {9, 8, 3, 20, 3, 2, 1, 1, 1, 16},
        {1, 9, 20, 130, 1, 1, 0, 1, 1, 8},
        /* two of three taps in a kernel row meet a phase of the data gradient, and are read together */
        {9, 41, 72, 32, 3, 2, 1, 1, 1, 2},
        /* gradients read where they lie: of a group, the widest; and the first that are packed */
        {9, 11, 6, 32, 3, 1, 1, 1, 2, 3},
        {5, 30, 8, 128, 1, 1, 0, 1, 1, 2},
        {5, 30, 8, 144, 1, 1, 0, 1, 1, 2},
    };
    int count;
    const struct kernels *const *tables = kernels_available(&count);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int t = 0; t < count; t++) check_shape(shapes + i, tables[t]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_combination_is_exact),
        cmocka_unit_test(large_shapes_are_exact),
    };
    return cmocka_run_group_tests_name("conv", tests, NULL, NULL);
}
