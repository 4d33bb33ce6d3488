/* When each buffer is alive: from its first writer to its last reader.
 *
 * In training most values die with their last reader of the forward pass and are made again, by a replay,
 * before the first node of the backward pass that reads them: a second life, elsewhere in memory. What a
 * replay reads must be there too, so that replays may call for others. */
#include "nn/planner.h"

#include <string.h>

static int forward_time(int node) { return node + 1; }
static int backward_time(const struct planner *p, int node)
{
    return 2 * p->net->graph->node_count + 1 - node;
}

static void use(struct buffer *buffer, int time)
{
    if (time < buffer->first) buffer->first = time;
    if (time > buffer->last) buffer->last = time;
}

static void use_in_backward(struct planner *p, int storage, int time)
{
    use((p->kept[storage] ? p->value : p->again) + storage, time);
}

/* ---- Values that the backward pass of node `reader` reads ---- */

static void require(struct planner *p, int tensor, int reader);

/* Makes the output of a node again, and what it dropped. A node reads its inputs for that unless it has kept
 * what lies between. */
static void replay(struct planner *p, int i, int reader)
{
    struct net *net = p->net;
    const struct node *node = net->graph->nodes + i;
    if (p->replayed[i]) return;
    p->replayed[i] = true;
    for (int k = 0; k < node->inputs && (net->dropped[i] || !net_op(node)->middle); k++)
        require(p, node->input[k], reader);
    if (net->dropped[i]) use(p->middle + i, backward_time(p, reader));
    use_in_backward(p, net->graph->tensors[node->output].storage, backward_time(p, reader));
    net->replays[net->replay_count++] = (struct replay){.before = reader, .node = i};
}

static void require(struct planner *p, int tensor, int reader)
{
    const struct graph *graph = p->net->graph;
    const struct tensor *t = graph->tensors + tensor;
    use_in_backward(p, t->storage, backward_time(p, reader));
    for (int i = 0; i < graph->node_count && !p->kept[t->storage]; i++) {
        const struct tensor *out = graph->tensors + graph->nodes[i].output;
        if (out->storage == t->storage && out->channel < t->channel + t->channels &&
            t->channel < out->channel + out->channels)
            replay(p, i, reader);
    }
}

/* ---- Nodes ---- */

static void forward_lives(struct planner *p, int i)
{
    const struct graph *graph = p->net->graph;
    const struct node *node = graph->nodes + i;
    use(p->value + graph->tensors[node->output].storage, forward_time(i));
    for (int k = 0; k < node->inputs; k++)
        use(p->value + graph->tensors[node->input[k]].storage, forward_time(i));
    use(p->saved + i, forward_time(i));
    if (!p->net->dropped[i]) use(p->middle + i, forward_time(i));
}

static void backward_lives(struct planner *p, int i)
{
    const struct graph *graph = p->net->graph;
    const struct node *node = graph->nodes + i;
    const struct op *op = net_op(node);
    const int time = backward_time(p, i);
    use(p->gradient + graph->tensors[node->output].storage, time);
    if (op->reads_output) require(p, node->output, i);
    for (int k = 0; k < node->inputs; k++) {
        const struct tensor *in = graph->tensors + node->input[k];
        if (op->reads_inputs) require(p, node->input[k], i);
        if (in->needs_gradient) use(p->gradient + in->storage, time);
    }
    if (p->net->dropped[i]) replay(p, i, i);
    use(p->middle + i, time);
    use(p->saved + i, time);
}

static void output_lives(struct planner *p)
{
    const struct graph *graph = p->net->graph;
    for (int i = 0; i < graph->outputs; i++) {
        const struct tensor *t = graph->tensors + graph->output[i];
        const int loss = forward_time(graph->node_count);
        use(p->value + t->storage, op_training(p->net) ? loss : p->end);
        if (op_training(p->net) && t->needs_gradient) use(p->gradient + t->storage, loss);
    }
}

void plan_lives(struct planner *p)
{
    const struct graph *graph = p->net->graph;
    const struct tensor *input = graph->tensors + graph->input;
    for (int i = 0; i < p->count; i++) {
        p->buffers[i].first = p->end + 1;
        p->buffers[i].last = -1;
    }
    memset(p->replayed, 0, (size_t)graph->node_count * sizeof *p->replayed);
    p->net->replay_count = 0;
    use(p->value + input->storage, 0);
    for (int i = 0; i < graph->node_count; i++) forward_lives(p, i);
    output_lives(p);
    if (op_training(p->net)) {
        for (int i = graph->node_count - 1; i >= 0; i--)
            if (graph->tensors[graph->nodes[i].output].needs_gradient) backward_lives(p, i);
        if (input->needs_gradient) use(p->gradient + input->storage, p->end);
    }
    for (struct buffer *b = p->packed; b <= p->zeros; b++) {
        use(b, 0);
        use(b, p->end);
    }
}
