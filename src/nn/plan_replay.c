/* What a training keeps from forward to backward, and what it makes again.
 *
 * Outputs that their node can make again are not kept: after a convolution with batch norm that costs one
 * pass over the pre-norm output. Pre-norm outputs are dropped, too, and their convolutions computed again,
 * where that lowers the most that is alive at a time: cheapest first, and no more than a tenth of the forward
 * pass. The same bits are made again, so nothing of this shows in a result. */
#include "nn/cost.h"
#include "nn/planner.h"

#include <stdlib.h>
#include <string.h>

#define MOST_WORK 0.1 /* of the forward pass */

struct candidate {
    int node;
    double flop;
    size_t size;
};

/* Bytes alive at the worst time. */
static size_t most_alive(const struct planner *p)
{
    memset(p->alive, 0, (size_t)(p->end + 2) * sizeof *p->alive);
    for (int i = 0; i < p->count; i++) {
        const struct buffer *b = p->buffers + i;
        if (b->first > b->last) continue;
        p->alive[b->first] += (int64_t)b->size;
        p->alive[b->last + 1] -= (int64_t)b->size;
    }
    int64_t now = 0, most = 0;
    for (int t = 0; t <= p->end; t++) {
        now += p->alive[t];
        if (now > most) most = now;
    }
    return (size_t)most;
}

/* Whether to replay a node rather than keep its output: not where that is a whole product, with no middle to
 * start from. */
static bool replays(const struct planner *p, int i)
{
    const struct node *node = p->net->graph->nodes + i;
    const struct op *op = net_op(node);
    return op->replay && (!op->middle || p->middle[i].size) &&
           p->net->graph->tensors[node->output].needs_gradient;
}

/* A storage is made again when each of its writers is, and nothing outside reads it. */
static void choose_kept(struct planner *p)
{
    const struct graph *graph = p->net->graph;
    const bool training = op_training(p->net);
    for (int s = 0; s < graph->storage_count; s++) p->kept[s] = !training;
    for (int i = 0; i < graph->node_count; i++) {
        const struct tensor *out = graph->tensors + graph->nodes[i].output;
        p->kept[out->storage] = p->kept[out->storage] || !replays(p, i);
        p->net->dropped[i] = !out->needs_gradient;
    }
    for (int i = 0; i < graph->outputs; i++) p->kept[graph->tensors[graph->output[i]].storage] = true;
    p->kept[graph->tensors[graph->input].storage] = true;
}

static int by_cost(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    const double left = x->flop * (double)y->size, right = y->flop * (double)x->size;
    return left != right ? (left < right ? -1 : 1) : x->node - y->node;
}

static void drop_middles(struct planner *p, struct candidate *candidates)
{
    struct net *net = p->net;
    const struct graph *graph = net->graph;
    int count = 0;
    double allowed = 0;
    for (int i = 0; i < graph->node_count; i++) {
        const double flop = cost_of(net, graph->nodes + i, NET_FORWARD).flop;
        if (p->middle[i].size && !net->dropped[i])
            candidates[count++] = (struct candidate){i, flop, p->middle[i].size};
        allowed += MOST_WORK * flop;
    }
    qsort(candidates, (size_t)count, sizeof *candidates, by_cost);
    size_t least = most_alive(p);
    for (int i = 0; i < count && candidates[i].flop <= allowed; i++) {
        net->dropped[candidates[i].node] = true;
        plan_lives(p);
        const size_t most = most_alive(p);
        if (most < least) {
            least = most;
            allowed -= candidates[i].flop;
        } else {
            net->dropped[candidates[i].node] = false;
        }
    }
    plan_lives(p);
}

bool plan_replays(struct planner *p)
{
    const size_t nodes = (size_t)p->net->graph->node_count;
    struct candidate *candidates = arena_alloc(p->temporary, nodes, sizeof *candidates);
    p->alive = arena_alloc(p->temporary, (size_t)p->end + 2, sizeof *p->alive);
    p->replayed = arena_alloc(p->temporary, nodes, sizeof *p->replayed);
    p->kept = arena_alloc(p->temporary, (size_t)p->net->graph->storage_count, sizeof *p->kept);
    if (!candidates || !p->alive || !p->replayed || !p->kept) return false;
    choose_kept(p);
    plan_lives(p);
    if (op_training(p->net)) drop_middles(p, candidates);
    return true;
}
