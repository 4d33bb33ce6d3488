/* What the files plan*.c share: the buffers of a net that is being planned, and when each is alive.
 *
 * With n nodes time is: 0 the input is filled, i + 1 node i forward, n + 1 the loss, 2n + 1 - i node i
 * backward, with the replays before it. */
#ifndef RETORT_NN_PLANNER_H
#define RETORT_NN_PLANNER_H

#include "nn/op.h"

struct buffer {
    int first, last; /* alive, both ends included; first > last: never */
    size_t size, offset;
};

struct planner {
    struct net *net;
    struct arena *temporary;
    struct buffer *buffers; /* those below, one after the other */
    int count;
    struct buffer *value, *again, *gradient;  /* per storage; again: the values that backward reads */
    struct buffer *saved, *middle, *packed;   /* per node */
    struct buffer *scratch, *workers, *zeros; /* one each */
    bool *kept;                               /* per storage: values live on into backward */
    bool *replayed;                           /* per node */
    int64_t *alive;                           /* per time */
    int end;                                  /* of time */
};

/* Which gradient contributions write and which add, and what must be cleared first: into net. */
bool plan_gradients(struct planner *planner);

/* The life of every buffer and the replays, given what net->dropped says. */
void plan_lives(struct planner *planner);

/* Decide kept and net->dropped, then run plan_lives: everything is kept, or, in training, what that saves is made
 * again. False when memory ran out. */
void plan_keeps(struct planner *planner);
bool plan_replays(struct planner *planner);

#endif
