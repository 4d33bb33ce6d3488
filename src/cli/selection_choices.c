#include "cli/selection_choices.h"

#include "select/confidence.h"

const struct option_choice selection_filters[] = {{"farthest-first", FILTER_FARTHEST_FIRST},
                                                  {"tfdp", FILTER_TFDP},
                                                  {"moderate", FILTER_MODERATE},
                                                  {"least-confidence", FILTER_LEAST_CONFIDENCE},
                                                  {"top-confidence", FILTER_TOP_CONFIDENCE},
                                                  {"entropy", FILTER_ENTROPY},
                                                  {"random", FILTER_RANDOM},
                                                  {"k-means", FILTER_K_MEANS},
                                                  {"spherical-k-means", FILTER_SPHERICAL_K_MEANS},
                                                  {"k-medoids", FILTER_K_MEDOIDS},
                                                  {"none", FILTER_NONE},
                                                  {"ff", FILTER_FARTHEST_FIRST},
                                                  {"least_conf", FILTER_LEAST_CONFIDENCE},
                                                  {"top_conf", FILTER_TOP_CONFIDENCE},
                                                  {"kmeans", FILTER_K_MEANS},
                                                  {"spherical_kmeans", FILTER_SPHERICAL_K_MEANS},
                                                  {0}};
const struct option_choice selection_aggregations[] = {
    {"max", AGGREGATE_MAX}, {"min", AGGREGATE_MIN}, {"mean", AGGREGATE_MEAN}, {"sum", AGGREGATE_SUM}, {0}};
const struct option_choice selection_moderates[] = {{"value", MODERATE_VALUE}, {"rank", MODERATE_RANK}, {0}};
const struct option_choice selection_centers[] = {{"mean", CENTER_MEAN}, {"median", CENTER_MEDIAN}, {0}};

void filter_values_take(struct filter_options *options, const struct filter_values *values)
{
    options->entropy_aggregation = (enum aggregation)values->entropy_aggregation;
    options->mark_duplicates = values->mark_duplicates;
    options->max_cosine = values->max_cosine;
    options->moderate_rule = (enum moderate_rule)values->moderate_rule;
    options->moderate_center = (enum moderate_center)values->moderate_center;
}
