/* What a training makes again rather than keeps from forward to backward.
 *
 * Outputs that their node can make again: after a convolution with a middle (op.h) that costs one pass over
 * it. Middles are dropped, too, and their convolutions computed again, where that lowers the most that is alive
 * at a time: cheapest first, and no more than a tenth of the forward pass. The same bits are made again, so
 * nothing of this shows in a result. */
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

/* Floats alive at the worst time. */
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

void plan_keeps(struct planner *p)
{
    const struct graph *graph = p->net->graph;
    for (int s = 0; s < graph->storage_count; s++) p->kept[s] = true;
    for (int i = 0; i < graph->node_count; i++)
        p->net->dropped[i] = !graph->tensors[graph->nodes[i].output].needs_gradient;
    plan_lives(p);
}

/* A storage is made again when each of its writers is, and nothing outside reads it. */
static void choose_kept(struct planner *p)
{
    const struct graph *graph = p->net->graph;
    for (int s = 0; s < graph->storage_count; s++) p->kept[s] = false;
    for (int i = 0; i < graph->node_count; i++)
        if (!replays(p, i)) p->kept[graph->tensors[graph->nodes[i].output].storage] = true;
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
    struct candidate *candidates =
        arena_alloc(p->temporary, (size_t)p->net->graph->node_count, sizeof *candidates);
    p->alive = arena_alloc(p->temporary, (size_t)p->end + 2, sizeof *p->alive);
    if (!candidates || !p->alive) return false;
    choose_kept(p);
    plan_lives(p);
    drop_middles(p, candidates);
    return true;
}
