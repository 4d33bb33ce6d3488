/* Gradients of activations: the first contribution to a channel writes, later ones add. */
#include "nn/planner.h"

#include <string.h>

/* The channel ranges of its input that a node reads, and so whose gradient it contributes to. */
static struct gather_options ranges_read(const struct node *node, const struct tensor *in)
{
    return node->op == OP_GATHER ? node->as.gather
                                 : (struct gather_options){0, in->channels, in->channels, 1};
}

/* Appends zero ranges for those of [channel, channel + channels) that nobody wrote yet, and marks them
 * written. */
static void clear_unwritten(struct net *net, bool *written, int node, int storage, int channel, int channels)
{
    for (int c = channel; c < channel + channels; c++) {
        if (written[c]) continue;
        struct zero_range *last = net->zero_count ? net->zero + net->zero_count - 1 : NULL;
        if (last && last->node == node && last->storage == storage && last->channel + last->channels == c)
            last->channels++;
        else
            net->zero[net->zero_count++] = (struct zero_range){node, storage, c, 1};
        written[c] = true;
    }
}

/* In the order of the backward pass. Where a contribution meets written and unwritten channels the latter are
 * cleared first; so are channels of an output's gradient that no consumer reached. written[s] has one flag
 * for each channel of storage s. */
static void contributions(struct net *net, bool **written)
{
    const struct graph *graph = net->graph;
    for (int i = 0; i < graph->outputs; i++) {
        const struct tensor *t = graph->tensors + graph->output[i];
        memset(written[t->storage] + t->channel, true, (size_t)t->channels);
    }
    for (int i = graph->node_count - 1; i >= 0; i--) {
        const struct node *node = graph->nodes + i;
        const struct tensor *out = graph->tensors + node->output;
        if (!out->needs_gradient) continue;
        clear_unwritten(net, written[out->storage], i, out->storage, out->channel, out->channels);
        for (int k = 0; k < node->inputs; k++) {
            const struct tensor *in = graph->tensors + node->input[k];
            if (!in->needs_gradient) continue;
            const struct gather_options ranges = ranges_read(node, in);
            bool *channels = written[in->storage], any = false;
            const int start = in->channel + ranges.start;
            for (int r = 0; r < ranges.count; r++)
                for (int c = 0; c < ranges.length; c++) any |= channels[start + r * ranges.step + c];
            net->accumulate[i * GRAPH_MAX_INPUTS + k] = any;
            for (int r = 0; r < ranges.count; r++) {
                const int channel = start + r * ranges.step;
                if (any) clear_unwritten(net, channels, i, in->storage, channel, ranges.length);
                memset(channels + channel, true, (size_t)ranges.length);
            }
        }
    }
    const struct tensor *input = graph->tensors + graph->input; /* its unread channels have gradient 0 */
    if (input->needs_gradient)
        clear_unwritten(net, written[input->storage], 0, input->storage, input->channel, input->channels);
}

bool plan_gradients(struct planner *p)
{
    const struct graph *graph = p->net->graph;
    const int storages = graph->storage_count;
    bool **written = arena_alloc(p->temporary, (size_t)storages, sizeof *written);
    for (int i = 0; written && i < storages; i++) {
        written[i] = arena_alloc(p->temporary, (size_t)graph->storages[i].channels, sizeof **written);
        if (!written[i]) return false;
    }
    if (!written) return false;
    contributions(p->net, written);
    return true;
}
