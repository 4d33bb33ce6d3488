/* Sums, copies and elementwise operations. */
#include "nn/op.h"

#include "base/par.h"

enum { GRAIN = 8 };

struct rows {
    const struct net *net;
    struct view to, a, b;
    bool accumulate;
    enum activation activation;
};

static void run(struct net *net, par_body *body, struct rows *rows)
{
    rows->net = net;
    par_for(net->options.threads, rows->to.pixels, GRAIN, body, rows);
}

static void copy_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const struct rows *r = context;
    const int n = (int)(end - begin);
    if (r->accumulate)
        r->net->kernels->add(view_row(&r->to, begin), r->to.stride, view_row(&r->to, begin), r->to.stride,
                             view_row(&r->a, begin), r->a.stride, n, r->to.channels);
    else
        r->net->kernels->copy(view_row(&r->to, begin), r->to.stride, view_row(&r->a, begin), r->a.stride, n,
                              r->to.channels);
}

void op_deliver(struct net *net, struct view to, struct view from, bool accumulate)
{
    run(net, copy_rows, &(struct rows){.to = to, .a = from, .accumulate = accumulate});
}

/* ---- y = a + b ---- */

static void add_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const struct rows *r = context;
    r->net->kernels->add(view_row(&r->to, begin), r->to.stride, view_row(&r->a, begin), r->a.stride,
                         view_row(&r->b, begin), r->b.stride, (int)(end - begin), r->to.channels);
}

static void add_forward(struct net *net, const struct node *node)
{
    run(net, add_rows,
        &(struct rows){.to = op_output(net, node), .a = op_input(net, node, 0), .b = op_input(net, node, 1)});
}

static void add_backward(struct net *net, const struct node *node)
{
    for (int i = 0; i < 2; i++)
        if (op_needs_gradient(net, node, i))
            op_deliver(net, net_gradient(net, node->input[i]), net_gradient(net, node->output),
                       op_accumulates(net, node, i));
}

const struct op op_add = {.forward = add_forward, .backward = add_backward, .replay = add_forward};

/* ---- y = x ---- */

static void copy_forward(struct net *net, const struct node *node)
{
    op_deliver(net, op_output(net, node), op_input(net, node, 0), false);
}

static void copy_backward(struct net *net, const struct node *node)
{
    op_deliver(net, net_gradient(net, node->input[0]), net_gradient(net, node->output),
               op_accumulates(net, node, 0));
}

const struct op op_copy = {.forward = copy_forward, .backward = copy_backward, .replay = copy_forward};

/* ---- y = ranges of x's channels, made contiguous ---- */

static struct view channels_of(struct view view, int channel, int channels)
{
    view.data += channel;
    view.channels = channels;
    return view;
}

static void gather_forward(struct net *net, const struct node *node)
{
    const struct gather_options *g = &node->as.gather;
    for (int i = 0; i < g->count; i++)
        op_deliver(net, channels_of(op_output(net, node), i * g->length, g->length),
                   channels_of(op_input(net, node, 0), g->start + i * g->step, g->length), false);
}

static void gather_backward(struct net *net, const struct node *node)
{
    const struct gather_options *g = &node->as.gather;
    for (int i = 0; i < g->count; i++)
        op_deliver(net, channels_of(net_gradient(net, node->input[0]), g->start + i * g->step, g->length),
                   channels_of(net_gradient(net, node->output), i * g->length, g->length),
                   op_accumulates(net, node, 0));
}

const struct op op_gather = {
    .forward = gather_forward, .backward = gather_backward, .replay = gather_forward};

/* ---- y = activation(x) ---- */

static void activate_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const struct rows *r = context;
    r->net->kernels->activate(view_row(&r->to, begin), r->to.stride, view_row(&r->a, begin), r->a.stride,
                              (int)(end - begin), r->to.channels, r->activation);
}

void op_activate(struct net *net, struct view to, struct view from, enum activation activation)
{
    run(net, activate_rows, &(struct rows){.to = to, .a = from, .activation = activation});
}

static void activate_backward_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const struct rows *r = context;
    r->net->kernels->activate_backward(view_row(&r->to, begin), r->to.stride, view_row(&r->to, begin),
                                       r->to.stride, view_row(&r->a, begin), r->a.stride, (int)(end - begin),
                                       r->to.channels, r->activation);
}

void op_activate_backward(struct net *net, struct view dy, struct view x, enum activation activation)
{
    run(net, activate_backward_rows, &(struct rows){.to = dy, .a = x, .activation = activation});
}

static void activation_forward(struct net *net, const struct node *node)
{
    op_activate(net, op_output(net, node), op_input(net, node, 0), node->as.activation);
}

static void activation_backward(struct net *net, const struct node *node)
{
    const struct view dy = net_gradient(net, node->output);
    op_activate_backward(net, dy, op_input(net, node, 0), node->as.activation);
    op_deliver(net, net_gradient(net, node->input[0]), dy, op_accumulates(net, node, 0));
}

const struct op op_activation = {.reads_inputs = true,
                                 .forward = activation_forward,
                                 .backward = activation_backward,
                                 .replay = activation_forward};
