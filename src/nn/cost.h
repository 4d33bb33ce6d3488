/* What a node costs, by its shape alone: for profiles and for what a plan computes again (plan_replay.c). */
#ifndef RETORT_NN_COST_H
#define RETORT_NN_COST_H

#include "nn/net.h"

struct cost {
    double flop; /* of convolutions and attention, a multiply-add as two; 0 for what only moves values */
    double
        bytes; /* inputs, parameters and outputs once each: the least that crosses memory without a cache */
};

/* Of the whole batch. Backward counts the gradients that are asked for and no others. */
struct cost cost_of(const struct net *net, const struct node *node, enum net_pass pass);

/* "conv 3x3/2 16->32 at 160x160", cut to room. */
void cost_describe(char *text, size_t room, const struct graph *graph, const struct node *node);

/* The algorithm that this net's plan takes for the node, or "" where there is but one. */
const char *cost_algorithm(const struct net *net, const struct node *node);

#endif
