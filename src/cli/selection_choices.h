/* Names of rules that select, filter and distill have in common. */
#ifndef RETORT_CLI_SELECTION_CHOICES_H
#define RETORT_CLI_SELECTION_CHOICES_H

#include "cli/options.h"
#include "select/select.h"

/* Rules that select and distill have in common; the short keys of the specifications come last. */
/* clang-format off */
#define SELECTION_RULES                                                                                      \
    {"top-confidence", SELECT_TOP_CONFIDENCE}, {"least-confidence", SELECT_LEAST_CONFIDENCE},                \
    {"n-first", SELECT_N_FIRST}, {"uniform", SELECT_UNIFORM}, {"interval", SELECT_INTERVAL},                 \
    {"top_conf", SELECT_TOP_CONFIDENCE}, {"least_conf", SELECT_LEAST_CONFIDENCE}, {"n_first", SELECT_N_FIRST}
/* clang-format on */

extern const struct option_choice selection_filters[];      /* enum filter_rule */
extern const struct option_choice selection_aggregations[]; /* enum aggregation */
extern const struct option_choice selection_moderates[];    /* enum moderate_rule */
extern const struct option_choice selection_centers[];      /* enum moderate_center */

#endif
