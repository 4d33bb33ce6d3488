/* The plan of a weight file's network, for retort info --plan. */
#ifndef RETORT_CLI_INFO_PLAN_H
#define RETORT_CLI_INFO_PLAN_H

#include "base/status.h"
#include "cli/console.h"
#include "nn/net.h"

struct info_plan_options {
    int size; /* of a detector's square input, a multiple of 32 */
    int batch, threads;
    bool train, frozen_norm;
    enum net_plan plan;
};

/* Prints the plan as a table or as one object of JSON. ERR_INPUT for a file that is no network, or one that
 * cannot learn where the plan is for training. */
enum status info_plan_show(const char *path, const struct info_plan_options *options, struct console *console,
                           bool json, struct error *err);

#endif
