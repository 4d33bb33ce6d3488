/* Every operation of the graph, forward and backward, on the networks of op_cases.h. */
#include "golden.h"

#include "op_cases.h"

#include <stdio.h>
#include <stdlib.h>

/* The output, then parameters' gradients, moved statistics and the input's gradient as one stage. */
static enum status emit(struct golden *golden, struct op_run *run, const char *name)
{
    char stage[64];
    const struct view y = net_value(&run->net, run->output), x = net_value(&run->net, run->graph.input);
    const size_t trainable = run->params.trainable, statistics = run->params.total - trainable,
                 inputs = (size_t)x.pixels * (size_t)x.stride;
    float *all = calloc(run->params.total + inputs, sizeof *all);
    if (!all) return ERR_SYSTEM;
    net_forward(&run->net);
    snprintf(stage, sizeof stage, "ops.%s", name);
    golden_emit(golden, stage, y.data, (size_t)y.pixels * (size_t)y.stride);
    run->gradients = all;
    op_case_backward(run);
    if (statistics) memcpy(all + trainable, run->params.values + trainable, statistics * sizeof *all);
    memcpy(all + run->params.total, net_gradient(&run->net, run->graph.input).data, inputs * sizeof *all);
    snprintf(stage, sizeof stage, "ops.%s-gradients", name);
    golden_emit(golden, stage, all, run->params.total + inputs);
    free(all);
    return OK;
}

void golden_ops(struct golden *golden)
{
    for (int i = 0; i < OP_CASES; i++) {
        struct op_run run;
        struct error err;
        const struct op_case *c = op_cases + i;
        golden->plan = net_plan_name(c->plan);
        enum status status = op_case_start(&run, c, c->mode, golden->kernels, golden->threads, &err);
        if (status == OK) status = emit(golden, &run, c->name);
        if (status != OK) golden_fail(golden, "ops", "no memory");
        op_case_finish(&run);
    }
}
