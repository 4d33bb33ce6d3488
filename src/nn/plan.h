/* Memory plan of a net: where every buffer lies, and which gradient contributions write and which add. */
#ifndef RETORT_NN_PLAN_H
#define RETORT_NN_PLAN_H

#include "nn/net.h"

/* Fills the offsets, zero ranges and accumulate flags of net (from its arena) and sets net->total_bytes.
 * Nothing big is allocated. ERR_SYSTEM when the tables do not fit in memory, the buffers would not in any, or
 * a buffer has more than INT_MAX pixels. */
enum status plan_make(struct net *net, struct error *err);

#endif
