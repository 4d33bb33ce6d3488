/* Names of rules that select, filter and distill have in common. */
#ifndef RETORT_CLI_SELECTION_CHOICES_H
#define RETORT_CLI_SELECTION_CHOICES_H

#include "cli/options.h"

extern const struct option_choice selection_filters[];      /* enum filter_rule */
extern const struct option_choice selection_aggregations[]; /* enum aggregation */

#endif
