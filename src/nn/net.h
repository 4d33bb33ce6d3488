/* Net: a graph made runnable for one batch size and one mode.
 *
 * Planning computes the place of every buffer in one block of memory from its lifetime, packs weights for the
 * kernels and allocates everything; afterwards running allocates nothing. What is computed depends on shapes
 * and on the plan's name alone: instruction set, threads and batch only decide who computes which output.
 *
 * Training keeps what the backward pass reads, or makes it again (op.h), and adds parameter gradients to a
 * flat array laid out like params.values[0 .. trainable). Gradients are those of a loss that the caller may
 * have multiplied by a power of two. */
#ifndef RETORT_NN_NET_H
#define RETORT_NN_NET_H

#include "base/status.h"
#include "kernels/kernels.h"
#include "nn/graph.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum net_mode {
    NET_INFERENCE, /* batch norm folded into the weights, buffers reused as soon as they are free */
    NET_TRAINING,  /* batch statistics; running ones are updated by net_forward, so parameters must not be borrowed */
    NET_FROZEN,    /* backward with running statistics, which stay as they are */
};

/* Names of plans: which algorithm computes a shape. */
enum net_plan {
    PLAN_FAST,     /* fewer multiplications where that is faster: conv_winograd.c, conv_polyphase.c, conv_strassen.c */
    PLAN_EXACT,    /* every convolution directly, one chain an output */
    PLAN_FAST_0_1, /* as fast chose in version 0.1: for repeating what it made */
};

const char *net_plan_name(enum net_plan plan); /* "fast", "exact", "fast-0.1" */

/* Stands for what the plan computes wherever a hash tells runs apart, so that an interrupted one never goes on
 * otherwise than it began: fast gets a new number with each version that changes it, the old one stays with the plan
 * that is named after that version. */
int net_plan_number(enum net_plan plan);

struct net_options {
    int batch, threads;
    enum net_mode mode;
    float momentum; /* of the running statistics: new = (1 - momentum) * old + momentum * batch; 0 means 0.03 */
    size_t memory_limit; /* bytes; 0: none. A plan that needs more is refused before anything is allocated */
    size_t spare;        /* bytes: while a training takes no more, values are kept rather than made again */
    enum net_plan plan;
};

enum net_pass { NET_PACK, NET_FORWARD, NET_BACKWARD };

/* Told where a run stands: node is -1 where a pass begins, else the one that has just ended (packing tells
 * its last node only). */
struct net_watch {
    void (*passed)(void *context, enum net_pass pass, int node);
    void *context;
};

/* Where the sums that make gradients of biases, norms and layer scales go as doubles instead of being rounded
 * into the flat gradient, so that parts of a batch can be added as the whole batch would be. Gradients of
 * weights and of token tables are added to the flat one all the same. */
struct net_sums {
    double *values;
    const size_t *offset; /* per parameter, in values */
};

/* Rows of pixels: element (p, c) at data[p * stride + c]. */
struct view {
    float *data;
    ptrdiff_t stride;
    int images, height, width, channels;
    int64_t pixels; /* of all images */
};

/* The same over a storage of bytes. */
struct byte_view {
    uint8_t *data;
    ptrdiff_t stride;
    int images, height, width, channels;
    int64_t pixels;
    const float *scale;  /* [channels] */
    const uint8_t *zero; /* [channels] */
};

struct net {
    struct arena arena;
    const struct graph *graph;
    const struct kernels *kernels;
    struct net_options options;
    float *memory;                       /* the one block */
    size_t total_bytes, packed_bytes;    /* of memory, and of the weights in it */
    size_t *value_offset, *again_offset; /* per storage, in memory: values of forward and of backward */
    size_t *gradient_offset;             /* per storage; gradients only in training */
    size_t *saved_offset, *middle_offset, *packed_offset; /* per node */
    bool *dropped;          /* per node: its middle (op.h) is not kept from forward to backward */
    struct replay *replays; /* in the order of the backward pass */
    int replay_count;
    bool *accumulate;        /* per node and input: add to the gradient that is there */
    struct zero_range *zero; /* gradients nobody writes before they are read or added to */
    int zero_count;
    size_t zeros_offset;                  /* a row of zeros, what taps in the padding read */
    size_t scratch_offset, worker_offset; /* shared by all nodes; the latter worker_floats for each thread */
    size_t worker_floats;
    bool backward;                 /* net_backward runs */
    float *gradients;              /* set by net_backward for its duration */
    const struct net_sums *sums;   /* NULL, or set by the caller for a net_backward */
    const struct net_watch *watch; /* NULL, or set by the caller at any time between runs */
};

/* Channels [channel, channel + channels) of a storage's gradient, cleared before node's backward runs. */
struct zero_range {
    int node, storage, channel, channels;
};

/* Node `node` makes its output again right before node `before` runs backward. */
struct replay {
    int before, node;
};

/* The plan alone: offsets and sizes, no buffers. net->memory stays NULL, as does the data of views, so nothing can
 * run. */
enum status net_plan(struct net *net, const struct graph *graph, const struct kernels *kernels,
                     struct net_options options, struct error *err);

/* Graph, its parameters and kernels must outlive the net; a graph may serve several. One call that runs or packs a
 * net at a time. ERR_SYSTEM when memory is short, or the plan is over memory_limit. */
enum status net_create(struct net *net, const struct graph *graph, const struct kernels *kernels,
                       struct net_options options, struct error *err);
void net_free(struct net *net);

/* Reads the parameters again (folding, packing). Call after every change of params.values. */
void net_pack(struct net *net);

/* The same in training after a step, which moved only what trains: frozen nodes stay as they were packed. */
void net_pack_trained(struct net *net);

/* Fill the input through net_value(net, graph->input), then run. */
void net_forward(struct net *net);

/* Fill the outputs' gradients through net_gradient, then run: adds to gradients[0 .. params.trainable). */
void net_backward(struct net *net, float *gradients);

/* Values are there while something reads them; those of outputs until the next pass begins. */
struct view net_value(const struct net *net, int tensor);
struct view net_gradient(const struct net *net, int tensor);
struct byte_view net_bytes(const struct net *net, int tensor);

static inline bool net_is_bytes(const struct net *net, int tensor)
{
    return net->graph->storages[net->graph->tensors[tensor].storage].scale != NULL;
}

/* The operation behind a node (op.h). */
struct op;
const struct op *net_op(const struct node *node);

#endif
