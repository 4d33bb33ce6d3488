/* --plan, the same for every command that runs a network. */
#ifndef RETORT_CLI_PLAN_OPTION_H
#define RETORT_CLI_PLAN_OPTION_H

#include "cli/options.h"
#include "nn/net.h"

extern const struct option_choice plan_choices[];

/* A row of an option table; the place holds an int, an enum net_plan. */
/* clang-format off */
#define PLAN_OPTION(place)                                                                                     \
    {"plan", 0, OPTION_CHOICE, place, "fast", .choices = plan_choices,                                         \
     .help = "choice of algorithms; fast: fewer multiplications where that gains; exact: convolutions all direct; " \
             "fast-0.1: as fast chose in version 0.1, to repeat what it made"}
/* clang-format on */

/* The option --plan of a table that ends with {0}, or NULL: retort info has a flag of that name. */
const struct option *plan_option_find(const struct option *table);

#endif
