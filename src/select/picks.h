/* Between filter.c and the rules that it runs: picks in the order of picking. */
#ifndef RETORT_SELECT_PICKS_H
#define RETORT_SELECT_PICKS_H

#include "base/arena.h"
#include "kernels/kernels.h"
#include "select/draws.h"
#include "select/embeddings.h"

#include <stdbool.h>

struct pick {
    int frame, rank;
    double score;
};

struct picks {
    struct pick *items; /* room for as many as there are candidates */
    int count;
    bool stopped;
    int iterations;
    int *start;
};

/* What the rules on embeddings work with. */
struct picker {
    struct embeddings set;
    int budget; /* 1 <= budget < set.count */
    const struct kernels *kernels;
    int threads;
    struct draws draws;
    struct arena *arena;
};

/* farthest.c; more than max_cosine stops when that is below 1 */
enum status farthest_first(struct picks *picks, const struct picker *picker, bool mark_duplicates,
                           double max_cosine, struct error *err);

/* cluster.c */
enum status cluster_k_means(struct picks *picks, const struct picker *picker, bool spherical,
                            struct error *err);
enum status cluster_k_medoids(struct picks *picks, const struct picker *picker, struct error *err);

#endif
