/* Names of rules and options that select, filter and distill have in common. */
#ifndef RETORT_CLI_SELECTION_CHOICES_H
#define RETORT_CLI_SELECTION_CHOICES_H

#include "cli/options.h"
#include "select/filter.h"
#include "select/select.h"

/* Rules that select and distill have in common; the short keys of [D-SBAD] come last. */
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

/* Details of the filters. */
struct filter_values {
    int entropy_aggregation, moderate_rule, moderate_center;
    double max_cosine;
    bool mark_duplicates;
};

/* The rows of an option table for a struct that holds a filter_values at `base`. */
#define FILTER_AT(base, member) ((base) + offsetof(struct filter_values, member))
/* clang-format off */
#define FILTER_OPTIONS(base)                                                                                   \
    {"mark-duplicates", 0, OPTION_FLAG, FILTER_AT(base, mark_duplicates), NULL,                                \
     .help = "farthest-first: equal candidates go together; more than the budget can come out"},               \
    {"max-cosine", 0, OPTION_REAL, FILTER_AT(base, max_cosine), "1", -1, 1,                                    \
     .help = "farthest-first: stop when all that is left is more similar than this"},                          \
    {"entropy-aggregate", 0, OPTION_CHOICE, FILTER_AT(base, entropy_aggregation), "sum",                       \
     .choices = selection_aggregations, .help = "entropy of a frame from those of its objects"},               \
    {"moderate", 0, OPTION_CHOICE, FILTER_AT(base, moderate_rule), "value", .choices = selection_moderates,    \
     .help = "form of moderate"},                                                                              \
    {"center", 0, OPTION_CHOICE, FILTER_AT(base, moderate_center), "mean", .choices = selection_centers,       \
     .help = "moderate: centre"}
/* clang-format on */

void filter_values_take(struct filter_options *options, const struct filter_values *values);

#endif
