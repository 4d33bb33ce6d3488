#include "check_layer.h"

#include "check.h"
#include "op_cases.h"

#include <stdlib.h>
#include <string.h>

const struct kernels *kernels_here(void)
{
    const struct kernels *kernels;
    struct error err;
    check_ok(kernels_get(&kernels, NULL, &err), &err);
    return kernels;
}

static int add_conv(struct layer *l, const char *name, int in, int out, struct conv_options options)
{
    const struct conv_layer conv = graph_conv_layer(&l->graph, name, in, out, options);
    const int y = graph_conv(&l->graph, &conv, l->x);
    graph_output(&l->graph, y);
    return y;
}

void layer_make_two(struct layer *l, struct shape s, int other_out, struct conv_options options,
                    struct net_options net)
{
    struct error err;
    *l = (struct layer){0};
    graph_begin(&l->graph, &l->params);
    l->x = graph_input(&l->graph, s.height, s.width, s.in, true);
    l->y = add_conv(l, "c", s.in, s.out, options);
    l->other = other_out ? add_conv(l, "d", s.in, other_out, options) : -1;
    check_ok(graph_finish(&l->graph, &err), &err);
    op_case_params(&l->params);
    net.batch = s.batch;
    check_ok(net_create(&l->net, &l->graph, kernels_here(), net, &err), &err);
}

void layer_make(struct layer *l, struct shape s, struct conv_options options, struct net_options net)
{
    layer_make_two(l, s, 0, options, net);
}

static void fill(struct view view, const char *name)
{
    op_case_uniform(view.data, name, (size_t)view.pixels * (size_t)view.stride);
}

void layer_fill(struct layer *l)
{
    fill(net_value(&l->net, l->x), "x");
    fill(net_gradient(&l->net, l->y), "dy");
    if (l->other >= 0) fill(net_gradient(&l->net, l->other), "other dy");
}

void layer_run(struct layer *l)
{
    assert_non_null(l->gradients = calloc(l->params.trainable, sizeof *l->gradients));
    net_forward(&l->net);
    const struct view y = net_value(&l->net, l->y);
    const size_t size = (size_t)y.pixels * (size_t)y.stride * sizeof *l->output;
    assert_non_null(l->output = malloc(size));
    memcpy(l->output, y.data, size);
    net_backward(&l->net, l->gradients);
}

void layer_start(struct layer *l, struct shape s, struct conv_options options, enum net_plan plan,
                 int threads)
{
    layer_make(l, s, options, (struct net_options){.threads = threads, .mode = NET_TRAINING, .plan = plan});
    layer_fill(l);
    layer_run(l);
}

void layer_end(struct layer *l)
{
    free(l->output);
    free(l->gradients);
    net_free(&l->net);
    graph_free(&l->graph);
    params_free(&l->params);
}

double at(const struct view *v, int image, int row, int column, int channel)
{
    if (row < 0 || row >= v->height || column < 0 || column >= v->width) return 0;
    return v->data[((int64_t)(image * v->height + row) * v->width + column) * v->stride + channel];
}
